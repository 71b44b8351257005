"""What awaits consent in each partnership: open proposals, and an agreement that is not signed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from domain.adoption import AdoptionPart, AdoptionPartAgreed, AdoptionProposed, parts_of
from domain.aggregates import command_types
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import (
    BilateralAgreement,
    BilateralCountered,
    BilateralProposed,
    ProposalEnded,
    ProposalLapsed,
)
from domain.content import digest
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.deadlines.fold import done_by_both
from domain.deadlines.reviews import cadence_of, cadence_of_kind
from domain.dispute import DisputeResolved
from domain.execution import ReviewHeld, ReviewScheduled
from domain.exit import ENDINGS
from domain.experiment import HYPOTHESIS, HypothesisRegistered, PilotStarted
from domain.exploration import PartnerChosen
from domain.formation import DRAFT, AgreementDrafted, AgreementSigned
from domain.kernel import Command, Event, Stage
from domain.keyring import (
    KeyRecovered,
    KeyRegistered,
    KeyRevoked,
    KeyRotated,
    key_id,
    public_of,
)
from domain.merge import DealsMerged, MergeProposed
from domain.recorded import Recorded
from domain.renewal import AnnualReviewHeld
from domain.second_person import OF_ACTS, ActConfirmed, ActWithdrawn, SecondPersonAsked
from domain.values import in_a_row, personal
from projections.contents import contents
from projections.fold import NOTHING, Change, Projection, Rows
from projections.timeline import words

OPEN: Final = "open"
"""The key of the one row."""


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A proposal that is neither answered nor withdrawn."""

    agreement: str
    """What is proposed, as the commands name it."""
    proposal: str
    """The identifier that its author gave."""
    party: str
    """The party that proposed."""
    made_at: datetime
    substream: str = ""
    """The deal, the dispute or the experiment that it belongs to: `dispute/Q-1`."""
    into: str = ""
    """The deal that a proposed merge would keep: `deal/D-2`."""
    closes: str = ""
    """The deadline that an acceptance closes, as its id: `issue/I-1`."""
    text: str = ""
    """What its author did, as a sentence without its subject."""
    content: str = ""
    """The digest of what is proposed."""
    first_day: date | None = None
    """The first day of proposed terms. An amendment can be accepted until then."""
    parts: tuple[AdoptionPart, ...] = ()
    """The parts of an adoption that are not accepted yet; empty for another proposal."""
    counts_for: str = ""
    """The agreed cadence for which a proposed review counts; empty if its kind is not given, and
    for another proposal."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The latest draft of the agreement, as long as a party has not signed it."""

    version: int
    drafted_at: datetime
    drafted_by: str
    content: str
    """The digest of the draft."""
    signed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenAct:
    """An act that awaits a second person of its party."""

    act: str
    """Its identifier."""
    party: str
    confirm_by: date
    """The last day on which it can be confirmed."""
    within: str = ""
    """The dispute or the entry that it is on: `dispute/Q-1`."""
    text: str = ""
    """What the first person did, as a sentence without its subject."""
    content: str = ""
    """The digest of the act."""
    command: str = ""
    """The command of the act."""
    names: dict[str, str] = field(default_factory=dict)
    """What the act names, such as its statement or the proposal that it accepts, by field."""

    def does(self, command: type[Command], data: Mapping[str, Any]) -> bool:
        """Whether a command with these data does the same as the act, or the like of it."""
        named = {key: each for key, each in data.items() if key in self.names}
        return command.__name__ == self.command and named.items() <= self.names.items()


@dataclass(frozen=True, slots=True)
class OpenProposals:
    """What awaits consent in one partnership."""

    open: tuple[OpenProposal, ...] = ()
    """In the order in which they were made."""
    unsigned: Unsigned | None = None
    substreams: tuple[str, ...] = ()
    """The deals and disputes on which anything was ever proposed."""
    keys: tuple[tuple[str, str], ...] = ()
    """The active keys that sign what binds: each party and the key's identifier, sorted."""
    acts: tuple[OpenAct, ...] = ()
    """What a second person confirms, in the order in which it was done."""


