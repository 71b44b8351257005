"""The check: what production says and tells, beside what the embedded default makes of the same."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from consumers.publisher import SeenByOperations
from domain.calendar import quarter_of
from infra.answers.logs import view_rows
from infra.bootstrap import Accord
from infra.deciding.intake import ILLEGIBLE
from infra.store.history import Refusal, partnerships
from infra.store.views import Row, SavedOutput
from infra.tlog.codec import EVENT_ID_DIGITS, canonical
from projections import KPIS, figures
from projections.kpis import AGREED
from tests.feeds import simulated
from tests.journeys.production import Answers, Production, answers, relayed

BATCH = 1000

FORGED = ("test", b"forged")
"""A header of messages that a test sent, which are none of what production says."""


class Stated(NamedTuple):
    """All that a store states: it is the same wherever the same commands were decided."""

    answers: Answers
    """Every event, every row and everything that was said."""
    alerts: dict[str, list[str]]
    """The identifiers of what was said of each alert, in order."""
    figures: dict[str, Row]
    """Every figure of every period, under the key of its message."""
    refused: Counter[tuple[str, str, str]]
    """Which inputs were refused by which rule, and how often that was kept."""
    rejected: dict[str, str]
    """The rules that refused, under the identifier of each input's message."""
    unread: set[bytes]
    """What was no command at all."""


def embedded(raws: Sequence[bytes], folder: Path) -> Stated:
    """What the embedded default makes of these commands."""
    with simulated(folder) as accord:
        for start in range(0, len(raws), BATCH):
            accord.service.handle(raws[start : start + BATCH])
        accord.catch_up()
        return stated(accord)


def stated(accord: Accord) -> Stated:
    # What else is said is of one installation: the dead letters of its topics.
    said = [each for each in outputs(accord) if each.kind == "alert"]
    alerts: dict[str, list[str]] = defaultdict(list)
    for each in said:
        alerts[each.body["id"]].append(each.id)
    refusals = list(refused(accord))
    return Stated(
        answers(accord) | {"said": {each.id: canonical(each.body) for each in said}},
        dict(alerts),
        dict(reported(accord)),
        Counter((each.source, each.source_id, each.rule) for each in refusals),
        {
            sha256(each.raw).hexdigest()[:EVENT_ID_DIGITS]: each.rule
            for each in refusals
            if each.rule not in ILLEGIBLE
        },
        {each.raw for each in refusals if each.rule in ILLEGIBLE},
    )


def outputs(accord: Accord) -> Iterator[SavedOutput]:
    number = 0
    while page := accord.views.outputs(number):
        yield from page
        number = page[-1].number


def refused(accord: Accord) -> Iterator[Refusal]:
    number = 0
    while page := accord.history.refusals(None, number):
        yield from page
        number = page[-1].number


def reported(accord: Accord) -> Iterator[tuple[str, Row]]:
    """Every figure of the months with any, and of the quarters and years that they are part of.

    They are as operations see them.
    """
    seen_by = SeenByOperations(accord.history)
    for name in partnerships(accord.history):
        rows = view_rows(accord, KPIS, name)
        sight, seen = seen_by.of(name, rows)
        months = rows.keys() - {AGREED}
        for period in months | {quarter_of(each) for each in months} | {m[:4] for m in months}:
            for line in sight.lines(figures.report(seen, period), period):
                place = [line.metric, line.period, line.unit, line.segment]
                yield "/".join([name, *filter(None, place)]), figures.dump(line)


# --- the check -----------------------------------------------------------------------------------


def differences(made: Production, expected: Stated) -> list[str]:
    """In what production differs from the embedded default, in words; nothing if in nothing."""
    with made.accord() as accord:
        found = stated(accord)
    told = Told(made)
    return [
        *apart("events", found.answers["events"], expected.answers["events"]),
        *apart("rows", found.answers["rows"], expected.answers["rows"]),
        *apart("what was said", found.answers["said"], expected.answers["said"]),
        *apart("alerts", found.alerts, expected.alerts),
        *apart("figures", found.figures, expected.figures),
        *apart("refusals", found.refused, expected.refused),
        *told.events(expected),
        *told.trail(expected),
        *told.alerts(expected),
        *told.figures(expected),
        *told.rejected(expected),
        *told.dead(expected),
    ]


