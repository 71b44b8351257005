"""The text of a PDF that Chromium printed, to be read by a test.

Chromium writes each page as a stream of glyphs, with a table of their characters for each font.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

Objects = Mapping[int, bytes]

_OBJECT: Final = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM: Final = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_SHOWN: Final = re.compile(rb"/(F\d+) [\d.]+ Tf|<([0-9A-Fa-f]+)>|\b(ET)\b")
_RANGE: Final = re.compile(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,})>")
_ONE: Final = re.compile(rb"^<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,})>$", re.MULTILINE)


def pages_of(pdf: bytes) -> list[str]:
    """Return the words of each page, in the order in which they are drawn."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    pages = [body for body in objects.values() if b"/Type /Page\n" in body]
    return [" ".join(_words(objects, page)) for page in pages]


def _words(objects: Objects, page: bytes) -> Iterator[str]:
    fonts = {
        name: _characters(objects, objects[int(number)])
        for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", page)
    }
    found = re.search(rb"/Contents (\d+) 0 R", page)
    assert found
    font: Mapping[int, str] = {}
    word = ""
    for name, glyphs, end in _SHOWN.findall(_stream(objects[int(found[1])])):
        if name:
            font = fonts[name]
        elif end:
            yield word
            word = ""
        else:
            codes = (int(glyphs[at : at + 4], 16) for at in range(0, len(glyphs), 4))
            word += "".join(font.get(code, "") for code in codes)


def _characters(objects: Objects, font: bytes) -> Mapping[int, str]:
    """Return the character of each glyph of a font."""
    found = re.search(rb"/ToUnicode (\d+) 0 R", font)
    if not found:
        return {}
    table, known = _stream(objects[int(found[1])]), {}
    for first, last, text in _RANGE.findall(table):
        for code in range(int(first, 16), int(last, 16) + 1):
            known[code] = chr(int(text, 16) + code - int(first, 16))
    for code, text in _ONE.findall(table):
        known[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    return known


def _stream(body: bytes) -> bytes:
    found = _STREAM.search(body)
    assert found
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]
