"""A messy site export of the synthetic trial, with the mapping that reads it, and every difference that was planted.

    .venv/bin/python tests/messy_export.py FOLDER       writes FOLDER/export/, FOLDER/site.yaml; prints the plants

Eight files of five kinds, Chinese and English columns, mg/mmol and mg/dL, GB18030, dd/mm/yyyy, "<0.03", repeats,
unscheduled and off-window visits, partial days, ongoing events, screenings under a new number.
"""

import datetime
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat

from helpers import DATA
from helpers.study import tables
from helpers.study.kidney import BUN_MG_DL_PER_MMOL, MG_MMOL_PER_MG_MG, UMOL_PER_MG_DL

RAW = ("screening", "randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition")

CHINESE = {
    "usubjid": "受试者编号", "consent_date": "知情同意日期", "birth_date": "出生日期", "sex": "性别",
    "genotype": "遗传方式", "height": "身高(cm)", "weight": "体重(kg)", "creatinine": "肌酐", "upcr": "尿蛋白肌酐比",
}  # fmt: skip
SEX = {"男": "male", "女": "female"}
ANSWER = {"是": "yes", "否": "no"}
DIPSTICK = {"阴性": "negative", "±": "trace", "+": "1+", "++": "2+", "+++": "3+", "++++": "4+"}
REASONS = {"ADVERSE EVENT": "adverse event", "LOST TO FOLLOW-UP": "lost to follow-up"}
ARMS = {"A": "Placebo", "B": "hUC-MSC"}
VISITS = {"V0": 0, "V1": 1, **{f"V{k}": k for k in range(2, 13)}}


@dataclass(frozen=True)
class Planted:
    """A difference from the clean tables, and the code of the query that must name it."""

    code: str
    table: str
    usubjid: str
    visit_no: float | None = None


def clean() -> dict[str, pd.DataFrame]:
    """The clean raw tables of the base scenario."""
    return {name: tables.read(name, DATA / "base" / f"{name}.csv") for name in RAW}


def write(folder: Path, unblinded: bool = True) -> tuple[Path, Path, list[Planted]]:
    """Write the export and its mapping into a folder; returns both paths and what was planted."""
    raw = clean()
    export = folder / "export"
    export.mkdir(parents=True, exist_ok=True)
    planted: list[Planted] = []
    _screening(raw["screening"], raw["randomisation"], export, planted)
    _workbook(raw, export, planted)
    _blood(raw["labs"], export, planted)
    _infusions(raw["infusions"], export)
    _events(raw["events"], export, planted)
    _rest(raw, export)
    mapping = folder / "site.yaml"
    mapping.write_text(MAPPING + ("unblinded: 2030-01-01\n" if unblinded else ""), "utf-8")
    return export, mapping, planted


def _text(value, decimals: str = ".") -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT:
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%d/%m/%Y}"
    if isinstance(value, float):
        return f"{value:.15g}".replace(".", decimals)
    return str(value)


def _back(coding: dict[str, str]) -> dict[str, str]:
    return {word: text for text, word in coding.items()}


