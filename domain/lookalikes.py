"""Names of parties that a person can take for one another."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

NEARLY: Final = 0.85
"""How alike two names are from which on one is taken for the other (`difflib`, from 0 to 1)."""

SHORTEST: Final = 4
"""Letters of the shortest name in which one letter that differs is overlooked."""

_ALIKE: Final = (
    *(("rn", "m"), ("vv", "w"), ("cl", "d"), ("i", "l")),
    *(("0", "o"), ("1", "l"), ("3", "e"), ("5", "s"), ("8", "b")),
)
"""Letters and digits that look alike, and the letter that stands for both."""

_COMPANY: Final = re.compile(r"[._-](ag|bv|co|company|corp|gmbh|inc|limited|llc|ltd|plc|sa|srl)$")
"""The endings of company names. They do not identify a company."""


def lookalikes(name: str, known: Iterable[str]) -> list[str]:
    """Return those known names, other than this one, that a person can take for it, in order."""
    read = _read(name)
    return sorted(each for each in set(known) if each != name and _is_close(read, _read(each)))


def _is_close(one: str, other: str) -> bool:
    return _differ_in_one(one, other) or SequenceMatcher(None, one, other).ratio() >= NEARLY


def _differ_in_one(one: str, other: str) -> bool:
    """Whether one letter is another, is missing, or changed places with the next."""
    shorter = min(len(one), len(other))
    if shorter < SHORTEST:
        return False
    same = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    left, right = one[same:], other[same:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def _read(name: str) -> str:
    """Return a slug as it is read at a glance."""
    found = re.sub(r"[._-]", "", _COMPANY.sub("", name))
    for written, read in _ALIKE:
        found = found.replace(written, read)
    return found
