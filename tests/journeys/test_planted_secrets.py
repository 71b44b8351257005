"""No command shows a secret: not in what it prints, not in its errors, its log or the history.

Each command of the command line runs with secrets in its settings and in the files that these name:
once on a store that answers, and once on one that cannot be reached. A new command is run, too. The
broker cannot be reached; `tests/infra/test_cluster.py` reads what commands log of one that answers.
"""

import logging
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from consumers.command import app as command_line
from infra.bootstrap import Accord, bootstrap
from infra.settings import Settings
from tests.documents import REPOSITORY
from tests.journeys import typed

accord = typed.accord

PLANTED: Final = "hoopoe-in-the-settings"
PARTNERSHIP: Final = "aurora-series"

SERVING: Final[dict[str, list[str]]] = {
    "up": ["--port", "0"],
    "run": ["--health", "127.0.0.1:0"],
    "follow": ["--since", "begin", "--json"],
    "audit witness": ["--port", "0"],
    "keys broker-user": [],
}
"""Commands with a process of their own, and what keeps each off the ports of others. They run until
they are stopped; the client of the broker leaves its sockets open if there is none."""

OWN: Final = {
    "keys enrol": ["http://127.0.0.1:1", "--invitation", "new.invitation", "--out", "new.token"],
    "audit cosign": ["--key", "own.key", "--name", "w.example", "--state", "seen", "olga.token"],
    "audit witness": ["--key", "own.key", "--name", "w.example", "--state", "seen"],
    "demo": ["--store", "sqlite:///demo.db"],
    "run": ["relay"],
}
"""The arguments of commands that need other files than `GIVEN` names."""

GIVEN: Final = {
    "id": PARTNERSHIP,
    "partnership": PARTNERSHIP,
    "partnerships": PARTNERSHIP,
    "key": "000000000000",
    "name": "ana",
    "person": "maya",
    "reason": "A complaint.",
    "period": "2026-Q1",
    "metric": "leads",
    "rule": "conversion-floor",
    "since": "2026-01",
    "against": "2026-01-15",
    "reference": f"{PARTNERSHIP}/leads/2026-Q1",
    "words": "helio",
    "party": "helio-plus",
    "number": "1",
    "type": "RaiseIssue",
    "review": "review-1",
    "alert": f"x@1/{PARTNERSHIP}/2026-Q1",
    "to": "maya",
    "until": "2027-01-01",
}
"""A value for each required parameter, by its name. All others are files that are not there."""


