"""Pure folds over recorded events: figures, alerts, ledger, experiments and more."""

from projections.alerts import ALERTS
from projections.deadlines import DEADLINES
from projections.experiments import EXPERIMENTS
from projections.fold import Projection
from projections.kpis import KPIS
from projections.overview import OVERVIEW
from projections.proposals import PROPOSALS
from projections.settlement import SETTLEMENT
from projections.traits import TRAITS

PROJECTIONS: tuple[Projection, ...] = (
    KPIS,
    ALERTS,
    SETTLEMENT,
    EXPERIMENTS,
    DEADLINES,
    OVERVIEW,
    TRAITS,
    PROPOSALS,
)
"""Every projection that is kept live; all are folded from the same history."""

VERSIONS: dict[str, int] = {each.name: each.version for each in PROJECTIONS}
"""The version of each one's fold in this release."""

__all__ = [
    "ALERTS",
    "DEADLINES",
    "EXPERIMENTS",
    "KPIS",
    "OVERVIEW",
    "PROJECTIONS",
    "PROPOSALS",
    "SETTLEMENT",
    "TRAITS",
    "VERSIONS",
]
