"""Health: contributions, health checks, risks and audits (C23 to C25).

Figures alone do not show how a partnership is; here each party rates it, and risks are watched.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from domain import charter as charters
from domain.bilateral import BilateralAgreement, BilateralAgreements, check_known, check_reason
from domain.calendar import Period, last_day_of
from domain.charter import Objective
from domain.context import PartnershipContext
from domain.declarations import Changeable, Declaration, Declarations
from domain.formation import CharterAgreed
from domain.governance import ContactAssigned, Function
from domain.kernel import IN_FORCE, SIGNED_OR_SIGNING, Act, NotNow, Refused
from domain.own_metric import own_metrics
from domain.terms import check_parties
from domain.values import Count, Day, Money, Number, PersonName, Quantity, Rating, Ref, Slug, Text


class ContributionKind(StrEnum):
    """What a party contributes to the partnership (C9, C24)."""

    MONEY = "money"
    TECHNOLOGY = "technology"
    KNOWLEDGE = "knowledge"
    OPERATIONS = "operations"
    TIME = "time"


class ContributionPromised(
    BilateralAgreement,
    name="Contribution",
    subject="what a party contributes in a period, or another promise of it (C9)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("contribution",),
):
    """Both parties agreed what one of them contributes in a period, or changed it (C9).

    The party gives it by recording a contribution under the same identifier.
    """

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times it was agreed; more than 1 if it was changed."""

    contribution: Ref
    """The identifier of the contribution."""
    owner: Slug
    """The party that gives it."""
    period: Period
    """The period in which it is given: a month, a quarter or a year."""
    kind: ContributionKind
    """What kind of thing is contributed."""
    what: Text
    """What is contributed, in words."""
    value: Money | None = None
    """What it is worth, if that can be given in money."""
    hours: Quantity | None = None
    """The working hours that it takes."""
    reason: Text | None = None
    """Why it is changed, if it was agreed before."""

    @property
    def due(self) -> date:
        """The last day of the period."""
        return last_day_of(self.period)

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the owner is no party, it is given, or a change has no reason."""
        check_parties([proposed.owner], context.parties)
        agreed = [each.contribution for each in context.agreements.of(cls)]
        check_reason(proposed, agreed, proposed.contribution)
        given = context.declarations.of(ContributionRecorded)
        if proposed.contribution in {each.contribution for each in given}:
            raise NotNow(
                "contribution-recorded",
                "A contribution is promised before it is given. "
                f"{proposed.contribution} is on record as given.",
                "Promise another contribution, under a new identifier.",
                contribution=proposed.contribution,
            )


ProposeContribution = ContributionPromised.proposes
AgreeContribution = ContributionPromised.accepts


class ContributionRecorded(
    Changeable,
    Declaration,
    command="RecordContribution",
    stages=SIGNED_OR_SIGNING,
    identity=("contribution",),
    by_party=True,
    covers="period",
):
    """A party recorded a contribution, to be compared with the other party's (C24).

    Under the identifier of a promised contribution it is what was given of that (C9).
    """

    contribution: Ref
    """The identifier of the contribution."""
    period: Period
    """The period: a month, a quarter or a year."""
    kind: ContributionKind
    """What kind of thing was contributed."""
    what: Text
    """What was contributed, in words."""
    value: Money | None = None
    """What it is worth, if that can be given in money."""
    hours: Quantity | None = None
    """The working hours that it took."""

    def check_agreed(self, agreements: BilateralAgreements, act: Act) -> None:
        """Raise `Refused` if both agreed that the other party gives it."""
        owners = {each.contribution: each.owner for each in agreements.of(ContributionPromised)}
        owner = owners.get(self.contribution, act.party)
        if owner != act.party:
            raise NotNow(
                "not-the-owner",
                f"Only its owner gives a promised contribution. {owner} owns {self.contribution}.",
                f"Record yours under another identifier, and let {owner} record this one.",
                owner=owner,
            )


class HealthCheckRecorded(
    Changeable,
    Declaration,
    command="RecordHealthCheck",
    stages=IN_FORCE,
    identity=("period",),
    by_party=True,
    covers="period",
):
    """A party filled in the scorecard of a quarter (C25). Ratings go from 1 to 5."""

    period: Period
    """The quarter that is rated: `2026-Q1`."""
    trust: Rating
    """The rating of the trust, from 1 to 5 (C23)."""
    communication: Rating
    """The rating of the communication, from 1 to 5 (C23)."""
    value_delivery: Rating
    """How well the partnership delivers value."""
    quality: Rating | None = None
    """The rating of the quality, from 1 to 5 (C23)."""
    satisfaction: Rating | None = None
    """The rating of the satisfaction, from 1 to 5 (C23)."""
    remarks: Text | None = None
    """Remarks, in words."""


class RiskKind(StrEnum):
    """What a risk threatens (C25)."""

    DEPENDENCY = "dependency"
    FINANCIAL = "financial"
    INTELLECTUAL_PROPERTY = "intellectual-property"
    LEGAL = "legal"
    OPERATIONS = "operations"
    REPUTATION = "reputation"


class RiskIdentified(
    Changeable,
    Declaration,
    command="IdentifyRisk",
    stages=SIGNED_OR_SIGNING,
    identity=("risk",),
    joint=True,
):
    """A risk was put on the joint register, rated anew, or taken by another party (C25)."""

    risk: Ref
    """The identifier of the risk."""
    description: Text
    """The risk, in words."""
    kind: RiskKind | None = None
    """What kind of risk it is; null for one of no kind."""
    likelihood: Rating
    """The likelihood, from 1 to 5."""
    impact: Rating
    """The impact, from 1 to 5."""
    owner: Slug | None = None
    """The party that watches the risk; null for nobody yet."""

    def check(self, parties: tuple[str, ...]) -> None:
        """Raise `Refused` if the owner is not a party."""
        if self.owner is not None:
            check_parties([self.owner], parties)

    @property
    def score(self) -> int:
        """Likelihood times impact, of 25."""
        return self.likelihood * self.impact

    def takes_over(self, known: Declaration) -> bool:
        """Whether it rates the risk higher: its author then answers for the rating."""
        return isinstance(known, RiskIdentified) and self.score > known.score

    def check_change(
        self,
        known: Declaration | None,
        stated: Declarations,
        act: Act,
        today: date,  # noqa: ARG002 - as declared
    ) -> None:
        """Raise `Refused` unless a party changes only what is its own to change (C25).

        That is a higher rating, its own words and rating, and whether it owns the risk itself.
        """
        before = known if isinstance(known, RiskIdentified) else None
        self._check_owner(before.owner if before else None, act)
        if before is None:
            return
        described_by = stated.first_author(type(self), self.risk)
        said, was = (self.description, self.kind), (before.description, before.kind)
        if said != was and described_by != act.party:
            raise NotNow(
                "risk-described-by-another",
                "Only the party that recorded a risk changes its description and its kind. "
                f"{described_by} described risk {self.risk}, and {act.party} describes it anew.",
                "Leave the description and the kind as they are, or record another risk.",
                party=described_by,
                field="description",
            )
        rated_by = stated.author(type(self), self.risk)
        if self.score < before.score and rated_by != act.party:
            raise NotNow(
                "risk-rated-by-another",
                f"Only the party that rated a risk rates it lower. {rated_by} rated risk "
                f"{self.risk} {before.score} of 25, and {act.party} rates it {self.score}.",
                "Ask that party to rate it lower, or propose that it was mitigated "
                "(ProposeRiskMitigated).",
                party=rated_by,
            )

    def _check_owner(self, before: str | None, act: Act) -> None:
        if before not in {None, act.party, self.owner}:
            raise NotNow(
                "risk-owned-by-another",
                f"Only the owner of a risk lays it down. {before} owns risk {self.risk}, and "
                f"{act.party} names {self.owner or 'nobody'}.",
                f"Name {before} as the owner. Another party takes the risk after {before} recorded "
                "it without an owner.",
                party=before,
                field="owner",
            )
        if self.owner not in {None, act.party, before}:
            raise Refused(
                "risk-of-another",
                f"A party takes only itself as the owner of a risk. {act.party} names "
                f"{self.owner}.",
                f"Leave the owner out; {self.owner} takes the risk by recording it with itself as "
                "the owner. Or propose an action of that party (ProposeAction).",
                field="owner",
            )

    def check_again(self, known: Declarations, agreements: BilateralAgreements, act: Act) -> None:  # noqa: ARG002 - as declared
        """Raise `Refused` if the risk was mitigated."""
        _check_open(self.risk, agreements)


class RiskMitigated(
    BilateralAgreement,
    name="RiskMitigated",
    subject="that a risk of the joint register was mitigated (C25)",
    stages=SIGNED_OR_SIGNING,
    identity=("risk",),
    counted=None,
):
    """Both parties agreed that a risk of the joint register was mitigated (C25)."""

    proposal: Ref
    """The identifier of the proposal."""
    risk: Ref
    """The identifier of the risk."""
    how: Text
    """How the risk was mitigated."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the risk is on the register, and is still open."""
        # That stage imports this module.
        from domain.execution import check_not_given_up  # noqa: PLC0415

        known = [each.risk for each in context.declarations.of(RiskIdentified)]
        check_not_given_up("risk", proposed.risk, context.agreements)
        check_known("risk", proposed.risk, known, RiskIdentified.asks)
        _check_open(proposed.risk, context.agreements)


