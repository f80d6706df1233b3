"""What such a trial shows, over many of them: power, false claims, precision, and the children needed.

Trials of one plan go through the simulator, the derivations and the estimators of the chapters: 23 criteria, two
infusions, 11 visits, missed visits and samples, rescue, drop-out, confirmation. *Simulate once, ask many*: what does
not change the simulated children is asked of the same trials: analysis, level, definition and confirmation, and size,
as the first children in the order of randomisation of a larger trial. Effects are compared on the same children and
the same random numbers. The scenario's own cohort is trial 0.

Analyses stand in one registry, `ANALYSES`. A trial without an answer counts as not significant in power; bias, coverage
and width use the rest and say how many they are.

>>> from helpers.study.parameters import Parameters
>>> few = run(Parameters(), trials=20, analyses=["confirmed", "ancova average"])
>>> few[["analysis", "n", "trials"]].values.tolist()
[['confirmed', 40, 20], ['ancova average', 40, 20]]
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers import Problem
from helpers.analysis import derive
from helpers.analysis.sequence import HALF_YEAR
from helpers.design.trials import AMONG, DAYS, EVENTS, Trials
from helpers.estimators import batched_mixed, batches, mixed, proportions
from helpers.estimators.batches import Answers
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR, months
from helpers.trial import conduct
from helpers.trial.simulate import Streams


def _shares(event: str, test: Callable[..., NDArray]) -> Callable[[Trials], Answers]:
    """Difference of two shares, p by an exact test, with the interval that `Trials.exact` names.

    Of all randomised, or of the children of `AMONG`; no answer where an arm has none.
    """

    def ask(t: Trials) -> Answers:
        counts = t.counts(EVENTS[event](t), AMONG[event](t) if event in AMONG else None)
        # the same tables come again and again
        tables, back = np.unique(np.stack(counts, axis=1), axis=0, return_inverse=True)
        there = (tables[:, 1] > 0) & (tables[:, 3] > 0)
        found = np.full((4, len(tables)), np.nan)
        x0, n0, x1, n1 = tables[there].T
        if there.any():
            exact = t.exact and test is proportions.boschloo
            interval = proportions.boschloo_interval if exact else _miettinen_nurminen
            found[:, there] = x1 / n1 - x0 / n0, *interval(x0, n0, x1, n1), np.asarray(test(x0, n0, x1, n1))
        return Answers(*found[:, back.ravel()])

    return ask


MOST_KEPT = 100_000
_intervals: dict[tuple[int, ...], tuple[float, float]] = {}


def _miettinen_nurminen(*counts: NDArray) -> tuple[NDArray, NDArray]:
    """`proportions.miettinen_nurminen`, which is iterated, once a table: the next trials bring most of them again."""
    tables = [tuple(row) for row in np.stack(counts, axis=1).tolist()]
    if new := [table for table in dict.fromkeys(tables) if table not in _intervals]:
        if len(_intervals) > MOST_KEPT:
            _intervals.clear()
            new = list(dict.fromkeys(tables))
        found = proportions.miettinen_nurminen(*np.array(new).T)
        _intervals.update(zip(new, zip(*(limit.tolist() for limit in found), strict=True), strict=True))
    lower, upper = np.array([_intervals[table] for table in tables]).T
    return lower, upper


def _average(t: Trials) -> Answers:
    y = derive.time_weighted(t.log_upcr, DAYS, HALF_YEAR)
    return batches.ancova(y, t.log_base, t.arm, covariates=t.covariates)


def _month12(t: Trials) -> Answers:
    return batches.ancova(t.log_upcr[..., -1], t.log_base, t.arm, covariates=t.covariates)


def _cells_average(t: Trials) -> Answers:
    return batches.ancova(t.weighted_cells(), t.log_cells[0], t.arm, covariates=t.covariates)


def _cells_month12(t: Trials) -> Answers:
    return batches.ancova(t.log_cells[1][..., -1], t.log_cells[0], t.arm, covariates=t.covariates)


def _slope(t: Trials) -> Answers:
    """Difference of yearly slopes of eGFR, as chapter 05 fits it: baseline stands at the first infusion."""
    years = np.array([-float(t.p.infusion_gap), *DAYS]) / DAYS_PER_YEAR
    return batched_mixed.random_slope(t.egfr, years, t.arm)


def _slope_of_all(t: Trials) -> float:
    """The same where nothing is missing: least squares give what the mixed model gives."""
    years = np.array([-float(t.p.infusion_gap), *DAYS]) / DAYS_PER_YEAR
    here = ~np.isnan(t.egfr[0]).any(axis=1)
    slopes, arm = (
        t.egfr[0, here] @ ((years - years.mean()) / ((years - years.mean()) ** 2).sum()),
        t.arm[0, here],
    )
    return float(slopes[arm == 1].mean() - slopes[arm == 0].mean())


def _average_of_all(t: Trials) -> float:
    """The mixed model's time average where nothing is missing: ANCOVA of each child's own average."""
    y = t.log_upcr @ mixed.time_weights(DAYS)
    return float(batches.ancova(y, t.log_base, t.arm, covariates=t.covariates).estimate[0])


def _month12_of_all(t: Trials) -> float:
    return float(_month12(t).estimate[0])


def _times(t: Trials) -> batches.Grouped | None:
    """Time to confirmed remission on the plan's risk set, evaluable children; None where nothing can be confirmed."""
    everybody = derive.confirmable(np.zeros((1, len(DAYS)), np.int8), DAYS, t.p.confirm_days)[0]
    if not everybody.any():
        return None
    end = int(np.flatnonzero(everybody)[-1]) + 1
    e = t.remission
    at_risk = derive.confirmable(e.state, DAYS, t.p.confirm_days)
    last = derive.last_seen(np.where(at_risk, 0, -1))
    index = np.where(e.confirmed >= 0, e.confirmed, last)
    return batches.grouped(index, e.confirmed >= 0, t.arm, months(DAYS)[:end])


