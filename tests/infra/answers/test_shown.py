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
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pytest
from pydantic import ValidationError

from domain.adoption import AdoptionProposed, PartnershipAdopted
from domain.aggregates import event_types
from domain.recorded import Recorded
from infra.answers.logs import AsOf, NotFound
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from projections.visibility import OPERATOR, Viewer
from tests.feeds import simulated
from tests.infra.answers.helpers import printed
from tests.infra.answers.small_stories import LIFE_OF, log, stories
from tests.test_coverage import Row, code, rows

ELSEWHERE: Final = """
kpis: MetricReported MetricCorrected ReferralSubmitted ReferralAttributed LeadQualified
    OpportunityCreated DemoHeld DealWon WinCorrected PaymentReceived RefundIssued RefundReversed
    DealLost DealCancelled ContributionRecorded SharedCostIncurred JointRevenueReceived
    EntryReversed
inbox: AttributionProposed ResolutionProposed
checklist: RiskIdentified
candidates: BridgingPlanAgreed
experiments: HypothesisRegistered PilotStarted VariantObserved ObservationCorrected PilotConcluded
    VariantPromoted
statements: PayoutRecorded PayoutCorrected PayoutReturned
alerts: DeadlinePassed ReminderGiven
portfolio: PortfolioDefined
review: HealthCheckRecorded
history: ActConfirmed ActWithdrawn AgreementAmended AttributionSettled BundleExported
    ClaimConfirmed ClaimObjected CosignatureRefused CosignatureResumed DealReopened DealsMerged
    ExplorationClosed FullViewTaken KeyRecovered KeyRecoveryProposed KeyRegistered KeyRevoked
    KeyRotated KeySentByOperator MergeProposed ObjectiveAgreed PartyKeyMade PaymentCorrected
    PenaltyConceded PeriodClosed PersonErased ProposalLapsed RefundCorrected RiskMitigated
    RuleBreached RuleBreachWithdrawn SecondPersonAsked SignaturesRequired TermsAccepted
"""
"""The events that another answer than `show` shows, by the answer."""

COUNTED: Final = {
    "ContributionRecorded": "contributed_hours",
    "DealCancelled": "deals_won",
    "DealLost": "deals_lost",
    "DemoHeld": "demos",
    "LeadQualified": "qualified_leads",
    "OpportunityCreated": "opportunities",
    "ReferralAttributed": "attributed_leads",
    "RefundReversed": "refunds",
    "WinCorrected": "days_to_close",
}
"""The events that a figure counts without their names, by the metric."""

OF_ALL: Final = frozenset({"alerts", "inbox", "markets", "portfolio"})
"""The answers that are about all partnerships."""

JUST_BEFORE: Final = timedelta(microseconds=1)

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


STORIES: Final = stories()
HISTORY: Final = log(STORIES)
_BACKWARDS: Final = [*enumerate(HISTORY)][::-1]
_OF_THE_LIFE: Final = [each for each in _BACKWARDS if each[1].partnership == LIFE_OF]
FIRST: Final = {each.event.wire: index for index, each in (*_BACKWARDS, *_OF_THE_LIFE)}
"""The index of the first event of each kind: in the life, if the life has one."""

PARTIES: Final = {each for story in STORIES.values() for each in story.partnership.parties}

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


def asked(accord: Accord, kind: str, known: datetime) -> Any:  # noqa: ANN401 - JSON
    """Return the answer that shows a kind of event, as of a moment, as its party sees it."""
    recorded, name = HISTORY[FIRST[kind]], SHOWN_BY[kind]
    (question,) = (each for each in QUESTIONS if each.name == name)
    given: dict[str, Any] = {} if name in OF_ALL else {"id": recorded.partnership}
    if name == "history":
        given["page"] = Paging(limit=LONGEST_PAGE)
    parties = STORIES[recorded.partnership].partnership.parties or (recorded.act.party,)
    party = recorded.act.party if recorded.act.party in parties else parties[0]
    # What awaits the other party is in its own inbox.
    when = AsOf(known=known, viewer=OPERATOR if name == "inbox" else Viewer(party))
    try:
        return _without(question.ask(accord, **given, when=when).model_dump(mode="json"))
    except NotFound:
        return {}


def _records(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - JSON
    """Yield every object in an answer, but not the answer itself."""
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict):
            yield orjson.dumps(each)
        if isinstance(each, dict | list):
            yield from _records(each)


