"""What a partnership stands as, now or at a time: its whole state, folded from its log."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from domain import aggregates
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import BilateralAgreement
from domain.calendar import subtract
from domain.context import PartnershipContext
from domain.declarations import Declarations
from domain.dispute import DisputeOpened, DisputeResolved
from domain.execution import (
    ImprovementPlanAgreed,
    IssueEscalated,
    IssueResolved,
    MilestoneMissed,
    MilestoneReached,
    ReviewHeld,
    ReviewMissed,
    Tasks,
)
from domain.exploration import (
    AudienceOverlapMeasured,
    Candidate,
    CandidateApproached,
    CandidateScored,
)
from domain.formation import (
    BestAlternativeDeclared,
    CharterAgreed,
    DecisionRuleAgreed,
    Formation,
    NonNegotiableDeclared,
)
from domain.governance import (
    ContactAssigned,
    GovernanceEstablished,
    ResourcesCommitted,
    SponsorAssigned,
)
from domain.kernel import Value
from domain.markets import (
    LocalFeedbackRecorded,
    MarketRanked,
    MarketTargeted,
    MetricOwnerAssigned,
    RoleAssigned,
)
from domain.partnership import Partnership
from domain.recorded import Recorded
from domain.renewal import PartnershipRenewed, Renewal
from domain.scaling import JointInvestmentAgreed, ScopeExpanded
from domain.values import instant
from infra.answers.explaining import rule_in_words
from infra.answers.logs import NOW, AsOf, NotFound, Row, sight_of, size_of, whole_log
from infra.bootstrap import Accord
from infra.deciding.service import wall_clock
from projections.visibility import Sight


def show(accord: Accord, partnership: str, when: AsOf = NOW) -> Row:
    """Give what a partnership's history comes to as of a time.

    What each party keeps to itself (C7) is shown to that party, and to the operator only in full.
    Raises `NotFound`.
    """
    sight = sight_of(accord.history, partnership, when)
    seen = _Seen(sight)
    events = seen.each(whole_log(accord.history, partnership, when))
    state = aggregates.fold(filter(sight.shows, events))
    if seen.last is None:
        first = next(accord.history.of(partnership, 0, 1)).act.occurred_at
        raise NotFound(
            f"Nothing of {partnership} had happened by then.",
            f"It begins at {instant(first)}; ask for that moment or a later one.",
        )
    moment = when.at or when.known
    if moment is None:
        live = when == NOW and not accord.simulated
        moment = wall_clock() if live else seen.last.act.recorded_at
    return {
        "id": partnership,
        "stage": state.stage.value if state.stage else None,
        "as_of": {
            **when.as_json(),
            "events": seen.events,
            "of": size_of(accord.history, partnership),
            "last": seen.last.ref,
            "last_recorded_at": instant(seen.last.act.recorded_at),
        },
        **_of(state, seen, moment.date()),
        "private": list(_private(state)),
    }


def _private(state: Partnership) -> Iterator[Row]:
    """Give what parties keep to themselves, as far as the asked log has it."""
    for party in state.parties:
        for fact in (
            *state.context.declarations.of(NonNegotiableDeclared, party),
            *state.context.declarations.of(BestAlternativeDeclared, party),
        ):
            yield {"party": party, "kind": fact.wire, **_json(fact)}


class _Seen:
    """What a fold of states does not keep, noted while the events go by."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self.small: dict[str, str] = {}
        """How an overlap that is too small to be shown is told, by candidate (C14)."""
        self.events = 0
        self.last: Recorded | None = None
        self.missed: dict[tuple[str, str], tuple[str, datetime]] = {}
        """What went by and when, by the word for having done it."""
        self.done: dict[tuple[str, str], datetime] = {}
        self.disputes: dict[str, Row] = {}
        """Each dispute, which has a stream of its own, with how it ended."""

    def each(self, events: Iterable[Recorded]) -> Iterator[Recorded]:
        """Give the events as they come, and note them."""
        for recorded in events:
            self.events += 1
            self.last = recorded
            self._dispute(recorded)
            at = recorded.act.occurred_at
            told = self._sight.told(recorded)
            match recorded.event:
                case AudienceOverlapMeasured(candidate=name) if told:
                    self.small[name] = told
                case MilestoneMissed(milestone=name):
                    self.missed["reached", name] = "missed", at
                case ReviewMissed(review=name):
                    self.missed["held", name] = "missed", at
                case IssueEscalated(issue=name):
                    self.missed["resolved", name] = "escalated", at
                case MilestoneReached(milestone=name):
                    self.done["reached", name] = at
                case ReviewHeld(review=name):
                    self.done["held", name] = at
                case IssueResolved(issue=name):
                    self.done["resolved", name] = at
                case _:
                    pass
            yield recorded

    def _dispute(self, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, DisputeOpened):
            row = _json(event) | {"opened_by": recorded.act.party, "state": "open"}
            self.disputes[event.dispute] = row
        elif isinstance(event, DisputeResolved):
            known = self.disputes.get(event.dispute, {"dispute": event.dispute})
            self.disputes[event.dispute] = known | {"state": event.outcome.value}


