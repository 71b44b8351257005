"""The composition root: the only place where the parts are put together."""

import gc
import logging
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

from domain.kernel import Event
from infra.audit.log import Log
from infra.audit.notary import ALONE, Notary, Seal
from infra.audit.receipts import SignedReceipts
from infra.audit.sealer import Sealer
from infra.deciding import pseudonyms
from infra.deciding.clock import Clock, RecordingClock, wall_clock
from infra.deciding.group_commit import GroupCommit
from infra.deciding.scheduler import Scheduler
from infra.deciding.service import Service
from infra.deciding.waiting import WaitingLimits
from infra.projecting import quarantine, rebuild
from infra.projecting.follower import Follower
from infra.projecting.runner import Runner
from infra.running.cache import Stamped
from infra.settings import OPERATOR, PARTITIONS, NoSuchStore, Settings
from infra.store.history import NOTHING, History
from infra.store.sqlite import SqliteStore
from infra.store.sqlite_datastore import is_new
from infra.store.sqlite_trees import SqliteTrees
from infra.store.sqlite_views import SqliteViews
from infra.store.trees import Trees
from infra.store.views import LIVE, UnreadableRow, Views
from infra.tlog.keys import NoKey, Signer
from infra.tlog.policy import Policy
from infra.workers import Workers
from projections import PROJECTIONS, visibility
from projections.visibility import Viewer

log = logging.getLogger(__name__)

_COLLECT = (100_000, 50, 1000)
"""The thresholds of Python's garbage collector (see `gc.set_threshold`).

A batch makes tens of thousands of objects that live until its end, with hardly a cycle. At the
default of 700, collection takes a fifth of the time.
"""

COMPUTED = 50_000
"""Parts of answers that a process keeps: ten questions of five thousand partnerships."""

SIMULATED = "simulated"
"""The name under which the store keeps whether it is simulated."""

KEPT_BY = "operator"
"""The name under which the store keeps its operator; the origins of its logs begin with that."""


@dataclass(frozen=True, slots=True)
class Accord:
    """An open store, and the parts that work on it."""

    history: History
    views: Views
    trees: Trees
    service: Service
    runner: Runner
    simulated: bool
    clock: Clock
    """The clock of questions. It may be in doubt."""
    recording_clock: RecordingClock | None
    """The clock that dates records; None in a simulated store, whose feeds do."""
    folds_views: bool
    """Whether this process updates the views; with a broker, projectors do."""
    viewer: Viewer = visibility.OPERATOR
    """For whom the store answers: the operator, or the one whom a bundle was made for."""
    notary: Notary | None = None
    """The signer of checkpoints; None in a process without the operator's key."""
    broken_key: NoKey | None = None
    """What is wrong with the operator's key file, if it cannot be used."""
    computed: Stamped = field(default_factory=lambda: Stamped(COMPUTED))
    """What answers computed of single partnerships (see `infra.answers.computed`)."""

    @property
    def is_bundle(self) -> bool:
        """Whether it is an evidence bundle that was opened as a store."""
        return self.viewer.partnerships is not None

    @property
    def operator(self) -> str:
        """The name of the operator, with which the origins of the logs begin."""
        return self.history.meta(KEPT_BY) or OPERATOR

    @property
    def receipts(self) -> SignedReceipts | None:
        """The signer of receipts; None without a key. Raises `NoKey` for a broken key file."""
        self._check_key()
        return self.signed_receipts() if self.notary else None

    def signed_receipts(self) -> SignedReceipts:
        """Return the signer of receipts. Raises `NoKey` without a key that can be used."""
        seal = self.signing().seal
        return SignedReceipts(self.history, seal.operator, seal.signer)

    def signing(self) -> Notary:
        """Return the signer of checkpoints. Raises `NoKey` without a key that can be used."""
        self._check_key()
        if self.notary is None:
            raise NoKey(
                "This process has no signing key. Make one with accord keygen, "
                "and set ACCORD_KEY to its file."
            )
        return self.notary

    def _check_key(self) -> None:
        if self.broken_key:
            raise self.broken_key

    def catch_up(self) -> None:
        """Fold new events into the views, and rebuild them if this release requires it.

        Does nothing in a process that does not fold views or may not write them. Raises
        `OtherFold` for views of a newer release.
        """
        if self.folds_views and not self.history.read_only:
            rebuild.bring_up(self.history, self.views, PROJECTIONS)
            self.runner.catch_up()

    def repair(self, damage: UnreadableRow) -> bool:
        """Have a partnership with a damaged row folded from its first event.

        A process that folds views does it at once, others leave it to a projector. Returns False
        if the store cannot be written, or if a projector was told already.
        """
        if self.history.read_only:
            return False
        positions = self.views.track_positions(LIVE, [damage.partnership])
        position = positions.get(damage.partnership, NOTHING)
        new = self.views.report(quarantine.damaged(damage, position, self.clock()))
        if self.folds_views:
            # A runner of its own, because the follower's is for one thread.
            Runner(self.history, self.views, PROJECTIONS, clock=self.clock).retry()
        return new

    def workers(self) -> Workers:
        """Return the threads of a process that takes events in (see `Workers`).

        Raises `NoKey` for a broken key file, because this process would have to sign, and
        `OtherFold` for views of a newer release, if this process folds them.
        """
        self._check_key()
        folds = self.folds_views and not self.history.read_only
        if folds:
            rebuild.bring_up(self.history, self.views, PROJECTIONS)
        self.service.forget()
        writer = GroupCommit(self.service)
        return Workers(
            history=self.history,
            views=self.views,
            writer=writer,
            clock=self.recording_clock,
            follower=Follower(self.history, self.views, self.runner) if folds else None,
            scheduler=Scheduler(
                self.history, self.views, self.service, writer, self.recording_clock
            )
            if self.recording_clock and not self.history.read_only
            else None,
            # With a broker, `accord run notary` signs.
            sealer=Sealer(self.history, self.notary) if folds and self.notary else None,
        )


