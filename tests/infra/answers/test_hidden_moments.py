"""Of a hidden event nobody learns when it happened or was recorded, not by asking again and again.

Two lives differ only in when the events were that the viewer does not see. Each question is asked
as of many moments: every answer is the same in both. `make test` plays one pair of lives and asks
about one of their hidden events; `make sweeps` plays two pairs and asks about three of each.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zipfile import ZipFile

import orjson
import pytest
from starlette.testclient import TestClient

from domain.values import instant
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Identity, Role, viewer
from infra.answers import alerts, compare, explain, inbox, partnerships, search
from infra.answers.compare import Comparison
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from infra.evidence.bundle import BundleRequest, export
from infra.http import create_app
from projections.visibility import OPERATOR, Viewer
from tests import planted
from tests.feeds import simulated
from tests.infra.answers.test_what_a_party_sees import ACROSS, OF_ONE, Ask
from tests.life import OURS, THEIRS
from tests.planted import PARTIES, PARTNERSHIP, POSITIONS, RIVAL, WORDS
from tests.sweeps import sweep

END = datetime(2026, 12, 31, tzinfo=UTC)

KEY = viewer(Identity(Role.OPERATOR, "ops"))
"""What a key of the operator sees: no candidates that were not chosen."""


def is_hidden(sent: bytes, seen: Viewer) -> bool:
    """Whether a viewer does not see what a message of the life asks for."""
    if seen.party is not None:
        return any(WORDS[each].encode() in sent for each in PARTIES if each != seen.party)
    if any(each.encode() in sent for each in POSITIONS.values()):
        return True
    return not seen.candidates and RIVAL.encode() in sent


def moments(sent: list[bytes]) -> list[datetime]:
    """Return when each message of a life is recorded."""
    found: list[datetime] = []
    for each in sent:
        at = datetime.fromisoformat(orjson.loads(each)["time"])
        found.append(max([at, *found[-1:]]))
    return found


def moved(sent: list[bytes], seen: Viewer, random: Random) -> Iterator[bytes]:
    """Yield a life in which hidden events were at other times, between the same visible ones."""
    at, hidden = moments(sent), [is_hidden(each, seen) for each in sent]
    last = at[0]
    for place, each in enumerate(map(orjson.loads, sent)):
        if hidden[place]:
            following = (at[n] for n in range(place, len(at)) if not hidden[n])
            until = next(following, last + timedelta(hours=30))
            last += (until - last) * random.random()
            each["time"] = instant(last - timedelta(hours=4) * random.random())
        else:
            last = at[place]
        yield orjson.dumps(each | {"recordedtime": instant(last)})


def questions() -> dict[str, Ask]:
    of_one: dict[str, Any] = {each.name: partial(each.ask, id=PARTNERSHIP) for each in OF_ONE}
    named: dict[str, Ask] = {
        "alerts": partial(alerts.ask, partnership=PARTNERSHIP),
        "list of alerts": alerts.ask,
        "list": partnerships.ask,
        "inbox": partial(inbox.ask, partnership=PARTNERSHIP),
        "search": partial(search.ask, words="e"),
        "compare": _compared,
    }
    explained: dict[str, Ask] = {
        f"explain {each}": partial(explain.ask, reference=f"{PARTNERSHIP}/{each}")
        for each in ("followers/2026-01", "demo_to_paid/2026-Q1", "deal/lead-1")
    }
    return ACROSS | of_one | named | explained


def _compared(accord: Accord, when: AsOf) -> Comparison:
    """What differs between the moment that is asked about and a day before."""
    against = (when.known or when.at or END) - timedelta(days=1)
    return compare.ask(accord, PARTNERSHIP, against, AsOf(known=when.known, viewer=when.viewer))


def answer(accord: Accord, ask: Ask, when: AsOf) -> str:
    try:
        return ask(accord, when=when).model_dump_json()
    except NotFound as error:
        return str(error)


def asked(seen: Viewer, moment: datetime) -> Iterator[tuple[str, AsOf]]:
    yield f"at {moment}", AsOf(at=moment, viewer=seen)
    yield f"known {moment}", AsOf(known=moment, viewer=seen)
    yield f"at and known {moment}", AsOf(at=moment, known=moment, viewer=seen)


@pytest.fixture(params=sweep([3, 4], [3]), ids=lambda seed: f"life {seed}")
def seed(request: Any) -> int:  # noqa: ANN401
    found: int = request.param
    return found


def lives(stack: ExitStack, folder: Path, seen: Viewer, seed: int) -> list[Accord]:
    """Return two stores whose lives differ only in when the hidden events were."""
    found = []
    sent = planted.life(Random(seed))  # noqa: S311 - repeatable
    for name in ("one", "other"):
        (folder / name).mkdir()
        accord = stack.enter_context(simulated(folder / name))
        times = Random(f"{seed} {name}")  # noqa: S311 - repeatable
        outcomes = accord.service.handle([*moved(sent, seen, times)])
        assert {each.status for each in outcomes} == {"accepted"}
        accord.catch_up()
        found.append(accord)
    return found


MOST = sweep(3, 1)
"""How many of the hidden events of a life are asked about, at most."""


def hidden_between(one: Accord, other: Accord) -> Iterator[tuple[int, datetime]]:
    """Yield the index of each hidden event, and a moment between its times in the two stores."""
    events = (each.history.of(PARTNERSHIP) for each in (one, other))
    for ours, theirs in zip(*events, strict=True):
        first, last = sorted([ours.act.recorded_at, theirs.act.recorded_at])
        if first != last:
            yield ours.index, first + (last - first) / 2


@pytest.mark.parametrize("seen", [Viewer(OURS), Viewer(THEIRS), KEY, OPERATOR], ids=str)
def test_no_question_tells_when_a_hidden_event_was(tmp_path: Path, seen: Viewer, seed: int) -> None:
    with ExitStack() as stack:
        one, other = lives(stack, tmp_path, seen, seed)
        found = [*hidden_between(one, other)]
        assert found
        hidden = Random(seed).sample(found, min(MOST, len(found)))  # noqa: S311 - repeatable
        cases = [("now", AsOf(viewer=seen))]
        cases += [(f"version {n}", AsOf(version=n + 1, viewer=seen)) for n, _ in hidden]
        cases += [each for _, moment in hidden for each in asked(seen, moment)]
        differ = {
            (name, case)
            for name, ask in questions().items()
            for case, when in cases
            if answer(one, ask, when) != answer(other, ask, when)
        }

    assert differ == set()


PAGES = ("history", "history.csv", "statements/2026-Q1.csv")


def test_no_page_and_no_file_of_one_tells_when_a_hidden_event_was(tmp_path: Path) -> None:
    def got(accord: Accord, moment: str) -> list[bytes]:
        keys = accord.history.credentials
        grant = Grant(role=Role.PARTY, party=THEIRS, actor="boris")
        key = credentials.create(keys, grant, datetime.now(UTC)).key
        with accord.workers() as workers, TestClient(create_app(accord, workers)) as client:
            return [
                client.get(
                    f"/partnerships/{PARTNERSHIP}/{page}",
                    params={name: moment},
                    headers={"Authorization": f"Bearer {key}"},
                ).content
                for page in PAGES
                for name in ("at", "known")
            ]

    with ExitStack() as stack:
        one, other = lives(stack, tmp_path, Viewer(THEIRS), 3)
        moment = next(instant(between) for _, between in hidden_between(one, other))
        mine, others = got(one, moment), got(other, moment)

    assert b"(hidden: private to growthos)" not in mine[0]
    assert mine == others


def test_a_bundle_of_a_range_does_not_tell_whether_a_hidden_event_is_in_it(tmp_path: Path) -> None:
    def withheld(accord: Accord, name: str, start: datetime) -> list[str]:
        path = tmp_path / name
        asked = BundleRequest("sam", "A look.", THEIRS, start=start)
        export(accord, accord.signing(), PARTNERSHIP, asked, path)
        with ZipFile(path) as archive:
            lines = archive.read("data/events.jsonl").splitlines()
        return [orjson.loads(each).get("why", "shown") for each in lines]

    with ExitStack() as stack:
        one, other = lives(stack, tmp_path, Viewer(THEIRS), 3)
        index, moment = next(hidden_between(one, other))
        mine, others = withheld(one, "one.zip", moment), withheld(other, "other.zip", moment)

    assert mine[index] == "private"
    assert mine == others
