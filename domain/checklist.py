"""The decision checklist and the alignment matrix, answered from what is on record (C4, C6).

The eight questions are asked at the gate to execution and again at any time, as an audit. Each
answer names the facts that it rests on, so it changes when they do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.context import PartnershipContext
from domain.described import described
from domain.exploration import (
    PASSING_RATING,
    Candidate,
    DecisionChecklistCompleted,
    Dimension,
    Exploration,
)
from domain.formation import CharterAgreed, Formation
from domain.gates import Requirement
from domain.governance import GovernanceEstablished, ResourcesCommitted, SponsorAssigned
from domain.health import RiskIdentified, RiskMitigated

UNMITIGATED = "Mitigate each risk of the register (MitigateRisk)."
UNLISTED = "Put the risks on the register (IdentifyRisk), and mitigate each (MitigateRisk)."


@described
@dataclass(frozen=True, slots=True)
class ChecklistAnswer:
    """The answer to one of the eight questions (C6)."""

    question: str
    """The question, as the checklist names it."""
    met: bool
    """Whether the answer is yes."""
    rests_on: tuple[str, ...]
    """The facts that it rests on, in words; what is missing, if the answer is no."""
    hint: str | None
    """What to do so that the answer becomes yes; null if it is yes."""


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
            [f"charter {charter.proposal}: {len(charter.charter.objectives)} objectives"]
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
            "Draft and sign the section duration_and_exit (DraftAgreement, SignAgreement).",
        ),
        _of_each(
            "sponsors_on_both_sides",
            context,
            SponsorAssigned,
            "Assign a sponsor; each party its own (AssignSponsor).",
        ),
    )


def requirements(exploration: Exploration, context: PartnershipContext) -> list[Requirement]:
    """Return what of the checklist no other requirement of the gate to execution asks (C4, C6)."""
    risks = _risks(exploration, context)
    return [
        *_dimensions(exploration, context),
        Requirement(
            f"checklist:{risks.question}",
            risks.met,
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
    low = partner.unbridged()
    for dimension in Dimension:
        yield Requirement(
            f"alignment:{dimension}",
            dimension not in low,
            f"The rating of {dimension.words} is below {PASSING_RATING} and has no bridging plan.",
            "Assess the alignment again (AssessAlignment), or waive the rule (ProposeWaiver).",
        )


def _answer(question: str, facts: list[str], missing: str, hint: str) -> ChecklistAnswer:
    met = bool(facts)
    return ChecklistAnswer(question, met, tuple(facts or [missing]), None if met else hint)


def _of_each(
    question: str,
    context: PartnershipContext,
    kind: type[ResourcesCommitted | SponsorAssigned],
    hint: str,
) -> ChecklistAnswer:
    facts = {each: context.declarations.of(kind, each) for each in context.parties}
    lacking = [f"{party} has none" for party, found in facts.items() if not found]
    rests_on = lacking or [f"{party}: {_fact(found[-1])}" for party, found in facts.items()]
    return ChecklistAnswer(question, not lacking, tuple(rests_on), hint if lacking else None)


def _fact(fact: ResourcesCommitted | SponsorAssigned) -> str:
    if isinstance(fact, ResourcesCommitted):
        return f"{fact.attention} % of a person's time"
    return f"{fact.name}, {fact.title}"


def _alignment(exploration: Exploration, context: PartnershipContext) -> ChecklistAnswer:
    partner = partner_of(exploration, context)
    assessed = partner.alignment() if partner else None
    if partner is None or assessed is None:
        hint = "Assess the alignment (AssessAlignment)."
        return ChecklistAnswer("alignment_sufficient", False, ("it is not assessed",), hint)  # noqa: FBT003 - the answer
    low = partner.unbridged()
    ratings = tuple(
        f"{each.words} {getattr(assessed, each)}"
        + (" (bridged)" if each in partner.bridged else "")
        for each in Dimension
    )
    hint = "Assess the alignment again (AssessAlignment)."
    return ChecklistAnswer("alignment_sufficient", not low, ratings, hint if low else None)


def _risks(exploration: Exploration, context: PartnershipContext) -> ChecklistAnswer:
    risks = context.declarations.of(RiskIdentified)
    mitigated = {each.risk for each in context.declarations.of(RiskMitigated)}
    still = [each for each in risks if each.risk not in mitigated]
    if risks:
        facts = [f"risk {each.risk} is open: {each.description}" for each in still]
        facts = facts or [f"{len(risks)} on the register, all mitigated"]
        hint = UNMITIGATED if still else None
        return ChecklistAnswer("risks_mitigated", not still, tuple(facts), hint)
    # Before the register is begun, the answer given when the partner was chosen counts.
    partner = partner_of(exploration, context)
    stated = partner.latest.get(DecisionChecklistCompleted) if partner else None
    said_yes = isinstance(stated, DecisionChecklistCompleted) and stated.risks_mitigated
    fact = "stated when the partner was chosen" if said_yes else "no risk is on the register"
    return ChecklistAnswer("risks_mitigated", said_yes, (fact,), None if said_yes else UNLISTED)
