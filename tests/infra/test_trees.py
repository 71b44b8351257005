"""The trees of the logs, and what is kept beside them, in both stores."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from infra.bootstrap import open_store
from infra.settings import Settings
from infra.store.errors import Stale
from infra.store.history import History, Kept, Writes
from infra.store.trees import Growth, Trees
from infra.tlog.codec import encode
from infra.tlog.merkle import Tree, leaf_hash
from tests.infra.noted import noted


@pytest.fixture
def trees(address: str) -> Iterator[Trees]:
    history, _, trees = open_store(Settings(store=address))
    with closing(history):
        yield trees


def grown(size: int) -> Growth:
    tree, nodes = Tree(), []
    for each in range(size):
        nodes += tree.add(leaf_hash(bytes([each])))
    return Growth(0, size, tree.frontier, nodes)


def test_a_tree_that_was_not_begun_is_empty(trees: Trees) -> None:
    assert trees.tree("acme") == Tree()
    assert trees.nodes("acme", [(1, 0)]) == {}
    assert trees.checkpoints("acme") == []


def test_a_tree_is_as_it_was_saved_with_all_its_nodes(trees: Trees) -> None:
    growth = grown(7)
    trees.grow("acme", growth)
    assert trees.tree("acme") == Tree(7, list(growth.frontier))
    nodes = dict(growth.nodes)
    found = trees.nodes("acme", [(1, 0), (2, 0), (1, 3), (5, 5)])
    assert found == {node: nodes[node] for node in ((1, 0), (2, 0))}
    assert trees.tree("another") == Tree()


def test_the_second_of_two_writers_of_a_tree_gets_stale(trees: Trees) -> None:
    with pytest.raises(Stale):
        trees.grow("acme", Growth(1, 2, grown(2).frontier))
    trees.grow("acme", grown(2))
    with pytest.raises(Stale):
        trees.grow("acme", grown(3))
    trees.grow("acme", Growth(2, 3, grown(3).frontier))
    assert trees.tree("acme").size == 3


def test_checkpoints_come_by_size_and_a_cosigned_one_takes_its_place(trees: Trees) -> None:
    for size, note in ((12, "b"), (3, "a"), (12, "b, cosigned")):
        trees.keep("acme", size, note)
    trees.keep("another", 5, "c")
    assert trees.checkpoints("acme") == ["a", "b, cosigned"]
    assert trees.sizes(["acme", "another", "none"]) == {"acme": 12, "another": 5}


def test_each_event_is_stored_with_the_hash_of_its_bytes(store: History) -> None:
    events = store.append([noted("acme", version) for version in (1, 2, 3)])
    hashes = [leaf_hash(encode(each)) for each in events]
    assert list(store.leaves("acme")) == hashes
    assert list(store.leaves("acme", 1, 2)) == hashes[1:2]


def test_what_is_kept_is_found_until_it_is_forgotten(store: History) -> None:
    one, other = (Kept("person", "acme", each, each.encode()) for each in ("k1", "k2"))
    store.append([], Writes(kept=[one, other]))
    store.append([], Writes(kept=[Kept("person", "acme", "k1", b"another")]))
    assert store.kept("person", "acme") == {"k1": b"k1", "k2": b"k2"}
    assert store.kept("command", "acme") == {}
    assert store.kept("person", "another") == {}
    assert store.kept("person", "acme", ["k1", "unknown"]).keys() == {"k1"}
    assert store.kept("person", "acme", []) == {}
    store.forget("person", "acme", ["k1", "unknown"])
    assert store.kept("person", "acme") == {"k2": b"k2"}
