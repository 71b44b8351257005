"""What a proposal contains beyond its sentence: the terms, the objectives, the sections, in words.

A sentence names what was proposed (`timeline`); whoever answers it has to read all of it.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from domain import adoption, agreement, experiment, formation, scaling
from domain.calendar import in_words, until_in_words
from domain.charter import Charter, Objective
from domain.kernel import Event
from domain.metric_catalogue import NO_METRICS, Catalogue, in_unit, metric_words
from domain.terms import describe, frame_words, shares_words
from domain.values import Money, in_a_row, name_words, plain
from projections.rule_words import rule_in_words


def contents(event: Event, own: Catalogue = NO_METRICS) -> Iterator[str]:
    """Yield what an event says beyond its sentence, in words; nothing if the sentence has it.

    `own` are the metrics that both parties defined.
    """
    match event:
        case agreement.TermsProposed() | agreement.TermsCountered():
            yield from _terms(event)
        case formation.CharterProposed():
            yield from _charter(event.charter)
        case formation.AgreementDrafted():
            yield from _sections(event.sections)
        case scaling.JointInvestmentProposed():
            yield from _investment(event)
        case adoption.AdoptionProposed():
            yield from _adoption(event)
        case formation.DecisionRuleProposed():
            yield rule_in_words(event.rule, own)
        case experiment.HypothesisRegistered():
            yield from (f"{each.variant}: {each.description}" for each in event.variants)
            yield f"variants are assigned by {event.assignment}"
        case _:
            return


def _terms(proposed: Any) -> Iterator[str]:  # noqa: ANN401 - proposed, countered or adopted
    until = f" {until_in_words(proposed.until)}" if proposed.until else ""
    yield f"from {proposed.effective_from}{until}"
    if changed := proposed.frame and proposed.frame.given():
        yield in_a_row(frame_word(name, value) for name, value in changed.items())
    yield from map(describe, proposed.items or ())


def frame_word(name: str, value: Any) -> str:  # noqa: ANN401 - any value of the frame
    """Return a field of the frame of terms in words: ``time zone: Europe/Berlin``."""
    return f"{frame_words(name)}: {_agreed(name, value)}"


def _agreed(name: str, value: Any) -> str:  # noqa: ANN401 - any value of the frame
    return in_words(value) if name in {"duration", "notice", "cure_period"} else value_words(value)


def _charter(charter: Charter) -> Iterator[str]:
    yield charter.purpose
    yield from (f"goal of {party}: {goal}" for party, goal in charter.goals.items())
    yield from (f"expected {name}: {text}" for name, text in charter.expectations)
    yield from map(_objective, charter.objectives)


def _objective(agreed: Objective) -> str:
    return (
        f"{agreed.words} from {in_unit(agreed.baseline, agreed.unit)} to "
        f"{in_unit(agreed.target, agreed.unit)} by {agreed.deadline}: {agreed.method}, "
        f"{agreed.frequency} from {agreed.tool}"
    )


def _sections(sections: agreement.Sections) -> Iterator[str]:
    yield from (
        f"{name_words(name)}: {value_words(value)}" for name, value in sections if value is not None
    )


def _investment(proposed: Any) -> Iterator[str]:  # noqa: ANN401 - made
    yield from (f"{party} brings {what}" for party, what in proposed.capabilities.items())
    yield f"judged by {metric_words(proposed.success_metric)}"
    yield f"paid by {shares_words(proposed.investment_shares)}"
    yield f"reward of {shares_words(proposed.reward_shares)}"


def _adoption(proposed: Any) -> Iterator[str]:  # noqa: ANN401 - made
    yield proposed.purpose
    for each in proposed.parties:
        people = [f"{of.name} ({name_words(of.function)})" for of in each.contacts]
        if sponsor := each.sponsor:
            people.append(f"{sponsor.name}, {sponsor.title} (executive sponsor)")
        yield f"{each.party}: {in_a_row([each.name, *people])}"
    for terms in proposed.terms:
        yield f"terms agreed on {terms.agreed_on}: {in_a_row(_terms(terms))}"
    yield f"settled here from {proposed.books.settles_from}"
    for balance in proposed.books.balances:
        yield f"{balance.by} owes {balance.to} {balance.amount}: {balance.reason}"
    if contract := proposed.contract:
        yield f"contract {contract.reference} of {contract.signed_on}"
        yield from _sections(contract.sections)
    if proposed.charter:
        if proposed.charter_agreed_on:
            yield f"charter agreed on {proposed.charter_agreed_on}"
        yield from _charter(proposed.charter)
    yield from (f"decision rule {each.rule}: {rule_in_words(each)}" for each in proposed.rules)
    if agreed := proposed.governance:
        yield f"disputes go to {', then '.join(agreed.dispute_path)}"
        yield f"decisions: {agreed.decision_rights}"
    yield from (
        f"{metric_words(each.metric)} of {each.period}: {each.figure}" for each in proposed.figures
    )


def value_words(value: object) -> str:
    """Return a value in words; of an object, what differs from its defaults."""
    match value:
        case Money():
            return str(value)
        case BaseModel():
            given = value.model_dump(exclude_defaults=True, exclude_none=True)
            return ", ".join(
                f"{name_words(name)} {value_words(getattr(value, name))}" for name in given
            )
        case Mapping():
            return ", ".join(f"{name} {value_words(each)}" for name, each in value.items())
        case list():
            return ", ".join(map(value_words, value))
        case Decimal():
            return plain(value)
        case _:
            return str(value)
