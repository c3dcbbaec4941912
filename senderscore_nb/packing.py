"""Grouping by sender, sequence and day through one integer.

Hashing two strings and a date for every row is most of the cost of a large tally. Both strings are
replaced by small codes on the way and packed with the day into one 64-bit integer, which takes a
third of the time and half of the memory of grouping by the columns themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_DAYS = 1 << 23  # room for the day: about 11,000 years on either side of 1970
_SECONDS = 1 << 21  # room for the second string's codes
_FIRSTS = 1 << 20  # room for the first string's codes: 20 + 21 + 23 = 64 bits


def group_packed(
    frame: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]
) -> pl.DataFrame:
    """`frame.group_by(keys).agg(aggregates).sort(keys)`, streamed; packed where that is possible.

    The packed way is taken for keys of two strings and a date without nulls; the plain one for
    all others, and where something does not fit into its bits.
    """
    schema = frame.collect_schema()
    if [schema[k] for k in keys] == [pl.String, pl.String, pl.Date]:
        packed = _packed(frame, keys, aggregates)
        if packed is not None:
            return packed
    if not keys:
        return frame.select(aggregates).collect(engine="streaming")
    grouped = frame.group_by(keys).agg(aggregates).sort(keys, nulls_last=True)
    return grouped.collect(engine="streaming")


def _packed(
    frame: pl.LazyFrame, keys: Sequence[str], aggregates: Sequence[pl.Expr]
) -> pl.DataFrame | None:
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
