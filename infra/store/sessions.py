"""The sessions of people who signed in with a browser: a table of hashes, and of no secret."""

from datetime import datetime
from typing import NamedTuple, Protocol


class StoredSession(NamedTuple):
    """One row: what `infra.access.sessions` makes and reads."""

    secret_hash: bytes
    """The SHA-256 of the secret that the browser sends."""
    signed_in: str
    """With what the person signed in, as JSON; it never changes."""
    expires_at: datetime


class Sessions(Protocol):
    """The sessions of a store. Each change is one transaction."""

    def get(self, secret_hash: bytes) -> StoredSession | None:
        """Return a session, as it is now; None if there is none."""

    def add(self, session: StoredSession, now: datetime) -> None:
        """Save a new session, and remove those that expired before a moment."""

    def end(self, secret_hash: bytes) -> None:
        """Remove a session. Does nothing if there is none."""
