"""What a named result was computed of: data set, variable, records, children, and the estimand that it serves.

A register by beginnings of result keys, so that a result says the same in every file that leaves the report. Its rows
are made from what the analyses themselves loop over (measures, endpoints, kinds, visits, clocks) and from the
estimands; the longest beginning counts. It depends on the plan only where a reading decides which parameter is judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from helpers.analysis import (
    adam,
    course,
    laboratory_safety,
    missing_data,
    open_choices,
    remission,
    safety,
    sequence,
    strategies,
)
from helpers.chapters.adam_derivations import STATES
from helpers.chapters.sensitivity import HANDLINGS, IMPUTED, subgroup_key
from helpers.chapters.time_to_remission import CLOCKS, ENDPOINTS
from helpers.chapters.words import plain
from helpers.study.codebook import TABLES, UNITS
from helpers.study.estimands import ESTIMANDS, Estimand
from helpers.study.parameters import Parameters
from helpers.study.protocol import LAST, VISITS

PLANNED, RECEIVED = "TRT01P", "TRT01A"
"""The arm that an analysis compares: as randomised, or as treated."""

MAIN, SENSITIVITY, SUPPLEMENTARY = "main", "sensitivity", "supplementary"
EXPLORATORY, SAFETY, DESCRIPTION = "exploratory", "safety", "description"
REPEATED = "repeated"
"""What an analysis is for. The first three are about an estimand; the last is shown elsewhere already."""

PRIMARY, AT_LAST_VISIT = "Remission of proteinuria", "Remission of proteinuria at month 12"
TIME, WEIGHTED, COURSE = (
    "Time to confirmed remission of proteinuria",
    "Time-weighted mean of UPCR",
    "Course of UPCR",
)
HAEMATURIA, RENAL = "Remission of haematuria", "Renal function improvement"
"""Names of estimands."""


@dataclass(frozen=True)
class Condition:
    """Records are chosen by a variable of a table and the values that it may have."""

    dataset: str
    variable: str
    values: tuple[str, ...]
    differs: bool = False
    """Whether the values are those that it may not have; one empty value is a missing one."""
    order: str = ""
    """Of a number: LT, LE, GT or GE than the one value."""


@dataclass(frozen=True)
class Analysed:
    """What a result was computed of.

    dataset, variable: the table and what of it is analysed; where: conditions on records, all of which hold; flag: of
    ADSL, which marks the children ("" = of another table than ADSL); known: a variable of ADSL that each of them must
    have; limit: a condition on ADSL beside it; group: (variable of ADSL, value) of a subgroup; arm: by which treatment
    they are grouped; estimand, kind: what it is for; registered: whether the outcome stands in the registration;
    compared: whether a result of no arm compares both; statistic: the operation of keys that end without one; said:
    what else is to be told of it, in sentences; repeats: beginning of the keys whose analysis it shows again.
    """

    dataset: str
    variable: str
    where: tuple[Condition, ...] = ()
    flag: str = "RANDFL"
    known: str = ""
    limit: Condition | None = None
    group: tuple[str, str] = ("", "")
    arm: str = PLANNED
    estimand: str = ""
    kind: str = EXPLORATORY
    registered: bool = False
    compared: bool = True
    statistic: str = ""
    said: str = ""
    repeats: str = ""

    @property
    def answers(self) -> Estimand | None:
        """The estimand that it is about."""
        return next((one for one in ESTIMANDS if one.name == self.estimand), None)


def register(p: Parameters) -> dict[str, Analysed]:
    """Beginning of result keys -> what those results were computed of, under the plan's readings."""
    return {
        **_received(),
        **_collected(),
        **_sets(),
        **_remission(p),
        **_sensitivity(p),
        **_courses(p),
        **_times(),
        **_safety(),
        **_laboratory(p),
    }


def found(known: Mapping[str, Analysed], key: str) -> tuple[str, Analysed | None]:
    """(Longest beginning of a key in a register, its row); an empty text and None where there is none.

    A beginning ends where a word, or a part of one before `_`, ends.

    >>> found({"a": 1, "a.b": 2}, "a.b_c"), found({"a": 1, "a.b": 2}, "a.bc"), found({"a": 1}, "b")
    (('a.b', 2), ('a', 1), ('', None))
    """
    for cut in range(len(key), 0, -1):
        if key[cut : cut + 1] in ("", ".", "_") and key[:cut] in known:
            return key[:cut], known[key[:cut]]
    return "", None


