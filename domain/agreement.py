"""The agreement and the commercial terms: sections, signatures and amendments (C9, C10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.kernel import SIGNED_OR_SIGNING, Act, Event, Refused, Value
from domain.terms import NEEDED, Frame, FrameChange, Item, check_end, check_frame, check_items
from domain.values import Count, Day, Instant, Ref, Text, instant
from domain.wording import Worded

if TYPE_CHECKING:
    from domain.context import PartnershipContext


class NoPersonalData(Value):
    """No law of data protection applies to an agreement (C9)."""

    none_because: Text
    """Why none applies, such as that no personal data is shared."""


DataProtection = Annotated[
    Annotated[list[Text], Field(min_length=1)] | NoPersonalData,
    Worded(
        "is neither a list of laws nor a reason why none applies",
        'Write ["GDPR"], with any laws, or {"none_because": "No personal data is shared."}.',
    ),
]
"""The laws of data protection that apply, by their usual names, or why none does (C9)."""


class Section(StrEnum):
    """The sections of an agreement, as a notice of a breach names them (C9)."""

    ROLES = "roles"
    CONTRIBUTIONS = "contributions"
    DELIVERABLES = "deliverables"
    CONFIDENTIALITY = "confidentiality"
    DATA_PROTECTION = "data_protection"
    IP_OWNERSHIP = "ip_ownership"
    REVENUE_AND_COSTS = "revenue_and_costs"
    GOVERNANCE = "governance"
    DURATION_AND_EXIT = "duration_and_exit"


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
    data_protection: DataProtection | None = None
    """The laws of data protection that apply, by their usual names (GDPR, HIPAA, CCPA, LGPD, or any
    other), or why none does (C9)."""
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
    """The current version: the latest draft, and the parties that signed it."""

    version: int = 0
    sections: Sections = field(default_factory=Sections)
    signed_by: frozenset[str] = frozenset()
    in_force: int = 0
    """The last version that both parties signed; 0 if there is none."""
    drafted_by: str = ""
    """The party that drafted it; empty for a contract that was adopted."""

    @property
    def is_signed(self) -> bool:
        """Whether both parties signed it."""
        return 0 < self.version == self.in_force

    def signed(self, party: str) -> "Agreement":
        """Return the agreement with one more signature."""
        signed_by = self.signed_by | {party}
        # Only the two parties can sign.
        in_force = self.version if len(signed_by) > 1 else self.in_force
        return replace(self, signed_by=signed_by, in_force=in_force)


# --- commercial terms --------------------------------------------------------------------------


class TermsFor(Value):
    """What is agreed (items, a frame or both), and the days on which it applies."""

    effective_from: Day
    """The first day on which they apply."""
    until: Day | None = None
    """The first day on which they no longer apply. Only temporary terms have one (C27)."""
    frame: FrameChange | None = None
    """What changes of the frame. The first terms give at least the start, the duration, the notice
    and what happens to assets at the exit; temporary terms give none."""
    items: Annotated[list[Item], Field(min_length=1)] | None = None
    """What is paid for what: all items, where any of them changes."""


class CommercialTermsAgreed(
    TermsFor,
    BilateralAgreement,
    name="Terms",
    subject="commercial terms, or an amendment of them (C7, C9, C10, C11)",
    accepts="AcceptTerms",
    counters=("CounterTerms", "TermsCountered"),
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    added=("agreed_at",),
    counted="terms_version",
):
    """Both parties agreed terms, which apply from a day on as the next version (C10, C11)."""

    proposal: Ref
    """The identifier of the proposal."""
    terms_version: Count
    """The version of the terms, counted from 1."""
    agreed_at: Instant
    """When the second party accepted."""

    @classmethod
    def check(cls, proposed: Any, context: "PartnershipContext") -> None:  # noqa: ANN401 - made
        """Raise `Refused` if terms are incomplete or do not add up (C7, C10, C11)."""
        if proposed.until is not None:
            _check_temporary(proposed, context)
        elif context.terms.start is None:
            _check_first(proposed)
        elif not (proposed.items or (proposed.frame and proposed.frame.given())):
            raise Refused(
                "nothing-changed",
                "An amendment changes the frame or the items. This one has neither.",
                "Give the fields of the frame that change, or all items.",
            )
        check_items(proposed.items or (), context.parties)
        if proposed.frame is not None:
            check_frame(_merged(proposed, context), context.parties)

    @classmethod
    def check_new(cls, proposed: Any, context: "PartnershipContext", act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if an amendment changes days that are over: nobody could accept it."""
        if context.terms.start is not None:
            _check_days(proposed, context, act, is_new=True)

    @classmethod
    def complete(
        cls,
        proposed: Any,  # noqa: ANN401 - made
        context: "PartnershipContext",
        act: Act,
    ) -> Mapping[str, object]:
        """Return the time of the agreement. Raises `Refused` if an amendment comes too late."""
        added: dict[str, Any] = {"agreed_at": act.occurred_at}
        if context.terms.start is not None:
            _check_amendment(proposed, context, act)
        if proposed.frame is not None:
            fields = {
                each: getattr(proposed, each) for each in (*TermsFor.model_fields, "proposal")
            }
            agreed = cls(**fields, **added, terms_version=0)
            check_end(context.terms.with_agreement(agreed).term_ends_on)
        return added

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


