"""What must be signed: the effect of each kind of event, and the one policy that follows from it.

Once a party has a key, what binds it and what erases a person is accepted only as a signed command,
so that nobody else, not even the operator, can do it in that party's name. A measured fact that
moves money is recorded unsigned, too, and is then listed as unsigned. A party can require that more
kinds of its events are signed (`RequireSignatures`), and none fewer than these.

The rule looks at the decided events and not at the command, because a record holds events and a
verifier sees only these. `docs/signatures.md` has the effect of each command.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from domain import (
    deal,  # noqa: F401 - importing it registers its events, as with the next ones
    dispute,  # noqa: F401
    entry,  # noqa: F401
    experiment,  # noqa: F401
    merge,  # noqa: F401
    partnership,  # noqa: F401
    program,  # noqa: F401
    reported_figure,  # noqa: F401
)
from domain.bilateral import BilateralAgreement, BilateralProposed
from domain.claims import ClaimCommand, ClaimConfirmed, ClaimObjected
from domain.content import Consent
from domain.declarations import Declaration
from domain.formation import SignAgreement
from domain.kernel import Command, Event, Refused
from domain.keyring import Facts, Keyring, PartyKey
from domain.people import ErasePerson
from domain.settlement import FinalSettlementIssued, Issuing, StatementIssued


class Effect(StrEnum):
    """What an event does to its party, by which it must be signed or not."""

    BINDS = "binds"
    """It binds the party: an offer, an acceptance, a signature, a notice, a waiver, an end."""
    ERASES = "erases"
    """It erases a person's name."""
    MOVES_MONEY = "moves money"
    """It is a measured fact that the ledger reads, or an answer to one."""
    RECOVERS = "recovers a key"
    """It proposes a new key for a party that lost its own, so the party cannot sign it."""
    OTHER = "other"
    """It is a fact, a plan or an assessment."""
    OF_NO_PARTY = "of no party"
    """Time, an agreed rule or the operator causes it; no party sends it."""


_LISTED: Final[Mapping[Effect, str]] = {
    Effect.BINDS: """
        ActConfirmed ActWithdrawn AdoptionPartAgreed AgreementAdopted AgreementAmended
        AgreementDrafted AgreementSigned BreachNoticeGiven DisputeOpened ExitNoticeGiven
        ExplorationClosed FinalSettlementIssued
        HypothesisRegistered IncentiveIntroduced IntegrationSpendCommitted KeyRegistered KeyRevoked
        KeyRotated MediationStarted ObjectiveAgreed PayoutCorrected PayoutRecorded PayoutReturned
        PenaltyConceded PilotStarted ProposalDeclined ProposalWithdrawn SecondPersonAsked
        SignaturesRequired StatementIssued TermsAccepted VariantPromoted
    """,
    Effect.ERASES: "PersonErased",
    Effect.RECOVERS: "KeyRecoveryProposed",
    Effect.OTHER: """
        AlignmentAssessed AudienceOverlapMeasured BridgingPlanAgreed CandidateApproached
        CandidateDeclined CandidateIdentified CandidateScored DecisionChecklistCompleted
        EvidenceSubmitted ExplorationBegun IdealPartnerProfileDefined IssueEscalated
        KickoffHeld ObservationCorrected PartnerChosen PilotConcluded
        PortfolioDefined ProposalLapsed RenewalReviewHeld VariantObserved
    """,
    Effect.OF_NO_PARTY: """
        BundleExported CosignatureRefused CosignatureResumed DeadlinePassed KeySentByOperator
        FullViewTaken MilestoneMissed PartyKeyMade PeriodClosed ReminderGiven ReviewMissed
        RuleBreachWithdrawn RuleBreached
    """,
}
"""The effect of each kind of event by its wire name. The mechanisms give that of all others: an
agreement of both parties binds, from its proposal on, and a declaration does not."""

_FACTS: Final[Mapping[Facts, str]] = {
    Facts.DEALS: """
        DealCancelled DealLost DealReopened DealWon DemoHeld LeadQualified OpportunityCreated
        ReferralAttributed ReferralSubmitted WinCorrected
    """,
    Facts.PAYMENTS: "PaymentCorrected PaymentReceived",
    Facts.REFUNDS: "RefundCorrected RefundIssued RefundReversed",
    Facts.COSTS: "EntryReversed JointRevenueReceived SharedCostIncurred",
    Facts.FIGURES: "MetricCorrected MetricReported",
    Facts.RATES: "RateObjected RatePublished",
    Facts.CLAIMS: "ClaimConfirmed ClaimObjected",
}
"""The facts that move money, by their kind. A claim is confirmed by whoever reports such facts."""

FACTS: Final[Mapping[str, Facts]] = {
    name: kind for kind, names in _FACTS.items() for name in names.split()
}

EFFECTS: Final[Mapping[str, Effect]] = {
    name: effect for effect, names in _LISTED.items() for name in names.split()
} | dict.fromkeys(FACTS, Effect.MOVES_MONEY)

