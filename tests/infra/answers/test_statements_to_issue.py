"""Whoever may issue the statement of a period that is over is asked for it (money.md 7)."""

from datetime import timedelta
from decimal import Decimal

from domain.exit import GiveExitNotice
from domain.settlement import (
    IssueStatement,
    ObjectToRate,
    ProposeRate,
    PublishRate,
    StatementIssued,
    contents_of,
)
from domain.terms import Retainer
from infra.answers.inbox import Awaiting, InboxItem
from tests.infra.answers.inboxes import do, inbox, types
from tests.life import OURS, THEIRS, changed, example, usd
from tests.projections.money import pay, refer, share, under, win
from tests.stories import Story

RETAINER = Retainer(fee=usd("500.00"), to=THEIRS, every="P1M")
"""It falls due on the first of each month; the first time on 1 February."""


def to_issue(story: Story, party: str | None = None) -> list[InboxItem]:
    return [each for each in inbox(story, party) if types(each) == ["IssueStatement"]]


def stated(story: Story) -> list[str]:
    return [each.statement for each in story.facts(StatementIssued)]


def test_the_side_that_pays_is_asked_for_the_statement_of_a_month_that_is_over() -> None:
    story = under(RETAINER)
    story.on("2026-02-28T23:59")
    assert to_issue(story) == []

    story.on("2026-03-01")

    (item,) = to_issue(story)
    assert (item.party, item.ref, item.awaiting) == (OURS, "2026-02:USD", Awaiting.DUE)
    assert (f"{item.day}", item.is_last) == ("2026-03-01", False)
    assert item.text == (
        f"Issue statement 2026-02:USD, possible since 2026-03-01: {OURS} pays {THEIRS} 500.00 USD."
    )
    do(story, item)
    assert stated(story) == ["2026-02:USD"]
    assert to_issue(story) == []


def test_the_event_of_the_inbox_names_the_balance_that_is_issued() -> None:
    story = under(RETAINER)
    story.on("2026-03-01")
    (event,) = to_issue(story)[0].events

    do(story, to_issue(story)[0])

    (issued,) = story.facts(StatementIssued)
    assert event.data["contents"] == contents_of([issued.balance])


def test_each_month_of_a_retainer_is_stated_if_both_do_what_their_inboxes_ask() -> None:
    story = under(RETAINER)
    for _ in range(12):
        story.wait(days=31)
        while items := to_issue(story):
            do(story, items[0])

    assert stated(story) == [f"2026-{month:02}:USD" for month in range(2, 13)]


def test_months_that_were_left_out_are_asked_for_one_after_the_other() -> None:
    story = under(RETAINER)
    story.on("2026-04-15")

    (item,) = to_issue(story)

    assert item.ref == "2026-02:USD"
    story.when(OURS, IssueStatement(period="2026-Q1"))
    assert to_issue(story) == []


def test_the_next_statement_is_as_long_as_the_last_one() -> None:
    story = under(RETAINER)
    story.on("2026-04-02")
    story.when(OURS, IssueStatement(period="2026-Q1"))

    story.on("2026-06-30")
    assert to_issue(story) == []
    story.on("2026-07-01")
    assert [each.ref for each in to_issue(story)] == ["2026-Q2:USD"]


def test_what_comes_late_for_a_stated_month_is_in_the_next_statement() -> None:
    story = under(RETAINER, share())
    refer(story, "D-1")
    win(story, "D-1", usd("1000.00"))
    story.on("2026-03-02")
    do(story, to_issue(story)[0])
    pay(story, "D-1", "P-1", usd("1000.00"), happened="2026-02-20")

    assert to_issue(story) == []
    story.on("2026-04-01")
    (item,) = to_issue(story)
    assert item.ref == "2026-03:USD"
    assert "650.00 USD" in item.text


def test_either_party_is_asked_for_a_statement_by_which_nobody_pays() -> None:
    story = under(RETAINER, changed(RETAINER, to=OURS))
    story.on("2026-03-01")

    assert [(each.party, each.ref) for each in to_issue(story)] == [
        (OURS, "2026-02:USD"),
        (THEIRS, "2026-02:USD"),
    ]
    do(story, to_issue(story)[1])
    assert to_issue(story) == []


def test_nobody_is_asked_for_a_statement_of_nothing() -> None:
    story = under(share())
    story.on("2026-06-01")
    assert to_issue(story) == []


def test_what_is_open_at_an_exit_is_for_the_final_settlement() -> None:
    story = under(RETAINER)
    story.on("2026-03-01")
    notice = example(GiveExitNotice, effective_on=(story.now + timedelta(days=61)).date())
    story.when(OURS, notice)
    assert [each.ref for each in to_issue(story)] == ["2026-02:USD"]

    story.wait(days=62)

    assert to_issue(story) == []
    (final,) = (each for each in inbox(story, OURS) if "IssueFinalSettlement" in types(each))
    do(story, final, types(final).index("IssueFinalSettlement"))
    assert to_issue(story) == []


IN_EUROS = {"settles_in": "EUR", "rates": {"source": "ECB", "by": "month"}}


def for_a_rate(story: Story, party: str | None = None) -> list[InboxItem]:
    return [each for each in inbox(story, party) if types(each)[:1] == ["ProposeRate"]]


def test_both_parties_are_asked_for_the_rate_for_which_money_waits() -> None:
    story = under(RETAINER, **IN_EUROS)
    story.on("2026-02-28")
    assert for_a_rate(story) == []

    story.on("2026-03-01")

    ours, theirs = for_a_rate(story)
    assert (ours.party, theirs.party) == (OURS, THEIRS)
    assert ours.text == (
        "Agree the rate from USD to EUR for 2026-02: 500.00 USD cannot be stated without it."
    )
    assert types(ours) == ["ProposeRate", "PublishRate"]
    assert ours.events[1].data == {
        "base": "USD", "quote": "EUR", "period": "2026-02", "source": "ECB",
    }  # fmt: skip
    assert to_issue(story) == []
    story.when(OURS, PublishRate(**ours.events[1].data, rate=Decimal("0.9")))
    assert for_a_rate(story) == []
    assert [each.ref for each in to_issue(story)] == ["2026-02:EUR"]


def test_a_rate_that_a_party_objected_to_is_agreed_by_both() -> None:
    story = under(RETAINER, **IN_EUROS)
    story.on("2026-03-01")
    rate = for_a_rate(story)[0].events[1].data
    story.when(OURS, PublishRate(**rate, rate=Decimal("0.1")))
    story.when(THEIRS, ObjectToRate(**rate, reason="It is far too low."))

    assert [types(each) for each in for_a_rate(story)] == [["ProposeRate"], ["ProposeRate"]]
    (event,) = for_a_rate(story, THEIRS)[0].events
    story.when(THEIRS, ProposeRate(**event.data, proposal="rate-1", rate=Decimal("0.9")))
    assert for_a_rate(story) == []
    (asked,) = (each for each in inbox(story, OURS) if each.ref == "rate-1")
    do(story, asked)
    assert [each.ref for each in to_issue(story)] == ["2026-02:EUR"]