def _said(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield each text, number and day of an answer or an event."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _said(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _says(text: str, value: str) -> bool:
    return text == value or (len(value) > len("D-1") and value in text)


def shows(accord: Accord, kind: str) -> bool:
    """Return whether something is in the answer after an event only, and says what the event says.

    It says one of the event's values, or is the figure that counts it.
    """
    index = FIRST[kind]
    recorded = HISTORY[index]
    known = recorded.act.recorded_at
    before = {*_records(asked(accord, kind, known - JUST_BEFORE))}
    values = {*_said(recorded.event.model_dump(mode="json")), COUNTED.get(kind, kind)}
    return any(
        _says(text, value)
        for each in {*_records(asked(accord, kind, known))} - before
        for text in _said(orjson.loads(each))
        for value in values
    )


def test_an_answer_says_what_an_event_says(accord: Accord) -> None:
    assert [kind for kind in sorted(SHOWN_BY) if not shows(accord, kind)] == []


def test_every_kind_of_event_is_shown_somewhere() -> None:
    assert event_types().keys() == SHOWN_BY.keys() == FIRST.keys()


# --- what people wrote -------------------------------------------------------------------------

TEXTS_ELSEWHERE: Final = """
history: AgreementAdopted.reference MilestonePlanned.reason MilestoneProposed.reason
    NegotiationEnded.reason PartnershipAdopted.books.balances.reason
    PartnershipAdopted.charter.objectives.method PartnershipAdopted.contract.reference
    PartnershipAdopted.parties.sponsor.title ReviewScheduled.reason
    ActivityPaused.activity ActivityPaused.reason AdjustmentAgreed.reason BreachCured.how
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
candidates: CandidateDeclined.reason
show: BridgingPlanAgreed.plan ResolutionProposed.resolution
review: ContributionRecorded.what RiskIdentified.description
experiments: HypothesisRegistered.assignment HypothesisRegistered.hypothesis
    HypothesisRegistered.prior.source HypothesisRegistered.variants.description
    PilotConcluded.conclusion VariantPromoted.into
markets: MarketRanked.reasons
"""
"""The texts that another answer prints than the one that shows the event, by the answer."""


_NAMED: Final = _listed(TEXTS_ELSEWHERE)


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
    repeated: dict[tuple[str, Any, str], str] = {}
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
                # The events that an adoption records repeat its parts.
                same = (recorded.partnership, last, parent[last])
                if kind is PartnershipAdopted:
                    repeated[same] = mark
                mark = repeated.get(same, mark)
                parent[last] = mark
                field = ".".join(each for each in path if isinstance(each, str))
                marks.append(Mark(f"{recorded.event.wire}.{_unnamed(field)}", mark))
        history.append(replace(recorded, event=kind.model_validate(data)))
    return history, marks


def _unnamed(field: str) -> str:
    """Return a field without the parties that it is by: ``goals`` of each party."""
    return ".".join(each for each in field.split(".") if each not in PARTIES)


PLANTED, MARKS = _planted()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what each named answer prints of the log with the marks, without line breaks.

    What is proposed for adoption is printed while it waits.
    """
    with simulated(tmp_path_factory.mktemp("planted")) as accord:
        accord.history.append(PLANTED)
        accord.runner.catch_up()
        waits = PLANTED[FIRST[AdoptionProposed.wire]]
        found = {name: _page(accord, name) for name in {*_NAMED.values(), *SHOWN_BY.values()}}
        found["show"] += _page(accord, "show", known=waits.act.recorded_at)
        return {name: " ".join(each.split()) for name, each in found.items()}


def _page(accord: Accord, name: str, known: datetime | None = None) -> str:
    """Return what an answer prints, of each partnership where it is about one."""
    (question,) = (each for each in QUESTIONS if each.name == name)
    page = {"page": Paging(limit=LONGEST_PAGE)} if question.is_paged else {}
    when = AsOf(known=known, viewer=Viewer(full=True) if question.private else OPERATOR)
    about: list[dict[str, str]] = [{}] if name in OF_ALL else [{"id": each} for each in STORIES]
    found = ""
    for each in about:
        with suppress(NotFound):  # It has not begun by then.
            found += printed(question.text(question.ask(accord, **each, **page, when=when)))
    return found


def test_what_people_wrote_is_printed_by_the_named_answer(pages: dict[str, str]) -> None:
    printed_ = {
        each.field
        for each in MARKS
        if each.mark in pages[_NAMED.get(each.field) or SHOWN_BY[each.field.partition(".")[0]]]
    }

    assert sorted({each.field for each in MARKS} - printed_) == []


def test_every_text_that_another_answer_prints_is_in_the_life() -> None:
    assert _NAMED.keys() <= {each.field for each in MARKS}


# --- numbers and days --------------------------------------------------------------------------

COMPUTED: Final = """
DealWon.days_to_close FinalSettlementIssued.balances.parts.earned
FinalSettlementIssued.balances.parts.lines PilotConcluded.results.best PilotConcluded.results.high
PilotConcluded.results.low PilotConcluded.results.mean PilotConcluded.results.successes
PilotConcluded.results.trials StatementIssued.balance.parts.earned
StatementIssued.balance.parts.lines
"""
"""The numbers that the named answers compute again from what they rest on."""

NOT_PRINTED: Final = (
    "agreed_version",
    "IssueEscalated.step",
    "PartnershipAdopted.terms.agreed_on",
    "ReminderGiven.ref",
)
"""The number of an agreement's versions, of which an answer shows the newest; the step of an
escalation, which is printed as the office that it goes to; the day on which adopted terms were
agreed, which is printed as the moment of these terms; and the day that a reminder is of, which is
printed as its `due`."""

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
    """Return the log with another number in place of each that its field lets be any."""
    history: list[Recorded] = []
    marks: list[Mark] = []
    repeated: dict[tuple[str, Any, str], str | int] = {}
    for recorded in HISTORY:
        event = recorded.event
        for path in list(_numbers(event.model_dump(mode="json"))):
            data = event.model_dump(mode="json")
            *parents, last = path
            parent = data
            for key in parents:
                parent = parent[key]
            # The events that an adoption records repeat its parts.
            same = (recorded.partnership, last, str(parent[last]))
            others = [repeated[same]] if same in repeated else []
            for other in others or _others(parent[last], 70_000 + len(marks)):
                parent[last] = other
                with suppress(ValidationError):
                    event = type(event).model_validate(data)
                    if isinstance(event, PartnershipAdopted):
                        repeated[same] = other
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
        # What is proposed for adoption is printed while it waits.
        waits = history[FIRST[AdoptionProposed.wire]].act.recorded_at
        printed_ += _page(accord, "show", known=waits)
    found = {each.field for each in marks if each.mark in printed_}

    lacking = {each.field for each in marks if not each.field.endswith(NOT_PRINTED)} - found
    assert sorted(lacking) == sorted(COMPUTED.split())


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
    events = code(row.recorded) & SHOWN_BY.keys()

    assert {SHOWN_BY[each] for each in events} <= _answers(row)
