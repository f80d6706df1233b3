"""What chapter 08 shows, against plain pandas and by hand, on few trials."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.design import beside_exact, characteristics, operating, prospects
from helpers.estimators import planning, proportions
from helpers.study.parameters import Parameters

P = Parameters()
FEW = 30


@pytest.fixture(scope="module")
def answer():
    with pytest.MonkeyPatch.context() as here:
        here.setattr(characteristics, "SIZES", (20, 40))
        here.setattr(characteristics, "EFFECTS", (1.0, 0.3))
        here.setattr(characteristics, "CLOSED", 100)
        here.setattr(operating, "GIANT", 50)
        here.setattr(prospects, "FAIR_EFFECTS", (0.65,))
        return characteristics.whole(P, dict.fromkeys(characteristics.PARTS, FEW), 1500)


def test_every_frame_counts_the_same_trials(answer):
    """The assumed effect at the planned size is asked in four places: of the same trials."""
    here = operating.run(P, FEW).set_index("analysis")["favour"]
    effects, sizes, precision = (
        frame[(frame["effect"] == P.upcr_effect) & (frame["n"] == 40)].set_index("analysis")["favour"]
        for frame in (
            characteristics.by_effect(answer),
            characteristics.by_size(answer),
            characteristics.precision(answer),
        )
    )
    assert effects.to_dict() == here.to_dict() == precision.to_dict()
    readings = characteristics.readings(answer).set_index("reading")
    assert readings.loc["as planned", "favour"] == here["confirmed"]
    assert readings.loc[characteristics.UNCONFIRMED, "favour"] == here["ever"]
    plan = characteristics.alternatives(answer).iloc[0]
    assert plan["primary"] == pytest.approx(100 * here["confirmed"] / FEW)
    assert plan["gain"] == 0
    # by size the trials are the first children of larger ones: other children from the second trial on
    assert set(sizes.index) == set(characteristics.BY_SIZE)


def test_limits_are_wilsons(answer):
    row = characteristics.by_effect(answer).iloc[0]
    assert [row["power_lower"], row["power_upper"]] == pytest.approx(
        [100 * v for v in proportions.wilson(int(row["favour"]), FEW)]
    )


def test_precision_by_hand(answer):
    row = (
        characteristics.precision(answer).set_index(["effect", "analysis"]).loc[(P.upcr_effect, "confirmed")]
    )
    found = operating.answers(P, FEW, analyses=["confirmed"], exact=True)[P.upcr_effect, 40, "confirmed"]
    held = (found.lower <= row["truth"]) & (row["truth"] <= found.upper)
    assert row["coverage"] == pytest.approx(100 * held.mean())
    assert row["bias"] == pytest.approx(found.estimate.mean() - row["truth"], abs=1e-5)
    hits = (found.p <= 0.05) & (found.estimate > 0)
    assert row["exaggeration"] == pytest.approx(found.estimate[hits].mean() / row["truth"], rel=1e-4)
    assert row["width"] == pytest.approx((found.upper - found.lower).mean(), rel=1e-4)
    assert row["width_se"] == pytest.approx((found.upper - found.lower).std(ddof=1) / FEW**0.5, rel=1e-4)
    relative = [
        found.estimate[hits].std(ddof=1) / hits.sum() ** 0.5 / found.estimate[hits].mean(),
        row["truth_se"] / row["truth"],
    ]
    assert row["exaggeration_se"] == pytest.approx(row["exaggeration"] * np.hypot(*relative), rel=1e-3)
    brief = characteristics.answer_in_brief(answer, P).set_index("question").loc["half_width"]
    assert [brief["lower"], brief["upper"]] == pytest.approx(
        [50 * (row["width"] + side * 1.959964 * row["width_se"]) for side in (-1, 1)]
    )
    none = characteristics.precision(answer).query("effect == 1")
    assert none["exaggeration"].isna().all()


def test_false_claims_stand_beside_their_enumeration(answer):
    frame = characteristics.false_claims(answer, P).set_index("analysis")
    share = characteristics.readings(answer).set_index("reading").loc["as planned", "placebo"] / 100
    exact = planning.exact_power((share, share), (20, 20)).above
    assert frame.loc["confirmed", "exact"] == pytest.approx(100 * exact)
    assert frame.loc[["ancova average", "log-rank"], "exact"].isna().all()


def test_a_design_that_can_not_be_run_is_told(answer):
    rows = [*answer["alternatives"], {"alternative": "none found", "why": "screening is hopeless"}]
    frame = characteristics.alternatives(answer | {"alternatives": rows})
    assert frame.iloc[-1]["why"] == "screening is hopeless"
    assert np.isnan(frame.iloc[-1]["gain"])


def test_each_alternative_changes_what_it_says():
    for name, changes in characteristics.ALTERNATIVES.items():
        plan = characteristics.alternative(P, name)
        for key, value in changes.items():
            factor = key in characteristics.FACTORS and value
            assert (
                getattr(plan, key) == pytest.approx(getattr(P, key) * value)
                if factor
                else getattr(plan, key) == value
            )
        same = set(Parameters.model_fields) - set(changes)
        assert all(getattr(plan, key) == getattr(P, key) for key in same)


# ------------------------------------------------------------------ children needed


def drawn(effect: float, sizes, trials: int = 4000) -> np.ndarray:
    """Significance by trial and size of a two-sided z-test with n / 2 children an arm, of growing trials."""
    rng = np.random.default_rng(8)
    steps = np.diff([0, *sizes]) / 2
    sums = np.cumsum(rng.normal(effect * steps, np.sqrt(2 * steps), (trials, len(sizes))), axis=1)
    z = sums / np.sqrt(np.cumsum(2 * steps))
    return z > stats.norm.isf(0.025)


def test_children_needed_are_those_of_theory():
    """n an arm = 2 (z.975 + z.8)^2 / effect^2: 2 x 16.0 at 0.7, and beyond the largest size at 0.3."""
    sizes = (20, 30, 40, 60, 80, 120)
    theory = 2 * 2 * (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) ** 2 / 0.7**2
    found, low, high = characteristics.needed_with_limits(
        drawn(0.7, sizes), sizes, 0.8, np.random.default_rng(1)
    )
    assert abs(found - theory) <= 4
    assert low <= found <= high
    assert high - low < 12
    assert found % 2 == 0
    none, low, high = characteristics.needed_with_limits(
        drawn(0.2, sizes), sizes, 0.8, np.random.default_rng(1)
    )
    assert np.isnan([none, low, high]).all()


def test_children_needed_where_every_size_is_enough():
    assert characteristics.needed(np.ones((50, 3), bool), (20, 40, 60), 0.8) == 20
    assert np.isnan(characteristics.needed(np.zeros((50, 3), bool), (20, 40, 60), 0.8))


def test_months_of_recruitment_rise_with_the_children(answer):
    pace = characteristics.by_size(answer).drop_duplicates("n").set_index("n")["months"]
    assert 0 < pace[20] < pace[40]
    fast = characteristics.recruitment(P.model_copy(update={"screened_per_month": 10.0}), 60)
    slow = characteristics.recruitment(P, 60)
    assert slow[39] == pytest.approx(2 * fast[39], rel=0.1)


# ------------------------------------------------------------------ safety


def test_what_so_few_children_exclude():
    frame = characteristics.safety(P).set_index("rate")
    assert frame.loc[5, "chance_of_one"] == pytest.approx(100 * (1 - 0.95**20))
    limit = frame["none_excludes"].iloc[0] / 100
    assert stats.binom.pmf(0, 20, limit) == pytest.approx(0.05)


def test_the_answer_in_brief(answer):
    frame = characteristics.answer_in_brief(answer, P).set_index("question")
    assert (
        frame.loc["power", "estimate"]
        == characteristics.by_effect(answer)
        .query("analysis == 'confirmed' and effect == @P.upcr_effect")["power"]
        .iloc[0]
    )
    assert frame.loc["half_width", "unit"] == "points"
    assert pd.Series(frame.index).is_unique


# ------------------------------------------------------------------ exact beside simulated, and what else is asked


def test_exact_figures_stand_beside_the_same_trials(answer):
    frame = characteristics.beside_exactly(answer).set_index(["question", "effect"])
    here = operating.run(P, FEW, effects=[1.0, P.upcr_effect]).set_index(["analysis", "effect"])["power"]
    for name in ("confirmed", "ancova average", "ancova month 12", "log-rank"):
        for effect in (1.0, P.upcr_effect):
            assert frame.loc[(f"power {name}", effect), "simulated"] == pytest.approx(
                here[name, effect], rel=1e-5
            )
    assert frame.loc[("power ancova average", 1.0), "exact"] == pytest.approx(2.5, abs=1.0), (
        "the true value comes from 6,400 children: a tenth of an SE, half a point of a tail of 2.5 %"
    )
    assert (frame["se"] > 0).all()
    # few trials: wide errors, and still no figure far from its closed form
    assert frame["apart"].abs().max() < 5


def test_a_stable_child_by_brute_force():
    """200,000 children of noise alone, by loops over visits: the integral within four Monte Carlo errors."""
    for changes in ({}, {"baseline_samples": "separate"}, {"confirm_days": 0}, {"remission_fall": 0.3}):
        plan = P.model_copy(update={**beside_exact.STABLE, **changes})
        rng, n, sd = np.random.default_rng(3), 200_000, P.upcr_noise
        both = 2 if plan.baseline_samples == "mean of both" else 1
        before = rng.normal(0, sd, (both, n)).mean(axis=0)
        low = rng.normal(0, sd, (n, 11)) <= np.log(1 - plan.remission_fall) + before[:, None]
        days = [14, 28, 42, 56, 91, 122, 152, 183, 244, 304, 365]
        hit = np.zeros(n, bool)
        for v in range(11):
            for w in range(v + 1, 11):
                if days[w] - days[v] >= plan.confirm_days:
                    hit |= low[:, v : w + 1].all(axis=1)
                    break
        exact = beside_exact.false_remission(plan)
        assert abs(hit.mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / n), changes
    assert beside_exact.false_remission(P.model_copy(update={"upcr_noise": 0.0, "upcr_noise_min": 0.0})) == 0


def test_shapes_have_the_same_mean_effect():
    for effect in (0.8, 0.65, 0.5):
        days = np.arange(1, 366)
        plain = np.log(effect) * prospects.conduct.time_course(P, days).mean()
        for shape in prospects.SHAPES:
            plan = prospects.shaped(P, shape, effect)
            mean = np.log(plan.upcr_effect) * plan.responder_share
            assert mean * prospects.conduct.time_course(plan, days).mean() == pytest.approx(plain), shape
    assert prospects.shaped(P, prospects.SHAPES[1], 0.2) is None, "beyond what the register allows"


def test_each_assumption_is_moved_and_no_other():
    for what, (names, low, high) in prospects.HURTS.items():
        for end, value in ((False, low), (True, high)):
            plan = prospects.changed(P, what, end)
            wanted = {n: getattr(P, n) * value if len(names) > 1 else value for n in names}
            assert {n: getattr(plan, n) for n in names} == pytest.approx(wanted), what
            assert P.model_dump(exclude=set(names)) == plan.model_dump(exclude=set(names))


def test_who_picks_claims_at_least_as_often(answer):
    claims = characteristics.picked(answer).set_index("family")
    assert claims.loc["all", "favour"] >= claims["favour"].drop("all").max()
    assert (
        claims.loc[["endpoints", "analyses", "definitions"], "favour"].min()
        >= claims.loc["primary", "favour"]
    )
    assert claims.loc["definitions", "choices"] == len(characteristics.READINGS)
    none = operating.run(P, FEW, effects=[1.0]).set_index("analysis")["favour"]
    assert claims.loc["primary", "favour"] == none["confirmed"]


def test_the_calendar_by_hand(answer):
    row = answer["calendar"][0]
    assert row["with_month_12"] == 20
    assert 20 <= row["randomised_low"] <= row["randomised"] <= 40
    assert 0 <= row["recruited"] <= row["trials"]
    # half of the children are recruited in half of the time; then a year and the days around the infusions pass
    pace = characteristics.recruitment(P, FEW)
    wait = (P.days_to_randomisation + P.days_to_infusion + P.infusion_gap + 365) / 30.4375
    assert row["months"] == pytest.approx(pace[19] + wait, abs=1.5)
    fast = next(prospects.calendar(P.model_copy(update={"screened_per_month": 500.0}), FEW))
    assert fast["randomised"] == 40
    assert fast["recruited"] == FEW


def test_a_boundary_without_a_background_rate_is_none():
    plan = P.model_copy(update={"serious_share": 0.0})
    assert prospects.boundary(plan).empty
    assert prospects.stopping(plan).empty


def test_assurance_of_a_step_is_the_share_behind_it():
    """Power 5 % up to no effect and 95 % at 0.99 and below: the prior's share of each."""
    effects = [1.0, 0.999, 0.99, 0.3]
    rows = [
        {"effect": e, "analysis": a, "power": 95.0 if e < 0.999 else 5.0}
        for a in (operating.PRIMARY, prospects.NUMERIC)
        for e in effects
    ]
    for row in prospects.assured(pd.DataFrame(rows)).itertuples():
        rest = 1 - row.none / 100
        below = stats.norm.cdf((np.log(0.99) - np.log(row.median)) / row.sd)
        assert row.success == pytest.approx(
            100 * (rest * (0.95 * below + 0.05 * (1 - below)) + 0.05 * (1 - rest)), abs=6
        )
        assert row.success <= row.largest + 5
        assert 0 < row.true < 100


