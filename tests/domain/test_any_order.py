"""The law of arrival: in any order, the same facts of a deal, an entry or a figure are recorded.

A life is a list of commands with their times. What a stream accepts of it in the order of time is
sent again in random orders, as tools do: what waits is decided again after each recorded event, as
the service does. Each order records the same events, of the same parties and times.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from random import Random
from typing import Any, Generic, NamedTuple, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from domain import deal, entry, reported_figure
from domain.attribution import Method
from domain.claims import ConfirmClaim, FigureRef, ObjectToClaim
from domain.deal_record import Deal
from domain.entry import Entry, RecordJointRevenue, ReverseEntry
from domain.kernel import Act, Command, Event, Refused
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import (
    AgreeAttribution,
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    ProposeAttribution,
    QualifyLead,
    SubmitReferral,
)
from domain.reported_figure import CorrectMetric, Reported, ReportedFigure, ReportMetric
from domain.sale import CancelDeal, CorrectWin, LoseDeal, ReopenDeal, WinDeal
from domain.terms_by_day import Agreed
from domain.values import Money

S = TypeVar("S", Deal, Entry, Reported)

US, THEM = "acme", "north"
START = datetime(2026, 2, 1, 9, tzinfo=UTC)
AGREED = Agreed((US, THEM))


class Sent(NamedTuple):
    """A command as a party sends it."""

    command: Command
    party: str
    at: datetime


class Stream(Generic[S]):
    """One stream, and what waits in it."""

    def __init__(
        self,
        state: S,
        decide: Callable[[Any, S, Act], list[Event]],
        evolve: Callable[[S, Event, Act], S],
    ) -> None:
        self.state: S = state
        self._decide: Callable[[Any, S, Act], list[Event]] = decide
        self._evolve: Callable[[S, Event, Act], S] = evolve
        self.recorded: set[tuple[str, str, str, datetime]] = set()
        """The type and the content of each event, its party and its time."""
        self.accepted: list[Sent] = []
        """The commands that recorded something."""
        self.waiting: list[Sent] = []
        self.refused: list[tuple[Sent, str]] = []

    def take(self, sent: Sent) -> list[Event]:
        """Decide a command; then those that waited, as long as one of them records something."""
        events = self._take(sent)
        while events and self._next():
            pass
        return events

    def _next(self) -> bool:
        """Decide what waits, in order, until something is recorded; return whether it was."""
        again, self.waiting = self.waiting, []
        for place, each in enumerate(again, 1):
            if self._take(each):
                self.waiting += again[place:]
                return True
        return False

    def _take(self, sent: Sent) -> list[Event]:
        act = Act(sent.party, sent.party, sent.at, sent.at)
        try:
            events = self._decide(sent.command, self.state, act)
        except Refused as refused:
            if refused.awaits:
                self.waiting.append(sent)
            else:
                self.refused.append((sent, refused.rule))
            return []
        self.accepted += [sent] if events else []
        for event in events:
            self.state = self._evolve(self.state, event, act)
            content = event.model_dump_json()
            self.recorded.add((event.wire, content, sent.party, sent.at))
        return events


def a_deal() -> Stream[Deal]:
    def decide(command: Any, state: Deal, act: Act) -> list[Event]:  # noqa: ANN401 - of a deal
        return deal.decide(command, state, act, AGREED)

    return Stream(Deal(), decide, deal.evolve)


def an_entry() -> Stream[Entry]:
    def decide(command: Any, state: Entry, act: Act) -> list[Event]:  # noqa: ANN401 - of an entry
        return entry.decide(command, state, act, AGREED)

    return Stream(Entry(), decide, entry.evolve)


def a_figure() -> Stream[Reported]:
    def decide(command: Any, state: Reported, act: Act) -> list[Event]:  # noqa: ANN401 - of a figure
        return reported_figure.decide(command, state, act, AGREED.terms)

    return Stream(Reported(), decide, reported_figure.evolve)


# --- lives -------------------------------------------------------------------------------------


def usd(amount: int) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


class Life:
    """Commands at their times, drawn one after another."""

    def __init__(self, random: Random) -> None:
        self.random, self.at = random, START
        self.sent: list[Sent] = []
        self.stated: list[tuple[str, str]] = []
        """The names of facts that can be confirmed, with the party that stated them."""

    def add(
        self,
        command: Command,
        party: str | None = None,
        name: str | None = None,
        *,
        later: bool = False,
    ) -> None:
        """Send a command at the same time as the last, or some hours later."""
        self.at += timedelta(hours=self.random.choice((1, 30) if later else (0, 1, 1, 30)))
        party = party or self.random.choice((US, THEM))
        self.sent.append(Sent(command, party, self.at))
        if name:
            self.stated.append((name, party))
            if not name.startswith(("referral", "correction/")) and self.chance(25):
                self._add_by_other(command, party, name)

    def _add_by_other(self, command: Command, party: str, name: str) -> None:
        """Let the other party state a fact too, at the same time or another, alike or not."""
        other = THEM if party == US else US
        self.at += timedelta(hours=self.random.choice((0, 1)))
        amounts = {"amount", "annual_contract_value"} & set(type(command).model_fields)
        given = dict.fromkeys(amounts, usd(self.random.choice((20, 110))))
        otherwise = command.model_copy(update=given)
        self.sent.append(Sent(self.random.choice((command, otherwise)), other, self.at))
        self.stated.append((name, other))

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def answer(self, **of: Any) -> None:  # noqa: ANN401 - the fields that name the thing
        """Let the other party confirm or contest what was stated, some of it twice."""
        for name, party in self.stated:
            if self.chance(30):
                other = THEM if party == US else US
                kind = self.random.choice((ConfirmClaim, partial(ObjectToClaim, reason="Not so.")))
                self.add(kind(fact=name, **of), other)


def life_of_a_deal(random: Random) -> list[Sent]:
    """Return what is said of a deal that can be lost, reopened, won, cancelled and won again."""
    life = Life(random)
    life.add(SubmitReferral(deal="D", lead="lead"), name="referral")
    for number in range(random.randrange(3)):
        touch = AttributeReferral(
            deal="D",
            touch=f"T{number}",
            method=random.choice((Method.UTM, Method.PROMO_CODE)),
            evidence="seen",
            to=random.choice((US, THEM)),
        )
        life.add(touch, name=f"touch/T{number}")
    for step in random.sample([QualifyLead(deal="D"), HoldDemo(deal="D")], random.randrange(3)):
        life.add(step)
    life.add(CreateOpportunity(deal="D"))
    for _ in range(random.randrange(3)):
        life.add(LoseDeal(deal="D", reason="Too dear."))
        life.add(ReopenDeal(deal="D", reason="Cheaper now."))
    for number in range(random.randrange(3)):
        life.add(WinDeal(deal="D", annual_contract_value=usd(1200 + number)), name="win")
        _corrected(life, CorrectWin, "win", ("annual_contract_value",))
        for each in range(random.randrange(3)):
            _payment(life, f"P{number}{each}")
        if life.chance(20):
            life.add(CorrectWin(deal="D", void=True, reason="Never."), name="correction/win")
        elif life.chance(70):
            life.add(CancelDeal(deal="D", reason="Withdrawn."), name="cancellation")
    if life.chance(20):
        life.add(
            ProposeAttribution(deal="D", proposal="A", shares={US: Decimal(40), THEM: Decimal(60)}),
            US,
        )
        life.add(AgreeAttribution(deal="D", proposal="A"), THEM)
    life.answer(deal="D")
    return life.sent


def _payment(life: Life, payment: str) -> None:
    life.add(ReceivePayment(deal="D", payment=payment, amount=usd(100)), name=f"payment/{payment}")
    _corrected(life, CorrectPayment, f"payment/{payment}", ("amount",), payment=payment)
    for number in range(life.random.randrange(3)):
        refund = f"{payment}R{number}"
        issued = IssueRefund(
            deal="D",
            refund=refund,
            payment=payment,
            amount=usd(life.random.choice((30, 60, 100))),
            kind=life.random.choice(("refund", "chargeback")),
        )
        for _ in range(life.random.randrange(1, 3)):
            # Refunds of one payment at one instant are added up, so time has to pass in between.
            life.add(issued, name=f"refund/{refund}", later=True)
            _corrected(life, CorrectRefund, f"refund/{refund}", ("amount",), refund=refund)
            if life.chance(60):
                reversed_ = ReverseRefund(deal="D", refund=refund)
                life.add(reversed_, name=f"reversal/{refund}")


def _corrected(
    life: Life, kind: Callable[..., Command], name: str, amounts: Sequence[str], **of: str
) -> None:
    for _ in range(life.random.choice((0, 0, 1, 2))):
        given = {each: usd(life.random.choice((10, 90, 150))) for each in amounts}
        life.add(kind(deal="D", reason="Typed.", **of, **given), name=f"correction/{name}")


def life_of_an_entry(random: Random) -> list[Sent]:
    life = Life(random)
    life.add(
        RecordJointRevenue(entry="E", amount=usd(100), collected_by=US, under="I"), name="entry"
    )
    for number in range(random.randrange(4)):
        reversal = ReverseEntry(
            entry="E", reversal=f"V{number}", amount=usd(random.choice((10, 60))), reason="Typed."
        )
        life.add(reversal, name=f"reversal/V{number}")
    life.answer(entry="E")
    return life.sent


def life_of_a_figure(random: Random) -> list[Sent]:
    life = Life(random)
    given: dict[str, Any] = {"metric": "clicks", "period": "2026-01", "tool": "crm"}

    def figure() -> ReportedFigure:
        return ReportedFigure(unit="count", value=Decimal(random.randrange(3)))

    life.add(ReportMetric(**given, figure=figure()), name="figure")
    if life.chance(40):
        other = THEM if life.stated[0][1] == US else US
        life.add(ReportMetric(**given, figure=figure()), other)
    for _ in range(random.randrange(5)):
        correction = CorrectMetric(**given, figure=figure(), reason="Counted again.")
        life.add(correction, name="correction/figure")
    life.answer(figure=FigureRef(**given))
    return life.sent


# --- the law -----------------------------------------------------------------------------------


def holds(new: Callable[[], Stream[S]], life: list[Sent], random: Random) -> None:
    """Assert that what is accepted in the order of time is recorded in any order."""
    in_time = new()
    for sent in life:
        in_time.take(sent)
    accepted = in_time.accepted
    assert accepted
    for _ in range(3):
        stream, order = new(), random.sample(accepted, len(accepted))
        for sent in order:
            stream.take(sent)
        assert not stream.refused
        assert not stream.waiting
        assert stream.recorded == in_time.recorded
        for sent in order:
            assert stream.take(sent) == []
        assert not stream.refused
        assert not stream.waiting


@given(st.randoms(use_true_random=False))
def test_the_facts_of_a_deal_are_recorded_in_any_order(random: Random) -> None:
    holds(a_deal, life_of_a_deal(random), random)


@given(st.randoms(use_true_random=False))
def test_an_entry_and_its_reversals_are_recorded_in_any_order(random: Random) -> None:
    holds(an_entry, life_of_an_entry(random), random)


@given(st.randoms(use_true_random=False))
def test_a_figure_and_its_corrections_are_recorded_in_any_order(random: Random) -> None:
    holds(a_figure, life_of_a_figure(random), random)


def test_a_win_that_both_state_at_the_time_of_a_correction_waits_for_nothing() -> None:
    never = CorrectWin(deal="D", void=True, reason="Never.")
    again = WinDeal(deal="D", annual_contract_value=usd(1201))
    at = START + timedelta(days=3)
    sent = [
        Sent(SubmitReferral(deal="D", lead="lead"), US, START),
        Sent(CreateOpportunity(deal="D"), THEM, START),
        Sent(WinDeal(deal="D", annual_contract_value=usd(1200)), THEM, START),
        Sent(never, US, at),
        Sent(again, THEM, at),
        Sent(again, US, at),
    ]
    for order in permutations(sent):
        stream = a_deal()
        for each in order:
            stream.take(each)
        assert not stream.waiting
        assert len(stream.recorded) == len(sent)
