"""Bilateral agreements: one party proposes, the other accepts, and neither can do both.

This is the one mechanism for all agreements between the two parties. A subclass of
`BilateralAgreement` is the event that both agreed; the commands and the other events of the
agreement are made from it. What an agreement decides beyond that is in its three hooks: `check`,
`complete` and `recorded`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import Field, StringConstraints, create_model

from domain import content as contents
from domain.consent import (
    Proposal,
    Proposals,
    acceptable,
    awaited,
    decline,
    propose,
    with_acceptance,
    with_decline,
    with_lapse,
    with_proposal,
    with_withdrawal,
    withdraw,
)
from domain.content import Consent
from domain.facts import check_agreed_last
from domain.kernel import (
    ALWAYS,
    NOT_ENDED,
    Act,
    Command,
    Event,
    NotNow,
    Refused,
    Stage,
    Unknown,
    Value,
)
from domain.values import Day, Ref, Text
from domain.wording import Worded

A = TypeVar("A", bound="BilateralAgreement")


Within = Annotated[
    str,
    StringConstraints(pattern=r"^(deal|dispute|experiment)/[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"),
    Worded(
        "names no deal, no dispute and no experiment",
        "Write deal/D-1, dispute/Q-1 or experiment/X-1.",
    ),
]
"""What a proposal belongs to where it is not on the partnership: a deal, a dispute, an experiment.
"""


class BilateralCommand(Command):
    """A command on an agreement between the parties."""

    agreement: ClassVar[type["BilateralAgreement"]]


class ProposeBilateral(BilateralCommand):
    """A command that proposes an agreement. It has the fields of the proposal."""


class CounterBilateral(ProposeBilateral):
    """A command that answers a proposal of the other party with another proposal."""

    counters: Ref
    """The proposal that this one answers."""


class AcceptBilateral(BilateralCommand, Consent):
    """A command that accepts a proposal of the other party."""


class BilateralProposed(Event, abstract=True):
    """A proposal was made."""

    context_only = True
    agreement: ClassVar[type["BilateralAgreement"]]


class BilateralCountered(BilateralProposed, abstract=True):
    """A proposal was answered with another one."""

    counters: Ref
    """The proposal that this one answers."""


class _Answer(Value):
    proposal: Ref
    """The identifier of the proposal."""
    within: Within | None = None
    """The deal, the dispute or the experiment that the proposal belongs to, as `deal/D-1`; null for
    a proposal on the partnership."""
    reason: Text
    """The reason, in words."""


class ProposalAnswer(_Answer, Command):
    """A command that ends a proposal without agreement."""

    stages = ALWAYS
    agreement: Ref | None = None
    """What was proposed, as commands name it: `Terms` for ProposeTerms. Needed only where two open
    proposals have the same identifier."""

    def substream(self) -> str:
        """Return the name of the stream that has the proposal, below the partnership's."""
        return self.within or ""


class DeclineProposal(ProposalAnswer):
    """Decline a proposal of the other party, with the reason."""


class WithdrawProposal(ProposalAnswer):
    """Take back a proposal of one's own before it is answered, with the reason."""


class ProposalEnded(_Answer, Event, abstract=True):
    """A proposal ended without agreement."""

    context_only = True
    agreement: Ref
    """What was proposed, as commands name it."""


class ProposalDeclined(ProposalEnded):
    """A party declined a proposal of the other party."""


class ProposalWithdrawn(ProposalEnded):
    """A party took back a proposal of its own."""


class ProposalLapsed(ProposalEnded):
    """An open proposal ended: it was settled in another way, or nobody can accept it any more."""

    context_only = False
    last_day: Day | None = None
    """The last day on which it could be accepted, if it lapsed because that day passed."""


