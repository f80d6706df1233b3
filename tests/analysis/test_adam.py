"""ADaM tables: hand-made children with the answer written by hand, and consistency on simulated trials."""

import numpy as np
import pandas as pd
import pytest

from helpers import Problem
from helpers.analysis import adam
from helpers.study import tables
from helpers.study.codebook import DIPSTICK, TABLES, UNITS
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.trial import conduct, record

MONTH = 30.4375
TARGET = {0: -28, 1: -21, **{v.number: v.day for v in VISITS}}
NAMES = {0: "Screening", 1: "Baseline", **{v.number: v.name for v in VISITS}}
ZERO = pd.Timestamp("2025-03-15")
"""Planned day of the last infusion; consent 28, randomisation 21 and the first infusion 14 days before it."""
BIRTH = pd.Timestamp("2015-02-15")


def day(number: float | None) -> pd.Timestamp:
    return pd.NaT if number is None else ZERO + pd.Timedelta(number, "D")


CHECKED: dict[tuple[str, str], pd.DataFrame] = {}
"""Tables that were checked before, by name and text: many children share all but one of theirs."""


def table(name: str, rows: list[dict]) -> pd.DataFrame:
    """Rows as a checked table of the codebook; what a row does not say is empty."""
    frame = {}
    for column in TABLES[name].columns:
        values = [row.get(column.name) for row in rows]
        kind = {"date": "datetime64[ns]", "text": object}.get(column.kind, float)
        frame[column.name] = pd.Series(values, dtype=kind)
    made = pd.DataFrame(frame)
    key = name, made.to_csv()
    if key not in CHECKED:
        CHECKED[key] = tables.check(name, made)
    return CHECKED[key].copy()


def site(**children) -> adam.Raw:
    """Raw tables of hand-made children, name = what happened to them, arms in turn, placebo first.

    upcr, creatinine, ...: {visit number: value}; beyond: {(test, visit number): "<" or ">"}; given:
    infusions given; products: of the two infusions, else those of the arm; rescue, ras: day of the change, or days;
    left: day of leaving; ended: day of the last contact of who stayed; shift: {visit number: actual minus target day};
    events: [(day, event)] or [(day, event, {column: value})]; sex. Height and weight are measured at every attended
    visit.
    """
    rows = {name: [] for name in adam.Raw.__dataclass_fields__}
    for k, (child, story) in enumerate(children.items()):
        who = {"usubjid": child}
        left, given = story.get("left"), story.get("given", (True, True))
        arm = ("Placebo", "hUC-MSC")[k % 2]
        measured = {"height": 140.0, "weight": 35.0}
        taken = {test: story.get(test, {}).get(0, measured.get(test)) for test in UNITS}
        if taken["dipstick"] is not None:
            taken["dipstick"] = DIPSTICK[taken["dipstick"]]
        rows["screening"].append(
            {**who, **taken, "consent_date": day(-28), "birth_date": BIRTH,
             "sex": story.get("sex", "male"),
             "genotype": "X-linked", "variant": "pathogenic", "biopsy": "not done", "ras_inhibitor": "yes",
             "ras_since": pd.Timestamp("2024-02-15")}
        )  # fmt: skip
        rows["randomisation"].append(
            {**who, "randomisation_date": day(-21), "sequence": k + 1, "block": 1, "arm": arm}
        )
        products = story.get("products", (arm, arm))
        for number, planned, done, product in zip((1, 2), (-14, 0), given, products, strict=True):
            rows["infusions"].append(
                {**who, "infusion": number, "planned_date": day(planned), "date": day(planned if done else None),
                 "given": "yes" if done else "no", "product": product if done else None,
                 "cells": {"Placebo": 0.0, "hUC-MSC": 7e7}[product] if done else None}
            )  # fmt: skip
        shift = story.get("shift", {})
        for number, target in TARGET.items():
            seen = left is None or target <= left
            actual = target + shift.get(number, 0)
            rows["visits"].append(
                {**who, "visit_no": number, "visit": NAMES[number], "planned_date": day(target),
                 "date": day(actual if seen else None), "attended": "yes" if seen else "no"}
            )  # fmt: skip
            for test in UNITS if seen else ():
                value = story.get(test, {}).get(number, measured.get(test))
                if value is not None:
                    rows["labs"].append(
                        {**who, "visit_no": number, "date": day(actual), "test": test, "value": value,
                         "unit": UNITS[test], "qualifier": story.get("beyond", {}).get((test, number))}
                    )  # fmt: skip
        for treatment, key in (("rescue", "rescue"), ("RAS inhibitor", "ras")):
            for change in np.atleast_1d(story.get(key, [])):
                rows["treatments"].append(
                    {**who, "date": day(change), "treatment": treatment, "change": "started"}
                )
        for number, (start, event, *more) in enumerate(story.get("events", []), start=1):
            rows["events"].append(
                {**who, "event_no": number, "event": event, "term": f"some {event}", "start_date": day(start),
                 "end_date": day(start + 2), "severity": "mild", "serious": "no", "related": "no",
                 "within_24h": "no", **(more[0] if more else {})}
            )  # fmt: skip
        rows["disposition"].append(
            {**who, "status": "completed" if left is None else "left",
             "date": day(story.get("ended", 365) if left is None else left),
             "reason": None if left is None else "moved away"}
        )  # fmt: skip
    return adam.Raw(**{name: table(name, found) for name, found in rows.items()})


def path(*values: float) -> dict[int, float]:
    """Values at week 2, week 4, ...; None = not attended."""
    return {v.number: x for v, x in zip(VISITS, values, strict=False) if x is not None}


