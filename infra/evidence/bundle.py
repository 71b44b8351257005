"""Evidence bundles: a ZIP file with which a counterparty checks the record offline.

`verifiers/FORMAT.md` specifies its content and what a verifier does with it. Tests check this
module and both verifiers against that page.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import MappingProxyType
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson
from pydantic import ValidationError

from domain.adoption import AdoptionProposed
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.kernel import Event
from domain.keyring import (
    KeyRecovered,
    KeyRegistered,
    KeyRevoked,
    KeyRotated,
    SignaturesRequired,
)
from domain.people import PersonErased
from domain.recorded import Recorded
from domain.settlement import FinalSettlementIssued, StatementIssued
from domain.values import instant
from domain.viewing import BundleExported
from infra.answers import explain, statement
from infra.answers.inputs import sees
from infra.answers.issued import NOT_ASKED_FOR, PRIVATE
from infra.answers.logs import AsOf, NotFound, Row, sight_of, size_of
from infra.answers.statement_state import State
from infra.audit.log import Altered, Log
from infra.audit.notary import Notary
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import COMMAND, PERSON, person_in
from infra.evidence import files, inputs
from infra.files import opened_for_owner
from infra.store.history import Refusal, Waiting
from infra.tlog import codec
from infra.tlog.merkle import leaf_hash
from infra.tlog.notes import Checkpoint, Note, tlog_proof
from projections import ALERTS
from projections.fold import replay
from projections.visibility import SharedSight, Sight, Viewer

FORMAT: Final = "accord-bundle/1"

_UNIX: Final = 3
"""The system that each entry of the ZIP file names, on which system ever it is written."""

BAGIT: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

_ALWAYS_SHOWN = (
    AdoptionProposed,
    ExplorationBegun,
    KeyRecovered,
    KeyRegistered,
    KeyRotated,
    KeyRevoked,
    PartnerChosen,
    PersonErased,
    SignaturesRequired,
)
"""Events that are in every bundle, because they name the parties, because signatures are checked
with them, or because they list what was erased."""

_UNREADABLE = (ValueError, KeyError, TypeError, ValidationError)
"""The errors of an event that was altered, or that a newer release wrote."""

NEEDED: Final = (
    "bundle.json",
    "checkpoints.jsonl",
    "commands.jsonl",
    "events.jsonl",
    "people.jsonl",
    "policy.txt",
    "rejected.jsonl",
    "request.json",
    "waiting.jsonl",
)
"""The files of every bundle, beside the guides."""

GUIDES: Final = ("FORMAT.md", "rules.json", "verify.mjs", "verify.py")
"""The format, the verifiers and what they read: a part of every bundle."""

_NAMED = re.compile(rb'"(person:[0-9a-f]{64})"')
"""A commitment to a name in the bytes of an event."""

_IN_MEMORY = 64 << 20
"""The most bytes of lines that are not written to a temporary file."""

_LAST = ("manifest-sha256.txt", "bagit.txt")
"""The files that are written last."""

TIMESTAMP = "timestamp"
"""The kind of an authority's answer; the key is the size of the checkpoint."""


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """The request for a bundle: for whom and for what purpose, and which part of the log.

    A `party` sees its own view; without one, only what both parties see is shown. Events recorded
    before `start` or after `end` are included as hashes only.
    """

    by: str
    reason: str
    party: str | None = None
    statement: str | None = None
    alert: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    files: Path | None = None
    """A folder with files that events name by their SHA-256: those that are named are included."""
    readable: bool = False
    """Whether a bundle is refused, and not recorded, that is larger than a verifier reads."""


class TooLarge(Exception):
    """Raised before the export is recorded of a bundle that no verifier reads."""


@dataclass(slots=True)
class Exported:
    """What a bundle contains: how much, up to which event, and what is wrong with the store."""

    size: int
    withheld: int = 0
    files: int = 0
    """How many files it has that its events name."""
    warning: str | None = None
    too_large: str | None = None
    """Why no verifier reads it, if it is larger than one does."""


