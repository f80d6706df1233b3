"""The analysis tables as reviewers load them: other readers find in them what the CSV tables say."""

import doctest
import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pyreadstat
import pytest

from helpers import ROOT, Problem
from helpers.analysis import adam
from helpers.chapters import adam_derivations, adam_files, adam_terms, adam_variables, define
from helpers.study import kidney, tables
from helpers.study.codebook import TABLES
from helpers.study.estimands import ESTIMANDS
from helpers.study.parameters import Parameters

TABLES_OF_BASE = ROOT / "data/synthetic/base"
HOSTILE = (
    "</script><b>&amp;", "=cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "ünïcode 😀", "two\nlines", "a\ttab, \"quotes\"",
    "]]>", "12JAN99:11:22:33", "x" * 300, "é" * 150, "word " * 60 + "end",
)  # fmt: skip
NAMES = {"def": define.DEF, "odm": define.ODM}


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return adam_files.read(TABLES_OF_BASE)


@pytest.fixture(scope="module")
def files(frames) -> dict[str, bytes]:
    return adam_files.written("base", "Assumed: <as planned> & so on.", frames)


@pytest.fixture(scope="module")
def hostile(frames) -> dict[str, pd.DataFrame]:
    """Tables whose children and events have names that harm a careless writer, and nobody with an event."""
    found = {name: frame.copy() for name, frame in frames.items()}
    children = dict(zip(found["adsl"]["USUBJID"], HOSTILE, strict=False))
    for frame in found.values():
        frame["USUBJID"] = frame["USUBJID"].map(lambda child: children.get(child, child))
    found["adae"]["AETERM"] = [HOSTILE[k % len(HOSTILE)] for k in range(len(found["adae"]))]
    found["adae"]["AESEV"] = None
    return found


def as_csv(name: str, frame: pd.DataFrame) -> str:
    """A table that another reader gave, as the project writes its tables; pieces of long texts are joined again."""
    whole = {}
    for column in TABLES[name].columns:
        values = frame[column.name]
        if column.kind == "text":
            for part in [one for one in frame if labelled(frame, one) == column.name and one != column.name]:
                values = values.str.cat(frame[part])
            values = values.map(lambda text: None if pd.isna(text) else text or None).astype(object)
        whole[column.name] = pd.to_datetime(values) if column.kind == "date" else values
    return tables.to_csv(pd.DataFrame(whole))


def labelled(frame: pd.DataFrame, part: str) -> str:
    """The variable that a further one goes on with."""
    base = part.rstrip("0123456789")
    found = [one for one in frame if one == base or (len(part) == 8 and one.startswith(base))]
    return found[0] if found and part not in frame.attrs.get("own", ()) else part


def loaded(name: str, content: bytes, folder: Path) -> pd.DataFrame:
    path = folder / f"{name}.xpt"
    path.write_bytes(content)
    frame, told = pyreadstat.read_xport(path)
    frame.attrs["own"] = {column.name for column in TABLES[name].columns}
    assert told.table_name == name.upper()
    assert told.file_label == adam_variables.name_of(name)
    return frame


def test_names_say_what_the_report_says_of_its_arms_and_the_metadata_lead_to_them(frames, files):
    made = adam_files.written("base", "Assumed: <as planned> & so on.", frames, "-dummy-arms")
    assert set(made) == {"define.xml"} | {f"{n}-dummy-arms.{k}" for n in frames for k in ("xpt", "json")}
    for name in frames:
        for kind in ("xpt", "json"):
            assert made[f"{name}-dummy-arms.{kind}"] == files[f"{name}.{kind}"]
    leaves = ElementTree.fromstring(made["define.xml"]).iterfind(".//odm:ItemGroupDef/def:leaf", NAMES)
    leads = {leaf.get(f"{{{define.XLINK}}}href") for leaf in leaves}
    assert leads == {name for name in made if name.endswith(".xpt")}


