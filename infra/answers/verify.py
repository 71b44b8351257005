"""Whether the log is as it was recorded and signed, and the views are what it folds to."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from pathlib import Path

import orjson

from domain import keyring
from domain.kernel import Event, Refused
from domain.keyring import KeyRegistered, Keyring, public_of
from domain.recorded import Recorded
from domain.values import counted
from infra.answers.issued import Outcome, Statements, VisibleLog
from infra.answers.question import Item, Result
from infra.answers.text import Block, Line
from infra.audit.log import Log
from infra.bootstrap import Accord
from infra.deciding import again
from infra.deciding.again import decided_again
from infra.deciding.pseudonyms import COMMAND, PERSON, people, person_in
from infra.projecting.replay import Replayed, replay_all, replay_until
from infra.store.history import NOTHING, partnerships
from infra.store.views import OtherFold, UnreadableRow, read_row, sortable, typed_row
from infra.tlog import codec, dsse, merkle
from infra.tlog.merkle import Tree, leaf_hash
from infra.tlog.notes import Checkpoint, Malformed, Note
from projections import PROJECTIONS, VERSIONS
from projections.fold import FoldFailed, Projection

HISTORY = "history"
"""The place of a difference in the log, used where others name a projection."""

NAMES = "names"
"""The place of a difference in the names of people, which are stored beside the log."""

REBUILD = "Run accord rebuild, which makes it again from the log."
RESTORE = "Restore the store from a backup, because nothing else has what was there."
ISSUED = (
    "The event does not follow from the record before it. Another release recorded it, or somebody "
    "who wrote to the store."
)
UPGRADE = "Use a release that can fold this event."

_ATTEMPTS = 5
"""How often a partnership is checked again because it was written to meanwhile."""


class Difference(Item):
    """A stored value that differs from the expected one."""

    partnership: str
    """Empty where the store as a whole differs."""
    where: str
    """The projection, or ``history``."""
    key: str
    """The row, the output, the event, or what was counted."""
    stored: str | None
    """What is stored; null where nothing is."""
    expected: str | None
    """What should be stored; null where nothing should."""
    hint: str
    """What to do about it."""


class Unfolded(Item):
    """A quarantined partnership: its views were checked up to the event that cannot be folded."""

    partnership: str
    """Its identifier."""
    event: int
    """The index of the first event that is not in its views."""
    error: str
    """What failed."""


class Verification(Result):
    """The logs and views that were checked, and what is wrong with them."""

    verified: bool
    """Whether there is no difference and every event is folded."""
    partnerships: int
    """How many partnerships were checked."""
    events: int
    """How many events were checked."""
    rows: int
    """How many rows of views were checked."""
    differences: tuple[Difference, ...]
    """The first difference of each partnership that has one."""
    quarantined: tuple[Unfolded, ...]
    """The partnerships whose events cannot all be folded."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One partnership that was checked."""

    partnership: str
    events: int
    rows: int
    difference: Difference | None = None
    unfolded: Unfolded | None = None


