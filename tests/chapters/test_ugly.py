"""Every chapter builds on ugly data, and says in words what can't be estimated.

The chapters' own cells run here in one process, on scenarios that take something away from the trial.
"""

import json
import re

import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from helpers import ROOT
from helpers.chapters.contents import CHAPTERS
from helpers.study import scenario

STEADY = {
    "upcr_noise": 0.0, "upcr_noise_min": 0.0, "upcr_noise_max": 0.0, "upcr_wander": 0.0, "upcr_drift": 0.0,
    "upcr_drift_sd": 0.0, "illness_upcr": 1.0, "ras_recent": 0.0, "ras_change_placebo": 0.0,
    "ras_change_msc": 0.0, "rescue_rate": 0.0, "upcr_effect_sd": 0.0,
}  # fmt: skip
"""Nothing moves UPCR but the treatment."""

UGLY = {
    "no remission in either arm": STEADY | {"upcr_effect": 1.0},
    "all on hUC-MSC remit at the first visit, none on placebo": STEADY
    | {"upcr_effect": 0.05, "effect_half_life": 0.5, "infusion_not_given": 0.0, "dropout_early": 0.0},
    "a visit attended by no one, nor any other": {"visit_missed": 1.0},
    "everyone leaves before the first visit": {"dropout_early": 1.0},
    "hardly anyone stays": {"dropout": 0.99, "sample_missing": 0.5},
    "every baseline below the threshold, all values below quantification": STEADY
    | {"upcr_level": 0.1, "upcr_log_sd": 0.0, "upcr_limit": 0.19, "max_screened": 200000},
    "one child in each arm": {"n_randomised": 2, "block_sizes": [2]},
    "no infusion given": {"infusion_not_given": 1.0},
}


def words(outputs) -> str:
    """What a reader sees of captured outputs, as text."""
    shown = []
    for output in outputs:
        data = output.data
        shown.append(re.sub(r"<[^>]+>", " ", data.get("text/html") or data.get("text/markdown") or ""))
    return "\n".join(shown)


WITHOUT_MANY = ("everyone leaves before the first visit",)
"""Many trials take half a minute; `test_operating` shows ugly answers."""


@pytest.mark.slow
@pytest.mark.parametrize("name", UGLY)
def test_every_chapter_builds_and_speaks(name, tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    content = {"description": f"{name}.", "n_randomised": 8} | UGLY[name]
    (tmp_path / "scenarios" / "ugly.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(scenario, "ROOT", tmp_path)
    monkeypatch.setattr(scenario, "DATA", tmp_path / "data")
    shell = InteractiveShell.instance()
    said = {}
    for chapter in CHAPTERS:
        if chapter.stem == "09-validation":
            continue  # it reads no parameter, and is built with the others
        if chapter.stem == "08-operating" and name in WITHOUT_MANY:
            continue
        shell.reset(new_session=True)
        notebook = json.loads((ROOT / "notebooks" / f"{chapter.stem}.ipynb").read_text("utf-8"))
        said[chapter.stem] = ""
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code":
                continue
            source = "".join(cell["source"])
            if "parameters" in cell["metadata"].get("tags", []):
                source = source.replace('scenario = "base"', 'scenario = "ugly"')
            with capture_output() as captured:
                done = shell.run_cell(source)
            problem = done.error_before_exec or done.error_in_exec
            assert problem is None, f"{chapter.stem}: {source[:80]}: {problem!r}"
            assert "Warning" not in captured.stderr, f"{chapter.stem}: {captured.stderr[-400:]}"
            said[chapter.stem] += words(captured.outputs)
    for stem, text in said.items():
        bare = re.findall(r"(?<![\w.])(?:nan|NaN|inf|None|NaT)(?![\w.])", text)
        assert not bare, f"{stem} shows {bare[:3]}: {text[max(0, text.find(bare[0]) - 200) :][:400]}"
    results = said["06-remission"] + said["07-time-to-remission"]
    assert re.search(r"not (estimable|reached|defined)|can(no|')t be|no child|nobody|none", results)
