"""What the operator does that the parties must know: it is recorded before it is done.

The operator looks at all of the record, exports it, asks witnesses, or makes a credential with
which it could act as a party. A witness cosigns a checkpoint only if the log grew from the last one
that it cosigned. If it refuses, the log was forked or restored from an old copy, and both parties
learn of it.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from domain.content import ContentDigest
from domain.kernel import Event
from domain.values import Slug, Text

Size = Annotated[int, Field(ge=1, le=2**53 - 1)]
"""A number of events, which JSON keeps exact."""


class FullViewTaken(Event):
    """The operator looked at the private statements of both parties, for a stated reason."""

    question: Text
    """What the operator asked, in words."""
    reason: Text
    """The reason, in words."""


class BundleExported(Event):
    """The operator exported an evidence bundle, for a stated reason."""

    reason: Text
    """The reason, in words."""
    party: Slug | None = None
    """The party for which it was exported; it does not contain the other's private statements."""
    files: ContentDigest | None = None
    """The digest of all that the bundle shows (bundle format, section 3)."""
    withheld: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None
    """How many events before it the bundle withholds as private."""


class CosignatureRefused(Event):
    """A witness refused to cosign a checkpoint of this record."""

    witness: Text
    """Its name in the operator's policy."""
    size: Size
    """The events of the checkpoint."""
    reason: Text
    """Its answer, in words."""


class CosignatureResumed(Event):
    """A witness that had refused cosigned a checkpoint of this record."""

    witness: Text
    """Its name in the operator's policy."""
    size: Size
    """The events of the checkpoint."""


class PartyKeyMade(Event):
    """The operator made an API key or an invitation of a party, so it could act as that party."""

    party: Slug
    """The party."""
    credential: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    """The public id of the key or the invitation, as the list of keys has it."""
    invites: bool
    """Whether it is an invitation, with which the party makes a key itself, once."""
