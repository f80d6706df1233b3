"""Values held against the child's own course and against what children have: misread, or in another unit."""

import numpy as np
import pandas as pd

from helpers.intake import units
from helpers.study.checks import Check
from helpers.study.checks.findings import beside, faults, together, word
from helpers.study.codebook import UNITS
from helpers.study.protocol import SCREENING
from helpers.study.shown import plain
from helpers.study.wording import counted

FAR = {
    "upcr": 30.0, "protein_24h": 30.0, "rbc": 300.0, "rbc_dysmorphic": 300.0, "creatinine": 3.0, "cystatin_c": 3.0,
    "bun": 5.0, "height": 1.15, "weight": 1.6,
}  # fmt: skip
"""How many times a value may be above or below the median of the child's others before it is asked for.

Readings of ours, wide of what illness and treatment do: a fall of UPCR to a tenth with visit noise of 0.4 log units is
within, a slip from mg/mmol to mg/mg is not. A slip of ten is told by `NEAR` where the rest of the course is calm.
"""

NEAR = 1.35
"""A value this close to the median times a slip of unit or point is said to fit the slip."""

CALM = {test: 5.0 for test in FAR} | {"bun": 2.2}
"""A slip of unit or point is asked for from here where the child's other values differ by less than `NARROW` times."""
NARROW = 3.0

PAIR = ("upcr", "protein_24h")
"""Two measures of one thing, which rise and fall together."""
APART = 6.0
"""How many times their ratio at a visit may be above or below the child's own before it is asked for:
3.6 standard deviations where each has 0.35 log units of noise of its own."""

AROUND, EACH = 5.0, 3.0
"""How many times a value of `PAIR` may be above or below the median of the visits around it, and each of them, before
it is asked for: on simulated trials a ten-fold slip of UPCR is told in about nine of ten, where the other entries tell
three of four, at the price of a needless question in one trial of three."""

ONE_UNIT = 0.02
"""Values of screening and of the laboratory differ by a unit where their ratio is the slip's to this share."""

LEAST = 3
"""Other values of a test that make a course."""

USUAL = {
    "upcr": (0.01, 15.0), "protein_24h": (0.3, 400.0), "creatinine": (12.0, 350.0), "cystatin_c": (0.3, 4.0),
    "bun": (2.0, 12.0), "height": (70.0, 195.0), "weight": (8.0, 110.0),
}  # fmt: skip
"""What the median of all children's values lies in, in the codebook's units, whatever their disease: outside, the
whole column is in another unit. Readings of ours, a few times wider than any published group of `data/reference`."""

SHRUNK = 3.0
"""cm that a child may seem to lose between visits."""


def _course(labs: pd.DataFrame) -> pd.DataFrame:
    rows = labs[labs["test"].isin(list(FAR)) & (labs["value"] > 0)]
    rows = rows.assign(log=np.log(rows["value"].to_numpy(float)))
    group = rows.groupby(["usubjid", "test"])["log"]
    count, middle = group.transform("size"), group.transform("median")
    # the median of the others: within a rank of that of all
    apart = (rows["log"] - middle).to_numpy(float)
    limit = np.log(rows["test"].map(FAR).to_numpy(float))
    spread = _spread(rows)
    far = (np.abs(apart) > limit) & (count > LEAST).to_numpy()
    slip, words = _slips(rows["test"].to_numpy(object), apart)
    least = np.log(rows["test"].map(CALM).to_numpy(float))
    calm = (spread < np.log(NARROW)) & (np.abs(apart) > least) & slip & (count > LEAST + 1).to_numpy()
    hit = far | calm
    asked = rows[hit]
    told = [
        f"about {plain(float(np.exp(m)), 3)} {UNITS[test]}, the child's own median{w}"
        for m, test, w in zip(middle[hit], asked["test"], words[hit], strict=True)
    ]
    found = [f"{word(v)} for {test}" for v, test in zip(asked["value"], asked["test"], strict=True)]
    return faults("labs", asked, "value", told, found)


def _spread(rows: pd.DataFrame) -> np.ndarray:
    """Ratio, as a log, between the second largest and second smallest value of a child's test."""
    ordered = rows.sort_values(["usubjid", "test", "log"], kind="stable")
    group = ordered.groupby(["usubjid", "test"], sort=False)["log"]
    rank, size = group.cumcount(), group.transform("size")
    low = ordered["log"].where(rank == 1).groupby([ordered["usubjid"], ordered["test"]]).transform("max")
    high = (
        ordered["log"].where(rank == size - 2).groupby([ordered["usubjid"], ordered["test"]]).transform("max")
    )
    return (high - low).reindex(rows.index).to_numpy(float)


