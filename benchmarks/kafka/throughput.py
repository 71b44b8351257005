"""Commands and events per second of each process alone, with a backlog, and of bare loops on it."""

from collections.abc import Sequence

from benchmarks.kafka import bare
from benchmarks.kafka.site import Servers, Site, site, timed
from benchmarks.rates import Rates

INTAKE = "intake: parse, decide, append to Postgres, commit offsets"
COMMANDS = "kafka-python: poll the same commands, commit offsets"
RELAY = "relay: read from Postgres, send, note how far"
SENT = "kafka-python: send the same events, ready made, and flush"
PROJECTOR = "projector: decode, fold all projections into Postgres, acknowledge"
PROJECTORS = "two projectors, half of the partitions each"
ACKNOWLEDGED = "Faust agent: acknowledge each event"
GATHERED = "Faust agent: acknowledge in batches"
COUNTED = "Faust agent: count each event in a Faust table"
EVENTS = "kafka-python: poll the same events, commit offsets"

RATIOS = (
    (INTAKE, COMMANDS, ""),
    (RELAY, SENT, ""),
    (PROJECTOR, ACKNOWLEDGED, "0.5 or more"),
    (PROJECTOR, COUNTED, "well above 1"),
    (PROJECTOR, GATHERED, ""),
    (PROJECTOR, EVENTS, ""),
    (PROJECTORS, PROJECTOR, ""),
)
"""What is set beside what, and what is aimed at."""

AIMS = {INTAKE: "5,000 or more"}
"""What is aimed at in commands or events per second."""


def measure(rates: Rates, servers: Servers, name: str, lines: Sequence[bytes]) -> int:
    """Run every contender once, on topics and a database of their own; give how many events."""
    with site(servers, name) as here:
        _commands(rates, here, lines)
        with here.history() as history:
            events = history.size()
        _events(rates, here, events)
        _folded(rates, here, events)
    return events


def _commands(rates: Rates, here: Site, lines: Sequence[bytes]) -> None:
    here.produce(lines)
    rates.add(COMMANDS, *here.bare("poll", here.topics.commands, len(lines)))
    with here.running("intake") as (intake,):
        rates.add(INTAKE, *timed(intake.handled, len(lines)))
    here.check()


def _events(rates: Rates, here: Site, events: int) -> None:
    rates.add(SENT, *here.bare("send", here.create(f"{here.topics.prefix}.bare"), events))
    with here.running("relay") as (relay,):
        rates.add(RELAY, *timed(relay.handled, events))
    topic = here.topics.events
    here.create(bare.changelog(bare.group("count", topic)), **{"cleanup.policy": "compact"})
    for name, loop in (
        (EVENTS, "poll"),
        (ACKNOWLEDGED, "acknowledge"),
        (GATHERED, "gather"),
        (COUNTED, "count"),
    ):
        rates.add(name, *here.bare(loop, topic, events))


def _folded(rates: Rates, here: Site, events: int) -> None:
    with here.folded() as folded:
        with here.running("projector"):
            rates.add(PROJECTOR, *timed(folded, events))
        here.forget()
        with here.running("projector", "projector") as both:
            # Before, one of them still has all partitions.
            shared = lambda: all(each.handled() for each in both)  # noqa: E731 - said just once
            rates.add(PROJECTORS, *timed(folded, events, begun=shared))
