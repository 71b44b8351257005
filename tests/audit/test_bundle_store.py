"""A bundle opened as a store: the one whom it was made for gets the answers of the store."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from domain.execution import MilestonePlanned
from domain.kernel import Event
from domain.payment import ReceivePayment
from domain.recorded import EventWithheld
from domain.times import moment
from domain.viewing import BundleExported, FullViewTaken
from infra.bootstrap import Accord
from infra.cli.options import DONE, FAILED, NOT_UNDERSTOOD, app
from infra.evidence import replay
from infra.evidence.bundle import BundleRequest, export
from infra.evidence.opening import opened
from infra.http import create_app
from infra.settings import NoSuchStore, Settings
from infra.tlog.notes import Note
from projections.visibility import OPERATOR, Viewer
from tests.audit.world import VERIFIERS, rewritten
from tests.feeds import played
from tests.infra.messages import beginning, message
from tests.journeys.asked import CONSULTING, WAYS, Asked
from tests.life import example

PARTIES: Final = ("growthos", "northbridge")
OF_STORE: Final = [each for each in WAYS if each.question.reads_store]


class Pair(NamedTuple):
    """A live store, as one party sees it, and the bundle that was made for that party."""

    party: str
    path: Path
    live: TestClient
    bundle: TestClient
    opened: Accord


@pytest.fixture(scope="module", params=PARTIES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    party, folder = request.param, tmp_path_factory.mktemp(request.param)
    path = folder / "bundle.zip"
    with played(folder) as store:
        early = [example(ReceivePayment, deal=f"D-{number}") for number in range(4)]
        proposal = example(MilestonePlanned.proposes, proposal="M-1", milestone="second-launch")
        for name, each in [*((each.deal, each) for each in early), ("M-1", proposal)]:
            store.service.handle([message(name, each, subject=CONSULTING)])
        asked = BundleRequest("sam", "A dispute.", party=party)
        export(store, store.signing(), CONSULTING, asked, path)
        store.catch_up()
        viewer = Viewer(party, partnerships=frozenset({CONSULTING}))
        with (
            opened(Settings(store=f"bundle:{path}")) as bundled,
            serving(replace(store, viewer=viewer)) as live,
            serving(bundled) as bundle,
        ):
            yield Pair(party, path, live, bundle, bundled)


def serving(accord: Accord) -> TestClient:
    return TestClient(create_app(accord, accord.workers(), is_open=True))


PAGES: Final = (
    "/portfolio",
    "/alerts",
    "/inbox",
    "/inputs",
    f"/partnerships/{CONSULTING}",
    f"/partnerships/{CONSULTING}?at=2026-06-30&known=2026-07-31",
    f"/partnerships/{CONSULTING}/history",
    f"/partnerships/{CONSULTING}/statements/2026-Q3",
    f"/partnerships/{CONSULTING}/next",
    "/money",
    "/search",
    "/search?words=northbridge",
)

EARLY: Final = {"version": "40"}
"""At this version Northbridge is no party yet."""

NOT_TOLD: Final = "last_recorded_at"
"""When the last event in range was recorded. A bundle does not say it of a withheld event."""


def without_its_time(answer: Any) -> Any:  # noqa: ANN401 - any JSON value
    match answer:
        case dict():
            return {name: without_its_time(of) for name, of in answer.items() if name != NOT_TOLD}
        case list():
            return [without_its_time(each) for each in answer]
        case _:
            return answer


@pytest.mark.parametrize("asked", OF_STORE, ids=str)
def test_a_bundle_gives_the_answer_of_the_store(pair: Pair, asked: Asked) -> None:
    query = asked.query() | ({"party": pair.party} if "party" in asked.options else {})

    live = pair.live.get(asked.url(), params=query)
    bundle = pair.bundle.get(asked.url(), params=query)

    is_early = asked.options == EARLY and pair.party == "northbridge"
    assert bundle.status_code == live.status_code == (404 if is_early else 200)
    if "known" in asked.options:
        assert without_its_time(bundle.json()) == without_its_time(live.json())
    else:
        assert bundle.json() == live.json()


@pytest.mark.parametrize("page", PAGES)
def test_a_bundle_has_the_pages_of_the_store(pair: Pair, page: str) -> None:
    live, bundle = pair.live.get(page), pair.bundle.get(page)

    assert (bundle.status_code, live.status_code) == (200, 200)
    assert without_days_ahead(bundle.text) == without_days_ahead(live.text)


def without_days_ahead(page: str) -> str:
    """Return a page without how far ahead a day is, which each clock counts for itself."""
    return re.sub(r'<small class="screen quiet">, (today|tomorrow|in \d+ days)</small>', "", page)


def test_the_evidence_page_of_a_bundle_knows_no_key_of_the_log(pair: Pair) -> None:
    """Only the reader's policy says whom to trust, so no checkpoint has a time there."""
    page = f"/partnerships/{CONSULTING}/evidence.json"
    live, bundle = pair.live.get(page).json(), pair.bundle.get(page).json()

    assert live["key"]
    assert bundle == {
        **live,
        "key": None,
        "checkpoints": [
            {**each, "signatures": [{**one, "at": None} for one in each["signatures"]]}
            for each in live["checkpoints"]
        ],
    }


