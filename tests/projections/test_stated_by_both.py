"""Facts that both sides state (`money.md`, sections 1 and 6).

Both sides can state a fact under one identifier, each from its own records, alike or not. Either
corrects it, takes it back, confirms it, objects to it. In every order of arrival the sums are the
same, and nothing is left waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from random import Random
from typing import Any

import pytest

from domain.attribution import Method
from domain.claims import ClaimKind, ConfirmClaim, FigureRef, ObjectToClaim
from domain.entry import RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.kernel import Command
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import AttributeReferral
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.sale import CancelDeal, CorrectWin, WinDeal
from domain.sharing import AgreeDataSharing, ProposeDataSharing, SharingLine
from domain.standing_alerts import CLAIM_AWAITS
from domain.terms import ClaimRules, CostShare, Item, ReferralFee, RevenueSplit, Trigger
from projections.alerts import AlertState
from tests.life import OURS, THEIRS, changed, split, usd
from tests.projections.arrivals import (
    Fact,
    arrive,
    in_any_order,
    ours,
    owed,
    paid,
    referred,
    returned,
    theirs,
    to_them,
    won,
)
from tests.projections.folds import alerts, count
from tests.projections.money import share, total, under
from tests.stories import Story, moment

SHARE = share("10")
SALE = share("10", basis="first-year", trigger=Trigger.SALE)
CLICKS = ReferralFee(to=THEIRS, fee=usd("0.05"), trigger=Trigger.CLICK)
JOINT: RevenueSplit = changed(split("40", "60"), trigger=Trigger.JOINT_REVENUE)
BY_SALE: RevenueSplit = changed(split("40", "60"), trigger=Trigger.SALE)
TRAVEL = CostShare(cost="travel", shares={OURS: Decimal(50), THEIRS: Decimal(50)})
FIGURE = {"metric": "clicks", "period": "2026-03", "tool": "ads"}

REFERRED = referred("2026-01-07")
SOLD = [*REFERRED, won("2026-04-01", usd("1000.00"))]
PAID = [*SOLD, paid("2026-04-02", "P-1", usd("1000.00"))]
REFUNDED = [*PAID, returned("2026-04-03", "P-1", usd("500.00"), "R-1")]

_WIN = WinDeal(deal="D-1", annual_contract_value=usd("1000.00"))
_PAYMENT = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"), collected_by=OURS)
_REFUND = IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("400.00"))
_REVENUE = RecordJointRevenue(entry="E-1", amount=usd("100.00"), collected_by=OURS)
_COST = RecordSharedCost(entry="E-1", cost="travel", amount=usd("100.00"), paid_by=THEIRS)
_REVERSAL = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("40.00"), reason="Twice.")
_REPORT = ReportMetric(figure=count(1000), **FIGURE)
_TOUCH = AttributeReferral(
    deal="D-1", touch="T-1", method=Method.REFERRAL_CODE, evidence="B15", to=THEIRS
)

SHARED = [
    ours(
        "2026-03-01",
        ProposeDataSharing(
            proposal="clicks",
            lines=[
                SharingLine(metrics=["clicks"], by=by, to=to, frequency="monthly", tool="ads")
                for by, to in ((OURS, THEIRS), (THEIRS, OURS))
            ],
        ),
    ),
    theirs("2026-03-01", AgreeDataSharing(proposal="clicks")),
]
"""Each side sees the other's clicks, so it can confirm and correct them."""


@dataclass(frozen=True)
class Kind:
    """A kind of fact that both sides state, and what can be said of it since."""

    name: str
    items: Sequence[Item]
    given: Sequence[Fact]
    command: Command
    otherwise: Command
    """The other side's statement, where it differs."""
    claim: str
    corrections: Sequence[Command] = ()
    then: Sequence[Fact] = ()
    """What else happens, which rests on the fact."""

    @property
    def named(self) -> dict[str, Any]:
        """What the fact belongs to, as an answer names it."""
        if self.claim == "figure":
            return {"figure": FigureRef(**FIGURE)}
        return {"entry": "E-1"} if hasattr(self.command, "entry") else {"deal": "D-1"}

    def since(self) -> list[Fact]:
        """Return what either side says of the fact later, each message at its own time."""
        answers: list[Command] = [
            ConfirmClaim(fact=self.claim, **self.named),
            ObjectToClaim(fact=self.claim, reason="Not so.", **self.named),
        ]
        said: list[Fact] = []
        for number, command in enumerate([*self.corrections, *answers]):
            said += [
                theirs(f"2026-04-{10 + 2 * number}", command),
                ours(f"2026-04-{11 + 2 * number}", command),
            ]
        return [*said, *self.then]


