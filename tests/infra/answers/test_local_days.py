"""A day that a person reads is one of the agreement's time zone, wherever it is read.

The story: the agreement's days are those of Tokyo. All of this happens at 20:00 UTC of 10 May,
which is 11 May in Tokyo. So 10 May is nowhere a day; it is only the day of a moment in UTC.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import pytest

from domain.dispute import OpenDispute
from domain.execution import IssueCause, RaiseIssue
from domain.health import IdentifyRisk
from domain.kernel import Command, Refused
from domain.referral import CreateOpportunity
from domain.sale import LoseDeal, WinDeal
from domain.settlement import IssueStatement
from infra.answers import explain, kpis, review
from infra.answers.logs import AsOf
from infra.answers.table import QUESTIONS
from infra.answers.text import Block
from infra.bootstrap import Accord
from projections.visibility import OPERATOR
from tests.feeds import simulated
from tests.infra.answers.helpers import printed
from tests.infra.answers.small_stories import log
from tests.life import OURS, example, usd
from tests.projections.money import pay, refer, refund, share, under, win
from tests.stories import Story

NAME: Final = "tokyo"
UTC_DAY: Final = "2026-05-10"
HERE: Final = date(2026, 5, 11)

AS_A_DAY: Final = re.compile(rf"{UTC_DAY}(?! \d\d:\d\d|T\d\d:)")
"""The day of UTC, where it is not the beginning of a moment."""


def evening() -> Story:
    """Return a story whose last events all happen on that evening."""
    story = under(share("15"), time_zone="Asia/Tokyo")
    story.on("2026-04-02")
    story.when(OURS, example(IdentifyRisk))
    for deal in ("D-1", "D-2"):
        refer(story, deal)
    win(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-1", usd("500.00"))
    story.on("2026-05-02")
    story.when(OURS, IssueStatement(period="2026-04"))
    story.on(f"{UTC_DAY}T20:00")
    refer(story, "D-3")
    win(story, "D-3", usd("900.00"))
    pay(story, "D-3", "P-3", usd("100.00"))
    refund(story, "D-3", "P-3", usd("10.00"))
    story.when(OURS, CreateOpportunity(deal="D-2"))
    story.when(OURS, LoseDeal(deal="D-2", reason="They chose another."))
    story.when(OURS, example(RaiseIssue))
    story.when(
        OURS,
        OpenDispute(
            dispute="late", cause=IssueCause.MONEY, subject="deal/D-3", amount=usd("5.00"),
            description="The amount is another.",
        ),
    )  # fmt: skip
    return story


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with simulated(tmp_path_factory.mktemp("tokyo")) as found:
        found.history.append(log({NAME: evening()}))
        found.runner.catch_up()
        yield found


ASKED: Final[dict[str, dict[str, Any]]] = {
    "alerts": {},
    "kpis": {"id": NAME},
    "owed": {},
    "portfolio": {},
    "review": {"id": NAME},
    "search": {"words": "They chose another"},
    "show": {"id": NAME},
    "statement": {"id": NAME, "period": "2026-05"},
    "statements": {"id": NAME},
    "history": {"id": NAME},
    "inbox": {},
}


@pytest.mark.parametrize("name", ASKED)
def test_an_answer_has_the_days_of_the_agreement(accord: Accord, name: str) -> None:
    (question,) = (each for each in QUESTIONS if each.name == name)
    answer = question.ask(accord, **ASKED[name], when=AsOf(viewer=OPERATOR))

    assert_days(question.text(answer))


def assert_days(blocks: Iterator[Block]) -> None:
    shown = printed(blocks)
    assert [line for line in shown.splitlines() if AS_A_DAY.search(line)] == []


def test_the_answers_show_the_day_of_the_agreement(accord: Accord) -> None:
    """The walk above would pass an answer that shows no day at all."""
    by_name = {each.name: each for each in QUESTIONS}
    for name in ("alerts", "owed", "review", "search"):
        question = by_name[name]
        answer = question.ask(accord, **ASKED[name], when=AsOf(viewer=OPERATOR))
        assert f"{HERE}" in printed(question.text(answer)), name


def test_an_explanation_has_the_days_of_the_agreement(accord: Accord) -> None:
    for of in ("deal/D-3", "statement/2026-04:USD", "leads/2026-Q2"):
        found = explain.ask(accord, f"{NAME}/{of}")
        assert_days(explain.text(found))


@pytest.mark.parametrize(
    ("party", "command"),
    [
        (OURS, LoseDeal(deal="D-2", reason="Again.")),
        (OURS, WinDeal(deal="D-3", annual_contract_value=usd("1.00"))),
        (OURS, WinDeal(deal="D-2", annual_contract_value=usd("1.00"))),
    ],
)
def test_a_refusal_names_the_day_of_the_agreement(party: str, command: Command) -> None:
    story = evening()
    story.wait(days=2)
    with pytest.raises(Refused) as refused:
        story.when(party, command)

    assert f"{HERE}" in refused.value.detail
    assert not AS_A_DAY.search(refused.value.detail)


@pytest.mark.parametrize(
    ("moment", "over"), [("2026-05-31T23:59Z", False), ("2026-06-01T00:00Z", True)]
)
def test_a_month_is_over_in_the_zone_that_was_agreed_first_in_which_it_is_counted(
    accord: Accord, moment: str, *, over: bool
) -> None:
    """The first terms of the story count in UTC; a later zone changes no month."""
    when = AsOf(at=datetime.fromisoformat(moment))

    assert {each.is_over for each in kpis.ask(accord, NAME, "2026-05", when).figures} == {over}
    assert review.ask(accord, NAME, period="2026-05", when=when).is_over is over
