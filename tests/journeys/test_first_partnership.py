"""A first partnership, found from `accord next` and the examples of `accord schema` alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from domain.examples import THEIRS
from domain.kernel import Stage
from domain.values import instant
from infra.answers import next as answer
from infra.answers import schema
from infra.answers.next import Met, Next
from infra.bootstrap import Accord
from tests.feeds import simulated

ID = "our-first"
BEGUN = datetime(2025, 9, 1, 9, tzinfo=UTC)

PASSES = ("accord.ChoosePartner", "accord.HoldKickoff")
"""The types that pass a gate once it is open."""


class Newcomer:
    """Sends what `next` asks for, as `schema` shows it, and reads nothing else."""

    def __init__(self, accord: Accord) -> None:
        self._accord = accord
        self._sent = 0
        self.refused: list[tuple[str, str | None]] = []

    def send(self, type_: str, party: str | None = None, **changes: object) -> None:
        """Send the example of a type on the own partnership, as a party."""
        (shown,) = schema.ask(type_).items
        assert shown.example is not None
        event: dict[str, Any] = shown.example | {"id": f"own-{self._sent}", "subject": ID}
        event["time"] = instant(BEGUN + timedelta(hours=self._sent))
        event["party"] = party or event["party"]
        event["data"] = event["data"] | changes
        self._sent += 1
        (outcome,) = self._accord.service.handle([orjson.dumps(event)])
        if outcome.status != "accepted":
            self.refused.append((type_, outcome.detail))

    def next(self) -> Next:
        return answer.ask(self._accord, ID)

    def act(self) -> bool:
        """Do the first thing that is asked for; return whether there was one."""
        for party, type_, changes in self._asked(self.next()):
            self.send(type_, party, **changes)
            return True
        return False

    def _asked(self, found: Next) -> Iterator[tuple[str, str, dict[str, str]]]:
        for each in found.parties:
            for waiting in each.waiting:
                yield each.party, waiting.answers[0], {"proposal": waiting.proposal}
        can = {each.party: {event.type for event in each.events} for each in found.parties}
        unmet = (
            condition
            for gate in found.gates
            for condition in gate.conditions
            if condition.met is Met.NO
        )
        for condition in unmet:
            named = condition.rule.partition(":")[2]
            for party in [named] if named in can else can:
                yield from ((party, type_, {}) for type_ in condition.meets if type_ in can[party])
        for party, types in can.items():
            yield from ((party, type_, {}) for type_ in PASSES if type_ in types)


def test_the_gates_lead_from_the_first_event_to_the_kickoff(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        newcomer = Newcomer(accord)
        newcomer.send("accord.BeginExploration")
        newcomer.send("accord.DefineIdealPartnerProfile")
        newcomer.send("accord.IdentifyCandidate", candidate=THEIRS)
        for _ in range(60):
            if newcomer.next().stage is Stage.EXECUTION or not newcomer.act():
                break

        assert newcomer.refused == []
        assert newcomer.next().stage is Stage.EXECUTION
