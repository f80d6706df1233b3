"""Scenarios: what loads, and one message for each kind of wrong file or parameter; nothing is overwritten."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import ROOT, Problem
from helpers.study import scenario
from helpers.study.parameters import Parameters
from helpers.trial import conduct, record

BASE = "description: a test.\n"
BOMB = (
    BASE
    + "a: &a [1, 1]\n"
    + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True))
)
"""Each line is twice as long as the one before, once it is read."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project of one scenario; a function writes further ones."""
    (tmp_path / "scenarios").mkdir()
    monkeypatch.setattr(scenario, "ROOT", tmp_path)
    monkeypatch.setattr(scenario, "DATA", tmp_path / "data")

    def write(content: str | bytes, name: str = "base") -> Path:
        path = tmp_path / "scenarios" / f"{name}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    write(BASE)
    write.root = tmp_path
    return write


def refusal(*arguments, **changes) -> str:
    with pytest.raises(Problem) as caught:
        scenario.load(*arguments, **changes)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["base", "no-effect", "strong-effect", "high-dropout"])
def test_the_committed_scenarios_load(name):
    study = scenario.load(name)
    assert study.name == study.scenario == name
    assert study.overrides == {}
    assert study.description.endswith(".")


def test_the_base_scenario_is_the_defaults_and_comes_first():
    assert scenario.load("base").parameters == Parameters()
    assert scenario.scenarios()[0] == "base"


def test_changes_are_laid_over_the_scenario_and_get_a_folder_of_their_own():
    study = scenario.load("strong-effect", n_randomised=60, upcr_effect=None, seed=6731192)
    assert study.parameters.n_randomised == 60
    assert study.parameters.upcr_effect == 0.4  # None is the scenario's value
    assert study.overrides == {"n_randomised": 60}  # the seed given is the one in force anyway
    assert study.name.startswith("strong-effect+")
    assert study.name == scenario.load("strong-effect", n_randomised=60).name
    assert study.name != scenario.load("strong-effect", n_randomised=61).name
    assert scenario.load("base", n_randomised=40).name == "base"


def test_the_register_shows_changed_parameters_first_and_every_one():
    frame = scenario.load("strong-effect", dropout=0.2).register()
    assert set(frame["parameter"]) == set(Parameters.model_fields)
    assert set(frame["parameter"][:4]) == {"upcr_effect", "rbc_effect", "gfr_slope_effect", "dropout"}
    row = frame.set_index("parameter").loc["dropout"]
    assert (row["value"], row["scenario"], row["default"]) == ("0.2", "0.1", "0.1")
    assert row["allowed"] == "a number from 0 to 1"
    assert row["unit"] == "proportion"
    assert (frame[["reason", "source", "allowed"]] != "").all(axis=None)


def test_what_a_notebook_shows_names_value_scenario_unit_range_and_source():
    html = scenario.load("base", upcr_effect=0.8)._repr_html_()
    for part in ("upcr_effect", "0.8", "0.65", "ratio", "0.05 to 2", "MS07"):
        assert part in html


@pytest.mark.parametrize("name", ["nope", "../base", "../x", "base.yaml", "/etc/passwd", "", "Base", 7, None])
def test_an_unknown_scenario_names_those_that_exist(name):
    message = refusal(name)
    assert repr(name) in message
    assert "base" in message
    assert "high-dropout" in message


