"""Erasing a person: the name goes, and every proof stays (docs/people.md)."""

from typing import Annotated

import typer

from infra.answers.question import Panel
from infra.cli.options import EXIT_CODES, REFUSED, Id, Json, Store, app, marked, opened
from infra.settings import DEFAULT_STORE


@app.command(
    rich_help_panel=Panel.EVIDENCE.value,
    epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}.",
)
def erase(
    id: Id,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The person, as sent.", show_default=False),
    ],
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="It stays on record, so without a name."),
    ],
    party: Annotated[
        str | None,
        typer.Option("--party", metavar="PARTY", help="The party that asks; else the operator."),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Erase a person's name. What they did stays on record, and every proof of it holds."""
    from getpass import getuser

    from domain.people import PersonErased
    from infra import answers
    from infra.answers.outcomes import Tally
    from infra.cli import ingest
    from infra.cli.printing import document, say

    with opened(store, as_json=as_json) as accord:
        found = answers.commitments(accord, id, name)
        tally = Tally()
        for person in found:
            if party is None:
                accord.service.record_own(id, getuser(), PersonErased(person=person, reason=reason))
            else:
                tally.add([answers.erase(accord, id, person, reason, party)])
        accord.catch_up()
        if tally.refused:
            ingest.finish(tally.report(accord), as_json=as_json)
        if as_json:
            document(marked(accord, {"id": id, "erased": found}))
        else:
            say(f"Erased in {id}. Its history says {' and '.join(found)}.")
