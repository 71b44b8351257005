"""A small log for tests: it grows, signs what it has come to, and proves how it grew."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from infra.audit.witness import Witness, WitnessFile
from infra.http.server import address, configured, names
from infra.http.witness import create_app
from infra.running.listening import listening
from infra.tlog import merkle
from infra.tlog.keys import Signer
from infra.tlog.merkle import Tree
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier

OPERATOR = Signer(b"o" * 32)
NAME = "accord.example"
ORIGIN = f"{NAME}/acme"
LOG = Verifier(ORIGIN, Kind.NOTE, OPERATOR.public)
AT = 1_700_000_000


@dataclass
class Log:
    """Leaves, and what can be said of them."""

    entries: list[bytes] = field(default_factory=list)
    origin: str = ORIGIN
    signer: Signer = OPERATOR

    def grow(self, *entries: bytes) -> Note:
        """Take more leaves; give the checkpoint."""
        self.entries.extend(entries)
        return self.checkpoint()

    def checkpoint(self, size: int | None = None) -> Note:
        leaves = self.entries[:size]
        tree, _ = self._tree(len(leaves))
        text = Checkpoint(self.origin, len(leaves), tree.root()).text
        return Note(text).signed(self.origin, self.signer)

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the log grew from `old` leaves."""
        size = len(self.entries) if size is None else size
        if not 0 < old <= size:
            return []
        _, nodes = self._tree(size)
        return merkle.proof(merkle.consistency_parts(old, size), nodes.__getitem__)

    def _tree(self, size: int) -> tuple[Tree, dict[merkle.Node, bytes]]:
        tree, nodes = Tree(), dict[merkle.Node, bytes]()
        for place, entry in enumerate(self.entries[:size]):
            leaf = merkle.leaf_hash(entry)
            nodes |= {(0, place): leaf} | dict(tree.add(leaf))
        return tree, nodes


@contextmanager
def serving(witness: Witness, state: Path) -> Iterator[str]:
    """Run a witness; give its address."""
    with listening("127.0.0.1", 0) as sock:
        app = create_app(witness, WitnessFile(state), names("127.0.0.1"))
        server = uvicorn.Server(configured(app))
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield address(sock)
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
