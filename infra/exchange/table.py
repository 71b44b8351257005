"""The kinds of sinks. A new one is a file in this folder and a line here."""

from collections.abc import Callable, Mapping
from typing import Final

from infra.exchange.sink import Sink
from infra.exchange.webhook import Webhook


class NoSuchSink(ValueError):
    """An unknown kind of sink; the message lists the known kinds."""


SINKS: Final[Mapping[str, Callable[[str], Sink]]] = {"webhook": Webhook}
"""Makes each kind of sink from its address, the value of ``ACCORD_SINK_<KIND>``."""


def sinks(addresses: Mapping[str, str]) -> dict[str, Sink]:
    """Return the sinks of these addresses, by kind. Raises `NoSuchSink` for an unknown kind."""
    for kind in addresses.keys() - SINKS.keys():
        raise NoSuchSink(f"There is no kind of sink {kind}. Use one of {', '.join(SINKS)}.")
    return {kind: SINKS[kind](address) for kind, address in addresses.items()}