@pytest.mark.parametrize("name", adam_variables.DATASETS)
def test_a_transport_file_read_by_others_is_the_csv_table(files, frames, name, tmp_path):
    text = (TABLES_OF_BASE / f"{name}.csv").read_text("utf-8")
    frame = loaded(name, files[f"{name}.xpt"], tmp_path)
    assert as_csv(name, frame) == text
    again = pd.read_sas(tmp_path / f"{name}.xpt", format="xport", encoding="utf-8")
    assert list(again) == [column.name for column in TABLES[name].columns]
    for column in TABLES[name].columns:
        if column.kind != "text":
            ours = frames[name][column.name]
            if column.kind == "date":
                ours = (ours - adam_files.SAS_EPOCH) / pd.Timedelta(days=1)
            # pandas reads a zero of such files as 5e-79
            pd.testing.assert_series_equal(again[column.name], ours, check_dtype=False, rtol=0, atol=1e-70)
    if shutil.which("Rscript"):
        asked = f'if (!requireNamespace("haven", quietly = TRUE)) quit(status = 9); x <- haven::read_xpt("{name}.xpt")'
        show = '; write.csv(x, "r.csv", row.names = FALSE, na = "")'
        done = subprocess.run(["Rscript", "-e", asked + show], cwd=tmp_path, capture_output=True, timeout=100)
        if done.returncode != 9:
            read = pd.read_csv(tmp_path / "r.csv", dtype=str, keep_default_na=False)
            wanted = pd.read_csv(TABLES_OF_BASE / f"{name}.csv", dtype=str, keep_default_na=False)
            assert read["USUBJID"].tolist() == wanted["USUBJID"].tolist()
            assert list(read) == list(wanted)


@pytest.mark.parametrize("name", adam_variables.DATASETS)
def test_dataset_json_read_by_odmlib_is_the_csv_table(files, name):
    from odmlib.dataset_json_1_1.model import Column, DatasetJSON

    content = json.loads(files[f"{name}.json"])
    columns = [Column(**one) for one in content.pop("columns")]
    content.pop("sourceSystem")
    read = DatasetJSON(**content, columns=columns)
    assert read.records == len(read.rows)
    frame = pd.DataFrame(read.rows, columns=read.column_names, dtype=object)
    for column, told in zip(TABLES[name].columns, columns, strict=True):
        assert (told.dataType, told.itemOID) == (
            adam_files.KINDS[column.kind],
            define.item_oid(name, column.name),
        )
        if column.kind in ("number", "whole"):
            frame[column.name] = frame[column.name].astype(float)
    assert as_csv(name, frame) == (TABLES_OF_BASE / f"{name}.csv").read_text("utf-8")


def schema():
    import odmlib
    import xmlschema

    return xmlschema.XMLSchema(str(Path(odmlib.__file__).parent / "schemas/define/2.1/define2-1-0.xsd"))


def test_define_holds_by_the_published_schema_whatever_the_tables_say(files, frames, hostile, tmp_path):
    checked = schema()
    empty = {name: frame.iloc[:0] for name, frame in frames.items()}
    for number, content in enumerate(
        (
            files["define.xml"],
            adam_files.written("base", HOSTILE[0] + "\x00\x1b", hostile)["define.xml"],
            adam_files.written("base", "x", empty)["define.xml"],
        )
    ):
        path = tmp_path / f"{number}.xml"
        path.write_bytes(content)
        assert [str(fault.reason) for fault in checked.iter_errors(path)] == []
    path.write_bytes(files["define.xml"].replace(b"Repeating=", b"Repeated="))
    assert list(checked.iter_errors(path)), "a check that sees nothing"


def test_odmlib_reads_define_and_every_reference_leads_somewhere(files, tmp_path):
    from odmlib import define_loader, loader

    path = tmp_path / "define.xml"
    path.write_bytes(files["define.xml"])
    read = loader.ODMLoader(define_loader.XMLDefineLoader(model_package="define_2_1", ns_uri=define.DEF))
    read.open_odm_document(str(path))
    version = read.MetaDataVersion()
    assert [one.Name for one in version.ItemGroupDef] == [name.upper() for name in adam_variables.DATASETS]
    root = ElementTree.fromstring(files["define.xml"])
    ids = [value for one in root.iter() for key, value in one.attrib.items() if key in ("OID", "ID")]
    assert len(ids) == len(set(ids))
    used = {
        value
        for one in root.iter()
        for key, value in one.attrib.items()
        if key.rpartition("}")[2].endswith(("OID", "ArchiveLocationID")) and key not in ("OID", "FileOID")
    }
    assert used <= set(ids)
    defined = {
        one.get("OID")
        for tag in ("ItemDef", "CodeList", "MethodDef")
        for one in root.iter(f"{{{define.ODM}}}{tag}")
    }
    assert defined <= used, "nothing is defined that no table uses"