def _of(state: Partnership, seen: _Seen, day: date) -> Row:
    formation, execution = state.formation, state.execution
    begun = state.exploration.begun
    charter = state.context.agreements.latest(CharterAgreed)
    return {
        "purpose": begun.purpose if begun else None,
        "parties": _parties(state),
        "candidates": [
            _candidate(name, each, state) | _small(seen.small.get(name))
            for name, each in state.exploration.candidates.items()
        ],
        "terms": _terms(state.context, day),
        "charter": _json(charter.charter) if charter else None,
        "rules": [
            {"version": each.rule_version, "text": rule_in_words(each.rule), **_json(each.rule)}
            for each in state.context.agreements.versions(DecisionRuleAgreed)
        ],
        "agreement": _agreement(formation),
        "governance": next(map(_json, state.context.declarations.of(GovernanceEstablished)), None),
        "markets": _markets(state.context.declarations),
        "roles": [_json(each) for each in state.context.declarations.of(RoleAssigned)],
        "metric_owners": [
            _json(each) for each in state.context.declarations.of(MetricOwnerAssigned)
        ],
        "waivers": [
            {"rule": each.rule, "party": each.party, "actor": each.actor, "reason": each.reason}
            for each in state.context.waivers.values()
        ],
        "deadlines": [
            {"due": instant(each.due), "kind": each.kind.value, "ref": each.ref}
            for each in sorted(state.deadlines.values())
        ],
        "milestones": _tasks(execution.milestones, "reached", seen),
        "reviews": _tasks(execution.reviews, "held", seen),
        "issues": _tasks(execution.issues, "resolved", seen),
        "disputes": list(seen.disputes.values()),
        "improvement_plans": _proposals(ImprovementPlanAgreed, state.context),
        "scopes": _proposals(ScopeExpanded, state.context),
        "joint_investments": _proposals(JointInvestmentAgreed, state.context),
        "renewal": _renewal(state.renewal, state.context),
    }


def _json(value: Value) -> Row:
    return value.model_dump(mode="json", exclude_none=True)


def _parties(state: Partnership) -> list[Row]:
    begun, candidates = state.exploration.begun, state.exploration.candidates
    names = {name: each.identified.name for name, each in candidates.items()}
    found = []
    for place, party in enumerate(state.parties):
        facts = state.context.declarations
        found.append(
            {
                "party": party,
                "role": "partner" if place else "initiator",
                "name": names.get(party, party) if place or not begun else begun.party_name,
                "contacts": [_json(each) for each in facts.of(ContactAssigned, party)],
                "sponsor": next(map(_json, facts.of(SponsorAssigned, party)), None),
                "resources": next(map(_json, facts.of(ResourcesCommitted, party)), None),
            }
        )
    return found


