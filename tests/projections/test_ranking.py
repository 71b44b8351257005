"""Rankings: markets by their own evidence, candidates by what was measured (C1 to C4)."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.experiment import ConcludePilot
from domain.exploration import (
    AgreeBridgingPlan,
    AssessAlignment,
    AudienceOverlapMeasured,
    BeginExploration,
    CandidateScored,
    ChoosePartner,
    DefineIdealPartnerProfile,
    IdealPartnerProfileDefined,
    IdentifyCandidate,
    MeasureAudienceOverlap,
    ScoreCandidate,
)
from domain.formation import AttachEvidence, EvidenceKind
from domain.kernel import Stage
from domain.markets import (
    AssignMetricOwner,
    AssignRole,
    RankMarket,
    RecordLocalFeedback,
    Role,
    TargetMarket,
)
from projections.overview import Overview
from projections.portfolio import Member
from projections.ranking import (
    CandidateProgress,
    Mistake,
    RankedCandidate,
    RankedMarket,
    Reason,
    candidates,
    markets,
)
from projections.traits import CandidateTraits, Traits
from projections.visibility import Viewer
from tests.life import OURS, THEIRS, after, at, before, example
from tests.projections.folds import member
from tests.stories import Story

# --- markets -----------------------------------------------------------------------------------


def heard_and_ranked(story: Story, market: str, viability: int, fit: int = 3) -> None:
    story.when(OURS, example(RecordLocalFeedback, market=market))
    ranked = example(RankMarket, market=market, viability=viability, cultural_fit=fit)
    story.when(OURS, ranked)


def made(market: RankedMarket) -> set[Mistake]:
    """Return the mistakes that were made in a market."""
    return {each.mistake for each in market.checks if each.made}


def test_markets_are_ranked_by_viability_and_fit_with_the_reasons_behind() -> None:
    story = after(BeginExploration)
    heard_and_ranked(story, "france", 2)
    heard_and_ranked(story, "spain", 5)
    story.when(OURS, TargetMarket(market="germany"))

    rows = markets([member(story)])

    assert [(each.rank, each.market) for each in rows] == [
        (1, "spain"),
        (2, "france"),
        (None, "germany"),
    ]
    assert rows[0].reasons == (
        Reason("Firms there pay for such tools already.", "growthos-brightpath#4"),
    )


def test_a_market_named_and_nothing_else_makes_all_five_mistakes() -> None:
    story = after(BeginExploration)
    story.when(OURS, TargetMarket(market="germany"))

    (row,) = markets([member(story)])

    assert made(row) == set(Mistake)
    assert all(each.hint for each in row.checks)


def test_each_mistake_is_undone_by_the_fact_that_shows_it() -> None:
    story = at(Stage.EXECUTION)
    assert made(markets([member(story)])[0]) == {Mistake.NO_EXPERIMENT}

    story.when(OURS, example(AttachEvidence, evidence="ab-test", kind=EvidenceKind.EXPERIMENT))

    (row,) = markets([member(story)])
    assert made(row) == set()
    assert row.checks[-1].shown_by == f"growthos-brightpath#{len(story.history) - 1}"


def test_a_concluded_pilot_is_an_experiment_as_evidence_of_one_is() -> None:
    assert Mistake.NO_EXPERIMENT in made(markets([member(before(ConcludePilot))])[0])
    assert Mistake.NO_EXPERIMENT not in made(markets([member(after(ConcludePilot))])[0])


def test_an_experiment_in_several_markets_at_once_shows_nothing_of_one() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(AttachEvidence, evidence="ab-test", kind=EvidenceKind.EXPERIMENT))
    story.when(OURS, TargetMarket(market="france"))

    assert all(Mistake.NO_EXPERIMENT in made(row) for row in markets([member(story)]))


def test_evidence_from_one_market_corrects_no_mistake_in_another() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, TargetMarket(market="france"))

    france, spain = sorted(markets([member(story)]), key=lambda each: each.market)

    assert france.feedback == 0
    assert {Mistake.EXTRAPOLATED, Mistake.NO_FEEDBACK, Mistake.NO_OWNER} <= made(france)
    assert spain.feedback == 1


def test_an_owner_who_is_not_local_is_no_regional_owner() -> None:
    story = after(BeginExploration)
    owner = example(AssignMetricOwner, market="france", local=False)
    story.when(OURS, owner)
    assert Mistake.NO_OWNER in made(markets([member(story)])[0])

    role = AssignRole(role=Role.REGIONAL_MANAGER, market="france", name="Luc")
    story.when(OURS, role)
    assert Mistake.NO_OWNER not in made(markets([member(story)])[0])


def test_several_partnerships_in_one_market_speak_of_it_together() -> None:
    one, other = after(BeginExploration), after(BeginExploration)
    heard_and_ranked(one, "spain", 5)
    heard_and_ranked(other, "spain", 2)

    (row,) = markets([member(one, "a"), member(other, "b")])

    assert (row.viability, row.feedback) == (Decimal("3.50"), 2)
    assert row.partnerships == ("a", "b")


def test_both_sides_rank_and_the_mean_counts() -> None:
    story = at(Stage.EXECUTION)
    story.when(THEIRS, example(RankMarket, viability=2))

    (row,) = markets([member(story)])

    assert row.viability == 3
    assert row.ratings == 2


# --- candidates --------------------------------------------------------------------------------


def scored(story: Story, name: str, reach: int, shared: int = 40) -> None:
    story.when(OURS, example(IdentifyCandidate, candidate=name, name=name.title()))
    story.when(OURS, example(ScoreCandidate, candidate=name, market_reach=reach))
    story.when(OURS, example(MeasureAudienceOverlap, candidate=name, shared_customers=shared))


def names(rows: Sequence[RankedCandidate]) -> list[str]:
    return [each.candidate for each in rows]


def test_candidates_are_ranked_by_score_then_by_overlap() -> None:
    story = after(DefineIdealPartnerProfile)
    scored(story, "low", 2)
    scored(story, "narrow", 4, shared=10)
    scored(story, "wide", 4, shared=80)

    rows = candidates(member(story))

    assert names(rows) == ["wide", "narrow", "low"]
    assert rows[0].reasons == (
        "score 11 of 15 under profile 1",
        "20.00 % of our customers shared",
        "alignment not assessed",
    )


def test_a_low_dimension_without_a_plan_comes_after_all_others_until_it_is_bridged() -> None:
    story = after(DefineIdealPartnerProfile)
    scored(story, "good", 5)
    scored(story, "plain", 1)
    story.when(OURS, example(AssessAlignment, candidate="good"))

    unfit = candidates(member(story))
    story.when(OURS, example(AgreeBridgingPlan, candidate="good"))
    bridged = candidates(member(story))

    assert names(unfit) == ["plain", "good"]
    assert "cultural_compatibility is below 3 and not bridged" in unfit[1].reasons
    assert names(bridged) == ["good", "plain"]


def test_a_score_under_an_older_profile_comes_after_those_under_the_present_one() -> None:
    story = after(DefineIdealPartnerProfile)
    scored(story, "old", 5)
    story.when(OURS, example(DefineIdealPartnerProfile, staff_to=300))
    story.when(OURS, example(IdentifyCandidate, candidate="new", name="New"))
    story.when(OURS, example(ScoreCandidate, candidate="new", market_reach=1, profile_version=2))

    rows = candidates(member(story))

    assert names(rows) == ["new", "old"]
    assert "under profile 1, which is now 2" in rows[1].reasons[0]


def test_the_chosen_candidate_is_marked() -> None:
    (row,) = candidates(member(after(ChoosePartner)))

    assert row.progress is CandidateProgress.CHOSEN
    assert row.unbridged == ()


def test_the_chosen_partner_sees_itself_and_no_other_candidate() -> None:
    story = before(ChoosePartner)
    scored(story, "rival", 5)
    story.when(OURS, example(ChoosePartner))

    assert names(candidates(member(story))) == ["rival", THEIRS]
    assert names(candidates(member(story, viewer=Viewer(OURS)))) == ["rival", THEIRS]
    assert names(candidates(member(story, viewer=Viewer(THEIRS)))) == [THEIRS]


def test_a_small_overlap_is_not_shown_to_the_partner() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(MeasureAudienceOverlap, candidate=THEIRS, shared_customers=3))
    story.when(OURS, example(ChoosePartner))

    (ours,) = candidates(member(story, viewer=Viewer(OURS)))
    (theirs,) = candidates(member(story, viewer=Viewer(THEIRS)))

    assert ours.overlap_percent == Decimal("0.75")
    assert theirs.overlap_percent is None


RATING = st.integers(1, 5)
CANDIDATE = st.builds(
    CandidateTraits,
    score=st.none()
    | st.builds(
        CandidateScored,
        candidate=st.just("n"),
        profile_version=st.integers(1, 2),
        market_reach=RATING,
        brand_alignment=RATING,
        technical_compatibility=RATING,
    ),
    overlap=st.none()
    | st.builds(
        AudienceOverlapMeasured,
        candidate=st.just("n"),
        own_customers=st.integers(0, 9),
        shared_customers=st.integers(0, 9),
    ),
    identified=st.none(),
    approached=st.booleans(),
    alignment=st.none(),
    bridged=st.just(()),
)


@given(st.dictionaries(st.sampled_from("abcdefgh"), CANDIDATE), st.randoms())
def test_a_ranking_is_total_and_does_not_depend_on_the_order_of_what_is_ranked(
    known: dict[str, CandidateTraits], random: object
) -> None:
    profile = IdealPartnerProfileDefined(
        **example(DefineIdealPartnerProfile).model_dump(), profile_version=2
    )

    def ranked(candidates_of: dict[str, CandidateTraits]) -> Sequence[RankedCandidate]:
        return candidates(Member("p", Overview(), Traits((profile,)), candidates_of, {}, {}))

    shuffled = list(known.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a Random

    rows = ranked(known)
    assert [each.rank for each in rows] == list(range(1, len(known) + 1))
    assert {each.candidate for each in rows} == set(known)
    assert ranked(dict(shuffled)) == rows
