"""A change of a plain rate, split: the textbook decompositions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from senderscore_nb.errors import ContractError

Array = npt.NDArray[np.float64]

MOST_FACTORS = 16
"""Factors that `das_gupta` takes: it computes 2 to the power of their number of rates."""


def kitagawa(
    shares_before: npt.ArrayLike,
    rates_before: npt.ArrayLike,
    shares: npt.ArrayLike,
    rates: npt.ArrayLike,
) -> dict[str, float]:
    """A change of Σ share · rate, split into the part of the shares and that of the rates.

    mix = Σ Δshare · mean rate, rate = Σ mean share · Δrate; they add up to the change. Kitagawa
    1955, Journal of the American Statistical Association 50:1168; Das Gupta 1993, Standardization
    and Decomposition of Rates, ch. 5.

    Args:
        shares_before: Share of each group, before. The same groups in the same order everywhere.
        rates_before: Rate of each group, before.
        shares: Share of each group, after.
        rates: Rate of each group, after.

    Returns:
        `mix` and `rate`.

    Raises:
        ContractError: The four do not have the same length.

    >>> parts = kitagawa([0.5, 0.5], [0.1, 0.2], [0.25, 0.75], [0.1, 0.3])
    >>> {name: round(part, 4) for name, part in parts.items()}
    {'mix': 0.0375, 'rate': 0.0625}
    """
    given = [np.asarray(a, dtype=np.float64) for a in (shares_before, rates_before, shares, rates)]
    if len({a.shape for a in given}) > 1:
        raise ContractError(
            f"Shares and rates have the shapes {', '.join(str(a.shape) for a in given)}.",
            hint="Give the same groups in the same order, with a share of 0 where there is none.",
        )
    before, rate_before, after, rate_after = given
    return {
        "mix": float(((after - before) * (rate_before + rate_after) / 2).sum()),
        "rate": float(((before + after) / 2 * (rate_after - rate_before)).sum()),
    }


def das_gupta(
    before: Mapping[str, npt.ArrayLike],
    after: Mapping[str, npt.ArrayLike],
    rate: Callable[..., float] | None = None,
) -> dict[str, float]:
    """A change of a rate that is a function of several factors, split by factor.

    A factor's part is what the rate changes by when that factor alone changes, averaged over all
    states of the others so that every order of changing them counts alike: Das Gupta 1993 (ch. 2
    to 4), which is the Shapley value of the factors. The parts add up to the change.

    Args:
        before: Value of each factor, before; a number or an array over groups.
        after: The same factors, after.
        rate: Called with the factors by name; their product unless given.

    Returns:
        The part of each factor.

    Raises:
        ContractError: The two do not name the same factors, or too many.

    >>> parts = das_gupta({"a": 2.0, "b": 3.0}, {"a": 4.0, "b": 5.0})
    >>> {name: round(part, 4) for name, part in parts.items()}
    {'a': 8.0, 'b': 6.0}
    """
    names = list(before)
    if set(names) != set(after):
        raise ContractError(
            f"The factors before ({', '.join(names)}) and after ({', '.join(after)}) differ."
        )
    if len(names) > MOST_FACTORS:
        raise ContractError(
            f"{len(names)} factors are too many.", hint=f"Give at most {MOST_FACTORS}."
        )
    sides = [{n: np.asarray(side[n], dtype=np.float64) for n in names} for side in (before, after)]
    evaluate = rate or (lambda **factors: float(np.prod(list(factors.values()), axis=0)))
    values = {
        states: evaluate(**{n: sides[s][n] for n, s in zip(names, states, strict=True)})
        for states in itertools.product((0, 1), repeat=len(names))
    }
    parts = dict.fromkeys(names, 0.0)
    for states, value in values.items():
        for i, name in enumerate(names):
            if not states[i]:
                changed = values[(*states[:i], 1, *states[i + 1 :])]
                k = sum(states)
                weight = 1 / (len(names) * math.comb(len(names) - 1, k))
                parts[name] += weight * (float(changed) - float(value))
    return parts
