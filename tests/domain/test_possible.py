"""What is possible is what would be accepted, along whole lives."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.adoption import AgreeAdoptionPart, parts_of
from domain.aggregates import State, command_types
from domain.agreement import ProposeTerms
from domain.dispute import AcceptResolution, Dispute, OpenDispute, ProposeResolution
from domain.examples import ELSEWHERE, EXAMPLES, HELD, LIFE, LOST, OURS, THEIRS, Step
from domain.exit import ProposeCompletion
from domain.experiment import Experiment
from domain.exploration import ChoosePartner, CloseExploration, ScoreCandidate
from domain.formation import (
    AgreeNegotiationEnd,
    DraftAgreement,
    ProposeNegotiationEnd,
    SignAgreement,
)
from domain.kernel import Command, NotNow, Refused, Stage
from domain.keyring import (
    AgreeKeyRecovery,
    ProposeKeyRecovery,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    RotateKey,
)
from domain.payouts import RecordPayout
from domain.people import ErasePerson
from domain.possible import Possible, Situation, possible
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.second_person import ConfirmAct, SecondPersonAsked, WithdrawAct
from tests.life import after, at, before, example, so_far, usd
from tests.projections.money import amend
from tests.stories import Story, moment
from tests.sweeps import sweep


def situation(story: Story) -> Situation:
    few: dict[str, State] = {
        name: state
        for name, state in story.states.items()
        if isinstance(state, Dispute | Experiment)
    }
    return Situation(story.id, story.partnership, story.now, few)


def can(story: Story, party: str) -> Possible:
    return possible(party, situation(story))


def test_an_answer_that_awaits_its_second_person_is_not_offered_again() -> None:
    story = after(OpenDispute)
    amend(story, since=story.now.date(), second_person_above=[usd("1.00")])
    ends = example(ProposeResolution)
    (asked,) = story.when(OURS, ends)
    assert isinstance(asked, SecondPersonAsked)
    story.when(OURS, ConfirmAct(within=asked.within, act=asked.act))
    assert [each.proposal for each in can(story, THEIRS).answers] == [ends.proposal]

    story.when(THEIRS, AcceptResolution(dispute=ends.dispute, proposal=ends.proposal))

    assert can(story, THEIRS).answers == ()


def alone(step: Step) -> tuple[Step, ...]:
    """Return a life that leaves the examples' life for a step elsewhere."""
    before_it = [each for each in LIFE if moment(each.at) < moment(step.at)]
    if isinstance(step.command, RotateKey | RevokeKey | RequireSignatures):
        before_it.append(EXAMPLES[RegisterKey])
    if isinstance(step.command, AgreeNegotiationEnd):
        before_it.append(EXAMPLES[ProposeNegotiationEnd])
    if isinstance(step.command, ProposeKeyRecovery):
        before_it += LOST[:-1]
    if isinstance(step.command, AgreeKeyRecovery):
        before_it += LOST
    if isinstance(step.command, ConfirmAct | WithdrawAct):
        before_it += HELD
    return (*before_it, step)


