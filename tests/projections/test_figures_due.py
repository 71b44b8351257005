"""A figure that was agreed to be reported is due, and who reports it is told (C8, C14, C19)."""

from datetime import date

from domain.formation import ProposeCharter
from domain.kernel import Stage
from domain.markets import ProposeMetricOwner, Role
from domain.reported_figure import ReportMetric
from domain.sharing import ProposeDataSharing, SharingLine
from domain.terms import DayRules
from infra.answers import inbox
from infra.answers.inbox import Awaiting
from tests.life import CHARTER, OURS, THEIRS, at, changed
from tests.projections.folds import alerts, count, report, states
from tests.projections.money import amend
from tests.stories import Story, moment

(NEW_USERS,) = (each for each in CHARTER.objectives if each.metric == "new_users")


def promised(frequency: str = "monthly", *, days: int | None = 10, **line: object) -> Story:
    """Return one in execution that agreed one objective, or one line of data sharing."""
    story = at(Stage.EXECUTION)
    if days:
        amend(story, since=date(2026, 1, 6), days=DayRules(figure_days=days))
    charter = changed(CHARTER, objectives=[changed(NEW_USERS, frequency=frequency)])
    story.agree(OURS, ProposeCharter(proposal="charter-9", charter=charter))
    given = {"metrics": ["web_visits"], "to": OURS, "frequency": "monthly", "tool": "ga", **line}
    lines = [SharingLine.model_validate(given)] if line else []
    story.agree(OURS, ProposeDataSharing(proposal="sharing-9", lines=lines))
    return story


def overdue(story: Story) -> dict[str, str]:
    return {
        name.removeprefix("figure-overdue "): state
        for name, state in states(story).items()
        if name.startswith("figure-overdue ")
    }


JANUARY = "new_users/-/2026-01"


def test_a_figure_is_reminded_of_and_overdue_ten_days_after_its_period_until_it_is_reported() -> (
    None
):
    story = promised()
    story.on("2026-02-08T23:00")
    assert f"due-soon figure/{JANUARY}" not in states(story)
    story.on("2026-02-09T01:00")
    assert alerts(story)[f"due-soon figure/{JANUARY}"].text == (
        "The figure for new users in 2026-01 is to be reported by 2026-02-10."
    )
    assert overdue(story) == {}

    story.on("2026-02-11T00:00")

    alert = alerts(story)[f"figure-overdue {JANUARY}"]
    assert (alert.state, alert.since) == ("open", moment("2026-02-11T00:00"))
    assert alert.text == "The figure for new users in 2026-01 was not reported in time."
    story.on("2026-02-12")
    report(story, "new_users", "2026-01", count(10))
    assert overdue(story) == {JANUARY: "resolved"}


def test_a_figure_that_is_reported_in_time_is_neither_reminded_of_nor_overdue() -> None:
    story = promised()
    story.on("2026-02-02")
    report(story, "new_users", "2026-01", count(10))

    story.on("2026-03-01")

    assert overdue(story) == {}
    assert not [name for name in states(story) if name.startswith("due-soon figure/")]


def test_a_report_in_time_that_is_recorded_late_withdraws_the_alert() -> None:
    story = promised()
    story.on("2026-02-12")

    command = ReportMetric(metric="new_users", period="2026-01", tool="crm", figure=count(3))
    story.when(OURS, command, happened="2026-02-05")

    assert overdue(story) == {JANUARY: "withdrawn"}


def test_without_agreed_days_a_figure_is_due_before_the_next_period_ends() -> None:
    story = promised(days=None)
    story.on("2026-02-28T23:00")
    assert overdue(story) == {}
    story.on("2026-03-01")
    assert overdue(story) == {JANUARY: "open"}

    story = promised("quarterly", days=None)
    story.on("2026-06-30T23:00")
    assert overdue(story) == {}
    story.on("2026-07-01")
    assert overdue(story) == {"new_users/-/2026-Q1": "open"}


def test_the_end_of_the_partnership_says_that_it_ended_and_not_that_figures_were_reported() -> None:
    story = at(Stage.ENDED)
    end = story.history[-1].act.occurred_at

    found = [
        each.ended
        for each in alerts(story).values()
        if each.rule == "figure-overdue" and each.until == end
    ]

    assert {*found} == {"The partnership has ended."}


def test_both_can_agree_other_days_for_figures() -> None:
    story = promised()
    amend(story, since=date(2026, 1, 20), days=DayRules(figure_days=3))

    story.on("2026-02-04T00:00")

    assert overdue(story) == {JANUARY: "open"}


