"""`accord retry`: decide a refused input again."""

from typing import Annotated

import typer

from infra.answers.logs import NotFound
from infra.answers.outcomes import OutcomeCounts
from infra.answers.question import Panel
from infra.cli import ingest
from infra.cli.options import REFUSES, Json, Store, app, opened
from infra.settings import DEFAULT_STORE


@app.command(rich_help_panel=Panel.INGEST.value, epilog=REFUSES)
def retry(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Its number in accord rejected.")],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Decide a refused input again, unchanged."""
    with opened(store, as_json=as_json) as accord:
        outcome = accord.service.retry(number)
        if outcome is None:
            raise NotFound(f"There is no refused input {number}.", "List them: accord rejected.")
        accord.catch_up()
        report = OutcomeCounts([outcome]).report(accord)
    ingest.finish(report, ingest.text, as_json=as_json)
