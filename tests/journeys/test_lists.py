"""The lists: portfolio, inbox, alerts, inputs and what can be done next, and their tables.

The story: a lead opens the demo's pages as of the 21st of September 2026, a day before a review.
"""

import csv
import re
from collections.abc import Iterator
from datetime import date
from html import unescape
from io import StringIO
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from domain.agreement import CommercialTermsAgreed
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers import show, show_text
from infra.bootstrap import Accord
from infra.http import create_app
from tests.feeds import played, simulated
from tests.infra.answers.helpers import printed
from tests.infra.messages import beginning, candidate
from tests.infra.signing import NAME
from tests.infra.test_waiting import EARLY, FORMED
from tests.journeys.pages import ONE, PAST, text
from tests.journeys.test_acting_from_pages import signed_in
from tests.projections.money import amend, share, under
from tests.stories import Story

ON_21_SEP = "at=2026-09-21&known=2026-09-21"
TWO, SIX = 2, 6
ITEMS, THINGS = 49, 33
"""What awaits each party, and what does when that of both parties is counted once."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with played(tmp_path_factory.mktemp("lists")) as accord, accord.workers() as workers:
        accord.catch_up()
        app = create_app(accord, workers, is_open=True)
        with TestClient(app, headers={"Accept": "text/html"}) as client:
            yield client


def table(client: TestClient, address: str) -> list[dict[str, str]]:
    return [*csv.DictReader(StringIO(client.get(address).text))]


TABLES = (
    *(f"/{each}.csv" for each in ("portfolio", "alerts", "money", "inbox", "inputs")),
    "/search.csv?words=northbridge",
    *(
        f"/partnerships/{ONE}{each}.csv"
        for each in ("", "/history", "/figures", "/funnel", "/next", "/evidence")
    ),
    f"/partnerships/{ONE}/compare.csv?against=2026-03-01",
    f"/partnerships/{ONE}/statements/2026-Q2.csv",
)


@pytest.mark.parametrize("address", TABLES)
def test_a_cell_of_a_table_is_a_value_and_no_json(demo: TestClient, address: str) -> None:
    """A spreadsheet sorted no day and summed no amount that was in an object."""
    head, *rows = csv.reader(StringIO(demo.get(address).text))

    assert rows
    assert {len(each) for each in rows} == {len(head)}
    assert len({*head}) == len(head)
    cells = [cell for row in rows for cell in row]
    assert [each for each in cells if re.match(r'[\[{]("|\d|\]|\})', each)] == []


def test_the_table_of_the_portfolio_has_a_code_for_each_reason(demo: TestClient) -> None:
    rows = {each["id"]: each for each in table(demo, f"/portfolio.csv?{ON_21_SEP}")}
    answer = demo.get(f"/portfolio.json?{ON_21_SEP}").json()
    found = {
        line["id"]: "; ".join(
            f"{each['code']} {each['objective'] or each['alert']}" for each in line["reasons"]
        )
        for of in answer["portfolios"]
        for line in of["partners"]
    }

    assert any(found.values())
    assert {name: each["reason_codes"] for name, each in rows.items()} == found


def test_the_table_of_the_history_has_a_column_for_each_thing_that_is_asked_of_it(
    demo: TestClient,
) -> None:
    rows = table(demo, f"/partnerships/{ONE}/history.csv")

    assert rows[0]["happened"] == "2025-09-15T09:00:00Z"
    assert (rows[0]["party"], rows[0]["who"], rows[0]["type"]) == (
        "growthos",
        "maya.ortiz",
        "ExplorationBegun",
    )
    assert "salt" not in rows[0]


def test_the_table_of_the_portfolio_has_a_column_for_each_currency_of_money(
    demo: TestClient,
) -> None:
    rows = {each["id"]: each for each in table(demo, f"/portfolio.csv?{ON_21_SEP}")}

    assert rows["growthos-harbourlight"]["money.owe_overdue.USD"] == "1794.83"
    assert rows["growthos-harbourlight"]["revenue.payments.EUR"] == "3000.00"
    assert rows["cobalt-docs"]["revenue.payments.EUR"] == ""


def test_the_table_of_inputs_has_those_that_wait_too_and_a_header_without_any(
    tmp_path: Path,
) -> None:
    wrong = orjson.loads(EARLY) | {"id": "wrong", "type": "accord.Begin"}
    with simulated(tmp_path) as accord, accord.workers() as workers:
        client = TestClient(create_app(accord, workers, is_open=True))
        empty = client.get("/inputs.csv").text
        accord.service.handle(FORMED)
        accord.service.handle([EARLY, orjson.dumps(wrong)])
        accord.catch_up()
        rows = table(client, "/inputs.csv")
        page = text(client.get("/inputs").text)

    assert empty.startswith("state,number,partnership,type,party,person,")
    assert [(each["state"], each["party"], each["person"]) for each in rows] == [
        ("waiting", wrong["party"], wrong["actor"]),
        ("refused", wrong["party"], wrong["actor"]),
    ]
    assert page.count("Sent by") == page.count(wrong["actor"]) == TWO


# --- the inbox ---------------------------------------------------------------------------------


def test_what_awaits_both_parties_is_one_item_with_both(demo: TestClient) -> None:
    page = demo.get(f"/inbox?{ON_21_SEP}").text
    rows = [text(each) for each in re.findall(r"<tr><td>.*?</tr>", page, re.DOTALL)]

    assert f"{THINGS} items await the parties." in text(page)
    assert len(rows) == THINGS
    (review,) = (each for each in rows if "Hold review review-2026-q3" in each)
    assert "Propose review as GrowthOS Propose review as Northbridge Advisory" in review
    assert len(demo.get(f"/inbox.json?{ON_21_SEP}").json()["items"]) == ITEMS


def test_open_now_says_a_thing_once_with_its_last_day(demo: TestClient) -> None:
    page = demo.get(f"/partnerships/{ONE}?{ON_21_SEP}").text
    opened = page.partition('id="open-now"')[2].partition("</table>")[0]
    rows = [text(each) for each in re.findall(r"<tr><td>.*?</tr>", opened, re.DOTALL)]

    (review,) = (each for each in rows if "review-2026-q3" in each)
    assert review.startswith("○ Reminder")
    days = "since 21 Sep 2026, by 23 Sep 2026, begins 23 Sep 2026, 14:00"
    assert review.replace("\N{NO-BREAK SPACE}", " ").endswith(days)


# --- the portfolio -----------------------------------------------------------------------------


def test_the_next_deadline_is_ahead_and_says_what_is_due(demo: TestClient) -> None:
    page = text(demo.get(f"/portfolio?{ON_21_SEP}").text)

    assert "Next deadline22 Sep 2026 Hold review cob-2026-q3, on 22 Sep 2026." in page
    assert "7 overdue" in page


def test_a_day_in_a_row_says_what_it_is(demo: TestClient) -> None:
    page = demo.get(f"/portfolio?{ON_21_SEP}").text
    rows = re.findall(r"<tr[^>]*>\s*<th scope=\"row\">.*?</tr>", page, re.DOTALL)
    following = [text(each.rpartition("<td>")[2]) for each in rows]

    assert len(following) == SIX
    for each in following:
        assert each == "nothing" or re.search(r"(by|since) \d+ \w{3} 2026", each), each
    assert following[0].startswith("Report the figure for new users in Q2 2026")
    assert "5 overdue" in following[0]


def test_the_alerts_above_the_table_are_those_of_its_rows_and_of_what_has_none(
    demo: TestClient,
) -> None:
    """A party's program has alerts, and no row."""
    for viewer in ("", "&party=growthos", "&party=lumastream"):
        for when in (ON_21_SEP, "known=2027-03-01"):
            page = text(demo.get(f"/portfolio?{when}{viewer}").text)
            count = re.search(r"Open alerts(\d+)", page)
            below = re.findall(r"● (\d+) to act on|○ (\d+) reminder|(\d+) open alert", page)
            assert count
            assert int(count[1]) == sum(int("".join(each)) for each in below)


