"""The state of a partnership as text for a terminal, without what is empty."""

from collections.abc import Container, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple, assert_never

from domain.adoption import AdoptionProposed
from domain.agreement import CommercialTermsAgreed
from domain.attribution import PolicyKind
from domain.budgets import Budget
from domain.calendar import in_words, until_in_words
from domain.deadlines.answers import proposal_words
from domain.deadlines.deadline import DeadlineKind
from domain.deadlines.reviews import cadence_words
from domain.escalation import DOCUMENTED, Escalation, office_words
from domain.execution import (
    ActionAgreed,
    ActivityPaused,
    CampaignAgreed,
    CampaignClosed,
    ImprovementPlanAgreed,
    ImprovementPlanCompleted,
    IssueRaised,
    MilestonePlanned,
    OnboardingStepAgreed,
    ReviewHeld,
    ReviewScheduled,
)
from domain.exploration import (
    AlignmentAssessed,
    CandidateScored,
)
from domain.formation import (
    BestAlternativeDeclared,
    NonNegotiableDeclared,
)
from domain.governance import (
    GovernanceEstablished,
    ResourcesCommitted,
)
from domain.health import ContributionPromised, ContributionRecorded
from domain.kernel import Stage
from domain.markets import (
    MetricOwnerAssigned,
)
from domain.metric_catalogue import Direction, metric_words
from domain.settlement import Balance
from domain.sharing import DataSharingAgreed, Form
from domain.terms import EACH, UTC, Assets, DayRules, Frame, describe, frame_words
from domain.terms_by_day import local_day
from domain.values import counted, in_a_row, name_words
from infra.answers.partnership_state import (
    AdoptionSummary,
    AgreedTerms,
    CandidateSummary,
    DisputeSummary,
    OpenDeadline,
    Overlap,
    PartnershipState,
    Party,
    ProposalState,
    ProposalSummary,
    RenewalSummary,
    Scorecard,
    Task,
    TaskState,
)
from infra.answers.text import (
    Block,
    Line,
    Table,
    amount,
    minute,
    number,
)
from projections.contents import value_words
from projections.timeline import how_both_write, named_proposal, sponsors_words


def text(state: PartnershipState) -> Iterator[Block]:
    """Return the state as text, without what is empty."""
    yield from _head(state)
    yield Table(
        ["PARTY", "ROLE", "PEOPLE", "COMMITTED"],
        [
            (each.party, each.role, "; ".join(people_of(each)), _committed(each.resources))
            for each in state.parties
        ],
        "parties",
        2,
    )
    yield from _candidate_blocks(state.candidates)
    plans = [(name_words(each.dimension), each.plan) for each in state.bridging_plans]
    yield Table(["DIMENSION", "PLAN"], plans, "bridging plans of both parties", 2)
    yield from _terms_blocks(state.terms, ended=state.stage is Stage.ENDED)
    yield from _agreed_blocks(state)
    yield from _sharing_blocks(state.data_sharing)
    yield from _market_blocks(state)
    waivers = [(each.rule, ", ".join(each.waived_by), each.reason) for each in state.waivers]
    yield Table(["RULE", "WAIVED BY", "REASON"], waivers, "waivers", 2)
    yield _budgets(state.budgets)
    tasks = tasks_of(state)
    yield _task_table(filter(is_open, tasks), "plans, issues and disputes", state)
    yield from _in_force_blocks(state)
    yield _task_table(
        (each for each in tasks if not is_open(each)),
        "plans, issues and disputes that are over",
        state,
    )
    yield from _over_blocks(state.proposals, state.terms.zone)
    rated = [(each.party, scorecard_words(each)) for each in state.health]
    yield Table(["PARTY", "RATINGS FROM 1 TO 5"], rated, "how each side sees it", 2)
    yield from _renewal_blocks(state.renewal, has_ended=state.has_ended)
    yield Table(
        ["PARTY", "ABOUT", "STATEMENT"],
        [(each.party, *_stated(each.fact)) for each in state.private],
        "private to its party",
        2,
    )
    records = [(minute(each.at), each.party, each.text) for each in state.records]
    yield Table(["RECORDED", "BY", "WHAT"], records, "also on record", 2)
    deadlines = [
        (str(each.last_day or local_day(each.due, state.terms.zone)), deadline_words(each))
        for each in state.deadlines
    ]
    yield Table(["DUE", "DEADLINE"], deadlines, "open deadlines", 2)


