"""What a chapter says of where its numbers come from: simulated under assumptions, received, or under dummy arms.

The notebooks are the same for simulated and own data; the sentences that can be true of one of them alone stand here.
"""

from helpers.intake.studies import is_blinded, is_own
from helpers.study.scenario import Study

DUMMY = (
    "The arms are dummy arms, drawn from the seed: what differs between them is chance and says nothing about the "
    "treatment."
)
"""Of any comparison while the trial is blinded."""

SENTENCES = {
    "primary": (
        "The data are simulated: the test says what such a\ntrial would report, not whether the treatment works.",
        "",
        "**These are dummy arms, drawn from the seed, and not the trial's allocation: this result says nothing "
        "about the treatment.**",
    ),
    "ratio": (
        "Any effect in this\nsynthetic trial was put in by the scenario: the ratio shows what such a trial would see "
        "of it, not\nwhether the treatment works.",
        "",
        DUMMY,
    ),
    "choices": (
        "One simulated trial shows how far a choice can move a result, not which choice\nis right.",
        "One trial shows how far a choice can move a result, not which choice is right.",
        DUMMY,
    ),
    "events": ("The events themselves are simulated at rates that are assumptions.", "", DUMMY),
    "deaths": ("The simulation assumes that no child dies.", "", DUMMY),
    "counts": (
        "The intervals are wide because the arms are small,\nand the rates behind these simulated counts are "
        "assumptions.",
        "The intervals are wide because the arms are small.",
        DUMMY,
    ),
    "terms": (
        "Which word an event gets is an assumption of\nthe simulation: each is as likely as the others of its kind.",
        "",
        "The site's own words are not shown while blinded.",
    ),
    "severity": (
        "The shares of\nmoderate and severe events are assumptions, the same in both arms; life-threatening ones are "
        "not simulated.",
        "",
        DUMMY,
    ),
    "soon": (
        "that fever and\nreactions come within 24 hours is an assumption.",
        "read it with its interval.",
        "read it with its interval. " + DUMMY,
    ),
    "rates": (" The rate of infections is an assumption, the same\nin both arms.", "", " " + DUMMY),
    "kidney": ("What hUC-MSC does to the kidney is an assumption of the scenario.", "", DUMMY),
    "listing": (
        "Each is simulated, and so is the site's judgement of its\ncause: that share is an assumption.",
        "The cause is the site's judgement.",
        "The cause is the site's judgement; its own words are not shown while blinded.",
    ),
}
"""Sentence: of simulated data, of own data, of own data while the trial is blinded."""


def said(study: Study, sentence: str) -> str:
    """A sentence of `SENTENCES` as it is true of a study's data.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> nature.said(study, "primary")
    """
    simulated, own, blinded = SENTENCES[sentence]
    return (blinded if is_blinded(study) else own) if is_own(study) else simulated
