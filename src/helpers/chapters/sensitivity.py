"""Chapter 06, continued: what absent values, other strategies, other measures and subgroups do to the result.

Estimates and intervals only: the primary endpoint has the only p-value. Multiple imputation fills the
logarithm of UPCR at the visits and derives remission again from what was filled in.
"""

import zlib
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import adam, derive
from helpers.chapters import longitudinal, mixed_models, remission
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.remission import POINTS, Count, Pictured, compared, table_and_forest
from helpers.chapters.words import NOT_ESTIMABLE, capital, children_text, estimate_text, percent, rounded
from helpers.estimators import imputation, mixed, proportions, tipping
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, LAST

IMPUTATIONS = 60
"""Completed data sets; what more would change is the Monte Carlo error in the table."""
DELTAS = (1.25, 1.5)
"""UPCR after a child on hUC-MSC left, as a multiple of what is imputed under MAR."""
PAIRS = (("UPCR", "P24"), ("UPCR", "DIP"), ("P24", "DIP"))
SHORT = {"UPCR": "UPCR", "P24": "24-hour protein", "DIP": "dipstick"}


class Shown(NamedTuple):
    exhibit: Exhibit
    said: dict[str, Result | str]


def tipping_point(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Shown:
    """Every assignment of the undetermined children of both arms to remission or not, as a picture."""
    counts, open_ = _undetermined(adsl, adlb, adtte, p)
    (x0, n0, _), (x1, n1, _) = counts
    control, active = tipping.Arm(x0, n0, open_[0]), tipping.Arm(x1, n1, open_[1])
    found = tipping.tipping_point(control, active, p.alpha)
    decided = found.p <= p.alpha
    zero = (found.lower <= 0) & (found.upper >= 0)
    total, yes = found.p.size, int(decided.sum())
    if not total:
        words = f"Nothing to assign: {found.message}."
    elif total == 1:
        words = "No child is undetermined: there is one assignment only, the primary analysis."
    elif yes in (0, total):
        words = (
            f"The decision of the primary test is the same in all {total} assignments: it can't be tipped."
        )
    else:
        words = f"The primary test decides for a difference in {yes} of {total} assignments: absent values can tip it."
    low, high = (100 * f(found.difference) if total else np.nan for f in (np.min, np.max))
    said = {
        "words": words,
        "low": Result("remission.tipping.lowest", low, POINTS, 1),
        "high": Result("remission.tipping.highest", high, POINTS, 1),
    }
    data = found.table[["responders0", "responders1", "x0", "n0", "x1", "n1", "difference", "lower", "upper"]]
    exhibit = Exhibit(
        "remission-tipping",
        "Tipping point: confirmed remission under every assignment of the undetermined children",
        data.assign(decided=decided.ravel()),
        population="evaluable for proteinuria (UPCRFL)",
        n=f"{n0} v {n1} children, undetermined {open_[0]} v {open_[1]}",
        method="each undetermined child counted as remission or not; number: difference hUC-MSC - placebo in "
        f"percentage points; colour: decision of the primary test (Boschloo, level {p.alpha:g}); source ADSL, ADLB, "
        "ADTTE (UPCRC)",
        conventions=(
            "arm order placebo, hUC-MSC",
            "difference hUC-MSC - placebo",
            "no p-values beside the primary's",
        ),
        caption=words,
        alt=f"Grid of {total} assignments. {words} Differences from {said['low']} to {said['high']}.",
        figure=figures.tipping(100 * found.difference, decided, arms=ARMS, contains_zero=zero),
        results=[said["low"], said["high"]],
    )
    return Shown(exhibit, said)


def missing_data(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Shown:
    """Every handling of missing data beside the main result: confirmed remission, and UPCR at month 12."""
    counts, open_ = _undetermined(adsl, adlb, adtte, p)
    (x0, n0, s0), (x1, n1, s1) = counts
    rows = [_counted("Main: undetermined = no remission", *counts)]
    seen = [Count(x, n - u, min(s, n - u)) for (x, n, s), u in zip(counts, open_, strict=True)]
    rows.append(_counted("Observed cases: undetermined left out", *seen))
    for label, r0, r1 in (
        ("Tipping: undetermined remit on placebo only", open_[0], 0),
        ("Tipping: undetermined remit on hUC-MSC only", 0, open_[1]),
    ):
        rows.append(_counted(label, Count(x0 + r0, n0, s0), Count(x1 + r1, n1, s1)))
    measure = longitudinal.measures(p)["upcr"]
    data = mixed_models.arrays(adsl, adlb, measure, p)
    fit = mixed_models.fitted(data)
    more = [
        _contrast(
            "Main: mixed model, missing at random",
            fit.arm_contrast(np.eye(len(adam.DAYS))[-1]),
            data,
            fit=True,
        )
    ]
    more.append(_contrast("Observed cases: ANCOVA at month 12", _ancova(data)(data.change), data))
    completed = {}
    for method in imputation.METHODS:
        stream = np.random.SeedSequence(p.seed, spawn_key=(zlib.crc32(b"imputation of log UPCR"),))
        rng = np.random.default_rng(stream)
        completed[method] = imputation.impute(
            data.change, data.baseline, data.arm, adam.DAYS, IMPUTATIONS, rng, imputation.Assumption(method)
        )
    sets = {
        "Multiple imputation, missing at random": completed["mar"],
        "Multiple imputation, jump to reference": completed["jump to reference"],
    }
    for delta in DELTAS:
        shifted = _after_leaving(completed["mar"], data, np.log(delta))
        sets[f"Multiple imputation, at random, UPCR x {delta:g} on hUC-MSC after leaving"] = shifted
    notes = [
        m for m in dict.fromkeys(filled.message for filled in sets.values()) if m and m != "nothing to impute"
    ]
    for label, filled in sets.items():
        rows.append(_imputed(label, filled, adsl, data, p))
        more.append(
            _contrast(f"{label}, ANCOVA at month 12", imputation.pool(filled, _ancova(data)), data, fit=True)
        )
    first, second = (
        "Confirmed remission, difference in percentage points",
        f"UPCR at {LAST.lower()}, ratio hUC-MSC / placebo",
    )
    frame = pd.DataFrame(
        [{"outcome": first} | row for row in rows] + [{"outcome": second} | row for row in more]
    )
    said = {}
    for k, row in frame.iterrows():
        key = f"remission.missing.{'primary' if row['outcome'] == first else 'upcr'}_{k}"
        unit, digits = (POINTS, 1) if row["outcome"] == first else ("", 2)
        said[f"row{k}"] = Result(key, row["estimate"], unit, digits, row["text"])
    spread = frame.loc[frame["outcome"] == first, "estimate"].dropna()
    said["words"] = (
        f"Over all of them the difference of confirmed remission lies between {rounded(spread.min(), 1)} and "
        f"{rounded(spread.max(), 1)} {POINTS}."
        if len(spread)
        else "The difference of confirmed remission is not estimable."
    )
    exhibit = Exhibit(
        "remission-missing", "Missing data: every handling beside the main result", frame,
        columns={"outcome": "Outcome", "label": "Handling of missing data", "n": "n placebo v hUC-MSC",
                 "text": "hUC-MSC against placebo (95 % interval)", "monte_carlo": "Monte Carlo SE"},
        digits={"monte_carlo": 3}, missing="",
        population="confirmed remission: evaluable for proteinuria (UPCRFL); UPCR: all randomised with a baseline",
        n=children_text(adsl),
        method=f"{IMPUTATIONS} imputations of log UPCR (multivariate normal, baseline x visit, arm x visit, one "
        "unstructured covariance), remission derived again, Rubin's rules; intervals: "
        "Miettinen-Nurminen for counts, Wald "
        "within "
        "imputations, t for models; no p-values; source ADSL, ADLB (PROTCRT), ADTTE (UPCRC)",
        conventions=("arm order placebo, hUC-MSC",
                     "Monte Carlo SE: what more imputations would remove, on the model's scale",
                     "no remission after rescue in any row"),
        caption=". ".join([*(capital(m) for m in notes), mixed_models.worded(fit)]),
        results=[r for r in said.values() if isinstance(r, Result)],
    )  # fmt: skip
    return Shown(exhibit, said)


def estimands(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame, p: Parameters) -> Pictured:
    """The primary endpoint under the other strategy of each intercurrent event, beside the main result."""
    value, base = _upcr(adsl, adlb)
    rescue, ras = (_days(adsl, column) for column in ("RESCDT", "RASCHDT"))
    response = derive.in_remission(derive.upcr_response(value, base, p))
    ill = np.where(_ill(adsl, adlb, adae), np.int8(-1), response)
    composite = np.minimum(rescue, ras)
    ways = {
        "Main: rescue composite, the others treatment policy": (response, rescue, None),
        "RAS inhibition started or raised: no remission after": (response, composite, None),
        "Rescue: treatment policy, outcomes as observed": (response, np.full(len(adsl), np.inf), None),
        "Visits with infection or fever left out": (ill, rescue, None),
        "Per protocol: both infusions and no rescue": (response, rescue, (adsl["PPROTFL"] == "Y").to_numpy()),
    }
    arm, evaluable, data = adsl["TRT01P"].to_numpy(), (adsl["UPCRFL"] == "Y").to_numpy(), []
    for label, (state, day, chosen) in ways.items():
        state = derive.after_rescue(state, adam.DAYS, day)
        hit = derive.confirmed(state, adam.DAYS, p.confirm_days).any(axis=1)
        inside = evaluable if chosen is None else evaluable & chosen
        counts = [Count(int((hit & inside & (arm == a)).sum()), int((inside & (arm == a)).sum()),
                        int(((state >= 0).any(axis=1) & inside & (arm == a)).sum())) for a in ARMS]  # fmt: skip
        data.append(compared(label, *counts))
    keys = [f"remission.estimand.{k}" for k in ("main", "ras", "rescue", "infection", "per_protocol")]
    return table_and_forest(
        "remission-estimands", "Confirmed remission of proteinuria by UPCR under other strategies", data, keys,
        population="evaluable for proteinuria (UPCRFL), per protocol as named", n=f"{len(adsl)} randomised",
        method=f"{remission.INTERVALS}, no p-values; source ADSL, ADLB (PROTCRT), ADAE", heading="Strategy",
    )  # fmt: skip


def measures(adsl: pd.DataFrame, adtte: pd.DataFrame) -> Pictured:
    """Agreement of confirmed remission by UPCR, 24-hour protein and dipstick: table and picture."""
    answers = {}
    for name in SHORT:
        rows = adam.events(adtte, f"{name}C").set_index("USUBJID")["event"]
        answers[name] = rows.reindex(adsl["USUBJID"]).to_numpy(float)
    rows, said = [], {}
    for one, other in PAIRS:
        found = proportions.agreement(answers[one], answers[other])
        (neither, second), (first, both) = found.table.tolist()
        kappa = estimate_text(found.kappa, found.kappa_lower, found.kappa_upper, found.message, 2)
        text = percent(both + neither, found.n)
        rows.append(
            {"pair": f"{SHORT[one]} and {SHORT[other]}", "n": found.n, "both": both, "first": first, "second": second,
             "neither": neither, "first_name": SHORT[one], "second_name": SHORT[other], "agreement": found.agreement,
             "kappa": found.kappa, "lower": found.kappa_lower, "upper": found.kappa_upper,
             "agreement_text": text, "kappa_text": kappa, "text": f"kappa {kappa}", "note": found.message}
        )  # fmt: skip
        key = f"{one.lower()}_{other.lower()}"
        said[f"{key}_agreement"] = Result(f"remission.agreement.{key}", found.agreement, digits=2, text=text)
        said[f"{key}_kappa"] = Result(f"remission.kappa.{key}", found.kappa, digits=2, text=kappa)
    frame = pd.DataFrame(rows)
    common = {
        "population": "all randomised evaluable for both measures of a pair, both arms together",
        "n": ", ".join(str(n) for n in frame["n"]) + " children",
        "method": "confirmed remission by each measure; agreement, Cohen's kappa with the interval of Fleiss, Cohen "
        "and "
        "Everitt; no p-values; source ADTTE (UPCRC, P24C, DIPC)",
        "conventions": ("arms together", "kappa 1 is full agreement, 0 that of chance"),
    }
    heads = {"pair": "Measures", "n": "Children", "both": "Remission by both", "first": "By the first alone",
             "second": "By the second alone", "neither": "By neither", "agreement_text": "Agree",
             "kappa_text": "Kappa (95 % interval)"}  # fmt: skip
    table = Exhibit("remission-agreement", "Agreement of the three protein measures", frame, columns=heads,
                    results=list(said.values()), **common)  # fmt: skip
    words = "; ".join(f"{r['pair']}: {r['agreement_text']} agree" for r in rows)
    figure = Exhibit(
        "remission-agreement-figure", "Confirmed remission by two measures at a time", frame,
        alt=f"Stacked bars. {words}.",
        figure=figures.agreement(frame, label="two protein measures"), **common,
    )  # fmt: skip
    return Pictured(table, figure, said)


def subgroups(adsl: pd.DataFrame, adtte: pd.DataFrame) -> Pictured:
    """Confirmed UPCR remission by sex, genotype and RAS inhibition at baseline: estimates and intervals only."""
    confirmed = adtte[adtte["PARAMCD"] == "UPCRC"].merge(
        adsl[["USUBJID", "SEX", "GENOTYPE", "RASFL"]], on="USUBJID"
    )
    groups = (
        ("Sex", "SEX", {"M": "Boys", "F": "Girls"}),
        ("Genotype", "GENOTYPE", {g: str(g) for g in sorted(adsl["GENOTYPE"].dropna().unique())}),
        ("RAS inhibition at baseline", "RASFL", {"Y": "Yes", "N": "No"}),
    )
    data, keys = [], []
    for group, column, names in groups:
        for value, label in names.items():
            part = confirmed[confirmed[column] == value]
            data.append(compared(label, *remission.events(part, "UPCRC")) | {"group": group})
            keys.append(
                f"remission.subgroup.{column.lower()}_{''.join(c for c in str(value).lower() if c.isalnum())}"
            )
    return table_and_forest(
        "remission-subgroups", "Confirmed remission of proteinuria by UPCR in subgroups", data, keys,
        population="evaluable for proteinuria (UPCRFL)", n=f"{len(adsl)} randomised",
        method=f"{remission.INTERVALS}, no p-values and no test of interaction; source ADSL, ADTTE (UPCRC)",
        heading="Subgroup",
    )  # fmt: skip


def _undetermined(adsl, adlb, adtte, p):
    """Counts of both arms, and how many children of each are undetermined."""
    counts = remission.events(adtte, "UPCRC")
    opened = remission.undetermined(adsl, adlb, adtte, p).data["arm"]
    return counts, [int((opened == arm).sum()) for arm in ARMS]


def _counted(label, control: Count, active: Count) -> dict:
    row = compared(label, control, active)
    shares = f"{row['placebo_n']}/{row['placebo_N']} v {row['msc_n']}/{row['msc_N']}"
    return {"label": label, "n": shares, "estimate": row["difference"], "lower": row["lower"], "upper": row["upper"],
            "monte_carlo": np.nan, "text": row["difference_text"]}  # fmt: skip


def _ancova(data):
    return lambda change: mixed.ancova(change[:, -1], data.baseline, data.arm)


def _contrast(label, found, data, fit=False) -> dict:
    """A row of a contrast on the logarithm; `fit`: all children with a baseline and any value count."""
    seen = ~np.isnan(data.baseline)
    seen &= ~np.isnan(data.change).all(axis=1) if fit else ~np.isnan(data.change[:, -1])
    n = " v ".join(str(int((seen & (data.arm == a)).sum())) for a in (0, 1))
    shown = mixed_models.shown(found, True)
    text = estimate_text(*shown, 2)
    if not np.isfinite(shown[0]) and found.message:
        text = f"{NOT_ESTIMABLE} ({found.message})"
    return {"label": label, "n": n, "estimate": shown[0], "lower": shown[1], "upper": shown[2],
            "monte_carlo": getattr(found, "monte_carlo", np.nan), "text": text}  # fmt: skip


def _after_leaving(filled, data, shift):
    """`filled` with what was imputed after the last value of a child in the active arm moved: as `impute(delta=)`."""
    known = ~np.isnan(data.change)
    last = np.where(known.any(axis=1), known.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1), -1)
    late = (np.arange(known.shape[1]) > last[:, None]) & ~known & (data.arm == 1)[:, None]
    return imputation.Imputation(filled.values + shift * late, filled.message)


def _imputed(label, filled, adsl, data, p) -> dict:
    """Difference of confirmed remission, derived from each completed data set and pooled."""
    nothing = {
        "label": label,
        "n": "",
        "estimate": np.nan,
        "lower": np.nan,
        "upper": np.nan,
        "monte_carlo": np.nan,
    }
    evaluable = (adsl["UPCRFL"] == "Y").to_numpy() & ~np.isnan(data.baseline)
    sizes = [int((evaluable & (data.arm == a)).sum()) for a in (0, 1)]
    nothing["n"] = f"{sizes[0]} v {sizes[1]}"
    if not len(filled.values) or not min(sizes):
        why = filled.message if not len(filled.values) else "an arm without an evaluable child"
        return nothing | {"text": f"{NOT_ESTIMABLE} ({why})"}
    base = np.exp(data.baseline)
    # A value seen at a limit must not miss it by the rounding of exp and log.
    upcr = np.round(np.exp(filled.values) * base[:, None], 10)
    state = derive.in_remission(derive.upcr_response(upcr, base, p))
    state = derive.after_rescue(state, adam.DAYS, _days(adsl, "RESCDT"))
    hit = derive.confirmed(state, adam.DAYS, p.confirm_days).any(axis=-1)
    shares = [hit[:, evaluable & (data.arm == a)].mean(axis=1) for a in (0, 1)]
    spread = sum(s * (1 - s) / n for s, n in zip(shares, sizes, strict=True))
    found = imputation.rubin(shares[1] - shares[0], spread)
    if not np.isfinite(found.estimate):
        # Every completed data set has the same answer for all: the difference exists, its Wald interval does not.
        value = 100 * float((shares[1] - shares[0]).mean())
        return nothing | {"estimate": value, "text": f"{rounded(value, 1)} (no interval: {found.message})"}
    limits = [100 * v for v in (found.estimate, found.lower, found.upper)]
    return nothing | {"estimate": limits[0], "lower": limits[1], "upper": limits[2],
                      "monte_carlo": 100 * found.monte_carlo,
                      "text": estimate_text(*limits, found.message, 1)}  # fmt: skip


def _days(adsl, column):
    """Days from time zero to a date of ADSL; infinite where there is none."""
    days = (
        adsl[column].to_numpy("datetime64[D]") - adsl["TZERODT"].to_numpy("datetime64[D]")
    ) / np.timedelta64(1, "D")
    return np.where(np.isnan(days), np.inf, days)


def _upcr(adsl, adlb):
    """UPCR (children, 11) and baseline (children,) in ADSL's order."""
    whole = adam.visit_array(adlb, adsl, "PROTCRT").astype(float)
    return whole[:, 1:], adsl["UPCRBL"].to_numpy(float)


def _ill(adsl, adlb, adae):
    """Whether a child had an infection or a fever on the day of its UPCR (children, 11)."""
    when = (
        pd.DataFrame(adam.visit_array(adlb, adsl, "PROTCRT", "ADT")[:, 1:])
        .apply(pd.to_datetime)
        .to_numpy("datetime64[D]")
    )
    out = np.zeros(when.shape, bool)
    place = {child: k for k, child in enumerate(adsl["USUBJID"])}
    for row in adae[adae["AEDECOD"].isin(["infection", "fever"])].itertuples():
        day = when[place[row.USUBJID]]
        start = np.datetime64(row.ASTDT, "D")
        end = np.datetime64(row.AENDT, "D") if pd.notna(row.AENDT) else np.datetime64("9999-12-31")
        out[place[row.USUBJID]] |= (day >= start) & (day <= end)
    return out