def _head(state: PartnershipState) -> Iterator[Block]:
    of = state.as_of
    yield Line(f"{state.id}: {state.stage.value if state.stage else 'no partnership'}", "bold")
    if state.parties:
        yield Line(" and ".join(each.name for each in state.parties))
    if state.purpose:
        yield Line(state.purpose)
    if state.adoption:
        yield Line(_adopted(state.adoption))
    limits = [
        *([f"what had happened by {minute(of.at)}"] if of.at else []),
        *([f"what was recorded by {minute(of.known)}"] if of.known else []),
        f"{state.events} of {counted(state.log_size, 'event')}",
    ]
    yield Line(f"{'; '.join(limits)}, the last recorded {minute(state.last_recorded_at)}")
    yield Line()


def _adopted(adoption: AdoptionSummary) -> str:
    """Return that a partnership was adopted, or waits for it, with what that says."""
    says = f"runs since {adoption.since}; settled here from {adoption.settles_from}"
    if adoption.agreed_at:
        return f"adopted {minute(adoption.agreed_at)} in the stage {adoption.stage}: {says}"
    left = [each for each in adoption.parts if each not in adoption.accepted]
    return f"adoption {adoption.proposal} awaits consent to {', '.join(left)}: {says}"


def people_of(party: Party) -> Iterator[str]:
    """Yield who answers for a party, each with the function."""
    for each in party.contacts:
        yield f"{each.name} ({name_words(each.function)})"
    if party.sponsor:
        yield f"{party.sponsor.name} (executive sponsor)"


def _committed(resources: ResourcesCommitted | None) -> str:
    if resources is None:
        return ""
    costs = "".join(f", {each}" for each in resources.costs)
    return f"{number(resources.attention)} % of one person's time{costs}"


def scorecard_words(card: Scorecard) -> str:
    """Return a scorecard: ``2026-Q2: trust 4, communication 4 (+1)``."""
    shown = (
        f"{name.replace('_', ' ')} {rating}"
        + (f" ({card.changes[name]:+})" if card.changes.get(name) else "")
        for name, rating in card.ratings.items()
    )
    return f"{card.period}: {', '.join(shown)}"


def _candidate_blocks(candidates: tuple[CandidateSummary, ...]) -> Iterator[Block]:
    if not candidates:
        return
    approached = [each for each in candidates if each.approached]
    yield Line(f"candidates: {_counts(candidates)}", "bold", 2)
    yield Table(
        ["CANDIDATE", "ACCOUNT OVERLAP", "SCORE", "ALIGNMENT"],
        [
            (
                each.candidate,
                _shared(each.overlap),
                _scored(each.score),
                _aligned(each.alignment),
            )
            for each in approached or [each for each in candidates if each.chosen]
        ],
        indent=4,
    )
    for each in candidates:
        for plan in each.bridging:
            dimension = name_words(plan.dimension)
            yield Line(f"{dimension} with {each.candidate} is bridged: {plan.plan}", indent=4)


def _counts(candidates: tuple[CandidateSummary, ...]) -> str:
    """Return how far the candidates came; a partner that was adopted was on no list."""
    chosen = next((each.candidate for each in candidates if each.chosen), None)
    if not any(each.identified for each in candidates):
        return f"none; {chosen} is the partner since before the adoption"
    approached = sum(each.approached for each in candidates)
    declined = sum(each.declined is not None for each in candidates)
    return (
        f"{len(candidates)} identified, {approached} approached, {declined} declined, "
        f"{chosen or 'none'} chosen"
    )


def _shared(overlap: Overlap | None) -> str:
    if overlap is None:
        return ""
    if overlap.fewer_than is not None:
        return f"fewer than {overlap.fewer_than}"
    return f"{overlap.shared_customers} of {overlap.own_customers}"


def _scored(score: CandidateScored | None) -> str:
    if score is None:
        return ""
    return (
        f"reach {score.market_reach}, brand {score.brand_alignment}, "
        f"technology {score.technical_compatibility}"
    )


def _aligned(rated: AlignmentAssessed | None) -> str:
    if rated is None:
        return ""
    return (
        f"fit {rated.strategic_fit}, capacity {rated.operational_capacity}, "
        f"culture {rated.cultural_compatibility}, vision {rated.shared_vision}"
    )


