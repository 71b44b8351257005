"""Who sees what: one's own, and of the other what both agreed to share (C7, C14)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.execution import HoldKickoff, RaiseIssue
from domain.exploration import AudienceOverlapMeasured, ChoosePartner
from domain.formation import DeclareBestAlternative, DeclareNonNegotiable
from domain.health import RecordContribution
from domain.kernel import Stage
from domain.referral import CreateOpportunity, HoldDemo, SubmitReferral
from domain.reported_figure import CorrectMetric, MetricReported, ReportedFigure, ReportMetric
from domain.sharing import AgreeDataSharing, Form, ProposeDataSharing, SharingLine, ThirdParty
from projections import KPIS
from projections.caveats import CaveatCode
from projections.figures import FigureLine
from projections.fold import replay
from projections.given import given as given_to
from projections.visibility import OPERATOR, Sight, Viewer
from tests.life import LIFE, OURS, STRANGER, THEIRS, after, at, changed, example, so_far
from tests.projections.folds import codes, count
from tests.stories import Story

TRUSTEE = "trustee"
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
    story = so_far(steps)
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


def shared_line(by: str, to: str, metrics: Iterable[str], form: Form = Form.FULL) -> SharingLine:
    """Return a line of a protocol, with 10 as its smallest cell."""
    return SharingLine(
        metrics=list(metrics), by=by, to=to, form=form, frequency="monthly", tool="A dashboard"
    )


def agree_sharing(story: Story, *lines: SharingLine, third: str | None = None) -> None:
    """Let both agree a protocol with these lines."""
    third_party = ThirdParty(party=third, name="A trustee") if third else None
    story.when(OURS, ProposeDataSharing(proposal="p", lines=list(lines), third_party=third_party))
    story.when(THEIRS, AgreeDataSharing(proposal="p"))


def sharing(form: Form, *metrics: str) -> Story:
    """A running partnership that shares these metrics in both directions; each reported some."""
    story = at(Stage.EXECUTION)
    both = ((OURS, THEIRS), (THEIRS, OURS))
    agree_sharing(story, *(shared_line(*sides, metrics, form) for sides in both if metrics))
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


def test_without_any_line_a_party_sees_only_its_own_figures() -> None:
    story = sharing(Form.FULL)

    assert metrics_seen_by(THEIRS, story) == {"followers"}


def test_without_a_protocol_figures_are_seen() -> None:
    story = at(Stage.FORMATION)
    figure = ReportedFigure(unit="count", value=Decimal(5))
    story.when(OURS, ReportMetric(metric="followers", period="2025-10", tool="crm", figure=figure))

    assert "followers" in seen(story, Viewer(THEIRS))


def lines(story: Story, party: str, period: str = "2025-12") -> dict[str, FigureLine]:
    """The lines of a period's report, as a viewer sees them, by metric."""
    sight = Sight.of(Viewer(party), story.history)
    rows = replay(KPIS, filter(sight.reads, story.history)).rows
    return {line.metric: line for line in given_to(rows, sight, period)}


def test_a_count_below_the_smallest_cell_is_shown_as_fewer() -> None:
    story = sharing(Form.AGGREGATED, "new_users", "web_visits", "followers")

    theirs = lines(story, THEIRS)

    assert theirs["new_users"].value is None
    assert theirs["new_users"].note == "fewer than 10: not shown"
    assert codes(theirs["new_users"]) == [CaveatCode.TOO_FEW_TO_SHOW]
    assert theirs["web_visits"].value == 4000
    assert theirs["followers"].value == 8
    assert lines(story, OURS)["new_users"].value == 7


def test_no_sum_and_no_change_reveals_a_count_that_is_too_small() -> None:
    story = sharing(Form.AGGREGATED, "new_users")
    for period, value in (("2025-11", 4000), ("2025-10", 3000)):
        story.when(
            OURS, ReportMetric(metric="new_users", period=period, tool="crm", figure=count(value))
        )

    quarter = lines(story, THEIRS, "2025-Q4")["new_users"]
    ours = lines(story, OURS, "2025-Q4")["new_users"]

    assert quarter.value == 7000
    assert quarter.note == "without counts below 10"
    assert codes(quarter) == [CaveatCode.WITHOUT_SMALL_COUNTS]
    assert ours.value == 7007
    story.on("2026-02-01")
    story.when(
        OURS, ReportMetric(metric="new_users", period="2026-01", tool="crm", figure=count(100))
    )
    change = lines(story, THEIRS, "2026-01")["new_users"].change
    assert change is None or change.since == "2025-11"


