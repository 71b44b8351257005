"""What was mistyped is corrected, and what has changed is recorded anew, with the reason."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.aggregates import command_types
from domain.declarations import Changeable, DeclarationCommand
from domain.execution import (
    CloseCampaign,
    CompleteOnboardingStep,
    CompleteTraining,
    DiagnoseRootCause,
    IncentiveIntroduced,
    IntroduceIncentive,
    IssueEscalated,
    ProposeCancellation,
    ProposeReduction,
    RaiseIssue,
    RecordLesson,
)
from domain.exploration import (
    CandidateIdentified,
    CandidateScored,
    ChoosePartner,
    IdentifyCandidate,
    PartnerChosen,
    ScoreCandidate,
)
from domain.formation import AttachEvidence, DeclareNonNegotiable
from domain.health import (
    CelebrateWin,
    IdentifyRisk,
    RecordAudit,
    RecordContribution,
    RecordHealthCheck,
    RiskIdentified,
    RotateManager,
)
from domain.kernel import Command
from domain.markets import RecordLocalFeedback
from tests.life import EXAMPLES, OURS, THEIRS, after, before, changed, example, usd
from tests.projections.folds import alerts, states

# --- corrections -------------------------------------------------------------------------------

CHANGES: list[tuple[type[Command], dict[str, object]]] = [
    (RecordContribution, {"hours": Decimal(8)}),
    (RecordHealthCheck, {"trust": 2}),
    (IdentifyRisk, {"likelihood": 5}),
    (RecordAudit, {"passed": False}),
    (RotateManager, {"successor": "Carla"}),
    (CelebrateWin, {"text": "The second client signed."}),
    (CompleteOnboardingStep, {"plan_day": 60}),
    (CompleteTraining, {"attendees": 9}),
    (RecordLesson, {"text": "Codes are read out too fast."}),
    (IntroduceIncentive, {"description": "A gift card."}),
    (DiagnoseRootCause, {"finding": "Something else."}),
    (RaiseIssue, {"description": "Two fees are missing."}),
    (RecordLocalFeedback, {"score": 2}),
    (AttachEvidence, {"title": "The second quarter"}),
    (CloseCampaign, {"outcome": "30 firms came, 3 signed."}),
    (DeclareNonNegotiable, {"statement": "No exclusivity, anywhere."}),
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


# --- candidates --------------------------------------------------------------------------------


def test_the_name_of_a_candidate_is_corrected_and_its_score_stays() -> None:
    story = before(ChoosePartner)
    right = example(IdentifyCandidate, name="BrightPath Ltd", change_reason="A typing error.")

    assert story.refuses(OURS, changed(right, change_reason=None)).rule == "candidate-exists"
    [identified] = story.when(OURS, right)
    assert story.when(OURS, right) == []

    assert isinstance(identified, CandidateIdentified)
    assert CandidateScored in story.partnership.exploration.candidates[THEIRS].latest
    story.when(OURS, example(ChoosePartner))
    assert [each.name for each in story.facts(PartnerChosen)] == ["BrightPath Ltd"]


def test_only_a_candidate_on_the_list_is_corrected() -> None:
    story = before(ScoreCandidate)
    unknown = example(IdentifyCandidate, candidate="nobody", change_reason="A typing error.")

    assert story.refuses(OURS, unknown).rule == "nothing-to-change"


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
    assert alerts(story)["risk-open R-1"].text.startswith("Risk R-1, 25 of 25, owned by ")
    rated = changed(taken, likelihood=1, change_reason="One came back.")
    # What closes the alert for both takes the party that opened it, or both.
    assert story.refuses(OURS, rated).rule == "risk-rated-by-another"
    assert states(story)["risk-highest R-1"] == "open"
    story.when(THEIRS, rated)
    assert states(story)["risk-highest R-1"] == "resolved"
    assert story.partnership.context.declarations.of(RiskIdentified)[-1].owner == THEIRS
    laid_down = changed(rated, owner=None, change_reason="We have no contacts.")
    story.when(THEIRS, laid_down)
    other = changed(rated, owner=OURS, change_reason="We have the contacts.")
    story.when(OURS, other)
    refusal = story.refuses(OURS, changed(other, owner=THEIRS, change_reason="We do not."))
    assert refusal.rule == "risk-of-another"


@pytest.mark.parametrize("owner", [OURS, None])
def test_neither_party_takes_the_other_out_of_a_risk(owner: str | None) -> None:
    story = before(IdentifyRisk)
    risk = example(IdentifyRisk, owner=THEIRS)
    story.when(THEIRS, risk)

    refusal = story.refuses(OURS, changed(risk, owner=owner, change_reason="It is ours."))

    assert refusal.rule == "risk-owned-by-another"
    assert f"{OURS} names {owner or 'nobody'}." in refusal.detail
    worse = changed(risk, impact=5, change_reason="Two clients left.")
    assert story.when(OURS, worse)


def test_neither_party_rewrites_the_risk_that_the_other_described() -> None:
    story = before(IdentifyRisk)
    risk = example(IdentifyRisk, owner=None)
    story.when(THEIRS, risk)
    reworded = changed(risk, description="None.", change_reason="It is solved.")

    assert story.refuses(OURS, reworded).rule == "risk-described-by-another"
    # A party that rates it higher answers for the rating, and still not for the words.
    worse = changed(risk, impact=5, change_reason="Two clients left.")
    story.when(OURS, worse)
    assert story.refuses(OURS, changed(worse, description="None.")).rule == (
        "risk-described-by-another"
    )
    assert story.when(THEIRS, changed(worse, description="No client.", change_reason="Misspelt."))


def test_a_risk_that_both_gave_up_is_on_the_register_no_more() -> None:
    story = after(IdentifyRisk)

    story.agree(OURS, example(ProposeCancellation, proposal="no-risk", kind="risk", ref="R-1"))

    assert story.partnership.context.declarations.of(RiskIdentified) == []
    assert states(story)["risk-open R-1"] == "resolved"
    assert story.when(OURS, example(IdentifyRisk))


def test_who_reduced_its_investment_ends_that_alone_and_the_other_does_not() -> None:
    story = after(ProposeReduction)
    give_up = example(ProposeCancellation, proposal="again", kind="reduction", ref="cut-1")

    story.copy().when(THEIRS, give_up)
    assert states(story)["investment-reduced launch/cut-1"] == "open"
    story.when(OURS, give_up)

    assert states(story)["investment-reduced launch/cut-1"] == "resolved"


# --- incentives --------------------------------------------------------------------


def test_the_words_of_an_incentive_are_corrected_and_what_it_promised_stays() -> None:
    story = after(IntroduceIncentive)
    author = EXAMPLES[IntroduceIncentive].party
    words = example(IntroduceIncentive, description="A gift card.", change_reason="Misspelt.")
    less = words.model_copy(update={"per_referral": usd("10.00")})
    story.wait(days=3)
    backwards = words.model_copy(update={"until": story.now.date()})

    assert story.refuses(author, less).rule == "incentive-was-promised"
    assert story.refuses(author, backwards).rule == "incentive-was-promised"
    [changed] = story.when(author, words)

    assert isinstance(changed, IncentiveIntroduced)
    assert changed.from_day == story.facts(IncentiveIntroduced)[0].from_day


def test_an_incentive_can_end_from_tomorrow_on() -> None:
    story = after(IntroduceIncentive)
    author = EXAMPLES[IntroduceIncentive].party
    ending = example(
        IntroduceIncentive,
        until=story.now.date() + timedelta(days=1),
        change_reason="The budget is used up.",
    )

    story.when(author, ending)

    assert story.facts(IncentiveIntroduced)[-1].until == ending.until
