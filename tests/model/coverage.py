"""Which kinds of facts and lines a life has, so that the laws can say what they have reached."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import get_args

from tests.model.days import period_span
from tests.model.facts import (
    AttributionSettled,
    Confirmed,
    Corrected,
    DealCancelled,
    DealReopened,
    DealsMerged,
    DealWon,
    DisputeOpened,
    DisputeResolved,
    EntryReversed,
    ExitSet,
    ExitWithdrawn,
    Fact,
    Frame,
    Hybrid,
    Incentive,
    Item,
    JointEntry,
    MetricReported,
    Minimum,
    Objected,
    PaymentReceived,
    PaymentReturned,
    PayoutMade,
    PayoutReturned,
    PenaltyRaised,
    Policy,
    RateAgreed,
    RatePublished,
    ReferralFee,
    ReferralSubmitted,
    RenewalAgreed,
    ReturnReversed,
    RevenueShare,
    RevenueSplit,
    StatedAlso,
    StatementIssued,
    TermsAgreed,
    TouchClaimed,
)
from tests.model.known import KINDS, Known, acted_on, known_of
from tests.model.lives import CURRENCIES, PARTIES, ZONES
from tests.model.owed import Line
from tests.model.statements import due_days

_ITEMS = (
    *(
        f"revenue-share, {trigger}, {basis}{counted}"
        for trigger in ("sale", "payment")
        for basis in ("first-year", "months", "all")
        for counted in ("", ", tiers or a cap")
    ),
    *(f"revenue-split, {trigger}" for trigger in ("sale", "payment", "joint-revenue")),
    *(f"referral-fee, {trigger}" for trigger in ("sale", "first-payment", "click", "post")),
    "retainer",
    "licence-fee",
    "hybrid, base",
    "hybrid, bonus",
    *(
        f"minimum, {metric}{each}"
        for metric in ("referrals", "deals_paid", "leads", "revenue")
        for each in (("", ", each missing") if metric != "revenue" else ("",))
    ),
    "cost-share",
    "penalty",
    "incentive, item",
    "incentive, offer",
    "joint-investment",
    "adjustment",
)

_FACTS = (
    "amendment of items",
    "amendment of the frame",
    "temporary terms",
    "another settles_in",
    "another attribution policy",
    "another zone",
    "other days of silence",
    "rates by another period",
    "other due days",
    "statement due later than its issue",
    *(f"zone {zone}" for zone in ZONES),
    *(f"policy {kind}" for kind in get_args(Policy)),
    "attribution window",
    "another attribution window",
    "own touches of both parties",
    "own touch confirmed by an act",
    "own touch unconfirmed",
    "tail",
    "a kind counts on word",
    "renewal",
    "exit",
    "exit withdrawn",
    "touches of both parties",
    "attribution settled",
    "duplicate merged",
    "deal reopened",
    "deal cancelled",
    "deal won again",
    "refund",
    "chargeback",
    "refund reversed",
    "returned again",
    *(
        f"correction of {kind}{void}"
        for kind in ("payment", "win", "return", "figure", "payout")
        for void in ("", ", void")
        if (kind, void) != ("figure", ", void")
    ),
    "claim confirmed",
    "claim contested",
    "claim confirmed by silence",
    "stated by both",
    "entry reversed",
    "penalty reversed",
    "entry before the first terms",
    "figure of a quarter",
    "figure of a segment",
    "rate agreed",
    "rate published",
    "dispute open",
    *(f"dispute {outcome}" for outcome in ("upheld", "settled", "rejected")),
    "dispute of a line",
    "dispute of a deal with several earners",
    "dispute of a deal with tiers or a cap",
    "statement",
    "payout",
    "payout returned",
    *(
        f"payout of the {by} {what}"
        for by in ("payer", "payee")
        for what in ("confirmed", "contested")
    ),
    *(
        f"return of the {by} {what}"
        for by in ("payer", "payee")
        for what in ("confirmed", "contested")
    ),
    *(
        f"correction of a payout by the {by} {what}"
        for by in ("payer", "payee")
        for what in ("confirmed", "contested")
    ),
    *(f"payments in {each}" for each in CURRENCIES),
)

_LINES = ("line taken back", "line settled in another currency", "line without a rate")

EVERY_KIND = (*(f"line of {each}" for each in _ITEMS), *_LINES, *_FACTS)


def kinds_of(facts: Sequence[Fact], lines: Sequence[Line]) -> Counter[str]:
    """Return how often a life has each kind of fact and of line."""
    known = known_of(frozenset(facts), PARTIES, None)
    found: Counter[str] = Counter()
    kinds = {line: _kind(line, known) for line in lines}
    for line, kind in kinds.items():
        found.update(_of_line(line, kind))
    for fact in facts:
        found.update(_of_fact(fact, known))
    for deal in known.of(ReferralSubmitted):
        found.update(_of_deal(deal.deal, known))
    issued = {each.id: known.terms.day(each.occurred_at) for each in known.of(StatementIssued)}
    due = due_days(facts, PARTIES)
    later = [name for name, day in issued.items() if due[name] > day]
    found.update("statement due later than its issue" for _ in later)
    for dispute in known.of(DisputeOpened):
        found.update(_of_dispute(dispute, known, kinds))
    return found


def _kind(line: Line, known: Known) -> str:
    """Return the kind of item that a line is by, in the words of `EVERY_KIND`."""
    if line.item == "adjustment":
        return "adjustment"
    for item in known.terms.items(_priced_on(line, known)):
        if item.name == line.item:
            return _kind_of_item(item, line)
    return "incentive, offer"


def _priced_on(line: Line, known: Known) -> date:
    """Return the day whose items priced a line: a window and a period have those of their first."""
    kind, name = line.subject
    when = name.rpartition("@")[2]
    if kind == "report":
        return period_span(when)[0]
    if kind == "window":
        return date.fromisoformat(when)
    priced = next((each for each in known.facts if each.id == line.base_fact), None)
    return known.terms.day(priced.occurred_at) if priced else line.day


def _kind_of_item(item: Item, line: Line) -> str:
    match item:
        case RevenueShare():
            counted = ", tiers or a cap" if item.tiers or item.cap is not None else ""
            return f"revenue-share, {item.trigger}, {item.basis}{counted}"
        case RevenueSplit(trigger=trigger) | ReferralFee(trigger=trigger):
            return f"{item.kind}, {trigger}"
        case Hybrid():
            return f"hybrid, {'bonus' if line.subject.kind == 'window' else 'base'}"
        case Minimum():
            each = ", each missing" if item.each_missing else ""
            return f"minimum, {item.metric}{each}"
        case Incentive():
            return "incentive, item"
        case _:
            return item.kind


def _of_line(line: Line, kind: str) -> Iterator[str]:
    yield f"line of {kind}"
    if line.fact != line.base_fact:
        yield "line taken back"
    if line.settled is None:
        yield "line without a rate"
    elif line.settles_in != line.currency:
        yield "line settled in another currency"


def _of_fact(fact: Fact, known: Known) -> Iterator[str]:  # noqa: C901, PLR0912 - one case for each kind
    match fact:
        case TermsAgreed():
            yield from _of_terms(fact, known.of(TermsAgreed)[0])
        case PaymentReceived():
            yield f"payments in {fact.amount.currency}"
        case PaymentReturned():
            yield fact.kind
        case Corrected():
            first = next((each for each in known.facts if each.id == fact.corrects), None)
            if first is None:
                return  # It is of a duplicate.
            void = "" if fact.replacement else ", void"
            yield f"correction of {_CORRECTED[type(first)]}{void}"
        case EntryReversed(entry=entry) if _is(entry, PenaltyRaised, known):
            yield "penalty reversed"
        case JointEntry() | PenaltyRaised():
            if fact.recorded_at < min(each.recorded_at for each in known.of(TermsAgreed)):
                yield "entry before the first terms"
        case MetricReported():
            if "Q" in fact.period:
                yield "figure of a quarter"
            if fact.segment:
                yield "figure of a segment"
        case DisputeResolved():
            yield f"dispute {fact.outcome}"
        case Confirmed(claim=claim) | Objected(claim=claim):
            yield _WORDS[type(fact)]
            yield from _of_payout(fact, claim, known)
        case _ if type(fact) in _WORDS:
            yield _WORDS[type(fact)]
        case _:
            pass
    if type(fact) in KINDS and known.by_silence(fact):
        yield "claim confirmed by silence"


def _is(name: str, kind: type[Fact], known: Known) -> bool:
    return any(each.id == name for each in known.of(kind))


def _of_payout(answer: Fact, claim: str, known: Known) -> Iterator[str]:
    """Yield what an answer is about, if that is a payout, its correction or its return."""
    made = {each.id: each for each in known.of(PayoutMade)}
    what = "confirmed" if isinstance(answer, Confirmed) else "contested"
    for each in (*made.values(), *known.of(PayoutReturned), *known.of(Corrected)):
        match each:
            case PayoutMade():
                of, payout = "payout of", each
            case PayoutReturned(payout=name):
                of, payout = "return of", made[name]
            case Corrected(corrects=name) if name in made:
                of, payout = "correction of a payout by", made[name]
            case _:
                continue
        if each.id == claim and answer.stated_by != each.stated_by:
            by = "payee" if each.stated_by == payout.to else "payer"
            yield f"{of} the {by} {what}"


_CORRECTED: dict[type[Fact], str] = {
    PaymentReceived: "payment",
    DealWon: "win",
    PaymentReturned: "return",
    MetricReported: "figure",
    PayoutMade: "payout",
}

_WORDS: dict[type[Fact], str] = {
    PayoutMade: "payout",
    RenewalAgreed: "renewal",
    ExitSet: "exit",
    ExitWithdrawn: "exit withdrawn",
    AttributionSettled: "attribution settled",
    DealsMerged: "duplicate merged",
    DealReopened: "deal reopened",
    DealCancelled: "deal cancelled",
    ReturnReversed: "refund reversed",
    Confirmed: "claim confirmed",
    Objected: "claim contested",
    EntryReversed: "entry reversed",
    StatedAlso: "stated by both",
    RateAgreed: "rate agreed",
    RatePublished: "rate published",
    StatementIssued: "statement",
    PayoutReturned: "payout returned",
}


def _of_terms(terms: TermsAgreed, first: TermsAgreed) -> Iterator[str]:
    frame = terms.frame or Frame()
    if terms is first:
        yield f"zone {frame.zone}"
        if frame.attribution:
            yield f"policy {frame.attribution.policy}"
            yield from ["attribution window"] if frame.attribution.window else []
        yield from ["tail"] if frame.tail else []
        yield from ["a kind counts on word"] if frame.on_word else []
        return
    if terms.items is not None:
        yield "temporary terms" if terms.until else "amendment of items"
    if terms.frame:
        yield "amendment of the frame"
        if frame.attribution and first.frame and first.frame.attribution:
            before = first.frame.attribution
            if frame.attribution.window != before.window:
                yield "another attribution window"
    for name, word in _FIELDS.items():
        changed = getattr(frame, name)
        if changed is not None and first.frame and changed != getattr(first.frame, name):
            yield word


_FIELDS = {
    "settles_in": "another settles_in",
    "attribution": "another attribution policy",
    "zone": "another zone",
    "confirm_within": "other days of silence",
    "rates_by": "rates by another period",
    "due_days": "other due days",
}


def _of_deal(deal: str, known: Known) -> Iterator[str]:
    touches = [each for each in known.of(TouchClaimed) if each.deal == deal]
    if len({each.to for each in touches}) > 1:
        yield "touches of both parties"
    own = [each for each in touches if each.to == each.stated_by]
    if len({each.to for each in own}) > 1:
        yield "own touches of both parties"
    for each in own:
        if acted_on(known, deal, known.other(each.to), each.occurred_at):
            yield "own touch confirmed by an act"
        elif not (known.confirmed(each) or known.on_word(each)):
            yield "own touch unconfirmed"
    if sum(each.deal == deal for each in known.of(DealWon)) > 1:
        yield "deal won again"
    paid = {each.id for each in known.of(PaymentReceived) if each.deal == deal}
    lost = [each.provider_id for each in known.of(PaymentReturned) if each.payment in paid]
    if len(lost) > len({*lost}):
        yield "returned again"


def _of_dispute(dispute: DisputeOpened, known: Known, kinds: Mapping[Line, str]) -> Iterator[str]:
    if all(each.dispute != dispute.id for each in known.of(DisputeResolved)):
        yield "dispute open"
    if dispute.line is not None:
        yield "dispute of a line"
    mine = [each for each in kinds if each.subject == dispute.subject]
    if len({each.item for each in mine}) > 1 or len({each.to for each in mine}) > 1:
        yield "dispute of a deal with several earners"
    if any("tiers" in kinds[each] for each in mine):
        yield "dispute of a deal with tiers or a cap"