def test_a_figure_that_is_corrected_to_a_small_count_is_not_shown_as_it_was() -> None:
    story = sharing(Form.AGGREGATED, "web_visits")
    story.when(
        OURS,
        CorrectMetric(
            metric="web_visits", period="2025-12", tool="crm", figure=count(4), reason="A robot."
        ),
    )

    assert lines(story, THEIRS)["web_visits"].value is None
    assert lines(story, OURS)["web_visits"].value == 4


def test_a_protocol_can_give_in_one_direction_only() -> None:
    story = sharing(Form.FULL)
    story.when(
        OURS, ProposeDataSharing(proposal="q", lines=[shared_line(THEIRS, OURS, ["followers"])])
    )
    story.when(THEIRS, AgreeDataSharing(proposal="q"))

    assert metrics_seen_by(OURS, story) == {"new_users", "web_visits", "followers"}
    assert metrics_seen_by(THEIRS, story) == {"followers"}


def test_each_line_has_its_own_form() -> None:
    story = sharing(Form.FULL)
    agreed = [
        shared_line(OURS, THEIRS, ["new_users"]),
        shared_line(OURS, THEIRS, ["web_visits"], Form.AGGREGATED),
    ]
    story.when(OURS, ProposeDataSharing(proposal="q", lines=agreed))
    story.when(THEIRS, AgreeDataSharing(proposal="q"))
    few = ReportMetric(metric="web_visits", period="2025-11", tool="crm", figure=count(3))
    story.when(OURS, few)

    assert lines(story, THEIRS)["new_users"].value == 7
    assert lines(story, THEIRS, "2025-11")["web_visits"].value is None


def test_what_is_reported_from_the_end_of_a_line_on_is_not_given() -> None:
    story = sharing(Form.FULL)
    line = shared_line(OURS, THEIRS, ["new_users"]).model_copy(update={"until": date(2026, 2, 1)})
    story.when(OURS, ProposeDataSharing(proposal="q", lines=[line]))
    story.when(THEIRS, AgreeDataSharing(proposal="q"))

    for day, period in (("2026-01-31", "2025-11"), ("2026-02-01", "2025-10")):
        story.on(day)
        story.when(
            OURS, ReportMetric(metric="new_users", period=period, tool="crm", figure=count(50))
        )

    assert "new_users" in lines(story, THEIRS, "2025-11")
    assert "new_users" not in lines(story, THEIRS, "2025-10")


# --- a neutral third party ---------------------------------------------------------------------


def with_trustee() -> Story:
    """Competitors that give their figures to a trustee, which gives sums to one of them."""
    story = at(Stage.EXECUTION)
    agree_sharing(
        story,
        shared_line(OURS, TRUSTEE, ["new_users"]),
        shared_line(THEIRS, TRUSTEE, ["new_users"]),
        shared_line(TRUSTEE, THEIRS, ["unique_viewers"], Form.AGGREGATED),
        third=TRUSTEE,
    )
    for party, metric, tool in (
        (OURS, "new_users", "crm"),
        (THEIRS, "new_users", "books"),
        (OURS, "followers", "crm"),
    ):
        report = ReportMetric(metric=metric, period="2025-12", tool=tool, figure=count(40))
        story.when(party, report)
    return story


TRUSTEE_GIVES = shared_line(TRUSTEE, THEIRS, ["new_users"], Form.AGGREGATED)


def agree_again(story: Story, *shared: SharingLine) -> None:
    """Let both agree other lines with the trustee."""
    third = ThirdParty(party=TRUSTEE, name="A trustee")
    story.when(OURS, ProposeDataSharing(proposal="q", lines=list(shared), third_party=third))
    story.when(THEIRS, AgreeDataSharing(proposal="q"))


def referred(story: Story, *deals: str, demos: Iterable[str]) -> None:
    """Let their side refer deals; some of them had a demo."""
    for deal in deals:
        story.when(THEIRS, SubmitReferral(deal=deal, lead=f"Lead {deal}"))
        if deal in demos:
            story.when(OURS, CreateOpportunity(deal=deal))
            story.when(OURS, HoldDemo(deal=deal))


