"""Many partnerships side by side: the sheet that people keep, who lags, load, dependency (C28).

A partnership is first brought to a line, then the lines of one initiator to its portfolio; so
what is held in memory is a line for each, however long their histories are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from itertools import combinations
from typing import Any

from domain.calendar import bounds
from domain.kernel import IN_FORCE, Stage
from domain.metric_catalogue import CATALOGUE, Adds
from domain.standing_alerts import AlertKind
from domain.values import MINOR_UNITS, plain
from projections import figures
from projections.alerts import Alert
from projections.fold import Row, Rows
from projections.kpis import AGREED
from projections.overview import Overview

FEWEST_ACTIVE, MOST_ACTIVE = 5, 10
"""Active partnerships that a small team can manage (C28), where a program set no limits."""

LEAST_ATTENTION, MOST_ATTENTION = Decimal(10), Decimal(20)
"""Percent of one person's time that each significant partnership takes (C12)."""

HALF = Decimal(50)
"""Percent: beyond it one partner brings more than all others together."""

REVENUE = ("payments", "attributable_revenue", "co_branded_revenue")
"""What counts as revenue, each by itself: they may speak of the same money. Refunds are taken off
payments."""

_PERSON = Decimal(100)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of one partnership: its overview, traits, figures and open alerts."""

    id: str
    overview: Overview
    traits: Row
    kpis: Rows
    open_alerts: Sequence[Alert]

    @property
    def initiator(self) -> str:
        """The party whose portfolio it belongs to; nobody's where its beginning is not known."""
        return next(iter(self.overview.parties), "")

    @property
    def partner(self) -> str | None:
        """The chosen partner."""
        return next(iter(self.overview.parties[1:]), None)

    @property
    def candidate(self) -> Row:
        """What was recorded of the chosen partner while it was a candidate."""
        known: Row = self.traits.get("candidates", {}).get(self.partner, {})
        return known


# --- one partnership ---------------------------------------------------------------------------


def line(member: Member, moment: datetime) -> Row:
    """Give a partnership as a line of the sheet, as of a moment."""
    rows = figures.Read(member.kpis)
    stage = member.overview.stage
    active = stage in IN_FORCE
    joined = _joined(member.overview)
    objectives = _objectives(rows, moment.date(), ended=stage == Stage.ENDED)
    return {
        "id": member.id,
        "initiator": member.initiator,
        "partner": member.partner,
        "name": member.overview.names.get(member.partner or ""),
        "stage": stage,
        "active": active,
        "joined": joined,
        "leads": _count(rows, "leads"),
        "conversions": _count(rows, "deals_won"),
        "revenue": _revenue(rows),
        "average_contract_value": _money(rows, "average_contract_value"),
        "margin": _count(rows, "profit_margin") or _count(rows, "margin"),
        "objectives": objectives,
        "goals": _goals([each["outcome"] for each in objectives]),
        "lagging": _lagging(objectives, member.open_alerts, rows, joined) if active else [],
        "attention": member.traits.get("attention", {}).get(member.initiator),
        **_economics(member.traits.get("terms", ()), moment.date().isoformat()),
        **_sought(member),
        "alerts": [each.id for each in member.open_alerts],
        "notes": [each.text for each in member.open_alerts] + _lesson(member.traits),
    }


def _joined(overview: Overview) -> str | None:
    """Give the day on which the partner joined: that of the kickoff, from which both work."""
    since = [each.since for each in overview.stages if each.stage is Stage.EXECUTION]
    return since[0].date().isoformat() if since else None


def _count(rows: Rows, metric: str) -> str | None:
    known = figures.ever(rows, metric, CATALOGUE[metric].unit.value)
    return None if known is None or known.value is None else plain(known.value)


def _money(rows: Rows, metric: str) -> list[Row]:
    found = []
    for unit in figures.units(rows, metric):
        known = figures.ever(rows, metric, unit)
        if known and known.value is not None:
            found.append({"amount": plain(known.value), "currency": unit, "from": metric})
    return found