def init(settings: Settings, *, simulated: bool = False, operator: str | None = None) -> bool:
    """Make a store; return whether it was made. Does nothing if it exists.

    A missing signing key is made in the file that the settings name. `operator` is the name under
    which it signs. `migrate` makes the tables of a Postgres store. Raises `NoSuchStore` if a store
    exists that is simulated and this one is not to be, or the reverse, or that has another
    operator, and `UnknownSchema` if it must be migrated first.
    """
    if not settings.in_postgres:
        settings.path.parent.mkdir(parents=True, exist_ok=True)
    history, *_ = open_store(settings)
    try:
        made = history.meta(SIMULATED) is None
        if made:
            history.set_meta(SIMULATED, str(simulated).lower())
        elif history.meta(SIMULATED) != str(simulated).lower():
            other = "an ordinary" if simulated else "a simulated"
            raise NoSuchStore(
                f"{settings.shown} is {other} store. Make another one at another address."
            )
        _name(settings, history, operator)
        if (key := settings.path_of_key) and not key.exists():
            Signer.new().save(key)
        return made
    finally:
        history.close()


def _name(settings: Settings, history: History, operator: str | None) -> None:
    # Signatures contain the name, so it never changes.
    kept = history.meta(KEPT_BY)
    if kept is None:
        history.set_meta(KEPT_BY, operator or OPERATOR)
    elif operator not in {None, kept}:
        raise NoSuchStore(
            f"The operator of {settings.shown} is {kept}. Make another store for another operator."
        )


@dataclass(frozen=True, slots=True)
class Migrated:
    """The result of a migration."""

    made: list[str]
    """The migrations that were applied and the topics that were made."""
    queued: list[str]
    """The projections whose rebuild was queued."""


