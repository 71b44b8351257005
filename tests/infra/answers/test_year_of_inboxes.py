"""A random year in which two managers do just what their inboxes ask, day by day (C22, money.md 7).

Leads, sales, payments, issues, risks and the like happen to them; the terms ask for a retainer,
statements, figures, reviews, audits and scorecards. Whatever is not ahead is done on the day on
which it is asked. So no inbox has anything of the day left, nothing is ever overdue, and all the
money of the months that are over is stated and paid.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, Final

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregates import command_types
from domain.attribution import Method
from domain.calendar import month_of, quarter_of
from domain.dispute import OpenDispute
from domain.execution import (
    IssueCause,
    ProposeAction,
    ProposeCampaign,
    ProposeMilestone,
    RaiseIssue,
)
from domain.exit import GiveBreachNotice
from domain.health import HealthCheckRecorded, IdentifyRisk, RecordAudit
from domain.kernel import Stage
from domain.payment import CorrectPayment, ReceivePayment
from domain.referral import SubmitReferral
from domain.settlement import StatementIssued
from domain.standing_alerts import ASKS_NOBODY, BREACH_NOTICE, DUE_SOON
from domain.terms import Cadence, Retainer
from infra.answers.inbox import Awaiting, EventToSend, InboxItem
from projections import SETTLEMENT
from projections.ledger.rows import TOTALS, TotalsRow
from projections.settlement import ledger
from tests.infra.answers.inboxes import LiveInbox, types
from tests.life import OURS, THEIRS, at, example, usd
from tests.projections.money import amend, attribute, share, win
from tests.stories import Story

YEAR: Final = 365

RETAINER: Final = Retainer(fee=usd("500.00"), to=THEIRS, every="P1M")

CADENCE: Final = Cadence(
    operational="monthly", strategic="quarterly", audit="quarterly", health_check="quarterly"
)

AT_ONCE: Final = {Awaiting.CONSENT, Awaiting.CLAIM, Awaiting.DISPUTE, Awaiting.SECOND_PERSON}
"""What is answered on the day on which it is asked, however much time there is."""

LEFT: Final = {*ASKS_NOBODY, BREACH_NOTICE, DUE_SOON}
"""The alerts that can be open at the end of a day: they ask nobody, or by a day ahead."""

NEW: Final = ("proposal", "payout", "review", "audit")
"""The fields that name something new."""


def begun() -> Story:
    story = at(Stage.EXECUTION)
    amend(story, RETAINER, share(), since=date(2026, 1, 6), cadence=CADENCE)
    return story


class Year:
    """A year of a partnership, and the two managers who obey their inboxes."""

    def __init__(self, seed: int) -> None:
        self.story, self.random, self.count = begun(), Random(seed), 0  # noqa: S311 - repeatable
        self.live = LiveInbox(self.story)
        self.refused: set[str] = set()
        """What a manager has said no to."""

    def live_through(self, day: int) -> None:
        """Let a day pass, with what happens on it and all that is asked on it."""
        self.story.wait(days=1)
        if self.random.random() < 1 / 5:
            self.random.choice(HAPPENINGS)(self, self.named())
        acts = 0
        while asked := self.asked_now():
            assert (acts := acts + 1) < 100, f"day {day} has no end: {asked[0].text}"
            self.obey(self.random.choice(asked))

    def asked_now(self) -> list[InboxItem]:
        """Return what the inboxes ask for today, and not by a day ahead."""
        return [
            each
            for each in self.live.inbox()
            if not each.is_last or each.day <= self.today or each.awaiting in AT_ONCE
        ]

    def named(self) -> str:
        self.count += 1
        return f"n-{self.count}"

    @property
    def today(self) -> date:
        return self.story.now.date()

    def obey(self, item: InboxItem) -> None:
        """Do what an item asks for, by any of its events that ends it."""
        assert item.events, item.text
        event = self.random.choice([*self.ways(item)])
        kind = command_types()[event.type.removeprefix("accord.")]
        data = event.data | self.filled(item, event)
        self.story.when(event.party, kind.model_validate_json(orjson.dumps(data)))
        self.story.wait(minutes=1)

    def ways(self, item: InboxItem) -> Iterator[EventToSend]:
        """Yield the events of an item that do what it asks; a manager says no to a thing once."""
        for event, kind in zip(item.events, types(item), strict=True):
            is_no = kind in {"DeclineProposal", "ObjectToClaim"}
            if kind == "ProposeReview" or (is_no and item.ref in self.refused):
                continue  # It moves what is asked for to another day.
            if is_no:
                self.refused.add(item.ref)
            yield event

    def filled(self, item: InboxItem, event: EventToSend) -> dict[str, Any]:
        """Return what a manager adds to an event of the inbox."""
        kind = command_types()[event.type.removeprefix("accord.")]
        known = example(kind).model_dump(mode="json")
        unit = "USD" if event.data.get("metric") == "co_branded_revenue" else "count"
        more = {
            "figure": {"unit": unit, "value": f"{self.random.randrange(100)}"},
            "period": self.unrated(item.party),
            "passed": self.random.random() < 1 / 2,
            "outcome": "rejected",
            "met": True,
        }
        named = {name: self.named() for name in NEW}
        return {name: (named | more).get(name, known.get(name)) for name in event.missing}

    def unrated(self, party: str) -> str:
        """Return a period of today that a party has not rated yet."""
        rated = {
            each.event.period
            for each in self.story.history
            if isinstance(each.event, HealthCheckRecorded) and each.act.party == party
        }
        month = month_of(self.today)
        return next(x for x in (quarter_of(month), month, month[:4]) if x not in rated)

    def check_day(self) -> None:
        """Check that nothing of the day is left: neither in an inbox nor in an alert."""
        assert [each.text for each in self.asked_now()] == []
        opened = (each for each in self.live.open_alerts() if each.rule not in LEFT)
        assert [each.text for each in opened] == []

    def check_money(self) -> None:
        """Check that all money of the months that are over is stated, and paid."""
        rows = self.live.folded[SETTLEMENT].rows
        totals: TotalsRow = rows[TOTALS]
        open_ = [each for each in ledger({TOTALS: totals}).accrued if any(each.earned.values())]
        assert {each.month for each in open_} <= {month_of(self.today)}
        stated = {each.period for each in self.story.facts(StatementIssued)}
        assert {f"2026-{month:02}" for month in range(2, 13)} <= stated
        for each in self.story.facts(StatementIssued):
            assert each.due_on >= self.today or self.story.left(each.statement) == 0


# --- what happens ------------------------------------------------------------------------------


def lead(year: Year, name: str) -> None:
    year.story.when(THEIRS, SubmitReferral(deal=name, lead=f"lead {name}"))


def won(year: Year, name: str, payer: str) -> None:
    """Let a lead be accepted and won, and its client pay, by the word of a party."""
    lead(year, name)
    win(year.story, name, usd("1200.00"))
    paid = ReceivePayment(deal=name, payment=name, amount=usd("100.00"))
    year.story.when(payer, paid)


def sale(year: Year, name: str) -> None:
    won(year, name, year.random.choice((OURS, THEIRS)))


def correction(year: Year, name: str) -> None:
    """Let a payment be corrected by the party that stated it, so that the other gets less."""
    won(year, name, OURS)
    less = CorrectPayment(deal=name, payment=name, amount=usd("60.00"), reason="A typing error.")
    year.story.when(OURS, less)


def contest(year: Year, name: str) -> None:
    """Let both parties claim a lead."""
    lead(year, name)
    attribute(year.story, name, THEIRS, Method.REFERRAL_CODE)
    attribute(year.story, name, OURS)


def issue(year: Year, name: str) -> None:
    year.story.when(OURS, example(RaiseIssue, issue=name))


def risk(year: Year, name: str) -> None:
    impact = year.random.randint(1, 5)
    year.story.when(
        THEIRS, example(IdentifyRisk, risk=name, likelihood=5, impact=impact, owner=None)
    )


def action(year: Year, name: str) -> None:
    owner, due = year.random.choice((OURS, THEIRS)), year.today + timedelta(days=9)
    year.story.when(OURS, example(ProposeAction, action=name, proposal=name, owner=owner, due=due))


def milestone(year: Year, name: str) -> None:
    due, owner = year.today + timedelta(days=20), year.random.choice((OURS, THEIRS, None))
    planned = example(ProposeMilestone, milestone=name, proposal=name, due=due, owner=owner)
    year.story.when(THEIRS, planned)


def audit(year: Year, name: str) -> None:
    year.story.when(OURS, example(RecordAudit, audit=name, passed=False))


def dispute(year: Year, name: str) -> None:
    opened = OpenDispute(dispute=name, cause=IssueCause.COMMUNICATION, description="Nobody calls.")
    year.story.when(THEIRS, opened)


def campaign(year: Year, name: str) -> None:
    last = year.today + timedelta(days=12)
    planned = example(
        ProposeCampaign, campaign=name, proposal=name, first_day=year.today, last_day=last
    )
    year.story.when(OURS, planned)


def breach(year: Year, name: str) -> None:
    year.story.when(THEIRS, example(GiveBreachNotice, breach=name))


HAPPENINGS: Final[tuple[Callable[[Year, str], None], ...]] = (
    lead, sale, correction, contest, issue, risk, action, milestone, campaign, audit, dispute,
    breach,
)  # fmt: skip


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 2**32))
def test_who_does_what_the_inbox_asks_has_an_empty_one_each_day_and_states_all_money(
    seed: int,
) -> None:
    year = Year(seed)
    for day in range(YEAR):
        year.live_through(day)
        year.check_day()
    year.check_money()
