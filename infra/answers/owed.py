"""What each party owes, is owed and disputes over all its partnerships (C10, C24, C28)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from domain.dispute import DisputeOpened, DisputeResolved, MediationStarted
from domain.recorded import Recorded
from domain.settlement import Balance
from domain.standing_alerts import DISPUTE_OPENED
from domain.values import Money
from infra.answers.logs import NOW, AsOf, whole_log
from infra.answers.members import members
from infra.answers.portfolio import moment_of_all, money_table, part, portfolios
from infra.answers.question import Answer, Item, Panel, Question
from infra.answers.statements import Hold, holds_of
from infra.answers.text import Block, Line, Remark, asked_at
from infra.bootstrap import Accord
from projections import PROPOSALS, SETTLEMENT
from projections.fold import Dispatch, Folded, fold_all, replay
from projections.ledger.rows import StatementRow
from projections.portfolio import Member, PartnershipLine
from projections.proposals import OPEN, OpenProposal, OpenProposals
from projections.results import Money as Owing


class Unpaid(Item):
    """An issued statement of which something is left to be paid."""

    partnership: str
    """The partnership."""
    statement: str
    """The statement."""
    payer: str
    """The party that owes the rest."""
    payee: str
    """The party that it is owed to."""
    left: Money
    """What is left to be paid."""
    due_on: date
    """The last day on which it is paid in time."""
    is_overdue: bool
    """Whether that day has passed."""


class Disputed(Item):
    """An open dispute, with what it holds and whose turn it is."""

    partnership: str
    """The partnership."""
    dispute: str
    """The identifier of the dispute."""
    opened_by: str
    """The party that opened it."""
    since: datetime
    """When it was opened."""
    opened_on: date
    """The day of its opening in the agreement's time zone."""
    about: str | None
    """What earned the disputed money; null if no money is disputed."""
    amount: Money | None
    """The disputed amount; null if no money is disputed."""
    held: Money | None
    """The part of it that is on no statement yet, so that it is on hold; null if there is none."""
    description: str
    """What is disputed, in words."""
    mediator: str | None
    """Who mediates, once mediation started."""
    proposal: str | None
    """The proposal to end it that awaits its answer."""
    turn: tuple[str, ...]
    """The parties that act next: the one that answers the proposal, else both."""


class PartyOwed(Item):
    """What one party owes, is owed and disputes."""

    party: str
    """The party."""
    name: str
    """The party's name."""
    partners: tuple[Owing, ...]
    """By partnership and currency."""
    total: tuple[Owing, ...]
    """Over all partnerships, by currency."""
    unpaid: tuple[Unpaid, ...]
    """The statements that are to be paid, the one that is due first before the others."""
    disputes: tuple[Disputed, ...]
    """The open disputes."""


class Owed(Answer):
    """What the parties that began partnerships owe, are owed and dispute."""

    moment: datetime | None
    """The moment that due days are compared with, as in the portfolio; null if there is none."""
    parties: tuple[PartyOwed, ...]
    """A party is shown its own alone."""


def ask(accord: Accord, when: AsOf = NOW) -> Owed:
    """Return what each party owes, is owed and disputes. A party is shown its own alone."""
    moment = moment_of_all(accord, when)
    unpaid: dict[str, list[Unpaid]] = defaultdict(list)
    disputes: dict[str, list[Disputed]] = defaultdict(list)

    def noted() -> Iterator[Member]:
        for member in members(accord, when):
            unpaid[member.party] += _unpaid(member)
            if any(each.rule == DISPUTE_OPENED for each in member.alerts):
                events = whole_log(accord.history, member.id, when)
                disputes[member.party] += _disputes(member, events)
            yield member

    return Owed(
        simulated=accord.simulated,
        as_of=when.asked,
        moment=moment,
        parties=tuple(
            PartyOwed(
                party=each.party,
                name=each.name,
                partners=tuple(of for line in each.partners for of in line.money),
                total=each.money,
                unpaid=tuple(sorted(unpaid[each.party], key=lambda one: one.due_on)),
                disputes=tuple(_in_order(disputes[each.party], each.partners)),
            )
            for each in (portfolios(part(of, moment) for of in noted()) if moment else ())
        ),
    )


def _in_order(disputes: list[Disputed], partners: Sequence[PartnershipLine]) -> list[Disputed]:
    """Return disputes in the order of the partners."""
    places = {line.id: place for place, line in enumerate(partners)}
    return sorted(disputes, key=lambda each: places[each.partnership])


