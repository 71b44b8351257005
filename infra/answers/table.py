"""All questions: a module of this folder that defines a `Question` adds a command and a route."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from infra import answers
from infra.answers.question import Question


def _found() -> Iterator[Question]:
    for module in iter_modules(answers.__path__):
        if (name := f"{answers.__name__}.{module.name}") != __name__:
            yield from (each for each in vars(import_module(name)).values() if _is_question(each))


def _is_question(value: object) -> bool:
    return isinstance(value, Question)


QUESTIONS: Final = tuple(_found())
"""Every question, by the name of its module."""
