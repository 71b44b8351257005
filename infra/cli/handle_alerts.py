"""`accord acknowledge`, `accord assign`, `accord silence`: what one side does about an alert."""

from datetime import datetime
from typing import Annotated

import typer

from domain.values import Slug
from infra.answers import alert_acts, alerts
from infra.answers.logs import AsOf
from infra.answers.parameters import Name, Person, Since, WrongParameter
from infra.answers.question import Panel
from infra.cli import acting, printing
from infra.cli.options import Json, Store, app, moment_option, opened, reader
from infra.settings import DEFAULT_STORE
from projections.alert_acts import AlertActKind
from projections.visibility import Viewer

AlertId = Annotated[
    str,
    typer.Argument(
        parser=reader("alert", Name),
        metavar="ALERT",
        help="The id of an open alert, as accord alerts shows it.",
    ),
]
Side = Annotated[
    str | None,
    typer.Option(
        "--party",
        parser=reader("party", Slug),
        metavar="PARTY",
        help="The party that acts; the operator unless given.",
    ),
]


@app.command(rich_help_panel=Panel.PARTNERSHIPS.value)
def acknowledge(
    alert: AlertId, party: Side = None, store: Store = DEFAULT_STORE, as_json: Json = False
) -> None:
    """Say that an open alert was seen."""
    _act(store, as_json, alert, party, AlertActKind.ACKNOWLEDGE)


@app.command(rich_help_panel=Panel.PARTNERSHIPS.value)
def assign(
    alert: AlertId,
    person: Annotated[
        str,
        typer.Argument(
            parser=reader("person", Person), metavar="PERSON", help="Who takes care of it."
        ),
    ],
    party: Side = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Assign an open alert to a person of your side."""
    _act(store, as_json, alert, party, AlertActKind.ASSIGN, to=person)


@app.command(rich_help_panel=Panel.PARTNERSHIPS.value)
def silence(
    alert: AlertId,
    until: Annotated[
        datetime | None,
        moment_option(
            "--until",
            "When it is shown again: a date means the beginning of that day (UTC).",
            Since,
        ),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Bring it back now.")] = False,
    party: Side = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Put an open alert aside until a day. It is shown again then, or when it opens anew."""
    if end is (until is not None):
        raise typer.BadParameter("Give either the day (--until) or --end.")
    _act(store, as_json, alert, party, AlertActKind.SILENCE, until=until)


def _act(
    store: str,
    as_json: bool,
    alert: str,
    party: str | None,
    kind: AlertActKind,
    to: str | None = None,
    until: datetime | None = None,
) -> None:
    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        found = alerts.one(accord, alert, AsOf(viewer=Viewer(party)))
        by = acting.person(accord, found.partnership, party)
        try:
            done = alert_acts.act(accord, found, party, kind, by, to=to, until=until)
        except WrongParameter as wrong:
            raise typer.BadParameter(str(wrong)) from None
    printing.result(done, alert_acts.text, as_json=as_json)
