"""Who holds which office of a party on a day, so that an alert names who acts (C12, C25)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from domain.adoption import AdoptionProposed, PartnershipAdopted
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.governance import ContactAssigned, Function, SponsorAssigned
from domain.health import Handover, ManagerRotated, manager_on
from domain.kernel import Act, Event, Value
from domain.markets import MetricOwnerAssigned, RoleAssigned
from domain.partnership import parties_after
from domain.response import Office
from domain.values import PersonName, name_words


class Assignee(Value):
    """Who acts on an alert."""

    party: str
    """The party."""
    office: Office
    """The office that acts."""
    person: PersonName | None = None
    """The person who holds the office; null if the party has named nobody."""

    @property
    def words(self) -> str:
        """Who acts, in words: `acme (Ada Park, partnership manager)`; the party if it is nobody."""
        held = f" ({self.person}, {name_words(self.office)})"
        return f"{self.party}{held}" if self.person else self.party


@dataclass(frozen=True, slots=True)
class People:
    """The parties of a partnership and the people whom each named (C12)."""

    parties: tuple[str, ...] = ()
    contacts: Mapping[str, Mapping[Function, str]] = field(default_factory=dict)
    """The contacts of each party, by function."""
    sponsors: Mapping[str, str] = field(default_factory=dict)
    """The executive sponsor of each party."""
    handovers: Mapping[str, tuple[Handover, ...]] = field(default_factory=dict)
    """The handovers of each party."""
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The people to whom each party gave a role in its team (C29)."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Who owns each metric, in one market (`new_users/spain`) or in all (`new_users/-`)."""

    def owner(self, metric: str, market: str, parties: Iterable[str]) -> tuple[Assignee, ...]:
        """Return the owner of a metric, in a market before that of all; empty if there is none.

        Its party is the one of these that named the person. If none did, all of them act.
        """
        found = (self.owners.get(f"{metric}/{each}") for each in (market, "-"))
        person = next((each for each in found if each), None)
        if person is None:
            return ()
        parties = tuple(parties)
        own = [each for each in parties if person in self._named(each)] or parties
        office = Office.METRIC_OWNER
        return tuple(Assignee(party=each, office=office, person=person) for each in own)

    def _named(self, party: str) -> set[str]:
        handed = (each.successor for each in self.handovers.get(party, ()))
        contacts = self.contacts.get(party, {}).values()
        return {*contacts, *handed, *self.roles.get(party, ()), self.sponsors.get(party, "")}

    def in_office(self, party: str, office: Office, day: date) -> Assignee:
        """Return who holds an office of a party on a day; its manager if nobody does."""
        person = self._person(party, office, day)
        if person is None and office is not Office.MANAGER:
            return self.in_office(party, Office.MANAGER, day)
        return Assignee(party=party, office=office, person=person)

    def _person(self, party: str, office: Office, day: date) -> str | None:
        if office is Office.SPONSOR:
            return self.sponsors.get(party)
        if office is Office.METRIC_OWNER:
            return None
        name = self.contacts.get(party, {}).get(Function(office.value))
        if name is None or office is not Office.MANAGER:
            return name
        return manager_on(day, name, self.handovers.get(party, ()))


NAMING: Final[frozenset[type[Event]]] = frozenset(
    {
        ExplorationBegun,
        PartnerChosen,
        AdoptionProposed,
        PartnershipAdopted,
        ContactAssigned,
        SponsorAssigned,
        ManagerRotated,
        RoleAssigned,
        MetricOwnerAssigned,
    }
)
"""The events that name parties or their people."""


def people_after(people: People, event: Event, act: Act) -> People:
    """Return the parties and their people after an event."""
    party = act.party
    match event:
        case ContactAssigned(function=function, name=name):
            contacts = {**people.contacts.get(party, {}), function: name}
            return replace(people, contacts={**people.contacts, party: contacts})
        case SponsorAssigned(name=name):
            return replace(people, sponsors={**people.sponsors, party: name})
        case RoleAssigned(name=name):
            roles = tuple(dict.fromkeys((*people.roles.get(party, ()), name)))
            return replace(people, roles={**people.roles, party: roles})
        case MetricOwnerAssigned(metric=metric, market=market, owner=name):
            return replace(people, owners={**people.owners, f"{metric}/{market or '-'}": name})
        case ManagerRotated():
            new = Handover.of(event)
            others = [
                each
                for each in people.handovers.get(party, ())
                if each.effective_on != new.effective_on
            ]
            handovers = tuple(sorted([*others, new]))
            return replace(people, handovers={**people.handovers, party: handovers})
        case _:
            return replace(people, parties=parties_after(event, act, people.parties))
