"""A partnership that already runs comes in with what it is (C28)."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain.adoption import (
    AdoptedParty,
    AdoptionPart,
    AdoptionPartAgreed,
    AgreeAdoption,
    AgreeAdoptionPart,
    Books,
    OpeningBalance,
    PartnershipAdopted,
)
from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.checklist import checklist
from domain.deadlines.deadline import DeadlineKind, PeriodClosed
from domain.execution import KickoffHeld
from domain.exploration import AlignmentAssessed, AssessAlignment
from domain.formation import AgreementSigned, CharterAgreed, DecisionRuleAgreed
from domain.gates import WaiverGranted
from domain.governance import ContactAssigned, GovernanceEstablished
from domain.kernel import Command, Refused, Stage
from domain.reported_figure import CorrectMetric, MetricReported, ReportedFigure, ReportMetric
from domain.terms import FrameChange, named
from tests.life import (
    ADOPTED,
    ADOPTION,
    OURS,
    STRANGER,
    THEIRS,
    changed,
    example,
    referral_share,
    usd,
)
from tests.stories import Story, moment


def proposed(**changes: object) -> Story:
    story = Story(now=moment("2025-08-28"))
    story.when(OURS, changed(ADOPTION, **changes))
    return story


def adopted(**changes: object) -> Story:
    story = proposed(**changes)
    story.on("2025-08-30")
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))
    return story


def refused(**changes: object) -> Refused:
    story = Story(now=moment("2025-08-28"))
    return story.refuses(OURS, changed(ADOPTION, **changes))


# --- the matrix as an audit --------------------------------------------------------------------


def test_an_adopted_partner_can_be_rated_on_the_alignment_matrix_and_the_checklist_knows_it() -> (
    None
):
    story = adopted()
    rated = example(AssessAlignment, candidate=THEIRS, cultural_compatibility=3, shared_vision=2)

    (event,) = story.when(OURS, rated)

    state = story.partnership
    answers = checklist(state.exploration, state.formation, state.context)
    (alignment,) = (each for each in answers if each.question == "alignment_sufficient")
    assert isinstance(event, AlignmentAssessed)
    assert not alignment.met
    assert "shared vision 2 (no bridging plan)" in alignment.rests_on
    assert story.when(OURS, rated) == []
    story.when(OURS, changed(rated, shared_vision=3))
    assert story.partnership.exploration.candidates[THEIRS].unbridged() == []


def test_only_the_partner_of_an_adoption_can_be_rated() -> None:
    refusal = adopted().refuses(OURS, example(AssessAlignment, candidate=STRANGER))

    assert refusal.rule == "no-such-candidate"


# --- one proposal, one acceptance --------------------------------------------------------------


def test_nothing_binds_before_the_other_party_accepts() -> None:
    story = proposed()

    assert story.partnership.stage is Stage.ADOPTION
    assert story.partnership.parties == (OURS, THEIRS)
    assert story.partnership.context.terms.agreed == ()
    assert [*story.partnership.deadlines] == [
        "answer/Adoption/adoption-1",
        "lapse/Adoption/adoption-1",
    ]


def test_one_acceptance_brings_in_all_parts() -> None:
    story = adopted()
    state = story.partnership

    assert state.stage is Stage.EXECUTION
    assert [each.terms_version for each in state.context.terms.agreed] == [1, 2]
    assert state.formation.agreement.in_force == 1
    assert state.formation.agreement.signed_by == {OURS, THEIRS}
    for kind in (CharterAgreed, DecisionRuleAgreed, GovernanceEstablished):
        assert state.context.agreements.latest(kind) is not None
    contacts = state.context.declarations.of(ContactAssigned, THEIRS)
    assert [each.name for each in contacts] == ["Boris", "Carla"]
    assert [each.name for each in state.context.declarations.of(ContactAssigned, OURS)] == ["Ada"]


def test_no_gate_is_said_to_be_passed() -> None:
    story = adopted()

    assert story.facts(KickoffHeld) == []
    assert story.facts(AgreementSigned) == []
    assert story.partnership.context.agreements.of(WaiverGranted) == []


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_terms_of_an_adoption_are_agreed_on_their_days_in_the_zone_of_the_agreement(
    zone: str,
) -> None:
    first, *later = ADOPTION.terms
    zoned = changed(first, frame=changed(first.frame, time_zone=zone))

    terms = adopted(terms=[zoned, *later]).partnership.context.terms

    assert [each.agreed_at.astimezone(ZoneInfo(zone)).date() for each in terms.agreed] == [
        each.agreed_on for each in ADOPTION.terms
    ]


def test_terms_apply_as_if_both_had_agreed_them_on_their_days() -> None:
    terms = adopted().partnership.context.terms

    before, after = (terms.items(day) for day in (date(2025, 1, 31), date(2025, 2, 1)))
    assert before == named([referral_share("15")])
    assert after == named([referral_share("12")])
    assert [each.agreed_at.date() for each in terms.agreed] == [
        date(2023, 9, 20),
        date(2025, 1, 10),
    ]
    assert terms.term_ends_on == date(2026, 10, 1)


def test_past_figures_are_reported_by_one_party_and_confirmed_by_the_other() -> None:
    story = adopted()

    story.on("2025-09-02")
    again = story.refuses(
        OURS,
        ReportMetric(
            metric="co_branded_revenue",
            period="2025-Q2",
            tool="crm",
            figure=ReportedFigure(unit="USD", value=Decimal(1)),
        ),
    )
    assert again.rule == "already-reported"
    assert story.when(
        OURS,
        CorrectMetric(
            metric="co_branded_revenue",
            period="2025-Q2",
            tool="crm",
            figure=ReportedFigure(unit="USD", value=Decimal(103000)),
            reason="A credit note was missing.",
        ),
    )
    assert [each.act.party for each in story.history if isinstance(each.event, MetricReported)] == [
        OURS
    ]


def test_periods_close_from_the_month_of_the_adoption_on() -> None:
    story = adopted()

    story.on("2025-10-02")

    assert [each.period for each in story.facts(PeriodClosed)] == ["2025-08", "2025-09", "2025-Q3"]


def test_the_end_of_the_term_and_its_notice_are_open_deadlines() -> None:
    kinds = {each.kind for each in adopted().partnership.deadlines.values()}

    assert {DeadlineKind.PERIOD, DeadlineKind.NOTICE, DeadlineKind.TERM_END} <= kinds


def test_a_partnership_that_had_scaled_comes_in_scaling() -> None:
    assert adopted(stage=Stage.SCALING).partnership.stage is Stage.SCALING


# --- part by part ------------------------------------------------------------------------------


def test_parts_are_accepted_one_by_one_and_the_last_completes_the_adoption() -> None:
    story = proposed()

    for part in AdoptionPart:
        assert story.facts(PartnershipAdopted) == []
        assert story.partnership.context.terms.agreed == ()
        story.when(THEIRS, AgreeAdoptionPart(proposal="adoption-1", part=part))

    assert len(story.facts(AdoptionPartAgreed)) == len(AdoptionPart)
    assert len(story.facts(PartnershipAdopted)) == 1
    assert story.partnership.stage is Stage.EXECUTION


def test_a_part_is_accepted_once_and_the_rest_at_once() -> None:
    story = proposed()
    accept = AgreeAdoptionPart(proposal="adoption-1", part=AdoptionPart.TERMS)

    assert story.when(THEIRS, accept)
    assert story.when(THEIRS, accept) == []
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))

    assert story.partnership.stage is Stage.EXECUTION


def test_only_a_part_that_the_adoption_has_can_be_accepted() -> None:
    story = proposed(charter=None)

    refusal = story.refuses(
        THEIRS, AgreeAdoptionPart(proposal="adoption-1", part=AdoptionPart.CHARTER)
    )

    assert refusal.rule == "no-such-part"
    assert "terms" in refusal.facts["known"]


def test_nobody_accepts_its_own_adoption_or_a_part_of_it() -> None:
    story = proposed()

    for command in (
        AgreeAdoption(proposal="adoption-1"),
        AgreeAdoptionPart(proposal="adoption-1", part=AdoptionPart.TERMS),
    ):
        assert story.refuses(OURS, command).rule == "own-proposal"
    assert story.refuses(STRANGER, AgreeAdoption(proposal="adoption-1")).rule == "unknown-party"


# --- declined ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("party", "answer"),
    [
        (THEIRS, DeclineProposal(proposal="adoption-1", reason="The share was 18 %.")),
        (OURS, WithdrawProposal(proposal="adoption-1", reason="The share was 18 %.")),
    ],
    ids=["declined", "withdrawn"],
)
def test_either_party_proposes_again_after_a_declined_adoption(party: str, answer: Command) -> None:
    story = proposed()
    story.when(party, answer)

    assert story.facts(PartnershipAdopted) == []
    story.when(THEIRS, changed(ADOPTION, proposal="adoption-2", charter=None))
    story.when(OURS, AgreeAdoption(proposal="adoption-2"))

    assert story.partnership.stage is Stage.EXECUTION
    assert story.partnership.parties == (OURS, THEIRS)


def test_a_running_partnership_is_not_adopted_again() -> None:
    story = adopted()

    assert story.refuses(OURS, changed(ADOPTION, proposal="adoption-2")).rule == "wrong-stage"


# --- what is refused, and where ----------------------------------------------------------------

FIRST, SECOND = ADOPTION.terms
OTHER_SHARE = changed(referral_share("12"), to="somebody")


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"terms": [changed(FIRST, frame=None), SECOND]}, "frame-incomplete", "terms/0"),
        ({"terms": [FIRST, changed(SECOND, items=[OTHER_SHARE])]}, "unknown-party", "terms/1"),
        (
            {"terms": [FIRST, changed(SECOND, effective_from=date(2025, 1, 1))]},
            "terms-never-backwards",
            "terms/1",
        ),
        (
            {"terms": [FIRST, SECOND, changed(SECOND, agreed_on=date(2024, 1, 1))]},
            "terms-in-order",
            "terms/2/agreed_on",
        ),
        (
            {
                "terms": [
                    FIRST,
                    changed(SECOND, agreed_on=date(2030, 1, 1), effective_from=date(2030, 1, 1)),
                ]
            },
            "not-past",
            "terms/1/agreed_on",
        ),
        ({"since": date(2026, 1, 1)}, "not-past", "since"),
        (
            {
                "terms": [
                    changed(
                        FIRST,
                        frame=FrameChange(**{**FIRST.frame.given(), "duration": "P1Y"}),
                    )
                ]
            },
            "term-is-over",
            "terms",
        ),
        (
            {"parties": [ADOPTION.parties[0], ADOPTION.parties[0]]},
            "given-twice",
            "parties/1",
        ),
        (
            {"parties": [ADOPTION.parties[1], AdoptedParty(party="third", name="Third")]},
            "unknown-party",
            "parties",
        ),
        (
            {
                "books": Books(
                    settles_from=date(2025, 7, 1),
                    balances=[OpeningBalance(by=OURS, to=OURS, amount=usd("1.00"), reason="?")],
                )
            },
            "adjustment-of-two",
            "books/balances/0/to",
        ),
        (
            {
                "figures": [
                    changed(
                        ADOPTION.figures[0], figure=ReportedFigure(unit="EUR", numerator=Decimal(1))
                    )
                ]
            },
            "figure-shape",
            "figures/0/figure",
        ),
        ({"figures": [*ADOPTION.figures, *ADOPTION.figures]}, "given-twice", "figures/1"),
        ({"rules": [*ADOPTION.rules, *ADOPTION.rules]}, "given-twice", "rules/1"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_refusal_names_the_field_the_rule_and_what_to_do(
    changes: dict[str, object], rule: str, field: str
) -> None:
    refusal = refused(**changes)

    assert (refusal.rule, refusal.facts["field"]) == (rule, field)


def test_the_example_of_an_adoption_is_a_story() -> None:
    assert Story(now=moment("2025-08-28")).given(ADOPTED).partnership.stage is Stage.EXECUTION
