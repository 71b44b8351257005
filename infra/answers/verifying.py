"""Whether the views are what the history says, and the history what it was written as."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from domain import keyring
from domain.kernel import Event, Refused
from domain.keyring import KeyRegistered, Keyring
from domain.recorded import Recorded
from infra.audit.log import Log
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import COMMAND
from infra.projecting.runner import Replayed, partnerships, replay_all
from infra.store.records import NOTHING
from infra.tlog import codec, dsse, merkle
from infra.tlog.merkle import Tree, leaf_hash
from infra.tlog.notes import Checkpoint, Malformed, Note
from projections import PROJECTIONS, VERSIONS

OUTPUTS = "outputs"
"""Under this name a difference speaks of what a projection said, beside its rows."""

_ATTEMPTS = 5
"""How often a partnership that is written to meanwhile is looked at again."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the history says: where, what is stored, what it should be."""

    partnership: str
    where: str
    """The projection, or ``history``."""
    key: str
    """The row or output, the event's place, or what was counted."""
    stored: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True)
class Checked:
    """One partnership that was looked at."""

    partnership: str
    events: int
    rows: int
    difference: Difference | None = None


class Memory:
    """What an auditor found good before, in a file of its own: the size and root of each log.

    It is not kept in the store, because whoever can alter that could alter this with it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._good: dict[str, tuple[int, bytes]] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                name, size, root = line.split(" ")
                self._good[name] = int(size), bytes.fromhex(root)

    def of(self, partnership: str) -> tuple[int, bytes]:
        """Give how many events of a log were good, and their root; none where it is not known."""
        return self._good.get(partnership, (0, merkle.EMPTY))

    def remember(self, partnership: str, tree: Tree) -> None:
        """Keep that a log was good so far; at once, so that a run that is ended can go on."""
        self._good[partnership] = tree.size, tree.root()
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{partnership} {tree.size} {tree.root().hex()}\n")


def verify(accord: Accord, memory: Memory | None = None) -> Iterator[Checked]:
    """Rebuild every view from the history and compare; end at the first difference.

    Views that are merely behind are caught up first. Each stored event is hashed and must be what
    was noted when it was recorded; it is read and written again, which must give the stored bytes;
    places must be without gaps; what a party signed must be by a key of its own; and the roots that
    were signed must be those of the events. What `memory` knows to be good is not hashed again, but
    must still have the same root.
    """
    memory = memory or Memory()
    accord.catch_up()
    size, events = accord.history.size(), 0
    for name in partnerships(accord.history):
        checked = _settled(accord, name, memory)
        yield checked
        if checked.difference:
            return
        events += checked.events
    if events < size:
        missing = Difference("", "history", "events", events, size)
        yield Checked("", 0, 0, missing)


def _settled(accord: Accord, partnership: str, memory: Memory) -> Checked:
    """Check a partnership; if it differs and was written to meanwhile, look again."""
    size = accord.history.heads([partnership])[partnership].size
    checked = _check(accord, partnership, size, memory)
    for _ in range(_ATTEMPTS):
        now = accord.history.heads([partnership])[partnership].size
        if not checked.difference or now == size:
            break
        accord.runner.catch_up()
        size, checked = now, _check(accord, partnership, now, memory)
    return checked


def _check(accord: Accord, partnership: str, size: int, memory: Memory) -> Checked:
    reading = _Reading(accord, partnership, size, memory)
    replayed = replay_all(PROJECTIONS, reading.events())
    difference = reading.difference or next(_differences(accord, partnership, replayed), None)
    rows = sum(len(folded.rows) for _, folded in replayed.folded)
    if not difference:
        memory.remember(partnership, reading.tree)
    return Checked(partnership, reading.read, rows, difference)


class _Signatures:
    """What parties signed, as far as it is kept: each by a key that was active at its place."""

    def __init__(self, accord: Accord, partnership: str) -> None:
        self._kept = accord.history.kept(COMMAND, partnership)
        self._keyring = Keyring()

    def wrong(self, recorded: Recorded) -> str | None:
        """Give what is wrong with the signature of an event, and take it into account."""
        found = self._wrong(recorded) if recorded.signed else None
        self._keyring = keyring.evolve(self._keyring, recorded.event, recorded.act)
        return found

    def _wrong(self, recorded: Recorded) -> str | None:
        body = self._kept.get(recorded.signed or "")
        if body is None:
            return None  # It was erased with a person whom it named.
        try:
            signed = dsse.read(orjson.loads(body))
        except (Refused, ValueError) as error:
            return f"a signed command: {error}"
        held = self._keyring.of(recorded.act.party).get(signed.keyid)
        first = recorded.event if isinstance(recorded.event, KeyRegistered) else None
        active = held.added if held and held.active else None if held else first
        if signed.digest != recorded.signed or active is None or not signed.by(active.public):
            return f"a command that {recorded.act.party} signed with a key that was active"
        return None


class _Reading:
    """Reads a partnership's stored bytes, and notes the first that are not as they were written."""

    def __init__(self, accord: Accord, partnership: str, size: int, memory: Memory) -> None:
        self._entries = accord.history.entries(partnership, 0, size)
        self._partnership = partnership
        self._size = size
        self.read = 0
        self.difference: Difference | None = None
        self._signatures = _Signatures(accord, partnership)
        self._good, root = memory.of(partnership)
        self.tree = Log(accord.history, accord.trees, partnership).at(min(self._good, size))
        self._signed = self._checkpoints(accord)
        if self.tree.root() != root:
            self._differs(self._good, self.tree.root().hex(), root.hex())

    def _checkpoints(self, accord: Accord) -> dict[int, bytes]:
        """Give the roots that were signed, by size; note the first that is not signed as it is."""
        signed: dict[int, bytes] = {}
        key = accord.notary.seal.verifier(self._partnership) if accord.notary else None
        for text in accord.trees.checkpoints(self._partnership):
            try:
                note = Note.read(text)
                checkpoint = Checkpoint.read(note.text)
            except Malformed as error:
                self._differs(0, text, f"a checkpoint: {error}")
                break
            if key and note.by(key) is None:
                self._differs(checkpoint.size, text, f"a checkpoint signed by {key}")
                break
            signed[checkpoint.size] = checkpoint.root
        return signed

    def events(self) -> Iterator[Recorded]:
        """Give the events up to the first that cannot be what was written."""
        if self.difference:
            return
        for index, body, leaf in self._entries:
            if index != self.read:
                break
            recorded = self._checked(body, leaf)
            if recorded is None:
                return
            self.read += 1
            yield recorded
        last = max([self._size, *self._signed])
        if self.read < last:
            self._differs(self.read, None, f"one of {last} events")

    def _checked(self, body: bytes, leaf: bytes) -> Recorded | None:
        """Give the event that is stored, if it is what was written."""
        try:
            recorded = codec.decode(body, index=self.read)
        except (ValueError, KeyError, ValidationError) as error:
            self._differs(self.read, body, f"an event that can be read: {error}")
            return None
        unsigned = self._signatures.wrong(recorded)
        if self.read < self._good:
            return recorded
        again = codec.encode(recorded)
        if again != body and not _is_of_old(body):
            self._differs(self.read, body, again.decode())
        elif recorded.partnership != self._partnership:
            self._differs(self.read, recorded.partnership, self._partnership)
        elif unsigned:
            self._differs(self.read, body, unsigned)
        elif leaf_hash(body) != leaf:
            self._differs(self.read, body, f"an event whose hash is {leaf.hex()}")
        else:
            self.tree.add(leaf)
            root = self._signed.get(self.tree.size)
            if root is not None and root != self.tree.root():
                signed = f"{root.hex()}, which was signed over {self.tree.size} events"
                self._differs(self.read, self.tree.root().hex(), signed)
        return None if self.difference else recorded

    def _differs(self, index: int, stored: bytes | str | None, rebuilt: str) -> None:
        shown = stored.decode(errors="replace") if isinstance(stored, bytes) else stored
        self.difference = Difference(
            self._partnership, "history", f"{self._partnership}#{index}", shown, rebuilt
        )


