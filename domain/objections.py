"""Objections to claims: one that can no longer change anything is refused (`money.md`, section 6).

Silence for the agreed days confirms a claim. So does the word of the other party, or what it does
because of the claim. The first answer is final, so an objection after it has no effect.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from domain import claims
from domain.claims import Answered, ClaimCommand, ClaimConfirmed, ObjectToClaim, claimed
from domain.facts import Facts, Stated, first
from domain.kernel import Act, Event, Refused
from domain.referral import REFERRAL, ReferralAttributed, Step
from domain.sale import WIN
from domain.terms_by_day import TermsByDay

_ACTING: Final = (Step.OPPORTUNITY, WIN)
"""The facts by which a party acts on a lead or a touch of the other, which confirms it."""

_STILL: Final = (
    "Open a dispute about what it earns (OpenDispute). Of a lead, the deal can be recorded as lost "
    "(LoseDeal). A payout can be corrected (CorrectPayout) or recorded as returned (ReturnPayout)."
)
"""What can still be done."""


def decide(
    command: ClaimCommand,
    facts: Facts,
    answers: tuple[Answered, ...],
    act: Act,
    terms: TermsByDay,
) -> list[Event]:
    """Decide a confirmation of what moves money, or an objection to it, as `claims.decide`.

    Raises `Refused` also for an objection to what is confirmed already.
    """
    events = claims.decide(command, facts, answers, act)
    claim = claimed(command, facts, act.party, act.occurred_at)
    if not events or claim is None or not isinstance(command, ObjectToClaim):
        return events
    own = [each for each in answers if each.party == act.party and _means(each, claim, facts)]
    confirmed = [each.at for each in own if isinstance(each.event, ClaimConfirmed)]
    confirmed += _acted(claim, facts, act.party)
    if confirmed:
        raise Refused(
            "claim-confirmed",
            f"An objection does not undo a confirmation. {act.party} confirmed {command.named} on "
            f"{terms.day(min(confirmed))}.",
            _STILL,
        )
    stated = [each.told for each in facts.get(command.fact, ()) if each.party == act.party]
    day = terms.silence_confirms_on(claim.told, stated)
    if day is None or own or terms.day(act.recorded_at) < day:
        return events
    if _counts_at_once(command, claim, facts):
        return events
    raise Refused(
        "objection-too-late",
        f"A party objects within the agreed days; after them its silence confirms. {claim.party} "
        f"stated {command.named} on {terms.day(claim.told)}, so {act.party} could object until "
        f"{day - timedelta(days=1)}.",
        _STILL,
    )


def _means(answer: Answered, claim: Stated, facts: Facts) -> bool:
    """Whether an earlier answer is to the same fact."""
    return claimed(answer.event, facts, answer.party, answer.at) == claim


def _acted(claim: Stated, facts: Facts, party: str) -> Iterator[datetime]:
    """Yield when a party acted on a lead of the other, or on a touch that the other stated."""
    if isinstance(claim.event, ReferralAttributed) or claim in facts.get(REFERRAL, ()):
        for each in (each for name in _ACTING for each in facts.get(name, ())):
            if each.party == party and each.at >= claim.at:
                yield each.at


def _counts_at_once(command: ObjectToClaim, claim: Stated, facts: Facts) -> bool:
    """Whether a claim is a correction by the author of a fact, which counts where it takes from it.

    An answer ends the alert on it, however late. A correction of a payout is always a claim.
    """
    corrects = command.fact.removeprefix("correction/")
    stated = first(facts, corrects) if command.payout is None and corrects != command.fact else None
    return stated is not None and stated.party == claim.party
