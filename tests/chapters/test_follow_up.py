"""Chapter 03: what is said of the conduct, against plain counts of the small trial; the step that simulates it."""

from dataclasses import replace

import pandas as pd
import pytest

from helpers import Problem, figures
from helpers.analysis import follow_up
from helpers.chapters import follow_up as chapter
from helpers.design import behind_the_data
from helpers.study import scenario
from helpers.study.protocol import ARMS
from helpers.study.shown import rounded
from helpers.trial import run


@pytest.fixture(scope="module")
def arm(small):
    return small.raw.randomisation.set_index("usubjid")["arm"]


def share(n, N):
    return f"{n}/{N} ({rounded(100 * n / N, 1)} %)"


def of(arm, name, children):
    """n/N (%) of the children of an arm who are in `children`."""
    mine = set(arm.index[arm == name])
    return share(len(mine & set(children)), len(mine))


def test_the_sentence(small):
    raw, said = small.raw, chapter.totals(follow_up.totals(small.raw))
    later = raw.visits[raw.visits["visit_no"] > 1]
    assert {name: str(result) for name, result in said.items()} == {
        "randomised": "16",
        "placebo": "8",
        "msc": "8",
        "left": share((raw.disposition["status"] == "left").sum(), 16),
        "attended": share((later["attended"] == "yes").sum(), 16 * 11),
        "given": share(raw.infusions["date"].notna().sum(), 32),
    }


def test_blocks_in_letters(small):
    exhibit = chapter.randomisation(follow_up.blocks(small.raw), small.study.parameters)
    letters = " ".join(exhibit.data["sequence"]).split()
    arms = small.raw.randomisation.sort_values("sequence")["arm"]
    assert letters == ["P" if name == "Placebo" else "M" for name in arms]
    assert exhibit.n == "8 v 8"


def test_recruitment_in_months(small):
    exhibit = chapter.recruitment(follow_up.recruitment(small.raw, small.adie))
    days = small.raw.randomisation["randomisation_date"].max() - small.screening["consent_date"].min()
    (months,) = exhibit.results
    assert months.value == pytest.approx(days.days / 30.4375)
    assert exhibit.data.iloc[-1, 1:].tolist() == [len(small.screening), 16, 16]
    assert (
        f"{len(small.screening)} children screened and 16 randomised within {rounded(months.value)}"
        in exhibit.alt
    )


def test_recruitment_ends_with_the_last_randomised_not_with_the_last_screened(small):
    late = small.raw.screening.copy()
    late.loc[0, "consent_date"] = small.raw.randomisation["randomisation_date"].max() + pd.Timedelta(99, "D")
    (months,) = chapter.recruitment(
        follow_up.recruitment(replace(small.raw, screening=late), small.adie)
    ).results
    last = small.raw.randomisation["randomisation_date"].max() - late["consent_date"].min()
    assert months.value == pytest.approx(last.days / 30.4375)


def test_the_swimmer_says_what_it_draws(small, monkeypatch):
    drawn = {}
    real = figures.swimmer
    monkeypatch.setattr(
        figures, "swimmer", lambda lanes, marks: drawn.update(order=list(lanes["end"])) or real(lanes, marks)
    )
    raw = small.raw
    exhibit = chapter.swimmer(follow_up.lanes(raw), follow_up.marks(raw))
    left = (raw.disposition["status"] == "left").sum()
    missed = (raw.visits["reason"] == "missed").sum()
    given = (raw.infusions["given"] == "yes").sum()
    assert exhibit.alt == (
        f"One lane for each of 16 children; {left} left before month 12, {missed} visits were missed, "
        f"{given} infusions given, {len(raw.events)} adverse events began."
    )
    assert drawn["order"] == sorted(drawn["order"], reverse=True)
    assert exhibit.data.groupby("child")["arm"].first().to_dict() == dict(
        zip(raw.randomisation["usubjid"], raw.randomisation["arm"], strict=True)
    )


def test_treatment_by_arm(small, arm):
    raw = small.raw
    data = chapter.treatment(follow_up.treatment(raw)).data.set_index("item")
    given = raw.infusions[raw.infusions["given"] == "yes"].groupby("usubjid").size()
    changes = raw.treatments.set_index("usubjid")["treatment"]
    expected = {
        "Both infusions": given.index[given == 2],
        "One infusion only": given.index[given == 1],
        "On RAS inhibition at consent": small.screening.query("ras_inhibitor == 'yes'")["usubjid"],
        "RAS inhibition started or raised later": changes.index[changes == "RAS inhibitor"],
        "Rescue treatment": changes.index[changes == "rescue"],
    }
    for label, children in expected.items():
        assert data.loc[label].tolist() == [of(arm, name, children) for name in ARMS], label


