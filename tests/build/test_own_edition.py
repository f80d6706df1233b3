"""The report on own data: whose data its pages name, what stands below exhibits, what stays out of it."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from helpers import Problem
from helpers.build import driver, own_edition, pages, publishing
from helpers.build import edition as editions
from helpers.build.heads import SYNTHETIC, Head, css_string
from helpers.build.kernels import CellFailed
from helpers.build.own_edition import OwnEdition, handled, post_hoc
from helpers.chapters import contents
from helpers.study.files import seal, write

NASTY = "Site <script>alert('2')</script> \"& }"
CHAPTERS = {one.stem: one for one in contents.own()}


@pytest.fixture
def root(moved):
    """A project folder with a scenario."""
    root = moved(publishing, editions, own_edition, driver)
    (root / "scenarios").mkdir(parents=True)
    (root / "scenarios/base.yaml").write_text("description: As planned.\n")
    (root / "src/helpers/build/templates").mkdir(parents=True)
    return root


class Code:
    """Sources of a project that only digests files."""

    def __init__(self, root):
        self.root = root

    def code(self, names):
        return "code"

    def tree(self, paths):
        return "tree"


def record(**more) -> dict:
    return {
        "edition": "own-x", "folder": NASTY, "scenario": "base", "overrides": {}, "children": 161, "randomised": 40,
        "blinded": True, "unblinded": None, "mapping": None, "received": [], "notes": [], "queries": {},
        "notice": f"Data of {NASTY}, 161 children, received as listed in provenance.",
        "rules": [{"rule": "Rule <1>", "tables": ["labs"]}, {"rule": "Rule 2", "tables": ["screening"]}],
        **more,
    }  # fmt: skip


def edition(root, monkeypatch, differs=None, **more) -> OwnEdition:
    """An edition that knows its parameters and how they differ from the signed plan."""
    told = {"signed": False, "words": "No plan was signed.", "changes": [], "touching": [], "provenance": {}}
    functions = {
        contents.SIGNED: lambda *_: {**told, **(differs or {})},
        contents.STUDY: lambda folder, **changes: SimpleNamespace(
            resolved=lambda: {"parameters": {"alpha": 0.05}}
        ),
    }
    monkeypatch.setattr(own_edition, "named", functions.__getitem__)
    write(root / ".cache/build/own-x/data/own-x/own.json", json.dumps(record(**more)))
    made = OwnEdition("own-x", Code(root))
    made.resolve()
    return made


def page(head: Head) -> str:
    cells = [
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": "# One\n\n> **Synthetic data.** All.\n\n[a](06-remission.ipynb)",
        }
    ]
    chapter = CHAPTERS["04-analysis-data"]
    files, *_ = pages.chapter_page({"cells": cells}, chapter, contents.own(), "own-x", "k", head=head)
    [(name, content)] = files.items()
    assert name == f"04-analysis-data{head.tail}.html"
    return content.decode()


def test_each_page_says_whose_data_and_that_arms_are_dummies(root, monkeypatch):
    text = page(edition(root, monkeypatch).head)
    banner = text[text.index("<header") : text.index("</header>")]
    assert "Data of Site &lt;script&gt;" in banner
    assert "161 children, received as listed in provenance." in banner
    assert "dummy arms" in banner
    assert "unknown while blinded" in banner
    assert "No plan was signed." in banner
    assert "<title>Analysis data · own-x · dummy arms</title>" in text
    assert "ynthetic" not in text
    assert "<script" not in text, "a folder's name is text, in the page's style too"
    assert 'href="06-remission-dummy-arms.html"' in text
    assert "All scenarios" not in text
    assert "12-arrived-dummy-arms.html" in text
    assert "01-screening" not in text


def test_a_blinded_first_page_leads_to_results_and_tables_by_their_names(root, monkeypatch):
    for tail, opened in (("-dummy-arms", {}), ("", {"blinded": False, "unblinded": "2027-01-15"})):
        made = edition(root, monkeypatch, **opened)
        adam = [f"adam/adsl{tail}.xpt", "adam/define.xml"]
        index = pages.scenario_index("own-x", "A.", contents.own(), "k", {}, adam, head=made.head).decode()
        there = {*made.overviews(), *adam, *(f"{stem}{tail}.html" for stem in CHAPTERS)}
        leads = set(re.findall(r'href="([^"#:]+)"', index))
        assert {f"results{tail}.json", f"results{tail}.ars.json", adam[0]} <= leads
        # the overview of this report's queries has a page of its own
        assert {one for one in leads if not one.startswith("../")} <= there


def test_after_unblinding_nothing_speaks_of_dummies(root, monkeypatch):
    text = page(edition(root, monkeypatch, blinded=False, unblinded="2027-01-15").head)
    assert "Unblinded on 2027-01-15" in text
    assert "dummy" not in text
    assert 'href="06-remission.html"' in text


def test_the_pages_of_a_scenario_are_as_ever():
    assert SYNTHETIC.printed in page(SYNTHETIC)
    assert "<strong>Synthetic data.</strong> Every child in this report is simulated" in page(SYNTHETIC)
    assert "Own data" not in page(SYNTHETIC)


def test_a_text_in_a_style_ends_neither_string_nor_style():
    assert css_string("a</style>") == r"a\00003c\00002fstyle\00003e"
    assert css_string('"\\ 中') == r"\000022\00005c\000020\004e2d"


def test_rules_stand_below_the_exhibits_of_chapters_that_read_what_they_touched(root, monkeypatch):
    made = edition(root, monkeypatch)
    assert "Rule &lt;1&gt;; Rule 2" in made.notes(CHAPTERS["06-remission"])
    assert "Rule &lt;1&gt;" not in made.notes(CHAPTERS["02-eligibility"]), "it reads no laboratory values"
    assert "Rule 2" in made.notes(CHAPTERS["02-eligibility"])
    assert made.notes(CHAPTERS["09-validation"]) == ""
    assert handled(["a"] * 9) == handled(["a"])
    assert "<summary>Rules by which these data were handled (4)</summary>" in handled("abcd")


def test_changes_since_the_signature_are_post_hoc_below_what_they_touch_once_unblinded(root, monkeypatch):
    touching = [
        ("remission_fall: signed 0.5, in force <0.3>", "remission_fall", None),
        ("src/a.py changed", "src/a.py", ["10-safety"]),
    ]
    differs = {"signed": True, "touching": touching, "changes": [line for line, *_ in touching]}
    blind = edition(root, monkeypatch, differs)
    assert "in force &lt;0.3&gt;" in page(blind.head), "on the first screen, blinded or not"
    assert "Post hoc" not in blind.notes(CHAPTERS["06-remission"])
    made = edition(root, monkeypatch, differs, blinded=False, unblinded="2027-01-15")
    write(
        made.notebook(CHAPTERS["04-analysis-data"]).with_suffix(".json"),
        seal({"made_from": {"parameters": {"remission_fall": 0.3}}}),
    )
    for stem, expected in {
        "06-remission": [touching[0][0]],
        "10-safety": [touching[0][0], touching[1][0]],
        "02-eligibility": [],
        "09-validation": [],
    }.items():
        assert made.changed(CHAPTERS[stem]) == expected, stem
    assert "<em>Post hoc</em>" in made.notes(CHAPTERS["06-remission"])
    assert "&lt;0.3&gt;" in made.notes(CHAPTERS["06-remission"])
    assert post_hoc([]) == ""


def test_the_primary_result_of_an_amended_plan_is_post_hoc_on_the_first_page(root, monkeypatch):
    """Beside the result itself, where the change touches it, and once unblinded."""

    def first_page(where, **more):
        touching = [(f"src/{k}<.py changed", f"src/{k}.py", [where]) for k in range(5)]
        differs = {"signed": True, "touching": touching[:count], "changes": ["changed"]}
        made = edition(root, monkeypatch, differs, **more)
        index = pages.scenario_index(
            "own-x", "A.", contents.own(), "k", {}, head=made.head, beside=made.beside_primary()
        ).decode()
        section = index[index.index('<h2 id="primary">') :]
        return section[: section.index("Confirmed remission of proteinuria")]

    opened = {"blinded": False, "unblinded": "2027-01-15"}
    count = 3
    said = first_page("06-remission", **opened)
    assert '<h2 id="primary">The primary result, post hoc</h2>' in said
    assert "<em>Post hoc</em>" in said
    assert "src/0&lt;.py changed; src/1&lt;.py changed; src/2&lt;.py changed.</p>" in said
    for where, more in (("10-safety", opened), ("06-remission", {})):
        said = first_page(where, **more)
        assert '<h2 id="primary">The primary result</h2>' in said
        assert "ost hoc" not in said
    count = 5
    assert "src/2&lt;.py changed; and 2 more, below its exhibits.</p>" in first_page("06-remission", **opened)
    assert first_page("06-remission", **opened).count("post-hoc") == 1


def test_the_graph_of_own_data_has_no_chapter_that_simulates():
    stems = [one.stem for one in contents.own()]
    assert stems[:4] == ["00-plan", "12-arrived", "02-eligibility", "04-analysis-data"]
    assert set(stems) == {one.stem for one in contents.CHAPTERS} - set(contents.SIMULATED) | {"12-arrived"}
    written = {name for one in contents.own() for name in one.writes}
    wanted = {name for one in contents.own() for name in one.reads}
    assert wanted - written == {*contents.GIVEN, *contents.RECEIVED}
    assert not any("truth" in name for name in wanted | written)


def test_it_stands_in_no_index_and_takes_no_scenarios_name(root, monkeypatch):
    made = edition(root, monkeypatch)
    assert "comparison.json" not in made.overviews()
    assert {"index-dummy-arms.html", "reviewer-dummy-arms.html"} <= set(made.overviews())
    assert {"results-dummy-arms.json", "results-dummy-arms.ars.json"} <= set(made.overviews())
    arms = [name for name in made.overviews() if "-dummy-arms." not in name]
    assert sorted(arms) == ["protocol.usdm.json", "provenance.json"], "the plan, and what made the report"
    assert made.published == root / "data/own/own-x"
    write(root / "reports/own-x/index.html", "x")
    assert editions.overall_index(Code(root)) == {}
    monkeypatch.setattr(own_edition, "named", lambda place: lambda *_: ("own-x", {}))
    write(root / "scenarios/own-x.yaml", "description: Mine.\n")
    with pytest.raises(Problem, match=r"scenarios/own-x\.yaml has the name of the report"):
        own_edition.receive(root, None, "base", {})


def test_clean_takes_all_of_it_away(root, monkeypatch):
    made = edition(root, monkeypatch)
    write(made.data / "labs.csv", "usubjid\n")
    publishing.Folder(made.published, "own-x").publish({"labs.csv": made.data / "labs.csv"})
    assert (root / "data/own/own-x/labs.csv").is_file()
    assert publishing.clean() == []
    assert not (root / ".cache").exists()
    assert not (root / "data/own").exists()


def test_a_failed_notebook_holds_nothing_of_a_child(root, monkeypatch, capsys):
    made = edition(root, monkeypatch)
    chapter = CHAPTERS["04-analysis-data"]
    secret = "Li Ming, upcr 3.7"
    cell = {
        "cell_type": "code", "id": "c", "source": "labs", "execution_count": 2,
        "metadata": {"tags": ["finding"], "x": secret},
    }  # fmt: skip
    output = {
        "output_type": "display_data",
        "data": {"text/plain": secret},
        "metadata": {"results": [secret]},
    }
    write(made.draft(chapter), json.dumps({"cells": [{**cell, "outputs": [output]}]}))
    trace = f'File ~/src/helpers/analysis/adam.py:12, in f(x)\n----> 12 raise KeyError("{secret}")\nKeyError: {secret}'
    driver.report_failure(made, chapter, CellFailed(2, "KeyError", secret, trace))
    told = capsys.readouterr().out
    assert "04-analysis-data failed in cell [2]" in told
    assert "adam.py line 12" in told
    kept = sorted((root / "reports/failed/own-x").iterdir())
    assert [path.name for path in kept] == [
        "04-analysis-data-dummy-arms.html",
        "04-analysis-data-dummy-arms.ipynb",
    ]
    for text in (told, *(path.read_text("utf-8") for path in kept)):
        assert "Li Ming" not in text
        assert "3.7" not in text
    write(made.draft(chapter), json.dumps({"cells": []}))
    driver.report_failure(made, chapter, CellFailed(2, "Problem", "labs.csv row 3: found 'x'", ""))
    assert "labs.csv row 3: found 'x'" in capsys.readouterr().out, "a message of ours names id and value"
    driver.report_failure(made, chapter, ValueError(secret))
    assert "Li Ming" not in capsys.readouterr().out


def test_the_command_refuses_what_does_not_fit_together(tmp_path):
    for arguments, said in {
        ("--data", str(tmp_path / "nowhere")): "there is no such folder",
        ("--data", str(tmp_path), "--all"): "the report on one folder",
        ("--mapping", "m.yaml"): "how the tables of --data are to be read",
        ("--data", str(tmp_path), "--mapping", str(tmp_path / "m.yaml")): "there is no such file",
        ("--data", str(tmp_path), "--scenario", "nothing"): "the readings: unknown scenario 'nothing'",
    }.items():
        options = SimpleNamespace(scenario="base", set="", data="", mapping="", all=False)
        done = None
        if "--all" in arguments or "--data" not in arguments:
            done = subprocess.run(
                [sys.executable, "-m", "helpers.build.driver", *arguments], capture_output=True, text=True
            )
            assert done.returncode == 2
            assert said in done.stderr
            continue
        for name, value in zip(arguments[::2], arguments[1::2], strict=True):
            setattr(options, name[2:], value)
        with pytest.raises(Problem, match=said):
            driver.own_data(options)


def test_what_is_received_is_staged_and_what_was_there_of_another_delivery_goes(root, monkeypatch):
    given, missing = contents.GIVEN[:2]
    monkeypatch.setattr(
        own_edition, "named", lambda place: lambda *asked: ("own-x", {given: b"new", "own.json": b"{}"})
    )
    data = own_edition.STAGING / "own-x" / "data" / "own-x"
    write(data / missing, "of another delivery")
    assert own_edition.receive(root / "export", None, "base", {}) == "own-x"
    assert {path.name: path.read_bytes() for path in data.iterdir()} == {given: b"new", "own.json": b"{}"}


def test_a_name_that_a_scenario_has_and_a_link_are_refused(root, monkeypatch, tmp_path):
    for name, words in (("base", "has the name of the report"), ("own-y", "is a link; remove it")):
        monkeypatch.setattr(own_edition, "named", lambda place, name=name: lambda *asked: (name, {}))
        data = own_edition.STAGING / name / "data" / name
        data.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        data.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Problem, match=words):
            own_edition.receive(root / "export", None, "base", {})
