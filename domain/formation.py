"""Formation: positions and evidence, the charter, decision rules, and the agreement (C7 to C15).

Commercial terms are in `agreement.py`, governance in `governance.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple, assert_never

from domain import charter as charters
from domain import content as contents
from domain import governance, rules
from domain.agreement import Agreement, Sections
from domain.bilateral import (
    BilateralAgreement,
    BilateralCommand,
    ProposalAnswer,
    ProposalEnded,
    ProposalLapsed,
    end,
    with_end,
)
from domain.charter import Charter, Objective
from domain.consent import Proposals, with_acceptance, with_proposal
from domain.content import Consent, ContentDigest, FileDigest
from domain.context import PartnershipContext
from domain.declarations import Changeable, Declaration
from domain.gates import Requirement
from domain.kernel import (
    NEGOTIATING,
    SIGNED_OR_SIGNING,
    Act,
    Command,
    Event,
    Refused,
    Unknown,
)
from domain.keyring import Keyring, SigningKeys
from domain.own_metric import own_metrics
from domain.rules import DecisionRule
from domain.values import Count, Day, Ref, Slug, Text, Version

# --- declarations ------------------------------------------------------------------------------


class NonNegotiableDeclared(
    Changeable,
    Declaration,
    command="DeclareNonNegotiable",
    stages=NEGOTIATING,
    identity=("term",),
    by_party=True,
):
    """A party stated its position on a term (C7). Only that party sees it."""

    term: Slug
    """What the position is about, such as `price`."""
    statement: Text
    """The position, in words."""
    flexible: bool = False
    """Whether the position is tradeable; otherwise it is a must-have."""


DeclareNonNegotiable = NonNegotiableDeclared.asks


class BestAlternativeDeclared(
    Declaration, command="DeclareBestAlternative", stages=NEGOTIATING, by_party=True, restated=True
):
    """A party stated its best alternative to an agreement, its BATNA (C7); only it sees that."""

    statement: Text
    """The best alternative, in words."""


DeclareBestAlternative = BestAlternativeDeclared.asks


class EvidenceKind(StrEnum):
    """The kinds of evidence for a proposal, and of documents that both work by (C7, C16, C26)."""

    PROJECTION = "projection"
    STUDY = "study"
    CASE = "case"
    BENCHMARK = "benchmark"
    EXPERIMENT = "experiment"
    OUTCOME = "outcome"
    SOP = "sop"
    """A standard operating procedure."""
    BRAND_GUIDELINES = "brand-guidelines"
    SPECIFICATION = "specification"
    """A technical specification."""
    SCRIPT = "script"
    """What people say in calls and on stage."""


class EvidenceAttached(
    Changeable,
    Declaration,
    command="AttachEvidence",
    stages=SIGNED_OR_SIGNING,
    identity=("evidence",),
):
    """Evidence, or a document that both work by, was put on record (C7, C16)."""

    evidence: Ref
    """The identifier of the evidence."""
    kind: EvidenceKind
    """What the evidence is."""
    title: Text
    """The title of the evidence."""
    reference: Text
    """Where the evidence is: a link, a document number."""
    sha256: FileDigest | None = None
    """The SHA-256 of the file, by which a bundle can bring it and a reader can check it."""


AttachEvidence = EvidenceAttached.asks


# --- what both parties agree -------------------------------------------------------------------


class ObjectiveAgreed(Event):
    """Both parties agreed one objective of the charter (C8)."""

    objective: Objective
    """The objective."""


class CharterAgreed(
    BilateralAgreement,
    name="Charter",
    subject="a charter of SMART objectives (C8)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    added=("warnings",),
    counted=None,
    replaces=True,
):
    """Both parties signed the charter (C8)."""

    proposal: Ref
    """The identifier of the proposal."""
    charter: Charter
    """The charter: its purpose, goals and objectives."""
    warnings: list[str] = []
    """What is allowed but not advised, such as more than five objectives."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if a charter names other parties, or what cannot be measured (C8)."""
        own = own_metrics(context.agreements)
        charters.check(proposed.charter, context.parties, own)

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the deadline of an objective has passed (C8)."""
        today = context.terms.day(act.occurred_at)
        for each in proposed.charter.objectives:
            charters.check_deadline(each.objective, each.deadline, today)

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the first deadline of its objectives."""
        return min((each.deadline for each in proposed.charter.objectives), default=None)

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Return the warnings. Raises `Refused` if a deadline has passed meanwhile (C8)."""
        cls.check_new(proposed, context, act)
        return {"warnings": proposed.charter.warnings()}

    def recorded(self) -> list[Event]:
        """Return the charter, then each of its objectives."""
        return [self, *(ObjectiveAgreed(objective=each) for each in self.charter.objectives)]


ProposeCharter = CharterAgreed.proposes
CharterProposed = CharterAgreed.proposed
AgreeCharter = CharterAgreed.accepts


class DecisionRuleAgreed(
    BilateralAgreement,
    name="DecisionRule",
    subject="a decision rule (C15)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    counted="rule_version",
    replaces=True,
):
    """Both parties agreed a decision rule. It applies from now on, never to the past (C15)."""

    proposal: Ref
    """The identifier of the proposal."""
    rule: DecisionRule
    """The decision rule."""
    rule_version: Count
    """The version of the decision rule, counted from 1."""

    @classmethod
    def about(cls, proposed: Any) -> tuple[str, ...]:  # noqa: ANN401 - made
        """Return the rule that is proposed or agreed, by its name."""
        return "rule", proposed.rule.rule

    def same_as(self, other: BilateralAgreement) -> bool:
        """Whether another agreed rule has the same name, and so is a version of this one."""
        return isinstance(other, DecisionRuleAgreed) and other.rule.rule == self.rule.rule

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the rule's name is taken or its metric cannot be judged (C15).

        The budget of a reduction is an agreed joint investment (C20).
        """
        # These stages import this module.
        from domain.execution import check_not_given_up  # noqa: PLC0415
        from domain.scaling import JointInvestmentAgreed  # noqa: PLC0415

        rules.check(proposed.rule, own_metrics(context.agreements))
        if proposed.rule.budget is not None:
            check_not_given_up("investment", proposed.rule.budget, context.agreements)
        agreed = context.agreements.of(JointInvestmentAgreed)
        rules.check_budget(proposed.rule, [each.proposal for each in agreed])


