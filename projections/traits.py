"""What each partnership is like, to be set beside others: candidates, markets, means, economics.

One row for each partnership, bounded by what stands in it: the latest fact of each kind, and of
feedback from a market only how much there is. A program's limits are a row of the same kind.
"""

from collections.abc import Callable
from typing import Any

from domain.agreement import CommercialTermsAgreed
from domain.execution import LessonRecorded
from domain.experiment import PilotConcluded
from domain.exploration import (
    AlignmentAssessed,
    AudienceOverlapMeasured,
    BridgingPlanAgreed,
    CandidateApproached,
    CandidateIdentified,
    CandidateScored,
    IdealPartnerProfileDefined,
)
from domain.formation import EvidenceAttached, EvidenceKind
from domain.governance import ResourcesCommitted
from domain.kernel import Event, Value
from domain.markets import (
    LocalFeedbackRecorded,
    MarketRanked,
    MarketTargeted,
    MetricOwnerAssigned,
    Role,
    RoleAssigned,
)
from domain.program import PortfolioDefined
from domain.recorded import Recorded
from domain.scaling import JointInvestmentAgreed
from domain.values import instant, plain
from projections.fold import NOTHING, Change, Projection, Row, Rows

TRAITS_ROW = "traits"
"""The key of the one row."""


def _json(value: Value, *without: str) -> Row:
    return value.model_dump(mode="json", exclude_none=True, exclude=set(without))


# --- candidates (C1, C2, C4) -------------------------------------------------------------------


def _profile(row: Row, _: Recorded, event: IdealPartnerProfileDefined) -> Row:
    return {**row, "profiles": [*row.get("profiles", []), _json(event)]}


def _with_candidate(row: Row, name: str, known: Row) -> Row:
    candidates = row.get("candidates", {})
    return {**row, "candidates": {**candidates, name: {**candidates.get(name, {}), **known}}}


def _identified(row: Row, _: Recorded, event: CandidateIdentified) -> Row:
    return _with_candidate(row, event.candidate, _json(event, "candidate"))


def _approached(row: Row, _: Recorded, event: CandidateApproached) -> Row:
    return _with_candidate(row, event.candidate, {"approached": True})


def _latest(part: str) -> Callable[[Row, Recorded, Any], Row]:
    """Keep the latest fact of a kind about a candidate, under `part`."""
    return lambda row, _, event: _with_candidate(
        row, event.candidate, {part: _json(event, "candidate")}
    )


def _bridged(row: Row, _: Recorded, event: BridgingPlanAgreed) -> Row:
    known = row.get("candidates", {}).get(event.candidate, {}).get("bridged", ())
    bridged = sorted({*known, event.dimension.value})
    return _with_candidate(row, event.candidate, {"bridged": bridged})


# --- markets (C3, C29) -------------------------------------------------------------------------


def _with_market(row: Row, name: str, known: Row) -> Row:
    markets = row.get("markets", {})
    return {**row, "markets": {**markets, name: {**markets.get(name, {}), **known}}}


def _targeted(row: Row, recorded: Recorded, event: MarketTargeted) -> Row:
    return _with_market(row, event.market, {"targeted": recorded.index})


def _heard(row: Row, recorded: Recorded, event: LocalFeedbackRecorded) -> Row:
    before = row.get("markets", {}).get(event.market, {}).get("feedback", {})
    feedback = {
        "count": before.get("count", 0) + 1,
        "sum": before.get("sum", 0) + event.score,
        "last": recorded.index,
    }
    return _with_market(row, event.market, {"feedback": feedback})


def _ranked(row: Row, recorded: Recorded, event: MarketRanked) -> Row:
    by_party = row.get("markets", {}).get(event.market, {}).get("ranked", {})
    ranked = {**_json(event, "market"), "index": recorded.index}
    return _with_market(row, event.market, {"ranked": {**by_party, recorded.act.party: ranked}})


def _owned(row: Row, recorded: Recorded, event: MetricOwnerAssigned) -> Row:
    if event.market is None:
        return row
    owners = row.get("markets", {}).get(event.market, {}).get("owners", {})
    owner = {**_json(event, "market", "metric"), "index": recorded.index}
    return _with_market(row, event.market, {"owners": {**owners, event.metric: owner}})


def _managed(row: Row, recorded: Recorded, event: RoleAssigned) -> Row:
    if event.market is None or event.role is not Role.REGIONAL_MANAGER:
        return row
    manager = {"name": event.name, "index": recorded.index}
    return _with_market(row, event.market, {"manager": manager})


def _tried(row: Row, recorded: Recorded, event: EvidenceAttached | PilotConcluded) -> Row:
    if isinstance(event, EvidenceAttached) and event.kind is not EvidenceKind.EXPERIMENT:
        return row
    return {**row, "experiment": recorded.index}


# --- means and economics (C10, C12, C26) -------------------------------------------------------


def _agreed(row: Row, _: Recorded, event: CommercialTermsAgreed) -> Row:
    terms = {
        "version": event.terms_version,
        "effective_from": event.effective_from.isoformat(),
        "kinds": sorted({each.kind for each in event.terms.economics}),
    }
    return {**row, "terms": [*row.get("terms", []), terms]}


def _committed(row: Row, recorded: Recorded, event: ResourcesCommitted) -> Row:
    attention = {**row.get("attention", {}), recorded.act.party: plain(event.attention)}
    return {**row, "attention": attention}


def _joined(row: Row, _: Recorded, event: JointInvestmentAgreed) -> Row:
    return {**row, "capabilities": {**row.get("capabilities", {}), **event.capabilities}}


def _learned(row: Row, _: Recorded, event: LessonRecorded) -> Row:
    return {**row, "lesson": event.text}


def _limited(row: Row, recorded: Recorded, event: PortfolioDefined) -> Row:
    act = recorded.act
    return {**row, "limits": {**_json(event), "party": act.party, "set": instant(act.recorded_at)}}


# --- fold --------------------------------------------------------------------------------------

_TAKES: dict[type[Event], Callable[[Row, Recorded, Any], Row]] = {
    IdealPartnerProfileDefined: _profile,
    CandidateIdentified: _identified,
    CandidateApproached: _approached,
    CandidateScored: _latest("score"),
    AudienceOverlapMeasured: _latest("overlap"),
    AlignmentAssessed: _latest("alignment"),
    BridgingPlanAgreed: _bridged,
    MarketTargeted: _targeted,
    LocalFeedbackRecorded: _heard,
    MarketRanked: _ranked,
    MetricOwnerAssigned: _owned,
    RoleAssigned: _managed,
    EvidenceAttached: _tried,
    PilotConcluded: _tried,
    CommercialTermsAgreed: _agreed,
    ResourcesCommitted: _committed,
    JointInvestmentAgreed: _joined,
    LessonRecorded: _learned,
    PortfolioDefined: _limited,
}


def keys(_: Recorded) -> tuple[str, ...]:
    """Give the one row."""
    return (TRAITS_ROW,)


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take a fact into what the partnership is like."""
    before = rows.get(TRAITS_ROW, {})
    take = _TAKES.get(type(recorded.event))
    row = take(before, recorded, recorded.event) if take else before
    return NOTHING if row is before else Change({TRAITS_ROW: row}, [])


TRAITS = Projection("traits", keys, apply, frozenset(_TAKES))
