"""One partnership whose events cannot be folded is put aside, and all others go on."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import sleep

import psycopg
import pytest
from starlette.testclient import TestClient

from domain.agreement import ProposeTerms
from domain.examples import Step
from domain.execution import RecordLesson
from domain.partnership import PassTime
from domain.renewal import ProposeRenewal
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.terms import Hybrid
from domain.values import instant
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers.alerts import ALERTS_QUESTION
from infra.answers.kpis import KPIS as KPIS_QUESTION
from infra.answers.logs import AsOf
from infra.answers.partnerships import PARTNERSHIPS
from infra.answers.verify import check
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding import recording
from infra.deciding.clock import RecordingClock
from infra.deciding.group_commit import GroupCommit
from infra.deciding.intake import Sent
from infra.deciding.scheduler import Scheduler
from infra.http.app import create_app
from infra.projecting import rebuild as rebuilding
from infra.projecting import replay
from infra.projecting import runner as running
from infra.projecting.quarantine import FIRST_PAUSE
from infra.projecting.replay import replay_all
from infra.settings import Settings
from infra.store.history import NOTHING, partnerships
from infra.store.views import ALL_PROJECTIONS, Quarantined
from infra.tlog.codec import canonical
from projections import ALERTS, KPIS, PROJECTIONS
from projections.fold import FoldFailed
from projections.visibility import Viewer
from tests.feeds import FEEDS, PROGRAM, play, played
from tests.infra.answers.helpers import printed
from tests.infra.messages import from_steps, message
from tests.infra.poison import poisoned, release
from tests.infra.told import Told
from tests.life import LIFE, usd
from tests.parts import Server, empty_database

ID = "growthos-consulting"
EVENT = 130
"""A lead that is qualified, which every kind of view that a test makes fail is folded from."""


@pytest.fixture(scope="module")
def filled(postgres_server: Server, tables: str) -> Iterator[str]:
    """The name of a database into which all feeds were played, to be copied."""
    with empty_database(postgres_server, template=tables) as address:
        settings = Settings(store=address)
        init(settings, simulated=True)
        with opened(settings) as accord:
            for feed in FEEDS:
                play(accord, feed)
        yield address.rpartition("/")[2]


@pytest.fixture
def in_postgres(postgres_server: Server, filled: str) -> Iterator[Settings]:
    with empty_database(postgres_server, template=filled) as address:
        yield Settings(store=address)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A store of each kind into which all feeds were played, with nothing folded yet."""
    # Many batches, though the feeds are short.
    monkeypatch.setattr(running, "BATCH", 40)
    monkeypatch.setattr(replay, "PAGE", 40)
    monkeypatch.setattr(rebuilding, "BATCH", 40)
    if request.param == "sqlite":
        with played(tmp_path):
            return Settings(store=f"sqlite:///{tmp_path}/accord.db")
    found: Settings = request.getfixturevalue("in_postgres")
    return found


@contextmanager
def opened(settings: Settings, clock: Told | None = None) -> Iterator[Accord]:
    with bootstrap(settings, clock or Told()) as accord:
        yield accord


def record(accord: Accord) -> Quarantined:
    (found,) = accord.views.quarantined().values()
    return found


def stored(accord: Accord, name: str) -> dict[tuple[str, str], bytes]:
    return {
        (each.name, key): canonical(row)
        for each in PROJECTIONS
        for key, row in accord.views.select(each.name, name)
    }


def replayed(accord: Accord, name: str, stop: int | None = None) -> dict[tuple[str, str], bytes]:
    return {
        (each.name, key): canonical(each.dump(key, row))
        for each, folded in replay_all(PROJECTIONS, accord.history.of(name, 0, stop)).folded
        for key, row in folded.rows.items()
    }


def others_are_current(accord: Accord) -> bool:
    names = [name for name in partnerships(accord.history) if name != ID]
    return len(names) > 3 and all(stored(accord, name) == replayed(accord, name) for name in names)


