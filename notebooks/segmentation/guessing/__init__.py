"""The parts of a guess: one column by its name, kind and values; the words that tell; the text.

`segmentation.inference` puts them together for a whole table.
"""
