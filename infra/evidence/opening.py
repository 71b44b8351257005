"""Opens what an address names: a store, or an evidence bundle that is read as one."""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.bootstrap import Accord, bootstrap
from infra.deciding.clock import Clock, wall_clock
from infra.settings import Settings


@contextmanager
def opened(settings: Settings, clock: Clock = wall_clock) -> Iterator[Accord]:
    """Open the store or the bundle that the settings name, and close it at the end.

    Raises as `bootstrap` and `bundle_store.opened` do.
    """
    if settings.bundle is None:
        with bootstrap(settings, clock) as accord:
            yield accord
        return
    from infra.evidence import bundle_store  # noqa: PLC0415 - so that other commands start sooner

    with bundle_store.opened(settings.bundle, clock) as accord:
        yield accord
