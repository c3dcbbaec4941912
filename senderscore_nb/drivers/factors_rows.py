"""Which enrollments say what goes with an outcome, and what they are compared within.

Outcomes come late. Of the newest enrollments only those have ended that were answered or returned
at once, and of those that began before the data only the long ones are in it. So whole cohorts are
taken: enrolled since the data begins, and long enough ago for nearly all of them to have ended.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.drivers.factors_fit import Array, Ints
from senderscore_nb.errors import ContractError, did_you_mean
from senderscore_nb.policy import CountingRules
from senderscore_nb.tally import marked

SETTLED = 0.99
"""The share of runs that must have ended before a cohort is looked at, unless days are given."""

LEAST_IN_STRATUM = 100
"""Enrollments below which a sender's sequence is taken together with the other small ones."""

_NEEDED = ("user_id", "sequence_id", "enrolled_on", "ended_on", "replied", "bounced")
_BLOCKS = (6, 26)
_CELLS = 1_500_000
_TIME_KNOTS = 5

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """The enrollments that are looked at, as codes.

    Attributes:
        kept: Which of all rows they are.
        sender: Code of the sender by row.
        senders: How many there are.
        sequence: Code of the sequence by row.
        week: Week of enrollment by row, from 0 on.
        replied: Has a reply that counts; False where not known.
        bounced: Was returned; False where not known.
        known: By outcome, whether a row's outcome is known.
        first: First day of enrollment.
        last: Last day of enrollment.
        notes: What was left out, in words.
    """

    kept: Flags
    sender: Ints
    senders: int
    sequence: Ints
    week: Ints
    replied: Flags
    bounced: Flags
    known: dict[str, bool]
    first: dt.date | None
    last: dt.date | None
    notes: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.sender)


def settled_rows(
    enrollments: pl.LazyFrame,
    rules: CountingRules,
    *,
    through: dt.date | None = None,
    settling_days: int | None = None,
) -> Rows:
    """The whole cohorts among enrollments.

    Args:
        enrollments: The contract's columns.
        rules: What counts.
        through: The newest day the data knows of; found unless given.
        settling_days: Age from which a cohort is looked at; the 99th percentile of how long runs
            took unless given.

    Raises:
        ContractError: A column that is needed is missing.
    """
    columns = enrollments.collect_schema().names()
    for name in _NEEDED:
        if name not in columns:
            raise ContractError(
                f"The enrollments have no column {name!r}.", hint=did_you_mean(name, columns)
            )
    frame = (
        marked(enrollments, rules)
        .select(
            *("user_id", "sequence_id", "enrolled_on", "ended_on"),
            *("__ended", "__replied", "__bounced"),
        )
        .collect()
    )
    first, last, days = _cohorts(frame, through, settling_days)
    if first is None or last is None:
        return _nothing(frame.height)
    whole = pl.col("enrolled_on").is_between(first, last)
    known = {
        name: bool(frame.filter(whole & pl.col("__ended"))[f"__{name}"].null_count() == 0)
        or _mostly_known(frame.filter(whole & pl.col("__ended")), name)
        for name in ("replied", "bounced")
    }
    usable = pl.lit(value=True)
    for name, is_known in known.items():
        usable &= pl.col(f"__{name}").is_not_null() if is_known else pl.lit(value=True)
    flags = frame.select(whole=whole, ended=pl.col("__ended"), usable=usable)
    kept = flags.select(pl.all_horizontal(pl.all())).to_series().fill_null(value=False)
    part = frame.filter(kept)
    notes = _notes(flags, first, last, days, known)
    sender, senders = codes_of(part["user_id"])
    sequence, _ = codes_of(part["sequence_id"])
    week = (part["enrolled_on"] - first).dt.total_days().to_numpy() // 7
    return Rows(
        kept=kept.to_numpy(),
        sender=sender,
        senders=senders,
        sequence=sequence,
        week=np.asarray(week, dtype=np.int64),
        replied=part["__replied"].fill_null(value=False).to_numpy(),
        bounced=part["__bounced"].fill_null(value=False).to_numpy(),
        known=known,
        first=first,
        last=last,
        notes=notes,
    )


def _mostly_known(rows: pl.DataFrame, name: str) -> bool:
    return rows.height > 0 and rows[f"__{name}"].null_count() < rows.height


def _cohorts(
    frame: pl.DataFrame, through: dt.date | None, settling_days: int | None
) -> tuple[dt.date | None, dt.date | None, int]:
    ended = frame.filter(pl.col("ended_on").is_not_null())
    if ended.is_empty():
        return None, None, 0
    took = (ended["ended_on"] - ended["enrolled_on"]).dt.total_days()
    quantile = took.quantile(SETTLED, interpolation="higher")
    days = int(quantile or 0) if settling_days is None else settling_days
    newest = frame.select(pl.max_horizontal(pl.col("enrolled_on", "ended_on").max())).item()
    last = (through or newest) - dt.timedelta(days=days)
    begins, since = frame["enrolled_on"].min(), ended["ended_on"].min()
    if not isinstance(begins, dt.date) or not isinstance(since, dt.date):
        return None, None, days
    first = max(begins, since)
    return (first, last, days) if first <= last else (None, None, days)


