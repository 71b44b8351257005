"""Why: every alert and figure of the demo's store is explained by the events behind it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from domain.deadlines.deadline import ReminderGiven
from domain.execution import ProposeReview
from domain.metric_catalogue import CATALOGUE, Adds
from domain.standing_alerts import BY_RULE, LEAD_UNANSWERED, REFERRAL_MINIMUM
from infra.answers import alerts, explain, kpis
from infra.answers.explain import AlertExplained, ExplainedFigure, Explanation, FigureExplained
from infra.answers.logs import NOW, AsOf, NotFound
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections.alerts import AlertState
from projections.breaches import RuleFacts
from projections.figures import COUNTED, FigureLine
from projections.visibility import Viewer
from tests.feeds import simulated
from tests.infra.answers.demo import CONSULTING, day
from tests.infra.answers.helpers import AURORA, PARTNER, printed
from tests.life import OURS, changed, example
from tests.projections.folds import running

FLOOR = f"conversion-floor@1/{AURORA}/2026-Q2"


def of_alert(found: Explanation) -> AlertExplained:
    assert isinstance(found.explained, AlertExplained)
    return found.explained


def of_figure(found: Explanation) -> FigureExplained:
    assert isinstance(found.explained, FigureExplained)
    return found.explained


def only_figure(accord: Accord, reference: str, when: AsOf = NOW) -> ExplainedFigure:
    (figure,) = of_figure(explain.ask(accord, reference, when)).figures
    return figure


# --- figures -----------------------------------------------------------------------------------


def every_figure(accord: Accord) -> Iterator[tuple[str, FigureLine]]:
    for name in partnerships(accord.history):
        for line in kpis.ask(accord, name).figures:
            segment = f"/{line.segment}" if line.segment else ""
            yield f"{name}/{line.metric}/{line.period}{segment}", line


def test_the_events_behind_every_counted_figure_add_up_to_it(demo: Accord) -> None:
    checked = 0
    for reference, line in every_figure(demo):
        if line.source != COUNTED:
            continue
        sums: dict[str, Decimal] = {}
        shown = of_figure(explain.ask(demo, reference)).figures
        (same,) = (each for each in shown if each.line.unit == line.unit)
        for event in same.counted:
            for each in event.adds:
                sums[each.to] = sums.get(each.to, Decimal(0)) + each.amount

        part, whole = (
            ("sum", line.value) if line.numerator is None else ("numerator", line.numerator)
        )
        assert sums.get(part, Decimal(0)) == whole, reference
        assert sums.get("denominator", Decimal(0)) == (line.denominator or 0)
        checked += 1
    assert checked >= 50


def test_the_reports_behind_every_reported_figure_add_up_to_it(demo: Accord) -> None:
    checked = 0
    for reference, line in every_figure(demo):
        if line.source == COUNTED or line.value is None:
            continue
        reports = only_figure(demo, reference).reported
        in_force = [each.figure or "" for each in reports if each.in_force]

        assert in_force, reference
        metric = CATALOGUE.get(line.metric)
        if metric is not None and metric.adds is Adds.SUM:
            assert sum(Decimal(each.split()[0]) for each in in_force) == line.value, reference
        checked += 1
    assert checked >= 50


def test_a_corrected_figure_is_explained_by_both_reports(demo: Accord) -> None:
    figure = only_figure(demo, f"{AURORA}/lead_to_opportunity/2026-Q1")

    assert [(each.event.type, each.figure, each.in_force) for each in figure.reported] == [
        ("MetricReported", "49 of 1000", False),
        ("MetricCorrected", "50 of 1000", True),
    ]


@pytest.mark.parametrize(
    ("in_force", "is_own", "words"),
    [
        (True, True, "in force"),
        (False, True, "restated since"),
        (False, False, "counts once it is confirmed"),
    ],
)
def test_a_correction_of_the_other_partys_figure_is_said_to_await_it(
    demo: Accord, *, in_force: bool, is_own: bool, words: str
) -> None:
    figure = only_figure(demo, f"{AURORA}/lead_to_opportunity/2026-Q1")
    reported, *_ = figure.reported
    replaced = reported.model_copy(update={"in_force": in_force, "is_own": is_own})

    assert all(each.is_own for each in figure.reported)

    assert explain.standing(replaced) == words


def test_a_figure_is_explained_by_the_report_in_force_then(demo: Accord) -> None:
    then = AsOf(known=day("2026-07-20"))
    figure = only_figure(demo, f"{AURORA}/lead_to_opportunity/2026-Q1", then)

    assert [(each.event.type, each.in_force) for each in figure.reported] == [
        ("MetricReported", True)
    ]


def test_a_figure_is_explained_with_the_rule_in_force_when_its_period_began(
    demo: Accord,
) -> None:
    for quarter, version in (("2026-Q2", 1), ("2026-Q3", 1), ("2026-Q4", 3)):
        (rule,) = of_figure(explain.ask(demo, f"{CONSULTING}/leads/{quarter}")).rules

        assert (rule.rule, rule.version) == (REFERRAL_MINIMUM, version)
        assert rule.agreed
        assert rule.agreed.type == "CommercialTermsAgreed"


def test_a_period_without_figures_is_explained_by_nothing(demo: Accord) -> None:
    found = explain.ask(demo, f"{CONSULTING}/leads/2024-Q1")

    assert of_figure(found).figures == ()
    assert "No figure: no event counts or reports it" in printed(explain.text(found))


# --- alerts ------------------------------------------------------------------------------------


def test_every_alert_is_explained_as_the_view_has_it(demo: Accord) -> None:
    for alert in alerts.ask(demo).items:
        found = of_alert(explain.ask(demo, alert.id))

        changes = [each.alert for each in found.transitions]
        causes = [each.because_of for each in found.transitions if each.because_of]
        assert len(causes) == len(changes)
        assert changes[0].state is AlertState.OPEN
        assert changes[-1] == found.alert == alert
        assert causes[-1].index == alert.cause
        assert [each.index for each in found.evidence] == list(alert.evidence)
        if alert.rule in BY_RULE and alert.rule != REFERRAL_MINIMUM:
            assert bool(found.about) == (alert.rule != LEAD_UNANSWERED)
            assert found.rule.text == BY_RULE[alert.rule].sentence
        else:
            assert found.rule.agreed
            assert found.rule.agreed.index < causes[0].index
            assert found.inputs[-1].period == alert.window.partition("/")[0]


def test_an_alert_is_explained_as_it_was_known_and_not_before_it_opened(demo: Accord) -> None:
    found = explain.ask(demo, FLOOR, AsOf(known=day("2026-07-20")))

    assert of_alert(found).alert.state is AlertState.OPEN
    values = [each.figures[0].line.value for each in of_alert(found).inputs]
    assert values == [Decimal("4.9"), Decimal("4.9")]
    assert "as they were known then" in printed(explain.text(found))
    with pytest.raises(NotFound):
        explain.ask(demo, FLOOR, AsOf(known=day("2026-06-30")))


def test_an_alert_on_two_quarters_is_explained_by_the_figures_of_both(demo: Accord) -> None:
    found = of_alert(explain.ask(demo, FLOOR))

    facts = [each.alert.facts for each in found.transitions]
    assert [each.values for each in facts if isinstance(each, RuleFacts)] == [
        (Decimal("4.9"), Decimal("4.9")),
        (Decimal(5), Decimal("4.9")),
    ]
    known_now = [(each.period, each.figures[0].line.value) for each in found.inputs]
    assert known_now == [("2026-Q1", Decimal(5)), ("2026-Q2", Decimal("4.9"))]
    assert "below 5 % in 2 quarters" in found.rule.text


def test_the_missed_minimum_is_explained_by_the_eight_referrals_there_were(demo: Accord) -> None:
    found = of_alert(explain.ask(demo, f"referral-minimum@1/{CONSULTING}/2026-Q1"))

    ((figure,),) = (each.figures for each in found.inputs)
    assert [each.event.type for each in figure.counted] == ["ReferralSubmitted"] * 8
    assert found.rule.text.startswith("northbridge brings at least 10 referrals")


def test_a_notice_is_explained_without_the_reminders_of_anything_else(tmp_path: Path) -> None:
    story = running("2028-10-01")
    review = example(ProposeReview, at=datetime(2028, 10, 6, 10, tzinfo=UTC))
    story.agree(OURS, changed(review, review="autumn"))
    story.on("2028-10-05")
    assert "autumn" in [each.ref for each in story.facts(ReminderGiven)]
    with simulated(tmp_path) as accord:
        accord.history.append(story.history)

        found = of_alert(explain.ask(accord, f"notice-due@1/{story.id}/{date(2028, 11, 2)}"))

    assert [each.type for each in found.about] == ["CommercialTermsAgreed", "DeadlinePassed"]
    assert found.about[-1].index == found.alert.cause


# --- both --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [FLOOR, f"{AURORA}/lead_to_opportunity/2026-Q1"])
@pytest.mark.parametrize("party", [None, "lumastream"])
def test_the_log_is_read_once(
    demo: Accord, monkeypatch: pytest.MonkeyPatch, reference: str, party: str | None
) -> None:
    read, of = [], demo.history.of

    def counted(partnership: str, start: int = 0, stop: int | None = None) -> object:
        read.append(partnership)
        return of(partnership, start, stop)

    monkeypatch.setattr(demo.history, "of", counted)
    parties = {each.act.party for each in of(AURORA)} - {"accord"}
    viewer = Viewer(min(parties) if party else None)

    explain.ask(demo, reference, AsOf(viewer=viewer))

    assert read == [AURORA]


def test_a_party_is_not_shown_a_small_figure_by_the_events_behind_it(demo: Accord) -> None:
    for reference, line in every_figure(demo):
        if line.source == COUNTED or not reference.startswith(CONSULTING):
            continue
        found = explain.ask(demo, reference, AsOf(viewer=Viewer(PARTNER)))
        for each in of_figure(found).figures:
            assert each.line.value is not None or not each.reported


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("leads", "Write an alert's id"),
        (f"{CONSULTING}/leads", "Write an alert's id"),
        ("referral-minimum@1", "Write an alert's id"),
        (f"referral-minimum@one/{CONSULTING}/2026-Q1", "Write an alert's id"),
        (f"{CONSULTING}/leeds/2026-Q1", "Perhaps leads"),
        (f"{CONSULTING}/leads/soon", "Write 2026-03, 2026-Q1 or 2026"),
        (f"{CONSULTING}/entry/E-1", "PARTNERSHIP/deal/DEAL"),
        (f"{CONSULTING}/milestone/M-1", "PARTNERSHIP/METRIC/PERIOD"),
        ("growthos/leads/2026-Q1", CONSULTING),
        (f"referral-minimum@1/{CONSULTING}/2026-Q9", f"Perhaps referral-minimum@1/{CONSULTING}/"),
        ("referral-minimum@1/spring-germany/2026-Q1", "the alerts of spring-germany"),
    ],
)
def test_a_reference_to_nothing_says_what_to_ask_instead(
    demo: Accord, reference: str, hint: str
) -> None:
    with pytest.raises(NotFound) as refused:
        explain.ask(demo, reference)

    assert hint in refused.value.hint
