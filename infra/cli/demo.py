"""`accord demo`: play example feeds into a simulated store, and show each partnership's story."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from domain.calendar import months_of
from domain.reported_figure import MetricCorrected
from infra import bootstrap
from infra.answers import alerts, history, kpis, partnerships, review, show, statements
from infra.answers.history import HistoryItem
from infra.answers.logs import NotFound, view_rows
from infra.answers.outcomes import OutcomeCounts, RefusedEvent, Report
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.partnerships import PartnershipSummary
from infra.answers.question import Item, Paging, Panel
from infra.answers.review import Review
from infra.answers.statements import IssuedStatement
from infra.answers.text import Block, Line, Table, amount, day, figure, minute, number
from infra.bootstrap import Accord
from infra.cli import ingest, printing
from infra.cli.options import Json, Store, app, opened, settings
from infra.settings import DEFAULT_STORE
from projections import OVERVIEW, figures
from projections.alerts import Alert
from projections.caveats import CaveatCode
from projections.objectives import ObjectiveProgress
from projections.overview import OVERVIEW_ROW, StageEntered

HEADLINES = {"leads", "lead_to_opportunity", "demo_to_won", "average_contract_value", "payments"}
"""The counted metrics that are shown; reported figures are all shown."""

AGAINST = "against other channels"
"""The label of the lines that compare the partner's figures to those of other channels."""