def apart(what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> Iterator[str]:
    """Say how many are missing, too many or others, each with an example."""
    kinds = {
        "missing": wanted.keys() - found.keys(),
        "too many": found.keys() - wanted.keys(),
        "others": {key for key in wanted.keys() & found.keys() if wanted[key] != found[key]},
    }
    for kind, keys in kinds.items():
        if keys:
            first = min(keys, key=str)
            yield (
                f"{what}: {len(keys)} of {len(wanted)} are {kind}, such as {first}: "
                f"{found.get(first)!r} for {wanted.get(first)!r}"
            )


class Told:
    """What is in the topics, in the order of each partition."""

    def __init__(self, made: Production) -> None:
        self._topics = made.topics
        self._by_topic: dict[str, list[Any]] = defaultdict(list)
        for each in made.consumed():
            if FORGED not in each.headers:
                self._by_topic[each.topic].append(each)

    def of(self, topic: str) -> list[Any]:
        return self._by_topic[topic]

    def events(self, expected: Stated) -> Iterator[str]:
        found = self.of(self._topics.events)
        by_place = {(each.key.decode(), index_of(each)): each.value for each in found}
        yield from apart("relayed events", by_place, relayed(expected.answers["events"]))
        yield from gaps("relayed events", found, index_of)

    def trail(self, expected: Stated) -> Iterator[str]:
        found = [
            each
            for each in self.of(self._topics.audit)
            if header(each, "ce_type") == "accord.TimelineItem"
        ]
        by_place = dict.fromkeys((each.key.decode(), index_in(each)) for each in found)
        yield from apart("the trail", by_place, dict.fromkeys(expected.answers["events"]))
        yield from gaps("the trail", found, index_in)

    def alerts(self, expected: Stated) -> Iterator[str]:
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for each in self.of(self._topics.alerts):
            found[each.key.decode()].setdefault(header(each, "ce_id"))
        in_order = {alert: list(ids) for alert, ids in found.items()}
        yield from apart("told alerts", in_order, expected.alerts)
        last = {each.key.decode(): header(each, "ce_id") for each in self.of(self._topics.alerts)}
        yield from apart(
            "the last of each alert", last, {key: ids[-1] for key, ids in expected.alerts.items()}
        )
        said = {header(each, "ce_id"): each.value for each in self.of(self._topics.alerts)}
        yield from apart("the text of alerts", said, expected.answers["said"])

    def figures(self, expected: Stated) -> Iterator[str]:
        last = {each.key.decode(): each for each in self.of(self._topics.kpis)}
        found = {key: body(each) for key, each in last.items() if each.value is not None}
        for line in found.values():
            del line["partnership"], line["index"]
        yield from apart("told figures", found, expected.figures)

    def rejected(self, expected: Stated) -> Iterator[str]:
        found = {
            header(each, "ce_id"): body(each)["rule"] for each in self.of(self._topics.rejected)
        }
        yield from apart("rejected inputs", found, expected.rejected)

    def dead(self, expected: Stated) -> Iterator[str]:
        found = self.letters(self._topics.commands)
        yield from apart("dead letters", dict.fromkeys(found), dict.fromkeys(expected.unread))

    def letters(self, topic: str) -> dict[bytes, str]:
        """What of a topic was unreadable, with the reason."""
        return {
            each.value: header(each, "ce_reason")
            for each in self.of(self._topics.dead)
            if header(each, "ce_id").startswith(f"{topic}/")
        }


def gaps(what: str, messages: Iterable[Any], index: Callable[[Any], int]) -> Iterator[str]:
    """Say where the first occurrence of an index does not follow that of the one before it."""
    size: dict[bytes, int] = defaultdict(int)
    for each in messages:
        if index(each) > size[each.key]:
            yield f"{what}: of {each.key} index {index(each)} comes where {size[each.key]} should"
        size[each.key] = max(size[each.key], index(each) + 1)


def index_of(message: Any) -> int:  # noqa: ANN401 - kafka-python comes without types
    return int(header(message, "ce_index"))


def index_in(message: Any) -> int:  # noqa: ANN401 - as above
    return int(body(message)["index"])


def header(message: Any, name: str) -> str:  # noqa: ANN401 - as above
    found: bytes = dict(message.headers)[name]
    return found.decode()


def body(message: Any) -> Row:  # noqa: ANN401 - as above
    found: Row = orjson.loads(message.value)
    return found
