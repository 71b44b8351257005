"""The agreement and the commercial terms: sections, signatures, and terms by day (C9, C10)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from domain.attribution import AttributionPolicy
from domain.bilateral import BilateralAgreement
from domain.kernel import UNTIL_EXIT, Act, Event, Refused, Value
from domain.terms import Terms, check
from domain.values import Count, Day, Ref, Text

if TYPE_CHECKING:
    from domain.context import PartnershipContext

Item = TypeVar("Item")


class DataProtection(StrEnum):
    """The data protection laws that an agreement can name (C9)."""

    GDPR = "GDPR"
    HIPAA = "HIPAA"
    CCPA = "CCPA"


class Sections(Value):
    """The sections of an agreement (C9). One that is missing blocks execution."""

    roles: Text | None = None
    """Roles, decision rights and reporting lines."""
    contributions: Text | None = None
    """What each party contributes: money, technology, knowledge, operations."""
    deliverables: Text | None = None
    """Deliverables and their timeline."""
    confidentiality: Text | None = None
    """The section on confidentiality (C9)."""
    data_protection: Annotated[list[DataProtection], Field(min_length=1)] | None = None
    """The regimes of data protection that apply (C9)."""
    ip_ownership: Text | None = None
    """Who owns intellectual property, jointly or exclusively."""
    revenue_and_costs: Text | None = None
    """How revenue and costs are shared."""
    governance: Text | None = None
    """The section on governance (C9)."""
    duration_and_exit: Text | None = None
    """The section on the duration and the exit (C9)."""

    def missing(self) -> list[str]:
        """Return the names of the sections that are missing."""
        return [name for name, value in self if value is None]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The latest draft, and the parties that signed it."""

    version: int = 0
    sections: Sections = field(default_factory=Sections)
    signed_by: frozenset[str] = frozenset()
    in_force: int = 0
    """The last version that both parties signed; 0 if there is none."""

    def signed(self, party: str) -> "Agreement":
        """Return the agreement with one more signature."""
        signed_by = self.signed_by | {party}
        # Only the two parties can sign.
        in_force = self.version if len(signed_by) > 1 else self.in_force
        return replace(self, signed_by=signed_by, in_force=in_force)


# --- commercial terms --------------------------------------------------------------------------


class TermsFor(Value):
    """Terms, and the days on which they apply."""

    terms: Terms
    """The commercial terms."""
    effective_from: Day
    """The first day on which these terms apply."""
    until: Day | None = None
    """The first day on which they no longer apply. Only temporary terms have one (C27)."""


class CommercialTermsAgreed(
    TermsFor,
    BilateralAgreement,
    name="Terms",
    subject="commercial terms, or an amendment of them (C7, C9, C10, C11)",
    accepts="AcceptTerms",
    counters=("CounterTerms", "TermsCountered"),
    stages=UNTIL_EXIT,
    counted="terms_version",
):
    """Both parties agreed terms, which apply from a day on as the next version (C10, C11)."""

    proposal: Ref
    """The identifier of the proposal."""
    terms_version: Count
    """The version of the terms, counted from 1."""

    @classmethod
    def check(cls, proposed: Any, context: "PartnershipContext") -> None:  # noqa: ANN401 - made
        """Raise `Refused` if terms name other parties or do not add up (C7, C10)."""
        check(proposed.terms, context.parties)

    @classmethod
    def complete(
        cls,
        proposed: Any,  # noqa: ANN401 - made
        context: "PartnershipContext",
        act: Act,
    ) -> Mapping[str, object]:
        """Raise `Refused` if the terms conflict with those agreed before."""
        # An agreement counts from its recording, not from its claimed day.
        agreed_on = act.recorded_at.date()
        check_schedule(proposed, context.agreements.versions(cls), agreed_on)
        return {}

    def recorded(self) -> list[Event]:
        """Return the acceptance and the terms."""
        return [TermsAccepted(proposal=self.proposal), self]


