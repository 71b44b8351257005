"""Processes on streams: commands in, events out, projections, what they say to the world."""
