"""Write the catalogue of rules that can refuse, found in the source: `python -m dev.problems`.

`infra/answers/problems.json` is what `accord problems` and the pages of problems read, and
`docs/problems.md` is the same for readers. A test compares both with the source.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from domain.wording import WRONG_VALUE

REPOSITORY = Path(__file__).parent.parent
CATALOGUE = REPOSITORY / "infra" / "answers" / "problems.json"
PAGE = REPOSITORY / "docs" / "problems.md"

SOURCES = (
    "domain/*.py",
    "infra/access/roles.py",
    "infra/answers/members.py",
    "infra/tlog/dsse.py",
    "infra/deciding/*.py",
)
"""Where events are refused."""

READING = "infra/deciding/intake.py"
"""The module that also refuses by what a validator of fields finds."""

OF_FIELDS = {
    "extra_forbidden": (
        "The object has no such field. /data/<field> is not a field.",
        "Leave it out, or see the schema of <type>.",
    ),
    "missing": (
        "A required field is missing. /data/<field> is missing.",
        "Add /data/<field> to the event. Its type and an example are in the schema of <type>.",
    ),
}
"""What is said of a field that is not there or not known, by the validator's kind of error."""


class Case(NamedTuple):
    """One way in which a rule refuses."""

    rule: str
    detail: str
    hint: str


def cases() -> list[Case]:
    """Return every refusal in the source, by its rule; what differs each time is in `<...>`."""
    trees = [(file, ast.parse(file.read_text("utf-8"))) for file in _files()]
    kinds = _kinds(tree for _, tree in trees)
    named = {name: text for _, tree in trees for name, text in _assigned(tree.body).items()}
    found = [case for _, tree in trees for case in _cases(tree, kinds, named)]
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


def _cases(tree: ast.Module, kinds: set[str], named: dict[str, ast.expr]) -> Iterator[Case]:
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.Module):
            own = _assigned(ast.walk(scope)) if isinstance(scope, ast.FunctionDef) else {}
            for node in ast.walk(scope):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from _case(node, node.func.id, kinds, named | own)


def _assigned(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """Return what names are assigned to, so that a text can have a name."""
    found: dict[str, ast.expr] = {}
    for node in nodes:
        match node:
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(
                ast.Name(name), _, ast.expr() as value
            ):
                found[name] = value
            case _:
                pass
    return found


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
        case "wrong" | "Worded", [detail, hint]:
            found = ast.Constant(WRONG_VALUE), _of_a_field(detail), hint
        case "wrong" | "Worded", [detail, hint, rule]:
            found = rule, _of_a_field(detail), hint
        case "Outcome", _ if "rule" in keywords and "detail" in keywords:
            found = [keywords[each] for each in ("rule", "detail", "hint")]
        case _:
            pass
    rule, detail, hint = (
        given.get(each.id, each) if isinstance(each, ast.Name) else each for each in found or _NONE
    )
    if _names_a_rule(rule):
        yield Case(_rule(rule), _text(detail), _text(hint))


_NONE = (ast.Constant(None),) * 3


def _of_a_field(detail: ast.expr) -> ast.expr:
    """Return the text about a field that goes on from its name."""
    return ast.BinOp(
        ast.BinOp(ast.Constant("/data/<field> "), ast.Add(), detail), ast.Add(), ast.Constant(".")
    )


def _of_fields(tree: ast.Module) -> Iterator[Case]:
    """Yield the refusals of fields, by the rules that the reading module gives them."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name("_RULES")], value=ast.Dict(keys, values)):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                        yield Case(str(value.value), *OF_FIELDS[str(key.value)])
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