def _terms_blocks(terms: AgreedTerms, *, ended: bool) -> Iterator[Block]:
    if terms.frame is None:
        return
    if terms.version is None:
        when = "at the end" if ended else f"on {terms.day}"
        yield Line(f"terms: none in force {when}", "bold", 2)
    elif ended:
        yield Line(f"terms until the end: version {terms.version}", "bold", 2)
    else:
        yield Line(f"terms in force on {terms.day}: version {terms.version}", "bold", 2)
    yield from (Line(f"{each.name}: {describe(each)}", indent=4) for each in terms.items)
    yield from (Line(line, indent=4) for line in frame_lines(terms.frame))
    for version, how in zip(terms.versions, terms.agreements, strict=True):
        changed = [*(version.frame.given() if version.frame else ()), *_items_of(version)]
        until = f" {until_in_words(version.until)}" if version.until else ""
        text = f"version {version.terms_version}, from {version.effective_from}{until}"
        agreed_on = local_day(how.agreed_at, terms.frame.time_zone)
        by = f"agreed on {agreed_on} by {how.agreed_by}, #{how.event}"
        yield Line(f"{text}, with {', '.join(map(frame_words, changed))} ({by})", indent=4)


def _items_of(version: CommercialTermsAgreed) -> list[str]:
    return ["items"] if version.items else []


_ASSETS: Final = {
    Assets.RETAIN: "each side keeps its assets at exit",
    Assets.TRANSFER: "shared assets are transferred at exit",
}


def frame_lines(frame: Frame) -> Iterator[str]:
    """Yield the frame of an agreement in words; what is as by default is left out."""
    for party, least in frame.minimum_referrals_per_quarter.items():
        yield f"{party} brings at least {counted(least, 'referral')} every quarter"
    yield (
        f"from {frame.starts_on} for {in_words(frame.duration)}; notice {in_words(frame.notice)}; "
        f"{_ASSETS[frame.assets_at_exit]}"
    )
    calendar = [f"days of {frame.time_zone}"] if frame.time_zone != UTC else []
    statements = [f"statements in {frame.settles_in}"] if frame.settles_in != EACH else []
    if calendar or statements:
        yield "; ".join([*calendar, *statements])
    if frame.attribution.kind is not PolicyKind.NONE:
        days = frame.attribution.window_days
        window = f", touches of the last {counted(days, 'day')}" if days else ""
        yield f"competing touches: {frame.attribution.kind}{window}"
    if frame.due_days:
        yield f"statements are due {counted(frame.due_days, 'day')} after their issue"
    if frame.second_person_above:
        limits = " or ".join(map(str, frame.second_person_above))
        yield f"a second person confirms what binds a party above {limits}"
    if frame.tail_months:
        yield f"clients who were won earn for {counted(frame.tail_months, 'month')} after the end"
    yield from _claim_lines(frame)
    for kind, every in frame.cadence:
        if every not in {None, "none"}:
            yield f"{cadence_words(kind)}: {every}"
    yield from _day_lines(frame.days)
    yield from _escalation_lines(frame.escalation)
    if frame.if_sales_double is not None:
        yield f"if sales double: {frame.if_sales_double}"


def _day_lines(days: DayRules) -> Iterator[str]:
    if days != DayRules():
        yield (
            f"reminders come {counted(days.remind_hours, 'hour')} before a day; "
            f"proposals are answered within {counted(days.answer_days, 'day')}"
        )
    if days.figure_days:
        yield f"figures are reported within {counted(days.figure_days, 'day')} after their period"


def _escalation_lines(escalation: Escalation) -> Iterator[str]:
    if escalation == DOCUMENTED:
        return
    hours = " of Monday to Friday" if escalation.count == "working-days" else ""
    steps = (
        f"to {office_words(each.to)} after {counted(each.hours, 'hour')}{hours}"
        for each in escalation.steps
    )
    yield f"an open issue goes {', then '.join(steps)}"


def _claim_lines(frame: Frame) -> Iterator[str]:
    if days := frame.claims.confirm_within_days:
        yield f"claims count after {counted(days, 'day')} without objection"
    if kinds := frame.claims.on_word:
        yield f"these count on the word of the party that gains: {', '.join(kinds)}"
    if frame.rates.source is not None:
        yield f"rates by {frame.rates.by}, from {frame.rates.source}"


