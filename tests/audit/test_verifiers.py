"""Both verifiers, part by part: trees, signatures and JSON, against what was published."""

import json
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from infra.tlog import merkle
from tests.audit.test_merkle import LEAVES, NODES, ROOTS, SIZES, mutations
from tests.audit.world import NODE, VERIFIERS, imported

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"

pytestmark = pytest.mark.needs("node")

needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason=f"the published cases are not at {VECTORS}"
)

HARNESS = """
import { createInterface } from "node:readline";
const verifier = await import(process.argv[1]);
const bytes = (text) => Buffer.from(text, "hex");
const ask = {
  included: ([index, size, leaf, path, root]) =>
    verifier.verifyInclusion(bytes(leaf), index, size, path.map(bytes), bytes(root)),
  consistent: ([old, size, oldRoot, root, path]) =>
    verifier.verifyConsistency(old, size, path.map(bytes), bytes(oldRoot), bytes(root)),
  signed: ([key, message, signature]) =>
    verifier.ed25519Verify(bytes(key), bytes(message), bytes(signature)),
  admitted: ([key]) => verifier.admitted(bytes(key)),
  json: ([text]) => {
    try { verifier.canonicalJson(bytes(text)); } catch { return false; }
    return true;
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  process.stdout.write(`${Number(Boolean(ask[name](given)))}\\n`);
}
"""


class Case(NamedTuple):
    """What is asked of a verifier, and the right answer."""

    name: str
    given: list[Any]
    right: bool


