"""A feed to measure with: partnerships as their systems would report them, the same for each seed.

Each partnership is formed, then runs for some four hundred days: referrals go their way through
the funnel, tools report their figures, a few things are planned, done, forgotten. The lines of
all partnerships stand in the order of their times, and the domain accepts every one of them. It
is a feed of the past, so it goes into a simulated store.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import orjson

OPENED = datetime(2025, 1, 6, 9, tzinfo=UTC)
"""When the first partnership begins; the others follow within a month."""

RUNNING = timedelta(days=400)
"""For how long deals arrive after the kickoff."""

FORMING = 26
"""The first lines of each partnership: with the last of them it is formed."""

OURS = "initiator"
SEGMENTS = ("webinar", "newsletter", "workshop", "events")


class Line(NamedTuple):
    """One line of the feed before it is written; lines sort by time."""

    time: datetime
    partnership: str
    place: int
    command: str
    party: str
    data: dict[str, Any]


def feed(events: int, partnerships: int, seed: int = 1) -> Iterator[bytes]:
    """Yield `events` CloudEvents, each as a line of JSON, shared out among the partnerships."""
    share, left = divmod(events, partnerships)
    stories = [
        _story(f"partner-{number:04}", share + (number < left), Random(f"{seed}/{number}"))
        for number in range(partnerships)
    ]
    for number, line in enumerate(heapq.merge(*stories)):
        yield written(f"line-{number:07}", line)


def written(identifier: str, line: Line) -> bytes:
    """Return a line as a CloudEvent in JSON."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": identifier,
            "source": "//feed.example",
            "type": f"accord.{line.command}",
            "subject": line.partnership,
            "time": line.time,
            "party": line.party,
            "actor": f"manager@{line.party}",
            "data": line.data,
        }
    )


def _story(partnership: str, size: int, random: Random) -> list[Line]:
    """Return the first `size` lines of a partnership: its forming, then whatever comes in time."""
    theirs = f"{partnership}-ltd"
    told = Told(partnership, theirs)
    kickoff = form(told, OPENED + timedelta(minutes=random.randrange(30 * 24 * 60)))
    _operate(told, kickoff, random)
    deal = 0
    while len(told.lines) < size:
        deal += 1
        _sell(told, f"deal-{deal}", kickoff + random.random() * RUNNING, random)
    return sorted(told.lines)[:size]


class Told:
    """The lines of one partnership so far."""

    def __init__(self, partnership: str, theirs: str) -> None:
        self.partnership = partnership
        self.theirs = theirs
        self.lines: list[Line] = []

    def tell(self, at: datetime, party: str, command: str, /, **data: object) -> None:
        """Add a line, with its time to the second."""
        time = at.replace(microsecond=0)
        place = len(self.lines)
        self.lines.append(Line(time, self.partnership, place, command, party, data))


def form(told: Told, began: datetime) -> datetime:
    """Form a partnership, a step every other hour; return when its kickoff is held."""
    theirs = told.theirs
    steps = _exploration(theirs) + _negotiation(theirs, began)
    for hours, (party, command, data) in enumerate(steps):
        told.tell(began + timedelta(hours=2 * hours), party, command, **data)
    return told.lines[-1].time


_Step = tuple[str, str, dict[str, Any]]


def _exploration(theirs: str) -> list[_Step]:
    candidate = {"candidate": theirs}
    ratings = ("strategic_fit", "operational_capacity", "cultural_compatibility", "shared_vision")
    questions = (
        "objectives_defined",
        "alignment_sufficient",
        "governance_agreed",
        "economics_fair",
        "resources_available",
        "risks_mitigated",
        "exit_clause",
        "sponsors_on_both_sides",
    )
    profile = {
        "staff_from": 50,
        "staff_to": 200,
        "client_segments": ["technology", "services"],
        "practice": "digital transformation",
        "same_buyer": True,
        "competing_product": False,
    }
    score = {"market_reach": 4, "brand_alignment": 4, "technical_compatibility": 3}
    return [
        (OURS, "BeginExploration", {"party_name": "Initiator", "purpose": "Reach new clients."}),
        (OURS, "DefineIdealPartnerProfile", profile),
        (
            OURS,
            "IdentifyCandidate",
            candidate | {"name": f"{theirs.title()}", "found_through": "referral"},
        ),
        (OURS, "ScoreCandidate", candidate | {"profile_version": 1} | score),
        (
            OURS,
            "MeasureAudienceOverlap",
            candidate | {"own_customers": 2000, "shared_customers": 310},
        ),
        (OURS, "AssessAlignment", candidate | dict.fromkeys(ratings, 4)),
        (OURS, "CompleteDecisionChecklist", candidate | dict.fromkeys(questions, True)),
        (OURS, "ChoosePartner", candidate),
    ]


