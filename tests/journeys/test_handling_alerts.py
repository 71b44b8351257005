"""Handling alerts: seen, given to somebody, put aside; each side for itself.

The story: the referral minimum of the first quarter is missed, and an alert is open. Olu of the
operator and Maya of growthos handle it, each on their own side.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers import alerts
from infra.answers.logs import AsOf
from infra.bootstrap import Accord
from infra.http import create_app
from infra.projecting.rebuild import rebuild
from projections import PROJECTIONS
from projections.alert_acts import Handling
from projections.alerts import Alert, AlertState
from projections.visibility import Viewer
from tests.infra.answers.test_every_alert import STANDING, recorded
from tests.infra.told import Told
from tests.journeys import typed
from tests.journeys.test_acting_from_pages import Form, signed_in
from tests.life import OURS, THEIRS

RULE = "referral-minimum"
NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)


@dataclass
class Desk:
    """A store with an open alert, what time it is, and who can sign in."""

    accord: Accord
    clock: Told
    client: TestClient
    alert: Alert
    keys: dict[str, str]

    def post(self, who: str, act: str, **given: str) -> Response:
        """Send an act over HTTP with the key of a person."""
        found: Response = self.client.post(
            f"/v1/alerts/{act}",
            json={"alert": self.alert.id, **given},
            headers={"Authorization": f"Bearer {self.keys[who]}"},
        )
        return found

    def seen_by(self, party: str | None) -> Handling | None:
        """What a side sees that was done about the alert."""
        when = AsOf(viewer=Viewer(party))
        return alerts.ask(self.accord, when=when).handling.get(self.alert.id)


GRANTS = {
    "Olu Ade": Grant(role=Role.OPERATOR, actor="Olu Ade"),
    "Maya Ortiz": Grant(role=Role.PARTY, party=OURS, actor="Maya Ortiz"),
    "Boris Brandt": Grant(role=Role.PARTY, party=THEIRS, actor="Boris Brandt"),
    "Ada Ray": Grant(
        role=Role.AUDITOR, actor="Ada Ray", partnerships=frozenset({"growthos-brightpath"})
    ),
    "pager": Grant(role=Role.OPERATIONS, actor="pager"),
    "Nora West": Grant(role=Role.PARTY, party="northwind", actor="Nora West"),
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with recorded(tmp_path, STANDING[RULE]()) as opened:
        clock = Told()
        clock.now = NOW
        accord = replace(opened, clock=clock)
        (alert,) = (
            each for each in alerts.ask(accord, state=AlertState.OPEN).items if each.rule == RULE
        )
        store = accord.history.credentials
        keys = {who: credentials.create(store, each, NOW).key for who, each in GRANTS.items()}
        with accord.workers() as workers, TestClient(create_app(accord, workers)) as client:
            yield Desk(accord, clock, client, alert, keys)


def test_a_person_acknowledges_assigns_and_silences_an_alert(desk: Desk) -> None:
    assert desk.post("Olu Ade", "acknowledge").status_code == 200
    assert desk.post("Olu Ade", "assign", to="Sam Adeyemi").status_code == 200
    answer = desk.post("Olu Ade", "silence", until="2026-04-10")

    assert desk.seen_by(None) == Handling(
        acknowledged_by="Olu Ade",
        acknowledged_at=NOW,
        assigned_to="Sam Adeyemi",
        assigned_by="Olu Ade",
        assigned_at=NOW,
        silenced_until=datetime(2026, 4, 10, tzinfo=UTC),
        silenced_by="Olu Ade",
        silenced_at=NOW,
    )
    assert answer.json()["handling"]["silenced_until"] == "2026-04-10T00:00:00Z"


def test_a_side_sees_what_its_own_people_did_and_nobody_else_does(desk: Desk) -> None:
    desk.post("Maya Ortiz", "acknowledge")
    desk.post("Olu Ade", "assign", to="Sam Adeyemi")

    ours, operators, theirs = (desk.seen_by(each) for each in (OURS, None, THEIRS))

    assert ours == Handling(acknowledged_by="Maya Ortiz", acknowledged_at=NOW)
    assert operators == Handling(assigned_to="Sam Adeyemi", assigned_by="Olu Ade", assigned_at=NOW)
    assert theirs is None
    for who in ("Boris Brandt", "Ada Ray"):
        headers = {"Authorization": f"Bearer {desk.keys[who]}"}
        assert desk.client.get("/v1/alerts", headers=headers).json()["handling"] == {}
        assert "Adeyemi" not in desk.client.get("/alerts", headers=headers).text


def test_the_acts_are_in_no_history_and_a_rebuild_changes_none(desk: Desk) -> None:
    size = desk.accord.history.heads([desk.alert.partnership])[desk.alert.partnership].size
    desk.post("Olu Ade", "acknowledge")
    before = alerts.ask(desk.accord)

    rebuild(desk.accord.history, desk.accord.views, PROJECTIONS)

    assert alerts.ask(desk.accord) == before
    assert before.handling
    assert desk.accord.history.heads([desk.alert.partnership])[desk.alert.partnership].size == size


def test_a_silenced_alert_is_put_aside_on_the_page_and_comes_back_on_its_day(desk: Desk) -> None:
    desk.post("Olu Ade", "silence", until="2026-04-10")
    headers = {"Authorization": f"Bearer {desk.keys['Olu Ade']}"}

    def sections() -> dict[str, bool]:
        page = desk.client.get("/alerts", headers=headers).text
        parts = re.split(r'<caption id="(\w+)">', page)[1:]
        return {
            name: f'<tr id="{desk.alert.id}">' in body
            for name, body in zip(parts[::2], parts[1::2], strict=True)
        }

    assert sections() == {"open": False, "silenced": True, "resolved": False}
    desk.clock.now = NOW + timedelta(days=4)
    assert sections() == {"open": True, "resolved": False}


def test_a_silenced_alert_is_brought_back_before_its_day(desk: Desk) -> None:
    desk.post("Olu Ade", "silence", until="2026-04-10")

    answer = desk.client.post(
        "/v1/alerts/silence",
        json={"alert": desk.alert.id, "until": None},
        headers={"Authorization": f"Bearer {desk.keys['Olu Ade']}"},
    )

    assert answer.status_code == 200
    assert desk.seen_by(None) is None


def test_on_the_page_a_wrong_day_is_said_beside_its_alert_and_a_silence_is_ended(
    desk: Desk,
) -> None:
    # A browser drops the cookie of a session that ended before today.
    desk.clock.now = datetime.now(UTC)
    today = desk.clock.now.date()
    with signed_in(desk.accord, GRANTS["Maya Ortiz"]) as browser:
        page = browser.get("/alerts").text
        form = Form.of(browser.get("/alerts"))
        form.action = "/alerts/silence"
        refused = form.send(browser, until=f"{today}")
        silenced = form.send(browser, until=f"{today + timedelta(days=4)}")
        back = form.send(browser, bring_back="yes")

    first, last = today + timedelta(days=1), today + timedelta(days=90)
    assert f'name="until" min="{first}" max="{last}"' in page
    assert '<option value="Maya Ortiz">' in page
    assert refused.status_code == 422
    assert "The day until which it is silenced is not after now." in refused.text
    assert f'value="{today}"' in refused.text
    assert "Bring back" in silenced.text
    assert "The alert is back among the open ones." in back.text
    assert desk.seen_by(OURS) is None


def test_what_was_just_done_is_said_once_and_not_after_a_reload(desk: Desk) -> None:
    desk.clock.now = datetime.now(UTC)
    with signed_in(desk.accord, GRANTS["Maya Ortiz"]) as browser:
        form = Form.of(browser.get("/alerts"))
        form.action = "/alerts/assign"
        done = form.send(browser, to="Ines Roy")
        again = browser.get(f"{done.url}")

    assert "The alert is assigned." in done.text
    assert "Assigned to <strong>Ines Roy</strong>" in again.text
    assert "The alert is assigned." not in again.text
    assert "Accord has no list of your people" in done.text


def test_the_table_has_what_a_side_did_about_each_alert(desk: Desk) -> None:
    """A silenced alert was an ordinary open row."""
    desk.post("Olu Ade", "acknowledge")
    desk.post("Olu Ade", "assign", to="Sam Adeyemi")
    desk.post("Olu Ade", "silence", until="2026-04-10")

    def row(who: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {desk.keys[who]}"}
        table = csv.DictReader(StringIO(desk.client.get("/alerts.csv", headers=headers).text))
        (found,) = (each for each in table if each["id"] == desk.alert.id)
        return {name: each for name, each in found.items() if name.startswith("handling.")}

    assert row("Olu Ade") == {
        "handling.acknowledged_by": "Olu Ade",
        "handling.acknowledged_at": "2026-04-06T09:00:00Z",
        "handling.assigned_to": "Sam Adeyemi",
        "handling.assigned_by": "Olu Ade",
        "handling.assigned_at": "2026-04-06T09:00:00Z",
        "handling.silenced_until": "2026-04-10T00:00:00Z",
        "handling.silenced_by": "Olu Ade",
        "handling.silenced_at": "2026-04-06T09:00:00Z",
    }
    assert {*row("Boris Brandt").values()} == {""}


def test_the_same_act_again_records_nothing(desk: Desk) -> None:
    first = desk.post("Olu Ade", "acknowledge")
    desk.clock.now = NOW + timedelta(hours=1)

    assert desk.post("Olu Ade", "acknowledge").json() == first.json()
    assert len(desk.accord.history.alert_acts.of(None, [desk.alert.id])) == 1


@pytest.mark.parametrize(
    ("who", "given", "status", "says"),
    [
        ("Nora West", {}, 403, "not-your-partnership"),
        ("Ada Ray", {}, 403, "needs the scope operate"),
        ("pager", {}, 403, "needs the scope operate"),
        ("Olu Ade", {"alert": "nonsense"}, 404, "is not the id of an alert"),
        ("Olu Ade", {"alert": "referral-minimum@1/growthos-brightpath/2020-Q1"}, 404, "no alert"),
        ("Olu Ade", {"until": "2026-04-06"}, 422, "until is not after now"),
        ("Olu Ade", {"until": "2999-12-31"}, 422, "until is more than 90 days ahead"),
    ],
)
def test_what_cannot_be_done_says_why(
    desk: Desk, who: str, given: dict[str, str], status: int, says: str
) -> None:
    answer = desk.post(who, "silence", **{"until": "2026-04-10"} | given)

    assert answer.status_code == status
    assert says in answer.text
    assert desk.accord.history.alert_acts.of(None, [desk.alert.id]) == []


def test_an_alert_of_the_past_is_not_acted_on(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.keys['Olu Ade']}"}
    page = desk.client.get("/alerts?known=2026-04-05", headers=headers).text

    assert "<details" in page
    assert "/alerts/silence" not in page


def test_the_command_line_acts_in_the_name_of_the_person_of_its_key(
    desk: Desk, accord: typed.Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text(desk.keys["Maya Ortiz"], encoding="utf-8")
    monkeypatch.setenv("ACCORD_CREDENTIAL", str(key))
    asked = (desk.alert.id, "--party", OURS, "--store", f"sqlite:///{tmp_path}/accord.db")

    assert accord("acknowledge", *asked).code == 0
    assert accord("assign", desk.alert.id, "Ines Roy", *asked[1:]).code == 0
    until = f"{datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}"
    done = accord("silence", *asked, "--until", until)

    assert (done.code, done.err) == (0, done.err)
    assert "Acknowledged by Maya Ortiz" in done.out
    assert "Assigned to Ines Roy by Maya Ortiz" in done.out
    assert f"Silenced until {until} by Maya Ortiz." in done.out
    listed = accord("alerts", "--party", OURS, *asked[3:]).out
    assert f"Silenced until {until} by Maya Ortiz." in " ".join(listed.split())
    assert "Silenced" not in accord("alerts", *asked[3:]).out
    assert accord("silence", *asked).code == 2
    assert "Silenced" not in accord("silence", *asked, "--end").out


def test_an_erased_person_is_named_no_longer(desk: Desk) -> None:
    desk.post("Olu Ade", "assign", to="Sam Adeyemi")

    desk.accord.history.alert_acts.forget(desk.alert.partnership, None, "Sam Adeyemi")

    found = desk.seen_by(None)
    assert found is not None
    assert found.assigned_to == "an erased person"
