"""The portfolio: what each party's partnerships say together, now and as of a time (C28)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from domain.charter import ObjectiveStatus
from domain.kernel import Command
from domain.metric_catalogue import Direction
from domain.program import DefinePortfolio
from domain.recorded import Recorded
from infra.answers import portfolio
from infra.answers.logs import AsOf
from infra.answers.portfolio import Portfolios
from infra.bootstrap import Accord
from infra.running.cache import Stamped
from infra.store.history import History, partnerships
from infra.store.views import Views
from projections.portfolio import Level, Portfolio, Revenue
from projections.results import Result, Span
from projections.visibility import Viewer
from tests.feeds import simulated
from tests.infra.answers.demo import day
from tests.infra.answers.helpers import printed
from tests.infra.messages import beginning, message


def of(answer: Portfolios, party: str) -> Portfolio:
    (found,) = (each for each in answer.portfolios if each.party == party)
    return found


def test_each_initiator_has_a_portfolio_of_its_own(demo: Accord) -> None:
    answer = portfolio.ask(demo)

    assert {each.party: len(each.partners) for each in answer.portfolios} == {
        "cobalt-films": 1,
        "growthos": 2,
        "helio-plus": 1,
        "lumastream": 2,
    }
    lumastream = of(answer, "lumastream")
    assert (lumastream.searching, lumastream.ended_searches) == ((), ("spring-germany",))
    assert lumastream.load.active == 1


def test_a_simulated_store_compares_deadlines_with_its_last_record(demo: Accord) -> None:
    heads = demo.history.heads(partnerships(demo.history))

    assert portfolio.ask(demo).moment == max(each.recorded_at for each in heads.values())


def test_of_two_spring_launches_the_one_that_barely_moves_is_off_track(demo: Accord) -> None:
    progress = of(
        portfolio.ask(demo, when=AsOf(at=day("2026-06-30T23:59:59"))), "lumastream"
    ).progress

    assert progress.on_track == 1
    assert [(each.id, each.status) for each in progress.others] == [
        ("spring-france", ObjectiveStatus.OFF_TRACK)
    ]


def test_joint_revenue_is_revenue_on_which_a_party_depends(demo: Accord) -> None:
    lumastream = of(portfolio.ask(demo), "lumastream")
    booked = {each.id: each.revenue for each in lumastream.partners}

    assert booked["spring-spain"] == (Revenue("joint_revenue", Decimal("219745.76"), "EUR"),)
    (found,) = lumastream.dependency
    assert (found.metric, found.currency) == ("joint_revenue", "EUR")
    assert [(each.partnerships, each.percent) for each in found.shares] == [
        (("spring-spain",), Decimal("92.48")),
        (("spring-france",), Decimal("7.52")),
    ]


def test_the_portfolio_by_replay_of_all_there_is_is_that_of_the_views(demo: Accord) -> None:
    now = portfolio.ask(demo)

    then = portfolio.ask(demo, when=AsOf(known=now.moment))

    assert then.portfolios == now.portfolios


def test_a_program_sets_the_limits_of_its_partys_portfolio_and_no_other_party_sees_them(
    tmp_path: Path,
) -> None:
    limits = DefinePortfolio(
        fewest_active=1, most_active=3, largest_share=Decimal(40), capacity=Decimal("0.5")
    )
    sent: list[tuple[str, Command, str]] = [
        ("limits", limits, "2026-01-12"),
        ("tighter", limits.model_copy(update={"most_active": 2}), "2026-01-13"),
    ]
    with simulated(tmp_path) as accord:
        accord.service.handle([beginning("acme")])
        accord.service.handle(
            [message(name, each, subject="growthos-program", at=at) for name, each, at in sent]
        )
        accord.runner.catch_up()

        (whole,) = portfolio.ask(accord).portfolios
        own = of(portfolio.ask(accord, when=AsOf(viewer=Viewer("growthos"))), "growthos")
        others = portfolio.ask(accord, when=AsOf(viewer=Viewer("passer-by"))).portfolios

    assert whole.limits == own.limits
    assert whole.limits
    assert whole.limits.party == "growthos"
    assert (whole.load.fewest, whole.load.most, whole.load.level) == (1, 2, Level.BELOW)
    assert whole.searching == ("acme",)
    assert others == ()


def test_a_partner_is_shown_one_portfolio_with_the_other_party_as_its_partner(
    demo: Accord,
) -> None:
    (whole,) = portfolio.ask(demo, when=AsOf(viewer=Viewer("northbridge"))).portfolios

    assert (whole.party, whole.name) == ("northbridge", "Northbridge Advisory")
    assert [(each.id, each.partner) for each in whole.partners] == [
        ("growthos-consulting", "growthos")
    ]


def test_of_a_period_each_partner_has_its_results_and_the_money_is_added_up(demo: Accord) -> None:
    at = AsOf(at=day("2026-06-15T12:00:00"))
    answer = portfolio.ask(demo, "2026-Q2", at)
    lumastream = of(answer, "lumastream")
    spain = next(each for each in lumastream.partners if each.id == "spring-spain")
    results = {each.metric: each for each in spain.results}

    found = Span(
        "2026-Q2", "2026-06", "2026-Q2", "2026-Q1", "2026-05", is_over=False, month_is_over=False
    )
    assert answer.span == found
    assert results["joint_revenue"].in_period == Decimal("118225.76")
    assert results["joint_revenue"].before == Decimal("21400.00")
    assert results["new_subscribers"].reached_percent == Decimal("103.15")
    owed = [each.owe_unstated for line in lumastream.partners for each in line.money]
    assert [each.owe_unstated for each in lumastream.money] == [sum(owed)]
    assert portfolio.ask(demo, when=at).span is None


def test_the_target_of_a_cost_is_the_most_and_its_percent_is_not_called_reached(
    demo: Accord,
) -> None:
    answer = portfolio.ask(demo, "2026-Q2", AsOf(at=day("2026-06-15T12:00:00")))
    whole = of(answer, "lumastream")
    spain = next(each for each in whole.partners if each.id == "spring-spain")
    subscribers = next(each for each in spain.results if each.metric == "new_subscribers")
    cost = replace(subscribers, direction=Direction.DOWN)

    def rows(result: Result) -> list[str]:
        partners = tuple(
            replace(each, results=(result,) if each is spain else ()) for each in whole.partners
        )
        shown = answer.model_copy(update={"portfolios": (replace(whole, partners=partners),)})
        lines = printed(portfolio.text(shown)).splitlines()
        return [" ".join(each.split()) for each in lines if "OF TARGET" in each or "103.15" in each]

    head = "ID METRIC 2026-Q2 TARGET OF TARGET 2026-Q1"
    assert rows(subscribers)[1:] == [head, "spring-spain new subscribers 6300 6107.38 103.15 % 900"]
    assert rows(cost)[1:] == [
        head,
        "spring-spain new subscribers 6300 at most 6107.38 103.15 % 900",
    ]


def test_a_rate_of_a_period_says_of_how_many_it_is(demo: Accord) -> None:
    answer = portfolio.ask(demo, "2026-Q3")
    consulting = next(
        each for each in of(answer, "growthos").partners if each.id == "growthos-consulting"
    )
    (won,) = (each for each in consulting.results if each.metric == "demo_to_won")

    assert [won.month_sample, won.period_sample, won.before_sample] == [1, 10, 5]
    page = printed(portfolio.text(answer))
    assert "100 % (of 1)" in page
    assert "20 % (of 10)" in page


# --- work --------------------------------------------------------------------------------------


def counted(
    of: History | Views, calls: list[str], monkeypatch: pytest.MonkeyPatch, *names: str
) -> None:
    """Note each call of these methods."""

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def noted(*given: object, **more: object) -> object:
            calls.append(name)
            return call(*given, **more)

        return noted

    for name in names:
        monkeypatch.setattr(of, name, noting(name, getattr(of, name)))


def test_the_portfolio_of_now_takes_a_few_statements_and_reads_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calls_for(number: int) -> list[str]:
        calls: list[str] = []
        with simulated(tmp_path / str(number)) as accord:
            accord.service.handle([beginning(f"acme-{at}") for at in range(number)])
            accord.runner.catch_up()
            counted(accord.history, calls, monkeypatch, "of", "after", "heads", "last_recorded_at")
            counted(accord.views, calls, monkeypatch, "rows", "rows_of", "select")
            (whole,) = portfolio.ask(accord).portfolios
        assert len(whole.searching) == number
        return calls

    for number in (3, 30):
        (tmp_path / str(number)).mkdir()

    few, many = calls_for(3), calls_for(30)

    assert few == many
    assert sorted(set(few)) == ["heads", "last_recorded_at", "rows", "rows_of"]
    assert len(few) <= 8


def test_the_portfolio_of_a_party_reads_the_logs_of_its_own_partnerships_alone(
    demo: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = demo.history.of

    def of_noted(partnership: str, *given: int) -> Iterator[Recorded]:
        read.append(partnership)
        return whole(partnership, *given)

    monkeypatch.setattr(demo.history, "of", of_noted)

    fresh = replace(demo, computed=Stamped(100))
    portfolio.ask(fresh, when=AsOf(viewer=Viewer("northbridge")))

    assert set(read) == {"growthos-consulting"}
