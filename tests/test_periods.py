"""Periods: whole days, by name, across a year's end; names and values are the same thing."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import SelectionError
from senderscore_nb.periods import Period

kinds = st.sampled_from(["day", "week", "month"])
days = st.dates(dt.date(1971, 1, 1), dt.date(2199, 12, 31))


@given(kinds, days)
def test_every_day_lies_in_the_period_that_its_name_reads_back_as(kind, day):
    period = Period.of(kind, day)
    assert period.start <= day <= period.end
    assert Period.parse(period.name) == period


@given(kinds, days, st.integers(-60, 60))
def test_periods_follow_each_other_without_gap_or_overlap(kind, day, steps):
    period = Period.of(kind, day).later(steps)
    assert period.later(1).start == period.end + dt.timedelta(days=1)
    assert period.later(-steps) == Period.of(kind, day)


def test_a_years_end():
    assert [Period.parse("2026-W53").start, Period.parse("2026-W53").end] == [
        dt.date(2026, 12, 28),
        dt.date(2027, 1, 3),
    ]
    weeks = [Period.parse("2026-W52").later(n).name for n in range(3)]
    assert weeks == ["2026-W52", "2026-W53", "2027-W01"]
    months = [Period.parse("2026-11").later(n) for n in range(4)]
    assert [m.end.day for m in months] == [30, 31, 31, 28]
    assert all(b.start > a.end for a, b in itertools.pairwise(months))


@pytest.mark.parametrize(
    "wrong", ["2025-W53", "2026-W00", "2026-7", "W07", "2026-W07x", "2026-13", "2026-02-30", ""]
)
def test_what_is_no_period_is_refused(wrong):
    with pytest.raises(SelectionError, match="is not a period"):
        Period.parse(wrong)
