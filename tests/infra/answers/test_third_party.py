"""A neutral third party is asked for the figures that it owes, and shown nothing else (C14)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from domain.reported_figure import ReportedFigure, ReportMetric
from domain.sharing import AgreeDataSharing, ProposeDataSharing, SharingLine, ThirdParty
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers import inbox
from infra.answers.inbox import Awaiting, InboxItem
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from infra.http import create_app
from projections.visibility import Viewer
from tests.feeds import played
from tests.infra.answers.demo import CONSULTING, OURS, PARTNER
from tests.infra.messages import message

TRUSTEE = "trustee"
OWN = AsOf(viewer=Viewer(TRUSTEE))
METRIC = "co_branded_revenue"
"""A metric of the charter, whose tool and unit the third party is not shown."""


def line(metric: str, by: str, to: str) -> SharingLine:
    return SharingLine(metrics=[metric], by=by, to=to, frequency="monthly", tool="A vault")


GIVEN = line("web_visits", OURS, TRUSTEE)
"""What the third party is given."""


def shared(accord: Accord, name: str, at: str, *lines: SharingLine, third: str | None) -> None:
    party = ThirdParty(party=third, name="A trustee") if third else None
    proposed = ProposeDataSharing(proposal=name, lines=[*lines], third_party=party)
    agreed = AgreeDataSharing(proposal=name)
    sent = [
        message(f"{name}-proposed", proposed, subject=CONSULTING, at=at),
        message(f"{name}-agreed", agreed, subject=CONSULTING, at=at, party=PARTNER),
    ]
    assert {each.status for each in accord.service.handle(sent)} == {"accepted"}
    accord.catch_up()


def reported(month: str, at: str) -> bytes:
    figure = ReportedFigure(unit="USD", value=Decimal(900))
    data = ReportMetric(metric=METRIC, period=month, tool="vault", figure=figure)
    return message(f"figure-{month}", data, subject=CONSULTING, at=at, party=TRUSTEE)


@pytest.fixture
def accord(tmp_path: Path) -> Iterator[Accord]:
    """The demo, in which a partnership names a third party that gives a figure each month."""
    with played(tmp_path) as accord:
        accord.catch_up()
        back = line(METRIC, TRUSTEE, PARTNER)
        shared(accord, "vault", "2027-03-02", GIVEN, back, third=TRUSTEE)
        accord.service.handle([reported("2027-02", "2027-05-15")])
        accord.catch_up()
        yield accord


def asked(accord: Accord, partnership: str | None = None) -> list[InboxItem]:
    return [*inbox.ask(accord, partnership, OWN).items]


def test_it_is_asked_for_the_figures_that_it_owes_and_for_nothing_else(accord: Accord) -> None:
    items = asked(accord)

    assert [(each.ref, each.awaiting, each.text) for each in items] == [
        (
            f"{METRIC}/-/{month}/{TRUSTEE}",
            awaiting,
            f"Report the figure for co-branded revenue in {month} ({TRUSTEE}).",
        )
        for month, awaiting in (("2027-03", Awaiting.OVERDUE), ("2027-04", Awaiting.DUE))
    ]
    for each in items:
        (event,) = each.events
        assert (event.type, event.subject) == ("accord.ReportMetric", CONSULTING)
        assert event.data == {"metric": METRIC, "period": each.ref.split("/")[2]}
        assert event.missing == ("tool", "figure")
    assert asked(accord, CONSULTING) == items


def test_a_figure_that_it_reported_is_asked_for_no_more(accord: Accord) -> None:
    accord.service.handle([reported(each, "2027-05-16") for each in ("2027-03", "2027-04")])
    accord.catch_up()

    assert asked(accord) == asked(accord, CONSULTING) == []


def test_both_parties_are_asked_for_none_of_its_figures(accord: Accord) -> None:
    for party in (OURS, PARTNER):
        found = inbox.ask(accord, when=AsOf(viewer=Viewer(party))).items
        assert [each for each in found if TRUSTEE in each.ref] == []


def test_one_that_the_protocol_names_no_more_is_asked_and_shown_nothing(accord: Accord) -> None:
    earlier = datetime(2027, 5, 15, 12, tzinfo=UTC)
    then = AsOf(at=earlier, viewer=Viewer(TRUSTEE))
    assert len(inbox.ask(accord, when=then).items) == 2

    shared(accord, "nobody", "2027-05-17", third=None)

    assert asked(accord) == [*inbox.ask(accord, when=then).items] == []
    for when in (OWN, then):
        with pytest.raises(NotFound):
            inbox.ask(accord, CONSULTING, when)


def test_one_that_owes_nothing_is_asked_nothing(accord: Accord) -> None:
    shared(accord, "reader", "2027-05-17", GIVEN, third=TRUSTEE)

    assert asked(accord) == asked(accord, CONSULTING) == []


@pytest.fixture
def client(accord: Accord) -> Iterator[TestClient]:
    """A browser in which a person of the third party is signed in."""
    grant = Grant(role=Role.PARTY, party=TRUSTEE, actor="Nora")
    key = credentials.create(accord.history.credentials, grant, accord.clock()).key
    with accord.workers() as workers, TestClient(create_app(accord, workers)) as client:
        client.headers["accept"] = "text/html"
        form_token = field(client.get("/sign-in").text, "form_token")
        client.post("/sign-in", data={"form_token": form_token, "key": key, "to": "/"})
        yield client


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', page)
    assert found, name
    return unescape(found[1])


def test_its_pages_lead_to_the_form_of_a_figure_and_show_nothing_else(
    accord: Accord, client: TestClient
) -> None:
    pages = [client.get("/inbox"), client.get("/inbox.json"), client.get("/inbox.csv")]
    assert "2 items await trustee" in pages[0].text
    first = next(each for each in links(pages[0]) if "/send/ReportMetric" in each)
    form = client.get(first)
    assert form.status_code == 200
    first_asked, _ = form.text.split("More, if you want to add it")
    assert 'name="data.figure.value"' in first_asked
    assert 'name="data.figure.numerator"' not in first_asked
    # The agreement's time zone is hidden, so the form claims none.
    assert "In UTC." in form.text
    assert "agreement's time zone" not in unescape(form.text)
    fields = ("form_token", "owner", "id", "known", "moment", "data.metric", "data.period")
    sent = {name: field(form.text, name) for name in fields}
    figure = {"data.tool": "vault", "data.figure.unit": "EUR", "data.figure.value": "900"}

    done = client.post(form.url.path, data={**sent, **figure})

    assert (done.status_code, done.url.path) == (200, f"/partnerships/{CONSULTING}/sent")
    assert "reported" in done.text
    accord.catch_up()
    assert [each.awaiting for each in asked(accord)] == [Awaiting.DUE]
    pages += [form, done]
    # Neither the parties, nor the charter's tool and unit, nor a link that it may not follow.
    assert [word for word in SECRET for each in pages if word in each.text] == []
    to = {each for page in pages for each in links(page) if "/partnerships/" in each}
    assert {each for each in to if not each.startswith(form.url.path)} == set()


SECRET = (PARTNER, "Northbridge", "GrowthOS", "Ines", "salesforce", "USD")


def test_where_it_sees_nothing_it_is_led_to_its_inbox(client: TestClient) -> None:
    for path in ("", "/history", "/evidence"):
        page = client.get(f"/partnerships/{CONSULTING}{path}")

        assert page.status_code == 404
        assert "figures that it is given and those that it owes" in page.text
        assert "(accord kpis, accord history)" in page.text
        assert "/inbox" in links(page)


def links(page: Response) -> list[str]:
    return [unescape(each) for each in re.findall(r'href="([^"]*)"', page.text)]
