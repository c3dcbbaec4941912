"""Charts of a calibration: what is open is shaded, what contradicts is ringed, all is described."""

from __future__ import annotations

import datetime as dt
import functools

import polars as pl
import pytest

from senderscore_nb.charts import calibration_curves, calibration_map
from senderscore_nb.errors import ContractError
from senderscore_nb.experiment.calibrate import Calibration, calibrate
from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.experiment.calibrate_shapes import envelope, region_names, regions, shown_rates
from senderscore_nb.policy import load_policy
from tests.calibrations import drawn, simulated, true_score, typed
from tests.chart_frames import HOSTILE, expressions, picture, proven, rows_of

DAY = dt.date(2026, 11, 16)
SHORT = Assumptions(bounce_rates=(), reply_rates=())
KNOTS = Assumptions(
    bounce_rates=(),
    reply_rates=(),
    reply_knots=(0.0, 0.07, 0.13, 0.20),
    bounce_knots=(0.0, 0.01, 0.03, 0.05, 0.10),
)
STEPS = Assumptions(
    bounce_rates=(),
    reply_rates=(),
    bounce_knots=(0.0, 0.05, 0.10),
    bounce_interpolation="step",
)


@functools.cache
def found(kind: str) -> Calibration:
    assumed = {"free": SHORT, "knots": KNOTS, "steps": STEPS}[kind]
    truth = load_policy("amazon-ses" if kind == "steps" else "hubspot-article")
    readings = simulated(truth, drawn(30), value=kind == "free")
    return calibrate(readings, truth, assumptions=assumed, on=DAY)


@pytest.mark.parametrize("kind", ["free", "knots", "steps"])
def test_curves_show_their_limits_and_the_fitted_policy_within(kind: str) -> None:
    spec = calibration_curves(found(kind)).to_dict()
    assert "at best" in spec["description"]
    assert picture(spec).startswith("<svg")
    for row in rows_of(spec, "fitted"):
        assert row["low"] - 1e-3 <= row["fitted"] <= row["high"] + 1e-3
    assert picture(calibration_curves(found(kind), across=False).to_dict(), "dark")


@pytest.mark.parametrize("kind", ["free", "knots", "steps"])
def test_the_envelope_holds_every_curve_that_is_known_to_agree(kind: str) -> None:
    calibration = found(kind)
    shapes = envelope(calibration)
    for name, curve in (
        ("reply_points", calibration.policy.reply_points),
        ("bounce_points", calibration.policy.bounce_points),
    ):
        rows = shapes.filter(pl.col("curve") == name)
        assert rows["rate"].is_sorted()
        assert rows["place"].to_list() == list(range(rows.height))
        assert (rows["low"] <= rows["high"]).all()
        # Inside each stretch, where no corner is, the fitted curve lies between both sides.
        middles = rows.with_columns(
            rate=(pl.col("rate") + pl.col("rate").shift(-1)) / 2,
            low=(pl.col("low") + pl.col("low").shift(-1)) / 2,
            high=(pl.col("high") + pl.col("high").shift(-1)) / 2,
            long=pl.col("rate").shift(-1) > pl.col("rate") + 1e-9,
        ).filter("long")
        points = middles.select(curve.points(pl.col("rate"))).to_series()
        assert middles.height > 1
        assert (middles["low"] <= points + 1e-5).all()
        assert (points <= middles["high"] + 1e-5).all()


def test_regions_are_what_the_fitted_policy_says_and_cover_the_map_once() -> None:
    calibration = found("free")
    shapes = regions(calibration)
    reply, bounce = shown_rates(calibration)
    area = (pl.col("reply_high") - pl.col("reply_low")) * (
        pl.col("bounce_high") - pl.col("bounce_low")
    )
    assert shapes.select(area.sum()).item() == pytest.approx(reply * bounce)
    policy = calibration.policy
    for row in shapes.sample(60, seed=1).iter_rows(named=True):
        at = (
            (row["reply_low"] + row["reply_high"]) / 2,
            (row["bounce_low"] + row["bounce_high"]) / 2,
        )
        assert pl.select(policy.band(pl.lit(true_score(policy, *at)))).item() == row["band"]
    names = region_names(shapes)
    assert set(names["band"]) == set(shapes["band"])
    for row in names.iter_rows(named=True):
        score = true_score(policy, row["reply_rate"], row["bounce_rate"])
        assert pl.select(policy.band(pl.lit(score))).item() == row["band"]


def test_readings_that_contradict_are_ringed_and_named() -> None:
    readings = typed(
        ("Ann", "7.9 %", "2.1 %", "Fair"),
        ("Bo", "7.2 %", "2.4 %", "Good"),
        ("Cy", "3 %", "4 %", "Low"),
    )
    calibration = calibrate(readings, assumptions=SHORT, on=DAY)
    spec = proven(calibration_map(calibration))
    (left,) = calibration.left_out["user"]
    ringed = [
        spec["datasets"][layer["data"]["name"]]
        for layer in spec["layer"]
        if layer["mark"]["type"] == "point" and layer["mark"].get("style") == "outside"
    ]
    assert [[row["who"] for row in rows] for rows in ringed] == [[left]]
    assert f">{left}</text>" in picture(spec)
    assert f"contradict others: {left}." in spec["description"]
    assert "1 Low, 1 Fair, 1 Good" in spec["description"]


def test_bands_have_shapes_as_well_as_colours() -> None:
    spec = proven(calibration_map(found("free")))
    shaped = [la for la in spec["layer"] if "shape" in la["encoding"]]
    assert len(shaped) == 1
    assert len(set(shaped[0]["encoding"]["shape"]["scale"]["range"])) == 4
    assert "None contradicts another." in spec["description"]


def test_readings_without_a_band_are_hollow() -> None:
    calibration = calibrate(typed(("Ann", "7 %", "3 %", 70.0)), assumptions=SHORT, on=DAY)
    spec = proven(calibration_map(calibration))
    assert "No bands." in spec["description"]
    assert [row["value"] for row in rows_of(spec, "value") if row["value"]] == ["70"]
    assert picture(calibration_curves(calibration).to_dict())


def test_hostile_names_are_in_no_expression() -> None:
    seen = (("9 %", "1 %", "Good"), ("12 %", "0.1 %", "Low"))
    rows = [(name, *seen[i % 2]) for i, name in enumerate(HOSTILE)]
    calibration = calibrate(typed(*rows), assumptions=SHORT, on=DAY)
    assert calibration.left_out.height == len(HOSTILE) // 2
    spec = proven(calibration_map(calibration))
    for expression in expressions(spec):
        assert not any(p in expression for p in ("alert", "HYPERLINK", "etc", "long", "nul"))
    assert "<script" not in picture(spec)


def test_a_missing_column_is_an_error_in_words() -> None:
    import dataclasses

    calibration = found("free")
    with pytest.raises(ContractError, match="'fitted_band'"):
        calibration_map(
            dataclasses.replace(calibration, readings=calibration.readings.drop("fitted_band"))
        )
    with pytest.raises(ContractError, match="'high'"):
        calibration_curves(dataclasses.replace(calibration, curves=calibration.curves.drop("high")))
