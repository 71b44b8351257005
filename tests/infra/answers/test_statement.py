"""Statements of the demo's store: line by line, as of any time, under any policy."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from infra.answers import history, statement, statements
from infra.answers.logs import AsOf, NotFound
from infra.answers.statement import PeriodStatements, Statement, Weighing
from infra.answers.statement_state import State
from infra.bootstrap import Accord
from infra.cli.settle import issue
from infra.store.history import partnerships
from projections.visibility import Viewer
from tests.feeds import PROGRAM, played

CONSULTING, AURORA, SPAIN = "growthos-consulting", "aurora-series", "spring-spain"


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def only(answer: PeriodStatements) -> Statement:
    (found,) = answer.statements
    return found


def amount(found: Statement) -> Decimal:
    assert found.balance is not None
    return found.balance.amount


def test_every_partnership_with_terms_ends_in_settled_statements(accord: Accord) -> None:
    issued = {name: statements.ask(accord, name).items for name in partnerships(accord.history)}

    assert [name for name, found in issued.items() if not found] == [
        PROGRAM,
        "spring-germany",
    ]
    for each in (each for found in issued.values() for each in found):
        assert each.paid == each.balance.amount, each.statement
        assert each.state is State.SETTLED


def test_the_statements_of_a_time_are_those_issued_by_then(accord: Accord) -> None:
    now = statements.ask(accord, CONSULTING).items
    then = statements.ask(accord, CONSULTING, AsOf(known=day("2026-07-06T10:00"))).items

    assert [each.statement for each in then] == [each.statement for each in now][: len(then)]
    assert 0 < len(then) < len(now)
    (before,) = {each.state for each in then if each.statement == "2026-Q2:USD"}
    assert before is State.ISSUED
    assert next(each.paid for each in then if each.statement == "2026-Q2:USD") == 0


def test_a_stranger_is_shown_no_statement(accord: Accord) -> None:
    with pytest.raises(NotFound, match="passer-by"):
        statements.ask(accord, CONSULTING, AsOf(viewer=Viewer("passer-by")))


def test_the_lines_of_each_statement_add_up_to_its_balance(accord: Accord) -> None:
    for name in partnerships(accord.history):
        for issued in statements.ask(accord, name).items:
            found = only(statement.ask(accord, name, issued.statement))
            assert found.balance == issued.balance
            assert sum(line.counts or 0 for line in found.lines) == amount(found)
            assert sum(part.lines for part in issued.balance.parts) == len(found.lines)


def test_the_subtotals_of_the_months_add_up_to_the_balance_with_every_line(
    accord: Accord,
) -> None:
    several = 0
    for name in partnerships(accord.history):
        for issued in statements.ask(accord, name).items:
            found = only(statement.ask(accord, name, issued.statement))
            counts = {each.line: each.counts or Decimal(0) for each in found.lines}
            months = [each.month or "~" for each in found.months]
            assert months == sorted({*months})
            assert sorted(line for each in found.months for line in each.lines) == sorted(counts)
            for each in found.months:
                assert each.total == sum((counts[line] for line in each.lines), Decimal(0))
            assert sum(each.total or Decimal(0) for each in found.months) == amount(found)
            several += len(months) > 1
    assert several


def test_each_line_says_which_share_of_what_under_which_terms(accord: Accord) -> None:
    answer = statement.ask(accord, CONSULTING, "2026-Q2")

    assert [line.text for line in only(answer).lines] == [
        "revenue-share-1 of payment pay-0002, deal ref-0001; 15 % of 2500.00 USD; terms version 1",
        (
            "revenue-share-1 of payment pay-0002, deal ref-0001; after refund rfd-0001; "
            "15 % of 2000.00 USD = 300.00 USD, minus 375.00 USD earned before; terms version 1"
        ),
        (
            "revenue-share-1 of payment pay-0003, deal ref-0011; "
            "15 % of 12500.00 USD; terms version 1; reported 4 days late"
        ),
    ]


def test_a_second_year_paid_ahead_earns_nothing(accord: Accord) -> None:
    lines = only(statement.ask(accord, CONSULTING, "2026-Q3")).lines

    assert not [line for line in lines if "pay-0006" in line.text]


def test_gift_cards_of_the_quarter_add_up_to_1400(accord: Accord) -> None:
    lines = only(statement.ask(accord, CONSULTING, "2026-Q3")).lines
    cards = [line.amount for line in lines if "gift-card" in line.text]

    assert (len(cards), sum(cards)) == (14, 1400)


def test_each_line_names_the_rule_that_earns_it_and_the_event_that_agreed_it(
    accord: Accord,
) -> None:
    """Gift cards are an incentive of 6 July. No version of the terms has them."""
    lines = only(statement.ask(accord, CONSULTING, "2026-Q3")).lines
    card = next(each for each in lines if each.item == "gift-card")
    paid = next(each for each in lines if each.item == "revenue-share-1")
    hold = next(each for each in lines if each.item == "hold")
    rules = {each.line: each.rule for each in lines if each.rule}

    assert (card.terms_version, rules[card.line].text) == (None, "incentive of 2026-07-06")
    assert type_of(accord, rules[card.line].index) == "IncentiveIntroduced"
    assert rules[paid.line].text == "terms version 2"
    assert type_of(accord, rules[paid.line].index) == "CommercialTermsAgreed"
    assert type_of(accord, rules[hold.line].index) == "DisputeOpened"
    assert len(rules) == len(lines)


def type_of(accord: Accord, index: int) -> str:
    (found,) = history.items(accord, CONSULTING, AsOf(version=index + 1), index)
    return found.event.type if found.event else ""


def test_before_it_is_issued_a_statement_is_a_draft_as_of_that_time(accord: Accord) -> None:
    when = AsOf(known=day("2026-07-05T23:00"))

    draft = only(statement.ask(accord, CONSULTING, "2026-Q2", when=when))

    assert (draft.statement, draft.state, amount(draft)) == (None, State.OPEN, Decimal(2175))


def test_what_had_happened_and_was_not_known_yet_is_not_in_the_draft(accord: Accord) -> None:
    when = AsOf(known=day("2026-07-04"))

    assert amount(only(statement.ask(accord, CONSULTING, "2026-Q2", when=when))) == 300


def test_another_policy_is_replayed_and_issues_nothing(accord: Accord) -> None:
    other = only(statement.ask(accord, CONSULTING, "2026-Q3", Weighing.FIRST_TOUCH))

    assert other.state is State.OPEN
    issued = statements.ask(accord, CONSULTING).items
    assert amount(other) == sum(each.balance.amount for each in issued)


def test_a_final_settlement_is_found_by_its_name(accord: Accord) -> None:
    final = only(statement.ask(accord, "cobalt-docs", "cob-final"))

    assert (final.balance.payer, amount(final)) == ("meridian-tv", Decimal(60))
    assert (final.settlement, final.state) == ("cob-final", State.SETTLED)


def test_a_split_of_100_dollars_and_a_shared_cost(accord: Accord) -> None:
    lines = only(statement.ask(accord, AURORA, "2026")).lines
    costs = only(statement.ask(accord, AURORA, "2026-Q1")).lines

    assert next(line.amount for line in lines if "licence-0001" in line.text) == 70
    assert next(line.amount for line in costs if "cost" in line.text) == 6000


def test_an_unknown_statement_is_not_found(accord: Accord) -> None:
    with pytest.raises(NotFound, match="es-final is neither a period nor the name of a statement"):
        statement.ask(accord, SPAIN, "es-final")


def test_settling_again_decides_nothing_and_too_early_is_refused(accord: Accord) -> None:
    again = issue(accord, SPAIN, "2026-Q2")
    early = issue(accord, SPAIN, "2026-Q4", "pasarela-tv")
    stranger = issue(accord, SPAIN, "2026-Q1", "nobody")

    assert (again.status, again.count) == ("accepted", 0)
    assert early.rule == "period-not-over"
    assert stranger.rule == "unknown-party"
