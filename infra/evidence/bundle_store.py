"""A bundle opened as a read-only store: every question answers from it, for its own viewer.

The bundle is verified first. Its events are copied byte by byte into a store that lives as long as
it is open, and are folded there. An event that the bundle does not show keeps its place
(`EventWithheld`), with the time of the event before it, because the bundle does not say its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import orjson

from domain.recorded import EventWithheld
from domain.values import instant
from infra.answers.issued import NOT_ASKED_FOR
from infra.bootstrap import KEPT_BY, SIMULATED, Accord, bootstrap
from infra.deciding.clock import Clock, wall_clock
from infra.deciding.pseudonyms import COMMAND, PERSON
from infra.evidence import inputs
from infra.evidence.bundle import TIMESTAMP
from infra.evidence.verifiers import verify
from infra.settings import NoSuchStore, Settings
from infra.store.history import Kept
from infra.store.mapper import NewEvent
from infra.store.sqlite import Copied, SqliteStore
from infra.store.sqlite_trees import SqliteTrees
from infra.tlog import codec
from infra.tlog.notes import Checkpoint, Note
from projections.visibility import OPERATOR, Sight, Viewer

_READ_ONLY: Final = (
    "An evidence bundle can only be read. Send the same to the store that it is from."
)

_WITHHELD: Final = b'{"why":'
"""The first bytes of the line of an event that is not shown. No event has them."""


@contextmanager
def opened(path: Path, clock: Clock = wall_clock) -> Iterator[Accord]:
    """Open a bundle, and delete the store that was made from it at the end.

    Raises `NoSuchStore` if it has a fault, or lacks events that were not asked for, and
    `UnreadableEvent` for an event of a newer release.
    """
    bundle = _read(path)
    with TemporaryDirectory(prefix="accord-bundle-") as folder:
        # A process that reads a bundle signs nothing and has no broker.
        copy = Settings(store=f"sqlite:///{folder}/bundle.db")
        history = SqliteStore.open(copy.path)
        _fill(history, bundle)
        with bootstrap(copy, clock) as accord:
            accord.catch_up()
            assert isinstance(accord.history, SqliteStore)  # noqa: S101 - as its address says
            accord.history.freeze(_READ_ONLY)
            yield replace(accord, viewer=bundle.viewer, recording_clock=None)


class _Bundle(NamedTuple):
    """The files of a verified bundle."""

    files: Mapping[str, bytes]
    about: Mapping[str, Any]
    asked: Mapping[str, Any]
    events: list[NewEvent]

    @property
    def partnership(self) -> str:
        return str(self.about["partnership"])

    @property
    def viewer(self) -> Viewer:
        """For whom the bundle was made. Without a party it shows what both see."""
        party, names = self.asked["for"], frozenset({self.partnership})
        is_party = party is not None
        return Viewer(party, partnerships=names, candidates=is_party, inputs=is_party)

    def lines(self, name: str) -> list[Any]:
        return [orjson.loads(line) for line in self.files[f"data/{name}"].splitlines()]


def _read(path: Path) -> _Bundle:
    try:
        raw = verify.contents(path, bytes)
        found = verify.verify(raw)
    except verify.Misuse as error:
        raise NoSuchStore(f"{error} Name an evidence bundle.") from error
    if found["code"] is not None:
        raise NoSuchStore(
            f"{path} has the fault {found['code']}: {found['detail']} "
            "Nothing is answered from it. Ask for the bundle again."
        )
    files = verify.read_container(raw)
    about, asked = (orjson.loads(files[f"data/{name}"]) for name in ("bundle.json", "request.json"))
    events = _events(files["data/events.jsonl"].splitlines(), about, asked)
    return _Bundle(files, about, asked, events)


# --- the events --------------------------------------------------------------------------------


def _events(
    lines: list[bytes], about: Mapping[str, Any], asked: Mapping[str, Any]
) -> list[NewEvent]:
    hidden = {
        index: orjson.loads(line) for index, line in enumerate(lines) if line.startswith(_WITHHELD)
    }
    # What is behind the export, which is the last event shown, was recorded after it was asked for.
    last = max({*range(len(lines))} - hidden.keys(), default=0)
    if missing := sum(
        index < last and each["why"] == NOT_ASKED_FOR for index, each in hidden.items()
    ):
        raise NoSuchStore(
            f"The bundle lacks {missing} events that were not asked for (--from, --to), so nothing "
            "can be computed from it. Ask for a bundle of the whole log."
        )
    shown = {
        index: codec.decode(line, index=index)
        for index, line in enumerate(lines)
        if index not in hidden
    }
    parties = Sight.of(OPERATOR, shown.values()).parties
    others = [each for each in parties if each != asked["for"]] if asked["for"] else []
    place = _Place(about["partnership"], others[0] if len(others) == 1 else "")
    at = next(iter(shown.values())).act.recorded_at if shown else None
    found = []
    for index, line in enumerate(lines):
        if recorded := shown.get(index):
            at = recorded.act.recorded_at
            found.append(NewEvent(recorded, line))
        elif at is not None:
            body = place.body(hidden[index], instant(at))
            leaf = bytes.fromhex(hidden[index]["withheld"])
            found.append(NewEvent(codec.decode(body, index=index), body, leaf))
    return found


class _Place:
    """Makes what is stored in the place of an event that is not shown."""

    def __init__(self, partnership: str, party: str) -> None:
        self._partnership, self._party = partnership, party
        self._numbers = count(1)

    def body(self, line: Mapping[str, str], at: str) -> bytes:
        return codec.canonical(
            {
                "actor": "",
                "data": {"why": line["why"]},
                "event_id": line["withheld"][: codec.EVENT_ID_DIGITS],
                "occurred_at": at,
                "partnership": self._partnership,
                # What a party does not see is of the other one.
                "party": self._party,
                "recorded_at": at,
                "salt": "",
                "schema_version": EventWithheld.version,
                "source": "",
                "source_id": line["withheld"],
                "stream": f"{self._partnership}/withheld",
                "stream_version": next(self._numbers),
                "type": EventWithheld.wire,
            }
        )


# --- what is stored with them ------------------------------------------------------------------


def _fill(history: SqliteStore, bundle: _Bundle) -> None:
    """Write a bundle into an empty store, and close it."""
    try:
        history.set_meta(SIMULATED, str(bundle.asked["simulated"]).lower())
        history.set_meta(KEPT_BY, bundle.about["origin"].removesuffix(f"/{bundle.partnership}"))
        history.copy(_copied(bundle))
        trees = SqliteTrees(history.datastore)
        for each in bundle.lines("checkpoints.jsonl"):
            note = each["note"]
            size = Checkpoint.read(Note.read(note).text).size
            trees.keep(bundle.partnership, size, note)
    finally:
        history.close()


def _copied(bundle: _Bundle) -> Copied:
    """Return what is copied. Raises `NoSuchStore` for inputs that are not as Accord writes them."""
    try:
        refused = [inputs.refusal(each) for each in bundle.lines("rejected.jsonl")]
        waiting = [inputs.waiting(each) for each in bundle.lines("waiting.jsonl")]
    except (TypeError, ValueError, LookupError) as error:
        raise NoSuchStore(
            f"The inputs in the bundle cannot be read: {error}. Ask for the bundle again."
        ) from error
    return Copied(bundle.events, list(_kept(bundle)), refused, waiting)


def _kept(bundle: _Bundle) -> Iterator[Kept]:
    name = bundle.partnership
    for command in bundle.files["data/commands.jsonl"].splitlines():
        yield Kept(COMMAND, name, sha256(command).hexdigest(), command)
    for each in bundle.lines("people.jsonl"):
        person = {key: each[key] for key in ("name", "party", "salt")}
        yield Kept(PERSON, name, each["commitment"], codec.canonical(person))
    for file, token in bundle.files.items():
        folder, _, size = file.removesuffix(".tsr").rpartition("/")
        if folder == "data/timestamps":
            yield Kept(TIMESTAMP, name, size, token)