ProposeTerms = CommercialTermsAgreed.proposes
TermsProposed = CommercialTermsAgreed.proposed
CounterTerms = CommercialTermsAgreed.counters
TermsCountered = CommercialTermsAgreed.countered
AcceptTerms = CommercialTermsAgreed.accepts


class TermsAccepted(Event):
    """A party accepted terms of the other party (C7). `CommercialTermsAgreed` follows it."""

    proposal: Ref
    """The identifier of the proposal."""


def in_force(versions: Iterable[CommercialTermsAgreed], day: date) -> CommercialTermsAgreed | None:
    """Return the terms in force on a day. Temporary terms come before those that they adjust.

    Money and rules are computed under the terms in force when something happened, so `day` is the
    day of the event, not that of its recording.
    """
    in_time = [
        each
        for each in versions
        if each.effective_from <= day and (each.until is None or day < each.until)
    ]
    return max(in_time, key=_precedence, default=None)


def _precedence(version: CommercialTermsAgreed) -> tuple[bool, date, int]:
    return version.until is not None, version.effective_from, version.terms_version


def check_schedule(
    proposed: TermsFor, versions: Iterable[CommercialTermsAgreed], agreed_on: date
) -> None:
    """Raise `Refused` if new terms begin in the past, or overlap other terms ambiguously.

    Accruals rest on the terms in force on their day, so an amendment begins on the day on which it
    is agreed or later. Temporary terms lie within the version that they adjust.
    """
    existing = list(versions)
    start, end = proposed.effective_from, proposed.until
    if end is not None and end <= start:
        raise Refused(
            "terms-end-first",
            f"Terms must end after they begin. These begin on {start} and end on {end}.",
            "Propose terms with an end after their beginning.",
        )
    if end is not None and not existing:
        raise Refused(
            "nothing-to-adjust",
            f"Temporary terms adjust other terms. These end on {end}, and no terms are agreed.",
            "Agree terms without an end first (ProposeTerms, AcceptTerms).",
        )
    if existing and start < agreed_on:
        raise Refused(
            "terms-never-backwards",
            "An amendment cannot begin before the day on which it is agreed. This one begins on "
            f"{start} and would be agreed on {agreed_on}.",
            "Propose an amendment that begins on the day of agreement or later.",
        )
    for each in existing:
        _check_overlap(proposed, each)


def _check_overlap(proposed: TermsFor, existing: CommercialTermsAgreed) -> None:
    start, end = proposed.effective_from, proposed.until
    other, until = existing.effective_from, existing.until
    if until is None:
        overlaps = start <= other if end is None else start < other < end
    else:
        overlaps = start < until and (other <= start if end is None else other < end)
    if overlaps:
        span = f"from {other}" + (f" until {until}" if until else "")
        raise Refused(
            "terms-overlap",
            "Two versions of the terms cannot apply to the same days. Version "
            f"{existing.terms_version} applies {span}.",
            "Propose terms that begin after that version begins. Temporary terms cannot overlap "
            "other temporary terms.",
            terms_version=existing.terms_version,
        )


@dataclass(frozen=True, slots=True)
class Agreed:
    """What events about money are decided on: the parties, and what is in force on their day."""

    parties: tuple[str, ...] = ()
    terms: Terms | None = None
    version: int = 0
    investments: frozenset[str] = frozenset()
    """The agreed joint investments, by the identifiers of their proposals (C26)."""
    ends_at: datetime | None = None
    """The moment at which the exit takes effect, if notice was given (C27)."""

    def items(self, kind: type[Item]) -> list[Item]:
        """Return the items of one kind that are in force."""
        return (
            [each for each in self.terms.economics if isinstance(each, kind)] if self.terms else []
        )

    @property
    def policy(self) -> AttributionPolicy | None:
        """The attribution policy in force."""
        return self.terms.attribution if self.terms else None