# --- alerts ------------------------------------------------------------------------------------


def test_an_open_alert_says_in_a_word_what_its_colour_says(demo: TestClient) -> None:
    pages = [demo.get(f"/{each}?{ON_21_SEP}").text for each in ("alerts", f"partnerships/{ONE}")]
    states = [
        (tone, word)
        for page in pages
        for tone, word in re.findall(r'class="state (\w+)"><span[^>]*>●</span> (Open[^<]*)<', page)
    ]

    assert {*states} == {("bad", "Open, critical"), ("warn", "Open, warning")}


# --- agreed ------------------------------------------------------------------------------------


def test_terms_that_begin_later_are_not_in_force_and_replace_none_until_then(
    tmp_path: Path,
) -> None:
    story = under(share("15"))
    first = terms_of(story)[-1]
    story.on("2026-03-01")
    amend(story, share("14"), since=date(2026, 6, 1))
    later = terms_of(story)[-1]
    with simulated(tmp_path) as accord, accord.workers() as workers:
        accord.history.append(story.history)
        accord.catch_up()
        client = TestClient(create_app(accord, workers, is_open=True))
        before = client.get(f"/partnerships/{NAME}").text
        after = client.get(f"/partnerships/{NAME}?at=2026-06-01").text
        printed = printed_show(accord)

    in_force, ahead = (section(before, each) for each in ("agreed", "ahead"))
    assert f"Terms {first}" in in_force
    assert f"Terms {later}" not in in_force
    assert "○ From 1 Jun 2026" in ahead
    assert f"Terms {later}" in ahead
    assert f"Terms {later}" in section(after, "agreed")
    assert f"Terms {first}" not in section(after, "agreed")
    assert not section(after, "ahead")
    assert "agreed, and not in force yet" in printed


