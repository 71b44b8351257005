"""Lives in which both parties keep facts to themselves, each with a marker in every text.

A marker is a word, or a number, that is nowhere else. Who must not see a fact finds its marker
nowhere: in no answer, topic, bundle, error or log.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final, TypeVar

from pydantic import ValidationError

from domain.examples import Step, changed
from domain.execution import HoldKickoff
from domain.exploration import ChoosePartner, DeclineCandidate
from domain.formation import (
    AgreeDecisionRule,
    DeclareBestAlternative,
    DeclareNonNegotiable,
    ProposeDecisionRule,
)
from domain.kernel import Command
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sharing import ProposeDataSharing, SharingLine
from tests.infra.messages import message
from tests.life import LIFE, OURS, THEIRS, example

PARTNERSHIP: Final = "growthos-brightpath"
PARTIES: Final = (OURS, THEIRS)

WORDS: Final = {OURS: "quillback", THEIRS: "razorbill"}
"""The word in all that a party keeps to itself."""

POSITIONS: Final = {OURS: "mooneye", THEIRS: "lumpfish"}
"""The word in what a party says of its own position, which nobody else sees."""

RIVAL: Final = "garganey"
"""The word in all that the initiator records about a candidate that is not chosen."""

NUMBERS: Final = {OURS: "7351927", THEIRS: "8642951"}
"""A figure that a party does not share."""

COUNTS: Final = {OURS: ("5318008", "6180339"), THEIRS: ("2236067", "3141592")}
"""Counts of a party below the smallest cell of these lives: so many of so many."""

SHARES: Final = {OURS: "86.047", THEIRS: "71.176"}
"""The beginning of the share that they make, in percent."""

CELL: Final = 10_000_000
"""The smallest cell of the protocol of these lives, so that a marker is below it."""

C = TypeVar("C", bound=Command)


def markers(party: str) -> tuple[bytes, ...]:
    """Return the markers of what a party keeps to itself."""
    of_rival = [RIVAL] if party == OURS else []
    of_party = [each[party] for each in (WORDS, POSITIONS, NUMBERS)]
    return tuple(each.encode() for each in (*of_party, *of_rival, *COUNTS[party]))


def counts(party: str) -> tuple[bytes, ...]:
    """Return the markers of a party's counts below the smallest cell, and of their share."""
    return tuple(each.encode() for each in (*COUNTS[party], SHARES[party]))


def found(party: str, text: bytes) -> list[bytes]:
    """Return the markers of a party in a text."""
    lower = text.lower()
    return [each for each in markers(party) if each in lower]


def marked(command: C, word: str) -> C:
    """Return a command with a word in each of its texts and names."""
    for name, value in command:
        if isinstance(value, str):
            # A field whose values are listed takes no other word.
            with suppress(ValidationError):
                command = changed(command, **{name: word})
    return command


def private(party: str) -> list[Command]:
    """Return a declaration of each kind that a party keeps to itself (C7)."""
    return [
        marked(example(DeclareBestAlternative), POSITIONS[party]),
        marked(example(DeclareNonNegotiable), POSITIONS[party]),
    ]


def rival() -> Iterator[Command]:
    """Yield what is recorded of a candidate that is not chosen: all that is of the chosen one."""
    before = LIFE[: LIFE.index(_step(ChoosePartner))]
    for step in before:
        if getattr(step.command, "candidate", None) == THEIRS:
            yield marked(step.command, RIVAL)
    yield _figure(OURS, "leads", "2025-09", segment=RIVAL)
    yield marked(example(DeclineCandidate), RIVAL)


def unshared(party: str) -> ReportMetric:
    """Return a figure that the data-sharing protocol of the life does not give."""
    return _figure(party, "followers", "2026-01", segment=WORDS[party])


LATE: Final = "2025-11-15"
"""A day before the protocol of the life."""


def small(party: str, period: str) -> ReportMetric:
    """Return a figure with counts below the smallest cell, which the protocol does not give."""
    few, of = map(Decimal, COUNTS[party])
    return changed(
        SMALL,
        period=period,
        figure=ReportedFigure(unit="percent", numerator=few, denominator=of),
    )


def _figure(party: str, metric: str, period: str, segment: str) -> ReportMetric:
    figure = ReportedFigure(unit="count", value=Decimal(NUMBERS[party]))
    return ReportMetric(
        metric=metric, period=period, tool=WORDS[party], segment=segment, figure=figure
    )


