"""Evidence: can I rely on the record, and what can I take with me to check it elsewhere?"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse
from starlette.background import BackgroundTask

from infra.access.roles import Need, Role
from infra.answers.logs import NOW, size_of, times_at
from infra.answers.question import Answer, Item, PartnershipId
from infra.answers.signatures import SIGNATURES, SigningKey
from infra.answers.statements import STATEMENTS
from infra.answers.verify import Difference, Unfolded
from infra.audit.notary import Notary
from infra.deciding.group_commit import Busy
from infra.evidence.bundle import GUIDES, BundleRequest, TooLarge, export, guides, limits
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import (
    PageRoute,
    Posted,
    Visit,
    Visited,
    just_done,
    names_of,
    page,
    to_page,
)
from infra.http.problems import AGAIN_SOON, Problem
from infra.http.verdicts import MOST_EVENTS
from infra.tlog.notes import Checkpoint, Malformed, Note, Signature

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_LONGEST_REASON: Final = 2000

VERIFIED: Final = "verified"
"""What the page was just asked to do."""

MOST_CHECKPOINTS: Final = 100
"""The most checkpoints that a page lists."""

_UNSEEN: Final = {"key": "", "stored": None, "expected": None}
"""What a difference is shown without to a viewer who may not see stored values."""

_TOO_LONG: Final = "The log has more than {:,} events, so a page does not {}."


class Signer(Item):
    """Who signed a checkpoint, and when, if the signature says so."""

    by: str
    at: datetime | None
    is_log: bool
    """Whether it is the log itself, rather than a witness."""


class SignedCheckpoint(Item):
    """A checkpoint, and who signed it."""

    size: int
    """How many events it counts."""
    root: str
    """The root of the tree of these events, in hex: their fingerprint."""
    signatures: tuple[Signer, ...]


class LastVerification(Item):
    """What the last verification on a page found."""

    at: datetime
    verified: bool
    events: int
    rows: int
    differences: tuple[Difference, ...]
    """Without the key and the values where the viewer may not see them."""
    unfolded: tuple[Unfolded, ...]


class Evidence(Answer):
    """What is signed of a log, and what was verified."""

    id: str
    """The partnership."""
    events: int
    """The size of the log."""
    verification: LastVerification | None
    """Null if it was not verified since the server started."""
    checkpoints: tuple[SignedCheckpoint, ...]
    """The latest first, at most a hundred."""
    key: str | None
    """The key of the log; null for a process that cannot sign."""
    keys: tuple[SigningKey, ...]
    """The parties' keys, in the order in which they were added, ended ones included."""
    signed: int
    """How many events of parties were signed."""
    digests: dict[str, str]
    """The SHA-256 of each verifier of this release, and of what it reads."""


def _answer(visit: Visit, id: str) -> Evidence:
    when, accord = replace(visit.when(id), at=None, known=None), visit.accord
    notary, signatures = accord.notary, SIGNATURES.reply(accord, id=id, when=when)
    return Evidence(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        events=size_of(accord.history, id),
        verification=_verification(visit, id),
        checkpoints=tuple(islice(checkpoints(visit, id), MOST_CHECKPOINTS)),
        key=str(notary.seal.verifier(id)) if notary else None,
        keys=signatures.keys,
        signed=signatures.signed,
        digests=_digests(),
    )


def _verification(visit: Visit, id: str) -> LastVerification | None:
    last, sees = visit.served.verdicts.last(id), visit.sees
    if last is None:
        return None
    found = last.found
    shows_values = sees.party is None and sees.inputs
    return LastVerification(
        at=last.at,
        verified=found.verified,
        events=found.events,
        rows=found.rows,
        differences=found.differences
        if shows_values
        else tuple(each.model_copy(update=_UNSEEN) for each in found.differences),
        unfolded=found.quarantined
        if shows_values
        else tuple(each.model_copy(update={"error": ""}) for each in found.quarantined),
    )


@router.get("/partnerships/{id}/evidence.json")
@needs(Need.FACTS)
def evidence_json(visit: Visited, id: PartnershipId) -> Response:
    """Return what is signed and what was verified as JSON."""
    return as_json(_answer(visit, id))


@router.get("/partnerships/{id}/evidence.csv")
@needs(Need.FACTS)
def evidence_csv(visit: Visited, id: PartnershipId) -> Response:
    """Return the checkpoints of a log as a table."""
    return as_csv(f"{id}-checkpoints", SignedCheckpoint, _answer(visit, id).checkpoints)


@router.get("/partnerships/{id}/evidence/checkpoint")
@needs(Need.FACTS)
def evidence_checkpoint(visit: Visited, id: PartnershipId) -> Response:
    """Send the last checkpoint that is signed, as a note (C2SP signed note)."""
    visit.when(id)
    found = visit.accord.trees.checkpoints(id)
    if not found:
        raise Problem(404, "No checkpoint is signed yet.", "The log is signed within minutes.")
    name = {"Content-Disposition": f'attachment; filename="{id}-checkpoint.txt"'}
    return PlainTextResponse(found[-1], headers=name)


