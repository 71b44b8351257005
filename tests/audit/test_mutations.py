"""Whatever is changed in a bundle, both verifiers say the same of it, and neither falls over.

`make audit-faults` tries twenty thousand seeded changes, and this a few hundred, as a part of all
tests. What both accept is held against the honest bundle: a reader must not mind it.
"""

import json
import os
import subprocess
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from types import ModuleType
from typing import IO, NamedTuple
from zipfile import ZipFile

import orjson
import pytest

from domain.formation import AttachEvidence
from infra.tlog.keys import Signer
from infra.tlog.notes import Note
from tests.audit import mutator
from tests.audit import world as made
from tests.audit.mutator import Draft, Files, Row
from tests.audit.world import (
    NODE,
    SIGNERS,
    VERIFIERS,
    Verdict,
    World,
    build,
    feed,
    imported,
    witnessing,
)
from tests.infra.messages import message
from tests.life import example

STUDY = b"Nine of ten customers ask for both products."
CHANGES = 20_000 if os.environ.get("ACCORD_FAULTS") == "full" else 300
SEED = int(os.environ.get("ACCORD_FAULTS_SEED", "20269"))
UNTIL = "2026-02-10"
"""Until then the small store's feed goes: terms, an agreement, the first deals."""

pytestmark = pytest.mark.needs("node")

RULES = orjson.loads((VERIFIERS / "rules.json").read_bytes())

HARNESS = """
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
const { bring, verify } = await import(process.argv[1]);
const brought = bring({ policy: readFileSync(process.argv[2]) });
for await (const path of createInterface({ input: process.stdin })) {
  const { verdict, code, index } = verify(readFileSync(path), brought);
  process.stdout.write(`${JSON.stringify([verdict, code, index])}\\n`);
}
"""


class Change(NamedTuple):
    """What was changed, by whom, and what came of it."""

    told: str
    signed_again: bool
    files: Files
    """Those of the bundle, or the honest ones where the archive itself was changed."""
    raw: bytes


# --- what is changed -----------------------------------------------------------------------------

KINDS: dict[str, Callable[[Draft], str]] = {
    "spelling": mutator.spelled,
    "value": mutator.valued,
    "line": mutator.moved,
    "file": mutator.lost,
    "event": mutator.meant,
    "command": mutator.commanded,
    "checkpoint": mutator.noted,
}
OFTEN = ("value", "value", "event", "event", "event", "command", "command", "checkpoint")


def changes(whole: Files, random: Random, count: int, signer: Signer) -> Iterator[Change]:
    """Yield seeded changes; half of them by an operator who signs again."""
    honest = mutator.zipped(whole, Random(1))  # noqa: S311 - it is the same each time
    for number in range(count):
        if number % 12 == 0:
            told, raw = mutator.packed(honest, random)
            yield Change(f"archive: {told}", signed_again=False, files=whole, raw=raw)
            continue
        draft = Draft(dict(whole), random, signer, SIGNERS)
        kind = random.choice([*KINDS, *OFTEN])
        told = KINDS[kind](draft)
        signed_again = kind != "checkpoint" and random.random() < 0.6 and draft.sign_again()
        raw = mutator.zipped(draft.files, random)
        yield Change(f"{kind}: {told}", signed_again=signed_again, files=draft.files, raw=raw)


# --- what a reader would mind ---------------------------------------------------------------------


def minded(whole: Files, change: Change, not_checked: list[str]) -> str | None:
    """Return what a reader would mind of a bundle that both verifiers accepted."""
    if not change.signed_again:
        return _by_stranger(whole, change.files)
    return _by_operator(whole, change.files, not_checked)


def _by_stranger(whole: Files, files: Files) -> str | None:
    """Without a key, one can only hide events, and leave out names, checkpoints and proofs."""
    same = {name for name in whole if files.get(name) == whole[name]}
    for name in whole.keys() | files.keys():
        if name in same or name.startswith("data/proofs/") or name == "manifest-sha256.txt":
            continue
        before, after = (each.get(name, b"").splitlines() for each in (whole, files))
        if name == "data/people.jsonl" and set(after) <= set(before):
            continue
        if name == "data/events.jsonl" and _hidden(whole, before, after):
            continue
        if name == "data/checkpoints.jsonl" and _signed(after) <= _signed(before):
            continue
        return name
    return None


