"""Commands of those who watch over a log: keys, a witness, a cosignature by hand, forks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.options import DISPUTE, EXIT_CODES, FAILED, HOST, REFUSED, Json, app

if TYPE_CHECKING:
    from infra.audit.witness import Known, Witness


WITNESS_PORT = 8010
"""Beside the port of `accord up`, so that a party can run both."""

Name = Annotated[
    str,
    typer.Option("--name", help="The name under which it cosigns.", show_default=False),
]
Key = Annotated[
    Path,
    typer.Option(
        "--key", metavar="FILE", help="Its key, as accord keygen made it.", show_default=False
    ),
]
State = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="FILE",
        help="Where it keeps what it saw; made if it is missing.",
        show_default=False,
    ),
]
Logs = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="KEY", help="A log, by its verifier key.", show_default=False),
]
Operators = Annotated[
    list[str] | None,
    typer.Option(
        "--operator",
        metavar="KEY",
        help="An operator, by a verifier key of its name: each partnership's log below that.",
        show_default=False,
    ),
]


@app.command(rich_help_panel=DISPUTE)
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Whose key it is: a log's origin, a witness's name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key, and tell what others may know of it. One that is there stays as it is.

    The file is for its owner alone. Under a name, the key signs notes or cosigns those of others.
    """
    from base64 import b64encode

    from infra.cli.printing import document, note
    from infra.tlog.keys import Signer
    from infra.tlog.notes import Kind, Verifier, checked_name

    kinds = {"signs": Kind.NOTE, "cosigns": Kind.COSIGNATURE} if name else {}
    named = checked_name(name) if name else ""
    made = not file.exists()
    if made:
        Signer.new().save(file)
    public = Signer.load(file).public
    keys = {does: str(Verifier(named, kind, public)) for does, kind in kinds.items()}
    told = {"public": b64encode(public).decode(), **keys}
    if as_json:
        document({"file": str(file), "made": made, **told})
        return
    note(f"Made a key: {file}." if made else f"There is a key already: {file}.")
    # Not wrapped where a terminal ends, because they are copied.
    sys.stdout.writelines(f"{what:8} {text}\n" for what, text in told.items())


@app.command(rich_help_panel=DISPUTE)
def witness(
    name: Name,
    key: Key,
    state: State,
    log: Logs = None,
    operator: Operators = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = HOST,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 is any free one.")
    ] = WITNESS_PORT,
) -> None:
    """Serve a witness, which cosigns the checkpoints of logs as long as they only grow.

    Either party can run one, with its own key. The protocol is C2SP tlog-witness.
    """
    from infra.http.witness import serve

    serve(_witness(name, key, log, operator), state, host, port)


@app.command(rich_help_panel=DISPUTE, epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}.")
def cosign(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The checkpoint, a signed note.", show_default=False),
    ],
    name: Name,
    key: Key,
    state: State,
    log: Logs = None,
    operator: Operators = None,
    proof: Annotated[
        Path | None,
        typer.Option(
            "--proof",
            metavar="FILE",
            help="That the log grew from the last one cosigned: a hash to a line, in base64.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Cosign one checkpoint as a witness would, and print it with the cosignature."""
    from time import time

    from infra.audit.witness import Seen, written
    from infra.cli.printing import note
    from infra.tlog.notes import Checkpoint, Note, read_proof

    cosigner, seen = _witness(name, key, log, operator), Seen(state)
    shown = Note.read(file.read_text(encoding="utf-8"))
    last = seen.last(Checkpoint.read(shown.text).origin)
    old = Checkpoint.read(last.text).size if last else 0
    path = read_proof(proof.read_text(encoding="utf-8").split()) if proof else []
    answer = seen.answer(cosigner, written(old, path, shown), int(time()))
    if answer.cosigned:
        sys.stdout.write(str(shown.joined(answer.cosigned.signatures)))
        return
    if answer.fork:
        note(f"It contradicts the one of {old} events that was cosigned: accord forks {state}.")
    else:
        note(f"{answer.body.strip()} The last one that was cosigned is of {old} events.")
    raise typer.Exit(REFUSED)


@app.command(rich_help_panel=DISPUTE, epilog=f"Exit code {FAILED}: there is one.")
def forks(
    state: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="What a witness keeps (--state).",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show each fork that a witness saw: two signed checkpoints that cannot both be."""
    from datetime import UTC, datetime

    from domain.values import instant
    from infra.audit.witness import Seen
    from infra.cli.printing import array, note, say

    found = [
        {
            "origin": each.origin,
            "seen_at": instant(datetime.fromtimestamp(each.at, UTC)),
            "cosigned": str(each.seen),
            "contradicting": str(each.note),
        }
        for each in Seen(state).forks()
    ]
    if as_json:
        array(found)
    elif not found:
        note("No log was forked.")
    for row in [] if as_json else found:
        say(f"{row['origin']}, seen at {row['seen_at']}", "bold")
        sys.stdout.write(f"{row['cosigned']}\n{row['contradicting']}\n")
    if found:
        raise typer.Exit(FAILED)


def _witness(
    name: str, key: Path, logs: list[str] | None, operators: list[str] | None
) -> "Witness":
    from infra.audit.witness import Witness
    from infra.tlog.keys import Signer
    from infra.tlog.notes import checked_name

    return Witness(checked_name(name), Signer.load(key), _known(logs or [], operators or []))


def _known(logs: list[str], operators: list[str]) -> "Known":
    from infra.audit.witness import Known
    from infra.tlog.notes import Kind, Verifier

    if not logs and not operators:
        raise typer.BadParameter("Name a log (--log KEY) or an operator (--operator KEY).")
    both = tuple(map(Verifier.read, logs)), tuple(map(Verifier.read, operators))
    if any(each.kind != Kind.NOTE for given in both for each in given):
        raise typer.BadParameter("A log's key signs notes; this one cosigns. See accord keygen.")
    return Known(*both)
