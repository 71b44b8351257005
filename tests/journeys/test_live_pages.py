"""A page says that there are new facts, and never moves by itself.

The story: Boris of Brightpath has the inbox open. Meanwhile his colleague accepts the terms that
await them. The inbox says that there are new facts; when he reloads it, the terms are gone from it.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import orjson
import pytest
from playwright.sync_api import Browser

from benchmarks.pages import served
from tests.infra.signing import NAME
from tests.journeys.test_acting_from_pages import terms_proposed
from tests.life import THEIRS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("browser")]

LINE = "There are new facts. Reload"

EVERY = 30_000
"""Milliseconds after which a page asks again."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    with terms_proposed(tmp_path) as accord, served(accord) as address:
        yield address


def accept(site: str) -> None:
    waiting = httpx2.get(f"{site}/inbox.json?party={THEIRS}").json()["items"]
    (event,) = (
        each
        for item in waiting
        for each in item["events"]
        if each["type"] == "accord.AcceptTerms" and each["party"] == THEIRS
    )
    sent = {
        "specversion": "1.0",
        "id": "accept-1",
        "source": "//test",
        "type": event["type"],
        "subject": NAME,
        "party": THEIRS,
        "actor": "Bea",
        "time": "2026-11-01T12:00:00Z",
        "data": event["data"],
    }
    answer = httpx2.post(
        f"{site}/v1/events",
        content=orjson.dumps(sent),
        headers={"Content-Type": "application/cloudevents+json"},
    )
    assert answer.status_code < 300, answer.text


def test_an_open_page_says_when_it_can_not_ask_the_server(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.clock.install()
    with page.expect_response(lambda each: each.url.endswith("/inbox.json")):
        page.goto(f"{site}/inbox")
    said = page.get_by_text("This page can no longer ask")

    page.route("**/inbox.json", lambda each: each.abort())
    with page.expect_event("requestfailed"):
        page.clock.run_for(EVERY)
    said.wait_for()

    page.unroute("**/inbox.json")
    with page.expect_response(lambda each: each.url.endswith("/inbox.json")):
        page.clock.run_for(EVERY)
    said.wait_for(state="hidden")
    assert not page.get_by_text("There are new facts.").is_visible()
    page.close()


@pytest.mark.parametrize("path", ["/inbox", "/portfolio"])
def test_an_open_page_says_that_there_are_new_facts(browser: Browser, site: str, path: str) -> None:
    page = browser.new_page()
    page.clock.install()
    with page.expect_response(lambda each: each.url.endswith(f"{path}.json")):
        page.goto(site + path)
    before = page.locator("main").inner_text()
    said = page.get_by_text("There are new facts.")
    page.clock.run_for(EVERY)
    page.wait_for_load_state("networkidle")
    assert not said.is_visible()

    accept(site)
    with page.expect_response(lambda each: each.url.endswith(f"{path}.json")):
        page.clock.run_for(EVERY)
    said.wait_for()

    assert (
        page.locator("main").inner_text().replace(said.inner_text(), "").split() == before.split()
    )
    page.get_by_role("link", name="Reload").click()
    page.wait_for_load_state()
    assert not page.get_by_text("There are new facts.").is_visible()
    page.close()
