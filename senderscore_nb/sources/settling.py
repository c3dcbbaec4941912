"""Enrollments that are there more than once."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from senderscore_nb.sources.reading import DUPLICATE, SourceFile

FILE, LINE, REASON = "__file", "__line", "__reason"
"""Columns beside a row's values: the number of its file, its line, why it is rejected."""


def settle(rows: pl.DataFrame, files: Sequence[SourceFile]) -> pl.DataFrame:
    """Reject exact duplicates but the first, and all rows of ids that contradict themselves."""
    values = [n for n in rows.columns if not n.startswith("__")]
    rows = rows.with_row_index("__at")
    twice = rows.filter(pl.col(REASON).is_null() & pl.col("enrollment_id").is_duplicated()).filter(
        pl.col("enrollment_id").is_duplicated()
    )
    names = pl.DataFrame({FILE: range(len(files)), "__name": [f.path for f in files]})
    same = twice.join(names, on=FILE, how="left", maintain_order="left").with_columns(
        __spot=pl.format("{}:{}", "__name", LINE)
    )
    groups = same.group_by("enrollment_id").agg(
        kinds=pl.struct(values).n_unique(),
        first=pl.col("__spot").first(),
        first_at=pl.col("__at").first(),
        spots=pl.col("__spot").head(4).str.join(", "),
    )
    judged = same.join(groups, on="enrollment_id").select(
        "__at",
        __why=pl.when(pl.col("kinds") > 1)
        .then(pl.format("enrollment_id: rows with one id contradict each other: {}", "spots"))
        .when(pl.col("__at") > pl.col("first_at"))
        .then(pl.format(DUPLICATE + "{}", "first")),
    )
    return (
        rows.join(judged, on="__at", how="left", maintain_order="left")
        .with_columns(pl.coalesce(REASON, "__why").alias(REASON))
        .drop("__at", "__why")
    )
