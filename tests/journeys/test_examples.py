"""The demo's feeds, played in order: what they come to, by the ordinary parts alone."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import aggregates
from domain.examples import EXAMPLES
from domain.recorded import Recorded
from domain.renewal import PartnershipRenewed
from infra.answers import show
from infra.answers.logs import AsOf, view_rows
from infra.bootstrap import Accord
from infra.deciding.batch import Outcome
from infra.store.history import NOTHING, partnerships
from infra.tlog import cloudevents
from infra.tlog.codec import decode, encode
from projections import KPIS, PROJECTIONS
from projections import figures as reading
from projections.counted import FACTS
from projections.fold import replay
from tests.feeds import FEEDS, MORE, event_of, messages, play, simulated

Row = dict[str, Any]

REFUSED = {
    "1-growthos": {"grw-0043": "overlap-known", "grw-0108": "not-the-current-version"},
    "2-spring-launch": {
        "spr-0016": "local-feedback-first",
        "spr-0041": "alignment:cultural_compatibility",
        "spr-0131": "improvement-deadline",
    },
    "3-producer-renewal": {"aur-0013": "checklist:exit_clause", "aur-0078": "own-proposal"},
    "4-producer-exit": {
        "cob-0010": "splits-add-up",
        "cob-0049": "notice-period",
        "cob-0058": "after-exit",
    },
    "5-adopted-partner": {"hbl-0006": "wrong-stage"},
}
STAGES = {
    "growthos-consulting": "scaling",
    "spring-spain": "scaling",
    "spring-france": "ended",
    "spring-germany": "ended",
    "aurora-series": "scaling",
    "cobalt-docs": "ended",
    "growthos-harbourlight": "ended",
}
OPEN_MONTHS = {2, 3, 5, 6, 9}
"""The months with leads of northbridge that growthos has not answered: they have no last day."""

ANSWERED_ONCE = {1, 2, 4, 5, 7, 8}
"""The months in which growthos had answered every lead, and northbridge submitted another."""

ALERTS = {
    "aurora-series": {
        "lead-unanswered@1 2026-10/helio-plus": "resolved",
        "due-soon@1 objective/co-branded-revenue": "resolved",
        "due-soon@1 objective/trial-conversion": "resolved",
        "due-soon@1 objective/watch-time": "resolved",
        "due-soon@1 signature/1/aurora-films": "resolved",
        "renewal-open@1 renewal": "resolved",
        "claim-awaits-confirmation@1 entry/aur-cost-1/entry": "resolved",
        "conversion-floor@1 2026-Q2": "withdrawn",
        "notice-due@1 2026-11-02": "resolved",
        "due-soon@1 review/aur-2026-q1": "resolved",
        "due-soon@1 review/conversion-floor:1:2026-Q2": "resolved",
        "renewal-declined@1 aur-renew-a": "resolved",
    },
    "cobalt-docs": {
        "lead-unanswered@1 2026-09/meridian-tv": "resolved",
        "due-soon@1 objective/newsletter": "resolved",
        "due-soon@1 objective/trial": "resolved",
        "due-soon@1 objective/viewers": "resolved",
        "due-soon@1 figure/new_subscribers/-/2026-Q2": "resolved",
        "figure-overdue@1 new_subscribers/-/2026-Q2": "resolved",
        "due-soon@1 figure/new_subscribers/-/2026-Q3": "resolved",
        "due-soon@1 figure/unique_viewers/-/2026-Q3": "resolved",
        "figure-overdue@1 new_subscribers/-/2026-Q3": "resolved",
        "figure-overdue@1 unique_viewers/-/2026-Q3": "resolved",
        "investment-reduced@1 docs-week/campaign-leads:1:2026-06:docs-week": "resolved",
        "investment-reduced@1 docs-week/campaign-leads:1:2026-07:docs-week": "resolved",
        "renewal-open@1 renewal": "resolved",
        "campaign-leads@1 2026-06/docs-week": "resolved",
        "campaign-leads@1 2026-07/docs-week": "withdrawn",
        "due-soon@1 exit/2027-01-01": "resolved",
        "due-soon@1 review/cob-2026-q3": "resolved",
        "exit-incomplete@1 2027-01-01": "resolved",
        "exit-ahead@1 exit": "resolved",
    },
    "growthos-consulting": {
        **{
            f"lead-unanswered@1 2026-{each:02}/growthos": "open"
            if each in OPEN_MONTHS
            else "resolved"
            for each in range(1, 10)
        },
        "risk-open@1 one-source": "resolved",
        "dispute-opened@1 trial": "resolved",
        "due-soon@1 action/mention": "resolved",
        "due-soon@1 action/one-pager": "resolved",
        "due-soon@1 milestone/creative-final": "resolved",
        "due-soon@1 milestone/first-review": "resolved",
        "due-soon@1 milestone/launch": "resolved",
        "issue-escalated@1 issue-2": "resolved",
        "milestone-missed@1 first-review": "withdrawn",
        "milestone-missed@1 launch": "resolved",
        "referral-minimum@1 2026-Q1": "resolved",
        "referral-minimum@1 2026-Q2": "resolved",
        "due-soon@1 review/review-2026-q1": "resolved",
        "due-soon@1 review/review-2026-q2": "resolved",
        "due-soon@1 review/review-2026-q3": "resolved",
        "review-missed@1 review-2026-q1": "resolved",
    },
    "growthos-harbourlight": {
        "due-soon@1 objective/first-session": "resolved",
        "due-soon@1 objective/joint-revenue": "resolved",
        "due-soon@1 objective/referrals": "resolved",
        "due-soon@1 silence/2026-08-25/harbourlight": "resolved",
        "due-soon@1 silence/2026-10-01/growthos": "resolved",
        "due-soon@1 silence/2026-10-06/harbourlight": "resolved",
        "due-soon@1 statement/2026-08:USD": "resolved",
        "due-soon@1 figure/co_branded_revenue/-/2026-10": "resolved",
        "figure-overdue@1 co_branded_revenue/-/2026-10": "resolved",
        "due-soon@1 figure/co_branded_revenue/-/2026-11": "resolved",
        "figure-overdue@1 co_branded_revenue/-/2026-11": "resolved",
        "objective-missed@1 referrals": "resolved",
        "health-low@1 growthos": "resolved",
        "risk-open@1 one-consultant": "resolved",
        "breach-notice@1 exports": "resolved",
        "cadence-missed@1 strategic": "resolved",
        "claim-awaits-confirmation@1 payout/hl-out-5/payout": "resolved",
        "lead-awaits-answer@1 deal/hl-0001/referral": "resolved",
        "lead-awaits-answer@1 deal/hl-0002/referral": "resolved",
        "lead-awaits-answer@1 deal/hl-0003/referral": "resolved",
        "lead-awaits-answer@1 deal/hl-0004/referral": "resolved",
        "lead-awaits-answer@1 deal/hl-0005/referral": "resolved",
        "lead-awaits-answer@1 deal/hl-0006/referral": "resolved",
        "due-soon@1 cadence/strategic": "resolved",
        "due-soon@1 exit/2027-01-16": "resolved",
        "exit-ahead@1 exit": "resolved",
        "exit-incomplete@1 2027-01-16": "resolved",
        "action-overdue@1 price-list": "resolved",
        "claim-awaits-confirmation@1 deal/hl-0004/touch/webinar": "resolved",
        "claim-awaits-confirmation@1 entry/hl-cost-1/entry": "resolved",
        "claim-awaits-confirmation@1 entry/hl-cost-2/entry": "resolved",
        "claim-awaits-confirmation@1 payout/hl-out-1/correction/growthos": "resolved",
        "claim-awaits-confirmation@1 payout/hl-out-1/payout": "resolved",
        "claim-awaits-confirmation@1 payout/hl-out-2/payout": "resolved",
        "claim-awaits-confirmation@1 payout/hl-out-3/payout": "resolved",
        "claim-awaits-confirmation@1 payout/hl-out-4/payout": "resolved",
        "correction-takes-money@1 "
        "deal/hl-0001/correction/win@2026-07-27T15:00:00Z@growthos": "resolved",
        "correction-takes-money@1 "
        "deal/hl-0002/correction/payment/hl-pay-2@2026-08-06T15:00:00Z@growthos": "resolved",
        "dispute-opened@1 credit": "resolved",
        "due-soon@1 action/price-list": "resolved",
        "due-soon@1 improvement/more-leads": "resolved",
        "due-soon@1 milestone/certified": "resolved",
        "due-soon@1 onboarding/first-setup": "resolved",
        "due-soon@1 review/hl-2026-q3": "resolved",
        "improvement-due@1 more-leads": "resolved",
        "investment-reduced@1 autumn-onboarding/autumn-ads": "resolved",
        "milestone-missed@1 certified": "withdrawn",
        "statement-overdue@1 2026-08:USD": "resolved",
    },
    "growthos-program": {},
    "spring-france": {
        "due-soon@1 objective/new-subscribers": "resolved",
        "due-soon@1 objective/new-users": "resolved",
        "due-soon@1 objective/web-visits": "resolved",
        "due-soon@1 figure/new_subscribers/-/2026-02": "resolved",
        "figure-overdue@1 new_subscribers/-/2026-02": "resolved",
        "due-soon@1 figure/new_subscribers/-/2026-03": "resolved",
        "figure-overdue@1 new_subscribers/-/2026-03": "resolved",
        "due-soon@1 figure/new_users/-/2026-Q1": "resolved",
        "due-soon@1 figure/web_visits/-/2026-Q1": "resolved",
        "figure-overdue@1 new_users/-/2026-Q1": "resolved",
        "figure-overdue@1 web_visits/-/2026-Q1": "resolved",
        "objective-missed@1 new-subscribers": "resolved",
        "due-soon@1 figure/new_users/-/2026-Q2": "resolved",
        "due-soon@1 figure/web_visits/-/2026-Q2": "resolved",
        "figure-overdue@1 new_users/-/2026-Q2": "resolved",
        "figure-overdue@1 web_visits/-/2026-Q2": "resolved",
        "due-soon@1 exit/2026-10-01": "resolved",
        "due-soon@1 improvement/fr-plan": "resolved",
        "exit-incomplete@1 2026-10-01": "resolved",
        "exit-ahead@1 exit": "resolved",
        "improvement-due@1 fr-plan": "resolved",
        "due-soon@1 review/fr-review-may": "resolved",
        "due-soon@1 review/subscription-floor:1:2026-05": "resolved",
        "due-soon@1 review/subscription-floor:1:2026-06": "resolved",
        "subscription-floor@1 2026-05": "resolved",
        "subscription-floor@1 2026-06": "resolved",
    },
    "spring-germany": {},
    "spring-spain": {
        "due-soon@1 objective/new-subscribers": "resolved",
        "due-soon@1 milestone/es-launch": "resolved",
        "due-soon@1 milestone/es-review": "resolved",
        "milestone-missed@1 es-review": "withdrawn",
    },
}


Played = tuple[Accord, dict[str, list[Outcome]]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A store into which each feed was played in order, and what came of each."""
    with simulated(tmp_path_factory.mktemp("examples")) as accord:
        outcomes = {feed.stem: play(accord, feed) for feed in FEEDS}
        accord.runner.catch_up()
        yield accord, outcomes


