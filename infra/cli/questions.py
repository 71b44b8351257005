"""A command for each question: its arguments and options, and its answer as text or JSON."""

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import orjson
import typer
from pydantic import BaseModel

from infra.answers.logs import AsOf
from infra.answers.question import LONGEST_PAGE, Asks, Page, Paging, Question, keyword
from infra.bootstrap import Accord
from infra.cli import printing
from infra.cli.options import At, Full, Json, Known, Party, Store, app, opened, viewer_of
from infra.settings import DEFAULT_STORE

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        max=LONGEST_PAGE,
        metavar="N",
        help="One page of at most N items; all pages unless given.",
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--after", metavar="CURSOR", help="The page that follows: the `next` of the page before."
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
    shown: dict[str, Any] = {"help": described.help, "show_default": False}
    if described.metavar:
        shown["metavar"] = described.metavar
    if described.minimum is not None:
        shown["min"] = described.minimum
    if described.is_file:
        shown["callback"] = _text_of
    if described.pattern:
        shown["callback"] = _checked(described.pattern, described.metavar)
    if asks.is_positional:
        return Annotated[_plain(asks.type), typer.Argument(**shown)]
    return Annotated[_plain(asks.type), typer.Option(f"--{name.replace('_', '-')}", **shown)]


def _plain(kind: Any) -> Any:  # noqa: ANN401 - an annotation, without pydantic's constraints
    if hasattr(kind, "__metadata__"):
        return _plain(kind.__origin__)
    if get_origin(kind) is tuple:
        return list[_plain(get_args(kind)[0])]  # type: ignore[misc] # an annotation, made here
    if get_origin(kind) in {Union, UnionType}:
        return Union[tuple(map(_plain, get_args(kind)))]  # noqa: UP007 - made from its parts
    return kind


def _checked(pattern: str, metavar: str) -> Callable[[str | None], str | None]:
    import re

    def check(text: str | None) -> str | None:
        if text is not None and not re.fullmatch(pattern, text):
            raise typer.BadParameter(f"{text!r} is not a {metavar.lower()}.")
        return text

    return check


def _text_of(given: str) -> str:
    # JSON is no file's name, and it may be longer than such a name can be.
    if given.lstrip().startswith("{") or not Path(given).is_file():
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{given} is not text in UTF-8.") from error


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
        asked["when"] = _when(accord, asked)
    if not question.is_paged:
        yield question.reply(accord, **asked)
        return
    limit, after = asked.pop("limit"), asked.pop("after")
    while True:
        page = question.reply(accord, **asked, page=Paging(after, limit or LONGEST_PAGE))
        assert isinstance(page, Page)  # noqa: S101 - what a paged question gives
        yield page
        after = page.next
        if limit or after is None:
            return


def _when(accord: Accord, asked: dict[str, Any]) -> AsOf:
    at: datetime | None = asked.pop("at")
    known: datetime | None = asked.pop("known")
    viewer = viewer_of(accord, asked.get("id", ""), asked.pop("party"), asked.pop("full", None))
    return AsOf(at, known, viewer=viewer)


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
