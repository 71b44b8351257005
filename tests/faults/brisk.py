"""The command `accord` for tests that pause leaders: most of its time it is about to send.

Its notary signs several times a second. Each batch waits before it is sent, when the leader has
asked whether it leads: a pause at that moment is the one that only the broker's fence survives.
"""

from collections.abc import Iterable
from time import sleep

from consumers import notary
from consumers.command import main
from infra.kafka.clients import FencedProducer
from infra.kafka.messages import Message

ABOUT_TO_SEND = 0.4
"""Seconds."""


class _Slow(FencedProducer):
    def _sent(self, messages: Iterable[Message]) -> int:
        waiting = list(messages)
        if waiting:
            sleep(ABOUT_TO_SEND)
        return super()._sent(waiting)


if __name__ == "__main__":
    vars(notary)["INTERVAL"] = 0.2
    for module in ("relay", "publisher", "notary"):
        vars(__import__(f"consumers.{module}", fromlist=["FencedProducer"]))["FencedProducer"] = (
            _Slow
        )
    main()
