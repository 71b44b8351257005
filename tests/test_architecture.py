"""`docs/architecture.md` draws the rooms as they are, and no import runs back."""

import re
import tomllib
from collections import defaultdict
from functools import cache

import grimp

from tests.documents import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS = ["consumers", "infra", "projections", "domain"]


def contracts() -> list[list[str]]:
    """The layers of each contract, from the top, each as the rooms that lie in it."""
    found = PROJECT["tool"]["importlinter"]["contracts"]
    return [each["layers"] for each in found if each["type"] == "layers"]


def drawn(heading: str) -> list[str]:
    """The layers of the drawing below a heading, as a contract writes them."""
    drawing = PAGE.split(f"# {heading}\n", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    names = [re.split(r" {2,}", line)[0] for line in drawing.splitlines()]
    return [name.replace(", ", " : ") for name in names]


@cache
def imports() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    graph = grimp.build_graph(*LAYERS)
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if room(module) != room(imported):
                found[room(module)].add(room(imported))
    return found


def room(module: str) -> str:
    layer, *rest = module.split(".")
    return rest[0] if layer == "infra" and rest else layer


def order() -> list[str]:
    """The rooms from the top down, as the contracts have them."""
    layers, rooms = contracts()
    flat = [room for layer in rooms for room in layer.split(" : ")]
    return [each for name in layers[1:] for each in (flat if name == "infra" else [name])]


def table() -> str:
    rows = []
    for name in order():
        below = [each for each in order() if each in imports().get(name, ())]
        rows.append(f"| {name} | {', '.join(below) or 'nothing'} |")
    return "\n".join(rows)


def test_the_drawings_show_the_layers_that_the_contracts_hold() -> None:
    layers, rooms = contracts()

    assert drawn("Architecture") == layers
    assert drawn("The rooms of infra") == rooms


def test_the_table_shows_the_imports_as_they_are() -> None:
    assert table() in PAGE, f"docs/architecture.md should have this table:\n{table()}"


def test_no_room_imports_a_room_above_it() -> None:
    places = {name: place for place, name in enumerate(order())}

    back = [
        (name, each)
        for name, below in imports().items()
        for each in below
        if places[each] < places[name]
    ]

    assert back == []
