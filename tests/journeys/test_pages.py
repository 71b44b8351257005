"""The pages, in a real browser: what each of the four people came for, seen in the first view.

A server of the demo's store runs in a thread of this process, and Chromium looks at it.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal, NamedTuple

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request

from benchmarks.pages import served
from domain.charter import ObjectiveStatus
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers.inbox import Awaiting
from infra.answers.next import Met
from infra.answers.statement_state import State
from infra.http.pages import shown
from tests.feeds import played
from tests.journeys.pages import ANSWERS, ONE, PAST, addresses
from tests.journeys.pdf import pages_of

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("browser")]

PAGES = {
    "portfolio": f"/portfolio?{PAST}",
    "history": ANSWERS["/partnerships/{id}/history"],
    "statement": ANSWERS["/partnerships/{id}/statements/{period}"],
    "alerts": f"/alerts?{PAST}",
}
"""The pages of the four people."""

WIDE, NARROW = (1400, 900), (390, 844)
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


class Closed(NamedTuple):
    """The address of a server that asks for keys, and two keys."""

    site: str
    party: str
    operator: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the demo's store."""
    with played(tmp_path_factory.mktemp("pages")) as accord:
        accord.catch_up()
        with served(accord) as address:
            yield address


SCREENSHOTS: Final = os.environ.get("ACCORD_SCREENSHOTS")
"""The folder in which a picture of each page is kept that a journey ends on; none without it."""


def _keep(page: Page, width: int, scheme: str) -> None:
    test = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].removesuffix(" (call)")
    test = re.sub(r"[^a-z0-9]+", "-", test.lower())
    path = Path(SCREENSHOTS or "") / f"{test.strip('-')}-{width}-{scheme}.png"
    page.screenshot(path=path, full_page=True)


@contextmanager
def opened(
    browser: Browser,
    site: str,
    path: str,
    size: tuple[int, int] = WIDE,
    scheme: str = "light",
    *,
    scripts: bool = True,
) -> Iterator[Page]:
    """Open a page, and check that it asks no other host and breaks no rule of its own policy."""
    outside: list[str] = []
    errors: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((site, "data:")):
            outside.append(request.url)

    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
    )
    page = context.new_page()
    page.on("request", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None,
    )
    page.goto(site + path)
    try:
        yield page
        if SCREENSHOTS:
            _keep(page, size[0], scheme)
        assert outside == []
        assert errors == []
    finally:
        context.close()


# --- the four people ---------------------------------------------------------------------------


def test_a_lead_sees_which_partnership_needs_her_and_why(browser: Browser, site: str) -> None:
    with opened(browser, site, PAGES["portfolio"], scripts=False) as page:
        row = page.locator("tbody tr", has_text="growthos-harbourlight")

        assert (
            "5 of 6 running partnerships are not on track" in page.locator(".verdict").inner_text()
        )
        assert "Off track" in page.locator("tbody tr").first.inner_text()
        assert "Off track" in row.inner_text()
        assert "5 of 20" in row.inner_text()

        row.get_by_role("link", name="GrowthOS × Harbourlight Services").click()

        assert page.locator("h1").inner_text() == "GrowthOS × Harbourlight Services"
        assert "at=2026-09-21" in page.url
        assert "Past view" in page.locator(".moment").inner_text()


def test_an_auditor_sees_late_facts_and_what_a_statement_said_before_them(
    browser: Browser, site: str
) -> None:
    with opened(browser, site, PAGES["history"], scripts=False) as page:
        assert page.locator("svg .slant").count() == 3
        late = page.locator("#late").locator("xpath=ancestor::table").inner_text()
        assert "Received 12,500.00 USD on deal ref-0011" in plain(late)

    with opened(browser, site, f"/partnerships/{ONE}/statements/2026-Q2") as page:
        days = page.get_by_role("region", name=re.compile("on other days")).inner_text()
        assert "18 May 2026 300.00 USD" in plain(days)
        assert "5 Jul 2026 2,175.00 USD" in plain(days)


