"""Formation: what both want, what both commit to, who answers for it (C7 to C12, C15)."""

from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import assert_never

from domain import charter as charters
from domain import governance, rules, terms
from domain.agreement import (
    Agreement,
    CommercialTermsAgreed,
    Sections,
    TermsFor,
    check_schedule,
    in_force,
)
from domain.charter import Charter, Objective
from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.context import PartnershipContext
from domain.declarations import Declaration
from domain.gates import Requirement
from domain.kernel import NEGOTIATING, UNTIL_EXIT, Act, Command, Event, Refused
from domain.rules import DecisionRule
from domain.values import Count, Ref, Slug, Text

# --- what is simply stated ---------------------------------------------------------------------


class NonNegotiableDeclared(
    Declaration,
    command="DeclareNonNegotiable",
    stages=NEGOTIATING,
    identity=("term",),
    by_party=True,
):
    """A party said where it will and will not move (C7)."""

    term: Slug
    statement: Text
    flexible: bool = False
    """Whether there is room to move; a non-negotiable term has none."""


DeclareNonNegotiable = NonNegotiableDeclared.asks


class BestAlternativeDeclared(
    Declaration, command="DeclareBestAlternative", stages=NEGOTIATING, by_party=True, restated=True
):
    """A party stated its best alternative to an agreement (C7)."""

    statement: Text


DeclareBestAlternative = BestAlternativeDeclared.asks


class EvidenceKind(StrEnum):
    """What supports a proposal or a move (C7, C26)."""

    PROJECTION = "projection"
    STUDY = "study"
    CASE = "case"
    BENCHMARK = "benchmark"
    EXPERIMENT = "experiment"
    OUTCOME = "outcome"


class EvidenceAttached(
    Declaration, command="AttachEvidence", stages=UNTIL_EXIT, identity=("evidence",)
):
    """Evidence was put on record (C7)."""

    evidence: Ref
    kind: EvidenceKind
    title: Text
    reference: Text
    """Where it is kept: a link, a document's number, a digest."""


AttachEvidence = EvidenceAttached.asks


# --- terms -------------------------------------------------------------------------------------


class _ProposedTerms(TermsFor):
    proposal: Ref


class ProposeTerms(_ProposedTerms, Command):
    """Put terms forward (C7, C10, C11); on a running partnership, an amendment (C9)."""

    stages = UNTIL_EXIT


class TermsProposed(_ProposedTerms, Event):
    """A party put terms forward (C7)."""


class _CounteredTerms(_ProposedTerms):
    counters: Ref
    """The proposal that this one answers."""


class CounterTerms(_CounteredTerms, Command):
    """Answer the other party's proposal with one's own (C7)."""

    stages = UNTIL_EXIT


class TermsCountered(_CounteredTerms, Event):
    """A party answered a proposal with its own (C7)."""


class AcceptTerms(Command):
    """Accept terms that the other party put forward (C7)."""

    stages = UNTIL_EXIT
    proposal: Ref


class TermsAccepted(Event):
    """A party accepted the other's terms (C7)."""

    proposal: Ref


# --- charter -----------------------------------------------------------------------------------


class ProposeCharter(Command):
    """Put a charter of SMART objectives forward (C8)."""

    stages = UNTIL_EXIT
    proposal: Ref
    charter: Charter


class CharterProposed(Event):
    """A party signed a charter and put it to the other (C8)."""

    proposal: Ref
    charter: Charter


class AgreeCharter(Command):
    """Sign the charter that the other party put forward (C8)."""

    stages = UNTIL_EXIT
    proposal: Ref


class CharterAgreed(Event):
    """Both signed the charter (C8)."""

    proposal: Ref
    charter: Charter
    warnings: list[str] = []


class ObjectiveAgreed(Event):
    """One objective of the charter binds both (C8)."""

    objective: Objective


# --- rules -------------------------------------------------------------------------------------


class ProposeDecisionRule(Command):
    """Put a decision rule forward, before the numbers come (C15)."""

    stages = UNTIL_EXIT
    proposal: Ref
    rule: DecisionRule


class DecisionRuleProposed(Event):
    """A party put a decision rule forward (C15)."""

    proposal: Ref
    rule: DecisionRule


class AgreeDecisionRule(Command):
    """Accept a decision rule that the other party put forward (C15)."""

    stages = UNTIL_EXIT
    proposal: Ref


class DecisionRuleAgreed(Event):
    """Both agreed a rule; it binds from now on and never backwards (C15)."""

    proposal: Ref
    rule: DecisionRule
    rule_version: Count


# --- agreement ---------------------------------------------------------------------------------


class DraftAgreement(Command):
    """Write the agreement's sections. A new draft is a new version, unsigned (C9)."""

    stages = UNTIL_EXIT
    sections: Sections


