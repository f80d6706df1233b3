"""Monte Carlo limits of what `characteristics` and `prospects` give as bare numbers, and the exact figure for some."""

import numpy as np
import pandas as pd

from helpers.design import operating, prospects
from helpers.design.operating import PRIMARY
from helpers.estimators import planning, proportions
from helpers.study.parameters import Parameters


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


def exact_claim(brief: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """The answer in brief with the chance of a false claim of the primary by enumeration, where there is one.

    Parameters
    ----------
    brief : pandas.DataFrame
        `characteristics.answer_in_brief`.
    claims : pandas.DataFrame
        `characteristics.false_claims`: exact (%) and null by analysis.

    Returns
    -------
    The same rows; after false_claim a row false_claim_exact without limits. Not where the arms differ without the
    cells' effect (null is false): one share for both is not what they have.

    Examples
    --------
    >>> brief = pd.DataFrame({"question": ["false_claim"], "estimate": [1.0]})
    >>> claims = pd.DataFrame({"analysis": ["confirmed"], "exact": [1.5], "null": [True]})
    >>> exact_claim(brief, claims)[["question", "estimate"]].values.tolist()
    [['false_claim', 1.0], ['false_claim_exact', 1.5]]
    """
    primary = claims[(claims["analysis"] == PRIMARY) & claims["null"] & claims["exact"].notna()]
    if primary.empty:
        return brief
    row = {
        "question": "false_claim_exact",
        "estimate": primary["exact"].iloc[0],
        "unit": "%",
        "error": "exact",
    }
    after = list(brief["question"]).index("false_claim") + 1
    return pd.concat([brief[:after], pd.DataFrame([row]), brief[after:]], ignore_index=True)


def near_sizes(p: Parameters, placebo: float, msc: float, sizes: tuple[int, ...]) -> pd.DataFrame:
    """Power of the primary by enumeration at some sizes and two more or fewer children, a row a size.

    Parameters
    ----------
    p : Parameters
        Allocation and level.
    placebo, msc : float
        True shares of the arms with confirmed remission.
    sizes : tuple of int
        Children randomised.

    Returns
    -------
    n, arms ("20 v 20") and power (%: significant in favour of the cells).

    Examples
    --------
    >>> near_sizes(Parameters(), 0.15, 0.4, (40,))["n"].tolist()
    [38, 40, 42]
    """
    rows = []
    for n in sorted({n + more for n in sizes for more in (-2, 0, 2) if n + more >= 4}):
        first, second = operating.arms(p, n)
        power = planning.exact_power((placebo, msc), (first, second), p.alpha).above
        rows.append((n, f"{first} v {second}", 100 * power))
    return pd.DataFrame(rows, columns=["n", "arms", "power"])


def exact_null(by_effect: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Power by effect, in which claims without an effect are those of enumeration where a test has them.

    by_effect: `characteristics.by_effect`; claims: `characteristics.false_claims`. The same rows; there power and both
    its limits are the exact figure.

    Examples
    --------
    >>> curve = pd.DataFrame({"effect": [1.0, 0.5], "analysis": "confirmed", "power": [1.0, 70.0]})
    >>> curve = curve.assign(power_lower=curve["power"] - 1, power_upper=curve["power"] + 1)
    >>> claims = pd.DataFrame({"analysis": ["confirmed"], "exact": [1.5], "null": [True]})
    >>> exact_null(curve, claims)["power"].tolist()
    [1.5, 70.0]
    """
    exact = by_effect["analysis"].map(claims[claims["null"]].set_index("analysis")["exact"])
    here = (by_effect["effect"] == 1) & exact.notna()
    names = ("power", "power_lower", "power_upper")
    return by_effect.assign(**{name: by_effect[name].where(~here, exact) for name in names})


def assured(by_effect: pd.DataFrame) -> pd.DataFrame:
    """`prospects.assured` with Monte Carlo limits of the chance of success and of the share of true claims.

    by_effect: `characteristics.by_effect`, or `exact_null` of it.

    Returns
    -------
    The same rows with success_lower, success_upper, true_lower and true_upper (%): every simulated power at its lower
    or its upper limit at once; of the share of true claims those without an effect at the other one. That is wider
    than need be.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> simulation_error.assured(simulation_error.exact_null(by_effect, false_claims))
    """
    low, high = by_effect["power_lower"], by_effect["power_upper"]
    none = by_effect["effect"] == 1
    found = prospects.assured(by_effect)
    for name, end, power in (
        ("success", "lower", low),
        ("success", "upper", high),
        ("true", "lower", low.where(~none, high)),
        ("true", "upper", high.where(~none, low)),
    ):
        found[f"{name}_{end}"] = prospects.assured(by_effect.assign(power=power))[name]
    return found


def worlds(fairness: pd.DataFrame) -> pd.DataFrame:
    """By how much the numbers find the effect more often than the primary, a row a world of the fairness check.

    Parameters
    ----------
    fairness : pandas.DataFrame
        `characteristics.fairness`.

    Returns
    -------
    shape, effect, gain, gain_lower and gain_upper: points, with limits as in `gains`.

    Examples
    --------
    >>> rows = [("noisy", 0.8, "confirmed", 20.0, 1000), ("noisy", 0.8, "ancova average", 30.0, 1000)]
    >>> frame = pd.DataFrame(rows, columns=["shape", "effect", "analysis", "power", "trials"])
    >>> worlds(frame)[["gain", "gain_lower", "gain_upper"]].round(1).values.tolist()
    [[10.0, 6.2, 13.7]]
    """
    rows = []
    for (shape, effect), part in fairness.groupby(["shape", "effect"], sort=False):
        one = part.set_index("analysis")
        ours, theirs = (float(one.loc[name, "power"]) for name in (PRIMARY, prospects.NUMERIC))
        ((lower, upper),) = _difference(ours, np.array([theirs]), int(one.loc[PRIMARY, "trials"]))
        rows.append((shape, effect, theirs - ours, lower, upper))
    return pd.DataFrame(rows, columns=["shape", "effect", "gain", "gain_lower", "gain_upper"])


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
