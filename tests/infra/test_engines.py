"""Every engine gives the same bytes: what differs is only where they are kept."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import cast

import orjson
import pytest

from consumers.projector import Folding
from consumers.sweep import Sweep
from infra.bootstrap import Accord, bootstrap, init
from infra.kafka.messages import Message, event
from infra.projecting import runner as runner_module
from infra.projecting.rebuild import rebuild
from infra.projecting.runner import Runner
from infra.settings import Settings
from infra.store.history import NOTHING, Head
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import Datastore
from infra.store.postgres_views import PostgresViews
from infra.store.views import Row, SavedOutput
from projections import KPIS, PROJECTIONS
from tests.feeds import FEEDS, play, played
from tests.infra.forged import INDEXES, forgeries, place
from tests.infra.saving import saved
from tests.journeys.production import Answers, answers


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    with played(tmp_path_factory.mktemp("embedded")) as accord:
        accord.catch_up()
        return answers(accord)


@contextmanager
def simulated(address: str) -> Iterator[Accord]:
    settings = Settings(store=address)
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        yield accord


@pytest.fixture
def accord(migrated: str) -> Iterator[Accord]:
    """A simulated store in Postgres into which the examples were played, with nothing folded."""
    with simulated(migrated) as accord:
        for feed in FEEDS:
            play(accord, feed)
        yield accord


def test_postgres_keeps_and_folds_the_bytes_of_sqlite(accord: Accord, embedded: Answers) -> None:
    assert accord.runner.catch_up() == len(embedded["events"])
    assert answers(accord) == embedded

    assert rebuild(accord.history, accord.views, PROJECTIONS) == len(embedded["events"])
    assert answers(accord) == embedded


def test_batches_twice_with_gaps_and_in_another_order_come_to_the_same(
    accord: Accord, embedded: Answers
) -> None:
    chance = Random(5)  # noqa: S311 - repeatable, not secret
    events = accord.history.after(NOTHING, 10_000)
    runners = [Runner(accord.history, accord.views, PROJECTIONS) for _ in range(2)]
    for _ in range(40):
        some = sorted(chance.sample(events, 60), key=lambda each: each.index)
        chance.choice(runners).fold(some)
    runners[0].fold({each.partnership: each for each in events}.values())

    assert answers(accord) == embedded


def test_whatever_a_topic_says_what_is_folded_is_what_was_recorded(
    accord: Accord, embedded: Answers
) -> None:
    chance = Random(7)  # noqa: S311 - repeatable, not secret
    everything = accord.history.after(NOTHING, 10_000)
    stored = cast("PostgresStore", accord.history).stored_after(NOTHING, 10_000)
    sizes = {name: each.size for name, each in heads(accord).items()}
    good = [event("events", each) for each in stored]
    bad = [
        each
        for name, size in sizes.items()
        for body in (next(accord.history.bodies(name)),)
        for each in forgeries(name, body, chance.randrange(size + 1), chance)
    ]
    # Among the good ones, some of which come again, and all in any order.
    mixed = [
        *(received((each.key or "").encode(), each.value, each.headers) for each in good),
        *(received(*each) for each in bad),
    ]
    mixed += chance.sample(mixed, len(mixed) // 3)
    chance.shuffle(mixed)

    letters: list[Message] = []
    foldings = [
        Folding(Runner(accord.history, accord.views, PROJECTIONS), letters.extend, "dead")
        for _ in range(2)
    ]
    while mixed:
        size = min(len(mixed), chance.randrange(1, 200))
        batch, mixed = mixed[:size], mixed[size:]
        assert chance.choice(foldings)(batch) == size

    assert answers(accord) == embedded
    assert len(everything) == accord.history.size()
    # Nothing that is no event passes in silence, and no event is called unreadable.
    unreadable = {value or b"" for key, value, _ in bad if unlike(key, value)}
    assert {each.value for each in letters} == unreadable


def test_a_hint_at_what_does_not_exist_costs_nothing_lasting(accord: Accord) -> None:
    (name, *_) = heads(accord)
    letters: list[Message] = []
    folding = Folding(Runner(accord.history, accord.views, PROJECTIONS), letters.extend, "dead")
    body = next(accord.history.bodies(name))
    folding([received(name.encode(), body, [])])
    before = totals(accord)

    beyond = [
        *(received(name.encode(), body, place(index)) for index in INDEXES),
        *(
            received(f"never-{n}".encode(), b'{"partnership":"never-%d"}' % n, place("0"))
            for n in range(5000)
        ),
    ]
    assert folding(beyond) == len(beyond)
    assert totals(accord) == before
    assert letters == []
    assert len(folding._runner._rows._states) == 1


def test_a_projector_that_is_told_to_stop_ends_between_two_transactions(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "BATCH", 10)
    (name, *_) = heads(accord)
    letters: list[Message] = []
    folding = Folding(Runner(accord.history, accord.views, PROJECTIONS), letters.extend, "dead")
    hint = received(name.encode(), next(accord.history.bodies(name)), [])
    assert folding([hint], stopping=lambda: True) == 0
    assert accord.views.positions(KPIS.name, [name]) == {name: 9}
    assert folding([hint]) == 1
    assert accord.views.positions(KPIS.name, [name]) == {name: heads(accord)[name].size - 1}


@dataclass
class Got:
    """A message as a client gives it."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    offset: int
    topic: str = "events"
    partition: int = 0
    timestamp: float = 0.0


