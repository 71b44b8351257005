"""The service: each input is decided once, whoever sends it, how often, and beside whom."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from domain import aggregates
from domain.breach_actions import RuleBreached
from domain.deadlines.deadline import DeadlinePassed, PeriodClosed, ReminderGiven
from domain.execution import (
    AgreeIssueResolution,
    IssueCause,
    IssueEscalated,
    IssueRaised,
    IssueResolved,
    MilestoneMissed,
    ProposeIssueResolution,
    ProposeReviewHeld,
    RaiseIssue,
    ReviewMissed,
    ReviewScheduled,
)
from domain.experiment import ConcludePilot
from domain.exploration import (
    CandidateIdentified,
    ChoosePartner,
    ExplorationBegun,
    IdentifyCandidate,
)
from domain.formation import AttachEvidence
from domain.kernel import Act, Command, Event
from domain.partnership import PassTime
from domain.payment import ReceivePayment
from domain.recorded import Recorded
from domain.referral import SubmitReferral
from domain.renewal import ProposeRenewal
from domain.reported_figure import MetricReported, ReportedFigure, ReportMetric
from domain.settlement import IssueStatement, StatementIssued
from domain.values import Money
from infra.answers.outcomes import OutcomeCounts
from infra.bootstrap import Accord, bootstrap, init
from infra.cli.ingest import text
from infra.deciding import logs
from infra.deciding.batch import Outcome
from infra.deciding.clock import wall_clock
from infra.deciding.decision import CLOCK_SOURCE
from infra.deciding.pseudonyms import Names, by_chance, derived
from infra.deciding.recording import RULES_SOURCE
from infra.deciding.service import ATTEMPTS, Service
from infra.settings import Settings
from infra.store.errors import Conflict
from infra.store.history import NO_WRITES, NOTHING, InputId, Refusal, Writes
from infra.store.sqlite import SqliteStore
from infra.tlog.codec import event_id
from tests.feeds import simulated
from tests.infra.messages import SOURCE, beginning, candidate, from_steps, message
from tests.infra.told import Told
from tests.infra.writers import write
from tests.life import EXAMPLES, LIFE, THEIRS, example
from tests.stories import Story

NAME = "growthos-brightpath"


def sent(id: str) -> InputId:
    """The identity of an event of `messages`."""
    return InputId("growthos", SOURCE, id)


IDENTIFIED = sent("identify-brightpath")


@pytest.fixture
def settings(address: str) -> Settings:
    """An ordinary store, in each of the engines."""
    settings = Settings(store=address)
    init(settings)
    return settings


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Accord]:
    """A store whose time is told by its feed."""
    with simulated(tmp_path) as accord:
        yield accord


def send(accord: Accord, *raws: bytes) -> list[Outcome]:
    return accord.service.handle(raws)


def one(accord: Accord, raw: bytes) -> Outcome:
    (outcome,) = send(accord, raw)
    return outcome


def log(accord: Accord, name: str = NAME) -> list[Recorded]:
    return list(accord.history.of(name))


def kept(accord: Accord) -> list[Refusal]:
    return accord.history.refusals(state=None)


def facts(accord: Accord) -> list[str]:
    return [each.event.wire for each in log(accord)]


# --- decided once ------------------------------------------------------------------------------


def test_what_is_accepted_says_where_its_events_stand(accord: Accord) -> None:
    outcomes = send(accord, beginning(), candidate("brightpath"))

    assert outcomes == [
        Outcome("accepted", *sent(f"begin-{NAME}"), NAME, 0, 1),
        Outcome("accepted", *IDENTIFIED, NAME, 1, 1),
    ]
    assert [each.event_id for each in log(accord)] == [
        event_id("growthos", SOURCE, f"begin-{NAME}", 0),
        event_id("growthos", SOURCE, "identify-brightpath", 0),
    ]


def test_a_new_name_that_people_can_take_for_another_of_its_partnership_is_warned_of(
    accord: Accord,
) -> None:
    close = candidate("br1ghtpath")
    found = [candidate("brightpath"), close, candidate("initech"), candidate("growth0s"), close]

    outcomes = send(accord, beginning(), *found)

    known = ("brightpath",), ("growthos",)
    assert [each.lookalikes for each in outcomes] == [(), (), known[0], (), known[1], ()]
    report = OutcomeCounts(outcomes).report(accord)
    assert tuple(each.names for each in report.lookalikes) == known
    assert "close to brightpath" in "".join(map(str, text(report)))


def test_the_choice_of_a_partner_warns_of_a_candidate_with_a_close_name(accord: Accord) -> None:
    chosen = LIFE.index(EXAMPLES[ChoosePartner])
    steps = from_steps(LIFE[: chosen + 1])
    close = candidate("br1ghtpath", at=LIFE[chosen].at)

    *_, outcome = send(accord, *steps[:chosen], close, steps[chosen])

    assert (outcome.status, outcome.lookalikes) == ("accepted", ("br1ghtpath",))


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_the_same_input_again_is_a_duplicate_with_its_first_outcome(
    accord: Accord, *, together: bool
) -> None:
    raws = [beginning(), candidate("brightpath"), candidate("brightpath")]
    outcomes = send(accord, *raws) if together else [one(accord, raw) for raw in raws]

    assert outcomes[2] == Outcome("duplicate", *IDENTIFIED, NAME, 1, 1)
    assert facts(accord) == ["ExplorationBegun", "CandidateIdentified"]


def test_the_order_of_keys_and_how_a_message_travelled_make_no_other_message(
    accord: Accord,
) -> None:
    send(accord, beginning())
    told = orjson.loads(beginning())
    other = dict(reversed(told.items())) | {"traceparent": "00-ab-cd-01"}

    assert one(accord, orjson.dumps(other, option=orjson.OPT_INDENT_2)).status == "duplicate"


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands(
    accord: Accord, *, together: bool
) -> None:
    raws = [beginning(), candidate("brightpath", 120), candidate("brightpath", 121)]
    outcomes = send(accord, *raws) if together else [one(accord, raw) for raw in raws]

    assert (outcomes[2].status, outcomes[2].rule, outcomes[2].pointer) == (
        "refused",
        "id-conflict",
        "/id",
    )
    assert [each.rule for each in kept(accord)] == ["id-conflict"]
    assert one(accord, raws[1]).status == "duplicate"
    assert len(log(accord)) == 2


def test_the_same_id_of_another_source_is_another_input(accord: Accord) -> None:
    send(accord, beginning())
    raw = orjson.loads(candidate("brightpath", id=f"begin-{NAME}")) | {"source": "//billing"}

    assert one(accord, orjson.dumps(raw)).status == "accepted"


def test_a_command_with_no_effect_is_accepted_without_events(accord: Accord) -> None:
    send(accord, beginning(), candidate("brightpath"))
    again = candidate("brightpath", id="another-id")

    assert one(accord, again) == Outcome("accepted", *sent("another-id"), NAME, None, 0)
    assert one(accord, again) == Outcome("duplicate", *sent("another-id"), NAME, None, 0)
    assert len(log(accord)) == 2


# --- refused -----------------------------------------------------------------------------------


def test_a_refused_input_is_kept_as_it_came_with_the_rule_and_the_mend(accord: Accord) -> None:
    raw = candidate("brightpath")
    outcome = one(accord, raw)

    assert (outcome.status, outcome.rule) == ("refused", "no-such-partnership")
    (refusal,) = kept(accord)
    assert (refusal.raw, refusal.rule, refusal.state) == (raw, "no-such-partnership", "open")
    assert (refusal.source, refusal.source_id, refusal.subject, refusal.type) == (
        SOURCE,
        "identify-brightpath",
        NAME,
        "accord.IdentifyCandidate",
    )
    assert refusal.hint == outcome.hint


@pytest.mark.parametrize("raw", [candidate("brightpath"), b"no JSON", b"{}"], ids=str)
def test_a_refused_input_again_is_refused_again_and_not_kept_twice(
    accord: Accord, raw: bytes
) -> None:
    first, second, third = (*send(accord, raw, raw), one(accord, raw))

    assert first == second == third
    assert first.status == "refused"
    assert len(kept(accord)) == 1


def test_a_refused_input_that_is_sent_again_is_decided_afresh_and_leaves_the_list(
    accord: Accord,
) -> None:
    send(accord, candidate("brightpath"), beginning())
    assert [each.state for each in kept(accord)] == ["open"]

    again = one(accord, candidate("brightpath"))

    assert again == Outcome("accepted", *IDENTIFIED, NAME, 1, 1)
    assert [each.state for each in kept(accord)] == ["resolved"]
    assert one(accord, candidate("brightpath")).status == "duplicate"


def test_a_refused_input_is_retried_by_its_number(accord: Accord) -> None:
    send(accord, candidate("brightpath"), beginning())

    retried = accord.service.retry(kept(accord))

    assert retried == [Outcome("accepted", *IDENTIFIED, NAME, 1, 1)]
    assert [each.state for each in kept(accord)] == ["resolved"]


def test_a_retry_in_vain_leaves_the_refusal_open_and_keeps_no_second_one(accord: Accord) -> None:
    send(accord, candidate("brightpath"))
    (refusal,) = kept(accord)

    (retried,) = accord.service.retry([refusal])

    assert (retried.status, retried.rule) == ("refused", "no-such-partnership")
    assert [(each.number, each.state) for each in kept(accord)] == [(refusal.number, "open")]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_a_corrected_input_under_the_same_id_is_decided_again(
    accord: Accord, *, together: bool
) -> None:
    wrong = orjson.dumps(orjson.loads(candidate("brightpath")) | {"party": "passer-by"})
    raws = [beginning(), wrong, candidate("brightpath")]
    outcomes = send(accord, *raws) if together else [one(accord, raw) for raw in raws]

    assert [each.status for each in outcomes] == ["accepted", "refused", "accepted"]
    assert outcomes[1].rule == "unknown-party"
    assert one(accord, candidate("brightpath")).status == "duplicate"
    assert len(log(accord)) == 2


def test_a_refusal_leaves_the_list_when_its_input_is_corrected_under_the_same_id(
    accord: Accord,
) -> None:
    wrong = orjson.dumps(orjson.loads(candidate("brightpath")) | {"time": "today"})
    send(accord, beginning(), wrong)
    send(accord, candidate("brightpath"))

    assert [each.state for each in kept(accord)] == ["resolved"]


def test_a_changed_event_under_an_accepted_id_is_told_which_command_corrects(
    past: Accord,
) -> None:
    lived_until(past, IssueStatement)
    reported = log(past)[-1]
    figure = ReportedFigure(unit="count", value=Decimal(1))
    command = ReportMetric(metric="leads", period="2025-12", tool="crm", figure=figure)
    changed = command.model_copy(update={"figure": ReportedFigure(unit="count", value=Decimal(2))})
    at = str(reported.act.recorded_at.date())
    first, second = (one(past, message("figure", each, at=at)) for each in (command, changed))

    assert (first.status, second.rule) == ("accepted", "id-conflict")
    assert second.hint == (
        "Give each event its own id. "
        "To correct what was recorded, send CorrectMetric with another id."
    )


def test_a_figure_of_a_wrong_unit_is_pointed_at_with_the_unit_to_give(accord: Accord) -> None:
    figure = ReportedFigure(unit="percent", value=Decimal(1))
    command = ReportMetric(metric="leads", period="2025-12", tool="crm", figure=figure)
    _, outcome = send(accord, beginning(), message("figure", command))

    assert (outcome.rule, outcome.pointer) == ("wrong-unit", "/data/figure/unit")
    assert outcome.hint == 'Give the figure in the unit "count".'


def test_one_refusal_does_not_keep_the_others_of_its_batch_back(accord: Accord) -> None:
    outcomes = send(accord, b"[]", beginning(), candidate("elsewhere", subject="elsewhere"))

    assert [each.status for each in outcomes] == ["refused", "accepted", "refused"]
    assert len(kept(accord)) == 2


# --- whose time --------------------------------------------------------------------------------


def test_an_ordinary_store_never_lets_a_client_say_when_it_was_recorded(accord: Accord) -> None:
    outcome = one(accord, beginning(recordedtime="2020-01-01T00:00:00Z"))

    assert (outcome.rule, outcome.pointer) == ("recordedtime-is-the-operators", "/recordedtime")
    assert accord.history.size() == 0


def test_in_an_ordinary_store_nobody_lets_time_pass(accord: Accord) -> None:
    send(accord, beginning())

    assert one(accord, message("pass", PassTime())).rule == "time-passes-by-itself"


def test_an_ordinary_store_records_by_its_own_clock(accord: Accord, clock: Told) -> None:
    send(accord, beginning(at="2026-01-02"))

    (begun,) = log(accord)
    assert begun.act.occurred_at == datetime(2026, 1, 2, 9, tzinfo=UTC)
    assert begun.act.recorded_at == clock.now


def test_an_event_more_than_five_minutes_in_the_future_is_refused(
    accord: Accord, clock: Told
) -> None:
    soon, later = (clock.now + timedelta(seconds=each) for each in (300, 301))

    assert one(accord, beginning("later", at=later)).rule == "not-yet-happened"
    assert one(accord, beginning("soon", at=soon)).status == "accepted"


def test_recording_time_never_runs_backwards_even_if_the_clock_does(
    accord: Accord, clock: Told
) -> None:
    first = clock.now
    send(accord, beginning())
    clock.now -= timedelta(minutes=3)
    send(accord, candidate("brightpath"))
    clock.now += timedelta(minutes=10)
    send(accord, candidate("northlight"))

    assert [each.act.recorded_at for each in log(accord)] == [
        first,
        first,
        first + timedelta(minutes=7),
    ]


def test_a_simulated_store_takes_the_time_of_recording_from_its_feed(past: Accord) -> None:
    send(
        past,
        beginning(at="2025-01-02"),
        candidate("brightpath", at="2025-01-03", recordedtime="2025-02-05T10:00:00Z"),
        candidate("northlight", at="2025-01-04"),
    )

    assert [each.act.recorded_at for each in log(past)] == [
        datetime(2025, 1, 2, 9, tzinfo=UTC),
        datetime(2025, 2, 5, 10, tzinfo=UTC),
        datetime(2025, 2, 5, 10, tzinfo=UTC),
    ]
    assert [each.late_days for each in log(past)] == [0, 33, 32]


def test_a_simulated_store_dates_its_refusals_by_the_time_of_the_feed(past: Accord) -> None:
    begun = beginning(time="2026-01-05T09:00:00Z", recordedtime="2026-01-05T09:00:00Z")
    outcomes = send(
        past,
        begun,
        beginning(id="late", time="2026-01-04T00:00:00Z", recordedtime="2026-01-04T00:00:00Z"),
        beginning(id="strange", time="2026-01-06T00:00:00Z", party=7),
        b"not JSON",
    )

    assert [each.status for each in outcomes] == ["accepted", "refused", "refused", "refused"]
    assert [each.received_at for each in kept(past)] == [
        datetime(2026, 1, 5, 9, tzinfo=UTC),
        datetime(2026, 1, 6, tzinfo=UTC),
        datetime(2026, 1, 5, 9, tzinfo=UTC),
    ]


def test_a_feed_cannot_be_recorded_backwards(past: Accord) -> None:
    send(past, beginning(at="2025-01-02", recordedtime="2025-01-05T00:00:00Z"))
    outcome = one(
        past, candidate("brightpath", at="2025-01-02", recordedtime="2025-01-04T23:59:59Z")
    )

    assert (outcome.rule, outcome.pointer) == ("recordedtime-runs-backwards", "/recordedtime")


def test_one_input_of_a_feed_lets_at_most_ten_years_pass(past: Accord) -> None:
    send(past, *until_execution())
    before = past.history.size()

    far = one(past, message("far", PassTime(), at="2250-01-01"))

    assert (far.rule, far.pointer) == ("time-leaps", "/time")
    assert past.history.size() == before


def test_a_time_that_was_refused_can_be_corrected_or_passed_in_steps(past: Accord) -> None:
    send(past, *until_execution(), message("pass", PassTime(), at="2250-01-01"))

    corrected = one(past, message("pass", PassTime(), at="2026-02-01"))
    steps = [message(f"{year}", PassTime(), at=f"{year}-01-01") for year in (2036, 2046)]

    assert corrected.status == "accepted"
    assert {each.status for each in send(past, *steps)} == {"accepted"}
    closed = [each.event for each in log(past) if isinstance(each.event, PeriodClosed)]
    assert closed[-1] == PeriodClosed(period="2045-Q4")


def test_a_feed_can_go_on_after_any_time_in_which_nothing_falls_due(past: Accord) -> None:
    send(past, beginning(at="2025-01-02"))

    assert one(past, candidate("brightpath", at="2250-01-01")).status == "accepted"


# --- time as events ----------------------------------------------------------------------------


def test_a_whole_life_through_the_service_is_what_the_domain_alone_makes_of_it(
    past: Accord,
) -> None:
    story = Story(id=NAME).given(LIFE)
    outcomes = send(past, *from_steps(LIFE))
    named = map(Names(past.history, NAME).recorded, log(past))

    assert {each.status for each in outcomes} == {"accepted"}
    assert [
        (each.stream, each.version, each.event, each.act.party, each.act.occurred_at)
        for each in named
    ] == [
        (each.stream, each.version, each.event, each.act.party, each.act.occurred_at)
        for each in story.history
    ]


def test_one_message_at_a_time_records_what_one_batch_records(past: Accord, tmp_path: Path) -> None:
    messages = from_steps(LIFE)
    send(past, *messages)
    (tmp_path / "single").mkdir()
    with simulated(tmp_path / "single") as single:
        for raw in messages:
            one(single, raw)

        assert list(single.history.bodies(NAME)) == list(past.history.bodies(NAME))


def until_execution() -> list[bytes]:
    return from_steps(step for step in LIFE if step.at < "2026-01-08")


def test_deadlines_due_before_a_command_are_recorded_before_it(past: Accord) -> None:
    send(past, *until_execution())
    before = len(log(past))
    send(past, message("issue", example(RaiseIssue), party=THEIRS, at="2026-02-02"))

    *due, raised = log(past)[before:]
    passed = [each for each in due if not isinstance(each.event, ReminderGiven)]
    assert [type(each.event) for each in passed] == [
        DeadlinePassed,
        MilestoneMissed,
        MilestoneMissed,
        ReviewMissed,
        PeriodClosed,
    ]
    assert isinstance(raised.event, IssueRaised)
    for each in passed:
        assert (each.source, each.act.party) == (CLOCK_SOURCE, "accord")
        assert each.act.occurred_at == each.act.recorded_at < raised.act.recorded_at


def test_a_command_at_the_very_moment_of_a_deadline_comes_after_it(past: Accord) -> None:
    send(past, *until_execution())
    send(past, message("issue", example(RaiseIssue), party=THEIRS, at="2026-01-09T12:00"))
    send(past, message("pass-1", PassTime(), at="2026-01-11T11:59"))
    assert "IssueEscalated" not in facts(past)
    resolution = message("solved", example(ProposeIssueResolution), at="2026-01-11T12:00")
    consent = example(AgreeIssueResolution)
    send(past, resolution, message("agreed", consent, party=THEIRS, at="2026-01-11T12:00"))

    escalated, _, resolved = log(past)[-3:]
    assert isinstance(escalated.event, IssueEscalated)
    assert isinstance(resolved.event, IssueResolved)
    assert escalated.act.occurred_at == datetime(2026, 1, 11, 12, tzinfo=UTC)


def test_the_clock_gives_the_same_deadline_the_same_identifier_everywhere(
    past: Accord, tmp_path: Path
) -> None:
    send(past, *until_execution(), message("pass", PassTime(), at="2026-04-01"))
    (tmp_path / "other").mkdir()
    with simulated(tmp_path / "other") as other:
        send(other, *until_execution(), message("another", PassTime(), at="2026-06-01"))
        of_other = {each.event_id for each in log(other)}

    closed = [each for each in log(past) if isinstance(each.event, PeriodClosed)]
    assert [each.event for each in closed] == [
        PeriodClosed(period=period) for period in ("2026-01", "2026-02", "2026-03", "2026-Q1")
    ]
    assert {each.event_id for each in closed} <= of_other


def test_an_ordinary_store_records_what_passed_once_and_when_it_came_to_know(
    accord: Accord, clock: Told
) -> None:
    clock.now = datetime(2026, 1, 8, tzinfo=UTC)
    assert {each.status for each in send(accord, *until_execution())} == {"accepted"}
    clock.now = datetime(2026, 3, 5, 7, tzinfo=UTC)

    assert accord.service.pass_time(NAME) > 0
    assert accord.service.pass_time(NAME) == 0
    closed = [each for each in log(accord) if isinstance(each.event, PeriodClosed)]
    assert [each.act.occurred_at.month for each in closed] == [2, 3]
    assert {each.act.recorded_at for each in closed} == {clock.now}


# --- what a decision rests on besides ----------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_an_experiment_is_evidence_from_its_conclusion_on(past: Accord, *, together: bool) -> None:
    steps = LIFE[: LIFE.index(EXAMPLES[ConcludePilot]) + 1]
    *before, conclusion = from_steps(steps)
    cited = example(
        AttachEvidence, evidence="trial", kind="experiment", reference="experiment:offer-trial"
    )
    early, late = (
        message(name, cited, at=steps[-1].at, party=THEIRS) for name in ("too-early", "in-time")
    )
    past.service.handle(before)

    raws = [early, conclusion, late]
    outcomes = send(past, *raws) if together else [one(past, raw) for raw in raws]

    assert [each.rule for each in outcomes] == ["experiment-shows-nothing", None, None]
    assert facts(past)[-1] == "EvidenceAttached"


# --- faults ------------------------------------------------------------------------------------


def test_a_fault_in_one_decision_is_kept_and_does_not_stop_the_rest(
    accord: Accord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound = aggregates.decide

    def faulty(command: Command, *others: Any) -> list[Event]:  # noqa: ANN401 - as `decide`
        if isinstance(command, IdentifyCandidate) and command.candidate == "northlight":
            raise ZeroDivisionError
        return sound(command, *others)

    with (
        monkeypatch.context() as patch,
        caplog.at_level(logging.CRITICAL, "infra.deciding.decision"),
    ):
        patch.setattr(aggregates, "decide", faulty)
        outcomes = send(accord, beginning(), candidate("northlight"), candidate("brightpath"))
    assert [each.status for each in outcomes] == ["accepted", "refused", "accepted"]
    assert outcomes[1].rule == "internal-error"
    (refusal,) = kept(accord)
    assert refusal.raw == candidate("northlight")

    (retried,) = accord.service.retry([refusal])
    assert retried.status == "accepted"


def test_a_fault_in_folding_leaves_no_half_of_what_was_decided(
    accord: Accord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sound, sound_decide = aggregates.evolve, aggregates.decide

    def twice(*args: object) -> list[Event]:
        decided = sound_decide(*args)  # type: ignore[arg-type]
        return [*decided, *decided]

    def faulty(state: aggregates.State, event: Event, act: Act) -> aggregates.State:
        after = sound(state, event, act)
        if isinstance(event, CandidateIdentified) and after == state:
            raise ZeroDivisionError
        return after

    with (
        monkeypatch.context() as patch,
        caplog.at_level(logging.CRITICAL, "infra.deciding.decision"),
    ):
        patch.setattr(aggregates, "decide", twice)
        patch.setattr(aggregates, "evolve", faulty)
        outcomes = send(accord, beginning(), candidate("northlight"))
    assert [each.rule for each in outcomes] == [None, "internal-error"]
    assert set(facts(accord)) == {ExplorationBegun.wire}

    assert one(accord, candidate("brightpath")).status == "accepted"


# --- several writers ---------------------------------------------------------------------------


class Contested(SqliteStore):
    """A store in which somebody else is always first."""

    tries = 0

    def append(self, events: Sequence[Recorded], writes: Writes = NO_WRITES) -> list[Recorded]:
        self.tries += 1
        raise Conflict(f"{len(events)} events and {writes}")


def test_who_always_loses_the_race_hears_so_and_may_send_the_same_again(
    tmp_path: Path, clock: Told
) -> None:
    with closing(Contested.open(tmp_path / "contested.db")) as store:
        service = Service(store, clock, simulated=False, salts=by_chance)
        outcomes = service.handle([beginning("a"), beginning("b")])

        assert [(each.status, each.rule, each.retryable) for each in outcomes] == [
            ("refused", "conflict", True)
        ] * 2
        assert store.tries == ATTEMPTS * 3  # Together, then each alone.
        assert store.size() == 0
        assert store.refusals(state=None) == []


def test_the_loser_of_a_race_decides_again_after_the_winner_s_events(
    settings: Settings, clock: Told
) -> None:
    with bootstrap(settings, clock) as ours, bootstrap(settings, clock) as theirs:
        send(ours, beginning())
        send(theirs, candidate("brightpath", 120))
        outcome = one(ours, candidate("brightpath", 90, id="mine"))

        assert outcome.rule == "candidate-exists"
        assert one(ours, candidate("northlight")).first == 2
        assert one(theirs, candidate("eastwind")).first == 3


def test_two_processes_that_write_the_same_partnership_lose_nothing_and_leave_no_gap(
    settings: Settings,
) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    shared = [
        candidate(f"shared-{number}", subject=subject, at=now, id=f"{subject}-{number}")
        for subject in (NAME, "another-one")
        for number in range(60)
    ]
    begun = [beginning(subject, at=now) for subject in (NAME, "another-one")]
    with bootstrap(settings) as accord:
        send(accord, *begun)

    context = get_context("spawn")
    start, queue = context.Barrier(2), context.Queue()
    writers = []
    for name in ("one", "two"):
        own = [candidate(f"{name}-{number}", at=now) for number in range(60)]
        messages = [*shared, *own]
        Random(name).shuffle(messages)  # noqa: S311 - repeatable, not secret
        writers.append(context.Process(target=write, args=(settings, messages, 20, start, queue)))
    for writer in writers:
        writer.start()
    outcomes: list[list[Outcome]] = [queue.get(timeout=60) for _ in writers]
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0

    by_status = Counter(each.status for both in outcomes for each in both)
    assert by_status == {"accepted": 120 + 120, "duplicate": 120}
    every = [each for both in outcomes for each in both]
    firsts = {each.id: each.first for each in every if each.status == "accepted"}
    assert len(firsts) == 240
    assert all(each.first == firsts[each.id] for each in every)
    with bootstrap(settings) as accord:
        everything = accord.history.after(NOTHING, 1000)
        assert [each.position for each in everything] == list(range(242))
        for name, size in ((NAME, 181), ("another-one", 61)):
            assert [each.index for each in log(accord, name)] == list(range(size))
            assert [each.version for each in log(accord, name)] == list(range(1, size + 1))
            recorded = [each.act.recorded_at for each in log(accord, name)]
            assert recorded == sorted(recorded)


def test_attributes_of_a_message_reach_the_record(accord: Accord) -> None:
    send(accord, beginning(correlationid="campaign-7", causationid="crm-99"))

    (begun,) = map(Names(accord.history, NAME).recorded, log(accord))
    assert (begun.correlation_id, begun.causation_id) == ("campaign-7", "crm-99")
    assert (begun.act.party, begun.act.actor) == ("growthos", "growthos-manager")
    assert (begun.source, begun.source_id) == (SOURCE, f"begin-{NAME}")


# --- what rests on the whole log ---------------------------------------------------------------


def lived_until(accord: Accord, kind: type[Command]) -> None:
    """Play the life of the examples up to the first command of a kind."""
    steps = LIFE[: [type(step.command) for step in LIFE].index(kind)]
    outcomes = send(accord, *from_steps(steps))
    assert {each.status for each in outcomes} == {"accepted"}


def ask(period: str = "2026-Q1") -> bytes:
    return message("ask", IssueStatement(period=period), at="2026-04-02")


def test_a_statement_says_what_accrued_up_to_its_place_in_the_log(past: Accord) -> None:
    lived_until(past, IssueStatement)

    outcome = one(past, ask())

    issued = log(past)[-1]
    assert outcome.status == "accepted"
    assert isinstance(issued.event, StatementIssued)
    assert issued.event.balance.amount == Decimal(1152)
    assert outcome.first == issued.index == len(log(past)) - 1


def test_what_accrues_in_the_same_batch_is_stated_too(past: Accord) -> None:
    lived_until(past, IssueStatement)
    payment = ReceivePayment(
        deal="D-1", payment="P-9", amount=Money(amount=Decimal(1000), currency="USD")
    )
    late = message("late", payment, at="2026-03-30", recordedtime="2026-04-01T12:00:00Z")

    send(past, late, ask())

    (issued,) = (each.event for each in log(past) if isinstance(each.event, StatementIssued))
    assert issued.balance.amount == 1152 + 1000 * 15 * 80 // 10000


def test_a_statement_is_decided_again_if_something_accrued_meanwhile(
    past: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_until(past, IssueStatement)
    history, sound = past.history, past.history.append
    other = Service(history, wall_clock, simulated=True, salts=derived)
    payment = ReceivePayment(
        deal="D-1", payment="P-9", amount=Money(amount=Decimal(1000), currency="USD")
    )
    late = message("late", payment, at="2026-03-30", recordedtime="2026-04-02T08:00:00Z")

    def raced(*args: Any) -> list[Recorded]:  # noqa: ANN401 - as `append`
        monkeypatch.setattr(history, "append", sound)
        other.handle([late])
        return sound(*args)

    monkeypatch.setattr(history, "append", raced)
    one(past, ask())

    (issued,) = (each.event for each in log(past) if isinstance(each.event, StatementIssued))
    assert issued.balance.amount == 1272


QUARTERS = ("2026-Q1", "2026-Q2")


def report(number: int) -> bytes:
    """Report one of two quarters below the floor that both agreed."""
    figure = ReportedFigure(unit="percent", numerator=Decimal(1), denominator=Decimal(100))
    command = ReportMetric(
        metric="lead_to_opportunity", period=QUARTERS[number], tool="crm", figure=figure
    )
    return message(f"report-{number}", command, at=f"2026-09-0{number + 1}")


def breaking(accord: Accord) -> Recorded:
    """Report two quarters below the floor that both agreed, one before and one after its close."""
    lived_until(accord, ProposeRenewal)
    for number in range(len(QUARTERS)):
        one(accord, report(number))
    return next(each for each in log(accord) if isinstance(each.event, RuleBreached))


def test_what_a_rule_does_has_the_fact_that_broke_it_as_its_cause(past: Accord) -> None:
    breach = breaking(past)
    (review,) = (each for each in log(past) if each.causation_id == breach.event_id)
    fact = next(each for each in log(past) if each.event_id == breach.causation_id)

    assert isinstance(fact.event, MetricReported)
    assert isinstance(review.event, ReviewScheduled)
    assert {breach.source, review.source} == {RULES_SOURCE}


@pytest.mark.parametrize("folding", [0, 1, 7], ids=["never", "always", "sometimes"])
def test_a_service_that_starts_anew_judges_the_same_from_saved_rows_and_from_none(
    past: Accord, tmp_path: Path, folding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SHORT", 0)
    breaking(past)
    with simulated(tmp_path / "anew") as again:
        steps = LIFE[: [type(step.command) for step in LIFE].index(ProposeRenewal)]
        for number, raw in enumerate([*from_steps(steps), report(0), report(1)]):
            service = Service(
                again.history,
                wall_clock,
                simulated=True,
                salts=derived,
                views=again.views if folding else None,
            )
            service.handle([raw])
            if folding and number % folding == 0:
                again.catch_up()

        assert list(again.history.bodies(NAME)) == list(past.history.bodies(NAME))


class Counted(SqliteStore):
    """A store that counts the events that are read from logs."""

    read = 0

    def of(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[Recorded]:
        for each in super().of(partnership, start, stop):
            self.read += 1
            yield each


@pytest.mark.parametrize(
    ("until", "raw"), [(ProposeRenewal, report(0)), (IssueStatement, ask())], ids=["rules", "money"]
)
def test_the_first_command_after_a_start_reads_only_what_was_not_folded_yet(
    past: Accord, until: type[Command], raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SHORT", 0)
    lived_until(past, until)
    past.catch_up()
    one(past, message("more", ISSUE))
    assert isinstance(past.history, SqliteStore)
    with closing(Counted(past.history.datastore)) as store:
        service = Service(store, wall_clock, simulated=True, salts=derived, views=past.views)

        (outcome,) = service.handle([raw])

        assert outcome.status == "accepted"
        assert 0 < store.read <= len(log(past)) - past.views.positions("alerts", [NAME])[NAME]


ISSUE = RaiseIssue(issue="I-9", cause=IssueCause.MONEY, description="A fee is missing.")


def raced(
    monkeypatch: pytest.MonkeyPatch, accord: Accord, mine: bytes, theirs: bytes
) -> tuple[Outcome, Outcome]:
    """Decide a message while another service decides and appends one to the same partnership."""
    history, sound = accord.history, accord.history.append
    other = Service(history, wall_clock, simulated=True, salts=derived)
    first: list[Outcome] = []

    def late(*args: Any) -> list[Recorded]:  # noqa: ANN401 - as `append`
        monkeypatch.setattr(history, "append", sound)
        first.extend(other.handle([theirs]))
        return sound(*args)

    monkeypatch.setattr(history, "append", late)
    return one(accord, mine), first[0]


def test_what_another_writer_appended_in_between_is_known_to_the_next_decision(
    past: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_until(past, ProposeReviewHeld)
    referral = message("D-9", SubmitReferral(deal="D-9", lead="lead-9"), party=THEIRS)
    issue = message("I-9", ISSUE)

    outcomes = raced(monkeypatch, past, referral, issue)
    assert {each.status for each in outcomes} == {"accepted"}

    resolved = example(ProposeIssueResolution, issue="I-9")
    assert one(past, message("resolve", resolved)).status == "accepted"


def test_two_writers_whose_facts_break_a_rule_only_together_record_the_breach(
    past: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived_until(past, ProposeRenewal)

    raced(monkeypatch, past, report(1), report(0))

    assert RuleBreached.wire in facts(past)


def test_nobody_else_speaks_for_the_rules(past: Accord) -> None:
    outcome = one(past, beginning(source=RULES_SOURCE))

    assert outcome.rule == "reserved-source"