class AgreementDrafted(Event):
    """The agreement was written (C9)."""

    agreement_version: Count
    sections: Sections


class SignAgreement(Command):
    """Sign a version of the agreement for one's own side (C9)."""

    stages = UNTIL_EXIT
    agreement_version: Count


class AgreementSigned(Event):
    """A party signed a version of the agreement (C9)."""

    agreement_version: Count


class AgreementAmended(Event):
    """Both signed a later version, which takes the former's place (C9)."""

    agreement_version: Count


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Formation:
    """What is proposed and agreed."""

    term_proposals: Proposals = field(default_factory=dict)
    agreed_terms: tuple[CommercialTermsAgreed, ...] = ()
    charter_proposals: Proposals = field(default_factory=dict)
    charter: CharterAgreed | None = None
    rule_proposals: Proposals = field(default_factory=dict)
    rules: tuple[DecisionRuleAgreed, ...] = ()
    agreement: Agreement = field(default_factory=Agreement)

    def terms_at(self, day: date) -> CommercialTermsAgreed | None:
        """Give the terms in force on a day (see `agreement.in_force`)."""
        return in_force(self.agreed_terms, day)

    def latest_terms(self) -> CommercialTermsAgreed | None:
        """Give the last version of the terms that both agreed."""
        return self.agreed_terms[-1] if self.agreed_terms else None


# --- decisions ---------------------------------------------------------------------------------

FormationCommand = (
    ProposeTerms
    | CounterTerms
    | AcceptTerms
    | ProposeCharter
    | AgreeCharter
    | ProposeDecisionRule
    | AgreeDecisionRule
    | DraftAgreement
    | SignAgreement
)


def decide(
    command: FormationCommand, state: Formation, context: PartnershipContext, act: Act
) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    match command:
        case ProposeTerms():
            return propose_terms(command, state, context, act)
        case CounterTerms():
            return counter_terms(command, state, context, act)
        case AcceptTerms():
            return accept_terms(command, state, act)
        case ProposeCharter():
            return propose_charter(command, state, context, act)
        case AgreeCharter():
            return agree_charter(command, state, act)
        case ProposeDecisionRule():
            return propose_rule(command, state, act)
        case AgreeDecisionRule():
            return agree_rule(command, state, act)
        case DraftAgreement():
            return draft(command, state)
        case SignAgreement():
            return sign(command, state, context, act)
        case _:
            assert_never(command)


def propose_terms(
    command: ProposeTerms, state: Formation, context: PartnershipContext, act: Act
) -> list[Event]:
    """Put terms forward that name the parties and add up (C7, C10)."""
    terms.check(command.terms, context.parties)
    return propose(command.proposal, TermsProposed.of(command), state.term_proposals, act)


def counter_terms(
    command: CounterTerms, state: Formation, context: PartnershipContext, act: Act
) -> list[Event]:
    """Answer the other party's open proposal (C7)."""
    terms.check(command.terms, context.parties)
    acceptable(command.counters, state.term_proposals, act)
    return propose(command.proposal, TermsCountered.of(command), state.term_proposals, act)


def accept_terms(command: AcceptTerms, state: Formation, act: Act) -> list[Event]:
    """Bind both to the other party's terms; they become the next version (C7, C10)."""
    proposal = acceptable(command.proposal, state.term_proposals, act)
    if proposal is None:
        return []
    proposed = proposal.proposed
    if not isinstance(proposed, _ProposedTerms):
        return []
    # What binds both counts from the record, not from what one says of the day.
    check_schedule(proposed, state.agreed_terms, act.recorded_at.date())
    return [
        TermsAccepted.of(command),
        CommercialTermsAgreed(
            proposal=command.proposal,
            terms_version=len(state.agreed_terms) + 1,
            effective_from=proposed.effective_from,
            until=proposed.until,
            terms=proposed.terms,
        ),
    ]


def propose_charter(
    command: ProposeCharter, state: Formation, context: PartnershipContext, act: Act
) -> list[Event]:
    """Put a charter forward whose objectives can be measured (C8)."""
    charters.check(command.charter, context.parties)
    return propose(command.proposal, CharterProposed.of(command), state.charter_proposals, act)


def agree_charter(command: AgreeCharter, state: Formation, act: Act) -> list[Event]:
    """Bind both to the other party's charter (C8)."""
    proposal = acceptable(command.proposal, state.charter_proposals, act)
    if proposal is None or not isinstance(proposal.proposed, CharterProposed):
        return []
    charter = proposal.proposed.charter
    return [
        CharterAgreed(proposal=command.proposal, charter=charter, warnings=charter.warnings()),
        *(ObjectiveAgreed(objective=objective) for objective in charter.objectives),
    ]


