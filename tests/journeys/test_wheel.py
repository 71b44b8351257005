"""Accord as it is installed: from a wheel, in an environment of its own, without a checkout."""

import os
import subprocess
from pathlib import Path


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
    assert played.startswith("Played 5 feeds: 833 accepted, 11 refused.")
    assert "growthos-consulting" in listed
    assert not list(tmp_path.glob("**/*.jsonl"))