def test_an_event_that_is_not_shown_keeps_its_place(pair: Pair) -> None:
    path = f"/v1/partnerships/{CONSULTING}/history"
    items = pair.bundle.get(path, params={"limit": "1000"}).json()["items"]
    state = pair.bundle.get(f"/v1/partnerships/{CONSULTING}").json()

    assert [each["index"] for each in items] == list(range(len(items)))
    hidden = [each for each in items if each["event"] is None]
    assert hidden
    (other,) = set(PARTIES) - {pair.party}
    assert {each["text"] for each in hidden} == {f"(hidden: private to {other})"}
    assert state["events"] == len(items)


def test_nobody_writes_to_a_bundle(pair: Pair) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    body = message("x", example(ReceivePayment), subject=CONSULTING)
    sent = pair.bundle.post("/v1/events", content=body, headers=headers)
    code, text = run(pair, "settle", CONSULTING, "--period", "2026-Q4")

    assert sent.status_code == 403
    assert (code, "can only be read" in text) == (FAILED, True)


def test_a_bundle_has_one_view(pair: Pair) -> None:
    (other,) = set(PARTIES) - {pair.party}

    code, text = run(pair, "show", CONSULTING, "--party", other)
    answer = pair.bundle.get(f"/v1/partnerships/{CONSULTING}", params={"party": other})

    assert (code, f"made for {pair.party}" in " ".join(text.split())) == (NOT_UNDERSTOOD, True)
    assert answer.status_code == 403


def test_the_command_line_asks_a_bundle_as_it_asks_a_store(pair: Pair) -> None:
    code, text = run(pair, "statements", CONSULTING, "--json")
    answer = pair.live.get(f"/v1/partnerships/{CONSULTING}/statements")

    assert (code, orjson.loads(text)) == (DONE, answer.json())


