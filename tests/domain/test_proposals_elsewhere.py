"""Proposals on deals, disputes and experiments: each falls due, is reminded of, and lapses."""

from typing import Any

import pytest

from domain.bilateral import DeclineProposal, ProposalLapsed, WithdrawProposal
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.dispute import AcceptResolution, OpenDispute, ProposeResolution, WithdrawDispute
from domain.exit import GiveExitNotice
from domain.experiment import RegisterHypothesis, StartPilot
from domain.kernel import Command, Stage
from domain.merge import AgreeMerge, ProposeMerge
from domain.referral import AgreeAttribution, ProposeAttribution, SubmitReferral
from domain.standing_alerts import LEAD_AWAITS, LEAD_UNANSWERED
from projections import PROPOSALS
from projections.fold import replay
from projections.proposals import OPEN, OpenProposals
from tests.life import EXAMPLES, LIFE, OURS, THEIRS, after, at, changed, example, so_far
from tests.projections.folds import states
from tests.stories import Story

ELSEWHERE: list[tuple[type[Command], type[Command], str, str]] = [
    (ProposeMerge, AgreeMerge, "Merge", "deal"),
    (ProposeAttribution, AgreeAttribution, "Attribution", "deal"),
    (ProposeResolution, AcceptResolution, "Resolution", "dispute"),
    (RegisterHypothesis, StartPilot, "Hypothesis", "experiment"),
]


def proposed(kind: type[Command]) -> tuple[Story, str, str]:
    """Return the story with a proposal, the party that made it, and the other."""
    story = after(kind)
    author = EXAMPLES[kind].party
    return story, author, THEIRS if author == OURS else OURS


def of_answers(story: Story) -> dict[str, str]:
    """Return the state of each alert about an answer to a proposal."""
    leads = (LEAD_AWAITS, LEAD_UNANSWERED)
    found = states(story).items()
    return {k: each for k, each in found if "answer" in k and not k.startswith(leads)}


def reference(kind: type[Command], agreement: str, where: str) -> str:
    """Return what the answer to the proposal of the life is called."""
    command: Any = EXAMPLES[kind].command
    name = command.experiment if kind is RegisterHypothesis else command.proposal
    return f"{agreement}/{name}/{where}/{getattr(command, where)}"


@pytest.mark.parametrize(("kind", "accepts", "agreement", "where"), ELSEWHERE)
def test_its_answer_is_reminded_of_and_falls_due(
    kind: type[Command], accepts: type[Command], agreement: str, where: str
) -> None:
    story, author, other = proposed(kind)
    ref = reference(kind, agreement, where)

    story.wait(days=14)
    assert of_answers(story)[f"due-soon answer/{ref}"] == "open"
    story.wait(days=1)
    assert of_answers(story)[f"answer-overdue {ref}"] == "open"
    said = [each for each in story.facts(DeadlinePassed) if each.kind is DeadlineKind.ANSWER]
    assert [(each.ref, each.asked_by) for each in said] == [(ref, author)]

    story.when(other, example(accepts))
    assert {*of_answers(story).values()} == {"resolved"}


@pytest.mark.parametrize(("kind", "accepts", "agreement", "where"), ELSEWHERE)
@pytest.mark.parametrize("answer", [DeclineProposal, WithdrawProposal])
def test_what_is_answered_in_time_reminds_nobody(
    answer: type[Command], kind: type[Command], accepts: type[Command], agreement: str, where: str
) -> None:
    story, author, other = proposed(kind)
    _, name, within = reference(kind, agreement, where).split("/", 2)
    answered = answer(proposal=name, within=within, reason="No.")  # type: ignore[call-arg]
    story.when(other if answer is DeclineProposal else author, answered)

    story.wait(days=30)

    assert of_answers(story) == {}
    assert story.refuses(other, example(accepts)).rule in {
        "proposal-declined",
        "proposal-withdrawn",
    }


def test_the_answers_of_two_deals_are_told_apart() -> None:
    story = after(ProposeMerge)
    merge = example(ProposeMerge)
    story.when(THEIRS, changed(merge, deal="D-1", into=merge.deal))

    story.wait(days=30)

    passed = [each for each in story.facts(DeadlinePassed) if each.kind is DeadlineKind.ANSWER]
    assert len({each.ref for each in passed}) == len(passed) == 2


def test_before_terms_are_agreed_nobody_is_asked_to_start_a_pilot() -> None:
    story = at(Stage.EXPLORATION)
    story.when(OURS, example(RegisterHypothesis))

    story.wait(days=30)

    assert [each for each in story.facts(ReminderGiven) if "Hypothesis" in each.ref] == []
    assert of_answers(story) == {}


