"""The law of arrival, from messages to money: in any order, the same messages earn the same.

`tests/domain/test_any_order.py` shows that any order records the same facts of one stream, and
`tests/model` that the same facts earn the same. Here messages go through decisions to the ledger.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain.attribution import AttributionPolicy, PolicyKind
from domain.claims import ClaimKind
from domain.kernel import Command, Refused
from domain.payment import ReceivePayment
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    QualifyLead,
    SubmitReferral,
)
from domain.sale import WinDeal
from domain.terms import (
    ClaimRules,
    Hybrid,
    Incentive,
    Item,
    Minimum,
    ReferralFee,
    RevenueSplit,
    Tier,
    Trigger,
)
from tests.domain.test_any_order import THEM, US, Sent, life_of_a_deal
from tests.life import OURS, THEIRS, usd
from tests.projections.arrivals import Fact, Said, arrive, owed
from tests.projections.money import share, under
from tests.stories import Story
from tests.sweeps import sweep

ITEMS: list[Item] = [
    share("15"),
    share("10", basis="first-year", trigger=Trigger.SALE),
    share("10", tiers=[Tier(above=Decimal(100), share=Decimal(20))], cap=Decimal(40)),
    share("10", to=OURS),
    ReferralFee(to=THEIRS, fee=usd("50.00"), trigger=Trigger.SALE),
    ReferralFee(to=OURS, fee=usd("30.00"), trigger=Trigger.PAYMENT),
    RevenueSplit(shares={OURS: Decimal(40), THEIRS: Decimal(60)}, trigger=Trigger.PAYMENT),
    Minimum(
        on=THEIRS, metric="leads", window="quarter", at_least=2, fee=usd("50.00"), per="missing"
    ),
    *(
        Hybrid(
            to=to,
            base=usd("0.00"),
            every="P1Y",
            bonus=usd("7.00"),
            window="month",
            bonus_metric=metric,
            bonus_threshold=1,
        )
        for to in (OURS, THEIRS)
        for metric in ("demos", "attributed_leads", "opportunities", "deals_paid")
    ),
    Incentive(by=OURS, amount=usd("9.00")),
]
POLICIES = [
    AttributionPolicy(kind=PolicyKind.NONE),
    AttributionPolicy(kind=PolicyKind.FIRST_TOUCH),
    AttributionPolicy(kind=PolicyKind.LAST_TOUCH, window_days=20),
    AttributionPolicy(kind=PolicyKind.LINEAR),
    AttributionPolicy(kind=PolicyKind.CODE_WINS),
    AttributionPolicy(kind=PolicyKind.SPLIT, weights={OURS: Decimal(30), THEIRS: Decimal(70)}),
]
RULES = [
    ClaimRules(),
    ClaimRules(confirm_within_days=20),
    ClaimRules(on_word=[ClaimKind.TOUCH]),
    ClaimRules(on_word=[ClaimKind.WIN]),
]


def of_the_story(sent: Sent) -> Fact:
    """Return a message of a life with the names of the story's parties."""
    text = sent.command.model_dump_json().replace(US, OURS).replace(THEM, THEIRS)
    command: Command = type(sent.command).model_validate_json(text)
    party = OURS if sent.party == US else THEIRS
    return (Said(f"{sent.at:%Y-%m-%dT%H:%M}", party, command),)


def accepted(story: Story, facts: Iterable[Fact]) -> list[Fact]:
    """Return the messages that are not refused in the order of time."""
    found: list[Fact] = []
    for (said,) in facts:
        story.wait(hours=1)
        try:
            story.when(said.party, said.command, happened=said.happened)
        except Refused:
            continue
        found.append((said,))
    return found


BY_BOTH = AttributeReferral | QualifyLead | CreateOpportunity | HoldDemo | WinDeal | ReceivePayment
"""What both sides may state alike. Answers, corrections and returns are one side's word."""


def stated_by_both(facts: Iterable[Fact], random: Random) -> Iterator[Fact]:
    """Yield messages of what both sides may state; some of them come from both."""
    for (said,) in facts:
        if isinstance(said.command, SubmitReferral | BY_BOTH):
            yield (said,)
            if isinstance(said.command, BY_BOTH) and random.randrange(3) == 0:
                yield (said._replace(party=THEIRS if said.party == OURS else OURS),)


@settings(
    max_examples=sweep(60, 20), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
@given(
    st.lists(st.sampled_from(ITEMS), min_size=1, max_size=5, unique_by=id),
    st.sampled_from(POLICIES),
    st.sampled_from(RULES),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_messages_of_a_deal_earn_the_same_in_any_order(
    items: list[Item],
    policy: AttributionPolicy,
    rules: ClaimRules,
    by_both: bool,  # noqa: FBT001 - drawn
    random: Random,
) -> None:
    begun = under(*items, attribution=policy, claims=rules)
    begun.on("2026-06-01")
    life: Iterable[Fact] = map(of_the_story, life_of_a_deal(random))
    life = stated_by_both(life, random) if by_both else life
    facts = accepted(begun.copy(), life)

    def earned(order: Iterable[Fact]) -> object:
        story = arrive(begun.copy(), order)
        story.on("2027-01-02")
        return owed(story)

    in_time = earned(facts)
    for _ in range(2):
        assert earned(random.sample(facts, len(facts))) == in_time
