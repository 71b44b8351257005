"""What goes in: feeds are read in batches, and what came of them is told."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO

import orjson
from rich.progress import Progress

from domain.values import instant
from infra.answers import NotFound
from infra.audit.receipts import SignedReceipts
from infra.bootstrap import Accord
from infra.cli.printing import Row, note, progress, say
from infra.deciding.service import Outcome
from infra.store.records import Refusal
from infra.tlog import cloudevents
from infra.tlog.keys import NoKey

BATCH = 1000
"""Messages decided in one transaction."""

STANDARD_INPUT = "-"

LINES = {".jsonl", ".ndjson"}
"""What files of JSON lines are called."""


@dataclass(slots=True)
class Tally:
    """What came of messages."""

    accepted: int = 0
    duplicates: int = 0
    refused: list[Outcome] = field(default_factory=list)
    partnerships: dict[str, None] = field(default_factory=dict)
    """Those that were asked for something, in the order in which they first came."""

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            if outcome.partnership:
                self.partnerships[outcome.partnership] = None
            match outcome.status:
                case "accepted":
                    self.accepted += 1
                case "duplicate":
                    self.duplicates += 1
                case "refused":
                    self.refused.append(outcome)

    def as_json(self) -> Row:
        """Give the counts, and each refusal with its rule and its hint."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": [each.refusal() for each in self.refused],
        }

    def __str__(self) -> str:
        """Give the counts in words."""
        counts = f"{self.accepted} accepted, {len(self.refused)} refused"
        return f"{counts}, {self.duplicates} known already" if self.duplicates else counts


def ingest(accord: Accord, files: list[str], receipts: Path | None = None) -> Tally:
    """Decide all messages of these files, in order, and bring the views up to them.

    The receipts of what was accepted are appended to a file, if one is given. Raises `OSError`
    where a file cannot be read and `NoKey` where nothing can sign, before anything is decided.
    """
    tally = Tally()
    signed = _receipts(accord) if receipts else None
    with ExitStack() as stack:
        told = stack.enter_context(receipts.open("ab")) if receipts else None
        feeds = [(name, stack.enter_context(_open(name))) for name in files]
        bar = stack.enter_context(progress())
        for name, feed in feeds:
            raws = _watched(messages(feed, lines=Path(name).suffix in LINES), name, bar)
            while batch := list(islice(raws, BATCH)):
                outcomes = accord.service.handle(batch)
                tally.add(outcomes)
                if signed and told:
                    told.writelines(orjson.dumps(x) + b"\n" for x in signed.rows(outcomes))
    accord.catch_up()
    return tally


def receipt(accord: Accord, source: str, id: str) -> str:
    """Give the receipt of an accepted event. Raises `NotFound` and `NoKey`."""
    note = _receipts(accord).again([(source, id)]).get((source, id))
    if note is None:
        raise NotFound(
            f"{source} sent no {id} from which anything was recorded.",
            "What was refused is listed by accord rejected.",
        )
    return str(note)


def _receipts(accord: Accord) -> SignedReceipts:
    if accord.receipts is None:
        raise NoKey("There is no key to sign with; set ACCORD_KEY=FILE (accord keygen makes one).")
    return accord.receipts


def _open(name: str) -> IO[bytes]:
    return sys.stdin.buffer if name == STANDARD_INPUT else Path(name).open("rb")


def messages(feed: IO[bytes], *, lines: bool = False) -> Iterator[bytes]:
    """Give the single messages of a feed; JSON lines are read as they come, never all at once.

    A feed whose first line is a whole JSON object is one of JSON lines; so is any if `lines`.
    """
    rest = (line.strip() for line in feed)
    first = next(filter(None, rest), b"")
    if lines or _is_object(first):
        yield from filter(None, chain([first], rest))
    elif first:
        yield from cloudevents.split(first + b"\n" + feed.read())


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _watched(raws: Iterator[bytes], name: str, bar: Progress) -> Iterator[bytes]:
    file = Path(name)
    size = file.stat().st_size if file.is_file() else None
    task = bar.add_task("standard input" if name == STANDARD_INPUT else name, total=size)
    for raw in raws:
        yield raw
        bar.advance(task, len(raw) + 1)
    bar.remove_task(task)


def print_tally(tally: Tally) -> None:
    """Print the counts, then each refusal with its rule and its hint."""
    say(f"{tally}.")
    if tally.refused:
        say("refused", "bold")
        print_refusals(tally.refused, indent=2)


def print_refusals(refused: Iterable[Outcome], indent: int) -> None:
    """Print refusals, each with its rule and its hint."""
    for each in refused:
        at = f" at {each.pointer}" if each.pointer else ""
        say(f"{each.id or '(no id)'} ({each.source or 'no source'})", indent=indent)
        say(f"{each.rule}{at}: {each.detail}", indent=indent + 2)
        say(f"Hint: {each.hint}", indent=indent + 2)


# --- what was refused --------------------------------------------------------------------------


def refusals(accord: Accord, *, every: bool) -> Iterator[Refusal]:
    """Give the refused inputs that wait for somebody; with `every` also those retried since."""
    number = 0
    while page := accord.history.refusals(None if every else "open", number):
        yield from page
        number = page[-1].number


def print_rejected(found: Iterable[Refusal]) -> None:
    """Print refused inputs, each with its number, its rule and its hint."""
    shown = False
    for each in found:
        shown = True
        state = "" if each.state == "open" else f", {each.state}"
        at = f" at {each.pointer}" if each.pointer else ""
        what = f"{each.type or 'no type'} on {each.subject or 'no partnership'}"
        say(f"{each.number}  {what}: {each.source_id} ({each.source or 'no source'}){state}")
        say(f"{each.rule}{at}: {each.detail}", indent=4)
        say(f"Hint: {each.hint}", indent=4)
    if not shown:
        note("Nothing that was refused waits for anybody.")
    else:
        note("Decide one again as it is: accord rejected --retry NUMBER.")


def as_json(each: Refusal) -> Row:
    """Give a refused input with the message as it came."""
    return {
        "number": each.number,
        "state": each.state,
        "source": each.source,
        "id": each.source_id,
        "subject": each.subject,
        "type": each.type,
        "rule": each.rule,
        "detail": each.detail,
        "hint": each.hint,
        "pointer": each.pointer,
        "received_at": instant(each.received_at),
        "message": each.raw.decode(errors="replace"),
    }


def retry(accord: Accord, number: int) -> Outcome:
    """Decide a refused input again. Raises `NotFound`."""
    outcome = accord.service.retry(number)
    if outcome is None:
        raise NotFound(f"There is no refused input {number}.", "See them: accord rejected.")
    accord.catch_up()
    return outcome
