"""Check what Accord writes and serves with public implementations: `make interop`.

It needs Go, Node and the package registries. It installs what it needs in a temporary folder,
prints a row for each check, and writes docs/interop.md. What cannot be installed is named, and the
job fails.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from domain.keyring import key_id
from infra.audit import cosigning
from infra.audit.notary import Notary
from infra.audit.receipts import SignedReceipts
from infra.audit.witness import Known, Witness
from infra.evidence.bundle import BundleRequest, export
from infra.store.history import input_of
from infra.tlog.keys import Signer
from infra.tlog.notes import Kind, Verifier, written_proof
from infra.tlog.policy import Policy
from tests.audit import logs
from tests.audit.logs import LOG, Log
from tests.audit.world import CONSULTING, SIGNERS, World, build, play
from tests.documents import REPOSITORY

HERE = Path(__file__).parent
REPORT = REPOSITORY / "docs" / "interop.md"
STATEMENT = "2026-Q2"

Row = dict[str, Any]

INTRODUCTION = """\
# Checked with public implementations

Software that knows nothing of Accord reads what Accord writes, and witnesses of others cosign its
logs. `make interop` installs each package from its registry, makes a store with signed commands,
exports a bundle, runs every check and writes this page. It needs Go, Node and Python.

It ran on {day} with Accord {version}. {outcome}

| tool | version | what it does | how many |
|---|---|---|---|
"""

WHOLE = "Every check passed."

BELOW = """
Where a tool and the standard differ, Accord follows the standard:

- torchwood takes what follows a `#` anywhere in a line of a policy for a comment. In C2SP
  `tlog-policy` only lines that begin with `#` are comments.
- The witness of transparency-dev answers 409 without a size to another root at the size that it
  cosigned. C2SP `tlog-witness` says 422. Accord's witness answers 422, and Accord takes both for a
  fork.

A timestamp authority of OpenSSL, with and without a certificate between its own and the root, is
asked in `tests/audit/test_timestamps.py`.
"""


@dataclass
class Report:
    """The rows so far, and what could not be installed."""

    rows: list[Row] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    def add(self, printed: str) -> None:
        """Take the rows that a tool printed."""
        for line in printed.splitlines():
            self.take(json.loads(line))

    def take(self, row: Row) -> None:
        """Take a row, and print it."""
        self.rows.append(row)
        sys.stdout.write("{tool} {version}: {what} ({count})\n".format(**row))

    def installed(self, what: str, install: Callable[[], object]) -> bool:
        """Install something; name it loudly if it cannot be had."""
        try:
            install()
        except (subprocess.CalledProcessError, OSError) as error:
            self.lacking.append(what)
            sys.stdout.write(f"NOT CHECKED: {what} cannot be installed: {error}\n")
            return False
        return True

    def write(self, path: Path) -> None:
        """Write the page."""
        outcome = WHOLE if not self.lacking else f"NOT CHECKED with {', '.join(self.lacking)}."
        cells = ("tool", "version", "what", "count")
        rows = (" | ".join(str(row[cell]) for cell in cells) for row in self.rows)
        table = "".join(f"| {row} |\n" for row in rows)
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        above = INTRODUCTION.format(day=day, version=version("accord"), outcome=outcome)
        path.write_text(above + table + BELOW, encoding="utf-8")


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Return what a command prints; it must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> int:
    """Run every check; return 1 if one could not be run, and raise if one failed."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program, bundle = folder / "interop", folder / "bundle"
        built = ["go", "build", "-mod=readonly", "-o", str(program), "."]
        has_go = report.installed(
            "the Go modules", lambda: run(built, HERE / "go", GOTOOLCHAIN="local")
        )
        with witnessed(folder, program, report, has_go=has_go) as policy:
            made(folder, policy, bundle)
        if has_go:
            report.add(run([program, "check", bundle], folder))
            report.add(asked(folder, program))
        scripts = folder / "javascript"
        shutil.copytree(HERE / "javascript", scripts)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if report.installed("canonicalize (npm)", lambda: run(npm, scripts)):
            report.add(run(["node", "check.mjs", bundle], scripts))
        python = folder / "python"
        if report.installed("securesystemslib and bagit (PyPI)", lambda: installed(python)):
            (folder / "keys").write_text("".join(map(key_line, SIGNERS.values())))
            script = HERE / "python" / "check.py"
            # The bag is the folder with the files of the archive alone.
            report.add(
                run([python / "bin" / "python", script, unzipped(folder), folder / "keys"], folder)
            )
    report.write(REPORT)
    return 1 if report.lacking else 0


def installed(folder: Path) -> None:
    """Make an environment of Python with the packages."""
    venv.create(folder, with_pip=True)
    python, wanted = folder / "bin" / "python", HERE / "python" / "requirements.txt"
    run([python, "-m", "pip", "--quiet", "install", "--requirement", wanted], folder)


def key_line(signer: Signer) -> str:
    """Return a party's key as `python/check.py` reads it."""
    return f"{key_id(signer.public)} {b64encode(signer.public).decode()}\n"


# --- a bundle, whose log two witnesses cosign ---


