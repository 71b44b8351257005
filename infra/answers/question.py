"""A question that can be asked of a store: one table entry makes its command and its HTTP route.

A question is a function ``ask`` whose parameters say what is asked, and whose result is a pydantic
model. The command line turns parameters into arguments and options, HTTP into path and query
parameters; both print the same JSON document, and its schema is the route's in OpenAPI.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from domain.calendar import PERIOD_PATTERN
from domain.values import Slug
from infra.answers.logs import Asked, AsOf
from infra.answers.text import Block
from infra.bootstrap import Accord

T = TypeVar("T")

LONGEST_PAGE = 1000
"""Items of one page at most."""

PAGE = 100
"""Items of a page, unless the reader asks for more or fewer."""


class Panel(StrEnum):
    """The panels of the command line's help, in their order."""

    INGEST = "Ingest"
    QUERY = "Query"
    COMPARE = "Compare"
    EVIDENCE = "Evidence"
    RUN = "Run"


class Item(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Result(Item):
    """The result of a command or a request: one JSON document."""

    simulated: bool = False
    """Whether the store is simulated: its feeds say when things were recorded."""


class Answer(Result):
    """The answer to a question: one JSON document."""

    as_of: Asked = Field(default_factory=Asked)
    """The moment and the viewer that were asked about."""


class Page(Answer, Generic[T]):
    """An answer of many items, given a page at a time."""

    next: str | None = None
    """The cursor of the next page (`after`); null on the last page."""
    items: tuple[T, ...]
    """The items, in order."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """How a parameter of a question is described to its readers."""

    help: str
    metavar: str = ""
    pattern: str = ""
    """A regular expression that the whole text must match."""
    positional: bool | None = None
    """Whether the command takes it without a name; unless set, if it is required."""
    minimum: int | None = None
    """The smallest number that is allowed."""
    is_file: bool = False
    """Whether the command also takes the name of a file, and passes its text."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of an answer is asked for."""

    after: str | None = None
    """The cursor that the page before gave as `next`."""
    limit: int = PAGE


PartnershipId = Annotated[Slug, Parameter("The partnership.", "ID")]
PeriodName = Annotated[
    str | None,
    Parameter(
        "A month, a quarter or a year: 2026-03, 2026-Q1, 2026. All periods unless given.",
        "PERIOD",
        PERIOD_PATTERN,
    ),
]


@dataclass(frozen=True)
class Question:
    """One question: how it is asked, answered and printed.

    `ask` takes the store if it reads one, then what is asked: parameters annotated with a
    `Parameter`, an `AsOf` where the answer can be as of a moment, a `Paging` where it comes in
    pages. A parameter whose name stands in `path` is required. `private` questions can show both
    parties' private facts to the operator, who gives a reason that is recorded.
    """

    name: str
    """The command's name, and the operation's in OpenAPI."""
    ask: Callable[..., BaseModel]
    text: Callable[[Any], Iterator[Block]]
    """Gives the answer as text for a terminal."""
    path: str
    help: str
    panel: Panel = Panel.QUERY
    private: bool = False
    within: str = ""
    """A second route, which asks the same of one partnership."""
    reads_views: bool = True
    """Whether the answer reads the views, which are then caught up first."""

    @cached_property
    def parameters(self) -> dict[str, "Asks"]:
        """What is asked, by name: the parameters of `ask` that have a `Parameter`."""
        defaults = inspect.signature(self.ask).parameters
        found = {}
        for name, hint in self._hints.items():
            kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
            for each in notes:
                if isinstance(each, Parameter):
                    found[name] = Asks(kind, defaults[name].default, each)
        return found

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.ask, include_extras=True)

    @property
    def answer(self) -> type[BaseModel]:
        """The model of the answer."""
        found: type[BaseModel] = self._hints["return"]
        return found

    @property
    def reads_store(self) -> bool:
        """Whether the answer comes from a store, rather than from this release alone."""
        return Accord in self._hints.values()

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


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:  # noqa: ANN401
    """Return a keyword parameter, for the signature of the command or the route of a question."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)
