"""The content of what is accepted: one digest, of the bytes on record, for every acceptance."""

from hashlib import sha256

import orjson
import pytest

from domain.adoption import AgreeAdoptionPart
from domain.aggregates import command_types
from domain.agreement import AcceptTerms, ProposeTerms, TermsProposed
from domain.bilateral import AcceptBilateral
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.content import Consent, digest
from domain.experiment import HypothesisRegistered, StartPilot
from domain.formation import AgreementDrafted, AgreementSigned, DraftAgreement, SignAgreement
from domain.kernel import Command
from domain.keyring import RegisterKey, RotateKey
from domain.second_person import ConfirmAct
from infra.tlog import codec
from tests.domain.test_waiting_table import STORIES
from tests.life import EXAMPLES, LIFE, OURS, THEIRS, after, before, changed, example
from tests.stories import Story

OTHER = "0" * 64
ACCEPTING = [each for each in command_types().values() if Consent in each.__mro__]
LIVED = [each for each in ACCEPTING if EXAMPLES[each] in LIFE]


def test_the_digest_is_that_of_the_data_as_it_is_recorded() -> None:
    for recorded in STORIES[-1].history:
        data = orjson.loads(codec.encode(recorded))["data"]
        assert digest(recorded.event) == sha256(codec.canonical(data)).hexdigest()


def test_every_command_that_accepts_or_signs_can_say_what() -> None:
    accepting = {each for each in command_types().values() if issubclass(each, AcceptBilateral)}

    others = {
        AgreeAdoptionPart,
        ConfirmAct,
        ConfirmClaim,
        ObjectToClaim,
        SignAgreement,
        StartPilot,
    }
    assert accepting | others == {*ACCEPTING}


@pytest.mark.parametrize("kind", LIVED, ids=lambda each: each.__name__)
def test_an_acceptance_of_other_content_is_refused(kind: type[Command]) -> None:
    step = EXAMPLES[kind]
    story = STORIES[LIFE.index(step)].copy()
    story.on(step.at)

    refusal = story.refuses(step.party, changed(step.command, content=OTHER))

    assert refusal.rule == "other-content"
    assert story.when(step.party, changed(step.command, content=refusal.facts["content"]))


def test_terms_are_accepted_by_their_digest() -> None:
    story = after(ProposeTerms)
    (proposed,) = story.facts(TermsProposed)

    assert story.when(THEIRS, AcceptTerms(proposal=proposed.proposal, content=digest(proposed)))


def test_a_pilot_starts_on_the_hypothesis_that_was_read() -> None:
    story = before(StartPilot)
    (hypothesis,) = story.facts(HypothesisRegistered)

    started = example(StartPilot, content=digest(hypothesis))
    assert story.when(EXAMPLES[StartPilot].party, started)


# --- the agreement ------------------------------------------------------------------------------


def drafted() -> Story:
    """A draft of the agreement that nobody signed yet."""
    return after(DraftAgreement)


def test_a_signature_names_the_content_of_the_draft() -> None:
    story = drafted()
    (draft,) = story.facts(AgreementDrafted)

    story.when(OURS, SignAgreement(agreement_version=1))

    (signed,) = story.facts(AgreementSigned)
    assert signed == AgreementSigned(agreement_version=1, content=digest(draft))


def test_a_signature_pins_the_keys_of_both_parties() -> None:
    story = drafted()
    story.when(OURS, example(RegisterKey))
    story.when(OURS, example(RotateKey))
    (keyid,) = story.partnership.keyring.active()[OURS]

    story.when(THEIRS, SignAgreement(agreement_version=1, signing_keys={OURS: [keyid]}))

    (signed,) = story.facts(AgreementSigned)
    assert signed.signing_keys == {OURS: [keyid]}


def test_a_signature_that_names_other_keys_is_refused() -> None:
    story = drafted()
    story.when(OURS, example(RegisterKey))

    refusal = story.refuses(
        THEIRS, SignAgreement(agreement_version=1, signing_keys={OURS: [OTHER[:16]]})
    )

    assert refusal.rule == "other-keys"
    assert OTHER[:16] in refusal.detail
