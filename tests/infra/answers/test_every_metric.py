"""Every metric of the catalogue can be counted or reported, printed, explained and served.

One partnership has a figure of each metric: the funnel of two deals counts the counted ones, and
a tool reports the others.
"""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from domain.attribution import Method
from domain.entry import RecordJointRevenue, RecordSharedCost
from domain.execution import HoldKickoff
from domain.health import ContributionKind, RecordContribution
from domain.kernel import Command
from domain.metric_catalogue import CATALOGUE, Adds, Metric, Unit, metric_words
from domain.payment import IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    QualifyLead,
    SubmitReferral,
)
from domain.reported_figure import ReportedFigure, ReportMetric, Respondents
from domain.sale import LoseDeal, WinDeal
from infra.answers import explain, kpis
from infra.answers.explain import FigureExplained
from infra.answers.logs import view_rows
from infra.answers.text import Table
from infra.bootstrap import Accord
from infra.http import create_app
from projections import KPIS
from projections.counted import METRICS_OF
from projections.figures import COUNTED
from projections.kpis import PeriodRow
from tests.feeds import simulated
from tests.infra.messages import from_steps, message
from tests.life import LIFE, OURS, THEIRS, usd

NAME, MONTH = "growthos-brightpath", "2026-02"

KICKOFF = next(at for at, step in enumerate(LIFE) if isinstance(step.command, HoldKickoff))

DEALS: list[tuple[str, Command]] = [
    (THEIRS, SubmitReferral(deal="D-1", lead="a lead")),
    (THEIRS, SubmitReferral(deal="D-2", lead="another lead")),
    (OURS, AttributeReferral(deal="D-1", method=Method.UTM, evidence="utm_source=b")),
    (OURS, QualifyLead(deal="D-1")),
    (OURS, CreateOpportunity(deal="D-1")),
    (OURS, HoldDemo(deal="D-1")),
    (OURS, WinDeal(deal="D-1", annual_contract_value=usd("1000.00"))),
    (OURS, LoseDeal(deal="D-2", reason="No budget.")),
    (OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00"))),
    (OURS, IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("10.00"))),
    (
        OURS,
        IssueRefund(deal="D-1", refund="R-2", payment="P-1", amount=usd("5.00"), kind="chargeback"),
    ),
    (OURS, ReverseRefund(deal="D-1", refund="R-2")),
    (OURS, RecordJointRevenue(entry="E-1", amount=usd("80.00"))),
    (THEIRS, RecordSharedCost(entry="E-2", cost="booth", amount=usd("40.00"))),
    (THEIRS, SubmitReferral(deal="D-3", lead="a lead of both")),
    (
        THEIRS,
        AttributeReferral(deal="D-3", method=Method.UTM, evidence="utm_source=o", to=OURS),
    ),
    (OURS, CreateOpportunity(deal="D-3")),
    (OURS, WinDeal(deal="D-3", annual_contract_value=usd("1000.00"))),
    (OURS, ReceivePayment(deal="D-3", payment="P-3", amount=usd("100.00"))),
    (
        OURS,
        RecordContribution(
            contribution="C-1",
            period=MONTH,
            kind=ContributionKind.TIME,
            what="A training",
            value=usd("300.00"),
            hours=Decimal(6),
        ),
    ),
]


def reported(metric: Metric) -> ReportMetric:
    unit = "USD" if metric.unit is Unit.MONEY else metric.unit.value
    figure = ReportedFigure(unit=unit, value=Decimal(3))
    if metric.of_respondents:
        people = Respondents(promoters=3, passives=1, detractors=1)
        figure = ReportedFigure(unit=unit, respondents=people)
    elif metric.adds is Adds.RATIO:
        figure = ReportedFigure(unit=unit, numerator=Decimal(3), denominator=Decimal(5))
    return ReportMetric(metric=metric.name, period=MONTH, tool="crm", figure=figure)


