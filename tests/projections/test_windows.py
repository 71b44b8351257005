"""Windows of tiers and caps: any order of arrival counts the same (money.md, 3)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.agreement import CommercialTermsAgreed
from domain.terms import FrameChange, RevenueShare, Tier, Trigger
from domain.terms_by_day import TermsByDay
from projections.ledger import windows
from projections.ledger.rows import Base, Entry, Remains, Total, WindowRow
from projections.ledger.tracks import rounded_ratio

WINDOW = "share/notice/north/year/2026-01-01/USD"
START = datetime(2026, 1, 1, tzinfo=UTC)
TIERS = RevenueShare(
    name="notice",
    to="north",
    share=Decimal(10),
    basis="all-payments",
    trigger=Trigger.PAYMENT,
    tiers=[Tier(above=Decimal(100), share=Decimal("17.5"))],
    cap=Decimal(60),
)
TERMS = TermsByDay.of(
    [
        CommercialTermsAgreed(
            proposal="T-1",
            effective_from=date(2026, 1, 1),
            frame=FrameChange(
                starts_on=date(2026, 1, 1), duration="P1Y", notice="P30D", assets_at_exit="retain"
            ),
            items=[TIERS],
            terms_version=1,
            agreed_at=START,
        )
    ]
)


@st.composite
def bases(draw: st.DrawFn) -> list[Base]:
    """Payments of some deals, each with what later refunds left of it."""
    found = []
    for number in range(draw(st.integers(1, 8))):
        at = START + timedelta(hours=draw(st.integers(0, 30)))
        amount = Decimal(draw(st.integers(0, 9000))) / 100
        remains = [Remains(f"payment/P-{number}", at, at.date(), amount)]
        for back in range(draw(st.integers(0, 2))):
            later = at + timedelta(hours=draw(st.integers(0, 20)))
            left = remains[-1].amount * draw(st.integers(0, 4)) / 4
            remains.append(Remains(f"refund/R-{number}-{back}", later, later.date(), left))
        remains[1:] = sorted(remains[1:], key=lambda each: (each.at, each.cause))
        deal, credit = f"deal/D-{number % 3}", draw(st.sampled_from([(1, 1), (1, 3), (0, 1)]))
        found.append(Base(deal, f"payment/P-{number}", at, at.date(), 1, credit, tuple(remains)))
    return found


def by_subject(known: list[Base]) -> dict[str, dict[str, Base]]:
    found: dict[str, dict[str, Base]] = {}
    for each in known:
        found.setdefault(each.subject, {})[windows.key_of(each)] = each
    return found


class Counting:
    """A window, and the entries of all subjects."""

    def __init__(self) -> None:
        self.row = WindowRow()
        self.entries: dict[str, Mapping[str, Entry]] = {}

    def take(self, subject: str, mine: Mapping[str, Base]) -> None:
        """Count these bases as all those of a subject."""
        window = windows.Window(WINDOW, self.row, TERMS)
        known = {subject: self.entries.get(subject, {})}
        self.row, changed = window.counting({subject: mine}, known, lambda: self.entries)
        self.entries |= changed

    @property
    def totals(self) -> dict[str, tuple[Total, ...]]:
        """What each base earned in all once each fact had happened."""
        return {key: each.totals for mine in self.entries.values() for key, each in mine.items()}


def arrived(known: list[Base]) -> Counting:
    """The window after payments arrived one by one, in the order of the list."""
    found = Counting()
    for number in range(1, len(known) + 1):
        subject = known[number - 1].subject
        found.take(subject, by_subject(known[:number])[subject])
    return found


def whole(known: list[Base]) -> Decimal:
    """What all that remains earns, computed in one piece."""
    counted = sum(
        (Fraction(each.remains[-1].amount) * Fraction(*each.credit) for each in known), Fraction(0)
    )
    return rounded_ratio(min(windows.marginal(TIERS, Fraction(0), counted), Fraction(60)), "USD")


@given(bases(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_counts_the_same(known: list[Base], random: "st.Random") -> None:  # type: ignore[name-defined]
    shuffled = [*known]
    random.shuffle(shuffled)

    one, other = arrived(known), arrived(shuffled)

    assert one.totals == other.totals
    assert one.row == other.row


@given(bases())
def test_the_lines_add_up_to_what_the_whole_earns(known: list[Base]) -> None:
    row = arrived(known)

    last = [each[-1].amount for each in row.totals.values() if each]
    assert sum(last, Decimal(0)) == whole(known)


@given(bases())
def test_what_is_taken_out_leaves_what_the_rest_earns(known: list[Base]) -> None:
    without = [each for each in known if each.subject != "deal/D-0"]

    found = arrived(known)
    found.take("deal/D-0", {})

    assert found.totals == arrived(without).totals
