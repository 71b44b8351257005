"""The parties that a store knows, and what they are told that the operator does in their name."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from domain.viewing import PartyKeyMade
from infra.access.credentials import Announce, Credential, listed
from infra.access.roles import Role
from infra.answers.logs import row_of_each
from infra.answers.members import PAGE, names_seen
from infra.bootstrap import Accord
from infra.store.history import partnerships
from infra.tlog.codec import UnreadableEvent
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW
from projections.visibility import Viewer


def known_parties(accord: Accord) -> set[str]:
    """Return every party of a partnership, and every party with an API key or an invitation."""
    found = {each.grant.party for each in listed(accord.history.credentials) if each.grant.party}
    names = partnerships(accord.history)
    while page := list(islice(names, PAGE)):
        for overview in row_of_each(accord, OVERVIEW, OVERVIEW_ROW, page).values():
            found.update(overview.parties)
    return found


Record = Callable[[str, str, PartyKeyMade], None]
"""Records an event of the operator's own in a partnership, in the name of a person."""


def announcing(accord: Accord, person: str, record: Record) -> Announce:
    """Return what records, in each partnership of its party, that the operator makes a credential.

    One of no party is not recorded. A partnership with an event that cannot be read is left out.
    """

    def announce(made: Credential) -> None:
        party, invites = made.grant.party, made.grant.role is Role.INVITED
        if party is None:
            return
        event = PartyKeyMade(party=party, credential=made.id, invites=invites)
        for name in names_seen(accord, Viewer(party)):
            with suppress(UnreadableEvent):
                record(name, person, event)

    return announce
