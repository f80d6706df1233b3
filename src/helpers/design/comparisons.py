"""Every number that the validation chapter compares: the reference, ours on the same data, and the verdict.

References are R's answers (`data/reference/r`) and published examples (`data/reference/published`). Time to
event goes in as ADTTE through `adam.events`, as in the trial's own chapters, so that a censoring flag read
the wrong way shows here too.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from helpers import ROOT
from helpers.analysis import adam
from helpers.estimators import discrete_time, imputation, interval_censored, mixed, proportions, survival
from helpers.study.protocol import DAYS_PER_MONTH

R_VALUES = "R 4.2.2"
CLOSED, ITERATIVE = 6, 4
"""Significant digits asked of a closed form, and of an iterative fit."""
SURVIVAL, NPSURV, SURVRM2 = "survival 3.5-3", "npsurv 0.5", "survRM2 1.0-4"
EXACT, STATS, MMRM, LMER = "Exact 3.3", "stats", "mmrm 0.3.18", "lmerTest 3.1-3"
STOPPED = "R's fit stopped 2.6e-7 below the maximum of the likelihood; ours reached it"
GLM_STOPS = "R's glm stops at a relative change of deviance of 1e-8: that leaves its SE 5 digits"
EM_STOPS = "both stop a search: R's probabilities carry an error near 1e-10"
LMER_STOPS = "both optimise; a variance component is flat at its maximum"


@dataclass(frozen=True)
class Comparison:
    """One number: reference and ours at full precision, how many digits must agree, why fewer, and if they do."""

    method: str
    data: str
    quantity: str
    key: str
    source: str
    reference: float
    ours: float
    required: float
    passes: bool
    reason: str = ""


def agrees(reference: float, ours: float, digits: float) -> bool:
    """Whether two numbers differ by at most 10^-digits of the reference (absolute where that is zero).

    Both missing (a median not reached, say) is agreement, one missing is none.
    """
    if np.isnan(reference) or np.isnan(ours):
        return bool(np.isnan(reference) and np.isnan(ours))
    return bool(abs(ours - reference) <= 10.0**-digits * (abs(reference) or 1.0))


def table(folder: str, name: str, **options) -> pd.DataFrame:
    """A file of the reference data, at full precision."""
    path = ROOT / "data" / "reference" / folder / f"{name}.csv"
    return pd.read_csv(path, float_precision="round_trip", **options)


def against_r() -> list[Comparison]:
    """All applicable rows of R's answers."""
    values = table("r", "r_values").set_index("key")["value"]
    return [
        *_r_survival(values),
        *_r_grouped(values),
        *_r_tables(values),
        *_r_mixed(values),
        *_r_slopes(values),
    ]


def against_papers() -> list[Comparison]:
    """Published examples: a number passes if it rounds to what was printed."""
    printed = table("published", "examples", dtype=str).set_index("key")
    out = []
    for method, data, quantity, key, value in _published():
        row = printed.loc[key]
        decimals = len(row["value"].partition(".")[2])
        reference, ours = float(row["value"]), float(value)
        # half a unit of the last printed digit, and what two processors' linear algebra may differ by
        passes = bool(abs(ours - reference) <= 0.5 * 10.0**-decimals + 1e-9 * abs(reference))
        shown = float(len(row["value"].replace(".", "").replace("-", "").lstrip("0")))
        source = f"{row['source']} ({row['how'].lower()})"
        reason = f"printed to {shown:.0f} digits" if shown < CLOSED else ""
        out.append(Comparison(method, data, quantity, key, source, reference, ours, shown, passes, reason))
    return out


