"""Markets: each is ranked on its own feedback, and each metric has an owner (C3, C29)."""

from domain.exploration import BeginExploration, DefineIdealPartnerProfile
from domain.kernel import Stage
from domain.markets import (
    AssignRole,
    LocalFeedbackRecorded,
    MarketRanked,
    MarketTargeted,
    MetricOwnerAssigned,
    ProposeMetricOwner,
    RankMarket,
    RecordLocalFeedback,
    Role,
    RoleAssigned,
    TargetMarket,
)
from tests.life import OURS, THEIRS, after, at, example


def test_a_partnership_may_be_for_several_markets() -> None:
    story = after(BeginExploration)

    for market in ("spain", "france"):
        story.when(OURS, TargetMarket(market=market))

    assert [each.market for each in story.facts(MarketTargeted)] == ["spain", "france"]
    assert story.when(OURS, TargetMarket(market="spain")) == []


def test_a_market_is_not_ranked_before_anybody_there_was_heard() -> None:
    story = after(DefineIdealPartnerProfile)

    refusal = story.refuses(OURS, example(RankMarket))

    assert refusal.rule == "local-feedback-first"
    assert refusal.facts["heard"] == []


def test_evidence_from_one_market_never_counts_for_another() -> None:
    story = after(DefineIdealPartnerProfile)
    story.when(OURS, example(RecordLocalFeedback, market="spain"))

    refusal = story.refuses(OURS, example(RankMarket, market="france"))

    assert refusal.rule == "local-feedback-first"
    assert refusal.facts["heard"] == ["spain"]
    assert story.when(OURS, example(RankMarket, market="spain"))


def test_a_market_whose_name_begins_like_anothers_is_another() -> None:
    story = after(DefineIdealPartnerProfile)
    story.when(OURS, example(RecordLocalFeedback, market="spain-north"))

    assert story.refuses(OURS, example(RankMarket, market="spain")).rule == "local-feedback-first"


def test_a_market_can_be_ranked_again() -> None:
    story = after(RankMarket)

    assert story.when(OURS, example(RankMarket)) == []
    assert story.when(OURS, example(RankMarket, viability=2))
    assert [each.viability for each in story.facts(MarketRanked)] == [4, 2]


def test_each_party_records_feedback_once_under_its_identifier() -> None:
    story = at(Stage.EXECUTION)

    same = example(RecordLocalFeedback)
    assert story.when(OURS, same) == []
    assert story.when(THEIRS, same) == [LocalFeedbackRecorded.of(same)]
    assert story.refuses(OURS, example(RecordLocalFeedback, score=1)).rule == "already-recorded"


def test_a_regional_manager_has_a_region_and_a_central_lead_needs_none() -> None:
    story = after(BeginExploration)

    refusal = story.refuses(OURS, AssignRole(role=Role.REGIONAL_MANAGER, name="Carmen"))

    assert refusal.rule == "regional-needs-market"
    assert story.when(OURS, AssignRole(role=Role.CENTRAL_LEAD, name="Ada"))


def test_each_market_has_a_regional_manager_of_its_own() -> None:
    story = after(BeginExploration)

    for market, name in (("spain", "Carmen"), ("france", "Luc"), ("spain", "Inés")):
        story.when(OURS, AssignRole(role=Role.REGIONAL_MANAGER, market=market, name=name))

    known = story.partnership.context.declarations.of(RoleAssigned, OURS)
    assert {each.market: each.name for each in known} == {"spain": "Inés", "france": "Luc"}


def test_a_metric_has_one_owner_in_a_market_the_latest() -> None:
    story = after(ProposeMetricOwner)

    assert story.when(OURS, example(ProposeMetricOwner, proposal="owner-1b", owner="Inés"))

    (known,) = story.partnership.context.agreements.of(MetricOwnerAssigned)
    assert (known.metric, known.market, known.owner) == ("leads", "spain", "Inés")


def test_only_a_metric_of_the_catalogue_has_an_owner() -> None:
    story = after(BeginExploration)

    refusal = story.refuses(OURS, example(ProposeMetricOwner, metric="leeds"))

    assert refusal.rule == "unknown-metric"


def test_an_owner_is_local_to_a_market_and_not_to_all_of_them() -> None:
    story = after(BeginExploration)

    refusal = story.refuses(OURS, example(ProposeMetricOwner, market=None))

    assert refusal.rule == "local-to-a-market"
    assert story.when(OURS, example(ProposeMetricOwner, market=None, local=False))
