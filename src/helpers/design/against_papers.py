"""Our numbers on published data and examples: `data/reference/published/examples.csv`.

A row says how its reference is known: READ, a number printed in its source, or COMPUTED, by R on the same data or from
a closed form, with the listing `reference.R` and its answers `r_values.csv` beside the data.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from helpers.analysis import adam
from helpers.design import references
from helpers.design.references import CLOSED, ITERATIVE, Pair
from helpers.estimators import imputation, interval_censored, mixed, proportions, survival
from helpers.study import kidney
from helpers.study.protocol import DAYS_PER_MONTH

Ours = tuple[str, str, str, str, float]
"""(method, data, quantity, key of examples.csv, our number)."""
COMPUTED = "COMPUTED"
"""A reference of R or of a closed form, beside READ, a printed one."""


_ITERATIVE = ("npmle.", "mmrm.", "slope.")
_BY_CONVENTION = {"units.upcr": 2, "units.bun": 3, "units.creatinine": 4}
"""Factors that everybody rounds (113, 2.8, 88.4), and the digits that are left of the molar mass."""


def pairs() -> list[Pair]:
    """A pair for each row: ours must round to what was printed, or agree with what R computed."""
    rows = references.table("published", "examples", dtype=str).set_index("key")
    computed = references.table("published", "r_values").set_index("key")
    return [_pair(ours, rows.loc[ours[3]], computed) for part in _PARTS for ours in part()]


def _pair(ours: Ours, row: pd.Series, computed: pd.DataFrame) -> Pair:
    method, data, quantity, key, value = ours
    if row["how"] == COMPUTED:
        found = computed.loc[key]
        need = ITERATIVE if key.startswith(_ITERATIVE) else _BY_CONVENTION.get(key, CLOSED)
        why = "a factor that is rounded by convention" if key in _BY_CONVENTION else ""
        source = f"{row['source']} (computed: {found['how']})"
        return Pair(method, data, quantity, key, source, float(found["value"]), float(value), need, why)
    text = row["value"]
    digits = len(text.replace(".", "").replace("-", "").lstrip("0"))
    reason = f"printed to {digits} digits" if digits < CLOSED else ""
    decimals = len(text.partition(".")[2])
    source = f"{row['source']} (printed)"
    return Pair(method, data, quantity, key, source, float(text), float(value), digits, reason, decimals)


def _tables() -> Iterator[Ours]:
    pairs = {"1": (48, 80, 56, 70), "2": (3, 10, 9, 10)}
    for name, words, method in (
        ("mn", "Miettinen-Nurminen interval", proportions.miettinen_nurminen),
        ("newcombe", "Newcombe's interval", proportions.newcombe),
    ):
        for k, counts in pairs.items():
            for end, limit in zip(("lower", "upper"), method(*counts), strict=True):
                yield words, "counts in the source", "limits", f"{name}.{k}.{end}", limit
    one = (
        ("wilson", "Wilson's interval", proportions.wilson),
        ("clopper", "Clopper-Pearson interval", proportions.clopper_pearson),
    )
    for name, words, method in one:
        for end, limit in zip(("lower", "upper"), method(15, 148), strict=True):
            yield words, "counts in the source", "limits", f"{name}.{end}", limit
    fisher, here = proportions.fisher, "counts in the source"
    yield "Fisher's exact test", here, "p, two-sided", "fisher.convictions", fisher(10, 13, 2, 15 + 2)
    yield "Fisher's exact test", here, "p, two-sided", "fisher.tea", fisher(1, 4, 3, 4)
    yield "Fisher's exact test", here, "p, two-sided", "fisher.epinephrine", fisher(1, 34, 7, 34)
    boschloo, barnard = proportions.boschloo(1, 34, 7, 34), proportions.barnard(1, 34, 7, 34)
    yield "Boschloo's exact test", here, "p, two-sided", "boschloo.epinephrine", boschloo
    yield "Barnard's exact test, pooled score", here, "p, two-sided", "barnard.epinephrine", barnard
    one_sided = proportions.barnard(7, 15, 12, 15) / 2
    yield "Barnard's exact test, pooled score", here, "p, one side of two equal", "barnard.vaccine", one_sided
    first, second = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]), np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    yield "Cohen's kappa", here, "kappa", "kappa", proportions.agreement(first, second).kappa


def _times() -> Iterator[Ours]:
    weeks = references.table("published", "leukaemia")
    rows = weeks.rename(columns={"weeks": "time"}).assign(arm=(weeks["treatment"] == "placebo").astype(int))
    rows = adam.events(references.adtte_of(rows), "EVENT")
    parts = {name: rows[rows["arm"] == k] for k, name in enumerate(("6-MP", "placebo"))}
    data, km = "published/leukaemia.csv", "Kaplan-Meier, log-log band"
    curve = survival.kaplan_meier(parts["6-MP"]["time"], parts["6-MP"]["event"]).set_index("time")["survival"]
    for week in (6, 7, 10, 13, 16, 22, 23):
        yield km, data, "survival", f"km.{week}", curve.get(week, np.nan)
    for name, part in parts.items():
        yield km, data, "median", f"median.{name}", survival.median(part["time"], part["event"]).estimate
    test = survival.logrank(rows["time"], rows["event"], rows["arm"])
    yield "Log-rank test", data, "chi-squared", "logrank.chisq", test.statistic
    for k, name in enumerate(parts):
        yield "Log-rank test", data, "expected", f"logrank.expected.{name}", test.expected[k]
    men = references.table("published", "lung_men").rename(columns={"days": "time"}).assign(arm=0)
    men = adam.events(references.adtte_of(men), "EVENT")
    mean = survival.rmst(men["time"], men["event"], 993.5)
    yield "Restricted mean time", "published/lung_men.csv", "mean", "rmst.mean", mean.estimate
    yield "Restricted mean time", "published/lung_men.csv", "SE", "rmst.se", mean.se
    women = references.table("published", "cosmesis")
    fit = interval_censored.npmle(women["left"], women["right"].fillna(np.inf)).table
    mass = fit.set_index(["left", "right"])["probability"]
    for left, right in ((4, 5), (6, 7), (7, 8), (11, 12), (24, 25), (33, 34), (38, 40), (46, 48)):
        name = "Interval-censored NPMLE, (left, right]"
        ours = mass.get((float(left), float(right)), np.nan)
        yield name, "published/cosmesis.csv", "probabilities", f"npmle.{left}-{right}", ours


def _models() -> Iterator[Ours]:
    teeth = references.table("published", "dental")
    y, ages = teeth.drop(columns="sex").to_numpy(float), np.array([8.0, 10, 12, 14])
    boys = (teeth["sex"] == "M").to_numpy(int)
    s = mixed.mmrm(y, None, boys, ages).covariance
    for key, j, k in (
        ("var.8", 0, 0),
        ("cov.8.10", 0, 1),
        ("var.10", 1, 1),
        ("var.12", 2, 2),
        ("cov.12.14", 2, 3),
        ("var.14", 3, 3),
    ):
        yield "MMRM, unstructured", "published/dental.csv", "covariance", f"mmrm.{key}", s[j, k]
    fit = mixed.random_slope(y, ages - 11, boys)
    slopes = {"girls": {"time": 1}, "boys": {"time": 1, "time x arm": 1}}
    for name, weights in slopes.items():
        estimate = fit.contrast(weights).estimate
        yield "Random slopes", "published/dental.csv", "slopes", f"slope.{name}", estimate
    for part in ("residual", "intercept", "slope"):
        sd = np.sqrt(fit.parameters.get(f"var {part}", np.nan))
        yield "Random slopes", "published/dental.csv", "standard deviations", f"slope.sd.{part}", sd
    scores = references.table("published", "leprosy")
    drug = scores["drug"].to_numpy()
    fit = mixed.mmrm(
        scores[["after"]].to_numpy(float),
        scores["before"],
        (drug == "A").astype(int),
        [1],
        (drug == "D").astype(float),
    )
    for name, column in (("A", "arm[1]"), ("D", "covariate[1]"), ("slope", "baseline[1]")):
        found = fit.contrast({column: 1})
        yield (
            "ANCOVA (one visit of the mixed model)",
            "published/leprosy.csv",
            "coefficient",
            f"ancova.{name}",
            found.estimate,
        )
        yield (
            "ANCOVA (one visit of the mixed model)",
            "published/leprosy.csv",
            "SE",
            f"ancova.{name}.se",
            found.se,
        )
    spread = np.array([-1, -1, 0, 1, 1]) * np.sqrt(0.1 / 1.2)
    large = imputation.rubin(spread, np.ones(5)).df
    yield "Rubin's rules", "variances in the source", "df", "rubin.df.large", large
    yield (
        "Rubin's rules",
        "variances in the source",
        "df",
        "rubin.df.complete",
        imputation.rubin([1, 1], [2, 2], 58).df,
    )


def _kidney() -> Iterator[Ours]:
    """Equations of eGFR, factors between units and the length of a month, in the units of their sources."""
    here, mg_dl = "inputs in the source", kidney.UMOL_PER_MG_DL
    name = "Bedside Schwartz eGFR"
    for key, height, umol in (
        ("120.0.6", 120, 0.6 * mg_dl),
        ("120.0.5", 120, 0.5 * mg_dl),
        ("175.88.4", 175, 88.4),
        ("mg", 125, 0.5 * mg_dl),
        ("umol", 125, 50),
    ):
        yield name, here, "eGFR", f"schwartz.{key}", kidney.schwartz(height, umol).item()
    told = ((11.0, 1.2, 0.9, 1.3), (15.0, 1.6, 1.9, 1.6), (20.0, 1.81, 2.1, 1.8))
    for age, metres, creatinine, cystatin in told:
        for sex in ("male", "female"):
            child = {"height": 100 * metres, "creatinine": creatinine * mg_dl, "cystatin_c": cystatin}
            for way, method in (("cr", "U25 creatinine"), ("cys", "U25 cystatin C"), ("mean", "U25 mean")):
                ours = kidney.egfr(method, **child, age=age, male=sex == "male").item()
                yield f"CKiD {method} eGFR", here, "eGFR", f"u25.{way}.{sex}.{age:g}", ours
    for sex in "MF":
        for age in (3.0, 7.5, 11.9, 12, 14.9, 15, 17.9, 18):
            ours = kidney.u25_creatinine(125, 0.5 * mg_dl, age, sex == "M").item()
            yield "CKiD U25 creatinine eGFR", here, "eGFR by age", f"u25.cr.{sex}.{age:g}", ours
            ours = kidney.u25_cystatin(0.8, age, sex == "M").item()
            yield "CKiD U25 cystatin C eGFR", here, "eGFR by age", f"u25.cys.{sex}.{age:g}", ours
    units = "Units and the length of a month"
    yield units, here, "umol/L of creatinine per mg/dL", "units.creatinine", kidney.UMOL_PER_MG_DL
    yield units, here, "mg/mmol of protein to creatinine per mg/mg", "units.upcr", kidney.MG_MMOL_PER_MG_MG
    yield units, here, "mg/dL of urea nitrogen per mmol/L", "units.bun", kidney.BUN_MG_DL_PER_MMOL
    yield units, here, "days a month", "units.month", DAYS_PER_MONTH


_PARTS = (_tables, _times, _models, _kidney)
