"""Checks of what the estimators are given, and the few words and quantiles that they share.

Each raises one ValueError that names the argument.
"""

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Shaped: TypeAlias = Any
"""A float where all arguments are scalars, else an array of their broadcast shape: types can't tell which."""


TIE = 1e-8
"""Times closer than this share of the largest are one time: far above rounding, far below any measured gap."""


def tied(*times: ArrayLike) -> tuple[NDArray, ...]:
    """Times in which those that differ only by rounding are equal: the one rule for ties.

    Parameters
    ----------
    *times : array_like
        In one unit, of any shapes: those of children, visits, a horizon. NaN and infinite ones stay as they are.

    Returns
    -------
    tuple of numpy.ndarray of float
        The same shapes. Neighbours closer than `TIE` times the largest absolute time are one, and a run of such
        neighbours takes the value of its smallest; all others keep theirs to the last bit.

    Raises
    ------
    ValueError
        Values that are no numbers.

    Notes
    -----
    As R's survfit with `timefix`, whose tolerance is 1.5e-8 of the mean; relative, so that units change nothing.

    References
    ----------
    Therneau, "Roundoff error and tied times", vignette of R's survival.

    Examples
    --------
    >>> time, visit = tied([0.3, 0.1 + 0.2, 1.0], 0.1 * 3)
    >>> time.tolist(), float(visit)
    ([0.3, 0.3, 1.0], 0.3)
    """
    arrays = [np.asarray(t, float) for t in times]
    distinct = np.unique(np.concatenate([a.ravel() for a in arrays])) if arrays else np.empty(0)
    distinct = distinct[np.isfinite(distinct)]
    if len(distinct) < 2:
        return tuple(arrays)
    opens = np.append(True, np.diff(distinct) > TIE * np.abs(distinct).max())
    if opens.all():
        return tuple(arrays)
    smallest = distinct[opens][np.cumsum(opens) - 1]
    return tuple(
        np.where(np.isfinite(a), smallest[np.searchsorted(distinct, a).clip(max=len(distinct) - 1)], a)
        for a in arrays
    )


