"""The command `accord` as it is typed: what is run, and what came of it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra import cli

PROGRAM = [sys.executable, "-c", "from infra.cli import main; main()"]


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - a JSON document
        return json.loads(self.out)


Accord = Callable[..., Ran]


@pytest.fixture
def accord(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Accord:
    """Return the command `accord`, run in a folder of its own; the store is accord.db."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "ACCORD_KEY", "ACCORD_STORE", "ACCORD_PORT"):
        monkeypatch.delenv(name, raising=False)

    def run(*typed: str, stdin: bytes = b"", columns: int | None = None) -> Ran:
        if columns:
            monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["accord", *typed])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ran(code or 0, captured.out, captured.err)

    return run
