import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.recorded import Recorded
from infra.bootstrap import open_store
from infra.settings import Settings
from infra.store.errors import Conflict, UnknownSchema
from infra.store.history import CommandResult, Head, History, InputId, Refusal, Waiting, Writes
from infra.store.paging import PAGE
from infra.tlog.codec import encode
from tests.infra.noted import NOON, Noted, noted, noted_is_known

WRITERS = 2
ROUNDS = 150


@contextmanager
def opened(address: str) -> Iterator[History]:
    store, *_ = open_store(Settings(store=address))
    with closing(store):
        yield store


def sent(source_id: str) -> InputId:
    return InputId("acme", "crm", source_id)


def result(source_id: str, *, count: int = 1) -> CommandResult:
    return CommandResult(*sent(source_id), b"fingerprint", "acme", None, count)


def refusal(source_id: str) -> Refusal:
    return Refusal(
        party="acme",
        source="crm",
        source_id=source_id,
        subject="acme",
        type="ChoosePartner",
        rule="not-scored",
        detail="The candidate has no score.",
        hint="Score it first.",
        pointer="/candidate",
        received_at=NOON + timedelta(milliseconds=1),
        raw=b'{"candidate": "c-1"}',
    )


def all_of(store: History) -> list[Recorded]:
    return store.after(-1, 100_000)


# --- appending ---------------------------------------------------------------------------------


def test_positions_count_all_events_and_indexes_those_of_a_partnership(store: History) -> None:
    store.append([noted("acme"), noted("globex"), noted("acme/deal/1")])
    written = store.append([noted("globex", 2), noted("acme", 2)])

    assert [(event.position, event.index) for event in written] == [(3, 1), (4, 2)]
    assert [(event.stream, event.position, event.index) for event in all_of(store)] == [
        ("acme", 0, 0),
        ("globex", 1, 0),
        ("acme/deal/1", 2, 1),
        ("globex", 3, 1),
        ("acme", 4, 2),
    ]


def test_what_append_gives_is_what_is_read_afterwards(store: History) -> None:
    written = store.append([noted("acme"), noted("acme/deal/1", seconds=0.25)])
    assert all_of(store) == written


def test_the_history_is_there_when_the_store_is_opened_again(address: str, store: History) -> None:
    written = store.append([noted()])
    store.close()
    with opened(address) as again:
        assert all_of(again) == written
        assert again.append([noted(version=2)])[0].index == 1


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([noted("globex"), noted("acme", 1)], id="another-wrote-that-version"),
        pytest.param([noted("globex"), noted("globex", 1)], id="one-version-twice"),
        pytest.param([noted("globex"), noted("acme", 2, seconds=-1)], id="time-runs-backwards"),
    ],
)
def test_an_append_that_fails_leaves_nothing(store: History, events: list[Recorded]) -> None:
    before = store.append([noted("acme")])

    with pytest.raises(Conflict):
        store.append(events, Writes([result("1")], [refusal("2")]))

    assert all_of(store) == before
    assert store.heads(["acme", "globex"]) == {"acme": Head(1, NOON)}
    assert store.results([sent("1")]) == {}
    assert store.refusals() == []


def test_time_may_run_apart_in_different_partnerships(store: History) -> None:
    store.append([noted("acme", seconds=60), noted("globex", seconds=1)])
    assert store.heads(["acme", "globex", "initech"]) == {
        "acme": Head(1, NOON + timedelta(seconds=60)),
        "globex": Head(1, NOON + timedelta(seconds=1)),
    }


def test_the_last_moment_of_all_partnerships_is_found_to_the_fraction(store: History) -> None:
    assert store.last_recorded_at() is None
    store.append([noted("acme", seconds=60.5), noted("globex", seconds=60), noted("initech")])

    assert store.last_recorded_at() == NOON + timedelta(seconds=60.5)


def test_subscribers_are_called_after_each_commit_and_no_other_time(store: History) -> None:
    sizes: list[int] = []
    end = store.subscribe(lambda: sizes.append(store.size()))

    store.append([noted()])
    with pytest.raises(Conflict):
        store.append([noted()])
    store.append([noted(version=2)])
    end()
    store.append([noted(version=3)])

    assert sizes == [1, 2]


