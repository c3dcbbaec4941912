"""Instants as mail has them → UTC, in microseconds."""

from __future__ import annotations

from typing import Literal

import polars as pl

from senderscore_nb.sources.days import parse_dates
from senderscore_nb.sources.forms import EPOCH
from senderscore_nb.sources.mapping import Dates
from senderscore_nb.sources.parse import clean

_FIRST, _LAST = 0, 4_102_444_800_000_000  # 1970 to 2099 in microseconds

_EXACT, _ISO = "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%dT%H:%M:%S%.fZ"
"""The API's own form with three digits, which is read quickly, and with any number of them."""

Naive = Literal["UTC", "account"]


def instants(values: pl.Series, zone: str, naive: Naive) -> pl.Series:
    """Microseconds since 1970 in UTC; null where there is no instant between 1970 and 2099.

    Texts may be ISO 8601 with `Z` or an offset, without either (then they are what `naive` says),
    or milliseconds since 1970; whole numbers are milliseconds.
    """
    if isinstance(values.dtype, pl.Datetime):
        found = _typed(values, zone, naive)
    elif values.dtype.is_integer():
        found = _milliseconds(values)
    elif values.dtype == pl.Date or values.dtype.is_float():
        found = _texts(clean(values), zone, naive)
    else:
        found = _fast(values.cast(pl.String), zone, naive)
    return found.set(~found.is_between(_FIRST, _LAST).fill_null(value=False), None)


def _milliseconds(values: pl.Series) -> pl.Series:
    number = values.cast(pl.Int64, strict=False)
    sane = number.is_between(0, _LAST // 1000).fill_null(value=False)
    return number.set(~sane, None) * 1000


def _typed(values: pl.Series, zone: str, naive: Naive) -> pl.Series:
    plain = values.dt.cast_time_unit("us")
    if plain.dtype == pl.Datetime("us") and naive == "account":
        plain = _at_home(plain, zone)
    return plain.to_physical()


def _fast(text: pl.Series, zone: str, naive: Naive) -> pl.Series:
    """The API's own form for all at once, and the others only where that is not what they are."""
    result = text.str.to_datetime(_EXACT, strict=False, time_unit="us").to_physical()
    for others in (
        lambda rest: rest.str.to_datetime(_ISO, strict=False, time_unit="us").to_physical(),
        lambda rest: _texts(clean(rest), zone, naive),
    ):
        rest = (result.is_null() & text.is_not_null()).arg_true()
        if len(rest):
            result = result.scatter(rest, others(text.gather(rest)))
    return result


def _texts(text: pl.Series, zone: str, naive: Naive) -> pl.Series:
    epoch = text.str.contains(EPOCH).fill_null(value=False)
    number = text.set(~epoch, None).str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    if epoch.all():
        return _milliseconds(number)
    # D/M and M/D cannot be told apart here, so such texts are not instants.
    other = text.set(epoch | text.str.contains(r"^\d{1,2}[./-]\d").fill_null(value=False), None)
    dates = Dates(naive_timestamps="account")
    has_offset = other.str.contains(r"(Z|UTC|[+-]\d{2}:?\d{2})$").fill_null(value=False)
    aware = parse_dates(other.set(~has_offset, None), dates, "UTC", file="", header="").instants
    wall = parse_dates(other.set(has_offset, None), dates, "UTC", file="", header="")
    local = wall.instants if wall.instants is not None else wall.values.cast(pl.Datetime("us"))
    local = local.zip_with(local.is_not_null(), wall.values.cast(pl.Datetime("us")))
    if naive == "account":
        local = _at_home(local, zone)
    result = _milliseconds(number)
    for more in (aware, local):
        if more is not None:
            result = result.zip_with(result.is_not_null(), more.to_physical())
    return result


def _at_home(wall: pl.Series, zone: str) -> pl.Series:
    """Wall clock of a zone as UTC: the first of two, and an hour that is left out is null."""
    return (
        wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
    )