KINDS = (
    Kind(
        "win",
        [SALE, BY_SALE],
        REFERRED,
        _WIN,
        changed(_WIN, annual_contract_value=usd("900.00")),
        "win",
        [
            CorrectWin(deal="D-1", annual_contract_value=usd("800.00"), reason="A digit."),
            CorrectWin(deal="D-1", void=True, reason="Never."),
        ],
        [ours("2026-05-01", CancelDeal(deal="D-1", reason="Withdrawn."))],
    ),
    Kind(
        "payment",
        [SHARE, changed(BY_SALE, trigger=Trigger.PAYMENT)],
        SOLD,
        _PAYMENT,
        changed(_PAYMENT, amount=usd("900.00")),
        "payment/P-1",
        [
            CorrectPayment(deal="D-1", payment="P-1", amount=usd("800.00"), reason="A digit."),
            CorrectPayment(deal="D-1", payment="P-1", void=True, reason="Never."),
        ],
        [ours("2026-05-01", _REFUND), theirs("2026-05-01", changed(_REFUND, amount=usd("100.00")))],
    ),
    Kind(
        "refund",
        [SHARE],
        PAID,
        _REFUND,
        changed(_REFUND, amount=usd("300.00")),
        "refund/R-1",
        [
            CorrectRefund(deal="D-1", refund="R-1", amount=usd("50.00"), reason="A digit."),
            CorrectRefund(deal="D-1", refund="R-1", void=True, reason="Never."),
        ],
        [
            ours("2026-05-01", ReverseRefund(deal="D-1", refund="R-1")),
            theirs("2026-05-01", ReverseRefund(deal="D-1", refund="R-1")),
        ],
    ),
    Kind(
        "reversal",
        [SHARE],
        REFUNDED,
        ReverseRefund(deal="D-1", refund="R-1"),
        ReverseRefund(deal="D-1", refund="R-1", reason="It failed."),
        "reversal/R-1",
        then=[returned("2026-05-01", "P-1", usd("500.00"), "R-1")],
    ),
    Kind(
        "cancellation",
        [SALE],
        SOLD,
        CancelDeal(deal="D-1", reason="Withdrawn."),
        CancelDeal(deal="D-1", reason="They went."),
        "cancellation",
        then=[
            won("2026-05-01", usd("700.00")),
            theirs("2026-05-01", changed(_WIN, annual_contract_value=usd("700.00"))),
        ],
    ),
    Kind(
        "touch",
        [SALE],
        [REFERRED[0], REFERRED[2]],
        _TOUCH,
        changed(_TOUCH, evidence="Our own page."),
        "touch/T-1",
        then=[won("2026-04-08", usd("1000.00"))],
    ),
    Kind(
        "joint revenue",
        [JOINT],
        [],
        _REVENUE,
        changed(_REVENUE, amount=usd("90.00")),
        "entry",
        then=[ours("2026-05-01", _REVERSAL), theirs("2026-05-01", _REVERSAL)],
    ),
    Kind("cost", [TRAVEL], [], _COST, changed(_COST, amount=usd("90.00")), "entry"),
    Kind(
        "reversal of an entry",
        [JOINT],
        [ours("2026-04-01", _REVENUE)],
        _REVERSAL,
        changed(_REVERSAL, amount=usd("30.00")),
        "reversal/V-1",
    ),
    Kind(
        "figure",
        [CLICKS],
        SHARED,
        _REPORT,
        changed(_REPORT, figure=count(900)),
        "figure",
        [CorrectMetric(figure=count(800), reason="A digit.", **FIGURE)],
    ),
)


# --- the law -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [OURS, THEIRS])
@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.name)
def test_what_both_sides_state_comes_to_the_same_in_every_order(kind: Kind, first: str) -> None:
    other = THEIRS if first == OURS else OURS
    story = arrive(under(*kind.items), kind.given)
    since = kind.since()
    for second in (kind.command, kind.otherwise):
        stated = [_by(first, "2026-04-05", kind.command), _by(other, "2026-04-05", second)]
        for one in since:
            in_any_order(story, [*stated, one])


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.name)
def test_two_things_said_of_what_both_state_come_to_the_same_in_random_orders(kind: Kind) -> None:
    random = Random(kind.name)  # noqa: S311 - orders of arrival
    story = arrive(under(*kind.items), kind.given)
    story.on("2026-06-01")
    stated = [ours("2026-04-05", kind.command), theirs("2026-04-05", kind.otherwise)]
    for pair in combinations(kind.since(), 2):
        facts = [*stated, *pair]
        expected = owed(arrive(story.copy(), facts))
        for _ in range(3):
            random.shuffle(facts)
            assert owed(arrive(story.copy(), facts)) == expected, facts


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.name)
def test_all_that_is_said_of_what_both_state_comes_to_the_same(kind: Kind) -> None:
    random = Random(kind.name)  # noqa: S311 - orders of arrival
    story = arrive(under(*kind.items), kind.given)
    story.on("2026-06-01")
    facts = [ours("2026-04-05", kind.command), theirs("2026-04-05", kind.otherwise), *kind.since()]
    expected = owed(arrive(story.copy(), facts))
    for _ in range(20):
        random.shuffle(facts)
        assert owed(arrive(story.copy(), facts)) == expected, facts


