"""Monday's five questions in docs/monday.md: one command each, and the route with its answer."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fastapi.testclient import TestClient

from infra.bootstrap import bootstrap
from infra.http import create_app
from infra.settings import Settings
from tests.documents import REPOSITORY
from tests.feeds import played
from tests.journeys.typed import Accord

PAGE = REPOSITORY / "docs" / "monday.md"
ROW = re.compile(
    r"(?m)^\| (?P<question>[^|]+\?) \| `accord (?P<typed>[^`]+)` \| `(?P<route>[^`]+)` \|$"
)


class Question(NamedTuple):
    """One of the questions: what is typed, and what is asked over HTTP."""

    text: str
    typed: list[str]
    route: str


QUESTIONS = [
    Question(found["question"], shlex.split(found["typed"]), found["route"])
    for found in ROW.finditer(PAGE.read_text(encoding="utf-8"))
]

NAMED = {
    "What waits for us, and what is due?": {
        '"awaiting":"consent"': "a proposal waits",
        '"awaiting":"overdue"': "something is overdue",
        '"day":"2026-09-30","awaiting":"claim"': "the last day to answer a claim",
        '"day":"2026-09-23","awaiting":"due"': "a review of this week is due",
    },
    "Who is off track, and why?": {
        "leads: 5 of 20 by 2026-12-31": "the objective and its reason",
        "northbridge brought 8 of 10 referrals": "the breach",
    },
    "What did each bring, against its target?": {
        '"reached_percent":"52.08"': "what was reached of the target of the quarter to date",
        '"reached_percent":"140.00"': "the same of the other partner",
        '"month_before":"2"': "the month before",
        '"month_reached_percent":"29.50"': "what was reached of the target of the month",
    },
    "What is owed, overdue and disputed?": {
        '"owe_overdue":"1794.83"': "what is overdue",
        '"disputed":"450.00"': "what is disputed with all partners",
        '"unstated_since":"2026-07"': "since when something earned is on no statement",
        '"statement":"2026-08:USD"': "the statement that is overdue",
        '"dispute":"credit","opened_by":"growthos"': "the dispute, and who opened it",
        '"since":"2026-09-16': "since when it is open",
        '"held":{"amount":"200.00","currency":"USD"}': "what is on hold",
        '"turn":["growthos","harbourlight"]': "whose turn it is",
    },
    "How is the relationship, and who is who?": {
        '"communication":-2': "a health check that fell",
        "Femke Visser": "the manager in office",
        "The school signed after the webinar": "the open dispute",
    },
}
"""What each answer must have, and what that says."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of the demo's store."""
    folder: Path = tmp_path_factory.mktemp("monday")
    with played(folder) as store:
        store.runner.catch_up()
    return f"sqlite:///{folder}/accord.db"


@pytest.fixture(scope="module")
def client(demo: str) -> Iterator[TestClient]:
    with (
        bootstrap(Settings(store=demo)) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


def test_the_page_has_the_five_questions() -> None:
    assert [each.text for each in QUESTIONS] == [*NAMED]


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda each: each.text)
def test_a_question_of_monday_has_one_command_and_a_route_with_the_same_answer(
    accord: Accord, demo: str, client: TestClient, asked: Question
) -> None:
    answer = client.get(asked.route)
    ran = accord(*asked.typed, "--json", "--store", demo)

    assert (ran.code, answer.status_code) == (0, 200), ran.err or answer.text
    assert ran.out == f"{answer.text}\n"
    assert {what for text, what in NAMED[asked.text].items() if text not in answer.text} == set()
