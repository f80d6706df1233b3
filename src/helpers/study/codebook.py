"""The codebook: every table's columns, units, allowed values and keys.

Raw tables have plain lower-case names and hold what a study site would send; analysis tables (ad*) are CDISC
ADaM. `tables` reads, checks and writes by it; the plan chapter prints it.
"""

from dataclasses import dataclass

import numpy as np

from helpers.study.shown import plain

YES_NO = ("yes", "no")
VIROLOGY = ("positive", "negative")
ARMS = ("Placebo", "hUC-MSC")

UNITS = {
    "upcr": "mg/mg",
    "protein_24h": "mg/m2/h",
    "dipstick": "grade",
    "rbc": "/uL",
    "rbc_dysmorphic": "/uL",
    "creatinine": "umol/L",
    "cystatin_c": "mg/L",
    "bun": "mmol/L",
    "height": "cm",
    "weight": "kg",
}
"""Laboratory tests and body measures, with the one unit in which a raw table may hold them."""

STRATA = ("RAS inhibition", "no RAS inhibition")
RAS_AGENTS = ("ACE inhibitor", "ARB")
RESCUE_AGENTS = (
    "calcineurin inhibitor",
    "steroid",
    "SGLT2 inhibitor",
    "finerenone",
    "endothelin antagonist",
    "sparsentan",
    "cell product",
)
"""What counts as rescue treatment; sparsentan blocks the endothelin and the angiotensin receptor."""
TERMINAL = ("death", "kidney replacement", "consent withdrawn for harm")
"""Reasons for leaving after which there is no remission, whatever was not seen."""

EMPTY = np.array(None, object)
"""An empty cell of a text column, as NumPy lays it beside words."""

DIPSTICK = ("negative", "trace", "1+", "2+", "3+", "4+")
"""Dipstick protein by grade 0 to 5."""


SEVERITY = ("mild", "moderate", "severe", "life-threatening", "fatal")
"""Severity of an adverse event, from the least, in plain words of no licensed dictionary."""


@dataclass(frozen=True)
class Column:
    """One column: kind (text, date, number, whole), unit, allowed values or range, may it be empty."""

    name: str
    kind: str
    meaning: str
    unit: str = ""
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    empty: bool = False

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        kinds = {"text": "text", "date": "a date", "number": "a number", "whole": "a whole number"}
        parts = [" or ".join(self.values) or kinds[self.kind]]
        parts += [f"from {plain(self.low)}"] if self.low is not None else []
        parts += [f"to {plain(self.high)}"] if self.high is not None else []
        parts += [self.unit] if self.unit else []
        return " ".join(parts) + (", or empty" if self.empty else "")


@dataclass(frozen=True)
class Table:
    """Title, key columns (unique together), columns in order."""

    title: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def _text(name: str, meaning: str, values: tuple[str, ...] = (), empty: bool = False) -> Column:
    return Column(name, "text", meaning, values=values, empty=empty)


def _fact(name: str, meaning: str) -> Column:
    return Column(name, "text", f"{meaning}; empty = not answered", values=YES_NO, empty=True)


def _date(name: str, meaning: str, empty: bool = False) -> Column:
    return Column(name, "date", meaning, empty=empty)


def _number(
    name: str,
    meaning: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    empty: bool = False,
    kind: str = "number",
) -> Column:
    return Column(name, kind, meaning, unit, low=low, high=high, empty=empty)


def _whole(
    name: str,
    meaning: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    empty: bool = False,
) -> Column:
    return _number(name, meaning, unit, low, high, empty, "whole")


def _flag(name: str, meaning: str) -> Column:
    return Column(name, "text", meaning, values=("Y", "N"))


_IDS = (
    _text("STUDYID", "trial"),
    _text("USUBJID", "child's identifier"),
    _text("TRT01P", "allocated treatment", ARMS),
    _whole("TRT01PN", "the same as a number", "", 0, 1),
)
CHILD = _text("usubjid", "child's identifier")
LAB_LIMITS = {
    "upcr": (0, 100),
    "protein_24h": (0, 2000),
    "dipstick": (0, 5),
    "rbc": (0, 1e6),
    "rbc_dysmorphic": (0, 1e6),
    "creatinine": (5, 2000),
    "cystatin_c": (0.1, 15),
    "bun": (0.2, 100),
    "height": (50, 220),
    "weight": (5, 200),
}
_LAB = {name: (UNITS[name], *LAB_LIMITS[name]) for name in UNITS}

