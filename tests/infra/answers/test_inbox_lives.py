"""Random lives: the inboxes and the alerts are what two managers still owe each other (C22).

A life begins where both agreed all of it, where it was adopted, near the end of its term, or with
money that is owed. Each move is made in the story and in a model (`inbox_model`). After each one
the inboxes and the open alerts are compared. In the end both do what their inboxes ask for, until
nothing is asked.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregates import command_types
from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.calendar import following, month_of, quarter_of
from domain.dispute import OpenDispute, ProposeResolution, WithdrawDispute
from domain.execution import (
    DiagnoseRootCause,
    IssueCause,
    ProposeAction,
    ProposeCampaign,
    ProposeCancellation,
    ProposeCommunicationPolicy,
    ProposeImprovementPlan,
    ProposeMilestone,
    ProposeOnboardingStep,
    ProposePause,
    ProposeReduction,
    ProposeReview,
    RaiseIssue,
)
from domain.exit import (
    GiveBreachNotice,
    GiveExitNotice,
    ProposeCure,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.experiment import RegisterHypothesis
from domain.formation import DRAFT, AgreementDrafted, DraftAgreement
from domain.gates import GateClosed, ProposeWaiver
from domain.governance import ProposeGovernance
from domain.health import (
    HealthCheckRecorded,
    IdentifyRisk,
    ProposeRiskMitigated,
    ProposeTarget,
    RecordAudit,
    RecordHealthCheck,
)
from domain.kernel import Command, NotNow, Refused, Stage, Unknown
from domain.markets import ProposeMetricOwner
from domain.payment import ReceivePayment
from domain.referral import SubmitReferral
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.scaling import ProposeJointInvestment
from domain.settlement import IssueStatement, StatementIssued
from domain.terms import Cadence, ClaimRules
from infra.answers.inbox import Awaiting, EventToSend, InboxItem
from projections import ALERTS
from projections.alerts import Alert
from tests.infra.answers.inbox_model import (
    CLOSES,
    UNTIL_EXIT,
    UNTIL_NOTICE,
    Asked,
    Claim,
    Draft,
    Model,
    Statement,
    Task,
)
from tests.infra.answers.inboxes import LiveInbox, do, other_days
from tests.life import OURS, SECTIONS, THEIRS, adopted, at, changed, example, usd
from tests.projections.money import amend, sell, share, under
from tests.stories import Story

BINDING: Final[dict[str, type[Command]]] = {
    "CommunicationPolicy": ProposeCommunicationPolicy,
    "Governance": ProposeGovernance,
    "JointInvestment": ProposeJointInvestment,
    "MetricOwner": ProposeMetricOwner,
    "Target": ProposeTarget,
}
"""What both agree, and what nobody then has to do."""

PLANNED: Final[dict[str, type[Command]]] = {
    "Action": ProposeAction,
    "Campaign": ProposeCampaign,
    "ImprovementPlan": ProposeImprovementPlan,
    "Milestone": ProposeMilestone,
    "OnboardingStep": ProposeOnboardingStep,
    "Pause": ProposePause,
    "Review": ProposeReview,
}
NAMED_BY: Final = {"ImprovementPlan": "plan", "OnboardingStep": "step"}
"""The field that names what is planned, where it is not the name of the kind."""

ALONE: Final = (
    "Audit",
    "Breach",
    "Dispute",
    "Draft",
    "Hypothesis",
    "Issue",
    "Lead",
    "Notice",
    "Payment",
    "Reduction",
    "Risk",
    "Scorecard",
)
"""What one party begins: it raises, opens, drafts, registers, names or records it."""

OTHERS: Final = ("Exit", "Renewal", "Waiver")
"""What both agree besides: each is proposed, and is then more than one agreement of its kind."""

WAYS: Final = ["propose", "move", "cancel", "accept", "decline", "withdraw", "do", "wait"]

Move = tuple[str, str, str, str, int]


METRICS: Final = ("co_branded_revenue", "new_subscribers", "new_users")
"""The metrics of the charter."""

SILENCE: Final = 10
"""The days after which silence confirms a claim, where both agreed any."""


def _formed() -> Story:
    """Return a partnership that both formed here, on its first day."""
    return at(Stage.EXECUTION)


def _rated() -> Story:
    """Return one in which each party fills in a scorecard every quarter, and answers leads."""
    story = at(Stage.EXECUTION)
    rules = ClaimRules(confirm_within_days=SILENCE)
    cadence = Cadence(health_check="quarterly")
    amend(story, share(), since=story.now.date(), cadence=cadence, claims=rules)
    return story


def _deciding() -> Story:
    """Return one without a charter whose last days for notice come."""
    return adopted("2026-07-01", charter=None)


def _ending() -> Story:
    """Return one whose term comes to its end."""
    return adopted("2026-09-27", charter=None)


def _owing() -> Story:
    """Return one in which a statement is to be paid: the share of a sale."""
    story = under(share(), claims=ClaimRules(confirm_within_days=SILENCE))
    sell(story, "D-1", usd("1000.00"))
    story.on("2026-04-27")
    story.when(OURS, IssueStatement(period="2026-Q1"))
    return story


BEGINNINGS: Final = {
    each.__name__.strip("_"): each
    for each in (_formed, _rated, adopted, _deciding, _ending, _owing)
}


@cache
def _begun(name: str) -> Story:
    story = BEGINNINGS[name]()
    story.when(OURS, example(DiagnoseRootCause))
    return story


def begin(name: str) -> tuple[Story, Model]:
    """Return the story and the model of a beginning."""
    story, parties = _begun(name).copy(), (OURS, THEIRS)
    match name:
        case "adopted" | "deciding" | "ending":
            metrics = METRICS if name == "adopted" else ()
            model = Model(parties, date(2026, 10, 1), date(2025, 8, 1), metrics, debtor=OURS)
            model.unstated = {"2025-08"}
            return story, model
        case _:
            model = Model(parties, date(2029, 1, 1), date(2026, 1, 1), METRICS, minimum=True)
    if name != "formed":
        model.silence = SILENCE
    if name == "rated":
        model.rated = dict.fromkeys(parties, story.now)
    if name == "owing":
        (issued,) = story.facts(StatementIssued)
        model.statements[issued.statement] = Statement(OURS, date(2026, 5, 27))
        model.debtor, model.last_stated = OURS, issued.period
    return story, model


@st.composite
def moves(draw: st.DrawFn) -> list[Move]:
    """Return moves of a few kinds, so that proposals about the same thing meet."""
    every = st.sampled_from([*BINDING, *PLANNED, *ALONE, *OTHERS])
    kinds = draw(st.lists(every, min_size=1, max_size=3))
    party = st.sampled_from([OURS, THEIRS])
    way = st.sampled_from([*WAYS, "move", "move", "accept"])
    move = st.tuples(way, st.sampled_from(kinds), party, party, st.integers(0, 9))
    begin = [("propose", kind, OURS, THEIRS, 5) for kind in kinds] + [("accept", "", "", "", 0)]
    return begin + draw(st.lists(move, min_size=5, max_size=25))


def refusal(story: Story, party: str, command: Command) -> Refused | None:
    """Return why a command is refused; None if it is accepted."""
    try:
        story.when(party, command)
    except Refused as refused:
        return refused
    return None


def of_filled(refused: Refused, filled: Mapping[str, Any]) -> bool:
    """Whether a command is refused for what a manager filled in."""
    if isinstance(refused, Unknown) and refused.named in filled.values():
        return True
    if isinstance(refused, GateClosed):
        return not filled.keys().isdisjoint(refused.fitting)
    field = str(refused.facts.get("field", "")).partition("/")[0]
    return not isinstance(refused, NotNow) and field in filled


def other(party: str) -> str:
    return THEIRS if party == OURS else OURS


class Life(LiveInbox):
    """A story, and the model of what is open in it."""

    def __init__(self, story: Story, model: Model) -> None:
        super().__init__(story)
        self.model = model
        self.count = 0

    def move(self, way: str, kind: str, party: str, owner: str, place: int) -> None:
        match way:
            case "propose":
                if not self.is_over(kind):
                    self.ask(kind, party, owner, place)
            case "move" | "cancel" if kind in {"Reduction", "Breach"}:
                self.give_up(kind, place)
            case "move" | "cancel" if kind == "Dispute":
                self.settle(way, party, place)
            case "cancel" if kind == "Risk":
                self.mitigate(party, place)
            case "cancel" if kind in {"Exit", "Notice"}:
                self.stay(party, place)
            case "move" | "cancel":
                self.change(way, party, owner, place)
            case "wait":
                self.story.wait(days=place)
            case "do":
                self.do(party, place)
            case _:
                self.answer(way, place)
        self.model.until(self.story.now)

    def is_over(self, kind: str) -> bool:
        """Whether both can no longer agree it, because one of them leaves or left."""
        leaves = self.model.leaves_on is not None
        if kind in {*UNTIL_NOTICE, "Hypothesis"}:
            return leaves
        return self.model.over and kind in {*UNTIL_EXIT, "Breach", "Draft", "Notice", "Reduction"}

    def named(self) -> str:
        self.count += 1
        return f"n-{self.count}"

    def asks(self, name: str, party: str, agreement: str, of: str = "", **more: Any) -> None:  # noqa: ANN401 - of `Asked`
        self.model.asked[name] = Asked(party, agreement, self.story.now, of, **more)

    # --- what is begun ---

    def ask(self, kind: str, party: str, owner: str, place: int) -> None:
        """Let a party ask something of the other, of itself or of both."""
        name = self.named()
        match kind:
            case "Exit":
                self.propose_exit(party, name, place)
            case "Notice":
                self.give_notice(party, name, place)
            case "Renewal":
                self.renew(party, name)
            case "Waiver":
                waived = example(ProposeWaiver, proposal=name, rule="assets-dispositioned")
                self.story.when(party, waived)
                self.asks(name, party, kind)
            case _ if kind in PLANNED:
                self.plan(kind, name, name, party, owner, place)
            case "Target" if not self.model.metrics:
                pass  # There is no charter.
            case _ if kind in BINDING:
                self.story.when(party, example(BINDING[kind], proposal=name))
                self.asks(name, party, kind)
            case _:
                self.begin(kind, party, name)

    def begin(self, kind: str, party: str, name: str) -> None:  # noqa: C901 - a case for each kind
        """Let a party begin something alone."""
        today = self.story.now.date()
        match kind:
            case "Issue":
                self.story.when(party, example(RaiseIssue, issue=name))
                self.model.tasks[name] = Task(kind, "", today, self.story.now)
            case "Dispute":
                opened = OpenDispute(
                    dispute=name, cause=IssueCause.COMMUNICATION, description="Nobody answers."
                )
                self.story.when(party, opened)
                self.model.disputes[name] = party
            case "Hypothesis":
                self.story.when(party, example(RegisterHypothesis, experiment=name))
                self.asks(name, party, kind, name, within=f"experiment/{name}")
            case "Risk":
                self.story.when(party, example(IdentifyRisk, risk=name, owner=None))
                self.model.risks.add(name)
            case "Reduction":
                reduced = example(ProposeReduction, proposal=name, reduction=name)
                self.story.when(party, reduced)
                self.model.reductions[name] = party
            case "Audit":
                passed = self.count % 2 == 0
                self.story.when(party, example(RecordAudit, audit=name, passed=passed))
                self.model.audits[party] = passed
            case "Scorecard":
                self.rate(party)
            case "Draft":
                self.write_draft(party, name)
            case "Lead":
                self.submit(party, name)
            case "Payment":
                self.claim(name)
            case _:
                self.story.when(party, example(GiveBreachNotice, breach=name))
                cure_by = today + timedelta(days=30)
                self.model.tasks[name] = Task(kind, other(party), cure_by, self.story.now)

    def rate(self, party: str) -> None:
        """Let a party fill in a scorecard of a period that it has not rated yet, if one is left."""
        period = next(self._unrated(party), None)
        if period is None:
            return
        good = dict.fromkeys(("trust", "communication", "value_delivery"), 4)
        self.story.when(party, RecordHealthCheck.model_validate({"period": period, **good}))
        if self.model.rated:
            self.model.rated[party] = self.story.now
            self.model.unrated.discard(party)

    def _unrated(self, party: str) -> Iterator[str]:
        """Yield the periods that have begun since the agreement and that a party has not rated."""
        rated = {
            each.event.period
            for each in self.story.history
            if isinstance(each.event, HealthCheckRecorded) and each.act.party == party
        }
        began = self.story.partnership.context.terms.began
        assert began is not None
        month = month_of(began)
        while month <= month_of(self.story.now):
            yield from (each for each in (month, quarter_of(month), month[:4]) if each not in rated)
            month = following(month)

    def write_draft(self, party: str, name: str) -> None:
        self.story.when(party, DraftAgreement(sections=changed(SECTIONS, roles=f"Roles, {name}.")))
        version = self.story.facts(AgreementDrafted)[-1].agreement_version
        self.model.draft = Draft(version, party, self.story.now.date())

    def submit(self, party: str, name: str) -> None:
        """Let a party submit a lead; it awaits an answer, also where silence accepts nothing."""
        self.story.when(party, SubmitReferral(deal=name, lead=f"lead {name}"))
        self.model.leads[name] = Claim(party, self.story.now.date())

    def claim(self, name: str) -> None:
        """Let the party that gains by a payment of the client say that it came."""
        if "2026-Q1:USD" in self.model.statements:
            paid = ReceivePayment(deal="D-1", payment=name, amount=usd("100.00"))
            self.story.when(THEIRS, paid)
            self.model.claims[f"deal/D-1/payment/{name}"] = Claim(THEIRS, self.story.now.date())

    # --- the end ---

    def propose_exit(self, party: str, name: str, place: int) -> None:
        day = (self.story.now + timedelta(days=3 + place)).date()
        if self.model.leaves_on is None or day < self.model.leaves_on:
            self.story.when(party, example(ProposeExit, exit=name, effective_on=day))
            self.asks(name, party, "Exit", until=day, on=day)

    def give_notice(self, party: str, name: str, place: int) -> None:
        day = (self.story.now + timedelta(days=61 + place)).date()
        if self.model.leaves_on is None or day < self.model.leaves_on:
            self.story.when(party, example(GiveExitNotice, exit=name, effective_on=day))
            self.model.notice(name, day)

    def stay(self, party: str, place: int) -> None:
        """Let a party propose that an exit is withdrawn before it takes effect."""
        if not self.model.exits or self.model.over:
            return
        day = self.model.leaves_on
        assert day is not None
        exit_, name = [*self.model.exits][place % len(self.model.exits)], self.named()
        stay = ProposeExitWithdrawal(proposal=name, exit=exit_, explanation="Three buyers asked.")
        self.story.when(party, stay)
        self.asks(name, party, "ExitWithdrawal", exit_, until=day - timedelta(days=1))

    def renew(self, party: str, name: str) -> None:
        """Let a party begin a renewal, or propose it once it was begun."""
        if self.model.renewing:
            self.story.when(party, ProposeRenewal(proposal=name, duration="P1Y"))
            self.asks(name, party, "Renewal")
        else:
            self.story.when(party, example(HoldRenewalReview, review=name))
            self.model.renewing = True

    # --- what is moved or given up ---

    def give_up(self, kind: str, place: int) -> None:
        """Let a party end its own reduction, or say that a breach which it noticed is cured."""
        breaches = {x: of.owner for x, of in self.model.tasks.items() if of.kind == "Breach"}
        found = self.model.reductions if kind == "Reduction" else breaches
        if not found:
            return
        name = [*found][place % len(found)]
        if kind == "Reduction":
            over = example(ProposeCancellation, proposal=self.named(), kind="reduction", ref=name)
            self.story.when(self.model.reductions.pop(name), over)
            return
        cured = ProposeCure(proposal=self.named(), breach=name, how="The page is gone.")
        self.story.when(other(breaches[name]), cured)
        self.model.end(name)

    def settle(self, way: str, party: str, place: int) -> None:
        """Let a party propose how a dispute ends, or withdraw a dispute of its own."""
        if not self.model.disputes:
            return
        name = [*self.model.disputes][place % len(self.model.disputes)]
        if way == "cancel":
            opener = self.model.disputes[name]
            self.story.when(opener, WithdrawDispute(dispute=name, reason="It was answered."))
            self.model.end_dispute(name)
            return
        proposal = self.named()
        self.story.when(party, example(ProposeResolution, dispute=name, proposal=proposal))
        self.asks(proposal, party, "Resolution", name, within=f"dispute/{name}")

    def mitigate(self, party: str, place: int) -> None:
        """Let a party mitigate a risk, or let both give it up."""
        if self.model.risks:
            name = sorted(self.model.risks)[place % len(self.model.risks)]
            if place % 2:
                done = example(ProposeRiskMitigated, proposal=self.named(), risk=name)
                self.story.agree(party, done)
            else:
                up = example(ProposeCancellation, proposal=self.named(), kind="risk", ref=name)
                self.story.agree(party, up)
            self.model.end_risk(name)

    def plan(self, kind: str, proposal: str, name: str, party: str, owner: str, place: int) -> None:
        """Let a party propose a task, or another day or another owner for it."""
        due = (self.story.now + timedelta(days=3 + place)).date()
        fields: dict[str, Any] = {"owner": owner, "due": due}
        if kind == "Milestone" and place % 3 == 0:
            owner, fields["owner"] = "", None
        elif kind == "Review":
            owner, fields = "", {"at": datetime(due.year, due.month, due.day, 12, tzinfo=UTC)}
        elif kind == "Campaign":
            fields = {"owner": owner, "first_day": self.story.now.date(), "last_day": due}
        elif kind == "ImprovementPlan":
            owner, fields = "", {"deadline": due}
        elif kind == "Pause":
            owner, fields = "", {"last_day": due}
        fields |= {NAMED_BY.get(kind, kind.lower()): name, "proposal": proposal}
        self.story.when(party, example(PLANNED[kind], **fields, reason="The days are too short."))
        task = Task(kind, owner, due, self.story.now)
        until = due if kind in {"ImprovementPlan", "Pause"} else None
        self.asks(proposal, party, kind, name, task=task, until=until)
        if kind == "Action" and owner == party and name == proposal:
            # Who lays something new on itself asks nobody.
            self.model.accept(proposal)

    def change(self, way: str, party: str, owner: str, place: int) -> None:
        """Let a party propose to move a task, to give it to another, or to give it up."""
        kinds = {*PLANNED} if way == "move" else {*PLANNED} - {"ImprovementPlan"}
        names = [name for name, each in self.model.tasks.items() if each.kind in kinds]
        if not names:
            return
        name, proposal = names[place % len(names)], self.named()
        kind = self.model.tasks[name].kind
        if way == "move":
            if not self.is_over(kind):
                self.plan(kind, proposal, name, party, owner, place)
            return
        called = NAMED_BY.get(kind, kind.lower())
        given_up = example(ProposeCancellation, proposal=proposal, kind=called, ref=name)
        self.story.when(party, given_up)
        self.asks(proposal, party, "Cancellation", name)

    # --- what is answered or done ---

    def answer(self, way: str, place: int) -> None:
        """Let something that awaits an answer be accepted or declined, or be withdrawn."""
        names = [*self.model.asked, *self.model.leads, *self.model.claims]
        names += ["draft"] if self.model.draft else []
        if not names:
            return
        name = names[place % len(names)]
        if name in self.model.asked:
            self.answer_proposal(name, way)
        elif name == "draft":
            self.answer_draft(way)
        elif way != "withdraw":
            self.answer_claim(name, way)

    def answer_proposal(self, name: str, way: str) -> None:
        asked = self.model.asked[name]
        to = other(asked.author)
        if way == "accept":
            (item,) = (each for each in self.inbox(to) if each.ref == name)
            do(self.story, item)
            self.model.accept(name)
            return
        party, kind = (
            (asked.author, WithdrawProposal) if way == "withdraw" else (to, DeclineProposal)
        )
        self.story.when(party, kind(proposal=name, within=asked.within, reason="No."))
        if way == "withdraw":
            del self.model.asked[name]
        else:
            self.model.decline(name)

    def answer_draft(self, way: str) -> None:
        draft = self.model.draft
        assert draft is not None
        if way == "accept":
            left = [
                each for each in (other(draft.author), draft.author) if each not in draft.signed
            ]
            ref = f"agreement {draft.version}"
            self.obey(next(each for each in self.inbox(left[0]) if each.ref == ref))
            return
        party, kind = (
            (draft.author, WithdrawProposal)
            if way == "withdraw"
            else (other(draft.author), DeclineProposal)
        )
        no = kind(agreement=DRAFT, proposal=f"{draft.version}", reason="No deputies.")
        self.story.when(party, no)
        self.model.draft = None

    def answer_claim(self, name: str, way: str) -> None:
        ref = f"deal/{name}/referral" if name in self.model.leads else name
        (item,) = (each for each in self.inbox() if each.ref == ref)
        if way == "accept":
            self.obey(item)
            return
        do(self.story, item, 1)
        if name in self.model.leads:
            self.model.rejected[name] = self.model.leads.pop(name).by
            return
        del self.model.claims[name]
        for each in self.model.statements.values():
            if name == f"payout/{each.payout}/payout":
                each.payout = ""

    def do(self, party: str, place: int) -> None:
        """Let a party do one of the things that it is asked for."""
        mine = [each for each in self.inbox(party) if each.awaiting is not Awaiting.CONSENT]
        if mine:
            self.obey(mine[place % len(mine)])

    def obey(self, item: InboxItem) -> None:  # noqa: C901, PLR0912 - one case for each kind of item
        """Let a party do what an item of its inbox asks for."""
        model, ref = self.model, item.ref
        if ref.startswith("health_check/"):
            self.rate(item.party)
            return
        if item.text.startswith("Hold review "):
            self.await_day(item.day)
            item = next(each for each in self.inbox(item.party) if each.ref == ref)
        name = do(self.story, item)
        command = item.events[0].type.removeprefix("accord.")
        deal = ref.split("/")[1] if ref.startswith("deal/") else ""
        match command:
            case "HoldRenewalReview":
                model.renewing = True
            case "ProposeRenewal":
                self.asks(name, item.party, "Renewal")
            case "ProposeResolution":
                self.asks(name, item.party, "Resolution", ref, within=f"dispute/{ref}")
            case "ProposeRiskMitigated":
                self.asks(name, item.party, "RiskMitigated", ref)
            case "RecordAudit":
                model.audits[item.party] = True
            case "IssueFinalSettlement":
                model.settle(name, self.story.now)
            case "ProposeDisposition" | "ProposeCompletion":
                self.asks(name, item.party, command.removeprefix("Propose"))
            case "ProposeCancellation":
                self.asks(name, item.party, "Cancellation", ref)
            case "ReportMetric":
                del model.figures[ref]
            case "RecordPayout":
                model.statements[ref].payout = name
                model.claims[f"payout/{name}/payout"] = Claim(item.party, self.story.now.date())
            case "ConfirmClaim" if deal in model.leads:
                del model.leads[deal]
            case "ConfirmClaim":
                model.confirm(ref, model.claims)
            case "IssueStatement":
                model.state(ref.partition(":")[0], self.story.now)
            case "LoseDeal":
                del model.rejected[deal]
            case "SignAgreement":
                self.sign(item.party)
            case _ if item.awaiting is Awaiting.CONSENT:
                model.accept(ref)
            case _ if (agreement := CLOSES.get(model.tasks[ref].kind)) and not model.tasks[
                ref
            ].owner * (agreement == "MilestoneReached"):
                self.asks(name, item.party, agreement, ref)
                model.tasks[ref].said = True
            case _:
                model.end(ref)
        self.story.wait()

    def sign(self, party: str) -> None:
        draft = self.model.draft
        assert draft is not None
        draft.signed.add(party)
        if draft.signed == {OURS, THEIRS}:
            self.model.draft = None

    def await_day(self, day: date) -> None:
        """Wait for the day that both agreed for a review, if it is ahead."""
        ahead = (day - self.story.now.date()).days
        if ahead > 0:
            self.story.wait(days=ahead)
            self.model.until(self.story.now)

    # --- what is checked ---

    def check_offers(self) -> None:
        """Try each event that the inboxes offer: only what is filled in can be refused."""
        self.story.wait()
        for item in self.inbox():
            for event in item.events:
                self.offer(item, event)

    def offer(self, item: InboxItem, event: EventToSend) -> None:
        """Try an event with the fields of its example where the inbox leaves them open."""
        kind = command_types()[event.type.removeprefix("accord.")]
        given_ = example(kind).model_dump(mode="json")
        new = {name: self.named() for name in event.missing if name in ("proposal", "exit")}
        filled = {name: given_[name] for name in event.missing} | new
        command = kind.model_validate_json(orjson.dumps(event.data | filled))
        refused = refusal(self.story.copy(), event.party, command)
        assert refused is None or of_filled(refused, filled), f"{item.text} {event}: {refused}"

    def check(self) -> None:
        """Compare the inboxes and the alerts with the model."""
        self.story.wait()
        self.model.until(self.story.now)
        asked = self.inbox()
        for party in (OURS, THEIRS):
            awaits = self.model.awaits(party, self.story.now)
            assert {each.ref for each in asked if each.party == party} == awaits
        for each in asked:
            if each.awaiting is Awaiting.CONSENT and each.ref in self.model.asked:
                assert each.day <= self.model.last_day(self.model.asked[each.ref])
        opened = {f"{each.rule} {each.window}" for each in self.open_alerts()}
        assert opened == self.model.alerts(self.story.now)
        rows = self.folded[ALERTS].rows.values()
        assert other_days((each for each in rows if isinstance(each, Alert)), asked) == []


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([*BEGINNINGS]), moves())
def test_the_inboxes_are_what_both_still_owe_and_empty_once_both_did_it(
    beginning: str, moves: list[Move]
) -> None:
    life = Life(*begin(beginning))
    for move in moves:
        life.move(*move)
        life.check()
    life.check_offers()

    for _ in range(200):
        open_items = life.inbox()
        now = life.story.now
        assert bool(open_items) == bool(
            life.model.awaits(OURS, now) | life.model.awaits(THEIRS, now)
        )
        if not open_items:
            break
        life.obey(open_items[0])
        life.model.until(life.story.now)
    assert life.inbox() == []
    life.check()
