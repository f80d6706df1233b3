"""Chapter 04: raw tables to ADaM; flow to analysed, disposition, baseline, exposure, adverse events."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import adam
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import percent, rounded
from helpers.estimators.proportions import clopper_pearson
from helpers.study import checks as register
from helpers.study import eligibility
from helpers.study.codebook import TABLES
from helpers.study.estimands import ANALYSIS_SETS
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, DAYS_PER_MONTH
from helpers.study.scenario import Study

_ARM_ORDER = "arm order Placebo, hUC-MSC"


@dataclass(frozen=True)
class Analysis:
    """The four analysis tables, and the table of criteria they start from."""

    adsl: pd.DataFrame
    adlb: pd.DataFrame
    adtte: pd.DataFrame
    adae: pd.DataFrame
    adie: pd.DataFrame

    def size(self, arm: str, flag: str = "RANDFL") -> int:
        return int(((self.adsl["TRT01P"] == arm) & (self.adsl[flag] == "Y")).sum())

    def split(self, flag: str = "RANDFL") -> str:
        return " v ".join(str(self.size(arm, flag)) for arm in ARMS)


def derive(study: Study) -> Analysis:
    """Read the raw tables, derive ADSL, ADLB, ADTTE and ADAE, write them; raises Problem where they disagree."""
    raw = adam.Raw(**{name: study.read(name) for name in adam.Raw.__dataclass_fields__})
    made = adam.Adam(raw, study.parameters)
    tables = {name: study.write(name, getattr(made, name)()) for name in ("adsl", "adlb", "adtte", "adae")}
    analysis = Analysis(**tables, adie=study.read("adie"))
    every = {**vars(raw), **vars(analysis)}
    register.refuse(register.findings(every, register.between(every, done=vars(raw))))
    return analysis


def tables(a: Analysis) -> Exhibit:
    """Size of each analysis table and what one row is."""
    frame = pd.DataFrame(
        [
            {
                "table": name.upper(),
                "title": TABLES[name].title,
                "rows": len(getattr(a, name)),
                "children": int(getattr(a, name)["USUBJID"].nunique()),
                "key": ", ".join(TABLES[name].key),
            }
            for name in ("adsl", "adie", "adlb", "adtte", "adae")
        ]
    )
    return Exhibit(
        "tables",
        "The analysis tables",
        frame,
        population="all randomised (ADIE: all screened)",
        n=a.split(),
        columns={
            "table": "Table",
            "title": "What one row is",
            "rows": "Rows",
            "children": "Children",
            "key": "Key",
        },
    )


def checks(a: Analysis) -> Exhibit:
    """Consistency of the tables, each line counted; every count of exceptions must be 0."""
    found = register.findings(vars(a), register.ANALYSIS)["code"].value_counts()
    frame = pd.DataFrame(
        {
            "check": check.sentence,
            "table": ", ".join(check.tables).upper(),
            "exceptions": int(found.get(check.code, 0)),
        }
        for check in register.ANALYSIS
    )
    return Exhibit(
        "checks",
        "The tables agree with each other",
        frame,
        population="all randomised",
        n=a.split(),
        columns={"check": "Check", "table": "Table", "exceptions": "Exceptions"},
        results=[Result("analysis.exceptions", int(frame["exceptions"].sum()))],
    )


def flow(a: Analysis) -> Exhibit:
    """CONSORT flow from screening to analysed; raises where the boxes don't add up."""
    ids, values = eligibility.from_adie(a.adie)
    status = eligibility.status(values)
    sl = a.adsl
    boxes: dict[str, tuple] = {
        "screened": ("Screened", len(ids), []),
        "screen_failure": ("Screen failures", int((status == eligibility.SCREEN_FAILURE).sum()), []),
        "pending": ("Pending: a fact is missing", int((status == eligibility.PENDING).sum()), []),
        "eligible": ("Eligible", int((status == eligibility.ELIGIBLE).sum()), []),
        "randomised": ("Randomised", len(sl), []),
    }
    for arm in ARMS:
        mine = sl[sl["TRT01P"] == arm]
        left = mine[mine["EOSSTT"] == "DISCONTINUED"]
        reasons = [
            (str(r), int(n))
            for r, n in left["DCSREAS"].fillna("no reason").value_counts(sort=False).sort_index().items()
        ]
        treated = int((mine["SAFFL"] == "Y").sum())
        evaluable = int((mine["UPCRFL"] == "Y").sum())
        boxes[f"allocated_{arm}"] = (
            f"Allocated to {arm}",
            len(mine),
            [("baseline UPCR below the threshold: not evaluable", len(mine) - evaluable)],
        )
        boxes[f"treated_{arm}"] = (
            "Any infusion",
            treated,
            [("both infusions", int((mine["NINFUS"] == 2).sum()))],
        )
        boxes[f"discontinued_{arm}"] = ("Left before month 12", len(left), reasons)
        boxes[f"analysed_{arm}"] = ("Analysed for the primary endpoint", evaluable, [])
    frame = pd.DataFrame([{"box": name, "label": box[0], "children": box[1]} for name, box in boxes.items()])
    told = "; ".join(f"{box[0]} {box[1]}" for name, box in boxes.items() if "_" not in name)
    arms = "; ".join(
        f"{arm}: allocated {boxes[f'allocated_{arm}'][1]}, analysed {boxes[f'analysed_{arm}'][1]}"
        for arm in ARMS
    )
    return Exhibit(
        "consort",
        "From screened to analysed (CONSORT)",
        frame,
        population="all screened children",
        n=len(ids),
        conventions=("undetermined children count as no remission in the primary analysis", _ARM_ORDER),
        alt=f"Flow chart: {told}. {arms}.",
        figure=figures.consort(boxes),
        results=[
            Result("analysis.n_evaluable_placebo", a.size("Placebo", "UPCRFL")),
            Result("analysis.n_evaluable_msc", a.size("hUC-MSC", "UPCRFL")),
        ],
    )


