"""`accord subject-export`: export what the store has of a person (docs/people.md)."""

from typing import Annotated

import typer

from infra.answers import personal_data
from infra.answers.question import Panel
from infra.cli import printing
from infra.cli.options import Json, Store, app, opened
from infra.settings import DEFAULT_STORE


@app.command("subject-export", rich_help_panel=Panel.EVIDENCE.value)
def subject_export(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The name as sent; capitals and blanks do not count."),
    ],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Export what the store has of a person under a name, in all partnerships."""
    with opened(store, as_json=as_json) as accord:
        found = personal_data.of_person(accord, name)
    printing.result(found, personal_data.text, as_json=as_json)
