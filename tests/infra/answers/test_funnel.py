"""The funnel of the demo's store, and what each party sees of it."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.reported_figure import ReportedFigure, ReportMetric
from infra.answers import funnel
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections.caveats import fewer_than
from projections.funnel import FunnelStep, Passed
from projections.visibility import Viewer
from tests.feeds import played
from tests.infra.answers.demo import BY_PARTNER, CONSULTING, EVERYTHING, OURS, without_moment
from tests.infra.messages import message


def test_funnels_from_the_views_are_those_of_a_replay(demo: Accord) -> None:
    for name in partnerships(demo.history):
        then = funnel.ask(demo, name, when=EVERYTHING)
        assert without_moment(then) == funnel.ask(demo, name)


def test_what_is_counted_from_deals_is_shown_to_both_parties(demo: Accord) -> None:
    whole = funnel.ask(demo, CONSULTING).funnel

    assert funnel.ask(demo, CONSULTING, when=BY_PARTNER).funnel.steps == whole.steps


def test_a_stranger_is_shown_no_funnel(demo: Accord) -> None:
    with pytest.raises(NotFound, match="passer-by"):
        funnel.ask(demo, CONSULTING, when=AsOf(viewer=Viewer("passer-by")))


def test_a_small_count_that_a_party_reported_is_hidden_from_the_other(tmp_path: Path) -> None:
    figure = ReportedFigure(unit="count", value=Decimal(3))
    few = ReportMetric(metric="leads", period="2026-10", tool="crm", figure=figure)
    with played(tmp_path) as accord:
        sent = message("few", few, subject=CONSULTING, at="2026-10-20")
        assert accord.service.handle([sent])[0].status == "accepted"
        accord.runner.catch_up()

        def leads(when: AsOf) -> Passed:
            return funnel.ask(accord, CONSULTING, "2026-10", when).funnel.steps[0]

        ours, theirs = leads(AsOf(viewer=Viewer(OURS))), leads(BY_PARTNER)

    assert ours.count == 3
    assert theirs == Passed(FunnelStep.LEADS, None, caveat=fewer_than(5))
