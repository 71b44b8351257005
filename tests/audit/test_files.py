"""Files that events name by their SHA-256, such as evidence: the bundle brings them."""

import json
from datetime import date
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from domain.adoption import AdoptionProposed, Contract, PartnershipAdopted
from domain.agreement import Sections
from domain.dispute import EvidenceSubmitted
from domain.formation import AgreementAdopted, AttachEvidence, EvidenceAttached
from domain.kernel import Event
from domain.times import moment
from infra.answers.logs import NotFound
from infra.cli.options import app
from infra.evidence import replay
from infra.evidence.files import named
from tests.audit.world import CONSISTENT, CONSULTING, World, build, fault, play, rewritten, verdict
from tests.infra.messages import message
from tests.life import example

pytestmark = pytest.mark.needs("node")

STUDY = b"Nine of ten customers ask for both products."
DIGEST = sha256(STUDY).hexdigest()
NOT_BROUGHT = sha256(b"a contract that nobody has").hexdigest()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store with two pieces of evidence; the file of the first is in the folder `files`."""
    world = build(tmp_path_factory.mktemp("files"))
    play(world)
    with world.opened() as (accord, _):
        for name, digest in [("study", DIGEST), ("contract", NOT_BROUGHT)]:
            attach = example(AttachEvidence, evidence=name, title=name, sha256=digest)
            (outcome,) = accord.service.handle([message(name, attach, subject=CONSULTING)])
            assert outcome.rule is None
    folder = world.folder / "files"
    (folder / "2026").mkdir(parents=True)
    (folder / "2026" / "the study.pdf").write_bytes(STUDY)
    (folder / "notes.txt").write_bytes(b"Nobody named this.")
    return world


def names(bundle: Path) -> set[str]:
    with ZipFile(bundle) as archive:
        return {each for each in archive.namelist() if each.startswith("data/files/")}


def test_a_bundle_brings_the_files_that_its_events_name(world: World) -> None:
    policy = world.policy(quorum="none")

    without, with_files = world.bundle("without.zip"), world.bundle(files=world.folder / "files")

    assert (names(without), names(with_files)) == (set(), {f"data/files/{DIGEST}"})
    assert verdict(without, policy) == verdict(with_files, policy) == CONSISTENT
    with ZipFile(with_files) as archive:
        assert archive.read(f"data/files/{DIGEST}") == STUDY


def test_a_file_of_an_event_that_is_not_shown_is_left_out(world: World) -> None:
    bundle = world.bundle(files=world.folder / "files", end=moment("2026-03-01T00:00:00Z"))

    assert names(bundle) == set()
    assert verdict(bundle, world.policy(quorum="none")) == CONSISTENT


@pytest.mark.parametrize(
    ("name", "content"),
    [(DIGEST, STUDY + b"!"), (sha256(b"x").hexdigest(), b"x"), (NOT_BROUGHT, STUDY)],
    ids=["another content", "a file that no event names", "another file under a name"],
)
def test_a_file_that_is_not_the_named_one_is_refused(
    world: World, name: str, content: bytes
) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[f"data/files/{name}"] = content

    changed = rewritten(world.bundle(files=world.folder / "files"), change)

    assert verdict(changed, world.policy(quorum="none")) == fault("file")


def test_a_file_that_was_added_or_taken_away_is_refused(world: World) -> None:
    """The digest of what is beside the log is in the event of the export."""
    path = f"data/files/{DIGEST}"

    def add(files: dict[str, bytes]) -> None:
        files[path] = STUDY

    def take(files: dict[str, bytes]) -> None:
        del files[path]

    added = rewritten(world.bundle(party="growthos"), add)
    assert verdict(added, world.policy(quorum="none")) == fault("custody")
    taken = rewritten(world.bundle(party="northbridge", files=world.folder / "files"), take)
    assert verdict(taken, world.policy(quorum="none")) == fault("custody")


def test_a_replay_lists_the_files_and_says_which_are_there(world: World) -> None:
    bundle = world.bundle(files=world.folder / "files")

    found = replay.replay(bundle)

    listed = {each.title: (each.sha256, each.brought) for each in found.files}
    assert listed == {"study": (DIGEST, True), "contract": (NOT_BROUGHT, False)}
    assert "1 files that events name are not in the bundle" in found.record.not_checked
    page = bundle.with_suffix(".html")
    CliRunner().invoke(app, ["audit", "replay", str(bundle), "--html", str(page)])
    text = page.read_text()
    assert all(each in text for each in (DIGEST, NOT_BROUGHT))


def test_a_folder_that_is_not_there_is_refused_before_the_export_is_recorded(world: World) -> None:
    with world.opened() as (accord, _):
        before = len(list(accord.history.of(CONSULTING)))

    with pytest.raises(NotFound, match="is no folder"):
        world.bundle(files=world.folder / "nowhere")

    with world.opened() as (accord, _):
        assert len(list(accord.history.of(CONSULTING))) == before
    assert not (world.folder / "bundle.zip").exists()


def test_every_event_that_names_a_file_is_known() -> None:
    """An event with a member `sha256` gives its file; a verifier finds the member by its name."""
    naming = {kind for kind in Event.registry.values() if '"sha256"' in schema(kind)}
    assert naming == {
        AdoptionProposed,
        AgreementAdopted,
        EvidenceAttached,
        EvidenceSubmitted,
        PartnershipAdopted,
    }
    attached = EvidenceAttached.of(example(AttachEvidence, sha256=DIGEST))
    assert [*named(attached)] == [(DIGEST, attached.title)]
    contract = Contract(
        reference="archive-17", sha256=DIGEST, signed_on=date(2025, 1, 1), sections=Sections()
    )
    adopted = AgreementAdopted(**dict(contract), signed_by=["growthos"])
    assert [*named(adopted)] == [(DIGEST, "archive-17")]


def schema(kind: type[Event]) -> str:
    return json.dumps(kind.model_json_schema())
