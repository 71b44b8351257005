"""Refused and waiting inputs of a party as lines of a bundle: the operator's word, not the log."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from domain.values import instant
from infra.store.history import Refusal, Waiting
from infra.tlog.codec import stored_moment, utc

Row = dict[str, Any]
"""A JSON object."""

_MOMENTS: Final = frozenset({"received_at", "dismissed_at", "since", "until"})


def row(of: Refusal | Waiting) -> Row:
    """Return an input as an object of JSON, with its message as text."""
    found = asdict(of)
    found["message"] = found.pop("raw").decode(errors="replace")
    return {
        name: instant(utc(each)) if isinstance(each, datetime) else each
        for name, each in found.items()
    }


def refusal(line: Mapping[str, Any]) -> Refusal:
    """Return the refused input of a line. Raises `TypeError` for other members."""
    return Refusal(**_read(line))


def waiting(line: Mapping[str, Any]) -> Waiting:
    """Return the waiting input of a line. Raises `TypeError` for other members."""
    return Waiting(**_read(line))


def _read(line: Mapping[str, Any]) -> Row:
    found: Row = {
        name: stored_moment(each) if name in _MOMENTS and each else each
        for name, each in line.items()
    }
    found["raw"] = found.pop("message").encode()
    return found
