"""`accord retry` and `accord dismiss`: decide refused inputs again, or close their refusals."""

from collections.abc import Iterator
from typing import Annotated

import typer

from infra.answers import refusals
from infra.answers.outcomes import OutcomeCounts
from infra.answers.parameters import PositiveWhole
from infra.answers.problems import KnownRule
from infra.answers.question import Panel
from infra.answers.refusals import Dismissed
from infra.answers.text import Block, Line
from infra.cli import acting, ingest, printing
from infra.cli.options import REFUSES, Json, Store, app, opened, reader
from infra.settings import DEFAULT_STORE

Number = Annotated[
    int | None,
    typer.Argument(
        parser=reader("number", PositiveWhole),
        metavar="NUMBER",
        help="The number of the refusal, as accord refusals shows it.",
    ),
]
Rule = Annotated[
    str | None,
    typer.Option(
        "--rule",
        parser=reader("rule", KnownRule),
        metavar="RULE",
        help="All open refusals of this rule.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="All open refusals.")]


def _check(number: int | None, rule: str | None, every: bool) -> None:
    if sum((number is not None, rule is not None, every)) != 1:
        raise typer.BadParameter("Give one of these: NUMBER, --rule RULE or --all.")


@app.command(rich_help_panel=Panel.EVENTS.value, epilog=REFUSES)
def retry(
    number: Number = None,
    rule: Rule = None,
    every: All = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Decide refused events again, as they were sent."""
    _check(number, rule, every)
    with opened(store, as_json=as_json) as accord:
        tally = OutcomeCounts()
        for page in refusals.chosen(accord, number, rule):
            tally.add(accord.service.retry(page))
        accord.catch_up()
        report = tally.report(accord)
    ingest.finish(report, ingest.text, as_json=as_json)


@app.command(rich_help_panel=Panel.EVENTS.value)
def dismiss(
    number: Number = None,
    rule: Rule = None,
    every: All = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Close refusals for good, and delete what was sent. Its sender can send it again."""
    _check(number, rule, every)
    with opened(store, as_json=as_json) as accord:
        pages = refusals.chosen(accord, number, rule)
        found = refusals.dismiss(accord, pages, acting.person(accord))
    printing.result(found, _text, as_json=as_json)


def _text(found: Dismissed) -> Iterator[Block]:
    yield Line(f"{len(found.numbers)} dismissed.")
