"""`accord confirm-clock`: the operator confirms that the clock is right."""

from collections.abc import Iterator
from datetime import datetime

import typer

from domain.values import instant
from infra.answers.question import Panel, Result
from infra.answers.text import Block, Line
from infra.cli import printing
from infra.cli.options import Json, Store, app, opened
from infra.deciding import clock
from infra.settings import DEFAULT_STORE


class ClockConfirmed(Result):
    """The operator confirmed the clock."""

    at: datetime
    """What the clock showed."""
    last_record: datetime | None
    """When the last event was recorded; null in a store without events."""


@app.command("confirm-clock", rich_help_panel=Panel.OPERATION.value)
def confirm_clock(store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Confirm that the clock of this machine is right, after it was in doubt.

    Processes whose clock agrees record again within seconds. Set the clock first if it is wrong:
    what is recorded by a wrong clock cannot be taken back.
    """
    with opened(store, as_json=as_json) as accord:
        if accord.recording_clock is None:
            raise typer.BadParameter(
                "A simulated store needs no clock: its feeds say when things were recorded.",
                param_hint="--store",
            )
        found = clock.confirm(accord.history, accord.clock())
    done = ClockConfirmed(at=found.at, last_record=found.last)
    printing.result(done, _text, as_json=as_json)


def _text(done: ClockConfirmed) -> Iterator[Block]:
    last = (
        f" The last event was recorded at {instant(done.last_record)}." if done.last_record else ""
    )
    yield Line(f"Confirmed that it is {instant(done.at)}.{last}")