def terms_of(story: Story) -> list[str]:
    """Return the proposals of the terms that were agreed."""
    found = (each.event for each in story.history)
    return [each.proposal for each in found if isinstance(each, CommercialTermsAgreed)]


def section(page: str, id: str) -> str:
    """Return the words of the table with this caption."""
    found = page.partition(f'id="{id}"')[2].partition("</table>")[0]
    return text(found).replace("\N{NO-BREAK SPACE}", " ")


def printed_show(accord: Accord) -> str:
    """Return what the command shows."""
    return printed(show_text.text(show.ask(accord, NAME)))


# --- what can be done next ---------------------------------------------------------------------


def test_with_several_candidates_each_has_its_own_form(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord, accord.workers() as workers:
        told = [candidate(each, subject="acme", id=each) for each in ("north", "west")]
        accord.service.handle([*beginning("acme").splitlines(), *told])
        accord.catch_up()
        client = TestClient(create_app(accord, workers, is_open=True))
        page = client.get("/partnerships/acme/next").text
        listed = unescape(page.partition(" can send</h2>")[2])
        forms = dict(
            re.findall(r'href="([^"]*ApproachCandidate[^"]*)">Approach candidate: (\w+)<', listed)
        )
        filled = {
            name: re.search(rf'name="data.candidate"[^>]*value="{name}"', client.get(to).text)
            for to, name in forms.items()
        }
        new = re.search(r'href="[^"]*IdentifyCandidate([^"]*)"', listed)

    assert [*filled] == ["north", "west"]
    assert all(filled.values())
    assert new
    assert "given" not in new[1]
    assert "Checklist: exit clause" in text(page)


def test_an_answer_is_offered_only_where_something_awaits_it(tmp_path: Path) -> None:
    """Nothing was claimed and no attribution proposed, and both answers were in the list."""
    with simulated(tmp_path) as accord, accord.workers() as workers:
        accord.history.append(under(share("15")).history)
        accord.catch_up()
        client = TestClient(create_app(accord, workers, is_open=True))
        page = text(client.get(f"/partnerships/{NAME}/next").text)

    assert "Submit referral" in page
    for each in ("Confirm claim", "Agree attribution", "Agree merge"):
        assert each not in page


# --- who looks ---------------------------------------------------------------------------------


def test_the_page_says_truly_what_is_hidden_from_who_looks(tmp_path: Path) -> None:
    """An open server showed candidates that were declined, and said that they were hidden."""
    with played(tmp_path) as accord, accord.workers() as workers:
        accord.catch_up()
        client = TestClient(create_app(accord, workers, is_open=True))
        is_shown = text(client.get(f"/partnerships/{ONE}?{PAST}").text)
        with signed_in(accord, Grant(role=Role.OPERATOR, actor="Olga")) as browser:
            is_hidden = text(browser.get(f"/partnerships/{ONE}?{PAST}").text)

    assert "calder-lane" in is_shown
    assert "private positions hidden, candidates shown" in is_shown
    assert "calder-lane" not in is_hidden
    assert "private positions and other candidates hidden" in is_hidden
