"""The partnership: who may act, the order of the stages, and the times of events."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from domain import aggregates
from domain.deal_record import Deal
from domain.execution import HoldKickoff
from domain.exploration import BeginExploration, IdentifyCandidate
from domain.formation import AgreeCharter
from domain.governance import AssignSponsor, SponsorAssigned
from domain.kernel import Act, Command, Event, Stage
from domain.keyring import ProposeKeyRecovery
from domain.partnership import PassTime
from domain.recorded import Recorded
from domain.referral import SubmitReferral
from domain.reported_figure import ReportMetric
from domain.settlement import Ledger
from tests.life import LIFE, OURS, STRANGER, THEIRS, at, before, example
from tests.stories import Story

MOVES = {
    (None, Stage.EXPLORATION),
    (Stage.EXPLORATION, Stage.FORMATION),
    (Stage.FORMATION, Stage.EXECUTION),
    (Stage.EXECUTION, Stage.SCALING),
    (Stage.SCALING, Stage.RENEWAL),
    (Stage.RENEWAL, Stage.SCALING),
    (Stage.SCALING, Stage.EXIT),
    (Stage.EXIT, Stage.SCALING),
    (Stage.EXIT, Stage.ENDED),
}


def test_a_whole_life_passes_through_all_stages() -> None:
    story = Story()
    moves = set()
    for step in LIFE:
        stage = story.partnership.stage
        story.given([step])
        if story.partnership.stage is not stage:
            moves.add((stage, story.partnership.stage))

    assert moves == MOVES


def test_nothing_can_be_done_in_a_partnership_that_has_not_begun() -> None:
    assert Story().refuses(OURS, example(IdentifyCandidate)).rule == "no-such-partnership"


def test_a_stranger_may_do_nothing() -> None:
    refusal = at(Stage.EXECUTION).refuses(STRANGER, example(SubmitReferral))

    assert refusal.rule == "unknown-party"
    assert "parties" not in refusal.facts
    assert THEIRS not in refusal.detail + refusal.hint


def test_the_partner_has_no_say_before_it_is_chosen() -> None:
    story = at(Stage.EXPLORATION)

    assert story.refuses(THEIRS, example(IdentifyCandidate)).rule == "unknown-party"


def test_a_party_acts_for_its_own_side() -> None:
    """No command names the party that acts: who sends it is who acts.

    A new key is of the party that is named, which must be the one that proposes it.
    """
    story = before(AgreeCharter)

    story.when(THEIRS, example(AssignSponsor, name="Boris"))

    facts = story.partnership.context.declarations
    names = {
        party: [each.name for each in facts.of(SponsorAssigned, party)] for party in (OURS, THEIRS)
    }
    assert names == {OURS: ["Ada senior"], THEIRS: ["Boris"]}
    named = [kind for kind in aggregates.command_types().values() if "party" in kind.model_fields]
    assert named == [ProposeKeyRecovery]


def test_a_refusal_outside_the_stage_says_where_the_command_belongs() -> None:
    refusal = at(Stage.EXPLORATION).refuses(OURS, example(AssignSponsor))

    assert refusal.rule == "wrong-stage"
    assert refusal.facts["stage"] == "exploration"
    assert refusal.facts["stages"] == ["formation", "execution", "scaling", "renewal", "exit"]


# --- time --------------------------------------------------------------------------------------


def test_nothing_is_recorded_before_it_happened() -> None:
    story = at(Stage.EXECUTION)

    refusal = story.refuses(THEIRS, example(SubmitReferral), happened="2026-01-05T09:06")

    assert refusal.rule == "not-yet-happened"


def test_a_senders_clock_may_run_five_minutes_ahead() -> None:
    story = at(Stage.EXECUTION)

    assert story.when(THEIRS, example(SubmitReferral), happened="2026-01-05T09:05")


def test_what_happened_more_than_ten_years_ago_is_no_event_of_today() -> None:
    story = at(Stage.FORMATION)

    refusal = story.refuses(OURS, example(HoldKickoff), happened="1926-01-05")

    assert refusal.rule == "too-long-ago"


def test_a_fact_is_late_by_the_whole_days_until_it_was_recorded() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-07-05")

    happened = ["2026-06-30T09:00", "2026-06-30T09:01", "2026-07-04T09:01", "2026-07-05T09:04"]
    for place, each in enumerate(happened):
        story.when(THEIRS, example(SubmitReferral, deal=f"D-{place}"), happened=each)

    assert [each.late_days for each in story.history[-4:]] == [5, 4, 0, 0]
    assert story.history[-1].ref == f"{story.id}#{len(story.history) - 1}"


# --- streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "stream"),
    [
        (example(BeginExploration), "p"),
        (example(SubmitReferral), "p/deal/D-1"),
        (example(ReportMetric), "p/metric/demo_request_rate/brightpath/2025-09/webinar"),
        (
            example(ReportMetric, segment=None),
            "p/metric/demo_request_rate/-/2025-09/webinar",
        ),
    ],
)
def test_each_aggregate_has_a_stream_under_its_partnership(command: Command, stream: str) -> None:
    assert aggregates.stream_of("p", command) == stream
    assert type(aggregates.initial(stream)).__name__ in {"Partnership", "Deal", "Reported"}


def test_a_partnership_is_folded_from_its_own_stream_alone() -> None:
    story = at(Stage.SCALING)

    assert {each.stream for each in story.history} > {story.id, f"{story.id}/deal/D-1"}
    assert aggregates.fold(story.history) == story.partnership


def test_a_command_on_the_wrong_stream_is_a_fault_of_the_program() -> None:
    story = at(Stage.EXECUTION)
    act = Act(OURS, "ada", story.now, story.now)

    with pytest.raises(TypeError, match="PassTime was routed to Deal"):
        aggregates.decide(PassTime(), Deal(), act, story.partnership, Ledger)


# --- what is stored ----------------------------------------------------------------------------


def test_a_stored_name_is_given_once() -> None:
    with pytest.raises(TypeError, match="two events are called DealWon"):

        class Another(Event, wire="DealWon"):
            pass


def test_a_class_that_is_renamed_keeps_its_stored_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Event, "registry", {})

    class Renamed(Event, wire="LongAgo", version=2):
        pass

    assert Event.registry == {"LongAgo": Renamed}
    assert (Renamed.wire, Renamed.version) == ("LongAgo", 2)


def test_values_do_not_change_and_know_all_their_fields() -> None:
    command = example(SubmitReferral)

    with pytest.raises(ValidationError, match="frozen"):
        command.lead = "another"  # type: ignore[misc] # what is tried here
    with pytest.raises(ValidationError, match="extra_forbidden"):
        example(SubmitReferral, priority="high")


def test_the_clock_is_nobodys_party() -> None:
    story = at(Stage.EXECUTION)
    recorded: list[Recorded] = []

    story.wait(days=60)
    recorded = [each for each in story.history if each.act.actor == "clock"]

    assert recorded
    assert {each.act.party for each in recorded} == {"accord"}
    assert all(story.now - each.act.occurred_at < timedelta(days=60) for each in recorded)
