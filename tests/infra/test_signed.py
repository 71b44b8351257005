"""Signed commands through the service: what is taken, what is not, and that it holds afterwards."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.audit.signing import covered, covering, recorded
from domain.agreement import (
    AcceptTerms,
    ProposeTerms,
    TermsProposed,
)
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.exploration import BeginExploration, IdentifyCandidate
from domain.formation import (
    DeclareBestAlternative,
)
from domain.kernel import Command
from domain.keyring import (
    KeyRegistered,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    SignedKind,
    key_id,
)
from domain.markets import AssignRole
from domain.payment import ReceivePayment
from domain.people import ErasePerson
from domain.recorded import Recorded
from domain.referral import ProposeAttribution, SubmitReferral
from domain.reported_figure import ReportMetric
from domain.settlement import IssueStatement
from infra.bootstrap import Accord, bootstrap, init
from infra.cli.settle import issue
from infra.deciding.batch import Outcome
from infra.deciding.pseudonyms import derived, people
from infra.deciding.service import Service
from infra.settings import Settings
from infra.tlog import dsse
from infra.tlog.dsse import Payload, SeenLog
from infra.tlog.merkle import Tree
from tests.feeds import simulated
from tests.infra import section8
from tests.infra.messages import beginning, from_steps
from tests.infra.signing import NAME, Signatory, signatory
from tests.infra.writers import write
from tests.life import EXAMPLES, LIFE, OURS, THEIRS, changed, example
from tests.stories import moment

FORMATION = LIFE[: LIFE.index(EXAMPLES[ProposeTerms])]
PROPOSAL = example(ProposeTerms)
PROPOSED = TermsProposed.of(PROPOSAL)
ACCEPTANCE = covering(AcceptTerms(proposal=PROPOSAL.proposal), [PROPOSED])
AGREED = len(from_steps(FORMATION))


@pytest.fixture
def accord(address: str) -> Iterator[Accord]:
    """A simulated store, in each of the engines, with a partnership in formation."""
    settings = Settings(store=address)
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        outcomes = accord.service.handle(from_steps(FORMATION))
        assert {each.status for each in outcomes} == {"accepted"}
        yield accord


@pytest.fixture
def ours() -> Signatory:
    return signatory(OURS, 1)


@pytest.fixture
def theirs() -> Signatory:
    return signatory(THEIRS, 2)


@pytest.fixture
def registered(accord: Accord, ours: Signatory) -> Accord:
    """The same, in which one party has registered its key."""
    assert one(accord, ours.unsigned(ours.register())).status == "accepted"
    return accord


def one(accord: Accord, raw: bytes) -> Outcome:
    (outcome,) = accord.service.handle([raw])
    return outcome


def rule(accord: Accord, raw: bytes) -> str | None:
    """Return the rule by which it is refused; it leaves no event and holds nothing up."""
    before = accord.history.heads([NAME])[NAME].size
    outcome = one(accord, raw)
    assert (outcome.status, bool(outcome.hint)) == ("refused", True)
    assert accord.history.heads([NAME])[NAME].size == before
    return outcome.rule


def signed_of(accord: Accord) -> list[str | None]:
    return [each.signed for each in accord.history.of(NAME)]


def asking(ours: Signatory, **changes: Any) -> bytes:  # noqa: ANN401 - members of the payload
    """Return a proposal of terms, signed with a payload that says otherwise."""
    return dsse.sign(ours.signer, ours.payload(ours.event(PROPOSAL), **changes))


# --- what is taken -----------------------------------------------------------------------------


def test_what_a_signed_command_causes_names_it_and_it_is_kept(
    registered: Accord, ours: Signatory
) -> None:
    raw = ours.signs(PROPOSAL)
    outcome = one(registered, raw)

    digest = dsse.read(orjson.loads(raw)).digest
    assert (outcome.status, outcome.count) == ("accepted", 1)
    assert signed_of(registered)[-1] == digest
    assert registered.history.kept("command", NAME) == {digest: raw}
    assert section8.faults(registered, NAME) == []


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_the_same_signed_command_again_decides_nothing(
    registered: Accord, ours: Signatory, *, together: bool
) -> None:
    raw = ours.signs(PROPOSAL)
    handle = registered.service.handle
    first, again = handle([raw, raw]) if together else [*handle([raw]), *handle([raw])]

    assert (first.status, again.status) == ("accepted", "duplicate")
    assert (again.first, again.count) == (first.first, first.count)


def test_the_same_event_signed_anew_is_the_same_input(registered: Accord, ours: Signatory) -> None:
    event = ours.event(PROPOSAL)
    first, again = registered.service.handle(
        [dsse.sign(ours.signer, ours.payload(event)) for _ in range(2)]
    )
    assert (first.status, again.status) == ("accepted", "duplicate")
    assert again.first == first.first


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_what_was_refused_unsigned_may_be_asked_again_signed(
    registered: Accord, ours: Signatory, *, together: bool
) -> None:
    event = ours.event(PROPOSAL)
    raws = [orjson.dumps(event), dsse.sign(ours.signer, ours.payload(event))]
    handle = registered.service.handle
    outcomes = handle(raws) if together else [each for raw in raws for each in handle([raw])]

    assert [each.status for each in outcomes] == ["refused", "accepted"]
    assert one(registered, raws[0]).status == "duplicate"


def test_what_expired_may_be_signed_anew(registered: Accord, ours: Signatory) -> None:
    event = ours.event(PROPOSAL)
    late = ours.payload(event, expires="2026-01-12T08:59:59Z")

    assert rule(registered, dsse.sign(ours.signer, late)) == "command-expired"
    assert rule(registered, dsse.sign(ours.signer, late)) == "command-expired"
    assert one(registered, dsse.sign(ours.signer, ours.payload(event))).status == "accepted"


def test_a_first_key_may_be_registered_by_its_own_signature(
    accord: Accord, ours: Signatory
) -> None:
    assert one(accord, ours.signs(ours.register())).status == "accepted"
    assert section8.faults(accord, NAME) == []


def test_a_command_can_name_the_log_that_its_signer_saw(
    registered: Accord, ours: Signatory
) -> None:
    for size in (0, 3, AGREED):
        seen = SeenLog(root=b64encode(root_at(registered, size)).decode(), size=size)
        proposal = changed(PROPOSAL, proposal=f"seen-{size}")
        payload = ours.payload(ours.event(proposal), seen=seen)
        assert one(registered, dsse.sign(ours.signer, payload)).status == "accepted"
    assert section8.faults(registered, NAME) == []


def root_at(accord: Accord, size: int) -> bytes:
    tree = Tree()
    for leaf in accord.history.leaves(NAME, 0, size):
        tree.add(leaf)
    return tree.root()


def test_a_root_at_hand_is_asked_for_before_the_leaves_are_read(
    registered: Accord, ours: Signatory
) -> None:
    asked = []

    def at_hand(partnership: str, size: int) -> bytes | None:
        asked.append((partnership, size))
        return b"r" * 32 if size == 5 else None

    service = Service(
        registered.history, datetime.now, simulated=True, salts=derived, root_at=at_hand
    )
    for size, root in ((5, b"r" * 32), (3, root_at(registered, 3))):
        seen = SeenLog(root=b64encode(root).decode(), size=size)
        proposal = changed(PROPOSAL, proposal=f"seen-{size}")
        payload = ours.payload(ours.event(proposal), seen=seen)
        (outcome,) = service.handle([dsse.sign(ours.signer, payload)])
        assert outcome.status == "accepted"
    assert asked == [(NAME, 5), (NAME, 3)]


def test_an_expected_version_is_that_of_the_stream_before(
    registered: Accord, ours: Signatory
) -> None:
    version = len(registered.history.streams([NAME])[NAME])
    assert rule(registered, asking(ours, expected=version - 1)) == "command-version"
    assert one(registered, asking(ours, expected=version)).status == "accepted"


# --- what is not -------------------------------------------------------------------------------

Change = Callable[[Signatory], bytes]

OTHERWISE: dict[str, tuple[str, Change]] = {
    "another log": ("command-elsewhere", lambda o: asking(o, origin=f"elsewhere/{NAME}")),
    "another partnership": ("command-elsewhere", lambda o: asking(o, partnership="other")),
    "another party": ("command-elsewhere", lambda o: asking(o, party=THEIRS)),
    "another type": ("command-elsewhere", lambda o: asking(o, type="accord.AcceptTerms")),
    "an unknown key": (
        "command-key",
        lambda _: signatory(OURS, 9).signs(PROPOSAL),
    ),
    "of a party without a key": ("command-key", lambda _: signatory(THEIRS, 2).signs(PROPOSAL)),
    "expired": ("command-expired", lambda o: asking(o, expires="2026-01-12T08:59:59Z")),
    "a wrong version": ("command-version", lambda o: asking(o, expected=0)),
    "a log that forked": (
        "command-seen",
        lambda o: asking(o, seen=SeenLog(root=b64encode(bytes(32)).decode(), size=3)),
    ),
    "a log longer than it is": (
        "command-seen",
        lambda o: asking(o, seen=SeenLog(root=b64encode(bytes(32)).decode(), size=10_000)),
    ),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_what_does_not_fit_is_refused_by_its_rule(
    registered: Accord, ours: Signatory, case: str
) -> None:
    expected, raw = OTHERWISE[case]
    assert rule(registered, raw(ours)) == expected


def test_another_payload_under_the_same_signature_is_refused(
    registered: Accord, ours: Signatory
) -> None:
    one_, other = (orjson.loads(asking(ours)) for _ in range(2))
    other["signatures"] = one_["signatures"]
    assert rule(registered, orjson.dumps(other)) == "command-signature"


def test_nobody_signs_for_the_other_party(registered: Accord, ours: Signatory) -> None:
    forged = Signatory(THEIRS, ours.signer)
    assert rule(registered, forged.signs(PROPOSAL)) == "command-key"


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_a_nonce_is_used_once_by_a_party(
    registered: Accord, ours: Signatory, theirs: Signatory, *, together: bool
) -> None:
    nonce = "the-same-nonce"
    other = changed(PROPOSAL, proposal="terms-9")
    raws = [
        dsse.sign(ours.signer, ours.payload(ours.event(each), nonce=nonce))
        for each in (PROPOSAL, other)
    ]
    handle = registered.service.handle
    outcomes = handle(raws) if together else [each for raw in raws for each in handle([raw])]
    assert [each.rule for each in outcomes] == [None, "command-replayed"]

    one(registered, theirs.unsigned(theirs.register()))
    accepts = theirs.payload(theirs.event(ACCEPTANCE), nonce=nonce)
    assert one(registered, dsse.sign(theirs.signer, accepts)).status == "accepted"
    assert section8.faults(registered, NAME) == []


def test_the_log_has_exactly_the_signed_event(registered: Accord, ours: Signatory) -> None:
    zoned, left_out = ours.event(PROPOSAL), ours.event(PROPOSAL)
    zoned["time"] = zoned["time"].replace("Z", "+00:00")
    del left_out["data"]["items"][0]["tiers"]

    for each in (zoned, left_out):
        raw = dsse.sign(ours.signer, ours.payload(each))
        assert rule(registered, raw) == "command-differs"


# --- keys --------------------------------------------------------------------------------------


def test_a_weak_key_is_not_registered(accord: Accord, ours: Signatory) -> None:
    weak = RegisterKey(key=b64encode(bytes([1]) + bytes(31)).decode(), proof="A" * 86 + "==")
    assert rule(accord, ours.unsigned(weak)) == "key-weak"


@pytest.mark.parametrize("of", [("other", OURS), (NAME, THEIRS)], ids=["log", "party"])
def test_a_proof_is_for_one_partnership_and_party(
    accord: Accord, ours: Signatory, of: tuple[str, str]
) -> None:
    subject, party = of
    shown = Signatory(party, ours.signer).register(subject)
    assert rule(accord, ours.unsigned(shown)) == "key-proof"


def test_what_was_rotated_out_or_revoked_signs_nothing_more(
    registered: Accord, ours: Signatory
) -> None:
    new, third = signatory(OURS, 3), signatory(OURS, 4)
    for raw in (ours.signs(new.rotate(ours.keyid)), new.signs(third.register())):
        assert one(registered, raw).status == "accepted"
    assert rule(registered, ours.signs(PROPOSAL)) == "command-key"

    revoked = new.signs(RevokeKey(keyid=new.keyid, reason="A laptop was lost."))
    assert one(registered, revoked).status == "accepted"
    assert rule(registered, new.signs(PROPOSAL)) == "command-key"
    assert one(registered, third.signs(PROPOSAL)).status == "accepted"
    assert section8.faults(registered, NAME) == []


@pytest.mark.parametrize("change", ["register", "rotate", "revoke"])
def test_a_party_with_a_key_changes_its_keys_by_its_signature_alone(
    registered: Accord, ours: Signatory, change: str
) -> None:
    new = signatory(OURS, 3)
    changes: dict[str, Command] = {
        "register": new.register(),
        "rotate": new.rotate(ours.keyid),
        "revoke": RevokeKey(keyid=ours.keyid, reason="Lost."),
    }
    command = changes[change]
    assert rule(registered, ours.unsigned(command)) == "must-be-signed"
    assert rule(registered, new.signs(command)) == "command-key"
    assert one(registered, ours.signs(command)).status == "accepted"


# --- a signature covers what it accepts -----------------------------------------------------------


def test_a_signed_acceptance_names_the_content_that_it_accepts(
    registered: Accord, ours: Signatory, theirs: Signatory
) -> None:
    one(registered, ours.signs(PROPOSAL))
    one(registered, theirs.unsigned(theirs.register()))
    blank = AcceptTerms(proposal=PROPOSAL.proposal)
    other = changed(ACCEPTANCE, content="0" * 64)

    assert rule(registered, theirs.signs(blank)) == "content-missing"
    assert rule(registered, theirs.signs(other)) == "other-content"
    assert one(registered, theirs.signs(ACCEPTANCE)).status == "accepted"
    assert section8.faults(registered, NAME) == []


def test_an_unsigned_acceptance_may_leave_the_content_out_and_never_names_another(
    accord: Accord, ours: Signatory, theirs: Signatory
) -> None:
    one(accord, ours.unsigned(PROPOSAL))

    assert rule(accord, theirs.unsigned(changed(ACCEPTANCE, content="0" * 64))) == "other-content"
    assert one(accord, theirs.unsigned(AcceptTerms(proposal=PROPOSAL.proposal))).count == 2


def test_a_signed_confirmation_names_the_content_and_the_time_of_the_fact(
    tmp_path: Path,
) -> None:
    party, paid = signatory(THEIRS, 1), EXAMPLES[ReceivePayment]
    assert paid.party == OURS
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[: LIFE.index(paid) + 1]))
        one(accord, party.unsigned(party.register(), at=paid.at))
        payment = example(ReceivePayment)
        blank = ConfirmClaim(deal=payment.deal, fact=f"payment/{payment.payment}")
        by = THEIRS, moment(paid.at)
        read = covered(blank, [*accord.history.of(NAME)], by)

        undated, other = changed(read, fact_at=None), changed(read, content="0" * 64)

        assert rule(accord, party.signs(blank, at=paid.at)) == "content-missing"
        assert rule(accord, party.signs(undated, at=paid.at)) == "content-missing"
        assert rule(accord, party.signs(other, at=paid.at)) == "other-content"
        assert one(accord, party.signs(read, at=paid.at)).status == "accepted"
        assert section8.faults(accord, NAME) == []


def test_a_party_that_has_a_key_signs_each_further_answer_to_a_fact(tmp_path: Path) -> None:
    """Else whoever can write to the store could undo an objection that the party signed."""
    party, paid = signatory(THEIRS, 1), EXAMPLES[ReceivePayment]
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[: LIFE.index(paid) + 1]))
        payment = example(ReceivePayment)
        fact: dict[str, Any] = {"deal": payment.deal, "fact": f"payment/{payment.payment}"}
        confirming, objecting = ConfirmClaim(**fact), ObjectToClaim(**fact, reason="Not paid.")
        by = THEIRS, moment(paid.at)
        confirmed, objected = (
            covered(each, [*accord.history.of(NAME)], by) for each in (confirming, objecting)
        )
        one(accord, party.unsigned(party.register(), at=paid.at))
        assert one(accord, party.signs(objected, at=paid.at, id="no")).status == "accepted"

        assert rule(accord, party.unsigned(confirmed, at=paid.at)) == "must-be-signed"
        assert one(accord, party.signs(confirmed, at=paid.at, id="yes")).status == "accepted"


def test_a_signed_erasure_lists_the_commands_that_go_with_the_name(
    registered: Accord, ours: Signatory
) -> None:
    """Else the operator could list a command there that never was, and say that it was erased."""
    known = people(registered.history, NAME).items()
    person = next(commitment for commitment, each in known if each.party == OURS)
    erasing = ErasePerson(person=person, reason="They asked for it.")

    refused = one(registered, ours.signs(erasing))
    assert refused.rule == "content-missing"
    assert "Send `commands` with the digests" in (refused.hint or "")

    of_none = changed(erasing, commands=[])
    assert one(registered, ours.signs(of_none, id="listed")).status == "accepted"


def test_a_signed_erasure_that_lists_too_few_commands_is_told_the_right_ones(
    registered: Accord, ours: Signatory
) -> None:
    assigned = example(AssignRole, name="Ana Prieto")
    assert one(registered, ours.signs(assigned)).status == "accepted"
    signed = signed_of(registered)[-1]
    known = people(registered.history, NAME).items()
    person = next(commitment for commitment, each in known if each.name == "Ana Prieto")
    erasing = ErasePerson(person=person, reason="They asked for it.", commands=[])

    refused = one(registered, ours.signs(erasing, id="none"))
    assert refused.rule == "erases-other-commands"
    assert refused.hint == f"Send as `commands`: [{signed}]."
    right = changed(erasing, commands=[signed])
    assert one(registered, ours.signs(right, id="right")).status == "accepted"


# --- what needs a signature --------------------------------------------------------------------


def test_an_act_that_binds_is_refused_unsigned_once_its_party_has_a_key(
    registered: Accord, ours: Signatory, theirs: Signatory
) -> None:
    assert rule(registered, ours.unsigned(PROPOSAL)) == "must-be-signed"
    assert one(registered, theirs.unsigned(PROPOSAL)).status == "accepted"


def test_an_act_that_does_not_bind_is_taken_unsigned(registered: Accord, ours: Signatory) -> None:
    declared = ours.unsigned(example(DeclareBestAlternative))
    assert one(registered, declared).status == "accepted"


def test_a_binding_act_that_decides_nothing_needs_no_signature(
    registered: Accord, ours: Signatory
) -> None:
    assert one(registered, ours.signs(PROPOSAL)).status == "accepted"
    assert one(registered, ours.unsigned(PROPOSAL)).count == 0


def test_what_a_party_requires_to_be_signed_is_refused_unsigned_from_then_on(
    registered: Accord, ours: Signatory
) -> None:
    declare = example(DeclareBestAlternative)
    require = RequireSignatures(kinds=[SignedKind.OTHER])
    assert rule(registered, ours.unsigned(require)) == "must-be-signed"

    assert one(registered, ours.signs(require)).status == "accepted"

    assert rule(registered, ours.unsigned(declare)) == "must-be-signed"
    assert one(registered, ours.signs(declare)).status == "accepted"
    assert section8.faults(registered, NAME) == []


def test_what_a_party_requires_between_reading_and_writing_is_heeded(address: str) -> None:
    """A fact has a stream of its own; whether it must be signed rests on the whole log."""
    ours = signatory(OURS, 1)
    ours.at = "2026-01-29"
    meddling: list[bytes] = []
    settings = Settings(store=address)
    init(settings, simulated=True)
    with bootstrap(settings) as accord:

        def clock() -> datetime:
            accord.service.handle([meddling.pop()] if meddling else [])
            return datetime.now(UTC)

        accord.service.handle(from_steps(LIFE[: LIFE.index(EXAMPLES[ProposeAttribution])]))
        accord.service.handle([ours.unsigned(ours.register())])
        elsewhere = Service(accord.history, clock, simulated=True, salts=derived)

        meddling.append(ours.signs(RequireSignatures(kinds=[SignedKind.DEALS])))
        sold = ours.unsigned(example(SubmitReferral, deal="D-99", lead="lead-99"))
        (outcome,) = elsewhere.handle([sold])

        assert meddling == []
        assert outcome.rule == "must-be-signed"
        assert section8.faults(accord, NAME) == []


def test_a_first_key_registered_between_reading_and_writing_is_the_only_one(
    accord: Accord, ours: Signatory
) -> None:
    other = signatory(OURS, 2)
    meddling = [ours.unsigned(ours.register())]

    def clock() -> datetime:
        accord.service.handle([meddling.pop()] if meddling else [])
        return datetime.now(UTC)

    elsewhere = Service(accord.history, clock, simulated=True, salts=derived)
    (outcome,) = elsewhere.handle([other.unsigned(other.register())])

    (registered,) = keys_registered(accord, NAME)
    assert meddling == []
    assert (outcome.status, outcome.rule) == ("refused", "must-be-signed")
    assert key_id(b64decode(registered.key)) == ours.keyid


MANY = [f"{NAME}-{number}" for number in range(20)]
"""So many partnerships that two processes meet in some of them."""


@pytest.fixture
def begun(address: str) -> Settings:
    """A simulated store, in each of the engines, with the beginnings of many partnerships."""
    settings = Settings(store=address)
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        outcomes = accord.service.handle([beginning(subject) for subject in MANY])
        assert {each.status for each in outcomes} == {"accepted"}
    return settings


def by_two_processes(settings: Settings, *both: list[bytes]) -> list[dict[str, Outcome]]:
    """Send messages from two processes at once; return the outcomes of each, by partnership.

    Each message has a transaction of its own, so that the processes meet in many partnerships.
    """
    context = get_context("spawn")
    start = context.Barrier(2)
    queues = [context.Queue() for _ in both]
    writers = [
        context.Process(target=write, args=(settings, messages, 1, start, queue))
        for messages, queue in zip(both, queues, strict=True)
    ]
    for each in writers:
        each.start()
    outcomes: list[list[Outcome]] = [queue.get(timeout=60) for queue in queues]
    for each in writers:
        each.join(60)
        assert each.exitcode == 0
    return [{outcome.partnership: outcome for outcome in each} for each in outcomes]


def test_of_two_processes_that_register_a_first_key_of_a_party_one_succeeds(
    begun: Settings,
) -> None:
    both = [signatory(OURS, 1), signatory(OURS, 2)]
    sent = [[each.unsigned(each.register(name), subject=name) for name in MANY] for each in both]

    one, other = by_two_processes(begun, *sent)

    with bootstrap(begun) as accord:
        for name in MANY:
            first, second = one[name], other[name]
            (registered,) = keys_registered(accord, name)
            assert sorted([first.status, second.status]) == ["accepted", "refused"]
            assert {first.rule, second.rule} == {None, "must-be-signed"}
            assert key_id(b64decode(registered.key)) == both[first.status != "accepted"].keyid


def keys_registered(accord: Accord, partnership: str) -> list[KeyRegistered]:
    return [
        each.event
        for each in accord.history.of(partnership)
        if isinstance(each.event, KeyRegistered)
    ]


def test_no_unsigned_event_is_recorded_after_another_process_requires_signatures(
    begun: Settings, ours: Signatory
) -> None:
    with bootstrap(begun) as accord:
        registered = accord.service.handle(
            [ours.unsigned(ours.register(name), subject=name) for name in MANY]
        )
        assert {each.status for each in registered} == {"accepted"}
    require = RequireSignatures(kinds=[SignedKind.FIGURES])
    figure = example(ReportMetric, period="2025-11")

    required, reported = by_two_processes(
        begun,
        [ours.signs(require, subject=name) for name in MANY],
        [ours.unsigned(figure, subject=name) for name in MANY],
    )

    assert {each.status for each in required.values()} == {"accepted"}
    with bootstrap(begun) as accord:
        for name in MANY:
            outcome = reported[name]
            types = [each.event.wire for each in accord.history.of(name)]
            if outcome.status == "accepted":
                assert types.index("MetricReported") < types.index("SignaturesRequired")
            else:
                assert (outcome.rule, "MetricReported" in types) == ("must-be-signed", False)


@pytest.mark.parametrize("source", ["accord:settle", "accord:anything"])
def test_nobody_evades_the_signature_by_speaking_as_the_operator(
    registered: Accord, ours: Signatory, source: str
) -> None:
    raw = orjson.dumps({**ours.event(PROPOSAL), "source": source})
    assert rule(registered, raw) == "reserved-source"


def test_a_key_registered_between_reading_and_writing_is_heeded_on_every_stream(
    tmp_path: Path,
) -> None:
    """A deal has a stream of its own; what binds on it rests on the keys all the same."""
    ours, other = signatory(OURS, 1), signatory(OURS, 2)
    ours.at = other.at = "2026-01-29"
    proposal = example(ProposeAttribution)
    meddling: list[bytes] = []
    with simulated(tmp_path) as accord:

        def clock() -> datetime:
            # The service reads the states, then the clock; so whoever meddles comes between.
            accord.service.handle([meddling.pop()] if meddling else [])
            return datetime.now(UTC)

        accord.service.handle(from_steps(LIFE[: LIFE.index(EXAMPLES[ProposeAttribution])]))
        elsewhere = Service(accord.history, clock, simulated=True, salts=derived)

        meddling.append(ours.unsigned(ours.register()))
        (outcome,) = elsewhere.handle([ours.unsigned(proposal)])
        assert outcome.rule == "must-be-signed"

        meddling.append(ours.signs(other.rotate(ours.keyid)))
        (outcome,) = elsewhere.handle([ours.signs(proposal)])
        assert outcome.rule == "command-key"

        (outcome,) = elsewhere.handle([other.signs(proposal)])
        assert outcome.status == "accepted"
        assert section8.faults(accord, NAME) == []


# --- keys of services --------------------------------------------------------------------------


def test_a_service_signs_the_facts_that_its_party_delegated(
    tmp_path: Path, ours: Signatory
) -> None:
    service = signatory(OURS, 7)
    ours.at = service.at = "2026-01-29"
    report = example(ReportMetric)
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[: LIFE.index(EXAMPLES[ProposeAttribution])]))
        key = changed(service.register(), delegated=["figures"])
        sent = [ours.unsigned(ours.register()), ours.signs(key)]
        assert {each.status for each in accord.service.handle(sent)} == {"accepted"}

        assert one(accord, service.signs(report, at="2026-02-04")).status == "accepted"
        assert rule(accord, service.signs(example(ProposeAttribution))) == "not-delegated"
        assert section8.faults(accord, NAME) == []


# --- a whole life ------------------------------------------------------------------------------


@cache
def unsigned_life() -> list[Recorded]:
    """The events of the life as a store records them, with commitments in place of names."""
    return recorded(from_steps(LIFE), NAME)


def life(ours: Signatory, theirs: Signatory) -> Iterator[bytes]:
    """Every step of the life, signed from the moment on at which its party can have a key."""
    signatories = {OURS: ours, THEIRS: theirs}
    events = unsigned_life()
    registered: set[str] = set()
    for number, step in enumerate(LIFE):
        party = signatories[step.party]
        at = {"at": step.at, "id": f"step-{number:03}"}
        if isinstance(step.command, BeginExploration):
            yield party.unsigned(step.command, **at)
            continue
        if step.party not in registered:
            registered.add(step.party)
            yield party.unsigned(party.register(), at=step.at)
        keys = {each: [signatories[each].keyid] for each in sorted(registered)}
        by = step.party, moment(step.at)
        yield party.signs(covered(step.command, events, by, keys), **at)


def test_a_whole_life_that_is_signed_holds_and_is_the_same_in_any_batches(tmp_path: Path) -> None:
    raws = list(life(signatory(OURS, 1), signatory(THEIRS, 2)))
    logs = []
    for size in (1, 50, 1000):
        (folder := tmp_path / str(size)).mkdir()
        with simulated(folder) as accord:
            outcomes = [
                each
                for start in range(0, len(raws), size)
                for each in accord.service.handle(raws[start : start + size])
            ]
            assert {(each.status, each.rule) for each in outcomes} == {("accepted", None)}
            assert section8.faults(accord, NAME) == []
            logs.append((list(accord.history.bodies(NAME)), accord.history.kept("command", NAME)))
    assert logs[0] == logs[1] == logs[2]


def test_a_signed_statement_names_the_balances_that_it_issues(tmp_path: Path) -> None:
    ours, theirs = signatory(OURS, 1), signatory(THEIRS, 2)
    raws = list(life(ours, theirs))
    step = EXAMPLES[IssueStatement]
    with simulated(tmp_path) as accord:
        accord.service.handle(raws[: LIFE.index(step) + 2])
        blank = ours.signs(example(IssueStatement), at=step.at, id="blank")

        assert rule(accord, blank) == "content-missing"
        assert accord.service.handle(raws[LIFE.index(step) + 2 :][:1])[0].status == "accepted"
        assert section8.faults(accord, NAME) == []


def test_statements_that_the_operator_issues_need_no_signature(tmp_path: Path) -> None:
    raws = list(life(signatory(OURS, 1), signatory(THEIRS, 2)))
    until = [type(each.command) for each in LIFE].index(IssueStatement)
    with simulated(tmp_path) as accord:
        accord.service.handle(raws[: until + 2])
        assert issue(accord, NAME, "2026-Q1").status == "accepted"
        assert section8.faults(accord, NAME) == []


# --- the law -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Accord, bytes]]:
    with simulated(tmp_path_factory.mktemp("lived")) as accord:
        accord.service.handle(from_steps(FORMATION))
        ours = signatory(OURS, 1)
        accord.service.handle([ours.unsigned(ours.register())])
        yield accord, asking(ours)


@given(st.data())
def test_a_byte_changed_anywhere_in_an_envelope_is_never_accepted(
    lived: tuple[Accord, bytes], data: st.DataObject
) -> None:
    accord, raw = lived
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != raw[place]))

    assert one(accord, raw[:place] + bytes([byte]) + raw[place + 1 :]).status == "refused"


def test_a_payload_says_when_it_expires_as_a_moment_of_utc() -> None:
    ours = signatory(OURS, 1)
    later = moment("2026-01-12") + timedelta(hours=1)
    payload = dsse.asked(ours.event(example(IdentifyCandidate)), "accord.example", later)
    assert payload.expires == "2026-01-12T10:00:00Z"
    assert payload.origin == f"accord.example/{NAME}"
    assert Payload.model_validate(payload.model_dump(), strict=True) == payload
    assert later.tzinfo is UTC
