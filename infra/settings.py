"""What can be set from outside, and nothing else."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

DEFAULT_STORE = "sqlite:///accord.db"
_SQLITE = "sqlite:///"


class NoSuchStore(ValueError):
    """A store that cannot be used: its address is not understood, or it was not made."""


class Settings(BaseModel):
    """Where the store is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = DEFAULT_STORE
    """The store's address: ``sqlite:///`` and a path; four slashes make it absolute."""

    @property
    def path(self) -> Path:
        """The file of the store. Raises `NoSuchStore` for an address that is no SQLite file."""
        if not self.store.startswith(_SQLITE) or self.store == _SQLITE:
            raise NoSuchStore(
                f"{self.store!r} is no store; write sqlite:///accord.db, "
                "or sqlite:////var/lib/accord.db for an absolute path."
            )
        return Path(self.store.removeprefix(_SQLITE))
