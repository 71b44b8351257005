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
from domain.metric_catalogue import CATALOGUE, Adds
from domain.reported_figure import Figure, ReportMetric
from domain.standing_alerts import BY_RULE, REFERRAL_MINIMUM
from infra import answers
from infra.answers import AsOf, Checked, Difference, NotFound, alerts, history, kpis, show
from infra.answers import partnerships as partnerships_answer
from infra.answers.logs import NOW
from infra.answers.partnerships import Partnership
from infra.answers.question import Paging
from infra.bootstrap import Accord
from infra.projecting.runner import partnerships
from projections.alerts import AlertState
from projections.figures import COUNTED, Line
from projections.visibility import Viewer
from tests.feeds import FEEDS, messages, play, played, simulated
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


def test_an_alert_is_explained_as_it_was_known_and_not_before_it_fired(accord: Accord) -> None:
    reference = f"conversion-floor@1/{AURORA}/2026-Q2"

    before = answers.explain(accord, reference, AsOf(known=day("2026-07-20")))

    assert before["state"] == "open"
    assert [each["figures"][0]["value"] for each in before["inputs"]] == ["4.9000", "4.9000"]
    assert before["as_of"] == {"known": "2026-07-20T00:00:00Z"}
    with pytest.raises(NotFound):
        answers.explain(accord, reference, AsOf(known=day("2026-06-30")))


def test_a_figure_is_explained_by_the_report_that_stood_then(accord: Accord) -> None:
    reference = f"{AURORA}/lead_to_opportunity/2026-Q1"

    (figure,) = answers.explain(accord, reference, AsOf(known=day("2026-07-20")))["figures"]

    assert [(event["type"], event["stands"]) for event in figure["events"]] == [
        ("MetricReported", True)
    ]


# --- why ---------------------------------------------------------------------------------------


def every_figure(accord: Accord) -> Iterator[tuple[str, Line]]:
    for name in partnerships(accord.history):
        for line in kpis.ask(accord, name).figures:
            segment = f"/{line.segment}" if line.segment else ""
            yield f"{name}/{line.metric}/{line.period}{segment}", line


def test_the_events_behind_every_counted_figure_add_up_to_it(accord: Accord) -> None:
    checked = 0
    for reference, line in every_figure(accord):
        if line.source != COUNTED:
            continue
        (explained,) = answers.explain(accord, reference)["figures"]
        sums: dict[str, Decimal] = {}
        for event in explained["events"]:
            for each in event["adds"]:
                sums[each["to"]] = sums.get(each["to"], Decimal(0)) + Decimal(each["amount"])

        part, whole = (
            ("sum", line.value) if line.numerator is None else ("numerator", line.numerator)
        )
        assert sums.get(part, Decimal(0)) == whole, reference
        assert sums.get("denominator", Decimal(0)) == (line.denominator or 0)
        checked += 1
    assert checked >= 50


def test_the_reports_behind_every_reported_figure_add_up_to_it(accord: Accord) -> None:
    checked = 0
    for reference, line in every_figure(accord):
        if line.source == COUNTED or line.value is None:
            continue
        (explained,) = answers.explain(accord, reference)["figures"]
        existing = [event for event in explained["events"] if event["stands"]]

        assert existing, reference
        if CATALOGUE[line.metric].adds is Adds.SUM:
            said = [Decimal(event["figure"].split()[0]) for event in existing]
            assert sum(said) == line.value, reference
        checked += 1
    assert checked >= 50


def test_a_corrected_figure_is_explained_by_both_facts(accord: Accord) -> None:
    (figure,) = answers.explain(accord, f"{AURORA}/lead_to_opportunity/2026-Q1")["figures"]

    assert [(event["type"], event["figure"], event["stands"]) for event in figure["events"]] == [
        ("MetricReported", "49/1000 (percent)", False),
        ("MetricCorrected", "50/1000 (percent)", True),
    ]