def _budgets(budgets: tuple[Budget, ...]) -> Table:
    """Return a table of budgets: what both agreed, and what reductions leave of it."""
    return Table(
        ["BUDGET", "FOR", ">AGREED", ">LEFT", "REDUCED"],
        [
            (
                each.budget,
                each.purpose,
                amount(each.agreed.amount, each.agreed.currency),
                amount(each.left.amount, each.left.currency),
                ", ".join(f"by {number(of.by)} % ({of.campaign})" for of in each.reductions),
            )
            for each in budgets
        ],
        title="budgets",
        indent=2,
    )


def _agreed_blocks(state: PartnershipState) -> Iterator[Block]:
    objectives = [
        (each.words, amount(each.baseline, each.unit), amount(each.target, each.unit),
         each.deadline, f"{each.method}; {each.frequency}, from {each.tool}")
        for each in (state.charter.objectives if state.charter else ())
    ]  # fmt: skip
    if charter := state.charter:
        yield Line(f"charter: {charter.purpose}", "bold", 2)
        yield from (Line(f"goal of {of}: {goal}", indent=4) for of, goal in charter.goals.items())
        yield from (
            Line(f"expected {name}: {expected}", indent=4)
            for name, expected in charter.expectations
        )
    columns = ["METRIC", ">FROM", ">TARGET", "BY", "MEASURED"]
    yield Table(columns, objectives, "objectives of the charter", 2)
    rules = [(each.agreed.rule.rule, each.agreed.rule_version, each.text) for each in state.rules]
    yield Table(["RULE", ">VERSION", "AGREED"], rules, "decision rules", 2)
    if governance := state.governance:
        yield Line("governance", "bold", 2)
        yield from (Line(each, indent=4) for each in _governance_lines(governance))
    if policy := state.communication:
        often = policy.frequencies or {}
        rows = [(kind, channel, often.get(kind, "")) for kind, channel in policy.channels.items()]
        yield Table(["MESSAGE", "CHANNEL", "HOW OFTEN"], rows, "channels", 2)
        yield from (Line(each, indent=4) for each in how_both_write(policy))
    if agreement := state.agreement:
        signed = " and ".join(agreement.signed_by) or "nobody"
        drafted = f", drafted by {agreement.drafted_by}" if agreement.drafted_by else ""
        yield Line(
            f"agreement: version {agreement.version}{drafted}, signed by {signed}", "bold", 2
        )
        yield Table(
            ["SECTION", "WHAT IT SAYS"],
            [
                (name_words(name), value_words(section))
                for name, section in agreement.sections
                if section is not None
            ],
            indent=4,
        )
        if agreement.missing_sections:
            missing = ", ".join(map(name_words, agreement.missing_sections))
            yield Line(f"missing sections: {missing}", indent=4)
        if agreement.in_force not in {None, agreement.version}:
            yield Line(f"version {agreement.in_force} is in force", indent=4)


def _governance_lines(agreed: GovernanceEstablished) -> Iterator[str]:
    yield f"disputes go to {', then '.join(agreed.dispute_path)}"
    yield f"decisions: {agreed.decision_rights}"


def _sharing_blocks(protocol: DataSharingAgreed | None) -> Iterator[Block]:
    if protocol is None:
        return
    third = protocol.third_party
    yield Table(
        ["METRICS", "BY", "TO", "FORM", "HOW OFTEN", "THROUGH"],
        [
            (
                ", ".join(map(metric_words, each.metrics)),
                each.by,
                each.to,
                f"aggregated, from {each.smallest_cell} on"
                if each.form is Form.AGGREGATED
                else each.form.value,
                each.frequency + (f", {until_in_words(each.until)}" if each.until else ""),
                each.tool,
            )
            for each in protocol.lines
        ],
        f"data sharing (version {protocol.agreed_version})"
        + (f"; third party: {third.name} ({third.party})" if third else ""),
        2,
    )
    if not protocol.lines:
        yield Line("data sharing: nothing; each party sees what it reports itself", "bold", 2)


