"""Gates between stages: what a gate requires, what may be waived, and who waived it (C6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from domain.context import PartnershipContext
from domain.kernel import NOT_ENDED, RUNNING, Act, Command, Event, NotNow, Stage, Unknown, Value
from domain.values import Text

_SEARCH: Final = frozenset({Stage.EXPLORATION})
_UNTIL_KICKOFF: Final = _SEARCH | {Stage.FORMATION}

WAIVABLE: Final[Mapping[str, frozenset[Stage]]] = {
    "candidate-scored": _SEARCH,
    "overlap-known": _SEARCH,
    "alignment-assessed": _SEARCH,
    "alignment": _UNTIL_KICKOFF,
    "checklist": _SEARCH,
    "checklist:risks_mitigated": _UNTIL_KICKOFF,
    "charter-agreed": _UNTIL_KICKOFF,
    "governance-established": _UNTIL_KICKOFF,
    "manager": _UNTIL_KICKOFF,
    "sponsor": _UNTIL_KICKOFF,
    "resources": _UNTIL_KICKOFF,
    "evidence-first": _UNTIL_KICKOFF | RUNNING,
    "amended-terms-first": _UNTIL_KICKOFF | RUNNING,
    "assets-dispositioned": NOT_ENDED,
}
"""The rules that one party can waive, and the stages up to their gate. What comes after a colon
says of what: `sponsor:acme`. All other rules of gates protect both parties."""


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
    """One thing that a gate requires."""

    rule: str
    met: bool
    detail: str
    hint: str
    fitting: Mapping[str, object] = field(default_factory=dict)
    """Fields of the command with which it would meet the requirement, if its content decides."""

    @property
    def waivable(self) -> bool:
        """Whether one party can waive it. What protects both parties cannot be waived by one."""
        return _family(self.rule) in WAIVABLE


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


def _family(rule: str) -> str:
    return rule.partition(":")[0]


def grant(
    command: GrantWaiver, parts: Mapping[str, Sequence[str]], context: PartnershipContext, act: Act
) -> list[Event]:
    """Decide a waiver: nothing if the same party already waived that rule.

    `parts` are what can follow the colon, by the name before it. Raises `Refused` if the rule
    cannot be waived, or its gate was passed.
    """
    now = [each for each, stages in WAIVABLE.items() if context.stage in stages]
    rules = dict.fromkeys(
        rule
        for name in now
        for rule in ([f"{name}:{each}" for each in parts[name]] if name in parts else [name])
    )
    if command.rule not in rules:
        raise Unknown(
            "cannot-be-waived",
            "Only some rules of gates can be waived, and only until the gate is passed. "
            f"{command.rule} cannot be waived in the stage {context.stage}.",
            f"Waive one of these: {', '.join(rules)}.",
            named=command.rule,
            known=list(rules),
        )
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