def changes(accord: Accord) -> list[str]:
    """The states of the operator's alerts, as sinks and streams get them."""
    return [
        each.body["state"]
        for each in accord.views.outputs(limit=100_000)
        if each.body["rule"] == "partnership-quarantined"
    ]


# --- the others go on ----------------------------------------------------------------------------


def test_a_fold_that_fails_puts_only_its_partnership_aside(settings: Settings) -> None:
    with poisoned(KPIS, ID, EVENT), opened(settings) as accord:
        accord.catch_up()

        found = record(accord)
        assert (found.partnership, found.projection, found.index) == (ID, "kpis", EVENT)
        assert found.error == f"kpis cannot fold {ID}#{EVENT}: ZeroDivisionError: injected fault."
        assert stored(accord, ID) == replayed(accord, ID, EVENT)
        assert others_are_current(accord)
        assert accord.runner.catch_up() == 0


def test_everything_else_answers_and_names_it(settings: Settings) -> None:
    with (
        poisoned(KPIS, ID, EVENT),
        opened(settings) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, ["testserver"], is_open=True)) as client,
    ):
        while workers.lag():
            sleep(0.01)

        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "degraded"
        assert ready.json()["quarantined"] == [ID]
        assert "accord_quarantined_partnerships 1.0" in client.get("/metrics").text
        assert client.get("/v1/partnerships/aurora-series/kpis").json()["quarantined"] == []
        for path in (
            "/v1/partnerships",
            "/v1/portfolio",
            "/v1/alerts",
            f"/v1/partnerships/{ID}",
            f"/v1/partnerships/{ID}/kpis",
            f"/v1/partnerships/{ID}/statements",
        ):
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            (named,) = answer.json()["quarantined"]
            assert (named["partnership"], named["event"]) == (ID, EVENT)
            assert "injected fault" in named["error"]
        assert ID in [each["id"] for each in client.get("/v1/partnerships").json()["items"]]
        asked = client.get(f"/v1/partnerships/{ID}/alerts?state=open").json()["items"]
        assert "partnership-quarantined" in [each["rule"] for each in asked]


def test_a_party_learns_that_its_own_partnership_is_stale_and_nothing_of_others(
    settings: Settings,
) -> None:
    with poisoned(KPIS, ID, EVENT), opened(settings) as accord:
        accord.catch_up()

        for party, expected in (("growthos", [ID]), ("aurora", [])):
            when = AsOf(viewer=Viewer(party))
            found = PARTNERSHIPS.reply(accord, when=when).quarantined
            assert [each.partnership for each in found] == expected
            assert [each.error for each in found] == [None] * len(expected)
            asked = ALERTS_QUESTION.reply(accord, when=when).items
            assert all(each.rule != "partnership-quarantined" for each in asked)


def test_its_answers_say_since_which_event_they_are_stale(settings: Settings) -> None:
    with poisoned(KPIS, ID, EVENT), opened(settings) as accord:
        accord.catch_up()

        answer = KPIS_QUESTION.reply(accord, id=ID)
        # The width of the terminal decides where lines end.
        assert " ".join(printed(KPIS_QUESTION.lines(answer)).split()).startswith(
            f"{ID} is quarantined, and its views are stale: they lack the events from {ID}#{EVENT} "
        )
        first = next(accord.history.of(ID)).act.recorded_at
        before = KPIS_QUESTION.reply(accord, id=ID, when=AsOf(known=first))
        assert before.quarantined == ()
        with pytest.raises(FoldFailed, match=f"kpis cannot fold {ID}#{EVENT}"):
            KPIS_QUESTION.reply(accord, id=ID, when=AsOf(at=accord.history.last_recorded_at()))


