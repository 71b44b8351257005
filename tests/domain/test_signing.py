"""What must be signed: the effect of every command, played and written as a page.

Each command is decided at its place in the life of the examples, and its effect is that of what it
records. The table is the page `docs/signatures.md`. After a change that is meant, write it anew:
`python -m tests.domain.test_signing`.
"""

from functools import cache

import pytest

from domain.examples import Step
from domain.execution import KickoffHeld
from domain.exploration import ChoosePartner, CloseExploration, DeclineCandidate
from domain.formation import (
    AgreementSigned,
    AgreeNegotiationEnd,
    ProposeNegotiationEnd,
    SignAgreement,
)
from domain.kernel import Act, Command, Event, Refused, Stage
from domain.keyring import (
    AgreeKeyRecovery,
    KeyRegistered,
    KeyRevoked,
    Keyring,
    KeyRotated,
    ProposeKeyRecovery,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    RotateKey,
    evolve,
)
from domain.payouts import RecordPayout
from domain.people import PersonErased
from domain.program import DefinePortfolio
from domain.second_person import ConfirmAct, WithdrawAct
from domain.signing import EFFECTS, MUST_BE_SIGNED, Effect, check_own, effect_of
from domain.signing import check_signed as check
from projections.settlement import SETTLEMENT
from tests.documents import REPOSITORY
from tests.domain.test_waiting_table import COMMANDS, STORIES
from tests.life import (
    ADOPTED,
    EXAMPLES,
    HELD,
    LIFE,
    LOST,
    OURS,
    SECOND_KEY,
    THEIRS,
    after,
    at,
    before,
    example,
)
from tests.stories import BEGINNING, Story, moment

PAGE = REPOSITORY / "docs/signatures.md"
REGISTER, ROTATE, REVOKE = example(RegisterKey), example(RotateKey), example(RevokeKey)
KEY = KeyRegistered.of(REGISTER)

BY_CLOCK = {"PassTime"}
"""The commands that record nothing of a party's own."""


@pytest.fixture
def story() -> Story:
    """A partnership in execution, in which one party has registered a key."""
    story = at(Stage.EXECUTION)
    story.when(OURS, REGISTER)
    return story


# --- the page ----------------------------------------------------------------------------------

