"""Sessions of a browser: begun with a key once, ended with it, and of no use to any other site.

The story: Maya of growthos pastes her API key into the sign-in page. From then on the pages know
her by a cookie, until she signs out, the operator revokes her key, or the day is over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from infra.access import credentials, sessions
from infra.access.attempts import MOST
from infra.access.credentials import Grant, NewKey
from infra.access.invitations import invite
from infra.access.roles import Role
from infra.access.sessions import OF_KEY
from infra.bootstrap import Accord, bootstrap, init
from infra.http import create_app
from infra.settings import HttpLimits, Settings
from infra.store.history import History
from infra.workers import Workers
from tests.infra.messages import beginning

OURS = "growthos-brightpath"
BROWSER = {"Accept": "text/html"}


@dataclass
class Site:
    """A store whose pages are served, with a key of Maya's."""

    accord: Accord
    workers: Workers
    maya: NewKey

    def browser(self, address: str = "http://testserver", **limits: str) -> TestClient:
        """A browser without cookies, which follows no redirection."""
        app = create_app(self.accord, self.workers, limits=HttpLimits.model_validate(limits))
        return TestClient(app, address, headers=BROWSER, follow_redirects=False)

    def signed_in(self) -> TestClient:
        browser = self.browser()
        assert signs_in(browser, self.maya.key).status_code == 303
        return browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle([beginning(OURS)])
        accord.catch_up()
        grant = Grant(role=Role.PARTY, party="growthos", actor="maya.ortiz")
        maya = credentials.create(accord.history.credentials, grant, accord.clock())
        yield Site(accord, workers, maya)


def token_of(page: Response) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found
    return found[1]


def signs_in(browser: TestClient, key: str, to: str = "/") -> Response:
    token = token_of(browser.get("/sign-in"))
    found: Response = browser.post(
        "/sign-in", data={"key": key, "to": to, "form_token": token}, headers=BROWSER
    )
    return found


# --- signing in --------------------------------------------------------------------------------


def test_a_person_pastes_a_key_once_and_every_page_knows_them(site: Site) -> None:
    browser = site.browser()

    asked = browser.get("/alerts?at=2026-03-01")
    shown = browser.get(asked.headers["location"])
    answer = browser.post(
        "/sign-in",
        data={"key": site.maya.key, "to": "/alerts?at=2026-03-01", "form_token": token_of(shown)},
    )
    page = browser.get(answer.headers["location"])

    assert asked.status_code == 303
    assert answer.headers["location"] == "/alerts?at=2026-03-01"
    assert page.status_code == 200
    assert "Viewing as <strong>GrowthOS</strong>, <strong>maya.ortiz</strong>" in page.text
    assert page.headers["cache-control"] == "private, no-store"


def test_the_root_leads_to_the_first_page_of_who_is_signed_in_and_to_the_sign_in_else(
    site: Site,
) -> None:
    operations = credentials.create(
        site.accord.history.credentials,
        Grant(role=Role.OPERATIONS, actor="pager"),
        site.accord.clock(),
    )
    pager = site.browser()
    signs_in(pager, operations.key)

    assert site.browser().get("/").headers["location"] == "/sign-in"
    assert site.signed_in().get("/").headers["location"] == "/portfolio"
    assert pager.get("/").headers["location"] == "/alerts"
    assert "/portfolio" not in pager.get("/alerts").text.split("<main")[0].split("<nav")[1]


def test_a_wrong_key_is_said_in_place_and_counts_against_its_address(site: Site) -> None:
    browser = site.browser()

    found = [signs_in(browser, "accord_000000000000_" + "a" * 43) for _ in range(MOST + 1)]

    assert [each.status_code for each in found] == [401] * MOST + [429]
    assert 0 < int(found[-1].headers["retry-after"]) <= 60
    assert "There is no such API key." in found[0].text
    assert "accord_session" not in browser.cookies


def test_an_invitation_begins_no_session(site: Site) -> None:
    made = invite(site.accord.history.credentials, "north", "ops", site.accord.clock())

    found = signs_in(site.browser(), made.key)

    assert found.status_code == 403
    assert "accord keys enrol" in found.text


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_signing_in_leads_to_no_other_site(site: Site, to: str) -> None:
    assert signs_in(site.browser(), site.maya.key, to).headers["location"] == "/"


# --- the cookie --------------------------------------------------------------------------------


def test_no_script_reads_the_cookie_and_no_other_site_sends_it_with_a_form(site: Site) -> None:
    cookie = signs_in(site.browser(), site.maya.key).headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "expires=" in cookie
    assert "secure" not in cookie


def test_behind_a_proxy_with_tls_the_cookie_never_goes_unencrypted(site: Site) -> None:
    proxied = site.browser(proxies="testclient")
    proxied.headers["X-Forwarded-Proto"] = "https"
    token = token_of(shown := proxied.get("/sign-in"))
    secret = shown.headers["set-cookie"].partition(";")[0]

    found = proxied.post(
        "/sign-in",
        data={"key": site.maya.key, "form_token": token},
        headers={"Cookie": secret},
    )

    assert found.status_code == 303
    assert found.headers["set-cookie"].startswith("__Host-accord_session=")
    assert "secure" in found.headers["set-cookie"].lower()


