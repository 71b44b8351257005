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
    At,
    Json,
    Known,
    Party,
    Store,
    app,
    marked,
    opened,
)
from infra.settings import DEFAULT_STORE

__all__ = ["main"]

for question in QUESTIONS:
    questions.add(question)


@app.command(rich_help_panel="Query")
def explain(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="ALERT|KPI",
            help="An alert's id, or a KPI: ID/METRIC/PERIOD, a segment behind it if need be.",
            show_default=False,
        ),
    ],
    at: At = None,
    known: Known = None,
    party: Party = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Tell why, from the events alone: the rule in force, the inputs, the events behind them.

    Such as referral-minimum@1/growthos-consulting/2026-Q1, or growthos-consulting/leads/2026-Q1.
    """
    from infra import answers
    from infra.cli import standing
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        from projections.visibility import Viewer

        answer = answers.explain(accord, reference, answers.AsOf(at, known, viewer=Viewer(party)))
        document(marked(accord, answer)) if as_json else standing.print_explanation(answer)


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
