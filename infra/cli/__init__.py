"""The command `accord`: each command is made from a question or has a file of its name.

Data goes to stdout; notes, progress and errors to stderr.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
    Id,
    Json,
    Known,
    Party,
    Period,
    Store,
    app,
    checked_period,
    marked,
    opened,
    viewer_of,
)
from infra.settings import DEFAULT_STORE

__all__ = ["main"]

for question in QUESTIONS:
    questions.add(question)


@app.command(rich_help_panel="Query")
def kpis(
    id: Id,
    period: Period = None,
    at: At = None,
    known: Known = None,
    party: Party = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Give the figures by period, and each objective's target against the actual."""
    from infra import answers
    from infra.cli import reading
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        when = answers.AsOf(at, known, viewer=viewer_of(accord, id, party, None))
        answer = answers.kpis(accord, id, period, when)
        document(marked(accord, answer)) if as_json else reading.print_kpis(answer)


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


@app.command(rich_help_panel="Query")
def review(
    id: Id,
    name: Annotated[str, typer.Argument(metavar="REVIEW", help="The review.", show_default=False)],
    at: At = None,
    known: Known = None,
    party: Party = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Give the page for a review, as things stood when it was to begin."""
    from infra import answers
    from infra.cli import pack
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        when = answers.AsOf(at, known, viewer=viewer_of(accord, id, party, None))
        answer = answers.review_pack(accord, id, name, when)
        document(marked(accord, answer)) if as_json else pack.print_pack(answer)


@app.command(rich_help_panel="Query")
def experiments(
    id: Id,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Set the variants of each experiment side by side: how sure it is which is better."""
    from infra import answers
    from infra.cli import evidence
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        answer = answers.experiments(accord, id, answers.AsOf(at, known))
        document(marked(accord, answer)) if as_json else evidence.print_experiments(answer)


@app.command(rich_help_panel="Query")
def funnel(
    id: Id,
    period: Annotated[
        str | None,
        typer.Option(
            "--period",
            callback=checked_period,
            metavar="PERIOD",
            help="What happened in a month, a quarter or a year. Else all time.",
            show_default=False,
        ),
    ] = None,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Tell how many deals go on at each step, where most stop, and how other channels do."""
    from infra import answers
    from infra.cli import evidence
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        answer = answers.funnel(accord, id, period, answers.AsOf(at, known))
        document(marked(accord, answer)) if as_json else evidence.print_funnel(answer)


class _ListsByDefault(TyperGroup):
    """A group of commands in which what is no command's name is what `list` is asked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        """Put `list` before anything that names no command."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named or not args else ["list", *args])


rules = typer.Typer(
    cls=_ListsByDefault,
    no_args_is_help=True,
    help="List the decision rules and priors that were agreed (accord rules ID), "
    "or try a rule on the past.",
)
app.add_typer(rules, name="rules", rich_help_panel="Query")


@rules.command("list")
def list_rules(
    id: Id,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """List every version of the decision rules and priors that were agreed."""
    from infra import answers
    from infra.cli import evidence
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        answer = answers.rules(accord, id, answers.AsOf(at, known))
        document(marked(accord, answer)) if as_json else evidence.print_rules(answer)


@rules.command("try")
def try_rule(
    id: Id,
    rule: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RULE",
            help="A file with a rule, as ProposeDecisionRule has it, or an agreed rule's name.",
            show_default=False,
        ),
    ],
    since: Annotated[
        str,
        typer.Option(
            "--since",
            callback=checked_period,
            metavar="PERIOD",
            help="As if it had been agreed when this month, quarter or year began.",
            show_default=False,
        ),
    ],
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Show what a rule would have raised on the past. Nothing is recorded."""
    from infra import answers
    from infra.cli import evidence
    from infra.cli.printing import document

    try:
        asked = evidence.rule(rule)
    except ValueError as error:
        raise typer.BadParameter(
            f"{rule} holds no decision rule ({error}). See accord schema ProposeDecisionRule."
        ) from None
    with opened(store, as_json=as_json) as accord:
        answer = answers.try_rule(accord, id, asked, since, answers.AsOf(at, known))
        document(marked(accord, answer)) if as_json else evidence.print_tried(answer)


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
