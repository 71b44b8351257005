"""Annual reviews, and renewal: outcomes are reviewed, then both parties renew (C27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from domain import terms_by_day
from domain.bilateral import BilateralAgreement
from domain.calendar import Duration, Span
from domain.context import PartnershipContext
from domain.declarations import Declaration, check_stated_last
from domain.kernel import IN_FORCE, RUNNING, Act, Command, Event, Stage, Value, recorded_once
from domain.terms import check_end
from domain.values import Day, Instant, Ref, Text

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
    Declaration,
    command="HoldAnnualReview",
    stages=IN_FORCE,
    identity=("year",),
    restated=True,
    covers="year",
):
    """An annual review of the partnership's relevance was held (C26, C27). It moves no stage."""

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


HoldAnnualReview = AnnualReviewHeld.asks


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