def _in_time(method: Callable[[batches.Grouped], Answers]) -> Callable[[Trials], Answers]:
    def ask(t: Trials) -> Answers:
        data = _times(t)
        return Answers(*np.full((4, len(t.arm)), np.nan)) if data is None else method(data)

    return ask


@dataclass(frozen=True)
class Analysis:
    """One way to ask a trial for the effect.

    label: how it is called; scale: what its estimate is, and unit, in which it is told (points: of percent); towards:
    the sign of an estimate in favour of the cells; null: the estimate without an effect; event, exact: the name in
    `EVENTS` of what is counted and that of the exact test in `proportions`, empty where there is none.

    others: whether it reads measures other than UPCR, which are then drawn and derived (three times the cost of UPCR's
    follow-up); everything: whether screening must keep all its values for it; dear: whether it is iterated, some
    hundred times the cost of a closed form; complete: its estimate in one trial of which nothing is missing, where
    `ask` itself would take too long.
    """

    label: str
    scale: str
    towards: int
    ask: Callable[[Trials], Answers]
    null: float = 0.0
    unit: str = "points"
    event: str = ""
    exact: str = ""
    others: bool = False
    everything: bool = False
    dear: bool = False
    complete: Callable[[Trials], float] | None = None

    @property
    def silent(self) -> str:
        """Why a trial may give no answer."""
        if self.event:
            return "an arm without a child to count"
        if self.scale in (_RATIO, _CELLS, _EGFR):
            return "too few children with the values that the model needs, or values that do not differ"
        return "no remission while both arms are at risk, or an arm that is not followed to the last time"


_SHARE = "difference of shares, hUC-MSC - placebo"
_RATIO = "log of the ratio of UPCR, hUC-MSC / placebo"
_CELLS = "log of the ratio of urine red cells, hUC-MSC / placebo"
_EGFR = "difference of slopes of eGFR, hUC-MSC - placebo"


def _counted(label: str, event: str, test: str = "boschloo", **how: Any) -> Analysis:
    asked = _shares(event, getattr(proportions, test))
    return Analysis(label, _SHARE, 1, asked, event=event, exact=test, **how)


