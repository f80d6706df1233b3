"""Comparisons: everything agrees as it is, the gate lets nothing wrong pass, and every seeded fault is seen."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from helpers.analysis import adam
from helpers.design import against_papers, against_r, comparisons, programs, references
from helpers.estimators import interval_censored, mixed, proportions, survival
from helpers.study import kidney


@pytest.fixture(scope="module")
def every():
    return comparisons.every()


def failing():
    found = comparisons.every()
    failed = found[~found["passes"]]
    return set(failed["method"]), set(failed["key"])


def test_everything_agrees_as_it_is(every):
    assert every.loc[~every["passes"], "key"].tolist() == []
    assert len(every) > 250


def test_every_method_of_the_trial_has_a_reference_in_r_and_a_published_example(every):
    names = every["method"].str.split(",").str[0].str.split(" (", regex=False).str[0]
    from_r = every["source"].str.startswith("R ")
    r, papers = set(names[from_r]), set(names[~from_r])
    # No published data with a binary arm, and none with Greenwood's difference, were found.
    assert r - papers <= {
        "Discrete-time hazard ratio",
        "Difference in cumulative incidence",
        "Counts of events",
    }
    assert papers - r <= {
        "Wilson's interval",
        "Clopper-Pearson interval",
        "Cohen's kappa",
        "Rubin's rules",
        "Bedside Schwartz eGFR",
        "CKiD U25 creatinine eGFR",
        "CKiD U25 cystatin C eGFR",
        "CKiD U25 mean eGFR",
        "Units and the length of a month",
    }


def test_all_applicable_rows_of_r_are_used():
    keys = set(references.table("r", "r_values")["key"])
    used = {pair.key for pair in against_r.pairs()}
    # Not offered here: other bands and quantiles, Cox and Weibull models, strata, Peto, odds ratios, Mee, Wald.
    apart = ("km.q25", "km.median.log.", "km.median.plain", "km.median.logit", "km.median.arcsin", "cox.", "weib.",
             "petopeto", "logrank.strat", "logrank.V", "rmst.survival", "rmst.tau", "fisher.or",
             "exact.boschloo.greater",
             "exact.z-pooled.greater", "mee", "wald", "cmh", "lme.", "lmer.singular", "cloglog.dev", "cloglog.sat.dev",
             "cloglog.se.1", "cloglog.se.3")  # fmt: skip
    left = {k for k in keys - used if not k.startswith(apart)}
    # gls and the Kenward-Roger fits maximise the same likelihood, told once.
    assert {
        k for k in left if ".gls." not in k and not k.endswith("Roger.reml") and "Linear.reml" not in k
    } == set()


def test_the_gate_asks_for_six_digits_or_four_or_says_why_fewer(every):
    r = every[every["source"].str.startswith("R ")]
    assert set(r["required"]) == {3, 4, 6}
    assert (references.CLOSED, references.ITERATIVE) == (6, 4)
    assert (r.loc[r["required"] == 3, "reason"] != "").all()
    assert (r["required"] == 3).mean() < 0.15
    iterative = ("MMRM", "Random slopes", "Discrete-time", "Interval-censored")
    closed = ~r["method"].str.startswith(iterative)
    assert (r.loc[closed, "required"] == 6).all()


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("module", [against_r, against_papers], ids=["R", "papers"])
def test_ours_moved_by_little_more_than_is_allowed_fails_everywhere(monkeypatch, module, sign):
    """Through the frame, because that is where the gate stands."""
    pairs = [pair for pair in module.pairs() if np.isfinite(pair.reference)]
    for factor, passes in ((0.98, True), (1.02, False)):
        moved = []
        for pair in pairs:
            allowed = 10.0**-pair.required * (abs(pair.reference) or 1)
            if pair.decimals is not None:
                allowed = 0.5 * 10.0**-pair.decimals + 1e-9 * abs(pair.reference)
            moved.append(replace(pair, ours=pair.reference + sign * factor * allowed))
        for other in (against_r, against_papers):
            monkeypatch.setattr(other, "pairs", lambda found=moved if other is module else (): found)
        found = comparisons.every()
        assert len(found) == len(pairs)
        assert found.loc[found["passes"] != passes, "key"].tolist() == []


def test_agreement_allows_the_digits_asked_for_and_no_more():
    assert comparisons.agrees(2.0, 2.00019, 4)
    assert not comparisons.agrees(2.0, 2.00021, 4)
    assert comparisons.agrees(np.nan, np.nan, 4)
    assert not comparisons.agrees(np.nan, 1.0, 1)
    assert not comparisons.agrees(1.0, np.nan, 1)
    assert not comparisons.agrees(1.0, np.inf, 1)
    assert comparisons.agrees(0.0, 9e-8, 7)
    assert not comparisons.agrees(0.0, 2e-7, 7)


def swapped_arms(monkeypatch):
    right = references.adtte_of
    monkeypatch.setattr(
        references, "adtte_of", lambda rows: right(rows).assign(TRT01PN=lambda t: 1 - t["TRT01PN"])
    )


def flipped_censoring(monkeypatch):
    right = adam.events
    monkeypatch.setattr(adam, "events", lambda *a: right(*a).assign(event=lambda t: 1 - t["event"]))


def closed_intervals(monkeypatch):
    right = interval_censored.npmle
    closed = lambda left, *rest: right(np.maximum(np.asarray(left, float) - 1e-9, 0), *rest)  # noqa: E731
    monkeypatch.setattr(interval_censored, "npmle", closed)


def ties_broken(monkeypatch):
    """Tied times taken apart by their order in the table."""
    right = survival.logrank
    monkeypatch.setattr(
        survival, "logrank", lambda time, *rest: right(time + 1e-6 * np.arange(len(time)), *rest)
    )


def strict_fisher(monkeypatch):
    """Tables as likely as the one seen don't count as extreme."""

    def strict(x0, n0, x1, n1):
        k = np.arange(max(0, x0 + x1 - n0), min(n1, x0 + x1) + 1)
        chance = stats.hypergeom.pmf(k, n0 + n1, x0 + x1, n1)
        seen = chance[k == x1][0]
        return float(chance[chance < seen * (1 - 1e-7)].sum() + seen)

    monkeypatch.setattr(proportions, "fisher", strict)


