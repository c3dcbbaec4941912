"""Exports → enrollments of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from senderscore_nb.contract import COLUMNS, OPTIONAL
from senderscore_nb.sources import endings
from senderscore_nb.sources.mapping import (
    FactorType,
    Mapped,
    Mapping,
    choose_mapping,
    load_mapping,
)
from senderscore_nb.sources.parse import (
    Parsed,
    known_zone,
    parse_boolean,
    parse_dates,
    parse_enum,
    parse_number,
    parse_text,
)
from senderscore_nb.sources.raw import RawTable, find_files, read_raw
from senderscore_nb.sources.reading import DUPLICATE, REJECTED, Reading, SourceFile

_MANDATORY = ("enrollment_id", "user_id", "sequence_id", "enrolled_on")
_FACTORS: dict[FactorType, pl.DataType] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
_FILE, _LINE, _PLACE, _REASON, _ROW = "__file", "__line", "__place", "__reason", "__row"


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
    column that is read are one enrollment: the first is accepted, the others are rejected as
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
        tables.append(table.with_columns(pl.lit(len(files), pl.Int64).alias(_FILE)))
        files.append(file)
    rows = _settle(pl.concat(tables, how="diagonal_relaxed"), files)
    columns = [n for n in rows.columns if not n.startswith("__")]
    ordered = [n for n in COLUMNS if n in columns] + [n for n in columns if n not in COLUMNS]
    bad = pl.col(_REASON).is_not_null()
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
        raw.lines.alias(_LINE),
        pl.int_range(pl.len(), dtype=pl.Int64).alias(_PLACE),
        _reasons(raw, mapped, parsed),
    )
    rows = _checked(_derived(rows, parsed))
    if raw.broken.height:
        broken = raw.broken.rename({"line": _LINE, "reason": _REASON, "row": _ROW})
        rows = pl.concat([rows, broken], how="diagonal")
    return rows, SourceFile(
        path=str(raw.path),
        sha256=raw.sha256,
        size=raw.size,
        rows=raw.frame.height + raw.broken.height,
        form=raw.form,
        encoding=raw.encoding,
        delimiter=raw.delimiter,
        decimal=decimal,
        mapping=mapped.mapping.name,
        mapped={raw.headers[i]: column for column, i in mapped.places.items()},
        unmapped=mapped.unmapped,
    )


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
    return _FACTORS[mapping.types.get(column, "text")]


def _parse(raw: RawTable, mapped: Mapped, decimal: str, zone: str | None) -> dict[str, Parsed]:
    mapping, words = mapped.mapping, mapped.mapping.words
    parsed = {}
    for column, place in mapped.places.items():
        values, dtype = raw.frame[str(place)], _dtype(column, mapping)
        if column in ("state", "unenrolled_by", "error_type"):
            known = {
                "state": endings.STATES,
                "unenrolled_by": endings.SOURCES,
                "error_type": endings.ERRORS,
            }[column]
            parsed[column] = parse_enum(values, getattr(words, column), known)
        elif isinstance(dtype, pl.Enum):
            parsed[column] = parse_enum(values, getattr(words, column), dtype.categories.to_list())
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
    parts = []
    for column, result in parsed.items():
        header = raw.headers[mapped.places[column]]
        found = raw.frame[str(mapped.places[column])].cast(pl.String).str.slice(0, 80)
        name = column if header == column else f"{column} ({header})"
        text = pl.concat_str(
            pl.lit(f"{name}: expected {result.expected}, found '"), "f", pl.lit("'")
        )
        frame = pl.DataFrame({"bad": result.bad, "f": found})
        parts.append(frame.select(pl.when("bad").then(text)).to_series().alias(column))
        if column in _MANDATORY:
            frame = pl.DataFrame({"blank": result.values.is_null() & ~result.bad})
            missing = pl.when("blank").then(pl.lit(f"{name}: is blank"))
            parts.append(frame.select(missing.alias(f"{column} blank")).to_series())
    together = pl.DataFrame(parts).select(
        pl.concat_str(pl.all(), separator="; ", ignore_nulls=True).alias(_REASON)
    )
    return together.select(pl.when(pl.col(_REASON) != "").then(_REASON)).to_series().alias(_REASON)


def _derived(rows: pl.DataFrame, parsed: dict[str, Parsed]) -> pl.DataFrame:
    """Columns that follow from what was read; the inputs are dropped."""
    inputs = ("state", "unenrolled_by", "error_type")
    rows = rows.with_columns(
        pl.lit(None, pl.String).alias(name) for name in inputs if name not in rows.columns
    )
    if any(name in parsed for name in inputs):
        rows = rows.with_columns(_end_reason(parsed), *_flags_by_error(parsed))
    elif "end_reason" in parsed:
        rows = rows.with_columns(pl.col("end_reason").cast(OPTIONAL["end_reason"], strict=False))
    if "recipient_email" in parsed:
        rows = rows.with_columns(
            endings.recipient_domain().alias("recipient_domain")
            if "recipient_domain" not in parsed
            else pl.col("recipient_domain")
        )
        if "mailbox_provider" not in parsed:
            rows = rows.with_columns(endings.mailbox_provider().alias("mailbox_provider"))
    rows = _with_time(rows, parsed)
    reason = pl.coalesce(_REASON, endings.contradiction())
    return rows.with_columns(reason.alias(_REASON)).drop(*inputs, "recipient_email", strict=False)


def _end_reason(parsed: dict[str, Parsed]) -> pl.Expr:
    given = ["end_reason"] if "end_reason" in parsed else []
    return (
        pl.coalesce(*given, endings.end_reason()).cast(OPTIONAL["end_reason"]).alias("end_reason")
    )


def _flags_by_error(parsed: dict[str, Parsed]) -> list[pl.Expr]:
    """An error that says bounced or unsubscribed counts, whatever the count beside it says."""
    return [
        (pl.col(name) | (pl.col("error_type") == word).fill_null(value=False)).alias(name)
        for name, word in (("bounced", "BOUNCED"), ("unsubscribed", "UNSUBSCRIBED"))
        if name in parsed
    ]


def _with_time(rows: pl.DataFrame, parsed: dict[str, Parsed]) -> pl.DataFrame:
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
        pl.when(pl.col(_REASON).is_null() & early).then(text).otherwise(_REASON).alias(_REASON)
    )


def _as_read(
    rows: pl.DataFrame, raws: Sequence[RawTable], files: Sequence[SourceFile]
) -> pl.DataFrame:
    """Rejected rows with the text that they had in their file."""
    parts = [pl.DataFrame(schema=REJECTED)]
    for number, (raw, file) in enumerate(zip(raws, files, strict=True)):
        mine = rows.filter(pl.col(_FILE) == number)
        places = mine[_PLACE].drop_nulls()
        texts = raw.frame[places].select(
            pl.col(str(i)).cast(pl.String).alias(name)
            for i, name in enumerate(_unique(raw.headers))
        )
        read = pl.DataFrame({_PLACE: places}).with_columns(
            texts.select(pl.struct(pl.all()).struct.json_encode()).to_series().alias("__text")
        )
        mine = mine.join(read, on=_PLACE, how="left", maintain_order="left")
        own = [_ROW] if _ROW in mine.columns else []
        parts.append(
            mine.select(
                file=pl.lit(file.path),
                line=_LINE,
                reason=_REASON,
                row=pl.coalesce(*own, "__text"),
            )
        )
    return pl.concat(parts)


def _unique(headers: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    names = []
    for header in headers:
        seen[header] = seen.get(header, 0) + 1
        names.append(header if seen[header] == 1 else f"{header} ({seen[header]})")
    return names if len(set(names)) == len(names) else [f"{n} [{i}]" for i, n in enumerate(names)]


def _settle(rows: pl.DataFrame, files: Sequence[SourceFile]) -> pl.DataFrame:
    """Reject exact duplicates but the first, and all rows of ids that contradict themselves."""
    values = [n for n in rows.columns if not n.startswith("__")]
    rows = rows.with_row_index("__at")
    twice = rows.filter(pl.col(_REASON).is_null() & pl.col("enrollment_id").is_duplicated()).filter(
        pl.col("enrollment_id").is_duplicated()
    )
    names = pl.DataFrame({_FILE: range(len(files)), "__name": [f.path for f in files]})
    same = twice.join(names, on=_FILE, how="left", maintain_order="left").with_columns(
        __spot=pl.format("{}:{}", "__name", _LINE)
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
        .with_columns(pl.coalesce(_REASON, "__why").alias(_REASON))
        .drop("__at", "__why")
    )
