"""The composition root: the one place where parts are put together."""

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

from infra.audit.log import Log
from infra.audit.notary import ALONE, Notary, Seal
from infra.audit.receipts import SignedReceipts
from infra.audit.sealer import Sealer
from infra.deciding import pseudonyms
from infra.deciding.group_commit import GroupCommit
from infra.deciding.scheduler import Scheduler
from infra.deciding.service import Service, wall_clock
from infra.projecting import rebuild
from infra.projecting.follower import Follower
from infra.projecting.runner import Runner
from infra.settings import OPERATOR, PARTITIONS, NoSuchStore, Settings
from infra.store.records import History, Trees, Views
from infra.store.sqlite import SqliteStore
from infra.store.sqlite_datastore import is_new
from infra.store.sqlite_trees import SqliteTrees
from infra.store.sqlite_views import SqliteViews
from infra.tlog.keys import NoKey, Signer
from infra.tlog.policy import Policy
from infra.workers import Workers
from projections import PROJECTIONS

log = logging.getLogger(__name__)

_COLLECT = (100_000, 50, 1000)
"""How many new objects, and rounds, Python looks for garbage after (see `gc.set_threshold`).

A batch makes tens of thousands of objects that live until its end, and hardly a cycle. At the usual
700 a fifth of the time goes into looking through them.
"""

SIMULATED = "simulated"
"""Under this name the store keeps whether its time is told by feeds."""

KEPT_BY = "operator"
"""Under this name the store keeps who operates it: its logs' origins begin with that."""


@dataclass(frozen=True, slots=True)
class Accord:
    """One store with everything on it."""

    history: History
    views: Views
    trees: Trees
    service: Service
    runner: Runner
    simulated: bool
    clock: Callable[[], datetime]
    folds_views: bool
    """Whether this process updates the views; with a broker, projectors do."""
    notary: Notary | None = None
    """The signer of checkpoints; None in a process without the operator's key."""
    broken_key: NoKey | None = None
    """What is wrong with the operator's key file, if it cannot be used."""

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
                "This store has no signing key here. Make one with accord keygen, "
                "and name its file in ACCORD_KEY."
            )
        return self.notary

    def _check_key(self) -> None:
        if self.broken_key:
            raise self.broken_key

    def catch_up(self) -> None:
        """Bring the views up to the history and to this release.

        Does nothing in a process that does not fold views or may not write them. Raises
        `OtherFold` for views of a newer release.
        """
        if self.folds_views and not self.history.read_only:
            rebuild.bring_up(self.history, self.views, PROJECTIONS)
            self.runner.catch_up()

    def workers(self) -> Workers:
        """Return the threads of a process that takes events in (see `Workers`).

        Raises `NoKey` for a broken key file, because this process would have to sign, and
        `OtherFold` for views of a newer release, if this process folds them.
        """
        self._check_key()
        if self.folds_views:
            rebuild.bring_up(self.history, self.views, PROJECTIONS)
        self.service.forget()
        writer = GroupCommit(self.service)
        return Workers(
            self.history,
            writer,
            Follower(self.history, self.views, self.runner) if self.folds_views else None,
            None if self.simulated else Scheduler(self.views, self.service, writer, self.clock),
            # Where there is a broker, a notary of its own signs.
            Sealer(self.history, self.notary) if self.folds_views and self.notary else None,
        )


def init(settings: Settings, *, simulated: bool = False, operator: str | None = None) -> bool:
    """Make a store; whether it was made (one that is there stays as it is).

    Its signing key is made where the settings say, if it is not there. `operator` is the name
    under which it signs. The tables of a Postgres store are `migrate`'s to make. Raises
    `NoSuchStore` if one is there that keeps time the other way or is another operator's,
    `UnknownSchema` if one is to be migrated first.
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
            raise NoSuchStore(f"{settings.shown} is {other} store; make another one elsewhere.")
        _name(settings, history, operator)
        if (key := settings.path_of_key) and not key.exists():
            Signer.new().save(key)
        return made
    finally:
        history.close()


def _name(settings: Settings, history: History, operator: str | None) -> None:
    # What was signed bears the name, so it never changes.
    kept = history.meta(KEPT_BY)
    if kept is None:
        history.set_meta(KEPT_BY, operator or OPERATOR)
    elif operator not in {None, kept}:
        raise NoSuchStore(f"{settings.shown} is kept by {kept}; make another store elsewhere.")


def migrate(  # noqa: PLR0913 - all of them by name
    settings: Settings,
    *,
    simulated: bool = False,
    operator: str | None = None,
    password: str | None = None,
    partitions: int = PARTITIONS,
    replicas: int = 1,
) -> list[str]:
    """Bring a store, and the topics of its broker, to the form of this release.

    Returns the migrations that were applied, the topics that were made and the projections whose
    rebuild was queued. With a `password` the database's roles can log in by it. Raises as
    `init` does, `TopicsDiffer`, and the errors of psycopg and kafka where database or broker
    cannot be reached.
    """
    done: list[str] = []
    if settings.in_postgres:
        from infra.store import postgres_datastore as postgres

        done += postgres.migrate(settings.store, password)
    init(settings, simulated=simulated, operator=operator)
    history, views, _ = open_store(settings)
    with closing(history):
        done += [f"a rebuild of {each}" for each in rebuild.queue(views, PROJECTIONS)]
    if not settings.folds_views:
        from infra.kafka import topics

        done += topics.create(settings.broker, settings.topics, partitions, replicas)
    return done


def open_store(settings: Settings) -> tuple[History, Views, Trees]:
    """Give a store's history, its views and its trees; closing the history closes all.

    A SQLite file is made if it is missing. Raises `UnknownSchema` if it is of another release.
    """
    # One pool for all, so that the writers of this process queue in turn.
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
def bootstrap(settings: Settings, clock: Callable[[], datetime] = wall_clock) -> Iterator[Accord]:
    """Give everything on an existing store, and close it at the end.

    Raises `NoSuchStore` if there is none, `UnknownSchema` if it is of another release.
    """
    gc.set_threshold(*_COLLECT)
    if not settings.in_postgres and is_new(settings.path):
        raise NoSuchStore(f"There is no store at {settings.store}; make it with accord init.")
    history, views, trees = open_store(settings)
    if history.read_only:
        log.warning("This store cannot be written here. Answers show what was saved.")
    try:
        simulated = history.meta(SIMULATED) == "true"
        operator = history.meta(KEPT_BY) or OPERATOR
        service = Service(
            history,
            clock,
            simulated=simulated,
            salts=pseudonyms.derived if simulated else pseudonyms.by_chance,
            operator=operator,
            root_at=lambda name, size: Log(history, trees, name).root(size),
            views=views,
        )
        runner = Runner(history, views, PROJECTIONS)
        signer, broken_key = _signer(settings)
        notary = None
        if signer:
            seal = Seal(operator, signer, None if simulated else clock)
            notary = Notary(history, trees, seal, _policy(settings))
        yield Accord(
            history,
            views,
            trees,
            service,
            runner,
            simulated,
            clock,
            settings.folds_views,
            notary,
            broken_key,
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


def _policy(settings: Settings) -> Policy:
    """Give who cosigns. Raises `NoPolicy` for a file that holds no policy."""
    return Policy.read(settings.policy.read_text()) if settings.policy else ALONE
