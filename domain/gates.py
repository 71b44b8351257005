"""Gates between stages: what a gate requires, what may be waived, and who waived it (C6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.kernel import NOT_ENDED, RUNNING, Act, NotNow, Stage, Unknown
from domain.values import Ref, Text

_SEARCH: Final = frozenset({Stage.EXPLORATION})
_FORMATION: Final = frozenset({Stage.FORMATION})

WAIVABLE: Final[Mapping[str, frozenset[Stage]]] = {
    "candidate-scored": _SEARCH,
    "overlap-known": _SEARCH,
    "alignment-assessed": _SEARCH,
    "alignment": _SEARCH | _FORMATION,
    "checklist": _SEARCH,
    "checklist:risks_mitigated": _FORMATION,
    "charter-agreed": _FORMATION,
    "governance-established": _FORMATION,
    "manager": _FORMATION,
    "sponsor": _FORMATION,
    "resources": _FORMATION,
    "evidence-first": _FORMATION | RUNNING,
    "amended-terms-first": _FORMATION | RUNNING,
    "assets-dispositioned": NOT_ENDED - _SEARCH,
}
"""The rules that can be waived, and the stages in which they can. What comes after a colon says of
what: `sponsor:acme`. All other rules of gates protect one party from the other, or both.

In the exploration the initiator waives alone, so only rules of its own search can be waived there,
and these waivers end when it chooses its partner. Later gates are of both, and both waive them."""


class WaiverGranted(
    BilateralAgreement,
    name="Waiver",
    subject="that a rule of a gate is waived, with the reason (C6)",
    stages=NOT_ENDED,
    identity=("rule",),
    counted=None,
):
    """Both parties waived a rule of a gate, with the reason (C6).

    The initiator waives alone as long as it has no partner, for its own search.
    """

    proposal: Ref
    """The identifier of the proposal."""
    rule: Text
    """The rule that is waived, as a refusal names it."""
    reason: Text
    """The reason, in words."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the rule cannot be waived, or if its gate was passed."""
        rules = _waivable(context)
        if proposed.rule not in rules:
            raise Unknown(
                "cannot-be-waived",
                "Only some rules of gates can be waived, and only until the gate is passed. "
                f"{proposed.rule} cannot be waived in the stage {context.stage}.",
                f"Waive one of these: {', '.join(rules)}.",
                named=proposed.rule,
                known=rules,
            )

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: PartnershipContext, party: str) -> bool:  # noqa: ANN401, ARG003 - made
        """Whether the initiator has no partner yet."""
        return len(context.parties) == 1

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return no further fields. Raises `Refused` if the gate was passed meanwhile."""
        cls.check(proposed, context)
        return {}


ProposeWaiver = WaiverGranted.proposes
WaiverProposed = WaiverGranted.proposed
AgreeWaiver = WaiverGranted.accepts


def _waivable(context: PartnershipContext) -> list[str]:
    """Return the rules that can be waived now, each with the part of it that it is about."""
    # That stage imports this module.
    from domain.exploration import QUESTIONS, Dimension  # noqa: PLC0415

    each_party = dict.fromkeys(("manager", "sponsor", "resources"), context.parties)
    parts = {"alignment": [*Dimension], "checklist": QUESTIONS, **each_party}
    now = [each for each, stages in WAIVABLE.items() if context.stage in stages]
    found = [
        rule
        for name in now
        for rule in ([f"{name}:{each}" for each in parts[name]] if name in parts else [name])
    ]
    return [*dict.fromkeys(found)]


def stages_of(rule: str) -> frozenset[Stage]:
    """Return the stages in which a rule can be waived."""
    none: frozenset[Stage] = frozenset()
    return WAIVABLE.get(rule, none) | WAIVABLE.get(_family(rule), none)


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
        """Whether it can be waived."""
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


def passing(gate: str, requirements: list[Requirement], context: PartnershipContext) -> list[str]:
    """Return the rules that were waived.

    Raises `GateClosed` under the first unmet rule; the refusal lists every unmet rule.
    """
    waived = {each.rule for each in context.agreements.of(WaiverGranted)}
    unmet = [each for each in requirements if not each.met]
    blocking = [each for each in unmet if not (each.waivable and each.rule in waived)]
    if blocking:
        raise GateClosed(gate, blocking, requirements)
    return [each.rule for each in unmet]
