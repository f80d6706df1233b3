"""The researcher's bench: a few settings in hand, and what many trials of the plan under them show.

`Bench.move(dropout=0.3)` asks `operating.run` for the power and its Monte Carlo error, and keeps the same trials in
hand: remissions by arm in each of them, and any one of them as an example. Nothing here knows a slider or a browser.

>>> from helpers.study.parameters import Parameters
>>> bench = Bench(Parameters(), trials=20)
>>> move = bench.move(dropout=0.3)
>>> move.by_arm["arm"].tolist(), len(move.power), move.example(3)["trial"].unique().tolist()
(['Placebo', 'hUC-MSC'], 4, [3])
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.design import asked_plan, operating
from helpers.design.trials import DAYS, EVENTS, Trials
from helpers.estimators import proportions
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, months
from helpers.study.recording import plain
from helpers.trial import conduct
from helpers.trial.simulate import Streams

TRIALS = conduct.CHUNK
"""Trials a move: at least 500, so that a power of one half is known to within five points."""
ASKED = ("confirmed", "ever", "ancova average", "log-rank")
"""Analyses that a move asks: the primary, its unconfirmed form, the same urine as numbers, and time."""
STEP = 5
"""Points of percent of a class of `Move.spread`."""
AFTER_SCREENING = (
    "upcr_effect", "effect_half_life", "dropout", "remission_definition", "remission_fall", "confirm_days",
)  # fmt: skip
"""Settings in hand that no screened child depends on: a move of these keeps the children."""


@dataclass(frozen=True)
class Knob:
    """A setting in hand: a parameter, what it is in words, and the values that it takes.

    low, high, step: of a number; choices: of a word. A study's own value is always among them.
    """

    name: str
    words: str
    low: float = 0
    high: float = 0
    step: float = 0
    choices: tuple[str, ...] = ()


KNOBS = (
    Knob("upcr_effect", "effect: UPCR on hUC-MSC / placebo", 0.3, 1.2, 0.05),
    Knob("effect_half_life", "onset: half-life of the effect (days)", 1, 120, 1),
    Knob("upcr_noise", "noise of a urine sample (SD of log UPCR)", 0.0, 1.0, 0.05),
    Knob("dropout", "drop-out within 12 months (share)", 0.0, 0.5, 0.05),
    Knob("n_randomised", "children randomised", 20, 80, 10),
    Knob(
        "remission_definition",
        "definition of remission",
        choices=("fall", "threshold alone", "KDIGO"),
    ),
    Knob("remission_fall", "definition: least fall of UPCR (share)", 0.2, 0.8, 0.05),
    Knob("confirm_days", "confirmation: days that it must hold", 0, 182, 14),
)
"""In the order in which they are offered."""


def knobs(p: Parameters) -> tuple[Knob, ...]:
    """`KNOBS` with limits in which the study's own value lies, and nothing that its other parameters forbid."""
    found = []
    for knob in KNOBS:
        if not knob.choices:
            value = float(getattr(p, knob.name))
            low, high = min(knob.low, value), max(knob.high, value)
            if knob.name == "upcr_noise":
                # what lies outside would be cut off without a word, and is refused
                low, high = max(low, p.upcr_noise_min), min(high, p.upcr_noise_max)
            knob = Knob(knob.name, knob.words, low, high, knob.step)
        found.append(knob)
    return tuple(found)


