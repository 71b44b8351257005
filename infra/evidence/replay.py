"""What follows from a bundle: its signed commands decided again, its statements computed again.

A verifier checks that a bundle is the record, and not what the record means. Here its commands are
decided and its events are folded again, as a store does.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson

from domain.people import Person
from domain.recorded import Recorded
from domain.settlement import Balance
from domain.values import counted
from infra.answers import explain_money
from infra.answers.explain_money import StatementExplained
from infra.answers.issued import (
    NOT_ASKED_FOR,
    PRIVATE,
    Compared,
    Outcome,
    Statements,
    VisibleLog,
)
from infra.answers.logs import AsOf
from infra.answers.question import Item, Result
from infra.answers.statement_state import owed
from infra.answers.text import Block, Line, Remark, Styled, Table
from infra.deciding import again
from infra.deciding.again import Decided, Export, Hidden, decided_again
from infra.evidence import bundle_store
from infra.evidence.files import named
from infra.evidence.verifiers import verify
from infra.tlog import codec
from projections.fold import FoldFailed


class Record(Item):
    """The verdict of the verifier on the bundle, before anything is computed from it."""

    verdict: str
    """RECORD VERIFIED, CONSISTENT, NOT PINNED, or FAULT."""
    code: str | None
    """The code of the fault."""
    index: int | None
    """The index of the fault."""
    detail: str
    """The verdict in words."""
    not_checked: tuple[str, ...]
    """What the verifier did not check."""


class Decision(Item):
    """A signed command whose events do not follow from it, or that was not decided again."""

    index: int
    """The index of its first event."""
    command: str
    """Its name."""
    outcome: again.Outcome
    """Whether it differs or was not decided."""
    why: str | None
    """What the rules give instead, or why it was not decided."""
    binds: bool
    """Whether it is a signed act that binds its party."""


class NamedFile(Item):
    """A file outside the record that an event names by its SHA-256."""

    index: int
    """The index of the event."""
    title: str
    """What the event calls it."""
    sha256: str
    """Its SHA-256 in hex, which is its name under `data/files/`."""
    brought: bool
    """Whether it is in the bundle."""


class Unread(Item):
    """The first event that cannot be read or folded. Nothing behind it is computed."""

    index: int
    """Its index."""
    type: str
    """What kind of event it says that it is."""
    why: str
    """What is wrong with it."""


class Replay(Result):
    """A bundle that was verified, and the statements that follow from its events or do not."""

    origin: str | None
    """The name of the log."""
    size: int | None
    """The number of its events."""
    withheld: dict[str, int]
    """How many of them the bundle withholds, by reason."""
    record: Record
    """The verdict on the record. Nothing is computed from a record with a fault."""
    commands: dict[str, int]
    """How many signed commands, breaches of rules and deadlines were decided again, by outcome."""
    decided: tuple[Decision, ...]
    """Each of them that was not decided again, or whose events are other ones."""
    never_decided: tuple[str, ...]
    """What no replay decides again."""
    unread: Unread | None
    """The event at which the replay ended; null if it reached the last one."""
    statements: tuple[Compared, ...]
    """Every issued statement up to there, in the order of issue."""
    files: tuple[NamedFile, ...]
    """Every file that an event shown names, in the order of the events."""
    explained: StatementExplained | None = None
    """The statement that was asked about, with the path from each line to the signed events."""

    @property
    def differs(self) -> bool:
        """Whether the record has a fault, or a command or a statement gives something else."""
        outcomes = {each.outcome for each in self.statements}
        decided = again.Outcome.DIFFERS in self.commands
        return self.is_fault or decided or Outcome.DIFFERS in outcomes

    @property
    def is_fault(self) -> bool:
        """Whether the record has a fault, or an event that cannot be read or folded."""
        return self.record.code is not None or self.unread is not None

    @property
    def complete(self) -> bool:
        """Whether every statement was computed, and every binding act decided again."""
        computed = all(each.outcome is not Outcome.NOT_COMPUTED for each in self.statements)
        return computed and not any(
            each.binds and each.outcome is again.Outcome.NOT_DECIDED for each in self.decided
        )


def replay(  # noqa: PLR0913 - whatever its reader brings
    path: Path,
    *,
    policy: Path | None = None,
    pins: Path | None = None,
    seen: Sequence[Path] = (),
    receipts: Sequence[Path] = (),
    not_before: str | None = None,
    explain: str | None = None,
) -> Replay:
    """Verify a bundle, and compare each statement in it with the ledger that its events give.

    `explain` names a statement whose lines are to be explained. Raises `verify.Misuse` if a file
    cannot be read or a given file is not understood, and `NotFound` for an unknown statement.
    """
    raw = verify.contents(path, bytes)
    found = verify.verify(
        raw, policy=policy, pins=pins, seen=seen, receipts=receipts, not_before=not_before
    )
    record = Record(**{name: found[name] for name in Record.model_fields})
    about, log, decided, statements = {}, VisibleLog(), list[Decided](), list[Compared]()
    files: dict[str, bytes] = {}
    unread: Unread | None = None
    if record.code is None:
        files = verify.read_container(raw)
        about = orjson.loads(files["data/request.json"])
        log, unread = read(files["data/events.jsonl"])
        decided, statements, failed = decide(log, files)
        unread = failed or unread
    counts = Counter(str(each.outcome) for each in decided)
    return Replay(
        simulated=about.get("simulated", False),
        origin=found["origin"],
        size=found["size"],
        withheld=log.reasons(),
        record=record,
        commands=dict(sorted(counts.items())),
        decided=tuple(
            Decision(**asdict(each)) for each in decided if each.outcome is not again.Outcome.SAME
        ),
        never_decided=_never(log, decided),
        unread=unread,
        statements=tuple(statements),
        files=tuple(
            NamedFile(
                index=each.index,
                title=title,
                sha256=digest,
                brought=f"data/files/{digest}" in files,
            )
            for each in log.events
            for digest, title in named(each.event)
        ),
        explained=(
            _explained(path, explain) if explain and record.code is None and not unread else None
        ),
    )


def _explained(path: Path, statement: str) -> StatementExplained:
    with bundle_store.opened(path) as accord:
        (partnership,) = accord.history.partnerships()
        when = AsOf(viewer=accord.viewer)
        found = explain_money.explained(accord, partnership, "statement", statement, when)
    assert isinstance(found, StatementExplained)  # noqa: S101 - what was asked for
    return found


def _never(log: VisibleLog, decided: Sequence[Decided]) -> tuple[str, ...]:
    """Return what is not decided again: always, and because events or names are not there."""
    found: tuple[str, ...] = again.NEVER
    unnamed = sum(each.outcome is again.Outcome.SAME and each.why is not None for each in decided)
    if unnamed:
        names = "the names are not in the bundle"
        found += (f"who acted in {counted(unnamed, 'signed command')}: {names}",)
    if log.first(NOT_ASKED_FOR) is not None:
        what = "deadlines, agreed rules, adoptions and proposals that lapse elsewhere"
        found += (f"{what}: events were not asked for",)
    elif log.first(PRIVATE) is not None:
        found += (
            "the days by which figures are due: events are private",
            "by which figures an agreed rule is broken: events are private",
            "what an adoption states for each party: events are private",
        )
    return found


# --- the events --------------------------------------------------------------------------------


def read(lines: bytes) -> tuple[VisibleLog, Unread | None]:
    """Return the events of a verified bundle before the first that cannot be read, and that one.

    An event must also be written as Accord writes it: a number is no text.
    """
    events, withheld, last = list[Recorded](), dict[int, str](), -1
    unread: Unread | None = None
    for index, line in enumerate(lines.split(b"\n")[:-1]):
        if line.startswith(b'{"why":'):
            withheld[index] = orjson.loads(line)["why"]
            continue
        last = index
        if unread is None:
            try:
                events.append(_read(line, index))
            except codec.UnreadableEvent as error:
                unread = Unread(index=index, type=orjson.loads(line)["type"], why=error.detail)
    return VisibleLog(events, withheld, last), unread


def _read(line: bytes, index: int) -> Recorded:
    """Return the event of a line. Raises `UnreadableEvent`."""
    found = codec.decode(line, index=index)
    if codec.encode(found) == line or orjson.loads(line)["schema_version"] != found.event.version:
        return found
    detail = "is malformed: Accord writes one of its values otherwise."
    raise codec.UnreadableEvent(f"{found.partnership}#{index}", detail)


def decide(
    log: VisibleLog, files: Mapping[str, bytes]
) -> tuple[list[Decided], list[Compared], Unread | None]:
    """Return each command of a verified bundle decided again, and each statement compared.

    `files` are those of the bundle, and `log` its events. The third is the first event that cannot
    be folded; the others are of the events before it.
    """
    commands = files["data/commands.jsonl"].splitlines()
    people = map(orjson.loads, files["data/people.jsonl"].splitlines())
    party = orjson.loads(files["data/request.json"])["for"]
    statements, found = Statements(log), list[Decided]()
    again_ = decided_again(
        log.events,
        {sha256(each).hexdigest(): each for each in commands},
        {each["commitment"]: Person(each["party"], each["name"]) for each in people},
        Hidden(
            log.first(NOT_ASKED_FOR),
            log.first(PRIVATE),
            Export(party, log.last, log.reasons(log.last).get(PRIVATE, 0)),
        ),
        statements.compare,
    )
    try:
        found.extend(again_)
    except FoldFailed as error:
        (wire,) = (each.event.wire for each in log.events if each.index == error.index)
        return found, statements.compared, Unread(index=error.index, type=wire, why=error.detail)
    return found, statements.compared, None


_OTHER_RELEASE: Final = (
    "The bundle is of a newer release of Accord, or its operator recorded an event that is none."
)

# --- text --------------------------------------------------------------------------------------


def text(found: Replay) -> Iterator[Block]:
    """Yield the verdict on the record, each statement, and what differs."""
    record = found.record
    if record.code is not None:
        place = "" if record.index is None else f" at {record.index}"
        yield Line(f"FAULT {record.code}{place}", "bold red")
        yield Line(f"{record.detail} Nothing was computed from this record.")
        return
    if record.verdict != "RECORD VERIFIED":
        yield Remark("Keys were not pinned. Give your own policy (--policy) and pins (--pins).")
    yield Line(f"{found.origin}: {record.verdict}, {counted(found.size or 0, 'event')}", "bold")
    for why, number in found.withheld.items():
        yield Line(f"{counted(number, 'event')} withheld ({why})", indent=2)
    yield from _decided(found)
    yield from _unread(found.unread)
    yield Table(
        ["STATEMENT", ">#", "IN THE LOG", "LEDGER"],
        [
            (each.statement, each.index, _owed(each.stated), Styled(each.outcome, _style(each)))
            for each in found.statements
        ],
        indent=2,
    )
    for each in found.statements:
        if each.outcome is not Outcome.AS_COMPUTED:
            yield Line()
            yield Line(f"{each.statement}: {each.outcome}", _style(each), 2)
            yield Line(each.why or "", indent=4)
            yield Table(
                ["VALUE", ">IN THE LOG", ">COMPUTED"],
                [(of.where, of.stated or "", of.computed or "") for of in each.differences],
                indent=4,
            )
    yield from _files(found.files)
    if found.explained:
        yield Line()
        yield from explain_money.text(found.explained)
    outcomes = [each.outcome for each in found.statements]
    numbers = ", ".join(f"{outcomes.count(of)} {of}" for of in Outcome if of in outcomes)
    yield Line()
    yield Line(f"{counted(len(outcomes), 'statement')}{': ' if numbers else ''}{numbers}", indent=2)


def _decided(found: Replay) -> Iterator[Block]:
    if found.commands:
        numbers = ", ".join(f"{number} {of}" for of, number in found.commands.items())
        yield Line(f"signed commands, rules and deadlines, decided again: {numbers}", indent=2)
    for of in found.decided:
        style = "bold red" if of.outcome is again.Outcome.DIFFERS else "yellow"
        yield Line(f"#{of.index} {of.command}: {of.outcome}. {of.why}", style, 4)
    for what in found.never_decided:
        yield Line(f"not decided again: {what}", indent=2)
    for line in found.record.not_checked:
        # What is listed one by one: acts that nobody signed, keys that are not pinned; the
        # range that was asked for.
        if line.startswith(("#", "only events ")):
            yield Line(f"not checked: {line}", "yellow", 2)


def _unread(unread: Unread | None) -> Iterator[Block]:
    if unread:
        yield Line(f"#{unread.index} {unread.type} cannot be read or folded.", "bold red", 2)
        yield Line(f"{unread.why} Nothing behind it was computed.", indent=4)
        yield Line(_OTHER_RELEASE, indent=4)


def _files(files: Sequence[NamedFile]) -> Iterator[Block]:
    if files:
        rows = [
            (each.title, each.index, each.sha256, "yes" if each.brought else "no") for each in files
        ]
        yield Line()
        yield Table(["FILE", ">#", "SHA-256", "IN THE BUNDLE"], rows, indent=2)


def _owed(balance: Balance | None) -> str:
    return "left out" if balance is None else owed(balance)


def _style(compared: Compared) -> str:
    match compared.outcome:
        case Outcome.AS_COMPUTED:
            return "green"
        case Outcome.DIFFERS:
            return "bold red"
        case Outcome.NOT_COMPUTED:
            return "yellow"
