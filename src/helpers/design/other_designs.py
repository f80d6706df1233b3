"""What another design gains over the plan, with its Monte Carlo error."""

import numpy as np
import pandas as pd

from helpers.estimators import proportions


def gains(alternatives: pd.DataFrame, trials: int) -> pd.DataFrame:
    """Other designs, and between which limits the gain of each lies.

    Parameters
    ----------
    alternatives : pandas.DataFrame
        `characteristics.alternatives`: the plan first.
    trials : int
        Trials of each design.

    Returns
    -------
    The same rows with gain_lower and gain_upper: Newcombe's 95 % limits of the difference of two shares of `trials`
    trials, in points, as if the two designs' trials were independent. They share random numbers, which makes powers
    rise and fall together: the limits are no narrower than they need be. NaN for the plan itself, and for a design
    that can't be run.

    Examples
    --------
    >>> frame = pd.DataFrame({"alternative": ["as planned", "60 children"], "primary": [50, 64], "gain": [0.0, 14.0]})
    >>> gains(frame, 2000)[["gain", "gain_lower", "gain_upper"]].round(1).values.tolist()
    [[0.0, nan, nan], [14.0, 10.9, 17.0]]
    """
    known = alternatives["primary"].notna().to_numpy()
    # not of itself
    known[:1] = False
    found = np.round(alternatives["primary"].to_numpy(float)[known] * trials / 100).astype(int)
    limits = np.full((len(alternatives), 2), np.nan)
    if known.any():
        plan = round(float(alternatives["primary"].iloc[0]) * trials / 100)
        limits[known] = 100 * np.column_stack(proportions.newcombe(plan, trials, found, trials))
    return alternatives.assign(gain_lower=limits[:, 0], gain_upper=limits[:, 1])