LIVES = {"whole": LIFE} | {
    type(each.command).__name__: alone(each) for each in ELSEWHERE if each.command.stages
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_each_command_that_records_something_was_possible_before_it(
    life: tuple[Step, ...],
) -> None:
    story = Story()
    for step in life:
        story.on(step.at)
        if story.partnership.stage is not None:
            known = can(story, step.party).commands
            # The clock of a simulated store is no party's to move.
            if story.copy().when(step.party, step.command):
                assert type(step.command) in known, step
        story.when(step.party, step.command)


def _lives_so_far() -> Iterator[Story]:
    """Return the story before each step of the life but the first, at the moment of that step."""
    for steps, step in enumerate(LIFE[1:], start=1):
        story = so_far(steps)
        story.on(step.at)
        yield story
    yield so_far(len(LIFE))


SO_FAR = list(_lives_so_far())


@settings(max_examples=sweep(300, 100), deadline=None)
@given(
    story=st.sampled_from(SO_FAR),
    party=st.sampled_from([OURS, THEIRS]),
    step=st.sampled_from([*LIFE, *EXAMPLES.values()]),
)
def test_a_command_that_is_not_possible_is_refused_or_records_nothing(
    story: Story, party: str, step: Step
) -> None:
    if type(step.command) in can(story, party).commands:
        return
    try:
        recorded = story.copy().when(party, step.command)
    except NotNow:
        return
    except Refused as refused:
        # What it names was recorded before, and so cannot be recorded again with other content.
        assert refused.rule in {"already-recorded", "proposal-exists"}  # noqa: PT017 - no others
        return
    assert recorded == []


def test_an_acceptance_waits_for_the_other_party_alone() -> None:
    story = before(DraftAgreement)
    story.when(OURS, example(ProposeTerms, proposal="terms-9"))

    (waiting,) = [each for each in can(story, THEIRS).answers if each.proposal == "terms-9"]

    assert waiting.party == OURS
    assert [each.__name__ for each in waiting.commands] == [
        "AcceptTerms",
        "CounterTerms",
        "DeclineProposal",
    ]
    assert "terms-9" not in [each.proposal for each in can(story, OURS).answers]


def test_a_signature_is_possible_until_the_party_has_signed() -> None:
    story = after(SignAgreement)

    assert SignAgreement not in can(story, OURS).commands
    assert SignAgreement in can(story, THEIRS).commands


def test_what_names_something_waits_until_it_is_there() -> None:
    story = at(Stage.EXPLORATION)

    assert ScoreCandidate not in can(story, OURS).commands
    assert ScoreCandidate in can(before(ScoreCandidate), OURS).commands


def test_a_closed_gate_says_which_of_its_conditions_are_met() -> None:
    story = before(ChoosePartner, without=ScoreCandidate)

    (gate,) = [each for each in can(story, OURS).closed if each.gate == "formation"]

    assert isinstance(gate.command, ChoosePartner)
    assert gate.command.candidate == THEIRS
    states = {each.rule: each.met for each in gate.requirements}
    assert [rule for rule, met in states.items() if not met] == ["candidate-scored"]
    assert states["checklist:exit_clause"] is True


def test_a_gate_that_opens_is_no_longer_closed() -> None:
    story = before(ChoosePartner)

    found = can(story, OURS)

    assert ChoosePartner in found.commands
    assert [each.gate for each in found.closed] == []


def test_nothing_but_facts_and_keys_is_possible_after_the_end() -> None:
    ended = can(at(Stage.ENDED), OURS).commands

    assert {each for each in ended if Stage.ENDED not in each.stages} == set()
    assert ProposeCompletion not in ended


def test_after_an_exploration_without_a_partner_only_figures_keys_and_names_change() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(CloseExploration))

    assert set(can(story, OURS).commands) == {ReportMetric, CorrectMetric, RegisterKey, ErasePerson}


HELD_ONE = before(RecordPayout).given(HELD)


def test_every_command_is_possible_somewhere_in_the_lives() -> None:
    found: set[type[Command]] = set()
    for story in [
        *SO_FAR,
        *(Story().given(life) for life in LIVES.values()),
        at(Stage.ADOPTION),
        HELD_ONE,
    ]:
        for party in story.partnership.parties:
            found |= set(can(story, party).commands)
    never = {each.__name__ for each in command_types().values()} - {x.__name__ for x in found}

    # Two begin where no partnership is yet, and time records nothing by itself.
    assert never == {"BeginExploration", "DefinePortfolio", "PassTime"}


def test_each_part_of_an_adoption_can_be_accepted_until_all_of_them_are() -> None:
    story = at(Stage.ADOPTION)
    proposed = story.partnership.adoption.latest
    for part in parts_of(proposed):
        can = possible(THEIRS, situation(story))
        assert AgreeAdoptionPart in can.commands
        assert AgreeAdoptionPart in can.answers[0].commands
        story.when(THEIRS, AgreeAdoptionPart(proposal=proposed.proposal, part=part))

    can = possible(THEIRS, situation(story))
    assert AgreeAdoptionPart not in can.commands
    assert can.answers == ()
