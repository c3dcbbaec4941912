"""Funnel plots: limits, dots, names of those outside."""

from __future__ import annotations

import polars as pl
import pytest

from senderscore_nb.certainty import control_limits, quantile
from senderscore_nb.charts import funnel
from senderscore_nb.errors import ContractError
from tests.chart_frames import HOSTILE, expressions, picture, proven, rows_of


def dots(*rows: tuple[str, int, float | None, bool | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(str(i), *row) for i, row in enumerate(rows)],
        schema={
            "user_id": pl.String,
            "user_label": pl.String,
            "ended": pl.Int64,
            "reply_rate": pl.Float64,
            "outside": pl.Boolean,
        },
        orient="row",
    )


def limits(centre: float = 0.08, most: int = 1000) -> pl.DataFrame:
    frame = pl.DataFrame({"n": range(10, most, 20)}).with_columns(centre=pl.lit(centre))
    for name, level in (("95", 0.95), ("998", 0.998)):
        low, high = control_limits(centre, pl.col("n"), sigmas=quantile(level))
        frame = frame.with_columns(low.alias(f"low_{name}"), high.alias(f"high_{name}"))
    return frame


FEW = dots(("Ann", 900, 0.08, False), ("Bo", 800, 0.2, True), ("Cy", 60, 0.01, True))


def named(spec: dict[str, object]) -> set[str]:
    layers = spec["layer"]
    assert isinstance(layers, list)
    texts = [la for la in layers if la["encoding"].get("text", {}).get("field") == "who"]
    datasets = spec["datasets"]
    assert isinstance(datasets, dict)
    return {row["who"] for layer in texts for row in datasets[layer["data"]["name"]]}


def test_those_outside_are_named_and_the_rest_are_not() -> None:
    spec = proven(funnel(FEW, limits()))
    assert named(spec) == {"Bo", "Cy"}
    assert {r["who"] for r in rows_of(spec, "rate")} == {"Ann", "Bo", "Cy"}
    assert "2 outside the 99.8 % limits: Bo 20.0 %, Cy 1.0 %" in spec["description"]
    assert "around 8.0 %" in spec["description"]


def test_the_lines_are_the_limits_that_were_given() -> None:
    given = limits()
    drawn = rows_of(proven(funnel(FEW, given)), "high_998")
    assert [r["n"] for r in drawn] == given["n"].to_list()
    assert drawn[5]["low_95"] == pytest.approx(given["low_95"][5], abs=1e-4)


def test_every_dot_is_within_the_axes() -> None:
    spec = proven(funnel(FEW, limits()))
    encoding = spec["layer"][0]["encoding"]
    x, y = (encoding[a]["scale"]["domain"][1] for a in "xy")
    assert all(r["n"] <= x and r["rate"] <= y for r in rows_of(spec, "rate"))


def test_bounces_and_another_count() -> None:
    frame = FEW.rename({"reply_rate": "bounce_rate", "ended": "delivered"})
    spec = proven(funnel(frame, limits(), measure="bounce_rate", n="delivered"))
    assert spec["description"].startswith("Bounce rate")


def test_unknown_rates_and_empty_senders_are_left_out() -> None:
    frame = dots(("Ann", 100, 0.1, None), ("Bo", 0, None, None), ("Cy", 5, None, False))
    spec = proven(funnel(frame, limits()))
    assert [r["who"] for r in rows_of(spec, "rate")] == ["Ann"]
    assert "none outside" in spec["description"]


def test_an_empty_frame_says_so() -> None:
    assert "Nothing to show" in picture(proven(funnel(FEW.clear(), limits())))
    assert "Nothing to show" in picture(proven(funnel(FEW.clear(), limits().clear())))


def test_a_missing_column_is_an_error_in_words() -> None:
    with pytest.raises(ContractError, match="'outside'"):
        funnel(FEW.drop("outside"), limits())
    with pytest.raises(ContractError, match="'high_95'"):
        funnel(FEW, limits().drop("high_95"))


def test_equal_labels_are_told_apart() -> None:
    spec = proven(funnel(dots(("Ann", 90, 0.1, True), ("Ann", 80, 0.1, True)), limits()))
    assert len(named(spec)) == 2


def test_hostile_names_are_in_no_expression() -> None:
    rows = [(name, 100 + i, 0.3, True) for i, name in enumerate(HOSTILE)]
    spec = proven(funnel(dots(*rows), limits()))
    for expression in expressions(spec):
        assert not any(part in expression for part in ("alert", "HYPERLINK", "etc", "long", "nul"))
    assert "<script" not in picture(spec)


def test_sixty_senders() -> None:
    rows = [(f"Sender {i}", 20 + 15 * i, 0.01 * (i % 15), i % 15 > 12) for i in range(60)]
    assert len(named(proven(funnel(dots(*rows), limits())))) == 8
