"""Each viewer has one answer: what the portfolio warns of is what the alerts say is open."""

from pathlib import Path

import pytest

from domain.kernel import Stage
from domain.sharing import ProposeDataSharing, SharingLine
from domain.standing_alerts import FIGURE_OVERDUE
from infra.answers import alerts, explain
from infra.answers.logs import AsOf, NotFound
from infra.answers.members import members
from projections.alerts import AlertState
from projections.visibility import Viewer
from tests.infra.answers.test_every_alert import recorded
from tests.life import OURS, THEIRS
from tests.projections.folds import count, report, running
from tests.projections.test_objective_missed import SUBSCRIBERS, charter
from tests.stories import Story


def hidden() -> Story:
    """Return a story whose objective our side missed, by figures that it does not share."""
    story = running()
    charter(story, SUBSCRIBERS)
    line = SharingLine(metrics=["clicks"], by=OURS, to=THEIRS, frequency="monthly", tool="mail")
    story.agree(OURS, ProposeDataSharing(proposal="clicks", lines=[line]))
    story.on("2026-04-02")
    for month in ("2026-01", "2026-02", "2026-03"):
        report(story, "new_subscribers", month, count(3))
    story.on("2026-05-02")
    return story


@pytest.mark.parametrize("party", [OURS, THEIRS])
def test_the_portfolio_warns_of_what_the_alerts_of_the_same_viewer_say(
    tmp_path: Path, party: str
) -> None:
    with recorded(tmp_path, hidden()) as accord:
        when = AsOf(viewer=Viewer(party=party))
        listed = alerts.ask(accord, None, AlertState.OPEN, when).items
        (member,) = members(accord, when)

        assert {each.id for each in member.alerts} == {each.id for each in listed}
        overdue = {each.window for each in listed if each.rule == FIGURE_OVERDUE}
        assert "new_subscribers/-/2026-03" not in overdue


@pytest.mark.parametrize("party", [OURS, THEIRS])
def test_a_missed_objective_is_told_to_nobody_from_whom_its_figures_are_hidden(
    tmp_path: Path, party: str
) -> None:
    story = hidden()
    assert story.partnership.stage is Stage.EXECUTION
    with recorded(tmp_path, story) as accord:
        when = AsOf(viewer=Viewer(party=party))
        name = f"objective-missed@1/{story.id}/subscribers"
        found = {each.id for each in alerts.ask(accord, story.id, when=when).items}

        assert (name in found) is (party == OURS)
        if party == THEIRS:
            with pytest.raises(NotFound):
                explain.ask(accord, name, when)
        else:
            found_alert = explain.ask(accord, name, when)
            assert name in found_alert.model_dump_json()
