"""A clock that cannot be trusted dates no record until the operator confirms it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from consumers.intake import decide
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding import clock as clocks
from infra.deciding.clock import (
    ClockInDoubt,
    Confirmation,
    Reading,
    confirm,
    doubt_at_start,
    doubt_of_jump,
    is_confirmed,
)
from infra.http import create_app
from infra.http.openapi import EXAMPLE
from infra.running import periodic_task
from infra.running.worker import OUTAGES
from infra.settings import ClockLimits, Settings
from tests.infra.test_workers import beginning, eventually
from tests.infra.told import Told

LIMITS = ClockLimits()
START = datetime(2026, 1, 12, 9, tzinfo=UTC)
LONG_AGO = "2021-01-01T00:00:00Z"
"""When the events happen, whatever the clock shows."""
YEAR = timedelta(days=365)

moments = st.timedeltas(timedelta(days=-2000), timedelta(days=5000)).map(lambda d: START + d)
jumps = st.timedeltas(timedelta(days=-4000), timedelta(days=4000))


# --- the decision --------------------------------------------------------------------------------


@given(
    drifts=st.lists(
        st.tuples(
            st.floats(1, 43_200),
            # What NTP corrects at most, and a leap second.
            st.floats(-500e-6, 500e-6),
            st.sampled_from([-1.0, 0.0, 0.0, 0.0, 1.0]),
        ),
        max_size=20,
    )
)
def test_a_clock_that_ntp_keeps_is_trusted_for_ever(
    drifts: list[tuple[float, float, float]],
) -> None:
    anchor = now = Reading(START, 0.0)
    for seconds, rate, leap in drifts:
        wall = now.wall + timedelta(seconds=seconds * (1 + rate) + leap * (seconds > 21_600))
        now = Reading(wall, now.elapsed + seconds)
        assert doubt_of_jump(anchor, now, LIMITS) is None
        if now.elapsed - anchor.elapsed > clocks.RENEWED.total_seconds() / 2:
            anchor = now


@given(passed=st.floats(0, 10**9), jump=jumps, limit=st.integers(1, 10**6))
def test_a_jump_is_doubted_from_the_limit_on_however_long_the_machine_slept(
    passed: float, jump: timedelta, limit: int
) -> None:
    before = Reading(START, 5.0)
    now = Reading(START + timedelta(seconds=passed) + jump, 5.0 + passed)

    reason = doubt_of_jump(before, now, ClockLimits(jump=limit))

    if abs(abs(jump.total_seconds()) - limit) > 1e-3:  # nearer than that, floats decide
        assert (reason is not None) == (abs(jump.total_seconds()) > limit)
    if reason:
        assert ("jumped forward" in reason) == (jump > timedelta())


@given(last=moments, wall=moments, gap=st.integers(1, 2000), jump=st.integers(1, 10**6))
def test_at_a_start_the_clock_is_trusted_from_the_last_record_to_the_gap_beyond_it(
    last: datetime, wall: datetime, gap: int, jump: int
) -> None:
    trusted = last - timedelta(seconds=jump) <= wall <= last + timedelta(days=gap)

    reason = doubt_at_start(wall, last, None, ClockLimits(gap=gap, jump=jump))

    assert (reason is None) == trusted


@given(wall=moments, last=st.none() | moments)
def test_a_confirmed_clock_is_trusted_at_the_next_start(
    wall: datetime, last: datetime | None
) -> None:
    confirmed = Confirmation(number=1, at=wall, last=last)

    for later in (timedelta(), timedelta(days=399)):
        assert doubt_at_start(wall + later, last, confirmed, LIMITS) is None


@given(wall=moments, last=moments, later=st.timedeltas(timedelta(1), timedelta(3000)))
def test_a_confirmation_vouches_for_its_own_moment_alone(
    wall: datetime, last: datetime, later: timedelta
) -> None:
    confirmed = Confirmation(number=1, at=wall, last=last)
    newer = max(wall, last) + later

    assert doubt_at_start(newer - timedelta(seconds=61), newer, confirmed, LIMITS)
    assert doubt_at_start(wall - timedelta(seconds=61), last, confirmed, LIMITS)
    assert doubt_at_start(max(wall, last) + timedelta(days=401), last, confirmed, LIMITS)


def test_without_any_record_every_start_is_trusted() -> None:
    assert doubt_at_start(datetime(1970, 1, 1, tzinfo=UTC), None, None, LIMITS) is None


@given(passed=st.floats(0, 10**7), ago=st.floats(-(10**7), 2 * 10**7))
def test_a_confirmation_counts_if_it_was_made_since_the_reading_by_a_clock_that_agrees(
    passed: float, ago: float
) -> None:
    now = Reading(START, passed)

    agrees = is_confirmed(Reading(START, 0.0), now, START - timedelta(seconds=ago), LIMITS)

    if abs(ago + 60) > 1e-3 and abs(ago - passed - 60) > 1e-3:
        assert agrees == (-60 < ago < passed + 60)


# --- what is recorded ----------------------------------------------------------------------------


def status(accord: Accord, name: str) -> str:
    (outcome,) = accord.service.handle([beginning(name, LONG_AGO)])
    return outcome.status


JUMPS: list[tuple[timedelta, str]] = [
    (timedelta(seconds=61), "jumped forward"),
    (timedelta(days=200), "jumped forward"),
    (4 * YEAR, "jumped forward"),
    (timedelta(seconds=-61), "jumped back"),
    (-4 * YEAR, "jumped back"),
]


@pytest.mark.parametrize(("by", "words"), JUMPS)
def test_after_a_jump_nothing_is_recorded_until_the_operator_confirms_the_clock(
    accord: Accord, clock: Told, by: timedelta, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert status(accord, "p1") == "accepted"
    clock.jump(by)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(ClockInDoubt, match=words):
                accord.service.handle([beginning("p2")])
    assert accord.history.size() == 1
    assert len(caplog.records) == 1

    confirm(accord.history, clock())

    assert status(accord, "p2") == "accepted"


def test_a_clock_that_is_set_right_again_is_still_in_doubt_until_it_is_confirmed(
    accord: Accord, clock: Told
) -> None:
    status(accord, "p1")
    clock.jump(YEAR)
    with pytest.raises(ClockInDoubt):
        status(accord, "p2")
    clock.jump(-YEAR)
    with pytest.raises(ClockInDoubt):
        status(accord, "p2")
    confirm(accord.history, clock())
    assert status(accord, "p2") == "accepted"


def test_a_restart_does_not_end_the_doubt_of_a_jump(
    accord: Accord, clock: Told, settings: Settings
) -> None:
    status(accord, "p1")
    clock.jump(timedelta(days=300))
    with pytest.raises(ClockInDoubt):
        status(accord, "p2")
    with bootstrap(settings, clock) as restarted:
        with pytest.raises(ClockInDoubt, match="jumped forward"):
            status(restarted, "p2")
        confirm(restarted.history, clock())
        assert status(restarted, "p2") == "accepted"
    assert status(accord, "p3") == "accepted"
    with bootstrap(settings, clock) as restarted:
        assert status(restarted, "p4") == "accepted"


def test_the_right_clock_of_another_machine_does_not_confirm_a_wrong_one(
    accord: Accord, clock: Told
) -> None:
    status(accord, "p1")
    clock.jump(YEAR)
    with pytest.raises(ClockInDoubt):
        status(accord, "p2")
    confirm(accord.history, clock() - YEAR)
    with pytest.raises(ClockInDoubt):
        status(accord, "p2")


def test_a_clock_that_moves_on_by_less_than_the_limit_every_day_is_trusted(
    accord: Accord, clock: Told
) -> None:
    for day in range(30):
        clock.now += timedelta(days=1, seconds=1)
        clock.jump(timedelta(seconds=43))
        assert status(accord, f"p{day}") == "accepted"


def run_fast(accord: Accord, clock: Told, hours: int) -> None:
    for hour in range(hours):
        clock.now += timedelta(hours=1)
        clock.jump(timedelta(seconds=3))
        status(accord, f"q{hour}")


def test_a_clock_that_runs_too_fast_is_doubted_within_a_day(accord: Accord, clock: Told) -> None:
    status(accord, "p1")
    with pytest.raises(ClockInDoubt, match="jumped forward"):
        run_fast(accord, clock, hours=24)


@pytest.mark.parametrize("away", [timedelta(days=401), timedelta(seconds=-61), -4 * YEAR])
def test_a_start_far_from_the_last_record_records_nothing_until_it_is_confirmed(
    settings: Settings, clock: Told, away: timedelta
) -> None:
    with bootstrap(settings, clock) as accord:
        status(accord, "p1")
    clock.jump(away)
    for _ in range(2):
        with bootstrap(settings, clock) as accord, pytest.raises(ClockInDoubt, match="last record"):
            status(accord, "p2")
    with bootstrap(settings, clock) as accord:
        confirm(accord.history, clock())
    with bootstrap(settings, clock) as accord:
        assert status(accord, "p2") == "accepted"
    with bootstrap(settings, clock) as accord:
        assert status(accord, "p3") == "accepted"


@pytest.mark.parametrize("away", [timedelta(days=399), timedelta(seconds=-59)])
def test_a_start_near_the_last_record_is_trusted(
    settings: Settings, clock: Told, away: timedelta
) -> None:
    with bootstrap(settings, clock) as accord:
        status(accord, "p1")
    clock.jump(away)
    with bootstrap(settings, clock) as accord:
        assert status(accord, "p2") == "accepted"


def test_the_limits_are_settings(settings: Settings, clock: Told) -> None:
    wide = settings.model_copy(update={"clock": ClockLimits(jump=7200, gap=1000)})
    with bootstrap(wide, clock) as accord:
        status(accord, "p1")
        clock.jump(timedelta(hours=2))
        assert status(accord, "p2") == "accepted"
    clock.jump(timedelta(days=999))
    with bootstrap(wide, clock) as accord:
        assert status(accord, "p3") == "accepted"


# --- what passes and what is answered meanwhile ------------------------------------------------


def test_while_the_clock_is_in_doubt_no_deadline_passes_and_questions_are_answered(
    accord: Accord, clock: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic_task, "POLL", 0.02)
    status(accord, "p1")
    accord.catch_up()
    with accord.workers() as workers:
        client = TestClient(create_app(accord, workers, is_open=True))
        assert client.get("/readyz").status_code == 200
        size = accord.history.size()
        clock.jump(4 * YEAR)
        eventually(lambda: workers.clock and workers.clock.doubt)

        ready, posted = client.get("/readyz"), client.post("/v1/events", json=EXAMPLE)
        listed = client.get("/v1/partnerships")
        validated = client.post("/v1/validate", json=EXAMPLE)

        assert (validated.status_code, validated.json()["valid"]) == (200, True)
        assert (ready.status_code, posted.status_code, listed.status_code) == (503, 503, 200)
        assert "accord_clock_in_doubt 1.0" in client.get("/metrics").text
        assert "the clock is in doubt" in ready.json()["reasons"][0]
        assert posted.headers["retry-after"] == "60"
        assert "the clock is in doubt" in posted.json()["detail"]
        assert "confirm" in posted.json()["hint"]
        assert accord.history.size() == size

        confirm(accord.history, clock())
        eventually(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/events", json=EXAMPLE).status_code == 200


def test_a_simulated_store_has_no_clock_to_doubt(
    tmp_path_factory: pytest.TempPathFactory, clock: Told
) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path_factory.mktemp('simulated')}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings, clock) as accord:
        status(accord, "p1")
        clock.jump(-4 * YEAR)
        assert status(accord, "p2") == "accepted"


def test_the_machines_own_clocks_agree() -> None:
    system: Callable[[], datetime] = clocks.wall_clock
    first = Reading(system(), clocks.wall_clock.elapsed())
    second = Reading(system(), clocks.wall_clock.elapsed())

    assert second.elapsed >= first.elapsed
    assert doubt_of_jump(first, second, LIMITS) is None


def test_the_intake_keeps_commands_while_the_clock_is_in_doubt(accord: Accord, clock: Told) -> None:
    with accord.workers() as workers:
        assert decide(workers.writer, [beginning("p1", LONG_AGO)])[0].status == "accepted"
        clock.jump(YEAR)
        with pytest.raises(OUTAGES):
            decide(workers.writer, [beginning("p2", LONG_AGO), beginning("p3", LONG_AGO)])
        confirm(accord.history, clock())
        outcomes = decide(workers.writer, [beginning("p2", LONG_AGO), beginning("p3", LONG_AGO)])
    assert [each.status for each in outcomes] == ["accepted", "accepted"]
