"""Annual reviews, and renewal: outcomes are reviewed, then both parties renew (C27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from domain import terms_by_day
from domain.bilateral import BilateralAgreement, check_reason
from domain.calendar import Duration, Span
from domain.context import PartnershipContext
from domain.declarations import nothing_to_change
from domain.facts import check_not_before, check_stated_last
from domain.kernel import IN_FORCE, RUNNING, Act, Command, Event, Stage, Value, recorded_once
from domain.terms import check_end
from domain.values import Count, Day, Instant, Ref, Text

IN_RENEWAL = frozenset({Stage.RENEWAL})


class _RenewalReview(Value):
    review: Ref
    """The identifier of the review."""
    outcomes: Text
    """What the objectives reached."""
    relevance: Text
    """Whether the partnership is still relevant, apart from the figures."""
    recommendation: Literal["renew", "adjust", "exit"]
    """What the review recommends."""


class HoldRenewalReview(_RenewalReview, Command):
    """Record a renewal review: outcomes and relevance. Renewal begins with it (C27)."""

    stages = RUNNING


class RenewalReviewHeld(_RenewalReview, Event):
    """A renewal review was held, and renewal began (C27)."""


class AnnualReviewHeld(
    BilateralAgreement,
    name="AnnualReview",
    subject="that the annual review of a year was held, and what it found (C26, C27)",
    stages=IN_FORCE,
    added=("held_at",),
    identity=("year",),
):
    """Both parties agreed what the annual review of a year found (C26, C27). It moves no stage."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times it was agreed; more than 1 if what it found was changed."""

    year: Annotated[int, Field(ge=1900, le=9999)]
    """The year that is reviewed."""
    outcomes: Text
    """What the objectives reached."""
    relevance: Text
    """Whether the partnership is still relevant, apart from the figures."""
    potential: Text
    """The untapped potential: products, markets, joint work that was not tried."""
    recommendation: Literal["continue", "adjust", "scale", "exit"]
    """What the review recommends."""
    held_at: Instant
    """When it was held: the time of the proposal that first said so."""
    reason: Text | None = None
    """Why it is changed; null the first time."""

    @property
    def is_correction(self) -> bool:
        """Whether it only changes what the review found."""
        return self.reason is not None

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if a change has no reason, or changes nothing."""
        held = [each.year for each in context.agreements.of(cls)]
        if proposed.reason is not None and proposed.year not in held:
            raise nothing_to_change(f"annual review of {proposed.year}")
        check_reason(proposed, map(str, held), str(proposed.year))

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the year has not begun, or was over before the agreement began."""
        terms = context.terms
        check_not_before(terms.began, str(proposed.year), terms.day(act.occurred_at), "year")

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return when the review was held."""
        held = {each.year: each.held_at for each in context.agreements.of(cls)}
        first = held.get(proposed.year) if proposed.reason else None
        return {"held_at": first or context.agreements.proposed_at(proposed)}


ProposeAnnualReview = AnnualReviewHeld.proposes
AgreeAnnualReview = AnnualReviewHeld.accepts


class PartnershipRenewed(
    BilateralAgreement,
    name="Renewal",
    subject="a renewal of the partnership (C11, C27)",
    accepts="AcceptRenewal",
    stages=IN_RENEWAL,
    added=("ends_on", "notice", "agreed_at"),
    counted=None,
):
    """Both parties renewed the partnership (C27)."""

    proposal: Ref
    """The identifier of the proposal."""
    duration: Span
    """The length of the new term, counted from the end of the present one."""
    ends_on: Day
    """The first day after the new term."""
    notice: Duration
    """The notice, as agreed before."""
    agreed_at: Instant
    """When the second party accepted."""

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Return the new end of the term, counted once from its start (C11), and the time.

        Raises `Refused` if the end is beyond the last year of days.
        """
        terms = context.terms
        made = terms_by_day.Renewal(act.occurred_at, proposed.proposal, proposed.duration)
        ends_on = terms.with_renewal(made).term_ends_on
        check_end(ends_on)
        notice = terms.frame(terms.day(act.occurred_at)).notice
        return {"ends_on": ends_on, "notice": notice, "agreed_at": act.occurred_at}


ProposeRenewal = PartnershipRenewed.proposes
RenewalProposed = PartnershipRenewed.proposed
AcceptRenewal = PartnershipRenewed.accepts


@dataclass(frozen=True, slots=True)
class Renewal:
    """The renewal reviews."""

    reviews: Mapping[str, RenewalReviewHeld] = field(default_factory=dict)


def decide(
    command: HoldRenewalReview, state: Renewal, going_on_since: datetime | None, act: Act
) -> list[Event]:
    """Record a renewal review once under its identifier.

    One that was held before both last agreed to go on, `going_on_since`, begins no renewal after
    that. Raises `Refused`.
    """
    event, existing = RenewalReviewHeld.of(command), state.reviews.get(command.review)
    if existing is None:
        check_stated_last("That the partnership goes on", going_on_since, act)
    return recorded_once(event, existing, f"Review {command.review}")


def evolve(state: Renewal, event: Event) -> Renewal:
    """Fold an event of this stage into its state."""
    if isinstance(event, RenewalReviewHeld):
        return replace(state, reviews={**state.reviews, event.review: event})
    return state
