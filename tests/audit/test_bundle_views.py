"""What a bundle shows: to a party its view, and without one what both parties see (C7, C14)."""

import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from domain.formation import DeclareBestAlternative
from infra.bootstrap import Accord
from infra.evidence.bundle import BundleRequest, export
from tests import planted
from tests.audit.world import CONSISTENT, verdict
from tests.feeds import simulated
from tests.infra.messages import message
from tests.life import OURS, THEIRS, example
from tests.planted import PARTIES, PARTNERSHIP, WORDS

pytestmark = pytest.mark.needs("node")


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """A store with a life in which both parties keep facts to themselves."""
    with simulated(tmp_path_factory.mktemp("planted")) as accord:
        outcomes = accord.service.handle(planted.life())
        assert {each.status for each in outcomes} == {"accepted"}
        accord.service.handle([refused(party) for party in PARTIES])
        accord.catch_up()
        yield accord


def refused(party: str) -> bytes:
    """A private statement that comes too late, so that it is refused."""
    late = planted.marked(example(DeclareBestAlternative), WORDS[party])
    return message(f"late-{WORDS[party]}", late, party=party, at="2026-12-05")


def bundle(accord: Accord, folder: Path, party: str | None) -> Path:
    path = folder / "bundle.zip"
    export(accord, accord.signing(), PARTNERSHIP, BundleRequest("sam", "A look.", party), path)
    return path


def files(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def shown(accord: Accord, folder: Path, party: str | None) -> dict[str, set[str]]:
    """Return the files of a bundle in which a marker is, by the party that keeps it to itself."""
    written = files(bundle(accord, folder, party))
    return {
        kept_by: {name for name, data in written.items() if planted.found(kept_by, data)}
        for kept_by in PARTIES
    }


def test_a_bundle_without_a_party_has_nothing_that_either_keeps_to_itself(
    accord: Accord, tmp_path: Path
) -> None:
    assert shown(accord, tmp_path, None) == {OURS: set(), THEIRS: set()}


@pytest.mark.parametrize(("party", "other"), [(OURS, THEIRS), (THEIRS, OURS)])
def test_a_bundle_for_a_party_has_its_own_facts_and_none_of_the_other(
    accord: Accord, tmp_path: Path, party: str, other: str
) -> None:
    found = shown(accord, tmp_path, party)

    assert found[other] == set()
    assert found[party] >= {"data/events.jsonl", "data/rejected.jsonl"}


@pytest.mark.parametrize("party", [None, *PARTIES])
def test_a_small_count_is_in_no_bundle_of_the_other(
    accord: Accord, tmp_path: Path, party: str | None
) -> None:
    lines = files(bundle(accord, tmp_path, party))["data/events.jsonl"].splitlines()
    reports = [each for each in map(json.loads, lines) if each.get("type") == "MetricReported"]

    by = {each["party"] for each in reports if each["data"]["metric"] == "demo_to_paid"}

    assert by - {OURS, THEIRS} == set()
    assert {OURS, THEIRS} & by == {party} - {None}


@pytest.mark.parametrize("party", [None, *PARTIES])
def test_both_verifiers_accept_what_is_withheld(
    accord: Accord, tmp_path: Path, party: str | None
) -> None:
    path = bundle(accord, tmp_path, party)
    log = accord.signing().seal.verifier(PARTNERSHIP)

    assert verdict(path, f"log {log}\nquorum none\n") == CONSISTENT
