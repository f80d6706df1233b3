"""The first cell of a chapter, as the reader left it: which names it sets, and whether they are parameters.

The cell `scenario = "base"` with a line a parameter is what a reader edits, and a name that nobody reads would be
passed over in silence: Python does not mind `remision_fall = 0.3`, and Papermill only warns. So `load` compares the
cells that set parameters with the register: the last one run that sets `scenario`, and the one that Papermill puts
after it. What is in the register counts even where the chapter does not pass it on.
"""

import ast
from collections.abc import Iterable, Mapping
from typing import Any

INJECTED = "# Parameters"
"""First line of the cell that Papermill adds below the first."""


def assigned(history: Iterable[str]) -> set[str]:
    """Names set by the cells of parameters in a notebook's history of executed cells; empty where there is none."""
    found: set[str] = set()
    for text in history:
        try:
            body = ast.parse(text).body
        except SyntaxError:
            continue
        targets = [node.targets for node in body if isinstance(node, ast.Assign)]
        names = {one.id for group in targets for one in group if isinstance(one, ast.Name)}
        names |= {
            node.target.id
            for node in body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        if text.lstrip().startswith(INJECTED):
            found = found | names
        elif "scenario" in names:
            found = names
    return found - {"scenario"}


def passed_on(changes: Mapping[str, Any], space: Mapping[str, Any]) -> set[str]:
    """Names of the first cell of the notebook whose names are `space`, where `changes` is that cell passed on.

    Empty where `changes` are another question's: `load(scenario, dropout=0.3)` further down is no chapter's call.
    """
    history = space.get("In")
    if not isinstance(history, list) or not changes:
        return set()
    names = assigned(text for text in history if isinstance(text, str))
    own = all(name in space and space[name] is value for name, value in changes.items())
    return names if own and names & set(changes) else set()
