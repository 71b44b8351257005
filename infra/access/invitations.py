"""Invitations: the operator invites a new party, and the party makes its first key itself.

An invitation is a credential of the role `invited`, written, stored and revoked like an API key. It
enrols one party, once, and expires. The operator never sees the key that comes of it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from pydantic import ConfigDict, Field

from domain.described import Described
from domain.kernel import CLOCK_PARTY, Refused
from domain.values import PersonName, instant
from infra.access.credentials import (
    Announce,
    Credential,
    Grant,
    NewKey,
    checked,
    listed,
    new_key,
    silently,
    used_up,
)
from infra.access.roles import Role, Scope
from infra.store.credentials import Credentials

LASTS: Final = timedelta(days=7)
"""How long an invitation lasts unless it is said."""

LONGEST: Final = timedelta(days=90)
"""How long an invitation can last. It lies in somebody's mail until then."""


class Enrolment(Described):
    """The first key of a party, as the party asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actor: PersonName
    """The person who uses it."""
    scopes: frozenset[Scope] = Field(default_factory=frozenset, min_length=1)
    """What it may do; everything that a party's key may do unless given."""


def invite(  # noqa: PLR0913, PLR0917 - whom, by whom, and until when
    store: Credentials,
    party: str,
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
    announce: Announce = silently,
) -> NewKey:
    """Make an invitation for a party and save its hash; `actor` is the operator's person.

    It lasts `LASTS` unless it is said how long. Raises `Refused` for a party that has a key or an
    invitation, for a name that no party can have, and for an end that is not within `LONGEST`.
    """
    if party == CLOCK_PARTY:
        raise Refused(
            "party-reserved",
            f"No party can be called {CLOCK_PARTY}: that is the party of the operator's events.",
            "Give the party another name.",
        )
    ends = expires_at or now + LASTS
    if ends <= now:
        raise Refused(
            "invitation-end",
            f"An invitation that is made now cannot have expired at {instant(ends)}.",
            "Give an end that is to come, such as 7d.",
        )
    if ends > now + LONGEST:
        raise Refused(
            "invitation-end",
            f"An invitation lasts at most {LONGEST.days} days. This one would end at "
            f"{instant(ends)}.",
            "Give an end within that time, such as 7d.",
        )
    _check_new(listed(store), party, now)
    made, stored = new_key(Grant(role=Role.INVITED, party=party, actor=actor), now, ends)
    announce(made.credential)
    store.add(stored)
    return made


def _check_new(known: Iterable[Credential], party: str, now: datetime) -> None:
    for each in known:
        if each.grant.party == party and each.is_valid(now):
            what = "an invitation" if each.grant.role is Role.INVITED else "an API key"
            raise Refused(
                "party-enrolled",
                f"{party} has {what} already: {each.id}.",
                f"Revoke it first if it is lost: accord keys revoke {each.id}.",
            )


def _had_key(store: Credentials, invitation: Credential) -> bool:
    """Whether the party of an invitation has or had a key, also one that is revoked."""
    return any(
        each.grant.party == invitation.grant.party and each.grant.role is not Role.INVITED
        for each in listed(store)
    )


def enrol(store: Credentials, invitation: Credential, asked: Enrolment, now: datetime) -> NewKey:
    """Use up a valid invitation, and make a key of its party in the same transaction.

    It is the party's own if the party had no key before. Later the operator can revoke the party's
    key, invite it again and enrol itself, so from then on a key counts as made by the operator.

    Raises `Refused` for scopes that a party cannot have, and `Unauthenticated` if another request
    used the invitation up in the meantime, or the operator revoked it.
    """
    grant = Grant(
        role=Role.PARTY,
        party=invitation.grant.party,
        actor=asked.actor,
        scopes=asked.scopes,
        invitation=None if _had_key(store, invitation) else invitation.id,
    )
    made, stored = new_key(checked(grant), now, None)
    if not store.replace(invitation.id, stored, now):
        raise used_up()
    return made
