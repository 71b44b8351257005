"""KPIs: the figures of the demo's store as of any time, and what each party sees of them."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from domain.calendar import months_of
from domain.formation import AgreeCharter, CharterAgreed, ProposeCharter
from domain.metric_catalogue import metric_words
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.sharing import AgreeDataSharing, ProposeDataSharing, SharingLine, ThirdParty
from infra.answers import history, kpis, show
from infra.answers.kpis import limit_in_words
from infra.answers.logs import AsOf, NotFound
from infra.answers.text import Table
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections.visibility import Viewer
from tests.feeds import played
from tests.infra.answers.demo import (
    AURORA,
    BY_PARTNER,
    BY_US,
    CONSULTING,
    EVERYTHING,
    OURS,
    PARTNER,
    day,
    without_moment,
)
from tests.infra.messages import message


def test_figures_from_the_views_are_those_of_a_replay(demo: Accord) -> None:
    for name in partnerships(demo.history):
        assert without_moment(kpis.ask(demo, name, when=EVERYTHING)) == kpis.ask(demo, name)


@pytest.mark.parametrize(("known", "value"), [("2026-07-20", "4.9"), ("2026-07-22", "5")])
def test_a_figure_is_given_as_it_was_known_before_and_after_its_correction(
    demo: Accord, known: str, value: str
) -> None:
    answer = kpis.ask(demo, AURORA, "2026-Q1", AsOf(known=day(known)))

    (line,) = (each for each in answer.figures if each.metric == "lead_to_opportunity")
    assert line.value == Decimal(value)


def test_a_period_is_a_month_a_quarter_or_a_year(demo: Accord) -> None:
    def leads(period: str) -> Decimal | None:
        lines = kpis.ask(demo, CONSULTING, period).figures
        return next((each.value for each in lines if each.metric == "leads"), None)

    by_month = [leads(month) for month in months_of("2026-Q2")]
    assert leads("2026-Q2") == sum(each for each in by_month if each) == 8
    assert leads("2026") == sum(leads(f"2026-Q{each}") or 0 for each in range(1, 5))


@pytest.mark.parametrize(
    ("moment", "over"),
    [("2026-06-30T23:59:59Z", False), ("2026-07-01T00:00:00Z", True)],
)
def test_a_figure_says_whether_its_period_is_over(demo: Accord, moment: str, *, over: bool) -> None:
    found = kpis.ask(demo, CONSULTING, "2026-Q2", AsOf(at=datetime.fromisoformat(moment)))

    assert {each.is_over for each in found.figures} == {over}
    title = "2026-Q2" if over else "2026-Q2 to date"
    tables = [each for each in kpis.text(found) if isinstance(each, Table)]
    assert tables[0].title == title


def test_an_unknown_partnership_brings_those_with_a_similar_name(demo: Accord) -> None:
    with pytest.raises(NotFound, match=f"Perhaps {CONSULTING}?"):
        kpis.ask(demo, "growth-consulting")


def test_a_hint_names_partnerships_and_no_program(demo: Accord) -> None:
    with pytest.raises(NotFound) as raised:
        kpis.ask(demo, "growthos-programm")

    assert CONSULTING in raised.value.hint
    assert "growthos-program" not in raised.value.hint


def test_the_text_has_a_table_for_each_period_and_one_of_objectives(demo: Accord) -> None:
    answer = kpis.ask(demo, CONSULTING)

    tables = [each for each in kpis.text(answer) if isinstance(each, Table)]

    periods = list(
        dict.fromkeys(
            line.period if line.is_over else f"{line.period} to date" for line in answer.figures
        )
    )
    limits = "limits of the agreed rules"
    assert [each.title for each in tables if each.title != limits] == [*periods, "objectives"]
    lines = [row for each in tables[:-1] if each.title != limits for row in each.rows]
    assert len(lines) == len(answer.figures)


def test_a_report_of_what_deals_show_is_shown_beside_the_count(tmp_path: Path) -> None:
    figure = ReportedFigure(unit="count", value=Decimal(99))
    report = ReportMetric(metric="leads", period="2026-02", tool="crm", figure=figure)
    with played(tmp_path) as accord:
        sent = message("many", report, subject=CONSULTING, at="2026-10-20")
        assert accord.service.handle([sent])[0].status == "accepted"
        accord.runner.catch_up()
        answer = kpis.ask(accord, CONSULTING, "2026-02")

    (line,) = (each for each in answer.figures if each.metric == "leads")
    assert line.source == "counted"
    assert [each.value for each in line.reported] == [99]
    table = next(each for each in kpis.text(answer) if isinstance(each, Table))
    assert "reported by crm: 99" in next(str(row) for row in table.rows if row[0] == "leads")


def test_figures_that_came_in_by_the_adoption_say_so(demo: Accord) -> None:
    def adopted(period: str) -> set[str]:
        found = kpis.ask(demo, "growthos-harbourlight", period)
        (table, *_) = (each for each in kpis.text(found) if isinstance(each, Table))
        shown = {str(row[0]) for row in table.rows if "adopted" in str(row[-1])}
        assert shown == {metric_words(each.metric) for each in found.figures if each.adopted}
        return shown

    assert adopted("2026-Q2") == {"co-branded revenue", "adoption rate"}
    assert adopted("2026-Q4") == set()


def test_a_figure_has_the_limits_of_the_rules_that_bind_in_its_period(demo: Accord) -> None:
    def limits(name: str, period: str, metric: str) -> list[tuple[str, bool | None]]:
        lines = kpis.ask(demo, name, period).figures
        return [
            (limit_in_words(limit, line.unit), limit.passed)
            for line in lines
            for limit in line.limits
            if line.metric == metric
        ]

    floor = "not below 5 %, 2 quarters in a row"
    assert limits(AURORA, "2026-Q2", "lead_to_opportunity") == [(floor, True)]
    assert limits(AURORA, "2026-Q3", "lead_to_opportunity") == [(floor, False)]
    # The rule was agreed before these quarters, and binds in no earlier one.
    assert limits(AURORA, "2025-Q4", "lead_to_opportunity") == []


def test_a_rule_on_months_judges_no_quarter(demo: Accord) -> None:
    def passed(period: str) -> list[bool | None]:
        lines = kpis.ask(demo, CONSULTING, period).figures
        return [limit.passed for line in lines for limit in line.limits if line.metric == "leads"]

    assert passed("2026-Q2") == [None]
    assert passed("2026-05") == [False]


def test_the_text_has_the_limits_below_the_figures(demo: Accord) -> None:
    found = kpis.ask(demo, AURORA, "2026-Q2")
    (_, limits, *_) = (each for each in kpis.text(found) if isinstance(each, Table))

    limit = "not below 5 %, 2 quarters in a row"
    assert ("lead to opportunity", limit, "conversion-floor", "beyond it") in limits.rows


# --- who sees what -----------------------------------------------------------------------------


def test_figures_outside_the_protocol_are_not_shown_to_the_other_party(demo: Accord) -> None:
    def metrics(when: AsOf) -> set[str]:
        return {line.metric for line in kpis.ask(demo, CONSULTING, when=when).figures}

    assert "internal_survey_score" in metrics(BY_US)
    assert "internal_survey_score" not in metrics(BY_PARTNER)
    assert "co_branded_revenue" in metrics(BY_PARTNER)


def test_a_small_figure_is_not_shown_to_the_other_party(tmp_path: Path) -> None:
    figure = ReportedFigure(unit="count", value=Decimal(3))
    few = ReportMetric(metric="leads", period="2026-10", tool="crm", figure=figure)
    with played(tmp_path) as accord:
        sent = message("few", few, subject=CONSULTING, at="2026-10-20")
        assert accord.service.handle([sent])[0].status == "accepted"
        accord.runner.catch_up()

        def leads(party: str) -> tuple[Decimal | int | None, str | None]:
            when = AsOf(viewer=Viewer(party))
            lines = kpis.ask(accord, CONSULTING, "2026-10", when).figures
            (line,) = (each for each in lines if each.metric == "leads")
            return line.value, line.note

        assert leads(OURS) == (3, None)
        assert leads(PARTNER) == (None, "fewer than 5: not shown")


def test_an_objectives_small_figure_is_not_shown_to_the_other_party(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        (charter,) = (
            each.event.charter
            for each in accord.history.of(CONSULTING)
            if isinstance(each.event, CharterAgreed)
        )
        objective = charter.objectives[0].model_copy(update={"measured": "report"})
        assert (objective.metric, objective.unit) == ("leads", "count")
        reported = charter.model_copy(update={"objectives": [objective, *charter.objectives[1:]]})
        few = ReportMetric(
            metric=objective.metric,
            period="2026-10",
            tool=objective.tool,
            figure=ReportedFigure(unit="count", value=Decimal(3)),
        )
        proposed = ProposeCharter(proposal="charter-2", charter=reported)
        agreed = AgreeCharter(proposal="charter-2")
        sent = [
            message("proposed", proposed, subject=CONSULTING, at="2026-10-19"),
            message("agreed", agreed, party=PARTNER, subject=CONSULTING, at="2026-10-19"),
            message("few", few, subject=CONSULTING, at="2026-10-20"),
        ]
        assert {each.status for each in accord.service.handle(sent)} == {"accepted"}
        accord.runner.catch_up()

        def actual(party: str) -> tuple[Decimal | None, str | None]:
            answer = kpis.ask(accord, CONSULTING, when=AsOf(viewer=Viewer(party)))
            (each,) = (x for x in answer.objectives if x.objective == objective)
            assert each.actual is not None
            return each.value, each.actual.note

        assert actual(OURS) == (Decimal(3), None)
        assert actual(PARTNER) == (None, "fewer than 5: not shown")


def test_a_third_party_is_answered_its_figures_and_its_history_and_nothing_else(
    tmp_path: Path,
) -> None:
    given, back = (
        SharingLine(metrics=[metric], by=by, to=to, frequency="monthly", tool="A vault")
        for metric, by, to in (
            ("web_visits", OURS, "trustee"),
            ("unique_viewers", "trustee", PARTNER),
        )
    )
    third = ThirdParty(party="trustee", name="A trustee")
    proposed = ProposeDataSharing(proposal="p", lines=[given, back], third_party=third)

    def figure(metric: str, value: int) -> ReportMetric:
        of = ReportedFigure(unit="count", value=Decimal(value))
        return ReportMetric(metric=metric, period="2026-10", tool="crm", figure=of)

    when = AsOf(viewer=Viewer("trustee"))
    with played(tmp_path) as accord:
        sent = [
            message("s1", proposed, subject=CONSULTING, at="2026-10-19"),
            message(
                "s2",
                AgreeDataSharing(proposal="p"),
                subject=CONSULTING,
                at="2026-10-19",
                party=PARTNER,
            ),
            message("s3", figure("web_visits", 700), subject=CONSULTING, at="2026-11-02"),
            message("s4", figure("followers", 30), subject=CONSULTING, at="2026-11-02"),
            message(
                "s5",
                figure("unique_viewers", 900),
                subject=CONSULTING,
                at="2026-11-02",
                party="trustee",
            ),
        ]
        assert {each.status for each in accord.service.handle(sent)} == {"accepted"}
        accord.runner.catch_up()

        known = kpis.ask(accord, CONSULTING, "2026-10", when)
        shown = [each.text for each in history.items(accord, CONSULTING, when) if each.event]
        theirs = kpis.ask(accord, CONSULTING, "2026-10", BY_PARTNER)
        with pytest.raises(NotFound, match="neutral third party"):
            show.ask(accord, CONSULTING, when=when)

    assert {each.metric: each.value for each in known.figures} == {
        "web_visits": 700,
        "unique_viewers": 900,
    }
    # Two protocols, each proposed and agreed, and the two figures.
    assert len(shown) == 6
    assert not known.objectives
    values = {each.metric: each.value for each in theirs.figures}
    assert values["unique_viewers"] == 900
    assert "web_visits" not in values
