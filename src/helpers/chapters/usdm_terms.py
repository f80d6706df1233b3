"""The controlled terms of the plan in the USDM: those that CDISC has published, and nothing else.

Source: CDISC controlled terminology, packages DDF and SDTM of 2026-03-27, read from what the PyPI package usdm4 0.29.0
carries of it (usdm4/ct/cdisc/library_cache/library_cache_usdm.yaml). Each row: codelist, code, preferred term. What has
no row has no published term: `code` marks it as such.
"""

SYSTEM, VERSION = "http://www.cdisc.org", "2026-03-27"

PUBLISHED = (
    ("C174222", "C174266", "Investigational Arm"),
    ("C174222", "C174268", "Placebo Control Arm"),
    ("C188727", "C188866", "Data Generated Within Study"),
    ("C99079", "C202487", "Screening Epoch"),
    ("C99079", "C101526", "Treatment Epoch"),
    ("C99079", "C202578", "Follow-Up Epoch"),
    ("C188728", "C25716", "Visit"),
    ("C201264", "C201356", "After Timing Type"),
    ("C201264", "C201357", "Before Timing Type"),
    ("C201264", "C201358", "Fixed Reference Timing Type"),
    ("C201265", "C201355", "Start to Start"),
    ("C188725", "C85826", "Trial Primary Objective"),
    ("C188725", "C85827", "Trial Secondary Objective"),
    ("C188726", "C94496", "Primary Endpoint"),
    ("C188726", "C139173", "Secondary Endpoint"),
    ("C66797", "C25532", "Inclusion Criteria"),
    ("C66797", "C25370", "Exclusion Criteria"),
    ("C66732", "C20197", "Male"),
    ("C66732", "C16576", "Female"),
    ("C71620", "C29848", "Year"),
    ("C66735", "C28233", "Single Blind Study"),
    ("C99077", "C98388", "Interventional Study"),
    ("C99076", "C82639", "Parallel Study"),
    ("C66736", "C49656", "Treatment Study"),
    ("C66739", "C49666", "Efficacy Study"),
    ("C66739", "C49667", "Safety Study"),
    ("C207416", "C46079", "Randomized Controlled Clinical Trial"),
    ("C207417", "C41161", "Protocol Agent"),
    ("C207417", "C753", "Placebo"),
    ("C207417", "C165822", "Background Treatment"),
    ("C99078", "C307", "Biological Agent"),
    ("C99078", "C1909", "Pharmacologic Substance"),
    ("C188724", "C21541", "Healthcare Facility"),
    ("C188724", "C93453", "Study Registry"),
    ("C207419", "C207616", "Official Study Title"),
    ("C207419", "C207617", "Public Study Title"),
    ("C215480", "C70793", "Clinical Study Sponsor"),
    ("C215480", "C41189", "Study Subject"),
)
_CODES = {(codelist, term): code for codelist, code, term in PUBLISHED}

NONE = "no published term"
"""In the place of code and system where the terminology has none for what is meant."""


def code(place: str, codelist: str, term: str) -> dict:
    """A term as a Code; `place`: the id of what it says, from which it has its own.

    >>> code("Visit.1.type", "C188728", "Visit")["code"]
    'C25716'
    >>> code("Endpoint.x.level", "C188726", "supportive")["code"]
    'no published term'
    """
    known = _CODES.get((codelist, term))
    return {
        "id": place,
        "code": known or NONE,
        "codeSystem": SYSTEM if known else NONE,
        "codeSystemVersion": VERSION if known else NONE,
        "decode": term,
        "instanceType": "Code",
    }


def alias(place: str, codelist: str, term: str) -> dict:
    """The same as an AliasCode."""
    return {"id": place, "standardCode": code(f"{place}.code", codelist, term), "instanceType": "AliasCode"}