ANALYSES: dict[str, Analysis] = {
    "confirmed": _counted("confirmed remission, Boschloo's test (primary)", "confirmed"),
    "confirmed, Fisher": _counted("confirmed remission, Fisher's test", "confirmed", "fisher"),
    "confirmed, Barnard": _counted("confirmed remission, exact score test", "confirmed", "barnard"),
    "ever": _counted("remission at any visit, Boschloo's test", "ever"),
    "sustained": _counted("sustained remission, Boschloo's test", "sustained"),
    "month 12": _counted("remission at month 12, Boschloo's test", "month 12"),
    "ancova average": Analysis("log UPCR averaged over the visits, ANCOVA", _RATIO, -1, _average, unit="log ratio"),
    "ancova month 12": Analysis("log UPCR at month 12, ANCOVA", _RATIO, -1, _month12, unit="log ratio"),
    "log-rank": Analysis(
        "time to confirmed remission, log-rank test", "log hazard ratio, one step", 1, _in_time(batches.logrank),
        unit="log hazard ratio",
    ),
    "cumulative": Analysis(
        "confirmed remission by Kaplan-Meier, Greenwood", "difference of cumulative remission, hUC-MSC - placebo", 1,
        _in_time(batches.cumulative_difference),
    ),
    "rmst": Analysis(
        "mean time without confirmed remission", "difference of restricted means, hUC-MSC - placebo", -1,
        _in_time(batches.rmst_difference), unit="months",
    ),
    "24-hour protein": _counted(
        "confirmed remission by 24-hour protein, Boschloo's test", "24-hour protein", others=True, everything=True
    ),
    "dipstick": _counted("confirmed remission by dipstick, Boschloo's test", "dipstick", others=True),
    "haematuria": _counted("confirmed remission of haematuria, Boschloo's test", "haematuria", others=True),
    "eGFR improvement": _counted("confirmed improvement of eGFR, Boschloo's test", "eGFR", others=True),
    "red cells average": Analysis(
        "log red cells averaged over the visits, ANCOVA", _CELLS, -1, _cells_average, unit="log ratio", others=True
    ),
    "red cells month 12": Analysis(
        "log red cells at month 12, ANCOVA", _CELLS, -1, _cells_month12, unit="log ratio", others=True
    ),
    "mmrm average": Analysis(
        "log UPCR averaged over the visits, MMRM", _RATIO, -1, lambda t: t.mixed_model[1], unit="log ratio", dear=True,
        complete=_average_of_all,
    ),
    "mmrm month 12": Analysis(
        "log UPCR at month 12, MMRM", _RATIO, -1, lambda t: t.mixed_model[0], unit="log ratio", dear=True,
        complete=_month12_of_all,
    ),
    "eGFR slope": Analysis(
        "slope of eGFR, random intercept and slope", _EGFR, 1, _slope, unit="mL/min/1.73m2 a year", others=True,
        dear=True, complete=_slope_of_all,
    ),
}  # fmt: skip
"""Key -> analysis. A new one is one entry."""
CLOSED = tuple(name for name, analysis in ANALYSES.items() if not analysis.dear)
"""Those in closed form."""
DEFAULT = tuple(name for name in CLOSED if not ANALYSES[name].others)
"""Those of UPCR in closed form: thousands of trials in about a second."""
PRIMARY = "confirmed"


def chunks(
    p: Parameters, trials: int, children: int, first: int = 0, everything: bool = False
) -> Iterator[tuple[conduct.Enrolled, Streams]]:
    """Eligible children of `trials` trials of `children` each, chunk by chunk, with the chunk's random streams.

    first: the chunk to begin with.
    The first trials are the same whatever their number, and the first children of trial 0 whatever the size.
    everything: whether screening keeps what no criterion reads.
    """
    plan = p.model_copy(update={"n_randomised": children})
    for chunk, start in enumerate(range(0, trials, conduct.CHUNK), first):
        count = min(conduct.CHUNK, trials - start)
        enrolled, _, _ = conduct.screen(plan, count, chunk, needed=everything)
        yield enrolled, Streams(p.seed, chunk)


def followed(p: Parameters, enrolled: conduct.Enrolled, streams: Streams, **changes: Any) -> Trials:
    """The trials of a chunk as they go with parameters changed that no screened child depends on (the effect, say)."""
    plan = p.model_copy(update={"n_randomised": enrolled.shape[1], **changes})
    return Trials.of(conduct.follow(plan, enrolled, streams))


def of_effect(effect: float) -> dict[str, float]:
    """Parameters of an effect; 1 is none in any child, not one that differs between children around none."""
    return {"upcr_effect": effect} | ({"upcr_effect_sd": 0.0} if effect == 1 else {})


def arms(p: Parameters, children: int) -> tuple[int, int]:
    """Children on placebo and on hUC-MSC of so many randomised, as the allocation ratio gives them.

    >>> arms(Parameters(), 40), arms(Parameters(allocation="2:1"), 40)
    ((20, 20), (13, 27))
    """
    placebo = round(children * p.ratio[0] / sum(p.ratio))
    return placebo, children - placebo


class HasParameters(Protocol):
    """A study as `load` gives it: what matters here are its parameters."""

    parameters: Parameters