FLAT = path(*[0.9] * 11)
STORIES = {
    "remits": {"upcr": {0: 1.0, **path(0.4, 0.4, 0.4, *[0.9] * 8)}, "shift": {2: 3}},
    "never": {"upcr": {0: 1.0, **FLAT}},
    "low baseline": {"upcr": {0: 0.19, **path(*[0.05] * 11)}},
    "leaves at once": {"upcr": {0: 1.0}, "left": 5},
    "rescued": {"upcr": {0: 1.0, **path(*[0.9] * 4, *[0.3] * 7)}, "rescue": 100, "ras": 30},
    "second infusion only": {"upcr": {0: 1.0, **path(*[0.1] * 11)}, "given": (False, True)},
    "no infusion": {"upcr": {0: 1.0, **FLAT}, "given": (False, False)},
    "no baseline": {"upcr": path(*[0.1] * 11)},
    "leaves later": {"upcr": {0: 1.0, **path(0.9, 0.9, None, 0.9)}, "left": 80},
    "at month 12": {"upcr": {0: 1.0, **path(*[0.9] * 10, 0.19)}},
}


@pytest.fixture(scope="module")
def hand():
    made = adam.Adam(site(**STORIES), Parameters())
    return {
        "adsl": tables.check("adsl", made.adsl()).set_index("USUBJID"),
        "adlb": tables.check("adlb", made.adlb()),
        "adtte": tables.check("adtte", made.adtte()).set_index(["USUBJID", "PARAMCD"]),
        "adam": made,
    }


WEEK2, WEEK4, WEEK8, MONTH3, MONTH10, YEAR = 14, 28, 56, 91, 304, 365
NAN = np.nan


@pytest.mark.parametrize(
    ("child", "code", "cnsr", "aval", "left", "right"),
    [
        ("remits", "UPCRF", 0, WEEK2, -14, WEEK2),
        ("remits", "UPCRC", 0, WEEK2, -14, WEEK2),
        ("remits", "UPCRS", 1, MONTH10, MONTH10, NAN),  # sustained from month 12 on would be one visit
        ("never", "UPCRF", 1, YEAR, YEAR, NAN),
        ("low baseline", "UPCRC", 2, 0, -14, NAN),
        ("leaves at once", "UPCRC", 1, 0, -14, NAN),
        ("rescued", "UPCRF", 0, MONTH3, WEEK8, MONTH3),
        ("rescued", "UPCRC", 1, MONTH10, MONTH10, NAN),
        ("second infusion only", "UPCRC", 0, WEEK2, 0, WEEK2),
        ("no infusion", "UPCRC", 1, MONTH10, MONTH10, NAN),
        ("no baseline", "UPCRC", 2, 0, -14, NAN),
        ("leaves later", "UPCRF", 1, WEEK8, WEEK8, NAN),
        (
            "leaves later",
            "UPCRC",
            1,
            WEEK4,
            WEEK4,
            NAN,
        ),  # weeks 2, 4 and 8: from week 4 on, week 8 is 28 days later
        ("leaves later", "UPCRS", 1, 42, WEEK4, NAN),  # week 6 was missed: two visits from it on would be one
        ("at month 12", "UPCRF", 0, YEAR, 304, YEAR),
        ("at month 12", "UPCRC", 1, MONTH10, MONTH10, NAN),
    ],
)
def test_time_to_remission_by_hand(hand, child, code, cnsr, aval, left, right):
    row = hand["adtte"].loc[(child, code)]
    found = [row["CNSR"], row["AVAL"] * MONTH, row["LMONTH"] * MONTH, row["RMONTH"] * MONTH]
    assert found == pytest.approx([cnsr, aval, left, right], nan_ok=True)
    assert row["ANL01FL"] == ("N" if cnsr == 2 else "Y")


@pytest.mark.parametrize(
    ("child", "code", "month"),
    [
        ("remits", "UPCRC", 42),  # weeks 2, 4 and 6: week 6 confirms
        ("leaves later", "UPCRC", WEEK8),  # censored where it was seen last
        ("never", "UPCRC", YEAR),
        ("leaves at once", "UPCRC", 0),
        ("remits", "UPCRF", WEEK2),
    ],
)
def test_the_confirming_visit_dates_it_otherwise(hand, child, code, month):
    assert hand["adtte"].loc[(child, code), "CNFMONTH"] * MONTH == pytest.approx(month)


def test_events_can_begin_up_to_the_horizon(hand):
    found = hand["adtte"].reset_index().groupby("PARAMCD")["HORIZON"].unique().map(lambda x: x.tolist())
    days = {
        "F": YEAR,
        "C": MONTH10,
        "S": MONTH10,
        "A": MONTH10 - 14,
    }  # 14: half-width of the window of month 10
    for code, values in found.items():
        assert np.array(values) * MONTH == pytest.approx([days[code[-1]]])


def test_actual_days_decide_anew_what_confirms():
    """Week 2 on day 17 and week 6 on day 42 are 25 days apart: week 8 must confirm, and doesn't in `b`."""
    shift = {2: 3}
    made = adam.Adam(
        site(
            a={"upcr": {0: 1.0, **path(0.4, 0.4, 0.4, 0.4)}, "shift": shift},
            b={"upcr": {0: 1.0, **path(0.4, 0.4, 0.4, 0.9)}, "shift": shift},
        ),
        Parameters(),
    )
    rows = made.adtte().set_index(["USUBJID", "PARAMCD"])
    assert rows.loc[("a", "UPCRC"), "CNSR"] == rows.loc[("b", "UPCRC"), "CNSR"] == 0
    assert rows.loc[("a", "UPCRA"), "ACTMONTH"] * MONTH == pytest.approx(17)
    assert rows.loc[("b", "UPCRA"), "CNSR"] == 1
    # at risk to week 4, 28 days before week 8
    assert rows.loc[("b", "UPCRA"), "ACTMONTH"] * MONTH == pytest.approx(WEEK4)


def test_actual_days_and_dates_by_hand(hand):
    """Week 2 seen three days late: analysis time is the target's, the actual day is kept."""
    row = hand["adtte"].loc[("remits", "UPCRC")]
    assert row["ADT"] == day(17)
    assert row["ACTMONTH"] * MONTH == pytest.approx(17)
    assert row["AVAL"] * MONTH == pytest.approx(14)
    assert row["STARTDT"] == ZERO
    lab = hand["adlb"][(hand["adlb"]["USUBJID"] == "remits") & (hand["adlb"]["AVISIT"] == "Week 2")].iloc[0]
    assert lab["ADY"] == 17
    assert lab["MONTH"] * MONTH == pytest.approx(14)


