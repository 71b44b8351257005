"""Referrals: the lead that begins a deal, the touches of it, and the steps of its funnel (C18)."""

from enum import StrEnum
from typing import Any, Final

from domain.attribution import Method
from domain.bilateral import BilateralAgreement
from domain.deal_record import Deal, DealCommand
from domain.facts import Stated, already_recorded, first, others, own, until
from domain.kernel import Act, Event, Refused, Value
from domain.terms import check_shares
from domain.terms_by_day import Agreed
from domain.values import Instant, Percent, Ref, Slug, Text

REFERRAL: Final = "referral"


class _Referral(Value):
    lead: Text
    """The lead, as the sender names it. No personal data is needed."""
    campaign: Slug | None = None
    """The campaign that brought the lead."""


class SubmitReferral(_Referral, DealCommand):
    """Submit a lead that the partner sourced (C18)."""


class ReferralSubmitted(_Referral, Event):
    """A partner-sourced lead was submitted (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class _Attribution(Value):
    method: Method
    """How the lead is tied to the party."""
    evidence: Text
    """The code, the tagged address or the page that shows the touch."""


class AttributeReferral(_Attribution, DealCommand):
    """Record a party's touch of a lead: a code, a tag or a page (C18).

    Both parties can have touched the same lead; the agreed policy decides between their touches. A
    touch that a party states for itself counts once the other party confirms it, or acts on it by
    opening an opportunity or winning the deal.
    """

    touch: Ref | None = None
    """The identifier of the touch. Default: the party that is credited, so one touch for each."""
    to: Slug | None = None
    """The party that is credited. Default: the party that submitted the referral."""
    touched_at: Instant | None = None
    """When the party touched the lead. Default: when the referral was submitted, or when this
    happened if that is earlier."""


class ReferralAttributed(_Attribution, Event):
    """A party touched a lead. Nothing accrues without a touch (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    touch: Ref
    """The identifier of the touch."""
    to: Slug
    """The party that is credited."""
    touched_at: Instant
    """When the party touched the lead."""


class AttributionSettled(
    BilateralAgreement,
    name="Attribution",
    subject="who is credited with a lead that both parties touched (C18)",
    base=DealCommand,
    counted=None,
):
    """Both parties settled who is credited with a lead. This overrides the policy (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    proposal: Ref
    """The identifier of the proposal."""
    shares: dict[Slug, Percent]
    """The share of the lead that each party is credited with; they add up to 100."""

    @classmethod
    def check(cls, proposed: Any, context: Agreed) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the shares name the parties and add up to 100."""
        check_shares(proposed.shares, context.parties)


ProposeAttribution = AttributionSettled.proposes


AttributionProposed = AttributionSettled.proposed


AgreeAttribution = AttributionSettled.accepts


class QualifyLead(DealCommand):
    """Record that a lead is qualified (C18)."""


class LeadQualified(Event):
    """A lead was qualified (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class CreateOpportunity(DealCommand):
    """Record that a lead is an opportunity (C18)."""


class OpportunityCreated(Event):
    """A lead became an opportunity (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class HoldDemo(DealCommand):
    """Record that a demo was held (C18)."""


class DemoHeld(Event):
    """A demo was held (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class Step(StrEnum):
    """The steps of the funnel that a deal takes at most once, as each party states them."""

    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    DEMO = "demo"


# --- decisions -----------------------------------------------------------------------------------


def submit(command: SubmitReferral, state: Deal, act: Act, agreed: Agreed) -> list[Event]:
    """Record a referral once, if it was made before the exit takes effect (C18, C27).

    The party that refers a client names the deal, so a referral is of one party.
    """
    event = ReferralSubmitted.of(command)
    existing = first(state.facts, REFERRAL)
    if existing is not None and (existing.event, existing.party) == (event, act.party):
        return []
    if existing is not None:
        raise Refused(
            "deal-exists",
            f"Each referral needs its own identifier. Deal {command.deal} is another referral, by "
            f"{existing.party}.",
            "Use another identifier for this referral. To confirm the referral of the other "
            "party, open its opportunity (CreateOpportunity) or confirm it (ConfirmClaim).",
        )
    ends_at = agreed.ends_at
    if ends_at is not None and act.occurred_at >= ends_at:
        raise Refused(
            "after-exit",
            f"A referral after the exit does not count. The exit took effect on "
            f"{agreed.day(ends_at)}, and the referral is dated {agreed.day(act.occurred_at)}.",
            "Submit only referrals from before that day.",
        )
    agreed.check_not_given_up("campaign", command.campaign, "A referral", act)
    return [event]


def attribute(command: AttributeReferral, state: Deal, act: Act, referral: Stated) -> list[Event]:
    """Record a party's touch of a lead, once by each party under its identifier (C18)."""
    to = command.to or referral.party
    touch = command.touch or to
    found = state.facts.get(f"touch/{touch}", ())
    what = f"Touch {touch} of deal {command.deal}"
    correct = (
        "Give another touch an identifier of its own (touch), or settle who is credited "
        "(ProposeAttribution)."
    )
    for each in others(found, act.party):
        if isinstance(each.event, ReferralAttributed) and each.event.to != to:
            raise already_recorded(each.event, what, correct)
    existing = next(iter(own(found, act.party)), None)
    touched_at = command.touched_at or min(referral.at, act.occurred_at)
    event = ReferralAttributed(
        deal=command.deal,
        touch=touch,
        method=command.method,
        evidence=command.evidence,
        to=to,
        touched_at=touched_at,
    )
    if existing is None:
        return [event]
    known = existing.event
    if command.touched_at is None and isinstance(known, ReferralAttributed):
        # The same touch may be sent again on another day; the first message counts.
        event = event.model_copy(update={"touched_at": known.touched_at})
    if event == known:
        return []
    raise already_recorded(known, what, correct)


def take_step(step: Step, event: Event, state: Deal, act: Act) -> list[Event]:
    """Record a step once for each party: what one party gains by, the other side states too.

    A step has no content, so only its party and its time count: the earliest of a party.
    """
    stated = until(state.facts, step, act.occurred_at)
    return [] if any(each.party == act.party for each in stated) else [event]
