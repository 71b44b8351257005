"""A reminder: a release whose fold gives other rows needs a higher version of that fold.

Without one, existing stores keep the rows that the old fold made. `fold_versions.json` has, for
each projection, its version and a digest of all rows and outputs that it folds from the demo's
feeds. After a change it is written anew by
``ACCORD_WRITE_FOLDS=1 pytest tests/projections/test_fold_versions.py``.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from infra.bootstrap import Accord
from infra.store.history import partnerships
from infra.tlog.codec import canonical
from projections import PROJECTIONS
from projections.fold import Projection, replay
from tests.feeds import played

GOLDEN = Path(__file__).with_name("fold_versions.json")
WRITE = os.environ.get("ACCORD_WRITE_FOLDS") == "1"
HOW_TO_WRITE = "write it anew (ACCORD_WRITE_FOLDS=1 pytest tests/projections/test_fold_versions.py)"


def digest(parts: Iterator[bytes]) -> str:
    found = sha256()
    for each in parts:
        found.update(each + b"\n")
    return found.hexdigest()


def folded(accord: Accord, projection: Projection) -> Iterator[bytes]:
    """Return all rows and outputs of a projection, each as the bytes that are stored."""
    for name in partnerships(accord.history):
        found = replay(projection, accord.history.of(name))
        for key, row in sorted(found.rows.items()):
            yield canonical([name, key, projection.dump(key, row)])
        for output, index in found.outputs:
            body = projection.dump(output.id, output.body)
            yield canonical([name, index, output.id, output.kind, body])


def events(accord: Accord) -> Iterator[bytes]:
    for name in partnerships(accord.history):
        yield from accord.history.bodies(name)


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the golden file would say of this release."""
    with played(tmp_path_factory.mktemp("folds")) as accord:
        return {
            "events": digest(events(accord)),
            "folds": {
                each.name: {"version": each.version, "rows": digest(folded(accord, each))}
                for each in PROJECTIONS
            },
        }


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text())
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the folds that give other rows from the same events under the same version."""
    if before["events"] != after["events"]:
        return []
    return [
        name
        for name, fold in after["folds"].items()
        if name in before["folds"]
        and fold["version"] == before["folds"][name]["version"]
        and fold["rows"] != before["folds"][name]["rows"]
    ]


def test_a_fold_that_gives_other_rows_has_a_higher_version(
    now: dict[str, Any], golden: dict[str, Any]
) -> None:
    assert not (names := changed(golden, now)), (
        f"The fold of {', '.join(names)} gives other rows or outputs than before. Raise the "
        f"version of that `Projection`, so that existing stores are rebuilt. Then {HOW_TO_WRITE}."
    )


def test_the_golden_file_is_that_of_this_release(
    now: dict[str, Any], golden: dict[str, Any]
) -> None:
    if WRITE and not changed(golden, now):
        GOLDEN.write_text(json.dumps(now, indent=2) + "\n")
        return
    older = [
        name
        for name, fold in now["folds"].items()
        if fold["version"] < golden["folds"].get(name, fold)["version"]
    ]

    assert not older, f"The version of {', '.join(older)} was lowered; versions only grow."
    assert now["events"] == golden["events"], (
        "The feeds of the demo record other events than before, so the rows cannot be compared. If "
        f"a fold has changed, too, raise its version. Then {HOW_TO_WRITE}."
    )
    assert now == golden, f"A projection is new or has another version: {HOW_TO_WRITE}."


def test_a_change_is_found_only_under_the_same_version_and_events() -> None:
    before = {"events": "e", "folds": {"kpis": {"version": 1, "rows": "a"}}}

    assert changed(before, {"events": "e", "folds": {"kpis": {"version": 1, "rows": "b"}}}) == [
        "kpis"
    ]
    assert changed(before, {"events": "e", "folds": {"kpis": {"version": 2, "rows": "b"}}}) == []
    assert changed(before, {"events": "f", "folds": {"kpis": {"version": 1, "rows": "b"}}}) == []