def test_an_event_that_rests_on_the_log_before_it_is_taken_at_its_place_alone(
    store: History,
) -> None:
    first, second = noted("acme", 1), noted("acme", 2)
    store.append([first])

    with pytest.raises(Conflict):
        store.append([replace(second, index=0)])
    with pytest.raises(Conflict):
        store.append([replace(second, index=2)])
    (placed,) = store.append([replace(second, index=1)])

    assert placed.index == 1
    assert len(all_of(store)) == 2


# --- results and refusals ---------------------------------------------------------------------


def test_a_receipt_names_the_first_event_of_its_input(store: History) -> None:
    store.append([noted("acme", 1)])
    store.append(
        [noted("acme", 2, cause="a"), noted("acme", 3, cause="b"), noted("acme", 4, cause="b")],
        Writes([result("a"), result("b", count=2), result("idle", count=0)]),
    )
    assert store.results(map(sent, ["a", "b", "idle", "never"])) == {
        sent("a"): replace(result("a"), first=1),
        sent("b"): replace(result("b", count=2), first=2),
        sent("idle"): result("idle", count=0),
    }


def test_an_input_is_accepted_once(store: History) -> None:
    store.append([noted("acme", cause="a")], Writes([result("a")]))
    with pytest.raises(Conflict, match="result"):
        store.append([noted("acme", 2, cause="a")], Writes([result("a")]))
    assert store.size() == 1


def test_an_input_has_one_open_refusal_until_it_is_accepted(store: History) -> None:
    again = replace(refusal("a"), rule="not-ranked", raw=b"another")
    store.append([], Writes(refusals=[refusal("a")]))
    store.append([], Writes(refusals=[again]))
    assert store.refusals(None) == [replace(again, number=1)]

    store.append([noted(cause="a")], Writes([result("a")]))
    assert store.results([sent("a")]) == {sent("a"): replace(result("a"), first=0)}
    assert store.refusals() == []
    assert store.refusals("resolved") == [replace(again, number=1, state="resolved", raw=b"")]


def test_receipts_are_found_among_many(store: History) -> None:
    store.append([], Writes([result(f"{n}", count=0) for n in range(1200)]))
    found = store.results(sent(f"{n}") for n in range(0, 2400, 2))
    assert sorted(int(source_id) for *_, source_id in found) == list(range(0, 1200, 2))


def test_a_refused_input_is_kept_as_it_came_until_it_is_dismissed(store: History) -> None:
    store.append([], Writes(refusals=[refusal("a"), refusal("b"), refusal("c")]))
    dismissed = replace(
        refusal("b"), number=2, state="dismissed", dismissed_by="mara", dismissed_at=NOON, raw=b""
    )

    assert store.dismiss([2, 99], "mara", NOON) == [2]
    assert store.dismiss([2], "someone else", NOON) == []

    assert store.refusals() == [
        replace(refusal("a"), number=1),
        replace(refusal("c"), number=3),
    ]
    assert store.refusals("dismissed") == [dismissed]
    assert store.refusals(rule="another") == []
    assert len(store.refusals(rule="not-scored")) == 2
    assert [each.number for each in store.refusals(None, after=1, limit=1)] == [2]
    assert store.refusal(2) == dismissed
    assert store.refusal(4) is None


def test_a_refusal_of_an_input_that_waited_is_unsent_until_it_is_sent(store: History) -> None:
    store.append([], Writes(refusals=[replace(refusal("a"), unsent=True), refusal("b")]))
    assert store.unsent(9) == [replace(refusal("a"), unsent=True, number=1)]

    store.mark_sent([1])
    assert store.unsent(9) == []


# --- waiting inputs ---------------------------------------------------------------------------


def waits(source_id: str, version: int = 0, *, days: int = 30, of: str = "acme") -> Waiting:
    since = NOON + timedelta(milliseconds=1)
    return Waiting(
        party="acme",
        source="crm",
        source_id=source_id,
        partnership=of,
        stream=f"{of}/deal/1",
        version=version,
        type="accord.ReceivePayment",
        awaited_kind="win",
        awaited_id="1",
        awaited="the win of deal 1",
        since=since,
        until=since + timedelta(days=days),
        raw=b'{"deal": "1"}',
    )


