"""How many segments: the elbow, the rule that decides, and words with a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customer_tables.errors import UserError

# Kaufman & Rousseeuw (1990), Finding Groups in Data, table 4.
SILHOUETTE_WORDS = ((0.25, "no substantial"), (0.50, "weak"), (0.70, "reasonable"))
# What makes a solution natural; found on 20 seeds each of blobs, single Gaussians, uniform squares,
# and independent columns with normal, heavy-tailed and yes/no values: all blobs pass, none of the
# others.
NATURAL_SILHOUETTE = 0.50  # above it Kaufman & Rousseeuw speak of a reasonable structure
EMPTY_BORDERS = 0.02  # share of customers near a border that still leaves empty space there
NATURAL_EXCESS = 0.10  # above the best that data without segments reached
VALID_JACCARD = 0.85  # Hennig (2007): every segment highly stable


def elbow(ks: np.ndarray, inertia: np.ndarray) -> int:
    """Return the k whose inertia lies farthest below the chord from the first to the last.

    Both axes are scaled to 0..1 first, so that units do not matter (Satopaa et al. 2011).

    Parameters
    ----------
    ks, inertia : ndarray, shape (n_ks,)
        Ascending in k; where there is no curve to bend, the first k is returned.
    """
    if len(ks) < 3 or inertia[0] == inertia[-1]:
        return int(ks[0])
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
        Every k in the actionable range, and the one set by hand, that is stable enough and has no
        tiny segment.
    by_hand : bool
        Whether the user set k.
    elbow, silhouette : int
        What the elbow alone and the mean silhouette alone would pick.
    """

    k: int
    qualified: tuple[int, ...]
    natural: tuple[int, ...]
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

    Where groups stand apart (`natural_ks`) there is no reason to prefer more segments: half of a
    compact group is stable, too. Then it is the natural k with the highest silhouette, which
    measures how clearly they stand apart.

    Parameters
    ----------
    scan : DataFrame, indexed by k
        With the columns ``stability``, ``smallest_share``, ``silhouette``, ``inertia``,
        ``null_silhouette`` (the largest on null reference data), ``worst_jaccard`` (mean
        Jaccard similarity of the least stable segment) and ``border_share`` (of customers about
        as near to a second centre).
    by_hand : int
        A k that the user has set; 0 lets the rule decide.

    Raises
    ------
    UserError
        If the k set by hand was not scanned, or, where the rule decides, the actionable range
        holds no scanned k.
    """
    _check_range(scan, lowest, highest, by_hand)
    actionable = scan.loc[lowest:highest]
    enough = (scan["stability"] >= stability) & (scan["smallest_share"] >= smallest)
    qualified = [k for k in scan.index[enough] if k in actionable.index or k == by_hand]
    natural = [k for k in natural_ks(scan, stability) if k in qualified]
    if by_hand:
        k, reason = by_hand, "set by hand"
    elif natural:
        k = scan.loc[natural, "silhouette"].idxmax()
        reason = "the number at which groups stand apart most clearly"
    elif qualified:
        k, reason = max(qualified), "the largest reproducible number of segments"
    else:
        k = actionable["stability"].idxmax()
        reason = "the most stable number of segments, though none meets the rule"
    return Choice(
        k=int(k),
        qualified=tuple(int(n) for n in qualified),
        natural=tuple(int(n) for n in natural),
        by_hand=bool(by_hand),
        elbow=elbow(scan.index.to_numpy(), scan["inertia"].to_numpy()),
        silhouette=int(scan["silhouette"].idxmax()),
        reason=reason,
    )


def _check_range(scan: pd.DataFrame, lowest: int, highest: int, by_hand: int) -> None:
    """Refuse a k set by hand that was not scanned, and a rule without a k to choose from."""
    if by_hand and by_hand not in scan.index:
        raise UserError(
            f"k = {by_hand} is outside the scan",
            where=f"parameters k, k_min = {scan.index.min()} and k_max = {scan.index.max()}",
            remedy="set k inside the scan, or widen k_min and k_max",
        )
    if scan.loc[lowest:highest].empty and not by_hand:
        raise UserError(
            f"no scanned k lies in the actionable range {lowest} to {highest}",
            where="parameters k_min, k_max, actionable_min, actionable_max",
            remedy="let the two ranges overlap",
        )


def natural_ks(scan: pd.DataFrame, stability: float = 0.85) -> list[int]:
    """List every k at which groups stand apart, not a continuum cut into pieces.

    The silhouette lies clearly (`NATURAL_EXCESS`) above the best on data without segments, fits on
    other samples agree, every segment is stable, and there is space between the segments: the
    silhouette is reasonable (above `NATURAL_SILHOUETTE`), or hardly anybody stands near a border
    (`EMPTY_BORDERS`), which features that do not matter to the groups leave visible.

    Parameters
    ----------
    scan : DataFrame, indexed by k
        As for `choose_k`.
    """
    apart = (scan["silhouette"] > NATURAL_SILHOUETTE) | (scan["border_share"] <= EMPTY_BORDERS)
    clear = (
        apart
        & (scan["silhouette"] - scan["null_silhouette"] >= NATURAL_EXCESS)
        & (scan["stability"] >= stability)
        & (scan["worst_jaccard"] >= VALID_JACCARD)
    )
    return [int(k) for k in scan.index[clear]]


def silhouette_word(value: float) -> str:
    """Return Kaufman & Rousseeuw's (1990) word for the structure behind a mean silhouette."""
    return next((word for limit, word in SILHOUETTE_WORDS if not value > limit), "strong")


