"""Cut-offs by how bands should fill: target shares, and two baselines without a purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from senderscore_nb.errors import SenderScoreError, did_you_mean
from senderscore_nb.experiment.points import Array, band_places
from senderscore_nb.experiment.suggestion import MOST_BANDS, Scores, Suggestion, best_partition
from senderscore_nb.policy import ScoringPolicy, load_policy


def suggest_shares(
    policy: ScoringPolicy | str,
    scored: pl.DataFrame,
    shares: Mapping[str, float] | Sequence[float],
) -> Suggestion:
    """Cut-offs at which each band holds a stated share of the senders.

    Equal scores are never parted, so shares are met as nearly as the scores allow.

    Args:
        policy: The present policy, whose points are kept.
        scored: As `senderscore_nb.score.score` returns it under that policy, one row a sender.
        shares: A fraction for each band of the policy by its name, or for each band from the
            lowest on; they add up to 1.

    Raises:
        SenderScoreError: The shares do not add up, name an unknown band, or there are too few
            different scores.
    """
    policy = load_policy(policy)
    wanted = _shares(policy, shares)
    said = ", ".join(f"{100 * share:g} %" for share in wanted)
    return _at_shares(
        Scores.of(policy, scored),
        wanted,
        purpose="target shares",
        word="shares",
        asked=f"bands should hold {said} of the senders from the lowest band on",
    )


def suggest_quantiles(
    policy: ScoringPolicy | str, scored: pl.DataFrame, *, bands: int | None = None
) -> Suggestion:
    """Cut-offs at quantiles: as many senders in one band as in another. A baseline, no purpose.

    Args:
        policy: The present policy, whose points are kept.
        scored: As for `suggest_shares`.
        bands: How many; as many as at present unless given.
    """
    policy = load_policy(policy)
    count = band_count(policy, bands)
    return _at_shares(
        Scores.of(policy, scored),
        [1 / count] * count,
        purpose="quantiles (a baseline)",
        word="quantiles",
        asked=f"{count} bands should hold as many senders each",
    )


def suggest_natural_breaks(
    policy: ScoringPolicy | str, scored: pl.DataFrame, *, bands: int | None = None
) -> Suggestion:
    """Cut-offs where the scores leave gaps: least squares within bands. A baseline, no purpose.

    Exact, not iterative: Fisher 1958, JASA 53:789, known as Jenks' natural breaks.

    Args:
        policy: The present policy, whose points are kept.
        scored: As for `suggest_shares`.
        bands: How many; as many as at present unless given.
    """
    policy = load_policy(policy)
    scores, count = Scores.of(policy, scored), band_count(policy, bands)
    starts = [0, *scores.gaps]
    _require_different(len(starts), count)
    ends = [*starts[1:], len(scores.values)]
    found = best_partition(len(starts), count, _least_squares(scores.values, starts, ends))
    assert found is not None  # noqa: S101 - any division into non-empty bands is allowed
    within = -found[1]
    around = float(((scores.values - scores.values.mean()) ** 2).sum())
    explained = 1 - within / around if around > 0 else 1.0
    reason = (
        f"The {count} bands explain {100 * explained:.0f} % of the scores' variance, the most "
        f"that {count} bands can. Where the gaps are is this account's, and moves with it."
    )
    edges = scores.edges([starts[i] for i in found[0]])
    return scores.suggestion("natural breaks (a baseline)", "natural-breaks", edges, reason)


def _at_shares(
    scores: Scores, shares: Sequence[float], *, purpose: str, word: str, asked: str
) -> Suggestion:
    gaps = scores.gaps
    _require_different(len(gaps) + 1, len(shares))
    edges = scores.edges(_nearest_gaps(gaps, np.cumsum(shares)[:-1] * len(scores.values)))
    probe = scores.suggestion(purpose, word, edges, "").policy
    places = band_places(probe, scores.values)
    got = np.bincount(places, minlength=len(shares)) / len(places)
    met = ", ".join(f"{100 * share:.0f} %" for share in got)
    reason = f"Asked was that {asked}; with these scores it is {met}."
    return scores.suggestion(purpose, word, edges, reason)


def _nearest_gaps(gaps: Sequence[int], targets: Array) -> list[int]:
    """For each target the nearest gap, in order and none twice: least total distance."""
    distance = np.abs(np.subtract.outer(targets, np.asarray(gaps, dtype=np.float64)))
    total = np.full(len(gaps), 0.0)
    came: list[list[int]] = []
    for row, costs in enumerate(distance):
        if row == 0:
            total = costs.copy()
            continue
        best = np.minimum.accumulate(total)
        where = [int(np.argmin(total[: j + 1])) for j in range(len(gaps))]
        came.append([0, *where[:-1]])
        total = np.concatenate([[np.inf], best[:-1]]) + costs
    end = int(np.argmin(total))
    chosen = [end]
    for back in reversed(came):
        end = back[end]
        chosen.append(end)
    return [gaps[i] for i in reversed(chosen)]


def _least_squares(
    values: Array, starts: Sequence[int], ends: Sequence[int]
) -> Callable[[int], Array]:
    sums, squares = (np.concatenate([[0.0], np.cumsum(values**p)]) for p in (1, 2))
    first = np.asarray(starts)

    def gain(j: int) -> Array:
        i, end = first[:j], ends[j - 1]
        n = end - i
        return np.asarray(-(squares[end] - squares[i] - (sums[end] - sums[i]) ** 2 / n))

    return gain


def _shares(policy: ScoringPolicy, shares: Mapping[str, float] | Sequence[float]) -> list[float]:
    if isinstance(shares, Mapping):
        for name in shares:
            if name not in policy.band_names:
                raise SenderScoreError(
                    f"There is no band {name!r}.", hint=did_you_mean(name, policy.band_names)
                )
        wanted = [float(shares.get(name, 0.0)) for name in policy.band_names]
    else:
        wanted = [float(share) for share in shares]
    if not 2 <= len(wanted) <= MOST_BANDS or min(wanted) <= 0 or abs(sum(wanted) - 1) > 1e-6:
        raise SenderScoreError(
            f"Shares are 2 to {MOST_BANDS} fractions above 0 that add up to 1; found "
            f"{', '.join(f'{share:g}' for share in wanted)}."
        )
    return wanted


def band_count(policy: ScoringPolicy, bands: int | None) -> int:
    """How many bands: as many as a policy has unless given.

    Raises:
        SenderScoreError: There cannot be that many.
    """
    count = len(policy.bands) if bands is None else bands
    if not 2 <= count <= MOST_BANDS:
        raise SenderScoreError(f"There can be 2 to {MOST_BANDS} bands; {count} were asked for.")
    return count


def _require_different(different: int, needed: int) -> None:
    if different < needed:
        raise SenderScoreError(
            f"The senders have {different} different scores; {needed} bands need as many.",
            hint="Ask for fewer bands.",
        )