def sums(value: int) -> ReportMetric:
    """The trustee's aggregate."""
    return ReportMetric(
        metric="unique_viewers", period="2025-12", tool="trustee", figure=count(value)
    )


def test_a_third_party_sees_what_it_was_given_and_its_mandate_and_nothing_else() -> None:
    story = with_trustee()
    sight = Sight.of(Viewer(TRUSTEE), story.history)

    seen = [each for each in story.history if sight.shows(each)]

    assert {type(each.event).__name__ for each in seen} == {
        "DataSharingProposed",
        "DataSharingAgreed",
        "MetricReported",
    }
    assert metrics_seen_by(TRUSTEE, story) == {"new_users"}


def test_the_aggregates_of_a_third_party_are_seen_by_the_side_that_a_line_gives_them_to() -> None:
    story = with_trustee()

    story.when(TRUSTEE, sums(80))

    assert lines(story, THEIRS)["unique_viewers"].value == 80
    assert "unique_viewers" not in lines(story, OURS)
    assert lines(story, TRUSTEE)["unique_viewers"].value == 80
    assert lines(story, THEIRS)["new_users"].value == 40


def test_a_third_party_reports_only_what_a_line_lets_it_give() -> None:
    story = with_trustee()

    other = ReportMetric(metric="followers", period="2025-12", tool="trustee", figure=count(9))

    assert story.refuses(TRUSTEE, other).rule == "unknown-party"
    assert story.refuses(STRANGER, sums(80)).rule == "unknown-party"
    assert story.refuses(TRUSTEE, example(RaiseIssue)).rule == "unknown-party"


def test_a_small_aggregate_of_a_third_party_is_withheld_from_the_party_and_not_from_itself() -> (
    None
):
    story = with_trustee()
    story.when(TRUSTEE, sums(3))

    assert lines(story, THEIRS)["unique_viewers"].note == "fewer than 10: not shown"
    assert lines(story, TRUSTEE)["unique_viewers"].value == 3


def test_a_third_party_sees_its_own_aggregate_and_what_each_side_gives_it() -> None:
    story = with_trustee()
    agree_again(story, shared_line(OURS, TRUSTEE, ["new_users"]), TRUSTEE_GIVES)
    trustee = ReportMetric(metric="new_users", period="2025-12", tool="trustee", figure=count(70))
    story.when(TRUSTEE, trustee)

    seen = lines(story, TRUSTEE)["new_users"]

    assert {each.source: each.value for each in (seen, *seen.reported)} == {
        "crm": Decimal(40),
        "trustee": Decimal(70),
    }


def test_a_third_party_is_given_what_deals_show_of_a_metric_and_of_no_other() -> None:
    story = with_trustee()
    agree_again(story, shared_line(OURS, TRUSTEE, ["leads", "lead_to_demo"]))
    referred(story, "d1", "d2", demos=["d1"])

    seen = lines(story, TRUSTEE, "2026-Q1")

    assert set(seen) == {"leads", "lead_to_demo"}
    assert seen["leads"].value == lines(story, OURS, "2026-Q1")["leads"].value
    assert [seen["lead_to_demo"].numerator, seen["lead_to_demo"].denominator] == [1, 2]
    assert seen["leads"].target is None


@pytest.mark.parametrize("metric", ["leads", "lead_to_demo"])
def test_no_count_of_deals_below_the_smallest_cell_is_given_to_a_third_party(metric: str) -> None:
    story = with_trustee()
    agree_again(story, shared_line(OURS, TRUSTEE, [metric], Form.AGGREGATED))
    referred(story, *(f"d{each}" for each in range(12)), demos=["d1"])
    story.on("2026-04-02")
    referred(story, "late", demos=[])

    withheld = lines(story, TRUSTEE, "2026")[metric]

    assert (withheld.value, withheld.note) == (None, "fewer than 10: not shown")
    first = lines(story, TRUSTEE, "2026-Q1")[metric]
    assert first.value == (12 if metric == "leads" else None)
    assert lines(story, TRUSTEE, "2026-Q2")[metric].change is None


