"""A command for each question: its arguments and options, and its answer as text or JSON."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import orjson
import typer
from pydantic import BaseModel

from domain.viewing import FullViewTaken
from infra.answers.logs import AsOf, size_of
from infra.answers.parameters import Name, PageSize
from infra.answers.question import Asks, Paging, Question, keyword
from infra.bootstrap import Accord
from infra.cli import acting, printing
from infra.cli.options import (
    At,
    Full,
    Json,
    Known,
    Party,
    Store,
    app,
    opened,
    reader,
)
from infra.settings import DEFAULT_STORE
from projections.visibility import Viewer

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        parser=reader("limit", PageSize),
        metavar="N",
        help="One page of at most N items; all pages unless given.",
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--after",
        parser=reader("after", Name),
        metavar="CURSOR",
        help="The page that follows: the `next` of the page before.",
    ),
]


def add(question: Question) -> None:
    """Make the command of a question."""

    def command(**given: Any) -> None:  # noqa: ANN401 - as typer parsed them
        _answer(question, given)

    command.__signature__ = inspect.Signature(list(_options(question)))  # type: ignore[attr-defined]
    command.__doc__ = question.help
    app.command(question.name, rich_help_panel=question.panel.value)(command)


def _options(question: Question) -> Iterator[inspect.Parameter]:
    for name, asks in question.parameters.items():
        yield keyword(name, _described(name, asks), asks.default)
    if question.asks_when:
        yield keyword("at", At, None)
        yield keyword("known", Known, None)
        yield keyword("party", Party, None)
    if question.private:
        yield keyword("full", Full, None)
    if question.is_paged:
        yield keyword("limit", Limit, None)
        yield keyword("after", After, None)
    if question.reads_store:
        yield keyword("store", Store, DEFAULT_STORE)
    yield keyword("as_json", Json, False)


def _described(name: str, asks: Asks) -> Any:  # noqa: ANN401 - an annotation
    described = asks.described
    option = f"--{name.replace('_', '-')}"
    shown: dict[str, Any] = {"help": described.help, "show_default": False}
    kind, each = _parts(asks.type)
    if kind is bool:
        return Annotated[bool, typer.Option(option, **shown)]
    read_text = reader(name, each)
    shown["parser"] = _of_file(read_text) if described.is_file else read_text
    shown["metavar"] = described.metavar or _choices(each) or name.upper()
    if asks.is_positional:
        return Annotated[kind, typer.Argument(**shown)]
    return Annotated[kind, typer.Option(option, **shown)]


def _parts(kind: Any) -> tuple[Any, Any]:  # noqa: ANN401 - annotations
    """Return the type for typer, and the type of each value that is read."""
    if get_origin(kind) in {Union, UnionType}:
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
        return _parts(kind)[0] | None, kind
    if get_origin(kind) is tuple:
        return list[str], get_args(kind)[0]
    plain = kind.__origin__ if hasattr(kind, "__metadata__") else kind
    return (bool if plain is bool else str), kind


def _choices(kind: Any) -> str:  # noqa: ANN401 - an annotation
    is_closed = isinstance(kind, type) and issubclass(kind, Enum)
    return f"[{'|'.join(each.value for each in kind)}]" if is_closed else ""


def _of_file(read_text: Callable[[str], Any]) -> Callable[[str], Any]:
    def read_file(given: str) -> Any:  # noqa: ANN401 - as the reader's
        # JSON is no file's name, and it may be longer than such a name can be.
        if given.lstrip().startswith("{") or not Path(given).is_file():
            return read_text(given)
        try:
            return read_text(Path(given).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise typer.BadParameter(f"{given} is not text in UTF-8.") from error

    return read_file


# --- answering ---------------------------------------------------------------------------------


def _answer(question: Question, given: dict[str, Any]) -> None:
    as_json = given.pop("as_json")
    if not question.reads_store:
        printing.result(question.ask(**given), question.text, as_json=as_json)
        return
    with opened(given.pop("store"), as_json=as_json) as accord:
        if question.reads_views:
            accord.catch_up()
        pages = _pages(question, accord, given)
        if as_json:
            _print_json(pages)
        else:
            for page in pages:
                printing.blocks(question.lines(page))


def _pages(question: Question, accord: Accord, given: dict[str, Any]) -> Iterator[BaseModel]:
    """Yield the answer; a paged one page after page, unless one page was asked for."""
    asked = dict(given)
    if question.asks_when:
        asked["when"] = _when(question, accord, asked)
    if question.asks_viewer:
        asked["viewer"] = accord.viewer
    if not question.is_paged:
        yield question.reply(accord, **asked)
        return
    limit, after = asked.pop("limit"), asked.pop("after")
    if limit:
        yield question.reply(accord, **asked, page=Paging(after, limit))
    else:
        yield from question.pages(accord, **asked, after=after)


def _when(question: Question, accord: Accord, asked: dict[str, Any]) -> AsOf:
    """Return the two times and the viewer; the operator's full view is recorded before."""
    viewer = _viewer(accord, asked.pop("party"))
    when = AsOf(asked.pop("at"), asked.pop("known"), viewer=viewer)
    reason = asked.pop("full", None)
    if reason is None:
        return when
    if viewer.party is not None:
        raise typer.BadParameter("--full is the operator's; it cannot be combined with --party.")
    partnership = asked["id"]
    size_of(accord.history, partnership)
    taken = FullViewTaken(question=question.in_words(asked, when), reason=reason)
    accord.service.record_own(partnership, acting.person(accord, partnership), taken)
    accord.catch_up()
    return replace(when, viewer=Viewer(full=True))


def _viewer(accord: Accord, party: str | None) -> Viewer:
    own = accord.viewer
    if party in {None, own.party}:
        return own
    if accord.is_bundle:
        whose = f"for {own.party}" if own.party else "without a party"
        raise typer.BadParameter(
            f"This bundle was made {whose}, so it does not have the view of {party}. "
            "Ask without --party."
        )
    return Viewer(party)


def _print_json(pages: Iterator[BaseModel]) -> None:
    """Print one JSON document; pages are streamed item by item, so that memory stays small."""
    first = next(pages)
    second = next(pages, None)
    if second is None:
        printing.write(f"{first.model_dump_json()}\n")
        return
    head = first.model_dump(mode="json", exclude={"items"}) | {"next": None}
    printing.write(orjson.dumps(head).decode()[:-1] + ',"items":[')
    printing.write(_items(first))
    page: BaseModel | None = second
    while page is not None:
        printing.write("," + _items(page))
        page = next(pages, None)
    printing.write("]}\n")


def _items(page: BaseModel) -> str:
    dumped = page.model_dump(mode="json", include={"items"})
    return orjson.dumps(dumped["items"]).decode()[1:-1]
