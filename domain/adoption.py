"""Adoption: a partnership that already runs comes in with what it is (C28).

One party proposes the whole: who the parties are, the contract that they signed, the terms by date,
the charter, the rules, the governance, past figures, and where the books begin. The other party
accepts it at once, accepts it part by part, or declines it. Nothing binds before that. No gate is
passed and none is said to be: the stage is the one that the proposal states.

What was owed for days before `Books.settles_from` is settled outside Accord. What was still open
then comes in as balances.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from domain import charter as charters
from domain import content as contents
from domain import reported_figure, rules
from domain.agreement import CommercialTermsAgreed, Sections, TermsFor
from domain.bilateral import BilateralAgreement, BilateralCommand
from domain.calendar import bounds
from domain.charter import Charter
from domain.claims import ClaimConfirmed, FigureRef
from domain.consent import acceptable
from domain.content import Consent, FileDigest
from domain.context import PartnershipContext
from domain.exploration import not_the_clock
from domain.formation import AgreementAdopted, CharterAgreed, DecisionRuleAgreed
from domain.governance import (
    ContactAssigned,
    GovernanceEstablished,
    GovernanceFor,
    ResourcesCommitted,
    SponsorAssigned,
)
from domain.kernel import ADOPTING, Act, Command, Event, Refused, Stage, Unknown, Value
from domain.metric_catalogue import known
from domain.reported_figure import MetricReported
from domain.rules import DecisionRule
from domain.settlement import AdjustmentAgreed
from domain.terms import UTC as UTC_ZONE
from domain.terms import check_parties
from domain.terms_by_day import TermsByDay, local_day
from domain.values import Day, PositiveMoney, Ref, Slug, Text

# --- what comes in -----------------------------------------------------------------------------


class AdoptedParty(Value):
    """A party, and its people."""

    party: Slug
    """The identifier of the party."""
    name: Text
    """The name of the organisation."""
    contacts: list[ContactAssigned] = []
    """Its contacts, one for each function."""
    sponsor: SponsorAssigned | None = None
    """Its executive sponsor."""
    resources: ResourcesCommitted | None = None
    """The time and the money that it committed."""

    def people(self) -> list[Event]:
        """Return what the party says of its people, as it would say it in a running partnership."""
        found = [*self.contacts, self.sponsor, self.resources]
        return [each for each in found if each is not None]


class Contract(Value):
    """The contract that both parties signed before the adoption."""

    reference: Text
    """Where the contract is: a document number, a link."""
    sha256: FileDigest | None = None
    """The SHA-256 of the file, by which a bundle can bring it and a reader can check it."""
    signed_on: Day
    """The day on which the second party signed."""
    sections: Sections
    """Its sections. A section that the contract lacks is left out."""


class TermsOnDay(TermsFor):
    """Terms, and the day on which both parties agreed them."""

    agreed_on: Day
    """The day on which both parties agreed them."""


class OpeningBalance(Value):
    """An amount that one party still owes the other where the books begin."""

    by: Slug
    """The party that owes the amount."""
    to: Slug
    """The party that it is owed to."""
    amount: PositiveMoney
    """The amount of money."""
    reason: Text
    """What it is owed for: an invoice, a month of commission."""


class Books(Value):
    """Where the books of this record begin."""

    settles_from: Day
    """The first day that is settled here. What was owed for earlier days is settled elsewhere, but
    for the balances."""
    balances: list[OpeningBalance] = []
    """What was still owed on that day, in any currency."""


class AdoptionPart(StrEnum):
    """The parts of an adoption. Each can be accepted by itself."""

    PARTIES = "parties"
    """The parties with their people, the purpose, the first day and the stage."""
    TERMS = "terms"
    BOOKS = "books"
    CONTRACT = "contract"
    CHARTER = "charter"
    RULES = "rules"
    GOVERNANCE = "governance"
    FIGURES = "figures"


class PartnershipAdopted(
    BilateralAgreement,
    name="Adoption",
    subject="that a partnership which already runs comes in with what it is (C28)",
    stages=ADOPTING,
    counted=None,
):
    """Both parties confirmed that a running partnership comes in with what it is (C28)."""

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    parties: Annotated[list[AdoptedParty], Field(min_length=2, max_length=2)]
    """The two parties. The first is the initiator."""
    purpose: Text
    """What the partnership is for, in words."""
    since: Day
    """The first day of the partnership."""
    stage: Literal[Stage.EXECUTION, Stage.SCALING]
    """The stage that the partnership is in."""
    terms: Annotated[list[TermsOnDay], Field(min_length=1)]
    """The terms by date: the first ones, then each amendment, in the order of agreement. A renewal
    is an amendment with the longer duration."""
    books: Books
    """Where the books begin."""
    contract: Contract | None = None
    """The contract that both parties signed."""
    charter: Charter | None = None
    """The charter of objectives."""
    charter_agreed_on: Day | None = None
    """The day on which both parties agreed the charter. Its objectives run from then on; without
    the day they run from the adoption on."""
    rules: list[DecisionRule] = []
    """The decision rules. They apply from the adoption on."""
    governance: GovernanceFor | None = None
    """Reviews, decision rights, and the path for disputes."""
    figures: list[MetricReported] = []
    """Past figures, as the party that proposes the adoption reports them."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if a part is not allowed, as it would be in a running partnership."""
        parties = _names(proposed)
        _check_parties(proposed, parties, context)
        agreed_terms(proposed)
        if proposed.charter is not None:
            with _of_field("charter"):
                charters.check(proposed.charter, parties)
        for place, rule in enumerate(proposed.rules):
            with _of_field(f"rules/{place}"):
                rules.check(rule)
                rules.check_budget(rule, ())
        _check_distinct([each.rule for each in proposed.rules], "rules", "decision rule")
        for place, each in enumerate(proposed.figures):
            with _of_field(f"figures/{place}"):
                reported_figure.check(each.figure, known(each.metric, "metric"))
        _check_distinct([_stream(each) for each in proposed.figures], "figures", "figure")
        for place, balance in enumerate(proposed.books.balances):
            with _of_field(f"books/balances/{place}"):
                AdjustmentAgreed.check(balance, replace(context, parties=parties))

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the last day of the term."""
        ends_on = TermsByDay.of(agreed_terms(proposed)).term_ends_on
        return ends_on - timedelta(days=1) if ends_on else None

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return nothing to add. Raises `Refused` if the term is over by now."""
        check_term(proposed, act)
        return {}

    @classmethod
    def answers(cls) -> tuple[type[Command], ...]:
        """Return the commands with which the other party answers: all of it, a part, or no."""
        whole, *others = super().answers()
        return whole, AgreeAdoptionPart, *others

    def recorded(self) -> list[Event]:
        """Return the adoption, then what both parties agree by it."""
        events: list[Event] = [self]
        if self.contract is not None:
            events.append(AgreementAdopted(**dict(self.contract), signed_by=list(_names(self))))
        events += agreed_terms(self)
        if self.charter is not None:
            warnings = self.charter.warnings()
            events += CharterAgreed(
                proposal=self.proposal, charter=self.charter, warnings=warnings
            ).recorded()
        events += [
            DecisionRuleAgreed(proposal=self.proposal, rule=each, rule_version=1)
            for each in self.rules
        ]
        if self.governance is not None:
            events.append(
                GovernanceEstablished(
                    **dict(self.governance), proposal=self.proposal, agreed_version=1
                )
            )
        return events + [
            AdjustmentAgreed(**dict(each), proposal=f"opening-{number}")
            for number, each in enumerate(self.books.balances, 1)
        ]


