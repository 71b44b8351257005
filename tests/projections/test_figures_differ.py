"""What counts if a figure is reported more than once (docs/decisions/0005).

Both agreed a rule: not below 100 visits a month. One side reports 50. Whatever the other
says alone, by the same tool or by its own, earlier or later, clears no breach.
"""

from decimal import Decimal
from itertools import permutations

import pytest

from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.claims import ConfirmClaim, FigureRef, ObjectToClaim
from domain.kernel import Command
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sharing import ProposeDataSharing, SharingLine
from tests.life import OURS, THEIRS
from tests.projections.folds import agree, alerts, count, lines, running, states
from tests.projections.test_objective_missed import MISSED, SUBSCRIBERS, charter, subscribers
from tests.stories import Story

FLOOR = DecisionRule(
    rule="visits",
    metric="web_visits",
    window=Window.MONTH,
    comparison=RuleComparison.BELOW,
    threshold=Decimal(100),
    action=Action.NOTIFY,
)
SHARED = [
    SharingLine(metrics=["web_visits"], by=by, to=to, frequency="monthly", tool="mail")
    for by, to in ((OURS, THEIRS), (THEIRS, OURS))
]
BREACH = "visits 2026-02"


def said(
    figure: int, tool: str = "billing", month: str = "2026-02", metric: str = "web_visits"
) -> ReportMetric:
    """Return a report of a figure."""
    return ReportMetric(metric=metric, period=month, tool=tool, figure=count(figure))


def corrected(figure: int, tool: str = "billing") -> CorrectMetric:
    """Return a correction of a figure."""
    of = said(figure, tool)
    return CorrectMetric(**of.model_dump(), reason="A digit.")


def named(tool: str = "billing") -> FigureRef:
    """Return a report as an answer to it names it."""
    return FigureRef(metric="web_visits", period="2026-02", tool=tool)


def ruled(*messages: tuple[str, Command]) -> Story:
    """Return a story in which both agreed the rule and sent these messages after the month."""
    story = running()
    agree(story, FLOOR)
    story.agree(OURS, ProposeDataSharing(proposal="visits", lines=SHARED))
    story.on("2026-03-02")
    for party, command in messages:
        story.when(party, command)
    return story


def recorded(story: Story, kind: type) -> int:
    """Return how many events of a type are on record."""
    return sum(isinstance(each.event, kind) for each in story.history)


ONE_SIDED = {
    "the same tool": [said(5000)],
    "a tool of its own": [said(5000, "aaa")],
    "a tool of its own for more months": [
        said(5000, "aaa", month) for month in ("2026-01", "2026-02", "2026-03")
    ],
    "an objection": [ObjectToClaim(figure=named(), fact="figure", reason="Not so.")],
    "another figure and an objection": [
        said(5000),
        ObjectToClaim(figure=named(), fact="figure", reason="Not so."),
    ],
    "a correction of the other's figure": [corrected(5000)],
}


@pytest.mark.parametrize("words", ONE_SIDED.values(), ids=ONE_SIDED)
def test_the_word_of_the_other_side_alone_withdraws_no_breach(words: list[Command]) -> None:
    story = ruled((OURS, said(50)))
    assert states(story)[BREACH] == "open"

    for each in words:
        story.when(THEIRS, each)

    assert states(story)[BREACH] == "open"
    assert recorded(story, RuleBreachWithdrawn) == 0


def test_a_disputed_breach_says_so() -> None:
    story = ruled((OURS, said(50)), (THEIRS, said(5000)))

    assert alerts(story)[BREACH].text == (
        f"Web visits came to 5000 ({THEIRS}) or 50 ({OURS}) in February 2026. "
        "Both agreed: not below 100. The parties dispute it, so the evidence is insufficient."
    )
    (line,) = lines(story, "web_visits", "2026-02").values()
    assert line.value is None
    assert line.disputed == tuple(sorted((OURS, THEIRS)))


