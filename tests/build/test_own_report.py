"""Whole reports on own data, built from nothing: blinded outputs know no arm, and folders are only read."""

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from helpers import DATA
from helpers.chapters import contents
from helpers.intake import editions

RAW = [name for name in contents.GIVEN]


def site(folder: Path, permuted: bool = False, children: int = 40) -> Path:
    """The base scenario's raw tables as a site's folder; permuted: arms and products of other children.

    children: how many of the randomised; with fewer than all, nobody else is screened.
    """
    folder.mkdir(parents=True)
    listed = pd.read_csv(DATA / "base" / "randomisation.csv", dtype=str)["usubjid"].head(children)
    for name in RAW:
        sent = pd.read_csv(DATA / "base" / name, dtype=str)
        kept = sent[sent["usubjid"].isin(listed)] if children < 40 else sent
        kept.to_csv(folder / name, index=False)
    if permuted:
        randomised = pd.read_csv(folder / "randomisation.csv", dtype=str)
        arms = dict(zip(randomised["usubjid"], randomised["arm"][::-1], strict=True))
        assert list(arms.values()) != list(randomised["arm"])
        randomised.assign(arm=randomised["usubjid"].map(arms)).to_csv(
            folder / "randomisation.csv", index=False
        )
        given = pd.read_csv(folder / "infusions.csv", dtype=str)
        product = given["usubjid"].map(arms).where(given["product"].notna())
        assert (product.fillna("") != given["product"].fillna("")).any()
        cells = given["cells"].sample(frac=1, random_state=1).to_numpy()
        given.assign(product=product, cells=cells).to_csv(folder / "infusions.csv", index=False)
    return folder


def contents_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_feeds_a_blinded_report_knows_no_arm(tmp_path):
    """The fast half: every byte that the chapters read is the same whoever got what, and without a list."""
    sites = [
        site(tmp_path / kind / "Site 2", kind == "permuted", 8) for kind in ("sent", "permuted", "without")
    ]
    (sites[2] / "randomisation.csv").unlink()
    (sites[2] / "randomisation.csv").mkdir()  # an allocation file that can't be opened
    before = [contents_of(folder) for folder in sites]
    made = [editions.receive(folder, None, "base", {}) for folder in sites]
    assert made[0] == made[1]
    assert len(made[0][1]["labs.csv"]) > 1000
    without = {name: content for name, content in made[2][1].items() if name.endswith(".csv") and name in RAW}
    assert without == {name: made[0][1][name] for name in without}
    assert [contents_of(folder) for folder in sites] == before, "the folders are only read"


@pytest.mark.slow
def test_permuting_arms_and_products_leaves_every_blinded_output_byte_identical(whole_project, tmp_path):
    """And: the report stands beside the scenarios' own, in no index of theirs, and goes with `make clean`."""
    copies = []
    for kind in ("sent", "permuted"):
        project = object.__new__(type(whole_project))
        project.folder = tmp_path / kind / "a project"
        shutil.copytree(whole_project.folder, project.folder, symlinks=True)
        folder = site(tmp_path / "sites" / kind / "Site 2", kind == "permuted")
        before = contents_of(folder)
        done = project.build("--data", str(folder))
        assert done.returncode == 0, done.stdout + done.stderr
        assert contents_of(folder) == before
        copies.append(project.folder)
    first, second = (
        {**contents_of(place / "reports/own-site-2-dummy-arms"), **contents_of(place / "data/own")}
        for place in copies
    )
    assert first == second
    report = copies[0] / "reports" / "own-site-2-dummy-arms"
    pages = sorted(report.glob("*.html"))
    stems = [*(one.stem for one in contents.own()), "index", "references", "reviewer", "explore"]
    assert {page.name for page in pages} == {f"{stem}-dummy-arms.html" for stem in stems}
    for page in pages:
        text = page.read_text("utf-8")
        assert page.name.endswith("-dummy-arms.html")
        assert "Data of Site 2, 161 children, received as listed in provenance." in text
        assert "dummy arms</title>" in text
    assert json.loads((report / "results-dummy-arms.json").read_text("utf-8"))["data"]["arms"] == "dummy arms"
    assert "own-site-2" not in (copies[0] / "reports/index.html").read_text("utf-8")
    remission = (report / "06-remission-dummy-arms.html").read_text("utf-8")
    assert "this result says nothing about the treatment" in remission
    base = contents_of(whole_project.folder / "reports/base")
    assert contents_of(copies[0] / "reports/base") == base, "the scenario's report is as it was"
