"""Which sum of a partnership feeds which answer: each is recorded, and each answer is asked (C19).

The table is a section of `docs/portfolio.md`. After a change that is meant, write it anew:
`python -m tests.projections.test_sums`.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

from domain.entry import RecordJointRevenue, RecordSharedCost
from domain.examples import CHARTER, CO_BRANDED_REVENUE
from domain.formation import ProposeCharter
from domain.health import ContributionKind, RecordContribution
from domain.metric_catalogue import CATALOGUE, Unit
from domain.terms import CostShare, Incentive, Item, Retainer, RevenueSplit, Trigger
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


def net_of(story: Story) -> list[str]:
    """Return the columns of the net contribution to the initiator that the sum moves."""
    found = [
        each for each in line(member(story), story.now, None).contributions if each.party == OURS
    ]
    names = ("revenue", "earned", "owed", "costs", "given")
    return [name for name in names for each in found if getattr(each, name)]


def row(name: str) -> str:
    story = SUMS[name]()
    cells = (revenue_of(story), objectives_on(story), net_of(story))
    return f"| {name} | {' | '.join(', '.join(f'`{x}`' for x in each) or '—' for each in cells)} |"


def section() -> str:
    lines = [
        BEGINS,
        "A test records each sum and asks each answer (`python -m tests.projections.test_sums`).",
        "An objective can be about a metric of the catalogue. What the terms earn a party is none:",
        "it is computed by the ledger, and an objective cannot be about it.",
        "",
        "| recorded | revenue and its dependency | objective | net contribution and ROI |",
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


def test_the_section_is_what_the_answers_say() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == written(page), "see the docstring of this module"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
