from pathlib import Path

import pytest
from markupsafe import Markup

from infra.answers.text import Line
from infra.cli import printing
from infra.templates import environment


def test_a_terminal_shows_a_line_in_its_style(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    printing.blocks([Line("objectives", "bold"), Line("leads")])
    assert capsys.readouterr().out == "\x1b[1mobjectives\x1b[0m\nleads\n"


def test_what_turns_the_order_of_a_text_round_is_shown_as_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal, and in a page: `gro.cigam` must not be read as `magic.org`."""
    printing.blocks([Line("pay \u202egro.cigam\u202c é")])
    assert capsys.readouterr().out == "pay \\u202egro.cigam\\u202c é\n"

    (tmp_path / "page.html").write_text("{{ name }}|{{ html }}|{{ number }}")
    page = environment(tmp_path, {}).get_template("page.html")
    shown = page.render(name="\u2066<b>\x9b", html=Markup("<i>"), number=7)
    assert shown == "\\u2066&lt;b&gt;\\x9b|<i>|7"
