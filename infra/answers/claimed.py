"""The fact that an answer to a claim means, as it is on record: its content and its time."""

from collections.abc import Iterable
from datetime import datetime

from domain import aggregates, claims, partnership, reported_figure
from domain.claims import ClaimCommand
from domain.deal_record import Deal
from domain.entry import Entry
from domain.facts import Facts, Stated
from domain.payouts import Payout, payout_of, with_event
from domain.recorded import Recorded
from domain.reported_figure import Reported


def streams(partnership: str, command: ClaimCommand) -> set[str]:
    """Return the names of the streams that say which fact an answer means."""
    stream = aggregates.stream_of(partnership, command)
    # Who sees a figure is agreed in the partnership's own stream.
    return {stream, partnership} if command.figure else {stream}


def fact(
    command: ClaimCommand, events: Iterable[Recorded], party: str, said_at: datetime
) -> Stated | None:
    """Return the fact that an answer of a party means, said at a moment.

    `events` are at least those of its `streams`. None if there is no such fact, or if it is a
    figure that the party does not see.
    """
    recorded = [*events]
    facts = _facts(command, recorded, party) if recorded else {}
    return claims.claimed(command, facts, party, said_at)


def _facts(command: ClaimCommand, events: list[Recorded], party: str) -> Facts:
    if command.payout is not None:
        payout = Payout()
        for each in events:
            if payout_of(each.event) == command.payout:
                payout = with_event(payout, each.event, each.act)
        return payout.facts()
    name = events[0].partnership
    stream = aggregates.stream_of(name, command)
    state = aggregates.initial(stream)
    for each in events:
        if each.stream == stream:
            state = aggregates.evolve(state, each.event, each.act)
    if isinstance(state, Reported):
        own = aggregates.fold(events)
        state = reported_figure.seen(state, partnership.shows(command, own, party))
    assert isinstance(state, Deal | Entry | Reported)  # noqa: S101 - what a claim names
    return state.facts
