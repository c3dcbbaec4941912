"""Factors that say the same: what is found of one may be due to the other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from senderscore_nb.drivers.factors_fit import Array, Ints

CLOSE = 0.8
"""Cramér's V from which two factors are named together."""


@dataclass(frozen=True)
class Alike:
    """How factors go together.

    Attributes:
        same: Factors that are the same as an earlier one under other names, with that one.
        close: Factors with those that they nearly follow from.
    """

    same: dict[str, str]
    close: dict[str, tuple[str, ...]]


def alike(codes: Mapping[str, Ints]) -> Alike:
    """Compare every two factors by the codes of the same rows; below 0 is no level."""
    same: dict[str, str] = {}
    close: dict[str, list[str]] = {}
    for one, other in itertools.combinations(codes, 2):
        if one in same or other in same:
            continue
        table = _table(codes[one], codes[other])
        if min(table.shape) < 2:
            continue
        filled = table > 0
        if table.shape[0] == table.shape[1] and (filled.sum(0) == 1).all():
            same[other] = one
        elif cramers_v(table) >= CLOSE:
            close.setdefault(one, []).append(other)
            close.setdefault(other, []).append(one)
    return Alike(same, {name: tuple(others) for name, others in close.items()})


def _table(one: Ints, other: Ints) -> Array:
    both = (one >= 0) & (other >= 0)
    if not both.any():
        return np.zeros((0, 0))
    a, b = one[both], other[both]
    width = int(b.max()) + 1
    counts = np.bincount(a * width + b, minlength=(int(a.max()) + 1) * width)
    table = counts.reshape(-1, width).astype(np.float64)
    return np.asarray(table[table.sum(1) > 0][:, table.sum(0) > 0], dtype=np.float64)


def cramers_v(table: Array) -> float:
    """Cramér's V of a table without empty rows or columns, corrected for bias.

    Bergsma 2013, J Korean Stat Soc 42:323.

    >>> cramers_v(np.array([[50.0, 0.0], [0.0, 50.0]]))
    1.0
    """
    n = table.sum()
    expected = np.outer(table.sum(1), table.sum(0)) / n
    phi2 = float((((table - expected) ** 2 / expected).sum()) / n)
    r, k = table.shape
    phi2 = max(0.0, phi2 - (k - 1) * (r - 1) / max(n - 1, 1))
    rows, columns = r - (r - 1) ** 2 / max(n - 1, 1), k - (k - 1) ** 2 / max(n - 1, 1)
    least = min(rows - 1, columns - 1)
    return min(1.0, float(np.sqrt(phi2 / least))) if least > 0 else 0.0
