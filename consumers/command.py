"""The command `accord` with all that it can do, the processes on streams among it."""

from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from infra.cli import Kafka, Store, app, main, settings
from infra.settings import DEFAULT_STORE

__all__ = ["main"]


class Role(StrEnum):
    """The processes that run beside a broker."""

    INTAKE = "intake"
    RELAY = "relay"
    PROJECTOR = "projector"
    PUBLISHER = "publisher"


HEALTH = {
    Role.INTAKE: 9101,
    Role.RELAY: 9102,
    Role.PROJECTOR: 9103,
    Role.PUBLISHER: 9104,
}
"""The port of each one's health page, unless another is set."""


@app.command(rich_help_panel="All together")
def run(
    role: Annotated[Role, typer.Argument(metavar="|".join(Role), show_default=False)],
    health: Annotated[
        str | None,
        typer.Option(
            "--health",
            envvar="ACCORD_HEALTH",
            metavar="HOST:PORT",
            help="Where /healthz, /readyz and /metrics answer: 127.0.0.1 and "
            + ", ".join(f"{port} for {each}" for each, port in HEALTH.items())
            + ", unless set.",
            show_default=False,
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    kafka: Kafka = None,
) -> None:
    """Run one process beside a broker, until SIGTERM.

    intake decides commands, relay sends recorded events, projector folds them, publisher tells
    alerts, figures and the trail. Any number of each may run.
    """
    from infra.process import Process

    with Process(role.value, health or f"127.0.0.1:{HEALTH[role]}") as process:
        consumer = import_module(f"consumers.{role}")
        consumer.run(settings(store, kafka), process)
