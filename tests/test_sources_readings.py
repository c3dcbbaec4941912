"""Readings of the vendor's report: what is understood, refused, and between which limits."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.errors import MappingError, PolicyError, ReadError
from senderscore_nb.sources import Reading, describe, write_rejects
from senderscore_nb.sources.readings import READINGS, read_readings, typed_readings
from tests.test_sources_files import HOSTILE, put, xlsx

HEAD = "User;Total ended sequences;Reply rate;Bounce rate;Band\n"


def read(folder: Path, text: str, **more: object) -> Reading:
    reading = read_readings(put(folder, text, "readings.csv"), **more)
    assert reading.accepted.schema == READINGS
    assert reading.accepted.height + reading.rejected.height == reading.read
    return reading


def one(reply: str, bounce: str = "0 %", **more: object) -> Reading:
    row = {"user": "7", "reply_rate": reply, "bounce_rate": bounce, "band": "Good", **more}
    return typed_readings([row])


def test_a_file_as_it_is_typed(tmp_path: Path) -> None:
    text = HEAD + "Ann;480;7,1 %;2,9%;good\n7;200;7.5%;0 %; EXCELLENT \n"
    rows = read(tmp_path, text).accepted.to_dicts()
    assert [row["band"] for row in rows] == ["Good", "Excellent"]
    assert rows[0]["reply_rate"] == pytest.approx(0.071)
    assert rows[0]["bounce_rate_low"] == rows[0]["bounce_rate_high"] == 14 / 480
    assert rows[0]["reply_rate_low"] == rows[0]["reply_rate_high"] == 33 / 466
    assert rows[1]["reply_rate_low"] == 0.075
    assert [row["line"] for row in rows] == [2, 3]


def test_without_ended_a_rate_is_known_to_half_of_its_last_digit() -> None:
    row = one("7.1 %", "0 %").accepted.row(0, named=True)
    assert row["ended"] is None
    assert (row["reply_rate_low"], row["reply_rate_high"]) == pytest.approx((0.0705, 0.0715))
    assert (row["bounce_rate_low"], row["bounce_rate_high"]) == pytest.approx((0, 0.005))


@settings(max_examples=30)
@given(st.integers(1, 4000), st.integers(0, 2), st.data())
def test_the_true_rates_are_between_the_limits(n: int, decimals: int, data: st.DataObject) -> None:
    bounced = data.draw(st.integers(0, n - 1))
    replied = data.draw(st.integers(0, n - bounced))
    reply, bounce = replied / (n - bounced), bounced / n
    shown = [f"{100 * rate:.{decimals}f} %" for rate in (reply, bounce)]
    row = one(shown[0], shown[1], ended=n).accepted.row(0, named=True)
    assert row["reply_rate_low"] - 1e-12 <= reply <= row["reply_rate_high"] + 1e-12
    assert row["bounce_rate_low"] - 1e-12 <= bounce <= row["bounce_rate_high"] + 1e-12
    width = 10.0**-decimals / 100
    assert row["reply_rate_high"] - row["reply_rate_low"] <= width + 1e-9
    assert row["bounce_rate_high"] - row["bounce_rate_low"] <= width + 1e-9


def test_counts_are_exact() -> None:
    row = {"user": "7", "ended": 1000, "replied": 70, "bounced": 20, "value": "72,4"}
    got = typed_readings([row]).accepted.row(0, named=True)
    assert got["reply_rate"] == got["reply_rate_low"] == got["reply_rate_high"] == 70 / 980
    assert got["bounce_rate_high"] == 0.02
    assert (got["value_low"], got["value_high"]) == pytest.approx((72.35, 72.45))
    assert got["band"] is None


def test_the_denominator_is_the_policys(tmp_path: Path) -> None:
    from senderscore_nb.policy import load_policy

    ours = load_policy()
    ended = ours.model_copy(
        update={"counting": ours.counting.model_copy(update={"reply_denominator": "ended"})}
    )
    row = {"user": "7", "ended": 1000, "replied": 70, "bounced": 20, "band": "Good"}
    assert typed_readings([row], ended).accepted["reply_rate"].to_list() == [0.07]


@pytest.mark.parametrize("rate", ["7.1", "0.071", "1", "7,1"])
def test_a_bare_rate_is_refused(rate: str) -> None:
    (reason,) = one(rate).rejected["reason"]
    assert "ambiguous" in reason
    assert f"found '{rate}'" in reason


@pytest.mark.parametrize(
    ("rate", "rates", "expected"),
    [("7.1", "percent", 0.071), ("0.071", "fraction", 0.071), ("7.1 %", "fraction", 0.071),
     ("0.5", "percent", 0.005)],
)  # fmt: skip
def test_a_bare_rate_is_what_is_declared(rate: str, rates: str, expected: float) -> None:
    row = {"user": "7", "reply_rate": rate, "bounce_rate": "0 %", "band": "Good"}
    got = typed_readings([row], rates=rates).accepted["reply_rate"]
    assert got.to_list() == [pytest.approx(expected)]


def test_a_header_with_a_percent_sign_declares(tmp_path: Path) -> None:
    text = "User,Reply rate %,Bounce rate (%),Band\n7,7.1,0.5,Good\n"
    assert read(tmp_path, text).accepted["bounce_rate"].to_list() == [0.005]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user": " "}, "user: expected a name or an id"),
        ({"ended": "0"}, "ended: expected a whole number, found '0'"),
        ({"ended": "1.5"}, "ended: expected a whole number"),
        ({"ended": "-4"}, "ended: expected a whole number"),
        ({"reply_rate": "101 %"}, "reply_rate: expected a rate"),
        ({"reply_rate": "seven"}, "reply_rate: a bare number is ambiguous"),
        ({"reply_rate": None}, "reply_rate: expected a rate"),
        ({"reply_rate": "7.3 %", "ended": "200"}, "reply_rate: no whole number out of 200"),
        ({"bounce_rate": "0.7 %", "ended": "200"}, "bounce_rate: no whole number out of 200"),
        ({"reply_rate": "50 %", "bounce_rate": "100 %", "ended": "10"}, "reply_rate: no whole"),
        ({"band": "Nice"}, "band: expected one of Low, Fair, Good, Excellent, found 'Nice'"),
        ({"band": None}, "band: expected a band or a gauge value"),
        ({"value": "120"}, "value: expected a number from 0 to 100, found '120'"),
        ({"value": "high"}, "value: expected a number from 0 to 100, found 'high'"),
        ({"replied": "3"}, "ended: needed where replies or bounces are counts"),
    ],
)
def test_rows_that_cannot_be_are_a_result(change: dict[str, str | None], reason: str) -> None:
    row = {"user": "7", "reply_rate": "7 %", "bounce_rate": "0 %", "band": "Good", **change}
    reading = typed_readings([row, {**row, "user": "8"}][:1])
    assert reading.accepted.is_empty()
    assert reading.rejected["reason"][0].startswith(reason)


def test_huge_counts_take_no_time() -> None:
    rows = [
        {"user": "7", "ended": 9 * 10**14, "reply_rate": "7 %", "bounce_rate": "2 %", "value": 50},
        {"user": "8", "ended": 10**14, "replied": 5, "bounce_rate": "2 %", "value": 50},
    ]
    got = typed_readings(rows).accepted
    assert got["bounce_rate_low"].to_list() == pytest.approx([0.015, 0.015])
    assert got["reply_rate_high"][0] == pytest.approx(0.075)


def test_ones_own_bands() -> None:
    row = {"user": "7", "reply_rate": "7 %", "bounce_rate": "0 %", "band": "mittel"}
    got = typed_readings([row], bands=["Schlecht", "Mittel", "Gut"]).accepted
    assert got["band"].to_list() == ["Mittel"]
    with pytest.raises(PolicyError, match="different names"):
        typed_readings([row], bands=["a", "A"])
    with pytest.raises(PolicyError, match="different names"):
        typed_readings([row], bands=[])


def test_a_workbook(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Sender", "Reply rate", "Bounce rate", "Gauge"],
        [HOSTILE[0], 0.071, 0.02, 72],
        ["Bo", 0.08, 0.01, None],
    ]
    path = put(tmp_path, xlsx(rows), "readings.xlsx")
    reading = read_readings(path, rates="fraction")
    assert reading.accepted["user"].to_list() == [HOSTILE[0]]
    assert reading.accepted["value"].to_list() == [72.0]
    assert reading.rejected["reason"].to_list() == [
        "band: expected a band or a gauge value, found ''"
    ]
    assert "1 accepted + 1 rejected" in describe(reading)
    write_rejects(reading, tmp_path / "rejected.csv")


def test_a_frame_of_numbers() -> None:
    frame = pl.DataFrame(
        {"user": [7], "reply_rate": [0.071], "bounce_rate": [0.02], "value": [72.0]}
    )
    got = typed_readings(frame, rates="fraction").accepted.row(0, named=True)
    assert got["user"] == "7"
    assert got["value_low"] == pytest.approx(71.95)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="band or value"):
        read(tmp_path, "User,Reply rate,Bounce rate\n7,7 %,0 %\n")
    with pytest.raises(MappingError, match="No header was found for user"):
        read(tmp_path, "Who,Reply rate,Bounce rate,Band\n7,7 %,0 %,Good\n")
    with pytest.raises(MappingError, match=r"readings\.csv: .*both mean 'user'"):
        read(tmp_path, "User,Sender,Reply rate,Bounce rate,Band\n7,7,7 %,0 %,Good\n")
    with pytest.raises(ReadError, match="percent or fraction"):
        typed_readings([{"user": "7"}], rates="per cent")
    with pytest.raises(ReadError, match="no row"):
        typed_readings([])
    with pytest.raises(ReadError, match="Not a list of rows"):
        typed_readings([7])
    with pytest.raises(ReadError, match="cannot be read"):
        read_readings(tmp_path / "none.csv")


def test_a_mapping_of_ones_own(tmp_path: Path) -> None:
    mapping = put(
        tmp_path,
        'name="typed"\n[columns]\nuser="Wer"\nreply_rate="Antworten"\nbounce_rate="Zurück"\n'
        'band="Stufe"\n',
        "m.toml",
    )
    text = "Wer;Antworten;Zurück;Stufe\n7;7,1 %;0 %;Good\n"
    assert read(tmp_path, text, mapping=mapping).accepted["user"].to_list() == ["7"]


def test_broken_lines_are_rejected_too(tmp_path: Path) -> None:
    reading = read(tmp_path, HEAD + "Ann;480;7,1 %\nBo;480;7,1 %;2,9 %;Good\n")
    assert reading.accepted["user"].to_list() == ["Bo"]
    assert reading.rejected["reason"].to_list() == ["fields: 3 where the header has 5"]
