"""A store in which two parties sign, a witness cosigns, and a history is to be disputed.

It is made from the first feed of the examples: once a partner is chosen, both parties register a
key and sign whatever they send. Checkpoints are signed on the way, and cosigned by a real witness.
"""

import atexit
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache, partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import orjson

from benchmarks.audit.signing import covered, recorded
from domain import times
from domain.kernel import Act, Event
from domain.keyring import key_id
from domain.recorded import Recorded
from domain.values import instant
from infra.audit.notary import Notary, Seal
from infra.audit.witness import Known, Witness
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding import intake, pseudonyms
from infra.deciding.intake import Input
from infra.evidence.bundle import BundleRequest, export
from infra.settings import Settings
from infra.store.history import input_of
from infra.tlog import codec, dsse, keys
from infra.tlog.keys import Signer
from infra.tlog.merkle import leaf_hash
from infra.tlog.notes import Kind, Note, Verifier
from infra.tlog.policy import Policy
from tests.audit.logs import serving
from tests.documents import REPOSITORY
from tests.feeds import FEEDS, messages

CONSULTING = "growthos-consulting"
OPERATOR = "accord.example"
PARTIES = ("growthos", "northbridge")
SIGNERS = {party: Signer(sha256(party.encode()).digest()) for party in PARTIES}
WITNESS = Signer(b"w" * 32)
WITNESS_NAME = "witness.example"
WITNESSED = Verifier(WITNESS_NAME, Kind.COSIGNATURE, WITNESS.public)
EVERY = 60
"""Lines of the feed between two checkpoints."""

CHOSEN = "accord.ChoosePartner"
"""After this line there are two parties, and each registers a key."""

VERIFIERS = REPOSITORY / "infra" / "evidence" / "verifiers"
NODE = shutil.which("node")


# --- what the parties send ----------------------------------------------------------------------


@cache
def unsigned_events() -> list[Recorded]:
    """Return the events of the feed, as a store records them unsigned."""
    return recorded(messages(FEEDS[0]), CONSULTING)


def signed(event: dict[str, Any], *, by: Signer | None = None, **changed: Any) -> bytes:  # noqa: ANN401 - any member
    """Return an event as its party signs it; `changed` replaces members of the payload."""
    read = intake.read(orjson.dumps(event))
    if isinstance(read, Input):
        # It is signed as it will be recorded, with all that is left to its default.
        keys_ = {party: [key_id(each.public)] for party, each in sorted(SIGNERS.items())}
        author = read.envelope.party, read.envelope.time
        command = covered(read.envelope.data, unsigned_events(), author, keys_)
        data = command.model_dump(mode="json", exclude_none=True)
        event = event | {"time": instant(read.envelope.time), "data": data}
    expires = times.moment(event["time"]) + timedelta(days=1)
    payload = dsse.asked(event, OPERATOR, expires)
    nonce = sha256(event["id"].encode()).hexdigest()[:32]
    return dsse.sign(
        by or SIGNERS[event["party"]], payload.model_copy(update={"nonce": nonce} | changed)
    )


def registration(party: str, at: str, signer: Signer | None = None) -> dict[str, Any]:
    signer = signer or SIGNERS[party]
    proof = signer.sign(keys.possession(CONSULTING, party, signer.public))
    data = {"key": b64encode(signer.public).decode(), "proof": b64encode(proof).decode()}
    return {
        "specversion": "1.0",
        "id": f"key-of-{party}-{key_id(signer.public)}",
        "source": f"//{party}.example",
        "type": "accord.RegisterKey",
        "subject": CONSULTING,
        "time": at,
        "party": party,
        "actor": f"admin@{party}",
        "data": data,
    }


def feed() -> Iterator[bytes]:
    """Yield the feed, with keys, and with signatures from then on."""
    registered = False
    for raw in messages(FEEDS[0]):
        event = orjson.loads(raw)
        if not registered:
            yield raw
        elif "recordedtime" in event:
            # Who signs says when it happened; when it is recorded is the operator's to say.
            late = event.pop("recordedtime")
            yield _late(event, late)
        else:
            yield signed(event)
        if event["type"] == CHOSEN:
            registered = True
            for party in PARTIES:
                yield orjson.dumps(registration(party, event["time"]))