def test_a_finance_clerk_sees_who_owes_what_and_follows_a_line_to_its_event(
    browser: Browser, site: str
) -> None:
    with opened(browser, site, PAGES["statement"], scripts=False) as page:
        assert "GrowthOS paid Northbridge Advisory 3,900.00 USD" in plain(
            page.locator(".verdict").inner_text()
        )
        assert "3,900.00 USD" in plain(page.locator("tfoot").inner_text())

        page.get_by_role("link", name="Event 326").first.click()

        assert page.url.endswith("#event-326")
        assert "Received" in page.locator("#event-326").inner_text()


def test_an_operator_on_call_sees_who_acts_on_each_alert(browser: Browser, site: str) -> None:
    with opened(browser, site, PAGES["alerts"], scripts=False) as page:
        rows = page.get_by_role("region", name="Open", exact=True).locator("tbody tr")
        reminders = rows.filter(has_text="Reminder").count()
        said = f"{rows.count() - reminders} to act on, {reminders} reminders"
        assert said in page.locator(".verdict").inner_text()
        row = page.locator("tbody tr", has_text="8 of 10 referrals in Q2 2026").first.inner_text()
        assert "Sam Adeyemi" in row


def plain(text: str) -> str:
    """Text with one space where a page has any."""
    return " ".join(text.split())


def test_a_finance_clerk_disputes_a_line_where_it_stands(browser: Browser, site: str) -> None:
    with opened(browser, site, PAGES["statement"], scripts=False) as page:
        page.get_by_role("link", name=re.compile("^Dispute line")).first.click()

        assert "of statement 2026-Q3:USD" in page.get_by_label("What you answer").inner_text()
        assert page.locator('[name="data.amount.amount"]').input_value() == "100.00"

        page.get_by_label("Dispute", exact=True).fill("no such thing as spaces in a name")
        page.get_by_label("Description").fill("We paid this before.")
        page.get_by_role("button", name="Open dispute").click()

        assert "Not recorded." in page.get_by_role("alert").inner_text()
        assert page.get_by_label("Description").input_value() == "We paid this before."


def test_the_operator_follows_an_alert_to_its_evidence(browser: Browser, site: str) -> None:
    with opened(browser, site, PAGES["alerts"], scripts=False) as page:
        row = page.locator("tbody tr", has_text="8 of 10 referrals in Q2 2026").first

        evidence = row.locator("td").last.get_by_role("link").first
        number = evidence.inner_text().removeprefix("#")

        evidence.click()

        assert page.url.endswith(f"#event-{number}")
        assert page.locator(f"#event-{number}").is_visible()


def test_a_filter_that_nothing_passes_says_so_and_leads_back(browser: Browser, site: str) -> None:
    with opened(browser, site, "/alerts?rule=referral-minimum&acts=helio-plus") as page:
        table = page.get_by_role("region", name="Open", exact=True)
        assert "No open alert passes the filter." in table.inner_text()

        page.get_by_role("link", name="Show all").click()

        assert page.url.endswith("/alerts")