def _market_blocks(state: PartnershipState) -> Iterator[Block]:
    markets = [
        (
            each.market,
            len(each.feedback),
            "; ".join(
                f"viability {rated.viability}, cultural fit {rated.cultural_fit}"
                for rated in each.ranked
            ),
        )
        for each in state.markets
    ]
    yield Table(["MARKET", ">FEEDBACK", "RANKED"], markets, "markets", 2)
    heard = [
        (each.market, of.given_by, of.score, of.text)
        for each in state.markets
        for of in each.feedback
    ]
    yield Table(["MARKET", "BY", ">OF 5", "FEEDBACK"], heard, "feedback from the markets", 2)
    own = [
        (
            metric_words(each.metric),
            each.unit.value,
            "more" if each.better is Direction.UP else "less",
            each.frequency,
            each.owner,
            each.source,
            each.description,
        )
        for each in state.own_metrics
    ]
    columns = ["METRIC", "UNIT", "BETTER", "REPORTED", "BY", "FROM", "WHAT IT MEASURES"]
    yield Table(columns, own, "metrics of their own", 2)
    people = [
        *((each.role, each.market or "all", each.name) for each in state.roles),
        *(
            (metric_words(each.metric), each.market or "all", _owner(each))
            for each in state.metric_owners
        ),
    ]
    yield Table(["ROLE OR METRIC", "MARKET", "PERSON"], people, "roles and owners of metrics", 2)


def _owner(assigned: MetricOwnerAssigned) -> str:
    return f"{assigned.owner} ({assigned.role}{', local' if assigned.local else ''})"


def tasks_of(state: PartnershipState) -> list[Task | DisputeSummary]:
    """Return what is planned, paused, raised or disputed."""
    tasks: list[Task | DisputeSummary] = []
    tasks += [*state.milestones, *state.reviews, *state.actions]
    tasks += [
        *state.onboarding,
        *state.contributions,
        *state.campaigns,
        *state.improvement_plans,
        *state.pauses,
    ]
    return [*tasks, *state.issues, *state.disputes]


def _task_table(tasks: Iterable[Task | DisputeSummary], title: str, of: PartnershipState) -> Table:
    columns = ["KIND", "ID", "DESCRIPTION", "SINCE", "DUE", "STATE"]
    rows = (["" if cell is None else cell for cell in task_words(each, of)] for each in tasks)
    return Table(columns, rows, title, 2)


def is_open(task: Task | DisputeSummary) -> bool:
    """Whether something is still to be done, in time or not."""
    if isinstance(task, DisputeSummary):
        return task.resolved is None
    return task.state in {TaskState.OPEN, TaskState.OVERDUE}


class TaskWords(NamedTuple):
    """Something planned, raised or disputed, in words."""

    kind: str
    name: str
    """The identifier."""
    what: str
    since: date | None
    """The day since which it is agreed or open; None where an answer as of a moment lacks it."""
    due: date | None
    """The last day in time; None without one."""
    state: str


def task_words(task: Task | DisputeSummary, of: PartnershipState) -> TaskWords:
    """Return something planned, raised or disputed in a partnership, in words."""
    budgets = {each.budget for each in of.budgets}
    kind, name, what, due, state = _task_words(task, budgets, of.terms.zone)
    since = task.opened_at if isinstance(task, DisputeSummary) else task.since
    day = local_day(since, of.terms.zone) if since else None
    return TaskWords(kind, name, what, day, due, state)


