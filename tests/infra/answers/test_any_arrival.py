"""Facts that arrive late and in any order: the answers are those of the ordered life.

A life stops after its kickoff. What happened in the next two months is reported in another order.
What a party agrees to and what it answers is sent again if it came before what it rests on. The
review, the portfolio, the inbox, open alerts, figures and the state are then compared.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain.execution import HoldKickoff
from domain.partnership import PassTime
from infra.answers import alerts, inbox, kpis, owed, portfolio, review, show
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.bootstrap import Accord
from projections.alerts import AlertState
from tests.feeds import simulated
from tests.infra.messages import from_steps, message
from tests.life import LIFE

ID = "growthos-brightpath"
KICKOFF = next(place for place, each in enumerate(LIFE) if isinstance(each.command, HoldKickoff))
LATE = [each for each in LIFE[KICKOFF + 1 :] if each.at < "2026-03-06"]
FIRST = {
    "ProposeOnboardingStep",
    "AgreeOnboardingStep",
    "ProposeContribution",
    "AgreeContribution",
    "IntroduceIncentive",
}
"""Commands whose fact depends on what is known before. A step is planned before it is completed, a
contribution is promised before it is given, and an incentive begins on the day of its recording."""

_OF_RECORDING = {
    "as_of", "cause", "evidence", "events", "index", "indexes", "last", "log_size", "position",
    "recorded_at", "until",
}  # fmt: skip
"""What tells where and when something was recorded, which is another in another order."""


def told(order: Iterable[int], directory: Path) -> dict[str, Any]:
    """Return the answers once the late facts have arrived in this order."""
    sent = [
        message(f"late-{place}", each.command, party=each.party, at=each.at)
        for place, each in enumerate(LATE)
    ]
    with simulated(directory) as accord:
        accord.service.handle(from_steps(LIFE[: KICKOFF + 1]))
        accord.service.handle([message("now", PassTime(), at="2026-03-06")])
        waiting: Sequence[int] = list(order)
        while waiting:
            found = [(each, accord.service.handle([sent[each]])[0]) for each in waiting]
            left = [each for each, outcome in found if outcome.status == "refused"]
            assert len(left) < len(waiting), [found[each][1] for each in left]
            waiting = left
        accord.service.handle([message("end", PassTime(), at="2026-04-01")])
        accord.runner.catch_up()
        return _answers(accord)


def _answers(accord: Accord) -> dict[str, Any]:
    # What opened and ended in between is only known where its end came after it.
    page = review.ask(accord, ID)
    still = tuple(each for each in page.alerts if each.state is AlertState.OPEN)
    found = {
        "review": page.model_copy(update={"alerts": still}),
        "portfolio": portfolio.ask(accord),
        "owed": owed.ask(accord),
        "inbox": inbox.ask(accord),
        "alerts": alerts.ask(accord, state=AlertState.OPEN, page=Paging(limit=LONGEST_PAGE)),
        "figures": kpis.ask(accord, ID, "2026-Q1"),
        "state": show.ask(accord, ID),
    }
    return {name: _content(json.loads(each.model_dump_json())) for name, each in found.items()}


def _content(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return an answer without what tells how it was recorded, each list in one order."""
    if isinstance(value, dict):
        return {key: _content(each) for key, each in value.items() if key not in _OF_RECORDING}
    if isinstance(value, list):
        return sorted(map(_content, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


ORDERED = range(len(LATE))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(ORDERED, tmp_path_factory.mktemp("ordered"))


@pytest.mark.parametrize("seed", range(12))
def test_late_facts_in_any_order_give_the_answers_of_the_ordered_life(
    seed: int, expected: dict[str, Any], tmp_path: Path
) -> None:
    first = [each for each in ORDERED if type(LATE[each].command).__name__ in FIRST]
    others = [each for each in ORDERED if each not in first]
    Random(seed).shuffle(others)  # noqa: S311 - an order of arrival

    found = told([*first, *others], tmp_path)

    for name, each in expected.items():
        assert found[name] == each, name
