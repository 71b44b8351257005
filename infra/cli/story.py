"""The demo: feeds are played through the intake, then each partnership's story is told."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from domain.calendar import months_of
from domain.execution import ReviewHeld
from domain.reported_figure import MetricCorrected
from infra import answers
from infra.answers import NotFound, partnerships
from infra.answers.logs import view_rows
from infra.answers.question import LONGEST_PAGE, Paging
from infra.bootstrap import Accord
from infra.cli.feeding import Tally, print_refusals
from infra.cli.money import print_statements
from infra.cli.pack import print_pack
from infra.cli.printing import Row, amount, day, figure, minute, number, say, table
from infra.cli.reading import print_alerts, print_objectives
from infra.deciding.service import Outcome
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW

HEADLINES = {"leads", "lead_to_opportunity", "demo_to_paid", "average_contract_value", "payments"}
"""Of what is counted from deals, the figures that tell a story; what is reported is all told."""

AGAINST = "against other channels"
"""What a line says that sets the partner's figure against that of other channels."""


def feeds(folder: Path) -> list[str]:
    """Give the feeds of a folder, in order. Raises `NotFound` where there are none."""
    found = sorted(str(path) for path in folder.glob("*.jsonl"))
    if not found:
        raise NotFound(
            f"There are no feeds (*.jsonl) in {folder.absolute()}.",
            "Run it where the examples are, or name their folder: accord demo --examples DIR.",
        )
    return found


def tell(accord: Accord, tally: Tally) -> Row:
    """Give what came of the feeds: the counts, and the story of each partnership in them."""
    overview = {row["id"]: row for row in _partnerships(accord)}
    names = [name for name in tally.partnerships if name in overview]
    return {
        **tally.as_json(),
        "partnerships": [_story(accord, overview[name], tally.refused) for name in names],
        "review": next(filter(None, (_last_review(accord, name) for name in names)), None),
    }


def _partnerships(accord: Accord) -> Iterator[Row]:
    for each in partnerships.ask(accord, page=Paging(limit=LONGEST_PAGE)).items:
        row = view_rows(accord, OVERVIEW, each.id)[OVERVIEW_ROW]
        stages = OVERVIEW.dump(OVERVIEW_ROW, row)["stages"]
        yield {**each.model_dump(mode="json"), "stages": stages}


def _last_review(accord: Accord, name: str) -> Row | None:
    """Give the page for the last review that was held of a partnership, if there was one."""
    held = [
        each["data"]["review"]
        for each in answers.history(accord, name)
        if each["type"] == ReviewHeld.wire
    ]
    return answers.review_pack(accord, name, held[-1]) if held else None


def _story(accord: Accord, row: Row, refused: Iterable[Outcome]) -> Row:
    name = row["id"]
    answer = answers.kpis(accord, name)
    events = list(answers.history(accord, name))
    return {
        **row,
        "figures": [_told(accord, name, line) for line in answer["figures"] if _is_told(line)],
        "objectives": answer["objectives"],
        "alerts": list(answers.alerts(accord, name)),
        "statements": list(answers.statements(accord, name)),
        "late": [each for each in events if each.get("late_days")],
        "corrections": [each for each in events if each["type"] == MetricCorrected.wire],
        "refused": [each.refusal() for each in refused if each.partnership == name],
    }


def _is_told(line: Row) -> bool:
    return line["source"] != "counted" or line["metric"] in HEADLINES


def _told(accord: Accord, name: str, line: Row) -> Row:
    """Give a figure; one that cannot be made from its months brings those that are known."""
    if line["value"] is not None or line.get("denominator"):
        return line
    known = [
        each
        for month in months_of(line["period"])
        for each in answers.kpis(accord, name, month)["figures"]
        if (each["metric"], each.get("segment")) == (line["metric"], line.get("segment"))
        and each["value"] is not None
    ]
    return {**line, "months": known} if known else line


def print_story(story: Row, tally: Tally, played: int) -> None:
    """Print the counts, then each partnership's story."""
    say(f"Played {played} feeds: {tally}.")
    for row in story["partnerships"]:
        say()
        _print_one(row, [each for each in tally.refused if each.partnership == row["id"]])
    if story["review"]:
        say()
        print_pack(story["review"])


def _print_one(row: Row, refused: list[Outcome]) -> None:
    names = " and ".join(row["names"].get(each, each) for each in row["parties"])
    say(f"{names} ({row['id']})", "bold")
    say(" > ".join(f"{each['stage']} {day(each['since'])}" for each in row["stages"]), indent=2)
    _print_figures(row["figures"])
    print_objectives(row["objectives"], indent=2)
    if row["alerts"]:
        say("alerts", "bold", 2)
        print_alerts(row["alerts"], indent=4)
    print_statements(row["statements"], indent=2)
    table(
        [">#", "HAPPENED", "RECORDED", "WHAT"],
        (
            (each["index"], minute(each["occurred_at"]), minute(each["recorded_at"]), each["text"])
            for each in sorted(row["late"] + row["corrections"], key=lambda each: each["index"])
        ),
        title="late and corrected",
        indent=2,
    )
    if refused:
        say("refused", "bold", 2)
        print_refusals(refused, indent=4)


def _print_figures(lines: list[Row]) -> None:
    """Print the figures by period, each metric and segment on a line."""
    periods = list(dict.fromkeys(line["period"] for line in lines))
    cells: dict[str, dict[str, dict[str, str]]] = {}
    for line in lines:
        parts = cells.setdefault(line["metric"], {"": {}})
        parts.setdefault(line.get("segment", ""), {})[line["period"]] = _cell(line)
        if other := line.get("against_other_channels"):
            parts.setdefault(AGAINST, {})[line["period"]] = f"×{number(other['factor'])}"
    table(
        ["METRIC", *(f">{period}" for period in periods)],
        (
            (
                _label(metric, segment),
                *(parts[segment].get(period, "") for period in periods),
            )
            for metric, parts in cells.items()
            for segment in parts
            if parts[segment]
        ),
        title="figures",
        indent=2,
    )


def _label(metric: str, segment: str) -> str:
    if segment == AGAINST:
        return f"  {segment}"
    return f"  in {segment}" if segment else metric


def _cell(line: Row) -> str:
    if months := line.get("months"):
        return "; ".join(map(_of_month, months))
    if "insufficient" in line.get("note", "") and line["value"] is None:
        return "insufficient evidence"
    target = line.get("target")
    return f"{figure(line)} of {target['minimum']}" if target else figure(line)


def _of_month(line: Row) -> str:
    change = line.get("change")
    more = f" (×{number(change['factor'])})" if change else ""
    return f"{amount(line['value'], line['unit'])} in {line['period']}{more}"
