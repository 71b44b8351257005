"""An answer as of a day: silence settles nothing before its day, however late an answer comes.

The first answer that is recorded is final (docs/decisions/0038). Silence is an answer on its day.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import aggregates
from domain.bilateral import DeclineProposal, ProposalEnded, WithdrawProposal
from domain.claims import ClaimConfirmed, ClaimObjected, ConfirmClaim, ObjectToClaim
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.entry import RecordJointRevenue
from domain.execution import ActionAgreed, AgreeAction, ProposeAction
from domain.exit import AgreeExit, ExitAgreed, ProposeExit
from domain.kernel import Act, Command, Event, Refused
from domain.recorded import Recorded
from domain.referral import SubmitReferral
from domain.standing_alerts import CLAIM_AWAITS, LEAD_AWAITS
from domain.terms import ClaimRules, RevenueSplit, Trigger
from infra.answers import inbox
from infra.answers.logs import AsOf
from projections import ALERTS, PROPOSALS
from projections.alerts import Alert, AlertState
from projections.fold import replay
from projections.proposals import OPEN
from tests.life import OURS, THEIRS, usd
from tests.projections.money import share, under
from tests.stories import Story, moment

DAYS = 10


def begun() -> Story:
    """Terms under which silence answers after ten days."""
    return under(share(), claims=ClaimRules(confirm_within_days=DAYS))


def submit(story: Story, deal: str) -> None:
    story.when(THEIRS, SubmitReferral(deal=deal, lead=f"lead {deal}"))


def two_leads() -> Story:
    """They submit a lead on 7 January and one on 9 January."""
    story = begun()
    submit(story, "D-1")
    story.on("2026-01-09")
    submit(story, "D-2")
    return story


def asked(story: Story, at: str | None = None, known: str | None = None) -> dict[str, Alert]:
    """Return the alert on the answer to each lead, as an answer as of two times has it."""
    when = AsOf(at=moment(at) if at else None, known=moment(known) if known else None)
    return of_leads(when.of(story.history))


def of_leads(history: Iterable[Recorded]) -> dict[str, Alert]:
    rows = replay(ALERTS, history).rows.values()
    return {
        each.window.split("/")[1]: each
        for each in rows
        if isinstance(each, Alert) and each.rule == LEAD_AWAITS
    }


def said(alerts: dict[str, Alert]) -> dict[str, str]:
    """Return by what and on which day each wait ended, or that it goes on."""
    return {
        deal: f"{each.until:%m-%d} {how(each)}" if each.until else "open"
        for deal, each in alerts.items()
    }


def how(alert: Alert) -> str:
    """Return who ended a wait: silence, or the party that is named first."""
    ended = alert.ended or ""
    return "Silence" if "did not answer in time" in ended else ended.split()[0]


def waiting(story: Story, at: str) -> list[tuple[str, date]]:
    (rows,) = inbox.of_events(story.id, AsOf(at=moment(at)).of(story.history))
    return [(each.ref, each.day) for each in inbox.items(rows) if each.ref.startswith("deal/")]


LATE = [
    (OURS, ConfirmClaim(deal="D-1", fact="referral")),
    (THEIRS, SubmitReferral(deal="D-9", lead="another")),
]


@pytest.mark.parametrize(("party", "late"), LATE)
def test_what_is_recorded_late_moves_silence_to_no_earlier_day(party: str, late: Command) -> None:
    story = two_leads()
    for day in ("2026-01-17", "2026-01-19", "2026-01-20"):
        story.on(day)
    story.when(party, late, happened="2026-01-10")

    def of_both(**when: str) -> dict[str, str]:
        return {deal: each for deal, each in said(asked(story, **when)).items() if deal != "D-9"}

    both = {"deal/D-1/referral": date(2026, 1, 16), "deal/D-2/referral": date(2026, 1, 18)}
    assert both.items() <= dict(waiting(story, "2026-01-11")).items()
    assert of_both(at="2026-01-11") == {"D-1": "open", "D-2": "open"}
    assert of_both(at="2026-01-18") == {"D-1": "01-17 Silence", "D-2": "open"}
    assert of_both(known="2026-01-18") == {"D-1": "01-17 Silence", "D-2": "open"}
    ended = {"D-1": "01-17 Silence", "D-2": "01-19 Silence"}
    assert of_both() == of_both(at="2026-01-25") == of_both(known="2026-01-19") == ended


def test_silence_ends_each_wait_on_its_day_though_the_clock_stood_still_for_days() -> None:
    story = two_leads()
    story.on("2026-01-25")

    assert said(asked(story)) == {"D-1": "01-17 Silence", "D-2": "01-19 Silence"}
    assert said(asked(story, at="2026-01-18")) == {"D-1": "01-17 Silence", "D-2": "open"}
    days = [each.ref for each in story.facts(DeadlinePassed) if each.kind is DeadlineKind.SILENCE]
    assert days == ["2026-01-17", "2026-01-19"]


def test_a_rejection_that_is_recorded_in_time_holds_from_the_day_on_which_it_was_said() -> None:
    story = two_leads()
    story.on("2026-01-16")
    story.when(
        OURS, ObjectToClaim(deal="D-1", fact="referral", reason="Ours."), happened="2026-01-10"
    )
    story.on("2026-01-20")

    assert said(asked(story, at="2026-01-09")) == {"D-1": "open", "D-2": "open"}
    for at in ("2026-01-10", "2026-01-18", "2026-01-25"):
        assert said(asked(story, at=at))["D-1"] == f"01-10 {OURS}"
    assert said(asked(story, known="2026-01-15"))["D-1"] == "open"


def test_an_entry_that_silence_confirms_counts_from_its_day_on() -> None:
    split = RevenueSplit(
        shares={OURS: Decimal(40), THEIRS: Decimal(60)}, trigger=Trigger.JOINT_REVENUE
    )
    story = under(split, claims=ClaimRules(confirm_within_days=DAYS))
    story.when(THEIRS, RecordJointRevenue(entry="E-1", amount=usd("100.00"), collected_by=OURS))
    for day in ("2026-01-17", "2026-01-20"):
        story.on(day)
    story.when(OURS, ConfirmClaim(entry="E-1", fact="entry"), happened="2026-01-10")

    def state(at: str) -> str:
        rows = replay(ALERTS, AsOf(at=moment(at)).of(story.history)).rows.values()
        (found,) = [x for x in rows if isinstance(x, Alert) and x.rule == CLAIM_AWAITS]
        return f"{found.until:%m-%d}" if found.until else "open"

    assert [state(at) for at in ("2026-01-11", "2026-01-16", "2026-01-17", "2026-01-25")] == [
        "open",
        "open",
        "01-17",
        "01-17",
    ]


# --- in any order of arrival ---------------------------------------------------------------------


class Answer(NamedTuple):
    """An answer to a lead: whether it accepts, the day it was said, and that of its recording."""

    deal: str
    accepts: bool
    said: int
    told: int


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    told = draw(st.integers(9, 28))
    return Answer(
        draw(st.sampled_from(["D-1", "D-2"])),
        draw(st.booleans()),
        draw(st.integers(9, told)),
        told,
    )


SUBMITTED = {"D-1": 7, "D-2": 9}


def lived(found: list[Answer], clock: set[int]) -> Story:
    """Return the two leads with answers, where the clock also runs on some days of January.

    Each answer is written as it is, as by an operator that takes answers too late.
    """
    story = two_leads()
    told = sorted({*clock, *(each.told for each in found)})
    for day in told:
        story.on(
            f"2026-01-{day:02}T12:00" if story.now.day <= day else f"{story.now:%Y-%m-%dT%H:%M}"
        )
        for each in found:
            if each.told == day:
                event: Event = (
                    ClaimConfirmed(deal=each.deal, fact="referral")
                    if each.accepts
                    else ClaimObjected(deal=each.deal, fact="referral", reason="Ours.")
                )
                at = datetime(2026, 1, each.said, 10, tzinfo=UTC)
                act = Act(OURS, "someone", at, story.now)
                story._record(f"{story.id}/deal/{each.deal}", [event], act)
    return story


def end_of(deal: str, found: list[Answer], day: int) -> tuple[str, int] | None:
    """Return how and on which day the wait for an answer ended by a day; None if it goes on."""
    silence = SUBMITTED[deal] + DAYS
    happened = [each for each in found if each.deal == deal and each.said <= day]
    in_time = [each for each in happened if each.told < silence]
    if any(not each.accepts for each in in_time):
        in_time = happened
    if in_time:
        return "answered", 0
    return ("Silence", silence) if silence <= day else None


@given(
    st.lists(answers(), max_size=4), st.sets(st.integers(10, 28), max_size=4), st.integers(9, 28)
)
def test_an_answer_as_of_a_day_is_what_had_happened_by_then(
    found: list[Answer], clock: set[int], day: int
) -> None:
    story = lived(found, {*clock, 29})
    moment_asked = datetime.combine(date(2026, 1, day), time(23), UTC)

    alerts = of_leads(AsOf(at=moment_asked).of(story.history))

    for deal, alert in alerts.items():
        expected = end_of(deal, found, day)
        assert (alert.state is AlertState.OPEN) == (expected is None)
        if expected is None or alert.until is None:
            continue
        cause = story.history[alert.cause]
        assert alert.until == cause.act.occurred_at
        assert alert.until <= moment_asked
        assert (how(alert) == "Silence") == (expected[0] == "Silence")
        if expected[0] == "Silence":
            assert alert.until.day == expected[1]


@given(
    st.lists(answers(), max_size=4), st.sets(st.integers(10, 28), max_size=4), st.integers(9, 28)
)
def test_what_is_asked_by_both_times_is_what_had_happened_of_what_was_known(
    found: list[Answer], clock: set[int], day: int
) -> None:
    story = lived(found, {*clock, 29})
    asked_at = datetime.combine(date(2026, 1, day), time(23), UTC)
    known = [each for each in story.history if each.act.recorded_at <= asked_at]

    both = of_leads(AsOf(at=asked_at, known=asked_at).of(story.history))

    # What was recorded by a day had happened by then, so one time says the same as both.
    assert both == of_leads(AsOf(known=asked_at).of(story.history)) == of_leads(known)
    assert both == of_leads(AsOf(at=asked_at, known=asked_at).of(known))


# --- proposals -----------------------------------------------------------------------------------

ANSWER_OVERDUE = "answer-overdue"
ACTION = ProposeAction(
    proposal="a-1", action="A-1", owner=THEIRS, text="Write the guide.", due=date(2026, 3, 1)
)
EXIT_ON = date(2026, 1, 20)
"""The day of a proposed exit: the last one on which both can agree it."""


class Said(NamedTuple):
    """An answer to one of two proposals, the day it was said, and that of its recording."""

    command: Command
    said: int
    told: int


@st.composite
def said_of_proposals(draw: st.DrawFn) -> Said:
    told = draw(st.integers(9, 28))
    name, kind, accept = draw(
        st.sampled_from(
            [
                ("a-1", "Action", AgreeAction(proposal="a-1")),
                ("x-1", "Exit", AgreeExit(exit="x-1")),
            ]
        )
    )
    ended = {"agreement": kind, "proposal": name, "reason": "No."}
    command = draw(st.sampled_from([accept, DeclineProposal(**ended), WithdrawProposal(**ended)]))
    return Said(command, draw(st.integers(8, told)), told)


def proposed(found: list[Said], clock: set[int]) -> Story:
    """Return an action and an exit proposed on 8 January, with what is said of them since."""
    story = begun()
    story.on("2026-01-08")
    story.when(OURS, ACTION)
    story.when(OURS, ProposeExit(exit="x-1", explanation="Other plans.", effective_on=EXIT_ON))
    for day in sorted({*clock, *(each.told for each in found)}):
        story.on(f"2026-01-{day:02}T12:00")
        for each in found:
            if each.told == day:
                party = OURS if isinstance(each.command, WithdrawProposal) else THEIRS
                with suppress(Refused):
                    story.when(party, each.command, happened=f"2026-01-{each.said:02}T10:00")
    return story


def ends(history: Iterable[Recorded]) -> dict[str, Recorded]:
    """Return what ended each proposal: the first that was recorded of what ends it."""
    found: dict[str, Recorded] = {}
    for each in history:
        event = each.event
        if isinstance(event, ProposalEnded):
            found.setdefault(event.proposal, each)
        elif isinstance(event, ActionAgreed | ExitAgreed):
            found.setdefault(event.proposal_ref or "", each)
    return found


@given(
    st.lists(said_of_proposals(), max_size=4),
    st.sets(st.integers(9, 28), max_size=4),
    st.integers(8, 28),
    st.integers(8, 28),
)
def test_a_proposal_as_of_two_times_ended_by_what_ended_it_if_that_had_happened(
    found: list[Said], clock: set[int], day: int, known: int
) -> None:
    story = proposed(found, {*clock, 29})
    at, until = (datetime.combine(date(2026, 1, each), time(23), UTC) for each in (day, known))
    by = ends(each for each in story.history if each.act.recorded_at <= until)

    seen = [*AsOf(at=at, known=until).of(story.history)]

    proposals = aggregates.fold(seen).context.agreements
    rows = replay(PROPOSALS, seen).rows.get(OPEN)
    waiting = {each.proposal for each in rows.open} if rows else set()
    for kind, name, each in proposals.every_proposal():
        if name not in {"a-1", "x-1"}:
            continue
        end = by.get(name)
        if end is None or end.act.occurred_at > at:
            assert (each.is_open, name in waiting) == (True, True)
            continue
        assert (each.is_open, name in waiting) == (False, False)
        if isinstance(end.event, kind):
            assert each.accepted
        else:
            assert (each.withdrawn or each.declined or each.lapsed) == end.event
    for alert in replay(ALERTS, seen).rows.values():
        if isinstance(alert, Alert) and alert.rule == ANSWER_OVERDUE and alert.until:
            cause = story.history[alert.cause]
            assert alert.until in {cause.act.occurred_at, cause.act.recorded_at}
            assert cause == by[alert.window.split("/")[1]]
