"""The HTTP API: events, answers, the stream of alerts, health."""

from infra.http.app import create_app
from infra.http.server import DEFAULT_HOST, DEFAULT_PORT, serve

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "create_app", "serve"]
