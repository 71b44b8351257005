"""Keys: who has which key, and how a key ends."""

from base64 import b64encode

import pytest

from domain import aggregates
from domain.agreement import TermsAccepted
from domain.examples import FIRST_ID
from domain.execution import LessonRecorded
from domain.kernel import Event, Refused, Stage
from domain.keyring import (
    Facts,
    KeyRecoveryProposed,
    KeyRegistered,
    KeyRevoked,
    KeyRotated,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    RotateKey,
    SignaturesRequired,
    SignedKind,
)
from domain.payment import PaymentReceived
from domain.reported_figure import MetricReported
from domain.signing import check_delegated, check_signed
from tests.life import FIRST_KEY, OURS, PROOF, SECOND_KEY, STRANGER, THEIRS, at, example
from tests.stories import Story

REGISTER, ROTATE, REVOKE = example(RegisterKey), example(RotateKey), example(RevokeKey)
FIRST, SECOND = FIRST_ID, KeyRotated.of(ROTATE).name
THIRD = b64encode(bytes(31) + b"3").decode()


@pytest.fixture
def story() -> Story:
    """A partnership in execution, in which one party has registered a key."""
    story = at(Stage.EXECUTION)
    story.when(OURS, REGISTER)
    return story


def active(story: Story, party: str = OURS) -> list[str]:
    held = story.partnership.keyring.of(party)
    return [name for name, each in held.items() if each.active]


# --- how keys come and go ----------------------------------------------------------------------


def test_a_key_signs_from_its_registration_on(story: Story) -> None:
    assert active(story) == [FIRST]
    assert active(story, THEIRS) == []
    assert story.facts(KeyRegistered) == [KeyRegistered(key=FIRST_KEY, proof=PROOF)]


def test_a_rotation_ends_one_key_and_brings_another(story: Story) -> None:
    assert story.when(OURS, ROTATE) == [KeyRotated.of(ROTATE)]
    assert active(story) == [SECOND]


def test_a_revocation_may_leave_a_party_without_a_key(story: Story) -> None:
    assert story.when(OURS, REVOKE) == [KeyRevoked.of(REVOKE)]
    assert active(story) == []


def test_a_party_may_hold_several_keys(story: Story) -> None:
    story.when(OURS, RegisterKey(key=SECOND_KEY, proof=PROOF))
    story.when(OURS, REVOKE)
    assert active(story) == [SECOND]


@pytest.mark.parametrize("commands", [[REGISTER], [REGISTER, ROTATE], [REGISTER, REVOKE]])
def test_the_same_again_decides_nothing(commands: list[RegisterKey | RotateKey]) -> None:
    story = at(Stage.EXECUTION)
    for command in commands:
        story.when(OURS, command)
    assert story.when(OURS, commands[-1]) == []


@pytest.mark.parametrize("party", [OURS, THEIRS])
def test_a_key_that_anybody_has_or_had_is_not_registered_again(story: Story, party: str) -> None:
    story.when(OURS, ROTATE)
    story.when(THEIRS, RegisterKey(key=THIRD, proof=PROOF))

    for key in (FIRST_KEY, *([SECOND_KEY] if party == THEIRS else [THIRD])):
        refusal = story.refuses(party, RegisterKey(key=key, proof=PROOF))
        assert refusal.rule == "key-used-before"


def test_a_rotation_brings_no_key_that_was_there_before(story: Story) -> None:
    story.when(OURS, ROTATE)
    back = RotateKey(key=FIRST_KEY, proof=PROOF, replaces=SECOND)
    assert story.refuses(OURS, back).rule == "key-used-before"


@pytest.mark.parametrize("keyid", [FIRST, "0" * 16], ids=["rotated out", "unknown"])
def test_only_an_active_key_is_rotated_out_or_revoked(story: Story, keyid: str) -> None:
    story.when(OURS, ROTATE)

    rotation = RotateKey(key=THIRD, proof=PROOF, replaces=keyid)
    assert story.refuses(OURS, rotation).rule == "key-unknown"
    assert story.refuses(OURS, RevokeKey(keyid=keyid, reason="Lost.")).rule == "key-unknown"


def test_a_party_cannot_revoke_the_other_partys_key(story: Story) -> None:
    refusal = story.refuses(THEIRS, REVOKE)
    assert (refusal.rule, refusal.facts["active"]) == ("key-unknown", [])


# --- keys of services --------------------------------------------------------------------------

FIGURES = RegisterKey(key=SECOND_KEY, proof=PROOF, delegated=[Facts.FIGURES])


def test_the_first_key_of_a_party_signs_everything() -> None:
    story = at(Stage.EXECUTION)

    assert story.refuses(OURS, FIGURES).rule == "first-key-signs-all"


def test_a_key_of_a_service_signs_only_the_facts_that_were_delegated(story: Story) -> None:
    story.when(OURS, FIGURES)
    key = story.partnership.keyring.keys[SECOND]

    others: tuple[type[Event], ...] = (PaymentReceived, TermsAccepted, KeyRevoked)
    figure: type[Event] = MetricReported
    check_delegated([figure.model_construct()], key)
    for other in others:
        with pytest.raises(Refused, match="not-delegated"):
            check_delegated([other.model_construct()], key)