def test_lists_of_a_moment_leave_it_out_and_name_it(settings: Settings) -> None:
    with poisoned(ALERTS, ID, EVENT), opened(settings) as accord:
        accord.catch_up()

        when = AsOf(known=accord.history.last_recorded_at())
        for question in (PARTNERSHIPS, ALERTS_QUESTION):
            found = question.reply(accord, when=when)
            assert [each.partnership for each in found.quarantined] == [ID]
            assert len(found.items) > 3


def test_verify_checks_the_others_and_the_rest_of_its_log(settings: Settings) -> None:
    with poisoned(KPIS, ID, EVENT), opened(settings) as accord:
        checked = list(check(accord))
        assert [each.unfolded.event for each in checked if each.unfolded] == [EVENT]
        assert not any(each.difference for each in checked)
        assert sum(each.events for each in checked) == accord.history.size()


def test_the_operator_is_alerted_once(settings: Settings) -> None:
    clock = Told()
    with poisoned(KPIS, ID, EVENT), opened(settings, clock) as accord:
        for number in range(5):
            accord.catch_up()
            clock.now += FIRST_PAUSE
            assert accord.service.handle([lesson(number)])[0].status == "accepted"
        assert changes(accord) == ["open"]


# --- it is tried again ---------------------------------------------------------------------------


def test_a_corrected_release_folds_it_by_itself(settings: Settings) -> None:
    with poisoned(KPIS, ID, EVENT), opened(settings) as accord:
        accord.catch_up()

    with release("corrected"), opened(settings) as accord:
        accord.catch_up()
        assert accord.views.quarantined() == {}
        assert stored(accord, ID) == replayed(accord, ID)
        assert others_are_current(accord)
        assert changes(accord) == ["open", "resolved"]
        ids = Counter(each.id for each in accord.views.outputs(limit=100_000))
        assert set(ids.values()) == {1}
        assert not any(each.difference or each.unfolded for each in check(accord))


def test_the_same_release_tries_after_a_pause_and_not_at_every_event(settings: Settings) -> None:
    clock = Told()
    with poisoned(KPIS, ID, EVENT) as poison, opened(settings, clock) as accord:
        accord.catch_up()
        tried = poison.tried
        for number in range(5):
            assert accord.service.handle([lesson(number)])[0].status == "accepted"
            accord.catch_up()
        assert poison.tried == tried
        assert record(accord).newest == accord.history.heads([ID])[ID].size - 1

        # Each time on the saved rows, and then from the first event.
        clock.now += FIRST_PAUSE
        accord.catch_up()
        assert poison.tried == tried + 2
        assert record(accord).tries == 2
        clock.now += FIRST_PAUSE
        accord.catch_up()
        assert poison.tried == tried + 2
        clock.now += FIRST_PAUSE
        accord.catch_up()
        assert poison.tried == tried + 4
        since = record(accord).since
    clock.now += timedelta(days=1)
    with release("faulty"), opened(settings, clock) as accord:
        assert record(accord).since == since
        accord.catch_up()
        assert stored(accord, ID) == replayed(accord, ID)


def lesson(number: int = 0, subject: str = ID) -> bytes:
    """A fact that no view but the timeline has, which the partnership is in a stage for."""
    command = RecordLesson(lesson=f"lesson-{number}", text="Tell the operator.")
    return message(f"lesson-{number}-{subject}", command, subject=subject, at="2026-10-09")


def test_a_rebuild_leaves_it_aside_and_then_tries_it_again(settings: Settings) -> None:
    with opened(settings) as accord:
        accord.catch_up()
    with poisoned(KPIS, ID, EVENT), opened(settings) as accord:
        assert accord.views.quarantined() == {}
        rebuilding.rebuild(accord.history, accord.views, [KPIS])
        # Its rows of every projection are gone, because all have one position.
        assert (record(accord).index, stored(accord, ID)) == (0, {})
        assert others_are_current(accord)
        accord.catch_up()
        assert record(accord).index == EVENT
        assert stored(accord, ID) == replayed(accord, ID, EVENT)
        assert others_are_current(accord)

    with release("faulty"), opened(settings) as accord:
        rebuilding.rebuild(accord.history, accord.views, PROJECTIONS)
        accord.catch_up()
        assert accord.views.quarantined() == {}
        assert stored(accord, ID) == replayed(accord, ID)


