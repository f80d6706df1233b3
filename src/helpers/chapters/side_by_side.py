"""Two settings side by side, for the bench, the page and `make compare`.

`design.side_by_side.compare` in, exhibits out. What differs in the assumptions stands first, then the main results, the
clearest differences first, then the courses.
"""

from typing import Any

import pandas as pd

from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.operating import MONTE_CARLO, POPULATION, SIDES, even_text, more_text, percent_text
from helpers.chapters.words import capital, drawn, grouped, rounded
from helpers.design import side_by_side
from helpers.design.operating import ANALYSES, PRIMARY
from helpers.design.side_by_side import LETTERS, Comparison
from helpers.figures import explore as figures
from helpers.study.protocol import ARMS
from helpers.study.scenario import text

QUESTIONS = {"power": "Power", "false claims": "Claims for cells that do nothing"}
ERROR = (
    "± Monte Carlo standard error as of independent trials, an upper bound: both use the same random numbers"
)


def shown(pair: Comparison) -> Finding:
    """All exhibits of a comparison in their order, and what may be said of it."""
    table = results(pair)
    exhibits = (assumptions(pair), table, curves(pair))
    first = table.data.iloc[0]
    at = pair.results[(pair.results["analysis"] == PRIMARY) & (pair.results["question"] == "power")].iloc[0]
    said: dict[str, Result | str] = {
        "differs": _differs(pair),
        "power_a": Result("compare.power.a", at["power_a"], "%", 1, _share(at, "power_a", "a")),
        "power_b": Result("compare.power.b", at["power_b"], "%", 1, _share(at, "power_b", "b")),
        "even": "".join(f" {text}" for text in _even(pair)),
        "more": more_text(min(len(move.trials.arm) for move in (pair.a, pair.b))),
        "difference": Result(
            "compare.power.difference", at["difference"], "points", 1, _difference(at["difference"], at["se"])
        ),
        "widest": f"{first['what'][0].lower()}{first['what'][1:]} ({first['text']} points)"
        if first["sure"]
        else "nothing beyond the error of the simulation",
    }
    return Finding(exhibits, said)


def _share(row: Any, name: str, letter: str) -> str:
    return percent_text(row[name], row[f"lower_{letter}"], row[f"upper_{letter}"])


def code(setting: str) -> str:
    """A setting as Markdown shows it, whatever characters it has."""
    return f"`{setting.replace('`', '')}`"


def _differs(pair: Comparison) -> str:
    rows = [f"{r.parameter} {text(r.a)} against {text(r.b)}" for r in pair.assumptions.itertuples()]
    return "; ".join(rows) if rows else "nothing: both make the same assumptions"


def _setting(pair: Comparison, letter: str) -> str:
    """What a setting has that the other has not."""
    column = letter.lower()
    rows = [f"{row['parameter']} {text(row[column])}" for _, row in pair.assumptions.iterrows()]
    return f"{letter}: {', '.join(rows[:4])}{' ...' if len(rows) > 4 else ''}" if rows else letter


def _children(pair: Comparison) -> str:
    sizes = [move.p.n_randomised for move in (pair.a, pair.b)]
    told = [f"{letter} {size}" for letter, size in zip(LETTERS, sizes, strict=True)]
    return f"{sizes[0]} children a trial" if len(set(sizes)) == 1 else f"children a trial: {', '.join(told)}"


def _even(pair: Comparison) -> list[str]:
    """What the settings whose number of children could not be asked were asked with."""
    texts = [even_text(move.planned, move.p) for move in (pair.a, pair.b)]
    return [f"{letter}:{text}" for letter, text in zip(LETTERS, texts, strict=True) if text]


def _method(pair: Comparison) -> str:
    counts = sorted({len(move.trials.arm) for move in (pair.a, pair.b)})
    return (
        f"{' and '.join(map(grouped, counts))} trials of each through the simulator, derivations and tests of the "
        f"chapters, {SIDES}"
    )


def _difference(value: float, se: float) -> str:
    return drawn(f"{rounded(value, 1)} ± {rounded(se, 1)}")


def assumptions(pair: Comparison) -> Exhibit:
    """What differs between the settings, a row a parameter."""
    table = pair.assumptions.assign(
        mine=[text(v) for v in pair.assumptions["a"]], theirs=[text(v) for v in pair.assumptions["b"]]
    )
    return Exhibit(
        "assumptions",
        "What differs in the assumptions" if len(table) else "Nothing differs in the assumptions",
        table,
        columns={
            "parameter": "Parameter",
            "mine": "A",
            "theirs": "B",
            "unit": "Unit",
            "group": "What it is about",
        },
        population="parameters whose values differ",
        n=len(table),
    )


def results(pair: Comparison) -> Exhibit:
    """Power and false claims by analysis and remission by arm, the clearest differences first."""
    rows = pair.results.assign(
        what=[f"{QUESTIONS[r.question]}: {ANALYSES[r.analysis].label}" for r in pair.results.itertuples()]
    ).rename(columns={"power_a": "a", "power_b": "b"})
    arms = pair.remission.rename(columns={"share_a": "a", "share_b": "b"})
    arms = arms.assign(what=[f"Confirmed remission, {arm}" for arm in arms["arm"]])
    names = ["what", "a", "b", *side_by_side.LIMITS, "difference", "se"]
    table = side_by_side.clearest_first(pd.concat([rows[names], arms[names]], ignore_index=True))
    table["text"] = [_difference(r.difference, r.se) for r in table.itertuples()]
    for letter in "ab":
        table[f"{letter}_text"] = [_share(row, letter, letter) for _, row in table.iterrows()]
    return Exhibit(
        "results",
        "Main results, the clearest differences first",
        table,
        columns={"what": "Over many trials", "a_text": "A", "b_text": "B", "text": "B - A"},
        units={"text": "points"},
        population=POPULATION,
        n=_children(pair),
        method=_method(pair),
        conventions=[MONTE_CARLO, ERROR],
    )


def curves(pair: Comparison) -> Exhibit:
    """The courses that trials take under either, on common axes."""
    last = pair.curves[pair.curves["month"] == pair.curves["month"].max()]
    words = [
        f"{letter}, {arm}: {rounded(r.remitted)} % in confirmed remission, UPCR x {rounded(r.ratio, 2)}"
        for letter in LETTERS
        for arm in ARMS
        for r in last[(last["setting"] == letter) & (last["arm"] == arm)].itertuples()
    ]
    named = pair.curves.assign(
        setting=pair.curves["setting"].map({one: _setting(pair, one) for one in LETTERS})
    )
    return Exhibit(
        "courses",
        "UPCR and confirmed remission over time, both settings",
        pair.curves,
        population=POPULATION,
        n=_children(pair),
        method="means of the trials' geometric means of UPCR over baseline, and of their shares in confirmed remission",
        conventions=["bands: the middle 95 % of trials", "common axes"],
        alt=capital(f"at the last visit. {'; '.join(words)}."),
        figure=figures.side_by_side(named),
    )
