"""Measure how fast a bundle is verified offline, and replayed: ``make bench-verify``.

The verifiers run in processes of their own, as their user runs them, and the replay runs here. What
counts is the time that they ran on any core, because others may want the same cores; the time that
passed is beside it. The plain limits run here.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from zipfile import ZipFile

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from benchmarks import ours
from benchmarks.audit.signing import signed, signer
from benchmarks.feed import OURS, feed
from benchmarks.rates import Rates, Took, asked, say, table, took
from domain.times import moment
from infra.evidence import replay
from infra.evidence.bundle import BundleRequest, export
from infra.evidence.verifiers import verify
from infra.tlog import dsse

PARTNERSHIP: Final = "partner-0000"
PARTIES: Final = (OURS, f"{PARTNERSHIP}-ltd")

EVERY: Final = 1000
"""Lines of the feed between two checkpoints."""

HASH: Final = "plain SHA-256 of the same lines"
VERIFY: Final = "plain Ed25519 (OpenSSL) of as many signatures"
REPLAY: Final = "accord audit replay"
DECIDE: Final = "of it: read, decide and fold"
UNSIGNED, SIGNED = "no signatures", "all signed"

_VERIFIERS: Final = {"verify.py": (sys.executable, "-I"), "verify.mjs": ("node",)}

NOT_PINNED: Final = 4
"""How a verifier ends where no party has a key that could be pinned."""

AIMS: Final = {
    f"verify.py, {UNSIGNED}": "60,000 or more",
    f"verify.py, {SIGNED}": "9,000 or more",
    f"verify.mjs, {UNSIGNED}": "40,000 or more",
    f"verify.mjs, {SIGNED}": "6,000 or more",
    f"{DECIDE}, {UNSIGNED}": "5,000 or more",
    f"{DECIDE}, {SIGNED}": "5,000 or more",
}
"""What is aimed at in events per second on one core."""


@dataclass(frozen=True)
class Bundle:
    """A bundle as it was handed out, with its verifiers beside it, and what is in it."""

    path: Path
    policy: Path
    signed: int
    """How many of the events name a signed command."""
    lines: list[bytes]
    """The events, a line each."""
    signatures: list[tuple[bytes, bytes, bytes]] = field(repr=False)
    """Key, message and signature of each signed command."""

    @property
    def kind(self) -> str:
        """What tells it from the other."""
        return SIGNED if self.signed else UNSIGNED

    @property
    def pins(self) -> Path:
        """The keys of parties that its reader pins."""
        return self.path.with_name("pins.txt")

    @property
    def store(self) -> Path:
        """The store that it was handed out of."""
        return self.path.with_name("accord.db")


def measure(size: int, rounds: int) -> dict[str, Any]:
    """Verify and replay a bundle of `size` lines without signatures, and one with all signed."""
    ran, passed = Rates("/s that it ran"), Rates("/s that passed")
    with tempfile.TemporaryDirectory() as folder:
        say("two logs are recorded and handed out, one of them signed")
        bundles = [
            made(Path(folder, kind), size, signing=kind == SIGNED) for kind in (UNSIGNED, SIGNED)
        ]
        for number in range(rounds):
            say(f"verifying, round {number + 1} of {rounds}")
            for bundle in bundles:
                _measure(ran, passed, bundle)
        about = [_about(each) for each in bundles]
    return {
        "machine": {
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[1]),
            "python": platform.python_version(),
            "cryptography": version("cryptography"),
            "node": _node(),
        },
        "bundles": about,
        "per_second": {
            name: {"ran": round(ran.rate(name)), "passed": round(passed.rate(name))}
            for name in ran.rounds
        },
        "ratios": [
            {"of": one, "to": other, "ratio": round(ran.ratio(one, other), 3)}
            for one, other in _ratios(ran.rounds)
        ],
    }


def made(folder: Path, size: int, *, signing: bool) -> Bundle:
    """Hand out a bundle of at least `size` events of one partnership, from a store at `folder`."""
    folder.mkdir()
    lines = list(feed(size, 1))
    lines.append(_statement(lines[-1]))
    with ours.store(folder / "accord.db") as accord:
        notary = accord.signing()
        lines = list(signed(lines, PARTIES)) if signing else lines
        for start in range(0, len(lines), EVERY):
            ours.ingest(accord, lines[start : start + EVERY])
            notary.checkpoint(PARTNERSHIP)
        path = folder / "bundle.zip"
        export(accord, notary, PARTNERSHIP, BundleRequest("auditor", "To be verified."), path)
        policy = folder / "policy.txt"
        policy.write_text(notary.policy_of(PARTNERSHIP))
        (folder / "pins.txt").write_text("".join(_pins() if signing else ()))
    with ZipFile(path) as archive:
        for name in (*_VERIFIERS, "rules.json"):
            (folder / name).write_bytes(archive.read(f"data/{name}"))
        events = archive.read("data/events.jsonl").splitlines()
        commands = archive.read("data/commands.jsonl").splitlines()
    names = sum("signed" in orjson.loads(event) for event in events)
    return Bundle(path, policy, names, events, [_signature(each) for each in commands])


def _measure(ran: Rates, passed: Rates, bundle: Bundle) -> None:
    """Verify a bundle by each verifier, and do the plain part of it; note both kinds of seconds.

    Raises `ValueError` unless it is verified, or consistent where nothing is signed.
    """
    for name in _contenders():
        _note(ran, passed, f"{name}, {bundle.kind}", bundle, _verified(name, bundle))
    raw = bundle.path.read_bytes()
    files = verify.read_container(raw)
    _note(ran, passed, f"{REPLAY}, {bundle.kind}", bundle, took(partial(_replay, bundle)))
    _note(ran, passed, f"{DECIDE}, {bundle.kind}", bundle, took(partial(_decide, files)))
    _note(ran, passed, f"{HASH}, {bundle.kind}", bundle, took(partial(_hash, bundle.lines)))
    if bundle.signatures:
        _note(ran, passed, VERIFY, bundle, took(partial(_check, bundle.signatures)))


def _contenders() -> list[str]:
    """Return the verifiers that can be run here."""
    found = [name for name, (program, *_) in _VERIFIERS.items() if shutil.which(program)]
    for each in _VERIFIERS.keys() - set(found):
        say(f"{each} is left out: {_VERIFIERS[each][0]} is not installed")
    return found


def _ratios(measured: Collection[str]) -> list[tuple[str, str]]:
    """Return what is set beside what of all that was measured."""
    beside = {UNSIGNED: f"{HASH}, {UNSIGNED}", SIGNED: VERIFY}
    names = (*_VERIFIERS, REPLAY)
    pairs = [(f"{name}, {kind}", plain) for name in names for kind, plain in beside.items()]
    pairs += [(f"{DECIDE}, {kind}", f"{HASH}, {kind}") for kind in beside]
    return [(one, other) for one, other in pairs if one in measured]


def _about(bundle: Bundle) -> dict[str, Any]:
    return {
        "kind": bundle.kind,
        "events": len(bundle.lines),
        "signed": bundle.signed,
        "signatures": len(bundle.signatures),
        "bytes": bundle.path.stat().st_size,
    }


def _node() -> str:
    """Return the version of Node.js, or that it is missing."""
    if not shutil.which("node"):
        return "missing"
    found = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True)  # noqa: S607 - the user's
    return found.stdout.strip().removeprefix("v")


def _statement(last: bytes) -> bytes:
    """Return a line that states what has accrued before the month of the last line."""
    event = orjson.loads(last)
    month = moment(event["time"]).replace(day=1) - timedelta(days=1)
    data = {"period": f"{month:%Y-%m}"}
    return orjson.dumps(
        event | {"id": "statement", "type": "accord.IssueStatement", "party": OURS, "data": data}
    )


def _pins() -> Iterator[str]:
    return (f"party {each} {b64encode(signer(each).public).decode()}\n" for each in PARTIES)


def _signature(line: bytes) -> tuple[bytes, bytes, bytes]:
    read = dsse.read(orjson.loads(line))
    return signer(read.payload.party).public, read.message, read.signature


def _note(ran: Rates, passed: Rates, name: str, bundle: Bundle, seconds: Took) -> None:
    # All of them do what they do for these events, so all count as many.
    ran.add(name, len(bundle.lines), seconds.cpu)
    passed.add(name, len(bundle.lines), seconds.wall)


def _verified(name: str, bundle: Bundle) -> Took:
    verifier = [*_VERIFIERS[name], str(bundle.path.with_name(name))]
    start, before = perf_counter(), _children()
    done = subprocess.run(  # noqa: S603 - a verifier of ours
        [*verifier, bundle.path, "--policy", bundle.policy, "--pins", bundle.pins, "--json"],
        capture_output=True,
        check=False,
    )
    seconds = Took(perf_counter() - start, _children() - before)
    if done.returncode != (0 if bundle.signed else NOT_PINNED):
        raise ValueError(f"{name}: {done.stdout.decode()}{done.stderr.decode()}")
    return seconds


def _replay(bundle: Bundle) -> None:
    found = replay.replay(bundle.path, policy=bundle.policy, pins=bundle.pins)
    if found.differs or not found.complete or not found.statements:
        raise ValueError(f"{found.record}, {found.decided}, {found.statements}")


def _decide(files: Mapping[str, bytes]) -> None:
    log, _ = replay.read(files["data/events.jsonl"])
    replay.decide(log, files)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _hash(lines: Sequence[bytes]) -> None:
    for line in lines:
        sha256(line).digest()


def _check(signatures: Sequence[tuple[bytes, bytes, bytes]]) -> None:
    for public, message, signature in signatures:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


# --- printing ------------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> str:
    """Return what was measured as tables of Markdown."""
    machine = found["machine"]
    bundles = [
        (f"{each['events']:,}", f"{each['signed']:,}", f"{each['signatures']:,}",
         f"{each['bytes'] / 2**20:.1f} MiB", each["kind"])
        for each in found["bundles"]
    ]  # fmt: skip
    rates = [
        (f"{each['ran']:,}", f"{each['passed']:,}", name, AIMS.get(name, ""))
        for name, each in found["per_second"].items()
    ]
    ratios = [(f"{each['ratio']:.3f}", each["of"], each["to"]) for each in found["ratios"]]
    return f"""\
{machine["cores"]} cores under a load of {machine["load"]}, Python {machine["python"]}, \
cryptography {machine["cryptography"]}, Node.js {machine["node"]}.

{table(("events", "signed events", "signed commands", "size", "bundle"), bundles)}

{table(("events/s of CPU time", "events/s of time passed", "what", "aim"), rates)}

{table(("ratio", "of", "to"), ratios)}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its tables."""
    given = asked("python -m benchmarks.audit.verifying", __doc__, arguments)
    found = measure(600, 1) if given.quick else measure(30_000, 3)
    print(json.dumps(found, indent=2) if given.json else show(found))


if __name__ == "__main__":
    main()
