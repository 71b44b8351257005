"""Laws that hold for every story: random commands by random parties, while time goes forward.

A story begins anywhere in the life of `life.py`, since chance alone would never come far in it,
and goes on as it may: most commands are refused, and those that are not make a legal history.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain import aggregates
from domain.aggregates import State, initial
from domain.bilateral import BilateralAgreement, BilateralProposed
from domain.deadlines.deadline import DeadlinePassed
from domain.execution import ActionAgreed, CommitmentCancelled, InvestmentReduced
from domain.exit import BreachCured, BreachNoticeGiven
from domain.exploration import BeginExploration, PartnerChosen
from domain.formation import AgreementSigned, NegotiationEnded, NegotiationEndProposed
from domain.gates import WaiverGranted
from domain.kernel import CLOCK_PARTY, Command, Event, Refused, Stage
from domain.markets import MetricOwnerAssigned
from domain.partnership import Partnership
from domain.recorded import Recorded
from tests.life import ELSEWHERE, LIFE, OURS, STRANGER, THEIRS, so_far
from tests.stories import Story

ONWARD = {
    None: {Stage.EXPLORATION},
    Stage.EXPLORATION: {Stage.FORMATION, Stage.ENDED},
    Stage.FORMATION: {Stage.EXECUTION},
    Stage.EXECUTION: {Stage.SCALING, Stage.RENEWAL, Stage.EXIT},
    Stage.SCALING: {Stage.RENEWAL, Stage.EXIT},
    Stage.RENEWAL: {Stage.EXECUTION, Stage.SCALING, Stage.EXIT},
    Stage.EXIT: {Stage.EXECUTION, Stage.SCALING, Stage.ENDED},
    Stage.ENDED: set(),
}
"""Where a partnership may go from each stage."""


class Move(NamedTuple):
    """Something tried: by whom, what, and how long after the last."""

    party: str
    command: Command
    hours: int


POOL = [step.command for step in (*LIFE, *ELSEWHERE)]


def anything(party: str, place: int, hours: int) -> Move:
    """Return a move with a command from anywhere in the life."""
    return Move(party, POOL[place], hours)


def in_its_turn(place: int) -> Move:
    """Return a step of the life as a move."""
    return Move(LIFE[place].party, LIFE[place].command, 1)


# Commands are drawn by their place, since they are long to print.
ANYTHING = st.builds(
    anything,
    st.sampled_from([OURS, THEIRS, STRANGER]),
    st.integers(0, len(POOL) - 1),
    st.sampled_from([0, 0, 1, 24, 49, 24 * 40, 24 * 400]),
)
LAST = len(LIFE) - 1
AHEAD = 12
"""How many of the life's next steps are tried more often than others, in any order."""


@cache
def lived_alone(party: str) -> Story:
    """Return the story of a party that tries all of the life's commands."""
    story = Story()
    for step in LIFE:
        attempt(story, Move(party, step.command, 1))
    return story


def attempt(story: Story, move: Move) -> list[Event]:
    """Return what a move decides; a refusal decides nothing."""
    story.wait(hours=move.hours)
    try:
        return story.when(move.party, move.command)
    except Refused:
        return []