def test_only_a_listed_proxy_is_believed_that_it_has_tls(site: Site) -> None:
    browser = site.browser()
    browser.headers["X-Forwarded-Proto"] = "https"

    assert signs_in(browser, site.maya.key).headers["set-cookie"].startswith("accord_session=")


def test_the_store_has_no_secret_of_a_session(site: Site, tmp_path: Path) -> None:
    browser = site.signed_in()
    secret = browser.cookies["accord_session"]

    written = b"".join(each.read_bytes() for each in tmp_path.iterdir())

    assert site.maya.credential.id.encode() in written
    assert secret.encode() not in written


def test_the_api_takes_no_session(site: Site) -> None:
    browser = site.signed_in()

    assert browser.get("/portfolio").status_code == 200
    assert browser.get("/v1/portfolio").status_code == 401
    assert browser.post("/v1/events", json={}).status_code == 401


# --- its end -----------------------------------------------------------------------------------


def ended(browser: TestClient) -> bool:
    return browser.get("/portfolio").headers.get("location", "").startswith("/sign-in")


def test_a_revoked_key_ends_its_sessions_at_once(site: Site) -> None:
    browser = site.signed_in()
    assert not ended(browser)

    credentials.revoke(
        site.accord.history.credentials, site.maya.credential.id, site.accord.clock()
    )

    assert ended(browser)


def test_signing_out_ends_the_session_everywhere(site: Site) -> None:
    browser, other = site.signed_in(), site.browser()
    other.cookies.update(browser.cookies)
    token = token_of(browser.get("/portfolio"))
    assert not ended(other)

    answer = browser.post("/sign-out", data={"form_token": token})

    assert answer.headers["location"] == "/sign-in"
    assert "accord_session" not in browser.cookies
    assert ended(other)


def test_signing_in_again_ends_the_session_that_the_browser_had(site: Site) -> None:
    browser, before = site.signed_in(), site.browser()
    before.cookies.update(browser.cookies)

    signs_in(browser, site.maya.key)

    assert not ended(browser)
    assert ended(before)


def test_a_session_ends_after_a_working_day_and_not_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, began = site.signed_in(), site.accord.clock()

    def at(since: timedelta) -> None:
        monkeypatch.setattr(Accord, "clock", lambda _: began + since, raising=False)

    at(OF_KEY - timedelta(minutes=1))
    assert not ended(browser)
    at(OF_KEY + timedelta(minutes=1))
    assert ended(browser)


def test_expired_sessions_leave_the_store(store: History) -> None:
    now = datetime(2026, 11, 28, 9, tzinfo=UTC)
    grant = Grant(role=Role.PARTY, party="growthos", actor="maya.ortiz")
    key = credentials.create(store.credentials, grant, now).credential
    first = sessions.of_key(store.sessions, key, now)
    hashed = sha256(first.secret.encode()).digest()
    assert store.sessions.get(hashed)

    sessions.of_key(store.sessions, key, now + OF_KEY + timedelta(seconds=1))

    assert store.sessions.get(hashed) is None


# --- forms of other sites ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_form_without_the_token_of_this_browser_does_nothing(site: Site, path: str) -> None:
    browser, stranger = site.signed_in(), site.browser()
    foreign = token_of(stranger.get("/sign-in"))

    for token in ("", foreign):
        found = browser.post(path, data={"key": site.maya.key, "form_token": token})
        assert found.status_code == 400
        assert "of another site" in found.text
    assert not ended(browser)


def test_what_somebody_planted_in_a_browser_before_its_person_signs_in_is_of_no_use(
    site: Site,
) -> None:
    browser, thief = site.browser(), site.browser()
    for each in (browser, thief):
        each.cookies.set("accord_session", "planted", domain="testserver.local")
    known = token_of(thief.get("/sign-in"))
    assert token_of(browser.get("/sign-in")) == known

    signs_in(browser, site.maya.key)

    assert not ended(browser)
    assert ended(thief)
    found = browser.post("/sign-out", data={"form_token": known})
    assert found.status_code == 400
    assert not ended(browser)


def test_the_token_of_a_form_is_of_one_session_alone(site: Site) -> None:
    one, other = site.signed_in(), site.signed_in()

    found = one.post("/sign-out", data={"form_token": token_of(other.get("/portfolio"))})

    assert found.status_code == 400
    assert not ended(one)
    assert not ended(other)


def test_a_page_asks_for_a_session_and_data_for_a_key(site: Site) -> None:
    browser = site.browser()

    assert browser.get("/portfolio").status_code == 303
    assert browser.get("/portfolio.json", headers={"Accept": "*/*"}).status_code == 401
