"""The `Trees` of a store: what proofs are computed from, and the checkpoints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.tlog.merkle import Node, Tree


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a partnership's Merkle tree: its size before and after, and new nodes.

    `frontier` is that of `infra.tlog.merkle.Tree`; proofs are computed from `nodes`.
    """

    before: int
    size: int
    frontier: Sequence[bytes]
    nodes: Sequence[tuple[Node, bytes]] = ()


class Trees(Protocol):
    """The Merkle trees of all partnerships' logs, as far as they are built, and checkpoints."""

    def tree(self, partnership: str) -> Tree:
        """Return the tree as far as it is built; at first it is empty."""

    def grow(self, partnership: str, growth: Growth) -> None:
        """Save how a tree grew. Raises `Stale`, with nothing written, if it has another size."""

    def nodes(self, partnership: str, wanted: Iterable[Node]) -> dict[Node, bytes]:
        """Return those of these nodes that are saved."""

    def checkpoints(self, partnership: str) -> list[str]:
        """Return the signed notes of a partnership, by size."""

    def sizes(self, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the size of the latest checkpoint of each of these that has one."""

    def keep(self, partnership: str, size: int, note: str) -> None:
        """Save a checkpoint's note. A cosigned note replaces an earlier one of the same size."""
