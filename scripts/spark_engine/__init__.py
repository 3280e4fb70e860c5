"""Customers and purchases beyond one machine: the same queries, run by Spark."""

import runner  # noqa: F401  (puts notebooks/ on the path)
