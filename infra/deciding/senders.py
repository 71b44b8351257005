"""Who sent an event: what its sender may not send is refused before it is decided."""

from collections.abc import Sequence

from domain.kernel import Refused
from infra.access import roles
from infra.access.roles import Identity
from infra.deciding import intake
from infra.deciding.batch import Outcome
from infra.deciding.intake import Input, Unreadable


def refusals(sender: Identity, raws: Sequence[bytes]) -> dict[int, Outcome]:
    """Return the refusals of those messages that a sender may not send, by their index.

    They are not decided, and not kept: who sent them acts for nobody there.
    """
    found = ((index, _refusal(sender, intake.read(raw))) for index, raw in enumerate(raws))
    return {index: outcome for index, outcome in found if outcome is not None}


def _refusal(sender: Identity, message: Input | Unreadable) -> Outcome | None:
    source, source_id = message.identity
    try:
        if isinstance(message, Input):
            command = type(message.envelope.data).__name__
            roles.check_emits(sender, message.party, command, message.subject)
        elif message.party:
            # It is kept and shown to the party that it names, as an input of that party's own.
            roles.check_party(sender, message.party)
    except Refused as refused:
        why = refused.rule, refused.detail, refused.hint, refused.facts.get("pointer")
        return Outcome("refused", source, source_id, message.subject, None, 0, *why)
    return None
