"""A study of many trials ends in the same bytes whoever computes it, however often it is interrupted."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import Problem
from helpers.design import operating, pieces, studies, study_files
from helpers.design.pieces import Pieces, Task
from helpers.estimators import proportions
from helpers.study.files import seal, unseal
from helpers.study.parameters import Parameters
from helpers.trial.conduct import CHUNK

TINY = """
description: two worlds, small
scenario: base
parameters:
  upcr_effect: [1, 0.5]
questions:
  few:
    analyses: [ancova average, ever]
    sizes: [12, 20]
    trials: 1500
"""


def put(folder: Path, text: str = TINY, name: str = "tiny") -> None:
    (folder / "studies").mkdir(parents=True, exist_ok=True)
    (folder / "studies" / f"{name}.yaml").write_text(text)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a study of its own, and no variable of whoever runs the tests."""
    monkeypatch.setattr(study_files, "FOLDER", tmp_path / "studies")
    monkeypatch.setattr(studies, "RESULTS", tmp_path / "studies" / "results")
    monkeypatch.setattr(studies, "PIECES", tmp_path / "pieces")
    for name in ("WORKERS", "TRIALS", "SCHEDULER"):
        monkeypatch.delenv(name, raising=False)
    put(tmp_path)
    return tmp_path


def result(place: Path, name: str = "tiny") -> bytes:
    return (place / "studies" / "results" / f"{name}.csv").read_bytes()


def everything(place: Path) -> dict[str, bytes]:
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory) -> bytes:
    """The table of the tiny study, computed in one go by one worker."""
    folder = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as here:
        here.setattr(study_files, "FOLDER", folder / "studies")
        here.setattr(studies, "RESULTS", folder / "studies" / "results")
        here.setattr(studies, "PIECES", folder / "pieces")
        here.setenv("WORKERS", "1")
        put(folder)
        assert studies.main(["tiny"]) == 0
    return result(folder)


# ------------------------------------------------------------------ the numbers


def test_the_table_is_what_operating_says_of_the_same_trials(at_once, tmp_path):
    (tmp_path / "t.csv").write_bytes(at_once)
    found = pd.read_csv(tmp_path / "t.csv").set_index(["upcr_effect", "n", "analysis"])
    p = Parameters()
    wanted = operating.run(
        p, 3 * CHUNK, analyses=["ancova average", "ever"], sizes=[12, 20], effects=[1.0, 0.5]
    ).set_index(["effect", "n", "analysis"])
    assert len(found) == len(wanted) == 8
    for key, row in wanted.iterrows():
        for name in ("trials", "answered", "favour", "against"):
            assert found.loc[key, name] == row[name]
        for name in ("power", "power_lower", "power_upper", "mean", "sd", "width", "significant"):
            assert found.loc[key, name] == pytest.approx(row[name], rel=1e-5), (key, name)
        lower, upper = proportions.wilson(int(row["favour"]), int(row["trials"]))
        assert found.loc[key, "mcse"] == pytest.approx(100 * (upper - lower) / 2 / 1.959964, rel=1e-5)
        for name, (sd, count) in operating.MOMENTS.items():
            assert found.loc[key, f"{name}_se"] == pytest.approx(row[sd] / row[count] ** 0.5, rel=1e-5)


def test_blocks_pooled_are_their_trials_together():
    """Also where a block has no answer, or one."""
    rng = np.random.default_rng(5)
    whole, parts = [], []
    for answered in (40, 0, 1, 17):
        estimate = np.where(np.arange(50) < answered, rng.normal(0.3, 1, 50), np.nan)
        p = np.where(np.isnan(estimate), np.nan, rng.random(50) ** 3)
        one = operating.Answers(estimate, estimate - 1, estimate + 1.5, p)
        whole.append(one)
        parts.append([{"n": 40, "analysis": "rmst", **operating.summary("rmst", one, 0.05)}])
    joined = operating.Answers(
        *(np.concatenate([getattr(o, k) for o in whole]) for k in ("estimate", "lower", "upper", "p"))
    )
    wanted = operating.summary("rmst", joined, 0.05)
    (found,) = pieces.pooled(parts)
    assert found.pop("n") == 40
    assert found.pop("analysis") == "rmst"
    assert found == pytest.approx(wanted, rel=1e-12, nan_ok=True)
    none = pieces.pooled(parts[1:2])[0]
    assert none["answered"] == 0
    assert np.isnan(none["mean"])