@pytest.mark.parametrize(
    "ending",
    [
        (OURS, corrected(5000)),
        (THEIRS, corrected(50)),
        (OURS, ConfirmClaim(figure=named(), fact="figure")),
    ],
    ids=["ours corrected", "theirs corrected", "theirs confirmed"],
)
def test_a_dispute_ends_when_a_party_corrects_its_own_figure_or_confirms_the_others(
    ending: tuple[str, Command],
) -> None:
    story = ruled((OURS, said(50)), (THEIRS, said(5000)))

    story.when(*ending)

    is_breach = ending == (THEIRS, corrected(50))
    assert states(story)[BREACH] == ("open" if is_breach else "withdrawn")
    assert "dispute" not in alerts(story)[BREACH].text or not is_breach


def test_a_figure_by_another_tool_that_both_state_clears_the_breach() -> None:
    story = ruled((OURS, said(50)), (THEIRS, said(5000, "aaa")))
    assert states(story)[BREACH] == "open"

    story.when(OURS, ConfirmClaim(figure=named("aaa"), fact="figure"))

    assert states(story)[BREACH] == "withdrawn"


DIFFER = "figures-differ web_visits/-/2026-02"


@pytest.mark.parametrize("tool", ["billing", "aaa"], ids=["the same tool", "a tool of its own"])
def test_both_are_told_of_a_disputed_figure_until_one_corrects_its_own(tool: str) -> None:
    story = ruled((OURS, said(50)))
    assert DIFFER not in states(story)

    story.when(THEIRS, said(5000, tool))

    alert = alerts(story)[DIFFER]
    assert alert.state == "open"
    assert {each.party for each in alert.who_acts} == {OURS, THEIRS}
    assert not {"50", "5000"} & {*alert.text.split()}
    story.when(THEIRS, corrected(50, tool))
    assert states(story)[DIFFER] == "resolved"


def test_an_objection_to_a_figure_is_a_dispute_until_it_is_confirmed() -> None:
    objection = ObjectToClaim(figure=named(), fact="figure", reason="Not so.")
    story = ruled((OURS, said(50)), (THEIRS, objection))
    assert states(story)[DIFFER] == "open"

    story.when(THEIRS, ConfirmClaim(figure=named(), fact="figure"))

    assert states(story)[DIFFER] == "resolved"


def test_a_tool_that_both_agree_ends_a_dispute() -> None:
    story = ruled((OURS, said(50)), (THEIRS, said(5000, "aaa")))
    assert states(story)[DIFFER] == "open"

    agree(story, FLOOR.model_copy(update={"tool": "billing"}), "rule-3")

    assert states(story)[DIFFER] == "resolved"


def test_no_agreed_action_follows_from_a_figure_that_is_disputed_from_the_start() -> None:
    story = ruled((THEIRS, said(5000)), (OURS, said(50)))
    assert states(story)[BREACH] == "open"
    assert recorded(story, RuleBreached) == 0

    story.when(THEIRS, corrected(50))

    assert recorded(story, RuleBreached) == 1


def test_the_agreed_tool_is_the_one_that_is_shown() -> None:
    story = running()
    charter(story, SUBSCRIBERS)
    story.on("2026-03-02")
    story.when(OURS, said(50, "crm", metric="new_subscribers"))
    for month in ("2026-01", "2026-02", "2026-03"):
        story.when(THEIRS, said(5000, "aaa", month, "new_subscribers"))

    (line,) = lines(story, "new_subscribers", "2026-Q1").values()

    assert (line.value, line.source) == (Decimal(50), "crm")
    assert [(each.value, each.source) for each in line.reported] == [(Decimal(15000), "aaa")]


MESSAGES: dict[str, list[tuple[str, Command, str]]] = {
    "one tool": [
        (OURS, said(50), "2026-03-03T09:00"),
        (THEIRS, said(5000), "2026-03-04T09:00"),
    ],
    "one tool, corrected": [
        (OURS, said(50), "2026-03-03T09:00"),
        (THEIRS, said(5000), "2026-03-04T09:00"),
        (OURS, corrected(70), "2026-03-05T09:00"),
    ],
    "tools of their own": [
        (OURS, said(50), "2026-03-03T09:00"),
        (THEIRS, said(5000, "aaa"), "2026-03-04T09:00"),
        (THEIRS, said(5000, "aaa", "2026-01"), "2026-03-04T09:00"),
    ],
}


