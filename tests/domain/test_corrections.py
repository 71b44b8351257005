"""What was mistyped is corrected, and what has changed is recorded anew, with the reason."""

from decimal import Decimal

import pytest

from domain.aggregates import command_types
from domain.declarations import Changeable, DeclarationCommand
from domain.execution import (
    CompleteOnboardingStep,
    CompleteTraining,
    DiagnoseRootCause,
    IssueEscalated,
    ProposeCancellation,
    RaiseIssue,
    RecordLesson,
    ReduceInvestment,
)
from domain.health import (
    CelebrateWin,
    IdentifyRisk,
    MitigateRisk,
    RecordAudit,
    RecordContribution,
    RecordHealthCheck,
    RiskIdentified,
    RotateManager,
)
from domain.kernel import Command
from tests.life import EXAMPLES, OURS, THEIRS, after, before, changed, example
from tests.projections.folds import alerts, states

# --- corrections -------------------------------------------------------------------------------

CHANGES: list[tuple[type[Command], dict[str, object]]] = [
    (RecordContribution, {"hours": Decimal(8)}),
    (RecordHealthCheck, {"trust": 2}),
    (IdentifyRisk, {"likelihood": 5}),
    (MitigateRisk, {"how": "It is insured."}),
    (RecordAudit, {"passed": False}),
    (RotateManager, {"successor": "Carla"}),
    (CelebrateWin, {"text": "The second client signed."}),
    (CompleteOnboardingStep, {"plan_day": 60}),
    (CompleteTraining, {"attendees": 9}),
    (RecordLesson, {"text": "Codes are read out too fast."}),
    (ReduceInvestment, {"by": Decimal(25)}),
    (DiagnoseRootCause, {"finding": "Something else."}),
    (RaiseIssue, {"description": "Two fees are missing."}),
]


@pytest.mark.parametrize(("kind", "other"), CHANGES, ids=lambda each: getattr(each, "__name__", ""))
def test_what_was_mistyped_is_corrected_by_its_author_with_the_reason(
    kind: type[Command], other: dict[str, object]
) -> None:
    story = after(kind)
    author = EXAMPLES[kind].party
    right = example(kind, **other, change_reason="A typing error.")

    assert story.refuses(author, example(kind, **other)).rule == "already-recorded"
    (event,) = story.when(author, right)
    assert story.when(author, right) == []

    stated = story.partnership.context.declarations.of(type(event))  # type: ignore[type-var]
    assert stated.count(event) == 1
    assert [each for each in stated if each.names() == event.names()] == [event]  # type: ignore[attr-defined]


def test_every_kind_that_can_be_changed_is_in_the_list() -> None:
    kinds = {
        each
        for each in command_types().values()
        if issubclass(each, DeclarationCommand) and Changeable in each.declaration.__mro__
    }

    assert {kind for kind, _ in CHANGES} == kinds


@pytest.mark.parametrize("kind", [RecordLesson, RecordAudit, RaiseIssue])
def test_what_the_other_recorded_is_not_corrected(kind: type[Command]) -> None:
    story = after(kind)
    other = THEIRS if EXAMPLES[kind].party == OURS else OURS

    refusal = story.refuses(other, example(kind, change_reason="It was otherwise."))

    assert refusal.rule == "not-the-author"


def test_only_what_is_on_record_is_corrected() -> None:
    story = before(RecordLesson)

    refusal = story.refuses(THEIRS, example(RecordLesson, change_reason="A typing error."))

    assert refusal.rule == "nothing-to-change"


def test_an_issue_whose_words_are_corrected_is_escalated_when_it_was() -> None:
    story = after(RaiseIssue)
    raised = story.now
    story.wait(hours=40)
    story.when(THEIRS, example(RaiseIssue, description="Two fees.", change_reason="I counted."))

    story.wait(hours=8)

    assert [each.raised_at for each in story.facts(IssueEscalated)] == [raised]
    story.when(THEIRS, example(RaiseIssue, description="Three.", change_reason="I counted again."))
    assert states(story)["issue-escalated I-1"] == "open"


# --- risks -------------------------------------------------------------------------------------


def test_a_risk_is_rated_anew_and_taken_by_either_party_and_laid_on_none() -> None:
    story = before(IdentifyRisk)
    risk = example(IdentifyRisk, owner=None)

    assert story.refuses(OURS, changed(risk, owner=THEIRS)).rule == "risk-of-another"
    story.when(OURS, risk)
    assert states(story)["risk-open R-1"] == "open"
    taken = changed(risk, owner=THEIRS, likelihood=5, impact=5, change_reason="Two clients left.")
    story.when(THEIRS, taken)

    assert story.partnership.context.declarations.of(RiskIdentified)[-1].owner == THEIRS
    assert alerts(story)["risk-open R-1"].text.startswith("Risk R-1, 25 of 25: ")
    rated = changed(taken, likelihood=1, change_reason="One came back.")
    story.when(OURS, rated)
    assert story.partnership.context.declarations.of(RiskIdentified)[-1].owner == THEIRS
    other = changed(taken, owner=OURS, change_reason="We have the contacts.")
    story.when(OURS, other)
    refusal = story.refuses(OURS, changed(other, owner=THEIRS, change_reason="We do not."))
    assert refusal.rule == "risk-of-another"


def test_a_risk_that_both_gave_up_is_on_the_register_no_more() -> None:
    story = after(IdentifyRisk)

    story.agree(OURS, example(ProposeCancellation, proposal="no-risk", kind="risk", ref="R-1"))

    assert story.partnership.context.declarations.of(RiskIdentified) == []
    assert states(story)["risk-open R-1"] == "resolved"
    assert story.when(OURS, example(IdentifyRisk))


def test_who_reduced_its_investment_ends_that_alone_and_the_other_does_not() -> None:
    story = after(ReduceInvestment)
    give_up = example(ProposeCancellation, proposal="again", kind="reduction", ref="cut-1")

    story.copy().when(THEIRS, give_up)
    assert states(story)["investment-reduced cut-1"] == "open"
    story.when(OURS, give_up)

    assert states(story)["investment-reduced cut-1"] == "resolved"
