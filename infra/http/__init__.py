"""The HTTP API: events, answers, the stream of alerts, health."""

from infra.http.app import create_app
from infra.http.server import serve

__all__ = ["create_app", "serve"]
