"""A question that can be asked of a store: one table entry makes its command and its HTTP route.

A question is a function ``ask`` whose parameters say what is asked, and whose result is a pydantic
model. The command line turns parameters into arguments and options, HTTP into path and query
parameters; both print the same JSON document, and its schema is the route's in OpenAPI.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from domain.calendar import Period
from domain.described import Described
from domain.terms import UTC
from domain.values import Slug, instant
from infra.access.roles import Need
from infra.answers.logs import NOW, Asked, AsOf, in_range
from infra.answers.members import seen_among
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.text import Block, Line
from infra.bootstrap import Accord
from infra.store.views import Quarantined, UnreadableRow
from infra.tlog.codec import stored_moment
from projections.visibility import Viewer

T = TypeVar("T")

REPAIRS = 100
"""Damaged partnerships that one question has folded anew, at most."""

PAGE = 100
"""Items of a page, unless the reader asks for more or fewer."""


class Panel(StrEnum):
    """The panels of the command line's help, in their order: one for each kind of work."""

    PARTNERSHIPS = "Partnerships"
    """What a partnership lead asks on a Monday."""
    MONEY = "Money"
    """What a finance clerk asks, and states."""
    EVENTS = "Events"
    """What those do who record what happened, by hand or by an integration."""
    EVIDENCE = "Evidence"
    """What an auditor, a signer or a data protection officer does."""
    OPERATION = "Operation"
    """What an operator does."""


class Item(Described):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Quarantine(Item):
    """A partnership whose folding stopped at an event, so its views are stale."""

    partnership: str
    """Its identifier."""
    event: int
    """The index of the first event that KPIs, alerts, statements and other views lack."""
    since: datetime
    """When Accord found that it cannot fold the event."""
    projection: str
    """The projection that failed; `all` if the event cannot be read."""
    error: str | None
    """What failed; null for a party."""


class Result(Item):
    """The result of a command or a request: one JSON document."""

    simulated: bool = False
    """Whether the store is simulated: its feeds say when things were recorded."""


class Answer(Result):
    """The answer to a question: one JSON document."""

    as_of: Asked = Field(default_factory=Asked)
    """The moment and the viewer that were asked about."""
    quarantined: tuple[Quarantine, ...] = ()
    """The partnerships among those asked about whose views are stale; the others are current."""


class Page(Answer, Generic[T]):
    """An answer of many items, given a page at a time."""

    next: str | None = None
    """The cursor of the next page (`after`); null on the last page."""
    items: tuple[T, ...]
    """The items, in order."""


class DatedPage(Page[T], Generic[T]):
    """A page of items of several partnerships, whose days are each of its own time zone."""

    zones: Mapping[str, str] = {}
    """The time zone of the days of each partnership of this page that has agreed terms."""

    def zone_of(self, partnership: str) -> str:
        """Return the time zone of a partnership's days: UTC without agreed terms."""
        return self.zones.get(partnership, UTC)


@dataclass(frozen=True, slots=True)
class Parameter:
    """How a parameter of a question is described to its readers."""

    help: str
    metavar: str = ""
    positional: bool | None = None
    """Whether the command takes it without a name; unless set, if it is required."""
    is_file: bool = False
    """Whether the command also takes the name of a file, and passes its text."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of an answer is asked for."""

    after: str | None = None
    """The cursor that the page before gave as `next`."""
    limit: int = PAGE


_ALL: Final = sys.maxsize - 1
"""More items than an answer has. One more can still be counted."""

PartnershipId = Annotated[Slug, Parameter("The partnership.", "ID")]
PeriodName = Annotated[
    Period | None,
    Parameter(
        "A month, a quarter or a year: 2026-03, 2026-Q1, 2026. All periods unless given.",
        "PERIOD",
    ),
]


def _named(given: Mapping[str, Any]) -> Iterable[str]:
    """Return the partnerships that parameters name."""
    found = given.get("id") or given.get("partnership") or ()
    return [found] if isinstance(found, str) else found


