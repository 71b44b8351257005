"""The candidates of a partnership by rank (C1, C2, C4)."""

from infra.answers import candidates
from infra.answers.logs import AsOf
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections.ranking import CandidateProgress
from tests.infra.answers.demo import CONSULTING, day


def test_the_candidates_of_the_seed_case_begin_with_the_firm_that_was_chosen(demo: Accord) -> None:
    found = candidates.ask(demo, CONSULTING).candidates

    assert len(found) == 20
    assert (found[0].candidate, found[0].progress) == ("northbridge", CandidateProgress.CHOSEN)


def test_the_candidates_by_replay_of_all_there_is_are_those_of_the_views(demo: Accord) -> None:
    for name in partnerships(demo.history):
        then = candidates.ask(demo, name, AsOf(known=day("2100-01-01")))
        assert then.candidates == candidates.ask(demo, name).candidates
