"""What the commands say at their end."""

from __future__ import annotations

import sys
import time
from typing import Any

from spark_engine.customers import Summed
from spark_engine.scores import LIMIT, Scores


def say(text: str) -> None:
    """Say on the terminal what is done next."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def tell_customers(summed: Summed, place: str, sample: str, seed: int) -> None:
    """Say how many customers there are, what was left out, and where they are."""
    print(f"{summed.sample.customers:,} customers: {place}")
    for change in summed.changes:
        print(f"  {change.what}: {change.rows:,} ({change.action})")
    print(f"{len(summed.sample.table):,} of them drawn with seed {seed}: {sample}", flush=True)


def tell_scores(scores: Scores, model: dict[str, Any], place: str) -> None:
    """Say how large the segments are among everybody, and in training."""
    print(f"{scores.customers:,} {model['nouns']} scored: {place}")
    for segment, row in scores.sizes.iterrows():
        odd = f"  {row['errors']:.0f} standard errors apart" if row["errors"] > LIMIT else ""
        print(
            f"  {segment} {row['name']}: {row['customers']:,} ({row['share']:.1%};"
            f" {row['trained']:.1%} in training){odd}"
        )
    if scores.unscored:
        print(f"{scores.unscored:,} have no segment: a feature of theirs cannot be computed.")
    if scores.strangers:
        print(f"{scores.strangers:,} are unlike any in training (column stranger).")