def _revenue(rows: Rows) -> list[Row]:
    """Give what came in, by the metric that says so and by currency."""
    back = {each["currency"]: Decimal(each["amount"]) for each in _money(rows, "refunds")}
    found = []
    for each in (money for metric in REVENUE for money in _money(rows, metric)):
        less = back.get(each["currency"], Decimal(0)) if each["from"] == "payments" else Decimal(0)
        found.append({**each, "amount": plain(Decimal(each["amount"]) - less)})
    return found


def _objectives(rows: Rows, day: date, *, ended: bool) -> list[Row]:
    since = date.fromisoformat(rows.get(AGREED, {}).get("since", day.isoformat()))
    return [_outcome(each, since, day, ended=ended) for each in figures.objectives(rows)]


def _outcome(objective: Row, since: date, day: date, *, ended: bool) -> Row:
    """Give an objective with its outcome: met, missed, open, or unmeasured when its day is over."""
    deadline = date.fromisoformat(objective["deadline"])
    known = {
        name: objective[name] for name in ("objective", "metric", "unit", "target", "actual")
    } | {"deadline": objective["deadline"]}
    if objective["met"]:
        return {**known, "outcome": "met"}
    if ended or deadline < day:
        return {**known, "outcome": "unmeasured" if objective["actual"] is None else "missed"}
    return {**known, "outcome": "open", **_pace(objective, since, deadline, day)}


def _pace(objective: Row, since: date, deadline: date, day: date) -> Row:
    """Give how much of a target is reached in how much of its time.

    Only for what adds up and should grow: a level or a rate need not move evenly.
    """
    metric, target = CATALOGUE[objective["metric"]], Decimal(objective["target"])
    grows = metric.adds is Adds.SUM and metric.direction.value == "up" and target > 0
    if not grows or objective["actual"] is None or deadline <= since:
        return {}
    attained = Decimal(objective["actual"]) * 100 / target
    elapsed = Decimal((day - since).days) * 100 / (deadline - since).days
    return {"attained_percent": _rounded(attained), "elapsed_percent": _rounded(elapsed)}


def _rounded(value: Decimal) -> str:
    return plain(value.quantize(_CENT, ROUND_HALF_EVEN))


def _goals(outcomes: Sequence[str]) -> str:
    """Give whether a partnership meets its goals: what was missed weighs more than what was met."""
    for worst in ("missed", "unmeasured", "open", "met"):
        if worst in outcomes:
            return worst
    return "none"


def _lagging(
    objectives: Iterable[Row], alerts: Iterable[Alert], rows: Rows, joined: str | None
) -> list[str]:
    """Give the reasons, if any, to say that a partnership lags."""
    reasons = [reason for each in objectives if (reason := _behind(each))]
    reasons += [each.text for each in alerts if each.kind is AlertKind.BREACH]
    if not _measured_since(joined or "", rows):
        reasons.append("There are no figures since it began: nothing says that it performs.")
    return reasons


def _measured_since(day: str, rows: Rows) -> bool:
    return any(bounds(each)[1].isoformat() > day for each in rows if each != AGREED)


def _behind(objective: Row) -> str | None:
    what = f"{objective['metric']}: "
    match objective:
        case {"outcome": "missed"}:
            of = f"{objective['actual']} of {objective['target']} {objective['unit']}"
            return f"{what}{of} by {objective['deadline']}."
        case {"outcome": "unmeasured"}:
            return f"{what}no figure, and its day, {objective['deadline']}, is over."
        case {"attained_percent": attained, "elapsed_percent": elapsed} if Decimal(
            attained
        ) < Decimal(elapsed):
            return f"{what}{attained} % of the target in {elapsed} % of the time."
        case _:
            return None


_FIXED = {"retainer", "licence-fee"}
_ON_RESULT = {"revenue-share", "revenue-split", "referral-fee"}


