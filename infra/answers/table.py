"""The questions of the command line and of HTTP, in the order of the help."""

from infra.answers.partnerships import PARTNERSHIPS
from infra.answers.question import Question

QUESTIONS: tuple[Question, ...] = (PARTNERSHIPS,)
