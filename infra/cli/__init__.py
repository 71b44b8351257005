"""The command `accord`: what can be asked, with which options.

Data goes to stdout; notes, progress and errors to stderr.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from infra.answers.table import QUESTIONS
from infra.cli import questions
from infra.cli.options import (
    DISPUTE,
    EXIT_CODES,
    FAILED,
    HOST,
    PORT,
    REFUSED,
    AlertState,
    At,
    Full,
    Id,
    Json,
    Known,
    Operator,
    Party,
    Period,
    Policy,
    Store,
    app,
    checked_period,
    marked,
    opened,
    settings,
    viewer_of,
)
from infra.settings import DEFAULT_STORE, NoSuchStore

# --- what goes in ------------------------------------------------------------------------------


@app.command(rich_help_panel="Ingest")
def init(
    simulated: Annotated[
        bool,
        typer.Option("--simulated", help="For feeds of the past: they say when it was recorded."),
    ] = False,
    operator: Operator = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Make a store, with a key beside it if it is a file. One that is there stays as it is."""
    from infra import bootstrap
    from infra.cli.printing import document, say

    made = bootstrap.init(settings(store), simulated=simulated, operator=operator)
    if as_json:
        answer = {"store": store, "made": made}
        document({**answer, "simulated": True} if simulated else answer)
        return
    kind = "a simulated store" if simulated else "a store"
    say(f"Made {kind}: {store}." if made else f"There is {kind} already: {store}.")


