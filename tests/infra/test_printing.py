import pytest

from infra.answers.text import Line
from infra.cli import printing


def test_a_terminal_shows_a_line_in_its_style(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    printing.blocks([Line("objectives", "bold"), Line("leads")])
    assert capsys.readouterr().out == "\x1b[1mobjectives\x1b[0m\nleads\n"
