"""What every route needs: the store, what lives beside it, and whether the server is closing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response

from infra.bootstrap import Accord
from infra.store.records import Signal
from infra.workers import Workers

SIMULATED = {"simulated": True}
"""What every JSON object says that comes from a simulated store."""


class Closing(Signal):
    """Rung once, when the server begins to close; streams that never end by themselves end then."""

    begun = False

    def begin(self) -> None:
        """Let all open streams end."""
        self.begun = True
        self.notify()


@dataclass(frozen=True, slots=True)
class Served:
    """One store as it is served."""

    accord: Accord
    workers: Workers
    closing: Closing = field(default_factory=Closing)

    @property
    def mark(self) -> dict[str, Any]:
        """What each JSON object says besides: that the store is simulated, if it is."""
        return SIMULATED if self.accord.simulated else {}

    def answer(
        self,
        body: Mapping[str, Any],
        status: int = 200,
        *,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Give a JSON object as a response."""
        return Response(orjson.dumps({**body, **self.mark}), status, headers, media_type)


def served(request: Request) -> Served:
    """Give what the application of this request serves."""
    found: Served = request.app.state.served
    return found


ServedHere = Annotated[Served, Depends(served)]
"""A route's parameter for what it serves."""