def _check_open(risk: str, agreements: BilateralAgreements) -> None:
    """Raise `Refused` if a risk was mitigated."""
    if risk in {each.risk for each in agreements.of(RiskMitigated)}:
        raise NotNow(
            "risk-mitigated",
            f"A risk that was mitigated is not open any more. Risk {risk} was mitigated.",
            "Rate it anew, with the reason (IdentifyRisk with change_reason), or use a new "
            "identifier.",
            risk=risk,
        )


class AuditSubject(StrEnum):
    """What a compliance audit examines (C25)."""

    QUALITY = "quality"
    ETHICS = "ethics"
    DATA_PROTECTION = "data-protection"
    SECURITY = "security"


class ComplianceAudited(
    Changeable, Declaration, command="RecordAudit", stages=IN_FORCE, identity=("audit",)
):
    """Compliance was audited: quality, ethics, data protection or security (C25)."""

    audit: Ref
    """The identifier of the audit."""
    subject: AuditSubject
    """What was audited."""
    auditor: PersonName
    """Who audited."""
    passed: bool
    """Whether the audit was passed."""
    findings: list[Text] = []
    """What the audit found."""


class ManagerRotated(
    Changeable,
    Declaration,
    command="RotateManager",
    stages=IN_FORCE,
    identity=("effective_on",),
    by_party=True,
):
    """A party handed the partnership over to another manager (C25)."""

    effective_on: Day
    """The first day of the new manager."""
    former: PersonName
    """The manager until then."""
    successor: PersonName
    """The new manager."""

    def check_change(
        self,
        known: Declaration | None,  # noqa: ARG002 - as declared
        stated: Declarations,
        act: Act,
        today: date,  # noqa: ARG002 - as declared
    ) -> None:
        """Raise `Refused` unless the former manager is the manager until that day."""
        manager = _manager_before(self.effective_on, act.party, stated)
        if manager is None:
            raise NotNow(
                "no-manager",
                f"Only a partnership manager hands over. {act.party} has named none.",
                "Assign the manager first (AssignContact).",
            )
        if self.former != manager:
            # Names of people are kept apart from the record, so the refusal has none.
            raise Refused(
                "not-the-manager",
                "Only the partnership manager of a party hands over. The former manager that is "
                f"named is not the manager of {act.party} before {self.effective_on}.",
                "Name the manager who is assigned, or the successor of the latest handover before "
                "that day.",
                field="former",
            )


