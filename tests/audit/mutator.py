"""Changes of an evidence bundle by somebody who knows its whole format.

A stranger has no key. The operator signs hashes and checkpoints again after the change, and lets
the event of the export fit what is beside the log. What a reader brings is changed, too: its
policy, pins, a checkpoint that it saw, a receipt, a moment. Each change is drawn from a seed.
"""

import json
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import orjson

from infra.audit.notary import Seal
from infra.tlog import merkle
from infra.tlog.keys import Signer
from infra.tlog.merkle import Tree
from infra.tlog.notes import Checkpoint, Note

Files = dict[str, bytes]
Row = dict[str, Any]

LOG = (
    "bundle.json",
    "checkpoints.jsonl",
    "commands.jsonl",
    "events.jsonl",
)
TEXTS = (
    "bundle.json",
    "request.json",
    "checkpoints.jsonl",
    "commands.jsonl",
    "events.jsonl",
    "people.jsonl",
    "rejected.jsonl",
)
ROWS = (*(each for each in TEXTS if each.endswith(".jsonl")), "waiting.jsonl")
PATHS: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.title,
    lambda name: name.replace("data/", "Data/"),
    lambda name: name.replace("/", "//"),
    lambda name: name.replace("/", "\\"),
    lambda name: f"./{name}",
    lambda name: f"/{name}",
    lambda name: f"data/{name}",
    lambda name: f"data/../{name}",
    lambda name: f"{name}/",
    lambda name: f"{name} ",
    lambda name: name.removeprefix("data/"),
    lambda name: "data/schemas/" + "".join(filter(str.isalnum, name)) + ".json",
)
"""Other paths at which somebody could look for a file."""

STRANGER = Signer(b"x" * 32)


@dataclass
class Draft:
    """A bundle that is being changed."""

    files: Files
    random: Random
    signer: Signer
    """The operator's."""
    parties: dict[str, Signer]

    def lines(self, name: str) -> list[bytes]:
        return self.files[f"data/{name}"].splitlines()

    def rows(self, name: str) -> list[Any]:
        return [orjson.loads(each) for each in self.lines(name)]

    def put(self, name: str, lines: list[bytes]) -> None:
        self.files[f"data/{name}"] = b"".join(each + b"\n" for each in lines)

    def one(self, name: str) -> tuple[int, list[Any]]:
        """Return a line's number and all lines, read."""
        rows = self.rows(name)
        return self.random.randrange(len(rows)), rows

    def event(self, *, signed: bool | None = None) -> tuple[int, list[Row]]:
        """Return the index of a shown event, and all events."""
        rows = self.rows("events.jsonl")
        shown = [
            at
            for at, each in enumerate(rows)
            if "type" in each and signed in {None, "signed" in each}
        ]
        return self.random.choice(shown), rows

    def write(self, name: str, rows: list[Any]) -> None:
        self.put(name, [written(each) for each in rows])

    def sign_again(self) -> bool:
        """Hash and sign all of it again as it is now; whether that was possible."""
        before = dict(self.files)
        try:
            _sign_again(self)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.files = before
            return False
        return True


