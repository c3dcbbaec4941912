"""Tallying by sender, sequence and day without hashing two strings and a date for every row.

Both strings are replaced by small codes on the way. `count_cells` gives each pair of sender and
sequence that occurs a block of days and adds one at a row's own place: no hashing, no sort at the
end, no row is held. It is used where the blocks are not much larger than the data. `group_packed`
takes any aggregates and groups by codes and day packed into one 64-bit integer: half of the time
and two thirds of the memory of grouping by the columns themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

_DAYS = 1 << 23  # room for the day: about 11,000 years on either side of 1970
_SECONDS = 1 << 21  # room for the second string's codes
_FIRSTS = 1 << 20  # room for the first string's codes: 20 + 21 + 23 = 64 bits

_PAIR = 1 << 12  # room for the second string's codes where places are counted
_PAIRED = 1 << 14  # room for the first string's codes there
_FEW = 1 << 20  # places that are worth their while for any number of rows
_MOST = 1 << 25  # places at most: 128 MB a count
_BATCH = 1 << 17


@dataclass(frozen=True)
class _Extent:
    """What is known before counting: the number of rows, the range of days, nulls by measure."""

    rows: int
    first: int
    days: int
    nulls: dict[str, int]

    @property
    def room(self) -> int:
        """How many blocks of days there may be."""
        return min(_MOST, max(_FEW, 4 * self.rows)) // self.days


@dataclass
class _Places:
    """The counts while they are made; untouched places cost no memory."""

    extent: _Extent
    names: list[str]
    block: NDArray[np.int32] = field(init=False)
    pairs: NDArray[np.int64] = field(init=False)
    counts: dict[str, NDArray[np.uint32]] = field(init=False)

    def __post_init__(self) -> None:
        self.block = np.zeros(_PAIRED * _PAIR, np.int32)
        self.pairs = np.zeros(0, np.int64)
        size = self.extent.room * self.extent.days
        self.counts = {name: np.zeros(size, np.uint32) for name in ("", *self.names)}

    def add(self, batch: pl.DataFrame) -> bool:
        """Count a batch; False where it does not fit."""
        if batch["pair"].null_count():
            return False
        pair = batch["pair"].to_numpy()
        block = self.block[pair]
        if not block.all():
            new = np.unique(pair[block == 0])
            first = len(self.pairs) + 1
            if len(self.pairs) + len(new) > self.extent.room:
                return False
            self.block[new] = np.arange(first, first + len(new))
            self.pairs = np.append(self.pairs, new)
            block = self.block[pair]
        place = (block - 1) * np.int32(self.extent.days) + batch["day"].to_numpy()
        one = np.uint32(1)
        np.add.at(self.counts[""], place, one)
        for name in self.names:
            np.add.at(self.counts[name], place[batch[name].to_numpy()], one)
        return True


def count_cells(
    frame: pl.LazyFrame, keys: Sequence[str], measures: Sequence[str]
) -> pl.DataFrame | None:
    """Rows and true values by two strings and a date, sorted by them.

    Args:
        frame: The keys, and the measures as Booleans.
        keys: Names of two String columns and a Date column.
        measures: Names of the Boolean columns to count.

    Returns:
        The keys, `ended` (rows) and the measures, Int64, null for a cell with an unknown value; or
        nothing where the keys are others, hold a null, or need more places than the data is worth.
    """
    schema = frame.collect_schema()
    if not packable(frame, keys):
        return None
    if any(schema[name] != pl.Boolean for name in measures):
        return None
    extent = _extent(frame, keys, measures)
    if extent is None or extent.room == 0:
        return None
    kinds = tuple(pl.Categorical(pl.Categories.random()) for _ in range(2))
    places = _Places(extent, [*measures, *(_unknown(n) for n in measures if extent.nulls[n])])
    coded = _coded(frame, keys, measures, extent, kinds)
    for batch in coded.collect_batches(chunk_size=_BATCH, maintain_order=False, engine="streaming"):
        if not places.add(batch):
            return None
    return _cells(places, keys, measures, kinds)


def _extent(frame: pl.LazyFrame, keys: Sequence[str], measures: Sequence[str]) -> _Extent | None:
    day = pl.col(keys[2]).cast(pl.Int32)
    facts: dict[str, Any] = (
        frame.select(
            pl.len().alias("rows"),
            day.null_count().alias("undated"),
            day.min().alias("first"),
            day.max().alias("last"),
            *(pl.col(name).null_count().alias(_unknown(name)) for name in measures),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    if not facts["rows"] or facts["undated"] or facts["rows"] >= 1 << 32:
        return None
    return _Extent(
        rows=facts["rows"],
        first=facts["first"],
        days=facts["last"] - facts["first"] + 1,
        nulls={name: facts[_unknown(name)] for name in measures},
    )


def _unknown(name: str) -> str:
    return f"{name} unknown"


def _coded(
    frame: pl.LazyFrame,
    keys: Sequence[str],
    measures: Sequence[str],
    extent: _Extent,
    kinds: Sequence[pl.Categorical],
) -> pl.LazyFrame:
    """Columns `pair` (null where it does not fit), `day` counted from the first, the measures."""
    # Categories of their own: the global ones would keep every string for the process's life.
    first, second = (
        pl.col(name).cast(kind).to_physical() for name, kind in zip(keys[:2], kinds, strict=True)
    )
    fits = (first < _PAIRED) & (second < _PAIR)
    day = pl.col(keys[2]).cast(pl.Int32) - extent.first
    flags = [pl.col(n).fill_null(value=False) if extent.nulls[n] else pl.col(n) for n in measures]
    unknown = [pl.col(n).is_null().alias(_unknown(n)) for n in measures if extent.nulls[n]]
    return frame.select(
        pl.when(fits).then(first * _PAIR + second).alias("pair"),
        day.alias("day"),
        *flags,
        *unknown,
    )


def _cells(
    places: _Places, keys: Sequence[str], measures: Sequence[str], kinds: Sequence[pl.Categorical]
) -> pl.DataFrame:
    days = places.extent.days
    pairs = pl.Series(places.pairs)
    codes = (pairs // _PAIR, pairs % _PAIR)
    names = pl.DataFrame(
        [
            code.cast(pl.UInt32).cat.to(kind).cast(pl.String).alias(key)
            for code, kind, key in zip(codes, kinds, keys, strict=False)  # two of three keys
        ]
    ).with_row_index("__pair")
    names = names.sort(keys[:2])
    order: NDArray[np.uint32] = names["__pair"].to_numpy()

    def sorted_counts(name: str) -> NDArray[np.uint32]:
        used: NDArray[np.uint32] = places.counts.pop(name)[: len(order) * days]
        blocks: NDArray[np.uint32] = used.reshape(-1, days)[order]
        return blocks.ravel()

    ended = sorted_counts("")
    cell = np.flatnonzero(ended)
    pair = pl.Series((cell // days).astype(np.uint32))
    day = pl.Series((cell % days + places.extent.first).astype(np.int32))
    columns = [names[key].gather(pair) for key in keys[:2]]
    columns += [day.cast(pl.Date).alias(keys[2])]
    columns += [pl.Series("ended", ended[cell].astype(np.int64))]
    for name in measures:
        count = pl.Series(name, sorted_counts(name)[cell].astype(np.int64))
        if places.extent.nulls[name]:
            known = pl.Series(sorted_counts(_unknown(name))[cell] == 0)
            count = pl.select(pl.when(known).then(count).alias(name)).to_series()
        columns.append(count)
    return pl.DataFrame(columns)


def packable(frame: pl.LazyFrame, keys: Sequence[str]) -> bool:
    """Whether keys are two strings and a date."""
    schema = frame.collect_schema()
    return [schema[k] for k in keys] == [pl.String, pl.String, pl.Date]


def group_packed(
    frame: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]
) -> pl.DataFrame | None:
    """`frame.group_by(keys).agg(aggregates).sort(keys)`, streamed.

    Returns:
        Nothing where the keys are others than two strings and a date, hold a null, or do not fit
        into their bits.
    """
    if not packable(frame, keys):
        return None
    first, second, day = keys
    # Categories of their own: the global ones would keep every string for the process's life.
    kinds = [pl.Categorical(pl.Categories.random()) for _ in range(2)]
    codes = [
        pl.col(name).cast(kind).to_physical().cast(pl.UInt64)
        for name, kind in zip((first, second), kinds, strict=True)
    ]
    days = (pl.col(day).cast(pl.Int64) + _DAYS // 2).cast(pl.UInt64, strict=False)
    fits = (codes[0] < _FIRSTS) & (codes[1] < _SECONDS) & (days < _DAYS)
    key = pl.when(fits).then(_pack(codes[0], codes[1], days)).alias("__key")
    values = [n for n in frame.collect_schema().names() if n not in keys]
    grouped = (
        frame.select(key, *values).group_by("__key").agg(aggregates).collect(engine="streaming")
    )
    if grouped["__key"].null_count():
        return None
    names = [_names(grouped, code, kind) for code, kind in zip(_codes(), kinds, strict=True)]
    ranks = [
        pl.lit(_by_code(table)).gather(code).cast(pl.UInt64)
        for code, table in zip(_codes(), names, strict=True)
    ]
    ordered = grouped.lazy().with_columns(
        _pack(ranks[0], ranks[1], pl.col("__key") % _DAYS).alias("__key")
    )
    texts = [
        pl.lit(table.sort("name")["name"]).gather(code).alias(column)
        for code, table, column in zip(_codes(), names, (first, second), strict=True)
    ]
    date = (pl.col("__key") % _DAYS).cast(pl.Int64) - _DAYS // 2
    rest = [n for n in grouped.columns if n != "__key"]
    return (
        ordered.sort("__key")
        .select(*texts, date.cast(pl.Int32).cast(pl.Date).alias(day), *rest)
        .collect()
    )


def _pack(first: pl.Expr, second: pl.Expr, day: pl.Expr) -> pl.Expr:
    return first * (_SECONDS * _DAYS) + second * _DAYS + day


def _codes() -> tuple[pl.Expr, pl.Expr]:
    key = pl.col("__key")
    return key // (_SECONDS * _DAYS), key // _DAYS % _SECONDS


def _names(grouped: pl.DataFrame, code: pl.Expr, kind: pl.Categorical) -> pl.DataFrame:
    """Columns `code`, `name` and `rank` of the name among the sorted names."""
    codes = grouped.lazy().select(code.cast(pl.UInt32).alias("code")).unique().collect()
    return (
        codes.with_columns(pl.col("code").cat.to(kind).cast(pl.String).alias("name"))
        .sort("name")
        .with_row_index("rank")
    )


def _by_code(names: pl.DataFrame) -> pl.Series:
    """The rank at each code's own position."""
    most = names["code"].max()
    size = (most if isinstance(most, int) else -1) + 1
    every = pl.DataFrame({"code": pl.int_range(0, size, dtype=pl.UInt32, eager=True)})
    return every.join(names, on="code", how="left", maintain_order="left")["rank"]
