"""Sign the plan in force, before anyone knows the arms: what `make sign` does.

    python -m helpers.build.sign --by NAME --date 2026-11-28 [--scenario NAME] [--set "a=1 b=2"]

The day is the signer's; no clock is read. The plan of a report on own data is signed, chapters and all: whoever builds
one afterwards reads on its first screen whether that plan is still in force.
"""

import argparse
import sys

from helpers import Problem
from helpers.build.driver import explained, scenarios, settings
from helpers.build.own_edition import named
from helpers.build.publishing import interruptible, shown
from helpers.chapters import contents
from helpers.study.freshness import Sources
from helpers.study.wording import unknown_scenario


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 2 with one message where nothing could be signed."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.sign", description="Sign the plan.")
    parser.add_argument("--scenario", default="base", help="the scenario whose readings are signed")
    parser.add_argument("--set", default="", help="parameters that differ from it")
    parser.add_argument("--by", default="", help="who signs")
    parser.add_argument("--date", default="", help="the day of signing, such as 2026-11-28")
    options = parser.parse_args(arguments)
    interruptible()
    try:
        if options.scenario not in scenarios():
            raise Problem(unknown_scenario(options.scenario, scenarios()))
        stems = [one.stem for one in contents.own()]
        sign = named(contents.SIGN)
        path, fresh = sign(Sources(), options.scenario, settings(options), stems, options.by, options.date)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as error:
        print(explained(error), file=sys.stderr)
        return 2
    print(f"signed: {shown(path)}; commit it" if fresh else f"{shown(path)} says the same already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
