"""People by name at the doors alone: the history holds commitments, and the names are kept apart.

A commitment (`audit/verifiers/FORMAT.md`, section 11) is a hash of a name with a salt. The same
name in the same partnership has the same commitment, until it is erased: then name and salt are
forgotten, all that was signed, hashed and proven stays as it is, and the same name comes under
another one.
"""

import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar, get_args

import orjson

from domain.kernel import Refused, Value
from domain.recorded import Recorded
from domain.values import Personal
from infra.store.records import History, Kept, Refusal
from infra.tlog.codec import canonical

V = TypeVar("V", bound=Value)

PERSON = "person"
"""The kind under which a name and its salt are kept, by their commitment."""

COMMAND = "command"
"""The kind under which signed commands are kept, which name people."""

ERASING = "erasing"
"""The kind under which a commitment is kept, for no partnership, until its name is forgotten."""

SALT = 32
"""Bytes of a salt: as many as the hash has, so that nobody tries them all."""

COMMITMENT = re.compile(r"person:[0-9a-f]{64}")

_SHOWN = slice(len("person:"), len("person:") + 8)
"""The digits by which people tell erased persons apart."""

SaltSource = Callable[[str, str, int], bytes]
"""Gives the salt of a name that is new: by its partnership, the name, and how many were erased."""


def by_chance(*_: object) -> bytes:
    """Give a salt that nobody can guess."""
    return secrets.token_bytes(SALT)


def derived(partnership: str, name: str, erased: int) -> bytes:
    """Give the salt that this name has in every simulated store, so that feeds are repeatable.

    Whoever guesses the name can tell that it is right, so it protects nobody.
    """
    return sha256(f"accord/simulated-salt@v1\n{partnership}\n{erased}\n{name}".encode()).digest()


def commit(partnership: str, name: str, salt: bytes) -> Kept:
    """Give what is kept of a name, under its commitment."""
    encoded = b64encode(salt).decode()
    text = f"accord/person@v1\n{partnership}\n{encoded}\n{name}"
    key = f"person:{sha256(text.encode()).hexdigest()}"
    return Kept(PERSON, partnership, key, canonical({"name": name, "salt": encoded}))


def names(
    history: History, partnership: str, people: Iterable[str] | None = None
) -> dict[str, str]:
    """Return the names of a partnership's people by commitment: all, or those of `people`."""
    kept = history.kept(PERSON, partnership, people)
    return {key: orjson.loads(body)["name"] for key, body in kept.items()}


# --- which fields name people ------------------------------------------------------------------


@cache
def personal(model: type[Value]) -> tuple[str, ...]:
    """Give the names of those fields of a command or an event that name people."""
    return tuple(
        name
        for name, field_ in model.model_fields.items()
        if any(
            isinstance(each, Personal)
            for marked in (field_, *get_args(field_.annotation))
            for each in getattr(marked, "metadata", getattr(marked, "__metadata__", ()))
        )
    )


def renamed(value: V, told: Callable[[str], str]) -> V:
    """Give a command or an event with other names for its people."""
    fields = personal(type(value))
    if not fields:
        return value
    found = {name: getattr(value, name) for name in fields}
    return value.model_copy(
        update={
            name: [told(one) for one in each] if isinstance(each, list) else told(each)
            for name, each in found.items()
        }
    )


# --- in: names become commitments --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Who is known in one partnership, and the salts of those who will be."""

    partnership: str
    salts: SaltSource
    by_name: Mapping[str, str] = field(default_factory=dict)
    """The commitments of those that are not erased."""
    erased: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, history: History, partnership: str, salts: SaltSource, erased: Iterable[str]
    ) -> "Pseudonyms":
        """Give those whose names are kept, but for those whose erasure is recorded."""
        gone = frozenset(erased)
        kept = names(history, partnership).items()
        by_name = {name: key for key, name in kept if key not in gone}
        return cls(partnership, salts, by_name, gone)

    def without(self, commitment: str) -> "Pseudonyms":
        """Give those that are left when one is erased."""
        left = {name: key for name, key in self.by_name.items() if key != commitment}
        return replace(self, by_name=left, erased=self.erased | {commitment})


