"""What an answer is about: it is shown above the button, so that nobody consents without reading.

A proposal is shown with its contents, and a claim with what is on record of the thing that it is
about. An answer that was given before is named with its event.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any, Final

import orjson

from domain.agreement import TermsFor
from domain.bilateral import BilateralAgreement, ProposalEnded, kind_named
from domain.claims import ClaimCommand
from domain.dispute import DisputeOutcome, OpenDispute, ProposeResolution
from domain.experiment import HYPOTHESIS
from domain.formation import DRAFT, AgreementDrafted, AgreementSigned, SignAgreement
from domain.kernel import Command
from domain.metric_catalogue import CATALOGUE, Adds
from domain.payouts import RecordPayout
from domain.recorded import Recorded
from domain.reported_figure import ReportMetric
from domain.terms import describe
from domain.values import plain
from infra.answers.inbox import INBOX, SIGNED, Awaiting, Inbox, InboxItem
from infra.answers.logs import log
from infra.answers.partnership_state import PartnershipState, ProposalState, ProposalSummary
from infra.answers.show import SHOW
from infra.answers.statement import Statement, replay
from infra.http.pages.forms import Entry, Field
from infra.http.pages.shown import clauses
from infra.http.pages.site import Visit
from infra.http.pages.statements import to_dispute
from infra.tlog import cloudevents
from projections.contents import contents, frame_word
from projections.timeline import words

_NAMED_BY_A_CLAIM: Final = ("deal", "entry", "payout", "figure")
"""What a claim can be about: one of these, so the others do not matter on its form."""


_OPEN: Final[Mapping[type[Command], tuple[str, ...]]] = {RecordPayout: ("amount.amount",)}
"""What is filled in as it is known, and can be changed: a part of a statement can be paid."""

_NAMED_BY_A_LINE: Final = ("cause", "subject", "line.fact", "line.item", "amount.currency")
"""What a line of a statement settles of the dispute about it."""


@dataclass(frozen=True, slots=True)
class OnRecord:
    """An event, as it is listed above a button."""

    index: int
    at: datetime
    party: str
    text: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What an answer is about."""

    text: str
    """What the other party did, as a sentence."""
    contents: tuple[str, ...] = ()
    """What it contains, each in words."""
    replaced: tuple[str, ...] = ()
    """What is in force and would not be any longer, each in words."""
    record: tuple[OnRecord, ...] = ()
    """What is on record of the thing that a claim is about, in order."""


def subject_of(
    visit: Visit, id: str, party: str, command: type[Command], known: Mapping[str, Any]
) -> Subject | None:
    """Return what an event of a party is about; None if it answers nothing and disputes no line."""
    if command is OpenDispute:
        return _disputed(visit, id, known)
    item = _awaited(visit, id, party, command, known)
    if item is None:
        return None
    if issubclass(command, ClaimCommand):
        return Subject(item.text, record=tuple(_of_claim(visit, id, known)))
    if item.awaiting is Awaiting.CONSENT:
        return _proposed(visit, id, item)
    text, *rest = clauses(item.text)
    return Subject(text, tuple(rest))


def _awaited(
    visit: Visit, id: str, party: str, command: type[Command], known: Mapping[str, Any]
) -> InboxItem | None:
    waiting: Inbox = INBOX.whole(visit.accord, partnership=id, when=visit.when(id))
    asked = cloudevents.PREFIX + command.__name__
    for item in waiting.items:
        for each in item.events:
            if each.type == asked and each.party == party and _same(each.data, known):
                return item
    return None


