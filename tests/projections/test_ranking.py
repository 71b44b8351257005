"""Rankings: markets by their own evidence, candidates by what was measured (C1 to C4)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.experiment import ConcludePilot
from domain.exploration import (
    AgreeBridgingPlan,
    ApproachCandidate,
    AssessAlignment,
    AudienceOverlapMeasured,
    BeginExploration,
    CandidateScored,
    ChoosePartner,
    DeclineCandidate,
    DefineIdealPartnerProfile,
    IdealPartnerProfileDefined,
    IdentifyCandidate,
    MeasureAudienceOverlap,
    ScoreCandidate,
)
from domain.formation import AttachEvidence, EvidenceKind
from domain.kernel import Stage
from domain.markets import (
    AssignRole,
    ProposeMetricOwner,
    RankMarket,
    RecordLocalFeedback,
    Role,
    TargetMarket,
)
from domain.reported_figure import ReportedFigure
from projections.fold import replay
from projections.overview import Overview
from projections.portfolio import Member
from projections.ranking import (
    CandidateProgress,
    MarketFigure,
    Mistake,
    RankedCandidate,
    RankedMarket,
    Reason,
    candidates,
    markets,
)
from projections.traits import TRAITS, CandidateTraits, MarketTraits, Traits
from projections.visibility import Sight, Viewer
from tests.life import OURS, THEIRS, after, at, before, changed, example
from tests.projections.folds import correct, count, dollars, member, percent, report
from tests.projections.money import adopted, share
from tests.stories import Story

# --- markets -----------------------------------------------------------------------------------


def heard_and_ranked(story: Story, market: str, viability: int, fit: int = 3) -> None:
    story.when(OURS, example(RecordLocalFeedback, market=market))
    ranked = example(RankMarket, market=market, viability=viability, cultural_fit=fit)
    story.when(OURS, ranked)


def test_an_adopted_partner_is_ranked_in_its_market_with_the_figures_of_that_market() -> None:
    story = adopted(share("15"), settles_from=date(2026, 1, 6))
    heard_and_ranked(story, "spain", 4)
    heard_and_ranked(story, "france", 3)
    report(story, "new_users", "2026-04", count(140), "spain")
    report(story, "new_users", "2026-03", count(30), "spain")
    report(story, "new_users", "2026-04", count(500))

    spain, france = markets([member(story)])
    (there,), (elsewhere,) = spain.partners, france.partners

    assert there.candidate.name == elsewhere.candidate.name == "BrightPath Consulting"
    assert there.candidate.progress is CandidateProgress.CHOSEN
    assert there.figures == (MarketFigure("new_users", Decimal(170), "count"),)
    assert elsewhere.figures == ()


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
    owner = example(ProposeMetricOwner, market="france", local=False)
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
    assert rows[0].measured == ("20.00 % account overlap",)
    assert rows[0].opinions == ("score 11 of 15 under profile 1", "alignment not assessed")


def test_a_low_dimension_without_a_plan_comes_after_all_others_until_it_is_bridged() -> None:
    story = after(DefineIdealPartnerProfile)
    scored(story, "good", 5)
    scored(story, "plain", 1)
    story.when(OURS, example(AssessAlignment, candidate="good"))

    unfit = candidates(member(story))
    story.when(OURS, example(AgreeBridgingPlan, candidate="good"))
    bridged = candidates(member(story))

    assert names(unfit) == ["plain", "good"]
    assert "cultural compatibility is below 3 and not bridged" in unfit[1].opinions
    assert names(bridged) == ["good", "plain"]


def test_a_score_under_an_older_profile_comes_after_those_under_the_present_one() -> None:
    story = after(DefineIdealPartnerProfile)
    scored(story, "old", 5)
    story.when(OURS, example(DefineIdealPartnerProfile, staff_to=300))
    story.when(OURS, example(IdentifyCandidate, candidate="new", name="New"))
    story.when(OURS, example(ScoreCandidate, candidate="new", market_reach=1, profile_version=2))

    rows = candidates(member(story))

    assert names(rows) == ["new", "old"]
    assert "under profile 1, which is now 2" in rows[1].opinions[0]


def webinar(story: Story, name: str, requests: int, registrations: int) -> None:
    """Let a pilot with a candidate have this result."""
    report(story, "demo_request_rate", "2025-09", percent(requests, registrations), segment=name)


def webinars() -> Story:
    """Return three webinars with three firms; the one with the fewest requests scored best."""
    story = after(DefineIdealPartnerProfile)
    for name, reach in (("northbridge", 2), ("calder", 3), ("ostrava", 5)):
        scored(story, name, reach)
    story.on("2025-10-02")
    webinar(story, "northbridge", 12, 150)
    webinar(story, "calder", 3, 80)
    webinar(story, "ostrava", 0, 40)
    return story


def test_what_pilots_showed_counts_before_the_scores() -> None:
    rows = candidates(member(webinars()))

    assert names(rows) == ["northbridge", "calder", "ostrava"]
    (pilot,) = rows[0].pilots
    assert (pilot.metric, pilot.successes, pilot.trials) == ("demo_request_rate", 12, 150)
    assert pilot.percent == 8
    # The catalogue's worked example: the means of Beta(1, 1) with these trials.
    means = [each.expected_percent for each in rows]
    assert [round(each, 2) for each in means if each is not None] == [
        Decimal("8.55"),
        Decimal("4.88"),
        Decimal("2.38"),
    ]
    assert rows[0].measured[0] == "demo request rate 12/150 (8 %)"


def test_one_request_of_one_registration_does_not_win() -> None:
    story = webinars()
    scored(story, "lucky", 1)
    webinar(story, "lucky", 0, 1)

    rows = {each.candidate: each for each in candidates(member(story))}

    assert rows["lucky"].expected_percent is not None
    assert rows["lucky"].pilots[0].percent == 0
    assert rows["lucky"].pilots[0].high > 80


def test_a_candidate_without_a_pilot_comes_after_those_with_one() -> None:
    story = webinars()
    scored(story, "untried", 5)

    assert names(candidates(member(story)))[-1] == "untried"


def test_a_pilot_without_a_denominator_is_shown_and_not_compared() -> None:
    story = webinars()
    scored(story, "bare", 5)
    figure = ReportedFigure(unit="percent", value=Decimal(11))
    report(story, "demo_request_rate", "2025-09", figure, segment="bare")

    row = candidates(member(story))[-1]

    assert (row.candidate, row.pilots, row.expected_percent) == ("bare", (), None)
    assert row.measured[0] == "demo request rate 11 % in 2025-09 (no denominator)"


def test_pilots_are_compared_by_the_metric_that_most_candidates_were_tried_by() -> None:
    story = webinars()
    scored(story, "other", 1)
    report(story, "click_rate", "2025-09", percent(90, 100), segment="other")

    rows = candidates(member(story))

    assert names(rows)[-1] == "other"
    assert rows[-1].expected_percent is None
    assert rows[-1].measured[0] == "click rate 90/100 (90 %)"


def test_a_pilot_is_ranked_by_its_corrected_figure() -> None:
    story = webinars()
    correct(story, "demo_request_rate", "2025-09", percent(20, 80), segment="calder")

    assert names(candidates(member(story)))[0] == "calder"


def test_a_declined_candidate_comes_last_with_the_reason_until_it_is_approached_again() -> None:
    story = webinars()
    story.when(OURS, DeclineCandidate(candidate="northbridge", reason="It sells to another buyer."))

    declined = candidates(member(story))
    story.when(OURS, example(ApproachCandidate, candidate="northbridge"))
    again = candidates(member(story))

    assert names(declined)[-1] == "northbridge"
    assert declined[-1].progress is CandidateProgress.DECLINED
    assert declined[-1].declined == "It sells to another buyer."
    assert names(again)[0] == "northbridge"
    assert again[0].declined is None
    assert again[0].progress is CandidateProgress.APPROACHED


def test_the_chosen_partner_sees_no_pilot_of_another_candidate() -> None:
    story = before(ChoosePartner)
    scored(story, "rival", 5)
    webinar(story, "rival", 40, 80)
    story.when(OURS, example(ChoosePartner))

    theirs = Viewer(THEIRS)
    sight = Sight.of(theirs, story.history)
    seen = [each.event.model_dump_json() for each in story.history if sight.shows(each)]

    assert not any("rival" in each for each in seen)
    (row,) = candidates(member(story, viewer=theirs))
    assert [each.metric for each in row.pilots] == ["demo_request_rate"]


# --- partners in a market ----------------------------------------------------------------------


def test_the_partners_of_a_market_are_ranked_with_figures_beside_opinions() -> None:
    story = webinars()
    heard_and_ranked(story, "spain", 4, 3)

    (row,) = markets([member(story)])

    assert [each.candidate.candidate for each in row.partners] == [
        "northbridge",
        "calder",
        "ostrava",
    ]
    first = row.partners[0]
    assert first.rank == 1
    assert (first.viability, first.cultural_fit) == (Decimal(4), Decimal(3))
    assert first.candidate.measured == (
        "demo request rate 12/150 (8 %)",
        "10.00 % account overlap",
    )


def test_the_partner_whose_partnership_rates_the_market_higher_comes_first() -> None:
    one, other = webinars(), webinars()
    heard_and_ranked(one, "spain", 2)
    heard_and_ranked(other, "spain", 5)

    (row,) = markets([member(one, "a"), member(other, "b")])

    assert [each.partnership for each in row.partners] == ["b"] * 3 + ["a"] * 3
    assert [each.rank for each in row.partners] == [1, 2, 3, 4, 5, 6]


def test_the_revenue_of_a_partnership_with_one_market_is_shown_in_it() -> None:
    story = at(Stage.EXECUTION)
    report(story, "co_branded_revenue", "2025-12", dollars("1200.50"))

    (alone,) = markets([member(story)])
    story.when(OURS, TargetMarket(market="france"))
    several = markets([member(story)])

    assert [(each.metric, each.amount) for each in alone.partners[0].revenue] == [
        ("co_branded_revenue", Decimal("1200.50"))
    ]
    assert [each.partners[0].revenue for each in several] == [(), ()]


def test_with_several_markets_a_rate_counts_for_the_market_that_it_was_reported_for() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, TargetMarket(market="france"))
    report(story, "subscription_conversion", "2025-12", percent(11, 100), segment="spain")

    france, spain = sorted(markets([member(story)]), key=lambda each: each.market)

    assert [str(each) for each in spain.partners[0].rates] == [
        "subscription conversion 11/100 (11 %)"
    ]
    assert france.partners[0].rates == ()


def test_the_chosen_candidate_is_marked() -> None:
    (row,) = candidates(member(after(ChoosePartner)))

    assert row.progress is CandidateProgress.CHOSEN
    assert row.unbridged == ()


def test_the_chosen_partner_sees_itself_and_no_other_candidate() -> None:
    story = before(ChoosePartner)
    scored(story, "rival", 5)
    story.when(OURS, example(ChoosePartner))

    assert names(candidates(member(story))) == [THEIRS, "rival"]
    assert names(candidates(member(story, viewer=Viewer(OURS)))) == [THEIRS, "rival"]
    assert names(candidates(member(story, viewer=Viewer(THEIRS)))) == [THEIRS]


def test_a_small_overlap_is_not_shown_to_the_partner() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(MeasureAudienceOverlap, candidate=THEIRS, shared_customers=3))
    story.when(OURS, example(ChoosePartner))

    (ours,) = candidates(member(story, viewer=Viewer(OURS)))
    (theirs,) = candidates(member(story, viewer=Viewer(THEIRS)))

    assert ours.overlap_percent == Decimal("0.75")
    assert ours.overlap_fewer_than is None
    assert (theirs.overlap_percent, theirs.overlap_fewer_than) == (None, 10)
    assert theirs.measured[-1] == "fewer than 10 shared customers"


def test_the_partner_is_told_of_no_later_profile_as_it_sees_none() -> None:
    (theirs,) = candidates(member(after(ChoosePartner), viewer=Viewer(THEIRS)))

    assert theirs.current
    assert theirs.opinions[0].endswith("of 15 under profile 1")


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
    adopted_as=st.none(),
    approached=st.booleans(),
    declined=st.none() | st.just("The market is too small."),
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


def test_feedback_that_is_corrected_counts_once_with_its_new_score() -> None:
    story = at(Stage.EXECUTION)
    heard = example(RecordLocalFeedback, market="chile", feedback="answer-1", score=5)
    story.when(OURS, heard)
    story.when(THEIRS, changed(heard, score=1))

    story.when(OURS, changed(heard, score=2, change_reason="It was typed in wrongly."))

    (feedback,) = (
        row.feedback
        for key, row in replay(TRAITS, story.history).rows.items()
        if isinstance(row, MarketTraits) and "chile" in key
    )
    assert feedback is not None
    assert feedback.scores == {f"{OURS}/answer-1": 2, f"{THEIRS}/answer-1": 1}
