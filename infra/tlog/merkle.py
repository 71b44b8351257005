"""The mathematics of a verifiable log: the Merkle tree of RFC 6962, section 2.1, and its proofs.

Pure: hashes in, hashes out. A tree is represented by its **frontier**: the roots of the perfect
subtrees that it consists of, the largest first. One more leaf changes it in O(log n). A node is
named by its level (0 for leaves) and its number there: ``(level, number)`` covers ``2**level``
leaves from ``number * 2**level`` on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

EMPTY = sha256().digest()
"""The root of the tree without leaves."""

_HASH = len(EMPTY)
"""Bytes of a hash."""

Node = tuple[int, int]
"""A level, and the place of a node in it."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: of a zero byte and the entry (RFC 6962, section 2.1)."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: of a byte of value one and both children."""
    return sha256(b"\1" + left + right).digest()


@dataclass(slots=True)
class Tree:
    """A tree as it grows: how many leaves it has, and its frontier."""

    size: int = 0
    frontier: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, size: int, frontier: bytes) -> Self:
        """Return the tree of this size whose frontier was saved as one run of hashes."""
        return cls(size, [frontier[at : at + _HASH] for at in range(0, len(frontier), _HASH)])

    @classmethod
    def over(cls, leaves: Iterable[bytes]) -> Self:
        """Return the tree of these leaves."""
        tree = cls()
        for leaf in leaves:
            tree.add(leaf)
        return tree

    def add(self, leaf: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf; return the inner nodes that it completes, from the lowest up."""
        made: list[tuple[Node, bytes]] = []
        number, level, node = self.size, 0, leaf
        while number & 1:
            node = node_hash(self.frontier.pop(), node)
            number >>= 1
            level += 1
            made.append(((level, number), node))
        self.frontier.append(node)
        self.size += 1
        return made

    def root(self) -> bytes:
        """Return the root over all leaves."""
        return root_of(self.frontier)


def root_of(frontier: Sequence[bytes]) -> bytes:
    """Return the root of the tree with this frontier."""
    if not frontier:
        return EMPTY
    *rest, root = frontier
    for each in reversed(rest):
        root = node_hash(each, root)
    return root


# --- the nodes of a proof ------------------------------------------------------------


def perfect(start: int, end: int) -> Iterator[Node]:
    """Return the perfect subtrees that cover the leaves from `start` to before `end`.

    `start` must be where a subtree of that length can begin.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _split(size: int) -> int:
    """Return the largest power of two below `size`: the number of leaves on the left."""
    return 1 << ((size - 1).bit_length() - 1)


Part = tuple[int, int]
"""The leaves from one index to, without, another."""


def inclusion_parts(index: int, size: int) -> list[Part]:
    """Return the parts of the tree whose roots prove a leaf, from its sibling up (2.1.1).

    Raises `ValueError` if the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    parts: list[Part] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
    return parts[::-1]


def consistency_parts(old: int, size: int) -> list[Part]:
    """Return the parts of the tree whose roots prove that it grew from `old` leaves (2.1.2).

    Raises `ValueError` unless 0 < old <= size.
    """
    if not 0 < old <= size:
        raise ValueError(f"a tree of {size} leaves cannot extend a tree of {old}")
    parts: list[Part] = []
    start, end, known = 0, size, True
    while old - start != end - start:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start, known = middle, False
    # The verifier knows the root of the old tree, unless the old tree is part of a larger subtree.
    return [*([] if known else [(start, end)]), *parts[::-1]]


def proof(parts: Iterable[Part], node: Callable[[Node], bytes]) -> list[bytes]:
    """Return the roots of these parts; `node` gives those of perfect subtrees."""
    return [root_of([node(each) for each in perfect(*part)]) for part in parts]


# --- checking ----------------------------------------------------------------------------------


def included(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that the tree of this root has this leaf (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _hashes(leaf, root, *path):
        return False
    sides = _sides(index, size - 1, len(path))
    found = leaf
    for each, left in zip(path, sides or (), strict=sides is not None):
        found = node_hash(each, found) if left else node_hash(found, each)
    return sides is not None and found == root


def consistent(old: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a proof shows that one tree grew into the other (RFC 9162, 2.1.4.2).

    An empty tree proves nothing, so the answer for `old` = 0 is always False.
    """
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_root == root
    # For a perfect old tree the proof leaves out its root, which is known.
    first, *rest = [old_root, *path] if old & (old - 1) == 0 else path or (b"",)
    if not _hashes(old_root, root, first, *rest):
        return False
    whole = (old & -old).bit_length() - 1
    sides = _sides((old - 1) >> whole, (size - 1) >> whole, len(rest))
    before = after = first
    for each, left in zip(rest, sides or (), strict=sides is not None):
        if left:
            before = node_hash(each, before)
        after = node_hash(each, after) if left else node_hash(after, each)
    return sides is not None and before == old_root and after == root


def _sides(at: int, last: int, length: int) -> list[bool] | None:
    """Return for each hash of a proof whether it is on the left; None if the length is wrong.

    The path goes from node `at` up to the root, in a level whose last node is `last`.
    """
    sides: list[bool] = []
    while last:
        left = bool(at & 1) or at == last
        sides.append(left)
        # A node without a sibling is also its own parent.
        while left and not at & 1 and at:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    return sides if len(sides) == length else None


def _hashes(*given: bytes) -> bool:
    return all(len(each) == len(EMPTY) for each in given)
