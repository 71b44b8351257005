"""Timestamps by an external authority: RFC 3161 tokens over the text of a checkpoint.

A token proves that a checkpoint existed at its time. It may contain several certificates, from the
authority's own up to below a root.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from infra.audit.http_client import NotReached, post

PATIENCE = 10.0
"""Seconds to wait for an authority."""


class NoTimestamp(ValueError):
    """An answer that does not prove the time of a text; the message says why."""


def request(note_text: str) -> bytes:
    """Return the request for a token over the SHA-256 of a note's text, certificates with it.

    It has no nonce, because an earlier answer for the same text is as good.
    """
    return (
        TimestampRequestBuilder()
        .data(note_text.encode())
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=False)
        .cert_request(cert_request=True)
        .build()
        .as_bytes()
    )


def fetch(url: str, asked: bytes, timeout: float = PATIENCE) -> bytes:
    """Return an authority's answer to a request (RFC 3161, section 3.4). Raises `NotReached`."""
    status, answer = post(url, asked, "application/timestamp-query", timeout)
    if status != HTTPStatus.OK:
        raise NotReached(f"{url} answered {status}.")
    return answer


def roots(pem: bytes) -> list[Certificate]:
    """Read the certificates of authorities that are trusted. Raises `NoTimestamp`."""
    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise NoTimestamp(f"The roots are not PEM certificates: {error}.") from None


def verify(answer: bytes, note_text: str, trusted: Iterable[Certificate]) -> datetime:
    """Return when an authority under a trusted root saw a note's text. Raises `NoTimestamp`.

    Certificates must have been valid at that time, not now.
    """
    verifier = VerifierBuilder(roots=list(trusted)).build()
    try:
        response = decode_timestamp_response(_sorted(answer))
        verifier.verify_message(response, note_text.encode())
        return response.tst_info.gen_time.astimezone(UTC)
    except (VerificationError, ValueError) as error:
        raise NoTimestamp(f"The timestamp is invalid: {error}.") from None


# --- DER ----------------------------------------------------------------------------------------

_CERTIFICATES = 0xA0
"""The tag of the certificates in signed data (RFC 5652, section 5.1)."""


def _sorted(answer: bytes) -> bytes:
    """Return an answer whose certificates have the order that DER asks of a set.

    Authorities that run OpenSSL write the signer's own first. No signature covers the order. Raises
    `ValueError` if it is not an answer with a token.
    """
    status, token = _parts(answer)
    kind, wrapped = _parts(token)
    (signed,) = _parts(wrapped)
    members = [
        _element(each[:1], sorted(_parts(each))) if each[0] == _CERTIFICATES else each
        for each in _parts(signed)
    ]
    wrapped = _element(wrapped[:1], [_element(signed[:1], members)])
    return _element(answer[:1], [status, _element(token[:1], [kind, wrapped])])


def _parts(element: bytes) -> list[bytes]:
    """Return the elements in a constructed element. Raises `ValueError`."""
    start, end = _bounds(element, 0)
    parts = list[bytes]()
    # A length that the answer only claims is never counted up to.
    while start < end == len(element):
        _, after = _bounds(element, start)
        parts.append(element[start:after])
        start = after
    if start != end:
        raise ValueError("an element of the answer has another length than it says")
    return parts


def _bounds(raw: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at an offset begins and ends."""
    length, start = (*raw[at + 1 : at + 2], at + 2) if len(raw) > at + 1 else (0, at + 2)
    if length & _LONG:
        start += length & ~_LONG
        length = int.from_bytes(raw[at + 2 : start])
    return start, start + length


_LONG = 0x80
"""The bit of a length that is written in more than one byte."""


def _element(tag: bytes, parts: Iterable[bytes]) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < _LONG:
        return tag + bytes([size]) + content
    written = size.to_bytes((size.bit_length() + 7) // 8)
    return tag + bytes([_LONG | len(written)]) + written + content
