"""What the operator does with the record: who looks at all or hands it out does so on record."""

from domain.kernel import Event
from domain.values import Slug, Text


class FullViewTaken(Event):
    """The operator looked at what each party keeps to itself, for a stated reason."""

    question: Text
    """What was asked for."""
    reason: Text


class BundleExported(Event):
    """The operator handed out an evidence bundle: to whom, and what for."""

    reason: Text
    party: Slug | None = None
    """The party that it was made for; what the other keeps to itself is not in it."""