def at_risk_after(monkeypatch):
    right = survival.kaplan_meier
    after = lambda *a, **k: right(*a, **k).assign(n_risk=lambda t: t["n_risk"] - t["n_event"])  # noqa: E731
    monkeypatch.setattr(survival, "kaplan_meier", after)


def schwartz_constant(monkeypatch):
    """The constant of the eGFR that simulator and analysis share, a half per cent off."""
    monkeypatch.setattr(kidney, "SCHWARTZ_K", 0.415)


def schwartz_constant_in_the_last_digit(monkeypatch):
    monkeypatch.setattr(kidney, "SCHWARTZ_K", 0.4131)


def old_creatinine_units(monkeypatch):
    """88 umol/L a mg/dL in the equations, which the inputs in mg/dL don't share."""
    right = kidney.schwartz
    monkeypatch.setattr(kidney, "schwartz", lambda height, creatinine: right(height, creatinine) * 88 / 88.4)


def age_of_change_missed(monkeypatch):
    """The coefficient of boys goes on beyond 12 years as below."""
    right = kidney.u25_creatinine_k
    monkeypatch.setattr(kidney, "u25_creatinine_k", lambda age, male: right(np.minimum(age, 11.99), male))


def cystatin_exponent(monkeypatch):
    right = kidney.u25_cystatin_k
    monkeypatch.setattr(
        kidney, "u25_cystatin_k", lambda age, male: right(age, male) * 1.0001 ** (np.asarray(age) - 15)
    )


def girls_are_boys(monkeypatch):
    right = kidney.u25_cystatin_k
    monkeypatch.setattr(kidney, "u25_cystatin_k", lambda age, male: right(age, True))


def calendar(monkeypatch):
    """Gregorian instead of 365.25 days a year: 30.436875 a month."""
    monkeypatch.setattr(against_papers, "DAYS_PER_MONTH", 365.2425 / 12)


def urea_instead_of_its_nitrogen(monkeypatch):
    monkeypatch.setattr(kidney, "BUN_MG_DL_PER_MMOL", 6.0)


def no_small_sample_factor(monkeypatch):
    """Satterthwaite's t read as a normal."""
    right = mixed.MixedFit.contrast

    def normal(self, *args, **options):
        found = right(self, *args, **options)
        return mixed.Contrast(
            found.estimate, found.se, np.inf, found.t, float(2 * stats.norm.sf(abs(found.t)))
        )

    monkeypatch.setattr(mixed.MixedFit, "contrast", normal)


