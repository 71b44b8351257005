"""Files outside the record that its events name by their SHA-256: evidence and contracts."""

from collections.abc import Collection, Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

from domain.adoption import AdoptionProposed, PartnershipAdopted
from domain.dispute import EvidenceSubmitted
from domain.formation import AgreementAdopted, EvidenceAttached
from domain.kernel import Event
from infra.answers.logs import NotFound

LARGEST: Final = 1 << 29
"""The most bytes of all files of a bundle: half of what a verifier unpacks."""


def named(event: Event) -> Iterator[tuple[str, str]]:
    """Yield the SHA-256 (hex) of each file that an event names, and what the file is."""
    match event:
        case EvidenceAttached(sha256=str(digest)) | EvidenceSubmitted(sha256=str(digest)):
            yield digest, event.title
        case AgreementAdopted(sha256=str(digest)):
            yield digest, event.reference
        case AdoptionProposed() | PartnershipAdopted():
            if event.contract is not None and event.contract.sha256 is not None:
                yield event.contract.sha256, event.contract.reference
        case _:
            pass


def found(folder: Path, digests: Collection[str]) -> dict[str, bytes]:
    """Return the files in a folder and its subfolders that have these SHA-256 digests.

    Raises `NotFound` if there is no such folder, or if they have too many bytes together.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is no folder.", "Give the folder with the files.")
    files: dict[str, bytes] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as file:
            digest = file_digest(file, sha256).hexdigest()
        if digest in digests:
            files[digest] = path.read_bytes()
    if sum(map(len, files.values())) > LARGEST:
        raise NotFound(
            f"The files in {folder} that events name have more than {LARGEST:,} bytes together.",
            "Give a folder with fewer of them, and send the others beside the bundle.",
        )
    return files
