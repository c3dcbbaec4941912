"""Whose reading would teach most: checked against asking everybody, answer by answer."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from senderscore_nb.errors import ContractError
from senderscore_nb.experiment.calibrate import calibrate
from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.policy import load_policy
from tests.calibrations import drawn, plainly_agree, simulated, true_score

DAY = dt.date(2026, 11, 16)
BANDS = ("Low", "Fair", "Good", "Excellent")


def people(size: int, seed: int = 7) -> pl.DataFrame:
    frame = pl.DataFrame(drawn(size, seed), schema=["ended", "r", "b"], orient="row")
    return frame.select(
        user_id=pl.format("p{}", pl.int_range(pl.len())),
        ended="ended",
        reply_rate=pl.col("r") / (pl.col("ended") - pl.col("b")),
        bounce_rate=pl.col("b") / pl.col("ended"),
    )


def exact(row: dict[str, object], band: str) -> pl.DataFrame:
    """A reading of a candidate, with rates that are known exactly."""
    rates = {
        f"{name}{end}": row[name]
        for name in ("reply_rate", "bounce_rate")
        for end in ("", "_low", "_high")
    }
    nothing = dict.fromkeys(("value", "value_low", "value_high"))
    return pl.DataFrame({"line": 0, "user": row["user_id"], "ended": row["ended"], **rates,
                         "band": band, **nothing})  # fmt: skip


def plainly_possible(readings: pl.DataFrame, row: dict[str, object]) -> list[str]:
    return [
        band
        for band in BANDS
        if plainly_agree(pl.concat([readings, exact(row, band)], how="diagonal_relaxed"), BANDS)
    ]


def test_open_bands_and_what_answers_leave_are_those_of_a_plain_search():
    readings = simulated(load_policy(), drawn(12, seed=2))
    candidates = people(6)
    found = calibrate(readings, candidates=candidates, on=DAY).next_readings
    rows = {row["user_id"]: row for row in candidates.to_dicts()}
    possible = {name: plainly_possible(readings, row) for name, row in rows.items()}
    asked = {name: bands for name, bands in possible.items() if len(bands) > 1}
    assert dict(found.select("user", "possible").iter_rows()) == asked
    open_now = sum(len(bands) - 1 for bands in possible.values())
    assert found["open_now"].unique().to_list() == [open_now]
    first = found.row(0, named=True)
    left = []
    for band in first["possible"]:
        told = pl.concat([readings, exact(rows[first["user"]], band)], how="diagonal_relaxed")
        left.append(sum(len(plainly_possible(told, row)) - 1 for row in rows.values()))
    assert first["exact"]
    assert first["open_worst"] == max(left)
    assert first["open_expected"] == pytest.approx(sum(left) / len(left))


def test_the_best_comes_first_and_every_answer_settles_something():
    readings = simulated(load_policy(), drawn(30, seed=1))
    found = calibrate(readings, candidates=people(60), on=DAY).next_readings
    worked = found.filter("exact")
    assert 0 < worked.height <= 6
    assert worked["open_expected"].is_sorted()
    assert (found["open_worst"] < found["open_now"]).all()
    assert found.height <= 10


def test_following_the_advice_closes_bands_faster_than_reading_at_random():
    truth = load_policy()
    candidates = people(14)
    short = Assumptions(bounce_rates=(), reply_rates=())
    start = simulated(truth, drawn(6, seed=4))

    def band(row: dict[str, object]) -> str:
        score = true_score(truth, row["reply_rate"], row["bounce_rate"])
        return pl.select(truth.band(pl.lit(score))).item()

    def asked(readings: pl.DataFrame) -> pl.DataFrame:
        found = calibrate(readings, assumptions=short, candidates=candidates, on=DAY)
        return found.next_readings

    def after(advised: bool) -> int:
        readings = start
        for turn in range(2):
            left = asked(readings)
            name = left["user"][0] if advised else f"p{turn}"
            row = candidates.row(by_predicate=pl.col("user_id") == name, named=True)
            readings = pl.concat([readings, exact(row, band(row))], how="diagonal_relaxed")
        left = asked(readings)
        return left["open_now"][0] if left.height else 0

    assert after(advised=True) < after(advised=False)


def test_nobody_to_ask():
    readings = simulated(load_policy(), drawn(5))
    nobody = people(3).clear()
    assert calibrate(readings, candidates=nobody, on=DAY).next_readings.is_empty()
    unknown = people(3).with_columns(bounce_rate=pl.lit(None, pl.Float64))
    assert calibrate(readings, candidates=unknown, on=DAY).next_readings.is_empty()
    known = people(3).with_columns(reply_rate=1.0, bounce_rate=0.0, user_id=pl.lit("best"))
    found = calibrate(readings, candidates=known, on=DAY)
    assert found.next_readings.is_empty() or found.next_readings["possible"].list.len().min() > 1
    with pytest.raises(ContractError, match="'user_id'"):
        calibrate(readings, candidates=people(3).drop("user_id"), on=DAY)
    with pytest.raises(ContractError, match="'ended'"):
        calibrate(readings, candidates=people(3).drop("ended"), on=DAY)
