"""Many trials as an analysis sees them: UPCR, and on request the other measures, with the chapters' derivations.

`Trials` holds arrays (trials, children, visits) and computes what is asked of it once; `EVENTS` names what can be
counted of it. Baselines, eGFR and endpoints come from the same functions as the tables of one trial.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.analysis import adam, derive
from helpers.analysis.sequence import HALF_YEAR
from helpers.estimators import batched_mixed, mixed
from helpers.estimators.batches import Answers
from helpers.study import baseline, kidney
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR
from helpers.trial import conduct, details

DAYS = conduct.DAYS


@dataclass(frozen=True)
class OtherMeasures:
    """What followed trials hold beside UPCR, as the tables would: drawn and derived when it is first asked for."""

    followed: conduct.Followed

    @cached_property
    def _visits(self) -> dict[str, NDArray]:
        return details.serum_and_cells(self.followed)

    @cached_property
    def _ill(self) -> NDArray:
        return conduct.noted_ill(self.followed)

    @cached_property
    def _kept(self) -> dict[str, tuple[NDArray, NDArray]]:
        return {}

    def of(self, code: str) -> tuple[NDArray, NDArray]:
        """Baseline (trials, children) and values (trials, children, 11) of a PARAMCD, NaN = none.

        Raises ValueError where screening was not asked for everything and the test needs it.
        """
        if code not in self._kept:
            source = adam.PARAMS[code][1]
            full = self._egfr(source) if source in kidney.METHODS else self._samples(source)
            pair = full[..., :2]
            ill = self._ill if code in adam.URINE else np.zeros(pair.shape, bool)
            chosen = baseline.used(self.followed.p, ~np.isnan(pair), ill)
            ratio = code in adam.RATIO_SCALE
            self._kept[code] = baseline.mean(pair, chosen, ratio), full[..., 2:]
        return self._kept[code]

    def _samples(self, test: str) -> NDArray:
        """Values of a test at screening, the baseline visit and the eleven, (trials, children, 13)."""
        f = self.followed
        if test not in f.enrolled.recorded:
            raise ValueError(f"{test} was not measured at screening: screen with needed=True")
        before = f.enrolled.recorded[test].astype(float)
        if test == "dipstick":
            before = np.where(before < 0, np.nan, before)
        visits = self._visits[test]
        if f.p.baseline_samples == "eligibility":
            visits = np.concatenate([np.full((*f.arm.shape, 1), np.nan), visits[..., 1:]], axis=-1)
        return np.concatenate([before[..., None], visits], axis=-1)

    def _egfr(self, method: str) -> NDArray:
        """eGFR of the same 13 samples, at the age on the day of each as whole days make it."""
        f = self.followed
        # screening measures what the plan's method reads
        nothing = np.full((*f.arm.shape, DAYS.size + 2), np.nan)
        measured = f.enrolled.recorded
        found = {
            name: self._samples(name) if name in measured else nothing
            for name in ("creatinine", "cystatin_c")
        }
        consent = np.trunc(conduct.consent_day(f.p, f.delay))[..., None]
        days = np.concatenate([consent, np.trunc(details.visit_days(f))], axis=-1)
        age = (f.enrolled.recorded["birth_ago"][..., None] + days - consent) / DAYS_PER_YEAR
        male = np.broadcast_to(f.enrolled.child["male"][..., None], age.shape)
        return kidney.egfr(method, height=self._samples("height"), age=age, male=male, **found)


@dataclass(frozen=True)
class Trials:
    """What analyses read of many trials: placebo 0 and hUC-MSC 1, (trials, children), in order of randomisation.

    base (trials, children) and upcr (trials, children, 11 visits) in mg/mg, NaN = no value; rescue_day: day of rescue
    treatment from the planned last infusion, inf = never. exact: whether Boschloo's test comes with the interval that
    inverts it, as in the chapters: it costs much more than Miettinen and Nurminen's, which stands for it otherwise.
    others: the other measures, None where they are not known; rule: another trial's definition of remission, None =
    that of the plan. covariates (trials, children, 1): whether a child is on RAS inhibition at baseline, where the list
    has strata of it, else None.
    """

    p: Parameters
    arm: NDArray
    base: NDArray
    upcr: NDArray
    rescue_day: NDArray
    exact: bool = False
    others: OtherMeasures | None = None
    rule: derive.Rule | None = None
    covariates: NDArray | None = None

    @classmethod
    def of(cls, followed: conduct.Followed) -> "Trials":
        """What is known for analysis of followed trials."""
        f = followed
        parts = (f.arm, f.upcr[..., 0], f.upcr[..., 1:], f.rescue_day)
        ras = (
            None
            if f.p.strata == "none"
            else (f.enrolled.recorded["ras_inhibitor"] > 0).astype(float)[..., None]
        )
        return cls(f.p, *parts, others=OtherMeasures(f), covariates=ras)

    def first(self, n: int) -> "Trials":
        """The first n children of each trial: a smaller trial with the same allocation."""
        if n == self.arm.shape[1]:
            return self
        parts = (self.arm[:, :n], self.base[:, :n], self.upcr[:, :n], self.rescue_day[:, :n])
        return Trials(
            self.p, *parts, exact=self.exact, others=self.others, rule=self.rule,
            covariates=None if self.covariates is None else self.covariates[:, :n],
        )  # fmt: skip

    def joined(self) -> "Trials":
        """All children in one giant trial."""
        parts = (self.arm, self.base, self.upcr, self.rescue_day)
        arm, base, upcr, rescue = (values.reshape(1, -1, *values.shape[2:]) for values in parts)
        return Trials(
            self.p, arm, base, upcr, rescue, others=self.others, rule=self.rule,
            covariates=None if self.covariates is None else self.covariates.reshape(1, -1, 1),
        )  # fmt: skip

    def read_as(self, **changes: Any) -> "Trials":
        """The same children under another reading of the endpoint."""
        return replace(self, p=self.p.model_copy(update=changes))

    def measured(self, code: str) -> tuple[NDArray, NDArray]:
        """Baseline (trials, children) and values (trials, children, 11) of a PARAMCD of ADLB, NaN = none.

        Raises ValueError where other measures are not known.
        """
        if code == "PROTCRT":
            return self.base, self.upcr
        if self.others is None:
            raise ValueError(f"these trials know of UPCR alone, not of {code}")
        base, values = self.others.of(code)
        trials, n = self.arm.shape
        if trials != len(base):
            return base.reshape(trials, n), values.reshape(trials, n, -1)
        return base[:, :n], values[:, :n]

    @cached_property
    def remission(self) -> derive.Endpoint:
        """First, confirmed and sustained remission of UPCR."""
        if self.rule is not None:
            return derive.rule_endpoint(self.upcr, self.base, self.rule, DAYS, self.p, self.rescue_day)
        return derive.upcr_endpoint(self.upcr, self.base, DAYS, self.p, self.rescue_day)

    def endpoint(self, name: str) -> derive.Endpoint:
        """The same of any measure of `adam.ENDPOINTS`."""
        base, values = self.measured(adam.endpoint_paramcd(name, self.p))
        return derive.measure_endpoint(name, values, base, DAYS, self.p, self.rescue_day)

    @cached_property
    def log_upcr(self) -> NDArray:
        """log UPCR at the visits, (trials, children, 11)."""
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(self.upcr, self.p.upcr_limit or 0.005))

    @cached_property
    def log_base(self) -> NDArray:
        """log UPCR at baseline, (trials, children)."""
        return np.log(np.maximum(self.base, self.p.upcr_limit or 0.005))

    @cached_property
    def log_cells(self) -> tuple[NDArray, NDArray]:
        """log red cells at baseline (trials, children) and at the visits (trials, children, 11).

        A count of zero stands for half the smallest positive one of its trial, as in `course.tidy`.
        """
        base, values = self.measured(adam.endpoint_paramcd("HEM", self.p))
        every = np.concatenate([base[..., None], values], axis=-1)
        positive = np.where(every > 0, every, np.inf).min(axis=(1, 2), keepdims=True)
        logs = np.log(np.where(every == 0, np.where(np.isinf(positive), np.nan, positive / 2), every))
        return logs[..., 0], logs[..., 1:]

    def weighted_cells(self) -> NDArray:
        """Time-weighted mean of log red cells, (trials, children)."""
        return derive.time_weighted(self.log_cells[1], DAYS, HALF_YEAR)

    @cached_property
    def egfr(self) -> NDArray:
        """eGFR at baseline and the visits by the plan's method, (trials, children, 12); NaN without a baseline."""
        base, values = self.measured(adam.gfr_paramcd(self.p))
        # as the chapters' model has it: a change from no baseline is none
        return np.concatenate([base[..., None], (values - base[..., None]) + base[..., None]], axis=-1)

    @cached_property
    def mixed_model(self) -> tuple[Answers, Answers]:
        """The plan's MMRM of log UPCR: month 12, and the average over time."""
        change = self.log_upcr - self.log_base[..., None]
        weights = np.stack([np.eye(DAYS.size)[-1], mixed.time_weights(DAYS)])
        found = batched_mixed.mmrm(change, self.log_base, self.arm, DAYS, weights, covariates=self.covariates)
        return found[0], found[1]

    def counts(
        self, remitted: NDArray, among: NDArray | None = None
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """(x0, n0, x1, n1), each (trials,): children with the event and all randomised, or all `among`, by arm."""
        everybody = np.ones(self.arm.shape, bool) if among is None else among
        active = (self.arm == 1) & everybody
        n1, x1 = active.sum(axis=1), (remitted & active).sum(axis=1)
        return (remitted & everybody).sum(axis=1) - x1, everybody.sum(axis=1) - n1, x1, n1


def _confirmed(t: Trials) -> NDArray:
    return t.remission.confirmed >= 0


def _ever(t: Trials) -> NDArray:
    return t.remission.first >= 0


def _sustained(t: Trials) -> NDArray:
    return t.remission.sustained >= 0


def _at_the_end(t: Trials) -> NDArray:
    return t.remission.state[..., -1] > 0


def _confirmed_by(name: str) -> Callable[[Trials], NDArray]:
    return lambda t: t.endpoint(name).confirmed >= 0


def _evaluable_for(name: str) -> Callable[[Trials], NDArray]:
    return lambda t: np.asarray(t.endpoint(name).evaluable)


EVENTS: dict[str, Callable[[Trials], NDArray]] = {
    "confirmed": _confirmed, "ever": _ever, "sustained": _sustained, "month 12": _at_the_end,
    "24-hour protein": _confirmed_by("P24"), "dipstick": _confirmed_by("DIP"), "haematuria": _confirmed_by("HEM"),
    "eGFR": _confirmed_by("GFR"),
}  # fmt: skip
"""What is counted: name -> whether each child has it, (trials, children)."""
AMONG: dict[str, Callable[[Trials], NDArray]] = {
    "haematuria": _evaluable_for("HEM"), "eGFR": _evaluable_for("GFR"),
}  # fmt: skip
"""Events that are asked of the children evaluable for them alone; the others of all randomised."""
