"""`accord follow`: the open alerts, then each change of an alert as it is recorded."""

import signal
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from infra.answers import changes
from infra.answers.alerts import response
from infra.answers.changes import Since
from infra.answers.escalated import named
from infra.answers.logs import size_of
from infra.answers.question import Panel
from infra.answers.text import Hanging, minute
from infra.bootstrap import Accord
from infra.cli import printing
from infra.cli.options import Json, Store, app, opened
from infra.settings import DEFAULT_STORE
from projections import ALERTS
from projections.alerts import Alert, AlertState

POLL_SECONDS = 0.5
"""How often it looks for changes that other processes recorded."""


@app.command(rich_help_panel=Panel.PARTNERSHIPS.value)
def follow(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="One partnership.")] = None,
    state: Annotated[
        AlertState | None, typer.Option("--state", help="Only alerts in this state.")
    ] = None,
    since: Annotated[
        Since,
        typer.Option(
            "--since",
            help="Begin with the open alerts (state), with the first change of all (begin), "
            "or with the next change (now).",
        ),
    ] = Since.STATE,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Print the open alerts, then each change of an alert, until Ctrl-C.

    With --json, one JSON object a line.
    """
    # A shell lets background jobs ignore the signal that ends this command.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        if id is not None:
            size_of(accord.history, id)
        try:
            for each in _followed(accord, since, id):
                if state not in {None, each.state}:
                    continue
                if as_json:
                    mark = {"simulated": True} if accord.simulated else {}
                    printing.document(ALERTS.dump(each.id, each) | mark)
                else:
                    _print(*named(accord.history, each.partnership, [each]))
        except KeyboardInterrupt:
            return


def _followed(accord: Accord, since: Since, partnership: str | None) -> Iterator[Alert]:
    for batch in changes.feed(accord, since, partnership=partnership):
        yield from filter(None, (each.alert for each in batch.messages))
        if not batch.messages:
            time.sleep(POLL_SECONDS)


def _print(alert: Alert) -> None:
    head = f"{alert.state:9}  {minute(alert.recorded_at)}  "
    text = f"{alert.text} {response(alert)}" if alert.ended is None else alert.ended
    printing.blocks([Hanging(head, f"{alert.id}  {text}")])