# --- events and rows that cannot be read ---------------------------------------------------------


def tamper(settings: Settings, statement: str) -> None:
    """Change a store with a statement for both databases."""
    if settings.in_postgres:
        with psycopg.connect(settings.store) as connection:
            connection.execute(statement)
    else:
        statement = statement.replace("history.", "").replace("views.", "")
        path = settings.store.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as file, file:
            file.execute(statement.replace("'\\x", "x'"))


JUNK = "'\\x7b7d'"


@pytest.mark.parametrize("index", [-7, 3, 1_000_000])
def test_a_damaged_position_has_its_partnership_folded_anew(settings: Settings, index: int) -> None:
    with opened(settings) as accord:
        accord.catch_up()
    tamper(settings, f"UPDATE views.positions SET idx = {index} WHERE partnership = '{ID}'")
    with opened(settings) as accord:
        differences = [each.difference for each in check(accord) if each.difference]
        assert [(each.partnership, each.where) for each in differences] == [(ID, "positions")]
        assert accord.views.quarantined() == {}
        assert stored(accord, ID) == replayed(accord, ID)
        assert others_are_current(accord)
    tamper(settings, "DELETE FROM views.positions")
    with opened(settings) as accord:
        accord.catch_up()
        assert stored(accord, ID) == replayed(accord, ID)
        assert others_are_current(accord)
        assert [each.difference for each in check(accord) if each.difference] == []


def test_an_event_that_cannot_be_read_puts_its_partnership_aside(settings: Settings) -> None:
    where = f"partnership = '{ID}' AND idx = {EVENT}"
    with opened(settings) as accord:
        body = next(accord.history.bodies(ID, EVENT, EVENT + 1))
        tamper(settings, f"UPDATE history.events SET body = {JUNK} WHERE {where}")
        accord.catch_up()

        found = record(accord)
        assert (found.projection, found.index) == (ALL_PROJECTIONS, EVENT)
        assert "cannot be read" in found.error
        assert stored(accord, ID) == replayed(accord, ID, EVENT)
        assert others_are_current(accord)
        differing = [each.difference.key for each in check(accord) if each.difference]
        assert differing == [f"{ID}#{EVENT}"]

        hexed = f"'\\x{body.hex()}'"
        tamper(settings, f"UPDATE history.events SET body = {hexed} WHERE {where}")
        with release("restored"):
            accord.catch_up()
        assert accord.views.quarantined() == {}
        assert stored(accord, ID) == replayed(accord, ID)


def test_an_event_that_is_missing_puts_its_partnership_aside(settings: Settings) -> None:
    with opened(settings) as accord:
        where = f"partnership = '{ID}' AND idx = {EVENT}"
        tamper(settings, f"DELETE FROM history.events WHERE {where}")
        accord.catch_up()

        found = record(accord)
        assert (found.projection, found.index) == (ALL_PROJECTIONS, EVENT)
        assert found.error == f"{ID}#{EVENT} is missing."
        assert others_are_current(accord)


