"""Monte Carlo limits of what `characteristics` gives as bare numbers: gains, and claims against the cells."""

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
    found = alternatives["primary"].to_numpy(float)
    limits = _difference(found[0] if len(found) else np.nan, found, trials)
    # not over itself
    limits[:1] = np.nan
    return alternatives.assign(gain_lower=limits[:, 0], gain_upper=limits[:, 1])


def numeric_gain(brief: pd.DataFrame, trials: int) -> pd.DataFrame:
    """The answer in brief, and how much more often the same urine analysed as numbers finds the effect.

    Parameters
    ----------
    brief : pandas.DataFrame
        `characteristics.answer_in_brief`.
    trials : int
        Trials that were asked.

    Returns
    -------
    The same rows; after power_numeric a row gain: its power less that of the primary, in points, with 95 % limits as
    in `gains` (both analyses are of the same trials, so they are no narrower than need be).

    Examples
    --------
    >>> rows = [("power", 50.0), ("power_numeric", 72.0)]
    >>> found = numeric_gain(pd.DataFrame(rows, columns=["question", "estimate"]), 2000)
    >>> found[["question", "estimate"]].values.tolist()
    [['power', 50.0], ['power_numeric', 72.0], ['gain', 22.0]]
    """
    at = brief.set_index("question")["estimate"]
    ((lower, upper),) = _difference(at["power"], np.array([at["power_numeric"]]), trials)
    gain = at["power_numeric"] - at["power"]
    row = {"question": "gain", "estimate": gain, "lower": lower, "upper": upper, "unit": "points"}
    after = list(brief["question"]).index("power_numeric") + 1
    mine = pd.DataFrame([row | {"error": "95 % Monte Carlo, as of independent trials"}])
    return pd.concat([brief[:after], mine, brief[after:]], ignore_index=True)


def claims_against(claims: pd.DataFrame) -> pd.DataFrame:
    """Claims where the cells do nothing, with the share that speaks against them and its limits.

    Parameters
    ----------
    claims : pandas.DataFrame
        `characteristics.false_claims`: against and trials are counts.

    Returns
    -------
    The same rows with against_share, against_lower and against_upper (%, Wilson's 95 % limits).

    Examples
    --------
    >>> claims_against(pd.DataFrame({"against": [0], "trials": [2000]}))[["against_share", "against_upper"]].round(1)
       against_share  against_upper
    0            0.0            0.2
    """
    against, trials = claims["against"].to_numpy(), claims["trials"].to_numpy()
    lower, upper = proportions.wilson(against, trials)
    return claims.assign(
        against_share=100 * against / trials,
        against_lower=100 * np.asarray(lower),
        against_upper=100 * np.asarray(upper),
    )


def _difference(plan: float, others: np.ndarray, trials: int) -> np.ndarray:
    """Newcombe's 95 % limits, in points, of each other share (%) less the plan's; NaN where one is not known."""
    limits = np.full((len(others), 2), np.nan)
    known = np.isfinite(others) & np.isfinite(plan)
    if known.any():
        found = np.round(others[known] * trials / 100).astype(int)
        ours = round(float(plan) * trials / 100)
        limits[known] = 100 * np.column_stack(proportions.newcombe(ours, trials, found, trials))
    return limits
