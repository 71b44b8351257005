"""Why a deal, a line or a statement is what it is: facts, items, credit, and what stood before."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Literal

from domain.attribution import PolicyKind
from domain.claims import ClaimKind
from domain.terms import describe
from domain.values import Exact, plain
from infra.answers import statement
from infra.answers import text as words
from infra.answers.logs import AsOf, NotFound, perhaps, sight_of, size_of, whole_log
from infra.answers.money_path import PathEvent, Paths
from infra.answers.question import Item
from infra.answers.statement import LedgerLine, Postings
from infra.answers.statement_state import owed
from infra.answers.text import Block, Line, Table
from infra.bootstrap import Accord
from projections import timeline
from projections.ledger.book import Book, LineKey, terms_of
from projections.ledger.deals import DealView, Uncounted
from projections.ledger.reasons import Nothing, Priced, priced
from projections.ledger.rows import AGREED, AgreedRow, Fact, SubjectRow, in_words
from projections.timeline import TimelineItem

WORDS = {
    Nothing.UNCONFIRMED: "the other party has not confirmed it",
    Nothing.VOID: "it was corrected: it never happened",
    Nothing.NOT_IN_TERM: "its day is outside the term",
    Nothing.SETTLED_ELSEWHERE: "it was settled before the books begin here",
    Nothing.WIN_UNCONFIRMED: "the other party has not confirmed the win",
    Nothing.NOT_WON: "the deal is not won",
    Nothing.CONTESTED: "both parties touched the deal, and nothing decides between them",
    Nothing.NOT_CREDITED: "the deal is not credited to the party",
    Nothing.NO_ITEM: "no item of its day pays the party for it",
    Nothing.NOT_FIRST: "the item pays a fee for the first payment alone",
    Nothing.OUTSIDE: "it is outside the time from the win that the item counts",
    Nothing.OWN_MONEY: "the party has the money itself",
    Nothing.RETURNED: "all of it was returned, or the sale was cancelled",
    Nothing.CAP: "the window has reached its cap",
    Nothing.TOO_SMALL: "it rounds to nothing",
}
"""Why a fact earns nothing, in words."""


UNCOUNTED = {
    Uncounted.UNCONFIRMED: "the other party has not confirmed it",
    Uncounted.LATE: "it is later than the conversion",
    Uncounted.EARLY: "it is before the attribution window",
    Uncounted.STATED: "credit was stated before, and the other party has not confirmed it",
}
"""Why a touch does not count, in words."""


class Touch(Item):
    """A party's touch of a deal."""

    touch: str
    """The identifier of the touch."""
    of: str
    """The party that it credits."""
    touched_at: datetime
    """When the party touched the lead."""
    stated_by: str
    """The party that claimed it."""
    counts: bool
    """Whether it counts for credit: in time, and confirmed where that is needed."""
    nothing: Uncounted | None
    """Why it does not count."""
    because: str
    """The same in words; empty where it counts."""


class Credited(Item):
    """How much of a deal is credited to a party, and by what."""

    party: str
    """The party."""
    percent: Exact
    """Its credit for the deal, in percent."""
    by: str
    """What decides, in words: both parties, or the policy of the day of the conversion."""
    contested: bool
    """Whether both parties touched the deal, and nothing decides between them."""
    touches: tuple[Touch, ...]
    """All touches of the deal."""


class PricedFact(Item):
    """What a sale or a payment earns a party by an item, or why it earns nothing."""

    fact: str
    """The fact: `payment/P-1`."""
    day: date
    """Its day in the agreement's time zone."""
    to: str
    """The party."""
    stated: Exact
    """The amount of the fact."""
    currency: str
    """The currency, as a code of ISO 4217."""
    item: str
    """The name of the item; empty if none prices the fact."""
    amount: Exact
    """What it earns after returns and after decisions on disputes."""
    disputed: Exact
    """What decisions on disputes took of it."""
    nothing: Nothing | None
    """Why it earns nothing."""
    because: str
    """The same in words; the item where it earns something."""


