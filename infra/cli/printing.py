"""Printing: data on stdout, as text or JSON; notes and progress on stderr.

Answers contain text from feeds. No markup is interpreted in it, and control characters, which a
terminal would obey or that change the order of a text, are shown as their codes.
"""

import os
import sys
from collections.abc import Callable, Iterable
from textwrap import wrap
from typing import Literal, TypeVar, assert_never

import orjson
from pydantic import BaseModel
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from domain.values import clean
from infra.answers.text import Block, Hanging, Json, Line, Remark, Styled, Verbatim
from infra.answers.text import Table as Tabled

WITHOUT_END = 10_000
"""Columns without a terminal: output to a pipe or a file is not wrapped."""

GAP = 2
"""Columns between the cells of a table."""

SHORT = len("2026-03-31 12:00")
"""Cells up to this many characters are folded last."""

NARROWEST = 24
"""The fewest columns for text beside its head; with less room, the text goes below the head."""

BELOW = " " * 8
"""The indent of a text below its head."""

STYLES = {
    "resolved": "green",
    "withdrawn": "yellow",
    "refused": "yellow",
    "missed": "red",
    "escalated": "red",
}


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    unbounded = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        file=stream,
        width=WITHOUT_END if unbounded else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _cell(value: object) -> Text:
    return styled(value.text, value.style) if isinstance(value, Styled) else styled(value)


def styled(value: object, style: str = "") -> Text:
    """Return text to print, by default in the style of the state that it begins with."""
    shown = clean(value)
    return Text(shown, style or STYLES.get(shown.partition(" ")[0], ""))


def note(text: str) -> None:
    """Print a note on stderr."""
    _console(stderr=True).print(clean(text), soft_wrap=True)


def line(text: str, style: str = "", indent: int = 0) -> None:
    """Print a line of text, wrapped between words at the width of the terminal."""
    _print(styled(text or " ", style), indent)


def table(shown: Tabled) -> None:
    """Print a table.

    In a narrow terminal cells are folded between words, those of the widest columns first; nothing
    is cut off.
    """
    columns, indent = shown.columns, shown.indent
    cells = [[_cell(each) for each in row] for row in shown.rows]
    if not cells:
        return
    if shown.title:
        line(shown.title, "bold", indent)
        indent += 2
    heads = [name.removeprefix(">") for name in columns]
    texts = [[head, *(row[at].plain for row in cells)] for at, head in enumerate(heads)]
    widths = _fit(texts, _console().width - indent - GAP * len(columns))
    grid = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name, head, wide in zip(columns, heads, widths, strict=True):
        justify: Literal["left", "right"] = "right" if name.startswith(">") else "left"
        grid.add_column(head, justify=justify, overflow="fold", width=wide)
    for row in cells:
        grid.add_row(*row)
    _print(grid, indent)


def _fit(texts: list[list[str]], room: int) -> list[int]:
    """Return the width of each column so that all fit: the widest are narrowed, between words.

    Long cells are narrowed first, then short ones, then names, which are in the first column.
    Words are broken only if nothing else fits.
    """
    widths = [max(map(len, column)) for column in texts]
    words = [_longest_word(column) for column in texts]
    names_whole = [widths[0], *words[1:]]
    short_whole = [
        wide if wide <= SHORT else least for wide, least in zip(widths, names_whole, strict=True)
    ]
    for least in (short_whole, names_whole, words, [1] * len(texts)):
        while sum(widths) > room and widths != least:
            spare = [at for at, wide in enumerate(widths) if wide > least[at]]
            widths[max(spare, key=lambda at: widths[at])] -= 1
    return widths


def _longest_word(texts: list[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=1)


def _print(shown: Text | Table, indent: int) -> None:
    console = _console()
    with console.capture() as captured:
        console.print(Padding(shown, (0, 0, 0, indent), expand=False))
    # Cells are padded to the width of their column; the last column needs no padding.
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().split("\n")[:-1]))
    console.file.flush()


def hanging(head: str, text: str, columns: int) -> None:
    """Print a line that begins with `head`; folded text stays to the right of it.

    If too little room is left there, the text begins on a line of its own.
    """
    if columns - len(head) < NARROWEST:
        lines = wrap(" ".join(clean(head).split()), columns) or [""]
        lines += wrap(clean(text), columns, initial_indent=BELOW, subsequent_indent=BELOW)
        sys.stdout.write("\n".join(lines) + "\n")
        return
    lines = wrap(clean(text), columns - len(head)) or [""]
    sys.stdout.write(clean(head) + f"\n{' ' * len(head)}".join(lines) + "\n")


def blocks(shown: Iterable[Block]) -> None:
    """Print an answer's text."""
    columns = _console().width
    for block in shown:
        match block:
            case Line():
                line(block.text, block.style, block.indent)
            case Hanging():
                hanging(block.head, block.text, columns)
            case Tabled():
                table(block)
            case Remark():
                note(block.text)
            case Json():
                document(block.value, pretty=True)
            case Verbatim():
                write(block.text)
            case _:
                assert_never(block)


T = TypeVar("T", bound=BaseModel)


def result(found: T, text: Callable[[T], Iterable[Block]], *, as_json: bool) -> None:
    """Print the result of a command: its text, or one JSON document."""
    if as_json:
        write(f"{found.model_dump_json()}\n")
    else:
        blocks(text(found))


def write(part: str) -> None:
    """Print text unchanged."""
    sys.stdout.write(part)


def document(value: object, *, pretty: bool = False) -> None:
    """Print one JSON document, on one line or indented for people."""
    write(f"{orjson.dumps(value, option=orjson.OPT_INDENT_2 if pretty else None).decode()}\n")
    sys.stdout.flush()


def progress() -> Progress:
    """Return a progress bar on stderr; it is silent if that is not a terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=_console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
