"""The decision checklist and the matrix, from what is on record: at the gate, and as an audit."""

from decimal import Decimal

import pytest

from domain.checklist import AnswerState, ChecklistAnswer, checklist
from domain.execution import HoldKickoff
from domain.exploration import (
    QUESTIONS,
    AgreeJointBridgingPlan,
    AssessAlignment,
    ChoosePartner,
    CompleteDecisionChecklist,
    Dimension,
    JointBridgingPlanAgreed,
    ProposeJointBridgingPlan,
)
from domain.formation import AgreeCharter, DraftAgreement, SignAgreement
from domain.gates import ProposeWaiver
from domain.governance import AssignSponsor, CommitResources
from domain.health import AgreeRiskMitigated, IdentifyRisk, ProposeRiskMitigated
from domain.kernel import Command, Stage
from tests.life import OURS, THEIRS, at, before, example
from tests.stories import Story


def answers(story: Story) -> dict[str, ChecklistAnswer]:
    """Return the answers of a story's checklist, by question."""
    state = story.partnership
    found = checklist(state.exploration, state.formation, state.context)
    return {each.question: each for each in found}


def test_before_the_kickoff_every_answer_is_yes_and_names_its_facts() -> None:
    story = before(HoldKickoff)
    story.when(OURS, example(IdentifyRisk))
    story.agree(THEIRS, example(ProposeRiskMitigated))
    found = answers(story)

    assert tuple(found) == QUESTIONS
    assert all(each.met for each in found.values())
    assert found["economics_fair"].rests_on == ("both agreed version 1 of the terms",)
    assert found["sponsors_on_both_sides"].rests_on == (
        f"{OURS}: Ada senior, Chief executive",
        f"{THEIRS}: Boris senior, Chief executive",
    )


@pytest.mark.parametrize(
    ("missing", "question"),
    [
        (AgreeCharter, "objectives_defined"),
        (CommitResources, "resources_available"),
        (AssignSponsor, "sponsors_on_both_sides"),
        ((DraftAgreement, SignAgreement), "exit_clause"),
    ],
)
def test_an_answer_is_no_where_its_fact_is_missing(
    missing: type[Command] | tuple[type[Command], ...], question: str
) -> None:
    found = answers(before(HoldKickoff, without=missing))

    assert [each.question for each in found.values() if each.state is AnswerState.NO] == [question]
    assert found[question].hint


def test_one_side_without_a_sponsor_is_named() -> None:
    found = answers(before(HoldKickoff, without=AssignSponsor, of=THEIRS))

    assert found["sponsors_on_both_sides"].rests_on == (f"{THEIRS} has none",)


def test_an_open_risk_closes_the_gate_to_execution_until_it_is_mitigated_or_waived() -> None:
    story = before(HoldKickoff)
    story.when(OURS, example(IdentifyRisk))

    refusal = story.refuses(OURS, example(HoldKickoff))
    story.when(THEIRS, example(ProposeRiskMitigated))
    assert story.refuses(OURS, example(HoldKickoff)).rule == "checklist:risks_mitigated"
    story.when(OURS, example(AgreeRiskMitigated))

    assert refusal.rule == "checklist:risks_mitigated"
    assert "risk R-1 is open" in refusal.detail
    assert story.when(OURS, example(HoldKickoff))


def test_without_a_register_the_checklist_says_so_and_the_gate_is_open() -> None:
    story = before(HoldKickoff)
    found = answers(story)["risks_mitigated"]

    assert (found.state, found.met) == (AnswerState.NONE_REGISTERED, False)
    assert found.rests_on == ("no risk was registered",)
    assert found.hint
    assert story.when(OURS, example(HoldKickoff))


def test_without_a_register_a_no_of_the_choice_closes_the_gate() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(CompleteDecisionChecklist, risks_mitigated=False))
    rule = "checklist:risks_mitigated"
    story.when(
        OURS,
        ProposeWaiver(
            proposal="waiver-9", rule=rule, reason="The register is begun with the partner."
        ),
    )
    story.when(OURS, example(ChoosePartner))

    found = answers(story)["risks_mitigated"]
    assert (found.state, found.rests_on) == (AnswerState.NO, ("no risk was registered",))