@pytest.mark.parametrize("body", ["'\\xff00'", "'\\x5b5d'"], ids=["bytes", "shape"])
def test_damaged_rows_are_folded_anew_when_an_answer_needs_them(
    settings: Settings, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(settings) as accord:
        accord.catch_up()
        sound = stored(accord, ID)
        tamper(settings, f"UPDATE views.rows SET body = {body} WHERE partnership = '{ID}'")

        found = PARTNERSHIPS.reply(accord)
        assert ID in [each.id for each in found.items]
        assert found.quarantined == ()
        assert stored(accord, ID) == sound
        assert accord.views.quarantined() == {}
        assert f"{ID} is folded from its first event, because of damage" in caplog.text


def test_damaged_rows_are_folded_anew_when_an_event_touches_them(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(settings) as accord:
        accord.catch_up()
    tamper(settings, f"UPDATE views.rows SET body = '\\xff00' WHERE partnership = '{ID}'")
    with opened(settings) as accord:
        accord.service.handle([report("7")])
        accord.catch_up()

        assert accord.views.quarantined() == {}
        assert stored(accord, ID) == replayed(accord, ID)
        assert f"{ID} is folded from its first event, because of damage" in caplog.text
        assert not any(each.difference for each in check(accord))


def test_a_process_that_folds_no_views_leaves_out_a_damaged_partnership_and_reports_it(
    in_postgres: Settings,
) -> None:
    settings = in_postgres
    with opened(settings) as accord:
        accord.catch_up()
        tamper(settings, f"UPDATE views.rows SET body = '\\xff00' WHERE partnership = '{ID}'")
        beside = Settings(store=settings.store, kafka="127.0.0.1:1")
        with opened(beside) as other:
            found = PARTNERSHIPS.reply(other)
            assert ID not in [each.id for each in found.items]
            assert [each.partnership for each in found.quarantined] == [ID]
            assert ALERTS_QUESTION.reply(other).items
            assert accord.views.positions("kpis", [ID])[ID] > NOTHING

            # A projector folds it anew at its next sweep.
            assert accord.runner.retry() == 1
            assert PARTNERSHIPS.reply(other).quarantined == ()


# --- commands ------------------------------------------------------------------------------------


def report(value: str) -> bytes:
    figure = ReportedFigure(unit="count", value=Decimal(value))
    command = ReportMetric(
        metric="registrations", period="2026-09", tool="crm", segment="northbridge", figure=figure
    )
    return message(f"report-{value}", command, subject=ID, at="2026-10-09")


def test_a_command_that_needs_the_failed_event_is_refused_until_that_is_folded(
    settings: Settings,
) -> None:
    with poisoned(ALERTS, ID, EVENT), opened(settings) as accord:
        accord.catch_up()
    with poisoned(ALERTS, ID, EVENT), opened(settings) as accord:
        size = accord.history.size()
        refused, accepted = accord.service.handle([report("7"), lesson()])
        assert (refused.status, refused.rule) == ("refused", "partnership-quarantined")
        assert refused.retryable
        assert refused.detail
        assert f"alerts cannot fold {ID}#{EVENT}" in refused.detail
        # It does not need the alerts.
        assert accepted.status == "accepted"
        recorded = [each.source_id for each in accord.history.after(size - 1, 100)]
        assert f"lesson-0-{ID}" in recorded
        assert "report-7" not in recorded

    with release("corrected"), opened(settings) as accord:
        assert accord.service.handle([report("7")])[0].status == "accepted"
        accord.catch_up()
        assert stored(accord, ID) == replayed(accord, ID)


def test_a_fault_of_the_rules_leaves_no_half_of_an_input(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(settings) as accord:
        size = accord.history.size()
        with monkeypatch.context() as patch:
            patch.setattr(recording, "judge", lambda *_: 1 / 0)
            (refused,) = accord.service.handle([report("7")])
        assert refused.rule == "partnership-quarantined"
        assert all(each.source_id != "report-7" for each in accord.history.after(size - 1, 100))

        # The states in memory are those of the store, too.
        (accepted,) = accord.service.handle([report("8")])
        assert accepted.status == "accepted"
        accord.catch_up()
        assert not any(each.difference for each in check(accord))


def test_an_event_that_cannot_be_read_stops_only_the_commands_that_need_it(
    settings: Settings,
) -> None:
    with opened(settings) as accord:
        own = f"partnership = '{ID}' AND stream = '{ID}' AND version = 9"
        tamper(settings, f"UPDATE history.events SET body = {JUNK} WHERE {own}")
    with opened(settings) as accord:
        outcomes = accord.service.handle(
            [
                lesson(subject="aurora-series"),
                lesson(subject=ID),
                lesson(subject="spring-spain"),
            ]
        )
        assert outcomes[1].rule == "partnership-quarantined"
        # They name a party that is none of theirs, which their events show.
        assert {outcomes[0].rule, outcomes[2].rule} == {"unknown-party"}


@contextmanager
def damaged(settings: Settings) -> Iterator[Accord]:
    """A store in which an event of a partnership's own stream cannot be read any more."""
    with opened(settings) as accord:
        accord.catch_up()
        own = f"partnership = '{ID}' AND stream = '{ID}' AND version = 9"
        tamper(settings, f"UPDATE history.events SET body = {JUNK} WHERE {own}")
    with opened(settings) as accord:
        yield accord


def test_a_command_tells_only_parties_that_their_partnership_cannot_be_read(
    settings: Settings,
) -> None:
    def refused(accord: Accord, party: str, subject: str) -> str:
        command = RecordLesson(lesson="told", text="Tell the operator.")
        sent = message("told", command, party=party, subject=subject)
        (outcome,) = accord.service.validate([Sent(sent, party)])
        return f"{outcome.rule}: {outcome.detail}"

    with damaged(settings) as accord:
        of_nothing = refused(accord, "helio-plus", "nothing")
        assert refused(accord, "helio-plus", ID) == of_nothing.replace("nothing", ID)
        for party in ("growthos", "northbridge"):
            words = "The decision needs what cannot be read. The operator knows what it is."
            assert refused(accord, party, ID) == f"partnership-quarantined: {words}"


def test_an_answer_tells_only_the_operator_what_cannot_be_read(settings: Settings) -> None:
    with (
        damaged(settings) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, ["testserver"])) as client,
    ):
        party, operator = (
            credentials.create(accord.history.credentials, grant, accord.clock()).key
            for grant in (
                Grant(role=Role.PARTY, actor="nora", party="northbridge"),
                Grant(role=Role.OPERATOR, actor="olga"),
            )
        )

        def asked(question: str, key: str) -> tuple[int, str]:
            headers = {"Authorization": f"Bearer {key}"}
            found = client.get(f"/v1/partnerships/{ID}/{question}", headers=headers)
            return found.status_code, found.json().get("detail", "")

        for question in ("history", "kpis", "funnel"):
            words = "The answer needs what cannot be read of the partnership."
            assert asked(question, party) == (503, words)
        status, detail = asked("history", operator)
        assert (status, f"{ID}#8 cannot be read" in detail) == (503, True)


def test_the_deadlines_of_the_others_pass(settings: Settings) -> None:
    clock = Told()
    clock.now = datetime(2027, 4, 1, tzinfo=UTC)
    with opened(settings, clock) as accord:
        accord.catch_up()
        due = accord.views.due("deadlines", instant(clock.now))
        assert due.index(ID) < len(due) - 1
        own = f"partnership = '{ID}' AND stream = '{ID}' AND version = 9"
        tamper(settings, f"UPDATE history.events SET body = {JUNK} WHERE {own}")
    with opened(settings, clock) as accord:
        writer = GroupCommit(accord.service)
        writer.start()
        sizes = {name: head.size for name, head in accord.history.heads(due).items()}
        recording_clock = RecordingClock(clock, accord.history, settings.clock)
        scheduler = Scheduler(accord.history, accord.views, accord.service, writer, recording_clock)
        assert scheduler.check() > 0
        assert scheduler.blocked == {ID}
        writer.stop()
        after = {name: head.size for name, head in accord.history.heads(due).items()}
        assert [name for name in due if after[name] == sizes[name]] == [ID]


def test_damaged_rows_are_no_reason_to_refuse(settings: Settings) -> None:
    with opened(settings) as accord:
        accord.catch_up()
        tamper(settings, f"UPDATE views.rows SET body = '\\xff00' WHERE partnership = '{ID}'")
    with opened(settings) as accord:
        assert accord.service.handle([report("7")])[0].status == "accepted"


# --- the figure that stopped everybody -----------------------------------------------------------

EXTREME = ReportMetric(
    metric="lead_to_opportunity",
    period="2026-09",
    tool="crm",
    figure=ReportedFigure(
        unit="percent", numerator=Decimal(999999999999999), denominator=Decimal("0.000000001")
    ),
)


def with_a_bonus_on_a_ratio(step: Step) -> Step:
    """The same step; terms also have a bonus that depends on `lead_to_opportunity`."""
    command = step.command
    if not isinstance(command, ProposeTerms):
        return step
    bonus = Hybrid(
        to="brightpath",
        base=usd("10.00"),
        every="P1M",
        bonus=usd("5.00"),
        window="month",
        bonus_metric="lead_to_opportunity",
        bonus_threshold=1,
    )
    items = [*command.items, bonus]
    return step._replace(command=command.model_copy(update={"items": items}))


@pytest.mark.parametrize("ruled", [True, False], ids=["with agreed rules", "without"])
def test_an_extreme_figure_under_a_bonus_on_a_ratio_stops_nobody(
    settings: Settings, *, ruled: bool
) -> None:
    extreme = "growthos-brightpath"
    steps = LIFE[: [type(step.command) for step in LIFE].index(ProposeRenewal)]
    lived = [
        with_a_bonus_on_a_ratio(step)
        for step in steps
        if ruled or "Rule" not in type(step.command).__name__
    ]
    with opened(settings) as accord:
        assert {each.status for each in accord.service.handle(from_steps(lived))} == {"accepted"}
        accord.service.handle([message("extreme", EXTREME, at="2026-09-20")])
        accord.service.handle([message("later", PassTime(), at="2026-12-20")])
        accord.catch_up()
        assert accord.service.handle([lesson()])[0].status == "accepted"
        accord.catch_up()

        stale = accord.views.quarantined()
        assert stale.keys() <= {extreme}
        names = [name for name in partnerships(accord.history) if name not in stale]
        assert len(names) > 5
        assert all(stored(accord, name) == replayed(accord, name) for name in names)
        listed = {each.id for each in PARTNERSHIPS.reply(accord).items}
        assert listed == {*names, *stale} - {PROGRAM}
        for checked in check(accord):
            assert checked.difference is None
            assert bool(checked.unfolded) == (checked.partnership in stale)
        rebuilding.rebuild(accord.history, accord.views, PROJECTIONS)
        accord.catch_up()
        assert accord.views.quarantined().keys() == stale.keys()


def test_a_projector_puts_it_aside_and_a_corrected_one_folds_it(settings: Settings) -> None:
    with opened(settings) as accord:
        names = list(partnerships(accord.history))
        broken = next(name for name in names if name != ID)
        tamper(
            settings,
            f"UPDATE history.events SET body = {JUNK} WHERE partnership = '{broken}' AND idx = 3",
        )
        with poisoned(KPIS, ID, EVENT):
            for _ in range(2):
                runner = running.Runner(accord.history, accord.views, PROJECTIONS)
                for _ in runner.catching_up_on(names):
                    pass
        found = accord.views.quarantined()
        assert {name: each.index for name, each in found.items()} == {ID: EVENT, broken: 3}
        for name in {*names} - found.keys():
            assert stored(accord, name) == replayed(accord, name)

        with release("corrected"):
            runner = running.Runner(accord.history, accord.views, PROJECTIONS)
            runner.retry()
        assert accord.views.quarantined().keys() == {broken}
        assert stored(accord, ID) == replayed(accord, ID)
