"""Acronyms, as files that leave the report explain them."""

ACRONYMS = (
    (
        "ADaM",
        "Analysis Data Model of CDISC: ADSL by child, ADLB laboratory, ADTTE time to event, ADAE adverse events",
    ),
    ("ANCOVA", "analysis of covariance"),
    ("CONSORT", "Consolidated Standards of Reporting Trials"),
    ("eGFR", "estimated glomerular filtration rate"),
    ("hUC-MSC", "human umbilical cord mesenchymal stem cells"),
    ("MMRM", "mixed model for repeated measures"),
    ("RAS", "renin-angiotensin system, inhibited by ACE inhibitors and ARBs"),
    ("REML", "restricted maximum likelihood"),
    ("UPCR", "urine protein/creatinine ratio"),
)
"""What short words stand for."""
