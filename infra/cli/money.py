"""Statements in words: who owes whom how much, and line by line why."""

from collections.abc import Iterable

from infra.cli.printing import Row, minute, number, say, styled, table


def print_statement(answer: Row) -> None:
    """Print the statements of a period, each with its parts and lines."""
    say(f"{answer['id']}, {answer['period']}", "bold")
    if policy := answer.get("policy"):
        say(f"as if claims were weighed by {policy['kind']}", indent=2)
    if not answer["statements"]:
        say("Nothing accrued up to its end that is not stated already.", indent=2)
    for each in answer["statements"]:
        say()
        _print_one(each)
    say()
    say(f"rounding: {answer['rounding']}", indent=2)


def _print_one(row: Row) -> None:
    say(f"{_title(row)}: {balance(row)}", "bold", 2)
    if "refused" in row:
        say(row["refused"], indent=4)
    table(
        ["MONTH", "EARNED BY", ">AMOUNT", ">RATE", f">IN {row['currency']}"],
        _parts(row),
        indent=4,
    )
    table(
        [">#", "MONTH", "TO", ">AMOUNT", "WHAT FOR"],
        (
            (line["index"], line["month"], line["to"], _amount(line), line["text"])
            for line in row["lines"]
        ),
        title="lines",
        indent=4,
    )
    held = [
        f"{amount} {part['currency']} to {party} ({part['month']})"
        for part in row.get("held", ())
        for party, amount in part["earned"].items()
    ]
    if held:
        say(f"held, because it is disputed: {'; '.join(held)}", indent=4)


def _title(row: Row) -> str:
    if row["statement"] is None:
        return f"{row['currency']}, not issued yet"
    return f"{row['statement']}, {row['state']} ({minute(row['issued_at'])})"


def balance(row: Row) -> str:
    """Give who owes whom how much, and what of it was paid."""
    if "refused" in row:
        return "not settled"
    if "payer" not in row:
        return "nobody owes anything"
    if row.get("paid", "0") != "0" and is_settled(row):
        return f"{row['payer']} paid {row['payee']} {row['amount']} {row['currency']}"
    paid = f", {row['paid']} of it paid" if row.get("paid", "0") != "0" else ""
    return f"{row['payer']} owes {row['payee']} {row['amount']} {row['currency']}{paid}"


def _parts(row: Row) -> Iterable[tuple[str, str, str, str, str]]:
    for part in row["parts"]:
        for party, amount in part["earned"].items():
            converted = part.get("converted", {}).get(party, "")
            shown = f"{amount} {part['currency']}"
            rate = number(part["rate"]) if "rate" in part else ""
            yield part["month"], party, shown, rate, converted or amount


def _amount(line: Row) -> str:
    return f"{line['amount']} {line['currency']}"


def print_statements(rows: Iterable[Row], indent: int = 0) -> None:
    """Print a line for each statement that was issued."""
    table(
        ["STATEMENT", "ISSUED", "BALANCE", "STATE"],
        (
            (
                row["statement"],
                minute(row["issued_at"]),
                balance(row),
                styled("settled" if is_settled(row) else "to be paid"),
            )
            for row in rows
        ),
        indent=indent,
        title="statements",
    )


def is_settled(row: Row) -> bool:
    """Whether a statement's balance was paid; one that owes nothing is settled as it is issued."""
    return "payer" not in row or number(row["paid"]) == number(row["amount"])
