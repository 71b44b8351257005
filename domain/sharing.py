"""Data sharing: which figures each party sees, how often and through what (C14)."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.kernel import UNTIL_EXIT, Refused
from domain.metric_catalogue import CATALOGUE
from domain.values import Count, Slug, Text

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


class DataSharingAgreed(BilateralAgreement, name="DataSharing", stages=UNTIL_EXIT):
    """Both agreed a protocol of which metrics are shared, how often and in which form (C14)."""

    metrics: Annotated[list[Slug], Field(min_length=1)]
    frequency: Literal["live", "weekly", "monthly", "quarterly"]
    tool: Text
    form: Form
    smallest_cell: Count = SMALLEST_CELL
    """Counts below this are shown as fewer than it, except in full."""

    @classmethod
    def check(cls, command: Any, parties: tuple[str, ...]) -> None:  # noqa: ANN401, ARG003 - as Pact
        """Raise `Refused` where a metric is not in the catalogue."""
        unknown = [each for each in command.metrics if each not in CATALOGUE]
        if unknown:
            raise Refused(
                "unknown-metric",
                f"The catalogue has no metric {', '.join(unknown)}.",
                "Name metrics of the catalogue (accord schema --metrics lists them).",
                field="metrics",
            )


ProposeDataSharing = DataSharingAgreed.proposes
AgreeDataSharing = DataSharingAgreed.agrees