def _slips(tests: np.ndarray, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a distance from the median is that of a slip of unit or point, and which, in words."""
    hit, words = np.zeros(len(tests), bool), np.full(len(tests), "", object)
    for test in FAR:
        mine = tests == test
        nearest = np.full(int(mine.sum()), np.inf)
        for ratio, told in units.slips(test):
            off = np.abs(apart[mine] - np.log(ratio))
            closer = (
                (off < np.log(NEAR))
                & (off < nearest)
                & (abs(np.log(ratio)) > np.log(CALM[test]) or test == "height")
            )
            nearest = np.where(closer, off, nearest)
            words[mine] = np.where(closer, f"; it is {told}", words[mine])
        hit[mine] = np.isfinite(nearest)
    return hit, words


def _together(labs: pd.DataFrame) -> pd.DataFrame:
    """Visits at which the two of `PAIR` part by a slip; asked of the one that is farther from its own course."""
    rows = labs[labs["test"].isin(PAIR) & (labs["value"] > 0)].drop_duplicates(
        ["usubjid", "visit_no", "test"]
    )
    at = ["usubjid", "visit_no"]
    log = rows.assign(log=np.log(rows["value"].to_numpy(float))).pivot(index=at, columns="test", values="log")
    log = log.reindex(columns=list(PAIR)).dropna()
    child = log.groupby("usubjid")
    own, count = log - child.transform("median"), child[PAIR[0]].transform("size")
    ratio = log[PAIR[0]] - log[PAIR[1]]
    ratio = ratio - ratio.groupby("usubjid").transform("median")
    first = own[PAIR[0]].abs() >= own[PAIR[1]].abs()
    off = pd.DataFrame(
        {
            "test": np.where(first, *PAIR),
            "apart": np.where(first, ratio, -ratio),
            "other": np.where(first, *PAIR[::-1]),
            "count": count,
        },
        index=log.index,
    ).reset_index()  # fmt: skip
    _, words = _slips(off["test"].to_numpy(object), off["apart"].to_numpy(float))
    off = off.assign(words=words)[(off["apart"].abs() > np.log(APART)) & (off["count"] > LEAST)]
    asked = beside(rows, off, ["usubjid", "visit_no", "test"], "apart", "other", "words")
    told_before = asked.index.isin(_course(labs)["row"].to_numpy(int) - 2)
    asked = asked[asked["apart_there"].notna() & ~told_before]
    told = [
        f"{plain(float(np.exp(abs(apart))), 2)} times {'less' if apart > 0 else 'more'}, as {other} of this visit "
        f"has it beside the child's others{word_}"
        for apart, other, word_ in zip(
            asked["apart_there"], asked["other_there"], asked["words_there"], strict=True
        )
    ]
    found = [f"{word(v)} for {test}" for v, test in zip(asked["value"], asked["test"], strict=True)]
    return faults("labs", asked, "value", told, found)


def _around(labs: pd.DataFrame) -> pd.DataFrame:
    """Values that leap away from the visits around them and back: two before and two after, at either end three."""
    rows = labs[labs["test"].isin(PAIR) & (labs["value"] > 0)]
    rows = rows.assign(log=np.log(rows["value"].to_numpy(float)))
    rows = rows.sort_values(["usubjid", "test", "visit_no"], kind="stable")
    log = rows.groupby(["usubjid", "test"], sort=False)["log"]
    near = {step: log.shift(step).to_numpy(float) for step in (1, 2, -1, -2)}
    for side in (1, -1):
        at_end = np.isnan(near[side])
        near[-3 * side] = np.where(at_end, log.shift(-3 * side).to_numpy(float), np.nan)
    apart = rows["log"].to_numpy(float) - np.stack(list(near.values()))
    known = ~np.isnan(apart)
    one_way = np.abs(np.sign(apart).sum(axis=0, where=known)) == known.sum(axis=0)
    with np.errstate(all="ignore"):
        least = np.min(np.abs(apart), axis=0, where=known, initial=np.inf)
    middle = np.array(
        [np.median(part[there]) if there.any() else 0.0 for part, there in zip(apart.T, known.T, strict=True)]
    )
    hit = (known.sum(axis=0) >= LEAST) & one_way & (least > np.log(EACH)) & (np.abs(middle) > np.log(AROUND))
    _, words = _slips(rows["test"].to_numpy(object), middle)
    told_before = [*_course(labs)["row"], *_together(labs)["row"]]
    hit &= ~rows.index.isin(np.array(told_before, int) - 2)
    asked, log_there = rows[hit], (rows["log"] - middle)[hit]
    told = [
        f"about {plain(float(np.exp(m)), 3)} {UNITS[test]}, the median of the visits around it{w}"
        for m, test, w in zip(log_there, asked["test"], words[hit], strict=True)
    ]
    found = [f"{word(v)} for {test}" for v, test in zip(asked["value"], asked["test"], strict=True)]
    return faults("labs", asked, "value", told, found)


def scales(screening: pd.DataFrame, labs: pd.DataFrame) -> dict[str, tuple[float, str, int, int]]:
    """Tests that screening and the laboratory hold in two units: (laboratory by screening, slip in words, of how many).

    Where more than half of a test's values of visit 0, and more than `LEAST`, are off by one slip.
    """
    there = labs[labs["visit_no"] == SCREENING].drop_duplicates(["usubjid", "test"])
    wide = there.pivot(index="usubjid", columns="test", values="value").reindex(columns=list(USUAL))
    out = {}
    for test in USUAL:
        here = screening.drop_duplicates("usubjid").set_index("usubjid")[test]
        both = pd.DataFrame({"here": here, "there": wide[test]}).dropna()
        both = both[(both > 0).all(axis=1)]
        with np.errstate(all="ignore"):
            ratio = (both["there"] / both["here"]).to_numpy(float)
        for factor, words in units.slips(test):
            hit = int((np.abs(ratio / factor - 1) < ONE_UNIT).sum())
            if hit > LEAST and hit > len(ratio) / 2:
                out[test] = (factor, words, hit, len(ratio))
    return out


def _one_unit(screening: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    """One finding a test, at its first value of visit 0."""
    parts = []
    for test, (factor, words, hit, count) in scales(screening, labs).items():
        first = labs[(labs["test"] == test) & (labs["visit_no"] == SCREENING)].index[:1]
        told = (
            f"the values of screening; in {hit} of {counted(count, 'child', 'children')} those of the laboratory are "
            f"{plain(factor, 3)} times as large, {words}: state the unit of both in the mapping"
        )
        found = [f"{word(v)} for {test}" for v in labs.loc[first, "value"]]
        parts.append(faults("labs", labs.loc[first], "value", told, found))
    return together(*parts)


def _another_unit(test: str, value: pd.Series) -> tuple[str, str] | None:
    """What is expected and found where a test's values as a whole have the size of another unit."""
    low, high = USUAL[test]
    if len(value) <= LEAST:
        return None
    middle = float(value.median())
    if low <= middle <= high:
        return None
    fits = [words for ratio, words in units.slips(test) if low <= middle / ratio <= high and "as if" in words]
    hint = f": {' or '.join(fits[:2])}" if fits else ""
    return (
        f"a median from {plain(low)} to {plain(high)} {UNITS[test]}{hint}; state the unit in the mapping",
        f"a median of {plain(middle)} for {test} over {counted(len(value), 'value', 'values')}",
    )


def _size(labs: pd.DataFrame) -> pd.DataFrame:
    """Tests in another unit: one finding each, at the first row."""
    parts = []
    for test in USUAL:
        value = labs.loc[labs["test"] == test, "value"]
        told = _another_unit(test, value)
        if told:
            parts.append(faults("labs", labs.loc[[value.index[0]]], "value", told[0], [told[1]]))
    return together(*parts)


def _screening_size(screening: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for test in USUAL:
        value = screening[test].dropna()
        told = _another_unit(test, value)
        if told:
            parts.append(faults("screening", screening.loc[[value.index[0]]], test, told[0], [told[1]]))
    return together(*parts)


def _shrunk(labs: pd.DataFrame) -> pd.DataFrame:
    rows = labs[labs["test"] == "height"].sort_values(["usubjid", "date", "visit_no"], kind="stable")
    before = rows.groupby("usubjid")["value"].shift()
    less = rows[before - rows["value"] > SHRUNK]
    allowed = [f"at least the height before, {plain(float(v))} cm" for v in before[less.index]]
    return faults("labs", less, "value", allowed, [f"{word(v)} for height" for v in less["value"]])


ENTRIES = (
    Check("labs.together", ("labs",), "UPCR and 24-hour protein of a visit go together", _together),
    Check("labs.around", ("labs",), "A value does not leap away from the visits around it and back", _around),
    Check("labs.one-unit", ("screening", "labs"), "Screening and the laboratory have a test in one unit", _one_unit),
    Check("labs.course", ("labs",), "A value is not far from the child's own course", _course),
    Check("labs.size", ("labs",), "Values of a test have the size that its unit gives them", _size),
    Check("labs.shrunk", ("labs",), "A child does not become shorter", _shrunk),
    Check("screening.size", ("screening",), "Values of screening have the size that their unit gives them",
          _screening_size),
)  # fmt: skip
