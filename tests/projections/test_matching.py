"""Matches: the best few of each partnership, found by an index and not by all pairs (C28)."""

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from projections.matching import BEST, DEEPEST, Match, Matched, matches


def matched(
    name: str,
    segments: Sequence[str] = (),
    markets: Sequence[str] = (),
    partner: str | None = None,
    brings: str | None = None,
) -> Matched:
    return Matched(
        name, partner or f"partner-{name}", frozenset(segments), frozenset(markets), brings
    )


def pairs(found: Sequence[Match]) -> list[tuple[str, str]]:
    return [each.of for each in found]


def test_partners_of_the_same_clients_match_and_what_they_bring_is_given() -> None:
    one = matched("a", ["technology", "health"], brings="Advisers")
    other = matched("b", ["technology"])
    apart = matched("c", ["retail"], ["spain"])

    assert matches([one, other, apart]) == (
        Match(("a", "b"), ("technology",), (), {"a": "Advisers"}),
    )


def test_partnerships_with_the_same_partner_do_not_match() -> None:
    assert matches([matched(name, ["retail"], partner="same") for name in "ab"]) == ()


def test_more_in_common_comes_first_and_then_the_identifier() -> None:
    found = matches(
        [
            matched("a", ["retail"]),
            matched("b", ["retail"], ["spain"]),
            matched("c", ["retail"], ["spain"]),
        ]
    )

    assert pairs(found) == [("b", "c"), ("a", "b"), ("a", "c")]


def test_each_partnership_has_its_best_matches_and_no_more() -> None:
    found = matches([matched(f"p{number}", ["retail"]) for number in range(9)])

    of_the_last = [each for each in pairs(found) if "p8" in each]
    assert of_the_last == [(f"p{number}", "p8") for number in range(BEST)]


THINGS = st.frozensets(st.sampled_from("abcde"), max_size=4)
PARTNERSHIPS = st.lists(
    st.builds(
        Matched,
        id=st.uuids().map(str),
        partner=st.sampled_from(["x", "y", "z", "u", "v", "w"]),
        segments=THINGS,
        markets=THINGS,
    ),
    max_size=14,
)


def best_of_all_pairs(one: Matched, among: Sequence[Matched]) -> set[tuple[str, str]]:
    """Return the best matches of a partnership by comparing it with every other."""

    def common(other: Matched) -> int:
        return min(len({*one.things} & {*other.things}), DEEPEST)

    ranked = sorted(among, key=lambda each: (-common(each), each.id))
    best: dict[str, str] = {}
    for each in ranked:
        if common(each) and each.partner != one.partner:
            best.setdefault(each.partner, each.id)
    chosen = list(best.values())[:BEST]
    return {(min(one.id, each), max(one.id, each)) for each in chosen}


@given(PARTNERSHIPS)
def test_the_index_finds_what_comparing_all_pairs_finds(among: list[Matched]) -> None:
    expected: set[tuple[str, str]] = set()
    for each in among:
        expected |= best_of_all_pairs(each, among)

    found = matches(among)

    assert set(pairs(found)) == expected
    assert len(found) == len(expected)


class Counted(str):
    """A partner's name that counts how often it is compared or looked up."""

    __slots__ = ()
    touched: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Counted.touched += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Counted.touched += 1
        return str.__hash__(self)


def work(number: int, things: Sequence[tuple[str, str, str]]) -> tuple[int, int]:
    """Return how often partners are looked at among so many partnerships, and how many matches."""
    among = [
        Matched(
            f"p{at:05}",
            Counted(f"partner-{at}"),
            frozenset(things[at % len(things)][:2]),
            frozenset(things[at % len(things)][2:]),
        )
        for at in range(number)
    ]
    Counted.touched = 0
    found = matches(among)
    return Counted.touched, len(found)


SEGMENTS = [f"segment-{number}" for number in range(8)]
VARIED = [
    (one, other, f"market-{number}")
    for one, other in combinations(SEGMENTS, 2)
    for number in range(9)
]


def test_two_thousand_partnerships_are_matched_with_far_less_work_than_all_pairs() -> None:
    all_pairs = 2_000 * 1_999 // 2

    for things in (VARIED, VARIED[:1]):
        touched, found = work(2_000, things)

        assert 2_000 <= found <= BEST * 2_000
        assert touched < all_pairs / 10


def test_twice_the_partnerships_are_about_twice_the_work() -> None:
    for things in (VARIED, VARIED[:1]):
        assert work(4_000, things)[0] < 2.5 * work(2_000, things)[0]
