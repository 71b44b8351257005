"""The overview: a partnership's parties and its way through the stages."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.exploration import BeginExploration, ChoosePartner, CloseExploration
from domain.kernel import Stage
from projections import OVERVIEW, PROJECTIONS
from projections.fold import replay
from projections.overview import OVERVIEW_ROW, Overview, StageEntered
from tests.life import LIFE, OURS, after, at, before, example, so_far
from tests.projections.folds import refer
from tests.stories import Story
from tests.sweeps import sweep

WHOLE = so_far(len(LIFE))


def overview(story: Story) -> Overview:
    row: Overview = replay(OVERVIEW, story.history).rows[OVERVIEW_ROW]
    assert OVERVIEW.load(OVERVIEW_ROW, OVERVIEW.dump(OVERVIEW_ROW, row)) == row
    return row


def test_a_partnership_begins_with_one_party_and_a_purpose() -> None:
    began = datetime(2025, 9, 1, 9, tzinfo=UTC)

    assert overview(after(BeginExploration)) == Overview(
        ("growthos",),
        {"growthos": "GrowthOS"},
        "Consulting firms that refer clients",
        (StageEntered(Stage.EXPLORATION, began),),
    )


def test_the_chosen_partner_is_the_other_party() -> None:
    row = overview(after(ChoosePartner))

    assert row.parties == ("growthos", "brightpath")
    assert row.names == {"growthos": "GrowthOS", "brightpath": "Brightpath"}


def test_a_whole_life_passes_all_stages_each_with_its_day() -> None:
    stages = [(each.stage, each.since.date().isoformat()) for each in overview(WHOLE).stages]

    assert stages == [
        ("exploration", "2025-09-01"),
        ("formation", "2025-11-01"),
        ("execution", "2026-01-05"),
        ("scaling", "2026-04-20"),
        ("renewal", "2026-09-01"),
        ("scaling", "2026-09-05"),
        ("exit", "2026-09-13"),
        ("scaling", "2026-09-17"),
        ("exit", "2026-10-01"),
        ("ended", "2026-12-04"),
    ]


def test_an_exploration_may_end_before_it_becomes_anything() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(CloseExploration))

    assert [each.stage for each in overview(story).stages] == ["exploration", "ended"]


def test_the_overview_has_the_stage_of_the_aggregate() -> None:
    for stage in Stage:
        story = at(stage)
        assert story.partnership.stage is stage
        assert overview(story).stage is stage
        assert overview(story).parties == story.partnership.parties


def test_deals_do_not_move_it() -> None:
    story = at(Stage.EXECUTION)
    row = overview(story)
    refer(story, "D-1")

    assert overview(story) == row


@settings(max_examples=sweep(60, 20))
@given(st.sets(st.integers(0, len(WHOLE.history) - 1)))
def test_every_fold_takes_a_history_of_which_a_moment_leaves_out_some(left_out: set[int]) -> None:
    some = [each for each in WHOLE.history if each.index not in left_out]

    for projection in PROJECTIONS:
        replay(projection, some)
