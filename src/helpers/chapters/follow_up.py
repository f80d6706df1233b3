"""Chapter 03: randomisation, infusions, visits, samples, events, drop-out; the truth beside them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import Problem, figures
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import percent
from helpers.study import eligibility
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, DAYS_PER_MONTH, VISITS
from helpers.study.scenario import Study
from helpers.trial import conduct, record


@dataclass(frozen=True)
class Trial:
    """Raw tables by name, the truth of the children, the reason of each missing value, the table of screening."""

    tables: dict[str, pd.DataFrame]
    truth: pd.DataFrame
    reasons: pd.DataFrame
    screening: pd.DataFrame
    adie: pd.DataFrame

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    @property
    def arm(self) -> pd.Series:
        """Arm by child, in the order of randomisation."""
        return self["randomisation"].set_index("usubjid")["arm"]

    @property
    def zero(self) -> pd.Series:
        """Planned day of the last infusion by child."""
        rows = self["infusions"][self["infusions"]["infusion"] == 2]
        return rows.set_index("usubjid")["planned_date"]

    def months(self, frame: pd.DataFrame, column: str) -> pd.Series:
        """Months from the planned last infusion to a date of a raw table, row by row."""
        days = frame[column] - frame["usubjid"].map(self.zero)
        return days.dt.days / DAYS_PER_MONTH


def run(study: Study) -> Trial:
    """Randomise and follow the eligible children; writes the raw tables and the truth.

    Raises Problem if screening.csv or adie.csv are not what these parameters simulate: simulated follow-up
    needs the simulated children.
    """
    screened, adie = study.read("screening"), study.read("adie")
    enrolled, _, values = conduct.screen(study.parameters)
    ids, found = eligibility.from_adie(adie)
    expected = record.identifiers(enrolled.number)
    chosen = ids[eligibility.status(found) == eligibility.ELIGIBLE]
    if len(ids) != values.shape[1] or list(chosen) != list(expected):
        raise Problem(
            f"{study.name}/adie.csv names other eligible children than these parameters simulate; "
            "follow-up can only be simulated for simulated children: run chapters 01 and 02 again"
        )
    made, truth = record.trial(study.parameters, enrolled, screened)
    for name, frame in made.items():
        study.write(name, frame)
    study.write_truth("children", truth)
    reasons = record.missing(study.parameters, enrolled, screened)
    study.write_truth("missing", reasons)
    return Trial(made, truth, reasons, screened, adie)


def counts(t: Trial) -> dict[str, Result]:
    """Named numbers of the conduct, for the chapter's text."""
    arm = t.arm
    per_arm = {name: int((arm == name).sum()) for name in ARMS}
    left = t["disposition"][t["disposition"]["status"] == "left"]
    visits = t["visits"][t["visits"]["visit_no"] >= 2]
    attended = int((visits["attended"] == "yes").sum())
    given = int((t["infusions"]["given"] == "yes").sum())
    return {
        "randomised": Result("follow_up.n_randomised", len(arm)),
        "placebo": Result("follow_up.n_placebo", per_arm["Placebo"]),
        "msc": Result("follow_up.n_msc", per_arm["hUC-MSC"]),
        "left": Result("follow_up.n_left", len(left), text=percent(len(left), len(arm))),
        "attended": Result("follow_up.visits_attended", attended, text=percent(attended, len(visits))),
        "given": Result("follow_up.infusions_given", given, text=percent(given, len(t["infusions"]))),
    }