def test_a_quarterly_figure_is_due_for_quarters_and_its_three_months_are_one() -> None:
    story = promised("quarterly")
    report(story, "new_users", "2026-01", count(1))
    story.on("2026-04-12")
    assert overdue(story) == {"new_users/-/2026-Q1": "open"}
    report(story, "new_users", "2026-02", count(1))
    assert overdue(story) == {"new_users/-/2026-Q1": "open"}

    report(story, "new_users", "2026-03", count(1))

    assert overdue(story) == {"new_users/-/2026-Q1": "resolved"}


def test_the_owner_of_the_metric_is_told() -> None:
    story = promised()
    owner = ProposeMetricOwner(
        proposal="owner-9", metric="new_users", owner="Boris", local=False, role=Role.ANALYST
    )
    story.agree(OURS, owner)

    story.on("2026-02-11")

    (who,) = alerts(story)[f"figure-overdue {JANUARY}"].who_acts
    assert (who.party, who.office, who.person) == (THEIRS, "metric-owner", "Boris")


def test_the_party_that_gives_a_figure_by_a_line_reports_it_and_nobody_else_does() -> None:
    story = promised(by=THEIRS)
    ref = f"web_visits/-/2026-01/{THEIRS}"
    story.on("2026-02-11")
    assert overdue(story)[ref] == "open"
    assert [each.party for each in alerts(story)[f"figure-overdue {ref}"].who_acts] == [THEIRS]

    report(story, "web_visits", "2026-01", count(9))
    assert overdue(story)[ref] == "open"
    command = ReportMetric(metric="web_visits", period="2026-01", tool="ga", figure=count(9))
    story.when(THEIRS, command)

    assert overdue(story)[ref] == "resolved"


def test_the_inbox_names_the_tool_that_both_agreed_for_a_figure() -> None:
    story = promised()
    story.on("2026-02-02")

    asked = [
        (each.text, each.events[0].data, each.events[0].missing)
        for rows in inbox.of_events(story.id, story.history)
        for each in inbox.items(rows)
        if each.ref == JANUARY and each.party == OURS
    ]

    data = {"metric": "new_users", "period": "2026-01", "tool": "crm"}
    assert asked == [("Report the figure for new users in 2026-01 from crm.", data, ("figure",))]


def test_a_line_that_is_over_asks_for_no_more_figures() -> None:
    story = promised(by=THEIRS, until="2026-03-01")

    story.on("2026-04-20")

    # Reports from 1 March on are not shared, so the line asks for no figure of February.
    found = [name for name in overdue(story) if name.startswith("web_visits")]
    assert found == [f"web_visits/-/2026-01/{THEIRS}"]


VISITS = {"metrics": ["web_visits"], "frequency": "monthly", "tool": "ga"}


def shared(story: Story, name: str, *lines: dict[str, object], third: str | None = None) -> None:
    """Let both parties agree these lines of data sharing, and nothing else."""
    party = {"party": third, "name": "A trustee"} if third else None
    command = {"proposal": name, "lines": [{**VISITS, **each} for each in lines]}
    story.agree(OURS, ProposeDataSharing.model_validate({**command, "third_party": party}))


def test_each_giver_of_a_metric_owes_its_own_figure() -> None:
    story = promised()
    shared(story, "both", {"by": OURS, "to": THEIRS}, {"by": THEIRS, "to": OURS})
    story.on("2026-02-01")
    report(story, "web_visits", "2026-01", count(7))

    story.on("2026-02-11")

    visits = {name: state for name, state in overdue(story).items() if "visits" in name}
    assert visits == {f"web_visits/-/2026-01/{THEIRS}": "open"}
    asked = {
        (each.party, each.text)
        for rows in inbox.of_events(story.id, story.history)
        for each in inbox.items(rows)
        if "web_visits" in each.ref and "2026-01" in each.ref
    }
    assert asked == {(THEIRS, f"Report the figure for web visits in 2026-01 ({THEIRS}).")}


def test_the_third_party_owes_its_aggregates_and_nobody_else_reports_them() -> None:
    story = promised()
    lines: list[dict[str, object]] = [
        {"by": THEIRS, "to": "trust"},
        {"by": "trust", "to": OURS},
    ]
    shared(story, "third", *lines, third="trust")

    story.on("2026-02-11")
    visits = {name for name in overdue(story) if "visits" in name}
    assert visits == {f"web_visits/-/2026-01/{each}" for each in (THEIRS, "trust")}
    story.when(
        "trust", ReportMetric(metric="web_visits", period="2026-01", tool="ga", figure=count(9))
    )

    states_ = {name.rpartition("/")[2]: state for name, state in overdue(story).items()}
    assert states_[THEIRS] == "open"
    assert states_["trust"] == "resolved"