def counts(a: Analysis) -> dict[str, Result]:
    """Named sizes of the analysis sets, for the chapter's text."""
    out = {}
    for name, flag in (
        ("randomised", "RANDFL"),
        ("safety", "SAFFL"),
        ("protocol", "PPROTFL"),
        ("evaluable", "UPCRFL"),
    ):
        n = int((a.adsl[flag] == "Y").sum())
        out[name] = Result(
            f"analysis.n_{name}", n, text=percent(n, len(a.adsl)) if name != "randomised" else None
        )
    return out


def sets(a: Analysis) -> Exhibit:
    """Analysis sets by arm."""
    rows = [
        {"set": name, "flag": flag, **{arm: percent(a.size(arm, flag), a.size(arm)) for arm in ARMS}}
        for name, flag, *_ in ANALYSIS_SETS
    ]
    return Exhibit(
        "sets",
        "Analysis sets by arm",
        pd.DataFrame(rows),
        population="all randomised",
        n=a.split(),
        columns={"set": "Set", "flag": "Flag in ADSL", **{arm: f"{arm}, n/N (%)" for arm in ARMS}},
        conventions=(_ARM_ORDER,),
    )


def disposition(a: Analysis) -> Exhibit:
    """Completed or left, with reasons, by arm; months of observation."""
    sl = a.adsl
    rows = [
        ("Completed month 12", sl["EOSSTT"] == "COMPLETED"),
        ("Left before", sl["EOSSTT"] == "DISCONTINUED"),
    ]
    rows += [
        (f"{reason} (reason for leaving)", sl["DCSREAS"] == reason)
        for reason in sorted(sl["DCSREAS"].dropna().unique())
    ]
    frame = [
        {
            "item": label,
            **{arm: percent(int((chosen & (sl["TRT01P"] == arm)).sum()), a.size(arm)) for arm in ARMS},
        }
        for label, chosen in rows
    ]
    months = (sl["EOSDT"] - sl["TZERODT"]).dt.days / DAYS_PER_MONTH
    frame.append(
        {
            "item": "Months observed, median (range)",
            **{arm: _range(months[sl["TRT01P"] == arm]) for arm in ARMS},
        }
    )
    return Exhibit(
        "disposition",
        "Disposition by arm",
        pd.DataFrame(frame),
        population="all randomised",
        n=a.split(),
        columns={"item": "Outcome", **{arm: arm for arm in ARMS}},
        conventions=("n/N (%) unless stated", "months counted from the planned last infusion", _ARM_ORDER),
    )