def test_monte_carlo_errors_are_those_of_repeated_runs():
    """Twenty blocks are twenty repetitions of a run of one block."""
    p = Parameters(upcr_effect=0.6)
    powers = []
    for block in range(20):
        (row,) = pieces.rows(p, Task(p, ("ancova average",), (20,), block))
        powers.append(100 * row["favour"] / row["trials"])
        told = studies.error(row)
    # the spread of 20 is known to about a sixth; twice that, both ways
    assert 0.6 < np.std(powers, ddof=1) / told < 1.5


def test_power_rises_with_size_and_effect_and_falls_with_noise(place):
    put(
        place,
        TINY.replace("[1, 0.5]", "[0.8, 0.5]\n  upcr_noise: [0.2, 0.5]")
        .replace("[12, 20]", "[12, 40]")
        .replace("trials: 1500", "trials: 512"),
    )
    frame = studies.run(study_files.read("tiny"))
    by = frame.set_index(["upcr_effect", "upcr_noise", "n", "analysis"])
    steps = 0
    for effect, noise, n in itertools.product((0.8, 0.5), (0.2, 0.5), (12, 40)):
        here = by.loc[(effect, noise, n, "ancova average")]
        for better in ((0.5, noise, n), (effect, 0.2, n), (effect, noise, 40)):
            if better == (effect, noise, n):
                continue
            there = by.loc[(*better, "ancova average")]
            steps += 1
            assert there["power"] - here["power"] > -3 * np.hypot(there["mcse"], here["mcse"])
    assert steps == 12
    assert (
        by.loc[(0.5, 0.2, 40, "ancova average"), "power"]
        > by.loc[(0.8, 0.5, 12, "ancova average"), "power"] + 50
    )


# ------------------------------------------------------------------ workers, order, more trials


@pytest.mark.parametrize("workers", ["2", pytest.param("8", marks=pytest.mark.slow)])
def test_any_number_of_workers_gives_the_same_bytes(place, at_once, monkeypatch, workers):
    monkeypatch.setenv("WORKERS", workers)
    assert studies.main(["tiny"]) == 0
    assert result(place) == at_once


def test_any_order_of_finishing_gives_the_same_bytes(place, at_once):
    study = study_files.read("tiny")
    there = Pieces(studies.PIECES / "tiny", "tiny")

    def backwards(tasks):
        yield from (pieces.work(task) for task in reversed(tasks))

    studies.compute(study, there, backwards, 4, lambda text: None)
    assert studies.publish(study, studies.table(study, there)).read_bytes() == at_once


def test_more_trials_are_added_to_those_that_stand(place, at_once, monkeypatch, capsys):
    monkeypatch.setenv("WORKERS", "1")
    monkeypatch.setenv("TRIALS", "512")
    assert studies.main(["tiny"]) == 0
    first = {path.name: path.stat().st_mtime_ns for path in (place / "pieces" / "tiny").glob("*-*.json")}
    assert len(first) == 2
    monkeypatch.delenv("TRIALS")
    assert studies.main(["tiny"]) == 0
    assert "2,048 trials to simulate now, in 4 pieces" in capsys.readouterr().err
    now = {path.name: path.stat().st_mtime_ns for path in (place / "pieces" / "tiny").glob("*-*.json")}
    assert len(now) == 6
    assert first.items() <= now.items()
    assert result(place) == at_once
    # and fewer again: nothing is computed
    monkeypatch.setenv("TRIALS", "100")
    assert studies.main(["tiny"]) == 0
    assert "0 trials to simulate now" in capsys.readouterr().err


def test_a_study_that_stands_computes_nothing(place, monkeypatch, capsys):
    monkeypatch.setenv("WORKERS", "1")
    monkeypatch.setenv("TRIALS", "10")
    studies.main(["tiny"])
    before = everything(place)
    monkeypatch.setattr(studies, "run", lambda *_: pytest.fail("computed again"))
    assert studies.main(["tiny"]) == 0
    assert "stands: nothing to compute" in capsys.readouterr().out
    assert everything(place) == before


def test_the_error_wanted_is_reached_in_every_world_by_the_fewest_blocks(place):
    put(place, TINY.replace("trials: 1500", "mcse: 1.2"))
    study = study_files.read("tiny")
    frame = studies.run(study)
    assert frame["mcse"].max() <= 1.2
    by_world = frame.groupby("upcr_effect")["trials"].agg(["min", "max"])
    assert (by_world["min"] == by_world["max"]).all()
    # no effect: powers near 0 are known after one block; near a half three or four are needed
    assert by_world.loc[1, "max"] == CHUNK
    assert by_world.loc[0.5, "max"] > CHUNK
    there = Pieces(studies.PIECES / "tiny", "tiny")
    for world in study.worlds:
        blocks = studies.blocks_of(study, world, study.questions[0], there)
        count = studies.enough(study.questions[0], blocks)
        if count > 1:
            assert max(studies.error(row) for row in pieces.pooled(blocks[: count - 1])) > 1.2
    # a finer error later goes on from there
    put(place, TINY.replace("trials: 1500", "mcse: 0.9"))
    finer = studies.run(study_files.read("tiny"))
    assert finer["mcse"].max() <= 0.9
    put(place, TINY.replace("trials: 1500", "mcse: 1.2"))
    pd.testing.assert_frame_equal(studies.run(study), frame)