@pytest.mark.parametrize(("child", "months"), [("leaves at once", 5), ("leaves later", 80), ("never", 365)])
def test_censoring_at_the_end_of_observation_is_kept_beside(hand, child, months):
    assert hand["adtte"].loc[(child, "UPCRC"), "EOSMONTH"] * MONTH == pytest.approx(months)


def test_observation_ends_with_the_plan_where_the_last_contact_was_later():
    """A last visit on day 371, of day 365: time at risk is the plan's twelve months."""
    made = adam.Adam(
        site(a={"upcr": {0: 1.0, **path(0.9)}, "ended": 371, "shift": {12: 6}}, b={}), Parameters()
    )
    row = made.adtte().set_index(["USUBJID", "PARAMCD"]).loc[("a", "UPCRC")]
    # a single visit: nothing could be confirmed
    assert [row["AVAL"] * MONTH, row["EOSMONTH"] * MONTH] == pytest.approx([0, 365])
    assert made.adsl()["EOSDT"].iloc[0] == day(371)


def changed(
    change: str, ratio: float | None = None, treatment: str = "RAS inhibitor", p: Parameters | None = None
):
    """ADSL of a child to whom this change of treatment happened on day 30."""
    raw = site(a={"upcr": {0: 1.0, **FLAT}, "ras": 30}, b={})
    raw.treatments["change"], raw.treatments["dose_ratio"] = change, np.nan if ratio is None else ratio
    raw.treatments["treatment"] = treatment
    return adam.Adam(raw, p or Parameters()).adsl().set_index("USUBJID").loc["a"]


@pytest.mark.parametrize(
    ("change", "ratio", "column"),
    [
        ("started", None, "RASCHDT"),  # in a child without it, a second agent, another class
        ("raised", None, "RASCHDT"),
        ("raised", 1.26, "RASCHDT"),
        ("raised", 1.25, None),  # not more than a quarter: it may follow growth
        ("raised", 1.0, None),
        ("lowered", 0.5, "RASSTDT"),
        ("stopped", None, "RASSTDT"),
    ],
)
def test_what_counts_as_a_change_of_ras_inhibition(change, ratio, column):
    row = changed(change, ratio)
    for name in ("RASCHDT", "RASSTDT"):
        assert row[name] == day(30) if name == column else pd.isna(row[name])
    assert pd.isna(row["NOREMDT"])
    assert row["PPROTFL"] == "Y"


def test_the_ratio_that_counts_is_the_plans():
    assert pd.isna(changed("raised", 1.5, p=Parameters(ras_raise_from=1.6))["RASCHDT"])
    assert changed("started", treatment="rescue")["NOREMDT"] == day(30)


@pytest.mark.parametrize(
    ("reason", "none_after"),
    [
        ("death", 80),
        ("kidney replacement", 80),
        ("consent withdrawn for harm", 80),
        ("moved away", None),
        ("adverse event", None),
    ],
)
def test_ways_out_after_which_there_is_no_remission(reason, none_after):
    """Seen without remission to week 8, then gone: known to have none, or only not seen."""
    raw = site(a={"upcr": {0: 1.0, **path(0.9, 0.9, 0.9, 0.9)}, "left": 80}, b={})
    raw.disposition.loc[raw.disposition["usubjid"] == "a", "reason"] = reason
    made = adam.Adam(raw, Parameters())
    row = made.adsl().set_index("USUBJID").loc["a"]
    assert row["NOREMDT"] == day(none_after) if none_after else pd.isna(row["NOREMDT"])
    state = made.endpoints["UPCR"].state[0].tolist()
    assert state == [0] * 4 + [0 if none_after else -1] * 7
    # at risk to the end, without the event
    assert made.adtte().set_index(["USUBJID", "PARAMCD"]).loc[
        ("a", "UPCRC"), "AVAL"
    ] * MONTH == pytest.approx(MONTH10 if none_after else WEEK4)


def test_the_first_of_two_rescues_counts():
    """UPCR falls from week 8 to month 4, between the rescues of days 40 and 300, is none of the treatment's."""
    upcr = {0: 1.0, **path(0.9, 0.9, 0.9, 0.4, 0.4, 0.4)}
    made = adam.Adam(site(a={"upcr": upcr, "rescue": [300, 40], "ras": [9, 8]}, b={}), Parameters())
    adsl = made.adsl()
    assert [adsl["RESCDT"].iloc[0], adsl["RASCHDT"].iloc[0]] == [day(40), day(8)]
    assert codes(made, "UPCR")[0][0] == 1


def test_treatment_received_is_the_product_given_and_of_both_the_cells():
    own, other, both = ("Placebo", "Placebo"), ("hUC-MSC", "hUC-MSC"), ("hUC-MSC", "Placebo")
    made = adam.Adam(
        site(
            a={"products": own}, b={"products": own}, c={"products": other}, d={"products": other},
            e={"products": both}, f={"products": both[::-1]},
            g={"products": other, "given": (True, False)}, h={"products": both, "given": (False, True)},
        ),
        Parameters(), own=True,  # a real trial's mistakes: a simulated one makes none
    )  # fmt: skip
    adsl = tables.check("adsl", made.adsl())
    assert adsl["TRT01P"].tolist() == ["Placebo", "hUC-MSC"] * 4
    received = ["Placebo", "Placebo", *["hUC-MSC"] * 5, "Placebo"]
    assert adsl["TRT01A"].tolist() == received
    assert adsl["TRT01AN"].tolist() == [float(arm == "hUC-MSC") for arm in received]


