"""How it is drawn: plain frames in, a matplotlib `Figure` out.

A figure belongs to nobody else: pyplot is not involved, nothing is shown, no setting outlives the call
(`style` is the one exception, and only when called). Nothing is estimated here: estimates, intervals and
counts are given. Data that can't be drawn give axes with the sentence "no data: <why>". Arms other than
`ARMS` raise ValueError.
"""

from helpers.figures.agreements import agreement, tipping
from helpers.figures.consort_chart import consort
from helpers.figures.course import by_arm_over_time, small_multiples
from helpers.figures.distributions import distribution, stacked_shares
from helpers.figures.flow import attrition, recruitment, swimmer, tiles
from helpers.figures.forests import forest
from helpers.figures.house_style import ARM_STYLE, ARMS, style
from helpers.figures.model_checks import beside_published, selection_and_noise
from helpers.figures.operating import power, tornado, trade_off
from helpers.figures.safety import event_lanes, events_by_arm, worst_values
from helpers.figures.surfaces import surface, trade_offs
from helpers.figures.survival_curves import cumulative_remission

__all__ = [
    "ARMS",
    "ARM_STYLE",
    "agreement",
    "attrition",
    "beside_published",
    "by_arm_over_time",
    "consort",
    "cumulative_remission",
    "distribution",
    "event_lanes",
    "events_by_arm",
    "forest",
    "power",
    "recruitment",
    "selection_and_noise",
    "small_multiples",
    "stacked_shares",
    "style",
    "surface",
    "swimmer",
    "tiles",
    "tipping",
    "tornado",
    "trade_off",
    "trade_offs",
    "worst_values",
]
