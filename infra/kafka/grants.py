"""Who may do what on a broker that checks rights: a user for each service, and its grants."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from infra.kafka.cluster import Cluster
from infra.kafka.topics import Topics, admin_of

MECHANISM: Final = "SCRAM-SHA-512"
"""The mechanism by which the users that Accord makes log in."""

LEADERS: Final = ("relay", "publisher", "notary", "courier")
"""The services whose leader sends in transactions."""


class NotGranted(KafkaError):  # type: ignore[misc] # it comes without types
    """The broker did not make a user or a grant: which, and why."""


def grant(cluster: Cluster, topics: Topics, passwords: Mapping[str, str]) -> list[str]:
    """Grant each service what it needs, and make a user for each that has a password.

    Returns the names of those users. What exists stays, and a password is replaced. Raises
    `NotGranted` and kafka's `KafkaError`.
    """
    users = {
        topics.user(service): password
        for service, password in passwords.items()
        if service in _ACTS
    }
    _apply(cluster, users, [*of_services(topics)])
    return sorted(users)


def grant_party(cluster: Cluster, topics: Topics, party: str, password: str) -> str:
    """Make the user of a party, who sends its commands and reads its view, and nothing else.

    Returns its name. An existing user gets the password. Raises as `grant` does.
    """
    user = topics.user_of(party)
    _apply(cluster, {user: password}, [*of_party(topics, party)])
    return user


def _apply(cluster: Cluster, users: Mapping[str, str], granted: Sequence[ACL]) -> None:
    with closing(admin_of(cluster)) as admin:
        made = admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(name, MECHANISM, word) for name, word in users.items()]
        )
        results = admin.create_acls(granted)
    failed = [f"{name}: {error}" for name, error in made.items() if error]
    failed += [str(error) for error in results["failed"]]
    if failed:
        raise NotGranted("; ".join(failed))


_READ: Final = (ACLOperation.READ, ACLOperation.DESCRIBE)
_WRITE: Final = (ACLOperation.WRITE, ACLOperation.DESCRIBE)

# What each service reads and writes, by the names of `Topics`.
_ACTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "intake": (("commands",), ("rejected", "receipts", "dead")),
    "relay": ((), ("events",)),
    "projector": (("events",), ("dead",)),
    "publisher": ((), ("kpis", "alerts", "audit")),
    "notary": ((), ("audit",)),
    "courier": ((), ()),
}


SERVICES: Final = tuple(_ACTS)
"""The services that log in to the broker; the others do not use it."""


def of_party(topics: Topics, party: str) -> Iterator[ACL]:
    """Yield the grants of a party's user."""
    user = topics.user_of(party)
    yield from _on(ResourceType.TOPIC, topics.commands_of(party), user, _WRITE)
    yield from _on(ResourceType.TOPIC, topics.party(party), user, _READ)
    yield from _on(ResourceType.GROUP, user, user, _READ)


def of_services(topics: Topics) -> Iterator[ACL]:
    """Yield the grants of the services' users."""
    for service, (reads, writes) in _ACTS.items():
        user = topics.user(service)
        for name in reads:
            yield from _on(ResourceType.TOPIC, getattr(topics, name), user, _READ)
        if reads:
            yield from _on(ResourceType.GROUP, getattr(topics, service), user, _READ)
        for name in writes:
            yield from _on(ResourceType.TOPIC, getattr(topics, name), user, _WRITE)
        if service in LEADERS:
            role = topics.transactional_id(service)
            yield from _on(ResourceType.TRANSACTIONAL_ID, role, user, _WRITE)
    intake = topics.user("intake")
    # It warns of a topic whose commands are compressed.
    configs = (ACLOperation.DESCRIBE_CONFIGS,)
    yield from _on(ResourceType.TOPIC, topics.commands, intake, configs)
    below = ACLResourcePatternType.PREFIXED
    yield from _on(ResourceType.TOPIC, f"{topics.commands}.", intake, _READ, below)
    courier = topics.user("courier")
    # It makes the topic of each party as that of events is.
    yield from _on(ResourceType.TOPIC, topics.events, courier, (ACLOperation.DESCRIBE,))
    makes = (*_WRITE, ACLOperation.CREATE)
    yield from _on(ResourceType.TOPIC, topics.parties, courier, makes, below)


def _on(
    kind: ResourceType,
    name: str,
    user: str,
    operations: tuple[ACLOperation, ...],
    how: ACLResourcePatternType = ACLResourcePatternType.LITERAL,
) -> Iterator[ACL]:
    pattern = ResourcePattern(kind, name, how)
    for each in operations:
        yield ACL(f"User:{user}", "*", each, ACLPermissionType.ALLOW, pattern)