# --- signing in --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """A server of the demo's store, and a key of GrowthOS and of the operator."""
    with played(tmp_path_factory.mktemp("closed")) as accord:
        accord.catch_up()
        store, now = accord.history.credentials, accord.clock()
        party = Grant(role=Role.PARTY, party="growthos", actor="Maya Ortiz")
        operator = Grant(role=Role.OPERATOR, actor="Olu Ade")
        keys = [credentials.create(store, each, now).key for each in (party, operator)]
        with served(accord, is_open=False) as address:
            yield Closed(address, *keys)


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_person_signs_in_with_the_keyboard_alone_and_out_again(
    browser: Browser, closed: Closed, size: tuple[int, int], scheme: str
) -> None:
    with opened(browser, closed.site, "/", size, scheme, scripts=False) as page:
        assert page.url.endswith("/sign-in")
        page.get_by_label("API key").focus()
        page.keyboard.type(closed.party)
        page.keyboard.press("Enter")
        page.wait_for_url("**/portfolio")
        assert "Viewing as GrowthOS, Maya Ortiz" in plain(page.locator("header").inner_text())

        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{closed.site}/alerts")

        assert page.url.endswith("/sign-in?to=%2Falerts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing_on_the_sign_in_page(
    browser: Browser, closed: Closed, size: tuple[int, int], scheme: str
) -> None:
    with opened(browser, closed.site, "/sign-in", size, scheme) as page:
        sign_in(page, "accord_nonsense")
        assert "This is not an API key." in page.get_by_role("alert").inner_text()
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_figures_of_four_quarters_fit_a_wide_screen(browser: Browser, site: str) -> None:
    with opened(browser, site, f"/partnerships/{ONE}?{PAST}") as page:
        table = page.get_by_role("region", name="All 45 figures")
        assert table.evaluate("of => of.scrollWidth - of.clientWidth") <= 0


@pytest.mark.parametrize("path", [f"/alerts?{PAST}", f"/portfolio?{PAST}"])
def test_the_reason_in_a_row_is_read_on_a_phone_without_scrolling(
    browser: Browser, site: str, path: str
) -> None:
    with opened(browser, site, path, NARROW) as page:
        for cell in page.locator("table.wide").first.locator("tbody tr > :nth-child(2)").all():
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= NARROW[0]


def test_how_far_ahead_a_day_is_stands_beside_it_on_a_phone(browser: Browser, site: str) -> None:
    with opened(browser, site, "/portfolio", NARROW) as page:
        ahead = page.locator(".strip small.screen")
        assert ahead.evaluate("of => getComputedStyle(of).display") == "inline"


# --- as of a moment ----------------------------------------------------------------------------


def test_a_page_as_of_a_past_day_has_the_answer_of_that_day(browser: Browser, site: str) -> None:
    answer = httpx2.get(f"{site}/v1/alerts?state=open&{PAST}&limit=1000").json()

    with opened(browser, site, PAGES["alerts"]) as page:
        shown_rows = page.locator("#open").locator("xpath=ancestor::table").locator("tbody tr")
        assert shown_rows.count() == len(answer["items"])
        ids = {row.get_attribute("id") for row in shown_rows.all()}
        assert ids == {each["id"] for each in answer["items"]}


def test_the_two_moments_are_chosen_in_a_form_without_javascript(
    browser: Browser, site: str
) -> None:
    with opened(browser, site, "/portfolio", scripts=False) as page:
        page.get_by_label("Known by").fill("2026-03-04")
        page.get_by_role("button", name="Apply").click()

        assert "known=2026-03-04" in page.url
        assert "known on 4 Mar 2026" in plain(page.locator(".moment").inner_text())

        page.get_by_role("link", name="Latest").click()

        assert page.url.endswith("/portfolio")


def test_what_is_beside_a_page_is_the_same_answer(site: str) -> None:
    page = f"{site}/partnerships/{ONE}/statements/2026-Q2"

    beside = httpx2.get(f"{page}.json").json()
    lines = httpx2.get(f"{page}.csv").text.splitlines()

    assert beside == httpx2.get(f"{site}/v1/partnerships/{ONE}/statement?period=2026-Q2").json()
    assert len(lines) == 1 + len(beside["statements"][0]["lines"])
    assert "375.00" in lines[1]


def test_a_party_sees_its_side_and_every_link_keeps_it(browser: Browser, site: str) -> None:
    with opened(browser, site, f"/portfolio?party=northbridge&{PAST}") as page:
        assert "Viewing as Northbridge Advisory" in page.locator("header").inner_text()
        assert "Harbourlight" not in page.locator("main").inner_text()
        links = [each.get_attribute("href") or "" for each in page.locator("main a").all()]
        assert links
        assert all("party=northbridge" in each for each in links)


