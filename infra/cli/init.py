"""`accord init`: make a store."""

from typing import Annotated

import typer

from infra.answers.question import Panel, Result
from infra.answers.text import Block, Line
from infra.cli import printing
from infra.cli.options import Json, Operator, Store, app, settings
from infra.settings import DEFAULT_STORE


class Made(Result):
    """A store."""

    store: str
    made: bool
    """Whether it was made now; false if it existed."""


@app.command(rich_help_panel=Panel.OPERATION.value)
def init(
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated", help="For feeds of the past, which say when their events were recorded."
        ),
    ] = False,
    operator: Operator = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Make a store, with a key file next to a SQLite file. Does nothing if it exists."""
    from infra import bootstrap

    made = bootstrap.init(settings(store), simulated=simulated, operator=operator)
    found = Made(store=store, made=made, simulated=simulated)
    printing.result(found, lambda _: [_text(found)], as_json=as_json)


def _text(found: Made) -> Block:
    kind = "simulated store" if found.simulated else "store"
    if found.made:
        return Line(f"Made a {kind}: {found.store}.")
    return Line(f"The {kind} {found.store} exists already.")
