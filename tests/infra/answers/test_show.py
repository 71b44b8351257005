"""The state of a partnership, as of any moment, as each viewer sees it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import aggregates
from domain.agreement import CounterTerms, ProposeTerms
from domain.deadlines.deadline import DeadlineKind
from domain.dispute import DisputeOutcome
from domain.examples import Step
from domain.execution import (
    AgreeAction,
    AgreeMilestone,
    AgreePause,
    AgreeReview,
    AgreeReviewHeld,
    CompleteAction,
    HoldKickoff,
    ProposeAction,
    ProposeCampaign,
    ProposeCancellation,
    ProposeMilestone,
    ProposeReview,
    ProposeReviewHeld,
)
from domain.exit import AgreeExit, GiveExitNotice, ProposeExit
from domain.exploration import ChoosePartner, MeasureAudienceOverlap
from domain.formation import (
    BestAlternativeDeclared,
    NonNegotiableDeclared,
)
from domain.gates import AgreeWaiver, ProposeWaiver
from domain.health import ProposeTarget
from domain.kernel import Command, Stage
from domain.markets import (
    AssignRole,
    ProposeMetricOwner,
    RankMarket,
    RecordLocalFeedback,
    TargetMarket,
)
from domain.scaling import AgreeJointInvestment
from domain.terms import (
    CostShare,
    Hybrid,
    Incentive,
    Item,
    ItemKind,
    LicenceFee,
    Minimum,
    Penalty,
    ReferralFee,
    Retainer,
    RevenueShare,
    RevenueSplit,
    Tier,
    Trigger,
    describe,
)
from infra.answers.logs import NOW, AsOf, NotFound, extent, sight_of
from infra.answers.partnership_state import (
    AgreementEnd,
    PartnershipState,
    ProposalState,
    TaskState,
)
from infra.answers.show import ask, open_deadlines
from infra.answers.show_text import DEADLINES, task_words, text
from infra.bootstrap import Accord
from infra.store.history import History, partnerships
from infra.tlog.codec import UnknownEvent, UnreadableEvent
from projections.visibility import Viewer
from tests.feeds import played, simulated
from tests.infra.answers.demo import CONSULTING, day
from tests.infra.answers.helpers import AURORA, PARTNER, changed_event, printed
from tests.infra.answers.test_every_alert import recorded
from tests.infra.messages import beginning, from_steps, message
from tests.life import ADOPTED, ADOPTION, EXAMPLES, LIFE, OURS, THEIRS, changed, example, usd
from tests.life import after as story_after
from tests.stories import Story
from tests.sweeps import sweep

NAME = "growthos-brightpath"
HALVES = {OURS: Decimal(50), THEIRS: Decimal(50)}


# --- terms -------------------------------------------------------------------------------------

ITEMS: list[Item] = [
    RevenueShare(
        to=THEIRS,
        share=Decimal(15),
        basis="all-payments",
        trigger=Trigger.PAYMENT,
        tiers=[Tier(above=Decimal(1000), share=Decimal(20))],
        cap=Decimal(5000),
    ),
    RevenueSplit(shares=HALVES, trigger=Trigger.SALE),
    ReferralFee(to=THEIRS, fee=usd("100.00"), trigger=Trigger.SALE),
    Retainer(to=THEIRS, fee=usd("900.00"), every="P1M"),
    LicenceFee(to=OURS, fee=usd("30.00"), every="P1Y"),
    Hybrid(
        to=THEIRS,
        base=usd("200.00"),
        every="P3M",
        bonus=usd("50.00"),
        window="quarter",
        bonus_metric="leads",
        bonus_threshold=10,
    ),
    CostShare(cost="the fair", shares=HALVES),
    Minimum(
        on=THEIRS, metric="leads", window="quarter", at_least=10, fee=usd("50.00"),
        per="missing",
    ),
    Penalty(on=THEIRS, condition="No report is sent.", fee=usd("250.00")),
    Incentive(by=OURS, amount=usd("25.00")),
]  # fmt: skip


def life(kind: type[Command] | tuple[type[Command], ...], **changes: object) -> list[Step]:
    """Return the steps of a whole life, with each command of a kind changed."""
    return [
        step._replace(command=changed(step.command, **changes))
        if isinstance(step.command, kind)
        else step
        for step in LIFE
    ]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.kind)
def test_every_kind_of_economics_is_shown(tmp_path: Path, item: Item) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(life((ProposeTerms, CounterTerms), items=[item])))
        state = ask(accord, NAME, when=AsOf(at=day("2026-01-01")))

    assert state.terms.versions[0].items == [item]
    assert PartnershipState.model_validate_json(state.model_dump_json()) == state
    (shown,) = state.terms.items
    assert f"    {item.kind}-1: {describe(shown)}\n" in printed(text(state))


def test_an_objective_is_shown_with_the_target_and_the_deadline_in_force(tmp_path: Path) -> None:
    steps = life(ProposeTarget, target=Decimal(7777), deadline=date(2027, 3, 31))
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(steps))
        before = ask(accord, NAME, when=AsOf(at=day("2026-01-06")))
        after = ask(accord, NAME)

    def new_users(state: PartnershipState) -> tuple[Decimal, date]:
        assert state.charter
        (found,) = (each for each in state.charter.objectives if each.objective == "new-users")
        return found.target, found.deadline

    assert new_users(before) == (Decimal(10_000), date(2026, 12, 31))
    assert new_users(after) == (Decimal(7777), date(2027, 3, 31))
    lines = (each.split() for each in printed(text(after)).splitlines())
    (row,) = (each for each in lines if each[:2] == ["new", "users"] and "7777" in each)
    assert row[:5] == ["new", "users", "0", "7777", "2027-03-31"]


def test_the_items_of_these_tests_are_of_every_kind() -> None:
    assert {type(each) for each in ITEMS} == set(get_args(get_args(Item)[0]))
    assert {each.kind for each in ITEMS} == set(ItemKind)


@pytest.mark.parametrize(("at", "version"), [("2026-06-30", 1), ("2026-07-01", 2)])
def test_the_terms_in_force_are_those_of_the_day_that_is_asked_about(
    demo: Accord, at: str, version: int
) -> None:
    terms = ask(demo, CONSULTING, when=AsOf(at=day(at))).terms

    assert terms.day == day(at).date()
    assert terms.version == version


# --- what was agreed, by whom and when ----------------------------------------------------------


def test_a_proposal_that_waits_is_shown_with_its_content(demo: Accord) -> None:
    state = ask(demo, CONSULTING, when=AsOf(at=day("2026-06-16")))
    (waiting,) = (each for each in state.proposals if each.state is ProposalState.OPEN)
    shown = printed(text(state))

    assert (waiting.proposal, waiting.proposed_by, waiting.answered_by) == (
        "terms-c",
        "growthos",
        None,
    )
    assert "waits for an answer" in shown
    assert "from 2026-07-01; northbridge earns 10 % of the first-year revenue" in shown


def test_what_was_agreed_says_by_whom_when_and_whether_it_was_replaced(demo: Accord) -> None:
    state = ask(demo, CONSULTING, when=AsOf(at=day("2026-07-20")))
    agreed = {each.proposal: each for each in state.proposals}
    shown = printed(text(state))

    assert agreed["terms-b"].state is agreed["terms-c"].state is ProposalState.ACCEPTED
    assert (agreed["terms-b"].in_force, agreed["terms-c"].in_force) == (False, True)
    assert agreed["terms-c"].answered_by == "northbridge"
    assert agreed["terms-c"].answered_at == datetime(2026, 6, 18, 9, tzinfo=UTC)
    in_force, over = shown.split("  agreed and over\n")
    assert "2026-06-18  terms-c" in in_force
    assert "2025-11-21  terms-b" in over
    assert "replaced" in over


def test_an_action_that_both_gave_up_is_not_said_to_be_replaced(demo: Accord) -> None:
    state = ask(demo, "growthos-harbourlight", when=AsOf(at=day("2026-09-21")))
    agreed = {each.proposal: each.ended for each in state.proposals if not each.in_force}

    assert agreed["act-webinar"] is AgreementEnd.GIVEN_UP
    assert agreed["plan-certified"] is AgreementEnd.REPLACED
    over = printed(text(state)).partition("  agreed and over\n")[2]
    assert row(over, "act-webinar").endswith("given up")


def test_what_is_done_is_not_shown_between_what_is_in_force(demo: Accord) -> None:
    state = ask(demo, CONSULTING)
    agreed = {each.proposal: (each.in_force, each.ended) for each in state.proposals}
    in_force, over = printed(text(state)).split("  agreed and over\n")

    done = ("plan-launch", "minutes-review-2026-q1", "act-mention", "trial-end", "resolve-issue-1")
    assert [agreed[each] for each in done] == [(False, AgreementEnd.DONE)] * len(done)
    assert all(each in over and each not in in_force for each in done)
    assert "milestone  launch" in in_force.partition("issues and disputes that are over\n")[2]


def test_the_shared_assets_of_an_exit_are_told_in_words(demo: Accord) -> None:
    shown = printed(text(ask(demo, "cobalt-docs")))

    assert "    film-masters goes to cobalt-films\n" in shown
    assert "    campaign-pages stays with meridian-tv\n" in shown


def test_a_running_improvement_plan_stands_among_the_plans_with_its_days(demo: Accord) -> None:
    name = "growthos-harbourlight"
    open_plans = printed(text(ask(demo, name, when=AsOf(at=day("2026-09-21")))))
    late = printed(text(ask(demo, name, when=AsOf(known=day("2026-10-17")))))
    closed = printed(text(ask(demo, name)))

    running = row(open_plans.partition("that are over\n")[0], "improvement plan more-leads")
    assert running.endswith("2026-09-02 2026-10-16 open")
    assert row(late, "improvement plan more-leads").endswith("2026-09-02 2026-10-16 overdue")
    over = closed.partition("that are over\n")[2]
    assert row(over, "improvement plan more-leads").endswith("missed, after it was overdue")


def test_a_running_pause_stands_among_the_plans_until_both_give_it_up(tmp_path: Path) -> None:
    paused = LIFE[: LIFE.index(EXAMPLES[AgreePause]) + 1]
    until = LIFE.index(EXAMPLES[AgreePause])
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(paused))
        state = ask(accord, NAME)

    (pause,) = state.pauses
    assert pause.state is TaskState.OPEN
    shown = row(printed(text(state)), f"pause {pause.planned.pause} Th")
    assert shown.endswith(f"{LIFE[until].at} 2026-04-30 open")


def test_a_proposed_rule_is_a_sentence_with_its_limit_and_its_action(demo: Accord) -> None:
    (rule,) = (each for each in ask(demo, CONSULTING).proposals if each.proposal == "rule-campaign")

    (sentence,) = rule.contents
    assert sentence == (
        "leads of any one campaign as reported below 100 in a month: "
        "reduce the investment in the campaign by 50 %"
    )


def test_governance_is_said_once(demo: Accord) -> None:
    proposals = ask(demo, CONSULTING).proposals
    (agreed,) = (each for each in proposals if each.proposal == "governance-1")

    said = "; ".join((agreed.text, *agreed.contents))
    assert said.count("disputes go to") == 1


def row(shown: str, begins: str) -> str:
    """Return the words of the line that begins with these, or has them after its day."""
    lines = (" ".join(line.split()) for line in shown.splitlines())
    (found,) = (line for line in lines if line.startswith(begins) or line[11:].startswith(begins))
    return found


def test_after_the_end_no_terms_are_said_to_be_in_force(demo: Accord) -> None:
    shown = printed(text(ask(demo, "growthos-harbourlight")))

    assert "terms until the end: version 2" in shown
    assert "terms in force" not in shown


def test_the_parts_of_an_adoption_are_shown_in_their_places_and_not_again(demo: Accord) -> None:
    shown = printed(text(ask(demo, "growthos-harbourlight")))

    assert shown.count("goal of growthos") == 1


def test_what_was_countered_is_not_agreed_and_says_by_whom(demo: Accord) -> None:
    state = ask(demo, CONSULTING)
    (countered,) = (each for each in state.proposals if each.proposal == "terms-a")

    assert (countered.state, countered.in_force) == (ProposalState.COUNTERED, False)
    assert countered.answered_by == "northbridge"
    assert "countered by northbridge" in printed(text(state))


def test_governance_and_channels_in_force_are_shown(demo: Accord) -> None:
    shown = printed(text(ask(demo, CONSULTING)))

    assert "disputes go to partnership managers, then" in shown
    assert "escalation" in shown.partition("channels")[2]


# --- as of a moment ----------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.data())
def test_a_version_shows_the_fold_of_so_many_events(demo: Accord, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(partnerships(demo.history))))
    events = list(demo.history.of(name))
    version = data.draw(st.integers(1, len(events)))

    shown = ask(demo, name, version)

    state = aggregates.fold(events[:version])
    assert shown.stage == state.stage
    assert tuple(each.party for each in shown.parties) == state.parties
    assert shown.deadlines == tuple(open_deadlines(state))
    assert (shown.events, shown.last) == (version, f"{name}#{version - 1}")
    assert shown.last_recorded_at == events[version - 1].act.recorded_at


@settings(max_examples=50)
@given(st.data())
def test_the_extent_of_a_moment_is_that_of_the_events_in_range(
    demo: Accord, data: st.DataObject
) -> None:
    events = list(demo.history.of(CONSULTING))
    moments = [each.act.recorded_at for each in events] + [each.act.occurred_at for each in events]
    moment = st.sampled_from(moments) | st.sampled_from(moments).map(
        lambda each: each - timedelta(microseconds=1)
    )
    when = AsOf(
        data.draw(st.none() | moment),
        data.draw(st.none() | moment),
        data.draw(st.none() | st.integers(1, len(events))),
        data.draw(st.sampled_from([Viewer(full=True), Viewer(PARTNER)])),
    )
    sight = sight_of(demo.history, CONSULTING, AsOf(viewer=when.viewer))

    in_range = list(when.of(events))
    seen = [each for each in in_range if sight.shows(each)]
    found = extent(demo.history, CONSULTING, when, sight)

    if not seen:
        assert found is None
        return
    assert found
    assert (found.last, found.recorded_at) == (seen[-1].index, seen[-1].act.recorded_at)
    if when.at is not None:
        assert found.events == len(seen)
    elif when.known is not None:
        assert found.events == seen[-1].index + 1
    else:
        assert found.events == len(in_range)


def test_before_its_beginning_nothing_can_be_shown(demo: Accord) -> None:
    with pytest.raises(NotFound, match=r"first event is at 2025-09-15T09:00:00Z"):
        ask(demo, CONSULTING, when=AsOf(at=day("2025-09-15")))


@pytest.mark.parametrize("version", [0, 10_000])
def test_a_version_that_is_not_there_is_not_found(demo: Accord, version: int) -> None:
    with pytest.raises(NotFound, match=f"no version {version}"):
        ask(demo, CONSULTING, version)


def test_an_unknown_name_brings_those_that_are_similar(demo: Accord) -> None:
    with pytest.raises(NotFound, match=f"Perhaps {CONSULTING}?"):
        ask(demo, "growth-consulting")


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (AsOf(known=day("2026-03-30")), (TaskState.OPEN, False, None)),
        (AsOf(known=day("2026-03-31")), (TaskState.OVERDUE, True, None)),
        (NOW, (TaskState.DONE, True, True)),
        (AsOf(at=day("2026-03-28")), (TaskState.DONE, False, True)),
    ],
)
def test_a_milestone_reached_in_time_and_recorded_late_was_missed_as_far_as_was_known(
    demo: Accord, when: AsOf, shown: tuple[TaskState, bool, bool | None]
) -> None:
    milestones = ask(demo, "spring-spain", when=when).milestones
    (found,) = (each for each in milestones if each.planned.milestone == "es-review")

    assert (found.state, found.overdue_at is not None, found.in_time) == shown


def test_a_dispute_is_shown_with_its_outcome(demo: Accord) -> None:
    def outcomes(when: AsOf) -> list[tuple[str, DisputeOutcome | None]]:
        found = ask(demo, CONSULTING, when=when).disputes
        return [(each.dispute, each.resolved.outcome if each.resolved else None) for each in found]

    assert outcomes(AsOf(known=day("2026-09-01"))) == []
    assert outcomes(AsOf(known=day("2026-09-20"))) == [("trial", None)]
    assert outcomes(NOW) == [("trial", DisputeOutcome.REJECTED)]


def test_now_reads_no_measured_facts(demo: Accord, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    real = type(demo.history).streams, type(demo.history).below

    def streams(self: History, names: list[str]) -> object:
        found = real[0](self, names)
        read.update(each.stream for events in found.values() for each in events)
        return found

    def below(self: History, stream: str) -> object:
        found = real[1](self, stream)
        read.update(each.stream for each in found)
        return found

    def whole(*_: object) -> object:
        raise AssertionError("the whole log was read")

    monkeypatch.setattr(type(demo.history), "streams", streams)
    monkeypatch.setattr(type(demo.history), "below", below)
    monkeypatch.setattr(type(demo.history), "of", whole)

    for viewer in (Viewer(), Viewer(PARTNER)):
        assert ask(demo, CONSULTING, when=AsOf(viewer=viewer)).stage is Stage.SCALING
    assert read == {CONSULTING, f"{CONSULTING}/dispute/trial"}


# --- what is shown -----------------------------------------------------------------------------


def test_markets_roles_and_owners_are_shown_with_what_is_known_of_each(tmp_path: Path) -> None:
    story = [
        example(RecordLocalFeedback, market="spain"),
        example(RankMarket, market="spain"),
        TargetMarket(market="france"),
        example(AssignRole),
        example(ProposeMetricOwner),
    ]
    sent = [message(str(at), each, subject="acme") for at, each in enumerate(story)]
    with simulated(tmp_path) as accord:
        accord.service.handle([beginning("acme"), *sent])

        shown = ask(accord, "acme")

    (france, spain) = shown.markets
    assert (france.market, france.feedback, france.ranked) == ("france", (), ())
    assert (spain.market, len(spain.feedback), len(spain.ranked)) == ("spain", 1, 1)
    assert [each.name for each in shown.roles] == ["Carmen"]
    assert [each.metric for each in shown.metric_owners] == ["leads"]


def test_a_waiver_shows_who_granted_it_why_and_for_which_rule(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        waiver = ProposeWaiver(
            proposal="waiver-9", rule="overlap-known", reason="The lists cannot be compared by law."
        )
        accord.service.handle([beginning("acme"), message("waive", waiver, subject="acme")])

        (shown,) = ask(accord, "acme").waivers

    assert (shown.rule, shown.waived_by, shown.reason) == (
        "overlap-known",
        ("growthos",),
        "The lists cannot be compared by law.",
    )


def test_a_waiver_of_the_search_is_shown_beside_a_later_one_with_its_identifier(
    tmp_path: Path,
) -> None:
    def waive(rule: str) -> ProposeWaiver:
        return ProposeWaiver(proposal="waiver-9", rule=rule, reason="There is no time.")

    chosen = LIFE.index(EXAMPLES[ChoosePartner])
    of_search = message("of-search", waive("candidate-scored"), at=LIFE[chosen - 1].at)
    of_both = [
        message("of-both", waive("charter-agreed"), party=THEIRS, at=LIFE[chosen].at),
        message("agreed", AgreeWaiver(proposal="waiver-9"), at=LIFE[chosen].at),
    ]
    with simulated(tmp_path) as accord:
        sent = [*from_steps(LIFE[:chosen]), of_search, *from_steps(LIFE[: chosen + 1])[chosen:]]
        outcomes = accord.service.handle([*sent, *of_both])
        assert {each.status for each in outcomes} == {"accepted"}
        waivers = [
            [
                (each.rule, each.waived_by)
                for each in ask(accord, NAME, when=AsOf(viewer=Viewer(party))).waivers
            ]
            for party in (OURS, THEIRS)
        ]

    both = ("charter-agreed", (THEIRS, OURS))
    assert waivers == [[("candidate-scored", (OURS,)), both], [both]]


def test_a_deadline_is_shown_on_its_last_day(demo: Accord) -> None:
    state = ask(demo, "growthos-harbourlight", when=AsOf(at=day("2026-09-21")))

    (deadline,) = [each for each in state.deadlines if each.ref == "certified"]
    assert f"{deadline.last_day}" == "2026-09-25"
    lines = printed(text(state))
    assert "2026-09-25  milestone certified is due" in lines
    assert "the next strategic review is due" in lines


def test_every_kind_of_deadline_has_words() -> None:
    assert DEADLINES.keys() == set(DeadlineKind)
    assert all(each.format("REF").count("REF") == 1 for each in DEADLINES.values())


@pytest.mark.parametrize("steps", [LIFE, ADOPTED], ids=["a whole life", "an adoption"])
def test_every_stage_is_shown(tmp_path: Path, steps: Sequence[Step]) -> None:
    seen = set()
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(steps))
        # The last event alone ends a life, so the newest version is first.
        for version in range(accord.history.size(), 0, -sweep(1, 3)):
            state = ask(accord, NAME, version)
            if state.stage not in seen:
                assert state.stage
                assert printed(text(state)).startswith(f"{NAME}: {state.stage.value}\n")
                assert PartnershipState.model_validate_json(state.model_dump_json()) == state
            seen.add(state.stage)

    adopted = {Stage.ADOPTION, Stage.EXECUTION}
    assert seen == (adopted if steps == ADOPTED else set(Stage) - {Stage.ADOPTION})


def test_an_adopted_partnership_says_so_and_shows_what_came_in(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(ADOPTED[:2]))
        waiting = printed(text(ask(accord, NAME)))
        accord.service.handle(from_steps(ADOPTED))
        shown = printed(text(ask(accord, NAME)))

    assert "awaits consent to parties, books, contract, charter, rules, governance" in waiting
    assert "adopted 2025-08-30 09:00 in the stage execution: runs since 2023-10-01" in shown
    assert "Carla (finance)" in shown
    assert "agreement: version 1, signed by brightpath and growthos" in shown


def test_every_day_is_one_of_the_time_zone_of_the_terms(tmp_path: Path) -> None:
    first, *later = ADOPTION.terms
    zoned = changed(first, frame=changed(first.frame, time_zone="Pacific/Auckland"))
    proposed, *steps = ADOPTED
    command = changed(proposed.command, terms=[zoned, *later])
    moment = datetime(2025, 9, 9, 14, tzinfo=UTC)
    planned = [
        proposed._replace(command=command),
        *steps,
        Step("2025-09-05T14:00:00Z", OURS, example(ProposeReview, at=moment)),
        Step("2025-09-05T15:00:00Z", THEIRS, example(AgreeReview)),
    ]
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(planned))
        shown = printed(text(ask(accord, NAME)))

    review = example(ProposeReview).review
    assert f"agreed on {first.agreed_on} by" in shown
    plan = next(line for line in shown.splitlines() if line.split()[:2] == ["review", review])
    assert plan.split()[-3:] == ["2025-09-06", "2025-09-10", "open"]
    assert f"review {review} for 2025-09-09 14:00 UTC" in shown
    assert f"2025-09-10  review {review} is due" in shown


# --- who sees what -----------------------------------------------------------------------------


def test_a_party_is_shown_its_own_private_facts_and_the_operator_none(demo: Accord) -> None:
    def private(viewer: Viewer) -> set[tuple[str, type]]:
        found = ask(demo, CONSULTING, when=AsOf(viewer=viewer)).private
        return {(each.party, type(each.fact)) for each in found}

    assert private(Viewer(PARTNER)) == {
        (PARTNER, NonNegotiableDeclared),
        (PARTNER, BestAlternativeDeclared),
    }
    assert private(Viewer()) == set()
    assert {party for party, _ in private(Viewer(full=True))} == {PARTNER, "growthos"}


def test_what_a_party_keeps_to_itself_is_not_shown(demo: Accord) -> None:
    shown = ask(demo, CONSULTING, when=AsOf(at=day("2025-12-01"))).model_dump_json()

    assert "Between 12 and 18 percent" not in shown
    assert "Recommend tools without a partnership" not in shown


def test_a_small_overlap_is_not_shown_to_the_other_party(tmp_path: Path) -> None:
    few = life(MeasureAudienceOverlap, own_customers=2000, shared_customers=3)
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(few))
        ours, theirs = (
            ask(accord, NAME, when=AsOf(viewer=Viewer(party))) for party in (OURS, THEIRS)
        )

    assert "3 of 2000" in printed(text(ours))
    assert "fewer than 10" in printed(text(theirs))
    assert not any(
        each.overlap.shared_customers or each.overlap.own_customers
        for each in theirs.candidates
        if each.overlap
    )


# --- damaged and newer stores ------------------------------------------------------------------


def test_an_event_of_a_newer_release_is_named_and_other_partnerships_are_shown(
    tmp_path: Path,
) -> None:
    with played(tmp_path) as accord:
        (first,) = accord.history.of(AURORA, 0, 1)
        changed_event(tmp_path, 0, '"schema_version":1', '"schema_version":7')

        with pytest.raises(UnknownEvent, match=f"^{AURORA}#0 is {first.event.wire}, version 7, "):
            ask(accord, AURORA)
        assert ask(accord, CONSULTING).stage is Stage.SCALING


def test_a_newer_release_can_measure_facts_that_the_state_does_not_need(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        before = ask(accord, AURORA)
        index = next(
            each.index for each in accord.history.of(AURORA) if each.event.wire == "MetricReported"
        )
        changed_event(tmp_path, index, '"type":"MetricReported"', '"type":"MetricSeen"')

        assert ask(accord, AURORA) == before


def test_a_damaged_event_is_named(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        changed_event(tmp_path, 0, '"party_name"', '"party-name"')

        with pytest.raises(UnreadableEvent, match=f"^{AURORA}#0 cannot be read: data/party_name"):
            ask(accord, AURORA)


# --- what is under way -------------------------------------------------------------------------


def test_what_is_planned_is_shown_as_open_overdue_moved_or_done(tmp_path: Path) -> None:
    begun = LIFE[: LIFE.index(EXAMPLES[HoldKickoff]) + 1]
    due = {"owner": OURS, "due": date(2026, 2, 1)}
    met = example(
        ProposeReviewHeld, review="by-chance", kind="operational", minutes="We met at a fair."
    )
    milestone = example(ProposeMilestone, proposal="m-1", milestone="launch", due=date(2026, 2, 1))
    later = changed(milestone, proposal="m-2", due=date(2026, 4, 1), reason="The printer is late.")
    steps = [
        *begun,
        Step("2026-01-20", OURS, example(ProposeAction, proposal="a-1", action="pay", **due)),
        Step("2026-01-20", OURS, example(ProposeAction, proposal="a-2", action="call", **due)),
        Step("2026-01-20", OURS, milestone),
        Step("2026-01-21", THEIRS, AgreeMilestone(proposal="m-1")),
        Step("2026-01-22", OURS, CompleteAction(action="call")),
        Step("2026-02-03", OURS, met),
        Step("2026-02-03", THEIRS, example(AgreeReviewHeld)),
        Step("2026-02-04", OURS, later),
        Step("2026-02-05", THEIRS, AgreeMilestone(proposal="m-2")),
    ]
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(steps))
        shown = ask(accord, NAME)
        rows = [" ".join(line.split()) for line in printed(text(shown)).splitlines()]

    assert {each.planned.action: each.state for each in shown.actions} == {
        "pay": TaskState.OVERDUE,
        "call": TaskState.DONE,
    }
    assert [each.state for each in shown.milestones] == [TaskState.OPEN]
    paid = next(each for each in rows if each.startswith("action pay"))
    assert paid.endswith("2026-02-01 overdue")
    held = "review by-chance operational review: We met at a fair. 2026-02-03 2026-02-03"
    assert f"{held} held, not scheduled" in rows


def test_after_an_exit_nothing_of_the_plan_is_open_and_a_handover_still_is(tmp_path: Path) -> None:
    begun = LIFE[: LIFE.index(EXAMPLES[HoldKickoff]) + 1]
    milestone = example(
        ProposeMilestone, proposal="m-1", milestone="launch", due=date(2026, 6, 1), owner=OURS
    )
    handover = example(
        ProposeAction, proposal="a-1", action="handover", due=date(2026, 3, 20), owner=OURS
    )
    leave = ProposeExit(exit="exit-9", explanation="We go on alone.", effective_on=date(2026, 3, 1))
    steps = [
        *begun,
        Step("2026-01-20", OURS, milestone),
        Step("2026-01-21", THEIRS, AgreeMilestone(proposal="m-1")),
        Step("2026-01-21", OURS, handover),
        Step("2026-01-21", THEIRS, AgreeAction(proposal="a-1")),
        Step("2026-01-22", OURS, leave),
        Step("2026-01-23", THEIRS, AgreeExit(exit="exit-9")),
    ]
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(steps))
        before = ask(accord, NAME, when=AsOf(at=day("2026-02-28")))
        after = ask(accord, NAME, when=AsOf(at=day("2026-03-01")))

    (open_,), (given_up,) = before.milestones, after.milestones
    assert (open_.state, given_up.state) == (TaskState.OPEN, TaskState.GIVEN_UP)
    assert [each.state for each in after.actions] == [TaskState.OPEN]
    assert "given up with the end" in printed(text(after))
    assert "the exit took effect on 2026-03-01" in printed(text(after))


def test_an_investment_that_both_gave_up_pays_for_no_campaign(tmp_path: Path) -> None:
    story = story_after(AgreeJointInvestment)
    run = example(ProposeCampaign, proposal="run-9", campaign="autumn", budget="investment-1")
    story.agree(OURS, run)
    before = story.copy()
    over = ProposeCancellation(
        proposal="c-9", kind="investment", ref="investment-1", reason="It brought too little."
    )
    story.agree(OURS, over)

    said = [_plans(tmp_path / name, each) for name, each in (("a", before), ("b", story))]

    assert [", paid by investment-1" in each for each in said] == [True, False]


def _plans(folder: Path, story: Story) -> str:
    """Return the campaign of the autumn, as it is printed."""
    with recorded(folder, story) as accord:
        state = ask(accord, story.id)
    printed_ = map(partial(task_words, of=state), state.campaigns)
    return next(each.what for each in printed_ if each.name == "autumn")


def left_in_steps() -> Story:
    """Both agree to end it, plan a milestone for after that, and then one leaves sooner."""
    story = story_after(HoldKickoff)
    story.on("2026-01-10")
    launch = example(ProposeMilestone, milestone="launch", proposal="m-1", due=date(2026, 6, 1))
    story.agree(OURS, launch)
    for name, days in (("x-1", 90), ("x-2", 80)):
        day = story.now.date() + timedelta(days=days)
        story.agree(OURS, ProposeExit(exit=name, explanation="Other plans.", effective_on=day))
    leaves = story.now.date() + timedelta(days=70)
    story.when(THEIRS, example(GiveExitNotice, exit="x-3", effective_on=leaves))
    story.on(f"{leaves}")
    return story


def test_what_is_given_up_with_the_end_is_not_in_force_at_it(tmp_path: Path) -> None:
    with recorded(tmp_path, left_in_steps()) as accord:
        state = ask(accord, NAME)

    (launch,) = [each for each in state.proposals if each.proposal == "m-1"]
    assert (launch.in_force, launch.ended) == (False, AgreementEnd.WITH_THE_END)
    in_force, _, over = printed(text(state)).partition("agreed and over")
    assert "m-1" not in in_force.partition("agreed and in force at the end")[2]
    assert "given up with the end" in over


def test_an_exit_that_was_replaced_says_by_which_and_who_gave_notice(tmp_path: Path) -> None:
    with recorded(tmp_path, left_in_steps()) as accord:
        state = ask(accord, NAME)
        lines = printed(text(state))

    found = {each.proposal: (each.ended, each.replaced_by) for each in state.proposals}
    assert found["x-1"] == found["x-2"] == (AgreementEnd.REPLACED, "x-3")
    ways = {each.exit: (each.noticed_by, each.replaced_by) for each in state.renewal.exits}
    assert ways == {"x-1": (None, "x-3"), "x-2": (None, "x-3"), "x-3": (THEIRS, None)}
    assert f"x-3: {THEIRS} gave notice (" in lines
    assert lines.count("replaced by x-3") == 4


def test_terms_that_were_replaced_say_by_which(demo: Accord) -> None:
    state = ask(demo, CONSULTING)

    replaced = {x.proposal: x.replaced_by for x in state.proposals if x.replaced_by}
    assert replaced
    in_force = {each.proposal for each in state.proposals if each.in_force}
    done = {each.proposal for each in state.proposals if each.ended is AgreementEnd.DONE}
    assert {*replaced.values()} <= in_force | done