@pytest.fixture(scope="module")
def accord(played: Played) -> Accord:
    return played[0]


@pytest.fixture(scope="module")
def outcomes(played: Played) -> dict[str, list[Outcome]]:
    return played[1]


def log(accord: Accord, name: str) -> list[Recorded]:
    return list(accord.history.of(name))


# --- what the feeds come to --------------------------------------------------------------------


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.stem)
def test_a_feed_is_accepted_but_for_the_refusals_it_shows(
    outcomes: dict[str, list[Outcome]], feed: Path
) -> None:
    came_of = outcomes[feed.stem]

    assert len(came_of) == len(messages(feed))
    assert {each.status for each in came_of} == {"accepted", "refused"}
    refused = {each.id: each.rule for each in came_of if each.status == "refused"}
    assert refused == REFUSED[feed.stem]


def test_what_was_refused_is_kept_with_its_mend(accord: Accord) -> None:
    kept = accord.history.refusals()

    assert {each.source_id: each.rule for each in kept} == {
        name: rule for refused in REFUSED.values() for name, rule in refused.items()
    }
    assert all(each.hint for each in kept)


def test_every_partnership_reaches_its_last_stage(accord: Accord) -> None:
    rows = accord.views.rows_of("overview", accord.history.partnerships())
    found = {name: each["overview"]["stages"][-1]["stage"] for name, each in rows.items()}

    assert found == STAGES


