"""Counts typed off the vendor's report, and the roster."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from senderscore_nb.contract import Roster, Tally
from senderscore_nb.errors import MappingError, ReadError, SenderScoreError
from senderscore_nb.sources import Reading, load_mapping, read_aggregate, read_roster
from tests.conftest import SAMPLE
from tests.test_sources_files import HOSTILE, put, xlsx

DAY = dt.date(2026, 11, 16)


def typed(folder: Path, text: str, as_of: dt.date | None = DAY) -> Reading:
    reading = read_aggregate(put(folder, text, "typed.csv"), as_of=as_of)
    assert reading.accepted.height + reading.rejected.height == reading.read
    Tally.validate(reading.accepted)
    return reading


def one_rate(folder: Path, rate: str, ended: int = 200, header: str = "Reply rate") -> Reading:
    return typed(folder, f"User;Total ended sequences;{header};Bounces\n7;{ended};{rate};0\n")


def test_counts_by_user_and_sequence(tmp_path: Path) -> None:
    reading = typed(
        tmp_path,
        "User,Sequence,Ended sequences,Replies,Bounces,Date\n"
        "8,31,100,7,3,2026-11-15\n7,31,100,7,3,\n7,32,0,0,0,2026-11-15\n",
    )
    assert reading.accepted["user_id"].to_list() == ["7", "7", "8"]
    assert reading.accepted["day"].to_list() == [DAY, DAY - dt.timedelta(1), DAY - dt.timedelta(1)]
    assert reading.accepted["ended"].to_list() == [100, 0, 100]
    assert reading.accepted["opened"].to_list() == [None] * 3


@pytest.mark.parametrize("rate", ["7.5 %", "7,5%", "7.5%", "0.075", "0,075", "7.50 %"])
def test_counts_are_taken_back_from_rates(tmp_path: Path, rate: str) -> None:
    accepted = one_rate(tmp_path, rate).accepted
    assert accepted["replied"].to_list() == [15]
    assert accepted["sequence_id"].to_list() == ["all"]


def test_replies_are_out_of_what_was_delivered(tmp_path: Path) -> None:
    text = "User,ended,Reply rate,Bounce rate\n7,200,10 %,5 %\n"
    row = typed(tmp_path, text).accepted.row(0, named=True)
    assert (row["bounced"], row["replied"]) == (10, 19)


@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        ("30", "expected a rate such as 7.5 % or 0.075, found '30'"),
        ("1", "expected a rate"),
        ("101 %", "expected a rate"),
        ("-5 %", "expected a rate"),
        ("", "expected a rate"),
        ("7 5 %", "expected a rate"),
        ("7.3 %", "no whole number out of 200 gives this rate"),
        ("0.073", "no whole number out of 200 gives this rate"),
    ],
)
def test_impossible_rates_are_rejected(tmp_path: Path, rate: str, reason: str) -> None:
    reading = one_rate(tmp_path, rate)
    assert reading.accepted.is_empty()
    assert reading.rejected["reason"][0].startswith("reply_rate: ")
    assert reason in reading.rejected["reason"][0]


def test_a_header_with_a_percent_sign_is_one(tmp_path: Path) -> None:
    assert one_rate(tmp_path, "0.5", header="Reply rate %").accepted["replied"].to_list() == [1]
    assert one_rate(tmp_path, "30", header="Reply rate %").accepted["replied"].to_list() == [60]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 400), st.data())
def test_a_rate_to_one_decimal_gives_the_count_it_came_from(
    tmp_path: Path, ended: int, data: st.DataObject
) -> None:
    bounced = data.draw(st.integers(0, ended))
    replied = data.draw(st.integers(0, ended - bounced))
    delivered = ended - bounced
    replies = f"{100 * replied / delivered:.1f} %" if delivered else "0 %"
    text = f"User,ended,Reply rate,Bounce rate\n7,{ended},{replies},{100 * bounced / ended:.1f}%\n"
    row = typed(tmp_path, text).accepted.row(0, named=True)
    assert (row["bounced"], row["replied"]) == (bounced, replied)


def test_rows_that_cannot_be(tmp_path: Path) -> None:
    reading = typed(
        tmp_path,
        "User,Sequence,ended,Replies,Bounces,Day\n"
        "7,1,10,8,3,2026-11-16\n"
        "7,2,1.5,0,0,2026-11-16\n"
        "7,3,-5,0,0,2026-11-16\n"
        ",4,10,0,0,2026-11-16\n"
        "7,5,10,0,0,2026-11-16\n"
        "7,5,10,0,0,2026-11-16\n"
        "7,6,10,x,0,2026-11-16\n"
        "7,6,10,1,0,2026-11-16\n"
        "7,7,10,1,0,soon\n"
        "7,8,10\n",
    )
    assert reading.accepted.select("sequence_id", "replied").rows() == [("6", 1)]
    assert dict(reading.rejected.select("line", "reason").rows()) == {
        2: "replied: replies and bounces are more than ended",
        3: "ended: expected a whole number, found '1.5'",
        4: "ended: expected a whole number, found '-5'",
        5: "user_id: expected a user, found ''",
        6: "user_id: this user, sequence and day are there twice",
        7: "user_id: this user, sequence and day are there twice",
        8: "replied: expected a whole number, found 'x'",
        10: "day: expected a day such as 2026-03-02, or a time, from 1970 to 2099, found 'soon'",
        11: "fields: 3 where the header has 6",
    }


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"which day.*as_of"):
        typed(tmp_path, "User,ended,Replies,Bounces\n7,1,0,0\n", as_of=None)
    with pytest.raises(ReadError, match="day_first"):
        typed(tmp_path, "User,ended,Replies,Bounces,Date\n7,1,0,0,3/4/2026\n")
    with pytest.raises(MappingError, match="replied or reply_rate"):
        typed(tmp_path, "User,ended,Bounces\n7,1,0\n")
    with pytest.raises(MappingError, match=r"typed\.csv: .*both mean 'user_id'"):
        typed(tmp_path, "User,Sender,ended,Replies,Bounces\n7,7,1,0,0\n")
    with pytest.raises(SenderScoreError, match=r"typed\.csv: .*cannot be read"):
        read_aggregate(tmp_path / "none" / "typed.csv", as_of=DAY)


def test_labels_and_dates_of_ones_own(tmp_path: Path) -> None:
    mapping = put(
        tmp_path,
        'name="typed"\n[columns]\nuser_id="Wer"\nended="Beendet"\nreplied="Antworten"\n'
        'bounced="Zurück"\nday="Tag"\n[dates]\nday_first=true\n',
        "m.toml",
    )
    path = put(tmp_path, "Wer;Beendet;Antworten;Zurück;Tag\n7;10;1;0;3.4.2026\n", "t.csv")
    accepted = read_aggregate(path, mapping=load_mapping(mapping)).accepted
    assert accepted["day"].to_list() == [dt.date(2026, 4, 3)]


def test_the_sample_roster() -> None:
    roster = read_roster(SAMPLE / "roster.csv")
    Roster.validate(roster)
    assert roster.height == 16
    assert roster["team"].n_unique() == 3
    assert roster["paid_seat"].sum() == 15


def test_roster_by_label_from_a_workbook(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["user ID", "Name", "Paid seat", "Shoe size"],
        [1001, HOSTILE[0], "Yes", 44],
        [1002, None, True, None],
        [1003, HOSTILE[2], "n", 1],
    ]
    roster = read_roster(put(tmp_path, xlsx(rows), "roster.xlsx"))
    assert roster["user_id"].to_list() == ["1001", "1002", "1003"]
    assert roster["paid_seat"].to_list() == [True, True, False]
    assert roster["user_name"].to_list() == [HOSTILE[0], None, HOSTILE[2]]
    assert roster["team"].dtype == pl.String


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Team\nNorth\n", r"roster\.csv: A roster needs a column user_id"),
        ("User ID,Name\n7,a\n7,b\n", r"roster\.csv:2: user_id: '7' is there twice"),
        ("User ID,Name\n7,a\n,b\n", r"roster\.csv:3: user_id: is blank"),
        ("User ID,Active\n7,perhaps\n", r"roster\.csv:2: active: expected true or false"),
        ("User ID,Name\n7,a,b\n", r"roster\.csv:2: fields: 3"),
        ("User,Name,User ID\na,b,7\n", r"roster\.csv: .*both mean 'user_name'"),
        ("", r"roster\.csv: .*empty"),
    ],
)
def test_rosters_that_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        read_roster(put(tmp_path, text, "roster.csv"))