def test_an_input_waits_in_one_row_until_it_is_settled(store: History) -> None:
    store.append([], Writes(refusals=[refusal("a")], waiting=[waits("b"), waits("a")]))
    store.append([], Writes(waiting=[replace(waits("b"), raw=b"sent again")]))

    first, second = replace(waits("b"), number=1, raw=b"sent again"), replace(waits("a"), number=2)
    assert store.waiting(["acme", "globex"]) == store.all_waiting() == [first, second]
    assert store.all_waiting(1) == store.all_waiting(0, 9, "acme")[1:] == [second]
    assert store.all_waiting(partnership="globex") == []
    assert [store.waiting_of("acme"), store.waiting_of("northbridge")] == [2, 0]
    assert [store.waiting_of("acme", each) for each in ("crm", "shop")] == [2, 0]
    assert store.waiting_of() == 2

    store.append([], Writes(settled=[sent("b")]))
    assert store.waiting(["acme"]) == [second]
    with pytest.raises(Conflict, match="waits no longer"):
        store.append([], Writes(settled=[sent("b")]))


def test_an_input_that_waits_has_no_open_refusal(store: History) -> None:
    store.append([], Writes(refusals=[refusal("a")]))
    store.append([], Writes(waiting=[waits("a")]))

    assert [each.state for each in store.refusals(None)] == ["resolved"]


def test_no_input_waits_that_was_decided_before_the_last_event_of_its_stream(
    store: History,
) -> None:
    store.append([noted("acme/deal/1")])
    with pytest.raises(Conflict, match="before the last event"):
        store.append([], Writes(waiting=[waits("late")]))
    store.append([], Writes(waiting=[waits("a", 1)]))

    with pytest.raises(Conflict, match="before the last event"):
        store.append([noted("acme/deal/1", 2)])
    store.append([noted("acme/deal/2"), noted("acme", 1)])
    store.append([noted("acme/deal/1", 2)], Writes(waiting=[waits("a", 2)]))

    assert [each.version for each in store.waiting(["acme"])] == [2]
    assert store.size() == 4


def test_partnerships_are_named_whose_inputs_have_waited_for_too_long(store: History) -> None:
    first, second = waits("a", days=1), waits("b", days=3, of="globex")
    store.append([], Writes(waiting=[second, first, waits("c", days=1)]))

    assert store.overdue(first.until) == []
    assert store.overdue(first.until + timedelta(microseconds=1)) == ["acme"]
    assert store.overdue(NOON + timedelta(days=9)) == ["acme", "globex"]


# --- reading -----------------------------------------------------------------------------------


def test_streams_are_read_together_each_by_version(store: History) -> None:
    store.append([noted("acme/b", 1), noted("acme/a", 1), noted("acme/b", 2), noted("acme")])
    streams = store.streams(["acme/a", "acme/b", "acme/none"])
    assert {name: [event.version for event in events] for name, events in streams.items()} == {
        "acme/a": [1],
        "acme/b": [1, 2],
        "acme/none": [],
    }


def test_the_streams_below_a_name_are_read_in_the_order_of_the_log(store: History) -> None:
    streams = ["acme/deal/2", "acme", "acme/deal/1", "acme/deals/1", "acme/deal", "acme-2/deal/1"]
    store.append([noted(stream) for stream in streams])
    store.append([noted("acme/deal/2", 2)])

    assert [event.stream for event in store.below("acme/deal")] == [
        "acme/deal/2",
        "acme/deal/1",
        "acme/deal/2",
    ]
    assert store.below("globex") == []


def test_a_partnership_is_read_in_its_own_order_from_any_index(store: History) -> None:
    many = 2 * PAGE + 7
    store.append([noted(name, n + 1) for n in range(many) for name in ("acme", "globex")])

    assert [event.index for event in store.of("globex")] == list(range(many))
    assert {event.partnership for event in store.of("globex")} == {"globex"}
    assert [event.index for event in store.of("acme", PAGE - 1, PAGE + 2)] == [499, 500, 501]
    assert list(store.of("acme", many)) == []
    assert list(store.of("initech")) == []


