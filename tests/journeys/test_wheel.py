"""Accord as it is installed: from a wheel, in an environment of its own, without a checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.documents import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and this environment's libraries; gives its programs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", folder, REPOSITORY], check=True)
    (wheel,) = folder.glob("*.whl")

    fresh = folder / "fresh"
    venv.create(fresh, with_pip=False)
    python = [*pip, "--python", str(fresh / "bin" / "python")]
    subprocess.run([*python, "install", "--no-deps", "--no-index", wheel], check=True)
    (site,) = fresh.glob("lib/python*/site-packages")
    # A folder named by a .pth file is searched, but its own .pth files, by which the checkout is
    # installed in it, are not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return fresh / "bin"


def run(program: Path, *typed: str, cwd: Path) -> str:
    kept = {key: each for key, each in os.environ.items() if not key.startswith(("ACCORD", "PYTH"))}
    ran = subprocess.run(
        [program, *typed], cwd=cwd, env=kept, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_demo_of_an_installed_wheel_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", "import infra; print(infra.__file__)", cwd=tmp_path)
    played = run(installed / "accord", "demo", cwd=tmp_path)
    listed = run(installed / "accord", "list", cwd=tmp_path)

    assert Path(where.strip()).is_relative_to(installed.parent)
    assert played.startswith("Played 5 feeds: 817 accepted, 11 refused.")
    assert "growthos-consulting" in listed
    assert not list(tmp_path.glob("**/*.jsonl"))
