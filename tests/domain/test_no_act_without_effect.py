"""What is accepted has an effect, or repeats an act that still has it.

The same again decides nothing (tests/domain/test_laws.py). Anything else that decides nothing would
be lost: its sender reads that it is accepted. So what ended is not accepted again under its old
identifier, and other content under an identifier is refused or recorded.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.bilateral import DeclineProposal, ProposalDeclined, WithdrawProposal
from domain.claims import ObjectToClaim
from domain.dispute import OpenDispute, WithdrawDispute
from domain.entry import ConcedePenalty
from domain.examples import Step
from domain.execution import (
    ActionCompleted,
    AgreeAction,
    AgreeIssueResolution,
    AgreeMilestone,
    CommitmentCancelled,
    CompleteAction,
    IntroduceIncentive,
    IssueRaised,
    MilestonePlanned,
    ProposeAction,
    ProposeCancellation,
    ProposeMilestone,
    RaiseIssue,
)
from domain.experiment import CorrectObservation, ObservationCorrected
from domain.governance import ContactAssigned, Function
from domain.health import (
    AgreeRiskMitigated,
    IdentifyRisk,
    ManagerRotated,
    ProposeRiskMitigated,
    RiskMitigated,
    RotateManager,
)
from domain.kernel import Command, Refused, Stage
from domain.payment import CorrectPayment
from domain.settlement import StatementIssued
from domain.terms import ClaimRules, Penalty
from projections import KPIS
from projections import figures as reading
from projections.fold import replay
from tests.life import ADOPTED, LIFE, OURS, THEIRS, after, at, changed, example, usd
from tests.projections import money
from tests.projections.arrivals import Said, arrive, paid
from tests.projections.folds import alerts, states
from tests.projections.money import share, under
from tests.projections.test_who_states_what import CLAIMS, LAST_TOUCH, SOLD, Statement, named
from tests.stories import Story, moment

# --- proposals -----------------------------------------------------------------------------------


def proposed() -> Story:
    return after(ProposeAction)


def test_a_proposal_that_was_withdrawn_is_made_again_under_a_new_identifier() -> None:
    story = proposed()
    story.when(OURS, WithdrawProposal(proposal="do-1", reason="The printer closed."))

    refusal = story.refuses(OURS, example(ProposeAction))
    again = story.when(OURS, example(ProposeAction, proposal="do-2"))

    assert refusal.rule == "proposal-withdrawn"
    assert refusal.hint == "Make another proposal, under a new identifier."
    assert [each.wire for each in again] == ["ActionProposed"]


def test_a_proposal_that_was_declined_is_made_again_under_a_new_identifier() -> None:
    story = proposed()
    story.when(THEIRS, DeclineProposal(proposal="do-1", reason="Too early."))

    assert story.refuses(OURS, example(ProposeAction)).rule == "proposal-declined"


def test_a_proposal_that_lapsed_is_made_again_under_a_new_identifier() -> None:
    story = after(ProposeMilestone)
    later = example(ProposeMilestone, proposal="later", due=date(2026, 12, 1))
    other = THEIRS if story.history[-1].act.party == OURS else OURS
    author = story.history[-1].act.party
    story.when(author, later)
    story.when(other, AgreeMilestone(proposal="later"))

    assert story.refuses(author, example(ProposeMilestone)).rule == "proposal-lapsed"


def test_a_plan_that_was_replaced_does_not_come_back_by_its_old_proposal() -> None:
    story = at(Stage.EXECUTION)
    story.agree(OURS, milestone("first", date(2026, 2, 20)))
    assert story.when(OURS, milestone("first", date(2026, 2, 20))) == []
    story.agree(OURS, milestone("second", date(2026, 2, 25), reason="Later."))

    refusal = story.refuses(OURS, milestone("first", date(2026, 2, 20)))

    assert refusal.rule == "proposal-replaced"


def milestone(proposal: str, due: date, *, reason: str | None = None) -> Command:
    planned: Command = example(
        ProposeMilestone,
        proposal=proposal,
        milestone="M-9",
        title="First leads",
        due=due,
        reason=reason,
    )
    return planned


def test_what_both_gave_up_is_agreed_again_without_a_reason() -> None:
    story = at(Stage.EXECUTION)
    story.agree(OURS, milestone("first", date(2026, 2, 20)))
    give_up = ProposeCancellation(proposal="no", kind="milestone", ref="M-9", reason="No budget.")
    story.agree(THEIRS, give_up)
    assert story.refuses(OURS, milestone("first", date(2026, 2, 20))).rule == "proposal-replaced"

    story.agree(OURS, milestone("again", date(2026, 3, 20)))

    assert [each.agreed_version for each in story.facts(MilestonePlanned)][-2:] == [1, 2]
    assert story.refuses(THEIRS, give_up).rule == "proposal-replaced"
    story.agree(THEIRS, changed(give_up, proposal="no-again"))
    assert len(story.facts(CommitmentCancelled)) == 2
    assert story.refuses(OURS, changed(give_up, proposal="once-more")).rule == "given-up"


def test_an_action_that_both_gave_up_is_not_done() -> None:
    story = after(AgreeAction)
    give_up = ProposeCancellation(proposal="no", kind="action", ref="A-1", reason="No budget.")
    story.agree(OURS, give_up)

    assert story.refuses(THEIRS, example(CompleteAction)).rule == "given-up"


@pytest.mark.parametrize("answer", [DeclineProposal, WithdrawProposal])
def test_only_the_party_that_may_answer_so_says_it_again(answer: type[Command]) -> None:
    author, other = (THEIRS, OURS) if answer is DeclineProposal else (OURS, THEIRS)
    story = proposed()
    command = answer(proposal="do-1", reason="Not now.")  # type: ignore[call-arg]
    story.when(author, command)

    assert story.when(author, command) == []
    assert story.refuses(other, command).rule in {"own-proposal", "not-your-proposal"}
    assert len(story.facts(ProposalDeclined)) == (answer is DeclineProposal)


# --- what ended ----------------------------------------------------------------------------------


def test_a_dispute_that_ended_is_not_opened_again() -> None:
    story = after(OpenDispute)
    opener = story.history[-1].act.party
    other = THEIRS if opener == OURS else OURS
    again = example(OpenDispute)

    assert story.when(opener, again) == []
    assert story.refuses(other, again).rule == "dispute-exists"
    story.when(opener, WithdrawDispute(dispute=again.dispute, reason="It was paid."))
    assert story.refuses(opener, again).rule == "dispute-resolved"


def test_an_issue_that_was_resolved_is_raised_again_under_a_new_identifier() -> None:
    story = after(AgreeIssueResolution)
    raised = next(each for each in story.history if isinstance(each.event, IssueRaised))

    refusal = story.refuses(raised.act.party, example(RaiseIssue))

    assert refusal.rule == "issue-resolved"


def test_a_risk_that_is_rated_anew_is_mitigated_anew() -> None:
    story = after(AgreeRiskMitigated)
    risk = example(IdentifyRisk)
    assert story.refuses(OURS, risk).rule == "risk-mitigated"

    story.when(OURS, changed(risk, change_reason="It is back."))
    assert states(story)[f"risk-open {risk.risk}"] == "open"
    story.agree(THEIRS, example(ProposeRiskMitigated, proposal="again"))

    assert len(story.facts(RiskMitigated)) == 2
    assert states(story)[f"risk-open {risk.risk}"] == "resolved"


def test_an_incentive_binds_its_author_so_the_other_party_gives_its_own() -> None:
    story = after(IntroduceIncentive)
    author = story.history[-1].act.party
    other = THEIRS if author == OURS else OURS

    assert story.when(author, example(IntroduceIncentive)) == []
    assert story.refuses(other, example(IntroduceIncentive)).rule == "incentive-exists"


def test_only_its_owner_says_again_that_an_action_is_done() -> None:
    story = after(CompleteAction)
    (done,) = [each for each in story.history if isinstance(each.event, ActionCompleted)]
    other = THEIRS if done.act.party == OURS else OURS

    assert story.when(done.act.party, example(CompleteAction)) == []
    assert story.refuses(other, example(CompleteAction)).rule == "not-the-owner"


def test_a_correction_for_another_reason_is_recorded() -> None:
    story = after(CorrectObservation)
    same = example(CorrectObservation)
    other = changed(same, reason="It was a robot.")
    party = story.history[-1].act.party

    assert story.when(party, same) == []
    assert [type(each) for each in story.when(party, other)] == [ObservationCorrected]


# --- managers ------------------------------------------------------------------------------------


def managed() -> Story:
    story = at(Stage.EXECUTION)
    manager = next(
        each.event.name
        for each in story.history
        if isinstance(each.event, ContactAssigned)
        and each.event.function is Function.PARTNERSHIP_MANAGER
        and each.act.party == OURS
    )
    story.when(
        OURS, RotateManager(effective_on=date(2026, 3, 1), former=manager, successor="Bella")
    )
    return story


def test_only_the_manager_hands_over() -> None:
    story = managed()

    nobody = RotateManager(effective_on=date(2026, 4, 1), former="Nobody", successor="Carla")
    assert story.refuses(OURS, nobody).rule == "not-the-manager"
    story.when(OURS, changed(nobody, former="Bella"))

    assert [each.successor for each in story.facts(ManagerRotated)] == ["Bella", "Carla"]


def test_a_manager_hands_over_once_and_a_correction_names_the_manager_too() -> None:
    story = managed()
    first = story.facts(ManagerRotated)[0]
    twice = RotateManager(effective_on=date(2026, 5, 1), former=first.former, successor="Carla")
    mistyped = RotateManager(**{**dict(first), "former": "Nobody", "change_reason": "A typo."})

    assert story.refuses(OURS, twice).rule == "not-the-manager"
    assert story.refuses(OURS, mistyped).rule == "not-the-manager"


# --- other content -------------------------------------------------------------------------------

WHOEVER_SAYS_IT = """
AttachEvidence DraftAgreement ReachMilestone CelebrateWin RecordAudit
RecordLesson DiagnoseRootCause IdentifyRisk RaiseIssue HoldRenewalReview
SubmitEvidence StartMediation StartPilot ObserveVariant CorrectObservation ConcludePilot
PassTime PromoteVariant PublishRate IssueStatement IssueFinalSettlement CloseCampaign
"""
"""Commands after which the same of the other party decides nothing: it says what is so already."""


@cache
def _first_steps() -> tuple[tuple[int, int], ...]:
    """Return the place of the first step of each kind, in the life and in the adoption."""
    found: dict[type[Command], tuple[int, int]] = {}
    for life, steps in enumerate((LIFE, ADOPTED)):
        for place, step in enumerate(steps):
            found.setdefault(type(step.command), (life, place))
    return tuple(found.values())


def _lived(life: int, place: int) -> tuple[Story, Step]:
    """Return the story up to a step, and with it."""
    steps = (LIFE, ADOPTED)[life]
    story = Story() if life == 0 else Story(now=moment(ADOPTED[0].at))
    return story.given(steps[: place + 1]), steps[place]


def _otherwise(value: object) -> Iterator[object]:
    """Yield JSON values that differ from one in one place."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case str():
            yield from (f"{value}x", f"{value} x", *_next(value))
        case [first, *rest]:
            yield from ([each, *rest] for each in _otherwise(first))
            yield rest
        case dict():
            for name, each in value.items():
                yield from ({**value, name: other} for other in _otherwise(each))
        case _:
            yield from ("x", "7", 1, True, "2026-03-03", {"amount": "7", "currency": "EUR"})