def parameter(dataset: str, *codes: str) -> tuple[Condition, ...]:
    """The records of some parameters."""
    return (Condition(dataset, "PARAMCD", codes),)


USED = Condition("ADLB", "ANL01FL", ("Y",))
"""The records of ADLB that analyses use."""
AFTER = Condition("ADLB", "ABLFL", ("Y",), differs=True)
"""Those after baseline."""
HAPPENED = Condition("ADTTE", "CNSR", ("0",))
"""The event was seen."""


def at(visit: str) -> Condition:
    return Condition("ADLB", "AVISIT", (visit,))


def event(code: str, **more: object) -> Analysed:
    """Children with an event of ADTTE, of all of a set: who is not evaluable has none."""
    where = (*parameter("ADTTE", code), HAPPENED)
    return replace(Analysed("ADTTE", "CNSR", where, statistic="share"), **more)


def state(code: str, visit: str = "", **more: object) -> Analysed:
    """The state of children against their baseline, at a visit or at all of them."""
    where = (*parameter("ADLB", code), USED, *([at(visit)] if visit else []))
    return replace(Analysed("ADLB", "AVALCAT1", where), **more)


def reached(measure: str, code: str, visit: str, **more: object) -> Analysed:
    """Children in a state that counts for an endpoint at a visit, of all of a set: its last state is none."""
    found = state(code, visit)
    where = (*found.where, Condition("ADLB", "AVALCAT1", STATES[measure][0][:-1]))
    return replace(found, where=where, statistic="share", **more)


def after(code: str, **more: object) -> Analysed:
    """Laboratory values of children at all visits after baseline."""
    found = values(code)
    return replace(found, where=(*found.where, AFTER), **more)


def values(code: str, visit: str = "", **more: object) -> Analysed:
    """Laboratory values of children, at a visit or at all of them."""
    return replace(state(code, visit), variable="AVAL", **more)


RATIO = "Analysed is log (ADLB.AVAL / ADLB.BASE)."
MODEL = "The baseline is a covariate."
JUDGED = "Judged again from the values, by the rule that the key names, against ADLB.BASE."
"""What is told of some analyses."""


def _received() -> dict[str, Analysed]:
    """Results of own data alone: what arrived, and what was observed beside what is assumed."""
    told = {"flag": "", "kind": DESCRIPTION, "compared": False}
    return {
        "arrived.n_screened": Analysed("SCREENING", "usubjid", **told),
        "arrived.n_randomised": Analysed("RANDOMISATION", "usubjid", **told),
        "arrived.off_window": Analysed("VISITS", "date", **told),
        **{f"arrived.{test}": Analysed("LABS", "value", **told) for test in UNITS},
        "operating.observed.noise": values("PROTCRT", kind=DESCRIPTION, compared=False),
        "operating.observed.dropout": Analysed("ADSL", "EOSSTT", kind=DESCRIPTION, compared=False),
    }


def _collected() -> dict[str, Analysed]:
    """Results on the raw tables, and of the criteria on everyone screened."""
    screened = {"flag": "", "kind": DESCRIPTION, "compared": False}
    randomised = {"kind": DESCRIPTION, "compared": False}
    names = {"n_screened": "usubjid", "boys": "sex", "x_linked": "genotype", "upcr_median": "upcr"}
    counted = {"boys": "male", "x_linked": "X-linked"}
    followed = {
        "n_randomised": ("RANDOMISATION", "usubjid", ()),
        "n": ("RANDOMISATION", "arm", ()),
        "n_left": ("DISPOSITION", "status", ("left",)),
        "visits_attended": ("VISITS", "attended", ("yes",)),
        "infusions_given": ("INFUSIONS", "given", ("yes",)),
        "recruitment_months": ("RANDOMISATION", "randomisation_date", ()),
    }

    def those(dataset: str, variable: str, told: tuple[str, ...]) -> tuple[Condition, ...]:
        return (Condition(dataset, variable, told),) if told else ()

    first = Condition("VISITS", "visit_no", (str(VISITS[0].number),), order="GE")
    totals = {
        "VISITS": f"The total: the records of VISITS with {first.variable} of {first.values[0]} or more.",
        "INFUSIONS": "The total: the records of INFUSIONS, one a planned infusion.",
    }
    return {
        **{
            f"screening.{key}": Analysed(
                "SCREENING",
                name,
                those("SCREENING", name, (counted[key],) if key in counted else ()),
                **screened,
            )
            for key, name in names.items()
        },
        "eligibility": Analysed("ADIE", "AVALC", **screened),
        # the criteria applied again, under another reading
        "eligibility.most_contested": Analysed("SCREENING", "usubjid", **screened),
        **{
            f"follow_up.{key}": Analysed(
                dataset,
                name,
                (*those(dataset, name, told), *([first] if dataset == "VISITS" else [])),
                said=totals.get(dataset, ""),
                **randomised,
            )
            for key, (dataset, name, told) in followed.items()
        },
    }


