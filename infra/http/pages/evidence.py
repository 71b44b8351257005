"""Evidence: can I rely on the record, and what can I take with me to check it elsewhere?"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, RedirectResponse
from starlette.background import BackgroundTask

from infra.access.roles import Need, Role
from infra.answers.logs import size_of
from infra.answers.question import PartnershipId
from infra.audit.notary import Notary
from infra.deciding.group_commit import Busy
from infra.evidence.bundle import GUIDES, BundleRequest, export, guides
from infra.http.access import needs
from infra.http.pages.site import PageRoute, Posted, Visit, Visited, names_of, page
from infra.http.problems import AGAIN_SOON, Problem
from infra.http.verdicts import MOST_EVENTS
from infra.tlog.notes import Checkpoint, Malformed, Note, Signature

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LONGEST_REASON: Final = 2000
_TOO_LONG: Final = "The log has more than {:,} events, so a page does not {}."


@dataclass(frozen=True, slots=True)
class Cosigned:
    """Who signed a checkpoint, and when, if the signature says so."""

    by: str
    at: datetime | None
    is_log: bool
    """Whether it is the log itself, rather than a witness."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint, and who signed it."""

    size: int
    root: str
    signatures: tuple[Cosigned, ...]


@router.get("/partnerships/{id}/evidence")
@needs(Need.FACTS)
def evidence_page(
    visit: Visited,
    id: PartnershipId,
    *,
    done: Annotated[bool, Query(description="Whether it was verified just now.")] = False,
) -> Response:
    """Show what is signed, what was verified, and what can be taken away."""
    seen = visit.when(id).viewer
    size = size_of(visit.accord.history, id)
    notary = visit.accord.notary
    return page(
        "evidence.html",
        visit,
        section="portfolio",
        id=id,
        names=names_of(visit.accord, id, visit.when(id)),
        size=size,
        checkpoint=_last(visit, id),
        verdict=visit.served.verdicts.last(id),
        shows_values=seen.party is None and seen.inputs,
        key=str(notary.seal.verifier(id)) if notary else None,
        digests=_digests(),
        can_act=visit.form_token is not None and not visit.is_past,
        is_long=size > MOST_EVENTS,
        most=MOST_EVENTS,
        done=done,
    )


@router.post("/partnerships/{id}/evidence/verify")
@needs(Need.FACTS)
def verify_on_page(visit: Visited, id: PartnershipId, form: Posted) -> Response:  # noqa: ARG001 - read for its token
    """Verify the log and the views of a partnership, and show the result."""
    _check_length(visit, id, "verify it", "accord audit verify")
    if visit.served.verdicts.make(visit.accord, id) is None:
        again = "Wait a moment, and verify again."
        raise Problem(503, "Another log is being verified.", again, headers=AGAIN_SOON)
    to = visit.link(f"/partnerships/{id}/evidence", done="true")
    return RedirectResponse(f"{to}#verdict", HTTPStatus.SEE_OTHER)


@router.post("/partnerships/{id}/evidence/bundle")
@needs(Need.FACTS)
def bundle_on_page(visit: Visited, id: PartnershipId, form: Posted) -> Response:
    """Write the evidence that the viewer sees to a file, and send it. The export is recorded."""
    _check_length(visit, id, "export it", f"accord audit bundle {id}")
    reason = form.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise Problem(422, "A bundle needs its reason.", "Say in a sentence what it is for.")
    by = form.get("by", "").strip() if visit.identity.role is Role.ANYONE else visit.identity.actor
    if not by or not by.isprintable():
        raise Problem(422, "A bundle names who asks for it.", "Fill in your name.")
    asked = BundleRequest(by, reason, visit.viewer)
    return _sent(visit, id, asked)


def _sent(visit: Visit, id: str, asked: BundleRequest) -> Response:
    folder = Path(mkdtemp(prefix="accord-bundle-"))
    file = folder / f"{id}.zip"
    try:
        # It records the export, so it takes its turn among those who write.
        visit.served.workers.writer.call(
            lambda: export(visit.accord, _notary(visit), id, asked, file)
        ).result()
    except BaseException as error:
        _remove(file)
        if isinstance(error, Busy):
            again = "Ask for the bundle again."
            raise Problem(503, str(error), again, headers=AGAIN_SOON) from error
        raise
    return FileResponse(
        file,
        filename=file.name,
        media_type="application/zip",
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(_remove, file),
    )


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    with suppress(OSError):
        file.parent.rmdir()


def _notary(visit: Visit) -> Notary:
    if visit.accord.notary is None:
        raise Problem(503, "This process has no signing key.", "Ask the operator for a bundle.")
    return visit.accord.notary


def _check_length(visit: Visit, id: str, what: str, command: str) -> None:
    """Raise a problem for a partnership that the viewer does not see, or that is too long."""
    visit.when(id)
    if size_of(visit.accord.history, id) > MOST_EVENTS:
        raise Problem(422, _TOO_LONG.format(MOST_EVENTS, what), f"Ask the operator for: {command}")


# --- what is shown -----------------------------------------------------------------------------


def _last(visit: Visit, id: str) -> Signed | None:
    """Return the last checkpoint of a log; nothing is signed for a page."""
    notes = visit.accord.trees.checkpoints(id)
    if not notes:
        return None
    with suppress(Malformed):
        note = Note.read(notes[-1])
        checkpoint = Checkpoint.read(note.text)
        return Signed(
            checkpoint.size, checkpoint.root.hex(), tuple(_signers(visit, note, checkpoint.origin))
        )
    return None


def _signers(visit: Visit, note: Note, origin: str) -> Iterator[Cosigned]:
    """Yield who signed a note: the log once, with its time, then each witness."""
    notary = visit.accord.notary
    yield Cosigned(origin, notary.seal.time(note) if notary else None, is_log=True)
    for each in note.signatures:
        if each.name != origin:
            yield Cosigned(each.name, _time_of(each), is_log=False)


def _time_of(signature: Signature) -> datetime | None:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(signature.stamp, UTC)
    return None


@cache
def _digests() -> dict[str, str]:
    """Return the SHA-256 of the verifiers and of what they read, as a contract pins them."""
    return {name: sha256(data).hexdigest() for name, data in guides().items() if name in _PINNED}


_PINNED: Final = tuple(each for each in GUIDES if each != "FORMAT.md")