def test_what_deals_show_is_given_for_periods_that_are_over_when_the_line_ends() -> None:
    story = with_trustee()
    line = shared_line(OURS, TRUSTEE, ["leads"]).model_copy(update={"until": date(2026, 4, 1)})
    agree_again(story, line)
    referred(story, "d1", demos=[])

    assert lines(story, TRUSTEE, "2026-Q1")["leads"].value == 1
    assert "leads" not in lines(story, TRUSTEE, "2026")


def test_contributions_are_given_by_the_party_that_made_them() -> None:
    story = with_trustee()
    agree_again(story, shared_line(OURS, TRUSTEE, ["contributed_hours"]))
    for party, hours in ((OURS, 3), (THEIRS, 5)):
        given_hours = changed(
            example(RecordContribution), contribution="c", period="2026-01", hours=Decimal(hours)
        )
        story.when(party, given_hours)

    assert lines(story, TRUSTEE, "2026-01")["contributed_hours"].value == 3


@pytest.mark.parametrize(
    ("third", "line", "rule"),
    [
        (THEIRS, shared_line(OURS, THEIRS, ["leads"]), "third-party-not-neutral"),
        (None, shared_line(OURS, STRANGER, ["leads"]), "sharing-with-a-stranger"),
        (STRANGER, shared_line(OURS, OURS, ["leads"]), "shared-with-oneself"),
    ],
)
def test_a_line_is_between_two_sides_that_are_involved(
    third: str | None, line: SharingLine, rule: str
) -> None:
    third_party = ThirdParty(party=third, name="A trustee") if third else None
    proposal = ProposeDataSharing(proposal="q", lines=[line], third_party=third_party)

    assert at(Stage.EXECUTION).refuses(OURS, proposal).rule == rule


SIDES = (OURS, THEIRS, TRUSTEE)
METRICS = ("new_users", "web_visits", "followers")
PERIODS = ("2025-10", "2025-11", "2025-12")
LINES = st.builds(
    lambda sides, metrics, form: shared_line(sides[0], sides[1], sorted(metrics), form),
    st.permutations(SIDES),
    st.sets(st.sampled_from(METRICS), min_size=1),
    st.sampled_from(Form),
)
REPORTS = st.lists(
    st.tuples(
        st.sampled_from((OURS, THEIRS)),
        st.sampled_from(METRICS),
        st.sampled_from(PERIODS),
        st.integers(1, 30),
        st.integers(1, 30),
    ),
    max_size=8,
    unique_by=lambda each: each[:3],
)
"""Reports of two lives: party, metric, period, and the value in each."""


def life(lines_: list[SharingLine], reports: list[tuple[str, str, str, int]]) -> Story:
    """Return a life with a protocol and reports."""
    story = at(Stage.EXECUTION)
    agree_sharing(story, *lines_, third=TRUSTEE)
    for party, metric, period, value in reports:
        command = ReportMetric(metric=metric, period=period, tool="crm", figure=count(value))
        story.when(party, command)
    return story


@settings(max_examples=60)
@given(st.lists(LINES, max_size=5), REPORTS, st.sampled_from(SIDES))
def test_no_view_tells_what_it_hides(
    lines_: list[SharingLine], reports: list[tuple[str, str, str, int, int]], viewer: str
) -> None:
    """Two lives that differ only in what a viewer is not shown give it the same answers."""
    one = life(lines_, [(*each[:3], each[3]) for each in reports])
    sight = Sight.of(Viewer(viewer), one.history)
    hidden = {
        (each.act.party, each.event.metric, each.event.period): sight.fewer_than(each)
        for each in one.history
        if isinstance(each.event, MetricReported)
        and not (sight.shows(each) and sight.fewer_than(each) is None)
    }

    def otherwise(report: tuple[str, str, str, int, int]) -> int:
        # A hidden figure may have any other value; a small count any other that is as small.
        *_, value, another = report
        if (named := report[:3]) not in hidden:
            return value
        fewer_than = hidden[named]
        return another if fewer_than is None else another % (fewer_than - 1) + 1

    other = life(lines_, [(*each[:3], otherwise(each)) for each in reports])

    for period in (*PERIODS, "2025-Q4", "2025"):
        assert lines(one, viewer, period) == lines(other, viewer, period)


# --- in the timeline ---------------------------------------------------------------------------


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
