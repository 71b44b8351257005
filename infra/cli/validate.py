"""`accord validate`: decide the events of files without recording them."""

from contextlib import ExitStack
from typing import Annotated

import typer

from infra.answers.question import Panel
from infra.cli import printing
from infra.cli.ingest import opened_feed
from infra.cli.options import REFUSED, REFUSES, Json, Store, app, opened
from infra.settings import DEFAULT_STORE
from infra.tlog import cloudevents


@app.command(rich_help_panel=Panel.EVENTS.value, epilog=REFUSES)
def validate(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="CloudEvents: JSON lines, an array, or objects; - is standard input.",
        ),
    ],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Decide the events of files as ingest would, and record nothing.

    Each event is decided on what the ones before it would have recorded. All files together are
    held in memory.
    """
    from infra.answers.validation import text, validate

    with opened(store, as_json=as_json) as accord:
        with ExitStack() as stack:
            feeds = [stack.enter_context(opened_feed(name)) for name in files]
            raws = [raw for feed in feeds for raw in cloudevents.stream(feed)]
        found = validate(accord, raws)
    printing.result(found, text, as_json=as_json)
    if not found.valid:
        raise typer.Exit(REFUSED)
