"""Erasing a person: found by name, erased by what stands for the name."""

from typing import Any

import orjson

from domain.values import instant
from infra.answers.logs import NotFound, perhaps, size_of
from infra.bootstrap import Accord
from infra.deciding.batch import Outcome
from infra.deciding.pseudonyms import names
from infra.deciding.service import wall_clock

SOURCE = "accord:erase"
"""The source of erasures that a party asks for by `accord erase`."""


def commitments(accord: Accord, partnership: str, name: str) -> list[str]:
    """Give what stands for a person in a partnership's history. Raises `NotFound`."""
    size_of(accord.history, partnership)
    # What an interrupted run left is no longer anybody's name.
    accord.service.forget()
    known = names(accord.history, partnership)
    found = [commitment for commitment, each in known.items() if each == name]
    if not found:
        hint = "Names are told apart as they were sent; one that was erased is not kept."
        raise NotFound(
            f"Nobody in {partnership} is called so.", perhaps(name, known.values(), hint)
        )
    return found


def erase(accord: Accord, partnership: str, person: str, reason: str, party: str) -> Outcome:
    """Erase a name, by the commitment that stands for it, as one of the parties asks for it."""
    last = accord.history.heads([partnership])[partnership].recorded_at
    moment = instant(last if accord.simulated else wall_clock())
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