# ------------------------------------------------------------------ interruptions

RUN = """
import sys
from pathlib import Path
from helpers.design import pieces, studies, study_files
place = Path(sys.argv[1])
study_files.FOLDER, studies.RESULTS, studies.PIECES = place / "studies", place / "studies/results", place / "pieces"
work = pieces.work
def told(task):
    with open(place / "begun", "a") as log:
        log.write(f"{task.p.upcr_effect} {task.block}\\n")
    return work(task)
pieces.work = told
sys.exit(studies.main(["tiny"]))
"""


def start(place: Path) -> subprocess.Popen:
    # a worker in the process itself: the kill ends whatever is being computed or written
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(place)],
        env={**os.environ, "WORKERS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "to simulate now" in line:
            break
    return process


def interrupted(place: Path, at_once: bytes, moments: int, seed: int) -> None:
    draw, killed = random.Random(seed), 0
    folder = place / "pieces" / "tiny"
    while killed < moments:
        (place / "begun").unlink(missing_ok=True)
        stood = {path: path.read_bytes() for path in folder.glob("*-*.json")}
        done = {
            f"{found['parameters']['upcr_effect']} {found['asked']['block']}" for found in map(unseal, stood)
        }
        process = start(place)
        try:
            process.wait(draw.uniform(0, 1.2))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        for path in folder.glob("*-*.json"):
            assert unseal(path), f"{path.name} is not whole"
        for path, content in stood.items():
            assert path.read_bytes() == content
        begun = (place / "begun").read_text().split("\n")[:-1] if (place / "begun").exists() else []
        assert not set(begun) & done, "what stood was computed again"
        if process.returncode == 0:
            assert result(place) == at_once
            # finished before it could be killed: once more from nothing
            for path in folder.glob("*-*.json"):
                path.unlink()
            for path in studies.places("tiny"):
                path.unlink()
    assert studies.main(["tiny"]) == 0
    assert result(place) == at_once


def test_a_study_killed_at_three_moments_ends_in_the_same_bytes(place, at_once):
    interrupted(place, at_once, 3, seed=1)


@pytest.mark.slow
def test_a_study_killed_at_twenty_moments_ends_in_the_same_bytes(place, at_once):
    interrupted(place, at_once, 20, seed=int(time.time_ns() % 2**32))


class Deadly:
    """Ends the process that unpacks it."""

    def __reduce__(self):
        return os._exit, (9,)


@pytest.mark.slow
def test_a_worker_that_is_ended_is_told_in_a_sentence():
    with pytest.raises(Problem, match=r"a worker was ended from outside.*what is finished stands"):
        list(studies.on_this_machine(2)([Task(Parameters(), ("ever",), (12,), Deadly())]))


def test_a_spoilt_or_cut_piece_is_computed_again(place, at_once, monkeypatch):
    monkeypatch.setenv("WORKERS", "1")
    studies.main(["tiny"])
    first, second, *_ = sorted((place / "pieces" / "tiny").glob("*-*.json"))
    first.write_bytes(first.read_bytes()[:-40])
    spoilt = json.loads(second.read_text())
    spoilt["content"]["answer"][0]["favour"] += 1
    second.write_text(json.dumps(spoilt))
    (place / "pieces" / "tiny" / ".x.json.99.new").write_text("half")
    for path in studies.places("tiny"):
        path.unlink()
    assert studies.main(["tiny"]) == 0
    assert result(place) == at_once
    assert unseal(first)
    assert unseal(second)
    assert not list((place / "pieces" / "tiny").glob(".*.new"))


def test_pieces_of_other_code_stay_and_are_not_taken(place, at_once, monkeypatch):
    monkeypatch.setenv("WORKERS", "1")
    monkeypatch.setenv("TRIALS", "100")
    studies.main(["tiny"])
    before = {path: path.read_bytes() for path in (place / "pieces").rglob("*.*") if path.is_file()}
    assert len(before) == 4
    monkeypatch.setattr(pieces, "_code", ["0123456789abcdef"])
    assert studies.main(["tiny"]) == 0
    assert {path: path.read_bytes() for path in before} == before
    assert len(list((place / "pieces" / "tiny").glob("0123456789abcdef-*.json"))) == 2
    with pytest.raises(Problem, match="other code"):
        Pieces(place / "pieces" / "tiny", "tiny").keep({"code": "another"})


# ------------------------------------------------------------------ a cluster


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(place, at_once, monkeypatch):
    distributed = pytest.importorskip("distributed")
    # a worker of xdist has no module to be started from, which its nannies would look for
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        kept, keep = [], Pieces.keep

        def kill_once(self, entry):
            keep(self, entry)
            kept.append(entry)
            if len(kept) == 2:
                os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)

        monkeypatch.setattr(Pieces, "keep", kill_once)
        monkeypatch.setenv("SCHEDULER", cluster.scheduler_address)
        assert studies.main(["tiny"]) == 0
    assert len(kept) == 6
    assert result(place) == at_once