ProposeAdoption = PartnershipAdopted.proposes
AdoptionProposed = PartnershipAdopted.proposed
AgreeAdoption = PartnershipAdopted.accepts


class _OfAPart(Value):
    proposal: Ref
    """The identifier of the proposal."""
    part: AdoptionPart
    """The part that is accepted."""


class AgreeAdoptionPart(_OfAPart, Consent, BilateralCommand):
    """Accept one part of an adoption that the other party proposed. The last part completes it."""

    stages = ADOPTING
    agreement = PartnershipAdopted


class AdoptionPartAgreed(_OfAPart, Event):
    """A party accepted one part of an adoption. It binds once all parts are accepted."""


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adoption:
    """The adoption as proposed last, or as agreed, and the parts that were accepted."""

    parts: Mapping[str, tuple[AdoptionPart, ...]] = field(default_factory=dict)
    """By the identifier of the proposal."""
    latest: Any = None
    """The adoption that was proposed last, or the one that is agreed; None if there is none."""
    agreed_at: datetime | None = None
    """When the adoption was agreed."""


# --- decisions ---------------------------------------------------------------------------------


def decide(
    command: BilateralCommand, state: Adoption, context: PartnershipContext, act: Act
) -> list[Event]:
    """Decide a command on an adoption. Raises `Refused`."""
    if isinstance(command, AgreeAdoptionPart):
        return agree_part(command, state, context, act)
    if isinstance(command, ProposeAdoption):
        _check_author(command, act)
        _check_past(command, act)
    events = context.agreements.decide(command, context, act)
    if events and isinstance(command, ProposeAdoption):
        check_term(command, act)
    return events


