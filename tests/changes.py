"""A changed value for every parameter: that of `trial/test_every_parameter.py`, with the settings that it needs."""

import importlib.util
from functools import cache
from pathlib import Path


@cache
def rows() -> dict:
    """The rows of that file, which is no module of a package."""
    path = Path(__file__).parent / "trial" / "test_every_parameter.py"
    spec = importlib.util.spec_from_file_location("every_parameter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ROWS


def changed(name: str) -> dict:
    """Names and values to be set where a parameter is changed."""
    value, _, _, setting, *also = rows()[name]
    return {**setting, **(also[0] if also else {}), name: value}
