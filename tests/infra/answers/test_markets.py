"""The markets by rank, of all partnerships or of those that are asked for (C3)."""

from pathlib import Path

import pytest

from domain.markets import TargetMarket
from infra.answers import markets
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from projections.visibility import Viewer
from tests.feeds import simulated
from tests.infra.answers.demo import day
from tests.infra.messages import beginning, message


def test_markets_are_those_of_the_partnerships_that_are_asked_for(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        target = TargetMarket(market="spain")
        subjects = ("acme", "zenith")
        accord.service.handle([beginning(each) for each in subjects])
        accord.service.handle([message(f"to-{each}", target, subject=each) for each in subjects])
        accord.runner.catch_up()

        (both,) = markets.ask(accord).markets
        (one,) = markets.ask(accord, ("zenith",)).markets
        with pytest.raises(NotFound):
            markets.ask(accord, ("nobody",))

    assert both.partnerships == ("acme", "zenith")
    assert one.partnerships == ("zenith",)


def test_the_markets_by_replay_of_all_there_is_are_those_of_the_views(demo: Accord) -> None:
    then = markets.ask(demo, when=AsOf(known=day("2100-01-01")))

    assert then.markets == markets.ask(demo).markets
    assert then.markets


def test_the_markets_of_a_partnership_are_not_found_by_a_stranger(demo: Accord) -> None:
    with pytest.raises(NotFound, match="northbridge is not a party of spring-spain"):
        markets.ask(demo, ("spring-spain",), AsOf(viewer=Viewer("northbridge")))