def _sets() -> dict[str, Analysed]:
    """Sizes of the analysis sets."""
    flags = {"randomised": "RANDFL", "safety": "SAFFL", "protocol": "PPROTFL", "evaluable": "UPCRFL"}
    return {
        f"analysis.n_{name}": Analysed(
            "ADSL", flag, (Condition("ADSL", flag, ("Y",)),), kind=DESCRIPTION, compared=False
        )
        for name, flag in flags.items()
    }


def _remission(p: Parameters) -> dict[str, Analysed]:
    """The primary endpoint, the sequence of tests, every visit, every measure."""
    primary = event("UPCRC", estimand=PRIMARY)
    main, beside = replace(primary, kind=MAIN, registered=True), replace(primary, kind=SUPPLEMENTARY)
    again = replace(main, kind=REPEATED, repeats="remission.primary")
    last = reached("UPCR", "PROTCRT", LAST, estimand=AT_LAST_VISIT, kind=MAIN)
    last_again = replace(last, kind=REPEATED, repeats=f"remission.sequence.{sequence.LAST}")
    mean = after(
        "PROTCRT",
        known="UPCRBL",
        estimand=WEIGHTED,
        said="Analysed is the time-weighted mean of log (ADLB.AVAL), adjusted for log (ADSL.UPCRBL).",
    )
    tiles = state("PROTCRT", flag="UPCRFL", compared=False, said="Counted are records, not children.")
    made = {
        "remission.primary": main,
        "remission.primary.evaluable": replace(beside, flag="UPCRFL"),
        "remission.primary.undetermined": state("PROTCRT", estimand=PRIMARY, kind=SENSITIVITY),
        f"remission.sequence.{sequence.CONFIRMED}": again,
        f"remission.sequence.{sequence.WEIGHTED}": replace(mean, kind=MAIN),
        f"remission.sequence.{sequence.LAST}": last,
        f"remission.sequence.{sequence.HC2}": replace(mean, kind=SENSITIVITY),
        f"remission.sequence.{sequence.AFTER_RESCUE}": replace(mean, kind=SUPPLEMENTARY),
        "remission.supplement": beside,
        "remission.supplement.adjusted": replace(beside, known="UPCRBL", statistic=""),
        "remission.all_randomised": again,
        "remission.evaluable": replace(beside, flag="UPCRFL"),
        "remission.per_protocol": replace(beside, flag="PPROTFL"),
        "remission.tiles": tiles,
        "remission.tiles.in_remission": replace(
            tiles,
            where=reached("UPCR", "PROTCRT", "").where,
            said=f"{tiles.said} The total: those with a state.",
        ),
        **{
            f"remission.tiles.{word}": replace(
                tiles, where=(*tiles.where, Condition("ADLB", "AVALCAT1", (word,)))
            )
            for word in STATES["UPCR"][0]
        },
        "remission.ever": event("UPCRF"),
    }
    for visit in VISITS:
        key = f"remission.visit.{visit.name.lower().replace(' ', '')}"
        made[key] = last_again if visit.name == LAST else reached("UPCR", "PROTCRT", visit.name)
    answered = {
        "UPCR": again,
        "P24": replace(beside, registered=True),
        "DIP": replace(beside, registered=True),
    }
    flags = {"HEM": ("HEMFL", HAEMATURIA), "GFR": ("GFRFL", RENAL)}
    for measure in remission.MEASURES:
        flag, estimand = flags.get(measure, ("RANDFL", PRIMARY))
        for kind, letter in remission.KINDS.items():
            key = f"remission.{measure.lower()}.{kind}"
            made[key] = event(f"{measure}{letter}", flag=flag, estimand=estimand)
            if letter == "C":
                first = answered.get(measure) or replace(made[key], kind=MAIN, registered=True)
                made[key] = replace(first, where=made[key].where)
        judged = adam.endpoint_paramcd(measure, p)
        of = AT_LAST_VISIT if measure in remission.PROTEIN else estimand
        at_last = reached(measure, judged, LAST, flag=flag, estimand=of)
        kind = SUPPLEMENTARY if measure in remission.PROTEIN else EXPLORATORY
        made[f"remission.{measure.lower()}.{remission.AT_LAST}"] = replace(at_last, kind=kind)
    made[f"remission.upcr.{remission.AT_LAST}"] = last_again
    for pair in remission.PAIRS:
        where = (*parameter("ADTTE", *(f"{one}C" for one in pair)), Condition("ADTTE", "ANL01FL", ("Y",)))
        for word in ("agreement", "kappa"):
            key = f"remission.{word}.{'_'.join(pair).lower()}"
            both = "Of children whose ADTTE.ANL01FL is Y for both parameters, who are the total."
            flag = "UPCRFL" if "UPCR" in pair else "RANDFL"
            made[key] = Analysed("ADTTE", "CNSR", where, flag=flag, compared=False, statistic=word, said=both)
    return made