class DealExplained(Item):
    """Why a deal earns what it earns."""

    of: Literal["deal"] = "deal"
    """What was explained: a deal."""
    deal: str
    """The deal."""
    merged_into: str | None
    """The deal that counts for the client, if this one is a duplicate that counts nowhere."""
    duplicates: tuple[str, ...]
    """The duplicates that were merged into this deal."""
    credit: tuple[Credited, ...]
    """The credit of each party."""
    priced: tuple[PricedFact, ...]
    """Each sale and payment, for each party and item."""
    lines: tuple[LedgerLine, ...]
    """The ledger's lines of the deal, in the order in which they were posted."""


class LineExplained(Item):
    """Why a line of the ledger is what it is."""

    of: Literal["line"] = "line"
    """What was explained: a line."""
    line: LedgerLine
    """The line."""
    item: str | None
    """The item that prices the fact, in words; null where none does."""
    before: tuple[LedgerLine, ...]
    """The earlier lines of the same fact, item and party."""
    because_of: TimelineItem | None
    """The event that posted it; null if the viewer may not see it."""


class StatementLine(Item):
    """A line of a statement with the item that prices it."""

    line: LedgerLine
    """The line."""
    item: str | None
    """The item in words; null where none prices the fact."""
    events: tuple[int, ...]
    """The indexes of the events that the line rests on: what posted it, its deal or entry, the
    dispute that changed it, and what agreed its rule."""


class StatementExplained(Item):
    """Why a statement is what it is: every line, and the path from it to the signed events."""

    of: Literal["statement"] = "statement"
    """What was explained: a statement."""
    statement: str
    """The statement."""
    balance: str
    """Who owes how much, in words."""
    lines: tuple[StatementLine, ...]
    """The lines."""
    events: tuple[PathEvent, ...]
    """The events that the lines rest on, in the order of the log."""


MoneyExplained = DealExplained | LineExplained | StatementExplained

KINDS = ("deal", "line", "statement")
"""What can be explained of the money of a partnership."""

HOW_TO_ASK = (
    "Write PARTNERSHIP/deal/DEAL, PARTNERSHIP/statement/STATEMENT or PARTNERSHIP/line/LINE. "
    "A statement shows its lines with their names."
)


def explained(accord: Accord, partnership: str, kind: str, name: str, when: AsOf) -> MoneyExplained:
    """Explain a deal, a line or a statement from the events alone. Raises `NotFound`."""
    size_of(accord.history, partnership)
    sight = sight_of(accord.history, partnership, when)
    events = list(whole_log(accord.history, partnership, when))
    postings = Postings(None)
    posted = [statement.line_of(row) for each in events for row in postings.take(each)]
    if kind == "deal":
        return deal_explained(postings, posted, name)
    if kind == "statement":
        terms = terms_of(postings.rows.get(AGREED, AgreedRow()))
        paths = Paths(accord.history, partnership, list(filter(sight.shows, events)), terms)
        return _statement(postings, name, paths)
    line = _line(posted, name)
    event = next((each for each in events if each.index == line.index and sight.shows(each)), None)
    return LineExplained(
        line=line,
        item=_item(postings, line),
        before=tuple(
            each
            for each in posted
            if (each.about, each.fact, each.item, each.to)
            == (line.about, line.fact, line.item, line.to)
            and each.index < line.index
        ),
        because_of=None if event is None else timeline.item(event),
    )


def _line(posted: list[LedgerLine], name: str) -> LedgerLine:
    for each in posted:
        if each.line == name:
            return each
    names = [each.line for each in posted]
    raise NotFound(f"There is no line {name}.", perhaps(name, names, HOW_TO_ASK))


# --- deals -------------------------------------------------------------------------------------


