"""What every page of a report says of its data before anything else: simulated, or whose, and how blinded.

Texts are plain; whoever puts them on a page escapes them. Only the standard library is imported.
"""

import json
import re
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Head:
    """The first words of each page of a report.

    lead : in bold; text : the rest of the sentence; printed : at the head of each printed page
    words : what the title of each page says besides ("dummy arms"); tail : the same at the end of files' names
    plan : one line on the plan in force beside the signed one; changes : what differs from it, a line each
    own : whether the data were received and not simulated
    """

    lead: str
    text: str
    printed: str
    words: str = ""
    tail: str = ""
    plan: str = ""
    changes: tuple[str, ...] = ()
    own: bool = False

    def key(self) -> str:
        """The head as one text, for what decides whether a page stands."""
        return json.dumps(asdict(self), sort_keys=True)

    def file(self, name: str) -> str:
        """The name of a file that holds what the pages tell, with what this head adds to it.

        >>> BLINDED.file("adam/adsl.xpt"), SYNTHETIC.file("results.ars.json")
        ('adam/adsl-dummy-arms.xpt', 'results.ars.json')
        """
        stem, dot, kind = name.partition(".")
        return f"{stem}{self.tail}{dot}{kind}"

    def title(self, title: str) -> str:
        """A page's title, with what this head adds."""
        return f"{title} · {self.words}" if self.words else title


SYNTHETIC = Head(
    "Synthetic data.",
    "Every child in this report is simulated, and the treatment effect is an assumption that we chose: nothing here is "
    "evidence that the treatment works or is safe.",
    "Synthetic data: every child is simulated",
)


BLINDED = Head("", "", "", "dummy arms", "-dummy-arms", own=True)
"""What the names of pages and files of a blinded report say of its arms."""


def css_string(text: str) -> str:
    """A text as the inside of a string of CSS in a page: all but plain letters and digits escaped."""
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"\\{ord(found[0]):06x}", text)
