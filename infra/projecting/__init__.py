"""Recorded events become rows of views."""