def export(
    accord: Accord, notary: Notary, partnership: str, asked: BundleRequest, path: Path
) -> Exported:
    """Write the evidence bundle of a partnership to a new file that only its owner can read.

    The export itself is recorded first. If the store was altered after it was signed, the altered
    events are exported with the last checkpoints, a warning says what is wrong, and a verifier will
    find it. Raises `NotFound`, `FileExistsError`, `TooLarge`.
    """
    # Check that everything exists before recording or writing anything.
    size_of(accord.history, partnership)
    _sight(accord, partnership, asked.party)
    if asked.statement:
        found = statement.ask(accord, partnership, asked.statement).statements
        if all(each.state is State.OPEN for each in found):
            raise NotFound(
                f"{partnership} has no statement {asked.statement}.",
                f"List the issued ones: accord statements {partnership}.",
            )
    if asked.alert:
        explain.ask(accord, asked.alert)
    bundle = _Bundle(accord, notary, partnership, asked)
    with opened_for_owner(path, "xb") as file:
        try:
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                bundle.write(bag := _Bag(archive))
        except BaseException:
            # A partial bundle would look like a tampered one.
            path.unlink()
            raise
    packed = path.stat().st_size
    bundle.exported.too_large = _too_large(packed=packed, unpacked=bag.size, entries=bag.entries)
    return bundle.exported


def _too_large(**sizes: int) -> str | None:
    """Return which limit of the format a bundle is above, if it is; a verifier refuses it."""
    for name, (most, what) in limits().items():
        if sizes.get(name, 0) > most:
            return f"It has {sizes[name]:,} {what}, and a verifier reads at most {most:,}."
    return None


def limits() -> dict[str, tuple[int, str]]:
    """Return how large a bundle can be for a verifier to read it, each with its unit in words."""
    most = orjson.loads(guides()["rules.json"])["limits"]
    words = {"unpacked": "bytes unpacked", "packed": "bytes", "entries": "files"}
    return {name: (most[name], what) for name, what in words.items()}


class _Bag:
    """A BagIt bag (RFC 8493) that is being written: each file with its checksum."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.sums: dict[str, str] = {}
        self.size = self.entries = 0
        """The bytes and the files that were written."""

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Return a writer to a file of the bag."""
        digest = sha256()
        # The bag itself has the time of writing; the archive's times are constant.
        info = ZipInfo(name)
        info.compress_type = ZIP_DEFLATED
        info.create_system = _UNIX
        with self._archive.open(info, "w") as target:

            def write(data: bytes) -> None:
                self.size += len(data)
                digest.update(data)
                target.write(data)

            yield write
        self.entries += 1
        self.sums[name] = digest.hexdigest()

    def put(self, name: str, data: bytes) -> None:
        """Write a whole file."""
        with self.file(name) as write:
            write(data)

    def lines(self, name: str, rows: Iterable[Row]) -> None:
        """Write a file of canonical JSON, one row a line."""
        with self.file(name) as write:
            for row in rows:
                write(codec.canonical(row) + b"\n")


def _manifest(sums: Mapping[str, str]) -> bytes:
    """Return a line for each file: its checksum and its name."""
    return "".join(f"{sums[each]}  {each}\n" for each in sorted(sums)).encode()