class BilateralAgreement(Event, abstract=True):
    """What both parties agreed. The commands and events that lead to it are made from its fields.

    A subclass is declared with these keywords:

    - `name` names what is made: the commands ``ProposeName`` and ``AgreeName``, the event
      ``NameProposed``. `accepts` is another name for the second command.
    - `subject` says what is agreed, as a noun with its article; it becomes the description of what
      is made.
    - `counters`: the names of a command and of its event, where a proposal can be answered with
      another one.
    - `stages`: the stages in which the commands are allowed.
    - `ends_with_exit`: whether it can be proposed and accepted only until an exit takes effect.
    - `base`: the class of the commands of another aggregate, where that aggregate decides them.
    - `added`: the fields that are not part of a proposal but follow from it (see `complete`).
    - `called`: the field that identifies the proposal.
    - `identity`: the fields that tell one agreement of the kind from another. An agreement with the
      identity of an earlier one replaces it, as its next version.
    - `counted`: the field of the version, counted from 1 for each identity.
    """

    context_only = True
    proposes: ClassVar[Any]
    """The command that proposes. Type checkers do not know the fields of a class that is made."""
    accepts: ClassVar[Any]
    """The command that accepts."""
    counters: ClassVar[Any] = None
    """The command that answers a proposal with another, if there is one."""
    proposed: ClassVar[Any]
    """The event that records a proposal."""
    countered: ClassVar[Any] = None
    """The event that a proposal was answered with another, if there is one."""
    name: ClassVar[str]
    """What is agreed, as the commands name it."""
    where: ClassVar[str | None]
    """The field that names its deal or its dispute; None where the partnership's own stream decides
    its commands."""
    called: ClassVar[str]
    identity: ClassVar[tuple[str, ...]]
    counted: ClassVar[str | None]
    replaces: ClassVar[bool]
    """Whether an agreement takes the place of the one before it about the same thing."""

    def __init_subclass__(cls, *, wire: str | None = None, version: int = 1, **_: object) -> None:
        """Enter the event in the registry; the other keywords are for what is made from it."""
        super().__init_subclass__(wire=wire, version=version)

    @classmethod
    def __pydantic_init_subclass__(  # type: ignore[override] # noqa: PLR0913 - keywords, see above
        cls,
        *,
        name: str,
        subject: str,
        accepts: str | None = None,
        counters: tuple[str, str] | None = None,
        stages: frozenset[Stage] = NOT_ENDED,
        ends_with_exit: bool = False,
        base: type[Command] | None = None,
        added: tuple[str, ...] = (),
        called: str = "proposal",
        identity: tuple[str, ...] = (),
        counted: str | None = "agreed_version",
        replaces: bool | None = None,
        **_: object,
    ) -> None:
        """Make the commands and the events, once the fields are known."""
        cls.replaces = counted == "agreed_version" if replaces is None else replaces
        cls.name, cls.where = name, next(iter(base.model_fields)) if base else None
        cls.called, cls.identity, cls.counted = called, identity, counted
        content: dict[str, Any] = {
            field_: (info.annotation, info)
            for field_, info in cls.model_fields.items()
            if field_ not in {*added, counted}
        }
        ref = (Ref, Field(description="The identifier of the proposal, given by its author."))
        content[called] = ref
        reference: dict[str, Any] = {called: ref}

        def made(name: str, kind: type[Value], doc: str, fields: dict[str, Any]) -> Any:  # noqa: ANN401
            bases = (kind, base) if base and issubclass(kind, Command) else (kind,)
            return _made(name, bases, cls, f"{doc} {subject}.", fields)

        cls.proposes = made(f"Propose{name}", ProposeBilateral, "Propose", content)
        cls.proposed = made(f"{name}Proposed", BilateralProposed, "A party proposed", content)
        doc = "Accept a proposal of the other party:"
        cls.accepts = made(accepts or f"Agree{name}", AcceptBilateral, doc, reference)
        if counters:
            doc = "Answer a proposal of the other party with another:"
            cls.counters = made(counters[0], CounterBilateral, doc, content)
            doc = "A party answered a proposal with another:"
            cls.countered = made(counters[1], BilateralCountered, doc, content)
        if base is None:
            for each in (cls.proposes, cls.accepts, cls.counters):
                if each is not None:
                    each.stages, each.ends_with_exit = stages, ends_with_exit

    @classmethod
    def answers(cls) -> tuple[type[Command], ...]:
        """Return the commands with which the other party answers a proposal, the consent first."""
        found = (cls.accepts, cls.counters, DeclineProposal)
        return tuple(each for each in found if each is not None)

    @classmethod
    def about(cls, proposed: Any) -> tuple[str, ...]:  # noqa: ANN401 - made
        """Return what a proposal or an agreement of this kind is about, as ("milestone", "M-1")."""
        return (*cls.identity, *(str(getattr(proposed, each)) for each in cls.identity))

    @classmethod
    def within(cls, event: Event) -> str | None:
        """Return the deal or the dispute of a proposal or an agreement, as `deal/D-1`.

        None for one of the partnership itself.
        """
        return f"{cls.where}/{getattr(event, cls.where)}" if cls.where else None

    @property
    def proposal_ref(self) -> str | None:
        """The proposal that was accepted."""
        ref: str | None = getattr(self, self.called)
        return ref

    def same_as(self, other: "BilateralAgreement") -> bool:
        """Whether another agreement of the kind has the same identity."""
        return all(getattr(self, each) == getattr(other, each) for each in self.identity)

    @classmethod
    def check(cls, proposed: Any, context: Any) -> None:  # noqa: ANN401 - what is made, its aggregate
        """Raise `Refused` if a new proposal is not allowed.

        `context` is the context that the aggregate gives: `PartnershipContext` for a partnership.
        """

    @classmethod
    def check_new(cls, proposed: Any, context: Any, act: Act) -> None:  # noqa: ANN401 - as `check`
        """Raise `Refused` if a new proposal is not allowed on its day."""

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: Any, party: str) -> bool:  # noqa: ANN401, ARG003 - as `check`
        """Whether a proposal lays nothing on anybody but its author, `party`.

        It then needs no consent: it is agreed as soon as it is made.
        """
        return False

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the last day on which a proposal can be accepted; None if any day will do.

        `exit_on` is the effective day of the exit that is ahead, if there is one.
        """
        return None

    @classmethod
    def complete(cls, proposed: Any, context: Any, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003
        """Return the `added` fields of the agreement on a proposal.

        Raises `Refused` where the proposal cannot be accepted now.
        """
        return {}

    def recorded(self) -> list[Event]:
        """Return the events that an acceptance records: this agreement and what follows from it."""
        return [self]


def _made(
    name: str,
    bases: tuple[type[Value], ...],
    agreement: type[BilateralAgreement],
    doc: str,
    fields: dict[str, Any],
) -> Any:  # noqa: ANN401
    made: Any = create_model(
        name,
        __base__=bases,
        __module__=agreement.__module__,
        __doc__=doc,
        **fields,
    )
    # Both are class attributes of the bases above.
    made.described_by = made.agreement = agreement  # type: ignore[attr-defined]
    return made


@dataclass(frozen=True, slots=True)
class BilateralAgreements:
    """The proposals and agreements of one aggregate."""

    proposals: Mapping[str, Proposals] = field(default_factory=dict)
    """The proposals of each kind of agreement, by the kind's wire name."""
    agreed: Mapping[str, tuple[BilateralAgreement, ...]] = field(default_factory=dict)
    """The agreements of each kind in every version, in order, by the kind's wire name."""
    times: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    """When each of these agreements was made, by the kind's wire name."""
    over: tuple[BilateralAgreement, ...] = ()
    """The agreements that ended: what was given up, and a cancellation of what was agreed again."""

    def proposals_of(self, kind: type[BilateralAgreement]) -> Proposals:
        """Return the proposals of one kind of agreement, by their identifiers."""
        return self.proposals.get(kind.wire, {})

    def versions(self, kind: type[A]) -> tuple[A, ...]:
        """Return the agreements of one kind in every version, in the order of agreement."""
        return self.agreed.get(kind.wire, ())  # type: ignore[return-value] # stored by kind

    def of(self, kind: type[A]) -> list[A]:
        """Return the agreements of one kind that did not end, each in its latest version."""
        versions = self.versions(kind)
        return [
            each
            for place, each in enumerate(versions)
            if each not in self.over
            and not any(each.same_as(later) for later in versions[place + 1 :])
        ]

    def without(self, kind: type[BilateralAgreement], *identity: str) -> "BilateralAgreements":
        """Return these agreements after those of one kind with an identity ended."""
        ended = [
            each
            for each in self.of(kind)
            if tuple(str(getattr(each, name)) for name in kind.identity) == identity
        ]
        return replace(self, over=(*self.over, *ended)) if ended else self

    def without_kind(self, kind: type[BilateralAgreement]) -> "BilateralAgreements":
        """Return these agreements as if none of one kind had been proposed."""
        proposals, agreed, times = {**self.proposals}, {**self.agreed}, {**self.times}
        for each in (proposals, agreed, times):
            each.pop(kind.wire, None)
        return replace(self, proposals=proposals, agreed=agreed, times=times)

    def latest(self, kind: type[A]) -> A | None:
        """Return the last agreement of one kind, None if there is none."""
        versions = self.versions(kind)
        return versions[-1] if versions else None

    def proposed_at(self, proposed: Any) -> datetime:  # noqa: ANN401 - made
        """Return when a proposal was made, as its party claims."""
        kind: type[BilateralAgreement] = proposed.agreement
        return self.proposals_of(kind)[getattr(proposed, kind.called)].made_at

    def decide(
        self,
        command: BilateralCommand,
        context: object,
        act: Act,
        waits_in: str | None = None,
    ) -> list[Event]:
        """Decide a command on an agreement; `context` is for its hooks. Raises `Refused`.

        `waits_in` is for `acceptable`.
        """
        kind, proposals = command.agreement, self.proposals_of(command.agreement)
        name: str = getattr(command, kind.called)
        match command:
            case CounterBilateral():
                return self._propose(name, kind.countered.of(command), context, act)
            case ProposeBilateral():
                return self._propose(name, kind.proposed.of(command), context, act)
            case _:
                proposal = acceptable(name, proposals, act, waits_in)
                if proposal is None:
                    return []
                if isinstance(command, Consent):
                    contents.check(command, proposal.proposed)
                return self._accept(kind, proposal.proposed, context, act)

    def _propose(self, name: str, event: Any, context: object, act: Act) -> list[Event]:  # noqa: ANN401 - made
        kind: type[BilateralAgreement] = event.agreement
        proposals = self.proposals_of(kind)
        existing = proposals.get(name)
        is_own = existing is not None and _own(existing, act)
        if isinstance(event, BilateralCountered) and not is_own:
            acceptable(event.counters, proposals, act)
        if existing is not None:
            decided = propose(name, event, proposals, act)
            if existing.accepted:
                self._check_in_force(kind, name)
            return decided
        kind.check(event, context)
        kind.check_new(event, context, act)
        proposed = propose(name, event, proposals, act)
        if kind.binds_author_alone(event, context, act.party):
            return [*proposed, *self._accept(kind, event, context, act)]
        return proposed

    def _check_in_force(self, kind: type[BilateralAgreement], name: str) -> None:
        """Raise `Refused` if what was agreed on a proposal ended, or was agreed otherwise since."""
        is_one_of_its_kind = kind.identity or kind.replaces
        if is_one_of_its_kind and all(each.proposal_ref != name for each in self.of(kind)):
            raise NotNow(
                "proposal-replaced",
                "What was agreed ended, or was agreed otherwise later. The proposal "
                f"{name} was accepted before that.",
                "Make another proposal, under a new identifier.",
                proposal=name,
            )

    def _accept(
        self, kind: type[BilateralAgreement], proposed: Event, context: object, act: Act
    ) -> list[Event]:
        fields = {
            **{each: of for each, of in proposed.__dict__.items() if each in kind.model_fields},
            **kind.complete(proposed, context, act),
        }
        agreed = kind(**fields, **({kind.counted: 1} if kind.counted else {}))
        self._check_agreed_last(agreed, act)
        if kind.counted:
            version = 1 + sum(agreed.same_as(each) for each in self.versions(kind))
            agreed = agreed.model_copy(update={kind.counted: version})
        return agreed.recorded()

    def _check_agreed_last(self, agreed: BilateralAgreement, act: Act) -> None:
        """Raise `Refused` if an agreement would replace one that was made after it.

        What was agreed last counts, in whatever order it arrives.
        """
        kind = type(agreed)
        since = self.made_at(kind, agreed.same_as) if kind.replaces else None
        check_agreed_last("What is in force", since, act)

    def made_at(self, kind: type[A], which: Callable[[A], bool]) -> datetime | None:
        """Return when the last of some agreements of one kind was made; None if there is none."""
        made = zip(self.versions(kind), self.times.get(kind.wire, ()), strict=True)
        return max((at for each, at in made if which(each)), default=None)

    def answer(self, command: ProposalAnswer, act: Act, waits_in: str | None = None) -> list[Event]:
        """Decide that a proposal is declined or withdrawn. Raises `Refused`.

        `waits_in` is for `acceptable`.
        """
        kind, existing = self._named(command, act, waits_in)
        return end(command, kind.name, {command.proposal: existing}, act, waits_in)

    def _named(
        self, command: ProposalAnswer, act: Act, waits_in: str | None
    ) -> tuple[type[BilateralAgreement], Proposal]:
        """Return the proposal that an answer names, and its kind. Raises `Refused`."""
        own = isinstance(command, WithdrawProposal)
        every = [
            (name, kind, each)
            for kind, name, each in self.every_proposal()
            if command.agreement in {None, kind.name}
        ]
        found = [(kind, each) for name, kind, each in every if name == command.proposal]
        if not found:
            known = [name for name, _, each in every if each.is_open and _own(each, act) is own]
            raise Unknown(
                "no-such-proposal",
                f"There is no proposal {command.proposal}.",
                f"Name one of these proposals: {', '.join(known)}."
                if known
                else "There is none that you could answer so.",
                proposal=command.proposal,
                awaits=awaited(command.proposal, waits_in),
                named=command.proposal,
                known=known,
            )
        still = [each for each in found if each[1].is_open] or found[-1:]
        if len(still) > 1:
            kinds = [kind.name for kind, _ in still]
            raise Refused(
                "which-proposal",
                f"Several open proposals have the identifier {command.proposal}: of "
                f"{', '.join(kinds)}.",
                "Say which one is meant, with the field `agreement`.",
                field="agreement",
                agreements=kinds,
            )
        return still[0]

    def lapse(self, agreed: str | None, reason: str, within: str | None = None) -> list[Event]:
        """Return an event for each open proposal but the one that is agreed: it has lapsed."""
        return [
            ProposalLapsed(agreement=kind.name, proposal=name, within=within, reason=reason)
            for kind, name, each in self.every_proposal()
            if each.is_open and name != agreed
        ]

    def every_proposal(self) -> Iterator[tuple[type[BilateralAgreement], str, Proposal]]:
        """Yield every proposal with its kind and its identifier, by kind and in order."""
        for wire, proposals in self.proposals.items():
            kind = Event.registry[wire]
            assert issubclass(kind, BilateralAgreement)  # noqa: S101 - kept by the kind's wire name
            for name, each in proposals.items():
                yield kind, name, each

    def evolve(self, event: Event, act: Act) -> "BilateralAgreements":
        """Fold a proposal, an agreement or an answer to a proposal into the state."""
        if isinstance(event, BilateralProposed):
            kind = event.agreement
            name = getattr(event, kind.called)
            proposals = self.proposals_of(kind)
            if isinstance(event, BilateralCountered):
                # Who answers with another proposal declines the first.
                proposals = with_decline(event.counters, event, proposals)
            return self._with(kind, with_proposal(name, event, proposals, act))
        if isinstance(event, ProposalEnded):
            kind = kind_named(event.agreement)
            return self._with(kind, with_end(event, self.proposals_of(kind)))
        if isinstance(event, BilateralAgreement):
            of = type(event)
            agreed = {**self.agreed, of.wire: (*self.versions(of), event)}
            times = {
                **self.times,
                of.wire: (*self.times.get(of.wire, ()), act.occurred_at),
            }
            name = event.proposal_ref
            if name is None:
                return replace(self, agreed=agreed, times=times)
            proposals = with_acceptance(name, self.proposals_of(of))
            return replace(self._with(of, proposals), agreed=agreed, times=times)
        return self

    def _with(self, kind: type[BilateralAgreement], proposals: Proposals) -> "BilateralAgreements":
        return replace(self, proposals={**self.proposals, kind.wire: proposals})


