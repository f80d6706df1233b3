"""What chapter 08 shows of a scenario's design: operating characteristics, computed once and stored.

`compute` asks `operating` for power by effect and by size, precision, other readings and other designs; the functions
below turn that answer into tidy frames. Every simulated share has its Monte Carlo limits (Wilson, 95 %).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from helpers import Problem
from helpers.analysis import open_choices
from helpers.design import beside_exact, operating, prospects, stored
from helpers.design.operating import ANALYSES, PRIMARY, WHOLE, Trials
from helpers.estimators import planning, proportions
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_MONTH

# ------------------------------------------------------------------ children needed

LARGEST = 120
"""Children randomised beyond which nothing is told: no centre recruits them."""


def needed(favour: NDArray, sizes: Sequence[int], wanted: float) -> float:
    """Children for a power of `wanted`, from significance by trial and size: NaN above the largest size.

    favour: bool (trials, sizes). The probit of power is close to a straight line in the root of the size: fitted by
    least squares over the sizes with power within 2 and 98 %, solved, and rounded up to an even number.
    """
    power = np.clip(favour.mean(axis=0), 1e-4, 1 - 1e-4)
    use = (power > 0.02) & (power < 0.98)
    if use.sum() < 2:
        return float(sizes[0]) if power[0] >= wanted else np.nan
    slope, start = np.polyfit(np.sqrt(np.array(sizes, float)[use]), stats.norm.ppf(power[use]), 1)
    if slope <= 0:
        return np.nan
    root = (stats.norm.ppf(wanted) - start) / slope
    n = 2 * np.ceil(max(root, 0.0) ** 2 / 2 - 1e-9)
    return float(n) if n <= LARGEST else np.nan


def needed_with_limits(
    favour: NDArray, sizes: Sequence[int], wanted: float, rng: np.random.Generator, draws: int = 200
) -> tuple[float, float, float]:
    """`needed` with limits by resampling whole trials, which answer at all sizes; NaN = more than `LARGEST`."""
    found = [
        np.nan_to_num(needed(favour[rng.integers(len(favour), size=len(favour))], sizes, wanted), nan=np.inf)
        for _ in range(draws)
    ]
    low, high = (
        float(v) if np.isfinite(v) else np.nan for v in np.quantile(found, [0.025, 0.975], method="nearest")
    )
    return needed(favour, sizes, wanted), low, high


# ------------------------------------------------------------------ what is asked

EFFECTS = (1.0, 0.9, 0.8, 0.7, 0.65, 0.5, 0.4, 0.3)
"""Ratios of UPCR for the power curve, no effect first."""
SIZES = (20, 30, 40, 60, 80, 120)
POWERS = (0.8, 0.9)
FULL = {
    "precision": 2_000, "effects": 2_000, "sizes": 2_000, "readings": 2_000, "alternatives": 2_000, "others": 500,
    "exact": 2_000, "fairness": 1_000, "hurts": 1_000, "picked": 2_000, "calendar": 2_000,
}  # fmt: skip
"""Part -> trials a world of the stored answers. 2,000 give a share near 50 % a Monte Carlo error of 1.1 points."""
QUICK = {
    "precision": 1_000, "effects": 1_000, "sizes": 300, "readings": 1_000, "alternatives": 200, "others": 30,
    "exact": 250, "fairness": 200, "hurts": 200, "picked": 1_000, "calendar": 500,
}  # fmt: skip
"""The same of an answer that must be computed while a reader waits."""
TRUTH = {"full": 1_000_000, "quick": 64_000}
"""Children an arm behind a true value."""
CLOSED = 128
"""Children behind a closed form, for each trial."""
READINGS: dict[str, dict[str, Any]] = {
    "as planned": {},
    "confirmed at the next visit": {"confirm_days": 0},
    "confirmed after 56 days": {"confirm_days": 56},
    "a fall of 30 % (FIONA)": {"remission_fall": 0.3},
    "a fall of 70 %": {"remission_fall": 0.7},
    "KDIGO: half or less, and at most 2 mg/mg": {"remission_definition": "KDIGO"},
    "below the threshold, whatever the fall": {"remission_definition": "threshold alone"},
}
"""Other readings of confirmed remission, asked of the same trials."""
OTHERS = {
    "DUPLEX": "DUPLEX: below 0.3 mg/mg",
    "PARASOL": "PARASOL: at most 0.7 mg/mg",
    "FPRE": "at most 1.5 mg/mg after a fall of over 40 %",
}
"""Definitions of other trials (`open_choices.DEFINITIONS`) and their words; FIONA's fall of 30 % stands above."""
UNCONFIRMED = "at any visit, unconfirmed"
SUSTAINED = "sustained to the last visit"
AT_THE_END = "at month 12 alone"
FACTORS = ("upcr_noise", "upcr_noise_min", "upcr_noise_max", "dropout")
HALF = float(np.sqrt(0.5))
FEWER = "five visits: week 4, months 3, 6, 10 and 12"
ALTERNATIVES: dict[str, dict[str, Any]] = {
    "as planned": {},
    "baseline: the screening sample alone": {"baseline_samples": "eligibility"},
    "baseline: a second sample alone": {"baseline_samples": "separate"},
    "baseline: mean of two samples": {"baseline_samples": "mean of both"},
    "two urine samples each time, screening included": {
        "upcr_noise": HALF,
        "upcr_noise_min": HALF,
        "upcr_noise_max": HALF,
    },
    "entry from UPCR 0.5": {"proteinuria_upcr": 0.5, "proteinuria_by": "UPCR"},
    "entry from UPCR 1.0": {"proteinuria_upcr": 1.0, "proteinuria_by": "UPCR"},
    "two children on hUC-MSC for one on placebo": {"allocation": "2:1"},
    "strata by RAS inhibition": {"strata": "RAS inhibition"},
    FEWER: {},
    "60 children": {"n_randomised": 60},
    "nobody misses a visit or leaves": WHOLE,
    "twice the drop-out": {"dropout": 2.0},
}
"""Other designs: parameters changed; those of `FACTORS` are multiplied."""
FEWER_DAYS = (28, 91, 183, 304, 365)
NUMERIC = "ancova average"
RATES = (0.01, 0.02, 0.05, 0.1)
"""True rates of an adverse event for which the chance of seeing one is told."""


