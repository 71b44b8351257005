"""`accord audit bundle`: write the evidence of a partnership to a file."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.values import counted
from infra.answers.parameters import Since
from infra.answers.question import Result
from infra.answers.text import Block, Line, Remark, Verbatim
from infra.cli import acting, printing
from infra.cli.options import FAILED, Id, Json, Store, audit, moment_option, opened
from infra.cli.witness import NotCosigned, not_cosigned, report
from infra.settings import DEFAULT_STORE


class Written(Result):
    """A bundle that was written."""

    file: str
    size: int
    """The events of the log."""
    withheld: int
    """How many of them are in it as hashes alone."""
    files: int
    """The files in it that its events name."""
    log: str
    """The key of the log, which a reader pins."""
    warning: str | None
    """How the store differs from what was signed; null if it does not."""
    too_large: str | None
    """Why no verifier reads the bundle; null if it is not too large."""
    not_cosigned: tuple[NotCosigned, ...]
    """The witnesses of the policy that did not cosign its last checkpoint."""


@audit.command(
    epilog=f"Exit code {FAILED}: the store was altered, a witness refused to cosign, or the bundle "
    "is larger than a verifier reads."
)
def bundle(
    id: Id,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.zip", help="A new file.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What it is for; the log records it.")
    ],
    party: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="PARTY",
            help="Include what this party sees; without it, only what both see is included.",
        ),
    ] = None,
    statement: Annotated[
        str | None,
        typer.Option(
            "--statement",
            metavar="STATEMENT",
            help="Include a proof of this statement, by its name or period.",
        ),
    ] = None,
    alert: Annotated[
        str | None,
        typer.Option(
            "--alert", metavar="ALERT", help="Include proofs of the events behind this alert."
        ),
    ] = None,
    start: Annotated[
        datetime | None, moment_option("--from", "Include earlier events as hashes alone.", Since)
    ] = None,
    end: Annotated[
        datetime | None, moment_option("--to", "Include later events as hashes alone.")
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            metavar="FOLDER",
            help="Include the files in this folder whose SHA-256 an event names.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Write an evidence bundle, which can be checked offline without trusting the operator.

    It contains events, signed commands, proofs, checkpoints, the format and two verifiers
    (docs/auditor.md). Its statements can be computed with accord audit replay.
    """
    from infra.evidence.bundle import BundleRequest, export

    with opened(store, as_json=as_json) as accord:
        by = acting.person(accord, id)
        asked = BundleRequest(by, reason, party, statement, alert, start, end, files)
        accord.catch_up()
        notary = accord.signing()
        made = export(accord, notary, id, asked, out)
        written = Written(
            simulated=accord.simulated,
            file=str(out),
            size=made.size,
            withheld=made.withheld,
            files=made.files,
            log=str(notary.seal.verifier(id)),
            warning=made.warning or None,
            too_large=made.too_large,
            not_cosigned=not_cosigned(notary, id),
        )
    printing.result(written, _text, as_json=as_json)
    report(written.not_cosigned)
    if written.warning or written.too_large:
        raise typer.Exit(FAILED)


def _text(written: Written) -> Iterator[Block]:
    hidden = f", {written.withheld} of them as hashes alone" if written.withheld else ""
    files = f" and {counted(written.files, 'file')}" if written.files else ""
    what = f"Wrote {counted(written.size, 'event')}{hidden}{files} to {written.file}."
    yield Line(f"{what} Its reader pins this key of the log:")
    yield Verbatim(f"{written.log}\n")
    if written.warning:
        yield Remark(f"The store differs from what was signed: {written.warning}")
    if written.too_large:
        yield Remark(f"{written.too_large} Export a part of the log with --from and --to.")