ProposeDecisionRule = DecisionRuleAgreed.proposes
DecisionRuleProposed = DecisionRuleAgreed.proposed
AgreeDecisionRule = DecisionRuleAgreed.accepts


# --- agreement ---------------------------------------------------------------------------------


DRAFT: Final = "Draft"
"""What a draft is called where it is declined or withdrawn; its version is the proposal."""


class DraftAgreement(Command):
    """Write the agreement's sections. Another draft becomes the next version, unsigned (C9).

    Its author can withdraw it and the other party can decline it, until both signed it.
    """

    stages = SIGNED_OR_SIGNING
    ends_with_exit = True
    sections: Sections
    """The text of each section of the agreement."""


class AgreementDrafted(Event):
    """The agreement was drafted (C9)."""

    agreement_version: Count
    """The version of the agreement, counted from 1."""
    sections: Sections
    """The text of each section of the agreement."""


class SignAgreement(Command, Consent):
    """Sign the current version of the agreement. Each party signs for itself (C9)."""

    stages = SIGNED_OR_SIGNING
    ends_with_exit = True
    agreement_version: Version
    """The version of the agreement, counted from 1."""
    signing_keys: SigningKeys | None = None
    """The keys with which both parties sign. A signed event must have them."""


class AgreementSigned(Event):
    """A party signed a version of the agreement (C9)."""

    agreement_version: Count
    """The version of the agreement, counted from 1."""
    content: ContentDigest
    """The digest of the version that it signed."""
    signing_keys: SigningKeys | None = None
    """The keys with which the parties signed at that moment; null if neither had one."""


class AgreementAmended(Event):
    """Both parties signed a later version, which replaces the previous one (C9)."""

    agreement_version: Count
    """The version of the agreement, counted from 1."""


