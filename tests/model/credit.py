"""Credit for a deal (sections 2 and 6, C18): touches before the conversion, or both settled it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from tests.model.deals import conversion
from tests.model.facts import Attribution, Party, ReferralSubmitted, TouchClaimed
from tests.model.known import Known, acted_on, first_stated, remembered, settlement, touches


@remembered
def credit(known: Known, deal: str, party: Party, *, on_word: bool = False) -> Fraction:
    """The ratio of a deal that is credited to a party, as far as its conversion counts for it.

    `on_word`: what the party states for itself up to the conversion counts, as an incentive does.
    """
    settled = settlement(known, deal)
    if settled:
        return sum(
            (Fraction(each.percent) / 100 for each in settled.credit if each.party == party),
            Fraction(0),
        )
    counted = counted_touches(known, deal, party, on_word=on_word)
    if any(each.to == party for each in counted):
        return _weighed(counted, party, policy(known, deal, party))
    return Fraction(0)


def _weighed(counted: Sequence[TouchClaimed], party: Party, agreed: Attribution) -> Fraction:
    """The credit of a party whose touches are among those that count."""
    if {each.to for each in counted} == {party}:
        return Fraction(1)
    match agreed.policy:
        case "first-touch":
            found = Fraction(counted[0].to == party)
        case "last-touch":
            found = Fraction(counted[-1].to == party)
        case "linear":
            found = Fraction(sum(each.to == party for each in counted), len(counted))
        case "code-wins":
            # Codes of both, or of none, decide nothing.
            found = Fraction({each.to for each in counted if each.by_code} == {party})
        case "split":
            parts = [Fraction(each.percent) for each in agreed.weights if each.party == party]
            found = sum(parts, Fraction(0)) / 100
        case _:
            # Without a policy, touches of two parties contest the deal; nobody is credited.
            found = Fraction(0)
    return found


def contested(known: Known, deal: str, party: Party) -> bool:
    """The computed state `attribution-contested`: two parties' touches, and nothing decides."""
    if settlement(known, deal):
        return False
    agreed = policy(known, deal, party)
    counted = counted_touches(known, deal, party)
    if len({each.to for each in counted}) < len(known.parties):
        return False
    coders = {each.to for each in counted if each.by_code}
    return agreed.policy == "none" or (agreed.policy == "code-wins" and len(coders) != 1)


@remembered
def policy(known: Known, deal: str, party: Party) -> Attribution:
    """The policy of the day of the conversion, with its attribution window.

    A deal that is not won is weighed by the policy of the day of its referral.
    """
    won = conversion(known, deal, party)
    referred = next((each for each in known.of(ReferralSubmitted) if each.deal == deal), None)
    at = won or referred
    frame = known.terms.frame(known.terms.day(at.occurred_at if at else known.now))
    return frame.attribution or Attribution()


@remembered
def counted_touches(
    known: Known, deal: str, party: Party, *, on_word: bool = False
) -> list[TouchClaimed]:
    """The touches that count, in the order in which they happened."""
    won = conversion(known, deal, party)
    stated_at = first_stated(known, deal)
    window = policy(known, deal, party).window
    found = []
    for touch in touches(known, deal):
        before_it = won is None or touch.occurred_at <= won.occurred_at
        word_is_enough = on_word and before_it and touch.stated_by == party
        if not (word_is_enough or _agreed(known, touch)):
            continue
        # Credit that was already stated moves only when both settle or confirm it.
        moves = known.by_both(touch) or known.confirmed_by_hand(touch)
        if stated_at and touch.recorded_at > stated_at and not moves:
            continue
        if won and not _in_time(known, touch, won.occurred_at, window):
            continue
        found.append(touch)
    return sorted(found, key=lambda each: (each.touched_at, each.id))


def _agreed(known: Known, touch: TouchClaimed) -> bool:
    """A touch that credits the side that stated it is a claim, until the other side agrees."""
    if touch.to != touch.stated_by or known.confirmed(touch) or known.on_word(touch):
        return True
    other = known.other(touch.stated_by)
    return acted_on(known, touch.deal, other, touch.occurred_at)


def _in_time(known: Known, touch: TouchClaimed, converted_at: datetime, window: int) -> bool:
    """Not after the conversion, and inside the window: the touch's day and the days after it."""
    if touch.touched_at > converted_at:
        return False
    day = known.terms.day
    return not window or day(converted_at) < day(touch.touched_at) + timedelta(days=window)
