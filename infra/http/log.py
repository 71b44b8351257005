"""The verifiable log over HTTP: what a party or a witness needs to verify it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse

from infra.access.roles import Need
from infra.answers.parameters import Whole
from infra.audit.log import Altered
from infra.audit.notary import Notary
from infra.http import openapi
from infra.http.access import GuardedRoute, SeenId, needs
from infra.http.dependencies import Served, ServedHere
from infra.http.problems import Problem
from infra.tlog.notes import Checkpoint, Note, tlog_proof, written_proof

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    404: openapi.problem("There is no such partnership, event or checkpoint."),
    409: openapi.problem("The stored log differs from what was recorded, so nothing is signed."),
    422: openapi.problem("A parameter is wrong."),
    503: openapi.problem("This process has no signing key."),
}

router = APIRouter(
    route_class=GuardedRoute,
    tags=["Evidence"],
    prefix="/v1/partnerships/{id}",
    default_response_class=PlainTextResponse,
    responses=_PROBLEMS,
)


def _notary(served: Served) -> Notary:
    notary = served.accord.notary
    if notary is None:
        raise Problem(503, "This process has no signing key.", "Set ACCORD_KEY to the key file.")
    return notary


def _signed(served: Served, partnership: str) -> tuple[Notary, Note, Checkpoint]:
    notary = _notary(served)
    try:
        note = notary.checkpoint(partnership)
    except LookupError as error:
        raise Problem(404, str(error), "List the partnerships: GET /v1/partnerships.") from error
    except Altered as error:
        hint = "Compare the store with a backup and with the parties' bundles."
        raise Problem(409, str(error), hint, index=error.index) from error
    return notary, note, Checkpoint.read(note.text)


@router.get("/key", summary="Get the key of a log.")
@needs(Need.FACTS)
def log_key(served: ServedHere, id: SeenId) -> PlainTextResponse:
    """Return the key that verifies the checkpoints of this log (C2SP verifier key)."""
    return PlainTextResponse(f"{_notary(served).seal.verifier(id)}\n")


@router.get("/checkpoint", summary="Get the latest checkpoint of a log.")
@needs(Need.FACTS)
def checkpoint(served: ServedHere, id: SeenId) -> PlainTextResponse:
    """Return the checkpoint of all that is recorded, signed now if need be (C2SP signed note)."""
    _, note, _ = _signed(served, id)
    return PlainTextResponse(str(note))


@router.get("/consistency", summary="Prove that a log only grew.")
@needs(Need.FACTS)
def consistency(
    served: ServedHere,
    id: SeenId,
    old: Annotated[Whole, Query(description="The size of an earlier checkpoint.")],
) -> PlainTextResponse:
    """Return the checkpoint with the proof that it extends an earlier one.

    The answer is the request that a witness takes (C2SP `tlog-witness`): the old size, the proof's
    hashes, an empty line, the checkpoint.
    """
    notary, note, latest = _signed(served, id)
    if old > latest.size:
        raise Problem(
            404,
            f"The log has {latest.size} events, so there is no checkpoint of size {old}.",
            f"Ask for a size from 0 to {latest.size}.",
        )
    path = notary.log(id).consistency(old, latest.size)
    lines = [f"old {old}", *written_proof(path), "", str(note)]
    return PlainTextResponse("\n".join(lines))


@router.get("/proofs/{index}", summary="Prove that an event is in a log.")
@needs(Need.FACTS)
def proof(
    served: ServedHere,
    id: SeenId,
    index: Annotated[Whole, Path(description="The event's index in the log.")],
) -> PlainTextResponse:
    """Return the proof that an event is in the log (C2SP `tlog-proof`), with its checkpoint."""
    notary, note, latest = _signed(served, id)
    if index >= latest.size:
        raise Problem(
            404,
            f"The log has {latest.size} events, so there is no index {index}.",
            f"Ask for an index from 0 to {latest.size - 1}.",
        )
    path = notary.log(id).inclusion(index, latest.size)
    return PlainTextResponse(tlog_proof(index, path, note))