def test_other_measures_by_hand(answer):
    frame = characteristics.others(answer, P).set_index("analysis")
    assert set(frame.index) == set(operating.ANALYSES) - set(operating.DEFAULT)
    found = operating.answers(P, FEW, analyses=["red cells average"], effects=[1.0])[
        1.0, 40, "red cells average"
    ]
    sd = np.nanstd(found.estimate, ddof=1)
    wanted = (1.959964 + 0.841621) * sd
    assert frame.loc["red cells average", "detectable"] == pytest.approx(wanted, rel=1e-4)
    assert np.isnan(frame.loc["haematuria", "detectable"])


def test_other_trials_definitions_are_those_of_the_open_choices(answer):
    """A fall of 30 % as FIONA's rule and as the plan's own fall: the same children."""
    rows = characteristics.readings(answer).set_index("reading")
    assert set(characteristics.OTHERS.values()) < set(rows.index)
    for enrolled, streams in operating.chunks(P, 20, 40):
        t = operating.followed(P, enrolled, streams)
        by_rule = characteristics.replace(t, rule=characteristics.open_choices.DEFINITIONS["FIONA"])
        by_fall = t.read_as(remission_fall=0.3)
        assert np.array_equal(by_rule.remission.confirmed >= 0, by_fall.remission.confirmed >= 0)
        for name, limit in (("DUPLEX", 0.3), ("PARASOL", 0.7)):
            other = characteristics.replace(t, rule=characteristics.open_choices.DEFINITIONS[name])
            able = t.base >= limit if name == "DUPLEX" else t.base > limit
            assert np.array_equal(other.remission.evaluable, able)