def _late(event: dict[str, Any], at: str) -> bytes:
    expires = times.moment(at) + timedelta(days=1)
    return signed(event | {"recordedtime": at}, expires=instant(expires))


# --- the store ----------------------------------------------------------------------------------


@dataclass
class World:
    """A store, who signs for it, and what was shown of it so far."""

    folder: Path
    witness: str | None = None
    """Where the witness answers."""
    shown: list[Note] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(store=f"sqlite:///{self.folder}/accord.db")

    @property
    def signer(self) -> Signer:
        return Signer.load(self.folder / "accord.db.key")

    @property
    def seal(self) -> Seal:
        """The operator's, whose time is that of the feed."""
        return Seal(OPERATOR, self.signer, None)

    @property
    def now(self) -> datetime:
        """The time of the checkpoint that was shown last."""
        at = self.seal.time(self.shown[-1])
        assert at
        return at

    @property
    def log(self) -> Verifier:
        return Verifier(f"{OPERATOR}/{CONSULTING}", Kind.NOTE, self.signer.public)

    @contextmanager
    def opened(self) -> Iterator[tuple[Accord, Notary]]:
        with bootstrap(self.settings) as accord:
            line = f"witness w {WITNESSED} {self.witness}\n" if self.witness else ""
            policy = Policy.read(f"{line}quorum {'w' if line else 'none'}\n")
            yield accord, Notary(accord.history, accord.trees, self.seal, policy)

    def copy(self, folder: Path) -> "World":
        """Return another store with the same content."""
        folder.mkdir(parents=True)
        with (
            closing(sqlite3.connect(self.folder / "accord.db")) as source,
            closing(sqlite3.connect(folder / "accord.db")) as target,
        ):
            source.backup(target)
        shutil.copy(self.folder / "accord.db.key", folder)
        return World(folder, self.witness, list(self.shown))

    def sql(self, *statements: str) -> None:
        """Do what somebody does who goes around the store."""
        with closing(sqlite3.connect(self.folder / "accord.db")) as connection:
            connection.create_function("leaf", 1, leaf_hash)
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def event(self, index: int) -> dict[str, Any]:
        with self.opened() as (accord, _):
            (body,) = accord.history.bodies(CONSULTING, index, index + 1)
        found: dict[str, Any] = orjson.loads(body)
        return found

    def find(self, wire: str) -> int:
        """Return the index of the first event of a type."""
        with self.opened() as (accord, _):
            return next(e.index for e in accord.history.of(CONSULTING) if e.event.wire == wire)

    def forge(self, *events: Recorded) -> None:
        """Record what was never decided, as an operator can who lies."""
        with self.opened() as (accord, _):
            accord.history.append(events)

    def forged(self, event: Event, party: str, **changed: Any) -> Recorded:  # noqa: ANN401 - any field
        """Return an event that seems to stand where the next one would."""
        with self.opened() as (accord, _):
            last = list(accord.history.of(CONSULTING))[-1]
            stream = changed.pop("stream", CONSULTING)
            version = len(accord.history.streams([stream])[stream]) + 1
        at = changed.pop("at", last.act.recorded_at)
        source, source_id = changed.pop("cause", (f"//{party}.example", f"forged-{version}"))
        act = Act(party, changed.pop("actor", f"admin@{party}"), at, at)
        recorded = Recorded(
            CONSULTING,
            stream,
            version,
            codec.event_id(party, source, source_id, changed.pop("ordinal", 0)),
            act,
            source,
            source_id,
            event,
        )
        for name, value in changed.items():
            setattr(recorded, name, value)
        return recorded

    def checkpoint(self) -> Note:
        with self.opened() as (_, notary):
            self.shown.append(notary.checkpoint(CONSULTING))
        return self.shown[-1]

    def bundle(self, name: str = "bundle.zip", **asked: Any) -> Path:  # noqa: ANN401 - as `BundleRequest`
        path = self.folder / name
        path.unlink(missing_ok=True)
        with self.opened() as (accord, notary):
            export(accord, notary, CONSULTING, BundleRequest("sam", "A dispute.", **asked), path)
        return path

    def policy(self, *, quorum: str = "w") -> str:
        """Return the policy of a party who trusts nobody but the witness."""
        return f"log {self.log}\nwitness w {WITNESSED}\nquorum {quorum}\n"

    def pinned(self, *lines: str) -> Path:
        """Return a file of pins, to be given with `--pins`."""
        path = self.folder / "pins"
        path.write_text("".join(f"{each}\n" for each in lines))
        return path