@dataclass(slots=True)
class _Bundle:
    accord: Accord
    notary: Notary
    partnership: str
    asked: BundleRequest
    exported: Exported = field(init=False)
    custody: Recorded | None = field(init=False, default=None)
    events: list[Recorded] = field(init=False, default_factory=list)
    """All events that can be read."""
    shown: list[Recorded] = field(init=False, default_factory=list)
    lines: SpooledTemporaryFile[bytes] = field(init=False)
    """The lines of the events before that of the export."""
    read: int = field(init=False, default=0)
    """The number of these events."""
    withheld: int = field(init=False, default=0)
    """How many of the events read are withheld."""
    private: int = field(init=False, default=0)
    """How many of the withheld events are private."""
    with_events: dict[str, bytes] = field(init=False, default_factory=dict)
    """The files with the signed commands and the people that these events name."""
    files: dict[str, bytes] = field(init=False)
    """The files that the bundle brings, by digest."""

    def __post_init__(self) -> None:
        self.files = self._named_files()

    def write(self, bag: _Bag) -> None:
        """Write all of it."""
        self._write_beside(bag)
        with SpooledTemporaryFile(_IN_MEMORY) as self.lines:
            notes = self._sealed(bag)
            self._write_events(bag)
        for name, data in self.with_events.items():
            bag.put(name, data)
        self._write_log(bag, notes)
        if self.custody:
            self._write_proofs(bag, notes[-1])
        manifest, bagit = _LAST
        bag.put(manifest, _manifest(bag.sums))
        bag.put(bagit, BAGIT)

    # --- the request and the events ---

    def _sealed(self, bag: _Bag) -> list[Note]:
        """Record the export and all that it shows; return the checkpoints up to then.

        The checksums of what was written are recorded, and what the log shows is added.
        """
        history, asked = self.accord.history, self.asked
        exported = BundleExported(reason=asked.reason, party=asked.party)

        def event(actor: str, fresh: Mapping[str, bytes]) -> BundleExported:
            nonlocal exported
            sums = self._read(size_of(history, self.partnership), actor, fresh)
            if self.asked.readable and (why := self._too_large(bag, [*sums, *_LAST])):
                raise TooLarge(why)
            digest = sha256(_manifest({**bag.sums, **sums})).hexdigest()
            exported = exported.model_copy(update={"files": digest, "withheld": self.private})
            return exported

        try:
            # Do not append to an altered log.
            self._log().grow()
            before = size_of(history, self.partnership)
            self.accord.service.record_own(self.partnership, asked.by, event)
            recorded = history.of(self.partnership, before)
            self.custody = next(each for each in recorded if each.event == exported)
            size = Checkpoint.read(self.notary.checkpoint(self.partnership).text).size
        except Altered as error:
            size = self._intact()
            self._read(size)
            self.exported = Exported(size, warning=str(error))
        else:
            self.exported = Exported(size)
        self.exported.withheld = self.withheld
        self.exported.files = len(self.files)
        return [Note.read(each) for each in self.accord.trees.checkpoints(self.partnership)]

    def _too_large(self, bag: _Bag, names: Collection[str]) -> str | None:
        """Return which limit the bundle will be above, as far as it is known before the export."""
        beside = sum(map(len, self.with_events.values()))
        size = bag.size + self.lines.tell() + beside
        return _too_large(unpacked=size, entries=bag.entries + len(names))

    def _intact(self) -> int:
        """Return the size of the last checkpoint, against which the events can be checked."""
        last = self.notary.latest(self.partnership)
        return Checkpoint.read(last.text).size if last else 0

    def _read(
        self, size: int, actor: str = "", fresh: Mapping[str, bytes] = MappingProxyType({})
    ) -> dict[str, str]:
        """Take the lines of the first events, and what goes with them; return their checksums.

        `actor` is the commitment of who exports it, and `fresh` are names that are not stored yet.
        """
        self.events, self.shown, self.read = [], [], size
        self.withheld = self.private = 0
        self.lines.seek(0)
        self.lines.truncate()
        sight = _sight(self.accord, self.partnership, self.asked.party)
        named, digest, written = {actor}, sha256(), 0
        for index, body, leaf in self.accord.history.entries(self.partnership, 0, size):
            why, line = self._why_not(sight, index, body, leaf), body
            if why is None:
                named.update(map(bytes.decode, _NAMED.findall(body)))
            else:
                line = _withheld(why, leaf)
                self.withheld += 1
                self.private += why == PRIVATE
            # A deleted event leaves a gap, which a verifier reports.
            text = b"{}\n" * (index - written) + line + b"\n"
            self.lines.write(text)
            digest.update(text)
            written = index + 1
        self.with_events = {
            "data/commands.jsonl": b"".join(self._commands()),
            "data/people.jsonl": b"".join(self._people(named, fresh)),
        }
        sums = {name: sha256(data).hexdigest() for name, data in self.with_events.items()}
        return {**sums, "data/events.jsonl": digest.hexdigest()}

    def _write_events(self, bag: _Bag) -> None:
        entries = self.accord.history.entries(self.partnership, self.read, self.exported.size)
        with bag.file("data/events.jsonl") as write:
            self.lines.seek(0)
            for line in self.lines:
                write(line)
            for index, body, leaf in entries:
                # What others recorded before the checkpoint is not in the digest of the export.
                is_export = self.custody is not None and index == self.custody.index
                self.exported.withheld += not is_export
                write((body if is_export else _withheld(NOT_ASKED_FOR, leaf)) + b"\n")

    def _why_not(
        self, sight: Sight | SharedSight, index: int, body: bytes, leaf: bytes
    ) -> str | None:
        """Return why an event is not shown, or nothing if it is."""
        try:
            recorded = codec.decode(body, index=index)
        except _UNREADABLE as error:
            if isinstance(error, codec.UnknownEvent) and leaf_hash(body) == leaf:
                return PRIVATE  # A newer release wrote it, so this one cannot tell.
            return None  # Export the altered event, so that a verifier reports it.
        self.events.append(recorded)
        if not sight.shows(recorded) or sight.fewer_than(recorded):
            return PRIVATE  # Even out of range: that would tell when it was recorded.
        if not self._is_asked_for(recorded):
            return NOT_ASKED_FOR
        self.shown.append(recorded)
        return None

    def _is_asked_for(self, recorded: Recorded) -> bool:
        if isinstance(recorded.event, _ALWAYS_SHOWN):
            return True
        start, end, moment = self.asked.start, self.asked.end, recorded.act.recorded_at
        return (start is None or start <= moment) and (end is None or moment <= end)

    def _request(self) -> Row:
        asked = self.asked
        return {
            "by": asked.by,
            "reason": asked.reason,
            "for": asked.party,
            "statement": asked.statement,
            "alert": asked.alert,
            "from": asked.start and instant(asked.start),
            "to": asked.end and instant(asked.end),
            "simulated": self.accord.simulated,
        }

    # --- proofs ---

    def _log(self) -> Log:
        return self.notary.log(self.partnership)

    def _write_log(self, bag: _Bag, notes: list[Note]) -> None:
        """Write what the log became by the export: its size and its checkpoints."""
        about = {
            "format": FORMAT,
            "origin": self.notary.seal.origin(self.partnership),
            "partnership": self.partnership,
            "size": self.exported.size,
        }
        bag.lines("data/bundle.json", [about])
        bag.lines("data/checkpoints.jsonl", ({"note": str(note)} for note in notes))

    def _write_proofs(self, bag: _Bag, last: Note) -> None:
        """Write complete proofs of the requested events."""
        for index in sorted(self._in_question()):
            path = self._log().inclusion(index, self.exported.size)
            proof = tlog_proof(index, path, last)
            bag.put(f"data/proofs/{index}.tlog-proof", proof.encode())

    def _in_question(self) -> set[int]:
        asked = self.asked
        stated = {each.index for each in self.events if asked.statement in _names(each.event)}
        # An alert can be computed only from the whole log.
        if asked.alert is None or len(self.events) < self.read:
            return stated
        outputs = replay(ALERTS, self.events).outputs
        return stated | {index for output, index in outputs if output.body.id == asked.alert}

    # --- data outside the log ---

    def _write_beside(self, bag: _Bag) -> None:
        """Write the files whose digest is in the event of the export."""
        bag.lines("data/request.json", [self._request()])
        bag.lines("data/rejected.jsonl", map(inputs.row, self._rejected()))
        bag.lines("data/waiting.jsonl", map(inputs.row, self._waiting()))
        for digest, data in self.files.items():
            bag.put(f"data/files/{digest}", data)
        bag.put("data/policy.txt", self.notary.policy_of(self.partnership).encode())
        for key, token in self.accord.history.kept(TIMESTAMP, self.partnership).items():
            bag.put(f"data/timestamps/{key}.tsr", token)
        for kind in sorted(self._kinds(), key=lambda each: each.wire):
            bag.lines(f"data/schemas/{kind.wire}.json", [_schema(kind)])
        for name, data in guides().items():
            bag.put(f"data/{name}", data)

    def _named_files(self) -> dict[str, bytes]:
        """Return the files of the folder that an event of the bundle names, by digest."""
        if self.asked.files is None:
            return {}
        sight = _sight(self.accord, self.partnership, self.asked.party)
        named = {
            digest
            for each in _readable(self.accord, self.partnership)
            if sight.shows(each) and self._is_asked_for(each)
            for digest, _ in files.named(each.event)
        }
        return files.found(self.asked.files, named)

    def _kinds(self) -> set[type[Event]]:
        """Return the kinds of event that the bundle shows."""
        sight = _sight(self.accord, self.partnership, self.asked.party)
        readable = _readable(self.accord, self.partnership)
        return {type(each.event) for each in readable if sight.shows(each)} | {BundleExported}

    def _commands(self) -> Iterator[bytes]:
        """Return the signed commands that the shown events name; an erased one is not there."""
        kept = self.accord.history.kept(COMMAND, self.partnership)
        for digest in sorted({each.signed for each in self.shown if each.signed}):
            if digest in kept:
                yield kept[digest] + b"\n"

    def _people(self, named: Iterable[str], fresh: Mapping[str, bytes]) -> Iterator[bytes]:
        """Return the names of the people that the shown events name, a line each."""
        kept = {**self.accord.history.kept(PERSON, self.partnership), **fresh}
        erased = {e.event.person for e in self.events if isinstance(e.event, PersonErased)}
        for each in sorted(kept.keys() & {*named} - erased):
            # A damaged name is left out.
            if person_in(self.partnership, each, kept[each]):
                yield codec.canonical({"commitment": each, **orjson.loads(kept[each])}) + b"\n"

    def _rejected(self) -> Iterator[Refusal]:
        number = 0
        while page := self.accord.history.refusals(state=None, after=number):
            yield from filter(self._sent, page)
            number = page[-1].number

    def _waiting(self) -> Iterator[Waiting]:
        return filter(self._sent, self.accord.history.waiting([self.partnership]))

    def _sent(self, each: Refusal | Waiting) -> bool:
        """Whether the party that the bundle is for sent an input: nobody else sees it."""
        if self.asked.party is None:
            return False
        names = frozenset({self.partnership})
        return sees(Viewer(self.asked.party, partnerships=names), each)


