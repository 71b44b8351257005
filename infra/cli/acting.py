"""Who acts at the command line for the operator: a person, or an account of this machine."""

from getpass import getuser
from typing import TYPE_CHECKING

from domain.kernel import ACCOUNT
from infra.access import credentials, roles
from infra.access.roles import Identity, Need
from infra.access.tokens import Tokens, is_token, read_issuers
from infra.cli.options import settings

if TYPE_CHECKING:
    from infra.bootstrap import Accord


def person(
    accord: "Accord",
    partnership: str | None = None,
    party: str | None = None,
    kind: str | None = None,
) -> str:
    """Return the name in which a command acts on the record, as the record has it.

    It is the person of the API key or the token in the file of `ACCORD_CREDENTIAL`; it must be the
    operator's, or one of the `party` for which the command acts, and may do there what it may do
    over HTTP: `partnership` is where the command acts (None for no single one), and `kind` the type
    of event that it sends (None for none). Without that setting it is the account of this machine,
    and says so.

    Raises `Unauthenticated` for a credential that is not valid, `Refused` for one of another role,
    `IssuerUnreachable`, `WrongSetting`, and `OSError` for a file that cannot be read.
    """
    file = settings().credential
    if file is None:
        return ACCOUNT + getuser()
    identity = _identity(accord, file.read_text(encoding="utf-8", errors="replace").strip())
    if party is None or identity.party != party:
        roles.access(identity, Need.OPERATE)
    elif kind is None:
        roles.access(identity, Need.HANDLE)
    elif partnership is not None:
        roles.check_emits(identity, party, kind, partnership)
    if partnership is not None:
        roles.check_partnership(identity, partnership)
    return identity.actor


def _identity(accord: "Accord", text: str) -> Identity:
    if is_token(text):
        return Tokens(read_issuers(settings().issuers)).identity(text)
    found = credentials.authenticate(accord.history.credentials, text, accord.clock())
    return found.identity