def _is_of_old(body: bytes) -> bool:
    """Whether an event is of a former version, which is written again as the newest."""
    envelope = orjson.loads(body)
    return bool(envelope["schema_version"] < Event.registry[envelope["type"]].version)


def _differences(accord: Accord, partnership: str, replayed: Replayed) -> Iterator[Difference]:
    views = accord.views
    said, of_older_folds = _said(accord, partnership)
    for projection, folded in replayed.folded:
        name = projection.name
        position = views.positions(name, [partnership]).get(partnership, NOTHING)
        if position != replayed.last:
            yield Difference(partnership, name, "position", position, replayed.last)
        stored = dict(views.select(name, partnership))
        rows = {key: projection.dump(key, row) for key, row in folded.rows.items()}
        yield from _compared(partnership, name, "", stored, rows)
        rebuilt = {
            output.id: _output(output.kind, projection.dump(output.id, output.body), index)
            for output, index in folded.outputs
            if output.id not in of_older_folds
        }
        yield from _compared(partnership, name, f"{OUTPUTS} ", said.get(name, {}), rebuilt)


def _compared(
    partnership: str, where: str, kind: str, stored: dict[str, Any], rebuilt: dict[str, Any]
) -> Iterator[Difference]:
    for key in sorted({*stored, *rebuilt}):
        one, other = stored.get(key), rebuilt.get(key)
        if one is None or other is None or codec.canonical(one) != codec.canonical(other):
            yield Difference(partnership, where, f"{kind}{key}", one, other)


def _said(accord: Accord, partnership: str) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Return each projection's outputs about a partnership, by identifier.

    Outputs of an older version of a fold are returned by their identifiers alone: they were
    published, and the fold of this release may not make them.
    """
    said: dict[str, dict[str, Any]] = {}
    of_older_folds: set[str] = set()
    number = 0
    while page := accord.views.outputs(number, partnership=partnership):
        for each in page:
            if each.version < VERSIONS.get(each.projection, 1):
                of_older_folds.add(each.id)
            else:
                mine = said.setdefault(each.projection, {})
                mine[each.id] = _output(each.kind, each.body, each.cause_index)
        number = page[-1].number
    return said, of_older_folds


def _output(kind: str, body: dict[str, Any], cause: int) -> dict[str, Any]:
    return {"kind": kind, "body": body, "cause": cause}