def test_nothing_is_answered_from_a_bundle_with_a_fault(pair: Pair, tmp_path: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = "data/events.jsonl"
        files[name] = files[name].replace(b"12500.00", b"19500.00")

    (tmp_path / "changed.zip").write_bytes(pair.path.read_bytes())
    changed = rewritten(tmp_path / "changed.zip", change)

    code, text = run(pair._replace(path=changed), "list")

    assert (code, "fault checkpoint-root" in text) == (FAILED, True)


def test_what_others_record_before_the_checkpoint_of_an_export_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle ends with the export, and is whole for a verifier, a replay and a reader."""
    path = tmp_path / "bundle.zip"
    with played(tmp_path) as store:
        notary = store.signing()
        sign = notary.checkpoint

        def late(name: str) -> Note:
            store.service.record_own(CONSULTING, "sam", FullViewTaken(question="q", reason="r"))
            return sign(name)

        monkeypatch.setattr(notary, "checkpoint", late)
        export(store, notary, CONSULTING, BundleRequest("sam", "A dispute."), path)
        size = store.history.heads([CONSULTING])[CONSULTING].size

    found = replay.replay(path)
    with opened(Settings(store=f"bundle:{path}")) as bundled:
        *_, exported, last = bundled.history.of(CONSULTING)

    assert (found.record.verdict, found.size) == ("CONSISTENT, NOT PINNED", size)
    assert found.withheld["range"] == 1
    assert not found.differs
    assert not any("were not asked for" in each for each in found.never_decided)
    assert isinstance(exported.event, BundleExported)
    assert isinstance(last.event, EventWithheld)


def test_a_bundle_with_a_part_of_the_log_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "part.zip"
    with played(tmp_path) as store:
        start = moment("2026-02-01T00:00:00Z")
        asked = BundleRequest("sam", "A dispute.", party="northbridge", start=start)
        export(store, store.signing(), CONSULTING, asked, path)

    with (
        pytest.raises(NoSuchStore, match=r"lacks [0-9]+ events that were not asked for"),
        opened(Settings(store=f"bundle:{path}")),
    ):
        pass


class Shared(NamedTuple):
    """What each party sees of a live store, and the bundle that was made for neither."""

    live: tuple[TestClient, ...]
    bundle: TestClient


OF_THE_ASKER: Final = {"as_of": None, "next": None}
"""Members of an answer that name who asks."""

OF_ONE_PARTY: Final = {
    *("candidates", "compare", "history", "inbox", "kpis", "list", "next"),
    *("owed", "portfolio", "refusals", "show", "signatures"),
}
"""Questions to which each party gets an answer of its own."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    path = folder / "both.zip"
    with played(folder) as store, ExitStack() as clients:
        export(store, store.signing(), CONSULTING, BundleRequest("sam", "A dispute."), path)
        store.catch_up()
        names = frozenset({CONSULTING})
        live = [
            clients.enter_context(serving(replace(store, viewer=Viewer(each, partnerships=names))))
            for each in PARTIES
        ]
        bundled = clients.enter_context(opened(Settings(store=f"bundle:{path}")))
        yield Shared(tuple(live), clients.enter_context(serving(bundled)))


def test_a_bundle_takes_no_events_from_whoever_may_send_some(pair: Pair) -> None:
    with opened(Settings(store=f"bundle:{pair.path}")) as bundled:
        # Without a party nobody is limited to what it sees.
        anybody = serving(replace(bundled, viewer=OPERATOR))
        content = {"content-type": "application/cloudevents+json"}
        with anybody:
            answer = anybody.post("/v1/events", content=beginning("another"), headers=content)

    assert answer.status_code == 403
    assert "can only be read" in answer.json()["detail"]


@pytest.mark.parametrize("asked", OF_STORE, ids=str)
def test_a_bundle_without_a_party_gives_the_answer_that_both_get(
    shared: Shared, asked: Asked
) -> None:
    query = {name: each for name, each in asked.query().items() if name != "party"}

    ours, theirs, bundle = (
        {**without_its_time(each.get(asked.url(), params=query).json()), **OF_THE_ASKER}
        for each in (*shared.live, shared.bundle)
    )

    assert ours == theirs or asked.question.name in OF_ONE_PARTY
    assert ours != theirs or bundle == ours


def test_a_bundle_without_a_party_shows_what_both_see(shared: Shared) -> None:
    path = f"/v1/partnerships/{CONSULTING}"
    ours, theirs, items = (
        each.get(f"{path}/history?limit=1000").json()["items"]
        for each in (*shared.live, shared.bundle)
    )
    stated = shared.bundle.get(f"{path}/statements").json()["items"]
    page = shared.bundle.get(f"/partnerships/{CONSULTING}")

    for one, other, each in zip(ours, theirs, items, strict=True):
        if each["event"] is None:
            assert one["event"] is None or other["event"] is None
            assert each["text"] == "(hidden: private to a party)"
        else:
            assert one == other == each
    assert [each["statement"] for each in stated] == ["2026-Q1:USD", "2026-Q2:USD", "2026-Q3:USD"]
    assert "as both parties see it" in page.text


def test_an_operator_cannot_record_the_place_of_a_withheld_event() -> None:
    """It is in no table of kinds, so a log that has it is a fault for both verifiers."""
    rules = orjson.loads((VERIFIERS / "rules.json").read_bytes())

    assert EventWithheld.wire not in rules["kinds"]
    assert EventWithheld.wire not in Event.registry


def run(pair: Pair, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--store", f"bundle:{pair.path}"])
    return (
        done.exit_code,
        done.stdout if done.exit_code == DONE else f"{done.output}{done.exception}",
    )