def test_a_key_of_a_service_is_none_that_can_bind(story: Story) -> None:
    story.when(OURS, FIGURES)

    assert story.partnership.keyring.active() == {OURS: [FIRST]}


def test_a_key_that_replaces_a_key_of_a_service_signs_the_same_facts(story: Story) -> None:
    story.when(OURS, FIGURES)
    story.when(OURS, RotateKey(key=THIRD, proof=PROOF, replaces=SECOND))
    (rotated,) = (
        each for each in story.partnership.keyring.keys.values() if each.active and not each.binds
    )

    assert rotated.delegated == frozenset({Facts.FIGURES})


def test_a_delegation_ends_with_its_key(story: Story) -> None:
    story.when(OURS, FIGURES)
    story.when(OURS, RevokeKey(keyid=SECOND, reason="The service was replaced."))

    assert active(story) == [FIRST]


# --- what a party requires beside the rules ----------------------------------------------------

REQUIRE = RequireSignatures(kinds=[SignedKind.PAYMENTS, SignedKind.OTHER])


def some(kind: type[Event]) -> Event:
    """Return an event of a kind; what it says does not matter to who must sign it."""
    return kind.model_construct()


def test_a_party_can_require_signatures_on_all_that_needs_none_otherwise() -> None:
    assert {*SignedKind} == {*Facts, "other"}


def test_what_a_party_requires_is_refused_unsigned_and_no_other_kind(story: Story) -> None:
    payment, lesson, figure = some(PaymentReceived), some(LessonRecorded), some(MetricReported)
    check_signed([payment, lesson, figure], OURS, story.partnership.keyring)

    assert story.when(OURS, REQUIRE) == [SignaturesRequired.of(REQUIRE)]

    keyring = story.partnership.keyring
    for each in (payment, lesson):
        with pytest.raises(Refused, match="must-be-signed"):
            check_signed([each], OURS, keyring)
        check_signed([each], THEIRS, keyring)
    check_signed([figure], OURS, keyring)


def test_the_hint_names_a_key_of_a_service_that_signs_what_is_required(story: Story) -> None:
    story.when(OURS, RegisterKey(key=SECOND_KEY, proof=PROOF, delegated=[Facts.PAYMENTS]))
    story.when(OURS, REQUIRE)

    for event, keys in ((PaymentReceived, [FIRST, SECOND]), (LessonRecorded, [FIRST])):
        with pytest.raises(Refused) as refused:
            check_signed([some(event)], OURS, story.partnership.keyring)
        assert refused.value.facts["active"] == keys


def test_a_requirement_replaces_the_one_before_and_never_lowers_what_the_rules_demand(
    story: Story,
) -> None:
    story.when(OURS, REQUIRE)
    story.when(OURS, RequireSignatures(kinds=[]))

    check_signed([some(PaymentReceived)], OURS, story.partnership.keyring)
    with pytest.raises(Refused, match="must-be-signed"):
        check_signed([some(TermsAccepted)], OURS, story.partnership.keyring)


def test_a_requirement_must_itself_be_signed_and_the_same_again_decides_nothing(
    story: Story,
) -> None:
    with pytest.raises(Refused, match="must-be-signed"):
        check_signed([SignaturesRequired.of(REQUIRE)], OURS, story.partnership.keyring)

    story.when(OURS, REQUIRE)
    assert story.when(OURS, RequireSignatures(kinds=[*reversed(REQUIRE.kinds)])) == []


def test_a_party_without_a_key_that_signs_requires_none(story: Story) -> None:
    assert story.refuses(THEIRS, REQUIRE).rule == "nothing-signs"
    story.when(OURS, REVOKE)
    assert story.refuses(OURS, REQUIRE).rule == "nothing-signs"


def test_a_party_that_lost_its_only_key_recovers_it_though_it_requires_everything(
    story: Story,
) -> None:
    story.when(OURS, RequireSignatures(kinds=[*SignedKind]))
    check_signed([some(KeyRecoveryProposed)], OURS, story.partnership.keyring)


# --- who, and when -----------------------------------------------------------------------------


def test_before_a_partner_is_chosen_only_the_initiator_registers_a_key() -> None:
    story = at(Stage.EXPLORATION)
    assert story.refuses(THEIRS, REGISTER).rule == "unknown-party"
    assert story.when(OURS, REGISTER)


def test_keys_change_after_the_end_too_and_are_no_strangers() -> None:
    story = at(Stage.ENDED)
    assert story.refuses(STRANGER, REGISTER).rule == "unknown-party"
    assert story.when(THEIRS, REGISTER)


def test_the_history_of_keys_survives_a_replay(story: Story) -> None:
    story.when(OURS, ROTATE)
    story.when(THEIRS, RegisterKey(key=THIRD, proof=PROOF))
    story.when(OURS, RevokeKey(keyid=SECOND, reason="Lost."))

    replayed = aggregates.fold(story.history)
    assert replayed.keyring == story.partnership.keyring
    assert [(each.party, each.active) for each in replayed.keyring.keys.values()] == [
        (OURS, False),
        (OURS, False),
        (THEIRS, True),
    ]