def _next(text: str) -> Iterator[str]:
    """Yield the next day or number where a text is one."""
    with suppress(ValueError):
        yield (date.fromisoformat(text) + timedelta(days=1)).isoformat()
    with suppress(InvalidOperation):
        yield str(Decimal(text) + 1)


def _changed(command: Command) -> Iterator[Command]:
    """Yield commands of the same kind with another value in one field."""
    content = orjson.loads(command.model_dump_json())
    for name, value in content.items():
        for other in _otherwise(value):
            try:
                made = type(command).model_validate_json(orjson.dumps({**content, name: other}))
            except ValidationError:
                continue
            if made != command:
                yield made


@given(st.data())
def test_other_content_is_never_accepted_without_effect(data: st.DataObject) -> None:
    story, step = _lived(*data.draw(st.sampled_from(_first_steps())))
    commands = [*_changed(step.command)]
    if not commands:
        return

    command = data.draw(st.sampled_from(commands))

    try:
        decided = story.when(step.party, command)
    except Refused:
        return
    assert decided


@pytest.mark.parametrize("where", _first_steps())
def test_what_is_of_one_party_is_not_repeated_by_the_other(where: tuple[int, int]) -> None:
    story, step = _lived(*where)
    try:
        decided = story.when(THEIRS if step.party == OURS else OURS, step.command)
    except Refused:
        return
    assert decided or type(step.command).__name__ in WHOEVER_SAYS_IT.split()


