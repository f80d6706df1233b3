"""Chapter 07, continued: what visits hide, and how far the arms lie apart in time.

A remission found at a visit began after the last attended visit without it: the interval-censored estimate
uses that and nothing more. Differences between the arms come with intervals and without p-values.
"""

import zlib

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import adam
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.time_to_remission import CLOCKS, ENDPOINTS, GRID, Curve, Tested, curve, followed
from helpers.chapters.words import NOT_ESTIMABLE, rounded
from helpers.estimators import discrete_time, interval_censored, survival
from helpers.study.protocol import ARM_KEY, ARMS, LAST, VISITS

RESAMPLES = 500
"""Bootstrap resamples of each arm: the tail share of 2.5 % then has a Monte Carlo SE of 0.7 points."""


def interval_curve(adtte: pd.DataFrame, code: str, seed: int) -> Curve:
    """Cumulative remission at the visits by the interval-censored NPMLE, drawn over the Kaplan-Meier curve.

    Band: percentiles of `RESAMPLES` resamples of the children of an arm. code: a key of `ENDPOINTS`.
    """
    shown = curve(adtte, code)
    rows = adam.events(adtte, code)
    key, words = ENDPOINTS[code]
    # The first interval opens at the first infusion, before time zero.
    shift = max(0.0, -float(rows["left"].min())) if len(rows) else 0.0
    grid, points, notes, said = np.array(GRID[1:]), [], [], {}
    for k, arm in enumerate(ARMS):
        part = rows[rows["arm"] == k].dropna(subset="left")
        rng = np.random.default_rng(
            np.random.SeedSequence(seed, spawn_key=(zlib.crc32(f"npmle {code} {arm}".encode()),))
        )
        left, right = part["left"] + shift, part["right"] + shift
        try:
            band = interval_censored.npmle_bootstrap(left, right, grid + shift, RESAMPLES, rng)
        except ValueError as problem:
            band = pd.DataFrame({"time": grid + shift, "estimate": np.nan, "lower": np.nan, "upper": np.nan})
            band.attrs["message"] = f"intervals can't be used: {problem}"
        fit = pd.DataFrame({"arm": arm, "time": grid, "visit": [v.name for v in VISITS], "n": len(part)})
        fit["estimate"] = 1 - band["estimate"].to_numpy()
        fit["lower"], fit["upper"] = 1 - band["upper"].to_numpy(), 1 - band["lower"].to_numpy()
        flat = fit["upper"] - fit["lower"] < 1e-9
        fit.loc[flat, ["lower", "upper"]] = np.nan
        points.append(fit)
        if band.attrs["message"]:
            notes.append(f"{arm}: {band.attrs['message']}.")
        last = fit.iloc[-1]
        text = _share(last)
        said[ARM_KEY[arm]] = Result(
            f"ttr.{key}.npmle.month12.{ARM_KEY[arm]}", 100 * last["estimate"], "%", 1, text
        )
    frame = pd.concat(points, ignore_index=True)
    km = shown.figure.data
    wide = pd.DataFrame({"visit": [v.name for v in VISITS], "month": grid})
    heads = {"visit": "Visit", "month": "Month"}
    for arm, name in ARM_KEY.items():
        part = frame[frame["arm"] == arm].reset_index(drop=True)
        steps = km[km["arm"] == arm]
        wide[f"{name}_npmle"] = [_share(row) for _, row in part.iterrows()]
        wide[f"{name}_km"] = [_km_at(steps, month) for month in grid]
        heads |= {
            f"{name}_npmle": f"{arm}, interval-censored (95 % band)",
            f"{name}_km": f"{arm}, Kaplan-Meier",
        }
    said["notes"] = " ".join(notes)
    common = {
        "population": shown.figure.population,
        "n": shown.figure.n,
        "method": "nonparametric maximum likelihood of (last attended visit without, visit with] (Turnbull); band: "
        f"pointwise 2.5 and 97.5 % of {RESAMPLES} bootstrap resamples an arm, Monte Carlo SE of the tail share 0.7 "
        f"points; beside Kaplan-Meier; no p-values; source ADTTE ({code}, LMONTH, RMONTH)",
        "conventions": [
            "arm order placebo, hUC-MSC", "intervals open at the left, closed at the right",
            "no band where no resample differs", "shown at the visits, where it is determined",
        ],
    }  # fmt: skip
    figure = Exhibit(
        f"ttr-{key.replace('_', '-')}-intervals", f"Time to {words}: interval-censored beside Kaplan-Meier", frame,
        caption=said["notes"], results=[said[name] for name in ARM_KEY.values()],
        alt=f"Cumulative {words}, interval-censored estimates at the visits over the Kaplan-Meier steps. "
        f"By {LAST.lower()}: "
        + "; ".join(f"{arm} {said[name]} %" for arm, name in ARM_KEY.items()) + ".",
        figure=figures.cumulative_remission(
            km, _risk(shown), grid=GRID[1:], label=f"Cumulative {words}", band=False, points=frame
        ),
        **common,
    )  # fmt: skip
    table = Exhibit(
        f"{figure.key}-table", f"Cumulative {words} at the visits by both estimates", wide, columns=heads,
        digits={"month": 1},
        units={c: "%" for c in heads if c.endswith(("npmle", "km"))}, caption=said["notes"], **common,
    )  # fmt: skip
    return Curve(figure, table, said)


