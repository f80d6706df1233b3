"""Two settings side by side: what is said stands where the numbers are, and each number with its error."""

import re

from helpers.chapters import side_by_side as chapter
from helpers.design import side_by_side
from helpers.design.exploring import Bench
from helpers.study.parameters import Parameters


def test_what_is_said_of_two_settings_stands_where_the_numbers_do():
    small = Bench(Parameters(n_randomised=2), 20).move()
    found = chapter.shown(side_by_side.compare(Bench(Parameters(), 20).move(), small))
    assert found.said["even"].startswith(" B: Many trials are asked of an even number of children, at least")
    assert found.said["even"].endswith("in place of 2.")
    assert (
        " These are 20 trials; chapter What this design can show asks 2,000 of a stored scenario"
        in found.said["more"]
    )
    assert re.fullmatch(r"\d+(\.\d)? % \([\d.]+ to [\d.]+\)", str(found.said["power_a"]))
    assumed = found.exhibit("assumptions")
    assert (assumed.n, assumed.caption) == (len(assumed.data), "")
