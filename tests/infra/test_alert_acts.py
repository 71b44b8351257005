"""The log of acts about alerts, in each kind of store."""

from dataclasses import replace
from datetime import UTC, datetime

from infra.store.alert_acts import ERASED
from infra.store.history import History
from projections.alert_acts import AlertAct, AlertActKind

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
ID = "referral-minimum@1/acme/2026-Q1"
ACT = AlertAct(ID, NOON, "growthos", AlertActKind.ASSIGN, "Maya Ortiz", NOON, to="Ines Roy")
SILENCE = replace(ACT, kind=AlertActKind.SILENCE, to=None, until=NOON.replace(day=9))


def test_a_side_reads_its_own_acts_in_the_order_in_which_they_were_done(store: History) -> None:
    log, of_operator = store.alert_acts, replace(ACT, side=None)
    for each in (SILENCE, ACT, of_operator):
        log.add(each)

    assert log.of("growthos", [ID]) == [SILENCE, ACT]
    assert log.of(None, [ID]) == [of_operator]
    assert log.of("northbridge", [ID]) == []
    assert log.of("growthos", ["another@1/acme/2026-Q1"]) == []


def test_a_name_is_deleted_from_the_acts_of_one_side_in_one_partnership(store: History) -> None:
    log, of_operator = store.alert_acts, replace(ACT, side=None)
    other = replace(ACT, alert="referral-minimum@1/another/2026-Q1")
    for each in (ACT, other, of_operator):
        log.add(each)

    log.forget("acme", "growthos", "Ines Roy")

    assert log.of("growthos", [ID]) == [replace(ACT, to=ERASED)]
    assert log.naming("Ines Roy") == [other, of_operator]
    log.forget("acme", None, "Ines Roy")
    assert log.naming("Ines Roy") == [other]
    assert log.naming("Maya Ortiz") == [
        replace(ACT, to=ERASED),
        other,
        replace(of_operator, to=ERASED),
    ]
