"""API keys: `accord keys create`, `invite`, `enrol`, `list`, `rotate`, `revoke`."""

from datetime import datetime
from getpass import getuser
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from domain.values import Slug
from infra.access import credentials, invitations
from infra.access.credentials import Announce, Grant, NoCredential
from infra.access.roles import Role, Scope
from infra.access.tokens import is_private
from infra.answers import api_keys
from infra.answers.api_keys import MadeKey
from infra.answers.parameters import Person
from infra.answers.parties import announcing
from infra.audit import http_client
from infra.cli import acting, printing
from infra.cli.options import Json, Store, keys, later_option, opened, reader
from infra.files import opened_for_owner
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.bootstrap import Accord

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The id of the API key, as in the list.")]
Expires = Annotated[
    datetime | None,
    later_option(
        "--expires",
        "When it expires: from now on, such as 90d; or a date or a moment. Never unless given.",
    ),
]
PARTY: Final[dict[str, Any]] = {"parser": reader("party", Slug), "metavar": "PARTY"}
"""What every option that names a party has in common."""


def _actor(who: str) -> Any:  # noqa: ANN401 - what typer makes of it
    """Return the option for who uses a key."""
    about = f"{who}; your user name by default."
    return typer.Option("--actor", parser=reader("actor", Person), metavar="NAME", help=about)


PATIENCE: Final = 30.0
"""Seconds that another server has to answer."""

ROLES = "|".join(each.value for each in Role if each not in {Role.ANYONE, Role.INVITED})
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write it to a new file that only its owner may read, instead of printing it.",
    ),
]


@keys.command()
def create(
    role: Annotated[
        str,
        typer.Option(
            "--role",
            parser=reader("role", Role),
            metavar=f"[{ROLES}]",
            help="For whom it acts.",
        ),
    ] = Role.PARTY.value,
    party: Annotated[
        str | None,
        typer.Option("--party", help="The party of the roles party and service.", **PARTY),
    ] = None,
    actor: Annotated[
        str | None,
        _actor("The person or the service that uses it"),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            parser=reader("scope", Scope),
            metavar=f"[{'|'.join(Scope)}]",
            help="What it may do; the usual scopes of its role unless given. Can be repeated.",
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="TYPE",
            help="A type of event that it may send, such as ReceivePayment, or a family, such as "
            "payment; all unless given. Can be repeated.",
        ),
    ] = None,
    partnership: Annotated[
        list[str] | None,
        typer.Option(
            "--partnership",
            parser=reader("partnership", Slug),
            metavar="ID",
            help="A partnership to which it is limited; all of its party unless given. Can be "
            "repeated.",
        ),
    ] = None,
    candidates: Annotated[
        bool,
        typer.Option(
            "--candidates",
            help="Let an auditor see what was recorded about candidates that were not chosen.",
        ),
    ] = False,
    expires: Expires = None,
    out: Out = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Make an API key, and print it once. Only its hash is stored."""
    _check_new(out)
    grant = Grant(
        role=Role(role),
        party=party,
        actor=actor or getuser(),
        scopes=frozenset(map(Scope, scope or ())),
        events=frozenset(event or ()),
        partnerships=frozenset(partnership or ()),
        candidates=candidates,
    )
    with opened(store, as_json=as_json) as accord:
        stored, now = accord.history.credentials, accord.clock()
        new = credentials.create(stored, grant, now, expires, _announce(accord))
        found = api_keys.made(accord, new)
        accord.catch_up()
    _hand_over(found, out, as_json=as_json)


def _announce(accord: "Accord") -> Announce:
    """Return what records that the operator makes a credential of a party."""
    # A partnership that was recorded just now is known once it is folded.
    accord.catch_up()
    return announcing(accord, acting.person(accord), accord.service.record_own)


def _check_new(out: Path | None) -> None:
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists already, so nothing was made.")


def _hand_over(found: MadeKey, out: Path | None, *, as_json: bool) -> None:
    """Print a new key, or write it to a file."""
    if out is None:
        printing.result(found, api_keys.text_of_made, as_json=as_json)
        return
    _write(out, found.key)
    printing.blocks(api_keys.remarks_of_made(found))
    printing.note(f"The key is in {out}.")


def _write(out: Path, secret: str) -> None:
    with opened_for_owner(out, "xb") as file:
        file.write(f"{secret}\n".encode())


@keys.command()
def invite(
    party: Annotated[str, typer.Option("--party", help="The new party.", **PARTY)],
    expires: Annotated[
        datetime | None,
        later_option(
            "--expires",
            "When it expires: from now on, such as 14d; or a date or a moment. In 7 days unless "
            "given.",
        ),
    ] = None,
    out: Out = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Make an invitation, with which a new party makes its first API key itself, once."""
    _check_new(out)
    with opened(store, as_json=as_json) as accord:
        stored, now = accord.history.credentials, accord.clock()
        announce, person = _announce(accord), acting.person(accord)
        new = invitations.invite(stored, party, person, now, expires, announce)
        found = api_keys.invited(accord, new)
        accord.catch_up()
    if out is None:
        printing.result(found, api_keys.text_of_invited, as_json=as_json)
        return
    _write(out, found.invitation)
    printing.blocks(api_keys.remarks_of_invited(found))


