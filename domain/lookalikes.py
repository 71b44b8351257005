"""Names of parties that a person can take for one another."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

NEARLY: Final = 0.85
"""How alike two names are from which on one is taken for the other (`difflib`, from 0 to 1)."""

_ALIKE: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"))
"""Letters that look alike, and how both are read."""


def lookalikes(name: str, known: Iterable[str]) -> list[str]:
    """Return those known names, other than this one, that a person can take for it, in order."""
    read = _read(name)
    return sorted(
        each
        for each in set(known)
        if each != name and SequenceMatcher(None, read, _read(each)).ratio() >= NEARLY
    )


def _read(name: str) -> str:
    """Return a slug as it is read at a glance."""
    found = re.sub(r"[._-]", "", name)
    for written, read in _ALIKE:
        found = found.replace(written, read)
    return found
