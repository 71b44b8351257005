"""Which facts of a subject count, for the party that gains by them.

The rules are in docs/settlement.md, Corrections and Who may state what.

A fact counts at once when the side that owes because of it states it. Stated by the side that gains
by it, it is a claim: it counts when the other side confirms it, acts on it, or is silent for the
agreed days.

Both sides can state one fact. Then the statement of the side that owes counts, with its corrections
of it, unless that side agreed to the statement of the other. So the order in which both arrive
decides nothing.

So one deal can look different to each party: a payment that one side states alone counts for what
it owes by it, and not yet for what it earns by it.
"""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Final

from domain.claims import ClaimKind
from domain.deadlines.deadline import Silence
from domain.facts import is_meant
from domain.terms_by_day import TermsByDay
from projections.ledger.rows import Correction, Fact, FactsRow, Reply, SubjectRow

OPPORTUNITY, QUALIFIED, DEMO = "opportunity", "qualified", "demo"
LOST, REOPENED = "lost", "reopened"
"""The kinds of facts that move no money but confirm a referral or are counted."""

CLAIMED: Final = frozenset({*ClaimKind})
"""The kinds of fact that can be claims; a step of the funnel is stated by each party instead."""

TAKEN_BACK: Final[Mapping[str, ClaimKind]] = {
    ClaimKind.REFUND: ClaimKind.PAYMENT,
    ClaimKind.CANCELLATION: ClaimKind.WIN,
    ClaimKind.ENTRY_REVERSAL: ClaimKind.ENTRY,
}
"""The facts that take something back, each with the kind of fact that it takes back."""

_ACTED_ON: Final = frozenset({ClaimKind.REFERRAL, ClaimKind.TOUCH})
"""The claims that the other party confirms by acting on them."""


@dataclass(frozen=True)
class Facts(ABC):
    """The facts of one subject: which correction and which reply is of which fact."""

    row: FactsRow

    @cached_property
    def _by_kind(self) -> dict[str, list[tuple[str, Fact]]]:
        found: dict[str, list[tuple[str, Fact]]] = {}
        for keyed in self.row.facts.items():
            found.setdefault(keyed[1].kind, []).append(keyed)
        for each in found.values():
            if len(each) > 1:
                each.sort(key=_in_time)
        return found

    def of(self, kind: str) -> list[tuple[str, Fact]]:
        """Return the facts of a kind by key, as they were stated first, in the order of time."""
        return self._by_kind.get(kind, [])

    def statements(self, key: str) -> list[Fact]:
        """Return the statements of a fact, that which happened first before that of the other."""
        first, other = self.row.facts[key], self.row.others.get(key)
        return [first] if other is None else [first, other]

    def statement(self, key: str, by: str) -> Fact | None:
        """Return what a party stated of a fact; None if it did not state it."""
        return next((each for each in self.statements(key) if each.by == by), None)

    def corrections(self, key: str) -> list[Correction]:
        """Return the corrections of a fact, in the order of time."""
        # Sorted by time, then by key, so that ties are broken in any order of arrival alike.
        named = sorted(self.row.corrections.items(), key=lambda each: (each[1].at, each[0]))
        return [each for _, each in named if self.is_of(each, key)]

    def corrected(self, key: str, stated: Fact, correction: Correction) -> Fact | None:
        """Return a statement as a correction has it; None if the fact never happened.

        What the correction does not give is as the party that corrects it stated it itself.
        """
        own = self.row.others and self.statement(key, correction.by)
        if not own or own is stated:
            return corrected(stated, correction)
        new = corrected(own, correction)
        return new and new._replace(by=stated.by, told=stated.told)

    def is_of(self, correction: Correction, key: str) -> bool:
        """Return whether a correction means the fact with this key."""
        name = correction.of
        return name == key or (
            key.startswith(f"{name}@")
            and key == self._meant(name, correction.fact_at, correction.at)
        )

    def _meant(self, name: str, fact_at: datetime | None, said_at: datetime, by: str = "") -> str:
        """Return the key of the fact that is meant by its name: that of a time, else the last.

        With `by`, only what that party stated is meant.
        """
        found = [
            (fact.at, key)
            for key, fact in self.row.facts.items()
            if key.startswith(f"{name}@") and (not by or self.statement(key, by))
        ]
        if fact_at is not None:
            return next((key for at, key in found if at == fact_at), "")
        earlier = [each for each in found if each[0] <= said_at]
        return max(earlier, default=(said_at, ""))[1]

    def confirmed_by_hand(self, key: str, by: str) -> bool:
        """Return whether the other party than `by` confirmed the fact with this key."""
        return any(each.confirms for each in self.replies(key, by))

    def replies(self, key: str, by: str) -> Iterator[Reply]:
        """Yield what the other party than `by` said of a fact that `by` stated."""
        for each in self.row.replies.values():
            if each.by == by:
                continue
            if each.claim == key or (
                key.startswith(f"{each.claim}@")
                and key == self._meant(each.claim, each.fact_at, each.at, by)
            ):
                yield each

    def replies_to(self, correction: Correction) -> Iterator[Reply]:
        """Yield what the other party said of a correction."""
        claim = f"{ClaimKind.CORRECTION}/{correction.of}"
        for each in self.row.replies.values():
            if each.claim == claim and each.by != correction.by and self._means(each, correction):
                yield each

    def acted_on(self, claim: Fact) -> bool:
        """Return whether the other party acted on a referral or a touch, which confirms it.

        It opened an opportunity or won the deal, at the time of the claim or later.
        """
        if claim.kind not in _ACTED_ON:
            return False
        opened = (fact.at for _, fact in self.of(OPPORTUNITY) if fact.by != claim.by)
        return any(at >= claim.at for at in (*opened, *self._won_by_other(claim.by)))

    @abstractmethod
    def _won_by_other(self, party: str) -> Iterator[datetime]:
        """Yield when the other party won the deal: it states the win, or confirms this party's."""

    def _means(self, reply: Reply, correction: Correction) -> bool:
        """Whether a reply means this correction: that of its time, else the newest by then.

        One that names its content means no other content.
        """
        if reply.content not in {None, correction.content}:
            return False
        own = [
            each
            for each in self.corrections(correction.of)
            if each.by == correction.by and reply.content in {None, each.content}
        ]
        return is_meant(correction, own, reply.fact_at, reply.at)


