"""`accord erase`: erase a person's name (docs/people.md)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain import times
from domain.people import PersonErased, as_read
from infra.access import credentials
from infra.answers.logs import NotFound, perhaps, size_of
from infra.answers.outcomes import OutcomeCounts, Report
from infra.answers.question import Panel
from infra.answers.text import Block, Line
from infra.cli import acting, ingest
from infra.cli.options import REFUSES, Id, Json, Store, app, opened
from infra.deciding import pseudonyms
from infra.deciding.pseudonyms import COMMAND, Names
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.bootstrap import Accord


class Erased(Report):
    """The people whose name was erased, or why that was refused."""

    id: str
    erased: tuple[str, ...]
    """The commitments that remain in the place of the name."""
    shown: tuple[str, ...]
    """How answers show them from now on."""
    keys: tuple[str, ...]
    """The ids of the API keys and invitations in the name, which are revoked."""
    left: tuple[str, ...]
    """The parties that sent the name, too, and that erase it themselves."""


@app.command(rich_help_panel=Panel.EVIDENCE.value, epilog=REFUSES)
def erase(
    id: Id,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The name as sent; capitals and blanks do not count."),
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
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The party's key, with which a party that has one signs."
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Erase a person's name. What the person did stays recorded, and all proofs stay valid."""
    with opened(store, as_json=as_json) as accord:
        tally, erased = OutcomeCounts(), people(accord, id, name, party)
        keys = accord.history.credentials
        in_name = [each.id for each in credentials.in_name(keys, name)]
        for person in erased:
            if party is not None and key is not None:
                gone = _gone(accord, id, person)
                asked = {"person": person, "reason": reason, "commands": gone}
                tally.add([accord.service.ask(_signed(accord, id, party, asked, key))])
            elif party is None:
                by = acting.person(accord, id)
                accord.service.record_own(
                    id, by, PersonErased(person=person, reason=reason, commands=[])
                )
            else:
                data = {"person": person, "reason": reason}
                tally.add([ingest.ask(accord, "erase", "ErasePerson", id, party, person, **data)])
        accord.catch_up()
        shown = () if tally.refused else map(Names(accord.history, id), erased)
        still = pseudonyms.people(accord.history, id).values()
        found = Erased(
            **dict(tally.report(accord)),
            id=id,
            erased=() if tally.refused else tuple(erased),
            shown=tuple(shown),
            left=tuple(sorted({of.party for of in still if as_read(of.name) == as_read(name)})),
            keys=tuple(each for each in in_name if credentials.known(keys, each).is_erased),
        )
    ingest.finish(found, _text, as_json=as_json)


def people(accord: "Accord", partnership: str, name: str, party: str | None = None) -> list[str]:
    """Return the commitments of a name that a party or anybody sent, however it was written.

    They are those of all parties if this one did not send it. Raises `NotFound`.
    """
    size_of(accord.history, partnership)
    # An interrupted run may have left names of people whose erasure is recorded.
    accord.service.forget()
    known = pseudonyms.people(accord.history, partnership)
    read = as_read(name)
    found = [commitment for commitment, each in known.items() if as_read(each.name) == read]
    if not found:
        hint = "Write the whole name as it was sent. An erased name is not found any more."
        raise NotFound(
            f"{partnership} has no person of this name.",
            perhaps(name, {each.name for each in known.values()}, hint),
        )
    own = [commitment for commitment in found if known[commitment].party == party]
    return own or found


def _gone(accord: "Accord", partnership: str, person: str) -> list[str]:
    """Return the digests of the signed commands that are deleted with a person's name."""
    history = accord.history
    named = pseudonyms.naming_events(history.bodies(partnership), person)
    sent = pseudonyms.people(history, partnership, [person]).get(person)
    return pseudonyms.gone_with(sent, named, history.kept(COMMAND, partnership))


def _signed(accord: "Accord", id: str, party: str, data: dict[str, Any], key: Path) -> bytes:
    """Return the signed command by which a party erases a person; it can be recorded for an hour.

    Raises `NoKey`.
    """
    from infra.tlog import dsse
    from infra.tlog.keys import Signer

    event = ingest.event(accord, "ErasePerson", id, party, f"erase/{data['person']}", **data)
    event |= {"source": f"//{party}", "actor": acting.person(accord, id, party, "ErasePerson")}
    expires = times.moment(event["time"]) + timedelta(hours=1)
    return dsse.sign(Signer.load(key), dsse.asked(event, accord.operator, expires))


def _text(found: Erased) -> Iterator[Block]:
    if found.refused:
        yield from ingest.text(found)
    else:
        yield Line(f"Erased in {found.id}. Answers now show {' and '.join(found.shown)}.")
        if found.left:
            yield Line(f"{' and '.join(found.left)} sent the name, too, and erases it itself.")
        if found.keys:
            yield Line(
                f"Revoked the API keys and invitations in this name: {', '.join(found.keys)}."
            )