def test_define_says_of_each_variable_what_the_codebook_says(files):
    root = ElementTree.fromstring(files["define.xml"])
    items = {one.get("OID"): one for one in root.iterfind(".//odm:ItemDef", NAMES)}
    methods = {one.get("OID"): "".join(one.itertext()) for one in root.iterfind(".//odm:MethodDef", NAMES)}
    lists = {one.get("OID"): one for one in root.iterfind(".//odm:CodeList", NAMES)}
    for name in adam_variables.DATASETS:
        group = root.find(f".//odm:ItemGroupDef[@Name='{name.upper()}']", NAMES)
        references = group.findall("odm:ItemRef", NAMES)
        assert [one.get("ItemOID") for one in references] == [
            define.item_oid(name, column.name) for column in TABLES[name].columns
        ]
        for reference, column in zip(references, TABLES[name].columns, strict=True):
            item = items[reference.get("ItemOID")]
            assert reference.get("Mandatory") == ("No" if column.empty else "Yes")
            kind = item.find("def:Origin", NAMES).get("Type")
            assert (kind == "Derived") == (reference.get("MethodOID") in methods)
            if kind == "Derived":
                words = adam_derivations.DERIVED[name][column.name].replace("`", "")
                assert words in " ".join(methods[reference.get("MethodOID")].split())
            if column.values:
                codes = lists[item.find("odm:CodeListRef", NAMES).get("CodeListOID")]
                assert [one.get("CodedValue") for one in codes if one.get("CodedValue")] == list(
                    column.values
                )
        key = [one.get("KeySequence") for one in references if one.get("KeySequence")]
        assert sorted(key) == [str(k) for k in range(1, len(TABLES[name].key) + 1)]


def test_no_derivation_only_says_its_label_again(files, frames):
    """A reviewer wants to know what was computed; and what is copied or assigned is no computation."""
    root = ElementTree.fromstring(files["define.xml"])
    items = {one.get("OID"): one for one in root.iterfind(".//odm:ItemDef", NAMES)}
    methods = {one.get("OID"): "".join(one.itertext()) for one in root.iterfind(".//odm:MethodDef", NAMES)}
    seen = 0
    for reference in root.iterfind(".//odm:ItemRef[@MethodOID]", NAMES):
        item = items[reference.get("ItemOID")]
        label = " ".join("".join(item.find("odm:Description", NAMES).itertext()).split())
        words = " ".join(methods[reference.get("MethodOID")].partition("Allowed:")[0].split())
        told = set(re.findall(r"\w+", words.lower())) - set(re.findall(r"\w+", label.lower()))
        assert len(told) >= 5, (item.get("OID"), label, words)
        seen += 1
    assert seen > 80
    there = {name: {column.name for column in TABLES[name].columns} for name in adam_variables.DATASETS}
    for name, columns in there.items():
        told = [
            variable
            for register in (adam_derivations.COPIES, adam_derivations.ASSIGNED, adam_derivations.DERIVED)
            for variable in register.get(name, ())
        ]
        assert len(set(told)) == len(told), "in one of them only"
        assert set(told) <= columns


def test_derivations_name_columns_and_parameters_that_there_are():
    registers = (adam_derivations.ASSIGNED, adam_derivations.DERIVED)
    beside = [adam_derivations.OF_EGFR, *(rule for _, rule in adam_derivations.STATES.values())]
    words = beside + [text for register in registers for told in register.values() for text in told.values()]
    words += [adam_derivations.TEST, *adam_derivations.TIMES.values()]
    marked = {name for text in words for name in re.findall("`([^`]+)`", text)}
    marked |= {name for told in adam_derivations.COPIES.values() for name in told.values()}
    assert len(marked) > 50
    for name in marked:
        table, dot, column = name.partition(".")
        if dot:
            assert column in {one.name for one in TABLES[table.lower()].columns}, name
        else:
            assert name in Parameters.model_fields, name


