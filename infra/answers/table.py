"""The questions of the command line and of HTTP, in the order of the help."""

from infra.answers.alerts import ALERTS_QUESTION
from infra.answers.attributes import ATTRIBUTES
from infra.answers.candidates import CANDIDATES
from infra.answers.history import HISTORY
from infra.answers.markets import MARKETS
from infra.answers.metrics import METRICS
from infra.answers.partnerships import PARTNERSHIPS
from infra.answers.portfolio import PORTFOLIO
from infra.answers.question import Question
from infra.answers.refusals import REFUSALS
from infra.answers.schema import SCHEMA
from infra.answers.show import SHOW
from infra.answers.statement import STATEMENT
from infra.answers.statements import STATEMENTS

QUESTIONS: tuple[Question, ...] = (
    REFUSALS,
    SCHEMA,
    METRICS,
    PARTNERSHIPS,
    SHOW,
    HISTORY,
    ALERTS_QUESTION,
    STATEMENT,
    STATEMENTS,
    PORTFOLIO,
    MARKETS,
    CANDIDATES,
    ATTRIBUTES,
)
