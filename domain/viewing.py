"""Looking at everything: whoever sees both sides' private facts does so on record (C7, C14)."""

from domain.kernel import Event
from domain.values import Text


class FullViewTaken(Event):
    """The operator looked at what each party keeps to itself, for a stated reason."""

    question: Text
    """What was asked for."""
    reason: Text
