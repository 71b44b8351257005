"""The first pages at many partnerships: a page of the list at a time, and the figures of all.

Given more partnerships than fit on one page, when somebody reads one page after another, then each
partnership is listed once, in the order of need, below the same figures; and each item of the inbox
is listed once, below the number of all.
"""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from benchmarks.feed import FORMING, feed
from infra.answers import question
from infra.answers.inbox import INBOX
from infra.answers.portfolio import PORTFOLIO
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.pages import inbox, portfolio
from tests.feeds import simulated

PARTNERSHIPS = 5


def read(accord: Accord, address: str = "/portfolio") -> list[str]:
    """Return the pages of the list, from the one at an address on."""
    pages = []
    with accord.workers() as workers, TestClient(create_app(accord, workers, is_open=True)) as http:
        while True:
            pages.append(http.get(address).text)
            following = re.search(r'<a href="([^"]+)">Next page</a>', pages[-1])
            if following is None:
                return pages
            address = following[1].replace("&amp;", "&")


def listed(text: str) -> list[str]:
    return re.findall(r'<small class="quiet">(partner-\d+)</small>', text)


def strip(text: str) -> str:
    found = re.search(r'<dl class="strip">.*?</dl>', text, re.DOTALL)
    assert found is not None
    return found[0]


def test_every_partnership_is_on_one_page_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(list(feed(PARTNERSHIPS * (FORMING + 1), PARTNERSHIPS)))
        accord.catch_up()
        (whole,) = read(accord)
        monkeypatch.setattr(portfolio, "SHOWN", 2)
        pages = read(accord)
        (answer,) = PORTFOLIO.reply(accord).portfolios

    assert [len(listed(each)) for each in pages] == [2, 2, 1]
    assert [name for each in pages for name in listed(each)] == listed(whole)
    assert set(listed(whole)) == {each.id for each in answer.partners}
    assert {strip(each) for each in pages} == {strip(whole)}
    assert "3 to 4 of 5" in pages[1]
    assert "of 5" not in whole.split("<table", 1)[1].split("</caption>", 1)[0]


def test_every_item_of_the_inbox_is_on_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(list(feed(PARTNERSHIPS * (FORMING + 1), PARTNERSHIPS)))
        accord.catch_up()
        items = INBOX.reply(accord).items
        monkeypatch.setattr(inbox, "SHOWN", 2)
        monkeypatch.setattr(question, "LONGEST_PAGE", 2)
        pages = read(accord, "/inbox")
        with accord.workers() as workers:
            http = TestClient(create_app(accord, workers, is_open=True))
            as_json, as_csv = http.get("/inbox.json").json(), http.get("/inbox.csv").text

    rows = [re.findall(r'<tr><td><span class="state', each) for each in pages]
    assert [len(each) for each in rows] == [2, 2, 1]
    assert len(items) == PARTNERSHIPS
    assert all(f"<strong>{len(items)} items await" in each for each in pages)
    assert as_json["items"] == [each.model_dump(mode="json") for each in items]
    assert len(as_csv.splitlines()) == 1 + len(items)


def test_an_unknown_place_in_the_list_is_its_beginning(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(list(feed(2 * (FORMING + 1), 2)))
        accord.catch_up()
        (first,) = read(accord)
        (other,) = read(accord, "/portfolio?after=nobody")

    assert listed(other) == listed(first) != []
