"""Every open proposal can be accepted, or waits for a gate; what cannot be any more has lapsed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta

import pytest

from domain.bilateral import BilateralAgreement, ProposalLapsed
from domain.examples import EXAMPLES, Step
from domain.execution import ImprovementPlanAgreed, ProposeImprovementPlan
from domain.exit import (
    AgreeExitWithdrawal,
    ExitReason,
    GiveExitNotice,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.formation import ProposeNegotiationEnd
from domain.gates import GateClosed, ProposeWaiver
from domain.kernel import Command, Refused, Stage
from projections import PROPOSALS
from projections.fold import replay
from projections.proposals import OPEN, OpenProposals
from tests.domain.test_agreements import KINDS, acceptance
from tests.life import ADOPTED, LIFE, LOST, OURS, THEIRS, before, changed, example
from tests.projections.folds import states
from tests.stories import Story, moment


def is_open(story: Story, kind: type[BilateralAgreement], proposal: str) -> bool:
    row: OpenProposals = replay(PROPOSALS, story.history).rows.get(OPEN) or OpenProposals()
    return (kind.name, proposal) in {(each.agreement, each.proposal) for each in row.open}


def life_of(kind: type[BilateralAgreement]) -> Sequence[Step]:
    if kind.name == "KeyRecovery":
        return sorted((*LIFE, *LOST), key=lambda step: step.at)
    if kind.name == "NegotiationEnd":
        return sorted((*LIFE, EXAMPLES[ProposeNegotiationEnd]), key=lambda step: step.at)
    return ADOPTED if kind.name == "Adoption" else LIFE


def kept_open(kind: type[BilateralAgreement]) -> tuple[Story, Command, str, int]:
    """Return the story in which a kind was proposed, its acceptance, who accepts, and where."""
    life = life_of(kind)
    place = next(at for at, each in enumerate(life) if isinstance(each.command, kind.proposes))
    story = Story(now=moment(life[0].at)).given(life[:place])
    story.on(life[place].at)
    proposal, party = life[place].command, life[place].party
    proposal = changed(proposal, **{kind.called: "kept-open"})
    story.when(party, proposal)
    return story, acceptance(kind, proposal), THEIRS if party == OURS else OURS, place


def by_time(story: Story, kind: type[BilateralAgreement], place: int) -> Iterator[None]:  # noqa: ARG001
    for _ in range(3):
        yield
        story.wait(days=250)


def by_life(story: Story, kind: type[BilateralAgreement], place: int) -> Iterator[None]:
    for step in life_of(kind)[place:]:
        yield
        story.given([step])


def by_leaving(story: Story, kind: type[BilateralAgreement], place: int) -> Iterator[None]:
    """Let a party leave if it can, and let time pass."""
    yield
    ends_on = (story.now + timedelta(days=120)).date()
    with suppress(Refused):  # There are stages without a way out.
        story.when(OURS, example(GiveExitNotice, exit="leaving", effective_on=ends_on))
    yield from by_time(story, kind, place)


@pytest.mark.parametrize("goes_on", [by_time, by_life, by_leaving])
@pytest.mark.parametrize(
    "kind", [each for each in KINDS if each.where is None], ids=lambda each: each.name
)
def test_a_proposal_of_any_kind_can_be_accepted_as_long_as_it_is_open(
    kind: type[BilateralAgreement], goes_on: Callable[..., Iterator[None]]
) -> None:
    story, accept, other, place = kept_open(kind)

    for _ in goes_on(story, kind, place):
        if not is_open(story, kind, "kept-open"):
            return
        try:
            story.copy().when(other, accept)
        except GateClosed:
            continue  # It waits for what the gate requires.
        except Refused:
            if kind.name != "Terms":  # Word of a timely acceptance of terms can come late.
                raise


def lapsed(story: Story) -> dict[str, date | None]:
    """Return the proposals that lapsed, each with its last day if that is why."""
    return {each.proposal: each.last_day for each in story.facts(ProposalLapsed)}


def leaving() -> tuple[Story, date]:
    """Return a story in which an exit is ahead, and its effective day."""
    story = before(ProposeExitWithdrawal)
    ends_on = story.partnership.context.terms.exit
    assert ends_on is not None
    return story, ends_on


def test_the_withdrawal_of_an_exit_lapses_when_the_exit_takes_effect() -> None:
    story, ends_on = leaving()
    story.on(f"{ends_on - timedelta(days=10)}")
    story.when(OURS, example(ProposeExitWithdrawal, proposal="back"))

    story.on(f"{ends_on - timedelta(days=1)}T23:59")
    assert lapsed(story) == {}
    assert states(story)["due-soon answer/ExitWithdrawal/back"] == "open"
    story.on(f"{ends_on}T00:00")

    assert lapsed(story) == {"back": ends_on - timedelta(days=1)}
    refusal = story.refuses(THEIRS, AgreeExitWithdrawal(proposal="back"))
    assert refusal.rule == "proposal-lapsed"
    assert "It could be accepted until" in refusal.detail
    assert [
        each for each, state in states(story).items() if "back" in each and state == "open"
    ] == []


def test_a_sooner_notice_brings_the_last_day_of_a_withdrawal_forward() -> None:
    story, ends_on = leaving()
    story.when(OURS, example(ProposeExitWithdrawal, proposal="back"))
    sooner = ends_on - timedelta(days=10)
    notice = GiveExitNotice(
        exit="sooner", reason=ExitReason.STRATEGIC_CHANGE, explanation="Now.", effective_on=sooner
    )
    story.when(THEIRS, notice)

    story.on(f"{sooner}T00:00")

    assert lapsed(story) == {"back": sooner - timedelta(days=1)}


def test_an_exit_that_both_could_agree_lapses_with_a_notice_for_the_same_day_or_sooner() -> None:
    story = before(GiveExitNotice)
    day = example(GiveExitNotice).effective_on
    for name, later in (("sooner", -5), ("later", 5)):
        exit_ = ProposeExit(
            exit=name, explanation="We part.", effective_on=day + timedelta(days=later)
        )
        story.when(OURS, exit_)

    story.when(THEIRS, example(GiveExitNotice))

    assert lapsed(story) == {"later": None}


def test_an_improvement_plan_that_nobody_answered_lapses_and_opens_the_way_out() -> None:
    story = before(ProposeImprovementPlan)
    plan = example(ProposeImprovementPlan)
    story.when(OURS, plan)
    story.on(f"{plan.deadline + timedelta(days=1)}")
    story.wait(days=20)
    assert lapsed(story) == {plan.proposal: plan.deadline}
    assert story.facts(ImprovementPlanAgreed) == []

    leaves = (story.now + timedelta(days=90)).date()
    assert story.when(
        OURS,
        GiveExitNotice(
            exit="unanswered",
            reason=ExitReason.UNDERPERFORMANCE,
            explanation="Nobody answered.",
            effective_on=leaves,
        ),
    )


def test_a_waiver_lapses_when_its_gate_is_passed() -> None:
    story = Story(now=moment(LIFE[0].at))
    for step in LIFE:
        before_ = story.partnership.stage
        story.given([step])
        if story.partnership.stage is Stage.EXECUTION:
            break
        if before_ is Stage.EXPLORATION and story.partnership.stage is Stage.FORMATION:
            rule, reason = "charter-agreed", "It is coming."
            story.when(OURS, ProposeWaiver(proposal="too-late", rule=rule, reason=reason))

    assert lapsed(story) == {"too-late": None}
