"""Ed25519 keys (RFC 8032): signing keys, and the check of public keys."""

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from pathlib import Path
from typing import Self

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import SigningKey, VerifyKey

from infra.files import opened_for_owner

PUBLIC, SIGNATURE = 32, 64
"""Bytes of a public key and of a signature."""

_FIELD = 2**255 - 19
_WRITTEN = "accord-key:"
"""The prefix of a key file, so that it is not mistaken for another file."""


class NoKey(ValueError):
    """A key, or a key file, that cannot be used: what is wrong, and a hint."""


class Signer:
    """A private key. Only `save` writes it, to a file that only its owner can read."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.public = bytes(self._key.verify_key)
        """The public key, 32 bytes."""

    @classmethod
    def new(cls) -> Self:
        """Generate a random key."""
        return cls(bytes(SigningKey.generate()))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key in a file that `save` wrote. Raises `NoKey`."""
        try:
            text = path.read_text(errors="replace").strip()
        except OSError as error:
            raise NoKey(
                f"The key file {path} cannot be read: {error.strerror}. "
                "Check its path and permissions, or make a key with accord keygen."
            ) from None
        seed = decoded(text.removeprefix(_WRITTEN))
        if not text.startswith(_WRITTEN) or len(seed) != PUBLIC:
            fault = "contains no key" if text else "is empty"
            raise NoKey(
                f"The key file {path} {fault}. Restore it from a backup, "
                "or remove it and make a new key with accord keygen."
            )
        return cls(seed)

    def save(self, path: Path) -> None:
        """Write the key to a new file that only its owner can read. Raises `FileExistsError`."""
        with opened_for_owner(path, "xb") as file:
            file.write(f"{_WRITTEN}{b64encode(bytes(self._key)).decode()}\n".encode())

    def sign(self, message: bytes) -> bytes:
        """Return the signature over a message, 64 bytes."""
        return self._key.sign(message).signature


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is valid (RFC 8032, section 5.1.7, without cofactor)."""
    try:
        VerifyKey(public).verify(message, signature)
    except (BadSignatureError, CryptoError, ValueError, TypeError):
        return False
    return True


def admitted(public: bytes) -> bool:
    """Whether a public key is acceptable: a point of the main group, in canonical form.

    With a point of small order, one signature would be valid for every message.
    """
    if len(public) != PUBLIC or int.from_bytes(public, "little") % 2**255 >= _FIELD:
        return False
    return crypto_core_ed25519_is_valid_point(public)


def possession(partnership: str, party: str, public: bytes) -> bytes:
    """Return the message that a key signs to prove that the party registering it holds it."""
    return f"accord/key@v1\n{partnership}\n{party}\n{b64encode(public).decode()}\n".encode()


def read_public(text: str) -> bytes:
    """Read a public key in base64. Raises `NoKey` unless it is acceptable (see `admitted`)."""
    public = decoded(text)
    if len(public) != PUBLIC:
        raise NoKey(f"{text!r} is not an Ed25519 key of 32 bytes in base64.")
    if not admitted(public):
        raise NoKey(f"{text!r} is a weak key: one signature would be valid for every message.")
    return public


def decoded(text: str) -> bytes:
    """Return the bytes of canonical base64; no bytes for any other text."""
    try:
        found = b64decode(text, validate=True)
    except (NoBase64, ValueError):
        return b""
    return found if b64encode(found).decode() == text else b""