def keys(_: Recorded) -> tuple[str, ...]:
    """Return the one row."""
    return (OPEN,)


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Add a proposal, or take away one that was answered or withdrawn."""
    row: OpenProposals = rows.get(OPEN) or OpenProposals()
    made = _made(recorded)
    after = replace(
        row,
        open=tuple(_left(row.open, recorded)) + made,
        unsigned=_unsigned(row.unsigned, recorded),
        substreams=_with_substreams(row.substreams, made),
        keys=_keys(row.keys, recorded),
        acts=_acts(row.acts, recorded),
    )
    if after == row:
        return NOTHING
    return Change({OPEN: after if after != OpenProposals() else None}, [])


def _left(existing: Iterable[OpenProposal], recorded: Recorded) -> Iterator[OpenProposal]:
    """Yield what an event leaves open. Of an adoption, that can be some of its parts."""
    event = recorded.event
    for each in existing:
        if isinstance(event, AdoptionPartAgreed) and each.parts and each.proposal == event.proposal:
            left = tuple(part for part in each.parts if part != event.part)
            text = f"proposed to adopt the partnership; still to accept: its {', '.join(left)}"
            yield replace(each, parts=left, text=text)
        elif not _ends(recorded, each):
            yield each


def _with_substreams(known: tuple[str, ...], made: tuple[OpenProposal, ...]) -> tuple[str, ...]:
    proposed = (each.substream for each in made if each.agreement != HYPOTHESIS)
    new = tuple(each for each in proposed if each not in {"", *known})
    return (*known, *new) if new else known


def _substream(recorded: Recorded) -> str:
    return recorded.stream.removeprefix(recorded.partnership).removeprefix("/")


def _made(recorded: Recorded) -> tuple[OpenProposal, ...]:
    event, act = recorded.event, recorded.act
    match event:
        case BilateralProposed():
            agreement = event.agreement
            name, kind = getattr(event, agreement.called), agreement.name
        case HypothesisRegistered():
            name, kind = event.experiment, HYPOTHESIS
        case _:
            return ()
    return (
        OpenProposal(
            kind,
            name,
            act.party,
            act.occurred_at,
            _substream(recorded),
            f"deal/{event.into}" if isinstance(event, MergeProposed) else "",
            _closes(event),
            _text(event),
            digest(event),
            _first_day(event),
            parts_of(event) if isinstance(event, AdoptionProposed) else (),
            _cadence(event),
        ),
    )


def _first_day(event: Any) -> date | None:  # noqa: ANN401 - any event
    """Return the first day of proposed terms; None for another proposal."""
    is_of_terms = isinstance(event, BilateralProposed) and event.agreement is CommercialTermsAgreed
    day: date | None = event.effective_from if is_of_terms else None
    return day


UNNAMED: Final = "a person"
"""What stands in a row for the name of a person."""


def _text(event: Event) -> str:
    """Return what is proposed in words, without people: rows have no names."""
    unnamed = event.model_copy(update=dict.fromkeys(personal(type(event)), UNNAMED))
    return _COMMITMENT.sub(UNNAMED, text_of(unnamed))


def text_of(event: Event) -> str:
    """Return what is proposed in words, as a sentence without its subject."""
    return in_a_row((words(event), *contents(event)))


def names_people(proposal: OpenProposal) -> bool:
    """Whether the text of a proposal can have left out the name of a person."""
    return UNNAMED in proposal.text


def with_names(row: OpenProposals, events: Iterable[Recorded]) -> OpenProposals:
    """Return the proposals with the names of people, from events that have them."""
    said = {
        (made.agreement, made.proposal, made.substream): text_of(each.event)
        for each in events
        for made in _made(each)
    }
    named = (
        replace(each, text=said.get((each.agreement, each.proposal, each.substream), each.text))
        if names_people(each)
        else each
        for each in row.open
    )
    return replace(row, open=tuple(named))


_COMMITMENT: Final = re.compile("person:[0-9a-f]{64}")
"""A person within an adoption: the stored event has a commitment to the name."""


def _closes(event: Any) -> str:  # noqa: ANN401 - events that are made
    """Return the deadline that the acceptance of a proposal closes; empty if there is none."""
    return done_by_both(event) if isinstance(event, BilateralProposed) else ""


def _cadence(event: Any) -> str:  # noqa: ANN401 - events that are made
    """Return the cadence for which a proposed review counts; empty for another proposal."""
    kind = event.agreement if isinstance(event, BilateralProposed) else None
    if kind is ReviewScheduled:
        return cadence_of_kind(event.kind)
    is_held = kind in {ReviewHeld, AnnualReviewHeld}
    return cadence_of(kind.model_construct(**dict(event))) if kind and is_held else ""


def _ends(recorded: Recorded, existing: OpenProposal) -> bool:
    """Whether an event answers or withdraws a proposal, or ends what it belongs to."""
    event = recorded.event
    if existing.agreement == HYPOTHESIS and isinstance(event, (*ENDINGS, PartnerChosen)):
        # What was tried ends with the search, or with the partnership.
        return True
    # What makes a proposal on a deal or an experiment impossible is recorded with the partnership.
    within = event.within if isinstance(event, ProposalEnded) else None
    if existing.substream != (within or _substream(recorded)):
        return False
    match event:
        case DisputeResolved():
            return True
        case BilateralCountered():
            named = event.agreement.name, event.counters
        case BilateralAgreement():
            named = event.name, event.proposal_ref or ""
        case ProposalEnded():
            named = event.agreement, event.proposal
        case PilotStarted():
            named = HYPOTHESIS, event.experiment
        case _:
            return False
    return (existing.agreement, existing.proposal) == named


def ends_elsewhere(event: Event) -> bool:
    """Whether an event can make proposals on other deals or experiments impossible."""
    is_exit = isinstance(event, DeadlinePassed) and event.kind is DeadlineKind.EXIT
    return is_exit or isinstance(event, DealsMerged)


def lapsed_elsewhere(row: OpenProposals, event: Event) -> list[ProposalLapsed]:
    """Return that proposals on other deals and experiments lapse: nobody can accept them any more.

    There are no chains of merges, and no pilot is started after an exit.
    """
    match event:
        case DealsMerged(deal=duplicate, into=kept):
            merges = [each for each in row.open if each.agreement == DealsMerged.name]
            ended = [
                each
                for each in merges
                if each.into == f"deal/{duplicate}" or each.substream == f"deal/{kept}"
            ]
            reason = f"Deal {duplicate} was merged into {kept}."
        case DeadlinePassed(kind=DeadlineKind.EXIT, ref=day):
            ended = [each for each in row.open if each.agreement == HYPOTHESIS]
            reason = f"The exit took effect on {day}."
        case _:
            return []
    return [
        ProposalLapsed(
            agreement=each.agreement, proposal=each.proposal, within=each.substream, reason=reason
        )
        for each in ended
    ]


def _unsigned(before: Unsigned | None, recorded: Recorded) -> Unsigned | None:
    event, act = recorded.event, recorded.act
    match event:
        case AgreementDrafted():
            return Unsigned(event.agreement_version, act.occurred_at, act.party, digest(event))
        case AgreementSigned() if before and before.version == event.agreement_version:
            signed = (*before.signed_by, act.party)
            return replace(before, signed_by=signed) if len(signed) < 2 else None  # noqa: PLR2004 - both
        case _ if isinstance(event, ENDINGS):
            return None
        case ProposalEnded(agreement=agreement) if agreement == DRAFT:
            return None
        case _:
            return before


def _keys(before: tuple[tuple[str, str], ...], recorded: Recorded) -> tuple[tuple[str, str], ...]:
    event, party = recorded.event, recorded.act.party
    match event:
        case KeyRegistered(delegated=None):
            return tuple(sorted((*before, (party, event.name))))
        case KeyRotated() if (party, event.replaces) in before:
            rest = (each for each in before if each[1] != event.replaces)
            return tuple(sorted((*rest, (party, event.name))))
        case KeyRecovered():
            rest = (each for each in before if each[0] != event.party)
            return tuple(sorted((*rest, (event.party, key_id(public_of(event))))))
        case KeyRevoked():
            return tuple(each for each in before if each[1] != event.keyid)
        case _:
            return before


def _acts(before: tuple[OpenAct, ...], recorded: Recorded) -> tuple[OpenAct, ...]:
    event = recorded.event
    match event:
        case SecondPersonAsked():
            by, within = recorded.act.party, event.within or ""
            made = OpenAct(
                event.act,
                by,
                event.confirm_by,
                within,
                _text(event),
                digest(event),
                event.command,
                {key: each for key, each in event.data.items() if isinstance(each, str)},
            )
            return (*_without(before, event.act), made)
        case ActConfirmed() | ActWithdrawn():
            return _without(before, event.act)
        case DeadlinePassed(kind=DeadlineKind.CONFIRMATION):
            return _without(before, event.ref.partition("/")[0])
        case _ if isinstance(event, ENDINGS):
            # What is owed stays owed, so a payout can be confirmed after the end.
            return tuple(each for each in before if _is_for_ended(each.command))
        case _:
            return before


def _is_for_ended(command: str) -> bool:
    return Stage.ENDED in command_types()[command].stages


def _without(acts: tuple[OpenAct, ...], name: str) -> tuple[OpenAct, ...]:
    return tuple(each for each in acts if each.act != name)


def _concerned() -> frozenset[type[Event]]:
    found: set[type[Event]] = {
        AdoptionPartAgreed,
        HypothesisRegistered,
        PilotStarted,
        DisputeResolved,
        AgreementDrafted,
        AgreementSigned,
        *ENDINGS,
        PartnerChosen,
        KeyRegistered,
        KeyRotated,
        KeyRevoked,
        *OF_ACTS,
        DeadlinePassed,
        *ProposalEnded.__subclasses__(),
    }
    kinds: list[Any] = BilateralAgreement.__subclasses__()
    for kind in kinds:
        made = (kind, kind.proposed, kind.countered)
        found |= {each for each in made if each is not None}
    return frozenset(found)


PROPOSALS = Projection(
    "proposals", keys, apply, _concerned(), version=21, row_type=lambda _: OpenProposals
)
