"""Money: what do we owe, what are we owed, and what is overdue, over all partnerships?"""

from dataclasses import dataclass, fields

from fastapi import APIRouter, Response

from infra.access.roles import Need
from infra.answers.owed import OWED
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import PageRoute, Visited, names_of_each, page
from projections.results import Money

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class _Whose:
    party: str
    """The party that owes, and that is owed."""


@dataclass(frozen=True)
class Row(Money, _Whose):
    """What a party owes and is owed in one partnership and currency, as a row of a table."""

    @classmethod
    def of(cls, party: str, owing: Money) -> "Row":
        """Return the row of a party."""
        return cls(party, *(getattr(owing, each.name) for each in fields(owing)))


@router.get("/money.json")
@needs(Need.FACTS)
def money_json(visit: Visited) -> Response:
    """Return what each party owes, is owed and disputes as JSON."""
    return as_json(OWED.reply(visit.accord, when=visit.when()))


@router.get("/money.csv")
@needs(Need.FACTS)
def money_csv(visit: Visited) -> Response:
    """Return the sums of each partnership and currency as a table."""
    answer = OWED.reply(visit.accord, when=visit.when())
    rows = (Row.of(of.party, each) for of in answer.parties for each in of.partners)
    return as_csv("money", Row, rows)


@router.get("/money")
@needs(Need.FACTS)
def money_page(visit: Visited) -> Response:
    """Show what each party owes and is owed, what is overdue and what is in dispute."""
    answer = OWED.reply(visit.accord, when=visit.when())
    return page(
        "money.html",
        visit,
        section="money",
        answer=answer,
        shown_day=answer.moment,
        overdue=sum(one.is_overdue for each in answer.parties for one in each.unpaid),
        names=names_of_each(visit, {each.id for of in answer.parties for each in of.partners}),
        disputes=sum(len(each.disputes) for each in answer.parties),
    )
