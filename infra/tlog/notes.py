"""Signed notes, checkpoints and cosignatures, as C2SP has them.

A note is a text, an empty line and signature lines. The text of a checkpoint has the log's origin,
its number of leaves and its root. Its time is in a cosignature, by the log's own key.
"""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from hashlib import sha256
from typing import Self

from infra.tlog import codec, keys
from infra.tlog.keys import Signer, decoded

LARGEST = 64 * 1024
"""The most bytes of a note."""

MOST_SIGNATURES = 64
_DASH = "\N{EM DASH} "
_LATEST = 253_402_300_799
"""The last second of the year 9999; later cosignatures are not valid."""
_ID = 4
_STAMP = 8


class Malformed(ValueError):
    """A text that is not a note, a checkpoint or a verifier key, and why."""


class Kind(IntEnum):
    """What a key signs (the signature types of `signed-note`)."""

    NOTE = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with a name, for one kind of signature; its text is a verifier key."""

    name: str
    kind: Kind
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that identify a key in signature lines."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(named).digest()[:_ID]

    def __str__(self) -> str:
        material = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a verifier key. Raises `Malformed`, also for a weak key."""
        parts = text.split("+", 2)
        material = decoded(parts[-1])
        if len(parts) != 3 or len(material) != 1 + keys.PUBLIC:  # noqa: PLR2004 - name, id, key
            raise Malformed(f"{text!r} is not a verifier key (name+id+key).")
        if material[0] not in tuple(Kind) or not keys.admitted(material[1:]):
            raise Malformed(f"{text!r} has a weak key, or one of an unknown kind.")
        found = cls(checked_name(parts[0]), Kind(material[0]), material[1:])
        if found.key_id.hex() != parts[1]:
            raise Malformed(f"{text!r} has an id that does not match its name and key.")
        return found


def checked_name(name: str) -> str:
    """Return a key's name. Raises `Malformed` if it has a space or a plus."""
    if not name or "+" in name or any(each.isspace() or each < " " for each in name):
        raise Malformed(f"{name!r} is not a key name: it is empty, or has a space or a plus.")
    return name


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line: the key's name and id, and the signature with its kind's prefix."""

    name: str
    key_id: bytes
    blob: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.blob).decode()}\n"

    @property
    def stamp(self) -> int:
        """The POSIX time of a cosignature."""
        return int.from_bytes(self.blob[:_STAMP])

    def of(self, verifier: Verifier) -> bool:
        """Whether it claims to be by this key."""
        return self.name == verifier.name and self.key_id == verifier.key_id


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    @classmethod
    def read(cls, raw: str) -> Self:
        """Read a signed note. Raises `Malformed`."""
        if len(raw.encode(errors="replace")) > LARGEST:
            raise Malformed(f"The note has more than {LARGEST} bytes.")
        text, empty, lines = raw.rpartition("\n\n")
        if not empty or not lines.endswith("\n"):
            raise Malformed("The note has no empty line followed by signature lines.")
        if any(each < " " and each != "\n" for each in raw):
            raise Malformed("The note has control characters.")
        found = tuple(map(_signature, lines.removesuffix("\n").split("\n")))
        if len(found) > MOST_SIGNATURES:
            raise Malformed(f"The note has more than {MOST_SIGNATURES} signatures.")
        return cls(f"{text}\n", found)

    def by(self, verifier: Verifier) -> Signature | None:
        """Return the valid signature by this key, if there is one."""
        return next((each for each in self.signatures if self._right(each, verifier)), None)

    def _right(self, signature: Signature, verifier: Verifier) -> bool:
        if not signature.of(verifier):
            return False
        match verifier.kind:
            case Kind.NOTE:
                return keys.verified(verifier.public, self.text.encode(), signature.blob)
            case Kind.COSIGNATURE:
                at, signed = signature.stamp, signature.blob[_STAMP:]
                message = _cosigned(self.text, at)
                return 0 < at <= _LATEST and keys.verified(verifier.public, message, signed)

    def time_by(self, cosigner: Verifier) -> datetime | None:
        """Return the time of the valid cosignature by this key, if there is one."""
        found = self.by(cosigner)
        return None if found is None else datetime.fromtimestamp(found.stamp, UTC)

    def signed(self, name: str, signer: Signer) -> Self:
        """Return this note with a signature added."""
        verifier = Verifier(checked_name(name), Kind.NOTE, signer.public)
        return self._with(verifier, signer.sign(self.text.encode()))

    def cosigned(self, name: str, signer: Signer, at: int) -> Self:
        """Return this note with a cosignature added; `at` is a POSIX time."""
        verifier = Verifier(checked_name(name), Kind.COSIGNATURE, signer.public)
        stamp = at.to_bytes(_STAMP)
        return self._with(verifier, stamp + signer.sign(_cosigned(self.text, at)))

    def _with(self, verifier: Verifier, blob: bytes) -> Self:
        added = Signature(verifier.name, verifier.key_id, blob)
        return replace(self, signatures=(*self.signatures, added))

    def joined(self, others: Iterable[Signature]) -> Self:
        """Return this note with more signatures; existing ones are not repeated."""
        new = dict.fromkeys(each for each in others if each not in self.signatures)
        return replace(self, signatures=(*self.signatures, *new))


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    blob = decoded(encoded)
    if not line.startswith(_DASH) or len(blob) <= _ID:
        raise Malformed(f"{line!r} is not a signature line.")
    return Signature(checked_name(name), blob[:_ID], blob[_ID:])


def signatures(lines: str) -> list[Signature]:
    """Read the signature lines that a witness answers with. Raises `Malformed`."""
    return [_signature(each) for each in lines.splitlines()]


# --- checkpoints -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its origin, the number of leaves, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the text of a checkpoint; extension lines are ignored. Raises `Malformed`."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:  # noqa: PLR2004 - three lines, and nothing behind the last
            raise Malformed("A checkpoint has three lines: origin, size and root.")
        origin, size, root, *more = lines[:-1]
        leaves = read_size(size)
        if not origin or len(hashed := decoded(root)) != sha256().digest_size or "" in more:
            raise Malformed("The origin or an extension is empty, or the root is not a hash.")
        return cls(origin, leaves, hashed)


def read_size(text: str) -> int:
    """Read the size of a log in decimal, up to the largest integer that JSON keeps exact.

    Raises `Malformed`.
    """
    # The length is checked first, because Python refuses to read thousands of digits.
    short = text.isascii() and text.isdigit() and len(text) <= len(str(codec.LARGEST_INTEGER))
    if not short or str(int(text)) != text or int(text) > codec.LARGEST_INTEGER:
        raise Malformed(f"{text[:20]!r} is not the size of a log.")
    return int(text)


def read_proof(lines: Iterable[str]) -> list[bytes]:
    """Read the hashes of a proof, one to a line in base64. Raises `Malformed`."""
    found = [decoded(each) for each in lines]
    if any(len(each) != sha256().digest_size for each in found):
        raise Malformed("A line of the proof is not a SHA-256 hash in base64.")
    return found


def written_proof(path: Iterable[bytes]) -> list[str]:
    """Return the hashes of a proof in base64."""
    return [b64encode(each).decode() for each in path]


_PROOF = "c2sp.org/tlog-proof@v1"


def tlog_proof(index: int, path: Iterable[bytes], note: Note) -> str:
    """Return a complete proof: index, hashes and checkpoint (C2SP `tlog-proof`)."""
    return "\n".join([_PROOF, f"index {index}", *written_proof(path), "", str(note)])
