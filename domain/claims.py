"""Claims: facts stated by the side that gains, and corrections of the other side's facts.

They count once the other side confirms them, or does not object within the agreed days. The
confirmation and the objection are recorded beside the fact that they name.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, assert_never

from pydantic import model_validator

from domain import content as contents
from domain.calendar import Period
from domain.content import Consent, ContentDigest
from domain.facts import Facts, Stated, meant, others
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    Refused,
    Value,
)
from domain.metric_catalogue import metric_words
from domain.values import Instant, Ref, Slug, Text
from domain.wording import wrong


class ClaimKind(StrEnum):
    """The kinds of fact that can be a claim. Terms can let a kind count on the word of a side."""

    REFERRAL = "referral"
    TOUCH = "touch"
    WIN = "win"
    PAYMENT = "payment"
    REFUND = "refund"
    REVERSAL = "reversal"
    CANCELLATION = "cancellation"
    ENTRY = "entry"
    ENTRY_REVERSAL = "entry-reversal"
    FIGURE = "figure"
    CORRECTION = "correction"
    INCENTIVE = "incentive"
    PAYOUT = "payout"
    RETURN = "return"


class FigureRef(Value):
    """Names a reported figure: its metric, period, tool and segment."""

    metric: Slug
    """The name of a metric of the catalogue."""
    period: Period
    """The period: a month, a quarter or a year."""
    tool: Slug
    """The system that the figure comes from."""
    segment: Slug | None = None
    """A part of the whole: a candidate, a market, an offer, a campaign."""

    @property
    def stream(self) -> str:
        """The name of the figure's stream below the partnership's."""
        return f"metric/{self.metric}/{self.segment or '-'}/{self.period}/{self.tool}"


_REF = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
_NAMES: Final = {
    "deal": rf"(correction/)?(win|(payment|refund)/{_REF})|referral|cancellation"
    rf"|(touch|reversal)/{_REF}",
    "entry": rf"entry|reversal/{_REF}",
    "figure": r"(correction/)?figure",
    "payout": r"(correction/)?payout|return",
}
"""The facts that can be named of a deal, an entry, a figure and a payout."""

_EXAMPLES: Final = {
    "deal": "referral, win, cancellation, touch/T-1, payment/P-1, refund/R-1, reversal/R-1, or "
    "correction/ before win, payment/P-1 or refund/R-1",
    "entry": "entry or reversal/V-1",
    "figure": "figure or correction/figure",
    "payout": "payout, correction/payout or return",
}


class _Answer(Value):
    deal: Ref | None = None
    """The deal that the fact belongs to."""
    entry: Ref | None = None
    """The entry that the fact belongs to."""
    figure: FigureRef | None = None
    """The figure that is meant."""
    payout: Ref | None = None
    """The payout that is meant."""
    fact: Text
    """The fact: in a deal `referral`, `win`, `cancellation`, `touch/T`, `payment/P`, `refund/R` or
    `reversal/R`; of an entry `entry` or `reversal/X`; of a figure `figure`; of a payout `payout` or
    `return`. With `correction/` before it, its newest correction by the other party."""
    fact_at: Instant | None = None
    """When the fact happened, where several have its name. Default: the last one until now."""

    @property
    def named(self) -> str:
        """The fact in words: `the payment P-1 of deal D-1`, or `entry E-1` for an entry itself."""
        fact = self.fact.removeprefix(f"{_CORRECTION}/")
        is_whole = fact in {ClaimKind.ENTRY, ClaimKind.PAYOUT, ClaimKind.FIGURE}
        named = self.about if is_whole else f"the {fact.replace('/', ' ')} of {self.about}"
        return named if fact == self.fact else f"the correction of {named}"

    @property
    def is_of_a_lead(self) -> bool:
        """Whether the fact is that a lead was submitted, so that it is accepted or rejected."""
        return self.fact == ClaimKind.REFERRAL

    @property
    def about(self) -> str:
        """What the fact belongs to, in words."""
        if self.deal is not None:
            return f"deal {self.deal}"
        if self.entry is not None:
            return f"entry {self.entry}"
        if self.payout is not None:
            return f"payout {self.payout}"
        assert self.figure is not None  # noqa: S101 - one of them is given
        part = f", segment {self.figure.segment}" if self.figure.segment else ""
        return (
            f"the figure of {self.figure.tool} for {metric_words(self.figure.metric)} in "
            f"{self.figure.period}{part}"
        )


class ClaimCommand(_Answer, Command, Consent):
    """A command on a fact that the other party stated.

    `content` is the digest of that fact. A signed command has it, and `fact_at`.
    """

    stages = AFTER_KICKOFF

    @model_validator(mode="after")
    def _of_one_thing(self) -> "ClaimCommand":
        named = [each for each in _NAMES if getattr(self, each) is not None]
        if len(named) != 1:
            raise wrong(
                "does not name one deal, entry, figure or payout",
                "Give deal, entry, figure or payout: one of them.",
            )
        if not re.fullmatch(_NAMES[named[0]], self.fact):
            raise wrong(
                f"names no fact of the {named[0]}: {self.fact}", f"Write {_EXAMPLES[named[0]]}."
            )
        return self

    def substream(self) -> str:
        """Return the name of the stream of the deal, entry or figure; a payout has none."""
        if self.payout is not None:
            return ""
        if self.figure is not None:
            return self.figure.stream
        return f"deal/{self.deal}" if self.deal is not None else f"entry/{self.entry}"


class ConfirmClaim(ClaimCommand):
    """Confirm a fact that the other party stated, or its correction of a fact of this party."""


class ClaimConfirmed(_Answer, Event):
    """A party confirmed a fact that the other party stated."""

    content: ContentDigest | None = None
    """The digest of the fact that it confirmed, if it named that."""


class ObjectToClaim(ClaimCommand):
    """Object to a fact that the other party stated. Silence then no longer confirms it."""

    reason: Text
    """The reason, in words."""


class ClaimObjected(_Answer, Event):
    """A party objected to a fact that the other party stated."""

    content: ContentDigest | None = None
    """The digest of the fact that it objected to, if it named that."""
    reason: Text
    """The reason, in words."""


class Answered(NamedTuple):
    """A confirmation or an objection, by whom and when."""

    event: ClaimConfirmed | ClaimObjected
    party: str
    at: datetime


_CORRECTION: Final = "correction"
_OF_ONE_PARTY: Final = frozenset({"referral", "payout"})
"""Facts that only one party states, so nobody awaits the statement of the other."""

_AWAITED: Final = {
    "referral": AwaitedKind.REFERRAL,
    "touch": AwaitedKind.TOUCH,
    "win": AwaitedKind.WIN,
    "cancellation": AwaitedKind.CANCELLATION,
    "payment": AwaitedKind.PAYMENT,
    "refund": AwaitedKind.REFUND,
    "reversal": AwaitedKind.REVERSAL,
    "entry": AwaitedKind.ENTRY,
    "figure": AwaitedKind.FIGURE,
    "correction": AwaitedKind.CORRECTION,
    "payout": AwaitedKind.PAYOUT,
    "return": AwaitedKind.PAYOUT,
}
"""What a confirmation waits for, by the first part of the fact's name."""


