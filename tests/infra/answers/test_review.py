"""The page for a review: the same whenever it is asked for."""

from dataclasses import fields, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest

from domain.examples import Step
from domain.execution import (
    AgreeMilestone,
    AgreeReviewHeld,
    HoldKickoff,
    ProposeMilestone,
    ProposeReviewHeld,
    ReviewScheduled,
)
from domain.exit import AgreeExit, ProposeExit
from domain.health import RecordContribution
from domain.partnership import PassTime
from infra.answers import kpis, review, rules
from infra.answers.logs import AsOf, NotFound
from infra.answers.text import Line, Remark
from infra.bootstrap import Accord
from projections.alerts import AlertState
from projections.visibility import Viewer
from tests.feeds import PROGRAM, simulated
from tests.infra.answers.demo import BY_PARTNER, CONSULTING, EVERYTHING, without_moment
from tests.infra.messages import from_steps, message
from tests.life import LIFE, OURS, THEIRS, changed, example
from tests.stories import moment

LAST = "review-2026-q3"


def test_the_page_is_as_of_the_beginning_of_the_review(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST)

    assert page.period == "2026-Q2"
    assert without_moment(review.ask(demo, CONSULTING, LAST, when=EVERYTHING)) == page
    assert all(each.since <= page.at for each in page.alerts)
    assert all(each.due >= page.at for each in page.deadlines)
    assert page.since is not None
    assert page.since.at < page.at


def test_a_program_has_no_page_for_a_review(demo: Accord) -> None:
    """It printed: growthos-program: , in None."""
    with pytest.raises(NotFound) as raised:
        review.ask(demo, PROGRAM)

    assert raised.value.detail == f"{PROGRAM} is no partnership. It has the limits of a portfolio."
    assert raised.value.hint == "Ask for the portfolio, or name a partnership."


def test_an_earlier_moment_has_less_on_the_page(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST)
    (scheduled,) = (
        each
        for each in demo.history.of(CONSULTING)
        if isinstance(each.event, ReviewScheduled) and each.event.review == LAST
    )
    earlier = review.ask(demo, CONSULTING, LAST, when=AsOf(known=scheduled.act.recorded_at))

    assert page.at == earlier.at
    assert page.disputes
    assert not earlier.disputes


def test_its_figures_are_those_that_the_parties_agreed_to_look_at(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST)
    at = AsOf(page.at, page.at)

    by_metric = {each.metric: each for each in kpis.ask(demo, CONSULTING, page.period, at).figures
                 if each.segment is None}  # fmt: skip
    agreed = {each.rule.metric for each in rules.ask(demo, CONSULTING, at).rules}
    agreed |= {"leads", *(each.objective.metric for each in page.objectives)}
    assert {each.metric for each in page.figures} == agreed & by_metric.keys()
    for line in page.figures:
        found = replace(
            by_metric[line.metric], posterior=None, above_other_channels=None, caveats=line.caveats
        )
        assert all(getattr(line, each.name) == getattr(found, each.name) for each in fields(line))


def test_contributions_of_both_parties_are_on_it(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST)

    assert tuple(each.party for each in page.contributions) == page.parties


def _lines(page: review.Review) -> list[str]:
    return [each.text for each in review.text(page) if isinstance(each, Line)]


def test_what_was_promised_is_compared_with_what_was_given(tmp_path: Path) -> None:
    """The life promises 20 hours of training, and the party gives 16."""
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE))
        page = review.ask(accord, "growthos-brightpath", when=AsOf(at=moment("2026-02-03")))
        before = review.ask(accord, "growthos-brightpath", when=AsOf(at=moment("2026-01-31")))

    lines = _lines(page)
    (line,) = (each for each in lines if "promised for 2026-Q1" in each)
    assert "Training of our sales (20 hours), gave Training of our sales (16 hours)" in line
    assert "nothing given yet" in "\n".join(_lines(before))