class AgreementAdopted(Event):
    """Both parties confirmed the contract that they had signed before the adoption (C9, C28)."""

    reference: Text
    """Where the contract is: a document number, a link."""
    sha256: FileDigest | None = None
    """The SHA-256 of the file, by which a bundle can bring it and a reader can check it."""
    signed_on: Day
    """The day on which the second party signed."""
    sections: Sections
    """Its sections. A section that the contract lacks is left out."""
    signed_by: list[Slug]
    """The parties that signed it."""


# --- the end of the negotiation ----------------------------------------------------------------


class NegotiationEnded(
    BilateralAgreement,
    name="NegotiationEnd",
    subject="an end of the negotiation before the kickoff (C27)",
    stages=NEGOTIATING,
    counted=None,
):
    """A negotiation ended before the kickoff, and with it all that was open or planned (C27).

    Either party ends it alone, until both signed the agreement. What both signed ends by both, or
    once a party asked for the end and the agreed days for an answer went by.
    """

    proposal: Ref
    """The identifier of the proposal."""
    reason: Text
    """The reason, in words."""

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: "FormationContext", party: str) -> bool:  # noqa: ANN401, ARG003 - made
        """Whether the party needs no consent: nothing is signed, or it asked for that in vain."""
        terms, today = context.partnership.terms, context.today
        asked = context.partnership.agreements.proposals_of(cls).values()
        return not context.formation.in_force.version or any(
            each.party == party
            and each.withdrawn is None
            and terms.answer_until(terms.day(each.known_at)) < today
            for each in asked
        )


ProposeNegotiationEnd = NegotiationEnded.proposes
NegotiationEndProposed = NegotiationEnded.proposed
AgreeNegotiationEnd = NegotiationEnded.accepts


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Formation:
    """The agreement, as drafted and signed so far."""

    agreement: Agreement = field(default_factory=Agreement)
    """The latest draft; if it was declined or withdrawn, the version in force."""
    in_force: Agreement = field(default_factory=Agreement)
    """The last version that both parties signed."""
    drafted: int = 0
    """The version of the latest draft."""
    drafts: Proposals = field(default_factory=dict)
    """The latest draft, under its version."""


class FormationContext(NamedTuple):
    """What the end of a negotiation depends on."""

    formation: Formation
    partnership: PartnershipContext
    today: date
    """The day of the recording in the agreement's time zone."""


# --- decisions ---------------------------------------------------------------------------------

FormationCommand = DraftAgreement | SignAgreement | BilateralCommand

FormationCommands: tuple[type[Command], ...] = (
    DraftAgreement,
    SignAgreement,
    ProposeNegotiationEnd,
    AgreeNegotiationEnd,
)
"""The commands that are decided here."""


def decide(
    command: FormationCommand,
    state: Formation,
    context: PartnershipContext,
    keyring: Keyring,
    act: Act,
) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    match command:
        case DraftAgreement():
            return draft(command, state)
        case SignAgreement():
            return sign(command, state, context, keyring, act)
        case BilateralCommand():
            today = context.terms.day(act.recorded_at)
            return context.agreements.decide(command, FormationContext(state, context, today), act)
        case _:
            assert_never(command)


def draft(command: DraftAgreement, state: Formation) -> list[Event]:
    """Draft the next version, unless it is the same as the current one (C9)."""
    if state.agreement.version and state.agreement.sections == command.sections:
        return []
    return [AgreementDrafted(agreement_version=state.drafted + 1, sections=command.sections)]


def end_draft(command: ProposalAnswer, state: Formation, act: Act) -> list[Event]:
    """Decide that the other party declines the latest draft, or that its author withdraws it."""
    return end(command, DRAFT, state.drafts, act)


def lapsed(state: Formation, reason: str) -> list[Event]:
    """Return that an open draft has lapsed: nobody can sign it any more."""
    return [
        ProposalLapsed(agreement=DRAFT, proposal=name, reason=reason)
        for name, each in state.drafts.items()
        if each.is_open
    ]


