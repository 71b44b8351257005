"""What the newest audit of each subject by each party shows: that it was failed, or passed (C25).

Only the party whose audit was failed ends the alert on it, with an audit that is passed. An audit
is as old as the day on which it took place, in whatever order audits are recorded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from domain.deadlines.deadline import of_party
from domain.health import ComplianceAudited
from domain.recorded import Recorded
from domain.standing_alerts import AUDIT_FAILED
from projections.ledger.claims import Point


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit as it was recorded last."""

    audit: str
    """Its identifier."""
    at: datetime
    """When it took place."""
    passed: bool
    """Whether it was passed."""
    findings: tuple[str, ...] = ()
    """What it found."""


Audits = Mapping[str, tuple[Audit, ...]]
"""By subject and party (`ethics/acme`), in order of time: the newest audit that was passed, and
those after it."""


def with_audit(audits: Audits, recorded: Recorded, event: ComplianceAudited) -> Audits:
    """Return the audits after one more, or after a correction of one."""
    subject = of_party(event.subject.value, recorded.act.party)
    found = Audit(event.audit, recorded.act.occurred_at, event.passed, tuple(event.findings))
    known = {each.audit: each for of in audits.values() for each in of}
    if event.change_reason is not None:
        if event.audit not in known:
            # A later audit was passed, so this one decides nothing any more.
            return audits
        found = replace(found, at=known[event.audit].at)
    others = {
        name: tuple(each for each in of if each.audit != event.audit) for name, of in audits.items()
    }
    newest = sorted((*others.get(subject, ()), found), key=lambda each: (each.at, each.audit))
    passes = [place for place, each in enumerate(newest) if each.passed]
    return {**others, subject: tuple(newest[passes[-1] if passes else 0 :])}


def findings(audits: Audits) -> Iterator[Point]:
    """Yield what the newest audit of each subject by each party shows."""
    for ref, newest in sorted(audits.items()):
        subject, _, party = ref.partition("/")
        last = newest[-1] if newest else None
        if last is None:
            continue
        if last.passed:
            text = f"{party} audited {subject} again, and audit {last.audit} was passed."
            yield Point(AUDIT_FAILED, ref, text, ends=True)
        else:
            found = f": {'; '.join(last.findings)}" if last.findings else "."
            text = f"Audit {last.audit} of {subject} by {party} was failed{found}"
            yield Point(AUDIT_FAILED, ref, text, (party,))
