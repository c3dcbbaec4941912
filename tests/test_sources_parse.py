"""Days, numbers, booleans and words: what is understood, and what is never guessed."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import MappingError, ReadError
from senderscore_nb.sources.days import known_zone, parse_dates
from senderscore_nb.sources.mapping import Dates, Words, parse_mapping
from senderscore_nb.sources.parse import (
    Parsed,
    clean,
    parse_boolean,
    parse_enum,
    parse_number,
    parse_text,
)

DAY = dt.date(2026, 3, 4)


def days(
    values: list[str] | list[str | None] | pl.Series,
    zone: str | None = None,
    dates: Dates | None = None,
) -> Parsed:
    series = values if isinstance(values, pl.Series) else pl.Series(values, dtype=pl.String)
    return parse_dates(series, dates or Dates(), zone, file="f.csv", header="When")


def test_iso_days_need_no_zone() -> None:
    parsed = days([" 2026-03-04 ", "", None, "2026-02-30", "0000-01-01", "2100-01-01", "soon"])
    assert parsed.values.to_list() == [DAY, None, None, None, None, None, None]
    assert parsed.bad.to_list() == [False, False, False, True, True, True, True]
    assert parsed.instants is None


@pytest.mark.parametrize(
    "text",
    ["2026-03-04 00:30", "2026-03-04T00:30:15", "2026-03-03T23:30:00Z", "1772580600000"],
)
def test_times_of_day_need_a_known_zone(text: str) -> None:
    with pytest.raises(ReadError, match=r"f\.csv: The column 'When' holds times.*--timezone"):
        days([text])
    with pytest.raises(ReadError, match=r"no time zone 'Europe/Berlim'.*'Europe/Berlin'"):
        days([text], "Europe/Berlim")
    assert days([text], "Europe/Berlin").values.to_list() == [DAY]


@pytest.mark.parametrize("zone", ["../../etc/passwd", "localtime", "Europe", "<script>", "a\x00"])
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(ReadError, match="no time zone"):
        known_zone(zone)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-03T23:30:00Z",
        "2026-03-03 23:30:00.123 UTC",
        "2026-03-04T00:30:00+01:00",
        "2026-03-03 18:30 -0500",
        "1772580600000",
        "1772580600000.0",
    ],
)
def test_one_instant_is_two_days_in_two_zones(text: str) -> None:
    assert days([text], "America/New_York").values.to_list() == [dt.date(2026, 3, 3)]
    berlin = days([text], "Europe/Berlin")
    assert berlin.values.to_list() == [DAY]
    assert berlin.instants is not None
    assert berlin.instants.dt.hour().to_list() == [0]


def test_wall_clock_is_the_accounts_unless_declared_utc() -> None:
    text = ["2026-03-03 23:30", "2026-03-04"]
    here = days(text, "Asia/Tokyo")
    utc = days(text, "Asia/Tokyo", Dates(naive_timestamps="UTC"))
    assert here.values.to_list() == [dt.date(2026, 3, 3), DAY]
    assert utc.values.to_list() == [DAY, DAY]
    assert here.instants is not None
    assert here.instants.dt.hour().to_list() == [23, None]


@pytest.mark.parametrize(
    ("text", "why"), [("2026-03-29 02:30", "left out"), ("2026-10-25 02:30", "there twice")]
)
@pytest.mark.parametrize("naive", ["account", "UTC"])
def test_wall_clock_at_a_change_of_the_clock(text: str, why: str, naive: str) -> None:
    parsed = days([text], "Europe/Berlin", Dates.model_validate({"naive_timestamps": naive}))
    assert parsed.values.to_list() == [dt.date.fromisoformat(text[:10])], why
    assert not parsed.bad.any()


@given(
    st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2099, 12, 1)),
    st.sampled_from(["Europe/Stockholm", "Pacific/Kiritimati", "America/St_Johns", "UTC"]),
)
def test_every_spelling_of_an_instant_gives_the_day_that_zoneinfo_gives(
    moment: dt.datetime, zone: str
) -> None:
    moment = moment.replace(microsecond=0, tzinfo=dt.UTC)
    local = moment.astimezone(dt.timezone(dt.timedelta(hours=-3, minutes=-30)))
    spellings = [
        moment.isoformat().replace("+00:00", "Z"),
        local.isoformat(sep=" "),
        str(int(moment.timestamp()) * 1000),
    ]
    expected = moment.astimezone(known_zone(zone)).date()
    parsed = days(spellings, zone)
    assert parsed.values.to_list() == [expected] * 3
    typed = pl.Series([moment], dtype=pl.Datetime("ns", "UTC"))
    assert days(typed, zone).values.to_list() == [expected]


@pytest.mark.parametrize(
    ("values", "suggested"),
    [
        (["3/4/2026", "5/6/2026"], ""),
        (["3/4/2026", "25/6/2026"], "suggest day_first = true"),
        (["03.04.2026", "01.31.2026"], "suggest day_first = false"),
        (["3-4-2026 10:00"], ""),
        (["3/4/2026 2:30 PM"], ""),
    ],
)
def test_day_and_month_are_never_guessed(values: list[str], suggested: str) -> None:
    with pytest.raises(ReadError, match=r"day/month or month/day") as caught:
        days(values, "UTC")
    assert values[0] in str(caught.value)
    assert "[dates] day_first = true" in str(caught.value)
    assert suggested in str(caught.value)


def test_day_and_month_as_declared() -> None:
    text = ["3/4/2026", "4.3.2026", "13/2/2026", "2026-03-04"]
    first = days(text, dates=Dates(day_first=True))
    second = days(text, dates=Dates(day_first=False))
    assert first.values.to_list() == [dt.date(2026, 4, 3), DAY, dt.date(2026, 2, 13), DAY]
    assert second.values.to_list() == [DAY, dt.date(2026, 4, 3), None, DAY]
    assert second.bad.to_list() == [False, False, True, False]


def test_clocks_of_slashed_days() -> None:
    text = ["4/3/2026 09:05", "4/3/2026, 9:05:59", "4/3/2026 2:30 PM", "4/3/2026 12:05am"]
    parsed = days([*text, "4/3/2026 25:00"], "UTC", Dates(day_first=True))
    assert parsed.values.to_list() == [DAY] * 4 + [None]
    assert parsed.instants is not None
    assert parsed.instants.dt.hour().to_list() == [9, 9, 14, 0, None]


@pytest.mark.parametrize(
    ("form", "text", "hour"),
    [
        ("%d/%m/%Y", "04/03/2026", None),
        ("%d %B %Y", "4 March 2026", None),
        ("%Y%m%d", "20260304", None),
        ("%d/%m/%y %H.%M", "04/03/26 15.30", 15),
        ("%m/%d/%Y %I:%M %p", "03/04/2026 03:30 PM", 15),
        ("%Y%m%d%H%M%S", "20260304153000", 15),
        ("%d/%m/%Y %H:%M %z", "04/03/2026 14:30 +0000", 15),
    ],
)
def test_declared_formats_go_first(form: str, text: str, hour: int | None) -> None:
    parsed = days([text, "2026-03-04"], "Europe/Berlin", Dates(formats=(form,)))
    assert parsed.values.to_list() == [DAY, DAY]
    assert (parsed.instants is not None and parsed.instants.dt.hour()[0]) == (hour or False)


@pytest.mark.parametrize("form", ["%Q", "%H:%M", "", "%d/%m", "day"])
def test_a_format_that_is_none(form: str) -> None:
    with pytest.raises(MappingError, match=r"dates\.formats\.0: .*not a date format"):
        parse_mapping(f"name='x'\n[columns]\n[dates]\nformats=['{form}']", where="m.toml")


def test_typed_days_and_times() -> None:
    assert days(pl.Series([DAY, dt.date(1066, 1, 1)])).values.to_list() == [DAY, None]
    naive = pl.Series([dt.datetime(2026, 3, 4, 23, 30)])
    with pytest.raises(ReadError, match="times of day"):
        days(naive)
    assert days(naive, "Asia/Tokyo").values.to_list() == [DAY]
    late = days(naive, "Asia/Tokyo", Dates(naive_timestamps="UTC"))
    assert late.values.to_list() == [dt.date(2026, 3, 5)]


def test_booleans_are_words_or_counts() -> None:
    words = Words.model_validate({"true": ["Ja", "x"], "false": "nej"})
    text = pl.Series(["JA", " nej ", "0", "3", "1,0", "0,0", "", None, "-1", "yes", "1.0", "nan"])
    unknown = parse_boolean(text, words, ",", blank_is_false=False)
    expected = [True, False, False, True, True, False, None, None, None, None, None, None]
    assert unknown.values.to_list() == expected
    assert unknown.bad.to_list() == [False] * 8 + [True] * 4
    zero = parse_boolean(text, words, ",", blank_is_false=True)
    assert zero.values.to_list() == [*expected[:6], False, False, *expected[8:]]
    typed = parse_boolean(pl.Series([0.0, 2.0, None]), words, ",", blank_is_false=False)
    assert typed.values.to_list() == [False, True, None]


def test_numbers_have_one_decimal_mark() -> None:
    text = pl.Series(["3", "3,0", "3,5", "1.000", "1 000", "inf", "1e3", "", str(2**60)])
    whole = parse_number(text, ",", pl.Int64())
    assert whole.values.to_list() == [3, 3] + [None] * 7
    assert whole.bad.to_list() == [False, False, *[True] * 5, False, True]
    real = parse_number(text, ",", pl.Float64())
    assert real.values.to_list()[:4] == [3.0, 3.0, 3.5, None]
    point = parse_number(pl.Series(["3.5", "3,5"]), ".", pl.Float64())
    assert point.values.to_list() == [3.5, None]


def test_words_in_any_case_and_spacing() -> None:
    known = ("THREAD_REPLY", "REPLY")
    text = pl.Series(
        ["thread reply", " Thread_Reply", "svar  i tråd", "SVAR I TRA\u030aD", "?", ""]
    )
    parsed = parse_enum(text, {"Svar i tråd": "THREAD_REPLY"}, known)
    assert parsed.values.to_list() == ["THREAD_REPLY"] * 4 + [None, None]
    assert parsed.bad.to_list() == [False] * 4 + [True, False]
    assert parsed.expected == "one of THREAD_REPLY, REPLY"


def test_ids_stay_as_they_are() -> None:
    assert parse_text(pl.Series([" 007 ", "\u00a0", "1e5"])).values.to_list() == [
        "007",
        None,
        "1e5",
    ]
    assert clean(pl.Series([1001.0, 0.5, None])).to_list() == ["1001", "0.5", None]
    assert clean(pl.Series([1001, 7])).to_list() == ["1001", "7"]
