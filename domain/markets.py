"""Markets: feedback and rankings of each market, and who owns each metric (C3, C29).

Evidence from one market never counts for another, so a market can be ranked only after feedback
from that market was recorded [000].
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.declarations import Changeable, Declaration, Declarations
from domain.kernel import Refused, Unknown
from domain.metric_catalogue import known
from domain.own_metric import own_metrics
from domain.values import Count, PersonName, Rating, Ref, Slug, Text


class MarketTargeted(Declaration, command="TargetMarket", identity=("market",)):
    """The partnership targets this market (C3). It can target several."""

    market: Slug
    """The identifier of the market."""


TargetMarket = MarketTargeted.asks


class LocalFeedbackRecorded(
    Changeable,
    Declaration,
    command="RecordLocalFeedback",
    identity=("market", "feedback"),
    by_party=True,
):
    """Feedback from a market on the offer there was recorded (C3)."""

    market: Slug
    """The identifier of the market."""
    feedback: Ref
    """The feedback's own identifier, such as the survey's and the answer's."""
    given_by: PersonName
    """Who gave it: a person, a panel, the respondents of a survey."""
    score: Rating
    """The rating of the offer, from 1 to 5."""
    text: Text
    """The feedback, in words."""


RecordLocalFeedback = LocalFeedbackRecorded.asks


class MarketRanked(
    Declaration, command="RankMarket", identity=("market",), by_party=True, restated=True
):
    """A party rated a market's viability and cultural fit, with reasons (C3)."""

    market: Slug
    """The identifier of the market."""
    viability: Rating
    """The rating of the market's viability, from 1 to 5."""
    cultural_fit: Rating
    """The rating of the cultural fit, from 1 to 5."""
    reasons: Annotated[list[Text], Field(min_length=1)]
    """The reasons, in words."""

    def check_preceding(self, known: Declarations) -> None:
        """Raise `Refused` unless there is feedback from this market (C3)."""
        heard = [each.market for each in known.of(LocalFeedbackRecorded)]
        if self.market not in heard:
            raise Unknown(
                "local-feedback-first",
                "A market can be ranked only on feedback from that market. "
                f"There is no feedback from {self.market}.",
                "Record local feedback first (RecordLocalFeedback).",
                heard=sorted(set(heard)),
                named=self.market,
                known=heard,
            )


RankMarket = MarketRanked.asks


class Role(StrEnum):
    """The roles of a team that works in several markets (C29)."""

    CENTRAL_LEAD = "central-lead"
    REGIONAL_MANAGER = "regional-manager"
    ANALYST = "analyst"
    MARKETING_LIAISON = "marketing-liaison"


class RoleAssigned(
    Declaration, command="AssignRole", identity=("role", "market"), by_party=True, restated=True
):
    """A party gave a person a role, in one market or in all (C29)."""

    role: Role
    """The role of the person."""
    market: Slug | None = None
    """The market; null for all of them."""
    name: PersonName
    """The name of the person."""

    def check(self, parties: tuple[str, ...]) -> None:  # noqa: ARG002 - as every declaration's
        """Raise `Refused` for a regional manager without a market."""
        if self.role is Role.REGIONAL_MANAGER and self.market is None:
            raise Refused(
                "regional-needs-market",
                "A regional manager needs a market, and none is given.",
                "Give the market, or assign the role of central lead.",
            )


AssignRole = RoleAssigned.asks


class MetricOwnerAssigned(
    BilateralAgreement,
    name="MetricOwner",
    subject="who owns a metric, in one market or in all (C29)",
    ends_with_exit=True,
    identity=("metric", "market"),
):
    """A metric was given an owner, in one market or in all (C29)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many owners the metric had there, this one included."""

    metric: Slug
    """The name of a metric of the catalogue."""
    market: Slug | None = None
    """The market; null for all of them."""
    owner: PersonName
    """Who owns the metric."""
    local: bool
    """Whether the owner works in the market that the figures are about."""
    role: Role
    """The role of the owner."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` for an unknown metric, or for a local owner without a market."""
        known(proposed.metric, own=own_metrics(context.agreements))
        if proposed.local and proposed.market is None:
            raise Refused(
                "local-to-a-market",
                "A local owner needs a market, and none is given.",
                "Give the market in which the owner works.",
            )

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: PartnershipContext, party: str) -> bool:  # noqa: ANN401, ARG003 - made
        """Whether there is no other party yet, because no partner is chosen."""
        return len(context.parties) == 1


ProposeMetricOwner = MetricOwnerAssigned.proposes
AgreeMetricOwner = MetricOwnerAssigned.accepts