@dataclass(frozen=True)
class Known(Facts):
    """The facts of one subject as they are known on a day, under the terms of their days."""

    row: SubjectRow
    terms: TermsByDay
    parties: tuple[str, str]
    today: date
    settles_from: date | None = None
    """The first day that is settled here, if the partnership was adopted."""

    def settled_elsewhere(self, day: date) -> bool:
        """Return whether what was owed on a day was settled before the books begin (C28)."""
        return self.settles_from is not None and day < self.settles_from

    @cached_property
    def _days(self) -> dict[datetime, date]:
        return {}

    def other(self, party: str) -> str:
        """Return the other party."""
        return self.parties[self.parties[0] == party]

    def day(self, fact: Fact) -> date:
        """Return the day of a fact in the agreement's time zone."""
        found = self._days.get(fact.at)
        if found is None:
            found = self._days[fact.at] = self.terms.day(fact.at)
        return found

    def earning(self, kind: str, gains: str) -> list[tuple[str, Fact]]:
        """Return what counts of the facts of a kind for what a party earns, in the order of time.

        The side that owes keeps the records: what it states and corrects of its own counts at once.
        """
        owes = self.other(gains)
        found = [
            (key, counted)
            for key, fact in self.of(kind)
            if (counted := self.content(key, fact, gains, owes))
        ]
        moved = self.row.corrections or self.row.others
        return sorted(found, key=_in_time) if moved else found

    def taking(self, key: str, fact: Fact, reduced: Fact, loses: str) -> Fact | None:
        """Return what counts of a fact that takes back from a party; None if nothing does.

        The side that owes states the returns of what it stated itself; other returns of it are
        claims.
        """
        owes = self.other(loses)
        return self.content(key, fact, owes, owes if reduced.by == owes else None)

    def content(self, key: str, fact: Fact, gains: str, records: str | None) -> Fact | None:
        """Return what counts of a fact by which a party gains; None if nothing counts yet.

        What the party `records` states and corrects of its own counts at once.
        """
        stated = self.stated(key, fact, gains, records)
        counted: Fact | None = stated
        if gains == stated.by != records and not self._agreed_to(key, stated):
            counted = None
        if not self.row.corrections:
            return counted
        for each in self.corrections(key):
            if self._corrects(each, stated, counted, gains, records):
                counted = self.corrected(key, stated, each)
        return counted

    def stated(self, key: str, fact: Fact, gains: str, records: str | None) -> Fact:
        """Return the statement of a fact that counts for what a party gains by it.

        Of two it is that of the other party, or of the party that keeps the records. If that party
        agreed to what the party that gains states, it is the statement of the party that gains.
        """
        if key not in self.row.others:
            return fact
        mine, theirs = sorted(self.statements(key), key=lambda each: each.by != gains)
        return mine if records == gains or self._agreed_to(key, mine) else theirs

    def _corrects(
        self,
        correction: Correction,
        first: Fact,
        counted: Fact | None,
        gains: str,
        records: str | None,
    ) -> bool:
        if self._correction_agreed_to(correction):
            return True
        if correction.by != first.by:
            return False
        if correction.by == records:
            return True
        lower = counted is not None and lowers(counted, correction)
        return lower if correction.by == gains else not lower

    def _agreed_to(self, key: str, fact: Fact) -> bool:
        answers = self.answers(key, fact)
        confirmed = any(each.confirms for each in answers)
        return confirmed or self._silent(fact.told, answers) or self._on_word(fact)

    def answers(self, key: str, fact: Fact) -> list[Reply]:
        """Return what the other party said of a statement before silence confirmed it.

        A party that states the fact itself is not silent.
        """
        found = [*self.replies(key, fact.by)]
        other = self.row.others and self.statement(key, self.other(fact.by))
        if other:
            found.append(Reply(key, other.at, other.by, other.told, confirms=False))
        return self._before_silence(fact.told, found)

    def _answers_to(self, correction: Correction) -> list[Reply]:
        """Return what the other party said of a correction before silence confirmed it."""
        return self._before_silence(correction.told, self.replies_to(correction))

    def _before_silence(self, told: datetime, replies: Iterable[Reply]) -> list[Reply]:
        """Return the replies that were recorded before silence confirmed a claim.

        Silence is an answer, and the first answer is final (docs/decisions/0038).
        """
        found = [*replies]
        day = self._deadline(told, found)
        return [each for each in found if day is None or self.terms.day(each.told) < day]

    def _on_word(self, fact: Fact) -> bool:
        return fact.kind in self.terms.frame(self.day(fact)).claims.on_word

    def _silent(self, told: datetime, replies: Iterable[Reply]) -> bool:
        deadline = self._deadline(told, replies)
        return deadline is not None and deadline <= self.today

    def _deadline(self, told: datetime, replies: Iterable[Reply]) -> date | None:
        """Return the day on which silence confirms a claim; None if it does not."""
        objections = (each.told for each in replies if not each.confirms)
        return self.terms.silence_confirms_on(told, objections)

    def silences(self, gain: Container[str]) -> Iterator[Silence]:
        """Yield the days on which silence confirms a claim of the subject.

        `gain` are the parties that can gain by facts. Nobody is reminded of a day that was nearer
        than the reminder when the claim was recorded.
        """
        for by, told, replies in self._claims(gain):
            day = self._deadline(told, replies)
            if day is not None and day > self.today:
                is_far = self.terms.reminds_of_silence_at(day) > told
                yield Silence(day, self.other(by) if is_far else "")

    def awaits_reply(self, key: str, fact: Fact) -> bool:
        """Return whether a claim is neither confirmed, nor objected to, nor on its word.

        It is confirmed by the same statement of the other party.
        """
        other = self.row.others and self.statement(key, self.other(fact.by))
        answers = self.answers(key, fact)
        if (
            any(each in answers for each in self.replies(key, fact.by))
            or self._on_word(fact)
            or (other and _alike(fact, other))
        ):
            return False
        return not self._silent(fact.told, answers)

    def silence_confirms_on(self, key: str, fact: Fact) -> date | None:
        """Return the day on which silence confirms a claim; None if it does not."""
        return self._deadline(fact.told, self.answers(key, fact))

    def awaits_correction(self, correction: Correction) -> bool:
        """Return whether the other party has neither answered a correction nor let it pass."""
        replies = self._answers_to(correction)
        return not replies and not self._silent(correction.told, replies)

    def silence_confirms_correction_on(self, correction: Correction) -> date | None:
        """Return the day on which silence confirms a correction; None if it does not."""
        return self._deadline(correction.told, self._answers_to(correction))

    def _claims(self, gain: Container[str]) -> Iterator[tuple[str, datetime, list[Reply]]]:
        """Yield who made each unconfirmed claim, when it was recorded, and the replies to it."""
        for key in self.row.facts:
            for fact in self.statements(key):
                if self._is_claim(fact, gain):
                    answers = self.answers(key, fact)
                    if not any(each.confirms for each in answers):
                        yield fact.by, fact.told, answers
        for each in self.row.corrections.values():
            replies = self._answers_to(each)
            if not any(reply.confirms for reply in replies):
                yield each.by, each.told, replies

    def _is_claim(self, fact: Fact, gain: Container[str]) -> bool:
        """Whether a fact can be a claim that nobody acted on."""
        if fact.kind not in CLAIMED or self.acted_on(fact):
            return False
        if fact.kind == ClaimKind.TOUCH:
            return fact.by == fact.about
        if fact.kind == ClaimKind.REFERRAL:
            return True  # A lead is registered, whoever gains by it.
        return fact.by in gain or self.takes_from_other(fact)

    def takes_from_other(self, fact: Fact) -> bool:
        """Return whether a fact takes back something that counts as the other party states it.

        Then it is a claim (see `taking`), also if its party stated the same thing itself.
        """
        of = TAKEN_BACK.get(fact.kind)
        return of is not None and any(
            self.stated(key, first, self.other(fact.by), fact.by).by != fact.by
            for key, first in self.of(of)
            if fact.about in {"", key}
        )

    def accepted(self, lead: Fact) -> bool:
        """Return whether a lead is accepted: by the other party, or by silence for the agreed days.

        The other party confirms it or acts on it.
        """
        return self._agreed_to(ClaimKind.REFERRAL, lead) or self.acted_on(lead)

    def rejection(self, lead: Fact) -> Reply | None:
        """Return the last rejection of a lead; None if the lead is not rejected."""
        answers = self.answers(ClaimKind.REFERRAL, lead)
        objections = [each for each in answers if not each.confirms]
        if not objections or self.accepted(lead):
            return None
        return max(objections, key=lambda each: (each.at, each.reason))

    def accepted_by_silence_on(self, lead: Fact) -> date | None:
        """Return the day on which silence accepts a lead; None without agreed days."""
        return self._deadline(lead.told, ())

    def _won_by_other(self, party: str) -> Iterator[datetime]:
        other = self.other(party)
        for key, win in self.of(ClaimKind.WIN):
            if self.statement(key, other) or self.confirmed_by_hand(key, party):
                counted = self.content(key, win, party, other)
                if counted:
                    yield counted.at

    def _correction_agreed_to(self, correction: Correction) -> bool:
        replies = self._answers_to(correction)
        return any(each.confirms for each in replies) or self._silent(correction.told, replies)


def _alike(one: Fact, other: Fact) -> bool:
    """Whether two statements of a fact say the same of its amount and of what it is about."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("amount", "unit", "divisor", "about")
    )


def _in_time(keyed: tuple[str, Fact]) -> tuple[object, ...]:
    return keyed[1].at, keyed[0]


def corrected(fact: Fact, correction: Correction) -> Fact | None:
    """Return the right content of a fact; None if it never happened."""
    if correction.void:
        return None
    given: Mapping[str, object] = {
        "amount": correction.amount,
        "unit": correction.unit,
        "at": correction.happened_at,
        "since": correction.since,
        "holder": correction.holder,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if fact.kind == ClaimKind.FIGURE:
        # A figure is corrected as a whole: a ratio can become a value.
        changes["divisor"] = correction.divisor
    return fact._replace(**changes)  # type: ignore[arg-type] # by name


def lowers(counted: Fact, correction: Correction) -> bool:
    """Return whether a correction only lowers the amount, or says that nothing happened."""
    new = corrected(counted, correction)
    if new is None:
        return True
    return new._replace(amount=counted.amount) == counted and new.amount <= counted.amount
