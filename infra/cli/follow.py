"""`accord follow`: the open alerts, then each change of an alert as it is recorded."""

import signal
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from infra.answers import alerts
from infra.answers.alerts import Change
from infra.answers.question import Paging, Panel
from infra.answers.text import Hanging, minute
from infra.bootstrap import Accord
from infra.cli import printing
from infra.cli.options import Json, Store, app, opened
from infra.settings import DEFAULT_STORE
from projections import ALERTS
from projections.alerts import Alert, AlertState

POLL_SECONDS = 0.5
"""How often it looks for changes that other processes recorded."""


@app.command(rich_help_panel=Panel.QUERY.value)
def follow(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="One partnership.")] = None,
    state: Annotated[
        AlertState | None, typer.Option("--state", help="Only changes to this state.")
    ] = None,
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
        try:
            for each in _followed(accord, id, state):
                if as_json:
                    mark = {"simulated": True} if accord.simulated else {}
                    printing.document(ALERTS.dump(each.id, each) | mark)
                else:
                    _print(each)
        except KeyboardInterrupt:
            return


def _followed(accord: Accord, of: str | None, state: AlertState | None) -> Iterator[Alert]:
    # The last change is looked up first, so that none falls between the list and the stream.
    cursor = alerts.last_change(accord)
    wanted = state or AlertState.OPEN
    page: Paging | None = Paging()
    while page is not None:
        found = alerts.ask(accord, of, wanted, page=page)
        yield from found.items
        page = Paging(found.next) if found.next else None
    while True:
        changed, cursor = alerts.changes(accord, cursor, of)
        for each in map(_alert, changed):
            if state in {None, each.state}:
                yield each
        if not changed:
            time.sleep(POLL_SECONDS)


def _alert(change: Change) -> Alert:
    found: Alert = ALERTS.load(change.output.id, change.output.body)
    return found


def _print(alert: Alert) -> None:
    head = f"{alert.state:9}  {minute(alert.recorded_at)}  "
    said = alert.text if alert.ended is None else alert.ended
    printing.blocks([Hanging(head, f"{alert.id}  {said}")])
