"""Inputs that wait for something that they name and that is not on record yet.

They are stored beside the log. Their stream's next events let them be decided again; if their days
are over before that, they are refused.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.kernel import Refused
from infra.settings import Settings
from infra.store.history import Key, Refusal, Waiting


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How long inputs may wait, and how many of them."""

    days: int
    of_partnership: int
    """The most that wait in one partnership."""
    of_source: int
    """The most of one source that wait, in all partnerships."""


_SETTINGS = Settings()
DEFAULT_LIMITS = WaitingLimits(
    _SETTINGS.waiting_days, _SETTINGS.waiting_of_partnership, _SETTINGS.waiting_of_source
)


class WaitingInputs:
    """The waiting inputs of a batch's partnerships, as the batch changes them.

    `stored` are those of the store. `stored_of` returns how many of a source the store has.
    """

    def __init__(
        self,
        stored: Iterable[Waiting] = (),
        stored_of: Callable[[str], int] = lambda _: 0,
        limits: WaitingLimits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._stored_of = stored_of
        self._stored = {each.key: each for each in stored}
        self._now = dict(self._stored)

    def get(self, key: Key) -> Waiting | None:
        """Return the input of this identity, if it waits."""
        return self._now.get(key)

    def of_stream(self, stream: str) -> list[Waiting]:
        """Return the inputs that wait for events of a stream, in the order in which they came."""
        return [each for each in self._now.values() if each.stream == stream]

    def of_partnership(self, partnership: str) -> list[Waiting]:
        """Return the inputs of a partnership that wait, in the order in which they came."""
        return [each for each in self._now.values() if each.partnership == partnership]

    def overdue(self, partnership: str, now: datetime) -> list[Waiting]:
        """Return the inputs of a partnership whose days are over."""
        return [each for each in self.of_partnership(partnership) if each.until < now]

    def until(self, since: datetime) -> datetime:
        """Return when the days of an input are over that waits since `since`."""
        return since + timedelta(days=self._limits.days)

    def add(self, waiting: Waiting, why: Refused) -> None:
        """Let an input wait; one that waits already is replaced, in its place.

        Raises `Refused` if too many inputs of its partnership or of its source wait.
        """
        if waiting.key not in self._now:
            self._check_room(waiting, why)
        self._now[waiting.key] = waiting

    def _check_room(self, waiting: Waiting, why: Refused) -> None:
        name, source = waiting.partnership, waiting.source
        in_partnership = sum(each.partnership == name for each in self._now.values())
        if in_partnership >= self._limits.of_partnership:
            raise _too_many(f"{in_partnership} events of {name}", waiting, why)
        # The store's own ones are counted there, because most of them are of other partnerships.
        added = _of(source, self._now.values()) - _of(source, self._stored.values())
        of_source = self._stored_of(source) + added
        if of_source >= self._limits.of_source:
            raise _too_many(f"{of_source} events of {source}", waiting, why)

    def remove(self, key: Key) -> bool:
        """Let an input wait no longer; return whether it waited."""
        return self._now.pop(key, None) is not None

    @property
    def changed(self) -> list[Waiting]:
        """The inputs that wait and are not stored so, in order."""
        return [each for key, each in self._now.items() if self._stored.get(key) is not each]

    @property
    def settled(self) -> list[Key]:
        """The stored inputs that wait no longer, or that wait anew."""
        return [
            key
            for key, each in self._stored.items()
            if key not in self._now or self._now[key].since != each.since
        ]


def _of(source: str, inputs: Iterable[Waiting]) -> int:
    return sum(each.source == source for each in inputs)


# --- refusals ----------------------------------------------------------------------------------


def _too_many(these: str, waiting: Waiting, why: Refused) -> Refused:
    return Refused(
        "too-many-waiting",
        f"{why.detail} This event cannot wait for that: {these} wait already, the most that may.",
        f"Send {waiting.awaited} first, then send this again.",
    )


def waited_too_long(waiting: Waiting) -> Refusal:
    """Return the refusal of an input whose days are over."""
    days = (waiting.until - waiting.since).days
    return _refusal(
        waiting,
        "waited-too-long",
        f"This event waited {days} days for {waiting.awaited}, which was not recorded.",
    )


def named_erased_person(waiting: Waiting) -> Refusal:
    """Return the refusal of an input that names a person whose name is erased."""
    return _refusal(
        waiting,
        "person-erased",
        f"This event waited for {waiting.awaited}, and named a person who was erased meanwhile.",
    )


def _refusal(waiting: Waiting, rule: str, detail: str) -> Refusal:
    return Refusal(
        *waiting.key,
        waiting.partnership,
        waiting.type,
        rule,
        detail,
        f"Send {waiting.awaited}, then send this again.",
        None,
        waiting.since,
        waiting.raw,
    )
