"""What every route needs: the store, its workers, for whom it is served, and its end."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from infra.access import roles
from infra.access.attempts import FailedAttempts
from infra.access.roles import Identity
from infra.access.tokens import Tokens
from infra.bootstrap import Accord
from infra.http.verdicts import Verdicts
from infra.settings import HttpLimits
from infra.store.signal import Signal
from infra.workers import Workers


class ServerClosing(Signal):
    """Notified once, when the server begins to close; open streams end then."""

    begun = False

    def begin(self) -> None:
        """End all open streams."""
        self.begun = True
        self.notify()


@dataclass(frozen=True, slots=True)
class Served:
    """A store and what serves it: its workers and its closing signal."""

    accord: Accord
    workers: Workers
    limits: HttpLimits
    is_open: bool
    """Whether anyone may do everything, as long as the store has no API key (`up --open`)."""
    closing: ServerClosing = field(default_factory=ServerClosing)
    attempts: FailedAttempts = field(default_factory=FailedAttempts)
    """The failed attempts to use an API key or a token, by address."""
    tokens: Tokens = field(default_factory=Tokens)
    """Reads the tokens of the issuers that count."""
    verdicts: Verdicts = field(default_factory=Verdicts)
    """What people had verified on a page."""

    @property
    def anyone(self) -> Identity:
        """Who sends a request to an open server; of a bundle, the one whom it was made for."""
        return roles.reader(self.accord.viewer) if self.accord.is_bundle else roles.ANYONE

    @property
    def mark(self) -> dict[str, Any]:
        """The member that marks each JSON object of a simulated store; none for others."""
        return {"simulated": True} if self.accord.simulated else {}


def served(request: Request) -> Served:
    """Return what the application of this request serves."""
    found: Served = request.app.state.served
    return found


def json(body: BaseModel, status: int = 200) -> Response:
    """Return a model as a response."""
    return Response(body.model_dump_json(), status, media_type="application/json")


ServedHere = Annotated[Served, Depends(served)]
"""A route's parameter for what it serves."""
