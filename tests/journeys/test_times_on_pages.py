"""A page says when: in the time zone of the agreement with UTC beside, and as of which moment.

The story: the agreement's days are those of New York. A deal is paid there late on the evening of
31 October, which is 1 November in UTC. The clerk reads it under October, with the day of October.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment
from starlette.testclient import TestClient

from infra.http import create_app
from infra.http.pages import shown, timeline
from tests.feeds import played, simulated
from tests.infra.answers.small_stories import log
from tests.infra.answers.test_local_days import NAME as TOKYO
from tests.infra.answers.test_local_days import evening
from tests.journeys.pages import ONE, PAST, text

NEW_YORK = ZoneInfo("America/New_York")
EVENING = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
"""31 October, 23:00 in New York."""


def written(template: str, **given: object) -> str:
    environment = Environment(autoescape=True)
    environment.filters |= shown.FILTERS
    return text(environment.from_string(template).render(**given))


@pytest.mark.parametrize(
    ("template", "zone", "wanted"),
    [
        ("{{ at | moment }}", None, "1 Nov 2026, 03:00"),
        ("{{ at | moment }}", NEW_YORK, "31 Oct 2026, 23:00 EDT (1 Nov 2026, 03:00 UTC)"),
        ("{{ at | day }}", None, "1 Nov 2026"),
        ("{{ at | day }}", NEW_YORK, "31 Oct 2026 (1 Nov 2026 UTC)"),
        ("{{ at.date() | day }}", NEW_YORK, "1 Nov 2026"),
    ],
)
def test_a_time_is_in_the_zone_of_the_agreement_with_utc_beside(
    template: str, zone: ZoneInfo | None, wanted: str
) -> None:
    assert written(template, at=EVENING, zone=zone) == wanted


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with played(tmp_path_factory.mktemp("times")) as accord, accord.workers() as workers:
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as found:
            yield found


@pytest.fixture(scope="module")
def tokyo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with simulated(tmp_path_factory.mktemp("tokyo")) as accord, accord.workers() as workers:
        accord.history.append(log({TOKYO: evening()}))
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as found:
            yield found


def test_the_history_says_in_which_zone_it_is(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "zone_of", lambda *_: NEW_YORK)

    page = text(client.get(f"/partnerships/{ONE}/history").text)

    assert "Times are in the agreement's time zone, America/New_York" in page
    assert re.search(r"\d\d:\d\d E[DS]T \(\d\d:\d\d UTC\)", page)


@pytest.mark.parametrize(
    "path",
    [
        "/alerts",
        "/inbox",
        "/money",
        "/portfolio",
        "/search?words=They+chose+another",
        f"/partnerships/{TOKYO}",
        f"/partnerships/{TOKYO}/evidence",
        f"/partnerships/{TOKYO}/history",
        f"/partnerships/{TOKYO}/next",
        f"/partnerships/{TOKYO}/statements/2026-05",
        f"/partnerships/{TOKYO}/statements/2026-04:USD",
    ],
)
def test_a_day_of_a_page_is_one_of_the_agreement(tokyo: TestClient, path: str) -> None:
    """All of it happened on 11 May in Tokyo, where it was still 10 May in UTC."""
    page = tokyo.get(path)

    assert page.status_code == 200
    assert re.findall(r"10 May 2026(?! UTC|,? \d\d:\d\d).{0,40}", text(page.text)) == []


def test_the_history_tells_what_happened_first_and_who_exported(client: TestClient) -> None:
    """Two equal minutes were printed twice, and an export was the work of nobody."""
    reason = {"reason": "For the audit", "by": "audrey"}
    page = client.get(f"/partnerships/{ONE}/evidence").text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token
    form = {"form_token": token[1], **reason}
    sent = client.post(f"/partnerships/{ONE}/evidence/bundle", data=form)
    rows = client.get(f"/partnerships/{ONE}/history").text.partition('id="events"')[2]
    said = [text(each) for each in re.findall(r"<tr id=.*?</tr>", rows, re.DOTALL)]

    assert sent.status_code == 200
    assert "Exported an evidence bundle: For the audit" in said[0]
    assert said[0].endswith("Operator audrey")
    assert not re.search(r"(\d+ \w+ \d+, \d\d:\d\d) \1", " ".join(said))


# --- the moment that is asked about ------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "title", "says"),
    [
        ("at=2026-07-01", "Past view", "What had happened by 1 Jul 2026, 23:59, as known today"),
        (
            "at=2099-01-01",
            "Future view",
            "What is planned or will follow by 1 Jan 2099, 23:59, as known today",
        ),
        (
            "at=2099-01-01&known=2026-07-01",
            "Future view",
            "will follow by 1 Jan 2099, 23:59, as it was known on 1 Jul 2026, 23:59",
        ),
        ("known=2099-01-01", "Future view", "What had happened, as known today (UTC). What will"),
        ("", "Latest", "Everything that is recorded."),
    ],
)
def test_the_bar_says_whether_the_moment_is_past_or_to_come(
    client: TestClient, asked: str, title: str, says: str
) -> None:
    """A view of 2099 was called a past view."""
    found = client.get(f"/partnerships/{ONE}?{asked}").text
    bar = text(found.partition('<section class="moment')[2].partition("</section>")[0])

    assert f"{title} Happened by" in bar
    assert says in bar
    assert ('class="moment past"' in found) == (title == "Past view")


def test_the_bar_keeps_the_time_of_day(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}?known=2026-07-04T10:00:00Z").text

    (field,) = re.findall(
        r'<input [^>]*name="known"[^>]*>', page.partition("<main")[0].partition("moment")[2]
    )
    assert 'type="datetime-local"' in field
    assert 'value="2026-07-04T10:00:00"' in field
    again = client.get(f"/partnerships/{ONE}?at=&known=2026-07-04T10:00:00").text
    assert 'value="2026-07-04T10:00:00"' in again
    assert "4 Jul 2026, 10:00" in text(again)


@pytest.mark.parametrize("path", ["", "/history", "/statements/2026-Q3"])
def test_before_its_first_event_a_partnership_is_on_no_page(client: TestClient, path: str) -> None:
    page = client.get(f"/partnerships/{ONE}{path}?at=2000-01-01")

    assert page.status_code == 404


def test_a_link_names_the_day_that_was_asked_for(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}?{PAST}").text

    assert set(re.findall(r"at=([^&\"]+)", page)) == {"2026-09-21"}
    assert not re.findall(r'href="[^"]*999999', page)


def test_a_late_fact_says_how_much_later_it_came_and_what_it_earned(client: TestClient) -> None:
    page = text(client.get(f"/partnerships/{ONE}/history?known=2026-07-06").text)

    assert "↘ 4 days 16 hoursJune 2026: +1,875.00 USD to Northbridge Advisory" in page
    assert "↘ 7 daysnothing" in page


def test_what_both_did_names_who_acted_for_both(client: TestClient) -> None:
    page = text(client.get(f"/partnerships/{ONE}/history?words=agreed+terms").text)

    assert "Northbridge Advisory and its partner agreed terms, version 2" in page
    assert "And its partner" not in page


def test_two_moments_are_compared_in_groups(client: TestClient) -> None:
    address = f"/partnerships/{ONE}/history?against=2026-07-01&known=2026-07-06"
    page = client.get(address).text

    groups = re.findall(r'scope="rowgroup">([^<]+)</th></tr>\s*<tr><th scope="row">([^,]+)', page)
    assert [name for name, _ in groups] == ["Statements", "Figures", "Terms, plans and people"]
    assert groups[1][1] == "Payments"


def test_a_day_stays_a_day(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}?known=2026-07-04").text

    assert '<input type="date" name="known" value="2026-07-04">' in page


@pytest.mark.parametrize("path", ["/inputs", f"/partnerships/{ONE}/evidence"])
def test_a_page_that_has_no_past_says_so(client: TestClient, path: str) -> None:
    assert "This page cannot show another moment." in client.get(f"{path}?{PAST}").text
    assert "This page cannot show another moment." not in client.get(path).text


# --- a long history ----------------------------------------------------------------------------


def listed(page: str) -> list[int]:
    return [int(each) for each in re.findall(r'<tr id="event-(\d+)"', page)]


def test_a_history_has_pages_of_100_events_and_an_event_leads_to_its_own(
    client: TestClient,
) -> None:
    path = f"/partnerships/{ONE}/history"
    latest = client.get(path).text
    count = client.get(f"/v1{path}?limit=1000").json()["items"][-1]["index"] + 1

    found, pages = listed(latest), 1
    while following := re.search(r'href="([^"]+)">Earlier events', latest):
        latest = client.get(unescape(following[1])).text
        assert len(listed(latest)) <= timeline.MOST_LISTED
        found, pages = found + listed(latest), pages + 1

    assert found == list(range(count))[::-1]
    assert pages == -(-count // timeline.MOST_LISTED)
    assert 3 in listed(client.get(f"{path}?event=3").text)


def test_everything_is_shown_of_two_moments_and_kept_by_its_links(client: TestClient) -> None:
    path = f"/partnerships/{ONE}/history?against=2026-07-01&known=2026-07-06"
    page = client.get(path).text
    (more,) = re.findall(r'href="([^"]+)">Show everything<', page)

    whole = client.get(unescape(more)).text

    assert "the same</span>" not in page
    assert whole.count("the same</span>") > 20
    beside = {unescape(each) for each in re.findall(r'href="([^"]*/compare[.]json[^"]*)"', whole)}
    (link,) = beside
    assert len(client.get(link).json()["unchanged"]) == whole.count("the same</span>")
    assert client.get(link.replace(".json", ".csv")).text.count("\n") > 20
    assert "Show only what differs" in whole


def test_a_history_is_filtered_by_party_lateness_and_corrections(client: TestClient) -> None:
    path = f"/partnerships/{ONE}/history"

    def listed(query: str) -> list[str]:
        page = client.get(f"{path}?{query}").text
        return re.findall(r'<tr id="event-.*?</tr>', page, re.DOTALL)

    late, corrections = listed("which=late"), listed("which=corrections")
    assert late
    assert all("late</span>" in each for each in late)
    assert corrections
    assert all("±</span> correction" in each for each in corrections)
    by = listed("by=northbridge")
    assert by
    assert all("<td>Northbridge Advisory" in each for each in by)
    assert listed("by=northbridge&which=late") == [each for each in late if each in by]
    assert all("Automatic" in each or "Operator" in each for each in listed("by=accord"))
    assert "No event passes the filter." in client.get(f"{path}?by=nobody").text
    assert client.get(f"{path}?which=early").status_code == 422


def test_the_filter_of_a_history_is_kept_by_its_links(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}/history?by=growthos&words=e").text

    assert re.search(r"history\?event=\d+&amp;words=e&amp;by=growthos#events", page)
    assert "; of GrowthOS; with the words e" in text(page)
    assert '<input type="hidden" name="by" value="growthos">' in page


def test_late_strokes_say_by_how_many_days_and_corrections_have_their_mark(
    client: TestClient,
) -> None:
    page = client.get(f"/partnerships/{ONE}/history?which=corrections").text
    (rails,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)

    assert re.search(r'<text class="lag"[^>]*>\d+ days? late</text>', rails)
    assert rails.count('class="mends"') == page.count("±</span> correction")


def test_a_history_is_filtered_by_words(client: TestClient) -> None:
    path = f"/partnerships/{ONE}/history"

    page = client.get(f"{path}?words=REF-0011").text

    rows = re.findall(r'<tr id="event-\d+".*?</tr>', page, re.DOTALL)
    assert rows
    assert all("ref-0011" in text(each) for each in rows)
    assert "No event has these words." in client.get(f"{path}?words=nowhere-at-all").text


def test_the_box_of_the_search_is_empty_on_a_filtered_history(client: TestClient) -> None:
    """It said None, or the words of the filter."""
    for query in ("", "?words=REF-0011"):
        page = client.get(f"/partnerships/{ONE}/history{query}").text
        (box,) = re.findall(r'<input type="search" name="words" aria-label="Search"[^>]*>', page)
        assert "value=" not in box


# --- amounts in a text -------------------------------------------------------------------------


def test_an_amount_in_a_text_is_written_as_in_a_table() -> None:
    blank = "\N{NO-BREAK SPACE}"
    said = "Pays 12500.00 USD of 3000 EUR for ref-2026.10 in 2026-Q3."

    assert shown.readable(said) == (
        f"Pays 12,500.00{blank}USD of 3,000.00{blank}EUR for ref-2026.10 in Q3 2026."
    )


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("rated 2026-Q2: trust 4", "rated Q2 2026: trust 4"),
        ("an action by 2026-07-31: a page", "an action by 31 Jul 2026: a page"),
        ("statement 2026-Q2:USD", "statement 2026-Q2:USD"),
        ("at least 20 USD", "at least 20.00\N{NO-BREAK SPACE}USD"),
        ("new users: 8800 of 10000 by 2026-07-31", "new users: 8,800 of 10,000 by 31 Jul 2026"),
        (
            "the rate of 2026-08: 1 EUR is 1.0912 USD",
            "the rate of August 2026: 1 EUR is 1.0912\N{NO-BREAK SPACE}USD",
        ),
        ("15 % of 12500.00", "15 % of 12,500.00"),
        (
            "9000.00 USD is disputed; deal/D-1 earned 3000.00 USD.",
            "9,000.00 USD is disputed; deal/D-1 earned 3,000.00 USD.",
        ),
        (
            "Its first event is at 2025-09-15T09:00:00Z; ask for that time.",
            "Its first event is at 15 Sep 2025, 09:00 UTC; ask for that time.",
        ),
        ("review r of 2026-04-08 14:00 UTC", "review r of 8 Apr 2026, 14:00 UTC"),
        ("win@2026-07-27T15:00:00Z@growthos", "win@2026-07-27T15:00:00Z@growthos"),
        (
            "came to 2 % in April 2026 and 2.1333 % in May 2026. Both agreed: not below 3 %.",
            "came to 2 % in April 2026 and 2.1 % in May 2026. Both agreed: not below 3 %.",
        ),
        (
            "came to 4.96 % in May 2026. Both agreed: not below 5 %.",
            "came to 4.96 % in May 2026. Both agreed: not below 5 %.",
        ),
        (
            "Leads came to 8000 in Q1 2026. Both agreed: not below 12000.",
            "Leads came to 8,000 in Q1 2026. Both agreed: not below 12,000.",
        ),
        ("a month with at least 3000 new users", "a month with at least 3,000 new users"),
        (
            "10 % of it, 20 % above 10000.50, at most 25000 a year",
            "10 % of it, 20 % above 10,000.50, at most 25,000 a year",
        ),
        ("at least 3000.00 EUR from 2026-09-01", "at least 3,000.00 EUR from 1 Sep 2026"),
        ("The target was 8000 by 2026-06-30.", "The target was 8,000 by 30 Jun 2026."),
        ("from 180000 to 234000 by 2026-07-31", "from 180,000 to 234,000 by 31 Jul 2026"),
        (
            "267000 of 600000.00 USD, 44.50 % of the target in 48.74 % of the time",
            "267,000.00 of 600,000.00 USD, 44.5 % of the target in 48.7 % of the time",
        ),
        ("the largest brings 77.97 %, more than 70 %", "the largest brings 78 %, more than 70 %"),
        ("15.25 % of 12500.00 USD", "15.25 % of 12,500.00 USD"),
        ("the annual review of 2026, which", "the annual review of 2026, which"),
    ],
)
def test_numbers_days_and_periods_have_one_form_for_people(said: str, read: str) -> None:
    assert shown.readable(said).replace("\N{NO-BREAK SPACE}", " ") == read.replace(
        "\N{NO-BREAK SPACE}", " "
    )


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"/partnerships/{ONE}?at=2024-01-01", "Its first event is at 15 Sep 2025, 09:00 UTC;"),
        (f"/partnerships/{ONE}/history?against=2020-01-01", "by 1 Jan 2020, 23:59 UTC."),
    ],
)
def test_a_page_of_an_error_writes_times_as_all_pages_do(
    client: TestClient, path: str, says: str
) -> None:
    page = client.get(path, headers={"Accept": "text/html"})

    assert page.status_code == 404
    assert says in text(page.text)


def test_what_is_wrong_with_a_field_says_how_the_field_is_written(client: TestClient) -> None:
    page = client.get(f"/partnerships/{ONE}?at=2026-13-01", headers={"Accept": "text/html"})

    assert "2026-13-01" in page.text
    assert "Write a date, as in 2026-01-31" in page.text


def test_an_identifier_is_kept_on_one_line_and_what_is_written_stays_escaped() -> None:
    said = shown.whole("<b> deal hl-0004, pay-off")
    line = shown.whole("Dispute line-266.1 about ref-0011.")

    assert said == '&lt;b&gt; deal <span class="nowrap">hl-0004</span>, pay-off'
    assert '<span class="nowrap">line-266.1</span>' in line
    assert line.endswith('<span class="nowrap">ref-0011</span>.')


def test_a_history_is_filtered_by_an_amount_as_it_is_shown_or_recorded(client: TestClient) -> None:
    path = f"/partnerships/{ONE}/history"
    shown_as, recorded_as = (
        listed(client.get(f"{path}?words={each}").text) for each in ("12,500.00", "12500.00")
    )

    assert shown_as == recorded_as != []


# --- what only a sender reads ------------------------------------------------------------------


def test_a_rule_is_shown_without_the_names_that_only_its_sender_reads() -> None:
    assert shown.unfilled("<name> is not allowed in <stage>.") == "… is not allowed in …."


def test_a_history_marks_what_corrects_an_earlier_event(client: TestClient) -> None:
    page = text(client.get("/partnerships/growthos-harbourlight/history?words=corrected").text)

    assert "6 correct earlier ones, which stay as they were recorded." in page
    assert "± correction" in page
    assert "correct" not in text(client.get("/partnerships/spring-spain/history").text)