def migrate(
    settings: Settings,
    *,
    simulated: bool = False,
    operator: str | None = None,
    partitions: int = PARTITIONS,
    replicas: int = 1,
) -> Migrated:
    """Upgrade a store, and the topics of its broker, to this release.

    Each service gets a login of the database and, at a broker that this process logs in to, a user
    with its grants. Raises as `init` does, `OtherFold` for views of a newer release,
    `WrongSetting` for the password of an unknown service, `TopicsDiffer`, `NotGranted`, and the
    errors of psycopg and kafka if database or broker cannot be reached.
    """
    made: list[str] = []
    if settings.in_postgres:
        from infra.store import postgres_datastore as postgres

        made += postgres.migrate(settings.store, settings.passwords)
    init(settings, simulated=simulated, operator=operator)
    history, views, _ = open_store(settings)
    with closing(history):
        queued = rebuild.queue(views, PROJECTIONS)
    if not settings.folds_views:
        from infra.kafka import grants, topics
        from infra.kafka.cluster import Cluster

        cluster = Cluster.of(settings)
        made += topics.create(cluster, settings.topics, partitions, replicas)
        if cluster.login.mechanism:
            made += grants.grant(cluster, topics.Topics(settings.topics), settings.passwords)
    return Migrated(made, queued)


def open_store(settings: Settings) -> tuple[History, Views, Trees]:
    """Return a store's history, views and trees. Closing the history closes all of them.

    A missing SQLite file is made. Raises `UnknownSchema` for a store of another release.
    """
    # One pool for all, so that the writers of this process take turns.
    if settings.in_postgres:
        from infra.store.postgres import PostgresStore
        from infra.store.postgres_datastore import Datastore
        from infra.store.postgres_trees import PostgresTrees
        from infra.store.postgres_views import PostgresViews

        database = Datastore(settings.store)
        return PostgresStore(database), PostgresViews(database), PostgresTrees(database)
    history = SqliteStore.open(settings.path)
    return history, SqliteViews(history.datastore), SqliteTrees(history.datastore)


@contextmanager
def bootstrap(settings: Settings, clock: Clock = wall_clock) -> Iterator[Accord]:
    """Open an existing store, and close it at the end.

    Raises `NoSuchStore` if there is none, `UnknownSchema` for one of another release.
    """
    gc.set_threshold(*_COLLECT)
    if not settings.in_postgres and is_new(settings.path):
        what = "is an empty file" if settings.path.exists() else "does not exist"
        raise NoSuchStore(f"The store {settings.store} {what}. Make it with accord init.")
    history, views, trees = open_store(settings)
    if history.read_only:
        log.warning("This store cannot be written here. Answers show what was saved.")
    if not settings.in_postgres and settings.path.stat().st_mode & stat.S_IROTH:
        log.warning(
            "Every user of this machine can read %s, which has the names of people. "
            "Restrict it: chmod 600.",
            settings.path,
        )
    try:
        simulated = history.meta(SIMULATED) == "true"
        operator = history.meta(KEPT_BY) or OPERATOR
        recording_clock = None if simulated else RecordingClock(clock, history, settings.clock)
        service = Service(
            history,
            recording_clock or clock,
            dry_clock=clock,
            simulated=simulated,
            salts=pseudonyms.derived if simulated else pseudonyms.by_chance,
            operator=operator,
            root_at=lambda name, size: Log(history, trees, name).root(size),
            views=views,
            refused=settings.refused,
            limits=WaitingLimits(
                settings.waiting_days,
                settings.waiting_of_partnership,
                settings.waiting_of_source,
                settings.waiting_of_party,
            ),
        )
        runner = Runner(history, views, PROJECTIONS, clock=clock)
        signer, broken_key = _signer(settings)
        notary = None
        if signer:
            seal = Seal(operator, signer, recording_clock)
            record = partial(_recorded_by_notary, service)
            notary = Notary(history, trees, seal, _policy(settings), record)
        yield Accord(
            history,
            views,
            trees,
            service,
            runner,
            simulated,
            clock,
            recording_clock,
            settings.folds_views,
            notary=notary,
            broken_key=broken_key,
        )
    finally:
        history.close()


def _signer(settings: Settings) -> tuple[Signer | None, NoKey | None]:
    # Most commands sign nothing, and a broken key file must not stop those.
    if settings.key_file is None:
        return None, None
    try:
        return Signer.load(settings.key_file), None
    except NoKey as error:
        log.warning("%s Until then nothing can be signed here.", error)
        return None, error


def _recorded_by_notary(service: Service, partnership: str, event: Event) -> None:
    service.record_own(partnership, "notary", event)


def _policy(settings: Settings) -> Policy:
    """Return the witnesses. Raises `NoPolicy` for a file without a policy."""
    return Policy.load(settings.policy) if settings.policy else ALONE