def test_every_alert_of_the_stories_fired_and_ended(accord: Accord) -> None:
    found = {
        name: {
            f"{row['rule']}@{row['version']} {row['window']}": row["state"]
            for key, row in accord.views.select("alerts", name, before=FACTS)
            if key != "state"
        }
        for name in partnerships(accord.history)
    }

    assert found == ALERTS


def test_each_alert_was_emitted_as_open_before_it_ended(accord: Accord) -> None:
    said: dict[str, list[str]] = {}
    for output in accord.views.outputs(limit=1000):
        said.setdefault(output.body["id"], []).append(output.body["state"])

    assert sum(map(len, ALERTS.values())) == len(said)
    # An alert on what both own is emitted again when it is handed to one of them.
    opened_again = {name for name, states in said.items() if {*states[:-1]} - {"open"}}
    leads = {
        each: f"lead-unanswered@1/growthos-consulting/2026-{each:02}/growthos"
        for each in range(1, 10)
    }
    assert opened_again == {
        "exit-ahead@1/growthos-harbourlight/exit",
        *(leads[each] for each in ANSWERED_ONCE),
    }
    still = {leads[each] for each in OPEN_MONTHS}
    assert all(states[0] == "open" for states in said.values())
    assert {name for name, states in said.items() if states[-1] == "open"} == still


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.stem)
def test_each_feed_has_a_late_fact_and_a_correction(
    accord: Accord, outcomes: dict[str, list[Outcome]], feed: Path
) -> None:
    names = {each.partnership for each in outcomes[feed.stem]}
    events = [each for name in names for each in log(accord, name)]

    assert any(each.late_days for each in events)
    assert any(each.event.wire == "MetricCorrected" for each in events)


