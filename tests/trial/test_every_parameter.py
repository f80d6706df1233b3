# ruff: noqa: E501
"""Every parameter of the schema moves what its documentation names, in the documented direction.

One row a parameter: (changed value, quantity, direction, other settings of both runs, what must change with
it). Both runs share the seed, and a stream a measure, so a difference is the parameter's and not chance. A parameter without a row
fails `test_no_parameter_is_without_a_row`.
"""

import functools
from datetime import date

import numpy as np
import pytest

from helpers import Problem
from helpers.analysis import adam
from helpers.chapters import plan
from helpers.study import eligibility
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.trial import conduct, details, record, simulate
from helpers.trial.simulate import Streams

CHILDREN = 8192
UP, DOWN, OTHER = 1, -1, 0


class World:
    """What one set of parameters simulates, made when asked for: clinic, criteria, trials, raw tables, analysis."""

    def __init__(self, p: Parameters) -> None:
        self.p = p

    @functools.cached_property
    def clinic(self):
        recorded, child = simulate.clinic(self.p, CHILDREN, Streams(self.p.seed, 0, 0))
        return recorded, child

    @property
    def recorded(self):
        return self.clinic[0]

    @property
    def child(self):
        return self.clinic[1]

    @functools.cached_property
    def columns(self):
        return conduct.columns(self.p, self.recorded, np.arange(CHILDREN, dtype=float))

    @functools.cached_property
    def values(self):
        return dict(zip(eligibility.IDS, eligibility.evaluate(self.columns, self.p), strict=True))

    @functools.cached_property
    def enrolled(self):
        return conduct.screen(self.p, 24)

    @functools.cached_property
    def followed(self):
        return conduct.follow(self.p, self.enrolled[0], Streams(self.p.seed, 0))

    @functools.cached_property
    def measures(self):
        return details.serum_and_cells(self.followed)

    @functools.cached_property
    def raw(self):
        enrolled, columns, _ = conduct.screen(self.p)
        screening = record.screening(columns)
        return {"screening": screening, **record.trial(self.p, enrolled, screening)[0]}

    @functools.cached_property
    def adam(self):
        return adam.Adam(adam.Raw(**self.raw), self.p)


@functools.cache
def world(settings: tuple) -> World:
    return World(Parameters(**dict(settings)))


# --- quantities: each a number from a World ---------------------------------------------------------


def among(values, chosen=True):
    """Mean of the values of the chosen children, missing ones left out."""
    values = np.asarray(values, float)[np.broadcast_to(chosen, np.shape(values))]
    return float(np.nanmean(values))


def apart(w):
    """Mean distance of the arms' shares on RAS inhibition, over the trials."""
    on = ~np.isnan(w.enrolled[0].child["ras_days"])
    shares = [
        (on & (w.followed.arm == k)).sum(1) / np.maximum((w.followed.arm == k).sum(1), 1) for k in (0, 1)
    ]
    return float(np.abs(shares[1] - shares[0]).mean())


def latent(name, how=np.mean, chosen=lambda w: True):
    return lambda w: float(how(w.child[name][np.broadcast_to(chosen(w), (CHILDREN,))]))


def form(code):
    return lambda w: among(w.child["genotype"] == code)


def girl(w):
    return (w.child["genotype"] == simulate.X_LINKED) & ~w.child["male"]


def severe(w):
    return w.child["severe"]


def of_form(code):
    return lambda w: w.child["genotype"] == code


def aged(low, high):
    return lambda w: severe(w) & (w.child["age"] >= low) & (w.child["age"] < high)


def yes(name, sign=1):
    return lambda w: among(w.recorded[name] * sign > 0)


def unanswered(name):
    return lambda w: among(w.recorded[name] == 0)


def missing(name):
    return lambda w: among(np.isnan(w.recorded[name]))


def variant(code):
    return lambda w: among(w.recorded["variant"] == code)


