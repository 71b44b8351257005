"""Timestamps by an external authority: RFC 3161 tokens over the text of a checkpoint.

A token proves that a checkpoint existed at its time.
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
        response = decode_timestamp_response(answer)
        verifier.verify_message(response, note_text.encode())
        return response.tst_info.gen_time.astimezone(UTC)
    except (VerificationError, ValueError) as error:
        raise NoTimestamp(f"The timestamp is invalid: {error}.") from None
