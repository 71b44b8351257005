"""Failed attempts to guess an API key, limited for each remote address."""

from collections import OrderedDict
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from threading import Lock
from typing import Final, NamedTuple

MOST: Final = 20
"""Failed attempts of one address in a window. A person who mistypes a key needs a few."""

WINDOW: Final = 60.0
"""Seconds from the first failed attempt until an address may try again."""

REMEMBERED: Final = 10_000
"""Addresses that are counted, and keys that are known to be valid; a megabyte or two of each."""


class _Failures(NamedTuple):
    """The failed attempts of an address in its window."""

    times: int
    since: float


class FailedAttempts:
    """Counts the failed attempts of each address; `now` is a monotonic time in seconds.

    A blocked address can still use the keys with which this process let it or others in before, so
    a guesser does not stop those that share its address, behind a proxy or a router.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str, key: str, now: float) -> float:
        """Return for how many seconds an address may not try this key; 0 if it may."""
        with self._lock:
            found = self._failures.get(_network(address))
            if found is None or found.times < MOST or _hash(key) in self._known:
                return 0.0
            return max(0.0, found.since + WINDOW - now)

    def failed(self, address: str, now: float) -> None:
        """Count a failed attempt."""
        network = _network(address)
        with self._lock:
            before = self._failures.pop(network, None)
            if before is None or now >= before.since + WINDOW:
                before = _Failures(0, now)
            self._failures[network] = before._replace(times=before.times + 1)
            if len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Remember that a key is valid, by its hash."""
        hashed = _hash(key)
        with self._lock:
            self._known[hashed] = None
            self._known.move_to_end(hashed)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _network(address: str) -> str:
    """Return what is counted together: an address, or the network of 64 bits of an IPv6 one.

    Whoever has one IPv6 address usually has its whole network. A server that listens on IPv6 sees
    an IPv4 address as one of ``::ffff:0:0/96`` (RFC 4291, section 2.5.5.2), where all have one.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or int(found) >> 64)
