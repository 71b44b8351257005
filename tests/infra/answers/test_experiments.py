"""Experiments of a store: from the views, by replay, and as each party sees them."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.experiment import ConcludePilot, CorrectObservation, Ending
from infra.answers import experiments
from infra.answers.logs import AsOf, NotFound
from infra.bootstrap import Accord
from infra.tlog import codec
from projections import EXPERIMENTS
from projections.experiments import PilotState, report
from projections.fold import replay
from projections.visibility import Viewer
from tests.domain.test_experiment import BONUS, END, running, with_data
from tests.feeds import simulated
from tests.infra.answers.demo import EVERYTHING, day, without_moment
from tests.infra.answers.helpers import printed
from tests.infra.messages import from_steps
from tests.life import LIFE, OURS, THEIRS, after, changed, example
from tests.stories import Story

NAME = "growthos-brightpath"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """A store with a whole life, of which an experiment is a part."""
    with simulated(tmp_path_factory.mktemp("life")) as accord:
        accord.service.handle(from_steps(LIFE))
        accord.runner.catch_up()
        yield accord


def test_experiments_from_the_views_are_those_of_a_replay(life: Accord) -> None:
    now = experiments.ask(life, NAME)

    assert now.experiments
    assert without_moment(experiments.ask(life, NAME, EVERYTHING)) == now


def test_an_experiment_is_given_as_of_an_earlier_moment(life: Accord) -> None:
    (now,) = experiments.ask(life, NAME).experiments
    (then,) = experiments.ask(life, NAME, AsOf(known=day("2026-02-11"))).experiments

    assert (now.state, then.state) == (PilotState.CONCLUDED, PilotState.RUNNING)
    assert then.concluded is None


def test_both_parties_see_an_experiment_and_a_stranger_does_not(life: Accord) -> None:
    now = experiments.ask(life, NAME).experiments

    for party in (OURS, THEIRS):
        assert experiments.ask(life, NAME, AsOf(viewer=Viewer(party))).experiments == now
    with pytest.raises(NotFound, match="passer-by"):
        experiments.ask(life, NAME, AsOf(viewer=Viewer("passer-by")))


def test_the_probability_of_the_best_of_three_variants_is_shown_as_a_lower_bound(
    life: Accord,
) -> None:
    found = experiments.ask(life, NAME)
    (two,) = found.experiments
    third = replace(two.variants[1], variant="third", best=Decimal(0))
    three = found.model_copy(
        update={"experiments": (replace(two, variants=(*two.variants, third)),)}
    )

    assert "≥" not in printed(experiments.text(found))
    assert "≥ 0 %" in printed(experiments.text(three))


def test_a_win_that_a_correction_took_away_is_said_to_be_undone() -> None:
    story = after(ConcludePilot)
    won = concluded(story)
    story.when(OURS, example(CorrectObservation, successes=11))

    assert won.endswith("wins")
    assert concluded(story) == f"{won}; a correction has undone that"


def concluded(story: Story) -> str:
    """Return the line that says how the experiment ended."""
    found = tuple(report(replay(EXPERIMENTS, story.history).rows))
    answer = experiments.Experiments(simulated=False, id=NAME, experiments=found)
    lines = printed(experiments.text(answer)).splitlines()
    return next(each.strip() for each in lines if "concluded 20" in each)


def test_a_count_is_shown_per_unit_of_exposure() -> None:
    story = with_data((40, 40), (67, 40), **BONUS)
    rows = replay(EXPERIMENTS, story.history).rows
    found = experiments.Experiments(simulated=False, id=NAME, experiments=tuple(report(rows)))

    text = printed(experiments.text(found))

    assert "leads per one partner manager in one week" in text
    assert "figures          67 in 40  1.675  1.2981–2.1272  99.6 %  +0.675, ×1.675" in text
    assert "stop: 40 units of exposure of each variant, level 95 %; met, figures wins" in text
    assert "prior" not in text


def test_a_count_without_exposure_has_no_rate() -> None:
    rows = replay(EXPERIMENTS, running(**BONUS).history).rows
    found = experiments.Experiments(simulated=False, id=NAME, experiments=tuple(report(rows)))

    assert "0 in 0  none  0 or more" in printed(experiments.text(found))


def test_what_a_count_without_exposure_lacks_is_stored_and_read_again() -> None:
    story = running(**BONUS)
    story.when(OURS, changed(END, ending=Ending.ABANDONED))

    stored = [codec.decode(codec.encode(each), index=each.index) for each in story.history]

    rows = replay(EXPERIMENTS, stored).rows
    assert report(rows) == report(replay(EXPERIMENTS, story.history).rows)
