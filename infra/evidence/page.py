"""A bundle as one self-contained page, for a reader who knows neither Accord nor a command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from domain.values import plain
from infra.answers import compare, explain_money, history
from infra.answers.compare import Comparison
from infra.answers.explain_money import StatementExplained
from infra.answers.history import HistoryItem
from infra.answers.issued import Compared
from infra.answers.logs import AsOf
from infra.answers.statement_state import owed
from infra.answers.text import minute
from infra.bootstrap import Accord
from infra.evidence import bundle_store
from infra.evidence.replay import Replay
from infra.settings import RELEASE
from infra.templates import environment

_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Stated:
    """A statement of the page: what the log says, how it compares, and the path to its events."""

    compared: Compared
    balance: str
    explained: StatementExplained


def page(path: Path, found: Replay, against: datetime | None = None) -> str:
    """Return the page of a verified bundle: statements, two moments compared, and all events.

    The earlier moment is `against` or, without it, when the last statement was issued. The page
    asks for nothing outside itself. Raises as `bundle_store.opened` does, and `NotFound` for a
    moment before the first event.
    """
    with bundle_store.opened(path) as accord:
        (partnership,) = accord.history.partnerships()
        when = AsOf(viewer=accord.viewer)
        events = list(history.items(accord, partnership, when))
        against = against or _last_issued(found, events)
        return (
            environment(_TEMPLATES, {"minute": minute, "plain": plain, "value": _value})
            .get_template("bundle.html")
            .render(
                release=RELEASE,
                file=path.name,
                digest=sha256(path.read_bytes()).hexdigest(),
                found=found,
                viewer=accord.viewer.party,
                partnership=partnership,
                statements=[_stated(accord, partnership, each, when) for each in found.statements],
                comparison=_comparison(accord, partnership, against, when),
                events=events,
            )
        )


def _last_issued(found: Replay, events: Sequence[HistoryItem]) -> datetime | None:
    for each in reversed(found.statements):
        if event := events[each.index].event:
            return event.recorded_at
    return None


def _comparison(
    accord: Accord, partnership: str, against: datetime | None, when: AsOf
) -> Comparison | None:
    return compare.ask(accord, partnership, against, when) if against else None


def _stated(accord: Accord, partnership: str, of: Compared, when: AsOf) -> _Stated:
    explained = explain_money.explained(accord, partnership, "statement", of.statement, when)
    assert isinstance(explained, StatementExplained)  # noqa: S101 - what was asked for
    return _Stated(of, owed(of.stated) if of.stated else "left out", explained)


def _value(value: object) -> str:
    return "nothing" if value is None else str(value)
