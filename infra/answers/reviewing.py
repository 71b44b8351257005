"""The review pack: one page for a review, as things stood when it was to begin (C22).

From numbers and not anecdotes: it is folded from the log as of the meeting, so that it says the
same whenever it is asked for again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain import aggregates
from domain.calendar import month_of, preceding, quarter_of
from domain.dispute import DisputeOpened, DisputeResolved
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    KickoffHeld,
    ReviewHeld,
    ReviewScheduled,
    Tasks,
)
from domain.formation import CharterAgreed, DecisionRuleAgreed
from domain.health import (
    ContributionRecorded,
    HealthCheckRecorded,
    RiskIdentified,
    RiskMitigated,
)
from domain.partnership import Partnership
from domain.recorded import Recorded
from domain.values import instant, plain
from infra.answers.logs import NOW, AsOf, NotFound, Row, log, perhaps, sight_of
from infra.bootstrap import Accord
from infra.projecting.runner import replay_all
from projections import ALERTS, KPIS, SETTLEMENT, figures
from projections.alerts import AlertState
from projections.fold import Folded, Rows
from projections.settlement import ledger

NEXT_DEADLINES = 5
"""How many of the next deadlines a pack names: it is one page."""

_RATED = ("trust", "communication", "value_delivery", "quality", "satisfaction")


def review_pack(accord: Accord, partnership: str, review: str, when: AsOf = NOW) -> Row:
    """Give the page for a review as of its beginning, or as of `when` if that is earlier.

    Raises `NotFound`.
    """
    scheduled = {
        each.event.review: each.event
        for each in log(accord.history, partnership, when)
        if isinstance(each.event, ReviewScheduled)
    }
    if review not in scheduled:
        otherwise = "Schedule it first (ScheduleReview); accord show lists the reviews."
        raise NotFound(f"There is no review {review}.", perhaps(review, scheduled, otherwise))
    at = scheduled[review].at
    moment = AsOf(min(when.at or at, at), min(when.known or at, at), viewer=when.viewer)
    return _Pack(accord, partnership, scheduled[review], moment).as_json()


@dataclass(slots=True)
class _Pack:
    """Reads the log anew for each part of the page, rather than hold all of it in memory."""

    accord: Accord
    partnership: str
    review: ReviewScheduled
    when: AsOf

    def _events(self) -> Iterator[Recorded]:
        return log(self.accord.history, self.partnership, self.when)

    def as_json(self) -> Row:
        """Give the page as a JSON object."""
        state = aggregates.fold(self._events())
        since, before = self._since()
        folded = replay_all((KPIS, ALERTS, SETTLEMENT), self._events()).folded
        kpis, alerts, sums = (each for _, each in folded)
        period = self._period()
        return {
            "id": self.partnership,
            "review": self.review.review,
            "kind": self.review.kind,
            "at": instant(self.review.at),
            "reason": self.review.reason,
            "since": {"at": instant(since), "review": before} if since else None,
            "stage": state.stage.value if state.stage else None,
            "parties": list(state.parties),
            "period": period,
            "figures": self._figures(kpis.rows, period, state),
            "objectives": figures.objectives(kpis.rows),
            "alerts": list(self._alerts(alerts, since)),
            "actions": list(self._actions(state)),
            "milestones": _open(state.execution.milestones, "milestone", "due"),
            "issues": _open(state.execution.issues, "issue", "description"),
            "disputes": self._disputes(),
            "contributions": list(self._contributions(state, since)),
            "health": list(_health(state)),
            "risks": _risks(state),
            "money": _money(sums.rows),
            "deadlines": [
                {"due": instant(each.due), "kind": each.kind.value, "ref": each.ref}
                for each in sorted(state.deadlines.values())
                if each.kind.value != "period" and each.ref != self.review.review
            ][:NEXT_DEADLINES],
        }

    def _since(self) -> tuple[datetime | None, str | None]:
        """Give when the last review was held, and which; else when the kickoff was."""
        found: tuple[datetime | None, str | None] = (None, None)
        for each in self._events():
            if isinstance(each.event, KickoffHeld):
                found = (each.act.occurred_at, None)
            elif isinstance(each.event, ReviewHeld) and each.event.review != self.review.review:
                found = (each.act.occurred_at, each.event.review)
        return found

    def _period(self) -> str:
        """Give the last period that was over: a month, or a quarter where strategy is at stake."""
        month = month_of(self.review.at)
        if self.review.kind == "operational":
            return preceding(month)
        return preceding(quarter_of(month))

    def _figures(self, rows: Rows, period: str, state: Partnership) -> list[Row]:
        """Give what both agreed to look at: the metrics of objectives, rules and the minimum."""
        agreements = state.context.agreements
        charter = agreements.latest(CharterAgreed)
        asked = {each.rule.metric for each in agreements.versions(DecisionRuleAgreed)} | {"leads"}
        if charter:
            asked |= {each.metric for each in charter.charter.objectives}
        sight = sight_of(self.accord.history, self.partnership, self.when)
        lines = figures.report(rows, period, asked)
        return [sight.line(line) for line in lines if "segment" not in line]

    def _alerts(self, alerts: Folded, since: datetime | None) -> Iterator[Row]:
        """Give each alert that is open, or ended since the last review."""
        last = {output.body.id: output.body for output, _ in alerts.outputs}
        for each in sorted(last.values(), key=lambda each: (each.since, each.id)):
            if each.window == self.review.review:
                continue
            is_open = each.state is AlertState.OPEN
            if is_open or since is None or each.until >= since:
                yield {
                    "id": each.id,
                    "state": each.state,
                    "since": instant(each.since),
                    "text": each.text,
                } | ({} if is_open else {"ended": each.ended})

    def _actions(self, state: Partnership) -> Iterator[Row]:
        facts = state.context.declarations
        done = {each.action for each in facts.of(ActionCompleted)}
        for each in facts.of(ActionAgreed):
            row = each.model_dump(mode="json", exclude_none=True)
            yield row | {"done": each.action in done}

    def _disputes(self) -> list[Row]:
        opened: dict[str, Row] = {}
        for each in self._events():
            if isinstance(each.event, DisputeOpened):
                opened[each.event.dispute] = each.event.model_dump(mode="json", exclude_none=True)
            elif isinstance(each.event, DisputeResolved):
                opened.pop(each.event.dispute, None)
        return list(opened.values())

    def _contributions(self, state: Partnership, since: datetime | None) -> Iterator[Row]:
        """Set what each party gave since the last review beside what the other did (C24)."""
        given: dict[str, list[Row]] = {party: [] for party in state.parties}
        for each in self._events():
            if isinstance(each.event, ContributionRecorded) and (
                since is None or each.act.occurred_at >= since
            ):
                row = each.event.model_dump(mode="json", exclude_none=True)
                given.setdefault(each.act.party, []).append(row)
        for party, rows in given.items():
            hours = sum((Decimal(row.get("hours", 0)) for row in rows), Decimal(0))
            yield {"party": party, "hours": plain(hours), "given": rows}


def _open(tasks: Tasks, name: str, said: str) -> list[Row]:
    planned = [task.planned.model_dump(mode="json") for task in tasks.values() if not task.done]
    return [{"id": row[name], "what": row[said]} for row in planned]


def _health(state: Partnership) -> Iterator[Row]:
    """Give each party's last scorecard, with the change against the one before (C25)."""
    for party in state.parties:
        checks = state.context.declarations.of(HealthCheckRecorded, party)
        if not checks:
            continue
        last, before = checks[-1], checks[-2] if len(checks) > 1 else None
        ratings = {name: getattr(last, name) for name in _RATED}
        changes = {
            name: ratings[name] - getattr(before, name)
            for name in _RATED
            if before and ratings[name] is not None and getattr(before, name) is not None
        }
        yield {
            "party": party,
            "period": last.period,
            "ratings": {name: each for name, each in ratings.items() if each is not None},
            "changes": changes,
        }


