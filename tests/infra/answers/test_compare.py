"""`accord compare`: what differs from what was known before, and the event that set each field.

The story: on 1 July the partners of the demo's consulting partnership believed that ref-0011 was
open. It had been won and paid on 30 June, and that was told on 5 July. A lawyer asks what this
changed, and by which event.
"""

from datetime import timedelta

import pytest

from infra.answers import compare, kpis
from infra.answers.compare import Comparison, Difference, Section
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from projections.visibility import Viewer
from tests.infra.answers.demo import CONSULTING, PARTNER, day
from tests.infra.answers.helpers import printed

BEFORE, AFTER = day("2026-07-01"), AsOf(known=day("2026-07-06"))


@pytest.fixture(scope="module")
def found(demo: Accord) -> Comparison:
    return compare.ask(demo, CONSULTING, BEFORE, AFTER)


def test_facts_that_had_happened_and_were_told_later_come_first(found: Comparison) -> None:
    assert [each.event for each in found.late] == [265, 266]
    assert all(each.occurred_at <= BEFORE < each.recorded_at for each in found.late)
    assert {each.late_days for each in found.late} == {4}
    assert "ref-0011" in printed(compare.text(found))


def test_a_figure_that_a_late_fact_changed_names_its_event(demo: Accord, found: Comparison) -> None:
    (paid,) = (each for each in found.differences if each.field == "payments, 2026-Q2")

    assert (paid.before, paid.after, paid.event) == ("2500.00 USD", "15000.00 USD", 266)
    for known, value in ((BEFORE, "2500.00"), (AFTER.known, "15000.00")):
        asked = kpis.ask(demo, CONSULTING, "2026-Q2", AsOf(known=known)).figures
        (figure,) = (each for each in asked if each.metric == "payments" and not each.segment)
        assert str(figure.value) == value


def test_each_event_is_the_one_after_which_its_field_is_as_it_is(
    demo: Accord, found: Comparison
) -> None:
    for each in found.differences:
        assert value(demo, each, each.event + 1) == each.after
        assert value(demo, each, each.event) != each.after


def value(demo: Accord, of: Difference, size: int) -> object:
    """Return a field by the first events of the log, from the answer that has it."""
    fields = compare._Known(demo, CONSULTING, AsOf()).fields(of.section, size)
    return {place.name: each for place, each in fields.items()}.get(of.field)


def test_a_state_and_a_statement_name_the_event_that_set_them(demo: Accord) -> None:
    found = compare.ask(demo, CONSULTING, day("2026-09-21"))
    by_field = {(each.section, each.field): each for each in found.differences}

    stage = by_field[Section.STATE, "stage"]
    assert (stage.before, stage.after) == ("execution", "scaling")
    events = {each.event for each in found.differences}
    assert stage.event in events
    (statement,) = (each for each in found.differences if each.section is Section.STATEMENTS)
    assert statement.before is None
    assert "3900.00 USD" in str(statement.after)


def test_the_same_moment_differs_in_nothing(demo: Accord) -> None:
    found = compare.ask(demo, CONSULTING, BEFORE, AsOf(known=BEFORE))

    assert (found.events, found.late, found.differences) == (0, (), ())


def test_a_moment_before_the_beginning_is_refused(demo: Accord) -> None:
    with pytest.raises(NotFound, match="Nothing of growthos-consulting had been recorded"):
        compare.ask(demo, CONSULTING, day("2020-01-01"))


def test_a_party_is_shown_no_field_that_it_does_not_see(demo: Accord, found: Comparison) -> None:
    theirs = compare.ask(demo, CONSULTING, BEFORE, AsOf(known=AFTER.known, viewer=Viewer(PARTNER)))

    assert {each.event for each in theirs.late} == {265, 266}
    assert theirs.as_of.party == PARTNER
    assert found.earlier + timedelta(days=5) == AFTER.known


def test_the_earlier_moment_is_first_whichever_is_named_first(
    demo: Accord, found: Comparison
) -> None:
    """Asked the other way round, nothing was said to differ."""
    assert AFTER.known is not None
    turned = compare.ask(demo, CONSULTING, AFTER.known, AsOf(known=BEFORE))

    assert turned.differences == found.differences
    assert (turned.late, turned.events) == (found.late, found.events)
    assert (turned.earlier, turned.later) == (BEFORE, AFTER.known)
    assert "recorded between 2026-07-01 00:00 and 2026-07-06" in printed(compare.text(turned))


def test_what_differs_until_now_ends_with_the_latest_record(demo: Accord) -> None:
    now = compare.ask(demo, CONSULTING, BEFORE)
    ahead = compare.ask(demo, CONSULTING, day("2030-01-01"))

    assert now.later == ahead.earlier == demo.history.last_recorded_at()
    assert (ahead.later, ahead.events) == (day("2030-01-01"), 0)


def test_with_all_the_fields_that_are_the_same_are_given_too(
    demo: Accord, found: Comparison
) -> None:
    whole = compare.ask(demo, CONSULTING, BEFORE, AFTER, all=True)

    assert found.unchanged == ()
    assert whole.differences == found.differences
    differ = {(each.section, each.field) for each in whole.differences}
    same = {(each.section, each.field): each.value for each in whole.unchanged}
    assert not differ & {*same}
    assert same[compare.Section.STATE, "stage"] == "execution"
    assert {section for section, _ in same} == {*compare.Section}
    lines = printed(compare.text(whole))
    assert "the same" in lines
    assert "the same" not in printed(compare.text(found))


def test_with_all_the_same_moment_has_every_field(demo: Accord) -> None:
    found = compare.ask(demo, CONSULTING, BEFORE, AsOf(known=BEFORE), all=True)

    assert not found.differences
    assert found.unchanged
