"""What all tests share: repeatable examples, and honesty about real parts that are missing."""

import os
import shutil
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

MISSING = "real part missing: "

# The same examples on every run, and no verdict from the clock of a noisy machine.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")


def missing_part(name: str, reason: str) -> NoReturn:
    """End the test: skipped on a person's machine, failed in CI, where every part must be real."""
    message = f"{MISSING}{name} ({reason})"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                missing_part(program, "not on the PATH")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    reasons = {report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)}
    missing = sorted(reason.split(MISSING, 1)[1] for reason in reasons if MISSING in reason)
    if missing:
        terminalreporter.section("NOT EVERYTHING WAS TESTED: real parts missing", red=True)
        for part in missing:
            terminalreporter.write_line(part, red=True)
