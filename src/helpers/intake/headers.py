"""What the columns of exports are called, in English and Chinese, and which of ours they are."""

import difflib
import re
import unicodedata

from helpers.study.codebook import TABLES, UNITS

ALIKE = 0.87
"""Least likeness (`difflib`) of two names that are spelt differently."""

CHILD = (
    "usubjid", "subject", "subjid", "subject id", "subj", "id", "patient", "patient id", "screening number",
    "受试者编号", "受试者", "筛选号", "患者编号", "编号",
)  # fmt: skip

TESTS: dict[str, tuple[str, ...]] = {
    "upcr": (
        "upcr",
        "protcrt",
        "urine protein creatinine ratio",
        "protein/creatinine",
        "尿蛋白肌酐比",
        "尿蛋白/肌酐",
    ),
    "protein_24h": (
        "prot24h",
        "24h protein",
        "24h prot",
        "24 hour urine protein",
        "24小时尿蛋白",
        "24h尿蛋白",
    ),
    "dipstick": ("dipstick", "dipprot", "urine protein dipstick", "protein dipstick", "尿蛋白定性", "尿蛋白"),
    "rbc": ("rbc", "urine rbc", "urine red cells", "rbcurine", "尿红细胞"),
    "rbc_dysmorphic": ("rbc dysm", "dysmorphic rbc", "rbcdys", "dysmorphic red cells", "异形红细胞"),
    "creatinine": ("creatinine", "serum creatinine", "creat", "cr", "scr", "肌酐", "血肌酐", "血清肌酐"),
    "cystatin_c": ("cystatin c", "cysc", "cystatc", "胱抑素c", "血清胱抑素c"),
    "bun": ("bun", "urea nitrogen", "blood urea nitrogen", "尿素氮", "血尿素氮"),
    "height": ("height", "身高"),
    "weight": ("weight", "体重"),
}

NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "screening": {
        "consent_date": (
            "consent date",
            "date of consent",
            "icf date",
            "informed consent date",
            "知情同意日期",
        ),
        "birth_date": ("birth date", "date of birth", "dob", "brthdtc", "出生日期", "出生年月"),
        "sex": ("sex", "gender", "性别"),
        "genotype": ("genotype", "inheritance", "form of disease", "遗传方式", "基因型"),
        "variant": ("variant", "variant classification", "acmg", "变异分类"),
        "biopsy": ("biopsy", "kidney biopsy", "肾活检"),
        "consent": ("consent", "informed consent", "consent signed", "知情同意", "签署知情同意"),
        "zygosity": ("zygosity", "合子", "合子性"),
        "gene": ("gene", "基因", "致病基因"),
        "infection": ("infection", "active infection", "感染"),
        "infection_date": ("infection date", "date of infection", "感染日期"),
        "hbsag": ("hbsag", "hepatitis b surface antigen", "乙肝表面抗原"),
        "anti_hbs": ("anti hbs", "hbsab", "hepatitis b surface antibody", "乙肝表面抗体"),
        "hcv": ("hcv", "anti hcv", "丙肝抗体", "丙型肝炎"),
        "hiv": ("hiv", "anti hiv", "艾滋病", "hiv抗体"),
        "syphilis": ("syphilis", "tppa", "梅毒"),
        "tumour": ("tumour", "tumor", "malignancy", "肿瘤"),
        "ras_since": ("ras inhibitor since", "ras since", "ras抑制剂开始日期"),
        "ras_inhibitor": ("ras inhibitor", "acei/arb", "acei arb", "ras抑制剂"),
        **TESTS,
    },
    "randomisation": {
        "randomisation_date": ("randomisation date", "randomization date", "rand date", "随机日期"),
        "sequence": ("sequence", "randomisation number", "随机号"),
        "arm": ("arm", "group", "treatment arm", "组别", "分组"),
    },
    "infusions": {
        "infusion": ("infusion", "infusion no", "infusion number", "dose number", "输注次数", "输注序号"),
        "planned_date": ("planned date", "plan", "scheduled date", "计划日期"),
        "date": ("date", "infusion date", "date given", "输注日期"),
        "given": ("given", "administered", "是否输注"),
        "product": ("product", "prod", "产品"),
        "cells": ("cells", "cell dose", "细胞数"),
        "reason": ("reason", "why", "原因"),
    },
    "visits": {
        "visit_no": ("visit no", "visit number", "visitnum", "visit", "访视", "访视号"),
        "planned_date": ("planned date", "planned", "target", "target date", "scheduled date", "计划日期"),
        "date": ("date", "visit date", "done on", "svstdtc", "访视日期"),
        "attended": ("attended", "done", "visit done", "是否完成"),
        "reason": ("reason", "why not", "原因"),
    },
    "labs": {
        "visit_no": ("visit no", "visit number", "visitnum", "visit", "访视", "访视号"),
        "date": (
            "date",
            "sample date",
            "sampled",
            "collected",
            "collection date",
            "lbdtc",
            "采样日期",
            "检验日期",
        ),
        "test": ("test", "analyte", "parameter", "lbtestcd", "检验项目", "项目"),
        "value": ("value", "result", "lborres", "结果"),
        "unit": ("unit", "units", "lborresu", "单位"),
        "qualifier": ("qualifier", "sign"),
    },
    "events": {
        "event_no": ("event no", "event number", "ae number", "aeseq", "序号"),
        "event": ("event", "kind of event", "category", "事件类别"),
        "term": ("term", "adverse event", "aeterm", "description", "不良事件", "不良事件名称"),
        "start_date": ("start date", "onset", "aestdtc", "begin", "开始日期", "发生日期"),
        "end_date": ("end date", "resolved", "aeendtc", "stop date", "stop", "end", "结束日期"),
        "severity": ("severity", "grade", "aesev", "严重程度"),
        "serious": ("serious", "sae", "aeser", "严重不良事件"),
        "related": ("related", "causality", "aerel", "相关性"),
        "within_24h": ("within 24h", "within 24 h", "24小时内"),
    },
    "treatments": {
        "date": ("date", "change date", "日期"),
        "treatment": ("treatment", "what", "治疗"),
        "change": ("change", "变化"),
        "agent": ("agent", "drug class", "class", "药物类别"),
        "dose_ratio": ("dose ratio", "剂量比"),
    },
    "disposition": {
        "status": ("status", "end of study status", "dsdecod", "completion status", "完成状态", "状态"),
        "reason": ("reason", "reason for leaving", "dcsreas", "discontinuation reason", "退出原因", "原因"),
        "date": ("date", "last contact", "date of last contact", "dsstdtc", "末次联系日期", "日期"),
    },
}
"""Table: our column: what it may be called."""