def _hidden(whole: Files, before: list[bytes], after: list[bytes]) -> bool:
    """Whether events were only withheld: a reader is told how many, and their hashes stay."""
    hashes = whole["data/hashes.txt"].decode().split()
    return len(before) == len(after) and all(
        one == other or orjson.loads(other).get("withheld") == leaf
        for one, other, leaf in zip(before, after, hashes, strict=True)
    )


def _signed(lines: list[bytes]) -> set[str]:
    return {Note.read(orjson.loads(each)["note"]).text for each in lines}


def _by_operator(whole: Files, files: Files, not_checked: list[str]) -> str | None:
    """Say what of a signed event its party did not sign, or which binding act is not listed."""
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
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
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
                notary.checkpoint(made.CONSULTING)
            assert accord.service.handle([evidence])[0].rule is None
        world.bundle(files=files)
    return world


def _is_small(raw: bytes) -> bool:
    event = orjson.loads(raw)
    if "payload" in event:
        return True
    about: str = event["data"].get("candidate", "northbridge")
    return bool(event["time"] < UNTIL) and about == "northbridge"


@contextmanager
def scripted(policy: Path) -> Iterator[Callable[[Path], Verdict]]:
    """Run the one verifier as one process for all bundles."""
    where = (VERIFIERS / "verify.mjs").as_uri()
    command = [NODE or "node", "--input-type=module", "-e", HARNESS, where, str(policy)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield partial(_asked, process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(10) == 0


def _asked(stdin: IO[str], stdout: IO[str], path: Path) -> Verdict:
    stdin.write(f"{path}\n")
    stdin.flush()
    return Verdict(*json.loads(stdout.readline()))


@pytest.fixture(scope="module")
def python() -> ModuleType:
    return imported()


def test_both_always_agree_and_accept_nothing_that_a_reader_would_mind(
    small: World, python: ModuleType, tmp_path: Path
) -> None:
    with ZipFile(small.folder / "bundle.zip") as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    policy = tmp_path / "policy"
    # No witness, so that what an operator signs anew is looked at to its end.
    policy.write_text(small.policy(quorum="none"))
    brought, changed = python.bring(policy), tmp_path / "changed.zip"
    seen: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    apart: list[object] = []
    with scripted(policy) as script, ThreadPoolExecutor(1) as beside:
        assert script(small.folder / "bundle.zip") == made.CONSISTENT
        random = Random(SEED)  # noqa: S311 - what is tried is to be tried again
        for change in changes(whole, random, CHANGES, small.signer):
            changed.write_bytes(change.raw)
            asked = beside.submit(script, changed)
            found = python.verify(change.raw, brought)
            one = Verdict(found["verdict"], found["code"], found["index"])
            other = asked.result()
            if one != other:
                apart.append((change.told, one, other))
            elif one == made.CONSISTENT:
                kind = change.told.partition(":")[0]
                accepted[f"{kind}{', signed again' if change.signed_again else ''}"] += 1
                if why := minded(whole, change, found["not_checked"]):
                    apart.append((change.told, one, why))
            seen[one.code or one.verdict] += 1
    for name, counts in ((f"{CHANGES} changes, seed {SEED}", seen), ("accepted", accepted)):
        told = ", ".join(f"{each} {count}" for each, count in counts.most_common())
        print(f"{name}: {told}")  # noqa: T201 - the figures are for who asks
    assert apart == []


def test_a_reader_minds_what_a_party_did_not_sign(small: World) -> None:
    """The control of what is held against the accepted ones."""
    with ZipFile(small.folder / "bundle.zip") as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    draft = Draft(dict(whole), Random(1), small.signer, SIGNERS)  # noqa: S311 - as above
    rows = draft.rows("events.jsonl")
    at = next(
        at
        for at, each in enumerate(rows)
        if each.get("type") == "TermsAccepted" and "signed" in each
    )
    rows[at]["occurred_at"] = "2026-01-01T00:00:00Z"
    draft.write("events.jsonl", rows)
    change = Change("", signed_again=True, files=draft.files, raw=b"")
    assert minded(whole, change, []) == f"#{at} TermsAccepted: occurred_at"
    assert minded(whole, change._replace(signed_again=False), []) == "data/events.jsonl"
