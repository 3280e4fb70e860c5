"""The analysis that the notebooks share, and its figures."""