@router.get("/partnerships/{id}/evidence")
@needs(Need.FACTS)
def evidence_page(
    visit: Visited,
    request: Request,
    id: PartnershipId,
) -> Response:
    """Show what is signed, what was verified, and what can be taken away."""
    answer = _answer(visit, id)
    return page(
        "evidence.html",
        visit,
        section="portfolio",
        answer=answer,
        names=names_of(visit.accord, id, NOW),
        witnesses=_witnesses(answer),
        can_act=visit.form_token is not None and not visit.is_past,
        is_long=answer.events > MOST_EVENTS,
        most=MOST_EVENTS,
        limits=limits(),
        statements=STATEMENTS.reply(visit.accord, id=id, when=visit.when(id)).items[::-1],
        done=just_done(request) == VERIFIED,
    )


def _witnesses(answer: Evidence) -> Mapping[str, datetime | None]:
    """Return each witness of the listed checkpoints, and when it cosigned the first of them."""
    found = {
        one.by: one.at for each in answer.checkpoints for one in each.signatures if not one.is_log
    }
    return dict(sorted(found.items()))


@router.post("/partnerships/{id}/evidence/verify")
@needs(Need.FACTS)
def verify_on_page(visit: Visited, request: Request, id: PartnershipId, form: Posted) -> Response:  # noqa: ARG001 - read for its token
    """Verify the log and the views of a partnership, and show the result."""
    _check_length(visit, id, "verify it", "accord audit verify")
    if visit.served.verdicts.make(visit.accord, id) is None:
        again = "Wait a moment, and verify again."
        raise Problem(503, "Another log is being verified.", again, headers=AGAIN_SOON)
    return to_page(request, f"{visit.link(f'/partnerships/{id}/evidence')}#verdict", VERIFIED)


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
    asked = BundleRequest(
        by, reason, visit.viewer, statement=form.get("statement") or None, readable=True
    )
    return _sent(visit, id, asked)


def _sent(visit: Visit, id: str, asked: BundleRequest) -> Response:
    folder = Path(mkdtemp(prefix="accord-bundle-"))
    file = folder / f"{id}.zip"
    try:
        # It records the export, so it takes its turn among those who write.
        made = visit.served.workers.writer.call(
            lambda: export(visit.accord, _notary(visit), id, asked, file)
        ).result()
    except BaseException as error:
        _remove(file)
        if isinstance(error, Busy):
            again = "Ask for the bundle again."
            raise Problem(503, str(error), again, headers=AGAIN_SOON) from error
        if isinstance(error, TooLarge):
            raise _unreadable(id, str(error)) from error
        raise
    if made.too_large:
        _remove(file)
        raise _unreadable(id, made.too_large)
    return FileResponse(
        file,
        filename=file.name,
        media_type="application/zip",
        background=BackgroundTask(_remove, file),
    )


def _unreadable(id: str, why: str) -> Problem:
    part = f"Ask the operator for a part of it: accord audit bundle {id} --from DAY --to DAY."
    return Problem(422, f"No verifier reads this bundle. {why}", part)


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


def checkpoints(visit: Visit, id: str) -> Iterator[SignedCheckpoint]:
    """Yield the checkpoints of a log, the latest first; nothing is signed for a page."""
    for text in visit.accord.trees.checkpoints(id)[::-1]:
        with suppress(Malformed):
            note = Note.read(text)
            checkpoint = Checkpoint.read(note.text)
            signers = tuple(_signers(visit, note, checkpoint.origin))
            yield SignedCheckpoint(
                size=checkpoint.size, root=checkpoint.root.hex(), signatures=signers
            )


def checkpoint_by(visit: Visit, id: str) -> SignedCheckpoint | None:
    """Return the latest checkpoint of events that were all recorded by the moment asked about."""
    history, known = visit.accord.history, visit.known
    for each in checkpoints(visit, id):
        if known is None or times_at(history, id, each.size - 1)[1] <= known:
            return each
    return None


def _signers(visit: Visit, note: Note, origin: str) -> Iterator[Signer]:
    """Yield who signed a note: the log once, with its time, then each witness."""
    notary = visit.accord.notary
    yield Signer(by=origin, at=notary.seal.time(note) if notary else None, is_log=True)
    for each in note.signatures:
        if each.name != origin:
            yield Signer(by=each.name, at=_time_of(each), is_log=False)


def _time_of(signature: Signature) -> datetime | None:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(signature.stamp, UTC)
    return None


@cache
def _digests() -> dict[str, str]:
    """Return the SHA-256 of the verifiers and of what they read, as a contract pins them."""
    return {name: sha256(data).hexdigest() for name, data in guides().items() if name in _PINNED}


_PINNED: Final = tuple(each for each in GUIDES if each != "FORMAT.md")
