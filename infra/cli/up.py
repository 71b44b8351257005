"""`accord up`: serve a store in one process."""

from typing import Annotated

import typer

from infra.answers.question import Panel
from infra.cli.options import HOST, PORT, Host, Store, app, settings
from infra.settings import DEFAULT_STORE


@app.command(rich_help_panel=Panel.RUN.value)
def up(
    host: Host = HOST,
    port: Annotated[
        int, typer.Option("--port", envvar="ACCORD_PORT", min=0, max=65535, help="The port.")
    ] = PORT,
    store: Store = DEFAULT_STORE,
) -> None:
    """Serve the HTTP API, fold the views, record deadlines and stream alerts, in one process."""
    from infra import http

    http.serve(settings(store), host, port)
