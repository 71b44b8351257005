"""Confirming and contesting what the other party stated (`money.md`, section 6)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from domain.claims import (
    ClaimConfirmed,
    ClaimKind,
    ClaimObjected,
    ConfirmClaim,
    FigureRef,
    ObjectToClaim,
)
from domain.content import digest
from domain.entry import RecordJointRevenue, ReverseEntry
from domain.execution import HoldKickoff
from domain.kernel import Awaited, AwaitedKind
from domain.payment import (
    CorrectPayment,
    IssueRefund,
    PaymentCorrected,
    PaymentReceived,
    ReceivePayment,
    ReverseRefund,
)
from domain.reported_figure import (
    CorrectMetric,
    MetricReported,
    ReportedFigure,
    ReportMetric,
)
from domain.sale import CancelDeal, WinDeal
from tests.life import OURS, THEIRS, after, before, changed, example, usd
from tests.stories import Story, moment

FIGURE = FigureRef(metric="leads", period="2026-01", tool="analytics")


def confirm(fact: str, **more: Any) -> ConfirmClaim:  # noqa: ANN401 - fields
    return ConfirmClaim(fact=fact, **({"deal": "D-1"} | more))


def object_to(fact: str, **more: Any) -> ObjectToClaim:  # noqa: ANN401 - fields
    return ObjectToClaim(fact=fact, reason="Not so.", **({"deal": "D-1"} | more))


def deal() -> Story:
    """A deal with a fact of each kind."""
    story = after(ReverseRefund)
    story.wait(days=1)
    story.when(OURS, example(CancelDeal, deal="D-1"))
    return story


@pytest.mark.parametrize(
    "fact",
    [
        "win",
        "cancellation",
        f"touch/{THEIRS}",
        "payment/P-1",
        "refund/R-1",
        "reversal/C-1",
        "correction/win",
        "correction/payment/P-1",
        "correction/refund/R-1",
    ],
)
def test_each_fact_of_a_deal_is_confirmed_by_the_party_that_did_not_state_it(fact: str) -> None:
    story = deal()

    (confirmed,) = story.when(THEIRS, confirm(fact))

    assert isinstance(confirmed, ClaimConfirmed)
    assert (confirmed.deal, confirmed.fact) == ("D-1", fact)
    assert story.when(THEIRS, confirm(fact)) == []
    story.wait(days=1)
    assert story.when(THEIRS, confirm(fact)) == []


def test_a_referral_is_confirmed_by_the_party_that_did_not_submit_it() -> None:
    story = after(ConfirmClaim)

    assert story.refuses(THEIRS, confirm("referral")).rule == "own-claim"
    assert story.when(OURS, confirm("referral")) == []


@pytest.mark.parametrize("command", [confirm("win"), object_to("win")])
def test_nobody_answers_what_it_stated_itself(command: ConfirmClaim | ObjectToClaim) -> None:
    assert after(WinDeal).refuses(OURS, command).rule == "own-claim"


def test_an_objection_does_not_end_a_confirmation_nor_the_other_way_round() -> None:
    story = after(WinDeal)

    assert story.when(THEIRS, object_to("win"))
    assert story.when(THEIRS, confirm("win"))
    assert story.when(THEIRS, object_to("win")) == []
    assert (len(story.facts(ClaimConfirmed)), len(story.facts(ClaimObjected))) == (2, 1)


def test_what_is_not_there_yet_is_awaited() -> None:
    story = before(WinDeal)

    refusal = story.refuses(THEIRS, confirm("win"))

    assert refusal.rule == "no-such-claim"
    assert refusal.awaits == Awaited(AwaitedKind.WIN, "win", "the win of deal D-1")


def test_a_correction_of_its_own_does_not_hide_the_correction_that_a_party_waits_for() -> None:
    story = after(ReceivePayment)
    story.when(THEIRS, example(CorrectPayment))

    refusal = story.refuses(THEIRS, confirm("correction/payment/P-1"))

    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.CORRECTION
    story.when(OURS, example(CorrectPayment, amount=usd("1.00")))
    assert story.when(THEIRS, confirm("correction/payment/P-1"))


def test_the_newest_correction_is_meant() -> None:
    story = after(CorrectPayment)
    story.when(THEIRS, confirm("correction/payment/P-1"))
    story.wait(days=1)
    story.when(OURS, example(CorrectPayment, amount=usd("1.00")))

    assert story.when(THEIRS, confirm("correction/payment/P-1"))
    assert story.when(THEIRS, confirm("correction/payment/P-1")) == []


def test_of_several_facts_of_a_name_the_last_is_meant_or_the_one_of_a_time() -> None:
    story = after(IssueRefund)
    story.wait(days=1)
    story.when(OURS, example(ReverseRefund, refund="R-1"))
    story.wait(days=1)
    story.when(OURS, example(IssueRefund))

    assert story.when(THEIRS, confirm("refund/R-1"))
    assert story.when(THEIRS, confirm("refund/R-1", fact_at=story.now)) == []
    assert story.when(THEIRS, confirm("refund/R-1", fact_at=moment("2026-01-29")))
    nowhere = confirm("refund/R-1", fact_at=moment("2026-01-30T10:00"))
    assert story.refuses(THEIRS, nowhere).rule in {"own-claim", "no-such-claim"}


@pytest.mark.parametrize("answer", [confirm, object_to])
def test_an_answer_names_the_content_of_the_fact_that_was_read(
    answer: Callable[..., ConfirmClaim | ObjectToClaim],
) -> None:
    story = after(ReceivePayment)
    (paid,) = story.facts(PaymentReceived)

    refusal = story.refuses(THEIRS, answer("payment/P-1", content="0" * 64))

    assert (refusal.rule, refusal.awaits) == ("other-content", None)
    assert refusal.facts["content"] == digest(paid)
    (recorded,) = story.when(THEIRS, answer("payment/P-1", content=digest(paid)))
    assert isinstance(recorded, ClaimConfirmed | ClaimObjected)
    assert recorded.content == digest(paid)


def test_of_two_corrections_at_one_time_the_one_is_confirmed_whose_content_is_named() -> None:
    story = after(ReceivePayment)
    story.when(OURS, less := example(CorrectPayment, amount=usd("1.00")))
    story.when(OURS, example(CorrectPayment, amount=usd("2.00")))
    content = digest(PaymentCorrected.of(less))

    (recorded,) = story.when(
        THEIRS, confirm("correction/payment/P-1", content=content, fact_at=story.now)
    )

    assert isinstance(recorded, ClaimConfirmed)
    assert recorded.content == content


def test_an_entry_and_its_reversal_are_confirmed() -> None:
    story = after(ReverseEntry)
    entry = example(RecordJointRevenue).entry

    first = story.history[-1]
    reversal = example(ReverseEntry)
    assert story.when(
        THEIRS if first.act.party == OURS else OURS,
        ConfirmClaim(entry=reversal.entry, fact=f"reversal/{reversal.reversal}"),
    )
    recorded = next(each for each in story.history if getattr(each.event, "entry", "") == entry)
    other = THEIRS if recorded.act.party == OURS else OURS
    assert story.when(other, ConfirmClaim(entry=entry, fact="entry"))


def test_a_figure_and_its_correction_are_contested() -> None:
    story = after(WinDeal)
    figure = ReportedFigure(unit="count", value=Decimal(300))
    given = FIGURE.model_dump() | {"figure": figure}
    story.when(OURS, ReportMetric(**given))

    assert story.when(THEIRS, ObjectToClaim(figure=FIGURE, fact="figure", reason="Too many."))
    refusal = story.refuses(THEIRS, ConfirmClaim(figure=FIGURE, fact="correction/figure"))
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.CORRECTION
    story.when(OURS, CorrectMetric(**given, reason="Counted again."))
    assert story.when(THEIRS, ConfirmClaim(figure=FIGURE, fact="correction/figure"))


@pytest.mark.parametrize(
    "fields",
    [
        {"fact": "win"},
        {"deal": "D-1", "entry": "E-1", "fact": "win"},
        {"deal": "D-1", "fact": "loss"},
        {"deal": "D-1", "fact": "payment"},
        {"deal": "D-1", "fact": "correction/referral"},
        {"entry": "E-1", "fact": "win"},
        {"figure": FIGURE, "fact": "correction/win"},
    ],
)
def test_an_answer_names_one_fact_of_one_thing(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConfirmClaim(**fields)


def test_the_kinds_of_claims_are_those_that_terms_can_name() -> None:
    assert sorted(ClaimKind) == [
        "cancellation",
        "correction",
        "entry",
        "entry-reversal",
        "figure",
        "incentive",
        "payment",
        "payout",
        "referral",
        "refund",
        "return",
        "reversal",
        "touch",
        "win",
    ]


def test_each_party_states_a_fact_once_and_with_its_own_content() -> None:
    story = after(HoldKickoff)
    story.on("2026-03-01")
    report = ReportMetric(
        metric="clicks",
        period="2026-02",
        tool="ads",
        figure=ReportedFigure(unit="count", value=Decimal(1000)),
    )
    story.when(THEIRS, report)

    otherwise = changed(report, figure=ReportedFigure(unit="count", value=Decimal(900)))
    (stated,) = story.when(OURS, otherwise)

    assert isinstance(stated, MetricReported)
    assert story.when(OURS, otherwise) == []
    assert story.when(THEIRS, report) == []
    assert story.refuses(OURS, report).rule == "already-reported"
