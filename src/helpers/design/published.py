# ruff: noqa: E501
"""Published quantities that the simulator is held against: value, range and how the range came about.

Values come from `data/reference/targets.csv` and `targets-2.csv`, what was published since. A range that a paper does not state is its 95 % sampling
interval from the paper's own number of children, and says so. Nothing here is simulated.
"""

import csv
from collections.abc import Iterator
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from scipy import stats

from helpers import ROOT
from helpers.estimators import proportions
from helpers.study import kidney
from helpers.study.literature import targets

CLINIC, COURSE = "clinic", "course"
"""Parts of the simulator: children and their measures before selection, and what happens after it."""
FORMER_SCHWARTZ_K = 0.55
"""Constant of the Schwartz equation before the bedside one, as the note of N201 has it; creatinine in mg/dL, cm."""
AGE_AT_RAS_START = (8.6, 4.1)
"""Mean and SD of age in years of the 79 children of NH14a, whose row states them in words."""

Published = tuple[float, float, float, str]
"""Value, lower and upper limit of what counts as agreement, and how the range came about."""


class Reason(NamedTuple):
    """Why the simulated value lies outside the published range, and how far out it may: from low to high, and why so far.

    Both ends are of the quantity's unit; beyond them the reason no longer holds.
    """

    why: str
    low: float
    high: float
    how: str


class Quantity(NamedTuple):
    """A published quantity.

    key: row of targets.csv, then which of its numbers; part: CLINIC or COURSE; low and high: the range that
    counts as inside, `how` it came about; reason: where ours is outside with the parameters of the base
    scenario.
    """

    key: str
    part: str
    what: str
    unit: str
    among: str
    value: float
    low: float
    high: float
    how: str
    reason: Reason | None = None

    @property
    def row(self) -> str:
        return self.key.split()[0]


def number(row: str, column: str = "value") -> float:
    """A number of a row of targets.csv, in the row's unit; raises KeyError for an unknown row."""
    return float(targets()[row][column])


def middle(row: str) -> tuple[float, float, float]:
    """A row's value (mean, median or limit), low and high (mean -+ SD, quartiles or range), in its unit."""
    return number(row), number(row, "low"), number(row, "high")


