"""What comes out: lists, histories, figures, alerts, and whether all of it is true."""

from pathlib import Path

from infra import answers
from infra.answers import Difference, text
from infra.bootstrap import Accord
from infra.cli.printing import (
    Row,
    progress,
    say,
)


def who(row: Row) -> str:
    """Give the party that acted, and who acted for it."""
    actor = row.get("people", {}).get(row["actor"], row["actor"])
    return "(clock)" if actor == "clock" else f"{row['party']} ({actor})"


def late(row: Row) -> str:
    """Give a mark for an event that was recorded days after it happened."""
    days = row.get("late_days", 0)
    return f" [{text.late(days)}]" if days else ""


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
