"""The printed model is the model: every generative parameter stands in it, with its value in force."""

import ast

import pytest

from helpers import ROOT
from helpers.study.parameters import Parameters
from helpers.study.scenario import load, scenarios
from helpers.trial import components
from helpers.trial.components import COMPONENTS, GENERATIVE

FIELDS = {name: field.json_schema_extra for name, field in Parameters.model_fields.items()}
NAMED = [name for component in COMPONENTS for name in component.parameters]


def test_every_parameter_that_makes_children_stands_in_a_component():
    generative = {name for name, extra in FIELDS.items() if extra["group"] in GENERATIVE}
    assert generative - set(NAMED) == set()


def test_every_component_names_real_parameters_and_each_once():
    assert set(NAMED) <= set(FIELDS)
    names = [component.name for component in COMPONENTS]
    assert len(set(names)) == len(names)
    for component in COMPONENTS:
        assert component.parameters
        assert len(set(component.parameters)) == len(component.parameters)


def test_each_listed_parameter_is_read_by_the_code_that_simulates():
    """A parameter that no line of `trial` (or the schema's own arithmetic) reads would be printed for nothing."""
    read = set()
    for path in [*(ROOT / "src/helpers/trial").glob("*.py"), ROOT / "src/helpers/study/parameters.py"]:
        if path.stem != "components":
            tree = ast.parse(path.read_text("utf-8"))
            read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    # the largest share is what the others leave, so its value is checked, not read
    assert set(NAMED) - read == {"share_digenic"}


@pytest.mark.parametrize("scenario", scenarios())
def test_the_table_prints_values_in_force_with_unit_and_source(scenario):
    p = load(scenario).parameters
    frame = components.table(p)
    assert len(frame) == len(COMPONENTS)
    for row, component in zip(frame.itertuples(), COMPONENTS, strict=True):
        for name in component.parameters:
            extra = FIELDS[name]
            said = f"{name} = {getattr(p, name):g}" + (f" {extra['unit']}" if extra["unit"] else "")
            assert said in row.parameters.split("; ")
            assert extra["source"] in row.source
    clinic = components.table(p, components.CLINIC)
    assert 0 < len(clinic) < len(frame)
    assert set(clinic["part"]) == {components.CLINIC}