def awaiting(story: Story) -> set[str]:
    """Return the open proposals on deals, disputes and experiments."""
    row: OpenProposals = replay(PROPOSALS, story.history).rows.get(OPEN) or OpenProposals()
    return {each.proposal for each in row.open if each.substream}


def test_what_is_proposed_on_a_duplicate_lapses_when_it_is_merged() -> None:
    story = after(ProposeMerge)
    merge = example(ProposeMerge)
    story.when(OURS, changed(merge, proposal="again"))
    story.when(OURS, example(ProposeAttribution, proposal="split", deal=merge.deal))

    story.when(THEIRS if EXAMPLES[ProposeMerge].party == OURS else OURS, example(AgreeMerge))

    lapsed = story.facts(ProposalLapsed)
    assert [(each.agreement, each.proposal, each.within) for each in lapsed] == [
        ("Merge", "again", f"deal/{merge.deal}"),
        ("Attribution", "split", f"deal/{merge.deal}"),
    ]
    assert awaiting(story) == set()
    story.wait(days=40)
    assert {*of_answers(story).values()} <= {"resolved"}


@pytest.mark.parametrize("withdrawn", [True, False])
def test_what_is_proposed_in_a_dispute_lapses_when_it_ends(withdrawn: bool) -> None:  # noqa: FBT001 - drawn
    story = after(ProposeResolution)
    author = EXAMPLES[ProposeResolution].party
    opener = EXAMPLES[OpenDispute].party
    other = THEIRS if author == OURS else OURS
    story.when(author, example(ProposeResolution, proposal="end-2"))
    dispute = example(ProposeResolution).dispute

    if withdrawn:
        story.when(opener, WithdrawDispute(dispute=dispute, reason="It was paid."))
    else:
        story.when(other, example(AcceptResolution))

    lapsed = {each.proposal for each in story.facts(ProposalLapsed)}
    assert lapsed == ({"end-1", "end-2"} if withdrawn else {"end-2"})
    assert awaiting(story) == set()


def test_the_whole_life_leaves_no_answer_open() -> None:
    story = so_far(len(LIFE))

    assert [name for name, state in of_answers(story).items() if state == "open"] == []


def lead(story: Story, deal: str) -> None:
    """Let a party submit a referral of a new deal."""
    story.when(EXAMPLES[SubmitReferral].party, example(SubmitReferral, deal=deal))


def merge_of(story: Story, deal: str, into: str) -> None:
    """Let a party propose that a deal is a duplicate of another."""
    proposal = example(ProposeMerge, proposal=f"{deal}-is-{into}", deal=deal, into=into)
    story.when(OURS, proposal)


def test_a_merge_ends_the_merges_of_other_deals_that_would_make_a_chain() -> None:
    story = at(Stage.EXECUTION)
    for deal in ("A", "B", "C", "D", "E"):
        lead(story, deal)
    for deal, into in (("A", "B"), ("B", "C"), ("C", "D"), ("E", "C"), ("A", "E")):
        merge_of(story, deal, into)

    story.when(THEIRS, AgreeMerge(deal="B", proposal="B-is-C"))

    lapsed = story.facts(ProposalLapsed)
    assert {(each.proposal, each.within) for each in lapsed} == {
        ("A-is-B", "deal/A"),
        ("C-is-D", "deal/C"),
    }
    assert {each.reason for each in lapsed} == {"Deal B was merged into C."}
    assert awaiting(story) == {"E-is-C", "A-is-E"}
    refusal = story.refuses(THEIRS, AgreeMerge(deal="A", proposal="A-is-B"))
    assert refusal.rule == "merged-into-a-duplicate"
    story.wait(days=40)
    due = {each for each, state in of_answers(story).items() if state == "open"}
    assert due == {"answer-overdue Merge/E-is-C/deal/E", "answer-overdue Merge/A-is-E/deal/A"}


def test_a_pilot_that_nobody_started_lapses_when_an_exit_takes_effect() -> None:
    story = at(Stage.RENEWAL)
    hypothesis = example(RegisterHypothesis, experiment="X-9")
    story.when(OURS, hypothesis)
    story.when(THEIRS, example(GiveExitNotice, effective_on="2026-12-20"))
    assert awaiting(story) == {"X-9"}
    assert story.copy().when(THEIRS, StartPilot(experiment="X-9"))

    story.on("2026-12-20T00:00")

    [lapsed] = [each for each in story.facts(ProposalLapsed) if each.proposal == "X-9"]
    assert (lapsed.within, lapsed.reason) == (
        "experiment/X-9",
        "The exit took effect on 2026-12-20.",
    )
    assert awaiting(story) == set()
    assert story.refuses(THEIRS, StartPilot(experiment="X-9")).rule == "exit-took-effect"
    assert "open" not in of_answers(story).values()
