"""What depends on which threshold: two at a time over a grid, and all of them one by one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import polars as pl

from senderscore_nb.errors import PolicyError
from senderscore_nb.experiment.cells import Cells
from senderscore_nb.experiment.sweep import sweep
from senderscore_nb.experiment.thresholds import Threshold, moved, thresholds
from senderscore_nb.policy import ScoringPolicy, load_policy

SIDES: tuple[str, ...] = ("low", "high")

_UNUSED = "minimum.sequence"  # senders are scored, not sequences


def sensitivity(
    cells: Cells,
    policy: ScoringPolicy | str,
    x: Threshold | str,
    xs: Sequence[float],
    y: Threshold | str,
    ys: Sequence[float],
) -> pl.DataFrame:
    """What two thresholds together do to the bands of the same senders.

    Args:
        cells: Senders, or senders by week (`Cells.of`).
        policy: The policy whose thresholds are moved; what is found is compared with it.
        x: A threshold, or its name as `bands.Good`.
        xs: Its values.
        y: Another threshold.
        ys: Its values.

    Returns:
        One row for each pair of values: `x`, `y` (the values), `invalid` (why there is no such
        policy; null where there is), and what `sweep` returns (null where there is no policy).

    Raises:
        PolicyError: There is no such threshold, or it is the same one twice.
    """
    policy = load_policy(policy)
    one, two = (_threshold(t, policy) for t in (x, y))
    if one == two:
        raise PolicyError(f"{one.name} is there twice; two different thresholds are needed.")
    pairs = list(itertools.product(xs, ys))
    made = [_moved(policy, {one: a, two: b}) for a, b in pairs]
    keys = {"x": [float(a) for a, _ in pairs], "y": [float(b) for _, b in pairs]}
    return _swept(
        cells, policy, pl.DataFrame(keys, schema={"x": pl.Float64, "y": pl.Float64}), made
    )


def tornado(
    cells: Cells,
    policy: ScoringPolicy | str,
    *,
    by: float = 0.1,
    among: Sequence[Threshold | str] | None = None,
) -> pl.DataFrame:
    """What each threshold alone does when it is moved down and up by the same share.

    Args:
        cells: Senders, or senders by week.
        policy: The policy whose thresholds are moved.
        by: Share of each value that it is moved by; a minimum is rounded to whole enrollments.
        among: Which thresholds; all that are not zero unless given.

    Returns:
        Two rows for each threshold: `threshold`, `side` (`low`, `high`), `value`, `shown` (the
        value as it is written), `present` (likewise), `invalid`, `net` (fraction of cells that
        move up less those that move down), and what `sweep` returns. The threshold that moves the
        most cells comes first.

    Raises:
        PolicyError: There is no such threshold, or `by` is not between 0 and 1.
    """
    policy = load_policy(policy)
    if not 0 < by < 1:
        raise PolicyError(f"Thresholds are moved by a share between 0 and 1, not {by:g}.")
    chosen = [_threshold(t, policy) for t in (thresholds(policy) if among is None else among)]
    rows, made = [], []
    for threshold in chosen:
        present = threshold.get(policy)
        if present == 0 or (among is None and threshold.name == _UNUSED):
            continue
        for side, share in zip(SIDES, (1 - by, 1 + by), strict=True):
            value = present * share
            if threshold.part == "count":
                value = max(1, round(value))
            elif threshold.part == "rate":
                value = min(value, 1.0)
            made.append(_moved(policy, {threshold: value}))
            rows.append(
                (threshold.name, side, value, threshold.show(value), threshold.show(present))
            )
    texts = ("threshold", "side", "value", "shown", "present")
    kinds = (pl.String(), pl.Enum(SIDES), pl.Float64(), pl.String(), pl.String())
    keys = pl.DataFrame(rows, schema=dict(zip(texts, kinds, strict=True)), orient="row")
    swept = _swept(cells, policy, keys, made)
    moves = (pl.col("up") + pl.col("down")).max().over("threshold").fill_null(0.0)
    return (
        swept.with_columns(net=pl.col("up") - pl.col("down"), __moves=moves)
        .sort("__moves", descending=True, maintain_order=True)
        .drop("__moves")
    )


def _swept(
    cells: Cells,
    policy: ScoringPolicy,
    keys: pl.DataFrame,
    made: Sequence[ScoringPolicy | str],
) -> pl.DataFrame:
    valid = [one for one in made if isinstance(one, ScoringPolicy)]
    places = [i for i, one in enumerate(made) if isinstance(one, ScoringPolicy)]
    reasons = [None if isinstance(one, ScoringPolicy) else one for one in made]
    found = sweep(cells, valid, baseline=policy).with_columns(
        __place=pl.Series(places, dtype=pl.Int64)
    )
    return (
        keys.with_columns(invalid=pl.Series(reasons, dtype=pl.String))
        .with_columns(__place=pl.int_range(pl.len(), dtype=pl.Int64))
        .join(found, on="__place", how="left", maintain_order="left")
        .drop("__place")
    )


def _moved(policy: ScoringPolicy, values: Mapping[Threshold, float]) -> ScoringPolicy | str:
    try:
        return moved(policy, values)
    except PolicyError as error:
        return error.found


def _threshold(threshold: Threshold | str, policy: ScoringPolicy) -> Threshold:
    if isinstance(threshold, Threshold):
        threshold.get(policy)
        return threshold
    return Threshold.parse(threshold, policy)
