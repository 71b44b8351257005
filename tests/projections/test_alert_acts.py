"""What one side did about an alert counts while the alert stays open; a silence until its day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.standing_alerts import REFERRAL_MINIMUM
from projections.alert_acts import NOTHING_DONE, AlertAct, AlertActKind, handling
from projections.alerts import AlertState
from tests.infra.answers.test_every_alert import STANDING
from tests.projections.folds import alerts as open_alerts

OPENED = datetime(2026, 4, 1, tzinfo=UTC)
NOW = OPENED + timedelta(days=5)

FOUND = open_alerts(STANDING[REFERRAL_MINIMUM]()).values()
ALERT = replace(next(each for each in FOUND if each.rule == REFERRAL_MINIMUM), since=OPENED)


def act(kind: AlertActKind, days: int = 1, by: str = "Olu Ade", **more: object) -> AlertAct:
    """An act so many days after the alert opened."""
    made = AlertAct(ALERT.id, OPENED, None, kind, by, OPENED + timedelta(days=days))
    return replace(made, **more)  # type: ignore[arg-type]


SILENCE = act(AlertActKind.SILENCE, until=NOW + timedelta(days=1))


def test_the_first_person_who_acknowledges_is_named() -> None:
    acts = [act(AlertActKind.ACKNOWLEDGE), act(AlertActKind.ACKNOWLEDGE, 2, "Someone Else")]

    assert handling(acts, ALERT, NOW).acknowledged_by == "Olu Ade"


def test_the_person_who_was_assigned_last_takes_care_of_it() -> None:
    acts = [act(AlertActKind.ASSIGN, to="Maya Ortiz"), act(AlertActKind.ASSIGN, 2, to="Ines Roy")]

    assert handling(acts, ALERT, NOW).assigned_to == "Ines Roy"


def test_a_silenced_alert_comes_back_on_its_day() -> None:
    until = SILENCE.until
    assert until is not None

    assert handling([SILENCE], ALERT, until - timedelta(seconds=1)).silenced_until == until
    assert handling([SILENCE], ALERT, until) == NOTHING_DONE


def test_a_silenced_alert_that_is_raised_anew_comes_back_at_once() -> None:
    again = replace(ALERT, since=OPENED + timedelta(days=3))

    assert handling([SILENCE], again, NOW) == NOTHING_DONE


def test_nothing_counts_for_an_alert_that_has_ended() -> None:
    assert handling([SILENCE], replace(ALERT, state=AlertState.RESOLVED), NOW) == NOTHING_DONE


def test_what_is_done_later_does_not_count_before() -> None:
    assert handling([act(AlertActKind.ACKNOWLEDGE, 6)], ALERT, NOW) == NOTHING_DONE
