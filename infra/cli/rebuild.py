"""`accord rebuild`: rebuild projections while readers keep using the old rows."""

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from domain.values import counted
from infra.answers.question import Panel, Result
from infra.answers.text import Block, Line
from infra.cli import printing
from infra.cli.options import Json, Store, app, opened
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.projecting.rebuild import RebuildProgress, Report
    from projections.fold import Projection

EVERY = 2.0
"""Seconds between two lines of progress."""


class Rebuilt(Result):
    """The result of a rebuild."""

    projections: tuple[str, ...]
    events: int
    """Events that it folded; fewer than there are if an earlier rebuild had begun."""


@app.command(rich_help_panel=Panel.OPERATION.value)
def rebuild(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROJECTION]…",
            help="What to rebuild. Without names: what was queued or interrupted, else all.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Rebuild projections. Readers see the old rows until the new ones replace them.

    An interrupted rebuild continues where it stopped.
    """
    from infra.projecting import rebuild as rebuilding
    from projections import PROJECTIONS

    chosen = _chosen(names or ())
    with opened(store, as_json=as_json) as accord:
        wanted = chosen or rebuilding.pending(accord.views, PROJECTIONS) or PROJECTIONS
        events = rebuilding.rebuild(accord.history, accord.views, wanted, _reporter())
        accord.catch_up()
        done = Rebuilt(
            simulated=accord.simulated,
            projections=tuple(each.name for each in wanted),
            events=events,
        )
    printing.result(done, _text, as_json=as_json)


def _chosen(names: "list[str] | tuple[()]") -> "list[Projection]":
    from projections import PROJECTIONS

    by_name = {each.name: each for each in PROJECTIONS}
    if unknown := [each for each in names if each not in by_name]:
        raise typer.BadParameter(
            f"There is no projection {', '.join(unknown)}. Choose from {', '.join(by_name)}."
        )
    return [by_name[each] for each in dict.fromkeys(names)]


def _reporter() -> "Report":
    """Return what prints the progress now and then."""
    due = monotonic() + EVERY

    def report(progress: "RebuildProgress") -> None:
        nonlocal due
        if monotonic() >= due:
            printing.note(f"Folded {progress.done:,} of {progress.total:,} events.")
            due = monotonic() + EVERY

    return report


def _text(done: Rebuilt) -> Iterator[Block]:
    yield Line(f"Rebuilt {', '.join(done.projections)} from {counted(done.events, 'event')}.")
