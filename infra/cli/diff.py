"""`accord audit diff`: compare two accounts of one log, and prove a fork."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.answers.text import Line
from infra.cli import printing
from infra.cli.options import EXIT_CODES, REFUSED, Json, audit

if TYPE_CHECKING:
    from infra.tlog.notes import Verifier


@audit.command(
    epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}; here, a fork.",
)
def diff(
    one: Annotated[Path, typer.Argument(metavar="A", help="A bundle, a checkpoint, or a proof.")],
    other: Annotated[Path | None, typer.Argument(metavar="B", help="Another one.")] = None,
    key: Annotated[
        str,
        typer.Option("--log", metavar="KEY", help="The log's key (accord audit log-key)."),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write the proof of a fork here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find where two accounts of one log differ, and prove it; or check such a proof.

    The proof shows that the operator signed both.
    """
    from infra.evidence import forks
    from infra.tlog.codec import canonical

    operator = _key(key)
    if other is None:
        found = forks.check(one.read_bytes(), operator)
    else:
        found = forks.compare(forks.Account.read(one), forks.Account.read(other), operator)
    if found.proof and out:
        out.write_bytes(canonical(found.proof) + b"\n")
    printing.result(found, lambda _: [Line(found.text)], as_json=as_json)
    if found.verdict == "fork":
        raise typer.Exit(REFUSED)


def _key(text: str) -> "Verifier":
    from infra.evidence import forks

    if not text:
        raise typer.BadParameter("Give the log's key with --log; accord audit log-key prints it.")
    return forks.key_of(text)
