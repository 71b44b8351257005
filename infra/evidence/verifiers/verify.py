# ruff: noqa: INP001 - it is run and copied as a file, so it belongs to no package.
"""Verify an Accord evidence bundle offline, with nothing but Python 3.11 and `rules.json`.

    python verify.py FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
                     [--not-before MOMENT] [--json]

`FORMAT.md` says what is checked; "section" below means a section of that page. `rules.json` must be
beside this file: it has the limits, the forms, and what each command may record. Whether a
statement is right is another question (`accord audit replay`). With the package `cryptography`,
signatures are checked faster.
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
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

T = TypeVar("T")
Row = dict[str, Any]  # a JSON object
Form = Callable[[Any], object]  # whether a JSON value has a form

RULES: Final = json.loads(Path(__file__).with_name("rules.json").read_text(encoding="utf-8"))
LIMITS: Final[dict[str, int]] = RULES["limits"]
PATTERNS: Final = {name: re.compile(each).fullmatch for name, each in RULES["patterns"].items()}
COMMANDS: Final[dict[str, Row]] = RULES["commands"]
KINDS: Final[dict[str, str]] = RULES["kinds"]
PEOPLE: Final[dict[str, list[str]]] = RULES["people"]
MEMBERS: Final[dict[str, list[str]]] = RULES["members"]
PROPOSALS: Final = frozenset(RULES["proposals"])
BINDING: Final = frozenset({"binds", "erases"})
OPERATOR: Final = "accord"  # the party of what the clock, agreed rules and the operator record
HASH: Final = 32  # bytes of SHA-256, and of a key
SIGNATURE: Final = 64  # bytes of Ed25519


class Fault(Exception):
    """Why a bundle is refused: a code of section 10, and the index in question."""

    def __init__(self, code: str, index: int | None = None) -> None:
        super().__init__(code)
        self.code, self.index = code, index


class Misuse(Exception):
    """The verifier was called wrongly, or its user's own files cannot be read: exit code 2."""


def require(value: T | None, code: str, index: int | None = None) -> T:
    """The value, unless it is None or false; else `Fault`."""
    if not value:
        raise Fault(code, index)
    return value


def refuse(why: str) -> NoReturn:
    """Raise ValueError: what was read has another form."""
    raise ValueError(why[:40])


# --- Section 2: JSON, moments, base64 --------------------------------------------------------


def _whole(text: str) -> int:
    short = len(text) <= len("-9007199254740991")
    return int(text) if short and abs(int(text)) < 1 << 53 else refuse(text)


_read: Final = json.JSONDecoder(parse_int=_whole, parse_float=refuse, parse_constant=refuse)
_write: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode


def canonical(value: object) -> bytes:
    """The canonical form of a value. Keys are ASCII, so the order is that of RFC 8785."""
    return _write(value).encode()


def _check_profile(value: object, levels: int) -> None:
    if isinstance(value, dict | list):
        if levels == LIMITS["levels"] or (isinstance(value, dict) and not "".join(value).isascii()):
            refuse("too many levels, or a key beyond ASCII")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_profile(inner, levels + 1)


def parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of bytes that are its canonical form; else ValueError or RecursionError."""
    text = raw.decode("utf-8")
    value, _ = _read.raw_decode(text)
    if not text.isascii() or text.count("{") + text.count("[") > LIMITS["levels"]:
        _check_profile(value, 0)
    return value if _write(value) == text else refuse("not in canonical form")


def instant_of(seconds: int) -> str:
    """A POSIX time as a text that sorts with moments: these are compared without their `Z`."""
    after = timedelta(seconds=min(max(seconds, 0), LIMITS["time"]))
    return (datetime(1970, 1, 1, tzinfo=UTC) + after).strftime("%Y-%m-%dT%H:%M:%S")


def unbase64(value: object, size: int | None = None) -> bytes | None:
    """The bytes of base64 in its only form, and of that size if one is given; or None."""
    try:
        raw = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else None
    except ValueError:
        return None
    if raw is None or binascii.b2a_base64(raw, newline=False).decode() != value:
        return None
    return raw if size in {None, len(raw)} else None


def text_of(value: object) -> str:
    """The value if it is a text, else the empty one."""
    return value if isinstance(value, str) else ""


def matched(pattern: str, text: str) -> Sequence[str]:
    """The groups of a pattern of `rules.json` that a text has; else ValueError."""
    return (PATTERNS[pattern](text) or refuse(f"not a {pattern}")).groups()


def sha256(data: bytes) -> bytes:
    """The hash of bytes."""
    return hashlib.sha256(data).digest()


TYPES: Final[dict[str, Form]] = {
    "text": lambda value: type(value) is str,
    "flag": lambda value: type(value) is bool,
    "object": lambda value: type(value) is dict,
    "count": lambda value: type(value) is int and value >= 0,
}


def form_of(word: str) -> Form:
    """A check that a value has a form: a type, or a pattern of `rules.json`."""
    name = word.removesuffix("|null")
    fits = TYPES.get(name) or (lambda value: type(value) is str and PATTERNS[name](value))
    return fits if name == word else lambda value: value is None or fits(value)


def shape(name: str) -> Form:
    """A check that a value is an object of exactly the members of a form of `rules.json`."""
    forms = {each.removesuffix("?"): form_of(word) for each, word in RULES["forms"][name].items()}
    needed = {member for member in RULES["forms"][name] if not member.endswith("?")}

    def fits(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        right = type(value) is dict and needed <= value.keys() <= forms.keys()
        return right and all(forms[member](each) for member, each in value.items())

    return fits


def line_of(raw: bytes, fits: Form) -> Any:  # noqa: ANN401 - an object of the form
    """The value of a line, or of a file, that has a form; else ValueError."""
    value = parse(raw) if len(raw) <= LIMITS["line"] else refuse("too long")
    return value if fits(value) else refuse("other members or types")


def lines_of(raw: bytes) -> list[bytes]:
    """The lines of a file, each with its newline; ValueError if the last one has none."""
    *lines, rest = raw.split(b"\n")
    return lines if not rest else refuse("no newline at the end")


# --- Section 4: the Merkle tree --------------------------------------------------------------


class Tree:
    """The Merkle tree over leaf hashes, with the root of every size."""

    def __init__(self, leaves: list[bytes]) -> None:
        # Each level has the roots of the perfect subtrees of its height.
        self._levels = [leaves]
        self._roots: dict[int, bytes] = {}
        while len(leaves) > 1:
            pairs = zip(leaves[::2], leaves[1::2], strict=False)
            leaves = [hashlib.sha256(b"\x01" + one + two).digest() for one, two in pairs]
            self._levels.append(leaves)

    def root(self, size: int) -> bytes | None:
        """The root of the first so many leaf hashes, None if there are fewer."""
        if size > len(self._levels[0]) or size in self._roots:
            return self._roots.get(size)
        heights = [height for height in range(size.bit_length()) if size >> height & 1]
        subtrees = [self._levels[height][(size >> height) - 1] for height in heights]
        root = subtrees[0] if subtrees else sha256(b"")
        for left in subtrees[1:]:
            root = sha256(b"\x01" + left + root)
        self._roots[size] = root
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


def admitted(public: bytes) -> bool:
    """Whether section 8 admits the key: in its only form, and not of small order."""
    return len(public) == HASH and not PATTERNS["weak"](public.hex())


def _slow_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    start, scalar = signature[:HASH], int.from_bytes(signature[HASH:], "little")
    challenge = int.from_bytes(hashlib.sha512(start + public + message).digest(), "little") % _L
    point = _decode(public)
    if point is None or scalar >= _L:
        return False
    x, y, z, t = point
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
    return len(signature) == SIGNATURE and admitted(public) and _verify(public, message, signature)


# --- Section 5: notes and checkpoints. What has another form raises ValueError. ----------------


class Key(NamedTuple):
    """A key as signed notes name it: name, key id and public key."""

    name: str
    id: bytes
    public: bytes

    @classmethod
    def of(cls, name: str, type_: int, public: bytes) -> "Key":
        """The key of a type, with the id that it has under this name."""
        return cls(name, sha256(name.encode() + b"\n" + bytes([type_]) + public)[:4], public)

    @classmethod
    def parse(cls, text: str, type_: int) -> "Key":
        """Read a verifier key of a type, which section 8 admits."""
        name, shown, encoded = matched("key", text)
        raw = unbase64(encoded, HASH + 1) or refuse("not a key")
        key = cls.of(name, type_, raw[1:])
        right = raw[0] == type_ and key.id.hex() == shown and admitted(key.public)
        return key if right else refuse("not a verifier key of this type")


class Note(NamedTuple):
    """A C2SP signed-note whose text has a pattern of `rules.json`."""

    text: str
    signatures: list[tuple[str, bytes, bytes]]  # name, key id and bytes
    parts: Sequence[str]  # those of the text that the pattern names; the first is the origin

    @classmethod
    def parse(cls, raw: bytes, pattern: str) -> "Note":
        """Read a checkpoint or a receipt."""
        text, block = matched("note", raw.decode())
        signatures = []
        for line in block.removesuffix("\n").split("\n"):
            name, encoded = matched("signature", line)
            body = unbase64(encoded) or b""
            signatures.append((name, body[:4], body[4:] or refuse("too short")))
        if len(raw) > LIMITS["note"] or len(signatures) > LIMITS["signatures"]:
            refuse("too long")
        return cls(text, signatures, matched(pattern, text))

    def by(self, key: Key) -> list[bytes]:
        """The signatures under the key's name and id."""
        return [body for name, id_, body in self.signatures if (name, id_) == (key.name, key.id)]

    def signed_by(self, key: Key) -> bool:
        """Whether exactly one signature stands under the key's name and id, and it is right."""
        own = self.by(key)
        return len(own) == 1 and ed25519_verify(key.public, self.text.encode(), own[0])

    def times_by(self, key: Key) -> list[int]:
        """The times of the cosignatures under the key's name and id, 0 for a wrong one."""
        times = []
        for body in self.by(key):
            time = min(int.from_bytes(body[:8], "big"), LIMITS["time"] + 1)
            signed = f"cosignature/v1\ntime {time}\n{self.text}".encode()
            right = time <= LIMITS["time"] and ed25519_verify(key.public, signed, body[8:])
            times.append(time if right else 0)
        return times


# --- Section 6: policy and pins --------------------------------------------------------------


def _words(raw: bytes) -> Iterator[list[str]]:
    """The words of each line that has some."""
    text = raw.decode()
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        refuse("a control character")
    for line in text.split("\n"):
        content = line.strip(" \t")
        if content and not content.startswith("#"):
            yield re.split(r"[ \t]+", content)


class Policy:
    """Whom a user trusts for the log. An address behind a key is passed over."""

    def __init__(self, raw: bytes) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum = ""
        for words in _words(raw):
            known = {"none", *self.witnesses, *self.groups}
            match words:
                case ["log", key] | ["log", key, _]:
                    self.logs.append(Key.parse(key, 0x01))
                case ["witness", name, key] | ["witness", name, key, _] if name not in known:
                    self.witnesses[name] = Key.parse(key, 0x04)
                case ["group", name, needed, *members] if name not in known:
                    count = {"all": len(members), "any": 1}.get(needed)
                    count = count or int(*matched("number", needed))
                    right = {*members} <= known - {"none"} and 1 <= count <= len(members)
                    self.groups[name] = (count, members) if right else refuse("not a group")
                case ["quorum", name] if not self.quorum and name in known:
                    self.quorum = name
                case _:
                    refuse("not a line of a policy, or one that contradicts another")
        members = [name for _, names in self.groups.values() for name in names]
        # Under two names, or in two groups, a witness would count twice.
        logs, witnesses = (
            [key.public for key in each] for each in (self.logs, self.witnesses.values())
        )
        for each in (logs, witnesses, members):
            if len(set(each)) < len(each):
                refuse("two with one key, or a member of two groups")
        if not self.logs or not self.quorum:
            refuse("no log, or no quorum")

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
        after = ((time, [word for word in cosigned if cosigned[word] >= time]) for time in times)
        return next((time for time, words in after if self.met_by(words)), None)