def recruitment(t: Trial) -> Exhibit:
    """Screened, eligible and randomised over calendar time."""
    frame = t.screening[["consent_date"]].copy()
    ids, values = eligibility.from_adie(t.adie)
    eligible = pd.Series(eligibility.status(values) == eligibility.ELIGIBLE, index=ids)
    frame["eligible"] = t.screening["usubjid"].map(eligible).to_numpy()
    days = np.sort(
        np.unique(
            np.concatenate(
                [frame["consent_date"].to_numpy(), t["randomisation"]["randomisation_date"].to_numpy()]
            )
        )
    )
    randomised = np.sort(t["randomisation"]["randomisation_date"].to_numpy())
    data = pd.DataFrame(
        {
            "month": days,
            "screened": np.searchsorted(np.sort(frame["consent_date"].to_numpy()), days, side="right"),
            "eligible": np.searchsorted(
                np.sort(frame.loc[frame["eligible"], "consent_date"].to_numpy()), days, side="right"
            ),
            "randomised": np.searchsorted(randomised, days, side="right"),
        }
    )
    months = (
        (randomised[-1] - frame["consent_date"].min().to_datetime64())
        / np.timedelta64(1, "D")
        / DAYS_PER_MONTH
    )
    return Exhibit(
        "recruitment",
        "Recruitment over time",
        data,
        population="all screened children",
        n=len(frame),
        alt=f"Cumulative curves: {len(frame)} children screened and {len(randomised)} randomised "
        f"within {months:.0f} months.",
        figure=figures.recruitment(data),
        results=[Result("follow_up.recruitment_months", float(months), "months", 0)],
    )


def swimmer(t: Trial) -> Exhibit:
    """One lane a child: visits, infusions, events, treatment changes, drop-out."""
    start = t.months(t["randomisation"], "randomisation_date")
    start.index = t["randomisation"]["usubjid"]
    end = t.months(t["disposition"], "date")
    end.index = t["disposition"]["usubjid"]
    reason = t["disposition"].set_index("usubjid")["reason"]
    children = pd.DataFrame(
        {
            "child": t.arm.index,
            "arm": t.arm.to_numpy(),
            "start": start.loc[t.arm.index].to_numpy(),
            "end": end.loc[t.arm.index].to_numpy(),
            "reason": reason.loc[t.arm.index].to_numpy(),
        }
    )
    visits = t["visits"][t["visits"]["visit_no"] >= 2]
    seen = visits[visits["attended"] == "yes"]
    missed = visits[visits["reason"] == "missed"]
    given = t["infusions"][t["infusions"]["given"] == "yes"]
    events = t["events"]
    kinds = np.where(
        events["serious"] == "yes",
        "serious adverse event",
        np.where(events["event"] == "fever", "fever", "adverse event"),
    )
    gone = t["disposition"][t["disposition"]["status"] == "left"]
    changes = t["treatments"]
    parts = [
        (seen, "date", "visit"),
        (missed, "planned_date", "missed"),
        (given, "date", "infusion"),
        (events, "start_date", kinds),
        (changes, "date", np.where(changes["treatment"] == "rescue", "rescue", "RAS change")),
        (gone, "date", "drop-out"),
    ]
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "child": part["usubjid"].to_numpy(),
                    "month": t.months(part, column).to_numpy(),
                    "kind": kind,
                }
            )
            for part, column, kind in parts
            if len(part)
        ],
        ignore_index=True,
    )
    order = children.assign(length=children["end"]).sort_values("length", kind="stable", ascending=False)
    return Exhibit(
        "swimmer",
        "Each child from randomisation to last contact",
        rows.merge(children, on="child"),
        population="all randomised",
        n=len(children),
        conventions=(
            "month 0 is the planned day of the last infusion",
            "lanes sorted by length within the arm",
        ),
        alt=f"One lane for each of {len(children)} children; {len(gone)} left before month 12, "
        f"{len(missed)} visits were missed, {len(given)} infusions given, {len(events)} adverse events began.",
        figure=figures.swimmer(order.drop(columns="length"), rows),
    )


def _by_arm(t: Trial, rows: list[tuple[str, pd.Series | set]]) -> pd.DataFrame:
    """Counts of children by arm: rows of (label, children to whom it applies)."""
    arm = t.arm
    out = []
    for label, who in rows:
        row = {"item": label}
        for name in ARMS:
            members = set(arm.index[arm == name])
            row[name] = percent(len(members & set(who)), len(members))
        out.append(row)
    return pd.DataFrame(out)


