"""How the tests of answers print an answer, and change a store behind its back."""

import io
import sqlite3
from collections.abc import Iterable
from contextlib import closing, redirect_stdout
from pathlib import Path

from infra.answers.text import Block
from infra.cli import printing

AURORA = "aurora-series"
PARTNER = "northbridge"
"""The partner of the demo's consulting partnership."""


def printed(blocks: Iterable[Block]) -> str:
    """Return blocks as a terminal without an end prints them."""
    with redirect_stdout(io.StringIO()) as out:
        printing.blocks(blocks)
    return out.getvalue()


def tamper(folder: Path, statement: str, *given: object) -> None:
    """Change one row of a store behind its back."""
    with closing(sqlite3.connect(folder / "accord.db")) as connection:
        changed = connection.execute(statement, given).rowcount
        connection.commit()
    assert changed == 1


def changed_event(folder: Path, index: int, old: str, new: str) -> None:
    """Replace a part of a stored event of `AURORA`."""
    tamper(
        folder,
        """UPDATE events SET body = CAST(replace(CAST(body AS TEXT), ?, ?) AS BLOB)
        WHERE partnership = ? AND idx = ?""",
        old,
        new,
        AURORA,
        index,
    )
