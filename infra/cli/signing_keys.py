"""Signing keys: `accord keygen`, `accord register-key`, `accord audit log-key`."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.keyring import Facts
from domain.values import instant
from infra.answers.logs import size_of
from infra.answers.parameters import Since
from infra.answers.question import Item, Panel
from infra.answers.text import Block, Remark, Verbatim
from infra.cli import printing
from infra.cli.options import Id, Json, Store, app, audit, moment_option, opened
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.tlog.keys import Signer

KeyFile = Annotated[Path, typer.Option("--key", metavar="FILE", help="The party's key.")]


class KeyDescription(Item):
    """A key, as others may know it."""

    file: str
    made: bool
    """Whether it was made now; false if it existed."""
    public: str
    """The public key, in base64."""
    signs: str | None
    """The verifier key of the notes that it signs under its name."""
    cosigns: str | None
    """The verifier key of the notes of others that it cosigns under its name."""


@app.command(rich_help_panel=Panel.EVIDENCE.value)
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Whose key it is: a log's origin, a witness's name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print its public part. Does nothing if the file exists.

    Only its owner may read the file. With a name, the key signs notes or cosigns those of others.
    """
    from infra.tlog.keys import Signer
    from infra.tlog.notes import Kind, Verifier, checked_name

    named = checked_name(name) if name else ""
    made = not file.exists()
    if made:
        Signer.new().save(file)
    public = Signer.load(file).public
    key = KeyDescription(
        file=str(file),
        made=made,
        public=b64encode(public).decode(),
        signs=str(Verifier(named, Kind.NOTE, public)) if named else None,
        cosigns=str(Verifier(named, Kind.COSIGNATURE, public)) if named else None,
    )
    printing.result(key, _text, as_json=as_json)


def _text(key: KeyDescription) -> Iterator[Block]:
    yield Remark(f"Made a key: {key.file}." if key.made else f"The key {key.file} exists already.")
    for name, each in (("public", key.public), ("signs", key.signs), ("cosigns", key.cosigns)):
        if each:
            yield Verbatim(f"{name:8} {each}\n")


class LogKey(Item):
    """The key of a partnership's log."""

    partnership: str
    key: str
    """The verifier key of its checkpoints (C2SP)."""


@audit.command("log-key")
def log_key(id: Id, store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Print the key that verifies a partnership's checkpoints; a verifier pins it."""
    with opened(store, as_json=True) as accord:
        size_of(accord.history, id)
        key = str(accord.signing().seal.verifier(id))
    found = LogKey(partnership=id, key=key)
    printing.result(found, lambda _: [Verbatim(f"{key}\n")], as_json=as_json)


@app.command("register-key", rich_help_panel=Panel.EVIDENCE.value)
def register_key(
    id: Id,
    party: Annotated[str, typer.Option("--party", metavar="PARTY", help="Whose key it is.")],
    actor: Annotated[str, typer.Option("--actor", metavar="NAME", help="Who acts for it.")],
    key: KeyFile,
    replaces: Annotated[
        str | None,
        typer.Option("--replaces", metavar="KEYID", help="The key that it replaces, if any."),
    ] = None,
    delegate: Annotated[
        list[Facts] | None,
        typer.Option(
            "--delegate",
            help="A kind of facts, for the key of a service, which signs no more than these. "
            "It can be given more than once.",
        ),
    ] = None,
    lost_since: Annotated[
        datetime | None,
        moment_option(
            "--lost-since",
            "Propose it in place of all keys of the party, which are lost: somebody else may have "
            "had one since this date or moment. The other party has to agree.",
            Since,
        ),
    ] = None,
) -> None:
    """Print the event by which a party registers its key, with proof that it holds the key.

    A party's first registration is sent as it is; a later one must be signed by an active key. A
    party that lost all its keys proposes a new one (--lost-since).
    """
    from infra.tlog.keys import Signer

    if sum(map(bool, (replaces, delegate, lost_since))) > 1:
        raise typer.BadParameter(
            "A key that replaces others signs the same as they did: give one of --replaces, "
            "--delegate and --lost-since."
        )
    command, more = "RegisterKey", dict[str, Any]()
    if replaces:
        command, more = "RotateKey", {"replaces": replaces}
    elif delegate:
        more = {"delegated": [each.value for each in delegate]}
    elif lost_since:
        command, more = "ProposeKeyRecovery", {"party": party, "lost_since": instant(lost_since)}
    printing.document(_introduction(Signer.load(key), id, (party, actor), command, more))


def _introduction(
    signer: "Signer", id: str, by: tuple[str, str], command: str, more: dict[str, Any]
) -> dict[str, Any]:
    """Return the CloudEvent by which a person of a party makes its key known."""
    from domain.keyring import key_id
    from infra.deciding.clock import wall_clock
    from infra.tlog import keys

    party, actor = by
    name = key_id(signer.public)
    proof = signer.sign(keys.possession(id, party, signer.public))
    data = {"key": b64encode(signer.public).decode(), "proof": b64encode(proof).decode(), **more}
    if command == "ProposeKeyRecovery":
        data["proposal"] = f"recovery-{name}"
    return {
        "specversion": "1.0",
        "id": f"{id}/{command}/{name}",
        "source": f"//{party}",
        "type": f"accord.{command}",
        "subject": id,
        "time": instant(wall_clock()),
        "party": party,
        "actor": actor,
        "data": data,
    }