def test_a_copy_is_one(files, frames):
    """Each variable that is said to be copied has the values of that column, child by child (and event by event)."""
    root = ElementTree.fromstring(files["define.xml"])
    compared = 0
    for item in root.iterfind(".//odm:ItemDef", NAMES):
        origin = item.find("def:Origin", NAMES)
        _, name, column, *by_value = item.get("OID").split(".")
        if origin.get("Type") != "Predecessor" or by_value:
            continue
        table, _, source = "".join(origin.itertext()).split()[0].partition(".")
        mine = frames[name.lower()]
        if table == "ADSL":
            child = mine["USUBJID"].map(frames["adsl"].set_index("USUBJID", drop=False)[source])
        else:
            found, faults, _ = tables.load(table, TABLES_OF_BASE / f"{table}.csv")
            assert faults == []
            key = [one for one in TABLES[table].key if one != "event_no"]
            found = found.set_index([*key, "event_no"] if table == "events" else key[0], drop=False)
            at = [*zip(mine["USUBJID"], mine["AESEQ"], strict=True)] if table == "events" else mine["USUBJID"]
            child = found[source].reindex(at)
        assert child.astype(object).where(child.notna().to_numpy(), None).tolist() == (
            mine[column].astype(object).where(mine[column].notna(), None).tolist()
        ), item.get("OID")
        compared += 1
    assert compared > 25


def test_the_rules_in_words_are_those_by_which_the_tables_were_made(frames):
    """The words of some derivations, computed as they stand from the raw tables."""
    raw = {}
    for table in ("screening", "infusions", "treatments", "disposition"):
        raw[table], faults, _ = tables.load(table, TABLES_OF_BASE / f"{table}.csv")
        assert faults == []
    adsl, adae, adtte = (frames[name] for name in ("adsl", "adae", "adtte"))
    child = adsl.set_index("USUBJID")
    s = raw["screening"].set_index("usubjid").loc[child.index]
    given = raw["infusions"].dropna(subset="date").groupby("usubjid")["date"].agg(["min", "max", "count"])
    given = given.reindex(child.index)
    planned = raw["infusions"].query("infusion == 2").set_index("usubjid")["planned_date"].loc[child.index]
    day = pd.Timedelta(days=1)
    assert child["AGE"].to_numpy() == pytest.approx(
        ((s["consent_date"] - s["birth_date"]) / day / 365.25).to_numpy()
    )
    assert child["RASMON"].to_numpy() == pytest.approx(
        ((s["consent_date"] - s["ras_since"]) / day / 30.4375).to_numpy(), abs=1e-8, nan_ok=True
    )
    assert (child["NINFUS"] == given["count"].fillna(0)).all()
    assert child["TRTSDT"].equals(given["min"].rename("TRTSDT"))
    assert child["TRTEDT"].equals(given["max"].rename("TRTEDT"))
    assert (child["TZERODT"] == planned).all()
    assert ((child["SAFFL"] == "Y") == (child["NINFUS"] >= 1)).all()
    assert ((child["PPROTFL"] == "Y") == ((child["NINFUS"] == 2) & child["RESCDT"].isna())).all()
    rescue = raw["treatments"].query("treatment == 'rescue'").groupby("usubjid")["date"].min()
    assert child["RESCDT"].dropna().to_dict() == rescue.to_dict()
    assert (((adae["AENDT"] - adae["ASTDT"]) / day + 1).dropna() == adae["ADURN"].dropna()).all()
    assert ((adae["AEENRTPT"] == "ONGOING") == adae["AENDT"].isna()).all()
    first = adae["USUBJID"].map(child["TRTSDT"])
    assert ((adae["TRTEMFL"] == "Y") == (adae["ASTDT"] >= first)).all()
    assert adtte["ACTMONTH"].to_numpy() == pytest.approx(
        ((adtte["ADT"] - adtte["STARTDT"]) / day / 30.4375).to_numpy(), abs=1e-8
    )
    observed = (adtte["USUBJID"].map(child["EOSDT"]) - adtte["STARTDT"]) / day / 30.4375
    ended = observed.clip(upper=365 / 30.4375).clip(lower=adtte["AVAL"])
    ended = ended.where(adtte["CNSR"] > 0, adtte["AVAL"])
    assert adtte["EOSMONTH"].to_numpy() == pytest.approx(ended.to_numpy(), abs=1e-8)


