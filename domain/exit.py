"""Exit: one party gives notice or both end the partnership, and what is open is settled (C27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import assert_never

from domain import terms_by_day
from domain.agreement import CommercialTermsAgreed
from domain.calendar import add, in_words, subtract
from domain.context import PartnershipContext
from domain.execution import plan_deadline
from domain.gates import Requirement, passing
from domain.kernel import RUNNING, Act, Command, Event, recorded_once
from domain.renewal import PartnershipRenewed
from domain.settlement import LEAVING, FinalSettlementIssued
from domain.terms import Assets, check_parties
from domain.terms_by_day import TermsByDay
from domain.values import Day, Slug, Text


class ExitReason(StrEnum):
    """The reasons for leaving (C27). Sunk cost is no reason to stay."""

    TERM_ENDS = "term-ends"
    NO_LONGER_RELEVANT = "no-longer-relevant"
    UNDERPERFORMANCE = "underperformance"
    BREACH = "breach"


class GiveExitNotice(Command):
    """Give notice of the exit (C11, C27)."""

    stages = RUNNING
    reason: ExitReason
    """The reason, one of those that the playbook names."""
    explanation: Text
    """The reasons, in words."""
    effective_on: Day
    """The first day after the partnership. Nothing accrues from then on."""


class ExitNoticeGiven(Event):
    """A party gave notice of the exit (C27)."""

    reason: ExitReason
    """The reason, one of those that the playbook names."""
    explanation: Text
    """The reasons, in words."""
    effective_on: date
    """The first day after the partnership. Nothing accrues from then on."""
    waived: list[str] = []
    """The rules that were waived."""


class DispositionAssets(Command):
    """Decide what happens to a shared asset (C11, C27)."""

    stages = LEAVING
    asset: Slug
    """The identifier of the shared asset."""
    disposition: Assets
    """Whether the asset is transferred or retained."""
    to: Slug
    """The party that keeps or receives the asset."""


class AssetsDispositioned(Event):
    """A shared asset was transferred or retained (C27)."""

    asset: Slug
    """The identifier of the shared asset."""
    disposition: Assets
    """Whether the asset is transferred or retained."""
    to: Slug
    """The party that keeps or receives the asset."""


class CompleteExit(Command):
    """Complete the exit after its effective date, with everything settled (C27)."""

    stages = LEAVING
    tail_obligations: list[Text] = []
    """The obligations that survive the exit: disputes, confidentiality, open payments."""


class PartnershipExited(Event):
    """The partnership ended (C27)."""

    tail_obligations: list[str]
    """The obligations that survive the exit."""
    waived: list[str] = []
    """The rules that were waived."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The notice if one was given, and what the exit settled."""

    notice: ExitNoticeGiven | None = None
    settlement: FinalSettlementIssued | None = None
    assets: Mapping[str, AssetsDispositioned] = field(default_factory=dict)


ExitCommand = GiveExitNotice | DispositionAssets | CompleteExit


def decide(command: ExitCommand, state: Exit, context: PartnershipContext, act: Act) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    match command:
        case GiveExitNotice():
            return give_notice(command, context, act)
        case DispositionAssets():
            return disposition(command, state, context)
        case CompleteExit():
            return complete(command, state, context, act)
        case _:
            assert_never(command)


def give_notice(command: GiveExitNotice, context: PartnershipContext, act: Act) -> list[Event]:
    """Give notice in time. Underperformance needs an improvement plan that has ended (C27)."""
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
            f"Choose an effective day at least {in_words(notice)} after the day of notice.",
            waivable=False,
            fitting={"effective_on": _first_after(day, notice)},
        ),
    ]
    if command.reason is ExitReason.UNDERPERFORMANCE:
        asked += _improvement_was_tried(context, day)
    waived = passing("exit", asked, context)
    return [ExitNoticeGiven.of(command, waived=waived)]


def _first_after(day: date, notice: str) -> date:
    """Return the first day for which notice can still be given on `day`."""
    found = add(day, notice)
    while subtract(found, notice) < day:
        found += timedelta(days=1)
    return found


def _improvement_was_tried(context: PartnershipContext, day: date) -> list[Requirement]:
    deadline = plan_deadline(context.agreements)
    return [
        Requirement(
            "improvement-plan-first",
            deadline is not None,
            "No improvement plan with a deadline was agreed.",
            "Diagnose the cause, then agree a plan (DiagnoseRootCause, ProposeImprovementPlan, "
            "AgreeImprovementPlan).",
            waivable=False,
        ),
        Requirement(
            "improvement-deadline",
            deadline is None or day > deadline,
            f"The agreed improvement plan runs until {deadline}.",
            "Give notice after that day.",
            waivable=False,
        ),
    ]


def disposition(
    command: DispositionAssets, state: Exit, context: PartnershipContext
) -> list[Event]:
    """Record once what happens to an asset (C27)."""
    event = AssetsDispositioned.of(command)
    check_parties([command.to], context.parties)
    existing = state.assets.get(command.asset)
    return recorded_once(event, existing, f"The disposition of {command.asset}")


def complete(
    command: CompleteExit, state: Exit, context: PartnershipContext, act: Act
) -> list[Event]:
    """End the partnership after its effective day, once it is settled (C27)."""
    terms = context.terms
    effective_on = terms.exit or terms.day(act.occurred_at)
    asked = [
        Requirement(
            "effective-date",
            act.occurred_at >= terms.midnight(effective_on),
            f"The exit takes effect on {effective_on}.",
            "Complete the exit on that day or later.",
            waivable=False,
        ),
        Requirement(
            "final-settlement",
            state.settlement is not None,
            "The final settlement is not issued.",
            "Issue the final settlement (IssueFinalSettlement).",
            waivable=False,
        ),
        Requirement(
            "assets-dispositioned",
            bool(state.assets),
            "No shared asset is transferred or retained.",
            "Record what happens to the shared assets (DispositionAssets).",
        ),
    ]
    waived = passing("the end", asked, context)
    return [PartnershipExited.of(command, waived=waived)]


def evolve(state: Exit, event: Event) -> Exit:
    """Fold an event of this stage into its state."""
    match event:
        case ExitNoticeGiven():
            return replace(state, notice=event)
        case FinalSettlementIssued():
            return replace(state, settlement=event)
        case AssetsDispositioned():
            return replace(state, assets={**state.assets, event.asset: event})
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
        case ExitNoticeGiven():
            return terms.with_exit(event.effective_on)
        case _:
            return terms
