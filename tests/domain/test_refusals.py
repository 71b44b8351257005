"""Every rule that can refuse is named in a test of this folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import domain

SOURCES = sorted(Path(*domain.__path__).glob("*.py"))
TESTS = sorted(Path(__file__).parents[1].rglob("test_*.py"))


def rules() -> Iterator[str]:
    """Yield the rule of each refusal, `Requirement(...)` and `once(...)` in the domain.

    Of a name that is made for a dimension, a question or a party (`sponsor:brightpath`), what
    comes before the colon.
    """
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name("Refused" | "NotNow" | "Unknown" | "Requirement"),
                    args=[
                        ast.Constant(str(rule)) | ast.JoinedStr([ast.Constant(str(rule)), *_]),
                        *_,
                    ],
                ):
                    yield rule.removesuffix(":")
                case ast.Call(func=ast.Name("once"), args=[_, _, ast.Constant(str(rule)), *_]):
                    yield rule
                case _:
                    pass


RULES = sorted(set(rules()))


def test_the_rules_are_found_in_the_source() -> None:
    assert {"wrong-stage", "own-proposal", "splits-add-up", "checklist", "sponsor"} <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_shown_by_a_test(rule: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in TESTS if path != Path(__file__)]
    quoted = (f'"{rule}"', f'"{rule}:')

    assert any(each in text for text in texts for each in quoted), f"no test shows {rule}"
