"""Two factors at once: the outcome in each pair of their levels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from senderscore_nb.drivers.factors import OUTCOMES, FactorSettings
from senderscore_nb.drivers.factors_cells import count
from senderscore_nb.drivers.factors_columns import Coded, choose_factors, code_factor
from senderscore_nb.drivers.factors_contrasts import Standard
from senderscore_nb.drivers.factors_fit import Block, Ints, fit
from senderscore_nb.drivers.factors_past import known_past
from senderscore_nb.drivers.factors_rows import settled_rows, strata_of
from senderscore_nb.errors import FactorError, did_you_mean
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy

PAIRS: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in ("outcome", "row_factor", "column_factor", "row", "column")},
    **{name: pl.Int64() for name in ("enrollments", "events")},
    **{name: pl.Float64() for name in ("rate", "adjusted_rate", "adjusted_low", "adjusted_high")},
}

_STRETCHES = 6
_MOST = 12


def factor_pairs(
    enrollments: pl.DataFrame | pl.LazyFrame,
    rows: str,
    columns: str,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    outcome: str = "replied",
    settings: FactorSettings | None = None,
) -> pl.DataFrame:
    """The outcome in each pair of two factors' levels, for the same senders, sequences and weeks.

    Args:
        enrollments: The contract's columns.
        rows: One factor; a number with many values is cut into six stretches of equal size.
        columns: The other.
        policy: Whose counting rules count.
        outcome: `replied` or `bounced`.
        settings: Levels, intervals, cohorts.

    Returns:
        One row a pair that occurs, in the order of the levels: `outcome`, `row_factor`,
        `column_factor`, `row`, `column`, `enrollments`, `events`, `rate` as it was, and
        `adjusted_rate` with `adjusted_low` and `adjusted_high`: what it would be if every
        enrollment were of that pair (fractions). Adjusted ones are null where a pair has fewer
        enrollments than the settings ask of a level.

    Raises:
        FactorError: A factor is not there, follows the outcome, or is both.
        ContractError: A column of the contract is missing.
    """
    settings = settings or FactorSettings()
    policy = load_policy(policy)
    if outcome not in OUTCOMES:
        raise FactorError(f"There is no outcome {outcome!r}.", hint=did_you_mean(outcome, OUTCOMES))
    if rows == columns:
        raise FactorError(f"{rows!r} is both factors.", hint="Name two different ones.")
    frame, _ = known_past(enrollments.lazy())
    choose_factors(frame.collect_schema(), [rows, columns])
    looked = settled_rows(
        frame, policy.counting, through=settings.through, settling_days=settings.settling_days
    )
    kept = pl.Series(looked.kept)
    coded = [_coded(name, frame.select(name).collect().to_series().filter(kept), settings)
             for name in (rows, columns)]  # fmt: skip
    if looked.count == 0 or not all(c.labels for c in coded):
        return pl.DataFrame(schema=PAIRS)
    width = len(coded[1].labels)
    both = coded[0].codes * width + coded[1].codes
    pairs = [(a, b) for a in coded[0].labels for b in coded[1].labels]
    names = tuple(f"{a} × {b}" for a, b in pairs)
    within_sender = "sequence_id" in (rows, columns)
    strata = strata_of(looked, [] if within_sender else [looked.sequence])
    cells = count(looked, Coded("pair", names, both), strata)
    n, events = cells.of(outcome, policy.counting.reply_denominator)
    size = n.sum((0, 1))
    used = np.flatnonzero(size > 0)
    block = Block(n[:, :, used], events[:, :, used], cells.sender, cells.time, np.eye(len(used)))
    standard = Standard(block, fit(block)) if len(used) else None
    result = []
    for place, i in enumerate(used):
        hits = float(block.events[:, :, place].sum())
        row = {"outcome": outcome, "row_factor": rows, "column_factor": columns,
               "row": pairs[i][0], "column": pairs[i][1], "enrollments": round(size[i]),
               "events": round(hits), "rate": hits / size[i]}  # fmt: skip
        if standard is not None and size[i] >= settings.least_enrollments:
            rate, error = standard.whole_rate(place)
            half = error.half(settings.confidence)
            row |= {"adjusted_rate": rate, "adjusted_low": max(0.0, rate - half),
                    "adjusted_high": min(1.0, rate + half)}  # fmt: skip
        result.append(row)
    return pl.DataFrame(result, schema=PAIRS, orient="row")


def _coded(name: str, values: pl.Series, settings: FactorSettings) -> Coded:
    coded = code_factor(name, values, most_levels=min(_MOST, settings.most_levels))
    if coded.values is None:
        return coded
    return _stretches(coded)


def _stretches(coded: Coded) -> Coded:
    """A number's many stretches as a few of about equal size, named by their ends."""
    values = np.asarray(coded.values)
    size = np.bincount(coded.codes, minlength=len(coded.labels))[: len(values)]
    share = (np.cumsum(size) - size / 2) / max(size.sum(), 1)
    group = np.minimum((share * _STRETCHES).astype(np.int64), _STRETCHES - 1)
    found, place = np.unique(group, return_inverse=True)
    labels = []
    for number in range(len(found)):
        mine = values[place == number]
        low, high = f"{mine.min():.3g}", f"{mine.max():.3g}"
        labels.append(low if low == high else f"{low} to {high}")
    turned: Ints = np.r_[place, len(found)].astype(np.int64)
    if coded.unknown:
        labels.append(coded.labels[-1])
    return Coded(coded.name, tuple(labels), turned[coded.codes], None, coded.unknown, coded.notes)
