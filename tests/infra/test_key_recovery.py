"""A lost key through the service: what recovers it, what is listed, and what verifiers say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.audit.signing import covering
from domain.execution import HoldKickoff, ProposeAction
from domain.kernel import Act
from domain.keyring import (
    AgreeKeyRecovery,
    KeyRecovered,
    KeyRecoveryProposed,
    ProposeKeyRecovery,
    RevokeKey,
)
from domain.recorded import Recorded
from infra.answers import signatures
from infra.bootstrap import Accord, bootstrap, init
from infra.settings import Settings
from infra.tlog import codec
from tests.audit.world import CONSISTENT, fault
from tests.infra import section8
from tests.infra.messages import from_steps
from tests.infra.signing import NAME, Signatory, signatory
from tests.infra.test_second_person import one, verdict_of
from tests.life import EXAMPLES, LIFE, OURS, THEIRS, example
from tests.stories import moment

AFTER_KICKOFF = LIFE[: LIFE.index(EXAMPLES[HoldKickoff]) + 1]
DAY = "2026-02-20"


def at(party: str, seed: int) -> Signatory:
    found = signatory(party, seed)
    found.at = DAY
    return found


@pytest.fixture
def accord(tmp_path: Path) -> Iterator[Accord]:
    """A simulated store in which both parties have a key."""
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        accord.service.handle(from_steps(AFTER_KICKOFF))
        for each in (at(OURS, 1), at(THEIRS, 3)):
            assert one(accord, each.unsigned(each.register())).status == "accepted"
        yield accord


def proposal(new: Signatory) -> ProposeKeyRecovery:
    lost = moment("2026-02-19T18:00")
    found: ProposeKeyRecovery = ProposeKeyRecovery(
        proposal="new-key", party=OURS, lost_since=lost, **new.shown(NAME)
    )
    return found


def consent(new: Signatory) -> AgreeKeyRecovery:
    found = covering(AgreeKeyRecovery(proposal="new-key"), [KeyRecoveryProposed.of(proposal(new))])
    assert isinstance(found, AgreeKeyRecovery)
    return found


def test_a_key_is_recovered_by_the_consent_of_both_and_what_was_signed_since_is_listed(
    accord: Accord, tmp_path: Path
) -> None:
    thief, theirs, new = at(OURS, 1), at(THEIRS, 3), at(OURS, 2)
    assert one(accord, thief.signs(example(ProposeAction, proposal="theft"))).status == "accepted"
    stolen = accord.history.heads([NAME])[NAME].size - 1

    assert one(accord, new.unsigned(proposal(new))).status == "accepted"
    assert one(accord, theirs.unsigned(consent(new))).rule == "must-be-signed"
    assert one(accord, theirs.signs(consent(new))).status == "accepted"

    assert one(accord, thief.signs(example(ProposeAction, proposal="more"))).rule == "command-key"
    assert one(accord, new.signs(example(ProposeAction, proposal="ours"))).status == "accepted"
    (lost,) = signatures.ask(accord, NAME).lost
    assert (lost.party, lost.keys, lost.signed) == (OURS, (thief.keyid,), (stolen,))
    assert section8.faults(accord, NAME) == []
    assert verdict_of(accord, tmp_path) == CONSISTENT


def test_the_operator_alone_recovers_no_key(accord: Accord, tmp_path: Path) -> None:
    """Whoever has the store proposes a key for one party, and cannot sign for the other."""
    new = at(OURS, 2)
    one(accord, new.unsigned(proposal(new)))
    proposed = proposal(new)
    *_, end = accord.history.of(NAME)
    version = len(accord.history.streams([NAME])[NAME])
    forged = Recorded(
        NAME,
        NAME,
        version + 1,
        codec.event_id(THEIRS, "//forged", "1", 0),
        Act(THEIRS, "jo", end.act.recorded_at, end.act.recorded_at),
        "//forged",
        "1",
        KeyRecovered(**dict(proposed)),
    )
    accord.history.append([forged])

    assert verdict_of(accord, tmp_path) == fault("command-missing", end.index + 1)


def test_a_stolen_key_is_revoked_with_another_key_and_what_it_signed_is_listed(
    accord: Accord,
) -> None:
    thief, second = at(OURS, 1), at(OURS, 2)
    assert one(accord, thief.signs(second.register())).status == "accepted"
    one(accord, second.signs(example(ProposeAction, proposal="ours")))
    one(accord, thief.signs(example(ProposeAction, proposal="theft")))
    stolen = accord.history.heads([NAME])[NAME].size - 1
    since = moment(DAY)
    revoke = RevokeKey(keyid=thief.keyid, reason="Stolen.", lost_since=since)

    assert one(accord, second.signs(revoke)).status == "accepted"

    (lost,) = signatures.ask(accord, NAME).lost
    assert lost.keys == (thief.keyid,)
    assert stolen in lost.signed
    assert stolen - 1 not in lost.signed
