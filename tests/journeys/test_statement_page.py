"""The page of a statement: what runs, what is paid, and by whose word.

The story: growthos owes Brightpath a share. Before the statement is issued, the partnership shows
what is earned so far. Growthos then records a payout. Until Brightpath confirms it, no page says
that the statement is paid.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from csv import DictReader
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

from starlette.testclient import TestClient

from domain.agreement import CommercialTermsAgreed
from domain.claims import ConfirmClaim
from domain.dispute import OpenDispute
from domain.execution import IssueCause
from domain.payment import IssueRefund
from domain.payouts import PAYOUT, RecordPayout
from domain.settlement import PublishRate
from domain.terms import RateRule
from domain.values import Money
from infra.answers import explain, statement, statements
from infra.answers.explain import EXPLAIN
from infra.answers.logs import AsOf
from infra.answers.show import SHOW
from infra.answers.show_text import text as show_text
from infra.answers.statement import STATEMENT
from infra.answers.statement_state import State
from infra.answers.statements import STATEMENTS
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.pages.shown import readable
from infra.store.history import partnerships
from tests.feeds import played, simulated
from tests.infra.answers.helpers import printed
from tests.infra.signing import NAME
from tests.journeys.pages import text
from tests.life import OURS, THEIRS, usd
from tests.projections.money import amend, money, pay, sell, share, state, under
from tests.stories import Story

PERIOD = "2026-01"
ADDRESS = f"/partnerships/{NAME}/statements/{PERIOD}"
PAID = RecordPayout(payout="O-1", statement="2026-01:USD", amount=usd("210.00"))
CONFIRMED = ConfirmClaim(payout="O-1", fact=PAYOUT)


def unwrapped(text: str) -> str:
    """Return a text on one line: a terminal may be narrow."""
    return " ".join(text.split())


def earned() -> Story:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))
    return story


def disputing(subject: str, amount: Money) -> OpenDispute:
    return OpenDispute(
        dispute="Q-1",
        cause=IssueCause.MONEY,
        description="The client was ours.",
        subject=subject,
        amount=amount,
    )


def stated() -> Story:
    story = earned()
    story.on("2026-02-01")
    state(story, PERIOD)
    return story


@contextmanager
def reading(accord: Accord) -> Iterator[TestClient]:
    """A browser on a server of a store."""
    with accord.workers() as workers:
        app = create_app(accord, workers, is_open=True)
        with TestClient(app, headers={"Accept": "text/html"}) as browser:
            yield browser


@contextmanager
def kept(folder: Path, story: Story) -> Iterator[Accord]:
    with simulated(folder) as accord:
        accord.history.append(story.history)
        accord.catch_up()
        yield accord


def page(accord: Accord, address: str) -> str:
    """The text of a page."""
    with reading(accord) as browser:
        found = browser.get(address)
    assert found.status_code == 200
    return text(found.text)


def test_what_the_payer_states_is_not_paid_until_the_payee_agrees(tmp_path: Path) -> None:
    story = stated()
    story.when(OURS, PAID)
    with kept(tmp_path, story) as accord:
        (issued,) = STATEMENTS.reply(accord, id=NAME).items
        (payout,) = issued.payouts
        text = page(accord, ADDRESS)
        lines = unwrapped(printed(statements.text(STATEMENTS.reply(accord, id=NAME))))
        whole = unwrapped(printed(statement.text(STATEMENT.reply(accord, id=NAME, period=PERIOD))))

    assert (issued.state, payout.waits_for) == (State.PAYMENT_STATED, THEIRS)
    assert (payout.stated_by, payout.index) == (OURS, len(story.history) - 1)
    assert "Payment stated" in text
    assert "states that it paid" in text
    assert "Paid so far0.00 USD 210.00 USD more as the payer states" in text
    assert f"#{payout.index}" in text
    assert "✓ Paid" not in text
    assert f"that it paid {THEIRS} 210.00 USD, not confirmed by {THEIRS}" in lines
    assert f"#{payout.index}" in whole


def test_what_the_payee_confirmed_is_paid(tmp_path: Path) -> None:
    story = stated()
    story.when(OURS, PAID)
    story.when(THEIRS, CONFIRMED)
    with kept(tmp_path, story) as accord:
        (issued,) = STATEMENTS.reply(accord, id=NAME).items
        text = page(accord, ADDRESS)

    assert (issued.state, issued.payouts[0].waits_for) == (State.SETTLED, None)
    assert "✓ Paid" in text


def test_what_is_earned_so_far_has_its_row_with_what_is_on_hold(tmp_path: Path) -> None:
    story = earned()
    story.when(OURS, disputing("deal/D-1", usd("50.00")))
    with kept(tmp_path, story) as accord:
        found = STATEMENTS.reply(accord, id=NAME)
        text = page(accord, f"/partnerships/{NAME}")
        money = page(accord, "/money")

    (running,) = found.running
    assert (running.period, running.state, running.balance.amount) == ("2026-Q1", State.OPEN, 160)
    assert "earned so far; 50.00 USD on hold by dispute Q-1" in text
    assert "statements" in money


def test_terms_in_force_name_the_event_that_agreed_them_and_what_they_replaced(
    tmp_path: Path,
) -> None:
    story = earned()
    amend(story, share("10"), since=date(2026, 1, 7), until=None)
    with kept(tmp_path, story) as accord:
        found = SHOW.reply(accord, id=NAME).terms
        text = page(accord, f"/partnerships/{NAME}")
        whole = unwrapped(printed(show_text(SHOW.reply(accord, id=NAME))))

    (*_, last) = found.agreements
    agreed = [each.index for each in story.history if isinstance(each.event, CommercialTermsAgreed)]
    assert (last.version, last.event, last.effective_from) == (
        found.version,
        agreed[-1],
        date(2026, 1, 7),
    )
    assert [each.event for each in found.agreements] == agreed
    assert [each for each in last.replaced if "15 %" in each]
    assert f"version {last.version}, since 7 Jan 2026 · agreed 7 Jan 2026 by" in text
    assert f"#{last.event}" in text
    assert "All versions, side by side" in text
    assert f"by {last.agreed_by}, #{last.event})" in whole


def test_each_month_has_its_subtotal(tmp_path: Path) -> None:
    with kept(tmp_path, stated()) as accord:
        assert "January 2026210.00 USD" in page(accord, ADDRESS)


def test_a_period_that_is_ahead_or_before_the_terms_says_so(tmp_path: Path) -> None:
    with kept(tmp_path, earned()) as accord:
        ahead = STATEMENT.reply(accord, id=NAME, period="2030")
        before = STATEMENT.reply(accord, id=NAME, period="2025-Q1").outside

        assert ahead.outside == "2030 begins on 2030-01-01. It had not begun on 2026-01-07."
        assert ahead.statements == ()
        assert before == "2025-Q1 is over before the terms begin, on 2026-01-01."
        assert readable(before) in page(accord, f"/partnerships/{NAME}/statements/2025-Q1")
        said = page(accord, f"/partnerships/{NAME}/statements/2030")
        assert "2030 begins on 1 Jan 2030. It had not begun on 7 Jan 2026." in said
        assert "USD" not in said


def test_a_draft_says_what_is_earned_so_far_and_not_that_it_is_owed(tmp_path: Path) -> None:
    with kept(tmp_path, earned()) as accord:
        said = page(accord, ADDRESS)

    assert "GrowthOS will owe Brightpath 210.00 USD, by what is earned so far." in said
    assert "Earned so far, to Brightpath210.00 USD" in said
    assert " owes " not in said


def amounts(rows: str) -> Decimal:
    """Return the sum of the last figures of rows, as a person adds them up."""
    found = re.findall(r'<td class="number stays">([^<]*)', rows)
    digits = (re.sub(r"[^0-9.-]", "", each.replace("\N{MINUS SIGN}", "-")) for each in found)
    return sum(map(Decimal, digits), Decimal(0))


def test_the_amounts_of_each_printed_statement_add_up_to_its_total(tmp_path: Path) -> None:
    """A penalty that goes to the payer is negative; euros are counted in dollars."""
    with played(tmp_path) as accord, reading(accord) as browser:
        accord.catch_up()
        for name in partnerships(accord.history):
            for each in STATEMENTS.reply(accord, id=name).items:
                address = f"/partnerships/{name}/statements/{each.statement}"
                shown = browser.get(address).text
                body, foot = re.findall(
                    r"<t(?:body|foot)>(.*?)</t(?:body|foot)>", shown, re.DOTALL
                )[:2]
                lines = "".join(re.findall(r'<tr><td class="number">.*?</tr>', body))
                table = [*DictReader(StringIO(browser.get(f"{address}.csv").text))]
                assert amounts(lines) == amounts(foot) == each.balance.amount
                assert sum(Decimal(line["counts"]) for line in table) == each.balance.amount
                assert all(line["rule.text"] for line in table)


def test_a_refund_can_be_recomputed_and_names_the_terms_that_price_it(tmp_path: Path) -> None:
    story = earned()
    back = IssueRefund(deal="D-1", refund="R-1", payment="P-2", amount=usd("100.00"), kind="refund")
    story.when(OURS, back)
    *_, terms = (each for each in story.history if isinstance(each.event, CommercialTermsAgreed))
    with kept(tmp_path, story) as accord:
        text = page(accord, ADDRESS)
        line = statement.ask(accord, NAME, PERIOD).statements[0].lines[-1]
        found = EXPLAIN.reply(accord, reference=f"{NAME}/line/{line.line}")
        why = unwrapped(printed(explain.text(found)))

    assert "15 % of 300.00 USD = 45.00 USD, minus 60.00 USD earned before" in text
    assert f"Terms version 2 #{terms.index}" in text
    assert f"by terms version 2 (#{terms.index})" in why


def test_a_printed_sheet_names_the_partnership_its_day_and_the_fingerprint(tmp_path: Path) -> None:
    with kept(tmp_path, stated()) as accord:
        text = page(accord, ADDRESS)

    assert f"({NAME}). As known on 1 Feb 2026" in text
    assert "no signed checkpoint yet" in text or "Fingerprint of the log" in text


def test_a_sheet_says_which_of_the_two_moments_was_asked_for(tmp_path: Path) -> None:
    """A paper that said when something was known, and meant when it had happened, was false."""
    with kept(tmp_path, stated()) as accord:
        happened = page(accord, f"{ADDRESS}?at=2026-01-20")
        ahead = page(accord, f"{ADDRESS}?known=2099-01-01")

    assert "What had happened by 20 Jan 2026, 23:59, as known on 1 Feb 2026, 09:00 UTC." in happened
    assert "As known on 1 Feb 2026, 09:00 UTC." in ahead


def test_a_past_sheet_has_the_fingerprint_of_its_own_day(tmp_path: Path) -> None:
    """It carried that of today, over events that nobody knew then."""
    with kept(tmp_path, stated()) as accord:
        text = page(accord, f"{ADDRESS}?known=2025-09-30")

    assert "The log had no signed checkpoint then." in text


def test_a_draft_leaves_out_what_waited_for_a_rate_that_arrived(tmp_path: Path) -> None:
    """Its line and the one that takes it back come to nothing, and no statement states them."""
    story = under(share("15"), settles_in="USD", rates=RateRule(source="Central bank"))
    sell(story, "D-1", money("1000.00", "EUR"))
    story.when(OURS, disputing("deal/D-1", money("50.00", "EUR")))
    story.on("2026-01-08")
    rate = Decimal("1.0834")
    story.when(
        OURS,
        PublishRate(base="EUR", quote="USD", period=PERIOD, rate=rate, source="Central bank"),
    )
    with kept(tmp_path, story) as accord:
        found = page(accord, ADDRESS)
        (draft,) = STATEMENT.reply(accord, id=NAME, period=PERIOD).statements
        before = AsOf(known=datetime(2026, 1, 7, 12, tzinfo=UTC))
        (then,) = STATEMENT.reply(accord, id=NAME, period=PERIOD, when=before).statements

    assert "no rate yet" not in found
    assert [each.counts for each in draft.lines] == [Decimal("162.51"), Decimal("-54.17")]
    assert [each.counts for each in then.lines] == [None, Decimal(0)]


def test_a_line_on_hold_names_its_dispute_once(tmp_path: Path) -> None:
    story = earned()
    story.when(OURS, disputing("deal/D-1", usd("50.00")))
    with kept(tmp_path, story) as accord, reading(accord) as browser:
        found = browser.get(ADDRESS).text

    (row,) = re.findall(r"<tr>(?:(?!</tr>).)*: on hold.*?</tr>", found, re.DOTALL)
    assert text(row).count("Q-1") == 1
    assert "In dispute" in text(row)


def test_a_draft_says_what_is_earned_before_holds_and_whose_turn_a_dispute_is(
    tmp_path: Path,
) -> None:
    story = earned()
    story.when(OURS, disputing("deal/D-1", usd("50.00")))
    with kept(tmp_path, story) as accord:
        found = page(accord, ADDRESS).replace("\N{NO-BREAK SPACE}", " ")
    with kept(tmp_path / "without", earned()) as accord:
        without = page(accord, ADDRESS)

    assert "Earned210.00 USD On hold and released−50.00 USD" in found
    before, _, after = found.partition("Open disputes")
    assert "Propose how it ends." in after
    assert after.count("Propose resolution as ") == 2
    assert "On hold and released" in before
    assert "Open disputes" not in without
    assert "Earned210" not in without
