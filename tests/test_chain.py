"""The whole chain against an independent plain loop: one child after the other, straight from the readings.

Nothing here uses the derivations, the rules or the pivots of the project. Decimals are exact (`Decimal` on
the reported text), dates are Python's, missing is None. Simulated arrays and tables go in; what the project
makes of them must come out.
"""

import calendar
import itertools
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.analysis import adam, derive
from helpers.study import eligibility, tables
from helpers.study.parameters import Parameters
from helpers.trial import conduct, details, record
from helpers.trial.simulate import Streams

TARGET_DAYS = [14, 28, 42, 56, 91, 122, 152, 183, 244, 304, 365]
MONTH = 30.4375


# ---- remission, from the sentences of the readings -----------------------------------------------------


def exact(value: float | None) -> Decimal | None:
    return None if value is None or value != value else Decimal(repr(float(value)))


def remission(upcr: Decimal | None, base: Decimal | None, rescue: float, day: int) -> bool | None:
    """Complete or partial is at least 50 % below baseline (complete: below 0.2 too); none after rescue."""
    if base is None:
        return None
    if day >= rescue:
        return False
    return None if upcr is None else upcr * 2 <= base


def first_remission(states: list) -> int | None:
    return next((v for v, state in enumerate(states) if state), None)


def confirmed_remission(states: list) -> int | None:
    """At a visit, and at every attended visit from there to the first one at least 28 days later, which exists."""
    for v, state in enumerate(states):
        if not state:
            continue
        for later in range(v + 1, len(states)):
            if states[later] is None:
                continue
            if not states[later]:
                break
            if TARGET_DAYS[later] - TARGET_DAYS[v] >= 28:
                return v
    return None


def sustained_remission(states: list) -> int | None:
    """From some visit on, remission at every later attended visit to month 12, at least two."""
    for v, state in enumerate(states):
        attended = [s for s in states[v:] if s is not None]
        if state and all(attended) and len(attended) >= 2:
            return v
    return None


def open_interval(states: list, index: int | None, start: float) -> tuple[float, float]:
    """(last attended visit without, that visit]; not seen: after the last assessment."""
    before = states if index is None else states[:index]
    attended = [TARGET_DAYS[v] for v, state in enumerate(before) if state is not None]
    left = attended[-1] if attended else start
    return left, float("inf") if index is None else TARGET_DAYS[index]


def number(index: int | None) -> int:
    return -1 if index is None else index


