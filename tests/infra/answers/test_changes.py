"""The feed of changes of alerts: where it begins, how it continues, and when it starts afresh."""

import shutil
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.standing_alerts import LEAD_UNANSWERED
from infra.answers import alerts, changes
from infra.answers.changes import Ids, Message, Since
from infra.bootstrap import Accord, bootstrap, init
from infra.projecting import rebuild
from infra.settings import Settings
from infra.store.history import EPOCH
from projections import PROJECTIONS
from projections.alerts import AlertState
from projections.visibility import OPERATOR, Viewer
from tests.documents import REPOSITORY
from tests.feeds import played
from tests.sweeps import sweep

AURORA = "aurora-series"
FEED = (REPOSITORY / "examples" / "1-growthos.jsonl").read_bytes().splitlines()
MIDDLE = next(place for place, line in enumerate(FEED) if b'"time":"2026-07-19' in line)
"""Lines of the feed after which some alerts are open."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


@pytest.fixture
def store(tmp_path: Path) -> Settings:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    return settings


def grow(accord: Accord, lines: Sequence[bytes]) -> None:
    accord.service.handle(lines)
    accord.runner.catch_up()


def read(
    accord: Accord,
    since: Since = Since.STATE,
    seen: str | None = None,
    partnership: str | None = None,
    viewer: Viewer = OPERATOR,
) -> list[Message]:
    """Return all messages of a feed until nothing is new."""
    found: list[Message] = []
    for batch in changes.feed(accord, since, seen, partnership, viewer):
        if not batch.messages:
            break
        found += batch.messages
    return found


def names(messages: Sequence[Message]) -> list[str]:
    return [each.event for each in messages]


def open_alerts(accord: Accord) -> list[str]:
    return [each.id for each in alerts.ask(accord, state=AlertState.OPEN).items]


# --- where it begins -----------------------------------------------------------------------------


def test_a_new_reader_gets_the_open_alerts_and_then_changes(store: Settings) -> None:
    with bootstrap(store) as accord:
        grow(accord, FEED[:MIDDLE])
        standing = len(open_alerts(accord))
        feed = changes.feed(accord)
        first, ready = next(feed), next(feed)
        grow(accord, FEED[MIDDLE:])
        later = next(feed)

        assert standing > 1
        assert [each.body["state"] for each in first.messages] == ["open"] * standing
        assert [each.id for each in first.messages] == [None] * standing
        assert names(ready.messages) == ["ready"]
        assert ready.messages[0].body == {"open": standing}
        changed = [(each.body["rule"], each.body["state"]) for each in later.messages]
        assert [each for each in changed if each[0] != LEAD_UNANSWERED] == [
            ("due-soon", "open"),
            ("due-soon", "resolved"),
            ("dispute-opened", "open"),
            ("due-soon", "open"),
            ("due-soon", "resolved"),
            ("dispute-opened", "open"),
            ("dispute-opened", "resolved"),
            ("referral-minimum", "resolved"),
            ("referral-minimum", "resolved"),
            ("risk-open", "open"),
            ("risk-open", "resolved"),
        ]


def test_a_feed_from_now_has_later_changes_alone_even_if_it_is_left_before_any(
    store: Settings,
) -> None:
    with bootstrap(store) as accord:
        grow(accord, FEED[:MIDDLE])
        (ready,) = read(accord, Since.NOW)
        grow(accord, FEED[MIDDLE:])

        assert (ready.event, ready.body) == ("ready", {"open": 0})
        _, *found = read(accord, Since.NOW, seen=ready.id)
        assert len([each for each in found if each.body["rule"] != LEAD_UNANSWERED]) == 11


def test_a_feed_from_the_beginning_has_every_change(demo: Accord) -> None:
    ready, *found = read(demo, Since.BEGIN)

    assert ready.event == "ready"
    assert len(found) == 329
    assert len({each.id for each in found}) == 329


def test_a_feed_continues_after_any_of_its_ids(demo: Accord) -> None:
    """In `make test`, after each tenth id."""
    _, *everything = read(demo, Since.BEGIN)

    for place in range(0, len(everything), sweep(1, 10)):
        for since in Since:
            assert read(demo, since, seen=everything[place].id)[1:] == everything[place + 1 :]


def test_an_id_that_another_viewer_saw_shows_a_party_no_alert_of_others(demo: Accord) -> None:
    party = Viewer("helio-plus")
    ids = [each.id for each in read(demo, Since.BEGIN) if each.id]

    seen = [read(demo, seen=each, viewer=party) for each in ids[::10]]

    alerts = [each.alert.partnership for feed in seen for each in feed if each.alert]
    assert set(alerts) == {AURORA}
    assert len({each.alert.partnership for each in read(demo, Since.BEGIN) if each.alert}) > 1


def test_a_feed_can_be_of_one_partnership(demo: Accord) -> None:
    _, *found = read(demo, Since.BEGIN, partnership=AURORA)

    assert {each.body["partnership"] for each in found} == {AURORA}
    assert names(read(demo, partnership="nobody-yet")) == ["ready"]


# --- when it starts afresh ---------------------------------------------------------------------


def test_an_id_of_another_store_is_answered_by_a_reset_and_the_open_alerts(
    store: Settings, demo: Accord
) -> None:
    foreign = read(demo, Since.BEGIN)[1].id
    with bootstrap(store) as accord:
        grow(accord, FEED[:MIDDLE])
        for since in (Since.NOW, Since.STATE):
            reset, *standing, ready = read(accord, since, seen=foreign)

            assert (reset.event, reset.body["reason"], reset.id) == ("reset", "other-store", "")
            assert [each.body["id"] for each in standing] == open_alerts(accord)
            assert ready.body == {"open": len(standing)}
        assert names(read(accord, Since.BEGIN, seen=foreign))[:2] == ["reset", "ready"]


def test_an_id_beyond_the_end_of_a_restored_copy_is_answered_by_a_reset(
    store: Settings, tmp_path: Path
) -> None:
    with bootstrap(store) as accord:
        grow(accord, FEED[:MIDDLE])
    copy = Settings(store=f"sqlite:///{tmp_path}/copy.db")
    shutil.copy(store.path, copy.path)
    with bootstrap(store) as accord:
        grow(accord, FEED[MIDDLE:])
        *_, last = read(accord, Since.BEGIN)
    with bootstrap(copy) as restored:
        reset, *standing, _ = read(restored, seen=last.id)

        assert (reset.event, reset.body["reason"]) == ("reset", "unknown-change")
        assert [each.body["id"] for each in standing] == open_alerts(restored)


def test_an_id_whose_number_a_restored_copy_has_used_otherwise_is_answered_by_a_reset(
    store: Settings, tmp_path: Path
) -> None:
    other = (REPOSITORY / "examples" / "3-producer-renewal.jsonl").read_bytes().splitlines()
    with bootstrap(store) as accord:
        grow(accord, FEED[:MIDDLE])
        *_, kept = read(accord, Since.BEGIN)
    copy = Settings(store=f"sqlite:///{tmp_path}/copy.db")
    shutil.copy(store.path, copy.path)
    with bootstrap(store) as accord:
        grow(accord, FEED[MIDDLE:])
        *_, lost = read(accord, seen=kept.id)
    with bootstrap(copy) as restored:
        before = restored.views.last_output()
        grow(restored, other)

        assert restored.views.last_output() >= before + 4
        assert names(read(restored, seen=kept.id))[0] == "ready"
        assert read(restored, seen=lost.id)[0].body["reason"] == "unknown-change"


def test_the_ids_of_a_store_stay_valid_after_a_rebuild(store: Settings) -> None:
    with bootstrap(store) as accord:
        grow(accord, FEED)
        _, *before = read(accord, Since.BEGIN)
        rebuild.rebuild(accord.history, accord.views, PROJECTIONS)

        assert read(accord, seen=before[3].id)[1:] == before[4:]


any_number = st.integers() | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, 10**30, -1])


@given(
    seen=st.text()
    | st.text(min_size=600, max_size=2000)
    | st.builds(lambda n, m: (n, m), any_number, st.text(max_size=8)).map(repr)
)
def test_any_text_as_an_id_is_answered(demo: Accord, seen: str) -> None:
    first = read(demo, Since.NOW, seen=seen)[0]

    assert first.event == ("reset" if seen else "ready")
    if seen:
        assert first.body["reason"] == "not-an-id"


@given(number=st.integers(0, 2**64 - 1), mark=st.text(max_size=12))
def test_any_number_in_an_id_is_answered(demo: Accord, number: int, mark: str) -> None:
    seen = Ids(demo).written(number, mark)
    first = read(demo, Since.NOW, seen=seen)[0]

    assert first.event == ("ready" if (number, mark) == (0, "") else "reset")


def test_an_id_does_not_show_how_many_changes_of_all_partnerships_there_are(demo: Accord) -> None:
    ids = Ids(demo)
    last = demo.views.last_output()

    place = orjson.loads(urlsafe_b64decode(ids.of(last) + "=="))

    assert all(isinstance(each, str) for each in place)
    assert f"{last:016x}" not in place[-1]
    assert ids.number_of(ids.of(last)) == (last, None)


def test_two_stores_have_two_epochs(tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        settings = Settings(store=f"sqlite:///{tmp_path}/{name}.db")
        init(settings)
        init(settings)
        with bootstrap(settings) as accord:
            found.add(accord.history.meta(EPOCH))

    assert len(found) == 2
    assert all(each and len(each) == 16 for each in found)
