"""docs/auditor.md as its reader has it: one file, one key, and nothing of this project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.evidence.bundle import BundleRequest, export
from tests.documents import REPOSITORY, steps
from tests.feeds import played
from tests.test_documents import matches

AUDITOR = REPOSITORY / "docs" / "auditor.md"
CONSULTING = "growthos-consulting"
OF_THE_COUNTERPARTY = "## The counterparty checks it"
WITH_ACCORD = "## What follows from it"
"""Of this section the reader needs an installed Accord."""

pytestmark = pytest.mark.needs("node", "bash")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the two things that the counterparty was given."""
    desk = tmp_path / "desk"
    desk.mkdir()
    with played(tmp_path) as accord:
        accord.catch_up()
        notary = accord.signing()
        asked = BundleRequest("sam", "The second quarter is disputed.", "northbridge", "2026-Q2")
        export(accord, notary, CONSULTING, asked, desk / "evidence.zip")
        (desk / "log.key").write_text(f"{notary.seal.verifier(CONSULTING)}\n")
    return desk


@pytest.fixture
def nothing(tmp_path: Path) -> dict[str, str]:
    """An environment in which no package is installed, and this project cannot be found."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    node = shutil.which("node")
    assert node
    (programs / "node").symlink_to(node)
    path = os.pathsep.join([str(bare / "bin"), str(programs), "/usr/bin", "/bin"])
    return {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}


def test_the_auditor_s_guide_works_without_this_project(
    desk: Path, nothing: dict[str, str]
) -> None:
    for package in ("nacl", "infra", "orjson"):
        found = subprocess.run(
            ["python3", "-c", f"import {package}"],
            env=nothing,
            cwd=desk,
            capture_output=True,
            check=False,
        )
        assert found.returncode != 0, package
    text = AUDITOR.read_text(encoding="utf-8")
    start, end = (
        text.count("\n", 0, text.index(each)) + 1 for each in (OF_THE_COUNTERPARTY, WITH_ACCORD)
    )
    walk = [each for each in steps(AUDITOR) if start < int(each.place.rpartition(":")[2]) < end]
    assert len(walk) > 5
    for step in walk:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step.command],
            env=nothing,
            cwd=desk,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == step.exit_code, (step.place, done.stdout, done.stderr)
        if step.shown is not None:
            assert matches(step.shown, done.stdout), (step.place, done.stdout)


def test_the_page_names_every_fault_that_a_verifier_can_find() -> None:
    folder = REPOSITORY / "infra" / "evidence" / "verifiers"
    codes = set(re.findall(r"\"((?:command|checkpoint|key|event)s?-[a-z]+|fork|stale|bag"
                           r"|quorum|receipt|person|custody|identity|verifier|malformed)\"",
                           (folder / "verify.py").read_text()))  # fmt: skip
    text = AUDITOR.read_text(encoding="utf-8")
    families = set(re.findall(r"`([a-z]+-)…`", text))
    named = set(re.findall(r"`([a-z-]+)`", text))
    assert len(codes) > 15
    missing = {
        code
        for code in codes
        if code not in named and not any(code.startswith(each) for each in families)
    }
    assert missing <= {"command-type"}