def test_flags_by_hand(hand):
    adsl = hand["adsl"]
    assert adsl.index.tolist() == list(STORIES)
    assert set(adsl.index[adsl["UPCRFL"] == "N"]) == {"low baseline", "no baseline"}
    assert set(adsl.index[adsl["SAFFL"] == "N"]) == {"no infusion"}
    assert set(adsl.index[adsl["PPROTFL"] == "N"]) == {"rescued", "second infusion only", "no infusion"}
    assert adsl["NINFUS"].tolist() == [2, 2, 2, 2, 2, 1, 0, 2, 2, 2]
    assert adsl["TRT01A"].isna().tolist() == [name == "no infusion" for name in STORIES]
    assert set(adsl.index[adsl["EOSSTT"] == "DISCONTINUED"]) == {"leaves at once", "leaves later"}
    row = adsl.loc["rescued"]
    assert [row["RESCDT"], row["RASCHDT"]] == [day(100), day(30)]
    assert adsl.loc["second infusion only", "TRTSDT"] == adsl.loc["second infusion only", "TRTEDT"] == ZERO
    assert [row["TRTSDT"], row["TRTEDT"]] == [day(-14), ZERO]
    assert row["AGE"] == pytest.approx(10.0, abs=0.01)
    assert row["RASMON"] == pytest.approx(12.0, abs=0.1)
    assert (adsl["RANDFL"] == "Y").all()


def test_response_in_words_by_hand(hand):
    adlb = hand["adlb"]
    rescued = adlb[(adlb["USUBJID"] == "rescued") & (adlb["AVISITN"] > 0)].set_index("AVISIT")["AVALCAT1"]
    assert rescued.tolist() == ["none"] * 4 + ["partial"] + ["none"] * 6
    late = adlb[(adlb["USUBJID"] == "at month 12") & (adlb["AVISIT"] == "Month 12")]
    assert late["AVALCAT1"].tolist() == ["complete"]
    assert late["CHG"].tolist() == pytest.approx([-0.81])
    assert late["PCHG"].tolist() == pytest.approx([-81.0])


def others(**tests) -> adam.Adam:
    return adam.Adam(site(a={"upcr": {0: 1.0}, **tests}, b={"upcr": {0: 1.0}}), Parameters())


def codes(made: adam.Adam, endpoint: str) -> list[tuple[float, float]]:
    """(CNSR, target day) of first, confirmed and sustained for child a."""
    frame = made.adtte().set_index(["USUBJID", "PARAMCD"])
    rows = [frame.loc[("a", f"{endpoint}{kind}")] for kind in "FCS"]
    return [(row["CNSR"], round(row["AVAL"] * MONTH)) for row in rows]


def test_dipstick_by_hand():
    """Negative (0) or trace (1) after 1+ (2) or more."""
    assert codes(others(dipstick={0: 2, **path(2, 1, 0, 1, 2)}), "DIP") == [(0, 28), (0, 28), (1, 56)]
    assert codes(others(dipstick={0: 1, **path(0, 0, 0)}), "DIP") == [(2, 0)] * 3


def test_24_hour_protein_by_hand():
    """Below 4 mg/m2/h, or at least half below baseline; evaluable from 4 on."""
    assert codes(others(protein_24h={0: 20.0, **path(10.0, 10.1, 3.9)}), "P24") == [(0, 14), (1, 14), (1, 28)]
    assert codes(others(protein_24h={0: 5.0, **path(4.0, 3.9, None, 2.0)}), "P24") == [
        (0, 28),
        (0, 28),
        (0, 28),
    ]
    assert codes(others(protein_24h={0: 3.9, **path(1.0)}), "P24") == [(2, 0)] * 3
    assert codes(others(protein_24h={0: 4.0, **path(3.9)}), "P24") == [(0, 14), (1, 0), (1, 0)]


def test_haematuria_by_hand():
    """At or below 8.3 per uL from above it."""
    assert codes(others(rbc={0: 100.0, **path(8.4, 8.3, 1.0, 1.0)}), "HEM") == [(0, 28), (0, 28), (0, 28)]
    assert codes(others(rbc={0: 8.3, **path(1.0)}), "HEM") == [(2, 0)] * 3


def test_renal_improvement_by_hand():
    """eGFR 0.413 x 140 cm x 88.4 / creatinine: 80 umol/L gives 63.9, 66 gives 77.4 (+21 %), 67 gives +19 %."""
    height = {0: 140.0, **path(*[140.0] * 11)}
    serum = {0: 80.0, **path(67.0, 66.0, 66.0, 66.0, 80.0)}
    assert codes(others(height=height, creatinine=serum), "GFR") == [(0, 28), (0, 28), (1, 56)]
    normal = {0: 56.0, **path(30.0)}  # eGFR 91.3: a rise may be hyperfiltration
    assert codes(others(height=height, creatinine=normal), "GFR") == [(2, 0)] * 3
    made = others(height=height, creatinine=serum)
    gfr = made.adlb().query("PARAMCD == 'GFRBSCRT' and USUBJID == 'a'")["AVAL"]
    expected = [0.413 * 140 * 88.4 / c for c in (80, 67, 66, 66, 66, 80)]
    assert gfr.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sex", ["female", "male"])
def test_egfr_of_girls_and_boys_by_the_u25_formulas(sex):
    """k below 12 years, girls and boys: Pierce, Kidney Int 2021;99:948. 60 umol/L is 0.679 mg/dL."""
    serum = {"creatinine": {0: 60.0, 2: 60.0}, "cystatin_c": {0: 0.8, 2: 0.8}}
    raw = site(a={"sex": sex, **serum}, b={})
    adlb = (
        adam.Adam(raw, Parameters()).adlb().query("USUBJID == 'a'").set_index(["PARAMCD", "AVISIT"])["AVAL"]
    )
    known = {}
    for visit, taken in (("Baseline", -28), ("Week 2", 14)):
        age = (day(taken) - BIRTH).days / 365.25
        by_creatinine = {"female": 36.1, "male": 39.0}[sex] * 1.008 ** (age - 12) * 1.4 * 88.4 / 60
        by_cystatin = {"female": 79.9 * 1.004 ** (age - 12), "male": 87.2 * 1.011 ** (age - 15)}[sex] / 0.8
        known["GFRBSCRT", visit] = 0.413 * 140 * 88.4 / 60
        known["GFRU25CR", visit], known["GFRBSCYC", visit] = by_creatinine, by_cystatin
        known["GFRU25AV", visit] = (by_creatinine + by_cystatin) / 2
    for key, value in known.items():
        assert adlb[key] == pytest.approx(value, rel=1e-4), key  # a day of age is 3e-5
    for code, (_, method) in adam.PARAMS.items():
        if code.startswith("GFR"):
            adsl = adam.Adam(raw, Parameters(gfr_method=method)).adsl()
            assert adsl["EGFRBL"].iloc[0] == pytest.approx(known[code, "Baseline"], rel=1e-4), method