def _negotiation(theirs: str, began: datetime) -> list[_Step]:
    staffing: list[_Step] = []
    for party in (OURS, theirs):
        staffing += [
            (party, "AssignContact", {"function": "partnership-manager", "name": "Manager"}),
            (party, "AssignSponsor", {"name": "Sponsor", "title": "Chief executive"}),
            (party, "CommitResources", {"attention": "15"}),
        ]
    governance = {
        "dispute_path": ["managers", "sponsors"],
        "decision_rights": "Each decides on its own means.",
    }
    return [
        (OURS, "ProposeGovernance", {"proposal": "governance-1", **governance}),
        (theirs, "AgreeGovernance", {"proposal": "governance-1"}),
        *staffing,
        (OURS, "ProposeTerms", {"proposal": "terms-1", **_terms(theirs, began)}),
        (theirs, "AcceptTerms", {"proposal": "terms-1"}),
        (OURS, "ProposeCharter", {"proposal": "charter-1", "charter": _charter(theirs, began)}),
        (theirs, "AgreeCharter", {"proposal": "charter-1"}),
        (OURS, "ProposeDecisionRule", {"proposal": "rule-1", "rule": _RULE}),
        (theirs, "AgreeDecisionRule", {"proposal": "rule-1"}),
        (OURS, "DraftAgreement", {"sections": _SECTIONS}),
        (OURS, "SignAgreement", {"agreement_version": 1}),
        (theirs, "SignAgreement", {"agreement_version": 1}),
        (OURS, "HoldKickoff", {"attendees": ["Managers and sponsors of both sides"]}),
    ]


def _terms(theirs: str, began: datetime) -> dict[str, Any]:
    day = began.date().isoformat()
    share = {
        "kind": "revenue-share",
        "to": theirs,
        "share": "15",
        "basis": "first-year",
        "trigger": "payment",
    }
    frame = {
        "minimum_referrals_per_quarter": {theirs: 2},
        "starts_on": day,
        "duration": "P3Y",
        "notice": "P60D",
        "assets_at_exit": "retain",
    }
    return {"frame": frame, "items": [share], "effective_from": day}


def _charter(theirs: str, began: datetime) -> dict[str, Any]:
    objectives = [
        {
            "objective": metric,
            "metric": metric,
            "baseline": "0",
            "unit": unit,
            "target": "50",
            "deadline": (began + RUNNING).date().isoformat(),
            "method": "As counted.",
            "frequency": "monthly",
            "tool": "crm",
        }
        for metric, unit in (("leads", "count"), ("deals_won", "count"), ("won_value", "USD"))
    ]
    return {
        "purpose": "Clients get the product and the advice to use it from one hand.",
        "goals": {OURS: "New clients.", theirs: "A tool to go with the advice."},
        "expectations": {"speed": "A quarter.", "investment": "Equal.", "patience": "A year."},
        "objectives": objectives,
    }


_RULE = {
    "rule": "conversion-floor",
    "metric": "lead_to_opportunity",
    "window": "quarter",
    "comparison": "below",
    "threshold": "20",
    "consecutive": 2,
    "action": "escalate-to-review",
}
_SECTIONS = dict.fromkeys(
    (
        "roles",
        "contributions",
        "deliverables",
        "confidentiality",
        "ip_ownership",
        "revenue_and_costs",
        "governance",
        "duration_and_exit",
    ),
    "As set out in the annex.",
) | {"data_protection": ["GDPR"]}


# --- what runs -----------------------------------------------------------------------------------


