"""The steps of a change: order, what is noise, and what is hostile."""

from __future__ import annotations

import polars as pl
import pytest

from senderscore_nb.charts import waterfall, with_narrow
from senderscore_nb.errors import ContractError
from tests.chart_frames import HOSTILE, POLICY, expressions, picture, proven, rows_of

SCHEMA = {
    "label": pl.String,
    "kind": pl.String,
    "start": pl.Float64,
    "end": pl.Float64,
    "part": pl.Float64,
    "part_low": pl.Float64,
    "part_high": pl.Float64,
    "certain": pl.Boolean,
    "low": pl.Float64,
    "high": pl.Float64,
}


def steps(*parts, before=60.0, rest=None):
    """Steps from (label, part, certain)."""
    rows, score = [("Before", "before", before, before, None, None, None, None, None, None)], before
    for label, part, certain in parts:
        low, high = part - 3, part + 3
        rows.append(
            (label, "mix", score, score + part, part, low, high, certain, score + low, score + high)
        )
        score += part
    if rest is not None:
        rows.append(("All others (3)", "rest", score, score + rest, rest, *[None] * 5))
        score += rest
    rows.append(("After", "after", score, score, *[None] * 6))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def marks(spec, kind):
    return [m for layer in spec["layer"] if (m := layer["mark"])["type"] == kind]


def test_bars_hang_on_one_another_in_the_order_given() -> None:
    frame = steps(("Mix: a", -12.5, True), ("Replies: b", 4.0, True), ("Bounces: c", 0.4, False))
    spec = proven(waterfall(frame, POLICY))
    names = next(
        layer["encoding"]["y"]["scale"]["domain"]
        for layer in spec["layer"]
        if layer["mark"]["type"] == "bar"
    )
    assert names == ["Before", "Mix: a", "Replies: b", "Bounces: c", "After"]
    rows = {r["who"]: r for r in rows_of(spec, "said")}
    assert rows["Replies: b"]["start"] == rows["Mix: a"]["end"] == 47.5
    assert "60.0 Fair before to 51.9 Fair after, in 3 parts" in spec["description"]
    assert "Mix: a −12.5 (−15.5 to −9.5); Replies: b +4.0 (+1.0 to +7.0)" in spec["description"]
    assert "1 within noise" in spec["description"]


def test_what_is_noise_is_hollow_dashed_and_says_so() -> None:
    frame = steps(("a", 9.0, True), ("b", -7.0, True), ("c", 5.0, False), rest=-0.04)
    spec = proven(waterfall(frame, POLICY))
    bars = {m["style"]: m for m in marks(spec, "bar")}
    assert set(bars) == {"gain", "loss", "hollow"}
    dashes = [m.get("strokeDash") for m in marks(spec, "bar") if m["style"] == "hollow"]
    assert dashes == [[3, 3], [1, 0]]
    texts = {r["who"]: r["text"] for r in rows_of(spec, "text") if "who" in r}
    assert texts["c"] == "+5.0 (noise)"
    assert texts["a"] == "+9.0"
    assert texts["All others (3)"] == "+0.0"
    assert texts["After"] == "67.0 Fair"


def test_nothing_and_a_change_without_parts() -> None:
    assert "nothing to show" in proven(waterfall(steps().head(0), POLICY))["description"]
    assert "No part is more than noise" in proven(waterfall(steps(), POLICY))["description"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ContractError, match="'part'"):
        waterfall(steps().drop("part"), POLICY)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [520, 96])
def test_it_draws_hostile_names_and_scores_at_the_ends(mode, width) -> None:
    frame = steps(*((name, 5.0, i % 2 == 0) for i, name in enumerate(HOSTILE)), before=60.0)
    chart = waterfall(frame, POLICY, width=width, names=166)
    spec = proven(with_narrow(chart, waterfall(frame, POLICY, width=96)))
    assert not [e for e in expressions(spec) if "script" in e or "{{" in e]
    assert picture(chart.to_dict(), mode)
    low = waterfall(steps(("a", -70.0, True), ("b", 75.0, True), before=0.0), POLICY)
    assert picture(low.to_dict(), mode)
