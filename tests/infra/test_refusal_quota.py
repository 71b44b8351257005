"""A sender of refused events fills its own room in the store, and no more."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.batch import NOT_KEPT, Outcome
from infra.http.openapi import EXAMPLE
from infra.settings import RefusalLimits, Settings

PARTY = EXAMPLE["party"]
Opening = Callable[..., AbstractContextManager[Accord]]


@pytest.fixture
def opened(address: str) -> Opening:
    def open_with(**limits: int) -> AbstractContextManager[Accord]:
        settings = Settings(store=address, refused=RefusalLimits(**limits))
        init(settings)
        return bootstrap(settings)

    return open_with


def wrong(source: str, id: object, more: str = "", party: str = PARTY) -> bytes:
    """An event of a type that does not exist."""
    event = EXAMPLE | {"source": source, "id": str(id), "type": "accord.Begin", "party": party}
    return orjson.dumps(event | {"data": {"more": more}})


def kept(outcomes: list[Outcome]) -> list[bool]:
    """Whether each refused event was kept, as its hint says."""
    assert {each.status for each in outcomes} == {"refused"}
    return [not (each.hint or "").endswith(NOT_KEPT) for each in outcomes]


def test_refused_events_of_a_source_are_kept_up_to_its_quota_and_the_others_say_so(
    opened: Opening,
) -> None:
    with opened(of_source=3) as accord:
        first = accord.service.handle([wrong("//a", number) for number in range(2)])
        second = accord.service.handle([wrong("//a", number) for number in range(2, 6)])
        other = accord.service.handle([wrong("//b", 1)])

        assert kept(first) == [True, True]
        assert kept(second) == [True, False, False, False]
        assert kept(other) == [True]
        assert [each.source_id for each in accord.history.refusals()] == ["0", "1", "2", "1"]


def test_one_party_uses_up_neither_the_room_of_anothers_source_nor_all_room(
    opened: Opening,
) -> None:
    with opened(of_source=2, of_party=3) as accord:
        outsider = [wrong("//crm", number, party="mallory") for number in range(3)]
        more = [wrong("//made-up", number, party="mallory") for number in range(3)]

        assert kept(accord.service.handle(outsider)) == [True, True, False]
        assert kept(accord.service.handle(more)) == [True, False, False]
        assert kept(accord.service.handle([wrong("//crm", 1)])) == [True]
        assert accord.history.refused_of("mallory")[0] == 3


def test_the_bytes_of_a_source_are_limited_too(opened: Opening) -> None:
    size = len(wrong("//a", 1, "x" * 1000))
    with opened(bytes_of_source=2 * size + 10) as accord:
        events = [wrong("//a", number, "x" * 1000) for number in range(3)]

        assert kept(accord.service.handle(events)) == [True, True, False]
        assert accord.history.refused_of(PARTY, "//a") == (2, 2 * size)


def test_many_parties_together_have_a_limit(opened: Opening) -> None:
    with opened(of_all=5) as accord:
        events = [wrong("//crm", 1, party=f"party-{number}") for number in range(8)]

        assert kept(accord.service.handle(events)) == [True] * 5 + [False] * 3
        assert accord.history.refused_of()[0] == 5


def test_the_bytes_of_all_sources_together_are_limited(opened: Opening) -> None:
    size = len(wrong("//sender-1", 1, "x" * 1000))
    with opened(bytes_of_all=3 * size) as accord:
        events = [wrong(f"//sender-{number}", 1, "x" * 1000) for number in range(5)]

        assert kept(accord.service.handle(events)) == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    "source",
    ["//a\0b", "", " ", "//" + "a" * 5000, "//" + "\U0001f600" * 200, "accord:clock", "//\ud7ff"],
    ids=["zero", "empty", "blank", "long", "wide", "reserved", "last"],
)
def test_whatever_a_source_is_called_it_has_one_quota_and_breaks_nothing(
    opened: Opening, source: str
) -> None:
    with opened(of_source=2) as accord:
        outcomes = [accord.service.handle([wrong(source, number)])[0] for number in range(4)]

        assert kept(outcomes) == [True, True, False, False]
        assert accord.history.refused_of()[0] == 2


def test_a_sender_without_a_name_has_a_quota_of_its_own(opened: Opening) -> None:
    with opened(of_source=2) as accord:
        junk = [b"{" * number for number in range(1, 6)]

        assert kept(accord.service.handle(junk)) == [True, True, False, False, False]
        assert kept(accord.service.handle([wrong("//a", 1)])) == [True]


def test_a_refused_event_that_grows_takes_no_more_than_the_quota(opened: Opening) -> None:
    limit = 5000
    with opened(bytes_of_source=limit) as accord:
        for number in range(6):
            accord.service.handle([wrong("//a", number), wrong("//a", number, "x" * 900)])

        assert accord.history.refused_of(PARTY, "//a")[1] <= limit


def test_a_refused_event_that_is_kept_is_replaced_even_if_nothing_more_is_kept(
    opened: Opening,
) -> None:
    with opened(of_source=3) as accord:
        before = [wrong("//a", number, "more") for number in range(3)]
        accord.service.handle(before)
        again = [wrong("//a", number) for number in range(3)]

        assert kept(accord.service.handle([*again, wrong("//a", 3)])) == [True] * 3 + [False]
        assert [each.raw for each in accord.history.refusals()] == again


def test_a_refused_event_stays_kept_when_it_is_retried_under_a_lower_limit(
    opened: Opening,
) -> None:
    events = [wrong("//a", number) for number in range(3)]
    with opened(of_source=3) as accord:
        accord.service.handle(events)
    with opened(of_source=1, bytes_of_source=1) as accord:
        assert kept(accord.service.handle(events)) == [True] * 3


def test_a_dismissed_or_accepted_event_makes_room(opened: Opening) -> None:
    with opened(of_source=1) as accord:
        accord.service.handle([wrong("//a", 1)])
        (right,) = accord.service.handle([orjson.dumps(EXAMPLE | {"source": "//a", "id": "1"})])

        assert right.status == "accepted"
        assert kept(accord.service.handle([wrong("//a", 2)])) == [True]


@given(
    sent=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6)), max_size=12),
    of_source=st.integers(1, 4),
    of_all=st.integers(1, 6),
)
def test_however_events_are_refused_no_limit_is_passed(
    tmp_path_factory: pytest.TempPathFactory,
    sent: list[tuple[str, int]],
    of_source: int,
    of_all: int,
) -> None:
    limits = RefusalLimits(of_source=of_source, of_all=of_all)
    store = f"sqlite:///{tmp_path_factory.mktemp('quota')}/accord.db"
    settings = Settings(store=store, refused=limits)
    init(settings)
    with bootstrap(settings) as accord:
        for start in range(0, len(sent), 4):
            part = sent[start : start + 4]
            events = [wrong(f"//{source}", number) for source, number in part]
            accord.service.handle(events)
        counts = [accord.history.refused_of(PARTY, f"//{source}")[0] for source in "ab"]

        assert max(counts) <= of_source
        assert sum(counts) == accord.history.refused_of()[0] <= of_all
        for source, count in zip("ab", counts, strict=True):
            ids = {number for each, number in sent if each == source}
            assert count <= len(ids)