def test_define_leads_to_the_guide_for_reviewers(frames):
    root = ElementTree.fromstring(adam_files.written("base", "x", frames, "-x")["define.xml"])
    named = root.find(".//def:SupplementalDoc/def:DocumentRef", NAMES).get("leafID")
    leaf = root.find(f".//def:leaf[@ID='{named}']", NAMES)
    assert leaf.get(f"{{{define.XLINK}}}href") == "../reviewer-x.html"
    assert leaf.find("def:title", NAMES).text == "Analysis Data Reviewer's Guide"


def test_published_terms_are_said_to_be_so_and_no_others(files):
    root = ElementTree.fromstring(files["define.xml"])
    lists = {one.get("OID"): one for one in root.iterfind(".//odm:CodeList", NAMES)}
    sex = lists["CL.SEX"]
    assert sex.get(f"{{{define.DEF}}}StandardOID") == define.TERMS
    named = {
        one.get("CodedValue", ""): one.find("odm:Alias", NAMES).get("Name")
        for one in [sex, *sex.findall("odm:CodeListItem", NAMES)]
    }
    assert named == {"": "C66731", "M": "C20197", "F": "C16576"}
    for oid, one in lists.items():
        standard = one.get(f"{{{define.DEF}}}StandardOID")
        assert bool(standard) != (one.get(f"{{{define.DEF}}}IsNonStandard") == "Yes")
        assert bool(standard) == bool(one.findall(".//odm:Alias", NAMES)), oid
    names = [one.get("Name") for one in lists.values()]
    assert len(set(names)) == len(names)
    assert not set(names) & {"In the safety set", "Serious"}
    # the words of visits are listed as their numbers are
    visits = [[one.get("CodedValue") for one in lists[f"CL.{name}"]] for name in ("AVISIT", "AVISITN")]
    assert len(visits[0]) == len(visits[1]) == 12
    (comment,) = root.iter(f"{{{define.DEF}}}CommentDef")
    assert "C66769" in "".join(comment.itertext())


def test_equations_of_egfr_are_those_of_the_functions():
    """The text of define.xml, evaluated: at both ends of each row of k, and for values of both sexes."""

    def worth(text: str, **known: float) -> float:
        return eval(text.replace(" x ", " * ").replace("^", "**"), {"__builtins__": {}}, known)

    factors = {"U25 creatinine": kidney.u25_creatinine_k, "U25 cystatin C": kidney.u25_cystatin_k}
    assert set(adam_derivations.K) == set(factors)
    measured = {"height": 120.0, "creatinine": 70.0, "cystatin_c": 1.1}
    assert {*adam_derivations.FORMULAS, "U25 mean"} == set(kidney.METHODS)
    for method, rows in adam_derivations.K.items():
        for sex, low, high, text in rows:
            for age in (low, (low + high) / 2, high - 0.001):
                k = worth(text, age=age)
                assert k == pytest.approx(float(factors[method](age, sex == "M")))
                known = measured | {"age": age, "male": sex == "M"}
                wanted = float(kidney.egfr(method, **known))
                assert worth(adam_derivations.FORMULAS[method], **measured, k=k) == pytest.approx(wanted)
    wanted = float(kidney.egfr("bedside Schwartz", age=9.0, male=True, **measured))
    assert worth(adam_derivations.FORMULAS["bedside Schwartz"], **measured) == pytest.approx(wanted)
    assert "(first + second) / 2" in adam_derivations.equation("U25 mean")