# --- objections ----------------------------------------------------------------------------------


def _objected(statement: Statement, party: str, objection: Command | None) -> Story:
    """Return the story of a fact, an objection within its days if there is one, and silence."""
    rules = ClaimRules(confirm_within_days=100, on_word=[*statement.on_word])
    story = arrive(
        under(*statement.items, claims=rules, attribution=LAST_TOUCH),
        [*statement.given, (Said(statement.at, party, statement.command),), *statement.then],
    )
    if objection is not None:
        story.when(OURS if party == THEIRS else THEIRS, objection)
    story.on("2026-09-01")
    return story


def _answers(story: Story) -> object:
    """Return what people read of a story: lines of money, what is left, figures and alerts."""
    figures = replay(KPIS, story.history).rows
    months = [f"2026-{month:02}" for month in range(1, 9)]
    shown = [(each.rule, each.window, each.state, each.text) for each in alerts(story).values()]
    lines = [(each["fact"], each["to"], each["amount"]) for each in money.lines(story.history)]
    statements = [each.statement for each in story.facts(StatementIssued)]
    return (
        [repr(reading.report(figures, month)) for month in months],
        sorted(shown),
        lines,
        [story.left(each) for each in statements],
    )


@pytest.mark.parametrize("party", [OURS, THEIRS])
@pytest.mark.parametrize("statement", CLAIMS, ids=named)
def test_an_objection_within_its_days_has_an_effect_or_is_refused(
    statement: Statement, party: str
) -> None:
    objection = statement.answer(ObjectToClaim)

    try:
        story = _objected(statement, party, objection)
    except Refused as refusal:
        refused = refusal.rule
    else:
        assert _answers(story) != _answers(_objected(statement, party, None))
        return
    against_interest = refused == "counts-at-once" and party == statement.owes
    assert against_interest or refused == "claim-confirmed"