@dataclass(slots=True)
class Pseudonymizer:
    """Gives commitments for the names in one command, known ones or new ones."""

    known: Pseudonyms
    fresh: dict[str, Kept] = field(default_factory=dict)
    """What is to be kept of names that are new, by name."""

    def __call__(self, name: str) -> str:
        """Give the commitment of a name. Raises `Refused` for a commitment that is not known."""
        if COMMITMENT.fullmatch(name):
            return self._known(name)
        known = self.known
        if name in known.by_name:
            return known.by_name[name]
        if name not in self.fresh:
            salt = known.salts(known.partnership, name, len(known.erased))
            self.fresh[name] = commit(known.partnership, name, salt)
        return self.fresh[name].key

    def people(self) -> Pseudonyms:
        """Give who is known once the command has come in."""
        if not self.fresh:
            return self.known
        fresh = {name: kept.key for name, kept in self.fresh.items()}
        return replace(self.known, by_name={**self.known.by_name, **fresh})

    def _known(self, commitment: str) -> str:
        if commitment in self.known.erased or commitment in self.known.by_name.values():
            return commitment
        raise Refused(
            "unknown-person",
            f"Nobody in {self.known.partnership} is known as {commitment}.",
            "Name the person, or give a commitment that the partnership's history has.",
        )


# --- out: commitments become names -------------------------------------------------------------


class Names:
    """The names of a partnership's people, for answers; one that is erased says so."""

    def __init__(
        self, history: History, partnership: str, people: Iterable[str] | None = None
    ) -> None:
        """Read all names, or those of `people` only."""
        self._names = names(history, partnership, people)

    def __call__(self, commitment: str) -> str:
        """Give the name that a commitment stands for; what is none is given as it is."""
        if not COMMITMENT.fullmatch(commitment):
            return commitment
        return self._names.get(commitment) or f"(erased person {commitment[_SHOWN]})"

    def recorded(self, recorded: Recorded) -> Recorded:
        """Give an event with its people by name."""
        act = recorded.act._replace(actor=self(recorded.act.actor))
        return replace(recorded, act=act, event=renamed(recorded.event, self))

    def told_apart(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Give the name of each commitment in a JSON object."""
        found = COMMITMENT.findall(orjson.dumps(row).decode())
        return {commitment: self(commitment) for commitment in sorted(set(found))}


# --- erasure -----------------------------------------------------------------------------------


def to_forget(partnership: str, commitment: str) -> Kept:
    """Give what is kept with the record of an erasure, until the name is forgotten."""
    return Kept(ERASING, "", commitment, partnership.encode())


def forget(history: History) -> None:
    """Forget the names of all whose erasure is recorded, those of an interrupted run among them."""
    erasing = history.kept(ERASING, "")
    for commitment, partnership in erasing.items():
        _forget(history, partnership.decode(), commitment)
    if erasing:
        history.forget(ERASING, "", erasing)


def _forget(history: History, partnership: str, commitment: str) -> None:
    name = names(history, partnership).get(commitment)
    if name is None:
        return
    # What is no whole JSON may have the name as JSON escapes it.
    written = "|".join(map(re.escape, {name, json.dumps(name)[1:-1]}))
    spoken = re.compile(rf"(?<!\w)(?:{written})(?!\w)")
    commands = history.kept(COMMAND, partnership).items()
    history.forget(COMMAND, partnership, [key for key, body in commands if _says(spoken, body)])
    history.redact([_redacted(each) for each in _refusals(history) if _says(spoken, each.raw)])
    # Last, because by it an interrupted run knows what to look for.
    history.forget(PERSON, partnership, [commitment])


def _refusals(history: History) -> Iterator[Refusal]:
    number = 0
    while page := history.refusals(state=None, after=number):
        yield from page
        number = page[-1].number


def _redacted(refusal: Refusal) -> Refusal:
    return replace(
        refusal,
        type=None,
        detail="It named a person whose name was erased.",
        hint="Whoever sent it may send it anew.",
        pointer=None,
        raw=b"",
        state="erased",
    )


def _says(spoken: re.Pattern[str], body: bytes) -> bool:
    """Whether a message has the name as words of its own, however it is written in JSON."""
    try:
        texts = _texts(orjson.loads(body))
    except orjson.JSONDecodeError:
        texts = iter([body.decode(errors="replace")])
    return any(map(spoken.search, texts))


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
    """Give what a signed command carries (DSSE), or what stands there where it is none."""
    try:
        return orjson.loads(b64decode(str(payload), validate=True))
    except ValueError:
        return payload
