"""An edition: what stands of a report, what must be made again, and what is published; on three tiny chapters,
in this process, with stand-ins for code and kernels."""

import hashlib
import json
from pathlib import Path

import pytest

from helpers import Problem
from helpers.build import edition as editions
from helpers.build import publishing
from helpers.build.edition import Edition
from helpers.build.kernels import DRAWN
from helpers.chapters.contents import Chapter
from helpers.study import scenario
from helpers.study.files import seal, unseal
from helpers.study.freshness import ALL, digest

CLINIC = Chapter("a-clinic", "Clinic", "Who comes.", writes=("clinic.csv",))
VISITS = Chapter("b-visits", "Visits", "Who is seen.", reads=("clinic.csv",), writes=("visits.csv", "truth/"))
WORDS = Chapter("c-words", "Words", "What is meant.", reads=("truth/",))
CHAPTERS = (CLINIC, VISITS, WORDS)
CHANGED = "base+0123ab"


class Code:
    """What the sources say, as a test likes it."""

    def __init__(self, root: Path):
        self.root, self.version, self.telling = root, "1", set()

    def code(self, names) -> str:
        return digest(self.version, *names)

    def tree(self, paths) -> str:
        return digest(*(path.read_bytes() for path in paths))

    def chapter(self, stem: str) -> str:
        return f"{stem} {self.version}"

    def files(self, names) -> dict[str, str]:
        return {name: digest((self.root / name).read_bytes()) for name in names}

    def tells_scenario(self, stem: str) -> bool:
        return stem in self.telling


@pytest.fixture
def root(moved, monkeypatch) -> Path:
    """A project folder with two scenarios and a change of base."""
    root = moved(publishing, editions, scenario)
    monkeypatch.setattr(editions, "CHAPTERS", CHAPTERS)
    (root / "scenarios").mkdir(parents=True)
    (root / "scenarios/base.yaml").write_text("description: As planned.\n")
    (root / "scenarios/worse.yaml").write_text("description: More leave.\ndropout: 0.3\n")
    (root / "data/synthetic" / CHANGED).mkdir(parents=True)
    changes = {"study": CHANGED, "overrides": {"dropout": 0.2, "alpha": 0.01}}
    (root / "data/synthetic" / CHANGED / "overrides.json").write_text(json.dumps(changes))
    (root / "src/helpers/build/templates").mkdir(parents=True)
    (root / "requirements.lock").write_text("numpy")
    return root


