"""Statements: what is owed, and why this number?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Response

from domain import aggregates
from domain.execution import IssueCause
from domain.terms_by_day import local_day
from domain.values import plain
from infra.access.roles import Need
from infra.answers import text
from infra.answers.inbox import INBOX
from infra.answers.line_disputes import decided_by
from infra.answers.logs import moment_of, own_stream, recorded_at_of
from infra.answers.parameters import Name
from infra.answers.question import PartnershipId
from infra.answers.statement import (
    STATEMENT,
    LedgerLine,
    PeriodStatements,
    Statement,
    disputes_of_lines,
    exchanged,
)
from infra.answers.statement_state import State, StatementPayout
from infra.bootstrap import Accord
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.evidence import checkpoint_by
from infra.http.pages.inbox import Asked, by_thing
from infra.http.pages.site import PageRoute, Visit, Visited, names_then, page, zone_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)


PeriodOrName = Annotated[Name, Path(description="A period, or the name of a statement.")]


def _answer(visit: Visit, id: str, period: str) -> PeriodStatements:
    answer: PeriodStatements = STATEMENT.reply(
        visit.accord, id=id, period=period, when=visit.when(id)
    )
    return answer


@router.get("/partnerships/{id}/statements/{period}.json")
@needs(Need.FACTS)
def statement_json(visit: Visited, id: PartnershipId, period: PeriodOrName) -> Response:
    """Return the statements of a period as JSON."""
    return as_json(_answer(visit, id, period))


@router.get("/partnerships/{id}/statements/{period}.csv")
@needs(Need.FACTS)
def statement_csv(visit: Visited, id: PartnershipId, period: PeriodOrName) -> Response:
    """Return the lines of the statements of a period as a table."""
    answer = _answer(visit, id, period)
    lines = (line for each in answer.statements for line in each.lines)
    return as_csv(f"{id}-{period.replace(':', '-')}", LedgerLine, lines)


@router.get("/partnerships/{id}/statements/{period}")
@needs(Need.FACTS)
def statement_page(visit: Visited, id: PartnershipId, period: PeriodOrName) -> Response:
    """Show the statements of a period with every line, each with its event and its terms."""
    names = names_then(visit, id)
    answer, zone = _answer(visit, id, period), zone_of(visit.accord, id, visit.when(id))
    return page(
        "statement.html",
        visit,
        section="portfolio",
        answer=answer,
        names=names,
        zone=zone,
        known=[[*_known_by(visit.accord, id, each, zone)] for each in answer.statements],
        lines=[{of.line: of for of in each.lines} for each in answer.statements],
        stated=[_payment_stated(each) for each in answer.statements],
        confirmed=[
            sum((one.confirmed for one in each.payouts), Decimal(0)) for each in answer.statements
        ],
        disputed=[
            sum((of.amount.amount for of in disputes_of_lines(each)), Decimal(0))
            for each in answer.statements
        ],
        today=local_day(moment_of(visit.accord, id, visit.when(id)), zone.key),
        earned=[_earned(each) for each in answer.statements],
        waiting=_about_disputes(visit, id, answer),
        sheet=_sheet(visit, id),
        keyless=_keyless(visit, id),
        to_dispute=to_dispute,
        what_for=what_for,
        moved_by=moved_by,
    )


def _about_disputes(visit: Visit, id: str, answer: PeriodStatements) -> list[Asked]:
    """Return what open disputes about lines of the statements ask of the parties."""
    names = {
        of.dispute
        for each in answer.statements
        for line in each.lines
        for of in line.disputes
        if of.outcome is None
    }
    asked = by_thing(INBOX.whole(visit.accord, partnership=id, when=visit.when(id)).items)
    return [each for each in asked if any(x.data.get("dispute") in names for x in each.events)]


def _keyless(visit: Visit, id: str) -> frozenset[str]:
    """Return the parties that must sign what binds them, and have no key left that does."""
    state = aggregates.fold(own_stream(visit.accord.history, id, visit.when(id)))
    keys = state.keyring.keys.values()
    return frozenset(each.party for each in keys) - {each.party for each in keys if each.binds}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a printed sheet says of itself."""

    known_at: datetime
    """By when the facts of the answer had been recorded, whatever had happened by `at`."""
    fingerprint: str | None
    """The root of the last checkpoint that was signed by then; null if there is none."""
    size: int | None
    """How many events that checkpoint counts."""


def _sheet(visit: Visit, id: str) -> Sheet:
    signed = checkpoint_by(visit, id)
    now = moment_of(visit.accord, id, replace(visit.when(id), at=None, known=None))
    return Sheet(
        min(visit.known or now, now),
        signed.root if signed else None,
        signed.size if signed else None,
    )


def _earned(statement: Statement) -> Decimal | None:
    """Return what the lines add that no dispute moves; None if none does, or without a rate."""
    moved = [each for each in statement.lines if each.dispute]
    known = [each.counts for each in statement.lines if not each.dispute]
    found = [each for each in known if each is not None]
    return sum(found, Decimal(0)) if moved and len(found) == len(known) else None


def _payment_stated(statement: Statement) -> StatementPayout | None:
    """Return the payout for whose confirmation a statement waits that is paid as its payer says."""
    waiting = [each for each in statement.payouts if each.waits_for]
    return waiting[-1] if statement.state is State.PAYMENT_STATED and waiting else None


def what_for(line: LedgerLine) -> str:
    """Return what a line is for, without what has a column of its own."""
    own = {line.rule.text if line.rule else "", text.late(line.late_days), exchanged(line)}
    said = line.text.removesuffix(f" by dispute {line.dispute}")
    return "; ".join(each for each in said.split("; ") if each not in own)


def moved_by(line: LedgerLine) -> str:
    """Return the dispute by which a line moves money: its row names it; empty if none does."""
    return line.dispute or decided_by(line.cause)


def to_dispute(line: LedgerLine) -> dict[str, Any]:
    """Return what the form of a dispute about a line is filled in with.

    A dispute is named for its line; a later one about the same line has the next number.
    """
    again = f"-{len(line.disputes) + 1}" if line.disputes else ""
    return {
        "dispute": f"line-{line.line}{again}",
        "cause": IssueCause.MONEY.value,
        "subject": line.about,
        "line": {"fact": line.fact, "item": line.item},
        "amount": {"amount": plain(line.disputable or Decimal(0)), "currency": line.currency},
    }


# --- what a statement said on other days -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KnownBy:
    """What was known by the end of a day of the lines of a statement."""

    day: date
    """In the agreement's time zone."""
    until: datetime
    """The last moment of the day."""
    balance: Decimal
    """What the payer owed by the lines that were recorded by then."""
    new: tuple[LedgerLine, ...]
    """The lines that were recorded on the day."""


def _known_by(accord: Accord, id: str, statement: Statement, zone: ZoneInfo) -> Iterator[KnownBy]:
    """Yield each day on which lines of a statement were recorded, with the balance by then.

    Lines are added and never changed, so the lines of earlier events are what was known before.
    """
    balance = Decimal(0)
    moments = recorded_at_of(accord.history, id, {each.index for each in statement.lines})
    days = {index: local_day(at, zone.key) for index, at in moments.items()}
    recorded = sorted(statement.lines, key=lambda each: days[each.index])
    for day, lines in groupby(recorded, key=lambda each: days[each.index]):
        found = [*lines]
        balance += sum((line.counts or Decimal(0) for line in found), Decimal(0))
        until = datetime.combine(day, time.max, zone).astimezone(UTC)
        yield KnownBy(day, until, balance, tuple(found))