def met(name):
    return lambda w: among(w.values[name] > 0)


def eligible(w):
    return among(np.min(list(w.values.values()), axis=0) > 0)


def error(name, chosen=lambda w: True):
    """SD of log(measured UPCR / true level) at screening."""
    return lambda w: float(
        np.nanstd(
            (np.log(w.recorded[name]) - w.child["log_upcr"] - w.child["wander"])[
                np.broadcast_to(chosen(w), (CHILDREN,))
            ]
        )
    )


def log_sd(name, chosen=lambda w: True):
    return lambda w: float(np.nanstd(np.log(w.recorded[name][np.broadcast_to(chosen(w), (CHILDREN,))])))


def log_mean(name, chosen=lambda w: True):
    return lambda w: among(np.log(np.maximum(w.recorded[name], 1e-3)), chosen(w))


def level_at(low, high):
    return lambda w: (w.child["log_upcr"] >= np.log(low)) & (w.child["log_upcr"] < np.log(high))


def untreated_at(low, high):
    return lambda w: (
        (w.child["log_upcr_untreated"] >= np.log(low)) & (w.child["log_upcr_untreated"] < np.log(high))
    )


def gap(name, k=-1):
    """hUC-MSC less placebo: mean of (trials, children, visits) at one visit."""

    def quantity(w):
        f = w.followed
        values = {"level": f.level, **w.measures}[name][..., k]
        values = np.log(values) if name in ("rbc",) else values
        return among(values, f.arm == 1) - among(values, f.arm == 0)

    return quantity


def rise(k=-1, chosen=lambda w: True):
    """Mean true change of log UPCR from baseline to a visit."""
    return lambda w: among((w.followed.level[..., k] - w.followed.level[..., 0]), chosen(w))


def slope(how, is_severe):
    return lambda w: float(
        how(
            w.measures["gfr_slope"][
                (w.followed.enrolled.child["severe"] == is_severe) & (w.followed.arm == 0)
            ]
        )
    )


def by_arm(name, arm):
    return lambda w: among(
        getattr(w.followed, name),
        np.broadcast_to(
            (w.followed.arm == arm).reshape(
                w.followed.arm.shape + (1,) * (getattr(w.followed, name).ndim - 2)
            ),
            getattr(w.followed, name).shape,
        ),
    )


def changed_ras(arm):
    return lambda w: among(np.isfinite(w.followed.ras_day), w.followed.arm == arm)


def lost(test):
    return lambda w: among(np.isnan(w.measures[test]), w.followed.attended)


def left(w):
    return among(np.isfinite(w.followed.left))


def protein_change_of_leavers(w):
    """Mean true change of UPCR to month 3 in those who leave after it, less that in those who stay."""
    f = w.followed
    late, stays = np.isfinite(f.left) & (f.left > 91), np.isinf(f.left)
    change = f.level[..., 5] - f.level[..., 0]
    return among(change, late) - among(change, stays)


def endpoint(name, which):
    return lambda w: among(getattr(w.adam._endpoint(name), which) >= (1 if which == "evaluable" else 0))


def date_of(table, column, how, **chosen):
    def quantity(w):
        frame = w.raw[table]
        for name, value in chosen.items():
            frame = frame[frame[name] == value]
        return float(getattr(frame[column], how)().to_datetime64().astype("datetime64[D]").astype(int))

    return quantity


def between(first, second):
    return lambda w: second(w) - first(w)


def first_date(table, column, **chosen):
    """Mean calendar day by child."""

    def quantity(w):
        frame = w.raw[table]
        for name, value in chosen.items():
            frame = frame[frame[name] == value]
        return float(frame[column].dropna().to_numpy("datetime64[D]").astype(float).mean())

    return quantity


def off_target(low, high):
    numbers = [v.number for v in VISITS if low <= v.day <= high]

    def quantity(w):
        visits = w.raw["visits"]
        seen = visits[(visits["attended"] == "yes") & visits["visit_no"].isin(numbers)]
        return float((seen["date"] - seen["planned_date"]).dt.days.abs().max())

    return quantity


