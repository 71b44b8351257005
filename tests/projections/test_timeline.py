"""The timeline: who did what and when, in words for every event, with late events marked."""

from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import domain
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.exploration import ChoosePartner, CompleteDecisionChecklist, IdentifyCandidate
from domain.formation import DeclareBestAlternative
from domain.gates import ProposeWaiver
from domain.kernel import Event, Stage
from domain.scaling import JointInvestmentProposed, ProposeJointInvestment
from infra.tlog.codec import decode
from projections.contents import contents
from projections.timeline import WORDS, TimelineItem, item, words
from tests.life import LIFE, OURS, after, at, before, example, so_far
from tests.projections.folds import correct, count, refer, report
from tests.projections.money import amend, share, under
from tests.stories import Story

for module in walk_packages(domain.__path__, "domain."):
    import_module(module.name)
EVENTS = sorted(Event.registry.values(), key=lambda event: event.wire)
GOLDEN = Path(__file__).parents[1] / "golden"


def items(story: Story) -> list[TimelineItem]:
    return [item(recorded) for recorded in story.history]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire)
def test_every_event_has_words(event: type[Event]) -> None:
    written = GOLDEN / f"{event.wire}.v{event.version}.json"
    text = words(decode(written.read_bytes()).event)

    assert text == text.strip()
    assert not set("{}<>") & set(text)
    assert "None" not in text
    assert "domain." not in text


def test_there_are_words_for_nothing_else() -> None:
    assert set(WORDS) == set(EVENTS)


def test_a_whole_life_reads_in_the_order_in_which_it_was_recorded() -> None:
    story = so_far(len(LIFE))
    read = items(story)

    assert [each.index for each in read] == list(range(len(story.history)))
    began = datetime(2025, 9, 1, 9, tzinfo=UTC)
    assert read[0] == TimelineItem(
        index=0,
        occurred_at=began,
        recorded_at=began,
        party="growthos",
        actor="growthos-manager",
        type="ExplorationBegun",
        text="began to look for a partner: Consulting firms that refer clients",
        late_days=0,
    )
    assert (read[-1].type, read[-1].text) == (
        "PartnershipExited",
        (
            "and its partner completed the exit; the partnership ended; what remains: "
            "Confidentiality for two years"
        ),
    )


def test_what_time_itself_records_is_nobodys_act() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-01")

    closed = items(story)[-1]
    assert (closed.party, closed.text) == ("accord", "2026-01 closed")


def test_an_item_says_how_many_days_late_it_was_recorded() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-03")
    refer(story, "D-1", happened="2026-01-31T23:59")
    refer(story, "D-2", happened="2026-02-02T12:00")

    late, in_time = items(story)[-2:]
    assert late.late_days == 2
    assert late.occurred_at == datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    assert late.recorded_at == datetime(2026, 2, 3, 9, tzinfo=UTC)
    assert in_time.late_days == 0


def test_temporary_terms_name_their_last_day() -> None:
    """They end on the first day on which they no longer apply, and people count the day before."""
    story = under(share("15"))
    amend(story, share("10"), since=date(2026, 2, 1), until=date(2026, 3, 1))

    agreed = [
        each.text for each in items(story) if each.text.startswith("and its partner agreed t")
    ]

    assert agreed[-1] == "and its partner agreed terms, version 3, from 2026-02-01 until 2026-02-28"


def test_a_correction_shows_the_corrected_figure() -> None:
    story = at(Stage.EXECUTION)
    report(story, "impressions", "2026-01", count(142))
    correct(story, "impressions", "2026-01", count(150))

    assert [each.text for each in items(story)[-2:]] == [
        "reported impressions for 2026-01: 142",
        "corrected impressions for 2026-01 to 150: Recount.",
    ]


@pytest.mark.parametrize(("staff", "said"), [(120, " (120 staff)"), (None, "")])
def test_a_candidate_has_its_staff_where_it_is_known(staff: int | None, said: str) -> None:
    story = before(IdentifyCandidate)
    story.when(OURS, example(IdentifyCandidate, name="Bright", staff=staff))

    assert items(story)[-1].text.startswith(f"put Bright{said} on the list (")


def test_a_checklist_lists_the_questions_answered_with_no() -> None:
    story = before(CompleteDecisionChecklist)
    answers = example(CompleteDecisionChecklist, economics_fair=False, exit_clause=False)
    story.when(OURS, answers)

    assert items(story)[-1].text == (
        "answered the decision checklist for brightpath, with no to economics fair, exit clause"
    )


def test_what_was_passed_by_waiver_is_named_where_it_was_passed() -> None:
    story = before(ChoosePartner, without=CompleteDecisionChecklist)
    for rule in story.refuses(OURS, example(ChoosePartner)).facts["waivable"]:
        story.when(
            OURS, ProposeWaiver(proposal=f"waive:{rule}", rule=rule, reason="The board wants it.")
        )
    story.when(OURS, example(ChoosePartner))

    assert "(waived: checklist" in items(story)[-1].text


def test_a_partys_best_alternative_stays_its_own() -> None:
    story = after(DeclareBestAlternative)

    secret = example(DeclareBestAlternative).statement
    assert items(story)[-1].type == "BestAlternativeDeclared"
    assert secret not in str(items(story))


def test_shares_of_an_investment_name_the_parties_as_they_are_and_in_percent() -> None:
    """The hyphen of a party and the % were lost: acme l02 50."""
    shares = {"acme-l02": Decimal(50), "north": Decimal(50)}
    proposed = example(
        ProposeJointInvestment,
        capabilities={"acme-l02": "A studio", "north": "Viewers"},
        investment_shares=shares,
        reward_shares=shares,
    )

    said = [*contents(JointInvestmentProposed(**dict(proposed)))]

    assert "paid by acme-l02 50 %, north 50 %" in said
    assert "acme-l02 brings A studio" in said


@pytest.mark.parametrize(
    ("kind", "ref", "said"),
    [
        (DeadlineKind.IMPROVEMENT, "more-leads", "the last day of improvement plan more-leads"),
        (DeadlineKind.ONBOARDING, "crm", "the last day of onboarding step crm"),
        (DeadlineKind.CURE, "late", "the last day to cure breach late"),
        (DeadlineKind.NOTICE, "2026-02-01", "the last day for notice, 2026-02-01"),
        (DeadlineKind.TERM_END, "2026-02-01", "the last day of the term before 2026-02-01"),
        (DeadlineKind.SIGNATURE, "2/acme", "the last day on which acme was to sign version 2"),
    ],
)
def test_a_day_that_passed_is_said_in_words(kind: DeadlineKind, ref: str, said: str) -> None:
    """It named the kind of the deadline: the day of improvement more-leads passed."""
    assert words(DeadlinePassed(kind=kind, ref=ref)) == f"{said} passed"
