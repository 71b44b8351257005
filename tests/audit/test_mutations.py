"""Whatever is changed in a bundle, both verifiers say the same of it, and neither falls over.

`make audit-faults` tries ten thousand seeded changes, and this a few hundred, as a part of all
tests.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import IO, Any, NamedTuple
from zipfile import ZipFile

import orjson
import pytest

from infra.audit.notary import Seal
from infra.tlog import merkle
from infra.tlog.keys import Signer
from infra.tlog.merkle import Tree
from infra.tlog.notes import Checkpoint, Note
from tests.audit import world as made
from tests.audit.world import (
    NODE,
    VERIFIERS,
    Verdict,
    World,
    build,
    feed,
    imported,
    witnessing,
    zipped,
)

CHANGES = 10_000 if os.environ.get("ACCORD_FAULTS") == "full" else 200
SEED = 20_269
UNTIL = "2026-02-10"
"""Until then the small store's feed goes: terms, an agreement, the first deals."""

pytestmark = pytest.mark.needs("node")

PROVED = (
    "data/events.jsonl",
    "data/hashes.txt",
    "data/commands.jsonl",
)
"""The files of which not a bit may be another."""

# A signature line that nobody knows is passed over, so a changed name there changes nothing.
ALIKE = (
    *PROVED,
    "data/checkpoints.jsonl",
    "data/bundle.json",
    "data/people.jsonl",
)

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

Files = dict[str, bytes]


class Change(NamedTuple):
    """What was changed, and whether a verifier must not believe it any more."""

    told: str
    raw: bytes
    proved: bool


# --- what is changed -----------------------------------------------------------------------------


def flipped(files: Files, random: Random, name: str) -> str:
    """One bit of one file."""
    data = bytearray(files[name])
    at = random.randrange(len(data))
    data[at] ^= 1 << random.randrange(8)
    files[name] = bytes(data)
    return f"bit of byte {at} of {name}"


def without_line(files: Files, random: Random, name: str) -> str:
    lines = files[name].splitlines(keepends=True)
    at = random.randrange(len(lines))
    del lines[at]
    files[name] = b"".join(lines)
    return f"without line {at} of {name}"


def twice(files: Files, random: Random, name: str) -> str:
    lines = files[name].splitlines(keepends=True)
    at = random.randrange(len(lines))
    lines.insert(at, lines[at])
    files[name] = b"".join(lines)
    return f"line {at} of {name} twice"