class Pins:
    """The keys and verifiers that a user expects."""

    def __init__(self, raw: bytes) -> None:
        self.parties: dict[str, str] = {}
        self.files: list[tuple[str, str]] = []
        for words in _words(raw):
            match words:
                case ["party", party, key] if party not in self.parties and unbase64(key, HASH):
                    self.parties[party] = key
                case ["verifier", digest, name] if PATTERNS["digest"](digest):
                    self.files.append((digest, name))
                case _:
                    refuse("not a line of pins")


# --- Section 1: the container ----------------------------------------------------------------

OF_LOG: Final = frozenset(RULES["files"]["log"])
NEEDED: Final = OF_LOG | set(RULES["files"]["beside"])
_HEADER: Final = struct.Struct("<3H4x3L2H")


def read_container(raw: bytes) -> dict[str, bytes]:
    """The files of a bundle by name: a ZIP in the one form that section 1 gives it.

    The directory and the end are computed from the entries, and compared as bytes.
    """
    require(len(raw) <= LIMITS["packed"], "bag")
    files: dict[str, bytes] = {}
    directory, at, left = [], 0, LIMITS["unpacked"]
    while raw[at : at + 4] == b"PK\x03\x04":
        header, start = raw[at + 4 : at + 30], at + 30
        _, flags, method, crc, packed, size, length, extra = _HEADER.unpack(header)
        name = raw[start : start + length]
        left -= size
        plain = method in {0, 8} and not flags and not extra and name.isascii()
        require(plain and left >= 0 and name.decode() not in files, "bag")
        place = bytes(6) + b"\x00\x00\x80\x01" + at.to_bytes(4, "little")
        directory.append(b"PK\x01\x02\x14\x03" + header + place + name)
        at = start + length + packed
        files[name.decode()] = _unpacked(raw[start + length : at], method, size, crc)
        require(len(files) <= LIMITS["entries"], "bag")
    block, count = b"".join(directory), len(files)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(block), at, 0)
    require(raw[at:] == block + end, "bag")
    return files


def _unpacked(packed: bytes, method: int, size: int, crc: int) -> bytes:
    content = packed
    if method:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        # One byte more than it claims is enough to see that it claims too little.
        content = inflate.decompress(packed, size + 1)
        require(inflate.eof and not inflate.unused_data, "bag")
    require(len(content) == size and zlib.crc32(content) == crc, "bag")
    return content


def check_files(files: dict[str, bytes]) -> None:
    """Check that all files are there, no other, and that the manifest is theirs."""
    payload = files.keys() - {"bagit.txt", "manifest-sha256.txt"}
    require(payload >= NEEDED and len(files) == len(payload) + 2, "bag")
    require(all(PATTERNS["file"](name) for name in payload - NEEDED), "bag")
    require(files["bagit.txt"].decode() == RULES["files"]["bagit"], "bag")
    require(files["manifest-sha256.txt"] == manifest(files, payload), "bag")


def manifest(files: dict[str, bytes], names: Iterable[str]) -> bytes:
    """A line for each of these files: its SHA-256 and its name."""
    return b"".join(f"{sha256(files[name]).hex()}  {name}\n".encode() for name in sorted(names))


# --- Section 7: signed commands ----------------------------------------------------------------

_EVENT: Final = shape("event")
_PAYLOAD: Final = shape("payload")
_SEEN: Final = shape("seen")
_COMMITMENT: Final = PATTERNS["commitment"]
_HIDDEN: Final = re.compile(RULES["patterns"]["withheld"].encode()).fullmatch
KEY_EVENTS: Final = frozenset(
    {"KeyRecovered", "KeyRegistered", "KeyRotated", "KeyRevoked", "SignaturesRequired"}
)


@dataclass
class Command:
    """A signed command that events name; of one that is not there, only these events are known."""

    payload: Row | None = None
    keyid: str = ""
    message: bytes = b""
    signature: bytes = b""
    indexes: list[int] = field(default_factory=list)
    place: int | None = None  # of the last of its events, among those that are shown
    types: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, encoded: str, type_: str, keyid: str, signature: str) -> "Command":
        """Read the parts of a DSSE envelope."""
        raw = unbase64(encoded) or b""
        payload = line_of(raw, _PAYLOAD)
        if payload["seen"] is not None and not _SEEN(payload["seen"]):
            refuse("not what somebody saw")
        message = b"DSSEv1 %d %s %d %s" % (len(type_), type_.encode(), len(raw), raw)
        return cls(payload, keyid, message, unbase64(signature) or b"")


@dataclass
class PartyKey:
    """A key that a party registered, active behind `since` and up to `until`."""

    public: bytes
    since: int
    delegated: list[str] | None  # the kinds of facts that it signs; None for all
    until: int | None = None


# --- The verifier ------------------------------------------------------------------------------


class Brought(NamedTuple):
    """The user's own files, as far as they can be read without the bundle."""

    policy: Policy | None = None
    pins: Pins = Pins(b"")
    seen: Sequence[Note] = ()
    receipts: Sequence[Note] = ()
    not_before: str = ""  # without its `Z`


