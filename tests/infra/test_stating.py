"""Statements of the demo's store: line by line, as of any time, under any policy."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.attribution import AttributionPolicy, PolicyKind
from infra import answers
from infra.answers import AsOf, NotFound
from infra.bootstrap import Accord
from infra.projecting.runner import partnerships
from tests.feeds import played

Row = dict[str, Any]

CONSULTING, AURORA, SPAIN = "growthos-consulting", "aurora-series", "spring-spain"


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def only(answer: Row) -> Row:
    (found,) = answer["statements"]
    assert isinstance(found, dict)
    return found


def test_every_partnership_with_terms_ends_in_settled_statements(accord: Accord) -> None:
    last = {
        name: [row["statement"] for row in answers.statements(accord, name)]
        for name in partnerships(accord.history)
    }

    assert [name for name, found in last.items() if not found] == ["spring-germany"]
    for name in last:
        for row in answers.statements(accord, name):
            assert Decimal(row["paid"]) == Decimal(row["amount"]), row["statement"]


def test_the_lines_of_each_statement_add_up_to_its_balance(accord: Accord) -> None:
    for name in partnerships(accord.history):
        for issued in answers.statements(accord, name):
            found = only(answers.statement(accord, name, issued["statement"]))
            net = sum(
                Decimal(line["amount"]) * (1 if line["to"] == found.get("payee") else -1)
                for line in found["lines"]
            )
            assert net == Decimal(found["amount"])
            assert sum(part["lines"] for part in found["parts"]) == len(found["lines"])


def test_each_line_says_which_share_of_what_under_which_terms(accord: Accord) -> None:
    answer = answers.statement(accord, CONSULTING, "2026-Q2")

    texts = [line["text"] for line in only(answer)["lines"]]
    assert texts == [
        "revenue-share of payment pay-0002, deal ref-0001; 15 % of 2500.00; terms version 1",
        "revenue-share of payment pay-0002, deal ref-0001; 15 % of 2000.00; terms version 1",
        "revenue-share of payment pay-0003, deal ref-0011; 15 % of 12500.00; terms version 1; late",
    ]


def test_a_second_year_paid_ahead_earns_nothing(accord: Accord) -> None:
    lines = only(answers.statement(accord, CONSULTING, "2026-Q3"))["lines"]

    assert not [line for line in lines if "pay-0006" in line["text"]]


def test_gift_cards_of_the_quarter_come_to_1400(accord: Accord) -> None:
    lines = only(answers.statement(accord, CONSULTING, "2026-Q3"))["lines"]
    cards = [Decimal(line["amount"]) for line in lines if "gift-card" in line["text"]]

    assert (len(cards), sum(cards)) == (14, 1400)


def test_before_it_is_issued_a_statement_is_a_draft_as_of_that_time(accord: Accord) -> None:
    when = AsOf(known=day("2026-07-05T23:00"))

    draft = only(answers.statement(accord, CONSULTING, "2026-Q2", when))

    assert (draft["statement"], draft["state"], draft["amount"]) == (None, "open", "2175.00")


def test_what_had_happened_and_was_not_known_yet_is_not_in_the_draft(accord: Accord) -> None:
    answer = answers.statement(accord, CONSULTING, "2026-Q2", AsOf(known=day("2026-07-04")))

    assert only(answer)["amount"] == "300.00"


def test_another_policy_is_replayed_and_issues_nothing(accord: Accord) -> None:
    policy = AttributionPolicy(kind=PolicyKind.FIRST_TOUCH)

    other = only(answers.statement(accord, CONSULTING, "2026-Q3", policy=policy))

    assert other["state"] == "open"
    assert Decimal(other["amount"]) == sum(
        Decimal(row["amount"]) for row in answers.statements(accord, CONSULTING)
    )


def test_a_final_settlement_is_found_by_its_name(accord: Accord) -> None:
    final = only(answers.statement(accord, "cobalt-docs", "cob-final"))

    assert (final["payer"], final["amount"], final["state"]) == ("meridian-tv", "60.00", "settled")


def test_a_split_of_100_dollars_and_a_shared_cost(accord: Accord) -> None:
    lines = only(answers.statement(accord, AURORA, "2026"))["lines"]
    costs = only(answers.statement(accord, AURORA, "2026-Q1"))["lines"]

    assert next(line["amount"] for line in lines if "licence-0001" in line["text"]) == "70.00"
    assert next(line["amount"] for line in costs if "cost" in line["text"]) == "6000.00"


def test_a_statement_that_nobody_knows_is_not_found(accord: Accord) -> None:
    with pytest.raises(NotFound, match="no statement es-final"):
        answers.statement(accord, SPAIN, "es-final")


def test_settling_again_decides_nothing_and_too_early_is_refused(accord: Accord) -> None:
    again = answers.settle(accord, SPAIN, "2026-Q2")
    early = answers.settle(accord, SPAIN, "2026-Q4", "pasarela-tv")
    stranger = answers.settle(accord, SPAIN, "2026-Q1", "nobody")

    assert (again.status, again.count) == ("accepted", 0)
    assert early.rule == "period-not-over"
    assert stranger.rule == "unknown-party"