def decide(
    command: ClaimCommand, facts: Facts, answers: tuple[Answered, ...], act: Act
) -> list[Event]:
    """Decide a confirmation or an objection: nothing if it is recorded already.

    Raises `Refused` for a fact that the acting party stated, that is not on record yet, or that is
    on record with other content.
    """
    event: ClaimConfirmed | ClaimObjected
    match command:
        case ConfirmClaim():
            event = ClaimConfirmed.of(command)
        case ObjectToClaim():
            event = ClaimObjected.of(command)
        case _:
            assert_never(command)  # type: ignore[arg-type] # ClaimCommand is closed by this module
    claim = claimed(event, facts, act.party, act.occurred_at)
    if claim is None:
        unread = command.model_copy(update={"content": None})
        if other := claimed(unread, facts, act.party, act.occurred_at):
            contents.check(command, other.event)
        raise _missing(command, facts, act)
    for each in answers:
        if each.party == act.party and _is_same(each.event, event):
            earlier = claimed(each.event, facts, each.party, each.at)
            if earlier == claim:
                return []
    return [event]


def restated(
    name: str,
    facts: Facts,
    answers: tuple[Answered, ...],
    act: Act,
    **of: Any,  # noqa: ANN401 - the field that names the thing
) -> list[Event]:
    """Return a confirmation by a party that states what the other party has stated alike.

    It is for facts of one author, such as a payout. Other facts are recorded as each party states
    them.
    """
    for each in facts.get(name, ()):
        if each.party != act.party:
            confirmation = ConfirmClaim(fact=name, fact_at=each.at, **of)
            return decide(confirmation, facts, answers, act)
    return []


