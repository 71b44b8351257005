"""`accord settle`: issue the statements of a period that is over."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from domain.values import instant
from infra.answers import statements
from infra.answers.logs import size_of, view_rows
from infra.answers.outcomes import Report, Tally
from infra.answers.question import Panel
from infra.answers.statements import IssuedStatement
from infra.answers.text import Block
from infra.cli import ingest, printing
from infra.cli.options import (
    EXIT_CODES,
    REFUSED,
    Id,
    Json,
    Store,
    app,
    checked_period,
    opened,
)
from infra.deciding.batch import Outcome
from infra.deciding.service import wall_clock
from infra.settings import DEFAULT_STORE
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW

if TYPE_CHECKING:
    from infra.bootstrap import Accord

SOURCE = "accord:settle"
"""The source of statements that `accord settle` asks for."""


class Settled(Report):
    """The statements of a period, or why they were refused."""

    statements: tuple[IssuedStatement, ...]


@app.command(
    rich_help_panel=Panel.INGEST.value, epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}."
)
def settle(
    id: Id,
    period: Annotated[
        str,
        typer.Option(
            "--period",
            callback=checked_period,
            metavar="PERIOD",
            help="A month, a quarter or a year that is over.",
            show_default=False,
        ),
    ],
    party: Annotated[
        str | None,
        typer.Option(
            "--party",
            metavar="PARTY",
            help="The party that asks for it; the initiator unless given.",
            show_default=False,
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Issue the statements of a period that is over, one for each currency."""
    with opened(store, as_json=as_json) as accord:
        report = Tally([issue(accord, id, period, party)]).report(accord)
        issued = [each for each in statements.ask(accord, id).items if each.period == period]
        settled = Settled(**dict(report), statements=tuple(issued))
    printing.result(settled, _text, as_json=as_json)
    if settled.refused:
        raise typer.Exit(REFUSED)


def issue(accord: "Accord", partnership: str, period: str, party: str | None = None) -> Outcome:
    """Ask for the statements of a period, as one of the parties; the initiator unless named.

    Asked again it gives the first outcome; a refusal is decided again. Raises `NotFound`.
    """
    size_of(accord.history, partnership)
    accord.catch_up()
    overview = view_rows(accord, OVERVIEW, partnership)[OVERVIEW_ROW]
    last = accord.history.heads([partnership])[partnership].recorded_at
    moment = instant(last if accord.simulated else wall_clock())
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{partnership}/{period}/{moment}",
        "source": SOURCE,
        "type": "accord.IssueStatement",
        "subject": partnership,
        "time": moment,
        "party": party or overview.parties[0],
        "actor": "accord settle",
        "data": {"period": period},
    }
    outcome = accord.service.ask(orjson.dumps(event))
    accord.catch_up()
    return outcome


def _text(settled: Settled) -> Iterator[Block]:
    yield from ingest.text(settled)
    yield from statements.blocks(settled.statements, "statements")
