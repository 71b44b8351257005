"""An audit that failed is told to both until its party passes a later one (C25)."""

import pytest

from domain.health import AuditSubject, RecordAudit
from tests.life import OURS, THEIRS, changed
from tests.projections.folds import alerts, running, states
from tests.stories import Story

FAILED = RecordAudit(
    audit="A-1",
    subject=AuditSubject.ETHICS,
    auditor="Eva",
    passed=False,
    findings=["No code of conduct."],
)


def audited(story: Story, audit: str, *, passed: bool, happened: str | None = None) -> Story:
    findings = [] if passed else FAILED.findings
    command = changed(FAILED, audit=audit, passed=passed, findings=findings)
    story.when(OURS, command, happened=happened)
    return story


def test_a_failed_audit_opens_an_alert_and_a_later_one_that_is_passed_resolves_it() -> None:
    story = audited(running("2026-02-10"), "A-1", passed=False)
    alert = alerts(story)["audit-failed ethics/growthos"]
    assert (alert.state, alert.text) == (
        "open",
        "Audit A-1 of ethics by growthos was failed: No code of conduct.",
    )
    assert [each.person for each in alert.who_acts] == ["Ada"]
    story.on("2026-03-10")

    audited(story, "A-2", passed=True)

    alert = alerts(story)["audit-failed ethics/growthos"]
    assert (alert.state, alert.ended) == (
        "resolved",
        "growthos audited ethics again, and audit A-2 was passed.",
    )


def test_an_audit_of_an_earlier_day_that_was_passed_leaves_the_alert_open() -> None:
    story = audited(running("2026-02-10"), "A-1", passed=False)
    story.on("2026-02-11")

    audited(story, "A-0", passed=True, happened="2026-02-01")

    assert states(story) == {"audit-failed ethics/growthos": "open"}


def test_an_audit_that_failed_before_a_later_one_was_passed_opens_nothing() -> None:
    story = audited(running("2026-02-10"), "A-2", passed=True)

    audited(story, "A-1", passed=False, happened="2026-02-01")

    assert states(story) == {}


def test_an_audit_of_the_other_party_that_is_passed_leaves_the_alert_open() -> None:
    story = audited(running("2026-02-10"), "A-1", passed=False)
    story.on("2026-03-10")

    story.when(THEIRS, changed(FAILED, audit="B-1", passed=True, findings=[]))

    assert states(story)["audit-failed ethics/growthos"] == "open"


def test_an_audit_of_another_subject_leaves_the_alert_open() -> None:
    story = audited(running("2026-02-10"), "A-1", passed=False)

    story.when(
        OURS,
        changed(FAILED, audit="A-2", subject=AuditSubject.QUALITY, passed=True, findings=[]),
    )

    assert states(story) == {"audit-failed ethics/growthos": "open"}


@pytest.mark.parametrize(
    "right", [{"passed": True, "findings": []}, {"subject": AuditSubject.QUALITY, "passed": True}]
)
def test_a_failed_audit_that_was_mistyped_and_is_corrected_withdraws_it(
    right: dict[str, object],
) -> None:
    story = audited(running("2026-02-10"), "A-1", passed=False)

    story.when(OURS, changed(FAILED, change_reason="A typing error.", **right))

    assert states(story) == {"audit-failed ethics/growthos": "withdrawn"}


def test_a_corrected_audit_leaves_open_what_another_one_shows() -> None:
    story = audited(running("2026-02-10"), "A-1", passed=False)
    story.on("2026-02-12")
    audited(story, "A-2", passed=False)

    right = changed(FAILED, change_reason="A typing error.", passed=True, findings=[])
    story.when(OURS, right)

    assert states(story) == {"audit-failed ethics/growthos": "open"}


def test_an_audit_that_is_corrected_to_failed_opens_the_alert() -> None:
    story = audited(running("2026-02-10"), "A-1", passed=True)

    story.when(OURS, changed(FAILED, change_reason="The wrong box."))

    assert states(story) == {"audit-failed ethics/growthos": "open"}
