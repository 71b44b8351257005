"""The questions of the command line and of HTTP, in the order of the help."""

from infra.answers.alerts import ALERTS_QUESTION
from infra.answers.attributes import ATTRIBUTES
from infra.answers.candidates import CANDIDATES
from infra.answers.experiments import EXPERIMENTS
from infra.answers.explain import EXPLAIN
from infra.answers.funnel import FUNNEL
from infra.answers.history import HISTORY
from infra.answers.kpis import KPIS
from infra.answers.markets import MARKETS
from infra.answers.metrics import METRICS
from infra.answers.partnerships import PARTNERSHIPS
from infra.answers.portfolio import PORTFOLIO
from infra.answers.question import Question
from infra.answers.refusals import REFUSALS
from infra.answers.review import REVIEW
from infra.answers.rules import RULES
from infra.answers.schema import SCHEMA
from infra.answers.show import SHOW
from infra.answers.statement import STATEMENT
from infra.answers.statements import STATEMENTS
from infra.answers.try_rule import TRY_RULE

QUESTIONS: tuple[Question, ...] = (
    REFUSALS,
    SCHEMA,
    METRICS,
    PARTNERSHIPS,
    SHOW,
    HISTORY,
    KPIS,
    ALERTS_QUESTION,
    EXPLAIN,
    REVIEW,
    STATEMENT,
    STATEMENTS,
    EXPERIMENTS,
    FUNNEL,
    RULES,
    TRY_RULE,
    PORTFOLIO,
    MARKETS,
    CANDIDATES,
    ATTRIBUTES,
)
