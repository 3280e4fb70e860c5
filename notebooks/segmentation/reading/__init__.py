"""Reading any table of customers, and telling exactly what was done to it.

The way of a file through the modules: `formats` tells what it is; `delimited`, `workbook` or
`parquet` give rows or columns; `header` and `structure` find the table among the rows; `columns`
decides what each column holds and lets `identifiers`, `words`, `numbers` and `dates` read its
cells; `table` puts it together. Every repair becomes a `Change`; every doubt a `UserError`.
"""

from segmentation.reading.changes import Change, Reading
from segmentation.reading.table import read_table

__all__ = ["Change", "Reading", "read_table"]