def _economics(terms: Sequence[Row], day: str) -> Row:
    """Give the kinds of economics in force, and whether they pay by result or in any case (C10)."""
    holding = [each for each in terms if each["effective_from"] <= day]
    held = max(holding, key=lambda each: (each["effective_from"], each["version"]), default=None)
    kinds = held["kinds"] if held else []
    fixed, on_result = _FIXED.intersection(kinds), _ON_RESULT.intersection(kinds)
    if "hybrid" in kinds or (fixed and on_result):
        pays = "both"
    elif fixed or on_result:
        pays = "in-any-case" if fixed else "by-result"
    else:
        pays = "not-agreed"
    return {"economics": kinds, "pays": pays}


def _sought(member: Member) -> Row:
    """Give what matches between partners rest on: segments, markets, and what each brings."""
    profiles = member.traits.get("profiles", ())
    version = member.candidate.get("score", {}).get("profile_version")
    under = [each for each in profiles if each["profile_version"] == version] or profiles[-1:]
    profile = under[0] if under else {}
    return {
        "segments": profile.get("client_segments", []),
        "competes": profile.get("competing_product", False),
        "markets": sorted(member.traits.get("markets", ())),
        "brings": member.traits.get("capabilities", {}).get(member.partner),
    }


def _lesson(traits: Row) -> list[str]:
    return [traits["lesson"]] if "lesson" in traits else []


# --- all of one initiator ----------------------------------------------------------------------


def portfolio(lines: Sequence[Row], limits: Row | None = None) -> Row:
    """Give the portfolio that the lines of one initiator make; `limits` as its program set them."""
    joined = [each for each in lines if each["partner"]]
    active = [each for each in joined if each["active"]]
    return {
        "partners": joined,
        "searching": [each["id"] for each in lines if not each["partner"]],
        "goals": _by(joined, "goals"),
        "laggards": _laggards(active),
        "load": load(active, limits),
        "dependency": dependency(joined, limits),
        "mix": [_risk(each) for each in active],
        "matches": matches(active),
        "alerts": [name for each in joined for name in each["alerts"]],
    }


