"""Scoring new customers by a fitted model, and telling when they have become others."""

import runner  # noqa: F401  (puts notebooks/ on the path)
