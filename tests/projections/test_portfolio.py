"""The portfolio: many partnerships side by side, read from what each of them recorded (C28)."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.deal import IssueRefund, ReceivePayment
from domain.exploration import BeginExploration
from domain.kernel import Stage
from domain.reported_figure import Figure
from domain.scaling import AgreeJointInvestment
from projections.fold import Row
from projections.portfolio import dependency, herfindahl, line, load, matches, portfolio, shares
from tests.life import OURS, THEIRS, after, at, usd
from tests.projections.folds import attribute, count, member, refer_many, report, sell
from tests.stories import Story, moment

LIMITS: Row = {"fewest_active": 1, "most_active": 2, "largest_share": "40", "capacity": "0.2"}


def brought_to_a_line(story: Story, name: str = "p-1", on: datetime | None = None) -> Row:
    return line(member(story, name), on or story.now)


def sold(story: Story, name: str, paid: str) -> None:
    """Take a referral through to a payment."""
    sell(story, name, "1000.00")
    payment = ReceivePayment(deal=name, payment=f"{name}-1", amount=usd(paid))
    story.when(OURS, payment)


def dollars(amount: str | None, name: str = "p-1", **more: Any) -> Row:  # noqa: ANN401 - JSON
    """Give a line with what it brought, and no more than a portfolio reads."""
    revenue = [{"amount": amount, "currency": "USD", "from": "payments"}] if amount else []
    base = {"id": name, "partner": name, "active": True, "revenue": revenue, "attention": "15"}
    return {**base, "competes": False, "segments": [], "markets": [], "brings": None, **more}


# --- the sheet ---------------------------------------------------------------------------------


def test_the_sheet_has_what_people_write_down_today() -> None:
    story = at(Stage.EXECUTION)
    sold(story, "D-1", "500.00")
    refer_many(story, range(2, 4))

    row = brought_to_a_line(story)

    assert (row["name"], row["joined"]) == ("Brightpath", "2026-01-05")
    assert (row["leads"], row["conversions"]) == ("3", "1")
    assert row["revenue"] == [{"amount": "500.00", "currency": "USD", "from": "payments"}]


def test_refunds_are_taken_off_payments_and_reported_revenue_stands_by_itself() -> None:
    story = at(Stage.EXECUTION)
    sold(story, "D-1", "500.00")
    story.when(OURS, IssueRefund(deal="D-1", refund="R-1", payment="D-1-1", amount=usd("200.00")))
    report(story, "co_branded_revenue", "2026-01", Figure(unit="USD", value=Decimal("900.00")))

    assert [(each["from"], each["amount"]) for each in brought_to_a_line(story)["revenue"]] == [
        ("payments", "300.00"),
        ("co_branded_revenue", "900.00"),
    ]


def test_figures_of_several_years_are_told_as_one() -> None:
    story = at(Stage.EXECUTION)
    refer_many(story, range(2))
    story.on("2027-02-01")
    refer_many(story, range(2, 5))

    assert brought_to_a_line(story)["leads"] == "5"


def test_before_the_kickoff_nobody_has_joined() -> None:
    row = brought_to_a_line(at(Stage.FORMATION))

    assert (row["joined"], row["active"], row["lagging"]) == (None, False, [])


def test_an_objective_is_open_then_met_missed_or_unmeasured() -> None:
    story = at(Stage.EXECUTION)
    report(story, "new_users", "2026-01", count(10_000))
    report(story, "new_subscribers", "2026-01", count(9_000))

    def outcomes(day: str) -> dict[str, str]:
        row = brought_to_a_line(story, on=moment(day))
        return {each["metric"]: each["outcome"] for each in row["objectives"]}

    met = {"new_users": "met"}
    assert outcomes("2026-12-31") == {
        **met,
        "new_subscribers": "open",
        "co_branded_revenue": "open",
    }
    assert outcomes("2027-01-01") == {
        **met,
        "new_subscribers": "missed",
        "co_branded_revenue": "unmeasured",
    }


def test_what_lags_says_why() -> None:
    story = at(Stage.EXECUTION)
    silent = brought_to_a_line(story)
    refer_many(story, range(8))
    report(story, "new_users", "2026-01", count(100))
    story.on("2026-04-01")

    lagging = brought_to_a_line(story)["lagging"]

    assert silent["lagging"] == [
        "There are no figures since it began: nothing says that it performs."
    ]
    assert lagging == [
        "new_users: 1.00 % of the target in 32.84 % of the time.",
        "8 of 10 referrals in 2026-Q1.",
    ]


def test_what_is_ahead_of_its_time_does_not_lag() -> None:
    story = at(Stage.EXECUTION)
    report(story, "new_users", "2026-01", count(5_000))

    assert brought_to_a_line(story)["lagging"] == []


def test_what_has_ended_does_not_lag_and_its_open_objectives_were_missed() -> None:
    row = brought_to_a_line(at(Stage.ENDED))

    assert row["lagging"] == []
    assert {each["outcome"] for each in row["objectives"]} == {"unmeasured"}


def test_the_economics_are_those_in_force_on_the_day() -> None:
    story = at(Stage.EXECUTION)

    assert brought_to_a_line(story)["pays"] == "by-result"
    assert brought_to_a_line(story, on=moment("2025-12-31"))["pays"] == "not-agreed"


def test_of_three_deals_of_which_one_performs_the_others_show() -> None:
    good, silent = at(Stage.EXECUTION), at(Stage.EXECUTION)
    report(good, "new_users", "2026-01", count(9_000))
    lines = [
        brought_to_a_line(good, "spain"),
        brought_to_a_line(silent, "france"),
        brought_to_a_line(silent, "germany"),
    ]

    laggards = portfolio(lines)["laggards"]

    assert (laggards["active"], laggards["performing"]) == (3, 1)
    assert [each["id"] for each in laggards["lagging"]] == ["france", "germany"]


def test_an_exploration_without_a_partner_is_searching_and_on_no_sheet() -> None:
    whole = portfolio([brought_to_a_line(after(BeginExploration), "search")])

    assert (whole["partners"], whole["searching"]) == ([], ["search"])


# --- load --------------------------------------------------------------------------------------


def test_ten_partnerships_take_one_to_two_full_time_people() -> None:
    row = load([dollars(None, attention=share) for share in ["10"] * 5 + ["20"] * 5])

    assert row["people_usual"] == ["1.00", "2.00"]
    assert row["people_committed"] == "1.50"
    assert row["reading"] == "within"


@pytest.mark.parametrize(
    ("active", "reading"), [(4, "below"), (5, "within"), (10, "within"), (11, "above")]
)
def test_five_to_ten_active_partnerships_are_manageable(active: int, reading: str) -> None:
    assert load([dollars(None)] * active)["reading"] == reading


def test_a_program_sets_limits_of_its_own() -> None:
    row = load([dollars(None), dollars(None, attention=None)], LIMITS)

    assert (row["most"], row["reading"], row["without_commitment"]) == (2, "within", 1)
    assert row["over_capacity"] is False
    assert load([dollars(None)] * 2, LIMITS)["over_capacity"] is True


# --- dependency --------------------------------------------------------------------------------

AMOUNTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.decimals(Decimal("0.01"), Decimal("1e12"), places=2),
    min_size=1,
    max_size=12,
)


@given(AMOUNTS)
def test_shares_add_up_to_a_hundred_and_each_is_off_by_less_than_its_last_digit(
    amounts: dict[str, Decimal],
) -> None:
    parts = shares(amounts)

    assert sum(parts.values()) == 100
    total = Fraction(sum(amounts.values()))
    for name, part in parts.items():
        assert abs(Fraction(part) - Fraction(amounts[name]) * 100 / total) < Fraction(1, 100)


def test_what_rounding_leaves_goes_to_the_first_of_equal_ones() -> None:
    parts = shares(dict.fromkeys("cab", Decimal(1)))

    assert parts == {"a": Decimal("33.34"), "b": Decimal("33.33"), "c": Decimal("33.33")}


@given(AMOUNTS)
def test_the_herfindahl_index_lies_between_one_nth_and_one(amounts: dict[str, Decimal]) -> None:
    index = herfindahl(amounts.values())

    assert Fraction(1, len(amounts)) <= index <= 1
    assert herfindahl([Decimal(7)] * len(amounts)) == Fraction(1, len(amounts))


def test_dependency_on_one_partner_is_told_in_words() -> None:
    (row,) = dependency([dollars("600.00", "a"), dollars("300.00", "b"), dollars("100.00", "c")])

    assert row["herfindahl"] == "0.4600"
    assert [(each["id"], each["percent"]) for each in row["shares"]] == [
        ("a", "60.00"),
        ("b", "30.00"),
        ("c", "10.00"),
    ]
    assert row["reading"] == (
        "It is spread as over 2.2 partnerships of equal size; the largest, a, brings 60.00 %, "
        "more than all others together."
    )


def test_a_programs_limit_is_named_where_one_partner_passes_it() -> None:
    (row,) = dependency([dollars("45.00", "a"), dollars("55.00", "b")], LIMITS)
    (even,) = dependency([dollars("40.00", name) for name in "abc"], LIMITS)

    assert row["reading"].endswith("brings 55.00 %, more than the 40 % that the program allows.")
    assert even["reading"].endswith("the largest, a, brings 33.34 %.")


def test_currencies_are_not_added_and_who_brings_nothing_has_no_share() -> None:
    euros = {"amount": "10.00", "currency": "EUR", "from": "payments"}
    lines = [
        dollars("10.00", "a"),
        dollars("-5.00", "b"),
        {**dollars(None, "c"), "revenue": [euros]},
    ]

    kinds = dependency(lines)

    assert [(each["currency"], [part["id"] for part in each["shares"]]) for each in kinds] == [
        ("EUR", ["c"]),
        ("USD", ["a"]),
    ]
    assert dependency([dollars(None)]) == []


# --- matches -----------------------------------------------------------------------------------


def test_partners_of_the_same_clients_are_brought_together_unless_they_compete() -> None:
    one = dollars(None, "a", segments=["technology", "health"], brings="Advisers")
    other = dollars(None, "b", segments=["technology"])
    competing = dollars(None, "c", segments=["technology"], competes=True)
    apart = dollars(None, "d", segments=["retail"], markets=["spain"])

    (match,) = matches([one, other, competing, apart])

    assert match == {
        "of": ["a", "b"],
        "shared_segments": ["technology"],
        "shared_markets": [],
        "brings": {"a": "Advisers"},
    }


def test_a_match_rests_on_the_profile_the_partner_was_scored_under_and_what_it_brings() -> None:
    row = brought_to_a_line(after(AgreeJointInvestment))

    assert row["segments"] == ["technology", "professional services"]
    assert row["markets"] == ["spain"]
    assert row["brings"] == "Advisers in Madrid"


def test_the_mix_tells_how_each_is_paid_how_often_it_sells_and_at_what_price() -> None:
    story = at(Stage.EXECUTION)
    sold(story, "D-1", "500.00")
    attribute(story, "D-1")

    (row,) = portfolio([brought_to_a_line(story)])["mix"]

    assert (row["pays"], row["conversions"]) == ("by-result", "1")
    assert row["average_contract_value"][0]["amount"] == "1000.00"


def test_the_initiator_and_its_partner_are_known_by_their_place() -> None:
    known = member(at(Stage.EXECUTION))

    assert (known.initiator, known.partner) == (OURS, THEIRS)
