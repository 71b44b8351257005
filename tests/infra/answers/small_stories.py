"""Small stories, each with events that the life of the examples does not have.

`SMALL` has them by name. The events of all of them and of the life are put in one log.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Final

from domain.examples import ELSEWHERE
from domain.execution import AgreeMilestone, ProposeMilestone, ProposeReview, RaiseIssue
from domain.exploration import CloseExploration, DeclineCandidate
from domain.formation import (
    AgreeNegotiationEnd,
    DraftAgreement,
    ProposeNegotiationEnd,
    SignAgreement,
)
from domain.kernel import Command
from domain.keyring import (
    AgreeKeyRecovery,
    KeySentByOperator,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    RotateKey,
)
from domain.people import ErasePerson
from domain.program import DefinePortfolio
from domain.recorded import Recorded
from domain.second_person import ConfirmAct, WithdrawAct
from domain.viewing import (
    BundleExported,
    CosignatureRefused,
    CosignatureResumed,
    FullViewTaken,
    PartyKeyMade,
)
from tests.feeds import PROGRAM
from tests.infra.answers.test_every_alert import FLOOR, broken
from tests.life import (
    ADOPTED,
    HELD,
    LIFE,
    LOST,
    OURS,
    SECTIONS,
    THEIRS,
    changed,
    example,
    so_far,
)
from tests.projections.folds import correct, percent, running
from tests.stories import Story, moment


def until(day: str) -> Story:
    """Return the life before a day."""
    return so_far(next(index for index, each in enumerate(LIFE) if each.at >= day))


def elsewhere(*kinds: type[Command]) -> Story:
    """Return a life that leaves that of the examples for these steps."""
    steps = [next(each for each in ELSEWHERE if isinstance(each.command, kind)) for kind in kinds]
    return until(steps[0].at).given(steps)


def adopted() -> Story:
    return Story(now=moment(ADOPTED[0].at)).given(ADOPTED)


def too_late() -> Story:
    """A milestone, a review, an issue and a proposal whose days pass; and an amended contract."""
    story = running()
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="With a deputy.")))
    for party in (OURS, THEIRS):
        story.when(party, SignAgreement(agreement_version=2))
    story.when(OURS, example(ProposeMilestone))
    story.when(THEIRS, example(AgreeMilestone))
    again = example(ProposeMilestone, proposal="again-1", reason="It needs another text.")
    story.when(OURS, again)
    story.agree(OURS, changed(again, proposal="again-2"))
    story.agree(OURS, example(ProposeReview, at=datetime(2026, 1, 30, 10, tzinfo=UTC)))
    story.when(THEIRS, example(RaiseIssue))
    story.on("2026-02-28")
    return story


def keys() -> Story:
    """Keys are registered, lost, recovered, changed, revoked and asked for."""
    story = until(LOST[0].at).given(LOST)
    story.when(THEIRS, example(AgreeKeyRecovery))
    return story


def rotated() -> Story:
    return elsewhere(RegisterKey, RotateKey)


def revoked() -> Story:
    story = elsewhere(RegisterKey, RequireSignatures, RevokeKey)
    keyid = example(RevokeKey).keyid
    story.recorded(KeySentByOperator(party=OURS, keyid=keyid))
    return story


def watched() -> Story:
    """The operator does what the parties must know."""
    story = elsewhere(ErasePerson)
    story.recorded(FullViewTaken(question="show", reason="A court asked."))
    story.recorded(BundleExported(reason="The yearly audit.", party=OURS))
    story.recorded(CosignatureRefused(witness="north", size=9, reason="This log was forked."))
    story.recorded(CosignatureResumed(witness="north", size=12))
    story.recorded(PartyKeyMade(party=THEIRS, credential="0123456789ab", invites=True))
    return story


def confirmed() -> Story:
    story = until(HELD[0].at).given(HELD)
    story.when(OURS, example(ConfirmAct))
    story.on("2026-05-05")
    return story


def taken_back() -> Story:
    story = until(HELD[0].at).given(HELD)
    story.when(OURS, example(WithdrawAct))
    return story


def breached() -> Story:
    """Reported figures break a rule, and a correction shows that they did not."""
    story = broken(changed(FLOOR, consecutive=1))
    correct(story, FLOOR.metric, "2026-Q2", percent(400, 1000))
    return story


def program() -> Story:
    story = Story(id=PROGRAM)
    story.when(OURS, example(DefinePortfolio))
    return story


SMALL: Final[Mapping[str, Callable[[], Story]]] = {
    "adopted": adopted,
    "declined": lambda: elsewhere(DeclineCandidate, CloseExploration),
    "stopped": lambda: elsewhere(ProposeNegotiationEnd, AgreeNegotiationEnd),
    "too-late": too_late,
    "keys": keys,
    "rotated": rotated,
    "revoked": revoked,
    "watched": watched,
    "confirmed": confirmed,
    "taken-back": taken_back,
    "breached": breached,
    PROGRAM: program,
}


def stories() -> dict[str, Story]:
    """Return the life of the examples and each small story, by the names of the partnerships."""
    return {LIFE_OF: so_far(len(LIFE))} | {name: told() for name, told in SMALL.items()}


LIFE_OF: Final = Story().id


def log(told: Mapping[str, Story]) -> list[Recorded]:
    """Return one log of all the stories, each event a millisecond after the one before."""
    histories = (_named(name, story) for name, story in told.items())
    every = merge(*histories, key=lambda each: each.act.recorded_at)
    return [
        replace(
            each,
            position=position,
            act=each.act._replace(
                recorded_at=each.act.recorded_at + timedelta(milliseconds=position)
            ),
        )
        for position, each in enumerate(every)
    ]


def _named(name: str, story: Story) -> Iterable[Recorded]:
    """Return the events of a story as those of a partnership of this name."""
    for each in story.history:
        yield replace(
            each,
            partnership=name,
            stream=name + each.stream.removeprefix(story.id),
            event_id=f"{name}-{each.event_id}",
            source_id=f"{name}-{each.source_id}",
        )
