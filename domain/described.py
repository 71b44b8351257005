"""Models whose fields are described, in schemas, by the docstrings below them."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

T = TypeVar("T")
PACKAGES = {"domain", "projections", "infra"}


def described(kind: type[T]) -> type[T]:
    """Let schemas describe the fields of a dataclass by the docstrings below them."""
    kind.__get_pydantic_json_schema__ = classmethod(_schema)  # type: ignore[attr-defined] # read by pydantic
    return kind


def _schema(
    kind: type, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
) -> dict[str, Any]:
    schema = handler(core_schema)
    shown = handler.resolve_ref_schema(schema).get("properties", {})
    for name, description in descriptions(kind).items():
        if name in shown:
            shown[name].setdefault("description", description)
    return schema


@described
class Described(BaseModel):
    """A model of which each field has its description in the docstring below it.

    Source is read, and validators are built, on first use. Pydantic would do both for each class
    when it is defined (`use_attribute_docstrings`), which was more than half of the time in which a
    command starts.
    """

    model_config = ConfigDict(defer_build=True)
    described_by: ClassVar[type | None] = None
    """The class that describes the fields of a class made from it."""


@cache
def descriptions(kind: type) -> Mapping[str, str]:
    """Return the docstring of each field of a class, its bases and the class that describes it."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        found |= _of_module(inspect.getmodule(base)).get(base.__qualname__, {})
    if described_by := getattr(kind, "described_by", None):
        found |= descriptions(described_by)
    return found


@cache
def _of_module(module: ModuleType | None) -> Mapping[str, Mapping[str, str]]:
    """Return the docstrings of the fields of each class at the top of a module of Accord."""
    if module is None or module.__name__.partition(".")[0] not in PACKAGES:
        return {}
    source = ast.parse(inspect.getsource(module))
    classes = [each for each in source.body if isinstance(each, ast.ClassDef)]
    return {each.name: dict(_of_fields(each.body)) for each in classes}


def _of_fields(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and not ast.unparse(field.annotation).startswith("ClassVar")
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(below.value.value)
