"""The plan that many trials are asked of: a study's own, with an even number of children, at least six.

A smaller trial of `operating` is the first children of a larger one, arms as the blocks give them, and its closed forms
take two halves: it asks even numbers. The closed form of ANCOVA (`beside_exact`) needs more than four children. One
trial of the register may have any number from 2; so the next even number is asked in its place, and
`chapters.operating.even_text` says so.
"""

from typing import Any

from helpers.study.parameters import Parameters
from helpers.study.recording import plain
from helpers.study.scenario import validate

FEWEST = 6
"""Children of the smallest trial that is asked."""


def children(n: int) -> int:
    """The number of children that is asked in place of n: the next even one, at least `FEWEST`.

    >>> children(40), children(41), children(2)
    (40, 42, 6)
    """
    return max(FEWEST, n + n % 2)


def of(p: Parameters, **changes: Any) -> Parameters:
    """The plan that is asked, with changes to any parameters by their names.

    Parameters
    ----------
    p : Parameters
        Of a study.
    **changes
        Parameter -> value.

    Returns
    -------
    Parameters
        The same, with the changes, and `children` in place of n_randomised.

    Raises
    ------
    Problem
        All that is wrong with the changes.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> p = asked_plan.of(study.parameters)
    """
    found = p
    if changes:
        asked = validate({**plain(p), **changes}, "the changed plan")
        found = p.model_copy(update={name: getattr(asked, name) for name in changes})
    return found.model_copy(update={"n_randomised": children(found.n_randomised)})
