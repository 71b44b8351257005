"""People: what one did stays in the history for ever, and who it was need not (GDPR, article 17).

The history names people by commitments, whose names are kept apart. To erase a person is a fact
like any other; what follows from it, that the name is forgotten, is for whoever keeps the names.
"""

from typing import Annotated

from domain.declarations import Declaration
from domain.kernel import ALWAYS
from domain.values import Commitment, Personal, Text


class PersonErased(Declaration, command="ErasePerson", stages=ALWAYS, identity=("person",)):
    """A person's name was erased; what they did stays on record."""

    person: Annotated[Commitment, Personal()]
    """The commitment that stands for the name."""
    reason: Text


ErasePerson = PersonErased.asks
