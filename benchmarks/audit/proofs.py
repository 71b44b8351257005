"""How fast proofs are built and checked, beside the bare hashing in them, and their length."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any
from unittest.mock import patch

from benchmarks.rates import Rates
from infra.audit.log import Log
from infra.audit.notary import Seal
from infra.settings import OPERATOR
from infra.tlog import merkle
from infra.tlog.keys import Signer
from infra.tlog.merkle import leaf_hash, node_hash
from infra.tlog.notes import Checkpoint, tlog_proof

INCLUSION_BUILT = "inclusion proofs built from the store"
INCLUSION_CHECKED = "inclusion proofs checked"
CONSISTENCY_BUILT = "consistency proofs built from the store"
CONSISTENCY_CHECKED = "consistency proofs checked"
NAMES = (INCLUSION_BUILT, INCLUSION_CHECKED, CONSISTENCY_BUILT, CONSISTENCY_CHECKED)

LONGEST = 3 * 1024
"""Bytes that a proof should stay under, with its checkpoint and two cosignatures."""

_NODE = 65
"""Bytes that are hashed for an inner node: one, and the two hashes below."""


def plain(name: str) -> str:
    """Return the name of the plain limit beside a contender."""
    return f"plain SHA-256 of as many nodes as for {name}"


def measure(rates: Rates, held: Log, leaves: Sequence[bytes], count: int) -> None:
    """Build and check `count` proofs of each kind, at places of chance, in the log of these."""
    random, size = Random(1), len(leaves)
    indexes = [random.randrange(size) for _ in range(count)]
    olds = [random.randrange(1, size) for _ in range(count)]
    root, roots = held.root(size), [held.root(old) for old in olds]
    paths = [held.inclusion(index, size) for index in indexes]
    ways = [held.consistency(old, size) for old in olds]
    contenders: dict[str, Callable[[], object]] = {
        INCLUSION_BUILT: lambda: [held.inclusion(index, size) for index in indexes],
        INCLUSION_CHECKED: lambda: _hold(
            merkle.included(index, size, leaves[index], path, root)
            for index, path in zip(indexes, paths, strict=True)
        ),
        CONSISTENCY_BUILT: lambda: [held.consistency(old, size) for old in olds],
        CONSISTENCY_CHECKED: lambda: _hold(
            merkle.consistent(old, size, before, root, way)
            for old, before, way in zip(olds, roots, ways, strict=True)
        ),
    }
    for name, work in contenders.items():
        rates.time(name, work, lambda: count)
        nodes = [os.urandom(_NODE)] * _hashed(work)
        rates.time(plain(name), partial(_hash, nodes), lambda: count)


def _hash(nodes: Sequence[bytes]) -> None:
    for node in nodes:
        sha256(node).digest()


def _hold(proofs: Iterable[bool]) -> None:
    if not all(proofs):
        raise ValueError("a proof that was built does not hold")


def _hashed(work: Callable[[], object]) -> int:
    """Return how many inner nodes are hashed in it."""
    count = 0

    def counting(left: bytes, right: bytes) -> bytes:
        nonlocal count
        count += 1
        return node_hash(left, right)

    with patch("infra.tlog.merkle.node_hash", counting):
        work()
    return count


# --- how long they are ---------------------------------------------------------------------------


def length(size: int) -> dict[str, Any]:
    """Return how long the longest inclusion proof in a log of this size is, and how many hashes.

    It is written as it is handed out, with the checkpoint that it leads to and two cosignatures.
    """
    levels = _levels(size)
    # The last leaf of the perfect tree on the left is as deep as any, and its index is long.
    index = (1 << (size - 1).bit_length() - 1) - 1
    path = merkle.proof(merkle.inclusion_parts(index, size), lambda at: levels[at[0]][at[1]])
    frontier = [levels[level][number] for level, number in merkle.perfect(0, size)]
    root = merkle.root_of(frontier)
    _hold([merkle.included(index, size, levels[0][index], path, root)])
    return {"leaves": size, "hashes": len(path), "bytes": len(_written(index, size, path, root))}


def _levels(size: int) -> list[list[bytes]]:
    """Return the nodes of a tree, level by level from the leaves up."""
    levels = [[leaf_hash(number.to_bytes(8)) for number in range(size)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([node_hash(left, right) for left, right in pairs])
    return levels


def _written(index: int, size: int, path: Sequence[bytes], root: bytes) -> bytes:
    at = datetime(2026, 1, 31, 9, 0, 0, 1, tzinfo=UTC)
    origin = f"{OPERATOR}/partner-0000"
    note = Seal(OPERATOR, Signer.new(), None).sign(Checkpoint(origin, size, root), at)
    for witness in ("witness.initiator.example", "witness.partner.example"):
        note = note.cosigned(witness, Signer.new(), int(at.timestamp()))
    return tlog_proof(index, path, note).encode()
