"""Priors: agreed by both parties, only for proportions, never for the past (C21)."""

import pytest
from pydantic import ValidationError

from domain.formation import ProposeDecisionRule
from domain.kernel import Stage
from domain.priors import AgreePrior, Prior, PriorAgreed, ProposePrior, agreed_prior, uniform
from domain.proportions import UNIFORM, Beta
from tests.life import BENCHMARK, CONVERSION_FLOOR, OURS, THEIRS, after, at, changed, example
from tests.stories import Story


def prior_of(metric: str, story: Story) -> Prior:
    """Return the prior that both agreed for a metric."""
    return agreed_prior(metric, story.partnership.context.agreements)


def test_a_prior_needs_both() -> None:
    story = after(ProposePrior)
    assert prior_of("lead_to_opportunity", story).belief == UNIFORM
    assert story.refuses(THEIRS, example(AgreePrior)).rule == "own-proposal"

    agreed = story.when(OURS, example(AgreePrior))

    assert agreed == [PriorAgreed(proposal="prior-1", prior=BENCHMARK, prior_version=1)]
    assert story.when(OURS, example(AgreePrior)) == []
    assert prior_of("lead_to_opportunity", story).belief == Beta(2, 18)


def test_a_changed_prior_is_the_next_version_and_leaves_the_former_on_record() -> None:
    story = after(AgreePrior)
    stronger = changed(BENCHMARK, successes=20, failures=180)

    story.when(OURS, ProposePrior(proposal="prior-2", prior=stronger))
    story.when(THEIRS, AgreePrior(proposal="prior-2"))

    assert [each.prior_version for each in story.facts(PriorAgreed)] == [1, 2]
    assert prior_of("lead_to_opportunity", story) == stronger


def test_each_metric_has_its_own_prior_and_the_uniform_one_by_default() -> None:
    story = after(AgreePrior)

    assert prior_of("demo_to_paid", story) == uniform("demo_to_paid")
    assert uniform("demo_to_paid").source.startswith("none agreed")


@pytest.mark.parametrize("metric", ["leads", "average_contract_value", "margin", "happiness"])
def test_only_a_proportion_has_a_prior(metric: str) -> None:
    prior = changed(BENCHMARK, metric=metric)

    assert at(Stage.FORMATION).refuses(OURS, example(ProposePrior, prior=prior)).rule == (
        "no-proportion"
    )


@pytest.mark.parametrize("metric", ["click_rate", "tagged_share", "opportunity_to_win"])
def test_shares_and_counted_rates_are_proportions(metric: str) -> None:
    prior = changed(BENCHMARK, metric=metric)

    assert at(Stage.FORMATION).when(OURS, example(ProposePrior, prior=prior))


@pytest.mark.parametrize("part", ["successes", "failures"])
def test_a_prior_has_seen_a_success_and_a_failure_at_least(part: str) -> None:
    with pytest.raises(ValidationError):
        changed(BENCHMARK, **{part: 0})


@pytest.mark.parametrize("asked", [{"minimum_sample": 30}, {"credibility": "95"}])
def test_a_rule_can_ask_for_evidence_of_a_proportion_alone(asked: dict[str, object]) -> None:
    story = at(Stage.FORMATION)
    of_leads = changed(CONVERSION_FLOOR, metric="leads", **asked)
    of_a_rate = changed(CONVERSION_FLOOR, **asked)

    refusal = story.refuses(OURS, example(ProposeDecisionRule, rule=of_leads))

    assert refusal.rule == "no-proportion"
    assert story.when(OURS, example(ProposeDecisionRule, rule=of_a_rate))


@pytest.mark.parametrize("credibility", ["49", "100"])
def test_a_credibility_is_more_likely_than_not_and_never_certain(credibility: str) -> None:
    with pytest.raises(ValidationError):
        changed(CONVERSION_FLOOR, credibility=credibility)
