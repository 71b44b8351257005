"""The inbox: what awaits each party, by day, with the event that does it (C22)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregates import command_types
from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.execution import (
    AgreeMilestone,
    ProposeAction,
    ProposeCommunicationPolicy,
    ProposeMilestone,
    RaiseIssue,
    ScheduleReview,
)
from domain.formation import DraftAgreement, SignAgreement
from domain.governance import ProposeGovernance
from domain.health import ProposeTarget
from domain.kernel import Command, Stage
from domain.markets import ProposeMetricOwner
from domain.payment import CorrectPayment
from domain.referral import ProposeAttribution
from infra.answers import inbox as answer
from infra.answers.inbox import Awaiting, InboxItem
from infra.answers.logs import AsOf
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.bootstrap import Accord
from projections.visibility import Viewer
from tests.feeds import played, simulated
from tests.infra.messages import from_steps
from tests.life import LIFE, OURS, SECTIONS, THEIRS, after, at, changed, example, usd
from tests.projections.money import pay, share, under
from tests.projections.test_awaited import both_claim, clicks, sold, theirs_paid
from tests.stories import Story

CONSULTING = "growthos-consulting"


def inbox(story: Story, party: str | None = None) -> list[InboxItem]:
    """Return what awaits a party, or either."""
    found = [
        each for rows in answer.of_events(story.id, story.history) for each in answer.items(rows)
    ]
    return [each for each in found if party in {None, each.party}]


def awaiting(story: Story, party: str) -> list[tuple[str, str]]:
    return [(each.awaiting.value, each.ref) for each in inbox(story, party)]


FILLED: dict[str, Any] = {
    "reason": "It is as good as done.",
    "minutes": "All is on its way.",
    "resolution": "It is done.",
}
"""What a manager adds to an event of the inbox."""


def do(story: Story, item: InboxItem, place: int = 0) -> None:
    """Send the event with which an item is done, just as the inbox gives it."""
    event = item.events[place]
    kind = command_types()[event.type.removeprefix("accord.")]
    data = event.data | {name: FILLED[name] for name in event.missing}
    story.when(event.party, kind.model_validate_json(orjson.dumps(data)))


# --- consent -----------------------------------------------------------------------------------


def test_a_proposal_awaits_the_other_party_until_it_is_answered() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(ProposeGovernance, proposal="g-2", operational_review="monthly"))

    (item,) = inbox(story)

    assert (item.party, item.awaiting, item.day) == (THEIRS, Awaiting.CONSENT, story.now.date())
    agree, decline = item.events
    assert (agree.type, agree.data, agree.missing) == (
        "accord.AgreeGovernance",
        {"proposal": "g-2"},
        (),
    )
    assert (decline.type, decline.missing) == ("accord.DeclineProposal", ("reason",))
    do(story, item)
    assert inbox(story) == []


def test_a_proposal_that_was_declined_or_withdrawn_awaits_nobody() -> None:
    for party, command in ((THEIRS, DeclineProposal), (OURS, WithdrawProposal)):
        story = at(Stage.EXECUTION)
        story.when(OURS, example(ProposeGovernance, proposal="g-2"))
        story.when(party, command(proposal="g-2", reason="Not now."))
        assert inbox(story) == []


def test_a_draft_awaits_the_signature_of_each_party() -> None:
    story = at(Stage.EXECUTION)
    sections = changed(SECTIONS, roles="Each side has two managers.")
    story.when(OURS, DraftAgreement(sections=sections))
    assert awaiting(story, THEIRS) == [("consent", "agreement 2")]

    story.when(OURS, SignAgreement(agreement_version=2))

    assert awaiting(story, OURS) == []
    do(story, inbox(story)[0])
    assert inbox(story) == []


# --- what is due -------------------------------------------------------------------------------


def test_an_action_is_due_from_its_owner_then_overdue_then_done() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(ProposeAction, owner=OURS))
    assert [(each.party, each.awaiting, each.day) for each in inbox(story)] == [
        (OURS, Awaiting.DUE, date(2026, 2, 10))
    ]

    story.on("2026-02-11")

    (item,) = inbox(story)
    assert (item.awaiting, item.day) == (Awaiting.OVERDUE, date(2026, 2, 10))
    do(story, item)
    assert inbox(story) == []


def test_a_milestone_that_was_moved_is_due_on_its_new_day() -> None:
    story = after(AgreeMilestone)
    story.on("2026-01-21")
    moved = example(
        ProposeMilestone, proposal="moved", due=date(2026, 2, 2), reason="The printer is late."
    )
    assert awaiting(story, THEIRS) == [("overdue", "creative-final")]

    story.when(OURS, moved)
    story.when(THEIRS, AgreeMilestone(proposal="moved"))

    (item,) = inbox(story, THEIRS)
    assert (item.awaiting, item.day) == (Awaiting.DUE, date(2026, 2, 2))


def corrected() -> Story:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    less = CorrectPayment(deal="D-1", payment="P-1", amount=usd("60.00"), reason="A typing error.")
    story.when(OURS, less)
    return story


def claimed() -> Story:
    story = sold()
    theirs_paid(story)
    return story


@pytest.mark.parametrize(
    ("told", "party"),
    [(claimed, OURS), (lambda: clicks(THEIRS), OURS), (corrected, THEIRS)],
    ids=["a payment", "clicks", "a correction"],
)
def test_a_claim_of_money_awaits_the_other_party_with_its_confirmation(
    told: Callable[[], Story], party: str
) -> None:
    story = told()

    (item,) = (each for each in inbox(story) if each.awaiting is Awaiting.CLAIM)

    assert item.party == party
    confirm, object_ = item.events
    assert (confirm.type, object_.type) == ("accord.ConfirmClaim", "accord.ObjectToClaim")
    do(story, item)
    assert [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM] == []


def test_a_contested_lead_awaits_both_parties_until_one_proposes_how_to_share_it() -> None:
    story = under(share())
    both_claim(story)
    contested = [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM]
    assert [(each.party, each.events[0].type) for each in contested] == [
        (OURS, "accord.ProposeAttribution"),
        (THEIRS, "accord.ProposeAttribution"),
    ]

    halves = {OURS: Decimal(50), THEIRS: Decimal(50)}
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="A-1", shares=halves))

    (consent,) = (each for each in inbox(story) if each.ref == "A-1")
    assert consent.events[0].data == {"deal": "D-1", "proposal": "A-1"}
    do(story, consent)
    assert [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM] == []


# --- the answer --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("inbox")) as accord:
        accord.runner.catch_up()
        yield accord


ALL = Paging(limit=LONGEST_PAGE)
MOMENT = datetime(2026, 1, 12, tzinfo=UTC)


def test_the_inbox_is_over_all_partnerships_and_sorted_by_day(demo: Accord) -> None:
    when = AsOf(at=MOMENT)

    found = answer.ask(demo, when=when, page=ALL).items

    assert len({each.partnership for each in found}) > 1
    assert [each.day for each in found] == sorted(each.day for each in found)


def test_a_party_is_shown_its_own_inbox_alone(demo: Accord) -> None:
    whole = answer.ask(demo, when=AsOf(at=MOMENT), page=ALL).items
    for party in {each.party for each in whole}:
        mine = answer.ask(demo, when=AsOf(at=MOMENT, viewer=Viewer(party)), page=ALL).items
        assert [*mine] == [each for each in whole if each.party == party]


@pytest.mark.parametrize("steps", [30, 60, 90, 120, len(LIFE)])
def test_the_saved_rows_and_a_replay_give_the_same_inbox(tmp_path: Path, steps: int) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[:steps]))
        accord.runner.catch_up()
        saved = answer.ask(accord, page=ALL).items
        last = accord.history.last_recorded_at()
        assert last is not None
        assert saved == answer.ask(accord, when=AsOf(known=last), page=ALL).items


# --- random lives ------------------------------------------------------------------------------


@dataclass
class Model:
    """What two managers asked of each other, written down by hand."""

    consents: dict[tuple[str, str], str] = field(default_factory=dict)
    """Who proposed, by agreement and proposal."""
    tasks: dict[str, str] = field(default_factory=dict)
    """Who does it, by what is to be done; empty for both."""

    def awaits(self, party: str) -> set[str]:
        """Return all that awaits a party."""
        asked = {name for (_, name), author in self.consents.items() if author != party}
        return asked | {name for name, owner in self.tasks.items() if owner in {"", party}}


PROPOSALS: dict[str, type[Command]] = {
    "Governance": ProposeGovernance,
    "CommunicationPolicy": ProposeCommunicationPolicy,
    "MetricOwner": ProposeMetricOwner,
    "Target": ProposeTarget,
}
KINDS = [*PROPOSALS, "Action", "Milestone", "review", "issue"]
WAYS = ["propose", "accept", "decline", "withdraw", "do", "wait"]

MOVES = st.lists(
    st.tuples(
        st.sampled_from(WAYS),
        st.sampled_from(KINDS),
        st.sampled_from([OURS, THEIRS]),
        st.sampled_from([OURS, THEIRS]),
        st.integers(0, 9),
    ),
    max_size=25,
)


class Life:
    """A story, and the model of what is open in it."""

    def __init__(self) -> None:
        self.story = at(Stage.EXECUTION)
        self.model = Model()
        self.owners: dict[str, str] = {}
        self.count = 0

    def move(self, way: str, kind: str, party: str, owner: str, place: int) -> None:
        match way:
            case "propose":
                self.ask(kind, party, owner)
            case "wait":
                self.story.wait(days=place)
            case "do":
                self.do(party, place)
            case _:
                self.answer(way, place)

    def ask(self, kind: str, party: str, owner: str) -> None:
        """Let a party ask something of the other, of itself or of both."""
        self.count += 1
        name = f"n-{self.count}"
        day = (self.story.now + timedelta(days=5)).date()
        if kind == "review":
            at_noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            self.story.when(party, ScheduleReview(review=name, kind="operational", at=at_noon))
            self.model.tasks[name] = ""
        elif kind == "issue":
            self.story.when(party, example(RaiseIssue, issue=name))
            self.model.tasks[name] = ""
        elif kind == "Action":
            action = example(ProposeAction, proposal=name, action=name, owner=owner, due=day)
            self.story.when(party, action)
            if owner == party:
                self.model.tasks[name] = owner
            else:
                self.owners[name] = owner
                self.model.consents[kind, name] = party
        elif kind == "Milestone":
            plan = example(ProposeMilestone, proposal=name, milestone=name, owner=owner, due=day)
            self.story.when(party, plan)
            self.owners[name] = owner
            self.model.consents[kind, name] = party
        else:
            self.story.when(party, example(PROPOSALS[kind], proposal=name))
            self.model.consents[kind, name] = party

    def answer(self, way: str, place: int) -> None:
        """Let an open proposal be accepted or declined by the other, or be withdrawn."""
        if not self.model.consents:
            return
        kind, name = [*self.model.consents][place % len(self.model.consents)]
        author = self.model.consents.pop((kind, name))
        other = THEIRS if author == OURS else OURS
        if way == "withdraw":
            self.story.when(author, WithdrawProposal(proposal=name, reason="No."))
        elif way == "decline":
            self.story.when(other, DeclineProposal(proposal=name, reason="No."))
        else:
            self.story.when(other, command_types()[f"Agree{kind}"](proposal=name))  # type: ignore[call-arg]
            if name in self.owners:
                self.model.tasks[name] = self.owners[name]

    def do(self, party: str, place: int) -> None:
        """Let a party do one of the things that it is asked for."""
        mine = [each for each in inbox(self.story, party) if each.awaiting is not Awaiting.CONSENT]
        if mine:
            item = mine[place % len(mine)]
            do(self.story, item)
            del self.model.tasks[item.ref]


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_the_inboxes_are_what_both_still_owe_and_empty_once_both_did_it(moves: Any) -> None:  # noqa: ANN401
    life = Life()
    for move in moves:
        life.move(*move)
        for party in (OURS, THEIRS):
            assert {each.ref for each in inbox(life.story, party)} == life.model.awaits(party)

    for _ in range(100):
        open_items = inbox(life.story)
        assert bool(open_items) == bool(life.model.awaits(OURS) | life.model.awaits(THEIRS))
        if not open_items:
            break
        item = open_items[0]
        do(life.story, item)
        if item.awaiting is Awaiting.CONSENT:
            kind = next(each for each, name in life.model.consents if name == item.ref)
            del life.model.consents[kind, item.ref]
            if item.ref in life.owners:
                life.model.tasks[item.ref] = life.owners[item.ref]
        else:
            del life.model.tasks[item.ref]
    assert inbox(life.story) == []
