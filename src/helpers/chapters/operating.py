"""Chapter 08: what this design can show.

Frames of `design.characteristics` in, exhibits and what may be said of them out. Every simulated share stands with its
Monte Carlo limits.
"""

from typing import Any

import numpy as np
import pandas as pd

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import NOT_ESTIMABLE, capital, grouped, joined, plain, rounded
from helpers.design.asked_plan import FEWEST
from helpers.design.characteristics import ALTERNATIVES, FULL, LARGEST, NUMERIC, QUICK, SIZES, alternative
from helpers.design.operating import ANALYSES, PRIMARY
from helpers.study.parameters import Parameters

POPULATION = "simulated trials of all randomised children"
MONTE_CARLO = "in brackets: 95 % Monte Carlo interval (Wilson)"
SIDES = "significant in favour of the cells at the two-sided level"
QUESTIONS = {
    "power": "Chance that the trial finds the assumed effect: confirmed remission (primary)",
    "power_numeric": "The same children's urine analysed as numbers: log UPCR averaged over the visits",
    "gain": "How much more often the numbers find it",
    "false_claim": "Chance of a claim for the cells where they do nothing (primary)",
    "false_claim_exact": "The same by enumeration of all trials, at the simulated share on placebo",
    "half_width": "Difference of shares: half the width of the 95 % interval to expect",
    "needed_80": "Children needed for 80 %, primary",
    "needed_90": "Children needed for 90 %, primary",
    "needed_numeric_80": "Children needed for 80 %, log UPCR averaged",
    "needed_numeric_90": "Children needed for 90 %, log UPCR averaged",
}
BASELINE = {
    "mean of both": "the geometric mean of two samples",
    "eligibility": "the sample of screening",
    "separate": "a second sample after screening",
}
"""The plan's `baseline_samples` in words."""
BEYOND = f"> {LARGEST}"
MORE = [label for label, changes in ALTERNATIVES.items() if "n_randomised" in changes]
SHOWN_BY_EFFECT = (PRIMARY, "ever", "month 12", NUMERIC, "ancova month 12")


def _method(trials: int) -> str:
    return (
        f"{grouped(trials)} trials through the simulator, derivations and tests of the other chapters, {SIDES}; a "
        "trial without an answer counts as not significant"
    )


def percent_text(value: float, lower: float, upper: float) -> str:
    """A simulated percentage with its Monte Carlo limits; one decimal below 10 %."""
    digits = 1 if value < 10 else 0
    return f"{rounded(value, digits)} % ({rounded(lower, digits)} to {rounded(upper, digits)})"


def children_needed_text(needed: float, lower: float, upper: float) -> str:
    """Children needed with their limits; beyond the largest size asked for: "> 120"."""

    def one(value: float) -> str:
        return rounded(value) if np.isfinite(value) else BEYOND

    if upper <= SIZES[0]:
        # the smallest trial asked for is large enough
        return f"at most {one(needed)}"
    return (
        f"{one(needed)} ({one(lower)} to {one(upper)})"
        if np.isfinite(needed) or np.isfinite(lower)
        else BEYOND
    )


def _told(row: Any) -> str:
    if row.question.startswith("needed"):
        return children_needed_text(row.estimate, row.lower, row.upper)
    if row.unit == "%":
        if not np.isfinite(row.lower):
            return f"{rounded(row.estimate, 1)} %"
        return percent_text(row.estimate, row.lower, row.upper)
    if not np.isfinite(row.estimate):
        return NOT_ESTIMABLE
    if row.question == "gain":
        return gain_text(row.estimate, row.lower, row.upper)
    if not np.isfinite(row.lower):
        return f"± {rounded(row.estimate, 1)} points"
    return f"± {rounded(row.estimate, 1)} points ({rounded(row.lower, 1)} to {rounded(row.upper, 1)})"


def gain_text(gain: float, lower: float, upper: float, unit: str = " points") -> str:
    """A difference of two powers with its limits: "22 points (19 to 25)"."""
    told = rounded(gain)
    unit = unit.removesuffix("s") if told in ("1", "-1") else unit
    return f"{told}{unit} ({rounded(lower)} to {rounded(upper)})"


def even_text(planned: int, p: Parameters) -> str:
    """That many trials are asked of another number of children than is planned; empty where they are not.

    It begins with a space, to follow a sentence.
    """
    if p.n_randomised == planned:
        return ""
    return (
        f" Many trials are asked of an even number of children, at least {FEWEST}: here {p.n_randomised} in place of "
        f"{planned}."
    )