def test_what_is_asked_can_be_asked_and_has_the_plan_and_no_effect_among_it():
    sizes, effects = characteristics.SIZES, characteristics.EFFECTS
    assert list(sizes) == sorted(set(sizes))
    assert all(n % 2 == 0 for n in sizes), "halves of the children in each arm"
    assert (sizes[0], sizes[-1]) == (20, 120)
    assert effects[0] == 1.0
    assert list(effects) == sorted(set(effects), reverse=True)
    assert set(characteristics.FEWER_DAYS) < set(operating.DAYS)
    assert set(characteristics.FULL) == set(characteristics.QUICK) == set(characteristics.PARTS)
    assert all(characteristics.QUICK[part] <= characteristics.FULL[part] for part in characteristics.PARTS)


def test_the_quick_answer_asks_the_same_with_fewer_trials(monkeypatch):
    monkeypatch.setattr(characteristics, "whole", lambda *asked: asked)
    p = Parameters()
    assert characteristics.quick(p) == (p, characteristics.QUICK, characteristics.TRUTH["quick"])
    assert characteristics.compute(p) == (p, characteristics.FULL, characteristics.TRUTH["full"])


def test_what_is_exact_takes_the_arms_that_are_allocated(answer):
    plan = Parameters(allocation="2:1")
    assert characteristics.safety(P)["n"].unique().tolist() == [20]
    assert characteristics.safety(plan)["n"].unique().tolist() == [27]
    assert prospects.boundary(plan)["of"].unique().tolist() == [27]
    frame = characteristics.false_claims(answer, plan).set_index("analysis")
    share = characteristics.readings(answer).set_index("reading").loc["as planned", "placebo"] / 100
    exact = planning.exact_power((share, share), (13, 27)).above
    assert frame.loc["confirmed", "exact"] == pytest.approx(100 * exact)
