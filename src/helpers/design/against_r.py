"""Our numbers beside R's, on the same data: all applicable rows of `data/reference/r`."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from helpers.design import references
from helpers.design.references import CLOSED, ITERATIVE, Pair
from helpers.estimators import discrete_time, interval_censored, mixed, proportions, survival
from helpers.study.protocol import DAYS_PER_MONTH

R_VALUES = "R 4.2.2"
SURVIVAL, NPSURV, SURVRM2 = "survival 3.5-3", "npsurv 0.5", "survRM2 1.0-4"
EXACT, STATS, MMRM, LMER = "Exact 3.3", "stats", "mmrm 0.3.18", "lmerTest 3.1-3"
STOPPED = "R's fit stopped 2.6e-7 below the maximum of the likelihood; ours reached it"
GLM_STOPS = "R's glm stops at a relative change of deviance of 1e-8: that leaves its SE 5 digits"
EM_STOPS = "both stop a search: R's probabilities carry an error near 1e-10"
LMER_STOPS = "both optimise; a variance component is flat at its maximum"

VARIANTS = {
    "Kenward-Roger-Linear": (
        "kenward-roger-linear",
        "Kenward-Roger linear: observed information, no second derivatives",
    ),
    "Satterthwaite": ("asymptotic", "Satterthwaite df, observed information"),
    "Kenward-Roger": (
        "kenward-roger",
        "Kenward-Roger as in R's mmrm: observed information, second derivatives in log-Cholesky parameters; "
        "anticonservative with many visits and few children",
    ),
}
"""R's name: (argument of `MixedFit.contrast`, the variant in words)."""


def pairs() -> list[Pair]:
    """A pair for each number that R gave."""
    values = references.table("r", "r_values").set_index("key")["value"]
    return [
        *_survival(values),
        *_grouped(values),
        *_two_by_two(values),
        *_mixed(values),
        *_slopes(values),
    ]


def _maker(
    values: pd.Series, method: str, package: str, need: int, data: str = "r/long.csv"
) -> Callable[..., Pair]:
    """A maker of pairs with R's values that share method, package and digits asked for."""

    def make(
        quantity: str,
        key: str,
        ours: float,
        required: int = need,
        reason: str = "",
        reference: float | None = None,
    ) -> Pair:
        reference = float(values[key] if reference is None else reference)
        source = f"{R_VALUES}, {package}: {key}"
        return Pair(method, data, quantity, key, source, reference, float(ours), required, reason)

    return make