@dataclass(frozen=True)
class Question:
    """One question: how it is asked, answered and printed.

    `ask` takes the store if it reads one, then what is asked: parameters annotated with a
    `Parameter`, an `AsOf` where the answer can be as of a moment, a `Paging` where it comes in
    pages. A parameter that `path` names is required. `private` questions can show both
    parties' private facts to the operator, who gives a reason that is recorded.
    """

    name: str
    """The command's name, and the operation's in OpenAPI."""
    ask: Callable[..., BaseModel]
    text: Callable[[Any], Iterator[Block]]
    """Gives the answer as text for a terminal."""
    path: str
    help: str
    panel: Panel = Panel.PARTNERSHIPS
    private: bool = False
    within: str = ""
    """A second route, which asks the same of one partnership, or of one part of it."""
    reads_views: bool = True
    """Whether the answer reads the views, which are then caught up first."""
    gives: Need = Need.FACTS
    """What a route needs that gives the answer; one that reads no store gives the catalogue."""
    about: Callable[[Mapping[str, Any]], Iterable[str]] = _named
    """Returns the partnerships that are asked about, given the parameters."""

    @cached_property
    def parameters(self) -> dict[str, "Asks"]:
        """What is asked, by name: the parameters of `ask` that have a `Parameter`."""
        defaults = inspect.signature(self.ask).parameters
        found = {}
        for name, hint in self._hints.items():
            kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
            for each in notes:
                if isinstance(each, Parameter):
                    # What else is annotated belongs to the type.
                    rest = [of for of in notes if of is not each]
                    typed = Annotated[(kind, *rest)] if rest else kind
                    found[name] = Asks(typed, defaults[name].default, each)
        return found

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.ask, include_extras=True)

    @property
    def answer(self) -> type[BaseModel]:
        """The model of the answer."""
        found: type[BaseModel] = self._hints["return"]
        return found

    def reply(self, accord: Accord, **given: Any) -> Any:  # noqa: ANN401 - what is asked, the answer
        """Return the answer of a store, with the partnerships of it whose views are stale.

        A damaged row is folded anew. Raises `UnreadableRow` if that is left to another process,
        `FoldFailed` if the answer needs an event that cannot be folded, and as `ask` does.
        """
        for _ in range(REPAIRS):
            try:
                found = self.ask(accord, **given)
                break
            except UnreadableRow as damage:
                if not accord.repair(damage):
                    raise
        else:
            found = self.ask(accord, **given)
        if not isinstance(found, Answer):
            return found
        stale = tuple(_quarantined(accord, given)) if self.asks_when or _about(given) else ()
        return found.model_copy(update={"quarantined": stale}) if stale else found

    def pages(self, accord: Accord, after: str | None = None, **given: Any) -> Iterator[Page[Any]]:  # noqa: ANN401 - what is asked
        """Yield the pages of an answer, each as long as can be; raises as `reply` does."""
        while True:
            page = self.reply(accord, **given, page=Paging(after, LONGEST_PAGE))
            yield page
            if (after := page.next) is None:
                return

    def whole(self, accord: Accord, **given: Any) -> Any:  # noqa: ANN401 - what is asked, the answer
        """Return an answer with all its items; raises as `reply` does."""
        return self.reply(accord, **given, page=Paging(limit=_ALL))

    def lines(self, found: Any) -> Iterator[Block]:  # noqa: ANN401 - the answer
        """Yield the answer as text for a terminal; what is stale in it comes first."""
        if isinstance(found, Answer):
            for each in found.quarantined:
                yield Line(_stale(each), "bold yellow")
        yield from self.text(found)

    def in_words(self, given: Mapping[str, Any], when: AsOf = NOW) -> str:
        """Return what is asked, as the record of a full view keeps it.

        It has the parameters of the question and the two times, and nothing of how the question
        was sent, such as the address of the store, which can have a password.
        """
        asked = [(name, given[name]) for name in self.parameters if given.get(name) is not None]
        asked += [(name, time) for name, time in (("at", when.at), ("known", when.known)) if time]
        words = [f"{name.replace('_', ' ')} {_word(each)}" for name, each in asked]
        return "; ".join([self.help.rstrip("."), *words])

    @property
    def reads_store(self) -> bool:
        """Whether the answer comes from a store, rather than from this release alone."""
        return Accord in self._hints.values()

    @property
    def need(self) -> Need:
        """What is needed of who asks."""
        return self.gives if self.reads_store else Need.CATALOGUE

    @property
    def asks_viewer(self) -> bool:
        """Whether the answer has a viewer and no moment."""
        return Viewer in self._hints.values()

    @property
    def is_paged(self) -> bool:
        """Whether the answer comes in pages."""
        return Paging in self._hints.values()

    @property
    def asks_when(self) -> bool:
        """Whether the answer can be as of a moment."""
        return AsOf in self._hints.values()


@dataclass(frozen=True, slots=True)
class Asks:
    """One parameter of a question: its type, its default, and how it is described."""

    type: Any
    default: Any
    described: Parameter

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    @property
    def is_positional(self) -> bool:
        """Whether the command takes it without a name."""
        positional = self.described.positional
        return self.is_required if positional is None else positional


def _word(value: object) -> str:
    return instant(value) if isinstance(value, datetime) else str(value)


def _about(given: Mapping[str, Any]) -> str | None:
    """Return the one partnership that is asked about, if it is one."""
    return given.get("id") or given.get("partnership")


def _quarantined(accord: Accord, given: Mapping[str, Any]) -> Iterator[Quarantine]:
    """Yield what is quarantined among the partnerships that the viewer asks about."""
    name, when = _about(given), given.get("when", NOW)
    found = accord.views.quarantined(None if name is None else [name])
    if name is None:
        found = {each: found[each] for each in seen_among(accord, found, when.viewer)}
    for each in found.values():
        if when.is_now or in_range(accord.history, each, when):
            yield _shown(each, of_operator=when.viewer.party is None)


def _shown(record: Quarantined, *, of_operator: bool) -> Quarantine:
    return Quarantine(
        partnership=record.partnership,
        event=record.index,
        since=stored_moment(record.since),
        projection=record.projection,
        error=record.error if of_operator else None,
    )


def _stale(found: Quarantine) -> str:
    reason = f": {found.error}" if found.error else "."
    return (
        f"{found.partnership} is quarantined, and its views are stale: they lack the events from "
        f"{found.partnership}#{found.event} on{reason}"
    )


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:  # noqa: ANN401
    """Return a keyword parameter, for the signature of the command or the route of a question."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)
