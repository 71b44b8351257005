"""Names of any script and length on the pages: nothing beside them moves, no page is too wide."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser

from benchmarks.pages import served
from infra.bootstrap import Accord
from infra.http.pages.any_script import with_any_script
from tests.feeds import simulated
from tests.journeys.test_pages import NARROW, WIDE, opened

HEBREW = 'בית ספר "שלום"'
ARABIC = "شركة الأفق (المحدودة)"
LONG = "W" * 190
PARTS = ("", "/statements/2026-Q1", "/history", "/next?party=payer")


def adopted(name: str, payer: str, payee: str) -> list[bytes]:
    """The events of an adopted partnership, in which the payee earned 150.00 USD."""
    share = {
        "kind": "revenue-share",
        "to": "payee",
        "share": "15",
        "basis": "all-payments",
        "trigger": "payment",
    }
    frame = {"starts_on": "2024-01-01", "duration": "P9Y", "notice": "P90D"}
    terms = {
        "agreed_on": "2023-12-10",
        "effective_from": "2024-01-01",
        "frame": frame | {"assets_at_exit": "retain"},
        "items": [share],
    }
    adoption = {
        "proposal": "adoption-1",
        "parties": [{"party": "payer", "name": payer}, {"party": "payee", "name": payee}],
        "purpose": f"For {payee} in 2026",
        "since": "2024-01-01",
        "stage": "execution",
        "terms": [terms],
        "books": {"settles_from": "2026-01-01"},
    }
    usd = {"currency": "USD"}
    code = {"method": "referral-code", "evidence": "N7"}
    steps: list[tuple[str, str, str, dict[str, Any]]] = [
        ("19", "payer", "ProposeAdoption", adoption),
        ("20", "payee", "AgreeAdoption", {"proposal": "adoption-1"}),
        ("21", "payee", "SubmitReferral", {"deal": "D-1", "lead": payee}),
        ("22", "payer", "AttributeReferral", {"deal": "D-1"} | code),
        ("23", "payer", "CreateOpportunity", {"deal": "D-1"}),
        (
            "24",
            "payer",
            "WinDeal",
            {"deal": "D-1", "annual_contract_value": usd | {"amount": "9000.00"}},
        ),
        (
            "25",
            "payer",
            "ReceivePayment",
            {"deal": "D-1", "payment": "P-1", "amount": usd | {"amount": "1000.00"}},
        ),
    ]
    return [
        orjson.dumps(
            {
                "specversion": "1.0",
                "id": f"{name}-{day}",
                "source": f"//{party}.example",
                "type": f"accord.{command}",
                "subject": name,
                "time": f"2026-01-{day}T09:00:00Z",
                "party": party,
                "actor": "ana",
                "data": data,
            }
        )
        for day, party, command, data in steps
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulated(tmp_path_factory.mktemp("scripts")) as accord:
        record(accord, adopted("scripts", ARABIC, HEBREW))
        record(accord, adopted("long", LONG, "<b>" + "w" * 180))
        with served(accord) as found:
            yield found


def record(accord: Accord, events: list[bytes]) -> None:
    outcomes = accord.service.handle(events)
    assert {each.status for each in outcomes} == {"accepted"}, outcomes
    accord.catch_up()


def test_a_text_from_right_to_left_is_isolated_with_the_signs_that_belong_to_it() -> None:
    quoted = HEBREW.replace('"', "&#34;")

    assert with_any_script(f"<p>{quoted} is owed 150.00</p>") == (
        f"<p><bdi>{quoted}</bdi> is owed 150.00</p>"
    )
    assert with_any_script(f"<h1>{ARABIC} × {ARABIC}</h1>") == (
        f"<h1><bdi>{ARABIC}</bdi> × <bdi>{ARABIC}</bdi></h1>"
    )
    assert with_any_script("(שלום)") == "(<bdi>שלום</bdi>)"


@pytest.mark.parametrize(
    "kept",
    [
        "<p>Northbridge Advisory owes 150.00 USD</p>",
        '<a title="שלום">x</a>',
        "<textarea>שלום</textarea>",
        "<option>שלום</option>",
        "<svg><text>שלום</text></svg>",
        f"<code>{'a' * 64}</code>",
    ],
)
def test_what_no_tag_may_be_in_stays_as_it_is(kept: str) -> None:
    assert with_any_script(kept) == kept


def test_a_long_word_can_be_broken_and_is_read_as_before() -> None:
    broken = with_any_script(f"<p>{LONG}</p>")

    assert "<wbr>" in broken
    assert broken.replace("<wbr>", "") == f"<p>{LONG}</p>"


@pytest.mark.needs("chromium")
@pytest.mark.xdist_group("browser")
def test_a_name_from_right_to_left_does_not_tear_the_amount_beside_it(
    browser: Browser, site: str
) -> None:
    with opened(browser, site, "/partnerships/scripts/statements/2026-Q1") as page:
        verdict = page.locator(".verdict").first
        places = verdict.evaluate(
            """of => {
                const said = document.createTreeWalker(of, NodeFilter.SHOW_TEXT), found = {}
                while (said.nextNode()) {
                    const at = said.currentNode.data.search(/150|USD/)
                    if (at < 0) continue
                    for (const word of ["150.00", "USD"]) {
                        const range = document.createRange()
                        const from = said.currentNode.data.indexOf(word)
                        range.setStart(said.currentNode, from)
                        range.setEnd(said.currentNode, from + word.length)
                        found[word] = range.getBoundingClientRect().toJSON()
                    }
                }
                return found
            }"""
        )

        gap = places["USD"]["left"] - places["150.00"]["right"]
        assert places["USD"]["top"] == places["150.00"]["top"]
        assert 0 < gap < 10


@pytest.mark.needs("chromium")
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(
    "path",
    ["/portfolio", "/alerts", "/money", "/inbox", *(f"/partnerships/long{each}" for each in PARTS)],
)
def test_a_long_name_makes_no_page_wider_than_the_screen(
    browser: Browser, site: str, size: tuple[int, int], path: str
) -> None:
    with opened(browser, site, path, size) as page:
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
