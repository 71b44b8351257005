"""Each kind of event is shown by an answer: the one that is named here says more because of it.

The life of the examples is recorded, each event a millisecond after the one before. The answer is
asked as of just before the first event of a kind and as of just after it. What says when it was
asked, or how long the log is, does not count.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from domain.aggregates import event_types
from domain.recorded import Recorded
from infra.answers.logs import AsOf
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from projections.visibility import OPERATOR, Viewer
from tests.feeds import simulated
from tests.life import LIFE
from tests.stories import Story

ELSEWHERE: Final = """
kpis: MetricReported MetricCorrected ReferralSubmitted ReferralAttributed LeadQualified
    OpportunityCreated DemoHeld DealWon WinCorrected PaymentReceived RefundIssued RefundReversed
    ClaimObjected DealLost DealReopened DealCancelled ContributionRecorded SharedCostIncurred
    JointRevenueReceived EntryReversed
inbox: AttributionProposed AttributionSettled ResolutionProposed
checklist: RiskIdentified RiskMitigated
candidates: BridgingPlanAgreed
experiments: HypothesisRegistered PilotStarted VariantObserved ObservationCorrected PilotConcluded
    VariantPromoted
statements: PayoutRecorded PayoutCorrected PayoutReturned
alerts: DeadlinePassed ReminderGiven
review: HealthCheckRecorded PenaltyConceded
history: DealsMerged MergeProposed
    TermsAccepted ObjectiveAgreed ClaimConfirmed PaymentCorrected RefundCorrected
"""
"""The events that another answer than `show` shows, by the answer."""

NOT_IN_THE_LIFE: Final = """
show: AdoptionProposed AdoptionPartAgreed PartnershipAdopted AgreementAdopted AgreementAmended
    CandidateDeclined ExplorationClosed IssueEscalated MilestoneMissed ReviewMissed
history: BundleExported FullViewTaken KeyRegistered KeyRevoked KeyRotated PersonErased
    ProposalLapsed
alerts: RuleBreached RuleBreachWithdrawn
portfolio: PortfolioDefined
"""
"""Where the events are shown that the life does not have. The tests of these answers check it."""

VOLATILE: Final = {
    "as_of", "at", "day", "events", "last", "last_recorded_at", "log_size", "moment", "next",
}  # fmt: skip
"""The fields that say when an answer was asked, or how long the log is."""


def _listed(text: str) -> dict[str, str]:
    """Return the answer by the kind of event."""
    found, answer = {}, ""
    for word in text.split():
        if word.endswith(":"):
            answer = word.removesuffix(":")
        else:
            found[word] = answer
    return found


STORY: Final = Story().given(LIFE)
HISTORY: Final[list[Recorded]] = [
    replace(
        each, act=each.act._replace(recorded_at=each.act.recorded_at + timedelta(0, 0, 0, index))
    )
    for index, each in enumerate(STORY.history)
]
FIRST: Final = {each.event.wire: index for index, each in reversed([*enumerate(HISTORY)])}
"""The index of the first event of each kind."""

SHOWN_BY: Final = dict.fromkeys(FIRST, "show") | _listed(ELSEWHERE)
"""The answer that shows each kind of event."""


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with simulated(tmp_path_factory.mktemp("shown")) as accord:
        accord.history.append(HISTORY)
        accord.runner.catch_up()
        yield accord


def _without(found: Any) -> Any:  # noqa: ANN401 - JSON
    """Return an answer without what says when it was asked."""
    if isinstance(found, dict):
        return {key: _without(each) for key, each in found.items() if key not in VOLATILE}
    return [_without(each) for each in found] if isinstance(found, list) else found


def asked(accord: Accord, name: str, index: int, party: str) -> Any:  # noqa: ANN401 - JSON
    """Return an answer as of just after an event, as a party sees it."""
    (question,) = (each for each in QUESTIONS if each.name == name)
    given: dict[str, Any] = {} if name in {"alerts", "inbox"} else {"id": STORY.id}
    if name == "history":
        given["page"] = Paging(limit=LONGEST_PAGE)
    # What awaits the other party is in its own inbox.
    viewer = OPERATOR if name == "inbox" else Viewer(party)
    when = AsOf(known=HISTORY[index].act.recorded_at, viewer=viewer)
    return _without(question.ask(accord, **given, when=when).model_dump(mode="json"))


@pytest.mark.parametrize("kind", sorted(SHOWN_BY))
def test_an_answer_says_more_because_of_an_event(accord: Accord, kind: str) -> None:
    index = FIRST[kind]
    party = HISTORY[index].act.party
    party = party if party in STORY.partnership.parties else STORY.partnership.parties[0]

    after = asked(accord, SHOWN_BY[kind], index, party)

    assert index == 0 or asked(accord, SHOWN_BY[kind], index - 1, party) != after


def test_every_kind_of_event_is_shown_somewhere() -> None:
    assert _listed(ELSEWHERE).keys() <= FIRST.keys()
    assert event_types().keys() == FIRST.keys() | _listed(NOT_IN_THE_LIFE).keys()
