"""Each kind of event is shown by an answer: the one that is named here says more because of it.

The life of the examples is recorded, each event a millisecond after the one before. The answer is
asked as of just before the first event of a kind and as of just after it. What says when it was
asked, or how long the log is, does not count.

What people wrote is shown, too: a mark is planted in each text of each event, and found in what the
named answer prints. So are other numbers and days, which some answer prints.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from pydantic import ValidationError

from domain.aggregates import event_types
from domain.recorded import Recorded
from infra.answers.logs import AsOf
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from projections.visibility import OPERATOR, Viewer
from tests.feeds import simulated
from tests.infra.answers.helpers import printed
from tests.life import LIFE
from tests.stories import Story
from tests.test_coverage import Row, code, rows

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
    CandidateDeclined ExplorationClosed IssueEscalated MilestoneMissed NegotiationEnded
    NegotiationEndProposed ReviewMissed
history: ActConfirmed ActWithdrawn BundleExported CosignatureRefused CosignatureResumed
    KeySentByOperator FullViewTaken KeyRecovered KeyRecoveryProposed KeyRegistered KeyRevoked
    KeyRotated PartyKeyMade PersonErased ProposalLapsed SecondPersonAsked SignaturesRequired
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


# --- what people wrote -------------------------------------------------------------------------

TEXTS_ELSEWHERE: Final = """
history: ActivityPaused.activity ActivityPaused.reason AdjustmentAgreed.reason BreachCured.how
    ClaimObjected.reason CommitmentCancelled.reason DealCancelled.reason
    DealLost.reason DealReopened.reason DealsMerged.reason EntryReversed.reason
    ExitWithdrawn.explanation GovernanceProposed.decision_rights GovernanceProposed.dispute_path
    ImprovementPlanAgreed.actions ImprovementPlanCompleted.outcome
    IssueResolved.resolution MetricCorrected.reason ObjectiveAgreed.objective.method
    ObservationCorrected.reason
    PartnerChosen.name
    PartnershipExited.tail_obligations PaymentCorrected.reason PayoutCorrected.reason
    PayoutReturned.reason PenaltyConceded.condition PriorAgreed.prior.source
    ReferralAttributed.evidence ReferralSubmitted.lead RefundCorrected.reason RefundReversed.reason
    RiskMitigated.how ScopeExpanded.scope SharedCostIncurred.cost SponsorAssigned.title
    TargetAdjusted.reason WinCorrected.reason
review: ContributionRecorded.what RiskIdentified.description
experiments: HypothesisRegistered.assignment HypothesisRegistered.hypothesis
    HypothesisRegistered.prior.source HypothesisRegistered.variants.description
    PilotConcluded.conclusion VariantPromoted.into
markets: MarketRanked.reasons
"""
"""The texts that another answer than `show` prints, by the answer."""


class Mark(NamedTuple):
    """A mark in place of a text: the event and the field that it is in."""

    field: str
    """The wire name of the event and the path of the field: ``RiskIdentified.description``."""
    mark: str


def _texts(schema: Any, value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Yield the paths of the texts in an event's data, by its JSON Schema."""
    root, defs = schema, schema.get("$defs", {})
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(root, each, (*path, key))
    elif isinstance(value, str) and _is_text(root, path, defs):
        yield path


def _is_text(schema: Any, path: tuple[str | int, ...], defs: Any) -> bool:  # noqa: ANN401 - JSON
    while "$ref" in schema:
        schema = defs[schema["$ref"].rsplit("/", 1)[1]]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return any(_is_text(each, path, defs) for each in choices)
    if not path:
        return bool(schema.get("maxLength") == LONGEST_TEXT)
    first, *rest = path
    within = (
        schema.get("items")
        if isinstance(first, int)
        else schema.get("properties", {}).get(first, schema.get("additionalProperties"))
    )
    return isinstance(within, dict) and _is_text(within, tuple(rest), defs)


NAMES: Final = frozenset({"unit", "fact"})
"""Fields that name something of the metric or the deal, and say nothing in words."""

LONGEST_TEXT: Final = 2000
"""The longest string that a field of text takes. Fields of names and numbers take less."""


def _planted() -> tuple[list[Recorded], list[Mark]]:
    """Return the life with a mark in place of each text, and the marks."""
    history: list[Recorded] = []
    marks: list[Mark] = []
    for recorded in HISTORY:
        kind = type(recorded.event)
        data = recorded.event.model_dump(mode="json")
        for path in list(_texts(kind.model_json_schema(mode="serialization"), data)):
            mark = f"Mark-{len(marks):04d}"
            *parents, last = path
            parent = data
            for key in parents:
                parent = parent[key]
            if last not in NAMES:
                parent[last] = mark
                field = ".".join(each for each in path if isinstance(each, str))
                marks.append(Mark(f"{recorded.event.wire}.{_unnamed(field)}", mark))
        history.append(replace(recorded, event=kind.model_validate(data)))
    return history, marks


def _unnamed(field: str) -> str:
    """Return a field without the parties that it is by: ``goals`` of each party."""
    return ".".join(each for each in field.split(".") if each not in STORY.partnership.parties)