def refused(w):
    try:
        conduct.screen(w.p)
    except Problem:
        return 1.0
    return 0.0


def correlation(w):
    return float(np.corrcoef(w.child["height_z"], w.child["weight_z"])[0, 1])


def autocorrelation(w):
    """Correlation of the slow deviation between the last two visits: levels without drift, effect, changes."""
    level = w.followed.level - w.followed.level.mean(axis=-1, keepdims=True)
    return float(np.corrcoef(level[..., 2].ravel(), level[..., 3].ravel())[0, 1])


def recent(w):
    return among(w.child["ras_days"] < 90, ~np.isnan(w.child["ras_days"]))


def ras_log_ratio(chosen):
    return lambda w: among(w.child["log_upcr"] - w.child["log_upcr_untreated"], chosen(w))


def started(w):
    return ~np.isnan(w.child["ras_days"])


def protein_ratio(w):
    """Spread of log(24-hour protein / UPCR) at screening."""
    return float(np.nanstd(np.log(np.maximum(w.recorded["protein_24h"], 0.05) / w.recorded["upcr"])))


def protein_level(w):
    return among(np.log(np.maximum(w.recorded["protein_24h"], 0.05)))


def red_cell_change(w):
    return float(
        np.nanstd(
            np.log(np.maximum(w.measures["rbc"][..., 3], 0.05) / np.maximum(w.measures["rbc"][..., 4], 0.05))
        )
    )


def gross(w):
    return among(w.recorded["rbc"] > 3000)


def ill(w):
    return among(w.followed.ill)


def events(kind):
    return lambda w: float((w.raw["events"]["event"] == kind).sum())


def length(kind):
    """Mean days from the start to the end of an event."""

    def quantity(w):
        rows = w.raw["events"]
        rows = rows[rows["event"] == kind]
        return float((rows["end_date"] - rows["start_date"]).dt.days.mean())  # ongoing ones have none

    return quantity


def latest(name):
    """Largest recorded value."""
    return lambda w: float(np.nanmax(w.recorded[name]))


def serious(w):
    return float((w.raw["events"]["serious"] == "yes").sum())


def noted(column, value, near=None):
    """Share of events with a word in a column; near: of those within 24 h of an infusion, or of the others."""

    def quantity(w):
        rows = w.raw["events"]
        rows = rows if near is None else rows[rows["within_24h"] == near]
        return float((rows[column] == value).mean())

    return quantity


def lengths_apart(w):
    """Spread of the lengths of infections that began after the last infusion and have ended, in days."""
    rows = w.raw["events"].query("event == 'infection'")
    days = (rows["end_date"] - rows["start_date"]).dt.days
    return float(days[rows["start_date"] > rows["start_date"].median()].std())


STILL = dict(upcr_drift=0.0, upcr_drift_sd=0.0, upcr_effect=1.0, upcr_effect_sd=0.0, ras_change_placebo=0.0,
             ras_change_msc=0.0, rescue_rate=0.0, infection_rate=0.0, fever_msc=0.0, fever_placebo=0.0,
             ras_recent=0.0)  # fmt: skip
MANY = dict(n_randomised=300)


