"""The alert on a missed minimum of referrals, and the fee that the ledger has for it (C10)."""

from datetime import date
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import quarter_of
from domain.claims import ClaimKind, ConfirmClaim, ObjectToClaim
from domain.referral import CreateOpportunity, SubmitReferral
from domain.terms import ClaimRules, Minimum
from projections import ALERTS
from projections.alerts import Alert
from projections.fold import replay
from tests.life import OURS, THEIRS, changed, usd
from tests.projections.arrivals import Fact, agreed, arrive, ours, theirs
from tests.projections.folds import alerts, line
from tests.projections.money import adopted, lines, refer, share, under
from tests.stories import Story

Q2, Q3 = "referral-minimum 2026-Q2", "referral-minimum 2026-Q3"


def least(at_least: int, on: str = THEIRS) -> Minimum:
    """A fee of 50.00 for each lead that is missing to a minimum of a quarter."""
    return Minimum(
        on=on,
        metric="leads",
        window="quarter",
        at_least=at_least,
        fee=usd("50.00"),
        per="missing",
    )


def fees(story: Story) -> dict[str, Decimal]:
    """Return the fees of windows by the ledger: by the alert of their quarter."""
    found: dict[str, Decimal] = {}
    for each in lines(story.history):
        if each["about"].startswith("window/"):
            name = f"referral-minimum {quarter_of(each['month'])}"
            found[name] = found.get(name, Decimal(0)) + Decimal(each["amount"])
    return {name: fee for name, fee in found.items() if fee}


def missed(story: Story) -> dict[str, Decimal]:
    """Return the money at stake of the alerts that say a quarter is missed, by alert.

    Without that of the first terms of the stories, which have a minimum without a fee.
    """
    return {
        name: alert.at_stake.get("USD", Decimal(0))
        for name, alert in alerts(story).items()
        if name.startswith("referral-minimum") and alert.state in {"open", "resolved"}
        if alert.at_stake or alert.version > 1
    }


def refer_on(story: Story, day: str, *deals: str) -> None:
    story.on(day)
    for deal in deals:
        refer(story, deal, attributed=False)


def test_the_alert_is_open_while_the_ledger_has_the_fee() -> None:
    story = under(least(2), minimum_referrals_per_quarter={})
    refer_on(story, "2026-04-02", "D-1", "D-2")
    story.when(OURS, CreateOpportunity(deal="D-1"))
    story.on("2026-07-01")

    assert missed(story) == fees(story) == {Q2: Decimal("50.00")}
    alert = alerts(story)[Q2]
    assert alert.text == (
        f"{THEIRS} brought 1 of 2 referrals in 2026-Q2. Of {THEIRS}, only accepted ones count."
    )

    story.when(OURS, ConfirmClaim(deal="D-2", fact="referral"))
    assert missed(story) == fees(story) == {}
    assert alerts(story)[Q2].state == "withdrawn"


def test_a_minimum_without_a_fee_counts_leads_as_they_are_stated() -> None:
    story = under(share("15"), minimum_referrals_per_quarter={THEIRS: 2})
    refer_on(story, "2026-04-02", "D-1", "D-2")
    story.on("2026-07-01")

    assert Q2 not in alerts(story)


def test_where_terms_have_a_fee_its_minimum_decides_and_not_that_of_the_frame() -> None:
    story = under(least(1), minimum_referrals_per_quarter={THEIRS: 10})
    refer_on(story, "2026-04-02", "D-1")
    story.when(OURS, CreateOpportunity(deal="D-1"))
    story.on("2026-07-01")

    assert missed(story) == fees(story) == {}


def test_terms_that_are_recorded_late_withdraw_the_alert_of_the_terms_before() -> None:
    story = under(least(2), minimum_referrals_per_quarter={})
    story.on("2026-07-01")
    assert missed(story) == fees(story) == {Q2: Decimal("100.00")}

    arrive(story, [agreed("2026-03-30T09:00", least(1), since=date(2026, 4, 1))])

    assert missed(story) == fees(story) == {Q2: Decimal("50.00")}
    rows = replay(ALERTS, story.history).rows.values()
    found = {
        each.version: each for each in rows if isinstance(each, Alert) and each.window == "2026-Q2"
    }
    assert {version: each.state.value for version, each in found.items()} == {
        2: "withdrawn",
        3: "open",
    }
    assert found[2].ended == "Its terms do not apply to 2026-Q2."