def test_a_changed_study_that_was_never_built_is_refused():
    assert "data/synthetic/base+0123abcd/" in refusal("base+0123abcd")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("description: a test.\n  upcr_effect: 0.8\n", ["line 2"]),
        ("description: [a\n", ["line 2"]),
        ("description: a test.\n\tdropout: 0.1\n", ["line 2"]),
        ("description: a test.\ndropout: 0.1\nseed: 5\ndropout: 0.2\n", ["line 4", "dropout is given twice"]),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", ["not a text file"]),
        (b"description: \x00\x01\n", ["not readable as YAML"]),
        ("- 1\n- 2\n", ["description"]),
        ("", ["description"]),
        ("dropout: 0.1\n", ["description"]),
        ("description: 5\n", ["description"]),
        (BASE + "dropuot: 0.1\n", ["dropuot is no parameter", "did you mean dropout"]),
        (BASE + "dropout: ten\n", ["dropout", "'ten'", "text", "a number from 0 to 1"]),
        (BASE + "n_randomised: 1:30\n", ["n_randomised", "'1:30'", "text"]),
        (BASE + "n_randomised: 050\n", ["n_randomised", "'050'", "text"]),
        (BASE + "n_randomised: 1_000\n", ["n_randomised", "'1_000'", "text"]),
        (BASE + "n_randomised: 0x28\n", ["n_randomised", "'0x28'", "text"]),
        (BASE + "dropout: 1e400\n", ["dropout", "inf", "a number from 0 to 1"]),
        (BASE + "seed: !!int abc\n", ["line 2, column 7", "found the tag tag:yaml.org,2002:int"]),
        (BASE + "seed: !!python/name:os.system\n", ["line 2", "found the tag"]),
        (BASE + "seed: " + "9" * 5000 + "\n", ["seed", "5000 characters", "a whole number"]),
        (BASE + "block_sizes: " + "[" * 5000 + "]" * 5000 + "\n", ["line 2", "a value nested in another"]),
        (BOMB, ["line 2", "an anchor or alias"]),
        (BASE + "seed: " + "x" * 200_000, ["200", "characters, allowed: up to 100000"]),
        (BASE + "---\ndescription: b\n", ["line 2", "a second document"]),
        (BASE + "? [a]\n: 1\n", ["line 2", "a name that is no word"]),
        (BASE + "x" * 1000 + ": 1\n", ["1000 characters", "is no parameter"]),
        (BASE + "dropout:\n", ["dropout", "empty", "a number from 0 to 1"]),
        (BASE + "dropout: {a: 1}\n", ["dropout", "a mapping"]),
        (BASE + "dropout: 1.01\n", ["dropout", "1.01", "a number from 0 to 1"]),
        (BASE + "dropout: .nan\n", ["dropout", "nan"]),
        (BASE + "n_randomised: 40.5\n", ["n_randomised", "40.5", "a whole number from 2 to 2000"]),
        (BASE + "n_randomised: yes\n", ["n_randomised", "yes or no", "a whole number"]),
        (BASE + "heterozygous_counts: 1\n", ["heterozygous_counts", "true or false"]),
        (BASE + "gfr_method: Schwarz\n", ["gfr_method", "'Schwarz'", "'bedside Schwartz'", "'U25 mean'"]),
        (BASE + "recruitment_start: 2025-13-01\n", ["recruitment_start", "2025-13-01", "a date from"]),
        (BASE + "recruitment_start: 1990-01-01\n", ["recruitment_start", "1990-01-01"]),
        (BASE + "block_sizes: [4, 5]\n", ["block_sizes", "[4, 5]", "even numbers"]),
        (BASE + "block_sizes: []\n", ["block_sizes", "at least one"]),
        (BASE + "block_sizes: four\n", ["block_sizes", "'four'"]),
        (BASE + "share_dominant: 0.5\n", ["share_dominant", "share_x_linked", "1.429", "add up to 1"]),
        (BASE + "age_min: 12.0\nage_max: 5.0\n", ["age_min 12 is above age_max 5"]),
        (BASE + "age_min: 5.0\nage_max: 5.0\n", ["age_min and age_max are both 5"]),
        (BASE + "remission_threshold: 0.05\nupcr_limit: 0.1\n", ["upcr_limit 0.1", "remission_threshold"]),
        (BASE + "variant_none: 0.9\nvariant_untested: 0.5\n", ["variant_none", "more than 1"]),
        (BASE + "male_share: 0.01\n", ["male_share 0.01", "share_x_linked"]),
        (BASE + "dropout: 2.0\nseed: -1\nfoo: 1\n", ["dropout", "seed", "foo is no parameter"]),
        (BASE + "5: 6\n", ["5 is no parameter"]),
    ],
)
def test_each_wrong_file_gets_one_message_that_names_file_and_fault(project, content, parts):
    project(content, "mine")
    message = refusal("mine")
    assert message.startswith("scenarios/mine.yaml")
    for part in parts:
        assert part in message
    assert not (project.root / "data").exists()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"upcr_efect": 0.8}, ["upcr_efect is no parameter", "did you mean upcr_effect"]),
        ({"zzz": None}, ["zzz is no parameter"]),
        ({"upcr_effect": "0.8"}, ["upcr_effect", "'0.8'", "text", "a number from 0.05 to 2"]),
        ({"upcr_effect": 5.0}, ["upcr_effect", "'5'", "from 0.05 to 2"]),
        ({"seed": True}, ["seed", "yes or no", "a whole number"]),
        ({"upcr_noise_min": 0.7}, ["upcr_noise_min 0.7 is above upcr_noise_max 0.6"]),
    ],
)
def test_each_wrong_change_gets_one_message(changes, parts):
    message = refusal("base", **changes)
    for part in parts:
        assert part in message


def test_numbers_are_written_as_everybody_writes_them(project):
    project(BASE + "dropout: 1e-1\nn_randomised: +12\nremission_fall: .5\n", "mine")
    mine = scenario.load("mine").parameters
    assert (mine.dropout, mine.n_randomised, mine.remission_fall) == (0.1, 12, 0.5)


