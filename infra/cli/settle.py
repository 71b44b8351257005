"""`accord settle`: issue the statements of a period that is over."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from domain.calendar import Period
from domain.kernel import CLOCK_PARTY
from domain.values import Slug
from infra.answers import statements
from infra.answers.logs import size_of
from infra.answers.outcomes import OutcomeCounts, Report
from infra.answers.question import Panel
from infra.answers.statements import IssuedStatement
from infra.answers.text import Block
from infra.cli import ingest
from infra.cli.options import REFUSES, Id, Json, Store, app, opened, reader
from infra.deciding.batch import Outcome
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.bootstrap import Accord


class Settled(Report):
    """The statements of a period, or why they were refused."""

    statements: tuple[IssuedStatement, ...]


@app.command(rich_help_panel=Panel.MONEY.value, epilog=REFUSES)
def settle(
    id: Id,
    period: Annotated[
        str,
        typer.Option(
            "--period",
            parser=reader("period", Period),
            metavar="PERIOD",
            help="A month, a quarter or a year that is over.",
        ),
    ],
    party: Annotated[
        str | None,
        typer.Option(
            "--party",
            parser=reader("party", Slug),
            metavar="PARTY",
            help="The party that asks for it; the operator unless given.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Issue the statements of a period that is over, one for each currency."""
    with opened(store, as_json=as_json) as accord:
        report = OutcomeCounts([issue(accord, id, period, party)]).report(accord)
        issued = [each for each in statements.ask(accord, id).items if each.period == period]
        settled = Settled(**dict(report), statements=tuple(issued))
    ingest.finish(settled, _text, as_json=as_json)


def issue(accord: "Accord", partnership: str, period: str, party: str | None = None) -> Outcome:
    """Ask for the statements of a period, as a party; as the operator unless one is named.

    A party issues the statements that it pays. Asked again it gives the first outcome; a refusal is
    decided again. Raises `NotFound`.
    """
    size_of(accord.history, partnership)
    accord.catch_up()
    about = f"{partnership}/{period}"
    outcome = ingest.ask(
        accord, "settle", "IssueStatement", partnership, party or CLOCK_PARTY, about, period=period
    )
    accord.catch_up()
    return outcome


def _text(settled: Settled) -> Iterator[Block]:
    yield from ingest.text(settled)
    yield from statements.blocks(settled.statements, "statements")