@contextmanager
def witnessing(folder: Path) -> Iterator[str]:
    """Run a witness of all this operator's logs; give its address."""
    world = World(folder)
    operator = Verifier(OPERATOR, Kind.NOTE, world.signer.public)
    witness = Witness(WITNESS_NAME, WITNESS, Known(operators=(operator,)))
    with serving(witness, folder / "witness.db") as url:
        yield url


def build(folder: Path) -> World:
    """Make the store, and play the feed into it; the witness must run for `cosigned`."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(folder)
    init(world.settings, simulated=True, operator=OPERATOR)
    return world


def play(world: World) -> None:
    """Play the feed, with a checkpoint every so many lines."""
    raws = list(feed())
    with world.opened() as (accord, notary):
        for start in range(0, len(raws), EVERY):
            outcomes = accord.service.handle(raws[start : start + EVERY])
            # The feed has what is refused, but nothing is for its signature.
            rules = {each.rule for each in outcomes if each.rule}
            assert not [each for each in rules if each.startswith(("command-", "must-be-signed"))]
            world.shown.append(notary.checkpoint(CONSULTING))


def erasing(
    accord: Accord, person: str, id: str = "erase", reason: str = "They asked for it."
) -> bytes:
    """Return the signed command by which a party erases a person, now."""
    history = accord.history
    named = pseudonyms.naming_events(history.bodies(CONSULTING), person)
    sent = pseudonyms.people(history, CONSULTING, [person]).get(person)
    gone = pseudonyms.gone_with(sent, named, history.kept(pseudonyms.COMMAND, CONSULTING))
    data = {"person": person, "reason": reason, "commands": gone}
    event = registration(PARTIES[1], instant(history.heads([CONSULTING])[CONSULTING].recorded_at))
    return signed(event | {"id": id, "type": "accord.ErasePerson", "data": data})


def receipt_of(accord: Accord, index: int) -> str:
    """Return the receipt for the input of an event."""
    (event,) = accord.history.of(CONSULTING, index, index + 1)
    assert accord.receipts
    return str(accord.receipts.again([input_of(event)])[input_of(event)])


# --- verifiers ----------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What a verifier says: verified or not, the fault's code and index."""

    verdict: str
    code: str | None = None
    at: int | None = None


VERIFIED = Verdict("RECORD VERIFIED")
CONSISTENT = Verdict("CONSISTENT, NOT PINNED")


EXIT_CODES = {"RECORD VERIFIED": 0, "CONSISTENT, NOT PINNED": 4, "FAULT": 3}


def fault(code: str, at: int | None = None) -> Verdict:
    return Verdict("FAULT", code, at)


