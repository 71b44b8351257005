"""People: erasing a person's name from the record (GDPR, article 17).

The history has commitments to names; the names are stored separately. Erasing a person is an event.
The store of names then deletes the name; what the person did stays in the history.
"""

from typing import Annotated
from unicodedata import normalize

from domain.declarations import Declaration
from domain.kernel import ALWAYS
from domain.values import Commitment, Personal, Text


class PersonErased(Declaration, command="ErasePerson", stages=ALWAYS, identity=("person",)):
    """A person's name was erased. What the person did stays on record."""

    person: Annotated[Commitment, Personal()]
    """The commitment to the name."""
    reason: Text
    """The reason, in words."""


ErasePerson = PersonErased.asks


def as_read(name: str) -> str:
    """Return a name in small letters, with single blanks, in one Unicode form (NFKC).

    Two names that are read alike are of one person, wherever people are compared or looked up.
    """
    return " ".join(normalize("NFKC", normalize("NFKC", name).casefold()).split())
