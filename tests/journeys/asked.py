"""Every way to ask each question: with its required parameters, as of a moment, by page.

A parameter with a new name needs an example in `EXAMPLES`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Question
from infra.answers.table import QUESTIONS

CONSULTING = "growthos-consulting"
ONE_OF_THE_PARTIES = "northbridge"
MOMENT = "2026-06-30T12:00:00Z"

REFERENCE = f"referral-minimum@1/{CONSULTING}/2026-Q1"

EXAMPLES: dict[str, str] = {
    "reference": REFERENCE,
    "id": CONSULTING,
    "metric": "payments",
    "period": "2026-Q2",
    "review": "review-2026-q2",
    "rule": "conversion-floor",
    "since": "2026-Q1",
    "against": "2026-07-01",
    "words": "northbridge ref-0001",
}
"""A value for each parameter, by its name, or by its question's name and its own."""

FLAG = "true"
"""The value of a parameter that is a flag of the command."""

OPTIONAL: list[tuple[str, dict[str, str]]] = [
    ("attributes", {"period": "2026-Q2"}),
    ("kpis", {"period": "2026-05"}),
    ("funnel", {"period": "2026-Q3"}),
    ("portfolio", {"period": "2026-Q3"}),
    ("review", {"review": "review-2026-q2", "period": "2026-05"}),
    ("refusals", {"all": FLAG, "rule": "no-such-deal"}),
    ("alerts", {"state": "resolved"}),
    ("explain", {"party": ONE_OF_THE_PARTIES}),
    ("alerts", {"partnership": CONSULTING}),
    ("alerts", {"party": ONE_OF_THE_PARTIES}),
    ("schema", {"type": "SignAgreement"}),
    ("show", {"version": "40"}),
    ("statement", {"policy": "first-touch"}),
]
"""More ways to ask: a question's name, and the optional parameters to ask it with."""


class Asked(NamedTuple):
    """One way to ask a question."""

    question: Question
    options: dict[str, str]
    """What is given besides the required parameters."""

    def __str__(self) -> str:
        return " ".join([self.question.name, *(f"{key}={each}" for key, each in self.given)])

    @property
    def given(self) -> list[tuple[str, str]]:
        return list(self.options.items())

    @property
    def required(self) -> dict[str, str]:
        question = self.question
        names = list(question.parameters)
        return {
            name: EXAMPLES.get(f"{question.name}.{name}") or EXAMPLES[name]
            for name in names
            if question.parameters[name].is_required
        }

    @property
    def typed(self) -> list[str]:
        """Return the command's arguments and options."""
        parameters = self.question.parameters
        given = self.required | self.options
        arguments = [
            value
            for key, value in given.items()
            if key in parameters and parameters[key].is_positional
        ]
        options = [
            each
            for key, value in given.items()
            if key not in parameters or not parameters[key].is_positional
            for each in ([f"--{_dashed(key)}"] if value == FLAG else [f"--{_dashed(key)}", value])
        ]
        return [*self.question.name.split(), *arguments, *options]

    def of_store(self, store: str) -> list[str]:
        """Return the option that names the store, if the question reads one."""
        return ["--store", store] if self.question.reads_store else []

    def url(self) -> str:
        return self.question.path.format_map(self.required)

    def query(self) -> dict[str, str]:
        in_path = {name for name in self.required if f"{{{name}}}" in self.question.path}
        rest = {name: each for name, each in self.required.items() if name not in in_path}
        return rest | self.options


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _ways(question: Question) -> Iterator[Asked]:
    # Without a limit the command prints all pages, and HTTP one.
    page = {"limit": str(LONGEST_PAGE)} if question.is_paged else {}
    yield Asked(question, page)
    if question.asks_when:
        yield Asked(question, page | {"at": MOMENT})
        yield Asked(question, page | {"known": MOMENT})
        if "{id}" in question.path:
            yield Asked(question, page | {"party": ONE_OF_THE_PARTIES})
    if question.is_paged:
        yield Asked(question, {"limit": "1"})
    for name, options in OPTIONAL:
        if name == question.name:
            yield Asked(question, page | options)


WAYS = [each for question in QUESTIONS for each in _ways(question)]
