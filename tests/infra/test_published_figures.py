"""A figure that a late fact moves to another period is removed from the topic of figures."""

from collections.abc import Iterator
from contextlib import closing

import orjson
import pytest

from consumers.publisher import Figures
from domain.examples import LIFE, usd
from domain.payment import CorrectPayment, ReceivePayment
from domain.sale import WinDeal
from infra.bootstrap import Accord, bootstrap, migrate
from infra.kafka import messages
from infra.settings import Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_views import PostgresViews
from tests.infra.messages import from_steps, message
from tests.journeys.schemas import keeps_to

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
def views(database: str) -> Iterator[PostgresViews]:
    migrate(Settings(store=database), simulated=True)
    with closing(PostgresStore.open(database)) as store:
        yield PostgresViews(store.datastore)


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
    accord: Accord, views: PostgresViews, *, is_replaced: bool
) -> None:
    figures = Figures(views, "kpis")
    before, cursor = published(figures, 0)
    pay(accord, "P-early", "2026-02-10")
    after, _ = published(Figures(views, "kpis") if is_replaced else figures, cursor)

    assert before[PAID_IN_MARCH] == "1"
    assert after[PAID_IN_MARCH] == REMOVED
    assert after[PAID_IN_FEBRUARY] == "1"


def test_a_removal_keeps_to_its_schema() -> None:
    removal = messages.removed("kpis", PAID_IN_MARCH, id="1", type="FigureRemoved")

    assert keeps_to(removal) == "urn:accord:schema:FigureRemoved:1"


def test_what_was_never_published_is_not_removed(accord: Accord, views: PostgresViews) -> None:
    pay(accord, "P-early", "2026-02-10")
    found, _ = published(Figures(views, "kpis"), 0)

    assert PAID_IN_MARCH not in found
    assert REMOVED not in found.values()


def test_a_figure_that_comes_back_is_published_again(accord: Accord, views: PostgresViews) -> None:
    figures = Figures(views, "kpis")
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