@contextmanager
def witnessed(folder: Path, program: Path, report: Report, *, has_go: bool) -> Iterator[Policy]:
    """Run Accord's own witness and a public one; give the policy that asks both."""
    world = build(folder / "store")
    own = Signer.new()
    witness = Witness("witness.example/accord", own, Known((world.log,)))
    verifier = Verifier(witness.name, Kind.COSIGNATURE, own.public)
    with logs.serving(witness, folder / "witness.db") as url:
        line = f"witness accord {verifier} {url}"
        if not has_go:
            yield Policy.read(f"{line}\nquorum accord\n")
            return
        with public_witness(program, world.log, LOG) as (address, vkey, version):
            text = (
                f"{line}\n\twitness go\t{vkey} {address}\ngroup both all accord go\nquorum both\n"
            )
            yield Policy.read(text)
            for row in public_rows(address, vkey, version):
                report.take(row)


@contextmanager
def public_witness(program: Path, *known: Verifier) -> Iterator[list[str]]:
    """Run the witness of transparency-dev; give its address, its key and its version."""
    command = [str(program), "witness", *map(str, known)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()
        finally:
            process.terminate()


def public_rows(address: str, vkey: str, version: str) -> Iterator[Row]:
    """Ask the public witness for what `made` does not ask for; yield rows of the report."""
    policy = Policy.read(f"witness go {vkey} {address}\nquorum go\n")
    log = Log([b"one", b"two", b"three"])
    for entries in ([], [b"four"], [b"five", b"six"]):
        found = cosigning.collect(log.grow(*entries), policy, log.proof)
        assert policy.met(found.note), found.lacking
    forked = Log([*log.entries[:-1], b"another"])
    refused = cosigning.collect(forked.checkpoint(), policy, forked.proof).lacking["go"]
    assert refused.endswith("this log was forked."), refused
    smaller = cosigning.collect(log.checkpoint(4), policy, log.proof).lacking["go"]
    assert "but this checkpoint has only 4" in smaller, smaller
    row = {"tool": "github.com/transparency-dev/witness", "version": version}
    yield row | {"what": "`witness` cosigns the log of the bundle as it grows", "count": 2}
    yield row | {
        "what": "`witness` refuses a fork and a smaller log, and Accord says which",
        "count": 2,
    }


def made(folder: Path, policy: Policy, bundle: Path) -> None:
    """Make a store with signed commands, and lay out its bundle, with what its reader pins."""
    world = World(folder / "store")
    play(world)
    with world.opened() as (accord, _):
        notary = Notary(accord.history, accord.trees, world.seal, policy)
        assert policy.met(notary.checkpoint(CONSULTING))
        asked = BundleRequest("sam", "To be read by others.", statement=STATEMENT)
        export(accord, notary, CONSULTING, asked, folder / "bundle.zip")
        assert policy.met(notary.checkpoint(CONSULTING))
        signed = SignedReceipts(accord.history, world.seal.operator, world.signer)
        events = accord.history.of(CONSULTING)
        receipts = signed.again(list(map(input_of, events)))
    unzipped(folder)
    (bundle / "receipts").mkdir(parents=True)
    for number, receipt in enumerate(receipts.values()):
        (bundle / "receipts" / str(number)).write_text(str(receipt), encoding="utf-8")
    (bundle / "log.key").write_text(f"{world.log}\n")
    (bundle / "policy").write_text(f"log {world.log}\n\n# Both.\n{policy}")


def unzipped(folder: Path) -> Path:
    """Lay out the bundle's files once more; return where."""
    for place in (folder / "bundle", folder / "bag"):
        with ZipFile(folder / "bundle.zip") as archive:
            archive.extractall(place)
    return folder / "bag"


# --- Accord's witness, asked by a public client ---


def asked(folder: Path, program: Path) -> str:
    """Ask `accord audit witness` with a public client whatever the protocol has an answer for."""
    signer = Signer.new()
    witness = Witness("witness.example/accord", signer, Known((LOG,)))
    first, cases = Log([b"one", b"two", b"three"]), list[Row]()

    def case(
        old: int, log: Log, error: str = "", size: int = 0, proof: list[bytes] | None = None
    ) -> None:
        given = log.proof(old) if proof is None else proof
        note = str(log.checkpoint())
        cases.append(
            {"old": old, "note": note, "proof": written_proof(given), "error": error, "size": size}
        )

    grown = Log([*first.entries, b"four", b"five"])
    case(0, first)
    case(3, grown)
    case(5, grown)
    case(0, grown, "stale", 5)
    case(5, Log([*grown.entries[:-1], b"other"]), "proof")
    case(5, Log([*grown.entries, b"six"]), "proof", proof=[])
    case(9, grown, "old")
    case(5, Log(grown.entries, signer=Signer.new()), "unsigned")
    case(0, Log([b"one"], "elsewhere.example/log"), "unknown")
    case(5, Log([*grown.entries, b"six"]))
    place = folder / "asked"
    place.mkdir()
    (place / "cases.json").write_text(json.dumps(cases))
    verifier = Verifier(witness.name, Kind.COSIGNATURE, signer.public)
    (place / "witness.key").write_text(str(verifier))
    with logs.serving(witness, place / "witness.db") as url:
        return run([program, "ask", url, place], folder)


if __name__ == "__main__":
    sys.exit(main())