def test_the_rule_of_a_urine_baseline_as_written_gives_every_baseline(frames):
    """A sample of an ill child is left out unless there is no other; who reads only ABLFL gets the same."""
    raw = {}
    for table in ("labs", "events", "randomisation"):
        raw[table], faults, _ = tables.load(table, TABLES_OF_BASE / f"{table}.csv")
        assert faults == []
    said = adam_derivations.DERIVED["adlb"]["ABLFL"]
    assert "unless there is no other" in said
    for name in ("UPCRBL", "RBCBL"):
        assert "unless there is no other" in adam_derivations.DERIVED["adsl"][name]
    listed = raw["randomisation"].set_index("usubjid")["randomisation_date"]
    first = frames["adsl"].set_index("USUBJID")["TRTSDT"]
    latest = pd.concat([listed, first], axis=1).min(axis=1)
    ill = raw["events"][raw["events"]["event"].isin(adam.ILLNESSES)]
    compared = dropped = 0
    for code in adam.URINE:
        rows = raw["labs"].query(f"test == '{adam.PARAMS[code][1]}' and visit_no <= 1").dropna(subset="value")
        rows = rows[rows["date"] <= rows["usubjid"].map(latest)]
        base = frames["adlb"].query(f"PARAMCD == '{code}' and ABLFL == 'Y'").set_index("USUBJID")
        assert set(base.index) == {child for child in rows["usubjid"] if child in latest.index}
        for child, row in base.iterrows():
            mine = rows[rows["usubjid"] == child]
            his = ill[ill["usubjid"] == child]
            taken = [
                ((his["start_date"] <= day) & (his["end_date"].isna() | (day <= his["end_date"]))).any()
                for day in mine["date"]
            ]
            well = mine[[not one for one in taken]]
            used = mine if well.empty else well
            dropped += len(used) < len(mine)
            values = used["value"]
            mean = values.prod() ** (1 / len(values)) if code in adam.RATIO_SCALE else values.mean()
            assert row["AVAL"] == pytest.approx(mean), (code, child)
            assert (row["DTYPE"] == "AVERAGE") == (len(values) == 2)
            compared += 1
    assert compared > 150
    assert dropped, "nobody was ill: the test would not see the rule"


def test_a_state_is_described_parameter_by_parameter_and_empty_where_the_words_say(files, frames):
    root = ElementTree.fromstring(files["define.xml"])
    adlb, adsl = frames["adlb"], frames["adsl"].set_index("USUBJID")
    lists = {one.get("OID"): one for one in root.iterfind(".//odm:CodeList", NAMES)}
    described = [code for code in define.judged(adlb)]
    assert (
        {define.endpoint_of(code) for code in described}
        == set(adam_derivations.STATES)
        == set(adam.ENDPOINTS)
    )
    (values,) = root.findall(".//def:ValueListDef[@OID='VL.IT.ADLB.AVALCAT1']", NAMES)
    assert [one.get("ItemOID").rpartition(".")[2] for one in values] == described
    for code in described:
        allowed = {one.get("CodedValue") for one in lists[f"CL.AVALCAT1.{code}"]}
        rows = adlb[adlb["PARAMCD"] == code]
        assert set(rows["AVALCAT1"].dropna()) <= allowed
        assert rows.loc[rows["ABLFL"] == "Y", "AVALCAT1"].isna().all()
    for flag, code in (("UPCRFL", "PROTCRT"), ("HEMFL", "RBCURINE"), ("GFRFL", "GFRBSCRT")):
        rows = adlb[(adlb["PARAMCD"] == code) & adlb["ABLFL"].isna()]
        assert (rows["AVALCAT1"].notna() == (rows["USUBJID"].map(adsl[flag]) == "Y")).all()