def test_played_again_everything_is_a_duplicate_and_nothing_is_added(played: Played) -> None:
    accord, outcomes = played
    size = accord.history.size()
    for feed in FEEDS:
        for before, after in zip(outcomes[feed.stem], play(accord, feed), strict=True):
            assert after.status == {"accepted": "duplicate"}.get(before.status, "refused")
            if after.status == "duplicate":
                # Those that were refused are decided again, and refused by what is true now.
                assert after == replace(before, status=after.status)

    assert accord.history.size() == size
    assert len(accord.history.refusals()) == sum(map(len, REFUSED.values()))


def test_every_command_is_accepted_from_a_feed(tmp_path: Path) -> None:
    used = {
        event["type"]
        for feed in FEEDS
        for event in map(event_of, messages(feed))
        if event["id"] not in REFUSED[feed.stem]
    }
    with simulated(tmp_path) as beside:
        for feed in MORE:
            assert {each.status for each in play(beside, feed)} == {"accepted"}
            used |= {event_of(each)["type"] for each in messages(feed)}

    assert {f"{cloudevents.PREFIX}{each.__name__}" for each in EXAMPLES} <= used


# --- the documents' numbers --------------------------------------------------------------------


def test_the_quarters_of_a_year_add_up_to_the_year(accord: Accord) -> None:
    for name in partnerships(accord.history):
        rows = view_rows(accord, KPIS, name)
        for metric in ("leads", "deals_won", "new_subscribers", "watch_time"):
            parts = [reading.figure(rows, metric, f"2026-Q{each}") for each in (1, 2, 3, 4)]
            known = [each.value for each in parts if each and each.value is not None]
            whole = reading.figure(rows, metric, "2026")
            assert (whole.value if whole else None) == (sum(known) if known else None)