def _by(party: str, happened: str, command: Command) -> Fact:
    return ours(happened, command) if party == OURS else theirs(happened, command)


# --- stories -----------------------------------------------------------------------------------


def payments(ours_is: str, theirs_is: str) -> list[Fact]:
    """Both state payment P-1 of a deal of which they earn 10 %."""
    return [
        ours("2026-04-05", changed(_PAYMENT, amount=usd(ours_is))),
        theirs("2026-04-06", changed(_PAYMENT, amount=usd(theirs_is))),
    ]


def corrected(amount: str) -> Command:
    return CorrectPayment(deal="D-1", payment="P-1", amount=usd(amount), reason="A digit.")


def sold(**frame: object) -> Story:
    return arrive(under(SHARE, **frame), SOLD)


def awaiting(story: Story) -> list[str]:
    """Return what the open alerts say is claimed."""
    found = alerts(story).values()
    is_open = [each for each in found if each.state is AlertState.OPEN]
    return [each.window for each in is_open if each.rule == CLAIM_AWAITS]


NEVER = CorrectPayment(deal="D-1", payment="P-1", void=True, reason="Never.")


def test_the_statement_of_the_side_that_owes_counts_in_its_words() -> None:
    found = in_any_order(sold(), payments("90.00", "100.00"))

    assert found == to_them({"2026-04-05": "9.00"})


def test_the_other_statement_is_a_claim_for_what_differs() -> None:
    confirmed = ours("2026-04-07", ConfirmClaim(deal="D-1", fact="payment/P-1"))

    found = in_any_order(sold(), [*payments("90.00", "100.00"), confirmed])

    assert found == to_them({"2026-04-06": "10.00"})


def test_a_statement_that_differs_is_alerted_and_one_that_is_alike_is_not() -> None:
    assert awaiting(arrive(sold(), payments("100.00", "100.00"))) == []
    assert awaiting(arrive(sold(), payments("90.00", "100.00"))) == ["deal/D-1/payment/P-1"]


def test_each_side_corrects_its_own_statement() -> None:
    by_us = ours("2026-04-07", corrected("50.00"))
    by_them = theirs("2026-04-08", corrected("70.00"))

    found = in_any_order(sold(), [*payments("100.00", "100.00"), by_us, by_them])

    assert found == to_them({"2026-04-05": "5.00"})


def test_what_one_side_takes_back_the_other_still_states() -> None:
    stated = payments("100.00", "100.00")

    by_them = in_any_order(sold(), [*stated, theirs("2026-04-07", NEVER)])
    by_us = in_any_order(sold(), [*stated, ours("2026-04-07", NEVER)])

    assert by_them == to_them({"2026-04-05": "10.00"})
    assert by_us == {}, "theirs alone is a claim"


def test_a_claim_that_was_confirmed_is_not_lowered_by_another_statement() -> None:
    confirmed = ours("2026-04-07", ConfirmClaim(deal="D-1", fact="payment/P-1"))
    lowered = ours("2026-04-08", corrected("1.00"))

    found = in_any_order(sold(), [*payments("1.00", "100.00"), confirmed, lowered])

    assert found == to_them({"2026-04-06": "10.00"})


def test_a_side_that_states_the_fact_itself_is_not_silent() -> None:
    story = sold(claims=ClaimRules(confirm_within_days=10))
    story.on("2026-04-07")

    found = in_any_order(story, payments("90.00", "100.00"), at="2026-04-07")

    story = arrive(story, payments("90.00", "100.00"))
    story.on("2026-06-02")
    assert found == to_them({"2026-04-05": "9.00"})
    assert owed(story) == found


def test_of_a_sale_that_both_state_the_side_that_did_not_refer_it_collects() -> None:
    story = arrive(under(BY_SALE), REFERRED)

    found = in_any_order(story, [ours("2026-04-05", _WIN), theirs("2026-04-05", _WIN)])

    assert found == to_them({"2026-04-05": "600.00"})


