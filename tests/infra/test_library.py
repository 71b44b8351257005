"""The eventsourcing library's own application, on a store that Accord is using."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import IntegrityError

from domain import aggregates
from domain.kernel import Act
from domain.partnership import Partnership
from domain.recorded import Recorded
from domain.viewing import FullViewTaken
from infra.bootstrap import Accord, bootstrap, init
from infra.settings import Settings
from infra.store.library import STORE, Factory
from infra.tlog.codec import event_id
from tests.infra.messages import beginning, candidate
from tests.infra.told import Told

NAME = "growthos-brightpath"


@pytest.fixture
def accord(address: str, clock: Told) -> Iterator[Accord]:
    """A store with a few events, open, in each of the engines."""
    settings = Settings(store=address)
    init(settings)
    with bootstrap(settings, clock) as accord:
        outcomes = accord.service.handle([beginning(), candidate("brightpath")])
        assert [each.status for each in outcomes] == ["accepted", "accepted"]
        yield accord


@pytest.fixture
def application(accord: Accord, address: str) -> Iterator[Application[str]]:  # noqa: ARG001 - its store
    module = f"{Factory.__module__}:{Factory.__name__}"
    with closing(Application[str](env={"PERSISTENCE_MODULE": module, STORE: address})) as found:
        yield found


def folded(state: Partnership | None, events: Iterable[Recorded]) -> Partnership | None:
    for each in events:
        after = aggregates.evolve(state or Partnership(), each.event, each.act)
        assert isinstance(after, Partnership)
        state = after
    return state


def following(accord: Accord) -> Recorded:
    """An event that may follow all that a partnership has recorded."""
    last = list(accord.history.of(NAME))[-1]
    act = Act("accord", "person:" + "0" * 64, last.act.recorded_at, last.act.recorded_at)
    return replace(
        last,
        version=last.version + 1,
        event_id=event_id("accord", "library", "1", 0),
        act=act,
        source="library",
        source_id="1",
        event=FullViewTaken(question="list", reason="A check."),
        index=-1,
        position=-1,
    )


def test_its_repository_folds_a_partnership_at_any_version(
    accord: Accord, application: Application[str]
) -> None:
    events = list(accord.history.of(NAME))
    get = application.repository.get

    assert get(NAME, projector_func=folded) == folded(None, events)  # type: ignore[type-var]
    assert get(NAME, version=1, projector_func=folded) == folded(None, events[:1])  # type: ignore[type-var]
    with pytest.raises(AggregateNotFoundError):
        get("nobody", projector_func=folded)  # type: ignore[type-var]


def test_its_notification_log_has_every_event_from_the_first_in_order(
    accord: Accord, application: Application[str]
) -> None:
    section = application.notification_log["1,10"]

    assert section.id == "1,2"
    assert [application.mapper.to_domain_event(each) for each in section.items] == (
        accord.history.after(-1, 10)
    )
    assert [each.topic for each in application.notification_log.select(1, 10, topics=["No"])] == []
    assert application.recorder.max_notification_id() == accord.history.size()


def test_what_it_saves_is_recorded_and_accord_goes_on_behind_it(
    accord: Accord, application: Application[str]
) -> None:
    event = following(accord)

    (recording,) = application.save(event)

    assert recording.notification.id == accord.history.size() == 3
    stored = list(accord.history.of(NAME))[-1]
    assert stored == replace(event, index=2, position=2)
    assert list(accord.history.leaves(NAME, 2)) != []
    (outcome,) = accord.service.handle([candidate("northlight")])
    assert (outcome.status, outcome.first) == ("accepted", 3)


def test_what_would_be_a_second_event_of_one_version_is_refused(
    accord: Accord, application: Application[str]
) -> None:
    event = following(accord)
    application.save(event)

    with pytest.raises(IntegrityError):
        application.save(event)

    assert accord.history.size() == 3


def test_its_subscription_goes_on_with_what_accord_records(
    accord: Accord, application: Application[str]
) -> None:
    with application.recorder.subscribe(gt=1) as subscription:
        assert next(subscription).id == 2
        accord.service.handle([candidate("northlight")])
        assert next(subscription).id == 3


def test_an_event_of_another_mapper_has_no_place_in_a_history(
    application: Application[str],
) -> None:
    (stored,) = application.recorder.select_events(NAME, limit=1)

    with pytest.raises(TypeError, match="EventMapper"):
        application.recorder.insert_events([stored])