def _sensitivity(p: Parameters) -> dict[str, Analysed]:
    """What absent values, other strategies, subgroups and open choices do to the primary endpoint."""
    primary = event("UPCRC", estimand=PRIMARY)
    # who has an event, is undetermined or is censored: all of them count
    every = replace(primary, where=parameter("ADTTE", "UPCRC"), statistic="", kind=SENSITIVITY)
    again = after("PROTCRT", estimand=PRIMARY, statistic="share", said=JUDGED)
    shown = replace(primary, registered=True, kind=REPEATED, repeats="remission.primary")
    choice = "remission.choice"
    return {
        "remission.tipping": every,
        **_handlings(every),
        "remission.estimand": replace(again, kind=SUPPLEMENTARY),
        "remission.estimand.main": replace(
            again, kind=REPEATED, repeats="remission.primary", registered=True
        ),
        "remission.estimand.per_protocol": replace(again, kind=SUPPLEMENTARY, flag="PPROTFL"),
        **{
            subgroup_key(*group): replace(primary, group=group)
            for variable in strategies.SUBGROUPS
            for group in ((variable, value) for value in allowed("adsl", variable))
        },
        f"{choice}.{open_choices.PLAN}": shown,
        **{
            f"{choice}.{moment}": event(f"UPCR{letter}", estimand=PRIMARY)
            for letter, moment in adam.KINDS.items()
            if moment in open_choices.MOMENTS
        },
        f"{choice}.{open_choices.AT_LAST}": reached("UPCR", "PROTCRT", LAST, estimand=PRIMARY),
        choice: again,
        f"{choice}.{open_choices.ACTUAL}": event("UPCRA", estimand=PRIMARY),
        **{
            f"{choice}.{measure.lower()}": event(f"{measure}C", estimand=PRIMARY)
            for measure in open_choices.MEASURES
        },
    }


def _handlings(every: Analysed) -> dict[str, Analysed]:
    """The rows of the exhibit of missing data, in its order: what was counted, what was imputed, then the course."""
    deltas = {"delta": missing_data.DELTAS}
    imputed = [(handling, delta) for handling in IMPUTED for delta in deltas.get(handling, (1.0,))]
    made: dict[str, Analysed] = {}
    for outcome, key in ((missing_data.REMISSION, "primary"), (missing_data.COURSE, "upcr")):
        counted = [(handling, 1.0) for known, handling in HANDLINGS if known == outcome]
        for handling, delta in [*counted, *imputed]:
            words = HANDLINGS.get((outcome, handling)) or IMPUTED[handling].format(delta=plain(delta))
            how = "multiple imputation, " if handling in IMPUTED else ""
            course_of = after("PROTCRT", known="UPCRBL", estimand=COURSE, kind=SENSITIVITY)
            if outcome == missing_data.REMISSION:
                course_of = (
                    every if handling not in IMPUTED else after("PROTCRT", estimand=PRIMARY, kind=SENSITIVITY)
                )
            words = f"Handling of missing data: {how}{words}."
            at_last = f" Compared at {LAST}. {RATIO}" if outcome == missing_data.COURSE else ""
            of = replace(course_of, said=f"{words}{at_last}", statistic="estimate")
            made[f"remission.missing.{key}_{len(made)}"] = of
    return made


