"""Check a bundle with public packages of Python: the bag, and the signed commands."""

import json
import sys
from base64 import b64decode
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import bagit
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey


def passed(tool: str, what: str, count: int) -> None:
    """Print one row of the report."""
    row = {"tool": tool, "version": version(tool), "what": what, "count": count}
    sys.stdout.write(f"{json.dumps(row)}\n")


def check_bag(folder: Path) -> None:
    """Validate the bag, and see that a changed file makes it invalid."""
    bagit.Bag(str(folder)).validate()
    passed("bagit", "validates the bundle as a bag", 1)
    changed = folder / "data" / "rejected.jsonl"
    before = changed.read_bytes()
    changed.write_bytes(before + b"\n")
    assert not bagit.Bag(str(folder)).is_valid()
    changed.write_bytes(before)
    passed("bagit", "refuses it with a changed file", 1)


def check_commands(folder: Path, keys: list[SSlibKey]) -> None:
    """Verify the signature of each command, and see that a changed one is refused."""
    rows = [json.loads(line) for line in lines(folder / "data" / "commands.jsonl")]
    for row in rows:
        envelope = Envelope.from_dict(row)
        envelope.verify(keys, 1)
        envelope.payload += b" "
        try:
            envelope.verify(keys, 1)
        except VerificationError:
            continue
        raise AssertionError(row)
    passed(
        "securesystemslib",
        "verifies each command as a DSSE envelope, and no changed one",
        len(rows),
    )


def lines(path: Path) -> Iterable[bytes]:
    """Return the lines of a file."""
    return path.read_bytes().splitlines()


def key(line: bytes) -> SSlibKey:
    """Return the key of a party: its id, and the key in base64."""
    name, material = line.decode().split()
    public = b64decode(material).hex()
    return SSlibKey(name, "ed25519", "ed25519", {"public": public})


if __name__ == "__main__":
    bundle = Path(sys.argv[1])
    party_keys = [key(line) for line in lines(Path(sys.argv[2]))]
    check_bag(bundle)
    check_commands(bundle, party_keys)