def deal_explained(postings: Postings, posted: list[LedgerLine], name: str) -> DealExplained:
    """Explain a deal of a log, whose lines are `posted`. Raises `NotFound`."""
    row: SubjectRow | None = postings.rows.get(f"deal/{name}")
    if row is None:
        deals = [key.partition("/")[2] for key in postings.rows if key.startswith("deal/")]
        raise NotFound(f"There is no deal {name}.", perhaps(name, deals, HOW_TO_ASK))
    views = _views(postings, row, name)
    return DealExplained(
        deal=name,
        merged_into=row.merged_into or None,
        duplicates=row.duplicates,
        credit=tuple(_credit(view) for view in views),
        priced=tuple(
            _priced(postings, each, taken.get((each.fact, each.item), Decimal(0)))
            for view in views
            for earned, taken in [_earned(row, view.party)]
            for each in priced(view, earned)
        ),
        lines=tuple(each for each in posted if each.about in {f"deal/{name}", f"referral/{name}"}),
    )


def _views(postings: Postings, row: SubjectRow, name: str) -> list[DealView]:
    assert postings.last is not None  # noqa: S101 - a deal has an event
    book = Book(postings.rows, postings.last)
    if not book.agreed.is_between_two:
        return []
    known = book.known(row)
    return [DealView(name, known, party) for party in known.parties]


_ByFactAndItem = dict[tuple[str, str], Decimal]


def _earned(row: SubjectRow, party: str) -> tuple[_ByFactAndItem, _ByFactAndItem]:
    """Return what a deal earned a party before disputes, and what decisions took of it."""
    earned: _ByFactAndItem = defaultdict(Decimal)
    taken: _ByFactAndItem = defaultdict(Decimal)
    for text, amount in row.lines.items():
        key = LineKey.of(text)
        if key.to == party and key.cause.startswith("dispute/"):
            taken[key.fact, key.item] -= amount.own
        elif key.to == party:
            earned[key.fact, key.item] += amount.own
    return earned, taken


def _priced(postings: Postings, each: Priced, taken: Decimal) -> PricedFact:
    because = _because(postings, each.item, each.day, each.nothing)
    if taken:
        because += f"; a dispute took {plain(taken)} of {plain(each.amount)}"
    stated = asdict(each) | {"amount": each.amount - taken}
    return PricedFact(**stated, disputed=taken, because=because)


def _credit(view: DealView) -> Credited:
    return Credited(
        party=view.party,
        percent=Decimal(100 * view.credit[0]) / view.credit[1],
        by=_decided_by(view),
        contested=view.contested,
        touches=tuple(
            _touch(key, fact, view.uncounted(key, fact))
            for key, fact in view.known.of(ClaimKind.TOUCH)
        ),
    )


def _decided_by(view: DealView) -> str:
    if view.known.row.credit:
        return "settled by both parties"
    policy = view.policy_in_force.kind
    return "no policy is agreed" if policy is PolicyKind.NONE else f"policy {policy}"


def _touch(key: str, fact: Fact, nothing: Uncounted | None) -> Touch:
    return Touch(
        touch=key.partition("/")[2],
        of=fact.about,
        touched_at=datetime.fromisoformat(fact.since),
        stated_by=fact.by,
        counts=nothing is None,
        nothing=nothing,
        because=UNCOUNTED[nothing] if nothing else "",
    )


def _because(postings: Postings, item: str, day: date, nothing: Nothing | None) -> str:
    if nothing is not None:
        return WORDS[nothing]
    return _words(postings, item, day) or ""


def _words(postings: Postings, name: str, day: date) -> str | None:
    agreed: AgreedRow = postings.rows.get(AGREED, AgreedRow())
    for item in terms_of(agreed).items(day):
        if item.name == name:
            return describe(item)
    return None


# --- lines and statements ----------------------------------------------------------------------


def _item(postings: Postings, line: LedgerLine) -> str | None:
    return _words(postings, line.item, line.day)


def _statement(postings: Postings, name: str, paths: Paths) -> StatementExplained:
    for each in postings.issued:
        if each.statement == name:
            found = postings.statement(each)
            lines = [
                StatementLine(line=line, item=_item(postings, line), events=tuple(paths.of(line)))
                for line in found.lines
            ]
            return StatementExplained(
                statement=name,
                balance=owed(found.balance, found.payouts),
                lines=tuple(lines),
                events=tuple(paths.events(chain.from_iterable(of.events for of in lines))),
            )
    names = [each.statement for each in postings.issued]
    raise NotFound(f"There is no statement {name}.", perhaps(name, names, HOW_TO_ASK))