def test_one_refund_that_both_state_takes_back_once() -> None:
    story = arrive(under(SHARE), PAID)

    found = in_any_order(story, [ours("2026-04-05", _REFUND), theirs("2026-04-05", _REFUND)])

    assert total(arrive(story, [ours("2026-04-05", _REFUND)]).history) == 60
    assert found == to_them({"2026-04-05": "-40.00", "2026-04-02": "100.00"})


REFUND_BY_US = ours("2026-04-21", _REFUND)


def confirmed_by_silence(*facts: Fact) -> Story:
    """They state a payment, and nobody answers for ten days. Then we state it, too."""
    story = sold(claims=ClaimRules(confirm_within_days=10))
    stated = [theirs("2026-04-05", _PAYMENT), ours("2026-04-20", _PAYMENT)]
    return arrive(story, [*stated, *facts])


def test_a_refund_of_what_counts_as_the_other_side_states_it_is_a_claim() -> None:
    story = confirmed_by_silence(REFUND_BY_US)
    assert owed(story) == to_them({"2026-04-05": "100.00"})
    assert awaiting(story) == ["deal/D-1/refund/R-1@2026-04-21T09:00:00Z"]

    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="refund/R-1"))

    assert owed(story) == to_them({"2026-04-05": "100.00", "2026-04-21": "-40.00"})
    assert awaiting(story) == []


def test_silence_confirms_a_refund_of_what_counts_as_the_other_side_states_it() -> None:
    story = confirmed_by_silence(REFUND_BY_US)

    story.on("2026-05-02")

    assert owed(story) == to_them({"2026-04-05": "100.00", "2026-04-21": "-40.00"})
    assert awaiting(story) == []


def test_an_objection_to_such_a_refund_stops_silence() -> None:
    objection = ObjectToClaim(deal="D-1", fact="refund/R-1", reason="It was paid again.")
    story = confirmed_by_silence(REFUND_BY_US, theirs("2026-04-22", objection))

    story.on("2026-05-02")

    assert owed(story) == to_them({"2026-04-05": "100.00"})


def lost_won_back_lost_again(later: Fact) -> list[Fact]:
    """A payment of 1000.00 that came to nothing, and what dates it later than all of that."""
    return [
        paid("2026-04-02", "P-1", usd("1000.00")),
        returned("2026-04-03", "P-1", usd("1000.00"), "R-1"),
        ours("2026-04-04", ReverseRefund(deal="D-1", refund="R-1")),
        returned("2026-04-05", "P-1", usd("1000.00"), "R-1"),
        later,
    ]


CAPPED = share("10", cap=Decimal(500), window="year")
ON_FIRST_PAYMENT = ReferralFee(to=THEIRS, fee=usd("100.00"), trigger=Trigger.PAYMENT)


@pytest.mark.parametrize("item", [SHARE, CAPPED, ON_FIRST_PAYMENT], ids=["share", "cap", "fee"])
@pytest.mark.parametrize(
    "later",
    [
        theirs("2026-04-06", _PAYMENT),
        ours("2026-04-06", changed(corrected("1000.00"), happened_at=moment("2026-04-06"))),
    ],
    ids=["by both", "by a correction"],
)
def test_what_took_a_payment_back_counts_as_it_happened_though_the_payment_is_dated_later(
    item: Item, later: Fact
) -> None:
    rules = ClaimRules(on_word=[ClaimKind.PAYMENT, ClaimKind.REFUND])
    story = arrive(under(item, claims=rules), SOLD)

    found = in_any_order(story, lost_won_back_lost_again(later))

    assert found == to_them(
        {
            "2026-04-03": "-100.00",
            "2026-04-04": "100.00",
            "2026-04-05": "-100.00",
            "2026-04-06": "100.00",
        }
    )


def test_a_touch_that_both_state_counts_after_the_win() -> None:
    touches = [theirs("2026-04-05", _TOUCH), ours("2026-04-06", _TOUCH)]
    story = arrive(under(SHARE), [REFERRED[0], REFERRED[2], *PAID[3:]])

    assert in_any_order(story, touches[:1]) == {}
    assert in_any_order(story, touches) == to_them({"2026-04-02": "100.00"})


def test_a_second_referral_under_the_name_of_a_deal_is_another_one() -> None:
    story = arrive(under(SHARE), REFERRED)

    refusal = story.refuses(OURS, REFERRED[0][0].command)

    assert refusal.rule == "deal-exists"
    assert "ConfirmClaim" in refusal.hint