def test_dysmorphic_cells_where_the_plan_reads_them():
    raw = site(a={"rbc": {0: 100.0, **path(50.0)}, "rbc_dysmorphic": {0: 60.0, **path(8.0, 8.0, 8.0)}}, b={})
    made = adam.Adam(raw, Parameters(haematuria_cells="dysmorphic"))
    assert codes(made, "HEM")[1] == (0, 14)
    assert codes(adam.Adam(raw, Parameters()), "HEM")[1] == (1, 0)


@pytest.mark.parametrize(
    ("samples", "upcr", "base", "dtype"),
    [
        ("eligibility", {0: 1.0}, 1.0, None),
        ("eligibility", {0: 1.0, 1: 4.0}, 1.0, None),
        ("eligibility", {1: 4.0}, 4.0, None),
        ("separate", {0: 1.0, 1: 4.0}, 4.0, None),
        ("separate", {0: 1.0}, 1.0, None),  # the last value before the first infusion
        ("separate", {1: 4.0}, 4.0, None),
        ("mean of both", {0: 1.0, 1: 4.0}, 2.0, "AVERAGE"),
        ("mean of both", {0: 1.0}, 1.0, None),
        ("mean of both", {1: 4.0}, 4.0, None),
    ],
)
def test_baseline_by_hand(samples, upcr, base, dtype):
    made = adam.Adam(site(a={"upcr": upcr}, b={"upcr": {0: 1.0}}), Parameters(baseline_samples=samples))
    rows = made.adlb().query("USUBJID == 'a' and ABLFL == 'Y'")
    assert rows["AVAL"].tolist() == pytest.approx([base])
    assert rows["DTYPE"].tolist() == [dtype]
    assert made.adsl()["UPCRBL"].iloc[0] == pytest.approx(base)


def test_variables_that_adam_requires():
    """ADaM IG 1.3, core Req of ADSL and of ADAE; what the raw tables lack says so."""
    made = adam.Adam(site(a={"events": [(3, "fever")]}, b={}), Parameters())
    adsl, adae = made.adsl(), made.adae()
    required = ["STUDYID", "USUBJID", "SUBJID", "SITEID", "AGE", "AGEU", "SEX", "RACE", "ARM", "TRT01P"]
    assert not set(required) - set(tables.check("adsl", adsl[[c.name for c in TABLES["adsl"].columns]]))
    first = adsl[required[2:]].iloc[1].to_dict()
    assert first.pop("AGE") == pytest.approx(10, abs=0.1)
    assert first == {
        "SUBJID": "b", "SITEID": "NOT REPORTED", "AGEU": "YEARS", "SEX": "M", "RACE": "NOT REPORTED",
        "ARM": "hUC-MSC", "TRT01P": "hUC-MSC",
    }  # fmt: skip
    assert not {"STUDYID", "USUBJID", "AESEQ", "AETERM", "AEDECOD", "AESER"} - set(adae)
    assert adae[["AETERM", "AEDECOD"]].to_numpy().tolist() == [["some fever", "fever"]]


def flags_of(children: dict[str, dict], p: Parameters | None = None) -> dict[str, dict[tuple[str, str], str]]:
    """LOQFL of each child by parameter and visit, where it is not empty."""
    # own: a sample from after the infusion is told of and not refused
    adlb = adam.Adam(site(**children, last={}), p or Parameters(), own=True).adlb()
    told = adlb[adlb["LOQFL"].notna()]
    return {
        child: dict(zip(zip(rows["PARAMCD"], rows["AVISIT"], strict=True), rows["LOQFL"], strict=True))
        for child, rows in ((child, told[told["USUBJID"] == child]) for child in children)
    }


def flags(child: dict, p: Parameters | None = None) -> dict[tuple[str, str], str]:
    """LOQFL by parameter and visit where it is not empty, of the one child."""
    return flags_of({"a": child}, p)["a"]


def test_the_qualifier_of_every_test_is_kept():
    measured = {code: source for code, (_, source) in adam.PARAMS.items() if source in UNITS}
    marked = {
        "below": (2, "<", "Week 2", "Y"),
        "above": (2, ">", "Week 2", "H"),
        "first": (0, "<", "Baseline", "Y"),
    }
    children = {
        # red cells above the dysmorphic ones, of which they are the whole
        f"{code} {name}": {"rbc": {0: 9.0, 2: 9.0}}
        | {
            source: dict.fromkeys((0, 2), {"height": 140.0, "creatinine": 60.0}.get(source, 5)),
            "beyond": {(source, visit): sign},
        }
        for code, source in measured.items()
        for name, (visit, sign, _, _) in marked.items()
    }
    found = flags_of(children)
    assert len(measured) >= 8
    for code in measured:
        for name, (_, _, visit, flag) in marked.items():
            assert found[f"{code} {name}"][code, visit] == flag, (code, name)


def test_red_cells_below_quantification_at_week_2():
    assert flags({"rbc": {0: 100.0, **path(1.0, 1.0)}, "beyond": {("rbc", 2): "<"}}) == {
        ("RBCURINE", "Week 2"): "Y"
    }


def test_egfr_is_above_its_limit_where_creatinine_or_cystatin_c_is_below():
    blood = {"creatinine": path(20.0, 20.0), "cystatin_c": path(0.5, 0.5)}
    cr, cys, mean = "GFRU25CR", "GFRBSCYC", "GFRU25AV"
    found = flags({**blood, "beyond": {("creatinine", 2): "<", ("cystatin_c", 3): ">"}})
    assert found == {
        ("CREAT", "Week 2"): "Y", ("GFRBSCRT", "Week 2"): "H", (cr, "Week 2"): "H", (mean, "Week 2"): "H",
        ("CYSTATC", "Week 4"): "H", (cys, "Week 4"): "Y", (mean, "Week 4"): "Y",
    }  # fmt: skip
    both = flags({**blood, "beyond": {("creatinine", 2): "<", ("cystatin_c", 2): ">"}})
    assert (mean, "Week 2") not in both


