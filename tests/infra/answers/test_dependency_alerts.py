"""A party is told of revenue that depends on one partner beyond its own limit, and nobody else."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest

from domain.program import DefinePortfolio
from domain.standing_alerts import DEPENDENCY_HIGH
from infra.answers import alerts
from infra.answers.logs import AsOf
from infra.bootstrap import Accord
from projections.alerts import Alert
from projections.visibility import OPERATOR, Viewer
from tests.feeds import FEEDS, play, simulated
from tests.infra.messages import message

CONSULTING = "growthos-consulting"
PROGRAM = "growthos-program"
OWN = AsOf(viewer=Viewer("growthos"))
ABOUT = f"{DEPENDENCY_HIGH}@1/{PROGRAM}/{CONSULTING}/co_branded_revenue/USD"

_numbers = count()


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """The demo of the party with two partnerships, and the limits of its program."""
    with simulated(tmp_path_factory.mktemp("limits")) as accord:
        for feed in (FEEDS[0], FEEDS[4]):
            play(accord, feed)
        accord.runner.catch_up()
        yield accord


def limit(accord: Accord, share: str) -> None:
    """Let the party set the largest share that one partner may have of its revenue."""
    limits = DefinePortfolio(
        fewest_active=1, most_active=3, largest_share=Decimal(share), capacity=Decimal(1)
    )
    sent = message(
        f"limit-{next(_numbers)}", limits, subject=PROGRAM, party="growthos", at="2027-03-01"
    )
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


def test_the_alert_names_the_partner_the_share_the_limit_and_who_acts(accord: Accord) -> None:
    limit(accord, "20")
    alert = next(iter(dependencies(accord).values()))

    assert "more than the 20 % that growthos allows" in alert.text
    assert alert.partnership == PROGRAM
    assert [(each.party, each.person) for each in alert.who_acts] == [("growthos", "Ines Halloran")]


@pytest.mark.parametrize("viewer", [Viewer("northbridge"), Viewer("harbourlight"), OPERATOR])
def test_nobody_else_learns_of_the_limit(accord: Accord, viewer: Viewer) -> None:
    limit(accord, "30")

    assert dependencies(accord, AsOf(viewer=viewer)) == {}


def test_a_key_of_one_partnership_does_not_show_what_the_others_bring(accord: Accord) -> None:
    limit(accord, "40")
    viewer = Viewer("growthos", partnerships=frozenset({CONSULTING}))

    assert dependencies(accord, AsOf(viewer=viewer)) == {}