class Handover(NamedTuple):
    """A handover from one partnership manager to the next (C25)."""

    effective_on: date
    former: str
    successor: str

    @classmethod
    def of(cls, event: ManagerRotated) -> "Handover":
        """Return the handover that an event records."""
        return cls(event.effective_on, event.former, event.successor)


def manager_on(day: date, assigned: str, handovers: tuple[Handover, ...]) -> str:
    """Return the partnership manager on a day: a manager who handed over is out (C25)."""
    name = assigned
    for each in sorted(handovers):
        if each.effective_on <= day and each.former == name:
            name = each.successor
    return name


def _manager_before(day: date, party: str, stated: Declarations) -> str | None:
    """Return the partnership manager of a party before a day; None if it named none."""
    contacts = stated.of(ContactAssigned, party)
    assigned = [each.name for each in contacts if each.function is Function.PARTNERSHIP_MANAGER]
    handovers = tuple(map(Handover.of, stated.of(ManagerRotated, party)))
    earlier = tuple(each for each in handovers if each.effective_on < day)
    return manager_on(day, assigned[0], earlier) if assigned else None


class WinCelebrated(
    Changeable, Declaration, command="CelebrateWin", stages=IN_FORCE, identity=("win",)
):
    """A small win was celebrated (C17)."""

    win: Ref
    """The identifier of the win."""
    text: Text
    """What is celebrated, in words."""


