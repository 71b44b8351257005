"""`accord erase`: erase a person's name (docs/people.md)."""

from collections.abc import Iterator
from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from domain.people import PersonErased
from domain.values import instant
from infra.answers.logs import NotFound, perhaps, size_of
from infra.answers.outcomes import Report, Tally
from infra.answers.question import Panel
from infra.answers.text import Block, Line
from infra.cli import ingest, printing
from infra.cli.options import EXIT_CODES, REFUSED, Id, Json, Store, app, opened
from infra.deciding.batch import Outcome
from infra.deciding.pseudonyms import Names, names
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.bootstrap import Accord

SOURCE = "accord:erase"
"""The source of the erasures that a party asks for with `accord erase`."""


class Erased(Report):
    """The people whose name was erased, or why that was refused."""

    id: str
    erased: tuple[str, ...]
    """The commitments that remain in the place of the name."""
    shown: tuple[str, ...]
    """How answers show them from now on."""


@app.command(
    rich_help_panel=Panel.EVIDENCE.value,
    epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}.",
)
def erase(
    id: Id,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The name, exactly as sent.", show_default=False),
    ],
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="It is recorded, so it must not have names."),
    ],
    party: Annotated[
        str | None,
        typer.Option(
            "--party",
            metavar="PARTY",
            help="The party that asks for it; the operator unless given.",
            show_default=False,
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Erase a person's name. What the person did stays recorded, and all proofs stay valid."""
    with opened(store, as_json=as_json) as accord:
        tally, erased = Tally(), people(accord, id, name)
        for person in erased:
            if party is None:
                accord.service.record_own(id, getuser(), PersonErased(person=person, reason=reason))
            else:
                tally.add([ask(accord, id, person, reason, party)])
        accord.catch_up()
        shown = () if tally.refused else map(Names(accord.history, id), erased)
        found = Erased(
            **dict(tally.report(accord)),
            id=id,
            erased=() if tally.refused else tuple(erased),
            shown=tuple(shown),
        )
    printing.result(found, _text, as_json=as_json)
    if found.refused:
        raise typer.Exit(REFUSED)


def people(accord: "Accord", partnership: str, name: str) -> list[str]:
    """Return the commitments that stand for a name in a partnership. Raises `NotFound`."""
    size_of(accord.history, partnership)
    # An interrupted run may have left names of people whose erasure is recorded.
    accord.service.forget()
    known = names(accord.history, partnership)
    found = [commitment for commitment, each in known.items() if each == name]
    if not found:
        hint = "Write the name exactly as it was sent. An erased name is not found any more."
        raise NotFound(
            f"{partnership} has no person of this name.", perhaps(name, known.values(), hint)
        )
    return found


def ask(accord: "Accord", partnership: str, person: str, reason: str, party: str) -> Outcome:
    """Ask for the erasure of a person, given by commitment, as one of the parties."""
    last = accord.history.heads([partnership])[partnership].recorded_at
    moment = instant(last if accord.simulated else accord.clock())
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{person}/{moment}",
        "source": SOURCE,
        "type": "accord.ErasePerson",
        "subject": partnership,
        "time": moment,
        "party": party,
        "actor": "accord erase",
        "data": {"person": person, "reason": reason},
    }
    return accord.service.ask(orjson.dumps(event))


def _text(found: Erased) -> Iterator[Block]:
    if found.refused:
        yield from ingest.text(found)
    else:
        yield Line(f"Erased in {found.id}. Answers now show {' and '.join(found.shown)}.")
