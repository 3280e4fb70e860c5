"""A later period held against the training customers: counts, drift, units, and who moved."""
