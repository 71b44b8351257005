"""Find customers, deals, people, documents and partnerships by words, among all that a viewer sees.

The stored bytes of each event are looked through first, which is fast, and only events in which the
words can be are read. An event is found if its history shows it to the viewer, so nothing that is
hidden is found, counted or hinted at.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final

import orjson

from infra.answers import cursors
from infra.answers.history import StoredEvent, seen_by, stored
from infra.answers.logs import NOW, AsOf, NotFound, own_stream, row_of_each, sight_of
from infra.answers.members import PAGE, names_seen
from infra.answers.parameters import Name
from infra.answers.question import DatedPage, Item, Paging, Parameter, Question
from infra.answers.text import Block, Hanging, Line, Remark, day
from infra.answers.zones import zones_of
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names, names
from infra.tlog.codec import UnreadableEvent
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW, Overview
from projections.visibility import Sight


class SearchResult(Item):
    """What was found about one thing in a partnership."""

    partnership: str
    """The partnership."""
    about: str | None
    """What it is about, such as `deal/D-7` or `dispute/Q3`; null for the partnership itself."""
    events: int
    """How many of its events have the words; 0 if the words name the partnership or a party."""
    event: int | None
    """The index of the latest of these events; null if there is none."""
    day: datetime | None
    """When that happened."""
    text: str
    """What the party did then, as a sentence without its subject; or the names of the parties."""
    said: tuple[str, ...] = ()
    """Where that event says the words: the name of a field and its text, or who acted."""


class SearchResults(DatedPage[SearchResult]):
    """What was found, by partnership and then by what it is about."""


def ask(
    accord: Accord,
    words: Annotated[
        Name,
        Parameter("All of these words, in any order: a name, an identifier, or parts.", "WORDS"),
    ],
    when: AsOf = NOW,
    page: Paging = Paging(),  # noqa: B008 - frozen
) -> SearchResults:
    """Return what has all of the words, in large or small letters.

    A word is also found inside a longer one. Some of the words can name the partnership, and the
    others be in its events: `northbridge D-7`. Raises `NotFound` for a cursor of another question.
    """
    question = cursors.asked("search", words, when=when)
    after = ("", "") if page.after is None else cursors.read(question, page.after, str, str)
    found = list(islice(_found(accord, words, when, (after[0], after[1])), page.limit + 1))
    shown = found[: page.limit]
    following = None
    if found[page.limit :]:
        following = cursors.written(question, *_place(shown[-1]))
    return SearchResults(
        simulated=accord.simulated,
        as_of=when.asked,
        next=following,
        items=tuple(shown),
        zones=zones_of(accord, (each.partnership for each in shown)),
    )


def _place(found: SearchResult) -> tuple[str, str]:
    # The name of a partnership comes first, then the events of the partnership itself.
    return found.partnership, found.about or ("" if found.event is None else " ")


def _found(
    accord: Accord, words: str, when: AsOf, after: tuple[str, str]
) -> Iterator[SearchResult]:
    asked = tuple(dict.fromkeys(words.casefold().split()))
    rest = (name for name in names_seen(accord, when.viewer) if name >= after[0])
    while asked and (some := list(islice(rest, PAGE))):
        overviews = row_of_each(accord, OVERVIEW, OVERVIEW_ROW, some)
        for name, overview in sorted(overviews.items()):
            try:
                found = _in_partnership(accord, name, overview, asked, when)
            except UnreadableEvent:
                # One partnership must not end the list; the answer names it (see `Question.reply`).
                if name not in accord.views.quarantined([name]):
                    raise
                found = []
            yield from (each for each in found if not after[0] or _place(each) > after)


def _in_partnership(
    accord: Accord, name: str, overview: Overview, words: tuple[str, ...], when: AsOf
) -> list[SearchResult]:
    rest = _others(words, name, overview, overview.parties)
    events = _with_words(accord, name, rest or words)
    if rest and not events:
        return []
    try:
        sight = sight_of(accord.history, name, when, figures=False)
    except NotFound:  # The viewer was no party of it by then.
        return []
    parties = overview.parties if when.is_now else _parties(accord, name, when)
    if parties != overview.parties:
        # The partner had not been chosen by then, so its name is none of the partnership's.
        rest = _others(words, name, overview, parties)
        events = _with_words(accord, name, rest or words)
    found = _of_events(accord, name, events, (sight, when, rest or [*words]))
    if rest or not parties:
        return found
    named = " and ".join(overview.names.get(each, each) for each in parties)
    return [_named(name, named), *found]


def _parties(accord: Accord, name: str, when: AsOf) -> tuple[str, ...]:
    """Return the parties of a partnership as of a moment."""
    return Sight.of(when.viewer, own_stream(accord.history, name, when)).parties


def _others(
    words: Iterable[str], name: str, overview: Overview, parties: Iterable[str]
) -> list[str]:
    """Return the words that are in no name of a partnership or of its parties."""
    of = (text for each in parties for text in (each, overview.names.get(each, "")))
    named = " ".join([name, *of]).casefold()
    return [each for each in words if each not in named]


def _named(name: str, parties: str) -> SearchResult:
    return SearchResult(partnership=name, about=None, events=0, event=None, day=None, text=parties)


_AMOUNT: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
"""An amount as the pages print it."""


def _spellings(word: str) -> tuple[str, ...]:
    """Return a word as events can have it: ``12,500.00`` is also ``12500.00`` and ``12500``."""
    if not _AMOUNT.fullmatch(word):
        return (word,)
    digits = word.replace(",", "")
    whole, _, rest = digits.partition(".")
    return (word, digits) if rest.strip("0") else (word, digits, whole)


def _is_identifier(word: str) -> bool:
    """Whether a word is one of few events, so that their sentences can be read for the others."""
    return any(each.isdigit() for each in word)


def _with_words(accord: Accord, name: str, words: Sequence[str]) -> dict[int, bytes]:
    """Return the events, by index, whose bytes can have the words, or a person of that name.

    Beside an identifier, the other words can be in the sentence of the event alone: `ref-0011 won`.
    """
    people = names(accord.history, name)
    sought = [each for each in words if _is_identifier(each)] or words
    written = [
        [
            *(orjson.dumps(each)[1:-1] for each in _spellings(word)),
            *(key.encode() for key, person in people.items() if word in person.casefold()),
        ]
        for word in sought
    ]
    found = {}
    for index, body, _ in accord.history.entries(name):
        # Only ASCII is the same in small letters as bytes and as text.
        small = body.lower() if body.isascii() else _small(body)
        if all(any(each in small for each in of) for of in written):
            found[index] = body
    return found


def _small(body: bytes) -> bytes:
    return body.decode(errors="replace").casefold().encode()


def _of_events(
    accord: Accord, name: str, events: dict[int, bytes], asked: tuple[Sight, AsOf, list[str]]
) -> list[SearchResult]:
    """Return what the events say that the viewer sees, one for each thing that they are about."""
    sight, when, words = asked
    named = Names(accord.history, name)
    found: dict[str | None, SearchResult] = {}
    for index, body in events.items():
        event = stored(name, index, body)
        if when.is_after(index, event.recorded_at):
            break
        if when.at is not None and event.occurred_at > when.at:
            continue
        seen = seen_by(sight, index, body, event, named.recorded)
        if seen.event is not event or not _says(event, seen.text, words, named):
            continue
        about = event.stream.removeprefix(name).removeprefix("/") or None
        before = found[about].events if about in found else 0
        found[about] = SearchResult(
            partnership=name,
            about=about,
            events=before + 1,
            event=index,
            day=event.occurred_at,
            text=seen.text,
            said=tuple(islice(_where(event, words, named), MOST_SAID)),
        )
    return sorted(found.values(), key=_place)


def _says(event: StoredEvent, sentence: str, words: list[str], named: Callable[[str], str]) -> bool:
    """Whether an event has the words in what it says, its sentence, its stream, or who acted."""
    said = (named(text) for _, text in _texts(event.data))
    texts = [named(event.actor), event.stream.partition("/")[2], sentence, *said]
    whole = "\n".join(texts).casefold()
    return all(_is_in(word, whole) for word in words)


def _is_in(word: str, text: str) -> bool:
    return any(each in text for each in _spellings(word))


MOST_SAID = 3
"""How many of the texts with the words a result has."""

LONGEST_SAID = 120
"""Characters of such a text at most."""


def _where(event: StoredEvent, words: list[str], named: Callable[[str], str]) -> Iterator[str]:
    """Yield the texts of an event that have the words, each with its field: most words first."""
    said = [(field, named(text)) for field, text in _acted_and_said(event)]
    counts = {each: sum(_is_in(word, each[1].casefold()) for word in words) for each in said}
    for field, text in sorted(counts, key=lambda each: -counts[each]):
        if counts[field, text]:
            short = text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]}…"
            yield f"{field}: {short}"


def _acted_and_said(event: StoredEvent) -> Iterator[tuple[str, str]]:
    yield "who acted", event.actor
    yield from _texts(event.data)


def _texts(value: Any, field: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """Yield each text with the name of its field in words."""
    if isinstance(value, str):
        yield field.replace("_", " "), value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, field)


# --- text --------------------------------------------------------------------------------------


def text(found: SearchResults) -> Iterator[Block]:
    """Yield what was found: the partnership, what it is about, and its latest event."""
    if not found.items:
        yield Remark("Nothing was found.")
    for each in found.items:
        where = f"{each.partnership}#{each.event}" if each.event is not None else each.partnership
        more = f"  ({each.events} events)" if each.events > 1 else ""
        yield Line(f"{where}  {each.about or 'the partnership'}{more}", "bold")
        happened = "" if each.day is None else f"{day(each.day, found.zone_of(each.partnership))}  "
        yield Hanging(f"    {happened}", each.text)
        for said in each.said:
            yield Hanging("    ", said)


SEARCH = Question(
    "search",
    ask,
    text,
    path="/v1/search",
    help="Find customers, deals, people, documents and partnerships by words.",
)
