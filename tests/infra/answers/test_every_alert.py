"""Each alert that there can be is printed, explained, counted and served.

The stories are told in memory and then recorded in a store, whose answers are looked at.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from fastapi.testclient import TestClient

from domain.aggregates import command_types
from domain.attribution import Method
from domain.bilateral import DeclineProposal
from domain.calendar import bounds, following
from domain.claims import ObjectToClaim
from domain.dispute import OpenDispute
from domain.entry import RecordJointRevenue
from domain.examples import CHARTER, CO_BRANDED_REVENUE
from domain.execution import (
    AgreeMilestone,
    DiagnoseRootCause,
    ProposeAction,
    ProposeCampaign,
    ProposeImprovementPlan,
    ProposeMilestone,
    ProposeOnboardingStep,
    ProposePause,
    ProposeReduction,
    ProposeReview,
    RaiseIssue,
)
from domain.exit import ExitReason, GiveBreachNotice, GiveExitNotice
from domain.formation import DraftAgreement, ProposeCharter, SignAgreement
from domain.governance import AssignContact, AssignSponsor, CommitResources, Function
from domain.health import (
    IdentifyRisk,
    ProposeContribution,
    ProposeTarget,
    RecordAudit,
    RecordHealthCheck,
    RotateManager,
)
from domain.kernel import Command, Stage
from domain.markets import ProposeMetricOwner, Role
from domain.offices import People
from domain.payment import CorrectPayment, ReceivePayment
from domain.payouts import RecordPayout
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.response import Office
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.settlement import FinalSettlementIssued, IssueFinalSettlement, IssueStatement
from domain.standing_alerts import (
    ASKS_NOBODY,
    BY_RULE,
    COMPUTED,
    LEAD_UNANSWERED,
    STATEMENT_OVERDUE,
    WHILE_UNPAID,
    AlertKind,
    response_of,
)
from domain.terms import Cadence, ClaimRules, DayRules
from domain.viewing import CosignatureRefused
from infra.answers import alerts, explain, partnerships
from infra.answers.alerts import Alerts
from infra.answers.changes import Since, feed
from infra.answers.explain import AlertExplained, Explanation
from infra.answers.inbox import InboxItem
from infra.bootstrap import Accord
from infra.http import create_app
from projections import portfolio
from projections.alerts import ALERTS, STATE, Alert, AlertState, answered
from projections.fold import replay
from tests.feeds import simulated
from tests.infra.answers.helpers import printed
from tests.infra.answers.inboxes import inbox
from tests.life import HELD, OURS, SECTIONS, THEIRS, after, at, before, changed, example, usd
from tests.projections.folds import agree, count, member, percent, report, running
from tests.projections.folds import alerts as open_alerts
from tests.projections.money import amend, attribute, pay, refer, share, under, win
from tests.projections.test_figures_differ import ruled, said
from tests.stories import Story


def milestone_missed(story: Story) -> Story:
    story.when(OURS, example(ProposeMilestone))
    story.when(THEIRS, example(AgreeMilestone))
    story.on("2026-01-21")
    return story


def review(story: Story, on: str) -> Story:
    story.agree(OURS, example(ProposeReview, at=datetime(2026, 1, 30, 10, tzinfo=UTC)))
    story.on(on)
    return story


def cadence_missed(story: Story) -> Story:
    cadence = Cadence.model_validate({"operational": "weekly"})
    amend(story, share(), since=date(2026, 1, 6), until=None, cadence=cadence)
    story.on("2026-01-14")
    return story


def later(story: Story, on: str) -> Story:
    story.on(on)
    return story


def issue_escalated(story: Story) -> Story:
    story.when(THEIRS, example(RaiseIssue))
    story.wait(hours=48)
    return story


def contested() -> Story:
    story = under(share())
    refer(story, "D-1", attributed=False)
    attribute(story, "D-1", THEIRS, Method.REFERRAL_CODE)
    attribute(story, "D-1", OURS)
    return story


def submitted() -> Story:
    story = under(share(), claims=ClaimRules(confirm_within_days=10))
    refer(story, "D-1")
    return story


def unanswered() -> Story:
    story = under(share())
    refer(story, "D-1")
    return story


def rejected() -> Story:
    story = submitted()
    rejects = ObjectToClaim(deal="D-1", fact="referral", reason="Already our customer.")
    story.when(OURS, rejects)
    return story


def sold() -> Story:
    story = under(share())
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    return story


def claimed() -> Story:
    story = sold()
    paid = ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00"))
    story.when(THEIRS, paid)
    return story


def lowered() -> Story:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    less = CorrectPayment(deal="D-1", payment="P-1", amount=usd("60.00"), reason="A typing error.")
    story.when(OURS, less)
    return story


def without_terms() -> Story:
    story = under(share())
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))
    return story


def audit_failed(story: Story) -> Story:
    story.when(OURS, example(RecordAudit, passed=False, findings=["No register is kept."]))
    return story


def health(story: Story, **ours: int) -> Story:
    theirs = RecordHealthCheck(period="2026-Q1", trust=4, communication=4, value_delivery=4)
    story.when(OURS, changed(theirs, **ours))
    story.when(THEIRS, theirs)
    return story


def risk_highest(story: Story) -> Story:
    story.when(OURS, example(IdentifyRisk, likelihood=5, impact=4))
    return story


def commitment_lowered(story: Story) -> Story:
    story.when(OURS, example(CommitResources, attention=Decimal(5)))
    return story


def witness_refuses(story: Story) -> Story:
    story.recorded(CosignatureRefused(witness="w", size=9, reason="This log was forked."))
    return story


def exit_ahead() -> Story:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(GiveExitNotice))
    return story


def renewal_declined(story: Story) -> Story:
    renewal_open(story)
    story.when(OURS, example(ProposeRenewal))
    story.when(THEIRS, DeclineProposal(proposal="renewal-1", reason="Five years is long."))
    return story


def figure_overdue() -> Story:
    story = running()
    amend(story, since=date(2026, 1, 6), days=DayRules(figure_days=10))
    for metric, unit in (("new_subscribers", "count"), ("co_branded_revenue", "USD")):
        figure = ReportedFigure(unit=unit, value=Decimal(10))
        command = ReportMetric(metric=metric, period="2026-01", tool="crm", figure=figure)
        story.when(OURS, command)
    story.on("2026-02-11")
    return story


def objective_missed(story: Story) -> Story:
    few = changed(
        CO_BRANDED_REVENUE,
        objective="referrals",
        metric="leads",
        unit="count",
        baseline=Decimal(0),
        target=Decimal(3),
        deadline=date(2026, 1, 31),
    )
    charter = changed(CHARTER, objectives=[few])
    story.agree(OURS, ProposeCharter(proposal="charter-9", charter=charter))
    story.on("2026-02-01")
    return story


def agreed(story: Story, proposal: type[Command], until: str) -> Story:
    """Let both agree the example of a proposal, and let its day pass."""
    story.agree(OURS, example(proposal))
    story.on(until)
    return story


def improvement_due(story: Story) -> Story:
    story.when(OURS, example(DiagnoseRootCause))
    return agreed(story, ProposeImprovementPlan, "2026-04-01")


def renewal_open(story: Story) -> Story:
    story.when(OURS, example(HoldRenewalReview))
    return story


def begun(story: Story, party: str, command: type[Command]) -> Story:
    """Let a party begin the example of something alone."""
    story.when(party, example(command))
    return story


def _opened(opens: Callable[[Story], Story]) -> Story:
    """Return a partnership that was formed here, in which an alert opens."""
    return opens(running())


def signature_overdue(story: Story) -> Story:
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="With a deputy.")))
    story.when(OURS, SignAgreement(agreement_version=2))
    return later(story, "2026-02-28")


ON_RUNNING: Final[dict[str, Callable[[Story], Story]]] = {
    "milestone-missed": milestone_missed,
    "review-missed": lambda story: review(story, "2026-01-31"),
    "due-soon": lambda story: review(story, "2026-01-29"),
    "signature-overdue": signature_overdue,
    "objective-missed": objective_missed,
    "audit-failed": audit_failed,
    "risk-highest": risk_highest,
    "health-low": lambda story: health(story, trust=2),
    "health-diverges": lambda story: health(story, communication=2),
    "cadence-missed": cadence_missed,
    "action-overdue": lambda story: agreed(story, ProposeAction, "2026-02-11"),
    "onboarding-overdue": lambda story: agreed(story, ProposeOnboardingStep, "2026-02-05"),
    "contribution-overdue": lambda story: agreed(story, ProposeContribution, "2026-04-01"),
    "campaign-over": lambda story: agreed(story, ProposeCampaign, "2026-02-28"),
    "issue-escalated": issue_escalated,
    "risk-open": lambda story: begun(story, OURS, IdentifyRisk),
    "commitment-lowered": commitment_lowered,
    "investment-reduced": lambda story: begun(story, OURS, ProposeReduction),
    "improvement-due": improvement_due,
    "pause-over": lambda story: agreed(story, ProposePause, "2026-05-01"),
    "answer-overdue": lambda story: later(begun(story, OURS, ProposeTarget), "2026-12-31"),
    "renewal-open": renewal_open,
    "renewal-declined": renewal_declined,
    "breach-notice": lambda story: begun(story, OURS, GiveBreachNotice),
    "breach-not-cured": lambda story: later(begun(story, OURS, GiveBreachNotice), "2026-02-28"),
    "witness-refuses": witness_refuses,
}
"""What opens an alert in a partnership that runs, however it began."""

STANDING: dict[str, Callable[[], Story]] = {
    **{rule: partial(_opened, opens) for rule, opens in ON_RUNNING.items()},
    "referral-minimum": lambda: running("2026-04-01"),
    "confirmation-missed": lambda: later(before(RecordPayout).given(HELD), "2026-05-31"),
    "exit-incomplete": lambda: later(after(GiveExitNotice), "2027-12-31"),
    "figure-overdue": figure_overdue,
    "figures-differ": lambda: ruled((OURS, said(50)), (THEIRS, said(5000))),
    "dispute-opened": lambda: after(OpenDispute),
    "attribution-contested": contested,
    "lead-awaits-answer": submitted,
    "lead-unanswered": unanswered,
    "lead-rejected": rejected,
    "claim-awaits-confirmation": claimed,
    "correction-takes-money": lowered,
    "entry-without-terms": without_terms,
    "statement-overdue": lambda: later(after(IssueStatement), "2026-06-01"),
    "notice-due": lambda: running("2028-10-03"),
    "term-ended": lambda: running("2029-01-01"),
    "exit-ahead": exit_ahead,
}
"""A story for each standing alert, at whose end it is open."""

FLOOR = DecisionRule(
    rule="floor",
    metric="lead_to_opportunity",
    window=Window.QUARTER,
    comparison=RuleComparison.BELOW,
    threshold=Decimal(5),
    measured="report",
    consecutive=2,
    action=Action.ESCALATE_TO_REVIEW,
)
RULES = {
    "two-quarters": FLOOR,
    "sample": changed(FLOOR, consecutive=1, minimum_sample=30),
    "credibility": changed(FLOOR, consecutive=1, credibility="90"),
    "campaigns": changed(
        FLOOR,
        metric="leads",
        window=Window.MONTH,
        consecutive=1,
        each_campaign=True,
        action=Action.REDUCE_INVESTMENT,
    ),
    "above": changed(
        FLOOR,
        metric="demo_request_rate",
        comparison=RuleComparison.ABOVE,
        consecutive=1,
        action=Action.NOTIFY,
    ),
}
"""A rule of each kind."""


def broken(rule: DecisionRule) -> Story:
    """Return a story at whose end reported figures break a rule."""
    story = running("2026-03-31")
    agree(story, rule)
    window = "2026-Q2" if rule.window is Window.QUARTER else "2026-04"
    for _ in range(rule.consecutive):
        story.on(f"{bounds(window)[1] - timedelta(days=1):%Y-%m-%d}")
        if rule.each_campaign:
            report(story, rule.metric, window, count(3), "webinars")
        else:
            successes = 1 if rule.comparison is RuleComparison.BELOW else 400
            report(story, rule.metric, window, percent(successes, 1000))
        story.on(f"{bounds(window)[1]:%Y-%m-%d}")
        window = following(window)
    return story


STORIES = {name: (name, told) for name, told in STANDING.items()} | {
    f"rule {name}": (rule.rule, partial(broken, rule)) for name, rule in RULES.items()
}
"""The rule of an alert, and the story at whose end it is open."""


@contextmanager
def recorded(folder: Path, story: Story) -> Iterator[Accord]:
    """Return a store in which a story is recorded, and its views."""
    with simulated(folder) as accord:
        accord.history.append(story.history)
        accord.runner.catch_up()
        yield accord


def test_every_standing_alert_has_a_story() -> None:
    assert STANDING.keys() == BY_RULE.keys()


def test_the_rules_are_of_every_kind() -> None:
    rules = RULES.values()

    assert {each.window for each in rules} == set(Window)
    assert {each.comparison for each in rules} == set(RuleComparison)
    assert {each.action for each in rules} == set(Action)
    assert {each.each_campaign for each in rules} == {True, False}
    assert any(each.consecutive > 1 for each in rules)
    assert any(each.minimum_sample for each in rules)
    assert any(each.credibility for each in rules)


@pytest.mark.parametrize(("rule", "told"), STORIES.values(), ids=STORIES.keys())
def test_an_open_alert_is_printed_explained_counted_and_served(
    tmp_path: Path, rule: str, told: Callable[[], Story]
) -> None:
    with recorded(tmp_path, told()) as accord:
        found = alerts.ask(accord, state=AlertState.OPEN)
        (alert,) = (each for each in found.items if each.rule == rule)

        text = printed(alerts.text(found))
        assert alert.id in text
        assert alert.text in text

        explanation = explain.ask(accord, alert.id)
        assert isinstance(explanation.explained, AlertExplained)
        assert explanation.explained.alert == alert
        assert [each.index for each in explanation.explained.evidence] == list(alert.evidence)
        assert explanation.explained.rule.rule == rule
        assert bool(explanation.explained.inputs) is (alert.facts is not None)
        # Of the leads of a month, the newest are its evidence; any number can be in it.
        alone = rule in STANDING and rule != LEAD_UNANSWERED
        assert bool(explanation.explained.about) is (alone and alert.facts is None)
        assert explanation.explained.rule.text in printed(explain.text(explanation))

        (listed,) = partnerships.ask(accord).items
        assert listed.open_alerts == len(found.items)

        _, sent = islice(feed(accord, Since.BEGIN), 2)
        assert any(each.alert and each.alert.id == alert.id for each in sent.messages)

        with (
            accord.workers() as workers,
            TestClient(create_app(accord, workers, is_open=True)) as client,
        ):
            served = client.get("/v1/alerts", params={"state": "open"})
            assert Alerts.model_validate_json(served.content) == found
            explained = client.get("/v1/explain", params={"reference": alert.id})
            assert Explanation.model_validate_json(explained.content) == explanation


OTHER_OFFICE: Final = {
    "figure-overdue": Office.METRIC_OWNER,
    "figures-differ": Office.METRIC_OWNER,
    "campaign-over": Office.MARKETING,
    "investment-reduced": Office.MARKETING,
    "breach-notice": Office.LEGAL,
    "witness-refuses": Office.LEGAL,
    "statement-overdue": Office.FINANCE,
    **dict.fromkeys(
        (
            "issue-escalated",
            "term-ended",
            "breach-not-cured",
            "objective-missed",
            "dispute-opened",
            "risk-highest",
            "exit-ahead",
            "renewal-declined",
        ),
        Office.SPONSOR,
    ),
}
"""The office that acts on an alert, if it is not the partnership manager."""

WITH_MONEY: Final = {
    "statement-overdue",
    "dispute-opened",
    "claim-awaits-confirmation",
    "correction-takes-money",
    "entry-without-terms",
}
"""The alerts on which money hangs, whatever the statements say."""


def staffed(story: Story, *, on: date) -> dict[tuple[str, Office], str]:
    """Let each party name a person for each function, a sponsor, and a new manager from a day.

    Return the person who holds each office of each party on that day.
    """
    people: People = replay(ALERTS, story.history).rows[STATE].people
    holders: dict[tuple[str, Office], str] = {}
    for party in people.parties:
        for function in (Function.MARKETING, Function.FINANCE, Function.LEGAL):
            name = f"{party} {function.value}"
            story.when(party, AssignContact(function=function, name=name))
            holders[party, Office(function.value)] = name
        story.when(party, AssignSponsor(name=f"{party} sponsor", title="Director"))
        former = people.in_office(party, Office.MANAGER, story.now.date()).person
        assert former is not None
        successor = f"{party} successor"
        command = RotateManager(effective_on=on, former=former, successor=successor)
        story.when(party, command)
        holders |= {
            (party, Office.SPONSOR): f"{party} sponsor",
            (party, Office.MANAGER): successor,
        }
    return holders


@pytest.mark.parametrize(("rule", "told"), STORIES.values(), ids=STORIES.keys())
def test_an_alert_says_how_severe_it_is_who_is_in_office_and_what_money_hangs_on_it(
    rule: str, told: Callable[[], Story]
) -> None:
    """A manager who handed over is out, from the day on which the successor begins."""
    story = told()
    (alert,) = (each for each in open_alerts(story).values() if each.rule == rule)
    assert alert.severity is response_of(rule).severity
    unpaid = replay(ALERTS, story.history).rows[STATE].unpaid
    on_statements = rule in WHILE_UNPAID and bool(unpaid)
    assert bool(alert.at_stake) is (rule in WITH_MONEY or on_statements)
    tomorrow = story.now + timedelta(days=1)
    office = OTHER_OFFICE.get(rule, Office.MANAGER)
    if office is Office.METRIC_OWNER:
        metric = alert.window.partition("/")[0]
        owner = ProposeMetricOwner(
            proposal="owner-9", metric=metric, owner="Olga", local=False, role=Role.ANALYST
        )
        story.agree(OURS, owner)
    holders = staffed(story, on=tomorrow.date())
    rows = replay(ALERTS, story.history).rows

    acting = answered(rows, rows[alert.id], tomorrow).who_acts

    assert [each.party for each in acting] == [each.party for each in alert.who_acts]
    assert acting
    for each in acting:
        named = "Olga" if office is Office.METRIC_OWNER else holders[each.party, office]
        assert (each.office, each.person) == (office, named)


COVERED: Final = {"renewal-declined": "renewal"}
"""What the inbox calls the thing that an alert is about, where another alert asks for the same."""


def is_asked(alert: Alert, party: str, items: list[InboxItem]) -> bool:
    """Whether the inbox of a party has what an alert is about, with an event that does it."""
    about = COVERED.get(alert.rule, alert.window)
    if alert.rule == LEAD_UNANSWERED:
        return any(each.party == party and each.ref.endswith("/referral") for each in items)
    names = {about, *about.split("/"), f"agreement {about.partition('/')[0]}"}
    return any(each.party == party and each.ref in names and each.events for each in items)


@pytest.mark.parametrize("rule", BY_RULE)
def test_each_party_that_acts_on_an_alert_is_asked_in_its_inbox_or_the_rule_says_why_not(
    rule: str,
) -> None:
    story = STANDING[rule]()
    (alert,) = (each for each in open_alerts(story).values() if each.rule == rule)
    items = inbox(story)

    asked = {each.party for each in alert.who_acts if is_asked(alert, each.party, items)}

    assert asked == ({*()} if rule in ASKS_NOBODY else {each.party for each in alert.who_acts})


def test_an_overdue_balance_of_the_final_settlement_is_explained_by_it(tmp_path: Path) -> None:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    notice = GiveExitNotice(
        exit="exit-1",
        reason=ExitReason.NO_LONGER_RELEVANT,
        explanation="We part.",
        effective_on=date(2026, 3, 15),
    )
    story.when(THEIRS, notice)
    story.on("2026-03-15")
    story.when(OURS, IssueFinalSettlement(settlement="last"))
    story.on("2026-04-20")

    with recorded(tmp_path, story) as accord:
        found = alerts.ask(accord, state=AlertState.OPEN).items
        (alert,) = (each for each in found if each.rule == STATEMENT_OVERDUE)
        explanation = explain.ask(accord, alert.id).explained

    assert alert.window == "last:USD"
    assert isinstance(explanation, AlertExplained)
    assert [each.type for each in explanation.about] == [FinalSettlementIssued.wire]


@pytest.mark.parametrize("rule", COMPUTED)
def test_an_alert_on_what_awaits_a_party_names_the_commands_that_end_it(rule: str) -> None:
    (alert,) = (each for each in open_alerts(STANDING[rule]()).values() if each.rule == rule)

    named = re.findall(r"\((\w+(?:, \w+)*)\)", alert.text)

    assert named
    assert {each for group in named for each in group.split(", ")} <= command_types().keys()


@pytest.mark.parametrize(("rule", "told"), STORIES.values(), ids=STORIES.keys())
def test_a_breach_counts_against_a_partnership_and_a_reminder_does_not(
    rule: str, told: Callable[[], Story]
) -> None:
    story = told()
    (alert,) = (each for each in open_alerts(story).values() if each.rule == rule)

    reasons = portfolio.line(member(story), story.now).reasons

    # What was not measured is not off track.
    word = "insufficient evidence" if rule == "figure-overdue" else "breach"
    said = any(each.text.startswith(f"{word}: {alert.text}") for each in reasons)
    assert said is (alert.kind is AlertKind.BREACH)
