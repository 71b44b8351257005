"""What is credited in two partnerships of one party, and who is shown it (money.md, section 6)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.standing_alerts import CREDITED_TWICE
from infra.answers import alert_acts, alerts, explain, inbox, review
from infra.answers.duplicate_credits import DUPLICATE_CREDITS, DuplicateCredits, ask
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from projections.alert_acts import AlertActKind
from projections.alerts import Alert
from projections.visibility import OPERATOR, Viewer
from tests.feeds import simulated
from tests.infra.answers.demo import EVERYTHING, day, without_moment
from tests.infra.answers.helpers import printed
from tests.infra.messages import from_steps
from tests.life import LIFE, OURS, THEIRS

OWN = AsOf(viewer=Viewer(OURS))
FIRST, SECOND, RIVAL = "growthos-brightpath", "growthos-second", "northwind"
SOLD = LIFE.index(next(each for each in LIFE if each.at > "2026-01-28"))
"""The steps of the life up to the payment of its first deal."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """Return a store where our side credits two partners with one deal."""
    folder: Path = tmp_path_factory.mktemp("two")
    life = from_steps(LIFE[:SOLD])
    other = [
        each.replace(f'"{THEIRS}"'.encode(), f'"{RIVAL}"'.encode())
        .replace(FIRST.encode(), SECOND.encode())
        .replace(b'"step-', b'"second-')
        for each in life
    ]
    with simulated(folder) as accord:
        outcomes = accord.service.handle([*life, *other])
        assert {each.status for each in outcomes} == {"accepted"}
        accord.runner.catch_up()
        yield accord


def of(answer: DuplicateCredits) -> dict[str, list[str]]:
    """Return the partnerships of each duplicate, by subject."""
    return {each.subject: [of.partnership for of in each.credits] for each in answer.duplicates}


def test_the_party_that_pays_twice_is_shown_both_partnerships(store: Accord) -> None:
    answer = ask(store, AsOf(viewer=Viewer(OURS)))

    assert {each.party for each in answer.duplicates} == {OURS}
    assert of(answer) == {"deal/D-1": [FIRST, SECOND]}
    assert printed(DUPLICATE_CREDITS.text(answer)).splitlines()[0] == (
        "growthos: deal D-1 is credited in several partnerships"
    )


@pytest.mark.parametrize("partner", [THEIRS, RIVAL])
def test_a_partner_learns_nothing_of_the_other_partnership(store: Accord, partner: str) -> None:
    answer = ask(store, AsOf(viewer=Viewer(partner)))

    assert not answer.duplicates


def test_the_party_that_pays_twice_is_alerted_in_both_partnerships(store: Accord) -> None:
    found = alerts.ask(store, when=AsOf(viewer=Viewer(OURS))).items
    twice = [each for each in found if each.rule == CREDITED_TWICE]

    assert [each.id for each in twice] == [
        f"credited-twice@1/{FIRST}/deal/D-1",
        f"credited-twice@1/{SECOND}/deal/D-1",
    ]
    for each in twice:
        assert each.text.startswith(f"Deal D-1 is credited in {FIRST} and {SECOND}. {OURS} may pay")
        (event,) = store.history.of(each.partnership, each.cause, each.cause + 1)
        assert event.stream == f"{each.partnership}/deal/D-1"
    one = alerts.ask(store, SECOND, when=AsOf(viewer=Viewer(OURS))).items
    assert [each for each in one if each.rule == CREDITED_TWICE] == twice[1:]


def test_the_inbox_of_the_party_that_pays_twice_asks_it_in_both_partnerships(
    store: Accord,
) -> None:
    own = [x for x in inbox.ask(store, when=OWN).items if x.ref == "deal/D-1"]

    assert [(each.partnership, each.party) for each in own] == [(FIRST, OURS), (SECOND, OURS)]
    for each in own:
        assert [(of.type, of.subject) for of in each.events] == [
            ("accord.CancelDeal", each.partnership),
            ("accord.ProposeAttribution", each.partnership),
        ]
        assert each.events[0].data == {"deal": "D-1"}
    of_one = inbox.ask(store, SECOND, when=OWN).items
    assert [each for each in of_one if each.ref == "deal/D-1"] == own[1:]
    for viewer in (OPERATOR, Viewer(THEIRS), Viewer(RIVAL)):
        found = inbox.ask(store, when=AsOf(viewer=viewer)).items
        assert not [each for each in found if each.ref == "deal/D-1"]


def test_an_alert_that_the_party_silenced_asks_nothing(store: Accord) -> None:
    """Two sales can have one identifier by chance, and nothing else says so."""
    first, _ = (x for x in alerts.ask(store, when=OWN).items if x.rule == CREDITED_TWICE)
    soon = store.clock() + timedelta(days=30)

    alert_acts.act(store, first, OURS, AlertActKind.SILENCE, "Maya", until=soon)

    own = [x.partnership for x in inbox.ask(store, when=OWN).items if x.ref == "deal/D-1"]
    alert_acts.act(store, first, OURS, AlertActKind.SILENCE, "Maya")
    assert own == [SECOND]


def test_the_review_of_the_party_that_pays_twice_says_so_and_that_of_its_partner_does_not(
    store: Accord,
) -> None:
    def rules(party: str) -> list[str]:
        return [
            each.rule for each in review.ask(store, FIRST, when=AsOf(viewer=Viewer(party))).alerts
        ]

    assert rules(OURS).count(CREDITED_TWICE) == 1
    assert CREDITED_TWICE not in rules(THEIRS)


def test_the_alert_is_there_as_of_a_day_and_is_explained_as_each_alert_is(store: Accord) -> None:
    def twice(when: AsOf) -> list[Alert]:
        found = alerts.ask(store, when=replace(when, viewer=Viewer(OURS))).items
        return [each for each in found if each.rule == CREDITED_TWICE]

    assert twice(EVERYTHING) == twice(AsOf())
    assert not twice(AsOf(at=day("2026-01-11")))
    for each in twice(EVERYTHING):
        for when in (AsOf(), EVERYTHING):
            asked = replace(when, viewer=Viewer(OURS))
            explained = explain.ask(store, each.id, asked).explained
            assert isinstance(explained, explain.AlertExplained)
            assert explained.alert == each
            assert [item.index for item in explained.evidence] == [each.cause]
    with pytest.raises(NotFound):
        explain.ask(store, f"credited-twice@1/{FIRST}/deal/D-1", AsOf(viewer=Viewer(THEIRS)))


@pytest.mark.parametrize("partner", [THEIRS, RIVAL])
def test_no_alert_tells_a_partner_of_the_other_partnership(store: Accord, partner: str) -> None:
    other = SECOND if partner == THEIRS else FIRST
    for each in alerts.ask(store, when=AsOf(viewer=Viewer(partner))).items:
        assert each.rule != CREDITED_TWICE
        assert other not in str(each)


def test_the_answer_by_replay_is_that_of_the_views(store: Accord) -> None:
    now = ask(store)

    assert now.duplicates
    assert without_moment(ask(store, EVERYTHING)) == now


def test_before_the_second_attribution_was_known_nothing_was_credited_twice(store: Accord) -> None:
    assert not ask(store, AsOf(at=day("2026-01-11"))).duplicates


def test_the_answer_of_now_reads_the_whole_row_of_shared_deals_alone(
    store: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    rows: Callable[..., object] = store.views.rows

    def noted(projection: str, keys: list[tuple[str, str]]) -> object:
        asked.extend(key for _, key in keys if projection == "settlement")
        return rows(projection, keys)

    monkeypatch.setattr(store.views, "rows", noted)

    ask(store)

    assert sorted(set(asked)) == ["agreed", "deal/D-1"]
