"""`accord demo`: play example feeds into a simulated store, and tell each partnership's story."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from domain.calendar import months_of
from domain.reported_figure import MetricCorrected
from infra import bootstrap
from infra.answers import alerts, history, kpis, partnerships, review, show, statements
from infra.answers.logs import NotFound, view_rows
from infra.answers.outcomes import RefusedEvent, Report, Tally
from infra.answers.question import LONGEST_PAGE, Paging, Panel
from infra.answers.text import Table, amount, figure, number
from infra.bootstrap import Accord
from infra.cli import ingest, printing
from infra.cli.options import Json, Store, app, marked, opened, settings
from infra.cli.printing import (
    Row,
    day,
    document,
    minute,
    note,
    say,
    table,
)
from infra.settings import DEFAULT_STORE
from projections import ALERTS, OVERVIEW, figures
from projections.alerts import Alert
from projections.figures import Line, ObjectiveProgress
from projections.overview import OVERVIEW_ROW

HEADLINES = {"leads", "lead_to_opportunity", "demo_to_paid", "average_contract_value", "payments"}
"""The counted metrics that are shown; reported figures are all shown."""

AGAINST = "against other channels"
"""The label of the lines that compare the partner's figures to those of other channels."""


@app.command(rich_help_panel=Panel.RUN.value)
def demo(
    examples: Annotated[
        Path | None,
        typer.Option(
            "--examples",
            metavar="DIR",
            help="A folder of feeds (*.jsonl); the examples that come with Accord unless given.",
            show_default=False,
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Play the examples into a simulated store and show the partnerships in it."""
    feeds = feeds_of(examples or shipped())
    bootstrap.init(settings(store), simulated=True)
    with opened(store, as_json=as_json) as accord:
        tally = ingest.play(accord, feeds)
        report = tally.report(accord)
        story = _story(accord, report, tally)
        if as_json:
            document(marked(accord, story))
        else:
            say(f"Played {len(feeds)} feeds: {ingest.counts(report)}.")
            _print(story, tally)
            note(f"Go on with accord list --store {store}, then show, history, kpis and explain.")


def shipped() -> Path:
    """Give the folder of the examples: inside the installed package, or beside it in a checkout."""
    packaged = Path(str(files("infra"))) / "examples"
    return packaged if packaged.is_dir() else packaged.parents[1] / "examples"


def feeds_of(folder: Path) -> list[str]:
    """Give the feeds of a folder, in order. Raises `NotFound` where there are none."""
    found = sorted(str(path) for path in folder.glob("*.jsonl"))
    if not found:
        raise NotFound(
            f"There are no feeds (*.jsonl) in {folder.absolute()}.",
            "Name a folder of feeds: accord demo --examples DIR.",
        )
    return found


def _story(accord: Accord, report: Report, tally: Tally) -> Row:
    """Give the counts, and the story of each partnership in the feeds."""
    overview = {row["id"]: row for row in _partnerships(accord)}
    names = [name for name in tally.partnerships if name in overview]
    return {
        **report.model_dump(mode="json"),
        "partnerships": [_partnership(accord, overview[name], tally) for name in names],
        "review": next(filter(None, (_last_review(accord, name) for name in names)), None),
    }


def _partnerships(accord: Accord) -> Iterator[Row]:
    for each in partnerships.ask(accord, page=Paging(limit=LONGEST_PAGE)).items:
        row = view_rows(accord, OVERVIEW, each.id)[OVERVIEW_ROW]
        stages = OVERVIEW.dump(OVERVIEW_ROW, row)["stages"]
        yield {**each.model_dump(mode="json"), "stages": stages}


def _last_review(accord: Accord, name: str) -> Row | None:
    """Give the page for the last review that was held of a partnership, if there was one."""
    reviews = [each for each in show.ask(accord, name).reviews if each.done_at]
    reviews.sort(key=lambda each: each.done_at or each.since)
    held = [each.planned.review for each in reviews]
    return review.ask(accord, name, held[-1]).model_dump(mode="json") if held else None


def _partnership(accord: Accord, row: Row, tally: Tally) -> Row:
    name = row["id"]
    answer = kpis.ask(accord, name)
    events = list(history.items(accord, name))
    return {
        **row,
        "figures": [_figure(accord, name, line) for line in answer.figures if _is_shown(line)],
        "objectives": answer.model_dump(mode="json")["objectives"],
        "alerts": [ALERTS.dump(each.id, each) for each in _alerts(accord, name)],
        "statements": [each.model_dump(mode="json") for each in statements.ask(accord, name).items],
        "late_or_corrected": [
            each.model_dump(mode="json")
            for each in events
            if each.late_days or each.event.type == MetricCorrected.wire
        ],
        "refused": [each.model_dump() for each in tally.partnerships[name]],
    }


def _alerts(accord: Accord, name: str) -> Sequence[Alert]:
    return alerts.ask(accord, name, page=Paging(limit=LONGEST_PAGE)).items


def _is_shown(line: Line) -> bool:
    return line.source != figures.COUNTED or line.metric in HEADLINES


def _figure(accord: Accord, name: str, line: Line) -> Row:
    """Give a figure; one that cannot be made from its months comes with those that are known."""
    row = figures.dump(line)
    if line.value is not None or line.denominator:
        return row
    known = [
        figures.dump(each)
        for month in months_of(line.period)
        for each in kpis.ask(accord, name, month).figures
        if (each.metric, each.segment) == (line.metric, line.segment) and each.value is not None
    ]
    return {**row, "months": known} if known else row


def _print(story: Row, tally: Tally) -> None:
    for row in story["partnerships"]:
        say()
        _print_one(row, tally.partnerships[row["id"]])
    if story["review"]:
        say()
        printing.blocks(review.text(review.Review.model_validate(story["review"])))


def _print_one(row: Row, refused: Sequence[RefusedEvent]) -> None:
    names = " and ".join(row["names"].get(each, each) for each in row["parties"])
    say(f"{names} ({row['id']})", "bold")
    say(" > ".join(f"{each['stage']} {day(each['since'])}" for each in row["stages"]), indent=2)
    printing.blocks([_figures(row["figures"])])
    objectives = TypeAdapter(list[ObjectiveProgress]).validate_python(row["objectives"])
    printing.blocks([kpis.objectives_table(objectives, indent=2)])
    if row["alerts"]:
        say("alerts", "bold", 2)
        found = (ALERTS.load(each["id"], each) for each in row["alerts"])
        printing.blocks(alerts.blocks(found, indent=4))
    issued = map(statements.IssuedStatement.model_validate, row["statements"])
    printing.blocks(statements.blocks(issued, "statements", indent=2))
    table(
        [">#", "HAPPENED", "RECORDED", "WHAT"],
        (
            (
                each["index"],
                minute(each["event"]["occurred_at"]),
                minute(each["event"]["recorded_at"]),
                each["text"],
            )
            for each in row["late_or_corrected"]
        ),
        title="late and corrected",
        indent=2,
    )
    if refused:
        say("refused", "bold", 2)
        printing.blocks(ingest.refusals(refused, indent=4))


def _figures(rows: list[Row]) -> Table:
    """Give the figures by period, each metric and segment on a line."""
    periods = list(dict.fromkeys(row["period"] for row in rows))
    cells: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        months = [figures.load(each) for each in row.get("months", ())]
        line = figures.load({key: each for key, each in row.items() if key != "months"})
        parts = cells.setdefault(line.metric, {"": {}})
        parts.setdefault(line.segment or "", {})[line.period] = _cell(line, months)
        if other := line.against_other_channels:
            parts.setdefault(AGAINST, {})[line.period] = f"×{number(other.factor)}"
    return Table(
        ["METRIC", *(f">{period}" for period in periods)],
        [
            (
                _label(metric, segment),
                *(parts[segment].get(period, "") for period in periods),
            )
            for metric, parts in cells.items()
            for segment in parts
            if parts[segment]
        ],
        title="figures",
        indent=2,
    )


def _label(metric: str, segment: str) -> str:
    if segment == AGAINST:
        return f"  {segment}"
    return f"  in {segment}" if segment else metric


def _cell(line: Line, months: list[Line]) -> str:
    if months:
        return "; ".join(map(_of_month, months))
    if line.value is None and "insufficient" in (line.note or ""):
        return "insufficient evidence"
    return f"{figure(line)} of {number(line.target.minimum)}" if line.target else figure(line)


def _of_month(line: Line) -> str:
    more = f" (×{number(line.change.factor)})" if line.change else ""
    return f"{amount(line.value, line.unit)} in {line.period}{more}"
