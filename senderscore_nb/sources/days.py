"""Columns of days and times → days in the account's time zone."""

from __future__ import annotations

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from senderscore_nb.errors import ReadError, did_you_mean
from senderscore_nb.sources.forms import DAY, EPOCH, OFFSET, format_kind, naive_form
from senderscore_nb.sources.mapping import Dates
from senderscore_nb.sources.parse import Parsed, clean, shorten

_TIME = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_NAIVE = naive_form(_TIME)
_INSTANT = _NAIVE.removesuffix("$") + OFFSET
_SLASHED = (
    r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[ ,T]+(\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm])?))?$"
)
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M%p", "%I:%M:%S%p")
# polars knows the changes of the clock up to 2099.
FIRST, LAST = dt.date(1970, 1, 1), dt.date(2099, 12, 31)
EXPECTED = f"a day such as 2026-03-02, or a time, from {FIRST.year} to {LAST.year}"
_NEVER = pl.lit(None, pl.Datetime("us"))


def parse_dates(
    values: pl.Series, dates: Dates, zone: str | None, *, file: str, header: str
) -> Parsed:
    """Days in the account's time zone.

    A naive time is wall clock of the account's zone, also one that a change of the clock leaves
    out or makes twice; an instant is brought to that zone, and its day is taken there.

    Raises:
        ReadError: D/M and M/D cannot be told apart, or times of day come without a time zone.
    """
    frame, text = _sorted_out(values, dates, file=file, header=header)
    naive, instant = frame["naive"], frame["instant"]
    if naive.is_not_null().any() or instant.is_not_null().any():
        check_zone(zone, file=file, header=header)
        wall = _local(naive, zone) if dates.naive_timestamps == "UTC" else naive
        times = wall.zip_with(wall.is_not_null(), _local(instant, zone))
        days = frame["day"].zip_with(frame["day"].is_not_null(), times.cast(pl.Date))
    else:
        times, days = None, frame["day"]
    good = days.is_between(FIRST, LAST).fill_null(value=False)
    return Parsed(days.set(~good, None), text.is_not_null() & ~good, EXPECTED, times)


def check_zone(zone: str | None, *, file: str, header: str) -> None:
    """The time zone is stated and known.

    Raises:
        ReadError: It is not.
    """
    if not zone:
        raise ReadError(
            f"The column {shorten(header)!r} holds times of day, and days depend on the time zone.",
            where=file,
            hint="State the account's time zone, as in --timezone Europe/Berlin.",
        )
    known_zone(zone)


def known_zone(zone: str) -> ZoneInfo:
    """A time zone by its IANA name.

    Raises:
        ReadError: There is none of that name.
    """
    if zone not in _zones():
        raise ReadError(
            f"There is no time zone {shorten(zone)!r}.",
            hint=did_you_mean(zone[:100], sorted(_zones())),
        )
    return ZoneInfo(zone)


@cache
def _zones() -> frozenset[str]:
    """The zones that zoneinfo and polars both know."""
    return frozenset(available_timezones() - {"Factory", "localtime"})


def _sorted_out(
    values: pl.Series, dates: Dates, *, file: str, header: str
) -> tuple[pl.DataFrame, pl.Series]:
    """Columns `day`, `naive` (wall clock) and `instant` (UTC), one of them filled; and the text."""
    days, naive, instant = pl.lit(None, pl.Date), _NEVER, _NEVER
    if values.dtype == pl.Date:
        text, days = values, pl.col("t")
    elif isinstance(values.dtype, pl.Datetime):
        text, wall = values, pl.col("t").dt.cast_time_unit("us")
        if values.dtype.time_zone is None:
            naive = wall
        else:
            instant = wall.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    else:
        text = clean(values)
        if dates.day_first is None:
            _refuse_ambiguous(text, dates, file, header)
        days, naive, instant = _forms(dates)
    frame = text.alias("t").to_frame()
    return frame.select(day=days, naive=naive, instant=instant), text


