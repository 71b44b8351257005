"""The policy of access: who gets what of which route, and who sends which event."""

from dataclasses import replace

import pytest

from domain.kernel import Refused
from domain.keyring import ProposeKeyRecovery
from domain.signing import MUST_BE_SIGNED
from infra.access.roles import (
    ANYONE,
    SCOPES,
    USUAL,
    Access,
    Identity,
    Need,
    Role,
    Scope,
    access,
    check_emits,
    families,
    scope_of,
    viewer,
)
from projections.visibility import Viewer
from tests.domain.test_signing import BY_CLOCK, effect, recorded
from tests.domain.test_waiting_table import COMMANDS

MAYA = Identity(Role.PARTY, "maya", "growthos", SCOPES[Role.PARTY])
CRM = Identity(Role.SERVICE, "crm", "growthos", frozenset({Scope.EMIT}))
ADA = Identity(Role.AUDITOR, "ada", scopes=SCOPES[Role.AUDITOR], partnerships=frozenset({"a-b"}))
IDENTITIES = [
    MAYA,
    ADA,
    *(
        Identity(role, "x", scopes=SCOPES[role])
        for role in (Role.OPERATOR, Role.OPERATIONS, Role.INVITED)
    ),
]
NEEDS = {
    Role.PARTY: (
        "allowed allowed filtered filtered filtered - filtered - filtered - filtered allowed"
    ),
    Role.AUDITOR: "allowed allowed filtered filtered - - - - - - - allowed",
    Role.OPERATOR: (
        "allowed allowed filtered filtered allowed allowed - - allowed allowed allowed allowed"
    ),
    Role.OPERATIONS: "allowed allowed - filtered - allowed - - - - - allowed",
    Role.INVITED: "allowed - - - - - - allowed - - - -",
}
"""What each role gets of each need, in the order of `Need`."""


def got(identity: Identity, need: Need) -> str:
    try:
        return access(identity, need).value
    except Refused:
        return "-"


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda each: each.role)
def test_each_role_gets_its_part_of_each_route_and_no_more(identity: Identity) -> None:
    assert " ".join(got(identity, need) for need in Need) == NEEDS[identity.role]


@pytest.mark.parametrize(
    "need", [each for each in Need if each not in {"nothing", "catalogue", "own key"}]
)
def test_a_key_without_scopes_opens_nothing_but_the_catalogue_and_itself(need: Need) -> None:
    for identity in (each for each in IDENTITIES if each.role is not Role.INVITED):
        with pytest.raises(Refused):
            access(replace(identity, scopes=frozenset()), need)


def test_on_an_open_server_anyone_may_do_everything() -> None:
    assert {access(ANYONE, need) for need in Need} == {Access.ALLOWED}
    assert viewer(ANYONE, "growthos") == Viewer("growthos")
    check_emits(ANYONE, "growthos", "ReceivePayment", "a-b")


def test_a_partys_key_sees_as_that_party_and_as_no_other() -> None:
    assert viewer(MAYA) == viewer(MAYA, "growthos") == Viewer("growthos")
    with pytest.raises(Refused, match="not-your-party"):
        viewer(MAYA, "brightpath")


def test_the_operators_key_has_the_operators_view_and_no_partys() -> None:
    operator = Identity(Role.OPERATOR, "ops", scopes=SCOPES[Role.OPERATOR])

    assert viewer(operator) == Viewer(candidates=False, inputs=False)
    with pytest.raises(Refused, match="not-your-party"):
        viewer(operator, "growthos")


def test_an_auditor_sees_the_partnerships_of_the_mandate() -> None:
    mandate = frozenset({"a-b"})
    seen = Viewer(partnerships=mandate, candidates=False, inputs=False, alert_acts=False)
    assert viewer(ADA) == seen
    assert viewer(replace(ADA, candidates=True)) == replace(seen, candidates=True)


def emits(identity: Identity, *event: str) -> str:
    try:
        check_emits(identity, *event)
    except Refused as refused:
        return refused.rule
    return ""


def test_nobody_sends_an_event_of_another_party() -> None:
    assert emits(MAYA, "growthos", "SignAgreement", "a-b") == ""
    for identity in (MAYA, *IDENTITIES[1:]):
        assert emits(identity, "brightpath", "SignAgreement", "a-b") == "not-your-party"


def test_a_key_for_a_family_of_events_sends_its_types_alone() -> None:
    payments = replace(CRM, events=frozenset({"payment", "WinDeal"}))

    assert emits(payments, "growthos", "ReceivePayment", "a-b") == ""
    assert emits(payments, "growthos", "WinDeal", "a-b") == ""
    assert emits(payments, "growthos", "CancelDeal", "a-b") == "not-in-scope"


def test_a_key_for_some_partnerships_sends_to_no_other() -> None:
    limited = replace(MAYA, partnerships=frozenset({"a-b"}))

    assert emits(limited, "growthos", "WinDeal", "a-b") == ""
    assert emits(limited, "growthos", "WinDeal", "a-c") == "not-your-partnership"


def test_settling_and_signing_keys_have_scopes_of_their_own() -> None:
    assert emits(CRM, "growthos", "ReceivePayment", "a-b") == ""
    for command in ("IssueStatement", "RecordPayout", "RegisterKey", "RevokeKey"):
        assert emits(CRM, "growthos", command, "a-b") == "not-in-scope"
        assert emits(MAYA, "growthos", command, "a-b") == ""


def test_what_must_be_signed_needs_the_scope_of_what_binds_or_settles() -> None:
    for command in (each for each in COMMANDS if each.__name__ not in BY_CLOCK):
        # Who lost its key cannot sign; the other party, which agrees, does.
        binds = command is ProposeKeyRecovery or effect(recorded(command)) in MUST_BE_SIGNED
        scope = scope_of(command.__name__)
        assert binds is (scope is not Scope.EMIT) or scope is Scope.SETTLE, command


def test_a_machine_does_not_bind_its_party_unless_it_is_given_that() -> None:
    crm = replace(CRM, scopes=USUAL[Role.SERVICE])
    for command in ("AcceptTerms", "SignAgreement", "ProposeTerms", "RegisterKey", "ErasePerson"):
        assert emits(crm, "growthos", command, "a-b") == "not-in-scope"
        assert emits(MAYA, "growthos", command, "a-b") == ""


def test_every_type_of_event_has_a_family_and_one_scope() -> None:
    found = {scope_of(command) for command in families()}

    assert found == {Scope.EMIT, Scope.SETTLE, Scope.SIGN}
    assert families()["ReportMetric"] == "reported-figure"