@pytest.mark.parametrize("facts", MESSAGES.values(), ids=MESSAGES)
def test_the_order_in_which_figures_arrive_changes_no_alert(
    facts: list[tuple[str, Command, str]],
) -> None:
    found = set()
    for order in permutations(facts):
        story = ruled()
        story.on("2026-03-06")
        waiting = list(order)
        while waiting:
            party, command, happened = waiting.pop(0)
            if isinstance(command, CorrectMetric) and any(
                each[0] == party and isinstance(each[1], ReportMetric) for each in waiting
            ):
                waiting.append((party, command, happened))
                continue
            story.when(party, command, happened=happened)
        alert = alerts(story)[BREACH]
        line = lines(story, "web_visits", "2026-02")["", "count"]
        found.add((alert.state, alert.text, line.value, line.note))
    assert len(found) == 1


@pytest.mark.parametrize("first", [OURS, THEIRS])
def test_an_objective_that_one_party_reports_as_missed_is_open_in_any_order(first: str) -> None:
    story = subscribers(march=70)
    assert MISSED not in states(story)
    story = _disputed(first)

    assert states(story)[MISSED] == "open"
    assert "dispute" in alerts(story)[MISSED].text


def _disputed(first: str) -> Story:
    story = running()
    charter(story, SUBSCRIBERS)
    story.on("2026-04-01")
    second = THEIRS if first == OURS else OURS
    for party in (first, second):
        figure = 500 if party == THEIRS else 9
        story.when(party, said(figure, "crm", "2026-03", "new_subscribers"))
    return story


# --- a month on one side, its quarter on the other -----------------------------------------------


MONTHS = ("2026-01", "2026-02", "2026-03")
DIFFER_IN_THE_QUARTER = "figures-differ web_visits/-/2026-Q1"


def by_months_and_by_quarter(months: int, quarter: int, tool: str, *, later: str) -> Story:
    """Return a story in which one side states three months, the other their quarter."""
    of_months = [(OURS, said(months, "billing", each)) for each in MONTHS]
    of_quarter = [(THEIRS, said(quarter, tool, "2026-Q1"))]
    story = ruled()
    story.on("2026-04-02")
    both = of_months + of_quarter if later == "quarter" else of_quarter + of_months
    for party, command in both:
        story.when(party, command)
    return story


@pytest.mark.parametrize("tool", ["billing", "aaa"], ids=["the same tool", "a tool of its own"])
@pytest.mark.parametrize("later", ["quarter", "months"])
def test_months_that_do_not_come_to_the_quarter_of_the_other_side_differ_from_it(
    tool: str, later: str
) -> None:
    story = by_months_and_by_quarter(50, 5000, tool, later=later)

    alert = alerts(story)[DIFFER_IN_THE_QUARTER]
    assert alert.state == "open"
    assert alert.text.endswith(
        " dispute the figure for web visits in 2026-Q1, reported by aaa and billing."
        if tool == "aaa"
        else " dispute the figure for web visits in 2026-Q1, reported by billing."
    )
    (line,) = lines(story, "web_visits", "2026-Q1").values()
    assert (line.value, line.disputed) == (None, tuple(sorted((OURS, THEIRS))))

    of = said(150, tool, "2026-Q1")
    story.when(THEIRS, CorrectMetric(**of.model_dump(), reason="Of one month only."))

    assert states(story)[DIFFER_IN_THE_QUARTER] == "resolved"
    (line,) = lines(story, "web_visits", "2026-Q1").values()
    assert line.value == 150


@pytest.mark.parametrize("later", ["quarter", "months"])
def test_months_that_come_to_the_quarter_of_the_other_side_agree_with_it(later: str) -> None:
    story = by_months_and_by_quarter(50, 150, "billing", later=later)

    assert DIFFER_IN_THE_QUARTER not in states(story)
    (line,) = lines(story, "web_visits", "2026-Q1").values()
    assert line.value == 150
    assert line.disputed is None


def test_a_party_that_states_its_own_quarter_month_by_month_disputes_nothing() -> None:
    story = ruled((OURS, said(5000, "billing", "2026-Q1")))
    story.on("2026-04-02")
    for month in MONTHS:
        story.when(OURS, said(50, "billing", month))

    assert DIFFER_IN_THE_QUARTER not in states(story)
    (line,) = lines(story, "web_visits", "2026-Q1").values()
    assert line.value == 150
