"""The command `accord`: each command is made from a question or has a file of its name.

Data goes to stdout; notes, progress and errors to stderr.
"""

from infra.answers.schema import SCHEMA
from infra.answers.table import QUESTIONS
from infra.cli import (  # noqa: F401 - they add their commands
    adopt,
    api_keys,
    bundle,
    checkpoint,
    confirm_clock,
    demo,
    diff,
    erase,
    follow,
    handle_alerts,
    ingest,
    init,
    questions,
    rebuild,
    receipt,
    replay,
    retry,
    schema,
    settle,
    sign,
    signing_keys,
    subject_export,
    up,
    validate,
    verify,
    witness,
)
from infra.cli.errors import main

__all__ = ["main"]

for question in QUESTIONS:
    if question is not SCHEMA:  # It also writes files.
        questions.add(question)