def _forms(dates: Dates) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Texts as days, as naive times and as UTC instants, in the declared forms first."""
    t = pl.col("t")
    declared: dict[str, list[pl.Expr]] = {"day": [], "naive": [], "instant": []}
    for form in dates.formats:
        declared[format_kind(form)].append(_declared(t, form))
    clock = t.str.extract(_SLASHED, 4)
    slashed = _slashed_day(t, day_first=bool(dates.day_first))
    day = pl.coalesce(
        *declared["day"],
        pl.when(t.str.contains(DAY)).then(t.str.to_date("%Y-%m-%d", strict=False)),
        pl.when(clock.is_null()).then(slashed),
    )
    naive = pl.coalesce(
        *declared["naive"],
        pl.when(t.str.contains(_NAIVE)).then(_iso(t)),
        slashed.dt.combine(_clock(clock)),
    )
    instant = pl.coalesce(
        *declared["instant"],
        pl.when(t.str.contains(_INSTANT)).then(_with_offset(t)),
        pl.when(t.str.contains(EPOCH)).then(_epoch(t)),
    )
    # A text that was declared to be a day or a wall clock is not an instant as well.
    return day, naive, pl.when(naive.is_null()).then(instant)


def _declared(t: pl.Expr, form: str) -> pl.Expr:
    kind = format_kind(form)
    if kind == "day":
        return t.str.to_date(form, strict=False)
    if kind == "naive":
        return t.str.to_datetime(form, strict=False, time_unit="us")
    aware = t.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
    return aware.dt.replace_time_zone(None)


def _iso(t: pl.Expr) -> pl.Expr:
    plain = t.str.replace("T", " ", literal=True)
    return pl.coalesce(
        plain.str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us"),
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"),
    )


def _with_offset(t: pl.Expr) -> pl.Expr:
    """UTC wall clock of a text with an offset."""
    sign = pl.when(t.str.contains(r"-\d{2}:?\d{2}$")).then(-1).otherwise(1)
    hours = t.str.extract(r"[+-](\d{2}):?\d{2}$").cast(pl.Int64).fill_null(0)
    minutes = t.str.extract(r"[+-]\d{2}:?(\d{2})$").cast(pl.Int64).fill_null(0)
    return _iso(t.str.replace(OFFSET, "")) - pl.duration(minutes=sign * (60 * hours + minutes))


def _epoch(t: pl.Expr) -> pl.Expr:
    milliseconds = t.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    return (milliseconds * 1000).cast(pl.Datetime("us"))


def _slashed_day(t: pl.Expr, *, day_first: bool) -> pl.Expr:
    first, second, year = (t.str.extract(_SLASHED, i) for i in (1, 2, 3))
    day, month = (first, second) if day_first else (second, first)
    return pl.concat_str(year, month, day, separator="-").str.to_date("%Y-%m-%d", strict=False)


def _clock(text: pl.Expr) -> pl.Expr:
    plain = text.str.replace(" ", "", literal=True)
    return pl.coalesce(plain.str.to_time(form, strict=False) for form in _CLOCKS)


def _local(utc: pl.Series, zone: str | None) -> pl.Series:
    aware = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone or "UTC")
    return aware.dt.replace_time_zone(None)


def _refuse_ambiguous(text: pl.Series, dates: Dates, file: str, header: str) -> None:
    frame = text.alias("t").to_frame()
    t = pl.col("t")
    undeclared = [_declared(t, form).is_null() for form in dates.formats]
    seen = frame.filter(t.str.contains(_SLASHED), *undeclared)
    if seen.is_empty():
        return
    first, second = seen.select(
        t.str.extract(_SLASHED, i).cast(pl.Int32).max().alias(str(i)) for i in (1, 2)
    ).row(0)
    suggested = ""
    if first > 12 >= second:
        suggested = " The values seen suggest day_first = true."
    elif second > 12 >= first:
        suggested = " The values seen suggest day_first = false."
    raise ReadError(
        f"{seen.item(0, 't')!r} in the column {shorten(header)!r} could be day/month or month/day.",
        where=file,
        hint="Say which in a mapping: [dates] day_first = true, or false "
        f'(extends = "hubspot-en" builds on a preset).{suggested}',
    )