def test_the_renewed_series_runs_two_years_more(accord: Accord) -> None:
    (renewed,) = (
        each.event
        for each in log(accord, "aurora-series")
        if isinstance(each.event, PartnershipRenewed)
    )

    assert renewed.ends_on.year == 2029


# --- laws over the examples --------------------------------------------------------------------


def test_stored_bytes_are_what_is_encoded_again(accord: Accord) -> None:
    for name in partnerships(accord.history):
        for body in accord.history.bodies(name):
            assert encode(decode(body)) == body


def test_two_plays_of_the_feeds_give_the_same_bytes(
    accord: Accord, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with simulated(tmp_path_factory.mktemp("again")) as again:
        for feed in FEEDS:
            for raw in messages(feed):
                again.service.handle([raw])
        for name in partnerships(accord.history):
            assert list(again.history.bodies(name)) == list(accord.history.bodies(name))


def moments(accord: Accord) -> list[datetime]:
    events = accord.history.after(NOTHING, 10_000)
    return sorted({each.act.recorded_at for each in events})


def without_its_moment(replayed: Iterable[Recorded]) -> list[Recorded]:
    """Return the events of a replay as they are in the log, which knows no moment of a replay."""
    return [replace(each, act=each.act._replace(asked_at=None)) for each in replayed]


@settings(max_examples=30)
@given(st.data())
def test_as_of_a_time_is_the_fold_of_the_prefix_where_no_fact_came_late(
    accord: Accord, data: st.DataObject
) -> None:
    time = data.draw(st.sampled_from(moments(accord)))
    name = data.draw(st.sampled_from(list(partnerships(accord.history))))
    events = log(accord, name)
    known = [each for each in events if each.act.recorded_at <= time]
    replayed = list(AsOf(at=time).of(events))
    as_of = without_its_moment(replayed)
    late = [each for each in events if each.act.occurred_at <= time < each.act.recorded_at]

    assert [each for each in as_of if each not in late] == known
    assert known == events[: len(known)] == list(AsOf(known=time).of(events))
    if not late:
        assert aggregates.fold(replayed) == aggregates.fold(events[: len(known)])
        for projection in PROJECTIONS:
            one, other = replay(projection, replayed), replay(projection, known)
            assert one.rows == other.rows


@settings(max_examples=20)
@given(st.data())
def test_what_was_known_of_a_time_is_never_more_than_what_happened_by_it(
    accord: Accord, data: st.DataObject
) -> None:
    happened, known = (data.draw(st.sampled_from(moments(accord))) for _ in range(2))
    events = log(accord, "growthos-consulting")
    both = without_its_moment(AsOf(at=happened, known=known).of(events))

    assert both == [
        each
        for each in events
        if each.act.occurred_at <= happened and each.act.recorded_at <= known
    ]
    aggregates.fold(both)


def test_the_share_of_the_terms_in_force_when_a_late_sale_happened(accord: Accord) -> None:
    events = log(accord, "growthos-consulting")
    (sale,) = [each for each in events if each.late_days and each.event.wire == "DealWon"]

    assert (sale.act.occurred_at.day, sale.act.occurred_at.month) == (30, 6)
    assert (sale.act.recorded_at.day, sale.act.recorded_at.month) == (5, 7)
    rows = view_rows(accord, KPIS, "growthos-consulting")
    won = reading.figure(rows, "deals_won", "2026-Q2")
    assert won is not None
    assert won.value == 1


def test_the_queries_show_the_same_stages(accord: Accord) -> None:
    for name, stage in STAGES.items():
        assert show.ask(accord, name).stage == stage
