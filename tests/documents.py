"""What README.md and docs/ show a reader as commands, read from their fenced blocks.

A block fenced as `console`, `sh` or `bash` holds commands; others are left alone. After the
language, the fence may say

- `exit=3`: the block's last command ends with 3 (all others end with 0);
- `background`: the block starts a server, which runs until another such block or the end.

A `console` block has commands after `$ ` (continued after `> `) and, below each, what it prints.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))]

FENCE = re.compile(r"(?m)^(?P<indent> *)```(?P<info>.*)\n(?P<body>(?:.*\n)*?)(?P=indent)```\s*$")
SESSION = re.compile(r"(?m)^\$ (?P<command>.*\n(?:> .*\n)*)(?P<shown>(?:(?!\$ ).*\n)*)")


@dataclass(frozen=True)
class Step:
    """One command of a document and what the reader is told to expect of it."""

    place: str
    command: str
    shown: str | None
    exit_code: int
    background: bool


def steps(document: Path) -> Iterator[Step]:
    """The document's commands in order; a script block is one command."""
    text = document.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        language, *options = fence["info"].split() or [""]
        if language not in {"console", "sh", "bash"}:
            continue
        line = text.count("\n", 0, fence.start()) + 1
        body = re.sub(f"(?m)^{fence['indent']}", "", fence["body"])
        commands = session(body) if language == "console" else [(body.strip(), None)]
        codes = [int(option[5:]) for option in options if option.startswith("exit=")]
        for number, (command, shown) in enumerate(commands, start=1):
            is_last = number == len(commands)
            yield Step(
                place=f"{document.relative_to(REPOSITORY)}:{line}",
                command=command,
                shown=shown,
                exit_code=codes[0] if codes and is_last else 0,
                background=is_last and "background" in options,
            )


def session(body: str) -> list[tuple[str, str | None]]:
    """The commands of a console block, each with the output shown below it."""
    return [
        (re.sub(r"(?m)^> ", "", found["command"]).strip(), found["shown"].strip() or None)
        for found in SESSION.finditer(body)
    ]


def inline_code(document: Path) -> list[str]:
    """What a document's prose holds between single backquotes."""
    prose = FENCE.sub("", document.read_text(encoding="utf-8"))
    return re.findall(r"`([^`\n]+)`", prose)