HARD = Parameters(
    seed=77, visit_missed=0.15, sample_missing=0.05, dropout=0.3, dropout_early=0.03, rescue_rate=0.3,
    upcr_effect=0.4, ras_change_msc=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def trials():
    """200 simulated trials: 8,000 children."""
    enrolled, _, _ = conduct.screen(HARD, 200)
    return conduct.follow(HARD, enrolled, Streams(HARD.seed, 0))


@pytest.fixture(scope="module")
def plain(trials):
    """Per trial and child, by loop: arm, evaluable, states, first, confirmed, sustained, intervals."""
    found = []
    for t in range(200):
        children = []
        for c in range(HARD.n_randomised):
            # the mean of two samples has no exact decimal
            base = exact(round(float(trials.upcr[t, c, 0]), 12))
            evaluable = base is not None and base >= Decimal("0.2")
            states = [
                remission(exact(trials.upcr[t, c, v + 1]), base, trials.rescue_day[t, c], day)
                if evaluable
                else None
                for v, day in enumerate(TARGET_DAYS)
            ]
            indices = [f(states) for f in (first_remission, confirmed_remission, sustained_remission)]
            children.append(
                {
                    "arm": int(trials.arm[t, c]),
                    "evaluable": evaluable,
                    "states": [-1 if s is None else int(s) for s in states],
                    "indices": [number(i) for i in indices],
                    "intervals": [open_interval(states, i, -14.0) for i in indices],
                }
            )
        found.append(children)
    return found


@pytest.fixture(scope="module")
def arrays(trials):
    """The same by the project's derivations, all trials at once."""
    upcr, days = trials.upcr, np.array(TARGET_DAYS)
    return derive.upcr_endpoint(upcr[..., 1:], upcr[..., 0], days, HARD, trials.rescue_day)


def column(plain, pick) -> np.ndarray:
    return np.array([[pick(child) for child in children] for children in plain])


def test_states_of_200_trials(plain, arrays):
    assert np.array_equal(arrays.state, column(plain, lambda c: c["states"]))
    assert np.array_equal(arrays.evaluable, column(plain, lambda c: c["evaluable"]))
    assert {-1, 0, 1} == set(arrays.state.ravel().tolist())


@pytest.mark.parametrize(("k", "kind"), [(0, "first"), (1, "confirmed"), (2, "sustained")])
def test_index_and_interval_of_200_trials(plain, arrays, k, kind):
    index = getattr(arrays, kind)
    assert np.array_equal(index, column(plain, lambda c: c["indices"][k]))
    left, right = derive.interval(index, arrays.state, np.array(TARGET_DAYS), -14.0)
    assert np.array_equal(np.stack([left, right], axis=-1), column(plain, lambda c: c["intervals"][k]))
    assert 500 < (index >= 0).sum() < 7500


def test_primary_response_counts_of_200_trials(plain, arrays, trials):
    """Confirmed remissions and evaluable children by arm and trial."""
    for arm in (0, 1):
        mine = (trials.arm == arm) & arrays.evaluable
        responders = (mine & (arrays.confirmed >= 0)).sum(axis=1)
        for t, children in enumerate(plain):
            expected = [c for c in children if c["arm"] == arm and c["evaluable"]]
            assert mine[t].sum() == len(expected)
            assert responders[t] == sum(c["indices"][1] >= 0 for c in expected)


def test_the_loop_and_the_arrays_reach_the_same_decision(plain, arrays, trials):
    """Fisher's test of the primary endpoint (any function of the four counts would do) over the first trials."""
    for t in range(20):
        table = [[0, 0], [0, 0]]
        for child in plain[t]:
            if child["evaluable"]:
                table[child["arm"]][child["indices"][1] < 0] += 1
        yes = arrays.confirmed[t] >= 0
        ours = [
            [
                int(((trials.arm[t] == a) & arrays.evaluable[t] & (yes == want)).sum())
                for want in (True, False)
            ]
            for a in (0, 1)
        ]
        assert ours == table
        assert stats.fisher_exact(ours).pvalue == stats.fisher_exact(table).pvalue


# ---- the chain of tables: labs.csv to ADTTE, one child after the other ------------------------------------

VARIANTS = [
    Parameters(),
    Parameters(seed=21, baseline_samples="separate", sample_missing=0.15, visit_missed=0.2, dropout=0.4,
               rescue_rate=0.8, infusion_not_given=0.2, infection_rate=5.0, upcr_effect=0.4, rbc_median=20.0),
    Parameters(seed=22, baseline_samples="mean of both", n_randomised=37, sample_missing=0.1, rescue_rate=0.5,
               rbc_median=15.0, gfr_mean=85.0, upcr_effect=0.3, dropout_early=0.1),
]  # fmt: skip


@pytest.fixture(scope="module", params=VARIANTS, ids=["plan", "separate baseline", "mean baseline"])
def single(request, tmp_path_factory):
    """(parameters, arrays, raw tables read back from their files, Adam) of a single trial."""
    p = request.param
    enrolled, columns, _ = conduct.screen(p)
    screening = record.screening(columns)
    made, _ = record.trial(p, enrolled, screening)
    folder = tmp_path_factory.mktemp("site")
    raw = {}
    for name, frame in {"screening": screening, **made}.items():
        tables.write(name, frame, folder / f"{name}.csv")
        raw[name] = tables.read(name, folder / f"{name}.csv")
    return p, conduct.follow(p, enrolled, Streams(p.seed, 0)), raw, adam.Adam(adam.Raw(**raw), p)


def test_tables_give_the_derivations_of_the_arrays(single):
    """Recording, writing, reading and pivoting change nothing that the many-trial engine says of this trial."""
    p, f, _, made = single
    days = np.array(TARGET_DAYS)
    assert np.array_equal(made.values["PROTCRT"], f.upcr[0, :, 1:], equal_nan=True)
    base = f.upcr[0, :, 0]
    assert made.base["PROTCRT"] == pytest.approx(base, rel=1e-12, nan_ok=True)
    expected = derive.upcr_endpoint(f.upcr[0, :, 1:], base, days, p, f.rescue_day[0])
    for field in ("state", "evaluable", "first", "confirmed", "sustained"):
        assert np.array_equal(getattr(made.endpoints["UPCR"], field), getattr(expected, field)), field
    measures = {k: v[0] for k, v in details.serum_and_cells(f).items()}
    for code, (_, test) in adam.PARAMS.items():
        if test in measures and test != "upcr":
            assert np.array_equal(made.values[code], measures[test][:, 1:], equal_nan=True), code
    assert [("Placebo", "hUC-MSC")[a] for a in f.arm[0]] == made.arm.tolist()


def of(labs: pd.DataFrame, test: str, visit: int) -> tuple[float | None, pd.Timestamp | None]:
    rows = labs[(labs["test"] == test) & (labs["visit_no"] == visit)]
    return (float(rows["value"].iloc[0]), rows["date"].iloc[0]) if len(rows) else (None, None)


def schwartz(labs: pd.DataFrame, visit: int) -> tuple[float | None, pd.Timestamp | None]:
    (height, _), (creatinine, when) = of(labs, "height", visit), of(labs, "creatinine", visit)
    if height is None or creatinine is None:
        return None, None
    return 0.413 * height / (creatinine / 88.4), when


def baseline(p: Parameters, labs: pd.DataFrame, measure, latest: pd.Timestamp, ratio: bool, ill: list | None):
    """The plan's mean of the two samples (geometric for ratios), else the one that the plan names, else the other.

    ill: (first, last day) of the child's infections and fevers; None = they do not matter.
    """
    values, well = {}, {}
    for visit in (0, 1):
        value, when = measure(labs, visit)
        if value is not None and when <= latest:
            values[visit] = value
            if not any(first <= when <= last for first, last in ill or ()):
                well[visit] = value
    if not values:
        return None
    if p.baseline_samples == "mean of both":
        of_both = [*(well or values).values()]
        if len(of_both) == 1:
            return of_both[0]
        return (of_both[0] * of_both[1]) ** 0.5 if ratio else sum(of_both) / 2
    named = 0 if p.baseline_samples == "eligibility" else 1
    return values.get(named, values.get(1 - named))


def at_risk(states: list, kind: str) -> list[int]:
    """Visits at which the event can begin and be seen: for C with an attended one 28 days later, for S with one."""
    attended = [v for v, state in enumerate(states) if state is not None]
    if not attended:
        return []
    if kind == "F":
        return attended
    if kind == "C":
        return [v for v in range(11) if TARGET_DAYS[attended[-1]] - TARGET_DAYS[v] >= 28]
    return [v for v in range(attended[-1])]


SLACK = 1e-9  # a mean of two samples has no exact decimal


def plain_states(endpoint: str, p: Parameters, base: float | None, values: list) -> tuple[bool, list]:
    """(evaluable, state at each visit) by the sentence of each endpoint."""
    if base is None:
        return False, [None] * 11
    rules = {
        "UPCR": (base >= 0.2 - SLACK, lambda x: x <= base / 2 + SLACK),
        "P24": (base >= 4, lambda x: x < 4 - SLACK or x <= base / 2 + SLACK),
        "DIP": (base >= 2, lambda x: x in (0, 1)),
        "HEM": (base > 8.3, lambda x: x <= 8.3),
        "GFR": (base < 90, lambda x: x >= 1.2 * base - SLACK),
    }
    evaluable, rule = rules[endpoint]
    return evaluable, [None if x is None or not evaluable else bool(rule(x)) for x in values]


MEASURES = {
    "UPCR": (lambda labs, visit: of(labs, "upcr", visit), True),
    "P24": (lambda labs, visit: of(labs, "protein_24h", visit), True),
    "DIP": (lambda labs, visit: of(labs, "dipstick", visit), False),
    "HEM": (lambda labs, visit: of(labs, "rbc", visit), True),
    "GFR": (schwartz, False),
}
KINDS = {"F": first_remission, "C": confirmed_remission, "S": sustained_remission}


def test_adtte_against_a_loop_over_the_raw_tables(single):
    """Rows of ADTTE, five endpoints and three kinds, from the laboratory's rows of each child."""
    p, _, raw, made = single
    adtte = made.adtte().set_index(["USUBJID", "PARAMCD"])
    labs_of = dict(iter(raw["labs"].groupby("usubjid")))
    infusions_of = dict(iter(raw["infusions"].groupby("usubjid")))
    seen = dict.fromkeys(itertools.product(MEASURES, (0, 1, 2)), 0)
    events = raw["events"][raw["events"]["event"] != "other"]
    ills = {
        child: list(zip(rows["start_date"], rows["end_date"], strict=True))
        for child, rows in events.groupby("usubjid")
    }
    for list_ in raw["randomisation"].to_dict("records"):
        child = list_["usubjid"]
        labs, infusions = labs_of[child], infusions_of[child].sort_values("infusion")
        zero = infusions["planned_date"].iloc[1]
        given = infusions["date"].dropna()
        first_infusion = given.iloc[0] if len(given) else infusions["planned_date"].min()
        changes = raw["treatments"][
            (raw["treatments"]["usubjid"] == child) & (raw["treatments"]["treatment"] == "rescue")
        ]
        rescue = (changes["date"].min() - zero).days if len(changes) else float("inf")
        for endpoint, (measure, ratio) in MEASURES.items():
            latest = list_["randomisation_date"] if p.baseline_samples == "mean of both" else first_infusion
            ill = None if endpoint == "GFR" else ills.get(child, [])
            base = baseline(p, labs, measure, latest, ratio, ill)
            got = [measure(labs, visit) for visit in range(2, 13)]
            evaluable, states = plain_states(endpoint, p, base, [value for value, _ in got])
            states = [
                False if evaluable and day >= rescue else state
                for state, day in zip(states, TARGET_DAYS, strict=True)
            ]
            for kind, rule in KINDS.items():
                row = adtte.loc[(child, f"{endpoint}{kind}")]
                index = rule(states)
                risk = at_risk(states, kind)
                at = index if index is not None else risk[-1] if risk else None
                known = (
                    states if index is not None else [s if v in risk else None for v, s in enumerate(states)]
                )
                left, right = open_interval(known, index, (first_infusion - zero).days)
                when = zero if at is None else got[at][1] or zero + pd.Timedelta(TARGET_DAYS[at], "D")
                cnsr = 2 if not evaluable else 1 if index is None else 0
                expected = {
                    "CNSR": cnsr,
                    "AVAL": 0 if at is None else TARGET_DAYS[at] / MONTH,
                    "ACTMONTH": (when - zero).days / MONTH,
                    "LMONTH": left / MONTH,
                    "RMONTH": np.nan if right == float("inf") else right / MONTH,
                }
                found = row[list(expected)].to_numpy(float)
                assert found == pytest.approx(list(expected.values()), nan_ok=True), (child, endpoint, kind)
                assert row["ADT"] == when
                assert row["ANL01FL"] == ("Y" if evaluable else "N")
                seen[endpoint, cnsr] += 1
    assert seen["UPCR", 0] > 5
    assert seen["UPCR", 1] > 5


# ---- eligibility: one child after the other ---------------------------------------------------------------


def known_and(*parts: bool | None) -> bool | None:
    return False if False in parts else None if None in parts else True


def known_or(*parts: bool | None) -> bool | None:
    return True if True in parts else None if None in parts else False


def known_not(part: bool | None) -> bool | None:
    return None if part is None else not part


def yes(answer: str | None) -> bool | None:
    return None if answer is None else answer in ("yes", "positive")


def back(day: date, months: int) -> date:
    """The same day so many calendar months earlier, or the last day of that month."""
    place = day.year * 12 + day.month - 1 - months
    year, month = place // 12, place % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def turns(born: date, years: int) -> date:
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def plain_verdicts(child: dict) -> dict[str, bool | None]:
    """All 23 criteria of one child under the readings by default; True = passes."""
    consent, born = child["consent_date"], child["birth_date"]

    def recently(event: str, months: int) -> bool | None:
        when = child[f"{event}_date"]
        within = None if when is None else when >= back(consent, months)
        return known_and(yes(child[event]), within) if yes(child[event]) is not False else False

    age = None if born is None else turns(born, 3) <= consent < turns(born, 13)

    fits = None
    if child["variant"] in ("pathogenic", "likely pathogenic"):
        gene, zygosity = child["gene"], child["zygosity"]
        if gene is not None and zygosity is not None:
            two = zygosity in ("homozygous", "compound heterozygous")
            if gene == "COL4A5" and child["sex"] == "male":
                fits = zygosity == "hemizygous"
            elif gene == "COL4A5":
                fits = zygosity == "heterozygous" or two
            else:
                fits = gene == "two genes" or zygosity == "heterozygous" or two
    elif child["variant"] == "none found":
        fits = False
    diagnosis = known_or(fits, child["biopsy"] == "diagnostic")

    height, creatinine = child["height"], child["creatinine"]
    gfr = None if height is None or creatinine is None else 0.413 * height / (creatinine / 88.4)
    grade = child["dipstick"]
    protein = known_or(
        None if child["upcr"] is None else child["upcr"] >= 0.2,
        None if grade is None else grade not in ("negative", "trace"),
    )
    blood = None if child["rbc"] is None else child["rbc"] > 8.3
    normal = None if gfr is None else gfr >= 90

    infected = yes(child["infection"])
    if infected:
        when = child["infection_date"]
        infected = None if when is None else (consent - when).days <= 7
    virus = known_or(*(yes(child[test]) for test in ("hbsag", "hcv", "hiv", "syphilis")))

    counts = [child["food_allergies"], child["drug_allergies"]]
    at_least = sum(c for c in counts if c is not None)
    several = True if at_least >= 2 else None if None in counts else False

    amount = child["blood_loss_ml"]
    bled = recently("blood_loss", 3)
    if yes(child["blood_loss"]):
        bled = known_and(bled, None if amount is None else amount > 200)

    fails = {
        "I1": known_not(age),
        "I2": known_not(diagnosis),
        "I3": known_not(known_or(protein, known_and(blood, known_not(normal)))),
        "I4": None if gfr is None else not gfr > 60,
        "I5": infected,
        "I6": virus,
        "I7": yes(child["allergic_state"]),
        "I8": known_not(yes(child["consent"])),
        "E1": known_not(age),
        "E2": known_and(blood, known_not(protein), normal),
        "E3": None if gfr is None else gfr < 30,
        "E4": yes(child["other_renal"]),
        "E5": known_or(yes(child["severe_allergy"]), several),
        "E6": yes(child["stem_cell_allergy"]),
        "E7": known_or(*(yes(child[o]) for o in ("heart", "liver", "lung", "other_organ", "tumour"))),
        "E8": yes(child["malformation"]),
        "E9": known_and(yes(child["autoimmune"]), yes(child["immunosuppressant"])),
        "E10": yes(child["infection_uncontrolled"]),
        "E11": virus,
        "E12": known_or(recently("surgery", 3), recently("trauma", 3), bled),
        "E13": recently("other_study", 3),
        "E14": recently("cell_product", 12),
        "E15": yes(child["unsuitable"]),
    }
    return {id: known_not(value) for id, value in fails.items()}


MIXED = Parameters(
    seed=5, missing_answer=0.06, sample_missing=0.1, infection_recent=0.5, virology_positive=0.03,
    virology_missing=0.05, severe_allergy=0.05, allergies_mean=0.5, autoimmune=0.3, immunosuppressant=0.3,
    surgery_recent=0.2, trauma_recent=0.2, blood_loss_recent=0.4, other_study=0.3, cell_product=0.3,
    organ_dysfunction=0.04, gfr_mean=85.0, age_max=17.0, n_randomised=4, upcr_level=0.3, max_screened=20000,
    consent_given=0.95, variant_untested=0.2, variant_none=0.2, infection_uncontrolled=0.05, stem_cell_allergy=0.05,
    gfr_sd=25.0,
)  # fmt: skip


def test_all_criteria_of_every_screened_child_against_a_loop(tmp_path):
    """Several hundred children, read back from their file, with every fact common and often missing."""
    _, columns, _ = conduct.screen(MIXED)
    path = tmp_path / "screening.csv"
    tables.write("screening", record.screening(columns).iloc[:1500], path)
    frame = tables.read("screening", path)
    ours = eligibility.evaluate(tables.to_arrays("screening", frame), MIXED)
    assert len(frame) > 150
    code = {True: 1, None: 0, False: -1}
    kinds = set()
    for k, row in enumerate(frame.to_dict("records")):
        child = {
            name: None if pd.isna(value) else value.date() if isinstance(value, pd.Timestamp) else value
            for name, value in row.items()
        }
        expected = {id: code[value] for id, value in plain_verdicts(child).items()}
        found = dict(zip(eligibility.IDS, ours[:, k].tolist(), strict=True))
        assert found == expected, child
        kinds |= set(expected.items())
        status = -1 if -1 in expected.values() else 0 if 0 in expected.values() else 1
        assert eligibility.status(ours[:, k : k + 1]).tolist() == [status]
    assert len(kinds) == 69, "every criterion must be seen met, unknown and failed"
