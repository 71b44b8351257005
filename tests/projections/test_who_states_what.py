"""Which facts move money, who states each, and what it earns before the other side confirms it.

The ledger folds a closed set of events, so nothing else moves money; each of them has a row here.
A row of a claim is played: each side states it, and what it earns is read from the ledger. The
table is the page `docs/who-states-what.md`. After a change that is meant, write it anew:
`python -m tests.projections.test_who_states_what`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from domain import (
    dispute,
    entry,
    execution,
    exploration,
    merge,
    payment,
    payouts,
    referral,
    renewal,
    sale,
    settlement,
)
from domain import exit as leaving
from domain.adoption import PartnershipAdopted
from domain.agreement import CommercialTermsAgreed
from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.bilateral import BilateralAgreement
from domain.claims import (
    ClaimConfirmed,
    ClaimKind,
    ClaimObjected,
    ConfirmClaim,
    FigureRef,
    ObjectToClaim,
)
from domain.deadlines import deadline
from domain.entry import ConcedePenalty, RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.kernel import Command, Event, Refused
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment, ReverseRefund
from domain.payouts import CorrectPayout, RecordPayout, ReturnPayout
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    QualifyLead,
    SubmitReferral,
)
from domain.reported_figure import CorrectMetric, MetricCorrected, MetricReported, ReportMetric
from domain.sale import CancelDeal, CorrectWin, WinDeal
from domain.scaling import JointInvestmentAgreed
from domain.settlement import IssueStatement
from domain.terms import (
    ClaimRules,
    CostShare,
    Hybrid,
    Incentive,
    Item,
    Minimum,
    Penalty,
    ReferralFee,
    RevenueSplit,
    Trigger,
)
from projections.settlement import SETTLEMENT
from tests.documents import REPOSITORY
from tests.life import OURS, STRANGER, THEIRS, changed, split, usd
from tests.projections.arrivals import (
    Fact,
    Said,
    arrive,
    ours,
    paid,
    referred,
    returned,
    theirs,
    won,
)
from tests.projections.folds import count
from tests.projections.money import share, total, under
from tests.stories import Story, moment

Answer = type[ConfirmClaim] | type[ObjectToClaim]

PAGE = REPOSITORY / "docs/who-states-what.md"


@dataclass(frozen=True)
class Statement:
    """A fact that either side could state, and by which one gains from the other."""

    event: type[Event]
    items: Sequence[Item]
    """The terms: by them the fact moves money."""
    given: Sequence[Fact]
    command: Command
    claim: str = ""
    """Its name in a confirmation; empty where nothing is to be confirmed."""
    case: str = ""
    """Which case it is, where a kind of fact has several."""
    owes: str = OURS
    """The side that owes because of the fact, or is owed less."""
    then: Sequence[Fact] = ()
    """What happens after it, which moves nothing without it."""
    at: str = "2026-04-10"
    on_word: Sequence[ClaimKind] = ()
    """The kinds of fact that the terms let count on the word of the side that gains."""

    @property
    def gains(self) -> str:
        """The side that gains by the fact."""
        return THEIRS if self.owes == OURS else OURS

    def told(self, party: str | None = None, answer: Answer | None = None) -> Story:
        """Return the story in which a party states the fact; nobody does without a party."""
        rules = ClaimRules(on_word=[*self.on_word])
        story = arrive(under(*self.items, claims=rules, attribution=LAST_TOUCH), self.given)
        if party is not None:
            arrive(story, [(Said(self.at, party, self.command),), *self.then])
        if answer is not None:
            story.when(THEIRS if party == OURS else OURS, self.answer(answer))
        story.on("2026-07-02")
        return story

    def answer(self, answer: Answer) -> Command:
        """Return what the other party says of the claim."""
        if isinstance(self.command, ReportMetric | CorrectMetric):
            named = self.command.model_dump(include={"metric", "period", "tool", "segment"})
            about: dict[str, Any] = {"figure": FigureRef(**named)}
        else:
            thing = next(
                each for each in ("deal", "entry", "payout") if hasattr(self.command, each)
            )
            about = {thing: getattr(self.command, thing)}
        if answer is ConfirmClaim:
            return ConfirmClaim(fact=self.claim, **about)
        return ObjectToClaim(fact=self.claim, reason="It is wrong.", **about)

    def earns(self, party: str, answer: Answer | None = None) -> Decimal | None:
        """Return what the side that gains earns where a party states it; None if it is refused."""
        try:
            story = self.told(party, answer)
        except Refused:
            return None
        return self._net(story) - self._net(self.told())

    def _net(self, story: Story) -> Decimal:
        if isinstance(self.command, RecordPayout | CorrectPayout | ReturnPayout):
            due = story.left(STATED)
            return due if self.gains == THEIRS else -due
        return total(story.history, self.gains) - total(story.history, self.owes)


# --- the rows ----------------------------------------------------------------------------------

LAST_TOUCH = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
SHARE = share("10")
SALE = share("10", basis="first-year", trigger=Trigger.SALE)
CLICKS = ReferralFee(to=THEIRS, fee=usd("0.05"), trigger=Trigger.CLICK)
JOINT: RevenueSplit = changed(split("40", "60"), trigger=Trigger.JOINT_REVENUE)
TRAVEL = CostShare(cost="travel", shares={OURS: Decimal(50), THEIRS: Decimal(50)})
PENALTY = Penalty(on=OURS, condition="A report is late.", fee=usd("250.00"))
LEADS = Minimum(
    on=THEIRS, metric="leads", window="quarter", at_least=10, fee=usd("50.00"), per="missing"
)
INCENTIVE = Incentive(by=OURS, amount=usd("100.00"))
FIGURE = {"metric": "clicks", "period": "2026-03", "tool": "ads"}

REFERRED = referred("2026-01-07")
LED = REFERRED[:2]
"""A referral of theirs that we tied to them."""
SOLD = [*REFERRED, won("2026-04-01", usd("1000.00"))]
PAID = [*SOLD, paid("2026-04-02", "P-1", usd("1000.00"))]
REFUNDED = [*PAID, returned("2026-04-03", "P-1", usd("500.00"), "R-1")]

_WIN = WinDeal(deal="D-1", annual_contract_value=usd("1000.00"))
_PAYMENT = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"))
WON_BY_THEM = [
    *REFERRED,
    theirs("2026-04-01", _WIN),
    ours("2026-04-01", ConfirmClaim(deal="D-1", fact="win")),
]
PAID_BY_THEM = [
    *SOLD,
    theirs("2026-04-02", _PAYMENT),
    ours("2026-04-02", ConfirmClaim(deal="D-1", fact="payment/P-1")),
]
_REVENUE = RecordJointRevenue(entry="E-1", amount=usd("100.00"), collected_by=OURS)
ENTERED_BY_THEM = [
    theirs("2026-04-02", _REVENUE),
    ours("2026-04-02", ConfirmClaim(entry="E-1", fact="entry")),
]
LEAD = SubmitReferral(deal="D-1", lead="lead 1")
TOUCH = AttributeReferral(
    deal="D-1",
    touch="T-1",
    method=Method.REFERRAL_CODE,
    evidence="B15",
    to=THEIRS,
    touched_at=moment("2026-01-08"),
)
OWN_TOUCH: AttributeReferral = changed(TOUCH, touch="T-2", to=OURS)
UNTOUCHED = [
    ours("2026-01-07", LEAD),
    ours("2026-01-07", CreateOpportunity(deal="D-1")),
]
PAYMENT_OF_IT = paid("2026-04-02", "P-1", usd("1000.00"))
SALE_OF_IT = [won("2026-04-01", usd("1000.00")), PAYMENT_OF_IT]
SALE_BY_THEM = [theirs("2026-04-01", _WIN), PAYMENT_OF_IT]


STATED = "2026-Q1:USD"
OWED = [
    *REFERRED,
    won("2026-02-01", usd("1000.00")),
    paid("2026-02-01", "P-1", usd("1000.00")),
    ours("2026-04-01", IssueStatement(period="2026-Q1")),
]
"""A statement by which we owe them 100.00."""
_PAYOUT = RecordPayout(payout="X-1", statement=STATED, amount=usd("60.00"))
_RETURN = ReturnPayout(payout="X-1", reason="The account is closed.")
PAID_OUT = [*OWED, ours("2026-04-02", _PAYOUT)]
RECEIVED = [*OWED, theirs("2026-04-02", _PAYOUT)]


def _payout_of(amount: str) -> CorrectPayout:
    return CorrectPayout(payout="X-1", amount=usd(amount), reason="A digit.")


def _counted(event: type[Event], metric: str, command: Command) -> Statement:
    """Return the row of a step that a bonus counts."""
    bonus = Hybrid(
        to=THEIRS,
        base=usd("0.00"),
        every="P1Y",
        bonus=usd("30.00"),
        window="month",
        bonus_metric=metric,
        bonus_threshold=1,
    )
    return Statement(event, [bonus], LED, command, case="counts towards a bonus")


STATEMENTS = (
    Statement(
        referral.ReferralSubmitted,
        [LEADS],
        [],
        LEAD,
        "referral",
        case="counts towards the minimum of the side that refers",
        at="2026-04-01",
    ),
    Statement(
        referral.ReferralSubmitted,
        [INCENTIVE],
        [],
        LEAD,
        case="earns an incentive, which counts on the word of the party that refers",
        then=[ours("2026-04-11", TOUCH)],
    ),
    Statement(
        referral.ReferralAttributed,
        [SHARE],
        UNTOUCHED,
        TOUCH,
        "touch/T-1",
        case="before a win that the side that gains states",
        then=SALE_BY_THEM,
        at="2026-01-09",
        on_word=[ClaimKind.WIN],
    ),
    Statement(
        referral.ReferralAttributed,
        [SHARE],
        [*UNTOUCHED, *SALE_OF_IT],
        TOUCH,
        "touch/T-1",
        case="after a win that the side that owes states",
    ),
    Statement(
        referral.ReferralAttributed,
        [SHARE],
        [*REFERRED, *SALE_OF_IT],
        OWN_TOUCH,
        "touch/T-2",
        case="takes credit from the other side, before a win that the side that gains states",
        owes=THEIRS,
        at="2026-01-09",
    ),
    Statement(
        referral.ReferralAttributed,
        [INCENTIVE],
        [theirs("2026-01-07", LEAD)],
        TOUCH,
        case="earns an incentive, which counts on the word of the party that refers",
        at="2026-01-09",
    ),
    _counted(referral.LeadQualified, "qualified_leads", QualifyLead(deal="D-1")),
    _counted(referral.OpportunityCreated, "opportunities", CreateOpportunity(deal="D-1")),
    _counted(referral.DemoHeld, "demos", HoldDemo(deal="D-1")),
    Statement(sale.DealWon, [SALE], REFERRED, _WIN, "win"),
    Statement(
        sale.DealCancelled,
        [SALE],
        SOLD,
        CancelDeal(deal="D-1", reason="They withdrew."),
        case="of a win that the side that owes stated",
        owes=THEIRS,
    ),
    Statement(
        sale.DealCancelled,
        [SALE],
        WON_BY_THEM,
        CancelDeal(deal="D-1", reason="They withdrew."),
        "cancellation",
        case="of a win that the side that earns stated",
        owes=THEIRS,
    ),
    Statement(payment.PaymentReceived, [SHARE], SOLD, _PAYMENT, "payment/P-1"),
    Statement(
        payment.RefundIssued,
        [SHARE],
        PAID,
        IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("500.00")),
        case="of a payment that the side that owes stated",
        owes=THEIRS,
    ),
    Statement(
        payment.RefundIssued,
        [SHARE],
        PAID_BY_THEM,
        IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("500.00")),
        "refund/R-1",
        case="of a payment that the side that earns stated",
        owes=THEIRS,
    ),
    Statement(
        payment.RefundReversed,
        [SHARE],
        REFUNDED,
        ReverseRefund(deal="D-1", refund="R-1"),
        "reversal/R-1",
    ),
    Statement(
        sale.WinCorrected,
        [SALE],
        SOLD,
        CorrectWin(deal="D-1", annual_contract_value=usd("2000.00"), reason="Two years."),
        "correction/win",
    ),
    Statement(
        payment.PaymentCorrected,
        [SHARE],
        PAID,
        CorrectPayment(deal="D-1", payment="P-1", amount=usd("2000.00"), reason="A digit."),
        "correction/payment/P-1",
    ),
    Statement(
        payment.RefundCorrected,
        [SHARE],
        REFUNDED,
        CorrectRefund(deal="D-1", refund="R-1", amount=usd("50.00"), reason="A digit."),
        "correction/refund/R-1",
    ),
    Statement(entry.JointRevenueReceived, [JOINT], [], _REVENUE, "entry"),
    Statement(
        entry.SharedCostIncurred,
        [TRAVEL],
        [],
        RecordSharedCost(entry="E-1", cost="travel", amount=usd("100.00"), paid_by=THEIRS),
        "entry",
    ),
    Statement(
        entry.EntryReversed,
        [JOINT],
        ENTERED_BY_THEM,
        ReverseEntry(entry="E-1", reversal="V-1", amount=usd("100.00"), reason="Counted twice."),
        "reversal/V-1",
        owes=THEIRS,
    ),
    Statement(
        entry.PenaltyConceded,
        [PENALTY],
        [],
        ConcedePenalty(entry="E-1", condition=PENALTY.condition),
    ),
    Statement(MetricReported, [CLICKS], [], ReportMetric(figure=count(1000), **FIGURE), "figure"),
    Statement(
        MetricCorrected,
        [CLICKS],
        [ours("2026-04-01", ReportMetric(figure=count(1000), **FIGURE))],
        CorrectMetric(figure=count(2000), reason="A digit.", **FIGURE),
        "correction/figure",
    ),
    Statement(payouts.PayoutRecorded, [SHARE], OWED, _PAYOUT, "payout", owes=THEIRS),
    Statement(
        payouts.PayoutCorrected,
        [SHARE],
        PAID_OUT,
        _payout_of("70.00"),
        "correction/payout",
        case="a higher amount of what the payer recorded",
        owes=THEIRS,
    ),
    Statement(
        payouts.PayoutCorrected,
        [SHARE],
        RECEIVED,
        _payout_of("70.00"),
        "correction/payout",
        case="a higher amount of what the payee recorded",
        owes=THEIRS,
    ),
    Statement(
        payouts.PayoutCorrected,
        [SHARE],
        PAID_OUT,
        _payout_of("50.00"),
        "correction/payout",
        case="a lower amount of what the payer recorded",
    ),
    Statement(
        payouts.PayoutCorrected,
        [SHARE],
        RECEIVED,
        _payout_of("50.00"),
        "correction/payout",
        case="a lower amount of what the payee recorded",
    ),
    Statement(payouts.PayoutReturned, [SHARE], RECEIVED, _RETURN, "return"),
)

ALONE: dict[type[Event], str] = {
    ClaimConfirmed: "The side that did not state the fact.",
    ClaimObjected: "The side that did not state the fact. It stops silence from confirming it.",
    execution.IncentiveIntroduced: "The side that offers the incentive, and owes it.",
    settlement.RatePublished: "Either, from the source that both named. Either can object.",
    settlement.RateObjected: "Either. The rate then does not count.",
    leaving.ExitNoticeGiven: "Either, under the agreed notice. Nothing accrues from its day on.",
    dispute.DisputeOpened: "Either, about what the other side gets. It holds that, and takes "
    "nothing.",
    settlement.StatementIssued: "The side that pays, or the operator; either if nobody pays.",
    settlement.FinalSettlementIssued: "A side that pays, or the operator; either if nobody pays.",
    exploration.ExplorationBegun: "The first party. It moves no money.",
    exploration.PartnerChosen: "The first party, which names the second. It moves no money.",
    sale.DealLost: "Either. It moves no money: no bonus and no minimum counts losses.",
    sale.DealReopened: "Either. It moves no money: the deal can be won again.",
    deadline.PeriodClosed: "The clock. Retainers, windows and reported periods fall due.",
    deadline.ReminderGiven: "The clock. It moves no money: a statement is due soon.",
    deadline.DeadlinePassed: "The clock. An exit takes effect, or silence confirms claims.",
}
"""The events that one side states without a claim, or that move no money."""

AGREED: tuple[type[BilateralAgreement], ...] = (
    PartnershipAdopted,
    CommercialTermsAgreed,
    renewal.PartnershipRenewed,
    leaving.ExitAgreed,
    leaving.ExitWithdrawn,
    referral.AttributionSettled,
    merge.DealsMerged,
    settlement.RateAgreed,
    settlement.AdjustmentAgreed,
    JointInvestmentAgreed,
    dispute.DisputeResolved,
)
"""The events that both parties agree."""


# --- the page ----------------------------------------------------------------------------------

HEAD = """\
# Who states what

