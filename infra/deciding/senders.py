"""Who sent an event: what its sender may not send is refused before it is decided."""

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence

from domain.kernel import Refused
from infra.access import roles
from infra.access.roles import Identity
from infra.deciding import intake
from infra.deciding.batch import Outcome
from infra.deciding.intake import Input, Sent
from infra.tlog import codec, dsse


def named(sender: Identity, raw: bytes) -> bytes:
    """Return a message that names its actor: the person of a token, if the message names none.

    A signed command stays as it was signed.
    """
    if not sender.is_person:
        return raw
    body = raw.removeprefix(BOM_UTF8).lstrip()
    try:
        value = codec.parse(body)
    except codec.OutsideProfile:
        return raw
    if not isinstance(value, dict) or not value or "actor" in value or dsse.MARK in value:
        return raw
    # The other bytes stay as they were sent.
    return b'{"actor":%b,%b' % (codec.canonical(sender.actor), body[1:])


def refusals(sender: Identity, raws: Sequence[bytes]) -> dict[int, Outcome]:
    """Return the refusals of those messages that a sender may not send, by their index.

    They are not decided, and not kept: who sent them acts for nobody there.
    """
    found = ((index, refusal(sender, raw)) for index, raw in enumerate(raws))
    return {index: outcome for index, outcome in found if outcome is not None}


def allowed(
    sender: Identity, raws: Sequence[bytes], refused: Mapping[int, Outcome]
) -> list[bytes | Sent]:
    """Return the messages of a sender that are not among the refused ones, in order."""
    return [sent(sender, raw) for index, raw in enumerate(raws) if index not in refused]


def sent(sender: Identity, raw: bytes) -> bytes | Sent:
    """Return a message with the party of its sender, if that acts for one."""
    return Sent(raw, sender.party, sender.is_own) if sender.party else raw


def in_order(refused: Mapping[int, Outcome], decided: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes of all messages in their order: of the refused ones and of `allowed`."""
    others = iter(decided)
    return [
        refused[index] if index in refused else next(others)
        for index in range(len(refused) + len(decided))
    ]


def refusal(sender: Identity, raw: bytes) -> Outcome | None:
    """Return the refusal of a message that a sender may not send; None for another."""
    message = intake.read(sent(sender, raw))
    try:
        if isinstance(message, Input):
            command = type(message.envelope.data).__name__
            roles.check_emits(sender, message.party, command, message.subject)
            roles.check_actor(sender, message.envelope.actor)
        elif message.party:
            # It is kept and shown to the party that it names, as an input of that party's own.
            roles.check_party(sender, message.party)
    except Refused as refused:
        why = refused.rule, refused.detail, refused.hint, refused.facts.get("pointer")
        return Outcome("refused", *message.identity, message.subject, None, 0, *why)
    return None
