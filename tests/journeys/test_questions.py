"""Ten questions of users: a page, a command and a route give each the same answer.

`docs/questions.md` lists them. Its table is the test.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final, NamedTuple

import pytest
from starlette.testclient import TestClient

from infra.http import create_app
from tests.documents import REPOSITORY
from tests.feeds import played
from tests.journeys import typed

PAGE: Final = REPOSITORY / "docs/questions.md"
ID: Final = "growthos-consulting"


class Asked(NamedTuple):
    """A row of the table."""

    question: str
    page: str
    command: str
    route: str
    answer: str

    @property
    def words(self) -> list[str]:
        """What is in each of the three answers."""
        return re.findall(r"`([^`]+)`", self.answer)


def rows() -> list[Asked]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [[each.strip() for each in line.strip("|").split("|")] for line in lines if "`" in line]
    return [Asked(*map(_address, each)) for each in cells if len(each) == len(Asked._fields)]


def _address(cell: str) -> str:
    """A cell that is one address or command, without its marks; any other as it is."""
    whole = re.fullmatch(r"`([^`]*\bID\b[^`]*|/[^`]*|accord [^`]*)`", cell)
    return whole[1].replace("ID", ID) if whole else cell


class Ways(NamedTuple):
    """How the demo's store is asked."""

    client: TestClient
    store: str


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("questions")
    with played(folder) as accord, accord.workers() as workers:
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as client:
            yield Ways(client, f"sqlite:///{folder}/accord.db")


def plain(text: str) -> str:
    """Text without markup, without marks between thousands, with one space where it has any."""
    words = unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(re.sub(r"(?<=\d),(?=\d{3})", "", words).split())


def test_there_are_ten_questions() -> None:
    assert len(rows()) == 10
    assert all(each.words for each in rows())


@pytest.mark.parametrize("asked", rows(), ids=lambda each: each.question)
def test_a_page_a_command_and_a_route_give_the_same_answer(
    asked: Asked, ways: Ways, accord: typed.Accord
) -> None:
    page = ways.client.get(asked.page)
    route = ways.client.get(asked.route)
    _, *arguments = asked.command.split()
    command = accord(*arguments, "--store", ways.store, columns=1000)

    assert (page.status_code, route.status_code, command.code) == (200, 200, 0)
    texts = {"page": page.text, "route": route.text, "command": command.out}
    missing = [
        (way, word)
        for way, text in texts.items()
        for word in asked.words
        if word not in plain(text)
    ]
    assert missing == []
