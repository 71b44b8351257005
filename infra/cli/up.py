"""`accord up`: serve a store in one process."""

from typing import Annotated

import typer

from infra.answers.question import Panel
from infra.cli.options import HOST, PORT, Host, Store, app, option, settings
from infra.settings import DEFAULT_STORE, setting


@app.command(rich_help_panel=Panel.OPERATION.value)
def up(
    host: Host = HOST,
    port: Annotated[
        int, option("--port", setting("port"), "PORT", "The port; 0 is any free one.")
    ] = PORT,
    is_open: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Ask for no API key: everybody on this machine may do everything. Only for a "
            "store without keys.",
        ),
    ] = False,
    store: Store = DEFAULT_STORE,
) -> None:
    """Serve the HTTP API, fold the views, record deadlines and stream alerts, in one process."""
    from infra import http

    http.serve(settings(store), host, port, is_open=is_open)
