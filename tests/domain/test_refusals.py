"""Every rule that can refuse is named in a test of this folder."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import domain
from domain.claims import ConfirmClaim, FigureRef
from domain.kernel import Refused, Stage
from tests.life import EXAMPLES, OURS, THEIRS, at

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

STUTTER = re.compile(r"\b([a-z]{3,}) (?:of )?(?:the |a |an )?\1\b(?!-)", re.IGNORECASE)
"""A noun that follows itself: `the figure of the figure of billing`."""

FIGURE = FigureRef(metric="leads", period="2026-01", tool="analytics")
CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"deal": "D-9", "fact": "payment/P-1"}, "the payment P-1 of deal D-9"),
    ({"deal": "D-9", "fact": "correction/payment/P-1"}, "the correction of the payment P-1 of"),
    ({"entry": "E-9", "fact": "entry"}, "entry E-9"),
    ({"entry": "E-9", "fact": "reversal/V-1"}, "the reversal V-1 of entry E-9"),
    ({"payout": "X-9", "fact": "payout"}, "payout X-9"),
    ({"payout": "X-9", "fact": "correction/payout"}, "the correction of payout X-9"),
    ({"payout": "X-9", "fact": "return"}, "the return of payout X-9"),
    ({"figure": FIGURE, "fact": "figure"}, "the figure of analytics for leads in 2026-01"),
    ({"figure": FIGURE, "fact": "correction/figure"}, "the correction of the figure of analytics"),
]


@pytest.mark.parametrize(("of", "words"), CLAIMS, ids=lambda each: str(each)[:40])
def test_a_claim_is_named_once_in_what_refuses_its_answer(of: dict[str, Any], words: str) -> None:
    refusal = at(Stage.EXECUTION).refuses(OURS, ConfirmClaim(**of))

    assert words in refusal.detail
    assert not STUTTER.search(refusal.detail), refusal.detail


@pytest.mark.parametrize("stage", [Stage.FORMATION, Stage.EXECUTION, Stage.SCALING, Stage.EXIT])
def test_no_refusal_says_a_noun_of_the_same_noun(stage: Stage) -> None:
    story, found = at(stage), set()
    for step in EXAMPLES.values():
        for side in (OURS, THEIRS):
            try:
                story.copy().when(side, step.command)
            except Refused as refused:
                found.add(f"{refused.detail} {refused.hint}")

    assert len(found) > 60
    assert [each for each in found if STUTTER.search(each)] == []


def test_a_sentence_that_stutters_is_found() -> None:
    assert STUTTER.search("growthos stated the figure of the figure of billing.")
    assert STUTTER.search("There is no correction of the correction.")
    assert not STUTTER.search("An exit exit-2 is on record.")


def test_the_rules_are_found_in_the_source() -> None:
    assert {"wrong-stage", "own-proposal", "splits-add-up", "checklist", "sponsor"} <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_shown_by_a_test(rule: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in TESTS if path != Path(__file__)]
    quoted = (f'"{rule}"', f'"{rule}:')

    assert any(each in text for text in texts for each in quoted), f"no test shows {rule}"