# --- text --------------------------------------------------------------------------------------


def text(found: MoneyExplained) -> Iterator[Block]:
    """Yield what was explained, as lines and tables."""
    match found:
        case DealExplained():
            yield from _deal_text(found)
        case LineExplained():
            yield Line(
                f"{plain(found.line.amount)} {found.line.currency} to {found.line.to}", "bold"
            )
            yield Line(found.line.text, indent=2)
            if rule := found.line.rule:
                yield Line(f"by {rule.text} (#{rule.index})", indent=2)
            if found.item:
                yield Line(found.item, indent=2)
            yield from _lines("before it", found.before)
        case StatementExplained():
            yield Line(f"{found.statement}: {found.balance}", "bold")
            yield from _lines("lines", [each.line for each in found.lines])
            yield from _path(found)


def _path(found: StatementExplained) -> Iterator[Block]:
    lines = {
        each.index: [of.line.line for of in found.lines if each.index in of.events]
        for each in found.events
    }
    everywhere = [of.line.line for of in found.lines]
    yield Table(
        [">#", "DAY", "WHO", "WHAT", "SIGNED", "LINES"],
        [
            (
                each.index,
                each.day.isoformat(),
                each.party,
                each.text,
                f"key {each.key}" if each.key else each.signing.value,
                "all" if lines[each.index] == everywhere else ", ".join(lines[each.index]),
            )
            for each in found.events
        ],
        title="events behind them",
        indent=2,
    )


def _deal_text(found: DealExplained) -> Iterator[Block]:
    yield Line(f"deal {found.deal}", "bold")
    if found.duplicates:
        yield Line(f"merged into it, and counted nowhere: {', '.join(found.duplicates)}", indent=2)
    if found.merged_into:
        yield Line(
            f"merged into {found.merged_into}: it counts nowhere. State what belongs to the client "
            f"on deal {found.merged_into}.",
            indent=2,
        )
        yield from _lines("lines", found.lines)
        return
    for each in found.credit:
        contested = ", contested" if each.contested else ""
        yield Line(
            f"{each.party} is credited with {plain(each.percent)} % ({each.by}{contested})",
            indent=2,
        )
    if not any(each.percent or each.touches for each in found.credit):
        yield Line("No touch of the lead is stated (AttributeReferral).", indent=2)
    yield Table(
        ["TOUCH", "OF", "TOUCHED AT", "STATED BY", "COUNTS"],
        [_touch_text(each) for each in zip(*(each.touches for each in found.credit), strict=True)],
        indent=2,
    )
    yield Table(
        ["FACT", "DAY", "TO", "ITEM", ">EARNS", "BECAUSE"],
        [
            (
                in_words(each.fact),
                each.day.isoformat(),
                each.to,
                each.item or "-",
                f"{plain(each.amount)} {each.currency}",
                each.because,
            )
            for each in found.priced
        ],
        indent=2,
    )
    yield from _lines("lines", found.lines)


def _touch_text(of_each: tuple[Touch, ...]) -> tuple[str, ...]:
    """Return the cells of a touch, as it counts for the credit of each party."""
    touch = of_each[0]
    # A win that one party states counts at first for what the other earns, so for its touches.
    because = next((each.because for each in of_each if not each.counts), "")
    counts = f"no: {because}" if because else "yes"
    return touch.touch, touch.of, words.minute(touch.touched_at), touch.stated_by, counts


def _lines(title: str, lines: tuple[LedgerLine, ...] | list[LedgerLine]) -> Iterator[Block]:
    if lines:
        yield Table(
            [">LINE", "DAY", "TO", ">AMOUNT", "WHAT FOR"],
            [
                (
                    each.line,
                    each.day.isoformat(),
                    each.to,
                    f"{plain(each.amount)} {each.currency}",
                    each.text,
                )
                for each in lines
            ],
            title=title,
            indent=2,
        )
