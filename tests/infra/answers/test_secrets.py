"""The law of every answer about a partnership: no view shows what the other party keeps (C7)."""

import pytest

from domain.formation import BestAlternativeDeclared, NonNegotiableDeclared
from infra.answers.logs import AsOf
from infra.answers.question import Paging, Question
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from projections.visibility import OPERATOR, Viewer
from tests.infra.answers.demo import CONSULTING, OURS, PARTNER

GIVEN = {
    "id": CONSULTING,
    "period": "2026-Q2",
    "review": "review-2026-q2",
    "rule": "conversion-floor",
    "since": "2026-Q1",
}
"""A value for each required parameter."""

OF_ONE = [each for each in QUESTIONS if each.asks_when and "id" in each.parameters]


def answered(question: Question, demo: Accord, viewer: Viewer) -> str:
    asked = question.parameters.items()
    given = {name: GIVEN[name] for name, each in asked if each.is_required}
    page = {"page": Paging()} if question.is_paged else {}
    return question.ask(demo, **given, **page, when=AsOf(viewer=viewer)).model_dump_json()


@pytest.mark.parametrize("viewer", [OPERATOR, Viewer(OURS), Viewer(PARTNER)], ids=str)
@pytest.mark.parametrize("question", OF_ONE, ids=lambda each: each.name)
def test_no_view_shows_what_the_other_party_keeps_to_itself(
    demo: Accord, question: Question, viewer: Viewer
) -> None:
    secrets = {
        each.event.statement
        for each in demo.history.of(CONSULTING)
        if isinstance(each.event, BestAlternativeDeclared | NonNegotiableDeclared)
        and each.act.party != viewer.party
    }

    shown = answered(question, demo, viewer)

    assert secrets
    assert not [each for each in secrets if each in shown]


def test_the_checks_of_secrets_cover_every_question_about_a_partnership() -> None:
    names = {each.name for each in OF_ONE}

    assert names >= {"kpis", "experiments", "funnel", "rules", "try-rule", "review"}
