"""Write the catalogue of rules that can refuse, found in the source: `python -m dev.problems`.

`infra/answers/problems.json` is what `accord problems` and the pages of problems read, and
`docs/problems.md` is the same for readers. A test compares both with the source.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

REPOSITORY = Path(__file__).parent.parent
CATALOGUE = REPOSITORY / "infra" / "answers" / "problems.json"
PAGE = REPOSITORY / "docs" / "problems.md"

SOURCES = ("domain/*.py", "infra/tlog/dsse.py", "infra/deciding/*.py")
"""Where events are refused."""

READING = "infra/deciding/intake.py"
"""The module that also refuses by what a validator of fields finds."""

OF_FIELDS = {
    "extra_forbidden": (
        "The object has no such field. /data/candidat: Extra inputs are not permitted.",
        "Leave it out, or see the schema of the type.",
    ),
    "missing": (
        "A required field is missing. /data/name: Field required.",
        "Add it; see the schema of the type.",
    ),
    "timezone_aware": (
        "A moment needs a time zone. /time: Input should have timezone info.",
        "Write the zone, as in 2026-01-01T09:00:00Z.",
    ),
    "enum": (
        "The value is not allowed in this field. /data/kind: Input should be another value.",
        "See the schema of the type.",
    ),
}
"""What is said of a field that the validator refuses, by the validator's kind of error."""


OF_TEXT = (
    "A decimal must be text. /data/amount: must be a decimal written as a string.",
    'Write it in quotes, as in "10.50", because a JSON number can lose digits.',
)
"""What is said of a decimal that is not a string."""


class Case(NamedTuple):
    """One way in which a rule refuses."""

    rule: str
    detail: str
    hint: str


def cases() -> list[Case]:
    """Return every refusal in the source, by its rule; what differs each time is in `<...>`."""
    trees = [(file, ast.parse(file.read_text("utf-8"))) for file in _files()]
    kinds = _kinds(tree for _, tree in trees)
    found = [case for _, tree in trees for case in _cases(tree, kinds)]
    reading = next(tree for file, tree in trees if file == REPOSITORY / READING)
    # A text that is put together elsewhere says nothing here; its rule has other cases.
    whole = re.compile(r"<[^<>]*>")
    told = [x for x in found if not (whole.fullmatch(x.detail) or whole.fullmatch(x.hint))]
    return sorted({*told, *_of_fields(reading)})


def _files() -> Iterator[Path]:
    for pattern in SOURCES:
        yield from sorted(REPOSITORY.glob(pattern))


def _kinds(trees: Iterator[ast.Module]) -> set[str]:
    """Return the names of `Refused` and of every class that is one."""
    kinds = {"Refused"}
    classes = [each for tree in trees for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    while new := {
        each.name
        for each in classes
        if each.name not in kinds
        and any(isinstance(base, ast.Name) and base.id in kinds for base in each.bases)
    }:
        kinds |= new
    return kinds


def _cases(tree: ast.Module, kinds: set[str]) -> Iterator[Case]:
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef):
            given = _assigned(scope)
            for node in ast.walk(scope):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from _case(node, node.func.id, kinds, given)


def _assigned(scope: ast.FunctionDef) -> dict[str, ast.expr]:
    """Return what the names of a function are assigned to, so that a text can have a name."""
    return {
        node.targets[0].id: node.value
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _case(call: ast.Call, name: str, kinds: set[str], given: dict[str, ast.expr]) -> Iterator[Case]:
    keywords = {each.arg: each.value for each in call.keywords}
    found: Sequence[ast.expr] = ()
    match name, call.args:
        case _, [rule, detail, hint, *_] if name in kinds:
            found = rule, detail, hint
        case "Requirement", [rule, _, detail, hint, *_]:
            found = rule, detail, hint
        case "Requirement", [rule]:
            found = rule, keywords["detail"], keywords["hint"]
        case "once", [_, _, rule, detail, hint]:
            found = rule, detail, hint
        case "Outcome", _ if "rule" in keywords and "detail" in keywords:
            found = [keywords[each] for each in ("rule", "detail", "hint")]
        case _:
            pass
    if found and _names_a_rule(found[0]):
        rule, detail, hint = (
            given.get(each.id, each) if isinstance(each, ast.Name) else each for each in found
        )
        yield Case(_rule(rule), _text(detail), _text(hint))


def _of_fields(tree: ast.Module) -> Iterator[Case]:
    """Yield the refusals of fields, by the rules that the reading module gives them."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name("_RULES")], value=ast.Dict(keys, values)):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                        detail, hint = OF_FIELDS.get(str(key.value), OF_FIELDS["enum"])
                        yield Case(str(value.value), detail, hint)
            case ast.Return(ast.Constant(str(rule))) if re.fullmatch(r"[a-z]+(-[a-z]+)+", rule):
                yield Case(rule, OF_TEXT[0], OF_TEXT[1])
            case _:
                pass


def _names_a_rule(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _rule(node: ast.expr) -> str:
    """Return the rule; of one that is made for a party or a question, what is before the colon."""
    return _text(node).partition(":")[0]


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value):
            return str(value)
        case ast.JoinedStr(parts):
            return "".join(map(_text, parts))
        case ast.FormattedValue(value):
            return f"<{_name(value)}>"
        case ast.BinOp(left, ast.Add(), right):
            return _text(left) + _text(right)
        case ast.IfExp(_, body, _):
            return _text(body)
        case _:
            return f"<{_name(node)}>"


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name.strip("_").lower().replace("_", " ")
        case ast.Call(ast.Attribute(ast.Constant(), "join"), [joined]):
            return _name(joined)
        case ast.Call(_, [first, *_]) | ast.Subscript(first) | ast.IfExp(_, first, _):
            return _name(first)
        case ast.Call(func, []):
            return _name(func)
        case ast.BinOp(left, _, _) | ast.BoolOp(values=[left, *_]):
            return _name(left)
        case _:
            return "..."


# --- what is written ---------------------------------------------------------------------------


def catalogue() -> bytes:
    """Return the catalogue: each rule, what it means, and what it says and advises."""
    rules: dict[str, list[Case]] = defaultdict(list)
    for case in cases():
        rules[case.rule].append(case)
    rows = [
        {
            "rule": rule,
            "meaning": meaning(of[0].detail),
            "cases": [{"detail": each.detail, "hint": each.hint} for each in of],
        }
        for rule, of in sorted(rules.items())
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n"


def meaning(detail: str) -> str:
    """Return the first sentence of a detail, which says what is not allowed."""
    return re.split(r"(?<=[.;])\s", detail, maxsplit=1)[0].rstrip(";").rstrip(".") + "."


INTRODUCTION = """# Problems

Every rule that can refuse an event. A refusal names its rule. Over HTTP the `type` of the problem
is the address of a page with the text below: `/problems/` and the rule. What differs from case to
case is in italics. A rule that a gate asks of each party, question or dimension continues after a
colon, as in `sponsor:north`. `accord problems` prints the same. This page is written from the
source."""


def page() -> str:
    """Return the page of the documentation."""
    lines = [INTRODUCTION]
    for row in orjson.loads(catalogue()):
        lines += ["", f"## {row['rule']}"]
        for case in row["cases"]:
            lines += ["", f"> {_escaped(case['detail'])}", "", f"Hint: {_escaped(case['hint'])}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"<([^>]*)>", r"*\1*", text)


if __name__ == "__main__":
    CATALOGUE.write_bytes(catalogue())
    PAGE.write_text(page(), encoding="utf-8")
