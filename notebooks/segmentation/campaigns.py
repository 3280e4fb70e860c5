"""Lists of customers for other programs: whom to address, whom to leave alone, and how many."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from customer_tables.text import slug
from segmentation.dataset import CAMPAIGN_COLUMNS
from segmentation.presentation import spreadsheet_safe

# The usual chances: to see an uplift that is there, and to see one that is not.
POWER, ALPHA = 0.8, 0.05
RECORDED = {  # columns of the table of control groups, as the start page calls them
    "segment": "name",
    "customers": "customers",
    "control group": "control",
    "control group needed": "needed",
    "least visible uplift": "visible",
    "large enough": "enough",
}
NEEDED_EFFECT = norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)  # in standard errors


def customer_list(
    labels: pd.Series, called: pd.Series, assigned: pd.DataFrame, *, raw: bool
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """List every customer's segment, and say what was done to texts that look like formulas.

    Parameters
    ----------
    labels, called : Series, shape (n_customers,)
        Number and name of each customer's segment.
    assigned : DataFrame
        confidence and distance.
    raw : bool
        Whether such texts stay as they are.

    Returns
    -------
    DataFrame, dict
        The list, and its entry for the changes: empty where a spreadsheet would run nothing.
    """
    listed = pd.DataFrame({"customer": labels.index, "segment": labels, "segment_name": called})
    texts = ["customer", "segment_name"]
    safe = listed.assign(**{name: spreadsheet_safe(listed[name]) for name in texts})
    rows = int((safe != listed.astype(safe.dtypes)).any(axis=1).sum())
    action = (
        "kept as they are; take care where segments.csv and campaigns/ are opened"
        if raw
        else "an apostrophe put before them in segments.csv and campaigns/"
    )
    what = "text that a spreadsheet would run as a formula"
    change = {"what": what, "column": "identifier or name", "rows": rows, "action": action}
    measured = assigned[["confidence", "distance"]].round(4)
    return (listed if raw else safe).assign(**measured), change if rows else {}


def file_names(names: Mapping[int, str]) -> dict[int, str]:
    """Give every segment's list a file name that no other segment's has."""
    taken: dict[int, str] = {}
    for segment, name in names.items():
        candidate = slug(name, default="segment")
        while candidate in taken.values():
            candidate = f"{candidate}-{segment}"
        taken[segment] = candidate
    return taken


def campaign_list(
    members: pd.DataFrame,
    *,
    action: str,
    campaign: str,
    model: str,
    control: np.ndarray,
    columns: Mapping[str, str],
    raw: bool = False,
) -> pd.DataFrame:
    """Write one segment's list as the marketing tool expects it.

    Parameters
    ----------
    members : DataFrame
        customer, segment, segment_name and confidence, the clearest members first.
    action, campaign, model : str
        What to do, the key by which results come back, and which model chose the customers.
    columns : mapping of str to str
        The tool's names of columns, by ours.
    raw : bool
        Whether texts stay that a spreadsheet would run as a formula.
    """
    texts = pd.Series({"action": action, "campaign": campaign, "model": model})
    texts = texts if raw else spreadsheet_safe(texts)
    group = np.where(control, "control", "contact")
    listed = members.assign(**texts.to_dict(), group=group)
    return listed[list(CAMPAIGN_COLUMNS)].rename(columns=columns)


# --- control groups -------------------------------------------------------------------------------


def control_group(customers: pd.Index, campaign: str, share: float) -> np.ndarray:
    """Draw a share of the customers who are left alone, so that a campaign's effect can be seen.

    Drawn by the SHA-256 of campaign and identifier: the same at every run, for every order of the
    rows and when customers join, and independent from one campaign to the next.
    """
    hashes = (hashlib.sha256(f"{campaign}\n{customer}".encode()) for customer in customers)
    parts = (int.from_bytes(found.digest()[:8], "big") for found in hashes)
    return np.array([part < share * 2**64 for part in parts], dtype=bool)


def control_needed(response: float, uplift: float, share: float) -> float:
    """Return how large a control group has to be to see an uplift, infinite where none would do.

    By a two-sided test of two shares at 5 %, seen with a chance of 80 %, after the arcsine
    transform (Cohen 1988).

    Parameters
    ----------
    response, share : float
        Shares of the customers who respond without a campaign, and who are left alone.
    uplift : float
        How much larger the response is with the campaign, in points of one.
    """
    if uplift <= 0 or not 0 < share < 1 or not 0 <= response <= 1 - uplift:
        return math.inf
    effect = 2 * (math.asin(math.sqrt(response + uplift)) - math.asin(math.sqrt(response)))
    return float((NEEDED_EFFECT / effect) ** 2 / (1 - share))


def detectable_uplift(response: float, control: int, contacted: int) -> float:
    """Return the least uplift that groups of these sizes would show, NaN where they are too small.

    The inverse of `control_needed`.
    """
    if not control or not contacted:
        return math.nan
    effect = NEEDED_EFFECT * math.sqrt(1 / control + 1 / contacted)
    angle = math.asin(math.sqrt(response)) + effect / 2
    return math.sin(angle) ** 2 - response if angle < math.pi / 2 else math.nan


def power_table(
    controls: Mapping[str, np.ndarray], *, response: float, uplift: float, share: float
) -> pd.DataFrame:
    """Tabulate for each segment, by its name, whether its control group is large enough."""
    needed = control_needed(response, uplift, share)
    rows = {}
    for name, drawn in controls.items():
        control = int(drawn.sum())
        rows[name] = {
            "customers": len(drawn),
            "control group": control,
            "control group needed": math.ceil(needed) if math.isfinite(needed) else math.nan,
            "large enough": "yes" if control >= needed else "no",
            "least visible uplift": detectable_uplift(response, control, len(drawn) - control),
        }
    return pd.DataFrame(rows).T.rename_axis("segment")


def power_record(
    table: pd.DataFrame, *, response: float, uplift: float, share: float
) -> dict[str, Any]:
    """Return what the start page says about control groups, from `power_table`.

    The needed size and the visible uplift are not finite where no group would do.
    """
    groups = table.reset_index()[list(RECORDED)].rename(columns=RECORDED)
    groups["enough"] = groups["enough"] == "yes"
    groups["needed"] = groups["needed"].astype(float)
    assumed = {"response": response, "uplift": uplift, "share": share}
    return assumed | {"power": POWER, "alpha": ALPHA, "groups": groups.to_dict("records")}
