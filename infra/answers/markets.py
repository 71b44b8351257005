"""Rank the markets, each by its own evidence, and check for five common mistakes (C3)."""

from collections.abc import Iterator
from typing import Annotated

from domain.metric_catalogue import metric_words
from domain.values import Slug, name_words, unended
from infra.answers.logs import NOW, AsOf
from infra.answers.members import chosen, members
from infra.answers.question import Answer, Panel, Parameter, Question
from infra.answers.text import Block, Line, Remark, Table, amount, number
from infra.bootstrap import Accord
from projections import ranking
from projections.ranking import RankedMarket, RankedPartner

Only = Annotated[
    tuple[Slug, ...],
    Parameter("Only these partnerships; all unless given.", "ID", positional=True),
]


class Markets(Answer):
    """The markets of each party, by rank."""

    markets: tuple[RankedMarket, ...]
    """The markets."""


def ask(accord: Accord, partnership: Only = (), when: AsOf = NOW) -> Markets:
    """Rank the markets of all partnerships that the viewer is a party of, or of some of them.

    Raises `NotFound` for a partnership that does not exist or that the viewer is no party of.
    """
    found = chosen(accord, partnership, when) if partnership else members(accord, when)
    return Markets(simulated=accord.simulated, as_of=when.asked, markets=ranking.markets(found))


def text(answer: Markets) -> Iterator[Block]:
    """Yield the markets by rank, then the mistakes that were made in each."""
    if not answer.markets:
        yield Remark("No partnership has a market yet (TargetMarket).")
    yield Table(
        [">RANK", "MARKET", "OF", ">VIABILITY", ">CULTURE", ">FEEDBACK", "WHY"],
        [
            (
                each.rank or "–",
                each.market,
                each.party,
                number(each.viability),
                number(each.cultural_fit),
                ""
                if each.feedback_score is None
                else f"{number(each.feedback_score)} ({each.feedback})",
                "; ".join(f"{unended(reason.text)} ({reason.shown_by})" for reason in each.reasons),
            )
            for each in answer.markets
        ],
    )
    for each in answer.markets:
        yield Line()
        yield Line(f"{each.market}: {', '.join(each.partnerships)}", "bold")
        yield _partners(each.partners)
        yield Table(
            ["MISTAKE", "MADE", "SHOWN BY, OR WHAT TO DO"],
            [
                (
                    name_words(check.mistake),
                    "yes" if check.made else "no",
                    check.hint if check.made else check.shown_by,
                )
                for check in each.checks
            ],
            indent=2,
        )


def _partners(partners: tuple[RankedPartner, ...]) -> Table:
    return Table(
        [">RANK", "PARTNER", "IN", "STATE", "MEASURED", "OPINIONS"],
        [
            (
                each.rank,
                each.candidate.candidate,
                each.partnership,
                each.candidate.progress.value,
                "; ".join(_measured(each)),
                "; ".join(_opinions(each)),
            )
            for each in partners
        ],
        indent=2,
    )


def _measured(row: RankedPartner) -> Iterator[str]:
    for each in row.revenue:
        yield f"{metric_words(each.metric)} {number(each.amount)} {each.currency}"
    for figure in row.figures:
        yield f"{metric_words(figure.metric)} {amount(figure.amount, figure.unit)}"
    yield from map(str, row.rates)
    yield from row.candidate.measured


def _opinions(row: RankedPartner) -> Iterator[str]:
    yield (
        "market not rated"
        if row.viability is None
        else f"viability {number(row.viability)}, cultural fit {number(row.cultural_fit)}"
    )
    yield from row.candidate.opinions


MARKETS = Question(
    "markets",
    ask,
    text,
    path="/v1/markets",
    help="Rank the markets, each by its own evidence, and check for five common mistakes.",
    panel=Panel.PARTNERSHIPS,
)
