"""What comes out: lists, histories, figures, alerts, and whether all of it is true."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from pathlib import Path

from domain.calendar import preceding
from infra import answers
from infra.answers import Difference, text
from infra.bootstrap import Accord
from infra.cli.printing import (
    Row,
    amount,
    note,
    number,
    progress,
    say,
    styled,
    table,
)

_TENTH = Decimal("0.1")

POLL_SECONDS = 0.5
"""How often a follower looks for what was said meanwhile."""


def who(row: Row) -> str:
    """Give the party that acted, and who acted for it."""
    actor = row.get("people", {}).get(row["actor"], row["actor"])
    return "(clock)" if actor == "clock" else f"{row['party']} ({actor})"


def late(row: Row) -> str:
    """Give a mark for an event that was recorded days after it happened."""
    days = row.get("late_days", 0)
    return f" [{text.late(days)}]" if days else ""


# --- figures -----------------------------------------------------------------------------------


def print_kpis(answer: Row) -> None:
    """Print the figures of each period, then each objective with what came of it."""
    if not answer["figures"]:
        note("There are no figures.")
    for period, lines in groupby(answer["figures"], key=lambda line: line["period"]):
        print_figures(period, lines)
        say()
    print_objectives(answer["objectives"])


def print_figures(title: str, lines: Iterable[Row], indent: int = 0) -> None:
    """Print figures, those of segments below that of the whole."""
    table(
        ["METRIC", ">VALUE", "LIKELY", "FROM", "CHANGE", "BESIDE"],
        (
            (
                f"  in {line['segment']}" if "segment" in line else line["metric"],
                amount(line["value"], line["unit"]),
                likely(line.get("posterior")),
                _source(line),
                _change(line),
                "; ".join(filter(None, (beside(line), _above(line)))),
            )
            for line in lines
        ),
        title=title,
        indent=indent,
    )


def likely(posterior: Row | None) -> str:
    """Give the interval in which a rate lies with 95 % (C21), to a tenth of a percent."""
    if posterior is None:
        return ""
    return f"{tenth(posterior['low'])}–{tenth(posterior['high'])} %"


def tenth(percent: str) -> str:
    """Give a percentage to a tenth."""
    return number(str(Decimal(percent).quantize(_TENTH, ROUND_HALF_EVEN)))


def _above(line: Row) -> str:
    above = line.get("above_other_channels")
    return "" if above is None else f"higher than theirs with probability {above}"


def believed(line: Row) -> str:
    """Give what trials say of a rate in words, and what was believed before them (C21)."""
    posterior = line["posterior"]
    prior = posterior["prior"]
    version = f" version {prior['version']}" if "version" in prior else ""
    low, high = number(posterior["low"]), number(posterior["high"])
    parts = [
        f"the rate: {number(posterior['mean'])} % expected",
        f"{posterior['credibility']} % likely from {low} to {high} %",
        _above(line),
        f"prior{version}: Beta({prior['successes']}, {prior['failures']}), {prior['source']}",
    ]
    return "; ".join(filter(None, parts))


def _source(line: Row) -> str:
    if "numerator" in line:
        return f"{number(line['numerator'])}/{number(line['denominator'])} {line['source']}"
    return str(line["source"])


def _change(line: Row) -> str:
    change = line.get("change")
    if change is None:
        return ""
    since = "" if change["since"] == preceding(line["period"]) else f" since {change['since']}"
    percent = line.get("change_percent")
    if line["unit"] != "percent" and percent is not None:
        return f"{_signed(percent)} %{since}"
    unit = " points" if line["unit"] == "percent" else ""
    return f"{_signed(change['difference'])}{unit}, ×{number(change['factor'])}{since}"


def _signed(text: str) -> str:
    value = number(text)
    return value if value.startswith("-") or value == "0" else f"+{value}"


def beside(line: Row) -> str:
    """Give what a figure is to be read beside: a minimum, other channels, a doubt."""
    parts = []
    if target := line.get("target"):
        short = f", short by {target['shortfall']}" if target["shortfall"] != "0" else ""
        parts.append(
            f"minimum {target['minimum']} (terms version {target['terms_version']}): "
            f"{target['attainment_percent']} %{short}"
        )
    if other := line.get("against_other_channels"):
        unit = "points" if line["unit"] == "percent" else line["unit"]
        difference = f"{_signed(other['difference'])} {unit}"
        parts.append(f"against other channels: {difference}, ×{number(other['factor'])}")
    if "note" in line:
        parts.append(line["note"])
    return "; ".join(parts)


def print_objectives(objectives: Iterable[Row], indent: int = 0) -> None:
    """Print each objective: where it began, where it should come to and by when, where it is."""
    table(
        ["METRIC", ">FROM", ">TARGET", "BY", ">ACTUAL", "MET"],
        (
            (
                each["metric"],
                amount(each["baseline"], each["unit"]),
                amount(each["target"], each["unit"]),
                each["deadline"],
                "no figure" if each["actual"] is None else amount(each["actual"], each["unit"]),
                styled("yes", "green") if each["met"] else "not yet",
            )
            for each in objectives
        ),
        title="objectives",
        indent=indent,
    )


# --- verify ------------------------------------------------------------------------------------


def verify(accord: Accord, memory: Path | None = None) -> Row:
    """Give what a rebuild of all views came to, with the first difference if there is one."""
    partnerships = events = rows = 0
    difference: Difference | None = None
    with progress() as bar:
        task = bar.add_task("verifying", total=accord.history.size())
        for checked in answers.verify(accord, answers.Memory(memory)):
            partnerships += bool(checked.partnership)
            events += checked.events
            rows += checked.rows
            difference = checked.difference
            bar.advance(task, checked.events)
    return {
        "verified": difference is None,
        "partnerships": partnerships,
        "events": events,
        "rows": rows,
        "difference": None
        if difference is None
        else {
            "partnership": difference.partnership,
            "where": difference.where,
            "key": difference.key,
            "stored": difference.stored,
            "rebuilt": difference.rebuilt,
        },
    }


def print_verified(answer: Row) -> None:
    """Print what a rebuild came to."""
    if answer["verified"]:
        say(
            "Every log is as it was recorded and signed, every view as its log says:\n"
            f"{answer['partnerships']} partnerships, "
            f"{answer['events']} events, {answer['rows']} rows rebuilt and compared."
        )
        return
    found = answer["difference"]
    whose = found["partnership"] or "the whole store"
    say(f"Different in {whose}: {found['where']}, {found['key']}.", "bold red")
    say(f"stored:  {_shown(found['stored'])}", indent=2)
    say(f"rebuilt: {_shown(found['rebuilt'])}", indent=2)


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
