"""Budgets: the joint investments that both agreed, and what reductions leave of them (C20, C26)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.arithmetic import exact
from domain.bilateral import BilateralAgreements
from domain.described import described
from domain.execution import InvestmentReduced, reductions
from domain.scaling import JointInvestmentAgreed
from domain.settlement import rounded
from domain.values import Money


@described
@dataclass(frozen=True, slots=True)
class Budget:
    """A joint investment, and what is left of it."""

    budget: str
    """The identifier of the joint investment."""
    purpose: str
    """What the investment is for."""
    agreed: Money
    """The whole investment of both parties."""
    left: Money
    """What its reductions leave of it."""
    reductions: tuple[InvestmentReduced, ...]
    """The reductions, in the order in which they were recorded."""


def budgets(agreements: BilateralAgreements) -> list[Budget]:
    """Return each joint investment, with what its reductions leave of it."""
    reduced = reductions(agreements)
    return [
        _budget(each, [of for of in reduced if of.budget == each.proposal])
        for each in agreements.of(JointInvestmentAgreed)
    ]


@exact
def _budget(agreed: JointInvestmentAgreed, reduced: Iterable[InvestmentReduced]) -> Budget:
    """Take reductions off one after the other: each is a share of what is left before it."""
    found = tuple(reduced)
    left, currency = agreed.investment.amount, agreed.investment.currency
    for each in found:
        left = rounded(left * (100 - each.by) / Decimal(100), currency)
    return Budget(
        agreed.proposal,
        agreed.purpose,
        agreed.investment,
        Money(amount=left, currency=currency),
        found,
    )
