"""What `accord signatures` shows: the keys of both parties, and what was not signed."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from domain.agreement import AcceptTerms, ProposeTerms
from domain.content import digest
from domain.keyring import Facts, RequireSignatures, SignedKind
from domain.signing import Effect
from infra.answers import signatures
from infra.answers.text import Table
from infra.bootstrap import Accord
from tests.feeds import simulated
from tests.infra.messages import from_steps
from tests.infra.signing import NAME, Signatory, signatory
from tests.life import EXAMPLES, LIFE, OURS, THEIRS, changed, example


@pytest.fixture
def ours() -> Signatory:
    return signatory(OURS, 1)


@pytest.fixture
def accord(tmp_path: Path, ours: Signatory) -> Iterator[Accord]:
    """A partnership in formation. One party has a key of its own and a key of a service."""
    service = signatory(OURS, 7)
    key = changed(service.register(), delegated=["payments", "figures"])
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[: LIFE.index(EXAMPLES[ProposeTerms])]))
        sent = [
            ours.unsigned(ours.register()),
            ours.signs(key),
            ours.signs(example(ProposeTerms)),
        ]
        assert {each.status for each in accord.service.handle(sent)} == {"accepted"}
        yield accord


def test_it_shows_each_key_by_its_fingerprint_and_what_it_signs(
    accord: Accord, ours: Signatory
) -> None:
    found = signatures.ask(accord, NAME)

    first, service = found.keys
    assert (first.party, first.key, first.signs, first.ended) == (OURS, ours.keyid, (), None)
    assert service.signs == (Facts.FIGURES, Facts.PAYMENTS)
    assert found.signed == 2


def test_a_key_that_was_replaced_says_where_it_ended(accord: Accord, ours: Signatory) -> None:
    accord.service.handle([ours.signs(signatory(OURS, 3).rotate(ours.keyid))])

    first, _, new = signatures.ask(accord, NAME).keys

    assert first.ended == new.index


def test_what_a_party_requires_to_be_signed_is_shown(accord: Accord, ours: Signatory) -> None:
    assert signatures.ask(accord, NAME).required == ()

    for kinds in ([SignedKind.RATES], [SignedKind.PAYMENTS, SignedKind.OTHER]):
        accord.service.handle([ours.signs(RequireSignatures(kinds=kinds))])

    found = signatures.ask(accord, NAME)
    [required] = found.required
    assert (required.party, required.kinds) == (OURS, (SignedKind.OTHER, SignedKind.PAYMENTS))
    assert (
        f"{OURS} requires its signature on events of these kinds too: other, payments."
        in "".join(map(str, signatures.text(found)))
    )


def test_what_binds_and_is_not_signed_is_listed_event_by_event(accord: Accord) -> None:
    found = signatures.ask(accord, NAME)

    binding = [each for each in found.unsigned if each.effect is Effect.BINDS]
    logged = {each.index: each for each in accord.history.of(NAME)}
    assert binding
    for each in binding:
        events = [logged[index] for index in each.events]
        assert len(events) == each.count
        assert {(one.event.wire, one.act.party, one.signed) for one in events} == {
            (each.kind, each.party, None)
        }
    assert "TermsProposed" not in {each.kind for each in binding}


def test_what_is_accepted_with_a_signature_is_shown_by_the_digest_of_its_content(
    accord: Accord,
) -> None:
    [proposed] = (each for each in accord.history.of(NAME) if each.event.wire == "TermsProposed")
    theirs = signatory(THEIRS, 2)
    content = digest(proposed.event)
    accept = example(AcceptTerms, proposal="terms-1", content=content)
    sent = [theirs.unsigned(theirs.register()), theirs.signs(accept)]
    assert {each.status for each in accord.service.handle(sent)} == {"accepted"}

    found = signatures.ask(accord, NAME)

    [accepted] = found.accepted
    assert (accepted.party, accepted.key) == (THEIRS, theirs.keyid)
    assert accepted.type == "TermsAccepted"
    assert accepted.content == content
    assert content in "".join(map(str, signatures.text(found)))


def test_facts_that_move_money_are_counted_by_kind_and_amount(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE))
        found = signatures.ask(accord, NAME)

    facts = {(each.party, each.kind): each for each in found.unsigned if not each.events}
    amounts = [each for one in facts.values() for each in one.amounts]
    assert {kind for _, kind in facts} == {*Facts}
    assert all(each.amount > Decimal(0) for each in amounts)
    assert found.signed == 0


def test_the_text_names_the_keys_and_the_kinds(accord: Accord, ours: Signatory) -> None:
    tables = [*signatures.text(signatures.ask(accord, NAME))]
    cells = [
        str(cell) for each in tables if isinstance(each, Table) for row in each.rows for cell in row
    ]

    assert {ours.keyid, "everything", "figures, payments"} <= {*cells}
