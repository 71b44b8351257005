"""What a partnership waits for, and what its log records when a deadline passes.

A passed deadline is an event of the partnership's own log, so the log alone gives every alert
again, on the same day. `table` has every kind, `fold` what is open and what passed.
"""
