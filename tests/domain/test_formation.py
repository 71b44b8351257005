"""Formation: agreements need both parties; the gate to execution (C7 to C12, C15)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from domain.agreement import (
    AcceptTerms,
    CommercialTermsAgreed,
    CounterTerms,
    ProposeTerms,
    Sections,
    TermsAccepted,
)
from domain.attribution import AttributionPolicy, PolicyKind
from domain.bilateral import DeclineProposal, ProposalAnswer, ProposalLapsed, WithdrawProposal
from domain.content import digest
from domain.execution import (
    AgreeOnboardingStep,
    HoldKickoff,
    KickoffHeld,
    ProposeOnboardingStep,
)
from domain.exit import GiveExitNotice
from domain.formation import (
    DRAFT,
    AgreeCharter,
    AgreeDecisionRule,
    AgreementAmended,
    AgreementDrafted,
    AgreementSigned,
    AgreeNegotiationEnd,
    AttachEvidence,
    CharterAgreed,
    DecisionRuleAgreed,
    DecisionRuleProposed,
    DeclareBestAlternative,
    DeclareNonNegotiable,
    DraftAgreement,
    NegotiationEnded,
    NonNegotiableDeclared,
    ObjectiveAgreed,
    ProposeCharter,
    ProposeDecisionRule,
    ProposeNegotiationEnd,
    SignAgreement,
)
from domain.gates import ProposeWaiver
from domain.governance import (
    AgreeGovernance,
    AssignContact,
    AssignSponsor,
    CommitResources,
    Function,
    ProposeGovernance,
    SponsorAssigned,
)
from domain.kernel import Command, Refused, Stage
from domain.payment import ReceivePayment
from domain.referral import SubmitReferral
from domain.standing_alerts import RESERVED
from domain.terms import (
    CostShare,
    FrameChange,
    Hybrid,
    Item,
    LicenceFee,
    Minimum,
    Penalty,
    ReferralFee,
    Retainer,
    RevenueShare,
    Tier,
    Trigger,
    named,
)
from projections import DEADLINES, PROPOSALS
from projections.deadlines import OPEN, OVERDUE
from projections.fold import replay
from tests.life import (
    CHARTER,
    CO_BRANDED_REVENUE,
    CONVERSION_FLOOR,
    FRAME,
    ITEMS,
    OURS,
    SECTIONS,
    STRANGER,
    THEIRS,
    after,
    at,
    before,
    changed,
    example,
    referral_share,
    split,
    usd,
)
from tests.projections.folds import states
from tests.stories import Story

# --- terms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shares", [("70", "30"), ("60", "40"), ("33.3", "66.7")])
def test_splits_that_add_up_are_taken(shares: tuple[str, str]) -> None:
    story = at(Stage.FORMATION)

    assert story.when(OURS, example(ProposeTerms, items=[split(*shares)]))


@pytest.mark.parametrize("shares", [("70", "20"), ("70", "40"), ("100", "0.000000001")])
def test_splits_that_do_not_add_up_are_refused(shares: tuple[str, str]) -> None:
    story = at(Stage.FORMATION)

    refusal = story.refuses(OURS, example(ProposeTerms, items=[split(*shares)]))

    assert refusal.rule == "splits-add-up"
    assert refusal.facts["shares"] == dict(zip((OURS, THEIRS), shares, strict=True))


def test_shares_of_a_cost_add_up_too() -> None:
    travel = CostShare(cost="Travel", shares={OURS: Decimal(50), THEIRS: Decimal(49)})

    refusal = at(Stage.FORMATION).refuses(OURS, example(ProposeTerms, items=[travel]))

    assert refusal.rule == "splits-add-up"


@pytest.mark.parametrize(
    "item",
    [
        changed(referral_share("15"), to=STRANGER),
        CostShare(cost="Travel", shares={OURS: Decimal(50), STRANGER: Decimal(50)}),
        ReferralFee(to=STRANGER, fee=usd("500.00"), trigger=Trigger.SALE),
        Retainer(to=STRANGER, fee=usd("2000.00"), every="P1M"),
        LicenceFee(to=STRANGER, fee=usd("2000.00"), every="P1Y"),
        Hybrid(
            to=STRANGER,
            base=usd("1000.00"),
            every="P1M",
            bonus=usd("500.00"),
            window="month",
            bonus_metric="deals_won",
            bonus_threshold=5,
        ),
        Penalty(on=STRANGER, condition="No referral in a quarter", fee=usd("1000.00")),
    ],
)
def test_terms_name_only_the_two_parties(item: object) -> None:
    refusal = at(Stage.FORMATION).refuses(OURS, example(ProposeTerms, items=[item]))

    assert refusal.rule == "unknown-party"


def test_three_years_from_2026_end_on_2029_01_01_and_leave_notice_until_2028_11_02() -> None:
    terms = after(AcceptTerms).partnership.context.terms

    assert terms.end == date(2029, 1, 1)
    assert terms.last_notice_day == date(2028, 11, 2)


@pytest.mark.parametrize(("notice", "fits"), [("P3M", True), ("P91D", False), ("P1Y", False)])
def test_the_notice_fits_into_the_duration(notice: str, fits: bool) -> None:  # noqa: FBT001 - a column
    story = at(Stage.FORMATION)
    proposal = example(ProposeTerms, frame=changed(FRAME, duration="P3M", notice=notice))

    if fits:
        assert story.when(OURS, proposal)
    else:
        assert story.refuses(OURS, proposal).rule == "notice-exceeds-duration"


@pytest.mark.parametrize(("duration", "fits"), [("P900Y", True), ("P974Y", False)])
def test_terms_end_by_the_last_year_of_days(duration: str, fits: bool) -> None:  # noqa: FBT001 - a column
    story = at(Stage.FORMATION)
    proposal = example(ProposeTerms, frame=changed(FRAME, duration=duration))

    if fits:
        assert story.when(OURS, proposal)
    else:
        assert story.refuses(OURS, proposal).rule == "term-too-long"


def test_terms_last_for_a_day_or_longer() -> None:
    with pytest.raises(ValidationError, match="a day or longer"):
        changed(FRAME, duration="P0D", notice="P0D")


def test_terms_that_were_countered_are_refused_with_the_name_of_the_counter_proposal() -> None:
    story = after(CounterTerms)

    refusal = story.refuses(THEIRS, example(AcceptTerms, proposal="terms-1"))

    assert refusal.rule == "proposal-countered"
    assert "was answered with another one, terms-2" in refusal.detail
    assert refusal.hint.startswith("Answer terms-2")


def test_a_counter_proposal_is_accepted_by_the_one_who_was_countered() -> None:
    story = before(AcceptTerms)

    agreed = story.when(OURS, example(AcceptTerms))

    assert agreed == [
        TermsAccepted(proposal="terms-2"),
        CommercialTermsAgreed(
            proposal="terms-2",
            terms_version=1,
            effective_from=date(2026, 1, 1),
            frame=FRAME,
            items=ITEMS,
            agreed_at=story.now,
        ),
    ]
    assert story.when(OURS, example(AcceptTerms)) == []


def test_a_party_cannot_accept_its_own_proposal() -> None:
    story = before(AcceptTerms)

    assert story.refuses(THEIRS, AcceptTerms(proposal="terms-2")).rule == "own-proposal"
    assert story.refuses(OURS, AcceptTerms(proposal="terms-1")).rule == "own-proposal"
    assert story.refuses(OURS, example(CounterTerms, counters="terms-1")).rule == "own-proposal"


@pytest.mark.parametrize("command", [AcceptTerms, AgreeCharter, AgreeDecisionRule])
def test_only_what_was_put_forward_can_be_accepted(command: type[AcceptTerms]) -> None:
    story = at(Stage.FORMATION)

    assert story.refuses(THEIRS, example(command, proposal="none")).rule == "no-such-proposal"


@pytest.mark.parametrize(
    ("command", "party", "other"),
    [
        (ProposeTerms, OURS, {"effective_from": date(2026, 2, 1)}),
        (CounterTerms, THEIRS, {"effective_from": date(2026, 2, 1)}),
        (ProposeCharter, OURS, {"charter": changed(CHARTER, purpose="Another")}),
        (ProposeDecisionRule, OURS, {"rule": changed(CONVERSION_FLOOR, consecutive=1)}),
    ],
)
def test_a_proposal_keeps_its_content(
    command: type[Command], party: str, other: dict[str, object]
) -> None:
    story = after(command)

    assert story.when(party, example(command)) == []
    assert story.refuses(party, example(command, **other)).rule == "proposal-exists"


def test_the_other_party_cannot_make_a_standing_proposal_its_own() -> None:
    story = after(ProposeTerms)

    assert story.refuses(THEIRS, example(ProposeTerms)).rule == "proposal-exists"


def amended(story: Story, effective_from: date, percent: str) -> Story:
    """The terms become `percent` from a day on, proposed by one party and accepted by the other."""
    name = f"amendment-{percent}"
    items = [referral_share(percent)]
    story.when(OURS, ProposeTerms(proposal=name, items=items, effective_from=effective_from))
    story.when(THEIRS, AcceptTerms(proposal=name))
    return story


def test_the_terms_in_force_are_those_of_the_day() -> None:
    story = amended(at(Stage.EXECUTION), date(2026, 7, 1), "10")

    terms = story.partnership.context.terms
    assert terms.version(date(2025, 12, 31)) == 0
    assert terms.version(date(2026, 1, 1)) == 1
    assert terms.version(date(2026, 6, 30)) == 1
    assert terms.version(date(2026, 7, 1)) == 2


def test_an_amendment_never_takes_effect_before_it_is_agreed() -> None:
    story = at(Stage.EXECUTION)
    yesterday = story.now.date() - timedelta(days=1)

    refusal = story.refuses(OURS, example(ProposeTerms, proposal="late", effective_from=yesterday))

    assert (refusal.rule, refusal.facts["field"]) == ("terms-never-backwards", "effective_from")


def test_an_amendment_is_accepted_by_its_first_day_at_the_latest() -> None:
    story = at(Stage.EXECUTION)
    today = story.now.date()
    story.when(OURS, example(ProposeTerms, proposal="late", effective_from=today))
    story.now += timedelta(days=1)

    assert story.refuses(THEIRS, AcceptTerms(proposal="late")).rule == "terms-never-backwards"


def test_an_amendment_signed_by_one_side_only_changes_nothing() -> None:
    story = at(Stage.EXECUTION)
    items = [referral_share("10")]

    story.when(OURS, ProposeTerms(proposal="a", items=items, effective_from=date(2026, 7, 1)))

    assert story.partnership.context.terms.version(date(2026, 7, 1)) == 1
    assert story.refuses(OURS, AcceptTerms(proposal="a")).rule == "own-proposal"


def scheduled(story: Story, start: date, until: date | None = None) -> None:
    """Both agree terms from a day on, or for a time."""
    name = f"from-{start}-{until}"
    items = [referral_share("12")]
    story.when(OURS, ProposeTerms(proposal=name, items=items, effective_from=start, until=until))
    story.when(THEIRS, AcceptTerms(proposal=name))


JULY, AUGUST, OCTOBER = date(2026, 7, 1), date(2026, 8, 1), date(2026, 10, 1)


def test_terms_for_a_time_adjust_those_that_hold_and_then_give_way_to_them() -> None:
    story = at(Stage.EXECUTION)

    scheduled(story, JULY, OCTOBER)

    terms = story.partnership.context.terms
    days = [JULY - timedelta(days=1), JULY, OCTOBER - timedelta(days=1), OCTOBER]
    assert [terms.version(day) for day in days] == [1, 2, 2, 1]


def test_of_two_amendments_from_one_day_the_one_agreed_later_applies() -> None:
    story = at(Stage.EXECUTION)
    scheduled(story, JULY)
    story.wait(hours=1)

    amended(story, JULY, "9")

    terms = story.partnership.context.terms
    assert terms.items(JULY) == named([referral_share("9")])


def test_an_amendment_for_an_earlier_day_leaves_one_for_a_later_day_alone() -> None:
    story = at(Stage.EXECUTION)
    scheduled(story, OCTOBER)
    story.wait(hours=1)

    amended(story, JULY, "9")

    terms = story.partnership.context.terms
    assert terms.items(JULY) == named([referral_share("9")])
    assert terms.items(OCTOBER) == named([referral_share("12")])


def test_terms_that_would_never_apply_are_refused() -> None:
    story = at(Stage.EXECUTION)

    refusal = story.refuses(
        OURS, ProposeTerms(proposal="b", items=ITEMS, effective_from=JULY, until=JULY)
    )

    assert refusal.rule == "terms-end-first"


def test_terms_for_a_time_have_items_and_no_frame() -> None:
    story = at(Stage.EXECUTION)
    framed = example(ProposeTerms, proposal="b", effective_from=JULY, until=OCTOBER)

    assert story.refuses(OURS, framed).rule == "items-for-a-time"
    assert story.refuses(OURS, changed(framed, items=None)).rule == "items-for-a-time"
    assert story.refuses(OURS, changed(framed, items=None, frame=None)).rule == "items-for-a-time"
    assert story.when(OURS, changed(framed, frame=None))


@pytest.mark.parametrize("name", ["starts_on", "duration", "notice", "assets_at_exit"])
def test_the_first_terms_give_the_whole_frame(name: str) -> None:
    story = before(ProposeTerms)

    refusal = story.refuses(OURS, example(ProposeTerms, frame=changed(FRAME, **{name: None})))

    assert refusal.rule == "frame-incomplete"
    assert refusal.facts["missing"] == [name]


def test_the_first_terms_have_a_frame_and_items() -> None:
    story = before(ProposeTerms)

    no_frame = story.refuses(OURS, example(ProposeTerms, frame=None))
    no_items = story.refuses(OURS, example(ProposeTerms, items=None))

    assert no_frame.facts["missing"] == ["starts_on", "duration", "notice", "assets_at_exit"]
    assert no_items.facts["missing"] == ["items"]


def test_an_amendment_changes_something() -> None:
    story = at(Stage.EXECUTION)
    nothing = ProposeTerms(proposal="b", effective_from=JULY)

    assert story.refuses(OURS, nothing).rule == "nothing-changed"
    assert story.refuses(OURS, changed(nothing, frame=FrameChange())).rule == "nothing-changed"


def test_an_amendment_can_repeat_fields_and_change_one() -> None:
    story = at(Stage.EXECUTION)
    frame = changed(FRAME, notice="P90D")
    story.when(OURS, ProposeTerms(proposal="b", frame=frame, effective_from=JULY))
    before = story.partnership.context.terms

    story.when(THEIRS, AcceptTerms(proposal="b"))

    terms = story.partnership.context.terms
    assert terms.frame(JULY) == changed(before.frame(JULY), notice="P90D")
    assert [terms.items(day) for day in (JULY, OCTOBER)] == [before.items(JULY)] * 2
    assert terms.end == before.end


def test_the_start_of_a_term_that_has_begun_stays() -> None:
    story = at(Stage.EXECUTION)
    frame = FrameChange(starts_on=date(2026, 3, 1))

    refusal = story.refuses(OURS, ProposeTerms(proposal="b", frame=frame, effective_from=JULY))

    assert (refusal.rule, refusal.facts["field"]) == ("term-has-begun", "frame")


def test_the_start_of_a_term_can_move_before_it_begins() -> None:
    story = after(AcceptTerms)
    frame = FrameChange(starts_on=date(2026, 3, 1))
    story.wait(hours=1)
    story.when(OURS, ProposeTerms(proposal="b", frame=frame, effective_from=story.now.date()))

    story.when(THEIRS, AcceptTerms(proposal="b"))

    terms = story.partnership.context.terms
    assert (terms.start, terms.end) == (date(2026, 3, 1), date(2029, 3, 1))


def test_an_amendment_is_agreed_after_the_terms_that_it_amends() -> None:
    story = after(AcceptTerms)
    agreed_at = f"{story.now:%Y-%m-%dT%H:%M}"
    story.wait(hours=1)
    amendment = ProposeTerms(proposal="b", items=ITEMS, effective_from=JULY)
    story.when(OURS, amendment, happened=agreed_at)

    refusal = story.refuses(THEIRS, AcceptTerms(proposal="b"), happened=agreed_at)

    assert refusal.rule == "amended-before-agreed"


def test_an_amendment_can_begin_on_the_day_of_agreement_in_the_time_zone_of_the_agreement() -> None:
    story = at(Stage.EXECUTION)
    frame = FrameChange(time_zone="Asia/Tokyo")
    story.when(OURS, ProposeTerms(proposal="b", frame=frame, effective_from=date(2026, 2, 1)))
    story.when(THEIRS, AcceptTerms(proposal="b"))
    story.on("2026-03-01T16:00")  # 01:00 of 2 March in Tokyo.

    first, second = (
        ProposeTerms(proposal=f"c{day}", items=[referral_share("9")], effective_from=day)
        for day in (date(2026, 3, 1), date(2026, 3, 2))
    )
    refusal = story.refuses(OURS, first)
    story.when(OURS, second)

    assert refusal.rule == "terms-never-backwards"
    assert story.when(THEIRS, AcceptTerms(proposal=second.proposal))


def test_items_have_different_names() -> None:
    story = before(ProposeTerms)
    items = [referral_share("9"), changed(referral_share("8"), name="revenue-share-1")]

    assert story.refuses(OURS, example(ProposeTerms, items=items)).rule == "item-name-taken"


def test_terms_for_a_time_need_terms_to_adjust() -> None:
    story = before(AcceptTerms)
    proposal = example(ProposeTerms, proposal="b", until=OCTOBER, frame=None)

    assert story.refuses(OURS, proposal).rule == "nothing-to-adjust"


BONUS = Hybrid(
    to=THEIRS,
    base=usd("100.00"),
    every="P2M",
    bonus=usd("50.00"),
    window="quarter",
    bonus_metric="deals_won",
    bonus_threshold=10,
)
SHORTFALL = Minimum(
    on=THEIRS, metric="leads", window="quarter", at_least=10, fee=usd("50.00"), per="missing"
)


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        (
            RevenueShare(
                to=THEIRS,
                share=Decimal(10),
                basis="all-payments",
                trigger=Trigger.PAYMENT,
                tiers=[
                    Tier(above=Decimal(5000), share=Decimal(12)),
                    Tier(above=Decimal(5000), share=Decimal(15)),
                ],
            ),
            "tiers-in-order",
        ),
        (
            changed(BONUS, bonus_metric="payments"),
            "currency-of-a-metric",
        ),
        (
            changed(SHORTFALL, currency="USD"),
            "currency-of-a-metric",
        ),
        (
            RevenueShare(to=THEIRS, share=Decimal(9), basis="months", trigger=Trigger.PAYMENT),
            "months-of-a-share",
        ),
        (changed(referral_share("9"), months=12), "months-of-a-share"),
        (
            changed(SHORTFALL, metric="smiles"),
            "unknown-metric",
        ),
        (
            changed(SHORTFALL, metric="deals_lost"),
            "less-is-better",
        ),
        (
            changed(BONUS, bonus_metric="churn_rate"),
            "less-is-better",
        ),
        (
            changed(BONUS, bonus_metric="joint_revenue", currency="USD"),
            "entries-decide-no-fee",
        ),
        (
            changed(BONUS, bonus_metric="deals_sourced"),
            "figures-by-party-decide-no-fee",
        ),
    ],
)
def test_an_item_that_cannot_be_computed_is_refused(item: Item, rule: str) -> None:
    story = before(ProposeTerms)

    assert story.refuses(OURS, example(ProposeTerms, items=[item])).rule == rule


@pytest.mark.parametrize(
    "policy",
    [
        AttributionPolicy(kind=PolicyKind.SPLIT),
        AttributionPolicy(kind=PolicyKind.LAST_TOUCH, weights={OURS: Decimal(100)}),
    ],
)
def test_a_split_has_weights_and_no_other_policy(policy: AttributionPolicy) -> None:
    story = before(ProposeTerms)
    frame = changed(FRAME, attribution=policy)

    assert story.refuses(OURS, example(ProposeTerms, frame=frame)).rule == "weights-of-a-split"


# --- charter and rules -------------------------------------------------------------------------


def test_the_charter_binds_once_the_other_party_signs_it_too() -> None:
    story = after(ProposeCharter)
    assert story.facts(CharterAgreed) == []

    assert story.refuses(OURS, example(AgreeCharter)).rule == "own-proposal"
    story.when(THEIRS, example(AgreeCharter))

    assert story.facts(CharterAgreed) == [CharterAgreed(proposal="charter-1", charter=CHARTER)]
    agreed = [each.objective for each in story.facts(ObjectiveAgreed)]
    assert agreed == CHARTER.objectives
    assert story.when(THEIRS, example(AgreeCharter)) == []


@pytest.mark.parametrize(
    ("count", "warnings"),
    [
        (2, ["2 objectives; 3 to 5 are advised (C8)"]),
        (3, []),
        (5, []),
        (6, ["6 objectives; 3 to 5 are advised (C8)"]),
    ],
)
def test_three_to_five_objectives_and_any_other_number_is_a_warning(
    count: int, warnings: list[str]
) -> None:
    story = before(ProposeCharter)
    objectives = [
        changed(CO_BRANDED_REVENUE, objective=f"objective-{each}") for each in range(count)
    ]

    charter = changed(CHARTER, objectives=objectives)
    story.when(OURS, example(ProposeCharter, charter=charter))
    story.when(THEIRS, example(AgreeCharter))

    assert story.facts(CharterAgreed)[0].warnings == warnings


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [("metric", "happiness", "unknown-metric"), ("unit", "percent", "wrong-unit")],
)
def test_an_objective_can_be_measured(field: str, value: str, rule: str) -> None:
    charter = changed(CHARTER, objectives=[changed(CO_BRANDED_REVENUE, **{field: value})])

    refusal = at(Stage.FORMATION).refuses(OURS, example(ProposeCharter, charter=charter))

    assert refusal.rule == rule


def refusal_of(story: Story, **objective: object) -> str | None:
    """Return the rule that refuses a charter with one objective; None if it can be proposed."""
    charter = changed(CHARTER, objectives=[changed(CO_BRANDED_REVENUE, **objective)])
    command = example(ProposeCharter, proposal="charter-2", charter=charter)
    try:
        story.when(OURS, command)
    except Refused as refused:
        return refused.rule
    return None


@pytest.mark.parametrize(
    ("metric", "unit", "baseline", "target", "rule"),
    [
        ("co_branded_revenue", "USD", 100, 99, "target-behind-baseline"),
        ("co_branded_revenue", "USD", 100, 100, None),
        ("co_branded_revenue", "USD", 100, 101, None),
        ("churn_rate", "percent", 8, 9, "target-behind-baseline"),
        ("churn_rate", "percent", 8, 8, None),
        ("churn_rate", "percent", 8, 5, None),
        # The most that may be spent, beside nothing that was spent before.
        ("shared_costs", "USD", 0, 5000, None),
    ],
)
def test_the_target_of_an_objective_is_no_worse_than_its_baseline(
    metric: str, unit: str, baseline: int, target: int, rule: str | None
) -> None:
    values = {"baseline": Decimal(baseline), "target": Decimal(target)}

    assert refusal_of(at(Stage.FORMATION), metric=metric, unit=unit, **values) == rule


def test_an_objective_has_a_deadline_that_is_still_to_come() -> None:
    story = at(Stage.FORMATION)
    today = story.now.date()

    assert refusal_of(story, deadline=today - timedelta(days=1)) == "deadline-has-passed"
    assert refusal_of(story, deadline=today) is None


def test_what_is_counted_of_a_metric_decides_about_no_segment_except_the_campaign_of_leads() -> (
    None
):
    wins = {"metric": "deals_won", "unit": "count", "segment": "spain", "baseline": Decimal(0)}
    story = at(Stage.FORMATION)

    def proposed(**objective: object) -> ProposeCharter:
        charter = changed(CHARTER, objectives=[changed(CO_BRANDED_REVENUE, **wins, **objective)])
        return example(ProposeCharter, charter=charter)

    assert story.refuses(OURS, proposed()).rule == "segment-not-counted"
    assert story.when(OURS, proposed(measured="report"))
    by_campaign = changed(CONVERSION_FLOOR, metric="leads", segment="podcast", measured="count")
    assert story.when(OURS, ProposeDecisionRule(proposal="podcast", rule=by_campaign))


def test_a_rule_judges_one_segment_or_each_campaign() -> None:
    rule = changed(CONVERSION_FLOOR, segment="spain", each_campaign=True)

    refusal = at(Stage.FORMATION).refuses(OURS, ProposeDecisionRule(proposal="both", rule=rule))

    assert refusal.rule == "one-segment-or-each"


def test_the_goals_of_a_charter_are_the_parties_own() -> None:
    charter = changed(CHARTER, goals={STRANGER: "To gain from it."})

    refusal = at(Stage.FORMATION).refuses(OURS, example(ProposeCharter, charter=charter))

    assert refusal.rule == "unknown-party"


def test_a_rule_binds_from_its_agreement_and_not_from_its_proposal() -> None:
    story = after(ProposeDecisionRule)
    assert story.facts(DecisionRuleProposed)
    assert not story.partnership.rules

    story.on("2025-11-25")
    story.when(THEIRS, example(AgreeDecisionRule))

    agreed = DecisionRuleAgreed(proposal="rule-1", rule=CONVERSION_FLOOR, rule_version=1)
    assert story.partnership.rules == (agreed,)
    assert story.history[-1].act.occurred_at.date() == date(2025, 11, 25)
    assert story.when(THEIRS, example(AgreeDecisionRule)) == []


def test_a_changed_rule_is_the_next_version_and_leaves_the_former_on_record() -> None:
    story = after(AgreeDecisionRule)
    stricter = changed(CONVERSION_FLOOR, threshold=Decimal(6))

    story.when(THEIRS, ProposeDecisionRule(proposal="rule-2", rule=stricter))
    story.when(OURS, AgreeDecisionRule(proposal="rule-2"))

    versions = [(each.rule_version, each.rule.threshold) for each in story.partnership.rules]
    assert versions == [(1, Decimal(5)), (2, Decimal(6))]


@pytest.mark.parametrize(
    ("metric", "currency", "hint"),
    [
        ("won_value", None, "Name the currency of the number."),
        ("leads", "USD", "Leave the currency out."),
    ],
)
def test_a_rule_names_the_currency_of_money_and_of_nothing_else(
    metric: str, currency: str | None, hint: str
) -> None:
    rule = changed(CONVERSION_FLOOR, metric=metric, currency=currency)

    refusal = at(Stage.FORMATION).refuses(OURS, ProposeDecisionRule(proposal="money", rule=rule))

    assert (refusal.rule, refusal.hint) == ("currency-of-a-metric", hint)


def test_a_rule_rests_on_a_metric_of_the_catalogue() -> None:
    unheard_of = changed(CONVERSION_FLOOR, metric="happiness")

    refusal = at(Stage.FORMATION).refuses(OURS, example(ProposeDecisionRule, rule=unheard_of))

    assert refusal.rule == "unknown-metric"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_an_agreed_rule_needs_a_unique_name(name: str) -> None:
    homonym = changed(CONVERSION_FLOOR, rule=name)

    refusal = at(Stage.FORMATION).refuses(OURS, example(ProposeDecisionRule, rule=homonym))

    assert refusal.rule == "rule-name-taken"


# --- each side for itself ----------------------------------------------------------------------


def test_each_party_names_its_own_sponsor_and_none_for_the_other() -> None:
    story = at(Stage.FORMATION)

    story.when(OURS, example(AssignSponsor, name="Ada"))
    story.when(OURS, example(AssignSponsor, name="Grace"))

    facts = story.partnership.context.declarations
    assert facts.of(SponsorAssigned, OURS) == [
        SponsorAssigned(name="Grace", title="Chief executive")
    ]
    assert facts.of(SponsorAssigned, THEIRS) == []


def test_a_non_negotiable_is_declared_for_ones_own_side_and_not_edited() -> None:
    story = after(DeclareNonNegotiable)

    refusal = story.refuses(OURS, example(DeclareNonNegotiable, flexible=True))
    theirs = story.when(THEIRS, example(DeclareNonNegotiable, flexible=True))

    assert refusal.rule == "already-recorded"
    assert len(theirs) == 1
    assert len(story.partnership.context.declarations.of(NonNegotiableDeclared)) == 2


def test_evidence_keeps_its_content() -> None:
    story = after(AttachEvidence)

    assert story.when(THEIRS, example(AttachEvidence)) == []
    assert story.refuses(OURS, example(AttachEvidence, title="Other")).rule == "already-recorded"


def test_a_best_alternative_may_change() -> None:
    story = after(DeclareBestAlternative)

    assert story.when(THEIRS, example(DeclareBestAlternative)) == []
    assert story.when(THEIRS, example(DeclareBestAlternative, statement="We wait.")) != []


# --- the agreement -----------------------------------------------------------------------------


def test_a_party_signs_for_itself_once_and_never_for_the_other() -> None:
    story = before(SignAgreement)

    story.when(OURS, example(SignAgreement))
    assert story.when(OURS, example(SignAgreement)) == []

    assert story.partnership.formation.agreement.signed_by == {OURS}
    refusal = story.refuses(OURS, example(HoldKickoff))
    assert refusal.rule == "terms-not-signed"
    assert THEIRS in refusal.detail


def test_a_stranger_signs_nothing() -> None:
    story = before(SignAgreement)

    assert story.refuses(STRANGER, example(SignAgreement)).rule == "unknown-party"


@pytest.mark.parametrize("version", [2, 99])
def test_only_the_current_version_can_be_signed(version: int) -> None:
    story = before(SignAgreement)

    refusal = story.refuses(OURS, SignAgreement(agreement_version=version))

    assert refusal.rule == "not-the-current-version"


def test_nothing_can_be_signed_before_something_is_drafted() -> None:
    refusal = before(DraftAgreement).refuses(OURS, SignAgreement(agreement_version=1))

    assert refusal.rule == "not-the-current-version"


def test_versions_are_counted_from_1() -> None:
    with pytest.raises(ValidationError):
        SignAgreement(agreement_version=0)


def test_a_new_draft_is_unsigned() -> None:
    story = before(HoldKickoff)

    assert story.when(OURS, example(DraftAgreement)) == []
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="As before, with a deputy.")))

    assert story.refuses(OURS, example(HoldKickoff)).rule == "terms-not-signed"
    assert [each.agreement_version for each in story.facts(AgreementDrafted)] == [1, 2]


def test_a_later_version_that_both_sign_amends_the_agreement() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="As before, with a deputy.")))

    first = story.when(OURS, SignAgreement(agreement_version=2))
    second = story.when(THEIRS, SignAgreement(agreement_version=2))

    signed = AgreementSigned(agreement_version=2, content=digest(story.facts(AgreementDrafted)[-1]))
    assert first == [signed]
    assert second == [signed, AgreementAmended(agreement_version=2)]


@pytest.mark.parametrize(("party", "ends"), [(OURS, WithdrawProposal), (THEIRS, DeclineProposal)])
def test_a_draft_is_withdrawn_by_its_author_and_declined_by_the_other_party(
    party: str, ends: type[ProposalAnswer]
) -> None:
    story = at(Stage.EXECUTION)
    other = THEIRS if party == OURS else OURS
    sections = changed(SECTIONS, roles="As before, with a deputy.")
    story.when(OURS, DraftAgreement(sections=sections))
    story.when(OURS, SignAgreement(agreement_version=2))
    asked = ends(agreement="Draft", proposal="2", reason="We keep the roles as they are.")
    rule = story.refuses(other, asked).rule
    assert rule == ("not-your-proposal" if party == OURS else "own-proposal")

    assert len(story.when(party, asked)) == 1

    assert story.when(party, asked) == []
    assert story.partnership.formation.agreement.version == 1
    assert story.partnership.formation.agreement.is_signed
    refusal = story.refuses(other, SignAgreement(agreement_version=2))
    assert refusal.rule == "not-the-current-version"
    [again] = story.when(THEIRS, DraftAgreement(sections=sections))
    assert isinstance(again, AgreementDrafted)
    assert again.agreement_version == 3


def test_a_signed_agreement_is_neither_declined_nor_withdrawn() -> None:
    story = before(HoldKickoff)
    author = story.partnership.formation.agreement.drafted_by
    for party in (OURS, THEIRS):
        ends = WithdrawProposal if party == author else DeclineProposal
        asked = ends(agreement="Draft", proposal="1", reason="It is too late.")
        assert story.refuses(party, asked).rule == "proposal-answered"


def test_the_first_draft_that_is_declined_leaves_no_agreement() -> None:
    story = before(SignAgreement)
    author = story.partnership.formation.agreement.drafted_by
    other = THEIRS if author == OURS else OURS

    story.when(other, DeclineProposal(agreement="Draft", proposal="1", reason="It is unclear."))

    assert story.partnership.formation.agreement.version == 0
    assert story.refuses(OURS, SignAgreement(agreement_version=1)).rule == "not-the-current-version"


def test_each_party_is_reminded_of_its_signature_and_the_one_that_does_not_sign_is_named() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="With a deputy.")))
    story.when(OURS, SignAgreement(agreement_version=2))

    story.wait(days=13)
    assert states(story)[f"due-soon signature/2/{THEIRS}"] == "open"
    story.wait(days=2)
    found = {each: state for each, state in states(story).items() if "signature-overdue" in each}
    assert found == {f"signature-overdue 2/{THEIRS}": "open"}

    story.when(THEIRS, DeclineProposal(agreement="Draft", proposal="2", reason="No deputy."))
    assert states(story)[f"signature-overdue 2/{THEIRS}"] == "resolved"


def test_a_draft_lapses_when_an_exit_takes_effect() -> None:
    story = before(GiveExitNotice)
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="With a deputy.")))

    story.when(THEIRS, example(GiveExitNotice))
    assert story.facts(ProposalLapsed) == []
    story.on(f"{story.partnership.context.terms.exit}")

    assert [(each.agreement, each.proposal) for each in story.facts(ProposalLapsed)] == [
        ("Draft", "2")
    ]


def test_a_draft_is_still_signed_after_another_proposal_lapsed() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="With a deputy.")))
    for name in ("steps-1", "steps-2"):
        story.when(OURS, example(ProposeOnboardingStep, proposal=name))
    story.when(THEIRS, AgreeOnboardingStep(proposal="steps-2"))
    assert [each.proposal for each in story.facts(ProposalLapsed)] == ["steps-1"]

    for party in (OURS, THEIRS):
        story.when(party, SignAgreement(agreement_version=2))

    assert story.facts(AgreementAmended)[-1].agreement_version == 2


@pytest.mark.parametrize(
    "protection", [["LGPD", "GDPR"], {"none_because": "No personal data is shared."}]
)
def test_an_agreement_names_any_laws_of_data_protection_or_why_none_applies(
    protection: object,
) -> None:
    story = before(HoldKickoff, without=(DraftAgreement, SignAgreement))
    sections = Sections.model_validate(SECTIONS.model_dump() | {"data_protection": protection})

    (drafted,) = story.when(OURS, DraftAgreement(sections=sections))

    assert isinstance(drafted, AgreementDrafted)
    assert drafted.sections.missing() == []
    assert drafted.model_dump()["sections"]["data_protection"] == protection


# --- the gate to execution ---------------------------------------------------------------------


@pytest.mark.parametrize("section", Sections.model_fields)
def test_a_missing_section_blocks_execution(section: str) -> None:
    story = before(HoldKickoff, without=(DraftAgreement, SignAgreement))
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, **{section: None})))
    for party in (OURS, THEIRS):
        story.when(party, SignAgreement(agreement_version=1))

    refusal = story.refuses(OURS, example(HoldKickoff))

    assert refusal.rule == "agreement-sections"
    assert section in refusal.detail


MISSING = [
    ((CounterTerms, AcceptTerms), None, "terms-agreed"),
    ((DraftAgreement, SignAgreement), None, "agreement-sections"),
    (SignAgreement, OURS, "terms-not-signed"),
    (SignAgreement, THEIRS, "terms-not-signed"),
    (AgreeCharter, None, "charter-agreed"),
    ((ProposeGovernance, AgreeGovernance), None, "governance-established"),
    *(
        (command, party, f"{rule}:{party}")
        for command, rule in [
            (AssignContact, "manager"),
            (AssignSponsor, "sponsor"),
            (CommitResources, "resources"),
        ]
        for party in (OURS, THEIRS)
    ),
]


@pytest.mark.parametrize(("missing", "party", "rule"), MISSING)
def test_execution_begins_once_all_is_agreed_and_staffed(
    missing: type[Command], party: str | None, rule: str
) -> None:
    story = before(HoldKickoff, without=missing, of=party)

    assert story.refuses(OURS, example(HoldKickoff)).rule == rule


def test_a_contact_of_another_function_is_no_manager() -> None:
    story = before(HoldKickoff, without=AssignContact, of=THEIRS)

    story.when(THEIRS, AssignContact(function=Function.LEGAL, name="Boris"))

    assert story.refuses(OURS, example(HoldKickoff)).rule == f"manager:{THEIRS}"


@pytest.mark.parametrize("rule", ["terms-agreed", "agreement-sections", "terms-not-signed"])
def test_what_protects_both_is_waived_by_neither(rule: str) -> None:
    story = before(HoldKickoff, without=(AcceptTerms, DraftAgreement, SignAgreement))

    for party in (OURS, THEIRS):
        waiver = ProposeWaiver(proposal="waiver-9", rule=rule, reason="There is no time.")
        assert story.refuses(party, waiver).rule == "cannot-be-waived"
    refusal = story.refuses(OURS, example(HoldKickoff))

    assert rule in refusal.facts["unmet"]
    assert rule not in refusal.facts["waivable"]


def test_the_kickoff_shows_what_was_waived() -> None:
    story = before(HoldKickoff, without=CommitResources, of=THEIRS)

    story.agree(
        THEIRS,
        ProposeWaiver(
            proposal="waiver-9", rule=f"resources:{THEIRS}", reason="Budget comes in May."
        ),
    )
    story.when(OURS, example(HoldKickoff))

    assert story.facts(KickoffHeld)[0].waived == [f"resources:{THEIRS}"]
    assert story.partnership.stage is Stage.EXECUTION


# --- the end of the negotiation ----------------------------------------------------------------


STOP = ProposeNegotiationEnd(proposal="stop-1", reason="The budget of next year is too small.")


@pytest.mark.parametrize("party", [OURS, THEIRS])
def test_either_party_ends_a_negotiation_alone_while_nothing_is_signed(party: str) -> None:
    story = before(SignAgreement)

    _, ended, lapsed = story.when(party, STOP)

    assert ended == NegotiationEnded(proposal="stop-1", reason=STOP.reason)
    assert isinstance(lapsed, ProposalLapsed)
    assert (lapsed.agreement, lapsed.reason) == (DRAFT, "The partnership has ended.")
    assert story.partnership.stage is Stage.ENDED


def test_one_signature_leaves_the_other_party_free_to_end_the_negotiation() -> None:
    story = after(SignAgreement)

    story.when(THEIRS, STOP)

    assert story.partnership.stage is Stage.ENDED


def test_what_both_signed_takes_both_to_end() -> None:
    story = before(HoldKickoff)

    story.when(OURS, STOP)

    assert story.facts(NegotiationEnded) == []
    assert story.refuses(OURS, AgreeNegotiationEnd(proposal="stop-1")).rule == "own-proposal"
    story.when(THEIRS, AgreeNegotiationEnd(proposal="stop-1"))
    assert story.partnership.stage is Stage.ENDED


@pytest.mark.parametrize("declined", [True, False])
def test_who_asked_for_the_end_of_what_both_signed_ends_it_after_the_days_for_an_answer(
    *, declined: bool
) -> None:
    story = before(HoldKickoff)
    story.when(OURS, STOP)
    if declined:
        story.when(THEIRS, DeclineProposal(proposal="stop-1", reason="We hired for it."))
    again = changed(STOP, proposal="stop-2")
    terms = story.partnership.context.terms
    story.on(terms.answer_until(terms.day(story.now)).isoformat())
    story.when(OURS, again)
    assert story.facts(NegotiationEnded) == []

    story.wait(days=1)
    story.when(OURS, changed(STOP, proposal="stop-3"))

    assert story.partnership.stage is Stage.ENDED


def test_a_request_to_end_that_was_taken_back_opens_no_way_out() -> None:
    story = before(HoldKickoff)
    story.when(OURS, STOP)
    story.when(OURS, WithdrawProposal(proposal="stop-1", reason="We found the budget."))
    story.wait(days=60)

    story.when(OURS, changed(STOP, proposal="stop-2"))

    assert story.facts(NegotiationEnded) == []


def test_nothing_is_open_or_due_after_a_negotiation_ended() -> None:
    story = at(Stage.FORMATION)
    story.when(OURS, example(ProposeTerms))
    story.when(OURS, example(DraftAgreement))
    story.agree(OURS, example(ProposeOnboardingStep))
    story.wait(days=60)
    assert "open" in states(story).values()

    story.when(THEIRS, STOP)

    assert "open" not in states(story).values()
    assert story.partnership.deadlines == {}
    assert not replay(PROPOSALS, story.history).rows
    assert {OPEN, OVERDUE}.isdisjoint(replay(DEADLINES, story.history).rows)
    assert story.wait(days=400) == []


@pytest.mark.parametrize("kind", [ProposeTerms, SubmitReferral, SignAgreement, ReceivePayment])
def test_a_negotiation_that_ended_takes_nothing_more(kind: type[Command]) -> None:
    story = at(Stage.FORMATION)
    story.when(THEIRS, STOP)

    assert story.refuses(OURS, example(kind)).rule == "wrong-stage"
