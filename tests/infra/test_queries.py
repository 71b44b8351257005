"""Questions asked of the demo's store: each answer can be checked against the log itself."""

# The statements that tamper with a store are this file's own.

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.kernel import Stage
from domain.reported_figure import Figure, ReportMetric
from infra import answers
from infra.answers import AsOf, Checked, Difference, alerts, history, show
from infra.answers import partnerships as partnerships_answer
from infra.answers.logs import NOW
from infra.answers.partnerships import Partnership
from infra.answers.question import Paging
from infra.bootstrap import Accord
from infra.projecting.runner import partnerships
from projections.alerts import AlertState
from projections.visibility import Viewer
from tests.feeds import FEEDS, messages, play, played, simulated
from tests.infra.answers.test_explain import only_figure
from tests.infra.messages import beginning, message

Row = dict[str, Any]

CONSULTING = "growthos-consulting"
AURORA = "aurora-series"


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- lists -------------------------------------------------------------------------------------


def listed(accord: Accord, when: AsOf = NOW) -> list[Partnership]:
    pages: list[Partnership] = []
    page = partnerships_answer.ask(accord, when, Paging(limit=2))
    while True:
        pages += page.items
        if page.next is None:
            return pages
        page = partnerships_answer.ask(accord, when, Paging(page.next, 2))


def test_the_list_has_each_partnership_with_its_stage_its_parties_and_its_size(
    accord: Accord,
) -> None:
    rows = listed(accord)

    assert [row.id for row in rows] == list(partnerships(accord.history))
    (consulting,) = (row for row in rows if row.id == CONSULTING)
    assert consulting.stage is Stage.SCALING
    assert consulting.names == {"growthos": "GrowthOS", "northbridge": "Northbridge Advisory"}
    assert consulting.events == len(list(accord.history.of(CONSULTING)))
    assert sum(row.events for row in rows) == accord.history.size()


def test_the_list_counts_the_alerts_that_are_open_now(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(messages(FEEDS[0])[:230])
        accord.runner.catch_up()

        (row,) = listed(accord)
        found = alerts.ask(accord, state=AlertState.OPEN).items

    assert row.open_alerts == len(found) == 2
    assert {each.rule for each in found} == {"referral-minimum"}


# --- lists as of a time ------------------------------------------------------------------------

EVERYTHING = AsOf(known=day("2100-01-01"))


def test_lists_by_replay_of_all_there_is_are_those_of_the_views(accord: Accord) -> None:
    assert listed(accord, EVERYTHING) == listed(accord)


def test_the_list_of_an_earlier_day_has_what_had_begun_by_then(accord: Accord) -> None:
    then = AsOf(at=day("2026-02-28"))
    rows = {row.id: row for row in listed(accord, then)}

    assert rows["cobalt-docs"].stage is Stage.FORMATION
    assert rows[CONSULTING].events == show.ask(accord, CONSULTING, when=then).events
    assert rows[CONSULTING].last_recorded_at < day("2026-03-01")
    assert listed(accord, AsOf(at=day("2020-01-01"))) == []


def test_the_list_counts_the_alerts_that_were_open_then(accord: Accord) -> None:
    (row,) = (row for row in listed(accord, AsOf(known=day("2026-07-20"))) if row.id == AURORA)

    assert row.open_alerts == 1


# --- whether it is true ------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Accord]:
    with simulated(tmp_path) as accord:
        play(accord, FEEDS[3])
        accord.runner.catch_up()
        yield accord


def tamper(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "accord.db")) as connection:
        changed = connection.execute(statement).rowcount
        connection.commit()
    assert changed == 1


def difference(accord: Accord) -> Difference | None:
    return list(answers.verify(accord))[-1].difference


def test_what_was_folded_live_is_what_the_history_says(accord: Accord) -> None:
    checked = list(answers.verify(accord))

    assert [each.partnership for each in checked] == list(partnerships(accord.history))
    assert sum(each.events for each in checked) == accord.history.size()
    assert not any(each.difference for each in checked)


