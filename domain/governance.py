"""Governance: who answers for what on each side, the path for disputes, the means (C12, C13)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from domain.facts import Facts, Kind
from domain.gates import Requirement
from domain.kernel import NEGOTIATING, SIGNED_OR_SIGNING, Command, Event, Standing, Value
from domain.values import Money, Percent, Text


class Function(StrEnum):
    """What a contact answers for (C12)."""

    PARTNERSHIP_MANAGER = "partnership-manager"
    MARKETING = "marketing"
    SALES = "sales"
    TECHNOLOGY = "technology"
    FINANCE = "finance"
    LEGAL = "legal"
    SUPPORT = "support"


class _Contact(Value):
    function: Function
    name: Text


class AssignContact(_Contact, Command):
    """Name who answers for a function on one's own side (C12)."""

    stages = SIGNED_OR_SIGNING


class ContactAssigned(_Contact, Event):
    """A party named its contact for a function (C12)."""


class _Sponsor(Value):
    name: Text
    title: Text


class AssignSponsor(_Sponsor, Command):
    """Name the executive sponsor of one's own side (C12)."""

    stages = SIGNED_OR_SIGNING


class SponsorAssigned(_Sponsor, Event):
    """A party named its executive sponsor (C12)."""


class _Resources(Value):
    attention: Percent
    """The share of one person's time, in percent; 10 to 20 is usual."""
    costs: list[Money] = []


class CommitResources(_Resources, Command):
    """Commit one's own time and money to the partnership (C12)."""

    stages = SIGNED_OR_SIGNING


class ResourcesCommitted(_Resources, Event):
    """A party committed time and money (C12)."""


class _Governance(Value):
    dispute_path: Annotated[list[Text], Field(min_length=1)]
    operational_review: Literal["weekly", "biweekly", "monthly"]
    strategic_review: Literal["monthly", "quarterly"]
    decision_rights: Text


class EstablishGovernance(_Governance, Command):
    """Set the path for disputes, decision rights and the cadence of reviews (C12, C13)."""

    stages = NEGOTIATING


class GovernanceEstablished(_Governance, Event):
    """Governance was set up (C12)."""


# People and means change, so each side may restate its own.
RESTATED = {
    AssignContact: Kind(ContactAssigned, ("function",), by_party=True),
    AssignSponsor: Kind(SponsorAssigned, (), by_party=True),
    CommitResources: Kind(ResourcesCommitted, (), by_party=True),
    EstablishGovernance: Kind(GovernanceEstablished, ()),
}

GovernanceCommand = AssignContact | AssignSponsor | CommitResources | EstablishGovernance


def requirements(facts: Facts, standing: Standing) -> list[Requirement]:
    """Give what the gate to execution asks of governance: a manager, a sponsor, means (C12)."""
    asked = [
        Requirement(
            "governance-established",
            bool(facts.of(GovernanceEstablished)),
            "Governance is not established.",
            "Set the path for disputes and the cadence (EstablishGovernance).",
        )
    ]
    for party in standing.parties:
        contacts = facts.of(ContactAssigned, party)
        asked += [
            Requirement(
                f"manager:{party}",
                any(
                    isinstance(each, ContactAssigned)
                    and each.function is Function.PARTNERSHIP_MANAGER
                    for each in contacts
                ),
                f"{party} has no partnership manager.",
                "Each party names its own (AssignContact).",
            ),
            Requirement(
                f"sponsor:{party}",
                bool(facts.of(SponsorAssigned, party)),
                f"{party} has no executive sponsor.",
                "Each party names its own (AssignSponsor).",
            ),
            Requirement(
                f"resources:{party}",
                bool(facts.of(ResourcesCommitted, party)),
                f"{party} has committed no resources.",
                "Each party commits its own time and money (CommitResources).",
            ),
        ]
    return asked
