"""Keys: who has which key, how a key ends, and what needs a signature."""

import re
from base64 import b64encode

import pytest

from domain import aggregates
from domain.agreement import (
    TermsProposed,
)
from domain.examples import FIRST_ID
from domain.execution import KickoffHeld
from domain.formation import (
    AgreementSigned,
    SignAgreement,
)
from domain.kernel import Refused, Stage
from domain.keyring import (
    BINDING,
    KeyRegistered,
    KeyRevoked,
    Keyring,
    KeyRotated,
    RegisterKey,
    RevokeKey,
    RotateKey,
)
from infra.evidence.verifiers import verify
from tests.documents import REPOSITORY
from tests.life import FIRST_KEY, OURS, PROOF, SECOND_KEY, STRANGER, THEIRS, after, at, example
from tests.stories import Story

FORMAT = REPOSITORY / "infra" / "evidence" / "verifiers" / "FORMAT.md"
REGISTER, ROTATE, REVOKE = example(RegisterKey), example(RotateKey), example(RevokeKey)
FIRST, SECOND = FIRST_ID, KeyRotated.of(ROTATE).name
THIRD = b64encode(bytes(31) + b"3").decode()


def binding_types() -> set[str]:
    """The types that the bundle's format says must be signed."""
    text = FORMAT.read_text(encoding="utf-8")
    (listed,) = re.findall(r"\*\*Which events must be signed\.\*\*.* `accord:settle`: (.*)", text)
    return set(re.findall(r"`(\w+)`", listed))


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


# --- who, and when -----------------------------------------------------------------------------


def test_before_a_partner_is_chosen_only_the_initiator_registers_a_key() -> None:
    story = at(Stage.EXPLORATION)
    assert story.refuses(THEIRS, REGISTER).rule == "unknown-party"
    assert story.when(OURS, REGISTER)


def test_keys_change_after_the_end_too_and_are_no_strangers() -> None:
    story = at(Stage.ENDED)
    assert story.refuses(STRANGER, REGISTER).rule == "unknown-party"
    assert story.when(THEIRS, REGISTER)


# --- what needs a signature --------------------------------------------------------------------


def needed(story: Story, party: str, *kinds: type) -> Refused | None:
    decided = [each.event for each in story.history if isinstance(each.event, kinds)]
    assert decided
    try:
        story.partnership.keyring.check_signed(decided, party)
    except Refused as refused:
        return refused
    return None


def test_what_binds_needs_the_signature_of_a_party_with_a_key(story: Story) -> None:
    refusal = needed(story, OURS, KickoffHeld, AgreementSigned)
    assert refusal
    assert (refusal.rule, refusal.facts["active"]) == ("signature-needed", [FIRST])


def test_what_does_not_bind_needs_none(story: Story) -> None:
    assert needed(story, OURS, KickoffHeld) is None


def test_a_party_without_a_key_needs_none() -> None:
    assert needed(after(SignAgreement), OURS, AgreementSigned, TermsProposed) is None


def test_the_first_key_is_registered_unsigned_and_every_other_change_is_signed() -> None:
    decided = [KeyRegistered.of(REGISTER)]
    Keyring().check_signed(decided, OURS)

    story = at(Stage.EXECUTION)
    story.when(OURS, REGISTER)
    for change in (decided[0], KeyRotated.of(ROTATE), KeyRevoked.of(REVOKE)):
        with pytest.raises(Refused, match="signature-needed"):
            story.partnership.keyring.check_signed([change], OURS)


def test_a_party_whose_every_key_is_revoked_binds_itself_to_nothing_more(story: Story) -> None:
    story.when(OURS, REVOKE)
    refusal = needed(story, OURS, AgreementSigned)
    assert refusal
    assert "second key" in refusal.hint


def test_the_types_that_need_a_signature_are_those_of_the_bundles_format() -> None:
    assert binding_types() == {each.wire for each in BINDING}


def test_both_verifiers_ask_for_a_signature_of_the_same_types() -> None:
    script = (FORMAT.parent / "verify.mjs").read_text(encoding="utf-8")
    (listed,) = re.findall(r"MUST_BE_SIGNED = new Set\(\[\s*\.\.\.`([^`]*)`", script)
    (of_keys,) = re.findall(r"KEY_EVENTS = new Set\(\[([^]]*)\]", script)

    assert binding_types() == verify.MUST_BE_SIGNED
    assert binding_types() == {*listed.split(), *re.findall(r"\w+", of_keys)}


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
