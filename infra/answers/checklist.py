"""The decision checklist of a partnership, answered from what is on record: an audit (C4, C6)."""

from collections.abc import Iterator
from typing import Final

from domain import aggregates
from domain.checklist import AnswerState, ChecklistAnswer, checklist
from domain.values import name_words
from infra.answers.logs import NOW, AsOf, own_log
from infra.answers.question import Answer, PartnershipId, Question
from infra.answers.text import Block, Styled, Table
from infra.bootstrap import Accord

_STYLES: Final = {
    AnswerState.YES: "green",
    AnswerState.NO: "red",
    AnswerState.NONE_REGISTERED: "yellow",
}


class Checklist(Answer):
    """The eight questions of the decision checklist, each with the facts that it rests on."""

    id: str
    """The partnership."""
    passed: bool
    """Whether every answer is yes."""
    answers: tuple[ChecklistAnswer, ...]
    """The answers, in the order of the checklist."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Checklist:
    """Return the answers to the eight questions as of a moment. Raises `NotFound`."""
    state = aggregates.fold(own_log(accord.history, id, when))
    answers = checklist(state.exploration, state.formation, state.context)
    return Checklist(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        passed=all(each.met for each in answers),
        answers=answers,
    )


def text(found: Checklist) -> Iterator[Block]:
    """Return a line for each question: the answer, what it rests on, and what to do."""
    yield Table(
        ["QUESTION", "ANSWER", "RESTS ON", "WHAT TO DO"],
        [
            (
                name_words(each.question),
                Styled(name_words(each.state), _STYLES[each.state]),
                "; ".join(each.rests_on),
                each.hint or "",
            )
            for each in found.answers
        ],
    )


CHECKLIST = Question(
    "checklist",
    ask,
    text,
    path="/v1/partnerships/{id}/checklist",
    help="Audit a partnership by the decision checklist, from what is on record.",
)
