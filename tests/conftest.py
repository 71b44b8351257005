"""What all tests share: repeatable examples, and the real parts (see `tests/parts.py`)."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.parts"]

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
