"""What is owed and disputed: each dispute with what it holds, since when, and whose turn it is."""

from pathlib import Path

import pytest

from domain.bilateral import DeclineProposal
from domain.dispute import (
    AcceptResolution,
    OpenDispute,
    ProposeResolution,
    StartMediation,
    WithdrawDispute,
)
from domain.kernel import Command
from infra.answers import owed
from infra.answers.logs import AsOf
from infra.answers.owed import Disputed, Owed
from tests.feeds import simulated
from tests.infra.answers.helpers import printed
from tests.life import OURS, THEIRS, after, example, usd
from tests.projections.money import sell, share, state, under
from tests.stories import Story

NAME = example(OpenDispute).dispute
PROPOSE = example(ProposeResolution)


def asked(folder: Path, story: Story, when: AsOf | None = None) -> Owed:
    with simulated(folder) as accord:
        accord.history.append(story.history)
        accord.runner.catch_up()
        return owed.ask(accord) if when is None else owed.ask(accord, when)


def disputes(folder: Path, story: Story) -> tuple[Disputed, ...]:
    return tuple(each for party in asked(folder, story).parties for each in party.disputes)


def test_an_open_dispute_is_named_with_what_it_holds_and_since_when(tmp_path: Path) -> None:
    story = after(OpenDispute)
    opened = example(OpenDispute)
    (found,) = disputes(tmp_path, story)

    assert (found.dispute, found.about, found.description) == (
        NAME,
        opened.subject,
        opened.description,
    )
    assert (found.since, found.mediator) == (story.now, None)
    assert found.amount == found.held == opened.amount
    assert set(found.turn) == {OURS, THEIRS}


def test_what_a_statement_has_is_disputed_and_not_on_hold(tmp_path: Path) -> None:
    story = under(share())
    sell(story, "D-1", usd("1000.00"))
    story.on("2026-04-02")
    state(story, "2026-Q1")
    disputed = usd("150.00")
    story.when(OURS, example(OpenDispute, subject="deal/D-1", amount=disputed, line=None))
    answer = asked(tmp_path, story)
    (found,) = (each for party in answer.parties for each in party.disputes)

    assert (found.amount, found.held) == (disputed, None)
    assert "150.00 USD for deal/D-1, nothing of it on hold" in printed(owed.text(answer))


def test_the_party_that_is_asked_to_end_a_dispute_has_the_turn(tmp_path: Path) -> None:
    story = after(OpenDispute)
    story.when(OURS, PROPOSE)
    answer = asked(tmp_path, story)
    (found,) = (each for party in answer.parties for each in party.disputes)

    assert (found.proposal, found.turn) == (PROPOSE.proposal, (THEIRS,))
    assert f"{THEIRS} answers proposal {PROPOSE.proposal} (AcceptResolution)." in printed(
        owed.text(answer)
    )


def test_after_a_refusal_both_have_the_turn_again(tmp_path: Path) -> None:
    story = after(OpenDispute)
    story.when(OURS, PROPOSE)
    refusal = DeclineProposal(
        within=f"dispute/{NAME}",
        agreement="Resolution",
        proposal=PROPOSE.proposal,
        reason="Too little.",
    )
    story.when(THEIRS, refusal)
    (found,) = disputes(tmp_path, story)

    assert (found.proposal, set(found.turn)) == (None, {OURS, THEIRS})


def test_a_mediator_is_named(tmp_path: Path) -> None:
    story = after(OpenDispute)
    story.when(OURS, StartMediation(dispute=NAME, mediator="Ada Ruiz"))
    (found,) = disputes(tmp_path, story)

    assert found.mediator == "Ada Ruiz"


@pytest.mark.parametrize("agreed", [True, False])
def test_a_dispute_that_ended_is_not_listed(tmp_path: Path, *, agreed: bool) -> None:
    story = after(OpenDispute)
    ends: list[tuple[str, Command]] = (
        [(OURS, PROPOSE), (THEIRS, AcceptResolution(dispute=NAME, proposal=PROPOSE.proposal))]
        if agreed
        else [(OURS, WithdrawDispute(dispute=NAME, reason="Settled."))]
    )
    for party, command in ends:
        story.when(party, command)

    assert disputes(tmp_path, story) == ()


def test_a_statement_that_is_to_be_paid_has_its_day_before_it_is_overdue(tmp_path: Path) -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    story.on("2026-02-01")
    state(story, "2026-01")
    answer = asked(tmp_path, story)
    (unpaid,) = (each for party in answer.parties for each in party.unpaid)

    assert (unpaid.payer, unpaid.payee, unpaid.left) == (OURS, THEIRS, usd("150.00"))
    assert (unpaid.statement, unpaid.is_overdue) == ("2026-01:USD", False)
    said = f"2026-01:USD: {OURS} owes {THEIRS} 150.00 USD, due on {unpaid.due_on}"
    assert said in " ".join(printed(owed.text(answer)).split())