ROWS = {
    # --- the trial -------------------------------------------------------------------------------
    "seed": (1, latent("log_upcr"), OTHER, {}),
    "n_randomised": (60, lambda w: w.enrolled[0].consent.shape[1], UP, {}),
    "max_screened": (60, refused, UP, {}),
    "recruitment_start": (date(2026, 1, 1), first_date("screening", "consent_date"), UP, {}),
    "screened_per_month": (20.0, date_of("screening", "consent_date", "max"), DOWN, {}),
    "allocation": ("2:1", lambda w: among(w.followed.arm == 1), UP, {}),
    "strata": ("RAS inhibition", lambda w: apart(w), DOWN, {}),
    "block_sizes": ((2,), lambda w: w.raw["randomisation"].groupby("block").size().max(), DOWN, {}),
    "cells_per_kg": (4e6, lambda w: w.raw["infusions"]["cells"].max(), UP, {}),
    "infusion_gap": (28, between(first_date("infusions", "planned_date", infusion=1), first_date("infusions", "planned_date", infusion=2)), UP, {}),
    "days_to_randomisation": (20, between(first_date("screening", "consent_date"), first_date("randomisation", "randomisation_date")), UP, {}),
    "days_to_infusion": (20, between(first_date("randomisation", "randomisation_date"), first_date("infusions", "planned_date", infusion=1)), UP, {}),
    "window_to_week_8": (6, off_target(14, 56), UP, {}),
    "window_to_month_6": (14, off_target(91, 183), UP, {}),
    "window_after_month_6": (29, off_target(244, 365), UP, {}),
    "alpha": (0.1, lambda w: plan.remission_rule(w.p)["alpha"].value, UP, {}),
    # --- readings --------------------------------------------------------------------------------
    "criteria": ("diagnosis and consent", eligible, UP, {}),
    "remission_definition": ("threshold alone", endpoint("UPCR", "first"), DOWN, MANY),
    "remission_threshold": (0.4, endpoint("UPCR", "evaluable"), DOWN, MANY),
    "remission_fall": (0.3, endpoint("UPCR", "first"), UP, MANY),
    "kdigo_upper": (0.5, endpoint("UPCR", "first"), DOWN, dict(remission_definition="KDIGO", **MANY)),
    "confirm_days": (150, endpoint("UPCR", "confirmed"), DOWN, MANY),
    "ras_raise_from": (2.0, lambda w: among(np.isfinite(w.adam.ras_change)), DOWN, dict(ras_change_placebo=2.0, ras_change_msc=2.0)),
    "sustained_visits": (6, endpoint("UPCR", "sustained"), DOWN, MANY),
    "haematuria_limit": (40.0, endpoint("HEM", "first"), UP, MANY),
    "haematuria_cells": ("dysmorphic", lambda w: among(eligibility.haematuria(w.columns, w.p) > 0), DOWN, dict(dysmorphic_share=0.05)),
    "protein24_limit": (12.0, endpoint("P24", "evaluable"), DOWN, MANY),
    "egfr_improvement": (0.05, endpoint("GFR", "first"), UP, MANY),
    "egfr_evaluable": (110.0, endpoint("GFR", "evaluable"), UP, MANY),
    "gfr_method": ("U25 cystatin C", lambda w: among(eligibility.measured_gfr(w.columns, w.p)), OTHER, {}),
    "ckd_rule": ("stage I to III", met("I4"), UP, {}),
    "proteinuria_by": ("UPCR", met("I3"), DOWN, {}),
    "proteinuria_upcr": (0.5, met("I3"), DOWN, dict(proteinuria_by="UPCR")),
    "combined_haematuria": ("never enough", met("I3"), DOWN, {}),
    "gfr_normal": (120.0, met("E2"), UP, {}),
    "age_reading": ("to the 12th birthday", met("I1"), DOWN, {}),
    "heterozygous_counts": (False, met("I2"), DOWN, {}),
    "infection_days": (20, met("I5"), DOWN, {}),
    "recent_months": (5, met("E12"), DOWN, {}),
    "cell_product_months": (20, met("E14"), DOWN, dict(cell_product=0.2)),
    "exactly_counts_as_within": (False, met("I5"), UP, {}),
    "blood_loss_limit": (50.0, met("E12"), DOWN, dict(blood_loss_recent=0.3)),
    "autoimmune_rule": ("or", met("E9"), DOWN, {}),
    "baseline_samples": ("separate", lambda w: among(w.followed.upcr[..., 0]), OTHER, {}),
    # --- clinic ----------------------------------------------------------------------------------
    "share_x_linked": (0.6, form(0), DOWN, {}, dict(share_recessive=0.289)),
    "share_recessive": (0.3, form(1), UP, {}, dict(share_x_linked=0.589)),
    "share_dominant": (0.3, form(2), UP, {}, dict(share_x_linked=0.541)),
    "share_digenic": (0.3, form(3), UP, {}, dict(share_x_linked=0.51)),
    "male_share": (0.7, latent("male"), UP, {}),
    "age_mean": (11.0, latent("age"), UP, {}),
    "age_sd": (2.0, latent("age", np.std), DOWN, {}),
    "age_min": (4.0, latent("age", np.min), UP, {}),
    "age_max": (12.0, latent("age", np.max), DOWN, {}),
    "height_shift": (1.0, lambda w: among(w.recorded["height"]), UP, {}),
    "height_weight_correlation": (0.2, correlation, DOWN, {}),
    "upcr_median_3_5": (0.8, latent("log_upcr_untreated", np.mean, aged(1, 5)), UP, {}),
    "upcr_median_6_8": (2.0, latent("log_upcr_untreated", np.mean, aged(6, 8)), UP, {}),
    "upcr_median_9_12": (3.0, latent("log_upcr_untreated", np.mean, aged(10, 17)), UP, {}),
    "upcr_level": (2.0, latent("log_upcr_untreated"), UP, {}),
    "upcr_log_sd": (0.7, latent("log_upcr_untreated", np.std, aged(8, 10)), DOWN, {}),
    "upcr_ratio_girl": (0.5, latent("log_upcr_untreated", np.mean, girl), UP, {}),
    "upcr_ratio_dominant": (0.5, latent("log_upcr_untreated", np.mean, of_form(2)), UP, {}),
    "upcr_ratio_digenic": (0.1, latent("log_upcr_untreated", np.mean, of_form(3)), DOWN, {}),
    "upcr_max": (5.0, latent("log_upcr_untreated", np.max), DOWN, {}),
    "gfr_mean": (120.0, latent("gfr"), UP, {}),
    "gfr_sd": (25.0, latent("gfr", np.std), UP, {}),
    "gfr_age_slope": (-3.0, latent("gfr", np.mean, aged(12, 17)), DOWN, {}),
    "gfr_upcr_slope": (-8.0, latent("gfr", np.mean, lambda w: w.child["log_upcr_untreated"] > 1), DOWN, {}),
    "gfr_age_from": (10.0, latent("gfr", np.mean, severe), UP, {}),
    "gfr_upcr_from": (3.0, latent("gfr", np.mean, lambda w: w.child["log_upcr_untreated"] > 1), UP, {}),
    "gfr_max": (160.0, latent("gfr", np.max), DOWN, dict(gfr_sd=40.0)),
    "gfr_min": (50.0, latent("gfr", np.min), UP, dict(gfr_sd=40.0)),
    "rbc_median": (300.0, latent("log_rbc", np.mean, severe), UP, {}),
    "rbc_log_sd": (1.2, latent("log_rbc", np.std, severe), UP, {}),
    "rbc_ratio_girl": (1.2, latent("log_rbc", np.mean, girl), UP, {}),
    "rbc_ratio_dominant": (0.1, latent("log_rbc", np.mean, of_form(2)), DOWN, {}),
    "no_haematuria_girl": (0.3, latent("without_haematuria", np.mean, girl), UP, {}),
    "rbc_normal_median": (1.0, latent("log_rbc", np.mean, lambda w: w.child["without_haematuria"]), DOWN, {}),
    "dysmorphic_share": (0.4, lambda w: among(w.recorded["rbc_dysmorphic"]), DOWN, {}),
    "ras_prevalence": (0.5, lambda w: among(started(w), w.child["log_upcr_untreated"] > np.log(0.2)), DOWN, {}),
    "ras_prevalence_mild": (0.8, lambda w: among(started(w), w.child["log_upcr_untreated"] < np.log(0.2)), UP, {}),
    "ras_prevalence_from": (1.0, lambda w: among(started(w), untreated_at(0.2, 1.0)(w)), DOWN, {}),
    "ras_mean_years": (6.0, lambda w: among(w.child["ras_days"]), UP, {}),
    "ras_recent": (0.5, recent, UP, {}),
    "ras_recent_days": (20, lambda w: among(w.child["ras_days"]), DOWN, dict(ras_recent=1.0)),
    "ras_first_age": (1000, lambda w: float(np.nanmin(w.child["age_days"] - w.child["ras_days"])), UP, dict(age_min=4.0)),
    "ras_effect": (0.4, ras_log_ratio(started), DOWN, {}),
    "ras_effect_sd": (0.9, latent("log_ras_effect", np.std), UP, {}),
    "ras_half_life": (120.0, ras_log_ratio(lambda w: w.child["ras_days"] < 90), UP, dict(ras_recent=0.5)),
    # --- facts -----------------------------------------------------------------------------------
    "missing_answer": (0.1, unanswered("autoimmune"), UP, {}),
    "variant_uncertain": (0.3, variant(2), UP, {}),
    "variant_none": (0.3, variant(3), UP, {}),
    "variant_untested": (0.3, variant(4), UP, {}),
    "variant_likely": (0.8, variant(1), UP, {}),
    "biopsy_done": (0.9, lambda w: among(w.recorded["biopsy"] < 2), UP, {}),
    "biopsy_diagnostic": (0.3, lambda w: among(w.recorded["biopsy"] == 0), DOWN, {}),
    "recessive_homozygous": (0.9, lambda w: among(w.recorded["zygosity"] == 2), UP, {}),
    "infection_recent": (0.5, yes("infection"), UP, {}),
    "infection_lookback": (14, latest("infection_ago"), DOWN, {}),
    "virology_positive": (0.1, yes("hiv"), UP, {}),
    "virology_missing": (0.2, unanswered("hcv"), UP, {}),
    "anti_hbs_positive": (0.3, yes("anti_hbs"), DOWN, {}),
    "allergic_state": (0.3, yes("allergic_state"), UP, {}),
    "consent_given": (0.4, yes("consent"), DOWN, {}),
    "other_renal": (0.3, yes("other_renal"), UP, {}),
    "severe_allergy": (0.3, yes("severe_allergy"), UP, {}),
    "allergies_mean": (1.0, lambda w: among(w.recorded["food_allergies"]), UP, {}),
    "stem_cell_allergy": (0.3, yes("stem_cell_allergy"), UP, {}),
    "organ_dysfunction": (0.3, yes("liver"), UP, {}),
    "malformation": (0.3, yes("malformation"), UP, {}),
    "imaging_missing": (0.3, unanswered("malformation"), UP, {}),
    "autoimmune": (0.3, yes("autoimmune"), UP, {}),
    "immunosuppressant": (0.3, yes("immunosuppressant"), UP, {}),
    "infection_uncontrolled": (0.3, yes("infection_uncontrolled"), UP, {}),
    "surgery_recent": (0.3, yes("surgery"), UP, {}),
    "trauma_recent": (0.3, yes("trauma"), UP, {}),
    "blood_loss_recent": (0.3, yes("blood_loss"), UP, {}),
    "blood_loss_median": (300.0, lambda w: among(w.recorded["blood_loss_ml"]), UP, {}),
    "blood_loss_log_sd": (1.2, lambda w: float(np.nanstd(np.log(w.recorded["blood_loss_ml"] + 1))), UP, {}),
    "blood_loss_max": (200.0, latest("blood_loss_ml"), DOWN, {}),
    "event_lookback": (400, lambda w: min(latest(f"{name}_ago")(w) for name in ("surgery", "trauma", "blood_loss", "other_study")), UP, {}),
    "other_study": (0.3, yes("other_study"), UP, {}),
    "cell_product": (0.3, yes("cell_product"), UP, {}),
    "cell_product_lookback": (1500, latest("cell_product_ago"), UP, {}),
    "investigator_unsuitable": (0.3, yes("unsuitable"), UP, {}),
    # --- measurement -----------------------------------------------------------------------------
    "upcr_noise": (0.5, error("upcr", level_at(0.6, 1.2)), UP, {}),
    "upcr_noise_at": (4.0, error("upcr", level_at(0.6, 1.2)), UP, {}),
    "upcr_noise_power": (-0.1, error("upcr", level_at(2.0, 4.0)), UP, {}),
    "upcr_noise_min": (0.3, error("upcr", level_at(5.0, 15.0)), UP, {}),
    "upcr_noise_max": (0.4, error("upcr", level_at(0.1, 0.2)), DOWN, {}),
    "upcr_wander": (0.6, latent("wander", np.std), UP, {}),
    "upcr_wander_half_life": (300.0, autocorrelation, UP, STILL),
    "upcr_limit": (0.15, lambda w: float(np.nanmin(w.recorded["upcr"])), UP, {}),
    "upcr_reported_max": (10.0, latest("upcr"), DOWN, {}),
    "urine_creatinine_median": (160.0, lambda w: among(w.recorded["dipstick"]), UP, {}),
    "urine_creatinine_log_sd": (1.0, lambda w: among(w.recorded["dipstick"] >= 2, level_at(0.02, 0.15)(w)), UP, {}),
    "collection_cv": (0.6, protein_ratio, UP, {}),
    "incomplete_collection": (0.5, protein_level, DOWN, {}),
    "incomplete_factor": (0.2, protein_level, DOWN, {}),
    "rbc_noise": (1.2, red_cell_change, UP, {}),
    "gross_haematuria": (0.2, gross, UP, {}),
    "gross_factor": (3.0, gross, DOWN, {}),
    "rbc_reported_max": (20000.0, latest("rbc"), DOWN, {}),
    "creatinine_cv": (0.2, lambda w: float(np.nanstd(np.log(w.recorded["creatinine"] * w.child["gfr"] / w.recorded["height"]))), UP, {}),
    "cystatin_cv": (0.2, log_sd("cystatin_c"), UP, {}),
    "bun_median": (8.0, log_mean("bun"), UP, {}),
    "bun_gfr": (140.0, log_mean("bun"), UP, {}),
    "bun_cv": (0.4, log_sd("bun"), UP, {}),
    # --- course ----------------------------------------------------------------------------------
    "upcr_drift": (0.4, rise(), UP, {}),
    "upcr_drift_sd": (1.0, lambda w: float((w.followed.level[..., -1] - w.followed.level[..., 0]).std()), UP, {}),
    "gfr_slope_severe": (-8.0, slope(np.mean, True), DOWN, {}),
    "gfr_slope_severe_sd": (8.0, slope(np.std, True), UP, {}),
    "gfr_slope_mild": (-4.0, slope(np.mean, False), DOWN, {}),
    "gfr_slope_mild_sd": (4.0, slope(np.std, False), UP, {}),
    "ras_change_placebo": (1.0, changed_ras(0), UP, {}),
    "ras_change_msc": (1.0, changed_ras(1), UP, {}),
    "ras_raise_effect": (0.4, rise(), DOWN, dict(ras_change_placebo=1.0)),
    "ras_raise_dose": (1.1, lambda w: among(np.isfinite(w.adam.ras_change)), DOWN, dict(ras_change_placebo=2.0, ras_change_msc=2.0)),
    "ras_stop_rate": (1.0, rise(), UP, {}),
    "ras_gfr_dip": (-20.0, lambda w: among(w.measures["gfr"][..., -1]), DOWN, dict(ras_change_placebo=1.0)),
    "rescue_rate": (1.0, lambda w: among(np.isfinite(w.followed.rescue_day)), UP, {}),
    "rescue_effect": (0.2, rise(), DOWN, dict(rescue_rate=1.0)),
    # --- effect ----------------------------------------------------------------------------------
    "upcr_effect": (0.3, gap("level"), DOWN, {}),
    "upcr_effect_sd": (1.0, lambda w: float(w.followed.effect[w.followed.arm == 1].std()), UP, {}),
    "responder_share": (0.3, gap("level"), UP, {}),
    "effect_half_life": (200.0, gap("level", 2), UP, {}),
    "effect_waning": (3.0, gap("level"), UP, {}),
    "rbc_effect": (0.2, gap("log_rbc"), DOWN, {}),
    "gfr_slope_effect": (10.0, gap("gfr"), UP, {}),
    "gfr_slope_per_upcr_fall": (20.0, gap("gfr"), UP, {}),
    "fever_msc": (0.5, by_arm("fevers", 1), UP, {}),
    "fever_placebo": (0.5, by_arm("fevers", 0), UP, {}),
    # --- conduct ---------------------------------------------------------------------------------
    "infusion_not_given": (0.3, lambda w: among(w.followed.given), DOWN, {}),
    "visit_missed": (0.4, lambda w: among(w.followed.attended[..., 1:]), DOWN, {}),
    "sample_missing": (0.3, lost("creatinine"), UP, {}),
    "collection_missing": (0.5, lost("protein_24h"), UP, {}),
    "dropout": (0.5, left, UP, {}),
    "dropout_early": (0.3, left, UP, {}),
    "dropout_observed": (4.0, protein_change_of_leavers, UP, dict(dropout=0.4)),
    "dropout_unobserved": (4.0, protein_change_of_leavers, UP, dict(dropout=0.4)),
    "infection_rate": (6.0, ill, UP, {}),
    "infection_days_ill": (30.0, ill, UP, {}),
    "infection_days_sd": (9.0, lengths_apart, UP, {}),
    "fever_days": (6, length("fever"), UP, dict(fever_msc=0.5)),
    "illness_upcr": (4.0, lambda w: among(w.followed.level[..., 1:]), UP, dict(infection_rate=4.0)),
    "illness_rbc": (20.0, lambda w: among(np.log(w.measures["rbc"][..., 1:])), UP, dict(infection_rate=4.0)),
    "serious_share": (0.5, serious, UP, {}),
    "other_event_rate": (6.0, events("other"), UP, {}),
    "other_event_days": (9, length("other"), UP, {}),
    "infusion_reaction": (0.5, lambda w: float((w.raw["events"]["term"] == "infusion reaction").sum()), UP, {}),
    "event_moderate": (0.9, noted("severity", "moderate"), UP, {}),
    "event_severe": (0.7, noted("severity", "severe"), UP, {}),
    "related_within_24h": (0.1, noted("related", "yes", near="yes"), DOWN, dict(infusion_reaction=0.9)),
    "related_later": (0.6, noted("related", "yes", near="no"), UP, {}),
}  # fmt: skip


def test_no_parameter_is_without_a_row():
    assert set(ROWS) == set(Parameters.model_fields)


@pytest.mark.parametrize("name", list(Parameters.model_fields))
def test_a_parameter_moves_what_it_says(name):
    value, quantity, direction, setting, *also = ROWS[name]
    after = {**setting, **(also[0] if also else {}), name: value}
    assert value != setting.get(name, Parameters.model_fields[name].default)
    start = quantity(world(tuple(setting.items())))
    end = quantity(World(Parameters(**after)))
    assert np.isfinite(start)
    assert np.isfinite(end)
    if direction == OTHER:
        assert end != start
    else:
        assert (end - start) * direction > 0, (start, end)
