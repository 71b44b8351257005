"""The parameters of sessions with Postgres, so that neither side waits for a host that is gone."""

from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict

GONE_AFTER: Final = 10
"""Seconds without an answer after which a host is taken to be gone. Without this, a server keeps
the session of a vanished host, with its locks, for two hours."""

IDLE_IN_TRANSACTION: Final = 60
"""Seconds after which the server ends a session that is idle inside a transaction. A paused process
would otherwise keep its locks, because its kernel still answers."""

_IDLE, _INTERVAL = 4, 2
_COUNT = (GONE_AFTER - _IDLE) // _INTERVAL

_CLIENT: Final = {
    "keepalives": 1,
    "keepalives_idle": _IDLE,
    "keepalives_interval": _INTERVAL,
    "keepalives_count": _COUNT,
    "tcp_user_timeout": GONE_AFTER * 1000,
}
_SERVER: Final = {
    "timezone": "UTC",
    "tcp_keepalives_idle": _IDLE,
    "tcp_keepalives_interval": _INTERVAL,
    "tcp_keepalives_count": _COUNT,
    "tcp_user_timeout": GONE_AFTER * 1000,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION * 1000,
}


def parameters(url: str) -> dict[str, Any]:
    """Return the parameters of a connection to the database at `url`.

    What the address itself sets, such as its own timeouts or `sslmode`, has precedence.
    """
    given = conninfo_to_dict(url)
    options = [f"-c {name}={value}" for name, value in _SERVER.items()]
    return _CLIENT | given | {"options": " ".join([*options, str(given.get("options") or "")])}