def test_views_that_are_behind_are_caught_up_and_are_no_difference(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        play(accord, FEEDS[3])

        assert difference(accord) is None
        assert listed(accord)


KPIS = "(SELECT fold FROM folds WHERE projection = 'kpis')"
ONE_ROW = f"fold = {KPIS} AND key = '2026-06'"
SEVENTH = "partnership = 'cobalt-docs' AND idx = 7"
SAID = "outputs campaign-leads@1/cobalt-docs/2026-06/docs-week/open/40"


def rewritten(old: str, new: str) -> str:
    return f"UPDATE events SET body = CAST(replace(body, '{old}', '{new}') AS BLOB) WHERE {SEVENTH}"


@pytest.mark.parametrize(
    ("statement", "where", "key"),
    [
        (f"UPDATE rows SET body = '{{}}' WHERE {ONE_ROW}", "kpis", "2026-06"),
        (f"DELETE FROM rows WHERE {ONE_ROW}", "kpis", "2026-06"),
        (
            f"INSERT INTO rows VALUES ({KPIS}, 'cobalt-docs', '2020-01', '{{}}', NULL)",
            "kpis",
            "2020-01",
        ),
        ("UPDATE positions SET idx = 3", "kpis", "position"),
        ("DELETE FROM outputs WHERE number = 1", "alerts", SAID),
        ("UPDATE outputs SET body = '{}' WHERE number = 1", "alerts", SAID),
        (
            f"UPDATE events SET body = CAST('{{}}' AS BLOB) WHERE {SEVENTH}",
            "history",
            "cobalt-docs#7",
        ),
        (rewritten(":", ": "), "history", "cobalt-docs#7"),
        (
            rewritten('"partnership":"cobalt-docs"', '"partnership":"cobalt-dogs"'),
            "history",
            "cobalt-docs#7",
        ),
        (rewritten("person:", "persom:"), "history", "cobalt-docs#7"),
        (f"DELETE FROM events WHERE {SEVENTH}", "history", "cobalt-docs#7"),
        ("DELETE FROM events WHERE position = 71", "history", "cobalt-docs#71"),
    ],
)
def test_the_first_thing_that_is_not_as_the_history_says_is_named(
    small: Accord, tmp_path: Path, statement: str, where: str, key: str
) -> None:
    tamper(tmp_path, statement)

    found = difference(small)

    assert found is not None
    assert (found.partnership, found.where, found.key) == ("cobalt-docs", where, key)
    assert found.stored != found.rebuilt


def test_a_partnership_that_is_gone_whole_is_missed(accord: Accord, tmp_path: Path) -> None:
    with simulated(tmp_path) as other:
        other.service.handle([beginning("acme"), beginning("zenith")])
        with closing(sqlite3.connect(tmp_path / "accord.db")) as connection:
            for table in ("events", "heads"):
                connection.execute(f"DELETE FROM {table} WHERE partnership = 'acme'")
            connection.commit()

        found = difference(other)

    assert accord.history.size() > 2
    assert found == Difference("", "history", "events", 1, 2)


def test_what_is_written_while_it_is_verified_is_no_difference(
    small: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Iterator[Any]] = small.views.select
    more = beginning("another")

    def select(*given: Any, **named: Any) -> Iterator[Any]:  # noqa: ANN401 - as it is called
        small.service.handle([more])
        small.runner.catch_up()
        return real(*given, **named)

    monkeypatch.setattr(small.views, "select", select)

    checked: list[Checked] = list(answers.verify(small))

    assert not any(each.difference for each in checked)


# --- who sees what -----------------------------------------------------------------------------

PARTNER = "northbridge"


def test_a_small_figure_is_in_no_answer_to_the_other_party(tmp_path: Path) -> None:
    few = ReportMetric(
        metric="leads",
        period="2026-10",
        tool="crm",
        figure=Figure(unit="count", value=Decimal(3)),
    )
    with played(tmp_path) as accord:
        sent = message("few", few, subject=CONSULTING, at="2026-10-20")
        assert accord.service.handle([sent])[0].status == "accepted"
        accord.runner.catch_up()
        theirs, ours = AsOf(viewer=Viewer(PARTNER)), AsOf(viewer=Viewer("growthos"))
        reference = f"{CONSULTING}/leads/2026-10"

        shown = only_figure(accord, reference, theirs)
        last = list(history.items(accord, CONSULTING, theirs))[-1]
        whole = only_figure(accord, reference, ours)

    assert (shown.line.value, shown.reported) == (None, ())
    assert last.text == "(fewer than 5: not shown)"
    assert (whole.line.value, len(whole.reported)) == (Decimal(3), 1)