@keys.command()
def enrol(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The address of Accord, such as https://host.")
    ],
    invitation: Annotated[
        Path,
        typer.Option("--invitation", metavar="FILE", help="The file with your invitation."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The new file for the key, for you alone."),
    ],
    actor: Annotated[str | None, _actor("Your name")] = None,
) -> None:
    """Make the first API key of your party, with an invitation of the operator."""
    if out.exists():
        raise typer.BadParameter(f"{out} exists already. The invitation was not used.")
    if not is_private(url):
        raise typer.BadParameter(f"{url} is not encrypted. Use its https:// address.")
    body = orjson.dumps({"actor": actor or getuser()})
    address, secret = (
        f"{url.rstrip('/')}/v1/enrolments",
        invitation.read_text("utf-8", "replace").strip(),
    )
    status, answer = http_client.post(address, body, "application/json", PATIENCE, secret)
    found = _object(answer)
    if status != HTTPStatus.OK:
        detail = found.get("detail", f"{url} answered {status}.")
        raise NoCredential(detail, found.get("hint", "Check the address."))
    _write(out, found["key"])
    about = found["about"]
    printing.note(f"Made the first API key of {about['party']}, for {about['actor']}: {out}.")


def _object(answer: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


@keys.command("list")
def list_keys(
    party: Annotated[
        str | None,
        typer.Option(
            "--party", help="Only those that act for this party, as it sees them itself.", **PARTY
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """List the API keys, without their secrets."""
    with opened(store, as_json=as_json) as accord:
        found = api_keys.of(accord, party)
    printing.result(found, api_keys.text_of_all, as_json=as_json)


@keys.command()
def rotate(
    key: KeyId,
    until: Annotated[
        datetime,
        later_option(
            "--until",
            "How long the old key stays valid: from now on, such as 24h; or a date or a moment.",
        ),
    ] = "24h",  # type: ignore[assignment] # typer reads it as if it were typed
    out: Out = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Make an API key that replaces another one, with the same grant, and print it once."""
    _check_new(out)
    with opened(store, as_json=as_json) as accord:
        stored = accord.history.credentials
        new = credentials.rotate(stored, key, accord.clock(), until, _announce(accord))
        found = api_keys.made(accord, new, credentials.known(stored, key))
        accord.catch_up()
    _hand_over(found, out, as_json=as_json)


@keys.command()
def revoke(key: KeyId, store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Revoke an API key at once, in every process, and refuse what its party sent that waits."""
    with opened(store, as_json=as_json) as accord:
        found = api_keys.revoke(accord, key, accord.service.refuse_waiting)
    printing.result(found, api_keys.text_of_revoked, as_json=as_json)
