"""The error of a part that does not work at the moment.

It has a module of its own, so that what raises it does not load the clients of the broker.
"""


class Unavailable(Exception):
    """A part that this process needs does not work at the moment; the same is tried again."""
