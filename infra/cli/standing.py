"""The two longer answers in words: where a partnership stands, and why something is so."""

from collections.abc import Iterable

from pydantic import TypeAdapter

from infra.answers import kpis
from infra.cli.printing import (
    Row,
    blocks,
    minute,
    number,
    say,
    styled,
    table,
)
from infra.cli.reading import late, who
from projections import figures

# --- why something is so -----------------------------------------------------------------------


def print_explanation(answer: Row) -> None:
    """Print why an alert opened and ended, or what a figure is made of."""
    if "alert" in answer:
        _explain_alert(answer)
    else:
        _explain_kpi(answer)


def _explain_kpi(answer: Row) -> None:
    metric = answer["metric"]
    say(answer["kpi"], "bold")
    made = (
        f"{metric['numerator']} / {metric['denominator']}, each summed, then divided"
        if "numerator" in metric
        else f"over several periods: the {metric['adds']}"
    )
    say(f"{metric['unit']}; better {metric['direction']}; {made}", indent=2)
    if not answer["figures"]:
        say("No figure: no event counts or reports it for this period.", indent=2)
    _figures(answer["figures"])
    for rule in answer["rules"]:
        _rule(rule)
    objectives = TypeAdapter(list[figures.ObjectiveProgress]).validate_python(answer["objectives"])
    blocks([kpis.objectives_table(objectives, indent=2)])


def _figures(rows: Iterable[Row], indent: int = 2) -> None:
    for row in rows:
        say()
        line = figures.load({name: each for name, each in row.items() if name != "events"})
        by = "counted from deals" if line.source == figures.COUNTED else f"from {line.source}"
        say(f"{kpis.named(line)}, {by}", "bold", indent)
        for more in filter(None, (kpis.compared(line), kpis.believed(line))):
            say(more, indent=indent)
        table(
            [">#", "HAPPENED", "WHO", "WHAT", ">COUNTS"],
            ((*_event(each), _counts(each)) for each in row["events"]),
            indent=indent,
        )


def _counts(event: Row) -> str:
    if "stands" in event:
        return "stands" if event["stands"] else "restated since"
    return ", ".join(
        f"{number(each['amount'])}" + ("" if each["to"] == "sum" else f" in the {each['to']}")
        for each in event["adds"]
    )


def _event(event: Row) -> tuple[str, str, str, str]:
    text = event["text"] + late(event)
    return str(event["index"]), minute(event["occurred_at"]), who(event), text


def _rule(rule: Row) -> None:
    say()
    version = f", version {rule['version']}" if "version" in rule else ""
    say(f"rule {rule['rule']}{version}", "bold", 2)
    say(rule["text"], indent=4)
    if agreed := rule.get("agreed"):
        index, happened, _, what = _event(agreed)
        say(f"agreed by #{index}, {happened}: {agreed['party']} {what}", indent=4)


def _explain_alert(answer: Row) -> None:
    say(styled(f"{answer['alert']}: {answer['state']}", "bold"))
    _rule(answer["rule"])
    say()
    table(
        [">#", "RECORDED", "STATE", "WHAT", "BECAUSE"],
        (
            (
                each["because_of"]["index"],
                minute(each["because_of"]["recorded_at"]),
                styled(each["state"]),
                each["text"],
                f"{each['because_of']['party']} {each['because_of']['text']}"
                if each["because_of"]["actor"] != "clock"
                else each["because_of"]["text"],
            )
            for each in answer["transitions"]
        ),
        title="what it did",
        indent=2,
    )
    if answer["inputs"]:
        then = "were known then" if answer["as_of"] else "are known now"
        say(f"the figures that the rule looked at, as they {then}", "bold", 2)
    for window in answer["inputs"]:
        if not window["figures"]:
            say(f"{window['period']}: no figure", indent=4)
        _figures(window["figures"], indent=4)
    if answer["about"]:
        say()
        table([">#", "HAPPENED", "WHO", "WHAT"], map(_event, answer["about"]),
              title="the events it is about", indent=2)  # fmt: skip
    say()
    table([">#", "HAPPENED", "WHO", "WHAT"], map(_event, answer["evidence"]),
          title="evidence", indent=2)  # fmt: skip
