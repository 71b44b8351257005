"""The credentials of a store: a table of API keys, of which it has hashes and no secret."""

from datetime import datetime
from typing import NamedTuple, Protocol


class StoredCredential(NamedTuple):
    """One row: what `infra.access.credentials` makes and reads."""

    id: str
    secret_hash: bytes
    """The SHA-256 of the secret."""
    grant: str
    """To whom it is bound and what it may do, as JSON. Only `forget` changes it."""
    made_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    replaced_by: str | None = None
    """The id of the credential that a rotation or an enrolment made in its place."""


class Credentials(Protocol):
    """The credentials of a store. Each change is one transaction."""

    def get(self, id: str) -> StoredCredential | None:
        """Return a credential, as it is now; None if there is none."""

    def all(self) -> list[StoredCredential]:
        """Return every credential, in the order in which they were made."""

    def exist(self) -> bool:
        """Return whether there is any credential, revoked ones included."""

    def add(self, credential: StoredCredential) -> None:
        """Save a new credential."""

    def replace(self, id: str, by: StoredCredential, until: datetime) -> bool:
        """Save a credential that replaces another one, which is then valid only until a moment.

        Return False, with nothing written, if the other is revoked or was replaced before.
        """

    def revoke(self, id: str, at: datetime) -> bool:
        """Revoke a credential. Return False if there is none, or if it was revoked before."""

    def forget(self, id: str, at: datetime) -> None:
        """Delete the name of its person from a grant, and from its bytes; revoke the credential."""

    def use(self, id: str, at: datetime) -> None:
        """Save when a credential was used last."""