# --- underperformance --------------------------------------------------------------------------


class TargetAdjusted(
    BilateralAgreement,
    name="Target",
    subject="another target for an objective of the charter, with the reason (C23)",
    stages=IN_FORCE,
    ends_with_exit=True,
    identity=("objective",),
):
    """Both parties agreed another target for an objective of the charter, with the reason (C23)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the target of the objective was adjusted."""

    objective: Slug
    """The objective, as the charter names it."""
    target: Number
    """The new target, in the objective's unit."""
    deadline: Day
    """The day by which the new target is to be reached."""
    reason: Text
    """Why the target is adjusted."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the charter has no such objective (C23).

        Also if the target is on the wrong side of its baseline (C8).
        """
        charter = context.agreements.latest(CharterAgreed)
        objectives = charter.charter.objectives if charter else []
        objective = charters.named(proposed.objective, objectives)
        charters.check_target(objective, proposed.target, own_metrics(context.agreements))

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the new deadline has passed (C8)."""
        today = context.terms.day(act.occurred_at)
        charters.check_deadline(proposed.objective, proposed.deadline, today)

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the new deadline of the objective."""
        day: date = proposed.deadline
        return day

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Return no further fields. Raises `Refused` if the objective or its day is gone (C8)."""
        cls.check(proposed, context)
        cls.check_new(proposed, context, act)
        return {}

    def adjusts(self, objectives: Iterable[Objective]) -> tuple[Objective, ...]:
        """Return the objectives with the new target and deadline of the one that it names."""
        target = {"target": self.target, "deadline": self.deadline}
        return tuple(
            each.model_copy(update=target) if each.objective == self.objective else each
            for each in objectives
        )


RecordContribution = ContributionRecorded.asks
RecordHealthCheck = HealthCheckRecorded.asks
IdentifyRisk = RiskIdentified.asks
ProposeRiskMitigated = RiskMitigated.proposes
AgreeRiskMitigated = RiskMitigated.accepts
RecordAudit = ComplianceAudited.asks
RotateManager = ManagerRotated.asks
CelebrateWin = WinCelebrated.asks
ProposeTarget = TargetAdjusted.proposes
AgreeTarget = TargetAdjusted.accepts