@st.composite
def plots(draw: st.DrawFn) -> tuple[Story, list[Move]]:
    """Return the life up to somewhere, and what is tried from there on."""
    steps = draw(st.integers(0, len(LIFE)))
    ahead = st.integers(min(steps, LAST), min(steps + AHEAD, LAST))
    moves = st.one_of(ahead.map(in_its_turn), ANYTHING)
    return so_far(steps), draw(st.lists(moves, max_size=25))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Return the life up to somewhere, then whatever is allowed of some random moves."""
    story, moves = draw(plots())
    for move in moves:
        attempt(story, move)
    return story


def fold(history: list[Recorded], states: dict[str, State] | None = None) -> dict[str, State]:
    """Return what each stream comes to."""
    states = dict(states or {})
    for each in history:
        state = states.get(each.stream, initial(each.stream))
        states[each.stream] = aggregates.evolve(state, each.event, each.act)
    return states


@given(plots())
def test_the_same_again_decides_nothing(plot: tuple[Story, list[Move]]) -> None:
    story, moves = plot
    for move in moves:
        if not attempt(story, move):
            continue
        if story.partnership.stage in move.command.stages or isinstance(
            move.command, BeginExploration
        ):
            assert story.when(move.party, move.command) == []
        else:  # What moved the partnership on has no place where it moved to.
            assert story.refuses(move.party, move.command).rule == "wrong-stage"


@given(stories())
def test_the_state_of_a_story_is_the_fold_of_its_history(story: Story) -> None:
    assert fold(story.history) == story.states


@given(stories(), st.data())
def test_folding_a_prefix_then_the_rest_equals_folding_the_whole(
    story: Story, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(story.history)))

    assert fold(story.history[cut:], fold(story.history[:cut])) == fold(story.history)


@given(stories(), st.data())
def test_any_part_of_a_history_can_be_folded(story: Story, data: st.DataObject) -> None:
    """A replay as of a moment leaves out what was not known, or had not happened, by then."""
    kept = data.draw(
        st.lists(st.booleans(), min_size=len(story.history), max_size=len(story.history))
    )
    part = [each for each, keep in zip(story.history, kept, strict=True) if keep]

    states = fold(part)

    own = states.get(story.id, Partnership())
    assert isinstance(own, Partnership)
    assert aggregates.fold(part) == own
    aggregates.next_due(own.deadlines, story.now)


@given(stories(), st.data())
def test_a_replay_as_of_a_moment_is_the_fold_of_what_had_happened(
    story: Story, data: st.DataObject
) -> None:
    assume(story.history)
    moment = data.draw(st.sampled_from([each.act.recorded_at for each in story.history]))
    known = [each for each in story.history if each.act.recorded_at <= moment]

    assert known == story.history[: len(known)]
    fold([each for each in story.history if each.act.occurred_at <= moment])


@given(stories())
def test_only_events_of_the_registry_are_decided(story: Story) -> None:
    for each in story.history:
        assert Event.registry[each.event.wire] is type(each.event)
        assert each.event.version >= 1


@given(stories())
def test_every_event_comes_back_from_its_json(story: Story) -> None:
    for each in story.history:
        assert type(each.event).model_validate_json(each.event.model_dump_json()) == each.event


@given(stories())
def test_stages_come_in_their_order(story: Story) -> None:
    state = Partnership()
    for each in story.history:
        if each.stream != story.id:
            continue
        after = aggregates.evolve(state, each.event, each.act)
        assert isinstance(after, Partnership)
        assert after.stage is state.stage or after.stage in ONWARD[state.stage]
        state = after


@given(stories())
def test_recorded_time_never_runs_backwards_and_the_clock_leaves_nothing_behind(
    story: Story,
) -> None:
    story.wait()

    recorded = [each.act.recorded_at for each in story.history]
    assert recorded == sorted(recorded)
    assert aggregates.next_due(story.partnership.deadlines, story.now) is None


@given(stories())
def test_the_clock_records_each_passing_once(story: Story) -> None:
    # The dates of the term are said anew once terms are agreed anew.
    said = [
        each.event.model_dump_json()
        for each in story.history
        if each.act.party == CLOCK_PARTY and not isinstance(each.event, DeadlinePassed)
    ]

    assert len(said) == len(set(said))


# --- consent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("party", [OURS, THEIRS])
@given(plot=plots())
def test_a_party_cannot_bind_both_alone(party: str, plot: tuple[Story, list[Move]]) -> None:
    # Alone one can accept what the other had put forward before, and nothing else.
    story, moves = plot
    begun = len(story.history)
    open_to_it = _put_forward_by_other(story, party)

    for move in moves:
        attempt(story, move._replace(party=party))

    bound = {proposal for each, proposal in _accepted(story.history) if each.index >= begun}
    assert bound <= open_to_it


def _accepted(events: Iterable[Recorded]) -> Iterator[tuple[Recorded, str]]:
    """Yield each agreement that accepted a proposal of the other party, and the proposal.

    A dispute may be withdrawn without one, and what binds its author alone accepts nothing. A
    negotiation is ended alone until both signed, and later by a party that asked for it before.
    """
    is_chosen, noticed, authors = False, dict[str, str](), dict[str, str]()
    signed, asked = set[tuple[str, int]](), dict[str, int]()
    for each in events:
        event, party = each.event, each.act.party
        if isinstance(event, AgreementSigned):
            signed.add((party, event.agreement_version))
        if isinstance(event, NegotiationEndProposed):
            asked.setdefault(party, each.index)
        is_chosen |= isinstance(event, PartnerChosen)
        if name := _proposed(event):
            authors[name] = party
        if isinstance(event, BreachNoticeGiven):
            noticed[event.breach] = party
        if isinstance(event, BilateralAgreement) and event.proposal_ref:
            if isinstance(event, NegotiationEnded):
                alone = not _signed_by_both(signed) or asked.get(party, each.index) < each.index - 1
            else:
                alone = _needs_no_consent(event, party, noticed, is_chosen=is_chosen)
            if not alone or authors.get(event.proposal_ref) != party:
                yield each, event.proposal_ref


def _signed_by_both(signed: Iterable[tuple[str, int]]) -> bool:
    """Whether two parties signed one version of the agreement."""
    return max(Counter(version for _, version in signed).values(), default=0) > 1


def _needs_no_consent(
    event: BilateralAgreement, party: str, noticed: Mapping[str, str], *, is_chosen: bool
) -> bool:
    """Whether a party agrees alone: it lays it on itself, or gives up something of its own."""
    match event:
        case ActionAgreed(agreed_version=1):
            return event.owner == party
        case MetricOwnerAssigned() | WaiverGranted():
            return not is_chosen
        case BreachCured():
            return noticed[event.breach] == party
        case InvestmentReduced():
            return event.budget is None
        case CommitmentCancelled():
            return event.kind == "reduction"
        case _:
            return False


def _proposed(event: Event) -> str | None:
    if not isinstance(event, BilateralProposed):
        return None
    name: str = getattr(event, event.agreement.called)
    return name


def _put_forward_by_other(story: Story, party: str) -> set[str]:
    proposed = {_proposed(each.event) for each in story.history if each.act.party != party}
    return {proposal for proposal in proposed if proposal}


@pytest.mark.parametrize("party", [OURS, THEIRS])
@given(moves=st.lists(ANYTHING, max_size=25))
def test_a_partnership_of_one_binds_nobody(party: str, moves: list[Move]) -> None:
    story = lived_alone(party).copy()

    for move in moves:
        attempt(story, move._replace(party=party))

    assert not [*_accepted(story.history)]


@given(stories())
def test_each_agreement_was_proposed_by_one_party_and_accepted_by_the_other(story: Story) -> None:
    # A proposal of another kind, or within a dispute, can have the same name.
    authors: dict[tuple[type[Event], str], str] = {}
    accepted = {each.index: proposal for each, proposal in _accepted(story.history)}
    for each in story.history:
        event = each.event
        if proposal := accepted.get(each.index):
            assert {each.act.party, authors[type(event), proposal]} == {OURS, THEIRS}
        if isinstance(event, BilateralProposed):
            name = getattr(event, event.agreement.called)
            authors.setdefault((event.agreement, name), each.act.party)


@given(stories())
def test_an_agreement_is_signed_by_each_party_for_itself(story: Story) -> None:
    signed: dict[int, list[str]] = {}
    for each in story.history:
        if isinstance(each.event, AgreementSigned):
            signed.setdefault(each.event.agreement_version, []).append(each.act.party)

    for parties in signed.values():
        assert len(parties) == len(set(parties))
        assert set(parties) <= {OURS, THEIRS}
