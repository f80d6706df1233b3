"""Where programs that are all right give different numbers, as numbers: variants and conventions."""

import warnings
from collections.abc import Iterator

import lifelines
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from helpers.design import references
from helpers.design.against_r import VARIANTS
from helpers.estimators import mixed, proportions, survival
from helpers.study.protocol import DAYS_PER_MONTH

Row = tuple[str, str, str, float, str]
"""Of `differences`."""

PBKRTEST = "Kenward-Roger linear with expected information, as pbkrtest takes it"


def kenward_roger() -> pd.DataFrame:
    """One contrast under each variant of its standard error and degrees of freedom, on R's made-up trial.

    Change of log-UPCR at the last of four visits, hUC-MSC - placebo, by an unstructured MMRM.

    Returns
    -------
    A row a variant: variant, estimate, se, df, p. The first is the one that the trial's own chapters use.

    Examples
    --------
    As notebook 09-validation calls it:

    >>> variants = programs.kenward_roger()
    """
    change, _, baseline, arm, month = references.trial_arrays()
    visits = [5, 8, 9, 11]
    fit = mixed.mmrm(change[:, visits], baseline, arm, month[visits] * DAYS_PER_MONTH)
    last = np.eye(len(visits))[-1]
    variants = [(words, option, "observed") for option, words in VARIANTS.values()]
    variants.append((PBKRTEST, "kenward-roger-linear", "expected"))
    rows = []
    for words, option, information in variants:
        found = fit.arm_contrast(last, se=option, information=information)
        rows.append(
            {"variant": words, "estimate": found.estimate, "se": found.se, "df": found.df, "p": found.p}
        )
    return pd.DataFrame(rows)


def differences() -> pd.DataFrame:
    """What a convention changes on a small data set: R's numbers as kept, those of Python's libraries and ours.

    Returns
    -------
    A row a number: topic, program, quantity, value, note (why there is no value, else empty).

    Examples
    --------
    As notebook 09-validation calls it:

    >>> differences = programs.differences()
    """
    r = references.table("r", "r_values").set_index("key")["value"]
    rows = [
        *_survival(r["rmst.tau"]),
        ("restricted mean", "R", "se", r["rmst.se.arm1"], ""),
        *(("ties", "R", name, r[f"cox.{name}.coef"], "") for name in ("efron", "breslow", "exact")),
        *_two_by_two(),
        ("slope df", "lmerTest", "df", r["lmer.satt.df.4"], ""),
        ("slope df", "nlme", "df", r["lme.df.4"], ""),
    ]
    return pd.DataFrame(rows, columns=["topic", "program", "quantity", "value", "note"])


def _survival(tau: float) -> Iterator[Row]:
    curves = references.table("r", "r_km").query("arm == 1 and time < 1").groupby("conf").last()
    for scale in ("log", "log-log"):
        for end in ("lower", "upper"):
            yield "survival interval", scale, end, curves.loc[scale, end], ""
    times, seen = [1, 2, 3, 4], [1, 1, 1, 1]
    plateau = lifelines.KaplanMeierFitter().fit(times, seen).median_survival_time_
    yield "plateau", "lifelines", "median", plateau, ""
    yield "plateau", "here", "median", survival.median(times, seen).estimate, ""
    tte = references.table("r", "tte").query("arm == 1")
    steps = survival.kaplan_meier(tte["time"], tte["event"])
    before = steps[steps["time"] < tau]
    edges, heights = np.array([0.0, *before["time"], tau]), np.array([1.0, *before["survival"]])
    # lifelines' formula: twice the integral of t S(t), less the squared integral of S
    variance = (np.diff(edges**2) * heights).sum() - (np.diff(edges) * heights).sum() ** 2
    yield "restricted mean", "lifelines", "sd", np.sqrt(variance), ""
    yield "restricted mean", "here", "se", survival.rmst(tte["time"], tte["event"], tau).se, ""
    men = references.table("published", "lung_men")
    beyond = survival.rmst(men["days"], men["event"], 1100)
    yield "beyond follow-up", "here", "mean", beyond.estimate, beyond.message


def _two_by_two() -> Iterator[Row]:
    with warnings.catch_warnings():
        # statsmodels warns of its own score interval
        warnings.simplefilter("ignore")
        score = confint_proportions_2indep(56, 70, 48, 80, method="score", compare="diff", correction=True)
        barnard = stats.barnard_exact([[13, 6], [7, 14]]).pvalue
    for program, limits in (("statsmodels", score), ("here", proportions.miettinen_nurminen(48, 80, 56, 70))):
        for end, limit in zip(("lower", "upper"), limits, strict=True):
            yield "Miettinen-Nurminen", program, end, float(limit), ""
    yield "Barnard", "scipy", "p", barnard, ""
    yield "Barnard", "here", "p", proportions.barnard(6, 20, 13, 20), ""
    yield "Boschloo", "here", "p", proportions.boschloo(6, 20, 14, 20), ""
    yield "exact interval", "mid-p order", "p", _by_mid_p(0, 18, 4, 18), ""
    yield "exact interval", "here", "p", proportions.boschloo(0, 18, 4, 18), ""
    for program, interval in (
        ("here", proportions.boschloo_interval),
        ("score", proportions.miettinen_nurminen),
    ):
        for end, limit in zip(("lower", "upper"), interval(6, 18, 12, 18), strict=True):
            yield "exact interval", program, end, limit, ""


def _by_mid_p(x0: int, n0: int, x1: int, n1: int) -> float:
    """Two-sided p of the unconditional test that orders by Fisher's mid-p, more events in the active arm first."""
    a, b = np.arange(n0 + 1)[:, None], np.arange(n1 + 1)[None, :]
    mid = stats.hypergeom.sf(b, n0 + n1, a + b, n1) + stats.hypergeom.pmf(b, n0 + n1, a + b, n1) / 2
    region = (mid <= mid[x0, x1] + 1e-9).astype(float)
    p = np.linspace(0.0, 1.0, 1001)
    control, active = (stats.binom.pmf(np.arange(n + 1)[:, None], n, p) for n in (n0, n1))
    return min(1.0, 2 * float((control * (region @ active)).sum(axis=0).max()))
