"""The alerts of the demo's store: as they are, as they were, and each change of them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.answers import alerts, rules
from infra.answers.alerts import Alerts
from infra.answers.changes import Since, feed
from infra.answers.logs import AsOf, NotFound
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.bootstrap import Accord
from projections import ALERTS
from projections.alert_subjects import Subject
from projections.alerts import Alert, AlertEnd, AlertState
from projections.visibility import Viewer
from tests.feeds import played
from tests.infra.answers.helpers import printed

AURORA, CONSULTING = "aurora-series", "growthos-consulting"


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


def known(text: str) -> AsOf:
    return AsOf(known=datetime.fromisoformat(text).replace(tzinfo=UTC))


ALL = Paging(limit=LONGEST_PAGE)


def test_an_escalated_issue_names_both_sponsors_also_after_it_is_resolved(accord: Accord) -> None:
    found = alerts.ask(accord, CONSULTING, page=ALL).items
    (escalated,) = (each for each in found if each.rule == "issue-escalated")

    assert escalated.state is AlertState.RESOLVED
    assert escalated.text == (
        "Issue issue-2 was not resolved in time and is escalated to the executive sponsors: "
        "Ines Halloran and Petra Lindqvist."
    )


def states(found: Alerts) -> dict[str, AlertState]:
    return {each.rule: each.state for each in found.items}


def test_the_alerts_of_a_replay_of_everything_are_those_of_the_views(accord: Accord) -> None:
    replayed = alerts.ask(accord, when=known("2100-01-01"), page=ALL)

    assert replayed.items == alerts.ask(accord, page=ALL).items
    assert len(replayed.items) == 134


def test_alerts_come_by_partnership_and_those_that_opened_first_before_the_others(
    accord: Accord,
) -> None:
    found = alerts.ask(accord, page=ALL).items

    assert list(found) == sorted(found, key=lambda each: (each.partnership, each.since, each.id))


def test_alerts_are_given_as_they_were_known_before_a_correction(accord: Accord) -> None:
    def at(day: str) -> dict[str, AlertState]:
        return states(alerts.ask(accord, AURORA, when=known(day)))

    assert "conversion-floor" not in at("2026-06-30")
    assert at("2026-07-20")["conversion-floor"] is AlertState.OPEN
    assert at("2026-07-22")["conversion-floor"] is AlertState.WITHDRAWN
    (found,) = alerts.ask(accord, AURORA, AlertState.OPEN, known("2026-07-20")).items
    assert found.rule == "conversion-floor"


def test_an_alert_says_when_what_withdrew_it_was_recorded_also_as_of_a_day_before(
    accord: Accord,
) -> None:
    earlier = AsOf(at=datetime(2026, 3, 7, tzinfo=UTC))
    found = alerts.ask(accord, CONSULTING, AlertState.WITHDRAWN, earlier, ALL).items
    (late,) = [each for each in found if each.window == "first-review"]

    assert late.until == datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert alerts.outcome(late, "UTC").endswith(
        " Withdrawn by what was recorded on 2026-03-10: Milestone first-review was reached. It was "
        "in time and was reported late."
    )


def test_no_alert_ends_before_it_opened(accord: Accord) -> None:
    ended = [each for each in alerts.ask(accord, page=ALL).items if each.until is not None]

    assert len(ended) == 129
    assert [each.id for each in ended if each.until and each.until < each.since] == []


def test_a_party_is_given_the_alerts_of_its_partnerships_alone(accord: Accord) -> None:
    northbridge = AsOf(viewer=Viewer("northbridge"))

    found = alerts.ask(accord, when=northbridge).items

    assert {each.partnership for each in found} == {CONSULTING}
    assert found == alerts.ask(accord, CONSULTING).items


def test_pages_hold_every_alert_once_in_the_same_order(accord: Accord) -> None:
    items: list[Alert] = []
    page = Paging(limit=3)
    while page.limit:
        found = alerts.ask(accord, page=page)
        items += found.items
        page = Paging(found.next, 3 if found.next else 0)

    assert items == list(alerts.ask(accord, page=ALL).items)


def test_an_alert_on_a_figure_has_its_metric_and_unit_and_the_event_that_agreed_its_rule(
    accord: Accord,
) -> None:
    found = alerts.ask(accord, "aurora-series", page=Paging(limit=LONGEST_PAGE))
    agreed = {
        (each.rule.rule, each.version): each.agreed.index
        for each in rules.ask(accord, "aurora-series").rules
    }

    of_rules = [each for each in found.items if (each.rule, each.version) in agreed]
    assert of_rules
    for each in of_rules:
        about = found.about[each.id]
        assert about.agreed_by == agreed[each.rule, each.version]
        assert about.metric is not None
    floors = [found.about[each.id] for each in of_rules if each.rule == "conversion-floor"]
    assert {(each.metric, each.unit) for each in floors} == {("lead_to_opportunity", "percent")}


def test_an_alert_on_no_figure_is_about_none(accord: Accord) -> None:
    found = alerts.ask(accord, page=Paging(limit=LONGEST_PAGE))
    about = {each.rule: found.about.get(each.id) for each in found.items}

    assert about["dispute-opened"] is None
    assert about["referral-minimum"] == Subject("leads", unit="count")


def test_what_ends_each_open_alert_has_a_code_and_is_printed(accord: Accord) -> None:
    found = alerts.ask(accord, when=known("2026-09-21"), page=ALL)
    open_ones = {each.id: each for each in found.items if each.state is AlertState.OPEN}

    assert {*found.ends} == {*open_ones}
    assert all(each.code and each.text.startswith("It ends ") for each in found.ends.values())
    short = {open_ones[name].rule: each for name, each in found.ends.items()}
    assert short["referral-minimum"].code == "rule-kept"
    assert short["dispute-opened"].code == "event"
    assert short["dispute-opened"].events == ("DisputeResolved",)
    assert "ReviewHeld" in short["due-soon"].events
    assert all(len(each.events) < 10 for each in found.ends.values())
    lines = printed(alerts.text(found))
    assert all(each.text.split(",")[0] in lines for each in found.ends.values())


def test_what_ended_an_alert_has_a_code_that_agrees_with_its_state(accord: Accord) -> None:
    found = alerts.ask(accord, page=ALL).items

    assert all((each.ended is None) == (each.ended_code is None) for each in found)
    codes = {
        state: {each.ended_code for each in found if each.state is state} for state in AlertState
    }
    assert AlertEnd.DONE in codes[AlertState.RESOLVED]
    assert not codes[AlertState.RESOLVED] & codes[AlertState.WITHDRAWN]


def test_a_stranger_is_refused_the_alerts_of_a_partnership(demo: Accord) -> None:
    with pytest.raises(NotFound, match="nobody is not a party of growthos-consulting"):
        alerts.ask(demo, "growthos-consulting", when=AsOf(viewer=Viewer("nobody")))


def test_answers_name_the_people_who_act_and_what_is_stored_has_only_commitments(
    accord: Accord,
) -> None:
    found = alerts.ask(accord, CONSULTING).items
    people = {who.person for each in found for who in each.who_acts}
    stored = [row for _, row in accord.views.select(ALERTS.name, CONSULTING)]
    sent = [each.read().body for each in accord.views.stored_outputs(0, 10_000)]

    assert "Sam Adeyemi" in people
    assert "Sam Adeyemi" not in f"{stored}{sent}"
    assert "person:" in f"{stored}"
    assert "person:" in f"{sent}"


def test_the_feed_names_people_as_the_answers_do(accord: Accord) -> None:
    messages = next(
        batch.messages
        for batch in feed(accord, Since.BEGIN, partnership=CONSULTING)
        if any(each.alert for each in batch.messages)
    )

    people = {who.person for each in messages if each.alert for who in each.alert.who_acts}
    assert "Sam Adeyemi" in people
    assert not any(f"{each}".startswith("person:") for each in people)