def _survival(values: pd.Series) -> list[Pair]:
    rows, out = references.children(), []
    curves = references.table("r", "r_km").query("conf == 'log-log'")
    masses = references.table("r", "r_npmle")
    km = _maker(values, "Kaplan-Meier, log-log band", SURVIVAL, CLOSED, "r/tte.csv")
    npmle = _maker(values, "Interval-censored NPMLE, (left, right]", NPSURV, ITERATIVE, "r/tte.csv")
    for arm in (0, 1):
        part = rows[rows["arm"] == arm]
        found = survival.kaplan_meier(part["time"], part["event"]).set_index("time")
        for line in curves[curves["arm"] == arm].itertuples():
            for name, theirs in (
                ("survival", line.surv),
                ("lower", line.lower),
                ("upper", line.upper),
                ("n_risk", line.n),
            ):
                ours = found[name].get(line.time, np.nan)
                out.append(
                    km(f"{name}, arm {arm}", f"r_km arm{arm} t{line.time:g} {name}", ours, reference=theirs)
                )
        median = survival.median(part["time"], part["event"])
        for k, name in enumerate(("estimate", "lower", "upper"), 1):
            out.append(km(f"median, arm {arm}", f"km.median.log-log.arm{arm}.{k}", getattr(median, name)))
        fit = interval_censored.npmle(part["left"], part["right"])
        out.append(npmle("log-likelihood", f"npmle.ll.arm{arm}", fit.log_likelihood))
        mass = fit.table.set_index(["left", "right"])["probability"]
        for line in masses[masses["arm"] == arm].itertuples():
            end = f"{line.right:g}" if np.isfinite(line.right) else "beyond"
            key = f"r_npmle arm{arm} ({line.left:g}, {end}]"
            ours = mass.get((line.left, line.right), np.nan)
            out.append(npmle(f"probabilities, arm {arm}", key, ours, reference=line.p, reason=EM_STOPS))
    test = survival.logrank(rows["time"], rows["event"], rows["arm"])
    make = _maker(values, "Log-rank test", SURVIVAL, CLOSED, "r/tte.csv")
    out += [make("chi-squared", "logrank.chisq", test.statistic), make("p", "logrank.p", test.p)]
    for k in (0, 1):
        out.append(make("observed", f"logrank.O.{k + 1}", test.observed[k]))
        out.append(make("expected", f"logrank.E.{k + 1}", test.expected[k]))
    make = _maker(values, "Restricted mean time", SURVRM2, CLOSED, "r/tte.csv")
    tau = values["rmst.tau"]
    for arm in (0, 1):
        part = rows[rows["arm"] == arm]
        mean = survival.rmst(part["time"], part["event"], tau)
        out += [make("mean", f"rmst.arm{arm}", mean.estimate), make("SE", f"rmst.se.arm{arm}", mean.se)]
    gap = survival.rmst_difference(rows["time"], rows["event"], rows["arm"], tau)
    for k, name in enumerate(("estimate", "lower", "upper", "p"), 1):
        quantity = {"p": "p of the difference"}.get(name, "difference, interval")
        out.append(make(quantity, f"rmst.diff.{k}", getattr(gap, name)))
    make = _maker(values, "Difference in cumulative incidence", SURVIVAL, CLOSED, "r/tte.csv")
    gap = survival.cumulative_difference(rows["time"], rows["event"], rows["arm"], tau)
    last = curves[curves["time"] <= tau].groupby("arm").last()
    out.append(make("difference", "r_km surv", gap.estimate, reference=last["surv"][0] - last["surv"][1]))
    out.append(make("SE", "r_km se", gap.se, reference=np.hypot(last["se"][0], last["se"][1])))
    return out


def _grouped(values: pd.Series) -> list[Pair]:
    rows = references.table("r", "person_period")
    made = _maker(values, "Discrete-time hazard ratio, cloglog", STATS, ITERATIVE, "r/person_period.csv")
    fit = discrete_time.discrete_hazard_ratio(
        rows["y"], rows["arm"], np.log(rows["month"]), firth=False, interval="wald"
    )
    # R lists the intercept first, our design the arm.
    out = [made("coefficients", f"cloglog.coef.{k}", fit.coefficients[j]) for j, k in enumerate((2, 1, 3))]
    out.append(made("SE", "cloglog.se.2", fit.se, reason=GLM_STOPS))
    visits = (rows["visitn"].to_numpy()[:, None] == np.unique(rows["visitn"])[1:]).astype(float)
    whole = discrete_time.discrete_hazard_ratio(rows["y"], rows["arm"], visits, firth=False, interval="wald")
    out.append(made("coefficient, visit indicators", "cloglog.sat.arm.1", whole.log_ratio))
    out.append(made("SE, visit indicators", "cloglog.sat.arm.2", whole.se, reason=GLM_STOPS))
    return out


