"""What is credited in two partnerships of one party, so that the party may pay for it twice."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import NamedTuple

from domain.recorded import Recorded
from domain.response import Severity
from domain.standing_alerts import CREDITED_TWICE, AlertKind
from infra.answers import computed
from infra.answers.logs import NOW, AsOf, of_each, row_of_each, undamaged, whole_log
from infra.answers.members import names_seen
from infra.answers.question import Answer, Panel, Question
from infra.answers.text import Block, Line, Remark, Table, amount, tenth
from infra.bootstrap import Accord
from infra.store.views import typed_row
from projections import SETTLEMENT
from projections.alerts import Alert, Finding, opened
from projections.duplicate_credit import (
    DEAL,
    PAYMENT,
    Credited,
    Deal,
    DuplicateCredit,
    Place,
    duplicates,
    names_of_deal,
    shared,
)
from projections.fold import replay
from projections.ledger.book import terms_of
from projections.ledger.rows import AGREED, AgreedRow, SubjectRow, in_words


class DuplicateCredits(Answer):
    """What is credited in several partnerships of one party; a party is shown only its own."""

    duplicates: tuple[DuplicateCredit, ...]
    """Deals, then payments, by identifier."""


def ask(accord: Accord, when: AsOf = NOW) -> DuplicateCredits:
    """Return the deals and payments that are credited in several partnerships of one party."""
    party = when.viewer.party
    read = _now if when.is_now else _then
    found = read(accord, list(names_seen(accord, when.viewer)), when)
    return DuplicateCredits(
        simulated=accord.simulated,
        as_of=when.asked,
        duplicates=tuple(each for each in found if party in {None, each.party}),
    )


# --- alerts ------------------------------------------------------------------------------------


class Twice(NamedTuple):
    """An open alert on what is credited in several partnerships, and the credit in its own."""

    alert: Alert
    credit: Credited


def alerts_of(accord: Accord, when: AsOf) -> dict[str, list[Alert]]:
    """Return the open alerts on what is credited in several partnerships of the viewer's party.

    They are by partnership, one in each.
    """
    found: dict[str, list[Alert]] = {}
    for each in credited_twice(accord, when):
        found.setdefault(each.alert.partnership, []).append(each.alert)
    return found


def credited_twice(accord: Accord, when: AsOf) -> Iterator[Twice]:
    """Yield these alerts, each with the credit in its partnership.

    Only that party gets them: its partners must not learn of each other. No fold can open them,
    because each sees one partnership.
    """
    if when.viewer.party is None:
        return
    for duplicate in ask(accord, when).duplicates:
        # A partnership can count one payment in two deals; it gets one alert.
        credits_ = {each.partnership: each for each in duplicate.credits}
        stated = [_stated(accord, duplicate.subject, each, when) for each in credits_.values()]
        since = max(each.act.occurred_at for each in stated)
        for event, credit in zip(stated, credits_.values(), strict=True):
            yield Twice(_alert(duplicate, [*credits_], event, since), credit)


def _stated(accord: Accord, subject: str, credit: Credited, when: AsOf) -> Recorded:
    """Return the event that stated a payment, or the first one of a deal."""
    stream = f"{credit.partnership}/{DEAL}{credit.deal}"
    events = list(when.of(accord.history.streams([stream])[stream]))
    payment = subject.removeprefix(PAYMENT)
    of = (each for each in events if getattr(each.event, "payment", "") == payment)
    return next(of, events[0])


def _alert(
    duplicate: DuplicateCredit, partnerships_: list[str], event: Recorded, since: datetime
) -> Alert:
    party, what = duplicate.party, in_words(duplicate.subject)
    text = (
        f"{what[0].upper()}{what[1:]} is credited in {' and '.join(partnerships_)}. {party} may "
        f"pay for it twice. If it is one sale, {party} cancels or corrects it in one of them "
        "(CancelDeal, CorrectPayment), or agrees there who is credited (ProposeAttribution)."
    )
    found = Finding(duplicate.subject, text, (party,))
    alert = opened(CREDITED_TWICE, AlertKind.REMINDER, Severity.WARNING, event, found)
    return replace(alert, since=since)


# --- reading -----------------------------------------------------------------------------------


def _now(accord: Accord, names: list[str], _: AsOf) -> tuple[DuplicateCredit, ...]:
    """Read the saved rows of all deals, but only those of shared names as their type."""
    readable = undamaged(accord, names)
    stored = computed.of_each(accord, readable, "deals", partial(_stored, accord))
    common = shared(chain.from_iterable(deals for _, deals in stored))
    places = {each for of in common.values() for each in of}
    keys = [(each.partnership, f"{DEAL}{each.deal}") for each in sorted(places)]
    deals = {
        Place(name, key.removeprefix(DEAL)): typed_row(SETTLEMENT, name, key, row)
        for (name, key), row in accord.views.rows(SETTLEMENT.name, keys).items()
    }
    having = {each.partnership for each in places}
    agreed = row_of_each(accord, SETTLEMENT, AGREED, having)
    heads = accord.history.heads(having)
    at = {name: heads[name].recorded_at for name in having}
    return duplicates(common, _deals(deals, agreed, at))


def _stored(
    accord: Accord, names: list[str]
) -> Iterator[tuple[str, tuple[tuple[Place, tuple[str, ...]], ...]]]:
    """Yield the deals of each partnership, with the names under which others can credit them."""
    for name in names:
        deals = (
            (key.removeprefix(DEAL), row)
            for key, row in accord.views.select(SETTLEMENT.name, name, DEAL)
        )
        yield (
            name,
            tuple(
                (Place(name, deal), tuple(names_of_deal(deal, row.get("facts", ()))))
                for deal, row in deals
            ),
        )


class _Replayed(NamedTuple):
    agreed: AgreedRow
    deals: Mapping[str, SubjectRow]
    at: datetime


def _then(accord: Accord, names: list[str], when: AsOf) -> tuple[DuplicateCredit, ...]:
    """Read the deals by replay of the logs."""

    def named(name: str) -> tuple[str, _Replayed] | None:
        found = _replayed(accord, name, when)
        return (name, found) if found else None

    replayed = dict(of_each(names, named))
    deals = {
        Place(name, key): row for name, of in replayed.items() for key, row in of.deals.items()
    }
    common = shared((each, names_of_deal(each.deal, row.facts)) for each, row in deals.items())
    places = {each for of in common.values() for each in of}
    return duplicates(
        common,
        _deals(
            {each: deals[each] for each in places},
            {name: of.agreed for name, of in replayed.items()},
            {name: of.at for name, of in replayed.items()},
        ),
    )


def _replayed(accord: Accord, name: str, when: AsOf) -> _Replayed | None:
    """Return the deals of a partnership; None if it had none, or nobody was credited yet.

    An adopted partnership has facts from before it was adopted, and two parties only since then.
    """
    events = list(whole_log(accord.history, name, when))
    rows = replay(SETTLEMENT, events).rows
    deals = {key.removeprefix(DEAL): row for key, row in rows.items() if key.startswith(DEAL)}
    agreed: AgreedRow = rows.get(AGREED, AgreedRow())
    if not deals or not agreed.is_between_two:
        return None
    return _Replayed(agreed, deals, events[-1].act.recorded_at)


def _deals(
    rows: Mapping[Place, SubjectRow],
    agreed: Mapping[str, AgreedRow],
    at: Mapping[str, datetime],
) -> dict[Place, Deal]:
    """Return the deals, each as of the day of its partnership's last event."""
    found = {}
    for place, row in rows.items():
        of = agreed[place.partnership]
        found[place] = Deal(place, row, of, terms_of(of).day(at[place.partnership]))
    return found


# --- text --------------------------------------------------------------------------------------


def text(found: DuplicateCredits) -> Iterator[Block]:
    """Yield each deal and payment, with its credit in each partnership."""
    if not found.duplicates:
        yield Remark("There are no duplicate credits.")
    for each in found.duplicates:
        named = each.subject.replace("/", " ", 1)
        yield Line(f"{each.party}: {named} is credited in several partnerships", "bold yellow")
        yield Table(
            ["ID", "DEAL", "CREDITED", "EARNED"],
            [(of.partnership, of.deal, _credit(of), _earned(of)) for of in each.credits],
            indent=2,
        )


def _credit(of: Credited) -> str:
    return ", ".join(f"{party} {tenth(percent)}" for party, percent in of.percent.items())


def _earned(of: Credited) -> str:
    return ", ".join(f"{each.to} {amount(each.amount, each.currency)}" for each in of.earned)


DUPLICATE_CREDITS = Question(
    "duplicate-credits",
    ask,
    text,
    path="/v1/duplicate-credits",
    help="List deals and payments that are credited in several partnerships of one party.",
    panel=Panel.MONEY,
)
