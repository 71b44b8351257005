"""People: erasing a person's name from the record (GDPR, article 17).

The history has commitments to names; the names are stored separately. Erasing a person is an event.
The store of names then deletes the name; what the person did stays in the history.

A signed command says the name too, so it is deleted as well. The event lists the digests of these
commands, so that no other command can be missing and pass for erased.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, NamedTuple
from unicodedata import normalize

from domain import values
from domain.content import ContentDigest
from domain.declarations import Declaration
from domain.kernel import ACCOUNT, ALWAYS, CLOCK_PARTY, OWN_ACTORS, Refused
from domain.values import Commitment, Personal, Text


class PersonErased(
    Declaration,
    command="ErasePerson",
    stages=ALWAYS,
    identity=("person",),
    filled=("commands",),
):
    """A person's name was erased. What the person did stays on record."""

    person: Annotated[Commitment, Personal()]
    """The commitment to the name."""
    reason: Text
    """The reason, in words. It stays on record, so it must not name the person."""
    commands: list[ContentDigest]
    """The digests of the signed commands that are deleted with the name, in order. Default: those
    that say the name, and whose events name the person. The command of a key is not deleted."""

    @classmethod
    def fill(cls, command: Any, today: date) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return no commands: which ones say the name is known where names are stored."""
        return {"commands": []}


ErasePerson = PersonErased.asks

COMMITMENT: Final = re.compile(values.COMMITMENT)
"""A commitment, which stands for a person in the history (`domain.values.Commitment`)."""


class Person(NamedTuple):
    """A person of a party. The same name sent by two parties is of two people."""

    party: str
    """The party that sent the name; `accord` for the operator."""
    name: str


def check_name(name: str) -> None:
    """Raise `Refused` for a commitment where a person is named.

    Whoever reads the history knows all commitments, so none shows who somebody is.
    """
    if COMMITMENT.fullmatch(name):
        raise Refused(
            "commitment-for-name",
            "People are sent by their names. A commitment only stands for a person in the history: "
            f"{name}.",
            "Send the name.",
        )


def as_read(name: str) -> str:
    """Return a name in small letters, without blanks, in one Unicode form (NFKC).

    Two names that are read alike are of one person, wherever people are compared or looked up.
    """
    return "".join(_words(name))


def check_actor(name: str) -> None:
    """Raise `Refused` for a name in which only Accord acts."""
    if is_reserved(name):
        raise Refused(
            "reserved-actor",
            f"Only Accord acts in the name of {name}.",
            "Name the person or the service that acts.",
            pointer="/actor",
        )


def is_reserved(name: str) -> bool:
    """Whether a name is read as one of Accord's own actors, as an account, or as a commitment.

    So is what answers show in the place of a name that is erased or damaged.
    """
    read = as_read(name)
    is_account = _words(name)[:1] == [ACCOUNT.strip()]
    return read in OWN_ACTORS or is_account or read.startswith(_IN_PLACE_OF_NAMES)


_IN_PLACE_OF_NAMES: Final = ("person:", "(erasedperson", "(unreadablename")


def says(text: str, names: Iterable[str]) -> bool:
    """Whether a text has one of the names as whole words, however they are written."""
    sought = "|".join(re.escape(" ".join(_words(each))) for each in names)
    return bool(re.search(rf"(?<!\w)(?:{sought})(?!\w)", " ".join(_words(text))))


def _words(text: str) -> list[str]:
    """Return the words of a text in small letters, in one Unicode form, as they are seen."""
    small = normalize("NFKC", normalize("NFKC", text).casefold())
    return [seen for each in small.split() if (seen := values.as_seen(each))]


def check_reason(reason: str, name: str) -> None:
    """Raise `Refused` if the reason of an erasure says the name, which would stay on record."""
    if says(reason, [name]):
        raise Refused(
            "reason-names-person",
            "The reason names the person whose name is erased. It stays on record.",
            "Write the reason without the name.",
            field="reason",
        )


def erase(
    event: PersonErased,
    party: str,
    own: str | None,
    commands: Sequence[str],
    listed: Sequence[str] | None = None,
) -> PersonErased:
    """Return an erasure with the signed commands that it deletes.

    `own` is the party whose person it is, None if that is withheld, and `commands` the digests.
    `listed` are those that the party listed, None if it left them out. Raises `Refused` if the
    person belongs to another party, or if it listed other commands.
    """
    if party not in {own, CLOCK_PARTY} and own is not None:
        raise Refused(
            "person-of-another-party",
            "A party erases the names that it sent itself. "
            f"{event.person} stands for a name that {own} sent.",
            f"Let {own} erase the person.",
            field="person",
            party=own,
        )
    if listed is not None and [*listed] != [*commands]:
        raise Refused(
            "erases-other-commands",
            "The event lists other commands than the signed ones that are deleted with this name.",
            f"Send as `commands`: [{', '.join(commands)}].",
            field="commands",
            commands=[*commands],
        )
    return event.model_copy(update={"commands": [*commands]})