@app.command(rich_help_panel="Ingest", epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}.")
def ingest(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="CloudEvents: JSON lines, an array, or one object; - is standard input.",
            show_default=False,
        ),
    ],
    receipts: Annotated[
        Path | None,
        typer.Option(
            "--receipts",
            metavar="FILE",
            help="Append the operator's receipt of each accepted event, as JSON lines.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Decide the events of files, once each, and tell what came of them."""
    from infra.cli import feeding
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        tally = feeding.ingest(accord, files, receipts)
        if as_json:
            document(marked(accord, tally.as_json()))
        else:
            feeding.print_tally(tally)
    if tally.refused:
        raise typer.Exit(REFUSED)


@app.command(rich_help_panel="Ingest")
def rejected(
    retry: Annotated[
        int | None,
        typer.Option("--retry", metavar="NUMBER", help="Decide this one again, as it is."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were retried with success.")
    ] = False,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """List inputs that were refused and are kept, or retry one."""
    from infra.cli import feeding
    from infra.cli.printing import array, document

    with opened(store, as_json=as_json) as accord:
        if retry is None:
            found = feeding.refusals(accord, every=every)
            if as_json:
                array(marked(accord, feeding.as_json(each)) for each in found)
            else:
                feeding.print_rejected(found)
            return
        tally = feeding.Tally()
        tally.add([feeding.retry(accord, retry)])
        if as_json:
            document(marked(accord, tally.as_json()))
        else:
            feeding.print_tally(tally)
    if tally.refused:
        raise typer.Exit(REFUSED)


@app.command(rich_help_panel="Ingest")
def schema(
    name: Annotated[
        str | None,
        typer.Argument(metavar="TYPE", help="Such as SignAgreement.", show_default=False),
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="List the metrics that figures can be reported of.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the types of events that can be sent, or give the JSON Schema of one."""
    from infra.cli import reading
    from infra.cli.printing import array, document, note
    from infra.deciding import intake

    if metrics:
        array(reading.metrics()) if as_json else reading.print_metrics()
    elif name is None:
        array(reading.wire_types()) if as_json else reading.print_types()
    else:
        document(intake.schema(name), pretty=not as_json)
        if "Metric" in name and not as_json:
            note("The metrics and their units: accord schema --metrics.")


# --- what comes out ----------------------------------------------------------------------------


for question in QUESTIONS:
    questions.add(question)


@app.command(rich_help_panel="Query")
def show(
    id: Id,
    at: At = None,
    known: Known = None,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="The first N events of its log."),
    ] = None,
    party: Party = None,
    full: Full = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Show all that a partnership stands as, now or at a time."""
    from infra import answers
    from infra.cli import standing
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        viewer = viewer_of(accord, id, party, full)
        row = answers.show(accord, id, answers.AsOf(at, known, version, viewer))
        document(marked(accord, row)) if as_json else standing.print_standing(row)


@app.command(rich_help_panel="Query")
def history(
    id: Id,
    at: At = None,
    known: Known = None,
    party: Party = None,
    full: Full = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Tell who did what when; with --json, each event as it is stored."""
    from infra import answers
    from infra.cli import reading
    from infra.cli.printing import array

    with opened(store, as_json=as_json) as accord:
        viewer = viewer_of(accord, id, party, full)
        rows = answers.history(accord, id, answers.AsOf(at, known, viewer=viewer))
        if as_json:
            array(marked(accord, row) for row in rows)
        else:
            reading.print_history(rows)


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
def alerts(
    id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One partnership.", show_default=False)
    ] = None,
    state: Annotated[
        AlertState | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Then print each change as it comes, until Ctrl-C.")
    ] = False,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Give the alerts as they stand; with --follow and --json, a JSON object to a line."""
    from infra import answers
    from infra.cli import reading
    from infra.cli.printing import array, document

    if follow and (at or known):
        raise typer.BadParameter("--follow is for what comes; --at and --known are for what was.")
    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        wanted = state.value if state else None
        if follow:
            shown = (
                (lambda row: document(marked(accord, row))) if as_json else reading.print_transition
            )
            reading.follow(accord, id, wanted, shown)
            return
        rows = answers.alerts(accord, id, wanted, answers.AsOf(at, known))
        if as_json:
            array(marked(accord, row) for row in rows)
        else:
            reading.print_alerts(rows)


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


@app.command(rich_help_panel="Query")
def statement(
    id: Id,
    period: Annotated[
        str,
        typer.Option(
            "--period",
            metavar="PERIOD",
            help="Up to the end of this month, quarter or year; or a statement's name.",
            show_default=False,
        ),
    ],
    policy: Annotated[
        Policy | None,
        typer.Option("--policy", help="As if competing claims were weighed by this policy."),
    ] = None,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Give what accrued between the parties, issued or not yet, and why, line by line."""
    from domain.attribution import AttributionPolicy, PolicyKind
    from infra import answers
    from infra.cli import money
    from infra.cli.printing import document

    other = AttributionPolicy(kind=PolicyKind(policy.value)) if policy else None
    with opened(store, as_json=as_json) as accord:
        answer = answers.statement(accord, id, period, answers.AsOf(at, known), other)
        document(marked(accord, answer)) if as_json else money.print_statement(answer)


@app.command(rich_help_panel="Ingest", epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}.")
def settle(
    id: Id,
    period: Annotated[
        str,
        typer.Option(
            "--period",
            callback=checked_period,
            metavar="PERIOD",
            help="A month, a quarter or a year that is over.",
            show_default=False,
        ),
    ],
    party: Annotated[
        str | None,
        typer.Option(
            "--party", metavar="PARTY", help="The party that asks; the initiator, if left out."
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Issue the statements of a period that is over, one for each currency."""
    from infra import answers
    from infra.cli import feeding, money
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        tally = feeding.Tally()
        tally.add([answers.settle(accord, id, period, party)])
        issued = [row for row in answers.statements(accord, id) if row["period"] == period]
        if as_json:
            document(marked(accord, {**tally.as_json(), "statements": issued}))
        else:
            feeding.print_tally(tally)
            money.print_statements(issued)
    if tally.refused:
        raise typer.Exit(REFUSED)


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


@app.command(rich_help_panel="Compare")
def portfolio(
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Set all partnerships side by side: the sheet, laggards, load, dependency on one."""
    from infra import answers
    from infra.cli import comparing
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        answer = answers.portfolio(accord, answers.AsOf(at, known))
        document(marked(accord, answer)) if as_json else comparing.print_portfolio(answer)


@app.command(rich_help_panel="Compare")
def markets(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID...", help="Only these partnerships.", show_default=False),
    ] = None,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Rank the markets, each by its own evidence, and check for five common mistakes."""
    from infra import answers
    from infra.cli import comparing
    from infra.cli.printing import array

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        rows = answers.markets(accord, ids or (), answers.AsOf(at, known))
        if as_json:
            array(marked(accord, row) for row in rows)
        else:
            comparing.print_markets(rows)


@app.command(rich_help_panel="Compare")
def candidates(
    id: Id,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Rank the candidates of a partnership, with the reasons for each one's place."""
    from infra import answers
    from infra.cli import comparing
    from infra.cli.printing import array

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        rows = answers.candidates(accord, id, answers.AsOf(at, known))
        if as_json:
            array(marked(accord, row) for row in rows)
        else:
            comparing.print_candidates(rows)


@app.command(rich_help_panel="Compare")
def attributes(
    metric: Annotated[
        str,
        typer.Argument(metavar="METRIC", help="Such as demo_to_paid.", show_default=False),
    ],
    period: Period = None,
    at: At = None,
    known: Known = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Set what partners are like (staff, score, alignment) against their figures of a metric."""
    from infra import answers
    from infra.cli import comparing
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        answer = answers.attributes(accord, metric, period, answers.AsOf(at, known))
        document(marked(accord, answer)) if as_json else comparing.print_attributes(answer)


# --- what holds in a dispute -------------------------------------------------------------------

from infra.cli import erasing  # noqa: E402, F401 - here, so that its panel comes in this order

# --- all together ------------------------------------------------------------------------------


@app.command(rich_help_panel="All together")
def demo(
    examples: Annotated[
        Path, typer.Option("--examples", metavar="DIR", help="The folder of feeds (*.jsonl).")
    ] = Path("examples"),
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Play the examples into a simulated store, made if need be, and tell what came of them."""
    from infra import bootstrap
    from infra.cli import feeding, story
    from infra.cli.printing import document, note

    feeds = story.feeds(examples)
    bootstrap.init(settings(store), simulated=True)
    with opened(store, as_json=as_json) as accord:
        tally = feeding.ingest(accord, feeds)
        told = story.tell(accord, tally)
        if as_json:
            document(marked(accord, told))
        else:
            story.print_story(told, tally, len(feeds))
            note(f"Go on with accord list --store {store}, then show, history, kpis and explain.")


@app.command(rich_help_panel="All together")
def up(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = HOST,
    port: Annotated[
        int, typer.Option("--port", envvar="ACCORD_PORT", min=0, max=65535, help="The port.")
    ] = PORT,
    store: Store = DEFAULT_STORE,
) -> None:
    """Serve: intake over HTTP, live views, deadlines as they pass, alerts as a stream."""
    from infra import http

    http.serve(settings(store), host, port)


# Its commands come after these in the help.
import infra.cli.proving  # noqa: E402
import infra.cli.signing  # noqa: E402
import infra.cli.witnessing  # noqa: E402, F401

# --- what holds in a dispute -------------------------------------------------------------------


@app.command(rich_help_panel=DISPUTE)
def receipt(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The event's source.", show_default=False)
    ],
    id: Annotated[
        str, typer.Argument(metavar="SOURCE_ID", help="The event's id.", show_default=False)
    ],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Print the operator's receipt of an event that was accepted, again, byte for byte."""
    from infra.cli import feeding
    from infra.cli.printing import document

    with opened(store, as_json=as_json) as accord:
        note = feeding.receipt(accord, source, id)
        if as_json:
            document(marked(accord, {"source": source, "id": id, "receipt": note}))
        else:
            typer.echo(note, nl=False)


# --- how it ends -------------------------------------------------------------------------------


def main() -> None:
    """Run the command; say what went wrong in one line, with the hint."""
    try:
        app(prog_name="accord")
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        sys.stderr.write(f"accord: {told}\n")
        sys.exit(FAILED)


def _told(error: Exception) -> str | None:
    """Give what went wrong in words; nothing for a fault of the program itself."""
    import sqlite3

    from eventsourcing.persistence import PersistenceError
    from kafka.errors import KafkaError
    from psycopg import Error as DatabaseError

    from domain.kernel import Refused
    from infra.answers import NotFound
    from infra.audit.asking import NotReached
    from infra.audit.log import Altered
    from infra.audit.timestamps import NoTimestamp
    from infra.evidence.forks import NoAccount
    from infra.kafka.topics import TopicsDiffer
    from infra.store.records import UnknownSchema
    from infra.tlog.keys import NoKey
    from infra.tlog.notes import Malformed
    from infra.tlog.policy import NoPolicy

    told: str | None = None
    match error:
        # These say by themselves what is wrong and what mends it.
        case Altered() | NoAccount() | NoKey() | NoPolicy() | NoTimestamp() | Malformed():
            told = str(error)
        case NotFound() | NotReached() | NoSuchStore() | TopicsDiffer():
            told = str(error)
        case UnknownSchema():
            told = f"{error}."
        case Refused(detail=detail, hint=hint):
            told = f"{detail} {hint}"
        case sqlite3.Error() | PersistenceError() if "locked" in str(error):
            told = "The store is locked by another process. Try again when that has finished."
        case sqlite3.Error() | PersistenceError() | DatabaseError():
            told = f"The store cannot be used: {_line(error)}. Check its address and its state."
        case KafkaError():
            told = f"The broker cannot be used: {_line(error)}. Check ACCORD_KAFKA and its state."
        case OSError(filename=name, strerror=reason):
            told = f"{name or 'a file'}: {reason}. Check the path and who may read it."
        case _:
            pass
    return told


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
