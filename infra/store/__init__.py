"""Stores of the history, the outcome of each input, and the views."""
