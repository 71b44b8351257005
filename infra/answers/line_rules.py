"""The rules that lines of the ledger follow from, each with the event that agreed or decided it."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from domain.agreement import CommercialTermsAgreed
from domain.dispute import DisputeOpened, DisputeResolved
from domain.execution import IncentiveIntroduced
from domain.recorded import Recorded
from domain.scaling import JointInvestmentAgreed
from domain.settlement import AdjustmentAgreed
from domain.terms import Penalty
from infra.answers.logs import Row
from infra.answers.question import Item
from projections.ledger.book import terms_of
from projections.ledger.rows import AgreedRow


class LineRule(Item):
    """What was agreed or decided that a line follows from."""

    text: str
    """Its name in words: `terms version 2`, `incentive of 2026-07-06`, `dispute D-1`."""
    index: int
    """The index of the event that agreed or decided it."""


_INVESTMENT: Final = "investment-"
"""How the item begins of what a joint investment shares out."""


@dataclass(slots=True)
class LineRules:
    """The events of a log that agreed or decided what lines follow from, by kind and name."""

    found: dict[tuple[str, str], LineRule] = field(default_factory=dict)

    def take(self, recorded: Recorded) -> None:
        """Note an event that agrees or decides such a rule. The last one of a name counts."""
        match recorded.event:
            case CommercialTermsAgreed(terms_version=version):
                self._note(recorded, "terms", f"{version}", f"terms version {version}")
            case IncentiveIntroduced(incentive=name, from_day=day):
                self._note(recorded, "incentive", name, f"incentive of {day}")
            case JointInvestmentAgreed(proposal=name):
                self._note(recorded, "investment", name, f"joint investment {name}")
            case AdjustmentAgreed(proposal=name):
                self._note(recorded, "adjustment", name, f"agreed adjustment {name}")
            case DisputeOpened(dispute=name):
                self._note(recorded, "hold", name, f"dispute {name}")
            case DisputeResolved(dispute=name):
                self._note(recorded, "dispute", name, f"decision of dispute {name}")
            case _:
                pass

    def _note(self, recorded: Recorded, kind: str, name: str, text: str) -> None:
        self.found[kind, name] = LineRule(text=text, index=recorded.index)

    def of(self, line: Row, agreed: AgreedRow) -> Row:
        """Return the rule of a line, and the version of the terms if it is theirs, as fields."""
        other = self._beside_the_terms(line)
        if other is not None:
            return {"rule": other, "terms_version": None}
        terms, day = terms_of(agreed), date.fromisoformat(line["day"])
        version = terms.version(day)
        found = self.found.get(("terms", f"{version}"))
        items = [each for each in terms.items(day) if each.name == line["item"]]
        if found and any(isinstance(each, Penalty) for each in items):
            found = found.model_copy(update={"text": f"penalty in {found.text}"})
        return {"rule": found, "terms_version": version or None}

    def _beside_the_terms(self, line: Row) -> LineRule | None:
        """Return the rule of a line that no item of the terms prices; None for any other line."""
        item: str = line["item"]
        kind, _, name = line["about"].partition("/")
        cause, _, dispute = line["cause"].partition("/")
        if line.get("dispute"):
            return self.found.get(("hold", line["dispute"]))
        if cause == "dispute":
            return self.found.get(("dispute", dispute))
        match kind:
            case "adjustment":
                return self.found.get(("adjustment", name))
            case "entry" if item.startswith(_INVESTMENT):
                return self.found.get(("investment", item.removeprefix(_INVESTMENT)))
            case "referral":
                return self.found.get(("incentive", item))
            case _:
                return None
