"""What the operator does with the record: looking at all of it, and exporting it, are recorded."""

from domain.kernel import Event
from domain.values import Slug, Text


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