def _by(lines: Iterable[Row], field: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in lines:
        found.setdefault(each[field], []).append(each["id"])
    return dict(sorted(found.items()))


def _risk(active: Row) -> Row:
    """Give what tells risk from reward: how one is paid, how often one sells and at what price."""
    fields = ("id", "pays", "economics", "conversions", "average_contract_value", "margin")
    return {name: active[name] for name in fields}


def _laggards(active: Sequence[Row]) -> Row:
    behind = [each for each in active if each["lagging"]]
    return {
        "active": len(active),
        "performing": len(active) - len(behind),
        "lagging": [{"id": each["id"], "reasons": each["lagging"]} for each in behind],
    }


def load(active: Sequence[Row], limits: Row | None = None) -> Row:
    """Give how many partnerships are active, and how many full-time people they take (C12, C28)."""
    count = len(active)
    fewest = limits["fewest_active"] if limits else FEWEST_ACTIVE
    most = limits["most_active"] if limits else MOST_ACTIVE
    committed = [Decimal(each["attention"]) for each in active if each["attention"] is not None]
    people = sum(committed, Decimal(0)) / _PERSON
    row = {
        "active": count,
        "fewest": fewest,
        "most": most,
        "reading": "below" if count < fewest else "above" if count > most else "within",
        "people_committed": _rounded(people),
        "without_commitment": count - len(committed),
        "people_usual": [
            _rounded(count * share / _PERSON) for share in (LEAST_ATTENTION, MOST_ATTENTION)
        ],
    }
    if limits:
        capacity = Decimal(limits["capacity"])
        row |= {"capacity": limits["capacity"], "over_capacity": people > capacity}
    return row


# --- dependency --------------------------------------------------------------------------------


def shares(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Give each one's share in percent, to two digits, so that they add up to exactly 100.

    What rounding down leaves goes to the largest remainders, of equal ones to the first name.
    There must be some amount, and none may be negative.
    """
    total = Fraction(sum(amounts.values()))
    exact = {name: Fraction(amount) * 10_000 / total for name, amount in amounts.items()}
    whole = {name: each.numerator // each.denominator for name, each in exact.items()}
    left = 10_000 - sum(whole.values())
    for name in sorted(exact, key=lambda name: (whole[name] - exact[name], name))[:left]:
        whole[name] += 1
    return {name: Decimal(each).scaleb(-2) for name, each in whole.items()}


def herfindahl(amounts: Iterable[Decimal]) -> Fraction:
    """Give the sum of the squared shares: 1/n where n bring the same, 1 where one brings all."""
    exact = [Fraction(each) for each in amounts]
    return sum((each * each for each in exact), Fraction()) / sum(exact) ** 2


def dependency(lines: Iterable[Row], limits: Row | None = None) -> list[Row]:
    """Give each partnership's share in what all bring, for each kind of revenue and currency."""
    by_kind: dict[tuple[str, str], dict[str, Decimal]] = {}
    for each in lines:
        for money in each["revenue"]:
            # Who gave more back than was paid brings nothing that one could depend on.
            if (amount := Decimal(money["amount"])) > 0:
                by_kind.setdefault((money["from"], money["currency"]), {})[each["id"]] = amount
    return [
        {"metric": metric, "currency": currency, **_depends(currency, amounts, limits)}
        for (metric, currency), amounts in sorted(by_kind.items())
    ]


def _depends(currency: str, amounts: Mapping[str, Decimal], limits: Row | None) -> Row:
    parts = shares(amounts)
    ranked = sorted(parts, key=lambda name: (-amounts[name], name))
    index = herfindahl(amounts.values())
    digits = Decimal(1).scaleb(-MINOR_UNITS[currency])
    return {
        "total": plain(sum(amounts.values(), Decimal(0)).quantize(digits)),
        "shares": [
            {"id": name, "amount": plain(amounts[name]), "percent": plain(parts[name])}
            for name in ranked
        ],
        "herfindahl": plain(_decimal(index, "0.0001")),
        "equal_partners": plain(_decimal(1 / index, "0.1")),
        "reading": _read(ranked[0], parts[ranked[0]], len(parts), 1 / index, limits),
    }


def _decimal(value: Fraction, digits: str) -> Decimal:
    exact = Decimal(value.numerator) / value.denominator
    return exact.quantize(Decimal(digits), ROUND_HALF_EVEN)


def _read(largest: str, share: Decimal, count: int, equal: Fraction, limits: Row | None) -> str:
    if count == 1:
        return f"All of it comes from one partnership, {largest}."
    spread = f"It is spread as over {plain(_decimal(equal, '0.1'))} partnerships of equal size"
    if limits and share > (limit := Decimal(limits["largest_share"])):
        too_much = f", more than the {plain(limit)} % that the program allows"
    else:
        too_much = ", more than all others together" if share > HALF else ""
    return f"{spread}; the largest, {largest}, brings {plain(share)} %{too_much}."


# --- matches -----------------------------------------------------------------------------------


def matches(active: Sequence[Row]) -> list[Row]:
    """Give the pairs of active partners that one might bring together, and what says so (C28).

    They were sought for the same clients or are for the same market, and neither has a product
    that competes. What each brings is said where a joint investment recorded it.
    """
    pairs = combinations([each for each in active if not each["competes"]], 2)
    found = []
    for one, other in pairs:
        segments = sorted(set(one["segments"]) & set(other["segments"]))
        markets = sorted(set(one["markets"]) & set(other["markets"]))
        if one["partner"] != other["partner"] and (segments or markets):
            found.append(_match((one, other), segments, markets))
    return found


def _match(pair: tuple[Row, Row], segments: list[str], markets: list[str]) -> Row:
    brings: dict[str, Any] = {each["id"]: each["brings"] for each in pair if each["brings"]}
    return {
        "of": [each["id"] for each in pair],
        "shared_segments": segments,
        "shared_markets": markets,
        "brings": brings,
    }
