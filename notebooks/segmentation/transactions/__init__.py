"""From lines of purchases to customers: recency, frequency, value, baskets and habits.

The way of a file: `recognition` tells which of its columns are what; `cells` reads those of a text
file, once; `lines` brings them into one form inside an engine, which reads the file in pieces and
never holds it whole; `customers` says in queries what a customer is; `engine` is what runs them,
DuckDB unless another one is given; `summing` goes that way on this machine; `demographics` joins
who the customers are; `description` writes down what came out as a dataset.toml.
"""

from segmentation.transactions.recognition import find_transactions, recognise
from segmentation.transactions.summing import sum_up

__all__ = ["find_transactions", "recognise", "sum_up"]
