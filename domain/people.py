"""People: erasing a person's name from the record (GDPR, article 17).

The history has commitments to names; the names are stored separately. Erasing a person is an event.
The store of names then deletes the name; what the person did stays in the history.

A signed command says the name too, so it is deleted as well. The event lists the digests of these
commands, so that no other command can be missing and pass for erased.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, NamedTuple
from unicodedata import normalize

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
    """The reason, in words."""
    commands: list[ContentDigest]
    """The digests of the signed commands that are deleted with the name, in order. Default: those
    that say the name, and whose events name the person. The command of a key is not deleted."""

    @classmethod
    def fill(cls, command: Any, today: date) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return no commands: which ones say the name is known where names are stored."""
        return {"commands": []}


ErasePerson = PersonErased.asks


def as_read(name: str) -> str:
    """Return a name in small letters, without blanks, in one Unicode form (NFKC).

    Two names that are read alike are of one person, wherever people are compared or looked up.
    """
    return "".join(_words(name))


def is_reserved(name: str) -> bool:
    """Whether a name is read as one of Accord's own actors, as an account, or as a commitment."""
    read = as_read(name)
    is_account = _words(name)[:1] == [ACCOUNT.strip()]
    return read in OWN_ACTORS or is_account or read.startswith("person:")


def _words(name: str) -> list[str]:
    return normalize("NFKC", normalize("NFKC", name).casefold()).split()


class Mention(NamedTuple):
    """An event that names a person."""

    party: str
    """The party of the event, or the one whose people an adoption lists it with."""
    acted: bool
    """Whether the person is its actor."""


def party_of(mentions: Iterable[Mention]) -> str | None:
    """Return the party that a person belongs to, from all mentions in order.

    It is the party for which the person acted first. A person who never acted belongs to the party
    that named them first, or with whose people an adoption listed them. The operator's own events
    make nobody theirs.
    """
    first = None
    for mention in mentions:
        if mention.party == CLOCK_PARTY:
            continue
        if mention.acted:
            return mention.party
        first = first or mention.party
    return first


def erase(
    event: PersonErased, party: str, mentions: Iterable[Mention], commands: Sequence[str]
) -> PersonErased:
    """Return an erasure with the signed commands that it deletes.

    `mentions` are all mentions of the person, and `commands` the digests. Raises `Refused` if the
    person belongs to another party, or if the event lists other commands.
    """
    own = party_of(mentions)
    if party not in {own, CLOCK_PARTY} and own is not None:
        raise Refused(
            "person-of-another-party",
            "A party erases its own people: the signed commands that say a name are deleted with "
            f"it. {event.person} belongs to {own}.",
            f"Let {own} erase the person.",
            field="person",
            party=own,
        )
    if event.commands and event.commands != [*commands]:
        raise Refused(
            "erases-other-commands",
            f"{len(commands)} signed commands are deleted with this name, and not the "
            f"{len(event.commands)} that the event lists.",
            "List these commands, or leave them out of the event.",
            field="commands",
            commands=[*commands],
        )
    return event.model_copy(update={"commands": [*commands]})
