"""Exit: one party gives notice or both end the partnership, and what is open is settled (C27)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, assert_never

from domain import terms_by_day
from domain.agreement import CommercialTermsAgreed, Section
from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    ProposalLapsed,
)
from domain.calendar import add, in_words, subtract
from domain.consent import Proposal
from domain.context import PartnershipContext
from domain.execution import ImprovementPlanAgreed, ImprovementPlanCompleted, plan_deadline
from domain.exploration import ExplorationClosed
from domain.formation import NegotiationEnded
from domain.gates import Requirement, passing
from domain.kernel import (
    RUNNING,
    Act,
    Command,
    Event,
    NotNow,
    Refused,
    Unknown,
    Value,
    recorded_once,
)
from domain.renewal import PartnershipRenewed
from domain.settlement import LEAVING, FinalSettlementIssued
from domain.terms import Assets, check_parties
from domain.terms_by_day import TermsByDay
from domain.values import Day, Instant, Ref, Slug, Text


class ExitReason(StrEnum):
    """The reasons for leaving (C27). Sunk cost is no reason to stay."""

    TERM_ENDS = "term-ends"
    NO_LONGER_RELEVANT = "no-longer-relevant"
    STRATEGIC_CHANGE = "strategic-change"
    EXTERNAL_FACTORS = "external-factors"
    UNDERPERFORMANCE = "underperformance"
    BREACH = "breach"


# --- breach ------------------------------------------------------------------------------------


class _Breach(Value):
    breach: Ref
    """The identifier of the breach."""
    section: Section
    """The section of the agreement that was broken."""
    description: Text
    """What was broken, and how it can be cured."""


class GiveBreachNotice(_Breach, Command):
    """Give notice of a breach. The other party has the agreed cure period to end it (C27)."""

    stages = RUNNING | LEAVING
    ends_with_exit = True


class BreachNoticeGiven(_Breach, Event):
    """A party gave notice of a breach, and the cure period began (C27)."""

    by: Slug
    """The party that is in breach."""
    cure_by: Day
    """The last day of the cure period."""


class BreachCured(
    BilateralAgreement,
    name="Cure",
    subject="that a breach is cured (C27)",
    stages=RUNNING | LEAVING,
    ends_with_exit=True,
    identity=("breach",),
    counted=None,
):
    """Both parties agreed that a breach was cured (C27).

    The party that gave notice of it agrees alone.
    """

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    breach: Ref
    """The identifier of the breach."""
    how: Text
    """What was done."""

    @classmethod
    def check(cls, proposed: Any, context: "ExitContext") -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless notice of the breach was given, and it is not cured."""
        known = [name for name, each in context.exit.breaches.items() if not each.cured]
        if proposed.breach not in known:
            raise Unknown(
                "no-such-breach",
                "Only a breach of which notice was given, and that is not cured, can be cured. "
                f"There is no breach {proposed.breach}.",
                f"Name one of these breaches: {', '.join(known)}."
                if known
                else "Give notice of it first (GiveBreachNotice).",
                named=proposed.breach,
                known=known,
            )

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: "ExitContext", party: str) -> bool:  # noqa: ANN401 - made
        """Whether the party gave notice of the breach, so that its word ends the matter."""
        return context.exit.breaches[proposed.breach].party == party

    @classmethod
    def complete(cls, proposed: Any, context: "ExitContext", act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return no further fields. Raises `Refused` if it was cured meanwhile."""
        cls.check(proposed, context)
        return {}


ProposeCure = BreachCured.proposes
CureProposed = BreachCured.proposed
AgreeCure = BreachCured.accepts


# --- ways out ----------------------------------------------------------------------------------


class _Exit(Value):
    exit: Ref
    """The identifier of the exit."""
    reason: ExitReason
    """The reason, one of those that the playbook names."""
    explanation: Text
    """The reasons, in words."""
    effective_on: Day
    """The first day after the partnership. Nothing accrues from then on."""
    breach: Ref | None = None
    """The breach for which the party leaves, if that is the reason."""


class GiveExitNotice(_Exit, Command):
    """Give notice of the exit (C11, C27). While an exit is ahead, only a sooner one counts."""

    stages = RUNNING | LEAVING


class ExitNoticeGiven(_Exit, Event):
    """A party gave notice of the exit (C27)."""

    waived: list[str] = []
    """The rules that were waived."""


class ExitAgreed(
    BilateralAgreement,
    name="Exit",
    subject="an end of the partnership, without notice (C27)",
    stages=RUNNING | LEAVING,
    added=("agreed_at",),
    called="exit",
    identity=("exit",),
    counted=None,
):
    """Both parties agreed to end the partnership (C27)."""

    exit: Ref
    """The identifier of the exit."""
    explanation: Text
    """The reasons, in words."""
    effective_on: Day
    """The first day after the partnership. Nothing accrues from then on."""
    agreed_at: Instant
    """When the second party accepted."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the identifier is that of another exit."""
        _check_new(proposed.exit, context)

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the day is over, or would change nothing."""
        _check_ahead(context, act)
        _check_sooner(proposed.effective_on, context)
        today = context.terms.day(act.recorded_at)
        if proposed.effective_on < today:
            raise Refused(
                "exit-never-backwards",
                f"An exit cannot take effect on a day that is over. This one takes effect on "
                f"{proposed.effective_on}. Today is {today}.",
                "Propose an exit of today or later.",
                field="effective_on",
            )

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the effective day: both can still agree it on that day."""
        day: date = proposed.effective_on
        return day

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Return the time. Raises `Refused` if the day is over, or an exit has taken effect."""
        _check_new(proposed.exit, context)
        cls.check_new(proposed, context, act)
        return {"agreed_at": act.occurred_at}


ProposeExit = ExitAgreed.proposes
ExitProposed = ExitAgreed.proposed
AgreeExit = ExitAgreed.accepts


class ExitWithdrawn(
    BilateralAgreement,
    name="ExitWithdrawal",
    subject="that an exit is withdrawn before it takes effect (C27)",
    stages=LEAVING,
    added=("still_ends_on", "agreed_at"),
    counted=None,
):
    """Both parties withdrew an exit, and the partnership goes on (C27)."""

    proposal: Ref
    """The identifier of the proposal."""
    exit: Ref
    """The exit that is withdrawn."""
    explanation: Text
    """The reasons, in words."""
    still_ends_on: Day | None = None
    """The effective day of another exit that was not withdrawn; null if there is none."""
    agreed_at: Instant
    """When the second party accepted."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if there is no such exit."""
        known = [each.id for each in _not_withdrawn(context.terms)]
        if proposed.exit not in known:
            raise Unknown(
                "no-such-exit",
                f"Only an exit that is ahead can be withdrawn. There is no exit {proposed.exit}.",
                f"Name one of these exits: {', '.join(known)}.",
                named=proposed.exit,
                known=known,
            )

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401, ARG003 - made
        """Raise `Refused` if an exit took effect."""
        _check_ahead(context, act)

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the last day before the exit that is ahead takes effect."""
        return exit_on - timedelta(days=1) if exit_on else None

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Return the exit that is left, and the time. Raises `Refused` if an exit took effect."""
        _check_ahead(context, act)
        left = context.terms.without_exit(proposed.exit).exit
        return {"still_ends_on": left, "agreed_at": act.occurred_at}


ProposeExitWithdrawal = ExitWithdrawn.proposes
ExitWithdrawalProposed = ExitWithdrawn.proposed
AgreeExitWithdrawal = ExitWithdrawn.accepts


def _not_withdrawn(terms: TermsByDay) -> list[terms_by_day.Exit]:
    return [each for each in terms.exits if each.id not in terms.withdrawn]


def _check_new(name: str, context: PartnershipContext) -> None:
    if name in {each.id for each in context.terms.exits}:
        raise Refused(
            "exit-exists",
            f"Each exit has an identifier of its own. Exit {name} is on record already.",
            "Use a new identifier.",
            field="exit",
        )


def _check_sooner(effective_on: date, context: PartnershipContext) -> None:
    ends_on = context.terms.exit
    if ends_on is not None and effective_on >= ends_on:
        raise Refused(
            "exit-not-sooner",
            f"The partnership already ends on {ends_on}. An exit on {effective_on} would change "
            "nothing.",
            "Choose an earlier day, or first withdraw the exit that is ahead "
            "(ProposeExitWithdrawal).",
            field="effective_on",
        )


def took_effect(terms: TermsByDay, moment: datetime) -> bool:
    """Return whether an exit has taken effect at a moment."""
    return terms.exit is not None and terms.midnight(terms.exit) <= moment


def _check_ahead(context: PartnershipContext, act: Act) -> None:
    terms = context.terms
    if took_effect(terms, act.recorded_at):
        raise NotNow(
            "exit-took-effect",
            f"An exit can change only before it takes effect. This one took effect on "
            f"{terms.exit}.",
            "Complete the exit.",
        )


# --- after it ----------------------------------------------------------------------------------


class AssetsDispositioned(
    BilateralAgreement,
    name="Disposition",
    subject="what happens to a shared asset at the exit (C11, C27)",
    stages=LEAVING,
    identity=("asset",),
    counted=None,
    replaces=True,
):
    """Both parties agreed that a shared asset is transferred or retained (C27)."""

    proposal: Ref
    """The identifier of the proposal."""
    asset: Slug
    """The identifier of the shared asset."""
    disposition: Assets
    """Whether the asset is transferred or retained."""
    to: Slug
    """The party that keeps or receives the asset."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the asset goes to one of the two."""
        check_parties([proposed.to], context.parties)


ProposeDisposition = AssetsDispositioned.proposes
DispositionProposed = AssetsDispositioned.proposed
AgreeDisposition = AssetsDispositioned.accepts


class PartnershipExited(
    BilateralAgreement,
    name="Completion",
    subject="that the exit is complete, and which obligations survive it (C27)",
    stages=LEAVING,
    added=("waived",),
    counted=None,
):
    """Both parties completed the exit, and the partnership ended (C27)."""

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    tail_obligations: list[Text] = []
    """The obligations that survive the exit: disputes, confidentiality, open payments."""
    waived: list[str] = []
    """The rules that were waived."""

    @classmethod
    def check_new(cls, proposed: Any, context: "ExitContext", act: Act) -> None:  # noqa: ANN401, ARG003 - made
        """Raise `GateClosed` unless the exit took effect and is settled (C27)."""
        passing("the end", _settled(context, act), context.partnership)

    @classmethod
    def complete(cls, proposed: Any, context: "ExitContext", act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Pass the gate to the end (C27)."""
        return {"waived": passing("the end", _settled(context, act), context.partnership)}


ProposeCompletion = PartnershipExited.proposes
CompletionProposed = PartnershipExited.proposed
AgreeCompletion = PartnershipExited.accepts

ENDINGS: Final[tuple[type[Event], ...]] = (ExplorationClosed, NegotiationEnded, PartnershipExited)
"""The events that end a partnership, each in its stage. Nothing is open or planned after one."""


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Breach:
    """A breach: its notice, the party that gave it, and whether that party confirmed the cure."""

    notice: BreachNoticeGiven
    party: str
    cured: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice of exit, and the party that gave it."""

    given: ExitNoticeGiven
    party: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Breaches, notices, and what the exit settled."""

    breaches: Mapping[str, Breach] = field(default_factory=dict)
    notices: Mapping[str, Notice] = field(default_factory=dict)
    settlement: FinalSettlementIssued | None = None


class ExitContext(NamedTuple):
    """What the agreements of an exit depend on."""

    exit: Exit
    partnership: PartnershipContext


# --- decisions ---------------------------------------------------------------------------------


ExitCommand = GiveBreachNotice | GiveExitNotice | BilateralCommand

ExitCommands: tuple[type[Command], ...] = (
    GiveBreachNotice,
    GiveExitNotice,
    ProposeCure,
    AgreeCure,
    ProposeCompletion,
    AgreeCompletion,
)
"""The commands that are decided here."""


def decide(command: ExitCommand, state: Exit, context: PartnershipContext, act: Act) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    match command:
        case GiveBreachNotice():
            return give_breach_notice(command, state, context, act)
        case GiveExitNotice():
            return give_notice(command, state, context, act)
        case BilateralCommand():
            return context.agreements.decide(command, ExitContext(state, context), act)
        case _:
            assert_never(command)


def give_breach_notice(
    command: GiveBreachNotice, state: Exit, context: PartnershipContext, act: Act
) -> list[Event]:
    """Give notice of a breach; its cure period is counted from the recording (C27).

    What is broken again after it was cured is another breach.
    """
    existing = state.breaches.get(command.breach)
    if existing is not None:
        if existing.party != act.party or existing.cured:
            cured = " It was cured." if existing.cured else ""
            raise Refused(
                "breach-exists",
                "Each breach has an identifier of its own. "
                f"{existing.party} gave notice of breach {command.breach}.{cured}",
                "Use a new identifier.",
                field="breach",
            )
        event = BreachNoticeGiven.of(
            command, by=existing.notice.by, cure_by=existing.notice.cure_by
        )
        return recorded_once(event, existing.notice, f"The notice of breach {command.breach}")
    today = context.terms.day(act.recorded_at)
    cure_by = add(today, context.terms.frame(today).cure_period)
    return [BreachNoticeGiven.of(command, by=context.other(act.party), cure_by=cure_by)]


def give_notice(
    command: GiveExitNotice, state: Exit, context: PartnershipContext, act: Act
) -> list[Event]:
    """Give notice in time. Two reasons need a chance for the other party first (C27).

    Each party can leave sooner than the other one does.
    """
    existing = state.notices.get(command.exit)
    if existing and existing.party == act.party and command.exit not in context.terms.withdrawn:
        event = ExitNoticeGiven.of(command, waived=existing.given.waived)
        return recorded_once(event, existing.given, f"The notice of exit {command.exit}")
    _check_new(command.exit, context)
    _check_ahead(context, act)
    _check_sooner(command.effective_on, context)
    # Notice counts from its recording, not from its claimed day.
    terms = context.terms
    day = terms.day(act.recorded_at)
    # Leaving for a breach needs no notice, but the effective day cannot lie in the past.
    needs_none = terms.start is None or command.reason is ExitReason.BREACH
    notice = "P0D" if needs_none else terms.frame(day).notice
    last_day = subtract(command.effective_on, notice)
    asked = [
        Requirement(
            "notice-period",
            day <= last_day,
            f"To leave on {command.effective_on}, notice was due by {last_day}. Today is {day}.",
            f"Choose an effective day at least {in_words(notice)} after the day of notice, or "
            "agree an earlier one with the other party (ProposeExit).",
            fitting={"effective_on": _first_after(day, notice)},
        ),
    ]
    if command.reason is ExitReason.UNDERPERFORMANCE:
        asked += _improvement_was_tried(context, act.party, day)
    if command.reason is ExitReason.BREACH:
        asked += _cure_was_awaited(command.breach, state, context.agreements, act.party, day)
    waived = passing("exit", asked, context)
    return [ExitNoticeGiven.of(command, waived=waived)]


def _first_after(day: date, notice: str) -> date:
    """Return the first day for which notice can still be given on `day`."""
    found = add(day, notice)
    while subtract(found, notice) < day:
        found += timedelta(days=1)
    return found


def _improvement_was_tried(
    context: PartnershipContext, party: str, day: date
) -> Iterator[Requirement]:
    """Yield what leaving for underperformance requires (C23, C27).

    A plan was agreed, its time is over, and it was not met. Or the other party declined the plan
    that `party` proposed, or left it unanswered until its deadline and beyond the agreed days for
    an answer.
    """
    agreed_until = plan_deadline(context.agreements)
    met = {each.plan for each in context.agreements.of(ImprovementPlanCompleted) if each.met}
    agreed = {each.plan for each in context.agreements.of(ImprovementPlanAgreed)}
    proposals = context.agreements.proposals_of(ImprovementPlanAgreed).values()
    unwilling = any(_was_refused(each, party, day, context.terms) for each in proposals)
    yield Requirement(
        "improvement-plan-first",
        bool(agreed - met) or unwilling,
        "Both parties met every improvement plan that they agreed."
        if agreed
        else "No improvement plan was tried: none was agreed, none was declined, and none is "
        "unanswered past its deadline and the last day for an answer.",
        "Diagnose the cause, then propose a plan (DiagnoseRootCause, ProposeImprovementPlan).",
    )
    yield Requirement(
        "improvement-deadline",
        agreed_until is None or day > agreed_until,
        f"The agreed improvement plan runs until {agreed_until}.",
        "Give notice after that day.",
    )


def _was_refused(plan: Proposal, party: str, day: date, terms: TermsByDay) -> bool:
    deadline: date = plan.proposed.deadline  # type: ignore[attr-defined] # of an improvement plan
    known = terms.day(plan.known_at)
    lapsed = isinstance(plan.lapsed, ProposalLapsed) and plan.lapsed.last_day is not None
    is_over = deadline < day and terms.answer_until(known) < day
    unanswered = (plan.is_open or lapsed) and is_over
    return plan.party == party and (plan.declined is not None or unanswered)


def _cure_was_awaited(
    name: str | None, state: Exit, agreements: BilateralAgreements, party: str, day: date
) -> Iterator[Requirement]:
    """Yield what leaving for a breach requires: its notice, and a cure period that is over.

    A cure that the other party proposed is answered first.
    """
    breach = state.breaches.get(name or "")
    known = breach is not None and breach.party == party
    yield Requirement(
        "breach-notice-first",
        known,
        f"{party} gave no notice of a breach {name}." if name else "No breach is named.",
        "Give notice of the breach (GiveBreachNotice), and name it in the notice of the exit.",
    )
    if breach is None or not known:
        return
    yield Requirement(
        "cure-period",
        breach.cured or day > breach.notice.cure_by,
        f"The other party can cure breach {name} until {breach.notice.cure_by}.",
        "Give notice after that day.",
    )
    yield Requirement(
        "breach-not-cured",
        not breach.cured,
        f"{party} confirmed that breach {name} was cured.",
        "Give another reason, or notice of another breach.",
    )
    yield Requirement(
        "cure-answered",
        not any(
            each.is_open and each.proposed.breach == name  # type: ignore[attr-defined] # of a cure
            for each in agreements.proposals_of(BreachCured).values()
        ),
        f"The other party says that breach {name} is cured, and waits for the answer.",
        "Agree that it is cured (AgreeCure), or decline that with the reason (DeclineProposal).",
    )


def _settled(context: ExitContext, act: Act) -> list[Requirement]:
    """Return what the end requires: the effective day, the settlement and the assets (C27)."""
    terms = context.partnership.terms
    effective_on = terms.exit or terms.day(act.occurred_at)
    return [
        Requirement(
            "effective-date",
            act.occurred_at >= terms.midnight(effective_on),
            f"The exit takes effect on {effective_on}.",
            "Complete the exit on that day or later.",
        ),
        Requirement(
            "final-settlement",
            context.exit.settlement is not None,
            "The final settlement is not issued.",
            "Issue the final settlement (IssueFinalSettlement).",
        ),
        Requirement(
            "assets-dispositioned",
            bool(context.partnership.agreements.of(AssetsDispositioned)),
            "No shared asset is transferred or retained.",
            "Agree what happens to the shared assets (ProposeDisposition, AgreeDisposition).",
        ),
    ]


def evolve(state: Exit, event: Event, act: Act) -> Exit:
    """Fold an event of this stage into its state."""
    match event:
        case ExitNoticeGiven():
            return replace(state, notices={**state.notices, event.exit: Notice(event, act.party)})
        case BreachNoticeGiven():
            noticed = Breach(event, act.party)
            return replace(state, breaches={**state.breaches, event.breach: noticed})
        case BreachCured(breach=name) if name in state.breaches:
            cured = replace(state.breaches[name], cured=True)
            return replace(state, breaches={**state.breaches, name: cured})
        case FinalSettlementIssued():
            return replace(state, settlement=event)
        case _:
            return state


def terms_after(terms: TermsByDay, event: Event) -> TermsByDay:
    """Return the terms by day after an event: terms, a renewal or a notice of exit change them."""
    match event:
        case CommercialTermsAgreed():
            return terms.with_agreement(event)
        case PartnershipRenewed():
            made = terms_by_day.Renewal(event.agreed_at, event.proposal, event.duration)
            return terms.with_renewal(made)
        case ExitNoticeGiven() | ExitAgreed():
            return terms.with_exit(terms_by_day.Exit(event.effective_on, event.exit))
        case ExitWithdrawn():
            return terms.without_exit(event.exit)
        case _:
            return terms
