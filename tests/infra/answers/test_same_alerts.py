"""Whatever a viewer asks, it finds the same alerts open: in lists, on pages, and in the stream.

What operations see is also sent to other systems: posted to a webhook, and published to a topic.

Random lives were formed or adopted. They have objectives, figures that both parties state, correct
and hide by the data-sharing protocol, hours, deals, plans, drafts, renewals, and ways out. The
viewers are the operator, both parties and a neutral third party.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import takewhile
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.publisher import _alert
from domain.execution import (
    DiagnoseRootCause,
    ProposeImprovementPlan,
    ProposeMilestone,
    ProposeOnboardingStep,
    ProposePause,
)
from domain.exit import GiveExitNotice, ProposeExit, ProposeExitWithdrawal
from domain.formation import DraftAgreement
from domain.gates import ProposeWaiver
from domain.governance import ProposeGovernance
from domain.health import ProposeTarget
from domain.kernel import Refused
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.reported_figure import CorrectMetric
from domain.scaling import ProposeJointInvestment
from domain.standing_alerts import FIGURES_DIFFER
from infra.answers import alerts, changes, inbox, portfolio, review
from infra.answers.changes import Since
from infra.answers.logs import AsOf, NotFound
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.bootstrap import Accord
from infra.exchange.sink import Delivery, cursor_of
from infra.exchange.webhook import Webhook
from projections.alerts import AlertState
from projections.visibility import OPERATIONS, Viewer
from tests.infra.answers.test_alerts_of_a_viewer import hidden
from tests.infra.answers.test_every_alert import recorded
from tests.life import ADOPTED, OURS, SECTIONS, THEIRS, example
from tests.projections.folds import refer, running
from tests.projections.test_figures_differ import said
from tests.projections.test_objective_missed import HOURS, LEADS, SUBSCRIBERS, charter, contribute
from tests.projections.test_visibility import TRUSTEE, agree_sharing, shared_line
from tests.stories import Story, moment

SHARED: Final = ("new_subscribers", "clicks")
"""One of these is given to the other side; if it is the second, the first is hidden."""

DAYS: Final = ("2026-02-10", "2026-03-10", "2026-04-02", "2026-05-02", "2026-06-02")

OPERATOR, PARTIES, THIRD = Viewer(), (Viewer(OURS), Viewer(THEIRS)), Viewer(TRUSTEE)


def state(story: Story, random: Random) -> None:
    """Let a party state a figure of a month or of their quarter, or correct its own."""
    party, month = random.choice((OURS, THEIRS)), random.choice(("2026-03", "2026-03", "2026-Q1"))
    of = said(
        random.choice((5, 60)), random.choice(("crm", "crm", "aaa")), month, "new_subscribers"
    )
    if random.random() < 0.3:
        story.when(party, CorrectMetric(**of.model_dump(), reason="A digit."))
    else:
        story.when(party, of)


def soon(story: Story) -> date:
    return (story.now + timedelta(days=20)).date()


def plan(story: Story, random: Random) -> None:
    """Let both plan something for the next weeks, or change it."""
    name = f"p-{random.randint(1, 3)}"
    due, again = soon(story), {"proposal": f"{name}-{len(story.history)}", "reason": "It is late."}
    story.agree(
        random.choice((OURS, THEIRS)),
        random.choice(
            (
                example(ProposeMilestone, milestone=name, due=due, **again),
                example(ProposeOnboardingStep, step=name, due=due, **again),
                example(ProposeImprovementPlan, plan=name, deadline=due, **again),
                example(ProposePause, pause=name, last_day=due, **again),
            )
        ),
    )


def ask(story: Story, random: Random) -> None:
    """Let a party propose something that the other leaves open."""
    kinds = (ProposeWaiver, ProposeJointInvestment, ProposeRenewal, ProposeGovernance)
    kind, name = random.choice(kinds), f"a-{len(story.history)}"
    rule = {"rule": "assets-dispositioned"} if kind is ProposeWaiver else {}
    story.when(random.choice((OURS, THEIRS)), example(kind, proposal=name, **rule))


def leave(story: Story, random: Random) -> None:
    """Let both agree to leave, one give notice, or both stay."""
    name, ways = f"e-{len(story.history)}", random.randint(1, 3)
    if ways == 1:
        story.agree(OURS, example(ProposeExit, exit=name, effective_on=soon(story)))
    elif ways == 2:
        later = soon(story) + timedelta(days=60)
        story.when(THEIRS, example(GiveExitNotice, exit=name, effective_on=later))
    else:
        known = [each.id for each in story.partnership.context.terms.exits]
        stay = example(ProposeExitWithdrawal, proposal=name, exit=random.choice(known or ["none"]))
        story.agree(OURS, stay)


ACTS: Final[tuple[Callable[[Story, Random], object], ...]] = (
    state,
    state,
    state,
    state,
    state,
    lambda story, random: contribute(story, "2026-03", random.choice((5, 30))),
    lambda story, random: contribute(story, "2026-03", random.choice((5, 30)), "A digit."),
    lambda story, random: refer(story, f"D-{random.randint(1, 4)}"),
    lambda story, _: story.agree(OURS, example(ProposeTarget, objective="referrals")),
    plan,
    plan,
    ask,
    leave,
    lambda story, _: story.when(THEIRS, example(DiagnoseRootCause)),
    lambda story, _: story.when(OURS, example(HoldRenewalReview)),
    lambda story, _: story.when(OURS, DraftAgreement(sections=SECTIONS)),
)


def adopted() -> Story:
    """Return a partnership that already ran, some months after both confirmed it."""
    story = Story(now=moment(ADOPTED[0].at)).given(ADOPTED)
    story.on("2026-01-05")
    return story


def life(random: Random) -> Story:
    """Return a random life; what is refused leaves no trace."""
    story = random.choice((running, adopted))()
    charter(story, SUBSCRIBERS, LEADS, HOURS)
    lines = [
        shared_line(by, to, [random.choice(SHARED)])
        for by, to in ((OURS, THEIRS), (THEIRS, OURS), (OURS, TRUSTEE))
    ]
    agree_sharing(story, *lines, third=TRUSTEE)
    for day in DAYS:
        story.on(day)
        for act in random.choices(ACTS, k=random.randint(0, 6)):
            before = replace(story, history=[*story.history])
            try:
                act(story, random)
            except Refused:
                assert story.history == before.history
    return story


ALL_OUTPUTS: Final = 10_000
"""More changes of alerts than a life has."""

Found = dict[str, str]
"""The texts of open alerts by id."""


def listed(accord: Accord, when: AsOf) -> Found:
    found = alerts.ask(accord, None, AlertState.OPEN, when, Paging(limit=LONGEST_PAGE)).items
    return {each.id: each.text for each in found}


def reviewed(accord: Accord, name: str, when: AsOf) -> Found:
    found = review.ask(accord, name, when=when).alerts
    return {each.id: each.text for each in found if each.state is AlertState.OPEN}


def of_the_portfolio(accord: Accord, when: AsOf) -> set[str]:
    found = portfolio.ask(accord, when=when).portfolios
    return {each for own in found for line in own.partners for each in line.open_alerts}


def streamed(accord: Accord, since: Since, viewer: Viewer) -> Found:
    """Return what a reader of the stream knows to be open once it has read everything."""
    known: Found = {}
    batches = changes.feed(accord, since, viewer=viewer)
    first = next(batches)
    while not any(each.event == "ready" for each in first.messages):
        known |= {x.body["id"]: x.body["text"] for x in first.messages}
        first = next(batches)
    for batch in takewhile(lambda each: each.messages, batches):
        for each in batch.messages:
            _learn(known, each.body)
    return known


def posted(accord: Accord) -> Found:
    """Return what a system knows to be open that is posted each change from the first one on."""
    known: Found = {}

    def receive(_: str, body: bytes, *__: object) -> tuple[int, bytes]:
        _learn(known, orjson.loads(body)["data"])
        return 204, b""

    accord.views.move_cursor(cursor_of("webhook"), 0)
    with patch("infra.exchange.webhook.post", receive):
        Delivery(accord.views, "webhook", Webhook("https://alerts.example/")).step()
    return known


def published(accord: Accord) -> Found:
    """Return what the topic of alerts says is open, once older messages of a key are removed."""
    known: Found = {}
    for each in accord.views.outputs(limit=ALL_OUTPUTS):
        message = _alert("accord.alerts", each)
        body = orjson.loads(message.value or b"{}")
        assert message.key == body["id"]
        _learn(known, body)
    return known


def _learn(known: Found, body: dict[str, Any]) -> None:
    known.pop(body["id"], None)
    if body["state"] == AlertState.OPEN:
        known[body["id"]] = body["text"]


def disputed(accord: Accord, viewer: Viewer) -> set[str]:
    """Return the disputed figures of which something awaits the viewer, or either party."""
    found = inbox.ask(accord, when=AsOf(viewer=viewer), page=Paging(limit=LONGEST_PAGE)).items
    correcting = "accord.CorrectMetric"
    return {each.ref for each in found if each.events[0].type == correcting}


def agree(accord: Accord, name: str) -> None:
    """Let each viewer ask for its open alerts in every way."""
    for viewer in (OPERATOR, *PARTIES):
        when = AsOf(viewer=viewer)
        known = listed(accord, when)
        assert reviewed(accord, name, when) == known, viewer
        assert of_the_portfolio(accord, when) == known.keys(), viewer
        assert streamed(accord, Since.STATE, viewer) == known, viewer
        assert streamed(accord, Since.BEGIN, viewer) == known, viewer
        differ = {each for each in known if each.startswith(f"{FIGURES_DIFFER}@")}
        assert {each.split("/", 2)[2] for each in differ} == disputed(accord, viewer), viewer
    assert posted(accord) == published(accord) == listed(accord, AsOf(viewer=OPERATIONS))
    when = AsOf(viewer=THIRD)
    assert not disputed(accord, THIRD)
    assert not listed(accord, when)
    assert not of_the_portfolio(accord, when)
    assert not streamed(accord, Since.BEGIN, THIRD)
    with pytest.raises(NotFound):
        review.ask(accord, name, when=when)


# The examples are few, since each makes a store.
@settings(max_examples=12)
@given(st.randoms(use_true_random=False))
def test_in_a_random_life_each_viewer_finds_the_same_alerts_everywhere(random: Random) -> None:
    story = life(random)
    with TemporaryDirectory() as folder, recorded(Path(folder), story) as accord:
        agree(accord, story.id)


def test_neither_the_review_nor_the_stream_tells_of_an_objective_whose_figures_are_hidden(
    tmp_path: Path,
) -> None:
    story = hidden()
    name = f"objective-missed@1/{story.id}/subscribers"
    with recorded(tmp_path, story) as accord:
        ours, theirs = PARTIES
        for viewer, sees in ((ours, True), (theirs, False)):
            assert (name in reviewed(accord, story.id, AsOf(viewer=viewer))) is sees
            assert (name in streamed(accord, Since.BEGIN, viewer)) is sees
