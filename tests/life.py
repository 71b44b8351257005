"""Stories that begin somewhere in the life of the examples (`domain.examples`).

A story begins with `at(Stage.EXECUTION)`, `before(ChoosePartner, without=...)` or
`after(WinDeal)`; what is not in it is an example with a change: `example(ProposeTerms, ...)`.
"""

from typing import TypeVar

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
from tests.stories import BEGINNING, Story, moment

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
    "after",
    "at",
    "before",
    "changed",
    "example",
    "referral_share",
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


def before(kind: type[Command], *, without: Kinds = (), of: str | None = None) -> Story:
    """Return the story up to the first command of a kind; `without` some steps (`of` one party)."""
    steps = LIFE[: LIFE.index(EXAMPLES[kind])]
    left_out = [
        step for step in steps if isinstance(step.command, without) and of in {None, step.party}
    ]
    story = Story().given(step for step in steps if step not in left_out)
    story.on(EXAMPLES[kind].at)
    return story


def after(kind: type[Command]) -> Story:
    """Return the story up to the first command of a kind, and with it."""
    return Story().given(LIFE[: LIFE.index(EXAMPLES[kind]) + 1])


def at(stage: Stage | None) -> Story:
    """Return the story up to where the partnership enters a stage; nothing happened before any."""
    steps = iter(ADOPTED if stage is Stage.ADOPTION else LIFE)
    story = Story(now=moment(ADOPTED[0].at) if stage is Stage.ADOPTION else BEGINNING)
    while story.partnership.stage != stage:
        story.given([next(steps)])
    return story
