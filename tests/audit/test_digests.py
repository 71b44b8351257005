"""docs/digests.md, which publishes the SHA-256 of the verifiers: `make digests` writes it."""

import re
import subprocess
import tomllib
from hashlib import sha256

import pytest

from tests.audit.world import VERIFIERS, imported
from tests.documents import REPOSITORY

PAGE = REPOSITORY / "docs" / "digests.md"
NAMES = ("verify.py", "verify.mjs", "rules.json")


def version() -> str:
    """Return the version that this is."""
    found: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    return found


def page() -> str:
    """Return the page, from the files."""
    digests = {name: sha256((VERIFIERS / name).read_bytes()).hexdigest() for name in NAMES}
    pins = "\n".join(f"verifier {digest} {name}" for name, digest in digests.items())
    return f"""# Digests of the verifiers

These are the SHA-256 digests of both verifiers and of the rules that they read, in version
{version()}. They are lines of a file of pins ([the auditor's guide](auditor.md)), so a contract can
copy them:

```text
{pins}
```

An operator can send a verifier that always says yes, together with its digest. So take the digest
from somebody else: from the contract, or from the repository of the project, which no operator
owns. A release has a tag there. {version()} is not released yet, so a contract names a commit
instead. Compare this page with that of the commit, and the files with the page:

```text
git show COMMIT:docs/digests.md
git show COMMIT:infra/evidence/verifiers/verify.py | sha256sum
```

`make digests` writes this page. A test compares it with the files.
"""


def write() -> None:
    """Write the page anew."""
    PAGE.write_text(page(), encoding="utf-8")


def test_the_page_has_the_digests_of_the_files() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make digests`"


def test_the_lines_of_the_page_are_pins_that_a_verifier_reads() -> None:
    lines = re.findall(r"^verifier .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    parties, files = imported().read_pins("\n".join(lines).encode())
    assert parties == {}
    assert [name for _, name in files] == list(NAMES)


@pytest.mark.needs("sha256sum")
def test_the_lines_of_the_page_are_what_sha256sum_computes() -> None:
    done = subprocess.run(
        ["sha256sum", *NAMES], cwd=VERIFIERS, capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        digest, name = line.split()
        assert f"verifier {digest} {name}\n" in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    write()
