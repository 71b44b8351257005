"""`accord audit receipt`: the operator's receipt of an accepted event."""

from typing import Annotated

import typer

from domain.values import Slug
from infra.answers.logs import NotFound
from infra.answers.outcomes import SignedReceipt
from infra.answers.question import Result
from infra.answers.text import Verbatim
from infra.cli import printing
from infra.cli.options import Json, Store, audit, opened, reader
from infra.settings import DEFAULT_STORE
from infra.store.history import InputId


class Receipt(SignedReceipt, Result):
    """The operator's receipt of an accepted event."""


@audit.command()
def receipt(
    party: Annotated[
        str,
        typer.Argument(metavar="PARTY", parser=reader("party", Slug), help="The event's party."),
    ],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The event's source.")],
    id: Annotated[str, typer.Argument(metavar="SOURCE_ID", help="The event's id.")],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Print the operator's receipt of an accepted event, with exactly the issued bytes."""
    with opened(store, as_json=as_json) as accord:
        asked = InputId(party, source, id)
        note = accord.signed_receipts().again([asked]).get(asked)
        if note is None:
            raise NotFound(
                f"No event was recorded from {id} of {source}, sent by {party}.",
                "List the refused inputs: accord refusals.",
            )
        found = Receipt(simulated=accord.simulated, source=source, id=id, receipt=str(note))
    printing.result(found, lambda _: [Verbatim(found.receipt)], as_json=as_json)
