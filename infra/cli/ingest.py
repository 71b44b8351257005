"""`accord ingest`: decide the events of files."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer

from domain.values import instant
from infra.answers.outcomes import OutcomeCounts, RefusedEvent, Report
from infra.answers.question import Panel
from infra.answers.text import Block, Line
from infra.cli import acting, printing
from infra.cli.options import REFUSED, REFUSES, Json, Store, app, opened
from infra.deciding.batch import Outcome
from infra.files import opened_for_owner
from infra.settings import DEFAULT_STORE
from infra.tlog import cloudevents

if TYPE_CHECKING:
    from rich.progress import Progress

    from infra.bootstrap import Accord

R = TypeVar("R", bound=Report)

BATCH = 1000
"""Messages decided in one transaction."""

STANDARD_INPUT = "-"


@app.command(rich_help_panel=Panel.EVENTS.value, epilog=REFUSES)
def ingest(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="CloudEvents: JSON lines, other objects one after another, or an array; - is "
            "standard input.",
        ),
    ],
    receipts: Annotated[
        Path | None,
        typer.Option(
            "--receipts",
            metavar="FILE",
            help="Append the operator's receipt of each accepted event, as JSON lines.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Decide the events of files and record those that are accepted."""
    with opened(store, as_json=as_json) as accord:
        report = play(accord, files, receipts).report(accord)
    finish(report, text, as_json=as_json)


def play(accord: "Accord", files: list[str], receipts: Path | None = None) -> OutcomeCounts:
    """Decide all messages of these files, in order, and fold them into the views.

    The receipts of accepted events are appended to a file, if one is given. Raises `OSError` if a
    file cannot be read and `NoKey` if nothing can sign, before anything is decided.
    """
    tally = OutcomeCounts()
    signed = accord.signed_receipts() if receipts else None
    with ExitStack() as stack:
        written = stack.enter_context(opened_for_owner(receipts, "ab")) if receipts else None
        feeds = [(name, stack.enter_context(opened_feed(name))) for name in files]
        bar = stack.enter_context(printing.progress())
        for name, feed in feeds:
            raws = _watched(cloudevents.stream(feed), name, bar)
            while batch := list(islice(raws, BATCH)):
                outcomes = accord.service.handle(batch)
                tally.add(outcomes)
                if signed and written:
                    written.writelines(orjson.dumps(x) + b"\n" for x in signed.rows(outcomes))
    accord.catch_up()
    return tally


def ask(
    accord: "Accord", command: str, kind: str, subject: str, party: str, id: str, **data: str
) -> Outcome:
    """Decide an event that `accord <command>` sends for a party; the time makes its `id` unique.

    Its actor is the person who types the command.

    The same event, sent again at the same time, has the outcome of the first.
    """
    asked = event(accord, kind, subject, party, id, **data)
    asked |= {"source": f"accord:{command}", "actor": acting.person(accord, subject, party, kind)}
    return accord.service.ask(orjson.dumps(asked))


def event(
    accord: "Accord", kind: str, subject: str, party: str, id: str, **data: str
) -> dict[str, Any]:
    """Return an event of a party that happens now, without a source and an actor."""
    last = accord.history.heads([subject])[subject].recorded_at
    moment = instant(last if accord.simulated else accord.clock())
    return {
        "specversion": "1.0",
        "id": f"{id}/{moment}",
        "type": cloudevents.PREFIX + kind,
        "subject": subject,
        "time": moment,
        "party": party,
        "data": data,
    }


def finish(report: R, text: Callable[[R], Iterable[Block]], *, as_json: bool) -> None:
    """Print a report, and end with exit code 3 if any event was refused."""
    printing.result(report, text, as_json=as_json)
    if report.refused:
        raise typer.Exit(REFUSED)


def text(report: Report) -> Iterator[Block]:
    """Yield the counts, each event that waits, and each refusal with its rule and its hint."""
    yield Line(f"{counts(report)}.")
    if report.waiting:
        yield Line("waiting", "bold")
        for each in report.waiting:
            yield Line(f"{each.id} ({each.source}): {each.waiting_for.detail}", indent=2)
    if report.refused:
        yield Line("refused", "bold")
        yield from refusals(report.refused, indent=2)
    for close in report.lookalikes:
        names = ", ".join(close.names)
        yield Line(
            f"{close.id} ({close.source}): its new name is close to {names}. Is it the same?"
        )


def counts(report: Report) -> str:
    """Return the counts in words."""
    shown = f"{report.accepted} accepted, {len(report.refused)} refused"
    if report.waiting:
        shown += f", {len(report.waiting)} waiting"
    return f"{shown}, {report.duplicates} duplicates" if report.duplicates else shown


def refusals(refused: Iterable[RefusedEvent], indent: int) -> Iterator[Block]:
    """Yield each refusal with its rule and its hint."""
    for each in refused:
        at = f" at {each.pointer}" if each.pointer else ""
        yield Line(f"{each.id or '(no id)'} ({each.source or 'no source'})", indent=indent)
        yield Line(f"{each.rule}{at}: {each.detail}", indent=indent + 2)
        yield Line(f"Hint: {each.hint}", indent=indent + 2)


# --- files -------------------------------------------------------------------------------------


def opened_feed(name: str) -> IO[bytes]:
    """Return a feed by the name of its file, or standard input. Raises `OSError`."""
    return sys.stdin.buffer if name == STANDARD_INPUT else Path(name).open("rb")


def _watched(raws: Iterator[bytes], name: str, bar: "Progress") -> Iterator[bytes]:
    file = Path(name)
    size = file.stat().st_size if file.is_file() else None
    task = bar.add_task("standard input" if name == STANDARD_INPUT else name, total=size)
    for raw in raws:
        yield raw
        bar.advance(task, len(raw) + 1)
    bar.remove_task(task)
