"""Gates between stages: what a gate requires, what may be waived, and who waived it (C6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.context import PartnershipContext
from domain.kernel import NOT_ENDED, Act, Command, Event, NotNow, Value
from domain.values import Text


class _Waiver(Value):
    rule: Text
    """The rule to waive, as a refusal names it."""
    reason: Text
    """The reason, in words."""


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
    fitting: Mapping[str, object] = field(default_factory=dict)
    """Fields of the command with which it would meet the requirement, if its content decides."""


class GateClosed(NotNow):
    """A gate is closed. `requirements` are all that it requires, met or not."""

    def __init__(
        self,
        gate: str,
        blocking: Sequence[Requirement],
        requirements: Sequence[Requirement],
    ) -> None:
        super().__init__(
            blocking[0].rule,
            f"The gate to {gate} is closed. " + " ".join(each.detail for each in blocking),
            " ".join(dict.fromkeys(each.hint for each in blocking)),
            gate=gate,
            unmet=[each.rule for each in blocking],
            waivable=[each.rule for each in blocking if each.waivable],
        )
        self.gate = gate
        self.requirements = tuple(requirements)

    @property
    def fitting(self) -> dict[str, object]:
        """The fields with which the command would meet what depends on its content."""
        unmet = (each for each in self.requirements if not each.met)
        return {name: value for each in unmet for name, value in each.fitting.items()}


def grant(command: GrantWaiver, context: PartnershipContext, act: Act) -> list[Event]:
    """Decide a waiver: nothing if the same party already waived that rule."""
    waiver = context.waivers.get(command.rule)
    if waiver and (waiver.party, waiver.reason) == (act.party, command.reason):
        return []
    return [WaiverGranted.of(command)]


def passing(gate: str, requirements: list[Requirement], context: PartnershipContext) -> list[str]:
    """Return the rules that were waived.

    Raises `GateClosed` under the first unmet rule; the refusal lists every unmet rule.
    """
    unmet = [each for each in requirements if not each.met]
    blocking = [each for each in unmet if not (each.waivable and each.rule in context.waivers)]
    if blocking:
        raise GateClosed(gate, blocking, requirements)
    return [each.rule for each in unmet]
