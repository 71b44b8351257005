"""Markets: what is known of each from the market itself, and who owns what is measured (C3, C29).

Evidence from one market never counts for another, so a market is ranked only after somebody in
that very market was heard [000].
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from domain.declarations import Declaration, Declarations
from domain.kernel import Refused
from domain.metric_catalogue import CATALOGUE
from domain.values import PersonName, Rating, Ref, Slug, Text


class MarketTargeted(Declaration, command="TargetMarket", identity=("market",)):
    """The partnership is for this market, perhaps among others (C3)."""

    market: Slug


TargetMarket = MarketTargeted.asks


class LocalFeedbackRecorded(
    Declaration, command="RecordLocalFeedback", identity=("market", "feedback"), by_party=True
):
    """Somebody in a market said what they think of the offer there (C3)."""

    market: Slug
    feedback: Ref
    """The feedback's own identifier, such as the survey's and the answer's."""
    given_by: PersonName
    """Who said so: a person, a panel, the respondents of a survey."""
    score: Rating
    text: Text


RecordLocalFeedback = LocalFeedbackRecorded.asks


class MarketRanked(
    Declaration, command="RankMarket", identity=("market",), by_party=True, restated=True
):
    """A party rated a market's viability and cultural fit, and said why (C3)."""

    market: Slug
    viability: Rating
    cultural_fit: Rating
    reasons: Annotated[list[Text], Field(min_length=1)]

    def rest_on(self, facts: Declarations) -> None:
        """Raise `Refused` before anybody in this very market was heard (C3)."""
        heard = [each.market for each in facts.of(LocalFeedbackRecorded)]
        if self.market not in heard:
            raise Refused(
                "local-feedback-first",
                f"Nobody in {self.market} was heard, and another market's evidence is none here.",
                "Record what people there say (RecordLocalFeedback), then rank it.",
                heard=sorted(set(heard)),
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
    """A party named who has a role, in one market or across all (C29)."""

    role: Role
    market: Slug | None = None
    name: PersonName

    def check(self, parties: tuple[str, ...]) -> None:  # noqa: ARG002 - as every fact's
        """Raise `Refused` for a regional manager of no region."""
        if self.role is Role.REGIONAL_MANAGER and self.market is None:
            raise Refused(
                "regional-needs-market",
                "A regional manager has no region that is named.",
                "Name the market, or give the role of central lead.",
            )


AssignRole = RoleAssigned.asks


class MetricOwnerAssigned(
    Declaration, command="AssignMetricOwner", identity=("metric", "market"), restated=True
):
    """A metric has an owner, in one market or across all (C29)."""

    metric: Slug
    market: Slug | None = None
    owner: PersonName
    local: bool
    """Whether the owner sits in the market that the figures are of."""
    role: Role

    def check(self, parties: tuple[str, ...]) -> None:  # noqa: ARG002 - as every fact's
        """Raise `Refused` for a metric that nobody knows, or an owner local to no market."""
        if self.metric not in CATALOGUE:
            raise Refused(
                "unknown-metric",
                f"{self.metric} is not in the catalogue of metrics.",
                "Name a metric of the catalogue (accord schema --metrics lists them).",
            )
        if self.local and self.market is None:
            raise Refused(
                "local-to-a-market",
                "The owner is said to be local, and no market is named.",
                "Name the market that the owner is local to.",
            )


AssignMetricOwner = MetricOwnerAssigned.asks
