"""Who sees what: one's own, and of the other what both agreed to share (C7, C14)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.execution import HoldKickoff
from domain.exploration import AudienceOverlapMeasured, ChoosePartner
from domain.formation import DeclareBestAlternative, DeclareNonNegotiable
from domain.kernel import Stage
from domain.metric_catalogue import CATALOGUE
from domain.reported_figure import MetricReported, ReportedFigure, ReportMetric
from domain.sharing import AgreeDataSharing, Form, ProposeDataSharing
from projections import figures as reading
from projections.figures import FigureLine
from projections.visibility import OPERATOR, Sight, Viewer
from tests.life import LIFE, OURS, THEIRS, after, at, changed, example
from tests.projections.folds import count, figures
from tests.stories import Story

SECRETS = st.text("abcdefgh", min_size=20, max_size=24)


def seen(story: Story, viewer: Viewer) -> str:
    """All that a viewer can read of a story, as one text."""
    sight = Sight.of(viewer, story.history)
    return "\n".join(each.event.model_dump_json() for each in story.history if sight.shows(each))


KINDS = [type(step.command) for step in LIFE]
NEGOTIATING = range(KINDS.index(ChoosePartner) + 1, KINDS.index(HoldKickoff))


@given(ours=SECRETS, theirs=SECRETS, steps=st.sampled_from(NEGOTIATING))
def test_no_view_of_a_party_shows_the_other_s_private_facts(
    ours: str, theirs: str, steps: int
) -> None:
    story = Story().given(LIFE[:steps])
    for party, secret in ((OURS, f"o{ours}"), (THEIRS, f"t{theirs}")):
        story.when(party, DeclareBestAlternative(statement=secret))
        story.when(party, changed(example(DeclareNonNegotiable), term="x", statement=secret))

    assert f"o{ours}" in seen(story, Viewer(OURS))
    assert f"t{theirs}" not in seen(story, Viewer(OURS))
    assert f"o{ours}" not in seen(story, Viewer(THEIRS))
    operator = seen(story, OPERATOR)
    assert f"o{ours}" not in operator
    assert f"t{theirs}" not in operator
    full = seen(story, Viewer(full=True))
    assert f"o{ours}" in full
    assert f"t{theirs}" in full


def sharing(form: Form, *metrics: str) -> Story:
    """A running partnership whose protocol shares these metrics; each side reported some."""
    story = at(Stage.EXECUTION)
    protocol = changed(
        example(ProposeDataSharing), proposal="p", form=form, metrics=[*metrics], smallest_cell=10
    )
    story.when(OURS, protocol)
    story.when(THEIRS, AgreeDataSharing(proposal="p"))
    for party, metric, value in [
        (OURS, "new_users", 7),
        (OURS, "web_visits", 4000),
        (THEIRS, "followers", 8),
    ]:
        report = ReportMetric(metric=metric, period="2025-12", tool="crm", figure=count(value))
        story.when(party, report)
    return story


def metrics_seen_by(party: str, story: Story) -> set[str]:
    sight = Sight.of(Viewer(party), story.history)
    return {
        each.event.metric
        for each in story.history
        if isinstance(each.event, MetricReported)
        and each.event.period == "2025-12"
        and sight.shows(each)
    }


def test_a_party_sees_its_own_figures_and_those_of_the_protocol() -> None:
    story = sharing(Form.FULL, "new_users")

    assert metrics_seen_by(THEIRS, story) == {"new_users", "followers"}
    assert metrics_seen_by(OURS, story) == {"new_users", "web_visits"}


def test_with_own_tracking_a_party_sees_only_its_own_figures() -> None:
    story = sharing(Form.OWN_TRACKING, *CATALOGUE)

    assert metrics_seen_by(THEIRS, story) == {"followers"}


def test_without_a_protocol_figures_are_seen() -> None:
    story = at(Stage.FORMATION)
    figure = ReportedFigure(unit="count", value=Decimal(5))
    story.when(OURS, ReportMetric(metric="followers", period="2025-10", tool="crm", figure=figure))

    assert "followers" in seen(story, Viewer(THEIRS))


def lines(story: Story, party: str) -> dict[str, FigureLine]:
    sight = Sight.of(Viewer(party), story.history)
    return {
        line.metric: sight.line(line)
        for line in reading.report(figures(story), "2025-12")
        if sight.shares(line.metric) or line.metric in sight.own
    }


@pytest.mark.parametrize("form", [Form.AGGREGATED, Form.THIRD_PARTY])
def test_a_count_below_the_smallest_cell_is_shown_as_fewer(form: Form) -> None:
    story = sharing(form, "new_users", "web_visits", "followers")

    theirs = lines(story, THEIRS)

    assert theirs["new_users"].value is None
    assert theirs["new_users"].note == "fewer than 10: not shown"
    assert theirs["web_visits"].value == 4000
    assert theirs["followers"].value == 8
    assert lines(story, OURS)["new_users"].value == 7


def test_a_small_figure_is_shown_as_fewer_in_the_timeline() -> None:
    story = sharing(Form.AGGREGATED, "new_users", "web_visits")
    sight = Sight.of(Viewer(THEIRS), story.history)

    smallest = {
        each.event.metric: sight.fewer_than(each)
        for each in story.history
        if isinstance(each.event, MetricReported) and each.act.party == OURS
    }

    assert (smallest["new_users"], smallest["web_visits"]) == (10, None)


def test_in_full_even_small_counts_are_shown() -> None:
    story = sharing(Form.FULL, "new_users")

    assert lines(story, THEIRS)["new_users"].value == 7


def test_a_small_overlap_is_shown_to_the_other_party_as_fewer_than_ten() -> None:
    story = after(ProposeDataSharing)
    measured = next(
        each for each in story.history if isinstance(each.event, AudienceOverlapMeasured)
    )
    few = measured.event.model_copy(update={"shared_customers": 9})
    small = type(measured)(
        **{name: getattr(measured, name) for name in measured.__slots__} | {"event": few}
    )

    theirs = Sight.of(Viewer(THEIRS), story.history)
    assert theirs.fewer_than(small) == 10
    assert theirs.fewer_than(measured) is None
    assert Sight.of(Viewer(OURS), story.history).fewer_than(small) is None