def _range(values: pd.Series, digits: int = 1, nobody: str = "no child") -> str:
    values = values.dropna()
    if values.empty:
        return nobody
    return f"{rounded(values.median(), digits)} ({rounded(values.min(), digits)} to {rounded(values.max(), digits)})"


def _quartiles(values: pd.Series, digits: int) -> str:
    values = values.dropna()
    if values.empty:
        return "none measured"
    q = np.percentile(values, [25, 50, 75])
    low, middle, high = (rounded(float(x), digits) for x in q)
    return f"{middle} ({low} to {high}); n {len(values)}"


def baseline(a: Analysis) -> Exhibit:
    """Baseline by arm, without p-values: randomisation makes any difference chance."""
    sl = a.adsl
    rows = []

    def share(label, chosen):
        rows.append(
            {
                "item": label,
                **{arm: percent(int((chosen & (sl["TRT01P"] == arm)).sum()), a.size(arm)) for arm in ARMS},
            }
        )

    def number(label, values, digits):
        rows.append({"item": label, **{arm: _quartiles(values[sl["TRT01P"] == arm], digits) for arm in ARMS}})

    number("Age, years", sl["AGE"], 1)
    share("Boys", sl["SEX"] == "M")
    for form in ("X-linked", "recessive", "dominant", "digenic"):
        share(f"{form} form", sl["GENOTYPE"] == form)
    number("Height, cm", sl["HEIGHTBL"], 1)
    number("Weight, kg", sl["WEIGHTBL"], 1)
    share("On RAS inhibition", sl["RASFL"] == "Y")
    number("Months on RAS inhibition", sl["RASMON"], 0)
    share("RAS inhibition begun within 3 months", sl["RASMON"] < 3)
    number("UPCR, mg/mg", sl["UPCRBL"], 2)
    number("Urine red cells, /uL", sl["RBCBL"], 0)
    number("eGFR, mL/min/1.73m2", sl["EGFRBL"], 0)
    for code, label, digits in (
        ("PROT24H", "24-hour protein, mg/m2/h", 1),
        ("CREAT", "Creatinine, umol/L", 0),
        ("CYSTATC", "Cystatin C, mg/L", 2),
        ("BUN", "Urea nitrogen, mmol/L", 1),
    ):
        base = a.adlb[(a.adlb["PARAMCD"] == code) & (a.adlb["ABLFL"] == "Y")].set_index("USUBJID")["AVAL"]
        number(label, sl["USUBJID"].map(base), digits)
    return Exhibit(
        "baseline",
        "Children at baseline, by arm",
        pd.DataFrame(rows),
        population="all randomised",
        n=a.split(),
        columns={"item": "", **{arm: f"{arm} (N = {a.size(arm)})" for arm in ARMS}},
        conventions=(
            "n/N (%), or median (quartiles); n measured",
            "no p-values: a difference at baseline is chance by design",
            _ARM_ORDER,
        ),
    )