TELL_APART = {
    "screening": ("consent_date", "birth_date", "sex", "genotype", "variant", "biopsy"),
    "randomisation": ("arm", "sequence", "randomisation_date"),
    "infusions": ("infusion", "given", "planned_date"),
    "visits": ("attended", "planned_date", "visit_no"),
    "labs": ("test", "value", "unit"),
    "events": ("term", "start_date", "severity", "serious"),
    "treatments": ("treatment", "change", "agent"),
    "disposition": ("status", "reason"),
}
"""Columns by which a table is known."""

UNIT_IN_NAME = re.compile(
    r"[(\[（【]\s*([^)\]）】]+?)\s*[)\]）】]\s*$|\s((?:10\^\d+|[a-zA-Zμµ]*)/[\w²³/^]+)\s*$"
)


def bare(header: str) -> str:
    """A header without capitals, unit, signs and repeated spaces.

    >>> bare("UPCR (mg/mmol)"), bare("Visit_No."), bare("身高（cm）"), bare("UPCR mg/mmol")
    ('upcr', 'visit no', '身高', 'upcr')
    """
    text = UNIT_IN_NAME.sub("", unicodedata.normalize("NFKC", header))
    return re.sub(r"[\s_.:\-]+", " ", text).strip().lower()


def unit_in(header: str) -> str:
    """The unit that a header states, or nothing.

    >>> unit_in("UPCR (mg/mmol)"), unit_in("UPCR mg/mmol"), unit_in("UPCR")
    ('mg/mmol', 'mg/mmol', '')
    """
    found = UNIT_IN_NAME.search(unicodedata.normalize("NFKC", header))
    return (found[1] or found[2]).strip() if found else ""


def names_of(table: str) -> dict[str, tuple[str, ...]]:
    """What each column of a table may be called, its own name first."""
    found = {}
    for column in TABLES[table].columns:
        more = NAMES[table].get(column.name, ()) if column.name != "usubjid" else CHILD
        found[column.name] = (column.name, *more)
    return found


def test_of(text: str) -> str | None:
    """The laboratory test that a name means; None where it is none of ours."""
    return _closest(text, {name: (name, *more) for name, more in TESTS.items()})


def matched(table: str, headers: list[str]) -> dict[str, str]:
    """Our columns and the headers that mean them, each header once."""
    out: dict[str, str] = {}
    taken: set[str] = set()
    names = names_of(table)
    for exact in (True, False):
        for column, some in names.items():
            for header in headers:
                if column in out or header in taken:
                    continue
                same = bare(header) in {bare(name) for name in some}
                near = not exact and _closest(header, {column: some}) is not None
                if same or near:
                    out[column] = header
                    taken.add(header)
    return out


def _closest(text: str, names: dict[str, tuple[str, ...]]) -> str | None:
    spelt = bare(text)
    for column, some in names.items():
        if spelt in {bare(name) for name in some}:
            return column
    every = {bare(name): column for column, some in names.items() for name in some if len(bare(name)) > 3}
    close = difflib.get_close_matches(spelt, list(every), n=1, cutoff=ALIKE) if len(spelt) > 3 else []
    return every[close[0]] if close else None


def table_of(name: str, headers: list[str]) -> tuple[str | None, float]:
    """The table that a file or sheet of these headers is most like, and how much."""
    best: tuple[str | None, float] = (None, 0.0)
    for table, telling in TELL_APART.items():
        found = matched(table, headers)
        if "usubjid" not in found:
            continue
        score = sum(c in found for c in telling) / len(telling) + 0.05 * len(found) / max(len(headers), 1)
        if table == "labs":
            tests = [t for t in (test_of(h) for h in headers) if t]
            placed = (
                tests
                and {"visit_no", "date"} & set(found)
                and "consent_date" not in matched("screening", headers)
            )
            score = max(score, 0.3 + 0.2 * len(set(tests)) if placed else 0)
        score += 0.5 if bare(table) in bare(name) else 0
        if score > best[1]:
            best = (table, score)
    return best if best[1] >= 0.5 else (None, best[1])


assert set(TESTS) == set(UNITS)
