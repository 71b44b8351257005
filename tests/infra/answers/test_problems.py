"""The catalogue of rules: whole, and what its pages show."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from fastapi.testclient import TestClient

from infra.answers import problems
from infra.answers.logs import NotFound
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.problems import UNREADABLE
from tests.domain.test_refusals import RULES
from tests.feeds import FEEDS, play, simulated
from tests.infra.answers.helpers import printed
from tests.infra.messages import beginning


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    with simulated(tmp_path) as accord:
        yield accord


def test_every_rule_of_the_domain_and_of_reading_is_in_the_catalogue() -> None:
    assert set(RULES) | UNREADABLE <= problems.catalogue().keys()


def test_each_rule_says_what_is_wrong_and_what_to_do() -> None:
    for rule in problems.catalogue().values():
        assert rule.meaning.endswith("."), rule
        for each in rule.cases:
            assert len(each.detail) > 10, rule
            assert len(each.hint) > 10, rule


def test_every_refusal_of_the_example_feeds_is_in_the_catalogue(store: Accord) -> None:
    outcomes = [each for feed in FEEDS for each in play(store, feed)]

    rules = {each.rule.partition(":")[0] for each in outcomes if each.rule}
    assert len(rules) > 5
    assert rules <= problems.catalogue().keys()


def test_one_rule_is_shown_with_its_messages_and_hints() -> None:
    shown = printed(problems.text(problems.ask("overlap-known")))

    assert shown.splitlines() == [
        "overlap-known",
        "  The account overlap with the candidate is not measured.",
        "  Hint: Record the account overlap (MeasureAudienceOverlap).",
    ]


def test_a_rule_that_a_gate_asks_of_a_party_is_found_by_its_full_name() -> None:
    (rule,) = problems.ask("sponsor:north").items

    assert rule.rule == "sponsor"


def test_an_unknown_rule_has_a_hint() -> None:
    with pytest.raises(NotFound, match="Perhaps overlap-known"):
        problems.ask("overlap-know")


def test_the_type_of_a_refusal_is_the_page_of_its_rule(store: Accord) -> None:
    event = orjson.loads(beginning(subject="acme-search")) | {"type": "accord.CloseExploration"}
    event["data"] = {"reason": "None."}
    with store.workers() as workers, TestClient(create_app(store, workers, is_open=True)) as client:
        problem = client.post("/v1/events", json=event).json()
        page = client.get(problem["type"])
        index = client.get("/problems")
        missing = client.get("/problems/no-rule")

    assert problem["rule"] == "no-such-partnership"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "A partnership begins with BeginExploration." in page.text
    assert index.text.count("<dt>") == len(problems.catalogue())
    assert missing.status_code == 404
