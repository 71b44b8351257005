"""Decision rules: those that were agreed, and rules that are tried on the past."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.kernel import Refused
from domain.reported_figure import ReportedFigure, ReportMetric
from infra.answers import rules, try_rule
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from projections.backtest import Finding
from projections.rule_words import rule_in_words
from projections.visibility import Viewer
from tests.feeds import played
from tests.infra.answers.demo import AURORA, BY_PARTNER, BY_US, CONSULTING, day
from tests.infra.messages import message
from tests.life import CONVERSION_FLOOR, changed


def test_a_rule_says_in_words_what_evidence_it_asks_for() -> None:
    asking = changed(CONVERSION_FLOOR, minimum_sample=30, credibility="95")

    assert rule_in_words(CONVERSION_FLOOR) == (
        "lead to opportunity as reported below 5 % in 2 quarters in a row: escalate to a review"
    )
    assert "in a row, given 30 or more leads and 95 % credibility: " in rule_in_words(asking)


def test_every_version_is_listed_with_the_event_that_agreed_it(demo: Accord) -> None:
    (agreed,) = rules.ask(demo, AURORA).rules

    assert (agreed.rule.rule, agreed.version) == ("conversion-floor", 1)
    assert agreed.agreed.type == "DecisionRuleAgreed"
    assert agreed.binds_from == agreed.agreed.recorded_at
    assert rules.ask(demo, AURORA, AsOf(at=day("2025-11-01"))).rules == ()


def test_an_agreed_rule_is_tried_by_its_name(demo: Accord) -> None:
    answer = try_rule.ask(demo, AURORA, "conversion-floor", "2026-Q1")

    assert [each.window for each in answer.windows][:2] == ["2026-Q1", "2026-Q2"]
    assert {each.window for each in answer.alerts} == {"2026-Q2"}
    with pytest.raises(NotFound, match="Perhaps conversion-floor"):
        try_rule.ask(demo, AURORA, "conversion-flor", "2026-Q1")


def test_a_rule_that_nobody_agreed_is_tried_as_json(demo: Accord) -> None:
    rule = rules.ask(demo, AURORA).rules[0].rule
    sure = changed(rule, rule="sure", credibility="95").model_dump_json(exclude_none=True)

    answer = try_rule.ask(demo, AURORA, sure, "2026-Q1")

    assert answer.rule.rule == "sure"
    assert answer.alerts == ()


@pytest.mark.parametrize(
    ("text", "rule", "detail"),
    [
        ('{"rule": "x"}', "not-a-rule", "metric: Field required"),
        ("{", "not-a-rule", "Invalid JSON"),
        (
            changed(CONVERSION_FLOOR, rule="notice-due").model_dump_json(),
            "rule-name-taken",
            "notice-due",
        ),
    ],
)
def test_what_cannot_be_agreed_is_not_tried(
    demo: Accord, text: str, rule: str, detail: str
) -> None:
    with pytest.raises(Refused) as refused:
        try_rule.ask(demo, AURORA, text, "2026-Q1")

    assert refused.value.rule == rule
    assert detail in refused.value.detail


def test_a_rule_is_tried_on_the_figures_that_the_party_sees(tmp_path: Path) -> None:
    few = ReportMetric(
        metric="leads",
        period="2026-09",
        tool="crm",
        figure=ReportedFigure(unit="count", value=Decimal(3)),
    )
    rule = changed(
        CONVERSION_FLOOR, rule="few", metric="leads", window="month", consecutive=1, tool="crm"
    )
    reported = rule.model_dump_json(exclude_none=True)
    counted = changed(rule, measured="count").model_dump_json(exclude_none=True)
    with played(tmp_path) as accord:
        sent = message("few", few, subject=CONSULTING, at="2026-10-20")
        assert accord.service.handle([sent])[0].status == "accepted"

        def found(when: AsOf, rule: str = reported) -> tuple[Decimal | None, Finding]:
            answer = try_rule.ask(accord, CONSULTING, rule, "2026-09", when)
            (each,) = (x for x in answer.windows if x.window == "2026-09")
            return each.value, each.finding

        assert found(BY_US) == (Decimal(3), Finding.BEYOND)
        assert found(BY_PARTNER) == (None, Finding.NO_FIGURE)
        for viewer in (BY_US, BY_PARTNER):
            assert found(viewer, counted) == (Decimal(4), Finding.BEYOND)
        with pytest.raises(NotFound, match="passer-by"):
            try_rule.ask(accord, CONSULTING, counted, "2026-09", AsOf(viewer=Viewer("passer-by")))


def test_rules_are_found_without_reading_the_log(
    demo: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(*_: object) -> None:
        pytest.fail("The events of deals and metrics are not needed.")

    monkeypatch.setattr(type(demo.history), "of", of)

    assert rules.ask(demo, CONSULTING).rules