def test_a_number_without_end_is_one_short_message():
    for value in (10**5000, "9" * 100_000, [4] * 100_000):
        message = refusal("base", seed=value)
        assert message.startswith("parameters: seed: found")
        assert len(message) < 600


def test_a_date_may_be_text_and_whole_numbers_stand_for_numbers(project):
    project(BASE + "recruitment_start: 2026-03-01\nupcr_effect: 1\n", "mine")
    assert scenario.load("mine").parameters.recruitment_start == date(2026, 3, 1)
    assert scenario.load("mine").parameters.upcr_effect == 1.0
    assert scenario.load("base", recruitment_start="2026-03-01").parameters.recruitment_start.year == 2026


LIMITED = [
    (name, {k: getattr(m, k) for m in field.metadata for k in ("ge", "le") if hasattr(m, k)})
    for name, field in Parameters.model_fields.items()
    if field.annotation in (int, float)
]


@given(st.sampled_from(LIMITED), st.sampled_from([-1, 1]))
@settings(max_examples=60, deadline=None)
def test_each_number_is_refused_just_outside_its_range(limited, side):
    name, limits = limited
    value = limits["ge"] - 1 if side < 0 else limits["le"] + 1
    assert name in refusal("base", **{name: type(Parameters.model_fields[name].default)(value)})


@pytest.fixture
def study(project):
    """A built study in the temporary project: its first table written."""
    made = scenario.load("base", n_randomised=4)
    _, columns, _ = conduct.screen(made.parameters)
    made.write("screening", record.screening(columns))
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_written_reads_back_and_says_with_what_it_was_made(study):
    assert sorted(contents(study.folder)) == ["overrides.json", "scenario.json", "screening.csv"]
    resolved = json.loads((study.folder / "scenario.json").read_text())
    assert resolved["parameters"]["n_randomised"] == 4
    again = scenario.load(study.name)
    assert again.parameters == study.parameters
    assert len(again.read("screening")) == len(study.read("screening"))


def test_a_wrong_table_overwrites_nothing(study):
    frame = study.read("screening")
    before = contents(study.folder.parent)
    frame.loc[1, "height"] = 900.0
    for table, wrong in (("screening", frame), ("screening", frame.drop(columns="upcr")), ("adie", frame)):
        with pytest.raises(Problem):
            study.write(table, wrong)
        assert contents(study.folder.parent) == before


def test_a_wrong_table_with_other_parameters_overwrites_nothing(study, project):
    """Edited scenario, wrong data: the folder must not claim the new parameters."""
    frame = scenario.load("base", n_randomised=4).read("screening")
    frame.loc[0, "sex"] = "boy"
    before = contents(study.folder.parent)
    project(BASE + "dropout: 0.3\n")
    edited = scenario.load("base", n_randomised=4)
    with pytest.raises(Problem):
        edited.write("screening", frame)
    assert contents(study.folder.parent) == before


def test_tables_made_with_other_parameters_are_refused(study, project):
    project(BASE + "dropout: 0.3\nseed: 5\n")
    edited = scenario.load("base", n_randomised=4)
    assert edited.folder == study.folder
    for act in (lambda: edited.read("screening"), lambda: edited.write("adie", None)):
        with pytest.raises(Problem) as caught:
            act()
        message = str(caught.value)
        assert "dropout was 0.1, is now 0.3" in message
        assert "seed was 6731192, is now 5" in message
        assert "make report SCENARIO=base" in message
        assert "n_randomised=4" in message


def test_a_table_that_was_not_written_yet_says_what_to_run(study):
    with pytest.raises(Problem, match=r"adsl\.csv does not exist\. Run `make report SCENARIO=base"):
        study.read("adsl")


def test_a_site_file_that_was_spoilt_by_hand_is_named(study):
    path = study.folder / "screening.csv"
    path.write_text(path.read_text().replace("male", "boy", 1))
    with pytest.raises(Problem, match=r"screening\.csv row \d+, column sex"):
        study.read("screening")


def test_the_projects_own_folder_is_left_alone(project):
    scenario.load("base", n_randomised=4)
    assert not (ROOT / "data" / "synthetic" / scenario.load("base", n_randomised=4).name).exists()


def test_a_description_is_text_and_no_markup(project):
    project("description: UPCR <0.2 & <script>alert(1)</script> was assumed.\n", "mine")
    page = scenario.load("mine")._repr_html_()
    assert "<script" not in page
    assert "UPCR &lt;0.2 &amp; &lt;script&gt;" in page


def test_own_tables_are_never_replaced_by_simulated_ones(study):
    frame = study.read("screening")
    (study.folder / "scenario.json").unlink()
    before = contents(study.folder)
    with pytest.raises(Problem, match=r"screening\.csv that were not simulated by base"):
        study.write("screening", frame)
    assert contents(study.folder) == before