HEAD = """\
# What must be signed

A party that registers a key signs with it what binds it and what erases a person. From then on,
nobody else can do these things in its name, not even the operator: an event without the signature
is refused (`must-be-signed`). A fact that moves money is recorded unsigned too, because machines
report many of them, and is then listed. An answer to such a fact (`ConfirmClaim`, `ObjectToClaim`)
needs a signature if the party has answered the fact before. A signed `ErasePerson` lists the signed
commands that are deleted with the name (`commands`). Everything else needs no signature, unless the
party requires it.

- `accord register-key` prints the event that registers a key.
- `accord sign FILE --key KEYFILE` signs events.
- `accord signatures` lists the keys of both parties, the digest of what each party
  accepted with them, and what it did not sign.

Why the rules are like this: [signed commands](decisions/0016-signed-commands.md).

## A party requires more

A party with a key can require its signature on more of its own events, with `RequireSignatures`.
`kinds` lists what must be signed as well: `deals`, `payments`, `refunds`, `costs`, `figures`,
`rates` and `claims` for the facts that move money, `other` for all that needs no signature
otherwise. From then on such an event without the signature is refused (`must-be-signed`), and an
evidence bundle that has one is at fault. A key of a service signs the kinds that are delegated to
it. The act itself must be signed. The next one replaces it, and an empty list goes back to what
the rules demand; nothing asks for less than that. `accord signatures` shows what each party
requires.

## A lost key

Register a second key now, for another person. If a key is lost, that one signs `RevokeKey`, which
says in `lost_since` since when somebody else may have had it. `RotateKey` puts a new key in the
place of one that is not lost.

A party that has no other key recovers by the consent of both:

1. It makes a new key with `accord keygen`, and sends `ProposeKeyRecovery` with it: `accord
   register-key` prints the event if it is told since when the old one may be in other hands
   (`--lost-since`). This needs no signature.
2. The other party makes sure of it, by telephone for example: the fingerprint in its inbox is that
   of the new key.
3. The other party signs `AgreeKeyRecovery`. All old keys of the first party end.

The other party must sign, with a key that the operator did not send (`accord signatures`, SENT
BY). A party sends a key itself if one of its own keys signs that, or with a token of its issuer, or
with the API key that it made with its first invitation. After that, an invitation gives an API key
that counts as the operator's: the operator could revoke the party's API key, invite it again and
take its place. A party makes a key that the operator sent its own by sending `RotateKey` with an
API key or a token of its own.

So the operator alone recovers no key of a party whose partner enrolled before. It can where the
operator took the partner's place from the beginning: it used the first invitation itself, or it
runs the partner's issuer. A fingerprint that the partner itself confirmed shows that: compare those
in `accord signatures` and those that `SignAgreement` pins, and register a second key, so that no
recovery is needed. Whoever makes the proposal in the name of a party needs only the other's
consent, so step 2 counts. Verifiers name each recovered key, and
`accord signatures` lists what was signed between the loss and the recovery or the revocation.

## A second person

Terms can say above which amounts two people of a party bind it: `second_person_above`, an amount
for each currency. What one person does above it is recorded and has no effect. It waits in the
party's inbox, with its last day. Both parties see that it is not confirmed.

- Another person of the party confirms it with `ConfirmAct`. Then it has its effect.
- Without that it lapses after `days.answer_days` of the terms. An alert says so.
- Any person of the party can take it back with `WithdrawAct`.

It concerns every act of the first table below with an amount: payouts and their corrections,
conceded penalties, resolutions, adjustments, investments and terms, and the proposals of these. A
penalty has the amount of its fee, a resolution the disputed amount. Terms need the second person if
an item has an amount above the limit, if an item is a share, or if they change the limits. An
amount in a currency without a limit always needs the second person.

Two people are two names: the `actor` of the two events. Capitals, blanks and the Unicode form of a
name do not count. If the name of who did an act is erased before the confirmation, nobody can tell
who would be the second person: take the act back, and do it again. The limit is for each act: two
below it need no second person, also if both together are above it. While an act waits, the inbox
does not ask the party for the same again, but for its confirmation. A token gives the name of the
person who signed in. With an API key the sender writes the name, so register a signing key for
each person: one key cannot sign for both. More: [a second
person](decisions/0039-a-second-person.md).

The tables list every command. A test plays each command and writes this page
(`python -m tests.domain.test_signing`).
"""
SECTIONS = {
    Effect.BINDS: "Binds its party, and must be signed",
    Effect.ERASES: "Erases a person, and must be signed",
    Effect.MOVES_MONEY: "Moves money, and is listed as unsigned if it is not signed",
    Effect.RECOVERS: "Recovers a lost key, and needs no signature",
    Effect.OTHER: "Needs no signature",
}
"""The sections of the page, the strictest first."""


def page() -> str:
    """Return the page, from what the commands record."""
    rows: dict[Effect, str] = dict.fromkeys(SECTIONS, "")
    for command in COMMANDS:
        if command.__name__ not in BY_CLOCK:
            events = recorded(command)
            names = ", ".join(f"`{each.wire}`" for each in events)
            rows[effect(events)] += f"| `{command.__name__}` | {names} |\n"
    return HEAD + "".join(
        f"\n## {title}\n\n| command | events |\n|---|---|\n{rows[each]}"
        for each, title in SECTIONS.items()
    )


@cache
def recorded(command: type[Command]) -> tuple[type[Event], ...]:
    """Return the kinds of event that a command records where it is first possible."""
    step = EXAMPLES[command]
    story = _before(step)
    events = story.when(step.party, step.command)
    return tuple(dict.fromkeys(type(each) for each in events))


def _before(step: Step) -> Story:
    if step in LIFE:
        story = STORIES[LIFE.index(step)].copy()
        story.on(step.at)
        return story
    if step in ADOPTED:
        return Story(now=moment(ADOPTED[0].at)).given(ADOPTED[: ADOPTED.index(step)])
    match step.command:
        case DefinePortfolio():
            story = Story()
        case DeclineCandidate() | CloseExploration():
            story = before(ChoosePartner)
        case ProposeNegotiationEnd() | AgreeNegotiationEnd():
            asked = EXAMPLES[ProposeNegotiationEnd]
            story = Story().given(each for each in LIFE if moment(each.at) < moment(asked.at))
            story.given([] if step is asked else [asked])
        case ProposeKeyRecovery() | AgreeKeyRecovery():
            story = at(Stage.EXECUTION).given(each for each in LOST if each is not step)
        case RotateKey() | RevokeKey() | RequireSignatures():
            story = at(Stage.EXECUTION).given([EXAMPLES[RegisterKey]])
        case ConfirmAct() | WithdrawAct():
            story = before(RecordPayout).given(HELD)
        case _:
            story = at(Stage.EXECUTION)
    return story