def told(command: Sequence[str | Path], bundle: Path, *given: str | Path) -> dict[str, Any]:
    """Run a verifier as its user does, with nothing of this project; give what it says."""
    done = subprocess.run(
        [*command, bundle, *given, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=bundle.parent,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == EXIT_CODES[found["verdict"]], done.stderr
    return found


PYTHON: tuple[str | Path, ...] = (sys.executable, "-I", VERIFIERS / "verify.py")
SCRIPT: tuple[str | Path, ...] = (NODE or "node", VERIFIERS / "verify.mjs")


def imported() -> ModuleType:
    """Return the one verifier as a module, as nothing of this project would find it."""
    spec = importlib.util.spec_from_file_location("accord_verify", VERIFIERS / "verify.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # A module that defines dataclasses must be findable while it is made.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


HARNESS = """
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createInterface } from "node:readline";
const [check, known] = [crypto.verify, new Map()];
crypto.verify = (algorithm, data, key, signature) => {
  const { x } = key.export({ format: "jwk" });
  const name = `${x} ${signature.toString("base64")} ${crypto.hash("sha256", data)}`;
  if (!known.has(name)) known.set(name, check(algorithm, data, key, signature));
  return known.get(name);
};
syncBuiltinESMExports();
const { asText, canonical, verify } = await import(process.argv[1]);
for await (const line of createInterface({ input: process.stdin })) {
  const { path, receipts: receipt = [], not_before: before, ...given } = JSON.parse(line);
  let said = ["MISUSE"];
  try {
    const found = verify(readFileSync(path), { ...given, receipt, "not-before": before });
    said = [canonical(found), asText(found)];
  } catch (error) {
    if (error.constructor.name !== "Misuse") throw error;
  }
  process.stdout.write(`${JSON.stringify(said)}\\n`);
}
"""

Said = list[str]
"""What a verifier says: the whole object as canonical JSON, and the text that it prints."""


@contextmanager
def scripted() -> Iterator[Callable[..., Said]]:
    """Run the one verifier as one process for all bundles, which checks a signature once."""
    where = (VERIFIERS / "verify.mjs").as_uri()
    command = [NODE or "node", "--input-type=module", "-e", HARNESS, where]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield partial(_asked, process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(10) == 0


def _asked(stdin: IO[str], stdout: IO[str], path: Path, **given: object) -> Said:
    stdin.write(f"{json.dumps({'path': path, **given}, default=str)}\n")
    stdin.flush()
    said: Said = json.loads(stdout.readline())
    return said


def said_by(python: ModuleType, raw: bytes, **given: Any) -> Said:  # noqa: ANN401 - a reader's files
    """Return what the other verifier says."""
    try:
        found = python.verify(raw, **given)
    except python.Misuse:
        return ["MISUSE"]
    return [python.canonical(found).decode(), python.as_text(found)]


def said_alone(verifier: Sequence[str | Path], bundle: Path, given: Mapping[str, Any]) -> Said:
    """Return what a verifier says as a process that its user starts for this bundle alone."""
    options: list[object] = []
    for name, value in given.items():
        option = "--" + name.removesuffix("s" if name == "receipts" else "").replace("_", "-")
        for each in value if isinstance(value, list) else [value]:
            options += [option, each]
    said = []
    for form in (["--json"], []):
        command = [*map(str, (*verifier, bundle, *options, *form))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 2:
            return ["MISUSE"]
        assert done.returncode in EXIT_CODES.values(), done.stderr
        said.append(done.stdout)
    return [said[0].removesuffix("\n"), said[1]]


def verdict(bundle: Path, policy: str, *given: str | Path) -> Verdict:
    """Return what both verifiers say; they must say the same, word for word.

    They are asked as `told` would with these options, without a process for each bundle.
    """
    pinned = bundle.with_suffix(".policy")
    pinned.write_text(policy)
    python, script = both()
    read = {"policy": pinned, **_read(given)}
    one, other = said_by(python, bundle.read_bytes(), **read), script(bundle, **read)
    assert one == other
    found = orjson.loads(one[0])
    return Verdict(found["verdict"], found["code"], found["index"])


def _read(given: Sequence[str | Path]) -> dict[str, Any]:
    """Return options of the command line as a verifier takes them from a program."""
    found: dict[str, Any] = {"seen": [], "receipts": []}
    for option, value in zip(given[::2], given[1::2], strict=True):
        match option:
            case "--seen" | "--receipt":
                found["seen" if option == "--seen" else "receipts"].append(Path(value))
            case "--pins":
                found["pins"] = Path(value)
            case "--not-before":
                found["not_before"] = value
            case _:
                raise AssertionError(option)
    return found


@cache
def both() -> tuple[ModuleType, Callable[..., Said]]:
    """Return both verifiers, which run until all tests ended and check a signature once."""
    script = scripted()
    atexit.register(script.__exit__, None, None, None)
    python = imported()
    vars(python)["ed25519_verify"] = lru_cache(1 << 16)(python.ed25519_verify)
    return python, script.__enter__()


def rewritten(bundle: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Return a bundle whose files were changed, with manifests that say nothing of it."""
    with ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    path = bundle.with_name(f"rewritten-{bundle.name}")
    path.write_bytes(zipped(files))
    return path


def zipped(files: dict[str, bytes]) -> bytes:
    """Return files as a bag whose manifests fit them."""
    files = dict(files)
    payload = {name: data for name, data in files.items() if name.startswith("data/")}
    files["manifest-sha256.txt"] = _manifest(payload)
    made = BytesIO()
    # The manifest is of the files under data/ alone.
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def _manifest(files: dict[str, bytes]) -> bytes:
    lines = (f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return "".join(lines).encode()


def moment(text: str) -> datetime:
    return times.moment(text)
