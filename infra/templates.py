"""How templates are read: HTML escaped, control characters as codes, no name that nobody gave."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from domain.values import clean


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def environment(folder: Path, filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """Return the environment of the templates in a folder, with filters of their own."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        finalize=_cleaned,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= filters
    return made
