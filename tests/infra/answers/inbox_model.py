"""What two managers asked of each other, as a model written by hand.

It is written from `docs/days.md`, `docs/agreements.md` and the catalogue, and it shares no code
with the folds. It says what awaits each party, and which alerts are open.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from domain.calendar import add, bounds, following, quarter_of

DAY: Final = timedelta(days=1)
REMIND: Final = timedelta(hours=48)
"""How long before a day its reminder comes."""

ANSWER: Final = 14
"""The days within which a proposal is answered."""

MINIMUM: Final = 10
"""The referrals that a quarter brings by the terms of the life that was formed here."""


@dataclass
class Task:
    """Something that was planned, raised, paused or taken on."""

    kind: str
    owner: str
    """Who does it; empty for both."""
    due: date
    """The last day in time; of an issue, the day on which it was raised."""
    since: datetime
    """When it was agreed or raised."""
    said: bool = False
    """Whether a party said that it is done, of a review."""


@dataclass
class Asked:
    """A proposal: its author, and what becomes of which task if the other accepts."""

    author: str
    agreement: str
    made: datetime
    """When it was made."""
    name: str = ""
    """The task, the dispute or the exit that it is about; empty if it is about none."""
    task: Task | None = None
    """The task as it is then; None if it is done with."""
    within: str | None = None
    """The dispute or the experiment that it belongs to."""
    until: date | None = None
    """The last day on which it can be accepted; None if any day will do."""
    on: date = date.min
    """The day on which a proposed exit takes effect."""
    reminded: bool = False
    """Whether its author was reminded of a day that an exit has moved since."""

    @property
    def subject(self) -> tuple[str, str]:
        """What it is about: the kind of the task or of the agreement, and the task."""
        return (self.task.kind if self.task else self.agreement, self.name)


@dataclass
class Draft:
    """A draft of the agreement that a party has not signed."""

    version: int
    author: str
    made: date
    signed: set[str] = field(default_factory=set)
    reminded: bool = False
    """Whether its parties were reminded of a day that an exit has moved since."""


@dataclass
class Statement:
    """A statement, and what was paid on it."""

    payer: str
    due: date
    payout: str = ""
    """The payout that pays all of it; empty while it is unpaid."""


@dataclass
class Claim:
    """A lead or a claim of money: who stated it, and when."""

    by: str
    made: date


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def is_near(end: datetime, now: datetime) -> bool:
    """Whether a reminder of what passes at `end` is open."""
    return end - REMIND <= now < end


CLOSES: Final = {
    "Issue": "IssueResolution",
    "Breach": "Cure",
    "ImprovementPlan": "ImprovementPlanOutcome",
    "Milestone": "MilestoneReached",
    "Review": "ReviewHeld",
}
"""The agreement by which both say that something of both is done."""

UNTIL_NOTICE: Final = {"JointInvestment", "Renewal"}
"""What both can agree until a notice of exit."""

UNTIL_EXIT: Final = {
    "Action",
    "Campaign",
    "CommunicationPolicy",
    "Cure",
    "Exit",
    "ExitWithdrawal",
    "Governance",
    "Hypothesis",
    "ImprovementPlan",
    "ImprovementPlanOutcome",
    "MetricOwner",
    "Milestone",
    "MilestoneReached",
    "OnboardingStep",
    "Pause",
    "Target",
}
"""What both can agree until an exit takes effect."""

GIVEN_UP_BY_EXIT: Final = {
    "Breach",
    "Campaign",
    "Milestone",
    "OnboardingStep",
    "ImprovementPlan",
    "Pause",
}
"""The tasks that an exit gives up when it takes effect."""

KEEP_THE_OLDER: Final = {"Waiver", "JointInvestment", "Hypothesis"}
"""What can be agreed several times, side by side."""

OVERDUE: Final = {
    "Milestone": "milestone-missed",
    "Action": "action-overdue",
    "Campaign": "campaign-over",
    "OnboardingStep": "onboarding-overdue",
    "Review": "review-missed",
    "Breach": "breach-not-cured",
    "ImprovementPlan": "improvement-due",
    "Pause": "pause-over",
}
"""The alert that opens once the day of a task has passed."""

REMINDER: Final = {
    "OnboardingStep": "onboarding",
    "Breach": "cure",
    "ImprovementPlan": "improvement",
}
"""What a reminder calls a task, where that is not the name of its kind."""


@dataclass
class Model:
    """What two managers asked of each other, and what is left of it."""

    parties: tuple[str, str]
    ends_on: date
    """The end of the term. Notice is given 60 days before."""
    month: date
    """The first day of the first month whose figures are not due yet."""
    metrics: tuple[str, ...] = ()
    """The metrics of the charter, which either party reports each month."""
    minimum: bool = False
    """Whether the terms ask for a minimum of referrals."""
    now: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    """The moment until which time has passed."""
    asked: dict[str, Asked] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    disputes: dict[str, str] = field(default_factory=dict)
    """The open disputes, each with the party that opened it."""
    risks: set[str] = field(default_factory=set)
    """The risks that nobody mitigated."""
    reductions: dict[str, str] = field(default_factory=dict)
    """The reductions that still apply, each with the party that reduced what it invests."""
    audits: dict[str, bool] = field(default_factory=dict)
    """Whether each party passed its last audit of the subject."""
    rated: dict[str, datetime] = field(default_factory=dict)
    """When each party filled in its scorecard, or failed to; empty without a cadence."""
    unrated: set[str] = field(default_factory=set)
    """The parties that did not fill in their scorecard in time."""
    draft: Draft | None = None
    renewing: bool = False
    """Whether a renewal review was held, and both neither renewed nor leave."""
    declined: set[str] = field(default_factory=set)
    """The renewals that were declined since."""
    term_ended: bool = False
    """Whether the term ended while no exit was ahead."""
    exits: dict[str, date] = field(default_factory=dict)
    """The exits that were not withdrawn, each with its day."""
    over: bool = False
    """Whether an exit took effect."""
    debtor: str = ""
    """The party that owes whatever is earned, and so issues its statements."""
    unstated: set[str] = field(default_factory=set)
    """The months of what no statement has yet."""
    last_stated: str = ""
    """The last period that was stated; empty before the first statement."""
    settled: bool = False
    disposed: bool = False
    ended: bool = False
    figures: dict[str, date] = field(default_factory=dict)
    """The figures that nobody reported, each with its last day."""
    short: set[str] = field(default_factory=set)
    """The quarters that brought too few referrals."""
    silence: int = 0
    """The days after which silence confirms a claim; 0 for never."""
    leads: dict[str, Claim] = field(default_factory=dict)
    """The leads that await an answer."""
    rejected: dict[str, str] = field(default_factory=dict)
    """The leads that were rejected, each with the party that submitted it."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """The claims of money that await an answer."""
    statements: dict[str, Statement] = field(default_factory=dict)

    # --- what happens ---

    @property
    def leaves_on(self) -> date | None:
        """The day of the exit that is ahead, or took effect."""
        return min(self.exits.values(), default=None)

    @property
    def last_notice(self) -> date:
        return self.ends_on - timedelta(days=60)

    def until(self, now: datetime) -> None:
        """Let time pass."""
        self.now = now
        for claims in (self.leads, self.claims):
            for name, claim in [*claims.items()] if self.silence else []:
                if midnight(claim.made + timedelta(days=self.silence)) <= now:
                    self.confirm(name, claims)
        if self.ended:
            return
        for name, each in [*self.asked.items()]:
            if each.until is not None and midnight(each.until + DAY) <= now:
                del self.asked[name]
        if self.leaves_on and not self.over and midnight(self.leaves_on) <= now:
            self.take_effect(midnight(self.leaves_on))
        self._close_months(now)
        self._miss_scorecards(now)
        if not self.exits and midnight(self.ends_on) <= now:
            self.term_ended = True

    def confirm(self, name: str, claims: dict[str, Claim]) -> None:
        """Let a claim count; a payment that counts earns something."""
        claim = claims.pop(name)
        if "/payment/" in name and (self.leaves_on is None or claim.made < self.leaves_on):
            self.unstated.add(f"{claim.made:%Y-%m}")

    def _close_months(self, now: datetime) -> None:
        """Let the figures of a month fall due once it is over: they are in time for one more."""
        while midnight(following := add(self.month, "P1M")) <= now:
            if not self.over or following <= (self.leaves_on or following):
                name = f"{self.month:%Y-%m}"
                last = add(following, "P1M") - DAY
                self.figures |= {f"{each}/-/{name}": last for each in self.metrics}
                if self.minimum and following.month % 3 == 1:
                    self.short.add(f"{self.month.year}-Q{self.month.month // 3}")
            self.month = following

    def _miss_scorecards(self, now: datetime) -> None:
        """Let a quarter without a scorecard of a party be missed."""
        for party, since in self.rated.items():
            over = midnight(add(since.date(), "P3M") + DAY)
            if over <= now:
                self.unrated.add(party)
                self.rated[party] = over - DAY

    def take_effect(self, at: datetime) -> None:
        """Let an exit take effect: what was planned and what can no longer be agreed ends."""
        self._close_months(at)
        self.over = True
        given_up = {x for x, of in self.tasks.items() if of.kind in GIVEN_UP_BY_EXIT}
        self.asked = {
            x: of
            for x, of in self.asked.items()
            if of.agreement != "Cancellation" or of.name not in given_up
        }
        self.tasks = {x: of for x, of in self.tasks.items() if of.kind not in GIVEN_UP_BY_EXIT}
        self._lapse(UNTIL_EXIT)
        self.draft = None
        self.rated, self.unrated = {}, set()

    def _lapse(self, agreements: Iterable[str]) -> None:
        self.asked = {x: of for x, of in self.asked.items() if of.agreement not in {*agreements}}

    def leave(self, name: str, day: date) -> None:
        """Let a notice be given, or an exit be agreed."""
        self._remember_reminders()
        self.exits[name] = day
        self.renewing, self.term_ended, self.declined = False, False, set()
        self._lapse(UNTIL_NOTICE)

    def notice(self, name: str, day: date) -> None:
        """Let a party give notice: a proposed exit that is no sooner lapses."""
        self.leave(name, day)
        for each, of in [*self.asked.items()]:
            if of.agreement == "Exit" and of.on >= day:
                del self.asked[each]
            elif of.agreement == "ExitWithdrawal":
                of.until = day - DAY

    def accept(self, proposal: str) -> None:
        """Let what was proposed happen."""
        before = [*self.asked][: [*self.asked].index(proposal)]
        asked = self.asked.pop(proposal)
        match asked.agreement:
            case "Resolution":
                self.end_dispute(asked.name)
            case "RiskMitigated":
                self.end_risk(asked.name)
            case "Exit":
                self._lapse({"Exit", "ExitWithdrawal"})
                self.leave(proposal, asked.on)
            case "ExitWithdrawal":
                self._lapse({"Exit", "ExitWithdrawal"})
                self._remember_reminders()
                del self.exits[asked.name]
            case "Renewal":
                self._lapse({"Renewal"})
                self.renewing, self.term_ended, self.declined = False, False, set()
                self.ends_on = add(self.ends_on, "P1Y")
            case "Disposition":
                self.disposed = True
            case "Completion":
                self.end_all()
            case "Cancellation" | "IssueResolution" | "Cure" | "ImprovementPlanOutcome":
                self.end(asked.name)
            case "MilestoneReached" | "ReviewHeld":
                self.end(asked.name)
            case _:
                self._agree(asked, before)

    def _agree(self, asked: Asked, before: list[str]) -> None:
        if asked.task is not None:
            self.tasks[asked.name] = asked.task
        if asked.agreement in KEEP_THE_OLDER:
            return
        # What was proposed before it of the same thing has lapsed.
        for each in before:
            if self.asked[each].subject == asked.subject:
                del self.asked[each]
        if asked.agreement in {"Milestone", "Review"}:
            # That it is done was said of it as it was planned before.
            for name, of in [*self.asked.items()]:
                if (of.agreement, of.name) == (CLOSES[asked.agreement], asked.name):
                    del self.asked[name]

    def decline(self, proposal: str) -> None:
        """Let the other party decline."""
        asked = self.asked.pop(proposal)
        if asked.agreement == "Renewal":
            self.declined.add(proposal)

    def end(self, name: str) -> None:
        """Let a task be done or given up; all that was proposed of it lapses."""
        self.tasks.pop(name, None)
        self._forget(name)

    def end_risk(self, name: str) -> None:
        """Let a risk be mitigated or given up."""
        self.risks.remove(name)
        self._forget(name)

    def end_dispute(self, name: str) -> None:
        """Let a dispute end; the other proposals in it lapse."""
        del self.disputes[name]
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.asked = {each: of for each, of in self.asked.items() if of.name != name}

    def end_all(self) -> None:
        """Let the partnership end: what is owed and what is disputed stays."""
        self.ended, self.draft = True, None
        self.asked = {x: of for x, of in self.asked.items() if of.agreement == "Resolution"}
        for each in (self.tasks, self.reductions, self.figures, self.rated, self.leads):
            each.clear()
        for names in (self.risks, self.unrated, self.declined, self.short):
            names.clear()
        self.audits.clear()
        self.rejected.clear()

    def settle(self, name: str, now: datetime) -> None:
        """Let the final settlement be issued: what is owed is paid within 30 days."""
        self.settled = True
        if self.unstated:
            self.unstated.clear()
            due = now.date() + timedelta(days=30)
            self.statements[f"{name}:USD"] = Statement(self.debtor, due)

    def state(self, period: str, now: datetime) -> None:
        """Let the statement of a period be issued: it takes all that was earned until its end."""
        self.unstated = {each for each in self.unstated if self._next_period(each) > period}
        self.last_stated = period
        due = now.date() + timedelta(days=30)
        self.statements[f"{period}:USD"] = Statement(self.debtor, due)

    def _next_period(self, month: str) -> str:
        """Return the period that is stated next for what was earned in a month."""
        if "Q" not in self.last_stated:
            return max(month, following(self.last_stated)) if self.last_stated else month
        return max(quarter_of(month), following(self.last_stated))

    # --- what awaits a party ---

    def awaits(self, party: str, now: datetime) -> set[str]:
        """Return all that awaits a party."""
        closing = {each.name for each in self.asked.values() if each.agreement in CLOSES.values()}
        found = {name for name, each in self.asked.items() if each.author != party}
        # Who proposed to move a task, or to give it up, waits for the answer.
        waits = {each.name for each in self.asked.values() if each.author == party}
        found |= {
            name
            for name, task in self.tasks.items()
            if task.owner in {"", party} and name not in closing | waits
        }
        found |= self.disputes.keys() - self._proposed("Resolution")
        found |= self.risks - self._proposed("RiskMitigated")
        found |= {f"ethics/{party}"} if self.audits.get(party) is False else set()
        if party in self.unrated | self._scorecards(now):
            found.add(f"health_check/{party}")
        if self.draft and party not in self.draft.signed:
            found.add(f"agreement {self.draft.version}")
        found |= self.figures.keys()
        found |= {f"deal/{each}/referral" for each, of in self.leads.items() if of.by != party}
        found |= {f"deal/{each}/referral" for each, by in self.rejected.items() if by == party}
        found |= {each for each, of in self.claims.items() if of.by != party}
        found |= {x for x, of in self.statements.items() if of.payer == party and not of.payout}
        if party == self.debtor and self.unstated and (self.settled or not self.over):
            period = self._next_period(min(self.unstated))
            found |= {f"{period}:USD"} if bounds(period)[1] <= now else set()
        return found | self._of_the_end(party, now)

    def _proposed(self, agreement: str) -> set[str]:
        """Return what proposals of an agreement are about."""
        return {each.name for each in self.asked.values() if each.agreement == agreement}

    def _of_the_end(self, party: str, now: datetime) -> set[str]:
        """Return what awaits a party about a renewal, the term or an exit."""
        if self.ended:
            return set()
        if self.over:
            agreements = {each.agreement for each in self.asked.values()}
            waits = "Completion" in agreements
            settles = not self.settled and (not self.unstated or party == self.debtor)
            disposes = not self.disposed and "Disposition" not in agreements
            asks = settles or disposes or (self.settled and self.disposed)
            return {f"{self.leaves_on}"} if asks and not waits else set()
        if self.exits or any(
            each.agreement in {"Renewal", "Exit"} and each.author == party
            for each in self.asked.values()
        ):
            return set()
        if self.term_ended or is_near(midnight(self.ends_on), now):
            return {f"{self.ends_on}"}
        if self._decides(now):
            return {f"{self.last_notice}"}
        return {"renewal"} if self.renewing else set()

    def _decides(self, now: datetime) -> bool:
        """Whether the last day for notice is less than 30 days ahead."""
        last = midnight(self.last_notice)
        return last - timedelta(days=30) <= now < last + DAY

    def _scorecards(self, now: datetime) -> set[str]:
        """Return the parties that are reminded of their next scorecard."""
        return {
            party
            for party, since in self.rated.items()
            if midnight(add(since.date(), "P3M")) - DAY <= now
        }

    # --- alerts ---

    def alerts(self, now: datetime) -> set[str]:
        """Return the alerts that are open: of what is late, and of what is near."""
        found = {f"dispute-opened {name}" for name in self.disputes}
        found |= {f"risk-open {name}" for name in self.risks}
        reduced = [] if self.over else self.reductions
        found |= {f"investment-reduced launch/{name}" for name in reduced}
        found |= {f"audit-failed ethics/{by}" for by, passed in self.audits.items() if not passed}
        found |= {f"cadence-missed health_check/{party}" for party in self.unrated}
        found |= {f"due-soon cadence/health_check/{party}" for party in self._scorecards(now)}
        if self.silence:
            found |= {f"lead-awaits-answer deal/{each}/referral" for each in self.leads}
        else:
            ours, theirs = self.parties
            answers = {ours: theirs, theirs: ours}
            found |= {
                f"lead-unanswered {x.made:%Y-%m}/{answers[x.by]}" for x in self.leads.values()
            }
        found |= {f"lead-rejected deal/{each}/referral" for each in self.rejected}
        found |= {f"claim-awaits-confirmation {each}" for each in self.claims}
        found |= {f"referral-minimum {each}" for each in self.short}
        found |= {each for name, task in self.tasks.items() for each in _of_task(name, task, now)}
        for asked in self.asked.values():
            if asked.agreement == "ReviewHeld":
                found = self._waiting(asked, found)
        for name, last in self.figures.items():
            found |= _of_day("figure-overdue", f"figure/{name}", name, last, now)
        for name, each in self.statements.items():
            if not each.payout:
                found |= _of_day("statement-overdue", f"statement/{name}", name, each.due, now)
        return found | self._of_answers(now) | self._alerts_of_the_end(now)

    def _waiting(self, said: Asked, found: set[str]) -> set[str]:
        """Return alerts without that on a review of which one party says that it was held.

        What was missed before that stays missed until both agree.
        """
        missed = f"review-missed {said.name}"
        if missed in found and said.made < midnight(self.tasks[said.name].due + DAY):
            return found - {missed}
        return found

    def _of_answers(self, now: datetime) -> set[str]:
        found: set[str] = set()
        for name, each in self.asked.items():
            ref = "/".join(filter(None, [each.agreement, name, each.within]))
            found |= _of_day(
                "answer-overdue",
                f"answer/{ref}",
                ref,
                self.last_day(each),
                now,
                reminded=each.reminded,
            )
        if self.draft:
            last, reminded = self._until_exit(self.draft.made), self.draft.reminded
            for party in {*self.parties} - self.draft.signed:
                ref = f"{self.draft.version}/{party}"
                asked = f"signature/{ref}"
                found |= _of_day("signature-overdue", asked, ref, last, now, reminded=reminded)
        return found

    def last_day(self, asked: Asked) -> date:
        """Return the last day for the answer to a proposal."""
        made = asked.made.date()
        last = self._until_exit(made) if self._ends_with_exit(asked) else made + timedelta(ANSWER)
        return min(last, asked.until or date.max)

    def _until_exit(self, made: date) -> date:
        """Return the last day of an answer that an exit ends."""
        last = made + timedelta(days=ANSWER)
        ahead = self.leaves_on is not None and not self.over
        return min(last, self.leaves_on - DAY) if ahead and self.leaves_on else last

    def _ends_with_exit(self, asked: Asked) -> bool:
        if asked.agreement == "Cancellation":
            task = self.tasks.get(asked.name)
            return task is not None and task.kind in GIVEN_UP_BY_EXIT
        return asked.agreement in UNTIL_EXIT - {"Exit"}

    def _remember_reminders(self) -> None:
        """Note who was reminded of the day of an answer, before an exit moves it."""
        now = self.now
        for each in self.asked.values():
            near = is_near(midnight(self.last_day(each) + DAY), now)
            each.reminded = self._ends_with_exit(each) and (each.reminded or near)
        if self.draft:
            near = is_near(midnight(self._until_exit(self.draft.made) + DAY), now)
            self.draft.reminded = self.draft.reminded or near

    def _alerts_of_the_end(self, now: datetime) -> set[str]:
        if self.ended:
            return set()
        found = {f"renewal-declined {name}" for name in self.declined}
        if day := self.leaves_on:
            found.add(f"exit-incomplete {day}" if self.over else "exit-ahead exit")
            if not self.over and is_near(midnight(day), now):
                found.add(f"due-soon exit/{day}")
            return found
        found |= {"renewal-open renewal"} if self.renewing else set()
        if self._decides(now):
            found.add(f"notice-due {self.last_notice}")
        if is_near(midnight(self.last_notice + DAY), now):
            found.add(f"due-soon notice/{self.last_notice}")
        if is_near(midnight(self.ends_on), now):
            found.add(f"due-soon term-end/{self.ends_on}")
        return found | ({f"term-ended {self.ends_on}"} if self.term_ended else set())


def _of_day(
    overdue: str, reminder: str, ref: str, last: date, now: datetime, *, reminded: bool = False
) -> set[str]:
    """Return the alert of a day: its reminder before, or that it is overdue."""
    if midnight(last + DAY) <= now:
        return {f"{overdue} {ref}"}
    near = reminded or is_near(midnight(last + DAY), now)
    return {f"due-soon {reminder}"} if near else set()


def _of_task(name: str, task: Task, now: datetime) -> set[str]:
    if task.kind == "Issue":
        return {f"issue-escalated {name}"} if task.since + REMIND <= now else set()
    if task.kind not in OVERDUE:
        return set()
    reminder = f"{REMINDER.get(task.kind, task.kind.lower())}/{name}"
    found = _of_day(OVERDUE[task.kind], reminder, name, task.due, now)
    if task.kind == "Review":
        # It is reminded of before its hour, at noon.
        found -= {f"due-soon {reminder}"}
        noon = midnight(task.due) + timedelta(hours=12)
        if noon - REMIND <= now < midnight(task.due + DAY) and not task.said:
            found.add(f"due-soon {reminder}")
    return found | ({f"breach-notice {name}"} if task.kind == "Breach" else set())
