"""Reads any table of customers, or lines of their transactions, and says what was done to it.

Everything that a file can hold is either read, repaired and counted, or refused with a
`UserError` that says what is wrong, where, and what to do. The analysis in `segmentation` builds
on it, and not the other way round.
"""
