# ruff: noqa: INP001 - it is run and copied as a file, so it belongs to no package.
"""Verify an Accord evidence bundle offline, with nothing but Python 3.11 or later.

    python verify.py FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
                     [--not-before MOMENT] [--json]

It follows `FORMAT.md`, which travels in every bundle as `data/FORMAT.md`; "section"
below means a section of that page. It checks the record, and says nothing of what follows from
it: figures, statements and alerts. PyNaCl or `cryptography`, where one is installed, check
signatures faster; the verdict is the same without them.
"""

import argparse
import binascii
import gc
import hashlib
import importlib
import io
import json
import re
import struct
import sys
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, TypeVar, cast

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]
Object = dict[str, Json]
T = TypeVar("T")

MAX_ENTRIES: Final = 10_000  # section 1
MAX_UNPACKED: Final = 1 << 30  # section 1, in bytes
MAX_PACKED: Final = 2 << 30  # Deflate and the headers never need more for what section 1 allows.
MAX_LINE: Final = 8 << 20  # section 2, in bytes without the newline
MAX_DEPTH: Final = 64  # section 2
MAX_WHOLE: Final = 2**53 - 1  # section 2
MAX_DIGITS: Final = 17  # of such a number, with its sign
MAX_NOTE: Final = 64 << 10  # section 6, in bytes
MAX_SIGNATURES: Final = 64  # section 6
MAX_ORDINAL_GAP: Final = 64  # section 4
HASH_SIZE: Final = 32  # bytes of SHA-256, and of a key
NOTED_SIZE: Final = 2 * HASH_SIZE + 1  # bytes of a line of `hashes.txt`
SIGNATURE_SIZE: Final = 64  # bytes of Ed25519
KEY_ID_SIZE: Final = 4  # bytes, of a verifier key (section 6)
COSIGNATURE_SIZE: Final = 8 + SIGNATURE_SIZE  # its time stands before it
TYPE_SIGNATURE: Final = 0x01
TYPE_COSIGNATURE: Final = 0x04
SECOND: Final = 1_000_000  # in microseconds
SKEW: Final = 300  # section 6, in seconds


class Fault(Exception):
    """What the bundle is refused for: a code of the format, and the index in question."""

    def __init__(self, code: str, index: int | None, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.index = index
        self.detail = detail


class Misuse(Exception):
    """The verifier was called wrongly, or its user's own files cannot be read: exit code 2."""


# --- Section 2: JSON, moments, and other forms of text ---------------------------------------


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no whole number within 2^53-1")


def _whole_number(text: str) -> int:
    number = int(text) if len(text) <= MAX_DIGITS else MAX_WHOLE + 1
    if text == "-0" or abs(number) > MAX_WHOLE:
        _refuse_number(text)
    return number


def _writer() -> Callable[[Json], str]:
    # Keys are ASCII here, so the order of code points is the order of RFC 8785.
    encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
    )
    try:
        # What `encode` makes anew for each value is made once here: that halves its time.
        made = vars(json.encoder)["c_make_encoder"](
            *(None, encoder.default, json.encoder.encode_basestring),
            *(None, ":", ",", True, False, True),
        )
        if "".join(made({"b": [1, None], "a": "\u20ac\n"}, 0)) == '{"a":"\u20ac\\n","b":[1,null]}':
            return lambda value: "".join(made(value, 0))
    except (AttributeError, KeyError, TypeError):
        pass
    return encoder.encode


_READER: Final = json.JSONDecoder(
    parse_int=_whole_number, parse_float=_refuse_number, parse_constant=_refuse_number
)
_write: Final = _writer()


def _check_profile(value: Json, levels: int) -> None:
    if isinstance(value, dict | list):
        if levels == MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels")
        if isinstance(value, dict) and not "".join(value).isascii():
            raise ValueError("a key has a character beyond ASCII")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_profile(inner, levels + 1)


def canonical(value: Json) -> bytes:
    """The canonical form (section 2) of a value that section 2 allows."""
    return _write(value).encode("utf-8")


def parse(text: str, levels: int = 0) -> Json:
    """The value of a text in canonical form, so many levels deep already; else ValueError.

    As a text is refused that differs from its value written again, only what would not show
    there has to be looked for: depth and keys, and of them only where there can be any.
    """
    try:
        value, end = _READER.raw_decode(text)
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels") from None
    if not text.isascii() or text.count("{") + text.count("[") > MAX_DEPTH - levels:
        _check_profile(value, levels)
    if end != len(text) or _write(value) != text:
        raise ValueError("not in canonical form")
    return cast("Json", value)


_DAY: Final = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?Z"
_MOMENT: Final = re.compile(_DAY + _TIME).fullmatch
_SALT: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_HEX: Final = re.compile(r"[0-9a-f]{64}").fullmatch
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,15}").fullmatch
_COMMITMENT: Final = re.compile(r"person:[0-9a-f]{64}").fullmatch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:  # Such as the 31st of February.
        return False
    return True


def _instant(moment: str) -> str:
    # The same for all forms of a moment, and in the order of time.
    return moment[:-1].removesuffix(".000000")


def instant(value: Json) -> str | None:
    """A moment in the form of section 2 as a text that sorts by time, else None."""
    if isinstance(value, str) and _MOMENT(value) and _is_day(value[:10]):
        return _instant(value)
    return None


def microseconds(instant: str) -> int:
    """The microseconds since 1970 of what `instant` gave."""
    return (datetime.fromisoformat(f"{instant}+00:00") - _EPOCH) // timedelta(microseconds=1)


def unbase64(value: Json, size: int | None = None) -> bytes | None:
    """The bytes of base64 in its only form (section 2), and of that size if one is given."""
    if not isinstance(value, str):
        return None
    try:
        raw = binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        return None
    only_form = binascii.b2a_base64(raw, newline=False).decode() == value
    return raw if only_form and size in {None, len(raw)} else None


def whole(text: str) -> int | None:
    """The number of decimal digits in their only form, within the range of section 2."""
    return int(text) if _WHOLE(text) and int(text) <= MAX_WHOLE else None


def _words(text: str) -> list[str]:
    return text.split()


# What is absent, or of another type, reads as empty.
def _object(value: Json) -> Object:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Json) -> int:
    return value if isinstance(value, int) else -1


# --- The shapes of objects, in words ---------------------------------------------------------

Form = Callable[[Json], bool]


def _matching(pattern: Callable[[str], object]) -> Form:
    return lambda value: isinstance(value, str) and bool(pattern(value))


_FORMS: Final[dict[str, Form]] = {
    "text": lambda value: isinstance(value, str),
    "flag": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "whole": lambda value: type(value) is int,
    "count": lambda value: type(value) is int and value >= 0,
    "positive": lambda value: type(value) is int and value > 0,
    "moment": lambda value: instant(value) is not None,
    "hash": lambda value: unbase64(value, HASH_SIZE) is not None,
    "base64": lambda value: unbase64(value) is not None,
    "digest": _matching(_HEX),
    "salt": _matching(_SALT),
    "commitment": _matching(_COMMITMENT),
    "why": _matching(re.compile("private|range").fullmatch),
    "format": _matching(re.compile("accord-bundle/1").fullmatch),
    "command": _matching(re.compile("command/v1").fullmatch),
    "command-type": _matching(re.compile(r"accord\..*", re.DOTALL).fullmatch),
    "nonce": _matching(re.compile("[!-~]{8,128}").fullmatch),
    "true": lambda value: value is True,
}


def _form(word: str) -> Form:
    if word.startswith("["):
        inner = _FORMS[word[1:-1]]
        return lambda value: isinstance(value, list) and all(map(inner, value))
    if word.endswith("|null"):
        other = _FORMS[word.removesuffix("|null")]
        return lambda value: value is None or other(value)
    return _FORMS[word]


def _shape(words: str) -> Form:
    """An object with these members, `name:form`, or `name?:form` if it may be absent.

    A form is a word of `_FORMS`, `[word]` for a list of them, or `word|null`.
    """
    pairs = [word.split(":") for word in words.split()]
    forms = {name.removesuffix("?"): _form(form) for name, form in pairs}
    needed = {name for name, _ in pairs if not name.endswith("?")}

    def fits(value: Json) -> bool:
        if not (isinstance(value, dict) and needed <= value.keys() <= forms.keys()):
            return False
        for name, inner in value.items():  # noqa: SIM110 - `all` of a generator takes longer
            if not forms[name](inner):
                return False
        return True

    return fits


def _either(*forms: Form) -> Form:
    return lambda value: any(form(value) for form in forms)