def test_a_partnership_that_is_not_there_is_said_in_words(browser: Browser, site: str) -> None:
    with opened(browser, site, "/partnerships/nobody") as page:
        assert "There is no partnership nobody." in page.locator("main").inner_text()


# --- for everyone ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", addresses())
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, site: str, path: str
) -> None:
    with opened(browser, site, path) as page:
        # Colours do not depend on the width, nor the layout on the colours.
        for size, scheme in zip((WIDE, NARROW), SCHEMES, strict=True):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [(size, scheme, each["id"], each["help"]) for each in found] == []
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, size
            captions = "[...document.querySelectorAll('caption')].map(each => each.offsetWidth)"
            assert max(page.evaluate(captions), default=0) <= size[0], size


@pytest.mark.parametrize("path", addresses())
def test_each_button_is_reached_on_a_phone_without_scrolling_sideways(
    browser: Browser, site: str, path: str
) -> None:
    with opened(browser, site, path, NARROW) as page:
        outside = page.evaluate(
            """width => {
                document.querySelectorAll("main details").forEach(each => { each.open = true });
                const acts = "main button, main .button, main input, main select";
                return [...document.querySelectorAll(acts)]
                    .map(each => [each.innerText || each.name, each.getBoundingClientRect()])
                    .filter(([text, box]) => text && box.width
                        && !(0 <= box.left && box.right <= width))
                    .map(([text]) => text);
            }""",
            NARROW[0],
        )
        assert outside == []


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_the_head_of_a_page_leaves_most_of_a_phone_to_its_answer(
    browser: Browser, site: str, path: str
) -> None:
    with opened(browser, site, path, NARROW) as page:
        head = page.evaluate("document.querySelector('main').getBoundingClientRect().top")
        assert head <= NARROW[1] / 3


def test_the_keyboard_alone_reaches_the_content_and_every_link(browser: Browser, site: str) -> None:
    with opened(browser, site, PAGES["portfolio"]) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_statement_prints_on_paper_without_what_only_acts(browser: Browser, site: str) -> None:
    with opened(browser, site, PAGES["statement"]) as page:
        page.emulate_media(media="print")
        assert not page.get_by_role("link", name="CSV").is_visible()
        assert not page.get_by_role("button", name="Apply").is_visible()
        first, *rest = map(plain, pages_of(page.pdf(format="A4")))
        fingerprint = page.locator(".sheet code").text_content() or "none"
        rows = [plain(each.inner_text()) for each in page.locator("tbody tr td.stays").all()]
        lines = page.locator("table:has(tfoot) tbody td:first-child").all_inner_texts()

    assert "Statement Q3 2026 GrowthOS × Northbridge Advisory" in first
    assert len(lines) == 18
    assert all(each in first for each in [*lines, *rows])
    # In the sentence at the top, as what was paid, as earned before holds, and as the total.
    assert first.count("3,900.00 USD") == 4
    assert fingerprint in first
    assert len(rest) == 1
    assert "Happened by" not in first + rest[0]


# --- values ------------------------------------------------------------------------------------


def test_the_filters_are_used_by_a_template() -> None:
    folder = Path(shown.__file__).parent / "templates"
    texts = "".join(each.read_text(encoding="utf-8") for each in folder.glob("*.html"))

    assert [name for name in shown.FILTERS if not re.search(rf"\|\s*{name}\b", texts)] == []


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (ObjectiveStatus, shown.status),
        (Awaiting, shown.awaiting),
        (State, shown.statement_state),
        (Met, shown.met),
    ],
)
def test_each_state_has_a_mark_and_a_word(
    kind: type[StrEnum], shape: Callable[[StrEnum], shown.Shape]
) -> None:
    assert all(shape(each).mark and shape(each).word for each in kind)
