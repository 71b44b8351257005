"""Questions asked of a store, and their answers as JSON objects, for the command line and HTTP.

What was so at some time, and why something is so, is answered from the events alone, by replay.
Lists of what is so now come from the views.
"""

from infra.queries.comparing import attributes, candidates, markets, portfolio
from infra.queries.erasing import commitments, erase
from infra.queries.evidence import experiments, funnel, rules, try_rule
from infra.queries.explaining import explain
from infra.queries.listing import alerts, history, kpis, overview
from infra.queries.logs import NOW, AsOf, NotFound, size_of
from infra.queries.reviewing import review_pack
from infra.queries.standing import show
from infra.queries.stating import settle, statement, statements
from infra.queries.verifying import Checked, Difference, Memory, verify

__all__ = [
    "NOW",
    "AsOf",
    "Checked",
    "Difference",
    "Memory",
    "NotFound",
    "alerts",
    "attributes",
    "candidates",
    "commitments",
    "erase",
    "experiments",
    "explain",
    "funnel",
    "history",
    "kpis",
    "markets",
    "overview",
    "portfolio",
    "review_pack",
    "rules",
    "settle",
    "show",
    "size_of",
    "statement",
    "statements",
    "try_rule",
    "verify",
]
