"""Both verifiers, part by part: trees, signatures and JSON, against what was published."""

import json
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tests.audit.test_merkle import LEAVES, ROOTS, SIZES
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
  root: ([leaves, size, root]) =>
    new verifier.Tree(leaves.map(bytes)).isRoot(size, bytes(root).toString("base64")),
  signed: ([key, message, signature]) =>
    verifier.ed25519Verify(bytes(key), bytes(message), bytes(signature)),
  admitted: ([key]) => verifier.admitted(bytes(key)),
  json: ([text]) => {
    try { verifier.parse(bytes(text)); } catch { return false; }
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
        case "root", [leaves, size, root]:
            return bool(module.Tree(leaves).is_root(size, b64encode(root).decode()))
        case "signed", [key, message, signature]:
            return bool(module.ed25519_verify(key, message, signature))
        case "admitted", [key]:
            return bool(module.admitted(key))
        case _:
            try:
                module.parse(*case.given)
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


def test_both_compute_the_root_of_every_size(python: ModuleType) -> None:
    cases = [
        Case("root", [LEAVES[:SIZES], size, ROOTS[size]], right=True) for size in range(SIZES + 1)
    ]
    cases += [Case("root", [LEAVES[:SIZES], size, ROOTS[size - 1]], right=False) for size in (1, 7)]
    cases += [Case("root", [LEAVES[:5], 6, ROOTS[6]], right=False)]
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
