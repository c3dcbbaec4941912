"""Columns of text → columns of the contract's types, with the values that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from senderscore_nb.errors import ReadError, did_you_mean
from senderscore_nb.sources.mapping import Dates, Words

_DAY = r"^\d{4}-\d{2}-\d{2}$"
_NAIVE = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?$"
_OFFSET = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)? ?(Z|[+-]\d{2}:?\d{2})$"
_EPOCH = r"^\d{11,14}(\.0+)?$"
_SLASHED = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[ ,T]+(\d{1,2}:\d{2})(?::\d{2})?)?$"
_NUMBER = r"^[+-]?\d+(\.\d+)?$"
_LONGEST = 80


@dataclass(frozen=True)
class Parsed:
    """A column with the type that it should have.

    Attributes:
        values: Null where blank or bad.
        bad: Where there is something that does not fit.
        expected: What would have fitted.
        instants: For dates: the local time of day where there was one, else None.
    """

    values: pl.Series
    bad: pl.Series
    expected: str
    instants: pl.Series | None = None


def clean(values: pl.Series) -> pl.Series:
    """Text without surrounding space; null where nothing is left."""
    text = values.cast(pl.String).str.strip_chars(" \t\r\n\u00a0\u2009\u202f")
    return text.set(text == "", None)


def parse_text(values: pl.Series) -> Parsed:
    """Text, as it is."""
    text = clean(values)
    return Parsed(text, _no(text), "text")


def parse_number(values: pl.Series, decimal: str, dtype: pl.DataType) -> Parsed:
    """Numbers; whole ones where the type is an integer."""
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        number = values.cast(pl.Float64)
        text = number.cast(pl.String)
    else:
        text = clean(values)
        number = _plain(text, decimal).cast(pl.Float64, strict=False)
    expected = "a number"
    bad = text.is_not_null() & (number.is_null() | ~number.is_finite().fill_null(value=True))
    if dtype == pl.Int64:
        expected = "a whole number"
        off = (number != number.round()) | (number.abs() > 2**53)
        bad = bad | off.fill_null(value=False)
        number = number.set(bad, None).cast(pl.Int64, strict=False)
    return Parsed(number.set(bad, None), bad, expected)


def parse_boolean(values: pl.Series, words: Words, decimal: str, *, blank_is_false: bool) -> Parsed:
    """Words for yes and no, or counts: 0 is no, more is yes."""
    if values.dtype == pl.Boolean:
        result = values
        text = None
    else:
        text = clean(values)
        folded = text.str.to_lowercase()
        number = _plain(text, decimal).cast(pl.Float64, strict=False)
        frame = pl.DataFrame({"w": folded, "n": number})
        result = frame.select(
            pl.when(pl.col("w").is_in([w.casefold() for w in words.true]))
            .then(pl.lit(value=True))
            .when(pl.col("w").is_in([w.casefold() for w in words.false]))
            .then(pl.lit(value=False))
            .when(pl.col("n") >= 0)
            .then(pl.col("n") > 0)
        ).to_series()
    bad = result.is_null() & text.is_not_null() if text is not None else _no(result)
    if blank_is_false:
        result = result.fill_null(value=False)
    return Parsed(result.set(bad, None), bad, "true or false, or a count")


def parse_enum(values: pl.Series, words: dict[str, str], known: Sequence[str]) -> Parsed:
    """A word of a fixed list, through the mapping's own words."""
    text = clean(values)
    table = {_word(k): k for k in known} | {_word(k): v for k, v in words.items()}
    folded = text.str.to_uppercase().str.replace_all(r"[\s_\-]+", "_")
    result = folded.replace_strict(table, default=None, return_dtype=pl.String)
    bad = text.is_not_null() & result.is_null()
    return Parsed(result, bad, f"one of {', '.join(known[:4])}, …" if len(known) > 4 else "known")


def parse_dates(
    values: pl.Series, dates: Dates, zone: str | None, *, file: str, header: str
) -> Parsed:
    """Days in the account's time zone.

    Raises:
        ReadError: D/M and M/D cannot be told apart, or times of day come without a time zone.
    """
    if values.dtype == pl.Date:
        return Parsed(values, _no(values), "a day")
    if isinstance(values.dtype, pl.Datetime):
        return _typed(values, dates, zone, file=file, header=header)
    text = clean(values)
    frame = pl.DataFrame({"t": text})
    t = pl.col("t")
    declared = [
        t.str.to_datetime(f, strict=False, time_unit="us") for f in dates.formats if "%H" in f
    ]
    declared += [
        t.str.to_date(f, strict=False).cast(pl.Datetime("us"))
        for f in dates.formats
        if "%H" not in f
    ]
    timed_formats = any("%H" in f or "%I" in f for f in dates.formats)
    found = frame.select(
        declared=pl.coalesce(*declared, pl.lit(None, pl.Datetime("us"))),
        day=t.str.contains(_DAY),
        naive=t.str.contains(_NAIVE),
        offset=t.str.contains(_OFFSET),
        epoch=t.str.contains(_EPOCH),
        slashed=t.str.contains(_SLASHED),
    ).with_columns(pl.col("day", "naive", "offset", "epoch", "slashed").fill_null(value=False))
    slashed = found["slashed"] & found["declared"].is_null()
    if slashed.any() and dates.day_first is None:
        raise _ambiguous(text.filter(slashed), file, header)
    has_time = bool(
        found.select(pl.any_horizontal("naive", "offset", "epoch").any()).item()
        or (timed_formats and found["declared"].is_not_null().any())
        or text.filter(slashed).str.contains(":").any()
    )
    if has_time:
        check_zone(zone, file=file, header=header)
    local = frame.with_columns(found).select(
        pl.coalesce(
            pl.col("declared").pipe(_wall, dates, zone) if timed_formats else pl.col("declared"),
            pl.when("day").then(t.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))),
            pl.when("naive").then(_naive(t).pipe(_wall, dates, zone)),
            pl.when("offset").then(_instant(t).pipe(_local, zone)),
            pl.when("epoch").then(_epoch(t).pipe(_local, zone)),
            pl.when("slashed").then(
                _slashed(t, day_first=bool(dates.day_first)).pipe(_wall, dates, zone)
            ),
        ).alias("local")
    )["local"]
    bad = text.is_not_null() & local.is_null()
    instants = local if has_time else None
    return Parsed(local.cast(pl.Date), bad, "a day such as 2026-03-02, or a time", instants)