def another_order(files: Files, random: Random, name: str) -> str:
    lines = files[name].splitlines(keepends=True)
    one, other = (random.randrange(len(lines)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    files[name] = b"".join(lines)
    return f"lines {one} and {other} of {name} swapped"


def another_value(files: Files, random: Random, name: str) -> str:
    """One value of one JSON text, written as canonically as before."""
    if not name.endswith(("json", "jsonl")):
        return flipped(files, random, name)
    lines = files[name].splitlines()
    at = random.randrange(len(lines))
    value = orjson.loads(lines[at])
    places = list(_places(value))
    if not places:
        return flipped(files, random, name)
    parent, key = random.choice(places)
    parent[key] = _other(parent[key], random)
    lines[at] = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    files[name] = b"\n".join(lines) + b"\n"
    return f"value {key} in line {at} of {name}"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any JSON value
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in pairs:
        yield value, key
        if isinstance(each, dict | list):
            yield from _places(each)


def _other(value: Any, random: Random) -> Any:  # noqa: ANN401 - any JSON value
    others: list[Any] = [None, True, 0, -1, 2**53 - 1, "", "x", [], {}, [value], {"a": value}]
    if isinstance(value, str) and value:
        at = random.randrange(len(value))
        others += [value[:at] + random.choice("0aZ-+. ") + value[at + 1 :]] * 8
        others += [value + "0", value[1:], value[::-1]]
    if isinstance(value, int):
        others += [value + 1, value - 1] * 4
    return random.choice(others)


def without_file(files: Files, _: Random, name: str) -> str:
    del files[name]
    return f"without {name}"


def another_file(files: Files, random: Random, name: str) -> str:
    files[random.choice(["data/extra", "extra.txt", "data/../x", "data/proofs/01.tlog-proof"])] = (
        b"x"
    )
    return f"a file more than {name}"


def told_anew(files: Files, random: Random, signer: Signer) -> str:
    """One value of one event, hashed and signed again by an operator who lies."""
    told = another_value(files, random, "data/events.jsonl")
    sign_again(files, signer)
    return f"told anew: {told}"


def sign_again(files: Files, signer: Signer) -> None:
    """Hash and sign the events of a bundle again, as they are now."""
    leaves = [_leaf(line) for line in files["data/events.jsonl"].splitlines()]
    files["data/hashes.txt"] = "".join(f"{leaf.hex()}\n" for leaf in leaves).encode()
    signed, seal = [], Seal("", signer, None)
    for line in files["data/checkpoints.jsonl"].splitlines():
        note = Note.read(orjson.loads(line)["note"])
        old, at = Checkpoint.read(note.text), seal.time(note)
        assert at
        note = seal.sign(Checkpoint(old.origin, old.size, Tree.over(leaves[: old.size]).root()), at)
        signed.append({"note": str(note)})
    files["data/checkpoints.jsonl"] = b"".join(
        orjson.dumps(each, option=orjson.OPT_SORT_KEYS) + b"\n" for each in signed
    )


def _leaf(line: bytes) -> bytes:
    with suppress(ValueError):
        found = orjson.loads(line)
        hidden = found.get("withheld") if isinstance(found, dict) else None
        if isinstance(hidden, str) and len(hidden) == 64:
            return bytes.fromhex(hidden)
    return merkle.leaf_hash(line)


KINDS: tuple[Callable[[Files, Random, str], str], ...] = (
    flipped,
    flipped,
    without_line,
    twice,
    another_order,
    another_value,
    another_value,
    another_value,
    without_file,
    another_file,
)


def changes(bundle: Path, random: Random, count: int, signer: Signer) -> Iterator[Change]:
    raw = bundle.read_bytes()
    with ZipFile(bundle) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    for number in range(count):
        if number % 10 == 0:
            at = random.randrange(len(raw))
            bit = 1 << random.randrange(8)
            changed = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
            yield Change(f"bit of byte {at} of the archive", changed, proved=False)
            continue
        files = dict(whole)
        if number % 3 == 0:
            yield Change(told_anew(files, random, signer), zipped(files), proved=False)
            continue
        names = [name for name in (ALIKE if number % 5 else files) if files[name]]
        name = random.choice(names)
        told = random.choice(KINDS)(files, random, name)
        proved = name in PROVED and files.get(name) != whole[name]
        yield Change(told, zipped(files), proved)


# --- what is said of it --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small store: two parties with keys, a cosigned log, a deal or two."""
    world = build(tmp_path_factory.mktemp("small"))
    with witnessing(world.folder) as url:
        world.witness = url
        chosen = [raw for raw in feed() if _is_small(raw)]
        with world.opened() as (accord, notary):
            for start in range(0, len(chosen), 20):
                accord.service.handle(chosen[start : start + 20])
                notary.checkpoint(made.CONSULTING)
        world.bundle()
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


def test_nothing_that_is_proved_can_be_changed_and_both_always_agree(
    small: World, python: ModuleType, tmp_path: Path
) -> None:
    bundle = small.folder / "bundle.zip"
    policy = tmp_path / "policy"
    # No witness, so that what an operator signs anew is looked at to its end.
    policy.write_text(small.policy(quorum="none"))
    changed = tmp_path / "changed.zip"
    seen: Counter[str] = Counter()
    apart: list[object] = []
    brought = python.bring(policy)
    with scripted(policy) as script:
        assert script(bundle) == made.CONSISTENT
        random = Random(SEED)  # noqa: S311 - what is tried is to be tried again
        for change in changes(bundle, random, CHANGES, small.signer):
            changed.write_bytes(change.raw)
            found = python.verify(change.raw, brought)
            one = Verdict(found["verdict"], found["code"], found["index"])
            other = script(changed)
            if one != other:
                apart.append((change.told, one, other, found["detail"]))
            assert not (change.proved and one == made.CONSISTENT), change.told
            seen[one.code or one.verdict] += 1
    told = ", ".join(f"{code} {count}" for code, count in seen.most_common())
    print(f"{CHANGES} changes, seed {SEED}: {told}")  # noqa: T201 - the figures are for who asks
    assert apart == []