@dataclass(frozen=True)
class Verdict:
    """How far the segments can be trusted, and why.

    ``word`` is "natural", "reproducible" or "constructed".
    """

    word: str
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What the word means for those who use the segments."""
        return {
            "natural": "The segments are groups that stand apart in the data.",
            "reproducible": "The customers form a continuum. The segments divide it in a way "
            "that comes back on other customers of the same kind.",
            "constructed": "The segments are a useful division at most. Other customers of the "
            "same kind could be divided differently.",
        }[self.word]


def verdict(
    scan: pd.DataFrame,
    choice: Choice,
    *,
    null_silhouettes: dict[str, float],
    gap_k: int,
    needed_stability: float = 0.85,
) -> Verdict:
    """Judge a solution against resamples and against data without segments.

    *Natural*: the chosen k is among `natural_ks`. *Reproducible*: it meets the rule's conditions,
    though the data are a continuum. *Constructed*: neither. The gap statistic is reported and does
    not decide: it also sees one group in some data whose groups stand apart.

    Parameters
    ----------
    scan : DataFrame, indexed by k
        As for `choose_k`.
    null_silhouettes : dict of str to float
        The largest mean silhouette at the chosen k on each kind of null reference data.
    gap_k : int
        The number of segments that the gap statistic chooses.
    """
    word = "constructed"
    if choice.k in choice.natural:
        word = "natural"
    elif choice.reproducible:
        word = "reproducible"
    reasons = _reasons(scan.loc[choice.k], choice, null_silhouettes, needed_stability)
    if gap_k == scan.index.max():
        found = f"rises to the end of the scan (k = {gap_k})"
    else:
        found = f"sees {gap_k} groups" if gap_k > 1 else "sees no more than one group"
    return Verdict(word, (*reasons, f"The gap statistic {found}."))


def _reasons(
    at: pd.Series, choice: Choice, null_silhouettes: dict[str, float], needed: float
) -> list[str]:
    """Say what the scan holds at the chosen k, a sentence a statistic."""
    stable = at["stability"] >= needed
    digits = 2 if f"{at['stability']:.2f}" != f"{needed:.2f}" else 4
    listed = ", ".join(f"{value:.2f} on {name}" for name, value in null_silhouettes.items())
    relation = "more" if at["silhouette"] > max(null_silhouettes.values()) else "not more"
    tiny = f"The smallest segment holds {at['smallest_share']:.1%} of the customers, too few."
    return [
        f"Fits on other samples agree to an adjusted Rand index of {at['stability']:.{digits}f}; "
        f"{needed:.2f} is {'reached' if stable else 'not reached'}.",
        f"The least stable segment reaches a Jaccard similarity of {at['worst_jaccard']:.2f} with "
        f"its best match; {VALID_JACCARD:.2f} is highly stable (Hennig 2007).",
        f"The mean silhouette of {at['silhouette']:.2f} means {silhouette_word(at['silhouette'])} "
        "structure (Kaufman & Rousseeuw 1990).",
        f"That is {relation} than on data without segments: at most {listed}.",
        *([tiny] if stable and not choice.reproducible else []),
        f"{at['border_share']:.0%} of the customers stand near a border between two segments.",
    ]
