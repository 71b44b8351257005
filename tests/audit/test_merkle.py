"""The tree of RFC 6962: its proofs verify, nothing else does, published cases agree."""

import json
from base64 import b64decode
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.tlog import merkle
from infra.tlog.merkle import Tree

SIZES = 130
"""The sizes up to which every proof is tried."""

LEAVES = [merkle.leaf_hash(bytes([each])) for each in range(SIZES)]

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "merkle"


def grown() -> tuple[list[bytes], dict[merkle.Node, bytes]]:
    """The root at every size, and every perfect subtree of the largest one."""
    tree, roots = Tree(), [merkle.EMPTY]
    nodes = {(0, place): leaf for place, leaf in enumerate(LEAVES)}
    for leaf in LEAVES:
        nodes |= dict(tree.add(leaf))
        roots.append(tree.root())
    return roots, nodes


ROOTS, NODES = grown()


def naive(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 defines it, by recursion."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else merkle.EMPTY
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return merkle.node_hash(naive(leaves[:middle]), naive(leaves[middle:]))


def test_a_tree_that_grew_leaf_by_leaf_has_the_root_of_its_definition() -> None:
    assert [naive(LEAVES[:size]) for size in range(SIZES + 1)] == ROOTS


def test_every_leaf_is_proved_at_every_size_and_no_changed_proof_is_believed() -> None:
    for size in range(1, SIZES + 1):
        for index in range(size):
            path = merkle.proof(merkle.inclusion_parts(index, size), NODES.__getitem__)
            assert merkle.included(index, size, LEAVES[index], path, ROOTS[size])
            for changed in mutations(path):
                assert not merkle.included(index, size, LEAVES[index], changed, ROOTS[size])


def test_every_growth_is_proved_and_no_changed_proof_is_believed() -> None:
    for size in range(1, SIZES + 1):
        for old in range(1, size + 1):
            path = merkle.proof(merkle.consistency_parts(old, size), NODES.__getitem__)
            assert merkle.consistent(old, size, ROOTS[old], ROOTS[size], path)
            for changed in mutations(path):
                assert not merkle.consistent(old, size, ROOTS[old], ROOTS[size], changed)


def mutations(path: list[bytes]) -> list[list[bytes]]:
    """Each hash changed in a bit, left out, doubled or swapped with the next; one too many."""
    changed = [[*path, LEAVES[0]], [LEAVES[0], *path]]
    for place, each in enumerate(path):
        before, after = path[:place], path[place + 1 :]
        changed.append([*before, bytes([each[0] ^ 1]) + each[1:], *after])
        changed.append([*before, *after])
        changed.append([*before, each, each, *after])
    for place, (one, other) in enumerate(pairwise(path)):
        changed.append([*path[:place], other, one, *path[place + 2 :]])
    return changed


def test_from_no_leaves_nothing_is_proved() -> None:
    assert not merkle.consistent(0, 5, merkle.EMPTY, ROOTS[5], [])
    with pytest.raises(ValueError, match="cannot extend"):
        merkle.consistency_parts(0, 5)
    with pytest.raises(ValueError, match="has no leaf 5"):
        merkle.inclusion_parts(5, 5)


@given(st.integers(1, 10_000), st.data())
def test_a_proof_is_no_longer_than_the_tree_is_high(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert len(merkle.inclusion_parts(index, size)) <= size.bit_length()
    assert len(merkle.consistency_parts(old, size)) <= size.bit_length() + 1


# --- published cases -----------------------------------------------------------------------------

needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason=f"the published cases are not at {VECTORS}"
)


@needs_vectors
def test_the_published_cases_of_inclusion_agree() -> None:
    cases = [json.loads(each.read_text()) for each in sorted(VECTORS.glob("inclusion/**/*.json"))]
    for case in cases:
        path = [b64decode(each) for each in case["proof"] or ()]
        leaf, root = b64decode(case["leafHash"] or ""), b64decode(case["root"] or "")
        found = merkle.included(case["leafIdx"], case["treeSize"], leaf, path, root)
        assert found is not case["wantErr"], case["desc"]
    assert len(cases) == 98


@needs_vectors
def test_the_published_cases_of_consistency_agree() -> None:
    cases = [json.loads(each.read_text()) for each in sorted(VECTORS.glob("consistency/**/*.json"))]
    for case in cases:
        path = [b64decode(each) for each in case["proof"] or ()]
        old_root, root = b64decode(case["root1"] or ""), b64decode(case["root2"] or "")
        found = merkle.consistent(case["size1"], case["size2"], old_root, root, path)
        # From nothing nothing can be shown, whatever a case says of it.
        wanted = not case["wantErr"] and case["size1"] > 0
        assert found is wanted, case["desc"]
    assert len(cases) == 98