class Verifier:
    """The checks of one bundle, in the order of section 10."""

    def __init__(self, brought: Brought) -> None:
        self.brought = brought
        self.phase: tuple[str, int | None] = ("bag", None)  # the fault of what has another form
        self.bundle: Row = {}
        self.checked: list[str] = []
        self.not_checked: list[str] = []
        self.events: dict[int, Row] = {}  # those that are shown
        self.times: list[str] = []  # when these were recorded
        self.leaves: list[bytes] = []
        self.streams: dict[str, tuple[int, int]] = {}  # last version, and how many were withheld
        self.cut: int | None = None  # the first event that is withheld as behind the range
        self.not_asked: int | None = None  # the first event that is withheld because of the range
        self.signed = self.time = 0  # the size and the time of the last checkpoint so far
        self.cosigned: dict[str, int] = {}  # the times of its cosignatures, by witness
        self.keys: dict[str, dict[str, PartyKey]] = {}  # by party, by key id
        self.sent: set[str] = set()  # the ids of the keys that the operator sent
        self.required: dict[str, Sequence[object]] = {}  # the kinds that a party requires signed
        self.unpinned = False  # whether the first key of some party is not pinned
        self.caused: tuple[object, int, int] = (None, 0, -1)  # the last cause, place and index
        self.gone: dict[str, tuple[int, str]] = {}  # each erased command's erasure and person
        self.proposed: dict[str, Row] = {}  # the events that can be accepted, by digest of the data
        self.named: dict[str, Command] = {}  # by the digest of the command
        self.used: dict[tuple[str, ...], str] = {}  # nonces and sources with their command
        self.counted: dict[str, list[tuple[Row, str]]] = {}  # what is not checked: data and place
        self.unsigned: list[str] = []

    def count(self, what: str, data: Row | None = None, index: int | None = None) -> None:
        """Count one more of what is not checked, with its data, and its index if that is listed."""
        place = "" if index is None else f" #{index}"
        self.counted.setdefault(what, []).append((data or {}, place))

    def _of(self, type_: str) -> list[Row]:
        return [event for event in self.events.values() if event["type"] == type_]

    def verify(self, raw: bytes) -> None:
        """Check everything; raises `Fault`."""
        self.files = read_container(raw)
        check_files(self.files)
        self.checked.append(f"{len(self.files)} files, each with the hash of the manifest")
        for code, step in (
            ("malformed", self.read_files),
            ("identity", self.check_identity),
            ("malformed", self.read_events),
            ("checkpoint-malformed", self.check_checkpoints),
            ("command-malformed", self.check_events),
            ("quorum", self.check_against_user),
            ("person", self.check_people),
            ("file", self.check_brought),
            ("custody", self.check_custody),
        ):
            self.phase = code, None
            step()

    def read_files(self) -> None:
        """Read every file but the events."""

        def rows(name: str, form: Form) -> list[Any]:
            return [line_of(line, form) for line in lines_of(self.files[f"data/{name}"])]

        (self.bundle,) = rows("bundle.json", shape("bundle"))
        (self.request,) = rows("request.json", shape("request"))
        self.notes = [line["note"] for line in rows("checkpoints.jsonl", shape("checkpoint"))]
        self.people = rows("people.jsonl", shape("person"))
        for name in ("rejected.jsonl", "waiting.jsonl"):
            rows(name, lambda value: isinstance(value, dict))
        lines = lines_of(self.files["data/commands.jsonl"])
        self.commands = {sha256(each).hex(): matched("envelope", each.decode()) for each in lines}
        self.names = {person["commitment"]: person["name"] for person in self.people}
        for each, count in ((self.commands, len(lines)), (self.names, len(self.people))):
            require(len(each) == count and [*each] == sorted(each), "malformed")
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
        self.policy = self.brought.policy or Policy(self.files["data/policy.txt"])
        require(any(key.name == origin for key in self.policy.logs), "identity")
        for digest, name in self.brought.pins.files:
            content = self.files.get(f"data/{name}")
            require(content is not None and sha256(content).hex() == digest, "verifier")
        for note in (*self.brought.seen, *self.brought.receipts):
            key = self.policy.key(origin, note)
            if note.parts[0] != origin or key is None or not note.signed_by(key):
                raise Misuse("a checkpoint or a receipt was not signed by the operator of this log")

    def read_events(self) -> None:
        """Read the events, each compared with the hash that was noted when it was recorded."""
        noted = lines_of(self.files["data/hashes.txt"])
        lines = lines_of(self.files["data/events.jsonl"])
        size, before = self.bundle["size"], ""
        for index, (line, hash_) in enumerate(zip(lines, noted, strict=False)):
            self.phase = "malformed", index
            hidden = _HIDDEN(line)
            leaf = bytes.fromhex(hidden[2].decode()) if hidden else sha256(b"\x00" + line)
            require(leaf.hex().encode() == hash_, "event-altered", index)
            self.leaves.append(leaf)
            if hidden:
                self._withhold(index, hidden[1].decode(), before)
                continue
            event = line_of(line, _EVENT)
            at = event["recorded_at"][:-1]
            right = self._is_here(event) and self._follows(index, event) and before <= at
            require(right and self._is_derived(index, event), "event", index)
            if self.cut is not None and at <= self.request["to"][:-1]:
                raise Fault("event", self.cut)
            self.events[index], before = event, at
            self.times.append(at)
        least = min(len(lines), len(noted), size)
        require(len(lines) == len(noted) == size, "events-missing", least)
        self.indexes = list(self.events)
        self.tree = Tree(self.leaves)
        self.checked.append(f"{size} events: each as it was recorded, none missing")

    def _withhold(self, index: int, why: str, before: str) -> None:
        """Note a withheld event; what was not asked for is outside of the range that was."""
        if why == "range":
            start, end = self.request["from"], self.request["to"]
            begun = start is None or before >= start[:-1]
            require(not begun or end is not None, "event", index)
            self.cut = index if begun and self.cut is None else self.cut
            self.not_asked = index if self.not_asked is None else self.not_asked
        self.count(f"events withheld ({why})")

    def _follows(self, index: int, event: Row) -> bool:
        """Whether no event of its stream is missing before it, unless that may be withheld."""
        hidden = index - len(self.events)
        last, already = self.streams.get(event["stream"], (0, 0))
        self.streams[event["stream"]] = event["stream_version"], hidden
        return bool(0 < event["stream_version"] - last <= 1 + hidden - already)

    def _is_derived(self, index: int, event: Row) -> bool:
        """Whether the id follows from the cause, and from the place among the events of that."""
        cause = event["party"], event["source"], event["source_id"]
        text = "".join(f"{len(each)}:{each}" for each in cause)
        before, last, at = self.caused
        # Events of one cause follow each other, so each that is withheld between takes a place.
        first, end = (last + index - at,) * 2 if cause == before else (0, index - at - 1)
        for place in range(first, end + 1):
            if sha256(f"{text}{place}".encode()).hex()[:32] == event["event_id"]:
                self.caused = cause, place, index
                return True
        return False

    def _is_here(self, event: Row) -> bool:
        own, stream, type_ = self.bundle["partnership"], event["stream"], event["type"]
        ours = event["partnership"] == own and (stream == own or stream.startswith(f"{own}/"))
        return ours and type_ in KINDS and (event["party"] != OPERATOR or type_ in RULES["own"])

    def check_checkpoints(self) -> None:
        """Check signatures, roots and times of the chain of checkpoints."""
        far: list[tuple[int, int, str]] = []
        late, witnessed = (0, 0), 0  # the longest wait for witnesses, and what they have seen
        for line, raw in enumerate(self.notes):
            self.phase = "checkpoint-malformed", line
            note = Note.parse(raw.encode(), "checkpoint")
            origin, size, root = note.parts[0], int(note.parts[1]), unbase64(note.parts[2])
            right = origin == self.bundle["origin"] and self.signed <= size
            require(right, "checkpoint-malformed", line)
            time = self._check_signatures(note, size)
            require(self.time <= time, "checkpoint-signature", size)
            require(self.tree.root(size) == root, "checkpoint-root", size)
            self._check_time(size, time)
            self.signed, self.time = size, time
            if (seen := self.policy.witnessed(self.cosigned)) is not None:
                first = bisect_left(self.indexes, witnessed)
                for index in self.indexes[first : first + 1] if witnessed < size else ():
                    recorded = datetime.fromisoformat(f"{self.times[first][:19]}+00:00")
                    late = max(late, (seen - int(recorded.timestamp()), -index))
                witnessed = size
            for word, other in self.cosigned.items():
                text = f"{instant_of(time)}Z by the log, {instant_of(other)}Z by {word})"
                gap = abs(other - time)
                far += [(gap, size, text)] if gap > LIMITS["skew"] else []
        require(self.signed == self.bundle["size"], "checkpoint-malformed", self.bundle["size"])
        self.checked.append(f"{len(self.notes)} checkpoints: signatures, roots and times")
        if late[0] > LIMITS["skew"]:
            self.not_checked.append(
                f"when events were recorded: #{-late[1]} was witnessed {late[0]} s after its time"
            )
        if far:
            gap, size, text = max(far, key=lambda each: each[0])
            self.not_checked.append(
                f"when events were recorded: {len({each[1] for each in far})} checkpoints and "
                f"their cosignatures are more than {LIMITS['skew']} s apart, at most {gap} s (the "
                f"checkpoint of {size} events: {text}"
            )

    def _check_signatures(self, note: Note, size: int) -> int:
        """Check every signature that the policy names, and note the cosignatures; give the time."""
        key = require(self.policy.key(note.parts[0], note), "checkpoint-signature", size)
        require(note.signed_by(key), "checkpoint-signature", size)
        own = note.times_by(Key.of(key.name, 0x04, key.public))
        require(len(own) == 1 and own[0], "checkpoint-signature", size)
        self.cosigned = {}
        for word, witness in self.policy.witnesses.items():
            times = note.times_by(witness)
            require(all(times), "checkpoint-signature", size)
            self.cosigned.update({word: max(times)} if times else {})
        return own[0]

    def _check_time(self, size: int, time: int) -> None:
        # Times never fall, so the events beside the end of the checkpoint speak for all others.
        behind = bisect_left(self.indexes, size)
        if behind and self.times[behind - 1] > instant_of(time + LIMITS["skew"]):
            raise Fault("checkpoint-time", self.indexes[behind - 1])
        later = self.times[behind : behind + 1]
        if later and later[0] < instant_of(time - LIMITS["skew"]):
            raise Fault("checkpoint-time", self.indexes[behind])

    # --- section 7: who signed what ---

    def check_events(self) -> None:
        """Check the keys of the parties, and every event against the command that names it."""
        for place, (index, event) in enumerate(self.events.items()):
            self.phase = "command-malformed", index
            if event["type"] in KEY_EVENTS:
                self._take_key(index, event)
            elif event["type"] == "PersonErased":
                self._take_erasure(index, event["data"])
            if "signed" in event:
                self._check_signed(place, index, event)
            else:
                self._check_unsigned(index, event)
            if event["type"] in PROPOSALS:
                self.proposed[sha256(canonical(event["data"])).hex()] = event
        for digest, each in self.named.items():
            if each.payload is None:
                self._check_erased(digest, each.indexes)
        require(self.named.keys() >= self.commands.keys(), "command-unused")
        require(self.keys.keys() >= self.brought.pins.parties.keys(), "key-unknown")
        self.checked.append(f"{len(self.commands)} signed commands, and the events that they yield")
        self.not_checked += self.unsigned
        for what, found in sorted(self.counted.items()):
            indexes = "".join(place for _, place in found)
            amounts = total([data for data, _ in found])
            self.not_checked.append(f"{len(found)} {what}{indexes}{amounts}")

    def _take_erasure(self, index: int, data: Row) -> None:
        """Note whose name an event erases, and which commands with it."""
        person, gone = text_of(data.get("person")), data.get("commands")
        require(isinstance(gone, list), "command-malformed", index)
        for digest in gone or ():
            self.gone.setdefault(text_of(digest), (index, person))

    def _check_erased(self, digest: str, indexes: list[int]) -> None:
        """Check that a command that is not there was erased with a person, and that it was one."""
        events, index = [self.events[at] for at in indexes], indexes[0]
        shown = [
            [each["actor"], *(each["data"].get(name) for name in PEOPLE.get(each["type"], ()))]
            for each in events
        ]
        named = re.findall(RULES["patterns"]["commitment"], canonical(shown).decode())
        erasure, person = self.gone.get(digest, (-1, ""))
        require(erasure > indexes[-1] and person in named, "command-missing", index)
        causes = {(each["party"], each["source"], each["source_id"]) for each in events}
        types = [each["type"] for each in events]
        yields = any(
            all(types.count(name) == 1 or rule["events"].get(name, name) is None for name in types)
            and rule["events"].keys() >= set(types)
            for rule in COMMANDS.values()
        )
        require(len(causes) == 1 and yields, "command-yields", index)
        for at, event in zip(indexes, events, strict=True):
            if KINDS[event["type"]] in BINDING:
                text = f"#{at} {event['type']} by {event['party']}: its command was erased"
                self.unsigned.append(f"{text} with a person{total([event['data']])}")
            else:
                self.count("events whose command was erased with a person", event["data"])

    def _check_unsigned(self, index: int, event: Row) -> None:
        type_, party, data = event["type"], event["party"], event["data"]
        kind = KINDS[type_]
        if kind in BINDING or kind in self.required.get(party, ()):
            keys = [key for party_ in self.keys for key in self.keys[party_].values()]
            own = [] if kind == "erases" else [*self.keys.get(party, {}).values()]
            had_key = any(key.since < index for key in own) if kind == "binds" else bool(keys)
            settled = type_ in RULES["statements"] and event["source"] == "accord:settle"
            require(not had_key or settled, "command-missing", index)
            self.unsigned.append(f"#{index} {type_} by {party}: not signed{total([data])}")
        elif type_ == "KeySentByOperator":
            name = text_of(data.get("party"))
            self.sent.add(text_of(data.get("keyid")))
            self.unsigned.append(f"#{index} the operator itself sent a key of {name}")
        elif kind in RULES["facts"]:
            self.count(f"facts that nobody signed ({kind})", data)
        elif party == OPERATOR:
            self.count("events of the clock, of rules and of the operator")
        else:
            self.count("other events that nobody signed; none binds")

    def _take_key(self, index: int, event: Row) -> None:
        data, party, type_ = event["data"], event["party"], event["type"]
        if type_ == "KeyRecovered":
            party = self._recover(index, event)
        own = self.keys.setdefault(party, {})
        if type_ == "KeyRevoked":
            self._close(index, own, data.get("keyid"))
            return
        if type_ == "SignaturesRequired":
            require(isinstance(data.get("kinds"), list), "key-unknown", index)
            self.required[party] = data["kinds"]
            return
        text = text_of(data.get("key"))
        public = unbase64(text, HASH) or b""
        require(admitted(public), "key-weak", index)
        claim = f"accord/key@v1\n{self.bundle['partnership']}\n{party}\n{text}\n".encode()
        proof = unbase64(data.get("proof"), SIGNATURE) or b""
        require(ed25519_verify(public, claim, proof), "key-proof", index)
        keyid = sha256(public).hex()[:16]
        require(not any(keyid in keys for keys in self.keys.values()), "key-unknown", index)
        if not own:
            pinned = self.brought.pins.parties.get(party)
            require(pinned in {None, text}, "key-unknown", index)
            self.unpinned |= pinned is None
            where, how = (self.checked, "as") if pinned else (self.not_checked, "not")
            where.append(f"#{index} first key of {party}: {how} pinned")
        delegated = data.get("delegated")
        require(delegated is None or isinstance(delegated, list), "key-unknown", index)
        if type_ == "KeyRotated":
            delegated = self._close(index, own, data.get("replaces")).delegated
        own[keyid] = PartyKey(public, index, delegated)

    def _recover(self, index: int, event: Row) -> str:
        """End every key of the party whose new key the event's own party agrees; return it."""
        party, author = text_of(event["data"].get("party")), event["party"]
        lost = self.keys.get(party, {})
        require(lost and party != author, "key-unknown", index)
        require("signed" in event, "command-missing", index)
        for key in lost.values():
            key.until = index if key.until is None else key.until
        self.unsigned.append(f"#{index} the new key of {party}: {author} agreed it in its place")
        return party

    @staticmethod
    def _close(index: int, keys: dict[str, PartyKey], keyid: object) -> PartyKey:
        key = require(keys.get(text_of(keyid)), "key-unknown", index)
        require(key.until is None, "key-unknown", index)
        key.until = index
        return key

    def _check_signed(self, place: int, index: int, event: Row) -> None:
        digest = event["signed"]
        if digest not in self.named:
            envelope = self.commands.get(digest)
            self.named[digest] = Command.parse(*envelope) if envelope else Command()
        command = self.named[digest]
        require(command.place in {None, place - 1}, "command-replayed", index)
        if command.payload is None:
            # The command of a key is never erased: all other signatures rest on it.
            require(event["type"] not in KEY_EVENTS, "command-missing", index)
        else:
            self._check_command(index, event, command, command.payload)
            self._check_yield(index, event, command, command.payload)
        command.place = place
        command.indexes.append(index)

    def _check_command(self, index: int, event: Row, command: Command, payload: Row) -> None:
        """Check that its party signed the command for this event, and for no other."""
        party, asked, name = event["party"], payload["event"], self.bundle["partnership"]
        here = payload["origin"] == self.bundle["origin"]
        here = here and payload["partnership"] == asked.get("subject") == name
        here = here and payload["party"] == asked.get("party") == party
        require(here and payload["type"] == asked.get("type"), "command-elsewhere", index)
        key = require(self.keys.get(party, {}).get(command.keyid), "command-key", index)
        # A key signs its own registration only where the party has no other.
        alone = key.since == index and len(self.keys[party]) == 1
        active = (key.since < index or alone) and key.until in {None, index}
        delegated = key.delegated is None or KINDS[event["type"]] in key.delegated
        # Else the operator alone could replace the keys of both parties.
        own = event["type"] != "KeyRecovered" or command.keyid not in self.sent
        require(active and delegated and own, "command-key", index)
        if command.place is None:
            right = ed25519_verify(key.public, command.message, command.signature)
            require(right, "command-signature", index)
        source, id_ = event["source"], event["source_id"]
        for use in ((party, payload["nonce"]), (party, source, id_)):
            once = self.used.setdefault(use, event["signed"]) == event["signed"]
            require(once, "command-replayed", index)
        own = asked.get("source") == source and asked.get("id") == id_
        require(own, "command-replayed", index)
        require(event["recorded_at"][:-1] <= payload["expires"][:-1], "command-expired", index)
        if payload["expected"] is not None:
            text = "".join(f"{len(each)}:{each}" for each in (party, source, id_))
            start = event["event_id"] == sha256(f"{text}0".encode()).hex()[:32]
            expected = payload["expected"] == event["stream_version"] - 1
            require(expected or not start, "command-version", index)
        if payload["seen"] is not None:
            size, root = payload["seen"]["size"], unbase64(payload["seen"]["root"])
            right = size <= index and self.tree.root(size) == root
            require(right, "command-seen", index)
        actor = alike(event["actor"], asked.get("actor", ""), self.names)
        require(actor and event["occurred_at"] == asked.get("time"), "command-differs", index)
        for member in ("causation", "correlation"):
            same = event.get(f"{member}_id") == asked.get(f"{member}id")
            require(same, "command-differs", index)

    def _check_yield(self, index: int, event: Row, command: Command, payload: Row) -> None:
        """Check that the command yields the event, and how each of its members follows."""
        type_, types, data = event["type"], command.types, event["data"]
        name = payload["type"].removeprefix("accord.")
        signed: Row = payload["event"].get("data", {})
        require(isinstance(signed, dict), "command-malformed", index)
        rule, accepts = COMMANDS.get(name, {}), COMMANDS.get(name, {}).get("accepts")
        accepted: Row | None = {}
        if name == "ConfirmAct" and type_ != "ActConfirmed":
            # A second person does what the first one did, and accepts what that one accepted.
            held = self._accepted(index, signed, act=True)
            if held is None:
                return
            signed = held["data"] if isinstance(held.get("data"), dict) else {}
            rule, accepts = COMMANDS.get(text_of(held.get("command")), {}), False
            accepted = self.proposed.get(text_of(signed.get("content")), {}).get("data", {})
        added = rule.get("events", {}).get(type_, type_)
        require(added != type_, "command-yields", index)
        types.append(type_)
        if accepts:
            accepted = self._accepted(index, signed, act=name == "ConfirmAct")
        if type_ == "SecondPersonAsked":
            signed = {"command": name, "data": signed}
        if added is None:
            self.count(f"{type_} not compared with what was signed:", data, index)
        if added is None or accepted is None:
            return
        require(types.count(type_) == 1, "command-yields", index)
        # A member that was signed or accepted, and is left out, has the value null.
        for member in sorted({*data, *MEMBERS[type_]}):
            names = self.names if member in PEOPLE.get(type_, ()) else None
            value = data.get(member)
            if member in signed:
                require(alike(value, signed[member], names), "command-differs", index)
            elif member in accepted:
                require(alike(value, accepted[member], names), "command-content", index)
            else:
                require(member not in data or member in added, "command-differs", index)

    def _accepted(self, index: int, signed: Row, *, act: bool) -> Row | None:
        """What a signed acceptance accepts; None if that may be withheld for its range.

        It is the data of an act that awaits a second person, or of a proposal to the other party.
        """
        content = text_of(signed.get("content"))
        found = self.proposed.get(content)
        if found is None:
            hidden = self.not_asked is not None and self.not_asked < index
            require(hidden and PATTERNS["digest"](content), "command-content", index)
            resting = self.events[index]["data"]
            self.count("events that rest on what was not asked for:", resting, index)
            return None
        require(act == (found["type"] == "SecondPersonAsked"), "command-content", index)
        data: Row = found["data"]
        return data

    def check_against_user(self) -> None:
        """Check the log against what the user saw before and asks for."""
        size = self.bundle["size"]
        for seen in self.brought.seen:
            number, root = int(seen.parts[1]), unbase64(seen.parts[2])
            require(number <= size, "stale", number)
            require(self.tree.root(number) == root, "fork", number)
        require(self.policy.met_by(self.cosigned), "quorum", size)
        reached = instant_of(self.policy.witnessed(self.cosigned) or self.time)
        require(self.brought.not_before <= reached, "stale", size)
        for receipt in self.brought.receipts:
            _, first, leaves, deadline = receipt.parts
            due = max(instant_of(self.time), reached) >= deadline[:-1]
            for index, leaf in enumerate(re.findall("leaf (.*)\n", leaves), int(first)):
                here = self.leaves[index] == unbase64(leaf) if index < size else not due
                require(here, "receipt", index)
        if self.policy.quorum == "none":
            self.not_checked.append("whether others are shown another history: no witness is asked")
        else:
            count = len(self.cosigned)
            self.checked.append(f"the quorum: {count} witnesses cosigned the last checkpoint")

    def check_people(self) -> None:
        """Check that each name gives its commitment, and that an event shown has this."""
        shown = self.files["data/events.jsonl"].decode()
        known = set(re.findall(f'"({RULES["patterns"]["commitment"]})"', shown))
        for person in self.people:
            text = f"{self.bundle['partnership']}\n{person['salt']}\n{person['name']}"
            digest = sha256(f"accord/person@v1\n{text}".encode()).hex()
            right = person["commitment"] == f"person:{digest}" and person["commitment"] in known
            require(right, "person")
        self.checked.append(f"{len(self.people)} names of people")
        untold = known - self.names.keys()
        gone = {text_of(event["data"].get("person")) for event in self._of("PersonErased")}
        erased = len(untold & gone)
        if erased:
            self.not_checked.append(f"{erased} people whose names were erased")
        if len(untold) > erased:
            count = len(untold) - erased
            self.not_checked.append(f"{count} people whose names are not in the bundle")

    def check_brought(self) -> None:
        """Check that each file in the bundle is one that an event shown names by its digest."""
        digest = RULES["patterns"]["digest"]
        shown = self.files["data/events.jsonl"].decode()
        named = set(re.findall(f'"sha256":"({digest})"', shown))
        brought = {name[-64:] for name in self.files if name.startswith("data/files/")}
        for name in brought:
            right = name in named and sha256(self.files[f"data/files/{name}"]).hex() == name
            require(right, "file")
        if named:
            self.checked.append(f"{len(brought)} files that events name by their digest")
        if missing := len(named - brought):
            self.not_checked.append(f"{missing} files that events name are not in the bundle")

    def check_custody(self) -> None:
        """Check that the log has this export, with the digest of what is beside the log."""
        names = [each for each in self.files.keys() - OF_LOG if each.startswith("data/")]
        beside = [name for name in names if not name.startswith("data/proofs/")]
        digest = sha256(manifest(self.files, beside)).hex()
        asked = {"files": digest, "party": self.request["for"], "reason": self.request["reason"]}
        exports = [each for each in self._of("BundleExported") if each["party"] == OPERATOR]
        found = [{name: each["data"].get(name) for name in asked} for each in exports]
        require(asked in found, "custody")
        self.checked.append("the export: the log has it, with all that is beside the log")
        for ending, what in ((".tsr", "time stamps (RFC 3161)"), (".tlog-proof", "proofs")):
            if count := sum(name.endswith(ending) for name in self.files):
                self.not_checked.append(f"{count} {what}")
        self.not_checked += RULES["never"]


