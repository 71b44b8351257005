"""The law of every answer: no view shows what the other party keeps to itself (C7, C14)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from domain.exploration import CandidateIdentified, PartnerChosen
from domain.formation import BestAlternativeDeclared, NonNegotiableDeclared
from domain.kernel import Event
from domain.metric_catalogue import CATALOGUE
from domain.people import COMMITMENT
from infra.answers import alerts, explain
from infra.answers.explain import AlertExplained
from infra.answers.logs import AsOf, rows_of, whole_log
from infra.answers.question import Paging, Question
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from projections import KPIS, figures
from projections.visibility import ABOUT_A_CANDIDATE, OPERATOR, Sight, Viewer
from tests.infra.answers.demo import CONSULTING, OURS, PARTNER
from tests.infra.answers.test_what_a_party_sees import partnerships_of

GIVEN: dict[str, Any] = {
    "id": CONSULTING,
    "period": "2026-Q2",
    "review": "review-2026-q2",
    "rule": "conversion-floor",
    "since": "2026-Q1",
    "against": datetime(2026, 9, 20, tzinfo=UTC),
    "metric": "new_users",
    "reference": f"{CONSULTING}/leads/2026-Q1",
    "words": "consulting",
}
"""A value for each required parameter."""

ASKED = [each for each in QUESTIONS if each.asks_when]
OF_ONE = [each for each in ASKED if "id" in each.parameters]


def answered(question: Question, demo: Accord, viewer: Viewer, **given: str) -> str:
    asked = question.parameters.items()
    chosen = {name: (GIVEN | given)[name] for name, each in asked if each.is_required}
    page = {"page": Paging(limit=1000)} if question.is_paged else {}
    return question.ask(demo, **chosen, **page, when=AsOf(viewer=viewer)).model_dump_json()


@pytest.mark.parametrize("viewer", [OPERATOR, Viewer(OURS), Viewer(PARTNER)], ids=str)
@pytest.mark.parametrize("question", ASKED, ids=lambda each: each.name)
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


# --- names -------------------------------------------------------------------------------------


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in _texts(each))


def _events(answer: dict[str, Any]) -> list[dict[str, Any]]:
    items = answer.get("items", [])
    return [each["event"] for each in items if each.get("event")]


def _names(demo: Accord, partnership: str, viewer: Viewer) -> set[str]:
    """Return the names that are in hidden events and in none that the viewer sees."""
    when = AsOf(viewer=viewer)
    sight = Sight.of(viewer, demo.history.of(partnership))
    hidden, shown = set[str](), set[str]()
    bodies = demo.history.bodies(partnership)
    for recorded, body in zip(whole_log(demo.history, partnership), bodies, strict=True):
        stored = orjson.loads(body)
        texts = {recorded.act.actor, *_texts(recorded.event.model_dump(mode="json"))}
        texts |= {stored["stream"], *stored["stream"].split("/"), stored["actor"]}
        texts |= {stored["event_id"], f"{stored['source']} {stored['source_id']}"}
        (shown if sight.shows(recorded) else hidden).update(texts)
    # Figures are also counted from shown events, which do not name the metric.
    rows = rows_of(KPIS, demo, partnership, when)
    shown |= {line.metric for each in figures.periods(rows) for line in figures.report(rows, each)}
    return {each for each in hidden if len(each) > 3 and re.search("[a-z]", each)} - shown


def _parties(demo: Accord) -> list[tuple[str, str]]:
    return [(name, party) for name, of in partnerships_of(demo).items() for party in of.parties]


@pytest.mark.parametrize("question", OF_ONE, ids=lambda each: each.name)
def test_no_answer_to_a_party_names_what_is_hidden_from_it(
    demo: Accord, question: Question
) -> None:
    checked = 0
    for partnership, party in _parties(demo):
        viewer = Viewer(party)
        hidden = _names(demo, partnership, viewer)
        if partnership != CONSULTING and {"review", "rule"} & {*question.parameters}:
            continue
        answer = orjson.loads(answered(question, demo, viewer, id=partnership))

        texts = {*_texts(answer)}
        # A name in a sentence: one without a digit or a hyphen could be any word.
        parts = {part for text in texts for part in re.split(r"[^\w:.-]+", text)}
        words = texts | {part for part in parts if not part.isalpha()}
        words |= {f"{each['source']} {each['source_id']}" for each in _events(answer)}

        told = words & hidden
        assert not told, (partnership, party)
        checked += len(hidden)

    assert checked


def test_the_demo_hides_candidates_metrics_and_people(demo: Accord) -> None:
    hidden = {
        name
        for partnership, party in _parties(demo)
        for name in _names(demo, partnership, Viewer(party))
    }
    rivals = {
        each.event.candidate
        for partnership, of in partnerships_of(demo).items()
        for each in demo.history.of(partnership)
        if isinstance(each.event, CandidateIdentified)
        and len(of.parties) > 1
        and each.event.candidate not in of.parties
    }

    assert rivals
    assert rivals <= hidden
    assert hidden & {*CATALOGUE}
    assert [each for each in hidden if COMMITMENT.fullmatch(each)]


def test_every_event_about_a_candidate_is_hidden_from_the_other_candidates() -> None:
    about = {each for each in Event.registry.values() if "candidate" in each.model_fields}

    assert about - {PartnerChosen} == {*ABOUT_A_CANDIDATE}


@pytest.mark.parametrize("party", [OURS, PARTNER])
def test_a_party_is_explained_each_alert_that_it_is_shown(demo: Accord, party: str) -> None:
    when = AsOf(viewer=Viewer(party))

    for alert in alerts.ask(demo, CONSULTING, when=when, page=Paging(limit=1000)).items:
        explained = explain.ask(demo, alert.id, when).explained

        assert isinstance(explained, AlertExplained)
        assert explained.alert == alert


def test_the_checks_of_secrets_cover_every_question_about_a_partnership() -> None:
    names = {each.name for each in OF_ONE}

    assert names >= {"kpis", "experiments", "funnel", "rules", "try-rule", "review"}
