"""`accord audit replay`: verify a bundle, and compute its statements from its events."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import printing
from infra.cli.options import FAILED, REFUSED, Json, audit


@audit.command(
    epilog=f"Exit code {FAILED}: the record has a fault, or a statement differs. "
    f"Exit code {REFUSED}: a statement cannot be computed, because events are withheld.",
)
def replay(
    bundle: Annotated[Path, typer.Argument(metavar="FILE.zip", help="An evidence bundle.")],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="The keys that you trust (docs/auditor.md)."),
    ] = None,
    pins: Annotated[
        Path | None,
        typer.Option("--pins", metavar="FILE", help="The parties' keys that you expect."),
    ] = None,
    seen: Annotated[
        list[Path] | None,
        typer.Option(
            "--seen", metavar="FILE", help="A checkpoint of the log that you saw; repeatable."
        ),
    ] = None,
    receipt: Annotated[
        list[Path] | None,
        typer.Option(
            "--receipt", metavar="FILE", help="A receipt that you were given; repeatable."
        ),
    ] = None,
    not_before: Annotated[
        str | None,
        typer.Option("--not-before", metavar="MOMENT", help="What the log must reach."),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="STATEMENT",
            help="Show the path from each line of a statement to the signed events.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute each statement in a bundle from its events, and show what differs.

    The bundle is verified first, as its verifiers do. Nothing is read from a store.
    """
    from infra.evidence import replay
    from infra.evidence.verifiers.verify import Misuse

    try:
        found = replay.replay(
            bundle,
            policy=policy,
            pins=pins,
            seen=seen or (),
            receipts=receipt or (),
            not_before=not_before,
            explain=explain,
        )
    except Misuse as misuse:
        raise typer.BadParameter(str(misuse)) from None
    printing.result(found, replay.text, as_json=as_json)
    if found.differs:
        raise typer.Exit(FAILED)
    if not found.complete:
        raise typer.Exit(REFUSED)
