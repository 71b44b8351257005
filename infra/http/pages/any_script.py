"""Names and texts of any script and length, on pages that are written from left to right.

Without this, a Hebrew or Arabic name turns round what is beside it, such as an amount, and a word
without a hyphen makes its page wider than the screen.
"""

import re
from typing import Final

_RIGHT_TO_LEFT: Final = (
    "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
)
"""The blocks of the scripts that are written from right to left (Unicode Annex 9)."""

_BETWEEN: Final = rf"(?:&(?:#[0-9]+|amp);|[^\w<&×·/→{_RIGHT_TO_LEFT}]|[0-9])"
"""What one name has between its letters: signs, digits, and quotes as a page has them."""

_LONGEST_WORD: Final = 48
"""Letters of a word that a line of each page has room for."""

_LONG_WORD: Final = rf"[^\s<>\"'=/&;{_RIGHT_TO_LEFT}-]{{{_LONGEST_WORD},}}"
"""A word that a browser cannot break."""

_NEEDED: Final = re.compile(f"[{_RIGHT_TO_LEFT}]|{_LONG_WORD}")

_PIECES: Final = re.compile(
    r"<(?P<kept>textarea|option|title|svg|pre|code|script|style)\b.*?</(?P=kept)>|<[^>]*>"
    rf"|(?P<run>[{_RIGHT_TO_LEFT}](?:{_BETWEEN}*[{_RIGHT_TO_LEFT}])*)(?P<end>&#3[49];|\))?"
    rf"|(?P<word>{_LONG_WORD})",
    re.DOTALL,
)
"""A tag, with what is in it if no other tag may be; a text from right to left; a long word."""

_BEGINNING: Final = {")": "("}
"""What begins what a sign ends; a quote ends itself."""

_PART: Final = re.compile(rf".{{1,{_LONGEST_WORD // 2}}}")


def with_any_script(page: str) -> str:
    """Return the HTML of a page on which a name moves nothing that is beside it.

    What is written from right to left is isolated, and a long word can be broken.
    """
    return _PIECES.sub(_piece, page) if _NEEDED.search(page) else page


def _piece(found: re.Match[str]) -> str:
    if run := found["run"]:
        end = found["end"] or ""
        is_within = end and run.count(_BEGINNING.get(end, end)) % 2
        return f"<bdi>{run}{end}</bdi>" if is_within else f"<bdi>{run}</bdi>{end}"
    return "<wbr>".join(_PART.findall(found[0])) if found["word"] else found[0]
