"""The decision checklist and the alignment matrix, answered from what is on record (C4, C6).

The eight questions are asked at the gate to execution and again at any time, as an audit. Each
answer names the facts that it rests on, so it changes when they do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.context import PartnershipContext
from domain.described import described
from domain.exploration import (
    PASSING_RATING,
    Candidate,
    DecisionChecklistCompleted,
    Dimension,
    Exploration,
    JointBridgingPlanAgreed,
)
from domain.formation import CharterAgreed, Formation
from domain.gates import Requirement
from domain.governance import GovernanceEstablished, ResourcesCommitted, SponsorAssigned
from domain.health import RiskIdentified, RiskMitigated
from domain.values import counted

UNMITIGATED = "Agree of each risk of the register how it was mitigated (ProposeRiskMitigated)."
BRIDGE = (
    "Agree a bridging plan (ProposeJointBridgingPlan, AgreeJointBridgingPlan), or assess the "
    "alignment again (AssessAlignment)."
)
UNLISTED = f"Put the risks on the register (IdentifyRisk). {UNMITIGATED}"


class AnswerState(StrEnum):
    """The answer to a question of the checklist."""

    YES = "yes"
    NO = "no"
    NONE_REGISTERED = "none-registered"
    """No risk was ever put on the register, so no fact shows that risks were looked at."""


@described
@dataclass(frozen=True, slots=True)
class ChecklistAnswer:
    """The answer to one of the eight questions (C6)."""

    question: str
    """The question, as the checklist names it."""
    state: AnswerState
    """The answer."""
    rests_on: tuple[str, ...]
    """The facts that it rests on, in words; what is missing, if the answer is not yes."""
    hint: str | None
    """What to do so that the answer becomes yes; null if it is yes."""

    @property
    def met(self) -> bool:
        """Whether the answer is yes."""
        return self.state is AnswerState.YES


def checklist(
    exploration: Exploration, formation: Formation, context: PartnershipContext
) -> tuple[ChecklistAnswer, ...]:
    """Return the answer to each of the eight questions, from the facts on record (C6)."""
    agreed, terms = formation.agreement, context.terms
    charter = context.agreements.latest(CharterAgreed)
    governed = context.agreements.latest(GovernanceEstablished)
    return (
        _answer(
            "objectives_defined",
            [f"charter {charter.proposal}: {counted(len(charter.charter.objectives), 'objective')}"]
            if charter
            else [],
            "no charter of objectives is agreed",
            "Agree a charter (ProposeCharter, AgreeCharter).",
        ),
        _alignment(exploration, context),
        _answer(
            "governance_agreed",
            [f"disputes go to {', then '.join(governed.dispute_path)}"] if governed else [],
            "governance is not agreed",
            "Agree who decides what, and the path for disputes (ProposeGovernance, "
            "AgreeGovernance).",
        ),
        _answer(
            "economics_fair",
            [
                f"both agreed version {each.terms_version} of the terms"
                for each in terms.agreed[-1:]
            ],
            "no commercial terms are agreed",
            "Agree terms (ProposeTerms, AcceptTerms).",
        ),
        _of_each(
            "resources_available",
            context,
            ResourcesCommitted,
            "Commit resources; each party its own (CommitResources).",
        ),
        _risks(exploration, context),
        _answer(
            "exit_clause",
            [f"section of the agreement, version {agreed.in_force}"]
            if agreed.in_force and agreed.sections.duration_and_exit
            else [],
            "no agreement with a section on the exit is signed by both",
            "Draft and sign the section on duration and exit (DraftAgreement, SignAgreement).",
        ),
        _of_each(
            "sponsors_on_both_sides",
            context,
            SponsorAssigned,
            "Assign a sponsor; each party its own (AssignSponsor).",
        ),
    )


def requirements(exploration: Exploration, context: PartnershipContext) -> list[Requirement]:
    """Return what of the checklist no other requirement of the gate to execution asks (C4, C6).

    An open risk closes the gate. An empty register does not: a risk that somebody makes up to pass
    is worth nothing. The checklist says that none was registered.
    """
    risks = _risks(exploration, context)
    return [
        *_dimensions(exploration, context),
        Requirement(
            f"checklist:{risks.question}",
            risks.state is not AnswerState.NO,
            f"The risks are not mitigated: {'; '.join(risks.rests_on)}.",
            risks.hint or UNMITIGATED,
        ),
    ]


def partner_of(exploration: Exploration, context: PartnershipContext) -> Candidate | None:
    """Return the chosen partner as a candidate, None where there is none on record."""
    chosen = next(iter(context.parties[1:]), None)
    return exploration.candidates.get(chosen) if chosen else None


def _dimensions(exploration: Exploration, context: PartnershipContext) -> Iterator[Requirement]:
    partner = partner_of(exploration, context)
    if partner is None:
        return
    low = _unbridged(partner, context)
    for dimension in Dimension:
        yield Requirement(
            f"alignment:{dimension}",
            dimension not in low,
            f"The rating of {dimension.words} is below {PASSING_RATING} and has no bridging plan.",
            f"{BRIDGE} Or waive the rule (ProposeWaiver).",
        )


def _unbridged(partner: Candidate, context: PartnershipContext) -> list[Dimension]:
    """Return the dimensions with a low rating and without a plan, by the search or by both."""
    joint = {each.dimension for each in context.agreements.of(JointBridgingPlanAgreed)}
    return [each for each in partner.unbridged() if each not in joint]


def _answer(question: str, facts: list[str], missing: str, hint: str) -> ChecklistAnswer:
    return _rests_on(question, facts or [missing], None if facts else hint)


def _rests_on(question: str, facts: Iterable[str], hint: str | None) -> ChecklistAnswer:
    """Return the answer yes, or no if a hint says what to do."""
    state = AnswerState.YES if hint is None else AnswerState.NO
    return ChecklistAnswer(question, state, tuple(facts), hint)


def _of_each(
    question: str,
    context: PartnershipContext,
    kind: type[ResourcesCommitted | SponsorAssigned],
    hint: str,
) -> ChecklistAnswer:
    facts = {
        party: [each for each in context.declarations.of(kind, party) if _counts(each)]
        for party in context.parties
    }
    lacking = [f"{party} has none" for party, found in facts.items() if not found]
    rests_on = lacking or [f"{party}: {_fact(found[-1])}" for party, found in facts.items()]
    return _rests_on(question, rests_on, hint if lacking else None)


def _counts(fact: ResourcesCommitted | SponsorAssigned) -> bool:
    return not isinstance(fact, ResourcesCommitted) or fact.is_something


def _fact(fact: ResourcesCommitted | SponsorAssigned) -> str:
    if isinstance(fact, ResourcesCommitted):
        return f"{fact.attention} % of a person's time"
    return f"{fact.name}, {fact.title}"


def _alignment(exploration: Exploration, context: PartnershipContext) -> ChecklistAnswer:
    partner = partner_of(exploration, context)
    assessed = partner.alignment() if partner else None
    if partner is None or assessed is None:
        hint = "Assess the alignment (AssessAlignment)."
        return _rests_on("alignment_sufficient", ["it is not assessed"], hint)
    low, lacking = assessed.low(), _unbridged(partner, context)
    ratings = tuple(
        f"{each.words} {getattr(assessed, each)}"
        + (" (no bridging plan)" if each in lacking else " (bridged)" if each in low else "")
        for each in Dimension
    )
    return _rests_on("alignment_sufficient", ratings, BRIDGE if lacking else None)


def _risks(exploration: Exploration, context: PartnershipContext) -> ChecklistAnswer:
    risks = context.declarations.of(RiskIdentified)
    mitigated = {each.risk for each in context.agreements.of(RiskMitigated)}
    still = [each for each in risks if each.risk not in mitigated]
    if risks:
        facts = [f"risk {each.risk} is open: {each.description}" for each in still]
        facts = facts or [f"{len(risks)} on the register, all mitigated"]
        return _rests_on("risks_mitigated", facts, UNMITIGATED if still else None)
    # A no at the choice says that there are risks. A yes is only the word of one party.
    partner = partner_of(exploration, context)
    stated = partner.latest.get(DecisionChecklistCompleted) if partner else None
    said_no = isinstance(stated, DecisionChecklistCompleted) and not stated.risks_mitigated
    return ChecklistAnswer(
        "risks_mitigated",
        AnswerState.NO if said_no else AnswerState.NONE_REGISTERED,
        ("no risk was registered",),
        UNLISTED,
    )