@dataclass(frozen=True)
class Move:
    """What the plan shows under settings. p: all parameters; power: the frame of `operating.run`; trials: as it asked.

    planned: children of the settings, where p has those that were asked (`asked_plan`).
    Frames: power (a row an analysis), counts, by_arm, spread, curves, example(k), children(k).
    """

    p: Parameters
    power: pd.DataFrame
    trials: Trials
    planned: int

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Confirmed remissions, a row a trial and arm: trial, arm, children (all randomised), remitted, share (%)."""
        x0, n0, x1, n1 = self.trials.counts(EVENTS[operating.PRIMARY](self.trials))
        parts = [
            pd.DataFrame({"trial": np.arange(len(n)), "arm": arm, "children": n, "remitted": x})
            for arm, x, n in zip(ARMS, (x0, x1), (n0, n1), strict=True)
        ]
        out = pd.concat(parts, ignore_index=True)
        return out.assign(share=100 * out["remitted"] / out["children"].where(out["children"] > 0))

    @cached_property
    def by_arm(self) -> pd.DataFrame:
        """Confirmed remission over all trials, a row an arm.

        arm, children and remitted (over all trials), share with share_lower and share_upper (%, Wilson's 95 %: the
        Monte Carlo error), trial_low and trial_high (%, the middle 95 % of trials). On placebo it is false remission:
        nothing was done for these children.
        """
        rows = []
        for arm in ARMS:
            part = self.counts[self.counts["arm"] == arm]
            x, n = int(part["remitted"].sum()), int(part["children"].sum())
            lower, upper = proportions.wilson(np.array([x]), np.array([n]))
            low, high = np.nanquantile(part["share"], [0.025, 0.975])
            rows.append(
                {
                    "arm": arm, "children": n, "remitted": x, "share": 100 * x / n,
                    "share_lower": 100 * float(np.asarray(lower)[0]), "share_upper": 100 * float(np.asarray(upper)[0]),
                    "trial_low": float(low), "trial_high": float(high),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    @cached_property
    def spread(self) -> pd.DataFrame:
        """How remission spreads over the trials: arm, share (%, lower end of a class of `STEP` points), trials (%)."""
        edges = np.arange(0, 100 + STEP, STEP)
        rows = []
        for arm in ARMS:
            share = self.counts.loc[self.counts["arm"] == arm, "share"].dropna()
            # 12 of 20 is 60 % on paper
            found, _ = np.histogram(share.round(9), np.append(edges, 100 + STEP))
            rows += [
                {"arm": arm, "share": int(edge), "trials": 100 * int(count) / len(share)}
                for edge, count in zip(edges, found, strict=True)
            ]
        return pd.DataFrame(rows)

    @cached_property
    def _courses(self) -> tuple[NDArray, NDArray, NDArray]:
        """By trial, arm and visit, baseline first: mean log ratio to baseline, values behind it, share remitted (%)."""
        t = self.trials
        change = t.log_upcr - t.log_base[..., None]
        seen, remitted = ~np.isnan(change), t.remission.confirmed
        by_visit = (remitted[..., None] >= 0) & (remitted[..., None] <= np.arange(DAYS.size))
        means, values, shares = [], [], []
        for arm in range(len(ARMS)):
            mine = (t.arm == arm)[..., None]
            count = (seen & mine).sum(axis=1)
            total = np.where(seen & mine, change, 0).sum(axis=1)
            children = mine.sum(axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                means.append(np.pad(total / count, ((0, 0), (1, 0))))
                shares.append(np.pad(100 * (by_visit & mine).sum(axis=1) / children, ((0, 0), (1, 0))))
            values.append(
                np.concatenate([(mine[..., 0] & ~np.isnan(t.log_base)).sum(1)[:, None], count], axis=1)
            )
        return np.stack(means, 1), np.stack(values, 1), np.stack(shares, 1)

    @property
    def _months(self) -> NDArray:
        return np.concatenate([months(np.array([-float(self.p.infusion_gap)])), months(DAYS)])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The courses that trials take, a row an arm and visit, baseline first.

        arm, month (from the planned last infusion), ratio (geometric mean of UPCR over baseline, mean of trials) with
        ratio_low and ratio_high (the middle 95 % of trials), remitted (%, confirmed so far, of all randomised) with
        remitted_low and remitted_high.
        """
        means, _, shares = self._courses
        rows = []
        for k, arm in enumerate(ARMS):
            for v, month in enumerate(self._months):
                row: dict[str, Any] = {"arm": arm, "month": float(month)}
                for name, values, back in (("ratio", means, np.exp), ("remitted", shares, np.asarray)):
                    there = values[:, k, v][~np.isnan(values[:, k, v])]
                    found = (
                        [there.mean(), *np.quantile(there, [0.025, 0.975])] if there.size else [np.nan] * 3
                    )
                    row |= dict(
                        zip((name, f"{name}_low", f"{name}_high"), map(float, back(found)), strict=True)
                    )
                rows.append(row)
        return pd.DataFrame(rows)

    def example(self, trial: int = 0) -> pd.DataFrame:
        """One of the trials (0: the scenario's own cohort, where nothing was moved), a row an arm and visit.

        trial, arm, month, children (randomised), values (of UPCR at the visit), ratio (geometric mean of UPCR over
        baseline), remitted (%, confirmed so far, of all randomised). Raises IndexError.
        """
        means, values, shares = self._courses
        rows = [
            {
                "trial": trial, "arm": arm, "month": float(month),
                "children": int((self.trials.arm[trial] == k).sum()), "values": int(values[trial, k, v]),
                "ratio": float(np.exp(means[trial, k, v])), "remitted": float(shares[trial, k, v]),
            }
            for k, arm in enumerate(ARMS)
            for v, month in enumerate(self._months)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def children(self, trial: int = 0) -> pd.DataFrame:
        """Its children, a row a child and visit: child (in order of randomisation), arm, month, ratio (NaN = none)."""
        t = self.trials
        change = t.log_upcr[trial] - t.log_base[trial][:, None]
        ratio = np.exp(
            np.concatenate([np.where(np.isnan(t.log_base[trial]), np.nan, 0)[:, None], change], axis=1)
        )
        n, visits = ratio.shape
        return pd.DataFrame(
            {
                "child": np.repeat(np.arange(1, n + 1), visits),
                "arm": np.repeat(np.array(ARMS)[t.arm[trial]], visits),
                "month": np.tile(self._months, n),
                "ratio": ratio.ravel(),
            }
        )


@dataclass
class Bench:
    """A study's parameters with some settings in hand.

    Parameters
    ----------
    study : Study or Parameters
        What holds where nothing is moved.
    trials : int
        Trials of a move; at most those of one chunk (`TRIALS`) are kept in hand.

    Examples
    --------
    As notebook 11-explore calls it:

    >>> bench = exploring.Bench(study)
    """

    study: operating.HasParameters | Parameters
    trials: int = TRIALS
    _screened: dict[str, tuple[conduct.Enrolled, Streams]] = field(default_factory=dict, repr=False)

    @property
    def p(self) -> Parameters:
        """The study's parameters."""
        return self.study if isinstance(self.study, Parameters) else self.study.parameters

    def settings(self, **values: Any) -> Parameters:
        """The study's parameters with settings changed, as `asked_plan.of` asks them; raises Problem as it does."""
        return asked_plan.of(self.p, **values)

    def move(self, **values: Any) -> Move:
        """What the plan shows with settings changed, any parameters by their names.

        Returns
        -------
        Move
            Its frames are computed when they are asked for.

        Raises
        ------
        Problem
            A setting that is no parameter or out of its range, or as `operating.run`.

        Examples
        --------
        As notebook 11-explore calls it:

        >>> move = bench.move()
        """
        p = self.settings(**values)
        power = operating.run(p, self.trials, analyses=ASKED)
        planned = values.get("n_randomised", self.p.n_randomised)
        return Move(p, power, operating.followed(p, *self._children(p)), planned)

    def prepare(self) -> None:
        """Tabulate the exact test for all sizes in hand, which costs the first trial of a size up to half a second."""
        size = next(knob for knob in KNOBS if knob.name == "n_randomised")
        for n in range(int(size.low), int(size.high) + 1, int(size.step)):
            plan = self.p.model_copy(update={"n_randomised": n, "strata": "none"})
            arm, _ = conduct.randomise(plan, self.trials, Streams(plan.seed, 0))
            active = np.unique(arm.sum(axis=1, dtype=int))
            proportions.boschloo(np.zeros_like(active), n - active, np.zeros_like(active), active)

    def _children(self, p: Parameters) -> tuple[conduct.Enrolled, Streams]:
        """The children that a plan enrols, screened anew only where a setting moved that they depend on."""
        key = json.dumps({name: v for name, v in plain(p).items() if name not in AFTER_SCREENING})
        if key not in self._screened:
            self._screened.clear()
            kept = min(self.trials, TRIALS)
            self._screened[key] = next(iter(operating.chunks(p, kept, p.n_randomised)))
        return self._screened[key]


def differing(a: Parameters, b: Parameters) -> Mapping[str, tuple[Any, Any]]:
    """What differs between two sets of parameters: name -> (a's value, b's value), in the order of the register."""
    mine, theirs = plain(a), plain(b)
    return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}
