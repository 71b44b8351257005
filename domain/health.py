"""Health: what each side gives, how it feels, what could go wrong, what was looked into (C24, C25).

Volume is balanced by quality and satisfaction, and numbers by what both say of each other.
"""

from enum import StrEnum

from domain.bilateral import BilateralAgreement
from domain.calendar import Period
from domain.declarations import Declaration
from domain.kernel import IN_FORCE, RUNNING
from domain.terms import check_parties
from domain.values import Count, Day, Money, Number, PersonName, Rating, Ref, Slug, Text


class ContributionKind(StrEnum):
    """What a party gives to the partnership (C9, C24)."""

    MONEY = "money"
    TECHNOLOGY = "technology"
    KNOWLEDGE = "knowledge"
    OPERATIONS = "operations"
    TIME = "time"


class ContributionRecorded(
    Declaration,
    command="RecordContribution",
    stages=IN_FORCE,
    identity=("contribution",),
    by_party=True,
):
    """A party recorded what it gave, to be set beside what the other gives (C24)."""

    contribution: Ref
    period: Period
    kind: ContributionKind
    what: Text
    value: Money | None = None
    hours: Number | None = None


class HealthCheckRecorded(
    Declaration, command="RecordHealthCheck", stages=RUNNING, identity=("period",), by_party=True
):
    """A party filled in the scorecard of a quarter (C25)."""

    period: Period
    trust: Rating
    communication: Rating
    value_delivery: Rating
    quality: Rating | None = None
    satisfaction: Rating | None = None
    remarks: Text | None = None


class RiskIdentified(Declaration, command="IdentifyRisk", stages=IN_FORCE, identity=("risk",)):
    """A risk was put on the joint register (C25)."""

    risk: Ref
    description: Text
    likelihood: Rating
    impact: Rating
    owner: Slug
    """The party that watches it."""

    def check(self, parties: tuple[str, ...]) -> None:
        """Raise `Refused` where a stranger is to watch it."""
        check_parties([self.owner], parties)


class RiskMitigated(
    Declaration, command="MitigateRisk", stages=IN_FORCE, identity=("risk",), follows=RiskIdentified
):
    """A risk of the register was dealt with (C25)."""

    risk: Ref
    how: Text


class AuditSubject(StrEnum):
    """What a compliance audit looks into (C25)."""

    QUALITY = "quality"
    ETHICS = "ethics"
    DATA_PROTECTION = "data-protection"
    SECURITY = "security"


class ComplianceAudited(Declaration, command="RecordAudit", stages=IN_FORCE, identity=("audit",)):
    """Quality or ethics were audited (C25)."""

    audit: Ref
    subject: AuditSubject
    auditor: PersonName
    passed: bool
    findings: list[Text] = []


class ManagerRotated(
    Declaration,
    command="RotateManager",
    stages=RUNNING,
    identity=("effective_on",),
    by_party=True,
):
    """A party passed the partnership to another manager, with time to hand over (C25)."""

    effective_on: Day
    former: PersonName
    successor: PersonName


class WinCelebrated(Declaration, command="CelebrateWin", stages=RUNNING, identity=("win",)):
    """A small win was celebrated (C17)."""

    win: Ref
    text: Text


# --- underperformance --------------------------------------------------------------------------


class ActivityPaused(Declaration, command="PauseActivity", stages=RUNNING, identity=("pause",)):
    """An activity was paused, rather than the partnership ended (C23)."""

    pause: Ref
    activity: Text
    reason: Text


class ActivityResumed(
    Declaration,
    command="ResumeActivity",
    stages=RUNNING,
    identity=("pause",),
    follows=ActivityPaused,
):
    """A paused activity goes on (C23)."""

    pause: Ref


class TargetAdjusted(
    BilateralAgreement,
    name="Target",
    subject="another target for an objective of the charter, with the reason (C23)",
    stages=RUNNING,
    identity=("objective",),
):
    """Both parties agreed another target for an objective of the charter, with the reason (C23)."""

    proposal: Ref
    agreed_version: Count

    objective: Slug
    target: Number
    deadline: Day
    reason: Text


RecordContribution = ContributionRecorded.asks
RecordHealthCheck = HealthCheckRecorded.asks
IdentifyRisk = RiskIdentified.asks
MitigateRisk = RiskMitigated.asks
RecordAudit = ComplianceAudited.asks
RotateManager = ManagerRotated.asks
CelebrateWin = WinCelebrated.asks
PauseActivity = ActivityPaused.asks
ResumeActivity = ActivityResumed.asks
ProposeTarget = TargetAdjusted.proposes
AgreeTarget = TargetAdjusted.accepts
