"""The cases of `tests/cases/` about money, played as a user plays them: into a simulated store.

Each feed brings acme (the vendor) and north (the partner) into execution; then comes the case.
The cases o2 and t1 are played in `tests/infra/test_waiting.py` and `tests/journeys/test_times.py`.
"""

from decimal import Decimal
from typing import Any

import pytest

from tests.documents import REPOSITORY
from tests.journeys.typed import Accord

CASES = REPOSITORY / "tests/cases"


def play(accord: Accord, case: str) -> str:
    """Play the feed of a case into a new store; return the name of its partnership."""
    (feed,) = CASES.glob(f"{case}-*.jsonl")
    assert accord("init", "--simulated").code == 0
    ran = accord("ingest", str(feed), "--json")
    assert (ran.code, ran.json["refused"], ran.json["waiting"]) == (0, [], [])
    return feed.stem


def statement(accord: Accord, name: str, period: str) -> list[dict[str, Any]]:
    """Return the statements of a period, issued or not yet."""
    found: list[dict[str, Any]] = accord("statement", name, "--period", period, "--json").json[
        "statements"
    ]
    return found


def lines(accord: Accord, name: str) -> list[tuple[str, str, str]]:
    """Return each line of the case's deal: its day, the party that earns it, the amount."""
    explained = accord("explain", f"{name}/deal/D1", "--json").json["explained"]
    return [(each["day"], each["to"], each["amount"]) for each in explained["lines"]]


def reasons(accord: Accord, name: str) -> list[tuple[str, str]]:
    """Return why each fact of the case's deal that an item prices for north earned nothing."""
    explained = accord("explain", f"{name}/deal/D1", "--json").json["explained"]
    return [
        (each["fact"].partition("@")[0], each["nothing"])
        for each in explained["priced"]
        if each["to"] == "north" and each["item"] and each["nothing"]
    ]


def earned(accord: Accord, name: str) -> Decimal:
    """Return what north earned on the case's deal in all."""
    mine = (Decimal(amount) for _, to, amount in lines(accord, name) if to == "north")
    return sum(mine, Decimal(0))


def ends(accord: Accord, name: str) -> list[str]:
    """Return each end of the term that a renewal agreed, in order."""
    items = accord("history", name, "--json").json["items"]
    renewals = [each["event"] for each in items if each["event"]["type"] == "PartnershipRenewed"]
    return [each["data"]["ends_on"] for each in renewals]


def deadlines(accord: Accord, name: str) -> dict[str, str]:
    """Return the next deadline of each kind, by day."""
    return {
        each["kind"]: each["due"][:10] for each in accord("show", name, "--json").json["deadlines"]
    }


def test_m1_refunds_of_later_renewals_take_nothing_from_the_sale(accord: Accord) -> None:
    name = play(accord, "m1")

    (first,) = statement(accord, name, "2026-Q1")

    assert (first["balance"]["amount"], first["paid"]) == ("240.00", "240.00")
    assert lines(accord, name) == [("2026-02-01", "north", "240.00")]
    assert statement(accord, name, "2028-Q1") == []


def test_m2_a_full_refund_takes_the_flat_fee_back(accord: Accord) -> None:
    name = play(accord, "m2")

    assert lines(accord, name) == [
        ("2026-02-01", "north", "100.00"),
        ("2026-02-03", "north", "-100.00"),
    ]
    assert statement(accord, name, "2026-Q1")[0]["balance"]["amount"] == "0.00"
    assert reasons(accord, name) == [("win", "returned")]


def test_m4_a_touch_after_the_conversion_is_on_record_and_moves_no_credit(accord: Accord) -> None:
    name = play(accord, "m4")

    explained = accord("explain", f"{name}/deal/D1", "--json").json["explained"]
    credit = {each["party"]: each for each in explained["credit"]}

    assert {party: each["percent"] for party, each in credit.items()} == {
        "acme": "0",
        "north": "100",
    }
    late = {each["touch"]: each["counts"] for each in credit["north"]["touches"]}
    assert late == {"north": True, "acme": False}
    assert lines(accord, name) == [("2026-02-01", "north", "180.00")]
    assert statement(accord, name, "2026-03") == []


def test_m5_an_amendment_of_the_notice_leaves_one_count_of_the_year(accord: Accord) -> None:
    name = play(accord, "m5")

    # 10 % of the first 10,000 and 20 % of the second.
    assert lines(accord, name) == [
        ("2026-02-01", "north", "1000.00"),
        ("2026-08-01", "north", "2000.00"),
    ]
    (year,) = statement(accord, name, "2026")
    assert year["balance"]["amount"] == "3000.00"


def test_m6_an_amendment_of_the_notice_leaves_one_cap_of_the_year(accord: Accord) -> None:
    name = play(accord, "m6")

    assert lines(accord, name) == [("2026-02-01", "north", "1000.00")]
    assert reasons(accord, name) == [("payment/P2", "cap")]
    (year,) = statement(accord, name, "2026")
    assert year["balance"]["amount"] == "1000.00"


def test_m7_a_currency_agreed_for_later_leaves_the_statement_of_now(accord: Accord) -> None:
    name = play(accord, "m7")

    (first,) = statement(accord, name, "2026-Q1")

    assert (first["statement"], first["state"]) == ("2026-Q1:USD", "issued")
    assert first["balance"]["amount"] == "150.00"


def test_m10_a_chargeback_lost_again_under_one_id_is_on_record(accord: Accord) -> None:
    name = play(accord, "m10")

    assert lines(accord, name) == [
        ("2026-02-01", "north", "150.00"),
        ("2026-02-10", "north", "-150.00"),
        ("2026-03-01", "north", "150.00"),
        ("2026-03-20", "north", "-150.00"),
    ]
    assert earned(accord, name) == 0
    assert reasons(accord, name) == [("payment/P1", "returned")]


def test_m15_an_amendment_of_the_share_leaves_the_renewal(accord: Accord) -> None:
    name = play(accord, "m15")

    assert ends(accord, name) == ["2028-01-01"]
    assert deadlines(accord, name)["term-end"] == "2028-01-01"
    rules = [each["rule"] for each in accord("alerts", name, "--json").json["items"]]
    assert "term-ended" not in rules
    # The new share earns within the renewed term: 12 % of 1,000.00.
    assert lines(accord, name) == [("2027-03-10", "north", "120.00")]


def test_l1_renewals_from_the_31st_are_counted_from_the_first_day(accord: Accord) -> None:
    name = play(accord, "l1")

    # The term of one month from 31 January ends on 28 February.
    assert ends(accord, name) == ["2026-03-31", "2026-04-30", "2026-05-31"]
    assert deadlines(accord, name)["term-end"] == "2026-05-31"
    known = accord("show", name, "--at", "2026-02-01T00:00:00Z", "--json")
    before = {each["kind"]: each["due"][:10] for each in known.json["deadlines"]}
    assert before["term-end"] == "2026-02-28"


@pytest.mark.parametrize("case", ["m1", "m2", "m4", "m5", "m6", "m7", "m10", "m15", "l1"])
def test_the_views_of_each_case_are_what_its_log_folds_to(accord: Accord, case: str) -> None:
    play(accord, case)

    verified = accord("audit", "verify")

    assert verified.code == 0
    assert "No difference found." in verified.out