def test_silence_that_is_agreed_late_accepts_leads_for_the_alert_and_for_the_ledger() -> None:
    story = under(least(2), minimum_referrals_per_quarter={})
    refer_on(story, "2026-04-02", "D-1", "D-2")
    story.on("2026-07-01")
    assert missed(story) == fees(story) == {Q2: Decimal("100.00")}

    rules = ClaimRules(confirm_within_days=20)
    arrive(story, [agreed("2026-03-30T09:00", since=date(2026, 4, 1), claims=rules)])

    assert missed(story) == fees(story) == {}


def test_no_quarter_that_the_end_of_the_term_cuts_short_is_judged() -> None:
    story = under(least(2), minimum_referrals_per_quarter={OURS: 2}, duration="P8M")
    story.on("2026-10-02")

    assert missed(story) == fees(story) == {Q2: Decimal("100.00")}


# --- adopted partnerships (C28) ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settles_from", "found"),
    [
        (date(2026, 1, 6), {Q2: Decimal("100.00"), Q3: Decimal("100.00")}),
        # What was brought in April was settled elsewhere, so the second quarter is not whole here.
        (date(2026, 5, 1), {Q3: Decimal("100.00")}),
        (date(2026, 7, 2), {}),
    ],
)
def test_a_quarter_is_judged_if_it_is_whole_in_the_books_of_an_adopted_partnership(
    settles_from: date, found: dict[str, Decimal]
) -> None:
    story = adopted(least(2), settles_from=settles_from, on="2026-08-03")
    story.on("2026-10-01")

    assert missed(story) == fees(story) == found


def test_the_minimum_of_a_quarter_is_no_target_if_the_books_begin_in_it() -> None:
    story = adopted(
        share("15"), settles_from=date(2026, 4, 2), minimum_referrals_per_quarter={THEIRS: 2}
    )
    story.on("2026-07-01")
    refer_on(story, "2026-07-02", "D-1")
    story.when(THEIRS, SubmitReferral(deal="D-2", lead="D-2"), happened="2026-04-03")

    assert line(story, "leads", "2026-Q2").target is None
    assert line(story, "leads", "2026-Q3").target is not None
    assert Q2 not in alerts(story)


# --- laws ----------------------------------------------------------------------------------------

ON_WORD = ClaimRules(on_word=[ClaimKind.REFERRAL])
TERMS = [
    agreed("2026-02-02T09:00", least(3), since=date(2026, 4, 1)),
    agreed("2026-03-02T09:00", least(1), since=date(2026, 3, 2)),
    agreed("2026-03-03T09:00", share("15"), since=date(2026, 6, 1)),
    agreed("2026-03-04T09:00", since=date(2026, 3, 4), claims=ClaimRules(confirm_within_days=20)),
    agreed("2026-03-05T09:00", since=date(2026, 3, 5), claims=ON_WORD),
    agreed("2026-03-06T09:00", since=date(2026, 3, 31), time_zone="Asia/Tokyo"),
    agreed("2026-03-07T09:00", since=date(2026, 3, 7), duration="P9M"),
]
ANSWERS = [
    CreateOpportunity(deal="D"),
    ConfirmClaim(deal="D", fact="referral"),
    ObjectToClaim(deal="D", fact="referral", reason="A client of ours."),
]


@st.composite
def leads(draw: st.DrawFn) -> list[Fact]:
    """Leads of both parties near the ends of quarters, some of them answered."""
    found: list[Fact] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"D-{number}"
        day = draw(st.sampled_from(["2026-02-05", "2026-03-31", "2026-06-30"]))
        by, other = draw(st.sampled_from([(ours, theirs), (theirs, ours)]))
        found.append(by(f"{day}T20:00", SubmitReferral(deal=name, lead=name)))
        answer = draw(st.sampled_from([None, *ANSWERS]))
        if answer is not None:
            found.append(other(f"{day}T21:00", changed(answer, deal=name)))
    return found


@settings(max_examples=25, deadline=None)
@given(leads(), st.lists(st.sampled_from(TERMS), unique_by=id), st.randoms(use_true_random=False))
def test_in_any_order_of_arrival_the_alerts_have_the_fees_of_the_ledger(
    facts: list[Fact], terms: list[Fact], random: Random
) -> None:
    story = under(least(2), least(1, on=OURS), minimum_referrals_per_quarter={})
    story.on(random.choice(["2026-05-20", "2026-07-10"]))
    everything = [*facts, *terms]
    random.shuffle(everything)

    arrive(story, everything)
    story.on("2026-07-11")
    assert missed(story) == fees(story)
    story.on("2026-08-10")
    assert missed(story) == fees(story)
