"""Questions and their answers: one file for each question, and one table of them all.

An answer is a pydantic model. `table` makes the command and the route of each question.
"""
