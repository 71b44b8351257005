"""Pacts: what binds both and is kept as agreed; one mechanism for all that moves nothing else.

One party proposes, the other agrees, nobody agrees alone (see `consent`). From the pact that both
agree come the two commands and the event of the proposal: all have its fields. A pact agreed again
under the same identity takes the former's place, as the next version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from pydantic import create_model

from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.kernel import NOT_ENDED, Act, Command, Event, Stage
from domain.values import Count, Ref

P = TypeVar("P", bound="BilateralAgreement")

_OWN = ("proposal", "agreed_version")


class BilateralCommand(Command):
    """What proposes a pact, or agrees to one."""

    pact: ClassVar[type["BilateralAgreement"]]
    proposal: Ref


class ProposeBilateral(BilateralCommand):
    """What puts a pact forward; it has the pact's fields."""


class AgreeBilateral(BilateralCommand):
    """What agrees to the pact that the other party put forward."""


class BilateralProposed(Event, abstract=True):
    """A pact was put forward."""

    kept = True
    pact: ClassVar[type["BilateralAgreement"]]
    proposal: Ref


class BilateralAgreement(Event, abstract=True):
    """Something that both agreed, and the commands and the event that lead to it.

    `name` is what the commands and the proposal are called by: ``ProposeName``, ``AgreeName``,
    ``NameProposed``. `identity` are the fields that tell one pact of its kind from another.
    """

    kept = True
    proposal: Ref
    agreed_version: Count
    proposes: ClassVar[Any]
    """The command's class. What takes its fields is made, so no checker knows them."""
    agrees: ClassVar[Any]
    proposed: ClassVar[type[BilateralProposed]]
    identity: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, wire: str | None = None, version: int = 1, **_: object) -> None:
        """Enter the pact in the registry; what else it is made with is for its commands."""
        super().__init_subclass__(wire=wire, version=version)

    @classmethod
    def __pydantic_init_subclass__(  # type: ignore[override] # told by name
        cls,
        *,
        name: str,
        stages: frozenset[Stage] = NOT_ENDED,
        identity: tuple[str, ...] = (),
        **_: object,
    ) -> None:
        """Make the commands and the proposal, once the fields are known."""
        cls.identity = identity
        fields: dict[str, Any] = {
            field_: (info.annotation, info)
            for field_, info in cls.model_fields.items()
            if field_ not in _OWN
        }
        said = (cls.__doc__ or "").strip().removeprefix("Both agreed ").removesuffix(".")
        cls.proposes = _made(
            f"Propose{name}", ProposeBilateral, cls, f"Put forward {said}.", **fields
        )
        cls.agrees = _made(f"Agree{name}", AgreeBilateral, cls, f"Agree to {said}.")
        cls.proposes.stages = cls.agrees.stages = stages
        cls.proposed = _made(
            f"{name}Proposed", BilateralProposed, cls, f"A party put forward {said}.", **fields
        )

    def key(self) -> str:
        """Give the pact's identity, as text."""
        return "/".join([self.wire, *(str(getattr(self, each)) for each in self.identity)])

    @classmethod
    def check(cls, command: Any, parties: tuple[str, ...]) -> None:  # noqa: ANN401 - its proposal
        """Raise `Refused` where what is proposed cannot be."""


def _made(name: str, base: type, pact: type[BilateralAgreement], doc: str, **fields: Any) -> Any:  # noqa: ANN401
    made: Any = create_model(
        name,
        __base__=base,
        __module__=pact.__module__,
        __doc__=doc,
        __cls_kwargs__={"use_attribute_docstrings": False},
        **fields,
    )
    made.pact = pact  # type: ignore[attr-defined] # of the bases above
    return made


@dataclass(frozen=True, slots=True)
class BilateralAgreements:
    """What was proposed, and what both agreed: the latest version of each."""

    proposals: Mapping[str, Proposals] = field(default_factory=dict)
    """The proposals of each kind, by the kind's name."""
    agreed: Mapping[str, BilateralAgreement] = field(default_factory=dict)

    def of(self, kind: type[P]) -> list[P]:
        """Give the pacts of one kind, each in its latest version."""
        return [each for each in self.agreed.values() if isinstance(each, kind)]

    def decide(self, command: BilateralCommand, parties: tuple[str, ...], act: Act) -> list[Event]:
        """Decide a proposal or an agreement. Raises `Refused`."""
        pact, proposals = command.pact, self.proposals.get(command.pact.wire, {})
        if isinstance(command, ProposeBilateral):
            pact.check(command, parties)
            return propose(command.proposal, pact.proposed.of(command), proposals, act)
        proposal = acceptable(command.proposal, proposals, act)
        if proposal is None:
            return []
        agreed = pact(**proposal.proposed.__dict__, agreed_version=1)
        existing = self.agreed.get(agreed.key())
        version = existing.agreed_version + 1 if existing else 1
        return [agreed.model_copy(update={"agreed_version": version})]

    def evolve(self, event: Event, act: Act) -> "BilateralAgreements":
        """Take a proposal or a pact in."""
        if isinstance(event, BilateralProposed):
            kind = event.pact.wire
            known = with_proposal(event.proposal, event, self.proposals.get(kind, {}), act)
            return replace(self, proposals={**self.proposals, kind: known})
        if isinstance(event, BilateralAgreement):
            kind = event.wire
            known = with_acceptance(event.proposal, self.proposals.get(kind, {}))
            agreed = {**self.agreed, event.key(): event}
            return BilateralAgreements({**self.proposals, kind: known}, agreed)
        return self
