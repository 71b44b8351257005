"""The page of one partnership: where it stands, and since when.

The first story: growthos and Brightpath ran a partnership before they had Accord. Its adoption says
since when, under terms that were agreed in New York. The second one is the demo's.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from domain.claims import ConfirmClaim, ObjectToClaim
from domain.examples import ADOPTED, ADOPTION, Step
from domain.execution import ProposeReview
from domain.referral import SubmitReferral
from infra.http import create_app
from tests.feeds import played, simulated
from tests.infra.messages import from_steps
from tests.infra.signing import NAME
from tests.journeys.pages import ONE, PAST, text
from tests.life import OURS, THEIRS, changed, example

FIRST, *LATER = ADOPTION.terms
IN_NEW_YORK = changed(
    ADOPTION,
    terms=[changed(FIRST, frame=changed(FIRST.frame, time_zone="America/New_York")), *LATER],
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    first, *rest = ADOPTED
    with simulated(tmp_path) as accord, accord.workers() as workers:
        accord.service.handle(from_steps([first._replace(command=IN_NEW_YORK), *rest]))
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as found:
            yield found


def test_an_adopted_partnership_runs_since_its_first_day_and_not_since_its_record(
    client: TestClient,
) -> None:
    page = text(client.get(f"/partnerships/{NAME}").text)

    assert "the partnership runs since 1 Oct 2023" in page
    assert "Execution since" not in page
    assert "Explorationnot recorded here" in page
    assert "Scalingnot yet" in page


def test_adopted_terms_were_agreed_on_their_day_west_of_utc(client: TestClient) -> None:
    page = text(client.get(f"/partnerships/{NAME}").text)

    for each in ADOPTION.terms:
        assert f"agreed {each.agreed_on.day} {each.agreed_on:%b %Y} " in page


def test_what_awaits_an_answer_says_by_when_or_since_when(tmp_path: Path) -> None:
    """The proposal has a last day. The lead was rejected, and its party acts whenever it likes."""
    at = datetime(2025, 9, 20, 14, tzinfo=UTC)
    lead = ConfirmClaim(deal="D-9", fact="referral").model_dump(include={"deal", "fact"})
    steps = [
        *ADOPTED,
        Step("2025-09-05T14:00:00Z", OURS, example(ProposeReview, at=at)),
        Step("2025-09-05T15:00:00Z", THEIRS, SubmitReferral(deal="D-9", lead="A hotel")),
        Step("2025-09-06T15:00:00Z", OURS, ObjectToClaim(**lead, reason="It is a customer.")),
    ]
    with simulated(tmp_path) as accord, accord.workers() as workers:
        accord.service.handle(from_steps(steps))
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as client:
            pages = [
                cells(client.get(f"/partnerships/{NAME}").text),
                cells(client.get("/inbox").text),
                cells(client.get(f"/partnerships/{NAME}/next").text),
            ]

    for page in pages:
        assert "by 19 Sep 2025" in page
        assert "since 6 Sep 2025" in page


# --- the demo ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with played(tmp_path_factory.mktemp("partnership")) as accord, accord.workers() as workers:
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as found:
            yield found


def cells(page: str) -> str:
    """Return the words of a page, with a space between cells."""
    return text(page.replace("<", " <"))


@pytest.fixture(scope="module")
def page(demo: TestClient) -> str:
    return demo.get(f"/partnerships/{ONE}?{PAST}").text


def test_a_figure_has_its_agreed_limit_beside_it(page: str) -> None:
    assert 'aria-label="Leads: Q1 2026 8, beyond the limit, Q2 2026 8, beyond the limit' in page
    assert "Q3 2026 14, still running; minimum 10" in page
    assert "Not below 5 %, 2 quarters in a row (conversion-floor) #" in cells(page)


def test_what_new_terms_replaced_ended_on_the_day_before_them(page: str) -> None:
    assert "version 2, since 1 Jul 2026" in cells(page)
    assert "on each payment until 30 Jun 2026" in cells(page)
    assert "until 1 Jul 2026" not in cells(page)


def test_an_open_dispute_says_since_when(page: str) -> None:
    assert re.search(r"Dispute The client had a trial .{0,60} trial 18 Sep 2026 Open", cells(page))


def test_a_step_that_was_left_out_is_not_still_to_come(demo: TestClient) -> None:
    ended = cells(demo.get("/partnerships/growthos-harbourlight").text)

    assert "Exploration not recorded here" in ended
    assert "Scaling not entered" in ended


def test_a_rate_has_its_likely_range(page: str) -> None:
    row = cells(page[page.index(">Lead to demo<") + 1 :])

    assert row.startswith("Lead to demo – 5 of 8 (62.5 %) likely 29.9 % to 86.3 %")


def test_the_figures_are_grouped_by_what_they_are_about(page: str) -> None:
    shown = cells(page)
    groups = ["The funnel", "Each party", "Growth", "Media", "Operations"]

    places = [
        shown.index(f"{each} {first}")
        for each, first in zip(
            groups,
            ["Leads", "Deals sourced", "Registrations", "Co-branded revenue", "Internal survey"],
            strict=True,
        )
    ]
    assert places == sorted(places)


def test_the_funnel_marks_the_largest_drop(page: str) -> None:
    shown = cells(page)

    assert "Won ▼ largest drop 4" in shown
    assert "It is higher than theirs with a probability of 78.3 %." in shown


def test_each_side_says_how_it_sees_the_partnership(page: str) -> None:
    shown = cells(page)

    assert "GrowthOS Q2 2026 4 4 +1 3 3" in shown
    assert "Northbridge Advisory Q2 2026 4 3 −1 4 +1 not given" in shown


def test_what_the_page_shows_is_beside_it_as_json_and_as_a_table(demo: TestClient) -> None:
    at = f"/partnerships/{ONE}"
    shown = demo.get(f"{at}.json?{PAST}").json()
    figures = demo.get(f"{at}/figures.json?{PAST}").json()["figures"]
    funnel = demo.get(f"{at}/funnel.json?{PAST}").json()["funnel"]

    assert [each["party"] for each in shown["health"]] == ["growthos", "northbridge"]
    assert {limit["rule"] for each in figures for limit in each["limits"]} == {
        "campaign-leads",
        "conversion-floor",
    }
    assert {each["period"]: each["is_over"] for each in figures}.items() >= {
        "2026-Q2": True,
        "2026-Q3": False,
    }.items()
    assert funnel["worst"] == "won"
    assert "conversion-floor" in demo.get(f"{at}/figures.csv?{PAST}").text
    assert demo.get(f"{at}/funnel.csv?{PAST}").text.startswith("step,count,goes_on")


def test_what_adds_up_to_nothing_is_not_earned_so_far(demo: TestClient) -> None:
    """Of one deal, what a rate was missing for was taken back, so nothing waits for a rate."""
    found = demo.get("/v1/partnerships/growthos-harbourlight/statements").json()["running"]

    assert found == []


def test_a_statement_is_named_by_its_period_the_latest_first(page: str) -> None:
    shown = cells(page)

    second = shown.index("Q2 2026 ✓ Paid 2,175.00 USD issued 6 Jul 2026 #")
    assert second < shown.index("Q1 2026 ✓ Paid 1,500.00 USD issued 6 Apr 2026 #")


def test_what_somebody_must_act_on_is_above_the_reminders(page: str) -> None:
    kinds = re.findall("● Open|○ Reminder", cells(page).partition("Targets")[0])

    assert {*kinds} == {"● Open", "○ Reminder"}
    assert kinds == sorted(kinds, key="● Open ○ Reminder".index)


def test_what_awaits_an_answer_is_above_the_reminders(demo: TestClient) -> None:
    shown = cells(demo.get(f"/partnerships/growthos-harbourlight?{PAST}").text)

    assert shown.index("● Open") < shown.index("● Consent") < shown.index("○ Reminder")


def test_what_happens_to_the_assets_is_said_in_words(page: str) -> None:
    assert "notice 60 days; each side keeps its assets at exit" in cells(page)


def test_two_targets_of_one_metric_are_told_apart(demo: TestClient) -> None:
    shown = cells(demo.get(f"/partnerships/cobalt-docs?{PAST}").text)

    assert "New subscribers (newsletter) 1,200 by" in shown
    assert "New subscribers (trial) 900 by" in shown
    assert "Unique viewers 40,000 by" in shown


def test_a_review_that_awaits_has_its_hour(page: str) -> None:
    assert re.search(r"by\s23\sSep\s2026\s*, begins\s23\sSep\s2026,\s14:00", cells(page))
