"""Files with secrets: keys, names of people, what one party sees. Only their owner reads them."""

import os
from pathlib import Path
from typing import IO, Any, Literal

OWNER_ALONE = 0o600
"""The mode of such a file: its owner reads and writes it, and nobody else does either."""


def opened_for_owner(path: Path, mode: Literal["ab", "wb", "xb"]) -> IO[Any]:
    """Return a file opened for writing; if it is made, only its owner can read it.

    A file that is there keeps its mode. Raises `FileExistsError` with `xb` for one that is there.
    """
    return open(path, mode, opener=_for_owner)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ALONE)