def hexed(value: Any) -> Any:  # noqa: ANN401 - bytes, lists of them, numbers
    if isinstance(value, bytes):
        return value.hex()
    return [hexed(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def python() -> ModuleType:
    return imported()


def of_python(module: ModuleType, case: Case) -> bool:
    match case.name, case.given:
        case "included", [index, size, leaf, path, root]:
            return bool(module.verify_inclusion(leaf, index, size, path, root))
        case "consistent", [old, size, old_root, root, path]:
            return bool(module.verify_consistency(old, size, path, old_root, root))
        case "signed", [key, message, signature]:
            return bool(module.ed25519_verify(key, message, signature))
        case "admitted", [key]:
            return bool(module.admitted(key))
        case _:
            try:
                module.parse(*(each.decode() for each in case.given))
            except ValueError:
                return False
            return True


def answered(module: ModuleType, cases: list[Case]) -> None:
    """Ask both verifiers; both must give the right answer to every case."""
    asked = "".join(json.dumps([each.name, *map(hexed, each.given)]) + "\n" for each in cases)
    done = subprocess.run(
        [NODE or "node", "--input-type=module", "-e", HARNESS, (VERIFIERS / "verify.mjs").as_uri()],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = [each == "1" for each in done.stdout.split()]
    assert len(theirs) == len(cases)
    for case, other in zip(cases, theirs, strict=True):
        assert other is case.right, ("verify.mjs", case)
        assert of_python(module, case) is case.right, ("verify.py", case)


# --- trees ---------------------------------------------------------------------------------------


def inclusions() -> Iterator[Case]:
    for size in range(1, SIZES + 1):
        for index in range(size):
            path = merkle.proof(merkle.inclusion_parts(index, size), NODES.__getitem__)
            told = [index, size, LEAVES[index]]
            yield Case("included", [*told, path, ROOTS[size]], right=True)
            for place in range(len(path)):
                yield Case("included", [*told, flipped(path, place), ROOTS[size]], right=False)


def consistencies() -> Iterator[Case]:
    for size in range(1, SIZES + 1):
        for old in range(1, size + 1):
            path = merkle.proof(merkle.consistency_parts(old, size), NODES.__getitem__)
            told = [old, size, ROOTS[old], ROOTS[size]]
            yield Case("consistent", [*told, path], right=True)
            for place in range(len(path)):
                yield Case("consistent", [*told, flipped(path, place)], right=False)


def flipped(path: list[bytes], place: int) -> list[bytes]:
    """Return a proof with one bit of one hash changed, another bit in each."""
    bit = 1 << (place % 8)
    changed = path[place][:-1] + bytes([path[place][-1] ^ bit])
    return [*path[:place], changed, *path[place + 1 :]]


def test_every_proof_verifies_and_no_hash_of_any_can_be_another(python: ModuleType) -> None:
    cases = [*inclusions(), *consistencies()]
    assert sum(each.right for each in cases) == SIZES * (SIZES + 1)
    answered(python, cases)


def test_a_proof_with_more_or_less_than_it_needs_is_refused(python: ModuleType) -> None:
    cases = []
    for size in (1, 2, 7, 64, 129):
        for index in range(0, size, max(1, size // 5)):
            path = merkle.proof(merkle.inclusion_parts(index, size), NODES.__getitem__)
            given = [[index, size, LEAVES[index], each, ROOTS[size]] for each in mutations(path)]
            cases += [Case("included", each, right=False) for each in given]
    answered(python, cases)


@needs_vectors
def test_the_published_cases_of_trees_agree(python: ModuleType) -> None:
    cases = []
    for path in sorted(VECTORS.glob("merkle/*/**/*.json")):
        case = json.loads(path.read_text())
        proof = [b64decode(each) for each in case["proof"] or ()]
        roots = [b64decode(case.get(name) or "") for name in ("root1", "root2", "root", "leafHash")]
        if "size1" in case:
            right = not case["wantErr"] and case["size1"] > 0
            given = [case["size1"], case["size2"], *roots[:2], proof]
            cases.append(Case("consistent", given, right))
        else:
            given = [case["leafIdx"], case["treeSize"], roots[3], proof, roots[2]]
            cases.append(Case("included", given, not case["wantErr"]))
    assert len(cases) == 196
    answered(python, cases)


# --- signatures ----------------------------------------------------------------------------------


@needs_vectors
def test_the_published_cases_of_signatures_agree(python: ModuleType) -> None:
    found = json.loads((VECTORS / "ed25519" / "wycheproof_ed25519_test.json").read_text())
    cases = [
        Case(
            "signed",
            [bytes.fromhex(each) for each in (group["publicKey"]["pk"], case["msg"], case["sig"])],
            case["result"] == "valid",
        )
        for group in found["testGroups"]
        for case in group["tests"]
    ]
    assert len(cases) == 151
    answered(python, cases)


SMALL = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
"""The points of small order (RFC 7748's cofactor is 8), and texts that are no point's one form."""


def test_no_weak_key_is_admitted(python: ModuleType) -> None:
    good = sha256(b"a key").digest()
    from infra.tlog.keys import Signer  # noqa: PLC0415 - only to have a key that is one

    cases = [Case("admitted", [bytes.fromhex(each)], right=False) for each in SMALL]
    cases += [Case("admitted", [Signer(good).public], right=True)]
    cases += [Case("admitted", [each], right=False) for each in (b"", good[:31], bytes(33))]
    answered(python, cases)


# --- JSON ----------------------------------------------------------------------------------------

STRICT = {
    b"{}": True,
    b'{"a":1,"b":[null,true,"x"]}': True,
    b'{"a":1,"a":2}': False,
    b"{} {}": False,
    b"[1,]": False,
    b"1.0": False,
    b"1e2": False,
    b"-0": False,
    b"9007199254740991": True,
    b"9007199254740992": False,
    b'"\\ud800"': False,
    b'"\xed\xa0\x80"': False,
    b'{"\xc3\xa9":1}': False,
    b'"\xc3\xa9"': True,
    b"\xef\xbb\xbf{}": False,
    b"[" * 64 + b"]" * 64: True,
    b"[" * 65 + b"]" * 65: False,
    b"NaN": False,
    b"": False,
    b"'a'": False,
}


def test_json_is_read_strictly_and_alike(python: ModuleType) -> None:
    answered(python, [Case("json", [text], right) for text, right in STRICT.items()])
