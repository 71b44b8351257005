"""A figure that a late fact moves to another period is removed from the topic of figures."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from decimal import Decimal

import orjson
import pytest

from consumers import publisher
from consumers.publisher import Figures, SeenByOperations
from domain.examples import LIFE, changed, usd
from domain.payment import CorrectPayment, ReceivePayment
from domain.recorded import Recorded
from domain.reported_figure import CorrectMetric, ReportedFigure
from domain.sale import WinDeal
from domain.sharing import AgreeDataSharing
from infra.bootstrap import Accord, bootstrap, migrate
from infra.kafka import messages
from infra.settings import Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_views import PostgresViews
from projections.fold import Folded, Projection, fold
from tests import planted
from tests.infra.messages import from_steps, message
from tests.journeys.schemas import keeps_to
from tests.planted import PARTIES

WON = next(
    place
    for place, each in enumerate(LIFE)
    if isinstance(each.command, WinDeal) and each.command.deal == "D-2"
)
REMOVED = "removed"
PAID_IN_MARCH, PAID_IN_FEBRUARY = (
    f"growthos-brightpath/deals_paid/2026-{month}/count" for month in ("03", "02")
)


@pytest.fixture
def accord(database: str) -> Iterator[Accord]:
    settings = Settings(store=database)
    migrate(settings, simulated=True)
    with bootstrap(settings) as accord:
        accord.service.handle(from_steps(LIFE[: WON + 1]))
        pay(accord, "P-late", "2026-03-05")
        yield accord


@pytest.fixture
def store(database: str) -> Iterator[PostgresStore]:
    migrate(Settings(store=database), simulated=True)
    with closing(PostgresStore.open(database)) as store:
        yield store


def topic(store: PostgresStore) -> Figures:
    """Return a publisher's figures, as it has them when it begins."""
    return Figures(store, PostgresViews(store.datastore), "kpis")


def pay(accord: Accord, payment: str, at: str) -> None:
    command = ReceivePayment(deal="D-2", payment=payment, amount=usd("100.00"))
    (result,) = accord.service.handle([message(payment, command, at=at)])
    assert result.status == "accepted", result
    accord.runner.catch_up()


def published(figures: Figures, cursor: int) -> tuple[dict[str, str | None], int]:
    """Return what is published after a cursor, each figure's value by its key, and the cursor."""
    found: dict[str, str | None] = {}
    while True:
        taken = figures.take(cursor)
        for each in taken.messages:
            found[str(each.key)] = orjson.loads(each.value)["value"] if each.value else REMOVED
        if taken.cursor == cursor:
            return found, cursor
        cursor = taken.cursor


@pytest.mark.parametrize("is_replaced", [False, True], ids=["one leader", "another leader"])
def test_a_figure_that_moved_to_another_month_is_removed(
    accord: Accord, store: PostgresStore, *, is_replaced: bool
) -> None:
    figures = topic(store)
    before, cursor = published(figures, 0)
    pay(accord, "P-early", "2026-02-10")
    after, _ = published(topic(store) if is_replaced else figures, cursor)

    assert before[PAID_IN_MARCH] == "1"
    assert after[PAID_IN_MARCH] == REMOVED
    assert after[PAID_IN_FEBRUARY] == "1"


def test_a_removal_keeps_to_its_schema() -> None:
    removal = messages.removed("kpis", PAID_IN_MARCH, id="1", type="FigureRemoved")

    assert keeps_to(removal) == "urn:accord:schema:FigureRemoved:1"


def test_what_was_never_published_is_not_removed(accord: Accord, store: PostgresStore) -> None:
    pay(accord, "P-early", "2026-02-10")
    found, _ = published(topic(store), 0)

    assert PAID_IN_MARCH not in found
    assert REMOVED not in found.values()


def test_a_figure_that_comes_back_is_published_again(accord: Accord, store: PostgresStore) -> None:
    figures = topic(store)
    _, cursor = published(figures, 0)
    pay(accord, "P-early", "2026-02-10")
    gone, cursor = published(figures, cursor)
    never = CorrectPayment(deal="D-2", payment="P-early", void=True, reason="Booked twice.")
    void = message("void", never, at="2026-03-20")
    assert accord.service.handle([void])[0].status == "accepted"
    accord.runner.catch_up()
    back, _ = published(figures, cursor)

    assert gone[PAID_IN_MARCH] == REMOVED
    assert back[PAID_IN_MARCH] == "1"
    assert back[PAID_IN_FEBRUARY] == REMOVED