def exposure(a: Analysis, p: Parameters, infusions: pd.DataFrame) -> Exhibit:
    """Infusions received and cells given, by arm."""
    sl = a.adsl
    rows = [
        {
            "item": label,
            **{
                arm: percent(int(((sl["NINFUS"] == k) & (sl["TRT01P"] == arm)).sum()), a.size(arm))
                for arm in ARMS
            },
        }
        for k, label in ((2, "Two infusions"), (1, "One infusion"), (0, "No infusion"))
    ]
    given = infusions[infusions["given"] == "yes"]
    weight = sl.set_index("USUBJID")["WEIGHTBL"]
    cells = given.assign(
        per_kg=given["cells"] / given["usubjid"].map(weight) / 1e6,
        arm=given["usubjid"].map(sl.set_index("USUBJID")["TRT01P"]),
    )
    rows.append(
        {
            "item": "Million cells per kg and infusion, median (range)",
            **{
                arm: _range(
                    cells.loc[(cells["arm"] == arm) & (cells["cells"] > 0), "per_kg"],
                    2,
                    "none: saline" if arm == "Placebo" else "no infusion",
                )
                for arm in ARMS
            },
        }
    )
    between = (sl["TRTEDT"] - sl["TRTSDT"]).dt.days.where(sl["NINFUS"] == 2)
    rows.append(
        {
            "item": "Days between the infusions, median (range)",
            **{arm: _range(between[sl["TRT01P"] == arm], 0) for arm in ARMS},
        }
    )
    return Exhibit(
        "exposure",
        "Exposure by arm",
        pd.DataFrame(rows),
        population="all randomised",
        n=a.split(),
        method=f"planned: two infusions {p.infusion_gap} days apart, "
        f"{p.cells_per_kg / 1e6:g} million cells per kg each (TR01)",
        columns={"item": "", **{arm: arm for arm in ARMS}},
        conventions=("weight of the screening visit; doses go by the weight on the day", _ARM_ORDER),
    )


def safety(a: Analysis) -> Exhibit:
    """Adverse events after the first infusion by treatment received, with exact intervals."""
    sl = a.adsl[a.adsl["SAFFL"] == "Y"]
    ae = a.adae[a.adae["TRTEMFL"] == "Y"]
    received = sl.set_index("USUBJID")["TRT01A"]
    kinds = [
        ("Any", ae["AEDECOD"].notna()),
        ("Serious", ae["AESER"] == "Y"),
        ("Within 24 h of an infusion", ae["AE24HFL"] == "Y"),
        ("Fever", ae["AEDECOD"] == "fever"),
        ("Infection", ae["AEDECOD"] == "infection"),
        ("Other", ae["AEDECOD"] == "other"),
    ]
    rows, results = [], []
    for label, chosen in kinds:
        row: dict = {"event": label}
        for arm, short in zip(ARMS, ("placebo", "msc"), strict=True):
            mine = ae[chosen & (ae["USUBJID"].map(received) == arm)]
            n, size = int(mine["USUBJID"].nunique()), int((received == arm).sum())
            low, high = clopper_pearson(n, size)
            row[f"{arm}_children"] = percent(n, size)
            row[f"{arm}_interval"] = (
                f"{rounded(100 * low, 1)} to {rounded(100 * high, 1)}" if size else "no child treated"
            )
            row[f"{arm}_low"], row[f"{arm}_high"] = float(low), float(high)
            row[f"{arm}_events"] = len(mine)
            results.append(Result(f"safety.{label.lower().replace(' ', '_')}.{short}", n))
        rows.append(row)
    columns = {"event": "Adverse event"}
    for arm in ARMS:
        columns |= {
            f"{arm}_children": f"{arm}: children",
            f"{arm}_interval": f"{arm}: 95 % interval, %",
            f"{arm}_events": f"{arm}: events",
        }
    sizes = " v ".join(str(int((received == arm).sum())) for arm in ARMS)
    return Exhibit(
        "safety",
        "Adverse events from the first infusion on, by treatment received",
        pd.DataFrame(rows),
        population="safety set, as treated",
        n=sizes,
        method="Clopper-Pearson exact 95 % intervals for the share of children",
        columns=columns,
        conventions=("children n/N (%), then events", "a child with several events counts once", _ARM_ORDER),
        results=results,
    )


def zero_events(a: Analysis) -> dict[str, Result]:
    """What no event in the children treated with hUC-MSC would exclude: the exact upper bounds."""
    n = int((a.adsl["TRT01A"] == "hUC-MSC").sum())
    two_sided = float(clopper_pearson(0, n)[1]) if n else None
    one_sided = float(clopper_pearson(0, n, 0.90)[1]) if n else None
    return {
        "treated": Result("safety.n_treated_msc", n),
        "upper": Result("safety.zero_upper", 100 * two_sided if n else None, "%", 1),
        "upper_one_sided": Result("safety.zero_upper_one_sided", 100 * one_sided if n else None, "%", 1),
    }