def _candidate(name: str, candidate: Candidate, state: Partnership) -> Row:
    alignment = candidate.alignment()
    known = {
        "score": candidate.latest.get(CandidateScored),
        "overlap": candidate.latest.get(AudienceOverlapMeasured),
        "alignment": alignment,
    }
    return {
        **_json(candidate.identified),
        "approached": CandidateApproached in candidate.latest,
        "chosen": name in state.parties,
        **{
            part: {key: each for key, each in _json(fact).items() if key != "candidate"}
            for part, fact in known.items()
            if fact is not None
        },
    }


def _small(told: str | None) -> Row:
    return {"overlap": {"shared_customers": told}} if told else {}


def _markets(facts: Declarations) -> list[Row]:
    """Give each market that was named, heard or ranked, with what is known of it (C3)."""
    heard, ranked = facts.of(LocalFeedbackRecorded), facts.of(MarketRanked)
    targeted = [each.market for each in facts.of(MarketTargeted)]
    evidence = [each.market for each in heard] + [each.market for each in ranked]
    return [
        {
            "market": market,
            "feedback": [_json(each) for each in heard if each.market == market],
            "ranked": [_json(each) for each in ranked if each.market == market],
        }
        for market in dict.fromkeys(targeted + evidence)
    ]


def _terms(context: PartnershipContext, day: date) -> Row:
    """Give the terms in force on a day, and every version (C10)."""

    def version(agreed: CommercialTermsAgreed) -> Row:
        return {
            "version": agreed.terms_version,
            "effective_from": agreed.effective_from.isoformat(),
            **_json(agreed.terms),
        }

    in_force = context.terms_at(day)
    return {
        "day": day.isoformat(),
        "in_force": version(in_force) if in_force else None,
        "versions": [version(each) for each in context.agreements.versions(CommercialTermsAgreed)],
    }


def _agreement(formation: Formation) -> Row | None:
    agreement = formation.agreement
    if not agreement.version:
        return None
    return {
        "version": agreement.version,
        "in_force": agreement.in_force or None,
        "signed_by": sorted(agreement.signed_by),
        "missing_sections": agreement.sections.missing(),
    }


def _tasks(tasks: Tasks, done: str, seen: _Seen) -> list[Row]:
    """Give what was planned, and what became of it: done, missed or open.

    What is done and yet went by was either late, or in time and told too late.
    """
    found = []
    for name, task in tasks.items():
        missed, when = seen.missed.get((done, name), ("", None))
        row = {**_json(task.planned), "since": instant(task.since), "state": missed or "open"}
        if task.done:
            at = seen.done[done, name]
            row |= {"state": done, "done_at": instant(at), "outcome": _json(task.done)}
            if when:
                row |= {"was": missed, "in_time": at < when}
        found.append(row)
    return found


def _proposals(kind: type[BilateralAgreement], context: PartnershipContext) -> list[Row]:
    return [
        {**_json(each.proposed), "proposed_by": each.party, "accepted": each.accepted}
        for each in context.agreements.proposals_of(kind).values()
    ]


def _renewal(renewal: Renewal, context: PartnershipContext) -> Row:
    latest, until = context.latest_terms, context.term_ends_on
    proposals = context.agreements.proposals_of(PartnershipRenewed)
    last_day = subtract(until, latest.terms.notice) if until and latest else None
    return {
        "holds_until": until and until.isoformat(),
        "last_day_for_notice": last_day and last_day.isoformat(),
        "reviews": [_json(each) for each in renewal.reviews.values()],
        "proposals": _proposals(PartnershipRenewed, context),
        "declined": [_json(each.declined) for each in proposals.values() if each.declined],
        "notice": _json(renewal.notice) if renewal.notice else None,
        "settlement": _json(renewal.settlement) if renewal.settlement else None,
        "assets": [_json(each) for each in renewal.assets.values()],
    }
