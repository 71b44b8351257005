"""Beside each page that shows an answer there is the same answer as JSON and as a table."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from domain.metric_catalogue import Direction
from infra.http import create_app
from infra.http.pages import figures, shown
from projections.figures import FigureLine
from tests.feeds import played, simulated
from tests.journeys.pages import ANSWERS, ELSEWHERE, ONE, OTHERS, PAST, paths, text

KINDS = ("csv", "json")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with played(tmp_path_factory.mktemp("beside")) as accord, accord.workers() as workers:
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as found:
            yield found


def served(client: TestClient) -> set[str]:
    """The paths of the pages that the application has, and of what is beside them."""
    assert isinstance(client.app, FastAPI)
    return set(paths(client.app))


def links(page: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'href="([^"]+)"', page)]


def test_every_page_of_the_application_is_among_those_that_are_tested(client: TestClient) -> None:
    found = served(client)
    beside = {each for each in found if each.endswith(tuple(f".{kind}" for kind in KINDS))}

    assert found - beside == {*ANSWERS, *OTHERS, *ELSEWHERE}


def test_every_table_and_document_is_beside_a_page(client: TestClient) -> None:
    found = served(client)
    parts = [f"/partnerships/{{id}}/{part}" for part in ("compare", "figures", "funnel")]
    wanted = {f"{path}.{kind}" for path in [*ANSWERS, *parts] for kind in KINDS}

    assert {each for each in found if each.endswith((".csv", ".json"))} == wanted


@pytest.mark.parametrize("path", ANSWERS)
def test_a_page_links_to_its_answer_as_json_and_as_a_table(client: TestClient, path: str) -> None:
    address = ANSWERS[path]
    page = client.get(address)
    name, _, query = address.partition("?")
    wanted = {kind: f"{name}.{kind}" + (f"?{query}" if query else "") for kind in KINDS}

    assert set(wanted.values()) <= set(links(page.text))
    assert "simulated" in client.get(wanted["json"]).json()
    table = client.get(wanted["csv"])
    assert table.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(StringIO(table.text)))
    assert rows
    assert all(None not in row for row in rows)


def test_a_comparison_is_beside_its_page_too(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}/history?against=2026-07-01&known=2026-07-06")
    found = [each for each in links(page.text) if "/compare." in each]

    assert [client.get(each).status_code for each in found] == [200, 200]
    assert all("known=2026-07-06" in each for each in found)


@pytest.mark.parametrize(
    ("page", "route"),
    [
        (f"/partnerships/{ONE}", f"/v1/partnerships/{ONE}"),
        (f"/partnerships/{ONE}/figures", f"/v1/partnerships/{ONE}/kpis"),
        (f"/partnerships/{ONE}/funnel", f"/v1/partnerships/{ONE}/funnel"),
        (f"/partnerships/{ONE}/history", f"/v1/partnerships/{ONE}/history?limit=1000"),
        (f"/partnerships/{ONE}/next", f"/v1/partnerships/{ONE}/next"),
        (
            f"/partnerships/{ONE}/statements/2026-Q2",
            f"/v1/partnerships/{ONE}/statement?period=2026-Q2",
        ),
        ("/portfolio", "/v1/portfolio"),
        ("/alerts", "/v1/alerts?limit=1000"),
        ("/money", "/v1/owed"),
        ("/inbox", "/v1/inbox?limit=1000"),
    ],
)
def test_the_document_beside_a_page_is_that_of_the_route(
    client: TestClient, page: str, route: str
) -> None:
    assert client.get(f"{page}.json").json() == client.get(route).json()


def beside(client: TestClient, page: str, kind: str) -> str:
    """Return the link of a page to the same answer in another form."""
    name = page.partition("?")[0]
    (found,) = {each for each in links(client.get(page).text) if each.startswith(f"{name}.{kind}")}
    return found


@pytest.mark.parametrize(
    "page",
    [
        f"/partnerships/{ONE}/history?words=REF-0011",
        f"/partnerships/{ONE}/history?by=growthos&which=late",
        f"/partnerships/{ONE}/history?which=corrections",
        f"/alerts?{PAST}&rule=referral-minimum",
        f"/alerts?{PAST}&acts=northbridge",
    ],
)
def test_what_is_beside_a_page_obeys_its_filter(client: TestClient, page: str) -> None:
    found = client.get(beside(client, page, "json")).json()["items"]
    rows = [*csv.DictReader(StringIO(client.get(beside(client, page, "csv")).text))]
    shown = client.get(page).text

    assert found
    assert len(rows) == len(found)
    if "/history" in page:
        listed = re.findall(r'<tr id="event-(\d+)"', shown)
        assert listed == [f"{each['index']}" for each in found[::-1]]
    if "/alerts" in page:
        ids = {*re.findall(r'<tr id="([^"]+)"', shown)}
        assert {each["id"] for each in found} == ids
        whole = client.get(f"/alerts.json?{PAST}").json()["items"]
        assert len(found) < len(whole)


def test_the_evidence_of_an_alert_is_beside_its_page_alone(client: TestClient) -> None:
    (alert,) = (
        each
        for each in client.get(f"/alerts.json?partnership={ONE}").json()["items"]
        if each["evidence"] and each["rule"] == "referral-minimum" and each["window"] == "2026-Q2"
    )
    page = f"/partnerships/{ONE}/history?alert={quote(alert['id'])}"

    found = client.get(beside(client, page, "json")).json()["items"]
    assert [each["index"] for each in found] == sorted(alert["evidence"])


def test_the_portfolio_beside_its_page_is_of_the_same_company_in_the_same_order(
    client: TestClient,
) -> None:
    for query in ("company=GrowthOS&order=name", "order=deadline", "order=need"):
        page = f"/portfolio?{PAST}&{query}"
        rows = [*csv.DictReader(StringIO(client.get(beside(client, page, "csv")).text))]
        portfolios = client.get(beside(client, page, "json")).json()["portfolios"]
        listed = [each["id"] for of in portfolios for each in of["partners"]]

        assert [each["name"] for each in rows] == names_in(client.get(page).text)
        assert sorted(listed) == sorted(each["id"] for each in rows)
        of_one = [each["id"] for each in rows if each["party"] == "growthos"]
        (own,) = (of for of in portfolios if of["party"] == "growthos")
        assert [each["id"] for each in own["partners"]] == of_one


# --- alerts ------------------------------------------------------------------------------------


def alert_rows(page: str) -> list[str]:
    found = re.findall(r'<tr id="[^"]+">.*?</tr>', page, re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]+>", " ", each)).split()) for each in found]


def test_a_withdrawn_alert_has_the_figures_before_and_after(client: TestClient) -> None:
    withdrawn = [
        each
        for each in client.get("/alerts.json").json()["items"]
        if each["state"] == "withdrawn" and each["facts_before"]
    ]
    page = client.get("/alerts").text
    rows = {each["id"]: each for each in csv.DictReader(StringIO(client.get("/alerts.csv").text))}

    assert withdrawn
    for each in withdrawn:
        (row,) = re.findall(rf'<tr id="{re.escape(each["id"])}">.*?</table>', page, re.DOTALL)
        assert "Before" in row
        assert "After" in row
        assert rows[each["id"]]["found_before"] != rows[each["id"]]["found"]
        assert rows[each["id"]]["ended_code"] == "figures-changed"


def test_an_alert_has_names_the_figure_against_its_limit_and_what_ends_it(
    client: TestClient,
) -> None:
    rows = alert_rows(client.get(f"/alerts?{PAST}").text)

    (row,) = (each for each in rows if "8 of 10 referrals in Q2 2026" in each)
    assert "GrowthOS × Northbridge" in row
    assert "Found: 8. The minimum is 10, so 2 are missing." in row
    assert "It ends when a later figure keeps to the rule" in row
    assert not [each for each in rows if re.search(r"\(C[0-9]|`", each)]
    assert [each for each in rows if "It ends when this is done, moved or given up" in each]


def test_an_alert_of_an_agreed_rule_leads_to_the_event_that_agreed_it(client: TestClient) -> None:
    found = client.get("/alerts.json?partnership=aurora-series").json()
    (index, *_) = {each["agreed_by"] for each in found["about"].values() if each["agreed_by"]}
    page = client.get("/alerts?partnership=aurora-series").text

    assert re.search(rf", agreed by #{index} ?\.", " ".join(alert_rows(page)))
    assert f"/partnerships/aurora-series/history?event={index}#event-{index}" in page


def test_each_open_alert_says_what_ends_it_in_a_sentence_of_its_own(client: TestClient) -> None:
    rows = alert_rows(client.get(f"/alerts?{PAST}").text)
    opened = [each for each in rows if "● Open" in each or "○ Reminder" in each]

    assert len(opened) > 20
    assert not [each for each in opened if not re.search(r"[.!?…] It ends ", each)]


def test_alerts_are_filtered_by_rule_and_by_who_acts(client: TestClient) -> None:
    every = alert_rows(client.get("/alerts").text)

    of_rule = alert_rows(client.get("/alerts?rule=referral-minimum&acts=").text)
    of_party = alert_rows(client.get("/alerts?acts=northbridge").text)

    assert of_rule
    assert all("Rule referral-minimum" in each for each in of_rule)
    assert of_party
    assert len(of_rule) < len(every) > len(of_party)


@pytest.mark.parametrize(
    ("act", "given", "said"),
    [
        ("assign", {"to": "   "}, "The person to assign it to is missing."),
        ("silence", {"until": ""}, "The day until which it is silenced is missing."),
        ("silence", {"until": "soon"}, "The day until which it is silenced is not"),
    ],
)
def test_an_act_that_lacks_something_names_it(
    client: TestClient, act: str, given: dict[str, str], said: str
) -> None:
    page = client.get(f"/partnerships/{ONE}/evidence").text
    (token, *_) = re.findall(r'name="form_token" value="([^"]+)"', page)
    form = {"form_token": token, "alert": "any", "by": "Olu"} | given

    answer = client.post(f"/alerts/{act}", data=form)

    assert answer.status_code == 422
    assert said in " ".join(unescape(re.sub("<[^>]+>", " ", answer.text)).split())


# --- search ------------------------------------------------------------------------------------


def test_search_says_who_did_what_both_did(client: TestClient) -> None:
    found = client.get("/search?words=terms-c").text

    assert "Both parties agreed terms, version 2" in found
    assert "And its partner" not in found


# --- inputs and inbox --------------------------------------------------------------------------


def test_the_refused_inputs_come_with_the_latest_arrival_first(client: TestClient) -> None:
    page = client.get("/inputs").text
    numbers = [int(each) for each in re.findall(r'aria-label="Retry refusal (\d+)"', page)]
    answer = client.get("/inputs.json").json()["refused"]
    arrived = {each["number"]: each["received_at"] for each in answer}

    assert [arrived[each] for each in numbers] == sorted(arrived.values(), reverse=True)
    assert numbers != sorted(numbers, reverse=True)


def test_the_document_beside_the_inputs_has_what_waits_and_what_was_refused(
    client: TestClient,
) -> None:
    answer = client.get("/inputs.json").json()

    for part, route in (("waiting", "/v1/waiting"), ("refused", "/v1/refusals")):
        assert answer[part] == client.get(f"{route}?limit=1000").json()["items"]


def test_a_page_calls_its_viewer_by_name_also_where_nothing_is_listed(client: TestClient) -> None:
    page = client.get("/inbox?at=2026-09-21&known=2026-09-21&party=helio-plus").text

    assert "Nothing awaits Helio Plus." in page
    assert "Viewing as <strong>Helio Plus</strong>" in page


# --- a partnership -----------------------------------------------------------------------------

MONTHLY = f"/partnerships/growthos-harbourlight?{PAST}"
"""Its statements are issued every month."""


def test_what_is_not_issued_yet_is_of_a_month_where_statements_are(client: TestClient) -> None:
    page = client.get(MONTHLY).text

    assert "/statements/2026-09" in page
    assert "/statements/2026-Q3" not in page


def test_an_alert_that_opened_after_its_day_says_that_it_was_due(client: TestClient) -> None:
    page = client.get(MONTHLY).text

    assert re.search(r"since <time[^>]*>16.Sep.2026</time>, was due <time[^>]*>15.Sep.2026", page)


def test_a_likely_range_names_what_both_assumed_before(client: TestClient) -> None:
    """Without it, 62.5 % beside 18.4 % to 61.7 % reads as an error."""
    page = " ".join(client.get("/partnerships/growthos-consulting").text.split())

    assert "likely 18.4 % to 61.7 %, as both assumed 2 in 10 before<" in page.replace("\xa0", " ")


def test_what_a_party_did_alone_is_not_said_to_be_agreed(client: TestClient) -> None:
    page = client.get(f"/partnerships/spring-france?{PAST}").text
    agreed, _, alone = page.partition("In force by the word of one party")

    assert "as the owner of subscription conversion" in alone
    assert "as the owner of subscription conversion" not in agreed


# --- the portfolio -----------------------------------------------------------------------------


def row_of(page: str, name: str) -> str:
    (found,) = (each for each in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if name in each)
    return " ".join(unescape(re.sub("<[^>]+>", " ", found)).split())


@pytest.mark.parametrize(
    ("query", "name", "since"),
    [
        (f"?{PAST}", "spring-france", "Exit since 2 Jul 2026"),
        (f"?{PAST}", "growthos-consulting", "Execution since 7 Jan 2026"),
        ("", "cobalt-docs", "Ended since"),
    ],
)
def test_a_stage_says_since_when_it_runs(
    client: TestClient, query: str, name: str, since: str
) -> None:
    row = row_of(client.get(f"/portfolio{query}").text, name)

    assert since in row
    assert "joined" not in row


def test_an_exit_that_is_ahead_is_among_what_comes_next(client: TestClient) -> None:
    row = row_of(client.get(f"/portfolio?{PAST}").text, "spring-france")
    partnership = client.get(f"/partnerships/spring-france?{PAST}").text
    coming = client.get(f"/partnerships/spring-france/next?{PAST}").text

    assert "Notice was given to leave on 1 Oct 2026" in row
    assert "The exit takes effect on <time" in partnership
    assert "the exit takes effect on 1 Oct 2026" in coming


def test_nobody_is_usual_where_nothing_runs(client: TestClient) -> None:
    page = client.get("/portfolio").text

    assert "Running</dt><dd>0, " in page
    assert not re.search(r"\b0(\.0+)? to 0(\.0+)? FTE", page)
    assert "0.1 to 0.2 FTE are usual for so many" in page


def test_an_alert_of_a_program_has_names_and_no_event_that_nobody_can_open(
    client: TestClient,
) -> None:
    """The program is of GrowthOS alone, and has no history to link to."""
    page = client.get(f"/alerts?{PAST}&party=growthos").text
    portfolio = client.get(f"/portfolio?{PAST}&party=growthos").text
    rows = [each for each in alert_rows(page) if "more than the 70 %" in each]

    assert rows
    for row in rows:
        assert re.search("(Northbridge Advisory|Harbourlight Services) brings ", row), row
        assert "Program of GrowthOS" in row
        assert "Both parties agreed this rule" not in row
        assert "#0" not in row
        assert "growthos-" not in row
    assert "Program of GrowthOS</a>" in portfolio


# --- what can be done --------------------------------------------------------------------------


def test_what_is_awaited_comes_first_then_what_the_stage_is_for(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}/next?{PAST}&party=growthos").text
    groups = re.findall(r"<details( open)?><summary>([\w ]+) <small", page)

    assert [name for _, name in groups][:2] == ["Awaited", "Execution"]
    assert [name for is_open, name in groups if is_open] == ["Awaited", "Execution"]
    first, _, rest = page.partition("<summary>Execution")
    assert "Propose resolution" in first
    assert "Propose resolution</th>" not in rest


def test_an_objection_is_offered_only_to_a_claim(client: TestClient) -> None:
    page = client.get(f"/partnerships/spring-france/next?{PAST}").text

    assert "Object to claim" not in page
    assert "Object to claim" in client.get(f"/partnerships/growthos-harbourlight/next?{PAST}").text


def test_no_answer_for_people_has_the_codes_of_the_catalogue(client: TestClient) -> None:
    for path in (f"/partnerships/{ONE}/next.csv", f"/partnerships/{ONE}/next"):
        assert not re.search(r"\(C[0-9]", client.get(path).text), path


def test_a_party_of_an_alert_is_never_the_operators_own_identifier() -> None:
    assert shown.party("accord", {}) == "Operator"
    assert shown.party("north", {"north": "North"}) == "North"


# --- in words ----------------------------------------------------------------------------------


def test_of_few_cases_the_count_comes_first(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}?{PAST}").text

    assert "5 of 8 (62.5\N{NO-BREAK SPACE}%)" in page
    assert "of 20 (" not in page


def test_the_bar_says_that_nothing_later_could_be_known(client: TestClient) -> None:
    page = client.get("/portfolio?at=2026-09-30&known=2026-07-04").text
    says = "What happened after 4 Jul 2026, 23:59 could not be known then."

    assert says in text(page).replace("\N{NO-BREAK SPACE}", " ")
    assert "could not be known" not in client.get(f"/portfolio?{PAST}").text


def test_a_page_of_a_time_without_events_leads_to_the_latest(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}?at=2024-01-01", headers={"Accept": "text/html"}).text

    assert f'<a href="/partnerships/{ONE}">This page as of now</a>' in page


def test_the_portfolio_counts_those_that_leave(client: TestClient) -> None:
    assert "6 running, 1 of them leaving" in client.get(f"/portfolio?{PAST}").text


def names_in(page: str) -> list[str]:
    return re.findall(r'scope="row"><a[^>]*>[^<]+ × ([^<]+)<', page)


def test_the_last_day_for_notice_is_next_where_nobody_has_to_act(client: TestClient) -> None:
    row = row_of(client.get(f"/portfolio?{PAST}").text, "aurora-series")
    partnership = text(client.get(f"/partnerships/aurora-series?{PAST}").text)

    assert "Last day for notice by 2 Nov 2026" in row
    assert "The last day for notice is 2 Nov 2026." in partnership


def test_an_ended_partnership_has_no_day_ahead(client: TestClient) -> None:
    assert "nothing" in row_of(client.get("/portfolio").text, "cobalt-docs")


def test_the_portfolio_is_limited_to_a_company_and_links_keep_it(client: TestClient) -> None:
    page = client.get(f"/portfolio?{PAST}&company=GrowthOS&order=name").text

    assert names_in(page) == ["Harbourlight Services", "Northbridge Advisory"]
    assert "by name; those of GrowthOS" in text(page)
    assert "/portfolio?company=GrowthOS&order=name" in links(page)
    assert '<input type="hidden" name="company" value="GrowthOS">' in page
    assert f"/portfolio?{PAST}&order=name" in links(page)
    assert "No partnership is of Nobody." in client.get("/portfolio?company=Nobody").text


def test_the_portfolio_is_in_the_order_that_is_asked_for(client: TestClient) -> None:
    def asked(order: str) -> list[str]:
        return names_in(client.get(f"/portfolio?{PAST}&order={order}").text)

    assert asked("need") == names_in(client.get(f"/portfolio?{PAST}").text)
    assert asked("name")[0] == "Meridian TV"
    assert sorted(asked("name")) == sorted(asked("need")) == sorted(asked("deadline"))
    # One has been overdue since March, one since September; the reviews are ahead.
    assert asked("deadline")[:4] == [
        "Podium Direct",
        "Harbourlight Services",
        "Meridian TV",
        "Northbridge Advisory",
    ]
    assert client.get("/portfolio?order=size").status_code == 422


def test_a_search_that_ended_is_said_to_be_ended(client: TestClient) -> None:
    now, before = text(client.get("/portfolio").text), client.get("/portfolio?at=2025-11-01").text

    assert "Search ended without a partner spring-germany" in now
    assert "Without a partner yet" not in now
    assert "Search ended" not in before
    assert re.search(r"<h2>Without a partner yet</h2>\n<ul[^\n]*spring-germany", before)


def test_an_alert_of_a_partner_that_leaves_says_so(client: TestClient) -> None:
    rows = alert_rows(client.get(f"/alerts?{PAST}").text)
    leaving = [each for each in rows if "leaves on 1 Oct 2026" in each]

    assert leaving
    assert all("Lumastream × Podium Direct" in each for each in leaving)
    assert not [each for each in leaving if "Resolved" in each or "Withdrawn" in each]
    assert "leaves on" not in client.get("/alerts").text


def test_an_empty_portfolio_says_how_to_begin(tmp_path: Path) -> None:
    with (
        simulated(tmp_path) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as empty,
    ):
        page = empty.get("/portfolio").text

    assert "There are no partnerships yet." in page
    assert "accord.BeginExploration" in page
    assert "accord demo" in page


def test_what_is_not_issued_says_from_when_it_can_be(client: TestClient) -> None:
    says = "Q3 2026 ends on 30 Sep 2026; its statement can be issued from 1 Oct 2026."
    draft = f"/partnerships/{ONE}/statements/2026-Q3"

    assert says in text(client.get(f"{draft}?{PAST}").text)
    assert says in text(client.get(f"/partnerships/{ONE}?{PAST}").text)
    assert "can be issued from" not in client.get(draft).text


def test_a_statement_leads_to_its_evidence_and_to_what_awaits_whom(client: TestClient) -> None:
    found = links(client.get(f"/partnerships/{ONE}/statements/2026-Q3?{PAST}").text)

    for part in ("evidence", "next"):
        assert f"/partnerships/{ONE}/{part}?{PAST}" in found


def test_the_table_of_money_says_whose_each_sum_is(client: TestClient) -> None:
    table = list(csv.DictReader(StringIO(client.get(f"/money.csv?{PAST}").text)))
    document = client.get(f"/money.json?{PAST}").json()
    wanted = [
        (of["party"], each["id"], each["owe"])
        for of in document["parties"]
        for each in of["partners"]
    ]

    assert next(iter(table[0])) == "party"
    assert [(each["party"], each["id"], each["owe"]) for each in table] == wanted
    assert ("growthos", "growthos-harbourlight", "1794.83") in wanted


def test_the_verdict_counts_each_running_partnership(client: TestClient) -> None:
    page = text(client.get(f"/portfolio?{PAST}").text)

    assert "5 of 6 running partnerships are not on track, 1 has nothing to measure yet." in page


@pytest.mark.parametrize(
    "path",
    [
        "/alerts?rule=nothing",
        "/alerts?acts=nothing",
        "/portfolio?company=nothing",
        f"/partnerships/{ONE}/history?by=nothing",
    ],
)
def test_a_filter_that_lets_nothing_pass_is_shown_as_it_was_asked(
    client: TestClient, path: str
) -> None:
    page = client.get(path).text

    assert re.search(r"<option( value=.nothing.)? selected>nothing</option>", page, re.IGNORECASE)


def test_the_alerts_of_a_partnership_without_any_are_named_as_the_others(
    client: TestClient,
) -> None:
    page = text(client.get("/alerts?partnership=spring-germany").text)

    assert "Alerts of Lumastream" in page


def test_a_deadline_says_how_far_ahead_it_is_where_the_page_is_live(client: TestClient) -> None:
    assert re.search(r", in \d+ days", text(client.get("/portfolio").text))
    assert not re.search(r", (in \d+ days|tomorrow|today)", text(client.get(f"/inbox?{PAST}").text))
    assert not re.search(r", in \d+ days", text(client.get(f"/portfolio?{PAST}").text))


def test_days_ahead_are_in_words() -> None:
    today = date(2026, 9, 21)
    ahead = [shown.in_days(today + timedelta(days=each), today) for each in (-1, 0, 1, 10)]

    assert ahead == ["", "today", "tomorrow", "in 10 days"]
    assert shown.in_days(today, None) == ""


def test_a_bar_and_a_bullet_of_few_cases_have_the_count_first() -> None:
    few = FigureLine(
        Decimal("62.5"),
        "percent",
        "counted",
        Decimal(5),
        Decimal(8),
        metric="lead_to_opportunity",
        period="2026-Q3",
        direction=Direction.UP,
    )

    assert shown.counted_rate(few).startswith("5 of 8 (62.5")
    assert figures.label(few, few.value or Decimal(0)) == "5 of 8"
    many = replace(few, numerator=Decimal(50), denominator=Decimal(80))
    assert "of" not in figures.label(many, many.value or Decimal(0))