def commands(found: Any = None, name: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield each command with its name."""
    found = found or typer.main.get_command(command_line)
    if (below := getattr(found, "commands", None)) is None:
        yield " ".join(name), found
        return
    for word, each in below.items():
        yield from commands(each, (*name, word))


COMMANDS: Final = dict(commands())


def line(name: str) -> list[str]:
    """Return the words of a command line, with every argument that the command requires."""
    if name in OWN:
        return [*name.split(), *OWN[name]]
    typed_words: list[str] = []
    for each in COMMANDS[name].params:
        if each.required:
            value = GIVEN.get(each.name, f"{name.replace(' ', '-')}.json")
            typed_words += [value] if each.param_type_name == "argument" else [each.opts[0], value]
    return [*name.split(), *typed_words]


def opens(name: str) -> bool:
    """Return whether a command can be told its store, and none is in its line."""
    options = {option for each in COMMANDS[name].params for option in each.opts}
    return "--store" in options and "--store" not in line(name)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings, with a secret in each that can have one."""
    given = {
        "ACCORD_KAFKA": "127.0.0.1:1",
        "ACCORD_KAFKA_SASL": "PLAIN",
        "ACCORD_KAFKA_USER": "ana",
        "ACCORD_KAFKA_PASSWORD": PLANTED,
        "ACCORD_PASSWORD_INTAKE": PLANTED,
        "ACCORD_SINK_WEBHOOK": f"https://ana:{PLANTED}@127.0.0.1:1/hook",
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    return given


@pytest.fixture
def store(accord: typed.Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with the key of a person, which acts for every command, and an invitation."""
    address = f"sqlite:///{tmp_path}/own.db"
    assert accord("init", "--simulated", "--store", address).code == 0
    feed = REPOSITORY / "examples" / "3-producer-renewal.jsonl"
    accord("ingest", str(feed), "--store", address)
    for name, made in (
        ("olga.token", ("create", "--role", "operator", "--actor", "olga")),
        ("new.invitation", ("invite", "--party", "northwind")),
    ):
        assert accord("keys", *made, "--out", name, "--store", address).code == 0
    assert accord("keygen", "own.key").code == 0
    monkeypatch.setenv("ACCORD_CREDENTIAL", str(tmp_path / "olga.token"))
    return address


def secrets(folder: Path) -> list[str]:
    tokens = (folder / each for each in ("olga.token", "new.invitation"))
    return [
        PLANTED,
        *(each.read_text().strip().split("_", 2)[2] for each in tokens),
        (folder / "own.key").read_text().strip(),
    ]


def said(ran: typed.Ran, log: pytest.LogCaptureFixture) -> str:
    """Return all that a command said, without the breaks of lines that a box has."""
    text = "".join((ran.out + ran.err).replace("│", "").split())
    return text + "".join(each.getMessage() + str(each.__dict__) for each in log.records)


def history_of(accord: Accord) -> bytes:
    return b"".join(
        body for name in accord.history.partnerships() for body in accord.history.bodies(name)
    )


@pytest.mark.usefixtures("settings")
def test_no_command_shows_a_secret_of_its_settings_or_of_who_acts(
    accord: typed.Accord, store: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planted = secrets(tmp_path)
    answered = set()
    for name in sorted(COMMANDS.keys() - SERVING.keys()):
        ran = accord(*line(name), *(["--store", store] if opens(name) else []))
        answered |= {name} if ran.code in {0, 3} else set()
        assert [each for each in planted if each in said(ran, caplog)] == [], name

    assert len(answered) > len(COMMANDS) / 2
    with bootstrap(Settings(store=store)) as opened:
        recorded = history_of(opened)
        assert [each for each in planted if each.encode() in recorded] == []


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("name", SERVING)
def test_no_command_shows_a_secret_while_it_runs(store: str, tmp_path: Path, name: str) -> None:
    words = [*line(name), *SERVING[name], *(["--store", store] if opens(name) else [])]
    started = subprocess.Popen(
        [*typed.PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert started.stdout is not None
    first = started.stdout.readline()
    started.terminate()
    out = first + started.communicate()[0]

    assert first
    assert [each for each in secrets(tmp_path) if each.encode() in out] == []


@pytest.mark.usefixtures("settings")
def test_no_command_shows_the_password_of_a_store_that_it_cannot_reach(
    accord: typed.Accord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ACCORD_STORE", f"postgresql://ana:{PLANTED}@127.0.0.1:1/accord")
    failed = set()
    for name in sorted(COMMANDS.keys() - SERVING.keys()):
        ran = accord(*line(name))
        failed |= {name} if ran.code == 1 else set()
        assert PLANTED not in said(ran, caplog), name

    assert len(failed) > len(COMMANDS) / 2


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    "text", [f"accord_000000000000_{'k' * 43}", f"Bearer {'k' * 43}", "k" * 60]
)
def test_no_command_shows_a_credential_that_is_not_valid(
    accord: typed.Accord, store: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "olga.token").write_text(text)
    refused = set()
    for name in ("settle", "erase", "keys invite", "audit bundle", "show"):
        more = ["--full", "A complaint."] if name == "show" else []
        ran = accord(*line(name), *more, "--store", store)
        refused |= {name} if ran.code == 1 else set()
        assert "k" * 43 not in said(ran, caplog), name

    assert len(refused) > 2


def test_no_option_takes_a_secret() -> None:
    """Every user of a machine can list the arguments of its processes."""
    options = {option for each in COMMANDS.values() for one in each.params for option in one.opts}

    assert not [each for each in options if re.search("password|secret|token|credential", each)]
