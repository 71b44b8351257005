"""`accord sign`: sign events with a party's key. It needs no store."""

import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from infra.answers.question import Panel
from infra.cli.options import REFUSED, app, later_option
from infra.cli.signing_keys import KeyFile
from infra.files import opened_for_owner
from infra.settings import OPERATOR

if TYPE_CHECKING:
    from infra.tlog.dsse import SeenLog


STANDARD_OUTPUT = "-"


@app.command(rich_help_panel=Panel.EVIDENCE.value)
def sign(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="CloudEvents, as for ingest; - is standard input."),
    ],
    key: KeyFile,
    expires: Annotated[
        datetime,
        later_option(
            "--expires",
            "How long they can be recorded from now on, such as 15m, 1h or 7d; or until "
            "when: a date or a moment.",
        ),
    ] = "1h",  # type: ignore[assignment] # typer reads it as if it were typed
    seen: Annotated[
        Path | None,
        typer.Option(
            "--seen",
            metavar="FILE",
            help="The last checkpoint that the party saw (a note); the log must extend it.",
        ),
    ] = None,
    operator: Annotated[
        str, typer.Option("--operator", metavar="NAME", help="The operator of the log.")
    ] = OPERATOR,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="- is standard output.")
    ] = Path(STANDARD_OUTPUT),
) -> None:
    """Sign events. Each becomes a line with a DSSE envelope, to be sent instead of the event.

    The signature covers the event as it will be recorded, with every default filled in.
    """
    from infra.tlog import dsse
    from infra.tlog.keys import Signer

    signer = Signer.load(key)
    with _opened(out) as written:
        for event in _events(file.read()):
            payload = dsse.asked(event, operator, expires)
            if seen is not None:
                payload = payload.model_copy(update={"seen": _seen(seen, payload.origin)})
            written.write(dsse.sign(signer, payload) + b"\n")


def _opened(out: Path) -> AbstractContextManager[IO[bytes]]:
    if str(out) == STANDARD_OUTPUT:
        return nullcontext(sys.stdout.buffer)
    return opened_for_owner(out, "wb")


def _events(feed: bytes) -> Iterator[dict[str, Any]]:
    """Yield the events of a file as they will be recorded; exit if one is unreadable."""
    from codecs import BOM_UTF8

    import orjson

    from domain.values import instant
    from infra.cli.printing import note
    from infra.deciding import intake
    from infra.deciding.intake import Unreadable
    from infra.tlog import cloudevents

    for raw in cloudevents.split(feed):
        read = intake.read(raw)
        if isinstance(read, Unreadable):
            why = read.refused
            note(f"{read.source_id}: {why.rule}: {why.detail} Hint: {why.hint}")
            raise typer.Exit(REFUSED)
        envelope = read.envelope
        data = envelope.data.model_dump(mode="json", exclude_none=True)
        given = orjson.loads(raw.removeprefix(BOM_UTF8))
        kept = {name: given[name] for name in envelope.model_fields_set - {"data"}}
        yield {**kept, "time": instant(envelope.time), "data": data}


def _seen(file: Path, origin: str) -> "SeenLog":
    from infra.tlog.dsse import SeenLog
    from infra.tlog.notes import Checkpoint, Malformed, Note

    try:
        found = Checkpoint.read(Note.read(file.read_text(encoding="utf-8")).text)
    except Malformed as error:
        raise typer.BadParameter(f"{file} is not a checkpoint: {error}") from None
    if found.origin != origin:
        raise typer.BadParameter(f"{file} is a checkpoint of {found.origin}, not of {origin}.")
    return SeenLog(root=b64encode(found.root).decode(), size=found.size)
