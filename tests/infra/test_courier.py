"""The topics of the parties: each gets its view of each event, as its history has it.

Given a life in which both parties keep facts to themselves, when the courier has sent it, then each
party's topic has every event in order, and of what the other keeps to itself only that it is there.
"""

from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest

from infra.answers import history
from infra.answers.logs import AsOf
from infra.bootstrap import Accord
from infra.kafka.topics import Topics
from infra.tlog.codec import canonical
from infra.tlog.merkle import leaf_hash
from projections.visibility import Viewer
from tests import planted
from tests.infra.test_leader import run_out
from tests.infra.test_sender import Site, drain, dropped_connections, site, soon
from tests.life import OURS, THEIRS
from tests.planted import PARTIES, PARTNERSHIP

__all__ = ["dropped_connections", "site", "soon"]

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

LIFE = planted.life(Random(5))  # noqa: S311 - repeatable


def sent(site: Site) -> dict[str, list[Any]]:
    """Return the messages of each party's topic, in order."""
    found = defaultdict(list)
    for each in site.messages():
        party = each.topic.removeprefix(f"{site.settings.topics}.party.")
        if party != each.topic:
            found[party].append(each)
    return found


def bodies(found: list[Any]) -> list[dict[str, Any]]:
    return [orjson.loads(each.value) for each in found]


def joined(accord: Accord, party: str) -> int:
    """Return the index at which a party became one of the partnership."""
    types = [each.event.wire for each in accord.history.of(PARTNERSHIP)]
    return 0 if party == OURS else types.index("PartnerChosen")


def in_history(accord: Accord, party: str) -> Iterator[dict[str, Any]]:
    """Yield each event as the party's history had it when the event was recorded."""
    size = accord.history.heads([PARTNERSHIP])[PARTNERSHIP].size
    for index in range(size):
        version = max(index, joined(accord, party)) + 1
        when = AsOf(version=version, viewer=Viewer(party))
        item = next(history.items(accord, PARTNERSHIP, when, index, 1))
        text = item.text
        for commitment, name in item.people.items():
            text = text.replace(name, commitment)
        yield item.model_dump(mode="json", exclude={"people"}) | {"text": text}


def test_each_party_gets_its_history_in_order_and_nothing_that_the_other_keeps_to_itself(
    site: Site,
) -> None:
    accord = site.accord
    assert {each.status for each in accord.service.handle(LIFE)} == {"accepted"}
    courier, _ = site.leader("courier")

    assert drain(courier) == accord.history.size()
    found = sent(site)

    assert set(found) == set(PARTIES)
    for party, other in ((OURS, THEIRS), (THEIRS, OURS)):
        whole = b"".join(
            part for each in found[party] for part in (each.value, repr(each.headers).encode())
        )
        assert planted.found(other, whole) == []
        assert planted.found(party, whole) == [*planted.markers(party)]
        told = bodies(found[party])
        assert {each.pop("partnership") for each in told} == {PARTNERSHIP}
        wanted = list(in_history(accord, party))
        assert [each["index"] for each in told] == list(range(len(wanted)))
        for one, item in zip(told, wanted, strict=True):
            assert one["withheld"] == item["withheld"], item
            assert one["text"] == item["text"]
            assert (one["event"] is None) == (item["event"] is None)
        assert {each["text"] for each in told if each["withheld"]} == {
            f"(hidden: private to {other})",
            f"(fewer than {planted.CELL}: not shown)",
        }


def test_what_a_party_gets_in_full_has_the_hash_that_is_signed(site: Site) -> None:
    site.accord.service.handle(LIFE)
    courier, _ = site.leader("courier")
    drain(courier)
    leaves = list(site.accord.history.leaves(PARTNERSHIP))

    for each in bodies(sent(site)[THEIRS]):
        if not each["withheld"]:
            assert leaf_hash(canonical(each["event"])) == leaves[each["index"]]


def test_of_a_hidden_event_no_type_no_time_and_no_identifier_is_sent(site: Site) -> None:
    site.accord.service.handle(LIFE)
    courier, _ = site.leader("courier")
    drain(courier)

    hidden = [each for each in sent(site)[THEIRS] if orjson.loads(each.value)["event"] is None]

    assert hidden
    for each in hidden:
        names = {name for name, _ in each.headers}
        assert names == {
            "ce_specversion",
            "ce_source",
            "ce_type",
            "ce_dataschema",
            "ce_id",
            "ce_subject",
            "content-type",
        }
        assert dict(each.headers)["ce_type"] == b"accord.PartyView"
        assert set(orjson.loads(each.value)) == {
            "partnership",
            "index",
            "event",
            "withheld",
            "text",
            "late_days",
        }


def test_the_topics_of_events_and_of_the_trail_have_nothing_that_a_party_may_keep_to_itself(
    site: Site,
) -> None:
    site.accord.service.handle(LIFE)
    site.accord.runner.catch_up()
    for role in ("relay", "publisher"):
        leader, _ = site.leader(role)
        drain(leader)
    names = Topics(site.settings.topics)
    of_events, trail = (
        [each for each in site.messages() if each.topic == topic]
        for topic in (names.events, names.audit)
    )
    leaves = list(site.accord.history.leaves(PARTNERSHIP))

    for each in (*of_events, *trail):
        text = each.value + repr(each.headers).encode()
        assert [found for party in PARTIES for found in planted.found(party, text)] == []
    assert len(of_events) == len(trail) == len(leaves)
    withheld = [body for body in bodies(of_events) if "withheld" in body]
    assert {bytes.fromhex(each["withheld"]) for each in withheld} == {
        leaves[each["index"]] for each in withheld
    }
    assert sum(each["text"].startswith("(hidden") for each in bodies(trail)) == len(withheld) > 10


def test_a_courier_that_dies_before_it_saves_its_cursor_is_followed_without_a_gap(
    site: Site,
) -> None:
    """The next one sends again, with the same identifiers and the same content."""
    (old, paused), (new, _) = site.leader("courier"), site.leader("courier")
    site.accord.service.handle(LIFE)

    def dies() -> None:
        raise RuntimeError("killed")

    paused.before["saving"] = dies
    with pytest.raises(RuntimeError, match="killed"):
        drain(old)
    run_out(site.settings.store)
    drain(new)

    for found in sent(site).values():
        by_id = defaultdict(set)
        for each in found:
            by_id[dict(each.headers)["ce_id"]].add(each.value)
        assert len(found) == 2 * len(by_id)
        assert all(len(values) == 1 for values in by_id.values())
        first = list(dict.fromkeys(each["index"] for each in bodies(found)))
        assert first == list(range(site.accord.history.size()))
