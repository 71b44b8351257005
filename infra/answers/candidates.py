"""Rank the candidates of a partnership, with the reasons for each one's place (C1, C2, C4)."""

from collections.abc import Iterator

from infra.answers.logs import NOW, AsOf
from infra.answers.members import chosen
from infra.answers.question import Answer, Panel, PartnershipId, Question
from infra.answers.text import Block, Line, Remark, Table
from infra.bootstrap import Accord
from projections import ranking
from projections.ranking import RankedCandidate


class Candidates(Answer):
    """The candidates of a partnership, by rank."""

    id: str
    """The partnership."""
    candidates: tuple[RankedCandidate, ...]
    """The candidates, the best first."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Candidates:
    """Rank the candidates of a partnership, with the reasons. The chosen partner sees itself only.

    Raises `NotFound`.
    """
    ranked = [each for member in chosen(accord, [id], when) for each in ranking.candidates(member)]
    return Candidates(simulated=accord.simulated, as_of=when.asked, id=id, candidates=tuple(ranked))


def text(answer: Candidates) -> Iterator[Block]:
    """Yield the candidates by rank, each with the reasons for its place."""
    if not answer.candidates:
        yield Remark("There are no candidates.")
    yield Table(
        [">RANK", "CANDIDATE", "STATE", "MEASURED", "OPINIONS"],
        [
            (
                each.rank,
                each.candidate,
                each.progress.value,
                "; ".join(each.measured),
                "; ".join(each.opinions),
            )
            for each in answer.candidates
        ],
    )
    declined = [each for each in answer.candidates if each.declined is not None]
    if declined:
        yield Line()
        yield Line("declined", "bold")
    for each in declined:
        yield Line(f"{each.name} ({each.candidate}): {each.declined}", indent=2)


CANDIDATES = Question(
    "candidates",
    ask,
    text,
    path="/v1/partnerships/{id}/candidates",
    help="Rank the candidates of a partnership, with the reasons for each rank.",
    panel=Panel.PARTNERSHIPS,
)
