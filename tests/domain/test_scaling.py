"""Scaling: evidence and amended terms first, then both parties agree (C26)."""

from decimal import Decimal

import pytest

from domain.bilateral import DeclineProposal
from domain.formation import AttachEvidence, EvidenceKind
from domain.gates import ProposeWaiver
from domain.kernel import Stage
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.scaling import (
    AgreeJointInvestment,
    ExpandScope,
    JointInvestmentAgreed,
    ProposeJointInvestment,
    ProposeScope,
    ScopeExpanded,
)
from tests.life import OURS, STRANGER, THEIRS, after, at, before, example


def test_a_wider_scope_that_both_agree_begins_scaling() -> None:
    story = before(ExpandScope)

    expanded = story.when(OURS, example(ExpandScope))

    assert expanded == [ScopeExpanded.of(example(ProposeScope))]
    assert story.partnership.stage is Stage.SCALING
    assert story.when(OURS, example(ExpandScope)) == []


def test_a_renewal_review_of_one_party_stops_no_wider_scope() -> None:
    story = before(ExpandScope)
    story.when(OURS, example(HoldRenewalReview))

    story.when(OURS, example(ExpandScope))

    during = story.partnership.stage
    story.agree(THEIRS, example(ProposeRenewal, proposal="renewal-9"))
    assert (during, story.partnership.stage) == (Stage.RENEWAL, Stage.SCALING)


def test_after_a_declined_renewal_a_wider_scope_can_be_proposed_and_agreed() -> None:
    story = before(ProposeScope)
    story.when(OURS, example(HoldRenewalReview))
    story.when(THEIRS, example(ProposeRenewal, proposal="renewal-9"))
    story.when(OURS, DeclineProposal(proposal="renewal-9", reason="Too early."))

    assert story.agree(THEIRS, example(ProposeScope))


def test_a_party_cannot_expand_the_scope_alone() -> None:
    assert before(ExpandScope).refuses(THEIRS, example(ExpandScope)).rule == "own-proposal"


@pytest.mark.parametrize(
    ("kind", "shows_a_result"),
    [
        (EvidenceKind.EXPERIMENT, True),
        (EvidenceKind.OUTCOME, True),
        (EvidenceKind.STUDY, False),
        (EvidenceKind.PROJECTION, False),
        (EvidenceKind.SOP, False),
        (EvidenceKind.BRAND_GUIDELINES, False),
        (EvidenceKind.SPECIFICATION, False),
        (EvidenceKind.SCRIPT, False),
    ],
)
def test_the_outcome_of_something_tried_comes_before_a_wider_scope(
    kind: EvidenceKind,
    shows_a_result: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    story = before(ProposeScope)
    story.when(OURS, example(AttachEvidence, evidence="grounds", kind=kind))
    proposed = example(ProposeScope, evidence=["grounds"])

    if shows_a_result:
        story.when(THEIRS, proposed)
        assert story.when(OURS, example(ExpandScope))
    else:
        assert story.refuses(THEIRS, proposed).rule == "evidence-first"


def test_without_an_attached_result_the_gate_names_no_evidence() -> None:
    story = before(ProposeScope, without=(AttachEvidence,))

    refusal = story.refuses(THEIRS, example(ProposeScope, evidence=["hearsay"]))

    assert "No experiment and no outcome is attached." in refusal.detail


def test_a_scope_is_proposed_only_with_evidence_that_is_attached() -> None:
    story = before(ProposeScope)

    refusal = story.refuses(THEIRS, example(ProposeScope, evidence=["hearsay"]))

    assert "among what it names: hearsay." in refusal.detail
    assert (refusal.rule, refusal.facts["unmet"]) == ("evidence-first", ["evidence-first"])
    story.when(OURS, example(AttachEvidence, evidence="hearsay", kind=EvidenceKind.OUTCOME))
    assert story.agree(THEIRS, example(ProposeScope, evidence=["hearsay"]))


def test_a_scope_is_proposed_before_both_agreed_the_terms_that_cover_it() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(AttachEvidence, evidence="pilot", kind=EvidenceKind.EXPERIMENT))

    assert story.when(THEIRS, example(ProposeScope, evidence=["pilot"], terms_version=2))


@pytest.mark.parametrize("version", [1, 3])
def test_a_wider_scope_rests_on_the_latest_amendment(version: int) -> None:
    story = before(ProposeScope)
    story.when(THEIRS, example(ProposeScope, terms_version=version))

    assert story.refuses(OURS, example(ExpandScope)).rule == "amended-terms-first"


def test_a_wider_scope_under_the_same_terms_needs_no_amendment() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(AttachEvidence, evidence="pilot", kind=EvidenceKind.EXPERIMENT))
    story.when(THEIRS, example(ProposeScope, evidence=["pilot"], terms_version=None))

    [expanded] = story.when(OURS, example(ExpandScope))

    assert isinstance(expanded, ScopeExpanded)
    assert (expanded.terms_version, expanded.waived) == (None, [])
    assert story.partnership.stage is Stage.SCALING


def test_the_first_terms_are_no_amendment() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(AttachEvidence, evidence="pilot", kind=EvidenceKind.EXPERIMENT))
    story.when(THEIRS, example(ProposeScope, evidence=["pilot"], terms_version=1))

    assert story.refuses(OURS, example(ExpandScope)).rule == "amended-terms-first"


def test_a_waived_gate_to_scaling_names_what_was_waived() -> None:
    story = at(Stage.EXECUTION)
    for rule in ("evidence-first", "amended-terms-first"):
        story.agree(
            THEIRS, ProposeWaiver(proposal=rule, rule=rule, reason="The window is two weeks.")
        )

    story.when(THEIRS, example(ProposeScope, terms_version=1))
    [expanded] = story.when(OURS, example(ExpandScope))

    assert isinstance(expanded, ScopeExpanded)
    assert expanded.waived == ["evidence-first", "amended-terms-first"]


@pytest.mark.parametrize("field", ["investment_shares", "reward_shares"])
@pytest.mark.parametrize(
    ("other", "theirs", "rule"),
    [(THEIRS, "30", "splits-add-up"), (STRANGER, "40", "unknown-party")],
)
def test_what_is_invested_and_won_is_split_between_the_two(
    field: str, other: str, theirs: str, rule: str
) -> None:
    shares = {OURS: Decimal(60), other: Decimal(theirs)}

    refusal = at(Stage.SCALING).refuses(OURS, example(ProposeJointInvestment, **{field: shares}))

    assert refusal.rule == rule


def test_a_joint_investment_can_be_agreed_from_formation_on() -> None:
    story = at(Stage.FORMATION)

    story.when(OURS, example(ProposeJointInvestment))

    assert story.when(THEIRS, example(AgreeJointInvestment))
    assert story.partnership.stage is Stage.FORMATION


def test_a_joint_investment_needs_both() -> None:
    story = after(ProposeJointInvestment)

    assert story.refuses(OURS, example(AgreeJointInvestment)).rule == "own-proposal"
    agreed = story.when(THEIRS, example(AgreeJointInvestment))

    assert agreed == [JointInvestmentAgreed.of(example(ProposeJointInvestment))]
    assert story.when(THEIRS, example(AgreeJointInvestment)) == []
