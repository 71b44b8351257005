"""The project keeps its own promises: what is locked, what is documented, and what it names."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain

import pytest
from packaging.requirements import Requirement

from consumers import command as cli
from dev import problems
from tests.documents import DOCUMENTS, REPOSITORY, inline_code, steps

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def lock_text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def locked(name: str) -> dict[str, str]:
    """Each locked distribution's line (name, version, hashes) by its name."""
    lines = lock_text(name).replace("\\\n", " ").splitlines()
    return {line.split("==")[0]: line for line in lines if line and not line.startswith("#")}


def version(line: str) -> str:
    return re.split(r"[\s;]", line.split("==")[1])[0]


@pytest.mark.parametrize("name", LOCKS)
def test_everything_locked_has_one_version_and_its_hashes(name: str) -> None:
    plain = re.compile(r"[a-z0-9-]+==[\w.]+( ; [^#@]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    odd = [line for line in locked(name).values() if not plain.fullmatch(line.rstrip())]
    assert locked(name)
    assert odd == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_to_fetch_from(name: str) -> None:
    assert "://" not in lock_text(name)
    assert "--index" not in lock_text(name)


def test_the_locks_of_the_foreign_clients_have_hashes_and_name_no_place_to_fetch_from() -> None:
    for foreign in (
        REPOSITORY / "tests" / "journeys" / "foreign",
        REPOSITORY / "tests" / "interop",
    ):
        text = (foreign / "javascript" / "package-lock.json").read_text(encoding="utf-8")
        packages = json.loads(text)["packages"]
        assert "://" not in text
        assert all(each["integrity"] for name, each in packages.items() if name)
        sums = (foreign / "go" / "go.sum").read_text(encoding="utf-8").splitlines()
        assert sums
        assert all(re.fullmatch(r"\S+ v\S+ h1:[\w+/]{43}=", line) for line in sums)


def test_the_lock_for_tests_holds_the_runtime_lock_unchanged() -> None:
    assert locked(LOCKS[0]).items() <= locked(LOCKS[1]).items()


def test_the_locks_keep_the_bounds_of_the_project_file() -> None:
    groups = PROJECT["dependency-groups"]
    asked = {
        LOCKS[0]: [*PROJECT["project"]["dependencies"], *groups["build"]],
        LOCKS[1]: groups["dev"],
    }
    for name, requirements in asked.items():
        lines = locked(name)
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(version(lines[requirement.name])), requirement


def test_every_runtime_dependency_but_pydantic_is_machinery_to_the_domain() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    forbidden = {module for found in contracts for module in found.get("forbidden_modules", ())}
    runtime = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
    modules = {
        module
        for module, names in packages_distributions().items()
        if runtime.intersection(names) and not module.startswith("_")
    }
    assert modules - forbidden == {"pydantic"}


def documented(pattern: str) -> set[str]:
    """Each match of the pattern in the commands and the inline code of the documents."""
    commands = (step.command.replace("\\\n", " ") for path in DOCUMENTS for step in steps(path))
    code = chain(commands, *map(inline_code, DOCUMENTS))
    return set(chain.from_iterable(re.findall(pattern, text) for text in code))


def test_every_chore_in_the_documents_is_in_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    chores = set(re.findall(r"(?m)^([a-z-]+):", makefile))
    named = documented(r"(?m)^make ([a-z-]+)")
    assert "run" in named, "README.md does not say how to start"
    assert named <= chores


def help_of(command: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> str:
    patch.setattr(sys, "argv", ["accord", *command.split(), "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    assert not ended.value.code, f"accord {command} is no command: {captured.err}"
    return captured.out


def command_of(use: str) -> str:
    """Return the command that is used, with its subcommand in a group (`audit verify`)."""
    words = use.split()
    groups = {
        each.name: {
            below.name or getattr(below.callback, "__name__", "")
            for below in each.typer_instance.registered_commands
        }
        for each in cli.app.registered_groups
        if each.typer_instance
    }
    in_group = words[1:2] and words[1] in groups.get(words[0], ())
    return " ".join(words[: 2 if in_group else 1])


ADDED = {"contacts"}
"""The commands that docs/extending.md adds in its examples."""


def test_every_command_and_option_in_the_documents_exists(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    an_option = r"(?<![\w-])--?[a-z][a-z-]*"
    uses = documented(r"(?m)(?:^|[|&;(]) *(?:\w+=\S+ +)*accord ([a-z]+\b[^|&;)#\n]*)")
    for command in set(map(command_of, uses)) - ADDED:
        known = set(re.findall(an_option, help_of(command, capsys, monkeypatch)))
        named = {
            option
            for use in uses
            if command_of(use) == command
            for option in re.findall(an_option, use)
        }
        assert named <= known, f"accord {command} has no {sorted(named - known)}"


def test_make_run_serves_on_the_port_that_is_accords_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (port,) = re.findall(r"(?m)^ACCORD_PORT \?= (\d+)$", makefile)
    assert f"default: {port}" in help_of("up", capsys, monkeypatch)


# One letter in brackets keeps this file from naming what it looks for.
UNWANTED = re.compile(
    r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs|crates[.]io|proxy[.]golang[.]org"
    r"|repo1?[.]maven|deb[.]debian[.]org|(?<![\w.])/(?:[w]ork|[r]oot|[t]mp/v)/"
)


@pytest.mark.needs("git")
def test_no_file_names_a_package_registry_or_one_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    naming = {
        f"{path.relative_to(REPOSITORY)}: {found[0]}"
        for path in files
        if path.is_file()
        for found in UNWANTED.finditer(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert naming == set()


def test_the_catalogue_of_problems_is_what_the_source_says() -> None:
    hint = "write both anew: python -m dev.problems"

    assert problems.CATALOGUE.read_bytes() == problems.catalogue(), hint
    assert problems.PAGE.read_text(encoding="utf-8") == problems.page(), hint


def test_the_tests_of_a_file_run_in_one_worker(request: pytest.FixtureRequest) -> None:
    """What the tests of a file share, such as a broker, is made once only if they run in one."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        assert request.node.nodeid.endswith("@test_project")
