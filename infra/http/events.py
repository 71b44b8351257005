"""Events in: ``POST /v1/events``, the HTTP binding of CloudEvents 1.0 in all its modes."""

import asyncio
import logging
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from infra.access.roles import Identity, Need, Role
from infra.answers.adoption_file import event_of
from infra.answers.outcomes import (
    Caused,
    MemberResult,
    WaitingFor,
    waiting_for,
)
from infra.answers.question import Result
from infra.answers.validation import Validation, validation
from infra.deciding import senders
from infra.deciding.batch import Outcome
from infra.deciding.clock import ClockInDoubt
from infra.deciding.group_commit import GATHERED, Busy
from infra.deciding.intake import Sent
from infra.http import openapi
from infra.http.access import Caller, GuardedRoute, needs
from infra.http.dependencies import Served, ServedHere, json
from infra.http.problems import AGAIN_SOON, Problem, refusal, too_large
from infra.settings import HttpLimits
from infra.store.errors import StoreFull
from infra.store.history import InputId
from infra.tlog import cloudevents
from infra.tlog.notes import Note

log = logging.getLogger(__name__)

READ = 8
"""How many times the limit is still read of a larger body, so that its sender gets the answer."""

STRUCTURED, BATCH, LINES, JSON = openapi.MEDIA_TYPES

router = APIRouter(route_class=GuardedRoute, tags=["Ingest"])


class Decided(Result):
    """What was decided about one event."""

    status: Literal["accepted", "duplicate"]
    """`duplicate` if the same event was accepted before."""
    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    partnership: str
    """The partnership."""
    events: Caused
    """Where the events that it caused are in the partnership's log."""
    receipt: str | None = None
    """The operator's receipt: a signed note that the events stand in every checkpoint from its
    deadline on. Null where this process has no signing key."""
    lookalikes: tuple[str, ...] = ()
    """Parties and candidates of the partnership whose names are close to the new one."""


class Waits(Result):
    """An event that waits. It is decided when what it waits for is recorded."""

    status: Literal["waiting"]
    """It is not decided yet."""
    source: str
    """The service that sent it."""
    id: str
    """Its id there."""
    partnership: str
    """The partnership that it is about."""
    waiting_for: WaitingFor
    """What it waits for."""


class Decisions(Result):
    """What was decided about a batch. Each event is decided alone."""

    accepted: int
    """How many events were accepted."""
    duplicates: int
    """Events that had been accepted before."""
    waiting: int
    """Events that wait for what they name."""
    refused: int
    """Events that were refused."""
    results: tuple[MemberResult, ...]
    """The result of each event, in the order of the request."""


@router.post(
    "/v1/events",
    summary="Record events.",
    response_model=Decided | Decisions,
    openapi_extra=openapi.POST_EVENTS,
    responses={
        HTTPStatus.ACCEPTED: {
            "model": Waits | Decisions,
            "description": "The event waits for what it names, or all events of the batch do.",
        },
        **openapi.POST_PROBLEMS,
    },
)
@needs(Need.EMIT)
async def post_events(request: Request, served: ServedHere, who: Caller) -> Response:
    """Record events.

    One event (structured or binary mode) is answered with its outcome. A batch or JSON lines are
    answered with the counts, and a result for each event with its index: each is decided alone.
    Such a request has the status 200 if one of its events was taken, 202 if all of them wait, and
    422 if all of them were refused.

    The same event (by `source` and `id`) can be sent again at any time. An event that names
    something that is not on record yet waits for it (202). A signed event comes in a DSSE envelope.
    An accepted event has the operator's receipt.
    """
    sent = await _messages(request, served.limits, who)
    if isinstance(sent, bytes):
        return await _one(served, who, sent)
    return await _many(served, who, sent)


@router.post(
    "/v1/validate",
    summary="Decide events without recording them.",
    response_model=Validation,
    openapi_extra=openapi.POST_EVENTS,
    responses={
        200: {"description": "What would be decided, event by event."},
        400: openapi.problem("The body is not the array that its media type says it is."),
        **{status: openapi.POST_PROBLEMS[status] for status in (408, 413, 415, 503)},
    },
)
@needs(Need.EMIT)
async def post_validate(request: Request, served: ServedHere, who: Caller) -> Response:
    """Return the outcomes that events would have, in the forms that `POST /v1/events` takes.

    Each event is decided on what the ones before it would have recorded. Nothing is recorded, and
    a refusal is an outcome of this answer, not a problem.
    """
    sent = await _messages(request, served.limits, who)
    raws = [sent] if isinstance(sent, bytes) else sent
    return json(await asyncio.to_thread(_validated, served, who, raws))


