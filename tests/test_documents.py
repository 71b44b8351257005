"""Every command that README.md and docs/ show a reader is run here, as the reader would run it.

The commands of one document run in order in one fresh copy of the repository, and share its
directory and exported variables, as in one terminal. A server is awaited on `/readyz` and stopped
as Ctrl-C would stop it. In the output shown, a line `...` stands for any lines, and `...` within
a line for any text. How a document says what it expects: see `documents.py`.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.documents import DOCUMENTS, REPOSITORY, Step, steps

# The only lines that are not run, each with the reason.
NOT_RUN = {
    r"make test": "this test is a part of it, and would start itself for ever",
    r"make bench": "it takes minutes, and its figures are no test's business",
    r"git clone .*": "the copy in which a document runs is the clone",
    r"cd accord": "a document starts inside of the clone",
}

# What belongs to one checkout and not to a clone of it.
NOT_CLONED = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", "*.db*")

# A document without a command needs no copy of the repository.
WITH_COMMANDS = [each for each in DOCUMENTS if any(steps(each))]

# Documents name the port that a reader gets; each test takes a free one in its place.
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
DOCUMENTED_PORT = re.findall(r"(?m)^ACCORD_PORT \?= (\d+)$", MAKEFILE)[0]
PORT_OF = r"((?:127\.0\.0\.1|localhost):|--port[ =])"

COMMAND_SECONDS = 120
READY_SECONDS = 120  # `make run` may first have to install, where no environment can be lent.
STOP_SECONDS = 20


@dataclass
class Terminal:
    """A reader's terminal: it keeps its directory and exported variables between commands."""

    home: Path
    port: str
    environment: dict[str, str]
    server: subprocess.Popen[bytes] | None = field(default=None)

    def run(self, step: Step) -> None:
        lines = [line for line in step.command.splitlines() if not is_not_run(line)]
        command = re.sub(rf"{PORT_OF}{DOCUMENTED_PORT}\b", rf"\g<1>{self.port}", "\n".join(lines))
        if step.background:
            self.serve(command, step)
        else:
            self.expect(command, step)

    def expect(self, command: str, step: Step) -> None:
        state = self.home.parent / "exported"
        process = self.start(f"trap 'export -p > \"{state}\"' EXIT\nset -e -o pipefail\n{command}")
        try:
            ended = process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            kill(process)
            pytest.fail(f"{self.told(step)}\ndid not end within {COMMAND_SECONDS} s")
        assert ended == step.exit_code, f"{self.told(step)}\nended with {ended}"
        if step.shown is not None:
            shown = f"is not what is shown:\n{step.shown}"
            assert matches(step.shown, self.printed()), f"{self.told(step)}\n{shown}"

    def serve(self, command: str, step: Step) -> None:
        self.stop()
        self.server = self.start(command)
        give_up = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            ended = self.server.poll()
            assert ended is None, f"{self.told(step)}\nended with {ended}"
            assert time.monotonic() < give_up, f"{self.told(step)}\nwas never ready"
            time.sleep(0.1)

    def start(self, script: str) -> subprocess.Popen[bytes]:
        state = self.home.parent / "exported"
        restore = f'if [ -e "{state}" ]; then . "{state}"; cd "$PWD"; fi'
        with self.log.open("wb") as output:
            return subprocess.Popen(
                ["bash", "-c", f"{restore}\n{script}"],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        # Until the server listens the connection is refused, and until it can serve it says 503.
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    def stop(self) -> None:
        if self.server is None:
            return
        server, self.server = self.server, None
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill(server)
            pytest.fail(f"the server did not stop within {STOP_SECONDS} s of Ctrl-C")

    @property
    def log(self) -> Path:
        return self.home.parent / "printed"

    def printed(self) -> str:
        text = self.log.read_text(encoding="utf-8")
        return re.sub(rf"{PORT_OF}{self.port}\b", rf"\g<1>{DOCUMENTED_PORT}", text)

    def told(self, step: Step) -> str:
        return f"{step.place}\n$ {step.command}\n{self.printed()}"


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_not_run(line: str) -> bool:
    bare = re.sub(r"\s+#.*", "", line.strip())
    return any(re.fullmatch(pattern, bare) for pattern in NOT_RUN)


def matches(shown: str, printed: str) -> bool:
    def pattern(line: str) -> str:
        if line.strip() == "...":
            return r"(?:.*\n)*?"
        return re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"[ \t]*\n"

    expected = "".join(pattern(line) for line in shown.splitlines())
    return re.fullmatch(expected, printed.strip() + "\n") is not None


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def lend_environment(clone: Path) -> None:
    """Let the clone use this checkout's environment, so that `make run` need not make its own.

    Only one that is up to date is lent: else `make` would install the clone into it.
    """
    question = ["make", "--question", ".venv/.runtime"]
    if subprocess.run(question, cwd=REPOSITORY, check=False).returncode == 0:
        (clone / ".venv").symlink_to(REPOSITORY / ".venv")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    home = tmp_path / "accord"
    shutil.copytree(REPOSITORY, home, ignore=NOT_CLONED)
    lend_environment(home)
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
    environment = kept | {
        "ACCORD_PORT": port,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "TERM": "dumb",
    }
    terminal = Terminal(home=home, port=port, environment=environment)
    yield terminal
    terminal.stop()


@pytest.mark.needs("bash", "curl", "make", "patch")
@pytest.mark.parametrize("document", WITH_COMMANDS, ids=lambda path: path.name)
def test_the_commands_of_a_document_do_what_it_says(document: Path, terminal: Terminal) -> None:
    for step in steps(document):
        terminal.run(step)


def test_every_document_with_a_block_of_commands_is_run() -> None:
    languages = ("console", "sh", "bash")
    fenced = [
        each
        for each in DOCUMENTS
        if any(f"```{name}" in each.read_text(encoding="utf-8") for name in languages)
    ]
    assert fenced == WITH_COMMANDS
    assert REPOSITORY / "README.md" in fenced


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("two lines\nas they are", "two lines\nas they are\n"),
        ("first\n...\nlast", "first\nsecond\nthird\nlast\n"),
        ("...\nlast", "last\n"),
        ("took ... s", "took 0.4 s\n"),
    ],
)
def test_documented_output_matches_the_printed_output(shown: str, printed: str) -> None:
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("one line", "one line\nand another\n"),
        ("first\n...\nlast", "first\nsecond\n"),
        ("took ... s", "took 0.4 s\nor more s\n"),
        ("8 of 10", "7 of 10\n"),
    ],
)
def test_shown_output_that_was_not_printed_is_found_out(shown: str, printed: str) -> None:
    assert not matches(shown, printed)
