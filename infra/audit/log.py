"""The verifiable log of one partnership: its events as the leaves of a Merkle tree.

The tree is built from the stored events when it is needed. Each body is hashed again and compared
with the hash stored when it was recorded, so that nothing altered is signed. Only inner nodes over
`TILE` leaves or more are saved; a proof computes those below from the leaf hashes.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Final

from infra.store.errors import Stale
from infra.store.history import History
from infra.store.trees import Growth, Trees
from infra.tlog import merkle
from infra.tlog.merkle import Node, Part, Tree, leaf_hash

LOWEST: Final = 8
"""The lowest level whose nodes are saved: one of 256 leaves."""

TILE: Final = 1 << LOWEST
"""Leaves below one saved node: the most hashes that a proof reads at each of its ends."""

STEP: Final = 10_000
"""Events whose growth is saved together."""


class Altered(Exception):
    """A stored event is not the one that was recorded: its partnership and its index."""

    def __init__(self, partnership: str, index: int, what: str) -> None:
        super().__init__(
            f"{partnership}#{index} {what}. Nothing is signed over it; "
            "compare it with a backup and with the parties' bundles "
            "(accord audit verify, accord audit bundle)."
        )
        self.partnership = partnership
        self.index = index


class Log:
    """The log of one partnership in a store."""

    def __init__(self, history: History, trees: Trees, partnership: str) -> None:
        self._history = history
        self._trees = trees
        self.partnership = partnership

    def grow(self) -> Tree:
        """Build the tree up to the newest event and return it. Raises `Altered`.

        The cost grows with the events since it was built last.
        """
        while True:
            try:
                return self._grown()
            except Stale:
                continue  # Another process extended it, so go on from there.

    def _grown(self) -> Tree:
        tree = self._trees.tree(self.partnership)
        head = self._history.heads([self.partnership]).get(self.partnership)
        size = head.size if head else 0
        if size < tree.size:
            raise Altered(self.partnership, size, f"is missing: {tree.size} events were recorded")
        leaves = self._checked(tree.size, size)
        while some := list(islice(leaves, STEP)):
            before, nodes = tree.size, []
            for leaf in some:
                nodes += [each for each in tree.add(leaf) if each[0][0] >= LOWEST]
            self._trees.grow(
                self.partnership, Growth(before, tree.size, tuple(tree.frontier), nodes)
            )
        return tree

    def _checked(self, start: int, stop: int) -> Iterator[bytes]:
        """Return the leaf hashes of stored events, each computed anew and as stored."""
        expected = start
        for index, body, leaf in self._history.entries(self.partnership, start, stop):
            if index != expected:
                break
            if leaf_hash(body) != leaf:
                raise Altered(self.partnership, index, "differs from what was recorded")
            yield leaf
            expected += 1
        if expected < stop:
            raise Altered(self.partnership, expected, f"is missing: {stop} events were recorded")

    def check(self) -> None:
        """Hash every stored event anew; the cost grows with the whole log. Raises `Altered`."""
        tree = self.grow()
        if Tree.over(self._checked(0, tree.size)).root() != tree.root():
            raise Altered(
                self.partnership, tree.size - 1, "or an earlier event differs from what was signed"
            )

    # --- proofs ---

    def at(self, size: int) -> Tree:
        """Return the tree of the first `size` leaves, as far as they exist."""
        node = self._node([(0, size)])
        return Tree(size, [node(each) for each in merkle.perfect(0, size)])

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` leaves."""
        return self.at(size).root()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that an event is in the tree of this size. Raises `ValueError`."""
        parts = merkle.inclusion_parts(index, size)
        return merkle.proof(parts, self._node(parts))

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Return the proof that the tree grew from `old` leaves; it is empty for 0 (C2SP)."""
        if old in {0, size}:
            return []
        parts = merkle.consistency_parts(old, size)
        return merkle.proof(parts, self._node(parts))

    def _node(self, parts: Iterable[Part]) -> Callable[[Node], bytes]:
        """Return a function that finds the nodes of these parts: saved, or from the leaves."""
        whole = (each for part in parts for each in merkle.perfect(*part))
        saved = self._trees.nodes(self.partnership, [each for each in whole if each[0] >= LOWEST])

        @cache
        def node(at: Node) -> bytes:
            level, number = at
            if found := saved.get(at):
                return found
            if level > LOWEST:
                left, right = ((level - 1, 2 * number), (level - 1, 2 * number + 1))
                return merkle.node_hash(node(left), node(right))
            start = number << level
            stop = start + (1 << level)
            return Tree.over(self._history.leaves(self.partnership, start, stop)).root()

        return node
