"""Charts of policies side by side: what is drawn, described, and stood under odd input."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from senderscore_nb import charts
from senderscore_nb.charts.palette import contrast
from senderscore_nb.charts.theme import COLOURS
from senderscore_nb.errors import ContractError
from senderscore_nb.experiment import (
    Cells,
    Cohort,
    Threshold,
    compare,
    moved,
    sensitivity,
    stability,
    tornado,
)
from senderscore_nb.policy import Band
from tests.chart_frames import HOSTILE, expressions, picture, proven, rows_of
from tests.experiment_frames import POLICY, SENDERS, scored_of, tallies_of

GOOD = Threshold.parse("bands.Good", POLICY)
KNOT = Threshold.parse("reply.7%", POLICY)
LIGHT = moved(POLICY, {GOOD: 50, Threshold.parse("minimum.user", POLICY): 40})
TALLIES = tallies_of(*SENDERS, (50, 4, 1), (20, 1, 0))
BOTH = compare(TALLIES, [POLICY, LIGHT])
CELLS = Cells.of(TALLIES)


def test_a_migration_counts_everybody_once_and_says_who_moves():
    spec = proven(charts.migration(BOTH.migration(), before=BOTH.names[0], after=BOTH.names[1]))
    cells = [r for r in rows_of(spec, "n") if r["n"]]
    assert sum(r["n"] for r in cells) == 10
    marked = {r["kind"]: r["t"] for r in cells}
    assert marked["up"].startswith("▲")
    assert not any(r["t"].startswith(("▲", "▼")) for r in cells if r["kind"] in ("same", "other"))
    movers = BOTH.movers().filter("moves")
    rise = movers.filter(pl.col("bands") > 0).height
    assert f"{rise} rise, 0 fall. 1 gain or lose their score." in spec["description"]
    back = charts.migration(BOTH.migration(*reversed(BOTH.names)), before="a", after="b").to_dict()
    assert f"0 rise, {rise} fall" in back["description"]


def test_a_migrations_text_is_read_on_its_cell():
    """The deepest cell of each kind, mixed with the page, in both modes."""
    for mode, colours in COLOURS.items():
        for colour in ("#2a9db0", "#ad4533", colours["edge"]):
            mixed = [
                round(
                    0.55 * int(colour[i : i + 2], 16) + 0.45 * int(colours["paper"][i : i + 2], 16)
                )
                for i in (1, 3, 5)
            ]
            cell = "#" + "".join(f"{value:02x}" for value in mixed)
            assert contrast(cell, colours["ink"]) >= 4.5, (mode, colour)


def test_bars_hold_everybody_and_segments_that_are_named():
    spec = proven(charts.band_fill(BOTH.fill()))
    rows = rows_of(spec, "share")
    for name in BOTH.names:
        own = [r for r in rows if r["policy"] == name[:44]]
        assert sum(r["n"] for r in own) == 10
        assert max(r["high"] for r in own) == pytest.approx(1)
    assert any(r["text"] == "Collecting 2" for r in rows)
    narrow = charts.band_fill(BOTH.fill(), width=60).to_dict()
    assert all(len(r["text"]) <= 3 for r in rows_of(narrow, "share"))


def test_lines_differ_in_more_than_colour_and_the_minimum_is_marked():
    cohort = Cohort.of(scored_of(SENDERS))
    rates = pl.concat(
        [
            stability([POLICY, LIGHT], cohort, sizes=[50, 100, 400]),
            stability([POLICY], cohort, sizes=[50, 100, 400], in_a_row=2),
        ]
    )
    spec = proven(charts.stability(rates, asked=0.1))
    rows = rows_of(spec, "shape")
    assert len({r["shape"] for r in rows}) == len({r["line"] for r in rows}) == 3
    layer = next(one for one in spec["layer"] if one["mark"]["type"] == "line")
    dashes = layer["encoding"]["strokeDash"]["scale"]["range"]
    assert len({tuple(d) for d in dashes}) == 3
    assert [r["at"] for r in rows_of(spec, "at")] == [100, 0.1]
    first = rates.filter(pl.col("n") == 100)["flip_rate"][0]
    assert f"{100 * first:.1f} % at 100" in spec["description"]
    assert "2 in a row" in spec["description"]


def test_a_heatmap_over_two_thresholds():
    grid = sensitivity(CELLS, POLICY, GOOD, [60, 70, 80], KNOT, [0.06, 0.07, 0.14])
    spec = proven(charts.sensitivity_heatmap(grid, GOOD, KNOT, present=(70, 0.07)))
    cells = rows_of(spec, "t")
    assert len([r for r in cells if r["t"] == "×"]) == 3
    assert "must rise" in next(r["why"] for r in cells if r["t"] == "×")
    assert {r["t"] for r in cells if r["x"] == "70" and r["y"] == "7 %" and "v" in r} == {"100 %"}
    assert "3 pairs make no policy" in spec["description"]
    for measure in ("kappa", "mean_score", "share_good"):
        assert proven(charts.sensitivity_heatmap(grid, GOOD, KNOT, measure=measure))
    none = charts.sensitivity_heatmap(grid, GOOD, KNOT, measure="flips").to_dict()
    assert "none of 9 pairs" in none["description"]


def test_many_cells_are_drawn_without_figures():
    values = [41 + i for i in range(45)]
    grid = sensitivity(CELLS, POLICY, GOOD, values, KNOT, [0.05 + i / 1000 for i in range(45)])
    spec = charts.sensitivity_heatmap(grid, GOOD, KNOT).to_dict()
    assert "text" not in [layer["mark"]["type"] for layer in spec["layer"]]
    assert picture(spec).startswith("<svg")


def test_a_tornado_puts_the_widest_first():
    sides = tornado(CELLS, POLICY)
    spec = proven(charts.tornado(sides, most=3))
    first = sides["threshold"][0]
    labels = list(dict.fromkeys(r["label"] for r in rows_of(spec, "label")))
    assert len(labels) == 3
    assert labels[0].startswith(first)
    assert spec["title"]["text"].endswith("more move less")
    assert first in spec["description"]


def test_frames_without_rows_say_so():
    nobody = compare(tallies_of(), [POLICY, LIGHT])
    grid = sensitivity(CELLS, POLICY, GOOD, [], KNOT, [])
    sides = tornado(CELLS, POLICY, among=["minimum.user"], by=0.01)
    cohort = Cohort.of(scored_of(SENDERS))
    for chart in (
        charts.migration(nobody.migration(), before="a", after="b"),
        charts.band_fill(nobody.fill()),
        charts.stability(stability(POLICY, cohort, sizes=[])),
        charts.sensitivity_heatmap(grid, GOOD, KNOT),
        charts.tornado(sides),
    ):
        assert "nothing to show" in proven(chart)["description"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda frame: charts.migration(frame, before="a", after="b"),
        charts.band_fill,
        charts.stability,
        lambda frame: charts.sensitivity_heatmap(frame, GOOD, KNOT),
        charts.tornado,
    ],
)
def test_a_missing_column_is_named(draw):
    with pytest.raises(ContractError, match="which this chart draws"):
        draw(pl.DataFrame({"day": [dt.date(2026, 3, 2)]}))


def test_hostile_names_stay_data():
    bands = [Band(name=name[:70], lower=10 * i) for i, name in enumerate(HOSTILE)]
    odd = POLICY.model_copy(update={"name": HOSTILE[0], "bands": tuple(bands)})
    other = odd.model_copy(update={"name": HOSTILE[1]})
    found = compare(TALLIES, [odd, other])
    named = Threshold.parse(f"bands.{HOSTILE[2]}", odd)
    grid = sensitivity(CELLS, odd, named, [18, 20, 22], KNOT, [0.06, 0.07])
    for chart in (
        charts.migration(found.migration(), before=found.names[0], after=found.names[1]),
        charts.band_fill(found.fill()),
        charts.stability(stability([odd, other], Cohort.of(scored_of(SENDERS)), sizes=[100])),
        charts.sensitivity_heatmap(grid, named, KNOT),
        charts.tornado(tornado(CELLS, odd, by=0.05)),
    ):
        spec = proven(chart)
        assert "\u202e" not in picture(spec)
        for expression in expressions(spec):
            for name in HOSTILE[:5]:
                assert name not in expression