def _nothing(height: int) -> Rows:
    none = np.empty(0, dtype=np.int64)
    flags = np.empty(0, dtype=np.bool_)
    said = "No enrollments are old enough for nearly all of their outcomes to be known."
    kept = np.zeros(height, dtype=np.bool_)
    known = {"replied": True, "bounced": True}
    return Rows(kept, none, 0, none, none, flags, flags, known, None, None, (said,))


def _notes(
    flags: pl.DataFrame, first: dt.date, last: dt.date, days: int, known: dict[str, bool]
) -> tuple[str, ...]:
    outside = int((~flags["whole"]).sum())
    active = int((flags["whole"] & ~flags["ended"]).sum())
    unknown = int((flags["whole"] & flags["ended"] & ~flags["usable"]).sum())
    notes = [
        f"Enrolled from {first} to {last}: since the data begins, and at least {days} days before "
        f"its end; {outside:,} enrollments are earlier or later and are left out."
    ]
    if active:
        notes.append(f"{active:,} of these have not ended and are left out.")
    if unknown:
        notes.append(f"{unknown:,} of these have no known outcome and are left out.")
    notes += [
        f"The data does not know who {'replied' if name == 'replied' else 'was not reached'}."
        for name, is_known in known.items()
        if not is_known
    ]
    return tuple(notes)


def codes_of(values: pl.Series) -> tuple[Ints, int]:
    """Each value's place among the distinct values, and how many these are; null is one of them."""
    text = values.cast(pl.String).fill_null("\0")
    names = text.unique().sort()
    codes = text.cast(pl.Enum(names)).to_physical().to_numpy()
    return np.asarray(codes, dtype=np.int64), len(names)


@dataclass(frozen=True)
class Strata:
    """What is compared within: a sender's enrollments in one sequence, and of one `given`.

    Attributes:
        code: Of the stratum by row.
        sender: Of each stratum, rising.
        pooled: Enrollments in strata of several small sequences.
    """

    code: Ints
    sender: Ints
    pooled: int


def strata_of(rows: Rows, parts: list[Ints]) -> Strata:
    """Strata of sender × parts; those of few enrollments are one for each sender."""
    inner = np.zeros(rows.count, dtype=np.int64)
    for part in parts:
        inner = inner * (int(part.max(initial=0)) + 1) + part
    whole = rows.sender * (int(inner.max(initial=0)) + 1) + inner
    names, code, counts = np.unique(whole, return_inverse=True, return_counts=True)
    width = int(inner.max(initial=0)) + 1
    small = counts < LEAST_IN_STRATUM
    # Small ones come after all others of their sender, under one name.
    wide = names // width * (width + 1) + np.where(small, width, names % width)
    merged, again = np.unique(wide, return_inverse=True)
    return Strata(
        np.asarray(again[code], dtype=np.int64),
        np.asarray(merged // (width + 1), dtype=np.int64),
        int(counts[small].sum()),
    )


def blocks_of(rows: Rows, strata: int, levels: int) -> tuple[Ints, Array]:
    """Stretches of weeks by row, and smooth columns of time for each of them.

    There are at most 26, and fewer where there are many strata and levels, so that the counts fit
    in memory; a natural cubic spline of them has five knots.
    """
    weeks = int(rows.week.max(initial=0)) + 1
    least, most = _BLOCKS
    count = min(weeks, max(least, min(most, _CELLS // max(strata * levels, 1))))
    block = rows.week * count // weeks
    return block, spline(np.arange(count, dtype=np.float64), _TIME_KNOTS)


def spline(values: Array, knots: int, weights: Array | None = None) -> Array:
    """Columns of a natural cubic spline through knots at quantiles; a line where values are few.

    A column is the height at one of the knots, so that a prior around 0 is one on heights.
    """
    from scipy.interpolate import CubicSpline

    if len(values) < 2:
        return np.empty((len(values), 0))
    weight = np.ones(len(values)) if weights is None else weights
    share = np.cumsum(weight) / weight.sum()
    at = np.searchsorted(share, np.linspace(0, 1, knots), side="left").clip(0, len(values) - 1)
    places = np.unique(np.r_[values[0], values[at], values[-1]])
    if len(places) < 3:
        middle = np.average(values, weights=weight)
        spread = np.sqrt(np.average((values - middle) ** 2, weights=weight))
        return np.asarray((values - middle)[:, None] / max(spread, 1e-12), dtype=np.float64)
    basis = CubicSpline(places, np.eye(len(places)), bc_type="natural")(values)
    return np.asarray(basis, dtype=np.float64)
