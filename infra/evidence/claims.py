"""The claims of a bundle: figures, statements and alerts, which verifiers compute again.

`verifiers/FORMAT.md` has the rules, in sections 10 and 13.
"""

from collections.abc import Iterable, Sequence

from domain.agreement import CommercialTermsAgreed
from domain.keyring import KeyRegistered, KeyRevoked, KeyRotated
from domain.recorded import Recorded
from domain.values import instant
from infra.answers.logs import Row
from infra.answers.statement import replay as replay_ledger
from infra.evidence.verifiers.verify import METRICS
from projections import ALERTS, KPIS, figures
from projections.figures import FigureLine
from projections.fold import replay

_TERMS = {"terms_version", "effective_from", "agreed_at", "proposal", "frame", "items"}
_UNSTATED = {"statement": None, "index": None, "period": "", "settlement": "", "balance": None}
_FIGURE = ("metric", "period", "unit", "segment", "value", "numerator", "denominator")
_LINE = (
    "index", "because_of", "about", "item", "month", "to", "currency", "amount", "fact",
    "terms_version", "basis", "share", "credited", "window",
)  # fmt: skip


def agreements(events: Iterable[Recorded]) -> list[Row]:
    """Return each version of the terms, with the event that made it."""
    return [
        {"index": each.index}
        | each.event.model_dump(mode="json", include=_TERMS, exclude_none=True)
        for each in events
        if isinstance(each.event, CommercialTermsAgreed)
    ]


def figures_of(events: Iterable[Recorded]) -> list[Row]:
    """Return the figures of every period, computed from these events."""
    rows = replay(KPIS, events).rows
    return [
        _claim(line)
        for period in figures.periods(rows)
        # The format has a fixed table of metrics, and a verifier faults a claim of any other.
        for line in figures.report(rows, period, METRICS)
    ]


def _claim(line: FigureLine) -> Row:
    dumped = figures.dump(line)
    return {name: dumped[name] for name in _FIGURE if name in dumped}


def statements(events: Iterable[Recorded]) -> list[Row]:
    """Return each statement with its lines; last, what is not stated yet."""
    found = replay_ledger(events)
    claims = [
        {
            "statement": each.statement,
            "index": each.index,
            "period": each.period,
            "settlement": each.settlement,
            "balance": each.balance.model_dump(mode="json", exclude_none=True),
            "lines": [_line(line) for line in each.lines],
        }
        for each in found.issued
    ]
    if found.open:
        claims.append(_UNSTATED | {"lines": [_line(line) for line in found.open]})
    return claims


def _line(line: Row) -> Row:
    return {name: line[name] for name in _LINE if name in line}


def alerts(events: Sequence[Recorded]) -> list[Row]:
    """Return each alert with the events that opened and ended it, by when it opened."""
    found: dict[str, Row] = {}
    for output, index in replay(ALERTS, events).outputs:
        body, cause = ALERTS.dump(output.id, output.body), events[index]
        alert = {name: body[name] for name in ("id", "rule", "version", "window")}
        transition = {
            "state": body["state"],
            "index": index,
            "type": cause.event.wire,
            "recorded_at": instant(cause.act.recorded_at),
            "facts": body.get("facts", {}),
        }
        found.setdefault(body["id"], alert | {"transitions": []})["transitions"].append(transition)
    return list(found.values())


def keys(events: Iterable[Recorded]) -> list[Row]:
    """Return each key of a party, with the events that registered and ended it."""
    known: dict[str, Row] = {}
    for each in events:
        event = each.event
        if isinstance(event, KeyRotated | KeyRevoked):
            ended = event.replaces if isinstance(event, KeyRotated) else event.keyid
            known[ended]["until"] = each.index
        if isinstance(event, KeyRegistered | KeyRotated):
            known[event.name] = {
                "party": each.act.party,
                "key": event.key,
                "keyid": event.name,
                "since": each.index,
                "until": None,
            }
    return list(known.values())
