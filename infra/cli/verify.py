"""`accord audit verify`: check each log and every view, and name what differs."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import printing
from infra.cli.options import FAILED, Json, Store, audit, opened
from infra.settings import DEFAULT_STORE


@audit.command(
    epilog=f"Exit code {FAILED}: something differs, or a partnership is quarantined.",
)
def verify(
    memory: Annotated[
        Path | None,
        typer.Option(
            "--memory",
            metavar="FILE",
            help="A file that remembers what was verified; the next run starts from there.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Check each log, its signed checkpoints and every view; show what differs."""
    from infra.answers import verify

    partnerships = events = rows = 0
    differences: list[verify.Difference] = []
    quarantined: list[verify.Unfolded] = []
    with opened(store, as_json=as_json) as accord:
        with printing.progress() as bar:
            task = bar.add_task("verifying", total=accord.history.size())
            for checked in verify.check(accord, verify.Memory(memory)):
                partnerships += bool(checked.partnership)
                events += checked.events
                rows += checked.rows
                differences += [checked.difference] if checked.difference else []
                quarantined += [checked.unfolded] if checked.unfolded else []
                bar.advance(task, checked.events)
        found = verify.Verification(
            simulated=accord.simulated,
            verified=not (differences or quarantined),
            partnerships=partnerships,
            events=events,
            rows=rows,
            differences=tuple(differences),
            quarantined=tuple(quarantined),
        )
        printing.result(found, verify.text, as_json=as_json)
    if not found.verified:
        raise typer.Exit(FAILED)