def treatment(t: Trial) -> Exhibit:
    """Infusions given, RAS inhibition and rescue during follow-up, by arm."""
    i, c = t["infusions"], t["treatments"]
    given = i[i["given"] == "yes"]
    count = given.groupby("usubjid").size()
    late = i[(i["infusion"] == 1) & i["reason"].fillna("").str.startswith("postponed")]["usubjid"]
    base = t.screening.set_index("usubjid")["ras_inhibitor"].loc[t.arm.index]
    frame = _by_arm(
        t,
        [
            ("Both infusions", count.index[count == 2]),
            ("One infusion only", count.index[count == 1]),
            ("First infusion postponed: recent infection", late),
            ("On RAS inhibition at consent", base.index[base == "yes"]),
            ("RAS inhibition started or raised later", c.loc[c["treatment"] == "RAS inhibitor", "usubjid"]),
            ("Rescue treatment", c.loc[c["treatment"] == "rescue", "usubjid"]),
        ],
    )
    return _arms_exhibit("treatment", "Treatment given, by arm: children", frame, t, "Event")


def attendance(t: Trial) -> Exhibit:
    """Visits attended, missed, or after leaving, by visit and arm; UPCR values measured."""
    v = t["visits"]
    labs = t["labs"]
    upcr = labs[labs["test"] == "upcr"].groupby("visit_no")["usubjid"].apply(set).to_dict()
    rows = []
    for visit in VISITS:
        here = v[v["visit_no"] == visit.number]
        row = {"visit": visit.name}
        for name in ARMS:
            mine = here[here["usubjid"].map(t.arm) == name]
            row[f"{name}_attended"] = percent(int((mine["attended"] == "yes").sum()), len(mine))
            row[f"{name}_missed"] = int((mine["reason"] == "missed").sum())
            row[f"{name}_left"] = int((mine["reason"] == "left the trial").sum())
            row[f"{name}_upcr"] = len(set(mine["usubjid"]) & upcr.get(visit.number, set()))
        rows.append(row)
    columns = {"visit": "Visit"}
    for name in ARMS:
        columns |= {
            f"{name}_attended": f"{name}: attended",
            f"{name}_missed": f"{name}: missed",
            f"{name}_left": f"{name}: left before",
            f"{name}_upcr": f"{name}: UPCR measured",
        }
    return Exhibit(
        "attendance",
        "Visits attended and UPCR measured, by visit and arm",
        pd.DataFrame(rows),
        population="all randomised",
        n=_split(t),
        columns=columns,
        conventions=("arm order Placebo, hUC-MSC", "percentages of all randomised in the arm"),
    )


def disposition(t: Trial) -> Exhibit:
    """Completed, or left and why, by arm."""
    d = t["disposition"]
    rows = [
        ("Completed month 12", d.loc[d["status"] == "completed", "usubjid"]),
        ("Left before", d.loc[d["status"] == "left", "usubjid"]),
    ]
    rows += [(f"  {reason}", part["usubjid"]) for reason, part in d.dropna(subset="reason").groupby("reason")]
    return _arms_exhibit(
        "disposition", "How the trial ended for the children, by arm", _by_arm(t, rows), t, "Outcome"
    )


def events(t: Trial) -> Exhibit:
    """Adverse events recorded, by arm: children and events."""
    e = t["events"]
    rows = []
    kinds = [
        ("Any", e.index == e.index),
        ("Infection", e["event"] == "infection"),
        ("Fever", e["event"] == "fever"),
        ("Other", e["event"] == "other"),
        ("Serious", e["serious"] == "yes"),
        ("Within 24 h of an infusion", e["within_24h"] == "yes"),
    ]
    for label, chosen in kinds:
        row = {"event": label}
        for name in ARMS:
            mine = e[np.asarray(chosen) & (e["usubjid"].map(t.arm) == name).to_numpy()]
            row[f"{name}_children"] = percent(mine["usubjid"].nunique(), int((t.arm == name).sum()))
            row[f"{name}_events"] = len(mine)
        rows.append(row)
    columns = {"event": "Adverse event"}
    for name in ARMS:
        columns |= {f"{name}_children": f"{name}: children", f"{name}_events": f"{name}: events"}
    return Exhibit(
        "events",
        "Adverse events from consent on, by arm (an infection still present at consent included)",
        pd.DataFrame(rows),
        population="all randomised",
        n=_split(t),
        columns=columns,
        conventions=("as recorded; the safety analysis is in the next chapter",),
    )


