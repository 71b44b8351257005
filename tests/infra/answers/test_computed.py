"""Parts of answers are reused while their partnership is the same, and never once it changed.

Given a store that many people look at, when something is recorded, then each of them is answered as
a process that has just started would answer.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.answers import portfolio
from infra.answers.alerts import ALERTS_QUESTION
from infra.answers.inbox import INBOX
from infra.answers.logs import AsOf
from infra.answers.portfolio import PORTFOLIO
from infra.answers.question import Paging
from infra.bootstrap import Accord
from infra.running.cache import Stamped
from projections.alerts import Alert
from projections.portfolio import Member, PartnershipLine, line
from projections.results import Span
from projections.visibility import OPERATOR, Viewer
from tests.feeds import FEEDS, messages, simulated
from tests.sweeps import sweep

VIEWERS = (
    OPERATOR,
    Viewer(candidates=False),
    *map(Viewer, ("growthos", "northbridge", "lumastream", "aurora-films")),
)
QUESTIONS = (PORTFOLIO, ALERTS_QUESTION, INBOX)
STEPS = sweep(4, 2)
"""Into how many steps each feed is divided."""


def answers(accord: Accord) -> dict[str, str]:
    """Return every answer about all partnerships, of each viewer."""
    found = {}
    for seen in VIEWERS:
        for question in QUESTIONS:
            given: dict[str, Any] = {"page": Paging(limit=1000)} if question.is_paged else {}
            answer = question.reply(accord, when=AsOf(viewer=seen), **given)
            found[f"{question.name} of {seen}"] = answer.model_dump_json()
    return found


@contextmanager
def opened_again(folder: Path) -> Iterator[Accord]:
    """Return the store opened anew, so that no answer of it was computed before."""
    with simulated(folder) as accord:
        yield accord


@contextmanager
def fed(folder: Path) -> Iterator[Accord]:
    """Return a store of the whole demo, folded."""
    with simulated(folder) as accord:
        for feed in FEEDS:
            accord.service.handle(messages(feed))
        accord.catch_up()
        yield accord


def steps() -> Iterator[list[bytes]]:
    """Yield the demo's feeds in parts of several partnerships."""
    for feed in FEEDS:
        lines = messages(feed)
        size = len(lines) // STEPS + 1
        yield from (lines[start : start + size] for start in range(0, len(lines), size))


def test_after_each_step_a_reused_answer_is_that_of_a_new_process(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        for number, lines in enumerate(steps()):
            accord.service.handle(lines)
            accord.catch_up()
            reused = answers(accord)
            if number % 3 == 0:
                with opened_again(tmp_path) as other:
                    assert reused == answers(other)


def test_what_did_not_change_is_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fed(tmp_path) as accord:
        before = answers(accord)

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("nothing changed, so no row and no event is read")

        for name in ("rows", "rows_of", "select"):
            monkeypatch.setattr(accord.views, name, refuse)
        monkeypatch.setattr(accord.history, "of", refuse)
        for seen in VIEWERS:
            answer = PORTFOLIO.reply(accord, when=AsOf(viewer=seen))
            assert before[f"portfolio of {seen}"] == answer.model_dump_json()


def test_a_line_of_the_portfolio_is_computed_once_a_day_of_its_agreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record anywhere is a new moment, so it must not be a new line of every partnership."""
    with fed(tmp_path) as accord:
        lines: list[str] = []

        def counted(
            member: Member, moment: datetime, span: Span | None, breaches: Iterable[Alert] | None
        ) -> PartnershipLine:
            lines.append(member.id)
            return line(member, moment, span, breaches)

        def at(moment: datetime) -> int:
            lines.clear()
            monkeypatch.setattr(portfolio, "moment_of_all", lambda *_: moment)
            PORTFOLIO.reply(accord)
            return len(lines)

        monkeypatch.setattr(portfolio, "line", counted)
        noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
        every = at(noon)

        assert every > 1
        assert at(noon + timedelta(hours=3)) == 0
        assert at(noon + timedelta(days=1)) == every


def test_what_is_not_folded_yet_changes_nothing_until_it_is(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        first, *rest = FEEDS
        accord.service.handle(messages(first))
        accord.catch_up()
        answers(accord)
        for feed in rest:
            accord.service.handle(messages(feed))
        behind = answers(accord)
        accord.catch_up()
        caught_up = answers(accord)
        with opened_again(tmp_path) as other:
            assert caught_up == answers(other)

    assert behind != caught_up


def test_a_value_is_given_for_its_stamp_alone_and_the_first_are_evicted() -> None:
    kept = Stamped(capacity=2)
    kept.add("a", 1, "of one")

    assert kept.get("a", 1) == "of one"
    assert kept.get("a", 2) is None

    kept.add("a", 2, "of two")
    kept.add("b", 1, "b")
    kept.add("c", 1, "c")

    assert [kept.get("a", 2), kept.get("b", 1), kept.get("c", 1)] == [None, "b", "c"]
