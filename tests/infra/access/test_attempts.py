"""Guessing is limited for each address, and stops nobody else."""

import pytest

from infra.access.attempts import MOST, REMEMBERED, WINDOW, FailedAttempts

GUESSER, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def attempts() -> FailedAttempts:
    return FailedAttempts()


def fail(attempts: FailedAttempts, times: int, address: str = GUESSER, now: float = 0.0) -> None:
    for _ in range(times):
        attempts.failed(address, now)


def test_an_address_may_fail_some_times_and_then_waits(attempts: FailedAttempts) -> None:
    fail(attempts, MOST - 1)
    assert attempts.wait(GUESSER, "guess", 1.0) == 0

    fail(attempts, 1)
    assert attempts.wait(GUESSER, "guess", 1.0) == WINDOW - 1
    assert attempts.wait(GUESSER, "guess", WINDOW) == 0


def test_another_address_is_not_stopped(attempts: FailedAttempts) -> None:
    fail(attempts, MOST)

    assert attempts.wait(OTHER, "guess", 1.0) == 0


def test_a_key_that_was_let_in_is_used_beside_a_guesser(attempts: FailedAttempts) -> None:
    attempts.succeeded("valid")
    fail(attempts, MOST)

    assert attempts.wait(GUESSER, "valid", 1.0) == 0
    assert attempts.wait(GUESSER, "guess", 1.0) > 0


def test_after_the_window_an_address_begins_anew(attempts: FailedAttempts) -> None:
    fail(attempts, MOST)
    fail(attempts, 1, now=WINDOW)

    assert attempts.wait(GUESSER, "guess", WINDOW) == 0


def test_the_addresses_of_one_ipv6_network_count_together(attempts: FailedAttempts) -> None:
    for number in range(MOST):
        attempts.failed(f"2001:db8::{number:x}", 0.0)

    assert attempts.wait("2001:db8::ffff", "guess", 1.0) > 0
    assert attempts.wait("2001:db8:0:1::1", "guess", 1.0) == 0


def test_memory_is_bounded(attempts: FailedAttempts) -> None:
    for number in range(REMEMBERED + 100):
        attempts.failed(f"host-{number}", 0.0)
        attempts.succeeded(f"key-{number}")

    assert len(attempts._failures) == len(attempts._known) == REMEMBERED


def test_an_ipv4_address_that_ipv6_carries_is_counted_alone(attempts: FailedAttempts) -> None:
    for _ in range(MOST):
        attempts.failed("::ffff:192.0.2.1", 0.0)

    assert attempts.wait("::ffff:192.0.2.1", "guess", 1.0) > 0
    assert attempts.wait("192.0.2.1", "guess", 1.0) > 0
    assert attempts.wait("::ffff:192.0.2.2", "guess", 1.0) == 0