def test_nobody_objects_to_a_penalty_that_the_other_party_conceded() -> None:
    story = under(Penalty(on=OURS, condition="A report is late.", fee=usd("250.00")))
    story.when(OURS, ConcedePenalty(entry="E-1", condition="A report is late."))

    refusal = story.refuses(THEIRS, ObjectToClaim(entry="E-1", fact="entry", reason="Not late."))

    assert refusal.rule == "counts-at-once"
    assert refusal.detail == (
        "An objection keeps silence from confirming a claim. It changes nothing of what a party "
        f"states against its own interest. entry E-1 counts as {OURS} stated it."
    )
    assert "OpenDispute" in refusal.hint


def test_a_correction_is_objected_to_only_where_it_takes_something() -> None:
    story = arrive(under(share("10")), [*SOLD, paid("2026-04-02", "P-1", usd("1000.00"))])
    objection = ObjectToClaim(deal="D-1", fact="correction/payment/P-1", reason="Not so.")
    for day, amount in (("2026-04-03", "1200.00"), ("2026-04-04", "1200.00")):
        story.on(day)
        story.when(OURS, _corrected(amount))
        assert story.refuses(THEIRS, objection).rule == "counts-at-once"

    story.on("2026-04-05")
    story.when(OURS, _corrected("900.00"))
    about = "correction-takes-money deal/D-1/correction/payment/P-1"
    (name,) = [each for each in states(story) if each.startswith(about)]
    assert states(story)[name] == "open"
    story.when(THEIRS, objection)

    assert states(story)[name] == "resolved"


def _corrected(amount: str) -> CorrectPayment:
    return CorrectPayment(deal="D-1", payment="P-1", amount=usd(amount), reason="A digit.")