def test_a_value_of_adlb_is_described_parameter_by_parameter(files, frames):
    root = ElementTree.fromstring(files["define.xml"])
    (values,) = root.findall(".//def:ValueListDef[@OID='VL.IT.ADLB.AVAL']", NAMES)
    items = {one.get("OID"): one for one in root.iterfind(".//odm:ItemDef", NAMES)}
    wheres = {one.get("OID"): one for one in root.iterfind(".//def:WhereClauseDef", NAMES)}
    found = {}
    for reference in values:
        where = wheres[reference.find("def:WhereClauseRef", NAMES).get("WhereClauseOID")]
        code = where.find(".//odm:CheckValue", NAMES).text
        found[code] = "".join(
            items[reference.get("ItemOID")].find("odm:Description", NAMES).itertext()
        ).strip()
    assert found == {
        code: words for code, (words, _) in adam.PARAMS.items() if code in set(frames["adlb"]["PARAMCD"])
    }
    said = "".join(root.find(".//odm:MethodDef[@OID='MT.IT.ADLB.AVAL.GFRBSCRT']", NAMES).itertext())
    assert "0.413 x height / (creatinine / 88.4)" in said
    assert "labs.test at the same labs.visit_no" in said
    assert not list(root.iter(f"{{{define.ODM}}}FormalExpression")), "a name of a function is no expression"
    assert set(define.ANSWERS.values()) <= {one.name for one in ESTIMANDS}
    assert set(define.ANSWERS) <= set(frames["adtte"]["PARAMCD"])


def test_labels_fit_are_told_apart_and_are_typed_only_where_they_must_be():
    for name in adam_variables.DATASETS:
        labels = [adam_variables.label(column) for column in TABLES[name].columns]
        assert len(set(labels)) == len(labels)
        assert all(0 < len(one.encode()) <= adam_variables.LABEL_BYTES for one in labels)
        assert all(len(column.name) <= adam_variables.NAME_BYTES for column in TABLES[name].columns)
        assert len(adam_variables.name_of(name).encode()) <= adam_variables.LABEL_BYTES
    names = {column.name for name in adam_variables.DATASETS for column in TABLES[name].columns}
    assert set(adam_variables.LABELS) <= names


def test_hostile_texts_come_back_as_they_were(hostile, tmp_path):
    made = adam_files.written("base", HOSTILE[0], hostile)
    for name, frame in hostile.items():
        wanted = tables.to_csv(frame)
        content = loaded(name, made[f"{name}.xpt"], tmp_path)
        widths = pyreadstat.read_xport(tmp_path / f"{name}.xpt", metadataonly=True)[1].variable_storage_width
        assert max(widths.values()) <= adam_variables.TEXT_BYTES
        assert all(len(one) <= adam_variables.NAME_BYTES for one in content)
        # a blank at the place of a cut would be lost
        assert as_csv(name, content) == wanted
        told = json.loads(made[f"{name}.json"])
        where = [one["name"] for one in told["columns"]].index("USUBJID")
        assert [row[where] for row in told["rows"]] == frame["USUBJID"].tolist()


def test_tables_without_a_row_are_tables(frames, tmp_path):
    empty = {name: frame.iloc[:0] for name, frame in frames.items()}
    made = adam_files.written("base", "x", empty)
    for name in adam_variables.DATASETS:
        read = loaded(name, made[f"{name}.xpt"], tmp_path)
        assert (len(read), list(read)) == (0, [column.name for column in TABLES[name].columns])
        assert json.loads(made[f"{name}.json"])["rows"] == []
    assert adam_files.files("base", "x", tmp_path / "nothing") == {}
    assert adam_files.written("base", "x", {}) == {}


def test_a_text_is_as_long_in_the_metadata_as_in_the_files(files, frames, tmp_path):
    """A closed list may have a longer word than any row: define.xml, Dataset-JSON and transport file say the same."""
    root = ElementTree.fromstring(files["define.xml"])
    lengths = {one.get("OID"): one.get("Length") for one in root.iterfind(".//odm:ItemDef", NAMES)}
    for name in frames:
        loaded(name, files[f"{name}.xpt"], tmp_path)
        widths = pyreadstat.read_xport(tmp_path / f"{name}.xpt", metadataonly=True)[1].variable_storage_width
        for one in json.loads(files[f"{name}.json"])["columns"]:
            if one["dataType"] == "string":
                assert str(one["length"]) == lengths[one["itemOID"]] == str(widths[one["name"]]), one["name"]


