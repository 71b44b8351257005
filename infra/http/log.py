"""The verifiable log over HTTP: what a party or a witness needs to check it without asking us."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from domain.values import Slug
from infra.audit.log import Altered
from infra.audit.notary import Notary
from infra.http import openapi
from infra.http.problems import Problem
from infra.http.served import Served, ServedHere
from infra.tlog.notes import Checkpoint, Note, tlog_proof, written_proof

TEXT: Final = "text/plain; charset=utf-8"

_TOLD: Final[dict[int | str, dict[str, Any]]] = {
    404: openapi.problem("There is no such partnership, event or checkpoint."),
    409: openapi.problem("What is stored is not what was recorded, so nothing is signed."),
    422: openapi.problem("A parameter is wrong."),
    503: openapi.problem("This process has no key to sign with."),
}

router = APIRouter(tags=["Log"], prefix="/v1/partnerships/{partnership}")


def _notary(served: Served) -> Notary:
    notary = served.accord.notary
    if notary is None:
        raise Problem(503, "This process has no signing key.", hint="Set ACCORD_KEY to its file.")
    return notary


def _signed(served: Served, partnership: str) -> tuple[Notary, Note, Checkpoint]:
    notary = _notary(served)
    try:
        note = notary.checkpoint(partnership)
    except LookupError as error:
        raise Problem(404, str(error), hint="See what there is: accord list.") from error
    except Altered as error:
        raise Problem(409, str(error), index=error.index) from error
    return notary, note, Checkpoint.read(note.text)


@router.get("/key", responses=_TOLD)
def log_key(served: ServedHere, partnership: Slug) -> Response:
    """Give the key by which the checkpoints of this log are checked (C2SP verifier key)."""
    return Response(f"{_notary(served).seal.verifier(partnership)}\n", media_type=TEXT)


@router.get("/checkpoint", responses=_TOLD)
def checkpoint(served: ServedHere, partnership: Slug) -> Response:
    """Give the checkpoint of all that is recorded, signed now if it was not (C2SP signed note)."""
    _, note, _ = _signed(served, partnership)
    return Response(str(note), media_type=TEXT)


@router.get("/consistency", responses=_TOLD)
def consistency(
    served: ServedHere,
    partnership: Slug,
    old: Annotated[int, Query(ge=0, description="The size of the checkpoint that is known.")],
) -> Response:
    """Give the checkpoint with the proof that it grew from one that is known.

    The answer is what a witness takes (C2SP `tlog-witness`): the old size, the proof's hashes, an
    empty line, the checkpoint.
    """
    notary, note, latest = _signed(served, partnership)
    if old > latest.size:
        raise Problem(404, f"The log has {latest.size} events, and none of {old} was signed.")
    path = notary.log(partnership).consistency(old, latest.size)
    lines = [f"old {old}", *written_proof(path), "", str(note)]
    return Response("\n".join(lines), media_type=TEXT)


@router.get("/proofs/{index}", responses=_TOLD)
def proof(
    served: ServedHere,
    partnership: Slug,
    index: Annotated[int, Path(ge=0, description="The event's place in the log.")],
) -> Response:
    """Give the proof that an event is in the log (C2SP `tlog-proof`); it stands by itself."""
    notary, note, latest = _signed(served, partnership)
    if index >= latest.size:
        raise Problem(404, f"The log has {latest.size} events, so there is none of index {index}.")
    path = notary.log(partnership).inclusion(index, latest.size)
    return Response(tlog_proof(index, path, note), media_type=TEXT)