def test_what_is_open_comes_before_what_has_ended_and_nothing_accrued_is_left_out(
    demo: Accord,
) -> None:
    page = review.ask(demo, "growthos-harbourlight", when=AsOf(at=moment("2026-09-21")))

    states = [each.state for each in page.alerts]
    open_ones = states.count(AlertState.OPEN)
    assert 0 < open_ones < len(states)
    assert set(states[:open_ones]) == {AlertState.OPEN}
    # All of what accrued in euros is on a statement.
    assert [each.currency for each in page.accrued] == ["USD"]


def test_it_says_who_is_who_on_both_sides(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST)
    (head,) = (each for each in page.people if each.party == "growthos")
    lines = [each.text for each in review.text(page) if isinstance(each, Line)]

    assert tuple(each.party for each in page.people) == page.parties
    assert head.sponsor is not None
    assert (
        f"growthos: Maya Ortiz (partnership manager); {head.sponsor.name} (executive sponsor)"
        in lines
    )


def test_the_next_days_are_in_words(demo: Accord) -> None:
    lines = [
        each.text
        for each in review.text(review.ask(demo, CONSULTING, LAST))
        if isinstance(each, Line)
    ]

    assert "2026-12-31  objective referrals is to be reached" in lines


def test_a_party_sees_only_what_is_shared_with_it(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST, when=BY_PARTNER)
    own = kpis.ask(demo, CONSULTING, page.period, BY_PARTNER)

    assert {each.metric for each in page.figures} <= {each.metric for each in own.figures}
    assert page.as_of.party == "northbridge"
    with pytest.raises(NotFound, match="passer-by"):
        review.ask(demo, CONSULTING, LAST, when=AsOf(viewer=Viewer("passer-by")))


def test_a_review_that_nobody_scheduled_has_a_page_as_of_now(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, "review-2026-q9")

    assert page.note is not None
    assert page.note.startswith(f"There is no review review-2026-q9 on record. Perhaps {LAST} ")
    named = {"review", "note", "as_of"}
    now = review.ask(demo, CONSULTING)
    assert page.model_dump(exclude=named) == now.model_dump(exclude=named)
    first, second, *_ = review.text(page)
    assert isinstance(first, Line)
    assert first.text.startswith("review review-2026-q9, ")
    assert isinstance(second, Remark)


