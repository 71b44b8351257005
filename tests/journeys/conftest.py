"""What all journeys share: the command as it is typed (see `tests/journeys/typed.py`)."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.documents import REPOSITORY
from tests.journeys.typed import accord

__all__ = ["accord"]


@pytest.fixture(scope="session")
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
