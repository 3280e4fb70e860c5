"""Guessing what a table of customers is: the parts that its columns play, and why.

`infer_dataset` gives the text of a dataset.toml in which every guess has its reason beside it,
ready to be edited. The guesses follow stated rules over names, kinds and values; nothing is
learnt. `columns` guesses one column by the words in `vocabulary`; `table` settles what takes all
columns; `text` writes it down.
"""

from segmentation.inference.columns import Guess
from segmentation.inference.table import guess_columns, infer_dataset

__all__ = ["Guess", "guess_columns", "infer_dataset"]
