"""`accord adopt`: propose that a partnership which already runs comes in."""

from collections.abc import Iterator
from typing import Annotated

import typer

from infra.answers.adoption_file import event_of
from infra.answers.outcomes import OutcomeCounts, Report
from infra.answers.question import Panel
from infra.answers.text import Block, Line
from infra.cli import ingest, printing
from infra.cli.options import REFUSED, REFUSES, Json, Store, app, opened
from infra.settings import DEFAULT_STORE


@app.command(rich_help_panel=Panel.PARTNERSHIPS.value, epilog=REFUSES)
def adopt(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The adoption as JSON: subject, party, actor and data, as accord schema "
            "ProposeAdoption shows them; - is standard input.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide the adoption, and record nothing.")
    ] = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Propose that a partnership which already runs comes in with what it is.

    Nothing binds until the other party accepts it (accord.AgreeAdoption), at once or part by part.
    """
    from infra.answers.validation import text, validate

    with ingest.opened_feed(file) as feed:
        raw = feed.read()
    with opened(store, as_json=as_json) as accord:
        event = event_of(raw, accord.clock())
        if dry_run:
            found = validate(accord, [event])
            printing.result(found, text, as_json=as_json)
            if not found.valid:
                raise typer.Exit(REFUSED)
            return
        outcome = accord.service.handle([event])
        accord.catch_up()
        report = OutcomeCounts(outcome).report(accord)
        partnership = outcome[0].partnership
    ingest.finish(report, lambda found: _text(found, partnership), as_json=as_json)


def _text(report: Report, partnership: str) -> Iterator[Block]:
    yield from ingest.text(report)
    if report.accepted:
        yield Line(
            f"Nothing binds until the other party accepts it: accord inbox {partnership} shows how."
        )
