"""Write a fitted model as one query for a warehouse, in five dialects of SQL.

    python3 scripts/export_sql.py --model results/credit_card/model.json --output sql

`python3 scripts/export_sql.py --help` lists the options.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from scoring import sql_command

if __name__ == "__main__":
    sys.exit(sql_command.main(Path(__file__), sys.argv[1:]))