def compute(p: Parameters) -> dict[str, Any]:
    """All that the chapter shows, from `FULL` trials: what is stored for every scenario."""
    return whole(p, FULL, TRUTH["full"])


def quick(p: Parameters) -> dict[str, Any]:
    """The same from `QUICK` trials, while a reader waits."""
    return whole(p, QUICK, TRUTH["quick"])


def whole(p: Parameters, trials: dict[str, int], truth: int) -> dict[str, Any]:
    """Every part, with so many trials each and so many children an arm behind a true value; `trials` stands in it."""
    answer: dict[str, Any] = {"trials": trials}
    for name in PARTS:
        answer |= part(p, name, trials[name], truth)
    return answer


def shown(p: Parameters) -> dict[str, Any]:
    """What the chapter shows: the stored answer for these parameters, else that of `QUICK` trials.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> answer = characteristics.shown(p)
    """
    found = stored.find(compute, p)
    return found["answer"] if found else stored.recall(quick, p)


PARTS = (
    "precision", "effects", "sizes", "readings", "alternatives", "others", "exact", "fairness", "hurts", "picked",
    "calendar",
)  # fmt: skip
"""What `part` computes one by one."""


def part(p: Parameters, name: str, trials: int | None = None, truth: int = TRUTH["full"]) -> dict[str, Any]:
    """One of `PARTS`: {name: rows}; "sizes" comes with "needed", from the same trials. trials: those of `FULL`."""
    trials = FULL[name] if trials is None else trials
    if name == "sizes":
        made = _sizes(p, trials)
    elif name == "precision":
        made = {name: list(_precision(p, trials, truth))}
    else:
        made = {name: list(_MAKE[name](p, trials))}
    return {key: [_plain(row) for row in rows] for key, rows in made.items()}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it, numbers at six digits: more would be Monte Carlo error and last bits of a machine."""
    return {
        k: (float(f"{v:.6g}") if np.isfinite(v) else None) if isinstance(v, float) else v
        for k, v in row.items()
    }


def _asked(p: Parameters) -> list[float]:
    """No effect, and the one that the scenario assumes."""
    return sorted({1.0, p.upcr_effect}, reverse=True)


def _precision(p: Parameters, trials: int, truth: int) -> Iterator[dict[str, Any]]:
    true = operating.truth(p, 2 * truth, _asked(p), operating.DEFAULT).set_index(["effect", "analysis"])
    for (effect, n, name), found in operating.answers(p, trials, effects=_asked(p), exact=True).items():
        value, se = (float(v) for v in true.loc[(effect, name)])
        known = np.isfinite(found.lower) & np.isfinite(found.estimate)
        estimate = found.estimate[known]
        yield {
            "effect": effect,
            "n": n,
            "analysis": name,
            **operating.summary(name, found, p.alpha),
            "truth": value,
            "truth_se": se,
            "with_interval": int(known.sum()),
            "covered": int(((found.lower <= value) & (found.upper >= value))[known].sum()),
            "bias": float(estimate.mean() - value) if known.any() else float("nan"),
        }


def _effects(p: Parameters, trials: int) -> Iterator[dict[str, Any]]:
    effects = sorted({*EFFECTS, p.upcr_effect}, reverse=True)
    for (effect, n, name), found in operating.answers(p, trials, effects=effects).items():
        yield {"effect": effect, "n": n, "analysis": name, **operating.summary(name, found, p.alpha)}


BY_SIZE = (PRIMARY, "month 12", NUMERIC, "ancova month 12")
"""Analyses that are told by size."""


def _sizes(p: Parameters, trials: int) -> dict[str, list[dict[str, Any]]]:
    """Power and false claims by size, and the children needed."""
    sizes = sorted({*SIZES, p.n_randomised})
    found = operating.answers(p, trials, analyses=BY_SIZE, sizes=sizes, effects=_asked(p))
    pace = recruitment(p, min(trials, 512))
    rows = [
        {
            "effect": effect,
            "n": n,
            "analysis": name,
            **operating.summary(name, one, p.alpha),
            "months": float(pace[n - 1]),
        }
        for (effect, n, name), one in found.items()
    ]
    rng, needs = np.random.default_rng(np.random.SeedSequence(p.seed, spawn_key=(73,))), []
    for name in BY_SIZE:
        hits = [operating.favours(name, found[p.upcr_effect, n, name], p.alpha) > 0 for n in sizes]
        for wanted in POWERS:
            n, low, high = needed_with_limits(np.stack(hits, axis=1), sizes, wanted, rng)
            needs.append({"analysis": name, "wanted": wanted, "needed": n, "lower": low, "upper": high})
    return {"sizes": rows, "needed": needs}


def recruitment(p: Parameters, trials: int) -> NDArray:
    """Mean months from the start of recruitment to the consent of the k-th child randomised, (largest size,)."""
    times, count, largest = 0.0, 0, max(*SIZES, p.n_randomised)
    for enrolled, _ in operating.chunks(p, trials, largest):
        # the clinic goes on from trial to trial: each trial's clock starts when the one before is full
        start = np.concatenate([[0.0], enrolled.consent[:-1, -1]])
        times = times + (enrolled.consent - start[:, None]).sum(axis=0)
        count += len(start)
    return np.asarray(times / count / DAYS_PER_MONTH)


def _readings(p: Parameters, trials: int) -> Iterator[dict[str, Any]]:
    """Power, and remissions of children who get nothing, under other readings of the endpoint, on the same trials."""
    total: dict[str, list[dict[str, int]]] = {}
    for enrolled, streams in operating.chunks(p, trials, p.n_randomised):
        here, nothing = (
            operating.followed(p, enrolled, streams, **operating.of_effect(effect))
            for effect in (p.upcr_effect, 1.0)
        )
        asked: dict[str, tuple[str, Callable[[Trials], Trials]]] = {
            name: (PRIMARY, partial(Trials.read_as, **changes)) for name, changes in READINGS.items()
        }
        asked |= {
            words: (PRIMARY, partial(replace, rule=open_choices.DEFINITIONS[name]))
            for name, words in OTHERS.items()
        }
        asked |= {UNCONFIRMED: ("ever", _all), SUSTAINED: ("sustained", _all), AT_THE_END: ("month 12", _all)}
        for name, (analysis, read) in asked.items():
            seen, null = read(here), read(nothing)
            x0, n0, x1, n1 = seen.counts(operating.EVENTS[analysis](seen))
            power, false = (
                operating.summary(analysis, ANALYSES[analysis].ask(one), p.alpha) for one in (seen, null)
            )
            total.setdefault(name, []).append(
                {
                    "trials": power["trials"],
                    "favour": power["favour"],
                    "false": false["favour"],
                    "remitted_placebo": int(x0.sum()),
                    "children_placebo": int(n0.sum()),
                    "remitted_msc": int(x1.sum()),
                    "children_msc": int(n1.sum()),
                }
            )
    for name, rows in total.items():
        yield {"reading": name, **{k: sum(row[k] for row in rows) for k in rows[0]}}


def alternative(p: Parameters, name: str) -> Parameters:
    """The parameters of one of `ALTERNATIVES`."""
    changes = {
        key: getattr(p, key) * value if key in FACTORS and value else value
        for key, value in ALTERNATIVES[name].items()
    }
    return p.model_copy(
        update=changes | ({"dropout": min(changes["dropout"], 0.95)} if "dropout" in changes else {})
    )


def _all(trials: Trials) -> Trials:
    return trials


def _fewer(trials: Trials) -> Trials:
    """The same children, seen at the visits of `FEWER_DAYS` alone."""
    return replace(trials, upcr=np.where(np.isin(operating.DAYS, FEWER_DAYS), trials.upcr, np.nan))


def _alternatives(p: Parameters, trials: int) -> Iterator[dict[str, Any]]:
    """Power of the primary and of the average of log UPCR under other designs, and false claims of the primary."""
    for label in ALTERNATIVES:
        plan = alternative(p, label)
        try:
            read = _fewer if label == FEWER else _all
            found = operating.answers(plan, trials, analyses=[PRIMARY, NUMERIC], effects=_asked(p), read=read)
        except Problem as problem:
            yield {"alternative": label, "why": str(problem)}
            continue
        for (effect, _, name), one in found.items():
            yield {
                "alternative": label, "effect": effect, "analysis": name, "why": "",
                **operating.summary(name, one, p.alpha),
            }  # fmt: skip


def _exact(p: Parameters, trials: int) -> Iterator[dict[str, Any]]:
    return beside_exact.rows(p, trials, CLOSED * trials)


def _picked(p: Parameters, trials: int) -> Iterator[dict[str, Any]]:
    return prospects.picked(p, trials, READINGS)


def _others(p: Parameters, trials: int) -> Iterator[dict[str, Any]]:
    """Analyses of other measures, and the iterated ones, with the assumed effect and with none."""
    names = [name for name in ANALYSES if name not in operating.DEFAULT]
    for (effect, n, name), found in operating.answers(p, trials, analyses=names, effects=_asked(p)).items():
        yield {"effect": effect, "n": n, "analysis": name, **operating.summary(name, found, p.alpha)}


_MAKE = {
    "effects": _effects, "readings": _readings, "alternatives": _alternatives, "others": _others,
    "exact": _exact, "fairness": prospects.fairness, "hurts": prospects.hurts, "picked": _picked,
    "calendar": prospects.calendar,
}  # fmt: skip


# ------------------------------------------------------------------ tidy frames of an answer


def by_effect(answer: dict[str, Any]) -> pd.DataFrame:
    """Power by effect and analysis: the frame of `operating.run` at the scenario's size.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> by_effect = characteristics.by_effect(answer)
    """
    return operating.measured(answer["effects"])


def by_size(answer: dict[str, Any]) -> pd.DataFrame:
    """Power by children randomised and analysis, with `months` of recruitment; effect 1 = false claims.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> by_size = characteristics.by_size(answer)
    """
    return operating.measured(answer["sizes"])


def children_needed(answer: dict[str, Any]) -> pd.DataFrame:
    """Children for a wanted power: analysis, wanted, needed, lower, upper (95 %, by resampling), months.

    NaN = more than `LARGEST`. months: of recruitment for `needed`, from the sizes asked for.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> needed = characteristics.children_needed(answer)
    """
    out = pd.DataFrame(answer["needed"], columns=["analysis", "wanted", "needed", "lower", "upper"]).astype(
        {"needed": float, "lower": float, "upper": float}
    )
    pace = by_size(answer).drop_duplicates("n").sort_values("n")
    months = np.interp(out["needed"], pace["n"], pace["months"])
    return out.assign(months=np.where(out["needed"].isna(), np.nan, months))


def precision(answer: dict[str, Any]) -> pd.DataFrame:
    """Truth, bias, coverage, width and exaggeration by effect and analysis.

    Columns of `operating.run`, and truth with its se, bias with bias_se, width_se, coverage with its limits (%),
    with_interval (trials with an interval) and exaggeration with exaggeration_se (type M: mean estimate of the trials
    significant in favour over the truth; NaN without an effect, or without such a trial). All se are Monte Carlo.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> precision = characteristics.precision(answer)
    """
    out = operating.measured(answer["precision"])
    lower, upper = proportions.wilson(out["covered"].to_numpy(), out["with_interval"].to_numpy())
    out["coverage"] = 100 * out["covered"] / out["with_interval"].where(out["with_interval"] > 0)
    out["coverage_lower"], out["coverage_upper"] = 100 * np.asarray(lower), 100 * np.asarray(upper)
    out["bias_se"] = np.hypot(
        out["sd"] / np.sqrt(out["with_interval"].where(out["with_interval"] > 0)), out["truth_se"]
    )
    out["width_se"] = operating.error(out, "width")
    real = (out["effect"] != 1) & (out["favour"] > 0)
    out["exaggeration"] = (out["significant"].astype(float) / out["truth"]).where(real)
    # of a ratio of two independent means, by the delta method
    apart = np.hypot(operating.error(out, "significant"), out["exaggeration"] * out["truth_se"])
    return out.assign(exaggeration_se=(apart / out["truth"].abs()).where(real))


def false_claims(answer: dict[str, Any], p: Parameters) -> pd.DataFrame:
    """Significance without any effect, by analysis: simulated, and for exact tests what enumeration gives beside it.

    Columns of `precision` at no effect, and null (whether the true value of the estimand is zero then, within three
    Monte Carlo errors: only there it is a type I error), and exact (%): the chance of significance in favour of the
    cells by enumeration, at the simulated share of children with the event, halves of the children in each arm.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> false_claims = characteristics.false_claims(answer, p)
    """
    out = precision(answer)
    out = out[out["effect"] == 1].reset_index(drop=True)
    exact = []
    for row in out.itertuples():
        analysis = ANALYSES[row.analysis]
        if not analysis.exact:
            exact.append(np.nan)
            continue
        share = shares(answer)[analysis.event]
        arms = operating.arms(p, int(row.n))
        exact.append(100 * planning.exact_power((share, share), arms, p.alpha, analysis.exact).above)
    null = (out["truth"] - 0.0).abs() <= 3 * out["truth_se"]
    return out.assign(null=null, exact=exact)


def shares(answer: dict[str, Any]) -> dict[str, float]:
    """Share of placebo children with each event in the simulated trials, by the name of the event."""
    found = readings(answer).set_index("reading")["placebo"] / 100
    return {
        "confirmed": found["as planned"],
        "ever": found[UNCONFIRMED],
        "sustained": found[SUSTAINED],
        "month 12": found[AT_THE_END],
    }


def readings(answer: dict[str, Any]) -> pd.DataFrame:
    """Power against false remission by reading: a row a reading.

    reading, trials, power, power_lower, power_upper, false, false_lower, false_upper (% of trials significant in
    favour, with the assumed effect and with none), placebo and msc (% of children in remission with that effect).

    Examples
    --------
    As notebook 08-operating calls it:

    >>> readings = characteristics.readings(answer)
    """
    out = operating.measured(answer["readings"])
    lower, upper = proportions.wilson(out["false"].to_numpy(), out["trials"].to_numpy())
    out["false_lower"], out["false_upper"] = 100 * np.asarray(lower), 100 * np.asarray(upper)
    out["false"] = 100 * out["false"] / out["trials"]
    for arm in ("placebo", "msc"):
        out[arm] = 100 * out[f"remitted_{arm}"] / out[f"children_{arm}"]
    return out


def alternatives(answer: dict[str, Any]) -> pd.DataFrame:
    """Other designs side by side, on their own children: a row a design, with columns by analysis.

    alternative, why (a design that can't be run here), primary, numeric, false (% of trials in favour: the primary and
    the average of log UPCR with the assumed effect, the primary with none), each with _lower and _upper, and gain: the
    primary's power less that of the plan, in points.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> alternatives = characteristics.alternatives(answer)
    """
    rows = []
    for label, part in pd.DataFrame(answer["alternatives"]).groupby("alternative", sort=False):
        row: dict[str, Any] = {"alternative": label, "why": part["why"].iloc[0]}
        if not row["why"]:
            frame = operating.measured(part.to_dict("records"))
            for name, effect, analysis in (
                ("primary", frame["effect"].min(), PRIMARY),
                ("numeric", frame["effect"].min(), NUMERIC),
                ("false", 1.0, PRIMARY),
            ):
                one = frame[(frame["effect"] == effect) & (frame["analysis"] == analysis)].iloc[0]
                row |= {f"{name}{end}": one[f"power{end}"] for end in ("", "_lower", "_upper")}
        rows.append(row)
    out = pd.DataFrame(rows)
    return out.assign(gain=out["primary"] - out["primary"].iloc[0])


def safety(p: Parameters) -> pd.DataFrame:
    """What this many treated children can show of an adverse event, exactly: a row a true rate.

    rate (%), n (children on hUC-MSC, as they are allocated), chance_of_one (%: at least one event), none_excludes (%:
    the rate that zero events in n leave possible, upper limit of 95 % one-sided).

    Examples
    --------
    As notebook 08-operating calls it:

    >>> safety = characteristics.safety(p)
    """
    n = operating.arms(p, p.n_randomised)[1]
    excluded = 100 * (1 - 0.05 ** (1 / n)) if n else np.nan
    rows = [(100 * r, n, 100 * (1 - (1 - r) ** n), excluded) for r in RATES]
    return pd.DataFrame(rows, columns=["rate", "n", "chance_of_one", "none_excludes"])


def beside_exactly(answer: dict[str, Any]) -> pd.DataFrame:
    """Simulated figures beside exact ones: question, effect, simulated, se (MCSE), exact, unit, apart (in MCSEs).

    Examples
    --------
    As notebook 08-operating calls it:

    >>> characteristics.beside_exactly(answer)
    """
    out = pd.DataFrame(answer["exact"])
    return out.assign(apart=(out["simulated"] - out["exact"]) / out["se"])


def fairness(answer: dict[str, Any]) -> pd.DataFrame:
    """Power by the shape of the effect at an equal mean log effect: columns of `operating.run`, and shape.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> characteristics.fairness(answer)
    """
    return operating.measured(answer["fairness"])


def hurts(answer: dict[str, Any]) -> pd.DataFrame:
    """Power with one assumption at a low and a high value: what, end, value, analysis, power with its limits.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> characteristics.hurts(answer)
    """
    rows = pd.DataFrame(answer["hurts"])
    rows = rows[rows["why"] == ""].drop(columns="why")
    return operating.measured(rows.to_dict("records"))


def picked(answer: dict[str, Any]) -> pd.DataFrame:
    """Claims without an effect by a reader who picks: family, choices, power (%, here of claims) with its limits.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> characteristics.picked(answer)
    """
    return operating.measured(answer["picked"])


def others(answer: dict[str, Any], p: Parameters) -> pd.DataFrame:
    """Analyses of other measures and the iterated ones: a row an analysis.

    Columns of `operating.run` with the assumed effect; false, false_lower, false_upper (%: claims without one); and
    detectable: the difference found with a power of 80 %, (z.975 + z.80) x the SD of the estimates without an effect,
    on the analysis's scale; NaN for shares.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> characteristics.others(answer, p)
    """
    out = operating.measured(answer["others"])
    none = out[out["effect"] == 1].set_index("analysis")
    out = out[out["effect"] == p.upcr_effect].reset_index(drop=True)
    for mine, theirs in (("false", "power"), ("false_lower", "power_lower"), ("false_upper", "power_upper")):
        out[mine] = out["analysis"].map(none[theirs])
    far = stats.norm.isf(p.alpha / 2) + stats.norm.ppf(POWERS[0])
    numeric = [not ANALYSES[name].event for name in out["analysis"]]
    return out.assign(detectable=(far * out["analysis"].map(none["sd"]).astype(float)).where(numeric))


def looks(answer: dict[str, Any], p: Parameters) -> pd.DataFrame:
    """An unadjusted look at half of the children, at the simulated shares: see `prospects.looks`.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> characteristics.looks(answer, p)
    """
    plan = readings(answer).set_index("reading").loc["as planned"]
    placebo, msc = float(plan["placebo"]) / 100, float(plan["msc"]) / 100
    return prospects.looks(p, {"assumed": (placebo, msc), "none": (placebo, placebo)})


def answer_in_brief(answer: dict[str, Any], p: Parameters) -> pd.DataFrame:
    """The first thing to know, a row a question: question, estimate, lower, upper, unit, error.

    Power of the primary and of the average of log UPCR, the chance of a false claim for the cells, the half-width of
    the primary's interval, and the children needed for 80 and 90 %. error: what lower and upper are.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> brief = characteristics.answer_in_brief(answer, p)
    """
    here, need = precision(answer), children_needed(answer)
    rows: list[tuple[Any, ...]] = []
    monte_carlo = "Monte Carlo, 95 %"
    for question, name, effect in (
        ("power", PRIMARY, p.upcr_effect), ("power_numeric", NUMERIC, p.upcr_effect), ("false_claim", PRIMARY, 1.0),
    ):  # fmt: skip
        row = here[(here["analysis"] == name) & (here["effect"] == effect)].iloc[0]
        rows.append((question, row["power"], row["power_lower"], row["power_upper"], "%", monte_carlo))
    row = here[(here["analysis"] == PRIMARY) & (here["effect"] == p.upcr_effect)].iloc[0]
    half, se, z = 100 * row["width"] / 2, 100 * row["width_se"] / 2, stats.norm.ppf(0.975)
    rows.append(("half_width", half, half - z * se, half + z * se, "points", monte_carlo))
    for name, key in ((PRIMARY, "needed"), (NUMERIC, "needed_numeric")):
        for one in need[need["analysis"] == name].itertuples():
            rows.append(
                (
                    f"{key}_{100 * one.wanted:.0f}",
                    one.needed,
                    one.lower,
                    one.upper,
                    "children",
                    "by resampling trials, 95 %",
                )
            )
    return pd.DataFrame(rows, columns=["question", "estimate", "lower", "upper", "unit", "error"])
