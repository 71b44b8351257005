"""One row for each partnership: its parties, its stage, and the stages it went through."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from domain.adoption import AdoptionProposed, PartnershipAdopted
from domain.execution import KickoffHeld
from domain.exit import (
    ENDINGS,
    AssetsDispositioned,
    ExitAgreed,
    ExitNoticeGiven,
    ExitWithdrawn,
)
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.gates import WaiverGranted
from domain.kernel import Event, Stage
from domain.partnership import parties_after, stage_after
from domain.recorded import Recorded
from domain.renewal import PartnershipRenewed, RenewalReviewHeld
from domain.scaling import ScopeExpanded
from domain.settlement import FinalSettlementIssued
from projections.fold import Change, Projection, Rows

OVERVIEW_ROW = "overview"
"""The key of the one row."""


@dataclass(frozen=True, slots=True)
class StageEntered:
    """A stage, and the moment it was entered."""

    stage: Stage
    since: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """The parties and the stages of one partnership.

    An answer as of a moment may lack the beginning: then `purpose` is None.
    """

    parties: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """The name of each party, by its identifier."""
    purpose: str | None = None
    stages: tuple[StageEntered, ...] = ()
    adopted: datetime | None = None
    """When both parties agreed its adoption, if it ran before."""
    ran_since: date | None = None
    """The first day of the partnership, as its adoption states it."""
    settled: bool = False
    """Whether the final settlement of an exit was issued (C27)."""
    assets_settled: bool = False
    """Whether both agreed what becomes of the shared assets, or waived it (C27)."""

    @property
    def stage(self) -> Stage | None:
        """The stage now, or None before the first."""
        return self.stages[-1].stage if self.stages else None


def keys(_: Recorded) -> tuple[str, ...]:
    """Return the one row."""
    return (OVERVIEW_ROW,)


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Add an event that changes the stage or the parties to the overview."""
    event = recorded.event
    row: Overview = rows.get(OVERVIEW_ROW, Overview())
    if isinstance(event, ExplorationBegun):
        party = recorded.act.party
        row = Overview((party,), {party: event.party_name}, event.purpose)
    elif isinstance(event, AdoptionProposed | PartnershipAdopted):
        row = _adopted(row, event, recorded)
    elif isinstance(event, PartnerChosen):
        row = replace(
            row,
            parties=parties_after(event, recorded.act, row.parties),
            names={**row.names, event.candidate: event.name},
        )
    return Change({OVERVIEW_ROW: _moved(_ending(row, event), recorded)}, [])


def _ending(row: Overview, event: Event) -> Overview:
    """Return the overview with what an exit still needs before it is complete."""
    match event:
        case FinalSettlementIssued():
            return replace(row, settled=True)
        case AssetsDispositioned() | WaiverGranted(rule="assets-dispositioned"):
            return replace(row, assets_settled=True)
        case _:
            return row


def _adopted(
    row: Overview, event: AdoptionProposed | PartnershipAdopted, recorded: Recorded
) -> Overview:
    """Return the overview by an adoption: from its proposal on it names both parties."""
    is_agreed = isinstance(event, PartnershipAdopted)
    return replace(
        row,
        parties=parties_after(event, recorded.act, row.parties),
        names={each.party: each.name for each in event.parties},
        purpose=event.purpose,
        ran_since=event.since,
        adopted=recorded.act.occurred_at if is_agreed else None,
    )


def _moved(row: Overview, recorded: Recorded) -> Overview:
    scaled = any(each.stage is Stage.SCALING for each in row.stages)
    stage = stage_after(recorded.event, row.stage, scaled=scaled)
    if stage is None or stage is row.stage:
        return row
    return replace(row, stages=(*row.stages, StageEntered(stage, recorded.act.occurred_at)))


OVERVIEW = Projection(
    "overview",
    keys,
    apply,
    frozenset(
        {
            ExplorationBegun,
            AdoptionProposed,
            PartnershipAdopted,
            PartnerChosen,
            KickoffHeld,
            ScopeExpanded,
            RenewalReviewHeld,
            PartnershipRenewed,
            ExitNoticeGiven,
            ExitAgreed,
            ExitWithdrawn,
            *ENDINGS,
            FinalSettlementIssued,
            AssetsDispositioned,
            WaiverGranted,
        }
    ),
    version=5,
    row_type=lambda _: Overview,
)
