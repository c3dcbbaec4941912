"""Names of sequences, which mails do not have."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError
from senderscore_nb.sources.emails.people import texts_of
from senderscore_nb.sources.mapping import Mapping
from senderscore_nb.sources.parse import shorten

_SEQUENCES = Mapping(
    name="sequences",
    columns={
        "sequence_id": ("id", "Sequence ID", "hs_sequence_id"),
        "sequence_name": ("name", "Sequence name", "Sequence"),
    },
)


def read_sequences(sequences: str | Path | pl.DataFrame | None) -> pl.DataFrame:
    """Names of sequences: `sequence_id`, `sequence_name`, each id once.

    Args:
        sequences: A file or a frame of them, as the API's list of sequences has them (`id`,
            `name`); nothing gives no names.

    Raises:
        ReadError: Not readable, a column is missing, a sequence has two names.
    """
    schema = pl.Schema(dict.fromkeys(("sequence_id", "sequence_name"), pl.String()))
    if sequences is None:
        return pl.DataFrame(schema=schema)
    where = "sequences" if isinstance(sequences, pl.DataFrame) else str(sequences)
    texts = texts_of(sequences, _SEQUENCES)
    for needed in schema:
        if needed not in texts:
            raise ReadError(
                f"The sequences need a column {needed}.",
                where=where,
                hint="Expected: sequence_id and sequence_name; or the API's id and name.",
            )
    named = pl.DataFrame(texts).select(schema.names()).drop_nulls().unique(maintain_order=True)
    ids = named["sequence_id"]
    if len(twice := ids.filter(ids.is_duplicated())):
        raise ReadError(f"The sequence {shorten(twice[0])!r} has two names.", where=where)
    return named


def with_names(enrollments: pl.DataFrame, sequences: pl.DataFrame) -> pl.DataFrame:
    """Enrollments with `sequence_name` after `user_name`, where any name is known.

    Args:
        enrollments: As they were reconstructed.
        sequences: As `read_sequences` returns them.
    """
    if sequences.is_empty():
        return enrollments
    columns = enrollments.columns
    columns.insert(columns.index("user_name") + 1, "sequence_name")
    joined = enrollments.join(sequences, on="sequence_id", how="left", maintain_order="left")
    return joined.select(columns)
