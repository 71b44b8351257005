"""Folds as an older release had them, and stores that such a release wrote."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from domain.recorded import Recorded
from infra.bootstrap import Accord, bootstrap, init
from infra.projecting.runner import Runner
from infra.settings import Settings
from infra.store.views import Views
from projections import ALERTS, OVERVIEW, PROJECTIONS
from projections.fold import Change, Projection, Rows
from tests.feeds import FEEDS, play


def _without_purpose(rows: Rows, recorded: Recorded) -> Change:
    """The fold of the overview before it had the purpose of a partnership."""
    change = OVERVIEW.apply(rows, recorded)
    return change._replace(
        rows={key: replace(row, purpose=None) for key, row in change.rows.items()}
    )


ONLY_OLD = "/old"
"""The end of the identifiers of outputs that only the older release made."""


def _other_alerts(rows: Rows, recorded: Recorded) -> Change:
    """The fold of alerts before it said that one is resolved, and when it said others twice."""
    change = ALERTS.apply(rows, recorded)
    kept = [each for each in change.outputs if each.body.state.value != "resolved"]
    twice = [each._replace(id=f"{each.id}{ONLY_OLD}") for each in kept]
    return change._replace(outputs=[*kept, *twice])


OLD_OVERVIEW = replace(OVERVIEW, version=OVERVIEW.version - 1, apply=_without_purpose)
OLD_ALERTS = replace(ALERTS, version=ALERTS.version - 1, apply=_other_alerts)
CHANGED = {OVERVIEW.name: OLD_OVERVIEW, ALERTS.name: OLD_ALERTS}
OLD: tuple[Projection, ...] = tuple(CHANGED.get(each.name, each) for each in PROJECTIONS)
"""All projections of the older release."""


def views_of(accord: Accord, projections: Sequence[Projection] = OLD) -> Views:
    """Return the views of a store as the release with these projections reads them."""
    versions = {each.name: each.version for each in projections}
    views: Views = type(accord.views)(accord.views.datastore, versions)  # type: ignore[attr-defined, call-arg]
    return views


def runner_of(accord: Accord, projections: Sequence[Projection] = OLD) -> Runner:
    """Return a runner of the release with these projections."""
    return Runner(accord.history, views_of(accord, projections), projections)


@contextmanager
def written_by_an_older_release(settings: Settings) -> Iterator[Accord]:
    """Return a store, opened by this release, that the older one made and folded."""
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        for feed in FEEDS[:2]:
            play(accord, feed)
        runner_of(accord).catch_up()
        yield accord