def _two_by_two(values: pd.Series) -> list[Pair]:
    rows = references.children()
    x0, x1 = (int(rows.loc[rows["arm"] == arm, "event"].sum()) for arm in (0, 1))
    n0, n1 = (int((rows["arm"] == arm).sum()) for arm in (0, 1))
    make = partial(_maker, values, data="r/tte.csv, 2 x 2")
    out = [
        make("Counts of events", "the data", CLOSED)("active", "tab.1", x1),
        make("Counts of events", "the data", CLOSED)("control", "tab.2", x0),
        make("Fisher's exact test", STATS, CLOSED)(
            "p, two-sided", "fisher.p", proportions.fisher(x0, n0, x1, n1)
        ),
        make("Boschloo's exact test", EXACT, CLOSED)(
            "p, two-sided", "exact.boschloo.two.sided", proportions.boschloo(x0, n0, x1, n1)
        ),
        make("Barnard's exact test, pooled score", EXACT, CLOSED)(
            "p, two-sided", "exact.z-pooled.two.sided", proportions.barnard(x0, n0, x1, n1)
        ),
    ]
    for name, method in (("mn", proportions.miettinen_nurminen), ("newcombe", proportions.newcombe)):
        words = {"mn": "Miettinen-Nurminen interval", "newcombe": "Newcombe's interval"}[name]
        limits = method(x0, n0, x1, n1)
        out += [
            make(words, "written out in reference.R", CLOSED)("limits", f"{name}.{k + 1}", limits[k])
            for k in (0, 1)
        ]
    return out


def _mixed(values: pd.Series) -> list[Pair]:
    change, _, baseline, arm, month = references.trial_arrays()
    out = []
    for tag, visits in (("mmrm4", [5, 8, 9, 11]), ("mmrm11", list(range(1, 12)))):
        fit = mixed.mmrm(change[:, visits], baseline, arm, month[visits] * DAYS_PER_MONTH)
        stopped = STOPPED if tag == "mmrm4" else ""
        name = f"MMRM, {len(visits)} visits, unstructured"
        make = _maker(values, name, MMRM, ITERATIVE)
        out.append(make("restricted log-likelihood", f"{tag}.Satterthwaite.reml", fit.reml))
        for method, (option, words) in VARIANTS.items():
            make = _maker(values, f"{name}: {words}", MMRM, ITERATIVE)
            for what, weights in (
                ("final", np.eye(len(visits))[-1]),
                ("avg", np.full(len(visits), 1 / len(visits))),
            ):
                found = fit.arm_contrast(weights, se=option)
                for k, part in enumerate(("estimate", "se", "df", "t", "p"), 1):
                    # the standard error of a likelihood stopped early has 4 digits at best, and p fewer
                    need = 3 if stopped and part in ("se", "df", "t", "p") else ITERATIVE
                    key = f"{tag}.{method}.{what}.{k}"
                    out.append(make(part, key, getattr(found, part), need, stopped if need == 3 else ""))
    found = mixed.ancova(change[:, 11], baseline, arm)
    make = _maker(values, "ANCOVA", STATS, CLOSED)
    for k, part in enumerate(("estimate", "se", "t", "p"), 1):
        out.append(make(part, f"ancova12.{k}", getattr(found, part)))
    return out


def _slopes(values: pd.Series) -> list[Pair]:
    _, egfr, _, arm, month = references.trial_arrays()
    fit = mixed.random_slope(egfr, month / 12, arm)
    make = _maker(values, "Random slopes, Satterthwaite df, observed information", LMER, ITERATIVE)
    out = [make("restricted log-likelihood", "lmer.reml", fit.reml)]
    for k, value in enumerate(fit.parameters.values(), 1):
        out.append(make("variance components", f"lmer.vc.{k}", value, reason=LMER_STOPS))
    expected = _maker(
        values, "Random slopes, Kenward-Roger as in pbkrtest: expected information, no second derivatives",
        "pbkrtest 0.5.2", ITERATIVE,
    )  # fmt: skip
    for k, name in enumerate(fit.names, 1):
        found = fit.contrast({name: 1}, se="asymptotic")
        for part, key in (("estimate", "coef"), ("se", "se"), ("df", "satt.df"), ("p", "satt.p")):
            out.append(make(part, f"lmer.{key}.{k}", getattr(found, part)))
        found = fit.contrast({name: 1}, se="kenward-roger-linear", information="expected")
        for part in ("se", "df", "p"):
            out.append(expected(part, f"lmer.kr.{part}.{k}", getattr(found, part)))
    return out