def test_a_baseline_carries_the_qualifiers_of_the_samples_it_is_made_of():
    child = {"upcr": {0: 0.4, 1: 0.3}}
    mean = Parameters(baseline_samples="mean of both")
    alone = Parameters(baseline_samples="eligibility")
    first, second = ({**child, "beyond": {("upcr", k): "<"}} for k in (0, 1))
    by_one, told = flags_of({"first": first, "second": second}, alone), {("PROTCRT", "Baseline"): "Y"}
    # taken within an infection: not in the mean, nor is its qualifier
    ill = {**second, "events": [(-22, "infection")]}
    assert by_one == {"first": told, "second": {}}
    assert flags_of({"first": first, "second": second, "ill": ill}, mean) == {
        "first": told, "second": told, "ill": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("upcr", "events", "base", "dtype"),
    [
        (
            {0: 1.0, 1: 4.0},
            [(-22, "infection")],
            1.0,
            None,
        ),  # days -22 to -20: the sample of day -21 is left out
        ({0: 1.0, 1: 4.0}, [(-21, "fever")], 1.0, None),
        ({0: 1.0, 1: 4.0}, [(-23, "infection")], 1.0, None),  # its last day counts
        ({0: 1.0, 1: 4.0}, [(-24, "infection")], 2.0, "AVERAGE"),
        ({0: 1.0, 1: 4.0}, [(-20, "infection")], 2.0, "AVERAGE"),
        ({0: 1.0, 1: 4.0}, [(-22, "other")], 2.0, "AVERAGE"),
        ({0: 1.0, 1: 4.0}, [(-29, "infection")], 4.0, None),
        ({0: 1.0, 1: 4.0}, [(-29, "infection"), (-22, "fever")], 2.0, "AVERAGE"),  # no other sample
        ({1: 4.0}, [(-22, "fever")], 4.0, None),
    ],
)
def test_a_baseline_sample_of_an_ill_child_counts_only_where_there_is_no_other(upcr, events, base, dtype):
    blood = {0: 50.0, 1: 60.0}
    made = adam.Adam(site(a={"upcr": upcr, "creatinine": blood, "events": events}, b={}), Parameters())
    rows = made.adlb().query("USUBJID == 'a' and ABLFL == 'Y'").set_index("PARAMCD")
    assert rows.loc["PROTCRT", "AVAL"] == pytest.approx(base)
    assert rows.loc["PROTCRT", "DTYPE"] == dtype
    assert rows.loc["CREAT", "AVAL"] == 55.0  # a fever does not move creatinine


@pytest.mark.parametrize(("shift", "base"), [(0, 2.0), (1, 1.0), (-3, 2.0)])
def test_a_second_sample_from_after_randomisation_is_not_in_the_mean(shift, base):
    made = adam.Adam(site(a={"upcr": {0: 1.0, 1: 4.0}, "shift": {1: shift}}, b={}), Parameters())
    assert made.adsl()["UPCRBL"].iloc[0] == pytest.approx(base)


@pytest.mark.parametrize("sign", ["<", ">"])
@pytest.mark.parametrize("marked", [0, 1])
def test_a_single_baseline_carries_the_qualifier_of_its_own_sample_alone(sign, marked):
    """Of screening (0) and baseline (1) the later one is the baseline, unless it was taken after the infusion."""
    child = {"upcr": {0: 0.4, 1: 0.3}, "beyond": {("upcr", marked): sign}}
    told = {("PROTCRT", "Baseline"): {"<": "Y", ">": "H"}[sign]}
    separate, mean = (Parameters(baseline_samples=way) for way in ("separate", "mean of both"))
    late = {**child, "shift": {1: 8}}
    alone = {**child, "upcr": {marked: 0.4}}
    by_last = flags_of({"child": child, "late": late, "alone": alone}, separate)
    by_mean = flags_of({"child": child, "late": late, "alone": alone}, mean)
    assert by_last["child"] == (told if marked == 1 else {})
    assert by_last["late"] == by_mean["late"] == (told if marked == 0 else {})
    assert by_mean["child"] == by_last["alone"] == by_mean["alone"] == told


def test_a_value_after_the_first_infusion_is_no_baseline():
    made = adam.Adam(
        site(a={"upcr": {0: 1.0, 1: 4.0}, "shift": {1: 8}}, b={}),
        Parameters(baseline_samples="separate"),
        own=True,
    )
    assert "visits.baseline" in set(made.findings["code"])
    assert made.adsl()["UPCRBL"].iloc[0] == 1.0


def test_treatment_emergent_by_hand():
    made = adam.Adam(
        site(
            a={"events": [(-15, "infection"), (-14, "fever"), (200, "other")]},
            b={"events": [(-14, "infection"), (0, "fever")], "given": (False, True)},
            c={"events": [(5, "other")], "given": (False, False)},
        ),
        Parameters(),
    )
    adae = tables.check("adae", made.adae())
    assert adae["TRTEMFL"].tolist() == ["N", "Y", "Y", "N", "Y", "N"]
    assert adae["ASTDY"].tolist() == [-15, -14, 200, -14, 0, 5]


