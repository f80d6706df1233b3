"""What stays closed while the trial is blinded, and the dummy allocation that stands in its place.

Who was randomised is known without the list: whoever has a planned infusion or a follow-up visit. Arms are drawn from
the seed in permuted blocks, by the order of days and identifiers alone, so that nothing about the true arms can move
them.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.study.codebook import STRATA
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, BASELINE

REVEALING = ("randomisation", "infusions.product", "infusions.cells")
"""Tables and columns that tell the arm, unless the mapping says which do."""

TELLING = (
    "arm", "treatment", "trt", "allocation", "group", "randomization", "randomisation", "product", "cells", "cell dose",
    "lot", "batch", "kit", "unblind", "分组", "组别", "随机", "产品", "细胞", "批号", "批次", "药物编号", "揭盲",
)  # fmt: skip
"""Words in the name of a file, sheet or column that a blinded intake leaves closed, wherever they stand."""

HIDDEN = "not shown while blinded"
"""Stands for free text, which may tell the arm."""

FREE_TEXT = (("infusions", "reason"), ("events", "term"))


def tells(name: str) -> bool:
    """Whether the name of a file, sheet or column says that it may tell the arm.

    >>> tells("Treatment arm"), tells("批号"), tells("height"), tells("Pharmacy"), tells("cells/kg")
    (True, True, False, False, True)
    """
    words = " " + "".join(c if c.isalnum() else " " for c in name.lower()) + " "
    return any(f" {word} " in words if word.isascii() else word in words for word in TELLING)


def randomised(infusions: pd.DataFrame, visits: pd.DataFrame, labs: pd.DataFrame) -> NDArray:
    """Identifiers of the children who were randomised, as far as that is known without the list."""
    followed = [
        frame.loc[frame["visit_no"] > BASELINE, "usubjid"] for frame in (visits, labs) if "visit_no" in frame
    ]
    return np.array(sorted(set(pd.concat([infusions["usubjid"], *followed]).dropna())), object)


def randomisation_days(
    ids: pd.Series, infusions: pd.DataFrame, visits: pd.DataFrame, screening: pd.DataFrame, p: Parameters
) -> pd.Series:
    """Day of randomisation of each child where it was not sent, with the index of `ids`.

    That of the baseline visit, else the day `days_to_infusion` before the planned first infusion, else the day
    `days_to_randomisation` after consent.
    """
    at = visits[visits["visit_no"] == BASELINE].drop_duplicates("usubjid").set_index("usubjid")["date"]
    first = infusions[infusions["infusion"] == 1].drop_duplicates("usubjid").set_index("usubjid")
    planned = first["planned_date"] - pd.Timedelta(p.days_to_infusion, "D")
    consent = screening.drop_duplicates("usubjid").set_index("usubjid")["consent_date"]
    last_resort = consent + pd.Timedelta(p.days_to_randomisation, "D")
    return ids.map(at).fillna(ids.map(planned)).fillna(ids.map(last_resort))


def allocation(
    ids: NDArray,
    infusions: pd.DataFrame,
    visits: pd.DataFrame,
    screening: pd.DataFrame,
    p: Parameters,
    sent: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Table `randomisation` with a dummy allocation of these children; columns as in the codebook.

    Days as of `randomisation_days`; the sequence follows the days and then the identifiers. sent: what of the list may
    be read, without arms; its days and sequence then stand.
    """
    ids = np.array(sorted(ids), object)
    day = randomisation_days(pd.Series(ids), infusions, visits, screening, p)
    sequence = np.full(len(ids), np.nan)
    if sent is not None and len(sent):
        list_ = sent.drop_duplicates("usubjid").set_index("usubjid").reindex(ids)
        day = list_["randomisation_date"].reset_index(drop=True).fillna(day)
        sequence = list_["sequence"].to_numpy(float)
    order = pd.DataFrame({"day": day.to_numpy(), "id": ids, "number": sequence})
    by = ["number", "day", "id"] if not np.isnan(sequence).any() else ["day", "id"]
    order = order.sort_values(by, kind="stable")
    ids = order["id"].to_numpy(object)
    stratum = np.full(len(ids), None, object)
    if p.strata != "none":
        on = screening.drop_duplicates("usubjid").set_index("usubjid")["ras_inhibitor"].reindex(ids) == "yes"
        stratum = np.where(on, *STRATA).astype(object)
    block, arm = dummy(stratum, p)
    return pd.DataFrame(
        {
            "usubjid": ids,
            "randomisation_date": order["day"].to_numpy("datetime64[ns]"),
            "sequence": np.arange(1.0, len(ids) + 1),
            "block": block,
            "stratum": stratum,
            "arm": arm,
        }
    )


def dummy(stratum: NDArray, p: Parameters) -> tuple[NDArray, NDArray]:
    """Blocks (numbers, from 1) and dummy arms of children in their order, drawn in permuted blocks within strata."""
    rng = np.random.default_rng(np.random.SeedSequence([p.seed, *b"dummy allocation"]))
    block, arm = np.zeros(len(stratum)), np.full(len(stratum), None, object)
    number = 0.0
    for name in sorted({str(s) for s in stratum}):
        where = np.flatnonzero(np.array([str(s) == name for s in stratum]))
        done = 0
        while done < len(where):
            size = int(rng.choice(p.blocks))
            number += 1
            shares = np.repeat([0, 1], np.array(p.ratio) * (size // sum(p.ratio)))
            drawn = np.array(ARMS, object)[rng.permutation(shares)]
            here = where[done : done + size]
            block[here], arm[here] = number, drawn[: len(here)]
            done += size
    return block, arm


def apart(name: str, frame: pd.DataFrame) -> pd.Series:
    """A number a row by which rows that differ in their free text alone are kept apart: two events are not one."""
    texts = [column for table, column in FREE_TEXT if table == name]
    if not texts:
        return pd.Series(0, index=frame.index)
    return pd.util.hash_pandas_object(frame[texts].astype(str), index=False)


def hide(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table as it may be seen while blinded: no product, no cells, no free text."""
    out = frame.copy()
    if name == "infusions":
        out["product"] = pd.Series([None] * len(out), dtype=object, index=out.index)
        out["cells"] = np.nan
    for table, column in FREE_TEXT:
        if table == name:
            out[column] = out[column].where(out[column].isna(), HIDDEN)
    return out
