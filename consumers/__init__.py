"""Processes on streams: they take commands in, send events out, fold and publish."""
