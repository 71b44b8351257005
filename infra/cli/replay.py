"""`accord audit replay`: verify a bundle, and compute its statements from its events."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import printing
from infra.cli.options import FAILED, REFUSED, Json, audit, moment_option
from infra.files import opened_for_owner


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
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE.html",
            help="Write one page with the statements, two moments compared, and all events.",
        ),
    ] = None,
    against: Annotated[
        datetime | None,
        moment_option(
            "--against",
            "The earlier moment of the page: a date or a moment. When the last statement was "
            "issued, unless given.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute each statement in a bundle from its events, and show what differs.

    The bundle is verified first, as its verifiers do. Nothing is read from a store.
    """
    from infra.evidence import page, replay
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
    if html is not None and found.record.code is None:
        with opened_for_owner(html, "xb") as file:
            file.write(page.page(bundle, found, against).encode())
    if found.differs:
        raise typer.Exit(FAILED)
    if not found.complete:
        raise typer.Exit(REFUSED)
