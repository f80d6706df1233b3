"""What happened between randomisation and last contact, counted from the raw tables of a trial.

Every function takes `adam.Raw`, the raw tables as the codebook describes them, simulated or real. Months
are counted from the planned day of the last infusion (day / 30.4375). Arms are as randomised.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import summaries
from helpers.analysis.adam import Raw
from helpers.analysis.flow import status
from helpers.study.protocol import ARMS, VISITS, months


def arm_of(raw: Raw) -> pd.Series:
    """Arm by child, in the order of randomisation."""
    return raw.randomisation.set_index("usubjid")["arm"]


def months_of(raw: Raw, frame: pd.DataFrame, column: str) -> NDArray:
    """Months from the planned last infusion to a date of a raw table, row by row; NaN where there is none."""
    second = raw.infusions[raw.infusions["infusion"] == 2]
    zero = second.set_index("usubjid")["planned_date"]
    return months((frame[column] - frame["usubjid"].map(zero)).dt.days.to_numpy(float))


def blocks(raw: Raw) -> pd.DataFrame:
    """The permuted blocks as they came out.

    One row a block: `block`; `children`; one column of counts an arm; `order`, the arms in the order of
    randomisation, a tuple.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> blocks = follow_up.blocks(raw)
    """
    rows = []
    for block, part in raw.randomisation.sort_values("sequence").groupby("block"):
        sizes = {arm: int((part["arm"] == arm).sum()) for arm in ARMS}
        rows.append({"block": int(block), "children": len(part), **sizes, "order": tuple(part["arm"])})
    return pd.DataFrame(rows)


def totals(raw: Raw) -> pd.DataFrame:
    """How much of what was planned took place, by arm: `item arm n N`.

    Items: randomised (N = n), left (of the children), attended (of the planned follow-up visits), given
    (of the planned infusions).

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> totals = follow_up.totals(raw)
    """
    arm = arm_of(raw)
    visits = raw.visits[raw.visits["visit_no"] >= VISITS[0].number]
    gone = raw.disposition.loc[raw.disposition["status"] == "left", "usubjid"]
    parts = [summaries.children("randomised", arm.index, arm), summaries.children("left", gone, arm)]
    for item, frame, column in (("attended", visits, "attended"), ("given", raw.infusions, "given")):
        of = frame["usubjid"].map(arm)
        done = frame[column] == "yes"
        rows = [(item, name, int((done & (of == name)).sum()), int((of == name).sum())) for name in ARMS]
        parts.append(pd.DataFrame(rows, columns=["item", "arm", "n", "N"]))
    return pd.concat(parts, ignore_index=True)


def recruitment(raw: Raw, adie: pd.DataFrame) -> pd.DataFrame:
    """Children screened, found eligible and randomised up to each day on which one was.

    One row a day: `date`; `months` since the first consent; cumulative counts `screened` (by consent),
    `eligible` (by the consent of those who met all criteria), `randomised`.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> recruitment = follow_up.recruitment(raw, study.read('adie'))
    """
    judged = status(adie)
    eligible = judged.loc[judged["status"] == "eligible", "child"]
    consent = raw.screening["consent_date"]
    dates = {
        "screened": consent,
        "eligible": consent[raw.screening["usubjid"].isin(eligible)],
        "randomised": raw.randomisation["randomisation_date"],
    }
    days = pd.Series(np.unique(np.concatenate([consent, dates["randomised"]])))
    counts = {name: np.searchsorted(np.sort(when), days, side="right") for name, when in dates.items()}
    return pd.DataFrame({"date": days, "months": months((days - days.min()).dt.days), **counts})


def lanes(raw: Raw) -> pd.DataFrame:
    """The time each child was in the trial, in the order of randomisation.

    One row a child: `child`, `arm`; `start` (randomisation) and `end` (last contact) in months; `reason`
    for leaving, None for who completed month 12 or is still followed.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> follow_up.lanes(raw)
    """
    arm = arm_of(raw)
    start = pd.Series(
        months_of(raw, raw.randomisation, "randomisation_date"), index=raw.randomisation["usubjid"]
    )
    end = raw.disposition.assign(end=months_of(raw, raw.disposition, "date")).set_index("usubjid")
    end = end.loc[arm.index]
    return pd.DataFrame(
        {
            "child": arm.index,
            "arm": arm.to_numpy(),
            "start": start.loc[arm.index].to_numpy(),
            "end": end["end"].to_numpy(),
            "reason": end["reason"].to_numpy(object),
        }
    )


def marks(raw: Raw) -> pd.DataFrame:
    """What stands on each child's lane.

    One row a mark: `child`, `month`, `kind`: visit (attended), missed, infusion, fever, adverse event,
    serious adverse event, RAS change, rescue, drop-out.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> follow_up.marks(raw)
    """
    visits = raw.visits[raw.visits["visit_no"] >= VISITS[0].number]
    fever = np.where(raw.events["event"] == "fever", "fever", "adverse event")
    kinds = np.where(raw.events["serious"] == "yes", "serious adverse event", fever)
    changes = np.where(raw.treatments["treatment"] == "rescue", "rescue", "RAS change")
    parts = [
        (visits[visits["attended"] == "yes"], "date", "visit"),
        (visits[visits["reason"] == "missed"], "planned_date", "missed"),
        (raw.infusions[raw.infusions["given"] == "yes"], "date", "infusion"),
        (raw.events, "start_date", kinds),
        (raw.treatments, "date", changes),
        (raw.disposition[raw.disposition["status"] == "left"], "date", "drop-out"),
    ]
    made = [
        pd.DataFrame(
            {"child": part["usubjid"].to_numpy(), "month": months_of(raw, part, column), "kind": kind}
        )
        for part, column, kind in parts
        if len(part)
    ]
    return pd.concat(made, ignore_index=True) if made else pd.DataFrame(columns=["child", "month", "kind"])


def treatment(raw: Raw) -> pd.DataFrame:
    """Children by what they were given and what else they took, by arm: `item arm n N`.

    Items: both_infusions, one_infusion, postponed (the first, for a recent infection), ras_at_consent,
    ras_changed (started or raised after randomisation, as recorded), ras_stopped (stopped or lowered), rescue.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> treatment = follow_up.treatment(raw)
    """
    infusions, changes, arm = raw.infusions, raw.treatments, arm_of(raw)
    given = infusions[infusions["given"] == "yes"].groupby("usubjid").size()
    ras, down = changes["treatment"] == "RAS inhibitor", changes["change"].isin(("stopped", "lowered"))
    late = (infusions["infusion"] == 1) & infusions["reason"].fillna("").str.startswith("postponed")
    chosen = {
        "both_infusions": given.index[given == 2],
        "one_infusion": given.index[given == 1],
        "postponed": infusions.loc[late, "usubjid"],
        "ras_at_consent": raw.screening.loc[raw.screening["ras_inhibitor"] == "yes", "usubjid"],
        "ras_changed": changes.loc[ras & ~down, "usubjid"],
        "ras_stopped": changes.loc[ras & down, "usubjid"],
        "rescue": changes.loc[changes["treatment"] == "rescue", "usubjid"],
    }
    return pd.concat([summaries.children(item, who, arm) for item, who in chosen.items()], ignore_index=True)


def attendance(raw: Raw) -> pd.DataFrame:
    """Visits attended, missed, and planned after leaving, by visit and arm.

    One row a follow-up visit and arm: `item` (name of the visit), `arm`, `N` planned, and of these
    `attended`, `missed`, `left` (the child had left before); `upcr`, the children with a UPCR of that visit.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> attendance = follow_up.attendance(raw)
    """
    arm = arm_of(raw)
    upcr = raw.labs[raw.labs["test"] == "upcr"]
    rows = []
    for visit in VISITS:
        here = raw.visits[raw.visits["visit_no"] == visit.number]
        measured = upcr.loc[upcr["visit_no"] == visit.number, "usubjid"]
        for name in ARMS:
            mine = here[here["usubjid"].map(arm) == name]
            rows.append(
                {
                    "item": visit.name,
                    "arm": name,
                    "N": len(mine),
                    "attended": int((mine["attended"] == "yes").sum()),
                    "missed": int((mine["reason"] == "missed").sum()),
                    "left": int((mine["reason"] == "left the trial").sum()),
                    "upcr": int(mine["usubjid"].isin(measured).sum()),
                }
            )
    return pd.DataFrame(rows)


def disposition(raw: Raw) -> pd.DataFrame:
    """How the trial ended for the children, by arm: `item arm n N`.

    Items: completed, left, ongoing where there are any, then every recorded reason for leaving in alphabetical order.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> disposition = follow_up.disposition(raw)
    """
    end = raw.disposition
    return summaries.disposition(end["usubjid"], end["status"], end["reason"], arm_of(raw))


def adverse_events(raw: Raw) -> pd.DataFrame:
    """Adverse events as recorded, from consent on, by allocated arm: `item arm n N events`.

    Items: any, infection, fever, other, serious, within_24h (of an infusion). The safety analysis, by
    treatment received and from the first infusion on, is `safety.adverse_events`.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> adverse_events = follow_up.adverse_events(raw)
    """
    events = raw.events
    kinds = {
        "any": np.ones(len(events), bool),
        "infection": events["event"] == "infection",
        "fever": events["event"] == "fever",
        "other": events["event"] == "other",
        "serious": events["serious"] == "yes",
        "within_24h": events["within_24h"] == "yes",
    }
    return summaries.events(events["usubjid"], kinds, arm_of(raw))
