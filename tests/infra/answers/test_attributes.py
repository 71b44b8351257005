"""Attributes of partners against the figures of a metric (C19, C21)."""

import pytest

from infra.answers import attributes
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from tests.infra.answers.demo import day
from tests.infra.answers.helpers import printed


def test_attributes_are_of_a_metric_of_the_catalogue(demo: Accord) -> None:
    answer = attributes.ask(demo, "payments")

    assert len(answer.comparison.partnerships) == 4
    assert {each.line for each in answer.comparison.attributes} == {None}
    text = printed(attributes.text(answer))
    assert "Too few partners to compare: 4, and 10 are needed" in text
    assert "SLOPE" not in text
    with pytest.raises(NotFound, match="Perhaps payments"):
        attributes.ask(demo, "payment")


def test_attributes_by_replay_of_all_there_is_are_those_of_the_views(demo: Accord) -> None:
    then = attributes.ask(demo, "payments", when=AsOf(known=day("2100-01-01")))

    assert then.comparison == attributes.ask(demo, "payments").comparison
