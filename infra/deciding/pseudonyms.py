"""Pseudonyms: the history has commitments to people's names, which are stored separately.

Names appear only at the edges of the system: in what is sent, and in answers.

A commitment (`infra/evidence/verifiers/FORMAT.md`, section 9) is a hash of a name with its party
and a salt. A name that a party sends has one commitment in a partnership until it is erased.
Erasing deletes the name and the salt; signatures, hashes and proofs stay valid. Sent again, the
same name gets another commitment.
"""

import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeVar, get_args

import orjson

from domain.kernel import CLOCK_PARTY, Event, Value
from domain.keyring import (
    KeyRecovered,
    KeyRegistered,
    KeyRevoked,
    KeyRotated,
    SignaturesRequired,
)
from domain.people import (
    COMMITMENT,
    ErasePerson,
    Person,
    PersonErased,
    as_read,
    check_name,
    says,
)
from domain.recorded import Recorded
from domain.second_person import SecondPersonAsked
from domain.values import personal
from infra.access import credentials
from infra.deciding.waiting import named_erased_person
from infra.store.errors import Conflict
from infra.store.history import History, Kept, Refusal, Writes
from infra.tlog.codec import canonical

V = TypeVar("V", bound=Value)

PERSON = "person"
"""The kind of a name with its salt; the key is the commitment."""

COMMAND = "command"
"""The kind of a signed command, which can name people."""

ERASING = "erasing"
"""The kind of a commitment whose name is to be deleted; it belongs to no partnership."""

SALT = 32
"""Bytes of a salt: as many as the hash has, so that trying all of them is infeasible."""

_OF_KEYS: Final = {
    each.wire for each in (KeyRecovered, KeyRegistered, KeyRevoked, KeyRotated, SignaturesRequired)
}

_SHOWN = slice(len("person:"), len("person:") + 8)
"""The digits that are shown of an erased person's commitment."""

SaltSource = Callable[[str, Person, int], bytes]
"""Returns the salt of a new name, given the partnership, the person and how many were erased."""


def by_chance(*_: object) -> bytes:
    """Return a random salt."""
    return secrets.token_bytes(SALT)


def derived(partnership: str, person: Person, erased: int) -> bytes:
    """Return the salt of a name in every simulated store, so that playing a feed is repeatable.

    It protects nobody: a guessed name can be checked against its commitment.
    """
    party, name = person
    text = f"accord/simulated-salt@v1\n{partnership}\n{party}\n{erased}\n{name}"
    return sha256(text.encode()).digest()


def commit(partnership: str, person: Person, salt: bytes) -> Kept:
    """Return a person's name with its party and its salt, to be stored under its commitment."""
    encoded = b64encode(salt).decode()
    text = f"accord/person@v1\n{partnership}\n{person.party}\n{encoded}\n{person.name}"
    key = f"person:{sha256(text.encode()).hexdigest()}"
    return Kept(PERSON, partnership, key, canonical({**person._asdict(), "salt": encoded}))


def people(
    history: History, partnership: str, wanted: Iterable[str] | None = None
) -> dict[str, Person]:
    """Return a partnership's people by commitment: all, or those `wanted`."""
    kept = history.kept(PERSON, partnership, wanted)
    found = {key: person_in(partnership, key, body) for key, body in kept.items()}
    return {key: person for key, person in found.items() if person is not None}


def names(
    history: History, partnership: str, wanted: Iterable[str] | None = None
) -> dict[str, str]:
    """Return the names of a partnership's people by commitment: all, or those `wanted`."""
    return {key: each.name for key, each in people(history, partnership, wanted).items()}


def person_in(partnership: str, key: str, body: bytes) -> Person | None:
    """Return the person that is kept under a commitment; None if it is damaged."""
    try:
        stored = orjson.loads(body)
        person, salt = Person(stored["party"], stored["name"]), stored["salt"]
        found = commit(partnership, person, b64decode(salt, validate=True))
    except (ValueError, TypeError, LookupError):
        return None
    return person if found.key == key else None