def adtte_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The analysis table ADTTE of rows with arm, time, event and, where known, left and right."""
    nothing = pd.Series(np.nan, rows.index)
    right = rows.get("right", nothing).astype(float)
    return pd.DataFrame(
        {
            "USUBJID": [f"R{k:03d}" for k in range(len(rows))],
            "TRT01PN": rows["arm"].to_numpy(int),
            "PARAMCD": "EVENT",
            "ANL01FL": "Y",
            "AVAL": rows["time"].to_numpy(float),
            "CNSR": 1 - rows["event"].to_numpy(int),
            "LMONTH": rows.get("left", nothing).to_numpy(float),
            "RMONTH": right.where(np.isfinite(right)).to_numpy(float),
        }
    )


def _row(values, method, package, need, data="r/long.csv"):
    """A maker of comparisons against R's values with the same method, package and digits asked for."""

    def make(quantity, key, ours, required=need, reason="", reference=None):
        reference = float(values[key] if reference is None else reference)
        source = f"{R_VALUES}, {package}: {key}"
        passes = agrees(reference, float(ours), required)
        return Comparison(
            method, data, quantity, key, source, reference, float(ours), required, passes, reason
        )

    return make


def _children():
    return adam.events(adtte_of(table("r", "tte")), "EVENT")


def _r_survival(values):
    rows, out = _children(), []
    curves, masses = table("r", "r_km").query("conf == 'log-log'"), table("r", "r_npmle")
    km = _row(values, "Kaplan-Meier, log-log band", SURVIVAL, CLOSED, "r/tte.csv")
    npmle = _row(values, "Interval-censored NPMLE, (left, right]", NPSURV, ITERATIVE, "r/tte.csv")
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
    make = _row(values, "Log-rank test", SURVIVAL, CLOSED, "r/tte.csv")
    out += [make("chi-squared", "logrank.chisq", test.statistic), make("p", "logrank.p", test.p)]
    for k in (0, 1):
        out.append(make("observed", f"logrank.O.{k + 1}", test.observed[k]))
        out.append(make("expected", f"logrank.E.{k + 1}", test.expected[k]))
    make = _row(values, "Restricted mean time", SURVRM2, CLOSED, "r/tte.csv")
    tau = values["rmst.tau"]
    for arm in (0, 1):
        part = rows[rows["arm"] == arm]
        mean = survival.rmst(part["time"], part["event"], tau)
        out += [make("mean", f"rmst.arm{arm}", mean.estimate), make("SE", f"rmst.se.arm{arm}", mean.se)]
    gap = survival.rmst_difference(rows["time"], rows["event"], rows["arm"], tau)
    for k, name in enumerate(("estimate", "lower", "upper", "p"), 1):
        quantity = {"p": "p of the difference"}.get(name, "difference, interval")
        out.append(make(quantity, f"rmst.diff.{k}", getattr(gap, name)))
    make = _row(values, "Difference in cumulative incidence", SURVIVAL, CLOSED, "r/tte.csv")
    gap = survival.cumulative_difference(rows["time"], rows["event"], rows["arm"], tau)
    last = curves[curves["time"] <= tau].groupby("arm").last()
    out.append(make("difference", "r_km surv", gap.estimate, reference=last["surv"][0] - last["surv"][1]))
    out.append(make("SE", "r_km se", gap.se, reference=np.hypot(last["se"][0], last["se"][1])))
    return out


def _r_grouped(values):
    rows = table("r", "person_period")
    made = _row(values, "Discrete-time hazard ratio, cloglog", STATS, ITERATIVE, "r/person_period.csv")
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


def _r_tables(values):
    rows = _children()
    x0, x1 = (int(rows.loc[rows["arm"] == arm, "event"].sum()) for arm in (0, 1))
    n0, n1 = (int((rows["arm"] == arm).sum()) for arm in (0, 1))
    make = partial(_row, values, data="r/tte.csv, 2 x 2")
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


def trial_arrays():
    """Change of log-UPCR, eGFR (children, visits), baseline, arm, months: R's made-up trial as arrays."""
    long = table("r", "long")
    wide = {c: long.pivot(index="id", columns="visitn", values=c).to_numpy() for c in ("upcr", "chg", "egfr")}
    first = long.groupby("id").first()
    change = np.where(np.isnan(wide["upcr"]), np.nan, wide["chg"])
    month = long.groupby("visitn")["month"].first().to_numpy()
    return change, wide["egfr"], first["lbase"].to_numpy(), first["arm"].to_numpy(), month


