"""The pages of a partner's own person, in a real browser: its side, and nothing of the other's.

Two stories. Boris of Brightpath is asked to accept terms. Ana of Aurora Films reads what her firm
owes and is owed, and disputes a line that it pays. Both sign in with a key of their own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.pages import served
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.bootstrap import Accord
from tests.feeds import played
from tests.infra.signing import NAME
from tests.journeys.test_acting_from_pages import BORIS, terms_proposed
from tests.journeys.test_pages import NARROW, opened, plain, sign_in

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("browser")]

ANA = Grant(role=Role.PARTY, party="aurora-films", actor="Ana Reis")
OURS = "aurora-series"
STATEMENT = f"/partnerships/{OURS}/statements/2026-Q1:USD"


class Door(NamedTuple):
    """The address of a server that asks for keys, and a person's key."""

    site: str
    key: str


def door(accord: Accord, grant: Grant, site: str) -> Door:
    return Door(site, credentials.create(accord.history.credentials, grant, accord.clock()).key)


@pytest.fixture
def of_boris(tmp_path: Path) -> Iterator[Door]:
    with terms_proposed(tmp_path) as accord, served(accord, is_open=False) as site:
        yield door(accord, BORIS, site)


@pytest.fixture(scope="module")
def of_ana(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with played(tmp_path_factory.mktemp("partner")) as accord:
        accord.catch_up()
        with served(accord, is_open=False) as site:
            yield door(accord, ANA, site)


def main(page: Page) -> str:
    return plain(page.locator("main").inner_text())


def test_a_partner_signs_in_and_accepts_the_terms_that_await_it(
    browser: Browser, of_boris: Door
) -> None:
    with opened(browser, of_boris.site, "/", scripts=False) as page:
        sign_in(page, of_boris.key)
        assert "Viewing as Brightpath, Boris Brandt" in plain(page.locator("header").inner_text())

        page.get_by_role("link", name="Inbox").click()
        page.get_by_role("link", name="Accept terms").click()

        assert "You act for Brightpath." in main(page)
        assert "12 %" in page.get_by_label("What you answer").inner_text()

        # The terms begin after the latest record, which is the time of a simulated store.
        page.get_by_label("When it happened").fill("2026-02-01T09:00:00")
        page.get_by_role("button", name="Accept terms").click()

        assert "Recorded." in main(page)
        page.goto(f"{of_boris.site}/partnerships/{NAME}")
        assert "12 %" in main(page)
        assert "Terms in force" in main(page)


def test_a_partner_sees_its_own_partnership_and_what_it_owes_and_is_owed(
    browser: Browser, of_ana: Door
) -> None:
    with opened(browser, of_ana.site, "/", scripts=False) as page:
        sign_in(page, of_ana.key)
        names = page.locator("tbody tr th a").all_inner_texts()
        assert [plain(each) for each in names] == ["Aurora Films × Helio Plus"]

        page.get_by_role("link", name="Money").click()

        assert "What Aurora Films owes and is owed" in main(page)
        assert "What Helio Plus owes" not in main(page)


def test_a_partner_disputes_a_line_that_it_pays(browser: Browser, of_ana: Door) -> None:
    with opened(browser, of_ana.site, f"/sign-in?to={STATEMENT}", scripts=False) as page:
        sign_in(page, of_ana.key)
        page.get_by_role("link", name="Dispute line 49.1").click()
        page.get_by_label("Description").fill("We brought this client ourselves.")

        page.get_by_role("button", name="Open dispute").click()

        assert "Recorded." in main(page)
        page.goto(of_ana.site + STATEMENT)
        row = page.locator("tbody tr", has_text="49.1")
        assert "In dispute" in row.first.inner_text()


def test_a_partner_sees_nothing_of_other_partnerships_or_of_the_other_side(
    browser: Browser, of_ana: Door
) -> None:
    pages = ("/portfolio", "/alerts", "/money", "/inbox", "/inputs", f"/partnerships/{OURS}")
    with opened(browser, of_ana.site, "/", scripts=False) as page:
        sign_in(page, of_ana.key)
        for path in (*pages, "/search?words=northbridge"):
            page.goto(of_ana.site + path)
            assert "Northbridge Advisory" not in page.content(), path
            assert "Lumastream" not in page.content(), path

        answer = page.goto(f"{of_ana.site}/partnerships/growthos-consulting")

        assert answer is not None
        assert answer.status in {403, 404}
        assert "GrowthOS × Northbridge" not in page.content()


def test_the_search_has_room_beside_the_viewers_name_on_a_phone(
    browser: Browser, of_ana: Door
) -> None:
    with opened(browser, of_ana.site, "/", NARROW) as page:
        sign_in(page, of_ana.key)

        box = page.get_by_role("searchbox", name="Search").bounding_box()

        assert box is not None
        assert box["width"] >= 150
