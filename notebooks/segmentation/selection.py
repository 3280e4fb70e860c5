"""The number of segments: the elbow, the rule that decides, and the verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from customer_tables.text import joined
from segmentation.claims import Claim, claim, together
from segmentation.kmeans import KMeansFit, join_pair, order_by, refine, scan_kmeans
from segmentation.profiling import segment_means
from segmentation.separation import MIN_MEMBERS, least_apart, without_ends
from segmentation.stability import Resamples, resample_scan

# Kaufman & Rousseeuw (1990), Finding Groups in Data, table 4.
SILHOUETTE_WORDS = ((0.25, "no substantial"), (0.50, "weak"), (0.70, "reasonable"))
LOWEST, HIGHEST = 3, 8  # the actionable range, unless said otherwise
NATURAL_VALLEY = 1 / 3  # the density between two groups that stand apart, of the lower peak
NATURAL_JACCARD = 0.85  # Hennig (2007): each of the groups highly stable
STABLE_JACCARD = 0.75  # Hennig (2007): a valid, stable segment
AGREEMENT = 0.80  # mean adjusted Rand index below which a partition is not found again
TOLERANCE = 0.06  # difference in adjusted Rand index up to which two k are about equally stable
EXCESS = 0.02  # excess over the mean silhouette of null reference data that counts as clearer


def elbow(ks: np.ndarray, inertia: np.ndarray) -> int:
    """Return the k whose inertia lies farthest below the chord from the first to the last.

    Both axes are scaled to 0..1 first, so that units do not matter (Satopaa et al. 2011). Where
    there is no curve to bend, the first k is returned.
    """
    if len(ks) < 3 or inertia[0] == inertia[-1]:
        return int(ks[0])
    x = (np.asarray(ks, float) - ks[0]) / (ks[-1] - ks[0])
    y = (np.asarray(inertia, float) - inertia[-1]) / (inertia[0] - inertia[-1])
    return int(ks[int(np.argmax(1 - x - y))])


@dataclass(frozen=True)
class Choice:
    """The chosen number of segments.

    A k of the actionable range, or one set by hand, qualifies if its segments are each found again
    and none is tiny.
    """

    k: int
    qualified: tuple[int, ...]
    natural: tuple[int, ...]  # every k of the whole scan at which groups stand apart
    by_hand: bool
    reason: Claim

    @property
    def apart(self) -> bool:
        """Whether the chosen segments are groups that stand apart."""
        return self.k in self.natural and self.k in self.qualified

    def state(self, clearer: bool) -> str:
        """Return *natural*, *reproducible* or *constructed* (Dolnicar & Leisch 2010).

        Only segments clearer than those of null reference data are called reproducible. Without
        groups, a sample can favour one of several partitions in all of its resamples, and a new
        sample another; results/decision shows how often this condition still lets that pass.
        """
        if self.apart:
            return "natural"
        return "reproducible" if self.k in self.qualified and clearer else "constructed"


def choose_k(
    scan: pd.DataFrame,
    *,
    customers: int,
    lowest: int = LOWEST,
    highest: int = HIGHEST,
    smallest: float = 0.02,
    by_hand: int = 0,
    join: str = "",
) -> Choice:
    """Choose the number of segments by the rule.

    A k of the actionable range qualifies if its smallest segment holds the share `smallest` of the
    customers, up to its sampling error, and if it is found again: as a whole (mean adjusted Rand
    index of pairs of bootstrap fits of at least `AGREEMENT`, Dolnicar & Leisch 2010) and in each
    segment (mean Jaccard similarity of at least `STABLE_JACCARD`, Hennig 2007). Of those, the
    largest whose adjusted Rand index lies within `TOLERANCE` of the best is chosen; where none
    qualifies, the most stable; where groups stand apart (`natural_ks`), the largest such k of the
    range without a tiny segment.

    Parameters
    ----------
    scan : DataFrame, indexed by k
        With ``stability``, ``smallest_share``, ``worst_jaccard`` and `separation_over_k`.
    by_hand : int
        A k that the user has set; 0 lets the rule decide.
    join : str
        The segments that the user has joined to arrive at this k, as `join_by_hand` takes them.
    """
    _check_range(scan, lowest, highest, by_hand)
    error = np.sqrt(smallest * (1 - smallest) / customers)
    sizeable = scan["smallest_share"] >= smallest - 1.645 * error
    again = (scan["stability"] >= AGREEMENT) & (scan["worst_jaccard"] >= STABLE_JACCARD)
    natural = natural_ks(scan)
    actionable = scan.loc[lowest:highest]
    possible = scan.index[sizeable & (again | scan.index.isin(natural))]
    qualified = [k for k in possible if k in actionable.index or k == by_hand]
    apart = [k for k in natural if k in qualified]
    if by_hand:
        k = by_hand
    elif apart:
        k = max(apart)
    elif qualified:
        stable = scan.loc[qualified, "stability"]
        k = stable.index[stable >= stable.max() - TOLERANCE].max()
    else:
        k = actionable["stability"].idxmax()
    numbers = {
        "by_hand": by_hand > 0,
        "apart": len(apart),
        "qualified": len(qualified),
        "k": k,
        "behind": actionable["stability"].max() - scan.loc[k, "stability"],
        "lowest": actionable.index.min(),
        "highest": actionable.index.max(),
    }
    return Choice(
        k=int(k),
        qualified=tuple(int(n) for n in qualified),
        natural=tuple(natural),
        by_hand=bool(by_hand),
        reason=_reason(numbers, join),
    )


def _reason(numbers: dict[str, float], join: str) -> Claim:
    """Say why a k was chosen, whose stability is `behind` the best of the actionable range."""
    pairs = pairs_to_join(join)
    larger = range(int(numbers["k"]) + len(pairs), int(numbers["k"]), -1)
    said = [f"{a} and {b} of k = {k}" for (a, b), k in zip(pairs, larger, strict=True)]
    numbers |= {f"joined_{n}_{s}": s for n, pair in enumerate(pairs) for s in pair}
    numbers |= {"joined": len(pairs)} | {f"of_{k}": k for k in larger}
    of_range = f"of {numbers['lowest']} to {numbers['highest']}"
    largest = f"the largest number {of_range} that is about as stable as the most stable"
    return claim(
        numbers,
        ("by_hand == 1 and joined > 0", f"set by hand, with segments {', '.join(said)} joined"),
        ("by_hand == 1", "set by hand"),
        ("apart > 0", "the largest number of groups that stand apart"),
        ("qualified == 0", f"the most stable {of_range}, though none meets the rule"),
        ("behind <= 0", f"the most stable {of_range}"),
        ("behind > 0", largest),
    )


def pairs_to_join(join: str) -> list[tuple[int, int]]:
    """Read pairs of segments, such as ``2+5`` or ``2+5, 1+3``.

    Raises
    ------
    UserError
        If they are no pairs of different numbers from 1.
    """
    texts = join.split(",") if join else []
    pairs = [re.fullmatch(r"\s*([1-9]\d?)\+([1-9]\d?)\s*", text, re.ASCII) for text in texts]
    if not all(pair and pair[1] != pair[2] for pair in pairs):
        raise UserError(
            f"{join[:80]!r} are no pairs of segments",
            where="parameter join",
            remedy='write two numbers with a plus, such as "2+5"; more pairs after a comma',
        )
    return [(int(pair[1]), int(pair[2])) for pair in pairs if pair]


def join_by_hand(
    matrix: np.ndarray,
    fits: Mapping[int, KMeansFit],
    join: str,
    k: int,
    everybody: np.ndarray,
    key: np.ndarray,
) -> tuple[dict[int, KMeansFit], list[Claim]]:
    """Join segments of a scan, a pair at a time, and let K-Means go on from there to k segments.

    Parameters
    ----------
    join : str
        Pairs of segments; the first of the solution with as many more segments as there are pairs.
    everybody, key : ndarray, shape (n, d) and (n,)
        All customers, and the value by which a report orders their segments.

    Returns
    -------
    dict of int to KMeansFit, list of Claim
        The solutions in place of those of the scan, and how far each is from the lowest inertia.

    Raises
    ------
    UserError
        If there is no such segment, or no k.
    """
    pairs, found, said = pairs_to_join(join), dict(fits), []
    for less, pair in zip(range(k + len(pairs) - 1, k - 1, -1), pairs, strict=True):
        if not k or not {less, less + 1} <= found.keys() or max(pair) > less + 1:
            raise UserError(
                f"segments {pair[0]} and {pair[1]} of k = {less + 1} cannot be joined",
                where=f"parameters join and k; the scan goes from {min(fits)} to {max(fits)}",
                remedy="set k to the number of segments that shall remain",
            )
        fit, before, places = found[less + 1], found[less], [one - 1 for one in pair]
        fit = order_by(fit, segment_means(key, refine(everybody, fit.centres).labels))
        after = join_pair(matrix, fit.labels, fit.centres, places)
        both = np.isin(fit.labels, places)
        found[less] = replace(after, inertias=before.inertias)
        values: dict[str, float] = {"first": pair[0], "second": pair[1], "k": less + 1}
        values["kept"] = np.bincount(after.labels[both]).max() / both.sum()
        values["above"] = after.inertia / before.inertia - 1
        text = (
            f"Segments {pair[0]} and {pair[1]} of k = {less + 1} were joined by hand, and K-Means "
            f"continued from there: {values['kept']:.0%} of their members are in one segment. "
            "The inertia is "
        )
        lowest = "above the lowest that the scan found for this k."
        said.append(
            claim(
                values,
                ("above >= 0.0005", f"{text}{values['above']:.1%} {lowest}"),
                ("above < 0.0005", f"{text}less than 0.05% {lowest}"),
            )
        )
    return found, said


def _check_range(scan: pd.DataFrame, lowest: int, highest: int, by_hand: int) -> None:
    """Refuse a k set by hand that was not scanned, and a rule without a k to choose from."""
    if by_hand and by_hand not in scan.index:
        raise UserError(
            f"k = {by_hand} is outside the scan",
            where="k of dataset.toml or of the command; "
            f"k_min = {scan.index.min()} and k_max = {scan.index.max()}",
            remedy="set k inside the scan, or widen k_min and k_max",
        )
    if scan.loc[lowest:highest].empty and not by_hand:
        raise UserError(
            f"no scanned k lies in the actionable range {lowest} to {highest}",
            where="parameters k_min, k_max, actionable_min, actionable_max",
            remedy="let the two ranges overlap",
        )


def natural_ks(scan: pd.DataFrame) -> list[int]:
    """List every k of a scan at which groups stand apart.

    There is a gap between any two of them, and each is found again on bootstrap samples.
    """
    apart = (scan["valley"] <= NATURAL_VALLEY) & (scan["apart_jaccard"] >= NATURAL_JACCARD)
    return [int(k) for k in scan.index[apart]]


def decide(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    n_init: int = 3,
    pairs: int = 20,
    seed: int = 20,
    **rule: Any,
) -> tuple[Choice, pd.DataFrame, dict[int, float]]:
    """Scan, resample and choose in one go, as notebook 04 does step by step.

    The settings of the rule are those of `choose_k`. Returned are the choice, the statistics that
    the rule uses, by k, and the `choice_frequency`.
    """
    fits = scan_kmeans(matrix, ks, n_init=n_init, seed=seed, sweeps=1)
    resampled = resample_scan(matrix, fits, resamples=2 * pairs, seed=seed)
    scan = stability_over_k(resampled).join(separation_over_k(matrix, fits, seed=seed))
    rule["customers"] = len(matrix)
    return choose_k(scan, **rule), scan, choice_frequency(scan, resampled, seed=seed, **rule)


def stability_over_k(resampled: Mapping[int, Resamples]) -> pd.DataFrame:
    """Tabulate, by k, the mean agreement of pairs of fits, its spread, and the worst segment's."""
    rows = {
        k: (found.agreement.mean(), found.agreement.std(), found.jaccard.mean(axis=0).min())
        for k, found in resampled.items()
    }
    columns = ["stability", "stability_spread", "worst_jaccard"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("k")


def separation_over_k(
    matrix: np.ndarray, fits: Mapping[int, KMeansFit], *, seed: int = 20
) -> pd.DataFrame:
    """Tabulate, by k, the smallest segment's share and the density between segments.

    Returns
    -------
    DataFrame, indexed by k
        smallest_share; valley, between the two segments that are least apart, in
        `separation.without_ends` of the matrix (NaN where a segment is too small to say);
        valley_with_ends, the same in the matrix itself;
        and, where the valley is a gap, apart_jaccard: the mean Jaccard similarity of the least
        stable segment in refits that begin at the solution, too (else NaN).
    """
    amounts, rows = without_ends(matrix, seed=seed), {}
    for k, fit in fits.items():
        depth = least_apart(amounts, fit.labels)
        rows[k] = {
            "smallest_share": np.bincount(fit.labels).min() / len(matrix),
            "valley": depth,
            "valley_with_ends": least_apart(matrix, fit.labels),
            "apart_jaccard": float("nan"),
        }
        if depth <= NATURAL_VALLEY:
            found = resample_scan(matrix, {k: fit}, resamples=20, seed=seed, from_solution=True)[k]
            rows[k]["apart_jaccard"] = found.jaccard.mean(axis=0).min()
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")


def choice_frequency(
    scan: pd.DataFrame,
    resampled: Mapping[int, Resamples],
    *,
    draws: int = 400,
    seed: int = 20,
    **rule: Any,
) -> dict[int, float]:
    """Return how often each k would be chosen, over bootstrap samples of the pairs of fits.

    Each pair has samples and seeds of its own, so other pairs stand for other samples and seeds.
    `scripts/simulate_decision.py` compares the frequencies with those on new tables. Scan and rule
    are those of `choose_k`. The shares sum to 1; there are none where no k of the actionable range
    was scanned.
    """
    rng, chosen = np.random.default_rng(seed), []
    rule["by_hand"] = 0
    if scan.loc[rule.get("lowest", LOWEST) : rule.get("highest", HIGHEST)].empty:
        return {}
    pairs = len(next(iter(resampled.values())).agreement)
    for _ in range(draws):
        drawn = rng.integers(0, pairs, pairs)
        refits = np.concatenate([2 * drawn, 2 * drawn + 1])
        table = scan.assign(
            stability=[found.agreement[drawn].mean() for found in resampled.values()],
            worst_jaccard=[
                found.jaccard[refits].mean(axis=0).min() for found in resampled.values()
            ],
        )
        chosen.append(choose_k(table, **rule).k)
    return pd.Series(chosen).value_counts(normalize=True).sort_index().to_dict()


def silhouette_word(value: float) -> Claim:
    """Return Kaufman & Rousseeuw's (1990) word for the structure behind a mean silhouette."""
    options = [(f"not silhouette > {limit}", word) for limit, word in SILHOUETTE_WORDS]
    return claim({"silhouette": value}, *options, ("silhouette == silhouette", "strong"))


@dataclass(frozen=True)
class Verdict:
    """How far the segments can be trusted, and why.

    The reasons answer three questions: are there groups? would the partition be found again? is it
    clearer than null reference data?
    """

    word: Claim  # "natural", "reproducible" or "constructed" (Dolnicar & Leisch 2010)
    sentence: Claim  # what the word means for those who use the segments
    clearer: bool  # than the segments of null reference data
    reasons: tuple[Claim, Claim, Claim]


def verdict(
    scan: pd.DataFrame, choice: Choice, null_scan: pd.DataFrame, *, actionable: tuple[int, int]
) -> Verdict:
    """Judge the chosen solution: three questions, each by its own evidence.

    The scan is as for `choose_k`, with silhouette and valley_with_ends, and `actionable` the
    smallest and the largest k of the actionable range. Of `null_scan`, permuted columns do not
    count: they keep a column with two peaks, and with it the groups.
    """
    at = scan.loc[choice.k]
    references = null_scan[(null_scan["k"] == choice.k) & (null_scan["null"] != "permuted")]
    highest = references["silhouette"].max()
    clearer = bool(at["silhouette"] >= highest + EXCESS)
    numbers = {
        "silhouette": at["silhouette"],
        "null": highest,
        "stability": at["stability"],
        "null_stability": references["stability"].max(),
        "qualified": choice.k in choice.qualified,
        "apart": choice.apart,
    }
    again = f"adjusted Rand index {at['stability']:.2f}"
    if references["stability"].notna().any():
        again += f"; null reference data reach {references['stability'].max():.2f}"
    clear = f"silhouette >= null + {EXCESS}"
    as_clear = "null reference data give segments that are about as clear"
    differently = "another sample of similar customers could be partitioned differently"
    why = [
        claim(numbers, (f"not {clear}", as_clear)),
        claim(numbers, ("qualified == 0", differently)),
    ]
    found_again = f"apart == 0 and qualified == 1 and {clear}"
    condition, meaning = {
        "natural": ("apart == 1", "The segments are groups that stand apart in the data."),
        "reproducible": (
            found_again,
            "The partition is found again in new samples of similar customers "
            f"({again}); treat the boundaries between its segments as a convention.",
        ),
        "constructed": (
            f"not ({found_again})",
            f"The segments are one possible partition ({again}): {joined([*filter(None, why)])}.",
        ),
    }[choice.state(clearer)]
    word = claim(numbers, (condition, choice.state(clearer)))
    sentence = claim(numbers, (condition, meaning))
    if not choice.apart:
        elsewhere = _elsewhere(choice, actionable)
        sentence = together(f"{elsewhere} {sentence}", [elsewhere, sentence, *why])
    found = _found_again(at, references["stability"].dropna())
    beside = _beside_null(numbers, clear)
    return Verdict(word, sentence, clearer, (_groups(scan, choice, actionable), found, beside))


def _beside_null(numbers: dict[str, float], clear: str) -> Claim:
    """Hold the silhouette against that of null reference data; `clear` says when it is clearer."""
    structure = claim(
        numbers,
        (
            "silhouette <= 1",
            f"The mean silhouette is {numbers['silhouette']:.2f} "
            f"({silhouette_word(numbers['silhouette'])} structure, Kaufman & Rousseeuw 1990); "
            f"on null reference data, at most {numbers['null']:.2f}. ",
        ),
    )
    beside = claim(
        numbers,
        (clear, "The segments are clearer than those of null reference data."),
        (
            "apart == 1",
            "That does not count here: null reference data keep gaps in single columns.",
        ),
        (
            f"not {clear} and silhouette > null",
            f"The difference is less than {EXCESS}, which does not count as clearer.",
        ),
        (f"not {clear}", "The segments are no clearer than those of null reference data."),
    )
    return together(structure + beside, [structure, beside])


def _elsewhere(choice: Choice, actionable: tuple[int, int]) -> Claim:
    """Say in one sentence whether there are groups, where the chosen segments are none."""
    ks = joined([str(k) for k in choice.natural])
    low, high = actionable
    numbers = {f"natural_{k}": k for k in choice.natural} | {"low": low, "high": high}
    numbers |= {"natural": len(choice.natural), "here": choice.k in choice.natural}
    numbers["inside"] = sum(low <= k <= high for k in choice.natural)
    apart = f"Groups stand apart at k = {ks}"
    return claim(
        numbers,
        ("natural == 0", "No separate groups were shown."),
        ("here == 1", f"{apart}; at this k, one of them is tiny."),
        ("inside == 0", f"{apart}, outside the actionable range of {low} to {high}."),
        ("here == 0", f"{apart}, not at this k."),
    )


def _groups(scan: pd.DataFrame, choice: Choice, actionable: tuple[int, int]) -> Claim:
    """Answer whether there are groups, from the density between segments."""
    at = scan.loc[choice.k]
    valley, gap = at["valley"], f"valley <= {NATURAL_VALLEY}"
    least = f"at most {math.ceil(round(100 * valley, 6))}% of the lower peak" if valley > 0 else ""
    between = f"At k = {choice.k} the density of customers between the two segments least apart"
    density = claim(
        {
            "k": choice.k,
            "apart": choice.apart,
            "valley": valley,
            "unknown": np.isnan(valley),
            "jaccard": at["apart_jaccard"],
        },
        (
            "apart == 1",
            f"Groups stand apart: between any two of the {choice.k} segments the density of "
            f"customers falls to {least or 'nothing'}.",
        ),
        (
            "unknown == 1",
            f"At k = {choice.k} a segment has fewer than {MIN_MEMBERS} members, too few to show a "
            "gap.",
        ),
        (
            f"not {gap}",
            f"{between} is still {valley:.0%} of the lower peak; up to {NATURAL_VALLEY:.0%} would "
            "be a gap.",
        ),
        (
            gap,
            f"{between} falls to {valley:.0%} of the lower peak, which is a gap; but as groups "
            f"that stand apart, the least stable has a Jaccard similarity of "
            f"{at['apart_jaccard']:.2f} with its best match ({NATURAL_JACCARD:.2f} is needed).",
        ),
    )
    # Where no groups were shown, the verdict's own sentence says it already.
    parts = [_elsewhere(choice, actionable)] if choice.natural and not choice.apart else []
    gaps = scan.index[
        (scan["valley_with_ends"] <= NATURAL_VALLEY) & (scan["valley"] > NATURAL_VALLEY)
    ]
    ends = claim(
        {f"gap_{k}": k for k in gaps} | {"gaps": len(gaps)},
        (
            "gaps > 0",
            f"The gaps at k = {joined([str(k) for k in gaps])} are only those at the ends of "
            "columns, for example between customers with a zero and the others.",
        ),
    )
    parts += [density] if choice.apart else [density, ends]
    return together(" ".join(filter(None, parts)), parts)


def _found_again(at: pd.Series, null_stability: pd.Series) -> Claim:
    """Answer whether the partition would be found again, beside null reference data."""
    low, high = null_stability.min(), null_stability.max()
    numbers = {"stability": at["stability"], "worst_jaccard": at["worst_jaccard"]}
    numbers |= {"null_lowest": low, "null_highest": high, "stable": STABLE_JACCARD}
    text = (
        f"The mean adjusted Rand index of fits on two samples is {at['stability']:.2f}; the least "
        f"stable segment has a Jaccard similarity of {at['worst_jaccard']:.2f} with its best match "
        f"({STABLE_JACCARD:.2f} is stable, Hennig 2007)."
    )
    null = f" On null reference data, the index is {low:.2f} to {high:.2f}"
    parts = [
        claim(numbers, ("stability <= 1", text)),
        claim(
            numbers,
            (
                f"null_highest >= {AGREEMENT}",
                f"{null}: a partition without groups can be stable, too.",
            ),
            (f"null_highest < {AGREEMENT}", f"{null}."),
        ),
    ]
    return together("".join(parts), parts)