VARIANTS = {
    "Satterthwaite": ("asymptotic", "Satterthwaite df, observed information"),
    "Kenward-Roger": (
        "kenward-roger",
        "Kenward-Roger as in R's mmrm: observed information, second derivatives in log-Cholesky parameters",
    ),
    "Kenward-Roger-Linear": (
        "kenward-roger-linear",
        "Kenward-Roger linear: observed information, no second derivatives",
    ),
}
"""R's name: (argument of `MixedFit.contrast`, the variant in words)."""


def _r_mixed(values):
    change, _, baseline, arm, month = trial_arrays()
    out = []
    for tag, visits in (("mmrm4", [5, 8, 9, 11]), ("mmrm11", list(range(1, 12)))):
        fit = mixed.mmrm(change[:, visits], baseline, arm, month[visits] * DAYS_PER_MONTH)
        stopped = STOPPED if tag == "mmrm4" else ""
        name = f"MMRM, {len(visits)} visits, unstructured"
        make = _row(values, name, MMRM, ITERATIVE)
        out.append(make("restricted log-likelihood", f"{tag}.Satterthwaite.reml", fit.reml))
        for method, (option, words) in VARIANTS.items():
            make = _row(values, f"{name}: {words}", MMRM, ITERATIVE)
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
    make = _row(values, "ANCOVA", STATS, CLOSED)
    for k, part in enumerate(("estimate", "se", "t", "p"), 1):
        out.append(make(part, f"ancova12.{k}", getattr(found, part)))
    return out


def _r_slopes(values):
    _, egfr, _, arm, month = trial_arrays()
    fit = mixed.random_slope(egfr, month / 12, arm)
    make = _row(values, "Random slopes, Satterthwaite df, observed information", LMER, ITERATIVE)
    out = [make("restricted log-likelihood", "lmer.reml", fit.reml)]
    for k, value in enumerate(fit.parameters.values(), 1):
        out.append(make("variance components", f"lmer.vc.{k}", value, reason=LMER_STOPS))
    expected = _row(
        values, "Random slopes, Kenward-Roger as in pbkrtest: expected information, no second derivatives",
        "pbkrtest 0.5.2", ITERATIVE,
    )  # fmt: skip
    for k, name in enumerate(fit.names, 1):
        found = fit.contrast({name: 1})
        for part, key in (("estimate", "coef"), ("se", "se"), ("df", "satt.df"), ("p", "satt.p")):
            out.append(make(part, f"lmer.{key}.{k}", getattr(found, part)))
        found = fit.contrast({name: 1}, se="kenward-roger-linear", information="expected")
        for part in ("se", "df", "p"):
            out.append(expected(part, f"lmer.kr.{part}.{k}", getattr(found, part)))
    return out


def _published():
    """(method, data, quantity, key of examples.csv, ours) of each published number."""
    yield from _published_tables()
    yield from _published_times()
    yield from _published_models()


def _published_tables():
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


def _published_times():
    weeks = table("published", "leukaemia")
    rows = weeks.rename(columns={"weeks": "time"}).assign(arm=(weeks["treatment"] == "placebo").astype(int))
    rows = adam.events(adtte_of(rows), "EVENT")
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
    men = table("published", "lung_men").rename(columns={"days": "time"}).assign(arm=0)
    men = adam.events(adtte_of(men), "EVENT")
    mean = survival.rmst(men["time"], men["event"], 993.5)
    yield "Restricted mean time", "published/lung_men.csv", "mean", "rmst.mean", mean.estimate
    yield "Restricted mean time", "published/lung_men.csv", "SE", "rmst.se", mean.se
    women = table("published", "cosmesis")
    fit = interval_censored.npmle(women["left"], women["right"].fillna(np.inf)).table
    mass = fit.set_index(["left", "right"])["probability"]
    for left, right in ((4, 5), (6, 7), (7, 8), (11, 12), (24, 25), (33, 34), (38, 40), (46, 48)):
        name = "Interval-censored NPMLE, (left, right]"
        ours = mass.get((float(left), float(right)), np.nan)
        yield name, "published/cosmesis.csv", "probabilities", f"npmle.{left}-{right}", ours


def _published_models():
    teeth = table("published", "dental")
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
    scores = table("published", "leprosy")
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
