"""Measured facts in any order: the same state as in order, and nothing is left waiting.

Some facts are stated by both parties, alike or not.

A life's facts are sent in order to one store. Those that it accepts are sent to another in a random
order, some twice, in random batches. All rows of all projections are then the same.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import Method
from domain.dispute import OpenDispute, StartMediation, SubmitEvidence
from domain.entry import ConcedePenalty, RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.execution import IssueCause
from domain.kernel import Command
from domain.payment import IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    QualifyLead,
    SubmitReferral,
)
from domain.reported_figure import CorrectMetric, ReportedFigure, ReportMetric
from domain.sale import LoseDeal, WinDeal
from domain.standing_alerts import (
    ATTRIBUTION_CONTESTED,
    CLAIM_AWAITS,
    CORRECTION_TAKES,
    ENTRY_WITHOUT_TERMS,
    LEAD_AWAITS,
    LEAD_UNANSWERED,
)
from domain.values import Money
from infra.bootstrap import Accord, bootstrap, init
from infra.settings import Settings
from projections import PROJECTIONS
from tests.infra.messages import message
from tests.infra.test_waiting import FORMED, NAME
from tests.infra.told import Told

START = datetime(2026, 2, 1, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def formed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store in which a partnership has begun its work."""
    path = tmp_path_factory.mktemp("formed") / "formed.db"
    with _opened(path) as accord:
        assert {each.status for each in accord.service.handle(FORMED)} == {"accepted"}
    return path


@contextmanager
def _opened(path: Path) -> Iterator[Accord]:
    settings = Settings(store=f"sqlite:///{path}")
    init(settings)
    clock = Told()
    clock.now = datetime(2026, 6, 1, 9, tzinfo=UTC)
    with bootstrap(settings, clock) as accord:
        yield accord


@contextmanager
def copied(formed: Path) -> Iterator[Accord]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "copy.db"
        shutil.copy(formed, path)
        with _opened(path) as accord:
            yield accord


def usd(amount: int) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


# --- facts -------------------------------------------------------------------------------------


@st.composite
def of_a_deal(draw: st.DrawFn, deal: str) -> list[Command]:
    """Return the facts of a deal as they happen: its steps, payments and what is taken back."""
    facts: list[Command] = [SubmitReferral(deal=deal, lead="lead")]
    for to in draw(st.lists(st.sampled_from(["acme", "north"]), unique=True, max_size=2)):
        method = draw(st.sampled_from(Method))
        facts.append(AttributeReferral(deal=deal, method=method, evidence="seen", to=to))
    facts += draw(st.lists(st.sampled_from([QualifyLead(deal=deal), HoldDemo(deal=deal)])))
    facts.append(CreateOpportunity(deal=deal))
    if draw(st.integers(0, 4)) == 0:
        return [*facts, LoseDeal(deal=deal, reason="Too dear.")]
    facts.append(WinDeal(deal=deal, annual_contract_value=usd(1200)))
    for number in range(draw(st.integers(0, 3))):
        facts += draw(of_a_payment(deal, f"P{number}"))
    return facts


@st.composite
def of_a_payment(draw: st.DrawFn, deal: str, payment: str) -> list[Command]:
    """Return a payment and what is taken back of it, some of which is won back."""
    facts: list[Command] = [ReceivePayment(deal=deal, payment=payment, amount=usd(100))]
    for number in range(draw(st.integers(0, 3))):
        refund = IssueRefund(
            deal=deal,
            refund=f"{payment}-R{number}",
            payment=payment,
            amount=usd(draw(st.sampled_from([30, 70, 100]))),
            kind=draw(st.sampled_from(["refund", "chargeback"])),
        )
        facts.append(refund)
        if refund.kind == "chargeback" and draw(st.booleans()):
            facts.append(ReverseRefund(deal=deal, refund=refund.refund))
    return facts


@st.composite
def of_a_metric(draw: st.DrawFn, period: str) -> list[Command]:
    """Return a reported figure and its corrections."""
    facts: list[Command] = []
    for value in draw(st.lists(st.integers(0, 3), max_size=4)):
        given = {"metric": "leads", "period": period, "tool": "crm"}
        figure = ReportedFigure(unit="count", value=Decimal(value))
        facts.append(
            CorrectMetric(**given, figure=figure, reason="Counted again.")
            if facts
            else ReportMetric(**given, figure=figure)
        )
    return facts


@st.composite
def of_a_dispute(draw: st.DrawFn) -> list[Command]:
    """Return the facts of a dispute about a deal. Its end is no measured fact."""
    facts: list[Command] = [
        OpenDispute(dispute="X1", cause=IssueCause.MONEY, description="Who?"),
        SubmitEvidence(dispute="X1", evidence="E1", title="Mail", reference="https://a.example"),
        StartMediation(dispute="X1", mediator="Ada"),
    ]
    return facts[: draw(st.integers(0, len(facts)))]


