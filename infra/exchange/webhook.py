"""The sink `webhook`: each change of an alert is posted to an address, as a CloudEvent."""

import re
from dataclasses import dataclass
from typing import Final

from infra.audit.http_client import NotReached, post
from infra.exchange.sink import ALERT_TYPES
from infra.kafka.messages import SOURCE
from infra.settings import WrongSetting, without_password
from infra.store.views import SavedOutput
from infra.tlog import cloudevents
from infra.tlog.codec import canonical
from projections.alerts import AlertState

TIMEOUT: Final = 10.0
"""Seconds to wait for an answer."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts changes of alerts, as CloudEvents in structured JSON, to an address."""

    url: str

    def __post_init__(self) -> None:
        """Raise `WrongSetting` unless the address is one of HTTP, without spaces."""
        if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", self.url):
            raise WrongSetting(
                f"ACCORD_SINK_WEBHOOK: {without_password(self.url)} is not an address of HTTP. "
                "Allowed: http://host/path or https://host/path. Correct it, or unset it."
            )

    def deliver(self, change: SavedOutput) -> None:
        """Post a change. Raises `NotReached` unless the answer's status is 2xx."""
        event = {
            "specversion": "1.0",
            "id": change.id,
            "source": SOURCE,
            "type": cloudevents.PREFIX + ALERT_TYPES[AlertState(change.body["state"])],
            "subject": change.partnership,
            "time": change.body["recorded_at"],
            **(change.trace or {}),
            "data": change.body,
        }
        status, _ = post(self.url, canonical(event), cloudevents.STRUCTURED, TIMEOUT)
        if not 200 <= status < 300:  # noqa: PLR2004 - the codes of success, RFC 9110
            raise NotReached(f"{self.url} answered {status}.")
