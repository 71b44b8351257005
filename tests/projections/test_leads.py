"""Deal registration: a lead is accepted or rejected within the agreed days (C18)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import AttributionPolicy, PolicyKind
from domain.claims import ClaimKind, ConfirmClaim, ObjectToClaim
from domain.referral import CreateOpportunity, HoldDemo, QualifyLead, SubmitReferral
from domain.response import Severity
from domain.sale import CorrectWin, LoseDeal, WinDeal
from domain.standing_alerts import LEAD_AWAITS, LEAD_REJECTED, LEAD_UNANSWERED
from domain.terms import ClaimRules, Minimum
from infra.answers import inbox
from infra.answers.inbox import Awaiting, InboxItem
from projections import figures as reading
from projections.alerts import Alert, AlertState
from projections.fold import Rows, replay
from projections.ledger.rows import CountsRow
from projections.settlement import SETTLEMENT
from tests.life import OURS, THEIRS, changed, usd
from tests.projections.arrivals import Fact, arrive, ours, theirs
from tests.projections.folds import alerts, figures
from tests.projections.money import amend, refer, share, under, win
from tests.projections.test_merge import merge
from tests.stories import Story
from tests.sweeps import sweep

DEAL = "D-1"
SUBMIT = SubmitReferral(deal=DEAL, lead="A hotel group")
ACCEPT = ConfirmClaim(deal=DEAL, fact="referral")
REJECT = ObjectToClaim(deal=DEAL, fact="referral", reason="Already our customer.")
OPEN = CreateOpportunity(deal=DEAL)
WIN = WinDeal(deal=DEAL, annual_contract_value=usd("900.00"))
LEAST = Minimum(
    on=THEIRS, metric="leads", window="month", at_least=2, fee=usd("50.00"), per="missing"
)
WINDOW = AttributionPolicy(kind=PolicyKind.LAST_TOUCH, window_days=90)


def registered(days: int = 10, **frame: object) -> Story:
    """Terms by which a lead is answered within some days."""
    return under(share(), LEAST, claims=ClaimRules(confirm_within_days=days), **frame)


def submitted(days: int = 10, **frame: object) -> Story:
    story = registered(days, **frame)
    story.when(THEIRS, SUBMIT)
    return story


def on_leads(story: Story) -> dict[str, Alert]:
    """The alerts on leads, by rule."""
    return {
        each.rule: each
        for each in alerts(story).values()
        if each.rule in {LEAD_AWAITS, LEAD_UNANSWERED, LEAD_REJECTED}
    }


def open_on_leads(story: Story) -> list[str]:
    return [rule for rule, each in on_leads(story).items() if each.state is AlertState.OPEN]


def ended(story: Story, rule: str) -> str | None:
    return on_leads(story)[rule].ended


def waiting(story: Story) -> list[InboxItem]:
    """What the inbox says of the lead."""
    (rows,) = inbox.of_events("growthos-northbridge", story.history)
    return [each for each in inbox.items(rows) if each.ref == f"deal/{DEAL}/referral"]


# --- the answer --------------------------------------------------------------------------------


def test_a_submitted_lead_awaits_the_answer_of_the_other_side_by_the_last_agreed_day() -> None:
    story = submitted()

    assert open_on_leads(story) == [LEAD_AWAITS]
    assert on_leads(story)[LEAD_AWAITS].text == (
        f"{THEIRS} submitted the lead of deal D-1. {OURS} accepts it (ConfirmClaim) or rejects it "
        "(ObjectToClaim) by 2026-01-16. After that day it is accepted."
    )


def test_the_inbox_of_the_side_that_decides_has_the_lead_with_its_last_day_and_both_answers() -> (
    None
):
    (item,) = waiting(submitted())

    assert (item.party, item.awaiting, f"{item.day}") == (OURS, Awaiting.CLAIM, "2026-01-16")
    fact = {"deal": DEAL, "fact": "referral", "fact_at": "2026-01-07T09:00:00Z"}
    assert [(each.type, each.data) for each in item.events] == [
        ("accord.ConfirmClaim", fact),
        ("accord.ObjectToClaim", fact),
    ]


@pytest.mark.parametrize("act", [ACCEPT, OPEN, WIN])
def test_an_accepted_lead_counts_until_the_last_day_of_the_window(
    act: ConfirmClaim | CreateOpportunity | WinDeal,
) -> None:
    story = submitted(attribution=WINDOW)
    story.when(THEIRS, OPEN)
    assert open_on_leads(story) == [LEAD_AWAITS]
    story.on("2026-01-09")
    story.when(OURS, act)

    assert open_on_leads(story) == []
    assert ended(story, LEAD_AWAITS) == (
        f"{OURS} accepted the lead of deal D-1. It counts for a win by 2026-04-06."
    )
    assert waiting(story) == []


def test_without_a_window_an_accepted_lead_counts_on_any_day() -> None:
    story = submitted()
    story.when(OURS, ACCEPT)

    assert (ended(story, LEAD_AWAITS) or "").endswith(
        "It counts for a win on any day, because no last day is agreed."
    )


def test_silence_accepts_a_lead_after_the_agreed_days() -> None:
    story = submitted()
    story.on("2026-01-16")
    assert open_on_leads(story) == [LEAD_AWAITS]
    story.on("2026-01-17")

    assert open_on_leads(story) == []
    assert (ended(story, LEAD_AWAITS) or "").startswith(
        f"{OURS} did not answer in time, so the lead of deal D-1 is accepted."
    )


def test_a_rejected_lead_tells_its_party_the_reason_and_what_it_can_do() -> None:
    story = submitted()
    story.when(OURS, REJECT)

    assert open_on_leads(story) == [LEAD_REJECTED]
    rejected = f"{OURS} rejected the lead of deal D-1: Already our customer."
    assert ended(story, LEAD_AWAITS) == rejected
    assert on_leads(story)[LEAD_REJECTED].text.startswith(rejected)
    (item,) = waiting(story)
    assert (item.party, [each.type for each in item.events]) == (THEIRS, ["accord.LoseDeal"])


def test_a_rejection_after_the_agreed_days_does_not_undo_what_silence_accepted() -> None:
    story = submitted()
    story.on("2026-01-17")

    assert story.refuses(OURS, REJECT).rule == "objection-too-late"
    assert open_on_leads(story) == []


def test_a_rejected_lead_that_is_confirmed_is_accepted_after_all() -> None:
    story = submitted()
    story.when(OURS, REJECT)
    story.wait(hours=1)
    story.when(OURS, ACCEPT)

    assert open_on_leads(story) == []
    assert (ended(story, LEAD_REJECTED) or "").startswith(f"{OURS} accepted the lead")


def test_a_lost_lead_awaits_nobody() -> None:
    story = submitted()
    story.when(OURS, REJECT)
    story.when(THEIRS, LoseDeal(deal=DEAL, reason="Rejected."))

    assert open_on_leads(story) == []
    assert ended(story, LEAD_REJECTED) == "Deal D-1 was recorded as lost."


def test_a_lead_that_was_merged_into_another_awaits_nobody() -> None:
    story = submitted()
    refer(story, "D-2")
    merge(story, DEAL, "D-2")

    found = {each.window: each.state for each in alerts(story).values() if each.rule == LEAD_AWAITS}
    assert found[f"deal/{DEAL}/referral"] is AlertState.RESOLVED
    assert found["deal/D-2/referral"] is AlertState.OPEN


def unlimited() -> Story:
    """A lead is submitted under terms that agree no days for its answer."""
    story = under(share())
    story.when(THEIRS, SUBMIT)
    return story


def test_without_agreed_days_a_lead_is_told_to_the_side_that_decides() -> None:
    story = unlimited()

    assert open_on_leads(story) == [LEAD_UNANSWERED]
    alert = on_leads(story)[LEAD_UNANSWERED]
    assert alert.window == f"2026-01/{OURS}"
    assert alert.text == (
        f"1 lead of 2026-01 awaits the answer of {OURS}, the oldest of deal D-1. It accepts a lead "
        "(ConfirmClaim) or rejects it (ObjectToClaim). No days are agreed for the answer, so "
        "silence accepts nothing."
    )
    assert (alert.severity, alert.answer_by) == (Severity.INFO, None)
    (item,) = waiting(story)
    assert (item.party, item.awaiting, item.is_last) == (OURS, Awaiting.CLAIM, False)
    assert item.text == (
        f"{THEIRS} submitted the lead of deal D-1. {OURS} accepts it (ConfirmClaim) or rejects it "
        "(ObjectToClaim). No days are agreed for the answer, so silence accepts nothing."
    )
    assert [each.type for each in item.events] == ["accord.ConfirmClaim", "accord.ObjectToClaim"]
    story.on("2026-12-01")
    assert open_on_leads(story) == [LEAD_UNANSWERED]


@pytest.mark.parametrize("act", [ACCEPT, OPEN, WIN])
def test_without_agreed_days_an_answer_or_an_act_on_the_lead_ends_its_alert(
    act: ConfirmClaim | CreateOpportunity | WinDeal,
) -> None:
    story = unlimited()
    story.when(THEIRS, OPEN)
    assert open_on_leads(story) == [LEAD_UNANSWERED]
    story.when(OURS, act)

    assert open_on_leads(story) == []
    assert (ended(story, LEAD_UNANSWERED) or "").startswith(f"{OURS} accepted the lead of deal D-1")
    assert waiting(story) == []


def test_without_agreed_days_a_rejection_is_told_to_the_side_that_submitted() -> None:
    story = unlimited()
    story.when(OURS, REJECT)

    assert open_on_leads(story) == [LEAD_REJECTED]
    assert (ended(story, LEAD_UNANSWERED) or "").startswith(f"{OURS} rejected the lead")


def test_many_leads_of_a_month_are_one_alert_and_each_is_in_the_inbox() -> None:
    story = unlimited()
    for number in range(2, 41):
        lead = changed(SUBMIT, deal=f"D-{number}")
        story.when(THEIRS, lead, happened=f"2026-01-06T{number % 9 + 10}:00")
    (alert,) = (each for each in alerts(story).values() if each.rule == LEAD_UNANSWERED)
    assert alert.text.startswith(f"40 leads of 2026-01 await the answer of {OURS}, the oldest of ")
    assert len(alert.evidence) == 5
    (rows,) = inbox.of_events(story.id, story.history)
    items = [each for each in inbox.items(rows) if each.awaiting is Awaiting.CLAIM]
    assert len(items) == 40

    for item in items[:39]:
        story.when(OURS, ConfirmClaim(deal=item.ref.split("/")[1], fact="referral"))

    (rows,) = inbox.of_events(story.id, story.history)
    (item,) = (each for each in inbox.items(rows) if each.awaiting is Awaiting.CLAIM)
    (alert,) = (each for each in alerts(story).values() if each.rule == LEAD_UNANSWERED)
    assert alert.text.startswith("1 lead of 2026-01 awaits")
    assert item.ref.split("/")[1] in alert.text


def test_days_that_are_agreed_later_give_a_lead_its_last_day() -> None:
    story = unlimited()
    amend(story, since=date(2026, 1, 7), claims=ClaimRules(confirm_within_days=10))

    assert open_on_leads(story) == [LEAD_AWAITS]
    assert ended(story, LEAD_UNANSWERED) == "The terms agree days for the answer now."


def test_a_lead_that_counts_on_the_word_of_its_party_awaits_nobody() -> None:
    story = under(share(), claims=ClaimRules(on_word=[ClaimKind.REFERRAL]))
    story.when(THEIRS, SUBMIT)

    assert open_on_leads(story) == []


# --- what a rejected lead counts ---------------------------------------------------------------


STEPS = ("leads", "attributed_leads", "qualified_leads", "opportunities", "demos", "deals_lost")


def counted(rows: Rows) -> dict[str, Decimal]:
    """The figures of the first quarter that a lead adds to."""
    found = {name: reading.figure(rows, name, "2026-Q1") for name in STEPS}
    return {name: each.value for name, each in found.items() if each and each.value}


def ledger_leads(story: Story) -> int:
    """The leads that the minimum of the terms counts in January."""
    row: CountsRow | None = replay(SETTLEMENT, story.history).rows.get("counts/2026-01")
    return int(row.counts.get(f"leads|{THEIRS}|", "0")) if row else 0


def test_no_step_that_is_stated_of_a_rejected_lead_counts() -> None:
    story = registered()
    refer(story, DEAL)
    for step in (QualifyLead, CreateOpportunity, HoldDemo):
        story.when(THEIRS, step(deal=DEAL))
    assert set(counted(figures(story))) == set(STEPS) - {"deals_lost"}
    story.when(OURS, REJECT)
    story.when(THEIRS, LoseDeal(deal=DEAL, reason="Rejected."))

    assert counted(figures(story)) == {}


@pytest.mark.parametrize("act", [OPEN, WIN])
def test_a_lead_that_was_rejected_and_then_acted_on_counts_in_the_ledger_and_in_the_figures(
    act: CreateOpportunity | WinDeal,
) -> None:
    story = registered()
    refer(story, DEAL)
    story.when(THEIRS, QualifyLead(deal=DEAL))
    story.when(THEIRS, OPEN)
    story.when(OURS, REJECT)
    assert (ledger_leads(story), counted(figures(story))) == (0, {})
    story.wait(hours=1)
    story.when(OURS, act)

    assert ledger_leads(story) == 1
    found = counted(figures(story))
    assert found["leads"] == found["qualified_leads"] == 1
    assert open_on_leads(story) == []


def test_an_opportunity_before_the_lead_does_not_accept_it() -> None:
    story = registered()
    story.when(THEIRS, SUBMIT, happened="2026-01-07")
    story.when(OURS, OPEN, happened="2026-01-06T12:00")
    story.when(OURS, REJECT)

    assert (ledger_leads(story), counted(figures(story))) == (0, {})


def test_a_win_that_never_happened_accepts_no_lead() -> None:
    story = registered()
    refer(story, DEAL)
    story.when(THEIRS, OPEN)
    story.when(OURS, REJECT)
    story.wait(hours=1)
    story.when(OURS, WIN)
    story.when(OURS, CorrectWin(deal=DEAL, void=True, reason="Another client."))

    assert (ledger_leads(story), counted(figures(story))) == (0, {})
    assert open_on_leads(story) == [LEAD_REJECTED]


def test_a_rejected_lead_takes_no_step_in_whatever_month_it_is_accepted_after_all() -> None:
    story = registered()
    refer(story, DEAL)
    story.when(OURS, REJECT)
    story.on("2026-03-02")
    win(story, DEAL, usd("900.00"))

    # The lead counts in its own month, the opportunity in that of the act.
    assert reading.figure(figures(story), "leads", "2026-01").value == 1  # type: ignore[union-attr]
    opportunity = reading.figure(figures(story), "opportunities", "2026-03")
    assert opportunity is not None
    assert opportunity.value == 1


# --- in any order ------------------------------------------------------------------------------


REJECTED = ours("2026-01-07T03:00", REJECT)
LIFE: Sequence[Fact] = (
    theirs("2026-01-07T01:00", SUBMIT),
    theirs("2026-01-07T02:00", QualifyLead(deal=DEAL)),
    REJECTED,
    ours("2026-01-07T04:00", OPEN),
    theirs("2026-01-07T05:00", HoldDemo(deal=DEAL)),
    ours("2026-01-07T06:00", ACCEPT),
    ours("2026-01-07T07:00", LoseDeal(deal=DEAL, reason="No budget.")),
)


@settings(max_examples=sweep(40, 15), deadline=None)
@given(chosen=st.sets(st.sampled_from(range(1, len(LIFE)))), data=st.data())
def test_in_any_order_of_arrival_a_lead_has_the_same_alerts_and_counts_the_same(
    chosen: set[int], data: st.DataObject
) -> None:
    facts = [LIFE[0], *(LIFE[each] for each in sorted(chosen))]
    straight = arrive(registered(), facts)
    other = arrive(registered(), data.draw(st.permutations(facts)))

    assert open_on_leads(other) == open_on_leads(straight)
    assert counted(figures(other)) == counted(figures(straight))
    assert ledger_leads(other) == ledger_leads(straight)


@settings(max_examples=sweep(40, 15), deadline=None)
@given(chosen=st.sets(st.sampled_from(range(1, len(LIFE)))))
def test_the_ledger_and_the_figures_count_a_lead_that_was_rejected_alike(chosen: set[int]) -> None:
    facts = [LIFE[0], *(LIFE[each] for each in sorted(chosen | {LIFE.index(REJECTED)}))]
    story = arrive(registered(), facts)

    assert ledger_leads(story) == counted(figures(story)).get("leads", 0)
