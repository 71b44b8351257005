"""Measure what an amendment costs: ``python -m benchmarks.amendment``.

One partnership has many deals, each won and paid. An amendment that begins on the day of the last
ten touches only these; one that begins with the term touches all. Each is folded by a follower that
has no row in memory yet, from the store, into the ledger and all other views.
"""

import json
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import ours
from benchmarks.feed import OPENED, OURS, Told, form, written
from benchmarks.rates import asked, say, table, took
from infra.bootstrap import Accord

PARTNERSHIP = "partner-0000"
THEIRS = f"{PARTNERSHIP}-ltd"
DAYS = 300
"""For how long deals are paid."""
LAST = 10
"""The deals that are paid on the last day."""
DEALS, QUICK = 10_000, 100
ROUNDS = 3


class Amended:
    """A store with one partnership, whose terms are amended again and again."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._told = Told(PARTNERSHIP, THEIRS)
        kickoff = form(self._told, OPENED)
        self.first, self.last = kickoff, kickoff + timedelta(days=DAYS)
        for number in range(count):
            before = kickoff + timedelta(days=1 + number * (DAYS - 2) // count)
            self._deal(f"deal-{number}", self.last if number >= count - LAST else before)
        self._amendments = 0
        self._sent = 0

    def take_in(self, accord: Accord) -> None:
        """Let the store take in what was told since."""
        new = sorted(self._told.lines[self._sent :])
        ours.ingest(
            accord,
            [written(f"line-{self._sent + place}", line) for place, line in enumerate(new)],
        )
        self._sent = len(self._told.lines)

    def amend(self, at: datetime) -> float:
        """Agree another share, from the day of a time on; return the seconds of folding it."""
        self._amendments += 1
        number = self._amendments
        at += timedelta(minutes=number)
        share = {
            "kind": "revenue-share",
            "to": THEIRS,
            "share": str(15 + number),
            "basis": "first-year",
            "trigger": "payment",
        }
        terms = {"items": [share], "effective_from": at.date().isoformat()}
        proposal = f"amendment-{number}"
        self._told.tell(at, OURS, "ProposeTerms", proposal=proposal, **terms)
        self._told.tell(at, THEIRS, "AcceptTerms", proposal=proposal)
        with ours.store(self._path) as accord:
            self.take_in(accord)
        # Another process follows, which has no row in memory.
        with ours.store(self._path) as accord:
            return took(lambda: ours.catch_up(accord)).wall

    def _deal(self, deal: str, at: datetime) -> None:
        value, paid = (
            {"amount": "1200.00", "currency": "USD"},
            {"amount": "100.00", "currency": "USD"},
        )
        steps: list[tuple[str, str, dict[str, Any]]] = [
            (THEIRS, "SubmitReferral", {"lead": "Lead"}),
            (THEIRS, "AttributeReferral", {"method": "utm", "evidence": "a tag"}),
            (OURS, "CreateOpportunity", {}),
            (OURS, "WinDeal", {"annual_contract_value": value}),
            (OURS, "ReceivePayment", {"payment": f"{deal}-p", "amount": paid}),
        ]
        for party, command, data in steps:
            self._told.tell(at, party, command, deal=deal, **data)


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Measure amendments of few and of all deals in turn; return all that there is to print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "accord.db")
        amended = Amended(path, count)
        with ours.store(path) as accord:
            amended.take_in(accord)
            ours.catch_up(accord)
        few, every = [], []
        for number in range(rounds):
            few.append(amended.amend(amended.last))
            every.append(amended.amend(amended.first))
            say(f"round {number + 1}: {few[-1]:.3f} s and {every[-1]:.3f} s")
        return {
            "deals": count,
            "milliseconds": {
                str(LAST): round(1000 * median(few), 1),
                str(count): round(1000 * median(every), 1),
            },
            "ratio": round(median(more / less for more, less in zip(every, few, strict=True)), 1),
        }


def show(found: dict[str, Any]) -> str:
    """Return what was measured as a table of Markdown."""
    rows = [
        (f"{milliseconds:,.0f}", f"{int(count):,}")
        for count, milliseconds in found["milliseconds"].items()
    ]
    return (
        table((f"ms, of {found['deals']:,} deals", "deals that the amendment touches"), rows)
        + f"\n\nOne that touches all costs {found['ratio']:.0f} times as much."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print what came of it."""
    given = asked("python -m benchmarks.amendment", __doc__, arguments)
    found = measure(*(QUICK, 1) if given.quick else (DEALS, ROUNDS))
    print(json.dumps(found, indent=2) if given.json else show(found))


if __name__ == "__main__":
    main()