def more_text(trials: int) -> str:
    """Why the figures of so many trials are other than those of chapter 08, for `say`; empty where they are as many.

    It begins with a space, to follow a sentence.
    """
    full, quick = FULL["precision"], QUICK["precision"]
    if trials >= full:
        return ""
    return (
        f" These are {grouped(trials)} trials; chapter What this design can show asks {grouped(full)} of a stored "
        f"scenario and {grouped(quick)} of other settings: the figures differ by chance, and that of more trials "
        "is the more precise."
    )


def fewer_text(trials: dict[str, int]) -> str:
    """That fewer trials were asked than of stored settings, for `say`; empty where they are as many.

    trials: those of the answer. It begins with a space, to follow a sentence.
    """
    if all(trials[name] >= count for name, count in FULL.items()):
        return ""
    return (
        f" No answer is stored for these settings: {grouped(trials['precision'])} trials were asked where stored "
        f"ones have {grouped(FULL['precision'])}, and the intervals are wider."
    )


def brief(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """The answer first: `characteristics.answer_in_brief` with `simulation_error.numeric_gain` and `exact_claim`."""
    table = frame.assign(
        words=frame["question"].map(QUESTIONS), text=[_told(row) for row in frame.itertuples()]
    )
    digits = {"%": 1, "points": 1, "children": 0}
    said: dict[str, Result | str] = {
        row.question: Result(
            f"operating.brief.{row.question}", row.estimate, row.unit, digits[row.unit], row.text
        )
        for row in table.itertuples()
    }
    at = frame.set_index("question")["estimate"]
    said["in_words"] = _odds(at["power"])
    said["better"] = _better(next(row for row in frame.itertuples() if row.question == "gain"))
    said["fooled"] = (
        "in {false_claim_exact} of trials (by enumeration; simulated: {false_claim})"
        if "false_claim_exact" in said
        else "in {false_claim} of trials"
    )
    exhibit = Exhibit(
        "answer",
        f"What {p.n_randomised} children can show",
        table,
        columns={"words": "Question", "text": "Answer"},
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=_method(trials),
        conventions=[
            "in brackets: 95 % Monte Carlo interval: of a chance Wilson's, of how much more often Newcombe's as of "
            "independent trials, of the children needed by resampling trials",
            f"assumed effect: UPCR x {plain(p.upcr_effect)} on hUC-MSC",
            f"level {plain(p.alpha)}",
        ],
        caption="The effect is an assumption: what follows is what the design would do if it were true.",
        results=[value for value in said.values() if isinstance(value, Result)],
    )
    return Finding((exhibit,), said)


def _odds(power: float) -> str:
    """A power in words that a clinician weighs: about one trial in so many."""
    if not np.isfinite(power) or power < 1:
        return "hardly any such trial"
    if power >= 75:
        return "about three such trials in four, or more"
    return (
        f"about {rounded(power / 10)} of 10 such trials"
        if power >= 15
        else f"about one such trial in {rounded(100 / power)}"
    )


def _better(gain: Any) -> str:
    """Whether the numbers tell more than the categories, in words; {gain} is for `say` to fill."""
    # the plan's sequence opens their test only where the primary succeeded
    numbers = "As the primary analysis (the plan tests them second), the same urine samples as numbers"
    if gain.lower > 0:
        return f"{numbers} would do so {{gain}} more often."
    if gain.upper < 0:
        less = gain_text(-gain.estimate, -gain.upper, -gain.lower)
        return f"{numbers} would do so {less} less often."
    return f"{numbers} would do so about as often."


def by_effect(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Power against the effect, on the same trials: `characteristics.by_effect`."""
    shown = frame[frame["analysis"].isin(SHOWN_BY_EFFECT)]
    lines = shown.assign(
        series=shown["analysis"].map(lambda name: ANALYSES[name].label), x=shown["effect"],
        style=shown["analysis"].map(SHOWN_BY_EFFECT.index),
    )  # fmt: skip
    said: dict[str, Result | str] = {}
    for name, key in ((PRIMARY, "primary"), (NUMERIC, "numeric")):
        for effect, words in ((p.upcr_effect, "assumed"), (frame["effect"].min(), "largest")):
            row = frame[(frame["analysis"] == name) & (frame["effect"] == effect)].iloc[0]
            text = percent_text(row["power"], row["power_lower"], row["power_upper"])
            said[f"{key}_{words}"] = Result(f"operating.effect.{key}_{words}", row["power"], "%", 1, text)
    said |= {"assumed": plain(p.upcr_effect), "largest": plain(frame["effect"].min())}
    exhibit = Exhibit(
        "power-by-effect",
        "Power against the effect, by analysis",
        shown,
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=_method(trials),
        conventions=[
            "bands: 95 % Monte Carlo intervals",
            "the same children and random numbers at every effect",
        ],
        alt="Share of trials significant in favour of the cells by the assumed ratio of UPCR. "
        + "; ".join(
            f"{ANALYSES[name].label}: {rounded(part['power'].iloc[0])} % at {plain(part['effect'].iloc[0])}, "
            f"{rounded(part['power'].iloc[-1])} % at {plain(part['effect'].iloc[-1])}"
            for name, part in shown.groupby("analysis", sort=False)
        )
        + ".",
        figure=figures.power(
            lines, label="assumed effect: UPCR on hUC-MSC / placebo", here=p.upcr_effect, ratio=True
        ),
        results=[value for value in said.values() if isinstance(value, Result)],
    )
    return Finding((exhibit,), said)


def near_sizes(frame: pd.DataFrame, p: Parameters) -> Finding:
    """The primary's power by enumeration, size by size: `simulation_error.near_sizes`."""
    drops = [
        (int(before), int(n))
        for before, n, step, less in zip(
            frame["n"], frame["n"][1:], np.diff(frame["n"]), np.diff(frame["power"]) < 0, strict=False
        )
        if less and step == 2
    ]
    told = [f"{n} children find less than {before}" for before, n in drops]
    steps = (
        f"An exact test's power goes in steps: {joined(told)}."
        if drops
        else "By enumeration the primary's power rises with every two children around these sizes."
    )
    exhibit = Exhibit(
        "power-near-size",
        "Power of the primary by enumeration, around the planned size and others",
        frame,
        folded=True,
        columns={"n": "Children", "arms": "Placebo v hUC-MSC", "power": "Power"},
        units={"power": "%"},
        digits={"power": 1},
        population="all trials that can be, each child in remission with the share of its arm",
        n="as listed",
        method="all tables enumerated at the simulated shares of the arms, as planned; Boschloo's test",
        conventions=[
            SIDES,
            "an exact test's chance of a claim moves in steps, so its power need not rise with every child",
        ],
        caption=steps,
    )
    return Finding((exhibit,), {})


def by_size(frame: pd.DataFrame, needed: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Power against the children randomised, and the children needed: `characteristics.by_size`, `children_needed`."""
    shown = frame[frame["effect"] == p.upcr_effect]
    lines = shown.assign(
        series=shown["analysis"].map(lambda name: ANALYSES[name].label), x=shown["n"],
        style=shown["analysis"].map(SHOWN_BY_EFFECT.index),
    )  # fmt: skip
    largest = int(shown["n"].max())
    figure = Exhibit(
        "power-by-size",
        "Power against the children randomised",
        shown,
        population=POPULATION,
        n=f"{int(shown['n'].min())} to {largest} children a trial",
        method=_method(trials),
        conventions=[
            "bands: 95 % Monte Carlo intervals",
            "smaller trials are the first children of larger ones",
        ],
        alt="Share of trials significant in favour of the cells by children randomised. "
        + "; ".join(
            f"{ANALYSES[name].label}: {rounded(part['power'].iloc[0])} % at {part['n'].iloc[0]}, "
            f"{rounded(part['power'].iloc[-1])} % at {part['n'].iloc[-1]}"
            for name, part in shown.sort_values("n").groupby("analysis", sort=False)
        )
        + ".",
        figure=figures.power(lines, label="children randomised", here=p.n_randomised),
    )
    table = needed.assign(
        label=needed["analysis"].map(lambda name: capital(ANALYSES[name].label)),
        power=[f"{rounded(100 * v)} %" for v in needed["wanted"]],
        text=[children_needed_text(r.needed, r.lower, r.upper) for r in needed.itertuples()],
        recruited=[rounded(m) if np.isfinite(m) else "–" for m in needed["months"]],
    )
    said: dict[str, Result | str] = {}
    for row in table.itertuples():
        name = f"{'primary' if row.analysis == PRIMARY else row.analysis.replace(' ', '_')}_{rounded(100 * row.wanted)}"
        said[name] = Result(f"operating.needed.{name}", row.needed, "children", 0, row.text)
    pace = shown.drop_duplicates("n").set_index("n")["months"]
    said["months"] = Result("operating.needed.months", float(pace[p.n_randomised]), "months", 0)
    listed = Exhibit(
        "children-needed",
        "Children needed, and months of recruitment",
        table,
        folded=True,
        columns={
            "label": "Analysis", "power": "Power", "text": "Children (95 % interval)", "recruited": "Months to recruit",
        },
        population=POPULATION,
        n=f"sizes up to {largest}",
        method="probit of the simulated power, straight in the root of the size; interval by resampling whole trials",
        conventions=[
            f"assumed effect: UPCR x {plain(p.upcr_effect)}",
            f"beyond {LARGEST} children nothing is told",
            "the interval holds the Monte Carlo error, not that an exact test's power goes in steps, nor that the "
            "probit is not quite straight",
            f"months at {plain(p.screened_per_month)} children screened a month",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
    )  # fmt: skip
    return Finding((figure, listed), said)


def false_claims(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Significance without an effect: `simulation_error.claims_against` of `characteristics.false_claims`."""
    table = frame.assign(
        label=[capital(ANALYSES[name].label) for name in frame["analysis"]],
        text=[percent_text(r.power, r.power_lower, r.power_upper) for r in frame.itertuples()],
        other=[percent_text(r.against_share, r.against_lower, r.against_upper) for r in frame.itertuples()],
        enumerated=[f"{rounded(v, 1)} %" if np.isfinite(v) else "–" for v in frame["exact"]],
        called=["type I" if null else "false claim" for null in frame["null"]],
    )
    at = table.set_index("analysis")
    said: dict[str, Result | str] = {
        key: Result(f"operating.false_claims.{key}", at.loc[name, "power"], "%", 1, at.loc[name, "text"])
        for key, name in (("primary", PRIMARY), ("numeric", NUMERIC))
    }
    exact = at.loc[PRIMARY, "enumerated"]
    said["exactly"] = f", by enumeration in {exact}" if at.loc[PRIMARY, "null"] and exact != "–" else ""
    biased = [label for label, null in zip(table["label"], frame["null"], strict=True) if not null]
    said["biased"] = (
        f"Where a test is not called a type I error, the treatment that the arms get beside the cells differs: "
        f"{'; '.join(biased)}."
        if biased
        else "Without the cells' effect no estimand differs between the arms, so each row is a type I error."
    )
    exhibit = Exhibit(
        "false-claims",
        "Claims for the cells where they do nothing",
        table,
        columns={
            "label": "Analysis", "answered": "Answered", "text": "Claims for the cells", "enumerated": "Exactly",
            "other": "Claims against them", "called": "Kind",
        },
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=_method(trials),
        conventions=[
            MONTE_CARLO,
            f"half of the two-sided level is {plain(100 * p.alpha / 2)} %",
            "answered: trials with an answer",
            "exactly: by enumeration of all tables at the simulated share on placebo, arms as allocated; where "
            "the two differ, it is the figure to go by",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
    )  # fmt: skip
    return Finding((exhibit,), said)


def _with_error(value: float, se: float, digits: int) -> str:
    return (
        f"{rounded(value, digits)} ± {rounded(se, digits)}" if np.isfinite(value) and np.isfinite(se) else "–"
    )


def _interval(name: str) -> str:
    """Which interval of an analysis chapter 08 asks."""
    analysis = ANALYSES[name]
    if analysis.event:
        return "exact, inverts Boschloo's test" if analysis.exact == "boschloo" else "Miettinen-Nurminen"
    return {
        "log-rank": "one step of Newton's method, normal",
        "cumulative": "Greenwood, normal",
        "rmst": "normal",
    }.get(name, "t")


def precision(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """How near the answer comes to the truth: `characteristics.precision` at the assumed effect."""
    frame = frame[frame["effect"] == p.upcr_effect]
    shown = []
    for row in frame.itertuples():
        unit = ANALYSES[row.analysis].unit
        scale, digits = (100.0, 1) if unit == "points" else (1.0, 3)
        shown.append(
            {
                "label": capital(ANALYSES[row.analysis].label),
                "unit": f"{unit}, one step" if row.analysis == "log-rank" else unit,
                "interval": _interval(row.analysis),
                "truth_text": _with_error(scale * row.truth, scale * row.truth_se, digits),
                "bias_text": _with_error(scale * row.bias, scale * row.bias_se, digits),
                "width_text": _with_error(scale * row.width, scale * row.width_se, digits)
                if row.with_interval
                else "no interval",
                "coverage_text": percent_text(row.coverage, row.coverage_lower, row.coverage_upper)
                if row.with_interval
                else "no interval",
                "exaggeration_text": _with_error(row.exaggeration, row.exaggeration_se, 2),
            }
        )
    table = pd.concat([frame.reset_index(drop=True), pd.DataFrame(shown)], axis=1)
    at = table.set_index("analysis").loc[PRIMARY]
    said: dict[str, Result | str] = {
        "truth": Result("operating.precision.truth", 100 * at["truth"], "points", 1),
        "bias": Result(
            "operating.precision.bias", 100 * at["bias"], "points", 1, f"{at['bias_text']} points"
        ),
        "coverage": Result("operating.precision.coverage", at["coverage"], "%", 1, at["coverage_text"]),
        "exaggeration": Result(
            "operating.precision.exaggeration", at["exaggeration"], "", 2, at["exaggeration_text"]
        ),
        "width": Result("operating.precision.width", 100 * at["width"], "points", 0),
    }
    exhibit = Exhibit(
        "precision",
        "Truth, bias, coverage and exaggeration",
        table,
        folded=True,
        columns={
            "label": "Analysis", "unit": "Scale", "truth_text": "Truth (± MCSE)", "bias_text": "Bias (± MCSE)",
            "interval": "Interval", "with_interval": "Trials with one",
            "width_text": "Mean width of the 95 % interval (± MCSE)", "coverage_text": "Coverage",
            "exaggeration_text": "Exaggeration where significant (± MCSE)",
        },
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=f"{grouped(trials)} trials against the estimand in very many children of whom everything is known: no "
        "missed visit, lost sample or drop-out, rescue as a composite",
        conventions=[
            MONTE_CARLO,
            "MCSE: Monte Carlo standard error",
            "undetermined = no remission pulls both arms down: that is the bias of the shares",
            "bias and coverage are those of the trials with an interval: where that takes a remission in either arm, "
            "trials without one on placebo, which have the largest differences, are left out",
            "chapter 07 prints other limits for Kaplan-Meier (log-log, squared and added); their coverage stands in "
            "chapter 09",
            "exaggeration: mean estimate of the significant trials over the truth (type M)",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
    )  # fmt: skip
    return Finding((exhibit,), said)


def readings(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """False remission against power by definition: `characteristics.readings`."""
    numbered = frame.assign(number=np.arange(1, len(frame) + 1))
    points = (
        numbered.rename(columns={"reading": "name"})
        .drop(columns="false")
        .rename(columns={"placebo": "false"})
    )
    table = numbered.assign(
        label=[capital(name) for name in frame["reading"]],
        power_text=[percent_text(r.power, r.power_lower, r.power_upper) for r in frame.itertuples()],
        false_text=[percent_text(r.false, r.false_lower, r.false_upper) for r in frame.itertuples()],
    )
    plan, best = table.iloc[0], table.sort_values("power", ascending=False, kind="stable").iloc[0]
    rivals = int((table["power_upper"] >= best["power_lower"]).sum()) - 1
    said: dict[str, Result | str] = {
        "placebo": Result("operating.readings.placebo", plan["placebo"], "%", 1),
        "msc": Result("operating.readings.msc", plan["msc"], "%", 1),
        "power": Result("operating.readings.power", plan["power"], "%", 1, plan["power_text"]),
        "best": best["reading"],
        "best_power": Result("operating.readings.best_power", best["power"], "%", 1, best["power_text"]),
        "best_placebo": Result("operating.readings.best_placebo", best["placebo"], "%", 1),
        "rivals": f"The Monte Carlo intervals of {rivals} others reach as far: so many trials don't tell them apart."
        if rivals > 1
        else "One other's Monte Carlo interval reaches as far: so many trials don't tell the two apart."
        if rivals
        else "No other's Monte Carlo interval reaches as far.",
    }
    common = {
        "population": POPULATION,
        "n": f"{p.n_randomised} children a trial",
        "method": _method(trials),
        "conventions": [
            "the same trials under every reading",
            f"assumed effect: UPCR x {plain(p.upcr_effect)}",
            "not evaluable or undetermined = no remission",
        ],
    }
    figure = Exhibit(
        "readings",
        "What a definition of remission gains and costs",
        frame,
        alt="Power against remission on placebo by definition. "
        + "; ".join(
            f"{r.reading}: power {rounded(r.power)} %, on placebo {rounded(r.placebo)} %"
            for r in frame.itertuples()
        )
        + ".",
        figure=figures.trade_off(points),
        **common,
    )
    listed = Exhibit(
        "readings-table",
        "Remission and power by definition",
        table,
        folded=True,
        columns={
            "number": "No.", "label": "Remission is", "placebo": "On placebo", "msc": "On hUC-MSC",
            "power_text": "Power", "false_text": "Claims without an effect",
        },
        units={"placebo": "%", "msc": "%"},
        digits={"placebo": 1, "msc": 1},
        results=[value for value in said.values() if isinstance(value, Result)],
        **common,
    )  # fmt: skip
    return Finding((figure, listed), said)


def alternatives(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Other designs side by side: `simulation_error.gains`; one that is the plan itself is said to be."""
    same = [
        name in ALTERNATIVES and bool(ALTERNATIVES[name]) and alternative(p, name) == p
        for name in frame["alternative"]
    ]

    def texts(name: str) -> list[str]:
        return [
            percent_text(row[name], row[f"{name}_lower"], row[f"{name}_upper"])
            if np.isfinite(row[name])
            else f"can't be run: {row['why']}"
            for _, row in frame.iterrows()
        ]

    table = frame.assign(
        label=[capital(name) for name in frame["alternative"]],
        primary_text=texts("primary"),
        numeric_text=texts("numeric"),
        false_text=texts("false"),
        gain_text=[
            "the plan itself"
            if itself
            else gain_text(row.gain, row.gain_lower, row.gain_upper, unit="")
            if np.isfinite(row.gain_lower)
            else "–"
            for row, itself in zip(frame.itertuples(), same, strict=True)
        ],
    )
    as_many = ~frame["alternative"].isin(MORE) & ~np.array(same, bool)
    real = frame[as_many].iloc[1:].dropna(subset="gain").sort_values("gain", ascending=False, kind="stable")
    best = real.iloc[0] if len(real) else frame.iloc[0]
    said: dict[str, Result | str] = {
        "best": best["alternative"],
        "gain": Result(
            "operating.alternatives.gain",
            best["gain"],
            "points",
            0,
            text=gain_text(best["gain"], best["gain_lower"], best["gain_upper"]),
        ),
        "power": Result("operating.alternatives.power", best["primary"], "%", 0),
    }
    exhibit = Exhibit(
        "alternatives",
        "Other designs",
        table,
        columns={
            "label": "Design", "primary_text": "Power, primary", "gain_text": "Gain", "false_text":
            "Claims, no effect", "numeric_text": "Power, log UPCR averaged",
        },
        units={"gain_text": "points"},
        population=POPULATION,
        n=f"{p.n_randomised} children a trial where the design does not say otherwise",
        method=_method(trials),
        conventions=[
            MONTE_CARLO,
            f"assumed effect: UPCR x {plain(p.upcr_effect)}",
            "gain: limits as of independent trials (Newcombe); designs share random numbers: paired ones are narrower",
            "claims, no effect: of the primary; designs whose limits overlap are not told apart",
            "two samples at a visit average the noise of the visit, not the slow deviation of the child",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
    )  # fmt: skip
    return Finding((exhibit,), said)


def safety(frame: pd.DataFrame, p: Parameters) -> Finding:
    """What so many children can show of an adverse event: `characteristics.safety`."""
    first = frame.iloc[0]
    said: dict[str, Result | str] = {
        "n": Result("operating.safety.n", int(first["n"])),
        "excludes": Result("operating.safety.none_excludes", first["none_excludes"], "%", 1),
        "rare": Result("operating.safety.chance_of_one_percent", first["chance_of_one"], "%", 0),
    }
    exhibit = Exhibit(
        "safety",
        "Chance of seeing an adverse event at least once",
        frame,
        columns={"rate": "True rate a child", "chance_of_one": "Seen in at least one child"},
        units={"rate": "%", "chance_of_one": "%"},
        digits={"rate": 0, "chance_of_one": 0},
        population=f"children on hUC-MSC of {p.n_randomised} randomised, allocated {p.allocation}",
        n=int(first["n"]),
        method="1 - (1 - rate)^n, exactly",
        conventions=["no event in n leaves a rate up to 1 - 0.05^(1/n) possible (95 %, one-sided)"],
        results=[value for value in said.values() if isinstance(value, Result)],
    )
    return Finding((exhibit,), said)


def side_by_side(frame: pd.DataFrame) -> Exhibit:
    """Two studies of the same questions, as `design.operating.compare` gives them."""
    return Exhibit(
        "side-by-side",
        "Two studies of the same questions",
        frame,
        population=POPULATION,
        n="the same children a trial in both, but where the number itself is changed",
        method="the same questions asked twice; differences in points, second minus first",
        conventions=["SE: as of independent trials, an upper bound where both used the same children"],
        folded=True,
        columns={
            name: head
            for name, head in {
                "effect": "Effect", "n": "Children", "analysis": "Analysis", "power_a": "First", "power_b": "Second",
                "difference": "Difference", "se": "SE",
            }.items()
            if name in frame
        },
        digits={"power_a": 1, "power_b": 1, "difference": 1, "se": 1},
        units={"power_a": "%", "power_b": "%", "difference": "points", "se": "points"},
    )  # fmt: skip


def statement(
    frame: pd.DataFrame, false: pd.DataFrame, trials: int, p: Parameters
) -> dict[str, Result | str]:
    """Words of a sample-size statement ready for a protocol; frames of `answer_in_brief` and `readings`."""
    at, plan = frame.set_index("question"), false.iloc[0]
    needed = at.loc["needed_80"]
    return {
        "children": str(p.n_randomised),
        "allocation": p.allocation,
        "level": plain(100 * p.alpha),
        "power": Result("operating.statement.power", at.loc["power", "estimate"], "%", 0),
        "placebo": Result("operating.statement.placebo", plan["placebo"], "%", 0),
        "msc": Result("operating.statement.msc", plan["msc"], "%", 0),
        "effect": plain(p.upcr_effect),
        "dropout": plain(100 * p.dropout),
        "missed": plain(100 * p.visit_missed),
        "needed": children_needed_text(needed["estimate"], needed["lower"], needed["upper"]),
        "trials": grouped(trials),
        "limits": f"{rounded(at.loc['power', 'lower'])} to {rounded(at.loc['power', 'upper'])} %",
        "baseline": BASELINE[p.baseline_samples],
        "days": str(p.confirm_days),
        "noise": plain(p.upcr_noise),
        "wander": plain(p.upcr_wander),
    }


def card(answer: dict[str, Any], p: Parameters) -> Exhibit:
    """Aims, data, estimands, methods, performance of the simulation study."""
    trials = answer["trials"]
    fewest, most = min(trials.values()), max(trials.values())
    worst = 100 * np.sqrt(0.25 / trials["precision"])
    asked = ", ".join(sorted({plain(row["effect"]) for row in answer["effects"]}, key=float, reverse=True))
    rows = [
        (
            "Aims",
            "How often this trial finds an effect, claims one that is not there, and how wide its answer is",
        ),
        (
            "Data",
            f"The whole path of the other chapters, with the parameters of the register: screening against all "
            f"criteria, allocation, two infusions, visits, missing values, rescue, drop-out; effects {asked} "
            "as ratio of UPCR",
        ),
        (
            "Estimands",
            "Difference of the shares with the event; ratio of UPCR adjusted for baseline. True values from very many "
            "children of whom everything is known",
        ),
        ("Methods", "; ".join(analysis.label for analysis in ANALYSES.values())),
        (
            "Performance",
            "Power, claims for the cells, bias, coverage, width, exaggeration. "
            f"{grouped(trials['precision'])} trials of the plan: the standard error of a simulated share is at most "
            f"{rounded(worst, 1)} points, less than a reader would act on; worlds that are only compared with each "
            "other have fewer",
        ),
    ]
    return Exhibit(
        "simulation-card",
        "The simulation study in brief",
        pd.DataFrame(rows, columns=["part", "words"]),
        folded=True,
        columns={"part": "ADEMP", "words": "Here"},
        population=POPULATION,
        n=f"{grouped(fewest)} to {grouped(most)} trials a world",
        method="Morris, White and Crowther (2019), Stat Med 38:2074-2102",
    )
