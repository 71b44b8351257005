"""The agreement: its sections, and who signed which version (C9)."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from domain.kernel import Value
from domain.values import Text


class DataProtection(StrEnum):
    """Laws of data protection that the agreement names (C9)."""

    GDPR = "GDPR"
    HIPAA = "HIPAA"
    CCPA = "CCPA"


class Sections(Value):
    """The sections of an agreement (C9). One that is missing blocks execution."""

    roles: Text | None = None
    contributions: Text | None = None
    deliverables: Text | None = None
    confidentiality: Text | None = None
    data_protection: Annotated[list[DataProtection], Field(min_length=1)] | None = None
    ip_ownership: Text | None = None
    revenue_and_costs: Text | None = None
    governance: Text | None = None
    duration_and_exit: Text | None = None

    def missing(self) -> list[str]:
        """Give the sections that nobody wrote."""
        return [name for name, value in self if value is None]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The latest draft, and who signed it."""

    version: int = 0
    sections: Sections = field(default_factory=Sections)
    signed_by: frozenset[str] = frozenset()
    in_force: int = 0
    """The last version that both signed; none yet is 0."""

    def signed(self, party: str) -> "Agreement":
        """Give the agreement with one more signature."""
        signed_by = self.signed_by | {party}
        # Only the two parties ever sign, so two signatures are both.
        in_force = self.version if len(signed_by) > 1 else self.in_force
        return replace(self, signed_by=signed_by, in_force=in_force)
