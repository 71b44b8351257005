"""docs/auditor.md as its reader has it: a bundle, the lines of a contract, and no Accord."""

import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest

from infra.evidence.bundle import BundleRequest, export
from infra.tlog.keys import Signer
from tests.audit.world import VERIFIERS, registration
from tests.documents import REPOSITORY, steps
from tests.feeds import played
from tests.test_documents import matches

AUDITOR = REPOSITORY / "docs" / "auditor.md"
CONSULTING = "growthos-consulting"
OF_THE_COUNTERPARTY = "## The counterparty checks it"
WITH_ACCORD = "## What follows from it"
"""Of this section the reader needs an installed Accord."""
OF_ANOTHER_HISTORY = "## Detecting a second history"

pytestmark = pytest.mark.needs("node", "bash", "make", "openssl", "sha256sum")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with what the counterparty has: the contract's lines, verifiers and the bundle."""
    desk = tmp_path / "desk"
    desk.mkdir()
    published = (REPOSITORY / "docs" / "digests.md").read_text(encoding="utf-8")
    pins = [f"{line}\n" for line in published.splitlines() if line.startswith("verifier ")]
    with played(tmp_path) as accord:
        for party in ("northbridge", "growthos"):
            signer = Signer.new()
            accord.service.handle(
                [orjson.dumps(registration(party, "2026-11-01T09:00:00Z", signer))]
            )
            pins.append(f"party {party} {b64encode(signer.public).decode()}\n")
        accord.catch_up()
        notary = accord.signing()
        request = BundleRequest("sam", "The second quarter is disputed.", "northbridge", "2026-Q2")
        export(accord, notary, CONSULTING, request, desk / "evidence.zip")
        (desk / "policy").write_text(f"log {notary.seal.verifier(CONSULTING)}\nquorum none\n")
    (desk / "pins").write_text("".join(pins))
    for name in ("verify.py", "verify.mjs", "rules.json"):
        shutil.copy(VERIFIERS / name, desk)
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
    walk(OF_THE_COUNTERPARTY, WITH_ACCORD, desk, nothing)


def test_what_follows_from_a_bundle_is_computed_by_an_installed_wheel(
    desk: Path, nothing: dict[str, str], installed: Path
) -> None:
    """The counterparty's second walk: Accord from a wheel, and still no checkout."""
    path = f"{installed}{os.pathsep}{nothing['PATH']}"
    walk(WITH_ACCORD, OF_ANOTHER_HISTORY, desk, nothing | {"PATH": path})


def walk(first: str, behind: str, desk: Path, environment: dict[str, str]) -> None:
    """Do what the guide says from one heading to another, and compare what it shows."""
    text = AUDITOR.read_text(encoding="utf-8")
    start, end = (text.count("\n", 0, text.index(each)) + 1 for each in (first, behind))
    taken = [each for each in steps(AUDITOR) if start < int(each.place.rpartition(":")[2]) < end]
    assert taken
    for step in taken:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step.command],
            env=environment,
            cwd=desk,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == step.exit_code, (step.place, done.stdout, done.stderr)
        if step.shown is not None:
            assert matches(step.shown, done.stdout), (step.place, done.stdout)


def test_the_page_names_every_fault_that_a_verifier_can_find() -> None:
    words = orjson.loads((VERIFIERS / "rules.json").read_bytes())["words"]
    codes = {each for each in words if each.islower()}
    text = AUDITOR.read_text(encoding="utf-8")
    families = set(re.findall(r"`([a-z]+-)…`", text))
    named = set(re.findall(r"`([a-z-]+)`", text))
    assert len(codes) > 15
    assert not {
        code
        for code in codes
        if code not in named and not any(code.startswith(each) for each in families)
    }


def test_the_third_reader_is_fifteen_lines_and_believes_no_other_event_key_or_text(
    desk: Path,
) -> None:
    (script,) = [each for each in steps(AUDITOR) if each.command.startswith("cat > reader.py")]
    subprocess.run(["bash", "-c", script.command], cwd=desk, check=True)
    source = (desk / "reader.py").read_text()
    assert len([line for line in source.splitlines() if not line.startswith("import")]) <= 15

    def reads(bundle: str, policy: str = "policy") -> bool:
        command = [sys.executable, "-I", "reader.py", bundle, policy]
        return subprocess.run(command, cwd=desk, capture_output=True, check=False).returncode == 0

    def changed(name: str, old: bytes, new: bytes) -> str:
        with ZipFile(desk / "evidence.zip") as whole, ZipFile(desk / "changed.zip", "w") as copy:
            for each in whole.namelist():
                data = whole.read(each)
                copy.writestr(each, data.replace(old, new) if each == name else data)
        return "changed.zip"

    assert reads("evidence.zip")
    assert not reads(changed("data/events.jsonl", b"12500.00", b"19500.00"))
    assert not reads(changed("data/checkpoints.jsonl", b"growthos-consulting", b"growthos-other"))
    text = (desk / "policy").read_text()
    (desk / "other").write_text(text.replace(text.split("+")[2][1:9], "AAAAAAAA"))
    assert not reads("evidence.zip", "other")
