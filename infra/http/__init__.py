"""The HTTP side of the embedded process: events in, alerts out, and how it fares."""

from infra.http.app import create_app
from infra.http.server import DEFAULT_HOST, DEFAULT_PORT, serve

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "create_app", "serve"]