@router.post(
    "/v1/adoptions",
    summary="Propose to adopt a running partnership.",
    response_model=Decided,
    openapi_extra=openapi.POST_ADOPTION,
    responses={200: {"description": "What was decided."}, **openapi.POST_ONE_PROBLEMS},
)
@needs(Need.EMIT)
async def post_adoption(request: Request, served: ServedHere, who: Caller) -> Response:
    """Propose that a partnership which already runs comes in with what it is.

    The body is an event of the type `accord.ProposeAdoption`, of which all attributes but
    `subject`, `party`, `actor` and `data` may be left out. Nothing binds until the other party
    accepts it.
    """
    if _media_type(request.headers) not in {JSON, STRUCTURED}:
        raise Problem(415, "An adoption is one JSON object.", f"Send it as {JSON}.")
    body = await _body(request, served.limits.body_bytes)
    return await _one(served, who, senders.named(who, event_of(body, served.accord.clock())))


def _validated(served: Served, who: Identity, raws: Sequence[bytes]) -> Validation:
    refused = senders.refusals(who, raws)
    outcomes = served.accord.service.validate(senders.allowed(who, raws, refused))
    return validation(served.accord, senders.in_order(refused, outcomes))


async def _messages(request: Request, limits: HttpLimits, who: Identity) -> bytes | list[bytes]:
    """Return what a request sends, as `_sent` does; each message names its actor."""
    found = await _sent(request, limits)
    if not who.is_person:
        return found
    if isinstance(found, bytes):
        return senders.named(who, found)
    return await asyncio.to_thread(lambda: [senders.named(who, each) for each in found])


async def _sent(request: Request, limits: HttpLimits) -> bytes | list[bytes]:
    """Return the message of a request, or its messages if it is a batch or JSON lines.

    Raises a problem for a body that is too large, has too many events, or is a batch that cannot be
    read.
    """
    media_type = _media_type(request.headers)
    body = await _body(request, limits.body_bytes)
    binary = any(name.startswith("ce-") for name in request.headers)
    if media_type == JSON and binary:
        return cloudevents.from_binary(request.headers.items(), body)
    if media_type == LINES:
        return await asyncio.to_thread(_bounded, cloudevents.split(body), limits.events)
    if media_type == BATCH or (media_type == JSON and _begins_array(body)):
        # A deeply nested body takes some seconds, in which others are answered.
        if not await asyncio.to_thread(cloudevents.is_array, body):
            raise Problem(
                400,
                "The body is not a JSON array, so none of its events can be read.",
                f"Send an array of events, or JSON lines as {LINES}.",
            )
        return await asyncio.to_thread(_bounded, cloudevents.split(body), limits.events)
    return body


def _begins_array(body: bytes) -> bool:
    return body.removeprefix(BOM_UTF8).lstrip().startswith(b"[")


def _bounded(messages: Iterable[bytes], limit: int) -> list[bytes]:
    found = list(islice(messages, limit + 1))
    if len(found) > limit:
        raise Problem(
            413,
            f"A request has at most {limit} events. None of these was decided.",
            "Send the events in several requests.",
        )
    return found


