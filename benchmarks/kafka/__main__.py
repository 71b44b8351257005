"""Measure the processes on Kafka beside bare loops of the same clients: ``make bench-kafka``.

One broker and one database server are started for it. In every round all contenders take the same
messages, one contender after the other; what is printed are medians of the rounds.
"""

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.feed import feed
from benchmarks.kafka import latency, throughput
from benchmarks.kafka.latency import EVERY, Flow
from benchmarks.kafka.site import Servers, servers
from benchmarks.rates import Rates, asked, say, table
from dev.local import Missing
from dev.local.kafka import version as kafka_version
from dev.local.postgres import OWNER
from infra.settings import PARTITIONS
from infra.store.postgres_datastore import Datastore

CLIENTS = ("kafka-python", "faust-streaming", "aiokafka", "psycopg")

ALERT_AIM = "p99 under 500 ms"


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    lines: int
    partnerships: int
    rounds: int
    flows: tuple[Flow, ...]


FULL = Scale(
    50_000,
    500,
    3,
    tuple(Flow(rate, seconds=60, bare_seconds=20, partnerships=500) for rate in (500, 1000)),
)
QUICK = Scale(3000, 30, 1, (Flow(rate=200, seconds=2, bare_seconds=1, partnerships=10),))


def measure(scale: Scale) -> dict[str, Any]:
    """Measure everything at this scale; give all that there is to print. Raises `Missing`."""
    lines = list(feed(scale.lines, scale.partnerships))
    rates = Rates()
    events = 0
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as both:
        machine = _machine(both)
        for number in range(scale.rounds):
            say(f"round {number + 1} of {scale.rounds}")
            events = throughput.measure(rates, both, f"round{number + 1}", lines)
        steady = []
        for flow in scale.flows:
            say(f"{flow.rate:,} commands a second for {flow.seconds} s")
            steady.append(latency.measure(both, f"steady{flow.rate}", flow))
    return {
        "machine": machine,
        "feed": {"lines": scale.lines, "partnerships": scale.partnerships, "events": events},
        "per_second": {name: round(rates.rate(name)) for name in rates.rounds},
        "ratios": [
            {"of": one, "to": other, "ratio": round(rates.ratio(one, other), 2), "aim": aim}
            for one, other, aim in throughput.RATIOS
        ],
        "steady": steady,
    }


def _machine(on: Servers) -> dict[str, Any]:
    datastore = Datastore(on.postgres.url(OWNER))
    (postgres,) = datastore.one("SHOW server_version") or ("",)
    datastore.close()
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kafka": kafka_version(),
        "postgres": postgres.partition(" ")[0],
        "clients": {name: version(name) for name in CLIENTS},
    }


# --- printing ------------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> str:
    """Return what was measured as tables of Markdown."""
    machine, of = found["machine"], found["feed"]
    clients = ", ".join(f"{name} {each}" for name, each in machine["clients"].items())
    rates = [
        (f"{rate:,}", name, throughput.AIMS.get(name, ""))
        for name, rate in found["per_second"].items()
    ]
    ratios = [(f"{r['ratio']:.2f}", r["of"], r["to"], r["aim"]) for r in found["ratios"]]
    steady = "\n\n".join(map(_flow, found["steady"]))
    return f"""\
{of["lines"]:,} commands of {of["partnerships"]:,} partnerships made {of["events"]:,} events, in \
topics of {PARTITIONS} partitions.
{machine["cores"]} cores, Python {machine["python"]}, Kafka {machine["kafka"]}, \
Postgres {machine["postgres"]} (fsync on), {clients}.

{table(("commands or events/s", "what", "aim"), rates)}

{table(("ratio", "of", "to", "aim"), ratios)}

{steady}"""


def _flow(steady: dict[str, Any]) -> str:
    waiting = ", ".join(f"{count:,} for {role}" for role, count in steady["waiting"].items())
    return f"""\
{steady["asked"]:,} commands a second were asked for and {steady["achieved"]:,} sent, for \
{steady["seconds"]} s; one in {EVERY} made an alert.
As the last was sent, there waited: {waiting}.

{_latencies(steady["milliseconds"])}

{_batches(steady["batches"])}"""


def _latencies(found: dict[str, dict[str, float]]) -> str:
    head = ("p50 ms", "p90 ms", "p99 ms", "max ms", "of", "what", "aim")
    rows = [
        (
            *(f"{each[name]:,.1f}" for name in ("p50", "p90", "p99", "max")),
            f"{each['arrived']:,} of {each['sent']:,}",
            what,
            ALERT_AIM if what == latency.ALERTED else "",
        )
        for what, each in found.items()
    ]
    return table(head, rows)


def _batches(found: dict[str, dict[str, float]]) -> str:
    rows = [
        (f"{each['milliseconds']:,.1f}", f"{each['size']:,.1f}", f"{each['batches']:,}", role)
        for role, each in found.items()
    ]
    return table(("ms a batch, mean", "messages a batch, mean", "batches", "process"), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks and print what came of them."""
    given = asked("python -m benchmarks.kafka", __doc__, arguments)
    try:
        found = measure(QUICK if given.quick else FULL)
    except Missing as error:
        raise SystemExit(str(error)) from None
    print(json.dumps(found, indent=2) if given.json else show(found))


if __name__ == "__main__":
    main()