@app.command(rich_help_panel=Panel.OPERATION.value)
def demo(
    examples: Annotated[
        Path | None,
        typer.Option(
            "--examples",
            metavar="DIR",
            help="A folder of feeds (*.jsonl); the examples that come with Accord unless given.",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Play the examples into a simulated store and show the partnerships in it."""
    feeds = feeds_of(examples or shipped())
    bootstrap.init(settings(store), simulated=True)
    with opened(store, as_json=as_json) as accord:
        story = tell(accord, ingest.play(accord, feeds), len(feeds))
    printing.result(story, text, as_json=as_json)
    if not as_json:
        printing.note(f"Go on with accord list --store {store}, then show, history, kpis, explain.")


def shipped() -> Path:
    """Return the folder of the examples: inside the installed package, or in the checkout."""
    packaged = Path(str(files("infra"))) / "examples"
    return packaged if packaged.is_dir() else packaged.parents[1] / "examples"


def feeds_of(folder: Path) -> list[str]:
    """Return the feeds of a folder, in order. Raises `NotFound` if there are none."""
    found = sorted(str(path) for path in folder.glob("*.jsonl"))
    if not found:
        raise NotFound(
            f"There are no feeds (*.jsonl) in {folder.absolute()}.",
            "Name a folder of feeds: accord demo --examples DIR.",
        )
    return found


# --- the story ---------------------------------------------------------------------------------


class StoryFigure(Item):
    """A figure of a quarter."""

    figure: figures.FigureLine
    months: tuple[figures.FigureLine, ...]
    """The figures of its months, if they cannot be put together: reported without denominators."""


class PartnershipStory(Item):
    """The story of one partnership."""

    partnership: PartnershipSummary
    stages: tuple[StageEntered, ...]
    figures: tuple[StoryFigure, ...]
    objectives: tuple[ObjectiveProgress, ...]
    alerts: tuple[Alert, ...]
    zone: str
    statements: tuple[IssuedStatement, ...]
    late_or_corrected: tuple[HistoryItem, ...]
    """Events that were reported late, and corrections of figures."""
    refused: tuple[RefusedEvent, ...]


class Story(Report):
    """What the feeds contained, and the story of each partnership in them."""

    feeds: int
    partnerships: tuple[PartnershipStory, ...]
    review: Review | None
    """The page of the first partnership's last review."""


def tell(accord: Accord, tally: OutcomeCounts, feeds: int) -> Story:
    """Return the counts, and the story of each partnership in the feeds."""
    listed = {each.id: each for each in partnerships.ask(accord, page=_ALL).items}
    names = [name for name in tally.partnerships if name in listed]
    return Story(
        **dict(tally.report(accord)),
        feeds=feeds,
        partnerships=tuple(_partnership(accord, listed[name], tally) for name in names),
        review=next(filter(None, (_last_review(accord, name) for name in names)), None),
    )


_ALL = Paging(limit=LONGEST_PAGE)


def _last_review(accord: Accord, name: str) -> Review | None:
    """Return the page for the last review that was held of a partnership, if there was one."""
    held = [each for each in show.ask(accord, name).reviews if each.done_at]
    held.sort(key=lambda each: each.done_at or each.since)
    return review.ask(accord, name, held[-1].planned.review) if held else None


def _partnership(
    accord: Accord, listed: PartnershipSummary, tally: OutcomeCounts
) -> PartnershipStory:
    name = listed.id
    answer, found = kpis.ask(accord, name), alerts.ask(accord, name, page=_ALL)
    return PartnershipStory(
        partnership=listed,
        stages=view_rows(accord, OVERVIEW, name)[OVERVIEW_ROW].stages,
        figures=tuple(_figure(accord, name, each) for each in answer.figures if _is_shown(each)),
        objectives=answer.objectives,
        alerts=found.items,
        zone=found.zone_of(name),
        statements=statements.ask(accord, name).items,
        late_or_corrected=tuple(_late_or_corrected([*history.items(accord, name)])),
        refused=tuple(tally.partnerships[name]),
    )


def _late_or_corrected(items: list[HistoryItem]) -> Iterator[HistoryItem]:
    late = {each.index for each in history.late_facts(items)}
    for each in items:
        if each.index in late or (each.event and each.event.type == MetricCorrected.wire):
            yield each


def _is_shown(line: figures.FigureLine) -> bool:
    return line.source != figures.COUNTED or line.metric in HEADLINES


def _figure(accord: Accord, name: str, line: figures.FigureLine) -> StoryFigure:
    if line.value is not None or line.denominator:
        return StoryFigure(figure=line, months=())
    known = (
        each
        for month in months_of(line.period)
        for each in kpis.ask(accord, name, month).figures
        if (each.metric, each.segment) == (line.metric, line.segment) and each.value is not None
    )
    return StoryFigure(figure=line, months=tuple(known))


# --- text --------------------------------------------------------------------------------------


def text(story: Story) -> Iterator[Block]:
    """Yield the counts, each partnership's story, and the page of a review."""
    yield Line(f"Played {story.feeds} feeds: {ingest.counts(story)}.")
    for each in story.partnerships:
        yield Line()
        yield from _partnership_text(each)
    if story.review:
        yield Line()
        yield from review.text(story.review)


def _partnership_text(each: PartnershipStory) -> Iterator[Block]:
    of = each.partnership
    names = " and ".join(of.names.get(party, party) for party in of.parties)
    yield Line(f"{names} ({of.id})", "bold")
    stages = (f"{entered.stage.value} {day(entered.since, each.zone)}" for entered in each.stages)
    yield Line(" > ".join(stages), indent=2)
    yield _figures(each.figures)
    yield kpis.objectives_table(each.objectives, indent=2)
    if each.alerts:
        yield Line("alerts", "bold", 2)
        yield from alerts.blocks(each.alerts, {of.id: each.zone}, indent=4)
    yield from statements.blocks(each.statements, "statements", indent=2)
    yield Table(
        [">#", "HAPPENED", "RECORDED", "WHAT"],
        [
            (item.index, minute(item.event.occurred_at), minute(item.event.recorded_at), item.text)
            for item in each.late_or_corrected
            if item.event
        ],
        title="late and corrected",
        indent=2,
    )
    if each.refused:
        yield Line("refused", "bold", 2)
        yield from ingest.refusals(each.refused, indent=4)


def _figures(shown: tuple[StoryFigure, ...]) -> Table:
    """Return a table with a column for each period and a row for each metric and segment."""
    periods = list(dict.fromkeys(each.figure.period for each in shown))
    cells: dict[str, dict[str, dict[str, str]]] = {}
    for each in shown:
        line = each.figure
        parts = cells.setdefault(line.metric, {"": {}})
        parts.setdefault(line.segment or "", {})[line.period] = _cell(line, each.months)
        if other := line.against_other_channels:
            parts.setdefault(AGAINST, {})[line.period] = f"×{number(other.factor)}"
    return Table(
        ["METRIC", *(f">{period}" for period in periods)],
        [
            (_label(metric, segment), *(parts[segment].get(period, "") for period in periods))
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


_NO_EVIDENCE: Final = {CaveatCode.DISPUTED, CaveatCode.NO_DENOMINATOR}


def _cell(line: figures.FigureLine, months: tuple[figures.FigureLine, ...]) -> str:
    if months:
        return "; ".join(map(_of_month, months))
    if line.value is None and any(each.code in _NO_EVIDENCE for each in line.caveats):
        return "insufficient evidence"
    return f"{figure(line)} of {number(line.target.minimum)}" if line.target else figure(line)


def _of_month(line: figures.FigureLine) -> str:
    more = f" (×{number(line.change.factor)})" if line.change else ""
    return f"{amount(line.value, line.unit)} in {line.period}{more}"