# --- which fields name people ------------------------------------------------------------------


@cache
def _holding(model: type[Value]) -> tuple[str, ...]:
    """Return the names of those fields whose parts name people."""
    return tuple(
        name
        for name, field_ in model.model_fields.items()
        if any(personal(each) or _holding(each) for each in _models(field_.annotation))
    )


def naming(model: type[Value]) -> frozenset[str]:
    """Return the names of those fields that name people, or whose parts do."""
    return frozenset((*personal(model), *_holding(model)))


def _models(annotation: Any) -> Iterator[type[Value]]:  # noqa: ANN401 - any type
    """Yield the models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Value):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def renamed(value: V, rename: Callable[[str], str]) -> V:
    """Return a command or an event with other names for its people, also in its parts."""
    kind = type(value)
    changed: dict[str, Any] = {}
    for name in personal(kind):
        each = getattr(value, name)
        changed[name] = [rename(one) for one in each] if isinstance(each, list) else rename(each)
    for name in _holding(kind):
        changed[name] = _renamed_within(getattr(value, name), rename)
    return value.model_copy(update=changed) if changed else value


def pseudonymized(command: V, rename: Callable[[str], str]) -> V:
    """Return a command with commitments in the place of names.

    An erasure names whom it erases by the commitment.
    """
    return command if isinstance(command, ErasePerson) else renamed(command, rename)


def _renamed_within(part: Any, rename: Callable[[str], str]) -> Any:  # noqa: ANN401 - any values
    match part:
        case Value():
            return renamed(part, rename)
        case list():
            return [_renamed_within(each, rename) for each in part]
        case _:
            return part


# --- in: names become commitments --------------------------------------------------------------


def by_reading(known: Mapping[Person, str]) -> dict[Person, frozenset[str]]:
    """Return the commitments of a party's names that are read alike, by how they are read."""
    found: dict[Person, frozenset[str]] = {}
    for person, key in known.items():
        read = person._replace(name=as_read(person.name))
        found[read] = found.get(read, frozenset()) | {key}
    return found


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """The people known in one partnership, and the source of salts for new ones."""

    partnership: str
    salts: SaltSource
    known: Mapping[Person, str] = field(default_factory=dict)
    """The commitment of each person who is not erased."""
    erased: frozenset[str] = frozenset()
    by_reading: Mapping[Person, frozenset[str]] = field(init=False)
    """The commitments of a party's names that are read alike, by how they are read."""

    def __post_init__(self) -> None:
        """Find the names that are read alike."""
        object.__setattr__(self, "by_reading", by_reading(self.known))

    @classmethod
    def of(
        cls, history: History, partnership: str, salts: SaltSource, erased: Iterable[str]
    ) -> "Pseudonyms":
        """Return the people of a partnership whose names are stored and not `erased`."""
        gone = frozenset(erased)
        kept = people(history, partnership).items()
        return cls(partnership, salts, {each: key for key, each in kept if key not in gone}, gone)

    def without(self, commitment: str) -> "Pseudonyms":
        """Return the others, with one person erased."""
        left = {each: key for each, key in self.known.items() if key != commitment}
        return replace(self, known=left, erased=self.erased | {commitment})


@dataclass(slots=True)
class Pseudonymizer:
    """Replaces the names that a party sends by commitments, known ones or new ones."""

    known: Pseudonyms
    party: str
    fresh: dict[Person, Kept] = field(default_factory=dict)
    """What is to be stored of the new names, by person."""

    def __call__(self, name: str) -> str:
        """Return the commitment of a name. Raises `Refused` for a commitment in its place."""
        check_name(name)
        person, people = Person(self.party, name), self.known
        if person in people.known:
            return people.known[person]
        if person not in self.fresh:
            salt = people.salts(people.partnership, person, len(people.erased))
            self.fresh[person] = commit(people.partnership, person, salt)
        return self.fresh[person].key

    def spellings(self, name: str) -> frozenset[str]:
        """Return the commitments that were known of a name before the command, by any spelling."""
        return self.known.by_reading.get(Person(self.party, as_read(name)), frozenset())

    def people(self) -> Pseudonyms:
        """Return the people known after the command."""
        if not self.fresh:
            return self.known
        fresh = {person: kept.key for person, kept in self.fresh.items()}
        return replace(self.known, known={**self.known.known, **fresh})