@st.composite
def of_an_entry(draw: st.DrawFn) -> list[Command]:
    """Return an entry of any kind, which the terms may not price, and reversals of it."""
    recorded = draw(
        st.sampled_from(
            [
                RecordJointRevenue(entry="E1", amount=usd(100)),
                RecordSharedCost(entry="E1", cost="booth", amount=usd(100)),
                ConcedePenalty(entry="E1", condition="A report is late."),
            ]
        )
    )
    amounts = draw(st.lists(st.sampled_from([usd(40), usd(60), usd(100)]), max_size=2))
    reversals = [
        ReverseEntry(entry="E1", reversal=f"V{number}", amount=amount, reason="A slip.")
        for number, amount in enumerate(amounts)
    ]
    facts: list[Command] = [recorded, *reversals]
    return facts[: draw(st.integers(0, 3))]


@st.composite
def lives(draw: st.DrawFn) -> list[bytes]:
    """Return the measured facts of a life, in the order in which they happened."""
    parts = [draw(of_a_deal(f"D{number}")) for number in range(draw(st.integers(1, 2)))]
    parts += [draw(of_a_metric("2026-01")), draw(of_an_entry()), draw(of_a_dispute())]
    facts = [each for part in parts for each in part]
    found = []
    for number, each in enumerate(facts):
        at = START + timedelta(hours=number)
        found.append(message(f"fact-{number}", each, subject=NAME, party="acme", at=at))
        if isinstance(each, BY_BOTH) and draw(st.integers(0, 3)) == 0:
            stated = draw(st.sampled_from([each, _otherwise(each)]))
            also = message(f"also-{number}", stated, subject=NAME, party="north", at=at)
            found.append(also)
    return found


BY_BOTH = (
    WinDeal,
    ReceivePayment,
    IssueRefund,
    ReverseRefund,
    AttributeReferral,
    ReportMetric,
    RecordJointRevenue,
    RecordSharedCost,
    ReverseEntry,
)
"""What the other party can state too, from its own records."""


def _otherwise(command: Command) -> Command:
    """Return a statement of the same fact with other content, where it has an amount."""
    match command:
        case WinDeal():
            return command.model_copy(update={"annual_contract_value": usd(900)})
        case ReceivePayment() | IssueRefund() | RecordJointRevenue() | ReverseEntry():
            return command.model_copy(update={"amount": usd(20)})
        case ReportMetric():
            figure = ReportedFigure(unit="count", value=Decimal(7))
            return command.model_copy(update={"figure": figure})
        case _:
            return command


# --- the law -----------------------------------------------------------------------------------


def rows(accord: Accord) -> dict[str, Any]:
    """Return all rows of all projections, without what tells in which order they were recorded."""
    accord.catch_up()
    found = {each.name: dict(accord.views.select(each.name, NAME)) for each in PROJECTIONS}
    return {name: _unordered(each) for name, each in found.items()}


OF_RECORDING = {
    # The indexes of events in the log.
    "index",
    "cause",
    "evidence",
    # How often an amount was posted. A claim or a chargeback that arrives late posts a difference.
    "lines",
}
"""The members of rows that say in which order facts were recorded."""


ENDED_BY_A_FACT = (
    CLAIM_AWAITS,
    CORRECTION_TAKES,
    ENTRY_WITHOUT_TERMS,
    LEAD_AWAITS,
    LEAD_UNANSWERED,
)
"""The alerts that a fact ends when it arrives: a statement of the other, a reversal, an answer."""


def _unordered(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_unordered(each) for each in value]
    if not isinstance(value, dict):
        return value
    left_out = set(OF_RECORDING)
    name = str(value.get("id"))
    if name.startswith((ATTRIBUTION_CONTESTED, *ENDED_BY_A_FACT)):
        # It needs several facts, and opens at the time of the one that arrived last.
        left_out.add("since")
    found = {
        key: _unordered(each)
        for key, each in value.items()
        if key not in left_out and not _was_awaited(each)
    }
    # A posted sum of zero is the same as none, and a row of such sums the same as no row.
    return {key: each for key, each in found.items() if each not in ({}, [], "0.00")}


def _was_awaited(row: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a row is an alert on a claim or an entry until another fact ended it."""
    if not isinstance(row, dict) or not row.get("ended"):
        return False
    return str(row.get("id")).startswith(ENDED_BY_A_FACT)


# The examples are few, since each needs three stores.
@settings(max_examples=25)
@given(lives(), st.randoms(use_true_random=False))
def test_in_any_order_the_facts_of_a_life_come_to_the_same(
    formed: Path, facts: list[bytes], chance: Random
) -> None:
    with copied(formed) as accord:
        outcomes = accord.service.handle(facts)
        accepted = [
            raw
            for raw, each in zip(facts, outcomes, strict=True)
            if each.status == "accepted" and each.count
        ]
    with copied(formed) as accord:
        accord.service.handle(accepted)
        expected = rows(accord)
    sent = accepted + [raw for raw in accepted if chance.random() < 0.3]
    chance.shuffle(sent)

    with copied(formed) as accord:
        while sent:
            size = chance.randint(1, len(sent))
            batch, sent = sent[:size], sent[size:]
            found = accord.service.handle(batch)
            assert {each.status for each in found} <= {"accepted", "duplicate", "waiting"}
        assert accord.history.waiting([NAME]) == []
        assert rows(accord) == expected
