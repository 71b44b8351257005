"""The worked examples of docs/settlement.md: tables of facts, and tables of what they come to.

A section of the page has a table of facts (`FACTS`), in the order in which they are recorded. Each
is a sentence that `SENTENCES` turns into messages. The tables after it say what Accord answers.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter

from domain.terms import Item, describe
from infra.tlog.codec import canonical
from tests.documents import FENCE, REPOSITORY

PAGE = REPOSITORY / "docs" / "settlement.md"
OPENING = REPOSITORY / "tests" / "cases" / "m1-sale-renewal-refund.jsonl"

FACTS = ("happened", "stated by", "fact")
LINES = ("day", "to", "amount", "what for")
REASONS = ("fact", "item", "earns", "why")
SUMS = ("fact", "to", "sum of its lines")
STATEMENTS = ("statement", "balance", "state")
REFUSED = "; refused as "

Data = dict[str, Any]


class Said(NamedTuple):
    """A command: the party that sends it, its type and its data."""

    party: str
    type: str
    data: Data


class Fact(NamedTuple):
    """A row of a table of facts."""

    happened: str
    recorded: str
    said: tuple[Said, ...]
    refused: str
    """The rule by which it is refused; empty if it is accepted."""


class Table(NamedTuple):
    """A table of the page."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """A section of the page: its prose and its tables."""

    title: str
    prose: str
    tables: tuple[Table, ...]

    def table(self, header: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Return the rows of all tables with a header."""
        return tuple(row for each in self.tables if each.header == header for row in each.rows)

    @property
    def facts(self) -> list[Fact]:
        """The facts of its example, in order."""
        return [fact(*row) for row in self.table(FACTS)]


def sections() -> Iterator[Section]:
    """Yield the sections of the page."""
    for part in re.split(r"(?m)^## ", PAGE.read_text(encoding="utf-8"))[1:]:
        title, _, text = part.partition("\n")
        lines = FENCE.sub("", text).splitlines()
        prose = "\n".join(line for line in lines if not line.startswith("|"))
        yield Section(title.strip(), prose, tuple(_tables(lines)))


def _tables(lines: list[str]) -> Iterator[Table]:
    rows: list[tuple[str, ...]] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
        elif rows:
            yield Table(rows[0], tuple(rows[2:]))
            rows = []


# --- facts -------------------------------------------------------------------------------------


def fact(happened: str, by: str, sentence: str) -> Fact:
    """Return a fact of a table, from its cells."""
    happened, _, recorded = happened.partition(", recorded ")
    sentence, _, rule = sentence.partition(REFUSED)
    return Fact(
        _moment(happened),
        _moment(recorded or happened),
        tuple(_said(by, sentence)),
        rule.strip("`"),
    )


def _moment(text: str) -> str:
    day, _, time = text.partition(" ")
    return f"{day}T{time or '09:00'}:00Z"


def _said(by: str, sentence: str) -> Iterator[Said]:
    for pattern, made in SENTENCES.items():
        found = re.fullmatch(pattern, sentence)
        if found:
            yield from made(by, **found.groupdict())
            return
    msg = f"no sentence of a fact: {sentence}"
    raise ValueError(msg)


def _money(text: str) -> Data:
    amount, currency = text.split()
    return {"amount": amount, "currency": currency}


def _other(party: str) -> str:
    return {"acme": "north", "north": "acme"}[party]


def _both(proposes: str, accepts: str, data: Data) -> Iterator[Said]:
    """Both agree what a message proposes: acme proposes it."""
    yield Said("acme", proposes, data)
    yield Said(
        "north",
        accepts,
        {name: data[name] for name in ("deal", "dispute", "proposal") if name in data},
    )


def _agree(by: str, since: str, until: str | None, content: str) -> Iterator[Said]:
    parts = content.split("; ")
    items = [item for part in parts if (item := _item(part))]
    frame = {name: value for part in parts for name, value in _frame(part).items()}
    data: Data = {"proposal": f"terms-{since}-{until or 'on'}", "effective_from": since}
    if by != "both" or len(items) + len([each for each in parts if _frame(each)]) != len(parts):
        msg = f"no items or frame: {content}"
        raise ValueError(msg)
    first = {"starts_on": since, "duration": "P3Y", "notice": "P60D", "assets_at_exit": "retain"}
    frame = (first if since == "2026-01-01" else {}) | frame
    data |= ({"until": until} if until else {}) | ({"frame": frame} if frame else {})
    yield from _both("ProposeTerms", "AcceptTerms", data | ({"items": items} if items else {}))


