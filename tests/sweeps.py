"""Sweeps: tests of every combination, of which `make test` runs a fixed part.

`make sweeps` runs all of each sweep, which takes an hour or more. The part of `make test` still has
every defence at least once, and its docstring says which combinations are left out, and why.
"""

import os
from typing import Final, TypeVar

T = TypeVar("T")

EVERYTHING: Final = os.environ.get("ACCORD_SWEEPS") == "1"
"""Whether each sweep runs all of its combinations: `make sweeps` sets ACCORD_SWEEPS."""


def sweep(everything: T, part: T) -> T:
    """Return all cases of a sweep, or the fixed part of them that `make test` runs.

    The cases may be a list for `parametrize`, or a number of examples.
    """
    return everything if EVERYTHING else part