def contrasts(adtte: pd.DataFrame, codes=("UPCRC", "UPCRF", "UPCRS")) -> Tested:
    """hUC-MSC against placebo in time: cumulative remission at month 12, restricted mean time, hazard ratio."""
    tau, data, said = GRID[-1], [], {}
    for code in codes:
        rows, _ = followed(adtte, code, "AVAL")
        key, words = ENDPOINTS[code]
        time, event, arm = (
            rows["time"].to_numpy(float),
            rows["event"].to_numpy(int),
            rows["arm"].to_numpy(int),
        )
        counts = " v ".join(str(int((arm == k).sum())) for k in (0, 1))
        share = survival.cumulative_difference(time, event, arm, tau, method="log-log")
        mean = survival.rmst_difference(time, event, arm, tau)
        grid = np.array(GRID[1:])
        if np.isin(time, GRID).all():
            table = discrete_time.person_period(time, event, arm, grid)
            ratio = discrete_time.discrete_hazard_ratio(table["y"], table["arm"], np.log(table["time"]))
        else:
            ratio = discrete_time.HazardRatio(message="times that are no visit's: no discrete-time model")
        found = (
            ("month12_difference", f"Difference in cumulative remission at {LAST.lower()}", "percentage points", 1,
             *(100 * v for v in (share.estimate, share.lower, share.upper)), share.message),
            ("rmst_difference", f"Difference in mean time without remission up to {LAST.lower()}", "months", 2,
             mean.estimate, mean.lower, mean.upper, mean.message),
            ("hazard_ratio", "Discrete-time hazard ratio (description only)", "", 2,
             ratio.ratio, ratio.lower, ratio.upper, ratio.message),
        )  # fmt: skip
        for name, quantity, unit, digits, estimate, lower, upper, message in found:
            text = _contrast_text(estimate, lower, upper, digits, message)
            data.append(
                {"endpoint": words, "quantity": quantity, "n": counts, "estimate": estimate, "lower": lower,
                 "upper": upper, "unit": unit, "text": text, "note": message}
            )  # fmt: skip
            value = Result(f"ttr.{key}.{name}", estimate, unit, digits, text)
            said[f"{key}_{name}"] = value
    exhibit = Exhibit(
        "ttr-contrasts", "Time to remission: hUC-MSC against placebo", pd.DataFrame(data),
        columns={"endpoint": "Time to", "quantity": "Quantity", "n": "n placebo v hUC-MSC",
                 "text": "hUC-MSC against placebo (95 % interval)", "unit": "Unit", "note": "Note"},
        population="all randomised evaluable for the endpoint", n=f"{adtte['USUBJID'].nunique()} randomised",
        method="Kaplan-Meier with log-log limits of both arms combined by square-and-add (MOVER); restricted mean with "
        "Greenwood's variance, normal interval; hazard ratio: complementary log-log regression on arm and log month, "
        f"Firth's penalty, profile interval; {CLOCKS['AVAL'][1]}; no p-values; source ADTTE",
        conventions=["arm order placebo, hUC-MSC", "difference hUC-MSC - placebo, ratio hUC-MSC / placebo",
                     "a mean time below zero difference is earlier remission on hUC-MSC"],
        results=list(said.values()), missing="",
    )  # fmt: skip
    return Tested(exhibit, said)


def _risk(shown: Curve) -> pd.DataFrame:
    """The at-risk table of a curve, long again as the figure takes it."""
    wide, parts = shown.table.data, []
    for arm, name in ARM_KEY.items():
        part = wide[["time", f"{name}_at_risk", f"{name}_events", f"{name}_censored"]].dropna()
        part.columns = ["time", "at_risk", "events", "censored"]
        parts.append(part.assign(arm=arm))
    return pd.concat(parts, ignore_index=True)


def _km_at(steps, month) -> str:
    seen = steps[steps["time"] <= month + 1e-9]
    if steps.empty:
        return NOT_ESTIMABLE
    return rounded(100 * (seen["estimate"].iloc[-1] if len(seen) else 0.0), 1)


def _share(row) -> str:
    if not np.isfinite(row["estimate"]):
        return NOT_ESTIMABLE
    share = rounded(100 * row["estimate"], 1)
    if not np.isfinite(row["lower"]):
        return f"{share} (no band)"
    return f"{share} ({rounded(100 * row['lower'], 1)} to {rounded(100 * row['upper'], 1)})"


def _contrast_text(estimate, lower, upper, digits, message) -> str:
    if not np.isfinite(estimate):
        return f"{NOT_ESTIMABLE}: {message}" if message else NOT_ESTIMABLE
    if np.isnan(lower) or np.isnan(upper):
        return f"{rounded(estimate, digits)} (no interval)"
    high = rounded(upper, digits) if np.isfinite(upper) and upper < 1e6 else "no upper limit"
    return f"{rounded(estimate, digits)} ({rounded(lower, digits)} to {high})"
