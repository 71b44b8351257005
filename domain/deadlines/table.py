"""Every kind of deadline: what opens it, what closes it, what its passing records and alerts.

An end of the partnership (`ENDINGS`) closes all but those of silence and of statements: what was
claimed before the end can count after it, and what is owed stays owed.
"""

from typing import Final

from domain.deadlines import answers, figures, reviews, tasks, term
from domain.deadlines.rule import DeadlineRule

RULES: Final[tuple[DeadlineRule, ...]] = (
    *figures.RULES,
    *tasks.RULES,
    *reviews.RULES,
    *term.RULES,
    *answers.RULES,
)
