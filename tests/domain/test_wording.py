"""Words that people read: no name of Python, no underscore."""

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.metric_catalogue import metric_words
from domain.terms import RevenueSplit
from domain.wording import detail_of


def test_a_wrong_choice_is_answered_with_the_values_that_can_be_sent() -> None:
    sent = {"kind": "revenue-split", "shares": {"a": "60", "b": "40"}, "trigger": "entry"}

    with pytest.raises(ValidationError) as refused:
        TypeAdapter(RevenueSplit).validate_python(sent)
    (error,) = refused.value.errors()

    assert detail_of(error, "/trigger") == (
        "/trigger is not 'sale', 'payment' or 'joint-revenue': 'entry'"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("co_branded_revenue", "co-branded revenue"),
        ("new_users", "new users"),
        ("eco_labels_co_sold", "eco labels co sold"),
    ],
)
def test_a_metric_is_named_in_words(name: str, words: str) -> None:
    assert metric_words(name) == words