# --- Section 5: the Merkle tree --------------------------------------------------------------


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The Merkle tree (section 5) over leaf hashes, with the root of every size."""

    def __init__(self, leaves: list[bytes]) -> None:
        # Each level has the roots of the perfect subtrees of its height.
        self._levels = [leaves]
        while len(leaves) > 1:
            pairs = zip(leaves[::2], leaves[1::2], strict=False)
            leaves = [hashlib.sha256(b"\x01" + one + two).digest() for one, two in pairs]
            self._levels.append(leaves)
        self._roots = {0: _sha256(b"")}

    def root(self, size: int) -> bytes | None:
        """The root of the first so many leaf hashes, None if there are fewer."""
        if size > len(self._levels[0]):
            return None
        if size not in self._roots:
            heights = [height for height in range(size.bit_length()) if size >> height & 1]
            subtrees = [self._levels[height][(size >> height) - 1] for height in heights]
            root = subtrees[0]
            for left in subtrees[1:]:
                root = _node(left, root)
            self._roots[size] = root
        return self._roots[size]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf to the root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size or len(leaf) != HASH_SIZE:
        return False
    inner, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0 or len(sibling) != HASH_SIZE:
            return False
        if inner & 1 or inner == last:
            node = _node(sibling, node)
            while inner and not inner & 1:
                inner, last = inner >> 1, last >> 1
        else:
            node = _node(node, sibling)
        inner, last = inner >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(
    size1: int, size2: int, proof: list[bytes], root1: bytes, root2: bytes
) -> bool:
    """Whether the proof leads from one root to the other (RFC 9162 section 2.1.4.2).

    From size 0 it never does: there is nothing to be consistent with.
    """
    if not 0 < size1 <= size2 or any(len(node) != HASH_SIZE for node in proof):
        return False
    if size1 == size2 or not proof:
        return size1 == size2 and not proof and root1 == root2
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else proof
    inner, last = size1 - 1, size2 - 1
    while inner & 1:
        inner, last = inner >> 1, last >> 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if inner & 1 or inner == last:
            old, new = _node(node, old), _node(node, new)
            while inner and not inner & 1:
                inner, last = inner >> 1, last >> 1
        else:
            new = _node(new, node)
        inner, last = inner >> 1, last >> 1
    return last == 0 and old == root1 and new == root2


# --- Section 9: Ed25519 ----------------------------------------------------------------------

Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z and T, where x = X/Z, xy = T/Z
Verify = Callable[[bytes, bytes, bytes], bool]

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)
_IDENTITY: Final[Point] = (0, 1, 1, 0)
_IDENTITY_BYTES: Final = (1).to_bytes(HASH_SIZE, "little")


def _add(one: Point, other: Point) -> Point:
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * _D * t1 * t2 % _P
    d = 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(point: Point) -> Point:
    x, y, z, _ = point
    a, b = x * x, y * y
    h = a + b
    e = h - (x + y) * (x + y)
    g = a - b
    f = 2 * z * z + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _decode(raw: bytes) -> Point | None:
    """The point of 32 bytes (RFC 8032 section 5.1.3), None if they are no point's only form."""
    if len(raw) != HASH_SIZE:
        return None
    number = int.from_bytes(raw, "little")
    y, odd = number & (2**255 - 1), number >> 255
    if y >= _P:
        return None
    u, v = y * y - 1, _D * y * y + 1
    x = u * v**3 * pow(u * v**7, (_P - 5) // 8, _P) % _P
    if (v * x * x + u) % _P == 0:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (v * x * x - u) % _P or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return ((x * inverse % _P & 1) << 255 | y * inverse % _P).to_bytes(HASH_SIZE, "little")


def _is_identity(point: Point) -> bool:
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0


def _multiples(point: Point) -> list[Point]:
    table = [_IDENTITY]
    for _ in range(15):
        table.append(_add(table[-1], point))
    return table


def _combine(scalar: int, table: list[Point], other: int, other_table: list[Point]) -> Point:
    """`scalar` times one point plus `other` times another, given the first 16 multiples of each."""
    total = _IDENTITY
    for shift in range(252, -1, -4):
        total = _double(_double(_double(_double(total))))
        total = _add(total, table[scalar >> shift & 15])
        total = _add(total, other_table[other >> shift & 15])
    return total


_BASE: Final = _multiples(_decode(bytes.fromhex("58" + "66" * 31)) or _IDENTITY)


@lru_cache(maxsize=4096)
def admitted(public: bytes) -> bool:
    """Whether section 9 admits the key: a point in its only form, and not of small order."""
    point = _decode(public)
    return point is not None and not _is_identity(_double(_double(_double(point))))


@lru_cache(maxsize=4096)
def _in_main_group(public: bytes) -> bool:
    point = _decode(public)
    if point is None:
        return False
    return _is_identity(_combine(_L, _multiples(point), 0, _BASE))


@lru_cache(maxsize=64)
def _negated(public: bytes) -> list[Point]:
    x, y, z, t = _decode(public) or _IDENTITY
    return _multiples((-x % _P, y, z, -t % _P))


def _plain_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    start, scalar = signature[:HASH_SIZE], int.from_bytes(signature[HASH_SIZE:], "little")
    challenge = hashlib.sha512(start + public + message).digest()
    k = int.from_bytes(challenge, "little") % _L
    # To encode the point that R must be, and compare bytes, refuses every other form of R too.
    return _encode(_combine(scalar, _BASE, k, _negated(public))) == start


def _sodium() -> Verify:
    bindings = importlib.import_module("nacl.bindings")
    wrong = importlib.import_module("nacl.exceptions").BadSignatureError

    def accepts(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            bindings.crypto_sign_open(signature + message, public)
        except wrong:
            return False
        return True

    # Newer versions of libsodium multiply the equation by the cofactor, and so accept this
    # signature, whose R lies outside the main group.
    with_cofactor = accepts(
        bytes.fromhex("ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081"),
        b"probe",
        bytes.fromhex(
            "1c354c4c7a6de4bcb4fd275f391333dd9bf17d38b41332753f60cf56d5ef4fcc"
            "4f2d89c227cc923f9193cd3cffae9aabaaf2ac27713f9392185828c3a50c2403"
        ),
    )

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        start = signature[:HASH_SIZE]
        # libsodium refuses every R of small order. Within the main group only the identity is
        # one, and there the cofactor makes no difference.
        if start == _IDENTITY_BYTES or not _in_main_group(public):
            return _plain_verify(public, message, signature)
        if with_cofactor and not bindings.crypto_core_ed25519_is_valid_point(start):
            return False
        return accepts(public, message, signature)

    return verify


def _openssl() -> Verify:
    ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    wrong = importlib.import_module("cryptography.exceptions").InvalidSignature

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except wrong:
            return False
        return True

    return verify


@lru_cache(maxsize=1)
def _fastest() -> Verify:
    # RFC 8032 section 7.1, TEST 1: a library that is installed but does not work is passed over.
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    for library in (_sodium, _openssl):
        try:
            verify = library()
            if verify(public, b"", signature):
                return verify
        except Exception:  # noqa: BLE001, S112 - whatever is wrong with it, there is another
            continue
    return _plain_verify


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is right by the strict rules of section 9."""
    return (
        len(signature) == SIGNATURE_SIZE
        and int.from_bytes(signature[HASH_SIZE:], "little") < _L
        and admitted(public)
        and _fastest()(public, message, signature)
    )


# --- Section 6: notes and checkpoints --------------------------------------------------------


class VerifierKey(NamedTuple):
    """A key as signed notes name it (section 6): name, key id, type byte and public key."""

    name: str
    id: bytes
    type: int
    public: bytes


class Signature(NamedTuple):
    """One signature line of a note (section 6)."""

    name: str
    id: bytes
    body: bytes


class Note(NamedTuple):
    """A C2SP signed-note: its text, with the last newline, and its signatures (section 6)."""

    raw: str
    text: str
    signatures: list[Signature]


class Checkpoint(NamedTuple):
    """A note whose text is a checkpoint (section 6)."""

    note: Note
    origin: str
    size: int
    root: bytes
    time: int = 0  # by the log's own cosignature, in seconds


class Receipt(NamedTuple):
    """What the operator signed when it accepted a command (section 11)."""

    note: Note
    origin: str
    first: int
    leaves: list[bytes]
    deadline: str  # as `instant` gives it


# The functions that read these raise ValueError at what has another form.

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]").search


def _plain_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def parse_key(text: str) -> VerifierKey:
    """A verifier key, `<name>+<key id>+<base64>` (section 6)."""
    name, _, rest = text.partition("+")
    shown, _, encoded = rest.partition("+")
    material = unbase64(encoded)
    if not _plain_name(name) or not material:
        raise ValueError("not a verifier key")
    key_id = _sha256(name.encode() + b"\n" + material)[:KEY_ID_SIZE]
    if key_id.hex() != shown:
        raise ValueError("the key id of a verifier key is not that of the key")
    return VerifierKey(name, key_id, material[0], material[1:])


def parse_note(raw: str) -> Note:
    """A signed note (section 6)."""
    if len(raw.encode()) > MAX_NOTE or _CONTROL(raw):
        raise ValueError("a note is too long or has control characters")
    text, _, block = raw.partition("\n\n")
    lines = block.split("\n")
    if lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise ValueError("a note has too few or too many signature lines")
    return Note(raw, text + "\n", [_parse_signature(line) for line in lines])


def _parse_signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    body = unbase64(encoded)
    if dash != "—" or not _plain_name(name) or body is None or len(body) <= KEY_ID_SIZE:
        raise ValueError("not a signature line")
    return Signature(name, body[:KEY_ID_SIZE], body[KEY_ID_SIZE:])


def parse_checkpoint(raw: str) -> Checkpoint:
    """A checkpoint (section 6)."""
    note = parse_note(raw)
    lines = note.text.split("\n")
    if len(lines) != 4:  # noqa: PLR2004 - origin, size, root, and what follows: nothing
        raise ValueError("a checkpoint has three lines")
    size, root = whole(lines[1]), unbase64(lines[2], HASH_SIZE)
    if not lines[0] or size is None or root is None:
        raise ValueError("not the lines of a checkpoint")
    return Checkpoint(note, lines[0], size, root)


def parse_receipt(raw: str) -> Receipt:
    """A receipt (section 11)."""
    note = parse_note(raw)
    lines = note.text.split("\n")
    if len(lines) < 6 or lines[0] != "accord/receipt@v1":  # noqa: PLR2004 - without leaves
        raise ValueError("not a receipt")
    command, events, deadline = lines[2].split(" "), lines[3].split(" "), lines[-2].split(" ")
    forms = [command[0], events[0], deadline[0], len(command), len(events), len(deadline)]
    if forms != ["command", "events", "deadline", 2, 3, 2] or not _HEX(command[1]):
        raise ValueError("not the lines of a receipt")
    first, count, until = whole(events[1]), whole(events[2]), instant(deadline[1])
    leaves = [_parse_leaf(line) for line in lines[4:-2]]
    if first is None or until is None or count != len(leaves):
        raise ValueError("not the lines of a receipt")
    return Receipt(note, lines[1], first, leaves, until)


def _parse_leaf(line: str) -> bytes:
    word, _, encoded = line.partition(" ")
    leaf = unbase64(encoded, HASH_SIZE)
    if word != "leaf" or leaf is None:
        raise ValueError("not a leaf line of a receipt")
    return leaf


def signed_by(note: Note, key: VerifierKey) -> bool:
    """Whether exactly one signature stands under the key's name and id, and it is right."""
    own = [one for one in note.signatures if (one.name, one.id) == (key.name, key.id)]
    return len(own) == 1 and ed25519_verify(key.public, note.text.encode(), own[0].body)


def as_cosigner(key: VerifierKey) -> VerifierKey:
    """The key by which the same signer cosigns (section 6)."""
    material = bytes([TYPE_COSIGNATURE]) + key.public
    key_id = _sha256(key.name.encode() + b"\n" + material)[:KEY_ID_SIZE]
    return VerifierKey(key.name, key_id, TYPE_COSIGNATURE, key.public)


def own_cosignature(note: Note, log: VerifierKey) -> Signature | None:
    """The one cosignature by the log's own key (section 6), None unless it is right."""
    key = as_cosigner(log)
    own = [one for one in note.signatures if (one.name, one.id) == (key.name, key.id)]
    return own[0] if len(own) == 1 and cosignature_right(note, own[0], key) else None


def stamp(signature: Signature) -> int:
    """The time of a cosignature, in seconds; 0 if it has none."""
    seconds = int.from_bytes(signature.body[:8], "big")
    return seconds if len(signature.body) == COSIGNATURE_SIZE and seconds <= _LATEST else 0


_LATEST: Final = 253_402_300_799  # the last second of the year 9999


def cosignature_right(note: Note, signature: Signature, key: VerifierKey) -> bool:
    """Whether a cosignature (section 6) is right."""
    time = stamp(signature)
    signed = f"cosignature/v1\ntime {time}\n{note.text}"
    return bool(time) and ed25519_verify(key.public, signed.encode(), signature.body[8:])


# --- Section 7: policy and pins --------------------------------------------------------------


@dataclass
class Policy:
    """Whom a user trusts for the log (section 7)."""

    logs: list[VerifierKey] = field(default_factory=list)
    quorums: list[str] = field(default_factory=list)
    witnesses: dict[str, VerifierKey] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    cosigners: dict[tuple[str, bytes], VerifierKey] = field(default_factory=dict)
    named: set[bytes | str] = field(default_factory=set)  # witnesses' keys, and groups' members

    def met_by(self, signatures: Iterable[Signature]) -> bool:
        """Whether these signatures, known to be right, meet the quorum."""
        present = {(one.name, one.id) for one in signatures}
        holds = {word: (key.name, key.id) in present for word, key in self.witnesses.items()}
        for word, (needed, members) in self.groups.items():
            holds[word] = sum(holds[member] for member in members) >= needed
        return self.quorums == ["none"] or holds[self.quorums[0]]

    def witnessed(self, note: Note) -> int | None:
        """The last second since when cosignatures, known to be right, meet the quorum."""
        own = [one for one in note.signatures if (one.name, one.id) in self.cosigners]
        own.sort(key=stamp, reverse=True)
        for count, one in enumerate(own, 1):
            if self.quorums != ["none"] and self.met_by(own[:count]):
                return stamp(one)
        return None

    def read(self, words: list[str]) -> None:
        """Take one line; ValueError if it is no line of a policy."""
        match words:
            case ["log", key] | ["log", key, _]:
                self._read_log(_key_of(key))
            case ["witness", word, key] | ["witness", word, key, _]:
                self._read_witness(word, _key_of(key))
            case ["group", word, needed, *members]:
                self._read_group(word, needed, members)
            case ["quorum", word] if word == "none" or self._knows(word):
                self.quorums.append(word)
            case _:
                raise ValueError(f"not a line of a policy: {' '.join(words)[:80]}")

    def of(self, origin: str, signed: Note | None = None) -> VerifierKey | None:
        """The log's key of an origin; of several, the one that signed a note."""
        own = [key for key in self.logs if key.name == origin]
        right = [key for key in own if signed is not None and signed_by(signed, key)]
        return next(iter(right or own), None)

    def _knows(self, word: str) -> bool:
        return word in self.witnesses or word in self.groups

    def _read_log(self, key: VerifierKey) -> None:
        if key.type != TYPE_SIGNATURE or not admitted(key.public):
            raise ValueError("a log has a key of type 0x01 that is admitted")
        if any(key.public == other.public for other in self.logs):
            raise ValueError("two logs have one key")
        self.logs.append(key)

    def _read_witness(self, word: str, key: VerifierKey) -> None:
        if word == "none" or self._knows(word):
            raise ValueError(f"the word {word!r} is taken")
        if key.type != TYPE_COSIGNATURE or len(key.public) != HASH_SIZE:
            raise ValueError("a witness has a key of type 0x04")
        if key.public in self.named:  # It would count twice.
            raise ValueError("a key stands under two words")
        self.named.add(key.public)
        self.witnesses[word] = self.cosigners[key.name, key.id] = key

    def _read_group(self, word: str, needed: str, members: list[str]) -> None:
        if word == "none" or self._knows(word):
            raise ValueError(f"the word {word!r} is taken")
        if not all(map(self._knows, members)):
            raise ValueError("a group has a member that is not named above")
        number = {"all": len(members), "any": 1}.get(needed) or whole(needed) or 0
        if not 1 <= number <= len(members):
            raise ValueError("a group asks for more, or less, than it has")
        if len(set(members)) != len(members) or not self.named.isdisjoint(members):
            raise ValueError("a word is a member of two groups")
        self.named.update(members)
        self.groups[word] = (number, members)


def parse_policy(raw: bytes) -> Policy:
    """A policy (section 7); ValueError if it is none."""
    policy = Policy()
    for words in _lines_of(raw):
        policy.read(words)
    if not policy.logs or len(policy.quorums) != 1:
        raise ValueError("a policy has a line `log`, and exactly one line `quorum`")
    return policy


@dataclass
class Pins:
    """The keys and verifiers that a user expects (section 7)."""

    parties: dict[str, str] = field(default_factory=dict)
    verifiers: list[tuple[str, str]] = field(default_factory=list)


def parse_pins(raw: bytes) -> Pins:
    """Pins (section 7); ValueError if they are none."""
    pins = Pins()
    for words in _lines_of(raw):
        match [_utf8(word) for word in words]:
            case ["party", party, key] if party not in pins.parties and unbase64(key, HASH_SIZE):
                pins.parties[party] = key
            case ["verifier", digest, name] if _HEX(digest):
                pins.verifiers.append((digest, name))
            case other:
                raise ValueError(f"not a line of pins: {' '.join(other)[:80]}")
    return pins


_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]").search
_BLANKS: Final = re.compile(r"[ \t]+")


def _lines_of(raw: bytes) -> Iterator[list[str]]:
    # A policy file is a sequence of octets (C2SP tlog-policy): names need not be UTF-8.
    text = raw.decode("latin-1")
    if _FORBIDDEN(text):
        raise ValueError("it has a control character")
    for line in text.split("\n"):
        content = line.strip(" \t")
        if content and not content.startswith("#"):
            yield _BLANKS.split(content)


def _utf8(word: str) -> str:
    return word.encode("latin-1").decode("utf-8")


def _key_of(word: str) -> VerifierKey:
    return parse_key(_utf8(word))


# --- Section 1: the container ----------------------------------------------------------------

TAG_FILES: Final = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt")
_DATA_FILES: Final = """
    bundle.json events.jsonl hashes.txt checkpoints.jsonl commands.jsonl people.jsonl
    rejected.jsonl policy.txt FORMAT.md verify.py verify.mjs
"""
NEEDED: Final = frozenset(
    {*TAG_FILES, "tagmanifest-sha256.txt", *(f"data/{name}" for name in _DATA_FILES.split())}
)
_PROOF_NAME: Final = re.compile(r"data/proofs/(0|[1-9][0-9]*)\.tlog-proof").fullmatch
_STAMP_NAME: Final = re.compile(r"data/timestamps/(0|[1-9][0-9]*)\.tsr").fullmatch
_SCHEMA_NAME: Final = re.compile(r"data/schemas/[A-Za-z0-9]+\.json").fullmatch
_BAGIT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LABELLED: Final = re.compile(r"[A-Za-z-]+: [^\x00-\x1f\x7f]+").fullmatch

_END: Final = struct.Struct("<4sHHHHIIH")  # of the ZIP file
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_SIZES: Final = struct.Struct("<III")  # check sum, packed and unpacked size
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x2041  # the bits of the flags that tell of any kind of encryption
_SIZES_BEHIND: Final = 0x0008
_UTF8: Final = 0x0800
_ZIP64: Final = 1  # among the extra fields


class _Entry(NamedTuple):
    name: bytes
    flags: int
    method: int
    sizes: bytes  # as `_SIZES` packs them
    start: int


def _bag(detail: str) -> Fault:
    return Fault("bag", None, detail)


def read_container(raw: bytes) -> dict[str, bytes]:
    """The files of the bundle by name, after the checks of section 1."""
    files: dict[str, bytes] = {}
    entries, directory = _central_directory(raw)
    if sum(_SIZES.unpack(entry.sizes)[2] for entry in entries) > MAX_UNPACKED:
        raise _bag("it would unpack to more than 1 GiB")
    at = 0
    for entry in sorted(entries, key=lambda entry: entry.start):
        name = _name(entry)
        if name in files:
            raise _bag("two entries have the same name")
        if entry.start != at:
            raise _bag("entries overlap, or something stands between them")
        files[name], at = _content(raw, entry, directory)
    if at != directory:
        raise _bag("something stands before the directory")
    _check_names(files)
    _check_manifests(files)
    return files


def _central_directory(raw: bytes) -> tuple[list[_Entry], int]:
    end = len(raw) - _END.size
    if end < 0:
        raise _bag("it is no ZIP file")
    if len(raw) > MAX_PACKED:
        raise _bag("it is larger than a bundle can be")
    mark, disk, first_disk, here, count, size, start, comment = _END.unpack_from(raw, end)
    if mark != b"PK\x05\x06" or disk or first_disk or here != count or comment:
        raise _bag("it is no ZIP file, or one with a comment or of several parts")
    if count > MAX_ENTRIES or start + size != end:
        raise _bag("its directory is not where it should be, or has too many entries")
    entries, at = [], start
    for _ in range(count):
        entry, at = _central_entry(raw, at, end)
        entries.append(entry)
    if at != end:
        raise _bag("something stands behind its directory")
    return entries, start


def _central_entry(raw: bytes, at: int, end: int) -> tuple[_Entry, int]:
    if at + _CENTRAL.size > end:
        raise _bag("its directory is cut off")
    values = _CENTRAL.unpack_from(raw, at)
    name_size, extra_size, comment_size, disk = values[10:14]
    name_at = at + _CENTRAL.size
    name_end = name_at + name_size
    behind = name_end + extra_size
    if values[0] != b"PK\x01\x02" or disk or comment_size or behind > end:
        raise _bag("its directory is broken, or has a comment")
    _check_extra(raw[name_end:behind])
    sizes = _SIZES.pack(*values[7:10])
    return _Entry(raw[name_at:name_end], values[3], values[4], sizes, values[16]), behind


def _check_extra(extra: bytes) -> None:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == _ZIP64:
            raise _bag("it is a ZIP64 file")
        at += 4 + size


def _name(entry: _Entry) -> str:
    try:
        name = entry.name.decode("utf-8" if entry.flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise _bag("a name is not in UTF-8") from None
    parts = name.split("/")
    if "\\" in name or "\0" in name or ".." in parts or "" in parts:
        raise _bag("a name leads elsewhere, or is that of a folder")
    return name


def _content(raw: bytes, entry: _Entry, end: int) -> tuple[bytes, int]:
    """What an entry holds, and where it ends."""
    if entry.flags & _ENCRYPTED or entry.method not in {_STORED, _DEFLATED}:
        raise _bag("an entry is encrypted, or packed by another method")
    if entry.start + _LOCAL.size > end:
        raise _bag("an entry is cut off")
    mark, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(
        raw, entry.start
    )
    name_at = entry.start + _LOCAL.size
    start = name_at + name_size + extra_size
    same = mark == b"PK\x03\x04" and (flags, method) == (entry.flags, entry.method)
    if not same or raw[name_at : name_at + name_size] != entry.name:
        raise _bag("an entry differs from what the directory says")
    _check_extra(raw[name_at + name_size : start])
    behind = start + _SIZES.unpack(entry.sizes)[1]
    content = _unpack(raw[start:behind], entry)
    if flags & _SIZES_BEHIND:
        behind += 4 if raw[behind : behind + 4] == b"PK\x07\x08" else 0
        sizes = raw[behind : behind + _SIZES.size]
        behind += _SIZES.size
    else:
        sizes = _SIZES.pack(crc, packed, size)
    if sizes != entry.sizes or behind > end:
        raise _bag("an entry has other sizes than the directory says")
    return content, behind


def _unpack(packed: bytes, entry: _Entry) -> bytes:
    crc, _, size = _SIZES.unpack(entry.sizes)
    content = packed
    if entry.method == _DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            # One byte more than it claims is enough to see that it claims too little.
            content = inflate.decompress(packed, size + 1)
        except zlib.error:
            raise _bag("an entry cannot be unpacked") from None
        if not inflate.eof or inflate.unused_data:
            raise _bag("an entry is longer or shorter than it says")
    if len(content) != size or zlib.crc32(content) != crc:
        raise _bag("an entry has another size or check sum than it says")
    return content


def _check_names(files: Mapping[str, bytes]) -> None:
    missing = NEEDED - files.keys()
    if missing:
        raise _bag(f"{min(missing)} is not there")
    for name in files.keys() - NEEDED:
        numbered = _PROOF_NAME(name) or _STAMP_NAME(name)
        known = whole(numbered[1]) is not None if numbered else _SCHEMA_NAME(name) is not None
        if not known:
            raise _bag(f"{name[:80]!r} is no file of a bundle")


def _check_manifests(files: Mapping[str, bytes]) -> None:
    if files["bagit.txt"] != _BAGIT:
        raise _bag("bagit.txt is not as it should be")
    payload = [name for name in files if name.startswith("data/")]
    octets = sum(len(files[name]) for name in payload)
    try:
        *info, last = files["bag-info.txt"].decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise _bag("bag-info.txt is not UTF-8") from None
    oxum = [line for line in info if line.lower().startswith("payload-oxum:")]
    if last or not all(map(_LABELLED, info)):
        raise _bag("bag-info.txt has other lines than `Label: value`")
    if oxum != [f"Payload-Oxum: {octets}.{len(payload)}"]:
        raise _bag("Payload-Oxum is not that of the files")
    _check_manifest(files, "manifest-sha256.txt", payload)
    _check_manifest(files, "tagmanifest-sha256.txt", TAG_FILES)


def _check_manifest(files: Mapping[str, bytes], manifest: str, names: Iterable[str]) -> None:
    lines = files[manifest].split(b"\n")
    due = {f"{_sha256(files[name]).hex()}  {name}".encode() for name in names}
    if lines.pop() or len(lines) != len(due) or set(lines) != due:
        raise _bag(f"{manifest} is not that of the files")


# --- Sections 3 to 10: the shapes of the files -----------------------------------------------

_FORMS["about"] = _shape("statement:text|null alert:text|null from:moment|null to:moment|null")
_BUNDLE: Final = _shape("""
    format:format origin:text partnership:text size:count exported_at:moment exported_by:text
    reason:text for:text|null custody:count|null about:about simulated:flag
""")
_CHECKPOINT: Final = _shape("consistency:[hash] note:text")
_COMMAND: Final = _either(
    _shape("digest:digest envelope:object"), _shape("digest:digest erased:true")
)
_PERSON: Final = _either(
    _shape("commitment:commitment name:text salt:base64"),
    _shape("commitment:commitment erased:count"),
)


def _malformed(name: str, detail: object) -> Fault:
    return Fault("malformed", None, f"{name}: {detail}")


def _json_file(raw: bytes, name: str, form: Form) -> Json:
    try:
        value = parse(raw[:-1].decode("utf-8"))
    except ValueError as error:
        raise _malformed(name, error) from None
    if raw[-1:] != b"\n" or len(raw) > MAX_LINE + 1 or not form(value):
        raise _malformed(name, "it has other members or types than it should, or no newline")
    return value


def _line_text(line: bytes) -> str:
    if line[-1:] != b"\n" or len(line) > MAX_LINE + 1:
        raise ValueError("a line is longer than 8 MiB, or does not end with a newline")
    return line[:-1].decode("utf-8")


def _json_lines(raw: bytes, name: str, form: Form) -> Iterator[Object]:
    for number, line in enumerate(io.BytesIO(raw), 1):
        try:
            value = parse(_line_text(line))
        except ValueError as error:
            raise _malformed(f"{name}, line {number}", error) from None
        if not isinstance(value, dict) or not form(value):
            raise _malformed(f"{name}, line {number}", "it has other members or types")
        yield value


class Command(NamedTuple):
    """What the checks need of a signed command (section 8); `event` is the CloudEvent in it."""

    keyid: str
    signature: bytes
    signed: bytes
    here: bool  # Whether it is for this log, and what it says twice it says alike.
    party: str
    nonce: str
    expires: str
    expected: Json
    seen: tuple[int, bytes] | None
    event: Object


class Files(NamedTuple):
    """What the JSON files but `events.jsonl` hold, after the checks of their form."""

    bundle: Object
    origin: str
    partnership: str
    size: int
    checkpoints: list[Object]
    commands: dict[str, Command | str | None]  # None: erased; a text: why it is malformed
    people: list[Object]


def read_files(files: dict[str, bytes]) -> Files:
    """Every JSON file but `events.jsonl`, in the order of section 1."""
    bundle = _object(_json_file(files["data/bundle.json"], "bundle.json", _BUNDLE))
    origin, partnership = _text(bundle["origin"]), _text(bundle["partnership"])
    if not origin.endswith(f"/{partnership}"):
        raise _malformed("bundle.json", "the origin does not end in the partnership")
    checkpoints = list(
        _json_lines(files["data/checkpoints.jsonl"], "checkpoints.jsonl", _CHECKPOINT)
    )
    # The largest files are let go as soon as they are read.
    commands = _read_commands(files.pop("data/commands.jsonl"), origin, partnership)
    people = list(_json_lines(files["data/people.jsonl"], "people.jsonl", _PERSON))
    names = [_text(person["commitment"]) for person in people]
    if any(one >= other for one, other in pairwise(names)):
        raise _malformed("people.jsonl", "it is not sorted, or names somebody twice")
    deque(_json_lines(files["data/rejected.jsonl"], "rejected.jsonl", _FORMS["object"]), maxlen=0)
    size = _whole(bundle["size"])
    return Files(bundle, origin, partnership, size, checkpoints, commands, people)


COMMAND_TYPE: Final = "application/vnd.accord.command+json"
# The lines whose envelope is as it should be are those that match, but for odd base64.
_COMMAND_LINE: Final = re.compile(
    r'\{"digest":"([0-9a-f]{64})","envelope":(\{"payload":"([A-Za-z0-9+/=]*)",'
    rf'"payloadType":"{re.escape(COMMAND_TYPE)}",'
    r'"signatures":\[\{"keyid":"([0-9a-f]{16})","sig":"([A-Za-z0-9+/]{86}==)"\}\]\})\}'
).fullmatch
_FORMS["seen"] = _shape("root:hash size:count")
_PAYLOAD: Final = _shape("""
    accord:command origin:text partnership:text party:text type:command-type expected:whole|null
    nonce:nonce expires:moment seen:seen|null event:object
""")


def _read_commands(raw: bytes, origin: str, partnership: str) -> dict[str, Command | str | None]:
    commands: dict[str, Command | str | None] = {}
    before = ""
    for number, line in enumerate(io.BytesIO(raw), 1):
        match = None
        try:
            text = _line_text(line)
            match = _COMMAND_LINE(text)
            value = {"digest": match[1]} if match else _object(parse(text))
        except ValueError as error:
            raise _malformed(f"commands.jsonl, line {number}", error) from None
        if not match and not _COMMAND(value):
            raise _malformed(f"commands.jsonl, line {number}", "it has other members or types")
        digest = _text(value["digest"])
        if digest <= before:
            raise _malformed("commands.jsonl", "it is not sorted, or has one twice")
        before = digest
        if match:
            commands[digest] = _read_command(match, origin, partnership)
        else:
            commands[digest] = None if "erased" in value else "its envelope is not as it should be"
    return commands


def _read_command(line: re.Match[str], origin: str, partnership: str) -> Command | str:
    digest, envelope, encoded, keyid, sig = line.groups()
    if hashlib.sha256(envelope.encode()).hexdigest() != digest:
        return "its digest is not that of its envelope"
    raw, signature = unbase64(encoded), unbase64(sig)
    if raw is None or signature is None:
        return "its payload or signature is no base64"
    try:
        payload = _object(parse(raw.decode("utf-8")))
    except ValueError as error:
        return f"its payload is {error}"
    if not _PAYLOAD(payload):
        return "its payload has other members or types than it should"
    event, seen, party = _object(payload["event"]), payload["seen"], payload["party"]
    said = [payload["origin"], payload["partnership"]]
    said += [event.get("subject"), event.get("party"), event.get("type")]
    return Command(
        keyid=sys.intern(keyid),
        signature=signature,
        signed=b"DSSEv1 %d %s %d %s" % (len(COMMAND_TYPE), COMMAND_TYPE.encode(), len(raw), raw),
        here=said == [origin, partnership, partnership, party, payload["type"]],
        party=sys.intern(_text(party)),
        nonce=_text(payload["nonce"]),
        expires=_instant(_text(payload["expires"])),
        expected=payload["expected"],
        seen=(_whole(seen["size"]), unbase64(seen["root"]) or b"")
        if isinstance(seen, dict)
        else None,
        event=event,
    )


# --- Section 4: the events -------------------------------------------------------------------

_EVENT: Final = _shape("""
    actor:text causation_id?:text correlation_id?:text data:object event_id:text
    occurred_at:moment partnership:text party:text recorded_at:moment salt:salt
    schema_version:positive signed?:digest source:text source_id:text stream:text
    stream_version:positive type:text
""")
# A line that matches has the members of an event, of their types, in canonical form, but for
# its data and its days. That is nearly every line, and saves most of the time to read it.
_PLAIN: Final = r'"([^"\\\x00-\x1f]*)"'
_EVENT_LINE: Final = re.compile(
    rf'\{{"actor":{_PLAIN},(?:"causation_id":"[^"\\\x00-\x1f]*",)?'
    r'(?:"correlation_id":"[^"\\\x00-\x1f]*",)?"data":(\{.*\}),"event_id":"([0-9a-f]{32})",'
    rf'"occurred_at":"({_DAY}{_TIME})","partnership":{_PLAIN},"party":{_PLAIN},'
    rf'"recorded_at":"({_DAY}{_TIME})","salt":"[0-9a-f]{{32}}",'
    rf'"schema_version":[1-9][0-9]{{0,14}},'
    rf'(?:"signed":"([0-9a-f]{{64}})",)?"source":{_PLAIN},"source_id":{_PLAIN},'
    rf'"stream":{_PLAIN},"stream_version":([1-9][0-9]{{0,14}}),"type":{_PLAIN}\}}'
).fullmatch
_ROW: Final = _words("""
    actor data event_id occurred_at partnership party recorded_at signed source source_id stream
    stream_version type
""")
_WITHHELD: Final = _shape("withheld:digest why:why")
_COMMITMENTS: Final = re.compile(rb'"(person:[0-9a-f]{64})"').findall

KEY_EVENTS: Final = frozenset({"KeyRegistered", "KeyRotated", "KeyRevoked"})
# The data of other events is checked in no other way than by its hash, and not kept.
READ: Final = KEY_EVENTS | {"BundleExported", "FirstKeySentByOperator", "PersonErased"}
_NO_DATA: Final[Object] = {}
OTHER_PROPOSALS: Final = frozenset({"AgreementDrafted", "HypothesisRegistered", "TermsCountered"})


def is_proposal(type_: str) -> bool:
    """Whether events of this type propose what a command can accept (section 8)."""
    return type_.endswith("Proposed") or type_ in OTHER_PROPOSALS


class Event(NamedTuple):
    """What later checks need of an event that is shown."""

    number: int  # its index
    type: str
    party: str
    actor: str
    source: str
    source_id: str
    ordinal: int
    stream_version: int
    occurred_at: str
    recorded_at: str
    signed: str | None
    gap: bool  # Whether events were withheld since the last one shown of its stream.
    first: "Event | None"  # the first event shown of its source and source id, if it is another
    data: Object


class Log:
    """The events that are shown, None where one is withheld, and every leaf hash."""

    def __init__(self) -> None:
        self.events: list[Event | None] = []
        self.leaves: list[bytes] = []
        self.withheld: list[int] = []
        self.not_asked: int | None = None  # the first that is withheld because of the range
        self.whys: dict[str, int] = {}
        self.commitments: set[bytes] = set()
        # Of the events that are shown: their indexes, and when they were recorded (`instant`).
        self.indexes: list[int] = []
        self.instants: list[str] = []

    def withhold(self, index: int, leaf: str, why: str) -> None:
        """Take an event that is not shown."""
        self.leaves.append(bytes.fromhex(leaf))
        self.withheld.append(index)
        if why == "range" and self.not_asked is None:
            self.not_asked = index
        self.whys[why] = self.whys.get(why, 0) + 1
        self.events.append(None)

    @property
    def shown(self) -> Iterator[Event]:
        """The events that are shown, in order."""
        return (event for event in self.events if event is not None)

    def at(self, index: int) -> Event | None:
        """The event of that index, None if it is withheld or not there."""
        return self.events[index] if 0 <= index < len(self.events) else None

    def first_outside(self, size: int, time: int) -> int | None:
        """The first event that a checkpoint of that size and time refutes (section 6, check 5).

        As the times never fall, the events within the size that are too late are the last of
        them, and those behind it that are too early are the first: two searches find both.
        """
        behind, limit = bisect_left(self.indexes, size), time * SECOND
        late = bisect_right(self.instants, limit + SKEW * SECOND, key=microseconds)
        if late < behind:
            return self.indexes[late]
        early = self.instants[behind : behind + 1]
        if early and microseconds(early[0]) < limit - SKEW * SECOND:
            return self.indexes[behind]
        return None


def read_log(files: Files, raw_events: bytes, raw_hashes: bytes) -> Log:
    """The events, after the checks of sections 4 and 5."""
    log = Log()
    read = _EventReader(files.partnership, log).read
    # What section 4 finds comes behind what is found in any later line.
    broken: Fault | None = None
    found: list[Fault] = []
    for index, line in enumerate(io.BytesIO(raw_events)):
        try:
            row, value = _event_line(line)
        except ValueError as error:
            broken = Fault("malformed", index, f"events.jsonl: {error}")
            break
        if row is None and "withheld" in value:
            log.withhold(index, _text(value["withheld"]), _text(value["why"]))
            continue
        log.leaves.append(hashlib.sha256(b"\x00" + line[:-1]).digest())
        if b'"person:' in line:
            log.commitments.update(_COMMITMENTS(line))
        if not found:
            try:
                log.events.append(read(index, row, value))
            except Fault as fault:
                found.append(fault)
    _check_hashes(log.leaves, raw_hashes)
    if broken is not None:
        raise broken
    behind = raw_hashes[NOTED_SIZE * len(log.leaves) :]
    noted = min(len(log.leaves), len(raw_hashes) // NOTED_SIZE)
    noted += behind.count(b"\n") + (behind[-1:] not in {b"", b"\n"})
    if not len(log.leaves) == noted == files.size:
        least = min(len(log.leaves), noted, files.size)
        raise Fault("events-missing", least, "there are fewer or more events than there should be")
    if found:
        raise found[0]
    return log


def _event_line(line: bytes) -> tuple[Sequence[Json] | None, Object]:
    """The members of an event's line if it is a plain one, and its data; else None, and all."""
    text = _line_text(line)
    match = _EVENT_LINE(text)
    if match is not None:
        row = match.groups()
        return row, parse(row[1], 1)  # type: ignore[return-value] # It begins with a brace.
    value = parse(text)
    if isinstance(value, dict) and ("withheld" not in value or _WITHHELD(value)):
        return None, value
    raise ValueError("a line is no object, or withholds an event in another form")


def _check_hashes(leaves: list[bytes], raw_hashes: bytes) -> None:
    # All at once, and one by one only where something differs.
    if raw_hashes.startswith(b"".join(leaves).hex("\n", HASH_SIZE).encode() + b"\n"):
        return
    for index, (leaf, noted) in enumerate(zip(leaves, io.BytesIO(raw_hashes), strict=False)):
        if noted != leaf.hex().encode() + b"\n":
            raise Fault("event-altered", index, "the event is not the one that was recorded")


class _EventReader:
    """The checks of section 4, of one event after another."""

    def __init__(self, partnership: str, log: Log) -> None:
        self._partnership = partnership
        self._below = f"{partnership}/"
        self._log = log
        self._before = ""
        # With each, how many events were withheld until then.
        self._streams: dict[str, tuple[int, int]] = {}
        self._names: dict[str, tuple[int, int, Event]] = {}

    def read(self, index: int, row: Sequence[Json] | None, value: Object) -> Event:
        if row is None:
            if not _EVENT(value):
                raise Fault("event", index, "the event has other members or types than it should")
            row, value = [value.get(name) for name in _ROW], _object(value["data"])
        texts = cast("Sequence[str]", row)
        actor, _, event_id, occurred, partnership, party, recorded = texts[:7]
        source, source_id, stream, stream_version, type_ = texts[8:]
        signed = cast("str | None", row[7])
        if not (_is_day(occurred[:10]) and _is_day(recorded[:10])):
            raise Fault("event", index, "the event has a moment that is none")
        if partnership != self._partnership or not (
            stream == partnership or stream.startswith(self._below)
        ):
            raise Fault("event", index, "the event is of another partnership")
        at = recorded[:-1].removesuffix(".000000")
        if at < self._before:
            raise Fault("event", index, "the event was recorded before the one before it")
        self._before = at
        withheld, version = len(self._log.withheld), int(stream_version)
        last, then = self._streams.get(stream, (0, 0))
        if version != last + 1 and (version <= last or then == withheld):
            raise Fault("event", index, "the event is not the next of its stream")
        self._streams[stream] = (version, withheld)
        name = "".join(f"{len(each)}:{each}" for each in (party, source, source_id))
        before = self._names.get(name)
        least, since = (before[0], before[1]) if before else (0, 0)
        ordinal = least
        while hashlib.sha256(f"{name}{ordinal}".encode()).hexdigest()[:32] != event_id:
            ordinal += 1
            if since == withheld or ordinal > least + MAX_ORDINAL_GAP:
                detail = "the event's id is not that of its party, source and source id"
                raise Fault("event", index, detail)
        type_ = sys.intern(type_)
        is_read = signed is not None or type_ in READ or is_proposal(type_)
        kept = value if is_read else _NO_DATA
        first, gap = before[2] if before else None, then != withheld
        who = sys.intern(party), sys.intern(actor), sys.intern(source), source_id
        when = occurred, recorded
        event = Event(index, type_, *who, ordinal, version, *when, signed, gap, first, kept)
        self._names[name] = (ordinal + 1, withheld, first or event)
        self._log.indexes.append(index)
        self._log.instants.append(at)
        return event


# --- Section 6, as it is checked -------------------------------------------------------------


def check_checkpoints(files: Files, policy: Policy, log: Log, tree: Tree) -> list[Checkpoint]:
    """The checkpoints, after the checks of section 6."""
    good: list[Checkpoint] = []
    for number, line in enumerate(files.checkpoints):
        before = good[-1] if good else None
        try:
            point = parse_checkpoint(_text(line["note"]))
        except ValueError as error:
            raise Fault("checkpoint-malformed", number, str(error)) from None
        if point.origin != files.origin or (before is not None and point.size < before.size):
            detail = "a checkpoint is of another log, or smaller than the one before it"
            raise Fault("checkpoint-malformed", number, detail)
        point = _signed(policy, point)
        if before is not None and point.time < before.time:
            detail = "a checkpoint is older than the one before it"
            raise Fault("checkpoint-signature", point.size, detail)
        if tree.root(point.size) != point.root:
            raise Fault("checkpoint-root", point.size, "its root is not that of the events")
        if not _is_consistent(line, before, point):
            detail = "it does not follow from the one before"
            raise Fault("checkpoint-consistency", point.size, detail)
        outside = log.first_outside(point.size, point.time)
        if outside is not None:
            detail = f"it cannot have been recorded when it says, by the checkpoint {point.size}"
            raise Fault("checkpoint-time", outside, detail)
        good.append(point)
    if not good or (good[-1].size != files.size and files.bundle["custody"] is not None):
        raise Fault("checkpoint-malformed", files.size, "the last checkpoint has another size")
    return good


def _signed(policy: Policy, point: Checkpoint) -> Checkpoint:
    """The checkpoint with its time, after the checks of its signatures."""
    key = policy.of(point.origin, point.note)
    own = None if key is None else own_cosignature(point.note, key)
    if key is None or own is None or not signed_by(point.note, key):
        detail = "a checkpoint has not exactly one right signature and cosignature of the operator"
        raise Fault("checkpoint-signature", point.size, detail)
    for signature in point.note.signatures:
        witness = policy.cosigners.get((signature.name, signature.id))
        if witness is not None and not cosignature_right(point.note, signature, witness):
            raise Fault("checkpoint-signature", point.size, "a cosignature is wrong")
    return point._replace(time=stamp(own))


def odd_times(policy: Policy, points: Sequence[Checkpoint]) -> str | None:
    """Say which checkpoints have another time than their cosignatures (section 6)."""
    gaps = [
        (abs(stamp(one) - point.time), point, one)
        for point in points
        for one in point.note.signatures
        if (one.name, one.id) in policy.cosigners
    ]
    far = [gap for gap in gaps if gap[0] > SKEW]
    if not far:
        return None
    most, point, one = max(far, key=lambda gap: gap[0])
    sizes = {point.size for _, point, _ in far}
    times = [_shown_time(seconds) for seconds in (point.time, stamp(one))]
    return (
        f"when events were recorded: the times of {len(sizes)} checkpoints differ by more than "
        f"{SKEW} s from their cosignatures, at most by {most} s (the checkpoint of "
        f"{point.size} events: {times[0]} by the log, {times[1]} by {one.name})"
    )


def _shown_time(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_consistent(line: Object, before: Checkpoint | None, point: Checkpoint) -> bool:
    proof = [unbase64(node) or b"" for node in _list(line["consistency"])]
    if before is None or before.size == 0:
        return not proof  # Nothing leads from nothing, and there is nothing that could differ.
    return verify_consistency(before.size, point.size, proof, before.root, point.root)


def check_proofs(files: Mapping[str, bytes], log: Log, points: Sequence[Checkpoint]) -> int:
    """How many inclusion proofs there are, after all were found right (section 6)."""
    known = {point.note.raw: point for point in points}
    named = ((_PROOF_NAME(name), name) for name in files)
    proofs = sorted((int(match[1]), name) for match, name in named if match)
    for index, name in proofs:
        if not _proof_holds(index, files[name], log, known):
            raise Fault("proof", index, "the proof does not lead to a checkpoint of this bundle")
    return len(proofs)


def _proof_holds(index: int, raw: bytes, log: Log, known: Mapping[str, Checkpoint]) -> bool:
    try:
        head, _, note = raw.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        return False
    lines = head.split("\n")
    point = known.get(note)
    if point is None or lines[:2] != ["c2sp.org/tlog-proof@v1", f"index {index}"]:
        return False
    proof = [unbase64(line) or b"" for line in lines[2:]]
    return index < len(log.leaves) and verify_inclusion(
        log.leaves[index], index, point.size, proof, point.root
    )


# --- Section 8: keys of parties, and signed commands -----------------------------------------

MUST_BE_SIGNED: Final = KEY_EVENTS.union(
    _words("""
    ActionAgreed ActionProposed ActivityPaused AdjustmentAgreed AdjustmentProposed
    AdoptionPartAgreed AdoptionProposed AgreementAdopted AgreementAmended AgreementDrafted
    AgreementSigned AssetsDispositioned AttributionProposed AttributionSettled BreachCured
    BreachNoticeGiven CancellationProposed CharterAgreed CharterProposed
    CommercialTermsAgreed CommitmentCancelled CommunicationPolicyAgreed
    CommunicationPolicyProposed CompletionProposed CureProposed DataSharingAgreed
    DataSharingProposed DealsMerged DecisionRuleAgreed DecisionRuleProposed
    DispositionProposed DisputeOpened DisputeResolved ExitAgreed ExitNoticeGiven
    ExitProposed ExitWithdrawalProposed ExitWithdrawn ExplorationClosed
    FinalSettlementIssued GovernanceEstablished GovernanceProposed HypothesisRegistered
    ImprovementPlanAgreed ImprovementPlanCompleted ImprovementPlanOutcomeProposed
    ImprovementPlanProposed IncentiveIntroduced IntegrationSpendCommitted InvestmentReduced
    IssueResolutionProposed IssueResolved JointInvestmentAgreed JointInvestmentProposed
    MediationStarted MergeProposed MetricAgreed MetricOwnerAssigned MetricOwnerProposed
    MetricProposed MilestonePlanned MilestoneProposed ObjectiveAgreed OnboardingStepAgreed
    OnboardingStepProposed PartnershipAdopted PartnershipExited PartnershipRenewed
    PauseProposed PayoutCorrected PayoutRecorded PayoutReturned PenaltyConceded PersonErased
    PilotStarted PriorAgreed PriorProposed ProposalDeclined ProposalWithdrawn RateAgreed
    RateProposed ReductionProposed RenewalProposed ResolutionProposed ReviewProposed
    ReviewScheduled ScopeExpanded ScopeProposed StatementIssued TargetAdjusted
    TargetProposed TermsAccepted TermsCountered TermsProposed VariantPromoted WaiverGranted
    WaiverProposed
    """)
)
# The facts that move money, by their kinds.
FACTS: Final = {
    fact: kind
    for kind, facts in {
        "deals": """
            DealCancelled DealLost DealReopened DealWon DemoHeld LeadQualified OpportunityCreated
            ReferralAttributed ReferralSubmitted WinCorrected
        """,
        "payments": "PaymentCorrected PaymentReceived",
        "refunds": "RefundCorrected RefundIssued RefundReversed",
        "costs": "EntryReversed JointRevenueReceived SharedCostIncurred",
        "figures": "MetricCorrected MetricReported",
        "rates": "RateObjected RatePublished",
        "claims": "ClaimConfirmed ClaimObjected",
    }.items()
    for fact in _words(facts)
}
# The commands that accept without beginning with `Agree`, and one with it that accepts nothing.
ACCEPTING: Final = frozenset(
    _words("AcceptRenewal AcceptResolution AcceptTerms ExpandScope SignAgreement StartPilot")
)
ACCEPTS_NOTHING: Final = "AgreeBridgingPlan"
OF_AN_ADOPTION: Final = frozenset({"AgreeAdoption", "AgreeAdoptionPart"})


def accepts(type_: str) -> bool:
    """Whether a command of this type accepts or signs what another event proposed."""
    name = type_.removeprefix("accord.")
    return name in ACCEPTING or (name.startswith("Agree") and name != ACCEPTS_NOTHING)


# Of these, what the operator itself issues needs no command.
SETTLED: Final = frozenset({"FinalSettlementIssued", "StatementIssued"})
OPERATOR: Final = "accord"  # the party of what the operator itself does


@dataclass(slots=True)
class PartyKey:
    """A key that a party registered (section 8), active behind `since` and up to `until`."""

    public: bytes
    since: int
    delegated: frozenset[str] | None = None  # the kinds of facts that it signs; None for all
    until: int | None = None


class Keyring:
    """The keys of all parties, as the events tell of them (section 8)."""

    def __init__(self, files: Files, pins: Pins) -> None:
        self._partnership = files.partnership
        self._pinned = pins.parties
        self._keys: dict[tuple[str, str], PartyKey] = {}
        self.known: set[bytes] = set()
        self.first: dict[str, int] = {}

    def read(self, event: Event) -> None:
        """Take what an event says of keys, after the checks of it."""
        if event.type == "KeyRevoked":
            self._close(event, event.data.get("keyid"))
            return
        text = _text(event.data.get("key"))
        public = unbase64(text, HASH_SIZE) or b""
        if not admitted(public):
            raise Fault("key-weak", event.number, "the key is none that is admitted")
        claim = f"accord/key@v1\n{self._partnership}\n{event.party}\n{text}\n"
        proof = unbase64(event.data.get("proof"), SIGNATURE_SIZE) or b""
        if not ed25519_verify(public, claim.encode(), proof):
            raise Fault("key-proof", event.number, "the proof of the key is wrong")
        if event.party not in self.first and self._pinned.get(event.party, text) != text:
            raise Fault("key-unknown", event.number, "another first key is pinned")
        if public in self.known:
            raise Fault("key-unknown", event.number, "the key stands already in the log")
        kinds = event.data.get("delegated")
        delegated = frozenset(map(_text, _list(kinds))) if kinds is not None else None
        if event.type == "KeyRotated":
            delegated = self._close(event, event.data.get("replaces")).delegated
        keyid = hashlib.sha256(public).hexdigest()[:16]
        self.known.add(public)
        self._keys[event.party, keyid] = PartyKey(public, event.number, delegated)
        self.first.setdefault(event.party, event.number)

    def _close(self, event: Event, keyid: Json) -> PartyKey:
        key = self._keys.get((event.party, _text(keyid)))
        if key is None or key.until is not None:
            raise Fault("key-unknown", event.number, "no active key of the party has this id")
        key.until = event.number
        return key

    def had_key_before(self, event: Event) -> bool:
        """Whether the party had registered a key before the event."""
        return self.first.get(event.party, event.number) < event.number

    def signer(self, event: Event, keyid: str) -> PartyKey:
        """The party's key of that id, which is active at the event; else `command-key`."""
        key = self._keys.get((event.party, keyid))
        if key is None:
            raise Fault("command-key", event.number, "the party has registered no such key")
        # A key that the event itself registers signs only the party's very first registration.
        first = self.first[event.party] == event.number and event.type == "KeyRegistered"
        if not (first or key.since < event.number) or key.until not in {None, event.number}:
            raise Fault("command-key", event.number, "the key was not active, or is revoked")
        if key.delegated is not None and FACTS.get(event.type) not in key.delegated:
            raise Fault("command-key", event.number, "the party did not delegate this to the key")
        return key


class Commands:
    """The checks of section 8 of one event after another, in the order of section 12."""

    def __init__(self, files: Files, pins: Pins, log: Log, tree: Tree) -> None:
        self._commands = files.commands
        self._log = log
        self._tree = tree
        self._named_by: dict[str, Event] = {}
        self._nonces: dict[tuple[str, str], str] = {}
        self.keys = Keyring(files, pins)
        self._proposed: dict[str, Object] = {}  # what can be accepted, by its digest
        self.unseen: set[str] = set()  # the commands that accept what was not asked for
        self.erased: set[str] = set()
        self.checked: set[str] = set()

    def check(self) -> None:
        """Check every event that is shown."""
        for event in self._log.shown:
            unsigned = event.signed is None and event.first is None
            if unsigned and event.type not in MUST_BE_SIGNED and not is_proposal(event.type):
                continue
            if event.type in KEY_EVENTS:
                self.keys.read(event)
            first = event.first or event
            if first.signed != event.signed or (
                event.signed and self._named_by.setdefault(event.signed, first) is not first
            ):
                detail = "events of one source and source id, and only they, name one command"
                raise Fault("command-replayed", event.number, detail)
            if event.signed is not None:
                self._check_command(event, first, event.signed)
            elif self._must_be_signed(event):
                raise Fault("command-missing", event.number, "the event must name a command")
            if is_proposal(event.type):
                digest = hashlib.sha256(canonical(event.data)).hexdigest()
                self._proposed[digest] = event.data

    def _must_be_signed(self, event: Event) -> bool:
        if event.type in SETTLED and event.source == "accord:settle":
            return False
        if event.type == "PersonErased" and event.party == OPERATOR:
            return bool(self.keys.first)
        return event.type in MUST_BE_SIGNED and self.keys.had_key_before(event)

    def _check_command(self, event: Event, first: Event, digest: str) -> None:
        command = self._commands.get(digest, "")
        if command is None:
            self.erased.add(digest)
            return
        if command == "":
            raise Fault("command-missing", event.number, "the command that it names is not there")
        if isinstance(command, str):
            raise Fault("command-malformed", event.number, f"the command is malformed: {command}")
        if not command.here or command.party != event.party:
            raise Fault("command-elsewhere", event.number, "the command is for another place")
        key = self.keys.signer(event, command.keyid)
        # The events of one command share its party, so its key and its signature too.
        if digest not in self.checked:
            if not ed25519_verify(key.public, command.signed, command.signature):
                raise Fault("command-signature", event.number, "the command's signature is wrong")
            self.checked.add(digest)
        self._check_use(event, first, command, digest)
        if not _is_meant(event, command.event):
            raise Fault("command-differs", event.number, "the event is not what its party signed")
        if accepts(_text(command.event["type"])):
            self._check_content(event, command.event, digest)

    def _check_content(self, event: Event, meant: Object, digest: str) -> None:
        content = _object(meant.get("data")).get("content")
        accepted = self._proposed.get(content) if isinstance(content, str) else None
        if accepted is None:
            hidden = self._log.not_asked is not None and self._log.not_asked < event.number
            if not (hidden and isinstance(content, str) and _HEX(content)):
                detail = "no event has the content that its party accepted"
                raise Fault("command-content", event.number, detail)
            self.unseen.add(digest)
            return
        adopted = _text(meant["type"]).removeprefix("accord.") in OF_AN_ADOPTION
        if event.type not in ({"PartnershipAdopted"} if adopted else MUST_BE_SIGNED):
            return
        if any(event.data[name] != accepted[name] for name in event.data.keys() & accepted.keys()):
            raise Fault("command-content", event.number, "it is not what its party accepted")

    def _check_use(self, event: Event, first: Event, command: Command, digest: str) -> None:
        meant = command.event
        other = self._nonces.setdefault((event.party, command.nonce), digest) != digest
        if other or (meant.get("source"), meant.get("id")) != (event.source, event.source_id):
            raise Fault("command-replayed", event.number, "the command was given for another event")
        if _instant(event.recorded_at) > command.expires:
            raise Fault("command-expired", event.number, "the command had expired")
        known = not first.gap and first.ordinal == 0
        if known and command.expected not in {None, first.stream_version - 1}:
            raise Fault("command-version", event.number, "the command is for another version")
        if command.seen is not None:
            size, root = command.seen
            if size > event.number or self._tree.root(size) != root:
                raise Fault("command-seen", event.number, "its signer had seen another log")


def _is_meant(event: Event, meant: Object) -> bool:
    if event.actor != meant.get("actor") and not _COMMITMENT(event.actor):
        return False
    if _instant(event.occurred_at) != instant(meant.get("time")):
        return False
    data = _object(meant.get("data"))
    return event.ordinal > 0 or all(
        _agree(value, data[name]) for name, value in event.data.items() if name in data
    )


def _agree(recorded: Json, meant: Json) -> bool:
    """Whether what was recorded is what was meant, within objects and lists too (section 8)."""
    if isinstance(recorded, str):
        return recorded == meant or _COMMITMENT(recorded) is not None
    if isinstance(recorded, dict) and isinstance(meant, dict):
        return recorded.keys() == meant.keys() and all(
            _agree(value, meant[name]) for name, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(meant, list):
        return len(recorded) == len(meant) and all(map(_agree, recorded, meant))
    return type(recorded) is type(meant) and recorded == meant


# --- Sections 7 and 11: what the user brings -------------------------------------------------


class Brought(NamedTuple):
    """The user's own files, as far as they can be read without the bundle."""

    policy: Policy | None
    pins: Pins
    seen: list[Checkpoint]
    receipts: list[Receipt]
    not_before: str | None


def check_identity(files: Mapping[str, bytes], origin: str, policy: Policy, pins: Pins) -> None:
    """Check log and verifiers against policy and pins (section 7)."""
    if policy.of(origin) is None:
        raise Fault("identity", None, "the bundle is of another log than the policy names")
    for digest, name in pins.verifiers:
        content = files.get(f"data/{name}")
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            raise Fault("verifier", None, f"data/{name} is not the one that is pinned")


def check_against_user(
    brought: Brought, policy: Policy, log: Log, last: Checkpoint, tree: Tree
) -> None:
    """Check the log against what the user saw before and asks for (sections 7 and 11)."""
    size = len(log.leaves)
    for point in brought.seen:
        if point.size <= size and tree.root(point.size) != point.root:
            raise Fault("fork", point.size, "it is not the log that was seen before")
    for point in brought.seen:
        if point.size > size:
            raise Fault("stale", point.size, "more of the log was seen before")
    if not policy.met_by(last.note.signatures):
        raise Fault("quorum", size, "the last checkpoint lacks the cosignatures of the quorum")
    witnessed = policy.witnessed(last.note)
    since = last.time if witnessed is None else witnessed
    if brought.not_before is not None and since * SECOND < microseconds(brought.not_before):
        raise Fault("stale", size, "the last checkpoint is older than was asked for")
    for receipt in brought.receipts:
        due = max(last.time, since) * SECOND >= microseconds(receipt.deadline)
        _check_receipt(receipt, log, last.size if due else size, due=due)


def _check_receipt(receipt: Receipt, log: Log, size: int, *, due: bool) -> None:
    for index, leaf in enumerate(receipt.leaves, receipt.first):
        here = index < size
        if (here and log.leaves[index] != leaf) or (due and not here):
            raise Fault("receipt", index, "the log lacks what the operator gave a receipt for")


# --- Section 10: people ----------------------------------------------------------------------


def check_people(files: Files, log: Log) -> tuple[int, int]:
    """How many people the bundle names and how many were erased, after the checks of them."""
    erased = 0
    for person in files.people:
        commitment = _text(person["commitment"])
        if "erased" in person:
            erased += 1
            event = log.at(_whole(person["erased"]))
            right = event is not None and (
                (event.type, event.data.get("person")) == ("PersonErased", commitment)
            )
        else:
            told = f"{files.partnership}\n{person['salt']}\n{person['name']}"
            digest = _sha256(f"accord/person@v1\n{told}".encode()).hex()
            right = commitment == f"person:{digest}"
        if not right:
            raise Fault("person", None, f"{commitment} is not the one that people.jsonl names")
    return len(files.people) - erased, erased


# --- Section 3: custody ------------------------------------------------------------------------


def check_custody(files: Files, log: Log) -> None:
    """Check that the log itself keeps that this was exported (section 3)."""
    bundle = files.bundle
    if bundle["custody"] is None:
        return
    index = _whole(bundle["custody"])
    event = log.at(index)
    kept = event is not None and (
        event.type == "BundleExported"
        and event.actor == bundle["exported_by"]
        and event.recorded_at == bundle["exported_at"]
        and event.data.get("reason") == bundle["reason"]
        # A `for` of null is kept by no member at all.
        and ("party" in event.data) == (bundle["for"] is not None)
        and event.data.get("party") == bundle["for"]
    )
    if not kept:
        raise Fault("custody", index, "the log does not keep that this bundle was exported")


# --- Section 12: what a verifier says --------------------------------------------------------

REFUSED: Final = "rejected.jsonl: what was refused is the operator's word"
NO_WITNESS: Final = (
    "whether the operator shows others another history, and its times: the policy asks for no "
    "witness"
)
MEANING: Final = (
    "what the events mean: no figure, statement or alert was computed; "
    "accord audit replay FILE.zip computes them"
)


@dataclass
class Report:
    """How far a verifier came, and what it says (section 12)."""

    phase: str = "bag"  # the code for whatever cannot be understood where it is now
    origin: str | None = None
    size: int | None = None
    pinned: bool = False
    checked: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def result(self, fault: Fault | None) -> Object:
        """The object that `--json` prints."""
        return {
            "verdict": "FAULT" if fault else "VERIFIED",
            "code": fault.code if fault else None,
            "index": fault.index if fault else None,
            "detail": fault.detail if fault else "Everything that was checked is right.",
            "origin": self.origin,
            "size": self.size,
            "pinned": self.pinned,
            "checked": list(self.checked),
            "not_checked": list(self.not_checked),
        }

    def skip(self, number: int, what: str) -> None:
        """Name what was not checked, if there is any of it."""
        if number:
            self.not_checked.append(f"{number} {what}")


def _examine(bundle: Path, brought: Brought, report: Report) -> None:
    contents = read_container(_read(bundle))
    report.checked.append("the container: every file is listed and has its SHA-256")
    report.phase = "malformed"
    files = read_files(contents)
    report.origin, report.size = files.origin, files.size
    if files.bundle["simulated"]:
        report.not_checked.append("whether any of this happened: the bundle says it is simulated")
    report.phase = "identity"
    policy = _policy_of(brought, contents, report)
    check_identity(contents, files.origin, policy, brought.pins)
    things: list[Checkpoint | Receipt] = [*brought.seen, *brought.receipts]
    for thing in things:
        key = policy.of(files.origin, thing.note)
        if thing.origin != files.origin or key is None or not signed_by(thing.note, key):
            raise Misuse("a checkpoint or receipt has no right signature of the operator")
    report.checked.append("the log's origin and key are those of the policy")
    report.phase = "event"
    log = read_log(files, contents.pop("data/events.jsonl"), contents.pop("data/hashes.txt"))
    report.checked.append(f"{files.size} events: every one is as it was recorded, none is missing")
    for why, number in sorted(log.whys.items()):
        report.skip(number, f"events that are withheld ({why})")
    report.phase = "checkpoint-malformed"
    tree = Tree(log.leaves)
    points = check_checkpoints(files, policy, log, tree)
    report.checked.append(f"{len(points)} checkpoints: signatures, roots, consistency and times")
    report.skip(files.size - points[-1].size, "events behind the last checkpoint")
    report.not_checked += filter(None, [odd_times(policy, points)])
    report.phase = "proof"
    report.checked.append(f"{check_proofs(contents, log, points)} inclusion proofs")
    report.skip(sum(1 for name in contents if _STAMP_NAME(name)), "time stamps (RFC 3161)")
    report.phase = "command-malformed"
    commands = Commands(files, brought.pins, log, tree)
    commands.check()
    report.checked.append(f"{len(commands.keys.known)} keys of parties")
    report.checked.append(f"{len(commands.checked)} signed commands")
    report.skip(len(commands.erased), "commands that were erased")
    report.skip(len(commands.unseen), "acceptances of what was not asked for")
    for each in log.shown:
        if each.type == "FirstKeySentByOperator":
            name = _text(each.data.get("party"))
            report.not_checked.append(f"the operator itself sent the first key of {name}")
    facts = (FACTS[each.type] for each in log.shown if each.signed is None and each.type in FACTS)
    for kind, number in sorted(Counter(facts).items()):
        report.skip(number, f"facts that move money and that no party signed ({kind})")
    pinned = brought.pins.parties.keys()
    for party in sorted(pinned - commands.keys.first.keys()):
        raise Fault("key-unknown", None, f"the log has no key of {party}, whose key is pinned")
    free = len(commands.keys.first.keys() - pinned)
    report.skip(free, "parties whose first key is not pinned")
    report.phase = "quorum"
    check_against_user(brought, policy, log, points[-1], tree)
    report.checked.append("the last checkpoint meets the quorum, and what the user brought")
    if policy.quorums == ["none"]:
        report.not_checked.append(NO_WITNESS)
    _examine_beside(files, log, report)


def _examine_beside(files: Files, log: Log, report: Report) -> None:
    """Check what is beside the log: people and custody; and name what is not checked at all."""
    report.phase = "person"
    named, erased = check_people(files, log)
    report.checked.append(f"{named} names of people are those that were recorded")
    report.skip(erased, "people who were erased")
    told = {_text(person["commitment"]).encode() for person in files.people}
    report.skip(len(log.commitments - told), "people whose names are not in the bundle")
    report.phase = "custody"
    check_custody(files, log)
    if files.bundle["custody"] is None:
        report.not_checked.append("custody: the log does not keep that this bundle was exported")
    else:
        report.checked.append("custody: the log keeps that this bundle was exported")
    report.not_checked += [REFUSED, MEANING]


def _policy_of(brought: Brought, contents: Mapping[str, bytes], report: Report) -> Policy:
    if brought.policy is not None:
        report.pinned = True
        return brought.policy
    report.not_checked.insert(
        0, "log and quorum were not pinned: the policy is the operator's own proposal"
    )
    try:
        return parse_policy(contents["data/policy.txt"])
    except ValueError as error:
        raise Fault("identity", None, f"policy.txt cannot be read: {error}") from None


@contextmanager
def _prepared() -> Iterator[None]:
    """Search for no cycles of objects: a verifier makes none, and the search takes long."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def verify(  # noqa: PLR0913 - whatever its reader brings
    bundle: Path,
    *,
    policy: Path | None = None,
    pins: Path | None = None,
    seen: Sequence[Path] = (),
    receipts: Sequence[Path] = (),
    not_before: str | None = None,
) -> Object:
    """What a verifier says of a bundle: the object that `--json` prints (section 12).

    Raises:
        Misuse: a file of the user's cannot be read or understood.
    """
    brought = Brought(
        _understood(parse_policy, _read(policy), policy) if policy is not None else None,
        _understood(parse_pins, _read(pins), pins) if pins is not None else Pins(),
        [_understood(_note_of(parse_checkpoint), _read(path), path) for path in seen],
        [_understood(_note_of(parse_receipt), _read(path), path) for path in receipts],
        instant(not_before),
    )
    if not_before is not None and brought.not_before is None:
        raise Misuse(f"{not_before} is no moment such as 2026-01-31T09:00:00Z")
    report = Report()
    with _prepared():
        try:
            _examine(bundle, brought, report)
        except Fault as fault:
            return report.result(fault)
        except Misuse:
            raise
        except Exception as error:  # noqa: BLE001 - section 12: no input makes a verifier crash
            detail = f"it cannot be understood ({type(error).__name__})"
            return report.result(Fault(report.phase, None, detail))
    return report.result(None)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PACKED + 1)
    except (OSError, ValueError) as error:
        raise Misuse(f"{path} cannot be read: {error}") from None


def _understood(parse: Callable[[bytes], T], raw: bytes, path: Path) -> T:
    try:
        return parse(raw)
    except ValueError as error:
        raise Misuse(f"{path} cannot be understood: {error}") from None


def _note_of(parse: Callable[[str], T]) -> Callable[[bytes], T]:
    return lambda raw: parse(raw.decode("utf-8"))


def _printable(text: str) -> str:
    # What a bundle says of itself shall not steer the terminal that it is shown on.
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _as_text(result: Object) -> str:
    verdict, index = _text(result["verdict"]), result["index"]
    if result["code"] is not None:
        verdict += f" {result['code']}" + ("" if index is None else f" at {index}")
    lines = [verdict, _text(result["detail"])]
    lines += ["Checked:", *(f"  {line}" for line in _list(result["checked"]))]
    lines += ["Not checked:", *(f"  {line}" for line in _list(result["not_checked"]))]
    return "".join(f"{_printable(line)}\n" for line in lines)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="verify", description="Verify an Accord evidence bundle offline.", allow_abbrev=False
    )
    parser.add_argument("bundle", type=Path, metavar="FILE.zip")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="whom you trust")
    parser.add_argument("--pins", type=Path, metavar="FILE", help="the keys that you expect")
    for name in ("seen", "receipt"):
        kept = "a checkpoint that you saw" if name == "seen" else "a receipt that you were given"
        parser.add_argument(
            f"--{name}", type=Path, metavar="FILE", action="append", default=[], help=kept
        )
    parser.add_argument("--not-before", metavar="MOMENT", help="what the log must reach")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Verify a bundle from the command line; gives the exit code of section 12."""
    given = _arguments(words)
    try:
        result = verify(
            given.bundle,
            policy=given.policy,
            pins=given.pins,
            seen=given.seen,
            receipts=given.receipt,
            not_before=given.not_before,
        )
    except Misuse as misuse:
        sys.stderr.write(_printable(f"verify: {misuse}") + "\n")
        return 2
    printed = canonical(result) + b"\n" if given.json else _as_text(result).encode()
    sys.stdout.buffer.write(printed)
    sys.stdout.buffer.flush()
    return 3 if result["code"] is not None else 0


if __name__ == "__main__":
    sys.exit(main())
