"""Pure folds over recorded events: figures, alerts, ledger, experiments and more."""

from projections.alerts import ALERTS
from projections.deadlines import DEADLINES
from projections.experiments import EXPERIMENTS
from projections.fold import Projection
from projections.kpis import KPIS
from projections.overview import OVERVIEW
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
)
"""Every projection that is kept live; all are folded from the same history."""

FAMILIES: dict[str, tuple[Projection, ...]] = {"views": PROJECTIONS}
"""The same by families, each folded on its own and at its own pace: see docs/decisions/0008."""

__all__ = [
    "ALERTS",
    "DEADLINES",
    "EXPERIMENTS",
    "FAMILIES",
    "KPIS",
    "OVERVIEW",
    "PROJECTIONS",
    "SETTLEMENT",
    "TRAITS",
]