@pytest.mark.parametrize("dimension", Dimension)
def test_a_dimension_that_fell_below_three_closes_the_gate_to_execution(
    dimension: Dimension,
) -> None:
    story = before(HoldKickoff)
    ratings = dict.fromkeys(Dimension, 3) | {dimension: 2}
    story.when(OURS, example(AssessAlignment, **ratings))
    # The search agreed one plan, both parties another.
    bridged = dimension in {Dimension.CULTURAL_COMPATIBILITY, Dimension.OPERATIONAL_CAPACITY}

    assert answers(story)["alignment_sufficient"].met is bridged
    if not bridged:
        assert story.refuses(OURS, example(HoldKickoff)).rule == f"alignment:{dimension}"
        waiver = ProposeWaiver(
            proposal="waiver-9", rule=f"alignment:{dimension}", reason="The teams train together."
        )
        story.agree(OURS, waiver)
    assert story.when(OURS, example(HoldKickoff))


def low(story: Story, dimension: Dimension) -> None:
    """One of the parties rates a dimension below the passing rating."""
    story.when(OURS, example(AssessAlignment, **(dict.fromkeys(Dimension, 3) | {dimension: 2})))


def plan(dimension: Dimension, name: str = "bridge-9") -> ProposeJointBridgingPlan:
    how = "The teams train together."
    return ProposeJointBridgingPlan(proposal=name, dimension=dimension, plan=how)


def test_a_bridging_plan_of_both_opens_the_gate_to_execution() -> None:
    story = before(HoldKickoff)
    low(story, Dimension.SHARED_VISION)

    refusal = story.refuses(OURS, example(HoldKickoff))
    assert refusal.rule == "alignment:shared_vision"
    assert "shared vision is below 3 and has no bridging plan" in refusal.detail
    assert "ProposeJointBridgingPlan" in (refusal.hint or "")
    story.when(OURS, plan(Dimension.SHARED_VISION))
    assert story.refuses(OURS, example(HoldKickoff)).rule == "alignment:shared_vision"
    story.when(THEIRS, AgreeJointBridgingPlan(proposal="bridge-9"))

    assert "shared vision 2 (bridged)" in answers(story)["alignment_sufficient"].rests_on
    assert story.when(OURS, example(HoldKickoff))


@pytest.mark.parametrize("stage", [Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL, Stage.EXIT])
def test_in_every_running_stage_the_audit_names_what_lacks_a_plan_until_both_agree_one(
    stage: Stage,
) -> None:
    story = at(stage)
    low(story, Dimension.STRATEGIC_FIT)

    lacking = answers(story)["alignment_sufficient"]
    assert not lacking.met
    assert "strategic fit 2 (no bridging plan)" in lacking.rests_on
    assert "ProposeJointBridgingPlan" in (lacking.hint or "")
    story.agree(THEIRS, plan(Dimension.STRATEGIC_FIT))

    bridged = answers(story)["alignment_sufficient"]
    assert bridged.met
    assert "strategic fit 2 (bridged)" in bridged.rests_on


def test_a_plan_of_both_bridges_its_own_dimension_only() -> None:
    story = before(HoldKickoff)
    low(story, Dimension.SHARED_VISION)
    story.agree(OURS, plan(Dimension.STRATEGIC_FIT))

    assert story.refuses(OURS, example(HoldKickoff)).rule == "alignment:shared_vision"


def test_both_can_replace_a_bridging_plan() -> None:
    story = at(Stage.EXECUTION)
    story.agree(OURS, plan(Dimension.STRATEGIC_FIT))
    later = plan(Dimension.STRATEGIC_FIT, "bridge-10")
    story.agree(THEIRS, later)

    assert [each.agreed_version for each in story.facts(JointBridgingPlanAgreed)][-2:] == [1, 2]


def test_the_audit_of_what_runs_changes_with_its_facts() -> None:
    story = at(Stage.SCALING)
    assert answers(story)["alignment_sufficient"].met

    story.when(OURS, example(AssessAlignment, shared_vision=1))

    fell = answers(story)["alignment_sufficient"]
    assert not fell.met
    assert "shared vision 1 (no bridging plan)" in fell.rests_on
    assert story.partnership.stage is Stage.SCALING


def test_nothing_committed_is_no_resource() -> None:
    """Such a commitment opened the gate to execution, and the checklist said yes."""
    story = before(HoldKickoff)
    story.when(THEIRS, CommitResources(attention=Decimal(0)))

    found = answers(story)["resources_available"]

    assert (found.state, found.rests_on) == (AnswerState.NO, (f"{THEIRS} has none",))
    assert story.refuses(OURS, example(HoldKickoff)).rule == f"resources:{THEIRS}"