def _risks(state: Partnership) -> list[Row]:
    facts = state.context.declarations
    dealt_with = {each.risk for each in facts.of(RiskMitigated)}
    return [
        each.model_dump(mode="json") | {"weight": each.likelihood * each.impact}
        for each in sorted(
            facts.of(RiskIdentified), key=lambda risk: (-risk.likelihood * risk.impact, risk.risk)
        )
        if each.risk not in dealt_with
    ]


def _money(rows: Rows) -> Row:
    open_: dict[str, dict[str, Decimal]] = {}
    for each in ledger(rows).accrued:
        sums = open_.setdefault(each.currency, {})
        for party, amount in each.earned.items():
            sums[party] = sums.get(party, Decimal(0)) + amount
    issued = [row for key, row in rows.items() if key.startswith("statement/")]
    return {
        "open": [
            {"currency": currency, "earned": {p: plain(x) for p, x in sums.items()}}
            for currency, sums in sorted(open_.items())
        ],
        "to_be_paid": [
            {
                "statement": row["statement"],
                "payer": row["payer"],
                "amount": plain(Decimal(row["amount"]) - Decimal(row["paid"])),
                "currency": row["currency"],
            }
            for row in issued
            if "payer" in row and Decimal(row["paid"]) < Decimal(row["amount"])
        ],
    }