def _unpaid(member: Member) -> Iterator[Unpaid]:
    for row in member.settlement.values():
        if isinstance(row, StatementRow) and row.left > 0:
            balance = Balance.model_validate(row.balance)
            yield Unpaid(
                partnership=member.id,
                statement=row.statement,
                payer=balance.payer or "",
                payee=balance.payee or "",
                left=Money(amount=row.left, currency=balance.currency),
                due_on=row.due_on,
                is_overdue=row.overdue,
            )


def _disputes(member: Member, events: Iterable[Recorded]) -> Iterator[Disputed]:
    """Yield the open disputes of a partnership, in the order in which they were opened."""
    opened: dict[str, tuple[DisputeOpened, Recorded]] = {}
    mediators: dict[str, str] = {}
    proposals, dispatch = Folded(), Dispatch([PROPOSALS])
    log = [*events]
    for recorded in log:
        fold_all(dispatch, [proposals], (recorded,))
        match recorded.event:
            case DisputeOpened() as event:
                opened[event.dispute] = (event, recorded)
            case MediationStarted(dispute=dispute, mediator=mediator):
                mediators[dispute] = mediator
            case DisputeResolved(dispute=dispute):
                opened.pop(dispute, None)
            case _:
                pass
    waiting: OpenProposals = proposals.rows.get(OPEN, OpenProposals())
    holds = [*holds_of(replay(SETTLEMENT, log).rows.values())] if opened else []
    for name, (event, recorded) in opened.items():
        asked = [each for each in waiting.open if each.substream == f"dispute/{name}"]
        yield Disputed(
            partnership=member.id,
            dispute=name,
            opened_by=recorded.act.party,
            since=recorded.act.occurred_at,
            opened_on=member.traits.terms.day(recorded.act.occurred_at),
            about=event.subject,
            amount=event.amount,
            held=_held(event, holds),
            description=event.description,
            mediator=mediators.get(name),
            proposal=asked[-1].proposal if asked else None,
            turn=_turn(member.overview.parties, asked),
        )


def _held(opened: DisputeOpened, holds: Iterable[Hold]) -> Money | None:
    """Return what a dispute holds. What is on an issued statement is disputed, and not held."""
    held = sum((each.amount.amount for each in holds if each.dispute == opened.dispute), Decimal(0))
    if opened.amount is None or not held:
        return None
    return Money(amount=held, currency=opened.amount.currency)


def _turn(parties: Iterable[str], asked: list[OpenProposal]) -> tuple[str, ...]:
    """Return who acts next: the party that did not make the last proposal, else both."""
    return tuple(each for each in parties if not asked or each != asked[-1].party)


# --- text --------------------------------------------------------------------------------------


def text(answer: Owed) -> Iterator[Block]:
    """Yield what each party owes and is owed, by which day, and each dispute."""
    if not answer.parties:
        yield Remark("There are no partnerships.")
    moment = asked_at(answer.moment)
    for each in answer.parties:
        yield Line(f"{each.name} ({each.party}), {moment}", "bold")
        total = each.total if len(each.partners) > 1 else ()
        yield money_table(each.party, (*each.partners, *total))
        unstated = [of for of in each.partners if of.unstated_since]
        if unstated:
            yield Line("on no statement yet", indent=2)
        for of in unstated:
            yield Line(f"{of.id}, {of.currency}: earned since {of.unstated_since}", indent=4)
        if each.unpaid:
            yield Line("to be paid", indent=2)
        for one in each.unpaid:
            due = f"due on {one.due_on}{', overdue' if one.is_overdue else ''}"
            owes = f"{one.payer} owes {one.payee} {one.left}"
            yield Line(f"{one.partnership}, {one.statement}: {owes}, {due}", indent=4)
        if each.disputes:
            yield Line("open disputes", indent=2)
        for dispute in each.disputes:
            yield from _dispute(dispute)
        yield Line()


def _dispute(each: Disputed) -> Iterator[Block]:
    held = f", {each.held} of it on hold" if each.held else ", nothing of it on hold"
    about = f"{each.amount} for {each.about}{held}" if each.amount else "no money"
    opened = f"opened by {each.opened_by} on {each.opened_on}"
    yield Line(f"{each.partnership}, dispute {each.dispute}: {about}, {opened}", indent=4)
    yield Line(each.description, indent=6)
    if each.mediator:
        yield Line(f"{each.mediator} mediates.", indent=6)
    if each.proposal:
        turn = f"{each.turn[0]} answers proposal {each.proposal} (AcceptResolution)."
    else:
        turn = (
            f"{' or '.join(each.turn)} proposes how it ends (ProposeResolution), or "
            f"{each.opened_by} withdraws it (WithdrawDispute)."
        )
    yield Line(turn, indent=6)


OWED = Question(
    "owed",
    ask,
    text,
    path="/v1/owed",
    panel=Panel.MONEY,
    help="List what each party owes by when, is owed and disputes, with whose turn it is.",
)
