"""A page of one notebook of its own, outside every report: its exit codes, and what is said where it fails."""

import sys
from collections.abc import Callable

from helpers import Problem
from helpers.build.driver import explained, say
from helpers.build.kernels import CellFailed, NoKernel, end_kernels
from helpers.build.publishing import interruptible


def told(build: Callable[[], int], stopped: str) -> int:
    """Exit code of `build`; 1 where there is no page, 2 for bad input, 3 where no kernel came up, 130 `stopped`."""
    interruptible()
    try:
        return build()
    except CellFailed as failed:
        # bad input that only the notebook's own cells could see
        bad = failed.name == "Problem"
        say(str(failed) if bad else f"{failed.name}: {failed}", sys.stderr)
        return 2 if bad else 1
    except NoKernel as failed:
        say(str(failed), sys.stderr)
        return 3
    except Problem as problem:
        say(str(problem), sys.stderr)
        return 2
    except OSError as error:
        say(f"page stopped: {explained(error)}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(stopped, sys.stderr)
        return 130
    finally:
        end_kernels()
