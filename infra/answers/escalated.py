"""Who acts on alerts, by name; an issue that was escalated names those in the office (C24)."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from domain.deadlines.tasks import ISSUE_ESCALATED
from domain.execution import IssueEscalated
from domain.offices import NAMING, People, people_after
from infra.answers.logs import own_stream
from infra.deciding.pseudonyms import Names, renamed
from infra.store.history import History
from projections.alerts import Alert


def named(history: History, partnership: str, alerts: Iterable[Alert]) -> Iterator[Alert]:
    """Yield alerts of a partnership with people by name."""
    found = list(alerts)
    people = {who.person for each in found for who in each.who_acts if who.person is not None}
    names = Names(history, partnership, people) if people else None
    for each in found:
        who_acts = [renamed(who, names) if names and who.person else who for who in each.who_acts]
        yield with_people(history, replace(each, who_acts=tuple(who_acts)))


def with_people(history: History, alert: Alert) -> Alert:
    """Return an alert; that of an escalation says to whom it went, also after it is resolved."""
    if alert.rule != ISSUE_ESCALATED:
        return alert
    people = escalated_to(history, alert.partnership, alert.evidence)
    return replace(alert, text=f"{alert.text.removesuffix('.')}: {people}.") if people else alert


def escalated_to(history: History, partnership: str, events: Collection[int]) -> str:
    """Return who held the office on the day of the last escalation among some events.

    `Ines Halloran and Petra Lindqvist`; empty if the parties had named nobody.
    """
    people, found = People(), ""
    for each in own_stream(history, partnership):
        if isinstance(each.event, tuple(NAMING)):
            people = people_after(people, each.event, each.act)
        if isinstance(each.event, IssueEscalated) and each.index in events:
            day = each.act.occurred_at.date()
            acting = [people.in_office(party, each.event.to, day) for party in people.parties]
            named = [who for who in acting if who.person]
            names = Names(history, partnership, {who.person for who in named if who.person})
            found = " and ".join(str(renamed(who, names).person) for who in named)
    return found
