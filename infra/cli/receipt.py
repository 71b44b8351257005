"""`accord audit receipt`: the operator's receipt of an accepted event."""

from typing import Annotated

import typer

from infra.answers.logs import NotFound
from infra.answers.outcomes import SignedReceipt
from infra.answers.question import Result
from infra.answers.text import Verbatim
from infra.cli import printing
from infra.cli.options import Json, Store, audit, opened
from infra.settings import DEFAULT_STORE


class Receipt(SignedReceipt, Result):
    """The operator's receipt of an accepted event."""


@audit.command()
def receipt(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The event's source.")],
    id: Annotated[str, typer.Argument(metavar="SOURCE_ID", help="The event's id.")],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Print the operator's receipt of an accepted event, with exactly the issued bytes."""
    with opened(store, as_json=as_json) as accord:
        note = accord.signed_receipts().again([(source, id)]).get((source, id))
        if note is None:
            raise NotFound(
                f"No event was recorded from {id} of {source}.",
                "List the refused inputs: accord refusals.",
            )
        found = Receipt(simulated=accord.simulated, source=source, id=id, receipt=str(note))
    printing.result(found, lambda _: [Verbatim(found.receipt)], as_json=as_json)
