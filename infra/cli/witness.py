"""Witnesses of logs: `accord audit witness`, `accord audit cosign`, `accord audit forks`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.values import counted, instant
from infra.answers.question import Item
from infra.answers.text import Block, Line, Remark, Verbatim
from infra.cli import printing
from infra.cli.options import FAILED, HOST, REFUSED, REFUSES, Host, Json, audit, option
from infra.settings import Setting, setting

if TYPE_CHECKING:
    from infra.audit.notary import Notary
    from infra.audit.witness import Known, Witness


WITNESS_PORT = 8010
"""Another port than that of `accord up`, so that a party can run both."""

OWN_PORT = Setting("", setting("port").form, "the port of a witness")
"""It is not read from ``ACCORD_PORT``, for the same reason."""

Name = Annotated[str, typer.Option("--name", help="The name under which it cosigns.")]
Key = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="Its key, as accord keygen made it.")
]
State = Annotated[
    Path,
    typer.Option(
        "--state", metavar="FILE", help="The file of the checkpoints that it saw; made if missing."
    ),
]
Logs = Annotated[
    list[str] | None, typer.Option("--log", metavar="KEY", help="A log, by its verifier key.")
]
Operators = Annotated[
    list[str] | None,
    typer.Option(
        "--operator",
        metavar="KEY",
        help="An operator, by a verifier key of its name: all of its partnerships' logs.",
    ),
]


@audit.command()
def witness(
    name: Name,
    key: Key,
    state: State,
    log: Logs = None,
    operator: Operators = None,
    host: Host = HOST,
    port: Annotated[
        int, option("--port", OWN_PORT, "PORT", "The port; 0 is any free one.")
    ] = WITNESS_PORT,
) -> None:
    """Serve a witness: it cosigns a log's checkpoint only if the log has grown.

    Either party can run one, with its own key. The protocol is C2SP tlog-witness.
    """
    from infra.http.witness import serve

    serve(_witness(name, key, log, operator), state, host, port)


@audit.command(epilog=REFUSES)
def cosign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The checkpoint, a signed note.")],
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
            help="The proof that the log grew from the last cosigned one: a base64 hash a line.",
        ),
    ] = None,
) -> None:
    """Cosign one checkpoint as a witness would, and print it with the cosignature."""
    from time import time

    from infra.audit.witness import WitnessFile, written
    from infra.tlog.notes import Checkpoint, Note, read_proof

    cosigner, seen = _witness(name, key, log, operator), WitnessFile(state)
    shown = Note.read(file.read_text(encoding="utf-8"))
    last = seen.last(Checkpoint.read(shown.text).origin)
    old = Checkpoint.read(last.text).size if last else 0
    path = read_proof(proof.read_text(encoding="utf-8").split()) if proof else []
    answer = seen.answer(cosigner, written(old, path, shown), int(time()))
    if answer.cosigned:
        printing.write(str(shown.joined(answer.cosigned.signatures)))
        return
    if answer.fork:
        printing.note(
            f"It contradicts the cosigned one of {counted(old, 'event')}. "
            f"See accord audit forks {state}."
        )
    else:
        printing.note(f"{answer.body.strip()} The last cosigned one has {counted(old, 'event')}.")
    raise typer.Exit(REFUSED)


class NotCosigned(Item):
    """A witness that did not cosign the last checkpoint."""

    witness: str
    """Its name in the policy."""
    reason: str
    refused: bool
    """Whether it answered and refused; false if it could not be reached."""


def not_cosigned(notary: "Notary", partnership: str) -> tuple[NotCosigned, ...]:
    """Return the witnesses that did not cosign the last checkpoint of a log, if they were asked."""
    found = notary.answers.get(partnership)
    if found is None:
        return ()
    refused = found.refused
    return tuple(
        NotCosigned(witness=word, reason=reason, refused=word in refused)
        for word, reason in found.lacking.items()
    )


def report(missing: tuple[NotCosigned, ...]) -> None:
    """Say on standard error which witnesses did not cosign, and why; exit if one refused.

    Raises `typer.Exit`.
    """
    for each in missing:
        printing.note(f"The witness {each.witness} did not cosign: {each.reason}")
    if any(each.refused for each in missing):
        printing.note(
            "A witness refuses a log that did not grow from what it cosigned. Ask it for its "
            "checkpoint, and compare both with accord audit diff."
        )
        raise typer.Exit(FAILED)


class SeenFork(Item):
    """Two signed checkpoints of one log that contradict each other."""

    origin: str
    seen_at: datetime
    cosigned: str
    """The note that was cosigned."""
    contradicting: str


class Forks(Item):
    """The forks that a witness saw."""

    items: tuple[SeenFork, ...]


@audit.command(epilog=f"Exit code {FAILED}: there is a fork.")
def forks(
    state: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The state of a witness (--state).", exists=True, dir_okay=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """List the forks that a witness saw: signed checkpoints that contradict each other."""
    from infra.audit.witness import WitnessFile

    found = Forks(
        items=tuple(
            SeenFork(
                origin=each.origin,
                seen_at=datetime.fromtimestamp(each.at, UTC),
                cosigned=str(each.seen),
                contradicting=str(each.note),
            )
            for each in WitnessFile(state).forks()
        )
    )
    printing.result(found, _forks, as_json=as_json)
    if found.items:
        raise typer.Exit(FAILED)


def _forks(found: Forks) -> Iterator[Block]:
    if not found.items:
        yield Remark("No log was forked.")
    for each in found.items:
        yield Line(f"{each.origin}, seen at {instant(each.seen_at)}", "bold")
        yield Verbatim(f"{each.cosigned}\n{each.contradicting}\n")


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
