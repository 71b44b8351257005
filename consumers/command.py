"""The command `accord`, with the processes that run with a broker."""

from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from importlib import import_module
from secrets import token_urlsafe
from typing import Annotated

import typer

from domain.values import Slug
from infra.answers.question import Item, Panel
from infra.answers.text import Block, Line, Verbatim
from infra.cli import main, printing
from infra.cli.options import Json, Operator, Store, app, keys, option, reader, settings
from infra.settings import DEFAULT_STORE, PARTITIONS, setting

__all__ = ["app", "main"]


Kafka = Annotated[
    str | None,
    option("--kafka", setting("kafka"), "HOST:PORT", "The broker; separate several by commas."),
]


class ProcessRole(StrEnum):
    """The processes that run with a broker."""

    INTAKE = "intake"
    RELAY = "relay"
    PROJECTOR = "projector"
    PUBLISHER = "publisher"
    NOTARY = "notary"
    SINKS = "sinks"
    COURIER = "courier"


HEALTH = {
    ProcessRole.INTAKE: 9101,
    ProcessRole.RELAY: 9102,
    ProcessRole.PROJECTOR: 9103,
    ProcessRole.PUBLISHER: 9104,
    ProcessRole.NOTARY: 9105,
    ProcessRole.SINKS: 9106,
    ProcessRole.COURIER: 9107,
}
"""The default port of each process's health page."""


@app.command(rich_help_panel=Panel.OPERATION.value)
def migrate(
    simulated: Annotated[bool, typer.Option("--simulated", help="As for init.")] = False,
    operator: Operator = None,
    partitions: Annotated[
        int,
        option(
            "--partitions",
            setting("partitions"),
            "NUMBER",
            "Partitions of each topic; they cannot be changed later.",
        ),
    ] = PARTITIONS,
    replicas: Annotated[
        int, option("--replicas", setting("replicas"), "NUMBER", "Replicas of each topic.")
    ] = 1,
    store: Store = DEFAULT_STORE,
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Make the tables of a Postgres store and the topics of its broker, or upgrade them.

    Run it as the owner of the database, before anything else and after each upgrade.
    """
    from infra import bootstrap

    done = bootstrap.migrate(
        settings(store, kafka),
        simulated=simulated,
        operator=operator,
        partitions=partitions,
        replicas=replicas,
    )
    found = Upgrade(made=tuple(done.made), queued=tuple(done.queued))
    printing.result(found, _upgrade, as_json=as_json)


class Upgrade(Item):
    """The result of `accord migrate`."""

    made: tuple[str, ...]
    """The migrations that were applied and the topics that were made."""
    queued: tuple[str, ...]
    """The projections whose rebuild was queued."""


def _upgrade(found: Upgrade) -> Iterator[Block]:
    if found.made:
        yield Line(f"Made {', '.join(found.made)}.")
    if found.queued:
        yield Line(
            f"Queued the rebuild of {', '.join(found.queued)}. A projector of this release does "
            "it, or accord rebuild."
        )
    if not (found.made or found.queued):
        yield Line("Everything is up to date.")


class BrokerUser(Item):
    """A user of the broker. The password is nowhere else."""

    party: str
    """The party for which it sends commands."""
    user: str
    """Its name at the broker."""
    password: str
    """Its password, for SCRAM-SHA-512. It is shown once."""
    topic: str
    """The topic on which it may send commands. Each must be of its party."""
    view: str
    """The topic on which it reads its party's view of each event."""
    group: str
    """The consumer group in which it reads."""


@keys.command("broker-user")
def broker_user(
    party: Annotated[
        str,
        typer.Argument(parser=reader("party", Slug), metavar="PARTY", help="The party."),
    ],
    store: Store = DEFAULT_STORE,
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Make a user of the broker for a party, with a topic for its commands and one for its view.

    If there is one, it gets a new password. The broker must check rights.
    """
    from infra.kafka import grants, topics
    from infra.kafka.cluster import Cluster

    given = settings(store, kafka)
    cluster, names = Cluster.of(given), topics.Topics(given.topics)
    password = token_urlsafe(32)
    topics.create_commands_of(cluster, names, party)
    topics.create_view_of(cluster, names, party)
    user = grants.grant_party(cluster, names, party, password)
    made = BrokerUser(
        party=party,
        user=user,
        password=password,
        topic=names.commands_of(party),
        view=names.party(party),
        group=user,
    )
    printing.result(made, _broker_user, as_json=as_json)


def _broker_user(made: BrokerUser) -> Iterator[Block]:
    yield Line(f"{made.user} may send commands of {made.party} on {made.topic}.")
    yield Line(f"It may read the view of {made.party} on {made.view}, in the group {made.group}.")
    yield Line("Its password for SCRAM-SHA-512 is shown once:")
    yield Verbatim(f"{made.password}\n")


@app.command(rich_help_panel=Panel.OPERATION.value)
def run(
    role: Annotated[ProcessRole, typer.Argument(metavar="|".join(ProcessRole))],
    health: Annotated[
        str | None,
        option(
            "--health",
            setting("health"),
            "HOST:PORT",
            "The address of /healthz, /readyz and /metrics; by default 127.0.0.1 and "
            + ", ".join(f"{port} for {each}" for each, port in HEALTH.items())
            + ".",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    kafka: Kafka = None,
) -> None:
    """Run one process of a deployment with a broker, until SIGTERM.

    intake decides commands, relay sends recorded events, courier sends each party its view of
    them, projector folds them, publisher sends alerts, figures and the audit trail, notary signs
    checkpoints of all logs (ACCORD_KEY, and ACCORD_POLICY for who cosigns). Any number of each may
    run.
    """
    from infra.running.worker import WorkerProcess

    given = settings(store, kafka).beside_broker()
    with WorkerProcess(role.value, health or f"127.0.0.1:{HEALTH[role]}") as process:
        consumer = import_module(f"consumers.{role}")
        process.keep(partial(consumer.run, given, process))
