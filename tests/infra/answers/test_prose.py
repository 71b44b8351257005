"""What people read is read once: alerts, the inbox, the history, refusals and answers.

One pass over the texts of the demo, of the small stories, and of each alert that there can be with
each event that ends it.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pytest

from infra.answers.logs import AsOf
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from projections.visibility import OPERATOR
from tests.feeds import PROGRAM, played, simulated
from tests.infra.answers.helpers import printed
from tests.infra.answers.small_stories import log, stories
from tests.projections.folds import alerts
from tests.projections.test_alert_endings import ENDINGS, named, opened

SENTENCES: Final = {
    "alerts": {"text", "ended"},
    "inbox": {"text"},
    "refusals": {"detail", "hint"},
    "next": {"detail", "hint"},
    "markets": {"hint"},
    "checklist": {"hint"},
    "portfolio": {"summary"},
}
"""The fields whose texts are sentences, by the answer."""

PHRASES: Final = {
    "history": {"text"},
    "show": {"text", "contents"},
    "review": {"text", "ended"},
    "portfolio": {"text"},
    "rules": {"text"},
    "checklist": {"rests_on"},
    "candidates": {"opinions", "measured"},
}
"""The fields whose texts are parts of sentences, by the answer."""

OF_ALL: Final = ("alerts", "inbox", "markets", "portfolio", "refusals")
"""The answers that are about all partnerships."""

PRINTED: Final = ("history", "kpis", "portfolio", "review", "show")

CLOSED: Final = frozenset(
    str(value)
    for kind in StrEnum.__subclasses__()
    if kind.__module__.startswith("domain.")
    for value in kind
    if re.search("[-_]", value)
)
"""The words of the closed sets that are no words of English."""

SHAPES: Final = {
    "a duration": re.compile(r"\bP\d+[DWMY]\b"),
    "one of several": re.compile(
        r"(?<![\d.,:/–×-])\b1 (?:day|event|figure|hour|month|objective|point|quarter|referral"
        r"|signature|time|trial)s\b|(?<![\d.,:/–×-])\b1 people\b"
    ),
    "two stops": re.compile(r"(?<!\.)\.\.(?!\.)|\.[;:,]"),
    "no space": re.compile(r"[a-z]{3,}[.!?][A-Z][a-z]"),
    "nothing": re.compile(r"\bNone\b(?! that)"),
    "a timestamp": re.compile(r"(?<![@\w])\d{4}-\d\d-\d\dT\d\d:"),
    "a stage that is over": re.compile(r"\bin ended\b"),
    "a verb of the frame": re.compile(r"\b(starts on|settles in|due days)\b:?"),
}


def raw(text: str) -> frozenset[str]:
    """Return the words of closed sets in a text, but for the identifiers of objectives."""
    unnamed = re.sub(r"objective [a-z-]+", "", text)
    return CLOSED & {*re.findall(r"(?<![\w:/-])[a-z]+(?:[-_][a-z]+)+(?![\w:/-])", unnamed)}


def wrong(text: str, *, is_sentence: bool) -> Iterator[str]:
    """Yield what is wrong with a text."""
    yield from (what for what, shape in SHAPES.items() if shape.search(text))
    yield from raw(text)
    if "  " in text.strip():
        yield "two blanks"
    if is_sentence:
        first, end = text.split(" ", maxsplit=1)[0], text[-1]
        if not (first[0].isupper() or first[0].isdigit() or first in STARTS):
            yield "a small letter"
        if end not in ".!?…":
            yield "no full stop"


STARTS: Final = {
    "acme", "aurora-films", "brightpath", "cobalt-films", "growthos", "harbourlight", "helio-plus",
    "laufsteg-live", "lumastream", "meridian-tv", "north", "northbridge", "pasarela-tv",
    "podium-direct",
}  # fmt: skip
"""The identifiers of parties, with which a sentence can begin."""


def asked(accord: Accord) -> Iterator[tuple[str, Any]]:
    """Yield each answer by the name of its question."""
    by_name = {each.name: each for each in QUESTIONS}
    when = AsOf(viewer=OPERATOR)
    for name in OF_ALL:
        given = {} if name == "refusals" else {"when": when}
        yield name, by_name[name].ask(accord, **given)
    paging = {"history": {"page": Paging(limit=LONGEST_PAGE)}}
    for name in dict.fromkeys((*SENTENCES, *PHRASES, *PRINTED)):
        if name not in OF_ALL:
            for each in accord.history.partnerships():
                if each != PROGRAM:
                    yield (
                        name,
                        by_name[name].ask(accord, id=each, when=when, **paging.get(name, {})),
                    )


def texts(value: Any, names: set[str], field: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the texts of an answer that have two words or more, in fields of these names."""
    if isinstance(value, dict):
        for name, each in value.items():
            # What people wrote is as they wrote it.
            if name not in {"data", "planned", "agreed", "content", "feedback", "ranked"}:
                yield from texts(each, names, name)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, names, field)
    elif isinstance(value, str) and field in names and " " in value:
        yield value


def faults(accord: Accord) -> Iterator[str]:
    for name, answer in asked(accord):
        found = answer.model_dump(mode="json")
        for fields, is_sentence in ((SENTENCES, True), (PHRASES, False)):
            for text in texts(found, fields.get(name, set())):
                for what in wrong(text, is_sentence=is_sentence):
                    yield f"{name}: {what}: {text}"
        if name in PRINTED:
            (question,) = (each for each in QUESTIONS if each.name == name)
            for line in printed(question.text(answer)).splitlines():
                yield from (
                    f"{name}: {what}: {line.strip()}"
                    for what, shape in SHAPES.items()
                    if shape.search(line)
                )


def test_what_the_demo_says_is_read_once(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        accord.runner.catch_up()

        assert [*dict.fromkeys(faults(accord))] == []


def test_what_the_small_stories_say_is_read_once(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.history.append(log(stories()))
        accord.runner.catch_up()

        assert [*dict.fromkeys(faults(accord))] == []


@pytest.mark.parametrize("rule", ENDINGS)
def test_an_alert_says_in_sentences_what_is_so_and_what_ended_it(rule: str) -> None:
    for way, ending in ENDINGS[rule].items():
        story = opened(rule, way).copy()
        name = named(rule, story)
        before = alerts(story)[name].text
        story.wait(hours=0)
        ending.does(story, None)
        found = alerts(story)[name]

        said = [before, found.text, found.ended or ""]
        assert [(each, *wrong(each, is_sentence=True)) for each in said] == [
            (each,) for each in said
        ]