def counting(metric: Metric) -> set[str]:
    """Return the events that can change the count of a metric, or of what it divides."""
    if metric.of_contributions:
        return {"ContributionRecorded"}
    names = {metric.name, metric.numerator, metric.denominator} if metric.counted else set()
    return {event.wire for event, counted in METRICS_OF.items() if names & counted}


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """A store with a partnership that has a figure of every metric."""
    deals = [
        message(f"deal-{at}", command, party=party, at=f"2026-02-10T{at:02}:00")
        for at, (party, command) in enumerate(DEALS)
    ]
    reports = [
        message(f"report-{each.name}", reported(each), at="2026-03-02")
        for each in CATALOGUE.values()
        if not each.counted
    ]
    with simulated(tmp_path_factory.mktemp("metrics")) as accord:
        outcomes = accord.service.handle([*from_steps(LIFE[: KICKOFF + 1]), *deals, *reports])
        assert {each.status for each in outcomes} == {"accepted"}
        accord.runner.catch_up()
        yield accord


@pytest.fixture(scope="module")
def client(accord: Accord) -> Iterator[TestClient]:
    with (
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_metric_is_counted_or_reported_and_printed(accord: Accord, name: str) -> None:
    answer = kpis.ask(accord, NAME, MONTH)

    (line, *parts) = (each for each in answer.figures if each.metric == name)
    assert bool(parts) is CATALOGUE[name].by_party
    assert {each.segment for each in parts} <= {OURS, THEIRS}
    assert line.value is not None
    assert (line.source == COUNTED) is CATALOGUE[name].counted
    assert metric_words(name) in {
        row[0] for table in kpis.text(answer) if isinstance(table, Table) for row in table.rows
    }


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_metric_is_explained_by_its_events(accord: Accord, name: str) -> None:
    explained = explain.ask(accord, f"{NAME}/{name}/{MONTH}").explained

    assert isinstance(explained, FigureExplained)
    (figure,) = explained.figures
    types = {each.event.type for each in figure.counted}
    types |= {each.event.type for each in figure.reported}
    assert types
    assert types <= (counting(CATALOGUE[name]) or {"MetricReported"})


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_metric_is_served(client: TestClient, name: str) -> None:
    served = client.get(f"/v1/partnerships/{NAME}/kpis", params={"period": MONTH})

    assert name in {each["metric"] for each in served.json()["figures"]}


def test_a_chargeback_that_is_won_back_is_no_refund(accord: Accord) -> None:
    lines = kpis.ask(accord, NAME, MONTH).figures

    assert [each.value for each in lines if each.metric == "refunds"] == [10]


# --- the table ---------------------------------------------------------------------------------


OF_DEALS = {each.name for each in CATALOGUE.values() if each.of_deals}
OF_FACTS = OF_DEALS | {each.name for each in CATALOGUE.values() if each.of_entries}


@pytest.mark.parametrize("metric", sorted(OF_FACTS))
def test_a_counted_metric_counts_in_its_own_unit(accord: Accord, metric: str) -> None:
    rows = view_rows(accord, KPIS, NAME).values()
    sums = [key for row in rows if isinstance(row, PeriodRow) for key in row.sums]

    units = {unit for name, _, unit in sums if name == metric}
    wanted = CATALOGUE[metric].unit
    assert any(wanted.takes(unit) for unit in units)
    # By currency too, and leads by the party that brought them.
    others = {OURS, THEIRS} if metric == "leads" else set()
    assert all(wanted.takes(unit) or Unit.MONEY.takes(unit) for unit in units - others)


def test_what_deals_and_entries_add_is_said_of_each_metric_that_they_show() -> None:
    assert {name for names in METRICS_OF.values() for name in names} == OF_FACTS
    assert METRICS_OF.keys() <= KPIS.handles


def test_a_ratio_that_is_counted_divides_what_deals_show() -> None:
    for metric in CATALOGUE.values():
        if metric.counted and metric.adds is Adds.RATIO:
            assert {metric.numerator, metric.denominator} <= OF_DEALS
