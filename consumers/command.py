"""The command `accord` with all that it can do, the processes on streams among it."""

from enum import StrEnum
from functools import partial
from importlib import import_module
from typing import Annotated

import typer

from infra.answers.question import Panel
from infra.cli import main
from infra.cli.options import KAFKA, Json, Operator, Store, app, settings
from infra.settings import DEFAULT_STORE, PARTITIONS

__all__ = ["app", "main"]


Kafka = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        envvar=KAFKA,
        metavar="HOST:PORT",
        help="The broker; more than one behind commas.",
        show_default=False,
    ),
]


class Role(StrEnum):
    """The processes that run beside a broker."""

    INTAKE = "intake"
    RELAY = "relay"
    PROJECTOR = "projector"
    PUBLISHER = "publisher"
    NOTARY = "notary"
    SINKS = "sinks"


HEALTH = {
    Role.INTAKE: 9101,
    Role.RELAY: 9102,
    Role.PROJECTOR: 9103,
    Role.PUBLISHER: 9104,
    Role.NOTARY: 9105,
    Role.SINKS: 9106,
}
"""The port of each one's health page, unless another is set."""


@app.command(rich_help_panel=Panel.RUN.value)
def migrate(
    simulated: Annotated[
        bool, typer.Option("--simulated", help="As for init, for feeds of the past.")
    ] = False,
    operator: Operator = None,
    partitions: Annotated[
        int,
        typer.Option(
            "--partitions",
            envvar="ACCORD_PARTITIONS",
            min=1,
            help="Of each topic; cannot be changed once they are made.",
        ),
    ] = PARTITIONS,
    replicas: Annotated[
        int, typer.Option("--replicas", envvar="ACCORD_REPLICAS", min=1, help="Of each topic.")
    ] = 1,
    password: Annotated[
        str | None,
        typer.Option(
            "--role-password",
            envvar="ACCORD_ROLE_PASSWORD",
            help="By which the database's roles can log in.",
            show_default=False,
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Make the tables of a Postgres store and the topics of its broker, or bring them up to date.

    It runs once, as the database's owner, before anything else starts; again it changes nothing.
    """
    from infra import bootstrap
    from infra.cli.printing import document, say

    done = bootstrap.migrate(
        settings(store, kafka),
        simulated=simulated,
        operator=operator,
        password=password,
        partitions=partitions,
        replicas=replicas,
    )
    if as_json:
        document({"done": done})
    else:
        say(f"Made {', '.join(done)}." if done else "Everything is as this release needs it.")


@app.command(rich_help_panel=Panel.RUN.value)
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
    alerts, figures and the trail, notary signs checkpoints of all logs (ACCORD_KEY, and
    ACCORD_POLICY for who cosigns). Any number of each may run.
    """
    from infra.running.worker import WorkerProcess

    given = settings(store, kafka).beside_broker()
    with WorkerProcess(role.value, health or f"127.0.0.1:{HEALTH[role]}") as process:
        consumer = import_module(f"consumers.{role}")
        process.keep(partial(consumer.run, given, process))