MUST_BE_SIGNED: Final = frozenset({Effect.BINDS, Effect.ERASES})


def effect_of(event: type[Event]) -> Effect:
    """Return the effect of a kind of event. Raises `KeyError` for one that is in no list."""
    if event.wire in EFFECTS:
        return EFFECTS[event.wire]
    if issubclass(event, BilateralProposed | BilateralAgreement):
        return Effect.BINDS
    return Effect.OTHER if issubclass(event, Declaration) else EFFECTS[event.wire]


BINDING: Final[frozenset[type[Event]]] = frozenset(
    each for each in Event.registry.values() if effect_of(each) in MUST_BE_SIGNED
)
"""The events that a party with a key must sign (bundle format, section 7)."""


def kind_of(event: type[Event]) -> str:
    """Return the kind of facts that an event is of, else its effect."""
    return FACTS.get(event.wire) or effect_of(event)


def are_statements(decided: Iterable[Event]) -> bool:
    """Whether all these events are statements, which follow from the ledger alone."""
    return all(isinstance(each, StatementIssued | FinalSettlementIssued) for each in decided)


def check_signed(decided: Iterable[Event], party: str, keyring: Keyring) -> None:
    """Raise `Refused` if one of these events, which are not signed, must be signed by `party`."""
    required = keyring.required.get(party, frozenset())
    unsigned = next(
        (each for each in decided if type(each) in BINDING or kind_of(type(each)) in required), None
    )
    keys = keyring.of(party)
    if unsigned is None:
        return
    if not keys:
        check_own(unsigned, keyring)
        return
    kind = kind_of(type(unsigned))
    active = [name for name, each in keys.items() if each.signs(kind)]
    raise Refused(
        "must-be-signed",
        "A party that has registered a key must sign what binds it, what erases a person, and "
        "the kinds of events for which it requires that. "
        f"{unsigned.wire} of {party} is not signed."
        + ("" if active else f" {party} has no key left that signs it."),
        f"Sign the event with the key {' or '.join(active)}, and send the signed command instead."
        if active
        else "Propose a new key, which the other party agrees (ProposeKeyRecovery). With a second "
        "key registered, a party needs nobody for this.",
        active=active,
    )


def check_answers(again: Iterable[ClaimConfirmed | ClaimObjected]) -> None:
    """Raise `Refused` for an unsigned answer to a fact that its party, which has a key, answered.

    Else an unsigned confirmation could undo an objection that the party signed.
    """
    for each in again:
        raise Refused(
            "must-be-signed",
            "A party that has registered a key signs each further answer to a fact that it has "
            f"answered. {each.wire} of {each.named} is not signed.",
            "Sign the event, and send the signed command instead.",
        )


def check_delegated(decided: Iterable[Event], key: PartyKey | None) -> None:
    """Raise `Refused` if a key of a service signed what its party did not delegate to it."""
    if key is None or key.delegated is None:
        return
    for each in decided:
        if kind_of(type(each)) not in key.delegated:
            raise Refused(
                "not-delegated",
                f"The key of a service signs only what its party delegated to it: "
                f"{' and '.join(sorted(key.delegated))}. It signed {each.wire}.",
                "Sign it with a key that signs everything, or register a key for this kind of "
                "fact.",
                delegated=sorted(key.delegated),
            )


def check_covers(command: Command) -> None:
    """Raise `Refused` if a signed command does not say what it accepts or signs."""
    missing = []
    if isinstance(command, Consent) and command.content is None:
        missing.append("content")
    if isinstance(command, SignAgreement) and command.signing_keys is None:
        missing.append("signing_keys")
    if isinstance(command, Issuing) and command.contents is None:
        missing.append("contents")
    if isinstance(command, ClaimCommand) and command.fact_at is None:
        missing.append("fact_at")
    if isinstance(command, ErasePerson) and command.commands is None:
        missing.append("commands")
    if missing:
        raise Refused(
            "content-missing",
            "A signature covers what it accepts. The signed event has no "
            f"{' and no '.join(missing)}.",
            "Send `commands` with the digests of the signed commands that are deleted with the "
            "name, or []. A refusal of another list gives the right one."
            if "commands" in missing
            else "Read what awaits the party in its inbox, and sign the event that it gives.",
            field=missing[0],
            missing=missing,
        )


def check_own(event: Event, keyring: Keyring) -> None:
    """Raise `Refused` if an event erases a person and a party has a key, but not who records it.

    The operator and a party without a key can sign nothing, and an unsigned erasure in the name of
    such a party could be the operator's.
    """
    if effect_of(type(event)) is not Effect.ERASES or not keyring.keys:
        return
    parties = sorted({each.party for each in keyring.keys.values()})
    raise Refused(
        "must-be-signed",
        "Once a party has registered a key, each erasure of a person is signed. "
        f"{' and '.join(parties)} registered a key.",
        "Let a party that has a key erase the person and sign that, or register a key first.",
        parties=parties,
    )
