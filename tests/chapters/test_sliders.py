"""The bench under the hand, without a browser: a control set is a slider moved."""

import json

import pytest

from helpers.chapters import side_by_side
from helpers.chapters.sliders import VIEW, Sliders
from helpers.design import side_by_side as pairs
from helpers.design.exploring import Bench
from helpers.study.parameters import Parameters


@pytest.fixture
def hand() -> Sliders:
    return Sliders(Bench(Parameters(), 24))


def test_a_moved_slider_changes_words_picture_and_numbers(hand):
    before = hand.words.value, hand.shown.value, hand.numbers.value
    hand.controls["upcr_effect"].value = 0.5
    after = hand.words.value, hand.shown.value, hand.numbers.value
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert "UPCR x 0.5" in hand.words.value
    assert 'alt="Example trial 0' in hand.shown.value
    hand.reset()
    assert (hand.words.value, hand.shown.value, hand.numbers.value) == before


def test_another_example_is_another_trial_of_the_same_move(hand):
    picture, numbers = hand.shown.value, hand.numbers.value
    hand.draw.click()
    assert hand.example == 1
    assert hand.shown.value != picture
    assert hand.numbers.value == numbers


def test_what_can_not_be_says_so_and_keeps_the_last(hand):
    picture = hand.shown.value
    hand.controls["dropout"].max = 2.0
    hand.controls["dropout"].value = 1.5
    assert "dropout: found" in hand.words.value
    assert hand.shown.value == picture


def test_an_odd_number_of_children_is_asked_as_the_next_even_one(hand):
    hand.controls["n_randomised"].max = 41
    hand.controls["n_randomised"].value = 41
    assert "here 42 in place of 41" in hand.words.value


def test_two_pins_are_laid_side_by_side_by_the_one_compare(hand, monkeypatch):
    asked = []
    real = pairs.compare
    monkeypatch.setattr(pairs, "compare", lambda *moves: asked.append(moves) or real(*moves))
    hand.pinning["A"].click()
    assert "Pinned A" in hand.pair.value
    hand.controls["dropout"].value = 0.4
    hand.pinning["B"].click()
    assert [move.p.dropout for move in asked[0]] == [0.1, 0.4]
    assert "What differs in the assumptions" in hand.pair.value
    assert side_by_side.shown(real(*asked[0])).exhibit("results").table() in hand.pair.value


def test_a_static_page_is_given_plain_words(hand):
    shown = hand._repr_mimebundle_()
    model = shown.pop(VIEW)["model_id"]
    assert model not in json.dumps(shown)
    assert shown["text/plain"].startswith("Here stand sliders, in JupyterLab")
