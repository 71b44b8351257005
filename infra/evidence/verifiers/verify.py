# ruff: noqa: INP001 - it is run and copied as a file, so it belongs to no package.
"""Verify an Accord evidence bundle offline, with nothing but Python 3.11 and `rules.json`.

    python verify.py FILE.zip [--policy FILE] [--pins FILE] [--seen FILE]... [--receipt FILE]...
                     [--not-before MOMENT] [--json]

`FORMAT.md` says what is checked; "section" below means a section of that page. `rules.json` must be
beside this file. `accord audit replay` says what follows. With `cryptography` it is faster.
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
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache, partial, reduce
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
PROPOSALS: Final = frozenset(RULES["proposals"])
OPERATOR: Final = "accord"  # the party of what the clock, agreed rules and the operator record
HASH: Final = 32  # bytes of SHA-256, and of a key


class Fault(Exception):
    """Why a bundle is refused; its arguments are a code of section 10, and an index or None."""


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


# --- Section 2: JSON, moments, base64 ---
@lru_cache(1024)
def _whole(text: str) -> int:
    return int(text) if abs(int(text)) < 1 << 53 else refuse(text)


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


def unbase64(value: object, size: int | None = None) -> bytes:
    """The bytes of base64 in its only form, and of that size if one is given; else none."""
    try:
        raw = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else b""
    except ValueError:
        return b""
    same = binascii.b2a_base64(raw, newline=False).decode() == value
    return raw if same and size in {None, len(raw)} else b""


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
    "text": str.__instancecheck__,
    "flag": bool.__instancecheck__,
    "object": dict.__instancecheck__,
    "count": lambda value: type(value) is int and value >= 0,
}


def shape(word: str) -> Form:
    """A check that a value has a type, or a pattern or a form of `rules.json`."""
    name = word.removesuffix("|null")
    fits = TYPES.get(name) or (lambda value: type(value) is str and PATTERNS[name](value))
    if members := RULES["forms"].get(name):
        forms = {member.removesuffix("?"): shape(each) for member, each in members.items()}
        needed = forms.keys() & members.keys()

        def fits(value: Any) -> bool:  # noqa: ANN401 - any JSON value
            right = type(value) is dict and needed <= value.keys() <= forms.keys()
            return right and all(forms[each](inner) for each, inner in value.items())

    return fits if name == word else lambda value: value is None or fits(value)


def line_of(raw: bytes, fits: Form) -> Any:  # noqa: ANN401 - an object of the form
    """The value of a line, or of a file, that has a form; else ValueError."""
    value = parse(raw) if len(raw) <= LIMITS["line"] else refuse("too long")
    return value if fits(value) else refuse("other members or types")


def lines_of(raw: bytes) -> list[bytes]:
    """The lines of a file, each with its newline; ValueError if the last one has none."""
    *lines, rest = raw.split(b"\n")
    return lines if not rest else refuse("no newline at the end")


# --- Section 4: the Merkle tree ---
class Tree:
    """The Merkle tree over leaf hashes (RFC 6962 section 2.1), with the root of every size."""

    def __init__(self, leaves: list[bytes]) -> None:
        self._levels = [leaves]  # the roots of the full trees over 1, 2, 4 ... leaves
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([sha256(b"\x01" + left + right) for left, right in pairs])

    def is_root(self, size: int, root: str) -> bool:
        """Whether the first so many leaf hashes are there, and have this root in base64."""
        if size > len(self._levels[0]):
            return False
        # There is a full tree for each bit of the size, the smallest on the right.
        full = [level[(size >> at) - 1] for at, level in enumerate(self._levels) if size >> at & 1]
        found = reduce(lambda right, left: sha256(b"\x01" + left + right), full or [sha256(b"")])
        return found == unbase64(root)


# --- Section 8: Ed25519 ---
Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z and T, where x = X/Z, xy = T/Z

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * _D * one[3] * other[3] % _P, 2 * one[2] * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    if not scalar:
        return 0, 1, 1, 0
    rest = _times(scalar >> 1, _add(point, point))
    return _add(rest, point) if scalar & 1 else rest


def _decode(raw: bytes) -> Point:
    """The point of 32 bytes (RFC 8032 section 5.1.3); ValueError if they are no point's."""
    value = int.from_bytes(raw, "little")
    y, odd = value & (2**255 - 1), value >> 255
    u, v = y * y - 1, _D * y * y + 1
    x = u * v**3 * pow(u * v**7, (_P - 5) // 8, _P) % _P
    if (v * x * x + u) % _P == 0:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if y >= _P or (v * x * x - u) % _P or (x == 0 and odd):
        refuse("no point's only form")
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


_BASE: Final = _decode(bytes.fromhex("58" + "66" * 31))


def _slow_verify(public: bytes, message: bytes, signature: bytes) -> None:
    start, scalar = signature[:HASH], int.from_bytes(signature[HASH:], "little")
    challenge = int.from_bytes(hashlib.sha512(start + public + message).digest(), "little") % _L
    x, y, z, t = _decode(public)
    x, y, z, _ = _add(_times(scalar, _BASE), _times(challenge, (-x % _P, y, z, -t % _P)))
    # To encode the point that R must be, and compare bytes, refuses every other form of R too.
    inverse = pow(z, -1, _P)
    point = ((x * inverse % _P & 1) << 255 | y * inverse % _P).to_bytes(HASH, "little")
    if scalar >= _L or point != start:
        refuse("a wrong signature")


try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    _key: Callable[[bytes], Ed25519PublicKey] | None
    _key = lru_cache(4096)(Ed25519PublicKey.from_public_bytes)
except Exception:  # noqa: BLE001 - whatever is wrong with it, there is another way
    _key = None


def admitted(public: bytes) -> bool:
    """Whether section 8 admits the key: in its only form, and not of small order."""
    return len(public) == HASH and not PATTERNS["weak"](public.hex())


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is right by the strict rules of section 8."""
    try:
        if _key:
            _key(public).verify(signature, message)
        else:
            _slow_verify(public, message, signature)
    except Exception:  # noqa: BLE001 - each way raises what it pleases
        return False
    return len(signature) == 2 * HASH and admitted(public)


# --- Section 5: notes and checkpoints. What has another form raises ValueError. ---
class Key(NamedTuple):
    """A key as signed notes name it: name, type, key id and public key."""

    name: str
    type: int
    id: bytes
    public: bytes

    @classmethod
    def of(cls, name: str, type_: int, public: bytes) -> "Key":
        """The key of a type, with the id that it has under this name."""
        return cls(name, type_, sha256(f"{name}\n".encode() + bytes([type_]) + public)[:4], public)

    @classmethod
    def parse(cls, text: str, type_: int) -> "Key":
        """Read a verifier key of a type, which section 8 admits."""
        name, shown, encoded = matched("key", text)
        raw = unbase64(encoded, HASH + 1) or refuse("not a key")
        key = cls.of(name, raw[0], raw[1:])
        right = (key.type, key.id.hex()) == (type_, shown) and admitted(key.public)
        return key if right else refuse("not a verifier key of this type")


class Note(NamedTuple):
    """A C2SP signed-note whose text has a pattern of `rules.json`."""

    text: str
    signatures: list[tuple[str, bytes, bytes]]  # name, key id and bytes
    parts: Sequence[str]  # those of the text that the pattern names; the first is the origin

    @classmethod
    def parse(cls, pattern: str, raw: bytes) -> "Note":
        """Read a checkpoint or a receipt."""
        text, block = matched("note", raw.decode())
        signatures = []
        for line in block.removesuffix("\n").split("\n"):
            name, encoded = matched("signature", line)
            body = unbase64(encoded)
            signatures.append((name, body[:4], body[4:] or refuse("too short")))
        if len(raw) > LIMITS["note"] or len(signatures) > LIMITS["signatures"]:
            refuse("too long")
        return cls(text, signatures, matched(pattern, text))

    def times_by(self, key: Key) -> list[int]:
        """The times of the signatures under the key's name and id: 0 if wrong, 1 if it has none."""
        times = []
        for name, id_, body in self.signatures:
            if (name, id_) == (key.name, key.id):
                time, start, signature = 1, "", body
                if key.type != 0x01:
                    time, signature = int.from_bytes(body[:8], "big"), body[8:]
                    start = f"cosignature/v1\ntime {time}\n"
                right = ed25519_verify(key.public, f"{start}{self.text}".encode(), signature)
                times.append(time if right and time <= LIMITS["time"] else 0)
        return times


# --- Section 6: policy and pins ---
def _words(raw: bytes) -> Iterator[list[str]]:
    """The words of each line that has some."""
    text = raw.decode()
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        refuse("a control character")
    lines = (line.strip(" \t") for line in text.split("\n"))
    return (re.split(r"[ \t]+", line) for line in lines if line and not line.startswith("#"))


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
        keys = [(key.type, key.public) for key in (*self.logs, *self.witnesses.values())]
        # Under two names, or in two groups, a witness would count twice.
        once = [*keys, *(name for _, names in self.groups.values() for name in names)]
        if len({*once}) < len(once) or not self.logs or not self.quorum:
            refuse("two with one key, a member of two groups, no log, or no quorum")

    def key(self, origin: str, note: Note) -> Key | None:
        """The log's key of an origin by which the note has exactly one signature, a right one."""
        own = (key for key in self.logs if key.name == origin)
        return next((key for key in own if note.times_by(key) == [1]), None)

    def witnessed(self, cosigned: dict[str, int], sign: int = 1) -> int | None:
        """The last second since when cosignatures meet the quorum; the first by when, if -1."""
        for time in sorted(cosigned.values(), reverse=sign > 0):
            met = {word for word in cosigned if sign * cosigned[word] >= sign * time}
            for word, (needed, members) in self.groups.items():
                met |= {word} if sum(name in met for name in members) >= needed else set()
            if self.quorum in met:
                return time
        return None


def read_pins(raw: bytes) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The keys that a user expects, by party, and the digests of verifiers, with their names."""
    pins = [matched("pin", " ".join(words)) for words in _words(raw)]
    parties = [(party, key) for party, key, _, _ in pins if party]
    if len(dict(parties)) < len(parties):
        refuse("two keys of a party")
    return dict(parties), [(digest, name) for _, _, digest, name in pins if digest]


# --- Section 1: the container ---
NEEDED: Final = frozenset(RULES["files"]["needed"])


def read_container(raw: bytes) -> dict[str, bytes]:
    """The files of a bundle by name: a ZIP in the one form that section 1 gives it."""
    require(len(raw) <= LIMITS["packed"], "bag")
    files: dict[str, bytes] = {}
    directory, at, left = [], 0, LIMITS["unpacked"]
    while raw[at : at + 4] == b"PK\x03\x04":
        header, start = raw[at + 4 : at + 30], at + 30
        _, flags, method, crc, packed, size, length, extra = struct.unpack("<3H4x3L2H", header)
        name = raw[start : start + length]
        left -= size
        plain = method in {0, 8} and not flags and not extra and name.isascii()
        fits = left >= 0 and len(files) < LIMITS["entries"]
        require(plain and fits and name.decode() not in files, "bag")
        place = bytes(6) + b"\x00\x00\x80\x01" + at.to_bytes(4, "little")
        directory.append(b"PK\x01\x02\x14\x03" + header + place + name)
        at = start + length + packed
        content = raw[start + length : at]
        if method:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            # One byte more than it claims is enough to see that it claims too little.
            content = inflate.decompress(content, size + 1)
            require(inflate.eof and not inflate.unused_data, "bag")
        require(len(content) == size and zlib.crc32(content) == crc, "bag")
        files[name.decode()] = content
    # The directory and the end follow from the entries, and are compared as bytes.
    block, count = b"".join(directory), len(files)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(block), at, 0)
    require(raw[at:] == block + end, "bag")
    return files


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


# --- Section 7: signed commands ---
Command = tuple[Row, str, bytes, bytes]

_EVENT, _PAYLOAD = shape("event"), shape("payload")
_COMMITMENT: Final = PATTERNS["commitment"]
_HIDDEN: Final = re.compile(RULES["patterns"]["withheld"].encode()).fullmatch


def parse_command(encoded: str, type_: str, keyid: str, signature: str) -> Command:
    """The payload, the id of its key, what was signed, and the signature, of a DSSE envelope."""
    raw = unbase64(encoded)
    message = b"DSSEv1 %d %s %d %s" % (len(type_), type_.encode(), len(raw), raw)
    return line_of(raw, _PAYLOAD), keyid, message, unbase64(signature)


def cause_of(event: Row) -> str:
    """What an event follows from; the events of one cause have places from 0."""
    party, source, source_id = event["party"], event["source"], event["source_id"]
    return f"{len(party)}:{party}{len(source)}:{source}{len(source_id)}:{source_id}"


def id_of(cause: str, place: int) -> str:
    """The identifier of the event that has this place among those of a cause."""
    return sha256(f"{cause}{place}".encode()).hex()[:32]


def may_yield(rule: Row, type_: str, events: Iterable[Row]) -> bool:
    """Whether a command with this rule yields a type, and once, as one of these events."""
    yields: Row = rule.get("events", {})
    types = (each["type"] for each in events)
    return type_ in yields and (yields[type_] is None or [*types].count(type_) == 1)


# --- The verifier ---
def contents(path: Path, read: Callable[[bytes], T]) -> T:
    """What a file of the user's says, unless it is larger than a bundle can be."""
    try:
        raw = path.read_bytes() if path.stat().st_size <= LIMITS["packed"] else refuse("too long")
        return read(raw)
    except (OSError, ValueError) as error:
        raise Misuse(f"{path} cannot be read: {error}") from None


class Verifier:
    """The checks of one bundle, in the order of section 10."""

    def __init__(
        self,
        policy: Path | None = None,
        pins: Path | None = None,
        seen: Iterable[Path] = (),
        receipts: Iterable[Path] = (),
        not_before: str | None = None,
    ) -> None:
        self.asked = contents(policy, Policy) if policy else None
        self.pins, self.pinned = contents(pins, read_pins) if pins else ({}, [])
        self.seen = [contents(path, partial(Note.parse, "checkpoint")) for path in seen]
        self.receipts = [contents(path, partial(Note.parse, "receipt")) for path in receipts]
        self.not_before = (not_before or "")[:-1]
        if not_before is not None and not PATTERNS["moment"](not_before):
            raise Misuse(f"{not_before} is no moment such as 2026-01-31T09:00:00Z")
        self.phase: tuple[str, int | None] = ("bag", None)  # the fault of what has another form
        self.bundle: Row = {}
        self.not_checked: list[str] = []
        self.open: dict[str, list[int]] = {}  # what is not checked of which events
        self.events: dict[int, Row] = {}  # those that are shown
        self.times: list[str] = []  # when these were recorded
        self.parties: list[str] = []  # of the log, as the events so far name them
        self.leaves: list[bytes] = []
        self.not_asked: list[int] = []  # the events that are withheld because of the range
        self.streams: dict[str, tuple[int, int]] = {}  # last version, and how many were withheld
        self.caused = ("", 0, -1)  # the last cause, place and index
        self.signed = self.time = 0  # the size and the time of the last checkpoint so far
        self.cosigned: dict[str, int] = {}  # the times of its cosignatures, by witness
        self.keys: dict[str, dict[str, Row]] = {}  # by party, by key id
        self.sent: set[str] = set()  # the ids of the keys that the operator sent
        self.required: dict[str, list[str]] = {}  # the kinds that a party requires signed
        self.erased: set[str] = set()  # the commitments of the people who were
        self.gone: dict[str, tuple[int, str, str]] = {}  # each erased command's erasure
        self.proposed: dict[str, int] = {}  # the events that can be accepted, by digest of the data
        self.named: dict[str, tuple[Command | None, dict[int, Row]]] = {}  # with their events
        self.used: dict[object, str] = {}  # nonces and sources with their command
        self.answered: set[bytes] = set()  # the facts to which a party signed an answer

    def leave(self, what: str, index: int) -> None:
        """Note what is not checked of an event; it is counted, or listed by `#` and its index."""
        self.open.setdefault(what, []).append(index)

    def verify(self, raw: bytes) -> None:
        """Check everything; raises `Fault`."""
        self.files = read_container(raw)
        check_files(self.files)
        for code, step in (
            ("malformed", self.read_files),
            ("identity", self.check_identity),
            ("malformed", self.read_events),
            ("checkpoint-malformed", self.check_checkpoints),
            ("command-malformed", self.check_events),
            ("quorum", self.check_against_user),
            ("person", self.check_people_and_files),
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
            rows(name, TYPES["object"])
        lines = lines_of(self.files["data/commands.jsonl"])
        once = len({*lines}) == len(lines)
        require(once and all(len(line) <= LIMITS["line"] for line in lines), "malformed")
        self.commands = {sha256(each).hex(): matched("envelope", each.decode()) for each in lines}
        self.names = {person["commitment"]: person["name"] for person in self.people}
        self.said = dict(self.names)  # and those that signed commands say
        require(self.bundle["origin"].endswith(f"/{self.bundle['partnership']}"), "malformed")

    def check_identity(self) -> None:
        """Check the log and the verifiers against policy and pins, and whose the notes are."""
        origin = self.bundle["origin"]
        self.policy = self.asked or Policy(self.files["data/policy.txt"])
        for left, what in (
            (self.request["simulated"], "whether any of this happened: the log is of a simulation"),
            (self.request["from"], f"only events from {self.request['from']} were asked for"),
            (self.request["to"], f"only events to {self.request['to']} were asked for"),
            (not self.asked, "log and quorum: not pinned, the policy is the operator's own"),
            (self.policy.quorum == "none", "whether others are shown another history: no witness"),
        ):
            self.not_checked += [what] if left else []
        require(any(key.name == origin for key in self.policy.logs), "identity")
        for digest, name in self.pinned:
            content = self.files.get(f"data/{name}")
            require(content is not None and sha256(content).hex() == digest, "verifier")
        for note in (*self.seen, *self.receipts):
            if note.parts[0] != origin or not self.policy.key(origin, note):
                raise Misuse("a checkpoint or a receipt was not signed by the operator of this log")

    def read_events(self) -> None:
        """Read the events (section 4) and their leaf hashes."""
        self.lines = lines_of(self.files["data/events.jsonl"])  # canonical, as is their data
        for index, line in enumerate(self.lines):
            self.phase = "malformed", index
            hidden = _HIDDEN(line)
            if hidden:
                self.leaves.append(bytes.fromhex(hidden[2].decode()))
                why = hidden[1].decode()
                self.not_asked += [index] if why == "range" else []
                self.leave(f"events withheld ({why})", index)
            else:
                self.leaves.append(sha256(b"\x00" + line))
                event = line_of(line, _EVENT)
                self.times.append(event["recorded_at"][:-1])
                require(self._is_next(index, event) and self._is_of_party(event), "event", index)
                self.events[index] = event
        size, count = self.bundle["size"], len(self.lines)
        require(count == size, "events-missing", min(count, size))
        self.tree, self.indexes = Tree(self.leaves), [*self.events]
        start, end = self.request["from"], self.request["to"]
        for index in self.not_asked:
            behind = bisect_left(self.indexes, index)
            before, after = self.times[:behind][-1:], self.times[behind:][:1]
            early = start is not None and (not before or before[0] < start[:-1])
            late = not after or (end is not None and after[0] > end[:-1])
            require(early or late, "event", index)

    def _is_next(self, index: int, event: Row) -> bool:
        """Whether the event is of this log, and stream, id and time follow from those before."""
        own, stream, version = self.bundle["partnership"], event["stream"], event["stream_version"]
        known = event["type"] in RULES["own" if event["party"] == OPERATOR else "kinds"]
        if event["partnership"] != own or not f"{stream}/".startswith(f"{own}/") or not known:
            return False
        # Of a stream, only what is withheld may be missing.
        hidden, (last, already) = index - len(self.events), self.streams.get(stream, (0, 0))
        self.streams[stream] = version, hidden
        cause, (before, place, at) = cause_of(event), self.caused
        # Events of one cause follow each other, so each that is withheld between takes a place.
        place, end = (place + index - at,) * 2 if cause == before else (0, index - at - 1)
        while place <= end and id_of(cause, place) != event["event_id"]:
            place += 1
        self.caused = cause, place, index
        ordered = self.times[-2:-1] <= self.times[-1:]
        return ordered and place <= end and 0 < version - last <= 1 + hidden - already

    def _is_of_party(self, event: Row) -> bool:
        """Whether its party is of the log: the initiator and its partner, or the adopting two."""
        party, data = event["party"], event["data"]
        if not self.parties and party != OPERATOR:
            rows = data["parties"] if isinstance(data.get("parties"), list) else [event]
            self.parties = [text_of(row.get("party")) for row in rows[:2] if isinstance(row, dict)]
        # A third party may be agreed that reports figures, and does nothing else.
        right = party in {OPERATOR, *self.parties} or KINDS[event["type"]] == "figures"
        if event["type"] == "PartnerChosen":
            self.parties = [*self.parties, text_of(data.get("candidate"))][:2]
        return right

    def check_checkpoints(self) -> None:
        """Check signatures, roots and times of the chain of checkpoints (section 5)."""
        waiting = 0  # the events that a quorum has seen
        apart = {"events were recorded": (0, 0), "checkpoints were signed": (0, 0)}  # with -size
        for line, raw in enumerate(self.notes):
            self.phase = "checkpoint-malformed", line
            note = Note.parse("checkpoint", raw.encode())
            origin, size, root = note.parts[0], int(note.parts[1]), note.parts[2]
            require(origin == self.bundle["origin"] and self.signed <= size, *self.phase)
            time = self._check_signatures(note, size)
            require(self.time <= time, "checkpoint-signature", size)
            require(self.tree.is_root(size, root), "checkpoint-root", size)
            behind = bisect_left(self.indexes, size)
            # Times never fall, so the events beside its end speak for all others.
            if behind and self.times[behind - 1] > instant_of(time + LIMITS["skew"]):
                raise Fault("checkpoint-time", self.indexes[behind - 1])
            if behind < len(self.times) and self.times[behind] < instant_of(time - LIMITS["skew"]):
                raise Fault("checkpoint-time", self.indexes[behind])
            self.signed, self.time = size, time
            if (seen := self.policy.witnessed(self.cosigned, -1)) is not None:
                first = self.times[waiting:behind][:1] or [instant_of(time)]
                since = datetime.fromisoformat(f"{first[0][:19]}Z").timestamp()
                for what, wait in zip(apart, (seen - int(since), abs(seen - time)), strict=True):
                    apart[what] = max(apart[what], (wait, -size))
                waiting = behind
        require(self.signed == self.bundle["size"], "checkpoint-malformed", self.bundle["size"])
        for what, (wait, size) in apart.items():
            if wait > LIMITS["skew"]:
                where = f"witnesses are up to {wait} s apart (the checkpoint of {-size} events)"
                self.not_checked.append(f"when {what}: the log and {where}")

    def _check_signatures(self, note: Note, size: int) -> int:
        """Check every signature that the policy names, and note the cosignatures; give the time."""
        key = require(self.policy.key(note.parts[0], note), "checkpoint-signature", size)
        own = note.times_by(Key.of(key.name, 0x04, key.public))
        times = {word: note.times_by(key) for word, key in self.policy.witnesses.items()}
        right = len(own) == 1 and all(map(all, (own, *times.values())))
        require(right, "checkpoint-signature", size)
        self.cosigned = {word: max(each) for word, each in times.items() if each}
        return own[0]

    def check_events(self) -> None:  # noqa: C901 - one event after the other
        """Check the parties' keys, and each event against the command that it names (section 7)."""
        before = None  # the command of the event before
        for index, event in self.events.items():
            self.phase = "command-malformed", index
            if event["type"] in RULES["keys"]:
                self._take_key(index, event)
            elif event["type"] == "PersonErased":
                person, gone = (event["data"].get(name) for name in ("person", "commands"))
                require(isinstance(gone, list), "command-malformed", index)
                self.erased.add(text_of(person))
                for digest in gone:
                    erasure = index, event["party"], text_of(person)
                    self.gone.setdefault(text_of(digest), erasure)
            if "signed" in event:
                self._check_signed(index, event, before)
            else:
                self._check_unsigned(index, event)
            if KINDS[event["type"]] == "claims":
                named = [event["data"].get(name) for name in ("payout", "fact")]
                claim = canonical([event["party"], event["stream"], *named])
                require("signed" in event or claim not in self.answered, "command-missing", index)
                self.answered |= {claim} if "signed" in event else set()
            if event["type"] in PROPOSALS:
                data = self.lines[index].split(b',"data":', 1)[1].rsplit(b',"event_id":', 1)[0]
                self.proposed[sha256(data).hex()] = index
            before = event.get("signed")
        for digest, (command, events) in self.named.items():
            if not command:
                self._check_erased(digest, events)
        require(self.named.keys() >= self.commands.keys(), "command-unused")
        require(self.keys.keys() >= self.pins.keys(), "key-unknown")
        # What is listed comes first, in the order of the log, then what is counted.
        for what, left in sorted(self.open.items(), key=lambda each: each[0][0] != "#"):
            count = "" if what[0] == "#" else f"{len(left)} "
            indexes = "".join(f" #{each}" for each in left) if what[-1] == ":" else ""
            amounts = total(self.lines[each] for each in left)
            self.not_checked.append(f"{count}{what}{indexes}{amounts}")

    def _take_key(self, index: int, event: Row) -> None:
        """Take the key that an event adds, and end those that it ends."""
        data, author, type_ = event["data"], event["party"], event["type"]
        party, member = author, RULES["keys"][type_]
        if type_ == "SignaturesRequired":
            self.required[party] = data.get("kinds")
            require(isinstance(self.required[party], list), "key-unknown", index)
            return
        if type_ == "KeyRecovered":
            party = text_of(data.get("party"))
            require(self.keys.get(party) and party != author, "key-unknown", index)
            require("signed" in event, "command-missing", index)
            self.leave(f"#{index} the new key of {party}: {author} agreed it in its place", index)
        own, named = self.keys.setdefault(party, {}), member and data.get(member)
        ended = [key for keyid, key in own.items() if keyid == named or type_ == "KeyRecovered"]
        ended = [key for key in ended if key["until"] is None]
        require(not member or ended, "key-unknown", index)
        for key in ended:
            key["until"] = index
        if type_ == "KeyRevoked":
            return
        text = text_of(data.get("key"))
        public, proof = unbase64(text, HASH), unbase64(data.get("proof"), 2 * HASH)
        require(admitted(public), "key-weak", index)
        claim = f"accord/key@v1\n{self.bundle['partnership']}\n{party}\n{text}\n".encode()
        require(ed25519_verify(public, claim, proof), "key-proof", index)
        keyid, pinned = sha256(public).hex()[:16], self.pins.get(party)
        known = any(keyid in keys for keys in self.keys.values())
        require(not known and (own or pinned in {None, text}), "key-unknown", index)
        if not own and pinned is None:
            self.leave(f"#{index} first key of {party}: not pinned", index)
        delegated = ended[0]["delegated"] if type_ == "KeyRotated" else data.get("delegated")
        require(delegated is None or isinstance(delegated, list), "key-unknown", index)
        own[keyid] = {"public": public, "since": index, "until": None, "delegated": delegated}

    def _check_erased(self, digest: str, events: dict[int, Row]) -> None:
        """Check that a command that is not there was erased with a person, and that it was one."""
        first, *_, last = (*events, *events)
        erasure, party, person = self.gone.get(digest, (-1, "", ""))
        people = [
            [each["actor"], *(each["data"].get(name) for name in PEOPLE.get(each["type"], ()))]
            for each in events.values()
        ]
        own = erasure > last and party == events[first]["party"] and _COMMITMENT(person)
        require(own and person in canonical(people).decode(), "command-missing", first)
        yields = any(
            all(may_yield(rule, each["type"], events.values()) for each in events.values())
            for rule in COMMANDS.values()
        )
        require(len({*map(cause_of, events.values())}) == 1 and yields, "command-yields", first)
        for index, event in events.items():
            binds = KINDS[event["type"]] in RULES["binding"]
            who = f"#{index} {event['type']} by {event['party']}: its" if binds else "events whose"
            self.leave(f"{who} command was erased with a person", index)

    def _check_unsigned(self, index: int, event: Row) -> None:
        type_, party, kind = event["type"], event["party"], KINDS[event["type"]]
        if kind in RULES["binding"] or kind in self.required.get(party, ()):
            bound = [*self.keys.values()] if kind == "erases" else [self.keys.get(party, {})]
            had_key = any(key["since"] < index for own in bound for key in own.values())
            settled = type_ in RULES["statements"] and event["source"] == "accord:settle"
            require(not had_key or settled, "command-missing", index)
            self.leave(f"#{index} {type_} by {party}: not signed", index)
        elif type_ == "KeySentByOperator":
            self.sent.add(text_of(event["data"].get("keyid")))
            who = text_of(event["data"].get("party"))
            self.leave(f"#{index} a key of {who} that the operator sent", index)
        elif type_ == "ClaimConfirmed":
            # Its amount is that of the fact, if it names the content of one.
            fact = self.proposed.get(text_of(event["data"].get("content")), index)
            named = text_of(event["data"].get("fact"))
            self.leave(f"#{index} {type_} of {named} by {party}: not signed", fact)
        else:
            self.leave(f"events that need no signature, and have none ({kind})", index)

    def _check_signed(self, index: int, event: Row, before: str | None) -> None:
        digest = event["signed"]
        if digest not in self.named:
            envelope = self.commands.get(digest)
            self.named[digest] = parse_command(*envelope) if envelope else None, {}
        command, events = self.named[digest]
        require(not events or before == digest, "command-replayed", index)
        events[index] = event
        if command:
            self._check_command(index, event, command, is_first=len(events) == 1)
            self._check_yield(index, event, command[0], [*events.values()])
        else:
            # The command of a key is never erased: all other signatures rest on it.
            require(event["type"] not in RULES["keys"], "command-missing", index)

    def _check_command(self, index: int, event: Row, command: Command, *, is_first: bool) -> None:
        """Check that its party signed the command for this event, and for no other."""
        (payload, keyid, message, signature), party = command, event["party"]
        asked, cause = payload["event"], cause_of(event)
        sides = {"bundle": self.bundle, "event": event, "payload": payload, "asked": asked}
        for code, one, member, other, same in RULES["same"]:
            if sides[one].get(member) != sides[other].get(same):
                raise Fault(code, index)
        key = require(self.keys.get(party, {}).get(keyid), "command-key", index)
        # A key signs its own registration only where the party has no other.
        alone = key["since"] == index and len(self.keys[party]) == 1
        active = (key["since"] < index or alone) and key["until"] in {None, index}
        delegated = key["delegated"] is None or KINDS[event["type"]] in key["delegated"]
        # Else the operator alone could replace the keys of both parties.
        own = event["type"] != "KeyRecovered" or keyid not in self.sent
        require(active and delegated and own, "command-key", index)
        right = not is_first or ed25519_verify(key["public"], message, signature)
        require(right, "command-signature", index)
        for use in ((party, payload["nonce"]), cause):
            once = self.used.setdefault(use, event["signed"]) == event["signed"]
            require(once, "command-replayed", index)
        require(event["recorded_at"][:-1] <= payload["expires"][:-1], "command-expired", index)
        if payload["expected"] is not None and id_of(cause, 0) == event["event_id"]:
            require(payload["expected"] == event["stream_version"] - 1, "command-version", index)
        if payload["seen"] is not None:
            size, root = payload["seen"]["size"], payload["seen"]["root"]
            require(size <= index and self.tree.is_root(size, root), "command-seen", index)
        require(alike(event["actor"], asked.get("actor", ""), self.said), "command-differs", index)

    def _check_yield(self, index: int, event: Row, payload: Row, events: list[Row]) -> None:
        """Check that the command yields the event, and how each of its members follows."""
        type_, data = event["type"], event["data"]
        name, signed = payload["type"].removeprefix("accord."), payload["event"].get("data", {})
        require(isinstance(signed, dict), "command-malformed", index)
        rule, act = COMMANDS.get(name, {}), name == "ConfirmAct"
        accepted = self._accepted(index, signed, act) if rule.get("accepts") else {}
        if act and type_ != "ActConfirmed":
            if accepted is None:
                return
            # A second person does what the first one did, and accepts what that one accepted.
            rule = COMMANDS.get(text_of(accepted.get("command")), {})
            signed = accepted["data"] if isinstance(accepted.get("data"), dict) else {}
            first = self.proposed.get(text_of(signed.get("content")))
            accepted = {} if first is None else self.events[first]["data"]
        require(may_yield(rule, type_, events), "command-yields", index)
        added = rule["events"][type_]
        if type_ == "SecondPersonAsked":
            signed = {"command": name, "data": signed}
        if added is None:
            self.leave(f"{type_} not compared with what was signed:", index)
        if added is None or accepted is None:
            return
        # A member that was signed or accepted, and is left out, has the value null.
        for member in sorted({*data, *RULES["members"][type_]}):
            names = self.said if member in PEOPLE.get(type_, ()) else None
            value = data.get(member)
            if member in signed:
                require(alike(value, signed[member], names), "command-differs", index)
            elif member in accepted:
                require(alike(value, accepted[member], names), "command-content", index)
            else:
                require(member not in data or member in added, "command-differs", index)
                if b'"amount":' in canonical(value):
                    self.leave(f"{type_} with amounts that the decision adds:", index)

    def _accepted(self, index: int, signed: Row, act: bool) -> Row | None:  # noqa: FBT001
        """The act, proposal or fact that is accepted; None if it may be withheld."""
        content = text_of(signed.get("content"))
        if content not in self.proposed:
            first = [self.indexes.index(index)] if "figure" in signed else [*self.not_asked, index]
            require(first[0] < index and PATTERNS["digest"](content), "command-content", index)
            self.leave("events that rest on what is withheld:", index)
            return None
        found = self.events[self.proposed[content]]
        require(act == (found["type"] == "SecondPersonAsked"), "command-content", index)
        return dict(found["data"])

    def check_against_user(self) -> None:
        """Check the log against what the user saw before and asks for (section 6)."""
        size = self.bundle["size"]
        for note in self.seen:
            number = int(note.parts[1])
            require(number <= size, "stale", number)
            require(self.tree.is_root(number, note.parts[2]), "fork", number)
        seen = self.policy.witnessed(self.cosigned)
        require(seen is not None or self.policy.quorum == "none", "quorum", size)
        require(self.not_before <= instant_of(seen or self.time), "stale", size)
        for receipt in self.receipts:
            _, first, leaves, deadline = receipt.parts
            due = max(map(instant_of, (self.time, seen or self.time))) >= deadline[:-1]
            for index, leaf in enumerate(re.findall("leaf (.*)\n", leaves), int(first)):
                here = self.leaves[index] == unbase64(leaf) if index < size else not due
                require(here, "receipt", index)

    def check_people_and_files(self) -> None:
        """Check that each name and file has the digest by which an event shown names it."""
        shown = self.files["data/events.jsonl"].decode()
        known = {*re.findall(f'"({RULES["patterns"]["commitment"]})"', shown)}
        start = f"accord/person@v1\n{self.bundle['partnership']}\n"
        texts = [f"{start}{each['party']}\n{each['salt']}\n{each['name']}" for each in self.people]
        told = [f"person:{sha256(each.encode()).hex()}" for each in texts]
        require(told == [*self.names] and {*told} <= known, "person")
        named = {*re.findall(f'"sha256":"({RULES["patterns"]["digest"]})"', shown)}
        files = {name[-64:] for name in self.files if name.startswith("data/files/")}
        right = all(sha256(self.files[f"data/files/{each}"]).hex() == each for each in files)
        require(right and files <= named, "file")
        untold = known - self.names.keys()
        for lacking, what in (
            (untold & self.erased, "people whose names were erased"),
            (untold - self.erased, "people whose names are not in the bundle"),
            (named - files, "files that events name are not in the bundle"),
        ):
            self.not_checked += [f"{len(lacking)} {what}"] if lacking else []

    def check_custody(self) -> None:
        """Check that the last event shown is this export, with the digest of all that it shows."""
        last = self.indexes[-1]
        files = self.files | {"data/events.jsonl": b"\n".join([*self.lines[:last], b""])}
        digest = sha256(manifest(files, filter(PATTERNS["bound"], files))).hex()
        export = ["BundleExported", OPERATOR, digest, self.request["for"], self.request["reason"]]
        event = self.events[last]
        members = map(event["data"].get, ("files", "party", "reason"))
        require([event["type"], event["party"], *members] == export, "custody")
        self.not_checked += RULES["never"]


def alike(recorded: object, meant: object, names: dict[str, str] | None) -> bool:
    """Whether what was recorded was meant; given names, a commitment stands for one of them."""
    if isinstance(recorded, dict) and isinstance(meant, dict):
        return recorded.keys() == meant.keys() and all(
            alike(value, meant[name], names) for name, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(meant, list):
        return alike(dict(enumerate(recorded)), dict(enumerate(meant)), names)
    if names is not None and isinstance(meant, str) and _COMMITMENT(text_of(recorded)):
        return meant == recorded or names.setdefault(text_of(recorded), meant) == meant
    return type(recorded) is type(meant) and recorded == meant


def total(lines: Iterable[bytes]) -> str:
    """The sums of the amounts in these lines, by member, currency and sign, as text."""
    text = b"".join(line for line in lines if b'"amount":' in line).decode()
    sums: dict[tuple[str, str, str], Decimal] = {}
    with localcontext(prec=100):
        for name, sign, amount, currency in re.findall(RULES["patterns"]["money"], text):
            # One sum of both signs would hide what cancels out; one of limits, what is owed.
            of = (f"{name} ".replace("_", " ") if name and currency else "", currency, sign)
            sums[of] = sums.get(of, Decimal()) + Decimal(amount or 1)
    odd = sums.pop(("", "", ""), 0)
    found = "".join(f", {name}{sign}{n:f} {unit}" for (name, unit, sign), n in sorted(sums.items()))
    return f"{found}, {odd} amounts not understood" if odd else found


# --- Section 10: what a verifier says ---
VERDICTS: Final = {"RECORD VERIFIED": 0, "CONSISTENT, NOT PINNED": 4, "FAULT": 3}


def verify(raw: bytes, **given: Any) -> Row:  # noqa: ANN401 - what `Verifier` takes
    """What a verifier says of the bytes of a bundle (section 10); raises `Misuse`."""
    verifier, code, index = Verifier(**given), None, None
    try:
        verifier.verify(raw)
    except Misuse:
        raise
    except Exception as error:  # noqa: BLE001 - section 10: no input makes a verifier crash
        code, index = error.args if isinstance(error, Fault) else verifier.phase
    pinned = verifier.asked and verifier.keys and verifier.keys.keys() <= verifier.pins.keys()
    verdict = "RECORD VERIFIED" if pinned else "CONSISTENT, NOT PINNED"
    return {
        "verdict": "FAULT" if code else verdict,
        "code": code,
        "index": index,
        "detail": RULES["words"][code or verdict],
        "origin": verifier.bundle.get("origin"),
        "size": verifier.bundle.get("size"),
        "not_checked": verifier.not_checked,
    }


def as_text(result: Row) -> str:
    """What a verifier prints for people."""
    where = "" if result["index"] is None else f" at {result['index']}"
    lines = [result["verdict"] + (f" {result['code']}{where}" if result["code"] else "")]
    if result["origin"] is not None:
        lines.append(f"{result['size']} events of {result['origin']}")
    lines += [result["detail"], "Not checked:", *(f"  {line}" for line in result["not_checked"])]
    # What a bundle says of itself shall not steer the terminal that it is shown on.
    return "".join(re.sub(r"[^ -~]", "?", line) + "\n" for line in lines)


def main() -> int:
    """Verify a bundle from the command line; gives the exit code of section 10."""
    parser = argparse.ArgumentParser(prog="verify", allow_abbrev=False)
    parser.add_argument("bundle", type=Path, metavar="FILE.zip")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="whom you trust")
    parser.add_argument("--pins", type=Path, metavar="FILE", help="the keys that you expect")
    several: Row = {"type": Path, "metavar": "FILE", "action": "append", "default": []}
    parser.add_argument("--seen", **several, help="a checkpoint that you saw")
    parser.add_argument("--receipt", **several, help="a receipt of yours", dest="receipts")
    parser.add_argument("--not-before", metavar="MOMENT", help="what the log must reach")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = vars(parser.parse_args())
    bundle, as_json = given.pop("bundle"), given.pop("json")
    gc.disable()  # It makes no cycles of objects, and the search for them takes long.
    try:
        result = verify(contents(bundle, bytes), **given)
    except Misuse as misuse:
        sys.stderr.write(f"verify: {misuse}\n")
        return 2
    sys.stdout.write(_write(result) + "\n" if as_json else as_text(result))
    return VERDICTS[result["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