def propose_rule(command: ProposeDecisionRule, state: Formation, act: Act) -> list[Event]:
    """Put a decision rule forward (C15)."""
    rules.check(command.rule)
    return propose(command.proposal, DecisionRuleProposed.of(command), state.rule_proposals, act)


def agree_rule(command: AgreeDecisionRule, state: Formation, act: Act) -> list[Event]:
    """Bind both to a rule, from now on (C15)."""
    proposal = acceptable(command.proposal, state.rule_proposals, act)
    if proposal is None or not isinstance(proposal.proposed, DecisionRuleProposed):
        return []
    rule = proposal.proposed.rule
    version = 1 + sum(each.rule.rule == rule.rule for each in state.rules)
    return [DecisionRuleAgreed(proposal=command.proposal, rule=rule, rule_version=version)]


def draft(command: DraftAgreement, state: Formation) -> list[Event]:
    """Write the next version, unless it says what the current one says (C9)."""
    if state.agreement.version and state.agreement.sections == command.sections:
        return []
    version = state.agreement.version + 1
    return [AgreementDrafted(agreement_version=version, sections=command.sections)]


def sign(
    command: SignAgreement, state: Formation, context: PartnershipContext, act: Act
) -> list[Event]:
    """Sign the current version for one's own side, once (C9)."""
    agreement = state.agreement
    if agreement.version == 0 or command.agreement_version != agreement.version:
        raise Refused(
            "not-the-current-version",
            f"Version {command.agreement_version} is not the current one "
            f"({agreement.version or 'nothing is drafted yet'}).",
            "Read the current version and sign that one.",
            current=agreement.version,
        )
    if act.party in agreement.signed_by:
        return []
    signed = AgreementSigned.of(command)
    completes = agreement.signed_by | {act.party} == set(context.parties)
    if completes and agreement.in_force:
        return [signed, AgreementAmended(agreement_version=agreement.version)]
    return [signed]


def requirements(state: Formation, context: PartnershipContext) -> list[Requirement]:
    """Give what the gate to execution asks for (C8, C9, C10, C12)."""
    agreement = state.agreement
    unsigned = [party for party in context.parties if party not in agreement.signed_by]
    missing = agreement.sections.missing()
    return [
        Requirement(
            "terms-agreed",
            state.latest_terms() is not None,
            "The commercial terms are not agreed.",
            "One party proposes terms, the other accepts them (ProposeTerms, AcceptTerms).",
            waivable=False,
        ),
        Requirement(
            "agreement-sections",
            not missing,
            f"The agreement lacks: {', '.join(missing)}.",
            "Write the missing sections and sign that version (DraftAgreement).",
            waivable=False,
        ),
        Requirement(
            "terms-not-signed",
            not unsigned,
            f"The agreement is not signed by {', '.join(unsigned)}.",
            "Each party signs for itself (SignAgreement).",
            waivable=False,
        ),
        Requirement(
            "charter-agreed",
            state.charter is not None,
            "No charter of objectives is agreed.",
            "One party proposes a charter, the other signs it (ProposeCharter, AgreeCharter).",
        ),
        *governance.requirements(context),
    ]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Formation, event: Event, act: Act) -> Formation:
    """Take a fact of this stage into its state."""
    match event:
        case TermsProposed() | TermsCountered():
            proposals = with_proposal(event.proposal, event, state.term_proposals, act)
            return replace(state, term_proposals=proposals)
        case TermsAccepted():
            proposals = with_acceptance(event.proposal, state.term_proposals)
            return replace(state, term_proposals=proposals)
        case CommercialTermsAgreed():
            return replace(state, agreed_terms=(*state.agreed_terms, event))
        case CharterProposed():
            proposals = with_proposal(event.proposal, event, state.charter_proposals, act)
            return replace(state, charter_proposals=proposals)
        case CharterAgreed():
            proposals = with_acceptance(event.proposal, state.charter_proposals)
            return replace(state, charter_proposals=proposals, charter=event)
        case DecisionRuleProposed():
            proposals = with_proposal(event.proposal, event, state.rule_proposals, act)
            return replace(state, rule_proposals=proposals)
        case DecisionRuleAgreed():
            proposals = with_acceptance(event.proposal, state.rule_proposals)
            return replace(state, rule_proposals=proposals, rules=(*state.rules, event))
        case AgreementDrafted():
            drafted = Agreement(
                event.agreement_version, event.sections, in_force=state.agreement.in_force
            )
            return replace(state, agreement=drafted)
        case AgreementSigned():
            return replace(state, agreement=state.agreement.signed(act.party))
        case _:
            return state
