r"""Aggregate purchases and score customers on Spark, on this machine or on a cluster.

    python3 scripts/spark.py customers --dataset retail --output everybody --sample sample.parquet
    python3 scripts/spark.py score --model results/retail/model.json \\
        --input everybody --output scored

`python3 scripts/spark.py --help` lists the options.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from spark_engine import command

if __name__ == "__main__":
    sys.exit(command.main(Path(__file__), sys.argv[1:]))
