"""The parties that a store knows."""

from itertools import islice

from infra.access.credentials import listed
from infra.answers.logs import row_of_each
from infra.answers.members import PAGE
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW


def known_parties(accord: Accord) -> set[str]:
    """Return every party of a partnership, and every party with an API key or an invitation."""
    found = {each.grant.party for each in listed(accord.history.credentials) if each.grant.party}
    names = partnerships(accord.history)
    while page := list(islice(names, PAGE)):
        for overview in row_of_each(accord, OVERVIEW, OVERVIEW_ROW, page).values():
            found.update(overview.parties)
    return found
