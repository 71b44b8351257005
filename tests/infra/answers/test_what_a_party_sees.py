"""Laws of every answer that compares partnerships: what a party is shown of others (C14).

A party is shown its own partnerships only, so its answers are those of a store that has no
others. What the other party withholds changes none of its answers.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from domain.breach_actions import RuleBreached
from domain.examples import Step
from domain.execution import HoldKickoff
from domain.experiment import ObserveVariant, StartPilot
from domain.exploration import (
    ChoosePartner,
    DefineIdealPartnerProfile,
    IdentifyCandidate,
    MeasureAudienceOverlap,
    ScoreCandidate,
)
from domain.formation import DeclareBestAlternative
from domain.gates import ProposeWaiver
from domain.program import DefinePortfolio
from domain.reported_figure import ReportedFigure, ReportMetric
from infra.answers import alerts, attributes, duplicate_credits, markets, portfolio
from infra.answers import partnerships as partnerships_
from infra.answers.logs import AsOf
from infra.answers.question import Answer
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW, Overview
from projections.visibility import OPERATIONS, Viewer
from tests import planted
from tests.feeds import PROGRAM, simulated
from tests.infra.answers.demo import day, played_only
from tests.infra.messages import from_steps, message
from tests.life import LIFE, OFFER_TRIAL, OURS, THEIRS, changed, example

Ask = Callable[..., Answer]

ACROSS: dict[str, Ask] = {
    "portfolio": lambda accord, when: portfolio.ask(accord, when=when),
    "portfolio of a period": lambda accord, when: portfolio.ask(accord, "2026-Q1", when),
    "duplicate credits": duplicate_credits.ask,
    "markets": lambda accord, when: markets.ask(accord, (), when),
    "attributes of payments": lambda accord, when: attributes.ask(accord, "payments", when=when),
    "attributes of users": lambda accord, when: attributes.ask(accord, "new_users", when=when),
}
"""Questions about many partnerships."""


OF_ONE = [
    each
    for each in QUESTIONS
    if each.asks_when and [name for name, of in each.parameters.items() if of.is_required] == ["id"]
]
"""Questions about one partnership that ask for nothing else."""


def partnerships_of(accord: Accord) -> dict[str, Overview]:
    names = list(partnerships(accord.history))
    stored = accord.views.rows(OVERVIEW.name, [(name, OVERVIEW_ROW) for name in names])
    return {name: OVERVIEW.load(key, row) for (name, key), row in stored.items()}


PARTIES = ("cobalt-films", "growthos", "lumastream", "northbridge", "pasarela-tv", "helio-plus")


@pytest.mark.parametrize("party", PARTIES)
def test_a_party_is_answered_as_by_a_store_with_its_own_partnerships_alone(
    demo: Accord, tmp_path: Path, party: str
) -> None:
    own = {name for name, each in partnerships_of(demo).items() if party in each.parties}
    shown = own | ({PROGRAM} if party == "growthos" else set())
    seen = AsOf(viewer=Viewer(party))

    with played_only(tmp_path, shown.__contains__) as alone:
        for name, ask in ACROSS.items():
            assert ask(demo, seen).model_dump_json() == ask(alone, seen).model_dump_json(), name

    assert 0 < len(own) < len(partnerships_of(demo))


def test_the_operator_is_answered_with_all_of_them(demo: Accord) -> None:
    (own,) = portfolio.ask(demo, when=AsOf(viewer=Viewer("northbridge"))).portfolios

    assert len(portfolio.ask(demo).portfolios) > 1
    assert {each.id for each in own.partners} == {"growthos-consulting"}


# --- what the other party withholds ------------------------------------------------------------


def withheld(number: int) -> list[Step]:
    """Return a life in which our side records what the partner is not shown, with some number."""
    chosen, declared, kickoff = (
        next(at for at, step in enumerate(LIFE) if isinstance(step.command, kind))
        for kind in (ChoosePartner, DeclareBestAlternative, HoldKickoff)
    )
    rival = f"rival-{number}"
    found = example(IdentifyCandidate, candidate=rival, name=rival.title(), staff=number)
    score = example(ScoreCandidate, candidate=rival, market_reach=number)
    few = example(MeasureAudienceOverlap, shared_customers=number)
    sought = example(DefineIdealPartnerProfile, staff_to=1_000 + number)
    waived = ProposeWaiver(
        proposal="w", rule="alignment:shared_vision", reason=f"Only {rival} is left."
    )
    trial = changed(OFFER_TRIAL, experiment="webinars", hypothesis=f"{rival} sells best")
    idle = changed(trial, experiment="calls")
    seen = example(
        ObserveVariant, experiment="webinars", day=date(2025, 11, 1), successes=number, trials=100
    )
    alternative = DeclareBestAlternative(statement=f"We wait for {number} months.")
    unshared = ReportedFigure(unit="count", value=Decimal(1_000 * number))
    small = ReportedFigure(unit="percent", numerator=Decimal(number), denominator=Decimal(7))
    return [
        *LIFE[:chosen],
        *(
            Step(LIFE[chosen].at, OURS, each)
            for each in (found, score, few, sought, waived, trial, idle)
        ),
        Step(LIFE[chosen].at, OURS, StartPilot(experiment="webinars")),
        Step(LIFE[chosen].at, OURS, seen),
        *LIFE[chosen:declared],
        Step(LIFE[declared].at, OURS, alternative),
        *LIFE[declared : kickoff + 1],
        *(
            Step(
                reported,
                OURS,
                ReportMetric(metric=metric, period=period, tool="crm", figure=figure),
            )
            # The first ones happened before the protocol, and are recorded under it.
            for reported, period in (("2025-11-15", "2025-10"), ("2026-02-01", "2026-01"))
            for metric, figure in (
                ("followers" if number > 2 else "web_visits", unshared),
                ("demo_to_paid", small),
            )
        ),
    ]


def is_small(step: Step) -> bool:
    """Whether the partner is shown that the step was done, and only its count is withheld."""
    return isinstance(step.command, MeasureAudienceOverlap) or (
        isinstance(step.command, ReportMetric) and step.command.metric == "demo_to_paid"
    )


LIMITS = DefinePortfolio(
    fewest_active=1, most_active=3, largest_share=Decimal(40), capacity=Decimal("0.5")
)


MOMENTS = (None, day("2025-11-10"), day("2025-11-20"), day("2025-12-20"))
"""Now; and before and after a late report, and after the protocol that withholds it."""


def answered(folder: Path, number: int, party: str) -> dict[str, str]:
    """Return what a party is answered in a life with some number that our side withholds.

    It asks as of now, and as of each of the moments.
    """
    folder.mkdir()
    limits = LIMITS.model_copy(update={"most_active": number})
    with simulated(folder) as accord:
        sent = list(from_steps(withheld(number)))
        for place, step in enumerate(withheld(number)):
            if step not in LIFE and not is_small(step):
                sender = {"party": step.party, "at": step.at, "actor": f"analyst-{number}"}
                sent[place] = message(f"hidden-{number}-{place}", step.command, **sender)
        sent.append(message("limits", limits, subject="program"))
        outcomes = accord.service.handle(sent)
        assert {each.status for each in outcomes} == {"accepted"}
        accord.runner.catch_up()
        (name,) = partnerships_of(accord)
        asked = ACROSS | {each.name: partial(each.ask, id=name) for each in OF_ONE}
        asked |= {
            "alerts": partial(alerts.ask, partnership=name),
            "partnerships": partnerships_.ask,
            "markets of it": lambda accord, when: markets.ask(accord, (name,), when),
            "attributes of demos": lambda accord, when: attributes.ask(
                accord, "demo_to_paid", when=when
            ),
        }
        return {
            f"{each} at {moment.date()}" if moment else each: ask(
                accord, when=AsOf(at=moment, viewer=Viewer(party))
            ).model_dump_json()
            for moment in MOMENTS
            for each, ask in asked.items()
        }


def test_what_the_other_party_withholds_changes_no_answer(tmp_path: Path) -> None:
    one, other = (answered(tmp_path / f"theirs-{n}", n, THEIRS) for n in (2, 4))

    assert {"show", "history", "kpis", "candidates", "alerts", "kpis at 2025-11-20"} <= {*one}
    assert {name for name in one if one[name] != other[name]} == set()
    assert not any("rival" in each.lower() for each in one.values())


def test_the_party_that_withholds_it_sees_it(tmp_path: Path) -> None:
    one, other = (answered(tmp_path / f"ours-{n}", n, OURS) for n in (2, 4))

    differ = {name for name in one if one[name] != other[name]}
    assert "kpis at 2025-11-20" in differ
    assert "kpis at 2025-11-10" not in differ
    assert differ >= {"history", "show", "candidates", "kpis", "portfolio", "attributes of demos"}


# --- what an agreed rule finds -----------------------------------------------------------------


@pytest.mark.parametrize("disputed", [True, False], ids=["disputed", "of one party"])
def test_no_finding_of_a_rule_has_a_count_below_the_smallest_cell(
    tmp_path: Path, *, disputed: bool
) -> None:
    sent = planted.life()
    if not disputed:
        sent = [each for each in sent if f"small-{THEIRS}".encode() not in each]
    with simulated(tmp_path) as accord:
        assert {each.status for each in accord.service.handle(sent)} == {"accepted"}
        accord.catch_up()
        breached = [
            each.event
            for each in accord.history.of(planted.PARTNERSHIP)
            if isinstance(each.event, RuleBreached)
        ]
        found = [
            each
            for viewer in (Viewer(OURS), Viewer(THEIRS), OPERATIONS)
            for each in alerts.ask(accord, when=AsOf(viewer=viewer)).items
            if each.rule == planted.FLOOR.proposal
        ]

    assert len(breached) == (0 if disputed else 1)
    assert len(found) == 3
    text = repr([*breached, *found])
    assert f"it has counts below {planted.CELL}" in text
    assert [
        each for party in planted.PARTIES for each in planted.counts(party) if each.decode() in text
    ] == []
