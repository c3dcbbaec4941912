"""Counts typed off the vendor's own report → tallies."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from senderscore_nb.contract import KEYS, MEASURES
from senderscore_nb.errors import MappingError, ReadError, did_you_mean
from senderscore_nb.safe import shown_series
from senderscore_nb.sources.days import parse_dates
from senderscore_nb.sources.delimited import unique
from senderscore_nb.sources.mapping import Dates, Mapping, load_mapping
from senderscore_nb.sources.parse import clean, parse_number, parse_rates, shorten
from senderscore_nb.sources.raw import RawTable, read_raw
from senderscore_nb.sources.reading import REJECTED, Reading, SourceFile

ALL_SEQUENCES = "all"
"""The sequence of rows that are typed for a user as a whole."""

_HEADERS = Mapping(
    name="aggregate",
    columns={
        "user_id": ("User", "User ID", "Sender", "Enrolled by"),
        "sequence_id": ("Sequence", "Sequence ID", "Sequence name"),
        "ended": ("Total ended sequences", "Ended sequences", "Total ended"),
        "replied": ("Replies", "Replied"),
        "reply_rate": ("Reply rate", "Reply rate %"),
        "bounced": ("Bounces", "Bounced"),
        "bounce_rate": ("Bounce rate", "Bounce rate %"),
        "day": ("Date", "Day", "Read on"),
    },
)


def read_aggregate(
    path: str | Path,
    *,
    as_of: dt.date | None = None,
    mapping: str | Path | Mapping | None = None,
) -> Reading:
    """Read counts by sender and sequence, such as those typed off the vendor's report.

    One row a user and sequence, or a user alone: `user_id`, `sequence_id`, `ended`, `replied` or
    `reply_rate`, `bounced` or `bounce_rate`, `day`. A rate is written `7.5 %`, `7,5%` or `0.075`.
    Counts are taken back from rates: bounces of ended, replies of ended − bounced. A rate that no
    whole number of enrollments gives at the precision that it is written with is rejected.

    Args:
        path: CSV, TSV, XLSX or Parquet.
        as_of: The day that rows without a `day` are dated by.
        mapping: Labels of other headers; a preset or a TOML file.

    Returns:
        A `Reading` whose `accepted` rows are tallies (`contract.Tally`), dated by the day they
        were read; measures that the report does not show are null.

    Raises:
        ReadError: Not readable, or there is neither a `day` column nor `as_of`.
        MappingError: A needed column has no header.
    """
    raw = read_raw(Path(path))
    chosen = load_mapping(mapping) if mapping is not None else _HEADERS
    try:
        places = chosen.find(raw.headers)
    except MappingError as error:
        raise MappingError(error.found, where=str(path), hint=error.hint) from None
    _require(places, raw, str(path))
    if "day" not in places and as_of is None:
        raise ReadError(
            "These counts do not say which day they were read.",
            where=str(path),
            hint="Add a column day, or give as_of=datetime.date(2026, 11, 16).",
        )
    rows = _typed(raw, places, chosen, as_of, str(path))
    rows = _counted(rows)
    key = list(KEYS)
    rows = rows.with_columns(
        reason=pl.coalesce(
            "reason",
            pl.when(pl.struct(*key, pl.col("reason").is_null()).is_duplicated()).then(
                pl.lit("user_id: this user, sequence and day are there twice")
            ),
        )
    )
    bad = pl.col("reason").is_not_null()
    texts = raw.frame.select(
        pl.col(str(i)).cast(pl.String).alias(name) for i, name in enumerate(unique(raw.headers))
    )
    rows = rows.with_columns(
        texts.select(pl.struct(pl.all()).struct.json_encode()).to_series().alias("row"),
        raw.lines.alias("line"),
        file=pl.lit(str(path)),
    )
    accepted = rows.filter(~bad).with_columns(
        pl.lit(None, pl.Int64).alias(name) for name in MEASURES if name not in rows.columns
    )
    broken = raw.broken.with_columns(file=pl.lit(str(path))).select(list(REJECTED))
    rejected = pl.concat([rows.filter(bad).select(list(REJECTED)), broken])
    mapped = {raw.headers[i]: column for column, i in places.items()}
    left = {header: "" for i, header in enumerate(raw.headers) if i not in places.values()}
    file = SourceFile.of(raw, str(path), chosen.name, mapped, unmapped=left)
    return Reading(accepted.select(*KEYS, *MEASURES).sort(KEYS), rejected, (file,))


def _require(places: dict[str, int], raw: RawTable, where: str) -> None:
    for options in (
        ("user_id",),
        ("ended",),
        ("replied", "reply_rate"),
        ("bounced", "bounce_rate"),
    ):
        if not any(name in places for name in options):
            raise MappingError(
                f"No header was found for {' or '.join(options)}.",
                where=where,
                hint=did_you_mean(options[-1], [shorten(h) for h in raw.headers]),
            )


def _typed(
    raw: RawTable, places: dict[str, int], mapping: Mapping, as_of: dt.date | None, where: str
) -> pl.DataFrame:
    """Text → counts, rates and days, with the first reason that a row does not fit."""
    columns: dict[str, pl.Series] = {}
    reasons: list[pl.Series] = []

    def refuse(bad: pl.Series, name: str, expected: str, text: pl.Series) -> None:
        said = pl.concat_str(pl.lit(f"{name}: expected {expected}, found '"), "t", pl.lit("'"))
        frame = pl.DataFrame({"bad": bad, "t": shown_series(text)})
        reasons.append(frame.select(pl.when("bad").then(said)).to_series().alias(str(len(reasons))))

    for name in ("ended", "replied", "bounced"):
        if name in places:
            text = raw.frame[str(places[name])]
            parsed = parse_number(text, ".", pl.Int64())
            bad = parsed.bad | parsed.values.is_null() | (parsed.values < 0).fill_null(value=False)
            refuse(bad, name, "a whole number", text)
            columns[name] = parsed.values.set(bad, None)
    for name in ("reply_rate", "bounce_rate"):
        if name in places:
            text = raw.frame[str(places[name])]
            percent = "%" in raw.headers[places[name]]
            rate, half = parse_rates(text, percent=percent)
            example = "7.5 or 7.5 %" if percent else "7.5 % or 0.075"
            refuse(rate.is_null(), name, f"a rate such as {example}", text)
            columns |= {name: rate, f"{name}_half": half}
    columns["user_id"] = clean(raw.frame[str(places["user_id"])])
    refuse(columns["user_id"].is_null(), "user_id", "a user", columns["user_id"].fill_null(""))
    if "sequence_id" in places:
        columns["sequence_id"] = clean(raw.frame[str(places["sequence_id"])]).fill_null(
            ALL_SEQUENCES
        )
    if "day" in places:
        text = raw.frame[str(places["day"])]
        dates = Dates(**{**mapping.dates.model_dump(), "naive_timestamps": "account"})
        parsed_days = parse_dates(text, dates, "UTC", file=where, header=raw.headers[places["day"]])
        days = parsed_days.values if as_of is None else parsed_days.values.fill_null(as_of)
        refuse(parsed_days.bad | days.is_null(), "day", parsed_days.expected, text)
        columns["day"] = days
    frame = pl.DataFrame(columns).with_columns(
        pl.DataFrame(reasons).select(reason=pl.coalesce(pl.all())).to_series()
    )
    if "day" not in columns:
        frame = frame.with_columns(day=pl.lit(as_of, pl.Date))
    if "sequence_id" not in columns:
        frame = frame.with_columns(sequence_id=pl.lit(ALL_SEQUENCES))
    return frame


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    """Counts from rates where only rates were typed."""
    for name, rate, n in (
        ("bounced", "bounce_rate", pl.col("ended")),
        ("replied", "reply_rate", pl.col("ended") - pl.col("bounced")),
    ):
        if name in rows.columns:
            continue
        count = (pl.col(rate) * n).round().cast(pl.Int64)
        off = (count / n - pl.col(rate)).abs() > pl.col(f"{rate}_half") + 1e-12
        impossible = pl.concat_str(
            pl.lit(f"{rate}: no whole number out of "),
            n.cast(pl.String),
            pl.lit(" gives this rate"),
        )
        rows = rows.with_columns(
            count.alias(name),
            reason=pl.coalesce("reason", pl.when((n > 0) & off).then(impossible)),
        )
    too_many = pl.col("replied") + pl.col("bounced") > pl.col("ended")
    said = pl.lit("replied: replies and bounces are more than ended")
    return rows.with_columns(reason=pl.coalesce("reason", pl.when(too_many).then(said)))
