"""Names to show: one short, unique label for each sender and each sequence.

Names come from outside and may be anything: missing, equal for two people, ten thousand characters
long, or full of control characters. A label is at most 60 characters of visible text; the id stays
beside it in every table, and joins are always by id.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

MOST_CHARACTERS = 60
_ID_CHARACTERS = 16

# Control characters, and the marks that would turn the direction of the text around a name.
_INVISIBLE = r"[\p{Cc}\u{200B}\u{200E}\u{200F}\u{2028}-\u{202E}\u{2060}-\u{2069}\u{FEFF}]+"


@dataclass(frozen=True)
class Labels:
    """Labels by id.

    Attributes:
        users: Columns `user_id`, `user_label`.
        sequences: Columns `sequence_id`, `sequence_label`.
    """

    users: pl.DataFrame
    sequences: pl.DataFrame

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with `user_label` and `sequence_label` beside the ids that it has."""
        for key, label, known in (
            ("user_id", "user_label", self.users),
            ("sequence_id", "sequence_label", self.sequences),
        ):
            if key in frame.columns and label not in frame.columns:
                frame = frame.join(known, on=key, how="left", maintain_order="left").with_columns(
                    pl.col(label).fill_null(_shown(pl.col(key)))
                )
        return frame


@dataclass(frozen=True)
class Names:
    """Names as they were read: each id once, with its newest name, null where none is known.

    Attributes:
        users: Columns `user_id`, `user_name`.
        sequences: Columns `sequence_id`, `sequence_name`.
    """

    users: pl.DataFrame
    sequences: pl.DataFrame


def names_of(enrollments: pl.DataFrame) -> Names:
    """The senders and sequences that enrollments name."""
    return Names(
        _newest(enrollments, "user_id", "user_name"),
        _newest(enrollments, "sequence_id", "sequence_name"),
    )


def labels_of(enrollments: pl.DataFrame, roster: pl.DataFrame | None = None) -> Labels:
    """The labels of all that enrollments and roster name; a roster's name wins.

    Where names differ over time the newest one is taken. Equal labels get the id added.

    >>> rows = pl.DataFrame({"user_id": ["1", "2"], "user_name": ["Ann", "Ann"],
    ...                      "sequence_id": ["9", "9"]})
    >>> labels_of(rows).users["user_label"].to_list()
    ['Ann (1)', 'Ann (2)']
    """
    return labels_of_names(names_of(enrollments), roster)


def labels_of_names(names: Names, roster: pl.DataFrame | None = None) -> Labels:
    """The labels of names and roster; a roster's name wins. Equal labels get the id added."""
    users = names.users.select("user_id", name="user_name")
    if roster is not None:
        listed = roster.select("user_id", "user_name")
        users = users.join(listed, on="user_id", how="full", coalesce=True).select(
            "user_id", pl.coalesce("user_name", "name").alias("name")
        )
    return Labels(
        _unique(users, "user_id", "user_label"),
        _unique(
            names.sequences.select("sequence_id", name="sequence_name"),
            "sequence_id",
            "sequence_label",
        ),
    )


def _newest(rows: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    if name not in rows.columns:
        rows = rows.with_columns(pl.lit(None, pl.String).alias(name))
    if "enrolled_on" in rows.columns:
        rows = rows.sort("enrolled_on", maintain_order=True)
    newest = pl.col(name).drop_nulls().last()
    return rows.group_by(key).agg(newest).sort(key)


def _shown(text: pl.Expr) -> pl.Expr:
    clean = text.str.slice(0, 400).str.replace_all(_INVISIBLE, " ").str.strip_chars()
    clean = pl.when(clean == "").then(pl.lit("(blank)")).otherwise(clean)
    return (
        pl.when(clean.str.len_chars() > MOST_CHARACTERS)
        .then(clean.str.slice(0, MOST_CHARACTERS - 1) + "…")
        .otherwise(clean)
    )


def _unique(named: pl.DataFrame, key: str, label: str) -> pl.DataFrame:
    """Labels that tell ids apart: by the name, else with the id, else with a number."""
    short = pl.col(label).str.slice(0, MOST_CHARACTERS - _ID_CHARACTERS - 9)
    shown_id = _shown(pl.col(key)).str.slice(0, _ID_CHARACTERS)
    place = pl.int_range(1, pl.len() + 1).cast(pl.String)
    labelled = (
        named.sort(key)
        .select(key, _shown(pl.coalesce("name", key)).alias(label))
        .with_columns(
            pl.when(pl.col(label).is_duplicated())
            .then(short + " (" + shown_id + ")")
            .otherwise(label)
            .alias(label)
        )
    )
    while labelled[label].is_duplicated().any():
        # A number may make a label equal to a name that somebody already has: number again.
        numbered = pl.col(label).str.slice(0, MOST_CHARACTERS - 9) + " #" + place
        labelled = labelled.with_columns(
            pl.when(pl.col(label).is_duplicated()).then(numbered).otherwise(label).alias(label)
        )
    return labelled