# --- out: commitments become names -------------------------------------------------------------


class Names:
    """The names of a partnership's people, for answers.

    An erased one is shown as erased, and one that is damaged as unreadable.
    """

    def __init__(
        self, history: History, partnership: str, wanted: Iterable[str] | None = None
    ) -> None:
        """Read all names, or those `wanted` only."""
        kept = history.kept(PERSON, partnership, wanted)
        found = {key: person_in(partnership, key, body) for key, body in kept.items()}
        self._names = {key: each and each.name for key, each in found.items()}

    def __call__(self, commitment: str) -> str:
        """Return the name behind a commitment; any other text is returned unchanged."""
        if not COMMITMENT.fullmatch(commitment):
            return commitment
        what = "unreadable name" if commitment in self._names else "erased person"
        return self._names.get(commitment) or f"({what} {commitment[_SHOWN]})"

    def recorded(self, recorded: Recorded) -> Recorded:
        """Return an event with its people by name."""
        act = recorded.act._replace(actor=self(recorded.act.actor))
        return replace(recorded, act=act, event=renamed(recorded.event, self))

    def names_in(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the name of each commitment in a JSON object."""
        found = COMMITMENT.findall(orjson.dumps(row).decode())
        return {commitment: self(commitment) for commitment in sorted(set(found))}


# --- erasure -----------------------------------------------------------------------------------


def to_forget(partnership: str, erased: PersonErased, recorded_at: datetime) -> Kept:
    """Return the marker that is stored with an erasure until the name is deleted."""
    marker = {
        "commands": erased.commands,
        "partnership": partnership,
        "recorded_at": recorded_at.isoformat(),
    }
    return Kept(ERASING, "", erased.person, canonical(marker))


def forget(history: History) -> None:
    """Delete the names whose erasure is recorded, including those of an interrupted run.

    The API keys and invitations in these names are revoked as of the erasure.
    """
    erasing = history.kept(ERASING, "")
    for commitment, body in erasing.items():
        marker = orjson.loads(body)
        at = datetime.fromisoformat(marker["recorded_at"])
        _forget(history, marker["partnership"], commitment, marker["commands"], at)
    if erasing:
        history.forget(ERASING, "", erasing)


def alike(names: Iterable[str], name: str) -> set[str]:
    """Return those of the names that are read as a name is, however they are written."""
    return {each for each in names if as_read(each) == as_read(name)}


def _forget(
    history: History, partnership: str, commitment: str, commands: Iterable[str], at: datetime
) -> None:
    history.forget(COMMAND, partnership, commands)
    person = people(history, partnership).get(commitment)
    if person is None:
        # What is left of a damaged name is deleted, too.
        history.forget(PERSON, partnership, [commitment])
        return
    party, name = person
    says = spoken(name)
    _refuse_waiting(history, partnership, party, says)
    # What names no party was sent by a service of the operator.
    sent = (each for each in refusals(history) if each.party in {party, ""})
    history.redact([_redacted(each) for each in sent if says(each.raw)])
    side = None if party == CLOCK_PARTY else party
    for written in alike(history.alert_acts.people(), name):
        history.alert_acts.forget(partnership, side, written)
    credentials.forget(history.credentials, party, name, at)
    # Last, because an interrupted run finds the name by it.
    history.forget(PERSON, partnership, [commitment])


class Named(NamedTuple):
    """An event that names a person in a field for people."""

    party: str
    signed: str | None
    """The digest of its signed command."""
    of_key: bool
    """Whether it registers or ends a key."""


def naming_events(bodies: Iterable[bytes], commitment: str) -> Iterator[Named]:
    """Yield the events that name a person in a field for people, from the bytes of all events.

    Free text is none: it can say the name, but shows nobody that the person was erased.
    """
    wanted = commitment.encode()
    for body in bodies:
        with suppress(orjson.JSONDecodeError):  # An event that cannot be read names nobody.
            if wanted in body and commitment in people_in(event := orjson.loads(body)):
                yield Named(event["party"], event.get("signed"), is_of_key(event["type"]))


def party_of(named: Sequence[Named]) -> str | None:
    """Return the party that a person belongs to: the first event that names one is its own."""
    return named[0].party if named else None


def people_in(event: Mapping[str, Any]) -> set[str]:
    """Return the commitments in those fields of a stored event that name people.

    An erasure names whom it erases by the commitment, as its command does: it says no name.
    """
    kind = Event.registry.get(event["type"])
    fields = naming(kind) if kind and kind is not PersonErased else ()
    held = ("data",) if kind is SecondPersonAsked else ()
    shown = [event["actor"], *(event["data"].get(name) for name in (*fields, *held))]
    return set(COMMITMENT.findall(orjson.dumps(shown).decode()))


def gone_with(
    person: Person | None, named: Iterable[Named], commands: Mapping[str, bytes]
) -> list[str]:
    """Return the digests of the signed commands that are deleted with a name, in order.

    They are of the party that sent the name and say it, and one of their events names the person
    in a field for people. The command of a key is not deleted, because every later signature of
    its party rests on it.
    """
    if person is None:
        return []
    says = spoken(person.name)
    return sorted(each for each in erasable(named) & commands.keys() if says(commands[each]))


def erasable(named: Iterable[Named]) -> set[str]:
    """Return the digests of the signed commands of these events that an erasure can delete."""
    found = list(named)
    own, kept = party_of(found), {each.signed for each in found if each.of_key}
    signed = {each.signed for each in found if each.party == own and each.signed}
    return signed - kept


def is_of_key(wire: str) -> bool:
    """Return whether an event registers or ends a key."""
    return wire in _OF_KEYS


def spoken(*names: str) -> Callable[[bytes], bool]:
    """Return whether a message contains one of the names, as whole words, however written."""
    return partial(_says, names)


def _refuse_waiting(
    history: History, partnership: str, party: str, says: Callable[[bytes], bool]
) -> None:
    """Refuse a party's waiting inputs that say an erased name; the refusals are redacted next."""
    for each in history.waiting([partnership]):
        if each.party == party and says(each.raw):
            with suppress(Conflict):  # It was decided meanwhile.
                history.append(
                    [], Writes(refusals=[named_erased_person(each)], settled=[each.input])
                )


def refusals(history: History) -> Iterator[Refusal]:
    """Return all refused inputs, those that were resolved, too."""
    number = 0
    while page := history.refusals(state=None, after=number):
        yield from page
        number = page[-1].number


def _redacted(refusal: Refusal) -> Refusal:
    return replace(
        refusal,
        type=None,
        detail="It named a person whose name was erased.",
        hint="Its sender can send it again.",
        pointer=None,
        raw=b"",
        state="erased",
    )


def _says(names: Sequence[str], body: bytes) -> bool:
    """Whether a message contains one of the names as whole words, in any JSON notation."""
    try:
        texts = _texts(orjson.loads(body))
    except orjson.JSONDecodeError:
        # A message that is not complete JSON can hold the name with JSON's escapes.
        texts = iter([_ESCAPED.sub(_unescaped, body.decode(errors="replace"))])
    return any(says(each, names) for each in texts)


_ESCAPED: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[bfnrt]")


def _unescaped(found: re.Match[str]) -> str:
    return str(json.loads(f'"{found[0]}"'))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(_opened(each) if key == "payload" else each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _opened(payload: object) -> object:
    """Return the payload of a signed command (DSSE), or the value itself if it is not one."""
    try:
        return orjson.loads(b64decode(str(payload), validate=True))
    except ValueError:
        return payload
