"""Inputs that wait for something that they name and that is not on record yet.

They are stored beside the log. Their stream's next events let them be decided again; if their days
are over before that, they are refused.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.kernel import Refused
from infra.settings import Settings
from infra.store.history import InputId, Refusal, Waiting


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """How long inputs may wait, and how many of them."""

    days: int
    of_partnership: int
    """The most of one party that wait in one partnership."""
    of_source: int
    """The most of one party and source that wait, in all partnerships."""
    of_party: int
    """The most of one party that wait, in all partnerships and of all sources."""


_SETTINGS = Settings()
DEFAULT_LIMITS = WaitingLimits(
    _SETTINGS.waiting_days,
    _SETTINGS.waiting_of_partnership,
    _SETTINGS.waiting_of_source,
    _SETTINGS.waiting_of_party,
)


class WaitingInputs:
    """The waiting inputs of a batch's partnerships, as the batch changes them.

    `stored` are those of the store. `stored_of` returns how many of a party the store has, and how
    many of one of its sources.
    """

    def __init__(
        self,
        stored: Iterable[Waiting] = (),
        stored_of: Callable[[str, str | None], int] = lambda *_: 0,
        limits: WaitingLimits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._stored_of = stored_of
        self._stored = {each.input: each for each in stored}
        self._now = dict(self._stored)

    def get(self, key: InputId) -> Waiting | None:
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

        Raises `Refused` if too many inputs of its party wait: in its partnership, of its source, or
        of all.
        """
        if waiting.input not in self._now:
            self._check_room(waiting, why)
        self._now[waiting.input] = waiting

    def _check_room(self, waiting: Waiting, why: Refused) -> None:
        name, party, source = waiting.partnership, waiting.party, waiting.source
        mine = [each for each in self._now.values() if each.party == party]
        in_partnership = sum(each.partnership == name for each in mine)
        if in_partnership >= self._limits.of_partnership:
            raise _too_many(f"{in_partnership} events of {party} in {name}", waiting, why)
        of_source = self._count(party, source)
        if of_source >= self._limits.of_source:
            raise _too_many(f"{of_source} events of {source}", waiting, why)
        of_party = self._count(party)
        if of_party >= self._limits.of_party:
            raise _too_many(f"{of_party} events of {party}", waiting, why)

    def _count(self, party: str, source: str | None = None) -> int:
        """Return how many inputs of a party wait, or of one of its sources."""
        # The store's own ones are counted there, because most of them are of other partnerships.
        added = _of(self._now.values(), party, source) - _of(self._stored.values(), party, source)
        return self._stored_of(party, source) + added

    def remove(self, key: InputId) -> bool:
        """Let an input wait no longer; return whether it waited."""
        return self._now.pop(key, None) is not None

    @property
    def changed(self) -> list[Waiting]:
        """The inputs that wait and are not stored so, in order."""
        return [each for key, each in self._now.items() if self._stored.get(key) is not each]

    @property
    def settled(self) -> list[InputId]:
        """The stored inputs that wait no longer, or that wait anew."""
        return [
            key
            for key, each in self._stored.items()
            if key not in self._now or self._now[key].since != each.since
        ]


def _of(inputs: Iterable[Waiting], party: str, source: str | None) -> int:
    return sum(each.party == party and source in {None, each.source} for each in inputs)


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
    why = Refused(
        "waited-too-long",
        f"This event waited {days} days for {waiting.awaited}, which was not recorded.",
        f"Send {waiting.awaited}, then send this again.",
    )
    return _refusal(waiting, why)


def named_erased_person(waiting: Waiting) -> Refusal:
    """Return the refusal of an input that names a person whose name is erased."""
    why = Refused(
        "person-erased",
        f"This event waited for {waiting.awaited}, and named a person who was erased meanwhile.",
        f"Send {waiting.awaited}, then send this again.",
    )
    return _refusal(waiting, why)


def key_revoked(waiting: Waiting) -> Refusal:
    """Return the refusal of an input that was perhaps sent with a key that is revoked now."""
    why = Refused(
        "key-revoked",
        f"This event waited for {waiting.awaited}. Meanwhile a key of {waiting.party} was revoked, "
        "and whoever had that key may have sent the event.",
        "Send this again if you sent it. The operator can retry it.",
    )
    return _refusal(waiting, why)


def _refusal(waiting: Waiting, why: Refused) -> Refusal:
    return Refusal(
        *waiting.input,
        waiting.partnership,
        waiting.type,
        why.rule,
        why.detail,
        why.hint,
        None,
        waiting.since,
        waiting.raw,
    )
