"""What numbers show, in words: experiments, the funnel, agreed rules, rules tried on the past."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from domain.rules import DecisionRule
from infra.answers import alerts
from infra.answers.text import Hanging
from infra.cli.printing import Row, blocks, minute, note, number, say, table
from infra.cli.reading import likely, tenth
from projections import ALERTS

# --- experiments -------------------------------------------------------------------------------


def print_experiments(answer: Row) -> None:
    """Print each experiment with its variants side by side."""
    if not answer["experiments"]:
        note("There are no experiments.")
    for each in answer["experiments"]:
        _experiment(each)
        say()


def _experiment(row: Row) -> None:
    say(f"{row['experiment']}: {row['state']}", "bold")
    say(row["hypothesis"], indent=2)
    prior = row["prior"]
    say(f"{row['metric']}; {row['assignment']}", indent=2)
    say(f"prior: Beta({prior['successes']}, {prior['failures']}), {prior['source']}", indent=2)
    table(
        ["VARIANT", ">TRIALS", ">RATE", "BOUNDS", ">BEST", "AGAINST THE CONTROL"],
        (
            (
                f"{each['variant']} (control)" if each["variant"] == row["control"]
                else each["variant"],
                f"{each['successes']}/{each['trials']}",
                f"{tenth(each['rate'])} %" if "rate" in each else "none",
                likely(each),
                _share(each["best"]),
                _against(each),
            )
            for each in row["variants"]
        ),
        indent=2,
    )  # fmt: skip
    say(f"bounds: {row['variants'][0]['judged_by']}", indent=2)
    say(_stop(row["stop"]), indent=2)
    if concluded := row.get("concluded"):
        won = concluded.get("winner", "nothing")
        say(f"concluded {minute(concluded['at'])} ({concluded['ending']}), {won} wins", indent=2)
        say(concluded["conclusion"], indent=4)
    if promoted := row.get("promoted"):
        say(f"{promoted['variant']} was promoted into: {promoted['into']}", indent=2)


def _against(variant: Row) -> str:
    if "better_than_control" not in variant:
        return ""
    parts = []
    if "difference" in variant:
        value = tenth(variant["difference"])
        parts.append(f"{value if value.startswith('-') else f'+{value}'} points")
    if "factor" in variant:
        parts.append(f"×{number(variant['factor'])}")
    parts.append(f"{_share(variant['better_than_control'])} likely better")
    return ", ".join(parts)


def _share(probability: str) -> str:
    return f"{tenth(str(Decimal(probability) * 100))} %"


def _stop(stop: Row) -> str:
    agreed = (
        f"{stop['trials']} trials of each variant, {number(stop['credibility'])} % credibility"
        if stop["kind"] == "fixed-sample"
        else f"at any time, once bounds of {number(stop['level'])} % part"
    )
    if not stop["met"]:
        lacking = ", ".join(
            f"{name} lacks {count}" for name, count in stop.get("lacking", {}).items()
        )
        return f"stop: {agreed}; not met yet" + (f" ({lacking})" if lacking else "")
    return f"stop: {agreed}; met, {stop.get('winner', 'nothing')} wins"


# --- the funnel --------------------------------------------------------------------------------


def print_funnel(answer: Row) -> None:
    """Print how many go on at each step, where most stop, and the partner beside others."""
    say(f"{answer['id']}, {'all time' if answer['period'] == 'all' else answer['period']}", "bold")
    table(
        ["STEP", ">DEALS", ">GO ON", f"LIKELY ({answer['credibility']} %)", ">DROP OFF", ""],
        (
            (
                each["step"],
                each["count"],
                *(
                    (f"{tenth(each['goes_on'])} %", likely(each), f"{tenth(each['drop_off'])} %")
                    if "goes_on" in each
                    else ("", "", "")
                ),
                "the worst step" if each["step"] == answer["worst"] else each.get("note", ""),
            )
            for each in answer["steps"]
        ),
        indent=2,
    )
    table(
        ["METRIC", ">PARTNER", ">OTHER CHANNELS", "PARTNER HIGHER"],
        (
            (
                each["metric"],
                _cohort(each["partner"]),
                _cohort(each["other_channels"]),
                f"with probability {each['partner_higher']}",
            )
            for each in answer["cohorts"]
        ),
        title="beside other channels",
        indent=2,
    )


def _cohort(row: Row) -> str:
    return f"{tenth(row['rate'])} % ({number(row['successes'])}/{number(row['trials'])})"


# --- rules -------------------------------------------------------------------------------------


def print_rules(answer: Row) -> None:
    """Print each agreed rule and prior, by version."""
    if not answer["rules"]:
        note("No decision rule is agreed.")
    table(
        ["RULE", ">VERSION", "BINDS FROM", "WHAT WAS AGREED"],
        (
            (each["rule"], each["version"], minute(each["binds_from"]), each["text"])
            for each in answer["rules"]
        ),
    )
    if answer["priors"]:
        say()
    table(
        ["PRIOR OF", ">VERSION", "BINDS FROM", "BELIEF", "FROM"],
        (
            (
                each["metric"],
                each["version"],
                minute(each["binds_from"]),
                f"Beta({each['successes']}, {each['failures']})",
                each["source"],
            )
            for each in answer["priors"]
        ),
    )


def rule(text: str) -> DecisionRule | str:
    """Give the rule that a file holds (as ProposeDecisionRule has it), or the name of one.

    Raises `ValueError`, with what is wrong where, for a file that holds no rule.
    """
    path = Path(text)
    if not path.is_file():
        return text
    try:
        return DecisionRule.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        wrong = (f"{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ValueError("; ".join(wrong)) from None


def print_tried(answer: Row) -> None:
    """Print what a rule would have seen and said."""
    say(f"{answer['rule']['rule']}, tried on {answer['id']} since {answer['since']}", "bold")
    say(answer["text"], indent=2)
    if not answer["windows"]:
        note(f"No {answer['rule']['window']} has closed since then.")
    table(
        ["WINDOW", ">VALUE", ">SAMPLE", ">PROBABILITY", "VERDICT"],
        (
            (
                each["window"],
                each["value"] if each["value"] == "none" else number(each["value"]),
                number(each["sample"]) if "sample" in each else "",
                each.get("probability", ""),
                each["verdict"],
            )
            for each in answer["windows"]
        ),
        indent=2,
    )
    _alerts(answer["alerts"])


def _alerts(rows: Iterable[Row]) -> None:
    found = [ALERTS.load(each["id"], each) for each in rows]
    say()
    if not found:
        say("It would have raised no alert.", indent=2)
        return
    say("It would have raised:", "bold", 2)
    for each in found:
        blocks(
            [
                alerts.heading(each, each.window, each.since, 4),
                Hanging(" " * 15, alerts.outcome(each)),
            ]
        )
