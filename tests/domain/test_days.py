"""Everything that has a day: what sets it, who is reminded, what is alerted, how it is changed.

The rows come from `domain.deadlines.table` and `domain.standing_alerts`. Each field of an event
that holds a day is in a row, or in the list of days on which nothing falls due, with the reason.
The table is the page `docs/days.md`. After a change that is meant, write it anew:
`python -m tests.domain.test_days`.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeGuard, get_args

import pytest
from pydantic import BaseModel

from domain.aggregates import command_types, event_types
from domain.agreement import CommercialTermsAgreed, ProposeTerms
from domain.bilateral import BilateralAgreement, BilateralProposed
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.deadlines.fold import OF_THE_PLAN
from domain.deadlines.rule import DeadlineRule
from domain.deadlines.table import RULES
from domain.declarations import Declaration
from domain.execution import CommitmentCancelled, MilestoneReached, given_up
from domain.exit import BreachCured, ExitWithdrawn
from domain.experiment import PilotStarted
from domain.health import ProposeTarget
from domain.kernel import Event, Stage
from domain.lapsing import ends_with_exit
from domain.standing_alerts import (
    ASKS_NOBODY,
    ATTRIBUTION_CONTESTED,
    AUDIT_FAILED,
    BY_RULE,
    CLAIM_AWAITS,
    COMMITMENT_LOWERED,
    CORRECTION_TAKES,
    CREDITED_TWICE,
    DEPENDENCY_HIGH,
    DISPUTE_OPENED,
    DUE_SOON,
    ENTRY_WITHOUT_TERMS,
    FIGURES_DIFFER,
    HEALTH_DIVERGES,
    HEALTH_LOW,
    LEAD_AWAITS,
    LEAD_REJECTED,
    LEAD_UNANSWERED,
    OBJECTIVE_MISSED,
    REFERRAL_MINIMUM,
    STANDING_ALERTS,
    STATEMENT_OVERDUE,
    WHILE_UNPAID,
    StandingAlert,
    asked,
    author,
    both,
    office_of,
    other,
    owner,
)
from tests.documents import REPOSITORY
from tests.life import OURS, at, changed, example

PAGE = REPOSITORY / "docs/days.md"


class Words(NamedTuple):
    """What the code does not say of a kind of deadline."""

    what: str
    due: str
    term: str
    """What sets the day."""
    fields: tuple[str, ...] = ()
    """The fields of events that hold the day."""


WORDS: Final = {
    DeadlineKind.PERIOD: Words(
        "a month or a quarter, whose figures are judged",
        "at its end",
        "the calendar, in the time zone of the terms",
    ),
    DeadlineKind.MILESTONE: Words(
        "a milestone", "at the end of its day", "the milestone", ("MilestonePlanned/due",)
    ),
    DeadlineKind.REVIEW: Words(
        "a review", "at the end of its day", "the schedule", ("ReviewScheduled/at",)
    ),
    DeadlineKind.ANSWER: Words(
        "the answer to a proposal",
        "at the end of its last day",
        "`days.answer_days` of the terms, 14 unless agreed otherwise; sooner if it can no longer "
        "be accepted then",
    ),
    DeadlineKind.LAPSE: Words(
        "the last day on which a proposal can be accepted",
        "at the end of that day; the proposal then lapses",
        "the proposal: of an exit, its withdrawal, an improvement plan, a pause, a charter, a "
        "target or an adoption",
        ("ProposalLapsed/last_day",),
    ),
    DeadlineKind.SIGNATURE: Words(
        "the signature of each party under a draft of the agreement",
        "at the end of its last day",
        "`days.answer_days` of the terms, 14 unless agreed otherwise; sooner if an exit takes "
        "effect then",
    ),
    DeadlineKind.CONFIRMATION: Words(
        "the confirmation of an act by a second person of its party",
        "at the end of its last day; the act then lapses",
        "`second_person_above` and `days.answer_days` of the terms",
        ("SecondPersonAsked/confirm_by",),
    ),
    DeadlineKind.CADENCE: Words(
        "the next review, health check or audit of each kind",
        "one interval after the last one; a health check of each party after its own",
        "`cadence` of the terms",
    ),
    DeadlineKind.ACTION: Words(
        "an action", "at the end of its day", "the action", ("ActionAgreed/due",)
    ),
    DeadlineKind.ONBOARDING: Words(
        "a step of the onboarding plan",
        "at the end of its day",
        "the step",
        ("OnboardingStepAgreed/due",),
    ),
    DeadlineKind.CONTRIBUTION: Words(
        "a promised contribution",
        "at the end of the last day of its period",
        "the promise",
    ),
    DeadlineKind.CAMPAIGN_START: Words(
        "the first day of a campaign",
        "on that day",
        "the campaign",
        ("CampaignAgreed/first_day",),
    ),
    DeadlineKind.CAMPAIGN: Words(
        "the end of a campaign",
        "at the end of its last day",
        "the campaign",
        ("CampaignAgreed/last_day",),
    ),
    DeadlineKind.ISSUE: Words(
        "an issue",
        "48 hours after it was raised, unless the terms give other hours; then each next step",
        "`escalation` of the terms of the day on which it was raised: the `hours` of each step",
    ),
    DeadlineKind.IMPROVEMENT: Words(
        "an improvement plan",
        "at the end of its last day",
        "the plan",
        ("ImprovementPlanAgreed/deadline",),
    ),
    DeadlineKind.PAUSE: Words(
        "a pause", "at the end of its last day", "the pause", ("ActivityPaused/last_day",)
    ),
    DeadlineKind.NOTICE_WARNING: Words(
        "the reminder of the notice",
        "30 days before the last day for notice",
        "`duration` and `notice` of the terms, and renewals",
        ("PartnershipRenewed/ends_on",),
    ),
    DeadlineKind.NOTICE: Words(
        "the notice",
        "at the end of the last day for it",
        "`duration` and `notice` of the terms, and renewals",
    ),
    DeadlineKind.TERM_END: Words(
        "the term",
        "at its end",
        "`starts_on` and `duration` of the terms, and renewals",
        ("CommercialTermsAgreed/frame/starts_on",),
    ),
    DeadlineKind.EXIT: Words(
        "an exit",
        "on the day on which it takes effect",
        "the notice of the exit, or the exit that both agreed",
        ("ExitNoticeGiven/effective_on", "ExitAgreed/effective_on", "ExitWithdrawn/still_ends_on"),
    ),
    DeadlineKind.CURE: Words(
        "the cure of a breach",
        "at the end of the last day of the cure period",
        "`cure_period` of the terms",
        ("BreachNoticeGiven/cure_by",),
    ),
    DeadlineKind.STATEMENT: Words(
        "a statement or a final settlement",
        "at the end of its due day",
        "`due_days` of the terms",
        ("StatementIssued/due_on", "FinalSettlementIssued/due_on"),
    ),
    DeadlineKind.FIGURE: Words(
        "a figure of an objective, or of a line of data sharing",
        "at the end of its last day",
        "`days.figure_days` of the terms after its period; before the next period of its frequency "
        "ends, if no days are agreed",
    ),
    DeadlineKind.OBJECTIVE: Words(
        "an objective of the charter",
        "at the end of its deadline",
        "the objective",
        ("CharterAgreed/charter/objectives/deadline", "TargetAdjusted/deadline"),
    ),
    DeadlineKind.SILENCE: Words(
        "the answer to a lead or a claim",
        "when silence confirms it",
        "`claims.confirm_within_days` of the terms",
    ),
}

ALERTED, DONE, MOVED, GIVEN_UP = "alerted", "done", "moved", "given up"

SET_BY: Final = {
    DeadlineKind.STATEMENT: "`IssueStatement`, `IssueFinalSettlement`",
    DeadlineKind.SILENCE: ("`SubmitReferral`, and every fact that the party that gains states"),
    DeadlineKind.FIGURE: (
        "`ProposeCharter`, `ProposeDataSharing`, for each period of their frequency"
    ),
    DeadlineKind.LAPSE: (
        "`ProposeExit`, `ProposeExitWithdrawal`, `ProposeImprovementPlan`, `ProposePause`, "
        "`ProposeCharter`, `ProposeTarget`, `ProposeAdoption`"
    ),
    DeadlineKind.SIGNATURE: "`AgreementDrafted`",
    DeadlineKind.CONFIRMATION: "an act above the agreed amount",
    DeadlineKind.ANSWER: "every proposal",
}
"""What sets a deadline, where the table of the code does not name it."""

ENDED: Final = "`WithdrawProposal`, an event that makes it lapse"

BY_AN_EXIT: Final = "an exit after which nobody can answer: to the day before it"

SAID_SHORTER: Final = {
    DeadlineKind.STATEMENT: {DONE: "`RecordPayout`"},
    DeadlineKind.SILENCE: {DONE: "`ConfirmClaim`, `ObjectToClaim`"},
    DeadlineKind.FIGURE: {
        DONE: "`ReportMetric`",
        GIVEN_UP: (
            "`ProposeCharter`, `ProposeTarget` or `ProposeDataSharing` without it; an exit that "
            "takes effect before its period is over"
        ),
    },
    # Who ends a pause resumes what it stopped.
    DeadlineKind.PAUSE: {DONE: "`ProposeCancellation`", GIVEN_UP: ""},
    DeadlineKind.LAPSE: {MOVED: BY_AN_EXIT, GIVEN_UP: ENDED},
    DeadlineKind.SIGNATURE: {
        DONE: "`AgreementSigned`, another draft, `DeclineProposal`",
        MOVED: BY_AN_EXIT,
        GIVEN_UP: "`WithdrawProposal`",
    },
    DeadlineKind.CONFIRMATION: {
        DONE: "`ConfirmAct`, the same act again after it lapsed",
        GIVEN_UP: "`WithdrawAct`",
    },
    DeadlineKind.ANSWER: {MOVED: BY_AN_EXIT, GIVEN_UP: ENDED},
}
"""What does it and gives it up, where the table of the code does not name it."""

OF_THE_LEDGER: Final = {
    DeadlineKind.STATEMENT: (STATEMENT_OVERDUE,),
    DeadlineKind.SILENCE: (LEAD_AWAITS, CLAIM_AWAITS),
    DeadlineKind.OBJECTIVE: (OBJECTIVE_MISSED,),
}
"""The alerts on deadlines that facts of other streams decide."""

NOT_REMINDED: Final = {
    DeadlineKind.PERIOD: "nobody acts",
    DeadlineKind.NOTICE_WARNING: "it is one",
    DeadlineKind.LAPSE: "that of its answer",
}
"""Why nobody is reminded of a kind."""

NONE_OF: Final = {
    (DeadlineKind.PERIOD, ALERTED): "none: each figure that is missing has its own",
    (DeadlineKind.PERIOD, DONE): "nothing: the clock records it",
    (DeadlineKind.PERIOD, MOVED): "never: the calendar sets it",
    (DeadlineKind.PERIOD, GIVEN_UP): "never",
    (DeadlineKind.FIGURE, MOVED): "`ProposeTerms`, for later periods",
    (DeadlineKind.STATEMENT, MOVED): "never: the terms count the days from its issue",
    (DeadlineKind.STATEMENT, GIVEN_UP): "never: what is owed stays owed",
    (DeadlineKind.SILENCE, MOVED): "never: the terms count the days from the claim",
    (DeadlineKind.SILENCE, GIVEN_UP): "never: silence answers it",
    (DeadlineKind.ISSUE, MOVED): "never: the terms count the hours",
    (DeadlineKind.ISSUE, GIVEN_UP): "never: both resolve it",
    (DeadlineKind.OBJECTIVE, DONE): "nothing: its figures decide",
    (DeadlineKind.CAMPAIGN_START, ALERTED): "none: nobody has to say that it began",
    (DeadlineKind.NOTICE, ALERTED): "none: nobody has to give notice",
    (DeadlineKind.NOTICE, DONE): "nothing: nobody has to give notice",
    (DeadlineKind.TERM_END, DONE): "nothing: the day ends it",
    (DeadlineKind.EXIT, DONE): "`PartnershipExited`",
    (DeadlineKind.CURE, MOVED): "never: the cure period is agreed",
    (DeadlineKind.CONFIRMATION, MOVED): "never: the act can be sent again",
    (DeadlineKind.LAPSE, ALERTED): "none: the proposal has lapsed",
}
"""Why a kind has no alert, or nothing that does it, moves it or gives it up."""

NOT_DUE: Final = {
    "The day on which something happened": """
        AgreementAdopted/signed_on AnnualReviewHeld/held_at ReviewHeld/held_at
        ClaimConfirmed/fact_at ClaimObjected/fact_at
        KeyRecovered/lost_since KeyRevoked/lost_since
        CommercialTermsAgreed/agreed_at ExitAgreed/agreed_at ExitWithdrawn/agreed_at
        PartnershipAdopted/charter_agreed_on PartnershipAdopted/contract/signed_on
        PartnershipAdopted/since PartnershipAdopted/terms/agreed_on PartnershipRenewed/agreed_at
        PaymentCorrected/happened_at ReferralAttributed/touched_at RefundCorrected/fact_at
        RefundCorrected/happened_at VariantObserved/day WinCorrected/fact_at
        WinCorrected/happened_at""",
    "The first or the last day on which something applies; nobody has to do anything": """
        CommercialTermsAgreed/effective_from CommercialTermsAgreed/until
        DataSharingAgreed/lines/until IncentiveIntroduced/from_day
        IncentiveIntroduced/until ManagerRotated/effective_on
        PartnershipAdopted/books/settles_from PartnershipAdopted/terms/effective_from
        PartnershipAdopted/terms/frame/starts_on PartnershipAdopted/terms/until
        PaymentCorrected/covers_from PaymentReceived/covers_from""",
    "The day of something that another event plans or has planned": """
        ObjectiveAgreed/objective/deadline PartnershipAdopted/charter/objectives/deadline
        IssueEscalated/raised_at MilestoneMissed/due ReminderGiven/due ReviewMissed/at""",
}
"""The days that no deadline follows from, by the reason."""

NO_DAY: Final = {
    "Money accrues over this time, or until then; statements say when it is paid": """
        Hybrid/every LicenceFee/every Retainer/every RevenueShare/months tail_months""",
    "It looks back from a fact": "AttributionPolicy/window_days",
}
"""The times in the terms from which no day follows, by the reason."""

COLUMNS = (
    "what is due", "when", "set by", "agreed in", "reminder", "alert when it is overdue",
    "whom both name", "done by", "moved by", "given up by",
)  # fmt: skip


# --- fields ------------------------------------------------------------------------------------


def days_of(kind: Any, seen: tuple[type, ...] = ()) -> Iterator[str]:  # noqa: ANN401 - annotations
    """Yield the path to each day in a type, each part after a slash."""
    for each in get_args(kind):
        yield from days_of(each, seen)
    if isinstance(kind, type) and issubclass(kind, date):
        yield ""
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        for name, field in kind.model_fields.items():
            yield from (f"/{name}{rest}" for rest in days_of(field.annotation, (*seen, kind)))


def every_day() -> set[str]:
    """Return each field of an event that holds a day; a proposal has those of what it proposes."""
    kinds = [each for each in event_types().values() if not issubclass(each, BilateralProposed)]
    return {f"{each.wire}{path}" for each in kinds for path in days_of(each)}


DURATION: Final = "^P("
"""What the pattern of a duration begins with."""


def times_of_terms() -> Iterator[str]:
    """Yield each duration, and each number of hours, days or months, in what terms are made of."""
    for model, schema in ProposeTerms.model_json_schema()["$defs"].items():
        for name, field in schema.get("properties", {}).items():
            counted = name.endswith(("hours", "days", "months")) and "$ref" not in str(field)
            if counted or DURATION in str(field):
                yield name if model in OF_THE_FRAME else f"{model}/{name}"


OF_THE_FRAME: Final = {"FrameChange", "DayRules", "ClaimRules", "EscalationStep"}
"""The models whose fields the page names without the model."""


# --- rows --------------------------------------------------------------------------------------


def _command(event: type[Event]) -> str:
    """Return the name of the command that an event follows from, or of the event."""
    if event is MilestoneReached:
        return "`ReachMilestone` of its owner, `ProposeMilestoneReached` of both"
    if issubclass(event, BilateralAgreement):
        return f"`{event.proposes.__name__}`"
    if issubclass(event, Declaration):
        return f"`{event.asks.__name__}`"
    return f"`{event.wire}`"


def _listed(events: Iterable[type[Event]]) -> str:
    return ", ".join(dict.fromkeys(map(_command, events)))


def _is_replan(event: type[Event], rule: DeadlineRule) -> bool:
    return issubclass(event, BilateralAgreement) and event in {x.event for x in rule.opened_by}


ENDS: Final = {"CommitmentCancelled", "ExitNoticeGiven", "ExitAgreed", "ExitWithdrawn"}
"""The events that give something up."""


def row(rule: DeadlineRule) -> str:
    """Return the row of a kind of deadline."""
    words, known = WORDS[rule.kind], ways(rule)
    set_by = SET_BY.get(rule.kind) or _listed(each.event for each in rule.opened_by)
    found = {name: each or NONE_OF[rule.kind, name] for name, each in known.items()}
    reminder = f"`{DUE_SOON}`" if rule.reminds_of else NOT_REMINDED[rule.kind]
    cells = [words.what, words.due, set_by, words.term, reminder]
    cells += [found[ALERTED], named(rule), found[DONE], found[MOVED], found[GIVEN_UP]]
    return f"| {' | '.join(cells)} |"


def ways(rule: DeadlineRule) -> dict[str, str]:
    """Return how a kind is alerted, done, moved and given up; empty for what it has not."""
    closes = [each.event for each in rule.closed_by]
    moves = [each for each in closes if _is_replan(each, rule) and each is not ExitWithdrawn]
    ends = [each for each in closes if each.wire in ENDS and each not in moves]
    does = [each for each in closes if each not in {*moves, *ends}]
    if rule.kind in OF_THE_PLAN:
        does.remove(DeadlinePassed)
    found = {
        ALERTED: ", ".join(f"`{each}`" for each in alerts_of(rule)),
        DONE: _listed(does),
        MOVED: _listed([CommercialTermsAgreed] if rule.kind is DeadlineKind.CADENCE else moves),
        GIVEN_UP: _listed(ends),
    } | SAID_SHORTER.get(rule.kind, {})
    if rule.kind in ANSWERS:
        found[DONE] = answered(rule)
    if rule.kind in OF_THE_PLAN:
        given_up = filter(None, [found[GIVEN_UP], "an exit that takes effect"])
        found[GIVEN_UP] = ", ".join(given_up)
    return found


ANSWERS: Final = {DeadlineKind.ANSWER, DeadlineKind.LAPSE}
"""The deadlines of proposals."""


def answered(rule: DeadlineRule) -> str:
    """Return what answers the proposals of a kind. Another proposal leaves the first one open."""
    kinds = [each.event.agreement for each in rule.opened_by if _proposes(each.event)]
    counters = sorted({f"`{each.counters.__name__}`" for each in kinds if each.counters})
    pilots = ["`StartPilot`"] if PilotStarted in {each.event for each in rule.closed_by} else []
    return ", ".join(["its acceptance", *counters, *pilots, "`DeclineProposal`"])


def _proposes(event: type[Event]) -> TypeGuard[type[BilateralProposed]]:
    return issubclass(event, BilateralProposed)


def alerts_of(rule: DeadlineRule) -> tuple[str, ...]:
    """Return the alerts that open once a day of a kind has passed."""
    return (rule.alert.rule,) if rule.alert else OF_THE_LEDGER.get(rule.kind, ())


def named(rule: DeadlineRule) -> str:
    """Return whom the reminder and the alert of a kind name, in words."""
    office, _ = office_of(DUE_SOON, f"{rule.kind}/it")
    if alerts := alerts_of(rule):
        named_by_alert = "; ".join(dict.fromkeys(who(BY_RULE[each]) for each in alerts))
        before = f"; before: {office.replace('-', ' ')}" if rule.kind is DeadlineKind.ISSUE else ""
        return named_by_alert + before
    return f"{WHO[asked]}: {office.replace('-', ' ')}" if rule.reminds_of else "nobody"


WHO: Final = {
    both: "both parties",
    asked: "the party that it is for, or both",
    owner: "its owner, or both",
    author: "the party that states it",
    other: "the other party",
}
"""Who acts on an alert that an event opens, in words."""

WHO_OF_FACTS: Final = {
    REFERRAL_MINIMUM: "the party that falls short",
    OBJECTIVE_MISSED: "both parties",
    FIGURES_DIFFER: "both parties",
    ATTRIBUTION_CONTESTED: "both parties",
    COMMITMENT_LOWERED: "the other party",
    LEAD_AWAITS: "the party that did not submit it",
    LEAD_UNANSWERED: "the party that did not submit it",
    LEAD_REJECTED: "the party that submitted it",
    CLAIM_AWAITS: "the party that did not state it",
    CORRECTION_TAKES: "the party that it takes money from",
    ENTRY_WITHOUT_TERMS: "both parties",
    STATEMENT_OVERDUE: "the payer",
    AUDIT_FAILED: "the party that audited",
    HEALTH_LOW: "both parties",
    HEALTH_DIVERGES: "both parties",
}
"""Who acts on an alert that is computed from facts."""


BY_TERMS: Final = {"issue-escalated": ", unless `escalation` of the terms names another office"}
"""The alerts of which the terms name the office that acts."""


def who(standing: StandingAlert) -> str:
    """Return who acts on an alert, in words."""
    named = {WHO[each.acts] for each in standing.opened_by} or {WHO_OF_FACTS[standing.rule]}
    (words,) = named
    office = standing.response.office.replace("-", " ")
    return f"{words}: {office}{BY_TERMS.get(standing.rule, '')}"


def every_alert() -> Iterator[str]:
    """Yield the row of each alert."""
    for each in STANDING_ALERTS:
        severity, because, _ = each.response
        yield (
            f"| `{each.rule}` | {each.kind} | {each.sentence} | {severity} | {because} "
            f"| {who(each)} |"
        )


NOTHING_DUE: Final = "## Days on which nothing falls due"


OF_BOTH: Final = (
    "What both parties own is done once both say so: "
    + ", ".join(
        f"{WORDS[rule.kind].what} (`{rule.both.proposes.__name__}`, `{rule.both.accepts.__name__}`)"
        for rule in RULES
        if rule.both not in {None, BreachCured}
    )
    + ". The first party proposes that it is done. From then on the reminder, the alert and the "
    "inbox name the other party alone, which agrees or declines with a reason. After a decline or "
    "a withdrawal they name both again. A breach is cured in the same way: the party in breach "
    "proposes that it is cured, from then on the other acts, and after a no the party in breach "
    "acts again.\n\n"
    "Other proposals can end an alert, too: to move a day, to cancel something, to call a risk "
    "mitigated, to end a dispute, to share a credit, to renew. Until such a proposal is answered, "
    "the alert names the party that answers it, and the inbox does not ask its author."
)
"""The rule of what both own, with the agreement of each."""

TO_ISSUE: Final = (
    "No terms set a last day for the issue of a statement, so none is overdue. From the first day "
    "after its period on, the inbox asks the side that issues it (`IssueStatement`)."
)
"""What has a first day and no last one."""


def page() -> str:
    """Return the page."""
    lines = [
        "# Days, reminders and alerts",
        "",
        "Everything that falls due on a day: what sets the day, who is reminded, which alert opens",
        "once it has passed, whom both name, and how it is moved or given up. The end of the",
        "partnership gives up all of it, but not what is owed. A reminder comes",
        "`days.remind_hours` before, 48 unless the terms say otherwise. A test writes this page",
        "(`python -m tests.domain.test_days`).",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *map(row, RULES),
        "",
        OF_BOTH,
        "",
        TO_ISSUE,
        "",
        "## Every alert",
        "",
        "An alert names the people who are in office on the day of the answer; a manager who",
        "handed over is out. Where a party has named nobody for an office, its partnership manager",
        "acts. A reminder is for the office that acts once the day has passed; of an issue, for",
        "the partnership managers, who can still resolve it. There is none for an issue that goes",
        "up as soon as the reminder would come. The breach of an agreed rule is a warning to both",
        "partnership managers.",
        "",
        "An alert has money at stake, by currency, as far as the record shows it:",
        "",
        *AT_STAKE,
        "",
        "| alert | kind | what is expected | severity | because | who acts |",
        "|---|---|---|---|---|---|",
        *every_alert(),
        "",
        "The inbox asks whoever acts on an alert for what ends it. Some alerts ask nobody:",
        "",
        *(f"- `{rule}`: {reason}." for rule, reason in ASKS_NOBODY.items()),
        "- the breach of an agreed rule: what the rule does about it is recorded by itself.",
        "",
        "Two alerts are of one party alone, and its partners do not get them:",
        f"`{CREDITED_TWICE}`, on what it may pay for twice, and `{DEPENDENCY_HIGH}`, on revenue",
        "that comes from one partner beyond the limit of its own program",
        "([portfolio](portfolio.md)).",
        "",
        NOTHING_DUE,
        "",
        "| why | fields |",
        "|---|---|",
        *(
            f"| {why} | {', '.join(f'`{each}`' for each in sorted(fields.split()))} |"
            for why, fields in (NOT_DUE | NO_DAY).items()
        ),
        "",
    ]
    return "\n".join(lines)


AT_STAKE: Final = (
    f"- `{STATEMENT_OVERDUE}`: what is open on the statement.",
    f"- `{DISPUTE_OPENED}`: what is disputed.",
    f"- `{CLAIM_AWAITS}`, `{CORRECTION_TAKES}`: what the answer moves.",
    f"- `{ENTRY_WITHOUT_TERMS}`: what is left of the entry.",
    f"- `{REFERRAL_MINIMUM}`: the fee for what is missing, if an item of the terms has one.",
    "  As on a statement, a lead counts once it is accepted.",
    f"- `{DEPENDENCY_HIGH}`: the revenue that the partner brings.",
    f"- {', '.join(f'`{each}`' for each in sorted(WHILE_UNPAID))}:",
    "  what is open on all statements, whichever party owes it. It changes with each payout.",
)
"""The money at stake, by alert."""


# --- tests -------------------------------------------------------------------------------------


def test_every_day_of_an_event_falls_due_or_says_why_not() -> None:
    listed = [field for each in WORDS.values() for field in each.fields]
    listed += [field for fields in NOT_DUE.values() for field in fields.split()]

    assert sorted(listed) == sorted(every_day())


def test_every_day_of_a_command_is_a_day_of_an_event() -> None:
    of_events = {each.partition("/")[2] for each in every_day()}

    for name, command in command_types().items():
        for path in days_of(command):
            assert path.removeprefix("/") in of_events, f"{name}{path}"


def test_every_time_in_the_terms_sets_a_day_of_the_page_or_says_why_not() -> None:
    terms = page().partition(NOTHING_DUE)[0]
    without = [field for fields in NO_DAY.values() for field in fields.split()]
    found = set(times_of_terms())

    for each in found.difference(without):
        assert re.search(rf"`([a-z]+\.)?{each}`", terms), each
    assert found.issuperset(without)


def test_every_kind_of_deadline_has_a_row() -> None:
    assert [each.kind for each in RULES] == [*dict.fromkeys(each.kind for each in RULES)]
    assert {each.kind for each in RULES} == set(DeadlineKind) - {DeadlineKind.REMINDER}
    assert {each.kind for each in RULES} == WORDS.keys()
    assert {each.kind for each in RULES if not each.reminds_of} == NOT_REMINDED.keys()


def test_a_kind_that_has_no_alert_or_is_never_moved_says_why() -> None:
    lacking = {
        (each.kind, name) for each in RULES for name, found in ways(each).items() if not found
    }

    assert lacking == NONE_OF.keys()


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_another_proposal_leaves_the_day_of_the_first_one_open(kind: DeadlineKind) -> None:
    story = at(Stage.EXECUTION)
    first = example(ProposeTarget, proposal="first")
    story.when(OURS, first)
    mine = {each for each in story.partnership.deadlines if each.startswith(f"{kind}/")}

    story.when(OURS, changed(first, proposal="second"))

    assert mine
    assert mine < {*story.partnership.deadlines}


def test_every_alert_on_a_day_that_has_passed_is_in_a_row() -> None:
    in_rows = {each for rule in RULES for each in alerts_of(rule)}
    by_day = {
        each.rule
        for each in STANDING_ALERTS
        if any(turn.event is DeadlinePassed for turn in each.opened_by)
    }

    assert by_day <= in_rows


def test_the_page_is_what_the_table_of_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


def test_an_exit_ends_the_giving_up_of_what_it_gives_up_by_itself() -> None:
    """The words of a cancellation and the deadlines say the same of an exit."""
    of_the_plan = {
        word
        for word, kind in given_up().items()
        if any(
            rule.kind in OF_THE_PLAN and kind in {each.event for each in rule.opened_by}
            for rule in RULES
        )
    }

    assert of_the_plan == {
        word
        for word in given_up()
        if ends_with_exit(CommitmentCancelled, SimpleNamespace(kind=word))
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
