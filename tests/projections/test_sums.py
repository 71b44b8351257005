"""Which sum of a partnership feeds which answer: each is recorded, and each answer is asked (C19).

The table is a section of `docs/portfolio.md`. After a change that is meant, write it anew:
`python -m tests.projections.test_sums`.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from domain.entry import RecordJointRevenue, RecordSharedCost
from domain.examples import CHARTER, CO_BRANDED_REVENUE, CONVERSION_FLOOR
from domain.formation import ProposeCharter
from domain.health import ContributionKind, RecordContribution
from domain.metric_catalogue import CATALOGUE, Unit
from domain.rules import RuleComparison
from domain.terms import CostShare, Incentive, Item, Retainer, RevenueSplit, Trigger
from projections.backtest import tried
from projections.objectives import objectives
from projections.portfolio import line
from tests.documents import REPOSITORY
from tests.life import OURS, THEIRS, changed, usd
from tests.projections.folds import figures, member
from tests.projections.money import refer, share, under
from tests.stories import Story

PAGE: Final = REPOSITORY / "docs/portfolio.md"
BEGINS: Final = "### What each sum feeds\n"
ENDS: Final = "\n## Duplicate credits"

METRICS: Final = [
    name for name, each in CATALOGUE.items() if each.of_entries or each.of_contributions
]
"""What an objective can be about that entries and contributions show."""


def under_items(*items: Item) -> Story:
    story = under(*items)
    story.on("2026-02-02")
    return story


def joint_revenue() -> Story:
    shares = {OURS: Decimal(60), THEIRS: Decimal(40)}
    story = under_items(RevenueSplit(shares=shares, trigger=Trigger.JOINT_REVENUE))
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00"), collected_by=OURS))
    return story


def shared_costs() -> Story:
    shares = {OURS: Decimal(25), THEIRS: Decimal(75)}
    story = under_items(CostShare(cost="hosting", shares=shares))
    cost = RecordSharedCost(entry="C-1", cost="hosting", amount=usd("80.00"), paid_by=OURS)
    story.when(THEIRS, cost)
    return story


def incentives() -> Story:
    story = under_items(Incentive(by=THEIRS, amount=usd("10.00")))
    refer(story, "D-1", by=OURS)
    return story


def retainers() -> Story:
    return under_items(Retainer(to=OURS, fee=usd("50.00"), every="P1M"))


def hours(value: str | None = None) -> Story:
    story = under_items(share())
    command = RecordContribution(
        contribution="G-1",
        kind=ContributionKind.TIME,
        what="Training",
        period="2026-02",
        hours=Decimal(8),
        value=usd(value) if value else None,
    )
    story.when(OURS, command)
    return story


SUMS: Final[dict[str, Callable[[], Story]]] = {
    "joint revenue": joint_revenue,
    "shared costs": shared_costs,
    "incentives": incentives,
    "retainers": retainers,
    "hours": hours,
    "hours with a value": lambda: hours("300.00"),
}


def revenue_of(story: Story) -> list[str]:
    """Return the kinds of revenue that the initiator's sheet and its dependency show."""
    return [each.metric for each in line(member(story), story.now, None).revenue if each.amount]


def objectives_on(story: Story) -> list[str]:
    """Return the metrics whose objective the sum moves from zero."""
    wanted = [
        changed(
            CO_BRANDED_REVENUE,
            objective=name.replace("_", "-"),
            metric=name,
            unit="USD" if CATALOGUE[name].unit is Unit.MONEY else CATALOGUE[name].unit.value,
            baseline=Decimal(0),
            target=Decimal(1000),
            segment=OURS if CATALOGUE[name].by_party else None,
            deadline=date(2026, 12, 31),
        )
        for name in METRICS
    ]
    found = []
    for each in wanted:
        own = story.copy()
        better = changed(each, baseline=Decimal(1000), target=Decimal(1))
        is_down = CATALOGUE[each.metric].direction.value == "down"
        charter = changed(CHARTER, objectives=[better if is_down else each])
        own.agree(OURS, ProposeCharter(proposal="charter-sums", charter=charter))
        (progress,) = objectives(figures(own), own.now.date())
        if progress.value:
            found.append(each.metric)
    return found


def rules_on(story: Story) -> list[str]:
    """Return the metrics of which the sum breaks a rule: more than zero."""
    closed = story.copy()
    closed.on("2026-04-02")
    found = []
    for name in METRICS:
        metric = CATALOGUE[name]
        rule = changed(
            CONVERSION_FLOOR,
            metric=name,
            measured="count",
            segment=OURS if metric.by_party else None,
            currency="USD" if metric.unit is Unit.MONEY else None,
            comparison=RuleComparison.ABOVE,
            threshold=Decimal(0),
            consecutive=1,
        )
        if tried(rule, "2026", closed.history).alerts:
            found.append(name)
    return found


NO_REVENUE: Final = "no money comes in"
BY_THE_LEDGER: Final = "computed by the ledger"
WHY_NOT: Final = {
    ("shared costs", "revenue"): NO_REVENUE,
    ("hours", "revenue"): NO_REVENUE,
    ("hours with a value", "revenue"): NO_REVENUE,
    ("incentives", "judged"): BY_THE_LEDGER,
    ("retainers", "judged"): BY_THE_LEDGER,
    ("hours", "net"): "hours alone have no price",
}
"""Why a sum feeds nothing of a column."""


def net_of(story: Story) -> list[str]:
    """Return the columns of the net contribution to the initiator that the sum moves."""
    found = [
        each for each in line(member(story), story.now, None).contributions if each.party == OURS
    ]
    names = ("revenue", "earned", "owed", "costs", "given")
    return [name for name in names for each in found if getattr(each, name)]


def row(name: str) -> str:
    story = SUMS[name]()
    fed = {
        "revenue": revenue_of(story),
        "judged": objectives_on(story),
        "net": net_of(story),
    }
    cells = (
        ", ".join(f"`{each}`" for each in found) or f"none: {WHY_NOT[name, column]}"
        for column, found in fed.items()
    )
    return f"| {name} | {' | '.join(cells)} |"


def section() -> str:
    lines = [
        BEGINS,
        "A test records each sum and asks each answer (`python -m tests.projections.test_sums`).",
        "An objective and a decision rule can be about a metric of the catalogue: they are judged",
        "from counts, as each event is recorded.",
        "",
        "What the terms earn a party is no metric. The ledger computes a month again when a late",
        "fact, an answer to a claim, a rate or new terms change it, and a rule may not act on a",
        "sum that moves without a new figure. For a target on it, agree a metric of your own",
        "(`ProposeMetric`) whose source is the statement, and report what the statement says: once",
        "issued it does not change.",
        "",
        "| recorded | revenue, dependency | objective, decision rule | net contribution, ROI |",
        "|---|---|---|---|",
        *map(row, SUMS),
        "",
    ]
    return "\n".join(lines)


def written(page: str) -> str:
    """Return a page with the section as it is played now."""
    before, _, rest = page.partition(BEGINS)
    if not rest:
        before, _, rest = page.partition(ENDS)
        return f"{before}\n{section()}{ENDS}{rest}"
    return f"{before}{section()}{ENDS}{rest.partition(ENDS)[2]}"


@pytest.mark.parametrize("name", SUMS)
def test_a_rule_can_be_about_all_that_an_objective_can_be_about(name: str) -> None:
    story = SUMS[name]()

    assert rules_on(story) == objectives_on(story)


def test_the_section_is_what_the_answers_say() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == written(page), "see the docstring of this module"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