def executed(chapter: Chapter, value: float = 1.0) -> bytes:
    """A notebook that has run: words, and a table with a result."""
    result = {"key": f"{chapter.stem}.mean", "value": value, "unit": "", "digits": 1, "shown": f"{value:.1f}"}
    record = {"key": "t", "kind": "table", "title": "T", "alt": "", "csv": "a\n1\n", "results": [result]}
    output = {
        "output_type": "display_data",
        "data": {"text/html": "<p>1</p>"},
        "metadata": {"exhibit": record},
    }
    cells = [
        {"cell_type": "markdown", "id": "w", "metadata": {}, "source": f"# {chapter.title}"},
        {
            "cell_type": "code",
            "id": "c",
            "metadata": {},
            "source": "1",
            "outputs": [output],
            "execution_count": 1,
        },
    ]
    spec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return json.dumps(
        {
            "cells": cells,
            "metadata": {"kernelspec": spec, "language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    ).encode()


def edition(root: Path, name: str = "base", code: Code | None = None) -> Edition:
    """An edition that knows its parameters."""
    made = Edition(name, code or Code(root))
    changes = {"base": {}, "worse": {"dropout": 0.3}}.get(name, {"dropout": 0.2, "alpha": 0.01})
    made.resolved = {"parameters": {"dropout": 0.1, "alpha": 0.05, "seed": 1} | changes}
    return made


def write_tables(made: Edition, chapter: Chapter) -> None:
    for name in chapter.writes:
        path = made.data / name / "known.csv" if name.endswith("/") else made.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{chapter.stem} of {made.name}\n")


def run(made: Edition, chapter: Chapter, read: tuple[str, ...] = ("dropout",), value: float = 1.0) -> None:
    """Let a chapter have run, and read parameters."""
    made.clear(chapter)
    write_tables(made, chapter)
    made.notebook(chapter).write_bytes(executed(chapter, value))
    made.keep(chapter, made.made_from(chapter, (), read), 2.5)


def built(root: Path, name: str = "base", **values: float) -> Edition:
    made = edition(root, name)
    for chapter in CHAPTERS:
        run(made, chapter, value=values.get(chapter.stem[0], 1.0))
        made.render(chapter)
    return made


def names_of(paths) -> list[str]:
    return sorted(path.name for path in paths)


# ------------------------------------------------------------------ what stands


def test_a_run_stands_with_what_it_took(root):
    made = edition(root)
    assert made.standing(CLINIC) is None
    run(made, CLINIC)
    standing = made.standing(CLINIC)
    assert standing[0] == "base"
    assert standing[1]["made_from"]["parameters"] == {"dropout": 0.1}
    assert made.executed(CLINIC, standing)
    assert made.seconds == {"a-clinic": 2.5}
    assert not made.executed(CLINIC, None)


def test_each_part_of_what_it_was_made_from_and_of_what_it_made_decides(root):
    for act in (
        lambda made: setattr(made.sources, "version", "2"),
        lambda made: made.resolved["parameters"].update(dropout=0.4),
        lambda made: (made.data / "clinic.csv").write_text("another input"),
        lambda made: (made.data / "visits.csv").write_text("spoilt"),
        lambda made: (made.data / "truth/known.csv").unlink(),
        lambda made: made.notebook(VISITS).write_bytes(b"{}"),
        lambda made: made.notebook(VISITS).unlink(),
        lambda made: made.notebook(VISITS).with_suffix(".json").write_text("{}"),
    ):
        made = edition(root)
        run(made, CLINIC)
        run(made, VISITS)
        assert made.standing(VISITS) is not None
        act(made)
        assert made.standing(VISITS) is None
    made = edition(root)
    run(made, CLINIC)
    run(made, VISITS)
    made.resolved["parameters"]["seed"] = 2
    assert made.standing(VISITS), "it has not read the seed"


def test_a_reference_file_that_it_opened_decides(root):
    (root / "a.csv").write_text("1")
    made = edition(root)
    run(made, CLINIC)
    made.keep(CLINIC, made.made_from(CLINIC, ["a.csv"], ()), 1.0)
    assert made.standing(CLINIC)
    (root / "a.csv").write_text("2")
    assert made.standing(CLINIC) is None


def test_another_study_s_run_serves_where_all_that_it_read_is_the_same(root):
    base, code = edition(root), Code(root)
    run(base, CLINIC, ("seed",))
    run(base, WORDS, ("dropout",))
    for name in (CHANGED, "worse"):
        other = edition(root, name, code)
        assert other.standing(CLINIC)[0] == "base"
        assert not other.executed(CLINIC, other.standing(CLINIC)), "it shows the other study"
        assert other.standing(WORDS) is None, "it has read what is changed: its own"
    # our own first, then that of the scenario which is changed
    ours = edition(root, CHANGED, code)
    run(ours, CLINIC, ("seed",))
    assert ours.standing(CLINIC)[0] == CHANGED


def test_who_shows_all_of_the_scenario_has_read_all_of_it(root):
    base = edition(root)
    run(base, CLINIC, (ALL,))
    assert base.standing(CLINIC)
    assert edition(root, CHANGED).standing(CLINIC) is None


def test_a_study_described_otherwise_is_dressed_anew(root):
    made = edition(root)
    run(made, CLINIC)
    (root / "scenarios/base.yaml").write_text("description: Otherwise.\n")
    other = edition(root)
    assert other.standing(CLINIC)
    assert not other.executed(CLINIC, other.standing(CLINIC))


def test_a_changed_study_stages_its_changes_once(root):
    made = edition(root, CHANGED)
    assert json.loads((made.data / "overrides.json").read_text())["overrides"]["alpha"] == 0.01
    assert [path.name for path in made.settings] == ["base.yaml", "overrides.json"]
    (made.data / "overrides.json").write_text("{}")
    edition(root, CHANGED)
    assert (made.data / "overrides.json").read_text() == "{}"
    plain = edition(root)
    assert [path.name for path in plain.settings] == ["base.yaml"]
    assert not (plain.data / "overrides.json").exists()


def test_parameters_are_resolved_once_and_told(root, monkeypatch):
    made = Edition("worse", Code(root))
    made.resolve()
    assert made.resolved["parameters"]["dropout"] == 0.3
    told = made.data / "scenario.json"
    assert json.loads(told.read_text()) == made.resolved
    assert told.read_text().endswith("\n")
    told.write_text("spoilt")
    loads = []
    monkeypatch.setattr(scenario, "load", lambda name, right=scenario.load: loads.append(name) or right(name))
    again = Edition("worse", Code(root))
    again.resolve()
    assert (loads, again.resolved) == ([], made.resolved)
    assert json.loads(told.read_text()) == made.resolved
    changed = Code(root)
    changed.version = "2"
    Edition("worse", changed).resolve()
    assert loads == ["worse"]


# ------------------------------------------------------------------ inputs


def test_a_chapter_waits_for_what_it_reads_and_no_longer(root):
    made = edition(root)
    assert made.readable(CLINIC)
    assert not made.readable(VISITS)
    write_tables(made, CLINIC)
    assert not made.readable(VISITS), "what is there is old"
    made.running.add("a-clinic")
    assert not made.readable(VISITS), "it is to be cleared yet"
    made.clear(CLINIC)
    assert not made.readable(VISITS)
    write_tables(made, CLINIC)
    assert made.readable(VISITS), "written whole, while the rest of the chapter runs"
    made.running.add("b-visits")
    made.clear(VISITS)
    write_tables(made, VISITS)
    assert not made.readable(WORDS), "a folder may still be filled"
    made.done.add("b-visits")
    assert made.readable(WORDS)


def test_clearing_takes_a_chapter_s_own_files_and_its_record(root):
    made = edition(root)
    run(made, CLINIC)
    run(made, VISITS)
    made.cleared.clear()
    made.clear(VISITS)
    assert names_of(made.data.rglob("*.csv")) == ["clinic.csv"]
    assert made.notebook(CLINIC).with_suffix(".json").exists()
    assert not made.notebook(VISITS).with_suffix(".json").exists()
    assert made.cleared == {"b-visits"}
    fresh = edition(root, "worse")
    fresh.clear(CLINIC)
    assert fresh.data.is_dir()
    assert fresh.notebook(CLINIC).parent.is_dir()


def test_a_table_that_the_table_of_chapters_does_not_name_is_refused(root):
    made = edition(root)
    made.check_tables(
        VISITS, ["base/clinic.csv", "base/visits.csv", "base/truth/known.csv", "base/scenario.json"]
    )
    for opened in ("base/other.csv", "worse/clinic.csv", "base"):
        with pytest.raises(Problem, match=f"b-visits read {opened}, which is not among what it reads"):
            made.check_tables(VISITS, ["base/clinic.csv", opened])
    with pytest.raises(Problem, match=r"a-clinic read base/truth/known\.csv"):
        made.check_tables(CLINIC, ["base/truth/known.csv"])


# ------------------------------------------------------------------ making


def kernel(monkeypatch, writes: bool = True, log: tuple = (("parameters", "dropout"),), then=lambda: None):
    """A kernel that runs nothing: it notes what it was asked, and leaves what a chapter would leave."""
    asked = []

    def execute(source, target, parameters, env, told, limit, at):
        asked.append((source.name, parameters, env, limit))
        at(1)
        at(2)
        if writes:
            folder = Path(env["ALPORT_DATA"]) / parameters.get("scenario", "base")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "clinic.csv").write_text("child\n")
        told.write_text("".join(json.dumps(line) + "\n" for line in log))
        target.write_bytes(executed(CLINIC))
        then()
        return 3.25

    monkeypatch.setattr(editions, "execute", execute)
    return asked


@pytest.mark.parametrize(("name", "given"), [("base", {}), ("worse", {"scenario": "worse"})])
def test_a_chapter_runs_on_its_own_study_and_its_record_says_what_it_read(root, monkeypatch, name, given):
    made = edition(root, name)
    asked = kernel(monkeypatch, then=lambda: seen.append(made.notebook(CLINIC).with_suffix(".json").exists()))
    seen: list[bool] = []
    made.run(CLINIC, {"HOME": "h"}, 60)
    ((source, parameters, env, limit),) = asked
    assert (source, parameters, limit) == ("a-clinic.ipynb", given, 60)
    data = str(root / ".cache/build" / name / "data")
    # a report's figures are drawings where those are smaller
    assert env == {"HOME": "h", "ALPORT_DATA": data, DRAWN: "1"}
    assert made.cells == {"a-clinic": 2}
    assert seen == [False], "the record comes last"
    assert made.executed(CLINIC, made.standing(CLINIC))
    assert made.seconds == {"a-clinic": 3.25}
    assert not made.draft(CLINIC).exists()
    assert list(made.standing(CLINIC)[1]["made_from"]["parameters"]) == ["dropout"]
    assert made.standing(CLINIC)[1]["writes"] == {"clinic.csv": digest(b"child\n")}


def test_who_tells_the_scenario_has_read_all_of_it(root, monkeypatch):
    made = edition(root)
    made.sources.telling.add("a-clinic")
    kernel(monkeypatch)
    made.run(CLINIC, {})
    assert set(made.standing(CLINIC)[1]["made_from"]["parameters"]) == {"dropout", ALL}


def test_a_chapter_that_writes_or_reads_what_it_should_not_is_not_made(root, monkeypatch):
    made = edition(root)
    kernel(monkeypatch, writes=False)
    with pytest.raises(Problem, match=r"a-clinic did not write clinic\.csv"):
        made.run(CLINIC, {})
    assert made.standing(CLINIC) is None
    kernel(monkeypatch, log=(("tables", "base/truth/known.csv"),))
    with pytest.raises(Problem, match=r"a-clinic read base/truth/known\.csv"):
        made.run(CLINIC, {})
    assert made.standing(CLINIC) is None


def test_what_another_study_made_is_taken_over_and_ours(root):
    (root / "notebooks").mkdir()
    for chapter in CHAPTERS:
        (root / "notebooks" / f"{chapter.stem}.ipynb").write_bytes(executed(chapter))
    base = edition(root)
    run(base, CLINIC, ("seed",))
    run(base, VISITS, ("seed",))
    ours = edition(root, "worse")
    for chapter in (CLINIC, VISITS):
        ours.take_over(chapter, ours.standing(chapter))
        assert ours.executed(chapter, ours.standing(chapter)), chapter.stem
    assert (ours.data / "truth/known.csv").read_text() == "b-visits of base\n"
    assert names_of(ours.data.rglob("*.csv")) == ["clinic.csv", "known.csv", "visits.csv"]
    assert ours.seconds == {"a-clinic": 2.5, "b-visits": 2.5}
    assert 'scenario = \\"worse\\"' in ours.notebook(CLINIC).read_text()


@pytest.mark.parametrize("spoilt", ["notebook", "table"])
def test_what_another_build_is_changing_is_not_taken_over(root, spoilt):
    base, ours = edition(root), edition(root, "worse")
    run(base, CLINIC, ("seed",))
    standing = ours.standing(CLINIC)
    if spoilt == "notebook":
        base.notebook(CLINIC).write_bytes(executed(CLINIC, 2.0))
    else:
        (base.data / "clinic.csv").write_text("half")
    with pytest.raises(Problem, match="base is being built by another process; run the same command again"):
        ours.take_over(CLINIC, standing)


# ------------------------------------------------------------------ pages


def test_a_page_stands_as_long_as_its_notebook_its_look_and_its_files(root):
    made = built(root)
    assert made.rendered(CLINIC)
    page = made.report / "a-clinic.html"
    key = unseal(made.notebook(CLINIC).with_suffix(".json"))["key"]
    assert f"content key {key[:16]}" in page.read_text()
    before = page.read_bytes()
    for spoil in (
        lambda: page.write_text("spoilt"),
        lambda: page.unlink(),
        lambda: (made.report / "exhibits/a-clinic/t.csv").unlink(),
        lambda: made.notebook(CLINIC).write_bytes(executed(CLINIC, 2.0)),
        lambda: setattr(made, "page_code", "other"),
    ):
        spoil()
        assert not made.rendered(CLINIC)
        made.page_code = edition(root).page_code
        made.notebook(CLINIC).write_bytes(executed(CLINIC))
        (made.report / "exhibits/a-clinic/old.csv").write_text("of an exhibit that is gone")
        made.render(CLINIC)
        assert page.read_bytes() == before
        assert made.rendered(CLINIC)
        assert names_of((made.report / "exhibits/a-clinic").iterdir()) == ["t.csv"]


def test_what_stands_on_all_chapters_is_made_once_and_published(root):
    made = built(root, c=3.0)
    made.finish()
    report, tables = root / "reports/base", root / "data/synthetic/base"
    results = json.loads((report / "results.json").read_text())
    (stated,) = results["c-words"].values()
    assert stated == {"value": 3.0, "unit": "", "digits": 1, "shown": "3.0", "exhibit": "Table 1"}
    told = json.loads((report / "provenance.json").read_text())
    assert (told["scenario"], told["trial"]) == ("base", "NCT06731192")
    assert (told["git_commit"], told["uncommitted_changes"]) == (None, None)
    assert told["lock_sha256"] == hashlib.sha256(b"numpy").hexdigest()
    assert told["tables_sha256"].keys() == {"clinic.csv", "visits.csv", "truth/known.csv"}
    for part, folder in (("pages_sha256", report), ("tables_sha256", tables)):
        for name, value in told[part].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == value, name
    assert {"a-clinic.html", "exhibits/a-clinic/t.csv"} <= told["pages_sha256"].keys()
    compared = json.loads((report / "comparison.json").read_text())
    assert compared["about"] == "Assumed: As planned."
    assert compared["parameters"] == made.resolved["parameters"]
    assert compared["records"]["c-words"]["results"]["c-words.mean"]["value"] == 3.0
    assert compared["records"]["c-words"]["exhibits"] == {
        "t": {"kind": "table", "title": "T", "alt": "", "label": "Table 1"}
    }
    assert 'href="b-visits.html"' in (report / "index.html").read_text()
    assert (
        json.loads((report / "protocol.usdm.json").read_text())["study"]["versions"][0]["versionIdentifier"]
        == "base"
    )
    assert made.put_back == [tables / name for name in ("clinic.csv", "visits.csv", "truth/known.csv")]


def test_the_overview_is_made_again_for_what_it_shows_and_for_nothing_else(root):
    built(root).finish()
    index = root / ".cache/build/base/report/index.html"
    stamp = index.stat().st_mtime_ns

    def again(*changed: Chapter) -> bool:
        made = edition(root)
        for chapter in changed:
            run(made, chapter, value=7.0)
            made.render(chapter)
        before = index.stat().st_mtime_ns if index.exists() else stamp
        made.finish()
        return index.stat().st_mtime_ns != before

    assert not again()
    assert again(WORDS)
    index.unlink()
    assert again()
    (root / "scenarios/base.yaml").write_text("description: Otherwise.\n")
    assert again()
    assert "Otherwise" in (root / "reports/base/index.html").read_text()


def test_a_published_file_that_was_lost_is_told_unless_a_chapter_ran(root):
    built(root).finish()
    (root / "data/synthetic/base/clinic.csv").unlink()
    made = edition(root)
    made.finish()
    assert made.put_back == [root / "data/synthetic/base/clinic.csv"]
    (root / "data/synthetic/base/clinic.csv").write_text("mine")
    made = edition(root)
    made.ran = True
    made.finish()
    assert made.put_back == []
    assert list(made.kept) == [root / "data/synthetic/base/clinic.csv"]


def test_places_that_are_not_ours_stop_the_build_before_anything_runs(root):
    made = edition(root, "worse")
    made.check_places()
    (root / "data/synthetic/worse").mkdir()
    (root / "data/synthetic/worse/visits.csv").write_text("mine")
    with pytest.raises(Problem, match=r"visits\.csv that no build made"):
        made.check_places()
    (root / "data/synthetic/worse/visits.csv").unlink()
    (root / "reports/worse").mkdir(parents=True)
    (root / "reports/worse/c-words.html").write_text("mine")
    with pytest.raises(Problem, match=r"c-words\.html that no build made"):
        made.check_places()


# ------------------------------------------------------------------ over all scenarios


def reported(root: Path, name: str, **content) -> None:
    folder = root / "reports" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("a page")
    told = {"about": f"About {name}.", "records": {}, "parameters": {"dropout": 0.1}} | content
    (folder / "comparison.json").write_text(json.dumps(told))


def test_the_overall_index_has_each_scenario_that_is_reported_base_first(root):
    assert editions.overall_index(Code(root)) == {}
    assert not (root / "reports/index.html").exists()
    (root / "scenarios/a.yaml").write_text("description: First by name.\n")
    for name in ("worse", "base", "a", CHANGED, "gone", "half"):
        reported(root, name)
    (root / "scenarios/half.yaml").write_text("description: Half.\n")
    (root / "reports/half/comparison.json").write_text('{"about": "x"}')
    assert editions.overall_index(Code(root)) == {}
    index = (root / "reports/index.html").read_text()
    order = [f'href="{name}/index.html"' for name in ("base", "a", CHANGED, "worse")]
    assert sorted(order, key=index.index) == order
    assert "About worse." in index
    assert "gone" not in index
    assert "half" not in index
    compared = (root / "reports/comparison.html").read_text()
    assert f'<th scope="row"><a href="{CHANGED}/index.html">{CHANGED}</a></th>' in compared
    assert compared == (root / ".cache/build/pages/comparison.html").read_text()


def test_the_overall_index_is_made_again_when_a_report_or_the_look_changed_and_ours_is_put_back(root):
    for name in ("base", "worse"):
        reported(root, name)
    staged, code = root / ".cache/build/pages/index.html", Code(root)
    editions.overall_index(code)
    staged.write_text("as it was")
    editions.overall_index(code)
    assert (root / "reports/index.html").read_text() == "as it was", "nothing that it shows has changed"
    for act in (
        lambda: reported(root, "worse", about="Anew."),
        lambda: setattr(code, "version", "2"),
        lambda: (root / "src/helpers/build/templates/style.css").write_text("x"),
        lambda: (root / ".cache/build/pages/comparison.html").unlink(),
    ):
        staged.write_text("as it was")
        act()
        editions.overall_index(code)
        assert "worse/index.html" in (root / "reports/index.html").read_text()
    (root / "reports/index.html").write_text("mine")
    moved = editions.overall_index(code)
    assert moved == {root / "reports/index.html": root / "reports/index.kept.html"}
    assert (root / "reports/index.kept.html").read_text() == "mine"


def test_what_a_scenario_assumes_in_a_sentence(root):
    assert editions.about("worse") == "Assumed: More leave."
    assert editions.about(CHANGED) == "Assumed: as scenario base, but alpha = 0.01, dropout = 0.2."


# ------------------------------------------------------------------ what failed, and git


def test_failed_notebooks_are_ours_until_somebody_changes_them(root):
    one, other = root / "reports/failed/base/a.ipynb", root / "reports/failed/base/a.html"
    elsewhere = root / "reports/failed/worse/a.ipynb"
    editions.keep_failed({one: b"1", other: b"2"})
    editions.keep_failed({elsewhere: b"3"})
    editions.keep_failed({one: b"1 anew"})
    assert (one.read_bytes(), names_of(one.parent.iterdir())) == (b"1 anew", ["a.html", "a.ipynb"])
    other.write_bytes(b"mine")
    editions.clear_failed("base")
    assert names_of(one.parent.iterdir()) == ["a.html"]
    assert elsewhere.exists()
    editions.keep_failed({other: b"4"})
    assert (other.read_bytes(), (one.parent / "a.kept.html").read_bytes()) == (b"4", b"mine")
    editions.clear_failed("worse")
    assert not elsewhere.parent.exists()


def test_the_commit_and_what_differs_from_it(root, monkeypatch):
    assert editions.repository() == (None, None)
    (root / ".git").mkdir()

    class Done:
        def __init__(self, command, returncode=0):
            self.returncode = returncode
            self.stdout = "abc\n" if "rev-parse" in command else " M z.py\n?? a b.txt\n"

    monkeypatch.setattr(editions.subprocess, "run", lambda command, **_: Done(command))
    assert editions.repository() == ("abc", ["a b.txt", "z.py"])
    monkeypatch.setattr(
        editions.subprocess, "run", lambda command, **_: Done(command, int("status" in command))
    )
    assert editions.repository() == (None, None)
    monkeypatch.setattr(editions.shutil, "which", lambda name: None)
    assert editions.repository() == (None, None)


def test_a_record_is_read_back_only_as_it_was_written(root):
    path = root / "r.json"
    path.write_text(seal({"a": 1}))
    assert unseal(path) == {"a": 1}
    path.write_text(path.read_text().replace("1", "2"))
    assert unseal(path) == {}
