"""An overview of each partnership: its parties, its stage, and how it came to it."""

from domain.execution import KickoffHeld
from domain.exploration import ExplorationBegun, ExplorationClosed, PartnerChosen
from domain.kernel import Stage
from domain.partnership import stage_after
from domain.recorded import Recorded
from domain.renewal import (
    ExitNoticeGiven,
    PartnershipExited,
    PartnershipRenewed,
    RenewalReviewHeld,
)
from domain.scaling import ScopeExpanded
from domain.values import instant
from projections.fold import Change, Projection, Row, Rows

OVERVIEW_ROW = "overview"
"""The key of the one row."""


def keys(_: Recorded) -> tuple[str, ...]:
    """Give the one row."""
    return (OVERVIEW_ROW,)


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take a fact that moves the partnership into its overview."""
    event = recorded.event
    row = rows.get(OVERVIEW_ROW, {})
    if isinstance(event, ExplorationBegun):
        row = {
            "id": recorded.partnership,
            "parties": [recorded.act.party],
            "names": {recorded.act.party: event.party_name},
            "purpose": event.purpose,
            "began": instant(recorded.act.occurred_at),
            "stages": [],
        }
    elif isinstance(event, PartnerChosen):
        row = {
            **row,
            # A replay as of a moment may leave out the beginning.
            "parties": [*row.get("parties", ())[:1], event.candidate],
            "names": {**row.get("names", {}), event.candidate: event.name},
        }
    return Change({OVERVIEW_ROW: _moved(row, recorded)}, [])


def _moved(row: Row, recorded: Recorded) -> Row:
    stages = row.get("stages", [])
    scaled = any(each["stage"] == Stage.SCALING for each in stages)
    before = Stage(row["stage"]) if "stage" in row else None
    stage = stage_after(recorded.event, before, scaled=scaled)
    if stage is None or stage is before:
        return row
    entered = {"stage": stage.value, "since": instant(recorded.act.occurred_at)}
    return {**row, "stage": stage.value, "stages": [*stages, entered]}


OVERVIEW = Projection(
    "overview",
    keys,
    apply,
    frozenset(
        {
            ExplorationBegun,
            PartnerChosen,
            KickoffHeld,
            ScopeExpanded,
            RenewalReviewHeld,
            PartnershipRenewed,
            ExitNoticeGiven,
            PartnershipExited,
            ExplorationClosed,
        }
    ),
)