def check_zone(zone: str | None, *, file: str, header: str) -> None:
    """The time zone is stated and known.

    Raises:
        ReadError: It is not.
    """
    if not zone:
        raise ReadError(
            f"The column {header!r} holds times of day, and days depend on the time zone.",
            where=file,
            hint="State the account's time zone, as in --timezone Europe/Berlin.",
        )
    known_zone(zone)


def known_zone(zone: str) -> ZoneInfo:
    """A time zone by its IANA name.

    Raises:
        ReadError: There is none of that name.
    """
    if zone not in available_timezones():
        raise ReadError(
            f"There is no time zone {zone!r}.",
            hint=did_you_mean(zone, sorted(available_timezones())),
        )
    return ZoneInfo(zone)


def shorten(value: str) -> str:
    """A value as an error shows it."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in value)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _no(values: pl.Series) -> pl.Series:
    return pl.repeat(value=False, n=len(values), eager=True, dtype=pl.Boolean)


def _plain(text: pl.Series, decimal: str) -> pl.Series:
    plain = text.str.replace(",", ".", literal=True) if decimal == "," else text
    frame = plain.alias("p").to_frame()
    return frame.select(pl.when(pl.col("p").str.contains(_NUMBER)).then("p")).to_series()


def _word(word: str) -> str:
    return "_".join(word.upper().replace("-", " ").replace("_", " ").split())


def _naive(t: pl.Expr) -> pl.Expr:
    plain = t.str.replace("T", " ", literal=True)
    return pl.coalesce(
        plain.str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us"),
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us"),
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"),
    )


def _instant(t: pl.Expr) -> pl.Expr:
    """UTC wall clock of a text with an offset."""
    wall = _naive(t.str.replace(r" ?(Z|[+-]\d{2}:?\d{2})$", ""))
    sign = pl.when(t.str.contains(r"-\d{2}:?\d{2}$")).then(-1).otherwise(1)
    hours = t.str.extract(r"[+-](\d{2}):?\d{2}$").cast(pl.Int64).fill_null(0)
    minutes = t.str.extract(r"[+-]\d{2}:?(\d{2})$").cast(pl.Int64).fill_null(0)
    return wall - pl.duration(minutes=sign * (60 * hours + minutes))


def _epoch(t: pl.Expr) -> pl.Expr:
    milliseconds = t.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    return (milliseconds * 1000).cast(pl.Datetime("us"))


def _slashed(t: pl.Expr, *, day_first: bool) -> pl.Expr:
    first, second, year = (t.str.extract(_SLASHED, i).cast(pl.Int32) for i in (1, 2, 3))
    day, month = (first, second) if day_first else (second, first)
    text = pl.format(
        "{}-{}-{} {}",
        year,
        month.cast(pl.String).str.zfill(2),
        day.cast(pl.String).str.zfill(2),
        t.str.extract(_SLASHED, 4).str.zfill(5).fill_null("00:00"),
    )
    return text.str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us")


def _local(utc: pl.Expr, zone: str | None) -> pl.Expr:
    return (
        utc.dt.replace_time_zone("UTC")
        .dt.convert_time_zone(zone or "UTC")
        .dt.replace_time_zone(None)
    )


def _wall(naive: pl.Expr, dates: Dates, zone: str | None) -> pl.Expr:
    """The account's wall clock: a naive time is one already, unless it is declared to be UTC."""
    return _local(naive, zone) if dates.naive_timestamps == "UTC" else naive


def _typed(values: pl.Series, dates: Dates, zone: str | None, *, file: str, header: str) -> Parsed:
    check_zone(zone, file=file, header=header)
    frame = values.alias("t").to_frame()
    t = pl.col("t").dt.cast_time_unit("us")
    aware = getattr(values.dtype, "time_zone", None) is not None
    local = (
        t.dt.convert_time_zone(zone or "UTC").dt.replace_time_zone(None)
        if aware
        else t.pipe(_wall, dates, zone)
    )
    wall = frame.select(local.alias("t")).to_series()
    return Parsed(wall.cast(pl.Date), _no(wall), "a day", wall)


def _ambiguous(values: pl.Series, file: str, header: str) -> ReadError:
    parts = values.to_frame("t").select(
        pl.col("t").str.extract(_SLASHED, i).cast(pl.Int32).max().alias(str(i)) for i in (1, 2)
    )
    first, second = parts.row(0)
    seen = ""
    if first > 12 >= second:
        seen = " The values seen suggest day_first = true."
    elif second > 12 >= first:
        seen = " The values seen suggest day_first = false."
    return ReadError(
        f"{values[0]!r} in the column {header!r} could be day/month or month/day.",
        where=file,
        hint=f"Say which in the mapping: [dates] day_first = true, or false.{seen}",
    )