def _withheld(why: str, leaf: bytes) -> bytes:
    """Return the line of an event that is not shown."""
    return codec.canonical({"why": why, "withheld": leaf.hex()})


def _sight(accord: Accord, partnership: str, party: str | None) -> Sight | SharedSight:
    """Return what a party sees, or both without one. Raises `NotFound` for no party of it."""
    if party is None:
        return SharedSight.of(_readable(accord, partnership))
    return sight_of(accord.history, partnership, AsOf(viewer=Viewer(party)), figures=False)


def _readable(accord: Accord, partnership: str) -> Iterator[Recorded]:
    # An altered log is exported, too, so that a verifier finds what is wrong with it.
    size = size_of(accord.history, partnership)
    for index, body, _ in accord.history.entries(partnership, 0, size):
        with suppress(*_UNREADABLE):
            yield codec.decode(body, index=index)


def _names(event: Event) -> tuple[str, ...]:
    """Return the names by which a statement can be asked for that an event issued."""
    match event:
        case StatementIssued(statement=name, period=period):
            return name, period
        case FinalSettlementIssued(settlement=name):
            return name, *(balance for balance, _ in event.by_name())
        case _:
            return ()


@cache
def _schema(kind: type[Event]) -> Row:
    # Schemas took more than half of the time of an export.
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **kind.model_json_schema(mode="serialization"),
    }


def guides() -> dict[str, bytes]:
    """Return the verifiers and the format, which are in every bundle."""
    folder = resources.files("infra.evidence") / "verifiers"
    return {name: (folder / name).read_bytes() for name in GUIDES}
