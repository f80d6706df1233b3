"""Our numbers beside published ones, on the same data: `data/reference/published/examples.csv`."""

from collections.abc import Iterator

import numpy as np

from helpers.analysis import adam
from helpers.design import references
from helpers.design.references import CLOSED, Pair
from helpers.estimators import imputation, interval_censored, mixed, proportions, survival

Ours = tuple[str, str, str, str, float]
"""(method, data, quantity, key of examples.csv, our number)."""


def pairs() -> list[Pair]:
    """A pair for each published number: it must round to what was printed."""
    printed = references.table("published", "examples", dtype=str).set_index("key")
    out = []
    for method, data, quantity, key, ours in (*_tables(), *_times(), *_models()):
        row = printed.loc[key]
        text = row["value"]
        digits = len(text.replace(".", "").replace("-", "").lstrip("0"))
        source = f"{row['source']} ({row['how'].lower()})"
        reason = f"printed to {digits} digits" if digits < CLOSED else ""
        decimals = len(text.partition(".")[2])
        out.append(
            Pair(method, data, quantity, key, source, float(text), float(ours), digits, reason, decimals)
        )
    return out


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