def agree_part(
    command: AgreeAdoptionPart, state: Adoption, context: PartnershipContext, act: Act
) -> list[Event]:
    """Accept one part of an adoption; with the last one the adoption is agreed."""
    existing = acceptable(
        command.proposal, context.agreements.proposals_of(PartnershipAdopted), act
    )
    if existing is None:
        return []
    contents.check(command, existing.proposed)
    parts = parts_of(existing.proposed)
    if command.part not in parts:
        raise Unknown(
            "no-such-part",
            f"Only a part that the adoption has can be accepted. {command.proposal} has no "
            f"{command.part}.",
            f"Use one of these: {', '.join(parts)}.",
            field="part",
            named=command.part,
            known=[*parts],
        )
    accepted = state.parts.get(command.proposal, ())
    if command.part in accepted:
        return []
    event = AdoptionPartAgreed(proposal=command.proposal, part=command.part)
    if {*accepted, command.part} != {*parts}:
        return [event]
    whole = AgreeAdoption(proposal=command.proposal)
    return [event, *context.agreements.decide(whole, context, act)]


def parts_of(proposed: Any) -> tuple[AdoptionPart, ...]:  # noqa: ANN401 - made
    """Return the parts that a proposed adoption has, in the order of `AdoptionPart`."""
    return tuple(each for each in AdoptionPart if getattr(proposed, each.value))


def agreed_terms(proposed: Any) -> list[CommercialTermsAgreed]:  # noqa: ANN401 - made
    """Return the terms of an adoption as agreed on their days, each checked after the ones before.

    Raises `Refused` as an amendment on its day would be.
    """
    context = PartnershipContext(parties=_names(proposed))
    before: date | None = None
    for number, each in enumerate(proposed.terms, 1):
        with _of_field(f"terms/{number - 1}"):
            if before is not None and each.agreed_on <= before:
                raise Refused(
                    "terms-in-order",
                    "Terms must be in the order of agreement, each on a day of its own. These were "
                    f"agreed on {each.agreed_on}, those before them on {before}.",
                    "Sort the terms by agreed_on. Join those that were agreed on the same day.",
                    field="agreed_on",
                )
            before = each.agreed_on
            agreed = _agreed(each, number, context)
            context = replace(context, terms=context.terms.with_agreement(agreed))
    return list(context.terms.agreed)


def _agreed(terms: TermsOnDay, number: int, context: PartnershipContext) -> CommercialTermsAgreed:
    proposal = f"adopted-terms-{number}"
    content: dict[str, Any] = {name: getattr(terms, name) for name in TermsFor.model_fields}
    proposed = CommercialTermsAgreed.proposed(proposal=proposal, **content)
    CommercialTermsAgreed.check(proposed, context)
    at = _beginning(terms, context)
    content |= CommercialTermsAgreed.complete(proposed, context, Act("", "", at, at))
    return CommercialTermsAgreed(proposal=proposal, terms_version=number, **content)


def _beginning(terms: TermsOnDay, context: PartnershipContext) -> datetime:
    """Return the moment, in UTC, at which the day of the agreement begins in its time zone."""
    if context.terms.is_agreed:
        return context.terms.midnight(terms.agreed_on)
    return datetime.combine(terms.agreed_on, time(), ZoneInfo(_zone(terms))).astimezone(UTC)


def _zone(terms: TermsOnDay) -> str:
    return (terms.frame and terms.frame.time_zone) or UTC_ZONE


def check_term(proposed: Any, act: Act) -> None:  # noqa: ANN401 - made
    """Raise `Refused` if the term of an adoption is over by now."""
    terms = TermsByDay.of(agreed_terms(proposed))
    end, today = terms.term_ends_on, terms.day(act.occurred_at)
    if end is not None and end <= today:
        raise Refused(
            "term-is-over",
            f"Only a partnership whose term runs can be adopted. The term ended on {end}; today is "
            f"{today}.",
            "Add the renewal as terms with the longer duration, counted from the first day.",
            field="terms",
        )


