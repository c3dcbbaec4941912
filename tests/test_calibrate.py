"""Calibration: the truth is never ruled out, and is found where the readings suffice."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.errors import ContractError, PolicyError
from senderscore_nb.experiment import calibrate_ranges
from senderscore_nb.experiment.calibrate import Calibration, calibrate
from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.policy import ScoringPolicy, load_policy, parse_policy, preset_names
from tests.calibrations import (
    Counts,
    drawn,
    plainly_agree,
    plainly_fewest,
    simulated,
    true_score,
    typed,
)
from tests.test_policy import policies

DAY = dt.date(2026, 11, 16)
BANDS = ("Low", "Fair", "Good", "Excellent")


@st.composite
def counts(draw: st.DrawFn) -> list[Counts]:
    rows = []
    for _ in range(draw(st.integers(1, 14))):
        n = draw(st.sampled_from([100, 137, 480, 2500]))
        b = draw(st.integers(0, n // 6))
        rows.append((n, draw(st.integers(0, (n - b) // 3)), b))
    return rows


def scale_of(policy: ScoringPolicy, **more: object) -> Assumptions:
    """The true scale, with no more taken for granted."""
    return Assumptions(
        most=policy.most, reply_most=policy.reply_points.most, from_zero=False, **more
    )


def holds(found: Calibration, truth: ScoringPolicy) -> None:
    """The truth lies inside everything that is said."""
    slack = 2e-6
    for curve, name in (
        (truth.reply_points, "reply_points"),
        (truth.bounce_points, "bounce_points"),
    ):
        rows = found.curves.filter(pl.col("curve") == name)
        points = rows.select(curve.points(pl.col("rate"))).to_series()
        assert (rows["low"] <= points + slack).all()
        assert (points <= rows["high"] + slack).all()
    lowers = {band.name: band.lower for band in truth.bands}
    for row in found.ranges.iter_rows(named=True):
        edge, low, high, at = lowers[row["band"]], row["low"], row["high"], row["at"]
        if row["what"] == "edge":
            assert low - slack <= edge <= high + slack
        elif row["what"] == "replies_for_band":
            assert low is None or true_score(truth, low, at) < edge + slack
            assert high is None or true_score(truth, high, at) >= edge - slack
        else:
            assert low is None or true_score(truth, at, low) >= edge - slack
            assert high is None or true_score(truth, at, high) < edge + slack


def agrees(found: Calibration) -> None:
    """The fitted policy gives each reading that was used its band and its value."""
    policy = found.policy
    lowers = [band.lower for band in policy.bands]
    for row in found.readings.filter("used").iter_rows(named=True):
        best = true_score(policy, row["reply_rate_high"], row["bounce_rate_low"])
        worst = true_score(policy, row["reply_rate_low"], row["bounce_rate_high"])
        if row["band"] is not None:
            k = policy.band_names.index(row["band"])
            assert best >= lowers[k] - 1e-6
            assert k + 1 == len(lowers) or worst < lowers[k + 1]
        if row["value"] is not None:
            assert best >= row["value_low"] - 1e-5
            assert worst <= row["value_high"] + 1e-5


@settings(max_examples=18)
@given(policies(), counts(), st.sampled_from(["band", "value", "both"]))
def test_the_truth_is_never_ruled_out(truth, rows, kind):
    if truth.most == 0:
        return
    readings = simulated(truth, rows, band=kind != "value", value=kind != "band")
    assumed = scale_of(
        truth,
        edges={} if kind != "value" else {b.name: b.lower for b in truth.bands[1:]},
    )
    found = calibrate(readings, truth, assumptions=assumed, on=DAY)
    assert found.contradictions.is_empty()
    assert found.readings["used"].all()
    holds(found, truth)
    agrees(found)
    assert parse_policy(found.policy.to_toml()) == found.policy


@settings(max_examples=10)
@given(policies(), counts(), st.booleans())
def test_the_truth_is_never_ruled_out_under_its_own_knots(truth, rows, value):
    if truth.most == 0:
        return
    curves = truth.reply_points, truth.bounce_points
    knots = [tuple(rate for rate, _ in curve.knots) for curve in curves]
    assumed = scale_of(
        truth,
        reply_knots=knots[0] if len(knots[0]) > 1 else None,
        bounce_knots=knots[1] if len(knots[1]) > 1 else None,
        reply_interpolation=curves[0].interpolation,
        bounce_interpolation=curves[1].interpolation,
    )
    found = calibrate(simulated(truth, rows, value=value), truth, assumptions=assumed, on=DAY)
    assert found.contradictions.is_empty()
    holds(found, truth)


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_not_ruled_out_by_many_bands(name):
    truth = load_policy(name)
    found = calibrate(simulated(truth, drawn(120)), truth, assumptions=scale_of(truth), on=DAY)
    assert found.readings["used"].all()
    holds(found, truth)
    agrees(found)


def dense(value: bool = True) -> pl.DataFrame:
    """Each of 21 reply rates with each of 12 bounce rates, out of very many."""
    grid = [
        (10_000, round((10_000 - b) * x / 100), b) for x in range(21) for b in range(0, 1200, 100)
    ]
    return simulated(load_policy(), grid, value=value, decimals=3)


def test_gauge_values_of_many_recover_the_curves_within_rounding():
    truth = load_policy()
    found = calibrate(dense(), assumptions=Assumptions(from_zero=False), on=DAY)
    read = found.curves.filter("read", pl.col("rate") <= 0.2)
    assert read.height == 33
    assert (read["high"] - read["low"]).max() <= 1.0 + 1e-5
    for name in ("reply_points", "bounce_points"):
        rows = read.filter(pl.col("curve") == name)
        points = rows.select(getattr(truth, name).points(pl.col("rate"))).to_series()
        assert (rows["fitted"] - points).abs().max() <= 1.0
    edges = found.ranges.filter(pl.col("what") == "edge")
    assert edges["band"].to_list() == ["Fair", "Good", "Excellent"]
    for lower, row in zip((40, 70, 90), edges.iter_rows(named=True), strict=True):
        assert row["low"] - 1e-5 <= lower <= row["high"] + 1e-5
        assert row["high"] - row["low"] <= 2 + 1e-4
    holds(found, truth)


def test_bands_of_many_leave_points_open_but_not_thresholds():
    truth = load_policy()
    found = calibrate(dense(value=False), on=DAY)
    edges = found.ranges.filter(pl.col("what") == "edge")
    assert (edges["high"] - edges["low"]).min() > 10
    row = found.ranges.row(
        by_predicate=(pl.col("what") == "replies_for_band")
        & (pl.col("band") == "Good")
        & (pl.col("at") == 0.03),
        named=True,
    )
    assert 0.055 < row["low"] < 0.07 <= row["high"] < 0.085
    assert any("Bands alone" in said for said in found.words)
    holds(found, truth)


def test_knots_make_bands_say_points():
    knots = {"reply_knots": (0.0, 0.07, 0.13, 0.20), "bounce_knots": (0.0, 0.01, 0.03, 0.05, 0.1)}
    found = calibrate(dense(value=False), assumptions=Assumptions(**knots), on=DAY)
    edges = found.ranges.filter(pl.col("what") == "edge")
    assert (edges["high"] - edges["low"]).max() < 8
    holds(found, load_policy())
    assert found.policy.reply_points.knots[-1] == (0.20, 50.0)


def test_the_share_of_each_rate_can_be_left_to_the_readings():
    emailit = load_policy("emailit-stepped")
    readings = simulated(emailit, drawn(80), value=True)
    wrong = calibrate(readings, emailit, on=DAY)
    assert not wrong.readings["used"].all()
    assumed = Assumptions(reply_most=None, from_zero=False)
    found = calibrate(readings, emailit, assumptions=assumed, on=DAY)
    assert found.readings["used"].all()
    holds(found, emailit)


def test_limits_found_at_once_are_those_found_one_by_one(monkeypatch):
    readings = simulated(load_policy(), drawn(8), band=False, value=True)
    at_once = calibrate(readings, on=DAY).curves
    monkeypatch.setattr(calibrate_ranges, "_ends", lambda program: program.bounds.copy().T)
    monkeypatch.setattr(calibrate_ranges.Program, "edges_free", property(lambda self: True))
    one_by_one = calibrate(readings, on=DAY).curves
    for name in ("low", "high"):
        assert np.allclose(at_once[name], one_by_one[name], atol=1e-4)


@settings(max_examples=8)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.sampled_from([*BANDS, 30, 50, 70])),
        min_size=2,
        max_size=6,
    )
)
def test_the_fewest_readings_are_left_out(rows):
    readings = typed(*((f"u{i}", f"{2 * x} %", f"{y} %", s) for i, (x, y, s) in enumerate(rows)))
    found = calibrate(readings, on=DAY)
    assert found.smallest
    assert found.left_out.height == plainly_fewest(readings, BANDS)
    assert plainly_agree(readings.filter(found.readings["used"]), BANDS)
    assert found.contradictions.is_empty() == found.left_out.is_empty()
    agrees(found)


def test_more_replies_and_fewer_bounces_yet_a_lower_band_is_said():
    readings = typed(
        ("Ann", "7.9 %", "2.1 %", "Fair"),
        ("Bo", "7.2 %", "2.4 %", "Good"),
        ("Cy", "12 %", "1 %", "Good"),
        ("Di", "3 %", "4 %", "Low"),
    )
    found = calibrate(readings, on=DAY)
    (said,) = found.contradictions["said"]
    assert said.startswith(
        "Ann (line 1) has more replies and fewer bounces than Bo (line 2), yet a lower band"
    )
    assert found.contradictions["kind"].to_list() == ["pair"]
    assert found.left_out["user"].to_list() in (["Ann"], ["Bo"])
    assert "Left out" in found.words[0]


def test_equal_rates_with_two_bands_contradict():
    counted = [
        {"user": name, "ended": 1000, "replied": 70, "bounced": 20, "band": band}
        for name, band in (("Ann", "Fair"), ("Bo", "Good"))
    ]
    from senderscore_nb.sources.readings import typed_readings

    found = calibrate(typed_readings(counted).accepted, on=DAY)
    assert "as many replies and as many bounces as Bo" in found.contradictions["said"][0]


def test_what_no_pair_contradicts_a_set_may():
    """Sums across the corners of a rectangle must be equal: 30 + 60 are not 50 + 50."""
    readings = (
        typed(
            ("Ann", "4 %", "4 %", 30.0),
            ("Bo", "8 %", "2 %", 60.0),
            ("Cy", "4 %", "2 %", 50.0),
            ("Di", "8 %", "4 %", 50.0),
        )
        .with_columns(pl.col("reply_rate").alias(f"reply_rate_{e}") for e in ("low", "high"))
        .with_columns(pl.col("bounce_rate").alias(f"bounce_rate_{e}") for e in ("low", "high"))
    )
    found = calibrate(readings, on=DAY)
    assert found.contradictions["kind"].to_list() == ["set"]
    assert sorted(found.contradictions["users"][0]) == ["Ann", "Bo", "Cy", "Di"]
    assert found.left_out.height == 1


def test_a_few_mistyped_among_many_are_found():
    readings = simulated(load_policy(), drawn(150, seed=3))
    wrong = [10, 60, 110]
    flipped = {"Low": "Excellent", "Fair": "Excellent", "Good": "Low", "Excellent": "Low"}
    bands = readings["band"].to_list()
    for place in wrong:
        bands[place] = flipped[bands[place]]
    found = calibrate(readings.with_columns(band=pl.Series(bands)), on=DAY)
    assert found.left_out["user"].to_list() == [f"u{place}" for place in wrong]
    assert found.smallest
    agrees(found)


@pytest.mark.parametrize("seen", ["Low", "Good", "Excellent", 0.0, 55.0, 100.0])
def test_one_reading(seen):
    found = calibrate(typed(("Ann", "7 %", "3 %", seen)), on=DAY)
    assert found.contradictions.is_empty()
    agrees(found)
    assert parse_policy(found.policy.to_toml()) == found.policy


def test_values_alone_keep_the_bases_bands():
    found = calibrate(typed(("Ann", "7 %", "3 %", 70.0), ("Bo", "9 %", "1 %", 82.0)), on=DAY)
    assert [band.lower for band in found.policy.bands] == [0, 40, 70, 90]
    assert any("edges of the bands are those of the base" in said for said in found.words)


def test_known_edges_are_kept():
    readings = simulated(load_policy(), drawn(40))
    edges = {"Fair": 40.0, "Good": 70.0, "Excellent": 90.0}
    found = calibrate(readings, assumptions=Assumptions(edges=edges), on=DAY)
    assert [band.lower for band in found.policy.bands] == [0, 40, 70, 90]
    holds(found, load_policy())


def test_the_same_reading_a_hundred_times_says_no_more():
    readings = simulated(load_policy(), drawn(12))
    once = calibrate(readings, on=DAY)
    often = calibrate(pl.concat([readings] * 40), on=DAY)
    assert often.ranges.drop("fitted").equals(once.ranges.drop("fitted"))


def test_more_readings_never_widen():
    readings = simulated(load_policy(), drawn(30))
    few, many = calibrate(readings[:10], on=DAY).ranges, calibrate(readings, on=DAY).ranges
    for a, b in zip(few.iter_rows(named=True), many.iter_rows(named=True), strict=True):
        assert a["low"] is None or b["low"] >= a["low"] - 1e-4
        assert a["high"] is None or b["high"] <= a["high"] + 1e-4


def test_the_policy_says_what_it_is():
    found = calibrate(typed(("Ann", "7 %", "3 %", "Good")), name="ours", on=DAY)
    assert found.policy.name == "ours"
    assert "Fitted to 1 reading of the vendor's report on 2026-11-16" in found.policy.source
    assert "not the vendor's own" in found.policy.source
    assert found.policy.minimum == load_policy().minimum


def test_hostile_names_stay_one_line():
    name = "<script>\n\x1b[31m=HYPERLINK()" + "x" * 500
    found = calibrate(typed((name, "9 %", "1 %", "Low"), ("Bo", "7 %", "3 %", "Good")), on=DAY)
    for said in (*found.words, *found.contradictions["said"]):
        assert all(character.isprintable() for character in said)
        assert len(said) < 700


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"most": 0}, "above 0"),
        ({"reply_most": 120}, "from 0 to 100"),
        ({"reply_knots": (0.1,)}, "two knots"),
        ({"reply_knots": (0.1, 0.1)}, "must rise"),
        ({"bounce_knots": (0, 7)}, "write 7 % as 0.07"),
        ({"bounce_rates": (3.0,)}, "write 7 % as 0.07"),
        ({"bands": ("A", "a")}, "different names"),
        ({"edges": {"Low": 5}}, "expected lower edges of Fair"),
        ({"edges": {"Nice": 5}}, "expected lower edges of Fair"),
        ({"edges": {"Good": 120}}, "up to 100"),
        ({"edges": {"Good": 50, "Fair": 60}}, "must rise from band to band"),
    ],
)
def test_impossible_assumptions_are_refused(more, says):
    with pytest.raises(PolicyError, match=says):
        calibrate(typed(("Ann", "7 %", "3 %", "Good")), assumptions=Assumptions(**more), on=DAY)


def test_what_are_no_readings_is_refused():
    readings = typed(("Ann", "7 %", "3 %", "Good"))
    with pytest.raises(ContractError, match="no reading"):
        calibrate(readings.clear(), on=DAY)
    with pytest.raises(ContractError, match="'bounce_rate_low'"):
        calibrate(readings.drop("bounce_rate_low"), on=DAY)
    with pytest.raises(ContractError, match="low before high"):
        calibrate(readings.with_columns(reply_rate_low=pl.lit(0.5)), on=DAY)
    with pytest.raises(ContractError, match="between 0 and 1"):
        calibrate(readings.with_columns(reply_rate_high=pl.lit(None, pl.Float64)), on=DAY)
    with pytest.raises(ContractError, match="a band or a value"):
        calibrate(readings.with_columns(band=pl.lit(None, pl.String)), on=DAY)
    with pytest.raises(PolicyError, match="'Nice'"):
        calibrate(readings.with_columns(band=pl.lit("Nice")), on=DAY)
