"""The real parts on one machine, started natively: for tests, for measuring and for trying out.

Nothing that runs in production imports this.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
"""The checkout: its `var/` holds what is made and can be made again."""


class Missing(Exception):
    """A real part that this machine cannot have; its text names the part, why, and the hint."""

    def __init__(self, part: str, why: str, hint: str) -> None:
        super().__init__(f"{part}: {why}. {hint}")
        self.part = part
        self.why = why
        self.hint = hint
