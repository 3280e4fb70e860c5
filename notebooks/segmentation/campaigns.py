"""Lists of customers for other programs: whom to address, whom to leave alone, and how many."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from customer_tables.text import joined, points, printable, share, slug
from segmentation.claims import Claim, claim
from segmentation.dataset import CAMPAIGN_COLUMNS
from segmentation.presentation import spreadsheet_safe

# The usual chances: to see an uplift that is there, and to see one that is not.
POWER, ALPHA = 0.8, 0.05
RECORDED = {  # columns of the table of control groups, as the start page calls them
    "segment": "name",
    "customers": "customers",
    "control group": "control",
    "minimum detectable uplift": "visible",
    "the same at half and half": "detectable",
    "control share needed": "split",
    "large enough": "enough",
}
NEEDED_EFFECT = norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)  # in standard errors
BLOCK = 20  # neighbours in confidence, among whom the control group is drawn


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


def control_group(confidence: pd.Series, campaign: str, part: float) -> pd.Series:
    """Draw the customers who are left alone, so that a campaign's effect can be seen.

    The same share is drawn in each block of customers who are neighbours in confidence (stratified
    sampling with proportional allocation). So a campaign that goes to the clearest members first
    still has a control group of the same confidence. Who is drawn within a block follows from the
    SHA-256 of campaign and identifier: the same at every run and for every order of the rows, and
    independent from one campaign to the next.

    Parameters
    ----------
    confidence : Series, shape (n,)
        Of the customers on the list, by identifier.
    part : float
        Share of the customers who are left alone.

    Returns
    -------
    Series of bool, shape (n,)
    """
    places = np.arange(len(confidence))
    drawn, (start,) = _hashes(campaign, confidence.index), _hashes(campaign, [""])
    clearest_first = np.lexsort((drawn, -confidence.to_numpy()))
    block = np.empty_like(places)
    block[clearest_first] = places // BLOCK
    counted = np.floor(start + part * np.arange(len(places) + 1))  # of the first 0, 1, … customers
    control = pd.Series(False, index=confidence.index)
    control.iloc[np.lexsort((drawn, block))] = np.diff(counted) > 0
    return control


def _hashes(campaign: str, customers: Iterable[object]) -> np.ndarray:
    """Return a number from 0 to 1 for each customer, as good as drawn at random."""
    texts = (f"{campaign}\n{customer}".encode() for customer in customers)
    heads = [int.from_bytes(hashlib.sha256(text).digest()[:6], "big") for text in texts]
    return np.array(heads, dtype=float) / 2**48


def _effect(response: float, uplift: float) -> float:
    """Return the effect size of an uplift (Cohen's h); NaN where there can be none."""
    if uplift <= 0 or not 0 <= response <= 1 - uplift:
        return math.nan
    return 2 * (math.asin(math.sqrt(response + uplift)) - math.asin(math.sqrt(response)))


def control_share_needed(customers: int, response: float, uplift: float) -> float:
    """Return the smallest share to leave alone so that an uplift is seen, NaN where none would do.

    By a two-sided test of two shares at 5%, seen with a chance of 80%, after the arcsine transform
    (Cohen 1988). The best split is half and half: where that is too little, no other suffices.

    Parameters
    ----------
    customers : int
        On the list, contacted and left alone.
    response : float
        Share of the customers who respond without a campaign.
    uplift : float
        How much larger the response is with the campaign, in points of one.
    """
    wanted = (NEEDED_EFFECT / _effect(response, uplift)) ** 2 / max(customers, 1)
    return (1 - math.sqrt(1 - 4 * wanted)) / 2 if wanted <= 1 / 4 else math.nan


def detectable_uplift(response: float, control: float, contacted: float) -> float:
    """Return the minimum detectable uplift of groups of these sizes, NaN where there is none.

    The inverse of `control_share_needed`.
    """
    if not control or not contacted:
        return math.nan
    effect = NEEDED_EFFECT * math.sqrt(1 / control + 1 / contacted)
    angle = math.asin(math.sqrt(response)) + effect / 2
    return math.sin(angle) ** 2 - response if angle < math.pi / 2 else math.nan


def power(response: float, uplift: float, control: int, contacted: int) -> float:
    """Return the chance that groups of these sizes show an uplift; NaN where there is no group."""
    if not control or not contacted:
        return math.nan
    errors = _effect(response, uplift) / math.sqrt(1 / control + 1 / contacted)
    return float(norm.cdf(errors - norm.ppf(1 - ALPHA / 2)))


def power_table(controls: Mapping[str, pd.Series], response: float, uplift: float) -> pd.DataFrame:
    """Tabulate for each segment, by its name, what its list can show.

    Parameters
    ----------
    controls : mapping of str to Series of bool
        Who on each list is left alone.
    """
    rows = {}
    for name, drawn in controls.items():
        customers, control = len(drawn), int(drawn.sum())
        chance = power(response, uplift, control, customers - control)
        rows[name] = {
            "customers": customers,
            "control group": control,
            "large enough": "yes" if chance >= POWER else "no",
            "minimum detectable uplift": detectable_uplift(response, control, customers - control),
            "the same at half and half": detectable_uplift(response, customers / 2, customers / 2),
            "control share needed": control_share_needed(customers, response, uplift),
        }
    return pd.DataFrame(rows).T.rename_axis("segment")


def power_record(
    table: pd.DataFrame, *, response: float, uplift: float, part: float
) -> dict[str, Any]:
    """Return what the start page says about control groups, from `power_table`.

    Returns
    -------
    dict
        The assumptions; groups, a row a segment; pooled, the same for all lists judged together:
        each leaves the same share alone, so that segments do not stand between the two groups.
    """
    groups = table.reset_index()[list(RECORDED)].rename(columns=RECORDED)
    groups["enough"] = groups["enough"] == "yes"
    groups = groups.astype(dict.fromkeys(("visible", "detectable", "split"), "float64"))
    customers, control = int(groups["customers"].sum()), int(groups["control"].sum())
    pooled = {
        "customers": customers,
        "control": control,
        "power": power(response, uplift, control, customers - control),
        "detectable": detectable_uplift(response, customers / 2, customers / 2),
        "split": control_share_needed(customers, response, uplift),
    }
    assumed = {"response": response, "uplift": uplift, "share": part}
    record = assumed | {"power": POWER, "alpha": ALPHA, "groups": groups.to_dict("records")}
    return record | {"pooled": pooled, "sentences": _power_sentences(groups, pooled, uplift)}


def _power_sentences(groups: pd.DataFrame, pooled: dict[str, Any], uplift: float) -> list[Claim]:
    """Say which lists show the uplift, what helps the others, and nothing that cannot help."""
    what, short = f"an uplift of {points(uplift)} points", groups[~groups["enough"]]
    helped, hopeless = short[short["split"].notna()], short[short["split"].isna()]
    enough = [printable(name) for name in groups.loc[groups["enough"], "name"]]
    larger = [
        f"{printable(n)} {share(s)}" for n, s in zip(helped["name"], helped["split"], strict=True)
    ]
    too_few = [printable(name) for name in hopeless["name"]]
    numbers: dict[str, float] = {"lists": len(groups), "enough": len(enough), "helped": len(helped)}
    numbers |= {"hopeless": len(hopeless), "uplift": uplift}
    numbers |= {"power": pooled["power"], "split": pooled["split"]}
    needed = {f"split_{place}": part for place, part in enumerate(helped["split"])}
    all_lists = "All lists judged together"
    several = "lists > 1 and enough < lists"
    said = [
        claim(
            numbers,
            ("enough == lists", f"Every control group is large enough to show {what}."),
            ("enough > 0", f"Large enough to show {what}: {joined(enough)}."),
        ),
        claim(
            numbers | needed,
            ("helped > 0", f"A larger control share would show it: {joined(larger)}."),
        ),
        claim(
            numbers, ("hopeless > 0", f"Too few to show {what} at any split: {joined(too_few)}.")
        ),
        claim(
            numbers,
            (
                f"{several} and power >= {POWER}",
                f"{all_lists} show it with a chance of {share(pooled['power'])}.",
            ),
            (
                f"{several} and split > 0",
                f"{all_lists} need a control share of {share(pooled['split'])}.",
            ),
            (f"{several}", f"{all_lists} are too few as well."),
        ),
    ]
    return [text for text in said if text]
