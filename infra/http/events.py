"""Events in: ``POST /v1/events``, the HTTP binding of CloudEvents 1.0 in all its modes."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from infra.deciding.group_commit import GATHERED, Busy
from infra.deciding.service import Outcome
from infra.http import openapi
from infra.http.problems import AGAIN_SOON, Problem, refusal
from infra.http.served import Served, ServedHere
from infra.tlog import cloudevents

log = logging.getLogger(__name__)

LARGEST_BODY = 8 * 2**20
"""Bytes of the largest body that is taken."""

_READ_AT_MOST = 8 * LARGEST_BODY
"""Bytes that are still read of a body too large, so that its sender is there for the answer."""

_, BATCH, LINES, JSON = openapi.MEDIA_TYPES

router = APIRouter(tags=["Events"])


@router.post("/v1/events", openapi_extra=openapi.POST_EVENTS, responses=openapi.POST_ANSWERS)
async def post_events(request: Request, served: ServedHere) -> Response:
    """Record events.

    One event (structured or binary mode) is answered with its outcome; a batch or JSON lines
    with how many were accepted, how many had been sent before, and each that was refused, why,
    and what mends it. The same event (by `source` and `id`) may be sent again at any time. An
    event may come signed, in a DSSE envelope. What is accepted has the operator's receipt.
    """
    media_type = _media_type(request.headers)
    body = await _body(request)
    if media_type == JSON and any(name.startswith("ce-") for name in request.headers):
        return await _one(served, cloudevents.from_binary(request.headers, body))
    if media_type == LINES:
        return await _many(served, [line for line in body.splitlines() if line.strip()])
    if media_type == BATCH or (media_type == JSON and body.lstrip().startswith(b"[")):
        return await _many(served, list(cloudevents.split(body)))
    return await _one(served, body)


async def _one(served: Served, raw: bytes) -> Response:
    (outcome,) = await _decide(served, [raw])
    if outcome.status == "refused":
        raise refusal(outcome)
    answer = {
        "status": outcome.status,
        "source": outcome.source,
        "id": outcome.id,
        "partnership": outcome.partnership,
        "events": {"first": outcome.first, "count": outcome.count},
    }
    for each in await _receipts(served, [outcome]):
        answer["receipt"] = each["receipt"]
    return served.answer(answer)


async def _many(served: Served, raws: Sequence[bytes]) -> Response:
    count = {"accepted": 0, "duplicate": 0, "refused": 0}
    refused: list[dict[str, Any]] = []
    receipts: list[dict[str, str]] = []
    # In parts, so that other senders get their turns between.
    for start in range(0, len(raws), GATHERED):
        outcomes = await _decide(served, raws[start : start + GATHERED])
        receipts += await _receipts(served, outcomes)
        for outcome in outcomes:
            count[outcome.status] += 1
            if outcome.status == "refused":
                refused.append(outcome.refusal())
    answer = {"accepted": count["accepted"], "duplicates": count["duplicate"], "refused": refused}
    return served.answer(answer | ({"receipts": receipts} if receipts else {}))


async def _receipts(served: Served, outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
    """Give the receipts of what was accepted, now or before; none where there is no key."""
    signed = served.accord.receipts
    return [] if signed is None else await asyncio.to_thread(signed.rows, outcomes)


async def _decide(served: Served, raws: Sequence[bytes]) -> list[Outcome]:
    again = "Send the same again; what was recorded already is told apart by source and id."
    try:
        return await asyncio.wrap_future(served.workers.writer.submit(raws))
    except Busy as busy:
        raise Problem(503, str(busy), headers=AGAIN_SOON, hint=again) from busy
    except Exception as error:
        log.exception("events could not be recorded")
        detail = "The store could not be written."
        raise Problem(503, detail, headers=AGAIN_SOON, hint=again) from error


# --- what came in ------------------------------------------------------------------------------


def _media_type(headers: Headers) -> str:
    """Give the body's media type. Raises a problem for one that is not understood."""
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace('"', "").partition("charset=")[2].partition(";")[0].strip()
    if (
        media_type.strip() not in openapi.MEDIA_TYPES
        or charset not in {"", "utf-8"}
        or headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem(
            415,
            "Events are taken as JSON in UTF-8 that is not compressed.",
            headers={"Accept": ", ".join(openapi.MEDIA_TYPES)},
            hint=f"Give the Content-Type as one of {', '.join(openapi.MEDIA_TYPES)}.",
        )
    return media_type.strip()


async def _body(request: Request) -> bytes:
    """Give the whole body. Raises a problem for one that is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _READ_AT_MOST:
            break
        if size <= LARGEST_BODY:
            parts.append(part)
    if size > LARGEST_BODY:
        raise Problem(
            413,
            f"A body has at most {LARGEST_BODY} bytes.",
            hint="Send the events in several requests.",
        )
    return b"".join(parts)