def effect(events: tuple[type[Event], ...]) -> Effect:
    """Return the strictest effect of these events."""
    found = {effect_of(each) for each in events}
    return next(each for each in SECTIONS if each in found)


# --- the table ---------------------------------------------------------------------------------


def test_every_kind_of_event_has_an_effect() -> None:
    assert [each.wire for each in Event.registry.values() if effect_of(each) not in Effect] == []


def test_the_table_names_each_kind_once_and_no_other() -> None:
    assert EFFECTS.keys() <= Event.registry.keys()


def test_whatever_moves_money_binds_its_party_or_is_a_fact_that_moves_money() -> None:
    moves_none = {"ExplorationBegun", "PartnerChosen"}
    read = {each.wire for each in SETTLEMENT.handles if effect_of(each) is Effect.OTHER}

    assert read == moves_none


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.__name__ not in BY_CLOCK])
def test_a_command_that_binds_or_erases_is_refused_unsigned_and_no_other(
    command: type[Command],
) -> None:
    keyring = evolve(Keyring(), KEY, Act(OURS, "maya", BEGINNING, BEGINNING))
    events = [each.model_construct() for each in recorded(command)]

    if effect(recorded(command)) in MUST_BE_SIGNED:
        with pytest.raises(Refused, match="must-be-signed"):
            check(events, OURS, keyring)
    else:
        check(events, OURS, keyring)


def test_the_page_is_what_the_commands_record() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


# --- the rule ----------------------------------------------------------------------------------


def needed(story: Story, party: str, *kinds: type) -> Refused | None:
    decided = [each.event for each in story.history if isinstance(each.event, kinds)]
    assert decided
    try:
        check(decided, party, story.partnership.keyring)
    except Refused as refused:
        return refused
    return None


def test_what_binds_needs_the_signature_of_a_party_with_a_key(story: Story) -> None:
    refusal = needed(story, OURS, KickoffHeld, AgreementSigned)
    assert refusal
    assert (refusal.rule, refusal.facts["active"]) == ("must-be-signed", [KEY.name])
    assert KEY.name in refusal.hint


def test_what_does_not_bind_needs_none(story: Story) -> None:
    assert needed(story, OURS, KickoffHeld) is None


def test_a_party_without_a_key_needs_none(story: Story) -> None:
    assert needed(story, THEIRS, AgreementSigned) is None
    assert needed(after(SignAgreement), OURS, AgreementSigned) is None


def test_the_first_key_is_registered_unsigned_and_every_other_change_is_signed(
    story: Story,
) -> None:
    check([KEY], OURS, Keyring())

    for change in (KEY, KeyRotated.of(ROTATE), KeyRevoked.of(REVOKE)):
        with pytest.raises(Refused, match="must-be-signed"):
            check([change], OURS, story.partnership.keyring)


def test_a_party_whose_every_key_is_revoked_binds_itself_to_nothing_more(story: Story) -> None:
    story.when(OURS, RegisterKey(key=SECOND_KEY, proof=REGISTER.proof))
    story.when(OURS, REVOKE)
    story.when(OURS, RevokeKey(keyid=KeyRotated.of(ROTATE).name, reason="Lost."))

    refusal = needed(story, OURS, AgreementSigned)

    assert refusal
    assert "ProposeKeyRecovery" in refusal.hint


def test_the_operator_erases_nobody_once_a_party_has_a_key(story: Story) -> None:
    erased = PersonErased(
        person=f"person:{'0' * 64}", reason="Asked for by the person.", commands=[]
    )
    check_own(erased, Keyring())

    with pytest.raises(Refused, match="must-be-signed") as refusal:
        check_own(erased, story.partnership.keyring)
    assert refusal.value.facts["parties"] == [OURS]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