def _task_words(  # noqa: C901, PLR0911, PLR0912 - one for each kind
    task: Task | DisputeSummary,
    budgets: Container[str],
    zone: str,
) -> tuple[str, str, str, date | None, str]:
    """Return the kind, the identifier, the description, the last day in a zone and the state.

    `budgets` are the joint investments that were not given up: no other pays for anything more.
    """
    if isinstance(task, DisputeSummary):
        what = task.opened.description if task.opened else ""
        what = in_a_row((what, f"{task.mediator} mediates")) if task.mediator else what
        what = in_a_row((what, task.resolved.resolution)) if task.resolved else what
        state = task.resolved.outcome.value if task.resolved else "open"
        return "dispute", task.dispute, what, None, state
    planned = task.planned
    match planned:
        case MilestonePlanned():
            state = _state(task, "missed", "reached")
            return "milestone", planned.milestone, planned.title, planned.due, state
        case ReviewScheduled():
            state = _state(task, "missed", "held")
            what = (
                f"{cadence_words(planned.kind)}: {task.done.minutes}{sponsors_words(task.done)}"
                if isinstance(task.done, ReviewHeld)
                else cadence_words(planned.kind)
            )
            return "review", planned.review, what, local_day(planned.at, zone), state
        case ReviewHeld():
            held = local_day(task.done_at, zone) if task.done_at else None
            what = f"{cadence_words(planned.kind or 'operational')}: {planned.minutes}"
            what += sponsors_words(planned)
            return "review", planned.review, what, held, "held, not scheduled"
        case ActionAgreed() | OnboardingStepAgreed():
            named = (
                ("action", planned.action)
                if isinstance(planned, ActionAgreed)
                else ("onboarding", planned.step)
            )
            what = f"{planned.owner}: {planned.text}"
            if isinstance(planned, OnboardingStepAgreed) and planned.document:
                what += f" ({planned.document})"
            return *named, what, planned.due, _state(task, "overdue", "done")
        case ContributionPromised():
            what = f"{planned.owner}, in {planned.period}: {planned.what}{worth(planned)}"
            if isinstance(task.done, ContributionRecorded):
                what += f"; given: {task.done.what}{worth(task.done)}"
            state = _state(task, "overdue", "given")
            return "contribution", planned.contribution, what, planned.due, state
        case CampaignAgreed():
            where = f" in {planned.market}" if planned.market else ""
            is_paid = planned.budget and (task.done or planned.budget in budgets)
            paid = f", paid by {planned.budget}" if is_paid else ""
            what = f"{planned.owner}{where}, from {planned.first_day}: {planned.title}{paid}"
            what += f" ({task.done.outcome})" if isinstance(task.done, CampaignClosed) else ""
            return (
                "campaign",
                planned.campaign,
                what,
                planned.last_day,
                _state(task, "over", "closed"),
            )
        case IssueRaised():
            state = _state(task, "escalated", "resolved")
            return "issue", planned.issue, planned.description, None, state
        case ImprovementPlanAgreed():
            what = in_a_row(planned.actions)
            outcome = task.done
            done = "closed"
            if isinstance(outcome, ImprovementPlanCompleted):
                what += f" ({outcome.outcome})"
                done = "met" if outcome.met else "missed"
            state = _state(task, "overdue", done)
            return "improvement plan", planned.plan, what, planned.deadline, state
        case ActivityPaused():
            what = f"{planned.activity}: {planned.reason}"
            return "pause", planned.pause, what, planned.last_day, _state(task, "over", "ended")
        case _:
            assert_never(planned)


def hours_words(hours: Decimal) -> str:
    """Return working hours in words: ``1 hour``, ``7.5 hours``."""
    return f"{number(hours)} {'hour' if hours == 1 else 'hours'}"


def worth(each: ContributionPromised | ContributionRecorded) -> str:
    """Return the hours and the value of a contribution, in brackets."""
    parts = [hours_words(each.hours)] if each.hours else []
    parts += [str(each.value)] if each.value else []
    return f" ({', '.join(parts)})" if parts else ""


def _state(task: Task, overdue: str, done: str) -> str:
    match task.state:
        case TaskState.OPEN:
            return "open"
        case TaskState.OVERDUE:
            return overdue
        case TaskState.GIVEN_UP:
            return "given up with the end"
        case TaskState.DONE if task.overdue_at is None:
            return done
        case TaskState.DONE:
            return f"{done}, " + (
                "in time but reported late" if task.in_time else f"after it was {overdue}"
            )
        case _:
            assert_never(task.state)


AGREED = ("AGREED", "ID", "PROPOSED BY", "AGREED BY", "WHAT")


def _in_force_blocks(state: PartnershipState) -> Iterator[Block]:
    """Yield what waits for an answer, and what both agreed that is in force, and when."""
    zone = state.terms.zone
    waiting = [
        (_day(each.proposed_at, zone), _named(each), each.proposed_by, _in_full(each))
        for each in state.proposals
        if each.state is ProposalState.OPEN
    ]
    yield Table(["SINCE", "ID", "PARTY", "PROPOSAL"], waiting, "waits for an answer", 2)
    agreed = [each for each in state.proposals if each.in_force]
    in_force = [(*_consent(each, zone), _what(each)) for each in agreed if not each.begins]
    title = "agreed and in force at the end" if state.has_ended else "agreed and in force"
    yield Table(AGREED, sorted(in_force), title, 2)
    ahead = [(*_consent(each, zone), _what(each)) for each in agreed if each.begins]
    yield Table(AGREED, sorted(ahead), "agreed, and not in force yet", 2)