# --- what operations do not see ----------------------------------------------------------------


def last(
    figures: Figures, accord: Accord, sent: list[bytes], cursor: int = 0
) -> tuple[dict[str, bytes], int]:
    """Return the last message of each figure after some events, by its key, and the cursor.

    Removed figures are left out.
    """
    outcomes = accord.service.handle(sent)
    assert {each.status for each in outcomes} == {"accepted"}
    accord.runner.catch_up()
    found: dict[str, bytes] = {}
    while (taken := figures.take(cursor)).cursor != cursor or taken.messages:
        cursor = taken.cursor
        found |= {str(each.key): each.value or b"" for each in taken.messages}
    return {key: value for key, value in found.items() if value}, cursor


@pytest.fixture
def empty(database: str) -> Iterator[Accord]:
    settings = Settings(store=database)
    migrate(settings, simulated=True)
    with bootstrap(settings) as accord:
        yield accord


def test_the_topic_has_no_count_below_the_smallest_cell_and_no_candidate_that_was_not_chosen(
    empty: Accord, store: PostgresStore
) -> None:
    found, _ = last(topic(store), empty, planted.life())
    text = b"\n".join(key.encode() + value for key, value in found.items()).lower()
    hidden = [planted.RIVAL.encode(), *(each for of in PARTIES for each in planted.counts(of))]

    assert [each for each in hidden if each in text] == []
    assert all(planted.NUMBERS[party].encode() in text for party in PARTIES)
    assert f'"fewer than {planted.CELL}: not shown"'.encode() in text


def test_a_count_is_taken_from_the_topic_once_both_agree_a_smallest_cell(
    empty: Accord, store: PostgresStore
) -> None:
    agreed = next(
        place for place, each in enumerate(LIFE) if isinstance(each.command, AgreeDataSharing)
    )
    sent = from_steps(LIFE[: agreed + 1])
    report = changed(planted.SMALL, period="2025-10")
    sent.insert(agreed, message("few", report, at=LIFE[agreed - 1].at))
    key = f"{planted.PARTNERSHIP}/demo_to_paid/2025-10/percent"
    figures = topic(store)

    before, cursor = last(figures, empty, sent[:-1])
    after, _ = last(figures, empty, sent[-1:], cursor)

    assert orjson.loads(before[key])["numerator"] == "3"
    shown = orjson.loads(after[key])
    assert (shown["value"], shown["caveats"]) == (
        None,
        [{"code": "too-few-to-show", "text": "fewer than 10: not shown"}],
    )
    assert "numerator" not in shown


def test_while_a_figure_is_hidden_each_event_is_folded_once(
    empty: Accord, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded: list[int] = []

    def counting(projection: Projection, into: Folded, events: Iterable[Recorded]) -> Folded:
        seen = list(events)
        folded.extend(each.index for each in seen)
        return fold(projection, into, seen)

    monkeypatch.setattr(publisher, "fold", counting)
    sent = planted.life()
    step = max(place for place, each in enumerate(sent) if b'"step-' in each)
    last(topic(store), empty, [*sent[:step], *sent[step + 1 :]])
    operations, name = SeenByOperations(empty.history), planted.PARTNERSHIP
    folded.clear()
    operations.of(name, {})
    assert folded
    last(topic(store), empty, [sent[step]])
    folded.clear()

    kept = operations.of(name, {})
    more = len(folded)
    anew = SeenByOperations(empty.history).of(name, {})

    assert kept == anew
    assert 0 < more < len(folded) - more


def test_a_figure_that_is_corrected_below_the_smallest_cell_leaves_the_kept_fold(
    empty: Accord, store: PostgresStore
) -> None:
    many = Decimal(2 * planted.CELL)
    figure = ReportedFigure(unit="percent", numerator=many, denominator=2 * many)
    shown = changed(planted.SHARED, period="2025-11", figure=figure)
    few = CorrectMetric(
        metric=shown.metric,
        period=shown.period,
        tool=shown.tool,
        figure=planted.SMALL.figure,
        reason="Counted again.",
    )
    last(topic(store), empty, [*planted.life(), message("shown", shown, at="2027-12-30")])
    operations, name = SeenByOperations(empty.history), planted.PARTNERSHIP
    before, _ = operations.of(name, {})
    last(topic(store), empty, [message("few", few, at="2027-12-31")])

    after = operations.of(name, {})

    assert after[0] != before
    assert after == SeenByOperations(empty.history).of(name, {})
