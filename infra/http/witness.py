"""A witness over HTTP: C2SP `tlog-witness`, and its last cosigned checkpoints."""

import sys
from collections.abc import Sequence
from pathlib import Path
from time import time

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.audit.witness import LARGEST, Witness, WitnessFile
from infra.http.server import address, configured, names, signals_end
from infra.running.listening import listening


def create_app(witness: Witness, seen: WitnessFile, hosts: Sequence[str] = ("*",)) -> Starlette:
    """Return the application of a witness; it answers only to these host names."""

    async def add_checkpoint(request: Request) -> Response:
        """Cosign a checkpoint; otherwise the status says why not."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            # A body that is too large is refused when it is parsed, so the rest is not needed.
            if len(body) > LARGEST:
                break
        answer = await run_in_threadpool(seen.answer, witness, bytes(body), int(time()))
        return Response(answer.body, answer.status, {"content-type": answer.media_type})

    def checkpoint(request: Request) -> Response:
        """Return the last cosigned checkpoint of the log whose origin has this SHA-256."""
        note = seen.last_by_hash(request.path_params["origin_hash"])
        if note is None:
            return PlainTextResponse("No checkpoint of this log was cosigned here.\n", 404)
        return PlainTextResponse(str(note))

    async def healthz(_: Request) -> Response:
        """Answer 200 while the process is alive."""
        return JSONResponse({"status": "alive"})

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", checkpoint),
            Route("/healthz", healthz),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
        ],
    )


def serve(witness: Witness, state: Path, host: str, port: int) -> None:
    """Serve a witness until SIGINT or SIGTERM; port 0 means any free one.

    Raises `CannotListen`.
    """
    with listening(host, port) as sock:
        server = uvicorn.Server(configured(create_app(witness, WitnessFile(state), names(host))))
        with signals_end(server):
            sys.stderr.write(f"The witness {witness.name} listens at {address(sock)}.\n")
            server.run([sock])
