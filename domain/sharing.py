"""Data sharing: which figures each party sees, how often and through what (C14)."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.kernel import UNTIL_EXIT, Refused
from domain.metric_catalogue import CATALOGUE
from domain.values import Count, Ref, Slug, Text

SMALLEST_CELL = 10
"""Counts below this may tell of single customers, so they are not shown unless agreed (C14)."""


class Form(StrEnum):
    """In which form figures are shared (C14)."""

    FULL = "full"
    AGGREGATED = "aggregated"
    """No counts below the smallest cell: what a partner accepts who fears misuse."""
    OWN_TRACKING = "own-tracking"
    """Each party sees only what it measures itself, by promo codes or landing pages."""
    THIRD_PARTY = "third-party"
    """A neutral third party sees all, each party the sums: for partners who compete."""


class DataSharingAgreed(
    BilateralAgreement,
    name="DataSharing",
    subject="which metrics are shared, how often and in which form (C14)",
    stages=UNTIL_EXIT,
):
    """Both parties agreed which metrics are shared, how often and in which form (C14)."""

    proposal: Ref
    agreed_version: Count

    metrics: Annotated[list[Slug], Field(min_length=1)]
    frequency: Literal["live", "weekly", "monthly", "quarterly"]
    tool: Text
    form: Form
    smallest_cell: Count = SMALLEST_CELL
    """Counts below this are shown as fewer than it, except in full."""

    @classmethod
    def check(cls, proposed: Any, within: PartnershipContext) -> None:  # noqa: ANN401, ARG003 - made
        """Raise `Refused` where a metric is not in the catalogue."""
        unknown = [each for each in proposed.metrics if each not in CATALOGUE]
        if unknown:
            raise Refused(
                "unknown-metric",
                f"The catalogue has no metric {', '.join(unknown)}.",
                "Name metrics of the catalogue (accord schema --metrics lists them).",
                field="metrics",
            )


ProposeDataSharing = DataSharingAgreed.proposes
AgreeDataSharing = DataSharingAgreed.accepts
