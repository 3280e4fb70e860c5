"""Scoring new customers by a fitted model, and detecting drift."""

import runner  # noqa: F401  (puts notebooks/ on the path)
