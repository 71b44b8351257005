"""`accord audit replay`: verify a bundle, and compute its statements from its events."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import printing
from infra.cli.options import DONE, FAILED, Json, audit, moment_option
from infra.files import opened_for_owner

if TYPE_CHECKING:
    from infra.evidence.replay import Replay

FAULT, NOT_PINNED, NOT_COMPUTED = 3, 4, 5
"""Exit codes. The verifiers end with the first two for the same reasons (FORMAT.md, section 10)."""


@audit.command(
    epilog=f"Exit code {FAILED}: a statement or a decision differs, or something failed. "
    f"{FAULT}: the record has a fault. {NOT_PINNED}: nothing differs, but no policy or not all "
    f"parties' keys are pinned. {NOT_COMPUTED}: a statement cannot be computed, or a binding act "
    "cannot be decided again, because events are withheld or commands erased.",
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
    if html is not None and not found.is_fault:
        with opened_for_owner(html, "xb") as file:
            file.write(page.page(bundle, found, against).encode())
    if (code := _code(found)) != DONE:
        raise typer.Exit(code)


def _code(found: "Replay") -> int:
    if found.is_fault:
        return FAULT
    if found.differs:
        return FAILED
    if found.record.verdict != "RECORD VERIFIED":
        return NOT_PINNED
    return DONE if found.complete else NOT_COMPUTED
