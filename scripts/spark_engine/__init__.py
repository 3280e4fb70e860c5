"""Customers and purchases beyond one machine: the same queries, run by Spark."""