def test_a_scheduler_that_is_not_there_is_said_before_any_work(place, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(studies, "SECONDS_TO_CONNECT", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "what"):
        monkeypatch.setenv("SCHEDULER", address)
        with pytest.raises(Problem, match=r"SCHEDULER: no scheduler answers at .*nothing was computed"):
            studies.main(["tiny"])
    assert not list((place / "pieces").rglob("*.json"))
    assert not (place / "studies" / "results").exists()


# ------------------------------------------------------------------ bad input

FAULTY = """
description: everything wrong
scenario: bse
colour: blue
parameters:
  upcr_efect: [1]
  dropout: [0.1, 1.5]
  upcr_noise: []
  n_randomised: [40]
questions:
  one:
    analyses: [confirmd]
    sizes: [5, 41]
    trials: 0
    trails: 3
  two:
    analyses: [ever]
    sizes: [20]
    trials: 10
    mcse: 1
"""


def test_all_faults_are_told_at_once_and_nothing_is_touched(place, monkeypatch):
    put(place, FAULTY)
    monkeypatch.setenv("WORKERS", "0")
    monkeypatch.setenv("TRIALS", "many")
    before = everything(place)
    with pytest.raises(Problem) as told:
        studies.main(["tiny"])
    for words in (
        "WORKERS: found '0', allowed: a whole number from 1",
        "TRIALS: found 'many', allowed: a whole number from 1",
        "colour is no key of a study",
        "unknown scenario 'bse'",
        "(did you mean base?)",
        "upcr_efect is no parameter (did you mean upcr_effect?)",
        "dropout: found '1.5' (number), allowed: a number from 0 to 1",
        "upcr_noise: the grid is empty",
        "n_randomised is asked by `sizes`",
        "questions, one: confirmd is no analysis (did you mean confirmed?)",
        "questions, one: size 5: allowed: even numbers",
        "questions, one: size 41",
        "questions, one: trails is no key of a question (did you mean trials?)",
        "questions, one: trials: found 0, allowed: a whole number from 1 to",
        "questions, two: allowed: either trials or mcse",
    ):
        assert words in str(told.value), words
    assert everything(place) == before


MANY = ", ".join(f"0.{number}" for number in range(10001, 15002))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[1, 0.5]", f"[{MANY}]"), "5001 worlds is too large to be meant; allowed: up to 5000"),
        (("trials: 1500", "trials: 5000001"), "allowed: a whole number from 1 to 5000000"),
        (("[12, 20]", "[]"), "no sizes"),
        (("[1, 0.5]", "[0.5, 0.5]"), "0.5 is there twice"),
        (("[1, 0.5]", "[0.5]\n  upcr_noise: [0.9]"), "upcr_effect 0.5, upcr_noise 0.9: upcr_noise 0.9 lies outside"),
        (("  upcr_effect: [1, 0.5]", ""), "the grid is empty"),
        (("trials: 1500", "mcse: 0.001"), "allowed: a number from 0.02 to 20 (percentage points of power)"),
        (("trials: 1500", "trials: 1500\n    a: {b: [[[1]]]}"), "a value nested in another"),
        (("scenario: base", "scenario: base\nscenario: base"), "scenario is given twice"),
    ],
    ids=[
        "too many worlds", "too many trials", "no size", "twice", "contradiction", "no parameter", "error", "deep",
        "key twice",
    ],
)  # fmt: skip
def test_a_fault_is_named(place, change, words):
    assert change[0] in TINY
    put(place, TINY.replace(*change))
    with pytest.raises(Problem) as told:
        study_files.read("tiny")
    assert words in str(told.value)