def test_adverse_events_by_hand():
    """Ongoing where there is no last day; what nobody judged stays empty; under what was received."""
    unjudged = {"severity": None, "related": None, "serious": None}
    made = adam.Adam(
        site(
            a={"events": [(5, "other", {"term": "rash", "severity": "severe", "related": "yes", "serious": "yes"}),
                          (360, "infection", {"end_date": pd.NaT})]},
            b={"events": [(0, "fever", {"end_date": day(0), "within_24h": "yes"})], "products": ("Placebo", "Placebo")},
            c={"events": [(9, "other", unjudged)], "given": (False, False)},
        ),
        Parameters(),
        own=True,
    )  # fmt: skip
    adae = tables.check("adae", made.adae())
    assert adae["AETERM"].tolist() == ["rash", "some infection", "some fever", "some other"]
    assert adae["ADURN"].fillna(-1).tolist() == [3, -1, 1, 3]
    assert adae["AEENRTPT"].tolist() == [None, "ONGOING", None, None]
    assert adae["AESEV"].tolist() == ["severe", "mild", "mild", None]
    assert adae["AEREL"].fillna("").tolist() == ["Y", "N", "N", ""]
    assert adae["AESER"].tolist() == ["Y", "N", "N", None]
    assert adae["TRT01P"].tolist() == ["Placebo", "Placebo", "hUC-MSC", "Placebo"]
    assert adae["TRT01A"].fillna("").tolist() == ["Placebo", "Placebo", "Placebo", ""]


def test_event_indicator_is_the_opposite_of_cnsr(hand):
    """CNSR 0 = event in ADaM, 1 = event for the estimators; not evaluable children are left out."""
    adtte = hand["adtte"].reset_index()
    found = adam.events(adtte, "UPCRC").set_index("USUBJID")
    assert set(found.index) == set(STORIES) - {"low baseline", "no baseline"}
    assert set(found.index[found["event"] == 1]) == {"remits", "second infusion only"}
    assert found.loc["remits", "arm"] == 0
    assert found.loc["never", "arm"] == 1
    assert np.isinf(found.loc[found["event"] == 0, "right"]).all()
    assert found.loc["remits", "time"] * MONTH == pytest.approx(14)
    assert adam.events(adtte, "UPCRC", "ACTMONTH").set_index("USUBJID").loc[
        "remits", "time"
    ] * MONTH == pytest.approx(17)


@pytest.mark.parametrize(
    ("name", "change", "part"),
    [
        ("labs", lambda t: t.assign(usubjid="stranger"), "labs.csv row 2, column usubjid: found 'stranger'"),
        ("events", lambda t: t.assign(usubjid="stranger"), "events.csv row 2, column usubjid"),
        ("infusions", lambda t: t.iloc[2:], "infusions.csv: found no row for 'a', 1"),
        ("disposition", lambda t: t.iloc[1:], "disposition.csv: found no row for 'a'"),
        ("visits", lambda t: t.iloc[13:], "visits.csv: found no row for 'a', 0"),
        ("screening", lambda t: t.iloc[:1], "randomisation.csv row 3, column usubjid: found 'b'"),
    ],
)
def test_tables_that_contradict_each_other_get_one_message(name, change, part):
    story = {"upcr": {0: 1.0}, "events": [(3, "fever")]}
    raw = site(a=story, b=story)
    raw = adam.Raw(**{**vars(raw), name: change(getattr(raw, name))})
    with pytest.raises(Problem) as caught:
        adam.Adam(raw, Parameters())
    assert part in str(caught.value)


UGLY = {
    "nobody remits": {k: {"upcr": {0: 1.0, **FLAT}} for k in "abcd"},
    "all remit at the first visit": {k: {"upcr": {0: 1.0, **path(*[0.1] * 11)}} for k in "abcd"},
    "nobody is seen again": {k: {"upcr": {0: 1.0}, "left": 3} for k in "abcd"},
    "nothing but height and weight": {k: {} for k in "abcd"},
    "nobody is evaluable": {k: {"upcr": {0: 0.1, **FLAT}} for k in "abcd"},
    "one child": {"a": {"upcr": {0: 1.0, **FLAT}}},
}


@pytest.mark.parametrize("story", list(UGLY))
def test_ugly_data_still_make_whole_tables(story):
    made = adam.Adam(site(**UGLY[story]), Parameters())
    children = len(UGLY[story])
    for name in ("adsl", "adlb", "adtte", "adae"):
        tables.check(name, getattr(made, name)())
    assert len(made.adsl()) == children
    assert len(made.adtte()) == children * 20
    events = int((made.adtte().query("PARAMCD == 'UPCRC'")["CNSR"] == 0).sum())
    assert events == (children if story == "all remit at the first visit" else 0)


SIMULATED = [
    Parameters(),
    Parameters(seed=8, dropout=0.4, dropout_early=0.1, visit_missed=0.2, sample_missing=0.2, rescue_rate=0.5,
               infusion_not_given=0.2, baseline_samples="mean of both", infection_rate=4.0, upcr_effect=0.3),
]  # fmt: skip


@pytest.fixture(scope="module", params=SIMULATED, ids=["plan", "much goes wrong"])
def trial(request):
    p = request.param
    enrolled, columns, _ = conduct.screen(p)
    screening = record.screening(columns)
    raw, _ = record.trial(p, enrolled, screening)
    made = adam.Adam(adam.Raw(screening=screening, **raw), p)
    return p, {"screening": screening, **raw}, made.adsl(), made.adlb(), made.adtte(), made.adae()


def test_tables_fit_the_codebook(trial):
    _, _, adsl, adlb, adtte, adae = trial
    for name, frame in (("adsl", adsl), ("adlb", adlb), ("adtte", adtte), ("adae", adae)):
        tables.check(name, frame[[c.name for c in TABLES[name].columns]])


def test_base_is_the_flagged_record_and_change_is_the_difference(trial):
    _, _, adsl, adlb, _, _ = trial
    flagged = adlb[adlb["ABLFL"] == "Y"]
    assert not flagged.duplicated(["USUBJID", "PARAMCD"]).any()
    assert (flagged["AVISITN"] == 0).all()
    base = flagged.set_index(["USUBJID", "PARAMCD"])["AVAL"]
    own = base.reindex(pd.MultiIndex.from_frame(adlb[["USUBJID", "PARAMCD"]])).to_numpy()
    assert np.array_equal(own, adlb["BASE"].to_numpy(), equal_nan=True)
    after = adlb[adlb["AVISITN"] > 0]
    assert np.array_equal(after["CHG"], after["AVAL"] - after["BASE"], equal_nan=True)
    positive = after[after["BASE"] > 0]
    assert positive["PCHG"].to_numpy() == pytest.approx(
        (100 * positive["CHG"] / positive["BASE"]).to_numpy(), nan_ok=True
    )
    assert flagged[["CHG", "PCHG"]].isna().all(axis=None)
    upcr = flagged[flagged["PARAMCD"] == "PROTCRT"].set_index("USUBJID")["AVAL"]
    assert np.array_equal(adsl["USUBJID"].map(upcr), adsl["UPCRBL"], equal_nan=True)
    first = adsl.set_index("USUBJID")["TRTSDT"]
    started = flagged["USUBJID"].map(first)
    assert (flagged["ADT"] <= started)[started.notna()].all()


