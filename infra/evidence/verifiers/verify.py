# ruff: noqa: INP001 - it is run and copied as a file, so it belongs to no package.
"""Verify an Accord evidence bundle offline, with nothing but Python 3.11 and `rules.json`.

    python verify.py FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
                     [--not-before MOMENT] [--json]

`FORMAT.md` says what is checked; "section" below means a section of that page. `rules.json` must be
beside this file: it lists what each command may record. Whether a statement is right is another
question (`accord audit replay`). With the package `cryptography`, signatures are checked faster.
"""

import argparse
import binascii
import gc
import hashlib
import json
import re
import struct
import sys
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

T = TypeVar("T")

MAX_ENTRIES: Final = 10_000  # section 1
MAX_UNPACKED: Final = 1 << 30  # section 1, in bytes
MAX_PACKED: Final = (2 << 30) - 1
MAX_LINE: Final = 8 << 20  # section 2, in bytes without the newline
MAX_DEPTH: Final = 64  # section 2
MAX_WHOLE: Final = 2**53 - 1  # section 2
MAX_NOTE: Final = 64 << 10  # section 5, in bytes
MAX_SIGNATURES: Final = 64  # section 5
HASH: Final = 32  # bytes of SHA-256, and of a key
SIGNATURE: Final = 64  # bytes of Ed25519
LATEST: Final = 253_402_300_799  # the last second of the year 9999
SKEW: Final = 300  # section 5, in seconds
OPERATOR: Final = "accord"  # the party of what the clock, agreed rules and the operator record

RULES: Final = json.loads(Path(__file__).with_name("rules.json").read_text(encoding="utf-8"))
COMMANDS: Final[dict[str, dict[str, Any]]] = RULES["commands"]
KINDS: Final[dict[str, str]] = RULES["kinds"]
FACTS: Final = frozenset(RULES["facts"])
PROPOSALS: Final = frozenset(RULES["proposals"])
KEY_EVENTS: Final = frozenset({"KeyRecovered", "KeyRegistered", "KeyRotated", "KeyRevoked"})


class Fault(Exception):
    """Why a bundle is refused: a code of section 10, and the index in question."""

    def __init__(self, code: str, index: int | None = None) -> None:
        super().__init__(code)
        self.code, self.index = code, index


class Misuse(Exception):
    """The verifier was called wrongly, or its user's own files cannot be read: exit code 2."""


def need(value: T | None, code: str, index: int | None = None) -> T:
    """The value, unless it is None; else `Fault`."""
    if value is None:
        raise Fault(code, index)
    return value


def require(right: object, code: str, index: int | None = None) -> None:
    """Raise `Fault` unless something is right."""
    if not right:
        raise Fault(code, index)


# --- Section 2: JSON, moments, base64 --------------------------------------------------------


def _refuse(text: str) -> NoReturn:
    raise ValueError(text[:40])


def _whole(text: str) -> int:
    return int(text) if len(text) <= 17 and abs(int(text)) <= MAX_WHOLE else _refuse(text)  # noqa: PLR2004


_read: Final = json.JSONDecoder(parse_int=_whole, parse_float=_refuse, parse_constant=_refuse)
_write: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode


def canonical(value: object) -> bytes:
    """The canonical form of a value. Keys are ASCII, so the order is that of RFC 8785."""
    return _write(value).encode()


def _check_profile(value: object, levels: int) -> None:
    if isinstance(value, dict | list):
        if levels == MAX_DEPTH or (isinstance(value, dict) and not "".join(value).isascii()):
            raise ValueError("too many levels, or a key beyond ASCII")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_profile(inner, levels + 1)


def parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of bytes that are its canonical form; ValueError if they are none."""
    text = raw.decode("utf-8")
    try:
        value, _ = _read.raw_decode(text)
    except RecursionError:
        raise ValueError("too many levels") from None
    if not text.isascii() or text.count("{") + text.count("[") > MAX_DEPTH:
        _check_profile(value, 0)
    if _write(value) != text:
        raise ValueError("not in canonical form")
    return value


_MOMENT: Final = re.compile(
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?Z"
).fullmatch
_HEX: Final = re.compile(r"[0-9a-f]{64}").fullmatch
_COMMITMENT: Final = re.compile(r"person:[0-9a-f]{64}").fullmatch
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}").fullmatch
_MONEY: Final = re.compile(r"(-?)(0|[1-9][0-9]{0,30})(?:\.([0-9]{1,30}))?").fullmatch


@lru_cache(4096)
def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:  # Such as the 31st of February.
        return False


def instant(value: object) -> str | None:
    """A moment as a text that sorts by time, or None."""
    if isinstance(value, str) and _MOMENT(value) and _is_day(value[:10]):
        return value[:-1].removesuffix(".000000")
    return None


def instant_of(seconds: int) -> str:
    """The instant of a POSIX time."""
    since = timedelta(seconds=min(max(seconds, 0), LATEST))
    return (datetime(1970, 1, 1, tzinfo=UTC) + since).strftime("%Y-%m-%dT%H:%M:%S")


def unbase64(value: object, size: int | None = None) -> bytes | None:
    """The bytes of base64 in its only form, and of that size if one is given; or None."""
    try:
        raw = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else None
    except ValueError:
        return None
    if raw is None or binascii.b2a_base64(raw, newline=False).decode() != value:
        return None
    return raw if size in {None, len(raw)} else None


def number(text: str) -> int | None:
    """The number of decimal digits in their only form, or None."""
    return int(text) if _NUMBER(text) and int(text) <= MAX_WHOLE else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def sha256(data: bytes) -> bytes:
    """The hash of bytes."""
    return hashlib.sha256(data).digest()


Form = Callable[[Any], object]

_FORMS: Final[dict[str, Form]] = {
    "text": lambda value: isinstance(value, str),
    "flag": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "whole": lambda value: type(value) is int,
    "count": lambda value: type(value) is int and value >= 0,
    "positive": lambda value: type(value) is int and value > 0,
    "moment": lambda value: instant(value) is not None,
    "hash": lambda value: unbase64(value, HASH) is not None,
    "base64": lambda value: unbase64(value) is not None,
    "digest": lambda value: isinstance(value, str) and _HEX(value),
    "salt": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value),
    "commitment": lambda value: isinstance(value, str) and _COMMITMENT(value),
    "why": lambda value: value in {"private", "range"} if isinstance(value, str) else False,
    "nonce": lambda value: isinstance(value, str) and re.fullmatch("[!-~]{8,128}", value),
    "keyid": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value),
    "true": lambda value: value is True,
}


def shape(words: str) -> Form:
    """A check that a value is an object of exactly these members.

    A word is `name:form`, with `?` behind a name that may be absent, and `|null` behind a form. A
    form in quotes is the text itself.
    """
    forms: dict[str, tuple[Form, bool]] = {}
    for name, _, word in (each.partition(":") for each in words.split()):
        text, form = word.strip("'"), word.removesuffix("|null")
        check = _FORMS[form] if word[0] != "'" else lambda value, text=text: value == text
        forms[name.removesuffix("?")] = (check, form != word)
    needed = {each.partition(":")[0] for each in words.split() if "?:" not in each}

    def fits(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if not (isinstance(value, dict) and needed <= value.keys() <= forms.keys()):
            return False
        for name, each in value.items():
            form, nullable = forms[name]
            if not (form(each) or (nullable and each is None)):
                return False
        return True

    return fits


def line_of(raw: bytes, *forms: Form) -> Any:  # noqa: ANN401 - an object of one of the forms
    """The value of a line, or of a file, that fits one of the forms; else ValueError."""
    if len(raw) > MAX_LINE:
        raise ValueError("too long")
    value = parse(raw)
    if not any(form(value) for form in forms):
        raise ValueError("other members or types")
    return value


def lines_of(raw: bytes) -> list[bytes]:
    """The lines of a file, each with its newline; ValueError if the last one has none."""
    *lines, rest = raw.split(b"\n")
    return lines if not rest else _refuse("no newline at the end")


# --- Section 4: the Merkle tree --------------------------------------------------------------


class Tree:
    """The Merkle tree over leaf hashes, with the root of every size."""

    def __init__(self, leaves: list[bytes]) -> None:
        # Each level has the roots of the perfect subtrees of its height.
        self._levels = [leaves]
        while len(leaves) > 1:
            pairs = zip(leaves[::2], leaves[1::2], strict=False)
            leaves = [hashlib.sha256(b"\x01" + one + two).digest() for one, two in pairs]
            self._levels.append(leaves)

    @cache  # noqa: B019 - a tree lives as long as its verifier
    def root(self, size: int) -> bytes | None:
        """The root of the first so many leaf hashes, None if there are fewer."""
        if size > len(self._levels[0]):
            return None
        heights = [height for height in range(size.bit_length()) if size >> height & 1]
        subtrees = [self._levels[height][(size >> height) - 1] for height in heights]
        root = subtrees[0] if subtrees else sha256(b"")
        for left in subtrees[1:]:
            root = sha256(b"\x01" + left + root)
        return root


# --- Section 8: Ed25519 ----------------------------------------------------------------------

Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z and T, where x = X/Z, xy = T/Z

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_IDENTITY: Final[Point] = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * _D * one[3] * other[3] % _P, 2 * one[2] * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    total = _IDENTITY
    while scalar:
        total = _add(total, point) if scalar & 1 else total
        point, scalar = _add(point, point), scalar >> 1
    return total


def _decode(raw: bytes) -> Point | None:
    """The point of 32 bytes (RFC 8032 section 5.1.3), None if they are no point's only form."""
    value = int.from_bytes(raw, "little")
    y, odd = value & (2**255 - 1), value >> 255
    u, v = y * y - 1, _D * y * y + 1
    x = u * v**3 * pow(u * v**7, (_P - 5) // 8, _P) % _P
    if (v * x * x + u) % _P == 0:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if len(raw) != HASH or y >= _P or (v * x * x - u) % _P or (x == 0 and odd):
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


_BASE: Final = _decode(bytes.fromhex("58" + "66" * 31)) or _IDENTITY


@lru_cache(4096)
def admitted(public: bytes) -> bool:
    """Whether section 8 admits the key: a point in its only form, and not of small order."""
    point = _decode(public)
    small = _times(8, point) if point else _IDENTITY
    return bool(small[0] % _P or (small[1] - small[2]) % _P)


def _slow_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    start, scalar = signature[:HASH], int.from_bytes(signature[HASH:], "little")
    challenge = int.from_bytes(hashlib.sha512(start + public + message).digest(), "little") % _L
    x, y, z, t = _decode(public) or _IDENTITY
    x, y, z, _ = _add(_times(scalar, _BASE), _times(challenge, (-x % _P, y, z, -t % _P)))
    # To encode the point that R must be, and compare bytes, refuses every other form of R too.
    inverse = pow(z, -1, _P)
    return ((x * inverse % _P & 1) << 255 | y * inverse % _P).to_bytes(HASH, "little") == start


try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    _key = lru_cache(4096)(Ed25519PublicKey.from_public_bytes)
except Exception:  # noqa: BLE001 - whatever is wrong with it, there is another way
    _verify = _slow_verify
else:

    def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            _key(public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is right by the strict rules of section 8."""
    return (
        len(signature) == SIGNATURE
        and int.from_bytes(signature[HASH:], "little") < _L
        and admitted(public)
        and _verify(public, message, signature)
    )


# --- Section 5: notes and checkpoints. What has another form raises ValueError. ----------------


class Key(NamedTuple):
    """A key as signed notes name it: name, key id and public key."""

    name: str
    id: bytes
    public: bytes


class Note(NamedTuple):
    """A C2SP signed-note: its text, and its signatures as name, key id and bytes."""

    text: str
    signatures: list[tuple[str, bytes, bytes]]

    def by(self, key: Key) -> list[bytes]:
        """The signatures under the key's name and id."""
        return [body for name, id_, body in self.signatures if (name, id_) == (key.name, key.id)]

    def signed_by(self, key: Key) -> bool:
        """Whether exactly one signature stands under the key's name and id, and it is right."""
        own = self.by(key)
        return len(own) == 1 and ed25519_verify(key.public, self.text.encode(), own[0])

    def cosigned(self, key: Key, body: bytes) -> int | None:
        """The time of a cosignature, None if it is wrong."""
        time = int.from_bytes(body[:8], "big")
        signed = f"cosignature/v1\ntime {time}\n{self.text}".encode()
        right = 0 < time <= LATEST and ed25519_verify(key.public, signed, body[8:])
        return time if right else None


class Checkpoint(NamedTuple):
    """A note whose text is a checkpoint; its time, and those of its cosignatures by witness."""

    note: Note
    origin: str
    size: int
    root: bytes
    time: int = 0
    cosigned: dict[str, int] = {}  # noqa: RUF012 - never changed


def _is_name(name: str) -> bool:
    return bool(re.fullmatch(r"[^\s+\x00-\x1f\x7f-\x9f\ufeff]+", name))


def _key_id(name: str, type_: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([type_]) + public)[:4]


def parse_key(text: str, type_: int) -> Key:
    """A verifier key of a type, which section 8 admits."""
    name, shown, encoded = [*text.split("+", 2), "", ""][:3]
    public = (unbase64(encoded, HASH + 1) or b"")[1:]
    key = Key(name, _key_id(name, type_, public), public)
    whole = bytes([type_]) + public == unbase64(encoded)
    if not (_is_name(name) and whole and key.id.hex() == shown and admitted(public)):
        _refuse("not a verifier key of this type")
    return key


def parse_note(raw: str) -> Note:
    """A signed note."""
    text, _, block = raw.partition("\n\n")
    lines = lines_of(block.encode())
    if len(raw.encode()) > MAX_NOTE or re.search(r"[\x00-\x09\x0b-\x1f]", raw) or not lines:
        _refuse("not a note")
    signatures = []
    for line in lines[: MAX_SIGNATURES + 1]:
        dash, name, encoded = [*line.decode().split(" ", 2), "", ""][:3]
        body = unbase64(encoded)
        if dash != "—" or not _is_name(name) or body is None or len(body) <= 4:  # noqa: PLR2004
            _refuse("not a signature line")
        signatures.append((name, body[:4], body[4:]))
    return Note(text + "\n", signatures) if len(lines) <= MAX_SIGNATURES else _refuse("too many")


def parse_checkpoint(raw: str) -> Checkpoint:
    """A checkpoint."""
    note = parse_note(raw)
    origin, size, root, end = note.text.split("\n")
    count, hash_ = number(size), unbase64(root, HASH)
    if not origin or count is None or hash_ is None or end:
        _refuse("not a checkpoint")
    return Checkpoint(note, origin, count, hash_)


class Receipt(NamedTuple):
    """What the operator signed when it accepted a command (section 9)."""

    note: Note
    origin: str
    first: int
    leaves: list[bytes]
    deadline: str


_RECEIPT: Final = re.compile(
    r"accord/receipt@v1\n([^\n]+)\ncommand [0-9a-f]{64}\nevents (\d{1,16}) (\d{1,16})\n"
    r"((?:leaf [A-Za-z0-9+/]{43}=\n)+)deadline ([^\n]+)\n"
).fullmatch


def parse_receipt(raw: str) -> Receipt:
    """A receipt."""
    note = parse_note(raw)
    match = _RECEIPT(note.text) or _refuse("not a receipt")
    leaves = [unbase64(line[5:], HASH) or b"" for line in match[4].splitlines()]
    first, until = number(match[2]), instant(match[5])
    if first is None or until is None or match[3] != str(len(leaves)):
        _refuse("not a receipt")
    return Receipt(note, match[1], first, leaves, until)


# --- Section 6: policy and pins --------------------------------------------------------------


def _words(raw: bytes) -> Iterator[list[str]]:
    # A policy file is a sequence of octets (C2SP tlog-policy): names need not be UTF-8.
    text = raw.decode("latin-1")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        _refuse("a control character")
    for line in text.split("\n"):
        content = line.strip(" \t")
        if content and not content.startswith("#"):
            yield re.split(r"[ \t]+", content)


def _utf8(word: str) -> str:
    return word.encode("latin-1").decode()


@dataclass
class Policy:
    """Whom a user trusts for the log."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None

    @classmethod
    def read(cls, raw: bytes) -> "Policy":
        """Read a policy; ValueError if it is none."""
        policy = cls()
        for words in _words(raw):
            policy._take(words)
        return policy if policy.logs and policy.quorum else _refuse("no log, or no quorum")

    def _take(self, words: list[str]) -> None:
        match words:
            case ["log", text] | ["log", text, _]:
                key = parse_key(_utf8(text), 0x01)
                self._check(all(key.public != other.public for other in self.logs))
                self.logs.append(key)
            case ["witness", word, text] | ["witness", word, text, _]:
                key = parse_key(_utf8(text), 0x04)
                # Under two words, a witness would count twice.
                new = all(key.public != other.public for other in self.witnesses.values())
                self._check(new and self._is_free(word))
                self.witnesses[word] = key
            case ["group", word, needed, *members]:
                named = [name for _, names in self.groups.values() for name in names]
                count = {"all": len(members), "any": 1}.get(needed) or number(needed) or 0
                known = all(name in self.witnesses or name in self.groups for name in members)
                once = len({*named, *members}) == len(named) + len(members)
                self._check(self._is_free(word) and known and once and 1 <= count <= len(members))
                self.groups[word] = (count, members)
            case ["quorum", word]:
                known = word == "none" or word in self.witnesses or word in self.groups
                self._check(known and self.quorum is None)
                self.quorum = word
            case _:
                _refuse("not a line of a policy")

    @staticmethod
    def _check(right: bool) -> None:  # noqa: FBT001
        if not right:
            _refuse("a line of a policy contradicts another")

    def _is_free(self, word: str) -> bool:
        return word != "none" and word not in self.witnesses and word not in self.groups

    def key(self, origin: str, note: Note) -> Key | None:
        """The log's key of an origin; of several, the one that signed the note."""
        own = [key for key in self.logs if key.name == origin]
        return next((key for key in own if note.signed_by(key)), own[0] if own else None)

    def met_by(self, words: Iterable[str]) -> bool:
        """Whether these witnesses meet the quorum."""
        met = {"none", *words}
        for word, (needed, members) in self.groups.items():
            met.update({word} if sum(name in met for name in members) >= needed else ())
        return self.quorum in met

    def witnessed(self, cosigned: dict[str, int]) -> int | None:
        """The last second since when cosignatures meet the quorum; None without a witness."""
        times = sorted(cosigned.values(), reverse=True) if self.quorum != "none" else []
        since = ((time, [word for word in cosigned if cosigned[word] >= time]) for time in times)
        return next((time for time, words in since if self.met_by(words)), None)


class Pins(NamedTuple):
    """The keys and verifiers that a user expects."""

    parties: dict[str, str]
    files: list[tuple[str, str]]

    @classmethod
    def read(cls, raw: bytes) -> "Pins":
        """Read pins; ValueError if they are none."""
        pins = cls({}, [])
        for words in _words(raw):
            match [_utf8(word) for word in words]:
                case ["party", party, key] if party not in pins.parties and unbase64(key, HASH):
                    pins.parties[party] = key
                case ["verifier", digest, name] if _HEX(digest):
                    pins.files.append((digest, name))
                case _:
                    _refuse("not a line of pins")
        return pins


# --- Section 1: the container ----------------------------------------------------------------

BESIDE: Final = ("policy.txt", "rejected.jsonl", "request.json", "waiting.jsonl")
GUIDES: Final = ("FORMAT.md", "rules.json", "verify.mjs", "verify.py")
OF_LOG: Final = (
    *("bundle.json", "checkpoints.jsonl", "commands.jsonl"),
    *("events.jsonl", "hashes.txt", "people.jsonl"),
)
_OTHER: Final = re.compile(
    r"data/(?:schemas/[A-Za-z0-9]+\.json|(proofs)/[0-9]{1,16}\.tlog-proof|timestamps/[0-9]{1,16}\.tsr)"
).fullmatch
_END: Final = struct.Struct("<4s4H2LH")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")


def read_container(raw: bytes) -> dict[str, bytes]:
    """The files of a bundle by name: only what `accord audit bundle` writes is a ZIP here."""
    end = len(raw) - _END.size
    require(end >= 0 and len(raw) <= MAX_PACKED, "bag")
    mark, disk, first, here, count, size, directory, comment = _END.unpack_from(raw, end)
    whole = mark == b"PK\x05\x06" and not (disk or first or comment) and here == count
    require(whole and count <= MAX_ENTRIES and directory + size == end, "bag")
    entries = list(_entries(raw, directory, end, count))
    require(sum(entry[3] for entry in entries) <= MAX_UNPACKED, "bag")
    files = {entry[0]: _unpacked(*entry[1:]) for entry in entries}
    require(len(files) == count, "bag")
    return files


def _entries(
    raw: bytes, at: int, end: int, count: int
) -> Iterator[tuple[str, int, bytes, int, int]]:
    start, directory = 0, at
    for _ in range(count):
        require(at + _ENTRY.size <= end, "bag")
        entry = _ENTRY.unpack_from(raw, at)
        mark, _, _, flags, method, _, _, crc, packed, size, length, *rest, offset = entry
        plain = mark == b"PK\x01\x02" and not flags and not any(rest[:3]) and method in {0, 8}
        name = raw[at + _ENTRY.size : at + _ENTRY.size + length]
        local = b"PK\x03\x04" + raw[at + 6 : at + 32] + name
        # Entries follow each other from the first byte, each with the header of the directory.
        whole = offset == start and raw[start : start + len(local)] == local and name.isascii()
        start += len(local) + packed
        require(plain and whole and start <= directory and len(name) == length, "bag")
        yield name.decode(), method, raw[start - packed : start], size, crc
        at += _ENTRY.size + length
    require(at == end and start == directory, "bag")


def _unpacked(method: int, packed: bytes, size: int, crc: int) -> bytes:
    content = packed
    if method:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            # One byte more than it claims is enough to see that it claims too little.
            content = inflate.decompress(packed, size + 1)
        except zlib.error:
            raise Fault("bag") from None
        require(inflate.eof and not inflate.unused_data, "bag")
    require(len(content) == size and zlib.crc32(content) == crc, "bag")
    return content


def check_files(files: dict[str, bytes]) -> None:
    """Check that all files are there, no other, and that the manifest is theirs."""
    needed = {f"data/{name}" for name in (*OF_LOG, *BESIDE, *GUIDES)}
    payload = files.keys() - {"bagit.txt", "manifest-sha256.txt"}
    require(needed <= payload and len(files) == len(payload) + 2, "bag")
    require(all(_OTHER(name) for name in payload - needed), "bag")
    require(
        files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "bag"
    )
    require(files["manifest-sha256.txt"] == manifest(files, payload), "bag")


def manifest(files: dict[str, bytes], names: Iterable[str]) -> bytes:
    """A line for each of these files: its SHA-256 and its name."""
    return b"".join(f"{sha256(files[name]).hex()}  {name}\n".encode() for name in sorted(names))


# --- Sections 3 and 7: the JSON files ----------------------------------------------------------

_BUNDLE: Final = shape(
    "custody:count|null format:'accord-bundle/1' origin:text partnership:text size:count"
)
_REQUEST: Final = shape("""
    alert:text|null by:text for:text|null from:moment|null reason:text simulated:flag
    statement:text|null to:moment|null
""")
_CHECKPOINT: Final = shape("note:text")
_PERSON: Final = shape("commitment:commitment name:text salt:base64")
_ERASED_PERSON: Final = shape("commitment:commitment erased:count")
_LINE: Final = shape("digest:digest envelope:object")
_ERASED_LINE: Final = shape("digest:digest erased:true")
COMMAND_TYPE: Final = "application/vnd.accord.command+json"
_ENVELOPE: Final = shape(f"payload:base64 payloadType:'{COMMAND_TYPE}' signatures:list")
_SIGNED: Final = shape("keyid:keyid sig:base64")
_PAYLOAD: Final = shape("""
    accord:'command/v1' event:object expected:whole|null expires:moment nonce:nonce origin:text
    partnership:text party:text seen:object|null type:text
""")
_SEEN: Final = shape("root:hash size:count")
_EVENT: Final = shape("""
    actor:text causation_id?:text correlation_id?:text data:object event_id:text
    occurred_at:moment partnership:text party:text recorded_at:moment salt:salt
    schema_version:positive signed?:digest source:text source_id:text stream:text
    stream_version:positive type:text
""")
_WITHHELD: Final = shape("why:why withheld:digest")


class Command(NamedTuple):
    """A signed command, as its party signed it."""

    payload: dict[str, Any]
    keyid: str
    message: bytes
    signature: bytes


def read_command(line: dict[str, Any]) -> Command | None:
    """The command of a line; None if it was erased, ValueError if it is malformed."""
    if "erased" in line:
        return None
    envelope = line["envelope"]
    signatures = envelope.get("signatures")
    right = _ENVELOPE(envelope) and len(signatures) == 1 and _SIGNED(signatures[0])
    if not right or sha256(canonical(envelope)).hex() != line["digest"]:
        _refuse("not an envelope")
    raw = unbase64(envelope["payload"]) or b""
    payload = line_of(raw, _PAYLOAD)
    if payload["seen"] is not None and not _SEEN(payload["seen"]):
        _refuse("not what somebody saw")
    message = b"DSSEv1 %d %s %d %s" % (len(COMMAND_TYPE), COMMAND_TYPE.encode(), len(raw), raw)
    return Command(payload, signatures[0]["keyid"], message, unbase64(signatures[0]["sig"]) or b"")


# --- The verifier ------------------------------------------------------------------------------


@dataclass
class PartyKey:
    """A key that a party registered, active behind `since` and up to `until`."""

    public: bytes
    since: int
    delegated: list[str] | None  # the kinds of facts that it signs; None for all
    until: int | None = None


class Brought(NamedTuple):
    """The user's own files, as far as they can be read without the bundle."""

    policy: Policy | None
    pins: Pins
    seen: list[Checkpoint]
    receipts: list[Receipt]
    not_before: str | None


class Verifier:
    """The checks of one bundle, in the order of section 10."""

    def __init__(self, brought: Brought) -> None:
        self.brought = brought
        self.phase = "bag"  # the code for whatever cannot be understood where it is now
        self.bundle: dict[str, Any] = {}
        self.checked: list[str] = []
        self.not_checked: list[str] = []
        self.events: list[dict[str, Any] | None] = []  # None where one is withheld
        self.leaves: list[bytes] = []
        self.withheld: Counter[str] = Counter()
        self.not_asked: int | None = None  # the first event that is withheld because of the range
        self.indexes: list[int] = []  # of the events that are shown
        self.times: list[str] = []  # when these were recorded
        self.keys: dict[str, dict[str, PartyKey]] = {}  # by party, by key id
        self.erased: dict[str, int] = {}  # the index of each person's erasure

    def verify(self, raw: bytes) -> None:
        """Check everything; raises `Fault`."""
        self.files = read_container(raw)
        check_files(self.files)
        self.checked.append(f"{len(self.files)} files, each with the hash of the manifest")
        self.phase = "malformed"
        self.read_files()
        self.phase = "identity"
        self.check_identity()
        self.phase = "event"
        self.read_events()
        self.phase = "checkpoint-malformed"
        self.check_checkpoints()
        self.phase = "command-malformed"
        self.check_events()
        self.check_pins()
        self.phase = "quorum"
        self.check_against_user()
        self.phase = "person"
        self.check_people()
        self.phase = "custody"
        self.check_custody()

    def read_files(self) -> None:
        """Read every JSON file but the events."""

        def lines(name: str, *forms: Form) -> list[Any]:
            return [line_of(line, *forms) for line in lines_of(self.files[f"data/{name}"])]

        (self.bundle,) = lines("bundle.json", _BUNDLE)
        (self.request,) = lines("request.json", _REQUEST)
        self.notes = [line["note"] for line in lines("checkpoints.jsonl", _CHECKPOINT)]
        found = lines("commands.jsonl", _LINE, _ERASED_LINE)
        self.commands = {line["digest"]: line for line in found}
        self.people = lines("people.jsonl", _PERSON, _ERASED_PERSON)
        for name in ("rejected.jsonl", "waiting.jsonl"):
            lines(name, _FORMS["object"])
        names = [line["commitment"] for line in self.people]
        for each in ([line["digest"] for line in found], names):
            require(all(one < other for one, other in pairwise(each)), "malformed")
        require(self.bundle["origin"].endswith(f"/{self.bundle['partnership']}"), "malformed")
        if self.request["simulated"]:
            self.not_checked.append("whether any of this happened: the log is of a simulation")

    def check_identity(self) -> None:
        """Check the log and the verifiers against policy and pins, and whose the user's files are.

        Raises `Misuse` for a file of the user's that the operator did not sign.
        """
        origin = self.bundle["origin"]
        if self.brought.policy is None:
            self.not_checked.append("log and quorum: not pinned, the policy is the operator's own")
        self.policy = self.brought.policy or Policy.read(self.files["data/policy.txt"])
        require(any(key.name == origin for key in self.policy.logs), "identity")
        for digest, name in self.brought.pins.files:
            content = self.files.get(f"data/{name}")
            require(content is not None and sha256(content).hex() == digest, "verifier")
        things: list[Checkpoint | Receipt] = [*self.brought.seen, *self.brought.receipts]
        for thing in things:
            key = self.policy.key(origin, thing.note)
            if thing.origin != origin or key is None or not thing.note.signed_by(key):
                raise Misuse("a checkpoint or a receipt was not signed by the operator of this log")

    def read_events(self) -> None:
        """Read the events, each compared with the hash that was noted when it was recorded."""
        noted = lines_of(self.files["data/hashes.txt"])
        lines = lines_of(self.files["data/events.jsonl"])
        size, before = self.bundle["size"], ""
        for index, (line, hash_) in enumerate(zip(lines, noted, strict=False)):
            try:
                event = line_of(line, _FORMS["object"])
            except ValueError:
                raise Fault("malformed", index) from None
            hidden = "withheld" in event
            require(not hidden or _WITHHELD(event), "malformed", index)
            leaf = hashlib.sha256(b"\x00" + line).digest()
            leaf = bytes.fromhex(event["withheld"]) if hidden else leaf
            require(leaf.hex().encode() == hash_, "event-altered", index)
            self.leaves.append(leaf)
            if hidden:
                self.withheld[event["why"]] += 1
                self.not_asked = (
                    index
                    if self.not_asked is None and event["why"] == "range"
                    else (self.not_asked)
                )
                self.events.append(None)
                continue
            require(_EVENT(event) and self._is_here(event), "event", index)
            at = event["recorded_at"][:-1].removesuffix(".000000")
            require(before <= at, "event", index)
            before = at
            self.events.append(event)
            self.indexes.append(index)
            self.times.append(at)
        least = min(len(lines), len(noted), size)
        require(len(lines) == len(noted) == size, "events-missing", least)
        self.tree = Tree(self.leaves)
        self.checked.append(f"{size} events: each as it was recorded, none missing")
        for why, count in sorted(self.withheld.items()):
            self.not_checked.append(f"{count} events withheld ({why})")

    def _is_here(self, event: dict[str, Any]) -> bool:
        own, stream, type_ = self.bundle["partnership"], event["stream"], event["type"]
        ours = event["partnership"] == own and (stream == own or stream.startswith(f"{own}/"))
        return ours and type_ in KINDS and (event["party"] != OPERATOR or type_ in RULES["own"])

    def check_checkpoints(self) -> None:
        """Check signatures, roots and times of the chain of checkpoints."""
        origin, size, last = self.bundle["origin"], self.bundle["size"], None
        odd: list[tuple[int, int, str, str, str]] = []
        for line, raw in enumerate(self.notes):
            try:
                point = parse_checkpoint(raw)
            except ValueError:
                raise Fault("checkpoint-malformed", line) from None
            grows = last is None or last.size <= point.size
            require(point.origin == origin and grows, "checkpoint-malformed", line)
            point = self._signed(point)
            later = last is None or last.time <= point.time
            require(later, "checkpoint-signature", point.size)
            require(self.tree.root(point.size) == point.root, "checkpoint-root", point.size)
            self._check_time(point)
            for word, time in point.cosigned.items():
                when = instant_of(point.time), word, instant_of(time)
                odd += [(abs(time - point.time), -point.size, *when)]
            last = point
        self.last = last = need(last, "checkpoint-malformed", size)
        end = last.size == size or self.bundle["custody"] is None
        require(end, "checkpoint-malformed", size)
        self.checked.append(f"{len(self.notes)} checkpoints: signatures, roots and times")
        if last.size < size:
            self.not_checked.append(f"{size - last.size} events behind the last checkpoint")
        far = [each for each in odd if each[0] > SKEW]
        if far:
            gap, negative, own, word, theirs = max(far)
            count = len({each[1] for each in far})
            self.not_checked.append(
                f"when events were recorded: {count} checkpoints and their cosignatures are more "
                f"than {SKEW} s apart, at most {gap} s (the checkpoint of {-negative} events: "
                f"{own}Z by the log, {theirs}Z by {word})"
            )

    def _signed(self, point: Checkpoint) -> Checkpoint:
        note, code = point.note, "checkpoint-signature"
        key = need(self.policy.key(point.origin, note), code, point.size)
        require(note.signed_by(key), code, point.size)
        itself = key._replace(id=_key_id(key.name, 0x04, key.public))
        own = note.by(itself)
        time = need(note.cosigned(itself, own[0]) if len(own) == 1 else None, code, point.size)
        cosigned = {}
        for word, witness in self.policy.witnesses.items():
            times = [note.cosigned(witness, body) for body in note.by(witness)]
            require(all(times), code, point.size)
            cosigned.update({word: max(filter(None, times))} if times else {})
        return point._replace(time=time, cosigned=cosigned)

    def _check_time(self, point: Checkpoint) -> None:
        # Times never fall, so two searches find the first event that is too late or too early.
        late = bisect_right(self.times, instant_of(point.time + SKEW))
        behind = bisect_left(self.indexes, point.size)
        if late < behind:
            raise Fault("checkpoint-time", self.indexes[late])
        if behind < len(self.times) and self.times[behind] < instant_of(point.time - SKEW):
            raise Fault("checkpoint-time", self.indexes[behind])

    # --- section 7: who signed what ---

    def check_events(self) -> None:
        """Check the keys of the parties, and every event against the command that names it."""
        self.proposed: dict[str, dict[str, Any]] = {}  # what can be accepted, by its digest
        self.read: dict[str, Command | None] = {}  # the commands that events name
        self.last_named: dict[str, tuple[int, Counter[str]]] = {}
        self.nonces: dict[tuple[str, str], str] = {}
        self.ids: dict[tuple[str, str, str], str] = {}
        self.unseen = 0
        self.unsigned: list[str] = []
        self.facts: dict[str, list[dict[str, Any]]] = {}
        self.others = self.own = 0
        erasing: list[tuple[int, str]] = []
        for index in self.indexes:
            event = self.events[index] or {}
            if event["type"] in KEY_EVENTS:
                self._take_key(index, event)
            if event["type"] == "PersonErased":
                self.erased.setdefault(_text(event["data"].get("person")), index)
            if "signed" not in event:
                self._check_unsigned(index, event)
            elif self._check_signed(index, event) is None:
                erasing.append((index, event["signed"]))
            if event["type"] in PROPOSALS:
                self.proposed[sha256(canonical(event["data"])).hex()] = event["data"]
        self._check_erased(erasing)
        require(self.read.keys() == self.commands.keys(), "command-unused")
        self._report_events(len(erasing))

    def _check_erased(self, erasing: list[tuple[int, str]]) -> None:
        for index, _ in erasing:
            text = canonical(self.events[index]).decode()
            named = re.findall(r'"(person:[0-9a-f]{64})"', text)
            require(any(self.erased.get(who, -1) > index for who in named), "command-erased", index)

    def _report_events(self, erased: int) -> None:
        signed = sum(each is not None for each in self.read.values())
        self.checked.append(f"{signed} signed commands, and the events that they yield")
        if erased:
            self.not_checked.append(f"{erased} events whose command was erased with a person")
        if self.unseen:
            self.not_checked.append(f"{self.unseen} acceptances of what was not asked for")
        self.not_checked += self.unsigned
        for kind, found in sorted(self.facts.items()):
            self.not_checked.append(f"{len(found)} facts that nobody signed ({kind}){total(found)}")
        if self.others:
            self.not_checked.append(f"{self.others} other events that nobody signed; none binds")
        if self.own:
            self.not_checked.append(f"{self.own} events of the clock, of rules and of the operator")

    def _check_unsigned(self, index: int, event: dict[str, Any]) -> None:
        kind, party, type_ = KINDS[event["type"]], event["party"], event["type"]
        had_key = any(key.since < index for key in self.keys.get(party, {}).values())
        erases = kind == "erases" and any(self.keys.values())
        settled = type_ in RULES["statements"] and event["source"] == "accord:settle"
        bound = kind in {"binds", "erases"} and (had_key or erases) and not settled
        require(not bound, "command-missing", index)
        if type_ == "FirstKeySentByOperator":
            name = _text(event["data"].get("party"))
            self.unsigned.append(f"#{index} the operator itself sent the first key of {name}")
        elif kind in {"binds", "erases"}:
            money = total([event["data"]])
            self.unsigned.append(f"#{index} {type_} by {party}: not signed{money}")
        elif kind in FACTS:
            self.facts.setdefault(kind, []).append(event["data"])
        elif party == OPERATOR:
            self.own += 1
        else:
            self.others += 1

    def _take_key(self, index: int, event: dict[str, Any]) -> None:
        data, party, type_ = event["data"], event["party"], event["type"]
        if type_ == "KeyRecovered":
            party = self._recover(index, event)
        own = self.keys.setdefault(party, {})
        if type_ == "KeyRevoked":
            self._close(index, own, data.get("keyid"))
            return
        text = _text(data.get("key"))
        public = unbase64(text, HASH) or b""
        require(admitted(public), "key-weak", index)
        claim = f"accord/key@v1\n{self.bundle['partnership']}\n{party}\n{text}\n".encode()
        proof = unbase64(data.get("proof"), SIGNATURE) or b""
        require(ed25519_verify(public, claim, proof), "key-proof", index)
        keyid = sha256(public).hex()[:16]
        new = not any(keyid in keys for keys in self.keys.values())
        expected = self.brought.pins.parties.get(party, text)
        require(new and (own or expected == text), "key-unknown", index)
        delegated = data.get("delegated")
        if type_ == "KeyRotated":
            delegated = self._close(index, own, data.get("replaces")).delegated
        own[keyid] = PartyKey(public, index, delegated)

    def _recover(self, index: int, event: dict[str, Any]) -> str:
        """End every key of the party whose new key the event's own party agrees; return it."""
        party, author = _text(event["data"].get("party")), event["party"]
        lost = self.keys.get(party, {})
        require(lost and party != author, "key-unknown", index)
        require("signed" in event, "command-missing", index)
        for key in lost.values():
            key.until = index if key.until is None else key.until
        self.unsigned.append(f"#{index} the new key of {party}: {author} agreed it in its place")
        return party

    @staticmethod
    def _close(index: int, keys: dict[str, PartyKey], keyid: object) -> PartyKey:
        key = need(keys.get(_text(keyid)), "key-unknown", index)
        require(key.until is None, "key-unknown", index)
        key.until = index
        return key

    def _check_signed(self, index: int, event: dict[str, Any]) -> Command | None:
        digest = event["signed"]
        if digest not in self.read:
            require(digest in self.commands, "command-missing", index)
            try:
                self.read[digest] = read_command(self.commands[digest])
            except ValueError:
                raise Fault("command-malformed", index) from None
        before, types = self.last_named.get(digest, (None, Counter()))
        between = [] if before is None else self.indexes[bisect_right(self.indexes, before) :]
        require(before is None or between[0] == index, "command-replayed", index)
        self.last_named[digest] = (index, types)
        command = self.read[digest]
        if command is not None:
            self._check_command(index, event, command, first=before is None)
            self._check_yield(index, event, command.payload, types)
        return command

    def _check_command(
        self, index: int, event: dict[str, Any], command: Command, *, first: bool
    ) -> None:
        payload, party, digest = command.payload, event["party"], event["signed"]
        asked, name = payload["event"], self.bundle["partnership"]
        said = [payload["origin"], payload["partnership"], asked.get("subject"), payload["party"]]
        said += [asked.get("party"), asked.get("type")]
        here = [self.bundle["origin"], name, name, party, party, payload["type"]]
        require(said == here, "command-elsewhere", index)
        key = need(self.keys.get(party, {}).get(command.keyid), "command-key", index)
        # A key signs its own registration only where the party has no other.
        alone = key.since == index and len(self.keys[party]) == 1
        active = (key.since < index or alone) and key.until in {None, index}
        delegated = key.delegated is None or KINDS[event["type"]] in key.delegated
        require(active and delegated, "command-key", index)
        if first:
            right = ed25519_verify(key.public, command.message, command.signature)
            require(right, "command-signature", index)
        used = self.nonces.setdefault((party, payload["nonce"]), digest)
        source, id_ = event["source"], event["source_id"]
        named = self.ids.setdefault((party, source, id_), digest)
        own = (asked.get("source"), asked.get("id")) == (source, id_)
        require(used == named == digest and own, "command-replayed", index)
        until = instant(payload["expires"]) or ""
        require(
            event["recorded_at"][:-1].removesuffix(".000000") <= until, "command-expired", index
        )
        text = "".join(f"{len(each)}:{each}" for each in (party, source, id_))
        if (
            payload["expected"] is not None
            and event["event_id"] == sha256(f"{text}0".encode()).hex()[:HASH]
        ):
            version = event["stream_version"] - 1
            require(payload["expected"] == version, "command-version", index)
        if payload["seen"] is not None:
            size, root = payload["seen"]["size"], unbase64(payload["seen"]["root"])
            right = size <= index and self.tree.root(size) == root
            require(right, "command-seen", index)
        actor = event["actor"] == asked.get("actor") or _COMMITMENT(event["actor"])
        time = instant(event["occurred_at"]) == instant(asked.get("time"))
        require(actor and time, "command-differs", index)

    def _check_yield(
        self, index: int, event: dict[str, Any], payload: dict[str, Any], types: Counter[str]
    ) -> None:
        """Check that the command yields the event, and how each of its members follows."""
        type_, name = event["type"], payload["type"].removeprefix("accord.")
        asked = payload["event"].get("data")
        signed = asked if isinstance(asked, dict) else {}
        rule = COMMANDS.get(name, {})
        accepted: dict[str, Any] = {}
        if name == "ConfirmAct" and type_ != "ActConfirmed":
            # A second person does what the first one did, and accepts what that one accepted.
            named = _text(signed.get("content"))
            held = self.proposed.get(named)
            if held is None:
                hidden = self.not_asked is not None and self.not_asked < index
                require(_HEX(named) and hidden, "command-content", index)
                return
            signed = held["data"] if isinstance(held.get("data"), dict) else {}
            rule = COMMANDS.get(_text(held.get("command")), {})
            accepted = self.proposed.get(str(signed.get("content")), {})
            rule = {"accepts": False, "events": rule.get("events", {})}
        require(type_ in rule.get("events", {}), "command-yields", index)
        types[type_] += 1
        if rule["accepts"]:
            content = signed.get("content")
            found = self.proposed.get(content) if isinstance(content, str) else None
            if found is None:
                form = isinstance(content, str) and _HEX(content)
                hidden = self.not_asked is not None and self.not_asked < index
                require(form and hidden, "command-content", index)
                self.unseen += types.total() == 1
                rule = {"events": dict.fromkeys(rule["events"])}
            accepted = found or {}
        if type_ == "SecondPersonAsked":
            signed = {"command": name, "data": signed}
        added = rule["events"][type_]
        if added is None:
            return
        require(types[type_] == 1, "command-yields", index)
        for member, value in event["data"].items():
            if member in signed:
                require(alike(value, signed[member]), "command-differs", index)
            elif member in accepted:
                require(alike(value, accepted[member]), "command-content", index)
            else:
                require(member in added, "command-differs", index)

    def check_pins(self) -> None:
        """Check that the log has every pinned key, and say which first keys are pinned."""
        first = {
            party: min(each.since for each in keys.values()) for party, keys in self.keys.items()
        }
        pinned = self.brought.pins.parties.keys()
        require(pinned <= first.keys(), "key-unknown")
        self.unpinned = first.keys() - pinned
        for party, index in sorted(first.items(), key=lambda each: each[1]):
            free = party in self.unpinned
            where = self.not_checked if free else self.checked
            where.append(f"#{index} first key of {party}: {'not pinned' if free else 'as pinned'}")

    def check_against_user(self) -> None:
        """Check the log against what the user saw before and asks for."""
        size, last = self.bundle["size"], self.last
        for point in self.brought.seen:
            same = point.size > size or self.tree.root(point.size) == point.root
            require(same, "fork", point.size)
        for point in self.brought.seen:
            require(point.size <= size, "stale", point.size)
        require(self.policy.met_by(last.cosigned), "quorum", size)
        witnessed = self.policy.witnessed(last.cosigned)
        since = instant_of(last.time if witnessed is None else witnessed)
        require((self.brought.not_before or "") <= since, "stale", size)
        for receipt in self.brought.receipts:
            due = max(instant_of(last.time), since) >= receipt.deadline
            for index, leaf in enumerate(receipt.leaves, receipt.first):
                here = index < (last.size if due else size)
                right = self.leaves[index] == leaf if here else not due
                require(right, "receipt", index)
        if self.policy.quorum == "none":
            self.not_checked.append("whether others are shown another history: no witness is asked")
        else:
            self.checked.append(
                f"the quorum: {len(last.cosigned)} witnesses cosigned the last checkpoint"
            )

    def check_people(self) -> None:
        """Check that each name gives its commitment, and that who was erased is on record."""
        shown = b"\n".join(canonical(event) for event in self.events if event is not None)
        known = set(re.findall(r'"(person:[0-9a-f]{64})"', shown.decode()))
        named = 0
        for person in self.people:
            who = person["commitment"]
            if "erased" in person:
                require(self.erased.get(who) == person["erased"], "person")
                continue
            text = f"{self.bundle['partnership']}\n{person['salt']}\n{person['name']}"
            digest = sha256(f"accord/person@v1\n{text}".encode()).hex()
            require(who == f"person:{digest}" and who in known, "person")
            named += 1
        self.checked.append(f"{named} names of people")
        if len(self.people) > named:
            self.not_checked.append(f"{len(self.people) - named} people whose names were erased")
        untold = len(known - {person["commitment"] for person in self.people})
        if untold:
            self.not_checked.append(f"{untold} people whose names are not in the bundle")

    def check_custody(self) -> None:
        """Check that the log has this export, with the digest of what is beside the log."""
        index, count = self.bundle["custody"], sum(name.endswith(".tsr") for name in self.files)
        if index is None:
            self.not_checked.append("what is beside the log: the log does not have this export")
        else:
            event = need(self.events[index : index + 1] or None, "custody", index)[0] or {}
            own = {f"data/{name}" for name in OF_LOG}
            names = [each for each in self.files if each.startswith("data/") and each not in own]
            beside = [name for name in names if not name.startswith("data/proofs/")]
            digest = sha256(manifest(self.files, beside)).hex()
            right = event.get("type") == "BundleExported" and event["party"] == OPERATOR
            require(right and event["data"].get("files") == digest, "custody", index)
            self.checked.append("the export: the log has it, with all that is beside the log")
        if count:
            self.not_checked.append(f"{count} time stamps (RFC 3161)")
        self.not_checked += RULES["never"]


def alike(recorded: object, meant: object) -> bool:
    """Whether what was recorded is what was meant, people's names aside."""
    if isinstance(recorded, str):
        return recorded == meant or (isinstance(meant, str) and bool(_COMMITMENT(recorded)))
    if isinstance(recorded, dict) and isinstance(meant, dict):
        return recorded.keys() == meant.keys() and all(
            alike(value, meant[name]) for name, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(meant, list):
        return len(recorded) == len(meant) and all(map(alike, recorded, meant))
    return type(recorded) is type(meant) and recorded == meant


def total(found: list[dict[str, Any]]) -> str:
    """The sum of the amounts in these data by currency, as text."""
    amounts: dict[str, list[re.Match[str]]] = {}
    for data in found:
        for money in data.values():
            if isinstance(money, dict):
                amount, currency = money.get("amount"), money.get("currency")
                match = _MONEY(amount) if isinstance(amount, str) else None
                if match and isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency):
                    amounts.setdefault(currency, []).append(match)
    texts = []
    for currency, matches in sorted(amounts.items()):
        places = max(len(match[3] or "") for match in matches)
        units = sum(int(m[1] + m[2] + (m[3] or "").ljust(places, "0")) for m in matches)
        digits = str(abs(units)).rjust(places + 1, "0")
        whole, part = digits[: len(digits) - places], digits[len(digits) - places :]
        texts.append(f"{'-' if units < 0 else ''}{whole}{'.' if part else ''}{part} {currency}")
    return "".join(f", {text}" for text in texts)


# --- Section 10: what a verifier says -----------------------------------------------------------

VERDICTS: Final = {"RECORD VERIFIED": 0, "CONSISTENT, NOT PINNED": 4, "FAULT": 3}


def _result(verifier: Verifier, fault: Fault | None) -> dict[str, Any]:
    pinned = fault is None and verifier.brought.policy is not None and not verifier.unpinned
    verdict = "FAULT" if fault else "RECORD VERIFIED" if pinned else "CONSISTENT, NOT PINNED"
    return {
        "verdict": verdict,
        "code": fault.code if fault else None,
        "index": fault.index if fault else None,
        "detail": RULES["words"][fault.code if fault else verdict],
        "origin": verifier.bundle.get("origin"),
        "size": verifier.bundle.get("size"),
        "checked": verifier.checked,
        "not_checked": verifier.not_checked,
    }


def verify(  # noqa: PLR0913 - whatever its reader brings
    bundle: Path,
    *,
    policy: Path | None = None,
    pins: Path | None = None,
    seen: Sequence[Path] = (),
    receipts: Sequence[Path] = (),
    not_before: str | None = None,
) -> dict[str, Any]:
    """What a verifier says of a bundle: the object that `--json` prints.

    Raises:
        Misuse: a file of the user's cannot be read or understood.
    """
    brought = Brought(
        _understood(Policy.read, policy) if policy is not None else None,
        _understood(Pins.read, pins) if pins is not None else Pins({}, []),
        [_understood(lambda raw: parse_checkpoint(raw.decode()), path) for path in seen],
        [_understood(lambda raw: parse_receipt(raw.decode()), path) for path in receipts],
        instant(not_before),
    )
    if not_before is not None and brought.not_before is None:
        raise Misuse(f"{not_before} is no moment such as 2026-01-31T09:00:00Z")
    verifier = Verifier(brought)
    raw, collects = _contents(bundle), gc.isenabled()
    gc.disable()  # It makes no cycles of objects, and the search for them takes long.
    try:
        verifier.verify(raw)
    except Fault as fault:
        return _result(verifier, fault)
    except Misuse:
        raise
    except Exception:  # noqa: BLE001 - section 10: no input makes a verifier crash
        return _result(verifier, Fault(verifier.phase))
    finally:
        gc.enable() if collects else None
    return _result(verifier, None)


def _contents(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PACKED + 1)
    except (OSError, ValueError) as error:
        raise Misuse(f"{path} cannot be read: {error}") from None


def _understood(read: Callable[[bytes], Any], path: Path) -> Any:  # noqa: ANN401 - as `read` gives
    try:
        return read(_contents(path))
    except ValueError as error:
        raise Misuse(f"{path} cannot be understood: {error}") from None


def _as_text(result: dict[str, Any]) -> str:
    where = "" if result["index"] is None else f" at {result['index']}"
    lines = [result["verdict"] + (f" {result['code']}{where}" if result["code"] else "")]
    lines += [result["detail"], "Checked:", *(f"  {line}" for line in result["checked"])]
    lines += ["Not checked:", *(f"  {line}" for line in result["not_checked"])]
    # What a bundle says of itself shall not steer the terminal that it is shown on.
    return "".join(re.sub(r"[^ -~]", "?", line) + "\n" for line in lines)


def main() -> int:
    """Verify a bundle from the command line; gives the exit code of section 10."""
    parser = argparse.ArgumentParser(prog="verify", allow_abbrev=False)
    parser.add_argument("bundle", type=Path, metavar="FILE.zip")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="whom you trust")
    parser.add_argument("--pins", type=Path, metavar="FILE", help="the keys that you expect")
    for name, what in (("seen", "a checkpoint that you saw"), ("receipt", "a receipt of yours")):
        parser.add_argument(
            f"--{name}", type=Path, metavar="FILE", action="append", default=[], help=what
        )
    parser.add_argument("--not-before", metavar="MOMENT", help="what the log must reach")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = vars(parser.parse_args())
    as_json, receipts = given.pop("json"), given.pop("receipt")
    try:
        result = verify(**given, receipts=receipts)
    except Misuse as misuse:
        sys.stderr.write(f"verify: {misuse}\n")
        return 2
    sys.stdout.write(_write(result) + "\n" if as_json else _as_text(result))
    return VERDICTS[result["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