def _adopt(
    by: str, begin: str, amount: str, owes: str, to: str, since: str, content: str
) -> Iterator[Said]:
    assert by == "both"
    names = {"acme": "Acme", "north": "North Consulting"}
    frame = {"starts_on": since, "duration": "P3Y", "notice": "P60D", "assets_at_exit": "retain"}
    terms = {"agreed_on": since, "effective_from": since, "frame": frame, "items": [_item(content)]}
    balance = {"by": owes, "to": to, "amount": _money(amount), "reason": "open until then"}
    data = {
        "proposal": "adoption-1",
        "parties": [{"party": party, "name": name} for party, name in names.items()],
        "purpose": "It runs already.",
        "since": since,
        "stage": "execution",
        "terms": [terms],
        "books": {"settles_from": begin, "balances": [balance]},
    }
    yield from _both("ProposeAdoption", "AgreeAdoption", data)


def _frame(text: str) -> Data:
    for pattern, made in FRAME.items():
        if found := re.fullmatch(pattern, text):
            return made(**found.groupdict())
    return {}


FRAME: dict[str, Callable[..., Data]] = {
    r"days are those of (?P<zone>\S+)": lambda zone: {"time_zone": zone},
    r"statements are in (?P<currency>[A-Z]{3})": lambda currency: {"settles_in": currency},
    r"a claim counts after (?P<days>\d+) days of silence": lambda days: {
        "claims": {"confirm_within_days": int(days)}
    },
    r"rates are those of (?P<source>.+), by month": lambda source: {
        "rates": {"source": source, "by": "month"}
    },
}

_SPANS = {"month": "P1M", "quarter": "P3M", "year": "P1Y"}
_BASES = {"the first-year revenue": "first-year", "all revenue": "all-payments"}
_TRIGGERS = {"referral that signs": "sale", "referral that pays": "payment", "click": "click"}


def _item(text: str) -> Data | None:
    """Return the item that the terms describe in these words (`domain.terms.describe`)."""
    for pattern, made in ITEMS.items():
        if found := re.fullmatch(pattern, text):
            item = made(**found.groupdict())
            assert describe(TypeAdapter(Item).validate_python(item)) == text
            return item
    return None


def _share(
    to: str,
    share: str,
    basis: str,
    trigger: str,
    tiers: str,
    cap: str | None,
    window: str | None,
) -> Data:
    item: Data = {"kind": "revenue-share", "to": to, "share": share, "trigger": trigger}
    item |= {"basis": _BASES[basis]} | ({"cap": cap} if cap else {})
    item["tiers"] = [
        {"share": rate, "above": above}
        for rate, above in re.findall(r", ([\d.]+) % above ([\d.]+)", tiers)
    ]
    return item | ({"window": window} if window else {})


def _fee(to: str, fee: str, of: str) -> Data:
    return {"kind": "referral-fee", "to": to, "fee": _money(fee), "trigger": _TRIGGERS[of]}


def _retainer(to: str, fee: str, every: str) -> Data:
    return {"kind": "retainer", "to": to, "fee": _money(fee), "every": _SPANS[every]}


def _minimum(on: str, least: str, metric: str, window: str, fee: str, missing: str | None) -> Data:
    return {
        "kind": "minimum",
        "on": on,
        "metric": metric,
        "window": window,
        "at_least": int(least),
        "fee": _money(fee),
        "per": "missing" if missing else "window",
    }


ITEMS: dict[str, Callable[..., Data]] = {
    r"(?P<to>\w+) earns (?P<share>[\d.]+) % of (?P<basis>the first-year revenue|all revenue) from "
    r"each referred client(?P<tiers>(, [\d.]+ % above [\d.]+)*)(, at most (?P<cap>[\d.]+))?"
    r"( a (?P<window>month|quarter|year))?, on each (?P<trigger>sale|payment)": _share,
    r"(?P<to>\w+) earns (?P<fee>[\d.]+ [A-Z]{3}) for each (?P<of>.+)": _fee,
    r"(?P<to>\w+) earns a retainer of (?P<fee>[\d.]+ [A-Z]{3}) every (?P<every>\w+)": _retainer,
    r"(?P<on>\w+) brings at least (?P<least>\d+) (?P<metric>\w+) every (?P<window>\w+), or pays "
    r"(?P<fee>[\d.]+ [A-Z]{3})(?P<missing> for each one missing)?": _minimum,
}


