"""What a party does not see is refused in the words of what is not there (C7).

Every command is tried with a name that the other party keeps to itself in each of its fields, and
with a name that nobody used. In every stage both are decided in the same way, but for the name.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any, Final

import pytest
from pydantic import ValidationError

from domain.claims import ConfirmClaim, FigureRef, ObjectToClaim
from domain.examples import EXAMPLES
from domain.experiment import RegisterHypothesis, StartPilot
from domain.exploration import AssessAlignment, ChoosePartner, DeclineCandidate, IdentifyCandidate
from domain.formation import DeclareNonNegotiable
from domain.gates import ProposeWaiver
from domain.kernel import Command, Refused, Stage
from domain.possible import Situation
from domain.reported_figure import CorrectMetric, ReportMetric
from tests.life import LIFE, OURS, THEIRS, before, example
from tests.planted import POSITIONS, RIVAL, rival
from tests.stories import Story

HIDDEN: Final = {THEIRS: (RIVAL, "garganex"), OURS: (POSITIONS[THEIRS], "lumpfisx")}
"""For each party a name that the other keeps to itself, and one that nobody used.

They are close, because the hidden one must not be suggested for the other.
"""

OF_SEARCH: Final = next(each for each in rival() if isinstance(each, ReportMetric))

STAGES: Final = [each for each in Stage if each not in {Stage.ADOPTION, Stage.EXPLORATION}]


def searched() -> Story:
    """Return a story in which the initiator used the name of the rival for all that it can."""
    story = before(ChoosePartner)
    for command in rival():
        story.when(OURS, command)
    story.when(OURS, example(RegisterHypothesis, experiment=RIVAL))
    story.when(OURS, StartPilot(experiment=RIVAL))
    waiver = ProposeWaiver(proposal=RIVAL, rule="checklist:exit_clause", reason="It is ours.")
    story.when(OURS, waiver)
    return story


@cache
def lived(until: int) -> Story:
    """Return the life after that search, up to a step; both stated a position that nobody sees."""
    chosen = LIFE.index(EXAMPLES[ChoosePartner])
    if until <= chosen + 1:
        story = searched().given(LIFE[chosen : chosen + 1])
        story.when(OURS, example(DeclareNonNegotiable, term=RIVAL))
        story.when(THEIRS, example(DeclareNonNegotiable, term=POSITIONS[THEIRS]))
        return story
    return lived(until - 1).copy().given(LIFE[until - 1 : until])


def entering(stage: Stage) -> Story:
    """Return the story up to where the partnership enters a stage."""
    first = LIFE.index(EXAMPLES[ChoosePartner]) + 1
    steps = range(first, len(LIFE) + 1)
    return next(story for step in steps if (story := lived(step)).partnership.stage is stage)


def tried(command: Command, word: str) -> Iterator[Command]:
    """Yield a command with a word in one of its names and texts, and in all of them."""
    given = command.model_dump(mode="json")
    places = [*_places(given)]
    for chosen in [*([each] for each in places), places]:
        try:
            yield type(command).model_validate(_with(given, chosen, word))
        except ValidationError:
            continue  # A field whose values are listed takes no other word.


Place = tuple[str | int, ...]


def _places(value: Any, at: Place = ()) -> Iterator[Place]:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            yield at
        case dict():
            for name, each in value.items():
                yield from _places(each, (*at, name))
        case list():
            for index, each in enumerate(value):
                yield from _places(each, (*at, index))
        case _:
            pass


def _with(value: Any, places: list[Place], word: str) -> Any:  # noqa: ANN401 - as `_places`
    changed = deepcopy(value)
    for *path, last in places:
        holder = changed
        for step in path:
            holder = holder[step]
        holder[last] = word
    return changed


def answer(party: str, command: Command, story: Story, word: str) -> str:
    """Return what a party learns of a command, with the word left out."""
    situation = Situation(story.id, story.partnership, story.now, story.states)
    try:
        learned = [repr(each) for each in situation.decide(party, command)]
    except Refused as refused:
        awaited = repr((refused.facts, refused.awaits))
        learned = [refused.rule, refused.detail, refused.hint, awaited]
    return "\n".join(learned).replace(word, "NAME")


def commands(segment: str) -> Iterator[Command]:
    """Yield an example of each command, and what a party can say of a figure of the search."""
    yield from map(example, EXAMPLES)
    named = {name: getattr(OF_SEARCH, name) for name in FigureRef.model_fields}
    named |= {"segment": segment}
    yield CorrectMetric(**named, figure=OF_SEARCH.figure, reason="It was wrong.")
    yield ConfirmClaim(figure=FigureRef(**named), fact="figure")
    yield ObjectToClaim(figure=FigureRef(**named), fact="figure", reason="Not so.")


@pytest.mark.parametrize("party", HIDDEN)
@pytest.mark.parametrize("stage", STAGES)
def test_a_name_that_a_party_does_not_see_is_answered_as_one_that_is_not_there(
    stage: Stage, party: str
) -> None:
    story = entering(stage)
    hidden, nobody = HIDDEN[party]
    for of_hidden, of_nobody in zip(commands(hidden), commands(nobody), strict=True):
        assert [answer(party, each, story, hidden) for each in tried(of_hidden, hidden)] == [
            answer(party, each, story, nobody) for each in tried(of_nobody, nobody)
        ]


@pytest.mark.parametrize("command", [DeclineCandidate, AssessAlignment])
def test_the_partner_neither_declines_nor_rates_a_candidate_of_the_search(
    command: type[DeclineCandidate | AssessAlignment],
) -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(IdentifyCandidate, candidate="rival"))
    story.when(OURS, example(ChoosePartner))

    refusal = story.refuses(THEIRS, example(command, candidate="rival"))

    assert refusal.rule == "no-such-candidate"
    assert refusal.facts["known"] == [THEIRS]
    assert story.when(OURS, example(command, candidate="rival"))
