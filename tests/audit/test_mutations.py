"""Whatever is changed in a bundle, both verifiers say the same of it, and neither falls over.

`make audit-faults` tries twenty thousand seeded changes, and this a hundred, as a part of all
tests. They are of a whole bundle, of one party's view and of a part, and of the files that a reader
brings. What both accept is held against the honest bundle: a reader must not mind it.
"""

import os
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zipfile import ZipFile

import orjson
import pytest

from benchmarks.audit.signing import covering
from domain import times
from domain.formation import AttachEvidence
from domain.keyring import AgreeKeyRecovery, KeyRecoveryProposed, ProposeKeyRecovery
from domain.values import instant
from infra.cli.erase import people
from infra.tlog import dsse
from infra.tlog.keys import Signer
from infra.tlog.notes import Note
from tests.audit import mutator
from tests.audit import world as made
from tests.audit.mutator import Draft, Files, Row
from tests.audit.world import (
    SIGNERS,
    VERIFIERS,
    World,
    both,
    build,
    feed,
    receipt_of,
    said_alone,
    said_by,
    witnessing,
)
from tests.infra.messages import message
from tests.life import example

RECOVERED = Signer(b"r" * 32)
"""The new key of a party that lost its own."""

ERASED = "sam.adeyemi"
STUDY = b"Nine of ten customers ask for both products."
CHANGES = 20_000 if os.environ.get("ACCORD_FAULTS") == "full" else 120
SEED = int(os.environ.get("ACCORD_FAULTS_SEED", "20269"))
PART = 250
"""Changes of a bundle that one process tries in a row."""

UNTIL = "2026-02-10"
"""Until then the small store's feed goes: terms, an agreement, the first deals."""

pytestmark = pytest.mark.needs("node")

RULES = orjson.loads((VERIFIERS / "rules.json").read_bytes())


class Change(NamedTuple):
    """What was changed, by whom, and what came of it."""

    told: str
    signed_again: bool
    files: Files
    """Those of the bundle, or the honest ones where the archive itself was changed."""
    raw: bytes
    brought: mutator.Brought
    """What its reader brings."""


# --- what is changed -----------------------------------------------------------------------------

KINDS: dict[str, Callable[[Draft], str]] = {
    "spelling": mutator.spelled,
    "value": mutator.valued,
    "line": mutator.moved,
    "row": mutator.crossed,
    "person": mutator.named,
    "file": mutator.lost,
    "event": mutator.meant,
    "command": mutator.commanded,
    "two commands": mutator.exchanged,
    "checkpoint": mutator.noted,
    "beside": mutator.beside,
}
OFTEN = ("value", "value", "event", "event", "event", "command", "command", "checkpoint")


def changes(
    whole: Files, random: Random, count: int, signer: Signer, brought: mutator.Brought
) -> Iterator[Change]:
    """Yield seeded changes; half of them by an operator who signs again."""
    honest = mutator.zipped(whole, Random(1))  # noqa: S311 - it is the same each time
    # Without a witness what an operator signs anew is looked at to its end.
    alone = brought.alone(brought.policy.replace("quorum w", "quorum none"))
    for number in range(count):
        if number % 12 == 0:
            told, raw = mutator.packed(whole, honest, random)
            yield Change(
                f"archive: {told}", signed_again=False, files=whole, raw=raw, brought=alone
            )
            continue
        draft = Draft(dict(whole), random, signer, SIGNERS)
        if number % 5 == 1:
            told, other = mutator.brought(brought, draft)
            again = random.random() < 0.3 and draft.sign_again()
            raw = mutator.zipped(draft.files, random)
            yield Change(f"reader: {told}", again, draft.files, raw, other)
            continue
        kind = random.choice([*KINDS, *OFTEN])
        told = KINDS[kind](draft)
        again = kind != "checkpoint" and random.random() < 0.6 and draft.sign_again()
        raw = mutator.zipped(draft.files, random)
        yield Change(f"{kind}: {told}", again, draft.files, raw, alone)


# --- what a reader would mind ---------------------------------------------------------------------


def minded(whole: Files, change: Change, not_checked: list[str]) -> str | None:
    """Return what a reader would mind of a bundle that both verifiers accepted."""
    if not change.signed_again:
        return _by_stranger(whole, change.files)
    return _by_operator(whole, change.files, not_checked)


