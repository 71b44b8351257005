"""HTTP requests to witnesses, timestamp authorities, and other servers of Accord."""

from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

LARGEST = 64 * 1024
"""The most bytes of an answer that are read. A valid answer is shorter."""


class NotReached(Exception):
    """A server did not answer: its address, and the reason."""


def post(
    url: str, body: bytes, media_type: str, timeout: float, bearer: str | None = None
) -> tuple[int, bytes]:
    """Return the status and the body of the answer to a POST; `timeout` in seconds, for each wait.

    `bearer` is the key, the token or the invitation to send.

    An answer can have any status. Raises `NotReached` if there is none.
    """
    if not url.startswith(("https://", "http://")):
        raise NotReached(f"{url!r} is not a URL; write https:// and a host.")
    headers = {"Content-Type": media_type}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    try:
        return _answer(Request(url, body, headers), timeout)  # noqa: S310 - checked above
    except (OSError, HTTPException, ValueError) as error:
        raise NotReached(f"{url} did not answer: {error}.") from None


def _answer(asked: Request, timeout: float) -> tuple[int, bytes]:
    try:
        with urlopen(asked, timeout=timeout) as answer:  # noqa: S310 - checked before
            return answer.status, answer.read(LARGEST)
    except HTTPError as error:
        # An error status is also an answer.
        with error:
            return error.code, error.read(LARGEST)
