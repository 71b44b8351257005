"""What awaits a party: contested leads, claims, and corrections that take money.

All of it is computed from the facts and what was agreed, so it is the same in any order of
arrival, and ends as soon as its reason does (docs/settlement.md, Who may state what).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from domain import payouts
from domain.claims import ClaimKind
from domain.standing_alerts import ATTRIBUTION_CONTESTED, CLAIM_AWAITS, CORRECTION_TAKES
from domain.terms import Item, ReferralFee
from domain.values import plain
from projections.ledger.counting import OPPORTUNITY, TAKEN_BACK, Known, corrected
from projections.ledger.deals import DealView
from projections.ledger.entries import shares_of
from projections.ledger.measures import CLICKS
from projections.ledger.periods import first_day
from projections.ledger.reasons import Nothing, priced
from projections.ledger.rows import Correction, Fact, Investment, SubjectRow, in_words


class Point(NamedTuple):
    """Something that awaits a party."""

    rule: str
    """The alert that says so."""
    ref: str
    """The deal that is contested, else the fact: `deal/D-1/payment/P-1`."""
    text: str


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
    if row.corrections or row.credit is not None:
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


def of_deal(name: str, known: Known, kinds: Mapping[str, frozenset[type[Item]]]) -> Iterator[Point]:
    """Yield what of a deal awaits a party; `kinds` are the items that can pay each party."""
    views = [DealView(name, known, party, kinds[party]) for party in known.parties]
    if views[0].contested:
        yield Point(ATTRIBUTION_CONTESTED, name, f"Both parties claim the lead of {name}.")
    for view in views:
        if view.kinds:
            yield from _of_view(view)
    touches = dict.fromkeys(each for view in views if view.kinds for each in _touches(view))
    for key in touches:
        yield _awaits(views[0].subject, key, known.row.facts[key].by, known)


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


def _of_view(view: DealView) -> Iterator[Point]:
    known, party, about = view.known, view.party, view.subject
    for key in dict.fromkeys(_claims(view)):
        yield _awaits(about, key, party, known)
    for key, fact in _returns(view):
        yield _awaits(about, key, fact.by, known)
    if view.credit[0]:
        yield from _corrections(about, known, party)


def _claims(view: DealView) -> Iterator[str]:
    """Yield what the party of a view states and would earn by, once the other confirms it."""
    known = view.known
    why: dict[str, set[Nothing | None]] = defaultdict(set)
    # A win awaits an answer beside the touches that await one.
    for each in priced(view.on_its_word, {}):
        why[each.fact].add(each.nothing)
    if any(Nothing.NOT_WON in each for each in why.values()):
        # The win is what its payments wait for.
        for key, _ in known.of(ClaimKind.WIN):
            why[key].add(Nothing.UNCONFIRMED)
    unconfirmed = [
        (key, known.row.facts[key]) for key, each in why.items() if Nothing.UNCONFIRMED in each
    ]
    reversals = [
        (key, fact) for key, fact in known.of(ClaimKind.REVERSAL) if why[fact.about] & _COULD_EARN
    ]
    for key, fact in (*unconfirmed, *reversals):
        if fact.by == view.party and known.awaits_reply(key, fact):
            yield key


def _returns(view: DealView) -> Iterator[tuple[str, Fact]]:
    """Yield the returns that the other states of what the party of the view stated."""
    known = view.known
    for kind, of in TAKEN_BACK.items():
        for key, fact in known.of(kind):
            if fact.by == view.party or not known.awaits_reply(key, fact):
                continue
            stated = dict(known.of(of))
            taken = [stated[fact.about]] if fact.about in stated else [*stated.values()]
            if any(each.by == view.party for each in taken):
                yield key, fact


def of_entry(name: str, known: Known, investments: Mapping[str, Investment]) -> Iterator[Point]:
    """Yield what of an entry awaits a party."""
    about = f"entry/{name}"
    for key, fact in known.of(ClaimKind.ENTRY):
        gains = {each.to for each in shares_of(fact, known, known.day(fact), investments)}
        if fact.by in gains and known.awaits_reply(key, fact):
            yield _awaits(about, key, fact.by, known)


def of_figure(metric: str, period: str, known: Known) -> Iterator[Point]:
    """Yield the reports of clicks or posts that pay the party that reports them."""
    about = f"figure/{metric}/{period}"
    claimed = dict.fromkeys(_paid_reports(metric, period, known))
    for key in claimed:
        fact, tool = known.row.facts[key], key.partition("/")[0]
        if known.awaits_reply(key, fact):
            text = (
                f"{fact.by} reports the {metric} of {period} by {tool}. "
                f"They count once {known.other(fact.by)} confirms them."
            )
            yield Point(CLAIM_AWAITS, f"{about}/{key}", text)


def _paid_reports(metric: str, period: str, known: Known) -> Iterator[str]:
    first = first_day(period)
    if not known.terms.accrues(first):
        return
    for item in known.terms.items(first):
        if isinstance(item, ReferralFee) and CLICKS.get(item.trigger) == metric:
            for key, fact in known.of(ClaimKind.FIGURE):
                if fact.by == item.to and item.source in {None, key.partition("/")[0]}:
                    yield key


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
        counts = (
            f"It counts unless {other} objects."
            if each.counts
            else f"It counts once {other} confirms it."
        )
        # Each party can have a correction that awaits the other.
        ref = f"correction/{each.by}" if each.fact == payouts.CORRECTION else each.fact
        yield Point(CLAIM_AWAITS, f"payout/{name}/{ref}", f"{each.by} {what}. {counts}")


def _awaits(about: str, key: str, by: str, known: Known) -> Point:
    what = _of(key, about) if key != ClaimKind.ENTRY else in_words(about)
    text = f"{by} states {what}. It counts once {known.other(by)} confirms it."
    return Point(CLAIM_AWAITS, f"{about}/{key}", text)


def _corrections(about: str, known: Known, party: str) -> Iterator[Point]:
    """Yield the corrections that await an answer, or take money from the party that earns."""
    for key, first in sorted(known.row.facts.items()):
        before: Fact | None = first
        for each in known.corrections(key):
            if each.by != first.by and known.awaits_correction(each):
                what = _of(each.of, about)
                text = f"{each.by} corrects {what}. It counts once {first.by} confirms."
                yield Point(CLAIM_AWAITS, _ref(about, known, each), text)
            if any(known.replies_to(each)):
                before = corrected(first, each)
        if first.by != party:
            yield from _taken(about, known, key, before)


def _taken(about: str, known: Known, key: str, before: Fact | None) -> Iterator[Point]:
    """Yield the last correction of a fact by its author, if it takes money and is not answered.

    `before` is the fact as the other party last answered it. A later correction replaces those
    before it, so what they took and it gives back is not taken.
    """
    first = known.row.facts[key]
    own = [each for each in known.corrections(key) if each.by == first.by]
    if not own or any(known.replies_to(own[-1])):
        return
    change = _taking(first.kind, before, corrected(first, own[-1]))
    if change:
        text = f"{first.by} corrected {_of(own[-1].of, about)}: {change}."
        yield Point(CORRECTION_TAKES, _ref(about, known, own[-1]), text)


def _ref(about: str, known: Known, correction: Correction) -> str:
    names = known.row.corrections.items()
    name = next(name for name, each in names if each is correction)
    return f"{about}/correction/{name}"


def _taking(kind: str, before: Fact | None, after: Fact | None) -> str:
    """Return in words what a correction takes from the party that earns; empty if nothing.

    A return takes more the larger it is; every other fact gives more the larger it is.
    """
    less, more = (before, after) if kind in TAKEN_BACK else (after, before)
    if more is None:
        return ""
    if less is not None and less.unit == more.unit and less.amount >= more.amount:
        return ""
    return f"{_amount(after)}, not {_amount(before)}"


def _amount(fact: Fact | None) -> str:
    return f"{plain(fact.amount)} {fact.unit}" if fact else "nothing"


def _of(key: str, about: str) -> str:
    return f"the {in_words(key)} of {in_words(about)}"