def _operate(told: Told, kickoff: datetime, random: Random) -> None:
    """Add two reported figures a month, and a milestone, a review and an issue."""
    months = [
        datetime(kickoff.year + month // 12, month % 12 + 1, 2, 8, tzinfo=UTC)
        for month in range(kickoff.month, kickoff.month + 13)
    ]
    for month, reported in pairwise(months):
        _report(told, f"{month:%Y-%m}", reported + random.random() * timedelta(days=2), random)
    _plan(told, kickoff, random)


def _report(told: Told, period: str, at: datetime, random: Random) -> None:
    where = {"period": period, "tool": "analytics"}
    visits = random.randrange(500, 5000)
    traffic = {"unit": "count", "value": str(visits)}
    kept = {"unit": "percent", "numerator": str(visits // 2), "denominator": str(visits)}
    told.tell(at, OURS, "ReportMetric", metric="web_visits", figure=traffic, **where)
    told.tell(at, OURS, "ReportMetric", metric="retention_rate", figure=kept, **where)
    if random.random() < 0.1:  # noqa: PLR2004 - one report in ten is restated
        told.tell(
            at + timedelta(days=3),
            OURS,
            "CorrectMetric",
            metric="web_visits",
            figure={"unit": "count", "value": str(visits + 40)},
            reason="Late figures of one site.",
            **where,
        )


def _plan(told: Told, kickoff: datetime, random: Random) -> None:
    due = kickoff + timedelta(days=60)
    told.tell(
        kickoff + timedelta(days=1),
        OURS,
        "ProposeMilestone",
        proposal="plan-launch",
        milestone="launch",
        workstream="marketing",
        title="Joint launch",
        owner=OURS,
        due=due.date().isoformat(),
    )
    told.tell(
        kickoff + timedelta(days=1, hours=1), told.theirs, "AgreeMilestone", proposal="plan-launch"
    )
    # Some are late, and the log then says so by itself.
    reached = due + timedelta(days=random.randrange(-20, 8))
    told.tell(reached, OURS, "ReachMilestone", milestone="launch")
    at = kickoff + timedelta(days=90)
    told.tell(
        kickoff + timedelta(days=2),
        told.theirs,
        "ProposeReview",
        proposal="meet-1",
        review="qbr-1",
        kind="quarterly-business-review",
        at=at.isoformat(),
    )
    told.tell(kickoff + timedelta(days=2, hours=1), OURS, "AgreeReview", proposal="meet-1")
    told.tell(
        at,
        told.theirs,
        "ProposeReviewHeld",
        proposal="held-1",
        review="qbr-1",
        minutes="Go on as agreed.",
    )
    told.tell(at + timedelta(hours=1), OURS, "AgreeReviewHeld", proposal="held-1")
    raised = kickoff + random.random() * timedelta(days=200)
    told.tell(
        raised,
        told.theirs,
        "RaiseIssue",
        issue="issue-1",
        cause="communication",
        description="Leads wait for an answer.",
    )
    resolved = raised + timedelta(hours=random.randrange(12, 72))
    told.tell(
        resolved,
        OURS,
        "ProposeIssueResolution",
        proposal="resolve-1",
        issue="issue-1",
        resolution="A shared inbox.",
    )
    told.tell(resolved, told.theirs, "AgreeIssueResolution", proposal="resolve-1")


def _sell(told: Told, deal: str, at: datetime, random: Random) -> None:
    """Add one referral's way through the funnel, as far as it comes."""

    def later(days: int) -> datetime:
        nonlocal at
        at += timedelta(hours=1) + random.random() * timedelta(days=days)
        return at

    def goes_on(share: float) -> bool:
        return random.random() < share

    theirs = told.theirs
    told.tell(
        at,
        theirs,
        "SubmitReferral",
        deal=deal,
        lead=f"Lead {deal}",
        campaign=random.choice(SEGMENTS),
    )
    if goes_on(0.8):
        told.tell(
            later(1),
            theirs,
            "AttributeReferral",
            deal=deal,
            method="utm",
            evidence=f"utm_campaign={deal}",
        )
    if not goes_on(0.7):
        return
    told.tell(later(5), OURS, "QualifyLead", deal=deal)
    if not goes_on(0.7):
        return
    told.tell(later(10), OURS, "CreateOpportunity", deal=deal)
    if goes_on(0.8):
        told.tell(later(10), OURS, "HoldDemo", deal=deal)
    if not goes_on(0.5):
        told.tell(later(20), OURS, "LoseDeal", deal=deal, reason="No budget this year.")
        return
    month = f"{random.randrange(100, 2000)}.{random.randrange(100):02}"
    value = {"amount": f"{12 * float(month):.2f}", "currency": "USD"}
    told.tell(later(20), OURS, "WinDeal", deal=deal, annual_contract_value=value)
    _pay(told, deal, later(20), {"amount": month, "currency": "USD"}, random)


def _pay(told: Told, deal: str, first: datetime, amount: dict[str, str], random: Random) -> None:
    for number in range(random.randrange(1, 7)):
        at, payment = first + timedelta(days=30 * number), f"{deal}-p{number}"
        told.tell(at, OURS, "ReceivePayment", deal=deal, payment=payment, amount=amount)
        if random.random() < 0.1:  # noqa: PLR2004 - one payment in ten is given back
            told.tell(
                at + timedelta(days=4),
                OURS,
                "IssueRefund",
                deal=deal,
                refund=f"{payment}-r",
                payment=payment,
                amount=amount,
            )
