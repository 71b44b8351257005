"""The list of partnerships, now and as of a moment."""

from pathlib import Path

from domain.kernel import Stage
from infra.answers import alerts, show
from infra.answers.logs import NOW, AsOf
from infra.answers.partnerships import PartnershipSummary, ask
from infra.answers.question import Paging
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections.alerts import AlertState
from tests.feeds import FEEDS, messages, simulated
from tests.infra.answers.demo import CONSULTING, day
from tests.infra.answers.helpers import AURORA


def listed(accord: Accord, when: AsOf = NOW) -> list[PartnershipSummary]:
    pages: list[PartnershipSummary] = []
    page = ask(accord, when, Paging(limit=2))
    while True:
        pages += page.items
        if page.next is None:
            return pages
        page = ask(accord, when, Paging(page.next, 2))


def test_the_list_has_each_partnership_with_its_stage_its_parties_and_its_size(
    demo: Accord,
) -> None:
    rows = listed(demo)

    program = "growthos-program"
    assert [row.id for row in rows] == [
        each for each in partnerships(demo.history) if each != program
    ]
    (consulting,) = (row for row in rows if row.id == CONSULTING)
    assert consulting.stage is Stage.SCALING
    assert consulting.names == {"growthos": "GrowthOS", "northbridge": "Northbridge Advisory"}
    assert consulting.events == len(list(demo.history.of(CONSULTING)))
    assert sum(row.events for row in rows) == demo.history.size() - len(
        list(demo.history.of(program))
    )


def test_the_list_counts_the_alerts_that_are_open_now(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(messages(FEEDS[0])[:263])
        accord.runner.catch_up()

        (row,) = listed(accord)
        found = alerts.ask(accord, state=AlertState.OPEN).items

    assert row.open_alerts == len(found)
    assert {each.rule for each in found} == {"referral-minimum", "risk-open", "lead-unanswered"}


# --- lists as of a time ------------------------------------------------------------------------

EVERYTHING = AsOf(known=day("2100-01-01"))


def test_lists_by_replay_of_all_there_is_are_those_of_the_views(demo: Accord) -> None:
    assert listed(demo, EVERYTHING) == listed(demo)


def test_the_list_of_an_earlier_day_has_what_had_begun_by_then(demo: Accord) -> None:
    then = AsOf(at=day("2026-02-28"))
    rows = {row.id: row for row in listed(demo, then)}

    assert rows["cobalt-docs"].stage is Stage.FORMATION
    assert rows[CONSULTING].events == show.ask(demo, CONSULTING, when=then).events
    assert rows[CONSULTING].last_recorded_at < day("2026-03-01")
    assert listed(demo, AsOf(at=day("2020-01-01"))) == []


def test_the_list_counts_the_alerts_that_were_open_then(demo: Accord) -> None:
    (row,) = (row for row in listed(demo, AsOf(known=day("2026-07-20"))) if row.id == AURORA)

    assert row.open_alerts == 1
