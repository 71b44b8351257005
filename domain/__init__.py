"""The domain: what partnerships are, decided and folded by pure functions.

Each aggregate has a file: commands, events, state, decisions, fold. The time, the identifiers and
the ledger are arguments. It imports only the standard library and pydantic.
"""
