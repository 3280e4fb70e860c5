"""Scoring new customers by a fitted model, and telling when they have become others."""
