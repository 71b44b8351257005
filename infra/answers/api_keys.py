"""API keys as the command line and HTTP show them: never with the secret, but for a new one."""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from domain.lookalikes import lookalikes
from domain.values import Slug, counted
from infra.access import credentials
from infra.access.credentials import Credential, NewKey
from infra.access.roles import ANYONE, Identity, Role, Scope
from infra.answers.parties import known_parties
from infra.answers.question import Item, Result
from infra.answers.text import Block, Line, Remark, Table, Verbatim, minute
from infra.bootstrap import Accord


class ApiKey(Item):
    """An API key: whose it is, what it may do, and until when."""

    id: str
    """The public part of the key, which names it."""
    prefix: str
    """The beginning of the key, by which its holder can recognise it."""
    role: Role
    """For whom it acts."""
    party: Slug | None
    """The party of the roles `party` and `service`; null for others."""
    actor: str
    """The person or the service that uses it."""
    scopes: tuple[Scope, ...]
    """What it may do."""
    events: tuple[str, ...]
    """The types and families of events that it may send; all if none is named."""
    partnerships: tuple[Slug, ...]
    """The partnerships to which it is limited; all of its party or role if none is named."""
    candidates: bool
    """Whether an auditor's mandate includes the candidates that were not chosen."""
    made_at: datetime
    """When it was made."""
    expires_at: datetime | None
    """When it expires; null if it does not."""
    revoked_at: datetime | None
    """When it was revoked; null if it is not."""
    used_at: datetime | None
    """When it was last used, to the minute; null if it never was."""
    replaced_by: str | None
    """The id of the key that a rotation or an enrolment made in its place."""
    invitation: str | None
    """The id of the invitation with which its party made it; null if the operator made it."""


class ApiKeys(Result):
    """The API keys of a store, in the order in which they were made."""

    items: tuple[ApiKey, ...]
    """The keys, those that are not valid any more included."""


class MadeKey(Result):
    """An API key that was made. This is the only time that it is shown."""

    key: str
    """The whole key. Only its hash is stored, so it cannot be shown again."""
    about: ApiKey
    """The key, as a list shows it."""
    replaces: ApiKey | None = None
    """The key that it replaces, which stays valid until its `expires_at`."""
    unknown: tuple[Slug, ...] = ()
    """The partnerships of its grant that do not exist, so that a slip is seen."""
    lookalikes: tuple[str, ...] = ()
    """Known parties whose names people can take for that of its party, if that is a new one."""


class MadeInvitation(Result):
    """An invitation that was made. This is the only time that it is shown."""

    invitation: str
    """The whole invitation. Only its hash is stored, so it cannot be shown again."""
    about: ApiKey
    """The invitation, as the list of keys shows it."""
    lookalikes: tuple[str, ...]
    """Known parties whose names people can take for that of the new one."""


Refuse = Callable[[str, Collection[str]], int]
"""Refuses what waits of a party in partnerships (see `Service.refuse_waiting`)."""


class RevokedKey(Result):
    """An API key that was revoked."""

    about: ApiKey
    """The key."""
    refused: int
    """How many events of the party waited, and are refused now: the key may have sent them."""


def revoke(accord: Accord, key: str, refuse: Refuse) -> RevokedKey:
    """Revoke an API key at once, and refuse what waits of its party. Raises `NoCredential`.

    An invitation sent nothing, so nothing is refused with it.
    """
    revoked = credentials.revoke(accord.history.credentials, key, accord.clock())
    grant, count = revoked.grant, 0
    if grant.party is not None and grant.role is not Role.INVITED:
        count = refuse(grant.party, grant.partnerships)
    return RevokedKey(simulated=accord.simulated, about=shown(revoked), refused=count)


def text_of_revoked(found: RevokedKey) -> Iterator[Block]:
    """Yield the key, and how many events are refused with it."""
    yield from text_of_one(found.about)
    if found.refused:
        waited = counted(found.refused, "event")
        yield Line(f"{waited} of {found.about.party} waited. Refused: accord refusals lists them.")


def shown(credential: Credential) -> ApiKey:
    """Return a credential for readers."""
    grant = credential.grant
    return ApiKey(
        id=credential.id,
        prefix=credential.prefix,
        role=grant.role,
        party=grant.party,
        actor=grant.actor,
        scopes=tuple(sorted(grant.scopes)),
        events=tuple(sorted(grant.events)),
        partnerships=tuple(sorted(grant.partnerships)),
        candidates=grant.candidates,
        made_at=credential.made_at,
        expires_at=credential.expires_at,
        revoked_at=credential.revoked_at,
        used_at=credential.used_at,
        replaced_by=credential.replaced_by,
        invitation=grant.invitation,
    )