A fact counts at once when the side that loses by it states it: it owes more, or is owed less.
Stated by the side that gains, it is a claim: it earns nothing until the other side confirms it
(`ConfirmClaim`), acts on it or, where the terms say so, does not object in time. A payout of the
payer counts unless the payee objects (`ObjectToClaim`). A step of the funnel that a bonus or a
minimum counts is confirmed by stating it too. These are all the events that the ledger reads. A
test plays each row and writes this page (`python -m tests.projections.test_who_states_what`).

## Facts by which one side gains from the other

| fact | stated by the side that loses by it | stated by the side that gains by it | confirmed as |
|---|---|---|---|
"""
BOTH = """
## What both agree

| event | proposed and accepted with |
|---|---|
"""
REST = """
## What one side or the clock states

| event | who states it |
|---|---|
"""


def page() -> str:
    """Return the page, from what the ledger does."""
    facts = "".join(f"{each}\n" for each in map(_row, STATEMENTS))
    both = "".join(
        f"| `{each.__name__}` | `{each.proposes.__name__}`, `{each.accepts.__name__}` |\n"
        for each in AGREED
    )
    rest = "".join(f"| `{each.__name__}` | {who} |\n" for each, who in ALONE.items())
    return f"{HEAD}{facts}{BOTH}{both}{REST}{rest}"


def _row(each: Statement) -> str:
    case = f", {each.case}" if each.case else ""
    confirmed = f"`{each.claim}`" if each.claim else "-"
    by_both = (_cell(each, party) for party in (each.owes, each.gains))
    return f"| {' | '.join((f'`{each.event.__name__}`{case}', *by_both, confirmed))} |"


def _cell(each: Statement, party: str) -> str:
    earned = each.earns(party)
    if earned is None:
        return "refused"
    if not earned:
        # A referral is brought by the side that states it, so the other cannot state it for it.
        own = each.event is referral.ReferralSubmitted and party == each.owes
        return "is its own referral" if own else "earns nothing"
    can_object = bool(each.claim) and party == each.gains
    if can_object and each.earns(party, ObjectToClaim) == 0:
        return "counts unless the other side objects"
    return "counts at once"


# --- the tests ---------------------------------------------------------------------------------


def named(each: Statement) -> str:
    return f"{each.event.__name__} {each.case}".strip()


def test_every_event_that_the_ledger_reads_has_a_row() -> None:
    stated: list[type[Event]] = [*dict.fromkeys(each.event for each in STATEMENTS)]
    rows = [*stated, *ALONE, *AGREED]

    assert {*rows} == SETTLEMENT.handles
    assert len({*rows}) == len(rows)


def test_the_page_is_what_the_ledger_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


CLAIMS = [each for each in STATEMENTS if each.claim]
COUNTS_FIRST = [
    each
    for each in CLAIMS
    if (each.gains == OURS and isinstance(each.command, RecordPayout))
    or (each.given is PAID_OUT and each.gains == OURS)
]
"""What the payer says that it paid."""


@pytest.mark.parametrize("each", COUNTS_FIRST, ids=named)
def test_what_the_payer_says_it_paid_counts_unless_the_payee_objects(each: Statement) -> None:
    earned = each.earns(each.gains)

    assert earned
    assert each.earns(each.gains, ConfirmClaim) == earned
    assert each.earns(each.gains, ObjectToClaim) == 0


@pytest.mark.parametrize("each", [each for each in CLAIMS if each not in COUNTS_FIRST], ids=named)
def test_a_claim_earns_nothing_until_the_other_side_confirms_it(each: Statement) -> None:
    assert each.earns(each.gains) == 0
    confirmed = each.earns(each.gains, ConfirmClaim)

    assert confirmed
    assert confirmed > 0
    assert each.earns(each.owes) in {confirmed, None, 0}


STEPS = [
    each
    for each in STATEMENTS
    if each.event in {referral.LeadQualified, referral.OpportunityCreated, referral.DemoHeld}
]


@pytest.mark.parametrize("each", STEPS, ids=named)
def test_a_step_that_earns_a_bonus_counts_once_the_other_side_states_it(each: Statement) -> None:
    story = each.told(each.gains)
    assert total(story.history, each.gains) == 0

    arrive(story, [(Said("2026-04-12", each.owes, each.command),)])

    assert total(story.history, each.gains) == 30


@pytest.mark.parametrize("each", CLAIMS, ids=named)
def test_no_party_confirms_what_it_stated(each: Statement) -> None:
    story = each.told(each.gains)

    assert story.refuses(each.gains, each.answer(ConfirmClaim)).rule in {
        "own-claim",
        "no-such-claim",
    }
    assert story.refuses(STRANGER, each.answer(ConfirmClaim)).rule == "unknown-party"


@pytest.mark.parametrize("each", AGREED, ids=lambda each: each.__name__)
def test_what_both_agree_needs_a_proposal_and_its_acceptance(
    each: type[BilateralAgreement],
) -> None:
    assert issubclass(each, BilateralAgreement)
    assert each.proposes is not each.accepts


def test_every_kind_of_claim_that_terms_can_name_has_a_row() -> None:
    names = {each.claim.partition("/")[0] for each in CLAIMS}
    reversals = {each.event for each in CLAIMS if each.claim.startswith("reversal/")}

    assert entry.EntryReversed in reversals
    assert names | {ClaimKind.ENTRY_REVERSAL, ClaimKind.INCENTIVE} == set(ClaimKind)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
