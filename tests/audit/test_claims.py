"""What a bundle claims: only what its verifiers can compute."""

import pytest

from domain.kernel import Stage
from infra.evidence import claims
from infra.evidence.verifiers import verify
from tests.life import at
from tests.projections.folds import refer_many


def test_a_metric_that_the_format_does_not_list_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = at(Stage.EXECUTION)
    refer_many(story, range(3))
    claimed = {each["metric"] for each in claims.figures_of(story.history)}
    monkeypatch.setattr(claims, "METRICS", verify.METRICS.keys() - {"leads"})

    assert "leads" in claimed
    assert {each["metric"] for each in claims.figures_of(story.history)} == claimed - {"leads"}