def test_the_bytes_do_not_depend_on_the_day(frames, monkeypatch):
    real = pyreadstat.write_xport

    def on_another_day(frame, path, **options):
        real(frame, path, **options)
        content = Path(path).read_bytes()
        Path(path).write_bytes(content.replace(content[144:160], b"12FEB31:01:02:03"))

    known = adam_variables.variables("adsl", frames["adsl"])
    first = adam_files.transport("adsl", frames["adsl"], known)
    monkeypatch.setattr(pyreadstat, "write_xport", on_another_day)
    assert adam_files.transport("adsl", frames["adsl"], known) == first
    assert first.count(adam_files.STAMPED) == 4


def test_a_text_is_cut_between_letters_into_names_that_nobody_has():
    taken = {"AETERM", "AETERM1", "LONGNAME"}
    parts = adam_files.split("AETERM", ["é" * 150, "short"], taken)
    assert [name for name, _ in parts] == ["AETERM", "AETERM2"]
    assert ["".join(pieces) for pieces in zip(*(texts for _, texts in parts), strict=True)] == [
        "é" * 150,
        "short",
    ]
    assert [name for name, _ in adam_files.split("LONGNAME", ["x" * 500], taken)] == [
        "LONGNAME",
        "LONGNAM1",
        "LONGNAM2",
    ]


def test_the_examples_of_the_docstrings_run():
    for module in (adam_variables, adam_terms, adam_derivations, define):
        assert doctest.testmod(module).failed == 0


def test_a_table_that_cant_be_read_is_told_with_row_and_column(tmp_path):
    (tmp_path / "adsl.csv").write_text(
        (TABLES_OF_BASE / "adsl.csv").read_text("utf-8").replace(",YEARS,", ",YEARS", 1)
    )
    with pytest.raises(Problem, match=r"adsl\.csv row 2: found 38 values, allowed: 39"):
        adam_files.files("base", "x", tmp_path)


def test_a_text_that_fits_is_one_piece_with_its_last_blanks():
    assert adam_files.split("AETERM", ["fever  ", " "], set()) == [("AETERM", ["fever  ", " "])]
    whole = "x" * adam_files.TEXT_BYTES
    assert adam_files.split("AETERM", [whole], set()) == [("AETERM", [whole])]
    assert adam_files.split("AETERM", [whole[:-1] + " y"], set()) == [
        ("AETERM", [whole[:-1]]),
        ("AETERM1", [" y"]),
    ]


def test_a_variable_of_one_allowed_value_is_assigned_and_one_that_may_be_empty_is_derived(frames):
    columns = {}
    for table in ("adlb", "adtte", "adae"):
        for one in adam_variables.variables(table, frames[table]):
            columns[table, one.column.name] = (table, one)
    said = {name: define.origin(found[0], found[1].column)[0] for name, found in columns.items()}
    single = {
        name: found[1].column.empty
        for name, found in columns.items()
        if found[1].column.values and len(found[1].column.values) == 1 and said[name] != "Predecessor"
    }
    assert single
    assert all(said[name] == ("Derived" if empty else "Assigned") for name, empty in single.items())


CHG = next(one for one in TABLES["adlb"].columns if one.name == "CHG")


def test_no_number_has_more_decimals_than_digits(frames):
    """Noise of the last bits among them: 0.1 + 0.2 - 0.3 has 17 decimals and as many digits."""
    assert adam_variables._length(CHG, pd.Series([0.1 + 0.2 - 0.3, 12.5, 0.05])) > 17
    for length, value in ((3, 12.5), (3, 0.05), (2, 12.0), (1, 7.0), (5, -120.25)):
        assert adam_variables._length(CHG, pd.Series([value])) == length
    text = adam_files.written("base", "Words.", frames)["define.xml"].decode()
    items = ElementTree.fromstring(text).iter("{http://www.cdisc.org/ns/odm/v1.3}ItemDef")
    sizes = [
        (int(one.get("Length")), int(one.get("SignificantDigits")))
        for one in items
        if one.get("SignificantDigits")
    ]
    assert len(sizes) > 10
    assert all(decimals < length for length, decimals in sizes)
