"""Gates between stages: what must hold, what may be waived, and who waived it (C6)."""

from dataclasses import dataclass

from domain.context import PartnershipContext
from domain.kernel import NOT_ENDED, Act, Command, Event, Refused, Value
from domain.values import Text


class _Waiver(Value):
    rule: Text
    """The rule that may be passed, as a refusal names it."""
    reason: Text


class GrantWaiver(_Waiver, Command):
    """Let a named rule of a gate be passed, with a reason (C6)."""

    stages = NOT_ENDED


class WaiverGranted(_Waiver, Event):
    """A party let a rule be passed, and said why (C6)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a gate asks for. What protects both parties cannot be waived by one."""

    rule: str
    met: bool
    detail: str
    hint: str
    waivable: bool = True


def grant(command: GrantWaiver, context: PartnershipContext, act: Act) -> list[Event]:
    """Decide a waiver: nothing if the same party already waived that rule."""
    waiver = context.waivers.get(command.rule)
    if waiver and (waiver.party, waiver.reason) == (act.party, command.reason):
        return []
    return [WaiverGranted.of(command)]


def passing(gate: str, requirements: list[Requirement], context: PartnershipContext) -> list[str]:
    """Give the rules that were passed by waiver.

    Raises `Refused` with the first unmet rule's name, listing all that is unmet.
    """
    unmet = [each for each in requirements if not each.met]
    blocking = [each for each in unmet if not (each.waivable and each.rule in context.waivers)]
    if blocking:
        first = blocking[0]
        raise Refused(
            first.rule,
            f"The gate to {gate} is closed: " + " ".join(each.detail for each in blocking),
            " ".join(dict.fromkeys(each.hint for each in blocking)),
            gate=gate,
            unmet=[each.rule for each in blocking],
            waivable=[each.rule for each in blocking if each.waivable],
        )
    return [each.rule for each in unmet]
