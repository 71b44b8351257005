"""What awaits a party: contested leads, claims, and corrections that take money.

All of it is computed from the facts and what was agreed, so it is the same in any order of
arrival, and ends as soon as its reason does (docs/settlement.md, Who may state what).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final, NamedTuple

from domain import payouts
from domain.claims import ClaimKind
from domain.deadlines.deadline import DAY
from domain.metric_catalogue import metric_words
from domain.standing_alerts import (
    ATTRIBUTION_CONTESTED,
    CLAIM_AWAITS,
    CORRECTION_TAKES,
    ENTRY_WITHOUT_TERMS,
    LEAD_AWAITS,
    LEAD_REJECTED,
    LEAD_UNANSWERED,
    STATEMENT_OVERDUE,
)
from domain.terms import Hybrid, Item, Minimum, ReferralFee
from domain.values import full_stop, plain
from projections.ledger import worth
from projections.ledger.counting import OPPORTUNITY, TAKEN_BACK, Known, corrected
from projections.ledger.deals import DealView, losses
from projections.ledger.entries import is_penalty, is_priced, remaining, shares_of
from projections.ledger.measures import CLICKS, WHOLE, is_reported
from projections.ledger.periods import LENGTHS, first_day
from projections.ledger.reasons import Nothing, priced
from projections.ledger.rows import (
    Correction,
    Debt,
    Fact,
    Investment,
    SubjectRow,
    in_words,
)
from projections.ledger.windows import window_start
from projections.ledger.worth import Earns, Worth


class Point(NamedTuple):
    """Something that awaits a party."""

    rule: str
    """The alert that says so."""
    ref: str
    """The deal that is contested, else the fact: `deal/D-1/payment/P-1`."""
    text: str
    acting: tuple[str, ...] = ()
    """The party that acts; empty for both."""
    at_stake: Worth = ()
    """The money that hangs on it, by currency."""
    ends: bool = False
    """Whether it awaits nobody any longer: `text` then says how it ended."""
    answer_by: date | None = None
    """The last day for the answer, where silence decides after it."""
    since: datetime | None = None
    """When it became so, where the facts say it; None for the event that shows it."""


_OF_MONEY: Final = frozenset({ClaimKind.WIN, ClaimKind.PAYMENT, ClaimKind.REVERSAL, *TAKEN_BACK})


_COULD_EARN: Final = frozenset(
    {
        Nothing.UNCONFIRMED,
        Nothing.NOT_WON,
        Nothing.RETURNED,
        Nothing.CAP,
        Nothing.TOO_SMALL,
    }
)
"""Why a payment earns nothing yet, or no more, by which a party could earn."""


def is_watched(row: SubjectRow) -> bool:
    """Return whether anything of a deal can await a party. Of most deals nothing can."""
    if row.corrections or row.others or row.credit is not None:
        return True
    claimants, own, money = set(), [], []
    acted: dict[str, datetime] = {}
    for each in row.facts.values():
        if each.kind == ClaimKind.TOUCH:
            claimants.add(each.about)
            if each.by == each.about:
                own.append(each)
        elif each.kind in _OF_MONEY:
            money.append(each)
        if each.kind in {OPPORTUNITY, ClaimKind.WIN}:
            acted[each.by] = max(each.at, acted.get(each.by, each.at))
    if len(claimants) > 1:
        return True
    return bool(money) and (
        len({each.by for each in money}) > 1
        or any(each.by in claimants or each.holder not in {"", each.by} for each in money)
        # A party's own touch is a claim until the other acts.
        or any(all(by == each.by or at < each.at for by, at in acted.items()) for each in own)
    )


def has_lead(row: SubjectRow) -> bool:
    """Return whether a deal has a lead that was answered, or on which the other did not act."""
    lead = row.facts.get(ClaimKind.REFERRAL)
    return lead is not None and (
        any(each.claim == ClaimKind.REFERRAL for each in row.replies.values())
        or not any(
            each.kind in {OPPORTUNITY, ClaimKind.WIN} and each.by != lead.by and each.at >= lead.at
            for each in row.facts.values()
        )
    )


def of_deal(name: str, known: Known, kinds: Mapping[str, frozenset[type[Item]]]) -> Iterator[Point]:
    """Yield what of a deal awaits a party; `kinds` are the items that can pay each party."""
    views = [DealView(name, known, party, kinds[party]) for party in known.parties]
    if views[0].contested:
        text = (
            f"Both parties claim the lead of {name}. One proposes who is credited "
            "(ProposeAttribution), the other agrees (AgreeAttribution)."
        )
        yield Point(ATTRIBUTION_CONTESTED, name, text)
    lead = known.row.facts.get(ClaimKind.REFERRAL)
    if lead is not None:
        yield from _of_lead(name, lead, known)
    earns = worth.earns_of_deal(name, kinds)
    paid = [view for view in views if view.kinds]
    yield from _awaiting(
        views[0].subject, known, earns, (each for view in paid for each in _of_view(view))
    )
    if known.row.corrections:
        for view in paid:
            yield from _corrected(view, earns)


def _awaiting(
    about: str, known: Known, earns: Earns, claims: Iterable[tuple[str, str]]
) -> Iterator[Point]:
    """Yield that claims await an answer, each with what it moves; they are keys and authors."""
    found = [*dict.fromkeys(claims)]
    for key, by in found:
        moved = worth.of_claim(earns, known, found, key)
        for fact in known.statements(key):
            if fact.by == by:
                yield _awaits(about, key, fact, known, moved)


def _of_lead(name: str, lead: Fact, known: Known) -> Iterator[Point]:
    """Yield whether a lead awaits its answer, or was rejected; else what ended that."""
    ref, other = f"deal/{name}/{ClaimKind.REFERRAL}", known.other(lead.by)
    rejected = known.rejection(lead)
    if losses(known):
        ended = f"Deal {name} was recorded as lost."
    elif known.accepted(lead):
        answers = known.answers(ClaimKind.REFERRAL, lead)
        by_hand = any(each.confirms for each in answers) or known.acted_on(lead)
        how = (
            f"{other} accepted the lead of deal {name}."
            if by_hand
            else f"{other} did not answer in time, so the lead of deal {name} is accepted."
        )
        ended = f"{how} {_registered(lead, known)}"
    elif rejected is not None:
        ended = f"{other} rejected the lead of deal {name}: {full_stop(rejected.reason)}"
        text = (
            f"{ended} It counts once {other} confirms it (ConfirmClaim) or opens an opportunity "
            f"(CreateOpportunity). Until then {lead.by} can record the deal as lost (LoseDeal)."
        )
        yield Point(LEAD_REJECTED, ref, text, (lead.by,), since=rejected.at)
        for rule in (LEAD_AWAITS, LEAD_UNANSWERED):
            yield Point(rule, ref, ended, ends=True)
        return
    else:
        yield _unanswered(ref, name, lead, known)
        return
    for rule in (LEAD_AWAITS, LEAD_UNANSWERED, LEAD_REJECTED):
        yield Point(rule, ref, ended, ends=True)


NO_DAYS: Final = "No days are agreed for the answer, so silence accepts nothing."


def asks_of_lead(deal: str, by: str, other: str) -> str:
    """Return what is asked of a lead that `by` submitted, as a sentence without its end."""
    return (
        f"{by} submitted the lead of deal {deal}. {other} accepts it (ConfirmClaim) or rejects it "
        "(ObjectToClaim)"
    )


def _unanswered(ref: str, name: str, lead: Fact, known: Known) -> Point:
    """Return that a lead awaits its answer, by the last agreed day if there is one."""
    other, last = known.other(lead.by), _last_day(known.accepted_by_silence_on(lead))
    asks = asks_of_lead(name, lead.by, other)
    if last is None:
        return Point(LEAD_UNANSWERED, ref, asks, (other,), since=lead.at)
    text = f"{asks} by {last}. After that day it is accepted."
    return Point(LEAD_AWAITS, ref, text, (other,), answer_by=last, since=lead.at)


def _registered(lead: Fact, known: Known) -> str:
    """Return until when a win credits the party that submitted a lead (C18)."""
    window = known.terms.frame(known.day(lead)).attribution.window_days
    if not window:
        return "It counts for a win on any day, because no last day is agreed."
    own = [each.since for _, each in known.of(ClaimKind.TOUCH) if each.about == lead.by]
    touched = max((datetime.fromisoformat(each) for each in own), default=lead.at)
    return f"It counts for a win by {known.terms.day(touched) + timedelta(days=window - 1)}."


def _touches(view: DealView) -> Iterator[str]:
    """Yield the touches that await an answer, and would move what the party of the view earns.

    Until the deal is won, only touches that compete await one.
    """
    known = view.known
    touches = known.of(ClaimKind.TOUCH)
    claimants = {touch.about for _, touch in touches}
    moves = view.party in claimants and (len(claimants) > 1 or known.of(ClaimKind.WIN))
    if moves and known.row.credit is None:
        for key, touch in touches:
            if view.awaits_agreement(key, touch):
                yield key


def _of_view(view: DealView) -> Iterator[tuple[str, str]]:
    """Yield the key and the author of each claim that awaits an answer."""
    for key in _claims(view):
        yield key, view.party
    for key, fact in _returns(view):
        yield key, fact.by
    for key in _touches(view):
        yield key, view.known.row.facts[key].by


def _corrected(view: DealView, earns: Earns) -> Iterator[Point]:
    for key, fact in sorted(view.known.row.facts.items()):
        # A return takes more the larger it is; every other fact gives more.
        gain = _Gain(view.party, fact.kind not in TAKEN_BACK, view, earns)
        yield from _corrections(view.subject, view.known, gain, key)


def _claims(view: DealView) -> Iterator[str]:
    """Yield what the party of a view states and would earn by, once the other confirms it."""
    known = view.known
    why: dict[str, set[Nothing | None]] = defaultdict(set)
    # A win awaits an answer beside the touches that await one.
    for each in priced(view.on_its_word, {}):
        why[each.fact].add(each.nothing)
    if any(each & {Nothing.NOT_WON, Nothing.WIN_UNCONFIRMED} for each in why.values()):
        # The win is what its payments wait for.
        for key, _ in known.of(ClaimKind.WIN):
            why[key].add(Nothing.UNCONFIRMED)
    unconfirmed = [
        (key, known.row.facts[key]) for key, each in why.items() if Nothing.UNCONFIRMED in each
    ]
    reversals = [
        (key, fact) for key, fact in known.of(ClaimKind.REVERSAL) if why[fact.about] & _COULD_EARN
    ]
    otherwise = [
        (key, fact)
        for key in known.row.others
        if why[key] - {Nothing.NO_ITEM}
        for fact in known.statements(key)
    ]
    for key, fact in (*unconfirmed, *otherwise, *reversals):
        if fact.by == view.party and known.awaits_reply(key, fact):
            yield key


def _returns(view: DealView) -> Iterator[tuple[str, Fact]]:
    """Yield the returns that the other states of what the party of the view stated."""
    known = view.known
    for kind in TAKEN_BACK:
        yield from _takes_from(view.party, kind, known)


def _takes_from(party: str, kind: str, known: Known) -> Iterator[tuple[str, Fact]]:
    """Yield the claims of a kind that take something back from a party, and await its answer."""
    for key, _ in known.of(kind):
        for fact in known.statements(key):
            by_other = fact.by != party
            if by_other and known.takes_from_other(fact) and known.awaits_reply(key, fact):
                yield key, fact


def of_entry(name: str, known: Known, investments: Mapping[str, Investment]) -> Iterator[Point]:
    """Yield what of an entry awaits a party: an answer, or terms that price it."""
    about = f"entry/{name}"
    for key, _ in known.of(ClaimKind.ENTRY):
        stated = known.statements(key)
        claims: list[tuple[str, str]] = []
        gaining: set[str] = set()
        for each in stated:
            gains = {owed.to for owed in shares_of(each, known, known.day(each), investments)}
            if each.by in gains and known.awaits_reply(key, each):
                claims.append((key, each.by))
            gaining |= gains
        for party in sorted(gaining):
            for reversal, fact in _takes_from(party, ClaimKind.ENTRY_REVERSAL, known):
                claims.append((reversal, fact.by))
        yield from _awaiting(about, known, worth.earns_of_entry(name, investments), claims)
        # Both can state it, on two days: it is enough that one of these is priced.
        if not any(is_priced(each, known, investments) for each in stated):
            yield from _without_terms(about, known, key, stated[0])


def _without_terms(about: str, known: Known, key: str, entry: Fact) -> Iterator[Point]:
    """Yield that nothing agreed prices an entry, unless it is reversed or settled elsewhere."""
    if known.settled_elsewhere(known.day(entry)):
        return
    at_stake: Worth = ()
    if is_penalty(entry):
        # What a penalty costs is what terms say.
        left = not known.of(ClaimKind.ENTRY_REVERSAL)
    else:
        amounts = [remaining(known, key, entry, to)[-1].amount for to in known.parties]
        left, at_stake = all(amounts), ((entry.unit, max(amounts)),)
    if left:
        text = (
            f"No terms of {known.day(entry)} price {in_words(about)}. It earns nothing until both "
            "parties record such terms (ProposeTerms, AcceptTerms). A wrong entry is reversed "
            "(ReverseEntry)."
        )
        yield Point(ENTRY_WITHOUT_TERMS, about, text, at_stake=at_stake)


class _Gain(NamedTuple):
    """Who gains by a fact, and whether by a larger one."""

    party: str
    by_more: bool
    view: DealView | None = None
    """The deal that the fact belongs to, as it counts for the party; None for a figure."""
    earns: Earns | None = None
    """What computes the earnings of the deal; None for a figure, whose worth may be private."""

    def moved(self, known: Known, key: str, before: Fact | None, after: Fact | None) -> Worth:
        """Return what a change of the fact moves, by currency."""
        return worth.of_change(self.earns, known, key, before, after) if self.earns else ()

    @property
    def is_credited(self) -> bool:
        """Whether the amount of the fact earns the party anything."""
        return self.view is None or bool(self.view.credit[0])

    def takes(self, key: str, before: Fact | None, after: Fact | None) -> bool:
        """Return whether the party earns less by a fact than by what was stated before."""
        less, more = (after, before) if self.by_more else (before, after)
        if self.is_credited and _is_less(less, more):
            return True
        if self.view is None or not before or not after or _place(before) == _place(after):
            return False
        known = self.view.known
        now, then = (worth.stated(known, key, each) for each in (after, before))
        return _earns_less(
            dataclasses.replace(self.view, known=now), dataclasses.replace(self.view, known=then)
        )


def _place(fact: Fact) -> tuple[datetime, str, str]:
    """Return what prices a fact apart from its amount: its time, its collector, what it covers."""
    return fact.at, fact.holder, fact.since


def _earns_less(one: DealView, other: DealView) -> bool:
    """Whether a deal earns less in any currency than another, or counts less in a window."""
    mine, theirs = _earned(one), _earned(other)
    return any(mine[key] < theirs[key] for key in theirs)


def _earned(view: DealView) -> Mapping[str, Fraction]:
    """Return what a deal earns in each currency, and what it adds to each window of tiers or caps.

    What a window makes of it depends on other deals, so what it counts stands for what it earns.
    """
    found: dict[str, Fraction] = defaultdict(Fraction)
    for track in view.tracks():
        found[track.currency] += Fraction(track.amount)
    for window, base in view.bases():
        part = Fraction(*base.credit) / base.divisor
        found[window] += Fraction(base.remains[-1].amount) * part
    return found


def of_figure(metric: str, period: str, known: Known) -> Iterator[Point]:
    """Yield what of a reported figure awaits a party: its reports and corrections.

    No text has an amount: a party may not see every figure of the other (C14).
    """
    about = f"figure/{metric}/{period}"
    points: dict[Point, None] = {}
    paid = [*_gains(metric, period, known)]
    for key, _ in known.of(ClaimKind.FIGURE):
        gains = [gain for gain, tool in paid if tool in {None, key.partition("/")[0]}]
        for gain in gains:
            mine = known.statement(key, gain.party)
            if mine and known.awaits_reply(key, mine):
                points[_awaits(about, key, mine, known, ())] = None
            points |= dict.fromkeys(_corrections(about, known, gain, key))
        if not gains:
            points |= dict.fromkeys(_proposed(about, known, key))
    yield from points


def has_proposal(row: SubjectRow) -> bool:
    """Return whether a party corrected a figure that the other reported and it did not."""
    return any(
        each.by not in {of[each.of].by for of in (row.facts, row.others) if each.of in of}
        for each in row.corrections.values()
    )


def _proposed(about: str, known: Known, key: str) -> Iterator[Point]:
    """Yield the corrections of the other party's figure, which no money depends on.

    Each counts once it is confirmed; silence confirms only what moves money.
    """
    for each in known.corrections(key):
        if not known.statement(key, each.by) and not any(known.replies_to(each)):
            author = known.row.facts[key].by
            text = f"{each.by} corrects {_of(key, about)}. {_answer(author, None)}"
            yield Point(CLAIM_AWAITS, _ref(about, known, each), text, (author,))


def _gains(metric: str, period: str, known: Known) -> Iterator[tuple[_Gain, str | None]]:
    """Yield who gains by a figure, under the items of its day and of the windows that it is in.

    Each with the tool whose figures count; None if any can.
    """
    first = first_day(period)
    for day in {first, *(window_start(each, first) for each in LENGTHS.values())}:
        for item in known.terms.items(day) if known.terms.accrues(day) else ():
            match item:
                case ReferralFee() if CLICKS.get(item.trigger) == metric and day == first:
                    yield _Gain(item.to, by_more=True), item.source
                case Hybrid(bonus_metric=name) if name == metric and is_reported(item):
                    yield _Gain(item.to, by_more=True), item.source
                case Minimum(metric=name) if name == metric and is_reported(item):
                    yield _Gain(known.other(item.on), by_more=False), item.source
                case _:
                    pass


def of_payout(name: str, known: payouts.Known) -> Iterator[Point]:
    """Yield what of a payout awaits the other party."""
    recorded = known.payout.recorded
    if recorded is None:
        return
    parties = (recorded[0].payer, recorded[0].payee)
    for each in known.awaiting():
        other = parties[parties[0] == each.by]
        what = {
            payouts.PAYOUT: f"states payout {name} of {recorded[0].amount}",
            payouts.CORRECTION: f"corrects payout {name}",
            payouts.RETURN: f"states that payout {name} came back",
        }[each.fact]
        answer = _answer_to_payout(other, each) if each.counts else _answer(other, each.until)
        # Each party can have a correction that awaits the other.
        ref = f"correction/{each.by}" if each.fact == payouts.CORRECTION else each.fact
        text = f"{each.by} {what}. {answer}"
        moved, last = _of_payout(known, each), _last_day(each.until)
        yield Point(CLAIM_AWAITS, f"payout/{name}/{ref}", text, (other,), moved, answer_by=last)


def _of_payout(known: payouts.Known, awaiting: payouts.Awaiting) -> Worth:
    """Return the money that an answer to a payout, its return or its correction moves."""
    recorded = known.payout.recorded
    if recorded is None:
        return ()
    amount, currency = recorded[0].amount.amount, recorded[0].amount.currency
    if awaiting.fact == payouts.CORRECTION:
        own = [each for each, said in known.payout.corrections if said.party == awaiting.by]
        if not own[-1].void and own[-1].amount is not None:
            amount = abs(amount - own[-1].amount.amount)
    return ((currency, amount),) if amount else ()


def of_debt(name: str, debt: Debt | None) -> Iterator[Point]:
    """Yield that a statement is overdue, with what is due and who pays."""
    if debt is None or not debt.overdue or debt.left <= 0:
        return
    payer, payee, _, currency, due_on = debt.owed
    text = (
        f"{payer} owes {payee} {plain(debt.left)} {currency} on {name}, due on {due_on}. Record "
        "what is paid on it (RecordPayout)."
    )
    yield Point(STATEMENT_OVERDUE, name, text, (payer,), ((currency, debt.left),))


def _awaits(about: str, key: str, claim: Fact, known: Known, at_stake: Worth) -> Point:
    other, until = known.other(claim.by), known.silence_confirms_on(key, claim)
    text = f"{claim.by} states {_of(key, about)}. {_answer(other, until)}"
    return Point(
        CLAIM_AWAITS, f"{about}/{key}", text, (other,), at_stake, answer_by=_last_day(until)
    )


def _last_day(until: date | None) -> date | None:
    """Return the day before silence confirms something."""
    return until - DAY if until else None


def _answer(by: str, until: date | None) -> str:
    """Return what a party can do about a claim, and when silence confirms it, if it does."""
    if until is None:
        return f"It counts once {by} confirms it (ConfirmClaim). {by} can object (ObjectToClaim)."
    return (
        f"{by} confirms it (ConfirmClaim) or objects to it (ObjectToClaim) by {until - DAY}. "
        "After that day it counts."
    )


def _answer_to_payout(by: str, awaiting: payouts.Awaiting) -> str:
    """Return what the payee can do about a payout that counts until it objects."""
    until = f" by {awaiting.until - DAY}" if awaiting.until else ""
    return (
        f"It counts unless {by} objects (ObjectToClaim){until}. {by} can confirm it (ConfirmClaim)."
    )


def _corrections(about: str, known: Known, gain: _Gain, key: str) -> Iterator[Point]:
    """Yield the corrections of a fact that await an answer, or take money from who gains by it."""
    corrections = known.corrections(key)
    if not corrections:
        return
    other = known.other(gain.party)
    first = known.stated(key, known.row.facts[key], gain.party, other)
    counted = known.content(key, first, gain.party, other)
    before: Fact | None = first
    for each in corrections:
        new = known.corrected(key, first, each)
        # A party that corrects its own statement to what counts already asks for nothing.
        agrees = key in known.row.others and new == counted
        proposed = gain.is_credited and each.by != first.by and not agrees
        if proposed and known.awaits_correction(each):
            until = known.silence_confirms_correction_on(each)
            text = f"{each.by} corrects {_of(key, about)}. {_answer(first.by, until)}"
            moved = gain.moved(known, key, counted, new)
            ref, last = _ref(about, known, each), _last_day(until)
            yield Point(CLAIM_AWAITS, ref, text, (first.by,), moved, answer_by=last)
        if any(known.replies_to(each)):
            before = new
    if first.by != gain.party:
        yield from _taken(about, known, gain, (key, first), before)


def _taken(
    about: str, known: Known, gain: _Gain, keyed: tuple[str, Fact], before: Fact | None
) -> Iterator[Point]:
    """Yield the last correction of a fact by its author, if it takes money and is not answered.

    `before` is the fact as the other party last answered it. A later correction replaces those
    before it, so what they took and it gives back is not taken.
    """
    key, first = keyed
    own = [each for each in known.corrections(key) if each.by == first.by]
    if not own or any(known.replies_to(own[-1])):
        return
    after = corrected(first, own[-1])
    if gain.takes(key, before, after):
        text = f"{first.by} corrected {_of(key, about)}{_change(known, before, after)}. "
        other = known.other(first.by)
        text += f"It counts. {other} can confirm it (ConfirmClaim) or object to it (ObjectToClaim)."
        moved = gain.moved(known, key, before, after)
        yield Point(CORRECTION_TAKES, _ref(about, known, own[-1]), text, (other,), moved)


def _change(known: Known, before: Fact | None, after: Fact | None) -> str:
    """Return in words what a correction changed; nothing of a figure, which may be private."""
    if ClaimKind.FIGURE in {each.kind for each in (before, after) if each}:
        return ""
    if not before or not after:
        return f": {_amount(after)}, not {_amount(before)}"
    own_day = "its own day"
    values = (
        ("", _amount(after), _amount(before)),
        ("on ", f"{known.day(after)}", f"{known.day(before)}"),
        ("collected by ", after.holder, before.holder),
        ("for the time from ", after.since or own_day, before.since or own_day),
    )
    changes = [f"{word}{new}, not {old}" for word, new, old in values if new != old]
    return f": {'; '.join(changes)}"


def _ref(about: str, known: Known, correction: Correction) -> str:
    names = known.row.corrections.items()
    name = next(name for name, each in names if each is correction)
    return f"{about}/correction/{name}"


def _is_less(one: Fact | None, other: Fact | None) -> bool:
    """Whether a fact is less than another, or in another unit; nothing is less than any."""
    if other is None:
        return False
    return one is None or one.unit != other.unit or _size(one) < _size(other)


def _size(fact: Fact) -> Fraction:
    return Fraction(fact.amount) / Fraction(fact.divisor or 1)


def _amount(fact: Fact | None) -> str:
    return f"{plain(fact.amount)} {fact.unit}" if fact else "nothing"


def _of(key: str, about: str) -> str:
    """Return a fact of a subject in words: `the payment P-1 of deal D-1`."""
    if key == ClaimKind.ENTRY:
        return in_words(about)
    if not about.startswith("figure/"):
        return f"the {in_words(key)} of {in_words(about)}"
    _, metric, period = about.split("/")
    tool, _, segment = key.partition("/")
    part = f", segment {segment}" if segment != WHOLE else ""
    return f"the figure for {metric_words(metric)} in {period} by {tool}{part}"