TABLES = {
    "screening": Table(
        "Everyone screened: one row a child, as recorded on the day of consent",
        ("usubjid",),
        (
            CHILD,
            _date("consent_date", "day of consent and of the screening samples"),
            _date("birth_date", "date of birth", empty=True),
            _text("sex", "sex", ("male", "female")),
            _text("genotype", "form of Alport syndrome", ("X-linked", "recessive", "dominant", "digenic")),
            _text(
                "variant",
                "classification of the variant found",
                ("pathogenic", "likely pathogenic", "uncertain significance", "none found", "not tested"),
            ),
            _text(
                "zygosity",
                "zygosity of the variant",
                ("hemizygous", "heterozygous", "homozygous", "compound heterozygous", "two genes"),
                empty=True,
            ),
            _text("gene", "gene of the variant", ("COL4A5", "COL4A3/4", "two genes"), empty=True),
            _text("biopsy", "kidney biopsy", ("diagnostic", "not diagnostic", "not done")),
            _number("height", "height", *_LAB["height"], empty=True),
            _number("weight", "weight", *_LAB["weight"], empty=True),
            _number("creatinine", "serum creatinine", *_LAB["creatinine"], empty=True),
            _number("cystatin_c", "serum cystatin C", *_LAB["cystatin_c"], empty=True),
            _number("bun", "serum urea nitrogen", *_LAB["bun"], empty=True),
            _number("upcr", "urine protein/creatinine ratio", *_LAB["upcr"], empty=True),
            _number("protein_24h", "24-hour urine protein", *_LAB["protein_24h"], empty=True),
            _text("dipstick", "dipstick protein", DIPSTICK, empty=True),
            _number("rbc", "urine red cells", *_LAB["rbc"], empty=True),
            _number("rbc_dysmorphic", "of these dysmorphic", *_LAB["rbc_dysmorphic"], empty=True),
            _fact("ras_inhibitor", "on an ACE inhibitor or ARB"),
            _date("ras_since", "start of it", empty=True),
            _fact("infection", "any infection in the last 28 days"),
            _date("infection_date", "its last day", empty=True),
            *(
                _text(test, f"{test} test; empty = not done", VIROLOGY, empty=True)
                for test in ("hbsag", "hcv", "hiv", "syphilis", "anti_hbs")
            ),
            _fact("allergic_state", "allergic state or related clinical manifestations"),
            _fact("consent", "informed consent signed"),
            _fact("other_renal", "another renal disease"),
            _fact("severe_allergy", "severe allergic reaction in the past"),
            _whole("food_allergies", "number of foods", "", 0, 50, empty=True),
            _whole("drug_allergies", "number of drugs", "", 0, 50, empty=True),
            _fact("stem_cell_allergy", "allergy to stem cells or ingredients"),
            _fact("heart", "severe heart dysfunction"),
            _fact("liver", "severe liver dysfunction"),
            _fact("lung", "severe lung dysfunction"),
            _fact("other_organ", "severe dysfunction of another organ"),
            _fact("tumour", "tumour"),
            _fact("malformation", "malformation of the urinary system; empty = not imaged"),
            _fact("autoimmune", "autoimmune disease"),
            _fact("immunosuppressant", "regular use of immunosuppressants"),
            _fact("infection_uncontrolled", "serious infection not under control"),
            _fact("surgery", "surgery in the last 6 months"),
            _date("surgery_date", "its date", empty=True),
            _fact("trauma", "acute trauma in the last 6 months"),
            _date("trauma_date", "its date", empty=True),
            _fact("blood_loss", "blood loss in the last 6 months"),
            _number("blood_loss_ml", "its amount", "mL", 0, 5000, empty=True),
            _date("blood_loss_date", "its date", empty=True),
            _fact("other_study", "took part in another study in the last 6 months"),
            _date("other_study_date", "last day of it", empty=True),
            _fact("cell_product", "received a cell product in the last 24 months"),
            _date("cell_product_date", "last day of it", empty=True),
            _fact("unsuitable", "unsuitable in the investigator's judgement"),
        ),
    ),
    "adie": Table(
        "Inclusion and exclusion criteria: one row a child and criterion (ADIE)",
        ("USUBJID", "IETESTCD"),
        (
            _text("USUBJID", "child's identifier"),
            _text("IETESTCD", "criterion, I1 to I8 and E1 to E15"),
            _text("IETEST", "registered text of the criterion"),
            _text("IECAT", "category", ("INCLUSION", "EXCLUSION")),
            _text(
                "AVALC",
                "MET: the child passes this criterion (an inclusion is fulfilled, an exclusion is absent); "
                "NOT MET: the child fails it; UNKNOWN: the data don't say",
                ("MET", "NOT MET", "UNKNOWN"),
            ),
        ),
    ),
    "randomisation": Table(
        "Randomisation list in use: one row a randomised child",
        ("usubjid",),
        (
            CHILD,
            _date("randomisation_date", "day of randomisation"),
            _whole("sequence", "order of randomisation", "", 1),
            _whole("block", "permuted block", "", 1),
            _text("stratum", "stratum of the list; empty = a list without strata", STRATA, empty=True),
            _text("arm", "allocated treatment", ARMS),
        ),
    ),
    "infusions": Table(
        "Infusions: one row a child and planned infusion",
        ("usubjid", "infusion"),
        (
            CHILD,
            _whole("infusion", "first or second", "", 1, 2),
            _date("planned_date", "planned day"),
            _date("date", "day given; empty = not given", empty=True),
            _fact("given", "given"),
            _text("product", "what was given", ARMS, empty=True),
            _number("cells", "cells given", "cells", 0, 1e10, empty=True),
            _text("reason", "why postponed or not given", empty=True),
        ),
    ),
    "visits": Table(
        "Visits: one row a child and planned visit",
        ("usubjid", "visit_no"),
        (
            CHILD,
            _whole(
                "visit_no",
                "0 screening, 1 baseline (a second sample, on the day of randomisation or of the first infusion), "
                "2 to 12 the eleven follow-up visits",
                "",
                0,
                12,
            ),
            _text("visit", "name of the visit"),
            _date("planned_date", "target day"),
            _date("date", "day attended; empty = not attended", empty=True),
            _fact("attended", "attended"),
            _text("reason", "why not attended", ("missed", "left the trial"), empty=True),
        ),
    ),
    "labs": Table(
        "Laboratory values and body measures: one row a child, visit and test",
        ("usubjid", "visit_no", "test"),
        (
            CHILD,
            _whole("visit_no", "as in visits", "", 0, 12),
            _date("date", "day of the sample"),
            _text("test", "what was measured", tuple(UNITS)),
            _number("value", "value at the laboratory's reporting precision", "as in unit", 0),
            _text("unit", "unit", tuple(dict.fromkeys(UNITS.values()))),
            _text(
                "qualifier",
                "'<' or '>': below or above the limit of quantification, which stands as the value",
                ("<", ">"),
                empty=True,
            ),
        ),
    ),
    "events": Table(
        "Adverse events: one row an event",
        ("usubjid", "event_no"),
        (
            CHILD,
            _whole("event_no", "number within the child", "", 1),
            _text("event", "kind of event", ("fever", "infection", "other")),
            _text("term", "what happened, in the site's plain words"),
            _date("start_date", "first day"),
            _date("end_date", "last day; empty = ongoing at the last contact", empty=True),
            _text("severity", "severity; empty = not judged", SEVERITY, empty=True),
            _fact("serious", "serious"),
            _fact("related", "held by the site for possibly caused by an infusion"),
            _fact("within_24h", "began within 24 h of an infusion"),
        ),
    ),
    "treatments": Table(
        "Changes of other treatment after randomisation: one row a change",
        ("usubjid", "date", "treatment", "change"),
        (
            CHILD,
            _date("date", "day of the change"),
            _text("treatment", "what", ("RAS inhibitor", "rescue")),
            _text(
                "change",
                "started (RAS inhibition in a child without it, a second agent or another class), raised, lowered or "
                "stopped",
                ("started", "raised", "lowered", "stopped"),
            ),
            _text("agent", "class of the drug", (*RAS_AGENTS, *RESCUE_AGENTS), empty=True),
            _number(
                "dose_ratio",
                "dose per kg of body weight after a raise or a reduction, over that before; empty = not recorded",
                "ratio",
                0,
                100,
                empty=True,
            ),
        ),
    ),
    "disposition": Table(
        "End of the trial for each randomised child",
        ("usubjid",),
        (
            CHILD,
            _text(
                "status",
                "completed month 12, left before, or still followed when the tables were made",
                ("completed", "left", "ongoing"),
            ),
            _text(
                "reason",
                "why left",
                ("family's wish", "moved away", "adverse event", "lost to follow-up", *TERMINAL),
                empty=True,
            ),
            _date("date", "last contact"),
        ),
    ),
    "adsl": Table(
        "Subject-level analysis data (ADSL): one row a randomised child, in the order of randomisation",
        ("USUBJID",),
        (
            *_IDS,
            _text(
                "SUBJID", "child's identifier at the site; the raw tables know one only, so it equals USUBJID"
            ),
            _text("SITEID", "site; NOT REPORTED: no raw table holds it", ("NOT REPORTED",)),
            _text("ARM", "planned arm: as allocated, equals TRT01P", ARMS),
            _text("TRT01A", "treatment received; empty = none", ARMS, empty=True),
            _whole("TRT01AN", "the same as a number", "", 0, 1, empty=True),
            _number("AGE", "age at consent", "years", 0, 19, empty=True),
            _text("AGEU", "unit of AGE", ("YEARS",)),
            _text("SEX", "sex", ("M", "F")),
            _text("RACE", "race; NOT REPORTED: no raw table holds it", ("NOT REPORTED",)),
            _text("GENOTYPE", "form of Alport syndrome", ("X-linked", "recessive", "dominant", "digenic")),
            _number("HEIGHTBL", "height at screening", "cm", 50, 220, empty=True),
            _number("WEIGHTBL", "weight at screening", "kg", 5, 200, empty=True),
            _flag("RASFL", "on RAS inhibition at consent"),
            _number("RASMON", "months since its start", "months", 0, 240, empty=True),
            _number("UPCRBL", "baseline UPCR", "mg/mg", 0, 100, empty=True),
            _number("RBCBL", "baseline urine red cells", "/uL", 0, 1e6, empty=True),
            _number("EGFRBL", "baseline eGFR by the plan's method", "mL/min/1.73m2", 0, 600, empty=True),
            _date("RANDDT", "randomisation"),
            _date("TRTSDT", "first infusion given", empty=True),
            _date("TRTEDT", "last infusion given", empty=True),
            _date("TZERODT", "time zero: planned day of the last infusion"),
            _whole("NINFUS", "infusions given", "", 0, 2),
            _flag("RANDFL", "in the set of all randomised"),
            _flag("SAFFL", "in the safety set: any infusion"),
            _flag("PPROTFL", "per protocol: both infusions, no rescue"),
            _flag(
                "UPCRFL",
                "evaluable for remission of proteinuria: baseline UPCR at the threshold or above; the primary counts "
                "the others as no remission",
            ),
            _flag("HEMFL", "evaluable for remission of haematuria"),
            _flag("GFRFL", "evaluable for improvement of renal function"),
            _date("RESCDT", "first rescue treatment", empty=True),
            _date("RASCHDT", "first start or rise of RAS inhibition after randomisation", empty=True),
            _date("RASSTDT", "first stop or reduction of RAS inhibition after randomisation", empty=True),
            _date(
                "NOREMDT",
                "first day from which there is no remission: rescue, death, kidney replacement, consent withdrawn for "
                "harm",
                empty=True,
            ),
            _text(
                "EOSSTT", "end of study; ONGOING: still followed", ("COMPLETED", "DISCONTINUED", "ONGOING")
            ),
            _text("DCSREAS", "reason for leaving", empty=True),
            _date("EOSDT", "last contact"),
        ),
    ),
    "adlb": Table(
        "Laboratory analysis data (ADLB): one row a child, parameter and analysis visit with a value",
        ("USUBJID", "PARAMCD", "AVISITN"),
        (
            *_IDS,
            _text("PARAMCD", "parameter code"),
            _text("PARAM", "parameter with unit"),
            _text("AVISIT", "analysis visit"),
            _whole("AVISITN", "0 baseline, 1 to 11 the follow-up visits", "", 0, 11),
            _date("ADT", "day of the sample"),
            _whole("ADY", "day counted from time zero (day 0)", "days"),
            _number("MONTH", "analysis time: target day / 30.4375", "months"),
            _number("AVAL", "value", "as in PARAM", 0),
            _number("BASE", "baseline value", "as in PARAM", 0, empty=True),
            _number("CHG", "AVAL - BASE", "as in PARAM", empty=True),
            _number("PCHG", "100 CHG / BASE", "%", empty=True),
            _text("ABLFL", "Y: the baseline record", ("Y",), empty=True),
            _text("ANL01FL", "Y: the record that analyses use", ("Y",)),
            _text(
                "DTYPE",
                "AVERAGE: mean of two baseline samples, geometric for UPCR, 24-hour protein and red cells",
                ("AVERAGE",),
                empty=True,
            ),
            _text(
                "AVALCAT1",
                "state against baseline, none after rescue",
                ("complete", "partial", "remission", "improved", "none"),
                empty=True,
            ),
            _text(
                "LOQFL",
                "Y: below the limit of quantification, which stands as AVAL (or AVAL is computed from it); H: above it",
                ("Y", "H"),
                empty=True,
            ),
        ),
    ),
    "adtte": Table(
        "Time-to-event analysis data (ADTTE): one row a child, endpoint and kind",
        ("USUBJID", "PARAMCD"),
        (
            *_IDS,
            _text(
                "PARAMCD",
                "endpoint (UPCR, P24, DIP, HEM, GFR) and F first, C confirmed, S sustained, A confirmed by actual days",
            ),
            _text("PARAM", "in words"),
            _date("STARTDT", "time zero"),
            _date("ADT", "day of the event or of censoring"),
            _number(
                "AVAL",
                "months from time zero by target day, to the first visit of it, or to the last visit at which it could "
                "still be seen",
                "months",
                0,
            ),
            _text("AVALU", "unit", ("MONTHS",)),
            _whole("CNSR", "0 event, 1 censored, 2 not evaluable at baseline", "", 0, 2),
            _text("EVNTDESC", "what AVAL dates"),
            _flag("ANL01FL", "Y: evaluable, used by analyses"),
            _number("LMONTH", "left end of the interval (L, R] that holds the event", "months"),
            _number("RMONTH", "its right end; empty = not seen", "months", empty=True),
            _number("ACTMONTH", "months from time zero by actual day", "months"),
            _number("EOSMONTH", "AVAL if censored at the end of observation instead", "months", 0),
            _number(
                "CNFMONTH",
                "AVAL if a confirmed remission is dated at the visit that confirms it, and censored at the last "
                "assessment",
                "months",
                0,
            ),
            _number(
                "HORIZON", "last month at which it may begin and still be seen by the last visit", "months", 0
            ),
        ),
    ),
    "adae": Table(
        "Adverse event analysis data (ADAE): one row an event",
        ("USUBJID", "AESEQ"),
        (
            *_IDS,
            _whole("AESEQ", "number within the child", "", 1),
            _text("TRT01A", "treatment received; empty = none", ARMS, empty=True),
            _text("AETERM", "event as the site reported it, in its plain words"),
            _text(
                "AEDECOD", "kind of event; no licensed dictionary is used", ("fever", "infection", "other")
            ),
            _date("ASTDT", "first day"),
            _date("AENDT", "last day; empty = ongoing at the last contact", empty=True),
            _whole("ASTDY", "first day counted from time zero", "days"),
            _whole(
                "ADURN", "days that it lasted, the first one counted; empty = ongoing", "days", 1, empty=True
            ),
            _text(
                "AEENRTPT", "ONGOING: not known to have ended by the last contact", ("ONGOING",), empty=True
            ),
            _text("AESEV", "severity in the plan's five words; empty = not judged", SEVERITY, empty=True),
            _text("AESER", "serious; empty = not answered", ("Y", "N"), empty=True),
            _text(
                "AEREL", "held for possibly caused by an infusion; empty = not judged", ("Y", "N"), empty=True
            ),
            _flag("AE24HFL", "began within 24 h of an infusion"),
            _flag("TRTEMFL", "began on or after the first infusion"),
        ),
    ),
}