def _same(asked: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    named = {name: each for name, each in asked.items() if name not in SIGNED}
    return bool(named) and named == {name: known.get(name) for name in named}


def _proposed(visit: Visit, id: str, item: InboxItem) -> Subject:
    state: PartnershipState = SHOW.reply(visit.accord, id=id, when=visit.when(id))
    found = [each for each in state.proposals if _is_of(each, item)]
    if len(found) == 1:
        (proposal,) = found
        text = f"{proposal.proposed_by} {proposal.text.removesuffix('.')}."
        return Subject(text, proposal.contents, _replaced(visit, id, proposal))
    drafts = [each for each in _read(visit, id) if isinstance(each.event, AgreementDrafted)]
    if drafts and item.ref.startswith("agreement "):
        return Subject(item.text, tuple(contents(drafts[-1].event)))
    text, *rest = clauses(item.text)
    return Subject(text, tuple(rest))


def _replaced(visit: Visit, id: str, proposal: ProposalSummary) -> tuple[str, ...]:
    """Return what proposed terms change of those in force on their first day, as those have it."""
    changes = {"items", "frame"} & proposal.content.keys()
    if not changes or "effective_from" not in proposal.content:
        return ()
    content = {name: proposal.content.get(name) for name in TermsFor.model_fields}
    proposed = TermsFor.model_validate_json(orjson.dumps(content))
    first = datetime.combine(proposed.effective_from, time(12), UTC)
    state: PartnershipState = SHOW.reply(
        visit.accord, id=id, when=replace(visit.when(id), at=first)
    )
    if state.terms.frame is None:
        return ()
    changed = proposed.frame.given() if proposed.frame else {}
    before = {name: getattr(state.terms.frame, name) for name in changed}
    found = [
        *(frame_word(name, each) for name, each in before.items() if each != changed[name]),
        *(map(describe, state.terms.items) if proposed.items else ()),
    ]
    return tuple(each for each in found if each not in proposal.contents)


def _disputed(visit: Visit, id: str, known: Mapping[str, Any]) -> Subject | None:
    """Return the line of a statement that a dispute names, with what is on record of it."""
    found = [
        (f"statement {each.statement or f'of {each.period}, not issued yet'}", line)
        for each in _statements(visit, id)
        for line in each.lines
        if to_dispute(line) | {"amount": None} == {**known, "amount": None}
    ]
    if not found:
        return None
    statement, line = found[-1]
    about = line.about.partition("/")
    record = tuple(_of_claim(visit, id, {about[0]: about[2]}))
    amount = f"{plain(line.amount)} {line.currency} to {line.to}"
    return Subject(f"Line {line.line} of {statement}: {amount}.", (line.text,), record=record)


def _statements(visit: Visit, id: str) -> Iterator[Statement]:
    """Yield the statements that were issued, and the next one."""
    postings = replay(_read(visit, id))
    yield from map(postings.statement, postings.issued)
    if months := [line["month"] for line in postings.open]:
        yield from postings.drafts(max(months))


def _is_of(proposal: ProposalSummary, item: InboxItem) -> bool:
    is_open = proposal.state is ProposalState.OPEN
    return is_open and proposal.proposal == item.ref and proposal.proposed_by != item.party


def _of_claim(visit: Visit, id: str, known: Mapping[str, Any]) -> Iterator[OnRecord]:
    named = {name: known[name] for name in _NAMED_BY_A_CLAIM if name in known}
    named |= named.pop("figure", {})
    for each in _read(visit, id):
        if named and all(getattr(each.event, name, None) == of for name, of in named.items()):
            yield on_record(each)


def _read(visit: Visit, id: str) -> Iterator[Recorded]:
    return log(visit.accord.history, id, visit.when(id))


def on_record(each: Recorded) -> OnRecord:
    """Return an event as it is listed."""
    return OnRecord(each.index, each.act.occurred_at, each.act.party, words(each.event))


# --- answered before ---------------------------------------------------------------------------


def answered(
    visit: Visit, id: str, party: str, command: type[Command], known: Mapping[str, Any]
) -> OnRecord | None:
    """Return the event by which what a form answers was answered before; None if it was not."""
    found = [
        each
        for each in _read(visit, id)
        if _ends(each, command, known) and (command is not SignAgreement or each.act.party == party)
    ]
    return on_record(found[-1]) if found else None


def _ends(recorded: Recorded, command: type[Command], known: Mapping[str, Any]) -> bool:
    event = recorded.event
    match event:
        case AgreementSigned():
            is_draft = known.get("agreement") == DRAFT
            version = known.get("proposal" if is_draft else "agreement_version")
            return (command is SignAgreement or is_draft) and str(version) == str(
                event.agreement_version
            )
        case ProposalEnded() if event.agreement not in {DRAFT, HYPOTHESIS}:
            kind, name = kind_named(event.agreement), event.proposal
        case BilateralAgreement(proposal_ref=str(name)):
            kind = type(event)
        case _:
            return False
    by_name = known.get("agreement") == kind.name and known.get("proposal") == name
    return by_name or (command in kind.answers() and known.get(kind.called) == name)


# --- the fields that matter --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a form, by how much they matter."""

    settled: tuple[Entry, ...]
    """What is answered: it is known, and sent as it is."""
    asked: tuple[Entry, ...]
    """What the person fills in."""
    more: tuple[Entry, ...]
    """What the person can add."""


def fields_of(
    fields: list[Entry],
    subject: Subject | None,
    command: type[Command],
    known: Mapping[str, Any],
    *,
    is_prefilled: bool,
) -> Fields:
    """Return the fields of a form; without a subject all of them are asked for.

    What is in force and seldom changes comes last.
    """
    fields = [_offered(command, each) for each in fields]
    if subject is None:
        more = tuple(each for each in fields if is_prefilled and _is_frame(each))
        return Fields((), tuple(each for each in fields if each not in more), more)
    settled = [
        each
        for each in fields
        if _is_known(each, known) and each.path not in _OPEN.get(command, ())
    ]
    rest = [each for each in fields if each not in settled]
    if command is OpenDispute:
        settled = [each for each in settled if each.path in _NAMED_BY_A_LINE]
        rest = [each for each in fields if each not in settled]
    if issubclass(command, ClaimCommand):
        rest = [each for each in rest if each.path.partition(".")[0] not in _NAMED_BY_A_CLAIM]
    figure = _figure_of(known.get("metric", "")) if command is ReportMetric else ()
    asked = [
        each
        for each in rest
        if each.is_required or _is_known(each, known) or each.path.startswith(figure)
    ]
    return Fields(tuple(settled), tuple(asked), tuple(each for each in rest if each not in asked))


def _figure_of(metric: str) -> tuple[str, ...]:
    """Return the fields that make the figure of a metric; all for one that both agreed."""
    value, parts = "figure.value", ("figure.numerator", "figure.denominator")
    found = CATALOGUE.get(metric)
    if found is None:
        return (value, *parts)
    if found.of_respondents:
        return ("figure.respondents.",)
    return parts if found.adds is Adds.RATIO else (value,)


_REFUSED_CHOICES: Final[Mapping[type[Command], tuple[str, str]]] = {
    # A dispute is withdrawn by the party that opened it (WithdrawDispute).
    ProposeResolution: ("outcome", DisputeOutcome.WITHDRAWN),
}
"""A choice that is refused whatever else is filled in, with its field, by command."""


def _offered(command: type[Command], entry: Entry) -> Entry:
    """Return a field without the choice that is always refused."""
    path, refused = _REFUSED_CHOICES.get(command, ("", ""))
    if not isinstance(entry, Field) or entry.path != path:
        return entry
    return replace(entry, choices=tuple(each for each in entry.choices if each != refused))


def _is_frame(entry: Entry) -> bool:
    return entry.path == "until" or entry.path.startswith("frame.")


def _is_known(field: Entry, known: Mapping[str, Any]) -> bool:
    found: Any = known
    for name in field.path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found is not None
