"""Examples of docstrings and of the page on own data run as they stand."""

import doctest
import importlib
import re

import pytest

from helpers import ROOT

FROM_NOTEBOOKS = {"derived", "editions", "studies", "signing"}
"""Their examples are lines of notebooks."""

MODULES = sorted({p.stem for p in (ROOT / "src/helpers/intake").glob("[a-z]*.py")} - FROM_NOTEBOOKS)
PAGE = ROOT / "docs" / "own-data.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name):
    module = importlib.import_module(f"helpers.intake.{name}")
    assert doctest.testmod(module).failed == 0


def test_examples_of_the_page_run_one_for_each_estimator():
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert found.attempted > 30
    assert found.failed == 0
    text = PAGE.read_text("utf-8")
    shown = set(re.findall(r"from helpers\.estimators import ([\w, ]+)", text))
    named = {name.strip() for some in shown for name in some.split(",")}
    public = {p.stem for p in (ROOT / "src/helpers/estimators").glob("[a-z]*.py")}
    # what serves many trials at once, or the others, needs no page of its own
    inner = {"arguments", "batched_mixed", "batched_slopes", "batches", "loops", "reml", "slopes"}
    assert named == public - inner