def of(accord: Accord, party: str | None, who: Identity = ANYONE) -> ApiKeys:
    """Return every key; of a party, those that act for it, whoever made them.

    Of an operator that is limited to partnerships, those that it manages.
    """
    found = credentials.listed(accord.history.credentials)
    items = (
        shown(each)
        for each in found
        if party in {None, each.grant.party}
        and (who.role is not Role.OPERATOR or credentials.manages(who, each.grant))
    )
    return ApiKeys(simulated=accord.simulated, items=tuple(items))


def made(accord: Accord, new: NewKey, replaces: Credential | None = None) -> MadeKey:
    """Return a new key for the one who asked for it."""
    old = None if replaces is None else shown(replaces)
    about = shown(new.credential)
    known = accord.history.heads(about.partnerships)
    return MadeKey(
        simulated=accord.simulated,
        key=new.key,
        about=about,
        replaces=old,
        unknown=tuple(each for each in about.partnerships if each not in known),
        lookalikes=_lookalikes(accord, about),
    )


def _lookalikes(accord: Accord, about: ApiKey) -> tuple[str, ...]:
    """Return the known parties whose names people can take for that of a key."""
    return tuple(lookalikes(about.party, known_parties(accord))) if about.party else ()


def invited(accord: Accord, new: NewKey) -> MadeInvitation:
    """Return a new invitation for the operator, who passes it on."""
    about = shown(new.credential)
    return MadeInvitation(
        simulated=accord.simulated,
        invitation=new.key,
        about=about,
        lookalikes=_lookalikes(accord, about),
    )


# --- text --------------------------------------------------------------------------------------


def text_of_made(found: MadeKey) -> Iterator[Block]:
    """Yield the key alone on stdout; what is said of it goes to stderr."""
    yield from remarks_of_made(found)
    yield Remark("It is not shown again: keep it in a secret store.")
    yield Verbatim(f"{found.key}\n")


def remarks_of_made(found: MadeKey) -> Iterator[Remark]:
    """Yield what is said of a new key."""
    yield Remark(f"Made an API key for {whose(found.about)}.")
    old = found.replaces
    if old is not None and old.expires_at is not None:
        yield Remark(f"The old key {old.id} is valid until {minute(old.expires_at)}.")
    for each in found.unknown:
        yield Remark(f"There is no partnership {each} yet. The key sees it once it begins.")
    yield from _close_names(found.about, found.lookalikes, "key")


def text_of_invited(found: MadeInvitation) -> Iterator[Block]:
    """Yield the invitation alone on stdout; what is said of it goes to stderr."""
    yield from remarks_of_invited(found)
    yield Verbatim(f"{found.invitation}\n")


def remarks_of_invited(found: MadeInvitation) -> Iterator[Remark]:
    """Yield what is said of a new invitation."""
    ends = found.about.expires_at
    until = f" until {minute(ends)}" if ends else ""
    yield Remark(f"Invited {found.about.party}. The invitation is valid once{until}.")
    yield from _close_names(found.about, found.lookalikes, "invitation")


def _close_names(about: ApiKey, close: tuple[str, ...], what: str) -> Iterator[Remark]:
    """Yield the warning of a name that people can take for that of another party."""
    if close:
        yield Remark(
            f"The name {about.party} is close to {', '.join(close)}. If it is the same party, "
            f"revoke the {what}: accord keys revoke {about.id}."
        )


def text_of_all(found: ApiKeys) -> Iterator[Block]:
    """Yield a row for each key."""
    rows = [
        (
            each.id,
            each.party or "",
            each.role,
            each.actor,
            ", ".join([*each.scopes, *each.events, *each.partnerships, *_mandate(each)]),
            minute(each.used_at) if each.used_at else "never",
            _validity(each),
        )
        for each in found.items
    ]
    yield Table(("key", "party", "role", "actor", "may", "last use", "valid"), rows)
    if not rows:
        yield Remark("There are no API keys. Make one: accord keys create.")


def text_of_one(found: ApiKey) -> Iterator[Block]:
    """Yield what became of one key."""
    yield Line(f"The API key {found.id} of {whose(found)} is {_validity(found)}.")


def whose(key: ApiKey) -> str:
    """Return in words whose key it is."""
    return f"{key.actor} ({key.party}, {key.role})" if key.party else f"{key.actor} ({key.role})"


def _mandate(key: ApiKey) -> list[str]:
    return ["candidates"] if key.candidates else []


def _validity(key: ApiKey) -> str:
    if key.role is Role.INVITED and key.replaced_by is not None:
        return f"used for {key.replaced_by}"
    if key.revoked_at is not None:
        return f"revoked since {minute(key.revoked_at)}"
    return f"until {minute(key.expires_at)}" if key.expires_at else "until it is revoked"