def test_every_laboratory_value_after_baseline_stands_in_adlb_once(trial):
    _, raw, _, adlb, _, _ = trial
    labs = raw["labs"]
    for code, (_, test) in adam.PARAMS.items():
        if test not in UNITS:
            continue
        mine = labs[(labs["test"] == test) & (labs["visit_no"] >= 2)]
        theirs = adlb[(adlb["PARAMCD"] == code) & (adlb["AVISITN"] > 0)]
        left = mine.set_index(["usubjid", mine["visit_no"] - 1])["value"].sort_index()
        right = theirs.set_index(["USUBJID", "AVISITN"])["AVAL"].sort_index()
        assert left.index.tolist() == right.index.tolist()
        assert np.array_equal(left, right)


def test_one_time_to_event_row_per_child_endpoint_and_kind(trial):
    _, _, adsl, _, adtte, _ = trial
    counts = adtte.groupby(["USUBJID", "PARAMCD"]).size()
    assert (counts == 1).all()
    assert len(counts) == len(adsl) * len(adam.ENDPOINTS) * len(adam.KINDS)
    wide = adtte.pivot(index="USUBJID", columns="PARAMCD", values="CNSR")
    for endpoint, flag in (("UPCR", "UPCRFL"), ("HEM", "HEMFL"), ("GFR", "GFRFL")):
        evaluable = adsl.set_index("USUBJID")[flag].reindex(wide.index) == "Y"
        for kind in adam.KINDS:
            assert np.array_equal(wide[f"{endpoint}{kind}"] != 2, evaluable)
        assert (wide.loc[wide[f"{endpoint}C"] == 0, f"{endpoint}F"] == 0).all()
    events = adtte[adtte["CNSR"] == 0]
    assert events["RMONTH"].to_numpy() == pytest.approx(events["AVAL"].to_numpy())
    assert (events["LMONTH"] < events["RMONTH"]).all()
    assert (events["EVNTDESC"].str.startswith("event")).all()
    assert adtte.loc[adtte["CNSR"] > 0, "RMONTH"].isna().all()
    assert (adtte["EOSMONTH"] >= adtte["AVAL"]).all()
    assert (adtte["ANL01FL"] == np.where(adtte["CNSR"] == 2, "N", "Y")).all()


def test_flags_add_up(trial):
    p, raw, adsl, _, _, _ = trial
    assert len(adsl) == p.n_randomised == len(raw["randomisation"])
    assert adsl["USUBJID"].tolist() == raw["randomisation"]["usubjid"].tolist()
    given = raw["infusions"][raw["infusions"]["given"] == "yes"].groupby("usubjid").size()
    count = adsl["USUBJID"].map(given).fillna(0)
    assert np.array_equal(adsl["NINFUS"], count)
    assert np.array_equal(adsl["SAFFL"] == "Y", count > 0)
    rescued = adsl["USUBJID"].isin(raw["treatments"].query("treatment == 'rescue'")["usubjid"])
    assert np.array_equal(adsl["PPROTFL"] == "Y", (count == 2) & ~rescued)
    assert np.array_equal(adsl["UPCRFL"] == "Y", adsl["UPCRBL"] >= p.remission_threshold)
    assert np.array_equal(adsl["HEMFL"] == "Y", adsl["RBCBL"] > p.haematuria_limit)
    assert np.array_equal(adsl["GFRFL"] == "Y", adsl["EGFRBL"] < p.egfr_evaluable)
    assert (adsl["TRT01A"] == adsl["TRT01P"])[count > 0].all()
    left = raw["disposition"].set_index("usubjid")["status"] == "left"
    assert np.array_equal(adsl["EOSSTT"] == "DISCONTINUED", adsl["USUBJID"].map(left))
    assert np.array_equal(adsl["TRT01PN"], adsl["TRT01P"].map({"Placebo": 0, "hUC-MSC": 1}))


def test_adverse_events_are_all_there(trial):
    _, raw, adsl, _, _, adae = trial
    assert len(adae) == len(raw["events"])
    assert adae["USUBJID"].isin(adsl["USUBJID"]).all()
    assert (adae["AESER"] == "Y").sum() == (raw["events"]["serious"] == "yes").sum()


def test_arrays_for_figures_agree_with_the_rows(trial):
    _, _, adsl, adlb, _, _ = trial
    array = adam.visit_array(adlb, adsl, "PROTCRT")
    assert array.shape == (len(adsl), 12)
    rows = adlb[adlb["PARAMCD"] == "PROTCRT"]
    assert np.isfinite(array).sum() == len(rows)
    place = {name: k for k, name in enumerate(adsl["USUBJID"])}
    for row in rows.itertuples():
        assert array[place[row.USUBJID], int(row.AVISITN)] == row.AVAL


def test_the_order_of_the_rows_changes_nothing(trial):
    """Raw tables shuffled by whoever exported them give the same analysis tables."""
    p, raw, adsl, adlb, adtte, _ = trial
    shuffled = {name: frame.sample(frac=1, random_state=1, ignore_index=True) for name, frame in raw.items()}
    made = adam.Adam(adam.Raw(**shuffled), p)
    pd.testing.assert_frame_equal(made.adsl(), adsl)
    pd.testing.assert_frame_equal(made.adlb(), adlb)
    pd.testing.assert_frame_equal(made.adtte(), adtte)