@pytest.mark.parametrize("name", ["", "tony", "../tiny", "x" * 1000, "TINY"])
def test_a_study_that_is_not_there_is_refused_with_those_that_are(place, name):
    with pytest.raises(Problem, match="allowed: tiny"):
        studies.main([name])


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5", "99999"])
def test_workers_are_a_whole_number_from_one(given):
    with pytest.raises(Problem, match="WORKERS: found"):
        study_files.workers(given, 2)


def test_results_of_another_study_or_version_are_never_replaced(place, monkeypatch):
    monkeypatch.setenv("WORKERS", "1")
    monkeypatch.setenv("TRIALS", "10")
    studies.main(["tiny"])
    final, about = studies.places("tiny")
    put(place, TINY.replace("[12, 20]", "[12]"))
    before = everything(place)
    with pytest.raises(
        Problem, match=r"another version of studies/tiny.yaml \(questions differ\).*nothing was computed"
    ):
        studies.main(["tiny"])
    assert everything(place) == before
    put(place)
    about.write_text(about.read_text().replace('"study": "tiny"', '"study": "other"'))
    with pytest.raises(Problem, match="holds the results of other, not of tiny"):
        studies.main(["tiny"])
    about.unlink()
    with pytest.raises(Problem, match="holds the results of no study of this project"):
        studies.main(["tiny"])
    final.unlink()
    studies.main(["tiny"])
    final.write_text(final.read_text() + "my own line\n")
    with pytest.raises(Problem, match="was changed since it was written"):
        studies.main(["tiny"])
    assert final.read_text().endswith("my own line\n")


def test_pieces_of_another_study_are_refused(place):
    (place / "pieces" / "tiny").mkdir(parents=True)
    (place / "pieces" / "tiny" / "study.json").write_text(seal({"study": "other"}))
    with pytest.raises(Problem, match=r"pieces of another study \(other\)"):
        studies.run(study_files.read("tiny"))


def test_two_runs_of_one_study_are_kept_apart(place):
    with studies.alone("tiny"), pytest.raises(Problem, match="being computed already"):
        studies.run(study_files.read("tiny"))


# ------------------------------------------------------------------ what is told


def test_it_says_first_how_much_there_is_to_do(place, monkeypatch, capsys):
    monkeypatch.setenv("WORKERS", "1")
    studies.main(["tiny"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tiny: 2 worlds (upcr_effect 2)"
    assert lines[1] == "  few: 2 analyses at 2 sizes, 1,536 trials a world (in blocks of 512)"
    assert lines[2] == "  3,072 trials to simulate now, in 6 pieces; what is finished stands"
    assert "about" in lines[3]
    assert "to go with 1 workers" in lines[3]
    # no terminal: plain lines, the last one when all is done
    assert lines[-1].startswith("2,048 of 2,048 trials, ")
    assert not any("\r" in line for line in lines)


def test_on_a_terminal_there_is_a_bar(tmp_path):
    class Terminal:
        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

        def isatty(self):
            return True

    seen = Terminal()
    progress = studies.Progress(1000, seen)
    progress.add(500)
    progress.add(500)
    progress.close()
    assert "1.00k/1.00k" in seen.text
    assert "trials/s" in seen.text


@pytest.mark.parametrize("name", study_files.names())
def test_every_study_of_the_project_is_one(name):
    study = study_files.read(name)
    assert study.worlds


def test_planning_is_as_large_as_planned():
    study = study_files.read("planning")
    assert len(study.worlds) >= 80
    assert len({frozenset(world.values.items()) for world in study.worlds}) == len(study.worlds)
    first = study.questions[0]
    assert first.trials >= 2000
    assert len(first.sizes) == 8
    assert (min(first.sizes), max(first.sizes)) == (20, 120)
    assert set(operating.DEFAULT) < set(first.analyses) <= set(operating.CLOSED)
    asked = {name for question in study.questions for name in question.analyses}
    assert asked == set(operating.ANALYSES)


def test_a_question_may_be_asked_of_some_worlds_alone(place):
    put(place, TINY.replace("trials: 1500", "trials: 500\n    only: {upcr_effect: 0.5}"))
    frame = studies.run(study_files.read("tiny"))
    assert set(frame["upcr_effect"]) == {0.5}
    assert len(frame) == 4
    put(place, TINY.replace("trials: 1500", "trials: 500\n    only: {upcr_efect: 1, upcr_effect: 0.6}"))
    with pytest.raises(Problem) as told:
        study_files.read("tiny")
    assert "only: upcr_efect is not in the grid (did you mean upcr_effect?)" in str(told.value)
    assert "only: upcr_effect: found [0.6], allowed: of 1, 0.5" in str(told.value)