def _courses(p: Parameters) -> dict[str, Analysed]:
    """Laboratory values over the visits."""
    # what the course by visit serves, what the models serve, the variable of ADSL with the baseline
    told = {
        "upcr": ((COURSE, MAIN), (COURSE, SENSITIVITY), "UPCRBL"),
        "rbc": ((HAEMATURIA, SUPPLEMENTARY), (HAEMATURIA, SUPPLEMENTARY), "RBCBL"),
        "egfr": ((RENAL, SUPPLEMENTARY), (RENAL, SUPPLEMENTARY), "EGFRBL"),
    }
    made, fitted = {}, {}
    for name, measure in course.measures(p).items():
        by_visit, model, baseline = told[name]
        key, variable = f"longitudinal.{name}", "AVAL" if measure.ratio else "CHG"
        whole = values(measure.paramcd, estimand=by_visit[0], kind=by_visit[1])
        seen = after(measure.paramcd, estimand=by_visit[0], kind=by_visit[1])
        outcome = RATIO if measure.ratio else ""
        later = replace(seen, variable=variable, known=baseline, said=outcome)
        fitted[name] = replace(later, estimand=model[0], kind=model[1], said=f"{outcome} {MODEL}".strip())
        made |= {
            key: replace(seen, kind=DESCRIPTION, estimand="", compared=False),
            f"{key}.baseline": replace(
                whole, where=(*whole.where, Condition("ADLB", "ABLFL", ("Y",))), statistic="mean"
            ),
            f"{key}.{'ratio' if measure.ratio else 'change'}_month12": replace(
                later, where=(*seen.where, at(LAST)), statistic="mean_change"
            ),
            f"{key}.better_at_last": replace(later, kind=EXPLORATORY, estimand="", statistic="share"),
            f"{key}.mmrm": fitted[name],
        }
    made["longitudinal.upcr.ancova"] = replace(fitted["upcr"], where=(*fitted["upcr"].where, at(LAST)))
    # whose baseline is an observation, and no covariate
    slope = values(course.measures(p)["egfr"].paramcd, known="EGFRBL", statistic="slope")
    estimand, kind = told["egfr"][1]
    made["longitudinal.egfr.slope"] = replace(slope, estimand=estimand, kind=kind)
    return made


def _times() -> dict[str, Analysed]:
    """Times to remission, by endpoint and clock."""
    made = {}
    for code, (key, _) in ENDPOINTS.items():
        of_protein = code.startswith("UPCR")
        where = (*parameter("ADTTE", code), Condition("ADTTE", "ANL01FL", ("Y",)))
        for clock, (prefix, _, _) in CLOCKS.items():
            if (code[-1] == "A") != (clock == "ACTMONTH"):
                continue
            kind = MAIN if code[-1] == "C" else SUPPLEMENTARY
            name = f"ttr.{prefix}{key}"
            made[name] = Analysed(
                "ADTTE",
                clock,
                where,
                flag="UPCRFL" if of_protein else "HEMFL",
                estimand=TIME if of_protein else "",
                kind=(kind if clock == "AVAL" else SENSITIVITY) if of_protein else EXPLORATORY,
                said="The event: ADTTE.CNSR is 0; all other records are censored.",
            )
            made[f"{name}.events"] = replace(made[name], where=(*where, HAPPENED), statistic="share", said="")
            for ending, statistic in (("median", "median"), ("month12", "cumulative")):
                made[f"{name}.{ending}"] = replace(made[name], statistic=statistic)
    main = made["ttr.confirmed"]
    made["ttr.confirmed.npmle"] = replace(main, variable="RMONTH", kind=SENSITIVITY, statistic="cumulative")
    return made