def test_attendance_by_visit_and_arm(small, arm):
    exhibit = chapter.attendance(follow_up.attendance(small.raw))
    data = exhibit.data.set_index("visit")
    visits = small.raw.visits.assign(arm=small.raw.visits["usubjid"].map(arm))
    upcr = small.raw.labs[small.raw.labs["test"] == "upcr"]
    upcr = upcr.assign(arm=upcr["usubjid"].map(arm)).groupby(["visit_no", "arm"]).size()
    for (number, visit, name), part in visits[visits["visit_no"] >= 2].groupby(["visit_no", "visit", "arm"]):
        reasons = part["reason"].value_counts()
        row = data.loc[visit]
        assert row[f"{name}_attended"] == share((part["attended"] == "yes").sum(), 8)
        assert row[f"{name}_missed"] == reasons.get("missed", 0)
        assert row[f"{name}_left"] == reasons.get("left the trial", 0)
        assert row[f"{name}_upcr"] == upcr.get((number, name), 0)
    assert exhibit.columns["hUC-MSC_left"] == "hUC-MSC: left before"
    assert exhibit.n == "8 v 8"


def test_disposition_by_arm(small, arm):
    data = chapter.disposition(follow_up.disposition(small.raw)).data.set_index("item")
    end = small.raw.disposition.set_index("usubjid")
    assert data.loc["Followed to month 12"].tolist() == [
        of(arm, name, end.index[end["status"] == "completed"]) for name in ARMS
    ]
    for reason in end["reason"].dropna().unique():
        expected = [of(arm, name, end.index[end["reason"] == reason]) for name in ARMS]
        assert data.loc[f"  {reason}"].tolist() == expected


def test_events_as_recorded_by_arm(small, arm):
    exhibit = chapter.adverse_events(follow_up.adverse_events(small.raw))
    data = exhibit.data.set_index("event")
    events = small.raw.events
    for label, part in (
        ("Any", events),
        ("Fever", events[events["event"] == "fever"]),
        ("Infection", events[events["event"] == "infection"]),
        ("Serious", events[events["serious"] == "yes"]),
        ("Within 24 h of an infusion", events[events["within_24h"] == "yes"]),
    ):
        for name in ARMS:
            assert data.loc[label, f"{name}_children"] == of(arm, name, part["usubjid"])
            assert data.loc[label, f"{name}_events"] == (part["usubjid"].map(arm) == name).sum()
        assert exhibit.columns[f"{name}_events"] == f"{name}: events"


def test_missing_values_by_arm(small, arm):
    values = behind_the_data.missing_values(small.unmeasured, small.raw.randomisation, small.raw.visits)
    data = chapter.missing(values, follow_up.totals(small.raw)).data.set_index("item")
    lost = small.unmeasured[small.unmeasured["test"] == "rbc"]
    for reason, part in lost.groupby("reason"):
        of_arm = part["usubjid"].map(arm)
        planned = small.raw.visits["usubjid"].map(arm)
        expected = [share((of_arm == name).sum(), (planned == name).sum()) for name in ARMS]
        assert data.loc[f"Urine red cells: {reason}"].tolist() == expected
    assert list(dict.fromkeys(item.split(":")[0] for item in data.index)) == [
        "UPCR",
        "Urine red cells",
        "Creatinine",
        "24-hour protein",
    ]
    nothing = chapter.missing(values.iloc[:0], follow_up.totals(small.raw))
    assert (len(nothing.data), nothing.n) == (0, "8 v 8")


def test_the_truth_beside_the_data(small):
    exhibit = chapter.truth(behind_the_data.true_effects(small.latent, small.study.parameters))
    assert exhibit.n == "8 v 8"
    assert exhibit.data["declared"].tolist() == [1.0, small.study.parameters.upcr_effect]
    assert "not estimates" in exhibit.method


# ------------------------------------------------------------------ the step that simulates it


def test_simulated_follow_up_needs_the_simulated_children(small, monkeypatch, tmp_path):
    monkeypatch.setattr(scenario, "DATA", tmp_path)
    study = small.study
    study.write("screening", small.screening)
    first = small.raw.randomisation["usubjid"].iloc[0]
    other = small.adie.copy()
    other.loc[other["USUBJID"].eq(first) & other["IETESTCD"].eq("I8"), "AVALC"] = "NOT MET"
    study.write("adie", other)
    with pytest.raises(Problem, match="names other eligible children"):
        run.follow_up(study)
    study.write("adie", small.adie)
    tables, _, _ = run.follow_up(study)
    assert tables["visits"].equals(small.raw.visits)
    assert {path.name for path in (study.folder / "truth").iterdir()} == {"children.csv", "missing.csv"}