def follow_up(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> tuple[NDArray, NDArray, str]:
    """Times and events of one arm without the children that lack a time.

    Parameters
    ----------
    time, event : array_like, shape (children,)
        As in `two_arms`.
    level : float
        Checked as in `check_level`.

    Returns
    -------
    time, event : numpy.ndarray
        Of the children kept.
    message : str
        How many were left out.

    Raises
    ------
    ValueError
        As `two_arms`.

    Notes
    -----
    `two_arms` with everybody in one arm.

    Examples
    --------
    >>> time, event, message = follow_up([3, float("nan"), 6], [1, 0, 0])
    >>> time.tolist(), event.tolist(), message
    ([3.0, 6.0], [1, 0], '1 without a time left out')
    """
    time, event, _, message = two_arms(time, event, None, level)
    return time, event, message


def two_arms(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike | None,
    level: float = 0.95,
    keep_missing: bool = False,
) -> tuple[NDArray, NDArray, NDArray, str]:
    """Times, events and arms without the children that lack a time.

    Parameters
    ----------
    time : array_like, shape (children,)
        Finite, not negative; NaN = unknown.
    event : array_like of 0 and 1, shape (children,)
        1 event, 0 censored.
    arm : array_like, shape (children,), or None
        As in `arms`; None puts everybody in arm 0.
    level : float
        Checked as in `check_level`.
    keep_missing : bool
        Keep the children without a time, as no events.

    Returns
    -------
    time, event, arm : numpy.ndarray
        Of the children kept; times are `tied`.
    message : str
        How many lack a time.

    Raises
    ------
    ValueError
        Lengths that differ, times that can't be, values that are not 0 or 1.

    Notes
    -----
    An event of a child without a time is not looked at.

    Examples
    --------
    >>> time, event, arm, message = two_arms([3, 6], [1, 0], [0, 1])
    >>> arm.tolist(), message
    ([0, 1], '')
    """
    check_level(level)
    time = numbers("time", time)
    event = np.asarray(event)
    groups = np.zeros(time.shape, int) if arm is None else arms(arm)
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
    return tied(time[keep])[0], event[keep], groups[keep], message


def response(y: ArrayLike, arm: ArrayLike) -> tuple[NDArray, NDArray]:
    """Repeated measures and arms, as floats.

    Parameters
    ----------
    y : array_like, shape (children, visits)
        NaN = not measured.
    arm : array_like, shape (children,)
        As in `arms`.

    Returns
    -------
    y, arm : numpy.ndarray of float
        The same.

    Raises
    ------
    ValueError
        Shapes that differ, infinite values, an arm that is not 0 or 1.

    Notes
    -----
    At least one visit; any number of children.

    Examples
    --------
    >>> y, arm = response([[1, 2]], [0])
    >>> y.shape, arm.dtype.kind
    ((1, 2), 'f')
    """
    y, arm = numbers("y", y), arms(arm)
    if y.ndim != 2 or y.shape[1] == 0 or arm.shape != y.shape[:1]:
        raise ValueError(f"y must be (children, visits) and arm (children,), got {y.shape} and {arm.shape}")
    if np.isinf(y).any():
        raise ValueError("y must not be infinite")
    return y, arm.astype(float)


def standardized(columns: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Columns of a design with mean 0 and standard deviation 1, so that their units can't touch a fit.

    Parameters
    ----------
    columns : array_like, shape (rows, k)
        Finite, any units.

    Returns
    -------
    columns : numpy.ndarray, shape (rows, k)
        (columns - centre) / scale.
    centre, scale : numpy.ndarray, shape (k,)
        In the columns' units. A column that varies by rounding only is all 0, with scale 1.

    Raises
    ------
    ValueError
        Values that are no numbers.

    Notes
    -----
    A coefficient b of a standardised column is b / scale on the original one, and the intercept is less
    b * centre / scale.

    Examples
    --------
    >>> columns, centre, scale = standardized([[2025.0], [2027.0]])
    >>> columns.tolist(), centre.tolist(), scale.tolist()
    ([[-1.0], [1.0]], [2026.0], [1.0])
    """
    columns = np.asarray(columns, float)
    if len(columns) == 0:
        return columns, np.zeros(columns.shape[1]), np.ones(columns.shape[1])
    centre = columns.mean(axis=0)
    spread = (columns - centre).std(axis=0)
    varies = spread > 1e-14 * np.abs(columns).max(axis=0)
    scale = np.where(varies, spread, 1.0)
    return np.where(varies, (columns - centre) / scale, 0.0), centre, scale


def binary(name: str, values: ArrayLike) -> NDArray:
    """Whole numbers 0 or 1.

    Parameters
    ----------
    name : str
        What the error calls them.
    values : array_like
        Booleans or numbers, any shape.

    Returns
    -------
    numpy.ndarray of int
        The same shape.

    Raises
    ------
    ValueError
        Any other value, NaN included.

    Notes
    -----
    Text is refused even where it reads as a number.

    Examples
    --------
    >>> binary("event", [True, False]).tolist()
    [1, 0]
    """
    values = np.asarray(values)
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1")
    return values.astype(int)


CONTROLS = ("placebo", "control")
"""Labels, in any case, that name a control arm by themselves."""


def arms(arm: ArrayLike) -> NDArray:
    """Which arm each child is in, from 0 and 1 or from labels.

    Parameters
    ----------
    arm : array_like, shape (children,)
        0 control and 1 active; or two labels of which one is "placebo" or "control" in any case; or a pandas
        Categorical of two categories, whose first is the control.

    Returns
    -------
    numpy.ndarray of int, shape (children,)
        0 control, 1 active.

    Raises
    ------
    ValueError
        A missing arm, more than two, or two labels that do not say which is the control.

    Notes
    -----
    A pandas index is not looked at: rows belong together by their place.

    Examples
    --------
    >>> arms(["hUC-MSC", "Placebo"]).tolist(), arms(pd.Categorical(["A", "B"], ["B", "A"])).tolist()
    ([1, 0], [1, 0])
    """
    if isinstance(getattr(arm, "dtype", None), pd.CategoricalDtype):
        kinds = pd.Categorical(arm)
        if len(kinds.categories) != 2 or (kinds.codes < 0).any():
            raise ValueError(f"arm must have two categories and no gap, got {list(kinds.categories)}")
        if set(kinds.categories) <= {0, 1}:
            return binary("arm", np.asarray(kinds))
        return kinds.codes.astype(int)
    values = np.asarray(arm)
    if values.dtype.kind not in "OUT" or values.size == 0:
        return binary("arm", values)
    if all(isinstance(value, int | float | np.number | np.bool_) for value in values.ravel()):
        return binary("arm", values.astype(float))
    labels = sorted({str(value) if isinstance(value, str) else "" for value in values.ravel()})
    controls = [label for label in labels if label.strip().lower() in CONTROLS]
    if "" in labels or len(labels) > 2 or len(controls) != 1:
        shown = ", ".join(repr(label or None) for label in labels[:4])
        raise ValueError(
            f"arm must be 0 or 1, or two labels of which one is 'placebo' or 'control', got {shown}; "
            "a pandas Categorical says by its first category which is the control"
        )
    return (values != controls[0]).astype(int)


def numbers(name: str, values: ArrayLike) -> NDArray:
    """Numbers as float64.

    Parameters
    ----------
    name : str
        What the error calls them.
    values : array_like
        Numbers or booleans of any type and shape; missing ones become NaN.

    Returns
    -------
    numpy.ndarray of float
        The same shape.

    Raises
    ------
    ValueError
        Text, even where it reads as a number, and whatever else is none.

    Notes
    -----
    A column of text that holds numbers was read wrongly: better to hear of it here.

    Examples
    --------
    >>> numbers("time", [1, None]).tolist()
    [1.0, nan]
    """
    raw = np.asarray(values)
    if raw.dtype.kind in "USTMm" or (raw.dtype == object and any(isinstance(v, str) for v in raw.ravel())):
        raise ValueError(
            f"{name} must be numbers, got {str(raw.ravel()[0])!r}" if raw.size else f"{name} must be numbers"
        )
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {type(raw.ravel()[0]).__name__}") from None


def positive(name: str, value: float) -> None:
    """Refuse a number that is not finite and above 0.

    Parameters
    ----------
    name : str
        What the error calls it.
    value : float
        To be checked.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        Where it is 0, negative, infinite or NaN.

    Notes
    -----
    For horizons and counts of resamples.

    Examples
    --------
    >>> positive("tau", 12.0)
    """
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, got {value!r}")


def check_level(level: float) -> None:
    """Refuse a confidence level outside 0 to 1.

    Parameters
    ----------
    level : float
        A proportion: 0.95, not 95.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        At or below 0, at or above 1.

    Notes
    -----
    The same words for all estimators.

    Examples
    --------
    >>> check_level(95)
    Traceback (most recent call last):
    ValueError: level must lie between 0 and 1, got 95
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")


def z(level: float) -> float:
    """The normal quantile of a two-sided interval.

    Parameters
    ----------
    level : float
        Confidence level.

    Returns
    -------
    float
        Standard errors to either side.

    Raises
    ------
    ValueError
        Never: NaN outside 0 to 1, see `check_level`.

    Notes
    -----
    The upper (1 - level) / 2 quantile.

    Examples
    --------
    >>> round(z(0.95), 3)
    1.96
    """
    return float(stats.norm.isf((1 - level) / 2))


def join(*parts: str) -> str:
    """Messages in one.

    Parameters
    ----------
    *parts : str
        Empty ones vanish.

    Returns
    -------
    str
        Joined by semicolons.

    Raises
    ------
    TypeError
        A part that is not text.

    Notes
    -----
    An empty message means nothing to report.

    Examples
    --------
    >>> join("2 without a time left out", "", "no events")
    '2 without a time left out; no events'
    """
    return "; ".join(part for part in parts if part)


def labelled(arm: ArrayLike, active: object = 1) -> NDArray:
    """Who is in the active arm, by its label.

    Parameters
    ----------
    arm : array_like, shape (children,)
        Labels of any kind, True and False among them; none missing.
    active : object
        The label of the active arm.

    Returns
    -------
    numpy.ndarray of bool, shape (children,)
        In the order given.

    Raises
    ------
    ValueError
        A label missing, more than two labels, or none that is `active`.

    Notes
    -----
    True and 1 are one label.

    Examples
    --------
    >>> labelled(["Placebo", "hUC-MSC"], "hUC-MSC").tolist()
    [False, True]
    """
    labels = np.asarray(arm)
    if labels.ndim != 1:
        raise ValueError(f"arm must be one label a child, got shape {labels.shape}")
    listed = labels.tolist()
    if any(label is None or label != label for label in listed):
        raise ValueError("arm is missing for some children")
    distinct = sorted(set(listed), key=str)
    if len(distinct) > 2 or (distinct and active not in distinct and len(distinct) == 2):
        raise ValueError(
            f"arm must be two labels, one of them {active!r}; found {', '.join(map(str, distinct))}"
        )
    return np.array([label == active for label in listed], bool)