def test_a_review_that_was_held_without_a_schedule_has_its_page_of_that_day(tmp_path: Path) -> None:
    kickoff = next(
        place for place, each in enumerate(LIFE) if isinstance(each.command, HoldKickoff)
    )
    by_chance = example(ProposeReviewHeld, review="by-chance", kind="operational")
    steps = [
        *LIFE[: kickoff + 1],
        Step("2026-02-16", OURS, by_chance),
        Step("2026-02-18", THEIRS, example(AgreeReviewHeld)),
    ]

    with simulated(tmp_path) as accord:
        accord.service.handle([*from_steps(steps), message("later", PassTime(), at="2026-03-20")])
        page = review.ask(accord, "growthos-brightpath", "by-chance")

    assert (page.at, page.kind, page.note) == (moment("2026-02-16"), "operational", None)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_both_gave_is_the_same_in_any_order_and_once_although_it_is_corrected(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    def gift(name: str, hours: int, reason: str | None = None) -> RecordContribution:
        return changed(
            example(RecordContribution),
            contribution=name,
            period="2026-02",
            hours=Decimal(hours),
            change_reason=reason,
        )

    kickoff = next(
        place for place, each in enumerate(LIFE) if isinstance(each.command, HoldKickoff)
    )
    gifts = [
        ("2026-02-10", gift("before", 8)),
        ("2026-02-20", gift("after-1", 5)),
        ("2026-02-21", gift("after-2", 3)),
    ]
    held = example(ProposeReviewHeld, review="by-chance", kind="operational")
    told = [gifts[place] for place in order]
    told.append(("2026-02-23", gift("before", 4, "Half of it was for us.")))
    steps = [
        *LIFE[: kickoff + 1],
        Step("2026-02-16", OURS, held),
        Step("2026-02-18", THEIRS, example(AgreeReviewHeld)),
    ]
    late = [
        message(f"{at}-{place}", command, at=at, party=OURS)
        for place, (at, command) in enumerate(told)
    ]

    with simulated(tmp_path) as accord:
        accord.service.handle([*from_steps(steps), *late])
        accord.service.handle([message("later", PassTime(), at="2026-03-20")])
        page = review.ask(accord, "growthos-brightpath")

    (ours,) = [each for each in page.contributions if each.party == OURS]
    # What was given before the last review was on its page, also with a mistake.
    assert [each.contribution for each in ours.given] == ["after-1", "after-2"]
    assert ours.hours == 8


def test_a_page_after_an_exit_has_nothing_that_the_exit_gave_up(tmp_path: Path) -> None:
    kickoff = next(
        place for place, each in enumerate(LIFE) if isinstance(each.command, HoldKickoff)
    )
    due = example(ProposeMilestone, proposal="m-9", milestone="late", due=date(2026, 4, 20))
    exit_ = ProposeExit(exit="x-9", explanation="We part.", effective_on=date(2026, 3, 5))
    steps = [
        *LIFE[: kickoff + 1],
        Step("2026-02-02", OURS, due),
        Step("2026-02-02", THEIRS, AgreeMilestone(proposal="m-9")),
        Step("2026-03-02", OURS, exit_),
        Step("2026-03-02", THEIRS, AgreeExit(exit="x-9")),
    ]

    with simulated(tmp_path) as accord:
        times = [message(day, PassTime(), at=day) for day in ("2026-03-04", "2026-03-10")]
        accord.service.handle([*from_steps(steps), *times])
        ahead = review.ask(accord, "growthos-brightpath", when=AsOf(known=moment("2026-03-04")))
        after = review.ask(accord, "growthos-brightpath")

    assert "late" in {each.milestone for each in ahead.milestones}
    assert "2026-03-05" in {each.ref for each in ahead.deadlines}
    assert not {"late", "co-branded-revenue"} & {each.ref for each in ahead.deadlines}
    assert (after.milestones, after.deadlines) == ((), ())
    assert {each.status.words for each in after.objectives} == {"given up"}


def test_a_page_without_a_review_is_as_of_the_moment_that_is_asked_about(demo: Accord) -> None:
    held = review.ask(demo, CONSULTING, LAST)

    page = review.ask(demo, CONSULTING, period="2026-Q2", when=AsOf(held.at, held.at))

    assert (page.review, page.kind, page.reason) == (None, None, None)
    assert page.at == held.at
    # Only the reminder of the review itself is not on the page of that review.
    assert {each.id for each in page.alerts} - {each.id for each in held.alerts} == {
        f"due-soon@1/{CONSULTING}/review/{LAST}"
    }
    named = {"review", "kind", "reason", "alerts", "as_of", "deadlines"}
    assert page.model_dump(exclude=named) == held.model_dump(exclude=named)


def test_a_page_says_whether_its_period_is_over(demo: Accord) -> None:
    def is_over(day: str) -> bool:
        when = AsOf(datetime.fromisoformat(f"{day}T12:00:00Z"))
        return review.ask(demo, CONSULTING, period="2026-Q2", when=when).is_over

    assert (is_over("2026-06-30"), is_over("2026-07-01")) == (False, True)


def test_a_page_without_a_review_is_as_of_the_latest_record(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING)

    assert page.at == demo.history.last_recorded_at()
    assert page.period == "2027-01"
    assert page.since is not None
    assert page.since.review == LAST


def test_the_text_leaves_out_sections_without_lines(demo: Accord) -> None:
    page = review.ask(demo, CONSULTING, LAST).model_copy(update={"risks": (), "alerts": ()})

    titles = [each.text for each in review.text(page) if isinstance(each, Line) and each.style]

    assert "contributions of both sides" in titles
    assert not {"risks", "alerts"} & set(titles)


def test_what_is_earned_beside_the_items_of_the_terms_is_in_words(demo: Accord) -> None:
    """The text ended with an error for a partnership with an adjustment."""
    page = review.ask(demo, "growthos-harbourlight", when=AsOf(at=moment("2026-09-21")))

    shown = [each.text for each in review.text(page) if isinstance(each, Line)]

    assert any("adjustment earned 250.00" in each for each in shown)
