"""Questions asked of a store, and their answers as JSON objects, for the command line and HTTP.

What was so at some time, and why something is so, is answered from the events alone, by replay.
Lists of what is so now come from the views.
"""

from infra.answers.erasing import commitments, erase
from infra.answers.logs import NOW, AsOf, NotFound, size_of
from infra.answers.verifying import Checked, Difference, Memory, verify

__all__ = [
    "NOW",
    "AsOf",
    "Checked",
    "Difference",
    "Memory",
    "NotFound",
    "commitments",
    "erase",
    "size_of",
    "verify",
]