def _by_stranger(whole: Files, files: Files) -> str | None:
    """Without a key, one can only hide events, and leave out checkpoints and proofs."""
    same = {name for name in whole if files.get(name) == whole[name]}
    for name in whole.keys() | files.keys():
        if name in same or name.startswith("data/proofs/") or name == "manifest-sha256.txt":
            continue
        before, after = (each.get(name, b"").splitlines() for each in (whole, files))
        if name == "data/commands.jsonl" and set(after) == set(before):
            continue
        if name == "data/events.jsonl" and _hidden(before, after):
            continue
        if name == "data/checkpoints.jsonl" and _signed(after) <= _signed(before):
            continue
        return name
    return None


def _hidden(before: list[bytes], after: list[bytes]) -> bool:
    """Whether events were only withheld: a reader is told how many, and their hashes stay."""
    return len(before) == len(after) and all(
        one == other or orjson.loads(other).get("withheld") == mutator.leaf_of(one).hex()
        for one, other in zip(before, after, strict=True)
    )


def _signed(lines: list[bytes]) -> set[str]:
    return {Note.read(orjson.loads(each)["note"]).text for each in lines}


def _by_operator(whole: Files, files: Files, not_checked: list[str]) -> str | None:
    """Say what of a signed event its party did not sign, which act is not listed, or whose name."""
    people = [set(each["data/people.jsonl"].splitlines()) for each in (whole, files)]
    if not people[1] <= people[0]:
        return "a name"
    commands = {
        sha256(each).hexdigest(): each for each in files["data/commands.jsonl"].splitlines()
    }
    before = set(whole["data/events.jsonl"].splitlines())
    for index, line in enumerate(files["data/events.jsonl"].splitlines()):
        event = orjson.loads(line)
        if line in before or "type" not in event:
            continue
        if "signed" not in event:
            binds = RULES["kinds"][event["type"]] in {"binds", "erases"}
            statement = event["type"] in RULES["statements"]
            if binds and not statement and not _is_listed(index, not_checked):
                return f"#{index} {event['type']}: not listed"
        elif event["signed"] in commands:
            found = _not_signed(event, orjson.loads(commands[event["signed"]]))
            if found:
                return f"#{index} {event['type']}: {found}"
        elif not any("erased with a person" in each for each in not_checked):
            return f"#{index} {event['type']}: an erased command is not counted"
    return None


def _is_listed(index: int, not_checked: list[str]) -> bool:
    return any(each.startswith(f"#{index} ") for each in not_checked)


def _not_signed(event: Row, envelope: Row) -> str | None:
    payload = orjson.loads(b64decode(envelope["payload"]))
    asked = payload["event"]
    pairs = [("party", "party"), ("occurred_at", "time"), ("source", "source"), ("source_id", "id")]
    for member, name in pairs:
        if event[member] != asked[name]:
            return member
    for member in ("causation", "correlation"):
        if event.get(f"{member}_id") != asked.get(f"{member}id"):
            return f"{member}_id"
    rule = RULES["commands"][payload["type"].removeprefix("accord.")]
    added = rule["events"].get(event["type"], [])
    if added is None or rule["accepts"] or "content" in asked["data"]:
        return None
    for member, value in event["data"].items():
        named = b"person:" in orjson.dumps(value)
        if member not in added and not named and value != asked["data"].get(member):
            return str(member)
    return None


# --- what is said of it --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A small store: two parties with keys, a cosigned log, a deal or two, a file of evidence."""
    world = build(tmp_path_factory.mktemp("small"))
    files = world.folder / "files"
    files.mkdir()
    (files / "study").write_bytes(STUDY)
    attach = example(AttachEvidence, sha256=sha256(STUDY).hexdigest())
    evidence = message("study", attach, subject=made.CONSULTING)
    with witnessing(world.folder) as url:
        world.witness = url
        chosen = [raw for raw in feed() if _is_small(raw)]
        with world.opened() as (accord, notary):
            for start in range(0, len(chosen), 20):
                accord.service.handle(chosen[start : start + 20])
                world.shown.append(notary.checkpoint(made.CONSULTING))
            now = instant(accord.history.heads([made.CONSULTING])[made.CONSULTING].recorded_at)
            (person,) = people(accord, made.CONSULTING, ERASED)
            sent = [evidence, made.erasing(accord, person), *_recovery(now)]
            assert [each.rule for each in accord.service.handle(sent)] == [None] * len(sent)
            index = next(each.index for each in accord.history.of(made.CONSULTING) if each.signed)
            (world.folder / "receipt").write_text(receipt_of(accord, index))
        yield world