def _over_blocks(proposals: tuple[ProposalSummary, ...], zone: str) -> Iterator[Block]:
    """Yield what both agreed that is over, and what was not agreed."""
    over = [(*_consent(each, zone), _what(each), _over(each)) for each in proposals if each.ended]
    yield Table([*AGREED, "ENDED AS"], sorted(over), "agreed and over", 2)
    ended = [
        (_day(each.answered_at, zone), _named(each), each.proposed_by, _in_full(each), _ended(each))
        for each in proposals
        if each.state not in {ProposalState.OPEN, ProposalState.ACCEPTED}
    ]
    yield Table(["ENDED", "ID", "PARTY", "PROPOSAL", "STATE"], ended, "not agreed", 2)


def _in_full(proposal: ProposalSummary) -> str:
    return in_a_row((proposal.text, *proposal.contents))


def _consent(proposal: ProposalSummary, zone: str) -> tuple[str, str, str, str]:
    """Return the day of a consent in a zone, its identifier, who proposed and who accepted."""
    accepted_by = proposal.answered_by or ""
    return _day(proposal.answered_at, zone), _named(proposal), proposal.proposed_by, accepted_by


def is_terms_in_force(proposal: ProposalSummary, state: PartnershipState) -> bool:
    """Whether a proposal became the terms in force on the day that is asked about."""
    terms = state.terms
    return any(
        (each.proposal, each.terms_version) == (proposal.proposal, terms.version)
        for each in terms.versions
    )


def _what(proposal: ProposalSummary) -> str:
    """Return what both agreed. The parts of an adoption are shown above, each in its place."""
    is_adoption = proposal.type == AdoptionProposed.wire
    return without_verb(proposal.text if is_adoption else _in_full(proposal))


def without_verb(text: str) -> str:
    """Return what was proposed, as ``milestone M-1 for 2026-03-04``."""
    return text.removeprefix("proposed ")


def _named(proposal: ProposalSummary) -> str:
    return f"{proposal.proposal} ({proposal.within})" if proposal.within else proposal.proposal


def _over(proposal: ProposalSummary) -> str:
    """Return how an agreement of both parties ended: `done`, or `replaced by terms-2`."""
    by = f" by {proposal.replaced_by}" if proposal.replaced_by else ""
    return f"{proposal.ended}{by}"


def _ended(proposal: ProposalSummary) -> str:
    by = f" by {proposal.answered_by}" if proposal.answered_by else ""
    return f"{proposal.state}{by}" + (f": {proposal.reason}" if proposal.reason else "")


def _day(at: datetime | None, zone: str) -> str:
    return f"{local_day(at, zone)}" if at else ""


def _stated(fact: NonNegotiableDeclared | BestAlternativeDeclared) -> tuple[str, str]:
    match fact:
        case NonNegotiableDeclared():
            kind = "tradeable" if fact.flexible else "must-have"
            return f"{kind}: {fact.term}", fact.statement
        case BestAlternativeDeclared():
            return "best alternative (BATNA)", fact.statement
        case _:
            assert_never(fact)


def _renewal_blocks(renewed: RenewalSummary, *, has_ended: bool) -> Iterator[Block]:
    if renewed.term_ends_on is None:
        return
    if renewed.exit_on is not None:
        when = "the exit took effect on" if has_ended else "an exit takes effect on"
        yield Line(f"{when} {renewed.exit_on}", "bold", 2)
    else:
        notice = f"the last day for notice is {renewed.last_day_for_notice}"
        yield Line(f"holds until {renewed.term_ends_on}; {notice}", "bold", 2)
    yield from (Line(line, indent=4) for line in _renewal_lines(renewed, has_ended))


