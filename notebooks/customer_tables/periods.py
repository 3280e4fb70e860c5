"""A history of transaction lines, cut in two: what came before a day, and what came after."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from customer_tables.aggregation import customers_query, settle
from customer_tables.changes import History
from customer_tables.duckdb_files import Lines
from customer_tables.errors import UserError
from customer_tables.source import Source

if TYPE_CHECKING:
    import pandas as pd

NO_CUT = "none"
LATER_SHARE = 0.25  # of the days of a history that come after the cut, unless said otherwise
LEAST_DAYS = 28  # after the cut: every day of the week as often, and customers who buy monthly


def by_customer(table: pd.DataFrame) -> pd.DataFrame:
    """Sort customers as they come from the engine by their identifiers, which are texts."""
    return table.astype({"customer_id": "str"}).sort_values("customer_id", ignore_index=True)


def split_history(lines: Lines, source: Source, cut: str, columns: Iterable[str]) -> History:
    """Aggregate the parts of a history whose lines have been aggregated as a whole.

    Nothing but the rules by which lines are read and the choice of the categories that have a
    column of their own is taken from the whole, so what a customer does after the cut changes
    nothing in the table of what they did before.

    Parameters
    ----------
    lines : Lines
        In a DuckDB that has the tables `lines`, `purchases` and `goods`, and `catalogue` for
        products.
    source : Source
    cut : str
        The first day after the cut, as 2017-10-02; empty: the last quarter of the days comes after
        it; "none": the history is not cut.
    columns : iterable of str
        Of the customers as a whole. What a part does not tell counts as 0.

    Raises
    ------
    UserError
        If the cut is no day, or leaves more days after it than before it, or too few.
    """
    if cut.strip().lower() == NO_CUT:
        return History(why_not="it was switched off")
    run = lines.run
    first, last = (
        moment.date() for moment in run("SELECT min(bought), max(bought) FROM purchases")[0]
    )
    at = settle_cut(cut, first, last)
    if at is None:
        days = (last - first).days + 1
        return History(why_not=f"a history of {days:,} days is too short to be cut in two")
    settled = settle(lines, source)
    after = last + timedelta(days=1) - at
    bounds = {"earlier": (None, at), "before": (at - after, at), "after": (at, at + after)}
    found: dict[str, pd.DataFrame] = {}
    run("CREATE SCHEMA period")
    run("SET search_path = 'period,main'")
    try:
        for period, (start, end) in bounds.items():
            within = f"bought < TIMESTAMP '{end}'"
            within += f" AND bought >= TIMESTAMP '{start}'" if start else ""
            run(f"CREATE OR REPLACE VIEW period.lines AS SELECT * FROM main.lines WHERE {within}")
            if not run("SELECT count(*) FROM main.purchases WHERE " + within)[0][0]:
                return History(why_not=f"nothing was bought between {start or first} and {end}")
            query, _ = customers_query(lines, source, settled)
            table = by_customer(lines.table(query))
            found[period] = table.reindex(columns=list(columns), fill_value=0.0)
    except UserError:  # of a part, which is no reason against the whole
        why = f"the lines from {start or first} to {end} cannot be aggregated alone"
        return History(why_not=why)
    finally:
        run("RESET search_path")
    return History(first, at, last, "", found)


def settle_cut(cut: str, first: date, last: date) -> date | None:
    """Return the first day after the cut; None where a history is too short for one.

    Raises
    ------
    UserError
        As in `split_history`.
    """
    days = (last - first).days + 1
    if not cut.strip():
        after = round(LATER_SHARE * days)
        return last + timedelta(days=1 - after) if after >= LEAST_DAYS else None
    try:
        at = datetime.strptime(cut.strip(), "%Y-%m-%d").date()
    except ValueError:
        at = last
    before, after = (at - first).days, (last - at).days + 1
    if not LEAST_DAYS <= after <= before:
        latest = last + timedelta(days=1 - LEAST_DAYS)
        earliest = first + timedelta(days=(days + 1) // 2)
        possible = f"a day from {earliest} to {latest}" if earliest <= latest else "none"
        raise UserError(
            f"the history from {first} to {last} cannot be cut at {cut.strip()[:40]!r}",
            where=f"parameter prediction_cut; after the cut come at least {LEAST_DAYS} days, and "
            "no more than before it",
            remedy=f"give {possible}",
        )
    return at
