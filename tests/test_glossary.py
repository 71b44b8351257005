"""The glossary names what exists: each file, class and function that docs/glossary.md points to."""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from tests.documents import REPOSITORY

PAGE = REPOSITORY / "docs" / "glossary.md"
ROOMS = ("domain", "projections", "consumers", "infra")


class Row(NamedTuple):
    """A row of a table: a word, its meaning, and where it is defined."""

    word: str
    meaning: str
    where: str

    @property
    def file(self) -> Path:
        """The file that the row names."""
        return REPOSITORY / code(self.where)[0]


def code(cell: str) -> list[str]:
    """Return what is between backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def tables() -> list[list[str]]:
    """Return the cells of every row of every table, without the heads."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [
        [each.strip() for each in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return [each for each in cells if each[0] not in {"Word", "Not"} and set(each[0]) != {"-"}]


WORDS = [Row(*cells) for cells in tables() if len(cells) == 3]
GONE = [code(cells[0])[0] for cells in tables() if len(cells) == 2]


def defined(file: Path) -> set[str]:
    """Return the classes and functions that a module defines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {each.name for each in tree.body if isinstance(each, ast.ClassDef | ast.FunctionDef)}
    assigned = [
        target for each in tree.body if isinstance(each, ast.Assign) for target in each.targets
    ]
    return found | {each.id for each in assigned if isinstance(each, ast.Name)}


def test_each_word_is_defined_once_in_one_sentence() -> None:
    words = [row.word for row in WORDS]

    assert len(words) > 50
    assert len(set(words)) == len(words)
    assert [row.word for row in WORDS if not row.meaning.endswith(".")] == []


def test_each_file_and_each_name_in_it_exists() -> None:
    missing = [
        f"{row.word}: {name}"
        for row in WORDS
        for name in code(row.where)[1:] or [""]
        if not row.file.exists() or (name and name not in defined(row.file))
    ]

    assert missing == []


def test_no_word_that_was_replaced_comes_back() -> None:
    sources = [
        file
        for room in ROOMS
        for file in (REPOSITORY / room).rglob("*.py")
        if "verifiers" not in file.parts
    ]
    found = [
        f"{file.relative_to(REPOSITORY)}: {word}"
        for file in sources
        for word in GONE
        if re.search(rf"\b{word}\b", file.read_text(encoding="utf-8"))
    ]

    assert len(sources) > 100
    assert found == []
