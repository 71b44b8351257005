"""`accord audit checkpoint` and `timestamp`: sign a log, and have its time confirmed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.values import counted, moment_words
from infra.answers.logs import size_of
from infra.answers.question import Result
from infra.answers.text import Block, Line, Verbatim
from infra.cli import printing
from infra.cli.options import FAILED, Id, Json, Store, audit, opened
from infra.cli.witness import NotCosigned, not_cosigned, report
from infra.settings import DEFAULT_STORE


class SignedCheckpoint(Result):
    """A partnership's checkpoint: the size, the root and the time of its log, signed."""

    partnership: str
    note: str
    """A signed note (C2SP `tlog-checkpoint`)."""
    not_cosigned: tuple[NotCosigned, ...]
    """The witnesses of the policy that did not cosign it."""


class Timestamped(Result):
    """A checkpoint with the time that an outside authority gave it."""

    partnership: str
    size: int
    """The events of the checkpoint."""
    at: datetime


@audit.command(epilog=f"Exit code {FAILED}: a witness refused to cosign.")
def checkpoint(id: Id, store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Sign the current state of a partnership's log, and print it: size, root, time.

    Every stored event is hashed anew first. If one was altered, nothing is signed or printed.
    Witnesses that did not cosign are named with their reasons.
    """
    with opened(store, as_json=as_json) as accord:
        size_of(accord.history, id)
        notary = accord.signing()
        notary.log(id).check()
        note = str(notary.checkpoint(id))
        missing = not_cosigned(notary, id)
        found = SignedCheckpoint(
            simulated=accord.simulated, partnership=id, note=note, not_cosigned=missing
        )
    printing.result(found, lambda _: [Verbatim(note)], as_json=as_json)
    report(missing)


@audit.command()
def timestamp(
    id: Id,
    authority: Annotated[
        str, typer.Option("--authority", metavar="URL", help="The time authority (RFC 3161).")
    ],
    roots: Annotated[
        Path,
        typer.Option("--roots", metavar="FILE", help="The root certificates of the authority."),
    ],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Have an outside authority timestamp the latest checkpoint; later bundles contain the proof.

    The answer is verified before it is kept. It covers the text of the checkpoint.
    """
    from infra.audit import timestamps
    from infra.evidence.bundle import TIMESTAMP
    from infra.store.history import Kept, Writes
    from infra.tlog.notes import Checkpoint

    trusted = timestamps.roots(roots.read_bytes())
    with opened(store, as_json=as_json) as accord:
        size_of(accord.history, id)
        text = accord.signing().checkpoint(id).text
        answer = timestamps.fetch(authority, timestamps.request(text))
        at = timestamps.verify(answer, text, trusted)
        size = Checkpoint.read(text).size
        accord.history.append([], Writes(kept=[Kept(TIMESTAMP, id, str(size), answer)]))
        found = Timestamped(simulated=accord.simulated, partnership=id, size=size, at=at)
    printing.result(found, _text, as_json=as_json)


def _text(found: Timestamped) -> Iterator[Block]:
    yield Line(
        f"The checkpoint of {counted(found.size, 'event')} of {found.partnership} "
        f"existed at {moment_words(found.at.astimezone(UTC))}."
    )
