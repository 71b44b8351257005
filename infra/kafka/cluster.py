"""A Kafka cluster: its address, who this process is there, and what each client needs of both."""

import logging
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from kafka.net.sasl.oauth import AbstractTokenProvider

from infra.settings import BrokerLogin, Settings, WrongSetting

OAUTH: Final = "OAUTHBEARER"
"""The mechanism that takes a token (RFC 7628); all others take a user and a password."""

# At DEBUG the clients log what they send, the password among it.
logging.getLogger("kafka").setLevel(logging.INFO)


@dataclass(frozen=True)
class Cluster:
    """A cluster and the login of this process.

    Raises `WrongSetting` for a login of which a part is missing.
    """

    address: str
    """The brokers, as host:port, separated by commas."""
    login: BrokerLogin = field(default_factory=BrokerLogin)

    def __post_init__(self) -> None:
        _check(self.login)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the cluster of a process. Raises `NoSuchStore` without a broker and Postgres."""
        return cls(settings.broker, settings.broker_login)

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """How the connection is encrypted; None if it is not. Raises `OSError` for its files."""
        login = self.login
        if login.tls is None:
            return None
        of_machine = login.tls == Path(SYSTEM)
        context = ssl.create_default_context(cafile=None if of_machine else login.tls)
        if login.certificate:
            context.load_cert_chain(login.certificate)
        return context

    @property
    def protocol(self) -> str:
        """The protocol, by Kafka's name for it."""
        over = "SSL" if self.login.tls else "PLAINTEXT"
        return f"SASL_{over}" if self.login.mechanism else over

    def client(self) -> dict[str, Any]:
        """Return the settings of a client of kafka-python. Raises `OSError` for files of TLS."""
        found: dict[str, Any] = {"bootstrap_servers": self.address}
        if self.protocol != "PLAINTEXT":
            found |= {"security_protocol": self.protocol, "ssl_context": self.tls}
        login = self.login
        if login.mechanism == OAUTH:
            found |= {"sasl_mechanism": OAUTH, "sasl_oauth_token_provider": _Token(login)}
        elif login.mechanism:
            found |= {
                "sasl_mechanism": login.mechanism,
                "sasl_plain_username": login.user,
                "sasl_plain_password": login.password,
            }
        return found


SYSTEM: Final = "system"
"""The value of ``ACCORD_KAFKA_TLS`` for the certificate authorities of the machine."""


def token(login: BrokerLogin) -> str:
    """Return the token of a login as it is now. Raises `OSError` if its file cannot be read."""
    assert login.token is not None  # noqa: S101 - checked with the cluster
    return login.token.read_text("utf-8").strip()


class _Token(AbstractTokenProvider):  # type: ignore[misc] # it comes without types
    """Reads the token anew for each connection, because another program renews it."""

    def __init__(self, login: BrokerLogin) -> None:
        super().__init__()
        self._login = login

    def token(self) -> str:
        return token(self._login)


def _check(login: BrokerLogin) -> None:
    needed = {"ACCORD_KAFKA_USER": login.user, "ACCORD_KAFKA_PASSWORD": login.password}
    given = [
        name for name, value in (needed | {"ACCORD_KAFKA_TOKEN": login.token}).items() if value
    ]
    wanted = ["ACCORD_KAFKA_TOKEN"] if login.mechanism == OAUTH else [*needed]
    if login.mechanism is None and given:
        raise WrongSetting(
            f"{given[0]} is set, and ACCORD_KAFKA_SASL is not. Set it to SCRAM-SHA-512, or to "
            "what the broker takes."
        )
    if login.mechanism and given != wanted:
        raise WrongSetting(
            f"ACCORD_KAFKA_SASL={login.mechanism} needs {' and '.join(wanted)}, and no other "
            f"credential; set is {' and '.join(given) or 'none'}."
        )
    if login.certificate and login.tls is None:
        raise WrongSetting(
            "ACCORD_KAFKA_CERTIFICATE needs ACCORD_KAFKA_TLS. Set that to the file of the "
            "certificate authority, or to system."
        )