def _safety() -> dict[str, Analysed]:
    """Exposure and adverse events, by treatment received."""
    treated = Analysed("ADSL", "SAFFL", flag="SAFFL", arm=RECEIVED, kind=SAFETY)
    emergent = Condition("ADAE", "TRTEMFL", ("Y",))

    def events(variable: str, *more: Condition) -> Analysed:
        return replace(treated, dataset="ADAE", variable=variable, where=(emergent, *more))

    def of(variable: str, *told: str, differs: bool = False) -> Condition:
        return Condition("ADAE", variable, told, differs)

    # an event that nobody judged counts as serious, and as related
    related, serious = of("AEREL", "N", differs=True), of("AESER", "N", differs=True)
    groups = {
        "any": (),
        "related": (related,),
        "serious": (serious,),
        "serious_related": (serious, related),
        "grave": (of("AESEV", *safety.GRAVE),),
        "fatal": (of("AESEV", safety.GRAVE[-1]),),
        "within_24h": (of("AE24HFL", "Y"),),
        "ongoing": (of("AEENRTPT", "ONGOING"),),
        **{kind: (of("AEDECOD", kind),) for kind in safety.KINDS},
    }
    left = Condition("ADSL", "DCSREAS", ("adverse event",))
    return {
        "safety": treated,
        "safety.n_treated": replace(treated, statistic="count"),
        "safety.years": replace(treated, variable="TRTSDT", statistic="years"),
        "safety.infusions_2": replace(
            treated, variable="NINFUS", where=(Condition("ADSL", "NINFUS", ("2",)),), statistic="count"
        ),
        "safety.left_event": replace(treated, variable="DCSREAS", where=(left,), statistic="count"),
        "safety.died": replace(events("USUBJID", *groups["fatal"]), statistic="count"),
        **{
            f"safety.{name}": replace(events("USUBJID", *where), statistic="share")
            for name, where in groups.items()
        },
        **{
            f"safety.rate.{name}": replace(events("ASTDT", *where), statistic="rate")
            for name, where in groups.items()
        },
        "safety.worst_grave": replace(events("AESEV", *groups["grave"]), statistic="count"),
        "safety.soon": replace(
            events("ASTDT"),
            statistic="share",
            said=f"Of these, events from day {safety.WINDOWS[0]} to {safety.WINDOWS[1] - 1} after the latest "
            "infusion given, whose day is day 0; the second infusion starts the count anew.",
        ),
        "safety.terms": replace(events("AETERM"), compared=False),
        "safety.terms_outside_zero": replace(events("AETERM"), compared=False),
        "safety.listed": replace(events("AETERM"), compared=False),
        "safety.listed_serious": replace(events("AETERM", serious), compared=False),
        "safety.before_first_infusion": replace(
            events("ASTDT"),
            where=(Condition("ADAE", "TRTEMFL", ("N",)),),
            flag="RANDFL",
            arm=PLANNED,
            compared=False,
        ),
        **{
            f"safety.rate_ratio.{name}": replace(
                events("ASTDT", *where),
                statistic="rate_ratio",
                said="Of each child its first such event alone, and its time up to it.",
            )
            for name, where in groups.items()
        },
    }


def _laboratory(p: Parameters) -> dict[str, Analysed]:
    """Laboratory signals, by the measure with which their names begin."""
    measures, good = (
        laboratory_safety.measures(p),
        "Of children with a baseline on the good side and a later value",
    )

    def of(key: str) -> Analysed:
        return after(
            measures[key].paramcd, flag="SAFFL", arm=RECEIVED, kind=SAFETY, statistic="share", said=f"{good}."
        )

    def side(variable: str, order: str, value: float) -> Condition:
        return Condition("ADSL", variable, (plain(value),), order=order)

    upcr, egfr = replace(of("upcr"), known="UPCRBL"), replace(of("egfr"), known="EGFRBL")
    cystatin = f"{good}: ADLB.BASE at or below {plain(laboratory_safety.CYSTATIN_LIMIT)} mg/L."
    return {
        **{f"safety.lab.{key.partition('_')[0]}": of(key) for key in measures},
        "safety.lab.egfr_fall": egfr,
        "safety.lab.egfr_low": replace(egfr, limit=side("EGFRBL", "GT", laboratory_safety.LEAST_GFR)),
        "safety.lab.cystatin_high": replace(of("cystatin_c"), said=cystatin),
        "safety.lab.upcr_doubled": replace(upcr, limit=side("UPCRBL", "GT", 0)),
        "safety.lab.upcr_nephrotic": replace(upcr, limit=side("UPCRBL", "LT", laboratory_safety.NEPHROTIC)),
    }


def allowed(table: str, variable: str) -> tuple[str, ...]:
    """The closed list of values of a variable."""
    return next(column.values for column in TABLES[table].columns if column.name == variable)