def sign(
    command: SignAgreement,
    state: Formation,
    context: PartnershipContext,
    keyring: Keyring,
    act: Act,
) -> list[Event]:
    """Sign the current version for the acting party, once (C9).

    The signature covers the sections and names the keys of both parties.
    """
    agreement = state.agreement
    if agreement.version == 0 or command.agreement_version != agreement.version:
        raise Unknown(
            "not-the-current-version",
            f"Only the current version can be signed, not version {command.agreement_version}. "
            + (
                f"The current version is {agreement.version}."
                if agreement.version
                else "No agreement is drafted."
            ),
            "Read the current version, then sign it."
            if agreement.version
            else "Draft the agreement first (DraftAgreement).",
            current=agreement.version,
            named=command.agreement_version,
            known=[agreement.version] if agreement.version else [],
        )
    if act.party in agreement.signed_by:
        return []
    drafted = AgreementDrafted(agreement_version=agreement.version, sections=agreement.sections)
    contents.check(command, drafted)
    _check_keys(command, keyring)
    signed = AgreementSigned(
        agreement_version=agreement.version,
        content=contents.digest(drafted),
        signing_keys=keyring.active() or None,
    )
    completes = agreement.signed_by | {act.party} == set(context.parties)
    if completes and agreement.in_force:
        return [signed, AgreementAmended(agreement_version=agreement.version)]
    return [signed]


def _check_keys(command: SignAgreement, keyring: Keyring) -> None:
    found = keyring.active()
    if command.signing_keys is not None and command.signing_keys != found:
        raise Refused(
            "other-keys",
            "An agreement names the keys that are registered. The event names "
            f"{_listed(command.signing_keys)}; registered are {_listed(found)}.",
            "Ask the other party for the fingerprint of its key. If the registered keys are right, "
            "sign with them.",
            field="signing_keys",
            keys=found,
        )


def _listed(keys: SigningKeys) -> str:
    return ", ".join(f"{name} of {party}" for party in keys for name in keys[party]) or "none"


def requirements(state: Formation, context: PartnershipContext) -> list[Requirement]:
    """Return what the gate to execution requires (C8, C9, C10, C12)."""
    agreement = state.agreement
    unsigned = [party for party in context.parties if party not in agreement.signed_by]
    missing = agreement.sections.missing()
    return [
        Requirement(
            "terms-agreed",
            context.terms.start is not None,
            "No commercial terms are agreed.",
            "Agree them: one party proposes, the other accepts (ProposeTerms, AcceptTerms).",
        ),
        Requirement(
            "agreement-sections",
            not missing,
            f"The agreement lacks these sections: {', '.join(missing)}.",
            "Draft a version with these sections, and sign it (DraftAgreement, SignAgreement).",
        ),
        Requirement(
            "terms-not-signed",
            not unsigned,
            f"The agreement is not signed by {', '.join(unsigned)}.",
            "Sign the agreement; each party signs for itself (SignAgreement).",
        ),
        Requirement(
            "charter-agreed",
            context.agreements.latest(CharterAgreed) is not None,
            "No charter of objectives is agreed.",
            "Agree one: one party proposes, the other accepts (ProposeCharter, AgreeCharter).",
        ),
        *governance.requirements(context),
    ]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Formation, event: Event, act: Act) -> Formation:
    """Fold an event of this stage into its state."""
    match event:
        case AgreementDrafted():
            version = event.agreement_version
            drafted = Agreement(
                version,
                event.sections,
                in_force=state.in_force.version,
                drafted_by=act.party,
            )
            drafts = with_proposal(str(version), event, {}, act)
            return replace(state, agreement=drafted, drafted=version, drafts=drafts)
        case AgreementAdopted(sections=sections, signed_by=parties):
            adopted = Agreement(1, sections, frozenset(parties), in_force=1)
            return replace(state, agreement=adopted, in_force=adopted, drafted=1)
        case AgreementSigned(agreement_version=version):
            signed = state.agreement.signed(act.party)
            if not signed.is_signed:
                return replace(state, agreement=signed)
            drafts = with_acceptance(str(version), state.drafts)
            return replace(state, agreement=signed, in_force=signed, drafts=drafts)
        case ProposalEnded() if event.agreement == DRAFT:
            return replace(state, agreement=state.in_force, drafts=with_end(event, state.drafts))
        case _:
            return state
