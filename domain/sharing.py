"""Data sharing: which figures each party sees, how often, and in which form (C14)."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.kernel import UNTIL_EXIT
from domain.metric_catalogue import known
from domain.values import Count, Ref, Slug, Text

SMALLEST_CELL = 10
"""Smaller counts could identify single customers; they are hidden unless agreed otherwise (C14)."""


class Form(StrEnum):
    """The forms in which figures are shared (C14)."""

    FULL = "full"
    AGGREGATED = "aggregated"
    """Without counts below the smallest cell, for a partner that fears misuse."""
    OWN_TRACKING = "own-tracking"
    """Each party sees only what it measures itself, by promo codes or landing pages."""
    THIRD_PARTY = "third-party"
    """For partners that compete: a neutral third party sees all figures, each party the sums."""


class DataSharingAgreed(
    BilateralAgreement,
    name="DataSharing",
    subject="which metrics are shared, how often and in which form (C14)",
    stages=UNTIL_EXIT,
):
    """Both parties agreed which metrics are shared, how often and in which form (C14)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """The version of the protocol, counted from 1."""

    metrics: Annotated[list[Slug], Field(min_length=1)]
    """The metrics that are shared."""
    frequency: Literal["live", "weekly", "monthly", "quarterly"]
    """How often the figures are shared."""
    tool: Text
    """The system through which the figures are shared."""
    form: Form
    """The form in which the figures are shared."""
    smallest_cell: Count = SMALLEST_CELL
    """Smaller counts are shown only as smaller than this, unless the form is `full`."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401, ARG003 - made
        """Raise `Refused` if a metric is not in the catalogue."""
        for metric in proposed.metrics:
            known(metric, "metrics")


ProposeDataSharing = DataSharingAgreed.proposes
AgreeDataSharing = DataSharingAgreed.accepts
