"""A broker and a database on this machine, for tests, benchmarks and trials; not in the wheel."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
"""The checkout; its `var/` has files that can be made again."""


class Missing(Exception):
    """A part that this machine cannot run: which one, why, and a hint."""

    def __init__(self, part: str, why: str, hint: str) -> None:
        super().__init__(f"{part}: {why}. {hint}")
        self.part = part
        self.why = why
        self.hint = hint
