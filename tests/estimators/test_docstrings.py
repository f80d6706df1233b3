"""Whoever reaches for an estimator finds what goes in, what comes out, what is refused, whence, and an example."""

import dataclasses
import doctest
import importlib
import inspect
import re

import pytest

from helpers import ROOT

NAMES = sorted(path.stem for path in (ROOT / "src/helpers/estimators").glob("[a-z]*.py"))
MODULES = {name: importlib.import_module(f"helpers.estimators.{name}") for name in NAMES}
PUBLIC = {
    f"{module}.{name}": value
    for module, found in MODULES.items()
    for name, value in vars(found).items()
    if not name.startswith("_") and getattr(value, "__module__", "") == found.__name__
    if inspect.isfunction(value) or inspect.isclass(value)
}
FUNCTIONS = [name for name, value in PUBLIC.items() if inspect.isfunction(value)]
CLASSES = [name for name, value in PUBLIC.items() if inspect.isclass(value)]
METHODS = {
    f"{name}.{method}": value
    for name in CLASSES
    for method, value in vars(PUBLIC[name]).items()
    if not method.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
}


def sections(value) -> dict[str, str]:
    """The numpydoc sections of a docstring: {title: text}; the summary stands under the empty title."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-+$", inspect.getdoc(value) or "", flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def described(text: str) -> set[str]:
    """Names that a section describes; `a, b : type` describes two."""
    heads = re.findall(r"^(\*{0,2}\w+(?:, \w+)*)(?: :.*)?$", text, flags=re.MULTILINE)
    return {name.lstrip("*") for head in heads for name in head.split(", ")}


def test_the_room_is_seen():
    assert {"boschloo", "rmst", "mmrm", "impute"} <= {name.split(".")[1] for name in FUNCTIONS}
    assert {"tipping.Arm", "imputation.Assumption", "reml.Data"} <= set(CLASSES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_goes_in_and_out_and_whence(name):
    function = PUBLIC[name]
    found = sections(function)
    assert found[""].split("\n")[0].rstrip().endswith("."), "the first line is a sentence"
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert section in found, section
    assert found.keys() & {"References", "Notes"}
    assert described(found["Parameters"]) == set(inspect.signature(function).parameters)
    assert ">>>" in found["Examples"]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_says_what_it_holds(name):
    kind = PUBLIC[name]
    found = sections(kind)
    assert found.keys() & {"Parameters", "Attributes"}
    assert ">>>" in found["Examples"]
    if dataclasses.is_dataclass(kind):
        fields = {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")}
        assert described(found["Attributes"]) == fields
    elif "Parameters" in found:
        assert described(found["Parameters"]) == set(inspect.signature(kind).parameters)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_does(name):
    """By its own words or, where it fills in what a base class declares, by those of the base class."""
    if not name.startswith("imputation.Analysed."):
        assert inspect.getdoc(METHODS[name])


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name):
    runner = doctest.DocTestRunner(verbose=False)
    examples = [found for found in doctest.DocTestFinder().find(MODULES[name]) if found.examples]
    said: list[str] = []
    for found in examples:
        runner.run(found, out=said.append)
    assert not runner.failures, "".join(said)
    assert runner.tries > 0


def test_examples_print_few_digits():
    """Last bits differ between processors: no example shows more than four decimals."""
    for name in NAMES:
        for found in doctest.DocTestFinder().find(MODULES[name]):
            for example in found.examples:
                assert not re.search(r"\d\.\d{5,}", example.want), f"{found.name}: {example.want}"
