"""Sizes that an attacker chooses: both verifiers stop before they unpack or read what is too much.

Each limit of `rules.json` is tried at its last right value and one beyond.
"""

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from zipfile import ZipFile

import orjson
import pytest
from typer.testing import CliRunner

from infra.cli.options import DONE, FAILED, app
from infra.evidence import bundle
from infra.tlog import codec
from tests.audit import world as made
from tests.audit.world import (
    VERIFIERS,
    Said,
    World,
    build,
    imported,
    play,
    said_by,
    scripted,
)
from tests.documents import REPOSITORY

pytestmark = pytest.mark.needs("node")

LIMITS = orjson.loads((VERIFIERS / "rules.json").read_bytes())["limits"]
MEMORY = 400 << 20
"""Bytes that a verifier may use of a small bundle: an interpreter, and a few times the bundle."""

Files = dict[str, bytes]


class Ran(NamedTuple):
    """What a run of a verifier gave."""

    code: int
    first: str
    """The first line that it printed."""
    memory: int
    """The most that it used, in bytes."""


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10, file=sys.stderr)
sys.exit(code)
"""
"""A small process that starts another and prints its memory: a child of a large one counts more."""


def run(verifier: tuple[str | Path, ...], bundle: Path) -> Ran:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *verifier, bundle],
        capture_output=True,
        check=False,
        text=True,
    )
    return Ran(done.returncode, done.stdout.partition("\n")[0], int(done.stderr))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = build(tmp_path_factory.mktemp("sizes"))
    play(world)
    return world


@pytest.fixture(scope="module")
def files(whole: World) -> Files:
    with ZipFile(whole.bundle()) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], str | None]]:
    """Return the code of the fault of a bundle, for which both say the same, word for word."""
    python: ModuleType = imported()
    path = tmp_path_factory.mktemp("said") / "bundle.zip"

    def ask(script: Callable[..., Said], raw: bytes) -> str | None:
        path.write_bytes(raw)
        found = said_by(python, raw)
        assert found == script(path)
        code: str | None = orjson.loads(found[0])["code"]
        return code

    with scripted() as script:
        yield lambda raw: ask(script, raw)


def claimed(content: bytes, size: int) -> bytes:
    """Return an archive of one deflated file, which claims to have this size."""
    made_ = BytesIO()
    with ZipFile(made_, "w", compression=8, compresslevel=9) as archive:
        archive.writestr("bagit.txt", content)
    raw, right = made_.getvalue(), len(content).to_bytes(4, "little")
    # Once in the record before the content, and once in the directory.
    at, again = 22, raw.index(b"PK\x01\x02") + 24
    assert raw[at : at + 4] == raw[again : again + 4] == right
    other = size.to_bytes(4, "little")
    return raw[:at] + other + raw[at + 4 : again] + other + raw[again + 4 :]


VERIFIER = [pytest.param(made.PYTHON, id="verify.py"), pytest.param(made.SCRIPT, id="verify.mjs")]


@pytest.mark.parametrize("verifier", VERIFIER)
@pytest.mark.parametrize(
    "size",
    [100, LIMITS["unpacked"], LIMITS["unpacked"] + 1, 2**32 - 1],
    ids=["less than it has", "as much as a bundle may have", "more", "the most that fits"],
)
def test_a_file_that_grows_by_unpacking_is_refused_before_it_does(
    tmp_path: Path, verifier: tuple[str | Path, ...], size: int
) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(claimed(bytes(512 << 20) if size == 100 else b"", size))
    found = run(verifier, path)
    assert (found.code, found.first) == (3, "FAULT bag")
    assert found.memory < MEMORY


@pytest.mark.parametrize("verifier", VERIFIER)
def test_a_file_larger_than_a_bundle_is_not_read(
    tmp_path: Path, verifier: tuple[str | Path, ...]
) -> None:
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(LIMITS["packed"] + 1)
    found = run(verifier, path)
    assert found.code == 2
    assert found.memory < MEMORY


def test_a_size_is_the_true_one(said: Callable[[bytes], str | None], files: Files) -> None:
    raw = made.zipped(files)
    assert said(raw) is None
    at = raw.index(b"PK\x01\x02")
    name = raw[at + 46 : at + 46 + int.from_bytes(raw[at + 28 : at + 30], "little")].decode()
    for change in (-1, 1):
        other = (len(files[name]) + change).to_bytes(4, "little")
        changed = raw[: at + 24] + other + raw[at + 28 :]
        assert said(changed[:22] + other + changed[26:]) == "bag"


@pytest.mark.parametrize(("more", "code"), [(0, "custody"), (1, "bag")])
def test_an_archive_has_so_many_entries(
    said: Callable[[bytes], str | None], files: Files, more: int, code: str
) -> None:
    number = LIMITS["entries"] - len(files) + more
    schemas = {f"data/schemas/Other{each}.json": b"" for each in range(number)}
    assert said(made.zipped({**files, **schemas})) == code


@pytest.mark.parametrize(("more", "code"), [(0, "custody"), (1, "malformed")])
def test_a_line_has_so_many_bytes(
    said: Callable[[bytes], str | None], files: Files, more: int, code: str
) -> None:
    text = "x" * (LIMITS["line"] - len('{"a":""}') + more)
    line = codec.canonical({"a": text}) + b"\n"
    assert len(line) == LIMITS["line"] + more + 1
    assert said(made.zipped({**files, "data/rejected.jsonl": line})) == code


@pytest.mark.parametrize(("more", "code"), [(0, "command-unused"), (1, "malformed")])
def test_a_signed_command_has_so_many_bytes(
    said: Callable[[bytes], str | None], files: Files, more: int, code: str
) -> None:
    """Its line is an envelope, and not read as JSON."""
    *_, last = files["data/commands.jsonl"].splitlines()
    start, end = last[: last.index(b'":"') + 3], last[last.index(b'","payloadType') :]
    size = LIMITS["line"] - len(start) - len(end) + more * 4
    line = start + b"A" * (size - size % 4 + 4 * more) + end
    assert (len(line) > LIMITS["line"]) is bool(more)
    content = files["data/commands.jsonl"] + line + b"\n"
    assert said(made.zipped({**files, "data/commands.jsonl": content})) == code


@pytest.mark.parametrize(("more", "code"), [(0, None), (1, "checkpoint-malformed")])
def test_a_checkpoint_has_so_many_bytes(
    said: Callable[[bytes], str | None], files: Files, more: int, code: str | None
) -> None:
    """Signatures of others are passed over, but not any number of them."""
    *lines, last = files["data/checkpoints.jsonl"].splitlines(keepends=True)
    note = orjson.loads(last)["note"]
    start, end = "— ", f" {b64encode(b'none' + bytes(64)).decode()}\n"
    left = LIMITS["note"] + more - len(f"{note}{start}{end}".encode())
    note = f"{note}{start}{'n' * left}{end}"
    last = codec.canonical({"note": note}) + b"\n"
    assert said(made.zipped({**files, "data/checkpoints.jsonl": b"".join([*lines, last])})) == code


@pytest.mark.parametrize("name", ["unpacked", "packed", "entries"])
@pytest.mark.parametrize("more", [0, 1])
def test_an_export_warns_of_a_bundle_that_no_verifier_reads(
    whole: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, more: int
) -> None:
    """The operator reads it then, and not the auditor years later."""
    path = tmp_path / "bundle.zip"
    monkeypatch.setattr(bundle, "guides", lambda: limited(name, LIMITS[name]))
    monkeypatch.setenv("ACCORD_STORE", whole.settings.store)
    command = ["audit", "bundle", made.CONSULTING, "--reason", "A dispute.", "--out"]
    assert CliRunner().invoke(app, [*command, str(path)]).exit_code == DONE
    with ZipFile(path) as archive:
        sizes = [each.file_size for each in archive.infolist()]
    # The next bundle has one more event, which is that of this export.
    size = {"unpacked": sum(sizes), "packed": path.stat().st_size, "entries": len(sizes)}[name]
    size += -1 if more else 100_000

    monkeypatch.setattr(bundle, "guides", lambda: limited(name, size))
    again = CliRunner().invoke(app, [*command, str(tmp_path / "again.zip")])

    warning = f"a verifier reads at most {size:,}."
    assert (again.exit_code, warning in " ".join(again.output.split())) == (
        (FAILED, True) if more else (DONE, False)
    )


def limited(name: str, size: int) -> Files:
    """Return what is in every bundle, with another limit."""
    rules = orjson.loads((VERIFIERS / "rules.json").read_bytes())
    rules["limits"][name] = size
    found = {each: (VERIFIERS / each).read_bytes() for each in bundle.GUIDES}
    return found | {"rules.json": codec.canonical(rules)}


def test_the_limits_are_those_that_are_tried() -> None:
    """`levels` and `signatures` are tried in test_verifiers and test_lies, `skew` in attacks."""
    tried = {"entries", "line", "note", "packed", "unpacked"}
    assert tried | {"levels", "signatures", "skew", "time"} == LIMITS.keys()


def test_both_verifiers_together_are_short_enough_to_be_read() -> None:
    """Both can be read in two hours, and their format is a few screens (decision 27)."""
    lines = {
        name: len((VERIFIERS / name).read_text(encoding="utf-8").splitlines())
        for name in ("verify.py", "verify.mjs", "FORMAT.md")
    }
    both = lines["verify.py"] + lines["verify.mjs"]
    assert both < 2_000
    assert lines["FORMAT.md"] < 200
    for name in ("verify.py", "verify.mjs"):
        text = (VERIFIERS / name).read_text(encoding="utf-8")
        assert max(map(len, text.splitlines())) <= 100, name
    decision = REPOSITORY / "docs" / "decisions" / "0027-two-questions-two-tools.md"
    told = decision.read_text(encoding="utf-8")
    for number in (f"{both:,}", f"{lines['verify.py']:,}", f"{lines['verify.mjs']:,}"):
        assert number in told, f"decision 27 should say {number}"
