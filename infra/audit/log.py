"""The verifiable log of one partnership: its events as the leaves of a Merkle tree.

The tree is built from what is stored, as far as it is needed: each body is hashed again and held
against the hash that was noted when it was recorded, so that nothing is signed over that was
altered meanwhile. Of the inner nodes only those over `TILE` leaves and more are saved; what is
below is computed from the leaf hashes when a proof asks for it.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Final

from infra.store.records import Growth, History, Stale, Trees
from infra.tlog import merkle
from infra.tlog.merkle import Node, Part, Tree, leaf_hash

LOWEST: Final = 8
"""The lowest level whose nodes are saved: one of 256 leaves."""

TILE: Final = 1 << LOWEST
"""Leaves below one saved node: so many hashes a proof reads at most on each of its ends."""

STEP: Final = 10_000
"""Events whose growth is saved together."""


class Altered(Exception):
    """What is stored is not what was recorded: which partnership, and the first bad index."""

    def __init__(self, partnership: str, index: int, what: str) -> None:
        super().__init__(
            f"{partnership}#{index} {what}. Nothing is signed over it; "
            "compare with a backup and with what the parties hold (accord verify, accord bundle)."
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
        """Build the tree up to the newest event; give it. Raises `Altered`.

        It costs what came since it was built last.
        """
        while True:
            try:
                return self._grown()
            except Stale:
                continue  # Another process built it meanwhile, so what it built is gone on from.

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
        """Give the leaf hashes of stored events, each made anew and as it was noted."""
        expected = start
        for index, body, leaf in self._history.entries(self.partnership, start, stop):
            if index != expected:
                break
            if leaf_hash(body) != leaf:
                raise Altered(self.partnership, index, "is not what was recorded")
            yield leaf
            expected += 1
        if expected < stop:
            raise Altered(self.partnership, expected, f"is missing: {stop} events were recorded")

    # --- proofs ---

    def at(self, size: int) -> Tree:
        """Give the tree of the first so many leaves, as far as they are in it."""
        node = self._node([(0, size)])
        return Tree(size, [node(each) for each in merkle.perfect(0, size)])

    def root(self, size: int) -> bytes:
        """Give the root of the first so many leaves."""
        return self.at(size).root()

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Give the proof that an event is in the tree of this size. Raises `ValueError`."""
        parts = merkle.inclusion_parts(index, size)
        return merkle.proof(parts, self._node(parts))

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Give the proof that the tree grew from `old` leaves; nothing of none, as C2SP has it."""
        if old in {0, size}:
            return []
        parts = merkle.consistency_parts(old, size)
        return merkle.proof(parts, self._node(parts))

    def _node(self, parts: Iterable[Part]) -> Callable[[Node], bytes]:
        """Give what finds the nodes of these parts: among those saved, else from the leaves."""
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
            tree = Tree()
            for leaf in self._history.leaves(self.partnership, start, start + (1 << level)):
                tree.add(leaf)
            return tree.root()

        return node