@cache
def chinese_heights(sex: str) -> tuple[float, float, float]:
    """Mean, least and greatest median height of Chinese children of 3 to 12 years, in % of WHO's median.

    sex: M or F. From growth_lms.csv (Li et al., 2005 survey; WHO 2006 and 2007), one share a year of age.
    """
    medians: dict[str, dict[int, float]] = {"WHO": {}, "China Li": {}}
    with (ROOT / "data" / "reference" / "growth_lms.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, found in medians.items():
                if row["reference"].startswith(name) and row["measure"] == "height" and row["sex"] == sex:
                    found[int(row["age_years"])] = float(row["M"])
    shares = [100 * medians["China Li"][age] / medians["WHO"][age] for age in range(3, 13)]
    return float(np.mean(shares)), min(shares), max(shares)


def _share(row: str, n: int, value: float | None = None) -> Published:
    """Value in percent with Wilson's interval for n children."""
    value = number(row) if value is None else value
    low, high = proportions.wilson(round(value * n / 100), n)
    return value, 100 * float(low), 100 * float(high), f"95 % sampling interval, n = {n}"


def _mean(row: str, n: int) -> Published:
    value, half = number(row), 1.96 * _sd(row) / np.sqrt(n)
    return value, value - half, value + half, f"95 % sampling interval, n = {n}"


def _sd(row: str) -> float:
    return (number(row, "high") - number(row, "low")) / 2


def _spread(value: float, n: int, freedom: int | None = None) -> Published:
    """A standard deviation with its chi-squared interval."""
    df = freedom or n - 1
    low, high = (value * np.sqrt(df / stats.chi2.ppf(q, df)) for q in (0.975, 0.025))
    return value, float(low), float(high), f"95 % sampling interval, n = {n}"


def _quartile(row: str, column: str, n: int, log: bool = False) -> Published:
    """Median (column value) or quartile (low, high) with the interval of a sample quantile of normal values."""
    f = np.log if log else float
    value, sd = f(number(row, column)), (f(number(row, "high")) - f(number(row, "low"))) / 1.349
    half = 1.96 * sd / np.sqrt(n) * (1.2533 if column == "value" else 1.3626)
    found = (value, value - half, value + half)
    found = tuple(float(np.exp(x)) for x in found) if log else found
    return *found, f"95 % sampling interval, n = {n}"


def _change(row: str, n: int, median: float | None = None) -> Published:
    """A percent change with the interval of a mean (or of a given median) of n log changes, SD from CV03."""
    log = np.log1p((number(row) if median is None else median) / 100)
    half = 1.96 * number("CV03") / np.sqrt(n) * (1.0 if median is None else 1.2533)
    low, high = (100 * float(np.expm1(log + s * half)) for s in (-1, 1))
    return 100 * float(np.expm1(log)), low, high, f"95 % sampling interval, n = {n}, SD of CV03"


def _stated(row: str) -> Published:
    return *middle(row), "stated"


def _quantity(
    part: str, key: str, what: str, unit: str, among: str, found: Published, reason: Reason | None = None
) -> Quantity:
    return Quantity(key, part, what, unit, among, *found, reason)


def _up_to(found: Published, limit: float, how: str, why: str) -> Reason:
    """A reason that carries the value beyond the published range as far as a limit on one side of it."""
    _, low, high, _ = found
    return Reason(why, min(low, limit), max(high, limit), how)


@cache
def quantities() -> tuple[Quantity, ...]:
    """Every published quantity that the simulator is held against."""
    return tuple(_clinic()) + tuple(_measurement()) + tuple(_course()) + tuple(_conduct())


def _clinic() -> Iterator[Quantity]:
    q = partial(_quantity, CLINIC)
    wuhan = "126 Chinese families"
    for k, form in enumerate(("X-linked", "Recessive", "Dominant", "Digenic"), 1):
        yield q(f"NH0{k}", f"{form} form", "%", wuhan, _share(f"NH0{k}", 126))
    yield q("NH05", "Boys", "%", "128 Chinese children", _share("NH05", 128))
    zhang = "79 Chinese children starting RAS inhibition, 8.6 (SD 4.1) years"
    mean, sd = AGE_AT_RAS_START
    half = 1.96 * sd / np.sqrt(79)
    interval = (mean, mean - half, mean + half, "95 % sampling interval, n = 79")
    yield q("NH14a age mean", "Age, mean", "years", zhang, interval)
    yield q("NH14a age SD", "Age, SD", "years", zhang, _spread(sd, 79))
    boys = "130 boys, X-linked, first visit, untreated"
    yield q("NH07", "Haematuria", "%", boys, _share("NH07", 130))
    tongji = "133 children at diagnosis, 6.6 (SD 3.5) years, untreated"
    yield q("NH08", "Proteinuria", "%", tongji, _share("NH08", 133))
    nephrotic = _share("NH09", 133)
    yield q(
        "NH09",
        "Nephrotic range",
        "%",
        tongji,
        nephrotic,
        _up_to(
            nephrotic,
            _by_sex("NH11c", 29, "NH11d", 15),
            "upper 95 % limit of NH11 at the share of boys of NH05",
            "This series contradicts NH11 and NH13, in which two boys of five are in the nephrotic range; the model follows those, as most children of the trial are such boys.",
        ),
    )
    for key, what, n in (
        ("NH11a", "Proteinuria, boys", 29),
        ("NH11b", "Proteinuria, girls", 15),
        ("NH11c", "Nephrotic range, boys", 29),
        ("NH11d", "Nephrotic range, girls", 15),
    ):
        yield q(key, what, "%", "44 Chinese children, older series, untreated", _share(key, n))
    for name, column in (("median", "value"), ("quartile 1", "low"), ("quartile 3", "high")):
        yield q(f"NH13 {name}", f"UPCR, {name}", "mg/mg", boys, _quartile("NH13", column, 130, log=True))
    log_sd = np.log(number("NH13", "high") / number("NH13", "low")) / 1.349
    yield q("NH13 log-SD", "UPCR, SD of the logarithm", "log units", boys, _spread(float(log_sd), 130))
    for row, among, n in (
        ("NH22", "84 boys, X-linked, in care, 8.7 (SD 4.3) years", 84),
        ("NH23", "69 children, X-linked, 47 boys, 9.5 (SD 4.2) years", 69),
    ):
        yield q(f"{row} mean", "eGFR, mean", "mL/min/1.73m2", among, _mean(row, n))
        yield q(f"{row} SD", "eGFR, SD", "mL/min/1.73m2", among, _spread(_sd(row), n))
        if row == "NH22":
            yield q("NH22 RAS", "On RAS inhibition", "%", among, _share("NH22", n, 87.0))
    mean, low, high = _together(("N201", 29, 15.2), ("N202", 43, 17.3))
    since = (mean, low, high, "95 % sampling interval of N201 and N202 together, n = 72")
    yield q(
        "N202",
        "eGFR without proteinuria, mean",
        "mL/min/1.73m2",
        "72 boys of 2 to 15 years, X-linked, without proteinuria, mean age 6.2 and 6.8",
        since,
        _up_to(
            since,
            mean * kidney.SCHWARTZ_K / FORMER_SCHWARTZ_K,
            "the same creatinine by the bedside equation, if the papers used the former constant 0.55",
            "The papers do not state the constant of their Schwartz equation, and it alone could move their mean by a quarter; the model keeps to NH22 and NH23, larger cohorts of the same disease, and is not fitted to these.",
        ),
    )


def _together(*groups: tuple[str, int, float]) -> tuple[float, float, float]:
    """Mean over groups (row, children, SD as its statistic states it), weighted by children; its 95 % interval."""
    n = np.array([size for _, size, _ in groups])
    mean = float(np.average([number(row) for row, _, _ in groups], weights=n))
    half = 1.96 * float(np.sqrt(sum(size * sd**2 for _, size, sd in groups)) / n.sum())
    return mean, mean - half, mean + half


def _by_sex(boys: str, n_boys: int, girls: str, n_girls: int) -> float:
    """Upper 95 % limit of a percentage known of boys and of girls, in a clinic with as many boys as NH05."""
    share = number("NH05") / 100
    total = variance = 0.0
    for row, n, weight in ((boys, n_boys, share), (girls, n_girls, 1 - share)):
        x = number(row)
        total += weight * x
        variance += weight**2 * x * (100 - x) / n
    return total + 1.96 * float(np.sqrt(variance))


def _measurement() -> Iterator[Quantity]:
    q = partial(_quantity, CLINIC)
    naresh = "145 adults with kidney disease, consecutive days"
    yield q("CV01", "UPCR within a person at 20 mg/mmol, CV", "%", naresh, _spread(number("CV01"), 145, 145))
    yield q(
        "CV02",
        "UPCR within a person at 200 mg/mmol, CV",
        "%",
        naresh,
        _spread(number("CV02"), 145, 145),
        _up_to(
            _spread(number("CV02"), 145, 145),
            100 * float(np.sqrt(np.expm1(number("CV06") ** 2))),
            "CV06 itself",
            "The paper measured adults on two consecutive days under the same conditions; the model's noise is that of children's clinic visits, of which CV06 recommends 0.35 on the log scale.",
        ),
    )
    andersen = "30 healthy children of 2 to 13 years, two days, with the laboratory's own error"
    for row, what, assay in (("CV07", "Creatinine", 2.5), ("CV08", "Cystatin C", 1.7)):
        yield q(
            row,
            f"{what} within a child, CV",
            "%",
            andersen,
            _spread(float(np.hypot(number(row), assay)), 30, 30),
        )


def _course() -> Iterator[Quantity]:
    q = partial(_quantity, COURSE)
    alport = "Alport children to 17 years off RAS inhibition, entry UPCR 34 mg/mmol or more"
    mixed = "children with any proteinuria; simulated: " + alport
    yield q("NH18", "UPCR change, losartan, 12 weeks", "%", f"{alport}, n = 15", _change("NH18", 15))
    yield q(
        "NH19", "UPCR change, placebo or amlodipine, 12 weeks", "%", f"{alport}, n = 15", _change("NH19", 15)
    )
    yield q("NH20a", "UPCR change, losartan, 12 weeks", "%", mixed, _stated("NH20a"))
    yield q("NH20b", "UPCR change, placebo or amlodipine, 12 weeks", "%", mixed, _stated("NH20b"))
    yield q(
        "NH21a",
        "UPCR change, enalapril, 3 years",
        "%",
        mixed,
        _change("NH21a", 134),
        _up_to(
            _change("NH21a", 134),
            _change("NH21b", 134)[2],
            "upper limit of the losartan arm of the same trial",
            "Enalapril is the stronger of the two arms of that trial and its doses were raised; the model has one effect for all RAS inhibition, set by losartan (NH18, NH20), and a drift upwards.",
        ),
    )
    yield q("NH21b", "UPCR change, losartan, 3 years", "%", mixed, _change("NH21b", 134))
    yield q(
        "CV03",
        "12-week change of log UPCR on placebo, SD",
        "log units",
        mixed,
        _spread(number("CV03"), 153),
        _up_to(
            _spread(number("CV03"), 153),
            float(np.sqrt(2)) * number("CV06"),
            "two samples with the noise of CV06 and no change between them",
            "An upper bound: the trial mixed diseases, some of which relapse and remit; Alport syndrome on stable treatment does not.",
        ),
    )
    yield q(
        "DO08",
        "UPCR half or less after 12 weeks on placebo",
        "%",
        mixed,
        _share("DO08", 153),
        _up_to(
            _share("DO08", 153),
            100 * float(stats.norm.cdf(np.log(0.5) / (np.sqrt(2) * number("CV06")))),
            "two samples with the noise of CV06 and no change between them",
            "Derived from CV03 and an upper bound for the same reason.",
        ),
    )
    strata = "between the three strata of the same study"
    for row, what in (
        ("NH14b", "below 25 mg/kg/d"),
        ("NH15b", "25 to 50 mg/kg/d"),
        ("NH16b", "above 50 mg/kg/d"),
    ):
        change = 100 * (number(row) / number(row[:-1] + "a") - 1)
        yield q(
            row,
            f"24-hour protein change after a year of RAS inhibition, start {what}",
            "%",
            "79 Chinese children, proteinuric; the limits of the strata are assumed",
            (change, -56.1, -11.8, strata),
        )
    for row, what in (("NH17b", "6 months"), ("NH17c", "12 months")):
        change = 100 * (number(row) / number("NH17a") - 1)
        yield q(
            row,
            f"24-hour protein change, enalapril, {what}",
            "%",
            "7 Alport children of 5 to 13.8 years, heavy proteinuria (simulated: 20 mg/kg/d and more)",
            _change(row, 7, change),
        )
    among = "69 children, X-linked, eGFR each half year over 4 years"
    noisy = "Half-yearly creatinine alone scatters a slope by about 1.9; how often eGFR was measured is not published."
    for row, what, n, other, why in (
        (
            "NH24",
            "boys",
            47,
            "NH26",
            "Boys' published quartiles are half as wide as those of proteinuric children (NH26), who are mostly the same boys; the model lies between.",
        ),
        ("NH25", "girls", 22, "NH27", noisy),
        (
            "NH26",
            "proteinuric",
            34,
            "NH24",
            "See NH24: the two rows can't both hold; the number of proteinuric children is not published, half is taken.",
        ),
        (
            "NH27",
            "not proteinuric",
            35,
            "NH25",
            "The quarter with the worst slope among children without proteinuria is wider than in all girls (NH25); the model lies between.",
        ),
    ):
        for name, column in (("median", "value"), ("quartile 1", "low"), ("quartile 3", "high")):
            yield q(
                f"{row} {name}",
                f"eGFR slope, {what}, {name}",
                "mL/min/1.73m2/year",
                among,
                _quartile(row, column, n),
                _up_to(_quartile(row, column, n), number(other, column), f"the same of {other}", why),
            )


def _conduct() -> Iterator[Quantity]:
    q = partial(_quantity, COURSE)
    here = "simulated: this plan"
    yield q(
        "DO01",
        "Stayed to the end",
        "%",
        f"157 adults and adolescents, 2 years; {here}, 1 year",
        _share("DO01", 157),
        _up_to(
            _share("DO01", 157),
            100 - number("DO07", "high"),
            "the most that DO07 lets leave",
            "A sponsor's trial of a daily tablet that kept all but three; for a single-centre trial of children with infusions the synthesis DO07 is taken.",
        ),
    )
    yield q(
        "DO02", "Screen failures among those who consented", "%", f"371 screened; {here}", _share("DO02", 371)
    )
    yield q(
        "DO03",
        "All visits of 24 weeks attended",
        "%",
        f"28 children with IgA nephropathy; {here}, 7 visits",
        _share("DO03", 28),
    )
    yield q("DO04", "Six urine samples in a row, all there", "%", f"31 adults; {here}", _share("DO04", 31))
    yield q(
        "DO05",
        "Randomised, treatment never begun",
        "%",
        f"150 children with nephrotic syndrome; {here}, first infusion",
        _share("DO05", 150),
        _up_to(
            _share("DO05", 150),
            1.0,
            "assumed: one child in a hundred",
            "Those children were included at the onset of an acute disease, weeks before the treatment in question; ours are stable and randomised a week before cells that are prepared for them.",
        ),
    )
    yield q("DO07", "Left within 12 months", "%", here, _stated("DO07"))
    yield q(
        "DO09",
        "UPCR change at 36 weeks on RAS inhibition",
        "%",
        f"202 adults with IgA nephropathy; {here}, placebo arm, month 8",
        _change("DO09", 202),
        _up_to(
            _change("DO09", 202),
            number("NH19"),
            "the change of Alport children without RAS inhibition (NH19)",
            "Adults whose RAS inhibition was brought to the highest dose at entry; our children are on stable treatment, and what falls is selection and later changes of treatment.",
        ),
    )
    yield q(
        "MS04",
        "Odds ratio of fever",
        "",
        f"62 trials of mesenchymal stem cells; {here}, two infusions",
        _stated("MS04"),
    )
    for row, arm in (("MS05a", "hUC-MSC"), ("MS05b", "placebo")):
        value = number(row)
        yield q(
            row,
            f"Fever, {arm}",
            "%",
            f"assumed for planning; {here}, two infusions",
            (value, value - 1, value + 1, "planning value within one per cent"),
        )
