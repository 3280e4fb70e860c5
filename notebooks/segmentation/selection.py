"""How many segments: the elbow, the rule that decides, and words with a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from segmentation.errors import InputError

# Kaufman & Rousseeuw (1990), Finding Groups in Data, table 4.
SILHOUETTE_WORDS = ((0.25, "no substantial"), (0.50, "weak"), (0.70, "reasonable"))
NATURAL_SILHOUETTE = 0.50


def elbow(ks: np.ndarray, inertia: np.ndarray) -> int:
    """Return the k whose inertia lies farthest below the chord from the first to the last.

    Both axes are scaled to 0..1 first, so that units do not matter (Satopaa et al. 2011).

    Parameters
    ----------
    ks, inertia : ndarray, shape (n_ks,)
    """
    x = (np.asarray(ks, float) - ks[0]) / (ks[-1] - ks[0])
    y = (np.asarray(inertia, float) - inertia[-1]) / (inertia[0] - inertia[-1])
    return int(ks[int(np.argmax(1 - x - y))])


@dataclass(frozen=True)
class Choice:
    """The chosen number of segments and what the single criteria would have said.

    Attributes
    ----------
    k : int
    qualified : tuple of int
        Every k in the actionable range that is stable enough and has no tiny segment.
    by_hand : bool
        Whether the user set k.
    elbow, silhouette : int
        What the elbow alone and the mean silhouette alone would pick.
    """

    k: int
    qualified: tuple[int, ...]
    by_hand: bool
    elbow: int
    silhouette: int
    reason: str

    @property
    def reproducible(self) -> bool:
        """Whether the chosen k meets the rule's conditions."""
        return self.k in self.qualified


def choose_k(
    scan: pd.DataFrame,
    *,
    lowest: int = 3,
    highest: int = 8,
    stability: float = 0.85,
    smallest: float = 0.02,
    by_hand: int = 0,
) -> Choice:
    """Choose the number of segments by the rule.

    The largest k in the actionable range whose mean adjusted Rand index over pairs of bootstrap
    fits reaches ``stability`` (Dolnicar & Leisch 2010) and whose smallest segment holds at least
    the share ``smallest`` of the customers; where none qualifies, the most stable k in the range.

    Parameters
    ----------
    scan : DataFrame, indexed by k
        With the columns ``stability``, ``smallest_share``, ``silhouette`` and ``inertia``.
    by_hand : int
        A k that the user has set; 0 lets the rule decide.

    Raises
    ------
    InputError
        If the k set by hand was not scanned, or the actionable range holds no scanned k.
    """
    actionable = scan.loc[lowest:highest]
    if by_hand and by_hand not in scan.index:
        raise InputError(
            f"k = {by_hand} is outside the scan",
            where=f"parameters k, k_min = {scan.index.min()} and k_max = {scan.index.max()}",
            remedy="set k inside the scan, or widen k_min and k_max",
        )
    if actionable.empty:
        raise InputError(
            f"no scanned k lies in the actionable range {lowest} to {highest}",
            where="parameters k_min, k_max, actionable_min, actionable_max",
            remedy="let the two ranges overlap",
        )
    enough = (actionable["stability"] >= stability) & (actionable["smallest_share"] >= smallest)
    qualified = tuple(int(k) for k in actionable.index[enough])
    if by_hand:
        k, reason = by_hand, "set by hand"
    elif qualified:
        k, reason = max(qualified), "the largest reproducible number of segments"
    else:
        k = int(actionable["stability"].idxmax())
        reason = "the most stable number of segments, though none is reproducible"
    return Choice(
        k=int(k),
        qualified=tuple(
            int(n)
            for n in scan.index[
                (scan["stability"] >= stability) & (scan["smallest_share"] >= smallest)
            ]
        )
        if by_hand
        else qualified,
        by_hand=bool(by_hand),
        elbow=elbow(scan.index.to_numpy(), scan["inertia"].to_numpy()),
        silhouette=int(scan["silhouette"].idxmax()),
        reason=reason,
    )


def silhouette_word(value: float) -> str:
    """Return Kaufman & Rousseeuw's (1990) word for the structure behind a mean silhouette."""
    return next((word for limit, word in SILHOUETTE_WORDS if value <= limit), "strong")


@dataclass(frozen=True)
class Verdict:
    """How far the segments can be trusted, and why.

    ``word`` is "natural", "reproducible" or "constructed".
    """

    word: str
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What the word means for whoever uses the segments."""
        return {
            "natural": "The segments are groups that stand apart in the data.",
            "reproducible": "The customers form a continuum. The segments divide it in a way "
            "that comes back on other customers of the same kind.",
            "constructed": "The segments are a useful division at most. Other customers of the "
            "same kind could be divided differently.",
        }[self.word]


def verdict(
    *,
    stability: float,
    silhouette: float,
    null_silhouettes: dict[str, float],
    gap_k: int | None = None,
    gap_is_open: bool = False,
    needed_stability: float = 0.85,
) -> Verdict:
    """Judge a solution against resamples and against data without segments.

    *Natural* needs a reasonable silhouette (above .50, Kaufman & Rousseeuw 1990) that lies above
    what every kind of structureless data reached, a gap statistic that sees more than one
    segment, and reproducibility. *Reproducible* needs the last of these only.

    Parameters
    ----------
    stability : float
        Mean adjusted Rand index over pairs of bootstrap fits at the chosen k.
    silhouette : float
        Mean silhouette at the chosen k.
    null_silhouettes : dict of str to float
        The largest mean silhouette at that k on each kind of structureless data.
    gap_k : int, optional
        The number of segments that the gap statistic chooses.
    gap_is_open : bool
        Whether the gap statistic was still rising at the end of the scan.
    """
    stable = stability >= needed_stability
    clear = silhouette > NATURAL_SILHOUETTE
    beyond = all(silhouette > null for null in null_silhouettes.values())
    gap = gap_k is None or gap_k > 1
    reasons = [
        f"Fits on other samples agree to an adjusted Rand index of {stability:.2f}; "
        f"{needed_stability:.2f} is {'reached' if stable else 'not reached'}.",
        f"The mean silhouette of {silhouette:.2f} means {silhouette_word(silhouette)} structure "
        "(Kaufman & Rousseeuw 1990).",
    ]
    if null_silhouettes:
        listed = ", ".join(f"{value:.2f} on {name}" for name, value in null_silhouettes.items())
        relation = "more than" if beyond else "not more than"
        reasons.append(f"That is {relation} on data without segments: at most {listed}.")
    if gap_k is not None:
        found = f"sees {gap_k} groups" if gap_k > 1 else "sees no more than one group"
        if gap_is_open:
            found = f"rises to the end of the scan (k = {gap_k}) and sees no particular number"
        reasons.append(f"The gap statistic {found}.")
    word = "constructed"
    if stable:
        word = "natural" if clear and beyond and gap else "reproducible"
    return Verdict(word, tuple(reasons))
