"""Stories that begin somewhere in the life of the examples (`domain.examples`).

A story begins with `at(Stage.EXECUTION)`, `before(ChoosePartner, without=...)` or
`after(WinDeal)`; what is not in it is an example with a change: `example(ProposeTerms, ...)`.
"""

from functools import cache
from itertools import count
from typing import Final, TypeVar

from domain.examples import (
    ADOPTED,
    ADOPTION,
    BENCHMARK,
    CHARTER,
    CO_BRANDED_REVENUE,
    CONVERSION_FLOOR,
    ELSEWHERE,
    EXAMPLES,
    FIRST_KEY,
    FRAME,
    HELD,
    ITEMS,
    LIFE,
    LOST,
    NO_REPORT,
    OFFER_TRIAL,
    OURS,
    PROOF,
    SECOND_KEY,
    SECTIONS,
    THEIRS,
    changed,
    referral_share,
    split,
    usd,
)
from domain.kernel import Command, Stage
from tests.stories import Story, moment

__all__ = [
    "ADOPTED",
    "ADOPTION",
    "BENCHMARK",
    "CHARTER",
    "CONVERSION_FLOOR",
    "CO_BRANDED_REVENUE",
    "ELSEWHERE",
    "EXAMPLES",
    "FIRST_KEY",
    "FRAME",
    "HELD",
    "ITEMS",
    "LIFE",
    "LOST",
    "NO_REPORT",
    "OFFER_TRIAL",
    "OURS",
    "PROOF",
    "SECOND_KEY",
    "SECTIONS",
    "STRANGER",
    "THEIRS",
    "adopted",
    "after",
    "at",
    "before",
    "changed",
    "example",
    "referral_share",
    "so_far",
    "split",
    "usd",
]

STRANGER = "passer-by"

C = TypeVar("C", bound=Command)


def example(kind: type[C], /, **changes: object) -> C:
    """Return the life's first command of a kind, with some fields otherwise."""
    command = EXAMPLES[kind].command
    assert isinstance(command, kind)
    return changed(command, **changes)


Kinds = type[Command] | tuple[type[Command], ...]


_SO_FAR: Final = [Story()]
"""The story after each number of steps of the life, as far as it was played."""


def _played(steps: int) -> Story:
    while len(_SO_FAR) <= steps:
        _SO_FAR.append(_SO_FAR[-1].copy().given([LIFE[len(_SO_FAR) - 1]]))
    return _SO_FAR[steps]


def so_far(steps: int) -> Story:
    """Return the story of the first steps of the life. A process plays each step once."""
    return _played(steps).copy()


def before(kind: type[Command], *, without: Kinds = (), of: str | None = None) -> Story:
    """Return the story up to the first command of a kind; `without` some steps (`of` one party)."""
    return _before(kind, without, of).copy()


@cache
def _before(kind: type[Command], without: Kinds, of: str | None) -> Story:
    steps = LIFE[: LIFE.index(EXAMPLES[kind])]
    left_out = [isinstance(each.command, without) and of in {None, each.party} for each in steps]
    whole = left_out.index(True) if True in left_out else len(steps)
    rest = zip(steps[whole:], left_out[whole:], strict=True)
    story = so_far(whole).given(step for step, is_left_out in rest if not is_left_out)
    story.on(EXAMPLES[kind].at)
    return story


def after(kind: type[Command]) -> Story:
    """Return the story up to the first command of a kind, and with it."""
    return so_far(LIFE.index(EXAMPLES[kind]) + 1)


def at(stage: Stage | None) -> Story:
    """Return the story up to where the partnership enters a stage; nothing happened before any."""
    if stage is Stage.ADOPTION:
        return Story(now=moment(ADOPTED[0].at)).given(ADOPTED[:1])
    return next(so_far(steps) for steps in count() if _played(steps).partnership.stage == stage)


def adopted(on: str = ADOPTED[-1].at, **adoption: object) -> Story:
    """Return a partnership that already ran, on a day after both confirmed it."""
    proposed, *steps = ADOPTED
    story = Story(now=moment(proposed.at))
    story.when(proposed.party, changed(proposed.command, **adoption))
    story.given(steps).on(on)
    return story