def test_a_figure_is_explained_with_the_rule_in_force_when_its_period_began(
    accord: Accord,
) -> None:
    for quarter, version in (("2026-Q2", 1), ("2026-Q3", 2)):
        (rule,) = answers.explain(accord, f"{CONSULTING}/leads/{quarter}")["rules"]

        assert (rule["rule"], rule["version"]) == ("referral-minimum", version)
        assert rule["agreed"]["type"] == "CommercialTermsAgreed"


def test_a_period_without_figures_is_explained_by_nothing(accord: Accord) -> None:
    assert answers.explain(accord, f"{CONSULTING}/leads/2024-Q1")["figures"] == []


def test_every_alert_is_explained_from_the_log_as_it_stands_in_the_view(accord: Accord) -> None:
    for row in alerts.ask(accord).items:
        answer = answers.explain(accord, row.id)

        states = [each["state"] for each in answer["transitions"]]
        assert states[0] == "open"
        assert states[-1] == answer["state"] == row.state
        assert answer["transitions"][-1]["because_of"]["index"] == row.cause
        assert [event["index"] for event in answer["evidence"]] == list(row.evidence)
        if row.rule in BY_RULE and row.rule != REFERRAL_MINIMUM:
            assert answer["about"]
        else:
            fired = answer["transitions"][0]["because_of"]["index"]
            assert answer["rule"]["agreed"]["index"] < fired
            assert answer["inputs"][-1]["period"] == row.window.partition("/")[0]


def test_an_alert_on_two_quarters_is_explained_by_the_figures_of_both(accord: Accord) -> None:
    answer = answers.explain(accord, f"conversion-floor@1/{AURORA}/2026-Q2")

    assert [each["facts"]["values"] for each in answer["transitions"]] == [
        ["4.9000", "4.9000"],
        ["5.0000", "4.9000"],
    ]
    known_now = [(each["period"], each["figures"][0]["value"]) for each in answer["inputs"]]
    assert known_now == [("2026-Q1", "5.0000"), ("2026-Q2", "4.9000")]
    assert "below 5 (percent) in 2 quarters on end" in answer["rule"]["text"]


def test_the_missed_minimum_is_explained_by_the_eight_referrals_there_were(
    accord: Accord,
) -> None:
    answer = answers.explain(accord, f"referral-minimum@1/{CONSULTING}/2026-Q1")

    ((figure,),) = (each["figures"] for each in answer["inputs"])
    assert [event["type"] for event in figure["events"]] == ["ReferralSubmitted"] * 8
    assert answer["rule"]["text"].startswith("at least 10 referrals")


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("leads", "Write an alert's id"),
        (f"{CONSULTING}/leads", "Write an alert's id"),
        ("referral-minimum@1", "Write an alert's id"),
        (f"{CONSULTING}/leeds/2026-Q1", "Perhaps leads"),
        (f"{CONSULTING}/leads/soon", "Write 2026-03, 2026-Q1 or 2026"),
        ("growthos/leads/2026-Q1", f"Perhaps {CONSULTING}"),
        (f"referral-minimum@1/{CONSULTING}/2026-Q9", f"Perhaps referral-minimum@1/{CONSULTING}/"),
        ("referral-minimum@1/spring-germany/2026-Q1", "accord alerts spring-germany"),
    ],
)
def test_a_reference_to_nothing_says_what_to_ask_instead(
    accord: Accord, reference: str, hint: str
) -> None:
    with pytest.raises(NotFound) as refused:
        answers.explain(accord, reference)

    assert hint in refused.value.hint


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

        (shown,) = answers.explain(accord, reference, theirs)["figures"]
        last = list(history.items(accord, CONSULTING, theirs))[-1]
        (whole,) = answers.explain(accord, reference, ours)["figures"]

    assert (shown["value"], shown["events"]) == (None, [])
    assert last.text == "(fewer than 5: not shown)"
    assert (whole["value"], len(whole["events"])) == ("3", 1)