def _in_force(study: "HasParameters | Parameters") -> Parameters:
    return study if isinstance(study, Parameters) else study.parameters


def run(
    study: HasParameters | Parameters,
    trials: int = 2000,
    *,
    analyses: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    effects: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Ask many trials, with every combination of effect and size on the same children.

    Parameters
    ----------
    study : Study or Parameters
        `load("base", dropout=0.3)` say, or its parameters; its `alpha` is the level of every test.
    trials : int
    analyses : sequence of str, optional
        Keys of `ANALYSES`; those of `DEFAULT` where not given.
    sizes : sequence of int, optional
        Children randomised; `n_randomised` where not given.
    effects : sequence of float, optional
        `upcr_effect`, UPCR on hUC-MSC against placebo at full effect; that of the study where not given.

    Returns
    -------
    pandas.DataFrame
        A row an effect, size and analysis:

        effect, n, analysis, trials
        answered : trials with an answer
        favour, against : trials significant in favour of the cells, and against them
        power, power_lower, power_upper : favour / trials with Wilson's 95 % limits, in percent: the Monte Carlo error
        mean, sd : of the estimates, on the analysis's scale
        width, width_sd : of the widths of the 95 % intervals
        significant, significant_sd : of the estimates of the trials significant in favour

        sd / sqrt(answered), width_sd / sqrt(answered), significant_sd / sqrt(favour) are Monte Carlo errors.

    Raises
    ------
    Problem
        An analysis that is not there, no trial, a size that is not an even number of at least 4, or a screening that
        finds too few eligible children.

    Examples
    --------
    >>> found = run(Parameters(), trials=20, analyses=["confirmed"], effects=[1.0, 0.3])
    >>> bool(found["power"].iloc[1] > found["power"].iloc[0])
    True
    """
    p = _in_force(study)
    kept: dict[tuple[float, int, str], list[tuple[NDArray, ...]]] = {}
    for key, found in _by_chunk(p, trials, analyses=analyses, sizes=sizes, effects=effects):
        # of each trial no more than is told of all
        kept.setdefault(key, []).append(_told(key[2], found, p.alpha))
    rows = []
    for effect, n, name in list(kept):
        parts = zip(*kept.pop((effect, n, name)), strict=True)
        told = _summed(*(np.concatenate(part) for part in parts))
        rows.append({"effect": effect, "n": n, "analysis": name, **told})
    return measured(rows)


def trial_by_trial(
    study: HasParameters | Parameters,
    trials: int = 200,
    *,
    analyses: Sequence[str] | None = None,
) -> pd.DataFrame:
    """What each trial would say, by each analysis, at the study's own size and effect.

    Parameters
    ----------
    study, trials, analyses
        As of `run`.

    Returns
    -------
    pandas.DataFrame
        A row a trial and analysis: trial (0 is the scenario's own cohort), analysis, estimate, lower, upper (on the
        analysis's scale; NaN = none), p, direction (of a significant result: "for the cells", "against them", else
        "none"), note (why there is no answer).

    Raises
    ------
    Problem
        As `run`.

    Examples
    --------
    >>> trial_by_trial(Parameters(), 3, analyses=["confirmed"])["trial"].tolist()
    [0, 1, 2]
    """
    p, frames = _in_force(study), []
    for (_, _, name), found in answers(p, trials, analyses=analyses).items():
        side = favours(name, found, p.alpha)
        frames.append(
            pd.DataFrame(
                {
                    "trial": np.arange(trials),
                    "analysis": name,
                    "estimate": found.estimate,
                    "lower": found.lower,
                    "upper": found.upper,
                    "p": found.p,
                    "direction": np.select([side > 0, side < 0], ["for the cells", "against them"], "none"),
                    "note": np.where(np.isfinite(found.p), "", ANALYSES[name].silent),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def answers(
    p: Parameters,
    trials: int,
    *,
    analyses: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    effects: Sequence[float] | None = None,
    exact: bool = False,
    read: Callable[[Trials], Trials] = lambda trials: trials,
    first: int = 0,
) -> dict[tuple[float, int, str], Answers]:
    """The answer of every trial: (effect, n, analysis) -> `Answers` of (trials,).

    Parameters as of `run`; exact: see `Trials`; read: what is made of the trials before they are asked; first: the
    chunk to begin with.
    """
    found: dict[tuple[float, int, str], list[Answers]] = {}
    for key, part in _by_chunk(
        p, trials, analyses=analyses, sizes=sizes, effects=effects, exact=exact, read=read, first=first
    ):
        found.setdefault(key, []).append(part)
    # each list goes as its array comes: a million trials are held once
    return {key: _joined(found.pop(key)) for key in list(found)}


def _by_chunk(
    p: Parameters,
    trials: int,
    *,
    analyses: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    effects: Sequence[float] | None = None,
    exact: bool = False,
    read: Callable[[Trials], Trials] = lambda trials: trials,
    first: int = 0,
) -> Iterator[tuple[tuple[float, int, str], Answers]]:
    """What `answers` joins, chunk by chunk: its key and the answers of the chunk's trials."""
    names, sizes = list(DEFAULT if analyses is None else analyses), list(sizes or [p.n_randomised])
    effects = list(effects or [p.upcr_effect])
    check(names, sizes, trials)
    everything = any(ANALYSES[name].everything for name in names)
    for enrolled, streams in chunks(p, trials, max(sizes), first, everything):
        for effect in effects:
            whole = read(replace(followed(p, enrolled, streams, **of_effect(effect)), exact=exact))
            for n in sizes:
                here = whole.first(n)
                for name in names:
                    yield (effect, n, name), ANALYSES[name].ask(here)


def _joined(parts: list[Answers]) -> Answers:
    names = ("estimate", "lower", "upper", "p")
    return Answers(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def check(names: Iterable[str], sizes: Iterable[int], trials: int) -> None:
    """Raise Problem with all that is wrong with a question, before any work."""
    wrong = [
        f"analysis {name!r}: there is none of that name; there are {', '.join(ANALYSES)}"
        for name in names
        if name not in ANALYSES
    ]
    wrong += [f"size {n}: expected an even number of children, at least 4" for n in sizes if n < 4 or n % 2]
    if trials < 1:
        wrong.append(f"trials = {trials}: expected at least 1")
    if wrong:
        raise Problem("; ".join(wrong))


def favours(name: str, found: Answers, alpha: float) -> NDArray:
    """Whether each trial is significant in favour of the cells: +1; against them: -1; else 0."""
    side = np.sign(np.nan_to_num(found.estimate - ANALYSES[name].null)) * ANALYSES[name].towards
    return np.where(np.nan_to_num(found.p, nan=1.0) <= alpha, side, 0).astype(int)


def summary(name: str, found: Answers, alpha: float) -> dict[str, Any]:
    """Counts and means over the trials of an analysis: what `run` gives of them, without limits."""
    return _summed(*_told(name, found, alpha))


def _told(name: str, found: Answers, alpha: float) -> tuple[NDArray, ...]:
    """What a summary needs of each trial: `favours`, whether there is an answer, estimate, width of the interval."""
    side = favours(name, found, alpha).astype(np.int8)
    return side, np.isfinite(found.p), found.estimate, found.upper - found.lower


def _summed(side: NDArray, there: NDArray, estimate: NDArray, width: NDArray) -> dict[str, Any]:
    """`summary` of what `_told` says of all trials."""
    return {
        "trials": len(side),
        "answered": int(there.sum()),
        "favour": int((side > 0).sum()),
        "against": int((side < 0).sum()),
        **_moments("mean", estimate[there]),
        **_moments("width", width[there]),
        **_moments("significant", estimate[side > 0]),
    }


MOMENTS = {
    "mean": ("sd", "answered"),
    "width": ("width_sd", "answered"),
    "significant": ("significant_sd", "favour"),
}
"""Mean in a `summary` -> its standard deviation over trials, and the count of these trials."""


def _moments(name: str, values: NDArray) -> dict[str, float]:
    """One of `MOMENTS` and its standard deviation; NaN where there is none."""
    return {
        name: float(values.mean()) if values.size and np.isfinite(values).any() else np.nan,
        MOMENTS[name][0]: float(values.std(ddof=1)) if values.size > 1 else np.nan,
    }


def error(frame: pd.DataFrame, name: str) -> pd.Series:
    """Monte Carlo standard error of one of `MOMENTS`, row by row of a frame of `summary`s; NaN below two trials."""
    sd, count = MOMENTS[name]
    return frame[sd].astype(float) / np.sqrt(frame[count].where(frame[count] > 1))


def measured(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows of counts as the frame of `run`: power in percent with its Monte Carlo limits."""
    frame = pd.DataFrame(list(rows))
    lower, upper = proportions.wilson(frame["favour"].to_numpy(), frame["trials"].to_numpy())
    frame["power"], frame["power_lower"], frame["power_upper"] = (
        100 * frame["favour"] / frame["trials"],
        100 * np.asarray(lower),
        100 * np.asarray(upper),
    )
    return frame


def compare(
    a: "pd.DataFrame | HasParameters | Parameters",
    b: "pd.DataFrame | HasParameters | Parameters",
    trials: int = 2000,
) -> pd.DataFrame:
    """Two studies of the same questions side by side, paired by effect, size and analysis.

    Parameters
    ----------
    a, b : pandas.DataFrame, Study or Parameters
        From `run`; or studies, which are then asked what `run` asks where nothing is named.
    trials : int
        Of studies that are still to be asked.

    Returns
    -------
    pandas.DataFrame
        A row a question that both answered: effect (where both have the same), n (where both have the same), analysis,
        power_a, power_b, difference (points, b - a) and se, as of independent trials: an upper bound where both used
        the same children.

    Raises
    ------
    Problem
        As `run`.

    Examples
    --------
    >>> compare(Parameters(), Parameters(dropout=0.3), trials=20).columns.tolist()
    ['effect', 'n', 'analysis', 'power_a', 'power_b', 'difference', 'se']
    """
    a, b = (one if isinstance(one, pd.DataFrame) else run(one, trials) for one in (a, b))
    keys = [name for name in ("effect", "n") if set(a[name]) == set(b[name])] + ["analysis"]
    both = a.merge(b, on=keys, suffixes=("_a", "_b"))
    out = both[[*keys, "power_a", "power_b"]].copy()
    out["difference"] = both["power_b"] - both["power_a"]
    parts = [both[f"power_{s}"] * (100 - both[f"power_{s}"]) / both[f"trials_{s}"] for s in "ab"]
    return out.assign(se=np.sqrt(parts[0] + parts[1]))


# ------------------------------------------------------------------ the truth of each estimand

WHOLE = {
    "visit_missed": 0.0, "sample_missing": 0.0, "collection_missing": 0.0, "dropout": 0.0, "dropout_early": 0.0,
}  # fmt: skip
"""Nothing is missing, nobody leaves."""
GIANT = 1000
"""Children of each trial that make a giant one: screening works trial by trial."""


def truth(p: Parameters, children: int, effects: Sequence[float], names: Sequence[str]) -> pd.DataFrame:
    """What each analysis would find in very many children of whom everything is known.

    No missed visit, lost sample or drop-out; rescue and changes of RAS inhibition as they come, by the analysis's own
    strategy. children: about how many, in batches of 64,000 whose spread gives the error.

    Returns
    -------
    A row an effect and analysis: effect, analysis, truth (on the analysis's scale), se (Monte Carlo).
    """
    found: dict[tuple[float, str], list[float]] = {}
    everything = any(ANALYSES[name].everything for name in names)
    for effect, one in giants(p, children, effects, everything):
        for name in names:
            found.setdefault((effect, name), []).append(_point(name, one))
    rows = [
        (effect, name, float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))
        for (effect, name), values in found.items()
    ]
    return pd.DataFrame(rows, columns=["effect", "analysis", "truth", "se"])


def giants(
    p: Parameters, children: int, effects: Sequence[float], everything: bool = False
) -> Iterator[tuple[float, Trials]]:
    """(effect, one trial of 64,000 children of whom everything is known), until about `children` for each effect.

    everything: whether screening keeps what no criterion reads.
    """
    plan = p.model_copy(update=WHOLE)
    batch = 64 * GIANT
    for chunk in range(max(2, round(children / batch))):
        # chunks of their own, far from those of the trials
        enrolled, _, _ = conduct.screen(
            plan.model_copy(update={"n_randomised": GIANT}), batch // GIANT, 10_000 + chunk,
            needed=everything,
        )  # fmt: skip
        for effect in effects:
            trials = followed(plan, enrolled, Streams(p.seed, 10_000 + chunk), **of_effect(effect))
            yield effect, trials.joined()


def _point(name: str, giant: Trials) -> float:
    """The estimate of an analysis in one giant trial; an exact test would take years there."""
    analysis = ANALYSES[name]
    if analysis.complete:
        return analysis.complete(giant)
    if not analysis.event:
        return float(analysis.ask(giant).estimate[0])
    event = analysis.event
    x0, n0, x1, n1 = giant.counts(EVENTS[event](giant), AMONG[event](giant) if event in AMONG else None)
    return float(x1[0] / n1[0] - x0[0] / n0[0])
