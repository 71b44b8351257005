"""The terms by day, against a reading that looks through all agreements for each day."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.agreement import CommercialTermsAgreed
from domain.attribution import AttributionPolicy, PolicyKind
from domain.calendar import add, add_months
from domain.terms import (
    Assets,
    ClaimRules,
    Frame,
    FrameChange,
    Item,
    Retainer,
    RevenueShare,
    Trigger,
    named,
)
from domain.terms_by_day import Exit, Renewal, TermsByDay, local_day
from domain.values import Money

FIRST_DAY, LAST_DAY = date(2025, 12, 28), date(2026, 3, 6)
DAYS = [FIRST_DAY + timedelta(days=each) for each in range((LAST_DAY - FIRST_DAY).days)]
START = date(2026, 1, 1)
BEFORE = datetime(2025, 12, 20, 9, tzinfo=UTC)


def share(percent: int, name: str | None = None) -> RevenueShare:
    return RevenueShare(
        name=name,
        to="north",
        share=Decimal(percent),
        basis="all-payments",
        trigger=Trigger.PAYMENT,
    )


def retainer(amount: int) -> Retainer:
    return Retainer(to="north", fee=Money(amount=Decimal(amount), currency="EUR"), every="P1M")


def agreed(
    proposal: str = "T-1",
    at: datetime = BEFORE,
    **fields: Any,  # noqa: ANN401 - of the event
) -> CommercialTermsAgreed:
    fields = {"effective_from": START, "terms_version": 1, **fields}
    return CommercialTermsAgreed(proposal=proposal, agreed_at=at, **fields)


def first(**fields: Any) -> CommercialTermsAgreed:  # noqa: ANN401 - of the frame
    frame = {
        "starts_on": START,
        "duration": "P2M",
        "notice": "P10D",
        "assets_at_exit": Assets.RETAIN,
        **fields,
    }
    return agreed(frame=FrameChange(**frame), items=[share(15)])


# --- a naive reading of the rules --------------------------------------------------------------

Given = tuple[CommercialTermsAgreed, Any]


def by_precedence(found: Iterable[Given]) -> Given | None:
    ordered = sorted(
        found, key=lambda each: (each[0].effective_from, each[0].agreed_at, each[0].proposal)
    )
    return ordered[-1] if ordered else None


def in_order(facts: Iterable[CommercialTermsAgreed]) -> list[CommercialTermsAgreed]:
    return sorted(facts, key=lambda each: (each.agreed_at, each.proposal))


def changes(facts: list[CommercialTermsAgreed], name: str) -> Iterator[Given]:
    """Yield each agreement that changes a field, with the value it gives."""
    last: Any = None
    for each in in_order(facts):
        if each.until is not None:
            continue
        if name == "items":
            value: Any = named(each.items) if each.items else None
        else:
            value = getattr(each.frame, name) if each.frame else None
        if value is not None and value != last:
            last = value
            yield each, value


def naive_field(facts: list[CommercialTermsAgreed], name: str, day: date) -> Any:  # noqa: ANN401 - of any field
    oldest = in_order(facts)[0]
    found = [
        (each, value)
        for each, value in changes(facts, name)
        if each is oldest or each.effective_from <= day
    ]
    # The frame that was agreed first has no first day: every later change comes after it.
    later = [each for each in found if each[0] is not oldest]
    winner = by_precedence(later) or (found[0] if found else None)
    return winner[1] if winner else Frame.model_fields[name].default


def naive_items(facts: list[CommercialTermsAgreed], day: date) -> tuple[int, tuple[Item, ...]]:
    for_a_time = [
        (each, named(each.items or ()))
        for each in facts
        if each.until is not None and each.effective_from <= day < each.until
    ]
    lasting = [each for each in changes(facts, "items") if each[0].effective_from <= day]
    winner = by_precedence(for_a_time) or by_precedence(lasting)
    return (winner[0].terms_version, winner[1]) if winner else (0, ())


# --- random agreements -------------------------------------------------------------------------


class History(NamedTuple):
    agreed: list[CommercialTermsAgreed]
    renewals: list[Renewal]
    exits: list[Exit]
    withdrawn: list[str]


moments = st.integers(0, 60 * 24 * 4).map(
    lambda quarters: BEFORE + timedelta(days=1, minutes=15 * quarters)
)
days = st.sampled_from(DAYS)
item_lists = st.lists(
    st.one_of(
        st.sampled_from([share(15), share(10), share(15, "main"), retainer(100), retainer(200)])
    ),
    min_size=1,
    max_size=3,
)
frame_changes = st.fixed_dictionaries(
    {},
    optional={
        "duration": st.sampled_from(["P1M", "P2M", "P40D"]),
        "notice": st.sampled_from(["P0D", "P10D", "P20D"]),
        "time_zone": st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]),
        "settles_in": st.sampled_from(["each", "EUR", "USD"]),
        "tail_months": st.sampled_from([0, 1]),
        "attribution": st.sampled_from(
            [AttributionPolicy(kind=each) for each in (PolicyKind.NONE, PolicyKind.LINEAR)]
        ),
        "claims": st.sampled_from([ClaimRules(), ClaimRules(confirm_within_days=14)]),
    },
)


@st.composite
def amendments(draw: st.DrawFn, number: int) -> CommercialTermsAgreed:
    at, start = draw(moments), draw(days)
    fields: dict[str, Any] = {"effective_from": max(start, at.date()), "terms_version": number}
    kind = draw(st.sampled_from(["frame", "items", "both", "temporary"]))
    if kind in {"frame", "both"}:
        fields["frame"] = FrameChange(**draw(frame_changes))
    if kind != "frame":
        fields["items"] = draw(item_lists)
    if kind == "temporary":
        fields["until"] = fields["effective_from"] + timedelta(days=draw(st.integers(1, 40)))
    return agreed(f"T-{number}", at, **fields)


@st.composite
def histories(draw: st.DrawFn) -> History:
    oldest = first(**draw(frame_changes))
    count = draw(st.integers(0, 4))
    later = [draw(amendments(number)) for number in range(2, count + 2)]
    spans = st.sampled_from(["P1M", "P20D"])
    renewals = [
        Renewal(draw(moments), f"R-{each}", draw(spans)) for each in range(draw(st.integers(0, 2)))
    ]
    exits = [Exit(draw(days), f"X-{each}") for each in range(draw(st.integers(0, 2)))]
    withdrawn = [each.id for each in exits if draw(st.booleans())]
    return History([oldest, *later], renewals, exits, withdrawn)


# --- laws --------------------------------------------------------------------------------------


@given(histories(), st.randoms(use_true_random=False))
def test_the_terms_of_a_day_do_not_depend_on_the_order_in_which_they_are_known(
    history: History, random: Random
) -> None:
    agreed = random.sample(history.agreed, len(history.agreed))
    renewals = random.sample(history.renewals, len(history.renewals))

    exits = random.sample(history.exits, len(history.exits))

    assert TermsByDay.of(agreed, renewals, exits, history.withdrawn) == TermsByDay.of(*history)


@given(histories())
def test_the_frame_of_each_day_is_that_of_a_naive_reading(history: History) -> None:
    terms = TermsByDay.of(*history)

    for day in DAYS:
        frame = terms.frame(day)
        assert frame == Frame(
            **{name: naive_field(history.agreed, name, day) for name in Frame.model_fields}
        )


@given(histories())
def test_the_items_of_each_day_are_those_of_a_naive_reading(history: History) -> None:
    terms = TermsByDay.of(*history)

    for day in DAYS:
        assert (terms.version(day), terms.items(day)) == naive_items(history.agreed, day)


@given(histories())
def test_the_term_is_counted_once_from_its_start(history: History) -> None:
    terms = TermsByDay.of(*history)
    spans = [
        *(
            (each.agreed_at, each.proposal, span, 0)
            for each, span in changes(history.agreed, "duration")
        ),
        *((each.agreed_at, each.id, each.duration, 1) for each in history.renewals),
    ]
    assume(len({each[:2] for each in spans}) == len(spans))
    counted: list[str] = []
    for _, _, span, is_renewal in sorted(spans):
        counted = [*counted, span] if is_renewal else [span]
    ahead = [each.effective_on for each in history.exits if each.id not in history.withdrawn]
    end = min([add(START, *counted), *ahead])
    tail = add_months(end, naive_field(history.agreed, "tail_months", end - timedelta(days=1)))

    assert terms.term_ends_on == add(START, *counted)
    assert (terms.start, terms.end, terms.tail_ends_on) == (START, end, tail)
    for day in DAYS:
        assert terms.accrues(day) is (START <= day < end)
        assert terms.accrues_for_client(day, end) is terms.accrues(day)
        in_tail = end <= day < tail
        assert terms.accrues_for_client(day, end - timedelta(days=1)) is (
            terms.accrues(day) or in_tail
        )


@given(histories(), st.sampled_from([*DAYS]), st.integers(0, 23))
def test_a_moment_has_the_day_of_the_latest_zone_that_begins_by_it(
    history: History, day: date, hour: int
) -> None:
    terms = TermsByDay.of(*history)
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    zones = [terms.frame(date.min).time_zone]
    for before, now in pairwise(DAYS):
        zone = terms.frame(now).time_zone
        if zone != terms.frame(before).time_zone and local_day(moment, zone) >= now:
            zones.append(zone)

    assert terms.zone(moment) == zones[-1]
    assert terms.day(moment) == local_day(moment, zones[-1])


@given(histories(), days)
def test_midnight_is_the_first_moment_of_its_day_unless_the_zone_changes(
    history: History, day: date
) -> None:
    terms = TermsByDay.of(*history)
    midnight = terms.midnight(day)

    assert terms.day(midnight) == day
    if terms.frame(day).time_zone == terms.frame(day - timedelta(days=1)).time_zone:
        assert terms.day(midnight - timedelta(microseconds=1)) == day - timedelta(days=1)


@given(histories())
def test_the_last_day_for_notice_is_the_last_on_which_notice_still_reaches_the_end(
    history: History,
) -> None:
    terms = TermsByDay.of(*history)
    assert terms.term_ends_on is not None
    found = terms.term_ends_on
    while add_notice(terms, found) > terms.term_ends_on:
        found -= timedelta(days=1)

    assert terms.last_notice_day == found


def add_notice(terms: TermsByDay, day: date) -> date:
    return day + timedelta(days=int(terms.frame(day).notice[1:-1]))


def priced(terms: TermsByDay, day: date) -> list[object]:
    """Return all that prices the facts of a day, hour by hour."""
    frame, hours = terms.frame(day), [terms.midnight(day) + timedelta(hours=h) for h in range(24)]
    return [
        (frame.settles_in, frame.attribution, frame.rates, frame.claims),
        terms.items(day),
        terms.accrues(day),
        terms.end is not None and terms.end <= day and terms.accrues_for_client(day, date.min),
        [terms.day(each) for each in hours],
    ]


@given(histories(), st.data())
def test_no_day_before_the_first_difference_is_priced_differently(
    history: History, data: st.DataObject
) -> None:
    more = data.draw(amendments(len(history.agreed) + 1))
    before = TermsByDay.of(*history)
    after = before.with_agreement(more)
    found = before.first_difference(after)

    assert after.first_difference(before) == found
    differing = [day for day in DAYS if priced(before, day) != priced(after, day)]
    if found is None:
        assert differing == []
    else:
        assert all(day >= found for day in differing)


@given(histories(), days)
def test_an_exit_makes_a_difference_from_the_day_on_which_less_accrues(
    history: History, effective_on: date
) -> None:
    before = TermsByDay.of(*history)
    after = before.with_exit(Exit(effective_on, "another"))
    differing = [day for day in DAYS if priced(before, day) != priced(after, day)]

    assert before.end is not None
    assert after.end == min(before.end, effective_on)
    assert before.first_difference(after) == (differing[0] if differing else None)
    assert after.without_exit("another").end == before.end


# --- stories -----------------------------------------------------------------------------------


def test_without_terms_nothing_accrues_and_days_are_those_of_utc() -> None:
    terms = TermsByDay()

    assert terms.items(START) == ()
    assert terms.version(START) == 0
    assert (terms.start, terms.end, terms.exit, terms.last_notice_day) == (None, None, None, None)
    assert not terms.accrues(START)
    assert not terms.accrues_for_client(START, START)
    assert terms.day(datetime(2026, 1, 1, 23, 59, tzinfo=UTC)) == START
    assert terms.midnight(START) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(LookupError):
        terms.frame(START)


def test_temporary_terms_replace_all_items_on_their_days_and_nothing_else() -> None:
    before = TermsByDay.of([first()])
    after = before.with_agreement(
        agreed(
            "T-2",
            BEFORE + timedelta(days=1),
            effective_from=date(2026, 1, 10),
            until=date(2026, 1, 20),
            items=[retainer(100)],
            terms_version=2,
        )
    )

    assert [after.version(date(2026, 1, day)) for day in (9, 10, 19, 20)] == [1, 2, 2, 1]
    assert [each.name for each in after.items(date(2026, 1, 10))] == ["retainer-1"]
    assert [after.frame(day) for day in DAYS] == [before.frame(day) for day in DAYS]
    assert (after.end, after.last_notice_day) == (before.end, before.last_notice_day)
    assert before.first_difference(after) == date(2026, 1, 10)


def test_a_currency_that_repeats_one_agreed_for_july_is_not_brought_forward_to_may() -> None:
    terms = TermsByDay.of(
        [
            first(duration="P1Y", settles_in="USD"),
            agreed(
                "T-2",
                datetime(2026, 3, 1, tzinfo=UTC),
                effective_from=date(2026, 7, 1),
                frame=FrameChange(settles_in="EUR"),
            ),
            agreed(
                "T-3",
                datetime(2026, 3, 2, tzinfo=UTC),
                effective_from=date(2026, 5, 1),
                frame=FrameChange(settles_in="EUR", notice="P20D"),
            ),
        ]
    )

    found = [terms.frame(date(2026, month, 1)).settles_in for month in (3, 5, 6, 7)]
    assert found == ["USD", "USD", "USD", "EUR"]
    assert terms.frame(date(2026, 5, 1)).notice == "P20D"


@pytest.mark.parametrize("again", ["P1Y", "P12M"])
def test_an_amendment_that_repeats_the_duration_leaves_the_renewal_alone(again: str) -> None:
    renewed = TermsByDay.of(
        [first(duration="P1Y")], [Renewal(datetime(2026, 11, 1, tzinfo=UTC), "R-1", "P1Y")]
    )
    repeated = renewed.with_agreement(
        agreed(
            "T-2",
            datetime(2026, 12, 1, tzinfo=UTC),
            effective_from=date(2026, 12, 1),
            frame=FrameChange(duration=again, notice="P20D"),
        )
    )
    changed = renewed.with_agreement(
        agreed(
            "T-2",
            datetime(2026, 12, 1, tzinfo=UTC),
            effective_from=date(2026, 12, 1),
            frame=FrameChange(duration="P3Y"),
        )
    )

    assert renewed.end == repeated.end == date(2028, 1, 1)
    assert changed.end == date(2029, 1, 1)


def test_a_term_from_the_31st_ends_on_the_last_day_of_each_month() -> None:
    start = date(2026, 1, 31)
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    ends = []
    for count in range(4):
        renewals = [
            Renewal(moment + timedelta(days=each), f"R-{each}", "P1M") for each in range(count)
        ]
        ends.append(TermsByDay.of([first(starts_on=start, duration="P1M")], renewals).end)

    assert ends == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


def test_an_amendment_of_the_items_keeps_the_frame_and_its_policy() -> None:
    policy = AttributionPolicy(kind=PolicyKind.LAST_TOUCH, window_days=30)
    terms = TermsByDay.of(
        [
            first(attribution=policy),
            agreed(
                "T-2",
                BEFORE + timedelta(days=1),
                effective_from=date(2026, 2, 1),
                items=[share(10)],
                terms_version=2,
            ),
        ]
    )

    assert terms.frame(date(2026, 2, 1)).attribution == policy
    assert terms.items(date(2026, 2, 1)) == named([share(10)])


def test_a_moved_start_applies_to_all_days() -> None:
    terms = TermsByDay.of(
        [
            first(),
            agreed(
                "T-2",
                BEFORE + timedelta(days=1),
                effective_from=date(2025, 12, 21),
                frame=FrameChange(starts_on=date(2026, 1, 15)),
            ),
        ]
    )

    assert terms.start == date(2026, 1, 15)
    assert terms.end == date(2026, 3, 15)
    assert not terms.accrues(date(2026, 1, 14))
