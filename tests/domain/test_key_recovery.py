"""A lost key: revoked or replaced with another key, or recovered by the consent of both parties."""

from base64 import b64decode, b64encode
from datetime import timedelta

import pytest

from domain.kernel import Refused, Stage
from domain.keyring import (
    AgreeKeyRecovery,
    KeyRecovered,
    Keyring,
    KeySentByOperator,
    ProposeKeyRecovery,
    RegisterKey,
    RevokeKey,
    check_recoverable,
    check_signer,
    evolve,
    key_id,
    public_of,
)
from domain.signing import check_signed
from tests.life import FIRST_KEY, LOST, OURS, PROOF, SECOND_KEY, THEIRS, at, example
from tests.stories import Story

PROPOSE, AGREE = example(ProposeKeyRecovery), example(AgreeKeyRecovery)
THIRD_KEY = b64encode(bytes([3]) * 32).decode()
NEW = key_id(public_of(PROPOSE))


@pytest.fixture
def story() -> Story:
    """Both parties have a key, and one proposes a new one, as it lost its own."""
    return at(Stage.EXECUTION).given(LOST)


def active(story: Story, party: str = OURS) -> list[str]:
    return [name for name, key in story.partnership.keyring.of(party).items() if key.active]


def test_a_lost_key_is_replaced_once_both_parties_agreed(story: Story) -> None:
    lost = active(story)

    (recovered,) = story.when(THEIRS, AGREE)

    assert isinstance(recovered, KeyRecovered)
    assert (recovered.party, recovered.key) == (OURS, SECOND_KEY)
    assert active(story) == [NEW]
    assert NEW not in lost
    assert story.when(THEIRS, AGREE) == []


def test_the_proposal_needs_no_signature_and_the_consent_does(story: Story) -> None:
    ring = story.partnership.keyring
    check_signed([story.history[-1].event], OURS, ring)

    with pytest.raises(Refused, match="must-be-signed"):
        check_signed(story.copy().when(THEIRS, AGREE), THEIRS, ring)


def test_a_party_recovers_no_key_alone(story: Story) -> None:
    assert story.refuses(OURS, AGREE).rule == "own-proposal"


def test_the_operator_alone_recovers_no_key_because_the_other_party_signs() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-01-06")
    story.when(OURS, RegisterKey(key=FIRST_KEY, proof=PROOF))

    assert story.refuses(OURS, PROPOSE).rule == "recovery-not-signed"


def sent_by_operator(story: Story, keyid: str) -> Keyring:
    """Return the keys as they are once the log says that the operator sent one of them."""
    sent = KeySentByOperator(party=THEIRS, keyid=keyid)
    return evolve(story.partnership.keyring, sent, story.history[-1].act)


def test_the_operator_recovers_no_key_with_a_key_of_the_partner_that_it_sent(story: Story) -> None:
    (theirs,) = active(story, THEIRS)
    act = story.history[-1].act

    with pytest.raises(Refused, match="that the operator did not send") as refused:
        check_recoverable(OURS, sent_by_operator(story, theirs), act)

    assert refused.value.rule == "recovery-not-signed"


def test_a_party_consents_with_a_key_of_its_own_though_the_operator_sent_another(
    story: Story,
) -> None:
    (theirs,) = active(story, THEIRS)
    own = key_id(b64decode(THIRD_KEY))
    story.when(THEIRS, RegisterKey(key=THIRD_KEY, proof=PROOF))
    keys = sent_by_operator(story, theirs)
    agreed = story.when(THEIRS, AGREE)

    check_recoverable(OURS, keys, story.history[-1].act)
    check_signer(agreed, own, keys)
    with pytest.raises(Refused, match="recovery-by-operator"):
        check_signer(agreed, theirs, keys)


def test_a_party_whose_key_ended_meanwhile_cannot_agree(story: Story) -> None:
    (theirs,) = active(story, THEIRS)
    story.when(THEIRS, RevokeKey(keyid=theirs, reason="An old laptop."))

    assert story.refuses(THEIRS, AGREE).rule == "recovery-not-signed"


def test_a_party_without_a_key_registers_one_instead() -> None:
    story = at(Stage.EXECUTION).given(LOST[1:2])

    assert story.refuses(OURS, PROPOSE).rule == "nothing-lost"


def test_no_party_proposes_a_key_for_the_other() -> None:
    story = at(Stage.EXECUTION).given(LOST[:-1])

    assert story.refuses(THEIRS, PROPOSE).rule == "not-ones-own-key"


def test_a_key_is_recovered_once_and_only_as_a_new_one(story: Story) -> None:
    old = example(ProposeKeyRecovery, proposal="again", key=FIRST_KEY)

    assert story.refuses(OURS, old).rule == "key-used-before"


def test_a_key_is_not_lost_in_the_future() -> None:
    story = at(Stage.EXECUTION).given(LOST[:-1])
    later = example(ProposeKeyRecovery, lost_since=story.now + timedelta(days=1))

    assert story.refuses(OURS, later).rule == "lost-in-the-future"


def test_the_recovered_key_signs_everything_and_the_lost_ones_nothing(story: Story) -> None:
    story.when(THEIRS, AGREE)

    assert story.partnership.keyring.active()[OURS] == [NEW]
