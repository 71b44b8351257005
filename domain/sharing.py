"""Data sharing: line by line, which figures one side gives to another, and in which form (C14).

A protocol can be asymmetric: a party sees only what a line gives it, and what it reports itself.
Partners that compete can name a neutral third party. It sees what the lines give it, and reports
aggregates, which other lines give to one party or to both.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.kernel import CLOCK_PARTY, SIGNED_OR_SIGNING, Refused, Value
from domain.metric_catalogue import known
from domain.own_metric import own_metrics
from domain.values import Count, Day, Ref, Slug, Text

SMALLEST_CELL = 10
"""Smaller counts could identify single customers; they are hidden unless agreed otherwise (C14)."""


class Form(StrEnum):
    """The forms in which figures are shared (C14)."""

    FULL = "full"
    AGGREGATED = "aggregated"
    """Without counts below the smallest cell, for a partner that fears misuse."""


class ThirdParty(Value):
    """A neutral third party, for partners that compete (C14)."""

    party: Slug
    """The identifier under which it reports and asks."""
    name: Text
    """The name of the organisation."""


class SharingLine(Value):
    """What one side gives to another."""

    metrics: Annotated[list[Slug], Field(min_length=1)]
    """The metrics that are shared."""
    by: Slug
    """Who gives the figures: a party, or the third party for its aggregates."""
    to: Slug
    """Who sees them: the other party, or the third party."""
    form: Form = Form.FULL
    """The form in which the figures are shared."""
    smallest_cell: Count = SMALLEST_CELL
    """Smaller counts are shown only as smaller than this, if the form is `aggregated`."""
    frequency: Literal["live", "weekly", "monthly", "quarterly"]
    """How often the figures are shared."""
    tool: Text
    """The system through which the figures are shared."""
    until: Day | None = None
    """The first day whose reports are not shared any more; null while the protocol is in force."""


class DataSharingAgreed(
    BilateralAgreement,
    name="DataSharing",
    subject="which figures each side gives to another, line by line (C14)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
):
    """Both parties agreed which figures each side gives to another, line by line (C14)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """The version of the protocol, counted from 1."""

    lines: list[SharingLine]
    """What is shared. Without any line each party sees only what it reports itself."""
    third_party: ThirdParty | None = None
    """The neutral third party, if there is one."""

    def given(self, to: str, by: str, metric: str) -> SharingLine | None:
        """Return the line that gives a metric of one side to another; of several the last."""
        lines = [each for each in self.lines if (each.by, each.to) == (by, to)]
        return next((each for each in reversed(lines) if metric in each.metrics), None)

    def shares(self, to: str, by: str, metric: str, reported_on: date) -> bool:
        """Whether a line gives a figure that one side reported on a day to another (C14)."""
        line = self.given(to, by, metric)
        return line is not None and (line.until is None or reported_on < line.until)

    def smallest_cell(self, by: str, metric: str) -> int | None:
        """Return the largest of the smallest cells of the lines that give a metric of one side.

        None if every line gives it in full, or none gives it.
        """
        cells = [
            each.smallest_cell
            for each in self.lines
            if each.by == by and metric in each.metrics and each.form is Form.AGGREGATED
        ]
        return max(cells, default=None)

    def smallest_cells(self) -> dict[str, int]:
        """Return the largest of the smallest cells of a metric's lines, by metric, of both sides.

        A metric that every line gives in full has none.
        """
        found: dict[str, int] = {}
        for line in self.lines:
            for metric in line.metrics:
                if (cell := self.smallest_cell(line.by, metric)) is not None:
                    found[metric] = max(cell, found.get(metric, 0))
        return found

    def gives(self, by: str, metric: str) -> bool:
        """Whether any line gives a metric of this side."""
        return any(each.by == by and metric in each.metrics for each in self.lines)

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if a line names an unknown metric or somebody who is not involved."""
        third = proposed.third_party
        if third is not None and third.party in {*context.parties, CLOCK_PARTY}:
            raise Refused(
                "third-party-not-neutral",
                f"A neutral third party is not one of the two. {third.party} is.",
                "Name another organisation, or leave the third party out.",
                field="third_party/party",
            )
        own = own_metrics(context.agreements)
        involved = [*context.parties, *([third.party] if third is not None else [])]
        for line in proposed.lines:
            for metric in line.metrics:
                known(metric, "lines/metrics", own)
            _check_sides(line, involved)


def _check_sides(line: SharingLine, involved: list[str]) -> None:
    strangers = [each for each in (line.by, line.to) if each not in involved]
    if strangers:
        raise Refused(
            "sharing-with-a-stranger",
            "A line shares figures between the parties and the third party. "
            f"{strangers[0]} is none of them.",
            f"Use {', '.join(involved)}, or name the third party.",
            field="lines",
        )
    if line.by == line.to:
        raise Refused(
            "shared-with-oneself",
            f"A line shares figures with somebody else. {line.by} is named on both sides.",
            "Give the side that sees the figures as `to`.",
            field="lines",
        )


ProposeDataSharing = DataSharingAgreed.proposes
AgreeDataSharing = DataSharingAgreed.accepts
