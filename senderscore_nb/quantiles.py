"""The sum of two independent quantities that are each known by equally likely values.

What `certainty` needs of it is read off without forming every pair: a share of pairs by counting in
a sorted row, and a limit from those pairs alone that can be as far out as the limit.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

LEVELS = 201
"""Equally likely values of each quantity."""

_NODES = 16
_SMOOTH = 30  # counts from which the quantiles of a posterior are smooth in the normal scale


def beta_quantiles(count: Array, n: Array) -> Array:
    """Quantiles of Beta(count + ½, n − count + ½) at the middles of `LEVELS` equal steps.

    The quantile is a smooth function of the normal quantile of its level, so it is computed at 16
    Chebyshev nodes and interpolated by their polynomial; the relative error is below 1e-9. Where
    the counts are small it is not that smooth, and every quantile is computed.

    Returns:
        Shape (rows, `LEVELS`), rising along each row.
    """
    from scipy.special import betaincinv

    a, b = count[:, None] + 0.5, (n - count)[:, None] + 0.5
    levels, nodes, weights = _interpolation()
    result = np.asarray(betaincinv(a, b, nodes) @ weights.T, dtype=np.float64)
    rough = np.flatnonzero(np.minimum(count, n - count) < _SMOOTH)
    if len(rough):
        result[rough] = betaincinv(a[rough], b[rough], levels)
    return result


def shares_above(x: Array, y: Array, edges: list[float]) -> Array:
    """The share of pairs with x + y ≥ each edge, shape (rows, edges).

    Args:
        x: Sorted rows of equally likely values.
        y: The same of the other quantity.
        edges: What is asked for.
    """
    shares = np.empty((len(x), len(edges)))
    asked = np.array(edges)[:, None]
    for row, (one, other) in enumerate(zip(x, y, strict=True)):
        below = np.searchsorted(other, asked - one)
        shares[row] = 1 - below.sum(axis=1) / (one.size * other.size)
    return shares


def limits(x: Array, y: Array, tail: float) -> tuple[Array, Array]:
    """The quantiles of x + y at `tail` and 1 − `tail`, interpolated as `numpy.quantile` does.

    Of sorted values, the k-th smallest sum is among the pairs (i, j) with i · j ≤ k.
    """
    at = tail * (x.shape[1] * y.shape[1] - 1)
    k, share = int(at), at % 1
    i, j = _corner(k + 2, x.shape[1], y.shape[1])
    ends = []
    for sums in (x[:, i] + y[:, j], -(x[:, ::-1][:, i] + y[:, ::-1][:, j])):
        sums.partition([k, k + 1], axis=1)
        ends.append(sums[:, k] * (1 - share) + sums[:, k + 1] * share)
    return ends[0], -ends[1]


@cache
def _corner(k: int, width: int, height: int) -> tuple[Any, Any]:
    """Places (i, j) that may hold one of the k smallest sums."""
    i, j = np.indices((width, height))
    near = (i + 1) * (j + 1) <= k
    return i[near], j[near]


@cache
def _interpolation() -> tuple[Array, Array, Array]:
    """The levels, the levels of the nodes, and the weights of the nodes at each level."""
    from scipy.special import ndtr, ndtri

    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    z = ndtri(levels)
    angles = (2 * np.arange(_NODES) + 1) * np.pi / (2 * _NODES)
    nodes = z[-1] * np.cos(angles)
    # Barycentric weights of the Chebyshev nodes of the first kind (Berrut & Trefethen 2004).
    signed = (-1.0) ** np.arange(_NODES) * np.sin(angles) / (z[:, None] - nodes[None, :])
    return levels, ndtr(nodes), signed / signed.sum(axis=1, keepdims=True)