def received(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> Got:
    return Got(key, value, headers, next(OFFSETS))


OFFSETS = count()


def unlike(key: bytes | None, value: bytes | None) -> bool:
    """Whether a message is no event of the partnership in its key."""
    try:
        return bool(orjson.loads(value or b"")["partnership"].encode() != key)
    except (ValueError, TypeError):
        return True


def heads(accord: Accord) -> dict[str, Head]:
    return accord.history.heads(accord.history.partnerships())


def totals(accord: Accord) -> list[object]:
    """How many rows each table of the views has."""
    datastore = cast("PostgresStore", accord.history).datastore
    tables = ("positions", "rows", "outputs", "cursors", "folds")
    return [datastore.one(f"SELECT count(*) FROM views.{each}") for each in tables]


def test_what_never_came_as_a_message_is_found_by_a_sweep_and_folded_from_the_store(
    accord: Accord, embedded: Answers
) -> None:
    store = accord.history
    assert isinstance(store, PostgresStore)
    events = store.after(NOTHING, 10_000)
    last = {each.partnership: each for each in events}.values()
    came = [each for each in events if each not in last]
    accord.runner.fold(came)
    sweep = Sweep(store, Runner(store, accord.views, PROJECTIONS))

    assert sweep() == 0  # What is new may still be on its way.
    assert answers(accord) != embedded
    assert sweep() == len(last)
    assert answers(accord) == embedded
    assert sweep() == 0
    assert Sweep(store, accord.runner)() == 0


# --- what a publisher asks of the views in Postgres --------------------------------------------


@pytest.fixture
def views(migrated: str) -> Iterator[PostgresViews]:
    with closing(PostgresViews(Datastore(migrated))) as views:
        yield views


def rows(partnership: str, *keys: str) -> dict[tuple[str, str], Row | None]:
    return {(partnership, key): {"key": key} for key in keys}


def test_a_save_moves_all_its_partnerships_by_one_number(views: PostgresViews) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 3), "globex": (NOTHING, 1)}))
    views.save(saved(views, "kpis", {"initech": (NOTHING, 0)}))
    first, second, third = views.moves(0)

    assert [each.partnership for each in (first, second, third)] == ["acme", "globex", "initech"]
    assert [each.index for each in (first, second, third)] == [3, 1, 0]
    assert first.number == second.number < third.number
    assert views.moves(first.number) == [third]
    assert views.moves(0, limit=1) == [first, second]


def test_what_is_folded_further_moves_behind_what_was_read(views: PostgresViews) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 3), "globex": (NOTHING, 1)}))
    (read, _) = views.moves(0)
    views.save(saved(views, "kpis", {"acme": (3, 4)}))

    assert [(each.partnership, each.index) for each in views.moves(read.number)] == [("acme", 4)]


def test_rows_tell_since_which_save_they_changed(views: PostgresViews) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}, rows("acme", "2026-01", "2026-02")))
    (read,) = views.moves(0)
    views.save(saved(views, "kpis", {"acme": (0, 1)}, rows("acme", "2026-02")))

    assert views.changed("kpis", ["acme", "globex"], 0) == {"acme": ["2026-01", "2026-02"]}
    assert views.changed("kpis", ["acme"], read.number) == {"acme": ["2026-02"]}


def test_outputs_are_numbered_without_gaps_even_if_one_is_repeated(views: PostgresViews) -> None:
    said = [SavedOutput(name, "alerts", "acme", "alert", {}, 0) for name in "abc"]
    views.save(saved(views, "alerts", {"acme": (NOTHING, 0)}, {}, said[:2]))
    views.save(saved(views, "alerts", {"acme": (0, 1)}, {}, said))
    assert [(each.number, each.id) for each in views.outputs()] == [(1, "a"), (2, "b"), (3, "c")]
    assert views.last_output() == 3