SMALL: Final = ReportMetric(
    metric="demo_to_paid",
    period="2026-01",
    tool="crm",
    figure=ReportedFigure(unit="percent", numerator=Decimal(3), denominator=Decimal(7)),
)
"""A figure with a count that the protocol does not give: three of seven (C14)."""


FLOOR: Final = ProposeDecisionRule(
    proposal="small-floor",
    rule=DecisionRule(
        rule="small-floor",
        metric=SMALL.metric,
        window=Window.MONTH,
        comparison=RuleComparison.BELOW,
        threshold=Decimal(99),
        measured="report",
        consecutive=1,
        minimum_sample=2,
        action=Action.NOTIFY,
    ),
)
"""A rule that the small counts of these lives break, in the first month after it is agreed."""


SHARED: Final = changed(
    SMALL,
    period="2025-12",
    figure=ReportedFigure(unit="percent", numerator=Decimal(30), denominator=Decimal(70)),
)
"""A figure that the protocol gives."""


def _step(kind: type[Command]) -> Step:
    return next(each for each in LIFE if isinstance(each.command, kind))


def life(random: Random | None = None) -> list[bytes]:
    """Return the messages of a life with private facts of both parties.

    `random` says where they are, and where the life ends, after the kickoff.
    """
    random = random or Random(1)  # noqa: S311 - repeatable
    chosen, kickoff = (LIFE.index(_step(each)) for each in (ChoosePartner, HoldKickoff))
    end = random.randrange(kickoff + 20, len(LIFE) + 1)
    sent = [
        (place, message(f"step-{place:03}", _guarded(step.command), party=step.party, at=step.at))
        for place, step in enumerate(LIFE[:end])
    ]
    ruled = LIFE.index(_step(AgreeDecisionRule))
    if ruled < end:
        at = LIFE[ruled].at
        sent.append((ruled, message("floor", FLOOR, party=OURS, at=at)))
        agreed = AgreeDecisionRule(proposal=FLOOR.proposal)
        sent.append((ruled, message("floor-agreed", agreed, party=THEIRS, at=at)))
    for number, (place, party, command) in enumerate(_planted(random, chosen, kickoff, end)):
        sent.append((place, kept(party, command, number, LIFE[place].at)))
    for party in PARTIES:
        step = small(party, "2026-01")
        sent.append((end - 1, message(f"small-{party}", step, party=party, at=LIFE[end - 1].at)))
        # Both happened before the protocol, and are reported under it.
        late = _figure(party, "followers", "2025-10", segment=WORDS[party])
        sent.append((end - 1, kept(party, late, 100, LATE)))
        step = small(party, "2025-10")
        sent.append((end - 1, message(f"late-{party}", step, party=party, at=LATE)))
    # Two months later the months of all these figures are closed, and their rules are judged.
    later = date.fromisoformat(LIFE[end - 1].at[:10]) + timedelta(days=62)
    last = _figure(OURS, "followers", "2025-11", segment=WORDS[OURS])
    sent.append((end, kept(OURS, last, 101, later.isoformat())))
    return [each for _, each in sorted(sent, key=lambda pair: pair[0])]


def _guarded(command: C) -> C:
    """Return a command; the protocol with the smallest cell of these lives."""
    if command.__class__ is not ProposeDataSharing:
        return command
    lines = [each.model_copy(update={"smallest_cell": CELL}) for each in _lines(command)]
    return changed(command, lines=lines)


def _lines(command: Command) -> list[SharingLine]:
    lines: list[SharingLine] = dict(command)["lines"]
    return lines


def _planted(
    random: Random, chosen: int, kickoff: int, end: int
) -> Iterator[tuple[int, str, Command]]:
    """Yield each private fact after a place in the life: the place, the party and the command."""
    scored = chosen - 8
    about_rival = list(rival())
    places = sorted(random.randrange(scored, chosen) for _ in about_rival)
    for place, command in zip(places, about_rival, strict=True):
        yield place, OURS, command
    for party in PARTIES:
        for command in private(party):
            yield random.randrange(chosen + 1, kickoff), party, command
        yield end - 1, party, unshared(party)


def kept(party: str, command: Command, number: int, at: str) -> bytes:
    """Return the message of a fact that a party keeps to itself, with its marker all around."""
    word = WORDS[party]
    return message(
        f"{word}-{number}",
        command,
        party=party,
        at=at,
        source=f"//{word}.example",
        actor=f"{word}@{party}.example",
        correlationid=word,
        causationid=word,
    )
