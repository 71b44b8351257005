"""What a form of terms is filled in with: the terms in force, or those that are countered.

Terms name all items where any changes, and of the frame only what changes. So a person changes what
is in force, and only what differs is sent.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from itertools import count
from typing import Any

import orjson

from domain.agreement import CounterTerms, ProposeTerms, TermsFor
from domain.kernel import Command
from domain.terms import Frame, FrameChange
from infra.answers.partnership_state import AgreedTerms, PartnershipState
from infra.answers.show import SHOW
from infra.http.pages.site import Visit


def suggested(
    visit: Visit, id: str, command: type[Command], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the form of a command is filled in with beyond what is known."""
    if command not in {ProposeTerms, CounterTerms}:
        return {}
    state = _state(visit, id)
    taken = {each.proposal for each in state.proposals}
    number = next(
        each for each in count(len(state.terms.versions) + 1) if f"terms-{each}" not in taken
    )
    found = {"proposal": f"terms-{number}", **_in_force(state)}
    countered = next(
        (each for each in state.proposals if each.proposal == known.get("counters")), None
    )
    if countered and command is CounterTerms:
        content = {name: countered.content.get(name) for name in TermsFor.model_fields}
        frame = {**found.get("frame", {}), **_given(content.pop("frame"))}
        found |= {name: each for name, each in content.items() if each is not None}
        found |= {"frame": frame} if frame else {}
    return found


def _given(frame: object) -> Mapping[str, Any]:
    known = frame if isinstance(frame, Mapping) else {}
    return {name: each for name, each in known.items() if each is not None}


def _in_force(state: PartnershipState) -> dict[str, Any]:
    """Return the terms in force."""
    terms = state.terms
    items = [each.model_dump(mode="json", exclude_none=True) for each in terms.items]
    frame = terms.frame.model_dump(mode="json", exclude_none=True) if terms.frame else None
    return {**({"frame": frame} if frame else {}), **({"items": items} if items else {})}


def changed_only(
    visit: Visit, id: str, command: type[Command], data: dict[str, Any]
) -> dict[str, Any]:
    """Return terms without what is in force already; the data of any other command as it is.

    Terms that begin before the last ones that are agreed are sent as a whole, because others are in
    force on their first day.
    """
    if command not in {ProposeTerms, CounterTerms}:
        return data
    terms = _state(visit, id).terms
    proposed = TermsFor.model_validate_json(
        orjson.dumps({name: data.get(name) for name in TermsFor.model_fields})
    )
    if terms.frame is None or proposed.effective_from < _last_day(terms):
        return data
    found = {name: each for name, each in data.items() if name != "frame"}
    # Temporary terms have all of their items.
    if proposed.until is None and proposed.items == [*terms.items]:
        del found["items"]
    frame = _changed(terms.frame, proposed.frame, data.get("frame", {}))
    return {**found, "frame": frame} if frame else found


def _changed(
    before: Frame, proposed: FrameChange | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a form changes of a frame; a list that is emptied is a change, too."""
    kept = {
        name: each
        for name, each in given.items()
        if getattr(proposed, name) != getattr(before, name)
    }
    lists = {name: each for name, each in before if isinstance(each, list | dict) and each}
    return kept | {name: type(each)() for name, each in lists.items() if name not in given}


def _state(visit: Visit, id: str) -> PartnershipState:
    """Return the state, with the terms of the day on which the last ones that are agreed begin."""
    when = visit.when(id)
    found: PartnershipState = SHOW.reply(visit.accord, id=id, when=when)
    last = _last_day(found.terms)
    if last <= found.terms.day:
        return found
    at = datetime.combine(last, time(12), UTC)
    later: PartnershipState = SHOW.reply(visit.accord, id=id, when=replace(when, at=at))
    return later


def _last_day(terms: AgreedTerms) -> date:
    """Return the first day of the terms that were agreed last; temporary ones do not count."""
    days = (each.effective_from for each in terms.agreements if each.until is None)
    return max(days, default=date.min)
