"""What each role may do: the one policy of access. Pure, and by default it denies.

A credential gives an `Identity`. Each route says what it needs (`Need`), and `access` answers
whether the identity gets all of it, a part, or nothing. `viewer` is the part that it reads, and
`check_emits` decides about each event that it sends.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Final, assert_never

from domain.aggregates import command_types
from domain.bilateral import BilateralCommand, ProposalAnswer
from domain.claims import ClaimCommand
from domain.content import Consent
from domain.kernel import Refused
from projections.visibility import Viewer


class Role(StrEnum):
    """For whom a credential acts."""

    PARTY = "party"
    """The people of a party."""
    SERVICE = "service"
    """A machine of a party."""
    OPERATOR = "operator"
    """The people and the machines that run Accord."""
    AUDITOR = "auditor"
    """Someone with a mandate: the partnerships that it names."""
    OPERATIONS = "operations"
    """Those who watch alerts and figures, without private facts."""
    INVITED = "invited"
    """Whoever has an invitation: it enrols a party, and does nothing else."""
    ANYONE = "anyone"
    """Whoever reaches a server without credentials (`accord up --open`), on its own machine."""


class Scope(StrEnum):
    """What a credential may do, within its role."""

    READ = "read"
    """Ask every question that the role may ask."""
    EMIT = "emit"
    """Send facts and plans: every event but those of the two scopes that follow."""
    SETTLE = "settle"
    """Send the events that settle: statements, rates, adjustments and payouts."""
    SIGN = "sign"
    """Send the events that bind the party or erase a person, and those of its signing keys."""
    OPERATE = "operate"
    """Retry and dismiss refused events, handle alerts, and manage API keys."""


class Need(StrEnum):
    """What a route needs of who asks."""

    NOTHING = "nothing"
    """It is public."""
    CATALOGUE = "catalogue"
    """What this release knows: metrics, rules, schemas. The same for every credential."""
    FACTS = "facts"
    """What the parties of a partnership recorded."""
    FIGURES = "figures"
    """Alerts, and the figures behind them."""
    INPUTS = "inputs"
    """Events that are refused or that wait, as they were sent."""
    PROCESS = "process"
    """The state of the process."""
    EMIT = "emit"
    """To send events. `check_emits` decides about each."""
    ENROL = "enrol"
    """To make the first key of a party, with an invitation."""
    HANDLE = "handle"
    """To acknowledge, assign or silence an alert, each side for itself."""
    OPERATE = "operate"
    """To act as the operator."""
    KEYS = "keys"
    """The list of API keys."""
    OWN_KEY = "own key"
    """Something that each API key may do with itself, and the operator with any."""


class Access(StrEnum):
    """How much of what a route gives an identity gets; a refusal is raised instead."""

    ALLOWED = "allowed"
    FILTERED = "filtered"


SCOPES: Final = {
    Role.PARTY: frozenset({Scope.READ, Scope.EMIT, Scope.SETTLE, Scope.SIGN}),
    Role.SERVICE: frozenset({Scope.READ, Scope.EMIT, Scope.SETTLE, Scope.SIGN}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.OPERATE}),
    Role.AUDITOR: frozenset({Scope.READ}),
    Role.OPERATIONS: frozenset({Scope.READ}),
    Role.INVITED: frozenset(),
    Role.ANYONE: frozenset(Scope),
}
"""The scopes that each role can have."""

USUAL: Final = SCOPES | {Role.SERVICE: frozenset({Scope.READ, Scope.EMIT})}
"""The scopes of a credential unless others are given. A machine seldom settles or signs."""

SENDING: Final = frozenset({Scope.EMIT, Scope.SETTLE, Scope.SIGN})
"""The scopes that let events be sent."""

_SETTLING: Final = frozenset({"settlement", "payouts"})
_MECHANISMS: Final = (BilateralCommand, Consent, ProposalAnswer)
"""Proposals, what accepts or signs, and what ends a proposal: each of them binds."""

_SIGNING: Final = frozenset(
    {
        "CloseExploration",
        "CommitIntegrationSpend",
        "ConcedePenalty",
        "DraftAgreement",
        "ErasePerson",
        "GiveBreachNotice",
        "GiveExitNotice",
        "IntroduceIncentive",
        "OpenDispute",
        "PromoteVariant",
        "ReachMilestone",
        "RegisterHypothesis",
        "RegisterKey",
        "RequireSignatures",
        "RevokeKey",
        "RotateKey",
        "StartMediation",
        "WithdrawAct",
        "WithdrawDispute",
    }
)
"""The other commands that must be signed once the party has a key (docs/signatures.md)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request, and what that one may do."""

    role: Role
    actor: str
    """The person or the service that acts."""
    party: str | None = None
    """The party for which it acts; None for a role that acts for none."""
    scopes: frozenset[Scope] = frozenset()
    events: frozenset[str] = frozenset()
    """The types and families of events that it may send; all if it names none."""
    partnerships: frozenset[str] = frozenset()
    """The partnerships to which it is limited; all of its party or role if it names none."""
    candidates: bool = False
    """Whether an auditor sees what is recorded about candidates that were not chosen."""
    credential: str | None = None
    """The id of its API key; None for a token, and on an open server."""
    invitation: str | None = None
    """The id of the invitation with which a party made the credential itself; None if the operator
    made it, or could have."""
    is_person: bool = False
    """Whether it is a token, which names a person: the actor of each event that it sends."""
    expires_at: datetime | None = None
    """When the token expires; None for an API key, which is read again."""

    @property
    def is_own(self) -> bool:
        """Whether the party made the credential itself, so that the operator does not have it.

        It made its first key with an invitation; its issuer made the token.
        """
        return self.party is not None and (self.invitation is not None or self.is_person)


ANYONE: Final = Identity(Role.ANYONE, "anyone", scopes=SCOPES[Role.ANYONE])
"""Who sends a request to an open server."""


def reader(seen: Viewer) -> Identity:
    """Return who reads a bundle that was made for a viewer: one that sends nothing."""
    role = Role.PARTY if seen.party else Role.AUDITOR
    return Identity(
        role,
        "reader",
        seen.party,
        frozenset({Scope.READ}),
        partnerships=seen.partnerships or frozenset(),
    )


@cache
def families() -> dict[str, str]:
    """Return the family of each type of event, by the command's name.

    A family is the file of `domain` that tells its story, such as ``payment`` or ``referral``.
    """
    return {
        name: command.__module__.rpartition(".")[2].replace("_", "-")
        for name, command in command_types().items()
    }


def scope_of(command: str) -> Scope:
    """Return the scope that a credential needs to send a type of event."""
    if families()[command] in _SETTLING:
        return Scope.SETTLE
    kind = command_types()[command]
    # What answers a fact moves money like the fact itself, and binds nobody.
    binds = issubclass(kind, _MECHANISMS) and not issubclass(kind, ClaimCommand)
    return Scope.SIGN if binds or command in _SIGNING else Scope.EMIT


# --- routes ------------------------------------------------------------------------------------


def access(identity: Identity, need: Need) -> Access:
    """Return how much of what a route gives an identity gets. Raises `Refused` if nothing.

    Public routes ask for no identity; for any that asks, they give all.
    """
    if need is not Need.NOTHING:
        _check_invited(identity, need)
    match need:
        case Need.NOTHING | Need.CATALOGUE | Need.OWN_KEY | Need.ENROL:
            return Access.ALLOWED
        case Need.FACTS | Need.FIGURES | Need.INPUTS | Need.PROCESS:
            _check_scope(identity, frozenset({Scope.READ}))
            return _reads(identity, need)
        case Need.EMIT:
            _check_scope(identity, SENDING)
            return Access.FILTERED if identity.party else Access.ALLOWED
        case Need.HANDLE if identity.party:
            _check_scope(identity, SENDING)
            return Access.FILTERED
        case Need.KEYS if identity.party:
            _check_scope(identity, frozenset({Scope.READ}))
            return Access.FILTERED
        case Need.OPERATE | Need.KEYS | Need.HANDLE:
            _check_scope(identity, frozenset({Scope.OPERATE}))
            return Access.ALLOWED
        case _:
            assert_never(need)


def _check_invited(identity: Identity, need: Need) -> None:
    """Raise `Refused` for an invitation where a key is needed, and the other way round."""
    needed = need is Need.ENROL
    if identity.role is Role.ANYONE or (identity.role is Role.INVITED) is needed:
        return
    if identity.role is Role.INVITED:
        raise Refused(
            "not-your-role",
            "An invitation gives nothing but the first key of its party.",
            "Enrol with it (POST /v1/enrolments), and use the key that you get.",
        )
    raise Refused(
        "not-your-role",
        f"This needs an invitation. The credential has the role {identity.role}.",
        "Send the invitation that the operator made: Authorization: Bearer accord_<id>_<secret>.",
    )


def _reads(identity: Identity, need: Need) -> Access:
    role = identity.role
    match role:
        case Role.INVITED:
            given: set[Need] = set()
        case Role.ANYONE:
            return Access.ALLOWED
        case Role.PARTY | Role.SERVICE:
            given = {Need.FACTS, Need.FIGURES, Need.INPUTS}
        case Role.OPERATOR:
            given = {Need.FACTS, Need.FIGURES, Need.INPUTS, Need.PROCESS}
        case Role.AUDITOR:
            given = {Need.FACTS, Need.FIGURES}
        case Role.OPERATIONS:
            given = {Need.FIGURES, Need.PROCESS}
        case _:
            assert_never(role)
    if need not in given:
        raise Refused(
            "not-your-role",
            f"A credential of the role {role} does not give this.",
            "Ask with a key of a role that does: docs/access.md lists them.",
        )
    if need is Need.PROCESS and identity.partnerships:
        raise Refused(
            "not-your-partnership",
            "The credential is limited to partnerships, and this is about all of them.",
            "Ask with a key of the role that is not limited.",
        )
    whole = need is Need.PROCESS or (need is Need.INPUTS and role is Role.OPERATOR)
    return Access.ALLOWED if whole else Access.FILTERED


def _check_scope(identity: Identity, scopes: frozenset[Scope]) -> None:
    """Raise `Refused` for an identity that has none of these scopes."""
    if not scopes & identity.scopes:
        needed = " or ".join(sorted(scopes))
        raise Refused(
            "not-in-scope",
            f"This needs the scope {needed}. The credential has {_listed(identity.scopes)}.",
            "Use a key with that scope, or ask the operator for one.",
        )


# --- reading -----------------------------------------------------------------------------------


def viewer(identity: Identity, party: str | None = None) -> Viewer:
    """Return what an identity sees; `party` is the party as which it asks, if it says so.

    Raises `Refused` for another party than its own. Only on an open server does the caller choose.
    """
    if identity.role is Role.ANYONE:
        return Viewer(party)
    if party not in {None, identity.party}:
        raise Refused(
            "not-your-party",
            f"{party} is another party. {_who(identity)}",
            "Leave the party out. Everybody sees the view of their own party or role.",
        )
    return Viewer(
        identity.party,
        partnerships=identity.partnerships or None,
        candidates=identity.party is not None or identity.candidates,
        inputs=identity.party is not None,
        alert_acts=identity.role is not Role.AUDITOR,
    )


# --- sending -----------------------------------------------------------------------------------


def check_emits(identity: Identity, party: str, command: str, partnership: str) -> None:
    """Raise `Refused` unless an identity may send this type of event for a party.

    `partnership` is the event's subject.
    """
    if identity.role is Role.ANYONE:
        return
    check_party(identity, party)
    check_partnership(identity, partnership)
    scope = scope_of(command)
    if scope not in identity.scopes:
        raise Refused(
            "not-in-scope",
            f"{command} needs the scope {scope}. The credential has {_listed(identity.scopes)}.",
            "Use a key with that scope, or ask the operator for one.",
            pointer="/type",
        )
    if identity.events and not {command, families()[command]} & identity.events:
        raise Refused(
            "not-in-scope",
            f"The credential does not send {command}. It sends {_listed(identity.events)}.",
            "Use a key for this type or its family, or ask the operator for one.",
            pointer="/type",
        )


def check_partnership(identity: Identity, partnership: str) -> None:
    """Raise `Refused` unless an identity acts in a partnership, as far as its limits go."""
    if identity.partnerships and partnership not in identity.partnerships:
        raise Refused(
            "not-your-partnership",
            f"The credential is limited to other partnerships than {partnership}.",
            f"It is for {_listed(identity.partnerships)}. Use another key for {partnership}.",
            pointer="/subject",
        )


def check_party(identity: Identity, party: str) -> None:
    """Raise `Refused` unless an identity acts for a party."""
    if identity.role is not Role.ANYONE and party != identity.party:
        raise Refused(
            "not-your-party",
            f"An event is sent with a key of its own party. {_who(identity)}",
            f"Send it with a key of {party}.",
            pointer="/party",
        )


def check_actor(identity: Identity, actor: str) -> None:
    """Raise `Refused` for a token that names another person than its own."""
    if identity.is_person and actor != identity.actor:
        raise Refused(
            "not-your-name",
            f"The token is of {identity.actor}, and the event names another actor.",
            "Leave the actor out: it is the person of the token.",
            pointer="/actor",
        )


def _who(identity: Identity) -> str:
    if identity.party:
        return f"The credential is of {identity.party}."
    return f"The credential has the role {identity.role}, and is of no party."


def _listed(names: frozenset[str] | frozenset[Scope]) -> str:
    return ", ".join(sorted(names)) or "none"