def test_what_both_agree_to_report_no_more_is_not_overdue_any_more() -> None:
    story = promised(by=THEIRS)
    story.on("2026-02-20")
    assert overdue(story) == {JANUARY: "open", f"web_visits/-/2026-01/{THEIRS}": "open"}

    shared(story, "nothing")
    charter = changed(CHARTER, objectives=[changed(NEW_USERS, metric="new_subscribers")])
    story.agree(OURS, ProposeCharter(proposal="charter-10", charter=charter))

    assert {*overdue(story).values()} == {"resolved"}
    alert = alerts(story)[f"figure-overdue {JANUARY}"]
    assert alert.ended == "Both parties agreed other figures."
    missing = [
        each.ref
        for rows in inbox.of_events(story.id, story.history)
        for each in inbox.items(rows)
        if "2026-01" in each.ref
    ]
    assert missing == []


def test_an_objective_that_stays_in_a_new_charter_leaves_its_figure_overdue() -> None:
    story = promised()
    story.on("2026-02-20")
    charter = changed(CHARTER, objectives=[changed(NEW_USERS, frequency="monthly")])

    story.agree(OURS, ProposeCharter(proposal="charter-10", charter=charter))

    assert overdue(story) == {JANUARY: "open"}


def test_a_figure_is_due_in_the_inbox_then_overdue_then_gone() -> None:
    story = promised()

    def found() -> list[tuple[str, Awaiting, date]]:
        return [
            (each.party, each.awaiting, each.day)
            for rows in inbox.of_events(story.id, story.history)
            for each in inbox.items(rows)
            if each.ref == JANUARY
        ]

    story.on("2026-02-01")
    day = date(2026, 2, 10)
    assert found() == [(OURS, Awaiting.DUE, day), (THEIRS, Awaiting.DUE, day)]
    story.on("2026-02-11")
    assert found() == [(OURS, Awaiting.OVERDUE, day), (THEIRS, Awaiting.OVERDUE, day)]
    report(story, "new_users", "2026-01", count(10))
    assert found() == []


def test_after_the_deadline_of_its_objective_no_figure_is_due() -> None:
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 1, 6), days=DayRules(figure_days=10))
    short = changed(NEW_USERS, deadline=date(2026, 2, 28))
    charter = changed(CHARTER, objectives=[short])
    story.agree(OURS, ProposeCharter(proposal="charter-9", charter=charter))
    story.agree(OURS, ProposeDataSharing(proposal="sharing-9", lines=[]))

    story.on("2026-05-20")

    assert [*overdue(story)] == [JANUARY, "new_users/-/2026-02"]


def test_a_figure_is_given_by_the_agreed_tool_and_not_by_another() -> None:
    story = promised()
    story.on("2026-02-12")

    report(story, "new_users", "2026-01", count(5000), tool="guess")
    assert overdue(story) == {JANUARY: "open"}

    report(story, "new_users", "2026-01", count(10), tool=NEW_USERS.tool)
    assert overdue(story) == {JANUARY: "resolved"}


def test_a_report_of_another_tool_in_time_leaves_the_figure_due() -> None:
    story = promised()
    story.on("2026-02-02")
    report(story, "new_users", "2026-01", count(5000), tool="guess")

    story.on("2026-02-11T00:00")

    assert overdue(story) == {JANUARY: "open"}


def test_a_tool_that_both_agreed_anew_gives_the_figures_that_are_missing() -> None:
    story = promised()
    story.on("2026-02-12")
    again = changed(NEW_USERS, frequency="monthly", tool="billing")
    charter = changed(CHARTER, objectives=[again])
    story.agree(OURS, ProposeCharter(proposal="charter-10", charter=charter))
    assert overdue(story) == {JANUARY: "open"}

    report(story, "new_users", "2026-01", count(10), tool=NEW_USERS.tool)
    assert overdue(story) == {JANUARY: "open"}

    report(story, "new_users", "2026-01", count(10), tool="billing")
    assert overdue(story) == {JANUARY: "resolved"}


def test_a_line_of_data_sharing_is_given_by_a_report_of_any_tool() -> None:
    story = promised(by=OURS, to=THEIRS, metrics=["web_visits"])
    story.on("2026-02-12")
    assert overdue(story)[f"web_visits/-/2026-01/{OURS}"] == "open"

    report(story, "web_visits", "2026-01", count(10), tool="matomo")

    assert overdue(story)[f"web_visits/-/2026-01/{OURS}"] == "resolved"