def written(value: object) -> bytes:
    """Return the canonical form, as far as there is one."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


# --- how JSON is spelled --------------------------------------------------------------------------

SPELLINGS: dict[str, Callable[[bytes, Random], bytes]] = {
    "a space": lambda line, random: _at(line, random, b",", b", "),
    "a tab": lambda line, random: _at(line, random, b":", b":\t"),
    "a member twice": lambda line, _: b"{" + line[1:-1] + b"," + line[1:],
    "an escaped letter": lambda line, random: _at(line, random, b"a", b"\\u0061"),
    "an escaped solidus": lambda line, random: _at(line, random, b"/", b"\\/"),
    "a number with a fraction": lambda line, random: _at(line, random, b"1", b"1.0"),
    "a number with an exponent": lambda line, random: _at(line, random, b":1", b":1e0"),
    "a number with a zero before": lambda line, random: _at(line, random, b":1", b":01"),
    "minus zero": lambda line, random: _at(line, random, b":0", b":-0"),
    "a byte order mark": lambda line, _: b"\xef\xbb\xbf" + line,
    "a carriage return": lambda line, _: line + b"\r",
    "a zero byte": lambda line, _: line + b"\0",
    "an open object": lambda line, _: line[:-1],
    "two values": lambda line, _: line + line,
    "a comma behind": lambda line, _: line[:-1] + b",}",
    "a key beyond ASCII": lambda line, _: line[:-1] + ',"é":1}'.encode(),
    "a lone surrogate": lambda line, _: line[:-1] + b',"z":"\\ud800"}',
    "a surrogate as bytes": lambda line, _: line[:-1] + b',"z":"\xed\xa0\x80"}',
    "a byte that is no UTF-8": lambda line, random: _at(line, random, b"a", b"\xff"),
    "65 levels": lambda line, _: line[:-1] + b',"z":' + b"[" * 65 + b"]" * 65 + b"}",
    "a large number": lambda line, _: line[:-1] + b',"z":9007199254740992}',
    "a very large number": lambda line, _: line[:-1] + b',"z":' + b"9" * 400 + b"}",
    "NaN": lambda line, _: line[:-1] + b',"z":NaN}',
    "a line separator": lambda line, random: _at(line, random, b"a", "\u2028".encode()),
    "a letter in two forms": lambda line, random: _at(line, random, b"a", "a\u0301".encode()),
    "upper case": lambda line, _: line.upper(),
    "an empty line": lambda line, _: line + b"\n",
}

OTHER_TEXTS = {"a line separator", "a letter in two forms"}
"""Other texts rather than other spellings, which an event that nobody signed may have."""


def _at(line: bytes, random: Random, old: bytes, new: bytes) -> bytes:
    parts = line.split(old)
    if len(parts) == 1:
        return line + b" "
    at = random.randrange(1, len(parts))
    return old.join(parts[:at]) + new + old.join(parts[at:])


def spelled(draft: Draft) -> str:
    name = draft.random.choice(TEXTS)
    lines = draft.lines(name)
    if not lines:
        return lost(draft)
    at = draft.random.randrange(len(lines))
    what = draft.random.choice(list(SPELLINGS))
    lines[at] = SPELLINGS[what](lines[at], draft.random)
    draft.put(name, lines)
    return f"{what} in {name}"


# --- values ---------------------------------------------------------------------------------------


def places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any JSON value
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in list(pairs):
        yield value, key
        if isinstance(each, dict | list):
            yield from places(each)


def other(value: Any, draft: Draft) -> Any:  # noqa: ANN401 - any JSON value
    """Return another value, that of the same kind most often."""
    random = draft.random
    others: list[Any] = [
        None,
        True,
        0,
        -1,
        2**53 - 1,
        2**53,
        1.5,
        "",
        "x",
        [],
        {},
        [value],
        {"a": value},
    ]
    if isinstance(value, bool):
        others += [not value] * 20
    elif isinstance(value, int):
        others += [value + 1, value - 1, -value, value * 10] * 8
    elif isinstance(value, str) and value:
        at = random.randrange(len(value))
        others += [value[:at] + random.choice("0aZ-+. _é") + value[at + 1 :]] * 12
        others += [
            value + "0",
            value[1:],
            value[::-1],
            value.upper(),
            value + "\n",
            " " + value,
        ] * 3
        others += [*draft.parties, "accord", "person:" + "0" * 64]
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
            shift = random.choice([-86_400, -301, -1, 1, 299, 301, 86_400])
            others += [(moment + timedelta(seconds=shift)).isoformat().replace("+00:00", "Z")] * 30
    return random.choice(others)


def valued(draft: Draft) -> str:
    name = draft.random.choice([*TEXTS, "events.jsonl", "events.jsonl", "checkpoints.jsonl"])
    if not draft.lines(name):
        return lost(draft)
    at, rows = draft.one(name)
    found = list(places(rows[at]))
    if not found:
        return lost(draft)
    parent, key = draft.random.choice(found)
    what = draft.random.choice(["another", "another", "another", "without", "more", "renamed"])
    if what == "another" or not isinstance(parent, dict):
        parent[key] = other(parent[key], draft)
    elif what == "without":
        del parent[key]
    elif what == "more":
        parent[draft.random.choice(["amount", "extra", "signed", "party"])] = other(
            parent[key], draft
        )
    else:
        parent[f"{key}_"] = parent.pop(key)
    draft.write(name, rows)
    return f"{what} {key} in {name}"


# --- lines and files ------------------------------------------------------------------------------


def moved(draft: Draft) -> str:
    name = draft.random.choice([*LOG, "people.jsonl", "rejected.jsonl"])
    lines = draft.lines(name)
    if not lines:
        return lost(draft)
    one, two = (draft.random.randrange(len(lines)) for _ in range(2))
    what = draft.random.choice(
        ["without a line", "a line twice", "two lines swapped", "a foreign line"]
    )
    if what == "without a line":
        del lines[one]
    elif what == "a line twice":
        lines.insert(two, lines[one])
    elif what == "two lines swapped":
        lines[one], lines[two] = lines[two], lines[one]
    else:
        lines.insert(one, draft.random.choice(draft.lines(draft.random.choice(TEXTS)) or [b"{}"]))
    draft.put(name, lines)
    return f"{what} in {name}"


def crossed(draft: Draft) -> str:
    """Move a row from one file of JSON lines to another."""
    one, two = draft.random.sample(ROWS, 2)
    lines, others = draft.lines(one), draft.lines(two)
    if not lines:
        return lost(draft)
    row = lines.pop(draft.random.randrange(len(lines)))
    others.insert(draft.random.randrange(len(others) + 1), row)
    draft.put(one, lines)
    draft.put(two, others)
    return f"a row of {one} in {two}"


def named(draft: Draft) -> str:
    """Swap the rows of two people, or what two rows say: of one party, or of two."""
    rows = draft.rows("people.jsonl")
    if len(rows) < 2:
        return lost(draft)
    one, two = draft.random.sample(range(len(rows)), 2)
    what = draft.random.choice(["all", "name", "name", "commitment", "salt", "party"])
    if what == "all":
        rows[one], rows[two] = rows[two], rows[one]
    else:
        rows[one][what], rows[two][what] = rows[two][what], rows[one][what]
    draft.write("people.jsonl", rows)
    sides = "one party" if rows[one]["party"] == rows[two]["party"] else "two parties"
    return f"{what} of two people of {sides}"


def lost(draft: Draft) -> str:
    name = draft.random.choice(list(draft.files))
    what = draft.random.choice(
        ["without", "renamed", "emptied", "cut", "a bit of", "swapped", "swapped", "once more"]
    )
    data = draft.files[name]
    if what == "swapped":
        # Most files are schemas, so two others are taken first.
        known = [each for each in draft.files if "/schemas/" not in each]
        other_name = draft.random.choice(known)
        name = draft.random.choice([name, *known])
        draft.files[name], draft.files[other_name] = draft.files[other_name], draft.files[name]
        return f"{name} and {other_name} swapped"
    if what == "once more":
        draft.files[draft.random.choice(PATHS)(name)] = draft.random.choice([data, data, b""])
    elif what == "without":
        del draft.files[name]
    elif what == "renamed":
        extra = [
            "data/extra",
            "extra.txt",
            "data/../x",
            "/x",
            "data/proofs/01.tlog-proof",
            f"data/files/{'0' * 64}",
            "data/schemas/é.json",
        ]
        draft.files[draft.random.choice([f"{name}x", *extra])] = draft.files.pop(name)
    elif what == "emptied":
        draft.files[name] = b""
    elif what == "cut":
        draft.files[name] = data[: draft.random.randrange(len(data) + 1)]
    elif data:
        changed = bytearray(data)
        changed[draft.random.randrange(len(data))] ^= 1 << draft.random.randrange(8)
        draft.files[name] = bytes(changed)
    return f"{what} {name}"


# --- what an event means --------------------------------------------------------------------------


def meant(draft: Draft) -> str:
    """Change one event as a whole: whose it is, what caused it, what it says."""
    random = draft.random
    at, rows = draft.event(signed=random.choice([True, True, None]))
    event = rows[at]
    other_at = draft.event()[0]
    what = random.choice(list(MEANINGS))
    MEANINGS[what](draft, rows, at, other_at)
    draft.write("events.jsonl", rows)
    return f"{what} of {event.get('type')}"


def _withhold(draft: Draft, rows: list[Row], at: int, _: int) -> None:
    leaf = merkle.leaf_hash(draft.lines("events.jsonl")[at]).hex()
    rows[at] = {"why": draft.random.choice(["private", "range", "other"]), "withheld": leaf}


def _swap(member: str) -> Callable[[Draft, list[Row], int, int], None]:
    def change(_: Draft, rows: list[Row], at: int, other_at: int) -> None:
        one, two = rows[at], rows[other_at]
        one[member], two[member] = two.get(member), one.get(member)
        for each in (one, two):
            if each[member] is None:
                del each[member]

    return change


def _set(member: str, *values: object) -> Callable[[Draft, list[Row], int, int], None]:
    def change(draft: Draft, rows: list[Row], at: int, _: int) -> None:
        rows[at] = rows[at] | {member: draft.random.choice(values)}

    return change


def _unsigned(_: Draft, rows: list[Row], at: int, __: int) -> None:
    rows[at].pop("signed", None)


def _again(draft: Draft, rows: list[Row], at: int, _: int) -> None:
    rows.insert(draft.random.choice([at + 1, len(rows)]), json.loads(json.dumps(rows[at])))


def _erased(draft: Draft, rows: list[Row], at: int, _: int) -> None:
    """Let the command of an event be gone, and somebody in it be erased."""
    person = draft.random.choice([rows[at]["actor"], "person:" + "0" * 64])
    erasure = rows[at] | {"type": "PersonErased", "data": {}}
    gone = [rows[at].get("signed", "0" * 64)]
    erasure["data"] = {"commands": gone, "person": person, "reason": "x"}
    rows.append(erasure)
    lines = [
        each
        for each in draft.lines("commands.jsonl")
        if sha256(each).hexdigest() != rows[at].get("signed")
    ]
    draft.put("commands.jsonl", lines)


MEANINGS: dict[str, Callable[[Draft, list[Row], int, int], None]] = {
    "the type": _swap("type"),
    "the data": _swap("data"),
    "the party": _swap("party"),
    "the signature": _swap("signed"),
    "the actor": _swap("actor"),
    "the times": _swap("recorded_at"),
    "the claim of time": _swap("occurred_at"),
    "the source": _swap("source"),
    "the id": _swap("source_id"),
    "the salt": _swap("salt"),
    "the stream": _swap("stream"),
    "no signature": _unsigned,
    "a known type": _set(
        "type",
        "PenaltyConceded",
        "PaymentReceived",
        "KeyRevoked",
        "KeyRegistered",
        "KeyRecovered",
        "BundleExported",
        "StatementIssued",
        "SecondPersonAsked",
        "ActConfirmed",
    ),
    "a party that is none": _set("party", "accord", "stranger", ""),
    "a version": _set("stream_version", 0, 1, 2, 7, -1),
    "an erasure": _erased,
    "one more": _again,
    "withheld": _withhold,
}


# --- signed commands ------------------------------------------------------------------------------


def commanded(draft: Draft) -> str:
    """Change an envelope or what is in it; sign it again with a key, and name it in its events."""
    random = draft.random
    lines = draft.lines("commands.jsonl")
    at = random.randrange(len(lines))
    row = orjson.loads(lines[at])
    before = sha256(lines[at]).hexdigest()
    what = random.choice(list(ENVELOPES))
    row = ENVELOPES[what](row, draft)
    lines[at] = written(row)
    digest = sha256(lines[at]).hexdigest()
    draft.put("commands.jsonl", lines)
    if random.random() < 0.8:
        events = draft.files["data/events.jsonl"]
        draft.files["data/events.jsonl"] = events.replace(before.encode(), digest.encode())
    return f"{what} of a command"


def exchanged(draft: Draft) -> str:
    """Swap a member between two commands of one party, which signs them again or does not."""
    random, lines = draft.random, draft.lines("commands.jsonl")
    rows = [orjson.loads(each) for each in lines]
    payloads = [orjson.loads(b64decode(each["payload"])) for each in rows]
    party = random.choice(payloads)["party"]
    own = [at for at, each in enumerate(payloads) if each["party"] == party]
    pair = random.sample(own, 2) if len(own) > 1 else own * 2
    where = random.choice(["envelope", "payload", "payload", "event", "event"])
    objects = {"envelope": rows, "payload": payloads, "event": [p["event"] for p in payloads]}
    one, two = (objects[where][at] for at in pair)
    member = random.choice(sorted(one.keys() & two.keys()))
    one[member], two[member] = two[member], one[member]
    events = draft.files["data/events.jsonl"]
    signs = random.choice([draft.parties.get(party), STRANGER, None])
    for at in pair:
        before = sha256(lines[at]).hexdigest()
        if where != "envelope":
            rows[at] = signed_again(rows[at], payloads[at], signs)
        lines[at] = written(rows[at])
        if random.random() < 0.9:
            events = events.replace(before.encode(), sha256(lines[at]).hexdigest().encode())
    draft.put("commands.jsonl", lines)
    draft.files["data/events.jsonl"] = events
    return f"{member} of two {where}s of one party"


def signed_again(row: Row, payload: Row, signer: Signer | None) -> Row:
    """Return an envelope with another payload, signed again unless nobody does."""
    raw = written(payload)
    row["payload"] = b64encode(raw).decode()
    if signer:
        kind = row["payloadType"]
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(raw), raw)
        row["signatures"][0]["sig"] = b64encode(signer.sign(message)).decode()
    return row


def _payload(
    change: Callable[[Row, Draft], None], by: str | None = None
) -> Callable[[Row, Draft], Row]:
    def changed(row: Row, draft: Draft) -> Row:
        payload = orjson.loads(b64decode(row["payload"]))
        change(payload, draft)
        party = str(payload.get("party")) if by == "party" else ""
        return signed_again(row, payload, draft.parties.get(party, STRANGER) if by else None)

    return changed


def _any_place(payload: Row, draft: Draft) -> None:
    parent, key = draft.random.choice(list(places(payload)))
    parent[key] = other(parent[key], draft)


def _same(_: Row, __: Draft) -> None:
    pass


def _signature(change: Callable[[Row, Draft], Row | None]) -> Callable[[Row, Draft], Row]:
    def changed(row: Row, draft: Draft) -> Row:
        row["signatures"][0] = change(dict(row["signatures"][0]), draft)
        return row

    return changed


ENVELOPES: dict[str, Callable[[Row, Draft], Row]] = {
    "a value, unsigned": _payload(_any_place),
    "a value, signed by its party": _payload(_any_place, "party"),
    "a value, signed by a stranger": _payload(_any_place, "stranger"),
    "the signature of a stranger": _payload(_same, "stranger"),
    "the signature of its party": _payload(_same, "party"),
    "another key id": _signature(lambda each, _: each | {"keyid": "0" * 16}),
    "no key id": _signature(lambda each, _: {"sig": each["sig"]}),
    "a changed signature": _signature(
        lambda each, draft: each | {"sig": other(each["sig"], draft)}
    ),
    "two signatures": lambda row, _: row | {"signatures": row["signatures"] * 2},
    "no signature": lambda row, _: row | {"signatures": []},
    "another payload type": lambda row, _: row | {"payloadType": "application/json"},
    "a payload without padding": lambda row, _: row | {"payload": row["payload"].rstrip("=")},
    "a payload with more padding": lambda row, _: row | {"payload": row["payload"] + "===="},
    "a payload in URL-safe base64": lambda row, _: row | {"payload": "-" + row["payload"][1:]},
    "a payload with a newline": lambda row, _: row | {"payload": row["payload"] + "\n"},
    "one member more": lambda row, _: row | {"extra": 1},
}


# --- checkpoints ----------------------------------------------------------------------------------


def noted(draft: Draft) -> str:
    """Change the lines of a note: of its text or of its signatures."""
    at, rows = draft.one("checkpoints.jsonl")
    what = draft.random.choice(list(NOTES))
    text, _, block = rows[at]["note"].partition("\n\n")
    rows[at]["note"] = NOTES[what](text, block, draft)
    draft.write("checkpoints.jsonl", rows)
    return f"{what} of a checkpoint"


def _sign_line(line: str, change: Callable[[bytes], bytes]) -> str:
    dash, name, encoded = line.split(" ")
    return f"{dash} {name} {b64encode(change(b64decode(encoded))).decode()}"


def _each(change: Callable[[str, Draft], str]) -> Callable[[str, str, Draft], str]:
    def changed(text: str, block: str, draft: Draft) -> str:
        lines = block.splitlines()
        at = draft.random.randrange(len(lines))
        lines[at] = change(lines[at], draft)
        return f"{text}\n\n" + "".join(f"{each}\n" for each in lines if each)

    return changed


def _text(change: Callable[[list[str]], list[str]]) -> Callable[[str, str, Draft], str]:
    return lambda text, block, _: "\n".join(change(text.split("\n"))) + f"\n\n{block}"


def _byte(draft: Draft) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        at = draft.random.randrange(len(raw))
        return raw[:at] + bytes([raw[at] ^ 1 << draft.random.randrange(8)]) + raw[at + 1 :]

    return change


UNKNOWN = "— nobody.example " + b64encode(b"none" + bytes(64)).decode() + "\n"

NOTES: dict[str, Callable[[str, str, Draft], str]] = {
    "another origin": _text(lambda lines: ["x" + lines[0], *lines[1:]]),
    "a larger size": _text(lambda lines: [lines[0], str(int(lines[1]) + 1), *lines[2:]]),
    "a smaller size": _text(lambda lines: [lines[0], str(int(lines[1]) - 1), *lines[2:]]),
    "a size with a zero before": _text(lambda lines: [lines[0], "0" + lines[1], *lines[2:]]),
    "a size in other digits": _text(lambda lines: [lines[0], "\u0661", *lines[2:]]),
    "a root without padding": _text(lambda lines: [*lines[:2], lines[2].rstrip("=")]),
    "another root": _text(lambda lines: [*lines[:2], b64encode(bytes(32)).decode()]),
    "one more line": _text(lambda lines: [*lines, "extension"]),
    "one line less": _text(lambda lines: lines[:2]),
    "an empty line": _text(lambda lines: [lines[0], "", *lines[1:]]),
    "a carriage return": _text(lambda lines: [lines[0] + "\r", *lines[1:]]),
    "another name": _each(
        lambda line, draft: line.replace(" ", f" {draft.random.choice('xé.')}", 1)
    ),
    "no name": _each(lambda line, _: line.split(" ")[0] + " " + line.split(" ")[2]),
    "another dash": _each(lambda line, _: "-" + line[1:]),
    "two spaces": _each(lambda line, _: line.replace(" ", "  ", 1)),
    "a space behind": _each(lambda line, _: line + " "),
    "a plus in a name": _each(lambda line, _: line.replace(" ", " a+", 1)),
    "no such signature": _each(lambda _, __: ""),
    "a signature twice": _each(lambda line, _: f"{line}\n{line}"),
    "a changed byte": _each(lambda line, draft: _sign_line(line, _byte(draft))),
    "a shorter signature": _each(lambda line, _: _sign_line(line, lambda raw: raw[:-1])),
    "a longer signature": _each(lambda line, _: _sign_line(line, lambda raw: raw + b"\0")),
    "only a key id": _each(lambda line, _: _sign_line(line, lambda raw: raw[:4])),
    "an unknown signature": lambda text, block, _: f"{text}\n\n{block}{UNKNOWN}",
    "signatures in another order": lambda text, block, _: (
        f"{text}\n\n" + "".join(f"{each}\n" for each in reversed(block.splitlines()))
    ),
    "65 signatures": lambda text, block, _: f"{text}\n\n{block}" + UNKNOWN * 63,
    "no last newline": lambda text, block, _: f"{text}\n\n{block}"[:-1],
    "no signatures": lambda text, _, __: f"{text}\n",
}

HARMLESS = {"an unknown signature", "signatures in another order"}
"""A signature line that nobody knows is passed over, and their order says nothing."""


# --- what is beside the log, and what its reader brings -------------------------------------------


@dataclass(frozen=True)
class Brought:
    """What a reader brings, as text; nothing of what is None."""

    folder: Path
    """Where it has its files."""
    policy: str
    pins: str | None = None
    seen: str | None = None
    receipts: str | None = None
    not_before: str | None = None

    def alone(self, policy: str) -> "Brought":
        """Return what somebody brings who has only this policy."""
        return Brought(self.folder, policy)

    def written(self) -> dict[str, Any]:
        """Return the options of a verifier, with the files written."""
        given: dict[str, Any] = {}
        for name in ("policy", "pins", "seen", "receipts"):
            text = getattr(self, name)
            if text is not None:
                path = self.folder / name
                path.write_bytes(text.encode("utf-8", "surrogatepass"))
                given[name] = path if name in {"policy", "pins"} else [path]
        return given | ({} if self.not_before is None else {"not_before": self.not_before})


def _lines(change: Callable[[list[str], Random], None]) -> Callable[[str, Draft], str]:
    def changed(text: str, draft: Draft) -> str:
        lines = text.split("\n")
        change(lines, draft.random)
        return "\n".join(lines)

    return changed


def _word(text: str, draft: Draft) -> str:
    words = text.split(" ")
    at = draft.random.randrange(len(words))
    words[at] = str(other(words[at], draft))
    return " ".join(words)


def _insert(*choices: str) -> Callable[[str, Draft], str]:
    def change(lines: list[str], random: Random) -> None:
        lines.insert(random.randrange(len(lines)), random.choice(choices))

    return _lines(change)


def _swapped(lines: list[str], random: Random) -> None:
    one, two = (random.randrange(len(lines)) for _ in range(2))
    lines[one], lines[two] = lines[two], lines[one]


def _digit(text: str, draft: Draft) -> str:
    """Change a digit: of a key, a size, an index, a deadline."""
    at = draft.random.choice([at for at, each in enumerate(text) if each.isalnum()] or [0])
    return text[:at] + draft.random.choice("019AQfw=") + text[at + 1 :]


def _quorum(text: str, draft: Draft) -> str:
    word = draft.random.choice(["none", "w", "any", "both", "x", "none w", ""])
    return text.rpartition("quorum")[0] + f"quorum {word}\n"


TEXTS_OF_A_READER: dict[str, Callable[[str, Draft], str]] = {
    "another word": _word,
    "another digit": _digit,
    "another quorum": _quorum,
    "a group": _insert(
        "group any any w", "group both all w w", "group g 1 w", "group g 2 w", "group g 0 w"
    ),
    "a party": _insert(f"party stranger {'A' * 43}=", f"party accord {'A' * 43}=", "party x y"),
    "a verifier": _insert(
        f"verifier {'0' * 64} verify.py", f"verifier {'0' * 64} none", "verifier"
    ),
    "a comment": _insert("# a comment", "  # indented", "#", "\t", "x # y", "\ufeff", "\x0b"),
    "a line twice": _lines(lambda lines, random: lines.append(random.choice(lines))),
    "without a line": _lines(lambda lines, random: lines.remove(random.choice(lines))),
    "two lines swapped": _lines(_swapped),
    "spaces": lambda text, _: text.replace(" ", " \t ", 1),
    "a carriage return": lambda text, _: text.replace("\n", "\r\n", 1),
    "another space": lambda text, _: text.replace(" ", "\u00a0", 1),
    "nothing": lambda _, __: "",
    "all of it": lambda text, _: text,
}


def brought(of: Brought, draft: Draft) -> tuple[str, Brought]:
    """Change one thing that a reader brings."""
    random = draft.random
    name = random.choice(["policy", "policy", "pins", "seen", "receipts", "not_before"])
    old = str(getattr(of, name))
    what = random.choice(list(TEXTS_OF_A_READER))
    if name == "not_before":
        new = str(other(old, draft))
    elif name == "seen" and random.random() < 0.7:
        what = random.choice(list(NOTES))
        old = random.choice(draft.rows("checkpoints.jsonl"))["note"]
        text, _, block = old.partition("\n\n")
        new = old if random.random() < 0.2 else NOTES[what](text, block, draft)
    else:
        new = TEXTS_OF_A_READER[what](old, draft)
    changed: dict[str, Any] = {name: new}
    return f"{what} in {name}", replace(of, **changed)


def beside(draft: Draft) -> str:
    """Change what the log knows only by a digest: by what it means, and not by its bytes."""
    random, files = draft.random, draft.files
    what = random.choice(["policy", "waiting", "schema", "time stamp", "range", "file", "proof"])
    match what:
        case "policy":
            change = random.choice(list(TEXTS_OF_A_READER.values()))
            files["data/policy.txt"] = change(files["data/policy.txt"].decode(), draft).encode()
        case "waiting":
            rows = draft.rows("waiting.jsonl")
            draft.write("waiting.jsonl", [*rows, random.choice([{}, {"id": "x"}, [], "x", None])])
        case "schema":
            schemas = [name for name in files if name.startswith("data/schemas/")]
            name = random.choice(schemas)
            content = orjson.loads(files.pop(name))
            parent, key = random.choice(list(places(content)))
            parent[key] = other(parent[key], draft)
            files[random.choice([name, "data/schemas/Other.json"])] = written(content)
        case "time stamp":
            size = random.choice([0, 1, len(draft.lines("events.jsonl")), 2**53])
            files[f"data/timestamps/{size}.tsr"] = random.choice([b"", b"0\x03\x02\x01\x00"])
        case "range":
            (asked,) = draft.rows("request.json")
            member = random.choice(["from", "to"])
            moments = [each["recorded_at"] for each in draft.rows("events.jsonl") if "type" in each]
            asked[member] = random.choice([None, *moments, "2020-01-01T00:00:00Z"])
            draft.write("request.json", [asked])
        case "file":
            content = random.choice([b"", b"something else"])
            files[f"data/files/{sha256(content).hexdigest()}"] = content
        case _:
            proofs = [name for name in files if name.startswith("data/proofs/")]
            files["data/proofs/7.tlog-proof"] = files.pop(random.choice(proofs)) if proofs else b""
    return what


# --- who signs it again ---------------------------------------------------------------------------


def _sign_again(draft: Draft) -> None:
    """Hash and sign the bundle again as it is now, so far as that is possible."""
    files = draft.files
    lines = files["data/events.jsonl"].split(b"\n")[:-1]
    with suppress(ValueError, KeyError, TypeError, IndexError):
        last = orjson.loads(lines[-1])
        if last["type"] == "BundleExported":
            last["data"]["files"] = digest_shown(files, lines[:-1])
            lines[-1] = written(last)
    draft.put("events.jsonl", lines)
    leaves = [leaf_of(each) for each in lines]
    with suppress(ValueError, KeyError, TypeError):
        about = orjson.loads(files["data/bundle.json"])
        if isinstance(about["size"], int):
            draft.write("bundle.json", [about | {"size": len(leaves)}])
    notes = [Note.read(row["note"]) for row in draft.rows("checkpoints.jsonl")]
    points = [Checkpoint.read(each.text) for each in notes]
    sizes = [*(min(each.size, len(leaves)) for each in points[:-1]), len(leaves)]
    roots, seal = _roots(leaves, set(sizes)), Seal("", draft.signer, None)
    sealed = []
    for note, old, size in zip(notes, points, sizes, strict=True):
        if (time := seal.time(note)) is None:
            raise ValueError(note)
        sealed.append({"note": str(seal.sign(Checkpoint(old.origin, size, roots[size]), time))})
    draft.write("checkpoints.jsonl", sealed)


def digest_shown(files: Files, before: list[bytes]) -> str:
    """Return the digest that the event of the export has, with the lines of the events before."""
    bound = files | {"data/events.jsonl": b"".join(each + b"\n" for each in before)}
    late = ("data/bundle.json", "data/checkpoints.jsonl")
    lines = (
        f"{sha256(bound[name]).hexdigest()}  {name}\n"
        for name in sorted(bound)
        if name.startswith("data/") and name not in late and "/proofs/" not in name
    )
    return sha256("".join(lines).encode()).hexdigest()


def _roots(leaves: list[bytes], sizes: set[int]) -> dict[int, bytes]:
    """Return the root of each of these sizes, from one tree that grows."""
    tree = Tree()
    roots = {0: tree.root()}
    for size, leaf in enumerate(leaves, 1):
        tree.add(leaf)
        if size in sizes:
            roots[size] = tree.root()
    return roots


def leaf_of(line: bytes) -> bytes:
    """Return the leaf hash of a line: of an event, or the one that a withheld event has."""
    with suppress(ValueError):
        found = orjson.loads(line)
        hidden = found.get("withheld") if isinstance(found, dict) else None
        if isinstance(hidden, str) and len(hidden) == 64:
            return bytes.fromhex(hidden)
    return merkle.leaf_hash(line)


# --- the container --------------------------------------------------------------------------------


def zipped(files: Files, random: Random) -> bytes:
    """Return files as a bag whose manifest fits, now and then with another one."""
    payload = {name: data for name, data in files.items() if name.startswith("data/")}
    lines = [f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(payload.items())]
    if random.random() < 0.03:
        random.choice(
            [random.shuffle, list.reverse, lambda each: each.append(each[0]), list.clear]
        )(lines)
    files = files | {"manifest-sha256.txt": "".join(lines).encode()}
    return archived([*files.items()], deflated=random.random() < 0.05)


def archived(files: list[tuple[str, bytes]], *, deflated: bool = False) -> bytes:
    """Return a ZIP archive of these files, of which two can have one name."""
    raw, directory = bytearray(), bytearray()
    for name, data in files:
        content, method = data, 0
        if deflated:
            method, tool = 8, zlib.compressobj(wbits=-zlib.MAX_WBITS)
            content = tool.compress(data) + tool.flush()
        path = name.encode()
        # Version 2.0, no flags, the first moment that a record can have.
        sizes = zlib.crc32(data), len(content), len(data), len(path), 0
        header = struct.pack("<5H3L2H", 20, 0, method, 0, 33, *sizes)
        place = bytes(6) + struct.pack("<2L", 0o600 << 16, len(raw))
        directory += b"PK\x01\x02\x14\x03" + header + place + path
        raw += b"PK\x03\x04" + header + path + content
    count, at = len(files), len(raw)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), at, 0)
    return bytes(raw + directory + end)


def packed(files: Files, raw: bytes, random: Random) -> tuple[str, bytes]:
    """Change the archive itself: its records, and what is between them."""
    if random.random() < 0.2:
        name = random.choice([each for each in files if "/schemas/" not in each])
        again = name, random.choice([files[name], b"", b"{}\n"])
        place = random.choice([0, len(files)])
        return "a name twice", archived(
            [*[*files.items()][:place], again, *[*files.items()][place:]]
        )
    marks = [at for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06") for at in _all(raw, mark)]
    at = random.choice(marks) + random.randrange(46)
    what = random.choice(
        [
            "a bit of a record",
            "a byte before",
            "a byte behind",
            "a byte between",
            "without a byte",
            "a bit",
        ]
    )
    if what == "a bit":
        at = random.randrange(len(raw))
    if at >= len(raw):
        at = len(raw) - 1
    match what:
        case "a bit of a record" | "a bit":
            return what, raw[:at] + bytes([raw[at] ^ 1 << random.randrange(8)]) + raw[at + 1 :]
        case "a byte before":
            return what, b"x" + raw
        case "a byte behind":
            return what, raw + b"x"
        case "a byte between":
            return what, raw[:at] + b"x" + raw[at:]
        case _:
            return what, raw[:at] + raw[at + 1 :]


def _all(raw: bytes, mark: bytes) -> Iterator[int]:
    at = raw.find(mark)
    while at >= 0:
        yield at
        at = raw.find(mark, at + 1)