def test_stored_bytes_are_the_canonical_bytes(store: History) -> None:
    events = [noted("acme", n, text=f"é {n}") for n in (1, 2, 3)]
    store.append(events)
    assert list(store.bodies("acme", 1)) == [encode(event) for event in events[1:]]


def test_the_whole_history_is_read_on_from_any_position(store: History) -> None:
    store.append([noted(version=n) for n in range(1, 8)])
    assert [event.position for event in store.after(-1, 3)] == [0, 1, 2]
    assert [event.position for event in store.after(2, 100)] == [3, 4, 5, 6]
    assert store.after(6, 100) == []
    assert store.size() == 7


def test_partnerships_are_listed_by_name(store: History) -> None:
    store.append([noted("globex"), noted("acme"), noted("initech")])
    assert store.partnerships() == ["acme", "globex", "initech"]
    assert store.partnerships(after="acme", limit=1) == ["globex"]


# --- the file ----------------------------------------------------------------------------------


def test_a_store_keeps_notes_about_itself(store: History) -> None:
    assert store.meta("simulated") is None
    store.set_meta("simulated", "yes")
    store.set_meta("simulated", "no")
    assert store.meta("simulated") == "no"


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path}/accord.db"
    with opened(file) as store:
        store.set_meta("schema", "0")
    with pytest.raises(UnknownSchema, match="schema 0"):
        open_store(Settings(store=file))


# --- many writers ------------------------------------------------------------------------------


def test_threads_of_one_process_share_a_store(store: History) -> None:
    def write(name: str) -> None:
        for version in range(1, 51):
            store.append([noted(name, version)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, ["acme", "globex", "initech", "hooli"]))

    assert [event.position for event in all_of(store)] == list(range(200))


def in_turn(writer: int, number: int, store: History) -> list[Recorded]:
    """Return what a writer wants to say: on a stream that all share, and on one of its own."""
    shared = store.heads(["shared"]).get("shared")
    version = len(store.streams(["shared"])["shared"]) + 1
    now = max(datetime.now(UTC), shared.recorded_at) if shared else datetime.now(UTC)
    events = [
        noted("shared", version, text=f"{writer}:{number}"),
        noted(f"own-{writer}", number + 1, text=f"{writer}:{number}"),
        noted(f"shared/deal/{writer}", number + 1, text=f"{writer}:{number}"),
    ]
    return [replace(each, act=each.act._replace(recorded_at=now)) for each in events]


def write_many(address: str, writer: int) -> None:
    """Append in a process of its own, again after each conflict."""
    with noted_is_known(), opened(address) as store:
        for number in range(ROUNDS):
            while True:
                try:
                    store.append(in_turn(writer, number, store))
                    break
                except Conflict:
                    continue


def test_processes_that_write_at_once_leave_no_gap_and_lose_and_repeat_nothing(
    address: str,
) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write_many, args=(address, n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    with noted_is_known(), opened(address) as crowded:
        positions_have_no_gap(crowded)
        indexes_have_no_gap(crowded)
        nothing_is_lost_or_repeated(crowded)


def positions_have_no_gap(crowded: History) -> None:
    total = 3 * WRITERS * ROUNDS
    assert [event.position for event in all_of(crowded)] == list(range(total))


def indexes_have_no_gap(crowded: History) -> None:
    for partnership, head in crowded.heads(crowded.partnerships()).items():
        events = list(crowded.of(partnership))
        assert [event.index for event in events] == list(range(head.size))
        moments = [event.act.recorded_at for event in events]
        assert moments == sorted(moments)


def nothing_is_lost_or_repeated(crowded: History) -> None:
    shared = crowded.streams(["shared"])["shared"]
    assert [event.version for event in shared] == list(range(1, WRITERS * ROUNDS + 1))
    for writer in range(WRITERS):
        wanted = [f"{writer}:{number}" for number in range(ROUNDS)]
        own = crowded.streams([f"own-{writer}"])[f"own-{writer}"]
        assert [text_of(event) for event in own] == wanted
        assert [text for text in map(text_of, shared) if text in set(wanted)] == wanted


def text_of(recorded: Recorded) -> str:
    assert isinstance(recorded.event, Noted)
    return recorded.event.text