def read_by(world: World, folder: Path) -> mutator.Brought:
    """Return what a careful reader of its bundles brings."""
    pins = (f"party {party} {b64encode(SIGNERS[party].public).decode()}" for party in made.PARTIES)
    return mutator.Brought(
        folder,
        world.policy(),
        "".join(f"{each}\n" for each in pins),
        str(world.shown[1]),
        (world.folder / "receipt").read_text(),
        UNTIL + "T00:00:00Z",
    )


def _recovery(at: str) -> list[bytes]:
    """Return the recovery of a lost key: its party proposes a new one, and the other agrees."""
    ours, theirs = made.PARTIES
    told = made.registration(theirs, at, RECOVERED)
    command = ProposeKeyRecovery(
        proposal="k", party=theirs, lost_since=times.moment(at), **told["data"]
    )
    data = command.model_dump(mode="json", exclude_none=True)
    told |= {"id": "lost", "type": "accord.ProposeKeyRecovery", "data": data}
    content = covering(AgreeKeyRecovery(proposal="k"), [KeyRecoveryProposed.of(command)])
    agreed = made.registration(ours, at) | {
        "id": "found",
        "type": "accord.AgreeKeyRecovery",
        "data": content.model_dump(mode="json", exclude_none=True),
    }
    expires = times.moment(at) + timedelta(days=1)
    return [
        orjson.dumps(told),
        dsse.sign(SIGNERS[ours], dsse.asked(agreed, made.OPERATOR, expires)),
    ]


@pytest.fixture(scope="module")
def bundles(small: World) -> dict[str, Files]:
    """The files of its bundles: the whole with its files, one party's view, and two parts."""
    middle = made.moment("2026-01-20T00:00:00Z")
    asked: dict[str, dict[str, Any]] = {
        "whole": {"files": small.folder / "files"},
        "party": {"party": made.PARTIES[1]},
        "start": {"start": middle},
        "end": {"end": middle, "party": made.PARTIES[0]},
    }
    found = {}
    for name, each in asked.items():
        with ZipFile(small.bundle(f"{name}.zip", **each)) as archive:
            found[name] = {each: archive.read(each) for each in archive.namelist()}
    return found


def _is_small(raw: bytes) -> bool:
    event = orjson.loads(raw)
    if "payload" in event:
        return True
    about: str = event["data"].get("candidate", "northbridge")
    return bool(event["time"] < UNTIL) and about == "northbridge"


class Found(NamedTuple):
    """What came of some changes."""

    seen: Counter[str]
    """How many ended with each code or verdict."""
    accepted: Counter[str]
    """How many of each kind both verifiers accepted."""
    apart: list[object]
    """Where the verifiers disagree, or a reader minds what both accept."""


def tried(
    name: str, whole: Files, brought: mutator.Brought, signer: Signer, seed: str, count: int
) -> Found:
    """Ask both verifiers of so many changes of a bundle, and of some as their user does."""
    python, script = both()
    folder = brought.folder / f"{name}-{seed}"
    folder.mkdir()
    brought, changed = replace(brought, folder=folder), folder / "changed.zip"
    found = Found(Counter(), Counter(), [])
    with ThreadPoolExecutor(1) as beside:
        random = Random(seed)  # noqa: S311 - what is tried is to be tried again
        for number, change in enumerate(changes(whole, random, count, signer, brought)):
            changed.write_bytes(change.raw)
            given = change.brought.written()
            asked = beside.submit(script, changed, **given)
            one = said_by(python, change.raw, **given)
            other = asked.result()
            if number % 100 == 50:
                ran = [said_alone(each, changed, given) for each in (made.PYTHON, made.SCRIPT)]
                if ran != [one, other]:
                    found.apart.append((name, change.told, one, other, ran))
            read: Row = {"verdict": one[0], "code": None}
            read = orjson.loads(one[0]) if len(one) > 1 else read
            if one != other:
                found.apart.append((name, change.told, one, other))
            elif read["code"] is None and read["verdict"] != "MISUSE":
                kind = change.told.partition(":")[0]
                found.accepted[f"{kind}{', signed again' if change.signed_again else ''}"] += 1
                if why := minded(whole, change, read["not_checked"]):
                    found.apart.append((name, change.told, one, why))
            found.seen[read["code"] or read["verdict"]] += 1
    return found