FAULTS = {
    swapped_arms: {
        "Restricted mean time",
        "Kaplan-Meier, log-log band",
        "Miettinen-Nurminen interval",
        "Log-rank test",
    },
    flipped_censoring: {
        "Kaplan-Meier, log-log band",
        "Log-rank test",
        "Restricted mean time",
        "Counts of events",
    },
    closed_intervals: {"Interval-censored NPMLE, (left, right]"},
    ties_broken: {"Log-rank test"},
    strict_fisher: {"Fisher's exact test"},
    at_risk_after: {"Kaplan-Meier, log-log band"},
    no_small_sample_factor: {"Random slopes, Satterthwaite df, observed information"},
    schwartz_constant: {"Bedside Schwartz eGFR"},
    schwartz_constant_in_the_last_digit: {"Bedside Schwartz eGFR"},
    old_creatinine_units: {"Bedside Schwartz eGFR"},
    age_of_change_missed: {"CKiD U25 creatinine eGFR", "CKiD U25 mean eGFR"},
    cystatin_exponent: {"CKiD U25 cystatin C eGFR"},
    girls_are_boys: {"CKiD U25 cystatin C eGFR", "CKiD U25 mean eGFR"},
    calendar: {"Units and the length of a month"},
    urea_instead_of_its_nitrogen: {"Units and the length of a month"},
}


EQUATIONS = {
    schwartz_constant, schwartz_constant_in_the_last_digit, old_creatinine_units, age_of_change_missed,
    cystatin_exponent, girls_are_boys, calendar, urea_instead_of_its_nitrogen,
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_seeded_fault_is_seen(monkeypatch, fault):
    if fault in EQUATIONS:  # the fits that these don't reach take most of the time
        monkeypatch.setattr(against_r, "pairs", list)
        monkeypatch.setattr(against_papers, "_PARTS", (against_papers._kidney,))
    fault(monkeypatch)
    assert FAULTS[fault] <= failing()[0]


def test_a_wrong_reference_fails_too(monkeypatch):
    right = references.table

    def off(folder, name, **options):
        found = right(folder, name, **options)
        if (folder, name) == ("published", "r_values"):
            found.loc[found["key"] == "logrank.chisq", "value"] *= 1 + 2e-6
        return found

    monkeypatch.setattr(references, "table", off)
    assert failing()[1] == {"logrank.chisq"}


def test_summary_counts_every_number_and_shows_what_is_worst(every):
    found = comparisons.by_method(every)
    assert found["compared"].sum() == len(every)
    assert found["passes"].all()
    assert not found.duplicated(["method", "data", "source"]).any()
    for row in found.itertuples():
        same = (every["method"] == row.method) & (every["data"] == row.data) & (every["origin"] == row.source)
        part = every[same]
        assert row.required == part["required"].min()
        assert row.reference in set(part["reference"])
    broken = every.copy()
    last = broken.index[broken["method"] == "Log-rank test"][2]
    broken.loc[last, "passes"] = False
    row = comparisons.by_method(broken).query("not passes").iloc[0]
    assert (row["method"], row["example"]) == ("Log-rank test", every["key"][last])


def test_variants_begin_with_the_trial_s_own_and_differ_where_they_should():
    found = programs.kenward_roger()
    change, _, baseline, arm, month = references.trial_arrays()
    visits = [5, 8, 9, 11]
    fit = mixed.mmrm(change[:, visits], baseline, arm, month[visits] * 30.4375)
    own = fit.arm_contrast([0, 0, 0, 1])
    assert found.iloc[0, 1:].tolist() == pytest.approx([own.estimate, own.se, own.df, own.p])
    assert found["estimate"].nunique() == 1
    assert found["se"].nunique() == 4
    # for one contrast the degrees of freedom differ by the information alone
    assert found["df"].iloc[:3].to_numpy() == pytest.approx(found["df"].iloc[0])
    assert found["df"].iloc[3] < found["df"].iloc[0] - 0.1
    assert "linear" in found["variant"].iloc[0]
    assert found.loc[found["variant"].str.contains("anticonservative"), "se"].item() == found["se"].min()


def test_differences_are_the_numbers_that_others_print():
    found = programs.differences().set_index(["topic", "program", "quantity"])["value"].to_dict()
    r = references.table("r", "r_values").set_index("key")["value"]
    assert found["plateau", "here", "median"] == 2.5
    assert found["plateau", "lifelines", "median"] == 2
    assert found["restricted mean", "here", "se"] == pytest.approx(r["rmst.se.arm1"])
    assert found["restricted mean", "lifelines", "sd"] == pytest.approx(4.7166, abs=1e-4)
    assert found["Barnard", "here", "p"] == pytest.approx(0.03848, abs=1e-5)
    assert found["Barnard", "scipy", "p"] == pytest.approx(0.0339, abs=1e-4)
    ours = [found["Miettinen-Nurminen", "here", end] for end in ("lower", "upper")]
    assert ours == pytest.approx([0.0528, 0.3382], abs=1e-4)
    assert found["Boschloo", "here", "p"] == pytest.approx(
        stats.boschloo_exact([[14, 6], [6, 14]]).pvalue, rel=1e-3
    )
    for topic in ("log", "log-log"):
        assert found["survival interval", topic, "lower"] < found["survival interval", topic, "upper"]
    assert np.isnan(found["beyond follow-up", "here", "mean"])