def randomisation(t: Trial, p: Parameters) -> Exhibit:
    """The blocks as they came out."""
    r = t["randomisation"]
    blocks = r.groupby("block")
    data = pd.DataFrame(
        {
            "block": [int(b) for b, _ in blocks],
            "children": [len(part) for _, part in blocks],
            **{name: [int((part["arm"] == name).sum()) for _, part in blocks] for name in ARMS},
            "sequence": [
                " ".join("P" if a == "Placebo" else "M" for a in part.sort_values("sequence")["arm"])
                for _, part in blocks
            ],
        }
    )
    return Exhibit(
        "randomisation",
        "Permuted blocks of random size",
        data,
        population="all randomised",
        n=_split(t),
        method=f"1:1, block sizes drawn from {', '.join(map(str, p.block_sizes))}, no strata",
        columns={
            "block": "Block",
            "children": "Children",
            "Placebo": "Placebo",
            "hUC-MSC": "hUC-MSC",
            "sequence": "Order (P placebo, M hUC-MSC)",
        },
        conventions=("the last block may be cut short by the end of recruitment",),
    )


def truth(t: Trial, p: Parameters) -> Exhibit:
    """Declared effect beside what the simulated children truly have, free of measurement noise."""
    true = t.truth
    last = f"log_upcr_day_{VISITS[-1].day}"
    first = next(c for c in true.columns if c.startswith("log_upcr_day_-"))
    rows = []
    for name in ARMS:
        mine = true[true["arm"] == name]
        change = np.exp(mine[last] - mine[first])
        rows.append(
            {
                "arm": name,
                "children": len(mine),
                "declared": p.upcr_effect if name == "hUC-MSC" else 1.0,
                "individual": float(np.exp(mine["upcr_log_effect"].median())) if len(mine) else np.nan,
                "change": float(change.median()) if len(mine) else np.nan,
            }
        )
    return Exhibit(
        "truth",
        "The truth behind the data: declared and individual effects on UPCR",
        pd.DataFrame(rows),
        population="all randomised",
        n=_split(t),
        method="latent values of the simulation, not estimates",
        columns={
            "arm": "Arm",
            "children": "Children",
            "declared": "Declared ratio at full effect",
            "individual": "Median individual ratio",
            "change": "Median true UPCR, month 12 against baseline",
        },
        digits={"declared": 2, "individual": 2, "change": 2},
        caption="The effect is an assumption of the scenario; in a small arm the individual effects scatter around "
        "it, and a child with one infusion has half of its own. The last column also holds drift, changes of other "
        "treatment and the slow wander of UPCR; it holds no measurement noise. No analysis chapter reads this.",
    )


def missing(t: Trial) -> Exhibit:
    """Why values of UPCR, red cells, creatinine and 24-hour protein are missing, by arm: values."""
    visits = t["visits"]
    rows = []
    tests = {
        "upcr": "UPCR",
        "rbc": "Urine red cells",
        "creatinine": "Creatinine",
        "protein_24h": "24-hour protein",
    }
    arm = t.reasons["usubjid"].map(t.arm)
    planned = visits["usubjid"].map(t.arm).value_counts()
    for test, label in tests.items():
        of_test = t.reasons["test"] == test
        for reason in sorted(t.reasons.loc[of_test, "reason"].unique()):
            row = {"item": f"{label}: {reason}"}
            for name in ARMS:
                count = int((of_test & (t.reasons["reason"] == reason) & (arm == name)).sum())
                row[name] = percent(count, int(planned.get(name, 0)))
            rows.append(row)
    return Exhibit(
        "missing",
        "Why values are missing, by arm: values",
        pd.DataFrame(rows, columns=["item", *ARMS]),
        population="all randomised",
        n=_split(t),
        method="the simulation's own record, truth/missing.csv; a real trial knows only part of it",
        columns={"item": "Value and reason", **{name: f"{name}, n/N (%)" for name in ARMS}},
        conventions=("N counts planned visits, screening included", "arm order Placebo, hUC-MSC"),
    )


def _split(t: Trial) -> str:
    return " v ".join(str(int((t.arm == name).sum())) for name in ARMS)


def _arms_exhibit(key: str, title: str, frame: pd.DataFrame, t: Trial, head: str) -> Exhibit:
    return Exhibit(
        key,
        title,
        frame,
        population="all randomised",
        n=_split(t),
        columns={"item": head, **{name: f"{name}, n/N (%)" for name in ARMS}},
        conventions=("arm order Placebo, hUC-MSC",),
    )
