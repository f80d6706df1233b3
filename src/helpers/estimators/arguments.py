"""Checks of what the estimators are given, and the few words and quantiles that they share.

Each raises one ValueError that names the argument.
"""

import numpy as np
from scipy import stats


def follow_up(time, event, level=0.95):
    """Times and events of one arm without the children that lack a time, and the message that says so."""
    time, event, _, message = two_arms(time, event, None, level)
    return time, event, message


def two_arms(time, event, arm, level=0.95, keep_missing=False):
    """Times, events and arms (children,), without those that lack a time unless `keep_missing`; the message."""
    check_level(level)
    time = np.asarray(time, float)
    event = np.asarray(event)
    groups = np.zeros(time.shape, int) if arm is None else binary("arm", arm)
    if time.ndim != 1 or event.shape != time.shape or groups.shape != time.shape:
        raise ValueError(
            f"time, event and arm must be of one length, got {time.shape}, {event.shape}, {groups.shape}"
        )
    missing = np.isnan(time)
    if (time[~missing] < 0).any() or np.isinf(time).any():
        raise ValueError("time must be finite and not negative")
    event = np.where(missing, 0, event) if event.dtype.kind in "biuf" else event
    event = binary("event", event)
    message = ""
    if missing.all():
        message = "no child with a time"
    elif missing.any():
        message = f"{int(missing.sum())} without a time left out"
    keep = ~missing | keep_missing
    return time[keep], event[keep], groups[keep], message


def response(y, arm):
    """Repeated measures (children, visits) and arms (children,), as floats."""
    y, arm = np.asarray(y, float), np.asarray(arm)
    if y.ndim != 2 or y.shape[1] == 0 or arm.shape != y.shape[:1]:
        raise ValueError(f"y must be (children, visits) and arm (children,), got {y.shape} and {arm.shape}")
    if np.isinf(y).any():
        raise ValueError("y must not be infinite")
    if arm.dtype.kind not in "biuf" or not np.isin(arm, (0, 1)).all():
        raise ValueError("arm must be 0 or 1")
    return y, arm.astype(float)


def binary(name, values):
    """Whole numbers 0 or 1."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1")
    return values.astype(int)


def positive(name, value):
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, got {value!r}")


def check_level(level):
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")


def z(level):
    """The normal quantile of a two-sided interval."""
    return float(stats.norm.isf((1 - level) / 2))


def join(*parts):
    """Messages in one; empty ones vanish."""
    return "; ".join(part for part in parts if part)