def test_both_always_agree_and_accept_nothing_that_a_reader_would_mind(
    small: World, bundles: dict[str, Files], tmp_path: Path
) -> None:
    python, script = both()
    brought = read_by(small, tmp_path)
    for name in bundles:
        given = brought.written()
        path = small.folder / f"{name}.zip"
        honest = said_by(python, path.read_bytes(), **given)
        assert honest == script(path, **given)
        assert orjson.loads(honest[0])["verdict"] == "RECORD VERIFIED", honest
    parts = range(CHANGES // len(bundles) // PART or 1)
    count = CHANGES // len(bundles) // len(parts)
    asked = [
        (name, whole, brought, small.signer, f"{SEED}-{part}", count)
        for part in parts
        for name, whole in bundles.items()
    ]
    many = ProcessPoolExecutor(2, get_context("spawn")) if len(parts) > 1 else nullcontext()
    with many as pool:
        found = [*(pool.map(tried, *zip(*asked, strict=True)) if pool else starmap(tried, asked))]
    for name, counts in (
        (f"{CHANGES} changes, seed {SEED}", sum((each.seen for each in found), Counter())),
        ("accepted", sum((each.accepted for each in found), Counter())),
    ):
        told = ", ".join(f"{each} {count}" for each, count in counts.most_common())
        print(f"{name}: {told}")  # noqa: T201 - the figures are for who asks
    assert [each for one in found for each in one.apart] == []


def test_a_reader_minds_what_a_party_did_not_sign(small: World, bundles: dict[str, Files]) -> None:
    """The control of what is held against the accepted ones."""
    whole = bundles["whole"]
    draft = Draft(dict(whole), Random(1), small.signer, SIGNERS)  # noqa: S311 - as above
    rows = draft.rows("events.jsonl")
    at = next(
        at
        for at, each in enumerate(rows)
        if each.get("type") == "TermsAccepted" and "signed" in each
    )
    rows[at]["occurred_at"] = "2026-01-01T00:00:00Z"
    draft.write("events.jsonl", rows)
    brought = mutator.Brought(small.folder, "")
    change = Change("", signed_again=True, files=draft.files, raw=b"", brought=brought)
    assert minded(whole, change, []) == f"#{at} TermsAccepted: occurred_at"
    assert minded(whole, change._replace(signed_again=False), []) == "data/events.jsonl"


def test_names_are_swapped_within_a_party_and_between_two(
    small: World, bundles: dict[str, Files]
) -> None:
    """The control of what is changed: a bundle without such people would try nothing."""
    random = Random(1)  # noqa: S311 - as above
    told = set()
    for _ in range(200):
        draft = Draft(dict(bundles["whole"]), random, small.signer, SIGNERS)
        told.add(mutator.named(draft))
        assert draft.files.keys() == bundles["whole"].keys()
    assert {each.partition(" of two people of ")[2] for each in told} == {
        "one party",
        "two parties",
    }


def test_a_member_is_swapped_between_two_commands(small: World, bundles: dict[str, Files]) -> None:
    random = Random(1)  # noqa: S311 - as above
    before = set(bundles["whole"]["data/commands.jsonl"].splitlines())
    told = set()
    for _ in range(200):
        draft = Draft(dict(bundles["whole"]), random, small.signer, SIGNERS)
        what = mutator.exchanged(draft)
        if len(set(draft.lines("commands.jsonl")) - before) == 2:
            told.add(what.partition(" of one party")[0])
    assert {"payload of two envelopes", "nonce of two payloads", "data of two events"} <= told