def _names(proposed: Any) -> tuple[str, ...]:  # noqa: ANN401 - made
    return tuple(each.party for each in proposed.parties)


def _check_author(command: Any, act: Act) -> None:  # noqa: ANN401 - made
    not_the_clock(act.party)
    with _of_field("parties"):
        check_parties([act.party], _names(command))


def _check_parties(
    proposed: Any,  # noqa: ANN401 - made
    parties: tuple[str, ...],
    context: PartnershipContext,
) -> None:
    for place, each in enumerate(proposed.parties):
        with _of_field(f"parties/{place}/party"):
            not_the_clock(each.party)
            if context.parties:
                check_parties([each.party], context.parties)
        functions = [contact.function.value for contact in each.contacts]
        _check_distinct(functions, f"parties/{place}/contacts", "contact")
    _check_distinct(parties, "parties", "party")


def _check_distinct(names: Iterable[str], field: str, what: str) -> None:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            raise Refused(
                "given-twice",
                f"An adoption names each {what} once. {name} is given twice.",
                "Remove one of them.",
                field=f"{field}/{place}",
            )
        seen.add(name)


def _check_past(command: Any, act: Act) -> None:  # noqa: ANN401 - made
    """Raise `Refused` if an adoption states as past what had not happened."""
    today = local_day(act.occurred_at, _zone(command.terms[0]))
    days = {
        "since": command.since,
        **{f"terms/{n}/agreed_on": each.agreed_on for n, each in enumerate(command.terms)},
        **{
            f"figures/{n}/period": bounds(each.period)[0].date()
            for n, each in enumerate(command.figures)
        },
    }
    if command.contract is not None:
        days["contract/signed_on"] = command.contract.signed_on
    if command.charter_agreed_on is not None:
        days["charter_agreed_on"] = command.charter_agreed_on
    for name, day in days.items():
        if day > today:
            raise Refused(
                "not-past",
                f"An adoption states what is past. It gives {day}; today is {today}.",
                "Correct the day, or leave it out and agree it after the adoption.",
                field=name,
            )


@contextmanager
def _of_field(name: str) -> Iterator[None]:
    """Name the field of the command in a refusal that is raised inside."""
    try:
        yield
    except Refused as refused:
        inner = refused.facts.get("field")
        refused.facts["field"] = f"{name}/{inner}" if inner else name
        raise


# --- what follows ------------------------------------------------------------------------------


class Consequence(NamedTuple):
    """What is recorded for a party because of an event, in a stream of the partnership."""

    substream: str
    """The stream below the partnership's; empty for its own."""
    party: str
    events: list[Event]


def follows(event: Event, act: Act) -> Iterator[Consequence]:
    """Yield what an adoption states for each party: its people, and the past figures.

    The party that proposed reports the figures, and the other confirms them by its acceptance. No
    figure can be on record before an adoption, so their streams are empty.
    """
    if not isinstance(event, PartnershipAdopted):
        return
    for each in event.parties:
        if people := each.people():
            yield Consequence("", each.party, people)
    proposer = next(each for each in _names(event) if each != act.party)
    for figure in event.figures:
        yield Consequence(_stream(figure), proposer, [figure])
        named = FigureRef(**figure.model_dump(include={*FigureRef.model_fields}))
        confirmed = ClaimConfirmed(figure=named, fact=reported_figure.FIGURE)
        yield Consequence(_stream(figure), act.party, [confirmed])


def adopted_streams(event: PartnershipAdopted) -> tuple[str, ...]:
    """Return the names of the streams of the figures that came in by an adoption, in order."""
    return tuple(sorted(map(_stream, event.figures)))


def _stream(figure: MetricReported) -> str:
    return FigureRef(**figure.model_dump(include={*FigureRef.model_fields})).stream


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Adoption, event: Event, act: Act) -> Adoption:
    """Fold an event of an adoption into its state."""
    match event:
        case AdoptionProposed():
            return replace(state, latest=event)
        case AdoptionPartAgreed(proposal=name, part=part):
            return replace(state, parts={**state.parts, name: (*state.parts.get(name, ()), part)})
        case PartnershipAdopted():
            return replace(state, latest=event, agreed_at=act.occurred_at)
        case _:
            return state


AdoptionCommands: tuple[type[Command], ...] = (ProposeAdoption, AgreeAdoption, AgreeAdoptionPart)
"""The commands that this module decides."""
