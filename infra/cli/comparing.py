"""Many partnerships side by side, in words: portfolio, markets, candidates, attributes."""

from collections.abc import Iterable

from infra.cli.printing import Row, amount, day, money, note, number, say, styled, table

# --- portfolio ---------------------------------------------------------------------------------


def print_portfolio(answer: Row) -> None:
    """Print each initiator's portfolio: the sheet, then what it says as a whole."""
    if not answer["portfolios"]:
        note("There are no partnerships.")
    for each in answer["portfolios"]:
        say(f"{each['name']} ({each['initiator']}), {day(answer['as_of']['moment'])}", "bold")
        _sheet(each["partners"])
        _laggards(each["laggards"])
        _load(each)
        _dependency(each["dependency"])
        _mix(each["mix"])
        _matches(each["matches"])
        if each["searching"]:
            say(f"without a partner: {', '.join(each['searching'])}", indent=2)
        say()


def _sheet(partners: Iterable[Row]) -> None:
    table(
        [
            "ID",
            "PARTNER",
            "JOINED",
            "STAGE",
            ">LEADS",
            ">CONVERSIONS",
            "REVENUE",
            "GOALS",
            "NOTES",
        ],
        (
            (
                each["id"],
                each["name"],
                each["joined"] or "",
                each["stage"],
                each["leads"] or "",
                each["conversions"] or "",
                ", ".join(f"{money(part)} {part['from']}" for part in each["revenue"]),
                styled(_goals(each)),
                "; ".join(each["notes"]),
            )
            for each in partners
        ),
        indent=2,
    )


def _goals(line: Row) -> str:
    outcomes = [each["outcome"] for each in line["objectives"]]
    counts = [
        f"{outcomes.count(each)} {each}"
        for each in ("missed", "unmeasured", "open", "met")
        if each in outcomes
    ]
    return ", ".join(counts) or "none agreed"


def _laggards(laggards: Row) -> None:
    if not laggards["active"]:
        return
    say(f"{laggards['performing']} of {laggards['active']} active perform", "bold", 2)
    for each in laggards["lagging"]:
        for reason in each["reasons"]:
            say(f"{each['id']} lags: {reason}", indent=4)


def _load(portfolio: Row) -> None:
    row = portfolio["load"]
    whose = "as its program says" if portfolio["limits"] else "for a small team"
    say("load", "bold", 2)
    say(
        f"{row['active']} active, {row['reading']} the {row['fewest']} to {row['most']} "
        f"manageable {whose}",
        indent=4,
    )
    low, high = row["people_usual"]
    lacking = row["without_commitment"]
    say(
        f"{row['people_committed']} full-time people committed"
        + (f" ({lacking} committed none)" if lacking else "")
        + f"; {low} to {high} are usual for so many",
        indent=4,
    )
    if "capacity" in row:
        over = "more than" if row["over_capacity"] else "within"
        say(f"{over} the capacity of {number(row['capacity'])}", indent=4)


def _dependency(kinds: Iterable[Row]) -> None:
    for each in kinds:
        table(
            ["ID", f">{each['currency']}", ">SHARE"],
            ((part["id"], part["amount"], f"{part['percent']} %") for part in each["shares"]),
            title=f"dependency: {each['metric']} in {each['currency']}",
            indent=2,
        )
        say(f"Herfindahl index {each['herfindahl']}. {each['reading']}", indent=4)


_PAID = {
    "by-result": "by result",
    "in-any-case": "in any case",
    "both": "by result and in any case",
    "not-agreed": "nothing agreed",
}


def _mix(mix: Iterable[Row]) -> None:
    table(
        ["ID", "PAID", ">CONVERSIONS", ">AVERAGE CONTRACT", ">MARGIN"],
        (
            (
                each["id"],
                _PAID[each["pays"]],
                each["conversions"] or "",
                ", ".join(map(money, each["average_contract_value"])),
                amount(each["margin"], "percent") if each["margin"] else "",
            )
            for each in mix
        ),
        title="risk and reward",
        indent=2,
    )


def _matches(matches: Iterable[Row]) -> None:
    table(
        ["PARTNERS", "CLIENTS IN COMMON", "MARKETS IN COMMON", "WHAT THEY BRING"],
        (
            (
                " and ".join(each["of"]),
                ", ".join(each["shared_segments"]),
                ", ".join(each["shared_markets"]),
                "; ".join(f"{name}: {what}" for name, what in each["brings"].items()),
            )
            for each in matches
        ),
        title="partners to bring together",
        indent=2,
    )


# --- markets and candidates --------------------------------------------------------------------


def print_markets(rows: list[Row]) -> None:
    """Print the markets by rank, each with its reasons and the mistakes that were made."""
    if not rows:
        note("No market was named yet (TargetMarket).")
    table(
        [">RANK", "MARKET", "OF", ">VIABILITY", ">CULTURE", ">FEEDBACK", "WHY"],
        (
            (
                row["rank"] or "–",
                row["market"],
                row["initiator"],
                number(row["viability"]) if row["rated"] else "",
                number(row["cultural_fit"]) if row["rated"] else "",
                f"{number(row['feedback_score'])} ({row['feedback']})" if row["feedback"] else "",
                "; ".join(f"{each['text']} ({each['shown_by']})" for each in row["reasons"]),
            )
            for row in rows
        ),
    )
    for row in rows:
        say()
        say(f"{row['market']}: {', '.join(row['partnerships'])}", "bold")
        for each in row["checks"]:
            if each["made"]:
                say(f"{each['mistake']}. {each['hint']}", indent=2)
            else:
                say(f"not {each['mistake']}: {each['shown_by']}", indent=2)


def print_candidates(rows: list[Row]) -> None:
    """Print the candidates by rank, each with the reasons for its place."""
    if not rows:
        note("There are no candidates.")
    table(
        [">RANK", "CANDIDATE", "STATE", "WHY"],
        ((row["rank"], row["candidate"], _state(row), "; ".join(row["reasons"])) for row in rows),
    )


def _state(row: Row) -> str:
    if row["chosen"]:
        return "chosen"
    return "approached" if row["approached"] else "identified"


# --- attributes --------------------------------------------------------------------------------


def print_attributes(answer: Row) -> None:
    """Print what partners are like against their figures, and what to beware of."""
    over = answer["period"] or "all that is known"
    count = len(answer["partnerships"])
    say(f"{answer['metric']}, {over}: {count} with a figure", "bold")
    for each in answer["partnerships"]:
        say(f"{each['id']}: {amount(each['value'], answer['unit'])}", indent=2)
    table(
        ["ATTRIBUTE", ">N", ">SLOPE", ">STANDARD ERROR", "95 % INTERVAL", ">R²", "READING"],
        (
            (each["attribute"], each["n"], "", "", "", "", each["note"])
            if "note" in each
            else (
                each["attribute"],
                each["n"],
                each["slope"],
                each["standard_error"],
                " to ".join(each["interval"]),
                each["r_squared"],
                each["reading"],
            )
            for each in answer["attributes"]
        ),
        indent=2,
    )
    if answer["in_other_units"]:
        say(f"{answer['in_other_units']} figures in other units are left out.", indent=2)
    for warning in answer["warnings"]:
        say(warning, indent=2)
