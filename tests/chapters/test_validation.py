"""Chapter 09: everything agrees as it is, and every seeded fault turns rows red."""

import numpy as np
import pytest
from scipy import stats

from helpers.analysis import adam
from helpers.chapters import validation
from helpers.design import comparisons, known_truth, stored
from helpers.estimators import interval_censored, mixed, proportions, survival
from helpers.study.parameters import Parameters


def failing():
    found = [*comparisons.against_r(), *comparisons.against_papers()]
    return {c.method for c in found if not c.passes}, {c.key for c in found if not c.passes}


def test_everything_agrees_as_it_is():
    assert failing() == (set(), set())


def test_every_method_of_the_trial_has_a_reference_in_r_and_a_published_example():
    r = {c.method.split(",")[0].split(" (")[0] for c in comparisons.against_r()}
    papers = {c.method.split(",")[0].split(" (")[0] for c in comparisons.against_papers()}
    # No published data with a binary arm, and none with Greenwood's difference, were found.
    assert r - papers <= {
        "Discrete-time hazard ratio",
        "Difference in cumulative incidence",
        "Counts of events",
    }
    assert papers - r <= {"Wilson's interval", "Clopper-Pearson interval", "Cohen's kappa", "Rubin's rules"}


def test_all_applicable_rows_of_r_are_used():
    keys = set(comparisons.table("r", "r_values")["key"])
    used = {c.key for c in comparisons.against_r()}
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


def swapped_arms(monkeypatch):
    right = comparisons.adtte_of
    monkeypatch.setattr(
        comparisons, "adtte_of", lambda rows: right(rows).assign(TRT01PN=lambda t: 1 - t["TRT01PN"])
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
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_seeded_fault_turns_rows_red(monkeypatch, fault):
    fault(monkeypatch)
    methods, _ = failing()
    assert FAULTS[fault] <= methods
    shown = validation.agreement()
    html = shown.table.table()
    assert html.count('class="fails"') == (shown.table.data["verdict"] == validation.FAILS).sum() > 0
    assert "Not right" in shown.said["verdict"]


def test_a_wrong_reference_fails_too(monkeypatch):
    right = comparisons.table

    def off(folder, name, **options):
        found = right(folder, name, **options)
        return found.replace("16.79", "16.80") if name == "examples" else found

    monkeypatch.setattr(comparisons, "table", off)
    assert failing()[1] == {"logrank.chisq"}


def test_agreement_allows_the_digits_asked_for_and_no_more():
    assert comparisons.agrees(2.0, 2.00019, 4)
    assert not comparisons.agrees(2.0, 2.00021, 4)
    assert comparisons.agrees(np.nan, np.nan, 4)
    assert not comparisons.agrees(np.nan, 1.0, 1)
    assert not comparisons.agrees(1.0, np.nan, 1)
    assert not comparisons.agrees(1.0, np.inf, 1)
    assert comparisons.agrees(0.0, 9e-8, 7)
    assert not comparisons.agrees(0.0, 2e-7, 7)


def test_no_verdict_and_no_printed_number_hangs_on_last_bits(monkeypatch):
    """Ours moved by 1e-10 relative, ten times what processors were seen to differ by: the tables stay.

    A closed form moves by 1e-14, an iterative fit by up to 2e-10 between the kernels of OpenBLAS. One number in
    some thousands may stand so near to a rounding boundary that its last shown digit moves; none does here.
    """
    here = validation.agreement()
    right = comparisons.agrees
    moved = {}
    for sign in (-1, 1):
        monkeypatch.setattr(
            comparisons, "agrees", lambda a, b, digits, s=sign: right(a, b * (1 + s * 1e-10), digits)
        )
        number = validation.number
        monkeypatch.setattr(
            validation,
            "number",
            lambda v, digits=9, s=sign, n=number: n(v if digits == 9 else v * (1 + s * 1e-10), digits),
        )
        moved[sign] = validation.agreement()
        monkeypatch.setattr(validation, "number", number)
    for other in moved.values():
        assert here.every.table() == other.every.table()
        assert here.table.table() == other.table.table()


def test_the_stored_result_says_whether_it_belongs_to_this_code(monkeypatch):
    answer, _ = stored.latest(known_truth.compute, Parameters())
    monkeypatch.setattr(stored, "latest", lambda *_: (answer, False))
    assert "another version" in validation.known().said["kept"]
    monkeypatch.setattr(stored, "latest", lambda *_: (None, False))
    shown = validation.known()
    assert shown.said["verdict"] == "Nothing is stored."
    assert shown.table.table()


def test_one_outside_is_named(monkeypatch):
    answer, here = stored.latest(known_truth.compute, Parameters())
    row = next(r for r in answer["rows"] if r["n"] == 400 and r["bias"] is not None)
    row["bias"] = 5 * row["bias_se"]
    monkeypatch.setattr(stored, "latest", lambda *_: (answer, here))
    assert row["method"] in validation.known().said["verdict"]


def test_known_truth_is_deterministic_and_exact_sizes_stay_within_the_level():
    few = {20: 20, 400: 20}
    assert known_truth.run(few, "proportions") == known_truth.run(few, "proportions")
    for method in proportions.METHODS:
        top, here = known_truth.exact_size(20, method)
        assert 0 < here <= top <= 0.05


@pytest.mark.slow
def test_the_stored_result_is_what_the_estimators_give():
    answer, here = stored.latest(known_truth.compute, Parameters())
    assert here
    again = known_truth.run()
    assert [r["method"] for r in again] == [r["method"] for r in answer["rows"]]
    for now, then in zip(again, answer["rows"], strict=True):
        for name in ("bias", "coverage", "type1"):
            assert (
                now[name] == pytest.approx(then[name], abs=1e-4)
                if then[name] is not None
                else now[name] is None
            )
    assert validation.known().said["off"].value == 0