def alike(recorded: object, meant: object, names: dict[str, str] | None) -> bool:
    """Whether what was recorded is what was meant: a commitment may be of any name not known.

    Without `names`, no commitment may be in the place of a name.
    """
    if isinstance(recorded, str):
        if names is None or not isinstance(meant, str) or not _COMMITMENT(recorded):
            return recorded == meant
        return meant in {recorded, names.get(recorded, meant)}
    if isinstance(recorded, dict) and isinstance(meant, dict):
        return recorded.keys() == meant.keys() and all(
            alike(value, meant[name], names) for name, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(meant, list):
        pairs = zip(recorded, meant, strict=False)
        return len(recorded) == len(meant) and all(alike(*pair, names) for pair in pairs)
    return type(recorded) is type(meant) and recorded == meant


def moneys(value: object) -> Iterator[Row]:
    """Yield each object at any depth that has an `amount` that is no object itself."""
    if isinstance(value, dict) and not isinstance(value.get("amount", {}), dict):
        yield value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from moneys(each)


def total(found: list[Row]) -> str:
    """The sums of the amounts in these data, by currency and sign, as text."""
    amounts: dict[str, Decimal] = {}
    odd = 0
    with localcontext(prec=100):
        for money in (each for data in found for each in moneys([*data.values()])):
            amount, currency = text_of(money["amount"]), text_of(money.get("currency"))
            if PATTERNS["amount"](amount) and PATTERNS["currency"](currency):
                # One sum of both signs would hide what cancels out.
                key = f"{currency}-" if amount.startswith("-") else currency
                amounts[key] = amounts.get(key, Decimal()) + Decimal(amount)
            else:
                odd += 1
    sums = "".join(f", {amount:f} {key[:3]}" for key, amount in sorted(amounts.items()))
    return f"{sums}, {odd} amounts not understood" if odd else sums


# --- Section 10: what a verifier says -----------------------------------------------------------

VERDICTS: Final = {"RECORD VERIFIED": 0, "CONSISTENT, NOT PINNED": 4, "FAULT": 3}


def verify(raw: bytes, brought: Brought) -> Row:
    """What a verifier says of the bytes of a bundle: the object that `--json` prints.

    Raises:
        Misuse: a file of the user's was not signed by the operator of the log.
    """
    verifier, fault, collects = Verifier(brought), None, gc.isenabled()
    gc.disable()  # It makes no cycles of objects, and the search for them takes long.
    try:
        verifier.verify(raw)
    except Fault as found:
        fault = found
    except Misuse:
        raise
    except Exception:  # noqa: BLE001 - section 10: no input makes a verifier crash
        fault = Fault(*verifier.phase)
    finally:
        gc.enable() if collects else None
    signed = bool(verifier.keys) and not verifier.unpinned
    pinned = fault is None and brought.policy is not None and signed
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


def contents(path: Path) -> bytes:
    """The bytes of a file of the user's, unless it is larger than a bundle can be."""
    try:
        return path.read_bytes() if path.stat().st_size <= LIMITS["packed"] else refuse("too long")
    except (OSError, ValueError) as error:
        raise Misuse(f"{path} cannot be read: {error}") from None


def understood(read: Callable[[bytes], T], path: Path) -> T:
    """What a file of the user's says."""
    try:
        return read(contents(path))
    except ValueError as error:
        raise Misuse(f"{path} cannot be understood: {error}") from None


def bring(
    policy: Path | None = None,
    pins: Path | None = None,
    seen: Sequence[Path] = (),
    receipts: Sequence[Path] = (),
    not_before: str | None = None,
) -> Brought:
    """What the user brings; raises `Misuse` for what cannot be read or understood."""
    if not_before is not None and not PATTERNS["moment"](not_before):
        raise Misuse(f"{not_before} is no moment such as 2026-01-31T09:00:00Z")
    return Brought(
        understood(Policy, policy) if policy else None,
        understood(Pins, pins) if pins else Pins(b""),
        [understood(lambda raw: Note.parse(raw, "checkpoint"), path) for path in seen],
        [understood(lambda raw: Note.parse(raw, "receipt"), path) for path in receipts],
        (not_before or "")[:-1],
    )


def _as_text(result: Row) -> str:
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
    bundle, as_json, receipts = (given.pop(name) for name in ("bundle", "json", "receipt"))
    try:
        result = verify(contents(bundle), bring(**given, receipts=receipts))
    except Misuse as misuse:
        sys.stderr.write(f"verify: {misuse}\n")
        return 2
    sys.stdout.write(_write(result) + "\n" if as_json else _as_text(result))
    return VERDICTS[result["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
