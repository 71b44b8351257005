"""One answer on every page, and no dead end.

Given the demo's store, whose portfolio, alerts, partnerships and money each person reads with a
key of its own, then two pages never say two things of one partnership, and no link leads to a
page that its reader may not see.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers.logs import AsOf
from infra.answers.owed import OWED
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.pages import shown
from infra.workers import Workers
from projections.visibility import Viewer
from tests.feeds import played

PAST = "?at=2026-09-21&known=2026-09-21"
ONE = "growthos-consulting"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Accord, Workers]]:
    with played(tmp_path_factory.mktemp("agree")) as accord:
        accord.catch_up()
        with accord.workers() as workers:
            yield accord, workers


@contextmanager
def signed_in(
    store: tuple[Accord, Workers], role: Role, party: str | None = None
) -> Iterator[TestClient]:
    """The browser of somebody who signed in with a key of a role."""
    accord, workers = store
    mandate = frozenset({ONE} if role is Role.AUDITOR else ())
    grant = Grant(role=role, party=party, actor="Nils Falk", partnerships=mandate)
    key = credentials.create(accord.history.credentials, grant, accord.clock()).key
    with TestClient(create_app(accord, workers), headers={"Accept": "text/html"}) as browser:
        token = re.search(r'name="form_token" value="([^"]+)"', browser.get("/sign-in").text)
        assert token
        browser.post("/sign-in", data={"key": key, "form_token": token[1]})
        yield browser


def plain(text: str) -> str:
    """The words of a page, with one space between them."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def row_of(page: str, partnership: str) -> str:
    """The words of the row of the portfolio that links to a partnership."""
    (found,) = [
        each for each in page.split("<tr") if f'<small class="quiet">{partnership}<' in each
    ]
    return plain(found)


# --- one answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "party"),
    [(Role.OPERATOR, None), (Role.PARTY, "growthos"), (Role.PARTY, "northbridge")],
)
def test_the_portfolio_counts_the_alerts_that_its_link_lists(
    store: tuple[Accord, Workers], role: Role, party: str | None
) -> None:
    with signed_in(store, role, party) as browser:
        for query in (PAST, ""):
            counted, listed = (
                counts(browser, f"/{each}{query}") for each in ("portfolio", "alerts")
            )
            assert counted == listed
        assert counts(browser, f"/alerts{PAST}") != ("0", "0")


def counts(browser: TestClient, address: str) -> tuple[str, ...]:
    """How many alerts a page says are to act on, and how many are reminders."""
    found = re.search(r"(\d+) to act on, (\d+) remind", browser.get(address).text)
    assert found
    return found.groups()


def test_both_parties_see_one_status_on_the_portfolio_and_the_day_of_the_partnership_page(
    store: tuple[Accord, Workers],
) -> None:
    seen = set()
    for party in ("growthos", "northbridge"):
        with signed_in(store, Role.PARTY, party) as browser:
            row = row_of(browser.get("/portfolio").text, ONE)
            moment = plain(browser.get(f"/partnerships/{ONE}").text)
        day = re.search(r"as of (\d+ \w+ \d+)", row)
        assert day
        assert f"Deadlines are compared with {day[1]}" in moment
        seen.add((day[1], "Off track" in row, "At risk" in row, "Missed" in row))

    assert len(seen) == 1


def test_the_clerk_reads_the_sums_of_accord_owed(store: tuple[Accord, Workers]) -> None:
    (owed,) = OWED.reply(store[0], when=AsOf(viewer=Viewer("growthos"))).parties
    with signed_in(store, Role.PARTY, "growthos") as browser:
        page = plain(browser.get("/money").text)
        linked = browser.get("/portfolio").text

    assert 'href="/money"' in linked
    for each in owed.total:
        assert plain(shown.money(each.owe_unstated, each.currency)) in page
    for one in owed.unpaid:
        assert plain(shown.money(one.left.amount, one.left.currency)) in page
        assert f"{one.due_on.day} {one.due_on:%b %Y}" in page


# --- no dead end -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "party"),
    [
        (Role.OPERATIONS, None),
        (Role.OPERATOR, None),
        (Role.AUDITOR, None),
        (Role.PARTY, "growthos"),
        (Role.PARTY, "northbridge"),
    ],
)
def test_no_link_leads_to_what_its_reader_may_not_see(
    store: tuple[Accord, Workers], role: Role, party: str | None
) -> None:
    with signed_in(store, role, party) as browser:
        assert "Sign out" in browser.get("/alerts").text
        followed = list(_followed(browser, "/alerts"))

    # The operations team sees the list of alerts, and no page of a partnership.
    assert len(followed) == 3 if role is Role.OPERATIONS else len(followed) > 40
    assert [each for each in followed if each.status >= 400] == []


class Followed(NamedTuple):
    """A link, the page that has it, and what it led to."""

    found_on: str
    address: str
    status: int


def _followed(browser: TestClient, first: str) -> Iterator[Followed]:
    """Follow all links, and yield each."""
    waiting, seen = [(first, "")], {_shape(first)}
    while waiting:
        address, found_on = waiting.pop()
        answer = browser.get(address)
        yield Followed(found_on, address, answer.status_code)
        for link in map(unescape, re.findall(r'<a [^>]*href="(/[^"#]*)', answer.text)):
            if _shape(link) not in seen:
                seen.add(_shape(link))
                waiting.append((link, address))


def _shape(link: str) -> str:
    """Every page of the latest view, and of many alike (a form, a past day, a period) one each."""
    path = urlsplit(link).path
    past = "?known" if "known=" in link or "at=" in link else ""
    return re.sub(r"/(send|statements|problems)/.*", r"/\1", path) + past
