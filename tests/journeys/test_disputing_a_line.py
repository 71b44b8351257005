"""Disputing one line of a statement, from the line to its mark.

The story: growthos owes Brightpath a share of two payments of one deal. Gia of growthos disputes
the line of the second one. The form names the line, its statement and its payment, and asks for the
reason. From then on the line shows its dispute and offers no second one, and both sides have the
dispute in their inbox.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from domain.claims import ConfirmClaim
from domain.dispute import DisputeOpened
from domain.keyring import RegisterKey, RevokeKey
from domain.payouts import RecordPayout
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers.inbox import INBOX
from infra.answers.logs import AsOf, log
from infra.answers.statement import STATEMENT, LedgerLine
from infra.answers.statements import STATEMENTS
from infra.bootstrap import Accord
from tests.feeds import simulated
from tests.infra.signing import NAME
from tests.infra.test_workers import eventually
from tests.journeys.test_acting_from_pages import Form, link, shown_text, signed_in
from tests.life import OURS, THEIRS, example, usd
from tests.projections.money import pay, sell, share, state, under

GIA = Grant(role=Role.PARTY, party=OURS, actor="Gia Gallo")
PERIOD = "2026-01"
LATER = AsOf(known=datetime(2100, 1, 1, tzinfo=UTC))
"""A moment as of which an answer is read from the log, not from rows that are folded soon."""
ADDRESS = f"/partnerships/{NAME}/statements/{PERIOD}"


@pytest.fixture(params=["a draft", "issued"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Accord]:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))
    if request.param == "issued":
        story.on("2026-02-01")
        state(story, PERIOD)
    with simulated(tmp_path) as accord:
        accord.history.append(story.history)
        accord.catch_up()
        yield accord


@pytest.fixture
def browser(store: Accord) -> Iterator[TestClient]:
    """The browser of Gia, who is signed in."""
    with signed_in(store, GIA) as found:
        yield found


def lines(store: Accord) -> list[LedgerLine]:
    (found,) = STATEMENT.reply(store, id=NAME, period=PERIOD).statements
    return list(found.lines)


def opened(store: Accord) -> list[DisputeOpened]:
    return [
        each.event for each in log(store.history, NAME) if isinstance(each.event, DisputeOpened)
    ]


def to_second_payment(browser: TestClient, store: Accord) -> str:
    """The address of the form that disputes the line of the second payment."""
    (line,) = (each for each in lines(store) if each.fact == "payment/P-2")
    page = browser.get(ADDRESS).text
    found = re.search(rf'href="([^"]+)" aria-label="Dispute line {re.escape(line.line)}"', page)
    assert found
    return found[1].replace("&amp;", "&")


def test_the_form_names_the_line_its_statement_and_its_payment(
    browser: TestClient, store: Accord
) -> None:
    page = browser.get(to_second_payment(browser, store))
    above, _, _ = page.text.partition('<form class="fields"')
    form = Form.of(page)

    text = shown_text(above)
    assert "60.00 USD" in text
    assert "of statement" in text
    assert "payment P-2" in text
    assert form.fields["data.dispute"].startswith("line-")
    assert form.fields["data.amount.amount"] == "60.00"
    assert form.needed <= {"data.dispute", "data.cause", "data.description", "time"}


def test_what_is_at_stake_is_the_line_and_not_its_deal(browser: TestClient, store: Accord) -> None:
    form = Form.of(browser.get(to_second_payment(browser, store)))

    answer = form.send(browser, **{"data.description": "P-2 is of another client."})

    assert "Recorded" in answer.text, shown_text(answer.text)
    (event,) = opened(store)
    assert (event.amount, event.line and event.line.fact) == (usd("60.00"), "payment/P-2")


def test_the_line_shows_its_dispute_and_offers_no_second_one(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(to_second_payment(browser, store)))
    form.send(browser, **{"data.description": "P-2 is of another client."})

    (event,) = opened(store)
    page = browser.get(ADDRESS).text
    about = {
        each.fact: [one.dispute for one in each.disputes]
        for each in lines(store)
        if each.dispute is None
    }
    assert about == {"payment/D-1-P": [], "payment/P-2": [event.dispute]}
    assert "In dispute" in shown_text(page)
    assert event.dispute in shown_text(page)
    assert len(re.findall('aria-label="Dispute line', page)) == 1


def test_every_page_says_what_is_in_dispute_on_an_issued_statement_too(
    browser: TestClient, store: Accord
) -> None:
    """Nothing of an issued statement is on hold, so its dispute was on none of these pages."""
    is_draft = not STATEMENTS.reply(store, id=NAME).items
    form = Form.of(browser.get(to_second_payment(browser, store)))
    form.send(browser, **{"data.description": "P-2 is of another client."})

    eventually(lambda: "In dispute60.00 USD" in shown_text(browser.get("/portfolio").text), 10)
    of_lines = "60.00 USD of its lines is in dispute." in shown_text(browser.get(ADDRESS).text)
    assert of_lines is not is_draft


def test_what_is_on_hold_names_its_dispute(store: Accord, browser: TestClient) -> None:
    is_draft = not STATEMENTS.reply(store, id=NAME).items
    form = Form.of(browser.get(to_second_payment(browser, store)))
    form.send(browser, **{"data.description": "P-2 is of another client."})

    (event,) = opened(store)
    holds = STATEMENTS.reply(store, id=NAME, when=LATER).holds
    # What was stated is not claimed back before the decision.
    held = [(event.dispute, "payment/P-2", usd("60.00"))] if is_draft else []
    assert [(each.dispute, each.fact, each.amount) for each in holds] == held
    texts = [each.text for each in lines(store) if each.dispute]
    assert texts == ([f"deal D-1: on hold by dispute {event.dispute}"] if is_draft else [])


def test_both_sides_have_the_dispute_in_their_inbox(store: Accord, browser: TestClient) -> None:
    form = Form.of(browser.get(to_second_payment(browser, store)))
    form.send(browser, **{"data.description": "P-2 is of another client."})

    (event,) = opened(store)
    found = [each for each in INBOX.reply(store, when=LATER).items if each.ref == event.dispute]
    assert {each.party for each in found} == {OURS, THEIRS}
    eventually(lambda: "Propose resolution" in browser.get("/inbox").text, 10)
    resolution = Form.of(browser.get(link(browser.get("/inbox"), "Propose resolution")))
    assert resolution.fields["data.dispute"] == event.dispute


def test_a_resolution_offers_each_outcome_but_the_withdrawal_that_is_no_resolution(
    browser: TestClient,
) -> None:
    page = browser.get(f"/partnerships/{NAME}/send/ProposeResolution").text

    offered = re.findall(r'<option value="(\w+)"', page)
    assert {"upheld", "rejected", "settled"} <= {*offered}
    assert "withdrawn" not in offered


def test_the_list_of_statements_names_the_dispute_and_so_does_the_payment_that_is_due(
    store: Accord, browser: TestClient
) -> None:
    is_draft = not STATEMENTS.reply(store, id=NAME).items
    form = Form.of(browser.get(to_second_payment(browser, store)))
    form.send(browser, **{"data.description": "P-2 is of another client."})

    (event,) = opened(store)
    listed = STATEMENTS.reply(store, id=NAME, when=LATER).items
    found = [(each.dispute, each.amount) for of in listed for each in of.disputes]
    due = [each.text for each in INBOX.reply(store, when=LATER).items if "Pay " in each.text]
    if is_draft:
        assert (found, due) == ([], [])
        return
    assert found == [(event.dispute, usd("60.00"))]
    assert len(due) == 1
    assert due[0].endswith(f". 60.00 USD of it is in dispute ({event.dispute}).")
    address = f"/partnerships/{NAME}"
    eventually(lambda: "60.00 USD in dispute" in shown_text(browser.get(address).text), 10)


def test_what_is_left_to_pay_is_in_dispute_for_no_more_than_that(tmp_path: Path) -> None:
    """180.00 USD of the 210.00 were paid, and a line of 60.00 is in dispute."""
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))
    story.on("2026-02-01")
    (issued,) = state(story, PERIOD)
    paid = RecordPayout(payout="PO-1", statement=issued.statement, amount=usd("180.00"))
    story.when(OURS, paid)
    story.when(THEIRS, ConfirmClaim(payout="PO-1", fact="payout"))
    with simulated(tmp_path) as accord:
        accord.history.append(story.history)
        accord.catch_up()
        with signed_in(accord, GIA) as browser:
            form = Form.of(browser.get(to_second_payment(browser, accord)))
            form.send(browser, **{"data.description": "P-2 is of another client."})
        texts = [each.text for each in INBOX.reply(accord, when=LATER).items]

    (due,) = (each for each in texts if each.startswith("Pay "))
    assert due.startswith("Pay 30.00 USD of statement ")
    assert ". All of it is in dispute (" in due


def test_a_party_whose_only_key_was_revoked_is_told_why_it_cannot_dispute(tmp_path: Path) -> None:
    """It must sign, and cannot: the page offered a form whose event was always refused."""
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    for command in (example(RegisterKey), example(RevokeKey)):
        story.when(OURS, command, key=example(RevokeKey).keyid)
    with simulated(tmp_path) as accord:
        accord.history.append(story.history)
        accord.catch_up()
        with signed_in(accord, GIA) as browser:
            page = browser.get(ADDRESS).text

    assert "Dispute line" not in page
    assert (
        "GrowthOS has no key left that signs a dispute, so it cannot dispute a line here. It first "
        "proposes a new key (Propose key recovery), and the other party agrees."
    ) in shown_text(page)


# --- what waits --------------------------------------------------------------------------------


def test_a_payout_above_what_is_owed_is_asked_about_before_it_waits(tmp_path: Path) -> None:
    """One zero too many was an event that waited for a month, and nothing said for what."""
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    story.on("2026-02-01")
    state(story, "2026-01")
    with simulated(tmp_path) as accord:
        accord.history.append(story.history)
        accord.catch_up()
        with signed_in(accord, GIA) as browser:
            form = Form.of(browser.get(f"/partnerships/{NAME}/send/RecordPayout"))
            statement = STATEMENTS.reply(accord, id=NAME).items[0].statement
            typed = {
                "data.payout": "out-1",
                "data.statement": statement or "",
                "data.amount.amount": "5,000.00",
                "data.amount.currency": "USD",
            }

            asked = form.send(browser, **typed)
            waiting = accord.history.waiting([NAME])
            sent = Form.of(asked).send(browser, wait="yes")

    assert asked.status_code == 409
    assert waiting == []
    assert "150.00 USD is left of" in shown_text(asked.text)
    assert "Send it, and let it wait" in shown_text(asked.text)
    assert "It waits for a return or correction of a payout of" in shown_text(sent.text)
    assert 'href="/inputs"' in sent.text
