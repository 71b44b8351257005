"""What the tests of the folds share: a story's facts, and the views that they come to."""

from datetime import date
from decimal import Decimal

from domain.agreement import (
    AcceptTerms,
    ProposeTerms,
)
from domain.attribution import Method
from domain.formation import (
    AgreeDecisionRule,
    ProposeDecisionRule,
)
from domain.kernel import Event, Stage
from domain.referral import AttributeReferral, CreateOpportunity, HoldDemo, SubmitReferral
from domain.reported_figure import CorrectMetric, ReportedFigure, ReportMetric
from domain.rules import DecisionRule
from domain.sale import WinDeal
from domain.terms import FrameChange
from domain.values import Money
from projections import ALERTS, KPIS
from projections import figures as reading
from projections.alerts import Alert
from projections.breaches import RuleFacts
from projections.caveats import CaveatCode
from projections.figures import FigureLine
from projections.fold import Output, Rows, replay
from projections.portfolio import READ, Member
from projections.visibility import OPERATOR, Sight, Viewer
from tests.life import OURS, THEIRS, at
from tests.stories import Story


def count(value: str | int) -> ReportedFigure:
    """Return a figure of things counted."""
    return ReportedFigure(unit="count", value=Decimal(value))


def percent(numerator: int, denominator: int) -> ReportedFigure:
    """Return a rate with what it was divided from."""
    return ReportedFigure(
        unit="percent", numerator=Decimal(numerator), denominator=Decimal(denominator)
    )


def dollars(value: str) -> ReportedFigure:
    """Return an amount of money."""
    return ReportedFigure(unit="USD", value=Decimal(value))


def bare_percent(value: str) -> ReportedFigure:
    """Return a rate that comes without its denominator."""
    return ReportedFigure(unit="percent", value=Decimal(value))


def report(
    story: Story,
    metric: str,
    period: str,
    figure: ReportedFigure,
    segment: str | None = None,
    tool: str = "crm",
) -> list[Event]:
    """Let our side report a figure."""
    command = ReportMetric(metric=metric, period=period, tool=tool, segment=segment, figure=figure)
    return story.when(OURS, command)


def correct(
    story: Story,
    metric: str,
    period: str,
    figure: ReportedFigure,
    segment: str | None = None,
    happened: str | None = None,
) -> list[Event]:
    """Let our side restate a figure that it reported."""
    command = CorrectMetric(
        metric=metric, period=period, tool="crm", segment=segment, figure=figure, reason="Recount."
    )
    return story.when(OURS, command, happened=happened)


def refer(
    story: Story, name: str, *, campaign: str | None = None, happened: str | None = None
) -> None:
    """Let the partner submit a referral that is known by a name."""
    command = SubmitReferral(deal=name, lead=f"lead {name}", campaign=campaign)
    story.when(THEIRS, command, happened=happened)


def refer_many(
    story: Story, names: range, *, campaign: str | None = None, happened: str | None = None
) -> None:
    """Let the partner submit a referral for each number."""
    for number in names:
        refer(story, f"D-{number}", campaign=campaign, happened=happened)


def attribute(story: Story, name: str) -> None:
    """Tie a referral to the partner."""
    story.when(OURS, AttributeReferral(deal=name, method=Method.UTM, evidence="utm_source=b"))


def win(story: Story, name: str, value: str = "1000.00", currency: str = "USD") -> None:
    """Make an opportunity of a referral, and win it."""
    story.when(OURS, CreateOpportunity(deal=name))
    price = Money(amount=Decimal(value), currency=currency)
    story.when(OURS, WinDeal(deal=name, annual_contract_value=price))


def sell(story: Story, name: str, value: str | None, currency: str = "USD") -> None:
    """Take a new referral through a demo, and win it if it has a value."""
    refer(story, name)
    attribute(story, name)
    story.when(OURS, HoldDemo(deal=name))
    if value is not None:
        win(story, name, value, currency)


def running(on: str = "2026-01-05") -> Story:
    """Return one in execution since 5 January 2026: 10 referrals a quarter, a floor of 5 %."""
    story = at(Stage.EXECUTION)
    story.on(on)
    return story


def agree(story: Story, rule: DecisionRule, proposal: str = "rule-2") -> None:
    """Let both agree a decision rule."""
    story.when(OURS, ProposeDecisionRule(proposal=proposal, rule=rule))
    story.when(THEIRS, AgreeDecisionRule(proposal=proposal))


def agree_minimum(story: Story, minimum: int, since: date) -> None:
    """Let both agree new terms that differ in the minimum of referrals a quarter."""
    name = f"minimum-{minimum}"
    frame = FrameChange(minimum_referrals_per_quarter={THEIRS: minimum})
    story.when(OURS, ProposeTerms(proposal=name, frame=frame, effective_from=since))
    story.when(THEIRS, AcceptTerms(proposal=name))


# --- views -------------------------------------------------------------------------------------


def figures(story: Story) -> Rows:
    """Return the rows of KPIs that a story comes to."""
    return replay(KPIS, story.history).rows


def lines(story: Story, metric: str, period: str) -> dict[tuple[str, str], FigureLine]:
    """Return a metric's lines of a period by segment and unit."""
    return {
        (each.segment or "", each.unit): each
        for each in reading.report(figures(story), period)
        if each.metric == metric
    }


def line(story: Story, metric: str, period: str, segment: str = "") -> FigureLine:
    """Return a metric's only line of a period and segment."""
    (found,) = [each for (part, _), each in lines(story, metric, period).items() if part == segment]
    return found


def codes(known: reading.Figure) -> list[CaveatCode]:
    """Return the codes of the caveats of a figure."""
    return [each.code for each in known.caveats]


def parts(known: reading.Figure) -> tuple[Decimal | int | None, ...]:
    """Return a figure's value, numerator and denominator."""
    return known.value, known.numerator, known.denominator


def alerts(story: Story) -> dict[str, Alert]:
    """Return the alerts of a story, by what they are about: rule and window."""
    rows = replay(ALERTS, story.history).rows.values()
    return {f"{each.rule} {each.window}": each for each in rows if isinstance(each, Alert)}


def rule_facts(alert: Alert) -> RuleFacts:
    """Return the figures by which an agreed rule was judged."""
    assert isinstance(alert.facts, RuleFacts)
    return alert.facts


def states(story: Story) -> dict[str, str]:
    """Return only the state of each alert."""
    return {name: each.state.value for name, each in alerts(story).items()}


def emitted(story: Story) -> list[Output]:
    """Return every change of an alert, in order."""
    return [output for output, _ in replay(ALERTS, story.history).outputs]


def member(story: Story, name: str | None = None, viewer: Viewer = OPERATOR) -> Member:
    """Return what a viewer sees of a story, as a member of a portfolio, under a name if given."""
    sight = Sight.of(viewer, story.history) if viewer.party else Sight(viewer)
    shown = [each for each in story.history if sight.reads(each)]
    return Member.of(
        name or story.id, {each.name: replay(each, shown).rows for each in READ}, sight
    )