_ENDS: Final[Mapping[type[Event], Callable[[str, Event, Proposals], Proposals]]] = {
    ProposalDeclined: with_decline,
    ProposalWithdrawn: with_withdrawal,
    ProposalLapsed: with_lapse,
}


def end(
    command: ProposalAnswer,
    agreement: str,
    proposals: Proposals,
    act: Act,
    waits_in: str | None = None,
) -> list[Event]:
    """Decide that one of these proposals is declined, or withdrawn by its author.

    `waits_in` is for `acceptable`. Raises `Refused`.
    """
    name, fields = command.proposal, {**dict(command), "agreement": agreement}
    if isinstance(command, WithdrawProposal) and name in proposals:
        return withdraw(name, ProposalWithdrawn(**fields), proposals[name], act)
    return decline(name, ProposalDeclined(**fields), proposals, act, waits_in)


def with_end(event: ProposalEnded, proposals: Proposals) -> Proposals:
    """Return the proposals with one of them ended without agreement."""
    return _ENDS[type(event)](event.proposal, event, proposals)


def is_answer_to(command: Command, proposed: ProposeBilateral) -> bool:
    """Whether a command of the same stream accepts, declines or withdraws a proposal."""
    kind = proposed.agreement
    name = getattr(proposed, kind.called)
    if isinstance(command, ProposalAnswer):
        return command.proposal == name and command.agreement in {None, kind.name}
    return isinstance(command, kind.accepts) and getattr(command, kind.called) == name


def check_reason(proposed: Any, known: Iterable[str], name: str) -> None:  # noqa: ANN401 - made
    """Raise `Refused` if what was agreed before is changed without a reason."""
    if name in known and proposed.reason is None:
        raise Refused(
            "change-needs-reason",
            f"{name} is agreed already, and a change of it needs a reason.",
            "Say why it changes, or use a new identifier.",
            field="reason",
        )


def check_known(what: str, name: str, known: list[str], begins: type[Command]) -> None:
    """Raise `Refused` unless something is on record that is said to be done, or is given up."""
    if name not in known:
        raise Unknown(
            "nothing-planned",
            "Only what was recorded before can be completed or given up. "
            f"There is no {what} {name}.",
            f"Name one of these: {', '.join(known)}."
            if known
            else f"Record one first ({begins.__name__}).",
            named=name,
            known=known,
        )


def kind_named(name: str) -> type[BilateralAgreement]:
    """Return the kind of agreement that has this name in commands. Raises `KeyError`."""
    kinds = {each.name: each for each in BilateralAgreement.__subclasses__()}
    return kinds[name]


def _own(proposal: Proposal, act: Act) -> bool:
    return proposal.party == act.party
