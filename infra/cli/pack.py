"""The review pack on one page of text."""

from collections.abc import Iterable

from infra.cli.printing import Row, amount, day, figure, minute, money, number, say, styled, table
from infra.cli.reading import beside


def print_pack(row: Row) -> None:
    """Print the page for a review."""
    parties = " and ".join(row["parties"])
    say(f"{row['kind']} review {row['review']}, {minute(row['at'])}", "bold")
    since = row["since"]
    after = f"; since {since['review'] or 'the kickoff'} of {day(since['at'])}" if since else ""
    say(f"{row['id']}: {parties}, in {row['stage']}{after}")
    if row["reason"]:
        say(row["reason"])
    table(
        [f"{row['period']}", ">FIGURE", "BESIDE"],
        ((line["metric"], figure(line), beside(line)) for line in row["figures"]),
        indent=2,
    )
    _objectives(row["objectives"])
    _lines(
        "alerts",
        (f"{each['state']:<9}  {day(each['since'])}  {each['text']}" for each in row["alerts"]),
    )
    _lines(
        "actions agreed",
        (
            f"{'done' if each['done'] else 'open'}  {each['due']}  {each['owner']}: {each['text']}"
            for each in row["actions"]
        ),
    )
    for what in ("milestones", "issues"):
        _lines(f"open {what}", (f"{each['id']}: {each['what']}" for each in row[what]))
    _lines("open disputes", map(_dispute, row["disputes"]))
    _lines("contributions of both sides", map(_contribution, row["contributions"]))
    _lines("health", map(_health, row["health"]))
    _lines(
        "risks",
        (
            f"{each['weight']:>2} of 25  {each['description']} ({each['owner']})"
            for each in row["risks"]
        ),
    )
    _lines("money", _money(row["money"]))
    _lines(
        "next",
        (f"{day(each['due'])}  {each['kind']} {each['ref']}" for each in row["deadlines"]),
    )


def _lines(title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if found:
        say(title, "bold", 2)
    for line in found:
        say(styled(line), indent=4)


def _objectives(objectives: Iterable[Row]) -> None:
    _lines(
        "objectives",
        (
            f"{'met' if each['met'] else 'not yet':<9}  {each['metric']}: "
            f"{number(each['actual']) if each['actual'] else 'nothing known'} of "
            f"{amount(each['target'], each['unit'])} by {each['deadline']}"
            for each in objectives
        ),
    )


def _dispute(row: Row) -> str:
    about = row.get("deal") or row.get("entry") or row["cause"]
    amount = f", {money(row['amount'])}" if "amount" in row else ""
    return f"{row['dispute']} ({about}{amount}): {row['description']}"


def _contribution(row: Row) -> str:
    given = "; ".join(
        f"{each['what']}" + (f" ({money(each['value'])})" if "value" in each else "")
        for each in row["given"]
    )
    hours = f"{row['hours']} hours; " if row["hours"] != "0" else ""
    return f"{row['party']}: {hours}{given or 'nothing recorded'}"


def _health(row: Row) -> str:
    shown = (
        f"{name.replace('_', ' ')} {rating}"
        + (f" ({row['changes'][name]:+})" if row["changes"].get(name) else "")
        for name, rating in row["ratings"].items()
    )
    return f"{row['party']}, {row['period']}: {', '.join(shown)}"


def _money(row: Row) -> Iterable[str]:
    for each in row["open"]:
        earned = ", ".join(f"{amount} to {party}" for party, amount in each["earned"].items())
        yield f"accrued, not stated yet, {each['currency']}: {earned}"
    for each in row["to_be_paid"]:
        amount = f"{each['amount']} {each['currency']}"
        yield f"{each['payer']} owes {amount} on {each['statement']}"
