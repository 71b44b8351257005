"""Gates between stages: what a gate requires, what may be waived, and who waived it (C6)."""

from dataclasses import dataclass

from domain.context import PartnershipContext
from domain.kernel import NOT_ENDED, Act, Command, Event, Refused, Value
from domain.values import Text


class _Waiver(Value):
    rule: Text
    """The rule to waive, as a refusal names it."""
    reason: Text


class GrantWaiver(_Waiver, Command):
    """Waive a rule of a gate, with a reason (C6)."""

    stages = NOT_ENDED


class WaiverGranted(_Waiver, Event):
    """A party waived a rule of a gate, with a reason (C6)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a gate requires. What protects both parties cannot be waived by one."""

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
    """Return the rules that were waived.

    Raises `Refused` under the first unmet rule; the refusal lists every unmet rule.
    """
    unmet = [each for each in requirements if not each.met]
    blocking = [each for each in unmet if not (each.waivable and each.rule in context.waivers)]
    if blocking:
        first = blocking[0]
        raise Refused(
            first.rule,
            f"The gate to {gate} is closed. " + " ".join(each.detail for each in blocking),
            " ".join(dict.fromkeys(each.hint for each in blocking)),
            gate=gate,
            unmet=[each.rule for each in blocking],
            waivable=[each.rule for each in blocking if each.waivable],
        )
    return [each.rule for each in unmet]
