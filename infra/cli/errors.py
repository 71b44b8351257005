"""How the command ends when something goes wrong: what happened, in which detail, and a hint."""

import sys

from infra.cli.options import FAILED, NOT_UNDERSTOOD, app
from infra.settings import NoSuchStore, WrongSetting


def main() -> None:
    """Run the command. An error ends it with one line on stderr.

    The exit code is 2 for a wrong setting, as for a wrong option, and 1 for any other error.
    """
    try:
        app(prog_name="accord")
    except Exception as error:
        line = message(error)
        if line is None:
            raise
        sys.stderr.write(f"accord: {line}\n")
        sys.exit(NOT_UNDERSTOOD if isinstance(error, WrongSetting) else FAILED)


def message(error: Exception) -> str | None:
    """Return the error as a line for people; None for a fault of the program itself."""
    import sqlite3

    from eventsourcing.persistence import PersistenceError
    from kafka.errors import KafkaError
    from psycopg import Error as DatabaseError

    from domain.kernel import Refused
    from infra.access.credentials import NoCredential, Unauthenticated
    from infra.access.tokens import IssuerUnreachable
    from infra.answers.logs import NotFound
    from infra.audit.http_client import NotReached
    from infra.audit.log import Altered
    from infra.audit.timestamps import NoTimestamp
    from infra.deciding.clock import ClockInDoubt
    from infra.evidence.forks import NoAccount
    from infra.exchange.table import NoSuchSink
    from infra.kafka.topics import TopicsDiffer
    from infra.projecting.rebuild import Replaced
    from infra.running.listening import CannotListen
    from infra.store.errors import StoreFull, UnknownSchema
    from infra.store.views import UnreadableRow
    from infra.tlog.codec import UnreadableEvent
    from infra.tlog.keys import NoKey
    from infra.tlog.notes import Malformed
    from infra.tlog.policy import NoPolicy
    from projections.fold import FoldFailed

    line: str | None = None
    match error:
        # The text of these errors has the detail and the hint.
        case (
            Altered()
            | CannotListen()
            | ClockInDoubt()
            | FoldFailed()
            | IssuerUnreachable()
            | Malformed()
            | NoAccount()
            | NoCredential()
            | NoKey()
            | NoPolicy()
            | NoSuchSink()
            | NoSuchStore()
            | NoTimestamp()
            | NotFound()
            | NotReached()
            | Replaced()
            | StoreFull()
            | TopicsDiffer()
            | Unauthenticated()
            | UnreadableEvent()
            | UnreadableRow()
            | WrongSetting()
        ):
            line = str(error)
        case UnknownSchema():
            line = f"{error}."
        case Refused(detail=detail, hint=hint):
            line = f"{detail} {hint}"
        case sqlite3.Error() | PersistenceError() if "locked" in str(error):
            line = "The store is locked by another process. Try again when that has finished."
        case sqlite3.Error() | PersistenceError() | DatabaseError():
            line = f"The store cannot be used: {_line(error)}. Check its address and its state."
        case KafkaError():
            line = f"The broker cannot be used: {_line(error)}. Check ACCORD_KAFKA and its state."
        case OSError(filename=str(name), strerror=reason):
            line = f"{name}: {reason}. Check the path and its permissions."
        case OSError(strerror=reason):
            line = f"{reason or _line(error)}. Check the files and addresses that were given."
        case _:
            pass
    return line


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
