"""Parameters that contradict each other are refused in one message that names them."""

import itertools

import pytest
from pydantic import ValidationError

from helpers import Problem
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.study.scenario import load, scenarios

BAD = [
    ({"share_x_linked": 0.9}, ("share_x_linked", "share_digenic", "1.13")),
    ({"male_share": 0.95}, ("male_share", "share_x_linked")),
    ({"variant_uncertain": 0.5, "variant_none": 0.4, "variant_untested": 0.2}, ("variant_uncertain", "variant_none")),
    ({"age_min": 12.0, "age_max": 6.0}, ("age_min", "age_max")),
    ({"age_min": 6.0, "age_max": 6.0}, ("age_min", "age_max")),
    ({"age_mean": 2.0, "age_sd": 0.2, "age_min": 10.0}, ("age_mean", "age_sd", "age_min", "age_max")),
    ({"age_mean": 18.0, "age_sd": 0.2, "age_max": 5.0}, ("age_mean", "age_sd", "age_min", "age_max")),
    ({"upcr_noise_min": 0.5, "upcr_noise_max": 0.3}, ("upcr_noise_min", "upcr_noise_max")),
    ({"upcr_noise": 0.9}, ("upcr_noise 0.9", "upcr_noise_max")),
    ({"upcr_noise": 0.1}, ("upcr_noise 0.1", "upcr_noise_min")),
    ({"upcr_limit": 0.15, "remission_threshold": 0.1}, ("upcr_limit", "remission_threshold")),
    ({"remission_threshold": 3.0}, ("remission_threshold", "kdigo_upper")),
    ({"max_screened": 10, "n_randomised": 40}, ("n_randomised", "max_screened")),
    ({"block_sizes": (3,)}, ("block_sizes",)),
    ({"block_sizes": ()}, ("block_sizes",)),
    ({"infection_rate": 20.0, "infection_days_ill": 60.0}, ("infection_rate", "infection_days_ill", "infection_days")),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "named"), BAD, ids=[" ".join(changes) for changes, _ in BAD])
def test_contradicting_parameters_are_refused_in_one_line_that_names_them(changes, named):
    with pytest.raises(Problem) as caught:
        load("base", **changes)
    message = str(caught.value)
    assert "\n" not in message
    for word in named:
        assert word in message


def test_every_contradiction_is_told_at_once():
    with pytest.raises(ValidationError) as caught:
        Parameters(age_min=12.0, age_max=6.0, remission_threshold=3.0, block_sizes=(3,))
    for word in ("age_min", "kdigo_upper", "block_sizes"):
        assert word in str(caught.value)


NUMBERS = [n for n, f in Parameters.model_fields.items() if any(hasattr(m, "ge") for m in f.metadata)]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_value_beyond_its_range_is_refused_by_name(name):
    """Negative variances, shares above 1, half-lives of zero: each parameter's own range holds them off."""
    limits = {
        side: getattr(m, side)
        for m in Parameters.model_fields[name].metadata
        for side in ("ge", "le")
        if hasattr(m, side)
    }
    kind = Parameters.model_fields[name].annotation
    for edge, step in (("ge", -1), ("le", 1)):
        beyond = limits[edge]
        beyond = beyond.replace(year=beyond.year + step) if hasattr(beyond, "year") else kind(beyond + step)
        with pytest.raises(Problem) as caught:
            load("base", **{name: beyond})
        assert name in str(caught.value)


SPREADS = [n for n in NUMBERS if n.endswith(("_sd", "_cv", "_noise", "_half_life"))]


@pytest.mark.parametrize("name", SPREADS)
def test_no_spread_or_half_life_can_be_negative(name):
    assert next(m.ge for m in Parameters.model_fields[name].metadata if hasattr(m, "ge")) >= 0


def test_visit_windows_at_their_widest_leave_the_visits_in_order():
    width = {name: next(m.le for m in Parameters.model_fields[name].metadata if hasattr(m, "le"))
             for name in ("window_to_week_8", "window_to_month_6", "window_after_month_6")}  # fmt: skip
    ends = []
    for visit in VISITS:
        name = (
            "window_to_week_8"
            if visit.day <= 56
            else "window_to_month_6"
            if visit.day <= 183
            else "window_after_month_6"
        )
        ends.append((visit.day - width[name], visit.day + width[name]))
    for (_, before), (after, _) in itertools.pairwise(ends):
        assert before < after


WANTED = {
    "base", "no-effect", "strong-effect", "waning-effect", "responders", "high-noise", "high-dropout",
    "informative-dropout", "ras-started", "register", "eligibility-baseline", "modest-effect",
}  # fmt: skip


def test_the_scenarios_are_there_each_with_one_sentence_and_a_few_lines():
    assert set(scenarios()) >= WANTED
    for name in scenarios():
        study = load(name)
        assert study.description.endswith(".")
        assert study.description.count(". ") == 0
        changed = study.register().query("scenario != default")
        assert len(changed) <= 6, name
        assert len(changed) > 0 or name == "base"
