"""Exports → enrollments of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from senderscore_nb.contract import COLUMNS, OPTIONAL
from senderscore_nb.safe import shown_series
from senderscore_nb.sources import endings
from senderscore_nb.sources.choosing import Mapped, choose_mapping
from senderscore_nb.sources.days import known_zone, parse_dates
from senderscore_nb.sources.delimited import unique
from senderscore_nb.sources.forms import KNOWN_WORDS
from senderscore_nb.sources.mapping import INPUTS, FactorType, Mapping, load_mapping
from senderscore_nb.sources.parse import (
    Parsed,
    parse_boolean,
    parse_enum,
    parse_number,
    parse_text,
    shorten,
)
from senderscore_nb.sources.raw import RawTable, find_files, read_raw
from senderscore_nb.sources.reading import DUPLICATE, REJECTED, Reading, SourceFile
from senderscore_nb.sources.settling import FILE, LINE, REASON, settle
from senderscore_nb.sources.statuses import supply, told_by_status

_MANDATORY = ("enrollment_id", "user_id", "sequence_id", "enrolled_on", "run_status")
_FACTORS: dict[FactorType, pl.DataType] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
_PLACE, _ROW = "__place", "__row"


def read_enrollments(
    paths: str | Path | Sequence[str | Path],
    *,
    mapping: str | Path | Mapping | None = None,
    timezone: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Reading:
    """Read exports of enrollments.

    CSV, TSV, XLSX, Parquet and gzip of the text formats; encoding, delimiter and decimal mark are
    found. Every row is either accepted or rejected with its reason. Rows that are equal in every
    value that is kept are one enrollment: the first is accepted, the others are rejected as exact
    duplicates. Rows with one id and different values are rejected together.

    Args:
        paths: A file, a folder (without its subfolders), a glob, or a list of them.
        mapping: A preset, a TOML file or a `Mapping`; found for each file unless given.
        timezone: The account's time zone (IANA); needed where a file holds times of day.
        progress: Called with a line about each file.

    Returns:
        A `Reading`; `accepted` has the required columns of `contract.Enrollment`, the optional
        ones and factors that the files have, and the factors that the mapping adds.

    Raises:
        ReadError: Nothing is found, a file is not readable, a day or time is ambiguous.
        MappingError: The mapping is invalid, or a required column has no header.
    """
    chosen = load_mapping(mapping) if mapping is not None else None
    if timezone:
        known_zone(timezone)
    raws: list[RawTable] = []
    tables: list[pl.DataFrame] = []
    files: list[SourceFile] = []
    for path in find_files(paths):
        if progress:
            progress(f"Reading {path} …")
        raw = read_raw(path)
        table, file = _read_table(raw, chosen, timezone)
        raws.append(raw)
        tables.append(table.with_columns(pl.lit(len(files), pl.Int64).alias(FILE)))
        files.append(file)
    rows = settle(pl.concat(tables, how="diagonal_relaxed"), files)
    columns = [n for n in rows.columns if not n.startswith("__")]
    ordered = [n for n in COLUMNS if n in columns] + [n for n in columns if n not in COLUMNS]
    bad = pl.col(REASON).is_not_null()
    rejected = _as_read(rows.filter(bad), raws, files)
    duplicates = rejected["reason"].str.starts_with(DUPLICATE).sum()
    return Reading(rows.filter(~bad).select(ordered), rejected, tuple(files), int(duplicates))


def _read_table(
    raw: RawTable, mapping: Mapping | None, zone: str | None
) -> tuple[pl.DataFrame, SourceFile]:
    """A file's rows with the contract's columns, their line, and why they are rejected."""
    mapped = choose_mapping(raw.headers, mapping, where=str(raw.path))
    decimal = _decimal(raw, mapped)
    parsed = _parse(raw, mapped, decimal, zone)
    rows = pl.DataFrame({name: p.values for name, p in parsed.items()}).with_columns(
        raw.lines.alias(LINE),
        pl.int_range(pl.len(), dtype=pl.Int64).alias(_PLACE),
        _reasons(raw, mapped, parsed),
    )
    rows = _checked(_derived(supply(rows, mapped.mapping), parsed))
    if raw.broken.height:
        broken = raw.broken.rename({"line": LINE, "reason": REASON, "row": _ROW})
        rows = pl.concat([rows, broken], how="diagonal")
    headers = {raw.headers[i]: column for column, i in mapped.places.items()}
    name, left = mapped.mapping.name, mapped.unmapped
    return rows, SourceFile.of(raw, str(raw.path), name, headers, unmapped=left, decimal=decimal)


def _decimal(raw: RawTable, mapped: Mapped) -> str:
    """The decimal mark: declared, or a comma where numbers stand with one beside semicolons."""
    if mapped.mapping.decimal != "auto":
        return mapped.mapping.decimal
    if raw.delimiter == ",":
        return "."
    numeric = [
        str(i)
        for column, i in mapped.places.items()
        if _dtype(column, mapped.mapping) in (pl.Boolean, pl.Int64, pl.Float64)
    ]
    comma = any(
        raw.frame[name].cast(pl.String).str.contains(r"^\s*\d+,\d+\s*$").any() for name in numeric
    )
    return "," if comma else "."


def _dtype(column: str, mapping: Mapping) -> pl.DataType:
    if column in COLUMNS:
        return COLUMNS[column]
    if column == "emails_sent":
        return pl.Boolean()
    return _FACTORS[mapping.types.get(column, "text")]


def _parse(raw: RawTable, mapped: Mapped, decimal: str, zone: str | None) -> dict[str, Parsed]:
    mapping, words = mapped.mapping, mapped.mapping.words
    parsed = {}
    for column, place in mapped.places.items():
        values, dtype = raw.frame[str(place)], _dtype(column, mapping)
        if column in KNOWN_WORDS:
            known = KNOWN_WORDS[column]
            parsed[column] = parse_enum(values, getattr(words, column), known)
        elif dtype == pl.Date:
            parsed[column] = parse_dates(
                values, mapping.dates, zone, file=str(raw.path), header=raw.headers[place]
            )
        elif dtype == pl.Boolean:
            blank = column in mapping.blank_is_false
            parsed[column] = parse_boolean(values, words, decimal, blank_is_false=blank)
        elif dtype in (pl.Int64, pl.Float64):
            parsed[column] = parse_number(values, decimal, dtype)
        else:
            parsed[column] = parse_text(values)
    return parsed


def _reasons(raw: RawTable, mapped: Mapped, parsed: dict[str, Parsed]) -> pl.Series:
    """Why each row does not fit, or null: all of its reasons together."""
    mandatory = {*_MANDATORY, *(() if "enrolled_on" in parsed else ("ended_on",))}
    parts = [pl.Series("", [None] * raw.frame.height, dtype=pl.String)]
    for column, result in parsed.items():
        values, header = raw.frame[str(mapped.places[column])], raw.headers[mapped.places[column]]
        name = column if header == column else f"{column} ({shorten(header)})"
        if result.bad.any():
            found = shown_series(values.zip_with(result.bad, values.clear(len(values))))
            parts.append(f"{name}: expected {result.expected}, found '" + found + "'")
        if column in mandatory:
            blank = pl.DataFrame({"blank": result.values.is_null() & ~result.bad})
            missing = pl.when("blank").then(pl.lit(f"{name}: is blank"))
            parts.append(blank.select(missing).to_series())
    together = pl.DataFrame([part.alias(str(i)) for i, part in enumerate(parts)]).select(
        pl.concat_str(pl.all(), separator="; ", ignore_nulls=True).alias(REASON)
    )
    return together.select(pl.when(pl.col(REASON) != "").then(REASON)).to_series().alias(REASON)


def _derived(rows: pl.DataFrame, parsed: dict[str, Parsed]) -> pl.DataFrame:
    """Columns that follow from what was read; the inputs are dropped."""
    inputs = ("state", "unenrolled_by", "error_type")
    rows = rows.with_columns(
        pl.lit(None, pl.String).alias(name) for name in inputs if name not in rows.columns
    )
    if any(name in parsed for name in inputs):
        rows = rows.with_columns(_end_reason(parsed), *_flags_by_error(parsed))
    rows = told_by_status(rows)
    enums = [name for name in ("end_reason", "bounce_type") if name in rows.columns]
    rows = rows.with_columns(pl.col(name).cast(OPTIONAL[name]) for name in enums)
    if "recipient_email" in parsed:
        if "recipient_domain" not in parsed:
            rows = rows.with_columns(endings.recipient_domain().alias("recipient_domain"))
        if "mailbox_provider" not in parsed:
            rows = rows.with_columns(endings.mailbox_provider().alias("mailbox_provider"))
    rows = _with_time(rows, parsed)
    reason = pl.coalesce(REASON, endings.contradiction())
    return rows.with_columns(reason.alias(REASON)).drop(INPUTS, strict=False)


def _end_reason(parsed: dict[str, Parsed]) -> pl.Expr:
    given = ["end_reason"] if "end_reason" in parsed else []
    return pl.coalesce(*given, endings.end_reason()).alias("end_reason")


def _flags_by_error(parsed: dict[str, Parsed]) -> list[pl.Expr]:
    """An error that says bounced or unsubscribed counts, whatever the count beside it says."""
    return [
        (pl.col(name) | (pl.col("error_type") == word).fill_null(value=False)).alias(name)
        for name, word in (("bounced", "BOUNCED"), ("unsubscribed", "UNSUBSCRIBED"))
        if name in parsed
    ]


def _with_time(rows: pl.DataFrame, parsed: dict[str, Parsed]) -> pl.DataFrame:
    if "enrolled_on" not in parsed:
        return rows
    instants = parsed["enrolled_on"].instants
    if "enrolled_hour" not in parsed and instants is not None:
        rows = rows.with_columns(instants.dt.hour().cast(pl.Int64).alias("enrolled_hour"))
    if "enrolled_weekday" not in parsed:
        weekday = pl.col("enrolled_on").dt.weekday().cast(pl.Int64)
        rows = rows.with_columns(weekday.alias("enrolled_weekday"))
    return rows


def _checked(rows: pl.DataFrame) -> pl.DataFrame:
    """Rules across columns."""
    early = pl.col("ended_on") < pl.col("enrolled_on")
    text = pl.format("ended_on: {} is before enrolled_on {}", "ended_on", "enrolled_on")
    return rows.with_columns(
        pl.when(pl.col(REASON).is_null() & early).then(text).otherwise(REASON).alias(REASON)
    )


def _as_read(
    rows: pl.DataFrame, raws: Sequence[RawTable], files: Sequence[SourceFile]
) -> pl.DataFrame:
    """Rejected rows with the text that they had in their file."""
    parts = [pl.DataFrame(schema=REJECTED)]
    for number, (raw, file) in enumerate(zip(raws, files, strict=True)):
        mine = rows.filter(pl.col(FILE) == number)
        places = mine[_PLACE].drop_nulls()
        texts = raw.frame[places].select(
            pl.col(str(i)).cast(pl.String).alias(name) for i, name in enumerate(unique(raw.headers))
        )
        read = pl.DataFrame({_PLACE: places}).with_columns(
            texts.select(pl.struct(pl.all()).struct.json_encode()).to_series().alias("__text")
        )
        mine = mine.join(read, on=_PLACE, how="left", maintain_order="left")
        own = [_ROW] if _ROW in mine.columns else []
        parts.append(
            mine.select(
                file=pl.lit(file.path),
                line=LINE,
                reason=REASON,
                row=pl.coalesce(*own, "__text"),
            ).sort("line", maintain_order=True)
        )
    return pl.concat(parts)