PLANTED, MARKS = _planted()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what each named answer prints of the life with the marks, without line breaks."""
    with simulated(tmp_path_factory.mktemp("planted")) as accord:
        accord.history.append(PLANTED)
        accord.runner.catch_up()
        return {
            name: " ".join(_page(accord, name).split())
            for name in {"show", *_listed(TEXTS_ELSEWHERE).values()}
        }


def _page(accord: Accord, name: str) -> str:
    (question,) = (each for each in QUESTIONS if each.name == name)
    given: dict[str, Any] = {} if name == "markets" else {"id": STORY.id}
    if question.is_paged:
        given["page"] = Paging(limit=LONGEST_PAGE)
    when = AsOf(viewer=Viewer(full=True)) if question.private else AsOf()
    return printed(question.text(question.ask(accord, **given, when=when)))


@pytest.mark.parametrize("field", sorted({each.field for each in MARKS}))
def test_what_people_wrote_is_printed_by_the_named_answer(
    pages: dict[str, str], field: str
) -> None:
    named = _listed(TEXTS_ELSEWHERE).get(field, "show")
    found = [each.mark in pages[named] for each in MARKS if each.field == field]

    assert any(found)


def test_every_text_that_another_answer_prints_is_in_the_life() -> None:
    assert _listed(TEXTS_ELSEWHERE).keys() <= {each.field for each in MARKS}


# --- numbers and days --------------------------------------------------------------------------

COMPUTED: Final = """
DealWon.days_to_close FinalSettlementIssued.balances.parts.earned
FinalSettlementIssued.balances.parts.lines PilotConcluded.results.best PilotConcluded.results.high
PilotConcluded.results.low PilotConcluded.results.mean PilotConcluded.results.successes
PilotConcluded.results.trials StatementIssued.balance.parts.earned
StatementIssued.balance.parts.lines
"""
"""The numbers that the named answers compute again from what they rest on."""

NOT_PRINTED: Final = ("agreed_version", "ReminderGiven.ref")
"""The number of an agreement's versions, of which an answer shows the newest, and the day that a
reminder is of, which is printed as its `due`."""

NUMBER, DAY = re.compile(r"\d+(\.\d+)?"), re.compile(r"\d{4}-\d\d-\d\d")


def _numbers(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Yield the paths of the numbers and days in an event's data."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _numbers(each, (*path, key))
    elif not isinstance(value, bool) and re.fullmatch(
        f"{NUMBER.pattern}|{DAY.pattern}", str(value)
    ):
        yield path


def _others(value: int | str, number: int) -> list[int | str]:
    """Return what can stand for a number or a day: the first that its field takes does."""
    if isinstance(value, int):
        return [number]
    if DAY.fullmatch(value):
        return [(date.fromisoformat(value) + timedelta(days=1 + number % 27)).isoformat()]
    return [f"{number}.25", f"{number}"]


def _numbered() -> tuple[list[Recorded], list[Mark]]:
    """Return the life with another number in place of each that its field lets be any."""
    history: list[Recorded] = []
    marks: list[Mark] = []
    for recorded in HISTORY:
        event = recorded.event
        for path in list(_numbers(event.model_dump(mode="json"))):
            data = event.model_dump(mode="json")
            *parents, last = path
            parent = data
            for key in parents:
                parent = parent[key]
            for other in _others(parent[last], 70_000 + len(marks)):
                parent[last] = other
                with suppress(ValidationError):
                    event = type(event).model_validate(data)
                    field = ".".join(each for each in path if isinstance(each, str))
                    marks.append(Mark(f"{event.wire}.{_unnamed(field)}", str(other)))
                    break
        history.append(replace(recorded, event=event))
    return history, marks


def test_every_number_and_day_of_an_event_is_printed_by_some_answer(tmp_path: Path) -> None:
    history, marks = _numbered()
    with simulated(tmp_path) as accord:
        accord.history.append(history)
        accord.runner.catch_up()
        printed_ = " ".join(_page(accord, name) for name in PRINTED)
    found = {each.field for each in marks if each.mark in printed_}

    lacking = {each.field for each in marks if not each.field.endswith(NOT_PRINTED)} - found
    assert lacking == {*COMPUTED.split()}


PRINTED: Final = [
    "candidates",
    "checklist",
    "experiments",
    "history",
    "kpis",
    "review",
    "rules",
    "show",
    "statements",
]
"""The answers about one partnership that show events."""


# --- docs/coverage.md --------------------------------------------------------------------------


def _answers(row: Row) -> set[str]:
    """Return the answers that a row of docs/coverage.md names."""
    return {each.split()[1] for each in code(row.seen) if each.startswith("accord ")}


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.number)
def test_a_row_of_the_coverage_names_the_answer_that_shows_each_of_its_events(row: Row) -> None:
    shown_by = SHOWN_BY | _listed(NOT_IN_THE_LIFE)

    assert {shown_by[each] for each in code(row.recorded) & shown_by.keys()} <= _answers(row)