def _is_same(one: Event, other: Event) -> bool:
    """Whether two answers are equal, apart from which of several facts they mean."""
    alike = {"fact_at": None, "content": None}
    return one.model_copy(update=alike) == other.model_copy(update=alike)


def claimed(
    answer: ClaimCommand | ClaimConfirmed | ClaimObjected,
    facts: Facts,
    party: str,
    said_at: datetime,
) -> Stated | None:
    """Return the fact of the other party that an answer of `party` means; None if there is none.

    Of several with its name and its time, it is the one whose content the answer names.
    """
    theirs = others(facts.get(answer.fact, ()), party)
    if answer.content is not None:
        theirs = tuple(each for each in theirs if contents.digest(each.event) == answer.content)
    return meant(theirs, answer.fact_at, said_at)


def own_statement(command: ObjectToClaim, name: str, party: str) -> Awaited:
    """Return what an objection waits for: that its own party states the fact."""
    fact = command.model_copy(update={"fact": name})
    return Awaited(
        _AWAITED[name.partition("/")[0]], name, f"{party}'s own statement of {fact.named}"
    )


def counts_at_once(command: ObjectToClaim, by: str, awaits: Awaited | None = None) -> Refused:
    """Return the refusal of an objection that changes nothing; `by` stated the fact.

    `awaits` is the statement of its own party by which it would change something.
    """
    return Refused(
        "counts-at-once",
        "An objection keeps silence from confirming a claim. It changes nothing of what a party "
        f"states against its own interest. {command.named} counts as {by} stated it.",
        "State it as your own records have it, or correct it (CorrectWin, CorrectPayment, "
        "CorrectRefund, CorrectMetric, CorrectPayout). You can object to the fact that it corrects "
        "or takes back, or open a dispute about what that earns (OpenDispute).",
        awaits=awaits,
    )


def _missing(command: ClaimCommand, facts: Facts, act: Act) -> Refused:
    name, named = command.fact, command.named
    kind = name.partition("/")[0]
    awaits = Awaited(_AWAITED[kind], name, named)
    own = [each for each in facts.get(name, ()) if each.party == act.party]
    # A party can correct its own fact before the other corrects it too, so corrections wait.
    if meant(own, command.fact_at, act.occurred_at) is not None and kind != _CORRECTION:
        return Refused(
            "own-claim",
            f"A party cannot confirm its own fact or object to it. {act.party} stated {named}.",
            "The other party confirms it (ConfirmClaim) or objects to it (ObjectToClaim). To "
            "change it, correct it.",
            # The other party may state it too, from its own records.
            awaits=None if kind in _OF_ONE_PARTY else awaits,
        )
    return Refused(
        "no-such-claim",
        f"Only a fact on record can be confirmed or objected to. The other party has not stated "
        f"{named}.",
        "Send this after the fact is recorded, or name another fact.",
        awaits=awaits,
    )