def _renewal_lines(renewed: RenewalSummary, has_ended: bool) -> Iterator[str]:  # noqa: FBT001
    for annual in renewed.annual_reviews:
        yield f"annual review of {annual.year} recommends: {annual.recommendation}"
        yield f"  outcomes: {annual.outcomes}"
        yield f"  relevance: {annual.relevance}"
        yield f"  untapped: {annual.potential}"
    for review in renewed.reviews:
        yield f"renewal review {review.review} recommends: {review.recommendation}"
        yield f"  outcomes: {review.outcomes}"
        yield f"  relevance: {review.relevance}"
    for breach in renewed.breaches:
        due = "not cured before the end" if has_ended else f"to be cured by {breach.cure_by}"
        state = "cured" if breach.cured else due
        yield f"{breach.noticed_by} gave notice of breach {breach.breach}, {state}"
        yield f"  {breach.description}"
    for left in renewed.exits:
        how = (
            f"{left.noticed_by} gave notice ({name_words(left.reason)})"
            if left.reason
            else "both agreed to end it"
        )
        end = "; withdrawn" if left.withdrawn else ""
        end = f"; replaced by {left.replaced_by}" if left.replaced_by else end
        yield f"{left.exit}: {how}, effective {left.effective_on}{end}"
        yield f"  {left.explanation}"
    if settlement := renewed.settlement:
        owed = ", ".join(filter(None, map(_owed, settlement.balances))) or "nothing is owed"
        yield f"final settlement {settlement.settlement}: {owed}"
    for asset in renewed.assets:
        is_handed_over = asset.disposition == Assets.TRANSFER
        goes = f"goes to {asset.to}" if is_handed_over else f"stays with {asset.to}"
        yield f"{asset.asset} {goes}"


def _owed(balance: Balance) -> str:
    if balance.payer is None:
        return ""
    return f"{balance.payer} owes {balance.payee} {amount(balance.amount, balance.currency)}"


def deadline_words(deadline: OpenDeadline) -> str:
    """Return what a deadline is for, as the end of a sentence."""
    words = deadline.ref
    if deadline.kind is DeadlineKind.CADENCE:
        words = cadence_words(deadline.ref)
    elif deadline.kind is DeadlineKind.SIGNATURE:
        version, _, party = deadline.ref.partition("/")
        words = f"{version} by {party}"
    elif deadline.kind in {DeadlineKind.ANSWER, DeadlineKind.LAPSE}:
        agreement = deadline.ref.partition("/")[0]
        words = named_proposal(agreement, proposal_words(deadline.ref))
    return DEADLINES[deadline.kind].format(words)


DEADLINES = {
    DeadlineKind.PERIOD: "the period {} closes",
    DeadlineKind.MILESTONE: "milestone {} is due",
    DeadlineKind.REVIEW: "review {} is due",
    DeadlineKind.ISSUE: "issue {} is escalated",
    DeadlineKind.NOTICE_WARNING: "both parties are reminded that notice is due by {}",
    DeadlineKind.NOTICE: "the last day for notice, {}, is over",
    DeadlineKind.TERM_END: "the term ends on {}",
    DeadlineKind.EXIT: "the exit takes effect on {}",
    DeadlineKind.CURE: "the cure period of breach {} ends",
    DeadlineKind.IMPROVEMENT: "improvement plan {} is due",
    DeadlineKind.PAUSE: "pause {} is over",
    DeadlineKind.FIGURE: "figure {} is due",
    DeadlineKind.OBJECTIVE: "objective {} is to be reached",
    DeadlineKind.ANSWER: "the answer to {} is due",
    DeadlineKind.LAPSE: "{} can no longer be accepted",
    DeadlineKind.SIGNATURE: "the signature of the agreement, version {}, is due",
    DeadlineKind.CONFIRMATION: "a second person is to confirm act {}",
    DeadlineKind.REMINDER: "a reminder of {}",
    DeadlineKind.CADENCE: "the next {} is due",
    DeadlineKind.ACTION: "action {} is due",
    DeadlineKind.ONBOARDING: "onboarding step {} is due",
    DeadlineKind.CONTRIBUTION: "contribution {} is to be given",
    DeadlineKind.CAMPAIGN_START: "campaign {} begins",
    DeadlineKind.CAMPAIGN: "campaign {} is to be closed",
    DeadlineKind.SILENCE: "leads and claims that are not answered before {} count as accepted",
    DeadlineKind.STATEMENT: "statement {} is due",
}
"""The consequence of each kind of deadline that passes; a test checks that none is missing."""
