"""Governance: contacts, sponsors and resources of each party, and the path for disputes (C12)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.declarations import Declaration
from domain.gates import Requirement
from domain.kernel import SIGNED_OR_SIGNING, Value
from domain.values import Count, Money, Percent, PersonName, Ref, Text


class Function(StrEnum):
    """What a contact is responsible for (C12)."""

    PARTNERSHIP_MANAGER = "partnership-manager"
    MARKETING = "marketing"
    SALES = "sales"
    TECHNOLOGY = "technology"
    FINANCE = "finance"
    LEGAL = "legal"
    SUPPORT = "support"


class ContactAssigned(
    Declaration,
    command="AssignContact",
    stages=SIGNED_OR_SIGNING,
    identity=("function",),
    by_party=True,
    restated=True,
):
    """A party named its contact for a function (C12)."""

    function: Function
    """The function that the contact answers for."""
    name: PersonName
    """The name of the person."""


AssignContact = ContactAssigned.asks


class SponsorAssigned(
    Declaration, command="AssignSponsor", stages=SIGNED_OR_SIGNING, by_party=True, restated=True
):
    """A party named its executive sponsor (C12)."""

    name: PersonName
    """The name of the person."""
    title: Text
    """The position of the sponsor."""


AssignSponsor = SponsorAssigned.asks


class ResourcesCommitted(
    Declaration, command="CommitResources", stages=SIGNED_OR_SIGNING, by_party=True, restated=True
):
    """A party committed time and money (C12)."""

    attention: Percent
    """The share of one person's time, in percent; 10 to 20 is usual."""
    costs: list[Money] = []
    """Money set aside for travel, software, legal advice and the like."""

    @property
    def is_something(self) -> bool:
        """Whether it commits any time or any money."""
        return self.attention > 0 or any(each.amount > 0 for each in self.costs)


CommitResources = ResourcesCommitted.asks


class GovernanceFor(Value):
    """How both parties govern the partnership: decisions, and the path for disputes.

    How often they meet is a term: `cadence` (C13).
    """

    dispute_path: Annotated[list[Text], Field(min_length=1)]
    """Who decides a dispute, from the first level to the last."""
    decision_rights: Text
    """Who may decide what."""


class GovernanceEstablished(
    GovernanceFor,
    BilateralAgreement,
    name="Governance",
    subject="the governance: decisions and the path for disputes (C12)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
):
    """Both parties agreed the governance, which replaces the one before (C12)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """The version of the governance, counted from 1."""


ProposeGovernance = GovernanceEstablished.proposes
AgreeGovernance = GovernanceEstablished.accepts


def requirements(context: PartnershipContext) -> list[Requirement]:
    """Return what execution requires: governance, managers, sponsors, resources (C12)."""
    facts = context.declarations
    asked = [
        Requirement(
            "governance-established",
            context.agreements.latest(GovernanceEstablished) is not None,
            "No governance is agreed.",
            "Agree who decides what, and the path for disputes: one proposes, the other accepts "
            "(ProposeGovernance, AgreeGovernance).",
        )
    ]
    for party in context.parties:
        contacts = facts.of(ContactAssigned, party)
        asked += [
            Requirement(
                f"manager:{party}",
                any(each.function is Function.PARTNERSHIP_MANAGER for each in contacts),
                f"{party} has no partnership manager.",
                "Assign one; each party assigns its own (AssignContact).",
            ),
            Requirement(
                f"sponsor:{party}",
                bool(facts.of(SponsorAssigned, party)),
                f"{party} has no executive sponsor.",
                "Assign one; each party assigns its own (AssignSponsor).",
            ),
            Requirement(
                f"resources:{party}",
                any(each.is_something for each in facts.of(ResourcesCommitted, party)),
                f"{party} has committed no resources.",
                "Commit them; each party commits its own time and money (CommitResources).",
            ),
        ]
    return asked
