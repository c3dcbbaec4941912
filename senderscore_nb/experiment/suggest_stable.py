"""Cut-offs that flip least, and cut-offs that cost least."""

from __future__ import annotations

import numpy as np
import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.points import EDGE_ROUNDING, Array
from senderscore_nb.experiment.repeats import chances_from
from senderscore_nb.experiment.suggest import band_count
from senderscore_nb.experiment.suggestion import Scores, Suggestion, best_partition, edge_between
from senderscore_nb.policy import ScoringPolicy, load_policy

_CANDIDATES = 100  # edges that are tried, evenly over the scale
_CHUNK = 10
_LIGHT = 1e-9


def suggest_stable(
    policy: ScoringPolicy | str,
    scored: pl.DataFrame,
    *,
    bands: int | None = None,
    least_share: float = 0.1,
    n: int | None = None,
) -> Suggestion:
    """The cut-offs at which bands flip least, while every band keeps a minimum of the senders.

    Without the minimum the most stable policy puts everybody into one band. A band's share is that
    of all periods that would show it, so that no band is made of two senders' luck. Of all edges
    at whole hundredths of the scale the best are found, not just good ones: that two periods agree
    is a sum over bands, so dynamic programming applies.

    Args:
        policy: The present policy, whose points are kept.
        scored: As `senderscore_nb.score.score` returns it under that policy, one row a sender.
        bands: How many; as many as at present unless given.
        least_share: Fraction that each band must hold.
        n: Ended enrollments in a period; the senders' median unless given.

    Raises:
        SenderScoreError: No such edges leave every band its share, or an option is impossible.
    """
    policy = load_policy(policy)
    scores, count = Scores.of(policy, scored), band_count(policy, bands)
    size = scores.size if n is None else n
    if size < 1 or not 0 <= least_share < 1:
        raise SenderScoreError(
            f"Expected n from 1 on and a least share from 0 to below 1; found {size} and "
            f"{least_share:g}."
        )
    edges = np.round(np.arange(1, _CANDIDATES) * policy.most / _CANDIDATES, 6)
    stays, reached = _stays(scores, edges, size)
    share = reached[:, None] - reached[None, :]
    stays[share < max(least_share, 1e-9)] = -np.inf
    found = best_partition(len(edges) + 1, count, lambda j: stays[:j, j])
    if found is None:
        raise SenderScoreError(
            f"No {count} bands hold {100 * least_share:g} % each.",
            hint="Ask for fewer bands or a smaller share.",
        )
    chosen = [float(edges[i - 1]) for i in found[0]]
    reason = (
        f"Of all {count} bands that hold at least {100 * least_share:g} % each, these change least "
        f"by chance: between two periods of {size} ended enrollments in "
        f"{100 * (1 - found[1]):.0f} % of the cases."
    )
    return scores.suggestion("most stable", "stable", chosen, reason)


def _stays(scores: Scores, edges: Array, n: int) -> tuple[Array, Array]:
    """For each pair of edges the chance that two periods are between them; the share above each."""
    weights = scores.cohort.weights(n)
    together = weights.together
    heavy = together > _LIGHT
    above = [np.ones((1, np.count_nonzero(heavy)))]
    for i in range(0, len(edges), _CHUNK):
        part = chances_from(
            scores.present, weights.replies, weights.bounces, n, edges[i : i + _CHUNK].tolist()
        )
        above.append(part[:, heavy])
    reach = np.concatenate([*above, np.zeros_like(above[0])])
    products = (reach * together[heavy]) @ reach.T
    squares = np.diag(products)
    stays = squares[:, None] + squares[None, :] - 2 * products
    return np.asarray(stays), np.asarray(reach @ together[heavy])


def suggest_costs(
    policy: ScoringPolicy | str,
    scored: pl.DataFrame,
    *,
    false_alarm: float = 1.0,
    miss: float = 1.0,
) -> Suggestion:
    """The cut-offs at which wrong calls cost least, given what each of the two mistakes costs.

    The present edges are taken as the standards that true scores are held to. A false alarm puts a
    sender below a standard that the true score meets; a miss leaves one above a standard that it
    does not. A sender is best put below where the posterior probability of being below is more
    than false_alarm / (false_alarm + miss); the edge on the observed score is the one with the
    least expected cost over all senders (Berger 1985, Statistical Decision Theory, chapter 4).

    Args:
        policy: The present policy: points, and the standards.
        scored: As `senderscore_nb.score.score` returns it under that policy, one row a sender.
        false_alarm: Cost of a false alarm, above 0.
        miss: Cost of a miss, above 0.

    Raises:
        SenderScoreError: A cost is not above 0, or the policy has one band.
    """
    policy = load_policy(policy)
    if not (0 < false_alarm < np.inf and 0 < miss < np.inf):
        raise SenderScoreError(
            f"Costs are numbers above 0; found {false_alarm:g} for a false alarm and {miss:g} for "
            "a miss."
        )
    if len(policy.bands) < 2:
        raise SenderScoreError("The policy has one band, so there is no standard to miss.")
    scores = Scores.of(policy, scored)
    chances = scores.frame.select(f"p_{band.slug}" for band in policy.bands).to_numpy()
    edges: list[float] = []
    before = after = 0.0
    for place, band in enumerate(policy.bands[1:], start=1):
        below = chances[:, :place].sum(axis=1)
        costs = _costs(below, false_alarm, miss)
        cuts = [0, *scores.gaps, len(below)]
        present = int(np.searchsorted(scores.values, band.lower - EDGE_ROUNDING))
        # Of equally cheap cuts the present one, or the one nearest to it, stays.
        cut = min(cuts, key=lambda c: (round(float(costs[c]), 9), abs(c - present)))
        edges.append(_edge(scores, cut, band.lower, edges[-1] if edges else 0.0))
        reached = int(np.searchsorted(scores.values, edges[-1] - EDGE_ROUNDING))
        before, after = before + costs[present], after + costs[reached]
    level = false_alarm / (false_alarm + miss)
    reason = (
        f"A false alarm costs {false_alarm:g} and a miss {miss:g}, so a sender is best put below a "
        f"standard from a probability of {100 * level:.0f} % on that the true score is below it. "
        f"Over these senders the expected cost is {after:.2f} instead of {before:.2f}."
    )
    return scores.suggestion("least cost of mistakes", "costs", edges, reason)


def _costs(below: Array, false_alarm: float, miss: float) -> Array:
    """The expected cost of putting the first 0, 1, … senders below the standard."""
    alarms = np.concatenate([[0.0], np.cumsum((1 - below) * false_alarm)])
    misses = np.concatenate([np.cumsum((below * miss)[::-1])[::-1], [0.0]])
    return np.asarray(alarms + misses)


def _edge(scores: Scores, cut: int, present: float, least: float) -> float:
    """An edge with that many senders below it, the present one if it has, above the last edge."""
    low = scores.values[cut - 1] if cut > 0 else 0.0
    high = scores.values[cut] if cut < len(scores.values) else scores.present.most
    low = max(low, least)
    if low + 2 * EDGE_ROUNDING < present <= high + EDGE_ROUNDING:
        return present
    if high <= low + 2 * EDGE_ROUNDING:
        high = scores.present.most
    return edge_between(low, high)
