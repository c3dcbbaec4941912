"""What an account's own earlier enrollments say of a contact."""

from __future__ import annotations

import polars as pl

WORKED_OUT = {"previously_bounced": "bounced", "opted_out": "unsubscribed"}
"""Factors that follow from a contact's earlier enrollments, with the outcome they look back at."""


def known_past(enrollments: pl.LazyFrame) -> tuple[pl.LazyFrame, tuple[str, ...]]:
    """Enrollments with `previously_bounced` and `opted_out` where these are not known.

    An enrollment is marked where an earlier one of the same contact had bounced, or unsubscribed,
    and ended before the day of this enrollment. A contact's flag of today would not do: it was set
    by the very bounce that it would explain.

    Args:
        enrollments: The contract's columns; rows keep their order.

    Returns:
        The frame, and what was worked out, in words.
    """
    schema = enrollments.collect_schema()
    notes = []
    for name, outcome in WORKED_OUT.items():
        if "contact_id" not in schema or outcome not in schema or not _missing(enrollments, name):
            continue
        firsts = (
            enrollments.filter(pl.col(outcome) & pl.col("contact_id").is_not_null())
            .group_by("contact_id")
            .agg(pl.col("ended_on").min().alias("__since"))
        )
        before = (pl.col("__since") < pl.col("enrolled_on")).fill_null(value=False)
        known = pl.when(pl.col("contact_id").is_not_null()).then(before)
        enrollments = (
            enrollments.drop(name, strict=False)
            .join(firsts, on="contact_id", how="left", maintain_order="left")
            .with_columns(known.alias(name))
            .drop("__since")
        )
        notes.append(f"{name} is worked out from earlier enrollments of the same contact.")
    return enrollments, tuple(notes)


def _missing(enrollments: pl.LazyFrame, name: str) -> bool:
    if name not in enrollments.collect_schema():
        return True
    return bool(enrollments.select(pl.col(name).count()).collect().item() == 0)
