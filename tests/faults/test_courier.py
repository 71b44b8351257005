"""A courier that is killed again and again leaves no gap and sends nothing else the second time."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import orjson
import pytest

from tests import planted
from tests.journeys.production import SETTLED_SECONDS, Production, production, wait_for
from tests.parts import Reachable
from tests.planted import PARTIES, PARTNERSHIP

KILLS = 3
"""How often it is killed, each time after a part of the life came in."""

PART = 25
"""The messages of a part."""


@pytest.fixture
def made(database: str, broker: Reachable, tmp_path: Path) -> Iterator[Production]:
    with production(database, broker.address, tmp_path) as made:
        yield made


def test_each_party_has_every_event_once_and_in_order_after_kills(made: Production) -> None:
    life = planted.life()
    for role in ("intake", "courier"):
        made.start(role)
        made.wait_until_ready(role)
    with made.accord() as accord:
        for number in range(KILLS):
            made.produce(life[number * PART : (number + 1) * PART])
            assert made.running["courier"].end(SIGKILL) == -SIGKILL
            made.start("courier")
        made.produce(life[KILLS * PART :])
        topics = [made.topics.party(each) for each in PARTIES]

        def are_sent() -> bool:
            size = accord.history.size()
            return size >= len(life) and accord.views.cursor("courier") == size - 1

        wait_for(are_sent, SETTLED_SECONDS, made.logs)
        size = accord.history.size()
    by_id = defaultdict(set)
    indexes = defaultdict(list)
    for each in made.consumed(*topics):
        assert each.key.decode() == PARTNERSHIP
        by_id[each.topic, dict(each.headers)["ce_id"]].add(each.value)
        indexes[each.topic].append(orjson.loads(each.value)["index"])
    assert {len(values) for values in by_id.values()} == {1}
    for topic in topics:
        assert list(dict.fromkeys(indexes[topic])) == list(range(size)), topic
