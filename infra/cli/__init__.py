"""The command `accord`: each command is made from a question or has a file of its name.

Data goes to stdout; notes, progress and errors to stderr.
"""

from pathlib import Path
from typing import Annotated

import typer

from infra.answers.table import QUESTIONS
from infra.cli import (  # noqa: F401 - they add their commands
    bundle,
    checkpoint,
    demo,
    diff,
    erasing,
    follow,
    ingest,
    init,
    keys,
    questions,
    rebuild,
    receipt,
    retry,
    settle,
    sign,
    up,
    witness,
)
from infra.cli.errors import main
from infra.cli.options import (
    FAILED,
    Json,
    Store,
    app,
    marked,
    opened,
)
from infra.settings import DEFAULT_STORE

__all__ = ["main"]

for question in QUESTIONS:
    questions.add(question)


@app.command(rich_help_panel="Query", epilog=f"Exit code {FAILED}: there is a difference.")
def verify(
    memory: Annotated[
        Path | None,
        typer.Option(
            "--memory",
            metavar="FILE",
            help="Remember here what was found good, and go on from there the next time.",
            show_default=False,
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Check the log and what was signed of it, rebuild every view; name the first difference."""
    from infra.cli import reading
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        answer = reading.verify(accord, memory)
        document(marked(accord, answer)) if as_json else reading.print_verified(answer)
    if not answer["verified"]:
        raise typer.Exit(FAILED)