def _refer(by: str, deal: str) -> Iterator[Said]:
    yield Said(by, "SubmitReferral", {"deal": deal, "lead": f"client {deal}"})
    touch = {"deal": deal, "method": "referral-code", "evidence": "code"}
    yield Said(_other(by), "AttributeReferral", touch)


def _win(by: str, deal: str, value: str) -> Iterator[Said]:
    yield Said(by, "CreateOpportunity", {"deal": deal})
    yield Said(by, "WinDeal", {"deal": deal, "annual_contract_value": _money(value)})


def _pay(by: str, deal: str, payment: str, amount: str) -> Iterator[Said]:
    data = {"deal": deal, "payment": payment, "amount": _money(amount)}
    yield Said(by, "ReceivePayment", data)


def _refund(by: str, amount: str, payment: str, deal: str, refund: str) -> Iterator[Said]:
    data = {"deal": deal, "refund": refund, "payment": payment, "amount": _money(amount)}
    yield Said(by, "IssueRefund", {**data, "kind": "refund"})


def _correct(by: str, deal: str, payment: str, amount: str) -> Iterator[Said]:
    data = {"deal": deal, "payment": payment, "amount": _money(amount), "reason": "mistyped"}
    yield Said(by, "CorrectPayment", data)


def _answer(by: str, verb: str, deal: str, payment: str) -> Iterator[Said]:
    data: Data = {"deal": deal, "fact": f"payment/{payment}"}
    if verb == "objects to":
        yield Said(by, "ObjectToClaim", data | {"reason": "not in our books"})
    else:
        yield Said(by, "ConfirmClaim", data)


def _dispute(by: str, amount: str, deal: str, dispute: str) -> Iterator[Said]:
    data = {"dispute": dispute, "cause": "money", "description": "The client was ours."}
    yield Said(by, "OpenDispute", {**data, "subject": f"deal/{deal}", "amount": _money(amount)})


def _resolve(by: str, dispute: str) -> Iterator[Said]:
    assert by == "both"
    data = {"dispute": dispute, "proposal": f"end-{dispute}", "outcome": "upheld"}
    yield from _both("ProposeResolution", "AcceptResolution", data | {"resolution": "Agreed."})


def _adjust(by: str, amount: str, owes: str, to: str, proposal: str) -> Iterator[Said]:
    assert by == "both"
    data = {"proposal": proposal, "by": owes, "to": to, "amount": _money(amount)}
    yield from _both("ProposeAdjustment", "AgreeAdjustment", {**data, "reason": "goodwill"})


def _rate(by: str, source: str, period: str, base: str, rate: str, quote: str) -> Iterator[Said]:
    data = {"base": base, "quote": quote, "period": period, "rate": rate, "source": source}
    yield Said(by, "PublishRate", data)


def _payout(by: str, amount: str, statement: str, payout: str) -> Iterator[Said]:
    data = {"payout": payout, "statement": statement, "amount": _money(amount)}
    yield Said(by, "RecordPayout", data)


def _answer_payout(by: str, verb: str, payout: str) -> Iterator[Said]:
    data = {"payout": payout, "fact": "payout"}
    if verb == "confirms":
        yield Said(by, "ConfirmClaim", data)
    else:
        yield Said(by, "ObjectToClaim", {**data, "reason": "nothing arrived"})