@router.options("/v1/events", include_in_schema=False)
@needs(Need.NOTHING)
def agree_to_deliveries(
    origin: Annotated[str | None, Header(alias="WebHook-Request-Origin")] = None,
) -> Response:
    """Agree to deliveries by webhook (HTTP 1.1 Web Hooks for Event Delivery, section 4).

    Any origin may deliver, at any rate. A sender that is too quick is answered 503 with
    `Retry-After`.
    """
    headers = {"Allow": "OPTIONS, POST"}
    if origin is not None:
        headers |= {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
    return Response(headers=headers)


async def _one(served: Served, who: Identity, raw: bytes) -> Response:
    (outcome,) = await decide(served, who, [raw])
    if outcome.status == "refused":
        raise refusal(outcome)
    if outcome.status == "waiting":
        waits = Waits(
            simulated=served.accord.simulated,
            status=outcome.status,
            source=outcome.source,
            id=outcome.id,
            partnership=outcome.partnership,
            waiting_for=waiting_for(outcome.waiting_for),
        )
        return json(waits, HTTPStatus.ACCEPTED)
    receipt = (await _receipts(served, [outcome])).get(outcome.input)
    return json(
        Decided(
            simulated=served.accord.simulated,
            status=outcome.status,
            source=outcome.source,
            id=outcome.id,
            partnership=outcome.partnership,
            events=Caused(first=outcome.first, count=outcome.count),
            receipt=str(receipt) if receipt else None,
            lookalikes=outcome.lookalikes,
        )
    )


async def _many(served: Served, who: Identity, raws: Sequence[bytes]) -> Response:
    """Decide the events of a batch; each has its result.

    The status is 200 if one of them was taken, 202 if all wait, and 422 if all were refused.
    """
    decisions = await _decisions(served, who, raws)
    if decisions.results and decisions.refused == len(decisions.results):
        raise Problem(
            422,
            "No event of the request was recorded.",
            "Each of the results has the rule that refused the event, and a hint.",
            results=decisions.results,
        )
    all_wait = decisions.waiting and decisions.waiting == len(decisions.results)
    return json(decisions, HTTPStatus.ACCEPTED if all_wait else HTTPStatus.OK)


async def _decisions(served: Served, who: Identity, raws: Sequence[bytes]) -> Decisions:
    results: list[MemberResult] = []
    waiting: dict[InputId, int] = {}
    # Submit in parts, so that other senders get their turns.
    for start in range(0, len(raws), GATHERED):
        outcomes = await decide(served, who, raws[start : start + GATHERED])
        settled = [each for outcome in outcomes for each in outcome.settled]
        notes = await _receipts(served, [*outcomes, *settled])
        for index, outcome in enumerate(outcomes, start):
            results.append(_member(index, outcome, notes))
            if outcome.status == "waiting":
                waiting[outcome.input] = index
            for each in outcome.settled:
                # An earlier event of this request no longer waits.
                if (place := waiting.pop(each.input, None)) is not None:
                    results[place] = _member(place, each, notes)
    counts = Counter(each.status for each in results)
    return Decisions(
        simulated=served.accord.simulated,
        accepted=counts["accepted"],
        duplicates=counts["duplicate"],
        waiting=counts["waiting"],
        refused=counts["refused"],
        results=tuple(results),
    )


def _member(index: int, outcome: Outcome, receipts: Mapping[InputId, Note]) -> MemberResult:
    is_taken = outcome.status in {"accepted", "duplicate"}
    receipt = receipts.get(outcome.input) if is_taken else None
    return MemberResult(
        index=index,
        status=outcome.status,
        source=outcome.source,
        id=outcome.id,
        partnership=outcome.partnership,
        events=Caused(first=outcome.first, count=outcome.count) if is_taken else None,
        receipt=str(receipt) if receipt else None,
        waiting_for=waiting_for(outcome.waiting_for) if outcome.status == "waiting" else None,
        rule=outcome.rule,
        detail=outcome.detail,
        hint=outcome.hint,
        pointer=outcome.pointer,
        lookalikes=outcome.lookalikes,
    )


async def _receipts(served: Served, outcomes: Sequence[Outcome]) -> dict[InputId, Note]:
    """Return the receipts of accepted events and duplicates; none in a process without a key."""
    signed = served.accord.receipts
    return {} if signed is None else await asyncio.to_thread(signed.of, outcomes)


async def decide(served: Served, who: Identity, raws: Sequence[bytes]) -> list[Outcome]:
    """Return the outcomes of events in order; those that the caller may not send are refused."""
    refused = (
        await asyncio.to_thread(senders.refusals, who, raws) if who.role is not Role.ANYONE else {}
    )
    asked = senders.allowed(who, raws, refused)
    return senders.in_order(refused, await _submitted(served, asked) if asked else [])


async def _submitted(served: Served, sent: Sequence[bytes | Sent]) -> list[Outcome]:
    again = "Send the same request again; events that were recorded already become duplicates."
    if served.accord.history.read_only:
        detail = (
            "This store can only be read: it is an evidence bundle, or nobody may write its file."
        )
        raise Problem(403, detail, "Send the same to the store that is written.")
    try:
        return await asyncio.wrap_future(served.workers.writer.submit(sent))
    except Busy as busy:
        raise Problem(503, str(busy), again, headers=AGAIN_SOON) from busy
    except (ClockInDoubt, StoreFull):
        raise
    except Exception as error:
        log.exception("events could not be recorded")
        detail = "The store could not be written."
        raise Problem(503, detail, again, headers=AGAIN_SOON) from error


# --- the request -------------------------------------------------------------------------------


def _media_type(headers: Headers) -> str:
    """Return the body's media type, one of `openapi.MEDIA_TYPES`: any type of JSON is `JSON`.

    Without a content type, a message in binary mode has data of JSON. Raises a problem for a body
    of another type.
    """
    content_type = headers.get("content-type", "")
    if not content_type and any(name.startswith("ce-") for name in headers):
        content_type = JSON
    media_type, charset = cloudevents.media_type(content_type)
    if media_type not in openapi.MEDIA_TYPES and cloudevents.is_json(content_type):
        media_type = JSON
    if (
        media_type not in openapi.MEDIA_TYPES
        or charset not in cloudevents.UTF8
        or headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem(
            415,
            "Events must be JSON in UTF-8, not compressed.",
            f"Give the Content-Type as one of {', '.join(openapi.MEDIA_TYPES)}.",
            headers={"Accept": ", ".join(openapi.MEDIA_TYPES)},
        )
    return media_type


async def _body(request: Request, limit: int) -> bytes:
    """Return the whole body. Raises a problem for one that is larger than `limit`, or cut off."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > READ * limit:
                break
            if size <= limit:
                parts.append(part)
    except ClientDisconnect:
        raise Problem(400, "The connection ended before the body did.") from None
    if size > limit:
        raise too_large(limit)
    return b"".join(parts)
