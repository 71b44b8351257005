"""The memory that a task needs, in a process of its own: ``python -m benchmarks.memory``.

It prints the largest resident size that the process came to, in bytes.
"""

import re
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks import ours

TASKS = ("ingest", "rebuild")
"""What is measured; ``rebuild`` is of the store that ``ingest`` filled."""

_STATUS = Path("/proc/self/status")


def peak(task: str, store: Path, feed: Path) -> int:
    """Return the bytes that ``ingest`` of the feed or ``rebuild`` of the store needs at most."""
    command = [sys.executable, "-m", "benchmarks.memory", task, str(store), str(feed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return int(done.stdout)


def _main(task: str, path: str, feed: str) -> None:
    with ours.store(Path(path)) as accord:
        if task == "ingest":
            with Path(feed).open("rb") as lines:
                ours.ingest(accord, lines)
        else:
            ours.rebuild(accord)
    print(_peak())


def _peak() -> int:
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # In bytes, but for Linux.
    # On Linux `getrusage` would count what the parent process needed, too.
    (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="utf-8"))
    return int(kibibytes) * 1024


if __name__ == "__main__":
    _main(*sys.argv[1:])