def _screening(frame: pd.DataFrame, list_: pd.DataFrame, export: Path, planted: list[Planted]) -> None:
    out = frame.copy()
    others = out[~out["usubjid"].isin(list_["usubjid"])]
    again = others[others["birth_date"].notna()].head(2).copy()
    first = again["usubjid"].tolist()
    again["usubjid"] = ["AS-0990", "AS-0991"]
    again["consent_date"] += pd.Timedelta(40, "D")
    planted.append(Planted("screening.repeat", "screening", "AS-0990"))
    assert first == ["AS-0002", "AS-0003"], "the mapping names the second of them"
    out = pd.concat([out, again], ignore_index=True)
    out["upcr"] *= MG_MMOL_PER_MG_MG
    out["creatinine"] /= UMOL_PER_MG_DL
    out["sex"] = out["sex"].map(_back(SEX))
    for column in out.columns:
        if set(out[column].dropna().unique()) <= {"yes", "no"}:
            out[column] = out[column].map(_back(ANSWER)).where(out[column].notna(), None)
    cells = [[_text(v, ",") for v in row] for row in out.itertuples(index=False)]
    # a month is all that is known of one operation, of a child whom other criteria keep out
    column = list(out.columns).index("surgery_date")
    row = next(
        k for k, (day, said) in enumerate(zip(out["surgery_date"], out["usubjid"], strict=True))
        if pd.notna(day) and said not in set(list_["usubjid"]) and said not in ("AS-0990", "AS-0991")
    )  # fmt: skip
    cells[row][column] = "UN" + cells[row][column][2:]
    planted.append(Planted("screening.partial", "screening", out["usubjid"][row]))
    place = list(out.columns).index("hiv")
    for k, value in enumerate(out["hiv"]):
        if value is None:
            cells[k][place] = "未查"
    header = [CHINESE.get(name, name) for name in out.columns]
    lines = [
        ";".join(f'"{cell}"' for cell in row) for row in [[*header, "备注"], *[[*c, "x; y"] for c in cells]]
    ]
    (export / "筛选.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("gb18030"))


def _visit(number: float) -> str:
    return f"V{int(number)}"


def _workbook(raw: dict[str, pd.DataFrame], export: Path, planted: list[Planted]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "访视"
    visits, labs = raw["visits"].copy(), raw["labs"].copy()
    attended = visits[(visits["attended"] == "yes") & (visits["visit_no"] >= 2)]
    off = attended.iloc[30]
    swapped = attended[
        (attended["date"].dt.day <= 12) & ((attended["date"].dt.day - attended["date"].dt.month).abs() > 2)
        & (attended["usubjid"] != off["usubjid"])
    ].iloc[3]  # fmt: skip
    day = swapped["date"]
    visits.loc[swapped.name, "date"] = pd.Timestamp(day.year, day.day, day.month)
    planted.append(Planted("visits.swapped", "visits", swapped["usubjid"], swapped["visit_no"]))
    late = off["date"] + pd.Timedelta(9, "D")
    visits.loc[off.name, "date"] = late
    same = (labs["usubjid"] == off["usubjid"]) & (labs["visit_no"] == off["visit_no"])
    labs.loc[same, "date"] = late
    raw["labs"] = labs
    planted.append(Planted("visits.window", "visits", off["usubjid"], off["visit_no"]))
    sheet.append(["Subject", "Visit", "Target", "Done on", "Attended", "Why not", "CRA comment"])
    for row in visits.itertuples():
        date = row.date.date() if pd.notna(row.date) else "NA"
        sheet.append([row.usubjid, _visit(row.visit_no), row.planned_date.date(), date,
                      {"yes": "是", "no": "否"}.get(row.attended), row.reason, "=1+1"])  # fmt: skip
    child = off["usubjid"]
    when = visits[(visits["usubjid"] == child) & (visits["visit_no"] == 12)]["planned_date"].iloc[0]
    extra = when - pd.Timedelta(28, "D")
    sheet.append([child, "计划外", None, extra.date(), "是", None, None])
    planted.append(Planted("visits.unscheduled", "visits", child))
    urine = book.create_sheet("尿检")
    urine.append(["Central laboratory, urine"])
    urine.append([])
    urine.append(["Subject", "Visit", "Sampled", "UPCR mg/mmol", "24h-Prot", "Dipstick", "RBC", "RBC dysm."])
    wide = labs[labs["test"].isin(["upcr", "protein_24h", "dipstick", "rbc", "rbc_dysmorphic"])]
    beyond = {
        (r.usubjid, r.visit_no, r.test): r.qualifier for r in wide[wide["qualifier"].notna()].itertuples()
    }
    table = wide.pivot(index=["usubjid", "visit_no", "date"], columns="test", values="value").reset_index()
    written = []
    for row in table.itertuples():
        cells = [row.usubjid, _visit(row.visit_no), row.date.date()]
        for test, factor in (
            ("upcr", MG_MMOL_PER_MG_MG),
            ("protein_24h", 24.0),
            ("dipstick", None),
            ("rbc", 1.0),
            ("rbc_dysmorphic", 1.0),
        ):
            value = getattr(row, test)
            if np.isnan(value):
                cells.append("ND")
            elif factor is None:
                cells.append(list(DIPSTICK)[int(value)])
            else:
                sign = beyond.get((row.usubjid, row.visit_no, test))
                cells.append(f"{sign}{value * factor:.15g}" if sign else value * factor)
        written.append(cells)
        urine.append(cells)
    for code, number in beyond.items():
        planted.append(Planted("labs.quantification", "labs", code[0], code[1]))
        assert number == "<"
    # the same row again; another sample two days later; one of an unscheduled visit that no planned one needs
    urine.append(written[5])
    planted.append(Planted("labs.same-row", "labs", written[5][0], float(written[5][1][1:])))
    later = [*written[40]]
    later[2] = later[2] + datetime.timedelta(days=2)
    target = labs[(labs["usubjid"] == later[0]) & (labs["visit_no"] == float(later[1][1:]))]["date"].iloc[0]
    planned = raw["visits"].set_index(["usubjid", "visit_no"])["planned_date"][
        (later[0], float(later[1][1:]))
    ]
    if abs(target + pd.Timedelta(2, "D") - planned) <= abs(target - planned):
        later[2] = later[2] - datetime.timedelta(days=4)
    later[3] = 99.9
    urine.append(later)
    planted.append(Planted("labs.twice", "labs", later[0], float(later[1][1:])))
    urine.append([child, "计划外", extra.date(), 55.5, "ND", "+", 12, 9])
    planted.append(Planted("labs.unscheduled", "labs", child))
    book.save(export / "visits and urine.xlsx")


def _blood(labs: pd.DataFrame, export: Path, planted: list[Planted]) -> None:
    units = {
        "creatinine": ("Cr", "mg/dL", 1 / UMOL_PER_MG_DL), "cystatin_c": ("CysC", "mg/L", 1.0),
        "bun": ("BUN", "mg/dL", BUN_MG_DL_PER_MMOL), "height": ("Height", "m", 0.01), "weight": ("Weight", "kg", 1.0),
    }  # fmt: skip
    rows = labs[labs["test"].isin(list(units))]
    lines = ["ID,Visit,Collected,Analyte,Result,Unit"]
    slip = rows[(rows["test"] == "cystatin_c") & (rows["visit_no"] == 8)].iloc[4]
    planted.append(Planted("labs.course", "labs", slip["usubjid"], 8.0))
    for row in rows.itertuples():
        name, unit, factor = units[row.test]
        value = row.value * factor * (10.0 if row.Index == slip.name else 1.0)
        lines.append(f"{row.usubjid},{_visit(row.visit_no)},{row.date:%d-%b-%Y},{name},{value:.15g},{unit}")
    lines.append(f"{rows['usubjid'].iloc[0]},V2,01-Mar-2025,ALT,23,U/L")
    (export / "blood.csv").write_text("\n".join(lines) + "\n", "utf-8-sig")


def _infusions(frame: pd.DataFrame, export: Path) -> None:
    out = pd.DataFrame(
        {
            "SUBJ": frame["usubjid"], "NO": frame["infusion"], "PLAN": frame["planned_date"].dt.strftime("%Y%m%d"),
            "DAY": frame["date"].dt.strftime("%Y%m%d").fillna(""), "GIVEN": frame["given"].map({"yes": "Y", "no": "N"}),
            "PROD": frame["product"].map(_back(ARMS)).fillna(""), "MCELLS": frame["cells"] / 1e6,
            "WHY": frame["reason"].fillna(""), "LOT": "L1",
        }
    )  # fmt: skip
    pyreadstat.write_xport(out, str(export / "infusions.xpt"))


def _events(frame: pd.DataFrame, export: Path, planted: list[Planted]) -> None:
    names = [
        "usubjid",
        "event_no",
        "event",
        "term",
        "start_date",
        "end_date",
        "severity",
        "serious",
        "related",
        "within_24h",
    ]
    rows = []
    cut = frame[frame["end_date"].notna() & (frame["event_no"] == 2)].iloc[2].name
    for row in frame.itertuples():
        start, end = f"{row.start_date:%Y-%m-%d}", "" if pd.isna(row.end_date) else f"{row.end_date:%Y-%m-%d}"
        if row.Index == cut:
            end = end[:7]
            planted.append(Planted("events.partial", "events", row.usubjid))
        rows.append(
            [
                row.usubjid,
                int(row.event_no),
                row.event,
                row.term,
                start,
                end or "ongoing",
                row.severity,
                row.serious,
                row.related,
                row.within_24h,
            ]
        )
    columns = [{"itemOID": f"IT.{n}", "name": n, "label": n, "dataType": "string"} for n in names]
    content = {
        "datasetJSONVersion": "1.1.0",
        "name": "AE",
        "label": "events",
        "columns": columns,
        "rows": rows,
    }
    (export / "ae.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def _rest(raw: dict[str, pd.DataFrame], export: Path) -> None:
    treatments = raw["treatments"].rename(columns=str.upper)
    treatments["DATE"] = treatments["DATE"].dt.strftime("%m/%d/%Y")
    treatments.to_csv(export / "conmeds.tsv", sep="\t", index=False, encoding="utf-8", float_format="%.15g")
    ends = raw["disposition"].copy()
    ends["reason"] = ends["reason"].map({**_back(REASONS), "moved away": "搬家", "family's wish": "家长要求"})
    ends["status"] = ends["status"].str.upper()
    ends["date"] = ends["date"].dt.strftime("%Y年%m月%d日")
    ends.to_csv(export / "end of study.csv", index=False, encoding="utf-8")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "随机"
    sheet.append(["ID", "date", "no", "block", "group"])
    for row in raw["randomisation"].itertuples():
        sheet.append(
            [row.usubjid, row.randomisation_date.date(), row.sequence, row.block, _back(ARMS)[row.arm]]
        )
    book.save(export / "randomisation list.xlsx")


def _lines(columns: list[str], extra: dict[str, str]) -> str:
    return "".join(f"      {name}: {extra.get(name, name)}\n" for name in columns)


SCREENING_LINES = _lines(
    [c.name for c in tables.TABLES["screening"].columns],
    {
        **CHINESE,
        **{
            c.name: f"{{source: {c.name}, values: {{是: yes, 否: no}}}}"
            for c in tables.TABLES["screening"].columns
            if c.values == ("yes", "no")
        },
        "sex": "{source: 性别, values: {男: male, 女: female}}",
        "height": "{source: 身高(cm), unit: cm}",
        "weight": "{source: 体重(kg), unit: kg}",
        "creatinine": "{source: 肌酐, unit: mg/dL}",
        "cystatin_c": "{source: cystatin_c, unit: mg/L}",
        "bun": "{source: bun, unit: mmol/L}",
        "upcr": "{source: 尿蛋白肌酐比, unit: mg/mmol}",
        "protein_24h": "{source: protein_24h, unit: mg/m2/h}",
        "rbc": "{source: rbc, unit: /uL}",
        "rbc_dysmorphic": "{source: rbc_dysmorphic, unit: /uL}",
        "blood_loss_ml": "{source: blood_loss_ml, unit: mL}",
    },
)

MAPPING = f"""description: A messy export of site 2
extracted: 2029-12-31
same_child: {{AS-0991: AS-0003}}
tables:
  screening:
    file: 筛选.csv
    encoding: gb18030
    delimiter: ";"
    decimal: ","
    date: dd/mm/yyyy
    missing: [未查]
    columns:
{SCREENING_LINES}
  randomisation:
    file: randomisation list.xlsx
    sheet: 随机
    columns:
      usubjid: ID
      randomisation_date: date
      sequence: no
      block: block
      arm: {{source: group, values: {{A: Placebo, B: hUC-MSC}}}}
  infusions:
    file: infusions.xpt
    date: yyyymmdd
    columns:
      usubjid: SUBJ
      infusion: NO
      planned_date: PLAN
      date: DAY
      given: {{source: GIVEN, values: {{Y: yes, N: no}}}}
      product: {{source: PROD, values: {{A: Placebo, B: hUC-MSC}}}}
      cells: {{source: MCELLS, unit: 10^6 cells}}
      reason: WHY
  visits:
    file: visits and urine.xlsx
    sheet: 访视
    unscheduled: [计划外]
    columns:
      usubjid: Subject
      visit_no: {{source: Visit, values: {{{", ".join(f"{k}: {v}" for k, v in VISITS.items())}}}}}
      planned_date: Target
      date: Done on
      attended: {{source: Attended, values: {{是: yes, 否: no}}}}
      reason: Why not
  labs:
    - file: visits and urine.xlsx
      sheet: 尿检
      header: 3
      unscheduled: [计划外]
      columns:
        usubjid: Subject
        visit_no: {{source: Visit, values: {{{", ".join(f"{k}: {v}" for k, v in VISITS.items())}}}}}
        date: Sampled
      wide:
        upcr: {{source: UPCR mg/mmol, unit: mg/mmol}}
        protein_24h: {{source: 24h-Prot, unit: mg/m2/24h}}
        dipstick: Dipstick
        rbc: {{source: RBC, unit: 10^6/L}}
        rbc_dysmorphic: {{source: RBC dysm., unit: 10^6/L}}
    - file: blood.csv
      encoding: utf-8-sig
      date: dd-mon-yyyy
      columns:
        usubjid: ID
        visit_no: {{source: Visit, values: {{{", ".join(f"{k}: {v}" for k, v in VISITS.items())}}}}}
        date: Collected
        test:
          source: Analyte
          values: {{Cr: creatinine, CysC: cystatin_c, BUN: bun, Height: height, Weight: weight}}
        value: Result
        unit: Unit
  events:
    file: ae.json
    missing: [ongoing]
    columns:
      usubjid: usubjid
      event_no: event_no
      event: event
      term: term
      start_date: start_date
      end_date: end_date
      severity: severity
      serious: serious
      related: related
      within_24h: within_24h
  treatments:
    file: conmeds.tsv
    delimiter: tab
    date: mm/dd/yyyy
    columns:
      usubjid: USUBJID
      date: DATE
      treatment: TREATMENT
      change: CHANGE
      agent: AGENT
      dose_ratio: {{source: DOSE_RATIO, unit: ratio}}
  disposition:
    file: end of study.csv
    date: yyyy年mm月dd日
    columns:
      usubjid: usubjid
      status: status
      reason: {{source: reason, values: {{搬家: moved away, 家长要求: family's wish}}}}
      date: date
"""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: messy_export.py FOLDER")
    where, mapping_file, plants = write(Path(sys.argv[1]))
    print(f"{where}\n{mapping_file}")
    for plant in plants:
        print(plant.code, plant.usubjid, "" if plant.visit_no is None else int(plant.visit_no))
