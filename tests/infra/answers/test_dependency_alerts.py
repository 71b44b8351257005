"""A party is told of revenue that depends on one partner beyond its own limit, and nobody else."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from itertools import count
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from domain.kernel import Refused
from domain.program import DefinePortfolio
from domain.standing_alerts import DEPENDENCY_HIGH
from infra.answers import alerts, explain, inbox, portfolio, show
from infra.answers.dependency_alerts import WAYS
from infra.answers.logs import AsOf, NotFound
from infra.answers.members import check_seen
from infra.bootstrap import Accord
from infra.http import create_app
from projections.alerts import Alert
from projections.visibility import OPERATOR, Viewer
from tests.feeds import FEEDS, event_of, messages, play, simulated
from tests.infra.messages import message

CONSULTING = "growthos-consulting"
PROGRAM = "growthos-program"
OWN = AsOf(viewer=Viewer("growthos"))
ABOUT = f"{DEPENDENCY_HIGH}@1/{PROGRAM}/northbridge/co_branded_revenue/USD"

_numbers = count()


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """The demo of the party with two partnerships, and the limits of its program."""
    with simulated(tmp_path_factory.mktemp("limits")) as accord:
        for feed in (FEEDS[0], FEEDS[4]):
            play(accord, feed)
        accord.runner.catch_up()
        yield accord


def limit(accord: Accord, share: str, at: str = "2027-03-01") -> None:
    """Let the party set the largest share that one partner may have of its revenue."""
    limits = DefinePortfolio(
        fewest_active=1, most_active=3, largest_share=Decimal(share), capacity=Decimal(1)
    )
    sent = message(f"limit-{next(_numbers)}", limits, subject=PROGRAM, party="growthos", at=at)
    (outcome,) = accord.service.handle([sent])
    assert outcome.status == "accepted"
    accord.runner.catch_up()


def dependencies(accord: Accord, when: AsOf = OWN) -> dict[str, Alert]:
    found = alerts.ask(accord, when=when).items
    return {each.id: each for each in found if each.rule == DEPENDENCY_HIGH}


def test_a_share_beyond_the_limit_is_alerted_until_the_limit_allows_it(accord: Accord) -> None:
    limit(accord, "10")
    assert ABOUT in dependencies(accord)

    limit(accord, "100")

    assert dependencies(accord) == {}


def test_the_alert_names_the_partner_the_share_the_limit_the_money_and_who_acts(
    accord: Accord,
) -> None:
    limit(accord, "20")
    alert = next(iter(dependencies(accord).values()))

    assert "more than the 20 % that growthos allows" in alert.text
    (own,) = portfolio.ask(accord, when=OWN).portfolios
    brought = {f"{each.metric}/{each.currency}": each.shares[0].amount for each in own.dependency}
    about = alert.window.partition("/")[2]
    assert alert.at_stake == {about.partition("/")[2]: brought[about]}
    assert alert.partnership == PROGRAM
    assert [(each.party, each.person) for each in alert.who_acts] == [("growthos", "Ines Halloran")]


def test_the_inbox_of_the_party_asks_for_another_limit_until_it_allows_the_share(
    accord: Accord,
) -> None:
    limit(accord, "10")
    asked = {each.ref: each for each in inbox.ask(accord, when=OWN).items}

    item = asked["northbridge"]

    assert (item.partnership, item.party) == (PROGRAM, "growthos")
    (event,) = item.events
    assert (event.type, event.subject) == ("accord.DefinePortfolio", PROGRAM)
    assert event.data == {"fewest_active": 1, "most_active": 3, "capacity": "1"}
    assert event.missing == ("largest_share",)
    assert [*inbox.ask(accord, PROGRAM, when=OWN).items] == [
        each for each in asked.values() if each.partnership == PROGRAM
    ]
    for viewer in (Viewer("northbridge"), OPERATOR):
        others = inbox.ask(accord, when=AsOf(viewer=viewer)).items
        assert PROGRAM not in {each.partnership for each in others}
    limit(accord, "100")
    assert PROGRAM not in {each.partnership for each in inbox.ask(accord, when=OWN).items}


@pytest.mark.parametrize("viewer", [Viewer("northbridge"), Viewer("harbourlight"), OPERATOR])
def test_nobody_else_learns_of_the_limit(accord: Accord, viewer: Viewer) -> None:
    limit(accord, "30")

    assert dependencies(accord, AsOf(viewer=viewer)) == {}


def test_a_party_lists_the_alerts_of_its_own_program_alone(accord: Accord) -> None:
    limit(accord, "10")
    assert ABOUT in {each.id for each in alerts.ask(accord, PROGRAM, when=OWN).items}

    limit(accord, "100")

    assert alerts.ask(accord, PROGRAM, when=OWN).items == ()
    with pytest.raises(NotFound):
        alerts.ask(accord, PROGRAM, when=AsOf(viewer=Viewer("northbridge")))


def test_a_key_of_one_partnership_does_not_show_what_the_others_bring(accord: Accord) -> None:
    limit(accord, "40")
    viewer = Viewer("growthos", partnerships=frozenset({CONSULTING}))

    assert dependencies(accord, AsOf(viewer=viewer)) == {}


def test_the_alert_is_the_same_as_of_a_moment_with_the_limit_of_then(accord: Accord) -> None:
    limit(accord, "15", at="2027-03-02")
    limit(accord, "100", at="2027-03-03")

    assert dependencies(accord) == {}
    for then in (
        AsOf(at=datetime(2027, 3, 2, 23, tzinfo=UTC), viewer=Viewer("growthos")),
        AsOf(known=datetime(2027, 3, 2, 23, tzinfo=UTC), viewer=Viewer("growthos")),
    ):
        assert "more than the 15 % that" in dependencies(accord, then)[ABOUT].text
    before = AsOf(at=datetime(2025, 1, 1, tzinfo=UTC), viewer=Viewer("growthos"))
    assert dependencies(accord, before) == {}


def test_now_and_the_moment_of_the_last_record_give_the_same_alerts(accord: Accord) -> None:
    limit(accord, "25", at="2027-03-04")
    last = accord.history.last_recorded_at()
    assert last is not None

    then = dependencies(accord, AsOf(at=last, viewer=Viewer("growthos")))

    assert then == dependencies(accord) != {}


def test_the_alert_is_explained_to_its_party_and_to_nobody_else(accord: Accord) -> None:
    limit(accord, "35", at="2027-03-05")

    found = explain.ask(accord, ABOUT, when=OWN).explained

    assert isinstance(found, explain.AlertExplained)
    assert found.alert == dependencies(accord)[ABOUT]
    assert found.severity_because == "A partner that leaves takes that share along."
    assert [each.index for each in found.about] == [found.alert.cause]
    with pytest.raises(NotFound):
        explain.ask(accord, ABOUT, when=AsOf())
    with pytest.raises(NotFound):
        explain.ask(accord, ABOUT.replace("northbridge", "another"), when=OWN)


def test_all_revenue_from_one_of_several_partnerships_depends_on_one(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        for feed in (FEEDS[0], FEEDS[4]):
            sent = [each for each in messages(feed) if event_of(each)["time"] < "2026-09-20"]
            accord.service.handle(sent)
        limit(accord, "99", at="2026-09-21")
        check_all_of_one(accord)


def check_all_of_one(accord: Accord) -> None:
    """Check that a party with two partnerships that run is told of revenue that one brings."""
    (own,) = portfolio.ask(accord, when=OWN).portfolios
    of_one = [each for each in own.dependency if len(each.shares) == 1]
    assert of_one
    assert sum(each.active for each in own.partners) > 1

    found = dependencies(accord)

    alone = {f"{each.metric}/{each.currency}" for each in of_one}
    assert {"/".join(each.rsplit("/", 2)[1:]) for each in found} == alone
    assert [each.text for each in found.values() if "brings 100.00 %" not in each.text] == []


def test_the_inbox_asks_once_for_all_that_one_partner_brings(accord: Accord) -> None:
    limit(accord, "10")
    of_each: dict[str, list[str]] = {}
    for alert in dependencies(accord).values():
        assert alert.text.endswith(WAYS)
        says = alert.text.removesuffix(WAYS)
        of_each.setdefault(alert.window.partition("/")[0], []).append(says)
    assert max(map(len, of_each.values())) > 1

    asked = inbox.ask(accord, PROGRAM, when=OWN).items

    assert {each.ref: each.text for each in asked} == {
        partner: "".join(says) + WAYS for partner, says in of_each.items()
    }
    assert len(asked) == len(of_each)
    limit(accord, "100")


def test_a_program_is_seen_by_its_party_alone(accord: Accord) -> None:
    limit(accord, "10")

    check_seen(accord, Viewer("growthos"), PROGRAM)
    with pytest.raises(Refused) as refusal:
        check_seen(accord, Viewer("northbridge"), PROGRAM)
    assert refusal.value.rule == "not-your-partnership"


def test_the_page_of_the_inbox_leads_to_the_form_of_the_limit_and_to_no_partnership(
    accord: Accord,
) -> None:
    limit(accord, "10")
    with accord.workers() as workers:
        client = TestClient(create_app(accord, workers, is_open=True))
        page = client.get("/inbox", params={"party": "growthos"})
        links = [unescape(each) for each in re.findall(r'href="([^"]*)"', page.text)]
        (to_form,) = {each for each in links if each.startswith(f"/partnerships/{PROGRAM}")}
        form = client.get(to_form)
        names = ("form_token", "owner", "id", "known", "moment")
        sent = {name: unescape(_value(form.text, name)) for name in names}
        limits = {"fewest_active": "1", "most_active": "3", "capacity": "1", "largest_share": "100"}
        fields = {f"data.{name}": each for name, each in limits.items()}

        (to,) = re.findall(r'method="post" action="(/partnerships[^"]*)"', form.text)
        done = client.post(unescape(to), data={**sent, **fields})

    assert (page.status_code, form.status_code, done.status_code) == (200, 200, 200)
    assert "Recorded." in done.text
    accord.runner.catch_up()
    assert dependencies(accord) == {}
    others = re.findall(r'href="([^"]*)"', form.text + done.text)
    assert [each for each in others if PROGRAM in each] == []


def _value(page: str, name: str) -> str:
    (found,) = re.findall(rf'name="{name}" value="([^"]*)"', page)
    return str(found)


def test_a_party_that_asks_for_its_program_as_a_partnership_is_told_what_it_is(
    accord: Accord,
) -> None:
    limit(accord, "60")

    with pytest.raises(NotFound) as own:
        show.ask(accord, PROGRAM, when=OWN)
    with pytest.raises(NotFound) as other:
        show.ask(accord, PROGRAM, when=AsOf(viewer=Viewer("northbridge")))

    assert str(own.value).startswith(f"{PROGRAM} is no partnership. It has the limits of")
    assert str(other.value).startswith(f"northbridge is not a party of {PROGRAM}.")


def test_a_party_acts_on_the_alert_of_its_program_and_nobody_else_does(accord: Accord) -> None:
    """Its page offered it, and then said that the party is none of its own program."""
    limit(accord, "10")
    asked = {"alert": ABOUT, "by": "Maya Ortiz"}
    with accord.workers() as workers:
        client = TestClient(create_app(accord, workers, is_open=True))

        own = client.post("/v1/alerts/acknowledge", json=asked | {"party": "growthos"})
        others = client.post("/v1/alerts/acknowledge", json=asked | {"party": "northbridge"})

    assert own.status_code == 200
    assert own.json()["handling"]["acknowledged_by"] == "Maya Ortiz"
    assert others.status_code == 404
    limit(accord, "100")
