"""Every kind of deadline: what opens it, what closes it, what its passing records and alerts.

An end of the partnership (`ENDINGS`) closes all but those of silence, of statements, and of answers
that can be given after it: what was claimed before the end can count after it, what is owed stays
owed, and what is disputed stays disputed.
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