class Memory:
    """The size and root of each log that was verified before, in a file of the auditor's own.

    It is not in the store, because somebody who alters the store could alter it too.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._good: dict[str, tuple[int, bytes]] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                name, size, root = line.split(" ")
                self._good[name] = int(size), bytes.fromhex(root)

    def of(self, partnership: str) -> tuple[int, bytes]:
        """Return how many events of a log were verified, and their root; 0 for an unknown log."""
        return self._good.get(partnership, (0, merkle.EMPTY))

    def remember(self, partnership: str, tree: Tree) -> None:
        """Write down that a log was verified, at once, so that an interrupted run can go on."""
        self._good[partnership] = tree.size, tree.root()
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{partnership} {tree.size} {tree.root().hex()}\n")


def check(accord: Accord, memory: Memory | None = None) -> Iterator[Checked]:
    """Check one partnership after the other; yield the first difference of each.

    Views that are behind are caught up first. Each event must have the hash that was stored when it
    was recorded, must be the canonical form of what it says, and must be at its place. What a party
    signed must be signed with an active key of that party, and each signed checkpoint must have
    the root of the events. Each row and output must have the bytes that the log folds to, each
    position, head and record of a quarantine must be one that can be, and each name must have its
    commitment. Events that `memory` knows are not hashed again, but their root must be the same.
    """
    memory = memory or Memory()
    damaged = _damaged_rows(accord) | _damaged_beside(accord)
    accord.catch_up()
    size, events, whole = accord.history.size(), 0, True
    for name in partnerships(accord.history):
        checked = _settled(accord, name, memory)
        if checked.difference is None and name in damaged:
            checked = replace(checked, difference=damaged[name])
        yield checked
        damaged.pop(name, None)
        events += checked.events
        whole &= checked.difference is None or checked.difference.where != HISTORY
    for name, difference in damaged.items():
        yield Checked(name, 0, 0, difference)
    if whole and events < size:
        yield Checked("", 0, 0, _difference("", HISTORY, "events", str(events), str(size), RESTORE))


def one(accord: Accord, partnership: str) -> Verification:
    """Check the log and the views of one partnership, as `check` does."""
    accord.catch_up()
    found = _settled(accord, partnership, Memory())
    return Verification(
        simulated=accord.simulated,
        verified=found.difference is None and found.unfolded is None,
        partnerships=1,
        events=found.events,
        rows=found.rows,
        differences=(found.difference,) if found.difference else (),
        quarantined=(found.unfolded,) if found.unfolded else (),
    )


def _settled(accord: Accord, partnership: str, memory: Memory) -> Checked:
    """Check a partnership; again if it differs and was written to meanwhile."""
    size = accord.history.heads([partnership])[partnership].size
    checked = _check(accord, partnership, size, memory)
    for _ in range(_ATTEMPTS):
        now = accord.history.heads([partnership])[partnership].size
        if not checked.difference or now == size:
            break
        accord.catch_up()
        size, checked = now, _check(accord, partnership, now, memory)
    return checked


def _check(accord: Accord, partnership: str, size: int, memory: Memory) -> Checked:
    log = _LogCheck(accord, partnership, size, memory)
    record = accord.views.quarantined([partnership]).get(partnership)
    replayed, failed = _replayed(log.events(), record.index if record else size)
    difference = log.difference
    if difference is None and failed is not None:
        expected = "an event that this release can fold"
        key = f"{partnership}#{failed.index}"
        stored = failed.detail
        difference = _difference(partnership, failed.projection, key, stored, expected, UPGRADE)
    if difference is None:
        found = chain(
            _differences(accord, partnership, replayed),
            _names(accord, partnership),
            _consequences(accord, partnership, record.index if record else size),
        )
        difference = next(found, None)
    rows = sum(len(folded.rows) for _, folded in replayed.folded)
    if not difference:
        memory.remember(partnership, log.tree)
    unfolded = (
        Unfolded(partnership=partnership, event=record.index, error=record.error)
        if record
        else None
    )
    return Checked(partnership, log.checked, rows, difference, unfolded)


def _replayed(events: Iterator[Recorded], stop: int) -> tuple[Replayed, FoldFailed | None]:
    """Fold the events before index `stop`; read the later ones, too, to check the whole log."""
    replayed, failed = Replayed(PROJECTIONS), None
    try:
        replayed = replay_all(PROJECTIONS, takewhile(lambda each: each.index < stop, events))
    except FoldFailed as error:
        failed = error
    for _ in events:
        pass
    return replayed, failed


def _difference(  # noqa: PLR0913, PLR0917 - in the order in which they are shown
    partnership: str,
    where: str,
    key: str,
    stored: bytes | str | None,
    expected: bytes | str | None,
    hint: str = REBUILD,
) -> Difference:
    return Difference(
        partnership=partnership,
        where=where,
        key=key,
        stored=_printable(stored),
        expected=_printable(expected),
        hint=hint,
    )


def _printable(value: bytes | str | None) -> str | None:
    """Return stored bytes as text; what a terminal would not print is escaped, as in ``0xff``."""
    if value is None:
        return None
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


# --- the log -----------------------------------------------------------------------------------


class _Signatures:
    """Checks what parties signed against the keys that were active at that place in the log."""

    def __init__(self, accord: Accord, partnership: str) -> None:
        self._commands = accord.history.kept(COMMAND, partnership)
        self._keyring = Keyring()

    def wrong(self, recorded: Recorded) -> str | None:
        """Return what the signature of an event should be, if it is wrong; note the event's keys.

        A command that was erased, because it named a person, is not checked.
        """
        found = self._wrong(recorded) if recorded.signed else None
        self._keyring = keyring.evolve(self._keyring, recorded.event, recorded.act)
        return found

    def _wrong(self, recorded: Recorded) -> str | None:
        body = self._commands.get(recorded.signed or "")
        if body is None:
            return None
        try:
            signed = dsse.read(orjson.loads(body))
        except (Refused, ValueError) as error:
            return f"a signed command: {error}"
        known = self._keyring.of(recorded.act.party).get(signed.keyid)
        first = recorded.event if isinstance(recorded.event, KeyRegistered) else None
        active = known.added if known and known.active else None if known else first
        if signed.digest != recorded.signed or active is None or not signed.by(public_of(active)):
            return f"a command that {recorded.act.party} signed with a key that was active"
        return None


class _LogCheck:
    """Checks the stored bytes of one log, event by event, up to the first difference."""

    def __init__(self, accord: Accord, partnership: str, size: int, memory: Memory) -> None:
        self._entries = accord.history.entries(partnership, 0, size)
        self._partnership = partnership
        self._size = size
        self.checked = 0
        self.difference: Difference | None = None
        self._signatures = _Signatures(accord, partnership)
        self._known, root = memory.of(partnership)
        self.tree = Log(accord.history, accord.trees, partnership).at(min(self._known, size))
        self._signed = self._checkpoints(accord)
        if self.tree.root() != root:
            self._differs(self._known, self.tree.root().hex(), root.hex())

    def _checkpoints(self, accord: Accord) -> dict[int, bytes]:
        """Return the signed roots by size, up to the first checkpoint that is not signed."""
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
        """Return the events up to the first that differs."""
        if self.difference:
            return
        for index, body, leaf in self._entries:
            if index != self.checked:
                break
            recorded = self._recorded(body, leaf)
            if recorded is None:
                return
            self.checked += 1
            yield recorded
        last = max([self._size, *self._signed])
        if self.checked < last:
            self._differs(self.checked, None, f"one of {last} events")

    def _recorded(self, body: bytes, leaf: bytes) -> Recorded | None:
        """Return the event if it is what was recorded; None after noting the difference."""
        try:
            recorded = codec.decode(body, index=self.checked)
        except codec.UnreadableEvent as error:
            self._differs(
                self.checked, body, f"an event that this release can read: {error.detail}"
            )
            return None
        wrong = self._signatures.wrong(recorded)
        if self.checked < self._known:
            return recorded
        again = codec.encode(recorded)
        if again != body and not _is_of_old(body):
            self._differs(self.checked, body, again)
        elif recorded.partnership != self._partnership:
            self._differs(self.checked, recorded.partnership, self._partnership)
        elif wrong:
            self._differs(self.checked, body, wrong)
        elif leaf_hash(body) != leaf:
            self._differs(self.checked, body, f"an event whose hash is {leaf.hex()}")
        else:
            self.tree.add(leaf)
            root = self._signed.get(self.tree.size)
            if root is not None and root != self.tree.root():
                signed = f"{root.hex()}, which was signed over {self.tree.size} events"
                self._differs(self.checked, self.tree.root().hex(), signed)
        return None if self.difference else recorded

    def _differs(self, index: int, stored: bytes | str | None, expected: bytes | str) -> None:
        key = f"{self._partnership}#{index}"
        self.difference = _difference(self._partnership, HISTORY, key, stored, expected, RESTORE)


def _is_of_old(body: bytes) -> bool:
    """Whether an event is of an older version, which is encoded again as the newest."""
    envelope = orjson.loads(body)
    return bool(envelope["schema_version"] < Event.registry[envelope["type"]].version)


# --- the views ---------------------------------------------------------------------------------


def _differences(accord: Accord, partnership: str, replayed: Replayed) -> Iterator[Difference]:
    outputs, of_older_folds = _stored_outputs(accord, partnership)
    for projection, folded in replayed.folded:
        name = projection.name
        position = accord.views.positions(name, [partnership]).get(partnership, NOTHING)
        if position != replayed.last:
            last = str(replayed.last)
            yield _difference(partnership, name, "position", str(position), last)
        dumped = {key: projection.dump(key, row) for key, row in folded.rows.items()}
        rows = {key: codec.canonical(row) for key, row in dumped.items()}
        stored = list(accord.views.stored_rows(name, partnership))
        bodies = {each.key: _bytes(each.body) for each in stored}
        yield from _compared(partnership, name, "", bodies, rows)
        wakes = {each.key: _bytes(each.wake) for each in stored if each.wake is not None}
        due = {key: _bytes(sortable(row["wake"])) for key, row in dumped.items() if row.get("wake")}
        yield from _compared(partnership, name, "wake of ", wakes, due)
        made = {
            output.id: _output(
                output.kind, codec.canonical(projection.dump(output.id, output.body)), index
            )
            for output, index in folded.outputs
            if output.id not in of_older_folds
        }
        yield from _compared(partnership, name, "output ", outputs.get(name, {}), made)


def _compared(
    partnership: str,
    where: str,
    kind: str,
    stored: Mapping[str, bytes],
    expected: Mapping[str, bytes],
) -> Iterator[Difference]:
    for key in sorted({*stored, *expected}):
        one, other = stored.get(key), expected.get(key)
        if one != other:
            yield _difference(partnership, where, f"{kind}{key}", one, other)


def _names(accord: Accord, partnership: str) -> Iterator[Difference]:
    for key, body in accord.history.kept(PERSON, partnership).items():
        if person_in(partnership, key, body) is None:
            expected = "a name and its salt that have this commitment"
            yield _difference(partnership, NAMES, key, _bytes(body), expected, RESTORE)


def _consequences(accord: Accord, partnership: str, size: int) -> Iterator[Difference]:
    """Decide the signed commands again, and compute the issued statements again."""
    events = list(accord.history.of(partnership, 0, size))
    commands = accord.history.kept(COMMAND, partnership)
    statements, known = Statements(VisibleLog(events)), people(accord.history, partnership)
    for decided in decided_again(events, commands, known, on_statement=statements.compare):
        if decided.outcome is again.Outcome.DIFFERS:
            key = f"{partnership}#{decided.index}"
            yield _difference(partnership, HISTORY, key, decided.command, decided.why, ISSUED)
    for each in statements.compared:
        if each.outcome is Outcome.DIFFERS:
            key, first = f"{partnership}#{each.index}", each.differences[:1]
            stored = ", ".join(f"{of.where} {of.stated}" for of in first) or each.statement
            computed = ", ".join(f"{of.where} {of.computed}" for of in first) or each.why
            yield _difference(partnership, HISTORY, key, stored, computed, ISSUED)


def _stored_outputs(
    accord: Accord, partnership: str
) -> tuple[dict[str, dict[str, bytes]], set[str]]:
    """Return each projection's outputs about a partnership, by identifier.

    Outputs of an older version of a fold are returned by their identifiers alone: they were
    published, and the fold of this release may not make them.
    """
    outputs: dict[str, dict[str, bytes]] = {}
    of_older_folds: set[str] = set()
    number = 0
    while page := accord.views.stored_outputs(number, partnership=partnership):
        for each in page:
            if each.version < VERSIONS.get(each.projection, 1):
                of_older_folds.add(each.id)
            else:
                output = _output(each.kind, _bytes(each.body), each.cause_index)
                outputs.setdefault(each.projection, {})[each.id] = output
        number = page[-1].number
    return outputs, of_older_folds


def _output(kind: str, body: bytes, cause: int) -> bytes:
    return b"%s, caused by event %d: %s" % (kind.encode(), cause, body)


def _bytes(body: object) -> bytes:
    # A SQLite column can contain a value of any type.
    return body if isinstance(body, bytes) else str(body).encode()


def _damaged_rows(accord: Accord) -> dict[str, Difference]:
    """Return the first damaged row of each partnership that has one and that is behind.

    To catch up folds such a partnership anew, so its damage is looked for before.
    """
    found: dict[str, Difference] = {}
    with suppress(OtherFold):
        for name in partnerships(accord.history):
            if (difference := _damaged_row(accord, name)) is not None:
                found[name] = difference
    return found


def _damaged_row(accord: Accord, name: str) -> Difference | None:
    size = accord.history.heads([name])[name].size
    for projection in PROJECTIONS:
        position = accord.views.positions(projection.name, [name]).get(name, NOTHING)
        if position == size - 1:
            return None
        for key, body, _ in accord.views.stored_rows(projection.name, name):
            try:
                typed_row(projection, name, key, read_row(name, projection.name, key, body))
            except UnreadableRow:
                row = _expected_row(accord, name, projection, key)
                return _difference(name, projection.name, key, _bytes(body), row)
    return None


def _damaged_beside(accord: Accord) -> dict[str, Difference]:
    """Return what is damaged beside the rows, by partnership, which to catch up repairs in part."""
    found = {
        each.partnership: _difference(
            each.partnership, each.table, each.partnership, each.stored, each.expected
        )
        for each in (*accord.views.strays(), *accord.views.damage())
    }
    for name, stored, expected in accord.history.damaged_heads():
        found[name] = _difference(name, "heads", name, stored, expected)
    return found


def _expected_row(
    accord: Accord, partnership: str, projection: Projection, key: str
) -> bytes | None:
    size = accord.history.heads([partnership])[partnership].size
    (folded,) = replay_until(accord.history, (projection,), partnership, size).folded
    return codec.canonical(projection.dump(key, folded.rows[key])) if key in folded.rows else None


# --- text --------------------------------------------------------------------------------------


def text(found: Verification) -> Iterator[Block]:
    """Yield what was checked, the first difference of each partnership, what is not folded."""
    for each in found.differences:
        whose = each.partnership or "the store"
        yield Line(f"Difference in {whose}: {each.where}, {each.key}.", "bold red")
        yield Line(f"stored:   {_or_nothing(each.stored)}", indent=2)
        yield Line(f"expected: {_or_nothing(each.expected)}", indent=2)
        yield Line(f"hint:     {each.hint}", indent=2)
    for unfolded in found.quarantined:
        yield Line(
            f"{unfolded.partnership} is quarantined: its views lack the events from "
            f"{unfolded.partnership}#{unfolded.event} on. {unfolded.error}",
            "bold yellow",
        )
    counts = f"{counted(found.partnerships, 'partnership')}, {counted(found.events, 'event')}"
    if not found.verified:
        yield Line(f"Checked {counts}, {counted(found.rows, 'row')}. The others do not differ.")
        return
    yield Line("No difference found.", "green")
    yield Line(f"{counts}: each log is as it was recorded and signed.")
    yield Line(f"{counted(found.rows, 'row')}: each view is what its log folds to.")


def _or_nothing(value: str | None) -> str:
    return "nothing" if value is None else value
