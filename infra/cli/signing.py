"""What a party does with its own key, away from any store: prove that it holds it, and sign.

Only what is needed here is imported, so that it also runs where a party keeps its key.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.options import DISPUTE, REFUSED, Id, app, moment
from infra.settings import OPERATOR

if TYPE_CHECKING:
    from infra.tlog.dsse import Seen

KeyFile = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The party's key.", show_default=False)
]

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _until(text: str) -> datetime:
    """Read how long from now (15m, 1h, 7d), or a moment."""
    from infra.deciding.service import wall_clock

    if found := re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text):
        return wall_clock() + timedelta(**{_UNITS[found[2]]: int(found[1])})
    return moment(text)


@app.command("register-key", rich_help_panel=DISPUTE)
def register_key(
    id: Id,
    party: Annotated[
        str, typer.Option("--party", metavar="PARTY", help="Whose key it is.", show_default=False)
    ],
    actor: Annotated[
        str, typer.Option("--actor", metavar="NAME", help="Who acts for it.", show_default=False)
    ],
    key: KeyFile,
    replaces: Annotated[
        str | None,
        typer.Option(
            "--replaces", metavar="KEYID", help="The key that it takes the place of, if any."
        ),
    ] = None,
) -> None:
    """Print the event by which a party registers its key, with the proof that it holds it.

    The first is sent as it is; what replaces a key or adds one is signed by one that is active.
    """
    from domain.values import instant
    from infra.cli.printing import document
    from infra.deciding.service import wall_clock
    from infra.tlog import keys
    from infra.tlog.keys import Signer

    signer = Signer.load(key)
    proof = signer.sign(keys.possession(id, party, signer.public))
    data = {"key": b64encode(signer.public).decode(), "proof": b64encode(proof).decode()}
    command = "RegisterKey" if replaces is None else "RotateKey"
    document(
        {
            "specversion": "1.0",
            "id": f"{id}/{command}/{keys.key_id(signer.public)}",
            "source": f"//{party}",
            "type": f"accord.{command}",
            "subject": id,
            "time": instant(wall_clock()),
            "party": party,
            "actor": actor,
            "data": data if replaces is None else {**data, "replaces": replaces},
        }
    )


@app.command(rich_help_panel=DISPUTE)
def sign(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(
            metavar="FILE",
            help="CloudEvents, as for ingest; - is standard input.",
            show_default=False,
        ),
    ],
    key: KeyFile,
    expires: Annotated[
        datetime,
        typer.Option(
            "--expires",
            parser=_until,
            metavar="WHEN",
            help="Until when they may be recorded: 15m, 1h or 7d from now, or a moment.",
        ),
    ] = "1h",  # type: ignore[assignment] # typer reads it as if it were typed
    seen: Annotated[
        Path | None,
        typer.Option(
            "--seen",
            metavar="FILE",
            help="The last checkpoint that the party saw (a note): the log must contain it.",
        ),
    ] = None,
    operator: Annotated[
        str, typer.Option("--operator", metavar="NAME", help="Who keeps the log.")
    ] = OPERATOR,
    out: Annotated[
        typer.FileBinaryWrite,
        typer.Option("--out", "-o", metavar="FILE", help="- is standard output."),
    ] = "-",  # type: ignore[assignment] # as above
) -> None:
    """Sign events: each becomes a line with a DSSE envelope, to be sent in the event's place.

    They are signed as they will be recorded, with all that is left to its default.
    """
    from infra.tlog import dsse
    from infra.tlog.keys import Signer

    signer = Signer.load(key)
    for event in _events(file.read()):
        payload = dsse.asked(event, operator, expires)
        if seen is not None:
            payload = payload.model_copy(update={"seen": _seen(seen, payload.origin)})
        out.write(dsse.sign(signer, payload) + b"\n")


def _events(feed: bytes) -> Iterator[dict[str, Any]]:
    """Give the events of a file as they will be recorded; end where one can only be refused."""
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
        told = read.envelope
        data = told.data.model_dump(mode="json", exclude_none=True)
        yield {**orjson.loads(raw), "time": instant(told.time), "data": data}


def _seen(file: Path, origin: str) -> "Seen":
    from infra.tlog.dsse import Seen
    from infra.tlog.notes import Checkpoint, Malformed, Note

    try:
        found = Checkpoint.read(Note.read(file.read_text(encoding="utf-8")).text)
    except Malformed as error:
        raise typer.BadParameter(f"{file} is no checkpoint: {error}") from None
    if found.origin != origin:
        raise typer.BadParameter(f"{file} is a checkpoint of {found.origin}, not of {origin}.")
    return Seen(root=b64encode(found.root).decode(), size=found.size)