_MONEY = r"[\d.]+ [A-Z]{3}"
_REF = r"[A-Z]+-\d+"
SENTENCES: dict[str, Callable[..., Iterable[Said]]] = {
    r"agree from (?P<since>[\d-]+)( until (?P<until>[\d-]+))?: (?P<content>.+)": _agree,
    rf"refers the client of deal (?P<deal>{_REF})": _refer,
    rf"wins deal (?P<deal>{_REF}), worth (?P<value>{_MONEY}) a year": _win,
    rf"payment (?P<payment>{_REF}) of deal (?P<deal>{_REF}): (?P<amount>{_MONEY})": _pay,
    rf"refund (?P<refund>{_REF}) of payment (?P<payment>{_REF}), deal (?P<deal>{_REF}): "
    rf"(?P<amount>{_MONEY})": _refund,
    rf"refund (?P<refund>{_REF}) of deal (?P<deal>{_REF}) failed": lambda by, refund, deal: [
        Said(by, "ReverseRefund", {"deal": deal, "refund": refund})
    ],
    rf"payment (?P<payment>{_REF}) of deal (?P<deal>{_REF}) was (?P<amount>{_MONEY})": _correct,
    rf"(?P<verb>confirms|objects to) payment (?P<payment>{_REF}) of deal (?P<deal>{_REF})": _answer,
    rf"accepts the lead of deal (?P<deal>{_REF})": lambda by, deal: [
        Said(by, "ConfirmClaim", {"deal": deal, "fact": "referral"})
    ],
    rf"rejects the lead of deal (?P<deal>{_REF}): (?P<reason>.+)": lambda by, deal, reason: [
        Said(by, "ObjectToClaim", {"deal": deal, "fact": "referral", "reason": reason})
    ],
    rf"merge deal (?P<deal>{_REF}) into deal (?P<into>{_REF})": lambda by, deal, into: _both(
        "ProposeMerge",
        "AgreeMerge",
        {"deal": deal, "proposal": f"{deal}-{by}", "into": into, "reason": "the same client"},
    ),
    rf"dispute (?P<dispute>{_REF}): (?P<amount>{_MONEY}) of deal (?P<deal>{_REF})": _dispute,
    rf"uphold dispute (?P<dispute>{_REF})": _resolve,
    rf"agree adjustment (?P<proposal>[\w-]+): (?P<owes>\w+) owes (?P<to>\w+) "
    rf"(?P<amount>{_MONEY})": _adjust,
    r"publishes the rate of (?P<source>.+) for (?P<period>[\d-]+): 1 (?P<base>[A-Z]{3}) = "
    r"(?P<rate>[\d.]+) (?P<quote>[A-Z]{3})": _rate,
    r"issues the statements of (?P<period>\S+)": lambda by, period: [
        Said(by, "IssueStatement", {"period": period})
    ],
    rf"payout (?P<payout>{_REF}) on (?P<statement>\S+): (?P<amount>{_MONEY})": _payout,
    rf"(?P<verb>confirms|objects to) payout (?P<payout>{_REF})": _answer_payout,
    rf"payout (?P<payout>{_REF}) was (?P<amount>{_MONEY})": lambda by, payout, amount: [
        Said(
            by, "CorrectPayout", {"payout": payout, "amount": _money(amount), "reason": "mistyped"}
        )
    ],
    rf"payout (?P<payout>{_REF}) came back": lambda by, payout: [
        Said(by, "ReturnPayout", {"payout": payout, "reason": "account closed"})
    ],
    rf"adopt the partnership with its books from (?P<begin>[\d-]+) and (?P<amount>{_MONEY}) that "
    r"(?P<owes>\w+) owes (?P<to>\w+); from (?P<since>[\d-]+) (?P<content>.+)": _adopt,
    r"time passes": lambda by: [Said(by, "PassTime", {})],
}
"""Each sentence of a fact, and the messages that it stands for."""


# --- feeds -------------------------------------------------------------------------------------


def feed(name: str, facts: list[Fact]) -> Iterator[bytes]:
    """Yield the messages of a partnership: its opening with the first terms, then the facts.

    An adopted partnership is opened by its adoption alone.
    """
    first, *rest = facts
    if first.said[0].type == "ProposeAdoption":
        yield from _messages(name, facts)
        return
    opening = [orjson.loads(line) for line in OPENING.read_bytes().splitlines()]
    kickoff = next(i for i, each in enumerate(opening) if each["type"] == "accord.HoldKickoff")
    agreed = iter(first.said)
    for number, message in enumerate(opening[: kickoff + 1]):
        changed = message | {"id": f"opening-{number}", "subject": name}
        if message["type"] in {"accord.ProposeTerms", "accord.AcceptTerms"}:
            changed["data"] = next(agreed).data
        yield canonical(changed)
    yield from _messages(name, rest)


def _messages(name: str, facts: Iterable[Fact]) -> Iterator[bytes]:
    for number, fact in enumerate(facts):
        for place, (party, kind, data) in enumerate(fact.said):
            yield canonical(
                {
                    "specversion": "1.0",
                    "id": f"{number}-{place}",
                    "source": "//example.test",
                    "type": f"accord.{kind}",
                    "subject": name,
                    "time": fact.happened,
                    "recordedtime": fact.recorded,
                    "party": party,
                    "actor": f"{party}-manager",
                    "data": data,
                }
            )