def _check_temporary(proposed: TermsFor, context: "PartnershipContext") -> None:
    start, end = proposed.effective_from, proposed.until
    if context.terms.start is None:
        raise Refused(
            "nothing-to-adjust",
            f"Temporary terms adjust other terms. These end on {end}, and no terms are agreed.",
            "Agree terms without an end first (ProposeTerms, AcceptTerms).",
        )
    if end is not None and end <= start:
        raise Refused(
            "terms-end-first",
            f"Terms must end after they begin. These begin on {start} and end on {end}.",
            "Propose terms with an end after their beginning.",
        )
    if proposed.frame is not None or proposed.items is None:
        raise Refused(
            "items-for-a-time",
            "Temporary terms replace the items on their days, and only the items. These have "
            f"{'a frame' if proposed.frame is not None else 'no items'}.",
            "Give items and no frame, or propose an amendment without an end.",
        )


def _check_first(proposed: TermsFor) -> None:
    given = proposed.frame.given() if proposed.frame is not None else {}
    missing = [name for name in NEEDED if name not in given]
    missing += ["items"] if proposed.items is None else []
    if missing:
        raise Refused(
            "frame-incomplete",
            "The first terms need items and a frame with its start, duration, notice and assets at "
            f"the exit. These lack {', '.join(missing)}.",
            "Give the missing fields.",
            missing=missing,
        )


def _merged(proposed: TermsFor, context: "PartnershipContext") -> Frame:
    """Return the frame as a proposal would make it on its first day."""
    change = proposed.frame.given() if proposed.frame is not None else {}
    terms = context.terms
    before = terms.frame(proposed.effective_from) if terms.start is not None else None
    return Frame(**{**(before.__dict__ if before else {}), **change})


def _check_amendment(proposed: TermsFor, context: "PartnershipContext", act: Act) -> None:
    """Raise `Refused` if an amendment comes before the first terms, or too late for its days."""
    first_agreed_at = context.terms.agreed[0].agreed_at
    if act.occurred_at <= first_agreed_at:
        raise Refused(
            "amended-before-agreed",
            "Terms are amended after they are agreed. The first terms were agreed at "
            f"{instant(first_agreed_at)}, this amendment at {instant(act.occurred_at)}.",
            "Accept the amendment with a later time.",
        )
    _check_days(proposed, context, act, is_new=False)


def _check_days(
    proposed: TermsFor, context: "PartnershipContext", act: Act, *, is_new: bool
) -> None:
    """Raise `Refused` if an amendment changes days that are over (see `TermsByDay`).

    Only a new proposal has the fields that are wrong; an acceptance names the proposal.
    """
    terms = context.terms
    agreed_on = terms.day(act.occurred_at)
    if proposed.effective_from < agreed_on:
        raise Refused(
            "terms-never-backwards",
            "An amendment cannot begin before the day on which it is agreed. This one begins on "
            f"{proposed.effective_from} and would be agreed on {agreed_on}.",
            "Propose an amendment that begins on the day of agreement or later.",
            field="effective_from" if is_new else None,
        )
    start = terms.frame(agreed_on).starts_on
    change = proposed.frame.given().get("starts_on", start) if proposed.frame is not None else start
    if change != start and min(start, change) < agreed_on:
        raise Refused(
            "term-has-begun",
            "The start of a term cannot move over days that are over. The term begins on "
            f"{start}; the amendment moves it to {change} and would be agreed on {agreed_on}.",
            "Leave the start as it is, and change the duration if the end must move.",
            field="frame" if is_new else None,
        )
